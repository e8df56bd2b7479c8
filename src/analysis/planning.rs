//! What a plan can tell apart before anything is run.
//!
//! In: the number of prompts and epochs, and how much two models differed from prompt to prompt in earlier runs. Out: the smallest difference that the
//! plan detects, the prompts that a wanted difference needs, and which percentiles of latency will have a finite interval.
//!
//! The spread of paired differences decides. It is taken from earlier runs where there are some, of the planned models first, and is an assumption
//! otherwise; the result says which. Epochs divide the part of the spread that comes from repeating a prompt, which greedy decoding does not have.

use super::analyse::primary_of;
use super::dataset::ModelData;
use super::quality;
use crate::metric::{Metric, Unit};
use crate::record::{Digest, RunId, RunRecord, SampleRecord};
use crate::stats::power::{self, Errors};
use crate::stats::{desc, order};
use std::collections::{BTreeMap, BTreeSet};

/// Standard deviation of paired score differences, in points of 10, when no run tells one.
const ASSUMED_SD: f64 = 3.0;

/// Share of prompts that one of two models passes and the other does not, when no run tells one.
const ASSUMED_DISCORDANT: f64 = 0.2;

/// Prompts from which on a spread is taken from a run.
const LEAST_PROMPTS: usize = 6;

/// 80 % power at 5 %, two-sided.
const ERRORS: Errors = Errors::CUSTOMARY;

/// Confidence level of the intervals of percentiles.
const LEVEL: f64 = 0.95;

/// Percentiles that reports have.
const PERCENTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// Size of the score's scale.
const SCALE: f64 = 10.0;

/// What is planned.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'p> {
    /// The suite's primary metric.
    pub primary: &'p str,
    /// Content of the prompts.
    pub prompts: &'p BTreeSet<Digest>,
    /// Content ids of the models.
    pub models: &'p [Digest],
    /// Repetitions of every prompt.
    pub epochs: u32,
    /// Repetitions give the same answer.
    pub greedy: bool,
    /// Difference of the primary metric that is wanted: points of 10 for `score`, percentage points for `pass_rate`.
    pub detect: Option<f64>,
}

/// Where a spread comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpreadSource {
    /// No earlier run has two models on these prompts.
    Assumed,
    /// Earlier runs.
    Measured {
        /// The runs.
        runs: Vec<RunId>,
        /// Pairs of models.
        pairs: usize,
        /// Pairs of prompts, over all pairs of models.
        prompts: usize,
        /// Whether they are pairs of the planned models.
        planned_models: bool,
    },
}

/// What a plan detects of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Detectable {
    /// Standard deviation of the paired differences of prompt means, in the metric's unit.
    pub sd: f64,
    /// For pass rates without repetitions: the share of prompts that one model passes and the other does not.
    pub discordant: Option<f64>,
    /// Smallest difference; `None` when the plan detects none that the scale has room for.
    pub difference: Option<f64>,
}

/// A percentile of latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PercentilePlan {
    /// 0.95 for p95.
    pub q: f64,
    /// Requests with which its interval is finite on both sides.
    pub needs: usize,
    /// Requests with which it has an upper bound.
    pub needs_upper: usize,
    /// Whether the plan has as many.
    pub bounded: bool,
}

/// What a plan can tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// The primary metric.
    pub primary: &'static Metric,
    /// Prompts.
    pub prompts: usize,
    /// Type I error and power of every figure here.
    pub errors: Errors,
    /// Smallest difference in standard deviations of the paired differences.
    pub dz: Option<f64>,
    /// Of the score, in points of 10.
    pub score: Detectable,
    /// Of the pass rate, as a share.
    pub pass_rate: Detectable,
    /// Where the spreads come from.
    pub source: SpreadSource,
    /// The difference wanted of the primary metric, and the prompts it needs; `None` when no number is enough, and when the metric is neither a
    /// share nor in points.
    pub detect: Option<(f64, Option<f64>)>,
    /// More than one epoch, and every one gives the same answer.
    pub idle_epochs: bool,
    /// Which percentiles of latency will have a finite interval. Epochs of one prompt take alike time and count once.
    pub percentiles: Vec<PercentilePlan>,
}

/// Sums that give the spread of one pair of models on the planned prompts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    prompts: usize,
    /// Variance between prompts of the differences, without the part of the repetitions.
    between: f64,
    /// Variance of one repetition, both models together; 0 also where nothing was repeated.
    within: f64,
}

impl Spread {
    /// From the values of both sides for each prompt.
    fn of(groups: &[[Vec<f64>; 2]]) -> Option<Self> {
        let mean = |v: &Vec<f64>| desc::mean(v);
        let differences: Option<Vec<f64>> = groups
            .iter()
            .map(|[a, b]| Some(mean(a)? - mean(b)?))
            .collect();
        let all = desc::variance(&differences?)?;
        // Of one repetition, and of the mean of as many as there were.
        let (mut within, mut of_mean) = (0.0, 0.0);
        for side in groups.iter().flatten() {
            let variance = desc::variance(side).unwrap_or(0.0);
            within += variance;
            of_mean += variance / side.len() as f64;
        }
        let n = groups.len() as f64;
        Some(Self {
            prompts: groups.len(),
            between: (all - of_mean / n).max(0.0),
            within: within / n,
        })
    }

    fn sd(self, epochs: f64) -> f64 {
        (self.between + self.within / epochs).sqrt()
    }

    /// Pooled over pairs of models, each weighed by its degrees of freedom.
    fn pooled(all: &[Self]) -> Option<Self> {
        let weight = |s: &Self| s.prompts as f64 - 1.0;
        let sum = |f: &dyn Fn(&Self) -> f64| all.iter().map(|s| weight(s) * f(s)).sum::<f64>();
        let total: f64 = all.iter().map(weight).sum();
        (total > 0.0).then(|| Self {
            prompts: all.iter().map(|s| s.prompts).sum(),
            between: sum(&|s| s.between) / total,
            within: sum(&|s| s.within) / total,
        })
    }
}

/// What one pair of models showed in one run.
#[derive(Debug, Clone)]
struct Seen {
    run: RunId,
    score: Spread,
    pass: Spread,
    discordant: f64,
}

/// What earlier runs show of the spread. Runs are added newest first; of each pair of models the newest counts.
#[derive(Debug, Clone, Default)]
pub struct Spreads(BTreeMap<[Digest; 2], Seen>);

impl Spreads {
    /// Adds every pair of models of a run that answered enough of the prompts.
    pub fn add(&mut self, run: &RunRecord, prompts: &BTreeSet<Digest>) {
        let data: Vec<ModelData<'_>> = run.models.iter().map(|m| ModelData::of(run, m)).collect();
        for (i, a) in data.iter().enumerate() {
            for b in &data[i + 1..] {
                let mut key = [a, b].map(|d| d.model.planned.id.clone());
                key.sort();
                if let (false, Some(seen)) = (self.0.contains_key(&key), seen(run, a, b, prompts)) {
                    self.0.insert(key, seen);
                }
            }
        }
    }

    /// The pairs of the planned models, or else all, and whether they are the planned ones.
    fn chosen(&self, models: &[Digest]) -> (Vec<&Seen>, bool) {
        let planned = |key: &[Digest; 2]| key.iter().all(|id| models.contains(id));
        let own: Vec<&Seen> = self
            .0
            .iter()
            .filter(|(k, _)| planned(k))
            .map(|(_, s)| s)
            .collect();
        if own.is_empty() {
            (self.0.values().collect(), false)
        } else {
            (own, true)
        }
    }
}

/// Values of both models for each prompt where both have some.
fn groups(
    a: &ModelData<'_>,
    b: &ModelData<'_>,
    prompts: &BTreeSet<Digest>,
    value: impl Fn(&SampleRecord) -> Option<f64>,
) -> Vec<[Vec<f64>; 2]> {
    let other = b.prompts.by_content();
    a.prompts
        .by_content()
        .iter()
        .filter(|(content, _)| prompts.contains(**content))
        .filter_map(|(content, own)| {
            let values = |all: &[&SampleRecord]| -> Vec<f64> {
                all.iter().filter_map(|s| value(s)).collect()
            };
            Some([values(own), values(other.get(content)?)])
        })
        .filter(|sides| sides.iter().all(|s| !s.is_empty()))
        .collect()
}

fn seen(
    run: &RunRecord,
    a: &ModelData<'_>,
    b: &ModelData<'_>,
    prompts: &BTreeSet<Digest>,
) -> Option<Seen> {
    let score = groups(a, b, prompts, |s| s.score.score);
    let pass = groups(a, b, prompts, quality::passed);
    if score.len().min(pass.len()) < LEAST_PROMPTS {
        return None;
    }
    let once: Vec<bool> = pass
        .iter()
        .map(|[a, b]| (a[0] > 0.5) != (b[0] > 0.5))
        .collect();
    Some(Seen {
        run: run.header.id.clone(),
        score: Spread::of(&score)?,
        pass: Spread::of(&pass)?,
        discordant: once.iter().filter(|d| **d).count() as f64 / once.len() as f64,
    })
}

/// What the plan can tell.
pub fn resolution(planned: &Planned<'_>, spreads: &Spreads) -> Resolution {
    let n = planned.prompts.len();
    let (seen, own) = spreads.chosen(planned.models);
    let epochs = if planned.greedy {
        1.0
    } else {
        f64::from(planned.epochs.max(1))
    };
    let pooled = |pick: fn(&Seen) -> Spread| {
        let all: Vec<Spread> = seen.iter().map(|s| pick(s)).collect();
        Spread::pooled(&all)
    };
    let (score, pass) = (pooled(|s| s.score), pooled(|s| s.pass));
    let sd = score.map_or(ASSUMED_SD, |s| s.sd(epochs));
    let total: usize = seen.iter().map(|s| s.pass.prompts).sum();
    let discordant = seen
        .iter()
        .map(|s| s.discordant * s.pass.prompts as f64)
        .sum::<f64>();
    let discordant = pass.map_or(ASSUMED_DISCORDANT, |_| discordant / total as f64);
    let dz = power::paired_t_effect(n, ERRORS).ok();
    let pass_rate = passes(n, epochs, pass, discordant, dz);
    Resolution {
        primary: primary_of(planned.primary).0,
        prompts: n,
        errors: ERRORS,
        dz,
        detect: planned.detect.map(|d| {
            let needed = match primary_of(planned.primary).0.unit {
                Unit::Share => pass_prompts(d / 100.0, &pass_rate),
                Unit::Points => t_prompts(d, sd),
                // The spread of no other metric is known.
                _ => None,
            };
            (d, needed.map(f64::ceil))
        }),
        score: Detectable {
            sd,
            discordant: None,
            difference: dz.map(|dz| dz * sd).filter(|d| *d <= SCALE),
        },
        pass_rate,
        source: source(&seen, own),
        idle_epochs: planned.greedy && planned.epochs > 1,
        percentiles: percentiles(n),
    }
}

/// Pass rates: McNemar's pairs without repetitions, the paired t on prompt means with them.
fn passes(
    n: usize,
    epochs: f64,
    spread: Option<Spread>,
    discordant: f64,
    dz: Option<f64>,
) -> Detectable {
    // Differences of -1, 0 and 1 vary most when none of them is more frequent than its opposite.
    let sd = spread.map_or(discordant.sqrt(), |s| s.sd(epochs));
    if epochs > 1.0 {
        return Detectable {
            sd,
            discordant: None,
            difference: dz.map(|dz| dz * sd).filter(|d| *d <= 1.0),
        };
    }
    Detectable {
        sd,
        discordant: Some(discordant),
        difference: power::mcnemar_effect(n, discordant, ERRORS).ok(),
    }
}

fn t_prompts(difference: f64, sd: f64) -> Option<f64> {
    power::paired_t_units(difference / sd, ERRORS).ok()
}

fn pass_prompts(difference: f64, pass: &Detectable) -> Option<f64> {
    let Some(psi) = pass.discordant else {
        return t_prompts(difference, pass.sd);
    };
    // A difference above the discordant share would need more discordant prompts than there are: then all point one way.
    let psi = psi.max(difference);
    power::mcnemar_pairs(
        f64::midpoint(psi, difference),
        (psi - difference) / 2.0,
        ERRORS,
    )
    .ok()
}

fn source(seen: &[&Seen], planned_models: bool) -> SpreadSource {
    if seen.is_empty() {
        return SpreadSource::Assumed;
    }
    let runs: BTreeSet<RunId> = seen.iter().map(|s| s.run.clone()).collect();
    SpreadSource::Measured {
        runs: runs.into_iter().rev().collect(),
        pairs: seen.len(),
        prompts: seen.iter().map(|s| s.score.prompts).sum(),
        planned_models,
    }
}

fn percentiles(observations: usize) -> Vec<PercentilePlan> {
    PERCENTILES
        .into_iter()
        .filter_map(|q| {
            let needs = order::min_observations(q, LEVEL).ok()?;
            Some(PercentilePlan {
                q,
                needs,
                needs_upper: order::min_observations_upper(q, LEVEL).ok()?,
                bounded: observations >= needs,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{Spec, id, run};
    use super::*;

    fn contents(run: &RunRecord) -> BTreeSet<Digest> {
        run.samples.iter().map(|s| s.content.clone()).collect()
    }

    fn specs(scores: &[f64]) -> Vec<Spec> {
        scores.iter().map(|s| Spec::scored(*s)).collect()
    }

    fn plan<'p>(prompts: &'p BTreeSet<Digest>, models: &'p [Digest]) -> Planned<'p> {
        Planned {
            primary: "score",
            prompts,
            models,
            epochs: 1,
            greedy: true,
            detect: Some(0.5),
        }
    }

    fn numbered(n: u64) -> BTreeSet<Digest> {
        (0..n).map(|i| Digest::of(&i.to_le_bytes())).collect()
    }

    #[test]
    fn without_a_run_the_spread_is_an_assumption() {
        let prompts = numbered(15);
        let r = resolution(&plan(&prompts, &[]), &Spreads::default());
        assert_eq!(r.source, SpreadSource::Assumed);
        // 15 pairs detect dz 0.778 with 80 % power
        assert!((r.dz.unwrap() - 0.778).abs() < 1e-3);
        assert!((r.score.difference.unwrap() - 3.0 * 0.778).abs() < 3e-3);
        // 20 % discordant prompts need at least 37 to tell anything
        assert_eq!(r.pass_rate.difference, None);
        assert_eq!(r.detect, Some((0.5, Some(285.0))));
        let bounded: Vec<(f64, bool, usize, usize)> = r
            .percentiles
            .iter()
            .map(|p| (p.q, p.bounded, p.needs, p.needs_upper))
            .collect();
        assert_eq!(
            bounded,
            [
                (0.5, true, 6, 5),
                (0.9, false, 36, 29),
                (0.95, false, 72, 59),
                (0.99, false, 368, 299)
            ]
        );
    }

    #[test]
    fn the_planned_models_come_before_others_and_the_newest_run_before_older_ones() {
        let a: Vec<f64> = (0..12).map(|i| f64::from(i % 7)).collect();
        let b: Vec<f64> = (0..12).map(|i| f64::from(i * 5 % 11)).collect();
        let c: Vec<f64> = vec![1.0; 12];
        let run = run(&[("a", specs(&a)), ("b", specs(&b)), ("c", specs(&c))], 1);
        let prompts = contents(&run);
        let sd = |x: &[f64], y: &[f64]| {
            let d: Vec<f64> = x.iter().zip(y).map(|(x, y)| x - y).collect();
            desc::variance(&d).unwrap().sqrt()
        };
        let mut spreads = Spreads::default();
        spreads.add(&run, &prompts);
        let mut older = run.clone();
        older.header.id = RunId::new("00000000000000");
        for sample in &mut older.samples {
            sample.score.score = Some(5.0);
        }
        spreads.add(&older, &prompts);
        let own = resolution(&plan(&prompts, &[id("b"), id("a")]), &spreads);
        assert!((own.score.sd - sd(&a, &b)).abs() < 1e-12);
        assert_eq!(
            own.source,
            SpreadSource::Measured {
                runs: vec![run.header.id.clone()],
                pairs: 1,
                prompts: 12,
                planned_models: true
            }
        );
        let others = resolution(&plan(&prompts, &[id("x"), id("y")]), &spreads);
        let pooled = (sd(&a, &b).powi(2) + sd(&a, &c).powi(2) + sd(&b, &c).powi(2)) / 3.0;
        assert!((others.score.sd - pooled.sqrt()).abs() < 1e-12);
        assert!(matches!(
            others.source,
            SpreadSource::Measured {
                pairs: 3,
                planned_models: false,
                ..
            }
        ));
        // Other prompts say nothing about these.
        let mut foreign = Spreads::default();
        foreign.add(&run, &numbered(12));
        let none = resolution(&plan(&prompts, &[]), &foreign);
        assert_eq!(none.source, SpreadSource::Assumed);
    }

    #[test]
    fn epochs_divide_the_spread_of_repetitions_and_nothing_when_greedy() {
        // Every prompt is repeated twice, 2 points apart, in both models; the means differ by 0, 4, 0, 4, ...
        let a: Vec<f64> = (0..16).map(|i| [4.0, 6.0][i % 2]).collect();
        let b: Vec<f64> = (0..16).map(|i| [4.0, 6.0, 8.0, 10.0][i % 4]).collect();
        let run = run(&[("a", specs(&a)), ("b", specs(&b))], 2);
        let prompts = contents(&run);
        assert_eq!(prompts.len(), 8);
        let mut spreads = Spreads::default();
        spreads.add(&run, &prompts);
        let at = |epochs, greedy| {
            let planned = Planned {
                epochs,
                greedy,
                ..plan(&prompts, &[])
            };
            resolution(&planned, &spreads)
        };
        // variance of 0 and -4 in turn over 8 prompts; of one repetition 2 in each model
        let (all, within): (f64, f64) = (32.0 / 7.0, 4.0);
        for epochs in [1, 2, 5] {
            let expected = (all - within / 2.0 + within / f64::from(epochs)).sqrt();
            assert!(
                (at(epochs, false).score.sd - expected).abs() < 1e-12,
                "{epochs}"
            );
            assert!(!at(epochs, false).idle_epochs);
        }
        assert_eq!(at(5, true).score.sd, at(1, true).score.sd);
        assert!(at(5, true).idle_epochs && !at(1, true).idle_epochs);
        assert_eq!(at(5, false).pass_rate.discordant, None);
    }

    #[test]
    fn a_pass_rate_as_primary_is_wanted_in_percentage_points() {
        let prompts = numbered(155);
        let planned = Planned {
            primary: "pass_rate",
            detect: Some(10.0),
            ..plan(&prompts, &[])
        };
        let r = resolution(&planned, &Spreads::default());
        assert!((r.pass_rate.difference.unwrap() - 0.1).abs() < 5e-4);
        assert_eq!(r.detect, Some((10.0, Some(155.0))));
        let wide = Planned {
            detect: Some(50.0),
            ..planned
        };
        assert!(
            resolution(&wide, &Spreads::default())
                .detect
                .unwrap()
                .1
                .unwrap()
                < 20.0
        );
    }

    #[test]
    fn the_spread_of_the_score_plans_no_other_metric() {
        let prompts = numbered(15);
        let planned = Planned {
            primary: "bits_per_byte",
            ..plan(&prompts, &[])
        };
        let r = resolution(&planned, &Spreads::default());
        assert_eq!(
            (r.primary.id, r.detect),
            ("bits_per_byte", Some((0.5, None)))
        );
    }

    #[test]
    fn models_that_never_differ_leave_nothing_to_detect() {
        let run = run(&[("a", specs(&[5.0; 8])), ("b", specs(&[5.0; 8]))], 1);
        let prompts = contents(&run);
        let mut spreads = Spreads::default();
        spreads.add(&run, &prompts);
        let r = resolution(&plan(&prompts, &[]), &spreads);
        assert_eq!((r.score.sd, r.pass_rate.difference), (0.0, None));
        assert_eq!(r.detect, Some((0.5, None)));
    }
}
