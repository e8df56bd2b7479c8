//! The operations of a decoder block on candle tensors.
//!
//! Each has two forms that a test holds together: own kernels (CPU), and compositions of candle's operations (other devices, and the
//! plain CPU reference). Axes: L rows (positions), E embedding, H query heads, K key/value heads, D head dimension, T cached positions.
//! All activations are f32; the key/value cache is f32 on the CPU and f16 on other devices.

use super::family::RopeSpec;
use crate::engine::kernels::attention::{AttentionShape, Inputs, attention};
use crate::engine::kernels::dequant::expand;
use crate::engine::kernels::elementwise::{Activation, RopeStyle, gated, rms_norm, rotate};
use crate::engine::kernels::matmul::{WeightRows, matmul};
use crate::modelfile::{MappedTensor, TensorMap};
use candle_core::quantized::QMatMul;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp3, D, DType, Device, Layout, Module, Result, Shape, Tensor,
};
use rayon::prelude::*;
use std::sync::Arc;

/// Which form of the operations runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Own kernels; the device is the CPU.
    Kernels,
    /// candle's operations.
    Tensors,
}

/// A vector on the host and on the device.
#[derive(Clone)]
pub(super) struct Vector {
    /// On the host.
    pub host: Arc<Vec<f32>>,
    tensor: Tensor,
}

impl Vector {
    pub(super) fn new(values: Vec<f32>, device: &Device) -> Result<Self> {
        let tensor = Tensor::from_slice(&values, values.len(), device)?;
        Ok(Self {
            host: Arc::new(values),
            tensor,
        })
    }
}

/// The f32 values of a contiguous CPU tensor.
fn values<'s>(storage: &'s CpuStorage, layout: &Layout) -> Result<&'s [f32]> {
    let Some((from, to)) = layout.contiguous_offsets() else {
        candle_core::bail!("a kernel needs a contiguous tensor");
    };
    Ok(&storage.as_slice::<f32>()?[from..to])
}

/// Matrices that share an input, side by side: (L, inputs) -> (L, sum of outputs).
pub(super) enum Linear {
    /// Weight blocks in the mapped file.
    Kernels(KernelLinear),
    /// candle's quantised matrices, and what is added to their outputs.
    Tensors(Vec<QMatMul>, Option<Vector>),
}

/// Weight blocks in the mapped file.
pub(super) struct KernelLinear {
    map: Arc<TensorMap>,
    parts: Vec<Rows>,
    bias: Option<Vector>,
}

/// Some rows of a tensor in the file: all of a matrix, or one expert's share of a stack.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) tensor: MappedTensor,
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Rows {
    /// Their blocks.
    pub(super) fn bytes<'m>(&self, map: &'m TensorMap) -> &'m [u8] {
        let bytes = map.bytes(&self.tensor);
        let row = bytes.len() / self.tensor.info.rows();
        &bytes[self.first * row..(self.first + self.count) * row]
    }
}

impl Linear {
    pub(super) fn kernels(map: Arc<TensorMap>, parts: Vec<Rows>, bias: Option<Vector>) -> Self {
        Self::Kernels(KernelLinear { map, parts, bias })
    }

    pub(super) fn tensors(matrices: Vec<QMatMul>, bias: Option<Vector>) -> Self {
        Self::Tensors(matrices, bias)
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Kernels(linear) => x.apply_op1_no_bwd(linear),
            Self::Tensors(matrices, bias) => {
                let parts = matrices
                    .iter()
                    .map(|m| m.forward(x))
                    .collect::<Result<Vec<_>>>()?;
                let out = if parts.len() == 1 {
                    parts[0].clone()
                } else {
                    Tensor::cat(&parts, D::Minus1)?
                };
                match bias {
                    Some(bias) => out.broadcast_add(&bias.tensor),
                    None => Ok(out),
                }
            }
        }
    }
}

impl CustomOp1 for KernelLinear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(storage, layout)?;
        let weights: Vec<WeightRows<'_>> = self
            .parts
            .iter()
            .map(|p| WeightRows {
                ty: p.tensor.info.ty,
                bytes: p.bytes(&self.map),
                rows: p.count,
                columns: p.tensor.info.columns(),
            })
            .collect();
        let rows = x.len() / weights[0].columns;
        let total = weights.iter().map(|w| w.rows).sum();
        let mut out = vec![0.0; rows * total];
        matmul(x, &weights, &mut out);
        if let Some(bias) = &self.bias {
            for row in out.chunks_exact_mut(total) {
                row.iter_mut()
                    .zip(bias.host.iter())
                    .for_each(|(y, b)| *y += b);
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((rows, total))))
    }
}

/// The embedding table in its own blocks.
pub(super) struct Embedding {
    map: Arc<TensorMap>,
    tensor: MappedTensor,
    device: Device,
}

impl Embedding {
    pub(super) fn new(map: Arc<TensorMap>, tensor: MappedTensor, device: Device) -> Self {
        Self {
            map,
            tensor,
            device,
        }
    }

    /// Ids in the vocabulary.
    pub(super) fn vocabulary(&self) -> usize {
        self.tensor.info.rows()
    }

    /// ids -> (L, E), each row times `scale`. The caller has checked that the ids are in the vocabulary.
    pub(super) fn forward(&self, ids: &[u32], scale: f32) -> Result<Tensor> {
        let width = self.tensor.info.columns();
        let bytes = self.map.bytes(&self.tensor);
        let row_bytes = bytes.len() / self.vocabulary();
        let mut out = vec![0.0; ids.len() * width];
        for (&id, row) in ids.iter().zip(out.chunks_exact_mut(width)) {
            expand(
                self.tensor.info.ty,
                &bytes[id as usize * row_bytes..][..row_bytes],
                row,
            );
            for value in row {
                *value *= scale;
            }
        }
        Tensor::from_vec(out, (ids.len(), width), &self.device)
    }
}

/// Root-mean-square norm of rows: (L, E) -> (L, E).
pub(super) struct RmsNorm {
    weight: Vector,
    eps: f32,
    mode: Mode,
}

impl RmsNorm {
    pub(super) fn new(weight: Vector, eps: f32, mode: Mode) -> Self {
        Self { weight, eps, mode }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self.mode {
            Mode::Kernels => x.apply_op1_no_bwd(self),
            Mode::Tensors => {
                candle_nn::ops::rms_norm(&x.contiguous()?, &self.weight.tensor, self.eps)
            }
        }
    }
}

/// Rows below which a row-wise operation stays on one thread.
const PARALLEL_ROWS: usize = 16;

impl CustomOp1 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(storage, layout)?;
        let width = self.weight.host.len();
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(width)
            .with_min_len(PARALLEL_ROWS)
            .zip(x.par_chunks(width))
            .for_each(|(out, row)| rms_norm(row, &self.weight.host, self.eps, out));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// Gate and up side by side -> activation(gate) * up: (L, 2F) -> (L, F).
pub(super) struct Gated {
    pub(super) activation: Activation,
    pub(super) mode: Mode,
}

impl Gated {
    pub(super) fn forward(&self, both: &Tensor) -> Result<Tensor> {
        if self.mode == Mode::Kernels {
            return both.apply_op1_no_bwd(self);
        }
        let width = both.dim(1)? / 2;
        let gate = both.narrow(1, 0, width)?;
        let gate = match self.activation {
            Activation::Silu => gate.silu()?,
            Activation::GeluTanh => gate.gelu()?,
        };
        gate * both.narrow(1, width, width)?
    }
}

impl CustomOp1 for Gated {
    fn name(&self) -> &'static str {
        "gated-activation"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let both = values(storage, layout)?;
        let (rows, double) = layout.shape().dims2()?;
        let width = double / 2;
        let mut out = vec![0.0; rows * width];
        let block = PARALLEL_ROWS * width;
        out.par_chunks_mut(block)
            .zip(both.par_chunks(2 * block))
            .for_each(|(out, both)| gated(both, width, self.activation, out));
        Ok((CpuStorage::F32(out), Shape::from((rows, width))))
    }
}

/// cos and sin of every position: (context, pairs).
pub(super) struct RopeTable {
    cos: Vec<f32>,
    sin: Vec<f32>,
    pairs: usize,
    tensors: (Tensor, Tensor),
}

impl RopeTable {
    /// Angles are `position / factor * base^(-2i/dims) / divisors[i]`, computed in f64 (Su et al. 2021); both cos and sin are multiplied by the
    /// magnitude (Ding et al. 2024).
    pub(super) fn new(
        spec: &RopeSpec,
        dims: usize,
        divisors: Option<&[f64]>,
        context: usize,
        device: &Device,
    ) -> Result<Self> {
        let pairs = dims / 2;
        let frequency = |i: usize| {
            spec.base.powf(-2.0 * i as f64 / dims as f64)
                / spec.factor
                / divisors.map_or(1.0, |d| d[i])
        };
        let frequencies: Vec<f64> = (0..pairs).map(frequency).collect();
        let angles = (0..context).flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
        let (sin, cos): (Vec<f32>, Vec<f32>) = angles
            .map(|a| (a.sin() * spec.magnitude, a.cos() * spec.magnitude))
            .map(|(sin, cos)| (sin as f32, cos as f32))
            .unzip();
        let tensors = if device.is_cpu() {
            // The plain reference slices these; they cost nothing until then.
            let empty = Tensor::zeros((0, pairs), DType::F32, device)?;
            (empty.clone(), empty)
        } else {
            let tensor = |v: &[f32]| Tensor::from_slice(v, (context, pairs), device);
            (tensor(&cos)?, tensor(&sin)?)
        };
        Ok(Self {
            cos,
            sin,
            pairs,
            tensors,
        })
    }

    fn row(&self, position: usize) -> (&[f32], &[f32]) {
        let at = position * self.pairs..(position + 1) * self.pairs;
        (&self.cos[at.clone()], &self.sin[at])
    }

    fn rows(&self, first: usize, count: usize) -> Result<(Tensor, Tensor)> {
        if self.tensors.0.dim(0)? > 0 {
            return Ok((
                self.tensors.0.narrow(0, first, count)?,
                self.tensors.1.narrow(0, first, count)?,
            ));
        }
        let at = first * self.pairs..(first + count) * self.pairs;
        let tensor = |v: &[f32]| Tensor::from_slice(v, (count, self.pairs), &Device::Cpu);
        Ok((tensor(&self.cos[at.clone()])?, tensor(&self.sin[at])?))
    }
}

/// Takes one group of heads out of the joint projection, normalises and rotates it if asked: (L, all) -> (L, heads * D).
pub(super) struct HeadRope<'a> {
    pub(super) column: usize,
    pub(super) heads: usize,
    pub(super) head_dim: usize,
    /// As long as a head, or as all heads together, which are then normalised as one.
    pub(super) norm: Option<&'a Vector>,
    pub(super) eps: f32,
    pub(super) table: Option<&'a RopeTable>,
    pub(super) style: RopeStyle,
    /// Position of the first row.
    pub(super) first: usize,
}

impl HeadRope<'_> {
    pub(super) fn forward(&self, joint: &Tensor, mode: Mode) -> Result<Tensor> {
        if mode == Mode::Kernels {
            return joint.apply_op1_no_bwd(self);
        }
        let rows = joint.dim(0)?;
        let width = self.heads * self.head_dim;
        let mut x = joint.narrow(1, self.column, width)?.contiguous()?;
        if let Some(norm) = self.norm {
            let together = norm.host.len();
            let parts = x.reshape((rows, width / together, together))?;
            x = candle_nn::ops::rms_norm(&parts, &norm.tensor, self.eps)?.reshape((rows, width))?;
        }
        let Some(table) = self.table else {
            return Ok(x);
        };
        let x = x.reshape((rows, self.heads, self.head_dim))?;
        let x = x.transpose(0, 1)?.unsqueeze(0)?;
        let dims = 2 * table.pairs;
        let (cos, sin) = table.rows(self.first, rows)?;
        let part = x.narrow(3, 0, dims)?.contiguous()?;
        let turned = match self.style {
            RopeStyle::Halves => candle_nn::rotary_emb::rope(&part, &cos, &sin)?,
            RopeStyle::Neighbours => candle_nn::rotary_emb::rope_i(&part, &cos, &sin)?,
        };
        let turned = if dims == self.head_dim {
            turned
        } else {
            Tensor::cat(&[turned, x.narrow(3, dims, self.head_dim - dims)?], 3)?
        };
        turned.squeeze(0)?.transpose(0, 1)?.reshape((rows, width))
    }
}

impl CustomOp1 for HeadRope<'_> {
    fn name(&self) -> &'static str {
        "head-rope"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let joint = values(storage, layout)?;
        let (rows, all) = layout.shape().dims2()?;
        let width = self.heads * self.head_dim;
        let mut out = vec![0.0; rows * width];
        out.par_chunks_mut(width)
            .with_min_len(PARALLEL_ROWS)
            .enumerate()
            .for_each(|(row, out)| {
                let from = &joint[row * all + self.column..][..width];
                match self.norm {
                    Some(norm) => from
                        .chunks_exact(norm.host.len())
                        .zip(out.chunks_exact_mut(norm.host.len()))
                        .for_each(|(part, out)| rms_norm(part, &norm.host, self.eps, out)),
                    None => out.copy_from_slice(from),
                }
                if let Some(table) = self.table {
                    let (cos, sin) = table.row(self.first + row);
                    out.chunks_exact_mut(self.head_dim)
                        .for_each(|head| rotate(head, cos, sin, self.style));
                }
            });
        Ok((CpuStorage::F32(out), Shape::from((rows, width))))
    }
}

/// Causal attention of L new rows over the cache, which already holds them: (L, H * D) -> (L, H * D).
pub(super) struct Attention {
    pub(super) shape: AttentionShape,
    pub(super) first: usize,
}

impl Attention {
    /// `k`, `v`: (context, K * D).
    pub(super) fn forward(&self, q: &Tensor, k: &Tensor, v: &Tensor, mode: Mode) -> Result<Tensor> {
        match mode {
            Mode::Kernels => q.apply_op3_no_bwd(k, v, self),
            Mode::Tensors => self.composed(q, k, v),
        }
    }

    fn composed(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        let AttentionShape {
            heads,
            kv_heads,
            head_dim,
            scale,
            window,
            softcap,
        } = self.shape;
        let rows = q.dim(0)?;
        let group = heads / kv_heads;
        let end = self.first + rows;
        let from = window.map_or(0, |w| (self.first + 1).saturating_sub(w));
        let seen = end - from;
        // (T, K * D) -> (K, T, D)
        let cached = |t: &Tensor| {
            t.narrow(0, from, seen)?
                .reshape((seen, kv_heads, head_dim))?
                .transpose(0, 1)?
                .contiguous()
        };
        let (k, v) = (cached(k)?, cached(v)?);
        // (L, K * G * D) -> (K, G * L, D). Scaled before it is cast: the scores of some models do not fit 16 bits before.
        let q = (q * f64::from(scale))?
            .reshape((rows, kv_heads, group, head_dim))?
            .permute((1, 2, 0, 3))?;
        let q = q
            .reshape((kv_heads, group * rows, head_dim))?
            .to_dtype(k.dtype())?;
        let mut scores = q
            .matmul(&k.transpose(1, 2)?.contiguous()?)?
            .to_dtype(DType::F32)?;
        if let Some(cap) = softcap {
            scores = ((scores / f64::from(cap))?.tanh()? * f64::from(cap))?;
        }
        if rows > 1 {
            // A single row sees all of what is left in its window.
            let mask = self.mask(rows, from, seen, q.device())?;
            scores = scores
                .reshape((kv_heads, group, rows, seen))?
                .broadcast_add(&mask)?;
        }
        let weights =
            candle_nn::ops::softmax_last_dim(&scores.reshape((kv_heads, group * rows, seen))?)?;
        let out = weights
            .to_dtype(v.dtype())?
            .matmul(&v)?
            .to_dtype(DType::F32)?;
        let out = out
            .reshape((kv_heads, group, rows, head_dim))?
            .permute((2, 0, 1, 3))?;
        out.reshape((rows, heads * head_dim))
    }

    /// 0 where row i sees key j, minus infinity elsewhere: (L, T).
    fn mask(&self, rows: usize, from: usize, seen: usize, device: &Device) -> Result<Tensor> {
        let sees = |row: usize, j: usize| {
            let position = self.first + row;
            j <= position && self.shape.window.is_none_or(|w| j + w > position)
        };
        let cell = |row, j| if sees(row, j) { 0.0 } else { f32::NEG_INFINITY };
        let cells: Vec<f32> = (0..rows)
            .flat_map(|r| (from..from + seen).map(move |j| cell(r, j)))
            .collect();
        Tensor::from_vec(cells, (rows, seen), device)
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let q = values(q, q_layout)?;
        let mut out = vec![0.0; q.len()];
        let inputs = Inputs {
            q,
            k: values(k, k_layout)?,
            v: values(v, v_layout)?,
            first: self.first,
            shape: self.shape,
        };
        attention(inputs, &mut out);
        Ok((CpuStorage::F32(out), q_layout.shape().clone()))
    }
}
