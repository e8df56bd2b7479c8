//! What the metadata of a model file says about the blocks of its decoder: the description, and the checked reading of its keys.
//!
//! Keys have the names of GGUF files; a `config.json` is read under the same names (`config`), so that a family is described once. The
//! families themselves are in `families`. Knows no tensors and no device.

use super::families;
use crate::engine::EngineError;
use crate::engine::kernels::elementwise::{Activation, RopeStyle};
use crate::modelfile::GgufHeader;

/// Most layers of a model.
pub(super) const MAX_LAYERS: u64 = 1 << 10;

/// Divisors of the frequencies of a rotation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Divisors {
    /// A tensor of the file, where the file has it.
    Tensor(&'static str),
    /// Given by the configuration, one for each pair.
    Given(Vec<f64>),
}

/// Rotary embedding of one layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RopeSpec {
    /// Base of the frequencies.
    pub base: f64,
    /// Positions are divided by this (linear scaling); 1 means unscaled.
    pub factor: f64,
    /// Divisors of the frequencies, if any.
    pub divisors: Option<Divisors>,
    /// Factor on the rotated values.
    pub magnitude: f64,
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LayerSpec {
    /// Rotary embedding; `None` leaves queries and keys as they are.
    pub rope: Option<RopeSpec>,
    /// Rotary embedding of texts longer than [`Blueprint::short_rope`]; `None` where it is the same.
    pub long_rope: Option<RopeSpec>,
    /// Sliding window in tokens; `None` sees everything.
    pub window: Option<usize>,
    /// Key/value heads.
    pub kv_heads: usize,
}

/// How queries and keys are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QkNorm {
    /// Not at all.
    None,
    /// Each head by itself.
    PerHead,
    /// All heads together.
    Whole,
}

/// Which norms a block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Norms {
    /// Before attention and MLP.
    Pre,
    /// On the outputs of attention and MLP, before they are added.
    Post,
    /// Both.
    Both,
}

/// A mixture of experts in place of the MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Experts {
    /// How many there are.
    pub count: usize,
    /// How many compute a row.
    pub used: usize,
    /// Width of one.
    pub feed_forward: usize,
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
    /// Longest text in tokens for which layers rotate by `rope`; a longer one is rotated by `long_rope` from its first token on.
    pub short_rope: usize,
    /// Epsilon of every norm.
    pub eps: f32,
    /// Layers in order.
    pub layers: Vec<LayerSpec>,
    /// Order of rotated pairs.
    pub rope_style: RopeStyle,
    /// How queries and keys are normalised.
    pub qk_norm: QkNorm,
    /// Which norms a block has.
    pub norms: Norms,
    /// Experts in place of the MLP; a row's weights are the softmax over the experts it uses.
    pub experts: Option<Experts>,
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
    /// Factor on the outputs of attention and MLP.
    pub residual_scale: Option<f32>,
    /// Factor on the logits.
    pub logit_scale: Option<f32>,
}

/// A family's reader.
pub(super) type Family = fn(&Keys<'_>) -> Result<Blueprint, EngineError>;

/// The architectures that can be run.
pub fn supported_architectures() -> Vec<&'static str> {
    families::ALL.iter().map(|f| f.0).collect()
}

/// Reads the description of the decoder in a GGUF file.
pub(super) fn of_gguf(header: &GgufHeader) -> Result<Blueprint, EngineError> {
    let architecture = header.string("general.architecture")?.unwrap_or("");
    of_keys(&Keys {
        metadata: header,
        architecture,
        extras: &Extras {
            rope_style: RopeStyle::Neighbours,
            ..Extras::default()
        },
    })
}

/// Reads the description behind the keys.
pub(super) fn of_keys(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    let family = families::ALL.iter().find(|f| f.0 == keys.architecture);
    let family = family.ok_or_else(|| EngineError::UnsupportedArchitecture {
        found: keys.architecture.to_owned(),
        supported: supported_architectures(),
    })?;
    family.1(keys)
}

/// Where the values of keys come from.
pub(super) trait Metadata {
    /// A whole number.
    fn unsigned(&self, key: &str) -> Result<Option<u64>, EngineError>;
    /// A number.
    fn float(&self, key: &str) -> Result<Option<f64>, EngineError>;
    /// A text.
    fn string(&self, key: &str) -> Result<Option<String>, EngineError>;
    /// The key's name in messages.
    fn place(&self, key: &str) -> String;
}

impl Metadata for GgufHeader {
    fn unsigned(&self, key: &str) -> Result<Option<u64>, EngineError> {
        Ok(Self::unsigned(self, key)?)
    }

    fn float(&self, key: &str) -> Result<Option<f64>, EngineError> {
        Ok(Self::float(self, key)?)
    }

    fn string(&self, key: &str) -> Result<Option<String>, EngineError> {
        Ok(Self::string(self, key)?.map(str::to_owned))
    }

    fn place(&self, key: &str) -> String {
        key.to_owned()
    }
}

/// What configurations say in lists and GGUF files leave to the reader, or to the order of their rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Extras {
    /// How the rows of queries and keys of the Llama families are ordered.
    pub rope_style: RopeStyle,
    /// Which layers see a window only.
    pub windowed: Option<Vec<bool>>,
    /// Which layers rotate.
    pub rotated: Option<Vec<bool>>,
    /// Divisors of the frequencies.
    pub divisors: Option<Vec<f64>>,
    /// Divisors of the frequencies in long texts.
    pub long_divisors: Option<Vec<f64>>,
}

impl Default for Extras {
    fn default() -> Self {
        Self {
            rope_style: RopeStyle::Halves,
            windowed: None,
            rotated: None,
            divisors: None,
            long_divisors: None,
        }
    }
}

/// Metadata keys of one architecture, range-checked.
pub(super) struct Keys<'h> {
    pub(super) metadata: &'h dyn Metadata,
    pub(super) architecture: &'h str,
    pub(super) extras: &'h Extras,
}

impl Keys<'_> {
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    pub(super) fn wrong(&self, name: &str, found: impl ToString, why: &str) -> EngineError {
        EngineError::Metadata {
            key: self.metadata.place(&self.key(name)),
            found: found.to_string(),
            why: why.to_owned(),
        }
    }

    pub(super) fn optional(&self, name: &str, most: u64) -> Result<Option<usize>, EngineError> {
        match self.metadata.unsigned(&self.key(name))? {
            None => Ok(None),
            Some(v) if (1..=most).contains(&v) => Ok(Some(v as usize)),
            Some(v) => Err(self.wrong(name, v, &format!("it must be 1 to {most}"))),
        }
    }

    /// Sliding window in tokens; files without one say 0 or nothing.
    pub(super) fn window(&self) -> Result<Option<usize>, EngineError> {
        let key = self.key("attention.sliding_window");
        match self.metadata.unsigned(&key)? {
            Some(0) => Ok(None),
            _ => self.optional("attention.sliding_window", 1 << 24),
        }
    }

    /// Whether layer `i` sees a window only: as the configuration lists it, else as is usual.
    pub(super) fn is_windowed(&self, i: usize, usual: bool) -> bool {
        let listed = self.extras.windowed.as_ref();
        listed.and_then(|l| l.get(i).copied()).unwrap_or(usual)
    }

    pub(super) fn required(&self, name: &str, most: u64) -> Result<usize, EngineError> {
        self.optional(name, most)?
            .ok_or_else(|| self.wrong(name, "missing", "the architecture needs it"))
    }

    pub(super) fn positive(&self, name: &str) -> Result<Option<f64>, EngineError> {
        match self.metadata.float(&self.key(name))? {
            Some(v) if !(v.is_finite() && v > 0.0) => {
                Err(self.wrong(name, v, "it must be a positive number"))
            }
            other => Ok(other),
        }
    }

    /// A positive number as a tensor's factor.
    pub(super) fn scale(&self, name: &str) -> Result<Option<f32>, EngineError> {
        Ok(self.positive(name)?.map(|v| v as f32))
    }

    /// Linear rope scaling; refuses the kinds this decoder does not compute.
    fn rope_factor(&self) -> Result<f64, EngineError> {
        let kind = self.key("rope.scaling.type");
        match self.metadata.string(&kind)?.as_deref() {
            None | Some("none") => Ok(1.0),
            Some("longrope") if self.architecture == "phi3" => Ok(1.0),
            Some("linear") => Ok(self.positive("rope.scaling.factor")?.unwrap_or(1.0)),
            Some(other) => Err(self.wrong(
                "rope.scaling.type",
                other,
                "only `none` and `linear` are supported",
            )),
        }
    }

    /// The layers, alike but for what the lists of a configuration say.
    fn layers(&self, layer: &LayerSpec) -> Result<Vec<LayerSpec>, EngineError> {
        let mut layers = vec![layer.clone(); self.required("block_count", MAX_LAYERS)?];
        if let Some(windowed) = &self.extras.windowed {
            let window = self.window()?;
            for (layer, _) in layers.iter_mut().zip(windowed).filter(|(_, w)| **w) {
                layer.window = window;
            }
        }
        if let Some(rotated) = &self.extras.rotated {
            for (layer, _) in layers.iter_mut().zip(rotated).filter(|(_, r)| !**r) {
                layer.rope = None;
            }
        }
        Ok(layers)
    }

    /// What all families share; a family overrides the rest.
    pub(super) fn base(&self) -> Result<Blueprint, EngineError> {
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
            divisors: Some(match &self.extras.divisors {
                Some(given) => Divisors::Given(given.clone()),
                None => Divisors::Tensor("rope_freqs.weight"),
            }),
            magnitude: 1.0,
        };
        let layer = LayerSpec {
            rope: Some(rope),
            long_rope: None,
            window: None,
            kv_heads,
        };
        let context = self.required("context_length", 1 << 24)?;
        Ok(Blueprint {
            embedding,
            heads,
            head_dim,
            rope_dims,
            feed_forward: self.required("feed_forward_length", 1 << 20)?,
            context,
            short_rope: context,
            eps: eps.ok_or_else(|| {
                self.wrong(
                    "attention.layer_norm_rms_epsilon",
                    "missing",
                    "the architecture needs it",
                )
            })? as f32,
            layers: self.layers(&layer)?,
            rope_style: RopeStyle::Halves,
            qk_norm: QkNorm::None,
            norms: Norms::Pre,
            experts: None,
            activation: Activation::Silu,
            embedding_scale: None,
            attention_scale: 1.0 / (head_dim as f32).sqrt(),
            attention_softcap: None,
            logit_softcap: None,
            residual_scale: None,
            logit_scale: None,
        })
    }
}
