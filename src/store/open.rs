//! Opening the database: identity, durability settings, migrations.

use super::StoreError;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fmt;
use std::path::{Path, PathBuf};

/// `evlh`, in the header of every database of evalh.
pub(super) const APPLICATION_ID: u32 = 0x6576_6c68;

/// How long a locked database is waited for.
pub(super) const BUSY_TIMEOUT_MS: u64 = 5_000;

/// First SQLite without the WAL-reset bug, by which two connections could damage a database.
const SQLITE_NEEDED: i32 = 3_051_003;

/// Longest text or blob that is read or written.
const LENGTH_LIMIT: i32 = 256 * 1024 * 1024;

/// The statements that raise a database from version `i` to `i + 1`.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema_v1.sql"),
    include_str!("schema_v2.sql"),
    include_str!("schema_v3.sql"),
    include_str!("schema_v4.sql"),
];

/// Something the user should know about how the database was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreNotice {
    /// The file system does not support the write-ahead log.
    NoWriteAheadLog {
        /// Which file.
        path: PathBuf,
        /// The journal mode used instead.
        mode: String,
    },
    /// An older database was raised to the current version.
    Migrated {
        /// From this version.
        from: u32,
        /// To this version.
        to: u32,
        /// A copy of the file as it was.
        backup: PathBuf,
    },
}

impl fmt::Display for StoreNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWriteAheadLog { path, mode } => write!(
                f,
                "the file system of `{}` does not support the write-ahead log; the journal mode `{mode}` is used, so reports wait while a run writes",
                path.display()
            ),
            Self::Migrated { from, to, backup } => write!(
                f,
                "the database was raised from schema version {from} to {to}; the file as it was is kept in `{}`",
                backup.display()
            ),
        }
    }
}

/// An open database.
#[derive(Debug)]
pub struct Store {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    notices: Vec<StoreNotice>,
}

impl Store {
    /// Opens the database for writing; makes it, and its folder, when there is none.
    ///
    /// # Errors
    /// When the file is no database of evalh, is newer than this evalh, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| StoreError::Folder {
                path: folder.to_owned(),
                source,
            })?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)
            .map_err(|e| StoreError::from_sqlite(path, "open the database", e))?;
        Self::prepare(conn, path, MIGRATIONS)
    }

    /// A database in memory, for tests and for trying things out.
    ///
    /// # Errors
    /// When SQLite cannot be used at all.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = Path::new(":memory:");
        let conn = Connection::open_in_memory()
            .map_err(|e| StoreError::from_sqlite(path, "open the database", e))?;
        Self::prepare(conn, path, MIGRATIONS)
    }

    /// Opens an existing database for reading only.
    ///
    /// # Errors
    /// When there is none, it is no database of evalh, or it has another schema version.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing {
                path: path.to_owned(),
            });
        }
        let store = Self {
            conn: connect_read_only(path)?,
            path: path.to_owned(),
            notices: Vec::new(),
        };
        store.connection_settings()?;
        match store.version()? {
            Some(found) if found == newest(MIGRATIONS) => Ok(store),
            Some(found) if found > newest(MIGRATIONS) => Err(StoreError::Newer {
                path: store.path,
                found,
                known: newest(MIGRATIONS),
            }),
            found => Err(StoreError::Older {
                path: store.path,
                found: found.unwrap_or(0),
                known: newest(MIGRATIONS),
            }),
        }
    }

    /// What the user should know about how the database was opened.
    pub fn notices(&self) -> &[StoreNotice] {
        &self.notices
    }

    /// Path of the file, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn prepare(
        conn: Connection,
        path: &Path,
        migrations: &[&str],
    ) -> Result<Self, StoreError> {
        let mut store = Self {
            conn,
            path: path.to_owned(),
            notices: Vec::new(),
        };
        store.connection_settings()?;
        // The identity is read before anything is written, so that a foreign file stays as it is.
        let found = store.version()?;
        let known = newest(migrations);
        if let Some(found) = found.filter(|&v| v > known) {
            return Err(StoreError::Newer {
                path: store.path,
                found,
                known,
            });
        }
        store.journal()?;
        if found != Some(known) {
            store.migrate(found.unwrap_or(0), migrations)?;
        }
        Ok(store)
    }

    /// Settings that belong to the connection and not to the file.
    fn connection_settings(&self) -> Result<(), StoreError> {
        let found = rusqlite::version_number();
        if found < SQLITE_NEEDED {
            return Err(StoreError::Library {
                found,
                needed: SQLITE_NEEDED,
            });
        }
        let fail = |e| StoreError::from_sqlite(&self.path, "open the database", e);
        let conn = &self.conn;
        conn.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))
            .map_err(fail)?;
        for (name, value) in [
            ("foreign_keys", "ON"),
            ("trusted_schema", "OFF"),
            ("cell_size_check", "ON"),
            // FULL: the last committed samples survive a power loss. A sample costs seconds, a sync milliseconds.
            ("synchronous", "FULL"),
            // On macOS a plain fsync leaves data in the drive's cache; elsewhere these two do nothing.
            ("fullfsync", "ON"),
            ("checkpoint_fullfsync", "ON"),
        ] {
            conn.pragma_update(None, name, value).map_err(fail)?;
        }
        conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LENGTH_LIMIT)
            .map_err(fail)?;
        conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)
            .map_err(fail)?;
        Ok(())
    }

    /// The schema version; `None` for an empty file.
    fn version(&self) -> Result<Option<u32>, StoreError> {
        let read = |name: &str| -> Result<i64, StoreError> {
            self.conn
                .query_row(&format!("SELECT {name}"), [], |row| row.get(0))
                .map_err(|e| StoreError::from_sqlite(&self.path, "read the schema version", e))
        };
        let objects = read("count(*) FROM sqlite_schema")?;
        // Both header fields are 32 bits wide; SQLite shows them as signed numbers.
        let application = read("application_id FROM pragma_application_id")? as u32;
        let version = read("user_version FROM pragma_user_version")? as u32;
        if application == APPLICATION_ID {
            return Ok(Some(version));
        }
        if application == 0 && version == 0 && objects == 0 {
            return Ok(None);
        }
        Err(StoreError::OtherProgram {
            path: self.path.clone(),
            found: application,
            expected: APPLICATION_ID,
        })
    }

    /// Chooses the write-ahead log, or a rollback journal where the file system does not support it.
    fn journal(&mut self) -> Result<(), StoreError> {
        let set = |mode: &str| -> rusqlite::Result<String> {
            self.conn
                .pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))
        };
        let fail = |e| StoreError::from_sqlite(&self.path, "choose the journal mode", e);
        let mode = set("WAL").map_err(fail)?;
        if mode == "wal" || mode == "memory" {
            return Ok(());
        }
        let mode = set("DELETE").map_err(fail)?;
        self.notices.push(StoreNotice::NoWriteAheadLog {
            path: self.path.clone(),
            mode,
        });
        Ok(())
    }

    /// Raises the schema from version `from`, all steps in one transaction.
    fn migrate(&mut self, from: u32, migrations: &[&str]) -> Result<(), StoreError> {
        let to = newest(migrations);
        if from > 0 {
            let backup = self.backup_beside(from)?;
            self.notices
                .push(StoreNotice::Migrated { from, to, backup });
        }
        let path = self.path.clone();
        let fail = |e| StoreError::from_sqlite(&path, "raise the schema version", e);
        let transaction = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fail)?;
        // Another process may have done it while this one waited for the lock.
        let now: u32 = transaction
            .query_row("SELECT user_version FROM pragma_user_version", [], |row| {
                row.get(0)
            })
            .map_err(fail)?;
        for step in migrations.iter().skip(now as usize) {
            transaction.execute_batch(step).map_err(fail)?;
        }
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(fail)?;
        transaction
            .pragma_update(None, "user_version", to)
            .map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Copies the file to `NAME.v1.bak` beside it (`.v1.2.bak`, ... when that exists).
    fn backup_beside(&self, version: u32) -> Result<PathBuf, StoreError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let free = (1..=u32::MAX)
            .map(|n| match n {
                1 => format!("{name}.v{version}.bak"),
                _ => format!("{name}.v{version}.{n}.bak"),
            })
            .map(|file| self.path.with_file_name(file))
            .find(|candidate| !candidate.exists());
        let backup = free.unwrap_or_else(|| self.path.with_extension("bak"));
        self.conn
            .backup("main", &backup, None::<fn(rusqlite::backup::Progress)>)
            .map_err(|e| StoreError::from_sqlite(&backup, "copy the database", e))?;
        Ok(backup)
    }
}

/// The version that a list of migrations leads to.
fn newest(migrations: &[&str]) -> u32 {
    migrations.len() as u32
}

/// Opens read-only. A closed database in a folder that cannot be written needs SQLite's `immutable`, because the shared-memory
/// file of the write-ahead log cannot be made there; it is only asked for when no log file is present.
pub(super) fn connect_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let fail = |e| StoreError::from_sqlite(path, "open the database", e);
    let conn = Connection::open_with_flags(path, flags).map_err(fail)?;
    let probe = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    let error = match probe {
        Ok(()) => return Ok(conn),
        Err(error) => error,
    };
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let code = error.sqlite_error_code();
    let cannot = matches!(
        code,
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
    );
    if !cannot || Path::new(&log).exists() {
        return Err(fail(error));
    }
    let uri = format!("file:{}?immutable=1", uri_path(path));
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI).map_err(fail)
}

/// Escapes what has a meaning in an SQLite file name URI.
fn uri_path(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(store: &Store, name: &str) -> String {
        store
            .conn
            .query_row(&format!("SELECT * FROM pragma_{name}"), [], |row| {
                row.get::<_, rusqlite::types::Value>(0)
            })
            .map(|v| match v {
                rusqlite::types::Value::Integer(i) => i.to_string(),
                rusqlite::types::Value::Text(t) => t,
                other => format!("{other:?}"),
            })
            .unwrap()
    }

    #[test]
    fn a_new_database_has_every_safety_setting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/evalh.sqlite");
        let store = Store::open(&path).unwrap();
        for (name, value) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("trusted_schema", "0"),
            ("cell_size_check", "1"),
            ("busy_timeout", "5000"),
            ("application_id", "1702259816"),
            ("user_version", "4"),
        ] {
            assert_eq!(setting(&store, name), value, "{name}");
        }
        assert!(store.notices().is_empty());
        assert_eq!(store.path(), path);
        // Every table is STRICT: a number column refuses text.
        let loose: i64 = store
            .conn
            .query_row(
                "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(loose, 0);
    }

    #[test]
    fn reopening_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evalh.sqlite");
        drop(Store::open(&path).unwrap());
        let before = std::fs::read(&path).unwrap();
        drop(Store::open(&path).unwrap());
        drop(Store::open_read_only(&path).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn foreign_files_are_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("notes.txt");
        let content = "not a database, but longer than the header of one. ".repeat(20);
        std::fs::write(&text, &content).unwrap();
        let error = Store::open(&text).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{}` is not an SQLite database", text.display())
        );
        assert_eq!(std::fs::read_to_string(&text).unwrap(), content);

        let other = folder.path().join("other.sqlite");
        let conn = Connection::open(&other).unwrap();
        conn.execute_batch("CREATE TABLE t (x); PRAGMA application_id = 7;")
            .unwrap();
        drop(conn);
        let before = std::fs::read(&other).unwrap();
        let error = Store::open(&other).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` is a database of another program: its application id is 0x00000007 where evalh writes 0x65766c68",
                other.display()
            )
        );
        assert_eq!(std::fs::read(&other).unwrap(), before);
    }

    #[test]
    fn newer_versions_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evalh.sqlite");
        let store = Store::open(&path).unwrap();
        store.conn.pragma_update(None, "user_version", 9).unwrap();
        drop(store);
        let expected = format!(
            "`{}` has schema version 9, but this evalh knows versions up to 4",
            path.display()
        );
        assert_eq!(Store::open(&path).unwrap_err().to_string(), expected);
        let error = Store::open_read_only(&path).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            error.hint().unwrap(),
            "update evalh, or name another file with `--db PATH`"
        );
    }

    const NEXT: &[&str] = &[
        MIGRATIONS[0],
        MIGRATIONS[1],
        MIGRATIONS[2],
        MIGRATIONS[3],
        "ALTER TABLE run ADD COLUMN note TEXT",
        "CREATE TABLE extra (x INTEGER) STRICT",
    ];

    fn open_with(path: &Path, migrations: &[&str]) -> Result<Store, StoreError> {
        Store::prepare(Connection::open(path).unwrap(), path, migrations)
    }

    #[test]
    fn older_files_are_copied_then_raised_in_one_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evalh.sqlite");
        drop(Store::open(&path).unwrap());
        let store = open_with(&path, NEXT).unwrap();
        let backup = folder.path().join("evalh.sqlite.v4.bak");
        assert_eq!(
            store.notices(),
            &[StoreNotice::Migrated {
                from: 4,
                to: 6,
                backup: backup.clone()
            }]
        );
        assert_eq!(setting(&store, "user_version"), "6");
        store
            .conn
            .execute("INSERT INTO extra VALUES (1)", [])
            .unwrap();
        assert_eq!(setting(&Store::open(&backup).unwrap(), "user_version"), "4");
        assert_eq!(
            store.notices()[0].to_string(),
            format!(
                "the database was raised from schema version 4 to 6; the file as it was is kept in `{}`",
                backup.display()
            )
        );
    }

    #[test]
    fn a_failing_migration_leaves_the_old_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evalh.sqlite");
        drop(Store::open(&path).unwrap());
        let broken = &[
            MIGRATIONS[0],
            MIGRATIONS[1],
            MIGRATIONS[2],
            MIGRATIONS[3],
            "CREATE TABLE extra (x INTEGER)",
            "no statement",
        ];
        let error = open_with(&path, broken).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("failed to raise the schema version in `{}`", path.display())
        );
        let store = Store::open(&path).unwrap();
        assert_eq!(setting(&store, "user_version"), "4");
        assert!(store.conn.prepare("SELECT * FROM extra").is_err());
    }

    #[test]
    fn an_older_file_is_not_raised_by_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evalh.sqlite");
        let store = Store::open(&path).unwrap();
        store.conn.pragma_update(None, "user_version", 0).unwrap();
        drop(store);
        assert_eq!(
            Store::open_read_only(&path).unwrap_err().to_string(),
            format!(
                "`{}` has schema version 0 and cannot be raised to 4 because it is opened for reading only",
                path.display()
            )
        );
    }

    #[test]
    fn a_missing_file_is_not_made_by_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.sqlite");
        let error = Store::open_read_only(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("there is no database `{}`", path.display())
        );
        assert!(!path.exists());
    }

    #[test]
    fn a_file_where_the_folder_should_be() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("results");
        std::fs::write(&file, "x").unwrap();
        let error = Store::open(&file.join("evalh.sqlite")).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("failed to create the folder `{}`", file.display())
        );
        let folder_itself = Store::open(folder.path()).unwrap_err();
        assert_eq!(
            folder_itself.to_string(),
            format!("`{}` cannot be opened", folder.path().display())
        );
    }

    #[test]
    fn special_characters_of_a_path_survive_the_uri() {
        assert_eq!(uri_path(Path::new("/a b/c?d#e%f")), "/a b/c%3fd%23e%25f");
    }

    #[test]
    fn the_notice_about_the_journal() {
        let notice = StoreNotice::NoWriteAheadLog {
            path: "r.sqlite".into(),
            mode: "delete".to_owned(),
        };
        assert_eq!(
            notice.to_string(),
            "the file system of `r.sqlite` does not support the write-ahead log; the journal mode `delete` is used, so reports wait while a run writes"
        );
    }
}
