//! From a selection to a plan: suite, models with their files, budget.

use super::candidate::{OpenModel, mock_record, planned_context, unseen_record};
use super::load::{EngineSetup, Source, in_full};
use super::{Session, names, suites};
use crate::cli::{EngineChoice, Portion, Selection};
use crate::config::ModelEntry;
use crate::engine::mock::MockScript;
use crate::error::{Coded as _, EvalhError};
use crate::hub::Hub;
use crate::plan::{self, Candidate, Plan, PlanInputs};
use crate::record::{Digest, SettingRecord, SkipReason, TaskKind};
use crate::runner;
use crate::suite::{self, Limit, Suite};
use crate::tokenizer::{ByteCodec, Codec};
use crate::units::Bytes;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether files may be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetch {
    /// Missing files are fetched and verified.
    Missing,
    /// Only what is here is looked at.
    Never,
}

/// Everything a run needs, decided.
pub(super) struct Prepared {
    pub(super) suite: Suite,
    pub(super) plan: Plan,
    pub(super) budget: Bytes,
    pub(super) budget_origin: String,
    pub(super) catalog_digest: Digest,
    pub(super) setup: EngineSetup,
    /// Where each model is, by content id.
    pub(super) sources: BTreeMap<String, Source>,
    pub(super) settings: Vec<SettingRecord>,
}

/// Decides everything about a run. Nothing is loaded.
pub(super) fn prepare(
    session: &Session,
    selection: &Selection,
    fetch: Fetch,
) -> Result<Prepared, EvalhError> {
    let whole = suites::find(session, &selection.suite.value)?;
    let limit = selection.limit.value.map(|portion| match portion {
        Portion::Count(n) => Limit::Samples(u32::try_from(n).unwrap_or(u32::MAX)),
        Portion::Percent(p) => Limit::Percent(p),
    });
    let suite = whole.select(limit, selection.seed.value);
    let catalog = session.catalog(&selection.files.catalog)?;
    let setup = engine_setup(session, selection)?;
    let (budget, budget_origin) = session.budget(&selection.memory_budget)?;
    let entries = catalog.select(&names(&selection.models.value))?;
    let mut sources = BTreeMap::new();
    let candidates = match setup.engine {
        EngineChoice::Mock => entries
            .iter()
            .map(|e| mock_candidate(e, &setup.script))
            .collect(),
        EngineChoice::Candle => {
            candidates(session, selection, &suite, &entries, fetch, &mut sources)?
        }
    };
    let inputs = PlanInputs {
        suite: &suite,
        models: candidates,
        budget,
        seed: selection.seed.value,
        epochs: selection.epochs.value,
        engine: match setup.engine {
            EngineChoice::Candle => "candle",
            EngineChoice::Mock => "mock",
        },
    };
    let plan = plan::build(inputs)?;
    warn_of_epochs(session, &suite, selection.epochs.value);
    Ok(Prepared {
        settings: settings(selection, budget),
        catalog_digest: catalog.digest,
        suite,
        plan,
        budget,
        budget_origin,
        setup,
        sources,
    })
}

/// Repetitions that were asked for and make no sense are said, not refused: a suite may mix kinds of tasks.
fn warn_of_epochs(session: &Session, suite: &Suite, epochs: Option<u32>) {
    let once: Vec<String> = suite
        .tasks
        .iter()
        .filter(|t| t.kind != TaskKind::Generate)
        .map(|t| format!("`{}`", t.id))
        .collect();
    if epochs.is_some_and(|n| n > 1) && !once.is_empty() {
        session.console.warning(&format!(
            "{} is measured once: a log-likelihood is the same in every epoch",
            once.join(", ")
        ));
    }
}

/// The settings as they were decided; what the machine decided is added.
fn settings(selection: &Selection, budget: Bytes) -> Vec<SettingRecord> {
    let mut all = selection.settings();
    if selection.memory_budget.value.is_none() {
        let origin = "machine".to_owned();
        all.push(SettingRecord {
            name: "memory-budget".to_owned(),
            value: budget.get().to_string(),
            origin,
        });
    }
    all
}

fn engine_setup(session: &Session, selection: &Selection) -> Result<EngineSetup, EvalhError> {
    let script = match &selection.mock_script.value {
        Some(path) if selection.engine.value == EngineChoice::Mock => {
            MockScript::parse(&path.display().to_string(), &session.read(path)?)?
        }
        _ => MockScript::default(),
    };
    Ok(EngineSetup {
        engine: selection.engine.value,
        device: selection.device.value,
        script: Arc::new(script),
    })
}

fn mock_candidate(entry: &ModelEntry, script: &MockScript) -> Candidate {
    let context = entry.context.unwrap_or(8192);
    let weights = Bytes(script.weights_bytes(&entry.name).unwrap_or(0));
    Candidate {
        record: mock_record(entry, &ByteCodec::new(), context, weights),
        skip: None,
    }
}

/// Finds or fetches every model. A model whose files cannot be had is skipped with the reason, unless it is the only one.
fn candidates(
    session: &Session,
    selection: &Selection,
    suite: &Suite,
    entries: &[&ModelEntry],
    fetch: Fetch,
    sources: &mut BTreeMap<String, Source>,
) -> Result<Vec<Candidate>, EvalhError> {
    let progress = session.download_progress();
    let hub = session.hub(
        selection.files.offline.value,
        selection.files.locked.value,
        &progress,
    )?;
    let mut candidates = Vec::new();
    for entry in entries {
        match open(session, &hub, entry, suite, fetch) {
            Ok(Some((model, context))) => {
                let record = model.record(context);
                let source = Source {
                    entry: (*entry).clone(),
                    files: model.files,
                    overrides: model.overrides,
                };
                sources.insert(record.id.as_str().to_owned(), source);
                candidates.push(Candidate { record, skip: None });
            }
            Ok(None) => candidates.push(Candidate {
                record: unseen_record(entry),
                skip: None,
            }),
            Err(error) if error.is_interruption() || entries.len() == 1 => return Err(error),
            Err(error) => {
                session.console.warning(&format!(
                    "`{}` is skipped: {}",
                    entry.name,
                    in_full(&error)
                ));
                if let Some(hint) = error.hint() {
                    session.console.note(&format!("hint: {hint}"));
                }
                let skip = Some(SkipReason::Files(in_full(&error)));
                candidates.push(Candidate {
                    record: unseen_record(entry),
                    skip,
                });
            }
        }
    }
    Ok(candidates)
}

/// Opens one model and decides its context. `None` when it is not here and may not be fetched.
fn open(
    session: &Session,
    hub: &Hub<'_>,
    entry: &ModelEntry,
    suite: &Suite,
    fetch: Fetch,
) -> Result<Option<(OpenModel, u32)>, EvalhError> {
    let files = match fetch {
        Fetch::Missing => Some(hub.fetch(entry)?),
        Fetch::Never => hub.locate(entry),
    };
    let Some(files) = files else { return Ok(None) };
    tracing::info!(model = %entry.name, path = %files.path.display(), "model file found");
    let model = OpenModel::open(session, entry, files)?;
    let needed = needed_context(suite, model.tokenizer.as_ref())?;
    let context = planned_context(entry, &model.shape, Some(needed));
    Ok(Some((model, context)))
}

/// Tokens the longest sample and its answer take, in whole steps of 64.
fn needed_context(suite: &Suite, codec: &dyn Codec) -> Result<u32, EvalhError> {
    let samples: Vec<_> = suite.samples().collect();
    let lengths = samples.par_iter().map(|(task, sample)| {
        if task.kind != TaskKind::Generate {
            return Ok(runner::longest_sequence(codec, task, sample)?);
        }
        let messages = suite::messages(task, sample)?;
        // A conversation that the template refuses is a record of the run, not an error of the plan.
        let prompt = codec.prompt(&messages).map_or(0, |p| p.ids.len());
        Ok(prompt as u32 + task.decoding.max_tokens)
    });
    let longest = lengths
        .collect::<Result<Vec<u32>, EvalhError>>()?
        .into_iter()
        .max()
        .unwrap_or(0);
    Ok(longest.div_ceil(64) * 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_covers_the_window_or_the_longest_text() {
        for plan in ["rolling", "begin", "disjoint", "strided"] {
            for (window, bytes) in [(512_u32, 40_u32), (512, 512), (512, 600), (100, 600)] {
                let text = "x".repeat(bytes as usize);
                let toml = format!(
                    "format = 1\nname = \"t\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\nlanguage = \"en\"\n\
                     primary = \"bits_per_byte\"\n[[task]]\nid = \"read\"\ntype = \"perplexity\"\nwindows = \"{plan}\"\n\
                     window = {window}\n[[task.sample]]\nid = \"short\"\ntext = \"x y\"\n\
                     [[task.sample]]\nid = \"long\"\ntext = \"{text}\"\n"
                );
                let suite = suite::parse("t.toml", &toml, None).unwrap();
                let needed = needed_context(&suite, &ByteCodec::new()).unwrap();
                assert!(
                    needed >= window.min(bytes),
                    "{plan} {window} {bytes}: {needed}"
                );
                // Nothing beyond the window and the token in front of it.
                assert!(needed < window.min(bytes) + 1 + 64, "{plan}: {needed}");
            }
        }
    }
}
