#!/usr/bin/env python3
"""Makes small `tokenizer.json` files of every kind and the token ids that `tokenizers` and llama.cpp give for the texts of texts.py.

usage: TOKENIZERS_PARALLELISM=false python3 make.py [FOLDER]      the folder holds the two test models; without it llama_cpp.json stays as it is
needs: pip install tokenizers==0.23.3 llama-cpp-python==0.3.36

texts.json      the texts
llama_cpp.json  for each model and each of `plain` and `special` (control tokens in the text are recognised): ids, without a begin token
KIND.json       a tokenizer, trained on texts of this project; made only where it is missing, because training breaks ties at random
expected.json   for each kind: ids without and with the special tokens of its post-processor, the text of the former with and without
                special tokens, and `text`, ids where control tokens written in the text are text: by a copy of the tokenizer without them
"""

import json
import sys
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from texts import SCRIPTS, TEXTS

HERE = Path(__file__).parent
CORPUS = [(HERE.parent / "perplexity" / "text.txt").read_text(encoding="utf-8"), *SCRIPTS * 4]
VOCABULARY = 640
MODELS = ["smollm2-135m-instruct-q4_1", "gemma-3-270m-q4_k_m"]

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def control(*contents, **flags):
    return [AddedToken(c, special=True, normalized=False, **flags) for c in contents]


def begin_with(token, tokenizer, end=None):
    """Puts `token` before a text, and `end` after it."""
    known = [(t, tokenizer.token_to_id(t)) for t in (token, end) if t]
    return processors.TemplateProcessing(single=f"{token} $A" + (f" {end}" if end else ""), pair=f"{token} $A {token} $B", special_tokens=known)


def byte_level(pre_tokenizer, normalizer=None, ignore_merges=False, specials=(), size=VOCABULARY):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(specials), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def regex(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def gpt2():
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), specials=control("<|endoftext|>"))
    tokenizer.add_tokens([AddedToken("Tarnwick", normalized=True), AddedToken("<sep>", lstrip=True), AddedToken("<cut>", rstrip=True), AddedToken("ha", single_word=True)])
    return tokenizer


def gpt2_prefix_space():
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), specials=control("<s>", "</s>", lstrip=True))


def digits():
    split = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return byte_level(split, specials=control("<|endoftext|>", "<|im_start|>", "<|im_end|>"))


def llama3():
    tokenizer = byte_level(regex(LLAMA3), ignore_merges=True, specials=control("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"))
    # Whole words that no merges build: they are found only because merges are ignored for words of the vocabulary.
    parts = json.loads(tokenizer.to_str())
    for word in ["Ġharbourmaster", "ĠDeutsch", "Ġrock", "=" * 80]:
        if word not in parts["model"]["vocab"]:
            parts["model"]["vocab"][word] = len(parts["model"]["vocab"])
    tokenizer = Tokenizer.from_str(json.dumps(parts))
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), begin_with("<|begin_of_text|>", tokenizer)])
    return tokenizer


def qwen2():
    tokenizer = byte_level(regex(QWEN2), normalizers.NFC(), specials=control("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("</tool_call>", normalized=False), AddedToken("<think>", normalized=False)])
    return tokenizer


def tekken():
    tokenizer = byte_level(regex(TEKKEN), ignore_merges=True, specials=control("<unk>", "<s>", "</s>", "[INST]", "[/INST]"))
    tokenizer.post_processor = begin_with("<s>", tokenizer)
    return tokenizer


def punctuation():
    split = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation(behavior="contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Digits(),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"),
    ])
    return byte_level(split, specials=control("<|endoftext|>", ">>TITLE<<"))


def sentencepiece_model(training_split, byte_fallback=True):
    """A BPE model whose pieces hold the lower one eighth block for a space, with 256 byte tokens."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=byte_fallback, fuse_unk=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = training_split
    bytes_ = [f"<0x{b:02X}>" for b in range(256)] if byte_fallback else []
    specials = control("<unk>", "<s>", "</s>")
    corpus = [CORPUS[0], *SCRIPTS[:12]]
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY + 256, special_tokens=specials, limit_alphabet=180, show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    parts = json.loads(tokenizer.to_str())
    # The byte tokens stand after the special tokens, as in published files.
    old = sorted(parts["model"]["vocab"], key=parts["model"]["vocab"].get)
    ordered = [t.content for t in specials] + bytes_ + [t for t in old if t not in {s.content for s in specials}]
    parts["model"]["vocab"] = {token: i for i, token in enumerate(ordered[:VOCABULARY + 256])}
    kept = parts["model"]["vocab"]
    parts["model"]["merges"] = [m for m in parts["model"]["merges"] if m[0] in kept and m[1] in kept and m[0] + m[1] in kept]
    parts["pre_tokenizer"] = None
    return Tokenizer.from_str(json.dumps(parts))


def sentencepiece_decoder(strip):
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if strip else []))


def llama2():
    tokenizer = sentencepiece_model(pre_tokenizers.Metaspace(prepend_scheme="always"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = sentencepiece_decoder(True)
    tokenizer.post_processor = begin_with("<s>", tokenizer)
    return tokenizer


def mistral():
    tokenizer = sentencepiece_model(pre_tokenizers.Metaspace(prepend_scheme="always"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    tokenizer.decoder = sentencepiece_decoder(True)
    tokenizer.post_processor = begin_with("<s>", tokenizer)
    tokenizer.add_special_tokens(control("[INST]", "[/INST]"))
    return tokenizer


def gemma():
    tokenizer = sentencepiece_model(pre_tokenizers.Metaspace(prepend_scheme="never"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = sentencepiece_decoder(False)
    tokenizer.add_tokens([AddedToken("\n" * n, normalized=False) for n in (2, 3)] + [AddedToken("▁" * n, normalized=False) for n in (2, 3, 4)])
    tokenizer.add_special_tokens(control("<bos>", "<start_of_turn>", "<end_of_turn>"))
    tokenizer.post_processor = begin_with("<bos>", tokenizer)
    return tokenizer


def unigram(byte_fallback=False):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always", split=True)
    bytes_ = [f"<0x{b:02X}>" for b in range(256)] if byte_fallback else []
    names = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=VOCABULARY, special_tokens=[*control(*names)], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator([CORPUS[0], *SCRIPTS[:30]], trainer)
    if byte_fallback:
        parts = json.loads(tokenizer.to_str())
        parts["model"]["vocab"][3:3] = [[b, 0.0] for b in bytes_]
        parts["model"]["byte_fallback"] = True
        tokenizer = Tokenizer.from_str(json.dumps(parts))
        tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always", split=True)])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))])
    return tokenizer


def unigram_bytes():
    return unigram(byte_fallback=True)


def lowercase():
    """Normalizers that change the text: NFD, accents removed, lower case, ends stripped."""
    steps = [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()]
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.Sequence(steps), specials=control("<|endoftext|>"))


KINDS = [gpt2, gpt2_prefix_space, digits, llama3, qwen2, tekken, punctuation, llama2, mistral, gemma, unigram, unigram_bytes, lowercase]


def with_llama_cpp(folder):
    import llama_cpp

    out = {"oracle": f"llama.cpp (llama-cpp-python {llama_cpp.__version__})"}
    for name in MODELS:
        model = llama_cpp.Llama(str(folder / f"{name}.gguf"), vocab_only=True, verbose=False)
        out[name] = {
            key: [model.tokenize(text.encode(), add_bos=False, special=special) for text in TEXTS] for key, special in (("plain", False), ("special", True))
        }
    write("llama_cpp.json", out)


def without_control(path):
    """The tokenizer with all special tokens taken out, and ids as before: an empty piece is part of no text."""
    parts = json.loads(path.read_text(encoding="utf-8"))
    special = {t["content"]: t["id"] for t in parts["added_tokens"] if t["special"]}
    parts["added_tokens"] = [t for t in parts["added_tokens"] if not t["special"]]
    parts["post_processor"] = None
    model = parts["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [["" if piece in special else piece, score] for piece, score in model["vocab"]]
    tokenizer = Tokenizer.from_str(json.dumps(parts))
    for token in parts["added_tokens"]:
        if tokenizer.token_to_id(token["content"]) != token["id"]:
            raise SystemExit(f"{path.name}: {token['content']} has another id without the special tokens")
    return tokenizer


def write(name, content):
    (HERE / name).write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def main():
    write("texts.json", TEXTS)
    if len(sys.argv) > 1:
        with_llama_cpp(Path(sys.argv[1]))
    expected = {}
    for kind in KINDS:
        name = kind.__name__
        path = HERE / f"{name}.json"
        if not path.exists():
            path.write_text(kind().to_str(pretty=False) + "\n", encoding="utf-8")
        tokenizer = Tokenizer.from_file(str(path))
        plain = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
        without = without_control(path)
        expected[name] = {
            "plain": plain,
            "text": [without.encode(text, add_special_tokens=False).ids for text in TEXTS],
            "special": [tokenizer.encode(text, add_special_tokens=True).ids for text in TEXTS[:20]],
            "decoded": [tokenizer.decode(ids, skip_special_tokens=False) for ids in plain],
            "decoded_without_special": [tokenizer.decode(ids, skip_special_tokens=True) for ids in plain],
        }
        expected[name]["text"] = {str(i): b for i, (a, b) in enumerate(zip(plain, expected[name]["text"])) if a != b}
        # What is the same both ways is stored once.
        pairs = zip(expected[name]["decoded"], expected[name]["decoded_without_special"])
        expected[name]["decoded_without_special"] = {str(i): b for i, (a, b) in enumerate(pairs) if a != b}
        print(f"{name}: {tokenizer.get_vocab_size()} tokens, {sum(map(len, plain))} ids", flush=True)
    write("expected.json", {"oracle": f"tokenizers {tokenizers.__version__}", "kinds": expected})


if __name__ == "__main__":
    main()
