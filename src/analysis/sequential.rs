//! A comparison that stops when it is resolved.
//!
//! In: records of two models in the order in which they come. Out: the evidence on the difference of the primary metric, and in a report of such a
//! run the interval that holds at every moment in the place of the one that assumes a fixed number of prompts.
//!
//! Decision and interval are the same computation on the same prompts (`stats::betting`): the run stops as resolved exactly when its report's
//! interval leaves 0 out. Neither depends on the order of the records.

use super::dataset::ModelData;
use super::error::AnalysisError;
use super::estimate::method_id;
use super::model::{PairReport, Stopping, TestReport, Verdict};
use super::value::Value;
use super::{likelihood, quality};
use crate::metric::{Direction, Metric, Unit};
use crate::record::{ChoiceMetric, Digest, Evidence, RunRecord, SampleRecord, TaskKind};
use crate::stats::betting::{self, Anytime};
use crate::stats::{Method, NotEstimable, desc};
use std::collections::{BTreeMap, BTreeSet};

/// Name of the setting that holds the level.
pub const UNTIL_RESOLVED: &str = "until-resolved";

/// The level at which a run stops; `None` for a run of a fixed number of prompts.
pub(super) fn level(run: &RunRecord) -> Option<f64> {
    let setting = run
        .header
        .settings
        .iter()
        .find(|s| s.name == UNTIL_RESOLVED)?;
    let level: f64 = setting.value.parse().ok()?;
    (level > 0.0 && level < 1.0).then_some(level)
}

/// How the run was stopped.
pub(super) fn stopping(run: &RunRecord) -> Option<Stopping> {
    Some(Stopping {
        level: level(run)?,
        looks: run.looks.clone(),
    })
}

/// The primary metric's value of a sample, and how far it can differ between two models.
fn observe(metric: &Metric, sample: &SampleRecord) -> Option<f64> {
    if let Some(choice) = ChoiceMetric::parse(metric.id) {
        // What failed in a task that is not known to ask for mutual information was put aside.
        let mutual = BTreeSet::from([sample.key.task.as_str()]);
        return likelihood::right(sample, choice, &mutual);
    }
    match metric.id {
        "pass_rate" => quality::passed(sample),
        "score" => sample.score.score,
        _ => None,
    }
}

fn range(metric: &Metric) -> f64 {
    if metric.unit == Unit::Share {
        1.0
    } else {
        10.0
    }
}

/// Values of one prompt: of the first model, of the second.
type Sides = [Vec<f64>; 2];

/// The evidence on the difference between two models while it comes in.
#[derive(Debug, Clone)]
pub struct Sequential {
    metric: &'static Metric,
    level: f64,
    models: [Digest; 2],
    prompts: BTreeMap<Digest, Sides>,
    /// Where mutual information decides: tasks that were seen to ask for it.
    mutual: BTreeSet<String>,
    /// Where it does: failed questions, with their side, of tasks that are not among them.
    aside: BTreeMap<String, Vec<(Digest, usize)>>,
}

/// What a suite has of a task, as far as it decides what can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskFacts {
    /// What its samples ask for.
    pub kind: TaskKind,
    /// Whether its choices are also scored without their question.
    pub mutual_info: bool,
}

impl Sequential {
    /// Checks that the primary metric named by a suite can be looked at any time: an e-value needs a range that a difference cannot leave, and a
    /// sample that gives the metric.
    ///
    /// # Errors
    /// When the metric has no bounds, or none of the `tasks` measures it.
    pub fn check(primary: &str, tasks: &[TaskFacts]) -> Result<(), AnalysisError> {
        let refused = |metric| Err(AnalysisError::UnboundedPrimary { metric });
        // A perplexity does not order models, so that another metric would take its place unasked.
        if let Some(per) = likelihood::Per::parse(primary) {
            return refused(per.id());
        }
        let metric = super::analyse::primary_of(primary).0;
        let measures = |task: &TaskFacts| match ChoiceMetric::parse(metric.id) {
            Some(ChoiceMetric::AccMutualInfo) => task.kind == TaskKind::Choice && task.mutual_info,
            Some(_) => task.kind == TaskKind::Choice,
            None => task.kind != TaskKind::Perplexity,
        };
        let bounded = matches!(metric.unit, Unit::Share | Unit::Points);
        if bounded && tasks.iter().any(measures) {
            return Ok(());
        }
        refused(metric.id)
    }

    /// No evidence yet on the primary metric named by a suite.
    pub fn new(primary: &str, level: f64, models: [Digest; 2]) -> Self {
        Self {
            metric: super::analyse::primary_of(primary).0,
            level,
            models,
            prompts: BTreeMap::new(),
            mutual: BTreeSet::new(),
            aside: BTreeMap::new(),
        }
    }

    /// Takes a record. One of a third model, or without a value, says nothing.
    pub fn observe(&mut self, sample: &SampleRecord) {
        let side = self.models.iter().position(|m| *m == sample.key.model);
        let Some(side) = side.filter(|side| !self.put_aside(*side, sample)) else {
            return;
        };
        if let Some(value) = observe(self.metric, sample) {
            self.push(sample.content.clone(), side, value);
        }
    }

    fn push(&mut self, content: Digest, side: usize, value: f64) {
        self.prompts.entry(content).or_default()[side].push(value);
    }

    /// Whether nothing is to be made of a sample yet: a question that failed is wrong by mutual information where its task asks for that, which
    /// only a question that did not fail tells.
    fn put_aside(&mut self, side: usize, sample: &SampleRecord) -> bool {
        if self.metric.id != ChoiceMetric::AccMutualInfo.as_str() || sample.kind != TaskKind::Choice
        {
            return false;
        }
        let task = &sample.key.task;
        if sample.scoring.is_none() && !self.mutual.contains(task) {
            let aside = self.aside.entry(task.clone()).or_default();
            aside.push((sample.content.clone(), side));
            return true;
        }
        if !likelihood::mutual_tasks(std::iter::once(sample)).is_empty() {
            self.mutual.insert(task.clone());
            for (content, side) in self.aside.remove(task).unwrap_or_default() {
                self.push(content, side, 0.0);
            }
        }
        false
    }

    /// Differences of the prompts `asked`, or of all, first model minus second.
    fn differences(&self, asked: Option<&BTreeSet<Digest>>) -> Vec<f64> {
        let mean = |values: &[f64]| {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        self.prompts
            .iter()
            .filter(|(content, _)| asked.is_none_or(|asked| asked.contains(content)))
            .filter_map(|(_, [a, b])| Some(mean(a)? - mean(b)?))
            .collect()
    }

    /// What is known from the prompts `asked`, or from all.
    pub fn evidence(&self, asked: Option<&BTreeSet<Digest>>) -> Evidence {
        let d = self.differences(asked);
        let known = betting::paired_ln_e_value(&d, range(self.metric)).ok();
        Evidence {
            prompts: d.len() as u32,
            difference: known.and_then(|_| desc::mean(&d)),
            ln_e_value: known,
            resolved: known.is_some_and(|e| betting::resolves(e, self.level)),
        }
    }

    /// The same with the interval.
    fn anytime(&self) -> Result<Anytime, NotEstimable> {
        betting::paired_differences(&self.differences(None), range(self.metric), self.level)
    }
}

/// Puts the evidence that holds at every moment in the place of the primary comparison of a run that goes on until it is resolved.
pub(super) fn replace(
    pairs: &mut [PairReport],
    run: &RunRecord,
    data: &[&ModelData<'_>],
    primary: &'static Metric,
) {
    let (Some(level), [pair], [a, b]) = (level(run), pairs, data) else {
        return;
    };
    let models = [a, b].map(|d| d.model.planned.id.clone());
    let mut all = Sequential::new(primary.id, level, models);
    for sample in a.samples.iter().chain(&b.samples) {
        all.observe(sample);
    }
    let place = pair
        .comparisons
        .iter_mut()
        .find(|c| c.metric.id == primary.id);
    let (Some(comparison), Ok(known)) = (place, all.anytime()) else {
        return;
    };
    comparison.verdict = if betting::resolves(known.ln_e_value, level) {
        let more = known.estimate.point > 0.0;
        let first = more == (primary.direction != Direction::Lower);
        Verdict::ToldApart {
            better: if first { pair.a } else { pair.b },
        }
    } else {
        Verdict::NotToldApart
    };
    comparison.test = Some(TestReport {
        method: method_id(Method::BettingEValue),
        statistic: known.test.statistic,
        df: None,
        p: known.test.p_value,
        p_adjusted: known.test.p_value,
        adjustment: method_id(Method::Holm),
        family: 1,
    });
    // Both assume a fixed number of prompts.
    (comparison.prompts_needed, comparison.detectable) = (None, None);
    let observations = a.samples.len() + b.samples.len();
    comparison.value = Value::from_stats(Ok(known.estimate), observations);
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{self, Spec, id, run};
    use super::super::{AnalysisOptions, Warning, analyse};
    use super::*;
    use crate::record::{Look, LookVerdict, SettingRecord};
    use std::time::Duration;

    fn sequential(a: &[f64], b: &[f64], epochs: u32) -> RunRecord {
        let specs = |scores: &[f64]| scores.iter().map(|s| Spec::scored(*s)).collect();
        let mut run = run(&[("a", specs(a)), ("b", specs(b))], epochs);
        run.header.settings.push(SettingRecord {
            name: UNTIL_RESOLVED.to_owned(),
            value: "0.95".to_owned(),
            origin: "flag".to_owned(),
        });
        run
    }

    fn evidence(run: &RunRecord) -> Evidence {
        let mut all = Sequential::new("score", 0.95, [id("a"), id("b")]);
        for sample in run.samples.iter().rev() {
            all.observe(sample);
        }
        all.evidence(None)
    }

    #[test]
    fn the_report_and_the_decision_are_one() {
        let mut seen = [false; 2];
        for shift in [0.0, 1.0, 2.0, 3.0, 4.0, 6.0] {
            let a: Vec<f64> = (0..30)
                .map(|i| 3.0 + f64::from(i % 4) + shift / 2.0)
                .collect();
            let b: Vec<f64> = (0..30)
                .map(|i| 3.0 + f64::from(i % 5) - shift / 2.0)
                .collect();
            let run = sequential(&a, &b, 1);
            let known = evidence(&run);
            let report = analyse(&run, &testkit::prices(), &AnalysisOptions::default());
            let c = report.pairs[0].comparison("score").unwrap();
            let told = matches!(c.verdict, Verdict::ToldApart { better: 0 });
            assert_eq!(known.resolved, told, "{shift}");
            let m = c.value.measured().unwrap();
            assert_eq!(!m.interval.unwrap().contains(0.0), told, "{shift}");
            assert_eq!(
                (m.method, m.n, known.prompts),
                ("betting-mixture-cs", 30, 30)
            );
            assert!(
                (known.difference.unwrap() - m.point).abs() < 1e-12
                    || report.models[0].id == id("b")
            );
            let test = c.test.as_ref().unwrap();
            assert_eq!((test.method, test.family), ("betting-mixture-e", 1));
            assert_eq!(c.prompts_needed, None);
            // the others are what they are in any run
            assert_eq!(
                report.pairs[0]
                    .comparison("pass_rate")
                    .unwrap()
                    .value
                    .measured()
                    .unwrap()
                    .method,
                "tango"
            );
            seen[usize::from(told)] = true;
        }
        assert_eq!(seen, [true, true]);
    }

    #[test]
    fn it_is_wider_than_the_interval_for_a_fixed_number() {
        let a: Vec<f64> = (0..40)
            .map(|i| f64::from(i * 7 % 11))
            .map(|x| x.min(10.0))
            .collect();
        let b: Vec<f64> = (0..40).map(|i| f64::from(i * 3 % 10)).collect();
        let width = |run: &RunRecord| {
            let report = analyse(run, &testkit::prices(), &AnalysisOptions::default());
            let c = report.pairs[0].comparison("score").unwrap().clone();
            c.value
                .measured()
                .unwrap()
                .interval
                .unwrap()
                .half_width()
                .unwrap()
        };
        let run = sequential(&a, &b, 1);
        let mut fixed = run.clone();
        fixed.header.settings.clear();
        assert!(width(&run) > 1.2 * width(&fixed));
    }

    #[test]
    fn epochs_are_one_prompt_and_records_of_others_say_nothing() {
        let twice = sequential(&[8.0, 6.0, 3.0, 3.0], &[2.0, 4.0, 3.0, 1.0], 2);
        let known = evidence(&twice);
        assert_eq!((known.prompts, known.difference), (2, Some(2.5)));
        let first = BTreeSet::from([twice.samples[0].content.clone()]);
        let mut all = Sequential::new("score", 0.95, [id("a"), id("b")]);
        for sample in &twice.samples {
            all.observe(sample);
        }
        let part = all.evidence(Some(&first));
        assert_eq!((part.prompts, part.difference), (1, Some(4.0)));
        let mut other = Sequential::new("score", 0.95, [id("x"), id("y")]);
        for sample in &twice.samples {
            other.observe(sample);
        }
        assert_eq!(
            other.evidence(None),
            Evidence {
                prompts: 0,
                difference: None,
                ln_e_value: None,
                resolved: false
            }
        );
    }

    #[test]
    fn the_reader_is_told_how_the_run_stopped() {
        let mut run = sequential(&[9.0; 16], &[1.0; 16], 1);
        run.looks.push(Look {
            number: 1,
            planned_prompts: 40,
            evidence: evidence(&run),
            verdict: LookVerdict::Resolved,
            loads: 2,
            load: Duration::from_secs(3),
        });
        let report = analyse(&run, &testkit::prices(), &AnalysisOptions::default());
        assert_eq!(report.stopping.as_ref().unwrap().looks.len(), 1);
        let warning = report
            .warnings
            .iter()
            .find(|w| matches!(w, Warning::UntilResolved { .. }))
            .unwrap();
        assert_eq!(
            warning.to_string(),
            "stopped after 16 of 40 prompts, when `score` was resolved: its interval holds at any stopping time, all others assume a fixed number of prompts"
        );
        run.header.settings.clear();
        let fixed = analyse(&run, &testkit::prices(), &AnalysisOptions::default());
        assert!(fixed.stopping.is_none());
    }
}
