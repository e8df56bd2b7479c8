#!/usr/bin/env python3
"""Makes the tiny models of every family and what transformers computes with them.

usage: OMP_NUM_THREADS=1 python3 make.py [MODEL ...]      without names: all of them
needs: pip install transformers==5.23.0 torch==2.15.0 gguf==0.19.0 numpy==2.4.6 safetensors==0.8.0
       llama-cpp-python==0.3.36 (for `llama-256` only, whose files llama.cpp quantises)

Each model is a folder: `config.json` as transformers 5 writes it, `config_v4.json` as transformers 4 wrote it, weights as safetensors,
`tokenizer.json`, GGUF files of one type each, and `expected.json`. The weights are random; the ranges are wide enough that every field of
the configuration moves the logits, which `sensitivity` checks before anything is written.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

import gguf_files
import vocabulary

HERE = Path(__file__).parent
GGUF_TYPES = ["f32", "f16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1"]
GREEDY_TOKENS = 16
LEAST_GAP = 0.01
LEAST_MOVE = 0.02

COMMON = {
    "vocab_size": len(vocabulary.TOKENS), "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 64, "hidden_size": 32, "max_position_embeddings": 512, "initializer_range": 0.02,
    "pad_token_id": vocabulary.PAD, "bos_token_id": vocabulary.BEGIN, "eos_token_id": vocabulary.TURN_END,
}
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
LONGROPE = {
    "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75,
    "short_factor": [1.0, 1.1, 1.2, 1.5, 2.0, 2.5], "long_factor": [1.0, 1.5, 2.5, 4.0, 6.0, 9.0],
}


def plain(theta):
    return {"rope_type": "default", "rope_theta": theta}


# name -> (model type, fields that differ from COMMON, options). Options: begin (a text starts with the begin token), dtype, shard, like,
# gguf (types), long (length of a third sequence), moves (alterations of the configuration that must move the logits).
MODELS = {
    "llama": ("llama", {"head_dim": 16, "rope_parameters": plain(10000.0)}, {"begin": True, "gguf": GGUF_TYPES + ["bf16", "mxfp4"]}),
    "llama-bf16": ("llama", {"head_dim": 16, "rope_parameters": plain(10000.0)}, {"begin": True, "gguf": [], "dtype": "bfloat16"}),
    "llama-f16": ("llama", {"head_dim": 16, "rope_parameters": plain(10000.0)}, {"begin": True, "gguf": [], "dtype": "float16"}),
    "llama-sharded": ("llama", {"head_dim": 16, "rope_parameters": plain(10000.0)}, {"begin": True, "gguf": [], "shard": "40KB"}),
    "llama3-scaled": (
        "llama",
        {"head_dim": 16, "rope_parameters": LLAMA3, "max_position_embeddings": 131072, "tie_word_embeddings": True, "rms_norm_eps": 1e-5},
        {"begin": True, "long": 4200},
    ),
    "llama-256": (
        "llama",
        {"num_hidden_layers": 1, "hidden_size": 256, "intermediate_size": 256, "head_dim": 64, "tie_word_embeddings": True,
         "rope_parameters": plain(10000.0)},
        {"begin": True, "gguf": ["q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "q4_k_m", "iq4_nl", "iq4_xs", "iq3_s"]},
    ),
    "mistral": ("mistral", {"head_dim": 16, "sliding_window": None, "rope_parameters": plain(1000000.0)}, {"begin": True}),
    "mistral-window": (
        "mistral", {"head_dim": 16, "sliding_window": 8, "rope_parameters": plain(10000.0)},
        {"begin": True, "gguf": [], "moves": {"sliding_window": None}},
    ),
    "qwen2": ("qwen2", {"hidden_size": 64, "tie_word_embeddings": True, "rope_parameters": plain(1000000.0)}, {}),
    "qwen3": (
        "qwen3", {"head_dim": 32, "tie_word_embeddings": True, "rope_parameters": plain(1000000.0), "max_position_embeddings": 40960},
        {"long": 4200},
    ),
    "gemma2": (
        "gemma2",
        {"num_hidden_layers": 3, "head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 8, "attn_logit_softcapping": 4.0,
         "final_logit_softcapping": 12.0, "tie_word_embeddings": True, "rope_parameters": plain(10000.0)},
        {"begin": True, "moves": {
            "sliding_window": 64, "attn_logit_softcapping": None, "final_logit_softcapping": None, "query_pre_attn_scalar": 16,
            "hidden_activation": "silu", "layer_types": ["full_attention", "sliding_attention", "full_attention"]}},
    ),
    "gemma3": (
        "gemma3_text",
        {"num_hidden_layers": 7, "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 8, "tie_word_embeddings": True,
         "rope_parameters": {"sliding_attention": plain(10000.0),
                             "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0}}},
        {"begin": True, "moves": {
            "sliding_window": 64, "query_pre_attn_scalar": 32, "hidden_activation": "silu",
            "layer_types": ["full_attention"] + ["sliding_attention"] * 6,
            "rope_parameters": {"sliding_attention": plain(10000.0), "full_attention": plain(1000000.0)}}},
    ),
    "phi3": (
        "phi3", {"hidden_size": 64, "sliding_window": 8, "rope_parameters": plain(10000.0), "original_max_position_embeddings": 512},
        {"begin": True, "moves": {"sliding_window": None}},
    ),
    "phi3-longrope": (
        "phi3",
        {"hidden_size": 64, "tie_word_embeddings": True, "rope_parameters": LONGROPE, "max_position_embeddings": 1024,
         "original_max_position_embeddings": 256},
        {"gguf": ["f32", "q8_0"], "long": 300},
    ),
    "smollm3": (
        "smollm3",
        {"num_hidden_layers": 4, "hidden_size": 64, "intermediate_size": 32, "tie_word_embeddings": True, "rope_parameters": plain(50000.0)},
        {"moves": {"no_rope_layers": [1, 1, 1, 1]}},
    ),
    "granite": (
        "granite",
        {"hidden_size": 64, "tie_word_embeddings": True, "embedding_multiplier": 6.0, "logits_scaling": 3.0, "residual_multiplier": 0.4,
         "attention_multiplier": 0.4, "rope_parameters": plain(10000.0)},
        {"moves": {"embedding_multiplier": 1.0, "logits_scaling": 1.0, "residual_multiplier": 1.0, "attention_multiplier": 0.25}},
    ),
    "olmo2": ("olmo2", {"hidden_size": 64, "rope_parameters": plain(500000.0)}, {}),
    "mixtral": (
        "mixtral",
        {"head_dim": 16, "intermediate_size": 32, "num_local_experts": 4, "num_experts_per_tok": 2, "rope_parameters": plain(1000000.0)},
        {"begin": True, "moves": {"num_experts_per_tok": 1}},
    ),
    "qwen3_moe": (
        "qwen3_moe",
        {"head_dim": 16, "moe_intermediate_size": 32, "num_experts": 8, "num_experts_per_tok": 3, "norm_topk_prob": True,
         "rope_parameters": plain(1000000.0)},
        {"moves": {"num_experts_per_tok": 2, "norm_topk_prob": False}},
    ),
}


def randomise(model, seed):
    """Fills the parameters so that attention is peaked, norms and biases matter and no branch vanishes in rounding."""
    rng = np.random.default_rng(seed)
    gemma = model.config.model_type.startswith("gemma")
    for name, parameter in model.named_parameters():
        noise = rng.standard_normal(tuple(parameter.shape)).astype(np.float32)
        if name.endswith("norm.weight"):
            noise = 0.3 * noise + (0.0 if gemma else 1.0)
        elif name.endswith("bias"):
            noise = 0.3 * noise
        elif "embed_tokens" in name:
            # A tied head is the same matrix.
            noise = noise / np.sqrt(parameter.shape[-1]) * (2.0 if model.config.tie_word_embeddings else 1.0)
        else:
            gain = 1.8 if any(part in name for part in ("q_proj", "k_proj", "qkv_proj", "gate.weight", "lm_head")) else 1.0
            noise = noise * gain / np.sqrt(parameter.shape[-1])
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(noise.astype(np.float32)))


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


def sequences(long, seed):
    rng = np.random.default_rng(seed)
    lengths = {"one": 1, "short": 7, "window": 24} | ({"long": long} if long else {})
    first, most = len(vocabulary.CONTROL), len(vocabulary.TOKENS)
    return {name: [int(t) for t in rng.integers(first, most, n)] for name, n in lengths.items()}


def expectation(model, texts, full):
    """Logits at all positions of the reference; elsewhere of `short` and of the last position of the others."""
    logits, argmax = {}, {}
    for name, ids in texts.items():
        rows = logits_of(model, ids)
        n = len(ids)
        positions = [n - 3, n - 2, n - 1] if name == "long" else list(range(n)) if full or name == "short" else [n - 1]
        logits[name] = {"positions": positions, "values": [six(rows[p]) for p in positions]}
        if name != "long":
            argmax[name] = [int(t) for t in rows.argmax(-1)]
    tokens, gaps = greedy(model, texts["short"])
    out = {"logits": logits, "argmax": argmax, "greedy": tokens, "greedy_gap": six(gaps)}
    if hasattr(model.config, "num_experts_per_tok"):
        out["router_gap"] = {name: six(router_gaps(model, ids)) for name, ids in texts.items() if name != "long"}
    return out


def router_gaps(model, ids):
    """For each position the least distance, over the layers, between the router's last chosen logit and the first one left out."""
    gaps, chosen = [], model.config.num_experts_per_tok

    def hook(module, arguments, output):
        ordered = torch.nn.functional.linear(arguments[0].reshape(-1, module.weight.shape[-1]), module.weight).sort(-1, descending=True)[0]
        gaps.append((ordered[:, chosen - 1] - ordered[:, chosen]).numpy())

    hooks = [layer.mlp.gate.register_forward_hook(hook) for layer in model.model.layers]
    logits_of(model, ids)
    for handle in hooks:
        handle.remove()
    return np.min(gaps, axis=0)


def sensitivity(folder, config, texts, moves):
    """Every field named in `moves`, and the base of the rotation, must move the logits."""
    reference = load(folder)
    before = logits_of(reference, texts["window"])
    rope = json.loads(json.dumps(config.rope_parameters))
    base = rope.get("full_attention", rope)
    base["rope_theta"] *= 3
    for field, value in {**moves, "rope_parameters (base)": rope}.items():
        altered = AutoConfig.from_pretrained(folder)
        setattr(altered, field.split(" ")[0], value)
        model = AutoModelForCausalLM.from_pretrained(folder, config=altered, dtype=torch.float32, attn_implementation="eager")
        moved = float(np.abs(logits_of(model, texts["window"]) - before).max())
        if moved < LEAST_MOVE:
            raise SystemExit(f"{folder.name}: {field} moves the logits by {moved:.4f} only")


def config_v4(config):
    """The same configuration with the field names of transformers 4."""
    out = {k: v for k, v in config.items() if k not in ("rope_parameters", "dtype", "layer_types")}
    rope = config["rope_parameters"]
    if "full_attention" in rope:
        out["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        out["sliding_window_pattern"] = 6
        rope = rope["full_attention"]
    out["rope_theta"] = rope["rope_theta"]
    out["rope_scaling"] = None
    if rope["rope_type"] != "default":
        out["rope_scaling"] = {k: v for k, v in rope.items() if k not in ("rope_theta", "partial_rotary_factor")}
    if rope["rope_type"] == "longrope":
        out["rope_scaling"] = {"type" if k == "rope_type" else k: v for k, v in out["rope_scaling"].items()}
        out["rope_scaling"].pop("original_max_position_embeddings", None)
    if "partial_rotary_factor" in rope:
        out["partial_rotary_factor"] = rope["partial_rotary_factor"]
    out["torch_dtype"] = config["dtype"]
    out["transformers_version"] = "4.56.0"
    return dict(sorted(out.items()))


def load(folder, dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()


def states(model):
    return {name: p.detach().numpy().copy() for name, p in model.state_dict().items()}


def quantise_with_llama_cpp(folder, config, state, begin, kinds):
    """K-quants and IQ types; all tensors of one type except in `q4_k_m`, which is llama.cpp's mixture."""
    import ctypes

    import llama_cpp

    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    ids = {"q2_k": 10, "q3_k": 11, "q4_k": 14, "q5_k": 16, "q6_k": 18, "q4_k_m": 15, "iq4_nl": 25, "iq4_xs": 30, "iq3_s": 26}
    with tempfile.TemporaryDirectory() as temporary:
        source = str(Path(temporary) / "f32.gguf")
        gguf_files.write(source, config, state, "f32", begin)
        for kind in kinds:
            parameters = llama_cpp.llama_model_quantize_default_params()
            parameters.nthread, parameters.ftype, parameters.pure = 1, ids[kind], kind != "q4_k_m"
            target = str(folder / f"model-{kind}.gguf")
            if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)) != 0:
                raise SystemExit(f"llama.cpp did not quantise {kind}")


def make(name):
    model_type, fields, options = MODELS[name]
    config = AutoConfig.for_model(model_type, **{**COMMON, **fields})
    seed = sum(map(ord, name.split("-bf16")[0].split("-f16")[0].split("-sharded")[0]))
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    folder = HERE / name
    texts = sequences(options.get("long"), seed)
    for attempt in range(50):
        randomise(model, seed + 1000 * attempt)
        if min(greedy(model, texts["short"])[1]) >= LEAST_GAP:
            break
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    begin = options.get("begin", False)
    kinds = options.get("gguf", GGUF_TYPES)
    model.to(getattr(torch, options.get("dtype", "float32")))
    model.save_pretrained(folder, max_shard_size=options.get("shard", "10MB"))
    written = json.loads((folder / "config.json").read_text())
    (folder / "config_v4.json").write_text(json.dumps(config_v4(written), indent=2) + "\n")
    vocabulary.write(folder, begin)

    reference = load(folder)
    config = reference.config
    sensitivity(folder, config, texts, options.get("moves", {}))
    files = {"safetensors": expectation(reference, texts, True)}
    state = states(reference)
    if name == "llama-256":
        quantise_with_llama_cpp(folder, config, state, begin, kinds)
        for made in [f for f in folder.iterdir() if f.suffix != ".gguf"]:
            made.unlink()
        files = {}
    for kind in kinds:
        path = folder / f"model-{kind}.gguf"
        if name != "llama-256":
            gguf_files.write(str(path), config, state, kind, begin)
        held = gguf_files.read(str(path), config, state)
        if kind == "f32":
            if any(np.abs(held[k] - v).max() > 1e-6 for k, v in state.items() if k in held):
                raise SystemExit(f"{path}: the float32 file does not hold the weights")
            files[path.name] = {"same_as": "safetensors"}
            continue
        if "lm_head.weight" not in held:
            held["lm_head.weight"] = held["model.embed_tokens.weight"]
        quantised = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
        quantised.load_state_dict({k: torch.from_numpy(v) for k, v in held.items()}, strict=True)
        files[path.name] = expectation(quantised, texts, False)
    expected = {
        "oracle": f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}, gguf 0.19.0; float32 on dequantised weights",
        "sequences": texts,
        "files": files,
    }
    (folder / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name}: attempt {attempt}, {len(kinds)} GGUF files, {size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    for chosen in sys.argv[1:] or MODELS:
        make(chosen)
