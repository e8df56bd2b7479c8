use super::*;
use crate::record::{Message, Role};
use crate::tokenizer::Codec as _;

/// Writes GGUF headers without tensors.
#[derive(Default)]
struct Writer {
    keys: u64,
    bytes: Vec<u8>,
}

impl Writer {
    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    fn value(mut self, key: &str, ty: u32, value: &[u8]) -> Self {
        self.keys += 1;
        Self::text(&mut self.bytes, key);
        self.bytes.extend(ty.to_le_bytes());
        self.bytes.extend(value);
        self
    }

    fn string(self, key: &str, text: &str) -> Self {
        let mut value = Vec::new();
        Self::text(&mut value, text);
        self.value(key, 8, &value)
    }

    fn u32(self, key: &str, number: u32) -> Self {
        self.value(key, 4, &number.to_le_bytes())
    }

    fn bool(self, key: &str, truth: bool) -> Self {
        self.value(key, 7, &[u8::from(truth)])
    }

    fn array(self, key: &str, ty: u32, items: &[Vec<u8>]) -> Self {
        let mut value = ty.to_le_bytes().to_vec();
        value.extend((items.len() as u64).to_le_bytes());
        value.extend(items.concat());
        self.value(key, 9, &value)
    }

    fn strings<S: AsRef<str>>(self, key: &str, texts: &[S]) -> Self {
        let items: Vec<Vec<u8>> = texts
            .iter()
            .map(|t| {
                let mut item = Vec::new();
                Self::text(&mut item, t.as_ref());
                item
            })
            .collect();
        self.array(key, 8, &items)
    }

    fn i32s(self, key: &str, numbers: &[i32]) -> Self {
        let items: Vec<Vec<u8>> = numbers.iter().map(|n| n.to_le_bytes().to_vec()).collect();
        self.array(key, 5, &items)
    }

    fn f32s(self, key: &str, numbers: &[f32]) -> Self {
        let items: Vec<Vec<u8>> = numbers.iter().map(|n| n.to_le_bytes().to_vec()).collect();
        self.array(key, 6, &items)
    }

    fn build(self) -> Result<ModelTokenizer, TokenizerError> {
        let mut file = b"GGUF".to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
        file.extend(self.keys.to_le_bytes());
        file.extend(&self.bytes);
        file.resize(file.len().next_multiple_of(32), 0);
        let header = GgufHeader::parse(&file).unwrap();
        ModelTokenizer::from_gguf(&header, &file, None, Timestamp::UNIX_EPOCH)
    }

    fn error(self) -> String {
        self.build().unwrap_err().to_string()
    }
}

const EXTRA: [(&str, i32); 6] = [
    ("he", 1),
    ("Ġhe", 1),
    ("<bos>", 3),
    ("<|im_end|>", 3),
    ("<tool>", 4),
    ("[PAD]", 5),
];

fn byte_level_pieces() -> (Vec<String>, Vec<i32>) {
    let mut pieces: Vec<String> = Vec::new();
    let alphabet = ByteAlphabet::new();
    for byte in 0..=255_u8 {
        let found = (0..0x200).rev().filter_map(char::from_u32).find(|c| {
            let bytes = alphabet.read(&c.to_string());
            bytes == [byte]
        });
        pieces.push(found.unwrap().to_string());
    }
    let mut kinds = vec![1; 256];
    for (piece, kind) in EXTRA {
        pieces.push(piece.to_owned());
        kinds.push(kind);
    }
    (pieces, kinds)
}

/// Ids of the pieces after the 256 bytes.
const HE: u32 = 256;
const SPACE_HE: u32 = 257;
const BOS: u32 = 258;
const END: u32 = 259;
const TOOL: u32 = 260;

fn byte_level(pre: &str, merges: &[&str]) -> Writer {
    let (pieces, kinds) = byte_level_pieces();
    Writer::default()
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", pre)
        .strings("tokenizer.ggml.tokens", &pieces)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .strings("tokenizer.ggml.merges", merges)
}

const MERGES: [&str; 2] = ["h e", "Ġ he"];

fn chat() -> ModelTokenizer {
    let template = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content | trim }}<|im_end|>{% endfor %}assistant:";
    byte_level("llama-bpe", &MERGES)
        .u32("tokenizer.ggml.bos_token_id", BOS)
        .u32("tokenizer.ggml.eos_token_id", END)
        .string("tokenizer.chat_template", template)
        .build()
        .unwrap()
}

fn user(content: &str) -> Message {
    Message {
        role: Role::User,
        content: content.to_owned(),
    }
}

fn bytes(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

#[test]
fn bytes_merge_by_rank_and_tokens_are_cut_out_first() {
    let t = chat();
    assert_eq!(t.encode("he he", false).unwrap(), [HE, SPACE_HE]);
    assert_eq!(
        t.encode("é<tool>he", false).unwrap(),
        [0xC3, 0xA9, TOOL, HE]
    );
    assert_eq!(t.encode("<|im_end|>", true).unwrap(), [END]);
    assert_eq!(t.encode("<|im_end|>", false).unwrap(), bytes("<|im_end|>"));
    assert_eq!(t.encode("[PAD]", true).unwrap(), bytes("[PAD]"));
    assert_eq!(
        t.decode(&[BOS, HE, SPACE_HE, TOOL, 0xC3, END, 9999]),
        "he he<tool>\u{fffd}"
    );
    assert_eq!(t.table().piece(END), b"");
    assert_eq!(t.eos_ids(), [END]);
}

#[test]
fn every_text_survives_a_byte_complete_vocabulary() {
    let golden = include_str!("../../tests/golden/pretokenize.json");
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let t = chat();
    for text in golden["texts"].as_array().unwrap() {
        let text = text.as_str().unwrap();
        assert_eq!(t.decode(&t.encode(text, false).unwrap()), text);
    }
}

#[test]
fn bos_comes_once_and_by_the_rule() {
    let t = chat();
    assert!(t.adds_bos());
    assert_eq!(t.raw_prompt("he").unwrap(), [BOS, HE]);
    assert_eq!(t.raw_prompt("<bos>he").unwrap(), [BOS, HE]);
    let prompt = t.prompt(&[user("he")]).unwrap();
    assert_eq!(prompt.text, "<bos>user: he<|im_end|>assistant:");
    assert_eq!(prompt.ids.iter().filter(|&&id| id == BOS).count(), 1);
    let silent = byte_level("llama-bpe", &MERGES)
        .u32("tokenizer.ggml.bos_token_id", BOS)
        .bool("tokenizer.ggml.add_bos_token", false);
    assert_eq!(silent.build().unwrap().raw_prompt("he").unwrap(), [HE]);
    assert!(!byte_level("gpt-2", &MERGES).build().unwrap().adds_bos());
}

#[test]
fn texts_of_messages_never_become_control_tokens() {
    let t = chat();
    let contents = [
        "x <|im_end|> y",
        "<bos>",
        "ends with <|im_",
        "<|im_end|",
        "\u{F0000}<|im_end|>\u{F0001}",
        "<bos><bos>",
    ];
    for content in contents {
        let prompt = t.prompt(&[user(content), user("end|>")]).unwrap();
        assert_eq!(
            prompt.text,
            format!("<bos>user: {content}<|im_end|>user: end|><|im_end|>assistant:")
        );
        let count = |id| prompt.ids.iter().filter(|&&i| i == id).count();
        assert_eq!((count(BOS), count(END)), (1, 2), "{content}");
        // What lies between the template's tokens is encoded as text.
        let first = prompt.ids.iter().position(|&i| i == END).unwrap();
        assert_eq!(
            prompt.ids[1..first],
            t.encode(&format!("user: {content}"), false).unwrap()
        );
    }
}

#[test]
fn contexts_and_continuations() {
    let t = chat();
    let pair = |context, continuation| t.context_and_continuation(context, continuation).unwrap();
    assert_eq!(
        pair("x ", "he"),
        (vec![BOS, u32::from(b'x')], vec![SPACE_HE])
    );
    assert_eq!(pair("x", " he"), pair("x ", "he"));
    assert_eq!(pair("", "he"), (vec![BOS], vec![HE]));
    assert_eq!(pair(" ", "he"), (vec![BOS], vec![SPACE_HE]));
    assert_eq!(
        t.context_and_continuation("x", "").unwrap_err().to_string(),
        "the continuation `` adds no token to its context"
    );
    let eos_only = byte_level("gpt-2", &MERGES).build().unwrap();
    assert_eq!(
        eos_only.context_and_continuation("", "he").unwrap().0,
        [END]
    );
    let plain = eos_only.prompt(&[user("<|im_end|>")]).unwrap();
    assert_eq!(
        (plain.text.as_str(), plain.ids.contains(&END)),
        ("Question: <|im_end|>\nAnswer:", false)
    );
    assert_eq!(
        (eos_only.default_stops().len(), t.default_stops().len()),
        (1, 0)
    );
}

#[test]
fn a_word_that_is_a_token_is_taken_whole_where_the_family_says_so() {
    assert_eq!(
        byte_level("llama-bpe", &[])
            .u32("tokenizer.ggml.bos_token_id", BOS)
            .build()
            .unwrap()
            .encode("he", false)
            .unwrap(),
        [HE]
    );
    assert_eq!(
        byte_level("smaug-bpe", &[])
            .build()
            .unwrap()
            .encode("he", false)
            .unwrap(),
        bytes("he")
    );
}

#[test]
fn digests_follow_the_vocabulary_and_the_rules() {
    let digest = |w: Writer| w.build().unwrap().digest().clone();
    let base = digest(byte_level("gpt-2", &MERGES));
    assert_eq!(base, digest(byte_level("gpt-2", &MERGES)));
    assert_ne!(base, digest(byte_level("smollm", &MERGES)));
    assert_ne!(base, digest(byte_level("gpt-2", &MERGES[..1])));
    assert_ne!(
        base,
        digest(
            byte_level("gpt-2", &MERGES)
                .u32("tokenizer.ggml.bos_token_id", BOS)
                .bool("tokenizer.ggml.add_bos_token", true)
        )
    );
    assert_eq!(
        base,
        digest(byte_level("gpt-2", &MERGES).string("tokenizer.chat_template", "x"))
    );
    assert_eq!(chat().template_digest(), chat().template_digest());
    assert!(
        byte_level("gpt-2", &MERGES)
            .build()
            .unwrap()
            .template_digest()
            .is_none()
    );
}

#[test]
fn hostile_byte_level_vocabularies_are_errors_with_a_place() {
    let e = byte_level("gpt-2", &["he"]).error();
    assert_eq!(
        e,
        "merge 0 is `he` instead of two pieces with a space between them"
    );
    let e = byte_level("gpt-2", &["h e", "a b c"]).error();
    assert_eq!(
        e,
        "merge 1 is `a b c` instead of two pieces with a space between them"
    );
    let e = byte_level("gpt-2", &["h e", "a b"]).error();
    assert_eq!(
        e,
        "merge 1 (`a b`) needs the piece `ab`, which is not an ordinary token of the vocabulary"
    );
    let e = byte_level("gpt-2", &["<bo s>"]).error();
    assert_eq!(
        e,
        "merge 0 (`<bo s>`) needs the piece `<bo`, which is not an ordinary token of the vocabulary"
    );
    let e = byte_level("llama-bpe", &MERGES).error();
    assert_eq!(
        e,
        "every prompt of this model begins with BOS but `tokenizer.ggml.bos_token_id` is missing"
    );
    let e = byte_level("gpt-2", &MERGES)
        .u32("tokenizer.ggml.eot_token_id", 262)
        .error();
    assert_eq!(
        e,
        "`tokenizer.ggml.eot_token_id` is 262 but the vocabulary has 262 tokens"
    );
    let e = Writer::default()
        .string("tokenizer.ggml.model", "bert")
        .error();
    assert_eq!(
        e,
        "`tokenizer.ggml.model` is `bert`, which is not supported; supported are `gpt2`, `llama`, `t5`"
    );
    let e = Writer::default()
        .string("tokenizer.ggml.model", "gpt2")
        .error();
    assert_eq!(e, "metadata key `tokenizer.ggml.tokens` is missing");
}

fn sentence_piece(pieces: &[&str], scores: &[f32], kinds: &[i32]) -> Writer {
    Writer::default()
        .string("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", pieces)
        .f32s("tokenizer.ggml.scores", scores)
        .i32s("tokenizer.ggml.token_type", kinds)
}

/// Three control tokens, bytes 0xC3 and 0xA9 as 3 and 4, then pieces from 5 on.
const PIECES: [&str; 14] = [
    "<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "a", "b", "ab", "ba", "bab", "▁", "▁a", "\n\n",
    "aa",
];
const SCORES: [f32; 14] = [
    0.0, 0.0, 0.0, 0.0, 0.0, -9.0, -9.0, -1.0, -1.0, -3.0, -9.0, -0.5, -1000.0, -0.0,
];
const KINDS: [i32; 14] = [2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1, 1, 4, 1];

#[test]
fn pieces_join_by_score_and_from_the_left() {
    let t = sentence_piece(&PIECES, &SCORES, &KINDS)
        .bool("tokenizer.ggml.add_space_prefix", false)
        .build()
        .unwrap();
    // `ab` and `ba` have one score: the leftmost goes first, then nothing joins.
    assert_eq!(t.encode("abab", false).unwrap(), [7, 7]);
    assert_eq!(t.encode("bab", false).unwrap(), [9]);
    assert_eq!(t.encode("aaa", false).unwrap(), [13, 5]);
    assert_eq!(t.encode("é\n\nz", false).unwrap(), [3, 4, 12, 0]);
    assert_eq!(t.encode("</s>a", true).unwrap(), [2, 5]);
    assert_eq!(t.encode("b a", false).unwrap(), [6, 11]);
    assert_eq!(t.raw_prompt("a").unwrap(), [1, 5]);
    assert_eq!(t.decode(&[1, 3, 4, 11, 12, 2]), "é a\n\n");
    assert_eq!(t.eos_ids(), [2]);
}

#[test]
fn the_added_space_comes_and_goes() {
    let t = sentence_piece(&PIECES, &SCORES, &KINDS).build().unwrap();
    assert_eq!(t.encode("ab", false).unwrap(), [11, 6]);
    assert!(t.encode("", false).unwrap().is_empty());
    assert_eq!(t.encode("a\n\na", false).unwrap(), [11, 12, 11]);
    for text in ["ab", " ab", "é", "b  a"] {
        assert_eq!(t.decode(&t.encode(text, false).unwrap()), text);
    }
}

#[test]
fn hostile_piece_vocabularies_are_errors_with_a_place() {
    let e = sentence_piece(&PIECES, &SCORES[1..], &KINDS).error();
    assert_eq!(
        e,
        "`tokenizer.ggml.scores` has 13 entries but `tokenizer.ggml.tokens` has 14"
    );
    let e = sentence_piece(&PIECES, &SCORES, &KINDS[2..]).error();
    assert_eq!(
        e,
        "`tokenizer.ggml.token_type` has 12 entries but `tokenizer.ggml.tokens` has 14"
    );
    let e = sentence_piece(&["a", "b", "a"], &[0.0; 3], &[1; 3]).error();
    assert_eq!(e, "tokens 0 and 2 are both `a`");
    let e = sentence_piece(&["a", "b"], &[0.0, f32::NAN], &[1; 2]).error();
    assert_eq!(e, "token 1 has the score NaN, which is not a finite number");
    let e = sentence_piece(&["a", "b"], &[0.0; 2], &[1, 7]).error();
    assert_eq!(e, "token 1 has the type 7; types 1 to 6 exist");
    let e = sentence_piece(&["a", "<0xZZ>"], &[0.0; 2], &[1, 6]).error();
    assert_eq!(
        e,
        "token 1 has the type byte but is `<0xZZ>` instead of `<0x00>` to `<0xFF>`"
    );
    let no_bos = |w: Writer| w.bool("tokenizer.ggml.add_bos_token", false);
    let e = no_bos(sentence_piece(&["a", "<0x00>"], &[0.0; 2], &[1, 6])).error();
    assert_eq!(
        e,
        "the vocabulary has neither a token for byte 0x01 nor an unknown token, so not every text can be encoded"
    );
    let long = "x".repeat(70_000);
    let e = sentence_piece(&["a", &long], &[0.0; 2], &[1; 2]).error();
    assert_eq!(e, "token 1 has 70000 bytes, above the limit of 65536 bytes");
}

#[test]
fn lists_and_texts_are_bounded() {
    let many = vec![1; (1 << 20) + 1];
    let e = Writer::default()
        .string("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &["a"])
        .i32s("tokenizer.ggml.token_type", &many)
        .error();
    assert_eq!(
        e,
        "`tokenizer.ggml.token_type` has 1048577 entries, above the limit of 1048576"
    );
    let e = chat()
        .encode(
            &"x".repeat(crate::tokenizer::model::MAX_TEXT_BYTES + 1),
            false,
        )
        .unwrap_err();
    assert_eq!(
        e.to_string(),
        "the text has 67108865 bytes, above the limit of 67108864 bytes"
    );
    let without = sentence_piece(&["a"], &[0.0], &[2])
        .bool("tokenizer.ggml.add_bos_token", false)
        .build()
        .unwrap();
    let e = without.context_and_continuation("", "a").unwrap_err();
    assert_eq!(
        e.to_string(),
        "the context is empty and the vocabulary declares neither BOS nor EOS to stand for it"
    );
    assert_eq!(
        without.prompt(&[]).unwrap_err().to_string(),
        "the conversation has no messages"
    );
}

#[test]
fn endings_are_declared_ids_and_known_texts() {
    let ends = |pieces: &[&str], kinds: &[i32]| {
        let scores = vec![0.0; pieces.len()];
        let writer =
            sentence_piece(pieces, &scores, kinds).bool("tokenizer.ggml.add_bos_token", false);
        writer
            .u32("tokenizer.ggml.eom_token_id", 1)
            .build()
            .unwrap()
            .eos_ids()
            .to_vec()
    };
    assert_eq!(
        ends(&["<unk>", "a", "</s>", "<|im_end|>"], &[2, 1, 4, 1]),
        [1, 3]
    );
    assert_eq!(
        ends(&["<unk>", "a", "</s>", "<|im_end|>"], &[2, 1, 3, 3]),
        [1, 2, 3]
    );
    assert_eq!(
        ends(
            &["<unk>", "a", "<|end|>", "<|return|>", "<|call|>"],
            &[2, 1, 3, 3, 3]
        ),
        [1, 3, 4]
    );
    assert_eq!(
        ends(&["<unk>", "a", "</s>", "<|tool_response>"], &[2, 1, 3, 3]),
        [1, 3]
    );
}

#[test]
fn an_ending_of_the_wrong_type_is_control() {
    let t = sentence_piece(&["<unk>", "a", "<|im_end|>"], &[0.0; 3], &[2, 1, 1]);
    let t = t
        .bool("tokenizer.ggml.add_bos_token", false)
        .bool("tokenizer.ggml.add_space_prefix", false)
        .build()
        .unwrap();
    assert_eq!(t.encode("a<|im_end|>", true).unwrap(), [1, 2]);
    assert_eq!(t.decode(&[1, 2]), "a");
}

fn unigram(pieces: &[&str], kinds: &[i32]) -> Writer {
    let scores: Vec<f32> = (0..pieces.len()).map(|i| -(i as f32)).collect();
    Writer::default()
        .string("tokenizer.ggml.model", "t5")
        .strings("tokenizer.ggml.tokens", pieces)
        .f32s("tokenizer.ggml.scores", &scores)
        .i32s("tokenizer.ggml.token_type", kinds)
}

#[test]
fn a_unigram_vocabulary_gives_the_best_sum_and_merges_what_it_does_not_know() {
    let t = unigram(
        &["<pad>", "</s>", "<unk>", "a", "b", "ab", "▁"],
        &[3, 3, 2, 1, 1, 1, 1],
    );
    let t = t.build().unwrap();
    // `ab` costs 5, `a` and `b` together 7.
    assert_eq!(t.encode("ab a", false).unwrap(), [5, 6, 3]);
    assert_eq!(t.encode("axyb", false).unwrap(), [3, 2, 4]);
    assert_eq!(t.encode("</s>", true).unwrap(), [1]);
    assert_eq!(t.encode("</s>", false).unwrap(), [2]);
    assert!(t.encode("", true).unwrap().is_empty());
    assert_eq!(t.decode(&[5, 6, 3, 1]), "ab a");
    assert_eq!(t.eos_ids(), [1]);
}

#[test]
fn hostile_unigram_vocabularies_are_errors() {
    let e = unigram(&["<pad>", "a"], &[3, 1]).error();
    assert_eq!(
        e,
        "the vocabulary has no unknown token, so not every text can be encoded"
    );
    let whole = || unigram(&["<pad>", "</s>", "<unk>"], &[3, 3, 2]);
    let key = "tokenizer.ggml.precompiled_charsmap";
    assert_eq!(
        whole().i32s(key, &[1, 300]).error(),
        "`tokenizer.ggml.precompiled_charsmap` cannot be used: it holds numbers that are no bytes"
    );
    assert_eq!(
        whole().i32s(key, &[1, -1]).error(),
        "`tokenizer.ggml.precompiled_charsmap` cannot be used: it is shorter than 4 bytes"
    );
    let long = vec![0; (1 << 23) + 1];
    assert_eq!(
        whole().i32s(key, &long).error(),
        "`tokenizer.ggml.precompiled_charsmap` has 8388609 entries, above the limit of 8388608"
    );
}
