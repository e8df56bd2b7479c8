#!/usr/bin/env python3
"""Makes a tiny model of every architecture that evalh runs through candle-transformers, and what transformers computes with it.

usage: OMP_NUM_THREADS=1 python3 make.py [MODEL ...]      without names: all of them
needs: pip install transformers==5.23.0 torch==2.15.0 numpy==2.4.6 safetensors==0.8.0

Each model is a folder: `config.json` as transformers 5 writes it, `config_v4.json` as transformers 4 wrote it, the weights as safetensors, and
`expected.json`. The weights are random; their ranges are wide enough that every field in `moves` changes the logits, which is checked before
anything is written. The models in REFUSED are made only when they are named: evalh refuses them, because candle-transformers computes
something else.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).parent
GREEDY_TOKENS = 16
LEAST_GAP = 0.01
LEAST_MOVE = 0.02
VOCABULARY = 128

COMMON = {
    "vocab_size": VOCABULARY, "num_hidden_layers": 2, "hidden_size": 32, "initializer_range": 0.02,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 4,
}
ATTENTION = {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64, "max_position_embeddings": 512}


def rope(theta=10000.0, **more):
    return {"rope_parameters": {"rope_type": "default", "rope_theta": theta, **more}}


FALCON = {
    "num_attention_heads": 4, "multi_query": True, "parallel_attn": True, "bias": False, "alibi": False, "new_decoder_architecture": False,
    "max_position_embeddings": 512, "tie_word_embeddings": True, **rope(),
}
YARN = {
    "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 128, "beta_fast": 32, "beta_slow": 1,
    "mscale": 0.707, "mscale_all_dim": 0.707,
}
MLA = {
    **ATTENTION, "num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": None, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
    "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "first_k_dense_replace": 1,
    "routed_scaling_factor": 1.5, "topk_method": "greedy", "n_group": 1, "topk_group": 1, "norm_topk_prob": False,
}

# name -> (model type, fields that differ from COMMON, alterations of the configuration that must move the logits[, other options])
MODELS = {
    "falcon": ("falcon", {**FALCON}, {"activation": "relu"}),
    "falcon-groups": (
        "falcon", {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2, "bias": True, "tie_word_embeddings": False}, {}),
    "falcon-one-norm": (
        "falcon", {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1, "ffn_hidden_size": 96}, {}),
    "falcon-heads": ("falcon", {**FALCON, "multi_query": False, "parallel_attn": False, "bias": True}, {}),
    "stablelm": (
        "stablelm", {**ATTENTION, "use_qkv_bias": True, "tie_word_embeddings": False, **rope(10000.0, partial_rotary_factor=0.5)}, {}),
    "starcoder2": (
        "starcoder2", {**ATTENTION, "sliding_window": None, "use_bias": True, "tie_word_embeddings": True, **rope(100000.0)},
        {"norm_epsilon": 0.1}),
    "starcoder2-sharded": (
        "starcoder2", {**ATTENTION, "sliding_window": None, "use_bias": True, "tie_word_embeddings": True, **rope(100000.0)},
        {}, {"shard": "40KB"}),
    "glm4": (
        "glm4", {**ATTENTION, "head_dim": 16, "attention_bias": True, "tie_word_embeddings": False, **rope(10000.0, partial_rotary_factor=0.5)},
        {"rms_norm_eps": 0.1}),
    "gemma": (
        "gemma", {**ATTENTION, "head_dim": 16, "tie_word_embeddings": True, **rope()}, {"hidden_act": "silu"}),
    "gemma-bf16": (
        "gemma", {**ATTENTION, "head_dim": 16, "tie_word_embeddings": True, **rope()}, {}, {"dtype": "bfloat16"}),
    "gemma-f16": (
        "gemma", {**ATTENTION, "head_dim": 16, "tie_word_embeddings": True, **rope()}, {}, {"dtype": "float16"}),
    "olmo": ("olmo", {**ATTENTION, "clip_qkv": 1.0, "tie_word_embeddings": False, **rope()}, {"clip_qkv": None}),
    "phi": (
        "phi", {**ATTENTION, "num_key_value_heads": 4, "tie_word_embeddings": False, **rope(10000.0, partial_rotary_factor=0.5)},
        {"hidden_act": "relu"}),
    "gpt_bigcode": (
        "gpt_bigcode", {"n_layer": 2, "n_embd": 32, "n_head": 4, "n_positions": 512, "n_inner": 64, "multi_query": True,
                        "activation_function": "gelu_pytorch_tanh", "tie_word_embeddings": True}, {"activation_function": "relu"}),
    "helium": ("helium", {**ATTENTION, "head_dim": 8, "tie_word_embeddings": False, **rope(100000.0)}, {"rms_norm_eps": 0.1}),
    "mamba": ("mamba", {"state_size": 16, "expand": 2, "conv_kernel": 4, "time_step_rank": 2, "tie_word_embeddings": True}, {}),
    "mamba2": (
        "mamba2", {"state_size": 16, "expand": 2, "conv_kernel": 4, "head_dim": 16, "num_heads": 4, "n_groups": 1, "tie_word_embeddings": True,
                   "chunk_size": 16}, {}),
    "qwen2_moe": (
        "qwen2_moe", {**ATTENTION, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2,
                      "norm_topk_prob": False, "decoder_sparse_step": 1, "use_sliding_window": False, "tie_word_embeddings": False,
                      **rope(1000000.0)}, {"norm_topk_prob": True, "num_experts_per_tok": 1}),
    "qwen2_moe-step": (
        "qwen2_moe", {**ATTENTION, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2,
                      "norm_topk_prob": True, "decoder_sparse_step": 2, "use_sliding_window": False, "tie_word_embeddings": False,
                      **rope(1000000.0)}, {"norm_topk_prob": False}),
    "deepseek_v2": ("deepseek_v2", {**MLA, "tie_word_embeddings": False, **rope()}, {"routed_scaling_factor": 1.0}),
    "deepseek_v2-yarn": ("deepseek_v2", {**MLA, "q_lora_rank": 16, "tie_word_embeddings": False, "rope_parameters": YARN}, {}),
    "granitemoehybrid": (
        "granitemoehybrid", {**ATTENTION, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 16, "shared_intermediate_size": 64,
                             "num_local_experts": 0, "num_experts_per_tok": 0,
                             "layer_types": ["attention", "attention"], "position_embedding_type": "rope", "embedding_multiplier": 6.0,
                             "logits_scaling": 3.0, "residual_multiplier": 0.4, "attention_multiplier": 0.4, "tie_word_embeddings": True,
                             **rope()},
        {"embedding_multiplier": 1.0, "logits_scaling": 1.0, "residual_multiplier": 1.0, "attention_multiplier": 0.25}),
    "lfm2": (
        "lfm2", {**ATTENTION, "block_auto_adjust_ff_dim": False, "conv_L_cache": 3, "conv_bias": False,
                 "layer_types": ["conv", "full_attention"], "tie_word_embeddings": True, **rope(1000000.0)}, {}),
}

# What candle-transformers 0.11.1 computes otherwise; the figures are the largest difference of a logit of these models.
REFUSED = {
    # It cannot split several key and value heads: a shape error.
    "gpt_bigcode-heads": (
        "gpt_bigcode", {"n_layer": 2, "n_embd": 32, "n_head": 4, "n_positions": 512, "n_inner": 64, "multi_query": False,
                        "activation_function": "gelu_pytorch_tanh", "tie_word_embeddings": True}, {}),
    # The gated norm is over all groups at once: 4.2.
    "mamba2-groups": (
        "mamba2", {"state_size": 16, "expand": 2, "conv_kernel": 4, "head_dim": 16, "num_heads": 4, "n_groups": 2, "tie_word_embeddings": True,
                   "chunk_size": 16}, {}),
    # Groups are chosen by the scores of single experts.
    "deepseek_v2-groups": (
        "deepseek_v2", {**MLA, "topk_method": "group_limited_greedy", "n_group": 2, "topk_group": 1, "tie_word_embeddings": False, **rope()}, {}),
    # transformers rounds the scale of the embedding to bfloat16, which is one part in 10,000 here (0.0007) and one in 500 at a width of 2560.
    "recurrent_gemma": (
        "recurrent_gemma", {"num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 8, "intermediate_size": 64,
                            "lru_width": 32, "attention_window_size": 512, "conv1d_width": 4, "tie_word_embeddings": True,
                            "block_types": ["recurrent", "recurrent", "attention"], "logits_soft_cap": 30.0,
                            **rope(10000.0, partial_rotary_factor=0.5)}, {"logits_soft_cap": 5.0}),
}


def randomise(model, seed):
    """Fills the parameters so that attention is peaked, norms and biases matter and no branch vanishes in rounding."""
    rng = np.random.default_rng(seed)
    kind = model.config.model_type
    tied = model.config.tie_word_embeddings
    for name, parameter in model.named_parameters():
        shape = tuple(parameter.shape)
        noise = rng.standard_normal(shape).astype(np.float32)
        last = name.split(".")[-1]
        if last == "A_log":
            noise = np.log(1.0 + np.abs(4.0 * noise))
        elif last == "D":
            noise = 1.0 + 0.3 * noise
        elif last in ("dt_bias", "recurrent_param") or name.endswith("dt_proj.bias"):
            noise = 0.5 * noise - 1.0
        elif "norm" in name.split(".")[-2] or name.split(".")[-2].startswith("ln_"):
            base = 0.0 if kind in ("gemma", "recurrent_gemma") or last == "bias" else 1.0
            noise = 0.3 * noise + base
        elif "bias" in last:
            noise = 0.3 * noise
        elif any(part in name for part in ("embed", "wte", "wpe")):
            # A tied head is the same matrix; where embeddings are scaled up, they must not drown what the blocks add.
            noise = noise / np.sqrt(shape[-1]) * {"gemma": 0.5, "granitemoehybrid": 0.3}.get(kind, 2.0 if tied else 1.0)
        else:
            gain = 1.8 if any(part in name for part in ("q_proj", "k_proj", "query_key_value", "c_attn", "gate.weight", "lm_head")) else 1.0
            noise = noise * gain / np.sqrt(shape[-1])
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.asarray(noise, dtype=np.float32)))


def six(values):
    return [float(f"{v:.6g}") for v in values]


def logits_of(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float().numpy()


def greedy(model, ids):
    """Arg-max continuation, every step one forward pass over everything; it does not stop at an end token."""
    ids, tokens, gaps = list(ids), [], []
    for _ in range(GREEDY_TOKENS):
        last = logits_of(model, ids)[-1]
        second, first = np.argsort(last)[-2:]
        tokens.append(int(first))
        gaps.append(float(last[first] - last[second]))
        ids.append(int(first))
    return tokens, gaps


def sequences(seed):
    """`long` is longer than the rows evalh computes at once."""
    rng = np.random.default_rng(seed)
    return {name: [int(t) for t in rng.integers(6, VOCABULARY, n)] for name, n in {"one": 1, "short": 7, "middle": 24, "long": 300}.items()}


def load(folder, config=None):
    more = {"config": config} if config is not None else {}
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **more).eval()


def sensitivity(folder, moves, ids):
    """Every field named in `moves`, and the base of the rotation, must move the logits."""
    reference = load(folder)
    before = logits_of(reference, ids)
    moves = {k: v for k, v in moves.items() if v is not None or k == "clip_qkv"}
    parameters = getattr(reference.config, "rope_parameters", None)
    if parameters:
        moves["rope_parameters"] = {**parameters, "rope_theta": parameters["rope_theta"] * 3}
    for field, value in moves.items():
        altered = AutoConfig.from_pretrained(folder)
        setattr(altered, field, value)
        moved = float(np.abs(logits_of(load(folder, altered), ids) - before).max())
        if moved < LEAST_MOVE:
            raise SystemExit(f"{folder.name}: {field} moves the logits by {moved:.4f} only")


def config_v4(config):
    """The same configuration with the field names of transformers 4, which left out that word embeddings are tied where that is the default."""
    out = {k: v for k, v in config.items() if k not in ("rope_parameters", "dtype")}
    parameters = config.get("rope_parameters")
    if parameters:
        out["rope_theta"] = parameters["rope_theta"]
        out["rope_scaling"] = None
        if parameters["rope_type"] != "default":
            out["rope_scaling"] = {"type" if k == "rope_type" else k: v for k, v in parameters.items() if k != "rope_theta"}
        if "partial_rotary_factor" in parameters:
            out["partial_rotary_factor"] = parameters["partial_rotary_factor"]
    if out["tie_word_embeddings"] and AutoConfig.for_model(config["model_type"]).tie_word_embeddings:
        del out["tie_word_embeddings"]
    out["torch_dtype"] = config["dtype"]
    out["transformers_version"] = "4.56.0"
    return dict(sorted(out.items()))


def make(name):
    model_type, fields, moves, *more = {**MODELS, **REFUSED}[name]
    options = more[0] if more else {}
    config = AutoConfig.for_model(model_type, **{**COMMON, **fields})
    seed = sum(map(ord, name.split("-sharded")[0].split("-bf16")[0].split("-f16")[0]))
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    folder = HERE / name
    texts = sequences(seed)
    for attempt in range(50):
        randomise(model, seed + 1000 * attempt)
        if min(greedy(model, texts["short"])[1]) >= LEAST_GAP:
            break
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    model.to(getattr(torch, options.get("dtype", "float32")))
    model.save_pretrained(folder, max_shard_size=options.get("shard", "10MB"))
    (folder / "generation_config.json").unlink(missing_ok=True)
    written = json.loads((folder / "config.json").read_text())
    (folder / "config_v4.json").write_text(json.dumps(config_v4(written), indent=2) + "\n")
    sensitivity(folder, moves, texts["middle"])
    reference = load(folder)
    logits, argmax = {}, {}
    for text, ids in texts.items():
        rows = logits_of(reference, ids)
        positions = list(range(len(ids))) if text == "short" else [len(ids) - 1]
        logits[text] = {"positions": positions, "values": [six(rows[p]) for p in positions]}
        if text != "long":
            argmax[text] = [int(t) for t in rows.argmax(-1)]
    tokens, gaps = greedy(reference, texts["short"])
    expected = {
        "oracle": f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}; float32",
        "sequences": texts, "logits": logits, "argmax": argmax, "greedy": tokens, "greedy_gap": six(gaps),
    }
    (folder / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name}: attempt {attempt}, {size / 1e6:.2f} MB, least gap {min(gaps):.3f}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    for chosen in sys.argv[1:] or MODELS:
        make(chosen)
