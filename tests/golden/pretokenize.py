"""Splits difficult texts with the `tokenizers` package (Oniguruma) and the rules of published tokenizer files; writes pretokenize.json.

Needs tokenizers (0.22 or later). Every entry holds the lengths, in characters, of the words of each text.
"""

import json
import random
from pathlib import Path

import tokenizers
from tokenizers import Regex
from tokenizers.pre_tokenizers import Sequence, Split

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT4O = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DEEPSEEK_V3 = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""

RULES = {
    "gpt-2": [GPT2],
    "smollm": [r"\p{N}", GPT2],
    "llama-bpe": [LLAMA3],
    "smaug-bpe": [LLAMA3],
    "qwen2": [QWEN2],
    "deepseek-r1-qwen": [QWEN2],
    "qwen35": [QWEN35],
    "tekken": [TEKKEN],
    "gpt-4o": [GPT4O],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK_V3],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
}

FIXED = [
    "Hello, world!  It's   12345 o'clock; we'LL see.\n\n\n  def f(x):\n\treturn x**2  # done\r\n",
    "naïve café — “quotes” … ½ ² ™ ﬁ Ǆ ǅ ǆ ʰ",
    "日本語のテキストと漢字、カタカナ。한국어 문장입니다. ไทย ລາວ ខ្មែរ မြန်မာ",
    "Привет, КАК дела? Ελληνικά ΣΊΣΥΦΟΣ עברית مرحبا بالعالم १२३ ٤٥٦ नमस्ते বাংলা தமிழ் తెలుగు ქართული Հայերեն አማርኛ",
    "😀👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈 e\u0301 a\u0308\u0323 \u200bzero\u200b \ufeffbom \u00a0nbsp\u00a0\u00a0x\u3000wide\u2028line\u0085next",
    "<|im_start|>user\nhi<|im_end|> </s> [INST] <think>\n\n</think>",
    "a" * 40 + " " * 30 + "b" + "\n" * 7 + "\t" * 5 + "c" + "=" * 20 + "1" * 11,
    "   \n \n\t x\r\r\n y \r z",
    "camelCase PascalCase snake_case kebab-case HTTPServer2Go iPhone15 x=1;y+=2 /* c */ //\n/",
    "",
    " ",
    "\n",
]

ALPHABET = (
    list("abcXYZstvmld") + list("0159") + list("'’.,/-_|<>$+^~`(") + [" "] * 8 + ["\n"] * 3 + ["\r", "\t", "\u00a0", "\u3000"]
    + list("éÉßΣςжЖ漢字かナ한ǅʰªऀन्अ٣५½Ⅷ²") + ["\u0301", "\u0e31", "\u200d", "🙂", "€", "「", "\u200b"]
)


def main():
    rng = random.Random(20261122)
    texts = FIXED + ["".join(rng.choice(ALPHABET) for _ in range(rng.randint(3, 60))) for _ in range(150)]
    words = {}
    for name, rules in RULES.items():
        splitter = Sequence([Split(Regex(rule), "isolated") for rule in rules])
        words[name] = [[len(word) for word, _ in splitter.pre_tokenize_str(text)] for text in texts]
    golden = {"oracle": f"tokenizers {tokenizers.__version__} (Oniguruma)", "texts": texts, "words": words}
    path = Path(__file__).with_name("pretokenize.json")
    path.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
