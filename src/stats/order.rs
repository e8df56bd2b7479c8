//! Distribution-free intervals of a quantile from order statistics, and what they need.
//!
//! The number of observations below the true quantile is Binomial(n, q), whatever the distribution, so that two order
//! statistics bound it with known probability. When no order statistic is far enough out, that side is unbounded and says so.
//! Sources: Hahn & Meeker 1991; the early-stopping rule of MLPerf inference.

use super::desc::QuantileType;
use super::error::{NotEstimable, Side};
use super::estimate::{Estimate, Interval, StatWarning};
use super::method::Method;
use super::{check, desc, dist};

/// Ranks of the order statistics that bound a quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderRanks {
    /// 1-based rank of the lower bound, `None` when unbounded.
    pub lower: Option<usize>,
    /// 1-based rank of the upper bound, `None` when unbounded.
    pub upper: Option<usize>,
    /// Exact coverage of these ranks for a continuous distribution.
    pub coverage: f64,
}

/// Equal-tailed ranks: l = max{r: F(r-1) <= alpha/2}, u = min{r: F(r-1) >= 1 - alpha/2}, F = Binomial(n, q).
pub fn order_ranks(n: usize, q: f64, level: f64) -> Result<OrderRanks, NotEstimable> {
    check::open_unit("q", q)?;
    check::open_unit("level", level)?;
    if n == 0 {
        return Err(NotEstimable::NoObservations);
    }
    let tail = (1.0 - level) / 2.0;
    let below =
        |rank: usize| dist::binomial_cdf(i64::try_from(rank).unwrap_or(i64::MAX) - 1, n as u64, q);
    // F(r-1) rises with r: the first rank above alpha/2 and the first that reaches 1 - alpha/2
    let first_above = first_rank(n, |r| below(r) > tail);
    let upper = Some(first_rank(n, |r| below(r) >= 1.0 - tail)).filter(|&r| r <= n);
    let lower = Some(first_above - 1).filter(|&r| r >= 1);
    let coverage = upper.map_or(1.0, below) - lower.map_or(0.0, below);
    Ok(OrderRanks {
        lower,
        upper,
        coverage,
    })
}

/// The first rank in 1..=n that satisfies a monotone condition, n + 1 when none does.
fn first_rank(n: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (1, n + 1);
    while low < high {
        let mid = usize::midpoint(low, high);
        if holds(mid) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    low
}

/// Quantile (type 7) with its order-statistic interval. An unbounded side is `None` in the interval and `reason` says how many
/// observations would bound it; without any bound there is no interval.
pub fn quantile_interval(xs: &[f64], q: f64, level: f64) -> Result<Estimate, NotEstimable> {
    check::finite(xs)?;
    let ranks = order_ranks(xs.len(), q, level)?;
    let sorted = desc::sorted(xs);
    let at = |rank: Option<usize>| rank.map(|r| sorted[r - 1]);
    let point = desc::quantile_sorted(&sorted, q, QuantileType::Type7);
    let reason = missing_side(&ranks).map(|side| unbounded(q, level, side, xs.len()));
    let none = ranks.lower.is_none() && ranks.upper.is_none();
    let estimate = Estimate {
        point,
        interval: (!none).then(|| Interval {
            level,
            lower: at(ranks.lower),
            upper: at(ranks.upper),
        }),
        method: Method::OrderStatistic,
        n_units: xs.len(),
        reason,
        warnings: Vec::new(),
    };
    let half_open = !none && estimate.reason.is_some();
    estimate
        .warn_if(half_open, StatWarning::Unbounded)
        .checked()
}

fn missing_side(ranks: &OrderRanks) -> Option<Side> {
    match (ranks.lower, ranks.upper) {
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some(Side::Lower),
        (Some(_), None) => Some(Side::Upper),
        (None, None) => Some(Side::Both),
    }
}

fn unbounded(q: f64, level: f64, side: Side, has: usize) -> NotEstimable {
    let share = match side {
        Side::Upper => q,
        Side::Lower => 1.0 - q,
        Side::Both => q.max(1.0 - q),
    };
    NotEstimable::QuantileUnbounded {
        q,
        level,
        side,
        needs: smallest_power(share, (1.0 - level) / 2.0),
        needs_one_sided: smallest_power(share, 1.0 - level),
        has,
    }
}

/// Smallest number of observations with which both sides of the interval are finite: max(q, 1-q)^n <= alpha/2.
pub fn min_observations(q: f64, level: f64) -> Result<usize, NotEstimable> {
    check::open_unit("q", q)?;
    check::open_unit("level", level)?;
    Ok(smallest_power(q.max(1.0 - q), (1.0 - level) / 2.0))
}

/// Smallest number of observations with a one-sided upper bound: q^n <= alpha.
pub fn min_observations_upper(q: f64, level: f64) -> Result<usize, NotEstimable> {
    check::open_unit("q", q)?;
    check::open_unit("level", level)?;
    Ok(smallest_power(q, 1.0 - level))
}

/// Smallest n with share^n <= bound; the logarithm gives the neighbourhood and the power decides.
fn smallest_power(share: f64, bound: f64) -> usize {
    let reached = |n: f64| n * share.ln() <= bound.ln() * (1.0 - 1e-15);
    let mut n = (bound.ln() / share.ln()).floor().max(1.0);
    if !reached(n) {
        n += 1.0;
    }
    n as usize
}

/// Fewest observations under the limit, given `over` above it, that show with confidence `confidence` that at least a share
/// `percentile` (less `tolerance`) lies under: the smallest h with I(percentile - tolerance; h, over + 1) <= 1 - confidence.
pub fn early_stopping_under(
    percentile: f64,
    over: u64,
    confidence: f64,
    tolerance: f64,
) -> Result<u64, NotEstimable> {
    check::open_unit("confidence", confidence)?;
    check::not_negative("tolerance", tolerance)?;
    check::open_unit("percentile", percentile)?;
    check::open_unit("percentile less tolerance", percentile - tolerance)?;
    let shown = |h: u64| {
        dist::beta_cdf(percentile - tolerance, h as f64, over as f64 + 1.0) <= 1.0 - confidence
    };
    let mut high = 1u64;
    while !shown(high) {
        if high > 1 << 52 {
            return Err(NotEstimable::NoConvergence {
                method: Method::EarlyStopping,
                iterations: 52,
            });
        }
        high *= 2;
    }
    let mut low = high / 2;
    while low + 1 < high {
        let mid = u64::midpoint(low, high);
        if shown(mid) { high = mid } else { low = mid }
    }
    Ok(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_bound_says_what_it_needs() {
        let xs: Vec<f64> = (0..15).map(f64::from).collect();
        let e = quantile_interval(&xs, 0.9, 0.95).unwrap();
        assert_eq!(e.interval.unwrap().upper, None);
        assert_eq!(
            e.reason.unwrap().to_string(),
            "needs at least 36 observations for an upper bound of p90 at 95 % but has 15 (29 for a one-sided bound)"
        );
        let low = quantile_interval(&xs, 0.01, 0.95).unwrap();
        assert_eq!(low.interval.unwrap().lower, None);
        let none = quantile_interval(&xs[..3], 0.5, 0.95).unwrap();
        assert_eq!((none.interval, none.point), (None, 1.0));
        assert!(
            none.reason
                .unwrap()
                .to_string()
                .starts_with("needs at least 6 observations for any bound of p50")
        );
    }

    #[test]
    fn the_smallest_n_is_the_smallest() {
        for q in [0.5, 0.75, 0.9, 0.95, 0.99, 0.999] {
            let n = min_observations(q, 0.95).unwrap();
            assert!(order_ranks(n, q, 0.95).unwrap().upper.is_some());
            assert!(order_ranks(n - 1, q, 0.95).unwrap().upper.is_none());
        }
    }

    #[test]
    fn coverage_is_at_least_the_level() {
        for n in [6, 20, 57, 300] {
            for q in [0.1, 0.5, 0.9] {
                let r = order_ranks(n, q, 0.9).unwrap();
                assert!(r.coverage >= 0.9 - 1e-12, "{n} {q} {r:?}");
            }
        }
    }

    #[test]
    fn bad_arguments_are_refused() {
        assert!(order_ranks(0, 0.5, 0.95).is_err() && order_ranks(5, 1.0, 0.95).is_err());
        assert!(quantile_interval(&[], 0.5, 0.95).is_err());
        assert!(early_stopping_under(0.9, 0, 0.99, 0.95).is_err());
        assert!(early_stopping_under(f64::NAN, 0, 0.99, 0.0).is_err());
    }
}
