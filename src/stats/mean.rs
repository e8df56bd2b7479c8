//! Mean of independent units with Student's t.

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, StatWarning};
use super::method::Method;
use super::{check, desc, dist};

/// Below this number of units an interval leans on the assumed distribution and says so.
pub const ADVISED_UNITS: usize = 20;

/// Mean of independent units: m +- t_{(1+level)/2, n-1} s / sqrt(n). Student 1908.
pub fn mean_t(xs: &[f64], level: f64) -> Result<Estimate, NotEstimable> {
    check::finite(xs)?;
    let se = if xs.len() < 2 {
        0.0
    } else {
        (desc::variance_of(xs) / xs.len() as f64).sqrt()
    };
    let constant = check::constant(xs, check::scale(xs));
    t_estimate(desc::mean_of(xs), se, xs.len(), level, Method::T, constant)
}

/// A point with t_{n-1} bounds around it; without an interval below two units.
pub(crate) fn t_estimate(
    point: f64,
    se: f64,
    n: usize,
    level: f64,
    method: Method,
    constant: bool,
) -> Result<Estimate, NotEstimable> {
    check::open_unit("level", level)?;
    if let Err(reason) = check::units(method, 2, n) {
        return Estimate::without_interval(point, method, n, reason).checked();
    }
    let half = dist::t_critical(level, n as f64 - 1.0) * se;
    Estimate::with_interval(
        point,
        Interval::new(level, point - half, point + half),
        method,
        n,
    )
    .warn_if(constant, StatWarning::ZeroVariance)
    .warn_if(
        n < ADVISED_UNITS,
        StatWarning::FewUnits {
            has: n,
            advised: ADVISED_UNITS,
        },
    )
    .checked()
}

/// Weighted mean of components per unit, scaled: sum(w x) / sum(w) * scale for each unit.
///
/// The composite is formed per unit first, so that the covariance between components is inside the standard error.
/// A component that is `None` for a unit is left out there and the other weights are renormalised; a unit with none is an error.
pub fn composite<C: AsRef<[Option<f64>]>>(
    units: &[C],
    weights: &[f64],
    scale: f64,
) -> Result<Vec<f64>, NotEstimable> {
    for &w in weights {
        check::not_negative("weight", w)?;
    }
    check::positive("scale", scale)?;
    units
        .iter()
        .map(|unit| weighted_mean(unit.as_ref(), weights).map(|m| m * scale))
        .collect()
}

fn weighted_mean(values: &[Option<f64>], weights: &[f64]) -> Result<f64, NotEstimable> {
    if values.len() != weights.len() {
        return Err(NotEstimable::UnequalLengths {
            left: values.len(),
            right: weights.len(),
        });
    }
    let present: Vec<(f64, f64)> = values
        .iter()
        .zip(weights)
        .filter_map(|(v, &w)| Some(((*v)?, w)))
        .collect();
    check::finite(&present.iter().map(|p| p.0).collect::<Vec<_>>())?;
    let total = desc::sum(present.iter().map(|p| p.1));
    if total <= 0.0 {
        return Err(NotEstimable::NoObservations);
    }
    Ok(desc::sum(present.iter().map(|(v, w)| v * w)) / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unit_has_a_mean_but_no_interval() {
        let e = mean_t(&[3.0], 0.95).unwrap();
        assert_eq!((e.point, e.interval), (3.0, None));
        assert_eq!(
            e.reason,
            Some(NotEstimable::TooFewUnits {
                method: Method::T,
                needs: 2,
                has: 1
            })
        );
        assert_eq!(mean_t(&[], 0.95), Err(NotEstimable::NoObservations));
        assert!(mean_t(&[1.0, f64::NAN], 0.95).is_err());
        assert!(mean_t(&[1.0, 2.0], 1.0).is_err());
    }

    #[test]
    fn equal_units_warn_of_an_interval_without_width() {
        let e = mean_t(&[0.1 + 0.2, 0.3, 0.3], 0.95).unwrap();
        assert!(e.warnings.contains(&StatWarning::ZeroVariance));
    }

    #[test]
    fn huge_values_overflow_with_a_reason() {
        assert_eq!(
            mean_t(&[f64::MAX, -f64::MAX], 0.95),
            Err(NotEstimable::Overflow { method: Method::T })
        );
    }

    #[test]
    fn a_missing_component_renormalises_the_weights() {
        let units = [vec![Some(1.0), None], vec![Some(1.0), Some(0.0)]];
        assert_eq!(
            composite(&units, &[0.5, 0.5], 10.0).unwrap(),
            vec![10.0, 5.0]
        );
        assert!(composite(&[vec![None, None]], &[0.5, 0.5], 10.0).is_err());
        assert!(composite(&[vec![Some(1.0)]], &[0.5, 0.5], 10.0).is_err());
    }
}
