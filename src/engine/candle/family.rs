//! Descriptions of model families: what the metadata of a GGUF file says about the blocks of its decoder.
//!
//! A family is one function from metadata to a [`Blueprint`] and one line in [`FAMILIES`]. It knows no tensors and no device.
//!
//! Sources: the `config.json` fields of each family in the transformers library, and llama.cpp's `docs`/`gguf-py` for the key names.

use crate::engine::EngineError;
use crate::engine::kernels::elementwise::{Activation, RopeStyle};
use crate::modelfile::GgufHeader;

/// Rotary embedding of one layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RopeSpec {
    /// Base of the frequencies.
    pub base: f64,
    /// Positions are divided by this (linear scaling); 1 means unscaled.
    pub factor: f64,
    /// Whether the file's own per-frequency factors (`rope_freqs.weight`) apply.
    pub file_factors: bool,
}

/// One layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LayerSpec {
    /// Rotary embedding.
    pub rope: RopeSpec,
    /// Sliding window in tokens; `None` sees everything.
    pub window: Option<usize>,
    /// Key/value heads.
    pub kv_heads: usize,
}

/// A decoder, described.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Blueprint {
    /// Width of the residual stream.
    pub embedding: usize,
    /// Query heads.
    pub heads: usize,
    /// Values in a head.
    pub head_dim: usize,
    /// Values of a head that are rotated.
    pub rope_dims: usize,
    /// Width of the gated MLP.
    pub feed_forward: usize,
    /// Trained context.
    pub context: usize,
    /// Epsilon of every norm.
    pub eps: f32,
    /// Layers in order.
    pub layers: Vec<LayerSpec>,
    /// Order of rotated pairs.
    pub rope_style: RopeStyle,
    /// Queries and keys are normalised per head.
    pub qk_norm: bool,
    /// Attention and MLP outputs are normalised before they are added.
    pub post_norms: bool,
    /// Activation of the MLP's gate.
    pub activation: Activation,
    /// Factor on the embeddings.
    pub embedding_scale: Option<f32>,
    /// Factor on attention scores.
    pub attention_scale: f32,
    /// Soft cap of attention scores.
    pub attention_softcap: Option<f32>,
    /// Soft cap of logits.
    pub logit_softcap: Option<f32>,
}

/// A family's reader.
type Family = fn(&Keys<'_>) -> Result<Blueprint, EngineError>;

/// Every architecture with a description, by its name in the file.
const FAMILIES: [(&str, Family); 2] = [("llama", llama), ("gemma3", gemma3)];

/// The architectures that can be run.
pub fn supported_architectures() -> Vec<&'static str> {
    FAMILIES.iter().map(|f| f.0).collect()
}

/// Reads the description of the decoder in a file.
pub(super) fn blueprint(header: &GgufHeader) -> Result<Blueprint, EngineError> {
    let architecture = header.string("general.architecture")?.unwrap_or("");
    let family = FAMILIES
        .iter()
        .find(|f| f.0 == architecture)
        .ok_or_else(|| EngineError::UnsupportedArchitecture {
            found: architecture.to_owned(),
            supported: supported_architectures(),
        })?;
    family.1(&Keys {
        header,
        architecture,
    })
}

/// Metadata keys of one architecture, range-checked.
struct Keys<'h> {
    header: &'h GgufHeader,
    architecture: &'h str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn wrong(&self, name: &str, found: impl ToString, why: &str) -> EngineError {
        EngineError::Metadata {
            key: self.key(name),
            found: found.to_string(),
            why: why.to_owned(),
        }
    }

    fn optional(&self, name: &str, most: u64) -> Result<Option<usize>, EngineError> {
        match self.header.unsigned(&self.key(name))? {
            None => Ok(None),
            Some(v) if (1..=most).contains(&v) => Ok(Some(v as usize)),
            Some(v) => Err(self.wrong(name, v, &format!("it must be 1 to {most}"))),
        }
    }

    fn required(&self, name: &str, most: u64) -> Result<usize, EngineError> {
        self.optional(name, most)?
            .ok_or_else(|| self.wrong(name, "missing", "the architecture needs it"))
    }

    fn positive(&self, name: &str) -> Result<Option<f64>, EngineError> {
        match self.header.float(&self.key(name))? {
            Some(v) if !(v.is_finite() && v > 0.0) => {
                Err(self.wrong(name, v, "it must be a positive number"))
            }
            other => Ok(other),
        }
    }

    /// Linear rope scaling; refuses the kinds this decoder does not compute.
    fn rope_factor(&self) -> Result<f64, EngineError> {
        let kind = self.key("rope.scaling.type");
        match self.header.string(&kind)? {
            None | Some("none") => Ok(1.0),
            Some("linear") => Ok(self.positive("rope.scaling.factor")?.unwrap_or(1.0)),
            Some(other) => Err(self.wrong(
                "rope.scaling.type",
                other,
                "only `none` and `linear` are supported",
            )),
        }
    }

    /// What all families share; a family overrides the rest.
    fn base(&self) -> Result<Blueprint, EngineError> {
        let embedding = self.required("embedding_length", 1 << 16)?;
        let heads = self.required("attention.head_count", 1 << 10)?;
        let kv_heads = self
            .optional("attention.head_count_kv", 1 << 10)?
            .unwrap_or(heads);
        let head_dim = self
            .optional("attention.key_length", 1 << 10)?
            .unwrap_or(embedding / heads);
        if heads % kv_heads != 0 {
            return Err(self.wrong(
                "attention.head_count_kv",
                kv_heads,
                &format!("it must divide the {heads} heads"),
            ));
        }
        if self
            .optional("attention.value_length", 1 << 10)?
            .is_some_and(|v| v != head_dim)
        {
            return Err(self.wrong(
                "attention.value_length",
                "different",
                "it must equal the key length",
            ));
        }
        let rope_dims = self
            .optional("rope.dimension_count", 1 << 10)?
            .unwrap_or(head_dim);
        if head_dim % 16 != 0 || rope_dims % 2 != 0 || rope_dims > head_dim {
            return Err(self.wrong(
                "attention.key_length",
                head_dim,
                "it must be a multiple of 16 and hold the rotated part",
            ));
        }
        let eps = self.positive("attention.layer_norm_rms_epsilon")?;
        let rope = RopeSpec {
            base: self.positive("rope.freq_base")?.unwrap_or(10_000.0),
            factor: self.rope_factor()?,
            file_factors: true,
        };
        let layer = LayerSpec {
            rope,
            window: None,
            kv_heads,
        };
        Ok(Blueprint {
            embedding,
            heads,
            head_dim,
            rope_dims,
            feed_forward: self.required("feed_forward_length", 1 << 20)?,
            context: self.required("context_length", 1 << 24)?,
            eps: eps.ok_or_else(|| {
                self.wrong(
                    "attention.layer_norm_rms_epsilon",
                    "missing",
                    "the architecture needs it",
                )
            })? as f32,
            layers: vec![layer; self.required("block_count", 1 << 10)?],
            rope_style: RopeStyle::Halves,
            qk_norm: false,
            post_norms: false,
            activation: Activation::Silu,
            embedding_scale: None,
            attention_scale: 1.0 / (head_dim as f32).sqrt(),
            attention_softcap: None,
            logit_softcap: None,
        })
    }
}

/// Llama 1 to 3, SmolLM2, Mistral in its Llama form. Files hold query and key rows in the order of neighbouring pairs.
fn llama(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    if keys.optional("expert_count", 1 << 16)?.is_some() {
        return Err(keys.wrong(
            "expert_count",
            "set",
            "mixtures of experts are not supported",
        ));
    }
    Ok(Blueprint {
        rope_style: RopeStyle::Neighbours,
        ..keys.base()?
    })
}

/// Gemma 3: norms around both halves of a block, normalised queries and keys, five local layers for each global one.
fn gemma3(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    const LOCAL_ROPE_BASE: f64 = 10_000.0;
    let mut blueprint = keys.base()?;
    let window = keys.required("attention.sliding_window", 1 << 24)?;
    let pattern = keys
        .optional("attention.sliding_window_pattern", 1 << 10)?
        .unwrap_or(6);
    let local_base = keys
        .positive("rope.freq_base_swa")?
        .unwrap_or(LOCAL_ROPE_BASE);
    for (i, layer) in blueprint.layers.iter_mut().enumerate() {
        if (i + 1) % pattern != 0 {
            layer.window = Some(window);
            layer.rope = RopeSpec {
                base: local_base,
                factor: 1.0,
                file_factors: false,
            };
        }
    }
    // The 27B model scales its queries by the width of a head's share of the residual stream, all others by the head's own width.
    if blueprint.layers.len() == 62 {
        blueprint.attention_scale = 1.0 / ((blueprint.embedding / blueprint.heads) as f32).sqrt();
    }
    blueprint.attention_softcap = keys.positive("attn_logit_softcapping")?.map(|v| v as f32);
    blueprint.logit_softcap = keys.positive("final_logit_softcapping")?.map(|v| v as f32);
    blueprint.embedding_scale = Some((blueprint.embedding as f32).sqrt());
    Ok(Blueprint {
        qk_norm: true,
        post_norms: true,
        activation: Activation::GeluTanh,
        ..blueprint
    })
}
