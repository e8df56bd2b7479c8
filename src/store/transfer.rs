//! One run as one self-contained file, and back.

use super::open::connect_read_only;
use super::{Store, StoreError};
use crate::record::RunId;
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::{Path, PathBuf};

/// Tables in the order in which references allow them to be filled, with the columns that hold keys of this file.
const TABLES: [(&str, &[&str]); 11] = [
    ("run", &["run_pk"]),
    ("setting", &["run_pk"]),
    ("look", &["run_pk"]),
    ("attempt", &["attempt_pk", "run_pk"]),
    ("model", &["model_pk", "run_pk"]),
    ("model_skip", &["model_pk"]),
    ("sample", &["sample_pk", "model_pk"]),
    ("check_result", &["sample_pk"]),
    ("question", &["sample_pk"]),
    ("choice", &["sample_pk"]),
    ("text_score", &["sample_pk"]),
];

impl Store {
    /// Writes a run to a new database that holds nothing else.
    ///
    /// # Errors
    /// When there is no such run, or the file exists or cannot be written.
    pub fn export_run(&self, id: &RunId, to: &Path) -> Result<(), StoreError> {
        if to.exists() {
            return Err(StoreError::Exists {
                path: to.to_owned(),
            });
        }
        self.load_run(id)?;
        // The file appears under its name only when it is whole.
        let draft = draft(&folder_of(to))?;
        let path = draft.path().join("run.sqlite");
        let mut out = Self::open(&path)?;
        copy_run(&mut out.conn, &self.path_for_attach()?, id, &path)?;
        out.conn
            .pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
            .map_err(|e| StoreError::from_sqlite(&path, "close the exported file", e))?;
        drop(out);
        std::fs::rename(&path, to).map_err(|source| StoreError::File {
            action: "write",
            path: to.to_owned(),
            source,
        })
    }

    /// Adds the run of an exported file. The file itself is not changed.
    ///
    /// # Errors
    /// When the file is damaged or holds no run that evalh could have written, or the run is stored already.
    pub fn import_run(&mut self, from: &Path) -> Result<RunId, StoreError> {
        if !from.exists() {
            return Err(StoreError::Missing {
                path: from.to_owned(),
            });
        }
        // A copy, because an older file is raised to the current schema before it is read.
        let draft = draft(&folder_of(&self.path))?;
        let path = draft.path().join("run.sqlite");
        connect_read_only(from)?
            .backup("main", &path, None::<fn(rusqlite::backup::Progress)>)
            .map_err(|e| StoreError::from_sqlite(from, "read the exported file", e))?;
        let source = Self::open(&path).map_err(|e| e.about(from))?;
        source.integrity_check().map_err(|e| e.about(from))?;
        let runs = source.list_runs().map_err(|e| e.about(from))?;
        let [run] = runs.as_slice() else {
            return Err(StoreError::NotOneRun {
                path: from.to_owned(),
                found: runs.len(),
            });
        };
        source.load_run(&run.id).map_err(|e| e.about(from))?;
        drop(source);
        if self.ids_contain(&run.id)? {
            return Err(StoreError::DuplicateRun {
                path: self.path.clone(),
                run: run.id.to_string(),
            });
        }
        let own = self.path.clone();
        copy_run(&mut self.conn, &path, &run.id, &own)?;
        Ok(run.id.clone())
    }

    fn ids_contain(&self, id: &RunId) -> Result<bool, StoreError> {
        Ok(self.list_runs()?.iter().any(|run| run.id == *id))
    }

    /// The file to attach; a database in memory has none.
    fn path_for_attach(&self) -> Result<PathBuf, StoreError> {
        if self.path.exists() {
            Ok(self.path.clone())
        } else {
            Err(StoreError::Missing {
                path: self.path.clone(),
            })
        }
    }
}

impl StoreError {
    /// The same error about the file the user named instead of a copy of it.
    fn about(mut self, named: &Path) -> Self {
        match &mut self {
            Self::NotADatabase { path }
            | Self::OtherProgram { path, .. }
            | Self::Newer { path, .. }
            | Self::Damaged { path, .. }
            | Self::Value { path, .. }
            | Self::Sql { path, .. } => named.clone_into(path),
            _ => {}
        }
        self
    }
}

/// The folder of a file, for a path that may be a bare name.
fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn draft(folder: &Path) -> Result<tempfile::TempDir, StoreError> {
    tempfile::Builder::new()
        .prefix(".evalh-")
        .tempdir_in(folder)
        .map_err(|source| StoreError::Folder {
            path: folder.to_owned(),
            source,
        })
}

/// Copies one run from the file `from` into `conn`, in one transaction. Keys are shifted above those that `conn` has.
fn copy_run(conn: &mut Connection, from: &Path, id: &RunId, own: &Path) -> Result<(), StoreError> {
    let fail = |e| StoreError::from_sqlite(own, "copy the run", e);
    conn.execute("ATTACH ?1 AS other", params![from.to_string_lossy()])
        .map_err(fail)?;
    let copied = copy_tables(conn, id).map_err(fail);
    let detached = conn.execute_batch("DETACH other").map_err(fail);
    copied.and(detached)
}

fn copy_tables(conn: &mut Connection, id: &RunId) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let above = |key: &str, table: &str| -> rusqlite::Result<i64> {
        let sql = format!("SELECT coalesce(max({key}), 0) FROM main.{table}");
        tx.query_row(&sql, [], |row| row.get(0))
    };
    let shifts = [
        ("run_pk", above("run_pk", "run")?),
        ("attempt_pk", above("attempt_pk", "attempt")?),
        ("model_pk", above("model_pk", "model")?),
        ("sample_pk", above("sample_pk", "sample")?),
    ];
    let runs = "SELECT run_pk FROM other.run WHERE run_id = ?1";
    let models = format!("SELECT model_pk FROM other.model WHERE run_pk IN ({runs})");
    let samples = format!("SELECT sample_pk FROM other.sample WHERE model_pk IN ({models})");
    for (table, keys) in TABLES {
        let (columns, values) = column_lists(&tx, table, keys, &shifts)?;
        let chosen = match keys.last().copied() {
            Some("run_pk") => format!("run_pk IN ({runs})"),
            Some("model_pk") => format!("model_pk IN ({models})"),
            _ => format!("sample_pk IN ({samples})"),
        };
        let sql = format!(
            "INSERT INTO main.{table} ({columns}) SELECT {values} FROM other.{table} WHERE {chosen}"
        );
        tx.execute(&sql, params![id.as_str()])?;
    }
    tx.commit()
}

/// The columns of a table, and the same with shifted keys.
fn column_lists(
    tx: &Connection,
    table: &str,
    keys: &[&str],
    shifts: &[(&str, i64)],
) -> rusqlite::Result<(String, String)> {
    let mut statement = tx.prepare("SELECT name FROM pragma_table_info(?1, 'main')")?;
    let names: Vec<String> = statement
        .query_map([table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let value = |name: &String| {
        let shift = shifts.iter().find(|(key, _)| key == name);
        match shift.filter(|_| keys.contains(&name.as_str())) {
            Some((_, by)) => format!("{name} + {by}"),
            None => name.clone(),
        }
    };
    let values: Vec<String> = names.iter().map(value).collect();
    Ok((names.join(", "), values.join(", ")))
}
