//! The run from its first event to its last.

use super::phase::Ended;
use super::sitting::{Asked, Health, Sitting};
use super::{Control, Job, LoadedHost, ModelLoader, RunOutcome, RunnerError};
use crate::clock::{self, Instant};
use crate::plan::{PlannedItem, PlannedModel};
use crate::record::{
    Digest, EventSink, Message, RunCounts, RunEvent, RunEventKind, RunStatus, SampleKey, SinkError,
};
use crate::suite::{self, Quality, Sample, Task};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// The sink with a clock, and what was recorded.
pub(super) struct Recorder<'r> {
    sink: &'r mut dyn EventSink,
    began: Instant,
    /// Records so far, earlier attempts included; the sequence number of the next.
    pub(super) recorded: u64,
    /// Of those, failures.
    pub(super) failed: u64,
}

impl Recorder<'_> {
    pub(super) fn emit(&mut self, kind: RunEventKind) -> Result<(), SinkError> {
        let elapsed = self.began.elapsed();
        self.sink.take(&RunEvent { elapsed, kind })
    }
}

/// A question with all that is needed to ask it and to score the answer.
pub(super) struct Question<'q> {
    pub(super) item: &'q PlannedItem,
    pub(super) task: &'q Task,
    pub(super) sample: &'q Sample,
    pub(super) messages: Vec<Message>,
}

/// Runs a plan, or what is left of it.
///
/// # Errors
/// When the sink fails, or the suite does not have what the plan asks for. Samples and models that fail are recorded instead.
pub fn run(
    job: Job<'_>,
    loader: &mut dyn ModelLoader,
    sink: &mut dyn EventSink,
    control: &Control,
) -> Result<RunOutcome, RunnerError> {
    let questions = questions(&job)?;
    let (mut recorder, done) = begin(&job, sink)?;
    let mut progress = Progress::default();
    for model in &job.plan.models {
        let outstanding: Vec<&Question<'_>> = questions
            .iter()
            .filter(|q| !done.contains(&q.item.key(&model.record.id)))
            .collect();
        let quality = &job.suite.quality;
        let fate = run_model(model, &outstanding, quality, loader, &mut recorder, control)?;
        progress.add(fate);
        if fate == Fate::Cancelled {
            break;
        }
    }
    let models = job.plan.models.len() as u64 - u64::from(progress.skipped);
    let planned = job.plan.samples_per_model() * models;
    end(&progress, planned, &mut recorder)
}

/// Announces the run; what an interrupted one already has is not asked again.
pub(super) fn begin<'r>(
    job: &Job<'_>,
    sink: &'r mut dyn EventSink,
) -> Result<(Recorder<'r>, BTreeSet<SampleKey>), SinkError> {
    let resume = job.resume.clone().unwrap_or_default();
    let mut recorder = Recorder {
        sink,
        began: clock::now(),
        recorded: resume.done.len() as u64,
        failed: resume.failed,
    };
    let header = Box::new(job.header.clone());
    let models = job.plan.model_records();
    let samples_per_model = job.plan.samples_per_model();
    recorder.emit(if job.resume.is_some() {
        let done = |id: &Digest| resume.done.iter().filter(|k| k.model == *id).count() as u64;
        RunEventKind::RunResumed {
            header,
            done: models.iter().map(|m| (m.id.clone(), done(&m.id))).collect(),
            models,
            samples_per_model,
        }
    } else {
        RunEventKind::RunStarted {
            header,
            models,
            samples_per_model,
        }
    })?;
    Ok((recorder, resume.done))
}

/// Announces how the run ended.
pub(super) fn end(
    progress: &Progress,
    planned: u64,
    recorder: &mut Recorder<'_>,
) -> Result<RunOutcome, RunnerError> {
    let counts = RunCounts {
        planned,
        recorded: recorder.recorded,
        failed: recorder.failed,
        skipped_models: progress.skipped,
    };
    let status = progress.status();
    recorder.emit(RunEventKind::RunFinished { status, counts })?;
    Ok(RunOutcome {
        status,
        counts,
        not_loaded: progress.not_loaded,
    })
}

/// What became of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Complete,
    Skipped,
    NotLoaded,
    Stopped,
    Cancelled,
}

#[derive(Default)]
pub(super) struct Progress {
    complete: u32,
    skipped: u32,
    not_loaded: u32,
    stopped: u32,
    cancelled: bool,
}

impl Progress {
    pub(super) fn add(&mut self, fate: Fate) {
        match fate {
            Fate::Complete => self.complete += 1,
            Fate::Skipped => self.skipped += 1,
            Fate::NotLoaded => {
                self.skipped += 1;
                self.not_loaded += 1;
            }
            Fate::Stopped => self.stopped += 1,
            Fate::Cancelled => self.cancelled = true,
        }
    }

    /// A run in which a model was stopped early, or in which none ran, is no success: the same command tries again.
    fn status(&self) -> RunStatus {
        if self.cancelled {
            RunStatus::Cancelled
        } else if self.stopped > 0 || self.complete == 0 {
            RunStatus::Failed
        } else {
            RunStatus::Success
        }
    }
}

/// Renders every prompt before anything is recorded, so that a broken suite leaves no run behind.
pub(super) fn questions<'j>(job: &Job<'j>) -> Result<Vec<Question<'j>>, RunnerError> {
    let mut all = Vec::with_capacity(job.plan.items.len());
    for item in &job.plan.items {
        let found = job.suite.find(&item.task, &item.sample);
        let (task, sample) = found.ok_or_else(|| RunnerError::NotInSuite {
            task: item.task.clone(),
            sample: item.sample.clone(),
        })?;
        all.push(Question {
            item,
            task,
            sample,
            messages: suite::messages(task, sample)?,
        });
    }
    Ok(all)
}

fn run_model(
    model: &PlannedModel,
    outstanding: &[&Question<'_>],
    quality: &Quality,
    loader: &mut dyn ModelLoader,
    recorder: &mut Recorder<'_>,
    control: &Control,
) -> Result<Fate, RunnerError> {
    let id = &model.record.id;
    if let Some(reason) = &model.skip {
        recorder.emit(RunEventKind::ModelSkipped {
            model: id.clone(),
            reason: reason.clone(),
        })?;
        return Ok(Fate::Skipped);
    }
    if outstanding.is_empty() {
        // The process that recorded the last sample may have died before it could say so.
        recorder.emit(RunEventKind::ModelUnloaded {
            model: id.clone(),
            complete: true,
            peak: None,
        })?;
        return Ok(Fate::Complete);
    }
    if control.cancel.load(Ordering::Relaxed) {
        return Ok(Fate::Cancelled);
    }
    let sitting = Sitting {
        model,
        quality,
        control,
    };
    let mut left = outstanding.to_vec();
    let asked = sitting.ask(&mut Health::default(), None, &mut left, loader, recorder)?;
    match asked {
        Asked::Complete { host, .. } => unload(id, host, Ended::Complete, true, recorder),
        Asked::Over(fate) => Ok(fate),
    }
}

/// Drops a model and tells how it ended. It is complete when its questions are, unless more of them follow.
pub(super) fn unload(
    id: &Digest,
    host: LoadedHost,
    ended: Ended,
    last: bool,
    recorder: &mut Recorder<'_>,
) -> Result<Fate, RunnerError> {
    let peak = host.engine.peak_memory();
    // The memory is free before anyone hears of it.
    drop(host);
    let fate = match ended {
        Ended::Complete => Fate::Complete,
        Ended::Cancelled => Fate::Cancelled,
        Ended::Stopped(reason) | Ended::Died(reason) => {
            recorder.emit(RunEventKind::BreakerOpened {
                model: id.clone(),
                reason,
            })?;
            Fate::Stopped
        }
    };
    recorder.emit(RunEventKind::ModelUnloaded {
        model: id.clone(),
        complete: last && fate == Fate::Complete,
        peak,
    })?;
    Ok(fate)
}
