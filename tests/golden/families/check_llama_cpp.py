#!/usr/bin/env python3
"""Second opinion: loads every GGUF file here in llama.cpp and compares its logits with expected.json.

usage: OMP_NUM_THREADS=1 python3 check_llama_cpp.py [MODEL ...]        needs: pip install llama-cpp-python==0.3.36 numpy

llama.cpp quantises activations to int8 for the quantised types, so their tolerance is wide; F32, F16 and BF16 files are tight.
It does not apply the sliding window of phi3, so phi3 is compared on sequences within the window.
"""

import ctypes
import json
import sys
from pathlib import Path

import llama_cpp
import numpy as np

HERE = Path(__file__).parent
TOLERANCE = {"f32": 2e-3, "f16": 3e-2, "bf16": 1e-1}
# llama.cpp reads gelu from a table of half-precision values.
GELU_TOLERANCE = 1e-2
QUANTISED_MEAN = 0.25
WITHIN_WINDOW_ONLY = {"phi3": 8}


def silent(level, text, data):
    return None


def without_extra_buffers(defaults=llama_cpp.llama_cpp.llama_model_default_params):
    """Repacked weights may take llama.cpp's AMX path, which stops with an illegal instruction on some virtual machines."""
    parameters = defaults()
    parameters.use_extra_bufts = False
    return parameters


llama_cpp.llama_cpp.llama_model_default_params = without_extra_buffers
LOG = llama_cpp.llama_log_callback(silent)


def logits(model, ids):
    model.eval(ids)
    return np.array(model.scores[: len(ids)], dtype=np.float32)


def check(path, expected, most):
    worst, means = 0.0, []
    for name, stored in expected["logits"].items():
        ids = SEQUENCES[name]
        if most and len(ids) > most:
            continue
        context = 4352 if len(ids) > 4000 else 512 if len(ids) > 256 else 256
        model = llama_cpp.Llama(
            model_path=str(path), n_ctx=context, n_batch=context, n_ubatch=context, n_threads=1, n_threads_batch=1, logits_all=True,
            type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32, flash_attn=False, verbose=False,
        )
        got = logits(model, ids)[stored["positions"]]
        model.close()
        difference = np.abs(got - np.array(stored["values"], dtype=np.float32))
        worst = max(worst, float(difference.max()))
        means.append(float(difference.mean()))
    return worst, float(np.mean(means))


def main(names):
    global SEQUENCES
    llama_cpp.llama_log_set(LOG, ctypes.c_void_p(0))
    failed = 0
    for folder in sorted(f.parent for f in HERE.glob("*/expected.json")):
        if names and folder.name not in names:
            continue
        golden = json.loads((folder / "expected.json").read_text())
        SEQUENCES = golden["sequences"]
        for file, expected in golden["files"].items():
            if not file.endswith(".gguf"):
                continue
            expected = golden["files"][expected["same_as"]] if "same_as" in expected else expected
            kind = file.removesuffix(".gguf").split("-", 1)[1]
            worst, mean = check(folder / file, expected, WITHIN_WINDOW_ONLY.get(folder.name))
            tolerance = TOLERANCE.get(kind)
            if tolerance and folder.name.startswith("gemma"):
                tolerance = max(tolerance, GELU_TOLERANCE)
            good = worst <= tolerance if tolerance else mean <= QUANTISED_MEAN
            failed += not good
            print(f"{'ok  ' if good else 'FAIL'} {folder.name}/{file}: max {worst:.6f}, mean {mean:.6f}", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
