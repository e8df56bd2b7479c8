//! What a run stores: failures, skipped models, settings, the stable views, and that nothing in it is taken on trust.

use crate::context::{ANSWERS, MODELS, TestContext, run_with};
use serde_json::{Value, json};

/// Rules that make one sample fail, before the answers.
fn failing(rules: &str) -> TestContext {
    TestContext::shop(&format!("{rules}\n{ANSWERS}"))
}

#[test]
fn a_failed_sample_is_recorded_counted_and_decides_the_exit_code() {
    for (fail, kind, message) in [
        (
            "out_of_memory",
            "out_of_memory",
            "memory ran out, as scripted",
        ),
        ("engine", "engine", "the engine failed, as scripted"),
        ("not_a_number", "not_a_number", "position"),
        ("crash", "crash", "the worker died, as scripted"),
    ] {
        let context = failing(&format!(
            "[[reply]]\nmodel = \"gemma*\"\ncontains = \"the chair cost\"\nfail = \"{fail}\"\n"
        ));
        let ran = context.evalh(&run_with(&["--json"]));
        assert_eq!(ran.code, Some(1), "{fail}: {}", ran.err);
        let report = ran.json();
        assert_eq!(report["run"]["status"], "success");
        let tally = &report["models"][0]["tally"];
        assert_eq!(
            (&tally["recorded"], &tally["failed"]),
            (&json!(6), &json!(1))
        );
        assert_eq!(
            (&tally["outcomes"]["error"], &tally["failures"][kind]),
            (&json!(1), &json!(1)),
            "{tally}"
        );
        // It stays in the denominator.
        assert_eq!(
            report["models"][0]["metrics"]["pass_rate"]["value"],
            json!(4.0 / 6.0)
        );
        let (stored, said): (String, String) = context
            .db()
            .query_row(
                "SELECT failure_kind, failure_message FROM v_sample WHERE outcome = 'error' AND passed = 0 AND score = 0 AND completion IS NULL",
                [],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .unwrap();
        assert_eq!(stored, kind);
        assert!(said.contains(message), "{said}");
        for (allowed, code) in [("1", 0), ("0", 1), ("10%", 0), ("8%", 1)] {
            let ran = context.evalh(&run_with(&["--fresh", "--max-failures", allowed]));
            assert_eq!(ran.code, Some(code), "{fail} {allowed}");
        }
        context.ok(&["report", "--verify"]);
    }
}

#[test]
fn a_model_that_fails_again_and_again_is_stopped_and_the_next_one_runs() {
    let context =
        failing("[[reply]]\nmodel = \"gemma*\"\ncontains = \"Question: W\"\nfail = \"engine\"\n");
    let ran = context.evalh(&run_with(&["--json", "--max-failures", "100%"]));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let report = ran.json();
    assert_eq!(report["run"]["status"], "failed");
    // The better model comes first.
    let [second, first] = [0, 1].map(|i| &report["models"][i]);
    assert_eq!(
        (&first["name"], &first["tally"]["recorded"]),
        (&json!(MODELS[0]), &json!(5))
    );
    let stopped = first["stopped"].to_string();
    assert!(
        stopped
            .contains("5 samples failed in a row, the last with: the engine failed, as scripted"),
        "{stopped}"
    );
    assert_eq!(second["tally"]["outcomes"]["correct"], 3);
    // The same command takes up the sample that is left.
    context.write("mock.toml", ANSWERS);
    let ran = context.evalh(&run_with(&["--json", "--max-failures", "100%"]));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let report = ran.json();
    let [second, first] = [0, 1].map(|i| &report["models"][i]);
    assert_eq!(
        (
            &first["name"],
            &first["tally"]["recorded"],
            &first["tally"]["failed"]
        ),
        (&json!(MODELS[0]), &json!(6), &json!(5))
    );
    assert_eq!(second["tally"]["recorded"], 6);
}

#[test]
fn a_reply_that_hangs_is_cut_off_at_the_time_limit() {
    let context =
        failing("[[reply]]\nmodel = \"gemma*\"\ncontains = \"the chair cost\"\nhang_ms = 20000\n");
    let ran = context.evalh(&run_with(&["--json", "--timeout", "300ms"]));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let report = ran.json();
    assert_eq!(report["models"][0]["tally"]["outcomes"]["timeout"], 1);
    assert_eq!(report["models"][0]["tally"]["failures"]["timeout"], 1);
    let message: String = context
        .db()
        .query_row(
            "SELECT failure_message FROM v_sample WHERE outcome = 'timeout'",
            [],
            |r| r.get(0),
        )
        .unwrap();
    assert_eq!(message, "no token within 0.3 s");
    // A reply that is slow between tokens is cut off with what it has.
    let context = failing(
        "[[reply]]\nmodel = \"gemma*\"\ncontains = \"the chair cost\"\ntext = \"it is eighty\"\ntpot_ms = 100\n",
    );
    context.ok(&run_with(&["--timeout", "500ms"]));
    let (finish, completion, tokens): (String, String, i64) = context
        .db()
        .query_row(
            "SELECT finish, completion, completion_tokens FROM v_sample WHERE outcome = 'timeout'",
            [],
            |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
        )
        .unwrap();
    assert_eq!(
        (finish.as_str(), completion.as_str(), tokens),
        ("timeout", "it is", 5)
    );
}

#[test]
fn a_model_above_the_budget_is_skipped_with_what_it_needs() {
    let context = failing(
        "[[reply]]\nmodel = \"smollm*\"\ncontains = \"never\"\nweights_bytes = 1500000000\n",
    );
    let ran = context.ok(&run_with(&["--json", "--memory-budget", "1GB"]));
    let report = ran.json();
    assert_eq!(report["models"].as_array().unwrap().len(), 1);
    assert_eq!(report["models"][0]["name"], MODELS[0]);
    assert_eq!(report["skipped"][0]["name"], MODELS[1]);
    let text = report["skipped"][0].to_string();
    assert!(
        text.contains("over_budget") && text.contains("1564000000") && text.contains("1000000000"),
        "{text}"
    );
    let (reason, estimate, planned): (String, i64, i64) = context
        .db()
        .query_row(
            "SELECT skip_reason, estimate_bytes, n_samples FROM v_run_summary WHERE status_model = 'skipped'",
            [],
            |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
        )
        .unwrap();
    assert_eq!(
        (reason.as_str(), estimate, planned),
        ("over_budget", 1_564_000_000, 0)
    );
    let shown = context.ok(&["report"]).out;
    assert!(
        shown.contains("1.6 GB") && shown.contains("1.0 GB"),
        "{shown}"
    );
    let plan = context
        .ok(&[
            "plan",
            "-s",
            "shop",
            "--engine",
            "mock",
            "--mock-script",
            "mock.toml",
            "--memory-budget",
            "1GB",
        ])
        .out;
    assert!(plan.contains("skipped: needs 1.6 GB (weights 1.5 GB, kv cache 0 B, activations 0 B, overhead 64.0 MB) but the budget is 1.0 GB"), "{plan}");
    assert_eq!(
        context.ok(&["runs", "list", "--json"]).json()["skipped_models"],
        1
    );
}

#[test]
fn a_budget_below_every_model_ends_before_anything_is_stored() {
    let context = failing(
        "[[reply]]\nmodel = \"smollm*\"\ncontains = \"never\"\nweights_bytes = 1500000000\n",
    );
    let (code, text) = context.refusal(&run_with(&["--memory-budget", "1MB"]));
    assert_eq!(
        (code, text.as_str()),
        (
            3,
            "error: no model fits the budget of 1.0 MB: `gemma-3-270m-q4_k_m` needs 64.0 MB (weights 0 B, key/value cache 0 B for 8192 \
             tokens, activations 0 B, program 64.0 MB); `smollm2-135m-instruct-q4_1` needs 1.6 GB (weights 1.5 GB, key/value cache 0 B for \
             8192 tokens, activations 0 B, program 64.0 MB)\n\nhint: the smallest runs with `--memory-budget 64MB`\n"
        )
    );
    assert_eq!(context.ok(&["runs", "list", "--json"]).out, "");
    // The hint is true.
    context.ok(&run_with(&["--memory-budget", "64MB"]));
}

#[test]
fn a_setting_comes_from_the_nearest_place() {
    let mut context = TestContext::shop(ANSWERS);
    let home = context.path("../home/.config/evalh/config.toml");
    let budget = |context: &TestContext, more: &[&str]| {
        context.ok(&run_with(&[more, &["--fresh"]].concat()));
        let run = context.ok(&["runs", "show", "--json"]).json();
        run["settings"]["memory-budget"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(budget(&context, &[]).ends_with(" (machine)"));
    std::fs::create_dir_all(home.parent().unwrap()).unwrap();
    std::fs::write(&home, "memory_budget = \"1GB\"\nwatts = 33\n").unwrap();
    assert_eq!(budget(&context, &[]), "1000000000 (user file)");
    context.write("evalh.toml", "memory_budget = \"2GB\"\n");
    assert_eq!(budget(&context, &[]), "2000000000 (project file)");
    context.set("EVALH_MEMORY_BUDGET", "3GB");
    assert_eq!(budget(&context, &[]), "3000000000 (environment)");
    assert_eq!(
        budget(&context, &["--memory-budget", "4GB"]),
        "4000000000 (flag)"
    );
    let run = context.ok(&["runs", "show", "--json"]).json();
    assert_eq!(run["settings"]["watts"], "33 (user file)");
    assert_eq!(run["settings"]["seed"], "0 (default)");
    assert_eq!(run["settings"]["offline"], "true (environment)");
    assert_eq!(run["settings"]["quality-weight-checks"], "0.5 (suite)");
    // An empty variable is none.
    context.set("EVALH_MEMORY_BUDGET", "");
    assert_eq!(budget(&context, &[]), "2000000000 (project file)");
}

#[test]
fn a_database_in_a_variable_is_used_by_every_command() {
    let mut context = TestContext::shop(ANSWERS);
    context.set("EVALH_DB", "elsewhere/runs.sqlite");
    context.ok(&run_with(&[]));
    assert!(context.path("elsewhere/runs.sqlite").is_file() && !context.path("results").exists());
    for args in [
        &["report"][..],
        &["runs", "list"],
        &["runs", "check"],
        &["runs", "show"],
    ] {
        context.ok(args);
    }
    assert!(context.ok(&["doctor"]).out.contains("runs.sqlite · 1 run"));
}

#[test]
fn verification_passes_and_finds_every_number_that_was_changed() {
    let context = TestContext::shop(ANSWERS);
    context.ok(&run_with(&[]));
    let sound = std::fs::read(context.path("results/evalh.sqlite")).unwrap();
    let ran = context.ok(&["report", "--verify"]);
    assert!(
        context
            .redact(&ran.err)
            .ends_with("verified: every number of run [RUN] follows from its raw rows\n"),
        "{}",
        ran.err
    );
    for change in [
        "UPDATE sample SET score = 9.5 WHERE task = 'hours' AND sample = 'weekend'",
        "UPDATE sample SET score = 0 WHERE task = 'price' AND sample = 'lamp'",
        "UPDATE sample SET passed = 1, outcome = 'correct' WHERE passed = 0",
        "UPDATE sample SET outcome = 'correct' WHERE passed = 0",
        "UPDATE sample SET share_checks = 0.25 WHERE sample = 'lamp'",
        "UPDATE sample SET share_form = NULL WHERE sample = 'table'",
        "UPDATE sample SET ttft_ns = ttft_ns / 2 WHERE sample = 'lamp'",
        "UPDATE sample SET tpot_ns = 1 WHERE sample = 'lamp'",
        "UPDATE sample SET total_ns = total_ns - 1 WHERE sample = 'lamp'",
        "UPDATE sample SET completion_tokens = completion_tokens + 1 WHERE sample = 'lamp'",
        "UPDATE sample SET token_at_ns = zeroblob(length(token_at_ns)) WHERE sample = 'lamp'",
        "UPDATE check_result SET value = 'correct', share = 1 WHERE value = 'incorrect'",
    ] {
        let db = context.db();
        let changed = db.execute(change, []).unwrap();
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(db);
        assert!(changed > 0, "{change}");
        let ran = context.evalh(&["report", "--verify"]);
        assert_eq!(ran.code, Some(5), "{change}\n{}", ran.err);
        assert_eq!(ran.out, "", "{change}");
        assert!(ran.err.starts_with("error: `"), "{}", ran.err);
        std::fs::write(context.path("results/evalh.sqlite"), &sound).unwrap();
    }
    context.ok(&["report", "--verify"]);
}

/// Columns of a view as `docs/schema.md` documents them.
fn documented(view: &str) -> Vec<String> {
    let text = include_str!("../../docs/schema.md");
    let section = text.split(&format!("\n## `{view}`\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let cells = section
        .lines()
        .filter_map(|l| l.strip_prefix("| `"))
        .map(|l| format!("`{}", l.split(" |").next().unwrap()));
    let names = cells.flat_map(|cell| {
        let names = cell.split(", ").map(|n| n.trim_matches('`').to_owned());
        names.collect::<Vec<_>>()
    });
    names.collect()
}

#[test]
fn the_views_have_exactly_the_documented_columns() {
    let context = TestContext::shop(ANSWERS);
    context.ok(&run_with(&[]));
    let db = context.db();
    for view in ["v_run_summary", "v_sample"] {
        let statement = db.prepare(&format!("SELECT * FROM {view}")).unwrap();
        let names: Vec<String> = statement
            .column_names()
            .into_iter()
            .map(str::to_owned)
            .collect();
        assert_eq!(names, documented(view), "{view}");
    }
    let query = "SELECT n_planned, n_samples, n_passed, n_failed, score_mean FROM v_run_summary WHERE position = 0";
    let row: (i64, i64, i64, i64, f64) = db
        .query_row(query, [], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?))
        })
        .unwrap();
    assert_eq!((row.0, row.1, row.2, row.3), (6, 6, 5, 0));
    let report = context.ok(&["report", "--json"]).json();
    let mean = report["models"][0]["metrics"]["score"]["value"]
        .as_f64()
        .unwrap();
    assert!((mean - row.4).abs() < 1e-12);
}

#[test]
fn no_escape_code_reaches_a_terminal() {
    // Colour, the window's title, the clipboard, a bell, a C1 control, text that runs backwards, and a carriage return over the line.
    let evil = r"\u001b[31mred\u001b]0;title\u0007\u001b]52;c;AAAA\u0007\u009b2J\u202eback\u2066\rover\u0000";
    let context = TestContext::shop(&format!("[[reply]]\ntext = \"{evil}\"\n"));
    let mut catalogue =
        String::from("[[model]]\nname = \"tiny\"\nsources = [\"path:tiny.gguf\"]\n");
    for name in MODELS {
        catalogue.push_str(&format!(
            "[[model]]\nname = \"{name}\"\nsources = [\"path:none.gguf\"]\ndefault = true\n"
        ));
    }
    context.write("models.toml", catalogue);
    context.write(
        "tiny.gguf",
        crate::tiny_gguf::tiny_gguf("\u{1b}[2J\u{202e}{{ messages[0].content }}"),
    );
    // `TestContext` looks at every stream of every command; here are the commands.
    let hidden = |text: &str| {
        assert!(
            !text.contains(['\u{202e}', '\u{2066}', '\u{9b}']),
            "{text:?}"
        );
    };
    for more in [&[][..], &["--fresh"], &["--fresh", "--json"]] {
        let args: Vec<&str> = run_with(more)
            .into_iter()
            .filter(|a| *a != "--quiet")
            .collect();
        let ran = context.evalh(&args);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        hidden(&ran.err);
    }
    for format in ["terminal", "markdown", "json", "csv", "junit"] {
        let ran = context.ok(&["report", "--format", format]);
        if format != "json" {
            hidden(&ran.out);
        }
    }
    for args in [
        &["report", "--kpi", "all"][..],
        &["runs", "show"],
        &["runs", "list"],
        &["suites", "show", "shop"],
    ] {
        hidden(&context.ok(args).out);
    }
    let mock = [
        "--engine",
        "mock",
        "--model",
        MODELS[0],
        "--mock-script",
        "mock.toml",
    ];
    let ran = context.evalh_reading(&[&["generate"], &mock[..]].concat(), "hi\n");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.out.starts_with(r"\u{1b}[31mred\u{1b}]0;title\u{7}"),
        "{}",
        ran.out
    );
    hidden(&ran.out);
    let ran = context.evalh_reading(&["render", "--model", "tiny"], "hi\n");
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "\\u{1b}[2J\\u{202e}hi\n"),
        "{}",
        ran.err
    );
    // A name or a path that a user was made to paste.
    let (_, text) = context.refusal(&["run", "--suite", "\u{1b}[2Jx", "--engine", "mock"]);
    assert!(
        text.starts_with("error: there is no suite `\\u{1b}[2Jx`"),
        "{text}"
    );
    // What is stored is what the model wrote.
    let stored: String = context
        .db()
        .query_row("SELECT completion FROM v_sample LIMIT 1", [], |r| r.get(0))
        .unwrap();
    assert!(stored.starts_with("\u{1b}[31mred"));
    let _: Value = context.ok(&["runs", "show", "--json"]).json();
}

#[test]
fn runs_of_an_earlier_schema_stay_readable() {
    let context = TestContext::shop(ANSWERS);
    let before = context.ok(&run_with(&["--json"])).json();
    context
        .db()
        .execute_batch(
            "DROP VIEW v_choice; DROP VIEW v_text; DROP TABLE choice; DROP TABLE question; DROP TABLE text_score; \
             DROP TABLE look; ALTER TABLE sample DROP COLUMN answer_at; ALTER TABLE sample DROP COLUMN reasoning_tokens; \
             ALTER TABLE model DROP COLUMN check_positions; ALTER TABLE model DROP COLUMN check_same_top1; \
             ALTER TABLE model DROP COLUMN check_logit_diff; ALTER TABLE model DROP COLUMN check_logit_spread; \
             ALTER TABLE model DROP COLUMN check_batch_diff; ALTER TABLE model DROP COLUMN check_tolerance; \
             ALTER TABLE model DROP COLUMN check_ns; ALTER TABLE model DROP COLUMN check_tokens; PRAGMA user_version = 1",
        )
        .unwrap();
    let after = context.ok(&["report", "--json"]).json();
    assert_eq!(after["models"], before["models"]);
    let version: i64 = context
        .db()
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 4);
}
