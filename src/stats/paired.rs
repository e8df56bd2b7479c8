//! Differences of means: paired (the default), Welch and Student for independent groups.
//!
//! Sources: Student 1908, Welch 1947.

use super::error::NotEstimable;
use super::estimate::{Comparison, Estimate, Interval, StatWarning, Test};
use super::mean::{ADVISED_UNITS, t_estimate};
use super::method::Method;
use super::{check, desc, dist};

/// Paired difference a - b: d +- t_{n-1} sd(d) / sqrt(n), with the paired t test.
pub fn paired_t(a: &[f64], b: &[f64], level: f64) -> Result<Comparison, NotEstimable> {
    let d = differences(a, b)?;
    let scale = check::scale(a).max(check::scale(b));
    one_sample(&d, level, scale)
}

/// The same from differences already formed.
pub fn paired_t_differences(d: &[f64], level: f64) -> Result<Comparison, NotEstimable> {
    check::finite(d)?;
    one_sample(d, level, check::scale(d))
}

/// a - b per unit.
pub(crate) fn differences(a: &[f64], b: &[f64]) -> Result<Vec<f64>, NotEstimable> {
    check::paired(a, b)?;
    let d: Vec<f64> = a.iter().zip(b).map(|(x, y)| x - y).collect();
    check::finite(&d)?;
    Ok(d)
}

fn one_sample(d: &[f64], level: f64, scale: f64) -> Result<Comparison, NotEstimable> {
    let n = d.len();
    let mean = desc::mean_of(d);
    let se = (n >= 2).then(|| (desc::variance_of(d) / n as f64).sqrt());
    let constant = check::constant(d, scale);
    let estimate = t_estimate(mean, se.unwrap_or(0.0), n, level, Method::PairedT, constant)?;
    let df = n as f64 - 1.0;
    let test = se.filter(|_| !constant).map(|se| {
        let t = mean / se;
        Test::new(Method::PairedT, Some(t), dist::t_two_sided(t, df), n).with_df(df)
    });
    // a difference of exactly nothing everywhere is no evidence of a difference; a constant one has no t
    let same = constant && n >= 2 && mean.abs() <= 8.0 * f64::EPSILON * scale;
    let test = test.or_else(|| same.then(|| Test::new(Method::PairedT, None, 1.0, n).with_df(df)));
    Ok(Comparison {
        estimate,
        se,
        df: se.map(|_| df),
        test,
    })
}

/// Difference of two independent means, x - y, unequal variances:
/// df = (v1 + v2)^2 / (v1^2/(n1-1) + v2^2/(n2-1)), v = s^2 / n. Welch 1947.
pub fn welch_t(x: &[f64], y: &[f64], level: f64) -> Result<Comparison, NotEstimable> {
    two_sample(x, y, level, Method::WelchT, |v1, v2, n1, n2| {
        let df = (v1 + v2).powi(2) / (v1 * v1 / (n1 - 1.0) + v2 * v2 / (n2 - 1.0));
        ((v1 + v2).sqrt(), df)
    })
}

/// Difference of two independent means, x - y, one common variance.
pub fn student_t(x: &[f64], y: &[f64], level: f64) -> Result<Comparison, NotEstimable> {
    two_sample(x, y, level, Method::StudentT, |v1, v2, n1, n2| {
        let df = n1 + n2 - 2.0;
        let pooled = (v1 * n1 * (n1 - 1.0) + v2 * n2 * (n2 - 1.0)) / df;
        ((pooled * (1.0 / n1 + 1.0 / n2)).sqrt(), df)
    })
}

fn two_sample(
    x: &[f64],
    y: &[f64],
    level: f64,
    method: Method,
    se_df: impl FnOnce(f64, f64, f64, f64) -> (f64, f64),
) -> Result<Comparison, NotEstimable> {
    check::finite(x)?;
    check::finite(y)?;
    check::open_unit("level", level)?;
    let (n, smaller) = (x.len() + y.len(), x.len().min(y.len()));
    let diff = desc::mean_of(x) - desc::mean_of(y);
    if let Err(reason) = check::units(method, 2, smaller) {
        let estimate = Estimate::without_interval(diff, method, n, reason).checked()?;
        return Ok(Comparison {
            estimate,
            se: None,
            df: None,
            test: None,
        });
    }
    let (n1, n2) = (x.len() as f64, y.len() as f64);
    let (se, df) = se_df(desc::variance_of(x) / n1, desc::variance_of(y) / n2, n1, n2);
    let constant = check::constant(x, check::scale(x)) && check::constant(y, check::scale(y));
    if constant {
        let estimate =
            Estimate::without_interval(diff, method, n, NotEstimable::NoVariation { method })
                .warn(StatWarning::ZeroVariance);
        return Ok(Comparison {
            estimate,
            se: Some(0.0),
            df: None,
            test: None,
        });
    }
    let half = dist::t_critical(level, df) * se;
    let estimate = Estimate::with_interval(
        diff,
        Interval::new(level, diff - half, diff + half),
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
    let t = diff / se;
    let test = Test::new(method, Some(t), dist::t_two_sided(t, df), n).with_df(df);
    Ok(Comparison {
        estimate,
        se: Some(se),
        df: Some(df),
        test: Some(test),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identical_pairs_give_p_one_and_a_constant_shift_gives_no_test() {
        let a = [0.1, 0.7, 0.3];
        let same = paired_t(&a, &a, 0.95).unwrap();
        assert_eq!(same.test.unwrap().p_value, 1.0);
        assert_eq!(same.estimate.interval.unwrap().bounds(), Some((0.0, 0.0)));
        let shifted = paired_t(&a.map(|x| x + 0.2), &a, 0.95).unwrap();
        assert_eq!(shifted.test, None);
        assert!(
            shifted
                .estimate
                .warnings
                .contains(&StatWarning::ZeroVariance)
        );
    }

    #[test]
    fn one_pair_has_a_difference_only() {
        let c = paired_t(&[2.0], &[1.5], 0.95).unwrap();
        assert_eq!(
            (c.estimate.point, c.se, c.test.is_none()),
            (0.5, None, true)
        );
        assert!(c.estimate.reason.is_some());
        assert!(paired_t(&[1.0], &[], 0.95).is_err());
        assert!(paired_t(&[f64::NAN], &[1.0], 0.95).is_err());
    }

    #[test]
    fn groups_of_one_or_without_variation_have_no_interval() {
        for f in [welch_t, student_t] {
            assert_eq!(
                f(&[1.0], &[2.0, 3.0], 0.95).unwrap().estimate.interval,
                None
            );
            let flat = f(&[1.0, 1.0], &[2.0, 2.0], 0.95).unwrap();
            assert!(matches!(
                flat.estimate.reason,
                Some(NotEstimable::NoVariation { .. })
            ));
            assert!(f(&[], &[1.0], 0.95).is_err());
        }
    }
}
