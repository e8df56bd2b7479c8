//! An engine in a child process: `evalh worker` hosts one model, the parent talks to it over two pipes.
//!
//! In: a [`LoadSpec`] and how the program is started. Out: [`WorkerEngine`], an [`Engine`](super::Engine) whose work happens elsewhere, and
//! [`serve()`], the child's side. `wire` turns values into bytes, `frame` puts a length in front, `message` lists what is said, `check` holds
//! answers against their requests, `process` starts, watches, ends and waits for the child, `error` says how it died.
//!
//! It does not know which model is loaded, nor why; probes of memory and of the system are handed in as functions.
//!
//! Invariants: nothing the child sends is used before it is checked, and no allocation follows from a length that it merely states; a child
//! that dies, hangs, holds too much memory or breaks the protocol becomes one [`WorkerDeath`]; every child is waited for; a child whose
//! parent is gone ends by itself; times, ids and log-probabilities arrive bit for bit as the engine in the child reported them; the child
//! begins the next request only after the parent has kept the result of the last.
//!
//! The protocol is described in `docs/formats.md`.

mod check;
mod client;
mod error;
mod frame;
mod message;
mod process;
mod serve;
mod wire;

#[cfg(test)]
mod tests;

pub use client::WorkerEngine;
pub use error::{Violation, WireError, WorkerDeath};
pub use message::{LoadSpec, PROTOCOL_VERSION};
pub use process::{MemoryUse, WorkerCommand, WorkerLimits, WorkerProbes};
pub use serve::{WorkerHooks, serve};
