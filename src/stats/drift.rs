//! Drift over the order of measurement: trend, slope, change point.
//!
//! Sources: Mann 1945 and Kendall 1975, Theil 1950 and Sen 1968, Pettitt 1979, Spearman 1904.

use super::desc::QuantileType;
use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, Test};
use super::method::Method;
use super::rank::{doubled_ranks, mid_ranks};
use super::{check, desc, dist};

/// Most values for the methods that look at all pairs.
const MOST: usize = 5000;

fn series(xs: &[f64], needs: usize, method: Method) -> Result<(), NotEstimable> {
    check::finite(xs)?;
    check::units(method, needs, xs.len())?;
    check::argument("values", xs.len() as f64, xs.len() <= MOST, "at most 5000")
}

fn sign(x: f64) -> i64 {
    i64::from(x > 0.0) - i64::from(x < 0.0)
}

/// Mann-Kendall trend test.
#[derive(Debug, Clone, PartialEq)]
pub struct MannKendall {
    /// Pairs that rise less pairs that fall.
    pub s: i64,
    /// Its variance with the correction for ties: (n(n-1)(2n+5) - sum t(t-1)(2t+5)) / 18.
    pub variance: f64,
    /// The test by z = (S - sign S) / sd.
    pub test: Test,
}

/// Mann-Kendall test of a monotone trend. Needs three values.
pub fn mann_kendall(xs: &[f64]) -> Result<MannKendall, NotEstimable> {
    let method = Method::MannKendall;
    series(xs, 3, method)?;
    let s: i64 = (0..xs.len())
        .map(|i| xs[i + 1..].iter().map(|y| sign(y - xs[i])).sum::<i64>())
        .sum();
    let term = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
    let ties: f64 = doubled_ranks(xs).1.iter().map(|&t| term(t as f64)).sum();
    let variance = (term(xs.len() as f64) - ties) / 18.0;
    if variance <= 0.0 {
        return Err(NotEstimable::NoVariation { method });
    }
    let z = (s - s.signum()) as f64 / variance.sqrt();
    Ok(MannKendall {
        s,
        variance,
        test: Test::new(method, Some(z), dist::normal_two_sided(z), xs.len()),
    })
}

/// Theil-Sen slope per step with Sen's interval: the median of all pairwise slopes, bounds at ranks (M -+ z sd(S)) / 2.
pub fn theil_sen(xs: &[f64], level: f64) -> Result<Estimate, NotEstimable> {
    let method = Method::TheilSen;
    series(xs, 3, method)?;
    check::open_unit("level", level)?;
    let n = xs.len();
    let mut slopes: Vec<f64> = (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .map(|(i, j)| (xs[j] - xs[i]) / (j - i) as f64)
        .collect();
    slopes.sort_by(f64::total_cmp);
    let point = desc::quantile_sorted(&slopes, 0.5, QuantileType::Type7);
    let term = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
    let ties: f64 = doubled_ranks(xs).1.iter().map(|&t| term(t as f64)).sum();
    let spread = ((term(n as f64) - ties) / 18.0).max(0.0).sqrt();
    let reach = dist::normal_critical(level) * spread;
    let pairs = slopes.len() as f64;
    let high = (f64::midpoint(pairs, reach).round_ties_even() as usize).min(slopes.len() - 1);
    let low = ((pairs - reach) / 2.0).round_ties_even().max(1.0) as usize - 1;
    Estimate::with_interval(
        point,
        Interval::new(level, slopes[low], slopes[high]),
        method,
        n,
    )
    .checked()
}

/// Pettitt's change point.
#[derive(Debug, Clone, PartialEq)]
pub struct Pettitt {
    /// max |U_t|.
    pub k: i64,
    /// Number of values in the first segment at the maximum.
    pub first_segment: usize,
    /// The test; p is approximately 2 exp(-6 K^2 / (n^3 + n^2)).
    pub test: Test,
}

/// Pettitt's test of one change in level: U_t counts, over values up to t and after t, falls less rises. Needs three values.
pub fn pettitt(xs: &[f64]) -> Result<Pettitt, NotEstimable> {
    let method = Method::Pettitt;
    series(xs, 3, method)?;
    let (mut u, mut best) = (0i64, (0i64, 1usize));
    for (t, x) in xs.iter().enumerate().take(xs.len() - 1) {
        // moving x_t into the first segment adds its comparison with every value
        u += xs.iter().map(|y| sign(x - y)).sum::<i64>();
        if u.abs() > best.0 {
            best = (u.abs(), t + 1);
        }
    }
    let (n, k) = (xs.len() as f64, best.0 as f64);
    let p = (2.0 * (-6.0 * k * k / (n.powi(3) + n.powi(2))).exp()).min(1.0);
    Ok(Pettitt {
        k: best.0,
        first_segment: best.1,
        test: Test::new(method, Some(k), p, xs.len()),
    })
}

/// Least-squares slope per step with its t interval on n - 2, and the test of no slope.
pub fn ols_slope(xs: &[f64], level: f64) -> Result<(Estimate, Test), NotEstimable> {
    let method = Method::OlsSlope;
    check::finite(xs)?;
    check::units(method, 3, xs.len())?;
    check::open_unit("level", level)?;
    let n = xs.len() as f64;
    let at: Vec<f64> = (0..xs.len()).map(|i| i as f64).collect();
    let spread = desc::squares(&at);
    let slope = desc::covariance_of(&at, xs) * (n - 1.0) / spread;
    let (mx, my) = (desc::mean_of(&at), desc::mean_of(xs));
    let rest = desc::sum(
        at.iter()
            .zip(xs)
            .map(|(t, x)| (x - my - slope * (t - mx)).powi(2)),
    );
    let se = (rest / (n - 2.0) / spread).sqrt();
    if se <= 8.0 * f64::EPSILON * check::scale(xs) {
        return Err(NotEstimable::NoVariation { method });
    }
    let half = dist::t_critical(level, n - 2.0) * se;
    let estimate = Estimate::with_interval(
        slope,
        Interval::new(level, slope - half, slope + half),
        method,
        xs.len(),
    )
    .checked()?;
    let t = slope / se;
    Ok((
        estimate,
        Test::new(method, Some(t), dist::t_two_sided(t, n - 2.0), xs.len()).with_df(n - 2.0),
    ))
}

/// Spearman correlation of two series: Pearson's of the mid-ranks, p by t on n - 2. The statistic is the correlation.
pub fn spearman(x: &[f64], y: &[f64]) -> Result<Test, NotEstimable> {
    let method = Method::Spearman;
    check::paired(x, y)?;
    check::units(method, 3, x.len())?;
    let rho = desc::correlation(&mid_ranks(x), &mid_ranks(y))
        .ok_or(NotEstimable::NoVariation { method })?;
    let df = x.len() as f64 - 2.0;
    let t = rho * (df / ((1.0 - rho) * (1.0 + rho)).max(0.0)).sqrt();
    Ok(Test::new(method, Some(rho), dist::t_two_sided(t, df), x.len()).with_df(df))
}

/// Spearman correlation with the order of measurement.
pub fn spearman_with_order(xs: &[f64]) -> Result<Test, NotEstimable> {
    spearman(&(0..xs.len()).map(|i| i as f64).collect::<Vec<_>>(), xs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_series_has_no_trend_to_test() {
        assert!(matches!(
            mann_kendall(&[1.0; 5]),
            Err(NotEstimable::NoVariation { .. })
        ));
        assert!(matches!(
            ols_slope(&[1.0; 5], 0.95),
            Err(NotEstimable::NoVariation { .. })
        ));
        assert!(spearman_with_order(&[1.0; 5]).is_err());
        assert_eq!(pettitt(&[1.0; 5]).unwrap().test.p_value, 1.0);
        assert_eq!(theil_sen(&[1.0; 5], 0.95).unwrap().point, 0.0);
    }

    #[test]
    fn short_or_bad_series_are_refused() {
        assert!(mann_kendall(&[1.0, 2.0]).is_err() && theil_sen(&[], 0.95).is_err());
        assert!(pettitt(&[1.0, f64::NAN, 2.0]).is_err() && ols_slope(&[1.0, 2.0], 0.9).is_err());
        assert!(spearman(&[1.0, 2.0], &[1.0, 2.0]).is_err());
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let xs = [1.0, 1.2, 0.9, 1.1, 5.0, 5.2, 4.9, 5.1, 5.3];
        let p = pettitt(&xs).unwrap();
        assert_eq!((p.first_segment, p.k), (4, 20));
        let reversed: Vec<f64> = xs.iter().rev().copied().collect();
        assert_eq!(
            mann_kendall(&xs).unwrap().s,
            -mann_kendall(&reversed).unwrap().s
        );
    }

    #[test]
    fn a_perfect_order_has_correlation_one_and_p_zero() {
        let t = spearman_with_order(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!((t.statistic, t.p_value), (Some(1.0), 0.0));
    }
}
