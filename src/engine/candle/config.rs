//! `config.json` under the names of GGUF metadata, so that a family is described once.
//!
//! Fields and their meaning: `configuration_*.py` and `modeling_rope_utils.py` of the transformers library, in the form of version 5
//! (`rope_parameters`, `layer_types`) and of version 4 (`rope_theta`, `rope_scaling`, `sliding_window_pattern`). A field that would
//! change the numbers and is not computed here is refused by its name.

use super::family::{Blueprint, Extras, Keys, MAX_LAYERS, Metadata, of_keys};
use crate::engine::EngineError;
use crate::modelfile::{ModelConfig, ModelFileError};
use std::f64::consts::TAU;

/// (`model_type`, architecture)
const TYPES: [(&str, &str); 12] = [
    ("llama", "llama"),
    ("mistral", "llama"),
    ("mixtral", "llama"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("qwen3_moe", "qwen3moe"),
    ("gemma2", "gemma2"),
    ("gemma3_text", "gemma3"),
    ("phi3", "phi3"),
    ("smollm3", "smollm3"),
    ("granite", "granite"),
    ("olmo2", "olmo2"),
];

/// (GGUF key behind the architecture's name, fields of the same meaning)
const FIELDS: [(&str, &[&str]); 20] = [
    ("embedding_length", &["hidden_size"]),
    ("attention.head_count", &["num_attention_heads"]),
    ("attention.head_count_kv", &["num_key_value_heads"]),
    ("attention.key_length", &["head_dim"]),
    ("attention.layer_norm_rms_epsilon", &["rms_norm_eps"]),
    ("attention.sliding_window", &["sliding_window"]),
    ("attn_logit_softcapping", &["attn_logit_softcapping"]),
    ("final_logit_softcapping", &["final_logit_softcapping"]),
    ("feed_forward_length", &["intermediate_size"]),
    ("context_length", &["max_position_embeddings"]),
    ("block_count", &["num_hidden_layers"]),
    ("expert_count", &["num_experts", "num_local_experts"]),
    ("expert_used_count", &["num_experts_per_tok"]),
    ("expert_feed_forward_length", &["moe_intermediate_size"]),
    ("embedding_scale", &["embedding_multiplier"]),
    ("residual_scale", &["residual_multiplier"]),
    ("logit_scale", &["logits_scaling"]),
    ("attention.scale", &["attention_multiplier"]),
    (
        "attention.sliding_window_pattern",
        &["sliding_window_pattern", "_sliding_window_pattern"],
    ),
    ("vocab_size", &["vocab_size"]),
];

/// Every `model_type` that is described.
pub fn model_types() -> Vec<&'static str> {
    TYPES.iter().map(|row| row.0).collect()
}

/// The architecture of a `model_type`, where this engine has it.
fn architecture(model_type: &str) -> Option<&'static str> {
    let row = TYPES.iter().find(|row| row.0 == model_type);
    row.map(|row| row.1)
}

/// Reads the description of the decoder in a configuration.
pub(super) fn blueprint(config: &ModelConfig) -> Result<Blueprint, EngineError> {
    let architecture =
        architecture(config.model_type()).ok_or_else(|| EngineError::UnsupportedArchitecture {
            found: config.model_type().to_owned(),
            supported: model_types(),
        })?;
    refuse_what_is_not_computed(config)?;
    let rope = Rope::read(config)?;
    let extras = extras(config, &rope)?;
    let fields = Fields { config, rope };
    of_keys(&Keys {
        metadata: &fields,
        architecture,
        extras: &extras,
    })
}

/// Refuses values of fields that this decoder would otherwise ignore.
fn refuse_what_is_not_computed(config: &ModelConfig) -> Result<(), ModelFileError> {
    let gelu = config.model_type().starts_with("gemma");
    let (key, known) = if gelu {
        ("hidden_activation", "gelu_pytorch_tanh")
    } else {
        ("hidden_act", "silu")
    };
    if config.text(key)?.is_some_and(|found| found != known) {
        return Err(config.refuse(key, &format!("only `{known}` is computed")));
    }
    for (key, known) in [
        ("use_bidirectional_attention", false),
        ("norm_topk_prob", true),
    ] {
        if config.flag(key)?.is_some_and(|found| found != known) {
            return Err(config.refuse(key, &format!("only `{known}` is computed")));
        }
    }
    if config
        .unsigned("decoder_sparse_step")?
        .is_some_and(|n| n != 1)
    {
        return Err(config.refuse("decoder_sparse_step", "only 1 is computed"));
    }
    if config
        .numbers("mlp_only_layers")?
        .is_some_and(|l| !l.is_empty())
    {
        let why = "layers without experts among layers with them are not computed";
        return Err(config.refuse("mlp_only_layers", why));
    }
    if config.object("quantization_config")?.is_some() {
        let why = "weights quantised in safetensors are not read; a GGUF file of the model is";
        return Err(config.refuse("quantization_config", why));
    }
    Ok(())
}

/// What a configuration says in lists.
fn extras(config: &ModelConfig, rope: &Rope) -> Result<Extras, ModelFileError> {
    let layers = match config.unsigned("num_hidden_layers")? {
        Some(layers) if layers > MAX_LAYERS => {
            let why = format!("it must be 1 to {MAX_LAYERS}");
            return Err(config.refuse("num_hidden_layers", &why));
        }
        layers => layers.unwrap_or(0) as usize,
    };
    let rotated = config.numbers("no_rope_layers")?;
    if let Some(list) = &rotated
        && list.len() != layers
    {
        let why = format!("one number for each of {layers} layers is needed");
        return Err(config.refuse("no_rope_layers", &why));
    }
    let interval = config
        .unsigned("no_rope_layer_interval")?
        .filter(|&n| n > 0);
    let by_interval = |n: u64| (0..layers as u64).map(|i| (i + 1) % n != 0).collect();
    Ok(Extras {
        windowed: windowed(config, layers)?,
        // The list says 1 for a layer that rotates, whatever its name promises.
        rotated: match rotated {
            Some(list) => Some(list.iter().map(|&r| r != 0.0).collect()),
            None => interval.map(by_interval),
        },
        divisors: rope.divisors.clone(),
        long_divisors: rope.long_divisors.clone(),
        ..Extras::default()
    })
}

/// Which layers see a window only; `None` leaves it to the family's habit.
fn windowed(config: &ModelConfig, layers: usize) -> Result<Option<Vec<bool>>, ModelFileError> {
    if let Some(types) = config.texts("layer_types")? {
        let known = ["sliding_attention", "full_attention"];
        if types.len() != layers || types.iter().any(|t| !known.contains(&t.as_str())) {
            let why = format!("{layers} times `sliding_attention` or `full_attention` is needed");
            return Err(config.refuse("layer_types", &why));
        }
        return Ok(Some(types.iter().map(|t| t == known[0]).collect()));
    }
    Ok(match config.model_type() {
        // Every layer, where there is a window at all.
        "mistral" | "mixtral" => Some(vec![true; layers]),
        "qwen2" | "qwen3" if config.flag("use_sliding_window")? == Some(true) => {
            let first = config.unsigned("max_window_layers")?.unwrap_or(0) as usize;
            Some((0..layers).map(|i| i >= first).collect())
        }
        "qwen3_moe" if config.flag("use_sliding_window")? == Some(true) => Some(vec![true; layers]),
        "smollm3" if config.flag("use_sliding_window")? == Some(true) => {
            let why = "`layer_types` has to say which layers have a window";
            return Err(config.refuse("use_sliding_window", why));
        }
        _ => None,
    })
}

/// The rotation of a configuration.
#[derive(Debug, Clone, PartialEq, Default)]
struct Rope {
    base: Option<f64>,
    local_base: Option<f64>,
    kind: &'static str,
    factor: Option<f64>,
    share: Option<f64>,
    original: Option<u64>,
    magnitude: Option<f64>,
    divisors: Option<Vec<f64>>,
    long_divisors: Option<Vec<f64>>,
}

impl Rope {
    fn read(config: &ModelConfig) -> Result<Self, EngineError> {
        let parameters = config.object("rope_parameters")?;
        if parameters.is_some() && config.says("rope_scaling") {
            let why =
                "`rope_parameters` says the same in the form of version 5; one of them is needed";
            return Err(config.refuse("rope_scaling", why).into());
        }
        let local = match &parameters {
            Some(p) => p.object("sliding_attention")?,
            None => None,
        };
        // Models with two rotations keep the parameters of each in an object of its own.
        let global = match &parameters {
            Some(p) if local.is_some() => p.object("full_attention")?,
            other => other.clone(),
        };
        let scaling = match &global {
            Some(global) => Some(global.clone()),
            None => config.object("rope_scaling")?,
        };
        let mut rope = Self {
            kind: "none",
            base: number(global.as_ref(), "rope_theta")?.or(config.float("rope_theta")?),
            local_base: number(local.as_ref(), "rope_theta")?
                .or(config.float("rope_local_base_freq")?),
            share: number(global.as_ref(), "partial_rotary_factor")?
                .or(config.float("partial_rotary_factor")?),
            original: config.unsigned("original_max_position_embeddings")?,
            ..Self::default()
        };
        if let Some(local) = &local
            && local.text("rope_type")?.is_some_and(|t| t != "default")
        {
            return Err(local
                .refuse("rope_type", "only `default` is computed here")
                .into());
        }
        if let Some(scaling) = scaling {
            rope.scale(config, &scaling)?;
        }
        Ok(rope)
    }

    fn scale(&mut self, config: &ModelConfig, scaling: &ModelConfig) -> Result<(), EngineError> {
        let (key, kind) = match scaling.text("rope_type")? {
            Some(kind) => ("rope_type", Some(kind)),
            None => ("type", scaling.text("type")?),
        };
        let original = scaling.unsigned("original_max_position_embeddings")?;
        self.original = original.or(self.original);
        match kind {
            None | Some("default") => Ok(()),
            Some("linear") => {
                self.kind = "linear";
                self.factor = Some(positive(scaling, "factor")?);
                Ok(())
            }
            Some("llama3") => {
                self.divisors = Some(self.llama3(config, scaling)?);
                Ok(())
            }
            Some("longrope" | "su") if config.model_type() == "phi3" => {
                self.longrope(config, scaling)
            }
            Some(_) => {
                let why =
                    "`default`, `linear` and `llama3` are computed, and `longrope` for `phi3`";
                Err(scaling.refuse(key, why).into())
            }
        }
    }

    /// Divisors of the frequencies of Llama 3.1: 1 for short waves, the factor for long ones, between them a mixture of both frequencies
    /// (`_compute_llama3_parameters`).
    fn llama3(&self, config: &ModelConfig, scaling: &ModelConfig) -> Result<Vec<f64>, EngineError> {
        let factor = positive(scaling, "factor")?;
        let low = positive(scaling, "low_freq_factor")?;
        let high = positive(scaling, "high_freq_factor")?;
        let original = positive(scaling, "original_max_position_embeddings")?;
        if high <= low {
            let why = "it must be above `low_freq_factor`";
            return Err(scaling.refuse("high_freq_factor", why).into());
        }
        let base = self.base.unwrap_or(10_000.0);
        let dims = rotated_values(config, self.share)?;
        let divisor = |i: usize| {
            let wave = TAU * base.powf(2.0 * i as f64 / dims as f64);
            if wave < original / high {
                1.0
            } else if wave > original / low {
                factor
            } else {
                let smooth = (original / wave - low) / (high - low);
                1.0 / ((1.0 - smooth) / factor + smooth)
            }
        };
        Ok((0..dims / 2).map(divisor).collect())
    }

    /// The two sets of divisors of long-context Phi 3 (`_compute_longrope_parameters`).
    fn longrope(&mut self, config: &ModelConfig, scaling: &ModelConfig) -> Result<(), EngineError> {
        let pairs = rotated_values(config, self.share)? / 2;
        let list = |key| {
            let list = scaling.numbers(key)?;
            let list = list.ok_or_else(|| scaling.missing(key))?;
            if list.len() == pairs && list.iter().all(|&d| d > 0.0) {
                return Ok(list);
            }
            Err(scaling.refuse(key, &format!("{pairs} positive numbers are needed")))
        };
        self.divisors = Some(list("short_factor")?);
        self.long_divisors = Some(list("long_factor")?);
        self.kind = "longrope";
        let trained = config.unsigned("max_position_embeddings")?.unwrap_or(0);
        let original = self.original.filter(|&o| o > 0);
        let original =
            original.ok_or_else(|| scaling.missing("original_max_position_embeddings"))?;
        let factor = trained as f64 / original as f64;
        self.magnitude = match scaling.float("attention_factor")? {
            Some(given) => Some(given),
            None if factor <= 1.0 => Some(1.0),
            None => Some((1.0 + factor.ln() / (original as f64).ln()).sqrt()),
        };
        Ok(())
    }
}

fn number(config: Option<&ModelConfig>, key: &str) -> Result<Option<f64>, ModelFileError> {
    config.map_or(Ok(None), |c| c.float(key))
}

fn positive(config: &ModelConfig, key: &str) -> Result<f64, ModelFileError> {
    match config.float(key)? {
        Some(found) if found > 0.0 => Ok(found),
        Some(_) => Err(config.refuse(key, "it must be positive")),
        None => Err(config.missing(key)),
    }
}

/// Values of a head, by the configuration.
fn head_values(config: &ModelConfig) -> Result<u64, ModelFileError> {
    if let Some(values) = config.unsigned("head_dim")? {
        return Ok(values);
    }
    let heads = config.unsigned("num_attention_heads")?.filter(|&h| h > 0);
    let heads = heads.ok_or_else(|| config.missing("num_attention_heads"))?;
    let width = config.unsigned("hidden_size")?;
    Ok(width.ok_or_else(|| config.missing("hidden_size"))? / heads)
}

/// Values of a head that are rotated; bounded by what any head has.
fn rotated_values(config: &ModelConfig, share: Option<f64>) -> Result<usize, ModelFileError> {
    let values = head_values(config)?.min(1 << 12);
    Ok((values as f64 * share.unwrap_or(1.0).clamp(0.0, 1.0)) as usize)
}

/// Fields of a configuration by the names of GGUF keys.
struct Fields<'c> {
    config: &'c ModelConfig,
    rope: Rope,
}

impl Fields<'_> {
    /// The field that the file has of those with the meaning of a key, the first where it has none.
    fn field(&self, key: &str) -> Option<&'static str> {
        let inner = key.split_once('.').map_or(key, |(_, inner)| inner);
        let fields = FIELDS.iter().find(|row| row.0 == inner)?.1;
        let said = fields.iter().find(|f| self.config.says(f));
        said.or(fields.last()).copied()
    }

    /// Keys whose values are computed from several fields.
    fn computed(&self, key: &str) -> Result<Option<f64>, ModelFileError> {
        let (_, inner) = key.split_once('.').unwrap_or(("", key));
        Ok(match inner {
            "rope.freq_base" => self.rope.base,
            "rope.freq_base_swa" => self.rope.local_base,
            "rope.scaling.factor" => self.rope.factor,
            "rope.scaling.attn_factor" => self.rope.magnitude,
            "attention.scale" => {
                let scalar = self.config.float("query_pre_attn_scalar")?;
                scalar.map(|s| 1.0 / s.sqrt())
            }
            _ => None,
        })
    }
}

impl Metadata for Fields<'_> {
    fn unsigned(&self, key: &str) -> Result<Option<u64>, EngineError> {
        let (_, inner) = key.split_once('.').unwrap_or(("", key));
        Ok(match inner {
            "rope.dimension_count" => Some(rotated_values(self.config, self.rope.share)? as u64),
            "rope.scaling.original_context_length" => self.rope.original,
            "attention.sliding_window"
                if self.config.flag("use_sliding_window")? == Some(false) =>
            {
                None
            }
            _ => match self.field(key) {
                Some(field) => self.config.unsigned(field)?,
                None => None,
            },
        })
    }

    fn float(&self, key: &str) -> Result<Option<f64>, EngineError> {
        let computed = self.computed(key)?;
        Ok(match (computed, self.field(key)) {
            (None, Some(field)) => self.config.float(field)?,
            _ => computed,
        })
    }

    fn string(&self, key: &str) -> Result<Option<String>, EngineError> {
        let kind = key.ends_with("rope.scaling.type");
        Ok(kind.then(|| self.rope.kind.to_owned()))
    }

    fn place(&self, key: &str) -> String {
        let (_, inner) = key.split_once('.').unwrap_or(("", key));
        let computed = match inner {
            "rope.freq_base" => Some("rope_theta"),
            "rope.freq_base_swa" => Some("rope_local_base_freq"),
            "rope.scaling.factor" => Some("rope_scaling.factor"),
            "rope.scaling.attn_factor" => Some("rope_scaling.attention_factor"),
            "rope.scaling.original_context_length" => Some("original_max_position_embeddings"),
            "rope.dimension_count" => Some("partial_rotary_factor"),
            "attention.scale" if self.config.model_type().starts_with("gemma") => {
                Some("query_pre_attn_scalar")
            }
            _ => None,
        };
        let field = computed.or_else(|| self.field(key));
        field.map_or_else(|| key.to_owned(), |field| self.config.place(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(value: &Value) -> Result<Blueprint, EngineError> {
        blueprint(&ModelConfig::parse(value.to_string().as_bytes())?)
    }

    fn small(model_type: &str, more: Value) -> Value {
        let mut value = json!({
            "model_type": model_type, "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 64, "max_position_embeddings": 512,
        });
        for (key, field) in more.as_object().unwrap() {
            value[key] = field.clone();
        }
        value
    }

    fn windows(value: &Value) -> Vec<Option<usize>> {
        of(value).unwrap().layers.iter().map(|l| l.window).collect()
    }

    #[test]
    fn windows_are_where_the_configuration_puts_them() {
        let one = json!({"sliding_window": 8});
        assert_eq!(windows(&small("mistral", one.clone())), [Some(8); 4]);
        assert_eq!(windows(&small("mistral", json!({}))), [Some(4096); 4]);
        let none = json!({"sliding_window": null});
        assert_eq!(windows(&small("mistral", none)), [None; 4]);
        assert_eq!(windows(&small("qwen2", one)), [None; 4]);
        let late = json!({"sliding_window": 8, "use_sliding_window": true, "max_window_layers": 3});
        assert_eq!(windows(&small("qwen2", late)), [None, None, None, Some(8)]);
        let (local, global) = ("sliding_attention", "full_attention");
        let listed = json!({"sliding_window": 8, "layer_types": [global, local, local, global]});
        assert_eq!(
            windows(&small("gemma2", listed)),
            [None, Some(8), Some(8), None]
        );
        let habit = json!({"sliding_window": 8});
        assert_eq!(
            windows(&small("gemma2", habit)),
            [Some(8), None, Some(8), None]
        );
    }

    #[test]
    fn both_versions_of_a_configuration_are_one_description() {
        let new = json!({"rope_parameters": {"rope_type": "llama3", "rope_theta": 500_000.0, "factor": 8.0,
            "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}});
        let old = json!({"rope_theta": 500_000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0,
            "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}});
        let [new, old] = [new, old].map(|v| of(&small("llama", v)).unwrap());
        assert_eq!(new, old);
        let rope = new.layers[0].rope.as_ref().unwrap();
        assert_eq!(rope.base, 500_000.0);
        assert!(rope.divisors.is_some());
    }

    #[test]
    fn what_is_not_computed_is_refused_by_its_field() {
        for (model_type, more, message) in [
            (
                "llama",
                json!({"hidden_act": "gelu"}),
                "`hidden_act` is `\\\"gelu\\\"`: only `silu` is computed",
            ),
            (
                "gemma2",
                json!({"hidden_activation": "gelu"}),
                "`hidden_activation` is `\\\"gelu\\\"`: only `gelu_pytorch_tanh` is computed",
            ),
            (
                "qwen3_moe",
                json!({}),
                "`norm_topk_prob` is `false`: only `true` is computed",
            ),
            (
                "qwen3_moe",
                json!({"norm_topk_prob": true, "decoder_sparse_step": 2}),
                "`decoder_sparse_step` is `2`: only 1 is computed",
            ),
            (
                "qwen3_moe",
                json!({"norm_topk_prob": true, "mlp_only_layers": [0]}),
                "`mlp_only_layers` is `[0]`: layers without experts among layers with them are not computed",
            ),
            (
                "llama",
                json!({"quantization_config": {"quant_method": "gptq"}}),
                "weights quantised in safetensors are not read; a GGUF file of the model is",
            ),
            (
                "qwen2",
                json!({"rope_scaling": {"type": "yarn", "factor": 4.0}}),
                "`rope_scaling.type` is `\\\"yarn\\\"`: `default`, `linear` and `llama3` are computed, and `longrope` for `phi3`",
            ),
            (
                "llama",
                json!({"rope_scaling": {"rope_type": "linear", "factor": 0}}),
                "`rope_scaling.factor` is `0`: it must be positive",
            ),
            (
                "llama",
                json!({"rope_scaling": {"rope_type": "llama3", "factor": 8}}),
                "`rope_scaling.low_freq_factor` is missing",
            ),
            (
                "phi3",
                json!({"original_max_position_embeddings": 256,
                    "rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}}),
                "`rope_scaling.short_factor` is `[1.0]`: 8 positive numbers are needed",
            ),
            (
                "llama",
                json!({"original_max_position_embeddings": 256,
                    "rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}}),
                "`default`, `linear` and `llama3` are computed, and `longrope` for `phi3`",
            ),
            (
                "llama",
                json!({"rope_parameters": {"rope_type": "default"}, "rope_scaling": {"type": "linear"}}),
                "`rope_parameters` says the same in the form of version 5; one of them is needed",
            ),
            (
                "smollm3",
                json!({"use_sliding_window": true, "sliding_window": 8}),
                "`layer_types` has to say which layers have a window",
            ),
            (
                "gemma2",
                json!({"layer_types": ["full_attention"]}),
                "4 times `sliding_attention` or `full_attention` is needed",
            ),
            (
                "smollm3",
                json!({"no_rope_layers": [1]}),
                "one number for each of 4 layers is needed",
            ),
        ] {
            let found = of(&small(model_type, more)).unwrap_err().to_string();
            assert!(
                found.starts_with("`config.json` cannot be used: ") && found.ends_with(message),
                "{found}"
            );
        }
    }

    #[test]
    fn numbers_out_of_range_are_named_as_in_the_file() {
        for (more, message) in [
            (
                json!({"num_key_value_heads": 3}),
                "metadata `config.json: num_key_value_heads` is 3: it must divide the 4 heads",
            ),
            (
                json!({"head_dim": 10}),
                "metadata `config.json: head_dim` is 10: it must be a multiple of 16 and hold the rotated part",
            ),
            (
                json!({"num_hidden_layers": 0}),
                "metadata `config.json: num_hidden_layers` is 0: it must be 1 to 1024",
            ),
            (
                json!({"rope_theta": 0}),
                "metadata `config.json: rope_theta` is 0: it must be a positive number",
            ),
            (
                json!({"hidden_size": null}),
                "metadata `config.json: hidden_size` is missing: the architecture needs it",
            ),
        ] {
            let found = of(&small("llama", more)).unwrap_err().to_string();
            assert_eq!(found, message);
        }
        let other = of(&small("gptx", json!({}))).unwrap_err().to_string();
        assert_eq!(other, "architecture `gptx` is not supported");
    }
}
