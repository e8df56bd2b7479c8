//! `evalh kl`: models against the base they were made from. Distances of distributions first, with two models in this process; then questions,
//! speed and memory, each model in a worker of its own. Nothing is stored.

mod error;
mod pass;
mod questions;
mod speed;
mod texts;

pub use error::KlError;

use super::candidate::{OpenModel, Overrides};
use super::load::{EngineSetup, Loader, Source};
use super::worker::Hosting;
use super::{Session, suites};
use crate::analysis;
use crate::cli::{EngineChoice, KlRequest};
use crate::config::ModelEntry;
use crate::engine::mock::MockScript;
use crate::error::{EvalhError, ExitCode};
use crate::host;
use crate::plan::PlannedModel;
use crate::record::{
    ChangedModel, Digest, DivergenceRecord, FileFacts, PlannedModelRecord, SkipReason, WindowPair,
};
use crate::report::{self, DivergenceView, Palette};
use crate::runner;
use crate::suite::Suite;
use crate::units::Bytes;
use pass::Pass;
use speed::Raced;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use texts::{Reading, Text};

/// The models of the workers: the base first.
struct Fleet {
    models: Vec<PlannedModel>,
    loader: Loader,
    /// Bytes that may be used, and who said so.
    budget: (Bytes, String),
    catalog_digest: Digest,
}

/// The models opened, the base first, each with its entry.
struct Opened {
    models: Vec<OpenModel>,
    entries: Vec<ModelEntry>,
    catalog_digest: Digest,
}

pub(super) fn run(session: &Session, request: &KlRequest) -> Result<ExitCode, EvalhError> {
    if !cfg!(feature = "candle") {
        return Err(EvalhError::NoCandle);
    }
    let suite = suites::find(session, &request.suite)?;
    let texts = texts::read(session, request, &suite)?;
    let load = host::facts();
    let load = load.load_average.zip(load.cores);
    let opened = open(session, request)?;
    let (base, others) = opened.models.split_first().ok_or_else(no_base)?;
    for model in others {
        texts::same_tokens(base, model, &texts)?;
    }
    let most = request.tokens as usize;
    let windows = texts::cut(base, &texts, request.window as usize, most)?;
    let questions = questions::choices(&suite).filter(|_| !request.texts_only);
    let context = context(&opened, questions.as_ref(), request.window)?;
    let budget = session.budget(&request.memory_budget)?;
    for model in others {
        within_budget(base, model, context, budget.0)?;
    }
    let cancel = session.interrupts().unwrap_or_default();
    let setup = EngineSetup {
        engine: EngineChoice::Candle,
        device: request.device.value,
        script: Arc::new(MockScript::default()),
    };
    let job = Job {
        session,
        texts: &texts,
        windows: &windows,
        window: request.window,
        load,
        cancel: &cancel,
        timed: !request.texts_only,
    };
    let pairs = job.pairs(&opened, &setup)?;
    let facts: Vec<FileFacts> = opened.models.iter().map(file_facts).collect();
    let mut fleet = fleet(session, opened, setup, context, budget)?;
    let record = job.record(&mut fleet, questions.as_ref(), facts, pairs)?;
    print(session, request, &record)?;
    Ok(ExitCode::Done)
}

fn no_base() -> EvalhError {
    EvalhError::Bug {
        what: "a comparison without a base".to_owned(),
    }
}

/// Finds, fetches and opens every model, the base first.
fn open(session: &Session, request: &KlRequest) -> Result<Opened, EvalhError> {
    let files = &request.files;
    let catalog = session.catalog(&files.catalog)?;
    let names = std::iter::once(&request.base).chain(&request.models);
    // A name nobody knows is told before anything is fetched.
    let entries = names.map(|n| Ok(catalog.find(n)?.clone()));
    let entries = entries.collect::<Result<Vec<ModelEntry>, EvalhError>>()?;
    let progress = session.download_progress();
    let hub = session.hub(files.offline.value, files.locked.value, &progress)?;
    let models = entries
        .iter()
        .map(|entry| OpenModel::open(session, entry, hub.fetch(entry)?));
    let models = models.collect::<Result<Vec<OpenModel>, EvalhError>>()?;
    for model in &models {
        if u64::from(request.window) > model.shape.context {
            return Err(KlError::Window {
                model: model.name.clone(),
                window: request.window,
                context: model.shape.context,
            }
            .into());
        }
    }
    Ok(Opened {
        models,
        entries,
        catalog_digest: catalog.digest,
    })
}

/// Tokens that the longest window, question or timed prompt takes, in whole steps of 64.
fn context(opened: &Opened, suite: Option<&Suite>, window: u32) -> Result<u32, EvalhError> {
    let mut longest = window.max(2 * speed::TOKENS as u32);
    for model in &opened.models {
        for (task, sample) in suite.into_iter().flat_map(Suite::samples) {
            let codec = model.tokenizer.as_ref();
            longest = longest.max(runner::longest_sequence(codec, task, sample)?);
        }
    }
    let trained = opened.models.iter().map(|m| m.shape.context).min();
    let trained = u32::try_from(trained.unwrap_or(0)).unwrap_or(u32::MAX);
    Ok((longest.div_ceil(64) * 64).min(trained))
}

/// That two models and the rows that are compared fit the budget together.
fn within_budget(
    base: &OpenModel,
    model: &OpenModel,
    context: u32,
    budget: Bytes,
) -> Result<(), EvalhError> {
    let estimates = Box::new([base.estimate(context), model.estimate(context)]);
    let rows = pass::row_bytes(base.shape.vocabulary);
    if error::total(&estimates, rows) <= budget {
        return Ok(());
    }
    Err(KlError::OverBudget {
        base: base.name.clone(),
        model: model.name.clone(),
        estimates,
        rows,
        budget,
    }
    .into())
}

fn file_facts(model: &OpenModel) -> FileFacts {
    FileFacts {
        name: model.name.clone(),
        source: model.files.source.clone(),
        sha256: model.files.sha256.clone(),
        quantization: model.quantization(),
        bytes: model.files.bytes,
        weight_bytes: model.shape.weights_bytes,
        parameters: model.weights.parameters(),
    }
}

/// What the workers need; the weights mapped here are let go.
fn fleet(
    session: &Session,
    opened: Opened,
    setup: EngineSetup,
    context: u32,
    budget: (Bytes, String),
) -> Result<Fleet, EvalhError> {
    let mut sources = BTreeMap::new();
    let mut models = Vec::new();
    for (model, entry) in opened.models.into_iter().zip(opened.entries) {
        let record: PlannedModelRecord = model.record(context);
        let overrides: Overrides = model.overrides;
        let source = Source {
            entry,
            files: model.files,
            overrides,
        };
        sources.insert(record.id.as_str().to_owned(), source);
        models.push(PlannedModel { record, skip: None });
    }
    Ok(Fleet {
        models,
        loader: Loader {
            hosting: Hosting::worker(session, budget.0)?,
            setup,
            sources,
            now: session.now,
        },
        budget,
        catalog_digest: opened.catalog_digest,
    })
}

/// Why a model was not run, in words.
fn skipped(reason: &SkipReason) -> String {
    match reason {
        SkipReason::OverBudget { estimate, budget } => {
            format!("it needs {} but the budget is {budget}", estimate.total())
        }
        SkipReason::Files(why) | SkipReason::Load(why) | SkipReason::Breaker(why) => why.clone(),
    }
}

/// What all steps share.
struct Job<'j> {
    session: &'j Session,
    texts: &'j [Text],
    windows: &'j Reading,
    /// Tokens of a window.
    window: u32,
    /// Load of the machine before anything was loaded, and its cores.
    load: Option<(f64, u32)>,
    cancel: &'j Arc<AtomicBool>,
    /// Whether speed and memory are measured.
    timed: bool,
}

impl Job<'_> {
    /// The windows of every model against the base, with two models loaded at a time.
    fn pairs(
        &self,
        opened: &Opened,
        setup: &EngineSetup,
    ) -> Result<Vec<Vec<WindowPair>>, EvalhError> {
        let (base, others) = opened.models.split_first().ok_or_else(no_base)?;
        let pass = Pass {
            setup,
            texts: self.texts,
            windows: &self.windows.windows,
            context: self.window,
            cancel: self.cancel,
        };
        host::release_memory();
        let mut loaded = pass.load(base)?;
        let mut all = Vec::new();
        for model in others {
            self.session.console.note(&format!(
                "reading {} windows with `{}` and `{}`",
                self.windows.windows.len(),
                base.name,
                model.name
            ));
            let mut other = pass.load(model)?;
            all.push(pass.windows(&mut loaded, &mut other)?);
            drop(other);
            host::release_memory();
        }
        drop(loaded);
        host::release_memory();
        Ok(all)
    }

    /// Everything that was observed.
    fn record(
        &self,
        fleet: &mut Fleet,
        suite: Option<&Suite>,
        facts: Vec<FileFacts>,
        pairs: Vec<Vec<WindowPair>>,
    ) -> Result<DivergenceRecord, EvalhError> {
        let answers = match suite {
            Some(suite) => questions::ask(self.session, fleet, suite, self.cancel)?,
            None => vec![Vec::new(); facts.len()],
        };
        let mut files = facts.into_iter().zip(answers);
        let (base, base_questions) = files.next().ok_or_else(no_base)?;
        let mut base_peak = None;
        let mut models = Vec::new();
        for (at, ((file, questions), windows)) in files.zip(pairs).enumerate() {
            let raced = self.race(fleet, at + 1)?;
            base_peak = base_peak.or(raced.peaks[0]);
            models.push(ChangedModel {
                file,
                windows,
                questions,
                speed: raced.pairs,
                peak: raced.peaks[1],
            });
        }
        Ok(DivergenceRecord {
            base,
            base_questions,
            base_peak,
            models,
            texts: self.windows.facts.clone(),
            window: self.window,
            suite: suite.map(|s| s.name.clone()),
            load: self.load,
        })
    }

    /// Speed and memory of a model and of the base, where they are wanted.
    fn race(&self, fleet: &mut Fleet, model: usize) -> Result<Raced, EvalhError> {
        if !self.timed {
            return Ok(Raced::default());
        }
        let names = [0, model].map(|at| fleet.models[at].record.name.clone());
        self.session.console.note(&format!(
            "timing `{}` and `{}` in turns",
            names[0], names[1]
        ));
        speed::race(fleet, model, self.windows, self.cancel)
    }
}

fn print(
    session: &Session,
    request: &KlRequest,
    record: &DivergenceRecord,
) -> Result<(), EvalhError> {
    let report = analysis::divergence_report(record);
    if request.json {
        return session.print(&report::divergence_json(record, &report));
    }
    let view = DivergenceView {
        width: usize::from(session.console.columns()),
        palette: if session.console.colors_output() {
            Palette::ANSI
        } else {
            Palette::PLAIN
        },
    };
    session.print(&report::divergence_terminal(record, &report, view))
}
