//! What a model's files, or their headers alone, say about the model.

use super::Session;
use super::candidate::{OpenModel, in_model, quantization};
use super::companions::read_file;
#[cfg(feature = "hub")]
use crate::clock::Timestamp;
use crate::config::ModelEntry;
use crate::error::EvalhError;
use crate::hub::ModelFiles;
use crate::memory::{self, ModelShape};
use crate::modelfile::{GgufHeader, ModelFile, SafetensorsSet, is_safetensors};
#[cfg(feature = "hub")]
use crate::tokenizer::ModelTokenizer;
use crate::tokenizer::{ChatTemplate, TokenizerFile, Variables};
use std::path::{Path, PathBuf};

/// A sentence that every tokenizer has to take and give back without an error.
const TRIAL: &str = "The quick brown fox, 3.5 × faster: naïve 漢字 🙂\n\tdone.";

/// What is known of a model before it is run.
pub(super) struct ModelFacts {
    pub(super) shape: ModelShape,
    pub(super) quantization: Option<String>,
    pub(super) parameters: u64,
    pub(super) title: Option<String>,
    pub(super) license: Option<String>,
}

impl ModelFacts {
    /// Opens and checks everything of a model that is on this machine.
    pub(super) fn of_files(
        session: &Session,
        entry: &ModelEntry,
        files: &ModelFiles,
    ) -> Result<Self, EvalhError> {
        if is_safetensors(&files.path) {
            return of_set(session, entry, &files.path).map_err(|e| in_model(&entry.name, e));
        }
        let model = OpenModel::open(session, entry, files.clone())?;
        Ok(match model.weights.as_ref() {
            ModelFile::Gguf(file) => Self::of_header(file.header(), model.shape),
            ModelFile::Safetensors(set) => Self::of_headers(set.config(), set.set())?,
        })
    }

    /// Checks a GGUF header. `head` holds the bytes it was parsed from.
    #[cfg(feature = "hub")]
    pub(super) fn of_head(now: Timestamp, head: &[u8], total: u64) -> Result<Self, EvalhError> {
        let header = GgufHeader::parse_head(head, total)?;
        let shape = memory::shape(&header, head)?;
        ModelTokenizer::from_gguf(&header, head, None, now)?;
        Ok(Self::of_header(&header, shape))
    }

    fn of_header(header: &GgufHeader, shape: ModelShape) -> Self {
        let text = |key| header.string(key).ok().flatten().map(str::to_owned);
        Self {
            shape,
            quantization: quantization(header),
            parameters: header.parameters(),
            title: text("general.name"),
            license: text("general.license"),
        }
    }

    /// The facts of safetensors weights with their `config.json`.
    pub(super) fn of_headers(config: &[u8], set: &SafetensorsSet) -> Result<Self, EvalhError> {
        Ok(Self {
            shape: memory::shape_from_config(config, set)?,
            quantization: set.main_dtype().map(|d| d.name().to_owned()),
            parameters: set.parameters(),
            title: None,
            license: None,
        })
    }
}

/// Checks a set of safetensors and its `config.json`, and the tokenizer and chat template that the catalogue names or that lie beside it.
fn of_set(session: &Session, entry: &ModelEntry, main: &Path) -> Result<ModelFacts, EvalhError> {
    let set = SafetensorsSet::open(main)?;
    let facts = ModelFacts::of_headers(&read_file(&main.with_file_name("config.json"))?, &set)?;
    let beside = |named: &Option<PathBuf>, name: &str| match named {
        Some(path) => Some(session.expand(path)),
        None => Some(main.with_file_name(name)).filter(|p| p.is_file()),
    };
    if let Some(path) = beside(&entry.tokenizer, "tokenizer.json") {
        let tokenizer = TokenizerFile::parse(&read_file(&path)?)?;
        tokenizer.decode(&tokenizer.encode(TRIAL)?)?;
    }
    if let Some(path) = beside(&entry.chat_template, "chat_template.jinja") {
        let text = String::from_utf8_lossy(&read_file(&path)?).into_owned();
        ChatTemplate::new(&text, Variables::default(), session.now)?;
    }
    Ok(facts)
}
