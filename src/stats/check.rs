//! Validation at the door of every method: after it, arithmetic on the slices can divide and take roots safely.

use super::error::NotEstimable;
use super::method::Method;

/// All values finite and at least one of them.
pub(crate) fn finite(xs: &[f64]) -> Result<(), NotEstimable> {
    if xs.is_empty() {
        return Err(NotEstimable::NoObservations);
    }
    match xs.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(NotEstimable::NonFinite {
            index,
            value: xs[index],
        }),
        None => Ok(()),
    }
}

/// Two finite slices of one length.
pub(crate) fn paired(x: &[f64], y: &[f64]) -> Result<(), NotEstimable> {
    if x.len() != y.len() {
        return Err(NotEstimable::UnequalLengths {
            left: x.len(),
            right: y.len(),
        });
    }
    finite(x)?;
    finite(y)
}

/// Finite values inside a closed range.
pub(crate) fn within(xs: &[f64], low: f64, high: f64, method: Method) -> Result<(), NotEstimable> {
    finite(xs)?;
    match xs.iter().position(|x| !(low..=high).contains(x)) {
        Some(index) => Err(NotEstimable::OutsideRange {
            index,
            value: xs[index],
            low,
            high,
            method,
        }),
        None => Ok(()),
    }
}

/// An argument strictly between 0 and 1: levels, quantiles, powers, error rates.
pub(crate) fn open_unit(name: &'static str, value: f64) -> Result<(), NotEstimable> {
    argument(
        name,
        value,
        value > 0.0 && value < 1.0,
        "between 0 and 1, both excluded",
    )
}

/// A finite argument above 0.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<(), NotEstimable> {
    argument(
        name,
        value,
        value.is_finite() && value > 0.0,
        "a finite number above 0",
    )
}

/// A finite argument of at least 0.
pub(crate) fn not_negative(name: &'static str, value: f64) -> Result<(), NotEstimable> {
    argument(
        name,
        value,
        value.is_finite() && value >= 0.0,
        "a finite number of at least 0",
    )
}

/// An argument that must satisfy a rule given in words.
pub(crate) fn argument(
    name: &'static str,
    value: f64,
    ok: bool,
    rule: &'static str,
) -> Result<(), NotEstimable> {
    if ok {
        Ok(())
    } else {
        Err(NotEstimable::BadArgument { name, value, rule })
    }
}

/// At least `needs` units.
pub(crate) fn units(method: Method, needs: usize, has: usize) -> Result<(), NotEstimable> {
    if has >= needs {
        Ok(())
    } else {
        Err(NotEstimable::TooFewUnits { method, needs, has })
    }
}

/// No more successes than trials, and at least one trial.
pub(crate) fn count(successes: u64, trials: u64) -> Result<(), NotEstimable> {
    if trials == 0 {
        return Err(NotEstimable::NoObservations);
    }
    if successes > trials {
        return Err(NotEstimable::ImpossibleCount { successes, trials });
    }
    Ok(())
}

/// Whether values are equal up to the rounding of numbers as large as `scale`.
pub(crate) fn constant(xs: &[f64], scale: f64) -> bool {
    let (low, high) = xs
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| {
            (l.min(x), h.max(x))
        });
    high - low <= 8.0 * f64::EPSILON * scale
}

/// The largest absolute value.
pub(crate) fn scale(xs: &[f64]) -> f64 {
    xs.iter().fold(0.0, |m, x| m.max(x.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_refuses_what_it_names() {
        assert_eq!(finite(&[]), Err(NotEstimable::NoObservations));
        assert!(matches!(
            finite(&[1.0, f64::NAN]),
            Err(NotEstimable::NonFinite { index: 1, .. })
        ));
        assert!(paired(&[1.0], &[1.0, 2.0]).is_err());
        assert!(within(&[0.5, 1.5], 0.0, 1.0, Method::T).is_err());
        assert!(open_unit("level", f64::NAN).is_err() && open_unit("level", 1.0).is_err());
        assert!(positive("x", 0.0).is_err() && not_negative("x", 0.0).is_ok());
        assert!(units(Method::T, 2, 1).is_err() && count(2, 1).is_err() && count(0, 0).is_err());
        assert!(constant(&[0.1 + 0.2, 0.3], 0.3) && !constant(&[0.3, 0.31], 0.3));
    }
}
