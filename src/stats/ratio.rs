//! Ratios: throughput, speed-up, cost ratio.
//!
//! Sources: Cochran 1977 (ratio estimator), Fieller 1954, Franz 2007 (unbounded Fieller sets).

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, StatWarning};
use super::mean::{ADVISED_UNITS, mean_t};
use super::method::Method;
use super::{check, desc, dist};

/// A ratio of sums with its linearised standard error.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioOfSums {
    /// The ratio with its t interval.
    pub estimate: Estimate,
    /// Standard error; `None` with one unit.
    pub se: Option<f64>,
}

/// sum(num) / sum(den) over units (one total a unit): e_c = T_c - r D_c, se = sqrt(G/(G-1) sum e_c^2) / sum D, t on G - 1.
///
/// Denominators must not be negative and their sum must be above 0.
pub fn ratio_of_sums(
    numerators: &[f64],
    denominators: &[f64],
    level: f64,
) -> Result<RatioOfSums, NotEstimable> {
    let method = Method::RatioOfSums;
    check::paired(numerators, denominators)?;
    check::within(denominators, 0.0, f64::MAX, method)?;
    check::open_unit("level", level)?;
    let (top, bottom) = (
        desc::sum(numerators.iter().copied()),
        desc::sum(denominators.iter().copied()),
    );
    if bottom <= 0.0 {
        return Err(NotEstimable::DenominatorNearZero { method });
    }
    let (n, r) = (numerators.len(), top / bottom);
    if let Err(reason) = check::units(method, 2, n) {
        return Ok(RatioOfSums {
            estimate: Estimate::without_interval(r, method, n, reason).checked()?,
            se: None,
        });
    }
    let residuals = desc::sum(
        numerators
            .iter()
            .zip(denominators)
            .map(|(t, d)| (t - r * d).powi(2)),
    );
    let g = n as f64;
    let se = (g / (g - 1.0) * residuals).sqrt() / bottom;
    let half = dist::t_critical(level, g - 1.0) * se;
    let estimate = Estimate::with_interval(r, Interval::new(level, r - half, r + half), method, n)
        .warn_if(se == 0.0, StatWarning::ZeroVariance)
        .warn_if(
            n < ADVISED_UNITS,
            StatWarning::FewUnits {
                has: n,
                advised: ADVISED_UNITS,
            },
        )
        .checked()?;
    Ok(RatioOfSums {
        estimate,
        se: Some(se),
    })
}

/// Geometric mean of the paired ratios x / y with t bounds on the logarithms. All values must be above 0.
pub fn log_ratio_t(x: &[f64], y: &[f64], level: f64) -> Result<Estimate, NotEstimable> {
    let method = Method::LogRatioT;
    check::paired(x, y)?;
    check::within(x, f64::MIN_POSITIVE, f64::MAX, method)?;
    check::within(y, f64::MIN_POSITIVE, f64::MAX, method)?;
    let logs: Vec<f64> = x.iter().zip(y).map(|(a, b)| a.ln() - b.ln()).collect();
    let e = mean_t(&logs, level)?;
    let exp = |i: Interval| Interval {
        lower: i.lower.map(f64::exp),
        upper: i.upper.map(f64::exp),
        ..i
    };
    let reason = e.reason.map(|r| match r {
        NotEstimable::TooFewUnits { needs, has, .. } => {
            NotEstimable::TooFewUnits { method, needs, has }
        }
        other => other,
    });
    Estimate {
        point: e.point.exp(),
        interval: e.interval.map(exp),
        method,
        reason,
        ..e
    }
    .checked()
}

/// A ratio of two means with Fieller's interval.
#[derive(Debug, Clone, PartialEq)]
pub struct FiellerRatio {
    /// The ratio; without an interval when the denominator is not separated from zero.
    pub estimate: Estimate,
    /// t^2 v_y / y^2: at 1 or above the interval is unbounded.
    pub g: Option<f64>,
    /// Degrees of freedom.
    pub df: Option<f64>,
}

/// Fieller interval of mean(x) / mean(y) for pairs: r with A r^2 - 2 B r + C <= 0, A = y^2 - t^2 v_y, B = x y - t^2 c_xy,
/// C = x^2 - t^2 v_x, with variances and covariance of the means and t on n - 1.
pub fn fieller_paired(x: &[f64], y: &[f64], level: f64) -> Result<FiellerRatio, NotEstimable> {
    check::paired(x, y)?;
    let n = x.len() as f64;
    fieller(x, y, level, Method::FiellerPaired, n - 1.0, |x, y| {
        desc::covariance_of(x, y) / n
    })
}

/// Fieller interval for independent groups; the degrees of freedom are Welch's for x - r y at the estimated ratio.
pub fn fieller_independent(x: &[f64], y: &[f64], level: f64) -> Result<FiellerRatio, NotEstimable> {
    check::finite(x)?;
    check::finite(y)?;
    let df = if x.len() < 2 || y.len() < 2 {
        0.0
    } else {
        welch_df_at_ratio(x, y)
    };
    fieller(x, y, level, Method::FiellerIndependent, df, |_, _| 0.0)
}

fn welch_df_at_ratio(x: &[f64], y: &[f64]) -> f64 {
    let (n1, n2) = (x.len() as f64, y.len() as f64);
    let r = desc::mean_of(x) / desc::mean_of(y);
    let (v1, v2) = (desc::variance_of(x) / n1, r * r * desc::variance_of(y) / n2);
    (v1 + v2).powi(2) / (v1 * v1 / (n1 - 1.0) + v2 * v2 / (n2 - 1.0))
}

fn fieller(
    x: &[f64],
    y: &[f64],
    level: f64,
    method: Method,
    df: f64,
    covariance: impl FnOnce(&[f64], &[f64]) -> f64,
) -> Result<FiellerRatio, NotEstimable> {
    check::open_unit("level", level)?;
    let (mx, my) = (desc::mean_of(x), desc::mean_of(y));
    let (n, smaller) = (x.len().max(y.len()), x.len().min(y.len()));
    if my == 0.0 {
        return Err(NotEstimable::DenominatorNearZero { method });
    }
    let bare = |reason| Estimate::without_interval(mx / my, method, n, reason).checked();
    if let Err(reason) = check::units(method, 2, smaller) {
        return Ok(FiellerRatio {
            estimate: bare(reason)?,
            g: None,
            df: None,
        });
    }
    if df.is_nan() {
        return Ok(FiellerRatio {
            estimate: bare(NotEstimable::NoVariation { method })?,
            g: None,
            df: None,
        });
    }
    let t2 = dist::t_critical(level, df).powi(2);
    let (vx, vy) = (
        desc::variance_of(x) / x.len() as f64,
        desc::variance_of(y) / y.len() as f64,
    );
    let (a, b, c) = (
        my * my - t2 * vy,
        mx * my - t2 * covariance(x, y),
        mx * mx - t2 * vx,
    );
    let g = t2 * vy / (my * my);
    if g >= 1.0 || a <= 0.0 {
        let estimate =
            bare(NotEstimable::DenominatorNearZero { method })?.warn(StatWarning::Unbounded);
        return Ok(FiellerRatio {
            estimate,
            g: Some(g),
            df: Some(df),
        });
    }
    let root = (b * b - a * c).max(0.0).sqrt();
    let estimate = Estimate::with_interval(
        mx / my,
        Interval::new(level, (b - root) / a, (b + root) / a),
        method,
        n,
    )
    .warn_if(
        smaller < ADVISED_UNITS,
        StatWarning::FewUnits {
            has: smaller,
            advised: ADVISED_UNITS,
        },
    )
    .checked()?;
    Ok(FiellerRatio {
        estimate,
        g: Some(g),
        df: Some(df),
    })
}

/// Ratio of independent positive means by the delta method on its logarithm:
/// se(ln r) = sqrt(v_x / x^2 + v_y / y^2), normal quantile. Needs large groups.
pub fn delta_log_ratio(x: &[f64], y: &[f64], level: f64) -> Result<Estimate, NotEstimable> {
    let method = Method::DeltaLogRatio;
    check::finite(x)?;
    check::finite(y)?;
    check::open_unit("level", level)?;
    let (mx, my) = (desc::mean_of(x), desc::mean_of(y));
    if mx <= 0.0 || my <= 0.0 {
        return Err(NotEstimable::DenominatorNearZero { method });
    }
    let (n, smaller, r) = (x.len() + y.len(), x.len().min(y.len()), mx / my);
    if let Err(reason) = check::units(method, 2, smaller) {
        return Estimate::without_interval(r, method, n, reason).checked();
    }
    let relative = |xs: &[f64], m: f64| desc::variance_of(xs) / xs.len() as f64 / (m * m);
    let half = dist::normal_critical(level) * (relative(x, mx) + relative(y, my)).sqrt();
    let bounds = Interval::new(level, (r.ln() - half).exp(), (r.ln() + half).exp());
    Estimate::with_interval(r, bounds, method, n).checked()
}

/// What command-line timers print after "+-" of a speed ratio: r sqrt((s_x/x)^2 + (s_y/y)^2), the spread of single runs. Not an
/// interval of the ratio.
pub fn propagated_ratio_sd(x: &[f64], y: &[f64]) -> Option<f64> {
    let (mx, my) = (desc::mean(x)?, desc::mean(y)?);
    if mx == 0.0 || my == 0.0 {
        return None;
    }
    let (cx, cy) = (desc::sd(x)? / mx, desc::sd(y)? / my);
    Some((mx / my).abs() * cx.hypot(cy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denominator_around_zero_gives_no_fieller_interval() {
        let f = fieller_paired(&[1.0, 2.0, 3.0], &[-1.0, 0.5, 1.2], 0.95).unwrap();
        assert!(f.g.unwrap() >= 1.0 && f.estimate.interval.is_none());
        assert!(matches!(
            f.estimate.reason,
            Some(NotEstimable::DenominatorNearZero { .. })
        ));
        assert!(fieller_paired(&[1.0, 2.0], &[-1.0, 1.0], 0.95).is_err());
    }

    #[test]
    fn ratios_refuse_what_they_cannot_divide() {
        assert!(ratio_of_sums(&[1.0], &[0.0], 0.95).is_err());
        assert!(ratio_of_sums(&[1.0, 2.0], &[1.0, -1.0], 0.95).is_err());
        assert!(log_ratio_t(&[1.0, 0.0], &[1.0, 1.0], 0.95).is_err());
        assert!(delta_log_ratio(&[-1.0, -2.0], &[1.0, 1.0], 0.95).is_err());
        assert_eq!(propagated_ratio_sd(&[1.0], &[1.0]), None);
    }

    #[test]
    fn one_unit_gives_a_ratio_only() {
        let r = ratio_of_sums(&[10.0], &[2.0], 0.95).unwrap();
        assert_eq!(
            (r.estimate.point, r.estimate.interval, r.se),
            (5.0, None, None)
        );
        let l = log_ratio_t(&[10.0], &[2.0], 0.95).unwrap();
        assert!((l.point - 5.0).abs() < 1e-12);
        assert_eq!(
            l.reason,
            Some(NotEstimable::TooFewUnits {
                method: Method::LogRatioT,
                needs: 2,
                has: 1
            })
        );
        assert_eq!(
            fieller_independent(&[1.0], &[2.0], 0.95)
                .unwrap()
                .estimate
                .interval,
            None
        );
        let flat = fieller_independent(&[1.0, 1.0], &[2.0, 2.0], 0.95).unwrap();
        assert!(flat.estimate.interval.is_none());
    }

    #[test]
    fn exchanging_numerator_and_denominator_inverts_fieller() {
        let (x, y) = ([3.0, 3.5, 4.0, 2.9], [2.0, 2.2, 1.9, 2.4]);
        let (a, b) = (
            fieller_paired(&x, &y, 0.9).unwrap(),
            fieller_paired(&y, &x, 0.9).unwrap(),
        );
        let ((l1, u1), (l2, u2)) = (
            a.estimate.interval.unwrap().bounds().unwrap(),
            b.estimate.interval.unwrap().bounds().unwrap(),
        );
        assert!((l1 - 1.0 / u2).abs() < 1e-12 && (u1 - 1.0 / l2).abs() < 1e-12);
    }
}
