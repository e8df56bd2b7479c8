//! One decoder for every described family: token ids at positions in, logits out.
//!
//! Axes as in `ops`. The key/value cache is allocated once for the planned context; a new sequence overwrites it from position 0, so
//! resetting costs nothing and nothing of an earlier sequence can be seen (attention reads positions up to its own only).

use super::backend;
use super::family::{Blueprint, LayerSpec, RopeSpec};
use super::ops::{Attention, Embedding, Gated, HeadRope, Linear, Mode, RmsNorm, RopeTable, Vector};
use super::weights::Weights;
use crate::engine::EngineError;
use crate::engine::kernels::attention::AttentionShape;
use candle_core::{DType, Device, Result, Tensor};
use std::sync::Arc;

/// Rows computed in one pass through the layers; bounds the memory of activations.
pub(super) const CHUNK_ROWS: usize = 256;
/// Rows of logits held at a time: 8 rows of 262,144 are 8 MiB.
const LOGIT_ROWS: usize = 8;

/// One layer.
struct Layer {
    attention_norm: RmsNorm,
    qkv: Linear,
    q_norm: Option<Vector>,
    k_norm: Option<Vector>,
    output: Linear,
    post_attention_norm: Option<RmsNorm>,
    mlp_norm: RmsNorm,
    gate_up: Linear,
    down: Linear,
    post_mlp_norm: Option<RmsNorm>,
    rope: Arc<RopeTable>,
    spec: LayerSpec,
    /// (context, K * D) each.
    cache: (Tensor, Tensor),
}

/// A loaded decoder with its cache.
pub(super) struct Decoder {
    blueprint: Blueprint,
    mode: Mode,
    embedding: Embedding,
    layers: Vec<Layer>,
    norm: RmsNorm,
    head: Linear,
    gated: Gated,
    capacity: usize,
}

impl Decoder {
    /// Builds the decoder; the cache holds `capacity` positions.
    pub(super) fn new(
        blueprint: Blueprint,
        weights: &Weights,
        device: &Device,
        mode: Mode,
        capacity: usize,
    ) -> std::result::Result<Self, EngineError> {
        let builder = Builder {
            blueprint: &blueprint,
            weights,
            device,
            mode,
            capacity,
        };
        let embedding = weights.embedding("token_embd.weight", blueprint.embedding)?;
        let layers = builder.layers()?;
        let norm = builder.norm("output_norm.weight".to_owned())?;
        let tied = if weights.has("output.weight") {
            "output.weight"
        } else {
            "token_embd.weight"
        };
        let head = weights.linear(
            blueprint.embedding,
            &[(tied.to_owned(), embedding.vocabulary())],
        )?;
        let gated = Gated {
            activation: blueprint.activation,
            mode,
        };
        Ok(Self {
            blueprint,
            mode,
            embedding,
            layers,
            norm,
            head,
            gated,
            capacity,
        })
    }

    /// Ids in the vocabulary.
    pub(super) fn vocabulary(&self) -> usize {
        self.embedding.vocabulary()
    }

    /// Positions the cache holds.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Computes `ids` at positions `first..`, over what the cache holds before `first`, and hands the logits of every row from `wanted` on
    /// (counted in `ids`) to `each` with its row.
    pub(super) fn forward(
        &self,
        ids: &[u32],
        first: usize,
        wanted: usize,
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> std::result::Result<(), EngineError> {
        let mut done = 0;
        for chunk in ids.chunks(CHUNK_ROWS) {
            pooled(|| {
                let hidden = self.hidden(chunk, first + done)?;
                let from = wanted.saturating_sub(done).min(chunk.len());
                self.logits(&hidden, from, &mut |row, logits| each(done + row, logits))
            })
            .map_err(backend("forward pass"))?;
            done += chunk.len();
        }
        Ok(())
    }

    /// (L, E) after the last layer.
    fn hidden(&self, ids: &[u32], first: usize) -> Result<Tensor> {
        let mut x = self
            .embedding
            .forward(ids, self.blueprint.embedding_scale.unwrap_or(1.0))?;
        for layer in &self.layers {
            let attended = self.attend(layer, &layer.attention_norm.forward(&x)?, first)?;
            x = (x + normed(layer.post_attention_norm.as_ref(), attended)?)?;
            let both = layer.gate_up.forward(&layer.mlp_norm.forward(&x)?)?;
            let mlp = layer.down.forward(&self.gated.forward(&both)?)?;
            x = (x + normed(layer.post_mlp_norm.as_ref(), mlp)?)?;
        }
        Ok(x)
    }

    /// (L, E) -> (L, E); writes the rows' keys and values into the cache.
    fn attend(&self, layer: &Layer, x: &Tensor, first: usize) -> Result<Tensor> {
        let Blueprint {
            heads,
            head_dim,
            eps,
            rope_style,
            attention_scale,
            attention_softcap,
            ..
        } = self.blueprint;
        let kv_heads = layer.spec.kv_heads;
        let joint = layer.qkv.forward(x)?;
        let rope = |column, heads, norm| HeadRope {
            column,
            heads,
            head_dim,
            norm,
            eps,
            table: &layer.rope,
            style: rope_style,
            first,
        };
        let q = rope(0, heads, layer.q_norm.as_ref()).forward(&joint, self.mode)?;
        let k =
            rope(heads * head_dim, kv_heads, layer.k_norm.as_ref()).forward(&joint, self.mode)?;
        let v = joint.narrow(1, (heads + kv_heads) * head_dim, kv_heads * head_dim)?;
        let dtype = layer.cache.0.dtype();
        layer
            .cache
            .0
            .slice_set(&k.to_dtype(dtype)?.contiguous()?, 0, first)?;
        layer
            .cache
            .1
            .slice_set(&v.to_dtype(dtype)?.contiguous()?, 0, first)?;
        let shape = AttentionShape {
            heads,
            kv_heads,
            head_dim,
            scale: attention_scale,
            window: layer.spec.window,
            softcap: attention_softcap,
        };
        let out =
            Attention { shape, first }.forward(&q, &layer.cache.0, &layer.cache.1, self.mode)?;
        layer.output.forward(&out)
    }

    /// The logits of rows `from..` of (L, E), a few rows at a time.
    fn logits(
        &self,
        hidden: &Tensor,
        from: usize,
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<()> {
        let rows = hidden.dim(0)?;
        let mut row = from;
        while row < rows {
            let count = LOGIT_ROWS.min(rows - row);
            let x = self
                .norm
                .forward(&hidden.narrow(0, row, count)?.contiguous()?)?;
            let mut logits = self.head.forward(&x)?;
            if let Some(cap) = self.blueprint.logit_softcap {
                logits = ((logits / f64::from(cap))?.tanh()? * f64::from(cap))?;
            }
            let logits = logits.flatten_all()?.to_vec1::<f32>()?;
            logits
                .chunks_exact(self.vocabulary())
                .enumerate()
                .for_each(|(i, l)| each(row + i, l));
            row += count;
        }
        Ok(())
    }
}

fn normed(norm: Option<&RmsNorm>, x: Tensor) -> Result<Tensor> {
    norm.map_or_else(|| Ok(x.clone()), |n| n.forward(&x))
}

/// Runs one pass inside an autorelease pool where there is such a thing: without it the Metal backend's temporary objects stay alive
/// until the thread ends (candle issue 2271).
fn pooled<T>(pass: impl FnOnce() -> T) -> T {
    #[cfg(target_os = "macos")]
    return objc2::rc::autoreleasepool(|_| pass());
    #[cfg(not(target_os = "macos"))]
    pass()
}

/// Gathers layers by the names of GGUF tensors.
struct Builder<'a> {
    blueprint: &'a Blueprint,
    weights: &'a Weights,
    device: &'a Device,
    mode: Mode,
    capacity: usize,
}

impl Builder<'_> {
    fn norm(&self, name: String) -> std::result::Result<RmsNorm, EngineError> {
        let weight = self.weights.vector(&name, self.blueprint.embedding)?;
        Ok(RmsNorm::new(weight, self.blueprint.eps, self.mode))
    }

    fn layers(&self) -> std::result::Result<Vec<Layer>, EngineError> {
        let mut tables: Vec<(RopeSpec, Arc<RopeTable>)> = Vec::new();
        let mut layers = Vec::with_capacity(self.blueprint.layers.len());
        for (i, spec) in self.blueprint.layers.iter().enumerate() {
            let table = if let Some((_, table)) = tables.iter().find(|t| t.0 == spec.rope) {
                Arc::clone(table)
            } else {
                let table = Arc::new(self.table(spec.rope)?);
                tables.push((spec.rope, Arc::clone(&table)));
                table
            };
            layers.push(self.layer(i, *spec, table)?);
        }
        Ok(layers)
    }

    fn table(&self, spec: RopeSpec) -> std::result::Result<RopeTable, EngineError> {
        let dims = self.blueprint.rope_dims;
        let factors = if spec.file_factors && self.weights.has("rope_freqs.weight") {
            Some(self.weights.vector("rope_freqs.weight", dims / 2)?)
        } else {
            None
        };
        let factors = factors.as_ref().map(|f| f.host.as_slice());
        RopeTable::new(
            spec.base,
            spec.factor,
            dims,
            factors,
            self.capacity,
            self.device,
        )
        .map_err(backend("rotary table"))
    }

    fn layer(
        &self,
        i: usize,
        spec: LayerSpec,
        rope: Arc<RopeTable>,
    ) -> std::result::Result<Layer, EngineError> {
        let b = self.blueprint;
        let name = |part: &str| format!("blk.{i}.{part}.weight");
        let head_norm = |part: &str| {
            b.qk_norm
                .then(|| self.weights.vector(&name(part), b.head_dim))
                .transpose()
        };
        let post_norm = |part: &str| b.post_norms.then(|| self.norm(name(part))).transpose();
        let (q, kv) = (b.heads * b.head_dim, spec.kv_heads * b.head_dim);
        let dtype = if self.device.is_cpu() {
            DType::F32
        } else {
            DType::F16
        };
        let cache = || {
            Tensor::zeros((self.capacity, kv), dtype, self.device)
                .map_err(backend("allocation of the cache"))
        };
        Ok(Layer {
            attention_norm: self.norm(name("attn_norm"))?,
            qkv: self.weights.linear(
                b.embedding,
                &[
                    (name("attn_q"), q),
                    (name("attn_k"), kv),
                    (name("attn_v"), kv),
                ],
            )?,
            q_norm: head_norm("attn_q_norm")?,
            k_norm: head_norm("attn_k_norm")?,
            output: self
                .weights
                .linear(q, &[(name("attn_output"), b.embedding)])?,
            post_attention_norm: post_norm("post_attention_norm")?,
            mlp_norm: self.norm(name("ffn_norm"))?,
            gate_up: self.weights.linear(
                b.embedding,
                &[
                    (name("ffn_gate"), b.feed_forward),
                    (name("ffn_up"), b.feed_forward),
                ],
            )?,
            down: self
                .weights
                .linear(b.feed_forward, &[(name("ffn_down"), b.embedding)])?,
            post_mlp_norm: post_norm("post_ffw_norm")?,
            rope,
            spec,
            cache: (cache()?, cache()?),
        })
    }
}
