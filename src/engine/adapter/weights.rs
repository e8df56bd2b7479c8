//! The tensors of a safetensors set as f32, read when a model asks for them and kept, so that a model can be built again at no cost.
//!
//! In: a checked set. Out: candle tensors, row-major f32 of the file's shape. Files are read and not mapped: mapped pages would count as memory
//! of the process beside the f32 values made of them. Invariant: nothing is read before the shape that was asked for is that in the file.

use crate::engine::EngineError;
use crate::modelfile::{Dtype, ModelFileError, SafeTensor, SafetensorsSet};
use crate::units::Bytes;
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;
use half::{bf16, f16};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ends of names of buffers that older files hold and every implementation computes itself.
const COMPUTED: [&str; 3] = [".inv_freq", ".attn.bias", ".attn.masked_bias"];

/// The types that can be read.
const READABLE: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::BF16];

/// Memory of the weights while a model is loaded: every value as f32, and the bytes in the file of the tensor that is read.
pub fn weights_in_memory(set: &SafetensorsSet) -> Bytes {
    let largest = set.tensors.values().map(|(_, t)| t.bytes).max();
    let all = set.parameters().saturating_mul(4);
    Bytes(all.saturating_add(largest.unwrap_or(0)))
}

/// How the names and shapes that a model asks for differ from those in its file.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// (asked for, in the file).
    pub(super) renamed: Vec<(String, String)>,
    /// A table of which only the first rows are used.
    pub(super) first_rows_of: Option<&'static str>,
    /// Tensors of the file that nothing asks for although they may be there.
    pub(super) spare: Vec<String>,
}

/// The tensors of one set.
#[derive(Clone)]
pub(super) struct Weights(Arc<Inner>);

struct Inner {
    set: SafetensorsSet,
    names: Names,
    read: Mutex<BTreeMap<String, Tensor>>,
    failures: Mutex<Vec<EngineError>>,
}

impl Weights {
    /// Takes a checked set.
    pub(super) fn new(set: SafetensorsSet, names: Names) -> Self {
        Self(Arc::new(Inner {
            set,
            names,
            read: Mutex::default(),
            failures: Mutex::default(),
        }))
    }

    /// Refuses a set with a tensor that no part of the model asked for: what it is for would be missing from every number.
    pub(super) fn all_used(&self) -> Result<(), EngineError> {
        let read = lock(&self.0.read);
        let spare = |name: &str| {
            COMPUTED.iter().any(|end| name.ends_with(end))
                || self.0.names.spare.iter().any(|s| s == name)
        };
        let mut names = self.0.set.tensors.keys();
        match names.find(|name| !read.contains_key(*name) && !spare(name)) {
            None => Ok(()),
            Some(name) => Err(EngineError::UnusedTensor { name: name.clone() }),
        }
    }

    /// What made a candle operation fail, when it was one of these tensors.
    pub(super) fn cause(&self, said: &str) -> Option<EngineError> {
        let mut failures = lock(&self.0.failures);
        let at = failures.iter().position(|f| said.contains(&f.to_string()));
        at.map(|at| failures.swap_remove(at))
    }

    fn in_file<'a>(&'a self, asked: &'a str) -> &'a str {
        let renamed = self.0.names.renamed.iter().find(|(from, _)| from == asked);
        renamed.map_or(asked, |(_, to)| to)
    }

    fn declared(&self, name: &str) -> Result<&(usize, SafeTensor), EngineError> {
        let found = self.0.set.tensors.get(name);
        found.ok_or_else(|| EngineError::MissingTensor {
            name: name.to_owned(),
        })
    }

    fn tensor(&self, shape: Option<&Shape>, asked: &str) -> Result<Tensor, EngineError> {
        let name = self.in_file(asked);
        let (file, declared) = self.declared(name)?;
        let found: Vec<usize> = declared.shape.iter().map(|&d| d as usize).collect();
        let rows = match shape.map(Shape::dims) {
            Some([rows, rest @ ..])
                if self.0.names.first_rows_of == Some(name)
                    && found.get(1..) == Some(rest)
                    && *rows < found[0] =>
            {
                Some(*rows)
            }
            Some(dims) if dims != found => {
                return Err(EngineError::Shape {
                    name: name.to_owned(),
                    found: declared.shape.clone(),
                    expected: dims.iter().map(|&d| d as u64).collect(),
                });
            }
            _ => None,
        };
        let mut read = lock(&self.0.read);
        let whole = if let Some(tensor) = read.get(name) {
            tensor.clone()
        } else {
            let values = read_values(&self.0.set.files[*file], name, declared)?;
            let tensor = Tensor::from_vec(values, found, &Device::Cpu)
                .map_err(super::run::backend("reading of a tensor"))?;
            read.insert(name.to_owned(), tensor.clone());
            tensor
        };
        match rows {
            None => Ok(whole),
            Some(rows) => whole
                .narrow(0, 0, rows)
                .map_err(super::run::backend("reading of a tensor")),
        }
    }

    /// Remembers a failure of ours while candle carries its text.
    fn told(
        &self,
        result: Result<Tensor, EngineError>,
        dtype: DType,
    ) -> candle_core::Result<Tensor> {
        match result {
            Ok(tensor) => tensor.to_dtype(dtype),
            Err(error) => {
                let text = error.to_string();
                lock(&self.0.failures).push(error);
                Err(candle_core::Error::Msg(text))
            }
        }
    }
}

impl SimpleBackend for Weights {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        _: &Device,
    ) -> candle_core::Result<Tensor> {
        self.told(self.tensor(Some(&shape), name), dtype)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, _: &Device) -> candle_core::Result<Tensor> {
        self.told(self.tensor(None, name), dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.set.tensors.contains_key(self.in_file(name))
    }
}

/// A panic elsewhere leaves these collections as they were.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The values of a tensor as f32. The bounds were compared with the file's length when its header was read.
fn read_values(path: &Path, name: &str, tensor: &SafeTensor) -> Result<Vec<f32>, EngineError> {
    if !READABLE.contains(&tensor.dtype) {
        return Err(EngineError::TensorType {
            name: name.to_owned(),
            found: tensor.dtype.name(),
        });
    }
    let read = |source| ModelFileError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(read)?;
    file.seek(SeekFrom::Start(tensor.offset)).map_err(read)?;
    let mut bytes = Vec::new();
    file.take(tensor.bytes)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    if bytes.len() as u64 != tensor.bytes {
        let why = "is shorter than its header says: the file has changed".to_owned();
        let name = name.to_owned();
        return Err(ModelFileError::Tensor { name, why }.into());
    }
    Ok(widened(&bytes, tensor.dtype))
}

fn widened(bytes: &[u8], dtype: Dtype) -> Vec<f32> {
    fn each<const N: usize>(bytes: &[u8], widen: fn([u8; N]) -> f32) -> Vec<f32> {
        let (values, _) = bytes.as_chunks::<N>();
        values.par_iter().map(|&v| widen(v)).collect()
    }
    match dtype {
        Dtype::F16 => each(bytes, |v| f16::from_le_bytes(v).to_f32()),
        Dtype::BF16 => each(bytes, |v| bf16::from_le_bytes(v).to_f32()),
        _ => each(bytes, f32::from_le_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_widened_exactly() {
        let values = [1.5_f32, -0.25, 0.0, 1024.0];
        let bytes = |f: fn(f32) -> Vec<u8>| values.iter().flat_map(|&v| f(v)).collect::<Vec<u8>>();
        let f16s = bytes(|v| f16::from_f32(v).to_le_bytes().to_vec());
        let bf16s = bytes(|v| bf16::from_f32(v).to_le_bytes().to_vec());
        let f32s = bytes(|v| v.to_le_bytes().to_vec());
        for (bytes, dtype) in [(f16s, Dtype::F16), (bf16s, Dtype::BF16), (f32s, Dtype::F32)] {
            assert_eq!(widened(&bytes, dtype), values, "{dtype:?}");
        }
    }
}
