//! What happens when the disk, another process or a damaged file is in the way.

use super::build::{
    digest, ended, event, finished_sample, header, model, sample, small_run, started, write,
};
use crate::record::{RunEventKind, RunStatus};
use crate::store::{Store, StoreError};

#[test]
fn a_full_disk_keeps_what_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evalh.sqlite");
    let mut store = Store::open(&path).unwrap();
    write(&mut store, &small_run(0, RunStatus::Success)).unwrap();
    let pages: i64 = store
        .conn
        .query_row("SELECT page_count FROM pragma_page_count", [], |r| r.get(0))
        .unwrap();
    store
        .conn
        .pragma_update(None, "max_page_count", pages + 4)
        .unwrap();
    let mut events = vec![started(header(1), vec![model(0)])];
    for n in 0..200u64 {
        events.push(finished_sample(sample(0, &format!("s{n}"), n, true)));
    }
    let error = write(&mut store, &events).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` cannot grow: the disk is full or a size limit is reached",
            path.display()
        )
    );
    assert_eq!(
        error.hint().unwrap(),
        "what is saved is intact: free some space and give the same command again"
    );
    drop(store);
    let store = Store::open(&path).unwrap();
    store.integrity_check().unwrap();
    assert_eq!(store.load_run(&header(0).id).unwrap().samples.len(), 2);
    let saved = store.load_run(&header(1).id).unwrap().samples;
    assert!(!saved.is_empty() && saved.len() < 200);
    // Each is whole: its check came with it.
    assert!(saved.iter().all(|s| s.score.checks.len() == 1));
}

#[test]
fn a_locked_database_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evalh.sqlite");
    let mut store = Store::open(&path).unwrap();
    store
        .conn
        .busy_timeout(std::time::Duration::from_millis(10))
        .unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = write(&mut store, &small_run(0, RunStatus::Success)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` is locked by another process and stayed so for 5000 ms",
            path.display()
        )
    );
    other.execute_batch("ROLLBACK").unwrap();
    write(&mut store, &small_run(0, RunStatus::Success)).unwrap();
}

#[test]
fn a_reader_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evalh.sqlite");
    let mut store = Store::open(&path).unwrap();
    write(&mut store, &small_run(0, RunStatus::Success)).unwrap();
    let mut reader = Store::open_read_only(&path).unwrap();
    assert_eq!(
        reader.load_run(&header(0).id).unwrap(),
        store.load_run(&header(0).id).unwrap()
    );
    let error = reader.delete_run(&header(0).id).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` cannot be written: the file or its folder is read-only",
            path.display()
        )
    );
    assert_eq!(
        error.hint().unwrap(),
        "check the permissions, or name another place with `--db PATH`"
    );
}

#[test]
fn a_damaged_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evalh.sqlite");
    let mut store = Store::open(&path).unwrap();
    for n in 0..20 {
        write(&mut store, &small_run(n, RunStatus::Success)).unwrap();
    }
    drop(store);
    let mut content = std::fs::read(&path).unwrap();
    let pages = content.len() / 4096;
    for page in pages - pages / 4..pages {
        content[page * 4096..page * 4096 + 64].fill(0xA5);
    }
    std::fs::write(&path, content).unwrap();
    let store = Store::open(&path).unwrap();
    let error = store.integrity_check().unwrap_err();
    assert!(
        matches!(error, StoreError::Damaged { ref findings, .. } if !findings.is_empty()),
        "{error:?}"
    );
}

#[test]
fn a_dangling_reference_is_found() {
    let mut store = Store::in_memory().unwrap();
    write(&mut store, &small_run(0, RunStatus::Success)).unwrap();
    store.integrity_check().unwrap();
    store
        .conn
        .execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM sample WHERE sample = 'inv-001';")
        .unwrap();
    assert_eq!(
        store.integrity_check().unwrap_err().to_string(),
        "`:memory:` is damaged: row of `check_result` refers to a missing row of `sample`"
    );
}

#[test]
fn values_no_evalh_writes_are_errors_with_their_column() {
    for (statement, message) in [
        (
            "UPDATE sample SET outcome = 'fine'",
            "column `outcome` of `:memory:` holds a value that is not an outcome: `fine`",
        ),
        (
            "UPDATE sample SET content = 'abc'",
            "column `content` of `:memory:` holds a value that is not 64 hexadecimal digits: `abc`",
        ),
        (
            "UPDATE sample SET epoch = -1",
            "column `epoch` of `:memory:` holds a value that is not a count: `-1`",
        ),
        (
            "UPDATE sample SET token_ids = x'010203' WHERE completion IS NOT NULL",
            "column `token_ids` of `:memory:` holds a value that is not a whole number of values: `3 bytes`",
        ),
        (
            "UPDATE sample SET messages = '[{}]'",
            "column `messages` of `:memory:` holds a value that is not a JSON list of messages: `[{}]`",
        ),
        (
            "UPDATE sample SET finish = 'length' WHERE completion IS NOT NULL",
            "column `finish` of `:memory:` holds a value that is not a way to finish with its data: `length`",
        ),
        (
            "UPDATE sample SET failure_kind = 'bored' WHERE completion IS NULL",
            "column `failure_kind` of `:memory:` holds a value that is not a kind of failure: `bored`",
        ),
        (
            "UPDATE model SET status = 'skipped'",
            "column `status` of `:memory:` holds a value that is not a model status that agrees with `model_skip`: `skipped`",
        ),
        (
            "UPDATE model SET device = NULL",
            "column `load_ns` of `:memory:` holds a value that is not set together with device and engine: `NULL`",
        ),
        (
            "UPDATE sample SET reasoning_tokens = 1, answer_at = 99 WHERE completion IS NOT NULL",
            "column `answer_at` of `:memory:` holds a value that is not the place of a character: `99`",
        ),
        (
            "UPDATE run SET seed = '-5'",
            "column `seed` of `:memory:` holds a value that is not an unsigned number: `-5`",
        ),
        (
            "UPDATE run SET argv = 'x'",
            "column `argv` of `:memory:` holds a value that is not a JSON list: `x`",
        ),
        (
            "UPDATE run SET epochs = 4294967296",
            "column `epochs` of `:memory:` holds a value that is not a 32-bit count: `4294967296`",
        ),
        (
            "UPDATE check_result SET component = 'luck'",
            "column `component` of `:memory:` holds a value that is not a component: `luck`",
        ),
    ] {
        let mut store = Store::in_memory().unwrap();
        write(&mut store, &small_run(0, RunStatus::Success)).unwrap();
        store.conn.execute(statement, []).unwrap();
        let error = store.load_run(&header(0).id).unwrap_err();
        assert_eq!(error.to_string(), message, "{statement}");
    }
}

#[test]
fn a_generation_and_a_failure_exclude_each_other() {
    let mut store = Store::in_memory().unwrap();
    let mut both = sample(0, "s", 0, true);
    both.failure = super::build::failed(0, "s", 0).failure;
    let mut neither = sample(0, "s", 0, true);
    neither.generation = None;
    for record in [both, neither] {
        let mut store = Store::in_memory().unwrap();
        let events = [started(header(0), vec![model(0)]), finished_sample(record)];
        assert!(matches!(
            write(&mut store, &events),
            Err(StoreError::Sql { .. })
        ));
        assert!(store.load_run(&header(0).id).unwrap().samples.is_empty());
    }
    // An event that fails leaves nothing behind, not even its first statements.
    let events = [
        started(header(0), vec![model(0)]),
        event(RunEventKind::ModelLoadStarted { model: digest(999) }),
    ];
    assert!(write(&mut store, &events).is_err());
    write(
        &mut store,
        &[
            super::build::resumed(header(0), vec![model(0)]),
            ended(RunStatus::Failed),
        ],
    )
    .unwrap();
}
