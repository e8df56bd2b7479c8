//! Every family that can be run: one function from metadata to a description, and one line in [`ALL`].
//!
//! Sources: the fields of `config.json` of each family in the transformers library, and llama.cpp's `gguf-py` for the names of keys and tensors.

use super::family::{
    Blueprint, Divisors, Experts, Family, Keys, LayerSpec, Norms, QkNorm, RopeSpec,
};
use crate::engine::EngineError;
use crate::engine::kernels::elementwise::Activation;

/// Every architecture with a description, by its name in a GGUF file.
pub(super) const ALL: [(&str, Family); 10] = [
    ("llama", llama),
    ("qwen2", qwen2),
    ("qwen3", qwen3),
    ("qwen3moe", qwen3_moe),
    ("gemma2", gemma2),
    ("gemma3", gemma3),
    ("phi3", phi3),
    ("smollm3", smollm3),
    ("granite", granite),
    ("olmo2", olmo2),
];

/// Most experts of a layer.
const MAX_EXPERTS: u64 = 1 << 12;

/// Llama 1 to 3, SmolLM2, Mistral and Mixtral in their Llama form. GGUF files hold query and key rows in the order of neighbouring pairs.
fn llama(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    let base = keys.base()?;
    let feed_forward = base.feed_forward;
    Ok(Blueprint {
        rope_style: keys.extras.rope_style,
        experts: experts(keys, feed_forward)?,
        ..base
    })
}

/// The mixture of experts that the keys declare, if any.
fn experts(keys: &Keys<'_>, feed_forward: usize) -> Result<Option<Experts>, EngineError> {
    let Some(count) = keys.optional("expert_count", MAX_EXPERTS)? else {
        return Ok(None);
    };
    let used = keys.required("expert_used_count", MAX_EXPERTS)?;
    if used > count {
        let why = format!("there are only {count} experts");
        return Err(keys.wrong("expert_used_count", used, &why));
    }
    Ok(Some(Experts {
        count,
        used,
        feed_forward,
    }))
}

/// Qwen 2 and 2.5: Llama with biases on queries, keys and values.
fn qwen2(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    keys.base()
}

/// Qwen 3: normalised queries and keys.
fn qwen3(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    Ok(Blueprint {
        qk_norm: QkNorm::PerHead,
        ..keys.base()?
    })
}

/// Qwen 3 with a mixture of experts.
fn qwen3_moe(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    let width = keys.required("expert_feed_forward_length", 1 << 20)?;
    Ok(Blueprint {
        experts: experts(keys, width)?,
        ..qwen3(keys)?
    })
}

/// What the Gemmas share: scaled embeddings and a gate of GELU.
fn gemma(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    let base = keys.base()?;
    Ok(Blueprint {
        embedding_scale: Some((base.embedding as f32).sqrt()),
        activation: Activation::GeluTanh,
        ..base
    })
}

/// Gemma 2: norms around both halves of a block, soft caps, a local layer before each global one.
fn gemma2(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    let mut blueprint = gemma(keys)?;
    let window = keys.required("attention.sliding_window", 1 << 24)?;
    for (i, layer) in blueprint.layers.iter_mut().enumerate() {
        layer.window = keys.is_windowed(i, i % 2 == 0).then_some(window);
    }
    // The 27B model scales its queries by the width of a head's share of the residual stream, all others by the head's own width.
    blueprint.attention_scale = gemma_scale(keys, &blueprint, 46)?;
    blueprint.attention_softcap = keys.scale("attn_logit_softcapping")?;
    blueprint.logit_softcap = keys.scale("final_logit_softcapping")?;
    Ok(Blueprint {
        norms: Norms::Both,
        ..blueprint
    })
}

/// The factor on attention scores: as given, else by the head's width, or in the model with `large` layers by its share of the residual stream.
fn gemma_scale(keys: &Keys<'_>, blueprint: &Blueprint, large: usize) -> Result<f32, EngineError> {
    let by_share = 1.0 / ((blueprint.embedding / blueprint.heads) as f32).sqrt();
    let usual = if blueprint.layers.len() == large {
        by_share
    } else {
        blueprint.attention_scale
    };
    Ok(keys.scale("attention.scale")?.unwrap_or(usual))
}

/// Gemma 3: as Gemma 2 with normalised queries and keys, and five local layers for each global one, with a rotation of their own.
fn gemma3(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    const LOCAL_ROPE_BASE: f64 = 10_000.0;
    let mut blueprint = gemma(keys)?;
    let window = keys.required("attention.sliding_window", 1 << 24)?;
    let pattern = keys
        .optional("attention.sliding_window_pattern", 1 << 10)?
        .unwrap_or(6);
    let local = RopeSpec {
        base: keys
            .positive("rope.freq_base_swa")?
            .unwrap_or(LOCAL_ROPE_BASE),
        factor: 1.0,
        divisors: None,
        magnitude: 1.0,
    };
    for (i, layer) in blueprint.layers.iter_mut().enumerate() {
        if keys.is_windowed(i, (i + 1) % pattern != 0) {
            layer.window = Some(window);
            layer.rope = Some(local.clone());
        }
    }
    // As in Gemma 2, for the 27B model.
    blueprint.attention_scale = gemma_scale(keys, &blueprint, 62)?;
    blueprint.attention_softcap = keys.scale("attn_logit_softcapping")?;
    blueprint.logit_softcap = keys.scale("final_logit_softcapping")?;
    Ok(Blueprint {
        qk_norm: QkNorm::PerHead,
        norms: Norms::Both,
        ..blueprint
    })
}

/// Phi 3: queries, keys and values in one matrix, gate and up in another.
///
/// Long-context files hold two sets of frequency divisors (Ding et al. 2024). The transformers library takes the long set as soon as a text
/// passes the original context, with keys in its cache that were rotated by the short one. Here the set is chosen once, by the length that the
/// request may reach, so that every token of a text is computed with one set and the result depends on the request alone.
fn phi3(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    let mut blueprint = keys.base()?;
    let window = keys.window()?;
    let original = keys.optional("rope.scaling.original_context_length", 1 << 24)?;
    let magnitude = keys.positive("rope.scaling.attn_factor")?;
    let given = |list: &Option<Vec<f64>>, tensor| match list {
        Some(list) => Divisors::Given(list.clone()),
        None => Divisors::Tensor(tensor),
    };
    let short = given(&keys.extras.divisors, "rope_factors_short.weight");
    let long = given(&keys.extras.long_divisors, "rope_factors_long.weight");
    for layer in &mut blueprint.layers {
        layer.window = window;
        let with = |divisors: &Divisors| {
            layer.rope.as_ref().map(|rope| RopeSpec {
                divisors: Some(divisors.clone()),
                magnitude: magnitude.unwrap_or(1.0),
                ..rope.clone()
            })
        };
        (layer.rope, layer.long_rope) = (with(&short), with(&long));
    }
    blueprint.short_rope = original.unwrap_or(blueprint.context);
    Ok(blueprint)
}

/// SmolLM 3: Llama without rotation in every fourth layer.
fn smollm3(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    let mut blueprint = llama(keys)?;
    if keys.extras.rotated.is_some() {
        return Ok(blueprint);
    }
    let fourth = |layer: &mut LayerSpec| layer.rope = None;
    blueprint
        .layers
        .iter_mut()
        .skip(3)
        .step_by(4)
        .for_each(fourth);
    Ok(blueprint)
}

/// Granite: Llama with four factors.
fn granite(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    let base = llama(keys)?;
    Ok(Blueprint {
        embedding_scale: keys.scale("embedding_scale")?,
        residual_scale: keys.scale("residual_scale")?,
        logit_scale: keys.scale("logit_scale")?.map(|divisor| 1.0 / divisor),
        attention_scale: keys
            .scale("attention.scale")?
            .unwrap_or(base.attention_scale),
        ..base
    })
}

/// OLMo 2: norms on the outputs only, queries and keys normalised over all heads together.
fn olmo2(keys: &Keys<'_>) -> Result<Blueprint, EngineError> {
    Ok(Blueprint {
        qk_norm: QkNorm::Whole,
        norms: Norms::Post,
        ..keys.base()?
    })
}
