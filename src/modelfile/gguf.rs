//! The GGUF header walker.
//!
//! Reads magic, version, metadata and tensor declarations with checked arithmetic and without allocating by declared sizes: metadata
//! arrays stay in the file and are visited through [`ArrayRef`].

use super::{GgmlType, ModelFileError};
use std::collections::BTreeMap;

const MAX_METADATA_KEYS: u64 = 1 << 16;
const MAX_TENSORS: u64 = 1 << 17;
const MAX_KEY_BYTES: u64 = 1 << 16;
const MAX_DIMS: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_ALIGNMENT: u64 = 1 << 20;
/// Largest header; the largest vocabularies known take a tenth of it.
const MAX_HEADER_BYTES: usize = 256 << 20;
/// Nested arrays deeper than this occur in no known file.
const MAX_ARRAY_DEPTH: u32 = 4;

/// Element type of a metadata value (ids 0 to 12 of the format).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the format's own")]
pub enum ElementType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl ElementType {
    fn from_id(id: u32) -> Option<Self> {
        use ElementType as E;
        let all = [
            E::U8,
            E::I8,
            E::U16,
            E::I16,
            E::U32,
            E::I32,
            E::F32,
            E::Bool,
            E::String,
            E::Array,
            E::U64,
            E::I64,
            E::F64,
        ];
        all.get(id as usize).copied()
    }

    /// Bytes of one element; `None` for strings and arrays.
    fn size(self) -> Option<u64> {
        use ElementType as E;
        match self {
            E::U8 | E::I8 | E::Bool => Some(1),
            E::U16 | E::I16 => Some(2),
            E::U32 | E::I32 | E::F32 => Some(4),
            E::U64 | E::I64 | E::F64 => Some(8),
            E::String | E::Array => None,
        }
    }
}

/// A metadata array left in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrayRef {
    /// Type of the elements.
    pub element: ElementType,
    /// Number of elements, checked against the file's length.
    pub count: u64,
    /// First byte of the first element.
    pub offset: u64,
}

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// Any float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A string.
    String(String),
    /// An array, left in the file.
    Array(ArrayRef),
}

/// One declared tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name.
    pub name: String,
    /// Type of its blocks.
    pub ty: GgmlType,
    /// Dimensions as in the file: the first runs fastest (columns), then rows.
    pub dims: Vec<u64>,
    /// First byte in the file, absolute.
    pub offset: u64,
    /// Size in bytes.
    pub bytes: u64,
}

impl TensorInfo {
    /// Values in a row (the dimension that runs fastest).
    pub fn columns(&self) -> usize {
        self.dims.first().copied().unwrap_or(1) as usize
    }

    /// Number of rows: the product of all other dimensions.
    pub fn rows(&self) -> usize {
        self.dims.iter().skip(1).product::<u64>() as usize
    }

    /// Number of values.
    pub fn elements(&self) -> u64 {
        self.dims.iter().product()
    }
}

/// A checked GGUF header.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufHeader {
    /// Format version.
    pub version: u32,
    /// Alignment of tensor data.
    pub alignment: u64,
    /// Metadata by key.
    pub metadata: BTreeMap<String, Value>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, TensorInfo>,
}

impl GgufHeader {
    /// Validates the header of the file whose bytes are `file`.
    ///
    /// # Errors
    /// When anything in it contradicts the format or the file's length.
    pub fn parse(file: &[u8]) -> Result<Self, ModelFileError> {
        Self::parse_head(file, file.len() as u64)
    }

    /// Validates a header. `head` holds the first bytes of a file of `total` bytes, at least its whole header.
    ///
    /// # Errors
    /// As [`GgufHeader::parse`]; [`ModelFileError::Truncated`] when `head` ends too early.
    pub fn parse_head(head: &[u8], total: u64) -> Result<Self, ModelFileError> {
        let Some(window) = head.get(..MAX_HEADER_BYTES) else {
            return Self::parse_within(head, total);
        };
        // What a header declares may not lead the walk, or copies of it, through a file of any size.
        Self::parse_within(window, total).map_err(|error| match error {
            ModelFileError::Truncated { offset, .. } => ModelFileError::Invalid {
                what: "the header",
                offset,
                why: format!("it goes on beyond the limit of {MAX_HEADER_BYTES} bytes"),
            },
            other => other,
        })
    }

    fn parse_within(file: &[u8], total: u64) -> Result<Self, ModelFileError> {
        let mut cursor = Cursor { file, at: 0 };
        let magic = cursor.take(4.min(file.len() as u64), "the magic number")?;
        if magic != b"GGUF" {
            return Err(ModelFileError::Magic {
                found: magic.to_vec(),
            });
        }
        let version = cursor.u32("the version")?;
        if !(2..=3).contains(&version) {
            return Err(ModelFileError::Version { found: version });
        }
        let tensor_count = cursor.limited("the number of tensors", MAX_TENSORS)?;
        let key_count = cursor.limited("the number of metadata keys", MAX_METADATA_KEYS)?;
        let metadata = read_metadata(&mut cursor, key_count)?;
        let alignment = alignment(&metadata)?;
        let declared = read_declarations(&mut cursor, tensor_count)?;
        let data = align(cursor.at, alignment).filter(|&d| d <= total || declared.is_empty());
        let data = data.ok_or(ModelFileError::Truncated {
            what: "the tensor data",
            offset: cursor.at,
            length: total,
        })?;
        let tensors = place_tensors(declared, data, alignment, total)?;
        Ok(Self {
            version,
            alignment,
            metadata,
            tensors,
        })
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// An unsigned integer, or `None` when the key is absent.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, ModelFileError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Unsigned(v)) => Ok(Some(*v)),
            Some(Value::Signed(v)) if *v >= 0 => Ok(Some(v.unsigned_abs())),
            Some(_) => Err(ModelFileError::KeyType {
                key: key.to_owned(),
                expected: "an unsigned integer",
            }),
        }
    }

    /// A float (integers count), or `None` when the key is absent.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn float(&self, key: &str) -> Result<Option<f64>, ModelFileError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Float(v)) => Ok(Some(*v)),
            Some(Value::Unsigned(v)) => Ok(Some(*v as f64)),
            Some(Value::Signed(v)) => Ok(Some(*v as f64)),
            Some(_) => Err(ModelFileError::KeyType {
                key: key.to_owned(),
                expected: "a number",
            }),
        }
    }

    /// A truth value, or `None` when the key is absent.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, ModelFileError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(v)) => Ok(Some(*v)),
            Some(_) => Err(ModelFileError::KeyType {
                key: key.to_owned(),
                expected: "true or false",
            }),
        }
    }

    /// A string, or `None` when the key is absent.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn string(&self, key: &str) -> Result<Option<&str>, ModelFileError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(v)) => Ok(Some(v)),
            Some(_) => Err(ModelFileError::KeyType {
                key: key.to_owned(),
                expected: "a string",
            }),
        }
    }

    /// An array of strings out of `file`, the bytes this header was parsed from. `None` when the key is absent.
    ///
    /// # Errors
    /// When the value is something else or a string is not UTF-8.
    pub fn strings<'f>(
        &self,
        key: &str,
        file: &'f [u8],
    ) -> Result<Option<Vec<&'f str>>, ModelFileError> {
        let Some(array) = self.array(key)? else {
            return Ok(None);
        };
        if array.element != ElementType::String {
            return Err(ModelFileError::KeyType {
                key: key.to_owned(),
                expected: "an array of strings",
            });
        }
        let mut cursor = Cursor {
            file,
            at: array.offset,
        };
        // Every string needs 8 bytes of the file for its length, so `count` is bounded by the file.
        let mut out = Vec::with_capacity(array.count as usize);
        for _ in 0..array.count {
            out.push(cursor.string("a string of an array", file.len() as u64)?);
        }
        Ok(Some(out))
    }

    /// An array of numbers out of `file`, the bytes this header was parsed from. `None` when the key is absent.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn numbers(&self, key: &str, file: &[u8]) -> Result<Option<Vec<f64>>, ModelFileError> {
        let wrong = || ModelFileError::KeyType {
            key: key.to_owned(),
            expected: "an array of numbers",
        };
        let Some(array) = self.array(key)? else {
            return Ok(None);
        };
        let mut cursor = Cursor {
            file,
            at: array.offset,
        };
        array.element.size().ok_or_else(wrong)?;
        let mut out = Vec::with_capacity(array.count as usize);
        for _ in 0..array.count {
            out.push(match cursor.value(array.element, 0)? {
                Value::Unsigned(v) => v as f64,
                Value::Signed(v) => v as f64,
                Value::Float(v) => v,
                Value::Bool(v) => f64::from(u8::from(v)),
                Value::String(_) | Value::Array(_) => return Err(wrong()),
            });
        }
        Ok(Some(out))
    }

    fn array(&self, key: &str) -> Result<Option<ArrayRef>, ModelFileError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(a)) => Ok(Some(*a)),
            Some(_) => Err(ModelFileError::KeyType {
                key: key.to_owned(),
                expected: "an array",
            }),
        }
    }

    /// Total number of values in all tensors.
    pub fn parameters(&self) -> u64 {
        self.tensors
            .values()
            .map(TensorInfo::elements)
            .fold(0, u64::saturating_add)
    }

    /// Total size of all tensors in bytes.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors
            .values()
            .map(|t| t.bytes)
            .fold(0, u64::saturating_add)
    }
}

fn read_metadata(
    cursor: &mut Cursor<'_>,
    count: u64,
) -> Result<BTreeMap<String, Value>, ModelFileError> {
    let mut metadata = BTreeMap::new();
    for _ in 0..count {
        let offset = cursor.at;
        let key = cursor.string("a metadata key", MAX_KEY_BYTES)?.to_owned();
        let ty = cursor.element_type()?;
        let value = cursor.value(ty, 0)?;
        if metadata.insert(key.clone(), value).is_some() {
            let why = format!("`{key}` occurs twice");
            return Err(ModelFileError::Invalid {
                what: "a metadata key",
                offset,
                why,
            });
        }
    }
    Ok(metadata)
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Result<u64, ModelFileError> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::Unsigned(v)) if v.is_power_of_two() && *v <= MAX_ALIGNMENT => Ok(*v),
        Some(other) => Err(ModelFileError::Invalid {
            what: "`general.alignment`",
            offset: 0,
            why: format!("{other:?} is no power of two up to {MAX_ALIGNMENT}"),
        }),
    }
}

/// A tensor as declared: its offset still counts from the start of the data.
struct Declared {
    name: String,
    ty: GgmlType,
    dims: Vec<u64>,
    offset: u64,
}

fn read_declarations(cursor: &mut Cursor<'_>, count: u64) -> Result<Vec<Declared>, ModelFileError> {
    let mut declared = Vec::new();
    for _ in 0..count {
        let name = cursor.string("a tensor name", MAX_KEY_BYTES)?.to_owned();
        let at = cursor.at;
        let n_dims = cursor.u32("the number of dimensions")?;
        if n_dims == 0 || n_dims > MAX_DIMS {
            let why = format!("has {n_dims} dimensions at byte {at}; 1 to {MAX_DIMS} are possible");
            return Err(ModelFileError::Tensor { name, why });
        }
        let dims = (0..n_dims)
            .map(|_| cursor.u64("a dimension"))
            .collect::<Result<Vec<_>, _>>()?;
        let id = cursor.u32("a tensor type")?;
        let Some(ty) = GgmlType::from_id(id) else {
            let known: Vec<_> = GgmlType::all().map(GgmlType::name).collect();
            let why = format!(
                "has the type id {id}, which is not supported; supported are {}",
                known.join(", ")
            );
            return Err(ModelFileError::Tensor { name, why });
        };
        declared.push(Declared {
            name,
            ty,
            dims,
            offset: cursor.u64("a tensor offset")?,
        });
    }
    Ok(declared)
}

fn place_tensors(
    declared: Vec<Declared>,
    data: u64,
    alignment: u64,
    length: u64,
) -> Result<BTreeMap<String, TensorInfo>, ModelFileError> {
    let mut spans = Vec::with_capacity(declared.len());
    let mut tensors = BTreeMap::new();
    for Declared {
        name,
        ty,
        dims,
        offset,
    } in declared
    {
        let fail = |why: String| ModelFileError::Tensor {
            name: name.clone(),
            why,
        };
        if dims.contains(&0) {
            return Err(fail(format!("has an empty dimension: {dims:?}")));
        }
        let rows = dims[1..]
            .iter()
            .try_fold(1_u64, |product, &d| product.checked_mul(d));
        let elements = rows.and_then(|r| r.checked_mul(dims[0]));
        let bytes = rows
            .and_then(|r| ty.bytes(dims[0], r))
            .filter(|_| elements.is_some());
        let Some(bytes) = bytes else {
            return Err(fail(format!(
                "of type {} cannot have the dimensions {dims:?}",
                ty.name()
            )));
        };
        if !offset.is_multiple_of(alignment) {
            return Err(fail(format!(
                "begins at {offset}, which is no multiple of the alignment {alignment}"
            )));
        }
        let end = data
            .checked_add(offset)
            .and_then(|start| start.checked_add(bytes));
        let Some(end) = end.filter(|&e| e <= length) else {
            return Err(fail(format!(
                "needs {bytes} bytes from byte {} but the file has {length} bytes",
                data.saturating_add(offset)
            )));
        };
        spans.push((end - bytes, end, name.clone()));
        let info = TensorInfo {
            name: name.clone(),
            ty,
            dims,
            offset: end - bytes,
            bytes,
        };
        if tensors.insert(name.clone(), info).is_some() {
            return Err(fail("is declared twice".to_owned()));
        }
    }
    spans.sort();
    for pair in spans.windows(2) {
        if pair[1].0 < pair[0].1 {
            let why = format!("overlaps tensor `{}`", pair[0].2);
            return Err(ModelFileError::Tensor {
                name: pair[1].2.clone(),
                why,
            });
        }
    }
    Ok(tensors)
}

fn align(at: u64, alignment: u64) -> Option<u64> {
    Some(at.checked_add(alignment - 1)? / alignment * alignment)
}

/// Reads forward through the file; every read is checked against its length.
struct Cursor<'f> {
    file: &'f [u8],
    at: u64,
}

impl<'f> Cursor<'f> {
    fn take(&mut self, count: u64, what: &'static str) -> Result<&'f [u8], ModelFileError> {
        let length = self.file.len() as u64;
        let end = self.at.checked_add(count).filter(|&e| e <= length);
        let end = end.ok_or(ModelFileError::Truncated {
            what,
            offset: self.at,
            length,
        })?;
        let slice = &self.file[self.at as usize..end as usize];
        self.at = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ModelFileError> {
        let slice = self.take(N as u64, what)?;
        Ok(slice
            .try_into()
            .expect("`take` returns exactly the bytes asked for"))
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, ModelFileError> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, ModelFileError> {
        self.array(what).map(u64::from_le_bytes)
    }

    fn limited(&mut self, what: &'static str, limit: u64) -> Result<u64, ModelFileError> {
        let offset = self.at;
        let found = self.u64(what)?;
        if found <= limit {
            Ok(found)
        } else {
            Err(ModelFileError::Limit {
                what,
                found,
                limit,
                offset,
            })
        }
    }

    fn string(&mut self, what: &'static str, limit: u64) -> Result<&'f str, ModelFileError> {
        let length = self.limited(what, limit)?;
        let offset = self.at;
        let bytes = self.take(length, what)?;
        std::str::from_utf8(bytes).map_err(|e| ModelFileError::Invalid {
            what,
            offset,
            why: e.to_string(),
        })
    }

    fn element_type(&mut self) -> Result<ElementType, ModelFileError> {
        let offset = self.at;
        let id = self.u32("a value type")?;
        ElementType::from_id(id).ok_or_else(|| ModelFileError::Invalid {
            what: "a value type",
            offset,
            why: format!("{id} is not one of 0 to 12"),
        })
    }

    fn value(&mut self, ty: ElementType, depth: u32) -> Result<Value, ModelFileError> {
        use ElementType as E;
        let what = "a metadata value";
        Ok(match ty {
            E::U8 => Value::Unsigned(u64::from(self.array::<1>(what)?[0])),
            E::I8 => Value::Signed(i64::from(i8::from_le_bytes(self.array(what)?))),
            E::U16 => Value::Unsigned(u64::from(u16::from_le_bytes(self.array(what)?))),
            E::I16 => Value::Signed(i64::from(i16::from_le_bytes(self.array(what)?))),
            E::U32 => Value::Unsigned(u64::from(self.u32(what)?)),
            E::I32 => Value::Signed(i64::from(i32::from_le_bytes(self.array(what)?))),
            E::F32 => Value::Float(f64::from(f32::from_le_bytes(self.array(what)?))),
            E::U64 => Value::Unsigned(self.u64(what)?),
            E::I64 => Value::Signed(i64::from_le_bytes(self.array(what)?)),
            E::F64 => Value::Float(f64::from_le_bytes(self.array(what)?)),
            E::Bool => Value::Bool(self.array::<1>(what)?[0] != 0),
            E::String => Value::String(self.string(what, 1 << 26)?.to_owned()),
            E::Array => Value::Array(self.skip_array(depth)?),
        })
    }

    /// Checks an array and steps over it.
    fn skip_array(&mut self, depth: u32) -> Result<ArrayRef, ModelFileError> {
        let start = self.at;
        if depth >= MAX_ARRAY_DEPTH {
            let why = format!("arrays are nested more than {MAX_ARRAY_DEPTH} deep");
            return Err(ModelFileError::Invalid {
                what: "a metadata array",
                offset: start,
                why,
            });
        }
        let element = self.element_type()?;
        let count = self.u64("an array length")?;
        let offset = self.at;
        let length = self.file.len() as u64;
        match element.size() {
            Some(size) => {
                let bytes = count.checked_mul(size);
                let bytes = bytes.ok_or(ModelFileError::Truncated {
                    what: "a metadata array",
                    offset,
                    length,
                })?;
                self.take(bytes, "a metadata array")?;
            }
            None => {
                // Strings need at least 8 bytes each, arrays 12: the loop ends at the end of the file at the latest.
                for _ in 0..count {
                    match element {
                        ElementType::String => {
                            self.string("a string of an array", length)?;
                        }
                        _ => {
                            self.skip_array(depth + 1)?;
                        }
                    }
                }
            }
        }
        Ok(ArrayRef {
            element,
            count,
            offset,
        })
    }
}

#[cfg(test)]
#[path = "gguf_tests.rs"]
mod tests;
