//! The table of architectures: one entry each, with what its configuration means.
//!
//! Keys and default values are those of the configuration classes of transformers 5.23; `computes` is what the source of candle-transformers
//! 0.11.1 computes whatever the file says. An entry is here because its tests agree with transformers (`tests/it/adapters.rs`).

use super::config::{Fields, adapt};
use super::constructors::{self as make, Build};
use super::run::CHUNK_ROWS;
use crate::engine::EngineError;
use crate::units::Bytes;

/// How a prompt is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefill {
    /// In pieces, each after those before.
    Chunks,
    /// In one pass: the library has no mask for a second piece. Memory grows with the square of the prompt.
    Whole,
    /// Token by token: the library has the recurrence only.
    Steps,
}

/// One architecture.
pub(super) struct Architecture {
    /// `model_type` in `config.json`.
    pub(super) model_type: &'static str,
    /// Makes the model.
    pub(super) build: Build,
    /// How a prompt is computed.
    pub(super) prefill: Prefill,
    /// The embedding table in the file, which is also the head of a model that ties them.
    pub(super) embedding: &'static str,
    /// What transformers takes where the file says nothing; JSON.
    pub(super) defaults: &'static str,
    /// Values that the library computes whatever the file says, a list where several mean the same; JSON.
    pub(super) computes: &'static str,
    /// Fields of the library that no number depends on; JSON.
    pub(super) fixed: &'static str,
    /// Kinds of rope scaling that are computed.
    pub(super) scalings: &'static [&'static str],
    /// What else has to be brought to the library's form.
    pub(super) adapt: fn(&mut Fields<'_>) -> Result<(), EngineError>,
}

const EMBED_TOKENS: &str = "model.embed_tokens.weight";

/// What most entries have in common.
const USUAL: Architecture = Architecture {
    model_type: "",
    build: make::olmo,
    prefill: Prefill::Chunks,
    embedding: EMBED_TOKENS,
    defaults: "{}",
    computes: "{}",
    fixed: "{}",
    scalings: &[],
    adapt: adapt::nothing,
};

/// Every architecture, in the order of names.
pub(super) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        model_type: "deepseek_v2",
        build: make::deepseek_v2,
        defaults: r#"{"hidden_act":"silu","max_position_embeddings":2048,"rms_norm_eps":1e-6,"rope_theta":10000.0,"attention_bias":false,
            "tie_word_embeddings":false,"first_k_dense_replace":0,"routed_scaling_factor":1.0,"topk_method":"greedy","n_group":1,"topk_group":1}"#,
        computes: r#"{"topk_method":"greedy","norm_topk_prob":false,"moe_layer_freq":1,"scoring_func":"softmax","mlp_bias":false}"#,
        scalings: &["yarn"],
        ..USUAL
    },
    Architecture {
        model_type: "falcon",
        build: make::falcon,
        embedding: "transformer.word_embeddings.weight",
        defaults: r#"{"layer_norm_epsilon":1e-5,"alibi":false,"new_decoder_architecture":false,"multi_query":true,"parallel_attn":true,
            "bias":false,"activation":"gelu","rope_theta":10000.0,"max_position_embeddings":2048,"tie_word_embeddings":true}"#,
        computes: r#"{"alibi":false}"#,
        adapt: adapt::falcon,
        ..USUAL
    },
    Architecture {
        model_type: "gemma",
        build: make::gemma,
        defaults: r#"{"hidden_act":"gelu_pytorch_tanh","head_dim":256,"attention_bias":false,"rms_norm_eps":1e-6,"rope_theta":10000.0,
            "max_position_embeddings":8192,"tie_word_embeddings":true}"#,
        computes: r#"{"tie_word_embeddings":true,"use_bidirectional_attention":false}"#,
        adapt: adapt::gemma,
        ..USUAL
    },
    Architecture {
        model_type: "glm4",
        build: make::glm4,
        defaults: r#"{"hidden_act":"silu","head_dim":128,"partial_rotary_factor":0.5,"attention_bias":true,"rms_norm_eps":1.5625e-7,
            "rope_theta":10000.0,"max_position_embeddings":131072,"tie_word_embeddings":false}"#,
        fixed: r#"{"eos_token_id":null}"#,
        ..USUAL
    },
    Architecture {
        model_type: "gpt_bigcode",
        build: make::gpt_bigcode,
        embedding: "transformer.wte.weight",
        defaults: r#"{"n_positions":1024,"layer_norm_epsilon":1e-5,"multi_query":true,"activation_function":"gelu_pytorch_tanh",
            "tie_word_embeddings":true}"#,
        computes: r#"{"activation_function":["gelu_pytorch_tanh","gelu_new"],"tie_word_embeddings":true,"multi_query":true,
            "scale_attn_weights":true,"add_cross_attention":false}"#,
        adapt: adapt::gpt_bigcode,
        ..USUAL
    },
    Architecture {
        model_type: "granitemoehybrid",
        build: make::granitemoehybrid,
        defaults: r#"{"hidden_act":"silu","rms_norm_eps":1e-6,"rope_theta":10000.0,"max_position_embeddings":2048,"tie_word_embeddings":false,
            "num_local_experts":8,"shared_intermediate_size":1024,"embedding_multiplier":1.0,"logits_scaling":1.0,"residual_multiplier":1.0,
            "attention_multiplier":1.0}"#,
        computes: r#"{"hidden_act":"silu","num_local_experts":0,"position_embedding_type":"rope","attention_bias":false,
            "tie_word_embeddings":true,"normalization_function":"rmsnorm"}"#,
        fixed: r#"{"bos_token_id":null,"eos_token_id":null}"#,
        adapt: adapt::granitemoehybrid,
        ..USUAL
    },
    Architecture {
        model_type: "helium",
        build: make::helium,
        defaults: r#"{"hidden_act":"silu","head_dim":128,"attention_bias":false,"mlp_bias":false,"rms_norm_eps":1e-8,"rope_theta":100000.0,
            "max_position_embeddings":4096,"tie_word_embeddings":false}"#,
        fixed: r#"{"bos_token_id":0,"eos_token_id":0,"use_flash_attn":false}"#,
        ..USUAL
    },
    Architecture {
        model_type: "lfm2",
        build: make::lfm2,
        prefill: Prefill::Whole,
        defaults: r#"{"norm_eps":1e-5,"rope_theta":1000000.0,"max_position_embeddings":128000,"conv_bias":false,"conv_L_cache":3,
            "num_key_value_heads":8,"tie_word_embeddings":true}"#,
        computes: r#"{"conv_bias":false}"#,
        fixed: r#"{"bos_token_id":null,"eos_token_id":null}"#,
        adapt: adapt::lfm2,
        ..USUAL
    },
    Architecture {
        model_type: "mamba",
        build: make::mamba,
        prefill: Prefill::Steps,
        embedding: "backbone.embeddings.weight",
        defaults: r#"{"tie_word_embeddings":true}"#,
        computes: r#"{"state_size":16,"expand":2,"conv_kernel":4,"layer_norm_epsilon":1e-5,"use_bias":false,"use_conv_bias":true,
            "hidden_act":"silu","tie_word_embeddings":true}"#,
        fixed: r#"{"pad_vocab_size_multiple":1}"#,
        adapt: adapt::mamba,
        ..USUAL
    },
    Architecture {
        model_type: "mamba2",
        build: make::mamba2,
        prefill: Prefill::Steps,
        embedding: "backbone.embeddings.weight",
        defaults: r#"{"tie_word_embeddings":false,"state_size":128,"expand":2,"head_dim":64,"n_groups":8}"#,
        computes: r#"{"n_groups":1,"conv_kernel":4,"layer_norm_epsilon":1e-5,"use_bias":false,"use_conv_bias":true,"hidden_act":"silu",
            "tie_word_embeddings":true}"#,
        fixed: r#"{"pad_vocab_size_multiple":1}"#,
        adapt: adapt::mamba2,
        ..USUAL
    },
    Architecture {
        model_type: "olmo",
        build: make::olmo,
        defaults: r#"{"hidden_act":"silu","attention_bias":false,"max_position_embeddings":2048,"rope_theta":10000.0,
            "tie_word_embeddings":false}"#,
        ..USUAL
    },
    Architecture {
        model_type: "phi",
        build: make::phi,
        prefill: Prefill::Whole,
        defaults: r#"{"hidden_act":"gelu_new","max_position_embeddings":2048,"layer_norm_eps":1e-5,"rope_theta":10000.0,
            "partial_rotary_factor":0.5,"qk_layernorm":false,"tie_word_embeddings":false}"#,
        computes: r#"{"qk_layernorm":false}"#,
        ..USUAL
    },
    Architecture {
        model_type: "qwen2_moe",
        build: make::qwen2_moe,
        defaults: r#"{"hidden_act":"silu","max_position_embeddings":32768,"rms_norm_eps":1e-6,"rope_theta":10000.0,"tie_word_embeddings":false,
            "use_sliding_window":false,"decoder_sparse_step":1,"norm_topk_prob":false}"#,
        computes: r#"{"mlp_only_layers":[[]],"qkv_bias":true}"#,
        fixed: r#"{"sliding_window":16777216,"max_window_layers":0}"#,
        ..USUAL
    },
    Architecture {
        model_type: "stablelm",
        build: make::stablelm,
        defaults: r#"{"hidden_act":"silu","partial_rotary_factor":0.25,"rope_theta":10000.0,"max_position_embeddings":4096,
            "layer_norm_eps":1e-5,"use_qkv_bias":false,"tie_word_embeddings":false}"#,
        computes: r#"{"qk_layernorm":false,"use_parallel_residual":false}"#,
        fixed: r#"{"use_cache":true,"use_flash_attn":false}"#,
        ..USUAL
    },
    Architecture {
        model_type: "starcoder2",
        build: make::starcoder2,
        defaults: r#"{"hidden_act":"gelu_pytorch_tanh","max_position_embeddings":4096,"norm_epsilon":1e-5,"rope_theta":10000.0,"use_bias":true,
            "num_key_value_heads":2,"tie_word_embeddings":true}"#,
        computes: r#"{"tie_word_embeddings":true,"norm_type":"layer_norm","mlp_type":"default"}"#,
        fixed: r#"{"sliding_window":null}"#,
        ..USUAL
    },
];

/// The architectures that can be loaded, in the order of names.
pub fn supported() -> Vec<&'static str> {
    ARCHITECTURES.iter().map(|a| a.model_type).collect()
}

/// Memory of the attention weights of one pass at `context` tokens: of `heads` heads, as scores, masked, and in three steps to shares, in f32.
pub fn attention_bytes(model_type: &str, heads: u64, context: u32) -> Bytes {
    let context = u64::from(context);
    let prefill = architecture(model_type).map_or(Prefill::Whole, |a| a.prefill);
    let rows = match prefill {
        Prefill::Chunks => context.min(CHUNK_ROWS as u64),
        Prefill::Whole => context,
        Prefill::Steps => 0,
    };
    let values = heads.saturating_mul(rows).saturating_mul(context);
    Bytes(values.saturating_mul(5 * 4))
}

/// The entry of a `model_type`.
pub(super) fn architecture(model_type: &str) -> Result<&'static Architecture, EngineError> {
    let found = ARCHITECTURES.iter().find(|a| a.model_type == model_type);
    found.ok_or_else(|| EngineError::UnsupportedArchitecture {
        found: model_type.to_owned(),
        supported: supported(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value};

    #[test]
    fn the_table_is_in_order_and_its_json_is_objects() {
        let names = supported();
        assert!(names.is_sorted() && !names.contains(&""), "{names:?}");
        for a in ARCHITECTURES {
            for text in [a.defaults, a.computes, a.fixed] {
                let parsed: Result<Map<String, Value>, _> = serde_json::from_str(text);
                assert!(parsed.is_ok(), "{}: {text}", a.model_type);
            }
        }
    }

    #[test]
    fn a_model_type_without_an_entry_is_refused() {
        let error = architecture("persimmon").err().unwrap();
        assert_eq!(
            error.to_string(),
            "architecture `persimmon` is not supported"
        );
        assert!(error.hint().unwrap().contains("falcon"));
    }
}
