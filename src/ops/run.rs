//! `evalh run`: plan, load, run, score, store, report.

use super::Session;
use super::load::Loader;
use super::prepare::{Fetch, Prepared, prepare};
use super::report::{Rendering, named_database, print_report};
use super::side::margin_settings;
use super::worker::Hosting;
use crate::analysis::{Sequential, TaskFacts};
use crate::cli::{Kpi, ReportFormat, RunRequest};
use crate::clock;
use crate::error::{EvalhError, ExitCode};
use crate::host;
use crate::record::{
    Digest, EventSink, Evidence, RunEvent, RunHeader, RunId, RunStatus, SampleRecord,
    SettingRecord, SinkError, SuiteFacts,
};
use crate::runner::{self, Control, Job, Resume, RunOutcome, StopRule};
use crate::store::{AttemptFacts, Store, StoreSink};
use crate::suite::{Quality, Suite, Task};
use std::collections::BTreeSet;

/// A model whose engine fails this often in a row is stopped: what is left would fail too.
const MAX_CONSECUTIVE_FAILURES: u32 = 5;

/// A model whose worker dies is loaded again this often for the samples that are left.
const MAX_RESTARTS: u32 = 3;

pub(super) fn run(session: &Session, request: &RunRequest) -> Result<ExitCode, EvalhError> {
    let mut prices = session.prices(&request.prices)?;
    if let Some(watts) = request.watts.value {
        prices.watts = watts;
    }
    // A database that cannot be written must be known before minutes are spent on files.
    let mut store = Store::open(&session.db_path(&request.selection.db))?;
    for notice in store.notices() {
        session.console.note(&notice.to_string());
    }
    let mut prepared = prepare(session, &request.selection, Fetch::Missing)?;
    prepared.settings = request
        .settings()
        .into_iter()
        .chain(machine_settings(&prepared))
        .chain(quality_settings(&prepared.suite.quality))
        .chain(margin_settings(&prepared.suite.gates))
        .collect();
    if let Some(level) = request.until_resolved.value {
        Sequential::check(&prepared.suite.primary, &facts(&prepared.suite))?;
        prepared.plan = prepared.plan.until_resolved(level)?;
    }
    let start = start(session, &store, request, &prepared)?;
    let id = start.header.id.clone();
    let outcome = execute(session, request, &mut store, prepared, start)?;
    let run = store.load_run(&id)?;
    let format = if request.json {
        ReportFormat::Json
    } else {
        ReportFormat::Terminal
    };
    let rendering = Rendering {
        format,
        kpi: Kpi::Main,
        output: None,
        database: named_database(&request.selection.db),
    };
    print_report(session, &run, &prices, &rendering)?;
    Ok(exit_code(request, &outcome))
}

/// Settings that the machine decided.
fn machine_settings(prepared: &Prepared) -> Vec<SettingRecord> {
    prepared
        .settings
        .iter()
        .filter(|s| s.origin == "machine")
        .cloned()
        .collect()
}

/// How the suite weighs the parts of a score: what `report --verify` needs to compute every score again.
fn quality_settings(quality: &Quality) -> Vec<SettingRecord> {
    let record = |name: String, value: f64| SettingRecord {
        name,
        value: value.to_string(),
        origin: "suite".to_owned(),
    };
    let weights = quality.weights.iter();
    let mut all: Vec<SettingRecord> = weights
        .map(|(component, weight)| {
            record(format!("quality-weight-{}", component.as_str()), *weight)
        })
        .collect();
    all.push(record(
        "quality-cap".to_owned(),
        quality.cap_on_required_failure,
    ));
    all
}

/// How a run begins.
struct Start {
    header: RunHeader,
    /// What an interrupted run of the same plan already has.
    resume: Option<Resume>,
    /// Its records.
    earlier: Vec<SampleRecord>,
}

/// The conditions of the run, and what an interrupted one of the same plan already has.
fn start(
    session: &Session,
    store: &Store,
    request: &RunRequest,
    prepared: &Prepared,
) -> Result<Start, EvalhError> {
    let found = if request.fresh {
        None
    } else {
        store.find_resumable(&prepared.plan.digest)?
    };
    let Some(id) = found else {
        return Ok(Start {
            header: header(session, prepared),
            resume: None,
            earlier: Vec::new(),
        });
    };
    let interrupted = store.load_run(&id)?;
    let failed = interrupted
        .samples
        .iter()
        .filter(|s| s.failure.is_some())
        .count() as u64;
    let done = store.done_keys(&id)?;
    let planned = prepared.plan.samples_per_model() * prepared.plan.runnable().count() as u64;
    session.console.note(&format!(
        "continuing run {id}, which has {} of {planned} samples; `--fresh` begins anew",
        done.len()
    ));
    Ok(Start {
        header: interrupted.header,
        resume: Some(Resume { done, failed }),
        earlier: interrupted.samples,
    })
}

/// The conditions of a run that begins now.
pub(super) fn header(session: &Session, prepared: &Prepared) -> RunHeader {
    let suite = &prepared.suite;
    let now = clock::wall();
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let entropy = u64::from(host::process_id()).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ u64::from(now.subsec_nanosecond().unsigned_abs());
    RunHeader {
        id: RunId::from_parts(millis, entropy ^ (entropy >> 25)),
        plan_digest: prepared.plan.digest.clone(),
        evalh_version: env!("CARGO_PKG_VERSION").to_owned(),
        evalh_commit: option_env!("EVALH_COMMIT").map(str::to_owned),
        argv: session.argv.clone(),
        settings: prepared.settings.clone(),
        seed: prepared.plan.seed,
        epochs: prepared.plan.epochs,
        budget: prepared.budget,
        budget_origin: prepared.budget_origin.clone(),
        engine: prepared.setup.engine.to_string(),
        suite: SuiteFacts {
            name: suite.name.clone(),
            version: suite.version.clone(),
            digest: suite.digest.clone(),
            primary: suite.primary.clone(),
            tasks: suite.tasks.len() as u32,
            samples: suite.samples().count() as u32,
        },
        catalog_digest: prepared.catalog_digest.clone(),
        host: host::facts(),
        started_at: now.to_string(),
    }
}

/// Runs what is outstanding. Every event goes to the store first, then to the console.
fn execute(
    session: &Session,
    request: &RunRequest,
    store: &mut Store,
    prepared: Prepared,
    start: Start,
) -> Result<RunOutcome, EvalhError> {
    let facts = AttemptFacts {
        pid: host::process_id(),
        host: host::hostname().unwrap_or_else(|_| "a machine without a name".to_owned()),
    };
    let mut listeners = StoreThenConsole {
        store: StoreSink::new(store, facts),
        console: session.console.run_progress(),
    };
    let control = Control {
        cancel: session.interrupts().unwrap_or_default(),
        timeout: request.timeout.value,
        max_consecutive_failures: Some(MAX_CONSECUTIVE_FAILURES),
        max_restarts: MAX_RESTARTS,
    };
    let hosting = if request.in_process.value {
        Hosting::InProcess
    } else {
        Hosting::worker(session, prepared.budget)?
    };
    let mut loader = Loader {
        hosting,
        setup: prepared.setup,
        sources: prepared.sources,
        now: session.now,
    };
    let job = Job {
        plan: &prepared.plan,
        suite: &prepared.suite,
        header: start.header,
        resume: start.resume,
    };
    let Some(level) = request.until_resolved.value else {
        return Ok(runner::run(job, &mut loader, &mut listeners, &control)?);
    };
    let mut models = prepared.plan.models.iter().map(|m| m.record.id.clone());
    let (Some(a), Some(b)) = (models.next(), models.next()) else {
        let what = "a plan in rounds without two models".to_owned();
        return Err(EvalhError::Bug { what });
    };
    let mut rule = Rule(Sequential::new(&job.header.suite.primary, level, [a, b]));
    for sample in &start.earlier {
        rule.observe(sample);
    }
    let (loader, sink) = (&mut loader, &mut listeners);
    Ok(runner::run_until_resolved(
        job, &mut rule, loader, sink, &control,
    )?)
}

/// What the tasks of a suite measure.
fn facts(suite: &Suite) -> Vec<TaskFacts> {
    let facts = |task: &Task| TaskFacts {
        kind: task.kind,
        mutual_info: task.likelihood.mutual_info,
    };
    suite.tasks.iter().map(facts).collect()
}

/// The analysis as the runner's rule.
struct Rule(Sequential);

impl StopRule for Rule {
    fn observe(&mut self, record: &SampleRecord) {
        self.0.observe(record);
    }

    fn look(&mut self, asked: &BTreeSet<Digest>) -> Evidence {
        self.0.evidence(Some(asked))
    }
}

/// The record comes before the show.
struct StoreThenConsole<'s, C> {
    store: StoreSink<'s>,
    console: C,
}

impl<C: EventSink> EventSink for StoreThenConsole<'_, C> {
    fn take(&mut self, event: &RunEvent) -> Result<(), SinkError> {
        self.store.take(event)?;
        self.console.take(event)
    }
}

fn exit_code(request: &RunRequest, outcome: &RunOutcome) -> ExitCode {
    match outcome.status {
        RunStatus::Cancelled => ExitCode::Interrupted,
        // Every model was given up before its first sample: there is nothing that a share of failures could be taken of.
        _ if outcome.counts.planned == 0 => ExitCode::Machine,
        _ if request
            .max_failures
            .value
            .is_exceeded(outcome.counts.failed, outcome.counts.recorded) =>
        {
            ExitCode::Failed
        }
        _ if outcome.counts.recorded < outcome.counts.planned => ExitCode::Failed,
        // What was asked for is not all there: a model was begun and could not be loaded.
        _ if outcome.not_loaded > 0 => ExitCode::Machine,
        _ => ExitCode::Done,
    }
}
