//! One metric against its margin.
//!
//! Everything is turned so that a gain is positive and the limit is a loss of exactly the margin: differences keep their unit, ratios
//! become logarithms, metrics of which less is better change their sign. Then one rule judges all ([`equiv::gate`]): pass when the two-sided 90 %
//! interval of the gain lies above -margin, fail when it lies below, otherwise inconclusive. That is a one-sided 5 % test each way.
//!
//! Methods: paired t on prompt means; Tango's score interval for 0/1 outcomes answered once; paired t on logarithms for times, speeds and
//! costs; a bootstrap over prompts for high percentiles. Where every prompt differs by the same amount there is no t: the exact bound on the
//! share of prompts that could differ otherwise takes its place (`zero-failures`), with the widest difference the scale allows.

use super::margin::{Allowance, Basis, Gate};
use super::measure::{Pairs, Unit};
use super::model::{GateReason, GateVerdict};
use crate::analysis::value::{Measured, Value};
use crate::stats::boot;
use crate::stats::desc::{self, QuantileType};
use crate::stats::paired_binary::{self, PairedTable};
use crate::stats::power::{self, Errors};
use crate::stats::{Comparison, Estimate, Interval, Method, NotEstimable, Seed, StatWarning};
use crate::stats::{dist, equiv, order, paired, prop};

/// Confidence level: two-sided 90 %, which makes each side a test at 5 %.
pub(super) const LEVEL: f64 = 0.90;
/// The level of that one-sided test's bound.
const ONE_SIDED: f64 = 0.95;
/// Fewest and most resamples of a percentile's ratio.
const RESAMPLES: [usize; 2] = [200, 2_000];
/// Prompts drawn for one percentile's ratio, from which on there are fewer resamples: an interval of so many prompts is narrow.
const DRAWS: usize = 20_000_000;
/// Widest difference of two scores.
const POINTS: f64 = 10.0;

/// What the numbers say about one gate, before anything that forbids a pass.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) verdict: GateVerdict,
    pub(super) reason: Option<GateReason>,
    pub(super) value: Value,
    pub(super) sides: Option<(f64, f64)>,
    pub(super) p: Option<(f64, f64)>,
    pub(super) prompts_needed: Option<f64>,
}

/// An interval of the gain with the p-values of both one-sided tests.
struct Gain {
    /// On the gain's scale.
    interval: Option<Interval>,
    /// (of passing, of failing).
    p: (f64, f64),
    /// Point and standard deviation between prompts, on the gain's scale, for planning.
    spread: Option<(f64, f64)>,
    /// Candidate against baseline as people read it.
    value: Measured,
    /// Baseline and candidate.
    sides: (f64, f64),
}

/// Judges one metric on the prompts of both sides. `identical`: every completion of every prompt is the same.
pub(super) fn judge(gate: &Gate, basis: Basis, pairs: &Pairs, identical: bool) -> Judged {
    let gain = if identical && basis.is_difference() && unchanged(pairs) {
        return same(pairs);
    } else if basis.is_binary() && pairs.single {
        binary(gate, pairs)
    } else if basis.is_difference() {
        difference(gate, basis, pairs)
    } else if let Basis::Tail(_, q) = basis {
        tail(gate, pairs, q)
    } else {
        central(gate, basis, pairs)
    };
    match gain {
        Ok(gain) => conclude(gate, gain),
        Err(reason) => Judged {
            verdict: GateVerdict::Inconclusive,
            reason: Some(GateReason::NotEstimable(reason.clone())),
            value: Value::from_stats(Err(reason), pairs.units.len()),
            sides: None,
            p: None,
            prompts_needed: None,
        },
    }
}

fn conclude(gate: &Gate, gain: Gain) -> Judged {
    let margin = gate.margin();
    let verdict = gain
        .interval
        .and_then(|i| equiv::gate(&i, margin).ok())
        .unwrap_or(GateVerdict::Inconclusive);
    let open = verdict == GateVerdict::Inconclusive;
    let reason = match &gain.value.missing {
        Some(missing) if open && gain.interval.is_none() => {
            Some(GateReason::NotEstimable(missing.clone()))
        }
        _ => open.then_some(GateReason::Undecided),
    };
    let needed = gain
        .spread
        .filter(|_| open)
        .and_then(|(point, sd)| needed(point, sd, margin));
    Judged {
        verdict,
        reason,
        value: Value::Measured(gain.value),
        sides: Some(gain.sides),
        p: gain.interval.map(|_| gain.p),
        prompts_needed: needed,
    }
}

/// Prompts that would decide a gain like the one seen, whichever way it lies; `None` when it lies on the margin.
fn needed(point: f64, sd: f64, margin: f64) -> Option<f64> {
    let distance = (point + margin).abs();
    // The formula wants margin + difference; its sum is all that matters.
    power::non_inferiority_units(sd, distance, 0.0, Errors::CUSTOMARY)
        .ok()
        .filter(|n| n.is_finite() && *n > 0.0)
}

fn unchanged(pairs: &Pairs) -> bool {
    let (b, c) = pairs.means();
    b == c
}

/// Nothing changed: decided by identity, not by statistics.
fn same(pairs: &Pairs) -> Judged {
    let (b, _) = pairs.means();
    let mean = desc::mean(&b);
    let value = Measured {
        point: 0.0,
        interval: Some(Interval::new(LEVEL, 0.0, 0.0)),
        method: "identical-completions",
        n: pairs.units.len(),
        observations: pairs.units.len(),
        missing: None,
        notes: Vec::new(),
    };
    Judged {
        verdict: GateVerdict::Pass,
        reason: Some(GateReason::Identical),
        value: Value::Measured(value),
        sides: mean.map(|m| (m, m)),
        p: Some((0.0, 1.0)),
        prompts_needed: None,
    }
}

/// +1 where more is better, -1 where less is.
fn sign(gate: &Gate) -> f64 {
    if gate.higher_is_better() { 1.0 } else { -1.0 }
}

fn turned(interval: Interval, sign: f64) -> Interval {
    if sign > 0.0 {
        return interval;
    }
    Interval {
        level: interval.level,
        lower: interval.upper.map(|x| -x),
        upper: interval.lower.map(|x| -x),
    }
}

fn sides(b: &[f64], c: &[f64]) -> Result<(f64, f64), NotEstimable> {
    let mean = |xs: &[f64]| desc::mean(xs).ok_or(NotEstimable::NoObservations);
    Ok((mean(b)?, mean(c)?))
}

/// 0/1 outcomes answered once: Tango's score interval and test.
fn binary(gate: &Gate, pairs: &Pairs) -> Result<Gain, NotEstimable> {
    let (b, c) = pairs.means();
    let hits = |xs: &[f64]| xs.iter().map(|x| *x > 0.5).collect::<Vec<bool>>();
    let table = PairedTable::from_results(&hits(&c), &hits(&b))?;
    let estimate = paired_binary::tango(&table, LEVEL)?;
    let up = gate.higher_is_better();
    let gains = if up { table } else { table.swapped() };
    let p_pass = paired_binary::tango_non_inferiority(&gains, gate.margin())?.p_value;
    let n = table.units() as f64;
    let (won, lost) = (gains.only_a as f64 / n, gains.only_b as f64 / n);
    let point = won - lost;
    let sd = (won + lost - point * point).max(0.0).sqrt();
    Ok(Gain {
        interval: estimate.interval.map(|i| turned(i, sign(gate))),
        p: (p_pass, 1.0 - p_pass),
        spread: Some((point, sd)),
        value: Measured::from_estimate(estimate, pairs.units.len()),
        sides: sides(&b, &c)?,
    })
}

/// Differences of prompt means.
fn difference(gate: &Gate, basis: Basis, pairs: &Pairs) -> Result<Gain, NotEstimable> {
    let (b, c) = pairs.means();
    let comparison = paired::paired_t(&c, &b, LEVEL)?;
    let sides = sides(&b, &c)?;
    if comparison
        .estimate
        .warnings
        .contains(&StatWarning::ZeroVariance)
    {
        let widest = if basis.is_binary() { 1.0 } else { POINTS };
        return flat(gate, comparison.estimate, widest, sides);
    }
    Ok(Gain {
        interval: comparison.estimate.interval.map(|i| turned(i, sign(gate))),
        p: t_tests(&comparison, sign(gate), gate.margin()),
        spread: spread(&comparison, sign(gate)),
        value: Measured::from_estimate(comparison.estimate, pairs.units.len()),
        sides,
    })
}

/// p of passing and of failing from t on the gain's scale.
fn t_tests(comparison: &Comparison, sign: f64, margin: f64) -> (f64, f64) {
    let distance = sign * comparison.estimate.point + margin;
    match (comparison.se.filter(|se| *se > 0.0), comparison.df) {
        (Some(se), Some(df)) => {
            let t = distance / se;
            (dist::t_sf(t, df), dist::t_cdf(t, df))
        }
        // Without a spread between prompts the sign decides alone.
        _ if distance > 0.0 => (0.0, 1.0),
        _ if distance < 0.0 => (1.0, 0.0),
        _ => (1.0, 1.0),
    }
}

fn spread(comparison: &Comparison, sign: f64) -> Option<(f64, f64)> {
    let sd = comparison.se? * (comparison.estimate.n_units as f64).sqrt();
    (sd > 0.0).then_some((sign * comparison.estimate.point, sd))
}

/// Every prompt differs by the same amount. At most a share u of all prompts differs otherwise, by `widest` at most: the exact bound for no
/// exception in n prompts.
fn flat(
    gate: &Gate,
    estimate: Estimate,
    widest: f64,
    sides: (f64, f64),
) -> Result<Gain, NotEstimable> {
    let n = estimate.n_units;
    let bound = prop::zero_failure_upper(n as u64, ONE_SIDED)?;
    let share = bound.interval.and_then(|i| i.upper).unwrap_or(1.0);
    let (point, reach) = (estimate.point, share * widest);
    let interval = Interval::new(LEVEL, point - reach, point + reach).clipped(-widest, widest);
    let gain = sign(gate) * point;
    // The level at which the bound would just reach the margin.
    let p = |distance: f64| {
        let share = (distance / widest).clamp(0.0, 1.0);
        if distance > 0.0 {
            (1.0 - share).powf(n as f64)
        } else {
            1.0
        }
    };
    let distance = gain + gate.margin();
    Ok(Gain {
        interval: Some(turned(interval, sign(gate))),
        p: (p(distance), p(-distance)),
        spread: None,
        value: Measured {
            point,
            interval: Some(interval),
            method: bound.method.id(),
            n,
            observations: n,
            missing: None,
            notes: vec![StatWarning::ZeroVariance],
        },
        sides,
    })
}

/// The ratio of a typical prompt: paired t on logarithms.
fn central(gate: &Gate, basis: Basis, pairs: &Pairs) -> Result<Gain, NotEstimable> {
    let (b, c) = pairs.means();
    let logs = |xs: &[f64]| -> Vec<f64> {
        if basis.is_logged() {
            return xs.to_vec();
        }
        xs.iter().map(|x| x.ln()).collect()
    };
    let comparison = paired::paired_t(&logs(&c), &logs(&b), LEVEL)?;
    let value = if basis.is_logged() {
        of_logs(&comparison)?
    } else {
        let ratio = crate::stats::ratio::log_ratio_t(&c, &b, LEVEL)?;
        Measured::from_estimate(ratio, pairs.units.len())
    };
    let shown = if gate.metric.id.ends_with("_p50") {
        quantiles(pairs, 0.5)?
    } else {
        sides(&b, &c)?
    };
    Ok(Gain {
        interval: comparison.estimate.interval.map(|i| turned(i, sign(gate))),
        p: t_tests(&comparison, sign(gate), gate.margin()),
        spread: spread(&comparison, sign(gate)),
        value,
        sides: shown,
    })
}

/// The ratio of two values whose logarithms were compared.
fn of_logs(comparison: &Comparison) -> Result<Measured, NotEstimable> {
    let estimate = comparison.estimate.clone();
    let (n, value) = (estimate.n_units, estimate.point.exp());
    let logs = Value::Measured(Measured::from_estimate(estimate, n));
    match logs.exponentiated(Method::LogRatioT.id()) {
        Value::Measured(m) => Ok(m),
        Value::Absent(_) => Err(NotEstimable::NonFinite { index: 0, value }),
    }
}

/// A quantile of all values of the baseline and of the candidate.
fn quantiles(pairs: &Pairs, q: f64) -> Result<(f64, f64), NotEstimable> {
    let at = |side: fn(&Unit) -> &Vec<f64>| {
        let all: Vec<f64> = pairs
            .units
            .iter()
            .flat_map(|u| side(u).iter().copied())
            .collect();
        desc::quantile(&all, q, QuantileType::Type7).ok_or(NotEstimable::NoObservations)
    };
    Ok((at(|u| &u.baseline)?, at(|u| &u.candidate)?))
}

/// The ratio of two high percentiles: a bootstrap over prompts, each with both its sides.
fn tail(gate: &Gate, pairs: &Pairs, q: f64) -> Result<Gain, NotEstimable> {
    let units = &pairs.units;
    let needs = order::min_observations(q, LEVEL)?;
    let log_ratio = |drawn: &[&Unit]| -> f64 {
        let of = |side: fn(&Unit) -> &Vec<f64>| {
            let all: Vec<f64> = drawn.iter().flat_map(|u| side(u).iter().copied()).collect();
            desc::quantile(&all, q, QuantileType::Type7).unwrap_or(f64::NAN)
        };
        (of(|u| &u.candidate) / of(|u| &u.baseline)).ln()
    };
    let sides = quantiles(pairs, q)?;
    if units.len() < needs {
        return Err(NotEstimable::QuantileUnbounded {
            q,
            level: LEVEL,
            side: crate::stats::Side::Upper,
            needs,
            needs_one_sided: order::min_observations_upper(q, ONE_SIDED)?,
            has: units.len(),
        });
    }
    let seed = Seed::from_parts(&["gate", gate.metric.id]);
    let resamples = (DRAWS / units.len().max(1)).clamp(RESAMPLES[0], RESAMPLES[1]);
    let mut draws = boot::replicates(units, &log_ratio, resamples, seed)?;
    for x in &mut draws {
        *x *= sign(gate);
    }
    let side = |p: f64| desc::quantile(&draws, p, QuantileType::Type7);
    let (low, high) = side((1.0 - LEVEL) / 2.0)
        .zip(side(f64::midpoint(1.0, LEVEL)))
        .ok_or(NotEstimable::NoObservations)?;
    let interval = Interval::new(LEVEL, low, high);
    let beyond = |keep: &dyn Fn(f64) -> bool| {
        let hits = draws.iter().filter(|x| keep(**x)).count();
        (hits + 1) as f64 / (draws.len() + 1) as f64
    };
    let limit = -gate.margin();
    let shown = turned(interval, sign(gate));
    Ok(Gain {
        interval: Some(interval),
        p: (beyond(&|x| x <= limit), beyond(&|x| x >= limit)),
        spread: None,
        value: Measured {
            point: sides.1 / sides.0,
            interval: Some(Interval {
                level: LEVEL,
                lower: shown.lower.map(f64::exp),
                upper: shown.upper.map(f64::exp),
            }),
            method: crate::stats::Method::BootstrapPercentile.id(),
            n: units.len(),
            observations: units.iter().map(|u| u.candidate.len()).sum(),
            missing: None,
            notes: Vec::new(),
        },
        sides,
    })
}

/// Peak memory: one number a side and no interval, because it is a property of the program and not a mean over prompts.
pub(super) fn peak(gate: &Gate, baseline: Option<u64>, candidate: Option<u64>) -> Judged {
    let (Some(b), Some(c)) = (baseline.filter(|b| *b > 0), candidate) else {
        return Judged {
            verdict: GateVerdict::Inconclusive,
            reason: Some(GateReason::Missing {
                baseline: baseline.is_some_and(|b| b > 0),
                candidate: candidate.is_some(),
            }),
            value: Value::from_stats(Err(NotEstimable::NoObservations), 0),
            sides: None,
            p: None,
            prompts_needed: None,
        };
    };
    let (b, c) = (b as f64, c as f64);
    let limit = match gate.allowance {
        Allowance::Ratio(limit) => limit,
        Allowance::Loss(_) => 1.0,
    };
    let passes = c / b <= limit;
    Judged {
        verdict: if passes {
            GateVerdict::Pass
        } else {
            GateVerdict::Fail
        },
        reason: Some(GateReason::MeasuredOnce),
        value: Value::single(c / b, "measured-once", 1),
        sides: Some((b, c)),
        p: Some(if passes { (0.0, 1.0) } else { (1.0, 0.0) }),
        prompts_needed: None,
    }
}
