//! Readers of Linux's `/proc`, `/sys` and `/etc`, each below a root folder.

use super::file::{names, read};
use super::{HostError, MemoryLimit, PowerSource, Probe, Thermal, ThermalLevel};
use crate::units::Bytes;
use std::path::{Path, PathBuf};

fn field(path: &Path, field: &'static str) -> HostError {
    HostError::Field {
        path: path.to_owned(),
        field,
    }
}

/// `key: value` or `key=value` lines: the first value of `key`.
fn value<'t>(text: &'t str, key: &str, separator: char) -> Option<&'t str> {
    text.lines()
        .filter_map(|line| line.split_once(separator))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

/// Distribution and kernel.
pub(super) fn os(root: &Path) -> Probe<String> {
    let kernel = read(&root.join("proc/sys/kernel/osrelease"))?;
    let kernel = format!("Linux {}", kernel.trim());
    let release = read(&root.join("etc/os-release")).unwrap_or_default();
    Ok(match value(&release, "PRETTY_NAME", '=') {
        Some(name) => format!("{}, {kernel}", name.trim_matches('"')),
        None => kernel,
    })
}

/// Name of the processor: x86 kernels print it; on others the board's name stands in.
pub(super) fn cpu(root: &Path) -> Probe<String> {
    let path = root.join("proc/cpuinfo");
    let text = read(&path)?;
    let named = ["model name", "Model", "Hardware", "cpu model"]
        .into_iter()
        .find_map(|key| value(&text, key, ':'))
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    let board = || read(&root.join("proc/device-tree/model")).ok();
    named
        .or_else(board)
        .map(|name| name.trim_end_matches(['\0', '\n']).to_owned())
        .ok_or_else(|| field(&path, "model name"))
}

/// Feature flags of the processor.
pub(super) fn cpu_flags(root: &Path) -> Probe<Vec<String>> {
    let path = root.join("proc/cpuinfo");
    let text = read(&path)?;
    let flags = value(&text, "flags", ':').or_else(|| value(&text, "Features", ':'));
    let flags = flags.ok_or_else(|| field(&path, "flags"))?;
    Ok(flags.split_whitespace().map(str::to_owned).collect())
}

/// A line of a file in kB (`MemTotal`, `VmHWM`).
pub(super) fn kilobytes(path: &Path, key: &'static str) -> Probe<Bytes> {
    kilobytes_in(&read(path)?, path, key)
}

/// Two such lines, of one reading.
pub(super) fn kilobytes_of_two(
    path: &Path,
    first: &'static str,
    second: &'static str,
) -> Probe<(Bytes, Bytes)> {
    let text = read(path)?;
    Ok((
        kilobytes_in(&text, path, first)?,
        kilobytes_in(&text, path, second)?,
    ))
}

fn kilobytes_in(text: &str, path: &Path, key: &'static str) -> Probe<Bytes> {
    value(text, key, ':')
        .and_then(|v| v.strip_suffix("kB"))
        .and_then(|v| v.trim().parse::<u64>().ok())
        .and_then(|kb| kb.checked_mul(1024))
        .map(Bytes)
        .ok_or_else(|| field(path, key))
}

/// A line `key number`.
pub(super) fn counter(path: &Path, key: &'static str) -> Probe<u64> {
    let text = read(path)?;
    value(&text, key, ' ')
        .and_then(|v| v.parse().ok())
        .ok_or_else(|| field(path, key))
}

/// Installed memory.
pub(super) fn memory_total(root: &Path) -> Probe<Bytes> {
    kilobytes(&root.join("proc/meminfo"), "MemTotal")
}

/// Memory that can be had without swapping.
pub(super) fn memory_available(root: &Path) -> Probe<Bytes> {
    kilobytes(&root.join("proc/meminfo"), "MemAvailable")
}

/// Limits of control groups and of the process' address space, the tightest first.
pub(super) fn memory_limits(root: &Path) -> Probe<Vec<MemoryLimit>> {
    let mut all = super::cgroup::limits(root)?;
    all.extend(address_space(root));
    all.sort_by_key(|limit| limit.bytes);
    Ok(all)
}

fn address_space(root: &Path) -> Option<MemoryLimit> {
    let text = read(&root.join("proc/self/limits")).ok()?;
    let line = text.lines().find(|l| l.starts_with("Max address space"))?;
    let soft = line["Max address space".len()..]
        .split_whitespace()
        .next()?;
    let bytes = soft.parse().ok()?;
    Some(MemoryLimit {
        bytes: Bytes(bytes),
        available: None,
        origin: "address space limit of the process".to_owned(),
    })
}

/// Load average over one minute.
pub(super) fn load_average(root: &Path) -> Probe<f64> {
    let path = root.join("proc/loadavg");
    read(&path)?
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok())
        .ok_or_else(|| field(&path, "load average"))
}

/// NVIDIA's driver lists its devices; other drivers have no common place for a name.
pub(super) fn gpu(root: &Path) -> Probe<String> {
    let folder = root.join("proc/driver/nvidia/gpus");
    let cards: Vec<_> = names(&folder)
        .into_iter()
        .filter_map(|card| read(&folder.join(card).join("information")).ok())
        .filter_map(|text| value(&text, "Model", ':').map(str::to_owned))
        .collect();
    match (cards.first(), cards.len()) {
        (None, _) => Err(HostError::NoneListed {
            what: "accelerator with a known driver",
            path: folder,
        }),
        (Some(name), 1) => Ok(name.clone()),
        (Some(name), n) => Ok(format!("{n} x {name}")),
    }
}

/// Whether the machine runs on its battery. Batteries of mice and keyboards do not count.
pub(super) fn power_source(root: &Path) -> Probe<PowerSource> {
    let folder = root.join("sys/class/power_supply");
    let attribute = |supply: &str, name: &str| {
        let text = read(&folder.join(supply).join(name)).unwrap_or_default();
        text.trim().to_owned()
    };
    let mut battery = None;
    for supply in names(&folder) {
        if attribute(&supply, "scope") == "Device" {
            continue;
        }
        match attribute(&supply, "type").as_str() {
            "Mains" | "USB" if attribute(&supply, "online") == "1" => {
                return Ok(PowerSource::Mains);
            }
            "Battery" => match attribute(&supply, "status").as_str() {
                "Discharging" => battery = Some(PowerSource::Battery),
                "Charging" | "Full" | "Not charging" => return Ok(PowerSource::Mains),
                _ => {}
            },
            _ => {}
        }
    }
    battery.ok_or(HostError::NoneListed {
        what: "power supply",
        path: folder,
    })
}

/// The hottest thermal zone, and how it stands to its own trip points.
pub(super) fn thermal(root: &Path) -> Probe<Thermal> {
    let folder = root.join("sys/class/thermal");
    let zones = names(&folder).into_iter();
    let read_all: Vec<_> = zones
        .filter(|name| name.starts_with("thermal_zone"))
        .filter_map(|name| zone(&folder.join(name)))
        .collect();
    let hottest = read_all.iter().map(|(temperature, _)| *temperature).max();
    let level = read_all.iter().filter_map(|(_, level)| *level).max();
    match hottest {
        None => Err(HostError::NoneListed {
            what: "thermal zone",
            path: folder,
        }),
        Some(temperature) => Ok(Thermal {
            level,
            hottest_millicelsius: Some(temperature),
        }),
    }
}

fn zone(folder: &Path) -> Option<(i64, Option<ThermalLevel>)> {
    let number = |name: &str| -> Option<i64> { read(&folder.join(name)).ok()?.trim().parse().ok() };
    let temperature = number("temp")?;
    let mut level = None;
    for name in names(folder) {
        let Some(trip) = name
            .strip_prefix("trip_point_")
            .and_then(|n| n.strip_suffix("_type"))
        else {
            continue;
        };
        let kind = read(&folder.join(&name)).unwrap_or_default();
        let reached_level = match kind.trim() {
            "passive" | "active" => ThermalLevel::Moderate,
            "hot" | "critical" => ThermalLevel::Heavy,
            _ => continue,
        };
        // A trip point at or below zero is switched off.
        let Some(at) = number(&format!("trip_point_{trip}_temp")).filter(|t| *t > 0) else {
            continue;
        };
        let found = if temperature >= at {
            reached_level
        } else {
            ThermalLevel::Nominal
        };
        level = level.max(Some(found));
    }
    Some((temperature, level))
}

/// Energy counters of the processor that can be read now.
pub(super) fn energy_counters(root: &Path) -> Probe<Vec<String>> {
    let folder = root.join("sys/class/powercap");
    let mut found = Vec::new();
    for domain in names(&folder) {
        // Subdomains (`intel-rapl:0:1`) are parts of their package and would be counted twice.
        if domain.matches(':').count() != 1 {
            continue;
        }
        let path: PathBuf = folder.join(&domain);
        read(&path.join("energy_uj"))?;
        let name = read(&path.join("name")).unwrap_or(domain);
        found.push(name.trim().to_owned());
    }
    if found.is_empty() {
        return Err(HostError::NoneListed {
            what: "energy counter",
            path: folder,
        });
    }
    Ok(found)
}

/// Name of the machine in the network.
pub(super) fn hostname(root: &Path) -> Probe<String> {
    let path = root.join("proc/sys/kernel/hostname");
    let name = read(&path)?.trim().to_owned();
    if name.is_empty() {
        return Err(field(&path, "name"));
    }
    Ok(name)
}
