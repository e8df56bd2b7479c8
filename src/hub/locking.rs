//! How `models.lock` is read, held against what was found, and changed: by one thread of one process at a time.

use super::blobs::Note;
use super::fetch::Found;
use super::stamp::Hashed;
use super::{Hub, HubError, LockEntry, LockFile, ModelFiles};
use crate::config::{ModelEntry, Source};

impl Hub<'_> {
    /// Refuses what differs from `models.lock`, and under `--locked` what is not in it. A digest in the catalogue pins the content by itself.
    pub(super) fn check_lock(
        &self,
        entry: &ModelEntry,
        found: &LockEntry,
        lock: &LockFile,
    ) -> Result<(), HubError> {
        if entry.sha256.is_some() {
            return Ok(());
        }
        let path = self.settings.lock_path.clone().unwrap_or_default();
        match lock.find(&entry.name, &found.source) {
            Some(locked) => match locked.difference(found) {
                None => Ok(()),
                Some((field, locked, found)) => Err(HubError::LockDiffers {
                    lock: path,
                    model: entry.name.clone(),
                    field,
                    locked,
                    found,
                }),
            },
            None if self.settings.locked => Err(HubError::LockMissing {
                lock: path,
                model: entry.name.clone(),
                source_text: found.source.clone(),
            }),
            None => Ok(()),
        }
    }

    /// What is locked; nothing when no lock is kept.
    pub(super) fn read_lock(&self) -> Result<LockFile, HubError> {
        match &self.settings.lock_path {
            Some(path) => LockFile::read(path),
            None => Ok(LockFile::default()),
        }
    }

    /// Writes what was found into `models.lock`, when one is kept and may change.
    pub(super) fn remember(&self, found: Found) -> Result<ModelFiles, HubError> {
        if let Some(entry) = found.locked {
            let known = |lock: &LockFile| {
                lock.find(&entry.name, &entry.source)
                    .is_some_and(|e| e.difference(&entry).is_none())
            };
            self.change_lock(&mut |lock| {
                if !known(lock) {
                    lock.put(entry.clone());
                }
            })?;
        }
        Ok(found.files)
    }

    /// Changes `models.lock`, when one is kept and may change; it is written only when something is different.
    pub(super) fn change_lock(
        &self,
        change: &mut dyn FnMut(&mut LockFile),
    ) -> Result<(), HubError> {
        let (Some(path), false) = (&self.settings.lock_path, self.settings.locked) else {
            return Ok(());
        };
        let differs = |old: &LockFile, change: &mut dyn FnMut(&mut LockFile)| {
            let mut new = old.clone();
            change(&mut new);
            (new != *old).then_some(new)
        };
        if differs(&LockFile::read(path)?, change).is_none() {
            return Ok(());
        }
        // A poisoned mutex guards nothing but the file, which is written whole or not at all.
        let _in_process = self
            .lock_writer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let _between_processes = self.blobs.lock("models.lock", self.progress)?;
        match differs(&LockFile::read(path)?, change) {
            Some(lock) => lock.write(path),
            None => Ok(()),
        }
    }
}

/// The lock entry of a file that was found by its digest, when its note tells of a repository the catalogue still names.
pub(super) fn lock_from_note(
    entry: &ModelEntry,
    note: &Note,
    hashed: &Hashed,
) -> Option<LockEntry> {
    let Ok(Source::Hf(origin)) = Source::parse(&note.source) else {
        return None;
    };
    let (source, hf) = entry.sources.iter().find_map(|s| match s {
        Source::Hf(hf) if hf.repo_id() == origin.repo_id() => Some((s, hf)),
        _ => None,
    })?;
    Some(LockEntry {
        name: entry.name.clone(),
        source: source.to_string(),
        repo: Some(hf.repo_id()),
        revision: Some(hf.revision_or_main().to_owned()),
        commit: note.commit.clone(),
        file: origin.file,
        etag: None,
        sha256: hashed.sha256.to_string(),
        bytes: hashed.bytes,
    })
}
