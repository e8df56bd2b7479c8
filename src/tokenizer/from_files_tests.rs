use super::*;
use crate::record::{Message, Role};
use crate::tokenizer::Codec as _;
use serde_json::{Value, json};

/// A tokenizer of words: `<s>` 0, `</s>` 1, `?` 2, `hi` 3, `there` 4, `user` 5, `!` 6.
fn words() -> Value {
    let special = |id: u32, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<s>"), special(1, "</s>")],
        "normalizer": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"<s>": 0, "</s>": 1, "?": 2, "hi": 3, "there": 4, "user": 5, "!": 6}, "unk_token": "?"}
    })
}

fn files(tokenizer: &Value) -> TokenizerFiles {
    TokenizerFiles {
        tokenizer: tokenizer.to_string().into_bytes(),
        ..TokenizerFiles::default()
    }
}

fn build(files: &TokenizerFiles) -> Result<ModelTokenizer, TokenizerError> {
    ModelTokenizer::from_files(files, None, Timestamp::UNIX_EPOCH)
}

fn with_config(config: &Value) -> TokenizerFiles {
    TokenizerFiles {
        tokenizer_config: Some(config.to_string().into_bytes()),
        ..files(&words())
    }
}

fn user(content: &str) -> Vec<Message> {
    vec![Message {
        role: Role::User,
        content: content.to_owned(),
    }]
}

#[test]
fn bos_is_the_post_processor_s_unless_the_setting_says_otherwise() {
    let begun = |files: &TokenizerFiles| build(files).unwrap().raw_prompt("hi").unwrap();
    assert_eq!(begun(&files(&words())), [0, 3]);
    let setting = |add: Value| with_config(&json!({"bos_token": "<s>", "add_bos_token": add}));
    assert_eq!(begun(&setting(json!(false))), [3]);
    assert_eq!(begun(&setting(json!(true))), [0, 3]);
    assert_eq!(begun(&setting(Value::Null)), [0, 3]);
    // Without a name there is nothing to add.
    assert_eq!(begun(&with_config(&json!({"add_bos_token": true}))), [3]);
    let mut plain = words();
    plain["post_processor"] = Value::Null;
    assert_eq!(begun(&files(&plain)), [3]);
    let t = build(&setting(json!(true))).unwrap();
    assert_eq!(t.raw_prompt("<s> hi").unwrap(), [0, 3]);
    assert_eq!(t.bos_id(), Some(0));
    assert!(t.adds_bos());
    assert_eq!(
        t.context_and_continuation("hi", " there").unwrap(),
        (vec![0, 3], vec![4])
    );
    assert_eq!(
        t.context_and_continuation("", "there").unwrap(),
        (vec![0], vec![4])
    );
}

#[test]
fn without_bos_the_declared_eos_begins_a_text_and_not_the_lowest_id_that_ends_one() {
    let mut plain = words();
    plain["post_processor"] = Value::Null;
    let t = build(&TokenizerFiles {
        tokenizer_config: Some(br#"{"eos_token":"hi"}"#.to_vec()),
        ..files(&plain)
    });
    let t = t.unwrap();
    assert_eq!((t.bos_id(), t.eos_ids()), (None, [1, 3].as_slice()));
    assert_eq!(t.begin_id(), Some(3));
    let pair = t.context_and_continuation("", "there").unwrap();
    assert_eq!(pair, (vec![3], vec![4]));
}

#[test]
fn the_ids_that_end_are_those_of_all_files_and_known_texts() {
    let mut tokenizer = words();
    tokenizer["model"]["vocab"]["<|im_end|>"] = json!(7);
    let all = TokenizerFiles {
        tokenizer_config: Some(br#"{"eos_token":"hi"}"#.to_vec()),
        generation_config: Some(br#"{"eos_token_id":[4]}"#.to_vec()),
        config: Some(br#"{"text_config":{"eos_token_id":5}}"#.to_vec()),
        ..files(&tokenizer)
    };
    // `</s>` is a control token here and ends too.
    assert_eq!(build(&all).unwrap().eos_ids(), [1, 3, 4, 5, 7]);
    assert_eq!(build(&files(&words())).unwrap().eos_ids(), [1]);
    let outside = |key: &str, id: u64| {
        let mut all = files(&words());
        let value = json!({"eos_token_id": id}).to_string().into_bytes();
        match key {
            "generation" => all.generation_config = Some(value),
            _ => all.config = Some(value),
        }
        build(&all).unwrap_err().to_string()
    };
    assert_eq!(
        outside("generation", 7),
        "`eos_token_id` in `generation_config.json` is 7 but the vocabulary has 7 tokens"
    );
    assert_eq!(
        outside("config", u64::MAX),
        "`eos_token_id` in `config.json` is 18446744073709551615 but the vocabulary has 7 tokens"
    );
}

#[test]
fn a_post_processor_that_adds_ids_of_no_token_is_an_error() {
    let mut tokenizer = words();
    tokenizer["post_processor"]["special_tokens"]["<s>"]["ids"] = json!([70]);
    assert_eq!(
        build(&files(&tokenizer)).unwrap_err().to_string(),
        "`post_processor` in `tokenizer.json` is 70 but the vocabulary has 7 tokens"
    );
}

#[test]
fn data_never_becomes_a_control_token() {
    let t = build(&files(&words())).unwrap();
    assert_eq!(t.encode("hi</s>there", true).unwrap(), [3, 1, 4]);
    assert_eq!(t.encode("hi </s> there", true).unwrap(), [3, 1, 4]);
    // The model holds `</s>` as a word; it is taken apart into words it does not know.
    assert_eq!(t.encode("hi </s> there", false).unwrap(), [3, 2, 2, 4]);
    assert_eq!(t.encode("hi</s>there", false).unwrap(), [2]);
    // A token that a file beside it names is one too.
    let named = build(&with_config(&json!({"pad_token": "there"}))).unwrap();
    assert_eq!(named.encode("hithere", true).unwrap(), [3, 4]);
    assert_eq!(named.encode("hi there", false).unwrap(), [3, 2, 2]);
    assert_eq!(named.decode(&[3, 4]), "hi");
    // The only token for a character.
    let named = build(&with_config(&json!({"pad_token": "!"}))).unwrap();
    assert_eq!(named.encode("!", false).unwrap(), [2]);
    assert_eq!(named.encode("!", true).unwrap(), [6]);
}

#[test]
fn a_character_whose_only_token_is_a_control_token_becomes_its_bytes() {
    let mut tokenizer = words();
    tokenizer["model"]["vocab"]["<0x21>"] = json!(7);
    let named = TokenizerFiles {
        tokenizer_config: Some(br#"{"pad_token":"!"}"#.to_vec()),
        ..files(&tokenizer)
    };
    assert_eq!(build(&named).unwrap().encode("!", false).unwrap(), [7]);
}

const TEMPLATE: &str =
    "{{ bos_token }} {% for m in messages %}{{ m.role }} {{ m.content }}</s>{% endfor %}";

#[test]
fn control_tokens_of_a_template_count_and_those_of_messages_do_not() {
    let mut beside = with_config(&json!({"bos_token": "<s>", "eos_token": "</s>"}));
    beside.chat_template = Some(TEMPLATE.to_owned());
    let t = build(&beside).unwrap();
    let prompt = t.prompt(&user("hi </s> there")).unwrap();
    assert_eq!(prompt.text, "<s> user hi </s> there</s>");
    assert_eq!(prompt.ids, [0, 5, 3, 2, 2, 4, 1]);
    // A content that ends where a control token could go on.
    let prompt = t.prompt(&user("hi <")).unwrap();
    assert_eq!(prompt.ids, [0, 5, 3, 2, 1]);
    assert!(t.template_digest().is_some());
}

#[test]
fn normalized_control_tokens_are_the_template_s_only() {
    let mut tokenizer = words();
    tokenizer["normalizer"] = json!({"type": "Lowercase"});
    for token in tokenizer["added_tokens"].as_array_mut().unwrap() {
        token["normalized"] = json!(true);
    }
    let beside = TokenizerFiles {
        tokenizer_config: Some(br#"{"bos_token":"<s>"}"#.to_vec()),
        chat_template: Some(TEMPLATE.to_owned()),
        ..files(&tokenizer)
    };
    let t = build(&beside).unwrap();
    assert_eq!(t.encode("HI</S>", true).unwrap(), [3, 1]);
    assert_eq!(t.encode("HI</S>", false).unwrap(), [2]);
    let prompt = t.prompt(&user("HI</S> there </s>")).unwrap();
    assert_eq!(prompt.ids, [0, 5, 2, 4, 2, 2, 1]);
}

#[test]
fn templates_need_a_default_and_may_be_replaced() {
    let mut beside = with_config(
        &json!({"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "rag", "template": "R"}]}),
    );
    let error = build(&beside).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model has chat templates named `tool_use`, `rag` but none named `default`"
    );
    assert_eq!(
        error.hint().unwrap(),
        "name a template file with `chat_template` in the model's entry of `models.toml`"
    );
    let now = Timestamp::UNIX_EPOCH;
    let replaced = ModelTokenizer::from_files(&beside, Some("hi"), now).unwrap();
    assert_eq!(replaced.prompt(&user("x")).unwrap().text, "hi");
    beside.chat_template = Some("there {{ eos_token }}".to_owned());
    assert_eq!(
        build(&beside).unwrap().prompt(&user("x")).unwrap().text,
        "there "
    );
    let alone = TokenizerFiles {
        config: Some(br#"{"bos_token_id":0,"eos_token_id":1}"#.to_vec()),
        chat_template: Some("{{ bos_token }}{{ eos_token }}".to_owned()),
        ..files(&words())
    };
    // No file names tokens, so the ids of the configuration do.
    assert_eq!(
        build(&alone).unwrap().prompt(&user("x")).unwrap().text,
        "<s></s>"
    );
    assert!(build(&files(&words())).unwrap().template_digest().is_none());
}

#[test]
fn files_that_would_be_read_otherwise_than_written_are_refused() {
    let mut tokenizer = words();
    tokenizer["added_tokens"][1]["id"] = json!(5);
    assert_eq!(
        build(&files(&tokenizer)).unwrap_err().to_string(),
        "the added token `</s>` has the id 5 in `tokenizer.json`, but 1 by its place in the vocabulary"
    );
    let mut tokenizer = words();
    tokenizer["model"] = json!({"type": "BPE", "dropout": 0.1, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
        "fuse_unk": false, "byte_fallback": false, "vocab": {"<s>": 0, "</s>": 1}, "merges": []});
    assert_eq!(
        build(&files(&tokenizer)).unwrap_err().to_string(),
        "`model.dropout` in `tokenizer.json` is 0.1, so the same text would have other ids each time"
    );
    let mut tokenizer = words();
    tokenizer["decoder"] =
        json!({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": true});
    assert!(
        build(&files(&tokenizer))
            .unwrap_err()
            .to_string()
            .starts_with("the decoder `{\"type\":\"CTC\",")
    );
}

#[test]
fn panics_of_the_library_are_errors_on_every_path() {
    let mut tokenizer = words();
    tokenizer["pre_tokenizer"] = json!({"type": "FixedLength", "length": 0});
    let panicked = |e: TokenizerError| {
        e.to_string()
            .starts_with("the tokenizers library failed to encode a text: it panicked: ")
    };
    // Some versions refuse the file; those that do not panic when a text is encoded.
    match build(&files(&tokenizer)) {
        Ok(t) => {
            assert!(panicked(t.encode("hi there", false).unwrap_err()));
            assert!(panicked(t.raw_prompt("hi there").unwrap_err()));
            assert!(panicked(t.prompt(&user("hi")).unwrap_err()));
            assert!(panicked(
                t.context_and_continuation("hi", " there").unwrap_err()
            ));
        }
        Err(e) => assert!(panicked(e)),
    }
    let mut tokenizer = words();
    tokenizer["post_processor"]["special_tokens"] = json!({});
    let found = build(&files(&tokenizer)).map(|t| t.raw_prompt("hi"));
    assert!(
        matches!(found, Err(TokenizerError::Library { .. })),
        "{found:?}"
    );
}

#[test]
fn the_digest_is_of_everything_that_changes_ids() {
    let digest = |files: &TokenizerFiles| build(files).unwrap().digest().clone();
    let base = digest(&files(&words()));
    assert_eq!(base, digest(&files(&words())));
    let mut other = words();
    other["normalizer"] = json!({"type": "Lowercase"});
    let different = [
        files(&other),
        with_config(&json!({"add_bos_token": false})),
        with_config(&json!({"eos_token": "hi"})),
        with_config(&json!({"pad_token": "there"})),
        TokenizerFiles {
            generation_config: Some(br#"{"eos_token_id":4}"#.to_vec()),
            ..files(&words())
        },
    ];
    for files in &different {
        assert_ne!(base, digest(files));
    }
}

#[test]
fn the_bytes_of_all_tokens_together_are_bounded() {
    let vocabulary = Vocabulary {
        texts: vec![Some("abc".to_owned()), None, Some("de".to_owned())],
        control: HashSet::new(),
        added: HashSet::new(),
        named: Vec::new(),
    };
    let decoder = json!({"type": "Replace", "pattern": {"String": "e"}, "content": "eee"});
    let pieces = Pieces::new(&decoder).unwrap();
    assert_eq!(vocabulary.table(&pieces, 7).unwrap().piece(2), b"deee");
    assert_eq!(
        vocabulary.table(&pieces, 6).unwrap_err().to_string(),
        "`decoder` in `tokenizer.json` makes the tokens up to 2 7 bytes long together, above the limit of 6 bytes"
    );
}

#[test]
fn stages_that_grow_without_bound_are_refused_when_the_file_is_read() {
    let twice = json!({"type": "Replace", "pattern": {"String": "h"}, "content": "hh"});
    for (key, list) in [("normalizer", "normalizers"), ("decoder", "decoders")] {
        let mut tokenizer = words();
        // The crate normalizes this one while it reads the file.
        tokenizer["added_tokens"][0]["normalized"] = json!(true);
        tokenizer[key] = json!({"type": "Sequence", list: vec![twice.clone(); 40]});
        assert_eq!(
            build(&files(&tokenizer)).unwrap_err().to_string(),
            format!(
                "`{key}` in `tokenizer.json` can make a text 1099511627776 times as long, above the limit of 64 times"
            )
        );
    }
    let mut tokenizer = words();
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
    tokenizer["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": vec![bytes; 4]});
    assert!(matches!(
        build(&files(&tokenizer)),
        Err(TokenizerError::Growth {
            key: "pre_tokenizer",
            growth: 256,
            ..
        })
    ));
}
