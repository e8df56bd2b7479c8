//! Which of the exclusive outcomes a completion has.

use crate::record::{Finish, Outcome};
use regex::Regex;
use std::sync::LazyLock;

/// What the checks said, as far as the outcome depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict {
    /// A required check failed.
    pub(crate) failed: bool,
    /// A required check found nothing of the form it needs.
    pub(crate) unparsed: bool,
    /// A required check could not be evaluated.
    pub(crate) unscored: bool,
}

/// The outcome. The first that holds, from what says most about the cause: cut off before anything was said, empty, cut off, declined, without form,
/// wrong.
pub(crate) fn decide(completion: &str, finish: &Finish, verdict: Verdict) -> Outcome {
    if completion.trim().is_empty() {
        return match finish {
            Finish::Timeout => Outcome::Timeout,
            // Nothing was said up to the limit, thoughts perhaps: more tokens might have brought an answer.
            Finish::Length | Finish::Context => Outcome::Truncated,
            Finish::Eos(_) | Finish::Stop(_) => Outcome::Empty,
        };
    }
    if !verdict.failed {
        return if verdict.unscored {
            Outcome::Unparsed
        } else {
            Outcome::Correct
        };
    }
    match finish {
        Finish::Timeout => Outcome::Timeout,
        Finish::Length | Finish::Context => Outcome::Truncated,
        Finish::Eos(_) | Finish::Stop(_) if declines(completion) => Outcome::Refused,
        Finish::Eos(_) | Finish::Stop(_) if verdict.unparsed => Outcome::Unparsed,
        Finish::Eos(_) | Finish::Stop(_) => Outcome::Incorrect,
    }
}

/// Ways a model declines to do a task. "I am sorry" alone is what a polite reply begins with, so that it is not among them.
static DECLINES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let verbs = "help|assist|answer|provide|comply|fulfil|fulfill|complete|continue|do (that|this)|write|generate|create|respond|process|access|share|discuss|engage|perform|support";
    let pattern = format!(
        r"^(\W|sorry|i'm|i am|i|apologi[sz]e|apologies|but|unfortunately|however|we're|we are)*\b(can't|can not|cannot|could not|couldn't|won't|will not|(am |'m )?(not able|unable) to|must decline|have to decline)\b.{{0,20}}\b({verbs})\b|^\W*(i'm sorry, but )?as an? (ai|artificial intelligence|(large )?language model)\b|\bagainst my (guidelines|programming|policies)\b|\bi (must|have to) decline\b"
    );
    Regex::new(&pattern).ok()
});

/// Whether the beginning of the completion declines.
fn declines(completion: &str) -> bool {
    let head: String = completion.trim_start().chars().take(200).collect();
    let head = super::text::Text::lower(&head).text;
    DECLINES.as_ref().is_some_and(|regex| regex.is_match(&head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_politeness() {
        for text in [
            "I'm sorry, but I can't help with that.",
            "I\u{2019}m sorry, I cannot assist with this request.",
            "Sorry, I am unable to provide this information.",
            "I cannot answer that question.",
            "As an AI language model, I do not have access.",
            "I'm not able to complete this task.",
            "Unfortunately, I won't be able to help.",
            "I must decline.",
            "This is against my guidelines.",
        ] {
            assert!(declines(text), "{text}");
        }
        for text in [
            "I am sorry to hear that your parcel is late.",
            "Dear Ms Varga, we cannot refund the second charge.",
            "Not in the policy.",
            "No, batteries are not covered.",
            "The supplier could not provide the goods.",
            "42",
            "",
        ] {
            assert!(!declines(text), "{text}");
        }
    }

    #[test]
    fn outcomes_are_exclusive() {
        let fine = Verdict {
            failed: false,
            unparsed: false,
            unscored: false,
        };
        let wrong = Verdict {
            failed: true,
            ..fine
        };
        let formless = Verdict {
            unparsed: true,
            ..wrong
        };
        let unknown = Verdict {
            unscored: true,
            ..fine
        };
        let stop = Finish::Stop("x".into());
        for (text, finish, verdict, want) in [
            ("a", Finish::Eos(2), fine, Outcome::Correct),
            ("a", Finish::Length, fine, Outcome::Correct),
            ("a", Finish::Eos(2), wrong, Outcome::Incorrect),
            ("a", stop, wrong, Outcome::Incorrect),
            ("a", Finish::Length, formless, Outcome::Truncated),
            ("a", Finish::Context, wrong, Outcome::Truncated),
            ("a", Finish::Timeout, wrong, Outcome::Timeout),
            ("a", Finish::Eos(2), formless, Outcome::Unparsed),
            ("a", Finish::Eos(2), unknown, Outcome::Unparsed),
            (
                "I cannot help with it",
                Finish::Eos(2),
                formless,
                Outcome::Refused,
            ),
            (
                "I cannot help with it",
                Finish::Eos(2),
                fine,
                Outcome::Correct,
            ),
            (" \n", Finish::Eos(2), formless, Outcome::Empty),
            ("", Finish::Length, fine, Outcome::Truncated),
            (" ", Finish::Context, wrong, Outcome::Truncated),
            ("", Finish::Stop("x".into()), fine, Outcome::Empty),
            ("", Finish::Timeout, wrong, Outcome::Timeout),
        ] {
            assert_eq!(
                decide(text, &finish, verdict),
                want,
                "{text:?} {finish:?} {verdict:?}"
            );
        }
    }
}
