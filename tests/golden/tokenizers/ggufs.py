#!/usr/bin/env python3
"""Makes small GGUF files whose vocabularies need rules the two test models do not, and the token ids llama.cpp gives for the texts of texts.py.

usage: python3 ggufs.py
needs: pip install gguf==0.19.0 sentencepiece==0.2.3 protobuf llama-cpp-python==0.3.36

unigram_nfkc.gguf        SentencePiece unigram with its NFKC rules (`precompiled_charsmap`), spaces merged and one added in front, as T5 has it
unigram_identity.gguf    the same algorithm without rules, spaces as they are
pieces_phi3.gguf         SentencePiece BPE under the name of Phi-3, whose tokens take the white space behind them
byte_level.gguf          bytes and pairs of bytes, which show how a text is split; its `tokenizer.ggml.pre` is replaced by the names of `pre`
gguf_expected.json       `files`, for each of the first three: ids (`plain`), and ids with control tokens in the text recognised (`special`), without a begin
                         or end token. `pre`: ids of the fourth by splitting rule; where a text gets the same ids by `gpt-2` they are stored there only

Training is repeatable; the files are made again each time.
"""

import io
import json
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto

from texts import SCRIPTS, TEXTS

HERE = Path(__file__).parent
CORPUS = [(HERE.parent / "perplexity" / "text.txt").read_text(encoding="utf-8"), *SCRIPTS[:40]]
EXTRA = ["<think>", "<|user|>\n hi <|end|>  there", "a  b   c ", "  x", "<|end|>\n\n<s> y</s> z", "½ ﬁ ① Ａ　Ｂ \u00a0c", "\u1100\u1161 e\u0301 ㍿", "<unk>", "<|end|>", "\t tab\n line"]


# Splitting rules by the names of GGUF files; the first is the one the others are compared with.
PRE = """
gpt-2 phi-2 mpt olmo jais trillion granite-docling a.x-4.0 exaone4 mellum gigachat default smollm starcoder refact command-r codeshell exaone minerva-7b mellum2
llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral lfm2 midm-2.0 smaug-bpe dbrx glm4 chatglm-bpe qwen2 deepseek-r1-qwen megrez stablelm2 hunyuan kormo
f2llmv2 solar-open grok-2 qwen35 tekken gpt-4o llama4 kanana2 talkie minimax-m2 deepseek-coder deepseek-llm deepseek-v3 hunyuan-dense joyai-llm hy_v4 falcon
poro-chat bloom gpt3-finnish viking bailingmoe bailingmoe2 llada-moe seed-coder exaone-moe minicpm5
""".split()


def trained(kind, **options):
    lines = [line for text in CORPUS for line in text.splitlines() if line.strip()]
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, model_type=kind, character_coverage=0.98, num_threads=1, minloglevel=2,
        **options,
    )
    model = proto.ModelProto()
    model.ParseFromString(out.getvalue())
    return model


def write(name, model, tokenizer, title, **flags):
    path = HERE / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, "t5" if tokenizer == "t5" else "llama")
    writer.add_name(title)
    writer.add_tokenizer_model(tokenizer)
    writer.add_token_list([p.piece for p in model.pieces])
    writer.add_token_scores([p.score for p in model.pieces])
    kinds = {p.NORMAL: 1, p.UNKNOWN: 2, p.CONTROL: 3, p.USER_DEFINED: 4, p.UNUSED: 5, p.BYTE: 6} if (p := proto.ModelProto.SentencePiece) else {}
    writer.add_token_types([kinds[p.type] for p in model.pieces])
    spec = model.trainer_spec
    for add, number in ((writer.add_bos_token_id, spec.bos_id), (writer.add_eos_token_id, spec.eos_id), (writer.add_unk_token_id, spec.unk_id), (writer.add_pad_token_id, spec.pad_id)):
        if number >= 0:
            add(number)
    writer.add_add_space_prefix(flags["prefix"])
    writer.add_remove_extra_whitespaces(flags["merge"])
    if model.normalizer_spec.precompiled_charsmap:
        writer.add_precompiled_charsmap(model.normalizer_spec.precompiled_charsmap)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def alphabet():
    """GPT-2's characters for bytes."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = {b: 0x100 + n for n, b in enumerate(b for b in range(256) if b not in kept)}
    return [chr(moved.get(b, b)) for b in range(256)]


def byte_level(pre, path):
    """Bytes, and a token for every two that stand side by side in a text: where a word ends, the two beside the end are not joined."""
    characters = alphabet()
    pairs = sorted({pair for text in TEXTS + EXTRA for pair in zip(text.encode(), text.encode()[1:])})
    merges = [(characters[a], characters[b]) for a, b in pairs]
    control = ["<|endoftext|>", "<|im_end|>"]
    pieces = control + characters + [a + b for a, b in merges]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(pieces)
    writer.add_token_types([3 if piece in control else 1 for piece in pieces])
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def by_rule():
    """Names with the same ids share a row."""
    rows = {}
    byte_level("gpt-2", HERE / "byte_level.gguf")
    with tempfile.TemporaryDirectory() as folder:
        for pre in PRE:
            found = ids(byte_level(pre, Path(folder) / "model.gguf"))["plain"]
            base = rows["gpt-2"]["ids"] if rows else None
            different = found if base is None else {str(i): a for i, (a, b) in enumerate(zip(found, base)) if a != b}
            same = next((row for row in rows.values() if row["ids"] == different), None)
            if same:
                same["names"].append(pre)
            else:
                rows[pre] = {"names": [pre], "ids": different}
    return list(rows.values())


def ids(path):
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    texts = TEXTS + EXTRA
    return {key: [model.tokenize(text.encode(), add_bos=False, special=special) for text in texts] for key, special in (("plain", False), ("special", True))}


def main():
    t5 = {"vocab_size": 600, "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    # Not `<|end|>`: a text that ends a turn becomes a control token in llama.cpp, and its unigram finds it in plain text nevertheless.
    t5["user_defined_symbols"] = ["<think>", "<|user|>"]
    nfkc = trained("unigram", normalization_rule_name="nmt_nfkc", hard_vocab_limit=False, **t5)
    identity = trained("unigram", normalization_rule_name="identity", remove_extra_whitespaces=False, hard_vocab_limit=False, **t5)
    pieces = trained("bpe", vocab_size=800, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, unk_id=0, bos_id=1, eos_id=2,
                     user_defined_symbols=["<think>", "<|user|>", "<|end|>", "<|endoftext|>"])
    files = {
        "unigram_nfkc": write("unigram_nfkc", nfkc, "t5", "unigram", prefix=True, merge=True),
        "unigram_identity": write("unigram_identity", identity, "t5", "unigram", prefix=False, merge=False),
        "pieces_phi3": write("pieces_phi3", pieces, "llama", "Tiny Phi-3", prefix=True, merge=False),
    }
    out = {"pre": by_rule(), "oracle": f"llama.cpp (llama-cpp-python {llama_cpp.__version__})", "extra": EXTRA, "files": {}}
    for name, path in files.items():
        out["files"][name] = ids(path)
        # What is the same both ways is stored once.
        row = out["files"][name]
        row["special"] = {str(i): b for i, (a, b) in enumerate(zip(row["plain"], row["special"])) if a != b}
        print(f"{name}: {path.stat().st_size} bytes, {sum(map(len, row['plain']))} ids", file=sys.stderr)
    (HERE / "gguf_expected.json").write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
