//! The stable views.

use super::build::{
    digest, ended, event, failed, finished_sample, generation, header, model, sample, small_run,
    started, write,
};
use crate::record::{RunEventKind, RunStatus, SkipReason};
use crate::store::Store;
use rusqlite::types::Value;

fn value(store: &Store, sql: &str) -> Value {
    store.conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn columns(store: &Store, view: &str) -> Vec<String> {
    let statement = store
        .conn
        .prepare(&format!("SELECT * FROM {view}"))
        .unwrap();
    statement.column_names().map(str::to_owned).collect()
}

#[test]
fn the_documented_columns_are_the_columns() {
    let page = include_str!("../../../docs/schema.md");
    let store = Store::in_memory().unwrap();
    for view in ["v_run_summary", "v_sample", "v_choice", "v_text"] {
        let start = page.find(&format!("## `{view}`")).unwrap();
        let section = &page[start + 3..];
        let section = &section[..section.find("\n## ").unwrap_or(section.len())];
        let documented: Vec<String> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .flat_map(|line| {
                let first = line.split('|').next().unwrap().trim().trim_end_matches('`');
                first.split("`, `").map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(documented, columns(&store, view), "{view}");
    }
}

#[test]
fn medians_are_exact_and_missing_stays_missing() {
    let mut store = Store::in_memory().unwrap();
    let mut events = vec![started(header(0), vec![model(0), model(1), model(2)])];
    // TTFT 10, 20, 40, 90 ms: the median is 30. TPOT 4, 6 and 8 ms, and one answer of a single token without any.
    for (n, (ttft, gap, tokens)) in [(40, 4, 3), (10, 8, 2), (90, 6, 5), (20, 1, 1)]
        .into_iter()
        .enumerate()
    {
        let mut record = sample(0, &format!("s{n}"), n as u64, n % 2 == 0);
        record.generation = Some(generation(ttft, gap, tokens));
        events.push(finished_sample(record));
    }
    events.push(finished_sample(failed(0, "s9", 4)));
    let mut unscored = sample(0, "s8", 5, true);
    unscored.score.passed = None;
    unscored.score.score = None;
    unscored.generation = None;
    unscored.failure = failed(0, "x", 0).failure;
    events.push(finished_sample(unscored));
    events.push(finished_sample(failed(1, "s0", 6)));
    events.push(event(RunEventKind::ModelSkipped {
        model: digest(102),
        reason: SkipReason::Load("no".to_owned()),
    }));
    events.push(ended(RunStatus::Success));
    write(&mut store, &events).unwrap();
    let of = |column: &str, model: u32| {
        value(
            &store,
            &format!("SELECT {column} FROM v_run_summary WHERE model = 'model-{model}'"),
        )
    };
    assert_eq!(of("ttft_ms_p50", 0), Value::Real(30.0));
    assert_eq!(of("tpot_ms_p50", 0), Value::Real(6.0));
    assert_eq!(of("n_samples", 0), Value::Integer(6));
    assert_eq!(of("n_passed", 0), Value::Integer(2));
    assert_eq!(of("n_unscored", 0), Value::Integer(1));
    assert_eq!(of("n_failed", 0), Value::Integer(2));
    // The failed sample counts as not passed; the unscored one is left out and counted in `n_unscored`.
    assert_eq!(of("pass_rate", 0), Value::Real(0.4));
    assert_eq!(of("score_mean", 0), Value::Real(5.0));
    assert_eq!(of("completion_tokens", 0), Value::Integer(11));
    assert_eq!(of("estimate_bytes", 0), Value::Integer(10));
    for column in [
        "ttft_ms_p50",
        "tpot_ms_p50",
        "completion_tokens",
        "peak_bytes",
        "load_ms",
        "skip_reason",
    ] {
        assert_eq!(of(column, 1), Value::Null, "{column}");
    }
    for column in ["score_mean", "pass_rate", "n_passed", "ttft_ms_p50"] {
        assert_eq!(of(column, 2), Value::Null, "{column}");
    }
    assert_eq!(of("status_model", 2), Value::Text("skipped".to_owned()));
    assert_eq!(of("skip_reason", 2), Value::Text("load".to_owned()));
    assert_eq!(of("n_samples", 2), Value::Integer(0));
}

#[test]
fn samples_are_shown_in_milliseconds_with_null_where_missing() {
    let mut store = Store::in_memory().unwrap();
    write(&mut store, &small_run(0, RunStatus::Success)).unwrap();
    let of = |column: &str, name: &str| {
        value(
            &store,
            &format!("SELECT {column} FROM v_sample WHERE sample = '{name}'"),
        )
    };
    assert_eq!(of("ttft_ms", "inv-001"), Value::Real(40.0));
    assert_eq!(of("tpot_ms", "inv-001"), Value::Real(8.0));
    assert_eq!(of("e2e_ms", "inv-001"), Value::Real(56.0));
    assert_eq!(of("tokenize_ms", "inv-001"), Value::Real(0.15));
    assert_eq!(of("share_facts", "inv-001"), Value::Null);
    assert_eq!(of("share_form", "inv-001"), Value::Real(0.0));
    assert_eq!(
        of("failure_kind", "inv-002"),
        Value::Text("timeout".to_owned())
    );
    for column in [
        "ttft_ms",
        "tpot_ms",
        "e2e_ms",
        "completion",
        "completion_tokens",
        "prompt_tokens",
        "finish",
    ] {
        assert_eq!(of(column, "inv-002"), Value::Null, "{column}");
    }
}
