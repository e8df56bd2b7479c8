//! What the shape of the data says about a model's score: what unanswered samples can change, and what repetitions are worth.

use super::dataset::ModelData;
use super::estimate;
use super::likelihood::{self, Per};
use super::model::{Omnibus, Replication, ScoreBounds};
use super::observed::{Observed, ObservedEpoch, ObservedPrompt};
use super::pairs;
use super::value::Value;
use crate::metric::{Metric, Unit};
use crate::record::ChoiceMetric;
use crate::stats::{Method, NotEstimable, cluster, rank};

/// The primary metric with unanswered samples as wrong and left out; `None` when every sample was answered.
pub(super) fn bounds(
    observed: &Observed,
    primary: &'static Metric,
    level: f64,
) -> Option<ScoreBounds> {
    // A text that failed has no worst value that could stand for it.
    if Per::parse(primary.id).is_some() {
        return None;
    }
    let observe = pairs::observe(primary.id)?;
    let all = observed.prompts.values().flat_map(|p| &p.epochs);
    let epochs: Vec<&ObservedEpoch> = all.filter(|e| concerned(primary, observe, e)).collect();
    let unanswered = epochs.iter().filter(|e| !e.is_answered()).count() as u64;
    if unanswered == 0 {
        return None;
    }
    let value = |of: &dyn Fn(&ObservedEpoch) -> Option<f64>| -> Value {
        let clusters = observed.prompts.values().map(|p: &ObservedPrompt| {
            let own = p.epochs.iter().filter(|e| concerned(primary, observe, e));
            let values: Vec<f64> = own.filter_map(of).collect();
            values
        });
        let clusters: Vec<Vec<f64>> = clusters.filter(|c| !c.is_empty()).collect();
        if primary.unit == Unit::Share {
            estimate::proportion(&clusters, level)
        } else {
            estimate::mean_of_prompts(&clusters, level).clipped(0.0, 10.0)
        }
    };
    Some(ScoreBounds {
        metric: primary,
        unanswered,
        of: epochs.len() as u64,
        as_wrong: value(&|e| {
            if e.is_answered() {
                observe(e)
            } else {
                Some(0.0)
            }
        }),
        left_out: value(&|e| observe(e).filter(|_| e.is_answered())),
    })
}

/// Whether a repetition belongs to the metric: a text to neither score nor pass rate, only questions to an accuracy.
pub(super) fn concerned(primary: &Metric, observe: pairs::Observe, epoch: &ObservedEpoch) -> bool {
    match ChoiceMetric::parse(primary.id) {
        Some(_) => observe(epoch).is_some(),
        None => !epoch.is_text(),
    }
}

/// What the repetitions of prompts are worth for the score; `None` with one each, and when nothing varies.
pub(super) fn replication(data: &ModelData<'_>) -> Option<Replication> {
    let clusters = data.prompts.clusters(|s| s.score.score);
    if clusters.iter().all(|c| c.len() < 2) {
        return None;
    }
    let errors = cluster::clustered_errors(&clusters).ok()?;
    let parts = cluster::variance_components(&clusters).ok()?;
    Some(Replication {
        design_effect: errors.design_effect?,
        icc: parts.icc,
        effective: errors.n_eff?,
        prompts: errors.clusters,
        samples: errors.observations,
    })
}

/// Whether three models or more differ at all, on the prompts that all of them have a value of; `None` with fewer,
/// and when they do not measure the same thing.
pub(super) fn omnibus(observed: &[Observed], primary: &'static Metric) -> Option<Omnibus> {
    let (first, others) = observed.split_first()?;
    if others.len() < 2 {
        return None;
    }
    let observe = pairs::observe(primary.id)?;
    let mean = |p: &ObservedPrompt| {
        let values: Vec<f64> = p.epochs.iter().filter_map(observe).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let differ = |o: &Observed| {
        let groups = pairs::joined(first, o);
        !likelihood::is_comparable(primary.id, &groups)
    };
    if others.iter().any(differ) {
        return None;
    }
    let row = |(key, p): (&String, &ObservedPrompt)| -> Option<Vec<f64>> {
        let rest = others.iter().map(|o| mean(o.prompts.get(key)?));
        std::iter::once(mean(p)).chain(rest).collect()
    };
    let rows: Vec<Vec<f64>> = first.prompts.iter().filter_map(row).collect();
    let test = if rows.is_empty() {
        Err(NotEstimable::NoObservations)
    } else {
        rank::friedman(&rows)
    };
    Some(Omnibus {
        metric: primary,
        models: observed.len(),
        prompts: rows.len(),
        method: Method::Friedman.id(),
        test: test.map(|t| (t.statistic, t.df, t.p_value)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{self, Spec};
    use super::super::{AnalysisOptions, Warning, analyse};
    use crate::record::{Finish, Outcome};

    fn report(models: &[(&str, Vec<Spec>)], epochs: u32) -> super::super::ReportModel {
        let options = AnalysisOptions::default();
        analyse(&testkit::run(models, epochs), &testkit::prices(), &options)
    }

    fn scores(values: impl IntoIterator<Item = f64>) -> Vec<Spec> {
        values.into_iter().map(Spec::scored).collect()
    }

    #[test]
    fn three_models_are_tested_together_first() {
        // Ranks 1, 2, 3 on each of 6 prompts: chi-square 12 n / (k (k+1)) (sum of squared mean ranks - ...) = 12 with 2 degrees.
        let by = |add: f64| scores((0..6).map(move |i| f64::from(i) + add));
        let r = report(&[("a", by(0.0)), ("b", by(0.1)), ("c", by(0.2))], 1);
        let omnibus = r.omnibus.unwrap();
        let (chi2, df, p) = omnibus.test.unwrap();
        let (chi2, df) = (chi2.unwrap(), df.unwrap());
        assert!((chi2 - 12.0).abs() < 1e-9 && df == 2.0, "{chi2} {df}");
        assert!((p - (-6.0_f64).exp()).abs() < 1e-9, "{p}");
        assert_eq!(
            (omnibus.models, omnibus.prompts, omnibus.method),
            (3, 6, "friedman")
        );
        assert_eq!(report(&[("a", by(0.0)), ("b", by(0.1))], 1).omnibus, None);
        let same = report(&[("a", by(0.0)), ("b", by(0.0)), ("c", by(0.0))], 1);
        assert!(same.omnibus.unwrap().test.is_err());
    }

    #[test]
    fn unanswered_samples_bound_the_score_and_a_ranking_that_leans_on_them_is_said() {
        let unparsed = || Spec::scored(2.0).outcome(Outcome::Unparsed, Finish::Eos(2));
        let mut shy = vec![unparsed(); 10];
        shy.extend(scores([8.0; 14]));
        let bold = scores([6.0; 24]);
        let r = report(&[("shy", shy), ("bold", bold)], 1);
        let model = |name: &str| r.models.iter().find(|m| m.label == name).unwrap();
        let bounds = model("shy").bounds.as_ref().unwrap();
        assert_eq!((bounds.unanswered, bounds.of), (10, 24));
        assert!((bounds.as_wrong.point().unwrap() - 112.0 / 24.0).abs() < 1e-12);
        assert_eq!(bounds.left_out.point(), Some(8.0));
        assert_eq!(model("bold").bounds, None);
        let warning = r
            .warnings
            .iter()
            .find(|w| w.code() == "ranking_depends_on_unanswered");
        assert_eq!(
            warning.map(ToString::to_string).as_deref(),
            Some(
                "bold is before shy when unanswered samples count as wrong (6.00 against 4.67) and behind it when they are left out (6.00 against 8.00)"
            )
        );
        let clear = report(&[("a", scores([8.0; 24])), ("b", scores([6.0; 24]))], 1);
        let leans = |w: &Warning| w.code() == "ranking_depends_on_unanswered";
        assert!(!clear.warnings.iter().any(leans));
    }

    #[test]
    fn equal_repetitions_are_worth_one() {
        let twice = (0..12).flat_map(|i| [f64::from(i % 7), f64::from(i % 7)]);
        let r = report(&[("m", scores(twice))], 2);
        let found = r.models[0].replication.unwrap();
        assert_eq!((found.prompts, found.samples), (12, 24));
        // Both repetitions say the same: 24 samples are worth about 12.
        assert!((found.effective - 12.0).abs() < 1.1, "{found:?}");
        assert!((found.icc.unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(
            report(&[("m", scores([1.0, 2.0, 3.0]))], 1).models[0].replication,
            None
        );
    }
}
