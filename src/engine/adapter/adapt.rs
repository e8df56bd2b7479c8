//! What single architectures need beyond the table: other names, sizes that only the tensors tell, values that exclude each other.
#![expect(
    clippy::unnecessary_wraps,
    reason = "the table calls all of them in one way, and some can refuse"
)]

use super::Fields;
use crate::engine::EngineError;
use serde_json::{Value, json};

type Adapted = Result<(), EngineError>;

pub(in crate::engine::adapter) fn nothing(_: &mut Fields<'_>) -> Adapted {
    Ok(())
}

/// How many heads have keys and values depends on two switches, and two sizes have defaults that depend on others.
pub(in crate::engine::adapter) fn falcon(fields: &mut Fields<'_>) -> Adapted {
    let on = |fields: &Fields<'_>, key: &str| fields.map.get(key) == Some(&true.into());
    let (grouped, multi_query) = (
        on(fields, "new_decoder_architecture"),
        on(fields, "multi_query"),
    );
    match (grouped, multi_query) {
        (true, _) => fields.copy("num_kv_heads", "num_key_value_heads"),
        (false, true) => fields.set("num_key_value_heads", 1),
        (false, false) => fields.copy("num_attention_heads", "num_key_value_heads"),
    }
    if grouped && !on(fields, "parallel_attn") {
        return Err(EngineError::ConfigValue {
            key: "parallel_attn".to_owned(),
            found: "false".to_owned(),
            computed: "true (with `new_decoder_architecture`)".to_owned(),
        });
    }
    let width = fields.number("ffn_hidden_size");
    let four = fields.number("hidden_size").unwrap_or(0).saturating_mul(4);
    fields.set("intermediate_size", width.unwrap_or(four));
    if fields.number("num_ln_in_parallel_attn").is_none() {
        fields.set("num_ln_in_parallel_attn", if grouped { 2 } else { 1 });
    }
    Ok(())
}

/// `gelu` in the first files meant the tanh approximation, and transformers reads it so; candle wants one of two keys.
pub(in crate::engine::adapter) fn gemma(fields: &mut Fields<'_>) -> Adapted {
    if fields
        .map
        .get("hidden_activation")
        .is_none_or(Value::is_null)
    {
        fields.map.remove("hidden_activation");
        if fields.map.get("hidden_act") == Some(&"gelu".into()) {
            fields.set("hidden_act", "gelu_pytorch_tanh");
        }
    } else {
        fields.map.remove("hidden_act");
    }
    Ok(())
}

/// The library's mask has a row for each position of the position table, so the table is cut to the context.
pub(in crate::engine::adapter) fn gpt_bigcode(fields: &mut Fields<'_>) -> Adapted {
    for (from, to) in [
        ("n_embd", "hidden_size"),
        ("n_head", "num_attention_heads"),
        ("n_layer", "num_hidden_layers"),
        ("n_positions", "max_position_embeddings"),
    ] {
        fields.rename(from, to);
    }
    fields.names.first_rows_of = Some("transformer.wpe.weight");
    Ok(())
}

/// The library has the layers with attention and a dense feed-forward block.
pub(in crate::engine::adapter) fn granitemoehybrid(fields: &mut Fields<'_>) -> Adapted {
    fields.rename("layers_block_type", "layer_types");
    let layers = fields.number("num_hidden_layers").unwrap_or(0);
    let types = fields.map.remove("layer_types");
    let types = match &types {
        Some(Value::Array(types)) if types.len() as u64 == layers => types,
        other => {
            let why = "every layer must have a type";
            return Err(super::metadata("layer_types", other.as_ref(), why));
        }
    };
    // The first name is that of transformers 4, the second that of 5.
    let other = types
        .iter()
        .find(|t| **t != "attention" && **t != "full_attention");
    if let Some(found) = other {
        return Err(EngineError::ConfigValue {
            key: "layer_types".to_owned(),
            found: super::short(found),
            computed: "\"full_attention\"".to_owned(),
        });
    }
    // None given means attention everywhere.
    Ok(())
}

/// The width of the feed-forward blocks is computed from several keys, in two ways; the tensors tell it.
pub(in crate::engine::adapter) fn lfm2(fields: &mut Fields<'_>) -> Adapted {
    let first = "model.layers.0.feed_forward.w1.weight";
    let Some(&[width, hidden]) = fields.dims(first) else {
        return Err(EngineError::MissingTensor {
            name: first.to_owned(),
        });
    };
    fields.map.remove("intermediate_size");
    fields.set("block_multiple_of", width);
    // Rounded up to that multiple, one and a half is the width.
    fields.set(
        "block_ffn_dim_multiplier",
        1.5 / (4.0 * hidden.max(1) as f64),
    );
    set_layer_types(fields);
    // The older of the two keys wins in transformers.
    fields.copy("tie_embedding", "tie_word_embeddings");
    fields.copy("tie_word_embeddings", "tie_embedding");
    Ok(())
}

/// The first files name the layers with attention only.
fn set_layer_types(fields: &mut Fields<'_>) {
    let layers = fields.number("num_hidden_layers").unwrap_or(0);
    if fields.map.contains_key("layer_types") || layers > fields.set.tensors.len() as u64 {
        return;
    }
    if let Some(Value::Array(attention)) = fields.map.get("full_attn_idxs") {
        let kind = |i: u64| {
            if attention.contains(&i.into()) {
                "full_attention"
            } else {
                "conv"
            }
        };
        let types: Vec<&str> = (0..layers).map(kind).collect();
        fields.set("layer_types", types);
    }
}

pub(in crate::engine::adapter) fn mamba(fields: &mut Fields<'_>) -> Adapted {
    fields.rename("hidden_size", "d_model");
    fields.rename("num_hidden_layers", "n_layer");
    let renamed = ("backbone.embedding.weight", "backbone.embeddings.weight");
    fields
        .names
        .renamed
        .push((renamed.0.into(), renamed.1.into()));
    Ok(())
}

pub(in crate::engine::adapter) fn mamba2(fields: &mut Fields<'_>) -> Adapted {
    let infinite = [
        json!([0.0, {"__float__": "Infinity"}]),
        json!([0.0, "Infinity"]),
    ];
    fields.only("time_step_limit", &infinite)
}
