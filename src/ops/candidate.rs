//! A model of the catalogue with its file opened: what is known before it is loaded.

use super::{Session, companions};
use crate::clock::Timestamp;
use crate::config::ModelEntry;
use crate::engine::ENGINE_VERSION;
use crate::error::EvalhError;
use crate::hub::ModelFiles;
use crate::memory::{self, MemoryError, ModelShape};
use crate::modelfile::{GgmlType, GgufHeader, ModelFile};
use crate::record::{DeviceChoice, Digest, Dtype, MemoryEstimate, PlannedModelRecord};
use crate::tokenizer::{ByteCodec, Codec, ModelTokenizer, TokenizerFiles};
use crate::units::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a prompt computed at once; the engine's own figure where there is one.
#[cfg(feature = "candle")]
const PREFILL_CHUNK: u32 = crate::engine::candle::PREFILL_CHUNK as u32;
#[cfg(not(feature = "candle"))]
const PREFILL_CHUNK: u32 = memory::PREFILL_CHUNK_ROWS;

/// Context when neither the catalogue nor a suite asks for one: enough for a long business prompt without reserving a model's full window.
const DEFAULT_CONTEXT: u32 = 4096;

/// Files of the catalogue that take the place of parts of the weight file. Read once, so that a run uses what its plan was hashed with.
#[derive(Debug, Clone, Default)]
pub(super) struct Overrides {
    chat_template: Option<String>,
    tokenizer: Option<Arc<External>>,
}

/// A tokenizer that the catalogue names.
#[derive(Debug)]
struct External {
    path: PathBuf,
    files: TokenizerFiles,
}

impl Overrides {
    /// Reads the files that this entry of the catalogue names.
    pub(super) fn read(session: &Session, entry: &ModelEntry) -> Result<Self, EvalhError> {
        let read = |path| session.read(&session.expand(path));
        Ok(Self {
            chat_template: entry.chat_template.as_deref().map(read).transpose()?,
            tokenizer: entry
                .tokenizer
                .as_deref()
                .map(|path| External::read(session, path))
                .transpose()
                .map_err(|e| in_model(&entry.name, e))?
                .map(Arc::new),
        })
    }
}

impl External {
    fn read(session: &Session, path: &Path) -> Result<Self, EvalhError> {
        let path = session.folder.join(session.expand(path));
        let files = companions::read_external(&path)?;
        Ok(Self { path, files })
    }
}

/// A model whose file was found, validated and mapped.
pub(super) struct OpenModel {
    pub(super) name: String,
    license: Option<String>,
    /// The device this entry of the catalogue asks for.
    pub(super) device: Option<DeviceChoice>,
    /// The number format this entry of the catalogue asks for.
    pub(super) dtype: Option<Dtype>,
    pub(super) files: ModelFiles,
    pub(super) overrides: Overrides,
    pub(super) weights: Arc<ModelFile>,
    pub(super) tokenizer: Arc<ModelTokenizer>,
    pub(super) shape: ModelShape,
}

impl OpenModel {
    /// Maps and validates the file, reads its tokenizer and its shape, and the files the catalogue puts in place of parts of it.
    pub(super) fn open(
        session: &Session,
        entry: &ModelEntry,
        files: ModelFiles,
    ) -> Result<Self, EvalhError> {
        Self::open_with(session.now, entry, files, Overrides::read(session, entry)?)
    }

    /// As [`OpenModel::open`], with overrides that were read before.
    pub(super) fn open_with(
        now: Timestamp,
        entry: &ModelEntry,
        files: ModelFiles,
        overrides: Overrides,
    ) -> Result<Self, EvalhError> {
        let in_model = |source: EvalhError| in_model(&entry.name, source);
        let weights = ModelFile::open(&files.path).map_err(|e| in_model(e.into()))?;
        let shape = shape_of(&weights).map_err(|e| in_model(e.into()))?;
        let tokenizer = tokenizer_of(&weights, &overrides, now).map_err(in_model)?;
        Ok(Self {
            name: entry.name.clone(),
            license: entry.license.clone(),
            device: entry.device,
            dtype: entry.dtype,
            files,
            overrides,
            weights: Arc::new(weights),
            tokenizer: Arc::new(tokenizer),
            shape,
        })
    }

    /// Bytes it needs at this context.
    pub(super) fn estimate(&self, context: u32) -> MemoryEstimate {
        let estimate = estimate_of(&self.shape, context);
        #[cfg(feature = "candle")]
        if let Some((weights, attention)) =
            crate::engine::adapter_memory(&self.weights, self.shape.heads, context)
        {
            return MemoryEstimate {
                weights,
                // The state after a context is kept while its continuations are scored.
                kv_cache: estimate.kv_cache.plus(estimate.kv_cache),
                activations: estimate.activations.plus(attention),
                ..estimate
            };
        }
        estimate
    }

    /// The label of the weights' quantisation.
    pub(super) fn quantization(&self) -> Option<String> {
        match self.weights.as_ref() {
            ModelFile::Gguf(file) => quantization(file.header()),
            ModelFile::Safetensors(files) => files.set().main_dtype().map(|d| d.name().to_owned()),
        }
    }

    /// Everything the plan and the record want to know.
    pub(super) fn record(&self, context: u32) -> PlannedModelRecord {
        let template = self.tokenizer.template_digest();
        PlannedModelRecord {
            id: content_id(
                &self.files.sha256,
                self.tokenizer.digest(),
                template,
                "candle",
            ),
            name: self.name.clone(),
            position: 0,
            source: Some(self.files.source.clone()),
            weights_sha256: Some(self.files.sha256.clone()),
            file_bytes: Some(self.files.bytes),
            architecture: Some(self.shape.architecture.clone()),
            quantization: self.quantization(),
            parameters: Some(self.weights.parameters()),
            context: u32::try_from(self.shape.context).ok(),
            tokenizer_digest: Some(self.tokenizer.digest().clone()),
            template_digest: template.cloned(),
            eos_ids: self.tokenizer.eos_ids().to_vec(),
            license: self.license.clone(),
            estimate: Some(self.estimate(context)),
        }
    }
}

fn shape_of(weights: &ModelFile) -> Result<ModelShape, MemoryError> {
    match weights {
        ModelFile::Gguf(file) => memory::shape(file.header(), file.bytes()),
        ModelFile::Safetensors(files) => memory::shape_from_config(files.config(), files.set()),
    }
}

/// The tokenizer inside the weights, or the one in the files beside them, or the one the catalogue names.
fn tokenizer_of(
    weights: &ModelFile,
    overrides: &Overrides,
    now: Timestamp,
) -> Result<ModelTokenizer, EvalhError> {
    let template = overrides.chat_template.as_deref();
    let external = overrides.tokenizer.as_deref();
    Ok(match (weights, external) {
        (ModelFile::Gguf(file), external) => {
            let own = ModelTokenizer::from_gguf(file.header(), file.bytes(), template, now)?;
            match external {
                Some(External { path, files }) => {
                    ModelTokenizer::from_files(files, template, now)?.in_place_of(own, path)?
                }
                None => own,
            }
        }
        (ModelFile::Safetensors(files), None) => {
            ModelTokenizer::from_files(&companions::read(files)?, template, now)?
        }
        (ModelFile::Safetensors(files), Some(external)) => {
            let mut beside = external.files.clone();
            beside.config = Some(files.config().to_vec());
            ModelTokenizer::from_files(&beside, template, now)?
        }
    })
}

/// The error of a room, with the model it is about.
pub(super) fn in_model(model: &str, source: EvalhError) -> EvalhError {
    EvalhError::Model {
        model: model.to_owned(),
        source: Box::new(source),
    }
}

/// Bytes a model of this shape needs at this context.
pub(super) fn estimate_of(shape: &ModelShape, context: u32) -> MemoryEstimate {
    // The cache is f32 on the CPU and f16 elsewhere; the larger figure is promised.
    memory::estimate(shape, context, PREFILL_CHUNK, 4)
}

/// The label of a file's quantisation: by its file type where the format defines one, else the type of most of its bytes.
pub(super) fn quantization(header: &GgufHeader) -> Option<String> {
    let declared = header
        .unsigned("general.file_type")
        .ok()
        .flatten()
        .and_then(file_type);
    declared.map(str::to_owned).or_else(|| {
        let mut bytes: BTreeMap<GgmlType, u64> = BTreeMap::new();
        for tensor in header.tensors.values() {
            *bytes.entry(tensor.ty).or_default() += tensor.bytes;
        }
        bytes
            .into_iter()
            .max_by_key(|b| b.1)
            .map(|(ty, _)| ty.name().to_owned())
    })
}

/// The identity of a model in every key: its weights, tokenizer, template and the engine's numerical version. Never its name.
fn content_id(
    weights: &Digest,
    tokenizer: &Digest,
    template: Option<&Digest>,
    engine: &str,
) -> Digest {
    let template = template.map_or("plain", Digest::as_str);
    let version = ENGINE_VERSION.to_string();
    Digest::of_parts(
        [
            weights.as_str(),
            tokenizer.as_str(),
            template,
            engine,
            &version,
        ]
        .map(str::as_bytes),
    )
}

/// The record of a model under the mock engine: it has no weights, so its name stands for them.
pub(super) fn mock_record(
    entry: &ModelEntry,
    codec: &ByteCodec,
    context: u32,
    weights_bytes: Bytes,
) -> PlannedModelRecord {
    let weights = Digest::of(entry.name.as_bytes());
    PlannedModelRecord {
        id: content_id(&weights, codec.digest(), None, "mock"),
        name: entry.name.clone(),
        position: 0,
        source: None,
        weights_sha256: None,
        file_bytes: None,
        architecture: Some("mock".to_owned()),
        quantization: None,
        parameters: None,
        context: Some(context),
        tokenizer_digest: Some(codec.digest().clone()),
        template_digest: None,
        eos_ids: codec.eos_ids().to_vec(),
        license: entry.license.clone(),
        estimate: Some(MemoryEstimate {
            weights: weights_bytes,
            overhead: Bytes(64_000_000),
            context,
            ..MemoryEstimate::default()
        }),
    }
}

/// The record of a model whose files could not be had: its name stands for the content nobody has seen.
pub(super) fn unseen_record(entry: &ModelEntry) -> PlannedModelRecord {
    let declared = entry
        .sha256
        .clone()
        .unwrap_or_else(|| Digest::of(entry.name.as_bytes()));
    PlannedModelRecord {
        weights_sha256: entry.sha256.clone(),
        parameters: entry.parameters,
        context: entry.context,
        license: entry.license.clone(),
        ..PlannedModelRecord::new(
            Digest::of_parts([b"unseen".as_slice(), declared.as_str().as_bytes()]),
            &entry.name,
        )
    }
}

/// The context to reserve: as asked, else as the catalogue says, else a default; never above what the model was trained for.
pub(super) fn planned_context(entry: &ModelEntry, shape: &ModelShape, asked: Option<u32>) -> u32 {
    let trained = u32::try_from(shape.context).unwrap_or(u32::MAX);
    asked
        .or(entry.context)
        .unwrap_or(DEFAULT_CONTEXT)
        .min(trained)
}

/// Names of `general.file_type` (ggml's `enum ggml_ftype` / llama.cpp's `enum llama_ftype`).
fn file_type(id: u64) -> Option<&'static str> {
    Some(match id {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        25 => "IQ4_NL",
        30 => "IQ4_XS",
        32 => "BF16",
        _ => return None,
    })
}
