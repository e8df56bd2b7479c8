//! From `RUN:MODEL` to one model of one stored run, and what a gate wants to know of it.

use super::Session;
use crate::analysis::{Observed, SampleText};
use crate::baseline::{BaselineError, SavedMargin};
use crate::cli::SideArg;
use crate::error::EvalhError;
use crate::record::{Digest, ModelRecord, ModelStatus, RunRecord, SampleRecord};
use crate::store::Store;
use crate::suite::{GateMargin, MarginKind};
use std::collections::{BTreeMap, BTreeSet};

/// What a setting of a run that holds a margin of its suite begins with.
const MARGIN_SETTING: &str = "gate-";

/// One model of one run.
pub(super) struct Chosen {
    pub(super) run: RunRecord,
    pub(super) observed: Observed,
}

/// Which model is meant where none is named.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Prefer<'a> {
    pub(super) id: Option<&'a Digest>,
    pub(super) name: Option<&'a str>,
}

/// A baseline given as `RUN:MODEL`.
pub(super) fn parse(text: &str) -> SideArg {
    let some = |part: &str| (!part.is_empty()).then(|| part.to_owned());
    let (run, model) = text.split_once(':').unwrap_or((text, ""));
    SideArg {
        run: some(run),
        model: some(model),
    }
}

/// The run of a side: the newest where none is named.
pub(super) fn load(store: &Store, side: &SideArg) -> Result<RunRecord, EvalhError> {
    let id = store.find_run(side.run.as_deref().unwrap_or("latest"))?;
    Ok(store.load_run(&id)?)
}

/// The model of a run: the one named, else the preferred one, else the only one.
pub(super) fn choose(
    run: RunRecord,
    named: Option<&str>,
    prefer: Prefer<'_>,
) -> Result<Chosen, EvalhError> {
    let name = match named {
        Some(name) => name.to_owned(),
        None => unnamed(&run, prefer)?,
    };
    let observed = Observed::of_run(&run, &name)?;
    if observed.prompts.is_empty() {
        return Err(BaselineError::NoSamples {
            run: run.header.id.to_string(),
            model: observed.label,
        }
        .into());
    }
    Ok(Chosen { run, observed })
}

/// The content id of the model that is meant.
fn unnamed(run: &RunRecord, prefer: Prefer<'_>) -> Result<String, EvalhError> {
    let seen: BTreeSet<&Digest> = run.samples.iter().map(|s| &s.key.model).collect();
    let measured: Vec<&ModelRecord> = run
        .models
        .iter()
        .filter(|m| seen.contains(&m.planned.id))
        .collect();
    let by_id = || measured.iter().find(|m| Some(&m.planned.id) == prefer.id);
    let by_name = || {
        let mut same = measured
            .iter()
            .filter(|m| Some(m.planned.name.as_str()) == prefer.name);
        same.next().filter(|_| same.next().is_none())
    };
    let only = || measured.first().filter(|_| measured.len() == 1);
    match by_id().or_else(by_name).or_else(only) {
        Some(model) => Ok(model.planned.id.to_string()),
        None => Err(BaselineError::WhichModel {
            run: run.header.id.to_string(),
            models: run.models.iter().map(|m| m.planned.name.clone()).collect(),
        }
        .into()),
    }
}

/// Planned samples of the model without a record.
pub(super) fn unrecorded(chosen: &Chosen) -> u64 {
    let run = &chosen.run;
    let model = run
        .models
        .iter()
        .find(|m| Some(&m.planned.id) == chosen.observed.model.as_ref());
    if model.is_none_or(|m| matches!(m.status, ModelStatus::Finished)) {
        return 0;
    }
    let planned = u64::from(run.header.suite.samples) * u64::from(run.header.epochs.max(1));
    planned.saturating_sub(chosen.observed.samples() as u64)
}

/// What the model wrote where it did not pass, by prompt.
pub(super) fn texts(chosen: &Chosen) -> BTreeMap<String, SampleText> {
    let mine = |s: &&SampleRecord| {
        Some(&s.key.model) == chosen.observed.model.as_ref() && s.score.passed != Some(true)
    };
    let mut out = BTreeMap::new();
    for sample in chosen.run.samples.iter().filter(mine) {
        out.entry(sample.content.as_str().to_owned())
            .or_insert_with(|| SampleText::of(sample));
    }
    out
}

/// The margins of a suite as settings of a run, so that the run can be gated when the suite has changed or is gone.
pub(super) fn margin_settings(gates: &[GateMargin]) -> Vec<crate::record::SettingRecord> {
    let record = |gate: &GateMargin| crate::record::SettingRecord {
        name: format!("{MARGIN_SETTING}{}", gate.metric),
        value: match gate.kind {
            MarginKind::Absolute(margin) => format!("margin {margin}"),
            MarginKind::Ratio(ratio) => format!("ratio {ratio}"),
        },
        origin: "suite".to_owned(),
    };
    gates.iter().map(record).collect()
}

/// The margins a run was made with.
pub(super) fn margins(run: &RunRecord) -> BTreeMap<String, SavedMargin> {
    let suite = run.header.settings.iter().filter(|s| s.origin == "suite");
    suite
        .filter_map(|setting| {
            let metric = setting.name.strip_prefix(MARGIN_SETTING)?;
            let (kind, number) = setting.value.split_once(' ')?;
            let number: f64 = number.parse().ok()?;
            let margin = match kind {
                "margin" => SavedMargin::Margin(number),
                "ratio" => SavedMargin::Ratio(number),
                _ => return None,
            };
            Some((metric.to_owned(), margin))
        })
        .collect()
}

/// The margins of the suite as it is now, when it is the one the run was made with.
pub(super) fn margins_of_suite(
    session: &Session,
    run: &RunRecord,
) -> BTreeMap<String, SavedMargin> {
    let facts = &run.header.suite;
    // A suite that is gone or broken by now has no margins to offer; the run itself is sound.
    let suite = super::suites::find(session, &facts.name).ok();
    let same = suite.filter(|s| s.digest == facts.digest);
    let gates = same.map(|s| s.gates).unwrap_or_default();
    let saved = |gate: GateMargin| {
        let margin = match gate.kind {
            MarginKind::Absolute(margin) => SavedMargin::Margin(margin),
            MarginKind::Ratio(ratio) => SavedMargin::Ratio(ratio),
        };
        (gate.metric, margin)
    };
    gates.into_iter().map(saved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testkit::{self, Spec};

    #[test]
    fn margins_go_into_a_run_and_come_back() {
        let gates = [
            GateMargin {
                metric: "score".to_owned(),
                kind: MarginKind::Absolute(0.1 + 0.2),
            },
            GateMargin {
                metric: "ttft_ms_p50".to_owned(),
                kind: MarginKind::Ratio(1.15),
            },
        ];
        let mut run = testkit::run(&[("m", vec![Spec::scored(1.0)])], 1);
        run.header.settings = margin_settings(&gates);
        let back = margins(&run);
        assert_eq!(back["score"], SavedMargin::Margin(0.1 + 0.2));
        assert_eq!(back["ttft_ms_p50"], SavedMargin::Ratio(1.15));
        run.header.settings[0].value = "margin many".to_owned();
        run.header.settings[1].origin = "flag".to_owned();
        assert!(margins(&run).is_empty());
    }

    #[test]
    fn the_model_is_the_named_the_preferred_or_the_only_one() {
        let run = || {
            let specs = || vec![Spec::scored(1.0)];
            testkit::run(&[("a", specs()), ("b", specs()), ("none", Vec::new())], 1)
        };
        let label = |named, prefer| choose(run(), named, prefer).map(|c| c.observed.label);
        assert_eq!(label(Some("b"), Prefer::default()).unwrap(), "b");
        let id = testkit::id("a");
        let by_id = Prefer {
            id: Some(&id),
            name: Some("b"),
        };
        assert_eq!(label(None, by_id).unwrap(), "a");
        let by_name = Prefer {
            id: None,
            name: Some("b"),
        };
        assert_eq!(label(None, by_name).unwrap(), "b");
        assert_eq!(
            label(None, Prefer::default()).unwrap_err().to_string(),
            "run `01k3qa7z5m8c2p` has 3 models: `a`, `b`, `none`"
        );
        assert_eq!(
            label(Some("none"), Prefer::default())
                .unwrap_err()
                .to_string(),
            "model `none` of run `01k3qa7z5m8c2p` has no samples"
        );
        let one = testkit::run(&[("a", vec![Spec::scored(1.0)]), ("none", Vec::new())], 1);
        assert_eq!(
            choose(one, None, Prefer::default()).unwrap().observed.label,
            "a"
        );
    }

    #[test]
    fn samples_without_a_record_are_counted() {
        let mut run = testkit::run(&[("a", vec![Spec::scored(1.0); 4])], 1);
        run.samples.truncate(3);
        let count = |run: RunRecord| unrecorded(&choose(run, None, Prefer::default()).unwrap());
        assert_eq!(count(run.clone()), 0);
        run.models[0].status = ModelStatus::Started;
        assert_eq!(count(run), 1);
    }

    #[test]
    fn a_side_is_read_as_run_and_model() {
        let side = |run: Option<&str>, model: Option<&str>| SideArg {
            run: run.map(str::to_owned),
            model: model.map(str::to_owned),
        };
        assert_eq!(parse("0197"), side(Some("0197"), None));
        assert_eq!(parse("0197:a:b"), side(Some("0197"), Some("a:b")));
        assert_eq!(parse(":a"), side(None, Some("a")));
    }
}
