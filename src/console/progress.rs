//! Progress of a run on the console: a live block on a terminal, plain lines elsewhere, nothing when quiet.

use super::lines::{block, ending, headline, looked};
use super::view::RunView;
use super::{Console, PlainProgress};
use crate::record::{EventSink, RunEvent, RunEventKind, SinkError};
use indicatif::{ProgressBar, ProgressStyle};

/// Shows a run. Comes after the store in the chain of listeners, and never fails: a run does not stop because nobody can see it.
pub struct RunProgress {
    console: Console,
    way: Way,
}

enum Way {
    Quiet,
    Plain(PlainProgress),
    Live(Live),
}

impl RunProgress {
    pub(super) fn new(console: Console) -> Self {
        let way = if console.is_quiet() {
            Way::Quiet
        } else if console.is_live() {
            Way::Live(Live::default())
        } else {
            Way::Plain(PlainProgress::default())
        };
        Self { console, way }
    }
}

impl EventSink for RunProgress {
    fn take(&mut self, event: &RunEvent) -> Result<(), SinkError> {
        match &mut self.way {
            Way::Quiet => {}
            Way::Plain(plain) => {
                if let Some(text) = plain.render(event) {
                    self.console.note(&text);
                }
            }
            Way::Live(live) => live.take(event, &self.console),
        }
        Ok(())
    }
}

/// One line a model, redrawn when something happened. There is no timer: a spinner would draw while a token is being measured.
#[derive(Default)]
struct Live {
    view: RunView,
    bars: Vec<ProgressBar>,
}

impl Live {
    fn take(&mut self, event: &RunEvent, console: &Console) {
        self.view.apply(event);
        match &event.kind {
            RunEventKind::RunStarted { .. } | RunEventKind::RunResumed { .. } => {
                console.note(&format!("{}\n", headline(&self.view).join("\n")));
                self.begin(console);
            }
            RunEventKind::RunFinished { .. } => {
                // What was live becomes ordinary text: a block that stays live would be drawn again below everything printed later.
                self.clear();
                let mut lines = block(&self.view, columns(console));
                lines.push(String::new());
                lines.extend(ending(&self.view));
                console.note(&lines.join("\n"));
            }
            RunEventKind::LookTaken { look } => console.note(&looked(look)),
            _ => self.draw(console),
        }
    }

    fn begin(&mut self, console: &Console) {
        let style = ProgressStyle::with_template("{msg}")
            .expect("the template is a constant with one known key");
        self.clear();
        for _ in &self.view.models {
            let bar = console.live().add(ProgressBar::no_length());
            bar.set_style(style.clone());
            self.bars.push(bar);
        }
        self.draw(console);
    }

    fn clear(&mut self) {
        for bar in self.bars.drain(..) {
            bar.finish_and_clear();
        }
    }

    fn draw(&self, console: &Console) {
        let lines = block(&self.view, columns(console));
        for (bar, line) in self.bars.iter().zip(lines) {
            if bar.message() != line {
                bar.set_message(line);
            }
        }
    }
}

impl Drop for Live {
    /// A run that ends by an error leaves no half drawn block behind.
    fn drop(&mut self) {
        self.clear();
    }
}

/// The last column stays free: some terminals wrap a line that fills it.
fn columns(console: &Console) -> usize {
    usize::from(console.columns().saturating_sub(1))
}
