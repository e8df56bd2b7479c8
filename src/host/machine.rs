//! Everything known about this machine at one moment.

#[cfg(not(target_os = "macos"))]
use super::linux;
#[cfg(target_os = "macos")]
use super::macos;
use super::simd::interesting;
use super::{HostError, Probe};
use crate::record::HostFacts;
use crate::units::Bytes;
use std::path::Path;

/// A limit on the memory of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The limit.
    pub bytes: Bytes,
    /// What of it is not in use; `None` when the system does not say.
    pub available: Option<Bytes>,
    /// Who sets it.
    pub origin: String,
}

/// Where the current comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerSource {
    /// The battery.
    Battery,
    /// A socket.
    Mains,
}

impl PowerSource {
    /// The name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Battery => "battery",
            Self::Mains => "mains",
        }
    }
}

/// How much the machine slows itself down because of heat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThermalLevel {
    /// Not at all.
    Nominal,
    /// Somewhat.
    Moderate,
    /// Much.
    Heavy,
    /// As much as it can.
    Critical,
}

impl ThermalLevel {
    /// The name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nominal => "nominal",
            Self::Moderate => "moderate",
            Self::Heavy => "heavy",
            Self::Critical => "critical",
        }
    }
}

/// Heat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thermal {
    /// The level; `None` when there are temperatures without limits to hold them against.
    pub level: Option<ThermalLevel>,
    /// The hottest sensor, thousandths of a degree Celsius.
    pub hottest_millicelsius: Option<i64>,
}

/// What could be read of this machine, and for the rest why not.
#[derive(Debug)]
pub struct Machine {
    /// Operating system and version.
    pub os: Probe<String>,
    /// CPU architecture.
    pub arch: &'static str,
    /// CPU or system-on-chip model.
    pub cpu: Probe<String>,
    /// Features of the CPU that matter to arithmetic.
    pub cpu_features: Probe<Vec<String>>,
    /// Cores this process may use.
    pub cores: Probe<u32>,
    /// Installed memory.
    pub memory_total: Probe<Bytes>,
    /// Memory that can be had now without swapping, limits included.
    pub memory_available: Probe<Bytes>,
    /// Limits, the tightest first.
    pub memory_limits: Probe<Vec<MemoryLimit>>,
    /// Accelerator.
    pub gpu: Probe<String>,
    /// Source of power.
    pub power: Probe<PowerSource>,
    /// Heat.
    pub thermal: Probe<Thermal>,
    /// Load average over one minute.
    pub load_average: Probe<f64>,
    /// Energy counters that can be read.
    pub energy: Probe<Vec<String>>,
    /// Peak memory of this process so far.
    pub process_peak: Probe<Bytes>,
}

/// Reads this machine now.
pub fn inspect() -> Machine {
    inspect_at(Path::new("/"))
}

fn cores() -> Probe<u32> {
    let cores = std::thread::available_parallelism().map_err(|source| HostError::Call {
        call: "available_parallelism",
        source,
    })?;
    Ok(u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

#[cfg(not(target_os = "macos"))]
pub(super) fn inspect_at(root: &Path) -> Machine {
    Machine {
        os: linux::os(root),
        arch: std::env::consts::ARCH,
        cpu: linux::cpu(root),
        cpu_features: linux::cpu_flags(root).map(|flags| interesting(&flags)),
        cores: cores(),
        memory_total: linux::memory_total(root),
        memory_available: super::budget::available_at(root),
        memory_limits: linux::memory_limits(root),
        gpu: linux::gpu(root),
        power: linux::power_source(root),
        thermal: linux::thermal(root),
        load_average: linux::load_average(root),
        energy: linux::energy_counters(root),
        process_peak: super::process::peak_at(root),
    }
}

#[cfg(target_os = "macos")]
pub(super) fn inspect_at(_root: &Path) -> Machine {
    let cpu = macos::text(c"machdep.cpu.brand_string");
    // On Apple's own chips the GPU is part of the one named by the brand string.
    let gpu = match (&cpu, std::env::consts::ARCH) {
        (Ok(name), "aarch64") => Ok(format!("{name} GPU")),
        _ => Err(HostError::System {
            what: "accelerator",
            system: "macOS on Intel",
        }),
    };
    Machine {
        os: macos::os(),
        arch: std::env::consts::ARCH,
        cpu,
        cpu_features: Ok(interesting(&macos::cpu_flags())),
        cores: cores(),
        memory_total: macos::memory_total(),
        memory_available: macos::memory_available(),
        memory_limits: Ok(Vec::new()),
        gpu,
        power: macos::power_source(),
        thermal: macos::thermal(),
        load_average: macos::load_average(),
        energy: Err(HostError::System {
            what: "energy counter",
            system: "macOS without root",
        }),
        process_peak: super::process_peak(),
    }
}

impl Machine {
    /// The tightest limit that is lower than the installed memory.
    pub fn effective_limit(&self) -> Option<&MemoryLimit> {
        let tightest = self.memory_limits.as_ref().ok()?.first()?;
        let total = self.memory_total.as_ref().ok();
        total
            .is_none_or(|total| tightest.bytes < *total)
            .then_some(tightest)
    }

    /// As kept with a run.
    pub fn facts(&self) -> HostFacts {
        let power = self.power.as_ref().ok().map(|p| p.as_str().to_owned());
        let level = self.thermal.as_ref().ok().and_then(|t| t.level);
        HostFacts {
            os: self.os.as_ref().ok().cloned(),
            arch: self.arch.to_owned(),
            cpu: self.cpu.as_ref().ok().cloned(),
            cores: self.cores.as_ref().ok().copied(),
            memory_total: self.memory_total.as_ref().ok().copied(),
            memory_limit: self.effective_limit().map(|limit| limit.bytes),
            gpu: self.gpu.as_ref().ok().cloned(),
            power_source: power,
            thermal: level.map(|l| l.as_str().to_owned()),
            load_average: self.load_average.as_ref().ok().copied(),
        }
    }
}

/// Facts about this machine, as kept with a run.
pub fn facts() -> HostFacts {
    inspect().facts()
}
