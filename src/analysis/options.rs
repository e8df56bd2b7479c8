//! What the reader may choose about an analysis.

use super::error::AnalysisError;
use crate::metric::LatencyFamily;
use std::time::Duration;

/// Choices of the reader.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysisOptions {
    /// Confidence level of every interval, between 0 and 1. The tests reject at 1 - level.
    pub level: f64,
    /// Limits whose keeping is reported; the first of each target counts.
    pub slo: Vec<Slo>,
    /// Today as `YYYY-MM-DD`, for the age of prices; `None` leaves their age unsaid.
    pub today: Option<String>,
    /// Database that the next command has to name; `None` when the run is found without.
    pub database: Option<String>,
}

impl Default for AnalysisOptions {
    /// 95 %, first token within 2 s, no date.
    fn default() -> Self {
        let slo = vec![Slo {
            target: SloTarget::Ttft,
            limit: Duration::from_secs(2),
        }];
        Self {
            level: 0.95,
            slo,
            today: None,
            database: None,
        }
    }
}

impl AnalysisOptions {
    /// Checks what a user could get wrong.
    ///
    /// # Errors
    /// When the level is not a share.
    pub fn check(&self) -> Result<(), AnalysisError> {
        if self.level > 0.0 && self.level < 1.0 {
            Ok(())
        } else {
            Err(AnalysisError::BadLevel { level: self.level })
        }
    }
}

/// A limit on a time of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slo {
    /// Which time.
    pub target: SloTarget,
    /// The limit, itself allowed.
    pub limit: Duration,
}

/// The times a limit can be set on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SloTarget {
    /// Time to first token.
    Ttft,
    /// Time per output token.
    Tpot,
    /// End to end.
    E2e,
}

impl SloTarget {
    /// Every target.
    pub const ALL: [Self; 3] = [Self::Ttft, Self::Tpot, Self::E2e];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        self.family().name()
    }

    /// The target with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == text)
    }

    /// The family of times it limits.
    pub(crate) fn family(self) -> LatencyFamily {
        match self {
            Self::Ttft => LatencyFamily::Ttft,
            Self::Tpot => LatencyFamily::Tpot,
            Self::E2e => LatencyFamily::E2e,
        }
    }

    /// The metric that reports it.
    pub(crate) fn metric_id(self) -> &'static str {
        match self {
            Self::Ttft => "ttft_slo_share",
            Self::Tpot => "tpot_slo_share",
            Self::E2e => "e2e_slo_share",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_names_and_metrics() {
        for target in SloTarget::ALL {
            assert_eq!(SloTarget::parse(target.as_str()), Some(target));
            assert!(crate::metric::find(target.metric_id()).is_ok());
        }
        assert_eq!(SloTarget::parse("itl"), None);
    }
}
