"""Makes two sample files as lm-evaluation-harness writes them, and what a comparison of them must give.

In: `arc_easy_5shot_100.jsonl` and `*_arc_easy_f32.json` beside this file (log-likelihoods of the reference in float32).
Out: `samples_arc_easy_<model>.jsonl` and `compare.json`. Every expected value comes from SciPy or statsmodels, or, where neither has the
method, from its definition by numerical optimisation, never from evalh.

    python tests/golden/compare.py        (needs scipy and statsmodels)
"""

import hashlib
import json
import math
import pathlib

import numpy as np
import scipy
import statsmodels
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

HERE = pathlib.Path(__file__).parent
MODELS = ["smollm2-135m-instruct-q4_1", "gemma-3-270m-q4_k_m"]
LEVEL = 0.95


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def documents():
    """Context, choices and label of each document."""
    docs = {}
    for line in (HERE / "arc_easy_5shot_100.jsonl").read_text().splitlines():
        row = json.loads(line)
        doc = docs.setdefault(row["doc_id"], {"context": row["context"], "label": row["label"], "choices": []})
        assert row["idx"] == len(doc["choices"])
        doc["choices"].append(row["continuation"].lstrip(" "))
    return docs


def samples(model, docs):
    """One record a document. `acc` takes the likeliest choice, `acc_norm` the likeliest by character, `gold_logprob` is that of the target."""
    likelihoods = {}
    for doc_id, idx, _, logprob, greedy in json.loads((HERE / f"{model}_arc_easy_f32.json").read_text()):
        likelihoods.setdefault(doc_id, {})[idx] = (logprob, greedy)
    rows = []
    for doc_id, doc in docs.items():
        found = [likelihoods[doc_id][i] for i in range(len(doc["choices"]))]
        logprobs = np.array([f[0] for f in found])
        lengths = np.array([len(c) for c in doc["choices"]], dtype=float)
        rows.append(
            {
                "doc_id": doc_id,
                "target": str(doc["label"]),
                "resps": [[list(f)] for f in found],
                "filtered_resps": [list(f) for f in found],
                "filter": "none",
                "metrics": ["acc", "acc_norm", "gold_logprob"],
                "doc_hash": sha(json.dumps(doc, sort_keys=True)),
                "prompt_hash": sha(doc["context"]),
                "target_hash": sha(str(doc["label"])),
                "acc": 1.0 if int(np.argmax(logprobs)) == doc["label"] else 0.0,
                "acc_norm": 1.0 if int(np.argmax(logprobs / lengths)) == doc["label"] else 0.0,
                "gold_logprob": float(logprobs[doc["label"]]),
            }
        )
    return rows


def tango(b, c, n):
    """Tango's interval from its definition: the nuisance parameter is found by maximising the likelihood, the limits by root finding."""
    z = stats.norm.ppf(0.5 + LEVEL / 2)

    def score(delta):
        def slope(q):
            # d/dq of b ln(q + delta) + c ln(q) + (n - b - c) ln(1 - 2q - delta)
            return (b / (q + delta) if b else 0.0) + (c / q if c else 0.0) - 2 * (n - b - c) / (1 - 2 * q - delta)

        low, high = max(0.0, -delta) + 1e-14, (1 - delta) / 2 - 1e-14
        q = optimize.brentq(slope, low, high, xtol=1e-16, rtol=1e-15)
        return (b - c - n * delta) / math.sqrt(n * (2 * q + delta * (1 - delta)))

    point = (b - c) / n
    lower = optimize.brentq(lambda d: score(d) - z, -0.999, point, xtol=1e-14)
    upper = optimize.brentq(lambda d: score(d) + z, point, 0.999, xtol=1e-14)
    return point, lower, upper


def effect(d):
    """Cohen's dz with the interval that inverts the noncentral t."""
    n = len(d)
    t = d.mean() / (d.std(ddof=1) / math.sqrt(n))
    alpha = (1 - LEVEL) / 2
    find = lambda p: optimize.brentq(lambda nc: stats.nct.cdf(t, n - 1, nc) - p, t - 12, t + 12, xtol=1e-13)
    return {"value": t / math.sqrt(n), "lower": find(1 - alpha) / math.sqrt(n), "upper": find(alpha) / math.sqrt(n)}


def paired_t(a, b):
    test = stats.ttest_rel(a, b)
    lower, upper = DescrStatsW(a - b).tconfint_mean(1 - LEVEL)
    return {"value": float((a - b).mean()), "lower": lower, "upper": upper, "statistic": test.statistic, "df": test.df, "p": test.pvalue}


def pairing(a, b):
    n = len(a)
    paired = (a - b).std(ddof=1) / math.sqrt(n)
    unpaired = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
    return {"se_paired": paired, "se_unpaired": unpaired, "correlation": np.corrcoef(a, b)[0, 1], "saved": (unpaired / paired) ** 2}


def binary(a, b):
    n = len(a)
    table = {
        "both_pass": int(((a == 1) & (b == 1)).sum()),
        "only_a": int(((a == 1) & (b == 0)).sum()),
        "only_b": int(((a == 0) & (b == 1)).sum()),
        "both_fail": int(((a == 0) & (b == 0)).sum()),
    }
    only_a, only_b = table["only_a"], table["only_b"]
    low = min(only_a, only_b)
    exact = mcnemar([[table["both_pass"], only_a], [only_b, table["both_fail"]]], exact=True).pvalue
    point, lower, upper = tango(only_a, only_b, n)

    def wilson(x):
        bounds = proportion_confint(int(x.sum()), n, 1 - LEVEL, method="wilson")
        return {"value": float(x.mean()), "lower": bounds[0], "upper": bounds[1]}

    return {
        "table": table,
        "tango": {"value": point, "lower": lower, "upper": upper},
        "mcnemar_mid_p": 2 * stats.binom.cdf(low, only_a + only_b, 0.5) - stats.binom.pmf(low, only_a + only_b, 0.5),
        "mcnemar_exact": exact,
        "paired_t": paired_t(a, b),
        "effect": effect(a - b),
        "pairing": pairing(a, b),
        "a": wilson(a),
        "b": wilson(b),
    }


def continuous(a, b):
    def mean(x):
        lower, upper = DescrStatsW(x).tconfint_mean(1 - LEVEL)
        return {"value": float(x.mean()), "lower": lower, "upper": upper}

    signed = stats.wilcoxon(a, b, method="exact")
    return {
        "paired_t": paired_t(a, b),
        "wilcoxon_exact": signed.pvalue,
        "effect": effect(a - b),
        "pairing": pairing(a, b),
        "a": mean(a),
        "b": mean(b),
    }


def main():
    docs = documents()
    rows = {model: samples(model, docs) for model in MODELS}
    for model in MODELS:
        lines = [json.dumps(row) for row in rows[model]]
        (HERE / f"samples_arc_easy_{model}.jsonl").write_text("\n".join(lines) + "\n")
    column = lambda model, name: np.array([row[name] for row in rows[model]])
    expected = {
        "produced_by": f"scipy {scipy.__version__}, statsmodels {statsmodels.__version__}; tango and the interval of dz by their definitions",
        "a": MODELS[0],
        "b": MODELS[1],
        "documents": len(docs),
        "acc": binary(*(column(m, "acc") for m in MODELS)),
        "acc_norm": binary(*(column(m, "acc_norm") for m in MODELS)),
        "gold_logprob": continuous(*(column(m, "gold_logprob") for m in MODELS)),
    }
    (HERE / "compare.json").write_text(json.dumps(expected, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
