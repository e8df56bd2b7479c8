//! Which method makes the interval of which number.
//!
//! One observation a prompt: t, Wilson, order statistics. Several: the prompt is the cluster. Sources: `docs/statistics.md`; the
//! percentile of clustered observations is Woodruff's (1952): the interval of the share below the point, read back as quantiles.

use super::dataset::Sums;
use super::value::{Absence, Measured, Value};
use crate::stats::desc::{self, QuantileType};
use crate::stats::{Interval, Method, NotEstimable, Side, StatWarning};
use crate::stats::{cluster, mean, order, prop, ratio};

/// Id of the percentile interval of clustered observations.
const WOODRUFF: &str = "woodruff-neff-t";

fn count(clusters: &[Vec<f64>]) -> usize {
    clusters.iter().map(Vec::len).sum()
}

fn replicated(clusters: &[Vec<f64>]) -> bool {
    clusters.iter().any(|c| c.len() > 1)
}

fn pooled(clusters: &[Vec<f64>]) -> Vec<f64> {
    clusters.iter().flatten().copied().collect()
}

/// Mean of prompt means with a t interval.
pub(super) fn mean_of_prompts(clusters: &[Vec<f64>], level: f64) -> Value {
    let result = if replicated(clusters) {
        cluster::mean_of_clusters_t(clusters, level)
    } else {
        mean::mean_t(&pooled(clusters), level)
    };
    Value::from_stats(result, count(clusters))
}

/// A share of samples; clusters hold 0 and 1.
pub(super) fn proportion(clusters: &[Vec<f64>], level: f64) -> Value {
    let n = count(clusters);
    let result = if replicated(clusters) {
        cluster::wilson_neff_t(clusters, level)
    } else {
        let hits = clusters.iter().flatten().filter(|x| **x > 0.5).count();
        prop::wilson(hits as u64, n as u64, level)
    };
    if n == 0 {
        return Absence::NoObservations.into();
    }
    Value::from_stats(result, n)
}

/// A share with its exact one-sided lower bound. With several observations a prompt the bound is Korn-Graubard's at twice the tail, so
/// that its lower side keeps the level.
pub(super) fn share_at_least(clusters: &[Vec<f64>], level: f64) -> Value {
    let n = count(clusters);
    if n == 0 {
        return Absence::NoObservations.into();
    }
    if !replicated(clusters) {
        let hits = clusters.iter().flatten().filter(|x| **x > 0.5).count();
        return Value::from_stats(prop::clopper_pearson_lower(hits as u64, n as u64, level), n);
    }
    let two_sided = 2.0 * level - 1.0;
    if two_sided <= 0.0 {
        return proportion(clusters, level);
    }
    let estimate = cluster::korn_graubard(clusters, two_sided).map(|mut e| {
        e.interval = e.interval.map(|i| Interval {
            level,
            upper: None,
            ..i
        });
        e
    });
    Value::from_stats(estimate, n)
}

/// A ratio of sums over prompts.
pub(super) fn ratio_of_sums(sums: &Sums, level: f64) -> Value {
    if sums.denominators.iter().sum::<f64>() <= 0.0 {
        return Absence::NoObservations.into();
    }
    let result = ratio::ratio_of_sums(&sums.numerators, &sums.denominators, level);
    Value::from_stats(result.map(|r| r.estimate), sums.observations).clipped(0.0, f64::MAX)
}

/// A quantile of all observations.
pub(super) fn quantile(clusters: &[Vec<f64>], q: f64, level: f64) -> Value {
    let mut all = pooled(clusters);
    if !replicated(clusters) {
        return Value::from_stats(order::quantile_interval(&all, q, level), all.len());
    }
    all.sort_by(f64::total_cmp);
    match woodruff(clusters, &all, q, level) {
        Ok(measured) => Value::Measured(measured),
        Err(reason) => Value::from_stats(Err(reason), all.len()),
    }
}

/// Woodruff's interval; `all` is sorted. A side is given only when the effective number of observations could bound the quantile at all.
fn woodruff(
    clusters: &[Vec<f64>],
    all: &[f64],
    q: f64,
    level: f64,
) -> Result<Measured, NotEstimable> {
    if all.is_empty() {
        return Err(NotEstimable::NoObservations);
    }
    let at = |p: f64| desc::quantile_sorted(all, p, QuantileType::Type7);
    let point = at(q);
    let mut measured = Measured {
        point,
        interval: None,
        method: WOODRUFF,
        n: clusters.len(),
        observations: all.len(),
        missing: None,
        notes: Vec::new(),
    };
    let below: Vec<Vec<f64>> = clusters
        .iter()
        .map(|c| c.iter().map(|x| f64::from(u8::from(*x <= point))).collect())
        .collect();
    let share = cluster::wilson_neff_t(&below, level)?;
    let Some((low, high)) = share.interval.and_then(|i| i.bounds()) else {
        measured.missing = share.reason;
        return Ok(measured);
    };
    // The share's interval is centred on the share seen; q itself takes its place, so that ties at the point do not shift it.
    let effective = cluster::effective_observations(&below)?;
    let (low, high) = (q - (share.point - low), q + (high - share.point));
    let reachable = |tail: f64| effective * tail.ln() <= ((1.0 - level) / 2.0).ln();
    let lower = reachable(1.0 - q).then(|| at(low.clamp(0.0, 1.0)));
    let upper = reachable(q).then(|| at(high.clamp(0.0, 1.0)));
    measured.missing = missing(lower, upper, q, level, effective)?;
    if lower.is_some() || upper.is_some() {
        measured.interval = Some(Interval {
            level,
            lower,
            upper,
        });
    }
    measured.notes = share.warnings;
    if measured.interval.is_some() && measured.missing.is_some() {
        measured.notes.push(StatWarning::Unbounded);
    }
    Ok(measured)
}

fn missing(
    lower: Option<f64>,
    upper: Option<f64>,
    q: f64,
    level: f64,
    effective: f64,
) -> Result<Option<NotEstimable>, NotEstimable> {
    let side = match (lower, upper) {
        (Some(_), Some(_)) => return Ok(None),
        (None, Some(_)) => Side::Lower,
        (Some(_), None) => Side::Upper,
        (None, None) => Side::Both,
    };
    let extreme = if side == Side::Lower { 1.0 - q } else { q };
    Ok(Some(NotEstimable::QuantileUnbounded {
        q,
        level,
        side,
        needs: order::min_observations(extreme.max(1.0 - extreme), level)?,
        needs_one_sided: order::min_observations_upper(extreme, level)?,
        has: effective as usize,
    }))
}

/// The method id that goes with a p-value of `stats`.
pub(super) fn method_id(method: Method) -> &'static str {
    method.id()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn singles(values: &[f64]) -> Vec<Vec<f64>> {
        values.iter().map(|&v| vec![v]).collect()
    }

    #[test]
    fn one_observation_a_prompt_uses_the_plain_methods() {
        let m = mean_of_prompts(&singles(&[1.0, 2.0, 3.0, 4.0]), 0.95);
        let m = m.measured().unwrap();
        // sd = 1.2910, t(3) = 3.1824: half-width 2.0543.
        assert_eq!((m.point, m.method, m.n), (2.5, "t", 4));
        assert!((m.interval.unwrap().half_width().unwrap() - 2.054_26).abs() < 1e-4);
        let mut hits = vec![1.0; 81];
        hits.extend(vec![0.0; 182]);
        let p = proportion(&singles(&hits), 0.95);
        let (low, high) = p.measured().unwrap().interval.unwrap().bounds().unwrap();
        assert!(
            (low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5,
            "{low} {high}"
        );
        let xs: Vec<f64> = (1..=15).map(f64::from).collect();
        let q = quantile(&singles(&xs), 0.5, 0.95);
        assert_eq!(
            q.measured().unwrap().interval.unwrap().bounds(),
            Some((4.0, 12.0))
        );
    }

    #[test]
    fn replicates_are_clusters() {
        let clusters = vec![vec![1.0, 3.0], vec![2.0, 2.0], vec![5.0, 7.0]];
        let m = mean_of_prompts(&clusters, 0.95);
        let m = m.measured().unwrap();
        assert_eq!((m.n, m.observations, m.method), (3, 6, "cluster-means-t"));
        assert!((m.point - 10.0 / 3.0).abs() < 1e-12);
        let p = proportion(&[vec![1.0, 1.0], vec![0.0, 1.0], vec![1.0, 0.0]], 0.95);
        assert_eq!(p.measured().unwrap().method, "wilson-neff-t");
    }

    #[test]
    fn identical_replicates_bound_a_percentile_no_tighter_than_one_each() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i * 7 % 40)).collect();
        let once = quantile(&singles(&values), 0.5, 0.95);
        let five: Vec<Vec<f64>> = values.iter().map(|&v| vec![v; 5]).collect();
        let repeated = quantile(&five, 0.5, 0.95);
        let width = |v: &Value| {
            v.measured()
                .unwrap()
                .interval
                .unwrap()
                .half_width()
                .unwrap()
        };
        assert_eq!(repeated.measured().unwrap().method, "woodruff-neff-t");
        assert!(
            width(&repeated) > 0.8 * width(&once),
            "{} {}",
            width(&repeated),
            width(&once)
        );
        let p99 = quantile(&five, 0.99, 0.95);
        let p99 = p99.measured().unwrap();
        assert_eq!(p99.interval.unwrap().upper, None);
        assert!(matches!(
            p99.missing,
            Some(NotEstimable::QuantileUnbounded {
                side: Side::Upper,
                ..
            })
        ));
    }

    #[test]
    fn nothing_gives_an_absence_not_a_zero() {
        let none: Vec<Vec<f64>> = Vec::new();
        for value in [
            mean_of_prompts(&none, 0.95),
            proportion(&none, 0.95),
            share_at_least(&none, 0.95),
            quantile(&none, 0.5, 0.95),
            ratio_of_sums(&Sums::default(), 0.95),
        ] {
            assert_eq!(value.absence(), Some(&Absence::NoObservations));
        }
    }

    #[test]
    fn all_of_sixty_in_time_shows_at_least_95_percent() {
        let share = share_at_least(&singles(&[1.0; 60]), 0.95);
        let interval = share.measured().unwrap().interval.unwrap();
        assert!((interval.lower.unwrap() - 0.951_3).abs() < 1e-4);
        assert_eq!(interval.upper, None);
        let repeated = share_at_least(&vec![vec![1.0; 4]; 15], 0.95);
        let lower = repeated
            .measured()
            .unwrap()
            .interval
            .unwrap()
            .lower
            .unwrap();
        assert!(lower < 0.85, "15 prompts, not 60 samples: {lower}");
    }
}
