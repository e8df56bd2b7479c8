//! A `config.json` brought to what candle's structures read.
//!
//! In: the bytes of the file and the headers of the tensors. Out: [`Settings`]: one flat object, the context, the vocabulary, and how tensors
//! are named. transformers 5 writes `rope_parameters` where 4 wrote `rope_theta`, `rope_scaling` and `partial_rotary_factor`; both become
//! the latter. Absent values become transformers' defaults. Knows nothing of tensors' values.
//!
//! Invariants: a value that the library would ignore is refused by name; no number of the file sizes an allocation before it was compared
//! with the tensors.

#[path = "adapt.rs"]
pub(super) mod adapt;

use super::table::{Architecture, architecture};
use super::weights::Names;
use crate::engine::EngineError;
use crate::modelfile::{MAX_CONFIG_BYTES, SafetensorsSet, json_with_infinity};
use serde_json::{Map, Value};

/// Longest context: positions are f32 in the library, which are exact below this.
const MAX_CONTEXT: u64 = 1 << 24;
const HEAD: &str = "lm_head.weight";

/// Numbers of things of which each has a tensor of its own.
const COUNTS: [&str; 4] = [
    "n_layer",
    "n_routed_experts",
    "num_experts",
    "num_hidden_layers",
];
/// Numbers that are a dimension of a tensor, or at most that.
const WIDTHS: [&str; 21] = [
    "conv_L_cache",
    "d_model",
    "expand",
    "head_dim",
    "hidden_size",
    "intermediate_size",
    "kv_lora_rank",
    "moe_intermediate_size",
    "n_groups",
    "n_inner",
    "n_shared_experts",
    "num_attention_heads",
    "num_experts_per_tok",
    "num_key_value_heads",
    "q_lora_rank",
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "shared_expert_intermediate_size",
    "shared_intermediate_size",
    "state_size",
    "v_head_dim",
];
/// Numbers that something is divided by.
const DIVISORS: [&str; 6] = [
    "head_dim",
    "hidden_size",
    "n_groups",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
];
/// Where a window of attention is declared: within its length it hides nothing, so the context ends there.
const WINDOW: &str = "sliding_window";

/// A configuration that the library can read.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) architecture: &'static Architecture,
    pub(super) names: Names,
    /// Positions, in tokens.
    pub(super) context: u32,
    /// Rows of the embedding table.
    pub(super) vocabulary: u32,
    map: Map<String, Value>,
}

impl Settings {
    /// Reads and checks a `config.json`; the context is at most `asked` tokens.
    pub(super) fn read(
        config: &[u8],
        set: &SafetensorsSet,
        asked: u32,
    ) -> Result<Self, EngineError> {
        let mut map = parse(config)?;
        let architecture = match map.get("model_type") {
            Some(Value::String(name)) if name.len() <= 100 => architecture(name)?,
            other => {
                return Err(metadata(
                    "model_type",
                    other,
                    "it must name an architecture",
                ));
            }
        };
        flatten_rope(&mut map, architecture)?;
        set_absent(&mut map, architecture.defaults);
        refuse_ignored(&map, architecture)?;
        let mut fields = Fields {
            map,
            set,
            names: Names::default(),
        };
        (architecture.adapt)(&mut fields)?;
        fields.set_key_value_heads();
        fields.check_sizes()?;
        let context = fields.set_context(asked)?;
        let vocabulary = fields.vocabulary(architecture)?;
        fields.tie(architecture);
        let Fields { mut map, names, .. } = fields;
        map.extend(object(architecture.fixed));
        Ok(Self {
            architecture,
            names,
            context,
            vocabulary,
            map,
        })
    }

    /// The settings as one object.
    pub(super) fn values(&self) -> Value {
        Value::Object(self.map.clone())
    }
}

/// A configuration on its way to the library's form, beside the tensors it describes.
pub(super) struct Fields<'a> {
    map: Map<String, Value>,
    set: &'a SafetensorsSet,
    names: Names,
}

impl Fields<'_> {
    /// A number.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.map.get(key).and_then(Value::as_u64)
    }

    /// Sets a value.
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.map.insert(key.to_owned(), value.into());
    }

    /// Gives a value the library's name; one that has it already stays.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some(value) = self.map.remove(from) {
            self.map.entry(to).or_insert(value);
        }
    }

    /// Gives a value a second name.
    pub(super) fn copy(&mut self, from: &str, to: &str) {
        if let Some(value) = self.map.get(from).cloned() {
            self.map.insert(to.to_owned(), value);
        }
    }

    /// Refuses a value that is given and is not one of these; the first is named.
    pub(super) fn only(&self, key: &str, computed: &[Value]) -> Result<(), EngineError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(()),
            Some(found) if computed.iter().any(|c| same(c, found)) => Ok(()),
            Some(found) => Err(EngineError::ConfigValue {
                key: key.to_owned(),
                found: short(found),
                computed: short(&computed[0]),
            }),
        }
    }

    /// Dimensions of a tensor.
    pub(super) fn dims(&self, tensor: &str) -> Option<&[u64]> {
        self.set.tensors.get(tensor).map(|(_, t)| &t.shape[..])
    }

    /// Without their own number, there are as many key and value heads as heads.
    fn set_key_value_heads(&mut self) {
        if self
            .map
            .get("num_key_value_heads")
            .is_none_or(Value::is_null)
        {
            self.copy("num_attention_heads", "num_key_value_heads");
        }
    }

    /// Holds every number that sizes something against the tensors.
    fn check_sizes(&self) -> Result<(), EngineError> {
        let tensors = self.set.tensors.len() as u64;
        let shapes = self.set.tensors.values().map(|(_, t)| &t.shape);
        let widest = shapes.flatten().copied().max().unwrap_or(0);
        let counts = COUNTS.map(|key| (key, tensors, "tensors are in the weights"));
        let widths = WIDTHS.map(|key| (key, widest, "is the widest dimension of the weights"));
        for (key, most, what) in counts.into_iter().chain(widths) {
            let Some(value) = self.map.get(key).filter(|v| !v.is_null()) else {
                continue;
            };
            let Some(number) = value.as_u64() else {
                return Err(metadata(key, Some(value), "it must be a whole number"));
            };
            if number == 0 && DIVISORS.contains(&key) {
                return Err(metadata(key, Some(value), "it must be above 0"));
            }
            if number > most {
                return Err(metadata(key, Some(value), &format!("{most} {what}")));
            }
        }
        let fraction = |f: f64| f > 0.0 && f <= 1.0;
        self.check_float("partial_rotary_factor", fraction, "above 0 and at most 1")?;
        self.check_float("rope_theta", |f| f > 0.0, "above 0")
    }

    fn check_float(
        &self,
        key: &str,
        good: impl Fn(f64) -> bool,
        wanted: &str,
    ) -> Result<(), EngineError> {
        match self.map.get(key).filter(|v| !v.is_null()) {
            Some(value) if !value.as_f64().is_some_and(good) => {
                Err(metadata(key, Some(value), &format!("it must be {wanted}")))
            }
            _ => Ok(()),
        }
    }

    /// The context: what was asked for, the trained positions and every window bound it. The library's tables get this length.
    fn set_context(&mut self, asked: u32) -> Result<u32, EngineError> {
        let mut context = u64::from(asked.max(1)).min(MAX_CONTEXT);
        let windowed = self.map.get("use_sliding_window") != Some(&false.into());
        for key in ["max_position_embeddings", WINDOW] {
            if key == WINDOW && !windowed {
                continue;
            }
            match self.map.get(key) {
                None | Some(Value::Null) => {}
                Some(value) => match value.as_u64().filter(|&n| n > 0) {
                    Some(number) => context = context.min(number),
                    None => return Err(metadata(key, Some(value), "it must be above 0")),
                },
            }
        }
        self.set("max_position_embeddings", context);
        Ok(context as u32)
    }

    fn vocabulary(&self, architecture: &Architecture) -> Result<u32, EngineError> {
        let table = architecture.embedding;
        let Some(&[rows, _]) = self.dims(table) else {
            return Err(EngineError::MissingTensor {
                name: table.to_owned(),
            });
        };
        let declared = self.map.get("vocab_size");
        match declared.and_then(Value::as_u64) {
            Some(number) if number == rows => u32::try_from(rows).ok(),
            _ => None,
        }
        .ok_or_else(|| {
            let why = format!("the embedding table `{table}` has {rows} rows");
            metadata("vocab_size", declared, &why)
        })
    }

    /// The head of a tied model is its embedding table, whatever else the file holds.
    fn tie(&mut self, architecture: &Architecture) {
        if self.map.get("tie_word_embeddings") == Some(&true.into()) {
            let table = architecture.embedding.to_owned();
            self.names.renamed.push((HEAD.to_owned(), table));
            self.names.spare.push(HEAD.to_owned());
        }
    }
}

/// The file as an object.
fn parse(config: &[u8]) -> Result<Map<String, Value>, EngineError> {
    let invalid = |why: String| EngineError::Metadata {
        key: "config.json".to_owned(),
        found: format!("{} bytes", config.len()),
        why,
    };
    if config.len() > MAX_CONFIG_BYTES {
        return Err(invalid(format!("the limit is {MAX_CONFIG_BYTES} bytes")));
    }
    match json_with_infinity(config) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(invalid("it is no object".to_owned())),
        Err(error) => Err(invalid(error.to_string())),
    }
}

/// Brings rotation settings to the form of transformers 4, and refuses scalings that are not computed.
fn flatten_rope(
    map: &mut Map<String, Value>,
    architecture: &Architecture,
) -> Result<(), EngineError> {
    const KEY: &str = "rope_parameters";
    let mut scaling = match map.remove(KEY) {
        None | Some(Value::Null) => None,
        Some(Value::Object(mut parameters)) => {
            if let Some(inner) = parameters.values().find(|v| v.is_object()) {
                return Err(metadata(
                    KEY,
                    Some(inner),
                    "one set for all layers is computed",
                ));
            }
            for key in ["rope_theta", "partial_rotary_factor"] {
                if let Some(value) = parameters.remove(key) {
                    map.insert(key.to_owned(), value);
                }
            }
            Some(parameters)
        }
        Some(other) => return Err(metadata(KEY, Some(&other), "it must be an object")),
    };
    match map.remove("rope_scaling") {
        None | Some(Value::Null) => {}
        Some(Value::Object(old)) => scaling = Some(old),
        Some(other) => {
            return Err(metadata(
                "rope_scaling",
                Some(&other),
                "it must be an object",
            ));
        }
    }
    let Some(mut scaling) = scaling else {
        return Ok(());
    };
    let kind = scaling
        .remove("rope_type")
        .or_else(|| scaling.remove("type"));
    let kind = kind.unwrap_or_else(|| "default".into());
    if kind == "default" {
        return Ok(());
    }
    if !architecture.scalings.iter().any(|s| kind == **s) {
        let all = ["default"].iter().chain(architecture.scalings);
        let all: Vec<String> = all.map(|s| format!("\"{s}\"")).collect();
        return Err(EngineError::ConfigValue {
            key: "rope_type".to_owned(),
            found: short(&kind),
            computed: all.join(" or "),
        });
    }
    scaling.insert("type".to_owned(), kind);
    map.insert("rope_scaling".to_owned(), scaling.into());
    Ok(())
}

fn set_absent(map: &mut Map<String, Value>, defaults: &str) {
    for (key, value) in object(defaults) {
        let slot = map.entry(key).or_insert(Value::Null);
        if slot.is_null() {
            *slot = value;
        }
    }
}

/// Refuses values other than those the library computes.
fn refuse_ignored(
    map: &Map<String, Value>,
    architecture: &Architecture,
) -> Result<(), EngineError> {
    for (key, computed) in object(architecture.computes) {
        let all = match &computed {
            Value::Array(several) => several.as_slice(),
            one => std::slice::from_ref(one),
        };
        match map.get(&key) {
            None | Some(Value::Null) => {}
            Some(found) if all.iter().any(|c| same(c, found)) => {}
            Some(found) => {
                return Err(EngineError::ConfigValue {
                    key,
                    found: short(found),
                    computed: short(&all[0]),
                });
            }
        }
    }
    Ok(())
}

/// Equal, numbers by value.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// An object of the table, which a test parses.
fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

fn metadata(key: &str, found: Option<&Value>, why: &str) -> EngineError {
    EngineError::Metadata {
        key: format!("config.json: {key}"),
        found: found.map_or_else(|| "missing".to_owned(), short),
        why: why.to_owned(),
    }
}

/// A value as JSON of bounded length.
fn short(value: &Value) -> String {
    let text = value.to_string();
    let mut out: String = text.chars().take(80).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
