#!/usr/bin/env python3
"""Writes dequant.json: random blocks of every tensor type and their values according to the Python package `gguf`.

usage: python3 dequant.py > dequant.json        needs: pip install gguf numpy
"""
import json
import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

SCALES = {"Q4_1": [0, 2], "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q6_K": [208]}
rng = np.random.default_rng(1)
cases = []
for name in "F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4".split():
    values, size = GGML_QUANT_SIZES[T[name]]
    blocks = 64 if values == 1 else (2 if values == 32 else 1)
    data = rng.integers(0, 256, blocks * size, dtype=np.uint8)
    for b in range(blocks):
        if name == "F16":
            data[b * size : b * size + 2] = np.frombuffer(np.float16(rng.normal()).tobytes(), np.uint8)
        elif name == "BF16":
            data[b * size + 1] = 0x3E
        elif name == "MXFP4":
            data[b * size] = 118 + b
        else:
            for at in SCALES.get(name, [0]):
                data[b * size + at : b * size + at + 2] = np.frombuffer(np.float16(rng.normal() / 10).tobytes(), np.uint8)
    out = dequantize(data.reshape(1, -1), T[name]).reshape(-1).astype(np.float32)
    cases.append({"type": name, "bytes": data.tolist(), "values": [float(v) for v in out]})
print(json.dumps(cases))
