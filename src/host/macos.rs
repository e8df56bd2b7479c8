//! The few calls to macOS that its facts come from.

use super::{HostError, PowerSource, Probe, Thermal, ThermalLevel};
use crate::units::Bytes;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::ptr;

#[expect(
    unsafe_code,
    reason = "IOKit has no safe interface in the standard library"
)]
#[link(name = "IOKit", kind = "framework")]
unsafe extern "C" {
    /// Seconds the battery lasts; -2 when the machine has unlimited power, -1 when it runs on the battery and does not know yet.
    fn IOPSGetTimeRemainingEstimate() -> f64;
}

#[expect(
    unsafe_code,
    reason = "notify(3) has no safe interface in the standard library"
)]
unsafe extern "C" {
    fn notify_register_check(name: *const c_char, out_token: *mut c_int) -> u32;
    fn notify_get_state(token: c_int, state: *mut u64) -> u32;
    fn notify_cancel(token: c_int) -> u32;
}

fn failed(call: &'static str) -> HostError {
    HostError::Call {
        call,
        source: io::Error::last_os_error(),
    }
}

/// The value of a system variable, at most 256 bytes.
#[expect(
    unsafe_code,
    reason = "sysctl has no safe interface in the standard library"
)]
fn variable(name: &CStr) -> Probe<Vec<u8>> {
    let mut value = vec![0_u8; 256];
    let mut length = value.len();
    // SAFETY: `name` ends with a zero byte, `value` has `length` writable bytes, and the call stores at most that many and sets `length`.
    let status = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            value.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
            ptr::null_mut(),
            0,
        )
    };
    if status != 0 {
        return Err(failed("sysctlbyname"));
    }
    value.truncate(length);
    Ok(value)
}

/// A text variable.
pub(super) fn text(name: &CStr) -> Probe<String> {
    let value = variable(name)?;
    let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
    Ok(String::from_utf8_lossy(&value[..end]).trim().to_owned())
}

/// A number of four or eight bytes.
pub(super) fn number(name: &CStr) -> Probe<u64> {
    let value = variable(name)?;
    let narrow = value.as_slice().try_into().map(u32::from_ne_bytes);
    let wide = value.as_slice().try_into().map(u64::from_ne_bytes);
    wide.or(narrow.map(u64::from)).map_err(|_| HostError::Call {
        call: "sysctlbyname",
        source: io::Error::from(io::ErrorKind::InvalidData),
    })
}

/// Version of the system.
pub(super) fn os() -> Probe<String> {
    Ok(format!("macOS {}", text(c"kern.osproductversion")?))
}

/// Installed memory.
pub(super) fn memory_total() -> Probe<Bytes> {
    number(c"hw.memsize").map(Bytes)
}

/// The kernel's own share of memory that can be had, in percent, applied to the installed memory.
pub(super) fn memory_available() -> Probe<Bytes> {
    let percent = number(c"kern.memorystatus_level")?.min(100);
    Ok(Bytes(memory_total()?.get() / 100 * percent))
}

/// Features of the processor under the names Linux has for them.
pub(super) fn cpu_flags() -> Vec<String> {
    let has = |name: &CStr| number(name).is_ok_and(|n| n == 1);
    let known: [(&CStr, &str); 6] = [
        (c"hw.optional.neon", "asimd"),
        (c"hw.optional.arm.FEAT_FP16", "asimdhp"),
        (c"hw.optional.arm.FEAT_DotProd", "asimddp"),
        (c"hw.optional.arm.FEAT_I8MM", "i8mm"),
        (c"hw.optional.arm.FEAT_BF16", "bf16"),
        (c"hw.optional.avx2_0", "avx2"),
    ];
    let present = known.into_iter().filter(|(key, _)| has(key));
    let mut flags: Vec<String> = present.map(|(_, name)| name.to_owned()).collect();
    // Every 64-bit ARM processor has it, also where the kernel does not list it.
    if cfg!(target_arch = "aarch64") && !flags.iter().any(|f| f == "asimd") {
        flags.insert(0, "asimd".to_owned());
    }
    flags
}

/// Load average over one minute.
#[expect(unsafe_code, reason = "the standard library has no load average")]
pub(super) fn load_average() -> Probe<f64> {
    let mut one = [0.0_f64; 1];
    // SAFETY: `one` has room for the one number that is asked for.
    let stored = unsafe { libc::getloadavg(one.as_mut_ptr(), 1) };
    if stored == 1 {
        Ok(one[0])
    } else {
        Err(failed("getloadavg"))
    }
}

/// Whether the machine runs on its battery.
#[expect(unsafe_code, reason = "the standard library knows no power sources")]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Linux")]
pub(super) fn power_source() -> Probe<PowerSource> {
    const UNLIMITED_S: f64 = -2.0;
    // SAFETY: the function takes nothing and returns a number.
    let left_s = unsafe { IOPSGetTimeRemainingEstimate() };
    Ok(if left_s == UNLIMITED_S {
        PowerSource::Mains
    } else {
        PowerSource::Battery
    })
}

/// The thermal pressure that the system publishes to everyone.
#[expect(
    unsafe_code,
    reason = "the notification is not in the standard library"
)]
pub(super) fn thermal() -> Probe<Thermal> {
    let name = c"com.apple.system.thermalpressurelevel";
    let (mut token, mut state) = (0, 0);
    // SAFETY: `name` ends with a zero byte; `token` and `state` are writable and of the declared types; the token is used only when it was given.
    let status = unsafe {
        match notify_register_check(name.as_ptr(), &raw mut token) {
            0 => {
                let status = notify_get_state(token, &raw mut state);
                notify_cancel(token);
                status
            }
            failure => failure,
        }
    };
    if status != 0 {
        return Err(HostError::Call {
            call: "notify_get_state",
            source: io::Error::other(format!("status {status}")),
        });
    }
    let level = match state {
        0 => ThermalLevel::Nominal,
        1 => ThermalLevel::Moderate,
        2 => ThermalLevel::Heavy,
        _ => ThermalLevel::Critical,
    };
    Ok(Thermal {
        level: Some(level),
        hottest_millicelsius: None,
    })
}

/// Footprint of this process: now, and the largest so far.
pub(super) fn footprint() -> Probe<(Bytes, Bytes)> {
    footprint_of(std::process::id())
}

/// Footprint of a process of this user: now, and the largest so far.
#[expect(unsafe_code, reason = "the footprint is not in the standard library")]
pub(super) fn footprint_of(pid: u32) -> Probe<(Bytes, Bytes)> {
    // SAFETY: the structure is plain numbers and bytes, for which all zeros is a valid value.
    let mut usage: libc::rusage_info_v4 = unsafe { std::mem::zeroed() };
    let pid = c_int::try_from(pid).unwrap_or(0);
    // SAFETY: the buffer has the type that this flavour fills.
    let status = unsafe {
        libc::proc_pid_rusage(
            pid,
            libc::RUSAGE_INFO_V4,
            (&raw mut usage).cast::<libc::rusage_info_t>(),
        )
    };
    if status != 0 {
        return Err(failed("proc_pid_rusage"));
    }
    Ok((
        Bytes(usage.ri_phys_footprint),
        Bytes(usage.ri_lifetime_max_phys_footprint),
    ))
}
