//! Questions and texts: stored, exported, verified; and databases from before there were any.

use super::build::{
    digest, ended, failed, finished_sample, header, model, sample, small_run, started, write,
};
use crate::record::{
    ChoiceMetric, ChoiceScore, ChoiceScoring, Outcome, RunEvent, RunStatus, SampleRecord, Scoring,
    TaskKind, TextScoring,
};
use crate::store::{Store, StoreError, StoreNotice};
use rusqlite::Connection;

fn question(name: &str, sequence: u64) -> SampleRecord {
    let choice = |text: &str, logprobs: &[f32], alone: Option<&[f32]>| ChoiceScore {
        text: text.to_owned(),
        token_logprobs: logprobs.to_vec(),
        greedy: false,
        unconditional: alone.map(<[f32]>::to_vec),
    };
    let mut record = sample(0, name, sequence, true);
    record.kind = TaskKind::Choice;
    record.generation = None;
    record.score.checks.clear();
    record.score.components.clear();
    record.scoring = Some(Scoring::Choice(ChoiceScoring {
        answer: 1,
        metric: ChoiceMetric::Acc,
        prompt_tokens: 9,
        prompt_digest: digest(3),
        choices: vec![
            choice("drei", &[-2.5, -0.25], Some(&[-4.0])),
            choice("zwölf", &[-1.5], Some(&[-3.0])),
        ],
    }));
    record
}

fn text(name: &str, sequence: u64) -> SampleRecord {
    let mut record = question(name, sequence);
    record.kind = TaskKind::Perplexity;
    record.score.outcome = Outcome::Measured;
    record.score.passed = None;
    record.score.score = None;
    record.scoring = Some(Scoring::Text(TextScoring {
        window: 2,
        windows: vec![2, 1],
        text_tokens: 3,
        bytes: 12,
        words: 2,
        text_digest: digest(4),
        token_logprobs: vec![-1.0, -2.0, -3.0],
    }));
    record
}

fn run(millis: u64) -> Vec<RunEvent> {
    let mut lost = failed(0, "lost", 2);
    lost.kind = TaskKind::Perplexity;
    vec![
        started(header(millis), vec![model(0)]),
        finished_sample(question("q", 0)),
        finished_sample(text("t", 1)),
        finished_sample(lost),
        ended(RunStatus::Success),
    ]
}

fn count(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    store.conn.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn what_was_measured_comes_back_through_an_export_and_goes_with_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("a.sqlite")).unwrap();
    write(&mut store, &run(0)).unwrap();
    let stored = store.load_run(&header(0).id).unwrap();
    let asked: Vec<SampleRecord> = vec![question("q", 0), text("t", 1)];
    assert_eq!(stored.samples[..2], asked);
    assert_eq!(stored.samples[2].kind, TaskKind::Perplexity);
    let file = folder.path().join("one.sqlite");
    store.export_run(&header(0).id, &file).unwrap();
    let mut other = Store::open(&folder.path().join("b.sqlite")).unwrap();
    write(&mut other, &run(7)).unwrap();
    other.import_run(&file).unwrap();
    assert_eq!(other.load_run(&header(0).id).unwrap(), stored);
    other.verify_likelihoods(&header(0).id).unwrap();
    other.integrity_check().unwrap();
    assert_eq!(
        (count(&other, "choice"), count(&other, "text_score")),
        (4, 2)
    );
    other.delete_run(&header(0).id).unwrap();
    assert_eq!(
        (count(&other, "choice"), count(&other, "text_score")),
        (2, 1)
    );
    assert_eq!(count(&other, "question"), 1);
}

#[test]
fn the_views_show_what_the_metrics_are_made_of() {
    let mut store = Store::in_memory().unwrap();
    write(&mut store, &run(0)).unwrap();
    let row = |sql: &str| -> Vec<f64> {
        store
            .conn
            .query_row(sql, [], |r| (0..5).map(|i| r.get(i)).collect())
            .unwrap()
    };
    assert_eq!(
        row(
            "SELECT logprob, logprob_per_character * 5, logprob_per_byte * 6, mutual_information, 1.0 * is_answer FROM v_choice WHERE choice = 1"
        ),
        [-1.5, -1.5, -1.5, 1.5, 1.0]
    );
    let t =
        row("SELECT logprob, 1.0 * tokens, nats_per_token, bits_per_byte, 1.0 * words FROM v_text");
    assert_eq!((t[0], t[1], t[2], t[4]), (-6.0, 3.0, 2.0, 2.0));
    assert!((t[3] - 0.5 / std::f64::consts::LN_2).abs() < 1e-12);
    // A text lacks nothing, whatever its verdict.
    let unscored: i64 = store
        .conn
        .query_row("SELECT n_unscored FROM v_run_summary", [], |r| r.get(0))
        .unwrap();
    assert_eq!(unscored, 0);
}

#[test]
fn sums_that_do_not_follow_are_found() {
    for (change, told) in [
        (
            "UPDATE choice SET logprob = -1.25 WHERE choice_index = 1",
            "`logprob` of sample `invoice-json/q` in `:memory:` is -1.25 but the stored observation gives -1.5",
        ),
        (
            "UPDATE choice SET characters = 6 WHERE choice_index = 1",
            "`characters` of sample `invoice-json/q` in `:memory:` is 6 but the stored observation gives 5",
        ),
        (
            "UPDATE text_score SET tokens = 4",
            "`tokens` of sample `invoice-json/t` in `:memory:` is 4 but the stored observation gives 3",
        ),
    ] {
        let mut store = Store::in_memory().unwrap();
        write(&mut store, &run(0)).unwrap();
        store.verify_likelihoods(&header(0).id).unwrap();
        store.conn.execute(change, []).unwrap();
        let error = store.verify_likelihoods(&header(0).id).unwrap_err();
        assert!(error.to_string().starts_with(told), "{error}");
    }
    for (change, column) in [
        ("UPDATE question SET answer = 5", "answer"),
        ("DELETE FROM text_score", "kind"),
    ] {
        let mut store = Store::in_memory().unwrap();
        write(&mut store, &run(0)).unwrap();
        store.conn.execute(change, []).unwrap();
        let error = store.load_run(&header(0).id).unwrap_err();
        assert!(
            matches!(&error, StoreError::Value { column: found, .. } if *found == column),
            "{error}"
        );
    }
}

#[test]
fn a_database_without_questions_is_raised_and_keeps_its_samples() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.sqlite");
    let new = folder.path().join("new.sqlite");
    let mut store = Store::open(&new).unwrap();
    write(&mut store, &small_run(0, RunStatus::Success)).unwrap();
    let expected = store.load_run(&header(0).id).unwrap();
    drop(store);
    // The same run in the tables of version 2.
    let old = Connection::open(&path).unwrap();
    for step in [
        include_str!("../schema_v1.sql"),
        include_str!("../schema_v2.sql"),
    ] {
        old.execute_batch(step).unwrap();
    }
    old.execute("ATTACH ?1 AS new", [new.to_string_lossy()])
        .unwrap();
    for table in [
        "run",
        "setting",
        "attempt",
        "model",
        "sample",
        "check_result",
    ] {
        let mut names = old
            .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
            .unwrap();
        let names: Vec<String> = names
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let names = names.join(", ");
        old.execute(
            &format!("INSERT INTO main.{table} ({names}) SELECT {names} FROM new.{table}"),
            [],
        )
        .unwrap();
    }
    old.execute_batch("DETACH new; PRAGMA application_id = 0x65766c68; PRAGMA user_version = 2;")
        .unwrap();
    drop(old);
    let store = Store::open(&path).unwrap();
    assert!(matches!(
        store.notices(),
        [StoreNotice::Migrated { from: 2, .. }]
    ));
    store.integrity_check().unwrap();
    assert_eq!(store.load_run(&header(0).id).unwrap(), expected);
    assert_eq!(count(&store, "check_result"), 1);
    let kept: Vec<String> = ["v_sample", "v_run_summary"]
        .iter()
        .map(|v| {
            store
                .conn
                .query_row(&format!("SELECT model FROM {v}"), [], |r| r.get(0))
                .unwrap()
        })
        .collect();
    assert_eq!(kept[0], kept[1]);
}
