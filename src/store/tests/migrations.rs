//! Databases of older versions stay readable.

use super::build::{small_run, write};
use crate::record::{Reasoning, RunStatus, SelfCheck};
use crate::store::Store;
use crate::store::open::MIGRATIONS;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// A database of schema version `version` with the rows of `newer`, as far as that version has places for them.
fn older(version: usize, newer: &Path, at: &Path) {
    let conn = Connection::open(at).unwrap();
    drop(Store::prepare(conn, at, &MIGRATIONS[..version]).unwrap());
    let conn = Connection::open(at).unwrap();
    conn.execute("ATTACH ?1 AS newer", [newer.to_str().unwrap()])
        .unwrap();
    let list = |sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    for table in [
        "run",
        "setting",
        "attempt",
        "model",
        "sample",
        "check_result",
    ] {
        let columns = list(&format!("SELECT name FROM pragma_table_info('{table}')")).join(", ");
        let sql = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM newer.{table}");
        assert!(conn.execute(&sql, []).unwrap() > 0, "{table}");
    }
}

#[test]
fn older_versions_have_neither_thoughts_nor_a_self_check() {
    let folder = tempfile::tempdir().unwrap();
    let now = folder.path().join("now.sqlite");
    let mut events = small_run(0, RunStatus::Success);
    for event in &mut events {
        use crate::record::RunEventKind as Kind;
        match &mut event.kind {
            Kind::ModelLoaded { loaded, .. } => {
                loaded.check = Some(SelfCheck {
                    tokens: 12,
                    positions: 2,
                    same_top1: 2,
                    logit_diff: 0.0,
                    logit_spread: 20.0,
                    batch_diff: 0.0,
                    tolerance: 1e-3,
                    took: Duration::from_millis(7),
                });
            }
            Kind::SampleFinished { record } => {
                if let Some(g) = &mut record.generation {
                    g.reasoning = Some(Reasoning {
                        tokens: 2,
                        answer_at: 6,
                    });
                }
            }
            _ => {}
        }
    }
    let mut store = Store::open(&now).unwrap();
    write(&mut store, &events).unwrap();
    let id = store.list_runs().unwrap()[0].id.clone();
    let mut expected = store.load_run(&id).unwrap();
    let generation = expected.samples[0].generation.as_ref().unwrap();
    assert_eq!(generation.answer(), "two \u{1b}[31m \0 ü");
    assert_eq!(generation.first_answer_token(), Some(2));
    drop(store);

    expected.models[0].loaded.as_mut().unwrap().check = None;
    for sample in &mut expected.samples {
        if let Some(g) = &mut sample.generation {
            g.reasoning = None;
        }
    }
    for version in [2, 3] {
        let then = folder.path().join(format!("then{version}.sqlite"));
        older(version, &now, &then);
        let store = Store::open(&then).unwrap();
        assert_eq!(store.notices().len(), 1);
        assert_eq!(store.load_run(&id).unwrap(), expected, "{version}");
        store.integrity_check().unwrap();
    }
}
