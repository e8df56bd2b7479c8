//! Facts about this machine, and probes of memory, energy, heat and interruption.
//!
//! Out: [`Machine`] with everything that could be read and, for the rest, why not; [`HostFacts`](crate::record::HostFacts) for a run's
//! record; the default memory budget; the memory this process has used; a flag that Ctrl-C sets; what a worker process needs of the system.
//! Knows nothing of models, suites, storage or the terminal.
//!
//! Invariants: what could not be read is an error with its reason, never zero and never a guess; a limit counts only when it is lower than
//! the memory there is; every reader of Linux's files takes the root folder, so that it is tested on made-up machines.
//!
//! Sources: Linux `Documentation/filesystems/proc.rst`, `admin-guide/cgroup-v1/memory.rst`, `admin-guide/cgroup-v2.rst`, `power/powercap`;
//! macOS `sysctl(3)`, `notify(3)` (`OSThermalNotification.h`), `proc_pid_rusage` (`sys/resource.h`).

mod budget;
#[cfg(not(target_os = "macos"))]
mod cgroup;
mod doctor;
mod error;
#[cfg(not(target_os = "macos"))]
mod file;
mod interrupt;
#[cfg(not(target_os = "macos"))]
mod linux;
mod machine;
#[cfg(target_os = "macos")]
mod macos;
mod process;
mod simd;
mod terminal;
#[cfg(test)]
mod tests;
mod worker;

pub use budget::{default_budget, memory_available};
pub use doctor::{DoctorLine, DoctorStatus, doctor_json, doctor_lines, doctor_text};
pub use error::{HostError, Probe};
pub use interrupt::interrupts;
pub use machine::{Machine, MemoryLimit, PowerSource, Thermal, ThermalLevel, facts, inspect};
pub use process::{
    ProcessMemory, hostname, process_id, process_memory, process_peak, process_peak_reset,
    release_memory,
};
pub use simd::simd_tier;
pub use terminal::terminal_width;
pub use worker::{
    MemoryOf, become_worker, end_process, memory_of, oom_kills, own_program, take_pipes,
};
