//! One pure function a check type: rule and answer in, finding out.

mod affix;
mod contains;
mod counts;
mod equals;
mod facts;
mod json;
mod label;
mod language;
mod number;
mod regex;
mod sections;
mod text;

use super::answer::Answer;
use super::finding::Finding;
use crate::suite::Rule;

/// Applies a rule.
pub(crate) fn apply(rule: &Rule, answer: &Answer<'_>) -> Finding {
    match rule {
        Rule::Equals { value, ignore_case } => equals::check(answer, value, *ignore_case),
        Rule::Contains { value, ignore_case } => {
            contains::all(answer, std::slice::from_ref(value), *ignore_case)
        }
        Rule::ContainsAny {
            values,
            ignore_case,
        } => contains::any(answer, values, *ignore_case),
        Rule::ContainsAll {
            values,
            ignore_case,
        } => contains::all(answer, values, *ignore_case),
        Rule::NotContains {
            values,
            ignore_case,
        } => contains::none(answer, values, *ignore_case),
        Rule::Regex(pattern) => regex::check(answer, pattern),
        Rule::StartsWith { value } => affix::starts_with(answer, value),
        Rule::EndsWith { value } => affix::ends_with(answer, value),
        Rule::Number {
            equals,
            tolerance,
            at,
        } => number::check(answer, *equals, *tolerance, at),
        Rule::Text {
            path,
            any_of,
            ignore_case,
        } => text::check(answer, path, any_of, *ignore_case),
        Rule::Label { choices, equals } => label::check(answer, choices, equals),
        Rule::Json { schema, fenced } => json::check(answer, schema.as_ref(), *fenced),
        Rule::Facts { facts, min } => facts::check(answer, facts, *min),
        Rule::ClaimsAbsent { claims } => facts::absent(answer, claims),
        Rule::Count { unit, min, max } => counts::check(answer, *unit, *min, *max),
        Rule::Sections { titles } => sections::check(answer, titles),
        Rule::Language { code, lang } => language::check(answer, code, *lang),
    }
}

/// Rules and answers for the tests of the check types.
#[cfg(test)]
pub(super) mod testing {
    use super::super::answer::Answer;
    use super::super::finding::Finding;
    use crate::suite::{Check, parse};

    /// Parses one check as it stands in a suite.
    pub(crate) fn check(toml: &str) -> Check {
        let text = format!(
            "format = 1\nname = \"t\"\nversion = \"1\"\nlicense = \"MIT\"\nlanguage = \"en\"\nprimary = \"score\"\n\
             [[task]]\nid = \"t\"\n[[task.sample]]\nid = \"s\"\ninput = \"i\"\nchecks = [{toml}]\n"
        );
        let suite = parse("t.toml", &text, None).unwrap_or_else(|e| panic!("{e}"));
        suite.tasks[0].samples[0].checks[0].clone()
    }

    /// What a check finds.
    pub(crate) fn find(toml: &str, answer: &str) -> Finding {
        super::apply(&check(toml).rule, &Answer::new(answer))
    }

    /// Asserts for each answer whether it passes.
    #[track_caller]
    pub(crate) fn table(toml: &str, cases: &[(&str, bool)]) {
        let check = check(toml);
        for (answer, want) in cases {
            let finding = super::apply(&check.rule, &Answer::new(answer));
            let Finding::Judged { passed, why, .. } = &finding else {
                panic!("{toml} on {answer:?}: {finding:?}");
            };
            assert_eq!(passed, want, "{toml} on {answer:?}: {finding:?}");
            assert_eq!(
                why.is_none(),
                *passed,
                "a failure has a reason: {finding:?}"
            );
        }
    }
}
