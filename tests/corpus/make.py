#!/usr/bin/env python3
"""Writes the corpus of hostile files beside this script: each is small and has one thing wrong that has broken readers before.

The files are committed; run this again only to add one. tests/it/hostile_corpus.rs replays all of them and holds what each leads to.
"""
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def write(kind, name, data):
    folder = HERE / kind
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


# --- GGUF ---------------------------------------------------------------------------------------------------------------------------------
def text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(raw)) + raw


def key(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


def u32(name, value):
    return key(name, 4, struct.pack("<I", value))


def string(name, value):
    return key(name, 8, text(value))


def array(name, kind, items):
    return key(name, 9, struct.pack("<IQ", kind, len(items)) + b"".join(items))


def tensor(name, dims, kind=0, offset=0):
    return text(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims) + struct.pack("<IQ", kind, offset)


def gguf(keys, tensors, data=64, version=3, counts=None, align=32):
    n_tensors, n_keys = counts or (len(tensors), len(keys))
    out = b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_keys) + b"".join(keys) + b"".join(tensors)
    out += b"\0" * (-len(out) % align)
    return out + b"\0" * data


W = tensor("w", [4, 4])
write("gguf", "empty.gguf", b"")
write("gguf", "magic-only.gguf", b"GGUF")
write("gguf", "big-endian.gguf", b"GGUF" + struct.pack(">IQQ", 3, 0, 0))
write("gguf", "version-1.gguf", gguf([], [], version=1))
write("gguf", "tensor-count-max.gguf", gguf([], [], counts=(2**64 - 1, 0)))
write("gguf", "key-count-max.gguf", gguf([], [], counts=(0, 2**63)))
write("gguf", "key-length-max.gguf", b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**64 - 1) + b"x" * 64)
write("gguf", "string-length-wraps.gguf", gguf([text("k") + struct.pack("<IQ", 8, 2**64 - 8)], []))
write("gguf", "array-count-wraps.gguf", gguf([text("k") + struct.pack("<IIQ", 9, 10, 2**61)], []))
write("gguf", "array-of-strings-max.gguf", gguf([text("k") + struct.pack("<IIQ", 9, 8, 2**62)], []))
write("gguf", "arrays-nested-deep.gguf", gguf([text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 1000], []))
write("gguf", "arrays-nested-empty.gguf", gguf([text("k") + struct.pack("<IIQ", 9, 9, 2**40)], []))
write("gguf", "value-type-99.gguf", gguf([key("k", 99, b"")], []))
write("gguf", "key-twice.gguf", gguf([u32("k", 1), u32("k", 2)], []))
write("gguf", "key-not-utf8.gguf", gguf([key(b"\xff\xfe", 4, b"\0\0\0\0")], []))
write("gguf", "alignment-zero.gguf", gguf([u32("general.alignment", 0)], [W]))
write("gguf", "alignment-three.gguf", gguf([u32("general.alignment", 3)], [W]))
write("gguf", "alignment-2-31.gguf", gguf([u32("general.alignment", 2**31)], [W]))
write("gguf", "alignment-text.gguf", gguf([string("general.alignment", "32")], [W]))
write("gguf", "no-dimensions.gguf", gguf([], [tensor("w", [])]))
write("gguf", "five-dimensions.gguf", gguf([], [tensor("w", [1] * 5)]))
write("gguf", "dimension-zero.gguf", gguf([], [tensor("w", [4, 0])]))
write("gguf", "dimensions-wrap.gguf", gguf([], [tensor("w", [2**42 + 1, 2**22])]))
write("gguf", "dimensions-wrap-to-zero.gguf", gguf([], [tensor("w", [2**32, 2**32])]))
write("gguf", "bytes-wrap.gguf", gguf([], [tensor("w", [2**62])]))
write("gguf", "half-a-block.gguf", gguf([], [tensor("w", [33], kind=2)]))
write("gguf", "tensor-type-unknown.gguf", gguf([], [tensor("w", [4], kind=4)]))
write("gguf", "offset-wraps.gguf", gguf([], [tensor("w", [4], offset=2**64 - 32)]))
write("gguf", "offset-odd.gguf", gguf([], [tensor("w", [4], offset=1)]))
write("gguf", "offset-outside.gguf", gguf([], [tensor("w", [4], offset=4096)]))
write("gguf", "tensors-overlap.gguf", gguf([], [tensor("a", [16]), tensor("b", [4], offset=32)]))
write("gguf", "tensor-twice.gguf", gguf([], [tensor("a", [4]), tensor("a", [4], offset=32)]))
write("gguf", "name-control-characters.gguf", gguf([], [tensor("\x1b]0;owned\x07", [4], kind=99)]))

LLAMA = [
    string("general.architecture", "llama"), u32("llama.block_count", 2), u32("llama.embedding_length", 8),
    u32("llama.feed_forward_length", 16), u32("llama.context_length", 512), u32("llama.attention.head_count", 2),
]


def model(keys):
    names = {k[8:8 + struct.unpack("<Q", k[:8])[0]] for k in keys}
    kept = [k for k in LLAMA if k[8:8 + struct.unpack("<Q", k[:8])[0]] not in names]
    return gguf(kept + keys, [tensor("token_embd.weight", [8, 3])], data=96)


def pieces(*items):
    return array("tokenizer.ggml.tokens", 8, [text(i) for i in items])


def types(count):
    return array("tokenizer.ggml.token_type", 5, [struct.pack("<i", 1)] * count)


GPT = [string("tokenizer.ggml.model", "gpt2"), string("tokenizer.ggml.pre", "llama-bpe"), pieces("a", "b", "ab"), types(3)]
write("gguf", "heads-zero.gguf", model([u32("llama.attention.head_count", 0)]))
write("gguf", "layers-max.gguf", model([u32("llama.block_count", 2**32 - 1)]))
write("gguf", "heads-do-not-divide.gguf", model([u32("llama.attention.head_count", 3)]))
write("gguf", "heads-per-layer-too-many.gguf", model([array("llama.attention.head_count_kv", 4, [struct.pack("<I", 1)] * 9)]))
write("gguf", "heads-per-layer-strings.gguf", model([array("llama.attention.head_count_kv", 8, [text("1")] * 2)]))
write("gguf", "context-text.gguf", model([string("llama.context_length", "512")]))
write("gguf", "tokenizer-absent.gguf", model([]))
write("gguf", "tokenizer-unknown.gguf", model([string("tokenizer.ggml.model", "rwkv")]))
write("gguf", "pre-unknown.gguf", model([string("tokenizer.ggml.model", "gpt2"), string("tokenizer.ggml.pre", "llama-bqe"), pieces("a"), types(1)]))
write("gguf", "tokens-are-numbers.gguf", model(GPT[:2] + [array("tokenizer.ggml.tokens", 4, [b"\0\0\0\0"])]))
write("gguf", "tokens-empty.gguf", model(GPT[:2] + [pieces(), types(0)]))
write("gguf", "tokens-twice.gguf", model(GPT[:2] + [pieces("a", "a"), types(2), array("tokenizer.ggml.merges", 8, [])]))
write("gguf", "token-not-utf8.gguf", model(GPT[:2] + [array("tokenizer.ggml.tokens", 8, [text(b"\xff")])]))
write("gguf", "types-too-few.gguf", model(GPT[:3] + [types(1)]))
write("gguf", "merge-of-unknown.gguf", model(GPT + [array("tokenizer.ggml.merges", 8, [text("a c")])]))
write("gguf", "merge-of-one.gguf", model(GPT + [array("tokenizer.ggml.merges", 8, [text("ab")])]))
write("gguf", "merge-of-nothing.gguf", model(GPT + [array("tokenizer.ggml.merges", 8, [text(" ")])]))
write("gguf", "eos-outside.gguf", model(GPT + [array("tokenizer.ggml.merges", 8, [text("a b")]), u32("tokenizer.ggml.eos_token_id", 9)]))
write("gguf", "type-99.gguf", model(GPT[:3] + [array("tokenizer.ggml.token_type", 5, [struct.pack("<i", 99)] * 3)]))
write("gguf", "score-nan.gguf", model([
    string("tokenizer.ggml.model", "llama"), pieces("<unk>", "a", "b"), types(3), array("tokenizer.ggml.scores", 6, [struct.pack("<f", float("nan"))] * 3)]))
write("gguf", "template-nested.gguf", model(GPT + [
    array("tokenizer.ggml.merges", 8, [text("a b")]), u32("tokenizer.ggml.eos_token_id", 1),
    string("tokenizer.chat_template", "{% if true %}" * 3000 + "{% endif %}" * 3000)]))


# --- safetensors --------------------------------------------------------------------------------------------------------------------------
def safetensors(header, data=0, length=None):
    raw = header if isinstance(header, bytes) else (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + b"\0" * data


def w(dtype="F32", shape=(2,), begin=0, end=8):
    return {"w": {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}}


S = "safetensors"
write(S, "empty.safetensors", b"")
write(S, "length-max.safetensors", safetensors("{}", length=2**64 - 1))
write(S, "length-wraps.safetensors", safetensors("{}", length=2**64 - 8))
write(S, "length-outside.safetensors", safetensors("{}", length=3))
write(S, "length-zero.safetensors", safetensors("", length=0))
write(S, "no-tensors.safetensors", safetensors("{}"))
write(S, "not-json.safetensors", safetensors("{'w'}"))
write(S, "not-utf8.safetensors", safetensors(b'{"\xff":1}'))
write(S, "not-an-object.safetensors", safetensors("[1]"))
write(S, "nested-deep.safetensors", safetensors('{"w":' + "[" * 5000 + "]" * 5000 + "}"))
write(S, "metadata-nested.safetensors", safetensors('{"__metadata__":{"a":{"b":1}}}'))
write(S, "name-twice.safetensors", safetensors('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', 2))
write(S, "field-unknown.safetensors", safetensors('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}}', 1))
write(S, "field-missing.safetensors", safetensors('{"w":{"dtype":"U8","shape":[1]}}', 1))
write(S, "type-unknown.safetensors", safetensors(w("F8"), 8))
write(S, "dimension-negative.safetensors", safetensors(w(shape=(-2,)), 8))
write(S, "dimension-float.safetensors", safetensors('{"w":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', 1))
write(S, "dimension-above-64-bits.safetensors", safetensors('{"w":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]}}', 1))
write(S, "dimensions-wrap.safetensors", safetensors(w(shape=(2**32, 2**32), end=0)))
write(S, "dimensions-many.safetensors", safetensors(w(shape=[1] * 1000, end=4), 4))
write(S, "offsets-reversed.safetensors", safetensors(w(begin=8, end=0), 8))
write(S, "offsets-wrap.safetensors", safetensors(w(begin=2**64 - 8, end=2**64 - 1), 8))
write(S, "offsets-outside.safetensors", safetensors(w(begin=0, end=16, shape=(4,)), 8))
write(S, "size-differs.safetensors", safetensors(w(end=7), 7))
write(S, "hole-at-the-start.safetensors", safetensors(w(begin=4, end=12), 12))
write(S, "hole-at-the-end.safetensors", safetensors(w(), 9))
write(S, "overlap.safetensors", safetensors({**w(), "v": w(begin=4, end=12)["w"]}, 12))
write(S, "good.safetensors", safetensors({"__metadata__": {"format": "pt"}, **w()}, 8))
I = "index"
write(I, "empty.json", b"")
write(I, "no-map.json", '{"metadata":{}}')
write(I, "map-empty.json", '{"weight_map":{}}')
write(I, "map-of-numbers.json", '{"weight_map":{"a":1}}')
write(I, "tensor-twice.json", '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}')
write(I, "parent-folder.json", '{"weight_map":{"a":"../x.safetensors"}}')
write(I, "absolute.json", '{"weight_map":{"a":"/etc/x.safetensors"}}')
write(I, "backslash.json", '{"weight_map":{"a":"..\\\\x.safetensors"}}')
write(I, "control-character.json", '{"weight_map":{"a":"x\\u001b[2J.safetensors"}}')
write(I, "pickle.json", '{"weight_map":{"a":"pytorch_model.bin"}}')
write(I, "good.json", '{"metadata":{"total_size":8},"weight_map":{"w":"x.safetensors"}}')


# --- tokenizer.json -----------------------------------------------------------------------------------------------------------------------
def tokenizer(**changes):
    base = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "?": 2}, "unk_token": "?"},
    }
    return json.dumps({**base, **changes})


def bpe(**changes):
    return {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]], **changes}


T = "tokenizer"
write(T, "good.json", tokenizer())
write(T, "empty.json", b"")
write(T, "nested-deep.json", "[" * 5000 + "]" * 5000)
write(T, "fixed-length-zero.json", tokenizer(pre_tokenizer={"type": "FixedLength", "length": 0}))
write(T, "padding-huge.json", tokenizer(padding={
    "strategy": {"Fixed": 2**40}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "a"}))
write(T, "padding-multiple-zero.json", tokenizer(padding={
    "strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": 0, "pad_id": 0, "pad_type_id": 0, "pad_token": "a"}))
write(T, "truncation-stride.json", tokenizer(truncation={"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 1}))
write(T, "truncation-zero.json", tokenizer(truncation={"direction": "Left", "max_length": 0, "strategy": "OnlyFirst", "stride": 9}))
write(T, "strip-beyond.json", tokenizer(decoder={"type": "Strip", "content": "a", "start": 9, "stop": 9}))
write(T, "template-token-missing.json", tokenizer(post_processor={
    "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}], "pair": [], "special_tokens": {}}))
write(T, "merge-of-unknown.json", tokenizer(model=bpe(merges=[["a", "c"]])))
write(T, "merge-to-unknown.json", tokenizer(model=bpe(merges=[["b", "a"]])))
write(T, "merge-prefix-longer.json", tokenizer(model=bpe(continuing_subword_prefix="##########")))
write(T, "unigram-without-unknown.json", tokenizer(model={"type": "Unigram", "unk_id": 9, "vocab": [["a", 0.0]]}))
write(T, "unigram-empty.json", tokenizer(model={"type": "Unigram", "unk_id": None, "vocab": []}))
write(T, "charsmap-broken.json", tokenizer(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}))
write(T, "regex-broken.json", tokenizer(pre_tokenizer={"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}))
write(T, "regex-huge.json", tokenizer(pre_tokenizer={"type": "Split", "pattern": {"Regex": "(((a{999}){999}){999})"}, "behavior": "Isolated", "invert": False}))
write(T, "regex-backtracks.json", tokenizer(pre_tokenizer={"type": "Split", "pattern": {"Regex": "(?=(a|a)*$)((a|aa)+)+\\1$"}, "behavior": "Isolated", "invert": False}))
write(T, "ids-far-apart.json", tokenizer(model={"type": "WordLevel", "vocab": {"a": 4294967295, "?": 0}, "unk_token": "?"}))
write(T, "added-token-empty.json", tokenizer(added_tokens=[
    {"id": 7, "content": "", "single_word": False, "lstrip": True, "rstrip": True, "normalized": True, "special": True}]))

# --- templates ----------------------------------------------------------------------------------------------------------------------------
J = "template"
write(J, "good.jinja", "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")
write(J, "nested-ifs.jinja", "{% if true %}" * 5000 + "{% endif %}" * 5000)
write(J, "nested-brackets.jinja", "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}")
write(J, "nested-lists.jinja", "{{ " + "[" * 3000 + "]" * 3000 + " }}")
write(J, "recursive-macro.jinja", "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}")
write(J, "two-macros.jinja", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}")
write(J, "endless-loop.jinja", "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")
write(J, "range-huge.jinja", "{{ range(1000000000) | length }}")
write(J, "repeat-huge.jinja", "{{ 'x' * 1000000000 }}")
write(J, "flood.jinja", "{% set s = 'x' * 1000000 %}{% for i in range(999) %}{{ s }}{% endfor %}")
write(J, "attribute-escape.jinja", "{{ ''.__class__.__mro__[1].__subclasses__() }}")
write(J, "globals-escape.jinja", "{{ cycler.__init__.__globals__.os.popen('id').read() }}")
write(J, "include.jinja", "{% include '/etc/passwd' %}")
write(J, "extends.jinja", "{% extends 'base' %}")
write(J, "division-by-zero.jinja", "{{ 1 // 0 }}{{ 1 % 0 }}")
write(J, "integer-overflow.jinja", "{{ 9223372036854775807 * 9223372036854775807 * 9223372036854775807 * 9223372036854775807 }}")
write(J, "power-huge.jinja", "{{ 10 ** 100000 }}")
write(J, "refusal.jinja", "{{ raise_exception('no \x1b[31m system') }}")
write(J, "unclosed.jinja", "{% for m in messages %}{{ m.content")
write(J, "format-of-time.jinja", "{{ strftime_now('%' * 1000) }}")
write(J, "indent-huge.jinja", "{{ messages | tojson(indent=1000000000) }}")
