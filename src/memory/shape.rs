//! The numbers of a header that decide how much memory a model needs.

use super::MemoryError;
use crate::modelfile::{GgufHeader, Value};
use crate::units::Bytes;

// Bounds: several times what the largest published open model has, so that a damaged header is refused and no product overflows.
pub(super) const MAX_LAYERS: u64 = 1 << 10;
pub(super) const MAX_HEADS: u64 = 1 << 10;
pub(super) const MAX_HEAD_VALUES: u64 = 1 << 12;
pub(super) const MAX_EMBEDDING: u64 = 1 << 17;
pub(super) const MAX_FEED_FORWARD: u64 = 1 << 20;
pub(super) const MAX_VOCABULARY: u64 = 1 << 22;
pub(super) const MAX_CONTEXT: u64 = 1 << 24;

/// Dimensions of a model that decide how much memory it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelShape {
    /// Name of the architecture.
    pub architecture: String,
    /// Number of layers.
    pub layers: u64,
    /// Query heads (of the layer that has the most).
    pub heads: u64,
    /// Key/value heads of each layer. 0 for a layer without attention.
    pub kv_heads: Vec<u64>,
    /// Values of a key head.
    pub key_values: u64,
    /// Values of a value head.
    pub value_values: u64,
    /// Width of the residual stream.
    pub embedding: u64,
    /// Width of the feed-forward part (of the layer where it is widest).
    pub feed_forward: u64,
    /// Ids in the vocabulary, counted where the logits are made.
    pub vocabulary: u64,
    /// Trained context in tokens.
    pub context: u64,
    /// Window of layers with local attention; `None` when every layer sees the whole context.
    pub sliding_window: Option<u64>,
    /// All tensors as they are in the file.
    pub weights_bytes: Bytes,
}

/// Reads the shape out of a header. `file` holds the bytes the header was parsed from.
///
/// # Errors
/// When a number is absent, of the wrong type or outside its bounds.
pub fn shape(header: &GgufHeader, file: &[u8]) -> Result<ModelShape, MemoryError> {
    let architecture = header
        .string("general.architecture")?
        .ok_or_else(|| missing("general.architecture"))?
        .to_owned();
    let reader = Reader {
        header,
        file,
        architecture: &architecture,
    };
    let layers = reader.needed("block_count", 1, MAX_LAYERS)?;
    let embedding = reader.needed("embedding_length", 1, MAX_EMBEDDING)?;
    let heads_by_layer = reader
        .by_layer("attention.head_count", layers, 1, MAX_HEADS)?
        .ok_or_else(|| missing(&reader.key("attention.head_count")))?;
    let kv_heads = reader
        .by_layer("attention.head_count_kv", layers, 0, MAX_HEADS)?
        .unwrap_or_else(|| heads_by_layer.clone());
    let heads = largest(&heads_by_layer);
    let key_values = reader.head_values("attention.key_length", embedding, heads)?;
    let value_values = reader.head_values("attention.value_length", embedding, heads)?;
    let feed_forward = reader
        .by_layer("feed_forward_length", layers, 0, MAX_FEED_FORWARD)?
        .ok_or_else(|| missing(&reader.key("feed_forward_length")))?;
    let context = reader.needed("context_length", 1, MAX_CONTEXT)?;
    let sliding_window = reader
        .given("attention.sliding_window", 0, MAX_CONTEXT)?
        .filter(|window| *window > 0);
    let vocabulary = reader.vocabulary()?;
    Ok(ModelShape {
        layers,
        heads,
        kv_heads,
        key_values,
        value_values,
        embedding,
        feed_forward: largest(&feed_forward),
        vocabulary,
        context,
        sliding_window,
        weights_bytes: Bytes(header.tensor_bytes()),
        architecture,
    })
}

fn missing(key: &str) -> MemoryError {
    MemoryError::Missing {
        key: key.to_owned(),
    }
}

fn largest(values: &[u64]) -> u64 {
    values.iter().copied().max().unwrap_or(0)
}

struct Reader<'a> {
    header: &'a GgufHeader,
    file: &'a [u8],
    architecture: &'a str,
}

impl Reader<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn given(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, MemoryError> {
        let key = self.key(name);
        let Some(found) = self.header.unsigned(&key)? else {
            return Ok(None);
        };
        bounded(&key, found, least, most).map(Some)
    }

    fn needed(&self, name: &str, least: u64, most: u64) -> Result<u64, MemoryError> {
        self.given(name, least, most)?
            .ok_or_else(|| missing(&self.key(name)))
    }

    /// One number for all layers, or a list with one for each.
    fn by_layer(
        &self,
        name: &str,
        layers: u64,
        least: u64,
        most: u64,
    ) -> Result<Option<Vec<u64>>, MemoryError> {
        let key = self.key(name);
        let Some(Value::Array(array)) = self.header.get(&key) else {
            let one = self.given(name, least, most)?;
            return Ok(one.map(|n| vec![n; layers as usize]));
        };
        // Compared before the list is read: its length is declared by the file.
        if array.count != layers {
            return Err(MemoryError::PerLayer {
                key,
                found: array.count,
                layers,
            });
        }
        let Some(values) = self.header.numbers(&key, self.file)? else {
            return Ok(None);
        };
        values
            .into_iter()
            .map(|value| whole(&key, value, least, most))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The size of a head as given, else an equal part of the model's width.
    fn head_values(&self, name: &str, embedding: u64, heads: u64) -> Result<u64, MemoryError> {
        if let Some(given) = self.given(name, 1, MAX_HEAD_VALUES)? {
            return Ok(given);
        }
        if !embedding.is_multiple_of(heads) {
            return Err(MemoryError::HeadSize { embedding, heads });
        }
        Ok(embedding / heads)
    }

    /// Rows of the embedding table: that many logits are made. The list of tokens may be shorter, when the table is padded.
    fn vocabulary(&self) -> Result<u64, MemoryError> {
        const TABLE: &str = "token_embd.weight";
        const TOKENS: &str = "tokenizer.ggml.tokens";
        if let Some(table) = self.header.tensors.get(TABLE) {
            return bounded(TABLE, table.rows() as u64, 1, MAX_VOCABULARY);
        }
        match self.header.get(TOKENS) {
            Some(Value::Array(array)) => bounded(TOKENS, array.count, 1, MAX_VOCABULARY),
            _ => Err(missing(TABLE)),
        }
    }
}

pub(super) fn bounded(key: &str, found: u64, least: u64, most: u64) -> Result<u64, MemoryError> {
    if (least..=most).contains(&found) {
        return Ok(found);
    }
    Err(MemoryError::Range {
        key: key.to_owned(),
        found: found.to_string(),
        least,
        most,
    })
}

fn whole(key: &str, found: f64, least: u64, most: u64) -> Result<u64, MemoryError> {
    if found.fract() == 0.0 && found >= least as f64 && found <= most as f64 {
        return Ok(found as u64);
    }
    Err(MemoryError::Range {
        key: key.to_owned(),
        found: found.to_string(),
        least,
        most,
    })
}
