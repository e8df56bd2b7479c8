"""Writes tiny transformers models as GGUF files in llama.cpp's conventions, and reads such files back into a transformers state.

Conventions, from llama.cpp's converter and the constants of the Python package `gguf`:
* llama, granite and smollm3 hold the rows of queries and keys in the order of neighbouring pairs, all others as transformers does;
* gemma's norm weights hold 1 + w;
* experts are stacked in one tensor for each of gate, up and down; routers, norms and biases stay float32;
* `rope_freqs.weight` holds the divisors of Llama 3's frequencies, `rope_factors_{long,short}.weight` those of LongRoPE;
* the sliding window of Mistral, the window pattern of Gemma and the layers without rotation of SmolLM3 are not in the file.
"""

import math

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize, quantize

import vocabulary

ARCHITECTURES = {
    "llama": "llama", "mistral": "llama", "mixtral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "qwen3_moe": "qwen3moe",
    "gemma2": "gemma2", "gemma3_text": "gemma3", "phi3": "phi3", "smollm3": "smollm3", "granite": "granite", "olmo2": "olmo2",
}
NEIGHBOURS = ("llama", "granite", "smollm3")
FILE_TYPES = {
    "f32": 0, "f16": 1, "bf16": 32, "q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "mxfp4": 38,
}


def to_neighbours(rows, heads):
    """Rows of halves to rows of neighbouring pairs."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def to_halves(rows, heads):
    """The inverse of `to_neighbours`."""
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


class Names:
    """How one model's parameters are called and laid out in its GGUF file."""

    def __init__(self, config):
        self.config = config
        self.arch = ARCHITECTURES[config.model_type]
        key = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == self.arch)
        self.map = gguf.get_tensor_name_map(key, config.num_hidden_layers)

    def name(self, parameter):
        found = self.map.get_name(parameter, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise KeyError(parameter)
        return found

    def heads(self, parameter):
        if self.arch not in NEIGHBOURS:
            return None
        if ".q_proj." in parameter:
            return self.config.num_attention_heads
        return self.config.num_key_value_heads if ".k_proj." in parameter else None

    def parts(self, parameter):
        """(name in the GGUF file, slice of the parameter) pairs."""
        base = parameter.removesuffix(".gate_up_proj").removesuffix(".down_proj")
        if parameter.endswith("experts.gate_up_proj"):
            half = getattr(self.config, "moe_intermediate_size", None) or self.config.intermediate_size
            rows = [("gate_proj", slice(0, half)), ("up_proj", slice(half, 2 * half))]
            return [(self.name(f"{base}.{part}.weight"), (slice(None), which)) for part, which in rows]
        if parameter.endswith("experts.down_proj"):
            return [(self.name(f"{base}.down_proj.weight"), (slice(None),))]
        return [(self.name(parameter), (slice(None),))]

    def skips(self, parameter):
        return parameter == "lm_head.weight" and self.config.tie_word_embeddings

    def shift(self, parameter):
        return 1.0 if self.arch.startswith("gemma") and parameter.endswith("norm.weight") else 0.0


def stays_float(name, values):
    return values.ndim < 2 or "ffn_gate_inp" in name


def llama3_divisors(rope, head_dim):
    divisors = []
    for i in range(0, head_dim, 2):
        wavelength = 2 * math.pi * rope["rope_theta"] ** (i / head_dim)
        old, low, high = rope["original_max_position_embeddings"], rope["low_freq_factor"], rope["high_freq_factor"]
        if wavelength < old / high:
            divisors.append(1.0)
        elif wavelength > old / low:
            divisors.append(rope["factor"])
        else:
            smooth = (old / wavelength - low) / (high - low)
            divisors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(divisors, np.float32)


def head_dim(config):
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def rope_of(config):
    return config.rope_parameters.get("full_attention", config.rope_parameters)


def write_metadata(w, config, file_type, begin):
    rope, width = rope_of(config), head_dim(config)
    arch = ARCHITECTURES[config.model_type]
    w.add_type(gguf.GGUFType.MODEL)
    w.add_name(f"tiny {config.model_type}")
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_block_count(config.num_hidden_layers)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(config.num_attention_heads)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    w.add_file_type(file_type)
    if arch != "gemma2":
        w.add_rope_freq_base(rope["rope_theta"])
    if getattr(config, "head_dim", None):
        w.add_key_length(width)
        w.add_value_length(width)
    if arch in NEIGHBOURS:
        w.add_vocab_size(config.vocab_size)
        w.add_rope_dimension_count(width)
    if rope["rope_type"] == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(rope["factor"])
    if arch in ("gemma2", "gemma3"):
        w.add_sliding_window(config.sliding_window)
    if arch == "gemma2":
        w.add_attn_logit_softcapping(config.attn_logit_softcapping)
        w.add_final_logit_softcapping(config.final_logit_softcapping)
    if arch == "gemma3":
        w.add_rope_freq_base_swa(config.rope_parameters["sliding_attention"]["rope_theta"])
    if arch == "phi3":
        w.add_rope_dimension_count(int(rope.get("partial_rotary_factor", 1.0) * width))
        w.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
        w.add_sliding_window(config.sliding_window or 0)
        if rope["rope_type"] == "longrope":
            scale = config.max_position_embeddings / config.original_max_position_embeddings
            w.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(config.original_max_position_embeddings)))
    if arch == "granite":
        w.add_attention_scale(config.attention_multiplier)
        w.add_embedding_scale(config.embedding_multiplier)
        w.add_residual_scale(config.residual_multiplier)
        w.add_logit_scale(config.logits_scaling)
    if config.model_type in ("mixtral", "qwen3_moe"):
        w.add_expert_count(config.num_experts if config.model_type == "qwen3_moe" else config.num_local_experts)
        w.add_expert_used_count(config.num_experts_per_tok)
    if config.model_type == "qwen3_moe":
        w.add_expert_feed_forward_length(config.moe_intermediate_size)
    write_vocabulary(w, begin)


def write_vocabulary(w, begin):
    kinds = [gguf.TokenType.CONTROL] * len(vocabulary.CONTROL)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(vocabulary.TOKENS)
    w.add_token_types(kinds + [gguf.TokenType.NORMAL] * (len(vocabulary.TOKENS) - len(kinds)))
    w.add_token_merges([" ".join(pair) for pair in vocabulary.MERGES])
    w.add_bos_token_id(vocabulary.BEGIN)
    w.add_eos_token_id(vocabulary.TURN_END)
    w.add_pad_token_id(vocabulary.PAD)
    w.add_add_bos_token(begin)
    w.add_chat_template(vocabulary.TEMPLATE)


def write(path, config, state, kind, begin):
    """Writes a model's parameters (name -> float32 array) as one GGUF file of one type."""
    names = Names(config)
    w = gguf.GGUFWriter(path, names.arch)
    write_metadata(w, config, FILE_TYPES[kind], begin)
    rope = rope_of(config)
    if rope["rope_type"] == "llama3":
        w.add_tensor("rope_freqs.weight", llama3_divisors(rope, head_dim(config)))
    if rope["rope_type"] == "longrope":
        w.add_tensor("rope_factors_long.weight", np.array(rope["long_factor"], np.float32))
        w.add_tensor("rope_factors_short.weight", np.array(rope["short_factor"], np.float32))
    for parameter, values in state.items():
        if names.skips(parameter):
            continue
        if heads := names.heads(parameter):
            values = to_neighbours(values, heads)
        values = values + np.float32(names.shift(parameter))
        for name, which in names.parts(parameter):
            part = np.ascontiguousarray(values[which])
            if kind == "f32" or stays_float(name, part):
                w.add_tensor(name, part)
            else:
                w.add_tensor(name, quantize(part, T[kind.upper()]), raw_dtype=T[kind.upper()])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def read(path, config, state):
    """The parameters a GGUF file holds, dequantised and laid out as in `state`; every tensor of the file must be used."""
    names = Names(config)
    tensors = {}
    for tensor in gguf.GGUFReader(path).tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        tensors[tensor.name] = values.reshape(tuple(int(n) for n in reversed(tensor.shape)))
    used = {name for name in tensors if name.startswith("rope_f")}
    out = {}
    for parameter, like in state.items():
        if names.skips(parameter):
            continue
        values = np.zeros_like(like)
        for name, which in names.parts(parameter):
            values[which] = tensors[name]
            used.add(name)
        values = values - np.float32(names.shift(parameter))
        if heads := names.heads(parameter):
            values = to_halves(values, heads)
        out[parameter] = values
    if used != set(tensors):
        raise ValueError(f"{path}: unused {sorted(set(tensors) - used)}")
    return out
