//! Loading models for the runner and for the commands that look closely at one.

use super::candidate::{OpenModel, Overrides};
use super::worker::{self, Hosting};
use crate::cli::EngineChoice;
use crate::clock::{self, Timestamp};
use crate::config::ModelEntry;
use crate::engine::EngineError;
use crate::engine::mock::{MockEngine, MockScript};
use crate::engine::worker::{LoadSpec, WorkerCommand, WorkerLimits};
use crate::error::EvalhError;
use crate::host;
use crate::hub::ModelFiles;
use crate::plan::PlannedModel;
use crate::record::{DeviceChoice, SkipReason};
use crate::runner::{LoadedHost, ModelLoader};
use crate::tokenizer::{ByteCodec, Codec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that decides how a model is loaded.
#[derive(Debug, Clone)]
pub(super) struct EngineSetup {
    pub(super) engine: EngineChoice,
    pub(super) device: Option<DeviceChoice>,
    pub(super) script: Arc<MockScript>,
}

/// What is needed to open a planned model again. The plan's own view of the file is gone by then: two models are never held at once.
pub(super) struct Source {
    pub(super) entry: ModelEntry,
    pub(super) files: ModelFiles,
    pub(super) overrides: Overrides,
}

/// Loads planned models, one at a time.
pub(super) struct Loader {
    pub(super) hosting: Hosting,
    pub(super) setup: EngineSetup,
    /// By content id; empty for the mock.
    pub(super) sources: BTreeMap<String, Source>,
    /// What chat templates are told as today.
    pub(super) now: Timestamp,
}

impl ModelLoader for Loader {
    fn load(&mut self, model: &PlannedModel) -> Result<LoadedHost, SkipReason> {
        match &self.hosting {
            Hosting::InProcess => self.load_here(model),
            Hosting::Worker { command, limits } => self.load_in_worker(model, command, limits),
        }
    }
}

impl Loader {
    fn load_here(&self, model: &PlannedModel) -> Result<LoadedHost, SkipReason> {
        // The peak that is read at the end must be this model's own.
        host::release_memory();
        let _ = host::process_peak_reset();
        if self.setup.engine == EngineChoice::Mock {
            return mock(&self.setup, &model.record.name).map_err(|e| not_loaded(&e));
        }
        let context = model.record.estimate.map_or(0, |e| e.context);
        self.open(model)?
            .and_then(|open| real(&self.setup, &open, context))
            .map_err(|e| not_loaded(&e))
    }

    fn open(&self, model: &PlannedModel) -> Result<Result<OpenModel, EvalhError>, SkipReason> {
        let source = self.sources.get(model.record.id.as_str());
        let source = source.ok_or_else(|| SkipReason::Files("its file is not known".to_owned()))?;
        let (files, overrides) = (source.files.clone(), source.overrides.clone());
        let entry = &source.entry;
        Ok(OpenModel::open_with(self.now, entry, files, overrides))
    }

    fn load_in_worker(
        &self,
        model: &PlannedModel,
        command: &WorkerCommand,
        limits: &WorkerLimits,
    ) -> Result<LoadedHost, SkipReason> {
        if self.setup.engine == EngineChoice::Mock {
            let spec = LoadSpec::Mock {
                model: model.record.name.clone(),
                script: self.setup.script.text().to_owned(),
            };
            let engine = worker::start(command, limits, spec);
            let engine = engine.map_err(|e| not_loaded(&e.into()))?;
            return Ok(LoadedHost {
                load: Some(engine.load()),
                engine: Box::new(engine),
                codec: Arc::new(ByteCodec::new()),
            });
        }
        if !cfg!(feature = "candle") {
            return Err(not_loaded(&EvalhError::NoCandle));
        }
        // The tokenizer stays here and the weights are read there. Both are needed before the first token, so both count.
        let begun = clock::now();
        let open = self.open(model)?.map_err(|e| not_loaded(&e))?;
        let here = begun.elapsed();
        let spec = LoadSpec::Candle {
            path: open.weights.path().to_owned(),
            device: self.setup.device.or(open.device).unwrap_or_default(),
            dtype: open.dtype,
            context: model.record.estimate.map_or(0, |e| e.context),
            table: open.tokenizer.table(),
            bos: open.tokenizer.bos_id(),
        };
        let codec: Arc<dyn Codec> = open.tokenizer;
        drop(open.weights);
        let engine = worker::start(command, limits, spec);
        let engine = engine.map_err(|e| not_loaded(&e.into()))?;
        Ok(LoadedHost {
            load: Some(here + engine.load()),
            engine: Box::new(engine),
            codec,
        })
    }
}

/// Why a model is skipped. A failed self-check says in the same place what can be done: the run ends long after it.
fn not_loaded(error: &EvalhError) -> SkipReason {
    let text = in_full(error);
    SkipReason::Load(match error {
        EvalhError::Engine(e @ EngineError::SelfCheck { .. }) => match e.hint() {
            Some(hint) => format!("{text}; {hint}"),
            None => text,
        },
        _ => text,
    })
}

/// An error with its causes on one line.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The scripted engine under this model's name.
pub(super) fn mock(setup: &EngineSetup, name: &str) -> Result<LoadedHost, EvalhError> {
    let engine = MockEngine::load(Arc::clone(&setup.script), name)?;
    let load = engine.scripted_load();
    Ok(LoadedHost {
        engine: Box::new(engine),
        codec: Arc::new(ByteCodec::new()),
        load,
    })
}

/// The real engine over an opened file.
#[cfg(feature = "candle")]
pub(super) fn real(
    setup: &EngineSetup,
    open: &OpenModel,
    context: u32,
) -> Result<LoadedHost, EvalhError> {
    use crate::engine::LoadOptions;
    let options = LoadOptions {
        device: setup.device.or(open.device).unwrap_or_default(),
        dtype: open.dtype,
        context,
        table: open.tokenizer.table(),
        bos: open.tokenizer.bos_id(),
        peak_memory: || host::process_peak().ok(),
    };
    let engine = crate::engine::open(&open.weights, &options)?;
    let codec: Arc<dyn Codec> = open.tokenizer.clone();
    Ok(LoadedHost {
        engine,
        codec,
        load: None,
    })
}

/// Without the real engine nothing but the mock can run.
#[cfg(not(feature = "candle"))]
pub(super) fn real(_: &EngineSetup, _: &OpenModel, _: u32) -> Result<LoadedHost, EvalhError> {
    Err(EvalhError::NoCandle)
}
