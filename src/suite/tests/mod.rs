use super::*;
use crate::record::{Role, TaskKind};

mod data;
mod errors;
mod likelihood;

const HEAD: &str = "format = 1
name = \"t\"
version = \"1.0.0\"
license = \"MIT\"
language = \"en\"
primary = \"score\"
";
const TASK: &str = "[[task]]
id = \"one\"
";
const SAMPLE: &str = "[[task.sample]]
id = \"a\"
input = \"What is 1 + 2?\"
checks = [{ type = \"number\", equals = 3 }]
";

fn good(text: &str) -> Suite {
    parse("t.toml", text, None).unwrap_or_else(|e| panic!("{e}"))
}

/// Asserts the whole text of an error and its hint (after a blank line, when there is one).
#[track_caller]
fn fails(text: &str, want: &str) {
    let error = parse("t.toml", text, None).expect_err("it must be refused");
    same(&error, want);
}

#[track_caller]
fn same(error: &SuiteError, want: &str) {
    let hint = error
        .hint()
        .map(|h| format!("\nhint: {h}"))
        .unwrap_or_default();
    assert_eq!(format!("{error}{hint}"), want);
}

#[test]
fn a_whole_suite_is_read() {
    let text = r#"
format = 1
name = "business"
version = "1.2.0"
description = "d"
license = "MIT"
language = "de"
primary = "pass_rate"
[decoding]
max_tokens = 64
stop = ["\n\n"]
[quality]
weights = { checks = 2, form = 1 }
cap_on_required_failure = 0.5
[gate]
ttft_ms_p50 = { ratio = 1.15 }
score = { margin = 0.3 }
[[task]]
id = "one"
title = "One"
type = "generate"
system = " Be short. "
template = "{{ topic | upper }}: {{ input }}{% if note is defined %} ({{ note }}){% endif %}"
few_shot = [{ input = "x", output = "y", fields = { topic = "t" } }]
decoding = { max_tokens = 8, temperature = 0.5 }
[[task.sample]]
id = "a"
difficulty = "hard"
tags = ["p", "q"]
input = "i"
fields = { topic = "top", note = 7 }
checks = [{ type = "words", max = 3 }, { type = "facts", facts = [["a", "re:b+"]], weight = 2, not = true }]
good = ["g"]
bad = ["b"]
"#;
    let suite = good(text);
    assert_eq!(
        (
            suite.name.as_str(),
            suite.language.as_str(),
            suite.primary.as_str()
        ),
        ("business", "de", "pass_rate")
    );
    assert_eq!(
        suite
            .gates
            .iter()
            .map(|g| g.metric.as_str())
            .collect::<Vec<_>>(),
        ["ttft_ms_p50", "score"]
    );
    assert_eq!(suite.gates[0].kind, MarginKind::Ratio(1.15));
    assert_eq!(suite.quality.cap_on_required_failure, 0.5);
    let task = &suite.tasks[0];
    assert_eq!(
        (task.decoding.max_tokens, task.decoding.temperature),
        (8, 0.5)
    );
    assert_eq!(task.decoding.stop, ["\n\n"]);
    let sample = &task.samples[0];
    assert_eq!(
        (sample.difficulty, sample.line, sample.column),
        (Difficulty::Hard, 26, 1)
    );
    assert_eq!(
        (sample.checks[0].required, sample.checks[1].required),
        (false, true)
    );
    assert_eq!((sample.checks[1].weight, sample.checks[1].not), (2.0, true));
    assert_eq!(
        sample.checks[0].canonical(),
        r#"{"component":"form","max":3,"min":0,"not":false,"required":false,"type":"words","weight":1.0}"#
    );
    let said: Vec<_> = messages(task, sample)
        .unwrap()
        .into_iter()
        .map(|m| (m.role, m.content))
        .collect();
    assert_eq!(
        said,
        [
            (Role::System, "Be short.".to_owned()),
            (Role::User, "T: x".to_owned()),
            (Role::Assistant, "y".to_owned()),
            (Role::User, "TOP: i (7)".to_owned()),
        ]
    );
    assert_eq!(
        suite.find("one", "a").map(|(_, s)| s.id.as_str()),
        Some("a")
    );
}

#[test]
fn defaults_are_those_of_the_format() {
    let suite = good(&format!("{HEAD}{TASK}{SAMPLE}"));
    assert_eq!(suite.decoding, Decoding::default());
    let task = &suite.tasks[0];
    assert_eq!(
        (task.title.as_str(), task.kind, task.samples[0].difficulty),
        ("one", TaskKind::Generate, Difficulty::Medium)
    );
    assert_eq!(messages(task, &task.samples[0]).unwrap().len(), 1);
    let cap = (
        suite.quality.cap_on_required_failure,
        suite.quality.weights[0].1,
    );
    assert_eq!(cap, (0.3, 0.5));
}

#[test]
fn digests_follow_the_content() {
    let text = format!("{HEAD}{TASK}{SAMPLE}");
    let suite = good(&text);
    let digest = |s: &Suite| s.sample_digest(&s.tasks[0], &s.tasks[0].samples[0]);
    let same = good(&format!(
        "# a comment\n{}",
        text.replace(
            "version = \"1.0.0\"\nlicense = \"MIT\"",
            "license   = 'MIT'\nversion = '1.0.0'"
        )
    ));
    assert_eq!(
        (&suite.digest, digest(&suite)),
        (&same.digest, digest(&same))
    );
    for (from, to, sample_changes) in [
        ("\"1.0.0\"", "\"1.0.1\"", false),
        ("id = \"a\"", "id = \"b\"", false),
        ("id = \"a\"", "id = \"a\"\ndifficulty = \"hard\"", false),
        ("1 + 2", "2 + 1", true),
        ("equals = 3", "equals = 3, tolerance = 0.1", true),
        ("id = \"one\"", "id = \"one\"\nsystem = \"s\"", true),
        (
            "id = \"one\"",
            "id = \"one\"\ndecoding = { max_tokens = 9 }",
            true,
        ),
        (
            "[[task]]",
            "[quality]\nweights = { checks = 1 }\n[[task]]",
            true,
        ),
    ] {
        let other = good(&text.replacen(from, to, 1));
        assert_ne!(suite.digest, other.digest, "{to}");
        assert_eq!(digest(&suite) != digest(&other), sample_changes, "{to}");
    }
    let two = "[{ type = \"number\", equals = 3 }, { type = \"words\", max = 3 }]";
    let swapped = "[{ type = \"words\", max = 3 }, { type = \"number\", equals = 3 }]";
    let with = |checks: &str| good(&text.replace("[{ type = \"number\", equals = 3 }]", checks));
    assert_eq!(digest(&with(two)), digest(&with(swapped)));
}

#[test]
fn selections_are_stratified() {
    let sizes = [40, 9, 1];
    let texts: Vec<String> = sizes
        .iter()
        .enumerate()
        .map(|(task, size)| {
            let samples: String = (0..*size)
                .map(|n| {
                    SAMPLE
                        .replace("\"a\"", &format!("\"s{n}\""))
                        .replace("1 + 2", &n.to_string())
                })
                .collect();
            format!("{}{samples}", TASK.replace("one", &format!("task{task}")))
        })
        .collect();
    let suite = good(&format!("{HEAD}{}", texts.concat()));
    let count = |s: &Suite| s.tasks.iter().map(|t| t.samples.len()).collect::<Vec<_>>();
    for (limit, want) in [
        (Limit::Samples(50), vec![40, 9, 1]),
        (Limit::Samples(999), vec![40, 9, 1]),
        (Limit::Samples(25), vec![20, 4, 1]),
        (Limit::Percent(10.0), vec![3, 1, 1]),
        (Limit::Samples(3), vec![1, 1, 1]),
        (Limit::Percent(100.0), vec![40, 9, 1]),
    ] {
        assert_eq!(count(&suite.select(Some(limit), 7)), want, "{limit}");
    }
    for n in 1..=50 {
        let total: usize = count(&suite.select(Some(Limit::Samples(n)), 3))
            .iter()
            .sum();
        assert_eq!(total, n as usize);
    }
    let ten = suite.select(Some(Limit::Samples(10)), 1);
    assert_eq!(ten, suite.select(Some(Limit::Samples(10)), 1));
    assert_ne!(ten.tasks, suite.select(Some(Limit::Samples(10)), 2).tasks);
    assert_eq!(suite.select(None, 1), suite);
    for (task, sample) in ten.samples() {
        let (whole_task, whole) = suite.find(&task.id, &sample.id).unwrap();
        assert_eq!(
            ten.sample_digest(task, sample),
            suite.sample_digest(whole_task, whole)
        );
    }
    let places: Vec<u32> = ten.samples().map(|(_, s)| s.line).collect();
    assert!(places.is_sorted());
}

#[test]
fn limits_are_parsed() {
    assert_eq!("20".parse(), Ok(Limit::Samples(20)));
    assert_eq!("12.5 %".parse(), Ok(Limit::Percent(12.5)));
    for bad in ["0", "-1", "0%", "101%", "x", "", "nan%"] {
        assert_eq!(
            bad.parse::<Limit>().unwrap_err().to_string(),
            format!("`{bad}` is not a limit; write for example `20` or `10%`")
        );
    }
}
