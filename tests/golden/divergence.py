"""What SciPy makes of rows of logits: the Kullback-Leibler divergence of one softmax from another.

In: `families/llama/expected.json`, logits of one set of weights in several number formats by transformers in float32. Out: `divergence.json` with
`rows`, made-up pairs of logits, and `files`, the divergence of each format from the float32 weights at every position of a short text.
`scipy.special.rel_entr` has the terms of the sum, `scipy.special.log_softmax` the normalisation; both in float64.

    python tests/golden/divergence.py        (needs scipy)
"""

import json
import pathlib

import numpy as np
import scipy
from scipy.special import log_softmax, rel_entr

HERE = pathlib.Path(__file__).parent
BASE = "safetensors"
SEQUENCE = "short"


def kl(p, q):
    """KL(softmax p || softmax q) in nats."""
    p, q = (np.exp(log_softmax(np.asarray(x, dtype=np.float64))) for x in (p, q))
    return float(rel_entr(p, q).sum())


def rows():
    """Pairs that are far apart, close, peaked, flat, long; values are float32, as an engine has them."""
    rng = np.random.default_rng(20)
    out = []
    for size, scale, noise in [(2, 1, 1), (5, 4, 2), (17, 0.1, 0.05), (64, 8, 0.01), (64, 30, 5), (257, 3, 0.3), (1000, 6, 1e-3), (1000, 2, 4)]:
        p = rng.normal(0, scale, size).astype(np.float32)
        q = (p + rng.normal(0, noise, size)).astype(np.float32)
        target = int(rng.integers(size))
        out.append({
            "p": [float(x) for x in p],
            "q": [float(x) for x in q],
            "target": target,
            "kl": kl(p, q),
            "same_top1": bool(np.argmax(p) == np.argmax(q)),
            "target_p": float(log_softmax(p.astype(np.float64))[target]),
            "target_q": float(log_softmax(q.astype(np.float64))[target]),
        })
    return out


def files():
    """Every format against the float32 weights."""
    expected = json.loads((HERE / "families/llama/expected.json").read_text())
    base = expected["files"][BASE]["logits"][SEQUENCE]
    out = {}
    for name, found in expected["files"].items():
        if "logits" not in found or name == BASE:
            continue
        other = found["logits"][SEQUENCE]
        assert base["positions"] == other["positions"]
        pairs = list(zip(base["values"], other["values"]))
        out[name] = {
            "kl": [kl(p, q) for p, q in pairs],
            "same_top1": [bool(np.argmax(p) == np.argmax(q)) for p, q in pairs],
        }
    return {"ids": expected["sequences"][SEQUENCE], "positions": base["positions"], "files": out}


whole = {"oracle": f"scipy {scipy.__version__}, numpy {np.__version__}", "rows": rows(), "models": files()}
(HERE / "divergence.json").write_text(json.dumps(whole, separators=(",", ":")) + "\n")
