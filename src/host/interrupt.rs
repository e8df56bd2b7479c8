//! Ctrl-C and SIGTERM.

use super::{HostError, Probe};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

/// Exit code of a process that was interrupted twice.
const INTERRUPTED: i32 = 130;

/// The flag that the first SIGINT or SIGTERM sets; whoever runs samples looks at it between two and stops. A second signal ends the process
/// at once with 130. Calling this again gives the same flag.
///
/// # Errors
/// When the handlers cannot be installed; then the signals keep their default action.
pub fn interrupts() -> Probe<Arc<AtomicBool>> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(flag) = FLAG.get() {
        return Ok(Arc::clone(flag));
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Handlers run in the order they are registered: the first sees the flag as it was before this signal.
        flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&interrupted))
            .and_then(|_| flag::register(signal, Arc::clone(&interrupted)))
            .map_err(|source| HostError::Call {
                call: "sigaction",
                source,
            })?;
    }
    Ok(Arc::clone(FLAG.get_or_init(|| interrupted)))
}
