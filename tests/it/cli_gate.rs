//! `evalh gate` and `evalh baseline` as a user calls them, with the mock engine.

use crate::context::{MODELS, Ran, TestContext};
use serde_json::Value;
use std::fmt::Write as _;

/// Samples of the suite below.
const SAMPLES: usize = 40;

/// A suite of forty questions with one number each.
fn suite(gate: &str) -> String {
    let mut text = format!(
        "format = 1\nname = \"shop\"\nversion = \"1.0.0\"\ndescription = \"Prices.\"\nlicense = \"MIT\"\nlanguage = \"en\"\nprimary = \"score\"\n\n{gate}\n\n[[task]]\nid = \"price\"\ntitle = \"Tell a price\"\ntype = \"generate\"\n"
    );
    for i in 0..SAMPLES {
        let n = 100 + i;
        let _ = write!(
            text,
            "\n[[task.sample]]\nid = \"item-{n}\"\ndifficulty = \"easy\"\ninput = \"What does item {n} cost?\"\nchecks = [{{ type = \"number\", equals = {n} }}]\ngood = [\"{n}\", \"{n} EUR\"]\nbad = [\"3\", \"none\"]\n"
        );
    }
    text
}

const GATE: &str = "[gate]\nscore = { margin = 0.3 }\npass_rate = { margin = 0.03 }\nttft_ms_p50 = { ratio = 1.15 }";

/// What the mock answers: `reply` gives the answer, the first token's time and how to fail, by number of the sample.
fn script(reply: impl Fn(usize) -> (String, u64, Option<&'static str>)) -> String {
    let mut text = String::new();
    for i in 0..SAMPLES {
        let (answer, ttft, fail) = reply(i);
        let fail = fail.map_or_else(String::new, |f| format!("fail = \"{f}\"\n"));
        let answer = toml_text(&answer);
        let _ = write!(
            text,
            "[[reply]]\ncontains = \"item {} cost\"\ntext = {answer}\nttft_ms = {ttft}\n{fail}\n",
            100 + i
        );
    }
    text
}

fn toml_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The first `right` samples right, the others wrong; first tokens after about `ttft` ms.
fn answers(right: usize, ttft: u64) -> String {
    script(|i| {
        let answer = if i < right { 100 + i } else { 7 };
        (format!("{answer} EUR"), ttft + (i as u64 * 3) % 7, None)
    })
}

fn shop(gate: &str) -> TestContext {
    let context = TestContext::new();
    context.write("prompts/shop.toml", suite(gate));
    context
}

impl TestContext {
    /// Runs the suite on one model with a script and gives the run's id.
    fn run_script(&self, script: &str, more: &[&str]) -> String {
        self.write("mock.toml", script);
        let args = [
            &[
                "run", "--quiet", "--fresh", "-s", "shop", "-m", MODELS[0], "--json",
            ][..],
            &["--engine", "mock", "--mock-script", "mock.toml"],
            more,
        ];
        let ran = self.evalh(&args.concat());
        ran.json()["run"]["id"].as_str().unwrap().to_owned()
    }

    fn gate(&self, more: &[&str]) -> Ran {
        self.evalh(&[&["gate", "--baseline"], more].concat())
    }
}

fn verdicts(gate: &Value) -> Vec<(String, String, Option<String>)> {
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let gates = gate["gates"].as_array().unwrap().iter();
    gates
        .map(|g| {
            (
                text(&g["metric"]).unwrap(),
                text(&g["verdict"]).unwrap(),
                text(&g["reason"]["code"]),
            )
        })
        .collect()
}

fn verdict_of(gate: &Value, metric: &str) -> (String, Option<String>) {
    let all = verdicts(gate);
    let found = all.into_iter().find(|v| v.0 == metric).unwrap();
    (found.1, found.2)
}

#[test]
fn nothing_changed_passes() {
    let context = shop(GATE);
    let first = context.run_script(&answers(30, 50), &[]);
    context.run_script(&answers(30, 50), &[]);
    let ran = context.gate(&[&first]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert_eq!(ran.out.lines().last(), Some("pass: 3 of 3 gates passed"));
    assert!(ran.out.contains("score: every completion is the same."));
    assert!(
        ran.out.lines().all(|l| l.chars().count() <= 100),
        "{}",
        ran.out
    );
    let gate = context.gate(&[&first, "--json"]).json();
    assert_eq!(gate["verdict"], "pass");
    assert_eq!(gate["exit_code"], 0);
    assert_eq!(gate["prompts"]["joined"], 40);
    assert_eq!(gate["gates"][0]["margin_from"], "run");
}

#[test]
fn a_regression_fails_and_a_gain_passes_in_both_directions() {
    let context = shop(GATE);
    let good = context.run_script(&answers(36, 50), &[]);
    let bad = context.run_script(&answers(16, 90), &[]);
    let ran = context.gate(&[&good, &bad]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let last = ran.out.lines().last().unwrap();
    assert!(
        last.starts_with("fail: ") || ran.out.contains("\nfail: 3 of 3 gates failed: "),
        "{last}"
    );
    let gate = context.gate(&[&good, &bad, "--json"]).json();
    for (metric, verdict, reason) in verdicts(&gate) {
        assert_eq!((verdict.as_str(), reason), ("fail", None), "{metric}");
    }
    // Twenty prompts lose all their points: the cap of a failed required check is 0 here.
    assert_eq!(gate["changes"]["worse"], 20);
    assert_eq!(gate["changes"]["samples"][0]["completion"], "7 EUR");
    let back = context.gate(&[&bad, &good, "--json"]);
    assert_eq!(back.code, Some(0), "{}", back.out);
    for (metric, verdict, _) in verdicts(&back.json()) {
        assert_eq!(verdict, "pass", "{metric}");
    }
}

#[test]
fn too_little_evidence_is_its_own_answer() {
    let context = shop(GATE);
    let before = context.run_script(&answers(36, 50), &[]);
    context.run_script(&answers(35, 50), &[]);
    let ran = context.gate(&[&before]);
    assert_eq!(ran.code, Some(4), "{}", ran.out);
    let text = ran.out.replace('\n', " ");
    assert!(
        text.contains("pass_rate: the interval contains the margin; about "),
        "{text}"
    );
    assert!(
        text.contains("inconclusive: 2 of 3 gates undecided: "),
        "{text}"
    );
    for (choice, code) in [("pass", 0), ("fail", 1)] {
        let ran = context.gate(&[&before, "--inconclusive", choice]);
        assert_eq!(ran.code, Some(code), "{choice}");
        assert_eq!(
            context
                .gate(&[&before, "--inconclusive", choice, "--json"])
                .json()["verdict"],
            "inconclusive"
        );
    }
    // A wide margin decides; a gate that is off is gone.
    let wide = ["--margin", "score=2", "--margin", "pass_rate=20%"];
    let ran = context.gate(&[&[before.as_str()], &wide[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    let off = [
        "--margin",
        "score=off",
        "--margin",
        "pass_rate=off",
        "--json",
    ];
    let gate = context
        .gate(&[&[before.as_str()], &off[..]].concat())
        .json();
    assert_eq!(verdicts(&gate).len(), 1);
    assert_eq!(gate["verdict"], "pass");
    // Without a single gate there is nothing to say.
    let none = [
        "--margin",
        "score=off",
        "--margin",
        "pass_rate=off",
        "--margin",
        "ttft_ms_p50=off",
    ];
    let (code, message) =
        context.refusal(&[&["gate", "--baseline", before.as_str()], &none[..]].concat());
    assert_eq!(code, 2);
    assert!(
        message.starts_with("error: no margin is set for suite `shop`"),
        "{message}"
    );
}

#[test]
fn an_alarm_is_silent_without_a_shown_regression() {
    let context = shop(GATE);
    let before = context.run_script(&answers(36, 50), &[]);
    context.run_script(&answers(35, 50), &[]);
    let ran = context.gate(&[&before, "--alarm"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(
        ran.out
            .contains("\npass: no regression is shown; 2 of 3 gates undecided\n"),
        "{}",
        ran.out
    );
    context.run_script(&answers(10, 50), &[]);
    let gate = context.gate(&[&before, "--alarm", "--json"]);
    assert_eq!(gate.code, Some(1));
    let gate = gate.json();
    assert_eq!(gate["rule"], "alarm");
    assert!(gate["gates"][0]["p_fail_adjusted"].as_f64().unwrap() < 0.05);
}

#[test]
fn hard_prompts_cannot_be_left_out() {
    let context = shop(GATE);
    let whole = context.run_script(&answers(20, 50), &[]);
    context.run_script(&answers(40, 50), &["--limit", "30"]);
    let ran = context.gate(&[&whole, "--json"]);
    assert_eq!(ran.code, Some(4));
    let gate = ran.json();
    assert_eq!(
        verdict_of(&gate, "score").1.as_deref(),
        Some("left_out_prompts")
    );
    assert_eq!(gate["prompts"]["only_baseline"], 10);
    let ran = context.gate(&[&whole, "--allow-different-suite"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(
        ran.out
            .contains("Beware: the candidate leaves out 10 of the baseline's 40 prompts"),
        "{}",
        ran.out
    );
    // Failing on them is no way either: quality counts them, and times are missing.
    let fails = script(|i| {
        let fail = [12, 15, 18].contains(&i).then_some("engine");
        (format!("{} EUR", 100 + i), 40, fail)
    });
    context.run_script(&fails, &["--max-failures", "100%"]);
    let gate = context.gate(&[&whole, "--json"]).json();
    let lost = ("inconclusive".to_owned(), Some("lost_prompts".to_owned()));
    assert_eq!(verdict_of(&gate, "ttft_ms_p50"), lost);
    let worse: Vec<&Value> = gate["changes"]["samples"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    assert_eq!(gate["changes"]["worse"], 3);
    assert_eq!(worse[0]["candidate"]["outcome"], "error");
}

#[test]
fn suites_that_differ_are_refused_below_a_share() {
    let context = shop(GATE);
    let before = context.run_script(&answers(30, 50), &[]);
    let changed = |from: usize| {
        let mut text = suite(GATE);
        for n in 100 + from..100 + SAMPLES {
            text = text.replace(
                &format!("What does item {n} cost?"),
                &format!("Please: what does item {n} cost?"),
            );
        }
        text
    };
    context.write("prompts/shop.toml", changed(36));
    context.run_script(&answers(30, 50), &[]);
    let ran = context.gate(&[&before]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let text = ran.out.replace('\n', " ");
    assert!(
        text.contains(
            "Beware: the suites differ (shop 1.0.0 and shop 1.0.0): 36 common prompts compared"
        ),
        "{text}"
    );
    context.write("prompts/shop.toml", changed(20));
    context.run_script(&answers(30, 50), &[]);
    let (code, message) = context.refusal(&["gate", "--baseline", &before]);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        "error: the suites differ: 20 of the baseline's 40 prompts are in the candidate, but at least 80 % have to be\n\nhint: save a new baseline from this suite, or judge the common prompts with `--allow-different-suite`\n"
    );
    assert_eq!(
        context.gate(&[&before, "--allow-different-suite"]).code,
        Some(0)
    );
}

#[test]
fn a_baseline_is_a_file_that_needs_no_database_of_the_time() {
    let context = shop(GATE);
    context.run_script(&answers(36, 50), &[]);
    let saved = context.ok(&["baseline", "save", "main"]);
    assert!(
        saved.out.starts_with("saved gemma-3-270m-q4_k_m of run "),
        "{}",
        saved.out
    );
    assert!(
        saved.out.contains(" as baselines/main.json: 40 prompts, "),
        "{}",
        saved.out
    );
    let path = context.path("baselines/main.json");
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() < 40 * 600, "{}", bytes.len());
    // The same result saved again is the same file, whatever the time.
    context.ok(&["baseline", "save", "main"]);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    std::fs::remove_dir_all(context.path("results")).unwrap();
    context.run_script(&answers(36, 50), &[]);
    for name in ["main", "baselines/main.json"] {
        let ran = context.gate(&[name]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    }
    // Another result does not take the name's place unasked.
    let (code, message) = context.refusal(&["baseline", "save", "main"]);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        "error: `baselines/main.json` exists and holds another baseline\n\nhint: add `--replace`, or choose another name\n"
    );
    context.ok(&["baseline", "save", "main", "--replace"]);
    assert_ne!(std::fs::read(&path).unwrap(), bytes);
    context.ok(&["baseline", "save", "other", "--to", "ci/o.json"]);
    let list = context.ok(&["baseline", "list", "--json"]).lines();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["name"], "main");
    assert_eq!(list[0]["prompts"], 40);
    assert!(context.ok(&["baseline", "list"]).out.contains("main"));
    let gate = context.gate(&["ci/o.json", "--json"]).json();
    assert_eq!(gate["baseline"]["label"], MODELS[0]);
}

#[test]
fn margins_come_from_the_run_then_the_baseline_and_changes_are_said() {
    let context = shop(GATE);
    context.run_script(&answers(36, 50), &[]);
    context.ok(&["baseline", "save", "main"]);
    context.write("prompts/shop.toml", suite("[gate]\nscore = { margin = 9 }"));
    context.run_script(&answers(30, 50), &[]);
    let ran = context.gate(&["main", "--json"]);
    let gate = ran.json();
    assert_eq!(verdicts(&gate).len(), 1);
    assert_eq!(
        (ran.code, &gate["gates"][0]["margin"]),
        (Some(0), &Value::from(9.0))
    );
    let told: Vec<&str> = gate["cautions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["text"].as_str())
        .collect();
    assert!(
        told.contains(&"the margin of score changed since the baseline was saved: 0.3 then, 9 now"),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|t| t.contains("pass_rate changed") && t.ends_with("0.03 then, none now"))
    );
    context.write("prompts/shop.toml", suite(""));
    context.run_script(&answers(30, 50), &[]);
    let gate = context.gate(&["main", "--json"]).json();
    assert_eq!(verdicts(&gate).len(), 3);
    assert!(
        gate["gates"]
            .as_array()
            .unwrap()
            .iter()
            .all(|g| g["margin_from"] == "baseline")
    );
}

#[test]
fn broken_baselines_are_refused_with_what_to_do() {
    let context = shop(GATE);
    context.run_script(&answers(36, 50), &[]);
    context.ok(&["baseline", "save", "main"]);
    let good = std::fs::read_to_string(context.path("baselines/main.json")).unwrap();
    let refuse = |text: &str| {
        context.write("baselines/main.json", text);
        let (code, message) = context.refusal(&["gate", "--baseline", "main"]);
        assert_eq!(code, 2, "{message}");
        message
    };
    let edited = refuse(&good.replacen("\"score\":10.0", "\"score\":9.0", 1));
    assert!(
        edited.starts_with("error: `baselines/main.json` was changed after it was written"),
        "{edited}"
    );
    assert!(
        edited.contains("hint: take it back from version control"),
        "{edited}"
    );
    let cut = refuse(&good[..good.len() / 2]);
    assert!(cut.starts_with("error: baselines/main.json:"), "{cut}");
    assert!(
        refuse("").starts_with("error: baselines/main.json:1:1: EOF"),
        ""
    );
    assert!(refuse("[]").contains("is not a baseline of evalh"), "");
    assert!(
        refuse("{\"kind\": \"report\"}").contains("is not a baseline of evalh"),
        ""
    );
    assert!(
        refuse(&"[".repeat(100_000)).starts_with("error: baselines/main.json:1:"),
        ""
    );
    // Line ends changed by version control are no edit.
    context.write("baselines/main.json", good.replace('\n', "\r\n"));
    assert_eq!(context.gate(&["main"]).code, Some(0));
    context.write("baselines/main.json", "{}");
    let list = context.evalh(&["baseline", "list"]);
    assert_eq!(list.code, Some(2));
    assert!(list.err.contains("its `kind` is ``"), "{}", list.err);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let context = shop(GATE);
    let run = context.run_script(&answers(36, 50), &[]);
    context.ok(&["baseline", "save", "main"]);
    for (args, text) in [
        (
            vec!["gate", "--baseline", "main", "--margin", "scor=0.3"],
            "error: metric `scor` is not in the catalogue; did you mean `score`?\n",
        ),
        (
            vec![
                "gate",
                "--baseline",
                "main",
                "--margin",
                "completion_tokens_mean=3",
            ],
            "error: metric `completion_tokens_mean` cannot be gated: neither more nor less of it is better\n",
        ),
        (
            vec!["gate", "--baseline", "main", "--margin", "ttft_ms_p50=0.15"],
            "error: margin `0.15` does not fit `ttft_ms_p50`: less of it is better: write a ratio to the baseline such as `1.15`, or the growth such as `15%`\n",
        ),
        (
            vec![
                "gate",
                "--baseline",
                "main",
                "--margin",
                "score=1",
                "--margin",
                "score=2%",
            ],
            "error: `score` has two margins, 1 and 2%\n",
        ),
        (
            vec!["gate", "--baseline", "main", "--margin", "score"],
            "error: invalid value 'score' for '--margin <METRIC=MARGIN>': `score` is not a margin; write for example `score=0.3`",
        ),
        (
            vec!["gate", "--baseline", "mian"],
            "error: `mian` is neither a file, nor a baseline in `baselines`, nor a run; the baselines are `main`\n\nhint: did you mean `main`?\n",
        ),
        (
            vec!["gate", "--baseline", "none.json"],
            "error: failed to read `none.json`\n",
        ),
        (
            vec!["gate", "--baseline", "champion"],
            "error: suite `shop` has no champion\n\nhint: make one with `evalh baseline promote MODEL --suite shop`\n",
        ),
        (
            vec!["gate", "--baseline", "main", ":gema"],
            "error: model `gema` is not in run `[RUN]`",
        ),
        (
            vec!["gate"],
            "error: the following required arguments were not provided:\n  --baseline <BASELINE>\n",
        ),
        (
            vec!["gate", "--baseline", "main", "--github", "--json"],
            "error: the argument '--github' cannot be used with '--json'",
        ),
        (
            vec!["baseline", "save", "../x"],
            "error: `../x` is not a name for a baseline: ",
        ),
        (
            vec!["baseline", "rollback", "--suite", "shop"],
            "error: suite `shop` has no champion\n",
        ),
        (
            vec!["baseline", "promote", MODELS[0], "--suite", "smoke"],
            "error: no run of suite `smoke` is stored; there are runs of `shop`\n",
        ),
        (
            vec![
                "baseline", "promote", MODELS[0], "--suite", "smoke", "--run", &run,
            ],
            "error: run `[RUN]` is of suite `shop`, not of `smoke`\n",
        ),
    ] {
        let (code, message) = context.refusal(&args);
        assert_eq!(code, 2, "{args:?}\n{message}");
        assert!(message.starts_with(text), "{args:?}\n{message}");
    }
    let (code, _) = context.refusal(&["gate", "--baseline", "main", "--db", "none.sqlite"]);
    assert_eq!(code, 5);
}

#[test]
fn a_run_of_several_models_has_to_say_which() {
    let context = shop(GATE);
    context.write("mock.toml", answers(36, 50));
    let both = [
        "run",
        "--quiet",
        "-s",
        "shop",
        "--engine",
        "mock",
        "--mock-script",
        "mock.toml",
    ];
    context.ok(&both);
    let (code, message) = context.refusal(&["baseline", "save", "main"]);
    assert_eq!(code, 2);
    assert!(message.starts_with("error: run `[RUN]` has 2 models: `gemma-3-270m-q4_k_m`, `smollm2-135m-instruct-q4_1`\n\nhint: name one: "), "{message}");
    let one = format!(":{}", MODELS[1]);
    context.ok(&["baseline", "save", "main", &one]);
    // The baseline's own model is what a run of several is held against by default.
    let gate = context.gate(&["main", "--json"]).json();
    assert_eq!(gate["candidate"]["label"], MODELS[1]);
    let other = format!(":{}", MODELS[0]);
    let gate = context.gate(&["main", &other, "--json"]).json();
    assert_eq!(gate["candidate"]["label"], MODELS[0]);
}

#[test]
fn a_champion_has_a_history_and_a_way_back() {
    let context = shop(GATE);
    context.run_script(&answers(36, 50), &[]);
    let promote = |reason: &str| {
        context.ok(&[
            "baseline", "promote", MODELS[0], "--suite", "shop", "--reason", reason,
        ])
    };
    let told = promote("the first").out;
    assert!(told.ends_with(" is the champion of suite shop\n"), "{told}");
    let (code, message) = context.refusal(&["baseline", "promote", MODELS[0], "--suite", "shop"]);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        "error: `gemma-3-270m-q4_k_m` of run `[RUN]` is the champion of suite `shop` already\n"
    );
    let worse = context.run_script(&answers(20, 50), &[]);
    assert_eq!(context.gate(&["champion"]).code, Some(1));
    promote("a\u{1b}[31m mistake");
    let file = std::fs::read_to_string(context.path("baselines/champions.jsonl")).unwrap();
    assert_eq!(file.lines().count(), 2);
    let gate = context.gate(&["champion", "--json"]).json();
    assert_eq!(gate["baseline"]["run"].as_str(), Some(worse.as_str()));
    context.ok(&[
        "baseline",
        "rollback",
        "--suite",
        "shop",
        "--reason",
        "it was worse",
    ]);
    assert_eq!(context.gate(&["champion"]).code, Some(1));
    let after = std::fs::read_to_string(context.path("baselines/champions.jsonl")).unwrap();
    assert!(after.starts_with(&file) && after.lines().count() == 3);
    let history = context
        .ok(&["baseline", "list", "--history", "--json"])
        .lines();
    let actions: Vec<&str> = history
        .iter()
        .map(|e| e["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["promote", "promote", "rollback"]);
    let shown = context.ok(&["baseline", "list", "--history"]).out;
    assert!(shown.contains("\\u{1b}[31m mistake"), "{shown}");
    let listed = context.ok(&["baseline", "list", "--json"]).lines();
    let champions = listed.iter().filter(|b| b["champion_of"] == "shop").count();
    assert_eq!((listed.len(), champions), (2, 1));
    let (_, message) = context.refusal(&["baseline", "rollback", "--suite", "shop"]);
    assert!(
        message.contains("is the first champion of suite `shop`"),
        "{message}"
    );
    // The champion's file is held against the history.
    let path = listed.iter().find(|b| b["champion_of"] == "shop").unwrap()["path"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = listed.iter().find(|b| b["champion_of"].is_null()).unwrap()["path"]
        .as_str()
        .unwrap()
        .to_owned();
    std::fs::copy(context.path(&other), context.path(&path)).unwrap();
    let (code, message) = context.refusal(&["gate", "--baseline", "champion"]);
    assert_eq!(code, 2);
    assert!(
        message.contains("was changed after it was written"),
        "{message}"
    );
    context.write("baselines/champions.jsonl", "{}\n");
    let (code, message) = context.refusal(&["baseline", "list"]);
    assert_eq!(code, 2);
    assert!(
        message.starts_with("error: baselines/champions.jsonl:1:"),
        "{message}"
    );
}

/// Text that does harm where it is not escaped.
const HOSTILE: &str = "7 ::error::pwned\n::set-output name=x::y\r\n##[error]z \u{1b}[31m | `<img src=x>` %0A \u{202e}@team";

#[test]
fn workflow_runners_get_annotations_and_a_summary() {
    let mut context = shop(GATE);
    let before = context.run_script(&answers(36, 50), &[]);
    let hostile = script(|i| {
        let text = if i < 20 {
            format!("{} EUR", 100 + i)
        } else {
            HOSTILE.to_owned()
        };
        (text, 50, None)
    });
    context.run_script(&hostile, &[]);
    let ran = context.gate(&[&before, "--github"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_eq!(
        ran.err,
        "warning: `GITHUB_STEP_SUMMARY` is not set: the annotations are printed, the step summary is not written\n"
    );
    let (commands, fenced) = ran.out.split_once("::stop-commands::").unwrap();
    let token = fenced.lines().next().unwrap();
    assert!(ran.out.ends_with(&format!("::{token}::\n")), "{}", ran.out);
    let count = |kind: &str| {
        commands
            .lines()
            .filter(|l| l.starts_with(&format!("::{kind} title=")))
            .count()
    };
    assert_eq!((count("error"), count("warning")), (2, 0));
    assert_eq!(count("notice"), 10, "{commands}");
    assert_eq!(commands.lines().count(), 12);
    assert!(commands.contains("%250A"), "{commands}");
    let summary = context.path("summary.md");
    std::fs::write(&summary, "# before\n").unwrap();
    context.set("GITHUB_STEP_SUMMARY", summary.to_str().unwrap());
    let ran = context.gate(&[&before, "--github"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(text.starts_with("# before\n## Gate: fail\n"), "{text}");
    assert!(
        !text.contains("<img") && !text.contains(" @team") && !text.contains('\u{1b}'),
        "{text}"
    );
    assert!(!text.lines().any(|l| l.starts_with("::")), "{text}");
    // What is there already counts towards the limit of a step.
    std::fs::write(&summary, "x".repeat(1024 * 1024 - 4_000)).unwrap();
    context.ok(&["runs", "list"]);
    assert_eq!(context.gate(&[&before, "--github"]).code, Some(1));
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(text.len() < 1024 * 1024, "{}", text.len());
    assert!(
        text.contains(" more changed prompts are left out"),
        "{}",
        &text[text.len() - 3_000..]
    );
    std::fs::write(&summary, "x".repeat(1024 * 1024)).unwrap();
    let ran = context.gate(&[&before, "--github"]);
    assert!(
        ran.err.ends_with("the step summary does not fit\n"),
        "{}",
        ran.err
    );
    context.set(
        "GITHUB_STEP_SUMMARY",
        context.path("no/such/folder.md").to_str().unwrap(),
    );
    let ran = context.gate(&[&before, "--github"]);
    assert_eq!(ran.code, Some(2));
}

/// Whether tags are closed in the order they are opened, attributes are quoted and nothing stands unescaped.
fn assert_well_formed(xml: &str) {
    let rest = xml
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .unwrap();
    let mut open: Vec<String> = Vec::new();
    let tag = regex::Regex::new(r#"^<(/?)([a-z-]+)((?: [a-z_]+="[^"<]*")*)(/?)>"#).unwrap();
    let entity = regex::Regex::new(r"&(?:amp|lt|gt|quot|apos);").unwrap();
    assert!(!entity.replace_all(xml, "").contains('&'), "{xml}");
    let mut left = rest;
    while let Some(at) = left.find('<') {
        assert!(!left[..at].contains('>'), "{}", &left[..at]);
        left = &left[at..];
        let found = tag.captures(left).unwrap_or_else(|| panic!("{left}"));
        let name = found[2].to_owned();
        match (&found[1], &found[4]) {
            ("/", _) => assert_eq!(open.pop(), Some(name)),
            (_, "/") => {}
            _ => open.push(name),
        }
        left = &left[found[0].len()..];
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_test_report_has_one_case_a_gate() {
    let context = shop(GATE);
    let before = context.run_script(&answers(36, 50), &[]);
    context.run_script(&answers(20, 50), &[]);
    let printed = context.gate(&[&before, "--format", "junit"]);
    assert_eq!(printed.code, Some(1));
    assert_well_formed(&printed.out);
    assert_eq!(printed.out.matches("<testcase ").count(), 3);
    assert_eq!(printed.out.matches("<failure ").count(), 2);
    let ran = context.gate(&[&before, "--junit", "out/gate.xml"]);
    assert_eq!(
        std::fs::read_to_string(context.path("out/gate.xml")).unwrap(),
        printed.out
    );
    assert!(
        ran.out.contains("\nfail: 2 of 3 gates failed"),
        "{}",
        ran.out
    );
    let markdown = context.gate(&[&before, "--format", "markdown"]).out;
    assert!(markdown.starts_with("## Gate: fail\n"), "{markdown}");
}

/// The `evalh` commands of a block of the page, without comments.
fn commands(page: &str, fence: &str) -> Vec<String> {
    let (_, rest) = page.split_once(&format!("```{fence}\n")).unwrap();
    let (block, _) = rest.split_once("\n```").unwrap();
    let lines = block.lines().map(str::trim);
    let commands = lines.map(|l| {
        l.strip_prefix("run: ")
            .unwrap_or(l)
            .trim_start_matches("- run: ")
    });
    let commands = commands.filter(|l| l.starts_with("evalh "));
    commands
        .map(|l| l.split(" #").next().unwrap().trim().to_owned())
        .collect()
}

#[test]
fn the_documented_workflow_does_what_it_says() {
    let page = include_str!("../../docs/ci.md");
    let (setup, steps) = (commands(page, "sh"), commands(page, "yaml"));
    assert!(
        setup.iter().any(|c| c.starts_with("evalh baseline save")),
        "{setup:?}"
    );
    assert!(
        steps.iter().any(|c| c.starts_with("evalh run")),
        "{steps:?}"
    );
    assert!(steps.iter().any(|c| c.contains("--github")), "{steps:?}");
    let mut context = TestContext::new();
    context.set("EVALH_ENGINE", "mock");
    context.set(
        "GITHUB_STEP_SUMMARY",
        context.path("summary.md").to_str().unwrap(),
    );
    let call = |context: &TestContext, command: &str| {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        context.evalh(&words)
    };
    for command in &setup {
        let ran = call(&context, command);
        assert_eq!(ran.code, Some(0), "{command}\n{}\n{}", ran.out, ran.err);
    }
    // The runner has the committed baseline and no database.
    std::fs::remove_dir_all(context.path("results")).unwrap();
    for command in &steps {
        let ran = call(&context, command);
        assert_eq!(ran.code, Some(0), "{command}\n{}\n{}", ran.out, ran.err);
    }
    let summary = std::fs::read_to_string(context.path("summary.md")).unwrap();
    assert!(summary.starts_with("## Gate: pass\n"), "{summary}");
    // Another model's answers stop the workflow at the gate.
    context.write("worse.toml", "[[reply]]\ntext = \"I do not know.\"\n");
    context.set("EVALH_MOCK_SCRIPT", "worse.toml");
    let codes: Vec<Option<i32>> = steps.iter().map(|c| call(&context, c).code).collect();
    let gate = steps
        .iter()
        .position(|c| c.starts_with("evalh gate"))
        .unwrap();
    assert_eq!(codes[..gate], vec![Some(0); gate]);
    assert!([Some(1), Some(4)].contains(&codes[gate]), "{codes:?}");
}
