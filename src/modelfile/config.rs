//! `config.json`, the description beside safetensors weights.
//!
//! In: its bytes. Out: checked values of the language part by name, in the form transformers 5 writes and in that of version 4. Knows nothing
//! of what the values mean.
//!
//! A configuration may leave out what its class has a default for, so the defaults of the classes that evalh runs are kept here (source: the
//! `configuration_*.py` files of the transformers library, 5.23). `null` is a value and takes no default.

use super::{ModelFileError, json_with_infinity};
use serde_json::{Map, Value};

/// Largest `config.json` that is read.
pub const MAX_CONFIG_BYTES: usize = 4 << 20;
/// Longest list that is read.
const MAX_LIST: usize = 1 << 16;

/// (`model_type`, what its class fills in)
const DEFAULTS: [(&str, &str); 26] = [
    (
        "llama",
        r#"{"rms_norm_eps":1e-6,"max_position_embeddings":2048,"hidden_act":"silu","tie_word_embeddings":false}"#,
    ),
    (
        "mistral",
        r#"{"num_key_value_heads":8,"rms_norm_eps":1e-6,"max_position_embeddings":131072,"sliding_window":4096,"hidden_act":"silu","tie_word_embeddings":false}"#,
    ),
    (
        "mixtral",
        r#"{"num_key_value_heads":8,"rms_norm_eps":1e-5,"max_position_embeddings":131072,"rope_theta":1000000.0,"hidden_act":"silu","num_local_experts":8,"num_experts_per_tok":2,"tie_word_embeddings":false}"#,
    ),
    (
        "qwen2",
        r#"{"num_key_value_heads":32,"rms_norm_eps":1e-6,"max_position_embeddings":32768,"sliding_window":4096,"use_sliding_window":false,"max_window_layers":28,"hidden_act":"silu","tie_word_embeddings":false}"#,
    ),
    (
        "qwen3",
        r#"{"num_key_value_heads":32,"head_dim":128,"rms_norm_eps":1e-6,"max_position_embeddings":32768,"sliding_window":4096,"use_sliding_window":false,"max_window_layers":28,"hidden_act":"silu","tie_word_embeddings":false}"#,
    ),
    (
        "qwen3_moe",
        r#"{"num_key_value_heads":4,"rms_norm_eps":1e-6,"max_position_embeddings":32768,"sliding_window":4096,"use_sliding_window":false,"hidden_act":"silu","num_local_experts":128,"num_experts_per_tok":8,"moe_intermediate_size":768,"norm_topk_prob":false,"decoder_sparse_step":1,"tie_word_embeddings":false}"#,
    ),
    (
        "gemma2",
        r#"{"hidden_size":2304,"num_hidden_layers":26,"num_attention_heads":8,"num_key_value_heads":4,"head_dim":256,"intermediate_size":9216,"max_position_embeddings":8192,"rms_norm_eps":1e-6,"sliding_window":4096,"hidden_activation":"gelu_pytorch_tanh","attn_logit_softcapping":50.0,"final_logit_softcapping":30.0,"query_pre_attn_scalar":256,"tie_word_embeddings":true}"#,
    ),
    (
        "gemma3_text",
        r#"{"hidden_size":2304,"num_hidden_layers":26,"num_attention_heads":8,"num_key_value_heads":4,"head_dim":256,"intermediate_size":9216,"max_position_embeddings":131072,"rms_norm_eps":1e-6,"sliding_window":4096,"hidden_activation":"gelu_pytorch_tanh","query_pre_attn_scalar":256,"rope_theta":1000000.0,"rope_local_base_freq":10000.0,"tie_word_embeddings":true}"#,
    ),
    (
        "phi3",
        r#"{"rms_norm_eps":1e-5,"max_position_embeddings":4096,"hidden_act":"silu","tie_word_embeddings":false}"#,
    ),
    (
        "smollm3",
        r#"{"num_key_value_heads":4,"rms_norm_eps":1e-6,"max_position_embeddings":32768,"rope_theta":2000000.0,"use_sliding_window":false,"no_rope_layer_interval":4,"hidden_act":"silu","tie_word_embeddings":true}"#,
    ),
    (
        "granite",
        r#"{"rms_norm_eps":1e-6,"max_position_embeddings":2048,"embedding_multiplier":1.0,"logits_scaling":1.0,"residual_multiplier":1.0,"attention_multiplier":1.0,"hidden_act":"silu","tie_word_embeddings":false}"#,
    ),
    (
        "olmo2",
        r#"{"rms_norm_eps":1e-5,"max_position_embeddings":2048,"hidden_act":"silu","tie_word_embeddings":false}"#,
    ),
    ("gemma3", r"{}"),
    // Of models that the adapter runs, what an estimate needs.
    (
        "falcon",
        r#"{"max_position_embeddings":2048,"multi_query":true}"#,
    ),
    ("gpt_bigcode", r#"{"n_positions":1024,"multi_query":true}"#),
    (
        "gemma",
        r#"{"head_dim":256,"max_position_embeddings":8192}"#,
    ),
    (
        "glm4",
        r#"{"head_dim":128,"max_position_embeddings":131072}"#,
    ),
    ("deepseek_v2", r#"{"max_position_embeddings":2048}"#),
    ("granitemoehybrid", r#"{"max_position_embeddings":2048}"#),
    ("lfm2", r#"{"max_position_embeddings":128000}"#),
    ("olmo", r#"{"max_position_embeddings":2048}"#),
    ("phi", r#"{"max_position_embeddings":2048}"#),
    ("qwen2_moe", r#"{"max_position_embeddings":32768}"#),
    ("stablelm", r#"{"max_position_embeddings":4096}"#),
    ("starcoder2", r#"{"max_position_embeddings":4096}"#),
    (
        "helium",
        r#"{"head_dim":128,"max_position_embeddings":4096}"#,
    ),
];

/// The language part of a configuration, or an object in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    model_type: String,
    /// Put before a key in messages.
    place: String,
    values: Map<String, Value>,
    defaults: Map<String, Value>,
}

impl ModelConfig {
    /// Reads the file. Of a model that also sees images it is the language part.
    ///
    /// # Errors
    /// When it is too long, is no object or does not name the model's type.
    pub fn parse(text: &[u8]) -> Result<Self, ModelFileError> {
        let bytes = text.len();
        if bytes > MAX_CONFIG_BYTES {
            return Err(cannot(format!(
                "it has {bytes} bytes, above the limit of {MAX_CONFIG_BYTES} bytes"
            )));
        }
        let value = json_with_infinity(text).map_err(|e| cannot(e.to_string()))?;
        let Value::Object(whole) = value else {
            return Err(cannot("it is no object".to_owned()));
        };
        let mut config = Self {
            model_type: String::new(),
            place: String::new(),
            values: whole,
            defaults: Map::new(),
        };
        config.model_type = config.named_type()?;
        match config.values.get("text_config") {
            Some(Value::Object(part)) if !config.values.contains_key("num_hidden_layers") => {
                let part = part.clone();
                // What is said once for the whole model holds for the part too.
                let outer = config.values.get("tie_word_embeddings").cloned();
                config.values = part;
                "text_config.".clone_into(&mut config.place);
                if config.values.contains_key("model_type") {
                    config.model_type = config.named_type()?;
                }
                if let Some(tied) = outer {
                    let key = "tie_word_embeddings".to_owned();
                    config.values.entry(key).or_insert(tied);
                }
            }
            _ => (),
        }
        config.defaults = defaults(&config.model_type);
        Ok(config)
    }

    fn named_type(&self) -> Result<String, ModelFileError> {
        match self.values.get("model_type") {
            Some(Value::String(name)) if name.len() <= 100 => Ok(name.clone()),
            Some(other) => Err(self.wrong("model_type", other, "a name is needed")),
            None => Err(self.missing("model_type")),
        }
    }

    /// The `model_type` of the language part.
    pub fn model_type(&self) -> &str {
        &self.model_type
    }

    /// The name of a key in messages.
    pub fn place(&self, key: &str) -> String {
        format!("config.json: {}{key}", self.place)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let value = self.values.get(key).or_else(|| self.defaults.get(key));
        value.filter(|v| !v.is_null())
    }

    /// True when the file itself has the key with a value.
    pub fn says(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|v| !v.is_null())
    }

    /// A whole number.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, ModelFileError> {
        self.typed(key, "a whole number is needed", Value::as_u64)
    }

    /// A finite number.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn float(&self, key: &str) -> Result<Option<f64>, ModelFileError> {
        self.typed(key, "a number is needed", Value::as_f64)
    }

    /// True or false.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, ModelFileError> {
        self.typed(key, "true or false is needed", Value::as_bool)
    }

    /// A text.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ModelFileError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, other, "a text is needed")),
        }
    }

    /// A list of numbers.
    ///
    /// # Errors
    /// When it is anything else or too long.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, ModelFileError> {
        self.list(key, "a list of numbers is needed", Value::as_f64)
    }

    /// A list of texts.
    ///
    /// # Errors
    /// When it is anything else or too long.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<String>>, ModelFileError> {
        let text = |v: &Value| v.as_str().map(str::to_owned);
        self.list(key, "a list of texts is needed", text)
    }

    /// An object.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn object(&self, key: &str) -> Result<Option<Self>, ModelFileError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(values)) => Ok(Some(Self {
                model_type: self.model_type.clone(),
                place: format!("{}{key}.", self.place),
                values: values.clone(),
                defaults: Map::new(),
            })),
            Some(other) => Err(self.wrong(key, other, "an object is needed")),
        }
    }

    fn typed<T>(
        &self,
        key: &str,
        needed: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, ModelFileError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(read) => Ok(Some(read)),
                None => Err(self.wrong(key, value, needed)),
            },
        }
    }

    fn list<T>(
        &self,
        key: &str,
        needed: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, ModelFileError> {
        self.typed(key, needed, |value| {
            let items = value.as_array().filter(|items| items.len() <= MAX_LIST)?;
            items.iter().map(&read).collect()
        })
    }

    /// A value that cannot be used, and what is wrong with it.
    pub fn refuse(&self, key: &str, why: &str) -> ModelFileError {
        self.wrong(key, self.get(key).unwrap_or(&Value::Null), why)
    }

    fn wrong(&self, key: &str, found: &Value, why: &str) -> ModelFileError {
        let found: String = found.to_string().chars().take(60).collect();
        cannot(format!(
            "`{}{key}` is `{}`: {why}",
            self.place,
            found.escape_debug()
        ))
    }

    /// A key that is needed and absent.
    pub fn missing(&self, key: &str) -> ModelFileError {
        cannot(format!("`{}{key}` is missing", self.place))
    }
}

fn cannot(why: String) -> ModelFileError {
    ModelFileError::Config { why }
}

fn defaults(model_type: &str) -> Map<String, Value> {
    let row = DEFAULTS.iter().find(|row| row.0 == model_type);
    let text = row.map_or("{}", |row| row.1);
    serde_json::from_str(text).expect("the table holds objects, which a test checks")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ModelConfig {
        ModelConfig::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn values_defaults_and_null_are_told_apart() {
        for (name, _) in DEFAULTS {
            defaults(name);
        }
        let absent = parse(r#"{"model_type":"mistral"}"#);
        assert_eq!(absent.unsigned("sliding_window").unwrap(), Some(4096));
        assert!(!absent.says("sliding_window"));
        let none = parse(r#"{"model_type":"mistral","sliding_window":null}"#);
        assert_eq!(none.unsigned("sliding_window").unwrap(), None);
        let own = parse(r#"{"model_type":"mistral","sliding_window":8}"#);
        assert_eq!(own.unsigned("sliding_window").unwrap(), Some(8));
    }

    #[test]
    fn the_language_part_of_a_model_with_images_is_read() {
        let config = parse(
            r#"{"model_type":"gemma3","tie_word_embeddings":true,"text_config":{"model_type":"gemma3_text","hidden_size":64}}"#,
        );
        assert_eq!(config.model_type(), "gemma3_text");
        assert_eq!(config.unsigned("hidden_size").unwrap(), Some(64));
        assert_eq!(config.unsigned("num_attention_heads").unwrap(), Some(8));
        assert_eq!(config.flag("tie_word_embeddings").unwrap(), Some(true));
        assert_eq!(
            config.refuse("hidden_size", "no").to_string(),
            "`config.json` cannot be used: `text_config.hidden_size` is `64`: no"
        );
    }

    #[test]
    fn what_is_of_another_type_is_named() {
        let config = parse(
            r#"{"model_type":"x","n":-1,"f":"a","t":1,"l":[1,"a"],"o":[],"b":0,"r":{"inner":"x"}}"#,
        );
        let text = |error: ModelFileError| error.to_string();
        assert_eq!(
            text(config.unsigned("n").unwrap_err()),
            "`config.json` cannot be used: `n` is `-1`: a whole number is needed"
        );
        assert_eq!(
            text(config.float("f").unwrap_err()),
            "`config.json` cannot be used: `f` is `\\\"a\\\"`: a number is needed"
        );
        for (found, needed) in [
            (config.text("t").map(|_| ()), "`1`: a text is needed"),
            (
                config.numbers("l").map(|_| ()),
                "`[1,\\\"a\\\"]`: a list of numbers is needed",
            ),
            (config.object("o").map(|_| ()), "`[]`: an object is needed"),
            (config.flag("b").map(|_| ()), "`0`: true or false is needed"),
        ] {
            let found = text(found.unwrap_err());
            assert!(found.ends_with(needed), "{found}");
        }
        let inner = config.object("r").unwrap().unwrap();
        assert_eq!(
            text(inner.unsigned("inner").unwrap_err()),
            "`config.json` cannot be used: `r.inner` is `\\\"x\\\"`: a whole number is needed"
        );
        assert_eq!(
            text(inner.missing("other")),
            "`config.json` cannot be used: `r.other` is missing"
        );
    }
}
