//! Memory of this process, its id and the name of its machine.

#[cfg(target_os = "macos")]
use super::HostError;
use super::Probe;
#[cfg(not(target_os = "macos"))]
use super::linux;
#[cfg(target_os = "macos")]
use super::macos;
use crate::units::Bytes;
use std::path::Path;

/// Memory of this process now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessMemory {
    /// Pages that belong to it alone and cannot be dropped. On macOS the footprint, which also counts what the GPU holds for it.
    pub private: Bytes,
    /// Pages of mapped files that are in memory (weights); the system may drop them. `None` where it is not told apart.
    pub file: Option<Bytes>,
}

/// Peak memory of this process since its start or the last [`process_peak_reset`]: `VmHWM` on Linux (mapped file pages included), the
/// largest footprint on macOS (mapped file pages left out).
///
/// # Errors
/// When the system does not say.
pub fn process_peak() -> Probe<Bytes> {
    peak_at(Path::new("/"))
}

/// Sets the peak to what is in use now, so that the next model is measured alone.
///
/// # Errors
/// When the system cannot do it: always on macOS, where a model's peak is that of the process so far.
pub fn process_peak_reset() -> Probe<()> {
    reset_at(Path::new("/"))
}

/// Gives memory that was freed back to the system. Where the allocator does that by itself this does nothing.
pub fn release_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(
        unsafe_code,
        reason = "a call of the C library without a safe interface"
    )]
    // SAFETY: `malloc_trim` takes no pointers and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Memory of this process now.
///
/// # Errors
/// When the system does not say.
pub fn process_memory() -> Probe<ProcessMemory> {
    memory_at(Path::new("/"))
}

/// Name of this machine in its network.
///
/// # Errors
/// When the system does not say.
pub fn hostname() -> Probe<String> {
    hostname_at(Path::new("/"))
}

/// Id of this process.
pub fn process_id() -> u32 {
    std::process::id()
}

#[cfg(not(target_os = "macos"))]
mod system {
    use super::{Bytes, Path, Probe, ProcessMemory, linux};
    use crate::host::HostError;

    pub(in crate::host) fn peak_at(root: &Path) -> Probe<Bytes> {
        linux::kilobytes(&root.join("proc/self/status"), "VmHWM")
    }

    pub(in crate::host) fn reset_at(root: &Path) -> Probe<()> {
        let path = root.join("proc/self/clear_refs");
        std::fs::write(&path, "5").map_err(|source| HostError::Write { path, source })
    }

    pub(in crate::host) fn memory_at(root: &Path) -> Probe<ProcessMemory> {
        let path = root.join("proc/self/status");
        Ok(ProcessMemory {
            private: linux::kilobytes(&path, "RssAnon")?,
            file: Some(linux::kilobytes(&path, "RssFile")?),
        })
    }

    pub(in crate::host) fn hostname_at(root: &Path) -> Probe<String> {
        linux::hostname(root)
    }
}

#[cfg(target_os = "macos")]
mod system {
    use super::{Bytes, HostError, Path, Probe, ProcessMemory, macos};

    pub(in crate::host) fn peak_at(_root: &Path) -> Probe<Bytes> {
        macos::footprint().map(|(_, peak)| peak)
    }

    pub(in crate::host) fn reset_at(_root: &Path) -> Probe<()> {
        Err(HostError::System {
            what: "peak of a part of the process",
            system: "macOS",
        })
    }

    pub(in crate::host) fn memory_at(_root: &Path) -> Probe<ProcessMemory> {
        let (now, _) = macos::footprint()?;
        Ok(ProcessMemory {
            private: now,
            file: None,
        })
    }

    pub(in crate::host) fn hostname_at(_root: &Path) -> Probe<String> {
        macos::text(c"kern.hostname")
    }
}

pub(super) use system::{hostname_at, memory_at, peak_at, reset_at};
