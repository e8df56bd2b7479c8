//! A comparison of two models in rounds that stops when a rule says that it is resolved.
//!
//! One model is in memory at a time. Both answer the prompts of a round before the evidence is looked at, and the model that was asked last begins
//! the next round: every round after the first loads one model, not two. The order of the records therefore differs from that of the plan; scores
//! do not depend on it.
//!
//! The rule sees every record when it is stored and decides between rounds. It is asked after every round of the plan, also after those that an
//! interrupted run had complete, and each time about the prompts asked up to there alone, so that a continued run stops where an uninterrupted one
//! does.

use super::execute::{Fate, Progress, Question, Recorder, begin, end, questions, unload};
use super::phase::Ended;
use super::sitting::{Asked, Health, Sitting};
use super::{Control, Job, LoadedHost, ModelLoader, RunOutcome, RunnerError};
use crate::plan::PlannedModel;
use crate::record::{
    Digest, EventSink, Evidence, Look, LookVerdict, RunEvent, RunEventKind, SampleKey,
    SampleRecord, SinkError,
};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Decides when a comparison is resolved.
pub trait StopRule {
    /// Takes a record that was stored. Records of an interrupted run are given before the run is continued.
    fn observe(&mut self, record: &SampleRecord);

    /// What is known from these prompts alone: a run that was interrupted in a later round has records of others too.
    fn look(&mut self, asked: &BTreeSet<Digest>) -> Evidence;
}

/// Shows the rule what was stored.
struct Watched<'w, 't> {
    sink: &'w mut dyn EventSink,
    rule: &'w RefCell<&'t mut dyn StopRule>,
}

impl EventSink for Watched<'_, '_> {
    fn take(&mut self, event: &RunEvent) -> Result<(), SinkError> {
        self.sink.take(event)?;
        if let RunEventKind::SampleFinished { record } = &event.kind {
            self.rule.borrow_mut().observe(record);
        }
        Ok(())
    }
}

/// The model in memory.
struct Kept {
    /// Its position in the plan.
    at: usize,
    host: LoadedHost,
}

/// The run between its first and its last event.
struct Rounds<'r, 's> {
    job: &'r Job<'r>,
    questions: Vec<Question<'r>>,
    done: BTreeSet<SampleKey>,
    recorder: Recorder<'s>,
    loader: &'r mut dyn ModelLoader,
    control: &'r Control,
    kept: Option<Kept>,
    /// Of each model of the plan.
    health: Vec<Health>,
}

/// Runs the rounds of a plan until the rule says that the comparison is resolved, or no round is left.
///
/// # Errors
/// When the sink fails, or the suite does not have what the plan asks for.
pub fn run_until_resolved(
    job: Job<'_>,
    rule: &mut dyn StopRule,
    loader: &mut dyn ModelLoader,
    sink: &mut dyn EventSink,
    control: &Control,
) -> Result<RunOutcome, RunnerError> {
    let questions = questions(&job)?;
    let rule = RefCell::new(rule);
    let mut watched = Watched { sink, rule: &rule };
    let (recorder, done) = begin(&job, &mut watched)?;
    let mut rounds = Rounds {
        job: &job,
        questions,
        done,
        recorder,
        loader,
        control,
        kept: None,
        health: job.plan.models.iter().map(|_| Health::default()).collect(),
    };
    let (fates, asked) = rounds.all(&rule)?;
    let mut progress = Progress::default();
    for fate in fates {
        progress.add(fate);
    }
    let planned = asked as u64 * job.plan.models.len() as u64;
    end(&progress, planned, &mut rounds.recorder)
}

impl<'r> Rounds<'r, '_> {
    /// What became of the models, and the items each was to be asked.
    fn all(
        &mut self,
        rule: &RefCell<&mut dyn StopRule>,
    ) -> Result<(Vec<Fate>, usize), RunnerError> {
        let (mut from, ends) = (0, &self.job.plan.rounds);
        let mut asked = BTreeSet::new();
        for (number, &to) in (1_u32..).zip(ends) {
            let before = self.loads();
            // The model in memory goes first; in a continued run, the one that would be.
            let order = if number % 2 == 1 { [0, 1] } else { [1, 0] };
            for at in order {
                let fate = self.ask(at, from..to)?;
                if fate != Fate::Complete {
                    return Ok((vec![fate], self.job.plan.items.len()));
                }
            }
            let items = &self.job.plan.items;
            asked.extend(items[from..to].iter().map(|i| i.content.clone()));
            let evidence = rule.borrow_mut().look(&asked);
            let last = to == self.job.plan.items.len();
            let verdict = match (evidence.resolved, last) {
                (true, _) => LookVerdict::Resolved,
                (false, true) => LookVerdict::Exhausted,
                (false, false) => LookVerdict::Open,
            };
            let loads = self.loads();
            let look = Look {
                number,
                planned_prompts: u32::try_from(self.job.plan.prompts).unwrap_or(u32::MAX),
                evidence,
                verdict,
                loads: loads.0 - before.0,
                load: loads.1.saturating_sub(before.1),
            };
            self.recorder.emit(RunEventKind::LookTaken { look })?;
            if verdict != LookVerdict::Open {
                self.complete()?;
                return Ok((vec![Fate::Complete; 2], to));
            }
            from = to;
        }
        Ok((Vec::new(), 0))
    }

    /// Loads of both models so far, and the time they took with their warm-ups.
    fn loads(&self) -> (u32, Duration) {
        let counts = self.health.iter().map(|h| h.loads.0);
        let times = self.health.iter().map(|h| h.loads.1);
        (counts.sum(), times.sum())
    }

    fn model(&self, at: usize) -> &'r PlannedModel {
        &self.job.plan.models[at]
    }

    /// Asks one model what is outstanding of a round, and keeps it in memory.
    fn ask(&mut self, at: usize, items: std::ops::Range<usize>) -> Result<Fate, RunnerError> {
        let model = self.model(at);
        let id = &model.record.id;
        let questions = std::mem::take(&mut self.questions);
        let mut outstanding: Vec<&Question<'_>> = questions[items]
            .iter()
            .filter(|q| !self.done.contains(&q.item.key(id)))
            .collect();
        let fate = if outstanding.is_empty() {
            Ok(Fate::Complete)
        } else {
            self.run(at, model, &mut outstanding)
        };
        self.questions = questions;
        fate
    }

    fn run(
        &mut self,
        at: usize,
        model: &PlannedModel,
        outstanding: &mut Vec<&Question<'_>>,
    ) -> Result<Fate, RunnerError> {
        if self.control.cancel.load(Ordering::Relaxed) {
            self.free()?;
            return Ok(Fate::Cancelled);
        }
        // The model from memory, or one to be loaded after the other one is gone.
        let kept = self.kept.take_if(|kept| kept.at == at).map(|k| k.host);
        if kept.is_none() {
            self.free()?;
        }
        let sitting = Sitting {
            model,
            quality: &self.job.suite.quality,
            control: self.control,
        };
        let (health, recorder) = (&mut self.health[at], &mut self.recorder);
        match sitting.ask(health, kept, outstanding, self.loader, recorder)? {
            Asked::Complete { host, alive: true } => self.kept = Some(Kept { at, host }),
            Asked::Complete { host, alive: false } => {
                unload(&model.record.id, host, Ended::Complete, false, recorder)?;
            }
            Asked::Over(fate) => return Ok(fate),
        }
        Ok(Fate::Complete)
    }

    /// Nothing is in memory afterwards.
    fn free(&mut self) -> Result<(), RunnerError> {
        if let Some(Kept { at, host }) = self.kept.take() {
            let id = &self.model(at).record.id;
            unload(id, host, Ended::Complete, false, &mut self.recorder)?;
        }
        Ok(())
    }

    /// Both models are done, whether or not every item was asked.
    fn complete(&mut self) -> Result<(), RunnerError> {
        self.free()?;
        for model in &self.job.plan.models {
            self.recorder.emit(RunEventKind::ModelUnloaded {
                model: model.record.id.clone(),
                complete: true,
                peak: None,
            })?;
        }
        Ok(())
    }
}
