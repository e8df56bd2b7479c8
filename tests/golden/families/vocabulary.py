"""The tokenizer of every tiny model here: byte-level BPE over the printable ASCII characters, tab and newline, with 25 merges and 6 control tokens; 128 tokens.

Characters outside ASCII have no token. `tokenizers` gives them nothing; the tests of these models use ASCII only.
"""

import json
from pathlib import Path

CONTROL = ["<unk>", "<s>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "</s>"]
PAD, BEGIN, END, _, TURN_END = range(5)  # llama.cpp opens a phi3 file only if it has `</s>` too
SPACE, NEWLINE, TAB = "Ġ", "Ċ", "ĉ"
MERGES = [
    (SPACE, "t"), ("h", "e"), ("i", "n"), (SPACE, "a"), ("r", "e"), ("o", "n"), (SPACE + "t", "he"), ("e", "r"), (SPACE, "s"),
    ("a", "t"), (SPACE, "o"), ("n", "d"), (SPACE, "w"), ("e", "s"), (SPACE, "c"), ("i", "s"), ("o", "r"), (SPACE, "b"),
    ("in", "g"), (SPACE + "a", "nd"), ("e", "n"), ("o", "u"), (SPACE, SPACE), (SPACE + SPACE, SPACE + SPACE), ("1", "2"),
]
CHARACTERS = [SPACE] + [chr(c) for c in range(0x21, 0x7F)] + [NEWLINE, TAB]
TOKENS = CONTROL + CHARACTERS + [a + b for a, b in MERGES]
assert len(TOKENS) == len(set(TOKENS)) == 128
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def tokenizer_json(begin):
    """The file `tokenizer.json`; with `begin`, a text starts with the begin token."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
    post = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": CONTROL[BEGIN], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {CONTROL[BEGIN]: {"id": CONTROL[BEGIN], "ids": [BEGIN], "tokens": [CONTROL[BEGIN]]}},
    }
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": token, **flags} for i, token in enumerate(CONTROL)],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": post if begin else byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(TOKENS)},
            "merges": [list(pair) for pair in MERGES],
        },
    }


def write(folder: Path, begin):
    """Writes `tokenizer.json` and `tokenizer_config.json` into a model's folder."""
    config = {
        "add_bos_token": begin,
        "bos_token": CONTROL[BEGIN],
        "eos_token": CONTROL[TURN_END],
        "pad_token": CONTROL[PAD],
        "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(begin), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
