//! How much memory evalh may use when nobody says.

use super::{Machine, Probe, machine::inspect_at};
use crate::units::Bytes;
use std::path::Path;

/// Share of the memory that can be had which is used by default; the rest is for whatever else begins while a run goes on.
#[cfg(not(target_os = "macos"))]
const SHARE_PERCENT: u64 = 90;

/// Memory that can be had now without swapping, limits of this process included.
///
/// # Errors
/// When the system does not say.
pub fn memory_available() -> Probe<Bytes> {
    inspect_at(Path::new("/")).memory_available
}

/// The default budget and, in words, where it comes from. On Linux 90 % of what can be had now, on macOS what the GPU may hold.
///
/// # Errors
/// When the memory of this machine cannot be read; then a budget has to be given.
pub fn default_budget() -> Probe<(Bytes, String)> {
    budget_of(super::inspect())
}

#[cfg(not(target_os = "macos"))]
pub(super) fn available_at(root: &Path) -> Probe<Bytes> {
    let mut available = super::linux::memory_available(root)?;
    for limit in super::linux::memory_limits(root)? {
        available = available.min(limit.available.unwrap_or(limit.bytes));
    }
    Ok(available)
}

#[cfg(not(target_os = "macos"))]
pub(super) fn budget_of(machine: Machine) -> Probe<(Bytes, String)> {
    let limit = machine.effective_limit().cloned();
    let available = machine.memory_available?;
    let budget = Bytes(available.get() / 100 * SHARE_PERCENT);
    // Short enough for the first line of a run on 100 columns; the total is in every report's head.
    let within = limit.map_or_else(String::new, |l| format!(", {} of {}", l.origin, l.bytes));
    Ok((
        budget,
        format!("{SHARE_PERCENT} % of {available} free{within}"),
    ))
}

#[cfg(target_os = "macos")]
pub(super) fn budget_of(machine: Machine) -> Probe<(Bytes, String)> {
    let total = machine.memory_total?;
    let wired = super::macos::number(c"iogpu.wired_limit_mb").unwrap_or(0);
    Ok(metal_budget(total, wired))
}

/// What Metal recommends a process to hold: two thirds of the memory, three quarters from 36 GiB on, unless the user set
/// `iogpu.wired_limit_mb` (MiB; 0 is the default).
#[cfg_attr(
    not(any(test, target_os = "macos")),
    expect(dead_code, reason = "used on macOS, tested everywhere")
)]
pub(super) fn metal_budget(total: Bytes, wired_limit_mib: u64) -> (Bytes, String) {
    const LARGE: u64 = 36 << 30;
    if wired_limit_mib > 0 {
        let limit = Bytes(wired_limit_mib.saturating_mul(1 << 20)).min(total);
        return (limit, format!("`iogpu.wired_limit_mb`, of {total}"));
    }
    let (budget, share) = if total.get() < LARGE {
        (total.get() / 3 * 2, "two thirds")
    } else {
        (total.get() / 4 * 3, "three quarters")
    };
    (
        Bytes(budget),
        format!("{share} of {total}, the Metal limit"),
    )
}
