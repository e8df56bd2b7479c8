//! Whole models whose description is damaged: each is refused with a message, or computes with numbers. Nothing panics.

use crate::mutation::damaged;
use crate::tiny_models::models;
use evalh::engine::candle::{CandleEngine, LoadOptions};
use evalh::modelfile::ModelFile;
use evalh::record::{DeviceChoice, TokenTable};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Damaged descriptions of each model, of each kind.
const EACH: u64 = 60;

/// Values that a field may be given.
fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(0),
        json!(1),
        json!(3),
        json!(-1),
        json!(1 << 20),
        json!(u64::MAX),
        json!(1e308),
        json!(0.5),
        json!(""),
        json!("yarn"),
        json!([]),
        json!([1, "a", null]),
        json!({}),
        json!({"rope_type": "longrope", "type": "linear", "factor": 1e-300}),
        json!(true),
    ]
}

/// Loads a model and computes three tokens with it.
fn try_model(main: &Path) -> Result<(), String> {
    let options = LoadOptions {
        bos: None,
        device: DeviceChoice::Cpu,
        dtype: None,
        context: 64,
        table: Arc::new(TokenTable::default()),
        peak_memory: || None,
    };
    let file = ModelFile::open(main).map_err(|e| e.to_string())?;
    let mut engine = CandleEngine::load(&file, &options).map_err(|e| e.to_string())?;
    let computed = engine.logits(&[7, 8, 9], 0, &mut |_, row| assert!(!row.is_empty()));
    computed.map_err(|e| e.to_string())
}

fn folders() -> Vec<PathBuf> {
    let folders = models("families").into_iter().map(|m| m.0);
    folders
        .filter(|p| p.join("model.safetensors").is_file())
        .collect()
}

/// Tries every text as the configuration of the weights in `folder`: how many were read, and the messages of the others.
fn try_all(folder: &Path, texts: &[Vec<u8>]) -> (usize, Vec<String>) {
    let results: Vec<Result<(), String>> = texts
        .par_iter()
        .map(|text| {
            let place = tempfile::tempdir().unwrap();
            let main = place.path().join("model.safetensors");
            std::os::unix::fs::symlink(folder.join("model.safetensors"), &main).unwrap();
            std::fs::write(place.path().join("config.json"), text).unwrap();
            try_model(&main)
        })
        .collect();
    let refused: Vec<String> = results.iter().filter_map(|r| r.clone().err()).collect();
    (results.len() - refused.len(), refused)
}

/// One field at a time, at any depth, gets an odd value or is taken out.
fn with_odd_fields(config: &Value) -> Vec<Vec<u8>> {
    let Value::Object(fields) = config else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (name, field) in fields {
        let mut put = |value: Option<Value>| {
            let mut whole = config.clone();
            match value {
                Some(value) => whole[name] = value,
                None => drop(whole.as_object_mut().unwrap().remove(name)),
            }
            all.push(whole.to_string().into_bytes());
        };
        put(None);
        for value in odd_values() {
            put(Some(value));
        }
        for inner in with_odd_fields(field) {
            put(Some(serde_json::from_slice(&inner).unwrap()));
        }
    }
    all
}

#[test]
fn a_damaged_configuration_is_refused_or_computed() {
    let (mut read, mut refused) = (0, 0);
    for folder in folders() {
        let text = std::fs::read(folder.join("config.json")).unwrap();
        let mut texts = with_odd_fields(&serde_json::from_slice(&text).unwrap());
        texts.extend((0..EACH).map(|seed| damaged(&text, seed)));
        let (ok, messages) = try_all(&folder, &texts);
        for message in &messages {
            assert!(
                !message.is_empty() && message.len() < 2_000,
                "{}: {message}",
                folder.display()
            );
        }
        read += ok;
        refused += messages.len();
    }
    println!("configurations: {read} computed, {refused} refused");
    // Many fields have no meaning for the numbers, and many odd values are valid ones.
    assert!(read > 500 && refused > 1_000, "{read} {refused}");
}

#[test]
fn a_damaged_gguf_model_is_refused_or_computed() {
    let (mut read, mut refused) = (0, 0);
    for folder in folders() {
        let Ok(file) = std::fs::read(folder.join("model-q8_0.gguf")) else {
            continue;
        };
        let results: Vec<bool> = (0..EACH)
            .into_par_iter()
            .map(|seed| {
                let place = tempfile::tempdir().unwrap();
                let path = place.path().join("m.gguf");
                // The description is at the front.
                let mut front = file[..2_000].to_vec();
                let rest = &file[2_000..];
                front = damaged(&front, seed);
                front.extend_from_slice(rest);
                std::fs::write(&path, front).unwrap();
                try_model(&path).is_ok()
            })
            .collect();
        let ok = results.iter().filter(|r| **r).count();
        read += ok;
        refused += results.len() - ok;
    }
    println!("GGUF models: {read} computed, {refused} refused");
    assert!(read > 10 && refused > 300, "{read} {refused}");
}
