//! The headers of a repository's weights, without the weights.

use super::hf::{Chosen, resolve_url};
use super::range::Prefix;
use super::{Hub, HubError, set};
use crate::config::HfSource;
use crate::modelfile::{GgufHeader, ModelFileError, SafetensorsHeader, SafetensorsIndex};

/// Bytes that are asked for first; most headers without a vocabulary are shorter.
const FIRST_BYTES: u64 = 1 << 20;
/// Beyond this the file itself is fetched: the limit of a header.
const MOST_BYTES: u64 = 256 << 20;
/// Largest `config.json` and index that are read.
const MOST_SMALL_BYTES: u64 = 64 << 20;

/// The beginning of one weight file: its whole header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Name of the file.
    pub name: String,
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// Size of the whole file.
    pub total: u64,
}

/// What a repository holds for a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peek {
    /// The commit.
    pub commit: String,
    /// The file the source means; of a set of safetensors the main one.
    pub file: String,
    /// The weight files.
    pub heads: Vec<Head>,
    /// `config.json`, for a set of safetensors.
    pub config: Option<Vec<u8>>,
    /// The index, for a set of several files.
    pub index: Option<Vec<u8>>,
}

impl Hub<'_> {
    /// Resolves a source and reads the headers of its weights. `None` when the server sends files only whole.
    ///
    /// # Errors
    /// When the hub cannot be asked, refuses, or holds something else than weights.
    pub fn peek(&self, hf: &HfSource) -> Result<Option<Peek>, HubError> {
        self.network()?;
        self.progress.phase("asking the hub");
        let mut chosen = self.choose_file(hf, None)?;
        let facts = self.facts(hf, &chosen.revision, &chosen.file)?;
        chosen.revision.clone_from(&facts.commit);
        let mut peek = Peek {
            commit: facts.commit,
            file: chosen.file.clone(),
            heads: Vec::new(),
            config: None,
            index: None,
        };
        let mut names = vec![chosen.file.clone()];
        if set::is_main(&chosen.file) {
            peek.config = Some(self.small(hf, &chosen, &chosen.beside("config.json"))?);
            if SafetensorsIndex::is_name(&chosen.file) {
                let index = self.small(hf, &chosen, &chosen.file)?;
                let read =
                    SafetensorsIndex::parse(&index).map_err(|e| unusable(&chosen.file, e))?;
                names = read.files().iter().map(|n| chosen.beside(n)).collect();
                peek.index = Some(index);
            }
        }
        for name in names {
            match self.head(hf, &chosen, &name)? {
                Some(head) => peek.heads.push(head),
                None => return Ok(None),
            }
        }
        Ok(Some(peek))
    }

    /// The beginning of a file, made longer until its header is whole.
    fn head(&self, hf: &HfSource, chosen: &Chosen, name: &str) -> Result<Option<Head>, HubError> {
        let mut count = FIRST_BYTES;
        loop {
            let Some(Prefix { bytes, total }) = self.prefix(hf, chosen, name, count)? else {
                return Ok(None);
            };
            let checked = if set::is_main(name) {
                SafetensorsHeader::parse(&bytes, total).map(|_| ())
            } else {
                GgufHeader::parse_head(&bytes, total).map(|_| ())
            };
            match checked {
                Ok(()) => {
                    let name = name.rsplit('/').next().unwrap_or_default().to_owned();
                    return Ok(Some(Head { name, bytes, total }));
                }
                Err(ModelFileError::Truncated { .. }) if count < total && count < MOST_BYTES => {
                    count = count.saturating_mul(4).min(MOST_BYTES);
                }
                Err(source) => return Err(unusable(name, source)),
            }
        }
    }

    /// A file that is small.
    fn small(&self, hf: &HfSource, chosen: &Chosen, name: &str) -> Result<Vec<u8>, HubError> {
        match self.prefix(hf, chosen, name, MOST_SMALL_BYTES)? {
            Some(prefix) if prefix.total <= MOST_SMALL_BYTES => Ok(prefix.bytes),
            _ => Err(HubError::Protocol {
                url: resolve_url(&self.settings.hf.endpoint, hf, &chosen.revision, name),
                problem: format!("more than {MOST_SMALL_BYTES} bytes"),
            }),
        }
    }

    fn prefix(
        &self,
        hf: &HfSource,
        chosen: &Chosen,
        name: &str,
        count: u64,
    ) -> Result<Option<Prefix>, HubError> {
        let url = resolve_url(&self.settings.hf.endpoint, hf, &chosen.revision, name);
        let repo = hf.repo_id();
        self.http
            .prefix(self.request(&url, &repo), count, self.progress)
    }
}

fn unusable(file: &str, source: ModelFileError) -> HubError {
    HubError::Index {
        file: file.to_owned(),
        source,
    }
}
