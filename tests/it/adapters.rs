//! Every architecture that runs through candle-transformers, on tiny models, against float32 transformers (`tests/golden/adapters`).

use evalh::engine::adapter::{AdapterEngine, supported, weights_in_memory};
use evalh::engine::{Engine, EngineError, GenerateRequest, LoadOptions, RawScore, ScoreRequest};
use evalh::modelfile::SafetensorsSet;
use evalh::record::{DeviceChoice, Dtype, Finish, TokenTable};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest difference of a logit; the expected values are rounded to six digits.
const TOLERANCE: f32 = 1e-3;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/adapters")
}

/// Every model with its expectations.
fn models() -> Vec<(PathBuf, Value)> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.join("expected.json").is_file())
        .collect();
    folders.sort();
    let read = |f: PathBuf| {
        let text = std::fs::read_to_string(f.join("expected.json")).unwrap();
        (f, serde_json::from_str(&text).unwrap())
    };
    folders.into_iter().map(read).collect()
}

fn name(folder: &Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap()
}

fn set(folder: &Path) -> SafetensorsSet {
    let index = folder.join("model.safetensors.index.json");
    let single = folder.join("model.safetensors");
    SafetensorsSet::open(if index.is_file() { &index } else { &single }).unwrap()
}

fn options() -> LoadOptions {
    LoadOptions {
        device: DeviceChoice::Cpu,
        dtype: None,
        context: 8192,
        table: Arc::new(TokenTable::default()),
        peak_memory: || None,
    }
}

fn config(folder: &Path, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap()
}

fn load_with(folder: &Path, config: &Value) -> Result<AdapterEngine, EngineError> {
    AdapterEngine::load(
        &set(folder),
        &serde_json::to_vec(config).unwrap(),
        &options(),
    )
}

fn load(folder: &Path) -> AdapterEngine {
    load_with(folder, &config(folder, "config.json"))
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
}

fn ids(value: &Value) -> Vec<u32> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|v| v.as_u64().unwrap() as u32).collect()
}

/// All logits of a sequence from a position on.
fn logits(engine: &mut AdapterEngine, ids: &[u32], from: usize) -> Vec<Vec<f32>> {
    let mut rows = vec![Vec::new(); ids.len()];
    let mut each = |position: usize, row: &[f32]| rows[position] = row.to_vec();
    engine.logits(ids, from, &mut each).unwrap();
    rows
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(x, y)| (x - y).abs());
    differences.fold(0.0, |worst, d| {
        if d.is_nan() {
            f32::INFINITY
        } else {
            worst.max(d)
        }
    })
}

/// The largest difference from the expected logits of all sequences: prompts of one token, of one pass and of several, and every step.
fn worst(engine: &mut AdapterEngine, expected: &Value) -> f32 {
    let mut worst = 0.0_f32;
    for (name, sequence) in expected["sequences"].as_object().unwrap() {
        let wanted = &expected["logits"][name];
        let positions = ids(&wanted["positions"]);
        let rows = logits(engine, &ids(sequence), positions[0] as usize);
        for (position, values) in positions.iter().zip(wanted["values"].as_array().unwrap()) {
            let values: Vec<f32> = values.as_array().unwrap().iter().map(number).collect();
            worst = worst.max(farthest(&rows[*position as usize], &values));
        }
    }
    worst
}

fn number(value: &Value) -> f32 {
    value.as_f64().unwrap() as f32
}

fn greedy(engine: &mut AdapterEngine, prompt: &[u32], tokens: usize) -> Vec<u32> {
    let request = GenerateRequest {
        ids: prompt.to_vec(),
        max_tokens: tokens as u32,
        ..GenerateRequest::default()
    };
    let mut found = Vec::new();
    let mut sink = |_: usize, r: Result<evalh::engine::RawGeneration, _>| {
        found = r.unwrap().ids;
        ControlFlow::Continue(())
    };
    engine.generate(&[request], &mut sink).unwrap();
    found
}

#[test]
fn logits_and_greedy_tokens_are_those_of_transformers() {
    let mut wrong = Vec::new();
    for (folder, expected) in models() {
        let name = name(&folder).to_owned();
        let mut engine = match load_with(&folder, &config(&folder, "config.json")) {
            Ok(engine) => engine,
            Err(e) => {
                wrong.push(format!("{name}: {e}"));
                continue;
            }
        };
        let worst = worst(&mut engine, &expected);
        println!("{name}: largest difference of a logit {worst:.2e}");
        let prompt = ids(&expected["sequences"]["short"]);
        let tokens = ids(&expected["greedy"]);
        if worst > TOLERANCE || greedy(&mut engine, &prompt, tokens.len()) != tokens {
            wrong.push(format!("{name}: {worst}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
