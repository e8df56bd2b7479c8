//! The choice tasks of a suite, asked of each model in a worker of its own as a run asks them. Nothing is stored.

use super::{Fleet, KlError, skipped};
use crate::error::EvalhError;
use crate::ops::prepare::Prepared;
use crate::ops::run::header;
use crate::ops::{Session, load::Loader};
use crate::plan::{self, Candidate, Plan, PlanInputs};
use crate::record::{
    EventSink, QuestionResult, RunEvent, RunEventKind, RunStatus, SampleRecord, SinkError, TaskKind,
};
use crate::runner::{self, Control, Job};
use crate::suite::Suite;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// As in a run: questions that fail one after another will go on failing.
const MAX_CONSECUTIVE_FAILURES: u32 = 5;

/// As in a run.
const MAX_RESTARTS: u32 = 3;

/// The part of a suite that asks for a choice; `None` when it has none.
pub(super) fn choices(suite: &Suite) -> Option<Suite> {
    let tasks = suite.tasks.iter().filter(|t| t.kind == TaskKind::Choice);
    let tasks: Vec<_> = tasks.cloned().collect();
    (!tasks.is_empty()).then(|| Suite {
        tasks,
        ..suite.clone()
    })
}

/// What a run tells, kept.
#[derive(Default)]
struct Told {
    samples: Vec<SampleRecord>,
    reason: Option<String>,
}

impl EventSink for Told {
    fn take(&mut self, event: &RunEvent) -> Result<(), SinkError> {
        match &event.kind {
            RunEventKind::SampleFinished { record } => self.samples.push((**record).clone()),
            RunEventKind::ModelSkipped { reason, .. } => self.reason = Some(skipped(reason)),
            RunEventKind::BreakerOpened { reason, .. } => self.reason = Some(reason.clone()),
            _ => {}
        }
        Ok(())
    }
}

/// Asks every model, in their order. The answers are in the order of the suite.
pub(super) fn ask(
    session: &Session,
    fleet: &mut Fleet,
    suite: &Suite,
    cancel: &Arc<AtomicBool>,
) -> Result<Vec<Vec<QuestionResult>>, EvalhError> {
    let mut all = Vec::new();
    for at in 0..fleet.models.len() {
        session.console.note(&format!(
            "asking `{}` {} questions",
            fleet.models[at].record.name,
            suite.samples().count()
        ));
        all.push(ask_one(session, fleet, at, suite, cancel)?);
    }
    Ok(all)
}

fn ask_one(
    session: &Session,
    fleet: &mut Fleet,
    at: usize,
    suite: &Suite,
    cancel: &Arc<AtomicBool>,
) -> Result<Vec<QuestionResult>, EvalhError> {
    let name = fleet.models[at].record.name.clone();
    let plan = plan::build(PlanInputs {
        suite,
        models: vec![Candidate {
            record: fleet.models[at].record.clone(),
            skip: None,
        }],
        budget: fleet.budget.0,
        seed: 0,
        epochs: None,
        engine: "candle",
    })?;
    let job = Job {
        plan: &plan,
        suite,
        header: header(session, &prepared(fleet, suite, &plan)),
        resume: None,
    };
    let control = Control {
        cancel: Arc::clone(cancel),
        max_consecutive_failures: Some(MAX_CONSECUTIVE_FAILURES),
        max_restarts: MAX_RESTARTS,
        ..Control::default()
    };
    let mut told = Told::default();
    let loader: &mut Loader = &mut fleet.loader;
    let outcome = runner::run(job, loader, &mut told, &control)?;
    if outcome.status == RunStatus::Cancelled {
        return Err(KlError::Interrupted.into());
    }
    let (recorded, planned) = (told.samples.len() as u64, plan.samples_per_model());
    if recorded < planned {
        let why = told
            .reason
            .unwrap_or_else(|| "no reason is known".to_owned());
        return Err(KlError::GivenUp {
            model: name,
            recorded,
            planned,
            why,
        }
        .into());
    }
    Ok(in_order(suite, told.samples))
}

/// What the record of a run is made of; most of it is not looked at, because nothing is stored.
fn prepared(fleet: &Fleet, suite: &Suite, plan: &Plan) -> Prepared {
    Prepared {
        suite: suite.clone(),
        plan: plan.clone(),
        budget: fleet.budget.0,
        budget_origin: fleet.budget.1.clone(),
        catalog_digest: fleet.catalog_digest.clone(),
        setup: fleet.loader.setup.clone(),
        sources: std::collections::BTreeMap::new(),
        settings: Vec::new(),
    }
}

/// The answers in the order of the suite.
fn in_order(suite: &Suite, samples: Vec<SampleRecord>) -> Vec<QuestionResult> {
    let place = |s: &SampleRecord| {
        let same = |(task, sample): (&crate::suite::Task, &crate::suite::Sample)| {
            task.id == s.key.task && sample.id == s.key.sample
        };
        suite.samples().position(same)
    };
    let mut placed: Vec<_> = samples.into_iter().map(|s| (place(&s), s)).collect();
    placed.sort_by_key(|p| p.0);
    let result = |s: SampleRecord| QuestionResult {
        task: s.key.task,
        sample: s.key.sample,
        passed: s.score.passed == Some(true),
        failure: s.failure.map(|f| f.message),
    };
    placed.into_iter().map(|(_, s)| result(s)).collect()
}
