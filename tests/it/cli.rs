//! Every subcommand as a user calls it, with the mock engine.

use crate::context::{ANSWERS, MODELS, TestContext, run_with};
use crate::tiny_gguf::{END, tiny_gguf};
use serde_json::{Value, json};

/// The engine and the model of the commands that look closely at one.
const MOCK: [&str; 4] = ["--engine", "mock", "--model", MODELS[0]];

const TEMPLATE: &str = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}";

/// With a model in a file of the current folder.
fn with_file() -> TestContext {
    let context = TestContext::new();
    context.write("tiny.gguf", tiny_gguf(TEMPLATE));
    context.write(
        "models.toml",
        "[[model]]\nname = \"tiny\"\nsources = [\"path:tiny.gguf\"]\ndefault = true\nlicense = \"MIT\"\n",
    );
    context
}

fn metric(model: &Value, id: &str) -> Value {
    model["metrics"][id]["value"].clone()
}

#[test]
fn a_run_reports_what_the_script_answered() {
    let context = TestContext::shop(ANSWERS);
    let report = context.ok(&run_with(&["--json"])).json();
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["run"]["status"], "success");
    assert_eq!(report["run"]["suite"]["name"], "shop");
    let [first, second] = [0, 1].map(|i| &report["models"][i]);
    assert_eq!([&first["name"], &second["name"]], MODELS);
    // Five of six pass; the table loses the 0.2 of its form, renormalised with checks to 5/7; half of the weekend's facts are capped at 3.
    assert_eq!(first["tally"]["outcomes"]["correct"], 5);
    assert_eq!(first["tally"]["outcomes"]["incorrect"], 1);
    assert_eq!(metric(first, "pass_rate"), json!(5.0 / 6.0));
    let score = (10.0 * 4.0 + 10.0 * 5.0 / 7.0 + 3.0) / 6.0;
    assert!((metric(first, "score").as_f64().unwrap() - score).abs() < 1e-12);
    assert_eq!(metric(second, "pass_rate"), json!(0.5));
    // 40 ms and 10 ms for the lamp, 20 ms and 5 ms for the rest, plus the tokenisation that was really measured.
    let median = metric(first, "ttft_ms_p50").as_f64().unwrap();
    assert!((20.0..21.0).contains(&median), "{median}");
    assert_eq!(metric(first, "tpot_ms_p50"), json!(5.0));
    let again = context.ok(&["report", "--json"]).json();
    for i in [0, 1] {
        assert_eq!(again["models"][i], report["models"][i]);
    }
}

#[test]
fn a_report_has_five_forms() {
    let context = TestContext::shop(ANSWERS);
    let run = context.ok(&run_with(&[])).out;
    let terminal = context.ok(&["report"]).out;
    assert_eq!(run, terminal);
    for question in ["Good enough?", "Fast enough?", "Does it fit?", "Reliable?"] {
        assert!(terminal.contains(question), "{terminal}");
    }
    let all = context.ok(&["report", "--kpi", "all"]).out;
    assert!(all.contains("pass_rate") && all.contains("wilson"), "{all}");
    let markdown = context.ok(&["report", "--format", "markdown"]).out;
    assert!(
        markdown.starts_with("# ") && markdown.contains("| --"),
        "{markdown}"
    );
    let csv = context.ok(&["report", "--format", "csv"]).out;
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().starts_with("run,scope,model,"));
    assert!(csv.contains(",pass_rate,share,secondary,0.8333333333333334,"));
    let junit = context.ok(&["report", "--format", "junit"]).out;
    assert!(junit.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    assert_eq!(junit.matches("<testcase ").count(), 12);
    assert_eq!(junit.matches("<failure ").count(), 4);
    let file = context.ok(&["report", "--format", "csv", "-o", "out/r.csv"]);
    assert_eq!(file.out, "");
    assert_eq!(
        std::fs::read_to_string(context.path("out/r.csv")).unwrap(),
        csv
    );
}

#[test]
fn the_main_report_answers_in_few_lines() {
    let context = TestContext::shop(ANSWERS);
    let text = context.ok(&run_with(&[])).out;
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    for command in text.lines().filter_map(|l| l.strip_prefix("Next: evalh ")) {
        let subcommand = command.split(' ').next().unwrap();
        context.ok(&[subcommand, "--help"]);
    }
}

#[test]
fn progress_is_plain_lines_and_silent_when_asked() {
    let context = TestContext::shop(ANSWERS);
    let args = run_with(&[]);
    assert_eq!(context.ok(&args).err, "");
    let loud: Vec<&str> = args.into_iter().filter(|a| *a != "--quiet").collect();
    let err = context.ok(&loud).err;
    assert!(
        err.contains("[1/2] gemma-3-270m-q4_k_m: done: 6/6 samples"),
        "{err}"
    );
    assert!(err.ends_with("12 of 12 samples recorded\n"), "{err}");
}

#[test]
fn a_part_of_a_suite_and_several_epochs() {
    let context = TestContext::shop(ANSWERS);
    let count = |more: &[&str]| {
        let report = context
            .ok(&run_with(&[more, &["--json", "--fresh"]].concat()))
            .json();
        let models = report["models"].as_array().unwrap().clone();
        let recorded = |m: &Value| m["tally"]["recorded"].as_u64().unwrap();
        models.iter().map(recorded).collect::<Vec<_>>()
    };
    assert_eq!(count(&["--limit", "2"]), [2, 2]);
    assert_eq!(count(&["--limit", "50%", "-m", MODELS[1]]), [3]);
    assert_eq!(count(&["--epochs", "3", "-m", MODELS[0]]), [18]);
    assert_eq!(count(&["-m", "tag:ci"]), [6, 6]);
}

#[test]
fn a_plan_shows_the_run_and_makes_nothing() {
    let context = TestContext::shop(ANSWERS);
    let shop = ["plan", "--suite", "shop", "--engine", "mock"];
    let text = context.ok(&shop).out;
    assert!(
        text.starts_with("suite shop 2.1.0 · 6 samples in 2 tasks · 1 epoch · seed 0 · plan "),
        "{text}"
    );
    let args = [&shop[..], &["--json", "--detect", "0.5", "-o", "plan.json"]].concat();
    let plan = context.ok(&args).json();
    assert_eq!(plan["schema_version"], 1);
    assert_eq!(plan["models"][1]["name"], MODELS[1]);
    assert_eq!(plan["models"][0]["estimate_bytes"], 64_000_000);
    // No run tells how much two models differ on these prompts: the spread is an assumption and is said to be one.
    assert_eq!(
        plan["detect"],
        json!({"metric": "score", "points": 0.5, "prompts": 285.0})
    );
    let least = &plan["minimum_detectable_effect"];
    assert_eq!(least["source"], json!({"kind": "assumed"}));
    assert_eq!(least["score"]["sd_points"], 3.0);
    assert!(
        (least["score"]["points"].as_f64().unwrap() - 3.0 * least["dz"].as_f64().unwrap()).abs()
            < 1e-12
    );
    assert_eq!(least["pass_rate"]["share"], Value::Null);
    assert!(
        text.contains(
            "from       an assumption: no run in the database has two models on these prompts\n"
        ),
        "{text}"
    );
    let bounded = plan["latency_percentiles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["bounded"].clone());
    assert_eq!(
        bounded.collect::<Vec<_>>(),
        [json!(true), json!(false), json!(false), json!(false)]
    );
    assert!(text.contains("Latency: 6 requests bound the median at 95 %; p90 needs 36 (29 for an upper bound alone), p95 needs 72 "), "{text}");
    let file = std::fs::read_to_string(context.path("plan.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap(), plan);
    assert!(!context.path("results").exists());
    // What is known from a run tells how long the next one takes.
    context.ok(&run_with(&[]));
    assert!(
        context.ok(&args).json()["models"][0]["estimated_seconds"]
            .as_f64()
            .unwrap()
            > 0.0
    );
    // It also tells how much the models differ, prompt by prompt.
    let plan = context.ok(&args).json();
    let source = &plan["minimum_detectable_effect"]["source"];
    assert_eq!(
        (
            &source["kind"],
            &source["pairs"],
            &source["prompts"],
            &source["planned_models"]
        ),
        (&json!("measured"), &json!(1), &json!(6), &json!(true))
    );
    // The differences of the score: 0, 0, 0, 10, 3 and 10 points.
    let differences = [0.0, 0.0, 0.0, 10.0, 3.0, 10.0_f64];
    let mean = differences.iter().sum::<f64>() / 6.0;
    let sd = (differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 5.0).sqrt();
    let found = plan["minimum_detectable_effect"]["score"]["sd_points"]
        .as_f64()
        .unwrap();
    assert!((found - sd).abs() < 1e-9, "{found} {sd}");
    let text = context.ok(&shop).out;
    assert!(
        text.contains("1 pair of the planned models, 6 pairs of answers, measured in "),
        "{text}"
    );
    // Greedy decoding repeats itself; one prompt repeated is one prompt.
    let repeated = context.ok(&[&shop[..], &["--epochs", "9"]].concat()).out;
    assert!(
        repeated.contains("9 epochs say no more about quality than one: decoding is greedy"),
        "{repeated}"
    );
    assert!(
        repeated.contains("Latency: 6 prompts, each counted once, bound the median"),
        "{repeated}"
    );
    // Nothing is fetched: the real models are planned with what the catalogue says.
    let real = context.ok(&["plan", "--suite", "shop", "--json"]).json();
    assert_eq!(real["models"][0]["file_bytes"], Value::Null);
}

#[test]
fn runs_are_listed_shown_checked_and_removed() {
    let context = TestContext::shop(ANSWERS);
    context.ok(&run_with(&[]));
    context.ok(&run_with(&["--fresh", "-m", MODELS[0]]));
    let rows = context.ok(&["runs", "list", "--json"]).lines();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["schema_version"], 1);
    assert_eq!(
        (&rows[0]["planned"], &rows[1]["recorded"]),
        (&json!(6), &json!(12))
    );
    let list = context.redact(&context.ok(&["runs", "list"]).out);
    assert!(
        list.contains("[RUN]  [TIME]") && list.contains("success"),
        "{list}"
    );
    let id = rows[1]["id"].as_str().unwrap();
    let run = context.ok(&["runs", "show", id, "--json"]).json();
    assert_eq!(
        (&run["schema_version"], &run["id"]),
        (&json!(1), &json!(id))
    );
    assert_eq!(run["models"].as_array().unwrap().len(), 2);
    assert_eq!(run["attempts"][0]["ended_how"], "success");
    let shown = context.ok(&["runs", "show"]).out;
    assert!(shown.contains("\n  suite: shop (flag)\n"), "{shown}");
    let check = context.ok(&["runs", "check", "--json"]).json();
    assert_eq!(check, json!({"schema_version": 1, "ok": true, "runs": 2}));
    assert_eq!(
        context.redact(&context.ok(&["runs", "check"]).out),
        "[DIR]/work/results/evalh.sqlite: sound, 2 runs\n"
    );
    assert_eq!(
        context.ok(&["runs", "rm", id]).out,
        format!("removed {id}\n")
    );
    assert_eq!(context.ok(&["runs", "list", "--json"]).lines().len(), 1);
    let orphans: i64 = context
        .db()
        .query_row("SELECT count(*) FROM sample", [], |r| r.get(0))
        .unwrap();
    assert_eq!(orphans, 6);
}

#[test]
fn suites_are_listed_shown_and_linted() {
    let context = TestContext::shop(ANSWERS);
    let names: Vec<Value> = context.ok(&["suites", "list", "--json"]).lines();
    let names: Vec<&str> = names.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["basics", "business", "shop", "smoke"]);
    assert!(
        context
            .ok(&["suites", "list"])
            .out
            .contains("shop      2.1.0        2        6")
    );
    let samples = context.ok(&["suites", "show", "shop", "--json"]).lines();
    assert_eq!(samples.len(), 6);
    assert_eq!(
        samples[3]["messages"][0],
        json!({"role": "system", "content": "Answer shortly."})
    );
    assert!(samples.iter().all(|s| s["schema_version"] == 1));
    let task = context
        .ok(&["suites", "show", "shop", "--task", "hours"])
        .out;
    assert_eq!(task.matches("\n── hours/").count(), 3);
    let by_path = context.ok(&["suites", "show", "prompts/shop.toml", "--json"]);
    assert_eq!(by_path.lines(), samples);
    let lint = context.ok(&["suites", "lint", "shop"]).out;
    assert!(
        lint.ends_with("shop: 6 samples, 0 errors, 2 warnings\n"),
        "{lint}"
    );
    let findings = context.ok(&["suites", "lint", "shop", "--json"]).lines();
    assert_eq!(findings.len(), 2);
    assert!(
        findings
            .iter()
            .all(|f| f["severity"] == "warning" && f["line"].is_u64())
    );
    // The suites this program brings along are sound.
    context.ok(&["suites", "lint", "smoke", "business", "basics"]);
}

#[test]
fn a_broken_suite_does_not_hide_the_others() {
    let context = TestContext::shop(ANSWERS);
    context.write("prompts/broken.toml", "format = 1\n");
    for command in ["list", "lint"] {
        let ran = context.evalh(&["suites", command]);
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.out.contains("shop") && ran.out.contains("smoke"),
            "{}",
            ran.out
        );
        assert!(
            ran.err.starts_with("error: ") && ran.err.contains("broken.toml:1:1"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn a_model_in_a_file_is_pulled_verified_estimated_and_listed() {
    let context = with_file();
    let listed = context.ok(&["models", "list", "--json"]).lines();
    let pulled = context.ok(&["models", "pull", "--json"]).json();
    let bytes = std::fs::metadata(context.path("tiny.gguf")).unwrap().len();
    assert_eq!(
        (&pulled["schema_version"], &pulled["bytes"]),
        (&json!(1), &json!(bytes))
    );
    assert_eq!(listed[0]["sha256"], pulled["sha256"]);
    assert_eq!(
        (&listed[0]["architecture"], &listed[0]["quantization"]),
        (&json!("llama"), &json!("F32"))
    );
    let verified = context.ok(&["models", "verify", "--json"]).json();
    assert_eq!(verified["sha256"], pulled["sha256"]);
    let estimate = context
        .ok(&["models", "estimate", "--json", "--context", "256"])
        .json();
    assert_eq!(estimate["schema_version"], 1);
    assert_eq!(estimate["context"], 256);
    // 257 rows of 8 numbers of 4 bytes; 2 layers, 1 head of 4 values for keys and for values, 4 bytes each, 256 positions.
    assert_eq!(estimate["weights_bytes"], 257 * 8 * 4);
    assert_eq!(estimate["kv_cache_bytes"], 2 * 2 * 4 * 4 * 256);
    let parts = [
        "weights_bytes",
        "kv_cache_bytes",
        "activations_bytes",
        "overhead_bytes",
    ];
    let sum: u64 = parts.iter().map(|p| estimate[p].as_u64().unwrap()).sum();
    assert_eq!(estimate["total_bytes"], sum);
    assert!(
        context
            .ok(&["models", "estimate"])
            .out
            .starts_with("model  context  weights")
    );
    let table = context.ok(&["models", "list"]).out;
    assert!(
        table.contains("tiny") && table.contains("yes") && table.contains("MIT"),
        "{table}"
    );
    let lock = std::fs::read_to_string(context.path("models.lock")).unwrap();
    assert!(lock.contains(pulled["sha256"].as_str().unwrap()), "{lock}");
    context.ok(&["models", "pull", "--locked"]);
}

#[test]
fn a_damaged_file_does_not_hide_the_catalogue() {
    let context = with_file();
    context.write("tiny.gguf", "nothing");
    let ran = context.ok(&["models", "list", "--json"]);
    assert_eq!(ran.lines().len(), 1);
    assert!(
        ran.err
            .contains("model `tiny` cannot be used: not a GGUF file"),
        "{}",
        ran.err
    );
}

#[test]
fn nothing_fetched_is_said() {
    let context = TestContext::new();
    for command in ["verify", "estimate"] {
        let ran = context.ok(&["models", command]);
        assert_eq!(
            (ran.out.as_str(), ran.err.as_str()),
            (
                "",
                "no model of the catalogue is here; fetch the defaults with `evalh models pull`\n"
            )
        );
    }
    let all = context.ok(&["models", "list", "--json"]).lines();
    assert!(all.len() > 10 && all.iter().all(|m| m["path"].is_null()));
}

#[test]
fn a_file_s_own_tokenizer_and_template_are_used() {
    let context = with_file();
    let model = ["--model", "tiny", "--json"];
    let ids = |args: &[&str], line: &str| {
        let ran = context.evalh_reading(&[args, &model[..]].concat(), line);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.json()
    };
    let text = ids(&["tokenize"], "{\"text\": \"hi <end>\"}\n");
    assert_eq!(text["ids"], json!([104, 105, 32, 60, 101, 110, 100, 62]));
    let special = ids(&["tokenize", "--special"], "{\"text\": \"hi <end>\"}\n");
    assert_eq!(special["ids"], json!([104, 105, 32, END]));
    let prompt = ids(
        &["render"],
        "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}\n",
    );
    assert_eq!(prompt["prompt"], "[user] hi");
    assert_eq!(prompt["ids"].as_array().unwrap().len(), 9);
}

#[test]
fn one_model_looked_at_closely() {
    let context =
        TestContext::with_script("[[reply]]\ncontains = \"hello\"\ntext = \"good day\"\n");
    let ask = |args: &[&str], input: &str| {
        let ran = context.evalh_reading(&[args, &MOCK[..]].concat(), input);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran
    };
    assert_eq!(
        ask(&["tokenize"], "hi\n\nyou\n").out,
        "104 105\n121 111 117\n"
    );
    assert_eq!(
        ask(&["tokenize", "--json"], "{\"text\":\"hi\"}\n").json(),
        json!({"ids": [104, 105]})
    );
    assert_eq!(
        ask(&["tokenize", "--json", "--bos"], "{\"text\":\"hi\"}\n").json(),
        json!({"ids": [257, 104, 105]})
    );
    assert_eq!(ask(&["render"], "hi\n").out, "Question: hi\nAnswer:\n");
    let script = ["--mock-script", "mock.toml"];
    let generate = [&["generate"], &script[..]].concat();
    assert_eq!(ask(&generate, "hello\n").out, "good day\n");
    let lines = "{\"prompt\":\"hello\",\"logprobs\":true}\n{\"ids\":[104],\"max_tokens\":3,\"ignore_eos\":true}\n{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"stop\":[\"day\"]}\n";
    let ran = ask(&[&generate[..], &["--json", "--stats"]].concat(), lines);
    let answers = ran.lines();
    assert_eq!(answers[0]["completion"], "good day");
    assert_eq!(answers[0]["finish"], "eos:256");
    assert_eq!(answers[0]["logprobs"].as_array().unwrap().len(), 9);
    assert_eq!(
        answers[0]["timing"]["token_at_ns"]
            .as_array()
            .unwrap()
            .len(),
        9
    );
    assert_eq!(
        (
            &answers[1]["finish"],
            answers[1]["ids"].as_array().unwrap().len()
        ),
        (&json!("length"), 3)
    );
    assert_eq!(
        (&answers[2]["completion"], &answers[2]["finish"]),
        (&json!("good "), &json!("stop"))
    );
    assert!(ran.err.contains(" tokens asked for, "), "{}", ran.err);
    let score = [&["score", "--json"], &script[..]].concat();
    let lines = "{\"context\":\"hello\",\"continuation\":\"good\",\"doc\":1}\n{\"context\":\"hello\",\"continuation\":\"bad\"}\n{\"context_ids\":[104],\"continuation_ids\":[105]}\n";
    let scores = ask(&score, lines).lines();
    assert_eq!(
        (&scores[0]["is_greedy"], &scores[0]["tokens"]),
        (&json!(true), &json!(4))
    );
    assert_eq!(scores[1]["is_greedy"], false);
    assert!(scores[0]["logprob"].as_f64().unwrap() > scores[1]["logprob"].as_f64().unwrap());
    assert_eq!(scores[2]["token_top1"].as_array().unwrap().len(), 1);
    // No line is no error: a pipe may be empty.
    assert_eq!(ask(&generate, "").out, "");
}

#[test]
fn prices_have_their_date() {
    let context = TestContext::new();
    let rows = context.ok(&["prices", "list", "--json"]).lines();
    assert!(rows.len() >= 5);
    for row in rows {
        assert_eq!(row["schema_version"], 1);
        assert!(row["as_of"].as_str().unwrap().len() == 10 && row["source"].is_string());
    }
    assert!(
        context
            .ok(&["prices", "list"])
            .out
            .contains("$ per million in")
    );
}

#[test]
fn the_doctor_describes_this_machine() {
    let context = TestContext::new();
    let report = context.ok(&["doctor", "--json"]).json();
    assert_eq!(report["schema_version"], 1);
    let lines = report["lines"].as_array().unwrap();
    let line = |name: &str| lines.iter().find(|l| l["name"] == name).unwrap().clone();
    assert_eq!(line("cores")["status"], "ok");
    assert!(line("cache")["value"].as_str().unwrap().ends_with("/cache"));
    assert!(
        line("database")["value"]
            .as_str()
            .unwrap()
            .ends_with("(made by the first run)")
    );
    assert!(context.ok(&["doctor"]).out.contains("  cores "));
    context.write("results/evalh.sqlite", "no database");
    let ran = context.evalh(&["doctor"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.out.contains("! database"), "{}", ran.out);
}

#[test]
fn help_version_completions_and_manual_pages() {
    let context = TestContext::new();
    assert_eq!(
        context.ok(&["--version"]).out,
        format!("evalh {}\n", env!("CARGO_PKG_VERSION"))
    );
    let help = context.ok(&["--help"]).out;
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(context.ok(&["completions", shell]).out.contains("evalh"));
    }
    assert_eq!(context.ok(&["man", "pages"]).out, "");
    let pages = std::fs::read_dir(context.path("pages")).unwrap().count();
    for name in [
        "run", "plan", "report", "models", "suites", "runs", "doctor", "tokenize", "render",
        "generate", "score", "prices",
    ] {
        assert!(help.contains(&format!("\n  {name} ")), "{help}");
        assert!(context.path(&format!("pages/evalh-{name}.1")).is_file());
        assert!(context.ok(&[name, "--help"]).out.contains("Usage: evalh"));
    }
    assert!(pages > 20, "{pages}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::io::Read as _;
    let context = TestContext::new();
    let args = ["suites", "show", "business"];
    let mut child = context.start(&args);
    let mut first = [0; 10];
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut first).unwrap();
    drop(out);
    let ran = crate::context::end(child, &args);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn a_chat_template_of_the_catalogue_takes_the_place_of_the_files() {
    let context = with_file();
    let render = ["render", "--model", "tiny"];
    assert_eq!(context.evalh_reading(&render, "hi\n").out, "[user] hi\n");
    let estimate = ["models", "list", "--json"];
    let before = context.ok(&estimate).json();
    context.write(
        "house/short.jinja",
        "{% for m in messages %}<{{ m.content }}>{% endfor %}",
    );
    context.write(
        "models.toml",
        "[[model]]\nname = \"tiny\"\nsources = [\"path:tiny.gguf\"]\nchat_template = \"house/short.jinja\"\ndefault = true\n",
    );
    assert_eq!(context.evalh_reading(&render, "hi\n").out, "<hi>\n");
    let after = context.ok(&estimate).json();
    assert_eq!(before["sha256"], after["sha256"]);
}
