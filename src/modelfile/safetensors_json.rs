//! The JSON of safetensors files and of their indexes, read as exactly the structure it may have.
//!
//! A general JSON value would keep the last of two equal keys and would nest as deep as the input does. Here a repeated name is an error and
//! every value has one type, so that depth and memory follow from the length of the text.

use super::ModelFileError;
use serde::Deserialize;
use serde::de::{Error as _, MapAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const METADATA: &str = "__metadata__";
const MAX_TENSORS: usize = 1 << 17;
const MAX_FILES: usize = 1 << 12;
const INDEX_END: &str = ".safetensors.index.json";

/// A tensor as declared; nothing of it is checked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTensor {
    pub(super) dtype: String,
    pub(super) shape: Vec<u64>,
    pub(super) data_offsets: [u64; 2],
}

/// A header as declared.
#[derive(Debug, Default)]
pub(super) struct RawHeader {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: BTreeMap<String, RawTensor>,
}

impl RawHeader {
    pub(super) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = RawHeader;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
                let mut header = RawHeader::default();
                let mut has_metadata = false;
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        if std::mem::replace(&mut has_metadata, true) {
                            return Err(A::Error::custom("`__metadata__` occurs twice"));
                        }
                        header.metadata = map.next_value::<Strings>()?.0;
                        continue;
                    }
                    if header.tensors.len() >= MAX_TENSORS {
                        let why = format!("more than {MAX_TENSORS} tensors");
                        return Err(A::Error::custom(why));
                    }
                    let tensor = map.next_value()?;
                    insert(&mut header.tensors, name, tensor)?;
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// An object of strings without repeated names.
struct Strings(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
                let mut strings = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    insert(&mut strings, name, value)?;
                }
                Ok(Strings(strings))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

fn insert<T, E: serde::de::Error>(
    into: &mut BTreeMap<String, T>,
    name: String,
    value: T,
) -> Result<(), E> {
    let shown: String = name.chars().take(100).collect();
    match into.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(E::custom(format!(
            "`{}` occurs twice",
            shown.escape_debug()
        ))),
    }
}

/// Which tensor is in which file of a set: `NAME.safetensors.index.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsIndex {
    /// File by tensor. Every file is a plain name, so that it lies in the index's own folder.
    pub weight_map: BTreeMap<String, String>,
}

impl SafetensorsIndex {
    /// Whether a file is an index, by its name.
    pub fn is_name(name: &str) -> bool {
        name.ends_with(INDEX_END)
    }

    /// Reads an index.
    ///
    /// # Errors
    /// When it is no valid index or names a file that could lie outside its folder.
    pub fn parse(text: &[u8]) -> Result<Self, ModelFileError> {
        #[derive(Deserialize)]
        struct Raw {
            weight_map: Strings,
        }
        let invalid = |why: String| ModelFileError::Invalid {
            what: "the index",
            offset: 0,
            why,
        };
        let raw: Raw = serde_json::from_slice(text).map_err(|e| invalid(e.to_string()))?;
        let index = Self {
            weight_map: raw.weight_map.0,
        };
        if index.weight_map.is_empty() {
            return Err(invalid("`weight_map` names no tensor".to_owned()));
        }
        let files = index.files();
        if files.len() > MAX_FILES {
            let found = files.len() as u64;
            return Err(ModelFileError::Limit {
                what: "the number of files in the index",
                found,
                limit: MAX_FILES as u64,
                offset: 0,
            });
        }
        match files.iter().find(|f| !is_plain(f)) {
            None => Ok(index),
            Some(file) => Err(invalid(format!(
                "`{}` is no plain name of a safetensors file in the index's folder",
                file.chars().take(100).collect::<String>().escape_debug()
            ))),
        }
    }

    /// The files, each once, in the order of their names.
    pub fn files(&self) -> Vec<String> {
        let files: BTreeSet<&String> = self.weight_map.values().collect();
        files.into_iter().cloned().collect()
    }
}

/// A name that cannot lead out of a folder.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.len() <= 200
        && name.ends_with(".safetensors")
        && !name.starts_with('.')
        && name.chars().all(plain)
}
