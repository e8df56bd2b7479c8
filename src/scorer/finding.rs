//! What a rule finds in an answer.

/// The result of one rule, before inversion.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finding {
    /// It was evaluated.
    Judged {
        /// In 0..=1.
        value: f64,
        /// Whether that is enough.
        passed: bool,
        /// False when the answer has nothing of the form the rule needs.
        parsed: bool,
        /// What the rule took for the answer.
        answer: Option<String>,
        /// Why it failed.
        why: Option<String>,
    },
    /// It could not be evaluated.
    Unscored(String),
}

impl Finding {
    /// Passed or failed, with the reason for a failure.
    pub(crate) fn of(passed: bool, why: impl FnOnce() -> String) -> Self {
        Self::Judged {
            value: f64::from(u8::from(passed)),
            passed,
            parsed: true,
            answer: None,
            why: (!passed).then(why),
        }
    }

    /// Nothing of the form the rule needs.
    pub(crate) fn unparsed(why: impl Into<String>) -> Self {
        Self::Judged {
            value: 0.0,
            passed: false,
            parsed: false,
            answer: None,
            why: Some(why.into()),
        }
    }

    /// With what was taken for the answer.
    pub(crate) fn answered(mut self, text: impl Into<String>) -> Self {
        if let Self::Judged { answer, .. } = &mut self {
            *answer = Some(super::text::shorten(&text.into(), 200));
        }
        self
    }
}
