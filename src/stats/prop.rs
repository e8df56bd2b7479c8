//! One proportion, `x` successes of `n` independent trials.
//!
//! Wilson is the default; Clopper-Pearson serves guarantees; Wald is kept only to show why it is not used.
//! Sources: Wilson 1927, Clopper & Pearson 1934, Newcombe 1998a, Brown, Cai & DasGupta 2001.

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, StatWarning};
use super::method::Method;
use super::{check, dist};

/// Wilson score bounds of a share `p` of `n` trials (not necessarily whole) with critical value `z`:
/// centre (p + z^2/2n) / (1 + z^2/n), half-width z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n).
pub(crate) fn wilson_bounds(p: f64, n: f64, z: f64) -> (f64, f64) {
    let shrink = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / shrink;
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / shrink;
    let low = if p <= 0.0 {
        0.0
    } else {
        (centre - half).max(0.0)
    };
    let high = if p >= 1.0 {
        1.0
    } else {
        (centre + half).min(1.0)
    };
    (low, high)
}

/// Beta bounds of `x` of `n` (not necessarily whole): quantiles of Beta(x, n-x+1) and Beta(x+1, n-x).
pub(crate) fn clopper_pearson_bounds(x: f64, n: f64, level: f64) -> (f64, f64) {
    let tail = (1.0 - level) / 2.0;
    let low = if x <= 0.0 {
        0.0
    } else {
        dist::beta_quantile(tail, x, n - x + 1.0)
    };
    let high = if x >= n {
        1.0
    } else {
        dist::beta_quantile(1.0 - tail, x + 1.0, n - x)
    };
    (low, high)
}

fn share(x: u64, n: u64) -> f64 {
    x as f64 / n as f64
}

fn build(
    x: u64,
    n: u64,
    level: f64,
    method: Method,
    bounds: impl FnOnce(f64, f64) -> (f64, f64),
) -> Result<Estimate, NotEstimable> {
    check::count(x, n)?;
    check::open_unit("level", level)?;
    let (low, high) = bounds(x as f64, n as f64);
    let units = usize::try_from(n).unwrap_or(usize::MAX);
    Estimate::with_interval(share(x, n), Interval::new(level, low, high), method, units).checked()
}

/// Wilson score interval. Wilson 1927.
pub fn wilson(x: u64, n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    build(x, n, level, Method::Wilson, |x, n| {
        wilson_bounds(x / n, n, dist::normal_critical(level))
    })
}

/// Wilson score interval with continuity correction. Newcombe 1998a, method 4.
pub fn wilson_cc(x: u64, n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    build(x, n, level, Method::WilsonCc, |x, n| {
        let (z, p) = (dist::normal_critical(level), x / n);
        let root = |sign: f64| {
            (z * z - sign * 2.0 - 1.0 / n + 4.0 * p * (n * (1.0 - p) + sign))
                .max(0.0)
                .sqrt()
        };
        let low = (2.0 * n * p + z * z - 1.0 - z * root(1.0)) / (2.0 * (n + z * z));
        let high = (2.0 * n * p + z * z + 1.0 + z * root(-1.0)) / (2.0 * (n + z * z));
        (
            if p == 0.0 { 0.0 } else { low.max(0.0) },
            if p == 1.0 { 1.0 } else { high.min(1.0) },
        )
    })
}

/// Clopper-Pearson interval, for statements that must hold at least at the nominal level. Clopper & Pearson 1934.
pub fn clopper_pearson(x: u64, n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    build(x, n, level, Method::ClopperPearson, |x, n| {
        clopper_pearson_bounds(x, n, level)
    })
}

/// One-sided Clopper-Pearson lower bound at `level`: "at least this share".
pub fn clopper_pearson_lower(x: u64, n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    one_sided(x, n, level, |x, n| {
        let low = if x <= 0.0 {
            0.0
        } else {
            dist::beta_quantile(1.0 - level, x, n - x + 1.0)
        };
        Interval {
            level,
            lower: Some(low),
            upper: None,
        }
    })
}

/// One-sided Clopper-Pearson upper bound at `level`: "at most this share".
pub fn clopper_pearson_upper(x: u64, n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    one_sided(x, n, level, |x, n| {
        let high = if x >= n {
            1.0
        } else {
            dist::beta_quantile(level, x + 1.0, n - x)
        };
        Interval {
            level,
            lower: None,
            upper: Some(high),
        }
    })
}

fn one_sided(
    x: u64,
    n: u64,
    level: f64,
    bound: impl FnOnce(f64, f64) -> Interval,
) -> Result<Estimate, NotEstimable> {
    check::count(x, n)?;
    check::open_unit("level", level)?;
    let units = usize::try_from(n).unwrap_or(usize::MAX);
    Estimate::with_interval(
        share(x, n),
        bound(x as f64, n as f64),
        Method::ClopperPearson,
        units,
    )
    .checked()
}

/// Equal-tailed Jeffreys interval, Beta(x + 1/2, n - x + 1/2), without the end-point rule.
pub fn jeffreys(x: u64, n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    build(x, n, level, Method::Jeffreys, |x, n| {
        beta_bounds(x + 0.5, n - x + 0.5, level)
    })
}

/// Equal-tailed posterior interval under a uniform prior, Beta(x + 1, n - x + 1).
pub fn beta_uniform(x: u64, n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    build(x, n, level, Method::BetaUniform, |x, n| {
        beta_bounds(x + 1.0, n - x + 1.0, level)
    })
}

fn beta_bounds(a: f64, b: f64, level: f64) -> (f64, f64) {
    let tail = (1.0 - level) / 2.0;
    (
        dist::beta_quantile(tail, a, b),
        dist::beta_quantile(1.0 - tail, a, b),
    )
}

/// Agresti-Coull interval: Wald on (x + z^2/2) / (n + z^2), cut to 0 to 1. Agresti & Coull 1998.
pub fn agresti_coull(x: u64, n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    build(x, n, level, Method::AgrestiCoull, |x, n| {
        let z = dist::normal_critical(level);
        let total = n + z * z;
        wald_bounds((x + z * z / 2.0) / total, total, z)
    })
}

/// Wald interval, cut to 0 to 1; covers 54 % instead of 95 % at n = 15, p = 0.95, and warns.
pub fn wald(x: u64, n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    build(x, n, level, Method::Wald, |x, n| {
        wald_bounds(x / n, n, dist::normal_critical(level))
    })
    .map(|e| e.warn(StatWarning::Unreliable))
}

fn wald_bounds(p: f64, n: f64, z: f64) -> (f64, f64) {
    let half = z * (p * (1.0 - p) / n).sqrt();
    ((p - half).max(0.0), (p + half).min(1.0))
}

/// Exact one-sided upper bound of a rate when none of `n` trials failed: 1 - (1 - level)^(1/n).
pub fn zero_failure_upper(n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    one_sided(0, n, level, |_, n| {
        // expm1 keeps the digits for large n
        let upper = -((1.0 - level).ln() / n).exp_m1();
        Interval {
            level,
            lower: None,
            upper: Some(upper),
        }
    })
    .map(|e| Estimate {
        method: Method::ZeroFailures,
        ..e
    })
}

/// Hanley and Lippman-Hand's approximation of [`zero_failure_upper`] at 95 %: 3 / n, at most 1.
pub fn rule_of_three(n: u64) -> Result<f64, NotEstimable> {
    check::count(0, n)?;
    Ok((3.0 / n as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_counts_are_refused() {
        for f in [
            wilson,
            wilson_cc,
            clopper_pearson,
            jeffreys,
            beta_uniform,
            agresti_coull,
            wald,
        ] {
            assert_eq!(f(0, 0, 0.95), Err(NotEstimable::NoObservations));
            assert!(matches!(
                f(3, 2, 0.95),
                Err(NotEstimable::ImpossibleCount { .. })
            ));
            assert!(f(1, 2, 0.0).is_err() && f(1, 2, f64::NAN).is_err());
        }
    }

    #[test]
    fn one_sided_bounds_leave_the_other_side_open() {
        let e = clopper_pearson_lower(15, 15, 0.95).unwrap();
        let i = e.interval.unwrap();
        assert!(i.upper.is_none() && (i.lower.unwrap() - 0.05f64.powf(1.0 / 15.0)).abs() < 1e-12);
        let zero = zero_failure_upper(30, 0.95)
            .unwrap()
            .interval
            .unwrap()
            .upper
            .unwrap();
        let exact = clopper_pearson_upper(0, 30, 0.95)
            .unwrap()
            .interval
            .unwrap()
            .upper
            .unwrap();
        assert!((zero - exact).abs() < 1e-12);
    }

    #[test]
    fn intervals_mirror_when_successes_and_failures_swap() {
        for f in [
            wilson,
            wilson_cc,
            clopper_pearson,
            jeffreys,
            beta_uniform,
            agresti_coull,
            wald,
        ] {
            for x in 0..=12 {
                let (low, high) = f(x, 12, 0.9).unwrap().interval.unwrap().bounds().unwrap();
                let (low2, high2) = f(12 - x, 12, 0.9)
                    .unwrap()
                    .interval
                    .unwrap()
                    .bounds()
                    .unwrap();
                assert!((low - (1.0 - high2)).abs() < 1e-9 && (high - (1.0 - low2)).abs() < 1e-9);
            }
        }
    }
}
