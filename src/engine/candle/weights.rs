//! Finding tensors of a file by name and shape, and giving them to the operations in the form the device needs.

use super::backend;
use super::ops::{Embedding, Linear, Mode, Rows, Vector};
use crate::engine::EngineError;
use crate::engine::kernels::dequant;
use crate::modelfile::{GgmlType, TensorInfo, WeightsFile};
use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Tensor};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Tensors whose content is computed or belongs to the part of a rotation that is not used.
const IGNORED: [&str; 2] = ["rope_freqs.weight", "rope_factors_long.weight"];

/// The tensors of one file, for one device.
pub(super) struct Weights {
    file: Arc<WeightsFile>,
    device: Device,
    mode: Mode,
    /// Tensors that were asked for.
    used: RefCell<BTreeSet<String>>,
}

impl Weights {
    /// Takes a validated file.
    pub(super) fn new(file: Arc<WeightsFile>, device: Device, mode: Mode) -> Self {
        Self {
            file,
            device,
            mode,
            used: RefCell::default(),
        }
    }

    /// Refuses a file with a tensor that no part of the decoder asked for: what it is for would be missing from every number.
    pub(super) fn all_used(&self) -> Result<(), EngineError> {
        let used = self.used.borrow();
        let mut left = self.file.header().tensors.keys();
        match left.find(|name| !used.contains(*name) && !IGNORED.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(EngineError::UnusedTensor { name: name.clone() }),
        }
    }

    /// Whether the file has this tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.file.header().tensors.contains_key(name)
    }

    /// The tensor's declaration, checked to have these dimensions (the first runs fastest).
    fn info(&self, name: &str, dims: &[usize]) -> Result<TensorInfo, EngineError> {
        self.used.borrow_mut().insert(name.to_owned());
        let info = self.file.header().tensors.get(name);
        let info = info.ok_or_else(|| EngineError::MissingTensor {
            name: name.to_owned(),
        })?;
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
                name: name.to_owned(),
                found: info.dims.clone(),
                expected,
            });
        }
        Ok(info.clone())
    }

    /// A vector of f32, for norms and frequency factors.
    pub(super) fn vector(&self, name: &str, len: usize) -> Result<Vector, EngineError> {
        let info = self.info(name, &[len])?;
        Vector::new(expand(&self.file, &info), &self.device).map_err(backend("loading of a vector"))
    }

    /// Matrices that share their input: each `(name, outputs)` becomes the next columns of the result.
    pub(super) fn linear(
        &self,
        inputs: usize,
        parts: &[(String, usize)],
    ) -> Result<Linear, EngineError> {
        let whole = |(name, outputs): &(String, usize)| {
            Ok(Rows {
                info: self.info(name, &[inputs, *outputs])?,
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

    /// Expert `index` of matrices stacked by expert: each `(name, outputs)` becomes the next columns of the result.
    pub(super) fn expert(
        &self,
        (index, count): (usize, usize),
        inputs: usize,
        parts: &[(String, usize)],
    ) -> Result<Linear, EngineError> {
        let one = |(name, outputs): &(String, usize)| {
            Ok(Rows {
                info: self.info(name, &[inputs, *outputs, count])?,
                first: index * outputs,
                count: *outputs,
            })
        };
        let rows = parts.iter().map(one).collect::<Result<_, EngineError>>()?;
        self.side_by_side(rows, None)
    }

    fn side_by_side(&self, rows: Vec<Rows>, bias: Option<Vector>) -> Result<Linear, EngineError> {
        if self.mode == Mode::Kernels {
            return Ok(Linear::kernels(Arc::clone(&self.file), rows, bias));
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
                let info = self.info(&name(weight), &[*outputs])?;
                all.extend(expand(&self.file, &info));
            } else {
                all.resize(all.len() + outputs, 0.0);
            }
        }
        let vector = Vector::new(all, &self.device).map_err(backend("loading of a bias"))?;
        Ok(Some(vector))
    }

    /// The embedding table, kept in its own blocks: rows are expanded when they are looked up.
    pub(super) fn embedding(&self, name: &str, width: usize) -> Result<Embedding, EngineError> {
        let declared = self.file.header().tensors.get(name);
        let rows = declared
            .ok_or_else(|| EngineError::MissingTensor {
                name: name.to_owned(),
            })?
            .rows();
        let info = self.info(name, &[width, rows])?;
        Ok(Embedding::new(
            Arc::clone(&self.file),
            info,
            self.device.clone(),
        ))
    }

    fn matrix(&self, rows: &Rows) -> candle_core::Result<QMatMul> {
        let info = &rows.info;
        let shape = (rows.count, info.columns());
        let bytes = rows.bytes(&self.file);
        if let Some(ty) = candle_type(info.ty) {
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
fn expand(file: &WeightsFile, info: &TensorInfo) -> Vec<f32> {
    let mut out = vec![0.0; info.elements() as usize];
    dequant::expand(info.ty, file.tensor_bytes(info), &mut out);
    out
}

/// candle's name of a block type, where it has one.
fn candle_type(ty: GgmlType) -> Option<GgmlDType> {
    Some(match ty {
        GgmlType::F32 => GgmlDType::F32,
        GgmlType::F16 => GgmlDType::F16,
        GgmlType::BF16 => GgmlDType::BF16,
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
        GgmlType::IQ4_NL | GgmlType::IQ4_XS | GgmlType::MXFP4 => return None,
    })
}
