//! Finding tensors of a file by name and shape, and giving them to the operations in the form the device needs.

use super::backend;
use super::describe::Tensors;
use super::names::{self, Naming};
use super::ops::{Embedding, Linear, Mode, Rows, Vector};
use crate::engine::EngineError;
use crate::engine::kernels::dequant;
use crate::modelfile::{GgmlType, MappedTensor, TensorMap};
use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Tensor};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Tensors whose content is computed or belongs to the part of a rotation that is not used.
const IGNORED: [&str; 2] = ["rope_freqs.weight", "rope_factors_long.weight"];

/// The tensors of a model under the names that GGUF files have for them, for one device.
pub(super) struct Weights {
    map: Arc<TensorMap>,
    norm_offset: f32,
    naming: Naming,
    device: Device,
    mode: Mode,
    /// Tensors that were asked for.
    used: RefCell<BTreeSet<String>>,
}

impl Weights {
    /// Takes validated tensors.
    pub(super) fn new(tensors: Tensors, device: Device, mode: Mode) -> Self {
        Self {
            map: tensors.map,
            norm_offset: tensors.norm_offset,
            naming: tensors.naming,
            device,
            mode,
            used: RefCell::default(),
        }
    }

    /// Refuses a file with a tensor that no part of the decoder asked for: what it is for would be missing from every number.
    pub(super) fn all_used(&self) -> Result<(), EngineError> {
        let used = self.used.borrow();
        let unreadable = self.map.unreadable().map(|(name, _)| name);
        let mut left = self.map.names().chain(unreadable);
        match left.find(|name| !used.contains(*name) && !IGNORED.contains(name)) {
            None => Ok(()),
            Some(name) => Err(EngineError::UnusedTensor {
                name: match self.map.get(name) {
                    Some(tensor) => tensor.info.name.clone(),
                    None => names::original(self.naming, name),
                },
            }),
        }
    }

    /// Whether the file has this tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some()
    }

    /// The tensor's declaration, checked to have these dimensions (the first runs fastest).
    fn tensor(&self, name: &str, dims: &[usize]) -> Result<MappedTensor, EngineError> {
        self.used.borrow_mut().insert(name.to_owned());
        let tensor = self.map.get(name).ok_or_else(|| self.absent(name))?;
        let info = &tensor.info;
        let expected: Vec<u64> = dims.iter().map(|&d| d as u64).collect();
        // A vector may be declared with trailing ones.
        let found: Vec<u64> = info
            .dims
            .iter()
            .copied()
            .rev()
            .skip_while(|&d| d == 1)
            .collect();
        if found.into_iter().rev().ne(expected
            .iter()
            .copied()
            .rev()
            .skip_while(|&d| d == 1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev())
        {
            return Err(EngineError::Shape {
                name: info.name.clone(),
                found: info.dims.clone(),
                expected,
            });
        }
        Ok(tensor.clone())
    }

    /// Why there is no tensor of this name that can be used.
    fn absent(&self, name: &str) -> EngineError {
        let unreadable = self.map.unreadable().find(|(n, _)| *n == name);
        let name = names::original(self.naming, name);
        match unreadable {
            Some((_, dtype)) => EngineError::TensorType {
                name,
                found: dtype.name(),
            },
            None => EngineError::MissingTensor { name },
        }
    }

    /// The values of a vector.
    pub(super) fn values(&self, name: &str, len: usize) -> Result<Vec<f32>, EngineError> {
        Ok(expand(&self.map, &self.tensor(name, &[len])?))
    }

    /// The weights of a norm.
    pub(super) fn norm(&self, name: &str, len: usize) -> Result<Vector, EngineError> {
        let mut values = self.values(name, len)?;
        for value in &mut values {
            *value += self.norm_offset;
        }
        Vector::new(values, &self.device).map_err(backend("loading of a vector"))
    }

    /// Matrices that share their input: each `(name, outputs)` becomes the next columns of the result.
    pub(super) fn linear(
        &self,
        inputs: usize,
        parts: &[(String, usize)],
    ) -> Result<Linear, EngineError> {
        let whole = |(name, outputs): &(String, usize)| {
            Ok(Rows {
                tensor: self.tensor(name, &[inputs, *outputs])?,
                first: 0,
                count: *outputs,
            })
        };
        let rows = parts
            .iter()
            .map(whole)
            .collect::<Result<_, EngineError>>()?;
        self.side_by_side(rows, self.bias(parts)?)
    }

    /// Expert `index` of matrices stacked by expert, or of one matrix an expert: each `(name, outputs)` becomes the next columns of the result.
    pub(super) fn expert(
        &self,
        (index, count): (usize, usize),
        inputs: usize,
        parts: &[(String, usize)],
    ) -> Result<Linear, EngineError> {
        let one = |(name, outputs): &(String, usize)| {
            let single = of_expert(name, index);
            let (tensor, first) = if self.has(&single) {
                (self.tensor(&single, &[inputs, *outputs])?, 0)
            } else {
                (
                    self.tensor(name, &[inputs, *outputs, count])?,
                    index * outputs,
                )
            };
            Ok(Rows {
                tensor,
                first,
                count: *outputs,
            })
        };
        let rows = parts.iter().map(one).collect::<Result<_, EngineError>>()?;
        self.side_by_side(rows, None)
    }

    fn side_by_side(&self, rows: Vec<Rows>, bias: Option<Vector>) -> Result<Linear, EngineError> {
        if self.mode == Mode::Kernels {
            return Ok(Linear::kernels(Arc::clone(&self.map), rows, bias));
        }
        let matrices: candle_core::Result<_> = rows.iter().map(|r| self.matrix(r)).collect();
        let matrices = matrices.map_err(backend("loading of a matrix"))?;
        Ok(Linear::tensors(matrices, bias))
    }

    /// The biases that belong to these matrices, one after another; zeros for a matrix without. `None` when the file has none.
    fn bias(&self, parts: &[(String, usize)]) -> Result<Option<Vector>, EngineError> {
        let name = |weight: &str| weight.replace(".weight", ".bias");
        if !parts.iter().any(|(weight, _)| self.has(&name(weight))) {
            return Ok(None);
        }
        let mut all = Vec::new();
        for (weight, outputs) in parts {
            if self.has(&name(weight)) {
                all.extend(self.values(&name(weight), *outputs)?);
            } else {
                all.resize(all.len() + outputs, 0.0);
            }
        }
        let vector = Vector::new(all, &self.device).map_err(backend("loading of a bias"))?;
        Ok(Some(vector))
    }

    /// The embedding table, kept in its own blocks: rows are expanded when they are looked up.
    pub(super) fn embedding(&self, name: &str, width: usize) -> Result<Embedding, EngineError> {
        let declared = self.map.get(name).ok_or_else(|| self.absent(name))?;
        let tensor = self.tensor(name, &[width, declared.info.rows()])?;
        Ok(Embedding::new(
            Arc::clone(&self.map),
            tensor,
            self.device.clone(),
        ))
    }

    fn matrix(&self, rows: &Rows) -> candle_core::Result<QMatMul> {
        let info = &rows.tensor.info;
        let shape = (rows.count, info.columns());
        let bytes = rows.bytes(&self.map);
        // Metal's kernels for one row write four rows of a K-quant at a time, whether there are four left or not.
        let whole = rows.count.is_multiple_of(4) || info.ty.block_len() < 256;
        let ragged = self.device.is_metal() && !whole;
        if let Some(ty) = candle_type(info.ty).filter(|_| !ragged) {
            let bytes = Cow::Borrowed(bytes);
            let storage = QStorage::from_data(bytes, &self.device, ty)?;
            return QMatMul::from_qtensor(QTensor::new(storage, shape)?);
        }
        let mut values = vec![0.0; shape.0 * shape.1];
        dequant::expand(info.ty, bytes, &mut values);
        let tensor = Tensor::from_vec(values, shape, &self.device)?;
        Ok(QMatMul::Tensor(tensor))
    }
}

/// A whole tensor as f32.
fn expand(map: &TensorMap, tensor: &MappedTensor) -> Vec<f32> {
    let mut out = vec![0.0; tensor.info.elements() as usize];
    dequant::expand(tensor.info.ty, map.bytes(tensor), &mut out);
    out
}

/// The name of the matrix of one expert where experts are not stacked.
pub(super) fn of_expert(stacked: &str, index: usize) -> String {
    stacked.replace("_exps.weight", &format!(".{index}.weight"))
}

/// candle's name of a block type, where it has one. It widens plain floats itself, and in a safetensors file they need not be aligned.
fn candle_type(ty: GgmlType) -> Option<GgmlDType> {
    Some(match ty {
        GgmlType::Q4_0 => GgmlDType::Q4_0,
        GgmlType::Q4_1 => GgmlDType::Q4_1,
        GgmlType::Q5_0 => GgmlDType::Q5_0,
        GgmlType::Q5_1 => GgmlDType::Q5_1,
        GgmlType::Q8_0 => GgmlDType::Q8_0,
        GgmlType::Q2_K => GgmlDType::Q2K,
        GgmlType::Q3_K => GgmlDType::Q3K,
        GgmlType::Q4_K => GgmlDType::Q4K,
        GgmlType::Q5_K => GgmlDType::Q5K,
        GgmlType::Q6_K => GgmlDType::Q6K,
        GgmlType::F32
        | GgmlType::F16
        | GgmlType::BF16
        | GgmlType::IQ4_NL
        | GgmlType::IQ4_XS
        | GgmlType::MXFP4 => return None,
    })
}
