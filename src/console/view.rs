//! What is known about a run while it goes on, from its events alone.

use super::escape::escape_line;
use crate::record::{
    Digest, LoadedModel, MemoryEstimate, PlannedModelRecord, RunCounts, RunEvent, RunEventKind,
    RunHeader, RunStatus, SampleRecord, SkipReason,
};
use crate::stats::mean;
use crate::units::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

/// Level of the interval of a score, as in reports.
const SCORE_LEVEL: f64 = 0.95;

/// Where a model stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    Loading,
    Running,
    Done,
    /// Unloaded before all its samples had a record.
    Stopped,
    Skipped(String),
}

/// One model of the run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ModelView {
    pub(super) id: Digest,
    pub(super) name: String,
    pub(super) need: Option<MemoryEstimate>,
    pub(super) planned: u64,
    /// Samples with a record, earlier sessions included.
    pub(super) recorded: u64,
    /// Samples recorded in this session; the pace is theirs alone.
    pub(super) recorded_now: u64,
    pub(super) failed: u64,
    /// Sum and number of scores by prompt: the prompt is the unit, its repetitions are not.
    scores: BTreeMap<Digest, (f64, u32)>,
    decode: (u64, Duration),
    pub(super) stage: Stage,
    pub(super) loaded: Option<LoadedModel>,
    pub(super) breaker: Option<String>,
    pub(super) peak: Option<Bytes>,
    pub(super) sample: Option<String>,
    started: Option<Duration>,
    pace_from: Option<Duration>,
    ended: Option<Duration>,
}

impl ModelView {
    fn new(planned: &PlannedModelRecord, samples: u64) -> Self {
        Self {
            id: planned.id.clone(),
            name: escape_line(&planned.name),
            need: planned.estimate,
            planned: samples,
            recorded: 0,
            recorded_now: 0,
            failed: 0,
            scores: BTreeMap::new(),
            decode: (0, Duration::ZERO),
            stage: Stage::Waiting,
            loaded: None,
            breaker: None,
            peak: None,
            sample: None,
            started: None,
            pace_from: None,
            ended: None,
        }
    }

    /// Mean score, 0 to 10, with its 95 % interval as soon as there is one. `None` while samples of an earlier session are not known here:
    /// the mean of a part is not the model's.
    pub(super) fn mean_score(&self) -> Option<(f64, Option<(f64, f64)>)> {
        if self.recorded != self.recorded_now {
            return None;
        }
        let means: Vec<f64> = self
            .scores
            .values()
            .map(|(sum, n)| sum / f64::from(*n))
            .collect();
        let estimate = mean::mean_t(&means, SCORE_LEVEL).ok()?;
        let interval = estimate.interval.and_then(|i| i.bounds());
        let cut = |(low, high): (f64, f64)| (low.max(0.0), high.min(10.0));
        Some((estimate.point, interval.map(cut)))
    }

    /// Tokens a second after the first one, over all samples of this session.
    pub(super) fn decode_tps(&self) -> Option<f64> {
        let (tokens, time) = self.decode;
        (tokens > 0 && !time.is_zero()).then(|| tokens as f64 / time.as_secs_f64())
    }

    /// Since its loading began, to its end or to now.
    pub(super) fn elapsed(&self, now: Duration) -> Option<Duration> {
        Some(self.ended.unwrap_or(now).saturating_sub(self.started?))
    }

    /// Time the outstanding samples take at the pace so far.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        if self.stage != Stage::Running || self.recorded_now == 0 {
            return None;
        }
        let spent = now.saturating_sub(self.pace_from?).as_secs_f64();
        let outstanding = self.planned.saturating_sub(self.recorded) as f64;
        Duration::try_from_secs_f64(spent / self.recorded_now as f64 * outstanding).ok()
    }

    fn count(&mut self, record: &SampleRecord) {
        self.recorded += 1;
        self.recorded_now += 1;
        self.failed += u64::from(record.failure.is_some());
        if let Some(score) = record.score.score {
            let sums = self.scores.entry(record.content.clone()).or_default();
            *sums = (sums.0 + score, sums.1 + 1);
        }
        let times = record.generation.as_ref().map(|g| &g.timing.token_at);
        if let Some([first, .., last]) = times.map(Vec::as_slice) {
            let gaps = times.map_or(0, Vec::len) as u64 - 1;
            self.decode.0 += gaps;
            self.decode.1 += last.saturating_sub(*first);
        }
    }
}

/// The run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RunView {
    pub(super) header: Option<RunHeader>,
    pub(super) resumed: bool,
    pub(super) models: Vec<ModelView>,
    pub(super) now: Duration,
    /// The models take turns until the comparison is resolved: when it ends is not known.
    pub(super) in_rounds: bool,
    pub(super) end: Option<(RunStatus, RunCounts)>,
}

impl RunView {
    /// Takes an event; gives the position of the model it is about.
    pub(super) fn apply(&mut self, event: &RunEvent) -> Option<usize> {
        self.now = self.now.max(event.elapsed);
        match &event.kind {
            RunEventKind::RunStarted {
                header,
                models,
                samples_per_model,
            } => self.begin(header, models, *samples_per_model, &[]),
            RunEventKind::RunResumed {
                header,
                models,
                samples_per_model,
                done,
            } => {
                self.resumed = true;
                self.begin(header, models, *samples_per_model, done);
            }
            RunEventKind::RunFinished { status, counts } => self.end = Some((*status, *counts)),
            kind => return self.apply_to_model(kind),
        }
        None
    }

    fn begin(
        &mut self,
        header: &RunHeader,
        models: &[PlannedModelRecord],
        samples: u64,
        done: &[(Digest, u64)],
    ) {
        self.header = Some(header.clone());
        self.in_rounds = header.settings.iter().any(|s| s.name == "until-resolved");
        self.models = models.iter().map(|m| ModelView::new(m, samples)).collect();
        for (id, recorded) in done {
            for model in self.models.iter_mut().filter(|m| m.id == *id) {
                model.recorded = *recorded;
                if *recorded >= model.planned {
                    model.stage = Stage::Done;
                }
            }
        }
    }

    fn apply_to_model(&mut self, kind: &RunEventKind) -> Option<usize> {
        let id = match kind {
            RunEventKind::ModelSkipped { model, .. }
            | RunEventKind::ModelLoadStarted { model }
            | RunEventKind::ModelLoaded { model, .. }
            | RunEventKind::WarmupFinished { model, .. }
            | RunEventKind::BreakerOpened { model, .. }
            | RunEventKind::ModelUnloaded { model, .. } => model,
            RunEventKind::SampleStarted { key } => &key.model,
            RunEventKind::SampleFinished { record } => &record.key.model,
            RunEventKind::RunStarted { .. }
            | RunEventKind::RunResumed { .. }
            | RunEventKind::LookTaken { .. }
            | RunEventKind::RunFinished { .. } => return None,
        };
        let at = self.models.iter().position(|m| m.id == *id)?;
        let (model, now) = (&mut self.models[at], self.now);
        // An engine that died is loaded again in the middle of its samples: its time and its pace go on.
        let anew = self.in_rounds || model.recorded_now == 0;
        match kind {
            RunEventKind::ModelSkipped { reason, .. } => {
                model.stage = Stage::Skipped(skip_text(reason));
            }
            RunEventKind::ModelLoadStarted { .. } => {
                model.stage = Stage::Loading;
                model.started = model.started.filter(|_| !anew).or(Some(now));
                model.ended = None;
            }
            RunEventKind::ModelLoaded { loaded, .. } => {
                model.stage = Stage::Running;
                model.loaded = Some(loaded.clone());
                model.pace_from = model.pace_from.filter(|_| !anew).or(Some(now));
            }
            RunEventKind::WarmupFinished { .. } if anew => model.pace_from = Some(now),
            RunEventKind::WarmupFinished { .. } => {}
            RunEventKind::SampleStarted { key } => {
                model.sample = Some(escape_line(&format!("{}/{}", key.task, key.sample)));
            }
            RunEventKind::SampleFinished { record } => model.count(record),
            RunEventKind::BreakerOpened { reason, .. } => {
                model.breaker = Some(escape_line(reason));
            }
            RunEventKind::ModelUnloaded { complete, peak, .. } => {
                model.stage = match complete {
                    true => Stage::Done,
                    // Between two rounds a model only waits for its turn.
                    false if self.in_rounds && model.breaker.is_none() => Stage::Waiting,
                    false => Stage::Stopped,
                };
                // A model that is loaded several times has the highest of its peaks.
                (model.peak, model.sample) = ((*peak).max(model.peak), None);
                model.ended = Some(now);
            }
            RunEventKind::RunStarted { .. }
            | RunEventKind::RunResumed { .. }
            | RunEventKind::LookTaken { .. }
            | RunEventKind::RunFinished { .. } => {}
        }
        Some(at)
    }
}

/// Why a model is not run, in words.
fn skip_text(reason: &SkipReason) -> String {
    match reason {
        SkipReason::OverBudget { estimate, budget } => format!(
            "needs {} but the budget is {budget} (weights {}, cache {}, activations {}, program {})",
            estimate.total(),
            estimate.weights,
            estimate.kv_cache,
            estimate.activations,
            estimate.overhead,
        ),
        SkipReason::Files(why) | SkipReason::Load(why) | SkipReason::Breaker(why) => {
            escape_line(why)
        }
    }
}
