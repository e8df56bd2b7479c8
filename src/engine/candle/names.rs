//! The names of tensors: those of transformers' modules in safetensors files, and those of GGUF files, which the decoder asks for.
//!
//! Sources: `state_dict` of each class in the transformers library; llama.cpp's `gguf-py` (`tensor_mapping.py`) for what belongs together.

/// Which names a file uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// Those of GGUF files.
    Gguf,
    /// Those of transformers, with norms before both halves of a block.
    Before,
    /// Those of transformers, with norms behind both halves, or on both sides.
    Around,
}

impl Naming {
    /// The names in safetensors files of this `model_type`.
    pub(super) fn of(model_type: &str) -> Self {
        match model_type {
            "gemma2" | "gemma3_text" | "olmo2" => Self::Around,
            _ => Self::Before,
        }
    }
}

/// (in safetensors, in GGUF) outside the layers.
const WHOLE: [(&str, &str); 3] = [
    ("embed_tokens", "token_embd"),
    ("norm", "output_norm"),
    ("lm_head", "output"),
];

/// (in safetensors, in GGUF) inside a layer. Experts in tensors of their own have the names of GGUF files from before they were stacked.
const LAYER: [(&str, &str); 22] = [
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    // Gate and up in one, as GGUF files have it too.
    ("mlp.gate_up_proj", "ffn_up"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
    ("mlp.gate", "ffn_gate_inp"),
    ("block_sparse_moe.gate", "ffn_gate_inp"),
    ("mlp.experts.*.gate_proj", "ffn_gate.*"),
    ("mlp.experts.*.up_proj", "ffn_up.*"),
    ("mlp.experts.*.down_proj", "ffn_down.*"),
    ("block_sparse_moe.experts.*.w1", "ffn_gate.*"),
    ("block_sparse_moe.experts.*.w3", "ffn_up.*"),
    ("block_sparse_moe.experts.*.w2", "ffn_down.*"),
];

/// The one name with two meanings.
const AFTER_ATTENTION: &str = "post_attention_layernorm";

/// Where the modules of a language model are; the longer prefixes belong to models that also see images.
const PREFIXES: [&str; 3] = ["language_model.model.", "model.language_model.", "model."];

/// The head, beside the modules.
const HEADS: [&str; 2] = ["lm_head.weight", "language_model.lm_head.weight"];

/// Tensors that a text never meets, and buffers that are computed.
const LEFT_OUT: [&str; 4] = [
    "vision_tower.",
    "multi_modal_projector.",
    "model.vision_tower.",
    "model.multi_modal_projector.",
];

/// The GGUF name of a tensor in a safetensors file; its own name where nothing is known of it, so that it is found left over. `None` for what
/// is not read: parts for images, and buffers.
pub(super) fn renamed(naming: Naming, name: &str) -> Option<String> {
    if LEFT_OUT.iter().any(|prefix| name.starts_with(prefix)) || name.ends_with(".inv_freq") {
        return None;
    }
    let head = HEADS.contains(&name);
    let known = || {
        let inner = PREFIXES.iter().find_map(|p| name.strip_prefix(p));
        let inner = inner.or_else(|| head.then_some("lm_head.weight"))?;
        let (module, kind) = inner.rsplit_once('.')?;
        let (layer, module) = match module.strip_prefix("layers.") {
            Some(rest) => {
                let (index, module) = rest.split_once('.')?;
                (Some(index.parse::<u32>().ok()?), module)
            }
            None => (None, module),
        };
        Some(match layer {
            Some(i) => format!("blk.{i}.{}.{kind}", in_layer(naming, module)?),
            None => format!("{}.{kind}", pair(&WHOLE, module)?),
        })
    };
    Some(known().unwrap_or_else(|| name.to_owned()))
}

fn in_layer(naming: Naming, module: &str) -> Option<String> {
    if module == AFTER_ATTENTION {
        return Some(after_attention(naming).to_owned());
    }
    // An expert's number stands for the star.
    let number = module.split('.').find(|part| part.parse::<u32>().is_ok());
    let starred = match number {
        Some(number) => module.replacen(&format!(".{number}."), ".*.", 1),
        None => module.to_owned(),
    };
    let name = pair(&LAYER, &starred)?;
    Some(name.replace('*', number.unwrap_or("*")))
}

fn after_attention(naming: Naming) -> &'static str {
    if naming == Naming::Around {
        "post_attention_norm"
    } else {
        "ffn_norm"
    }
}

fn pair(table: &[(&str, &'static str)], module: &str) -> Option<&'static str> {
    table.iter().find(|row| row.0 == module).map(|row| row.1)
}

/// What a tensor the decoder asks for is called in the file, for messages.
pub(super) fn original(naming: Naming, asked: &str) -> String {
    if naming == Naming::Gguf {
        return asked.to_owned();
    }
    let known = || {
        let (module, kind) = asked.rsplit_once('.')?;
        let Some(rest) = module.strip_prefix("blk.") else {
            let row = WHOLE.iter().find(|row| row.1 == module)?;
            let prefix = if row.0 == "lm_head" { "" } else { "model." };
            return Some(format!("{prefix}{}.{kind}", row.0));
        };
        let (layer, part) = rest.split_once('.')?;
        let inner = if part == after_attention(naming) {
            AFTER_ATTENTION
        } else {
            let stacked = part.strip_suffix("_exps").map(|one| format!("{one}.*"));
            let part = stacked.as_deref().unwrap_or(part);
            LAYER.iter().find(|row| row.1 == part)?.0
        };
        Some(format!("model.layers.{layer}.{inner}.{kind}"))
    };
    known().unwrap_or_else(|| asked.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(naming: Naming, name: &str) -> String {
        renamed(naming, name).unwrap()
    }

    #[test]
    fn names_are_translated() {
        for (from, to) in [
            ("model.embed_tokens.weight", "token_embd.weight"),
            ("model.norm.weight", "output_norm.weight"),
            ("lm_head.weight", "output.weight"),
            ("language_model.lm_head.weight", "output.weight"),
            (
                "model.layers.11.self_attn.q_proj.bias",
                "blk.11.attn_q.bias",
            ),
            (
                "language_model.model.layers.0.mlp.up_proj.weight",
                "blk.0.ffn_up.weight",
            ),
            (
                "model.layers.3.block_sparse_moe.experts.7.w2.weight",
                "blk.3.ffn_down.7.weight",
            ),
            (
                "model.layers.3.mlp.experts.12.gate_proj.weight",
                "blk.3.ffn_gate.12.weight",
            ),
            (
                "model.layers.3.mlp.gate.weight",
                "blk.3.ffn_gate_inp.weight",
            ),
            (
                "model.layers.3.self_attn.sinks",
                "model.layers.3.self_attn.sinks",
            ),
            ("score.weight", "score.weight"),
        ] {
            assert_eq!(name(Naming::Before, from), to);
        }
        let both = "model.layers.0.post_attention_layernorm.weight";
        assert_eq!(name(Naming::Before, both), "blk.0.ffn_norm.weight");
        assert_eq!(
            name(Naming::Around, both),
            "blk.0.post_attention_norm.weight"
        );
    }

    #[test]
    fn what_is_not_read_has_no_name() {
        for left in [
            "vision_tower.x.weight",
            "model.layers.0.self_attn.rotary_emb.inv_freq",
        ] {
            assert_eq!(renamed(Naming::Before, left), None);
        }
        let other = "medusa.lm_head.weight";
        assert_eq!(name(Naming::Before, other), other);
    }

    #[test]
    fn messages_use_the_names_of_the_file() {
        for (naming, asked, called) in [
            (
                Naming::Before,
                "blk.2.ffn_norm.weight",
                "model.layers.2.post_attention_layernorm.weight",
            ),
            (
                Naming::Around,
                "blk.2.ffn_norm.weight",
                "model.layers.2.pre_feedforward_layernorm.weight",
            ),
            (Naming::Before, "output.weight", "lm_head.weight"),
            (Naming::Before, "output_norm.weight", "model.norm.weight"),
            (
                Naming::Before,
                "blk.0.ffn_up_exps.weight",
                "model.layers.0.mlp.experts.*.up_proj.weight",
            ),
            (Naming::Gguf, "output.weight", "output.weight"),
        ] {
            assert_eq!(original(naming, asked), called);
        }
    }
}
