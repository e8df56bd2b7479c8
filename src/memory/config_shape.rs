//! The shape of a model whose weights are safetensors: dimensions from `config.json`, sizes from the tensors' headers.
//!
//! Keys are those of transformers' configuration classes.

use super::shape::{
    MAX_CONTEXT, MAX_EMBEDDING, MAX_FEED_FORWARD, MAX_HEAD_VALUES, MAX_HEADS, MAX_LAYERS,
    MAX_VOCABULARY, bounded,
};
use super::{MemoryError, ModelShape};
use crate::modelfile::{ModelConfig, SafetensorsSet};
use crate::units::Bytes;

/// Names of the same number in the classes of different models; the first is the usual one.
const LAYERS: &[&str] = &["num_hidden_layers", "n_layer"];
const HEADS: &[&str] = &["num_attention_heads", "n_head", "num_heads"];
const KV_HEADS: &[&str] = &["num_key_value_heads", "num_kv_heads"];
const EMBEDDING: &[&str] = &["hidden_size", "n_embd", "d_model"];
const FEED_FORWARD: &[&str] = &["intermediate_size", "ffn_hidden_size", "n_inner"];
const CONTEXT: &[&str] = &["max_position_embeddings", "n_positions"];
const HEAD_VALUES: &[&str] = &["head_dim"];
const WINDOW: &[&str] = &["sliding_window"];

/// Context of models whose memory of a text does not grow with it.
const UNBOUNDED: u64 = 1 << 20;

/// Reads the shape out of a `config.json` and the headers of the weights.
///
/// # Errors
/// When a number is absent, of the wrong type or outside its bounds.
pub fn shape_from_config(config: &[u8], set: &SafetensorsSet) -> Result<ModelShape, MemoryError> {
    let config = Config(ModelConfig::parse(config)?);
    let layers = config.needed(LAYERS, MAX_LAYERS)?;
    let embedding = config.needed(EMBEDDING, MAX_EMBEDDING)?;
    let recurrent = config.0.unsigned("state_size")?.is_some();
    let heads = match config.given(HEADS, MAX_HEADS)? {
        Some(heads) => heads,
        None if recurrent => 1,
        None => return Err(config.missing(HEADS)),
    };
    let shared = config.0.flag("multi_query")? == Some(true)
        && config.0.flag("new_decoder_architecture")? != Some(true);
    let kv_heads = match config.given(KV_HEADS, MAX_HEADS)? {
        _ if shared => 1,
        given => given.unwrap_or(heads),
    };
    let head_values = match config.given(HEAD_VALUES, MAX_HEAD_VALUES)? {
        Some(values) => values,
        None if recurrent => 1,
        None if embedding.is_multiple_of(heads) => embedding / heads,
        None => return Err(MemoryError::HeadSize { embedding, heads }),
    };
    let sliding_window = match config.0.flag("use_sliding_window")? {
        Some(false) => None,
        _ => config.given(WINDOW, MAX_CONTEXT)?,
    };
    Ok(ModelShape {
        architecture: config.0.model_type().to_owned(),
        layers,
        heads,
        kv_heads: vec![if recurrent { 0 } else { kv_heads }; layers as usize],
        key_values: config.latent(LATENT_KEY, head_values)?,
        value_values: config.latent(LATENT_VALUE, head_values)?,
        embedding,
        // Four times the width is what classes take that leave it out.
        feed_forward: match config.given(FEED_FORWARD, MAX_FEED_FORWARD)? {
            Some(width) => width,
            None => 4 * embedding,
        },
        vocabulary: vocabulary(&config, set)?,
        context: match config.given(CONTEXT, MAX_CONTEXT)? {
            Some(context) => context,
            None if recurrent => UNBOUNDED,
            None => return Err(config.missing(CONTEXT)),
        },
        sliding_window,
        weights_bytes: Bytes(set.tensor_bytes()),
    })
}

/// Parts of the keys and values of a head where they are computed from a latent vector (DeepSeek 2).
const LATENT_KEY: &[&str] = &["qk_nope_head_dim", "qk_rope_head_dim"];
const LATENT_VALUE: &[&str] = &["v_head_dim"];

struct Config(ModelConfig);

impl Config {
    fn given(&self, names: &[&str], most: u64) -> Result<Option<u64>, MemoryError> {
        for name in names {
            if let Some(found) = self.0.unsigned(name)? {
                return bounded(name, found, 1, most).map(Some);
            }
        }
        Ok(None)
    }

    fn needed(&self, names: &[&str], most: u64) -> Result<u64, MemoryError> {
        self.given(names, most)?.ok_or_else(|| self.missing(names))
    }

    fn missing(&self, names: &[&str]) -> MemoryError {
        MemoryError::Missing {
            key: self.0.place(names[0]),
        }
    }

    /// The sum of the parts that the file names, else the width of a head.
    fn latent(&self, parts: &[&str], usual: u64) -> Result<u64, MemoryError> {
        let mut sum = 0;
        for part in parts {
            sum += self.given(&[part], MAX_HEAD_VALUES)?.unwrap_or(0);
        }
        Ok(if sum == 0 { usual } else { sum })
    }
}

/// Rows of the embedding table, where that many logits are made, else what the configuration says.
fn vocabulary(config: &Config, set: &SafetensorsSet) -> Result<u64, MemoryError> {
    const TABLE: &str = "embed_tokens.weight";
    let table = set
        .tensors
        .iter()
        .find(|(name, (_, t))| name.ends_with(TABLE) && t.shape.len() == 2);
    match table {
        Some((name, (_, tensor))) => bounded(name, tensor.shape[0], 1, MAX_VOCABULARY),
        None => config.needed(&["vocab_size"], MAX_VOCABULARY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modelfile::{Dtype, SafeTensor};
    use std::collections::BTreeMap;

    fn set() -> SafetensorsSet {
        let table = SafeTensor {
            dtype: Dtype::BF16,
            shape: vec![300, 64],
            offset: 8,
            bytes: 300 * 64 * 2,
        };
        SafetensorsSet {
            files: vec!["model.safetensors".into()],
            tensors: BTreeMap::from([("model.embed_tokens.weight".to_owned(), (0, table))]),
        }
    }

    const CONFIG: &str = r#"{"model_type":"llama","num_hidden_layers":2,"num_attention_heads":4,
        "num_key_value_heads":2,"hidden_size":64,"intermediate_size":128,"vocab_size":299,
        "max_position_embeddings":2048,"sliding_window":null}"#;

    fn fail(from: &str, to: &str) -> String {
        assert!(CONFIG.contains(from), "{from}");
        let text = CONFIG.replace(from, to);
        shape_from_config(text.as_bytes(), &set())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn dimensions_come_from_the_configuration_and_sizes_from_the_headers() {
        let shape = shape_from_config(CONFIG.as_bytes(), &set()).unwrap();
        assert_eq!(shape.kv_heads, [2, 2]);
        assert_eq!((shape.key_values, shape.vocabulary), (16, 300));
        assert_eq!(shape.weights_bytes, Bytes(38_400));
        assert_eq!((shape.context, shape.sliding_window), (2048, None));
        // 2 layers x 2 heads x (16 + 16) values x 100 tokens x 4 bytes
        assert_eq!(
            crate::memory::estimate(&shape, 100, 512, 4).kv_cache,
            Bytes(51_200)
        );
        let nested = format!("{{\"model_type\":\"gemma3\",\"text_config\":{CONFIG}}}");
        let inner = shape_from_config(nested.as_bytes(), &set()).unwrap();
        assert_eq!((inner.architecture.as_str(), inner.layers), ("llama", 2));
        let windowed = CONFIG.replace("null", "512,\"use_sliding_window\":false");
        let shape = shape_from_config(windowed.as_bytes(), &set()).unwrap();
        assert_eq!(shape.sliding_window, None);
    }

    #[test]
    fn what_an_adapter_takes_for_granted_is_known() {
        let falcon = r#"{"model_type":"falcon","num_hidden_layers":2,"num_attention_heads":4,"hidden_size":64,"vocab_size":9}"#;
        let shape = shape_from_config(falcon.as_bytes(), &set()).unwrap();
        assert_eq!((shape.context, shape.kv_heads), (2048, vec![1, 1]));
        let mamba = r#"{"model_type":"mamba2","num_hidden_layers":2,"hidden_size":64,"state_size":16,"time_step_limit":[0.0,Infinity]}"#;
        let shape = shape_from_config(mamba.as_bytes(), &set()).unwrap();
        assert_eq!((shape.context, shape.kv_heads), (UNBOUNDED, vec![0, 0]));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (from, to, message) in [
            (
                "\"hidden_size\":64,",
                "",
                "the memory a model needs cannot be estimated: `config.json: hidden_size` is missing",
            ),
            (
                "\"hidden_size\":64",
                "\"hidden_size\":-64",
                "`config.json` cannot be used: `hidden_size` is `-64`: a whole number is needed",
            ),
            (
                "\"num_hidden_layers\":2",
                "\"num_hidden_layers\":18446744073709551615",
                "metadata `num_hidden_layers` is 18446744073709551615; 1 to 1024 is possible",
            ),
            (
                "\"hidden_size\":64",
                "\"hidden_size\":66",
                "the size of an attention head is not given, and 66 values do not divide by 4 heads",
            ),
            (
                "\"llama\"",
                "[\"llama\"]",
                "`config.json` cannot be used: `model_type` is `[\\\"llama\\\"]`: a name is needed",
            ),
            (
                "\"llama\"",
                "",
                "`config.json` cannot be used: expected value at line 1 column 15",
            ),
        ] {
            assert_eq!(fail(from, to), message);
        }
        let long = vec![b' '; (4 << 20) + 1];
        assert_eq!(
            shape_from_config(&long, &set()).unwrap_err().to_string(),
            "`config.json` cannot be used: it has 4194305 bytes, above the limit of 4194304 bytes"
        );
        assert_eq!(
            shape_from_config(b"[]", &set()).unwrap_err().to_string(),
            "`config.json` cannot be used: it is no object"
        );
        let deep = "[".repeat(100_000);
        assert!(shape_from_config(deep.as_bytes(), &set()).is_err());
    }
}
