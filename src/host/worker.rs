//! What a worker process needs of the system, and what its parent asks about it.

#[cfg(target_os = "macos")]
use super::macos;
use super::{HostError, Probe};
use crate::units::Bytes;
use std::fs::File;
use std::path::PathBuf;

/// Memory of a process, mapped files included where the system counts them: resident pages on Linux, the footprint on macOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryOf {
    /// Now.
    pub now: Bytes,
    /// Most since it began.
    pub peak: Bytes,
}

/// Memory of the process with this id.
///
/// # Errors
/// When the system does not say, because the process is gone for example.
pub fn memory_of(pid: u32) -> Probe<MemoryOf> {
    system::memory_of(pid)
}

/// How many processes the system has ended for want of memory since it began.
///
/// # Errors
/// When the system does not count them.
pub fn oom_kills() -> Probe<u64> {
    system::oom_kills()
}

/// This very program, for starting it again: also when its file was replaced meanwhile.
///
/// # Errors
/// When the system does not say.
pub fn own_program() -> Probe<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if cfg!(target_os = "linux") && link.exists() {
        return Ok(link);
    }
    std::env::current_exe().map_err(|source| HostError::Call {
        call: "current_exe",
        source,
    })
}

/// Readies this process to be a worker: it leaves no core file, which would hold prompts, and on Linux it is ended with its parent (more exactly,
/// with the thread that started it, so a worker is started where it is used).
///
/// # Errors
/// When the system refuses.
pub fn become_worker() -> Probe<()> {
    system::become_worker()
}

/// Takes standard input and output for messages. What anything else reads or prints from now on reads nothing and goes to standard error.
///
/// # Errors
/// When the system refuses.
pub fn take_pipes() -> Probe<(File, File)> {
    system::take_pipes()
}

/// Ends this process at once, whatever its threads do and without anything run at its end.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "the standard library's exit runs handlers, which may wait for a thread that computes"
)]
pub fn end_process(code: i32) -> ! {
    // SAFETY: `_exit` takes an integer, touches no memory of this process and does not return.
    unsafe { libc::_exit(code) }
}

/// Ends this process at once.
#[cfg(not(unix))]
#[expect(clippy::exit, reason = "this is the owner of the end of the process")]
pub fn end_process(code: i32) -> ! {
    std::process::exit(code)
}

#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "descriptors and limits have no safe interface in the standard library"
)]
mod unix {
    use super::{File, HostError, Probe};
    use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

    pub(super) fn failed(call: &'static str) -> HostError {
        HostError::Call {
            call,
            source: std::io::Error::last_os_error(),
        }
    }

    pub(super) fn no_core_file() -> Probe<()> {
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the call reads one `rlimit`, and `none` is one.
        match unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) } {
            0 => Ok(()),
            _ => Err(failed("setrlimit")),
        }
    }

    pub(super) fn take_pipes() -> Probe<(File, File)> {
        let nothing = File::open("/dev/null").map_err(|source| HostError::Read {
            path: "/dev/null".into(),
            source,
        })?;
        let input = copy(libc::STDIN_FILENO)?;
        let output = copy(libc::STDOUT_FILENO)?;
        put(nothing.as_raw_fd(), libc::STDIN_FILENO)?;
        put(libc::STDERR_FILENO, libc::STDOUT_FILENO)?;
        Ok((input, output))
    }

    /// A second descriptor of an open file, closed in programs that this one starts.
    fn copy(descriptor: i32) -> Probe<File> {
        // SAFETY: the call takes integers and touches no memory.
        let copied = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3) };
        if copied < 0 {
            return Err(failed("fcntl"));
        }
        // SAFETY: the descriptor was made just now and belongs to nobody else.
        Ok(File::from(unsafe { OwnedFd::from_raw_fd(copied) }))
    }

    /// Makes `to` another descriptor of what `from` is.
    fn put(from: i32, to: i32) -> Probe<()> {
        // SAFETY: the call takes integers and touches no memory; both are standard streams or owned by the caller.
        match unsafe { libc::dup2(from, to) } {
            -1 => Err(failed("dup2")),
            _ => Ok(()),
        }
    }
}

#[cfg(not(target_os = "macos"))]
mod system {
    #[cfg(target_os = "linux")]
    use super::unix::failed;
    #[cfg(unix)]
    use super::unix::no_core_file;
    #[cfg(not(unix))]
    use super::{File, HostError};
    use super::{MemoryOf, Probe};
    use crate::host::linux;
    use std::path::{Path, PathBuf};

    pub(super) fn memory_of(pid: u32) -> Probe<MemoryOf> {
        memory_at(&PathBuf::from(format!("/proc/{pid}/status")))
    }

    pub(super) fn memory_at(path: &Path) -> Probe<MemoryOf> {
        let (now, peak) = linux::kilobytes_of_two(path, "VmRSS", "VmHWM")?;
        Ok(MemoryOf { now, peak })
    }

    pub(super) fn oom_kills() -> Probe<u64> {
        linux::counter(Path::new("/proc/vmstat"), "oom_kill")
    }

    #[cfg(target_os = "linux")]
    #[expect(
        unsafe_code,
        reason = "prctl has no safe interface in the standard library"
    )]
    pub(super) fn become_worker() -> Probe<()> {
        no_core_file()?;
        // SAFETY: both options take one integer and touch no memory. A process that cannot be dumped is not handed to a core handler either,
        // which the limit on core files does not keep from it.
        let status = unsafe {
            let ended = libc::prctl(
                libc::PR_SET_PDEATHSIG,
                libc::SIGKILL as libc::c_ulong,
                0,
                0,
                0,
            );
            ended | libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0)
        };
        if status == 0 {
            Ok(())
        } else {
            Err(failed("prctl"))
        }
    }

    #[cfg(all(unix, not(target_os = "linux")))]
    pub(super) fn become_worker() -> Probe<()> {
        no_core_file()
    }

    #[cfg(not(unix))]
    pub(super) fn become_worker() -> Probe<()> {
        Ok(())
    }

    #[cfg(unix)]
    pub(super) use super::unix::take_pipes;

    #[cfg(not(unix))]
    pub(super) fn take_pipes() -> Probe<(File, File)> {
        Err(HostError::System {
            what: "pipes of a worker",
            system: "this system",
        })
    }
}

#[cfg(target_os = "macos")]
mod system {
    use super::unix::no_core_file;
    use super::{HostError, MemoryOf, Probe, macos};

    pub(super) use super::unix::take_pipes;

    pub(super) fn memory_of(pid: u32) -> Probe<MemoryOf> {
        let (now, peak) = macos::footprint_of(pid)?;
        Ok(MemoryOf { now, peak })
    }

    pub(super) fn oom_kills() -> Probe<u64> {
        Err(HostError::System {
            what: "number of processes ended for want of memory",
            system: "macOS",
        })
    }

    /// A worker whose parent is gone sees the end of its input.
    pub(super) fn become_worker() -> Probe<()> {
        no_core_file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_a_program() {
        let memory = memory_of(std::process::id()).unwrap();
        assert!(memory.now.get() > 1 << 20 && memory.peak >= memory.now);
        assert!(own_program().unwrap().exists());
        // No process has the largest id.
        memory_of(u32::MAX).unwrap_err();
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn a_status_without_memory_is_no_zero() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status");
        std::fs::write(
            &path,
            "Name:\tevalh\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n",
        )
        .unwrap();
        assert_eq!(
            system::memory_at(&path).unwrap(),
            MemoryOf {
                now: Bytes(1 << 20),
                peak: Bytes(2 << 20)
            }
        );
        // A process that has ended and was not waited for.
        std::fs::write(&path, "Name:\tevalh\nState:\tZ (zombie)\n").unwrap();
        assert_eq!(
            system::memory_at(&path).unwrap_err().to_string(),
            format!("`{}` has no usable `VmRSS`", path.display())
        );
    }
}
