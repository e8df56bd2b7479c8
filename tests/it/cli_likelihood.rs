//! Suites of questions with choices and of texts, from the file to the report, with the scripted engine.

use crate::context::TestContext;
use serde_json::{Value, json};

/// Three questions, two texts and one generated sample.
const QUIZ: &str = r#"format = 1
name = "quiz"
version = "1.0.0"
license = "MIT"
language = "en"
primary = "acc"

[[task]]
id = "sums"
type = "choice"
template = "Q: {{ input }}\nA:"
mutual_info = true
[[task.sample]]
id = "two"
input = "One and one?"
choices = ["three", "two"]
answer = 1
[[task.sample]]
id = "four"
input = "Two and two?"
choices = ["four", "a great many of them"]
answer = 0
[[task.sample]]
id = "six"
input = "Three and three?"
choices = ["five", "six"]
answer = 1

[[task]]
id = "texts"
type = "perplexity"
window = 32
[[task.sample]]
id = "short"
text = "The kettle is on the stove."
[[task.sample]]
id = "long"
text = "The kettle is on the stove, the tea is in the tin, and the guests are on the stairs."

[[task]]
id = "write"
type = "generate"
[[task.sample]]
id = "seven"
input = "What is three and four?"
checks = [{ type = "number", equals = 7 }]
good = ["7", "seven: 7"]
bad = ["8", "none"]
"#;

/// The first model knows two sums, the second one.
const SCRIPT: &str = r#"
[[reply]]
contains = "three and four"
text = "7"

[[reply]]
contains = "Q: One and one?"
text = " two"

[[reply]]
model = "gemma*"
contains = "Q: Two and two?"
text = " four"

[[reply]]
contains = "Q: Three and three?"
text = " five"
"#;

const RUN: [&str; 8] = [
    "run",
    "--quiet",
    "--suite",
    "quiz",
    "--engine",
    "mock",
    "--mock-script",
    "mock.toml",
];

fn quiz(script: &str) -> TestContext {
    let context = TestContext::with_script(script);
    context.write("prompts/quiz.toml", QUIZ);
    context
}

fn model<'r>(report: &'r Value, name: &str) -> &'r Value {
    let models = report["models"].as_array().unwrap();
    let found = models
        .iter()
        .find(|m| m["name"].as_str().unwrap().starts_with(name));
    found.unwrap()
}

#[test]
fn a_mixed_suite_is_run_stored_and_verified() {
    let context = quiz(SCRIPT);
    let report = context.ok(&[&RUN[..], &["--json"]].concat()).json();
    let tally = &model(&report, "gemma")["tally"];
    assert_eq!(
        (&tally["recorded"], &tally["failed"], &tally["unscored"]),
        (&json!(6), &json!(0), &json!(0)),
        "{tally}"
    );
    assert_eq!(tally["outcomes"]["measured"], 2);
    assert_eq!(tally["outcomes"]["correct"], 3);
    let (rows, right): (i64, i64) = context
        .db()
        .query_row(
            "SELECT count(*), sum(is_answer) FROM v_choice WHERE model LIKE 'gemma%' AND mutual_information IS NOT NULL",
            [],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .unwrap();
    assert_eq!((rows, right), (6, 3));
    let windows: Vec<(i64, i64)> = {
        let db = context.db();
        let mut all = db
            .prepare("SELECT tokens, bytes FROM v_text WHERE model LIKE 'gemma%' ORDER BY sample")
            .unwrap();
        let rows = all.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    assert_eq!(windows, [(84, 84), (27, 27)]);
    context.ok(&["report", "--verify"]);
}

#[test]
fn questions_and_texts_are_shown_and_linted() {
    let context = quiz(SCRIPT);
    let shown = context.ok(&["suites", "show", "quiz"]).out;
    assert!(
        shown.contains("[user] Q: One and one?\nA:\n[choice 0] three\n[choice 1]*two\n"),
        "{shown}"
    );
    assert!(
        shown.contains("[windows] rolling of 32 tokens\n"),
        "{shown}"
    );
    let lines = context.ok(&["suites", "show", "quiz", "--json"]).lines();
    assert_eq!(
        (&lines[0]["type"], &lines[0]["choices"], &lines[0]["answer"]),
        (&json!("choice"), &json!(["three", "two"]), &json!(1))
    );
    let linted = context.ok(&["suites", "lint", "quiz", "basics"]).out;
    assert!(
        linted.ends_with("basics: 27 samples, 0 errors, 0 warnings\n"),
        "{linted}"
    );
}

#[test]
fn a_limit_takes_a_part_and_epochs_make_no_difference() {
    let context = quiz(SCRIPT);
    let args = [&RUN[..], &["--json", "--limit", "3", "--epochs", "3"]].concat();
    let ran = context.evalh(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.err.contains(
            "`sums`, `texts` is measured once: a log-likelihood is the same in every epoch"
        ),
        "{}",
        ran.err
    );
    let kinds: Vec<(String, i64)> = {
        let db = context.db();
        let mut all = db
            .prepare("SELECT kind, count(*) FROM v_sample WHERE model LIKE 'gemma%' GROUP BY kind ORDER BY kind")
            .unwrap();
        let rows = all.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    assert_eq!(
        kinds,
        [
            ("choice".to_owned(), 1),
            ("generate".to_owned(), 3),
            ("perplexity".to_owned(), 1)
        ]
    );
}

#[test]
fn a_worker_that_dies_costs_the_question_it_was_asked() {
    let context = quiz(&format!(
        "[[reply]]\nmodel = \"gemma*\"\ncontains = \"Q: Two and two?\"\nfail = \"abort\"\n{SCRIPT}"
    ));
    let ran = context.evalh(&[&RUN[..], &["--json"]].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let report = ran.json();
    let tally = &model(&report, "gemma")["tally"];
    assert_eq!(
        (&tally["recorded"], &tally["failures"]["crash"]),
        (&json!(6), &json!(1)),
        "{tally}"
    );
    context.ok(&["report", "--verify"]);
}
