//! One decoder for every described family: token ids at positions in, logits out.
//!
//! Axes as in `ops`. The key/value cache is allocated once for the planned context; a new sequence overwrites it from position 0, so
//! resetting costs nothing and nothing of an earlier sequence can be seen (attention reads positions up to its own only).

use super::backend;
use super::experts::{Expert, Mixture};
use super::family::{Blueprint, Divisors, Experts, LayerSpec, Norms, QkNorm, RopeSpec};
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
    attention_norm: Option<RmsNorm>,
    qkv: Linear,
    q_norm: Option<Vector>,
    k_norm: Option<Vector>,
    output: Linear,
    post_attention_norm: Option<RmsNorm>,
    mlp_norm: Option<RmsNorm>,
    mlp: Mlp,
    post_mlp_norm: Option<RmsNorm>,
    rope: Option<Arc<RopeTable>>,
    /// In texts longer than the blueprint's `short_rope`; `None` where it is the same.
    long_rope: Option<Arc<RopeTable>>,
    kv_heads: usize,
    window: Option<usize>,
    /// (context, K * D) each.
    cache: (Tensor, Tensor),
}

/// The second half of a block.
enum Mlp {
    /// Gate and up side by side, then down.
    Dense { gate_up: Linear, down: Linear },
    /// A mixture of experts.
    Mixture(Mixture),
}

impl Mlp {
    fn forward(&self, x: &Tensor, gated: &Gated) -> Result<Tensor> {
        match self {
            Self::Dense { gate_up, down } => down.forward(&gated.forward(&gate_up.forward(x)?)?),
            Self::Mixture(mixture) => mixture.forward(x, gated),
        }
    }
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
        weights.all_used()?;
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

    /// Whether a text that may reach `length` tokens is rotated by the long set of frequencies, where there are two.
    pub(super) fn is_long(&self, length: usize) -> bool {
        length > self.blueprint.short_rope
    }

    /// Computes `ids` at positions `first..`, over what the cache holds before `first`, and hands the logits of every row from `wanted` on
    /// (counted in `ids`) to `each` with its row. `long` must be the same for all positions of a text.
    pub(super) fn forward(
        &self,
        ids: &[u32],
        (first, long): (usize, bool),
        wanted: usize,
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> std::result::Result<(), EngineError> {
        let mut done = 0;
        for chunk in ids.chunks(CHUNK_ROWS) {
            pooled(|| {
                let hidden = self.hidden(chunk, first + done, long)?;
                let from = wanted.saturating_sub(done).min(chunk.len());
                self.logits(&hidden, from, &mut |row, logits| each(done + row, logits))?;
                // Logits wait for the device when they are read. Without any, work and buffers of chunk after chunk would pile up there.
                if from == chunk.len() {
                    hidden.device().synchronize()?;
                }
                Ok(())
            })
            .map_err(backend("forward pass"))?;
            done += chunk.len();
        }
        Ok(())
    }

    /// (L, E) after the last layer.
    fn hidden(&self, ids: &[u32], first: usize, long: bool) -> Result<Tensor> {
        let mut x = self
            .embedding
            .forward(ids, self.blueprint.embedding_scale.unwrap_or(1.0))?;
        for layer in &self.layers {
            let input = normed(layer.attention_norm.as_ref(), &x)?;
            let attended = self.attend(layer, &input, first, long)?;
            x = self.add(x, layer.post_attention_norm.as_ref(), &attended)?;
            let input = normed(layer.mlp_norm.as_ref(), &x)?;
            let mlp = layer.mlp.forward(&input, &self.gated)?;
            x = self.add(x, layer.post_mlp_norm.as_ref(), &mlp)?;
        }
        Ok(x)
    }

    /// The residual stream with an output of one half of a block.
    fn add(&self, x: Tensor, norm: Option<&RmsNorm>, output: &Tensor) -> Result<Tensor> {
        let output = normed(norm, output)?;
        match self.blueprint.residual_scale {
            Some(scale) => x + (output * f64::from(scale))?,
            None => x + output,
        }
    }

    /// (L, E) -> (L, E); writes the rows' keys and values into the cache.
    fn attend(&self, layer: &Layer, x: &Tensor, first: usize, long: bool) -> Result<Tensor> {
        let Blueprint {
            heads,
            head_dim,
            eps,
            rope_style,
            attention_scale,
            attention_softcap,
            ..
        } = self.blueprint;
        let kv_heads = layer.kv_heads;
        let other = layer.long_rope.as_deref().filter(|_| long);
        let table = other.or(layer.rope.as_deref());
        let joint = layer.qkv.forward(x)?;
        let rope = |column, heads, norm| HeadRope {
            column,
            heads,
            head_dim,
            norm,
            eps,
            table,
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
            window: layer.window,
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
            if let Some(scale) = self.blueprint.logit_scale {
                logits = (logits * f64::from(scale))?;
            }
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

fn normed(norm: Option<&RmsNorm>, x: &Tensor) -> Result<Tensor> {
    norm.map_or_else(|| Ok(x.clone()), |n| n.forward(x))
}

/// Runs one pass, or a load, inside an autorelease pool where there is such a thing: without it the Metal backend's temporary objects stay alive
/// until the thread ends (candle issue 2271).
pub(super) fn pooled<T>(pass: impl FnOnce() -> T) -> T {
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
        let weight = self.weights.norm(&name, self.blueprint.embedding)?;
        Ok(RmsNorm::new(weight, self.blueprint.eps, self.mode))
    }

    fn layers(&self) -> std::result::Result<Vec<Layer>, EngineError> {
        let mut tables = Vec::new();
        let mut layers = Vec::with_capacity(self.blueprint.layers.len());
        for (i, spec) in self.blueprint.layers.iter().enumerate() {
            let rope = self.table(spec.rope.as_ref(), &mut tables)?;
            // A context that no long text fits into needs no frequencies for one.
            let long = spec.long_rope.as_ref();
            let long = long.filter(|_| self.capacity > self.blueprint.short_rope);
            let long_rope = self.table(long, &mut tables)?;
            layers.push(self.layer(i, spec, (rope, long_rope))?);
        }
        Ok(layers)
    }

    /// The table of a rotation, made once for all layers that share it.
    fn table(
        &self,
        spec: Option<&RopeSpec>,
        tables: &mut Vec<(RopeSpec, Arc<RopeTable>)>,
    ) -> std::result::Result<Option<Arc<RopeTable>>, EngineError> {
        let Some(spec) = spec else { return Ok(None) };
        if let Some((_, table)) = tables.iter().find(|t| t.0 == *spec) {
            return Ok(Some(Arc::clone(table)));
        }
        let dims = self.blueprint.rope_dims;
        let divisors = match &spec.divisors {
            Some(Divisors::Given(given)) => Some(given.clone()),
            Some(Divisors::Tensor(name)) if self.weights.has(name) => {
                let values = self.weights.values(name, dims / 2)?;
                Some(values.into_iter().map(f64::from).collect())
            }
            _ => None,
        };
        let table = RopeTable::new(spec, dims, divisors.as_deref(), self.capacity, self.device)
            .map_err(backend("rotary table"))?;
        let table = Arc::new(table);
        tables.push((spec.clone(), Arc::clone(&table)));
        Ok(Some(table))
    }

    fn layer(
        &self,
        i: usize,
        spec: &LayerSpec,
        (rope, long_rope): (Option<Arc<RopeTable>>, Option<Arc<RopeTable>>),
    ) -> std::result::Result<Layer, EngineError> {
        let b = self.blueprint;
        let name = |part: &str| format!("blk.{i}.{part}.weight");
        let kv = spec.kv_heads * b.head_dim;
        let qk_norm = |part: &str, heads: usize| match b.qk_norm {
            QkNorm::None => Ok(None),
            QkNorm::PerHead => self.weights.norm(&name(part), b.head_dim).map(Some),
            QkNorm::Whole => {
                let all = heads * b.head_dim;
                self.weights.norm(&name(part), all).map(Some)
            }
        };
        let norm_if = |wanted: bool, part: &str| wanted.then(|| self.norm(name(part))).transpose();
        let (pre, post) = (b.norms != Norms::Post, b.norms != Norms::Pre);
        Ok(Layer {
            attention_norm: norm_if(pre, "attn_norm")?,
            qkv: self.qkv(&name, kv)?,
            q_norm: qk_norm("attn_q_norm", b.heads)?,
            k_norm: qk_norm("attn_k_norm", spec.kv_heads)?,
            output: self
                .weights
                .linear(b.heads * b.head_dim, &[(name("attn_output"), b.embedding)])?,
            post_attention_norm: norm_if(post, "post_attention_norm")?,
            mlp_norm: norm_if(pre, "ffn_norm")?,
            mlp: match b.experts {
                Some(experts) => Mlp::Mixture(self.mixture(&name, experts)?),
                None => self.dense(&name)?,
            },
            post_mlp_norm: norm_if(post, "post_ffw_norm")?,
            rope,
            long_rope,
            kv_heads: spec.kv_heads,
            window: spec.window,
            cache: (self.cache(kv)?, self.cache(kv)?),
        })
    }

    fn cache(&self, width: usize) -> std::result::Result<Tensor, EngineError> {
        let shape = (self.capacity, width);
        let cache = if self.device.is_cpu() {
            Tensor::zeros(shape, DType::F32, self.device)
        } else {
            // From values and not from candle's pool, whose buffers are rounded up to a power of two and could be larger still.
            let zeros = vec![half::f16::ZERO; self.capacity * width];
            Tensor::from_vec(zeros, shape, self.device)
        };
        cache.map_err(backend("allocation of the cache"))
    }

    /// Queries, keys and values side by side, from three matrices or from one.
    fn qkv(
        &self,
        name: &dyn Fn(&str) -> String,
        kv: usize,
    ) -> std::result::Result<Linear, EngineError> {
        let b = self.blueprint;
        let q = b.heads * b.head_dim;
        let joint = name("attn_qkv");
        let parts = if self.weights.has(&joint) {
            vec![(joint, q + 2 * kv)]
        } else {
            vec![
                (name("attn_q"), q),
                (name("attn_k"), kv),
                (name("attn_v"), kv),
            ]
        };
        self.weights.linear(b.embedding, &parts)
    }

    /// Gate and up from two matrices, or from one that holds both.
    fn dense(&self, name: &dyn Fn(&str) -> String) -> std::result::Result<Mlp, EngineError> {
        let b = self.blueprint;
        let width = b.feed_forward;
        let parts = if self.weights.has(&name("ffn_gate")) {
            vec![(name("ffn_gate"), width), (name("ffn_up"), width)]
        } else {
            vec![(name("ffn_up"), 2 * width)]
        };
        Ok(Mlp::Dense {
            gate_up: self.weights.linear(b.embedding, &parts)?,
            down: self
                .weights
                .linear(width, &[(name("ffn_down"), b.embedding)])?,
        })
    }

    fn mixture(
        &self,
        name: &dyn Fn(&str) -> String,
        spec: Experts,
    ) -> std::result::Result<Mixture, EngineError> {
        let (embedding, width) = (self.blueprint.embedding, spec.feed_forward);
        let expert = |index| {
            let of = (index, spec.count);
            let inner = [(name("ffn_gate_exps"), width), (name("ffn_up_exps"), width)];
            let outer = [(name("ffn_down_exps"), embedding)];
            Ok(Expert {
                gate_up: self.weights.expert(of, embedding, &inner)?,
                down: self.weights.expert(of, width, &outer)?,
            })
        };
        Ok(Mixture {
            router: self
                .weights
                .linear(embedding, &[(name("ffn_gate_inp"), spec.count)])?,
            experts: (0..spec.count)
                .map(expert)
                .collect::<std::result::Result<_, EngineError>>()?,
            used: spec.used,
        })
    }
}
