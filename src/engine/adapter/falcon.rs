//! Falcon, written here: the library's version replaces the exact GELU by its tanh approximation, which moves a logit of the test model by
//! 0.0012, and has no groups of key and value heads (falcon-40b, falcon-11b).
//!
//! In: settings and tensors. Out: a model that takes ids at a position and keeps its keys and values. Source of the structure:
//! `FalconForCausalLM` of transformers 5.23 (fused projection by groups of query heads, parallel blocks with one norm or two). ALiBi is not here.

use candle_core::{D, DType, Device, Tensor};
use candle_nn::{
    Activation, Embedding, LayerNorm, Linear, Module as _, VarBuilder, embedding, layer_norm,
    linear_b,
};

type Result<T> = candle_core::Result<T>;

/// The fields of `config.json`, after `adapt::falcon`.
#[derive(Debug, Clone, serde::Deserialize)]
pub(super) struct Config {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    intermediate_size: usize,
    layer_norm_epsilon: f64,
    new_decoder_architecture: bool,
    parallel_attn: bool,
    /// Norms in front of a block whose two parts are parallel.
    num_ln_in_parallel_attn: usize,
    bias: bool,
    activation: Activation,
    rope_theta: f64,
    max_position_embeddings: usize,
}

/// A model with the keys and values it has computed.
#[derive(Clone)]
pub(super) struct Model {
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
    rotation: Rotation,
}

/// Cosines and sines: (positions, half a head).
#[derive(Clone)]
struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

impl Rotation {
    fn new(config: &Config) -> Result<Self> {
        let values = config.hidden_size / config.num_attention_heads;
        let frequency = |i: usize| (1.0 / config.rope_theta.powf(i as f64 / values as f64)) as f32;
        let frequencies: Vec<f32> = (0..values).step_by(2).map(frequency).collect();
        let row = Tensor::new(frequencies, &Device::Cpu)?.unsqueeze(0)?;
        let positions = Tensor::arange(0, config.max_position_embeddings as u32, &Device::Cpu)?;
        let angles = positions.to_dtype(DType::F32)?.unsqueeze(1)?.matmul(&row)?;
        Ok(Self {
            cos: angles.cos()?,
            sin: angles.sin()?,
        })
    }

    /// Rotates (groups, heads, L, values), whose first row is at `position`.
    fn apply(&self, x: &Tensor, position: usize) -> Result<Tensor> {
        let rows = x.dim(2)?;
        let cos = self.cos.narrow(0, position, rows)?;
        let sin = self.sin.narrow(0, position, rows)?;
        candle_nn::rotary_emb::rope(&x.contiguous()?, &cos, &sin)
    }
}

/// What stands in front of the two parts of a block.
#[derive(Clone)]
enum Norms {
    /// One for both.
    Shared(LayerNorm),
    /// One for each.
    Each(LayerNorm, LayerNorm),
    /// One before attention, and one after it, before the feed-forward part.
    Between(LayerNorm, LayerNorm),
}

#[derive(Clone)]
struct Block {
    norms: Norms,
    attention: Attention,
    up: Linear,
    down: Linear,
    activation: Activation,
}

impl Block {
    fn load(c: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let norm = |name: &str| layer_norm(c.hidden_size, c.layer_norm_epsilon, vb.pp(name));
        let norms = if !c.parallel_attn {
            let after = norm("post_attention_layernorm")?;
            Norms::Between(norm("input_layernorm")?, after)
        } else if c.new_decoder_architecture && c.num_ln_in_parallel_attn == 2 {
            Norms::Each(norm("ln_attn")?, norm("ln_mlp")?)
        } else {
            Norms::Shared(norm("input_layernorm")?)
        };
        let (width, inner) = (c.hidden_size, c.intermediate_size);
        let mlp = vb.pp("mlp");
        Ok(Self {
            norms,
            attention: Attention::load(c, vb.pp("self_attention"))?,
            up: linear_b(width, inner, c.bias, mlp.pp("dense_h_to_4h"))?,
            down: linear_b(inner, width, c.bias, mlp.pp("dense_4h_to_h"))?,
            activation: c.activation,
        })
    }

    fn feed_forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = self.up.forward(x)?.apply(&self.activation)?;
        self.down.forward(&inner)
    }

    fn forward(
        &mut self,
        x: &Tensor,
        position: usize,
        rotation: &Rotation,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let Self {
            norms, attention, ..
        } = self;
        let (for_attention, for_mlp) = match norms {
            Norms::Shared(norm) => {
                let normed = norm.forward(x)?;
                (normed.clone(), Some(normed))
            }
            Norms::Each(first, second) => (first.forward(x)?, Some(second.forward(x)?)),
            Norms::Between(first, _) => (first.forward(x)?, None),
        };
        let attended = (attention.forward(&for_attention, position, rotation, mask)? + x)?;
        let for_mlp = match (for_mlp, &self.norms) {
            (Some(normed), _) => normed,
            (None, Norms::Between(_, norm) | Norms::Shared(norm) | Norms::Each(_, norm)) => {
                norm.forward(&attended)?
            }
        };
        self.feed_forward(&for_mlp)? + attended
    }
}

#[derive(Clone)]
struct Attention {
    fused: Linear,
    dense: Linear,
    /// Groups of query heads that share a key head and a value head.
    groups: usize,
    /// Query heads in a group.
    queries: usize,
    values: usize,
    /// (groups, T, values) each.
    cache: Option<(Tensor, Tensor)>,
}

impl Attention {
    fn load(c: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let groups = c.num_key_value_heads;
        let queries = c.num_attention_heads / groups;
        let values = c.hidden_size / c.num_attention_heads;
        let rows = groups * (queries + 2) * values;
        Ok(Self {
            fused: linear_b(c.hidden_size, rows, c.bias, vb.pp("query_key_value"))?,
            dense: linear_b(c.hidden_size, c.hidden_size, c.bias, vb.pp("dense"))?,
            groups,
            queries,
            values,
            cache: None,
        })
    }

    /// (L, width) -> (L, width).
    fn forward(
        &mut self,
        x: &Tensor,
        position: usize,
        rotation: &Rotation,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let (groups, queries, values) = (self.groups, self.queries, self.values);
        let fused = self.fused.forward(x)?;
        // Each group has its query heads, then its key, then its value.
        let fused = fused.reshape((rows, groups, queries + 2, values))?;
        let fused = fused.permute((1, 2, 0, 3))?;
        let q = rotation.apply(&fused.narrow(1, 0, queries)?, position)?;
        let k = rotation.apply(&fused.narrow(1, queries, 1)?, position)?;
        let (k, v) = (k.squeeze(1)?, fused.narrow(1, queries + 1, 1)?.squeeze(1)?);
        let (k, v) = match &self.cache {
            None => (k, v.contiguous()?),
            Some((before_k, before_v)) => (
                Tensor::cat(&[before_k, &k], 1)?,
                Tensor::cat(&[before_v, &v.contiguous()?], 1)?,
            ),
        };
        self.cache = Some((k.clone(), v.clone()));
        let seen = k.dim(1)?;
        let q = q.reshape((groups, queries * rows, values))?;
        let scores = (q.matmul(&k.t()?)? / (values as f64).sqrt())?;
        let scores = scores.reshape((groups, queries, rows, seen))?;
        let scores = match mask {
            None => scores,
            Some(mask) => scores.broadcast_add(mask)?,
        };
        let shares = candle_nn::ops::softmax(&scores, D::Minus1)?;
        let mixed = shares
            .reshape((groups, queries * rows, seen))?
            .matmul(&v)?
            .reshape((groups, queries, rows, values))?
            .permute((2, 0, 1, 3))?
            .reshape((rows, width))?;
        self.dense.forward(&mixed)
    }
}

impl Model {
    /// Takes the tensors it needs.
    pub(super) fn load(config: &Config, vb: &VarBuilder<'_>) -> Result<Self> {
        let (words, width) = (config.vocab_size, config.hidden_size);
        let body = vb.pp("transformer");
        let blocks = (0..config.num_hidden_layers).map(|i| Block::load(config, body.pp("h").pp(i)));
        Ok(Self {
            blocks: blocks.collect::<Result<_>>()?,
            embedding: embedding(words, width, body.pp("word_embeddings"))?,
            norm: layer_norm(width, config.layer_norm_epsilon, body.pp("ln_f"))?,
            head: linear_b(width, words, false, vb.pp("lm_head"))?,
            rotation: Rotation::new(config)?,
        })
    }

    /// The logits (1, vocabulary) after ids (1, L), the first of which is at `position`.
    pub(super) fn forward(&mut self, ids: &Tensor, position: usize) -> Result<Tensor> {
        let mut x = self.embedding.forward(&ids.squeeze(0)?)?;
        let rows = x.dim(0)?;
        let mask = match rows {
            1 => None,
            _ => Some(causal(rows, position)?),
        };
        for block in &mut self.blocks {
            x = block.forward(&x, position, &self.rotation, mask.as_ref())?;
        }
        let last = self.norm.forward(&x.narrow(0, rows - 1, 1)?)?;
        self.head.forward(&last)
    }
}

/// Minus infinity where a row may not look: (L, position + L).
fn causal(rows: usize, position: usize) -> Result<Tensor> {
    let seen = position + rows;
    let hidden = |i: usize, j: usize| {
        if j > position + i {
            f32::NEG_INFINITY
        } else {
            0.0
        }
    };
    let mask: Vec<f32> = (0..rows)
        .flat_map(|i| (0..seen).map(move |j| hidden(i, j)))
        .collect();
    Tensor::from_vec(mask, (rows, seen), &Device::Cpu)
}
