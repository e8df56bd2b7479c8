use super::*;

/// Reads one file with this content, the others absent.
fn read(file: &str, content: &str) -> Result<Settings, TokenizerError> {
    let mut files = TokenizerFiles::default();
    let bytes = Some(content.as_bytes().to_vec());
    match file {
        TOKENIZER_CONFIG => files.tokenizer_config = bytes,
        GENERATION_CONFIG => files.generation_config = bytes,
        CONFIG => files.config = bytes,
        SPECIAL_TOKENS_MAP => files.special_tokens_map = bytes,
        _ => files.chat_template_json = bytes,
    }
    Settings::read(&files)
}

fn error(file: &str, content: &str) -> String {
    read(file, content).unwrap_err().to_string()
}

#[test]
fn wrong_types_are_errors_with_file_and_key() {
    for (file, content, expected) in [
        (
            TOKENIZER_CONFIG,
            r#"{"eos_token":7}"#,
            "`eos_token` in `tokenizer_config.json` is `7` instead of a text or an object with `content`",
        ),
        (
            TOKENIZER_CONFIG,
            r#"{"bos_token":{"lstrip":true}}"#,
            "`bos_token` in `tokenizer_config.json` is an object instead of a text or an object with `content`",
        ),
        (
            TOKENIZER_CONFIG,
            r#"{"add_bos_token":"yes"}"#,
            "`add_bos_token` in `tokenizer_config.json` is `\"yes\"` instead of `true` or `false`",
        ),
        (
            TOKENIZER_CONFIG,
            r#"{"additional_special_tokens":3}"#,
            "`additional_special_tokens` in `tokenizer_config.json` is `3` instead of a list of tokens",
        ),
        (
            TOKENIZER_CONFIG,
            r#"{"extra_special_tokens":[[]]}"#,
            "`extra_special_tokens` in `tokenizer_config.json` is a list instead of a text or an object with `content`",
        ),
        (
            TOKENIZER_CONFIG,
            r#"{"chat_template":5}"#,
            "`chat_template` in `tokenizer_config.json` is `5` instead of a text or a list of named templates",
        ),
        (
            TOKENIZER_CONFIG,
            r#"{"chat_template":[{"name":"default"}]}"#,
            "`chat_template` in `tokenizer_config.json` is an object instead of a list of objects with `name` and `template`",
        ),
        (
            TEMPLATE_JSON,
            r#"{"chat_template":{}}"#,
            "`chat_template` in `chat_template.json` is an object instead of a text or a list of named templates",
        ),
        (
            SPECIAL_TOKENS_MAP,
            r#"{"eos_token":["</s>"]}"#,
            "`eos_token` in `special_tokens_map.json` is a list instead of a text or an object with `content`",
        ),
        (
            GENERATION_CONFIG,
            r#"{"eos_token_id":"2"}"#,
            "`eos_token_id` in `generation_config.json` is `\"2\"` instead of a token id or a list of them",
        ),
        (
            GENERATION_CONFIG,
            r#"{"eos_token_id":[2,-1]}"#,
            "`eos_token_id` in `generation_config.json` is `-1` instead of a token id or a list of them",
        ),
        (
            GENERATION_CONFIG,
            r#"{"eos_token_id":99999999999999999999999}"#,
            "`eos_token_id` in `generation_config.json` is `1e+23` instead of a token id or a list of them",
        ),
        (
            CONFIG,
            r#"{"bos_token_id":1.5}"#,
            "`bos_token_id` in `config.json` is `1.5` instead of a token id or a list of them",
        ),
        (
            CONFIG,
            r#"{"text_config":[]}"#,
            "`text_config` in `config.json` is a list instead of an object",
        ),
        (
            CONFIG,
            r#"{"text_config":{"eos_token_id":true}}"#,
            "`text_config.eos_token_id` in `config.json` is `true` instead of a token id or a list of them",
        ),
    ] {
        assert_eq!(error(file, content), expected);
    }
}

#[test]
fn files_that_are_no_objects_or_nested_deep_or_long_are_errors() {
    for file in [
        TOKENIZER_CONFIG,
        GENERATION_CONFIG,
        CONFIG,
        SPECIAL_TOKENS_MAP,
        TEMPLATE_JSON,
    ] {
        assert_eq!(
            error(file, "[]"),
            format!("`{file}` cannot be read: it is no JSON object")
        );
        assert_eq!(
            error(file, "{\"a\":"),
            format!("`{file}` cannot be read: EOF while parsing a value at line 1 column 5")
        );
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(
            error(file, &deep),
            format!("`{file}` cannot be read: recursion limit exceeded at line 1 column 132")
        );
    }
    let long = " ".repeat(MAX_BYTES + 1);
    assert_eq!(
        error(CONFIG, &long),
        "`config.json` has 16777217 bytes, above the limit of 16777216 bytes"
    );
}

#[test]
fn tokens_are_texts_or_objects_and_the_first_file_wins() {
    let files = TokenizerFiles {
        tokenizer_config: Some(br#"{"bos_token":{"content":"<s>"},"eos_token":"</s>","pad_token":null,"additional_special_tokens":["<u>",{"content":"<v>"}],"add_bos_token":null}"#.to_vec()),
        special_tokens_map: Some(br#"{"bos_token":"<b>","unk_token":{"content":"<unk>"},"pad_token":""}"#.to_vec()),
        ..TokenizerFiles::default()
    };
    let settings = Settings::read(&files).unwrap();
    let tokens = ["bos_token", "eos_token", "unk_token", "pad_token"];
    let found = tokens.map(|key| settings.token(key));
    assert_eq!(found, [Some("<s>"), Some("</s>"), Some("<unk>"), None]);
    assert_eq!(settings.further, ["<u>", "<v>"]);
    assert_eq!(settings.add_bos, None);
    let texts: Vec<_> = settings.special_texts().collect();
    assert_eq!(texts, ["<s>", "</s>", "<unk>", "<u>", "<v>"]);
}

#[test]
fn ids_come_from_all_files_in_order() {
    let files = TokenizerFiles {
        generation_config: Some(br#"{"eos_token_id":[5,6],"bos_token_id":4}"#.to_vec()),
        config: Some(
            br#"{"eos_token_id":7,"bos_token_id":3,"text_config":{"eos_token_id":8}}"#.to_vec(),
        ),
        ..TokenizerFiles::default()
    };
    let settings = Settings::read(&files).unwrap();
    let found: Vec<_> = settings
        .eos_ids
        .iter()
        .map(|d| (d.file, d.key, d.id))
        .collect();
    assert_eq!(
        found,
        [
            (GENERATION_CONFIG, "eos_token_id", 5),
            (GENERATION_CONFIG, "eos_token_id", 6),
            (CONFIG, "eos_token_id", 7),
            (CONFIG, "text_config.eos_token_id", 8)
        ]
    );
    assert_eq!(settings.bos_id.unwrap().id, 4);
    assert!(!settings.names_tokens);
}

#[test]
fn of_the_places_for_templates_the_first_wins_whole() {
    let named = |name: &str, source: &str| NamedTemplate {
        name: name.to_owned(),
        source: source.to_owned(),
    };
    let mut files = TokenizerFiles {
        tokenizer_config: Some(br#"{"chat_template":[{"name":"tool_use","template":"T"},{"name":"default","template":"D"}]}"#.to_vec()),
        chat_template_json: Some(br#"{"chat_template":"J"}"#.to_vec()),
        chat_template: Some("F".to_owned()),
        ..TokenizerFiles::default()
    };
    let found = |files: &TokenizerFiles| Settings::read(files).unwrap().templates;
    assert_eq!(found(&files), [named("default", "F")]);
    files.chat_template = None;
    assert_eq!(found(&files), [named("default", "J")]);
    files.chat_template_json = None;
    assert_eq!(
        found(&files),
        [named("tool_use", "T"), named("default", "D")]
    );
    files.tokenizer_config = None;
    assert!(found(&files).is_empty());
}

/// Which template transformers takes from a folder for a conversation without tools.
#[test]
fn the_template_of_a_folder_is_the_one_transformers_takes() {
    let golden = include_str!("../../tests/golden/templates/named.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    let folders = golden["folders"].as_object().unwrap();
    assert!(folders.len() >= 8);
    for (name, folder) in folders {
        let config = match &folder["config"] {
            Value::Null => serde_json::json!({}),
            template => serde_json::json!({ "chat_template": template }),
        };
        let files = TokenizerFiles {
            tokenizer_config: Some(config.to_string().into_bytes()),
            chat_template: folder["files"]["chat_template.jinja"]
                .as_str()
                .map(str::to_owned),
            ..TokenizerFiles::default()
        };
        let templates = Settings::read(&files).unwrap().templates;
        let default = templates.iter().find(|t| t.name == "default");
        let found = default.map(|t| t.source.as_str());
        assert_eq!(found, folder["chosen"]["without_tools"].as_str(), "{name}");
    }
}

#[test]
fn numbers_that_only_python_writes_are_read_where_no_token_is_named() {
    let numbers = r#"{"time_step_limit":[0.0,Infinity],"x":-Infinity,"y":NaN,"eos_token_id":2}"#;
    for file in [CONFIG, GENERATION_CONFIG] {
        let ids: Vec<u64> = read(file, numbers)
            .unwrap()
            .eos_ids
            .iter()
            .map(|id| id.id)
            .collect();
        assert_eq!(ids, [2]);
        assert_eq!(
            error(file, r#"{"eos_token_id":NaN}"#),
            format!(
                "`eos_token_id` in `{file}` is `\"NaN\"` instead of a token id or a list of them"
            )
        );
    }
    assert_eq!(
        error(TOKENIZER_CONFIG, r#"{"bos_token":NaN}"#),
        "`tokenizer_config.json` cannot be read: expected value at line 1 column 14"
    );
}
