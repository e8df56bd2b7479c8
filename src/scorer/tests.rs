use super::*;
use crate::record::Outcome;
use crate::suite::parse;
use proptest::prelude::*;

const HEAD: &str = "format = 1\nname = \"t\"\nversion = \"1\"\nlicense = \"MIT\"\nlanguage = \"en\"\nprimary = \"score\"\n";

fn sample(checks: &str) -> (Quality, Sample) {
    let text = format!(
        "{HEAD}[[task]]\nid = \"t\"\n[[task.sample]]\nid = \"s\"\ninput = \"i\"\nchecks = [{checks}]\n"
    );
    let suite = parse("t.toml", &text, None).unwrap_or_else(|e| panic!("{e}"));
    (suite.quality.clone(), suite.tasks[0].samples[0].clone())
}

fn scored(checks: &str, completion: &str) -> SampleScore {
    let (quality, sample) = sample(checks);
    score(&quality, &sample, completion, &Finish::Eos(2))
}

const MIXED: &str = "{ type = \"number\", equals = 3 }, \
    { type = \"facts\", facts = [[\"red\"], [\"blue\"]], required = false }, \
    { type = \"words\", max = 3 }";

#[test]
fn components_are_weighted() {
    let all = scored(MIXED, "red blue 3");
    assert_eq!(
        (all.outcome, all.passed, all.score),
        (Outcome::Correct, Some(true), Some(10.0))
    );
    assert_eq!(
        all.components,
        [
            (Component::Checks, 1.0),
            (Component::Facts, 1.0),
            (Component::Form, 1.0)
        ]
    );
    // 0.5 + 0.3 / 2 + 0 of 1.
    let half = scored(MIXED, "it is red and 3");
    assert_eq!((half.outcome, half.passed), (Outcome::Correct, Some(true)));
    assert!((half.score.unwrap() - 6.5).abs() < 1e-12);
    assert_eq!(half.checks[1].value, ScoreValue::Partial(0.5));
}

#[test]
fn a_required_failure_caps() {
    let wrong = scored(MIXED, "red blue 4");
    assert_eq!(
        (wrong.outcome, wrong.passed),
        (Outcome::Incorrect, Some(false))
    );
    // 0.3 + 0.2 of the scale, capped at 0.3.
    assert!((wrong.score.unwrap() - 3.0).abs() < 1e-12);
    assert_eq!(wrong.checks[0].answer.as_deref(), Some("4"));
    assert_eq!(
        wrong.checks[0].explanation.as_deref(),
        Some("the number is 4 but should be 3")
    );
    // Below the cap the score stays.
    let worse = scored(MIXED, "nothing of all this");
    assert_eq!(worse.score, Some(0.0));
    assert_eq!(worse.outcome, Outcome::Unparsed);
}

#[test]
fn weights_are_renormalised() {
    let only_form = scored(
        "{ type = \"words\", max = 1, weight = 3 }, { type = \"lines\", max = 1 }",
        "two words",
    );
    assert_eq!(only_form.components, [(Component::Form, 0.25)]);
    assert_eq!(only_form.score, Some(2.5));
}

#[test]
fn empty_answers_fail_everything() {
    let checks = "{ type = \"not_contains\", values = [\"x\"] }, { type = \"words\", max = 3 }, { type = \"contains\", value = \"y\", not = true }";
    for text in ["", " \n\t"] {
        let empty = scored(checks, text);
        assert_eq!(
            (empty.outcome, empty.passed, empty.score),
            (Outcome::Empty, Some(false), Some(0.0))
        );
    }
    assert_eq!(scored(checks, "fine").outcome, Outcome::Correct);
}

#[test]
fn inversion_turns_values() {
    let checks = "{ type = \"facts\", facts = [[\"a\"], [\"b\"], [\"c\"]], not = true }";
    let some = scored(checks, "a and b");
    assert_eq!((some.passed, some.outcome), (Some(true), Outcome::Correct));
    assert!(
        matches!(some.checks[0].value, ScoreValue::Partial(x) if (x - 1.0 / 3.0).abs() < 1e-12)
    );
    let all = scored(checks, "a b c");
    assert_eq!(all.checks[0].value, ScoreValue::Incorrect);
    assert_eq!(
        all.checks[0].explanation.as_deref(),
        Some("it holds but should not")
    );
    assert_eq!(
        scored("{ type = \"number\", equals = 3, not = true }", "none").outcome,
        Outcome::Correct
    );
}

#[test]
fn what_cannot_be_evaluated_is_not_zero() {
    let unknown = scored("{ type = \"language\", is = \"en\" }", "1234");
    assert_eq!((unknown.passed, unknown.score), (None, None));
    assert_eq!(unknown.outcome, Outcome::Unparsed);
    assert!(
        matches!(&unknown.checks[0].value, ScoreValue::Unscored(why) if why.contains("letters"))
    );
    let rest = scored(
        "{ type = \"language\", is = \"en\" }, { type = \"number\", equals = 1 }",
        "1",
    );
    assert_eq!((rest.passed, rest.score), (None, Some(10.0)));
    let failed = scored(
        "{ type = \"language\", is = \"en\" }, { type = \"number\", equals = 1 }",
        "2",
    );
    assert_eq!(failed.passed, Some(false));
}

#[test]
fn cut_off_answers_are_truncated() {
    let (quality, sample) = sample("{ type = \"json\" }");
    let cut = score(&quality, &sample, "{\"a\": ", &Finish::Length);
    assert_eq!(cut.outcome, Outcome::Truncated);
    let whole = score(&quality, &sample, "{\"a\": 1}", &Finish::Length);
    assert_eq!(whole.outcome, Outcome::Correct);
}

/// Every check type at once.
const EVERYTHING: &str = r#"
  { type = "equals", value = "a" }, { type = "contains", value = "a a" }, { type = "contains_any", values = ["b", "1"] },
  { type = "contains_all", values = ["a", "1,000.5"] }, { type = "not_contains", values = ["\"", "["] },
  { type = "regex", pattern = '(a+)+$|(\w+\s?)+x' }, { type = "starts_with", value = "a" }, { type = "ends_with", value = "a" },
  { type = "number", equals = 1, which = "any" }, { type = "number", equals = 1, path = "$.a[0]" },
  { type = "text", path = "$.a", equals = "a" }, { type = "label", choices = ["a", "a a", "b"], equals = "b" },
  { type = "json", schema = { type = "object", additionalProperties = { pattern = "(a+)+$" } } },
  { type = "facts", facts = [["a", "1 %", "re:(a|aa)+b"], ["b"]], min = 1 }, { type = "claims_absent", claims = [["aa", "re:^a*b"]] },
  { type = "words", max = 3 }, { type = "sentences", max = 3 }, { type = "lines", max = 3 }, { type = "bullets", min = 1 },
  { type = "sections", titles = ["a", "b"] }, { type = "language", is = "en" }
"#;

#[test]
fn hostile_completions_are_survived() {
    let megabyte = 1 << 20;
    for text in [
        "a".repeat(megabyte),
        "a ".repeat(megabyte / 2),
        "[".repeat(megabyte),
        "{\"a\":".repeat(megabyte / 5),
        "\u{0}".repeat(megabyte),
        "1,".repeat(megabyte / 2),
        "*_`".repeat(megabyte / 3),
        "\u{202e}\u{200b}é".repeat(megabyte / 8),
        ". ".repeat(megabyte / 2),
        "\n- ".repeat(megabyte / 3),
        format!("{{\"a\": [{}1]}}", "1,".repeat(100_000)),
    ] {
        let score = scored(EVERYTHING, &text);
        assert_eq!(score.checks.len(), 21);
        assert_eq!(score.passed, Some(false));
    }
    let long = scored(EVERYTHING, &"a".repeat(MAX_COMPLETION + 1));
    assert_eq!((long.passed, long.score), (None, None));
}

proptest! {
    #[test]
    fn scores_lie_on_the_scale(text in "([ab1]|[ .,\"\n*\\-{}:\\[\\]]|é|\u{0}){0,40}", any in ".{0,60}", cut in any::<bool>()) {
        let (quality, sample) = sample(EVERYTHING);
        let finish = if cut { Finish::Length } else { Finish::Eos(0) };
        for text in [text, any] {
            let score = score(&quality, &sample, &text, &finish);
            prop_assert!(score.score.is_none_or(|s| (0.0..=10.0).contains(&s)));
            prop_assert_eq!(score.outcome == Outcome::Correct, score.passed == Some(true));
            prop_assert!(score.components.iter().all(|(_, v)| (0.0..=1.0).contains(v)));
        }
    }

    #[test]
    fn the_order_of_checks_does_not_matter(text in "([ab1]|[ .,\n]){0,30}", seed in any::<u64>()) {
        let (quality, mut sample) = sample(EVERYTHING);
        for (n, check) in sample.checks.iter_mut().enumerate() {
            check.weight = 0.1 + (n as f64) / 3.0;
        }
        let before = score(&quality, &sample, &text, &Finish::Eos(0));
        let mut state = seed;
        for last in (1..sample.checks.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            sample.checks.swap(last, (state >> 33) as usize % (last + 1));
        }
        let after = score(&quality, &sample, &text, &Finish::Eos(0));
        prop_assert_eq!(before.score, after.score);
        prop_assert_eq!((before.outcome, before.passed, before.components), (after.outcome, after.passed, after.components));
    }
}
