//! Damaged model files: thousands of them, always the same ones. Each is refused with a message or read as what it is.
//!
//! The slowest file of each kind is printed; no test depends on a time.

use crate::mutation::{Edit, damaged, damaged_at_the_ends};
use crate::real_models::{MODELS, model_file};
use crate::tiny_gguf::tiny_gguf;
use crate::tiny_safetensors::{TOKENIZER, sharded, varied};
use evalh::clock::Timestamp;
use evalh::memory;
use evalh::modelfile::{GgufHeader, SafetensorsHeader, SafetensorsIndex, SafetensorsSet};
use evalh::record::{Message, Role};
use evalh::tokenizer::{ChatTemplate, Codec as _, ModelTokenizer, TokenizerFile, Variables};
use proptest::collection::vec;
use proptest::prelude::*;
use rayon::prelude::*;
use std::time::Duration;

/// What became of many files.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    read: u32,
    refused: u32,
    slowest: Duration,
    slowest_seed: u64,
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        let slower = if other.slowest > self.slowest {
            other
        } else {
            self
        };
        Self {
            read: self.read + other.read,
            refused: self.refused + other.refused,
            slowest: slower.slowest,
            slowest_seed: slower.slowest_seed,
        }
    }
}

/// Tries `count` files; `try_one` gives the message of a refusal.
fn tally(what: &str, count: u64, try_one: impl Fn(u64) -> Result<(), String> + Sync) -> Tally {
    let total = (0..count)
        .into_par_iter()
        .map(|seed| {
            let begun = evalh::clock::now();
            let result = try_one(seed);
            if let Err(message) = &result {
                assert!(
                    !message.is_empty() && message.len() < 100_000,
                    "seed {seed}"
                );
            }
            Tally {
                read: u32::from(result.is_ok()),
                refused: u32::from(result.is_err()),
                slowest: begun.elapsed(),
                slowest_seed: seed,
            }
        })
        .reduce(Tally::default, Tally::plus);
    println!("{what}: {total:?}");
    total
}

fn hello() -> Vec<Message> {
    vec![Message {
        role: Role::User,
        content: "What is 2 + 2? <end> ünï 漢".to_owned(),
    }]
}

/// Reads a GGUF header; what was accepted has to be true of the file.
fn read_gguf(head: &[u8], total: u64) -> Result<GgufHeader, String> {
    let header = GgufHeader::parse_head(head, total).map_err(|e| e.to_string())?;
    let mut spans: Vec<(u64, u64)> = header
        .tensors
        .values()
        .map(|t| (t.offset, t.offset.checked_add(t.bytes).unwrap()))
        .collect();
    spans.sort_unstable();
    assert!(spans.windows(2).all(|w| w[0].1 <= w[1].0));
    assert!(spans.iter().all(|s| s.1 <= total && s.0 < s.1));
    for tensor in header.tensors.values() {
        assert_eq!(
            tensor
                .ty
                .bytes(tensor.columns() as u64, tensor.rows() as u64),
            Some(tensor.bytes)
        );
    }
    let shape = memory::shape(&header, head).map_err(|e| e.to_string())?;
    assert!(memory::estimate(&shape, 4096, 512, 4).total().get() > 0);
    Ok(header)
}

/// Everything that is done with a GGUF file before its weights are touched.
fn open_gguf(file: &[u8]) -> Result<(), String> {
    let header = read_gguf(file, file.len() as u64)?;
    let tokenizer = ModelTokenizer::from_gguf(&header, file, None, Timestamp::UNIX_EPOCH)
        .map_err(|e| e.to_string())?;
    for special in [true, false] {
        let ids = tokenizer.encode("hi there <end> \u{1F642}", special);
        tokenizer.decode(&ids.map_err(|e| e.to_string())?);
    }
    tokenizer.decode(&[0, 1, u32::MAX]);
    tokenizer
        .prompt(&hello())
        .map(|_| ())
        .map_err(|e| e.to_string())
}

fn open_safetensors(file: &[u8]) -> Result<(), String> {
    let total = file.len() as u64;
    let header = SafetensorsHeader::parse(file, total).map_err(|e| e.to_string())?;
    assert!(header.tensor_bytes() < total);
    for (name, tensor) in &header.tensors {
        assert!(tensor.offset + tensor.bytes <= total);
        let counted = tensor.shape.iter().product::<u64>();
        assert_eq!(
            (tensor.elements(), tensor.bytes),
            (counted, counted * tensor.dtype.bytes())
        );
        if let Some(info) = tensor.info(name) {
            assert_eq!(info.elements(), counted);
        }
    }
    Ok(())
}

fn open_tokenizer(json: &[u8]) -> Result<(), String> {
    let tokenizer = TokenizerFile::parse(json).map_err(|e| e.to_string())?;
    let ids = tokenizer
        .encode("a b c x hello ünï 漢 \u{1F642}\n")
        .map_err(|e| e.to_string())?;
    tokenizer
        .decode(&ids)
        .map(|_| ())
        .map_err(|e| e.to_string())
}

fn render(source: &str) -> Result<(), String> {
    let variables = Variables {
        bos_token: Some("<s>".to_owned()),
        ..Variables::default()
    };
    let template =
        ChatTemplate::new(source, variables, Timestamp::UNIX_EPOCH).map_err(|e| e.to_string())?;
    let text = template.render(&hello()).map_err(|e| e.to_string())?;
    assert!(text.len() <= 64 << 20);
    Ok(())
}

/// Five thousand headers of the two real models, half of them damaged where the structure is, half anywhere.
#[test]
fn damaged_headers_of_the_real_models_are_refused_or_read() {
    for name in MODELS {
        let Some(path) = model_file(name) else { return };
        let file = std::fs::read(&path).unwrap();
        let total = file.len() as u64;
        let header = GgufHeader::parse(&file).unwrap();
        let data = header.tensors.values().map(|t| t.offset).min().unwrap();
        let head = &file[..data as usize];
        // The header alone says the same as the file.
        assert_eq!(GgufHeader::parse_head(head, total).unwrap(), header);
        let tally = tally(&format!("headers of {name}"), 2_600, |seed| {
            let bytes = if seed % 2 == 0 {
                damaged_at_the_ends(head, 20_000, seed)
            } else {
                damaged(head, seed)
            };
            read_gguf(&bytes, total - head.len() as u64 + bytes.len() as u64).map(|_| ())
        });
        assert_eq!(tally.read + tally.refused, 2_600);
        assert!(tally.refused > 1_000, "{tally:?}");
    }
}

#[test]
fn damaged_gguf_files_are_refused_or_opened() {
    let file =
        tiny_gguf("{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}");
    open_gguf(&file).unwrap();
    let tally = tally("tiny GGUF files", 5_000, |seed| {
        open_gguf(&damaged(&file, seed))
    });
    assert!(tally.refused > 1_000 && tally.read > 100, "{tally:?}");
}

#[test]
fn damaged_safetensors_files_are_refused_or_read() {
    let file = varied();
    open_safetensors(&file).unwrap();
    let header = file.len() - 232;
    let tally = tally("safetensors files", 5_000, |seed| {
        // The data has no structure; damage belongs into the header.
        let bytes = damaged(&file[..header], seed);
        open_safetensors(&[bytes.as_slice(), &file[header..]].concat())
    });
    assert!(tally.refused > 1_000, "{tally:?}");
}

#[test]
fn damaged_sets_are_refused_or_read() {
    let files = sharded();
    let content = |name: &str| &files.iter().find(|(n, _)| *n == name).unwrap().1;
    let (config, index) = (
        content("config.json"),
        content("model.safetensors.index.json"),
    );
    let headers = || {
        [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
        ]
        .map(|n| {
            let bytes = content(n);
            let header = SafetensorsHeader::parse(bytes, bytes.len() as u64).unwrap();
            (n.to_owned(), header)
        })
    };
    let open = |config: &[u8], index: &[u8]| {
        let index = SafetensorsIndex::parse(index).map_err(|e| e.to_string())?;
        let plain = |f: &String| !f.contains(['/', '\\']) && !f.starts_with('.');
        assert!(index.files().iter().all(plain));
        let set = SafetensorsSet::join(&index, headers().to_vec(), "".as_ref())
            .map_err(|e| e.to_string())?;
        let shape = memory::shape_from_config(config, &set).map_err(|e| e.to_string())?;
        memory::estimate(&shape, 4096, 512, 4);
        Ok(())
    };
    open(config, index).unwrap();
    let tally = tally("indexes and configurations", 5_000, |seed| match seed % 2 {
        0 => open(&damaged(config, seed), index),
        _ => open(config, &damaged(index, seed)),
    });
    assert!(tally.refused > 1_000 && tally.read > 100, "{tally:?}");
}

/// A byte-pair tokenizer with most of what a file can name.
const BYTE_PAIRS: &str = r#"{"version":"1.0","truncation":{"direction":"Right","max_length":4,"strategy":"LongestFirst","stride":0},
"padding":{"strategy":{"Fixed":8},"direction":"Right","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,"pad_token":"a"},
"added_tokens":[{"id":9,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"String":" "},"content":"_"},{"type":"Prepend","prepend":"_"}]},
"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{L}+|\\d{1,3}"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false},{"type":"FixedLength","length":5}]},
"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[9],"tokens":["<s>"]}}},
"decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Strip","content":"_","start":1,"stop":1},{"type":"Fuse"}]},
"model":{"type":"BPE","dropout":null,"unk_token":"?","continuing_subword_prefix":"","end_of_word_suffix":"","fuse_unk":false,"byte_fallback":true,"ignore_merges":false,
"vocab":{"a":0,"b":1,"c":2,"ab":3,"abc":4,"?":5,"h":6,"e":7,"he":8,"<s>":9},"merges":[["a","b"],["ab","c"],["h","e"]]}}"#;

const PIECES: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":{"type":"Lowercase"},
"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":true},"post_processor":null,
"decoder":{"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":true},
"model":{"type":"Unigram","unk_id":0,"vocab":[["?",0.0],["_a",-1.5],["b",-2.5],["_",-3.0],["he",-4.0]],"byte_fallback":false}}"#;

#[test]
fn damaged_tokenizer_files_are_refused_or_used() {
    let bases = [TOKENIZER, BYTE_PAIRS, PIECES];
    for base in bases {
        open_tokenizer(base.as_bytes()).unwrap_or_else(|e| panic!("{e}: {base}"));
    }
    let tally = tally("tokenizer files", 6_000, |seed| {
        let base = bases[(seed % 3) as usize];
        open_tokenizer(&damaged(base.as_bytes(), seed))
    });
    assert!(tally.refused > 1_000 && tally.read > 100, "{tally:?}");
}

/// A template with most of what templates use.
const TEMPLATE: &str = "{%- set ns = namespace(n=0) -%}{%- macro say(m, k=3) -%}{{ m.role ~ ': ' ~ m.content.strip()[:40] }}{%- endmacro -%}
{%- for m in messages -%}{%- if m.role == 'user' and loop.index0 >= 0 -%}{{ bos_token }}{{ say(m) | upper }}
{%- elif m.role not in ['assistant', 'system'] -%}{{ raise_exception('no ' + m.role) }}{%- else -%}{{ m | tojson(indent=2) }}{%- endif -%}
{%- set ns.n = ns.n + 10 * 2 -%}{%- if ns.n > 1000 -%}{%- break -%}{%- endif -%}{%- endfor -%}
{%- for i in range(10) -%}{{ i }}{{ 'x' * 20 }}{%- endfor -%}{{ messages[0]['content'].split(' ') | join('-') }}{{ strftime_now('%Y') }}
{%- if add_generation_prompt -%}{% generation %}assistant{% endgeneration %}{%- endif -%}{{ messages[::-1] | length }}";

#[test]
fn damaged_templates_are_refused_or_rendered() {
    render(TEMPLATE).unwrap();
    let tally = tally("templates", 3_000, |seed| {
        render(&String::from_utf8_lossy(&damaged(
            TEMPLATE.as_bytes(),
            seed,
        )))
    });
    assert!(tally.refused > 500 && tally.read > 100, "{tally:?}");
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = (any::<u8>(), any::<u32>(), any::<u64>());
    vec(
        edit.prop_map(|(kind, at, value)| Edit { kind, at, value }),
        1..12,
    )
}

fn edited(base: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for edit in edits {
        edit.apply(&mut bytes);
    }
    bytes
}

fn fixed(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: proptest::test_runner::RngSeed::Fixed(20_261_122),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(fixed(400))]

    // A result is all that is asked for: these fail by a panic, an abort, or an assertion in what they call.
    #[test]
    fn edited_gguf_files_end_in_a_result(edits in edits()) {
        let _ = open_gguf(&edited(&tiny_gguf("{{ messages[0].content }}"), &edits));
    }

    #[test]
    fn edited_safetensors_files_end_in_a_result(edits in edits()) {
        let _ = open_safetensors(&edited(&varied(), &edits));
    }

    #[test]
    fn edited_tokenizer_files_end_in_a_result(base in 0..3_usize, edits in edits()) {
        let base = [TOKENIZER, BYTE_PAIRS, PIECES][base];
        let _ = open_tokenizer(&edited(base.as_bytes(), &edits));
    }

    #[test]
    fn edited_templates_end_in_a_result(edits in edits()) {
        let _ = render(&String::from_utf8_lossy(&edited(TEMPLATE.as_bytes(), &edits)));
    }

    #[test]
    fn bytes_that_are_no_file_end_in_a_result(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(open_gguf(&bytes).is_err());
        prop_assert!(open_safetensors(&bytes).is_err() || bytes.starts_with(&[2, 0, 0, 0, 0, 0, 0, 0]));
        prop_assert!(open_tokenizer(&bytes).is_err());
        let _ = render(&String::from_utf8_lossy(&bytes));
    }
}
