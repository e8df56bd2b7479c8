//! Two sides in full: everything `evalh compare` says, as data.
//!
//! The differences, tests and verdicts are those of [`compare`](super::compare); this adds what each side has on the same prompts, what
//! pairing was worth, the methods that check the chosen one, which samples changed, and what the reader should beware of.
//!
//! Formulas: the paired standard error is sd(d)/√N, the unpaired one √(s²_A/N + s²_B/N); an unpaired comparison needs the square of their
//! ratio times the prompts to see the same difference. For ratios both are taken on logarithms.

use super::caution::{self, ContrastCaution};
use super::changes::{self, PromptChanges};
use super::error::AnalysisError;
use super::estimate;
use super::likelihood::{self, Per};
use super::model::{ComparisonReport, PairReport, Verdict};
use super::observed::{HostClass, Observed, ObservedEpoch, ObservedSuite};
use super::options::AnalysisOptions;
use super::pairs::{self, COMPARED, DESCRIBED, Groups, Kind};
use super::shape;
use super::value::{Absence, Value};
use crate::cost::{Machine, PriceCard, Work};
use crate::metric::Metric;
use crate::record::{Digest, Outcome};
use crate::stats::rank::{self, Alternative};
use crate::stats::{Comparison, Estimate, NotEstimable, Seed, Test};
use crate::stats::{desc, effect, paired, paired_binary, perm, ratio};

/// Most signs drawn for one sign-flip test; more prompts get fewer patterns, at least [`LEAST_FLIPS`].
const MOST_SIGNS: usize = 200_000_000;
/// Fewest patterns of a sign-flip test.
const LEAST_FLIPS: usize = 1_000;
/// Most pairs of which all averages are formed.
const MOST_WALSH: usize = 2_000;
/// Tasks that costs are given for.
const TASKS: f64 = 1_000.0;

/// A comparison of two sides.
#[derive(Debug, Clone, PartialEq)]
pub struct ContrastReport {
    /// Confidence level of every interval.
    pub level: f64,
    /// The metric that decides.
    pub primary: &'static Metric,
    /// Name that `score` or `pass_rate` has in the files compared; `None` for runs.
    pub metric: Option<String>,
    /// A and B.
    pub sides: [SideReport; 2],
    /// Prompts that both sides have.
    pub prompts: usize,
    /// The differences with their tests. Position 0 is A, position 1 is B.
    pub pair: PairReport,
    /// What belongs to each metric, tested ones first, then described ones, in the order of `pair`.
    pub details: Vec<Detail>,
    /// The primary metric with the unanswered samples left out; `None` when every sample was answered.
    pub answered: Option<Answered>,
    /// Which samples changed.
    pub changes: PromptChanges,
    /// The price card the costs were computed with.
    pub prices: PriceCard,
    /// What the reader should know, most important first.
    pub cautions: Vec<ContrastCaution>,
}

impl ContrastReport {
    /// The metrics with what belongs to them: tested ones first, then described ones.
    pub fn rows(&self) -> impl Iterator<Item = (&ComparisonReport, &Detail)> {
        let all = self.pair.comparisons.iter().chain(&self.pair.described);
        all.zip(&self.details)
    }
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct SideReport {
    /// Name, with its source behind it where both sides have the same.
    pub label: String,
    /// `run ID`, or a path.
    pub source: String,
    /// Content id of the model.
    pub model: Option<Digest>,
    /// Its suite.
    pub suite: Option<ObservedSuite>,
    /// Its machine.
    pub host: Option<HostClass>,
    /// Prompts it has.
    pub prompts: usize,
    /// Samples it has, epochs counted singly.
    pub samples: usize,
    /// Prompts that the other side does not have.
    pub only: usize,
    /// Samples of the joined prompts.
    pub joined_samples: usize,
    /// What became of the samples of the joined prompts, zeros included, in the order they are printed; empty for files that do not tell.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Samples of the joined prompts that could neither be scored nor judged.
    pub unscored: u64,
    /// Peak memory.
    pub peak_bytes: Option<u64>,
    /// Time of loading.
    pub load_ns: Option<u64>,
}

/// What belongs to the comparison of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    /// A and B on the prompts where both have a value.
    pub sides: [Value; 2],
    /// Standardised difference with its interval.
    pub effect: Value,
    /// What pairing was worth; `None` below 2 prompts and when the differences do not vary.
    pub pairing: Option<Pairing>,
    /// Prompts by result; `None` unless both sides have one result of 0 or 1 on each.
    pub table: Option<[u64; 4]>,
    /// Other methods on the same data. They check the chosen one and never replace it.
    pub also: Vec<Also>,
}

/// What comparing prompt by prompt was worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pairing {
    /// Standard error of the difference, paired.
    pub se_paired: f64,
    /// Standard error if the two sides had answered different prompts.
    pub se_unpaired: f64,
    /// Correlation of the two sides over prompts; `None` when one does not vary.
    pub correlation: Option<f64>,
    /// Times as many prompts that an unpaired comparison needs for the same error.
    pub saved: f64,
}

/// Another method on the same data.
#[derive(Debug, Clone, PartialEq)]
pub struct Also {
    /// Id of the method.
    pub method: &'static str,
    /// Its estimate with interval, on the scale of the comparison; `None` for a test alone.
    pub value: Option<Value>,
    /// Its statistic.
    pub statistic: Option<f64>,
    /// Degrees of freedom.
    pub df: Option<f64>,
    /// Its two-sided p-value, not corrected; `None` for an interval alone.
    pub p: Option<f64>,
}

/// The primary metric of the answered samples alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Samples without an answer to judge (unparsed, empty, truncated, refused, failed), A and B.
    pub unanswered: [u64; 2],
    /// Difference of the primary metric with these as wrong: nothing passed, 0 points.
    pub as_wrong: f64,
    /// Difference with them left out; `None` when no prompt was answered by both.
    pub left_out: Option<f64>,
    /// Prompts that both answered.
    pub prompts: usize,
}

/// Compares two sides in full.
///
/// # Errors
/// When the confidence level is not a share, or the two have no prompt in common.
pub fn contrast(
    a: &Observed,
    b: &Observed,
    prices: &PriceCard,
    options: &AnalysisOptions,
) -> Result<ContrastReport, AnalysisError> {
    let pair = pairs::compare(a, b, options)?;
    let groups = pairs::joined(a, b);
    let machine = Machine::new(prices);
    let rate = machine.as_ref().ok().map(|m| {
        let second = Work {
            seconds: 1.0,
            ..Work::default()
        };
        m.cost(&second).full_usd() * TASKS / 1e3
    });
    let work = Workbench {
        groups: &groups,
        single: pairs::single(&groups),
        level: options.level,
        points: a.metric.is_none(),
    };
    let rows = |table| pairs::applicable(table, &groups, [a, b]);
    let details = rows(&COMPARED)
        .into_iter()
        .chain(rows(&DESCRIBED))
        .map(|(id, kind, observe)| work.detail(id, *kind, *observe, rate))
        .collect();
    let primary = pairs::primary(a);
    let mut report = ContrastReport {
        level: options.level,
        primary,
        metric: a.metric.clone(),
        sides: [side(a, &groups, 0, b), side(b, &groups, 1, a)],
        prompts: groups.len(),
        pair,
        details,
        answered: answered(&groups, primary),
        changes: changes::changes(a, b, primary),
        prices: prices.clone(),
        cautions: Vec::new(),
    };
    report.cautions = caution::all(&report, &groups, [a, b], machine.as_ref().err());
    Ok(report)
}

fn side(own: &Observed, groups: &[Groups<'_>], position: usize, other: &Observed) -> SideReport {
    let epochs = || {
        groups.iter().flat_map(move |g| match position {
            0 => g.0,
            _ => g.1,
        })
    };
    let told = epochs().any(|e| e.outcome.is_some());
    let count = |o: &Outcome| epochs().filter(|e| e.outcome == Some(*o)).count() as u64;
    let twins = own.label == other.label;
    SideReport {
        label: if twins && own.source != own.label {
            format!("{} ({})", own.label, own.source)
        } else {
            own.label.clone()
        },
        source: own.source.clone(),
        model: own.model.clone(),
        suite: own.suite.clone(),
        host: own.host.clone(),
        prompts: own.prompts.len(),
        samples: own.samples(),
        only: own.prompts.len() - groups.len(),
        joined_samples: epochs().count(),
        outcomes: if told {
            Outcome::ALL.iter().map(|o| (*o, count(o))).collect()
        } else {
            Vec::new()
        },
        unscored: epochs()
            .filter(|e| e.score.is_none() && e.passed.is_none() && !e.is_text())
            .count() as u64,
        peak_bytes: own.peak_bytes,
        load_ns: own.load_ns,
    }
}

/// The primary metric with and without the samples that have no answer to judge.
fn answered(groups: &[Groups<'_>], primary: &Metric) -> Option<Answered> {
    if Per::parse(primary.id).is_some() {
        return None;
    }
    let observe = pairs::observe(primary.id)?;
    let concerned = |e: &ObservedEpoch| shape::concerned(primary, observe, e);
    let missing = |epochs: &[ObservedEpoch]| {
        let open = |e: &&ObservedEpoch| concerned(e) && !e.is_answered();
        epochs.iter().filter(open).count() as u64
    };
    let unanswered = [
        groups.iter().map(|g| missing(g.0)).sum(),
        groups.iter().map(|g| missing(g.1)).sum(),
    ];
    if unanswered == [0, 0] {
        return None;
    }
    let difference = |(a, b): &(Vec<f64>, Vec<f64>)| Some(desc::mean(a)? - desc::mean(b)?);
    let wrong = pairs::prompt_means(groups, |e| match (concerned(e), e.is_answered()) {
        (false, _) => None,
        (true, true) => observe(e),
        (true, false) => Some(0.0),
    });
    let left = pairs::prompt_means(groups, |e| observe(e).filter(|_| e.is_answered()));
    Some(Answered {
        unanswered,
        as_wrong: difference(&wrong)?,
        left_out: difference(&left),
        prompts: left.0.len(),
    })
}

/// What every metric of a comparison is worked out from.
struct Workbench<'a> {
    groups: &'a [Groups<'a>],
    single: bool,
    level: f64,
    /// Whether scores are points from 0 to 10.
    points: bool,
}

impl Workbench<'_> {
    fn detail(
        &self,
        id: &'static str,
        kind: Kind,
        observe: pairs::Observe,
        usd_per_ms: Option<f64>,
    ) -> Detail {
        let means = pairs::prompt_means(self.groups, observe);
        // Ratios are made of prompts where both are above zero.
        let (x, y) = match kind {
            Kind::Ratio => pairs::logs(&means),
            Kind::Difference | Kind::Pass | Kind::LogRatio => means.clone(),
        };
        let (a, b) = if kind == Kind::LogRatio {
            let exp = |logs: &[f64]| logs.iter().map(|x| x.exp()).collect::<Vec<f64>>();
            (exp(&means.0), exp(&means.1))
        } else {
            means
        };
        let table = (kind == Kind::Pass && self.single && !a.is_empty())
            .then(|| pairs::table(&a, &b))
            .flatten();
        let scale = if id == "local_usd_per_1k" {
            usd_per_ms
        } else {
            Some(1.0)
        };
        let sides = self.sides(id, kind, observe, scale);
        if !likelihood::is_comparable(id, self.groups) {
            return Detail {
                sides,
                effect: Absence::NotComparable(likelihood::WINDOWS).into(),
                pairing: None,
                table: None,
                also: Vec::new(),
            };
        }
        Detail {
            sides,
            effect: Value::from_stats(effect::cohen_dz(&x, &y, self.level), x.len()),
            pairing: pairing(&x, &y),
            table: table.map(|t| [t.both_pass, t.only_a, t.only_b, t.both_fail]),
            also: match (kind, &table) {
                (Kind::Pass, Some(table)) => self.binary(&x, &y, table),
                (Kind::Ratio | Kind::LogRatio, _) => self.ratios(id, (&a, &b), (&x, &y)),
                _ => self.means(id, &x, &y),
            },
        }
    }

    /// Both sides on the prompts where both have a value.
    fn sides(
        &self,
        id: &str,
        kind: Kind,
        observe: pairs::Observe,
        scale: Option<f64>,
    ) -> [Value; 2] {
        let Some(scale) = scale else {
            let why = "the price card cannot be used".to_owned();
            return [0, 1].map(|_| Absence::PriceCard(why.clone()).into());
        };
        let values = |epochs: &[ObservedEpoch]| -> Vec<f64> {
            epochs
                .iter()
                .filter_map(observe)
                .map(|v| {
                    if kind == Kind::LogRatio {
                        v.exp()
                    } else {
                        v * scale
                    }
                })
                .collect()
        };
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (x, y) in self.groups {
            let (x, y) = (values(x), values(y));
            if !x.is_empty() && !y.is_empty() {
                a.push(x);
                b.push(y);
            }
        }
        [a, b].map(|clusters| {
            if clusters.iter().flatten().any(|v| v.is_infinite()) {
                return Absence::TooLarge.into();
            }
            if kind == Kind::Pass {
                return estimate::proportion(&clusters, self.level);
            }
            let mean = estimate::mean_of_prompts(&clusters, self.level);
            match (id, kind) {
                ("score", _) if self.points => mean.clipped(0.0, 10.0),
                (_, Kind::Ratio | Kind::LogRatio) => mean.clipped(0.0, f64::MAX),
                _ => mean,
            }
        })
    }

    /// What checks a paired t on differences of means.
    fn means(&self, id: &str, x: &[f64], y: &[f64]) -> Vec<Also> {
        let mut out: Vec<Also> = Vec::new();
        out.extend(sign_flip(id, x, y));
        out.extend(Also::test(rank::wilcoxon(x, y, Alternative::TwoSided)));
        if x.len() <= MOST_WALSH {
            let centre = rank::hodges_lehmann(x, y, self.level).map(|h| h.estimate);
            out.extend(Also::interval(centre, x.len()));
        }
        out
    }

    /// What checks McNemar's mid-p and Tango's interval.
    fn binary(&self, x: &[f64], y: &[f64], table: &paired_binary::PairedTable) -> Vec<Also> {
        let mut out: Vec<Also> = Vec::new();
        out.extend(Also::test(paired_binary::mcnemar_exact(table)));
        out.extend(Also::comparison(
            paired::paired_t(x, y, self.level),
            x.len(),
        ));
        out.extend(Also::interval(
            paired_binary::newcombe_paired(table, self.level),
            x.len(),
        ));
        out
    }

    /// What checks the t on logarithms.
    fn ratios(&self, id: &str, (a, b): (&[f64], &[f64]), (x, y): (&[f64], &[f64])) -> Vec<Also> {
        let mut out: Vec<Also> = Vec::new();
        if COMPARED.iter().any(|(compared, _, _)| *compared == id) {
            out.extend(sign_flip(id, x, y));
        }
        let means = ratio::fieller_paired(a, b, self.level).map(|f| f.estimate);
        out.extend(Also::interval(means, a.len()));
        out
    }
}

/// The sign-flip test of the mean difference.
fn sign_flip(id: &str, x: &[f64], y: &[f64]) -> Option<Also> {
    let d: Vec<f64> = x.iter().zip(y).map(|(x, y)| x - y).collect();
    if d.len() < 2 {
        return None;
    }
    let flips = (MOST_SIGNS / d.len()).clamp(LEAST_FLIPS, perm::DEFAULT_FLIPS);
    let seed = Seed::from_parts(&["compare", id, "sign-flip"]);
    Also::test(perm::sign_flip(&d, seed, flips))
}

impl Also {
    fn test(test: Result<Test, NotEstimable>) -> Option<Self> {
        let test = test.ok()?;
        Some(Self {
            method: test.method.id(),
            value: None,
            statistic: test.statistic,
            df: test.df,
            p: Some(test.p_value),
        })
    }

    fn interval(estimate: Result<Estimate, NotEstimable>, observations: usize) -> Option<Self> {
        let estimate = estimate.ok()?;
        Some(Self {
            method: estimate.method.id(),
            value: Some(Value::from_stats(Ok(estimate), observations)),
            statistic: None,
            df: None,
            p: None,
        })
    }

    fn comparison(
        comparison: Result<Comparison, NotEstimable>,
        observations: usize,
    ) -> Option<Self> {
        let comparison = comparison.ok()?;
        let mut out = Self::interval(Ok(comparison.estimate), observations)?;
        if let Some(test) = comparison.test {
            (out.statistic, out.df, out.p) = (test.statistic, test.df, Some(test.p_value));
        }
        Some(out)
    }
}

/// What pairing was worth.
fn pairing(x: &[f64], y: &[f64]) -> Option<Pairing> {
    let n = x.len() as f64;
    let d: Vec<f64> = x.iter().zip(y).map(|(x, y)| x - y).collect();
    let se_paired = (desc::variance(&d)? / n).sqrt();
    let se_unpaired = ((desc::variance(x)? + desc::variance(y)?) / n).sqrt();
    let saved = (se_unpaired / se_paired).powi(2);
    (se_paired > 0.0 && saved.is_finite()).then(|| Pairing {
        se_paired,
        se_unpaired,
        correlation: desc::correlation(x, y),
        saved,
    })
}

impl Verdict {
    /// Whether this verdict says which side is better.
    pub fn is_resolved(&self) -> bool {
        matches!(self, Self::ToldApart { .. })
    }
}

#[cfg(test)]
#[path = "contrast_tests.rs"]
mod tests;
