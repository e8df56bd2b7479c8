//! `evalh compare`: two models, two runs, two files of another tool, and what it refuses.

use crate::context::{ANSWERS, MODELS, TestContext, run_with};
use insta::assert_snapshot;
use serde_json::{Value, json};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// A folder with one run of both models.
fn one_run() -> TestContext {
    let context = TestContext::shop(ANSWERS);
    context.ok(&run_with(&[]));
    context
}

fn sides() -> [String; 2] {
    [format!("latest:{}", MODELS[0]), format!(":{}", MODELS[1])]
}

fn row<'v>(report: &'v Value, metric: &str) -> &'v Value {
    let rows = report["comparisons"].as_array().unwrap().iter();
    let all = rows.chain(report["described"].as_array().unwrap());
    let mut found = all.filter(|r| r["metric"] == metric);
    found.next().unwrap_or_else(|| panic!("no {metric}"))
}

#[test]
fn two_models_of_a_run_compare_as_the_report_says() {
    let context = one_run();
    let [a, b] = sides();
    let compared = context.ok(&["compare", &a, &b, "--json"]).json();
    // The beginning of a name is enough.
    let short = context.ok(&["compare", "latest:gemma", ":smollm2-135m", "--json"]);
    assert_eq!(short.json(), compared);
    let report = context.ok(&["report", "--json"]).json();
    let there = &report["pairs"][0];
    assert_eq!(there["a"], MODELS[0]);
    assert_eq!(compared["prompts"], there["prompts"]);
    for pair in there["comparisons"].as_array().unwrap() {
        let here = row(&compared, pair["metric"].as_str().unwrap());
        for field in [
            "value",
            "lower",
            "upper",
            "method",
            "n",
            "effect",
            "prompts_better",
        ] {
            assert_eq!(here[field], pair[field], "{field} of {}", pair["metric"]);
        }
        assert_eq!(here["test"]["p"], pair["test"]["p"]);
    }
    assert_eq!(compared["a"]["outcomes"]["correct"], 5);
    // The chair and the lamp are equal, Monday, the weekend and the holiday are not.
    let list = compared["changes"]["list"].as_array().unwrap();
    let names: Vec<&str> = list.iter().map(|c| c["sample"].as_str().unwrap()).collect();
    assert!(
        names.contains(&"monday") && names.contains(&"holiday"),
        "{names:?}"
    );
    assert!(!names.contains(&"chair"));
    let codes: Vec<&str> = compared["cautions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes[..2], ["mock_engine", "too_few_prompts"]);
}

#[test]
fn the_terminal_shows_the_difference_the_changes_and_the_next_command() {
    let context = one_run();
    let [a, b] = sides();
    let shown = context.ok(&["compare", &a, &b, "--different"]).out;
    let kept: Vec<&str> = shown
        .lines()
        .filter(|l| {
            !l.contains("_ms_")
                && !l.contains("_tps")
                && !l.contains("usd")
                && !l.contains("loading")
                && !l.contains("once)")
        })
        .collect();
    // The width of the columns follows from the times.
    let gaps = regex::Regex::new(" {3,}").unwrap();
    let shown = gaps.replace_all(&kept.join("\n"), "  ").into_owned();
    assert_snapshot!(context.redact(&shown), @r#"
    A  gemma-3-270m-q4_k_m · run [RUN] · shop 2.1.0 · 6 prompts
    B  smollm2-135m-instruct-q4_1 · run [RUN] · shop 2.1.0 · 6 prompts
    6 prompts joined by content, none left out; intervals 95 %

    metric  A  B  A - B, A / B  p  effect  better
    score *  8.4  4.5  +3.8 [-1.3, 9.0]  0.11  +0.78  ~
    pass_rate +  83 %  50 %  +33 pp [-19, 70]  0.50  +0.65  ~
    completion_tokens_mean  9 tokens  17 tokens  ×0.59 [0.31, 1.10]  -0.90  ~
    * primary, + secondary (Holm), others exploratory (Benjamini-Hochberg) or described without a test.
    × is A / B. ~ not told apart. Costs at $3,199 less $800 in 4 years, 20 % use, 60 W, $0.17/kWh: on
    one machine they follow the times.

    Samples that changed, where A lost most first
    sample  A  B  A - B
    hours/weekend  incorrect 3.00  incorrect 0.00  +3.00
    hours/holiday  correct 10.00  incorrect 0.00  +10.00
    hours/monday  correct 10.00  incorrect 0.00  +10.00

    Better?  A and B are not told apart: score +3.8 [-1.3, 9.0], p 0.11 (paired-t, 6 prompts). These
      prompts show differences from 7.1 on (80 % power). Telling the one seen apart needs about
      15 prompts.
    Pairing  worth 1.4 times the prompts: unpaired, about 9 would be needed for this interval (standard
      error 2.007, unpaired 2.375).
    Changed  2 prompts passed by A alone, 0 by B alone; 3 changed in all, 3 did not, 0 of them with
      another answer.

    Beware  numbers of the scripted `mock` engine, which say nothing about a model.
      6 prompts: below 20 intervals lean on the assumed distribution.

    Next: evalh compare latest:gemma-3-270m-q4_k_m :smollm2-135m-instruct-q4_1 --kpi all
    "#);
    for width in ["80", "100"] {
        let mut narrow = TestContext::shop(ANSWERS);
        narrow.set("COLUMNS", width);
        narrow.ok(&run_with(&[]));
        let shown = narrow.ok(&["compare", &a, &b]).out;
        let most: usize = width.parse().unwrap();
        for line in shown.lines().filter(|l| !l.starts_with("Next: ")) {
            assert!(line.chars().count() <= most, "{width}: {line}");
        }
    }
}

#[test]
fn two_runs_of_one_model_compare_by_content() {
    let context = TestContext::shop(ANSWERS);
    let only = ["--models", MODELS[0], "--json"];
    let first = context.ok(&run_with(&only)).json();
    context.write(
        "mock.toml",
        ANSWERS.replace("text = \"80\"", "text = \"81\""),
    );
    let second = context
        .ok(&run_with(&[&only[..], &["--fresh"]].concat()))
        .json();
    let id = |run: &Value| run["run"]["id"].as_str().unwrap().to_owned();
    let (first, second) = (id(&first), id(&second));
    assert_ne!(first, second);
    let compared = context.ok(&["compare", &second, &first, "--json"]).json();
    assert_eq!(compared["prompts"], 6);
    let list = compared["changes"]["list"].as_array().unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(
        (&list[0]["sample"], &list[0]["a"]["outcomes"]),
        (&json!("chair"), &json!({"incorrect": 1}))
    );
    // Both sides have one name, so that the run tells them apart.
    assert_eq!(
        compared["a"]["label"],
        format!("{} (run {second})", MODELS[0])
    );
    assert_eq!(row(&compared, "pass_rate")["table"]["only_b"], 1);
    // A part of the samples: only what both have is compared, and that is said.
    let part = context
        .ok(&run_with(&[&only[..], &["--limit", "4"]].concat()))
        .json();
    let shown = context.ok(&["compare", &first, &id(&part)]).out;
    assert!(
        shown.contains(
            "33 % of the prompts are left out: 2 prompts only in A, 0 only in B, 4 compared"
        ),
        "{shown}"
    );
}

#[test]
fn a_comparison_can_be_written_as_a_page() {
    let context = one_run();
    let [a, b] = sides();
    let ran = context.ok(&[
        "compare",
        &a,
        &b,
        "--format",
        "markdown",
        "--different",
        "--kpi",
        "all",
        "-o",
        "out/c.md",
    ]);
    assert_eq!(ran.out, "");
    let page = std::fs::read_to_string(context.path("out/c.md")).unwrap();
    for part in [
        "# gemma-3-270m-q4\\_k\\_m against ",
        "| `score` \\* |",
        "## Better?",
        "## Samples that changed",
        "## Every method",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

/// Every number of `expected` is in `got` at 1e-6.
fn agree(place: &str, got: &Value, expected: &Value) -> usize {
    match expected {
        Value::Object(fields) => fields
            .iter()
            .map(|(k, v)| agree(&format!("{place}.{k}"), &got[k], v))
            .sum(),
        Value::Number(number) => {
            let (want, have) = (number.as_f64().unwrap(), got.as_f64());
            let have = have.unwrap_or_else(|| panic!("{place} is {got}"));
            assert!(
                (have - want).abs() <= 1e-6 * want.abs().max(1.0),
                "{place}: {have}, not {want}"
            );
            1
        }
        other => panic!("{place}: {other}"),
    }
}

/// The method `id` among those that check the chosen one.
fn also(row: &Value, id: &str) -> Value {
    let found = row["also"]
        .as_array()
        .unwrap()
        .iter()
        .find(|a| a["method"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {row}")).clone()
}

#[test]
fn real_outcomes_agree_with_scipy_and_statsmodels() {
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{GOLDEN}/compare.json")).unwrap())
            .unwrap();
    let file = |side: &str| {
        format!(
            "{GOLDEN}/samples_arc_easy_{}.jsonl",
            expected[side].as_str().unwrap()
        )
    };
    let (a, b) = (file("a"), file("b"));
    let context = TestContext::new();
    let compare = |metric: &str| {
        context
            .ok(&["compare", &a, &b, "--metric", metric, "--json"])
            .json()
    };
    let mut numbers = 0;
    for metric in ["acc", "acc_norm"] {
        let (got, want) = (compare(metric), &expected[metric]);
        assert_eq!(
            (&got["prompts"], &got["metric"]),
            (&expected["documents"], &json!(metric))
        );
        let row = row(&got, "pass_rate");
        assert_eq!(
            (&row["method"], &row["test"]["method"]),
            (&json!("tango"), &json!("mcnemar-mid-p"))
        );
        let t = also(row, "paired-t");
        numbers += agree("tango", row, &want["tango"])
            + agree("mid-p", &row["test"]["p"], &want["mcnemar_mid_p"])
            + agree(
                "exact",
                &also(row, "mcnemar-exact")["p"],
                &want["mcnemar_exact"],
            )
            + agree("paired t", &t, &want["paired_t"])
            + agree("table", &row["table"], &want["table"])
            + agree("effect", &row["effect_size"], &want["effect"])
            + agree("pairing", &row["pairing"], &want["pairing"])
            + agree("a", &row["a"], &want["a"])
            + agree("b", &row["b"], &want["b"]);
    }
    let (got, want) = (compare("gold_logprob"), &expected["gold_logprob"]);
    let row = row(&got, "score");
    let mut t = row.clone();
    t["statistic"] = row["test"]["statistic"].clone();
    t["df"] = row["test"]["df"].clone();
    t["p"] = row["test"]["p"].clone();
    numbers += agree("paired t", &t, &want["paired_t"])
        + agree(
            "wilcoxon",
            &also(row, "wilcoxon-exact")["p"],
            &want["wilcoxon_exact"],
        )
        + agree("effect", &row["effect_size"], &want["effect"])
        + agree("pairing", &row["pairing"], &want["pairing"])
        + agree("a", &row["a"], &want["a"])
        + agree("b", &row["b"], &want["b"]);
    assert_eq!(numbers, 76);
    // The first metric of the file is the default.
    assert_eq!(
        context.ok(&["compare", &a, &b, "--json"]).json()["metric"],
        "acc"
    );
}

const GOOD: &str =
    "{\"doc_id\":1,\"doc_hash\":\"h1\",\"filter\":\"none\",\"metrics\":[\"acc\"],\"acc\":1.0}\n";

#[test]
fn files_that_are_no_sample_files_are_refused_with_their_line() {
    for (text, message) in [
        (
            "{\"doc_hash\": \"h1\", \"acc\": 1}\n{\"doc_hash\": \n",
            "error: bad.jsonl:2: not JSON, column 12: EOF while parsing a value\n",
        ),
        (
            "{\"doc_id\": 1, \"acc\": 1}\n",
            "error: bad.jsonl:1: `doc_hash` is missing\n\nhint: write the samples with `lm_eval --log_samples`\n",
        ),
        (
            "{\"doc_hash\": \"h1\", \"metrics\": [\"acc\"], \"acc\": NaN}\n",
            "error: bad.jsonl:1: not JSON, column 47: expected value (`NaN` and `Infinity` are no JSON numbers)\n",
        ),
        ("", "error: `bad.jsonl` holds no record\n"),
        (
            "{\"doc_hash\": \"h9\", \"acc\": 1}\n",
            "error: `good.jsonl` and `bad.jsonl` have no prompt in common: 1 and 1 prompts, none with the same content\n\nhint: compare runs of the same suite with the same decoding settings\n",
        ),
        (
            "{\"doc_hash\": \"h1\", \"acc\": 1}\n\n{\"doc_hash\": \"h1\", \"acc\": 0}\n",
            "error: `bad.jsonl` has document `h1` with filter `none` on line 1 and on line 3\n\nhint: if these are repetitions of one prompt, say so with `--replicates`\n",
        ),
        (
            "{\"doc_hash\": \"h1\", \"f1\": 1}\n",
            "error: metric `acc` is not in `bad.jsonl`\n\nhint: the file has f1\n",
        ),
    ] {
        let context = TestContext::new();
        context.write("good.jsonl", GOOD);
        context.write("bad.jsonl", text);
        let (code, told) = context.refusal(&["compare", "good.jsonl", "bad.jsonl"]);
        assert_eq!((code, told.as_str()), (2, message));
    }
    let context = TestContext::new();
    context.write("good.jsonl", GOOD);
    let (code, told) = context.refusal(&["compare", "good.jsonl", "none.jsonl"]);
    assert_eq!(code, 2);
    assert!(
        told.starts_with("error: failed to read `none.jsonl`"),
        "{told}"
    );
    context.write("latin.jsonl", b"{\"doc_hash\":\"\xff\"}\n");
    let (code, told) = context.refusal(&["compare", "good.jsonl", "latin.jsonl"]);
    assert!(code == 2 && told.contains("line 1 is not UTF-8"), "{told}");
    let replicates = "{\"doc_hash\":\"h1\",\"acc\":1}\n{\"doc_hash\":\"h1\",\"acc\":0}\n";
    context.write("twice.jsonl", replicates);
    let json = context
        .ok(&[
            "compare",
            "good.jsonl",
            "twice.jsonl",
            "--replicates",
            "--json",
        ])
        .json();
    assert_eq!(
        (&json["b"]["samples"], &json["b"]["prompts"]),
        (&json!(2), &json!(1))
    );
}

#[test]
fn names_that_are_not_there_are_refused_with_what_there_is() {
    let context = one_run();
    let [a, b] = sides();
    let (code, told) = context.refusal(&["compare", &a, ":smollm2-135m-instuct-q4_1"]);
    assert_snapshot!(format!("{code}\n{told}"), @r#"
    2
    error: model `smollm2-135m-instuct-q4_1` is not in run `[RUN]`; did you mean `smollm2-135m-instruct-q4_1`?

    hint: the models of the run are gemma-3-270m-q4_k_m, smollm2-135m-instruct-q4_1
    "#);
    let (code, told) = context.refusal(&["compare", "latest", &b]);
    assert_snapshot!(format!("{code}\n{told}"), @r#"
    2
    error: run `[RUN]` has 2 measured models and none was named

    hint: name one, as in `[RUN]:gemma-3-270m-q4_k_m`; there are gemma-3-270m-q4_k_m, smollm2-135m-instruct-q4_1
    "#);
    let (code, told) = context.refusal(&["compare", "zzzz", &b]);
    assert_eq!(code, 5);
    assert!(told.contains("zzzz"), "{told}");
    context.write("s.jsonl", GOOD);
    let (code, told) = context.refusal(&["compare", &a, "s.jsonl"]);
    assert_snapshot!(format!("{code}\n{told}"), @r#"
    2
    error: `latest:gemma-3-270m-q4_k_m` and `s.jsonl` cannot be compared: one is a file of samples, the other is not

    hint: give two runs, or two files of samples
    "#);
    let empty = TestContext::new();
    let (code, _) = empty.refusal(&["compare", &a, &b]);
    assert_eq!(code, 5);
}

#[test]
fn text_of_files_is_harmless_in_every_form() {
    let context = TestContext::new();
    let line = |hash: &str, acc: u8| {
        format!(
            "{{\"doc_id\":\"<b>\\u001b[2J|`x`\",\"doc_hash\":\"{hash}\",\"a|\\u001b]0;t\\u0007\":{acc}}}\n"
        )
    };
    context.write("a.jsonl", line("h1", 1) + &line("h2", 0));
    context.write("b.jsonl", line("h1", 0) + &line("h2", 0));
    for form in ["terminal", "markdown", "json"] {
        // Control characters in the output fail in the context.
        let shown = context
            .ok(&[
                "compare",
                "a.jsonl",
                "b.jsonl",
                "--format",
                form,
                "--different",
                "--kpi",
                "all",
            ])
            .out;
        assert!(form == "json" || shown.contains("\\u{1b}"), "{shown}");
        assert!(form != "markdown" || !shown.contains("<b>"), "{shown}");
    }
}
