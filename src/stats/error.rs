//! Why a statistic cannot be given.
//!
//! A method returns `Err` when not even a point estimate exists (no observation, a value that is not a number), and an
//! [`Estimate`](super::Estimate) with a `reason` when the point exists but its interval does not (one unit only).
//! Both carry the same type, so that a report can always say what is missing and how many units would be enough.

use super::method::Method;

/// A typed reason why a statistic or its interval does not exist.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotEstimable {
    /// The slice was empty.
    #[error("no observations")]
    NoObservations,
    /// An observation is NaN or infinite.
    #[error("observation {index} is `{value}` but every observation must be a finite number")]
    NonFinite {
        /// Position of the first such value, counted from 0.
        index: usize,
        /// The value itself.
        value: f64,
    },
    /// An observation lies outside the range the method is defined on.
    #[error("observation {index} is `{value}` but `{method}` needs values from {low} to {high}")]
    OutsideRange {
        /// Position of the first such value, counted from 0.
        index: usize,
        /// The value itself.
        value: f64,
        /// Smallest value allowed.
        low: f64,
        /// Largest value allowed.
        high: f64,
        /// The method asked for.
        method: Method,
    },
    /// An argument (not an observation) lies outside its range.
    #[error("argument `{name}` is `{value}` but must be {rule}")]
    BadArgument {
        /// Name of the argument.
        name: &'static str,
        /// The value given.
        value: f64,
        /// What it must be, in words.
        rule: &'static str,
    },
    /// Fewer units than the method needs.
    #[error("`{method}` needs at least {needs} units but has {has}")]
    TooFewUnits {
        /// The method asked for.
        method: Method,
        /// Smallest number of units with which it works.
        needs: usize,
        /// Number of units given.
        has: usize,
    },
    /// The order-statistic interval of a quantile has no bound on one or both sides.
    #[error(
        "needs at least {needs} observations for {side} of p{} at {} % but has {has} ({needs_one_sided} for a one-sided bound)",
        percent(*.q), percent(*.level)
    )]
    QuantileUnbounded {
        /// The quantile, 0.9 for p90.
        q: f64,
        /// Confidence level.
        level: f64,
        /// Which bound is missing.
        side: Side,
        /// Observations a two-sided interval with this bound needs.
        needs: usize,
        /// Observations a one-sided bound needs.
        needs_one_sided: usize,
        /// Number of observations given.
        has: usize,
    },
    /// Two slices that belong together differ in length.
    #[error("paired slices differ in length: {left} and {right} units")]
    UnequalLengths {
        /// Units on the left.
        left: usize,
        /// Units on the right.
        right: usize,
    },
    /// More successes than trials.
    #[error("{successes} successes of {trials} trials")]
    ImpossibleCount {
        /// Successes given.
        successes: u64,
        /// Trials given.
        trials: u64,
    },
    /// All values are equal, so that the statistic would divide by zero.
    #[error("all values are equal, so `{method}` is undefined")]
    NoVariation {
        /// The method asked for.
        method: Method,
    },
    /// The denominator of a ratio is zero or its interval contains zero.
    #[error("the denominator of `{method}` is not separated from zero")]
    DenominatorNearZero {
        /// The method asked for.
        method: Method,
    },
    /// An iterative method found no answer.
    #[error("`{method}` did not converge in {iterations} iterations")]
    NoConvergence {
        /// The method asked for.
        method: Method,
        /// Iterations made.
        iterations: usize,
    },
    /// Items that never meet, directly or through others, cannot be ranked together.
    #[error("item {item} is never compared, directly or through others, with item 0")]
    Disconnected {
        /// Position of the first item that is cut off.
        item: usize,
    },
    /// The values are finite but a sum or square of them is not.
    #[error("the values are too large for `{method}`: the arithmetic overflows")]
    Overflow {
        /// The method asked for.
        method: Method,
    },
}

/// The side of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The lower bound.
    Lower,
    /// The upper bound.
    Upper,
    /// Both bounds.
    Both,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lower => "a lower bound",
            Self::Upper => "an upper bound",
            Self::Both => "any bound",
        })
    }
}

impl NotEstimable {
    /// What the reader can do about it, where one thing helps.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooFewUnits { needs, has, .. } => {
                Some(format!("add {} more units", needs.saturating_sub(*has)))
            }
            Self::QuantileUnbounded { needs, has, .. } => Some(format!(
                "add {} more observations",
                needs.saturating_sub(*has)
            )),
            _ => None,
        }
    }
}

/// 0.95 as `95`, 0.999 as `99.9`: at most three decimals, no trailing zeros.
fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_its_text() {
        let m = Method::T;
        let cases: Vec<(NotEstimable, &str)> = vec![
            (NotEstimable::NoObservations, "no observations"),
            (
                NotEstimable::NonFinite {
                    index: 3,
                    value: f64::NAN,
                },
                "observation 3 is `NaN` but every observation must be a finite number",
            ),
            (
                NotEstimable::OutsideRange {
                    index: 0,
                    value: 2.0,
                    low: 0.0,
                    high: 1.0,
                    method: Method::Wilson,
                },
                "observation 0 is `2` but `wilson` needs values from 0 to 1",
            ),
            (
                NotEstimable::BadArgument {
                    name: "level",
                    value: 1.5,
                    rule: "between 0 and 1",
                },
                "argument `level` is `1.5` but must be between 0 and 1",
            ),
            (
                NotEstimable::TooFewUnits {
                    method: m,
                    needs: 2,
                    has: 1,
                },
                "`t` needs at least 2 units but has 1",
            ),
            (
                NotEstimable::QuantileUnbounded {
                    q: 0.9,
                    level: 0.95,
                    side: Side::Upper,
                    needs: 36,
                    needs_one_sided: 29,
                    has: 15,
                },
                "needs at least 36 observations for an upper bound of p90 at 95 % but has 15 (29 for a one-sided bound)",
            ),
            (
                NotEstimable::UnequalLengths { left: 3, right: 4 },
                "paired slices differ in length: 3 and 4 units",
            ),
            (
                NotEstimable::ImpossibleCount {
                    successes: 5,
                    trials: 4,
                },
                "5 successes of 4 trials",
            ),
            (
                NotEstimable::NoVariation { method: m },
                "all values are equal, so `t` is undefined",
            ),
            (
                NotEstimable::DenominatorNearZero {
                    method: Method::RatioOfSums,
                },
                "the denominator of `ratio-of-sums` is not separated from zero",
            ),
            (
                NotEstimable::NoConvergence {
                    method: Method::BradleyTerry,
                    iterations: 200,
                },
                "`bradley-terry` did not converge in 200 iterations",
            ),
            (
                NotEstimable::Disconnected { item: 2 },
                "item 2 is never compared, directly or through others, with item 0",
            ),
            (
                NotEstimable::Overflow { method: m },
                "the values are too large for `t`: the arithmetic overflows",
            ),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn hints_name_the_missing_units() {
        let few = NotEstimable::TooFewUnits {
            method: Method::T,
            needs: 2,
            has: 0,
        };
        assert_eq!(few.hint().as_deref(), Some("add 2 more units"));
        assert_eq!(NotEstimable::NoObservations.hint(), None);
    }
}
