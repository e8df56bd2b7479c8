//! The two streams.

use super::chain::error_text;
use super::escape::escape_terminal;
use super::{ColorRule, ConsoleError, DownloadProgress, RunProgress, TerminalFacts};
use indicatif::{MultiProgress, ProgressDrawTarget};
use std::error::Error;
use std::io::{self, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// Redraws of the live block a second, at most.
const REDRAWS_HZ: u8 = 10;

type Stream = Box<dyn Write + Send>;

/// Prints to standard output and standard error. Cheap to clone; clones share the streams.
#[derive(Clone)]
pub struct Console {
    shared: Arc<Shared>,
}

struct Shared {
    facts: TerminalFacts,
    colors_output: bool,
    colors_error: bool,
    quiet: bool,
    live: MultiProgress,
    output: Mutex<Output>,
    error: Mutex<Stream>,
}

struct Output {
    stream: Stream,
    /// The reader went away: what is printed from now on is dropped.
    closed: bool,
}

impl Console {
    /// A console on the streams of this process.
    pub fn new(facts: TerminalFacts, color: ColorRule, quiet: bool) -> Self {
        Self::on(
            Box::new(io::stdout()),
            Box::new(io::stderr()),
            facts,
            color,
            quiet,
        )
    }

    /// A console on other streams.
    pub fn on(
        output: Box<dyn Write + Send>,
        error: Box<dyn Write + Send>,
        facts: TerminalFacts,
        color: ColorRule,
        quiet: bool,
    ) -> Self {
        let target = if facts.can_draw() && !quiet {
            ProgressDrawTarget::stderr_with_hz(REDRAWS_HZ)
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            shared: Arc::new(Shared {
                facts,
                colors_output: facts.colors_output(color),
                colors_error: facts.colors_error(color),
                quiet,
                live: MultiProgress::with_draw_target(target),
                output: Mutex::new(Output {
                    stream: output,
                    closed: false,
                }),
                error: Mutex::new(error),
            }),
        }
    }

    /// Columns to lay a report out for.
    pub fn columns(&self) -> u16 {
        self.shared.facts.columns()
    }

    /// Whether results may have colour.
    pub fn colors_output(&self) -> bool {
        self.shared.colors_output
    }

    /// Whether progress and notes are left out.
    pub fn is_quiet(&self) -> bool {
        self.shared.quiet
    }

    /// Whether progress is a live block that is redrawn, instead of lines.
    pub(super) fn is_live(&self) -> bool {
        self.shared.facts.can_draw() && !self.shared.quiet
    }

    pub(super) fn live(&self) -> &MultiProgress {
        &self.shared.live
    }

    /// Prints a result as it is: whoever made it has escaped what came from models and files. A reader that went away is success.
    ///
    /// # Errors
    /// When the stream does not take it for another reason, such as a full disk.
    pub fn print_data(&self, text: &str) -> Result<(), ConsoleError> {
        self.shared.live.suspend(|| {
            let mut output = lock(&self.shared.output);
            if output.closed {
                return Ok(());
            }
            let written = output.stream.write_all(text.as_bytes());
            match written.and_then(|()| output.stream.flush()) {
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                    output.closed = true;
                    Ok(())
                }
                other => other.map_err(|source| ConsoleError::Write {
                    stream: "output",
                    source,
                }),
            }
        })
    }

    /// True when the reader of standard output went away: more data is of no use.
    pub fn output_is_closed(&self) -> bool {
        lock(&self.shared.output).closed
    }

    /// Prints an error with its causes and its hint.
    pub fn error(&self, error: &dyn Error, hint: Option<&str>) {
        self.write_error(&error_text(error, hint, self.shared.colors_error));
    }

    /// Prints something that deserves attention, also when quiet.
    pub fn warning(&self, text: &str) {
        let label = if self.shared.colors_error {
            "\x1b[1;33mwarning:\x1b[0m"
        } else {
            "warning:"
        };
        self.write_error(&format!("{label} {}\n", escape_terminal(text)));
    }

    /// Prints a remark, unless quiet.
    pub fn note(&self, text: &str) {
        if !self.shared.quiet {
            self.write_error(&format!("{}\n", escape_terminal(text)));
        }
    }

    /// Prints above the live block. A standard error that cannot be written to leaves nowhere to say so.
    fn write_error(&self, text: &str) {
        self.shared.live.suspend(|| {
            let mut stream = lock(&self.shared.error);
            let _ = stream
                .write_all(text.as_bytes())
                .and_then(|()| stream.flush());
        });
    }

    /// A listener that shows the progress of a run in the way that fits this console.
    pub fn run_progress(&self) -> RunProgress {
        RunProgress::new(self.clone())
    }

    /// A listener that shows downloads; `cancelled` is set when the user asks to stop.
    pub fn download_progress(&self, cancelled: Option<Arc<AtomicBool>>) -> DownloadProgress {
        DownloadProgress::new(self.clone(), cancelled)
    }
}

/// A panic elsewhere while printing leaves nothing half done that matters here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
