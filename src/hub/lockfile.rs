//! `models.lock`: what a moving source meant when it was resolved.
//!
//! One entry for each (model, source). An entry pins the commit that later fetches use, as lock files of package managers do; `--locked`
//! refuses a source without a digest of its own that has no entry here.

use super::HubError;
use crate::config::Place;
use crate::record::Digest;
use serde::{Deserialize, Serialize};
use std::path::Path;

const HEADER: &str =
    "# Written by `evalh models pull` and `evalh models lock`. Commit it beside models.toml.\n";

/// Largest lock file that is read.
const MOST_BYTES: u64 = 4 << 20;

/// All entries.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    /// Sorted by model, then by source.
    #[serde(default, rename = "model")]
    pub entries: Vec<LockEntry>,
}

/// What one source of one model meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockEntry {
    /// The model.
    pub name: String,
    /// The source as the catalogue has it.
    pub source: String,
    /// Repository, for `hf:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Revision asked for, for `hf:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Commit it meant, for `hf:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// File in the repository or folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What the hub calls the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Digest computed here.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
}

impl LockFile {
    /// Reads a lock file; one that is not there is empty.
    ///
    /// # Errors
    /// When it cannot be read or is not valid.
    pub fn read(path: &Path) -> Result<Self, HubError> {
        use std::io::Read as _;
        let mut text = String::new();
        match std::fs::File::open(path) {
            Ok(file) => file
                .take(MOST_BYTES)
                .read_to_string(&mut text)
                .map_err(HubError::io("read", path))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(HubError::io("read", path)(e)),
        };
        let shown = path.to_string_lossy();
        let read: Self = toml::from_str(&text).map_err(|e| {
            let span = e.span().unwrap_or(0..0);
            HubError::LockSyntax {
                place: Place::at(&shown, &text, span.start, span.end),
                message: super::error::printable(e.message()),
            }
        })?;
        for entry in &read.entries {
            entry.check(&shown, &text)?;
        }
        Ok(read)
    }

    /// The entry of a source of a model.
    pub fn find(&self, model: &str, source: &str) -> Option<&LockEntry> {
        self.entries
            .iter()
            .find(|e| e.name == model && e.source == source)
    }

    /// Puts an entry in the place of the one with the same model and source.
    pub(crate) fn put(&mut self, entry: LockEntry) {
        self.entries
            .retain(|e| (&e.name, &e.source) != (&entry.name, &entry.source));
        self.entries.push(entry);
        self.entries
            .sort_by(|a, b| (&a.name, &a.source).cmp(&(&b.name, &b.source)));
    }

    /// Writes the file whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<(), HubError> {
        let body = toml::to_string(self)
            .map_err(|e| HubError::io("write", path)(std::io::Error::other(e.to_string())))?;
        super::blobs::write_whole(path, format!("{HEADER}\n{body}").as_bytes())
            .map_err(HubError::io("write", path))
    }
}

impl LockEntry {
    /// The digest; checked when the file was read.
    pub(crate) fn digest(&self) -> Option<Digest> {
        Digest::from_hex(&self.sha256)
    }

    /// The first field that differs from another entry of the same source.
    pub(crate) fn difference(&self, found: &Self) -> Option<(&'static str, String, String)> {
        let text = |v: &Option<String>| v.clone().unwrap_or_else(|| "none".to_owned());
        // An etag is known only when the hub was asked; two files of one digest are one file.
        let etags_known = self.etag.is_some() && found.etag.is_some();
        [
            ("commit", text(&self.commit), text(&found.commit)),
            ("file", text(&self.file), text(&found.file)),
            ("sha256", self.sha256.clone(), found.sha256.clone()),
            ("bytes", self.bytes.to_string(), found.bytes.to_string()),
            ("etag", text(&self.etag), text(&found.etag)),
        ]
        .into_iter()
        .find(|(field, a, b)| a != b && (*field != "etag" || etags_known))
    }

    fn check(&self, shown: &str, text: &str) -> Result<(), HubError> {
        let hex = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_hexdigit());
        let bad = if !hex(&self.sha256, 64) {
            Some(("sha256", &self.sha256, "64 hexadecimal digits are"))
        } else if let Some(commit) = self.commit.as_ref().filter(|c| !hex(c, 40)) {
            Some(("commit", commit, "40 hexadecimal digits are"))
        } else {
            self.file
                .as_ref()
                .filter(|f| !crate::config::is_safe_inner_path(f))
                .map(|f| ("file", f, "a plain path is"))
        };
        match bad {
            None => Ok(()),
            Some((key, value, needed)) => {
                let start = text.find(value.as_str()).unwrap_or(0);
                Err(HubError::LockSyntax {
                    place: Place::at(shown, text, start, start + value.len()),
                    message: format!(
                        "`{key}` is `{}` where {needed} needed",
                        value.escape_debug()
                    ),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> LockEntry {
        LockEntry {
            name: name.to_owned(),
            source: "hf:o/r".to_owned(),
            repo: Some("o/r".to_owned()),
            revision: Some("main".to_owned()),
            commit: Some("a".repeat(40)),
            file: Some("m.gguf".to_owned()),
            etag: None,
            sha256: Digest::of(b"x").to_string(),
            bytes: 1,
        }
    }

    #[test]
    fn entries_are_sorted_replaced_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models.lock");
        assert_eq!(LockFile::read(&path).unwrap(), LockFile::default());
        let mut lock = LockFile::default();
        lock.put(entry("b"));
        lock.put(entry("a"));
        lock.put(LockEntry {
            bytes: 2,
            ..entry("b")
        });
        lock.write(&path).unwrap();
        let read = LockFile::read(&path).unwrap();
        assert_eq!(read, lock);
        let names: Vec<(&str, u64)> = read
            .entries
            .iter()
            .map(|e| (e.name.as_str(), e.bytes))
            .collect();
        assert_eq!(names, [("a", 1), ("b", 2)]);
        assert!(read.find("a", "hf:o/r").is_some() && read.find("a", "hf:o/s").is_none());
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .starts_with("# Written by")
        );
    }

    #[test]
    fn what_is_not_valid_is_placed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models.lock");
        let fail = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let message = LockFile::read(&path).unwrap_err().to_string();
            message.replace(&folder.path().to_string_lossy().into_owned(), "")
        };
        assert_eq!(
            fail("[[model]]\nname = \"a\"\nsource = \"s\"\nbytes = 1\nsha256 = \"beef\"\n"),
            "/models.lock:5:11: `sha256` is `beef` where 64 hexadecimal digits are needed\n  | sha256 = \"beef\"\n  |           ^^^^"
        );
        let sha = Digest::of(b"x");
        assert_eq!(
            fail(&format!(
                "[[model]]\nname = \"a\"\nsource = \"s\"\nbytes = 1\nsha256 = \"{sha}\"\nfile = \"../x\"\n"
            )),
            "/models.lock:6:9: `file` is `../x` where a plain path is needed\n  | file = \"../x\"\n  |         ^^^^"
        );
        assert!(fail("[[model]]\nnam = 1\n").starts_with("/models.lock:2:1: unknown field `nam`"));
    }

    #[test]
    fn differences_are_named() {
        let a = entry("a");
        assert_eq!(a.difference(&a), None);
        let etag = LockEntry {
            etag: Some("e".to_owned()),
            ..entry("a")
        };
        assert_eq!(a.difference(&etag), None);
        let moved = LockEntry {
            commit: Some("b".repeat(40)),
            ..entry("a")
        };
        assert_eq!(
            a.difference(&moved),
            Some(("commit", "a".repeat(40), "b".repeat(40)))
        );
    }
}
