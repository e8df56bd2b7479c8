//! Finding tensors of a file by name and shape, and giving them to the operations in the form the device needs.

use super::backend;
use super::ops::{Embedding, Linear, Mode, Vector};
use crate::engine::EngineError;
use crate::engine::kernels::dequant;
use crate::modelfile::{GgmlType, TensorInfo, WeightsFile};
use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Tensor};
use std::borrow::Cow;
use std::sync::Arc;

/// The tensors of one file, for one device.
pub(super) struct Weights {
    file: Arc<WeightsFile>,
    device: Device,
    mode: Mode,
}

impl Weights {
    /// Takes a validated file.
    pub(super) fn new(file: Arc<WeightsFile>, device: Device, mode: Mode) -> Self {
        Self { file, device, mode }
    }

    /// Whether the file has this tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.file.header().tensors.contains_key(name)
    }

    /// The tensor's declaration, checked to have these dimensions (the first runs fastest).
    fn info(&self, name: &str, dims: &[usize]) -> Result<TensorInfo, EngineError> {
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
        let infos = parts
            .iter()
            .map(|(name, outputs)| self.info(name, &[inputs, *outputs]));
        let infos = infos.collect::<Result<Vec<_>, _>>()?;
        match self.mode {
            Mode::Kernels => Ok(Linear::kernels(Arc::clone(&self.file), infos)),
            Mode::Tensors => {
                let matrices = infos
                    .iter()
                    .map(|info| self.matrix(info))
                    .collect::<candle_core::Result<_>>();
                Ok(Linear::tensors(
                    matrices.map_err(backend("loading of a matrix"))?,
                ))
            }
        }
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

    fn matrix(&self, info: &TensorInfo) -> candle_core::Result<QMatMul> {
        let shape = (info.rows(), info.columns());
        match candle_type(info.ty) {
            Some(ty) => {
                let bytes = Cow::Borrowed(self.file.tensor_bytes(info));
                let storage = QStorage::from_data(bytes, &self.device, ty)?;
                QMatMul::from_qtensor(QTensor::new(storage, shape)?)
            }
            None => Ok(QMatMul::Tensor(Tensor::from_vec(
                expand(&self.file, info),
                shape,
                &self.device,
            )?)),
        }
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
