//! Progress as plain lines, for pipes, files and continuous integration.

use super::lines::{clock, count, ending, headline, looked, score, speed};
use super::view::{ModelView, RunView, Stage};
use crate::record::{RunEvent, RunEventKind};
use std::time::Duration;

/// A line after this share of a model's samples, in percent.
const STEP_PERCENT: u64 = 10;

/// A line after this time at the latest, when samples finish.
const STEP_TIME: Duration = Duration::from_secs(15);

/// Turns events into lines. A pure function of the events so far: no clock is read.
#[derive(Debug, Clone, Default)]
pub struct PlainProgress {
    view: RunView,
    told_percent: u64,
    told_at: Duration,
}

impl PlainProgress {
    /// The text an event is worth, without a line feed at its end: at the start and end of a run and of each model, and in between about
    /// every 10 % or 15 s.
    pub fn render(&mut self, event: &RunEvent) -> Option<String> {
        let model = self.view.apply(event);
        match &event.kind {
            RunEventKind::RunStarted { .. } | RunEventKind::RunResumed { .. } => {
                Some(headline(&self.view).join("\n"))
            }
            RunEventKind::RunFinished { .. } => ending(&self.view),
            RunEventKind::LookTaken { look } => Some(looked(look)),
            RunEventKind::SampleFinished { .. } => self.step(model?),
            RunEventKind::ModelLoadStarted { .. } => {
                let model = model?;
                self.told(model);
                Some(self.line(model, &loading(&self.view.models[model])))
            }
            RunEventKind::ModelLoaded { .. } => {
                let model = model?;
                let text = loaded(&self.view.models[model])?;
                Some(self.line(model, &text))
            }
            RunEventKind::ModelSkipped { .. } => {
                let model = model?;
                let Stage::Skipped(reason) = &self.view.models[model].stage else {
                    return None;
                };
                let text = format!("skipped: {reason}");
                Some(self.line(model, &text))
            }
            RunEventKind::BreakerOpened { .. } => {
                let model = model?;
                let reason = self.view.models[model].breaker.clone()?;
                Some(self.line(model, &format!("stopped: {reason}")))
            }
            RunEventKind::ModelUnloaded { complete, .. } => {
                let model = model?;
                let word = match complete {
                    true => "done",
                    false if self.view.models[model].stage == Stage::Waiting => "so far",
                    false => "not complete",
                };
                Some(self.line(model, &format!("{word}: {}", self.standing(model))))
            }
            RunEventKind::WarmupFinished { .. } | RunEventKind::SampleStarted { .. } => None,
        }
    }

    /// A line when enough samples or enough time went by; never for the last one, which the end of the model tells.
    fn step(&mut self, at: usize) -> Option<String> {
        let model = &self.view.models[at];
        let due = percent(model) >= self.told_percent + STEP_PERCENT
            || self.view.now.saturating_sub(self.told_at) >= STEP_TIME;
        if !due || model.recorded >= model.planned {
            return None;
        }
        self.told(at);
        Some(self.line(at, &self.standing(at)))
    }

    fn told(&mut self, at: usize) {
        self.told_percent = percent(&self.view.models[at]) / STEP_PERCENT * STEP_PERCENT;
        self.told_at = self.view.now;
    }

    fn line(&self, at: usize, text: &str) -> String {
        let models = &self.view.models;
        format!("[{}/{}] {}: {text}", at + 1, models.len(), models[at].name)
    }

    fn standing(&self, at: usize) -> String {
        let (model, now) = (&self.view.models[at], self.view.now);
        let mut parts = vec![format!("{}/{} samples", model.recorded, model.planned)];
        parts.extend((model.failed > 0).then(|| format!("{} failed", model.failed)));
        parts.extend(score(model));
        parts.extend(model.decode_tps().map(speed));
        parts.extend(model.peak.map(|peak| format!("peak {peak}")));
        parts.extend(model.elapsed(now).map(clock));
        let left = model.left(now).filter(|_| !self.view.in_rounds);
        parts.extend(left.map(|left| format!("about {} left", clock(left))));
        parts.join(", ")
    }
}

fn percent(model: &ModelView) -> u64 {
    (model.recorded * 100)
        .checked_div(model.planned)
        .unwrap_or(100)
}

fn loading(model: &ModelView) -> String {
    match &model.need {
        Some(need) => format!("loading, needs about {}", need.total()),
        None => "loading".to_owned(),
    }
}

fn loaded(model: &ModelView) -> Option<String> {
    let loaded = model.loaded.as_ref()?;
    let checked = loaded.check.as_ref().map_or_else(String::new, |check| {
        format!(
            ", checked in {:.1} s (logits differ by at most {:.1e} of {:.1e} allowed)",
            check.took.as_secs_f64(),
            check.logit_diff,
            check.limit(),
        )
    });
    Some(format!(
        "loaded in {:.1} s on {} ({}, {}, {}){checked}",
        loaded.load.as_secs_f64(),
        loaded.device,
        loaded.simd,
        loaded.dtype,
        count(u64::from(loaded.threads), "thread", "threads"),
    ))
}
