//! What moving sources mean now, for `models.lock`: resolved at the hub, large files not transferred.
//!
//! The digest of a large file is the one the hub announces; a fetch refuses any other content. Small files have no such digest and are fetched.

use super::{Hub, HubError, LockEntry, LockFile, SourceFailure};
use crate::config::{ModelEntry, Source};

/// What became of one source of a model.
#[derive(Debug)]
pub struct Locked {
    /// The source as the catalogue has it.
    pub source: String,
    /// How its entry changed.
    pub outcome: LockOutcome,
}

/// How an entry of `models.lock` changed.
#[derive(Debug)]
pub enum LockOutcome {
    /// There was none.
    New(LockEntry),
    /// It means what it meant.
    Same(LockEntry),
    /// It means something else now.
    Moved {
        /// What it meant.
        before: LockEntry,
        /// What it means.
        now: LockEntry,
    },
    /// It could not be resolved; the model has a digest of its own, which pins its content.
    NotResolved(HubError),
}

impl Hub<'_> {
    /// Resolves every source of a model that can move, and records what each means in `models.lock`. Sources that the model no longer has are
    /// removed from it.
    ///
    /// # Errors
    /// When a source of a model without a digest of its own cannot be resolved.
    pub fn lock(&self, entry: &ModelEntry) -> Result<Vec<Locked>, HubError> {
        let lock = self.read_lock()?;
        let mut all = Vec::new();
        for source in &entry.sources {
            let text = source.to_string();
            let outcome = match self.meaning(entry, source) {
                Ok(None) => continue,
                Ok(Some(now)) => outcome(lock.find(&entry.name, &text).cloned(), now),
                Err(HubError::Interrupted) => return Err(HubError::Interrupted),
                Err(error) if entry.sha256.is_some() => LockOutcome::NotResolved(error),
                Err(error) => {
                    return Err(HubError::NoSource {
                        model: entry.name.clone(),
                        failures: vec![SourceFailure {
                            source: text,
                            error,
                        }],
                    });
                }
            };
            all.push(Locked {
                source: text,
                outcome,
            });
        }
        let sources: Vec<String> = entry.sources.iter().map(ToString::to_string).collect();
        self.change_lock(&mut |lock| {
            lock.entries
                .retain(|e| e.name != entry.name || sources.contains(&e.source));
            for locked in &all {
                if let LockOutcome::New(now) | LockOutcome::Moved { now, .. } = &locked.outcome {
                    lock.put(now.clone());
                }
            }
        })?;
        Ok(all)
    }

    /// Removes the entries of models that are not among these.
    ///
    /// # Errors
    /// When `models.lock` cannot be read or written.
    pub fn forget_others(&self, names: &[&str]) -> Result<(), HubError> {
        self.change_lock(&mut |lock| {
            lock.entries
                .retain(|e| names.iter().any(|name| *name == e.name));
        })
    }

    /// What a source means now; `None` for one that cannot move or is not here.
    fn meaning(&self, entry: &ModelEntry, source: &Source) -> Result<Option<LockEntry>, HubError> {
        match source {
            Source::Pypi { .. } | Source::Https(_) => Ok(None),
            Source::Path(path) => {
                match self.look_at_path(entry, source, path, &LockFile::default()) {
                    Ok(found) => Ok(found.locked),
                    Err(HubError::NoPath { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            #[cfg(feature = "hub")]
            Source::Hf(hf) => self.meaning_at_hub(entry, source, hf).map(Some),
            #[cfg(not(feature = "hub"))]
            Source::Hf(_) => {
                self.network()?;
                Err(HubError::NotBuiltIn {
                    scheme: source.scheme(),
                })
            }
        }
    }
}

fn outcome(before: Option<LockEntry>, now: LockEntry) -> LockOutcome {
    match before {
        None => LockOutcome::New(now),
        Some(before) if before.difference(&now).is_none() => LockOutcome::Same(now),
        Some(before) => LockOutcome::Moved { before, now },
    }
}

#[cfg(feature = "hub")]
mod at_hub {
    use super::super::hf::{Chosen, Facts};
    use super::super::stamp::Hashed;
    use super::super::{Hub, HubError, LockEntry, fetch, set};
    use crate::config::{HfSource, ModelEntry, Source};

    impl Hub<'_> {
        pub(super) fn meaning_at_hub(
            &self,
            entry: &ModelEntry,
            source: &Source,
            hf: &HfSource,
        ) -> Result<LockEntry, HubError> {
            self.network()?;
            self.progress.phase("asking the hub");
            let chosen = self.choose_file(hf, None)?;
            let facts = self.facts(hf, &chosen.revision, &chosen.file)?;
            let is_set = set::is_main(&chosen.file);
            let (commit, file, etag) =
                (facts.commit.clone(), facts.file.clone(), facts.etag.clone());
            let hashed = if is_set {
                self.announced_set(hf, &chosen, facts)?
            } else {
                self.announced(hf, facts)?
            };
            if let Some(declared) = &entry.sha256 {
                let text = format!("hf:{}@{commit}/{file}", hf.repo_id());
                fetch::same(&text, "the catalogue", declared, &hashed.sha256)?;
            }
            Ok(LockEntry {
                name: entry.name.clone(),
                source: source.to_string(),
                repo: Some(hf.repo_id()),
                revision: Some(hf.revision_or_main().to_owned()),
                commit: Some(commit),
                file: Some(file),
                etag: (!is_set).then_some(etag),
                sha256: hashed.sha256.to_string(),
                bytes: hashed.bytes,
            })
        }

        /// The digest of a file, as announced, else of the file fetched.
        fn announced(&self, hf: &HfSource, facts: Facts) -> Result<Hashed, HubError> {
            if let Some(sha256) = facts.sha256() {
                let bytes = facts.bytes;
                return Ok(Hashed { sha256, bytes });
            }
            let path = self.fetch_file(self.shared_cache()?, hf, facts)?.path;
            self.stamps.digest(&path, self.progress)
        }

        fn announced_set(
            &self,
            hf: &HfSource,
            chosen: &Chosen,
            main: Facts,
        ) -> Result<Hashed, HubError> {
            let main_name = chosen.file.rsplit('/').next().unwrap_or_default();
            let names = set::weights(main_name, || {
                let facts = self.facts(hf, &chosen.revision, &chosen.file)?;
                let path = self.fetch_file(self.shared_cache()?, hf, facts)?.path;
                std::fs::read(&path).map_err(HubError::io("read", path))
            })?;
            let mut main = Some(main);
            let mut hashed = Vec::new();
            for name in names {
                let facts = match main.take_if(|_| name == main_name) {
                    Some(facts) => facts,
                    None => self.facts(hf, &chosen.revision, &chosen.beside(&name))?,
                };
                hashed.push((name, self.announced(hf, facts)?));
            }
            Ok(set::combined(hashed.iter().map(|(n, h)| (n.as_str(), h))))
        }
    }
}
