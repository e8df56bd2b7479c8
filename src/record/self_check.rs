//! What the check of a model after it was loaded found.

use std::time::Duration;

/// A short prompt computed as the run will compute it, held against the plain CPU path. Differences are absolute, in nats.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfCheck {
    /// Tokens of the prompt.
    pub tokens: u32,
    /// Positions whose logits were compared, the last ones.
    pub positions: u32,
    /// Of those, positions at which both have the same most probable id.
    pub same_top1: u32,
    /// Largest difference of a logit.
    pub logit_diff: f64,
    /// Largest logit minus smallest, on the plain path.
    pub logit_spread: f64,
    /// Largest difference of a log-probability between requests scored together and each by itself.
    pub batch_diff: f64,
    /// Share of the spread that both differences may have.
    pub tolerance: f64,
    /// How long it took.
    pub took: Duration,
}

impl SelfCheck {
    /// The largest difference that is allowed.
    pub fn limit(&self) -> f64 {
        self.tolerance * self.logit_spread
    }

    /// Whether the model may be used. A difference that is no number is none that is allowed.
    pub fn passed(&self) -> bool {
        let limit = self.limit();
        limit.is_finite() && self.logit_diff <= limit && self.batch_diff <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_and_what_is_no_number_are_refused() {
        let fine = SelfCheck {
            tokens: 12,
            positions: 2,
            same_top1: 2,
            logit_diff: 0.02,
            logit_spread: 20.0,
            batch_diff: 0.0,
            tolerance: 1e-3,
            took: Duration::ZERO,
        };
        assert!(fine.passed());
        let wrong = |change: fn(&mut SelfCheck)| {
            let mut check = fine.clone();
            change(&mut check);
            !check.passed()
        };
        assert!(wrong(|c| c.logit_diff = 0.021));
        assert!(wrong(|c| c.batch_diff = 0.021));
        assert!(wrong(|c| c.logit_diff = f64::NAN));
        assert!(wrong(|c| c.batch_diff = f64::INFINITY));
        assert!(wrong(|c| c.logit_spread = f64::INFINITY));
        assert!(wrong(|c| c.logit_spread = f64::NAN));
    }
}
