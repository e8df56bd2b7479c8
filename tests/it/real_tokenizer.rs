//! The tokenizers of the two test models against ids and prompts of reference implementations.
//!
//! The model files are found in the folder named by `EVALH_TEST_MODELS`. Without it the tests are skipped, unless `EVALH_REQUIRE_MODELS` is 1.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use crate::real_models::{MODELS, model_file, reference};
use evalh::clock::Timestamp;
use evalh::modelfile::WeightsFile;
use evalh::record::{Message, Role};
use evalh::tokenizer::{ChatTemplate, Codec, ModelTokenizer, Variables};
use serde_json::Value;

fn load(name: &str) -> Option<ModelTokenizer> {
    let file = WeightsFile::open(&model_file(name)?).unwrap();
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    Some(ModelTokenizer::from_gguf(file.header(), file.bytes(), None, now).unwrap())
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn ids_equal_the_reference() {
    for name in MODELS {
        let Some(tokenizer) = load(name) else { return };
        let golden = reference(name);
        let texts = golden["tokenizer"].as_array().unwrap();
        assert!(texts.len() >= 25);
        for entry in texts {
            let text = entry["text"].as_str().unwrap();
            assert_eq!(
                tokenizer.encode(text, false).unwrap(),
                ids(&entry["ids"]),
                "{name}: {text:?}"
            );
            assert_eq!(
                tokenizer.encode(text, true).unwrap(),
                ids(&entry["ids_special"]),
                "{name}: {text:?} with control tokens"
            );
        }
        for prompt in golden["prompts"].as_array().unwrap() {
            let text = prompt["text"].as_str().unwrap();
            assert_eq!(
                tokenizer.raw_prompt(text).unwrap(),
                ids(&prompt["input_ids"]),
                "{name}: {text:?}"
            );
        }
    }
}

fn user(content: &str) -> Message {
    Message {
        role: Role::User,
        content: content.to_owned(),
    }
}

#[test]
fn the_chat_template_of_smollm2_renders_as_jinja2() {
    let Some(tokenizer) = load(MODELS[0]) else {
        return;
    };
    let prompt = tokenizer.prompt(&[user("What is 2 + 2?")]).unwrap();
    let expected = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(prompt.text, expected);
    assert_eq!(prompt.ids, tokenizer.encode(expected, true).unwrap());
    assert_eq!(prompt.ids.iter().filter(|&&id| id == 2).count(), 2);
    let system = Message {
        role: Role::System,
        content: "Be brief. ".to_owned(),
    };
    let prompt = tokenizer.prompt(&[system, user("a <|im_end|> b")]).unwrap();
    assert_eq!(
        prompt.text,
        "<|im_start|>system\nBe brief. <|im_end|>\n<|im_start|>user\na <|im_end|> b<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(prompt.ids.iter().filter(|&&id| id == 2).count(), 2);
    assert_eq!(tokenizer.eos_ids(), [0, 2]);
    assert!(!tokenizer.adds_bos());
}

/// The messages of a case that asks for an answer and gives nothing beside them; what templates make of the rest is tested with the
/// templates themselves.
fn plain_messages(case: &Value) -> Option<Vec<Message>> {
    let given = |key: &&str| !case[*key].is_null();
    if ["tools", "documents", "variables"].iter().any(given)
        || case["add_generation_prompt"] == false
        || case["continue_final_message"] == true
    {
        return None;
    }
    let message = |message: &Value| {
        let role = match message["role"].as_str()? {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return None,
        };
        let content = message["content"].as_str()?.to_owned();
        (message.as_object()?.len() == 2).then_some(Message { role, content })
    };
    case["messages"].as_array()?.iter().map(message).collect()
}

#[test]
fn the_template_inside_smollm2_renders_as_transformers_renders_it() {
    let Some(path) = model_file(MODELS[0]) else {
        return;
    };
    let golden = |name: &str| -> Value {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/templates");
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let (expected, cases) = (golden("model_files.json"), golden("expected.json"));
    let results = &expected["files"][format!("{}.gguf", MODELS[0])]["results"];
    let text = |key: &str| expected["tokens"][key].as_str().map(str::to_owned);
    let variables = Variables {
        bos_token: text("bos_token"),
        eos_token: text("eos_token"),
        ..Variables::default()
    };
    let file = WeightsFile::open(&path).unwrap();
    let source = file
        .header()
        .string("tokenizer.chat_template")
        .unwrap()
        .unwrap();
    let now = Timestamp::from_second(expected["now"].as_i64().unwrap()).unwrap();
    let template = ChatTemplate::new(source, variables, now).unwrap();
    let results = results.as_object().unwrap();
    let mut rendered = 0;
    for (name, expected) in results {
        let case = &cases["cases"][name];
        let Some(messages) = plain_messages(case) else {
            continue;
        };
        rendered += 1;
        match template.render(&messages) {
            Ok(text) => assert_eq!(expected["text"], text.as_str(), "{name}"),
            Err(error) => assert!(expected.get("text").is_none(), "{name}: {error}"),
        }
    }
    assert!(rendered >= 11, "{rendered}");
}

#[test]
fn gemma_uses_the_plain_format_and_begins_with_bos() {
    let Some(tokenizer) = load(MODELS[1]) else {
        return;
    };
    let prompt = tokenizer.prompt(&[user("Which <bos> is </s>?\n")]).unwrap();
    assert_eq!(prompt.text, "Question: Which <bos> is </s>?\nAnswer:");
    assert_eq!(prompt.ids.iter().filter(|&&id| id == 2).count(), 1);
    assert_eq!(tokenizer.decode(&prompt.ids), prompt.text);
    assert_eq!(tokenizer.default_stops(), ["\nQuestion:"]);
    // `<eos>` and `<end_of_turn>`; `</s>` is an HTML tag in this vocabulary.
    assert_eq!(tokenizer.eos_ids(), [1, 106]);
}

#[test]
fn texts_come_back() {
    let golden = include_str!("../golden/pretokenize.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    let Some(gemma) = load(MODELS[1]) else { return };
    let Some(smollm) = load(MODELS[0]) else {
        return;
    };
    for text in golden["texts"].as_array().unwrap() {
        let text = text.as_str().unwrap();
        for tokenizer in [&gemma, &smollm] {
            assert_eq!(
                tokenizer.decode(&tokenizer.encode(text, false).unwrap()),
                text
            );
        }
    }
}
