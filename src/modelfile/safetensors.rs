//! The safetensors header walker, and sets of files joined by an index.
//!
//! In: the first bytes of a file with the length of the whole, or the path of `model.safetensors` or of `NAME.safetensors.index.json`. Out:
//! tensors with checked offsets. Nothing is allocated by a declared size before that size was compared with the file's length and with a
//! limit, and the header is read as exactly the structure it may have, so that its depth is bounded by that structure.
//!
//! The data of a file is covered exactly: tensors do not overlap, and there is no byte that belongs to none.
//!
//! Format: safetensors repository, README ("Format"): 8 bytes length, little-endian; that many bytes of JSON; the data.

use super::safetensors_json::{RawHeader, RawTensor};
use super::{GgmlType, ModelFileError, SafetensorsIndex, TensorInfo};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The limit of the format's own reader.
const MAX_HEADER_BYTES: u64 = 100_000_000;
const MAX_DIMS: usize = 8;
const LENGTH_BYTES: u64 = 8;
/// Largest index that is read; that of a model of a trillion values has a hundredth of it.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Type of a tensor's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the format's own")]
#[expect(non_camel_case_types, reason = "the names are the format's own")]
pub enum Dtype {
    BOOL,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    I64,
    U64,
    F64,
}

/// (type, name in the file, bytes of a value)
const DTYPES: [(Dtype, &str, u64); 15] = [
    (Dtype::BOOL, "BOOL", 1),
    (Dtype::U8, "U8", 1),
    (Dtype::I8, "I8", 1),
    (Dtype::F8_E5M2, "F8_E5M2", 1),
    (Dtype::F8_E4M3, "F8_E4M3", 1),
    (Dtype::I16, "I16", 2),
    (Dtype::U16, "U16", 2),
    (Dtype::F16, "F16", 2),
    (Dtype::BF16, "BF16", 2),
    (Dtype::I32, "I32", 4),
    (Dtype::U32, "U32", 4),
    (Dtype::F32, "F32", 4),
    (Dtype::I64, "I64", 8),
    (Dtype::U64, "U64", 8),
    (Dtype::F64, "F64", 8),
];

impl Dtype {
    fn row(self) -> &'static (Self, &'static str, u64) {
        DTYPES
            .iter()
            .find(|row| row.0 == self)
            .expect("the table has a row for every variant, which a test checks")
    }

    /// The type with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        DTYPES.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// Name in a file.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Bytes of a value.
    pub fn bytes(self) -> u64 {
        self.row().2
    }

    /// The same type in a GGUF file, where it has one.
    pub fn ggml(self) -> Option<GgmlType> {
        match self {
            Self::F32 => Some(GgmlType::F32),
            Self::F16 => Some(GgmlType::F16),
            Self::BF16 => Some(GgmlType::BF16),
            _ => None,
        }
    }
}

/// One declared tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeTensor {
    /// Type of its values.
    pub dtype: Dtype,
    /// Dimensions as in the file: the last runs fastest.
    pub shape: Vec<u64>,
    /// First byte in the file, absolute.
    pub offset: u64,
    /// Size in bytes.
    pub bytes: u64,
}

impl SafeTensor {
    /// Number of values.
    pub fn elements(&self) -> u64 {
        self.bytes / self.dtype.bytes()
    }

    /// The tensor as a GGUF header would declare it; `None` for a type GGUF does not have and for no dimension at all.
    pub fn info(&self, name: &str) -> Option<TensorInfo> {
        let dims: Vec<u64> = self.shape.iter().rev().copied().collect();
        if dims.is_empty() {
            return None;
        }
        Some(TensorInfo {
            name: name.to_owned(),
            ty: self.dtype.ggml()?,
            dims,
            offset: self.offset,
            bytes: self.bytes,
        })
    }
}

/// A checked safetensors header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsHeader {
    /// `__metadata__`.
    pub metadata: BTreeMap<String, String>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, SafeTensor>,
}

impl SafetensorsHeader {
    /// Validates a header. `head` holds the first bytes of a file of `total` bytes, at least its whole header.
    ///
    /// # Errors
    /// When anything in it contradicts the format or the file's length; [`ModelFileError::Truncated`] when `head` ends too early.
    pub fn parse(head: &[u8], total: u64) -> Result<Self, ModelFileError> {
        let length = header_length(head, total)?;
        let end = LENGTH_BYTES + length;
        let Some(json) = usize::try_from(end)
            .ok()
            .and_then(|end| head.get(LENGTH_BYTES as usize..end))
        else {
            return Err(ModelFileError::Truncated {
                what: "the safetensors header",
                offset: LENGTH_BYTES,
                length: head.len() as u64,
            });
        };
        let raw = RawHeader::parse(json).map_err(|e| ModelFileError::Invalid {
            what: "the safetensors header",
            offset: LENGTH_BYTES,
            why: e.to_string(),
        })?;
        Ok(Self {
            tensors: place_tensors(raw.tensors, end, total)?,
            metadata: raw.metadata,
        })
    }

    /// Reads and validates the header of a file; its data is not touched.
    ///
    /// # Errors
    /// As [`SafetensorsHeader::parse`], and when the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, ModelFileError> {
        let read = |source| ModelFileError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(read)?;
        let total = file.metadata().map_err(read)?.len();
        let mut head = Vec::new();
        (&mut file)
            .take(LENGTH_BYTES)
            .read_to_end(&mut head)
            .map_err(read)?;
        let length = header_length(&head, total)?;
        file.take(length).read_to_end(&mut head).map_err(read)?;
        Self::parse(&head, total)
    }

    /// Total size of all tensors in bytes.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors
            .values()
            .fold(0, |sum, t| sum.saturating_add(t.bytes))
    }
}

/// The declared length of the header, compared with the limit and the file.
fn header_length(head: &[u8], total: u64) -> Result<u64, ModelFileError> {
    let Some(bytes) = head.first_chunk::<8>() else {
        return Err(ModelFileError::Truncated {
            what: "the length of the safetensors header",
            offset: 0,
            length: head.len() as u64,
        });
    };
    let length = u64::from_le_bytes(*bytes);
    if length > MAX_HEADER_BYTES {
        return Err(ModelFileError::Limit {
            what: "the length of the safetensors header",
            found: length,
            limit: MAX_HEADER_BYTES,
            offset: 0,
        });
    }
    if length > total.saturating_sub(LENGTH_BYTES) {
        return Err(ModelFileError::Truncated {
            what: "the safetensors header",
            offset: LENGTH_BYTES,
            length: total,
        });
    }
    Ok(length)
}

/// Turns declarations into places in the file. `data` is where the data begins, `total` the length of the file.
fn place_tensors(
    raw: BTreeMap<String, RawTensor>,
    data: u64,
    total: u64,
) -> Result<BTreeMap<String, SafeTensor>, ModelFileError> {
    let mut spans = Vec::with_capacity(raw.len());
    let mut tensors = BTreeMap::new();
    for (name, raw) in raw {
        let tensor = place(&raw, data, total).map_err(|why| ModelFileError::Tensor {
            name: name.clone(),
            why,
        })?;
        spans.push((tensor.offset, tensor.offset + tensor.bytes, name.clone()));
        tensors.insert(name, tensor);
    }
    spans.sort();
    let mut covered = data;
    let mut before = "the header".to_owned();
    for (begin, end, name) in spans {
        if begin < covered {
            let why = format!("overlaps {before}");
            return Err(ModelFileError::Tensor { name, why });
        }
        if begin > covered {
            let why = format!("begins {} bytes after the end of {before}", begin - covered);
            return Err(ModelFileError::Tensor { name, why });
        }
        covered = end;
        before = format!("tensor `{name}`");
    }
    if covered != total {
        return Err(ModelFileError::Invalid {
            what: "the end of the data",
            offset: covered,
            why: format!("{} bytes belong to no tensor", total - covered),
        });
    }
    Ok(tensors)
}

fn place(raw: &RawTensor, data: u64, total: u64) -> Result<SafeTensor, String> {
    let Some(dtype) = Dtype::from_name(&raw.dtype) else {
        let known: Vec<_> = DTYPES.iter().map(|row| row.1).collect();
        let found: String = raw.dtype.chars().take(40).collect();
        return Err(format!(
            "has the type `{}`, which is not supported; supported are {}",
            found.escape_debug(),
            known.join(", ")
        ));
    };
    if raw.shape.len() > MAX_DIMS {
        let dims = raw.shape.len();
        return Err(format!(
            "has {dims} dimensions; 0 to {MAX_DIMS} are possible"
        ));
    }
    let bytes = raw
        .shape
        .iter()
        .try_fold(dtype.bytes(), |product, &d| product.checked_mul(d));
    let Some(bytes) = bytes else {
        return Err(format!(
            "of type {} cannot have the dimensions {:?}",
            dtype.name(),
            raw.shape
        ));
    };
    let [begin, end] = raw.data_offsets;
    let end_in_file = data.checked_add(end).filter(|&e| e <= total);
    let (Some(declared), Some(end_in_file)) = (end.checked_sub(begin), end_in_file) else {
        return Err(format!(
            "lies at bytes {begin} to {end} of the data, which has {} bytes",
            total - data
        ));
    };
    if declared != bytes {
        return Err(format!(
            "of type {} with the dimensions {:?} needs {bytes} bytes and has {declared}",
            dtype.name(),
            raw.shape
        ));
    }
    Ok(SafeTensor {
        dtype,
        shape: raw.shape.clone(),
        offset: end_in_file - bytes,
        bytes,
    })
}

/// All tensors of a model: one file, or several that an index joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsSet {
    /// The files, in the order of their names.
    pub files: Vec<PathBuf>,
    /// Position in `files` and tensor, by name.
    pub tensors: BTreeMap<String, (usize, SafeTensor)>,
}

impl SafetensorsSet {
    /// Reads the headers of `main`, a safetensors file or an index, and of every file the index names.
    ///
    /// # Errors
    /// When a header is not valid, when a file is missing, and when index and files do not agree on which tensor is where.
    pub fn open(main: &Path) -> Result<Self, ModelFileError> {
        if !SafetensorsIndex::is_name(&main.to_string_lossy()) {
            let header = in_file(main, SafetensorsHeader::open(main))?;
            let tensors = header.tensors.into_iter();
            return Ok(Self {
                files: vec![main.to_owned()],
                tensors: tensors.map(|(name, t)| (name, (0, t))).collect(),
            });
        }
        let index = in_file(main, read_index(main))?;
        let folder = main.parent().unwrap_or(Path::new(""));
        let headers = index.files().into_iter().map(|name| {
            let path = folder.join(&name);
            let header = in_file(&path, SafetensorsHeader::open(&path))?;
            Ok((name, header))
        });
        let headers = headers.collect::<Result<Vec<_>, ModelFileError>>()?;
        Self::join(&index, headers, folder)
    }

    /// Joins headers by an index: every tensor the index names is in exactly the file it names, and no file has another one.
    ///
    /// # Errors
    /// When they do not agree.
    pub fn join(
        index: &SafetensorsIndex,
        headers: Vec<(String, SafetensorsHeader)>,
        folder: &Path,
    ) -> Result<Self, ModelFileError> {
        let mut tensors = BTreeMap::new();
        let mut files = Vec::with_capacity(headers.len());
        for (at, (file, header)) in headers.into_iter().enumerate() {
            for (name, tensor) in header.tensors {
                let why = match index.weight_map.get(&name) {
                    Some(named) if *named == file => None,
                    Some(named) => Some(format!("is in `{file}` and the index says `{named}`")),
                    None => Some(format!("is in `{file}` and not in the index")),
                };
                if let Some(why) = why {
                    return Err(ModelFileError::Tensor { name, why });
                }
                tensors.insert(name, (at, tensor));
            }
            files.push(folder.join(file));
        }
        let absent = index
            .weight_map
            .iter()
            .find(|(name, _)| !tensors.contains_key(*name));
        match absent {
            None => Ok(Self { files, tensors }),
            Some((name, file)) => Err(ModelFileError::Tensor {
                name: name.clone(),
                why: format!("is not in `{file}`, where the index says it is"),
            }),
        }
    }

    /// Total number of values in all tensors.
    pub fn parameters(&self) -> u64 {
        let counts = self.tensors.values().map(|(_, t)| t.elements());
        counts.fold(0, u64::saturating_add)
    }

    /// Total size of all tensors in bytes.
    pub fn tensor_bytes(&self) -> u64 {
        let sizes = self.tensors.values().map(|(_, t)| t.bytes);
        sizes.fold(0, u64::saturating_add)
    }

    /// The type of most of the bytes.
    pub fn main_dtype(&self) -> Option<Dtype> {
        let mut bytes: BTreeMap<Dtype, u64> = BTreeMap::new();
        for (_, tensor) in self.tensors.values() {
            *bytes.entry(tensor.dtype).or_default() += tensor.bytes;
        }
        bytes.into_iter().max_by_key(|b| b.1).map(|b| b.0)
    }
}

/// Reads an index, bounded.
fn read_index(path: &Path) -> Result<SafetensorsIndex, ModelFileError> {
    let read = |source| ModelFileError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(read)?;
    let found = file.metadata().map_err(read)?.len();
    if found > MAX_INDEX_BYTES {
        return Err(ModelFileError::Limit {
            what: "the size of the index",
            found,
            limit: MAX_INDEX_BYTES,
            offset: 0,
        });
    }
    let mut text = Vec::new();
    file.take(MAX_INDEX_BYTES)
        .read_to_end(&mut text)
        .map_err(read)?;
    SafetensorsIndex::parse(&text)
}

/// Names the file of a set in which something is wrong.
pub(super) fn in_file<T>(
    path: &Path,
    result: Result<T, ModelFileError>,
) -> Result<T, ModelFileError> {
    result.map_err(|error| match error {
        ModelFileError::Read { .. } => error,
        error => ModelFileError::InFile {
            file: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            source: Box::new(error),
        },
    })
}

#[cfg(test)]
#[path = "safetensors_tests.rs"]
mod tests;
