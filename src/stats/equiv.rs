//! Equivalence, non-inferiority and the three-way gate.
//!
//! "p > 0.05" is never "no regression": a gate passes only when the interval excludes the margin.
//! Sources: Schuirmann 1987 (TOST), Piaggio et al. 2012 (non-inferiority).

use super::error::NotEstimable;
use super::estimate::{Comparison, Interval, Test};
use super::method::Method;
use super::paired::{paired_t, welch_t};
use super::{check, dist};

/// Two one-sided tests against a lower and an upper limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Tost {
    /// t against the lower limit; large when the difference is above it.
    pub t_lower: f64,
    /// One-sided p against the lower limit: this alone is the non-inferiority test.
    pub p_lower: f64,
    /// t against the upper limit; very negative when the difference is below it.
    pub t_upper: f64,
    /// One-sided p against the upper limit.
    pub p_upper: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// The larger of the two p-values.
    pub test: Test,
    /// The interval at 1 - 2 alpha that lies inside the limits exactly when both tests reject at alpha.
    pub interval: Interval,
}

impl Tost {
    /// Whether both tests reject: the difference lies between the limits.
    pub fn equivalent(&self, alpha: f64) -> bool {
        self.test.p_value < alpha
    }

    /// Whether the test against the lower limit rejects: the difference is not below it.
    pub fn non_inferior(&self, alpha: f64) -> bool {
        self.p_lower < alpha
    }
}

/// TOST on paired differences x - y.
pub fn tost_paired(
    x: &[f64],
    y: &[f64],
    low: f64,
    high: f64,
    alpha: f64,
) -> Result<Tost, NotEstimable> {
    level_of(alpha).and_then(|level| tost(paired_t(x, y, level)?, low, high, Method::TostPaired))
}

/// TOST on the difference of independent means, Welch's degrees of freedom.
pub fn tost_welch(
    x: &[f64],
    y: &[f64],
    low: f64,
    high: f64,
    alpha: f64,
) -> Result<Tost, NotEstimable> {
    level_of(alpha).and_then(|level| tost(welch_t(x, y, level)?, low, high, Method::TostWelch))
}

fn level_of(alpha: f64) -> Result<f64, NotEstimable> {
    check::argument(
        "alpha",
        alpha,
        alpha > 0.0 && alpha < 0.5,
        "between 0 and 0.5, both excluded",
    )?;
    Ok(1.0 - 2.0 * alpha)
}

fn tost(c: Comparison, low: f64, high: f64, method: Method) -> Result<Tost, NotEstimable> {
    check::argument(
        "low",
        low,
        low.is_finite() && low < high,
        "finite and below `high`",
    )?;
    check::argument("high", high, high.is_finite(), "a finite number")?;
    let n = c.estimate.n_units;
    let (Some(se), Some(df), Some(interval)) = (c.se, c.df, c.estimate.interval) else {
        return Err(c.estimate.reason.unwrap_or(NotEstimable::TooFewUnits {
            method,
            needs: 2,
            has: n,
        }));
    };
    if c.test.as_ref().is_none_or(|t| t.statistic.is_none()) {
        return Err(NotEstimable::NoVariation { method });
    }
    let (t_lower, t_upper) = (
        (c.estimate.point - low) / se,
        (c.estimate.point - high) / se,
    );
    let (p_lower, p_upper) = (dist::t_sf(t_lower, df), dist::t_cdf(t_upper, df));
    // the statistic of the pair is the one nearer to its limit
    let statistic = if p_lower > p_upper { t_lower } else { t_upper };
    let test = Test::new(method, Some(statistic), p_lower.max(p_upper), n).with_df(df);
    Ok(Tost {
        t_lower,
        p_lower,
        t_upper,
        p_upper,
        df,
        test,
        interval,
    })
}

/// One-sided t test that x - y > -margin on pairs.
pub fn non_inferiority_paired(x: &[f64], y: &[f64], margin: f64) -> Result<Test, NotEstimable> {
    check::not_negative("margin", margin)?;
    let c = paired_t(x, y, 0.9)?;
    let method = Method::NonInferiorityT;
    match (c.se, c.df, &c.test) {
        (Some(se), Some(df), Some(t)) if t.statistic.is_some() => {
            let t = (c.estimate.point + margin) / se;
            Ok(Test::new(method, Some(t), dist::t_sf(t, df), c.estimate.n_units).with_df(df))
        }
        (None, ..) => Err(NotEstimable::TooFewUnits {
            method,
            needs: 2,
            has: c.estimate.n_units,
        }),
        _ => Err(NotEstimable::NoVariation { method }),
    }
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The interval excludes a loss as large as the margin.
    Pass,
    /// The interval shows a loss larger than the margin.
    Fail,
    /// The interval contains the margin: more evidence is needed.
    Inconclusive,
}

impl Verdict {
    /// `pass`, `fail` or `inconclusive`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Three-way gate on candidate - baseline, higher is better: pass if lower > -margin, fail if upper < -margin, otherwise
/// inconclusive. An unbounded side never decides; a margin that is negative or not finite is an error.
pub fn gate(difference: &Interval, margin: f64) -> Result<Verdict, NotEstimable> {
    check::not_negative("margin", margin)?;
    Ok(verdict(difference, -margin))
}

/// The same where lower is better: pass if upper < margin, fail if lower > margin.
pub fn gate_lower_is_better(difference: &Interval, margin: f64) -> Result<Verdict, NotEstimable> {
    check::not_negative("margin", margin)?;
    Ok(verdict(&mirrored(difference), -margin))
}

/// Gate on a ratio candidate / baseline where lower is better (latency, cost): pass if upper < 1 + margin, fail if lower > 1 + margin.
pub fn gate_ratio(ratio: &Interval, margin: f64) -> Result<Verdict, NotEstimable> {
    check::not_negative("margin", margin)?;
    Ok(verdict(&mirrored(ratio), -(1.0 + margin)))
}

fn mirrored(i: &Interval) -> Interval {
    Interval {
        level: i.level,
        lower: i.upper.map(|x| -x),
        upper: i.lower.map(|x| -x),
    }
}

fn verdict(i: &Interval, limit: f64) -> Verdict {
    if i.lower.is_some_and(|lo| lo > limit) {
        Verdict::Pass
    } else if i.upper.is_some_and(|hi| hi < limit) {
        Verdict::Fail
    } else {
        Verdict::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_or_undefined_side_never_decides() {
        let open = Interval {
            level: 0.9,
            lower: None,
            upper: None,
        };
        assert_eq!(gate(&open, 0.1), Ok(Verdict::Inconclusive));
        let bad = Interval::new(0.9, f64::NAN, f64::NAN);
        assert_eq!(gate(&bad, 0.1), Ok(Verdict::Inconclusive));
        assert!(gate(&open, -0.1).is_err() && gate(&open, f64::NAN).is_err());
    }

    #[test]
    fn direction_is_mirrored() {
        let i = Interval::new(0.9, 0.02, 0.05);
        assert_eq!(gate(&i, 0.0), Ok(Verdict::Pass));
        assert_eq!(gate_lower_is_better(&i, 0.01), Ok(Verdict::Fail));
        assert_eq!(gate_lower_is_better(&i, 0.03), Ok(Verdict::Inconclusive));
        assert_eq!(
            gate_ratio(&Interval::new(0.9, 0.9, 1.04), 0.05),
            Ok(Verdict::Pass)
        );
        assert_eq!(
            gate_ratio(&Interval::new(0.9, 1.06, 1.4), 0.05),
            Ok(Verdict::Fail)
        );
        assert_eq!(
            ["pass", "fail", "inconclusive"],
            [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive].map(Verdict::id)
        );
    }

    #[test]
    fn a_difference_without_variation_has_no_test() {
        let x = [1.0, 2.0, 3.0];
        assert!(matches!(
            tost_paired(&x, &x, -1.0, 1.0, 0.05),
            Err(NotEstimable::NoVariation { .. })
        ));
        assert!(tost_paired(&[1.0], &[2.0], -1.0, 1.0, 0.05).is_err());
        assert!(tost_paired(&x, &[1.0, 2.5, 3.0], 1.0, -1.0, 0.05).is_err());
        assert!(non_inferiority_paired(&[1.0], &[1.0], 0.1).is_err());
        assert!(non_inferiority_paired(&x, &x, 0.1).is_err());
        assert!(tost_welch(&x, &[4.0, 1.0], -1.0, 1.0, 0.7).is_err());
    }

    #[test]
    fn non_inferiority_is_the_lower_half_of_tost() {
        let (x, y) = ([1.0, 2.0, 3.5, 2.2], [1.1, 1.9, 3.0, 2.6]);
        let t = tost_paired(&x, &y, -0.5, 0.5, 0.05).unwrap();
        let n = non_inferiority_paired(&x, &y, 0.5).unwrap();
        assert_eq!(
            (t.p_lower, t.non_inferior(0.05)),
            (n.p_value, n.p_value < 0.05)
        );
        assert!(!t.equivalent(t.test.p_value));
    }
}
