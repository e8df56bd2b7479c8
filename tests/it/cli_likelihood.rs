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
contains = "Q: Two and two?"
text = " a great many of them"

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
        linted.ends_with("basics: 30 samples, 0 errors, 0 warnings\n"),
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

#[test]
fn accuracies_and_perplexities_are_reported_in_every_format() {
    let context = quiz(SCRIPT);
    let report = context.ok(&[&RUN[..], &["--json"]].concat()).json();
    assert_eq!(report["models"][0]["name"], "gemma-3-270m-q4_k_m");
    let gemma = model(&report, "gemma");
    let value = |id: &str| &gemma["metrics"][id];
    assert_eq!(value("acc")["value"], json!(2.0 / 3.0));
    assert_eq!(
        (&value("acc")["role"], &value("acc")["method"]),
        (&json!("primary"), &json!("wilson"))
    );
    assert_eq!(
        model(&report, "smollm2")["metrics"]["acc"]["value"],
        json!(1.0 / 3.0)
    );
    // 111 bytes in all; the mock's bytes are its tokens.
    let bits = value("bits_per_byte")["value"].as_f64().unwrap();
    let token = value("token_perplexity")["value"].as_f64().unwrap();
    assert!((bits - token.log2()).abs() < 1e-9, "{bits} {token}");
    assert!(value("acc_mutual_info")["value"].is_number());
    assert_eq!(value("ttft_ms_p50")["n"], 1);
    // Three questions and one answer, no texts.
    assert_eq!(value("pass_rate")["value"], json!(3.0 / 4.0));
    let tasks = gemma["tasks"].as_array().unwrap();
    let sums = tasks.iter().find(|t| t["name"] == "sums").unwrap();
    assert_eq!(
        (&sums["deciding"], &sums["metrics"]["acc"]["value"]),
        (&json!("acc"), &json!(2.0 / 3.0))
    );
    let shown = context.ok(&["report"]).out;
    for text in [
        "questions",
        "sums (acc)",
        "texts (bits/byte)",
        "perplexity of a token",
        "2 measured",
    ] {
        assert!(shown.contains(text), "{text}\n{shown}");
    }
    let page = context.ok(&["report", "--format", "markdown"]).out;
    assert!(page.contains("## Questions with choices"), "{page}");
    let rows = context.ok(&["report", "--format", "csv"]).out;
    assert!(rows.contains(",bits_per_byte,bits/byte,"), "{rows}");
    let cases = context.ok(&["report", "--format", "junit"]).out;
    assert!(
        cases.contains("<testcase classname=\"texts\" name=\"long\"/>"),
        "{cases}"
    );
    assert!(
        cases.contains("takes choice 0, `five`, but 1, `six`, is right"),
        "{cases}"
    );
}

/// Forty questions and twelve texts with margins; the model is right on the first `right` questions.
fn exam(right: usize) -> (String, String) {
    use std::fmt::Write as _;
    let mut suite = "format = 1\nname = \"exam\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\nlanguage = \"en\"\nprimary = \"acc\"\n[gate]\nacc = { margin = 0.1 }\nbits_per_byte = { ratio = 1.05 }\n[[task]]\nid = \"q\"\ntype = \"choice\"\n".to_owned();
    let mut script = String::new();
    for n in 0..40 {
        let _ = write!(
            suite,
            "[[task.sample]]\nid = \"q{n}\"\ninput = \"Number {n} of forty?\"\nchoices = [\"wrong\", \"right\"]\nanswer = 1\n"
        );
        let answer = if n < right { " right" } else { " wrong" };
        let _ = write!(
            script,
            "[[reply]]\ncontains = \"Number {n} of forty?\"\ntext = \"{answer}\"\n"
        );
    }
    suite.push_str("[[task]]\nid = \"t\"\ntype = \"perplexity\"\n");
    for n in 0..12 {
        let _ = write!(
            suite,
            "[[task.sample]]\nid = \"t{n}\"\ntext = \"Text {n} has its own words: {}\"\n",
            "kettle ".repeat(n + 1)
        );
    }
    (suite, script)
}

#[test]
fn models_are_compared_and_gated_on_questions_and_texts() {
    let (suite, script) = exam(38);
    let context = TestContext::with_script(&script);
    context.write("prompts/exam.toml", suite);
    let model = "gemma-3-270m-q4_k_m";
    let args = [
        "run",
        "--quiet",
        "--fresh",
        "-s",
        "exam",
        "-m",
        model,
        "--json",
        "--engine",
        "mock",
        "--mock-script",
        "mock.toml",
    ];
    let run = || {
        let report = context.ok(&args).json();
        report["run"]["id"].as_str().unwrap().to_owned()
    };
    let first = run();
    let again = run();
    context.write("mock.toml", exam(20).1);
    let worse = run();
    // Nothing changed, down to the last bit of a log-probability.
    let gate = context.ok(&["gate", "--baseline", &first, &again, "--json"]);
    let gate = gate.json();
    let gates = gate["gates"].as_array().unwrap();
    assert_eq!(gate["verdict"], "pass", "{gate}");
    let reasons: Vec<&Value> = gates.iter().map(|g| &g["reason"]["code"]).collect();
    assert!(reasons.contains(&&json!("identical")), "{gate}");
    let ran = context.evalh(&["gate", "--baseline", &first, &worse, "--json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let gate = ran.json();
    let verdict = |metric: &str| {
        let gates = gate["gates"].as_array().unwrap();
        let found = gates.iter().find(|g| g["metric"] == metric).unwrap();
        (found["verdict"].clone(), found["prompts"].clone())
    };
    assert_eq!(verdict("acc"), (json!("fail"), json!(40)));
    // Each gate looks at its own prompts.
    assert_eq!(verdict("bits_per_byte"), (json!("pass"), json!(12)));
    let compared = context.ok(&["compare", &first, &worse, "--json"]).json();
    let rows = compared["comparisons"].as_array().unwrap();
    let row = |id: &str| rows.iter().find(|r| r["metric"] == id).unwrap();
    assert_eq!(row("acc")["value"], json!(18.0 / 40.0));
    assert_eq!(row("acc")["test"]["method"], "mcnemar-mid-p");
    assert_eq!(row("bits_per_byte")["value"], json!(1.0));
    assert!(rows.iter().all(|r| r["metric"] != "acc_mutual_info"));
    let text = context.ok(&["compare", &first, &worse]).out;
    // The difference was seen on the questions, not on all joined prompts.
    assert!(text.contains("40 prompts)"), "{text}");
    assert!(
        text.contains("acc") && text.contains("bits_per_byte"),
        "{text}"
    );
}

#[test]
fn a_baseline_file_of_questions_is_saved_and_held_against() {
    let (suite, script) = exam(38);
    let context = TestContext::with_script(&script);
    context.write("prompts/exam.toml", suite);
    let args = [
        "run",
        "--quiet",
        "-s",
        "exam",
        "-m",
        "gemma-3-270m-q4_k_m",
        "--engine",
        "mock",
        "--mock-script",
        "mock.toml",
    ];
    context.ok(&args);
    context.ok(&["baseline", "save", "exam"]);
    let ran = context.ok(&["gate", "--baseline", "exam", "--json"]);
    assert_eq!(ran.json()["verdict"], "pass");
}

#[test]
fn a_metric_without_bounds_is_no_reason_to_stop() {
    let context = quiz(SCRIPT);
    context.write(
        "prompts/quiz.toml",
        QUIZ.replace("\"acc\"", "\"bits_per_byte\""),
    );
    let ran = context.evalh(&[&RUN[..], &["--until-resolved"]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert_eq!(
        ran.err,
        "error: a run until it is resolved needs a metric with bounds that its tasks measure, which `bits_per_byte` is not\n\nhint: leave out `--until-resolved` and compare the models of the run\n"
    );
    let resolved = quiz(SCRIPT);
    let ran = resolved.ok(&[&RUN[..], &["--until-resolved", "--json"]].concat());
    assert_eq!(ran.json()["primary"], "acc");
}
