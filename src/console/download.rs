//! Progress of downloads and other long steps on files.

use super::Console;
use super::escape::escape_line;
use super::lines::{bar, clock, fit};
use super::output::lock;
use crate::clock::{Instant, now};
use crate::units::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Columns of the bar.
const BAR_COLUMNS: u64 = 24;

/// A plain line after this share, in percent, or after this time.
const STEP_PERCENT: u64 = 10;
const STEP_TIME: Duration = Duration::from_secs(15);

/// A speed is not told before this much time went by: the first blocks come out of buffers.
const SETTLED: Duration = Duration::from_millis(500);

/// One step: what it is, and how far it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Transfer {
    pub(super) name: String,
    pub(super) total: Option<u64>,
    pub(super) done: u64,
    pub(super) phase: Option<String>,
}

impl Transfer {
    pub(super) fn percent(&self) -> Option<u64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some((u128::from(self.done) * 100 / u128::from(total)).min(100) as u64)
    }

    /// `45.1 MB of 98.4 MB   12.0 MB/s   0:04 left`, what is known of it.
    pub(super) fn figures(&self, elapsed: Duration) -> String {
        let done = Bytes(self.done);
        let mut parts = vec![match self.total {
            Some(total) => format!("{done} of {}", Bytes(total)),
            None => done.to_string(),
        }];
        if elapsed >= SETTLED && self.done > 0 {
            let rate = self.done as f64 / elapsed.as_secs_f64();
            parts.push(format!("{}/s", Bytes(rate as u64)));
            let left = self.total.map(|total| total.saturating_sub(self.done));
            if let Some(left) = left.filter(|left| *left > 0)
                && let Ok(time) = Duration::try_from_secs_f64(left as f64 / rate)
            {
                parts.push(format!("{} left", clock(time)));
            }
        }
        parts.join("   ")
    }

    fn live(&self, elapsed: Duration, columns: usize) -> String {
        let mut line = format!("  {}", self.name);
        if let Some(total) = self.total {
            let _ = write!(line, "   {}", bar(self.done, total, BAR_COLUMNS));
        }
        if self.done > 0 || self.total.is_some() {
            let _ = write!(line, "   {}", self.figures(elapsed));
        }
        if let Some(phase) = &self.phase {
            let _ = write!(line, "   {phase}");
        }
        fit(&line, columns)
    }
}

struct Step {
    transfer: Transfer,
    began: Instant,
    told_percent: u64,
    told_at: Duration,
    bar: Option<ProgressBar>,
}

/// Shows one step after the other. Every method may be called from any thread.
pub struct DownloadProgress {
    console: Console,
    cancelled: Option<Arc<AtomicBool>>,
    step: Mutex<Option<Step>>,
}

impl DownloadProgress {
    pub(super) fn new(console: Console, cancelled: Option<Arc<AtomicBool>>) -> Self {
        Self {
            console,
            cancelled,
            step: Mutex::new(None),
        }
    }

    /// A step begins: its name for people, and its bytes when they are known.
    pub fn begin(&self, name: &str, total: Option<u64>) {
        self.finish();
        let transfer = Transfer {
            name: escape_line(name),
            total,
            done: 0,
            phase: None,
        };
        let bar = self.console.is_live().then(|| self.add_bar());
        if bar.is_none() {
            let size = total.map(|t| format!(", {}", Bytes(t)));
            let text = format!("{}{}", transfer.name, size.unwrap_or_default());
            self.console.note(&text);
        }
        *lock(&self.step) = Some(Step {
            transfer,
            began: now(),
            told_percent: 0,
            told_at: Duration::ZERO,
            bar,
        });
        self.update(|_| {});
    }

    fn add_bar(&self) -> ProgressBar {
        let style = ProgressStyle::with_template("{msg}")
            .expect("the template is a constant with one known key");
        let bar = self.console.live().add(ProgressBar::no_length());
        bar.set_style(style);
        bar
    }

    /// Bytes of the step that are done in addition.
    pub fn advance(&self, bytes: u64) {
        self.update(|transfer| transfer.done = transfer.done.saturating_add(bytes));
    }

    /// What is being done now, in words.
    pub fn phase(&self, text: &str) {
        let text = escape_line(text);
        if !self.console.is_live() {
            let name = lock(&self.step).as_ref().map(|s| s.transfer.name.clone());
            let name = name.map(|n| format!("{n}: ")).unwrap_or_default();
            self.console.note(&format!("{name}{text}"));
        }
        self.update(|transfer| transfer.phase = Some(text));
    }

    /// The step is over, well or not.
    pub fn finish(&self) {
        if let Some(step) = lock(&self.step).take()
            && let Some(bar) = step.bar
        {
            bar.finish_and_clear();
        }
    }

    /// True when the user asked to stop.
    pub fn cancelled(&self) -> bool {
        let flag = self.cancelled.as_ref();
        flag.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    fn update(&self, change: impl FnOnce(&mut Transfer)) {
        let mut guard = lock(&self.step);
        let Some(step) = guard.as_mut() else {
            return;
        };
        change(&mut step.transfer);
        let elapsed = now().saturating_duration_since(step.began);
        if let Some(bar) = &step.bar {
            let columns = usize::from(self.console.columns().saturating_sub(1));
            bar.set_message(step.transfer.live(elapsed, columns));
            return;
        }
        let percent = step.transfer.percent().unwrap_or(0);
        let due = percent >= step.told_percent + STEP_PERCENT
            || elapsed.saturating_sub(step.told_at) >= STEP_TIME;
        if due && step.transfer.done > 0 {
            step.told_percent = percent / STEP_PERCENT * STEP_PERCENT;
            step.told_at = elapsed;
            let (name, figures) = (&step.transfer.name, step.transfer.figures(elapsed));
            self.console.note(&format!("{name}: {figures}"));
        }
    }
}
