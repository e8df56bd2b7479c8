//! Two models on the prompts both have answered.
//!
//! Prompts are joined by content, so that runs, sessions and samples renamed since compare as long as they ask the same. Differences are
//! paired; with one epoch pass rates use McNemar's mid-p and Tango's interval, with several the paired t on prompt means. Times use the
//! paired t on logarithms. p-values are corrected over all pairs: Holm for the primary metric and, apart, for the secondary ones;
//! Benjamini-Hochberg for the exploratory ones.

use super::analyse::{primary_of, role_of};
use super::error::AnalysisError;
use super::estimate::method_id;
use super::likelihood::{self, Per};
use super::model::{ComparisonReport, PairReport, Role, Scale, TestReport, Verdict};
use super::observed::{Observed, ObservedEpoch, ObservedPrompt};
use super::options::AnalysisOptions;
use super::value::{Absence, Value};
use crate::metric::{self, Direction, Metric};
use crate::record::ChoiceMetric;
use crate::stats::paired_binary::{self, PairedTable};
use crate::stats::power::{self, Errors};
use crate::stats::{Comparison, Method, NotEstimable, Test};
use crate::stats::{dist, multi, paired};
use std::collections::BTreeMap;

/// Below this many prompts no verdict is given, whatever the p-value.
pub(super) const LEAST_PROMPTS: usize = 6;

/// Id of the interval of a ratio.
const LOG_RATIO: &str = "log-ratio-t";

/// Compares two models, of one run, of two, or of files. The first is `a`, position 0; the second is `b`, position 1.
///
/// # Errors
/// When the confidence level is not a share, or the two have no prompt in common.
pub fn compare(
    a: &Observed,
    b: &Observed,
    options: &AnalysisOptions,
) -> Result<PairReport, AnalysisError> {
    options.check()?;
    let primary = primary(a);
    let pair = raw_pair([0, 1], a, b, &mut Planner::new(options.level));
    if pair.prompts == 0 {
        return Err(AnalysisError::NothingInCommon {
            a: a.label.clone(),
            b: b.label.clone(),
            prompts_a: a.prompts.len(),
            prompts_b: b.prompts.len(),
        });
    }
    let mut reports = finish(vec![pair], primary, options.level);
    Ok(reports.remove(0))
}

/// The metric that decides: the suite's, or for a file whichever of the two it has.
pub(super) fn primary(observed: &Observed) -> &'static Metric {
    let scored = || {
        let mut epochs = observed.prompts.values().flat_map(|p| &p.epochs);
        epochs.any(|e| e.score.is_some())
    };
    let name = match &observed.suite {
        Some(suite) => suite.primary.as_str(),
        None if scored() => "score",
        None => "pass_rate",
    };
    primary_of(name).0
}

/// Every pair of models, in their order.
pub(super) fn all(models: &[Observed], primary: &'static Metric, level: f64) -> Vec<PairReport> {
    let mut planner = Planner::new(level);
    let mut raw = Vec::new();
    for (a, left) in models.iter().enumerate() {
        for (b, right) in models.iter().enumerate().skip(a + 1) {
            raw.push(raw_pair([a, b], left, right, &mut planner));
        }
    }
    finish(raw, primary, level)
}

/// A pair before the p-values are corrected.
struct RawPair {
    a: usize,
    b: usize,
    prompts: usize,
    unmatched: usize,
    comparisons: Vec<RawComparison>,
    described: Vec<RawComparison>,
}

/// A comparison before its p-value is corrected.
struct RawComparison {
    metric: &'static Metric,
    scale: Scale,
    value: Value,
    test: Option<Test>,
    effect: Option<f64>,
    needed: Option<f64>,
    detectable: Option<f64>,
    better: [u64; 3],
    prompts: usize,
}

/// Both sides' repetitions of one prompt.
pub(super) type Groups<'a> = (&'a [ObservedEpoch], &'a [ObservedEpoch]);

/// What one repetition says of a metric.
pub(super) type Observe = fn(&ObservedEpoch) -> Option<f64>;

/// How a metric of prompts is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Subtracted.
    Difference,
    /// Subtracted; with one epoch by the tests of paired proportions.
    Pass,
    /// Divided.
    Ratio,
    /// Divided; what is observed are their logarithms, because they may be too large for a number themselves.
    LogRatio,
}

/// A compared metric: its id, how it is compared, what a repetition says of it.
pub(super) type Row = (&'static str, Kind, Observe);

/// The rows that two sides can be compared by. What log-likelihoods give is left out where a side has none, and the perplexity of tokens between
/// different tokenizers.
pub(super) fn applicable<'r>(
    rows: &'r [Row],
    groups: &[Groups<'_>],
    [left, right]: [&Observed; 2],
) -> Vec<&'r Row> {
    let same_tokenizer = left.tokenizer.is_some() && left.tokenizer == right.tokenizer;
    let seen = |observe: Observe| {
        let any = |epochs: &[ObservedEpoch]| epochs.iter().any(|e| observe(e).is_some());
        groups.iter().any(|(x, y)| any(x) && any(y))
    };
    let measured = |id: &str| Per::parse(id).is_some() || ChoiceMetric::parse(id).is_some();
    rows.iter()
        .filter(|(id, _, observe)| !measured(id) || seen(*observe))
        .filter(|(id, _, _)| *id != Per::Token.id() || same_tokenizer)
        .collect()
}

/// What is tested, in the order of the catalogue.
pub(super) const COMPARED: [Row; 10] = [
    ("score", Kind::Difference, |e| e.score),
    ("pass_rate", Kind::Pass, |e| {
        e.passed.map(|p| f64::from(u8::from(p)))
    }),
    ("acc", Kind::Pass, |e| {
        e.likelihood?.accuracy(ChoiceMetric::Acc)
    }),
    ("acc_norm", Kind::Pass, |e| {
        e.likelihood?.accuracy(ChoiceMetric::AccNorm)
    }),
    ("acc_bytes", Kind::Pass, |e| {
        e.likelihood?.accuracy(ChoiceMetric::AccBytes)
    }),
    ("acc_mutual_info", Kind::Pass, |e| {
        e.likelihood?.accuracy(ChoiceMetric::AccMutualInfo)
    }),
    ("bits_per_byte", Kind::Ratio, |e| e.likelihood?.bits()),
    ("ttft_ms_mean", Kind::Ratio, |e| e.ttft_ms),
    ("e2e_ms_mean", Kind::Ratio, |e| e.e2e_ms),
    ("decode_tps", Kind::Ratio, |e| {
        Some(1e3 / e.tpot_ms.filter(|t| *t > 0.0)?)
    }),
];

/// What has an interval and no test: it says the same as a tested one in other words (the time of a token is the inverse of the speed; on
/// one machine and one price card costs are in the ratio of the times; a perplexity is a power of the bits), or neither side of it is better.
pub(super) const DESCRIBED: [Row; 6] = [
    ("token_perplexity", Kind::LogRatio, |e| {
        e.likelihood?.nats(Per::Token)
    }),
    ("word_perplexity", Kind::LogRatio, |e| {
        e.likelihood?.nats(Per::Word)
    }),
    ("byte_perplexity", Kind::LogRatio, |e| {
        e.likelihood?.nats(Per::Byte)
    }),
    ("tpot_ms_mean", Kind::Ratio, |e| e.tpot_ms),
    ("completion_tokens_mean", Kind::Ratio, |e| {
        e.completion_tokens.map(f64::from)
    }),
    ("local_usd_per_1k", Kind::Ratio, |e| e.e2e_ms),
];

/// What one repetition says of a compared metric.
pub(super) fn observe(id: &str) -> Option<Observe> {
    let row = COMPARED.iter().find(|(compared, _, _)| *compared == id)?;
    Some(row.2)
}

/// The prompts that both sides have, in the order of their keys.
pub(super) fn joined<'a>(left: &'a Observed, right: &'a Observed) -> Vec<Groups<'a>> {
    let of = |(key, x): (&String, &'a ObservedPrompt)| {
        Some((
            x.epochs.as_slice(),
            right.prompts.get(key)?.epochs.as_slice(),
        ))
    };
    left.prompts.iter().filter_map(of).collect()
}

fn raw_pair(
    [a, b]: [usize; 2],
    left: &Observed,
    right: &Observed,
    planner: &mut Planner,
) -> RawPair {
    let groups = joined(left, right);
    let mut all = |metrics: &[Row]| -> Vec<RawComparison> {
        let raw = |(id, kind, observe): &Row| {
            if !likelihood::is_comparable(id, &groups) {
                return incomparable(id);
            }
            let means = prompt_means(&groups, *observe);
            match kind {
                Kind::Difference => difference(id, &means, planner),
                Kind::Pass => passes(id, &groups, &means, planner),
                Kind::Ratio => ratio(id, &logs(&means), planner),
                Kind::LogRatio => ratio(id, &means, planner),
            }
        };
        applicable(metrics, &groups, [left, right])
            .into_iter()
            .filter_map(raw)
            .collect()
    };
    RawPair {
        a,
        b,
        prompts: groups.len(),
        unmatched: left.prompts.len() + right.prompts.len() - 2 * groups.len(),
        comparisons: all(&COMPARED),
        described: all(&DESCRIBED),
    }
}

/// Means of both sides for each prompt where both have a value.
pub(super) fn prompt_means(
    groups: &[Groups<'_>],
    value: impl Fn(&ObservedEpoch) -> Option<f64>,
) -> (Vec<f64>, Vec<f64>) {
    let mean = |group: &[ObservedEpoch]| {
        let values: Vec<f64> = group.iter().filter_map(&value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    groups
        .iter()
        .filter_map(|(x, y)| Some((mean(x)?, mean(y)?)))
        .unzip()
}

fn tally(metric: &Metric, a: &[f64], b: &[f64]) -> [u64; 3] {
    let mut out = [0; 3];
    for (x, y) in a.iter().zip(b) {
        let order = match metric.direction {
            Direction::Lower => y.total_cmp(x),
            Direction::Higher | Direction::Neutral => x.total_cmp(y),
        };
        out[match order {
            std::cmp::Ordering::Greater => 0,
            std::cmp::Ordering::Less => 1,
            std::cmp::Ordering::Equal => 2,
        }] += 1;
    }
    out
}

/// Sizes of effects at one confidence level and 80 % power.
struct Planner {
    level: f64,
    /// Smallest standardised difference by number of prompts. Pairs mostly share theirs, and one takes tens of milliseconds.
    effects: BTreeMap<usize, Option<f64>>,
}

impl Planner {
    fn new(level: f64) -> Self {
        Self {
            level,
            effects: BTreeMap::new(),
        }
    }

    fn errors(&self) -> Errors {
        Errors {
            alpha: 1.0 - self.level,
            ..Errors::CUSTOMARY
        }
    }

    /// Prompts for a standardised difference: ((z_a + z_b) / dz)^2 + z_a^2 / 2 (Guenther 1981), within one prompt of the noncentral t,
    /// whose search is too slow for the tiny differences of near-equal models.
    fn prompts(&self, dz: f64) -> Option<f64> {
        let e = self.errors();
        let (za, zb) = (
            dist::normal_quantile(1.0 - e.alpha / 2.0),
            dist::normal_quantile(e.power),
        );
        let n = ((za + zb) / dz).powi(2) + za * za / 2.0;
        n.is_finite().then_some(n)
    }

    /// Smallest standardised difference that `n` prompts show.
    fn effect(&mut self, n: usize) -> Option<f64> {
        let errors = self.errors();
        *self
            .effects
            .entry(n)
            .or_insert_with(|| power::paired_t_effect(n, errors).ok())
    }
}

/// A paired difference on prompt means.
fn difference(
    id: &str,
    (a, b): &(Vec<f64>, Vec<f64>),
    planner: &mut Planner,
) -> Option<RawComparison> {
    let metric = metric::find(id).ok()?;
    let result = paired::paired_t(a, b, planner.level);
    let n = a.len();
    let mut raw = RawComparison {
        metric,
        scale: Scale::Difference,
        value: Value::from_stats(result.clone().map(|c| c.estimate), n),
        test: None,
        effect: None,
        needed: None,
        detectable: None,
        better: tally(metric, a, b),
        prompts: n,
    };
    if let Ok(comparison) = result {
        raw.plan(&comparison, n, planner);
    }
    Some(raw)
}

impl RawComparison {
    /// Adds the test, the effect size and what more prompts could show.
    fn plan(&mut self, comparison: &Comparison, n: usize, planner: &mut Planner) {
        self.test = comparison.test.clone().or_else(|| constant(comparison, n));
        let Some(sd) = comparison
            .se
            .map(|se| se * (n as f64).sqrt())
            .filter(|sd| *sd > 0.0)
        else {
            return;
        };
        let dz = comparison.estimate.point / sd;
        self.effect = Some(dz);
        self.needed = planner.prompts(dz);
        self.detectable = planner.effect(n).map(|d| d * sd);
    }
}

/// The test where every prompt differs by the same amount, so that there is no t: the exact sign-flip test, of whose 2^n patterns only
/// the two without a mixed sign reach the mean seen.
fn constant(comparison: &Comparison, n: usize) -> Option<Test> {
    let differs = n > 1 && comparison.estimate.point != 0.0;
    let p = 2.0_f64.powf(1.0 - n as f64);
    differs.then(|| Test::new(Method::SignFlipExact, Some(comparison.estimate.point), p, n))
}

/// Logarithms of the prompts where both sides are above zero.
pub(super) fn logs((a, b): &(Vec<f64>, Vec<f64>)) -> (Vec<f64>, Vec<f64>) {
    let logs = |(x, y): (&f64, &f64)| (*x > 0.0 && *y > 0.0).then(|| (x.ln(), y.ln()));
    a.iter().zip(b).filter_map(logs).unzip()
}

/// A ratio a / b, by the paired t on logarithms of prompt means.
fn ratio(id: &str, logs: &(Vec<f64>, Vec<f64>), planner: &mut Planner) -> Option<RawComparison> {
    let mut raw = difference(id, logs, planner)?;
    raw.scale = Scale::Ratio;
    raw.detectable = raw.detectable.map(f64::exp).filter(|d| d.is_finite());
    raw.value = raw.value.exponentiated(LOG_RATIO);
    Some(raw)
}

/// A ratio that nothing is said of, because the two sides do not measure the same thing.
fn incomparable(id: &str) -> Option<RawComparison> {
    Some(RawComparison {
        metric: metric::find(id).ok()?,
        scale: Scale::Ratio,
        value: Absence::NotComparable(likelihood::WINDOWS).into(),
        test: None,
        effect: None,
        needed: None,
        detectable: None,
        better: [0; 3],
        prompts: 0,
    })
}

/// Whether every prompt has one repetition on both sides.
pub(super) fn single(groups: &[Groups<'_>]) -> bool {
    groups.iter().all(|(x, y)| x.len() == 1 && y.len() == 1)
}

/// The 2 x 2 table of results that are 0 or 1.
pub(super) fn table(a: &[f64], b: &[f64]) -> Option<PairedTable> {
    let results = |values: &[f64]| values.iter().map(|x| *x > 0.5).collect::<Vec<bool>>();
    PairedTable::from_results(&results(a), &results(b)).ok()
}

/// The difference of pass rates.
fn passes(
    id: &str,
    groups: &[Groups<'_>],
    means: &(Vec<f64>, Vec<f64>),
    planner: &mut Planner,
) -> Option<RawComparison> {
    let mut raw = difference(id, means, planner)?;
    if !single(groups) || means.0.is_empty() {
        return Some(raw);
    }
    let table = table(&means.0, &means.1)?;
    raw.value = Value::from_stats(paired_binary::tango(&table, planner.level), means.0.len());
    raw.test = paired_binary::mcnemar_mid_p(&table).ok();
    let n = table.units() as f64;
    let (only_a, only_b) = (table.only_a as f64 / n, table.only_b as f64 / n);
    raw.needed = power::mcnemar_pairs(only_a, only_b, planner.errors()).ok();
    Some(raw)
}

/// Corrects the p-values and gives the verdicts.
fn finish(raw: Vec<RawPair>, primary: &'static Metric, level: f64) -> Vec<PairReport> {
    let adjusted: Vec<(Role, Vec<f64>)> = [Role::Primary, Role::Secondary, Role::Exploratory]
        .into_iter()
        .map(|role| (role, adjust(&p_values(&raw, role, primary), role)))
        .collect();
    let mut next = [0_usize; 3];
    raw.into_iter()
        .map(|pair| {
            let (a, b) = (pair.a, pair.b);
            let comparisons = pair.comparisons.into_iter().map(|c| {
                let role = role_of(c.metric.id, primary);
                let slot = role as usize;
                let adjusted = &adjusted[slot].1;
                let test = c.test.clone().map(|t| {
                    let p_adjusted = adjusted.get(next[slot]).copied().unwrap_or(1.0);
                    next[slot] += 1;
                    test_report(&t, p_adjusted, role, adjusted.len())
                });
                report(c, test, role, [a, b], level)
            });
            PairReport {
                a,
                b,
                prompts: pair.prompts,
                unmatched: pair.unmatched,
                comparisons: comparisons.collect(),
                described: pair.described.into_iter().map(described).collect(),
            }
        })
        .collect()
}

fn p_values(raw: &[RawPair], role: Role, primary: &'static Metric) -> Vec<f64> {
    let comparisons = raw.iter().flat_map(|pair| &pair.comparisons);
    comparisons
        .filter(|c| role_of(c.metric.id, primary) == role)
        .filter_map(|c| c.test.as_ref().map(|t| t.p_value))
        .collect()
}

fn adjustment(role: Role) -> Method {
    match role {
        Role::Primary | Role::Secondary => Method::Holm,
        Role::Exploratory => Method::BenjaminiHochberg,
    }
}

fn adjust(p: &[f64], role: Role) -> Vec<f64> {
    // Empty families have nothing to correct. Where a correction cannot be made nothing is told apart.
    multi::adjust(p, adjustment(role)).unwrap_or_else(|_| vec![1.0; p.len()])
}

fn test_report(test: &Test, p_adjusted: f64, role: Role, family: usize) -> TestReport {
    TestReport {
        method: method_id(test.method),
        statistic: test.statistic,
        df: test.df,
        p: test.p_value,
        p_adjusted,
        adjustment: method_id(adjustment(role)),
        family,
    }
}

fn report(
    raw: RawComparison,
    test: Option<TestReport>,
    role: Role,
    positions: [usize; 2],
    level: f64,
) -> ComparisonReport {
    let verdict = verdict(&raw, test.as_ref(), positions, level);
    let resolved = matches!(verdict, Verdict::ToldApart { .. });
    ComparisonReport {
        metric: raw.metric,
        role,
        scale: raw.scale,
        value: raw.value,
        test,
        verdict,
        effect: raw.effect,
        prompts_needed: raw.needed.filter(|_| !resolved),
        detectable: raw.detectable,
        better: raw.better,
    }
}

/// A comparison without a test.
fn described(raw: RawComparison) -> ComparisonReport {
    ComparisonReport {
        metric: raw.metric,
        role: Role::Exploratory,
        scale: raw.scale,
        value: raw.value,
        test: None,
        verdict: Verdict::Described,
        effect: raw.effect,
        prompts_needed: None,
        detectable: None,
        better: raw.better,
    }
}

fn verdict(
    raw: &RawComparison,
    test: Option<&TestReport>,
    [a, b]: [usize; 2],
    level: f64,
) -> Verdict {
    let measured = match &raw.value {
        Value::Measured(m) => m,
        Value::Absent(absence) => return Verdict::Untestable(absence.clone()),
    };
    if raw.prompts < LEAST_PROMPTS {
        return Verdict::Untestable(Absence::NotEstimable(NotEstimable::TooFewUnits {
            method: Method::PairedT,
            needs: LEAST_PROMPTS,
            has: raw.prompts,
        }));
    }
    let Some(test) = test else {
        let reason = NotEstimable::NoVariation {
            method: Method::PairedT,
        };
        return Verdict::Untestable(Absence::NotEstimable(reason));
    };
    if test.p_adjusted >= 1.0 - level {
        return Verdict::NotToldApart;
    }
    let neutral = match raw.scale {
        Scale::Difference => 0.0,
        Scale::Ratio => 1.0,
    };
    let more = measured.point > neutral;
    let better = if more == (raw.metric.direction == Direction::Lower) {
        b
    } else {
        a
    };
    Verdict::ToldApart { better }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_number_of_prompts_is_within_one_of_the_exact_one() {
        let planner = Planner::new(0.95);
        for dz in [0.2, 0.3, 0.5, 0.8] {
            let exact = power::paired_t_units(dz, planner.errors()).unwrap();
            let quick = planner.prompts(dz).unwrap();
            assert!((exact - quick).abs() < 1.0, "{dz}: {exact} {quick}");
        }
        assert_eq!(planner.prompts(0.0), None);
    }
}
