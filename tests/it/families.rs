//! Every family on tiny models, against float32 transformers on the same (dequantised) weights (`tests/golden/families`).

use crate::tiny_models;
use evalh::engine::candle::{CandleEngine, LoadOptions};
use evalh::engine::{Engine, GenerateRequest, ScoreRequest};
use evalh::modelfile::ModelFile;
use evalh::record::{DeviceChoice, TokenTable};
use serde_json::Value;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest difference of a logit; the expected values are rounded to six digits.
const TOLERANCE: f32 = 1e-3;

/// Part of the name of the files in a block type evalh refuses.
const UNKNOWN_TYPE: &str = "iq3_s";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families")
}

/// Every model with its expectations.
fn models() -> Vec<(PathBuf, Value)> {
    tiny_models::models("families")
}

fn options(device: DeviceChoice) -> LoadOptions {
    LoadOptions {
        bos: None,
        device,
        dtype: None,
        context: 8192,
        table: Arc::new(TokenTable::default()),
        peak_memory: || None,
    }
}

pub(crate) fn load(path: &Path, device: DeviceChoice) -> CandleEngine {
    let options = options(device);
    let file = ModelFile::open(path).unwrap();
    CandleEngine::load(&file, &options).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn ids(value: &Value) -> Vec<u32> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|v| v.as_u64().unwrap() as u32).collect()
}

/// All logits of a sequence from a position on.
fn logits(engine: &mut CandleEngine, ids: &[u32], from: usize) -> Vec<Vec<f32>> {
    let mut rows = vec![Vec::new(); ids.len()];
    let mut each = |position: usize, row: &[f32]| rows[position] = row.to_vec();
    engine.logits(ids, from, &mut each).unwrap();
    rows
}

/// Tokens of a sequence that tries the window; longer ones try positions, once a model.
const SHORT: usize = 300;

/// The largest difference from the expected logits of all sequences of at most `most` tokens.
fn worst(engine: &mut CandleEngine, sequences: &Value, expected: &Value, most: usize) -> f32 {
    let mut worst = 0.0_f32;
    for (name, sequence) in sequences.as_object().unwrap() {
        let Some(wanted) = expected["logits"].get(name) else {
            continue;
        };
        if ids(sequence).len() > most {
            continue;
        }
        let positions = ids(&wanted["positions"]);
        let rows = logits(engine, &ids(sequence), positions[0] as usize);
        for (position, values) in positions.iter().zip(wanted["values"].as_array().unwrap()) {
            let found = &rows[*position as usize];
            let values = values.as_array().unwrap();
            assert_eq!(found.len(), values.len());
            for (x, y) in found.iter().zip(values) {
                worst = worst.max((x - y.as_f64().unwrap() as f32).abs());
            }
        }
    }
    worst
}

fn greedy(engine: &mut CandleEngine, prompt: &[u32], tokens: usize) -> Vec<u32> {
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

/// The expectations of each GGUF file; a file that is the same as another has that one's.
fn gguf_files(folder: &Path, expected: &Value) -> Vec<(PathBuf, Value)> {
    let files = expected["files"].as_object().unwrap();
    let of = |value: &Value| match value.get("same_as").and_then(Value::as_str) {
        Some(other) => files[other].clone(),
        None => value.clone(),
    };
    files
        .iter()
        .filter(|(name, _)| Path::new(name).extension().is_some_and(|e| e == "gguf"))
        .filter(|(name, _)| !name.contains(UNKNOWN_TYPE))
        .map(|(name, value)| (folder.join(name), of(value)))
        .collect()
}

/// The main files of the safetensors weights in a folder, under each form of `config.json`.
fn safetensors_files(folder: &Path, version: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    let copy = tempfile::tempdir().unwrap();
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut main = None;
    for name in names.filter(|n| n.contains(".safetensors")) {
        std::fs::copy(folder.join(&name), copy.path().join(&name)).unwrap();
        if name == "model.safetensors" || name.ends_with(".index.json") {
            main = Some(copy.path().join(&name));
        }
    }
    let config = copy.path().join("config.json");
    main.as_ref()?;
    std::fs::copy(folder.join(version), config).unwrap();
    main.map(|main| (copy, main))
}

#[test]
fn safetensors_of_every_family_give_what_transformers_computes() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (folder, expected) in models() {
        for version in ["config.json", "config_v4.json"] {
            let Some((_copy, main)) = safetensors_files(&folder, version) else {
                continue;
            };
            let wanted = &expected["files"]["safetensors"];
            let mut engine = load(&main, DeviceChoice::Cpu);
            let most = if version == "config.json" {
                usize::MAX
            } else {
                SHORT
            };
            let worst = worst(&mut engine, &expected["sequences"], wanted, most);
            let prompt = ids(&expected["sequences"]["short"]);
            let tokens = ids(&wanted["greedy"]);
            if worst > TOLERANCE || greedy(&mut engine, &prompt, tokens.len()) != tokens {
                wrong.push(format!("{} {version}: {worst}", folder.display()));
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 36, "{checked}");
}

/// The model in a folder with one word of its configuration changed.
fn with_config(name: &str, from: &str, to: &str) -> (tempfile::TempDir, PathBuf) {
    let (copy, main) = safetensors_files(&folder().join(name), "config.json").unwrap();
    let config = copy.path().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&config, text.replace(from, to)).unwrap();
    (copy, main)
}

#[test]
fn a_head_of_its_own_counts_and_a_missing_one_is_missed() {
    let tied = "\"tie_word_embeddings\": true";
    let untied = "\"tie_word_embeddings\": false";
    // transformers 5 ties only what holds the same values.
    let (_copy, main) = with_config("llama", untied, tied);
    let (_, expected) = models()
        .into_iter()
        .find(|m| m.0.ends_with("llama"))
        .unwrap();
    let wanted = &expected["files"]["safetensors"];
    let mut engine = load(&main, DeviceChoice::Cpu);
    assert!(worst(&mut engine, &expected["sequences"], wanted, SHORT) <= TOLERANCE);
    let (_copy, main) = with_config("qwen2", tied, untied);
    let options = options(DeviceChoice::Cpu);
    let refused = CandleEngine::load(&ModelFile::open(&main).unwrap(), &options);
    assert_eq!(
        refused.map(|_| ()).unwrap_err().to_string(),
        "tensor `lm_head.weight` is missing"
    );
}

#[test]
fn logits_and_greedy_tokens_are_those_of_transformers() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (folder, expected) in models() {
        for (path, wanted) in gguf_files(&folder, &expected) {
            let mut engine = load(&path, DeviceChoice::Cpu);
            let exact = path.ends_with("model-f32.gguf");
            let most = if exact { usize::MAX } else { SHORT };
            let worst = worst(&mut engine, &expected["sequences"], &wanted, most);
            let prompt = ids(&expected["sequences"]["short"]);
            let tokens = ids(&wanted["greedy"]);
            if worst > TOLERANCE || greedy(&mut engine, &prompt, tokens.len()) != tokens {
                wrong.push(format!("{}: {worst}", path.display()));
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 80, "{checked}");
}

/// The first GGUF file of each model.
fn one_file_each() -> Vec<(PathBuf, Value)> {
    let first = |(folder, expected): (PathBuf, Value)| {
        let file = gguf_files(&folder, &expected).into_iter().next()?;
        Some((file.0, expected))
    };
    models().into_iter().filter_map(first).collect()
}

#[test]
fn a_block_type_that_is_not_known_is_refused_by_its_number() {
    let path = folder().join(format!("llama-256/model-{UNKNOWN_TYPE}.gguf"));
    let error = ModelFile::open(&path).unwrap_err().to_string();
    assert!(
        error.contains("has the type id 21, which is not supported"),
        "{error}"
    );
}

#[test]
fn plain_operations_agree_with_the_kernels() {
    for (path, expected) in one_file_each() {
        let prompt = ids(&expected["sequences"]["window"]);
        let [kernels, plain] = [DeviceChoice::Cpu, DeviceChoice::CpuPlain]
            .map(|device| logits(&mut load(&path, device), &prompt, 0));
        for (a, b) in kernels.iter().flatten().zip(plain.iter().flatten()) {
            // candle rounds activations to 8 bits before a quantised product.
            assert!((a - b).abs() <= 0.35, "{}: {a} {b}", path.display());
        }
    }
}

#[test]
fn prefill_and_decode_are_one_forward_and_a_batch_is_its_parts() {
    for (path, expected) in one_file_each() {
        let mut engine = load(&path, DeviceChoice::Cpu);
        let all = ids(&expected["sequences"]["window"]);
        let whole = logits(&mut engine, &all, 0);
        for cut in [1, 9, all.len() - 1] {
            let prompt = &all[..cut];
            let rows = logits(&mut engine, prompt, 0);
            for (row, whole) in rows.iter().zip(&whole) {
                let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(row), bits(whole), "{} cut at {cut}", path.display());
            }
        }
        let requests: Vec<ScoreRequest> = [3, 8, 17]
            .map(|cut| ScoreRequest {
                context: all[..cut].to_vec(),
                continuation: all[cut..].to_vec(),
            })
            .to_vec();
        let mut scores = |requests: &[ScoreRequest]| {
            let mut out = vec![None; requests.len()];
            let mut sink = |i: usize, r: Result<evalh::engine::RawScore, _>| {
                out[i] = Some(r.unwrap().token_logprobs);
                ControlFlow::Continue(())
            };
            engine.score(requests, &mut sink).unwrap();
            out
        };
        let together = scores(&requests);
        for (request, score) in requests.iter().zip(together) {
            assert_eq!(scores(std::slice::from_ref(request))[0], score);
        }
    }
}

/// The rows of a sequence, computed in parts of these lengths.
fn in_parts(engine: &mut CandleEngine, ids: &[u32], parts: &[usize]) -> Vec<Vec<f32>> {
    let mut rows = vec![Vec::new(); ids.len()];
    let mut first = 0;
    for length in parts {
        let end = (first + length).min(ids.len());
        let mut each = |position: usize, row: &[f32]| {
            assert!((first..end).contains(&position));
            rows[position] = row.to_vec();
        };
        Engine::logits(engine, ids, first..end, &mut each).unwrap();
        first = end;
    }
    assert_eq!(first, ids.len());
    rows
}

#[test]
fn rows_in_parts_are_those_of_the_whole() {
    let bits =
        |rows: &[Vec<f32>]| -> Vec<u32> { rows.iter().flatten().map(|x| x.to_bits()).collect() };
    for (path, expected) in one_file_each() {
        let mut engine = load(&path, DeviceChoice::Cpu);
        let all = ids(&expected["sequences"]["window"]);
        let whole = logits(&mut engine, &all, 0);
        for parts in [&[5, 1, 64][..], &[1, 2, 3, 64], &[64]] {
            let rows = in_parts(&mut engine, &all, parts);
            assert!(bits(&rows) == bits(&whole), "{} {parts:?}", path.display());
        }
        // Another sequence between two parts is no part of either.
        let other: Vec<u32> = all.iter().rev().copied().collect();
        let mut last = Vec::new();
        Engine::logits(&mut engine, &all, 0..9, &mut |_, _| {}).unwrap();
        Engine::logits(&mut engine, &other, 0..9, &mut |_, _| {}).unwrap();
        Engine::logits(&mut engine, &all, 9..all.len(), &mut |_, row| {
            last.push(row.to_vec());
        })
        .unwrap();
        assert!(bits(&last) == bits(&whole[9..]), "{}", path.display());
    }
}

#[test]
fn the_beginning_of_a_long_text_is_rotated_as_one() {
    let (path, expected) = one_file_each()
        .into_iter()
        .find(|(path, _)| path.to_string_lossy().contains("phi3-longrope"))
        .unwrap();
    let mut engine = load(&path, DeviceChoice::Cpu);
    let all = ids(&expected["sequences"]["long"]);
    // The second set of frequencies begins behind 256 positions.
    let mut whole = Vec::new();
    engine
        .logits(&all, 0, &mut |_, row| whole.push(row.to_vec()))
        .unwrap();
    let parts = in_parts(&mut engine, &all, &[100, 100, 4096]);
    assert!(parts == whole);
    let short = logits(&mut engine, &all[..100], 0);
    assert_ne!(short[99], whole[99]);
}
