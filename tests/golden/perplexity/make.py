#!/usr/bin/env python3
"""Log-likelihood of text.txt under the two test models, by transformers in float32 on the weights dequantised from their GGUF files.

usage: OMP_NUM_THREADS=1 python3 make.py FOLDER      the folder holds the two .gguf files
needs: pip install transformers==5.23.0 torch==2.15.0 gguf==0.19.0 accelerate==1.15.0 llama-cpp-python==0.3.36 numpy

Writes {model}.json: token ids (llama.cpp's tokenizer, with the begin token where the file asks for it) and, for each plan, its windows.
A window is [prefix, from, to, score_from, sum]: the model reads the prefix tokens and then ids[from..to]; the tokens ids[score_from..to]
are scored, each from what stands before it in the window; `sum` is the sum of their natural log-probabilities.

* disjoint: windows of 512 tokens, one after the other; the first token of each is not scored.
* strided: windows of 512 tokens, 256 apart; each scores the tokens that no earlier window has scored.
* rolling: every token of the text is scored once; the first window starts with the begin token, each later one with as many tokens of the
  text before it as fit; the model reads at most 512 tokens and predicts at most 512. This is the plan of lm-evaluation-harness.
* begin: each window is the begin token and the next 511 tokens, all of which are scored.
"""

import json
import sys
from pathlib import Path

import llama_cpp
import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
LENGTH, STRIDE = 512, 256
MODELS = ["smollm2-135m-instruct-q4_1", "gemma-3-270m-q4_k_m"]


def tokens(path, text):
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    adds = model.metadata.get("tokenizer.ggml.add_bos_token", "false") == "true"
    return model.tokenize(text, add_bos=adds, special=False), adds, model.token_bos()


def plans(n, adds, begin):
    """Windows without their sums. `n` counts the begin token of the text, if it has one."""
    first = 1 if adds else 0
    out = {"disjoint": [[[], at, min(at + LENGTH, n), at + 1] for at in range(0, n, LENGTH) if min(at + LENGTH, n) > at + 1]}
    strided, done = [], 1
    for at in range(0, n, STRIDE):
        end = min(at + LENGTH, n)
        strided.append([[], at, end, done])
        done = end
        if end == n:
            break
    out["strided"] = strided
    rolling, done = [], first
    while done < n:
        count = min(LENGTH, n - done)
        start = max(done + count - LENGTH - 1, 0 if adds else -1)
        # The model reads one token less than the window holds: the last one is only predicted.
        rolling.append([[begin] if start < 0 else [], max(start, 0), done + count, done])
        done += count
    out["rolling"] = rolling
    out["begin"] = [[[begin], at, min(at + LENGTH - 1, n), at] for at in range(first, n, LENGTH - 1)]
    return out


def score(model, ids, window):
    prefix, start, end, scored = window
    with torch.no_grad():
        read = torch.tensor([prefix + ids[start:end]])
        logits = model(input_ids=read[:, :-1], use_cache=False).logits[0]
        at = len(prefix) + scored - start
        rows = torch.log_softmax(logits[at - 1 :].double(), -1)
        return float(rows.gather(-1, read[0, at:, None]).sum())


def check(model, golden):
    """The loaded weights reproduce the stored log-probabilities."""
    worst = 0.0
    for prompt in golden["prompts"]:
        ids = torch.tensor([prompt["input_ids"]])
        with torch.no_grad():
            rows = torch.log_softmax(model(input_ids=ids).logits[0].double(), -1)
        got = rows[:-1].gather(-1, ids[0, 1:, None])[:, 0].numpy()
        worst = max(worst, float(np.abs(got - np.array(prompt["token_logprobs"])).max()))
    if worst > 2e-3:
        raise SystemExit(f"the loaded weights are off by {worst}")
    return worst


def make(folder, name):
    text = (HERE / "text.txt").read_bytes()
    ids, adds, begin = tokens(folder / f"{name}.gguf", text)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=f"{name}.gguf", dtype=torch.float32, attn_implementation="eager").eval()
    worst = check(model, json.loads((HERE.parent / f"{name}.json").read_text()))
    print(f"{name}: {len(ids)} tokens, stored log-probabilities within {worst:.6f}", flush=True)
    out = {}
    for plan, windows in plans(len(ids), adds, begin).items():
        sums = [score(model, ids, window) for window in windows]
        count = sum(w[2] - w[3] for w in windows)
        out[plan] = {
            "windows": [[*window, round(s, 4)] for window, s in zip(windows, sums)],
            "scored_tokens": count,
            "sum": round(sum(sums), 4),
            "perplexity": float(f"{np.exp(-sum(sums) / count):.7g}"),
        }
        print(f"  {plan}: {len(windows)} windows, {count} tokens, perplexity {out[plan]['perplexity']}", flush=True)
    golden = {
        "meta": {
            "model_file": f"{name}.gguf",
            "oracle": f"transformers {transformers.__version__} + torch {torch.__version__.split('+')[0]}, float32 weights dequantised from the GGUF file",
            "tokens": f"llama.cpp tokenizer (llama-cpp-python {llama_cpp.__version__})",
            "text_bytes": len(text),
        },
        "ids": ids,
        "plans": out,
    }
    (HERE / f"{name}.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    for chosen in sys.argv[2:] or MODELS:
        make(Path(sys.argv[1]), chosen)
