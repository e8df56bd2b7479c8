use super::*;
use crate::modelfile::{Dtype, SafeTensor};
use serde_json::json;
use std::collections::BTreeMap;

/// A set with these tensors, none of which can be read.
fn set(shapes: &[(&str, &[u64])]) -> SafetensorsSet {
    let tensor = |(name, shape): &(&str, &[u64])| {
        let tensor = SafeTensor {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            offset: 0,
            bytes: shape.iter().product::<u64>() * 4,
        };
        ((*name).to_owned(), (0, tensor))
    };
    SafetensorsSet {
        files: Vec::new(),
        tensors: shapes.iter().map(tensor).collect::<BTreeMap<_, _>>(),
    }
}

fn usual() -> SafetensorsSet {
    set(&[
        ("model.embed_tokens.weight", &[128, 32]),
        ("a", &[64]),
        ("b", &[1]),
    ])
}

fn olmo(changes: &Value) -> Value {
    let mut config = json!({
        "model_type": "olmo", "vocab_size": 128, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": 512
    });
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

fn read(config: &Value, asked: u32) -> Result<Settings, EngineError> {
    Settings::read(config.to_string().as_bytes(), &usual(), asked)
}

fn refusal(changes: &Value) -> String {
    match read(&olmo(changes), 100) {
        Err(e) => e.to_string(),
        Ok(_) => panic!("{changes} was taken"),
    }
}

#[test]
fn both_forms_of_rotation_settings_become_the_same() {
    let new = read(
        &olmo(
            &json!({"rope_parameters": {"rope_type": "default", "rope_theta": 5000.0, "partial_rotary_factor": 0.5}, "dtype": "float32"}),
        ),
        4096,
    );
    let old = read(
        &olmo(
            &json!({"rope_theta": 5000.0, "rope_scaling": null, "partial_rotary_factor": 0.5, "torch_dtype": "float32"}),
        ),
        4096,
    );
    for settings in [new.unwrap(), old.unwrap()] {
        let values = settings.values();
        assert_eq!(values["rope_theta"], 5000.0);
        assert_eq!(values["partial_rotary_factor"], 0.5);
        assert_eq!(values.get("rope_scaling"), None);
        assert_eq!(values["num_key_value_heads"], 4);
        assert_eq!(settings.context, 512);
        assert_eq!(settings.vocabulary, 128);
    }
}

#[test]
fn the_context_is_what_was_asked_for_within_positions_and_window() {
    let context = |changes: &Value, asked| read(&olmo(changes), asked).unwrap().context;
    assert_eq!(context(&json!({}), 8192), 512);
    assert_eq!(context(&json!({}), 100), 100);
    assert_eq!(context(&json!({"sliding_window": 64}), 8192), 64);
    let unused = json!({"sliding_window": 64, "use_sliding_window": false});
    assert_eq!(context(&unused, 8192), 512);
    assert_eq!(context(&json!({"sliding_window": null}), 0), 1);
}

#[test]
fn every_refusal_names_key_value_and_limit() {
    let nested = json!({"rope_parameters": {"full_attention": {"rope_theta": 1.0}}});
    let all = [
        refusal(&nested),
        refusal(&json!({"rope_parameters": 3})),
        refusal(&json!({"rope_scaling": "yarn"})),
        refusal(&json!({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}})),
        refusal(&json!({"rope_parameters": {"rope_type": "linear", "rope_theta": 1.0}})),
        refusal(&json!({"hidden_size": 129})),
        refusal(&json!({"hidden_size": -1})),
        refusal(&json!({"num_attention_heads": 0})),
        refusal(&json!({"num_hidden_layers": 1_000_000_000_000_u64})),
        refusal(&json!({"vocab_size": 127})),
        refusal(&json!({"vocab_size": null})),
        refusal(&json!({"rope_theta": 0.0})),
        refusal(&json!({"partial_rotary_factor": 1.5})),
        refusal(&json!({"max_position_embeddings": 0})),
        refusal(&json!({"sliding_window": "wide"})),
        refusal(&json!({"model_type": "persimmon"})),
        refusal(&json!({"model_type": null})),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    metadata `config.json: rope_parameters` is {"rope_theta":1.0}: one set for all layers is computed
    metadata `config.json: rope_parameters` is 3: it must be an object
    metadata `config.json: rope_scaling` is "yarn": it must be an object
    `rope_type` in `config.json` is "llama3", and only "default" is computed
    `rope_type` in `config.json` is "linear", and only "default" is computed
    metadata `config.json: hidden_size` is 129: 128 is the widest dimension of the weights
    metadata `config.json: hidden_size` is -1: it must be a whole number
    metadata `config.json: num_attention_heads` is 0: it must be above 0
    metadata `config.json: num_hidden_layers` is 1000000000000: 3 tensors are in the weights
    metadata `config.json: vocab_size` is 127: the embedding table `model.embed_tokens.weight` has 128 rows
    metadata `config.json: vocab_size` is null: the embedding table `model.embed_tokens.weight` has 128 rows
    metadata `config.json: rope_theta` is 0.0: it must be above 0
    metadata `config.json: partial_rotary_factor` is 1.5: it must be above 0 and at most 1
    metadata `config.json: max_position_embeddings` is 0: it must be above 0
    metadata `config.json: sliding_window` is "wide": it must be above 0
    architecture `persimmon` is not supported
    metadata `config.json: model_type` is null: it must name an architecture
    "#);
}

#[test]
fn a_file_that_is_no_object_is_refused() {
    let text = |bytes: &[u8]| match Settings::read(bytes, &usual(), 1) {
        Err(e) => e.to_string(),
        Ok(_) => panic!("taken"),
    };
    let all = [
        text(b""),
        text(b"[]"),
        text(b"\xff"),
        text(&vec![b' '; crate::modelfile::MAX_CONFIG_BYTES + 1]),
        text("[".repeat(100_000).as_bytes()),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    metadata `config.json` is 0 bytes: EOF while parsing a value at line 1 column 0
    metadata `config.json` is 2 bytes: it is no object
    metadata `config.json` is 1 bytes: expected value at line 1 column 1
    metadata `config.json` is 4194305 bytes: the limit is 4194304 bytes
    metadata `config.json` is 100000 bytes: recursion limit exceeded at line 1 column 128
    "#);
}

#[test]
fn infinity_outside_strings_is_read() {
    let text = r#"{"a": Infinity, "b": [-Infinity, NaN], "c": "Infinity \" NaN", "d\\": 1}"#;
    let map = parse(text.as_bytes()).unwrap();
    let expected =
        json!({"a": "Infinity", "b": ["-Infinity", "NaN"], "c": "Infinity \" NaN", "d\\": 1});
    assert_eq!(Value::Object(map), expected);
}

#[test]
fn every_value_that_the_library_ignores_is_refused_by_name() {
    for architecture in super::super::table::ARCHITECTURES {
        let computes = object(architecture.computes);
        let first = |computed: &Value| computed.as_array().map_or(computed, |all| &all[0]).clone();
        for (key, computed) in &computes {
            let mut config = json!({"model_type": architecture.model_type});
            for (key, computed) in &computes {
                config[key] = first(computed);
            }
            config[key] = json!("something else");
            let Err(error) = Settings::read(config.to_string().as_bytes(), &usual(), 1) else {
                panic!("{}: {key} was taken", architecture.model_type);
            };
            let first = first(computed);
            let expected = format!(
                "`{key}` in `config.json` is \"something else\", and only {first} is computed"
            );
            assert_eq!(error.to_string(), expected, "{}", architecture.model_type);
        }
    }
}

#[test]
fn gemma_reads_the_activation_as_transformers_does() {
    let act = |changes: Value| {
        let mut config = olmo(&json!({"model_type": "gemma", "head_dim": 16}));
        for (key, value) in changes.as_object().unwrap() {
            config[key] = value.clone();
        }
        let values = read(&config, 1).unwrap().values();
        (
            values.get("hidden_act").cloned(),
            values.get("hidden_activation").cloned(),
        )
    };
    let tanh = Some(json!("gelu_pytorch_tanh"));
    assert_eq!(act(json!({})), (tanh.clone(), None));
    assert_eq!(act(json!({"hidden_act": "gelu"})), (tanh.clone(), None));
    assert_eq!(
        act(json!({"hidden_act": "gelu", "hidden_activation": null})),
        (tanh.clone(), None)
    );
    let both = json!({"hidden_act": "gelu", "hidden_activation": "gelu_pytorch_tanh"});
    assert_eq!(act(both), (None, tanh));
}
