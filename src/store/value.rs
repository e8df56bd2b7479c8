//! Values in and out of columns: exact or an error.

use super::StoreError;
use crate::record::{Digest, Message, Role};
use crate::units::Bytes;
use rusqlite::Row;
use rusqlite::types::FromSql;
use serde_json::{Value as Json, json};
use std::path::Path;
use std::time::Duration;

/// An unsigned number as SQLite's signed integer.
pub(super) fn integer(column: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge {
        column,
        found: u128::from(value),
        limit: i64::MAX,
    })
}

/// Like [`integer`], for a size that may be missing.
pub(super) fn bytes(column: &'static str, value: Option<Bytes>) -> Result<Option<i64>, StoreError> {
    value.map(|b| integer(column, b.get())).transpose()
}

/// A duration as nanoseconds.
pub(super) fn nanos(column: &'static str, value: Duration) -> Result<i64, StoreError> {
    i64::try_from(value.as_nanos()).map_err(|_| StoreError::TooLarge {
        column,
        found: value.as_nanos(),
        limit: i64::MAX,
    })
}

/// A finite number. SQLite would turn a value that is not a number into NULL.
pub(super) fn finite(column: &'static str, value: f64) -> Result<f64, StoreError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(StoreError::NotFinite {
            column,
            found: value,
        })
    }
}

/// Token ids as little-endian `u32`.
pub(super) fn ids_to_blob(ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

/// Log-probabilities as little-endian `f32`, bit for bit.
pub(super) fn floats_to_blob(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Durations as little-endian `u64` nanoseconds.
pub(super) fn times_to_blob(
    column: &'static str,
    times: &[Duration],
) -> Result<Vec<u8>, StoreError> {
    let mut blob = Vec::with_capacity(times.len() * 8);
    for time in times {
        blob.extend_from_slice(&nanos(column, *time)?.to_le_bytes());
    }
    Ok(blob)
}

/// Messages as a JSON array of `{"role", "content"}`.
pub(super) fn messages_to_json(messages: &[Message]) -> String {
    let list: Vec<Json> = messages
        .iter()
        .map(|m| json!({ "role": m.role.as_str(), "content": m.content }))
        .collect();
    Json::Array(list).to_string()
}

/// Reads the columns of a row one after another, in the order they were selected.
pub(super) struct Columns<'r> {
    row: &'r Row<'r>,
    path: &'r Path,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(super) fn new(row: &'r Row<'r>, path: &'r Path) -> Self {
        Self { row, path, next: 0 }
    }

    /// The next column as whatever SQLite type fits.
    pub(super) fn get<T: FromSql>(&mut self) -> Result<T, StoreError> {
        let at = self.next;
        self.next += 1;
        self.row
            .get(at)
            .map_err(|e| StoreError::from_sqlite(self.path, "read a row", e))
    }

    /// The error for a value that no evalh writes.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers pass literals and numbers"
    )]
    pub(super) fn wrong(
        &self,
        column: &'static str,
        expected: &'static str,
        found: impl ToString,
    ) -> StoreError {
        StoreError::Value {
            path: self.path.to_owned(),
            column,
            expected,
            found: found.to_string().chars().take(80).collect(),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        self.get()
    }

    pub(super) fn opt_u64(&mut self, column: &'static str) -> Result<Option<u64>, StoreError> {
        let value: Option<i64> = self.get()?;
        value
            .map(|v| u64::try_from(v).map_err(|_| self.wrong(column, "a count", v)))
            .transpose()
    }

    pub(super) fn u64(&mut self, column: &'static str) -> Result<u64, StoreError> {
        self.opt_u64(column)?
            .ok_or_else(|| self.wrong(column, "a count", "NULL"))
    }

    pub(super) fn opt_u32(&mut self, column: &'static str) -> Result<Option<u32>, StoreError> {
        self.opt_u64(column)?
            .map(|v| u32::try_from(v).map_err(|_| self.wrong(column, "a 32-bit count", v)))
            .transpose()
    }

    pub(super) fn u32(&mut self, column: &'static str) -> Result<u32, StoreError> {
        self.opt_u32(column)?
            .ok_or_else(|| self.wrong(column, "a 32-bit count", "NULL"))
    }

    pub(super) fn opt_bytes(&mut self, column: &'static str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.opt_u64(column)?.map(Bytes))
    }

    pub(super) fn opt_duration(
        &mut self,
        column: &'static str,
    ) -> Result<Option<Duration>, StoreError> {
        Ok(self.opt_u64(column)?.map(Duration::from_nanos))
    }

    pub(super) fn opt_digest(
        &mut self,
        column: &'static str,
    ) -> Result<Option<Digest>, StoreError> {
        let text: Option<String> = self.get()?;
        text.map(|t| {
            Digest::from_hex(&t).ok_or_else(|| self.wrong(column, "64 hexadecimal digits", &t))
        })
        .transpose()
    }

    pub(super) fn digest(&mut self, column: &'static str) -> Result<Digest, StoreError> {
        self.opt_digest(column)?
            .ok_or_else(|| self.wrong(column, "64 hexadecimal digits", "NULL"))
    }

    pub(super) fn flag(&mut self, column: &'static str) -> Result<bool, StoreError> {
        self.opt_flag(column)?
            .ok_or_else(|| self.wrong(column, "0 or 1", "NULL"))
    }

    pub(super) fn opt_flag(&mut self, column: &'static str) -> Result<Option<bool>, StoreError> {
        match self.get::<Option<i64>>()? {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(other) => Err(self.wrong(column, "0 or 1", other)),
        }
    }

    /// A name from a closed list.
    pub(super) fn name<T>(
        &mut self,
        column: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let text = self.text()?;
        parse(&text).ok_or_else(|| self.wrong(column, expected, &text))
    }

    pub(super) fn opt_ids(&mut self, column: &'static str) -> Result<Option<Vec<u32>>, StoreError> {
        Ok(self
            .chunks::<4>(column)?
            .map(|list| list.into_iter().map(u32::from_le_bytes).collect()))
    }

    pub(super) fn opt_floats(
        &mut self,
        column: &'static str,
    ) -> Result<Option<Vec<f32>>, StoreError> {
        Ok(self
            .chunks::<4>(column)?
            .map(|list| list.into_iter().map(f32::from_le_bytes).collect()))
    }

    pub(super) fn opt_times(
        &mut self,
        column: &'static str,
    ) -> Result<Option<Vec<Duration>>, StoreError> {
        Ok(self.chunks::<8>(column)?.map(|list| {
            list.into_iter()
                .map(|raw| Duration::from_nanos(u64::from_le_bytes(raw)))
                .collect()
        }))
    }

    fn chunks<const N: usize>(
        &mut self,
        column: &'static str,
    ) -> Result<Option<Vec<[u8; N]>>, StoreError> {
        let Some(blob) = self.get::<Option<Vec<u8>>>()? else {
            return Ok(None);
        };
        let (chunks, rest) = blob.as_chunks::<N>();
        if rest.is_empty() {
            Ok(Some(chunks.to_vec()))
        } else {
            let found = format!("{} bytes", blob.len());
            Err(self.wrong(column, "a whole number of values", found))
        }
    }

    pub(super) fn messages(&mut self, column: &'static str) -> Result<Vec<Message>, StoreError> {
        let text = self.text()?;
        let parsed: Option<Vec<Message>> = serde_json::from_str::<Vec<Json>>(&text)
            .ok()
            .and_then(|list| list.iter().map(message).collect());
        parsed.ok_or_else(|| self.wrong(column, "a JSON list of messages", &text))
    }

    /// A JSON list of values that `serde_json` can read.
    pub(super) fn json_list<T: serde::de::DeserializeOwned>(
        &mut self,
        column: &'static str,
    ) -> Result<Vec<T>, StoreError> {
        let text = self.text()?;
        serde_json::from_str(&text).map_err(|_| self.wrong(column, "a JSON list", &text))
    }
}

fn message(value: &Json) -> Option<Message> {
    let role = match value.get("role")?.as_str()? {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => return None,
    };
    let content = value.get("content")?.as_str()?.to_owned();
    Some(Message { role, content })
}
