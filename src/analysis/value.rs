//! A number with its interval and provenance, or the reason why there is none.

use crate::stats::{Estimate, Interval, NotEstimable, StatWarning};
use std::fmt;

/// What is known about a metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Measured(Measured),
    /// No number, and why.
    Absent(Absence),
}

impl Value {
    /// The number, when there is one.
    pub fn measured(&self) -> Option<&Measured> {
        match self {
            Self::Measured(m) => Some(m),
            Self::Absent(_) => None,
        }
    }

    /// The point, when there is one.
    pub fn point(&self) -> Option<f64> {
        self.measured().map(|m| m.point)
    }

    /// The reason, when there is no number.
    pub fn absence(&self) -> Option<&Absence> {
        match self {
            Self::Measured(_) => None,
            Self::Absent(a) => Some(a),
        }
    }

    /// A number without an interval, made in the way `method` names.
    pub(crate) fn single(point: f64, method: &'static str, observations: usize) -> Self {
        if !point.is_finite() {
            return Self::Absent(Absence::NoObservations);
        }
        Self::Measured(Measured {
            point,
            interval: None,
            method,
            n: observations,
            observations,
            missing: None,
            notes: Vec::new(),
        })
    }

    /// A result of `stats` over `observations`.
    pub(crate) fn from_stats(result: Result<Estimate, NotEstimable>, observations: usize) -> Self {
        match result {
            Ok(estimate) => Self::Measured(Measured::from_estimate(estimate, observations)),
            Err(NotEstimable::NoObservations) => Self::Absent(Absence::NoObservations),
            Err(reason) => Self::Absent(Absence::NotEstimable(reason)),
        }
    }

    /// The exponential of a logarithm, made in the way `method` names. What is too large for a number is absent, and such an end of an interval
    /// is none.
    pub(crate) fn exponentiated(self, method: &'static str) -> Self {
        let Self::Measured(m) = self else { return self };
        let point = m.point.exp();
        if !point.is_finite() {
            return Self::Absent(Absence::TooLarge);
        }
        let exp = |x: f64| Some(x.exp()).filter(|x| x.is_finite());
        let interval = m.interval.map(|i| Interval {
            level: i.level,
            lower: i.lower.and_then(exp),
            upper: i.upper.and_then(exp),
        });
        Self::Measured(Measured {
            point,
            interval: interval.filter(|i| i.lower.is_some() || i.upper.is_some()),
            method,
            ..m
        })
    }

    /// The same with its interval cut to the range the metric can take.
    pub(crate) fn clipped(self, low: f64, high: f64) -> Self {
        match self {
            Self::Measured(m) => Self::Measured(m.clipped(low, high)),
            absent @ Self::Absent(_) => absent,
        }
    }
}

impl From<Absence> for Value {
    fn from(absence: Absence) -> Self {
        Self::Absent(absence)
    }
}

/// A number, its interval, and how both were made.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The estimate, in the metric's unit.
    pub point: f64,
    /// Its interval; `None` when there is none, see `missing`.
    pub interval: Option<Interval>,
    /// Id of the method (`docs/statistics.md`), or `measured-once`, `computed`, `description`.
    pub method: &'static str,
    /// Independent units behind it: prompts, or requests for percentiles.
    pub n: usize,
    /// Observations behind it, epochs and tokens counted singly.
    pub observations: usize,
    /// Why the interval or one of its sides is missing, when the method could have given it.
    pub missing: Option<NotEstimable>,
    /// What a reader should know before trusting the interval.
    pub notes: Vec<StatWarning>,
}

impl Measured {
    pub(crate) fn from_estimate(estimate: Estimate, observations: usize) -> Self {
        Self {
            point: estimate.point,
            interval: estimate.interval,
            method: estimate.method.id(),
            n: estimate.n_units,
            observations,
            missing: estimate.reason,
            notes: estimate.warnings,
        }
    }

    /// Observations or units with which the missing interval, or its missing side, would be there.
    pub fn needs(&self) -> Option<usize> {
        match self.missing.as_ref()? {
            NotEstimable::QuantileUnbounded { needs, .. }
            | NotEstimable::TooFewUnits { needs, .. } => Some(*needs),
            _ => None,
        }
    }

    /// Whether the interval has no width because all units were equal, which is not certainty.
    pub fn is_flat(&self) -> bool {
        self.notes.contains(&StatWarning::ZeroVariance)
    }

    fn clipped(mut self, low: f64, high: f64) -> Self {
        if let Some(interval) = self.interval {
            let cut = interval.clipped(low, high);
            if cut != interval {
                self.notes.push(StatWarning::Clipped);
            }
            self.interval = Some(cut);
        }
        self
    }
}

/// Why a metric has no value. A dash in tables, this text in the footnote.
#[derive(Debug, Clone, PartialEq)]
pub enum Absence {
    /// No sample gives an observation of it.
    NoObservations,
    /// No generation, or none that could be timed.
    NoGenerations,
    /// Every generation has fewer than 2 tokens.
    FewerThanTwoTokens,
    /// Larger than the largest number.
    TooLarge,
    /// The two sides do not measure the same thing; the text says why.
    NotComparable(&'static str),
    /// A field of the record is empty; the text names what was not measured.
    NotMeasured(&'static str),
    /// The run has one epoch.
    NeedsEpochs,
    /// No limit was set for it.
    NoLimit,
    /// Fewer requests than it needs.
    TooFewRequests {
        /// Requests it needs.
        needs: usize,
        /// Requests there are.
        has: usize,
    },
    /// No sample declares this component.
    NotDeclared,
    /// The price card cannot be used; the text says why.
    PriceCard(String),
    /// The cloud costs no more than the electricity.
    NeverBreaksEven,
    /// The statistics cannot give it.
    NotEstimable(NotEstimable),
}

impl Absence {
    /// Stable name for JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoObservations => "no_observations",
            Self::NoGenerations => "no_generations",
            Self::FewerThanTwoTokens => "fewer_than_two_tokens",
            Self::TooLarge => "too_large",
            Self::NotComparable(_) => "not_comparable",
            Self::NotMeasured(_) => "not_measured",
            Self::NeedsEpochs => "needs_epochs",
            Self::NoLimit => "no_limit",
            Self::TooFewRequests { .. } => "too_few_requests",
            Self::NotDeclared => "not_declared",
            Self::PriceCard(_) => "price_card",
            Self::NeverBreaksEven => "never_breaks_even",
            Self::NotEstimable(_) => "not_estimable",
        }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoObservations => f.write_str("no sample gives an observation of it"),
            Self::NoGenerations => f.write_str("no sample has a generation"),
            Self::FewerThanTwoTokens => f.write_str("every generation has fewer than 2 tokens"),
            Self::TooLarge => f.write_str("it is too large for a number"),
            Self::NotMeasured(what) | Self::NotComparable(what) => f.write_str(what),
            Self::NeedsEpochs => f.write_str("needs at least 2 epochs"),
            Self::NoLimit => f.write_str("no limit was set"),
            Self::TooFewRequests { needs, has } => {
                write!(f, "needs {needs} requests but has {has}")
            }
            Self::NotDeclared => f.write_str("no sample declares this component"),
            Self::PriceCard(why) => f.write_str(why),
            Self::NeverBreaksEven => {
                f.write_str("the cloud costs no more than the electricity, so it never breaks even")
            }
            Self::NotEstimable(reason) => write!(f, "{reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absences_have_codes_and_texts() {
        let cases = [
            (
                Absence::NoObservations,
                "no_observations",
                "no sample gives an observation of it",
            ),
            (
                Absence::NoGenerations,
                "no_generations",
                "no sample has a generation",
            ),
            (
                Absence::FewerThanTwoTokens,
                "fewer_than_two_tokens",
                "every generation has fewer than 2 tokens",
            ),
            (
                Absence::NotMeasured("peak memory could not be read"),
                "not_measured",
                "peak memory could not be read",
            ),
            (
                Absence::TooLarge,
                "too_large",
                "it is too large for a number",
            ),
            (
                Absence::NotComparable("the windows differ"),
                "not_comparable",
                "the windows differ",
            ),
            (
                Absence::NeedsEpochs,
                "needs_epochs",
                "needs at least 2 epochs",
            ),
            (Absence::NoLimit, "no_limit", "no limit was set"),
            (
                Absence::TooFewRequests { needs: 9, has: 3 },
                "too_few_requests",
                "needs 9 requests but has 3",
            ),
            (
                Absence::NotDeclared,
                "not_declared",
                "no sample declares this component",
            ),
            (
                Absence::PriceCard("no card".to_owned()),
                "price_card",
                "no card",
            ),
            (
                Absence::NeverBreaksEven,
                "never_breaks_even",
                "the cloud costs no more than the electricity, so it never breaks even",
            ),
            (
                Absence::NotEstimable(NotEstimable::NoObservations),
                "not_estimable",
                "no observations",
            ),
        ];
        for (absence, code, text) in cases {
            assert_eq!((absence.code(), absence.to_string().as_str()), (code, text));
        }
    }

    #[test]
    fn an_exponential_that_is_too_large_is_absent() {
        let of = |point: f64, ends: (f64, f64)| {
            let mut m = Measured {
                point,
                interval: None,
                method: "ratio-of-sums",
                n: 3,
                observations: 3,
                missing: None,
                notes: Vec::new(),
            };
            m.interval = Some(Interval::new(0.95, ends.0, ends.1));
            Value::Measured(m).exponentiated("exp-ratio-of-sums")
        };
        let known = of(2.0, (1.0, 3.0));
        let m = known.measured().unwrap();
        assert_eq!((m.point, m.method), (2.0_f64.exp(), "exp-ratio-of-sums"));
        let ends = (1.0_f64.exp(), 3.0_f64.exp());
        assert_eq!(m.interval.unwrap().bounds(), Some(ends));
        let half = of(700.0, (600.0, 800.0));
        let interval = half.measured().unwrap().interval.unwrap();
        assert_eq!(
            (interval.lower, interval.upper),
            (Some(600.0_f64.exp()), None)
        );
        let none = of(800.0, (600.0, 1_000.0));
        assert_eq!(none.absence(), Some(&Absence::TooLarge));
    }

    #[test]
    fn a_number_that_is_not_finite_is_absent() {
        assert_eq!(
            Value::single(f64::NAN, "computed", 3).absence(),
            Some(&Absence::NoObservations)
        );
        assert_eq!(Value::single(2.0, "computed", 3).point(), Some(2.0));
    }
}
