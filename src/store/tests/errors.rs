//! The text of every error.

use super::build::{
    digest, ended, event, finished_sample, header, model, resumed, sample, small_run, started,
    write,
};
use crate::record::{RunEventKind, RunStatus, ScoreValue};
use crate::store::{Store, StoreError};
use crate::units::Bytes;
use std::time::Duration;

fn store_with(runs: u64) -> Store {
    let mut store = Store::in_memory().unwrap();
    for n in 0..runs {
        // 40 seconds apart: the first nine digits differ near their end.
        write(&mut store, &small_run(n * 40_000, RunStatus::Success)).unwrap();
    }
    store
}

#[test]
fn ids_are_found_by_their_beginning() {
    let store = store_with(3);
    let newest = header(80_000).id;
    assert_eq!(store.find_run("latest").unwrap(), newest);
    assert_eq!(store.find_run(newest.as_str()).unwrap(), newest);
    for (id, short) in store.short_ids().unwrap() {
        assert!(id.as_str().starts_with(&short) && short.len() < 14);
        assert_eq!(store.find_run(&short.to_uppercase()).unwrap(), id);
        assert!(matches!(
            store.find_run(&short[..short.len() - 1]),
            Err(StoreError::AmbiguousRun { .. })
        ));
    }
}

#[test]
fn ids_that_are_not_found() {
    let store = store_with(3);
    let [a, b, c] = [80_000, 40_000, 0].map(|n| header(n).id);
    let error = store.find_run(&a.as_str()[..4]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` is the beginning of 3 runs: `{a}`, `{b}`, `{c}`",
            &a.as_str()[..4]
        )
    );
    assert_eq!(error.hint().unwrap(), "give more characters of the id");
    let typo = c.as_str().replace('7', "8");
    let error = store.find_run(&typo).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no run in `:memory:` begins with `{typo}`")
    );
    assert!(
        error
            .hint()
            .unwrap()
            .starts_with("the most similar id is `"),
        "{:?}",
        error.hint()
    );
    let error = store.find_run("%").unwrap_err();
    assert_eq!(error.to_string(), "no run in `:memory:` begins with `%`");
    assert_eq!(error.hint().unwrap(), "`evalh runs list` shows all");
    assert!(store.find_run("").is_err());
    let error = store_with(0).find_run("latest").unwrap_err();
    assert_eq!(error.to_string(), "no run is stored in `:memory:`");
    assert_eq!(
        error.hint().unwrap(),
        "`evalh run --suite NAME` makes the first run"
    );
    let many = StoreError::AmbiguousRun {
        prefix: "0".to_owned(),
        matches: (0..7).map(|n| format!("0{n}")).collect(),
    };
    assert_eq!(
        many.to_string(),
        "`0` is the beginning of 7 runs: `00`, `01`, `02`, `03`, `04`, and 2 more"
    );
}

#[test]
fn events_out_of_order() {
    let mut store = Store::in_memory().unwrap();
    assert_eq!(
        write(&mut store, &[ended(RunStatus::Success)])
            .unwrap_err()
            .to_string(),
        "the event `RunFinished` came before a run began"
    );
    assert_eq!(
        write(&mut store, &[resumed(header(0), vec![])])
            .unwrap_err()
            .to_string(),
        format!("no run in `:memory:` begins with `{}`", header(0).id)
    );
    let stranger = [
        started(header(0), vec![model(0)]),
        finished_sample(sample(3, "s", 0, true)),
    ];
    let unknown = format!("model {} is not part of the run", digest(103).short());
    assert_eq!(
        write(&mut store, &stranger).unwrap_err().to_string(),
        unknown
    );
    assert_eq!(
        write(&mut store, &[resumed(header(0), vec![model(3)])])
            .unwrap_err()
            .to_string(),
        unknown
    );
    assert_eq!(
        write(&mut store, &[started(header(0), vec![])])
            .unwrap_err()
            .to_string(),
        format!("run `{}` is already stored in `:memory:`", header(0).id)
    );
}

#[test]
fn a_second_record_of_a_sample_is_refused() {
    let mut store = Store::in_memory().unwrap();
    let events = [
        started(header(0), vec![model(0)]),
        finished_sample(sample(0, "inv-001", 0, true)),
        finished_sample(sample(0, "inv-001", 1, false)),
    ];
    assert_eq!(
        write(&mut store, &events).unwrap_err().to_string(),
        "sample `inv-001` of task `invoice-json`, epoch 0, already has a record in this run"
    );
    assert_eq!(
        store.load_run(&header(0).id).unwrap().samples,
        vec![sample(0, "inv-001", 0, true)]
    );
}

#[test]
fn values_that_cannot_be_stored_exactly() {
    let refused = |record| {
        let mut store = Store::in_memory().unwrap();
        let events = [started(header(0), vec![model(0)]), finished_sample(record)];
        let error = write(&mut store, &events).unwrap_err();
        assert!(store.load_run(&header(0).id).unwrap().samples.is_empty());
        error.to_string()
    };
    let mut record = sample(0, "s", 0, true);
    record.score.score = Some(f64::NAN);
    assert_eq!(
        refused(record),
        "`score` is NaN, which is not a finite number"
    );
    let mut record = sample(0, "s", 0, true);
    record.score.checks[0].value = ScoreValue::Partial(f64::INFINITY);
    assert_eq!(
        refused(record),
        "`share` is inf, which is not a finite number"
    );
    let mut record = sample(0, "s", 0, true);
    record.generation.as_mut().unwrap().timing.token_at[1] = Duration::MAX;
    assert_eq!(
        refused(record),
        "`token_at_ns` is 18446744073709551615999999999, above the largest storable value 9223372036854775807"
    );
    let mut store = Store::in_memory().unwrap();
    let mut over = header(0);
    over.budget = Bytes(u64::MAX);
    assert_eq!(
        write(&mut store, &[started(over, vec![])])
            .unwrap_err()
            .to_string(),
        "`budget_bytes` is 18446744073709551615, above the largest storable value 9223372036854775807"
    );
    assert!(store.list_runs().unwrap().is_empty());
    let events = [
        started(header(0), vec![model(0)]),
        event(RunEventKind::WarmupFinished {
            model: digest(100),
            took: Duration::MAX,
        }),
    ];
    assert!(matches!(
        write(&mut store, &events),
        Err(StoreError::TooLarge {
            column: "warmup_ns",
            ..
        })
    ));
}

#[test]
fn errors_that_need_a_broken_machine() {
    let io = || std::io::Error::other("x");
    for (error, text, hint) in [
        (
            StoreError::Summary {
                path: "r.sqlite".into(),
                column: "ttft_ns",
                task: "t".to_owned(),
                sample: "s".to_owned(),
                stored: "2 ns".to_owned(),
                recomputed: "3 ns".to_owned(),
            },
            "`ttft_ns` of sample `t/s` in `r.sqlite` is 2 ns but the stored observation gives 3 ns",
            Some(
                "the database was changed by another program, or written by another version of evalh",
            ),
        ),
        (
            StoreError::Library {
                found: 3_050_000,
                needed: 3_051_003,
            },
            "SQLite 3050000 is linked, but 3051003 or newer is needed",
            None,
        ),
        (
            StoreError::File {
                action: "write",
                path: "r.sqlite".into(),
                source: io(),
            },
            "failed to write `r.sqlite`",
            None,
        ),
        (
            StoreError::Damaged {
                path: "r.sqlite".into(),
                findings: vec!["a".to_owned(), "b".to_owned()],
            },
            "`r.sqlite` is damaged: a; b",
            Some(
                "copy the file away, then `evalh runs check` lists what is wrong and `.recover` of the sqlite3 shell saves what can be read",
            ),
        ),
        (
            StoreError::Locked {
                path: "r.sqlite".into(),
                waited_ms: 5000,
            },
            "`r.sqlite` is locked by another process and stayed so for 5000 ms",
            Some("wait for the other evalh to end, or name another file with `--db PATH`"),
        ),
    ] {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.hint().as_deref(), hint);
    }
}
