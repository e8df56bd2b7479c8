//! Evidence on the mean of bounded values that holds at every moment: an e-value by betting, and the interval of all means it does not reject.
//!
//! Whoever doubts that the mean is m bets a share b of the capital on the upper end and the rest on the lower one; a value x in 0 to 1 multiplies
//! the capital by b x/m + (1 - b)(1 - x)/(1 - m), which is 1 on average when the mean is m. With b spread evenly over 0 to 1 the capital is
//!
//! K(m) = integral over b of the product over i of (b x_i/m + (1 - b)(1 - x_i)/(1 - m)),
//!
//! a nonnegative martingale that starts at 1: the probability that it ever reaches 1/alpha is at most alpha (Ville 1939). So the means with
//! K(m) < 1/alpha are a confidence set at every moment at once; K is log-convex in m, so the set is an interval. For paired results that are -1,
//! 0 or 1 K at "no difference" is exactly 2^(b+c) B(b+1, c+1) of the discordant pairs: [`e_value`](super::seq::e_value) is this one's special case.
//!
//! The result does not depend on the order of the values, but its promise does: they have to come in random order, and the decision when to look
//! must not depend on values that are not in it. Sources: Ville 1939; Orabona & Jun 2021; Waudby-Smith & Ramdas 2024.

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, Test};
use super::method::Method;
use super::{check, desc, dist};

/// Where the integrand has fallen by this much (in logarithms) it is left out: less than 1e-17 of the integral.
const TAIL: f64 = 45.0;

/// Halvings of a search: to 1e-12 of the range.
const HALVINGS: u32 = 40;

/// Panels of 16 nodes over what is left of the integrand.
const PANELS: usize = 8;

/// Means nearer to 0 or 1 than this are not told from 0 and 1.
const EDGE: f64 = 1e-9;

/// Distinct values with their counts.
struct Values(Vec<(f64, f64)>);

impl Values {
    fn of(xs: &[f64]) -> Self {
        let mut out: Vec<(f64, f64)> = Vec::new();
        for x in desc::sorted(xs) {
            match out.last_mut() {
                Some((value, count)) if *value == x => *count += 1.0,
                _ => out.push((x, 1.0)),
            }
        }
        Self(out)
    }

    /// Logarithm of the capital of one bet.
    fn ln_capital(&self, m: f64, bet: f64) -> f64 {
        let (up, down) = (bet / m, (1.0 - bet) / (1.0 - m));
        let gain = |&(x, count): &(f64, f64)| count * (up * x + down * (1.0 - x)).ln();
        // an end of the range may have a capital of nothing, whose logarithm a compensated sum would turn into NaN
        self.0.iter().map(gain).sum()
    }

    /// Its slope in the bet, which falls.
    fn slope(&self, m: f64, bet: f64) -> f64 {
        let (up, down) = (bet / m, (1.0 - bet) / (1.0 - m));
        let term = |&(x, count): &(f64, f64)| {
            count * (x / m - (1.0 - x) / (1.0 - m)) / (up * x + down * (1.0 - x))
        };
        self.0.iter().map(term).sum()
    }

    /// Logarithm of K(m), 0 < m < 1. The integrand is log-concave in the bet: it is integrated around its peak.
    fn ln_wealth(&self, m: f64) -> f64 {
        let best = halve(0.0, 1.0, |bet| self.slope(m, bet) > 0.0);
        let peak = self.ln_capital(m, best);
        let above = |bet: f64| self.ln_capital(m, bet) > peak - TAIL;
        let low = if above(0.0) {
            0.0
        } else {
            halve(0.0, best, |bet| !above(bet))
        };
        let high = if above(1.0) {
            1.0
        } else {
            halve(best, 1.0, above)
        };
        let nodes = dist::composite_nodes(low, high, PANELS);
        let area = desc::sum(
            nodes
                .iter()
                .map(|(bet, weight)| weight * (self.ln_capital(m, *bet) - peak).exp()),
        );
        peak + area.ln()
    }
}

/// The point up to which a condition holds.
fn halve(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let mid = f64::midpoint(low, high);
        if holds(mid) {
            low = mid;
        } else {
            high = mid;
        }
    }
    f64::midpoint(low, high)
}

/// What is known at a moment about a mean of paired differences.
#[derive(Debug, Clone, PartialEq)]
pub struct Anytime {
    /// The mean difference with the interval that holds at every moment.
    pub estimate: Estimate,
    /// The test of no difference: the statistic is the e-value, p is its reciprocal.
    pub test: Test,
    /// Natural logarithm of the e-value, which may be too large for the e-value itself.
    pub ln_e_value: f64,
}

/// Natural logarithm of the e-value of "the mean of these values in 0 to 1 is `mean`".
pub fn ln_e_value(xs: &[f64], mean: f64) -> Result<f64, NotEstimable> {
    check::within(xs, 0.0, 1.0, Method::BettingMixture)?;
    check::open_unit("mean", mean)?;
    Ok(Values::of(xs).ln_wealth(mean))
}

/// The interval of the mean of values in 0 to 1 that holds at every moment: all m with K(m) below 1 / (1 - level).
pub fn mean_interval(xs: &[f64], level: f64) -> Result<Interval, NotEstimable> {
    check::within(xs, 0.0, 1.0, Method::BettingMixture)?;
    check::open_unit("level", level)?;
    let (values, mean) = (Values::of(xs), desc::mean_of(xs));
    let rejected = |m: f64| resolves(values.ln_wealth(m), level);
    let lower = if mean <= EDGE || !rejected(EDGE) {
        0.0
    } else {
        halve(EDGE, mean, rejected)
    };
    let upper = if mean >= 1.0 - EDGE || !rejected(1.0 - EDGE) {
        1.0
    } else {
        halve(mean, 1.0 - EDGE, |m| !rejected(m))
    };
    Ok(Interval::new(level, lower, upper))
}

/// Paired differences between `-range` and `range` as values in 0 to 1.
fn scaled(d: &[f64], range: f64) -> Result<Vec<f64>, NotEstimable> {
    check::positive("range", range)?;
    check::within(d, -range, range, Method::BettingMixture)?;
    let scale = |x: &f64| f64::midpoint(x / range, 1.0).clamp(0.0, 1.0);
    Ok(d.iter().map(scale).collect())
}

/// Natural logarithm of the e-value of "paired differences between `-range` and `range` are 0 on average": all that a decision needs.
pub fn paired_ln_e_value(d: &[f64], range: f64) -> Result<f64, NotEstimable> {
    ln_e_value(&scaled(d, range)?, 0.5)
}

/// Whether an e-value with this logarithm rejects at 1 - level.
pub fn resolves(ln_e_value: f64, level: f64) -> bool {
    ln_e_value >= -(1.0 - level).ln()
}

/// Evidence on the mean of paired differences between `-range` and `range`, for a comparison that is looked at again and again.
pub fn paired_differences(d: &[f64], range: f64, level: f64) -> Result<Anytime, NotEstimable> {
    let xs = scaled(d, range)?;
    let inside = mean_interval(&xs, level)?;
    let back = |x: Option<f64>| x.map(|x| (2.0 * x - 1.0) * range);
    let interval = Interval {
        level,
        lower: back(inside.lower),
        upper: back(inside.upper),
    };
    let ln_e_value = ln_e_value(&xs, 0.5)?;
    let (mean, n) = (desc::mean_of(d), d.len());
    let estimate = Estimate::with_interval(mean, interval, Method::BettingMixture, n).checked()?;
    let e_value = ln_e_value.min(f64::MAX.ln() - 1.0).exp();
    let test = Test::new(Method::BettingEValue, Some(e_value), (-ln_e_value).exp(), n);
    Ok(Anytime {
        estimate,
        test,
        ln_e_value,
    })
}

#[cfg(test)]
mod tests {
    use super::super::seq;
    use super::*;

    fn outcomes(only_a: usize, only_b: usize, same: usize) -> Vec<f64> {
        let mut d = vec![1.0; only_a];
        d.extend(vec![-1.0; only_b]);
        d.extend(vec![0.0; same]);
        d
    }

    #[test]
    fn on_paired_passes_it_is_the_e_value_of_the_discordant_pairs() {
        for (b, c, same) in [
            (0, 0, 5),
            (8, 0, 3),
            (3, 5, 40),
            (60, 31, 400),
            (900, 400, 9_000),
        ] {
            let got = paired_differences(&outcomes(b, c, same), 1.0, 0.95).unwrap();
            let expected = seq::e_value(b as u64, c as u64).ln();
            assert!(
                (got.ln_e_value - expected).abs() < 1e-9 * expected.abs().max(1.0),
                "{b} {c}: {} {expected}",
                got.ln_e_value
            );
        }
    }

    #[test]
    fn one_value_of_one_by_hand() {
        // K(m) = integral of b / m = 1 / (2 m): rejected at 5 % below m = 1/40.
        let i = mean_interval(&[1.0], 0.95).unwrap();
        assert!((i.lower.unwrap() - 0.025).abs() < 1e-9, "{i:?}");
        assert_eq!(i.upper, Some(1.0));
        // two values 1: the integral of b^2 / m^2 = 1 / (3 m^2) reaches 20 at m = sqrt(1/60)
        let i = mean_interval(&[1.0, 1.0], 0.95).unwrap();
        assert!((i.lower.unwrap() - (1.0 / 60.0_f64).sqrt()).abs() < 1e-9);
        // one 1 and one 0: 1 / (6 m (1 - m)) reaches 20 where m (1 - m) = 1/120
        let i = mean_interval(&[1.0, 0.0], 0.95).unwrap();
        let root = 0.5 - (0.25 - 1.0 / 120.0_f64).sqrt();
        let (low, high) = i.bounds().unwrap();
        assert!(
            (low - root).abs() < 1e-9 && (high - 1.0 + root).abs() < 1e-9,
            "{i:?}"
        );
    }

    #[test]
    fn the_interval_leaves_zero_out_exactly_when_the_e_value_rejects() {
        for only_a in 0..30 {
            let d = outcomes(only_a, 4, 11);
            let a = paired_differences(&d, 1.0, 0.95).unwrap();
            let i = a.estimate.interval.unwrap();
            assert_eq!(!i.contains(0.0), a.ln_e_value >= 20.0_f64.ln(), "{only_a}");
            assert_eq!(a.test.p_value < 0.05, a.ln_e_value > 20.0_f64.ln());
            assert!(i.contains(a.estimate.point));
        }
    }

    #[test]
    fn it_turns_with_the_sign_and_stretches_with_the_range() {
        let d: Vec<f64> = (0..50)
            .map(|i| f64::from(i * 37 % 101) / 100.0 - 0.3)
            .collect();
        let minus: Vec<f64> = d.iter().map(|x| -x).collect();
        let tenfold: Vec<f64> = d.iter().map(|x| x * 10.0).collect();
        let bounds = |d: &[f64], range| {
            let a = paired_differences(d, range, 0.9).unwrap();
            (a.estimate.interval.unwrap().bounds().unwrap(), a.ln_e_value)
        };
        let ((low, high), e) = bounds(&d, 1.0);
        let ((low2, high2), e2) = bounds(&minus, 1.0);
        let ((low3, high3), e3) = bounds(&tenfold, 10.0);
        assert!((low + high2).abs() < 1e-9 && (high + low2).abs() < 1e-9 && (e - e2).abs() < 1e-9);
        assert!((low3 - 10.0 * low).abs() < 1e-8 && (high3 - 10.0 * high).abs() < 1e-8);
        assert!((e - e3).abs() < 1e-9);
    }

    #[test]
    fn bad_input_is_refused_and_extremes_stay_finite() {
        assert!(paired_differences(&[], 1.0, 0.95).is_err());
        assert!(paired_differences(&[1.5], 1.0, 0.95).is_err());
        assert!(paired_differences(&[0.5], 0.0, 0.95).is_err());
        assert!(paired_differences(&[0.5], 1.0, 1.0).is_err());
        assert!(ln_e_value(&[0.5], 0.0).is_err() && ln_e_value(&[f64::NAN], 0.5).is_err());
        let all = paired_differences(&vec![10.0; 5_000], 10.0, 0.95).unwrap();
        assert!(all.ln_e_value > 3_000.0 && all.test.statistic.unwrap().is_finite());
        assert_eq!(all.estimate.interval.unwrap().upper, Some(10.0));
        let none = paired_differences(&vec![0.0; 5_000], 10.0, 0.95).unwrap();
        assert_eq!(
            (none.ln_e_value.abs() < 1e-9, none.test.p_value),
            (true, 1.0)
        );
    }
}
