//! Made-up machines below a temporary root, and what must hold on the machine the tests run on.

#[cfg(not(target_os = "macos"))]
use super::machine::inspect_at;
use super::*;
use crate::units::Bytes;
#[cfg(not(target_os = "macos"))]
use std::fs;
#[cfg(not(target_os = "macos"))]
use tempfile::TempDir;

/// A machine whose files are these.
#[cfg(not(target_os = "macos"))]
fn machine(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

#[cfg(not(target_os = "macos"))]
const MEMINFO: (&str, &str) = (
    "proc/meminfo",
    "MemTotal:       32000000 kB\nMemFree:  1 kB\nMemAvailable:   20000000 kB\n",
);

#[cfg(not(target_os = "macos"))]
fn limits(files: &[(&str, &str)]) -> Vec<(u64, Option<u64>)> {
    let root = machine(files);
    let all = linux::memory_limits(root.path()).unwrap();
    all.iter()
        .map(|l| (l.bytes.get(), l.available.map(Bytes::get)))
        .collect()
}

#[cfg(not(target_os = "macos"))]
#[test]
fn a_whole_machine_is_read() {
    let root = machine(&[
        MEMINFO,
        (
            "etc/os-release",
            "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n",
        ),
        ("proc/sys/kernel/osrelease", "6.12.1\n"),
        ("proc/sys/kernel/hostname", "box\n"),
        (
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx2 fma f16c amx_bf16 avx512f avx512bw\n\nprocessor\t: 1\n",
        ),
        ("proc/loadavg", "0.50 0.40 0.30 1/100 4242\n"),
        (
            "proc/self/status",
            "Name:\tevalh\nVmHWM:\t  123456 kB\nRssAnon:\t 1000 kB\nRssFile:\t 2000 kB\n",
        ),
        ("sys/class/power_supply/AC/type", "Mains\n"),
        ("sys/class/power_supply/AC/online", "0\n"),
        ("sys/class/power_supply/BAT0/type", "Battery\n"),
        ("sys/class/power_supply/BAT0/status", "Discharging\n"),
        ("sys/class/power_supply/mouse/type", "Battery\n"),
        ("sys/class/power_supply/mouse/scope", "Device\n"),
        ("sys/class/power_supply/mouse/status", "Full\n"),
        ("sys/class/thermal/thermal_zone0/temp", "54000\n"),
        (
            "sys/class/thermal/thermal_zone0/trip_point_0_type",
            "passive\n",
        ),
        (
            "sys/class/thermal/thermal_zone0/trip_point_0_temp",
            "95000\n",
        ),
        ("sys/class/thermal/thermal_zone1/temp", "61500\n"),
        ("sys/class/powercap/intel-rapl:0/energy_uj", "1\n"),
        ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
        ("sys/class/powercap/intel-rapl:0:0/energy_uj", "1\n"),
        (
            "proc/driver/nvidia/gpus/0000:01:00.0/information",
            "Model: \t NVIDIA L4\nIRQ: 1\n",
        ),
    ]);
    let found = inspect_at(root.path());
    let facts = found.facts();
    assert_eq!(
        facts.os.as_deref(),
        Some("Debian GNU/Linux 13 (trixie), Linux 6.12.1")
    );
    assert_eq!(facts.cpu.as_deref(), Some("Some CPU @ 2 GHz"));
    assert_eq!(facts.memory_total, Some(Bytes(32_000_000 * 1024)));
    assert_eq!(facts.memory_limit, None);
    assert_eq!(facts.gpu.as_deref(), Some("NVIDIA L4"));
    assert_eq!(facts.power_source.as_deref(), Some("battery"));
    assert_eq!(facts.thermal.as_deref(), Some("nominal"));
    assert_eq!(facts.load_average, Some(0.5));
    let features = found.cpu_features.as_ref().unwrap();
    assert_eq!(
        features.join(" "),
        "f16c fma avx2 avx512f avx512bw amx_bf16"
    );
    assert_eq!(simd_tier(features), "avx512");
    assert_eq!(
        found.thermal.as_ref().unwrap().hottest_millicelsius,
        Some(61_500)
    );
    assert_eq!(found.energy.as_ref().unwrap(), &["package-0"]);
    assert_eq!(found.process_peak.as_ref().unwrap(), &Bytes(123_456 * 1024));
    assert_eq!(process::hostname_at(root.path()).unwrap(), "box");
    assert_eq!(
        process::memory_at(root.path()).unwrap(),
        ProcessMemory {
            private: Bytes(1_024_000),
            file: Some(Bytes(2_048_000)),
        }
    );
    let (budget, origin) = budget::budget_of(found).unwrap();
    assert_eq!(budget, Bytes(20_000_000 * 1024 / 100 * 90));
    assert_eq!(origin, "90 % of 20.5 GB free");
}

#[cfg(not(target_os = "macos"))]
#[test]
fn an_empty_machine_has_reasons_and_no_zeros() {
    let root = machine(&[]);
    let found = inspect_at(root.path());
    let facts = found.facts();
    assert_eq!(
        (facts.os, facts.cpu, facts.memory_total, facts.gpu),
        (None, None, None, None)
    );
    assert_eq!(
        (facts.power_source, facts.thermal, facts.load_average),
        (None, None, None)
    );
    let reason = found.memory_total.unwrap_err();
    assert!(reason.to_string().ends_with("proc/meminfo`"), "{reason}");
    assert!(found.process_peak.is_err() && found.energy.is_err());
    assert_eq!(found.memory_limits.unwrap(), []);
}

#[cfg(not(target_os = "macos"))]
#[test]
fn limits_of_control_groups_count_on_every_level() {
    // Version 2, nested: the tightest ancestor comes first, `max` is no limit, droppable file pages are not in use.
    assert_eq!(
        limits(&[
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/memory.max", "4000\n"),
            ("sys/fs/cgroup/a/memory.current", "1500\n"),
            (
                "sys/fs/cgroup/a/memory.stat",
                "anon 700\ninactive_file 500\n"
            ),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/memory.max", "9000\n"),
        ]),
        [(4000, Some(3000)), (9000, None)]
    );
    // Version 1 in a hybrid hierarchy; its "unlimited" is a number.
    assert_eq!(
        limits(&[
            ("proc/self/cgroup", "4:memory:/x/y\n1:cpu:/z\n0::/\n"),
            ("sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "5000\n"),
            ("sys/fs/cgroup/memory/x/y/memory.usage_in_bytes", "6000\n"),
            (
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes",
                "9223372036854771712\n"
            ),
        ]),
        [(5000, Some(0))]
    );
    // A container: the path on the host is not there, the mount's root is.
    for path in ["0::/docker/123", "0::/../..", "0::/"] {
        assert_eq!(
            limits(&[
                ("proc/self/cgroup", path),
                ("sys/fs/cgroup/memory.max", "7000"),
            ]),
            [(7000, None)]
        );
    }
    // The address space of the process.
    assert_eq!(
        limits(&[(
            "proc/self/limits",
            "Limit   Soft Limit   Hard Limit   Units\nMax address space         8000                 unlimited            bytes\n"
        )]),
        [(8000, None)]
    );
    assert_eq!(limits(&[("proc/self/cgroup", "nonsense\n")]), []);
}

#[cfg(not(target_os = "macos"))]
#[test]
fn a_limit_binds_the_budget() {
    let root = machine(&[
        MEMINFO,
        ("proc/self/cgroup", "0::/\n"),
        ("sys/fs/cgroup/memory.max", "8000000000\n"),
        ("sys/fs/cgroup/memory.current", "1000000000\n"),
    ]);
    let found = inspect_at(root.path());
    assert_eq!(found.facts().memory_limit, Some(Bytes(8_000_000_000)));
    let (budget, origin) = budget::budget_of(found).unwrap();
    assert_eq!(budget, Bytes(6_300_000_000));
    assert_eq!(
        origin,
        "90 % of 7.0 GB free, control group (version 2) of 8.0 GB"
    );
    // A limit above the installed memory is none.
    let root = machine(&[
        MEMINFO,
        ("proc/self/cgroup", "0::/\n"),
        ("sys/fs/cgroup/memory.max", "80000000000000\n"),
    ]);
    assert_eq!(inspect_at(root.path()).facts().memory_limit, None);
}

#[test]
fn the_metal_limit() {
    for (gib, wired_mib, expected) in [
        (16_u64, 0, "11.5 GB: two thirds of 17.2 GB, the Metal limit"),
        (32, 0, "22.9 GB: two thirds of 34.4 GB, the Metal limit"),
        (36, 0, "29.0 GB: three quarters of 38.7 GB, the Metal limit"),
        (36, 30_000, "31.5 GB: `iogpu.wired_limit_mb`, of 38.7 GB"),
        (36, 90_000, "38.7 GB: `iogpu.wired_limit_mb`, of 38.7 GB"),
    ] {
        let (budget, origin) = budget::metal_budget(Bytes(gib << 30), wired_mib);
        assert_eq!(format!("{budget}: {origin}"), expected);
    }
}

#[cfg(not(target_os = "macos"))]
#[test]
fn power_and_heat() {
    let supplies = |files: &[(&str, &str)]| linux::power_source(machine(files).path());
    for (files, expected) in [
        (
            vec![
                ("sys/class/power_supply/AC/type", "Mains"),
                ("sys/class/power_supply/AC/online", "1"),
            ],
            PowerSource::Mains,
        ),
        (
            vec![
                ("sys/class/power_supply/BAT0/type", "Battery"),
                ("sys/class/power_supply/BAT0/status", "Charging"),
            ],
            PowerSource::Mains,
        ),
        (
            vec![
                ("sys/class/power_supply/BAT0/type", "Battery"),
                ("sys/class/power_supply/BAT0/status", "Discharging"),
            ],
            PowerSource::Battery,
        ),
    ] {
        assert_eq!(supplies(&files).unwrap(), expected);
    }
    let zone = "sys/class/thermal/thermal_zone0";
    for (kind, at, level) in [
        ("passive", "80000", Some(ThermalLevel::Moderate)),
        ("critical", "80000", Some(ThermalLevel::Heavy)),
        ("critical", "105000", Some(ThermalLevel::Nominal)),
        ("passive", "0", None),
        ("other", "80000", None),
    ] {
        let root = machine(&[
            (&format!("{zone}/temp"), "85000"),
            (&format!("{zone}/trip_point_0_type"), kind),
            (&format!("{zone}/trip_point_0_temp"), at),
        ]);
        assert_eq!(
            linux::thermal(root.path()).unwrap().level,
            level,
            "{kind} {at}"
        );
    }
}

#[cfg(not(target_os = "macos"))]
#[test]
fn every_reason_has_its_text() {
    let root = machine(&[
        ("proc/meminfo", "MemTotal: many kB\n"),
        ("proc/loadavg", "\n"),
        ("proc/cpuinfo", "processor: 0\n"),
        ("proc/self/cgroup", "0::/\n"),
        ("sys/fs/cgroup/memory.max", "lots\n"),
    ]);
    let text = |e: HostError| e.in_full().replace(&root.path().display().to_string(), "");
    let at = root.path();
    assert_eq!(
        text(linux::memory_total(at).unwrap_err()),
        "`/proc/meminfo` has no usable `MemTotal`"
    );
    assert_eq!(
        text(linux::load_average(at).unwrap_err()),
        "`/proc/loadavg` has no usable `load average`"
    );
    assert_eq!(
        text(linux::cpu(at).unwrap_err()),
        "`/proc/cpuinfo` has no usable `model name`"
    );
    assert_eq!(
        text(linux::memory_limits(at).unwrap_err()),
        "`/sys/fs/cgroup/memory.max` has no usable `memory.max`"
    );
    assert_eq!(
        text(linux::thermal(at).unwrap_err()),
        "the system lists no thermal zone in `/sys/class/thermal`"
    );
    assert_eq!(
        text(linux::os(at).unwrap_err()),
        "failed to read `/proc/sys/kernel/osrelease`: No such file or directory (os error 2)"
    );
    assert_eq!(
        text(process::reset_at(&at.join("absent")).unwrap_err()),
        "failed to write `/absent/proc/self/clear_refs`: No such file or directory (os error 2)"
    );
    assert_eq!(
        HostError::System {
            what: "energy counter",
            system: "macOS without root"
        }
        .to_string(),
        "the energy counter cannot be read on `macOS without root`"
    );
    let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let denied = HostError::Read {
        path: "/sys/energy_uj".into(),
        source: denied,
    };
    assert_eq!(
        denied.in_full(),
        "failed to read `/sys/energy_uj`: permission denied"
    );
    assert_eq!(
        denied.hint().as_deref(),
        Some("give this user read access to `/sys/energy_uj`")
    );
    let failed = std::io::Error::from(std::io::ErrorKind::InvalidData);
    assert_eq!(
        HostError::Call {
            call: "sigaction",
            source: failed
        }
        .in_full(),
        "the system call `sigaction` failed: invalid data"
    );
}

#[cfg(not(target_os = "macos"))]
#[test]
fn doctor_says_what_stands_and_what_can_be_done() {
    let root = machine(&[
        MEMINFO,
        ("proc/sys/kernel/osrelease", "6.12.1\n"),
        (
            "proc/cpuinfo",
            "Model\t: Board\nFeatures\t: fp asimd asimddp\n",
        ),
        ("proc/loadavg", "999.0 1 1\n"),
        ("proc/self/status", "VmHWM: 2000 kB\n"),
        ("proc/self/cgroup", "0::/\n"),
        ("sys/fs/cgroup/memory.max", "400000000\n"),
        ("sys/class/power_supply/BAT0/type", "Battery\n"),
        ("sys/class/power_supply/BAT0/status", "Discharging\n"),
        ("sys/class/thermal/thermal_zone0/temp", "99000\n"),
        (
            "sys/class/thermal/thermal_zone0/trip_point_0_type",
            "passive\n",
        ),
        (
            "sys/class/thermal/thermal_zone0/trip_point_0_temp",
            "95000\n",
        ),
    ]);
    let mut found = inspect_at(root.path());
    (found.arch, found.cores) = ("aarch64", Ok(4));
    let shown: Vec<_> = doctor_lines(found)
        .into_iter()
        .map(|l| {
            let advice = l.advice.map(|a| format!(" -> {a}")).unwrap_or_default();
            format!("{} {}: {}{advice}", l.status.as_str(), l.name, l.value)
        })
        .collect();
    let shown = shown
        .join("\n")
        .replace(&root.path().display().to_string(), "");
    insta::assert_snapshot!(shown, @r"
ok system: Linux 6.12.1
ok processor: Board
ok architecture: aarch64
ok instructions: neon (asimd asimddp)
ok cores: 4
problem memory: 400 MB free of 32.8 GB -> close other programs: less than 512 MB is free
note memory limit: 400 MB by control group (version 2)
ok default budget: 360 MB: 90 % of 400 MB free, control group (version 2) of 400 MB
note accelerator: the system lists no accelerator with a known driver in `/proc/driver/nvidia/gpus`
note power: battery -> plug in before measuring speed: many machines slow down on battery
note heat: moderate, 99 °C -> let the machine cool down before measuring speed
note load: 999.00 over one minute -> other programs are busy: close them before measuring speed
note energy counters: the system lists no energy counter in `/sys/class/powercap` -> costs use the watts of the price card, or those of `--watts`
ok peak memory: can be measured (evalh itself: 2.0 MB)
");
}

#[test]
fn this_machine_can_be_read() {
    let found = inspect();
    assert!(found.memory_total.as_ref().unwrap().get() > 1 << 28);
    assert!(found.memory_available.as_ref().unwrap() <= found.memory_total.as_ref().unwrap());
    assert!(!found.facts().arch.is_empty());
    let (budget, origin) = default_budget().unwrap();
    assert!(budget.get() > 0 && !origin.is_empty());
    assert!(memory_available().unwrap().get() > 0);
    assert!(!hostname().unwrap().is_empty());
    assert!(process_id() > 0);
    assert_eq!(doctor_lines(found).len(), 14);
}

#[test]
fn the_peak_follows_what_is_allocated() {
    const BLOCK: usize = 64 << 20;
    let before = process_memory().unwrap().private;
    let block = vec![1_u8; BLOCK];
    let during = process_memory().unwrap().private;
    let peak = process_peak().unwrap();
    assert!(
        block
            .iter()
            .step_by(4096)
            .map(|b| u64::from(*b))
            .sum::<u64>()
            > 0
    );
    assert!(during.get() + (8 << 20) > before.get() + BLOCK as u64);
    assert!(peak.get() > BLOCK as u64);
    drop(block);
    // Other tests allocate at the same time, so only the direction is checked, and only where the kernel allows a reset.
    if process_peak_reset().is_ok() {
        assert!(process_peak().unwrap() < Bytes(peak.get() + BLOCK as u64));
    }
}

#[test]
fn one_signal_sets_the_flag() {
    use std::sync::atomic::Ordering::SeqCst;
    let flag = interrupts().unwrap();
    assert!(!flag.load(SeqCst));
    assert!(std::sync::Arc::ptr_eq(&flag, &interrupts().unwrap()));
    signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
    assert!(flag.load(SeqCst));
    // A second one would end this process: put it back for whoever raises next.
    flag.store(false, SeqCst);
}

#[test]
fn tiers_follow_the_best_feature() {
    for (flags, tier) in [
        ("", "plain"),
        ("avx fma", "plain"),
        ("avx2 fma", "avx2"),
        ("avx2 avx512f", "avx2"),
        ("avx2 avx512f avx512bw", "avx512"),
        ("asimd i8mm", "neon"),
    ] {
        let flags: Vec<_> = flags.split_whitespace().map(str::to_owned).collect();
        assert_eq!(simd_tier(&simd::interesting(&flags)), tier);
    }
}
