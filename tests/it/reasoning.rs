//! Thoughts in front of an answer, from the engine to the report; and a model whose self-check fails.

use crate::context::{ANSWERS, MODELS, Ran, TestContext, run_with};
use serde_json::{Value, json};

/// The first model thinks in five of the six samples. One thought is cut off at the limit of 64 tokens (bytes), one holds a stop string, one
/// answer only mentions a marker.
const THOUGHTS: &str = r#"
[[reply]]
model = "gemma*"
contains = "the lamp cost"
text = "<think>80 or 30?</think>\n\n30"
ttft_ms = 40
tpot_ms = 10

[[reply]]
model = "gemma*"
contains = "the chair cost"
text = "<think>The chair costs 80. The price is 80 EUR, so I answer: 80, I am sure of it.</think>80"

[[reply]]
model = "gemma*"
contains = "the table cost"
text = "\"<think>\" is 250 EUR"

[[reply]]
model = "gemma*"
contains = "on Monday"
text = "<think>ten?</think> <think>no</think>\nAt nine."

[[reply]]
model = "gemma*"
contains = "Saturday and Sunday"
text = "<think>a\nQuestion: b</think>ten; closed\nQuestion: more"

[[reply]]
model = "gemma*"
contains = "on a holiday"
text = "[THINK]It is closed.[/THINK]"
"#;

/// What is stored of the first model's samples.
fn stored(context: &TestContext) -> Vec<Value> {
    let db = context.db();
    let mut rows = db
        .prepare(
            "SELECT sample, completion, outcome, finish, reasoning_tokens, answer_at, score FROM sample JOIN model USING (model_pk) \
             WHERE name = ?1 ORDER BY sequence",
        )
        .unwrap();
    let rows = rows.query_map([MODELS[0]], |r| {
        let text: String = r.get(1)?;
        let at: Option<u32> = r.get(5)?;
        Ok(json!([
            r.get::<_, String>(0)?,
            &text[at.unwrap_or(0) as usize..],
            r.get::<_, String>(2)?,
            r.get::<_, String>(3)?,
            r.get::<_, Option<u32>>(4)?,
            r.get::<_, f64>(6)?,
        ]))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn metric<'r>(report: &'r Value, model: usize, id: &str) -> &'r Value {
    let mut models = report["models"].as_array().unwrap().iter();
    let model = models.find(|m| m["name"] == MODELS[model]).unwrap();
    let found = &model["metrics"][id];
    assert!(found.is_object(), "no `{id}`");
    found
}

#[test]
fn thoughts_are_counted_and_not_scored() {
    for more in [&["--json"][..], &["--json", "--in-process"]] {
        let context = TestContext::shop(&format!("{THOUGHTS}\n{ANSWERS}"));
        let ran = context.evalh(&run_with(more));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert_eq!(
            stored(&context),
            [
                json!(["lamp", "30", "correct", "eos", 26, 10.0]),
                json!(["chair", "", "truncated", "length", 64, 0.0]),
                json!([
                    "table",
                    "\"<think>\" is 250 EUR",
                    "correct",
                    "eos",
                    null,
                    50.0 / 7.0
                ]),
                json!(["monday", "At nine.", "correct", "eos", 38, 10.0]),
                json!(["weekend", "ten; closed", "correct", "stop", 28, 10.0]),
                json!(["holiday", "", "empty", "eos", 28, 0.0]),
            ]
        );
        let report = ran.json();
        let tokens = metric(&report, 0, "reasoning_tokens_mean");
        let mean = (26.0 + 64.0 + 38.0 + 28.0 + 28.0) / 6.0;
        assert!(
            (tokens["value"].as_f64().unwrap() - mean).abs() < 1e-9,
            "{tokens}"
        );
        // The lamp's answer begins with token 26, 40 ms and 26 times 10 ms after its prompt.
        let worst = metric(&report, 0, "ttfa_ms_p99")["value"].as_f64().unwrap();
        assert!((280.0..=300.5).contains(&worst), "{worst}");
        for id in ["reasoning_tokens_mean", "reasoning_share", "ttfa_ms_p50"] {
            let none = metric(&report, 1, id);
            assert!(none["value"].is_null(), "{none}");
            assert!(
                none.to_string().contains("no generation has thoughts"),
                "{none}"
            );
        }
        context.ok(&["report", "--verify"]);
        let text = context.ok(&["report"]).out;
        assert!(text.contains("thinks for"), "{text}");
        assert_eq!(text.matches("thinks for").count(), 1, "{text}");
    }
}

#[test]
fn a_report_that_counts_thoughts_otherwise_is_refused() {
    let context = TestContext::shop(&format!("{THOUGHTS}\n{ANSWERS}"));
    context.ok(&run_with(&[]));
    // A place in the middle of nowhere is seen when the row is read.
    context
        .db()
        .execute(
            "UPDATE sample SET answer_at = 9999 WHERE reasoning_tokens > 0",
            [],
        )
        .unwrap();
    let ran = context.evalh(&["report", "--verify"]);
    assert_eq!(ran.code, Some(5), "{}", ran.err);
    assert!(ran.err.contains("column `answer_at`"), "{}", ran.err);
}

#[test]
fn generate_tells_thoughts_apart() {
    let context = TestContext::with_script(
        "[[reply]]\ncontains = \"lamp\"\ntext = \"<think>no END</think>\\n30 END\"\n[[reply]]\ntext = \"30\"",
    );
    let input = "{\"prompt\": \"lamp\", \"stop\": [\" END\"]}\n{\"prompt\": \"chair\"}\n";
    let args = [
        "generate",
        "--json",
        "--engine",
        "mock",
        "--mock-script",
        "mock.toml",
        "--model",
        MODELS[1],
    ];
    let ran = context.evalh_reading(&args, input);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let lines = ran.lines();
    assert_eq!(lines[0]["completion"], "<think>no END</think>\n30");
    assert_eq!(
        (&lines[0]["answer"], &lines[0]["reasoning_tokens"]),
        (&json!("30"), &json!(22))
    );
    assert_eq!(lines[0]["finish"], "stop");
    assert!(lines[1].get("answer").is_none(), "{}", lines[1]);
}

fn checked(difference: &str, model: &str, more: &[&str]) -> (TestContext, Ran) {
    let rule = format!("[[reply]]\nmodel = \"{model}\"\nself_check = {difference}\n{ANSWERS}");
    let context = TestContext::shop(&rule);
    let ran = context.evalh(&run_with(more));
    (context, ran)
}

#[test]
fn a_model_that_fails_its_self_check_is_not_run() {
    for more in [&["--json"][..], &["--json", "--in-process"]] {
        let (context, ran) = checked("0.5", "gemma*", more);
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        let report = ran.json();
        assert_eq!(report["skipped"][0]["name"], MODELS[0]);
        assert_eq!(
            report["skipped"][0]["reason"]["text"],
            "the self-check failed on `mock`: a logit differs from that of the plain CPU path by 5.000e-1 nats where 2.000e-2 are \
             allowed; the most probable token is the same at 1 of 2 positions; use `--device cpu`"
        );
        assert_eq!(report["models"][0]["name"], MODELS[1]);
        assert_eq!(report["models"][0]["tally"]["recorded"], 6);
        // The same command tries it again.
        context.write("mock.toml", ANSWERS);
        let again = context.evalh(&run_with(more));
        assert_eq!(again.code, Some(0), "{}", again.err);
    }
    let (_, ran) = checked("0.5", "*", &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
}

#[test]
fn a_self_check_is_stored_and_shown() {
    for more in [&["--json"][..], &["--json", "--in-process"]] {
        let (context, ran) = checked("0.001", "gemma*", more);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let report = ran.json();
        let check = |name: &str| {
            let mut models = report["models"].as_array().unwrap().iter();
            let found = models.find(|m| m["name"] == name).unwrap();
            found["loaded"]["check"].clone()
        };
        assert_eq!(
            check(MODELS[0]),
            json!({
                "tokens": 12, "positions": 2, "same_top1": 2, "logit_diff": 0.001, "logit_spread": 20.0, "batch_diff": 0.0,
                "tolerance": 0.001, "took_ns": 3_000_000,
            })
        );
        assert!(check(MODELS[1]).is_null());
        let all = context.ok(&["report", "--kpi", "all"]).out;
        let words = all.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains(
                "self-check against the plain CPU path: logits differ by at most 1.0e-3 nats, scores together and alone by 0.0e0, where \
                 2.0e-2 are allowed; same arg-max at 2 of 2 positions"
            ),
            "{all}"
        );
        assert_eq!(words.matches("self-check against").count(), 1);
        let run = report["run"]["id"].as_str().unwrap();
        let shown = context.ok(&["runs", "show", run, "--json"]).json();
        assert_eq!(shown["models"][0]["self_check"]["logit_diff"], 0.001);
        assert!(shown["models"][1]["self_check"].is_null());
    }
}

#[test]
fn looking_closely_at_a_model_that_fails_its_self_check_is_refused() {
    let context = TestContext::with_script("[[reply]]\nself_check = 0.5\ntext = \"30\"");
    let args = [
        "score",
        "--json",
        "--engine",
        "mock",
        "--mock-script",
        "mock.toml",
        "--model",
        MODELS[1],
    ];
    let ran = context.evalh_reading(&args, "{\"context\": \"a\", \"continuation\": \"b\"}\n");
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(
        ran.err.contains("the self-check failed on `mock`"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("use `--device cpu`"), "{}", ran.err);
}

#[test]
fn a_scripted_difference_must_be_one() {
    let context = TestContext::shop("[[reply]]\nself_check = nan\n");
    let (code, text) = context.refusal(&run_with(&[]));
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("mock.toml:2:14: `NaN` is no difference; a finite number from 0 on is"),
        "{text}"
    );
}
