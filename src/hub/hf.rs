//! The Hugging Face protocol: what a revision means, what a file is, and where its bytes are.
//!
//! `HEAD {endpoint}/{repo}/resolve/{revision}/{file}` answers with `x-repo-commit`, `etag` and `content-length`, or for large files, on a
//! redirect, with `x-linked-etag` and `x-linked-size`. `GET {endpoint}/api/models/{repo}/revision/{revision}` lists a repository. Large files
//! have the SHA-256 of their content as etag.

use super::fetch::{Found, Hub, same};
use super::hf_cache::{CachedFile, HfCache, is_commit};
use super::http::{Request, Target, content_length, header};
use super::local::{choose, is_pattern};
use super::stamp::Hashed;
use super::{HubError, LockFile, blobs, set};
use crate::config::{HfSource, ModelEntry, Source, is_safe_inner_path};
use crate::record::Digest;
use std::io::Read as _;
use std::path::Path;
use ureq::http::HeaderMap;

/// What the hub says of one file.
pub(super) struct Facts {
    pub(super) commit: String,
    pub(super) file: String,
    pub(super) etag: String,
    pub(super) bytes: u64,
}

impl Facts {
    /// The digest of the content, which is the etag of large files.
    pub(super) fn sha256(&self) -> Option<Digest> {
        Digest::from_hex(&self.etag)
    }
}

/// The file that a source means.
pub(super) struct Chosen {
    /// The revision to ask for; a commit when the repository was listed.
    pub(super) revision: String,
    pub(super) file: String,
    /// The other files of the repository, when it was listed.
    pub(super) siblings: Vec<String>,
}

impl Chosen {
    /// A name in the folder of the file.
    pub(super) fn beside(&self, name: &str) -> String {
        match self.file.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{name}"),
            None => name.to_owned(),
        }
    }

    /// Whether a file is in the folder of the file.
    pub(super) fn has(&self, name: &str) -> bool {
        self.siblings.contains(&self.beside(name))
    }
}

impl Hub<'_> {
    /// Fetches a file into the shared cache and makes it known under its digest.
    pub(super) fn fetch_hf(
        &self,
        entry: &ModelEntry,
        source: &Source,
        hf: &HfSource,
        lock: &LockFile,
    ) -> Result<Found, HubError> {
        self.network()?;
        let shared = self.shared_cache()?;
        let locked = lock.find(&entry.name, &source.to_string());
        if self.settings.locked && locked.is_none() && entry.sha256.is_none() && !hf.is_pinned() {
            return Err(HubError::LockMissing {
                lock: self.settings.lock_path.clone().unwrap_or_default(),
                model: entry.name.clone(),
                source_text: source.to_string(),
            });
        }
        let pin = locked.and_then(|l| l.commit.as_deref());
        self.progress.phase("asking the hub");
        let chosen = self.choose_file(hf, pin)?;
        let cached = if set::is_main(&chosen.file) {
            self.fetch_set(shared, hf, &chosen)?
        } else {
            let facts = self.facts(hf, &chosen.revision, &chosen.file)?;
            if let (Some(expected), Some(announced)) = (&entry.sha256, facts.sha256()) {
                // Known to be wrong before a byte is transferred.
                same(&describe(hf, &facts), "the catalogue", expected, &announced)?;
            }
            self.fetch_file(shared, hf, facts)?
        };
        self.accept_shared(entry, source, hf, &cached, lock)
    }

    /// The cache that files of a hub are kept in.
    pub(super) fn shared_cache(&self) -> Result<&HfCache, HubError> {
        self.shared.as_ref().ok_or_else(|| HubError::Variable {
            variable: "HF_HUB_CACHE".to_owned(),
            needed: "set, and neither `HF_HOME` nor `HOME` is",
        })
    }

    /// Brings one file into the shared cache.
    pub(super) fn fetch_file(
        &self,
        shared: &HfCache,
        hf: &HfSource,
        facts: Facts,
    ) -> Result<CachedFile, HubError> {
        self.store(shared, hf, &facts)?;
        let path = shared.publish(hf, &facts.commit, &facts.file, &facts.etag)?;
        Ok(CachedFile {
            commit: facts.commit,
            file: facts.file,
            path,
        })
    }

    /// Brings a set of safetensors with its companions into the shared cache, the main file last.
    fn fetch_set(
        &self,
        shared: &HfCache,
        hf: &HfSource,
        chosen: &Chosen,
    ) -> Result<CachedFile, HubError> {
        let fetch = |file: &str| {
            let facts = self.facts(hf, &chosen.revision, file)?;
            self.fetch_file(shared, hf, facts)
        };
        let main = last_part(&chosen.file);
        // The index is small, and says what else there is.
        let weights = set::weights(main, || read_small(&fetch(&chosen.file)?.path))?;
        let companions = set::companions(|name| chosen.has(name));
        let companions = companions.map(ToOwned::to_owned);
        for name in companions.chain(weights).filter(|name| name != main) {
            fetch(&chosen.beside(&name))?;
        }
        fetch(&chosen.file)
    }

    /// A plain download, continued where an earlier one ended.
    pub(super) fn fetch_https(
        &self,
        entry: &ModelEntry,
        source: &Source,
        url: &str,
    ) -> Result<Found, HubError> {
        self.network()?;
        let name = blobs::file_name(super::http::without_query(url).as_str());
        let key = entry
            .sha256
            .clone()
            .unwrap_or_else(|| Digest::of(url.as_bytes()));
        let part = self.blobs.partial(&key)?;
        let request = Request {
            url,
            token: None,
            repo: None,
        };
        let target = Target {
            part: &part,
            total: None,
            name: &name,
        };
        self.http.download(request, &target, self.progress)?;
        let hashed = super::stamp::hash_file(&part, self.progress)?;
        self.keep(entry, source, &part, hashed, &name)
            .inspect_err(|e| {
                if matches!(e, HubError::Digest { .. }) {
                    // Continuing a wrong file could never make it right.
                    let _ = std::fs::remove_file(&part);
                }
            })
    }

    /// Decides which file a source means. `pin` is the commit of `models.lock`. The repository is listed only when that is needed.
    pub(super) fn choose_file(&self, hf: &HfSource, pin: Option<&str>) -> Result<Chosen, HubError> {
        let revision = pin.unwrap_or_else(|| hf.revision_or_main());
        match &hf.file {
            Some(file) if !is_pattern(file) && !set::is_main(file) => Ok(Chosen {
                revision: revision.to_owned(),
                file: file.clone(),
                siblings: Vec::new(),
            }),
            wanted => self.list(hf, revision, wanted.as_deref()),
        }
    }

    /// Asks what a file of a revision is.
    pub(super) fn facts(
        &self,
        hf: &HfSource,
        revision: &str,
        file: &str,
    ) -> Result<Facts, HubError> {
        let repo = hf.repo_id();
        let url = resolve_url(&self.settings.hf.endpoint, hf, revision, file);
        let headers = self.http.head(self.request(&url, &repo), self.progress)?;
        let facts = read_facts(&url, &headers, file.to_owned())?;
        if is_commit(revision) && facts.commit != revision {
            return Err(HubError::Protocol {
                url,
                problem: format!(
                    "the commit `{}` where `{revision}` was asked for",
                    facts.commit
                ),
            });
        }
        Ok(facts)
    }

    /// The commit of a revision and the one file in it that fits.
    fn list(
        &self,
        hf: &HfSource,
        revision: &str,
        wanted: Option<&str>,
    ) -> Result<Chosen, HubError> {
        let repo = hf.repo_id();
        let endpoint = &self.settings.hf.endpoint;
        let url = format!("{endpoint}/api/models/{repo}/revision/{revision}");
        let answer = self.http.json(self.request(&url, &repo), self.progress)?;
        let problem = |problem: &str| HubError::Protocol {
            url: url.clone(),
            problem: problem.to_owned(),
        };
        let commit = answer["sha"]
            .as_str()
            .filter(|c| is_commit(c))
            .ok_or_else(|| problem("no commit in `sha`"))?;
        let files: Vec<String> = answer["siblings"]
            .as_array()
            .ok_or_else(|| problem("no list of files in `siblings`"))?
            .iter()
            .filter_map(|f| f["rfilename"].as_str().map(ToOwned::to_owned))
            .collect();
        let file = choose(&repo, wanted, &files)?;
        if !is_safe_inner_path(&file) {
            return Err(HubError::UnsafeName {
                from: repo,
                name: super::error::printable(&file),
            });
        }
        Ok(Chosen {
            revision: commit.to_owned(),
            file,
            siblings: files,
        })
    }

    pub(super) fn request<'a>(&'a self, url: &'a str, repo: &'a str) -> Request<'a> {
        Request {
            url,
            token: self.settings.hf.token.as_ref(),
            repo: Some(repo),
        }
    }

    /// Brings a blob into the shared cache, unless it is there whole.
    fn store(&self, shared: &HfCache, hf: &HfSource, facts: &Facts) -> Result<(), HubError> {
        let blob = shared.blob(hf, &facts.etag);
        let lock = shared.lock_path(hf, &facts.etag);
        let _guard = blobs::lock_file(&lock, self.progress)?;
        if self.is_whole(&blob, facts)? {
            return Ok(());
        }
        let folder = blob.parent().unwrap_or(&blob).to_owned();
        std::fs::create_dir_all(&folder).map_err(HubError::io("create", &folder))?;
        let part = folder.join(format!("{}.incomplete", facts.etag));
        let continued = std::fs::metadata(&part).is_ok_and(|m| m.len() > 0);
        let hashed = match self.transfer(hf, facts, &part) {
            // What an earlier attempt left may have been damaged, or written by a tool that fills files out of order.
            Err(HubError::Digest { .. }) if continued => {
                self.progress.phase("fetching anew what was left damaged");
                self.transfer(hf, facts, &part)?
            }
            other => other?,
        };
        blobs::sync_file(&part)?;
        std::fs::rename(&part, &blob).map_err(HubError::io("rename to", &blob))?;
        blobs::sync_folder(&folder);
        self.stamps.write(&blob, &hashed.sha256);
        Ok(())
    }

    /// Completes a part file and compares it with what the hub declares; one that is wrong is removed.
    fn transfer(&self, hf: &HfSource, facts: &Facts, part: &Path) -> Result<Hashed, HubError> {
        let url = resolve_url(&self.settings.hf.endpoint, hf, &facts.commit, &facts.file);
        let target = Target {
            part,
            total: Some(facts.bytes),
            name: &facts.file,
        };
        if facts.bytes == 0 {
            std::fs::write(part, b"").map_err(HubError::io("write", part))?;
        }
        self.http
            .download(self.request(&url, &hf.repo_id()), &target, self.progress)
            .and_then(|()| {
                let hashed = super::stamp::hash_file(part, self.progress)?;
                if let Some(d) = facts.sha256() {
                    same(&describe(hf, facts), "the hub", &d, &hashed.sha256)?;
                }
                Ok(hashed)
            })
            .inspect_err(|e| {
                if matches!(e, HubError::Digest { .. } | HubError::Length { .. }) {
                    // Continuing a wrong file could never make it right.
                    let _ = std::fs::remove_file(part);
                }
            })
    }

    /// Whether the blob is there with the size, and the digest if there is one, that the hub declares.
    fn is_whole(&self, blob: &Path, facts: &Facts) -> Result<bool, HubError> {
        if !std::fs::metadata(blob).is_ok_and(|m| m.is_file() && m.len() == facts.bytes) {
            return Ok(false);
        }
        match facts.sha256() {
            None => Ok(true),
            Some(declared) => Ok(self.stamps.digest(blob, self.progress)?.sha256 == declared),
        }
    }
}

fn describe(hf: &HfSource, facts: &Facts) -> String {
    format!("hf:{}@{}/{}", hf.repo_id(), facts.commit, facts.file)
}

/// The last part of a path in a repository.
fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Reads a file of the cache that was small when the hub declared it.
fn read_small(path: &Path) -> Result<Vec<u8>, HubError> {
    let mut text = Vec::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(64 << 20).read_to_end(&mut text))
        .map_err(HubError::io("read", path))?;
    Ok(text)
}

pub(super) fn resolve_url(endpoint: &str, hf: &HfSource, revision: &str, file: &str) -> String {
    let repo = hf.repo_id();
    format!("{endpoint}/{repo}/resolve/{revision}/{}", escape_path(file))
}

/// Escapes what may not stand in a path of a URL; slashes stay.
fn escape_path(path: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/') {
            escaped.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn read_facts(url: &str, headers: &HeaderMap, file: String) -> Result<Facts, HubError> {
    let problem = |problem: &str| HubError::Protocol {
        url: url.to_owned(),
        problem: problem.to_owned(),
    };
    let commit = header(headers, "x-repo-commit")
        .filter(|c| is_commit(c))
        .ok_or_else(|| problem("no commit in `x-repo-commit`"))?;
    let etag = header(headers, "x-linked-etag")
        .or_else(|| header(headers, "etag"))
        .map(|e| e.trim().trim_start_matches("W/").trim_matches('"'))
        .filter(|e| is_etag(e))
        .ok_or_else(|| problem("no usable `etag`"))?;
    let bytes = match header(headers, "x-linked-size") {
        Some(size) => size.trim().parse().ok(),
        None => content_length(headers),
    };
    Ok(Facts {
        commit: commit.to_owned(),
        file,
        etag: etag.to_owned(),
        bytes: bytes.ok_or_else(|| problem("no size"))?,
    })
}

/// An etag becomes a file name.
fn is_etag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
