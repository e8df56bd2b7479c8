//! `evalh run --until-resolved` as a user calls it: where it stops, what it stores and says, and that a killed run stops there too.

use crate::context::{MODELS, TestContext, end, signal, until};
use serde_json::{Value, json};

/// Prompts of the suite.
const PROMPTS: usize = 60;

/// A suite of short questions with a binary or a graded answer.
fn suite(primary: &str) -> String {
    let mut text = format!(
        "format = 1\nname = \"many\"\nversion = \"1.0.0\"\ndescription = \"Many questions.\"\nlicense = \"MIT\"\n\
         language = \"en\"\nprimary = \"{primary}\"\n\n[[task]]\nid = \"t\"\ntitle = \"T\"\ntype = \"generate\"\n"
    );
    for i in 0..PROMPTS {
        text.push_str(&format!(
            "\n[[task.sample]]\nid = \"q{i:02}\"\ndifficulty = \"easy\"\ninput = \"Item {i:02}?\"\n\
             checks = [{{ type = \"contains\", value = \"yes\" }}]\ngood = [\"yes\", \"yes it is\"]\nbad = [\"no\", \"not\"]\n"
        ));
    }
    text
}

/// The first model answers the items rightly that `first` names, the second those of `second`.
fn script(first: impl Fn(usize) -> bool, second: impl Fn(usize) -> bool, hang_ms: u64) -> String {
    let mut text = String::new();
    for i in 0..PROMPTS {
        for (model, right) in [("gemma*", first(i)), ("smollm*", second(i))] {
            let answer = if right { "yes" } else { "no" };
            text.push_str(&format!(
                "[[reply]]\nmodel = \"{model}\"\ncontains = \"Item {i:02}?\"\ntext = \"{answer}\"\n"
            ));
            if hang_ms > 0 {
                text.push_str(&format!("hang_ms = {hang_ms}\n"));
            }
        }
    }
    text
}

fn context(primary: &str, script: &str) -> TestContext {
    let context = TestContext::with_script(script);
    context.write("prompts/many.toml", suite(primary));
    context
}

const RUN: [&str; 8] = [
    "run",
    "--suite",
    "many",
    "--engine",
    "mock",
    "--mock-script",
    "mock.toml",
    "--until-resolved",
];

fn run(more: &[&'static str]) -> Vec<&'static str> {
    [&RUN[..], more].concat()
}

/// The report for people on one line: where its lines break is not the matter here.
fn told(context: &TestContext) -> String {
    let text = context.ok(&["report"]).out;
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn comparison<'r>(report: &'r Value, id: &str) -> &'r Value {
    let all = report["pairs"][0]["comparisons"].as_array().unwrap();
    all.iter().find(|c| c["metric"] == id).unwrap()
}

#[test]
fn a_clear_difference_stops_after_the_first_round() {
    for primary in ["score", "pass_rate"] {
        let context = context(primary, &script(|_| true, |i| i % 6 == 0, 0));
        let report = context.ok(&run(&["--quiet", "--json"])).json();
        assert_eq!(report["run"]["status"], "success");
        assert_eq!(report["run"]["complete"], true);
        let stopping = &report["stopping"];
        assert_eq!(
            (&stopping["rule"], &stopping["level"]),
            (&json!("until_resolved"), &json!(0.95))
        );
        assert_eq!(stopping["reason"], "resolved");
        let looks = stopping["looks"].as_array().unwrap();
        assert_eq!(
            (
                looks.len(),
                &looks[0]["prompts"],
                &looks[0]["planned_prompts"]
            ),
            (1, &json!(16), &json!(60))
        );
        assert_eq!(looks[0]["loads"], 2);
        let c = comparison(&report, primary);
        assert_eq!(c["method"], "betting-mixture-cs");
        assert_eq!(c["test"]["method"], "betting-mixture-e");
        assert_eq!(
            (&c["verdict"], &c["better"]),
            (&json!("told_apart"), &json!(MODELS[0]))
        );
        assert!(c["lower"].as_f64().unwrap() > 0.0, "{c}");
        // p is the reciprocal of the e-value that the run stopped at
        let e = looks[0]["ln_e_value"].as_f64().unwrap().exp();
        assert!((c["test"]["p"].as_f64().unwrap() * e - 1.0).abs() < 1e-9);
        assert!(e >= 20.0);
        let text = told(&context);
        assert!(
            text.contains("e-value, valid at any stopping time"),
            "{text}"
        );
        assert!(text.contains("stopped after 16 of 60 prompts"), "{text}");
        context.ok(&["report", "--verify", "--quiet"]);
        let shown = context.ok(&["runs", "show", "--json"]).json();
        assert_eq!(
            (&shown["stopped"]["reason"], &shown["stopped"]["prompts"]),
            (&json!("resolved"), &json!(16))
        );
        assert_eq!(shown["models"][0]["status"], "finished");
    }
}

#[test]
fn no_difference_asks_every_prompt_and_says_so() {
    let context = context(
        "score",
        &script(|i| i.is_multiple_of(2), |i| i % 3 == 0 || i % 4 == 1, 0),
    );
    let ran = context.ok(&run(&["--json"]));
    let report = ran.json();
    assert_eq!(report["stopping"]["reason"], "exhausted");
    let prompts: Vec<u64> = report["stopping"]["looks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["prompts"].as_u64().unwrap())
        .collect();
    assert_eq!(prompts, [16, 24, 36, 60]);
    let loads: Vec<u64> = report["stopping"]["looks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["loads"].as_u64().unwrap())
        .collect();
    assert_eq!(loads, [2, 1, 1, 1]);
    assert_eq!(comparison(&report, "score")["verdict"], "not_told_apart");
    assert!(
        ran.err.contains("look 1: 16 of 60 prompts, difference "),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("not resolved, no prompts are left"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.ends_with("120 of 120 samples recorded\n"),
        "{}",
        ran.err
    );
    let text = told(&context);
    assert!(
        text.contains("was not resolved by all 60 prompts"),
        "{text}"
    );
}

#[test]
fn the_level_is_part_of_the_decision() {
    let half = || script(|_| true, |i| i.is_multiple_of(2), 0);
    let prompts = |flag: &'static str| {
        let context = context("score", &half());
        let args: Vec<&str> = RUN[..7]
            .iter()
            .copied()
            .chain([flag, "--quiet", "--json"])
            .collect();
        let report = context.ok(&args).json();
        report["stopping"]["looks"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()["prompts"]
            .as_u64()
            .unwrap()
    };
    assert!(prompts("--until-resolved=80%") < prompts("--until-resolved=99.99%"));
    let (code, text) = context("score", &half()).refusal(&["run", "--until-resolved=40%"]);
    assert_eq!(code, 2);
    assert!(
        text.contains("`40%` is not a confidence level above 50 % and below 100 %"),
        "{text}"
    );
}

#[test]
fn anything_but_two_models_is_refused_before_anything_is_run() {
    let context = context("score", &script(|_| true, |_| true, 0));
    let (code, text) = context.refusal(&run(&["-m", MODELS[0]]));
    assert_eq!(code, 2);
    assert_eq!(
        text,
        format!(
            "error: `--until-resolved` compares exactly two models but 1 is planned: `{}`\n\nhint: name two models with `--models a,b`, or leave out `--until-resolved`\n",
            MODELS[0]
        )
    );
    assert_eq!(context.ok(&["runs", "list", "--json"]).out, "");
}

#[test]
fn a_killed_run_comes_to_the_same_decision() {
    // resolved at the second look at the earliest: half of the prompts tell the models apart
    let right = |i: usize| i.is_multiple_of(2);
    let whole = context("score", &script(|_| true, right, 0));
    let expected = whole.ok(&run(&["--quiet", "--json"])).json();
    let samples = expected["stopping"]["looks"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()["prompts"]
        .as_u64()
        .unwrap()
        * 2;
    assert!(samples > 32, "{samples}");
    for stop_after in [0, 9, 16, 31, 32, 33, samples - 1] {
        let context = context("score", &script(|_| true, right, 4));
        let mut child = context.start(&run(&["--quiet"]));
        until("samples are recorded", || recorded(&context) >= stop_after);
        child.kill().unwrap();
        child.wait().unwrap();
        let saved = recorded(&context);
        let report = context.ok(&run(&["--quiet", "--json"])).json();
        assert_eq!(
            report["stopping"]["reason"], "resolved",
            "killed after {saved}"
        );
        for key in ["value", "lower", "upper", "n", "verdict", "better"] {
            assert_eq!(
                comparison(&report, "score")[key],
                comparison(&expected, "score")[key],
                "{key}, killed after {saved}"
            );
        }
        assert_eq!(recorded(&context), samples);
        if saved > 0 {
            assert_eq!(context.ok(&["runs", "list", "--json"]).lines().len(), 1);
        }
        context.ok(&["runs", "check"]);
    }
}

#[test]
fn ctrl_c_is_continued_and_a_fixed_run_is_never_mixed_with_it() {
    let right = |i: usize| i.is_multiple_of(2);
    let context = context("score", &script(|_| true, right, 8));
    let args = run(&["--quiet"]);
    let child = context.start(&args);
    until("some samples are recorded", || recorded(&context) >= 5);
    signal(child.id(), libc::SIGINT);
    let ran = end(child, &args);
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    // The interval of an interrupted run holds too, and the reader is told that it is incomplete.
    let report = context.ok(&["report", "--json"]).json();
    assert_eq!(report["run"]["complete"], false);
    // The same suite without the rule is another plan.
    context.write("mock.toml", script(|_| true, right, 0));
    context.ok(&[&RUN[..7], &["--quiet"]].concat());
    assert_eq!(context.ok(&["runs", "list", "--json"]).lines().len(), 2);
    context.ok(&args);
    let runs = context.ok(&["runs", "list", "--json"]).lines();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|r| r["status"] == "success"));
}

/// Records so far.
fn recorded(context: &TestContext) -> u64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let Ok(db) = rusqlite::Connection::open_with_flags(context.path("results/evalh.sqlite"), flags)
    else {
        return 0;
    };
    let count: Result<i64, _> = db.query_row("SELECT count(*) FROM sample", [], |r| r.get(0));
    count.map_or(0, i64::cast_unsigned)
}
