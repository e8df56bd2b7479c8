//! What every method returns: a point with an interval, or a test, with the method and the number of units behind it.

use super::error::NotEstimable;
use super::method::Method;

/// A confidence (or credible) interval. `None` on a side means unbounded on that side, never "not computed".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Nominal coverage, 0.95 for 95 %.
    pub level: f64,
    /// Lower bound, `None` when unbounded.
    pub lower: Option<f64>,
    /// Upper bound, `None` when unbounded.
    pub upper: Option<f64>,
}

impl Interval {
    /// An interval with both bounds.
    pub fn new(level: f64, lower: f64, upper: f64) -> Self {
        Self {
            level,
            lower: Some(lower),
            upper: Some(upper),
        }
    }

    /// Whether `x` lies inside, bounds included.
    pub fn contains(&self, x: f64) -> bool {
        self.lower.is_none_or(|lo| lo <= x) && self.upper.is_none_or(|hi| x <= hi)
    }

    /// Half the width; `None` when a side is unbounded.
    pub fn half_width(&self) -> Option<f64> {
        Some((self.upper? - self.lower?) / 2.0)
    }

    /// Both bounds; `None` when a side is unbounded.
    pub fn bounds(&self) -> Option<(f64, f64)> {
        Some((self.lower?, self.upper?))
    }

    /// The same interval cut to a range, for quantities that cannot leave it.
    #[must_use]
    pub fn clipped(self, low: f64, high: f64) -> Self {
        Self {
            level: self.level,
            lower: self.lower.map(|x| x.clamp(low, high)),
            upper: self.upper.map(|x| x.clamp(low, high)),
        }
    }
}

/// A point estimate with its interval and its provenance.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The estimate; always finite.
    pub point: f64,
    /// Its interval; `None` when the method needs more than there is, see `reason`.
    pub interval: Option<Interval>,
    /// How both were computed.
    pub method: Method,
    /// Number of independent units (clusters, pairs), not of observations.
    pub n_units: usize,
    /// Why the interval, or one of its bounds, is missing.
    pub reason: Option<NotEstimable>,
    /// What a reader should know before trusting the number.
    pub warnings: Vec<StatWarning>,
}

impl Estimate {
    /// An estimate with an interval.
    pub(crate) fn with_interval(
        point: f64,
        interval: Interval,
        method: Method,
        n_units: usize,
    ) -> Self {
        Self {
            point,
            interval: Some(interval),
            method,
            n_units,
            reason: None,
            warnings: Vec::new(),
        }
    }

    /// An estimate without an interval and the reason for it.
    pub(crate) fn without_interval(
        point: f64,
        method: Method,
        n_units: usize,
        reason: NotEstimable,
    ) -> Self {
        Self {
            point,
            interval: None,
            method,
            n_units,
            reason: Some(reason),
            warnings: Vec::new(),
        }
    }

    /// The same with a warning added.
    pub(crate) fn warn(mut self, warning: StatWarning) -> Self {
        self.warnings.push(warning);
        self
    }

    /// The same with a warning added where `when` holds.
    pub(crate) fn warn_if(self, when: bool, warning: StatWarning) -> Self {
        if when { self.warn(warning) } else { self }
    }

    /// Fails when a number in it is not finite although every input was: the arithmetic overflowed.
    pub(crate) fn checked(self) -> Result<Self, NotEstimable> {
        let bounds = self.interval.iter().flat_map(|i| [i.lower, i.upper]);
        let all_finite = self.point.is_finite() && bounds.flatten().all(f64::is_finite);
        if all_finite {
            Ok(self)
        } else {
            Err(NotEstimable::Overflow {
                method: self.method,
            })
        }
    }
}

/// The result of a significance test.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The test statistic, where the test has one.
    pub statistic: Option<f64>,
    /// Degrees of freedom, where the test has them.
    pub df: Option<f64>,
    /// The p-value, two-sided unless the method says otherwise.
    pub p_value: f64,
    /// How it was computed.
    pub method: Method,
    /// Number of independent units that entered.
    pub n_units: usize,
    /// What a reader should know before trusting the number.
    pub warnings: Vec<StatWarning>,
}

impl Test {
    /// A test result; the p-value is cut to 0 to 1 against rounding.
    pub(crate) fn new(
        method: Method,
        statistic: Option<f64>,
        p_value: f64,
        n_units: usize,
    ) -> Self {
        Self {
            statistic,
            df: None,
            p_value: p_value.clamp(0.0, 1.0),
            method,
            n_units,
            warnings: Vec::new(),
        }
    }

    /// The same with degrees of freedom.
    pub(crate) fn with_df(mut self, df: f64) -> Self {
        self.df = Some(df);
        self
    }

    /// The same with a warning added where `when` holds.
    pub(crate) fn warn_if(mut self, when: bool, warning: StatWarning) -> Self {
        if when {
            self.warnings.push(warning);
        }
        self
    }
}

/// A difference (or ratio) with its interval and the test that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The difference with its interval.
    pub estimate: Estimate,
    /// Standard error of the difference; `None` with a single unit.
    pub se: Option<f64>,
    /// Degrees of freedom of the interval.
    pub df: Option<f64>,
    /// The two-sided test of no difference; `None` where it is undefined (one unit, or a constant difference).
    pub test: Option<Test>,
}

/// What a reader should know before trusting a number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum StatWarning {
    /// So few units that the interval leans on the assumed distribution.
    FewUnits {
        /// Units given.
        has: usize,
        /// Units from which on this warning ends.
        advised: usize,
    },
    /// All units are equal: the interval has no width, which is not certainty.
    ZeroVariance,
    /// The clusters do not vary, so that the number of clusters was taken as the number of observations.
    DegenerateClusters,
    /// The interval was cut to the range the quantity can take.
    Clipped,
    /// One side of the interval is unbounded.
    Unbounded,
    /// So few resamples that the bounds depend on the seed.
    FewResamples {
        /// Resamples made.
        has: usize,
        /// Resamples from which on this warning ends.
        advised: usize,
    },
    /// Too few units for any p-value below 0.05.
    CannotReachSignificance {
        /// The smallest p-value these units can give.
        smallest_p: f64,
    },
    /// Ties among the values; the exact null distribution takes them in, an approximation only corrects for them.
    Ties,
    /// Pairs without a difference were left out.
    ZerosDropped {
        /// Pairs left out.
        count: usize,
    },
    /// Half a win each way was added to every pair, because an item never lost or never won.
    PseudoWinsAdded,
    /// The method assumes something the data rarely meets; prefer the one named in the documentation.
    Unreliable,
}

impl std::fmt::Display for StatWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FewUnits { has, advised } => write!(f, "only {has} units, at least {advised} advised"),
            Self::ZeroVariance => f.write_str("all units are equal, the interval has no width"),
            Self::DegenerateClusters => f.write_str("the clusters do not vary, their number was taken as the number of observations"),
            Self::Clipped => f.write_str("the interval was cut to the possible range"),
            Self::Unbounded => f.write_str("one side of the interval is unbounded"),
            Self::FewResamples { has, advised } => write!(f, "only {has} resamples, at least {advised} advised"),
            Self::CannotReachSignificance { smallest_p } => {
                write!(f, "with these units no p-value can be below {smallest_p:.4}")
            }
            Self::Ties => f.write_str("tied values"),
            Self::ZerosDropped { count } => write!(f, "{count} pairs without a difference were left out"),
            Self::PseudoWinsAdded => f.write_str("half a win each way was added to every pair, because an item never lost or never won"),
            Self::Unreliable => f.write_str("this method is shown for comparison only"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_side_contains_everything_there() {
        let i = Interval {
            level: 0.95,
            lower: Some(1.0),
            upper: None,
        };
        assert!(i.contains(1e300) && i.contains(1.0) && !i.contains(0.9));
        assert_eq!((i.half_width(), i.bounds()), (None, None));
        assert_eq!(
            Interval::new(0.9, -1.0, 2.0).clipped(0.0, 1.0).bounds(),
            Some((0.0, 1.0))
        );
    }

    #[test]
    fn overflow_is_an_error_not_an_infinity() {
        let e = Estimate::with_interval(0.0, Interval::new(0.95, 0.0, f64::INFINITY), Method::T, 2);
        assert_eq!(
            e.checked(),
            Err(NotEstimable::Overflow { method: Method::T })
        );
    }

    #[test]
    fn warnings_have_their_texts() {
        let cases = [
            (
                StatWarning::FewUnits {
                    has: 3,
                    advised: 20,
                },
                "only 3 units, at least 20 advised",
            ),
            (
                StatWarning::ZeroVariance,
                "all units are equal, the interval has no width",
            ),
            (
                StatWarning::FewResamples {
                    has: 9,
                    advised: 99,
                },
                "only 9 resamples, at least 99 advised",
            ),
            (
                StatWarning::CannotReachSignificance { smallest_p: 0.0625 },
                "with these units no p-value can be below 0.0625",
            ),
            (
                StatWarning::ZerosDropped { count: 2 },
                "2 pairs without a difference were left out",
            ),
        ];
        for (warning, text) in cases {
            assert_eq!(warning.to_string(), text);
        }
    }
}
