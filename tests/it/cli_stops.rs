//! Runs that are stopped: by a kill, by Ctrl-C, by another process on the same database.

use crate::context::{ANSWERS, MODELS, TestContext, end, run_with, signal, until};
use serde_json::Value;
use std::collections::BTreeSet;

/// Every sample takes at least this long, so that there is time to stop the run in the middle.
const SLOW_MS: u64 = 30;

/// [`ANSWERS`], each given after a real wait.
fn slow() -> String {
    let rest = format!("\n[[reply]]\ncontains = \"Question: W\"\nhang_ms = {SLOW_MS}\n");
    ANSWERS.replace("contains =", &format!("hang_ms = {SLOW_MS}\ncontains =")) + &rest
}

/// Records so far. The database may not be there yet, or be in the making.
fn recorded(context: &TestContext) -> u64 {
    let Ok(db) = rusqlite::Connection::open_with_flags(
        context.path("results/evalh.sqlite"),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
    ) else {
        return 0;
    };
    let count: Result<i64, _> = db.query_row("SELECT count(*) FROM sample", [], |r| r.get(0));
    count.map_or(0, i64::cast_unsigned)
}

/// What a report says, without times: numbers that must not depend on whether a run was interrupted.
fn numbers(context: &TestContext) -> Value {
    let report = context.ok(&["report", "--json"]).json();
    let model = |m: &Value| {
        let metrics = [
            "score",
            "pass_rate",
            "completion_tokens_mean",
            "checks_share",
            "facts_share",
            "failed_rate",
        ];
        let metrics = metrics.map(|id| m["metrics"][id].clone());
        let samples = m["samples"].as_array().unwrap().iter().map(|s| {
            [&s["task"], &s["sample"], &s["outcome"], &s["score"]]
                .map(Clone::clone)
                .to_vec()
        });
        serde_json::json!({
            "name": m["name"], "tally": m["tally"], "metrics": metrics, "tasks": m["tasks"].as_array().unwrap().len(),
            "samples": samples.collect::<Vec<_>>(),
        })
    };
    report["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(model)
        .collect()
}

/// Each key once, and how many attempts it took.
fn sound(context: &TestContext) -> i64 {
    let db = context.db();
    let mut statement = db
        .prepare("SELECT model, task, sample, epoch, sequence FROM v_sample ORDER BY sequence")
        .unwrap();
    let rows = statement
        .query_map([], |r| {
            Ok((
                r.get::<_, String>(0)?,
                r.get::<_, String>(1)?,
                r.get::<_, String>(2)?,
                r.get::<_, i64>(3)?,
                r.get::<_, i64>(4)?,
            ))
        })
        .unwrap();
    let rows: Vec<_> = rows.map(Result::unwrap).collect();
    assert_eq!(rows.len(), 12);
    let keys: BTreeSet<_> = rows.iter().map(|r| (&r.0, &r.1, &r.2, r.3)).collect();
    assert_eq!(keys.len(), 12);
    let order: Vec<i64> = rows.iter().map(|r| r.4).collect();
    assert_eq!(order, (0..12).collect::<Vec<_>>());
    db.query_row("SELECT count(*) FROM attempt", [], |r| r.get(0))
        .unwrap()
}

#[test]
fn a_killed_run_is_continued_and_nothing_is_lost_or_doubled() {
    let whole = TestContext::shop(&slow());
    whole.ok(&run_with(&[]));
    let expected = numbers(&whole);
    for stop_after in [0, 1, 5, 6, 11] {
        let context = TestContext::shop(&slow());
        let mut child = context.start(&run_with(&[]));
        until("samples are recorded", || recorded(&context) >= stop_after);
        child.kill().unwrap();
        child.wait().unwrap();
        let saved = recorded(&context);
        assert!(saved >= stop_after && saved < 12, "{saved}");
        let args: Vec<&str> = run_with(&[])
            .into_iter()
            .filter(|a| *a != "--quiet")
            .collect();
        let ran = context.ok(&args);
        if saved > 0 {
            let note = format!(
                "continuing run [RUN], which has {saved} of 12 samples; `--fresh` begins anew\n"
            );
            assert!(context.redact(&ran.err).contains(&note), "{}", ran.err);
        }
        assert_eq!(numbers(&context), expected, "killed after {saved}");
        let attempts = sound(&context);
        assert!(attempts == 2 || saved == 0, "{attempts}");
        assert_eq!(context.ok(&["runs", "list", "--json"]).lines().len(), 1);
        let how: Vec<Value> = context.ok(&["runs", "show", "--json"]).json()["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["ended_how"].clone())
            .collect();
        if attempts == 2 {
            assert_eq!(how, ["killed", "success"]);
        }
        context.ok(&["runs", "check"]);
        context.ok(&["report", "--verify"]);
        // A finished run is not continued: the same command makes a new one.
        context.ok(&run_with(&[]));
        assert_eq!(context.ok(&["runs", "list", "--json"]).lines().len(), 2);
    }
}

#[test]
fn a_run_killed_while_it_continues_is_continued_again() {
    let context = TestContext::shop(&slow());
    for stop_after in [2, 4, 8] {
        let mut child = context.start(&run_with(&[]));
        until("samples are recorded", || recorded(&context) >= stop_after);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    context.ok(&run_with(&[]));
    assert_eq!(sound(&context), 4);
}

#[test]
fn ctrl_c_finishes_the_sample_and_the_same_command_continues() {
    let whole = TestContext::shop(&slow());
    whole.ok(&run_with(&[]));
    for number in [libc::SIGINT, libc::SIGTERM] {
        let context = TestContext::shop(&slow());
        let args = run_with(&[]);
        let child = context.start(&args);
        until("two samples are recorded", || recorded(&context) >= 2);
        signal(child.id(), number);
        let ran = end(child, &args);
        assert_eq!(ran.code, Some(130), "{}", ran.err);
        let saved = recorded(&context);
        assert!((2..12).contains(&saved), "{saved}");
        let run = context.ok(&["runs", "list", "--json"]).json();
        assert_eq!(
            (&run["status"], &run["recorded"]),
            (&Value::from("cancelled"), &Value::from(saved))
        );
        assert!(ran.out.contains("cancelled"), "{}", ran.out);
        context.ok(&args);
        assert_eq!(numbers(&context), numbers(&whole));
        assert_eq!(sound(&context), 2);
        assert_eq!(
            context.ok(&["runs", "list", "--json"]).json()["status"],
            "success"
        );
    }
}

#[test]
fn the_second_ctrl_c_ends_at_once_and_loses_only_the_sample_in_flight() {
    let context = TestContext::shop(&format!(
        "[[reply]]\ncontains = \"on Monday\"\nhang_ms = 30000\n{ANSWERS}"
    ));
    let args = run_with(&["-m", MODELS[0]]);
    let child = context.start(&args);
    until("the samples before the one that hangs are recorded", || {
        recorded(&context) >= 3
    });
    signal(child.id(), libc::SIGINT);
    std::thread::sleep(std::time::Duration::from_millis(100));
    signal(child.id(), libc::SIGINT);
    let ran = end(child, &args);
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    let before = recorded(&context);
    context.write("mock.toml", ANSWERS);
    context.ok(&args);
    assert!(before >= 3 && recorded(&context) == 6);
}

#[test]
fn two_processes_share_a_database() {
    let context = TestContext::shop(&slow());
    let jobs: Vec<_> = MODELS
        .iter()
        .map(|model| {
            let args = run_with(&["-m", model]);
            (context.start(&args), args)
        })
        .collect();
    for (child, args) in jobs {
        let ran = end(child, &args);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
    let runs = context.ok(&["runs", "list", "--json"]).lines();
    assert_eq!(runs.len(), 2);
    assert!(
        runs.iter()
            .all(|r| r["status"] == "success" && r["recorded"] == 6)
    );
    context.ok(&["runs", "check"]);
}

#[test]
fn a_database_can_be_read_while_a_run_writes_to_it() {
    let context = TestContext::shop(&slow());
    let args = run_with(&[]);
    let child = context.start(&args);
    until("a sample is recorded", || recorded(&context) >= 1);
    let report = context.ok(&["report", "--json"]).json();
    assert_eq!(report["run"]["complete"], false);
    context.ok(&["runs", "check"]);
    assert_eq!(end(child, &args).code, Some(0));
}
