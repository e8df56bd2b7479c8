//! Every architecture that runs through candle-transformers, on tiny models, against float32 transformers (`tests/golden/adapters`).

use crate::tiny_models;
use evalh::engine::adapter::{AdapterEngine, supported, weights_in_memory};
use evalh::engine::{
    Engine, EngineError, GenerateRequest, LoadOptions, RawGeneration, RawScore, ScoreRequest,
};
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
    tiny_models::models("adapters")
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
        bos: None,
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

/// Everything an engine says of these continuations, in bits.
fn scores(engine: &mut AdapterEngine, requests: &[ScoreRequest]) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut out = vec![None; requests.len()];
    let mut sink = |i: usize, r: Result<RawScore, EngineError>| {
        let score = r.unwrap();
        let bits = score.token_logprobs.iter().map(|x| x.to_bits()).collect();
        out[i] = Some((bits, score.token_top1));
        ControlFlow::Continue(())
    };
    engine.score(requests, &mut sink).unwrap();
    out.into_iter().map(Option::unwrap).collect()
}

fn generated(
    engine: &mut AdapterEngine,
    request: &GenerateRequest,
) -> Result<RawGeneration, EngineError> {
    let mut found = None;
    let mut sink = |_: usize, r: Result<RawGeneration, _>| {
        found = Some(r);
        ControlFlow::Continue(())
    };
    engine
        .generate(std::slice::from_ref(request), &mut sink)
        .unwrap();
    found.unwrap()
}

fn prompt(ids: &[u32], max_tokens: usize) -> GenerateRequest {
    GenerateRequest {
        ids: ids.to_vec(),
        max_tokens: max_tokens as u32,
        logprobs: true,
        ..GenerateRequest::default()
    }
}

#[test]
fn logits_and_greedy_tokens_are_those_of_transformers() {
    let mut wrong = Vec::new();
    let mut checked = Vec::new();
    for (folder, expected) in models() {
        // transformers computes the same from both forms of the configuration.
        for file in ["config.json", "config_v4.json"] {
            let config = config(&folder, file);
            let mut engine = load_with(&folder, &config)
                .unwrap_or_else(|e| panic!("{} {file}: {e}", folder.display()));
            let worst = worst(&mut engine, &expected);
            println!(
                "{}: largest difference of a logit {worst:.2e}",
                name(&folder)
            );
            let short = ids(&expected["sequences"]["short"]);
            let tokens = ids(&expected["greedy"]);
            let found = generated(&mut engine, &prompt(&short, tokens.len())).unwrap();
            assert_eq!(found.finish, Finish::Length);
            if worst > TOLERANCE || found.ids != tokens {
                wrong.push(format!("{} {file}: {worst}", folder.display()));
            }
            checked.push(config["model_type"].as_str().unwrap().to_owned());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for architecture in supported() {
        assert!(
            checked.iter().any(|c| c == architecture),
            "{architecture} has no model"
        );
    }
}

#[test]
fn scores_are_the_logits_of_transformers_at_every_position() {
    for (folder, expected) in models() {
        let mut engine = load(&folder);
        for text in ["short", "middle"] {
            let all = ids(&expected["sequences"][text]);
            let request = ScoreRequest {
                context: all[..1].to_vec(),
                continuation: all[1..].to_vec(),
            };
            let (bits, top1) = scores(&mut engine, &[request]).remove(0);
            let wanted = ids(&expected["argmax"][text]);
            assert_eq!(top1, wanted[..wanted.len() - 1], "{}", folder.display());
            if text == "middle" {
                continue;
            }
            for (at, bits) in bits.iter().enumerate() {
                let row = expected["logits"][text]["values"][at].as_array().unwrap();
                let row: Vec<f64> = row.iter().map(|v| v.as_f64().unwrap()).collect();
                let sum: f64 = row.iter().map(|x| x.exp()).sum();
                let logprob = row[all[at + 1] as usize] - sum.ln();
                let found = f64::from(f32::from_bits(*bits));
                assert!(
                    (found - logprob).abs() < 2e-3,
                    "{}: {found} {logprob}",
                    folder.display()
                );
            }
        }
    }
}

#[test]
fn a_request_does_not_depend_on_those_before_it() {
    for (folder, expected) in models() {
        let mut engine = load(&folder);
        let [short, middle, long] =
            ["short", "middle", "long"].map(|text| ids(&expected["sequences"][text]));
        let request = |cut: usize| ScoreRequest {
            context: middle[..cut].to_vec(),
            continuation: middle[cut..].to_vec(),
        };
        let other = ScoreRequest {
            context: middle[..9].to_vec(),
            continuation: short.clone(),
        };
        let requests = [request(3), request(9), other, request(17)];
        let together = scores(&mut engine, &requests);
        let first = generated(&mut engine, &prompt(&short, 16)).unwrap();
        generated(&mut engine, &prompt(&long, 2)).unwrap();
        let again = generated(&mut engine, &prompt(&short, 16)).unwrap();
        assert_eq!(first.ids, again.ids, "{}", folder.display());
        assert_eq!(first.logprobs, again.logprobs, "{}", folder.display());
        assert_eq!(first.computed_tokens as usize, short.len());
        for (request, score) in requests.iter().zip(&together).rev() {
            let alone = scores(&mut engine, std::slice::from_ref(request));
            assert_eq!(alone[0], *score, "{}", folder.display());
        }
    }
}

#[test]
fn choices_of_one_question_compute_it_once_where_the_state_can_be_copied() {
    for (folder, expected) in models() {
        let mut engine = load(&folder);
        let context = ids(&expected["sequences"]["middle"]);
        let choice = |id: u32| ScoreRequest {
            context: context.clone(),
            continuation: vec![id, 7],
        };
        let mut computed = Vec::new();
        let mut sink = |_: usize, r: Result<RawScore, EngineError>| {
            computed.push(r.unwrap().computed_tokens as usize);
            ControlFlow::Continue(())
        };
        engine
            .score(&[choice(10), choice(11), choice(12)], &mut sink)
            .unwrap();
        let whole = context.len() + 1;
        // The library cannot copy the state of these.
        let single = ["deepseek", "glm4", "gpt_bigcode", "stablelm"];
        let shared = !single.iter().any(|s| name(&folder).starts_with(s));
        let wanted = if shared {
            vec![whole, 1, 1]
        } else {
            vec![whole; 3]
        };
        assert_eq!(computed, wanted, "{}", folder.display());
    }
}

#[test]
fn prefill_and_decode_are_one_forward() {
    for (folder, expected) in models() {
        let mut engine = load(&folder);
        // A prompt of one piece and one of two, then steps, against the whole as a prompt.
        for (text, cuts) in [("middle", vec![1, 5]), ("long", vec![250, 256, 257, 299])] {
            let all = ids(&expected["sequences"][text]);
            let whole = logits(&mut engine, &all, all.len() - 1).pop().unwrap();
            for cut in cuts {
                let steps = logits(&mut engine, &all, cut - 1).pop().unwrap();
                let apart = farthest(&steps, &whole);
                assert!(apart < 2e-4, "{} cut at {cut}: {apart}", folder.display());
            }
        }
    }
}

#[test]
fn rows_in_parts_are_those_of_the_whole() {
    for (folder, expected) in models() {
        let mut engine = load(&folder);
        let ids = ids(&expected["sequences"]["short"]);
        let whole = logits(&mut engine, &ids, 0);
        for part in [0..2, 2..ids.len(), 1..1] {
            let mut found = Vec::new();
            let mut each = |position: usize, row: &[f32]| found.push((position, row.to_vec()));
            Engine::logits(&mut engine, &ids, part.clone(), &mut each).unwrap();
            let positions: Vec<usize> = found.iter().map(|f| f.0).collect();
            assert_eq!(positions, part.collect::<Vec<_>>(), "{}", name(&folder));
            for (position, row) in found {
                let far = farthest(&row, &whole[position]);
                assert!(far <= TOLERANCE, "{} {position}: {far}", name(&folder));
            }
        }
    }
}

#[test]
fn generation_ends_where_the_request_says() {
    let (folder, expected) = models()
        .into_iter()
        .find(|m| m.0.ends_with("olmo"))
        .unwrap();
    let short = ids(&expected["sequences"]["short"]);
    let tokens = ids(&expected["greedy"]);
    let mut options = options();
    let pieces: Vec<String> = (0..128).map(|id| format!("<{id}>")).collect();
    options.table = Arc::new(TokenTable::from_pieces(pieces.iter().map(String::as_str)));
    options.context = 10;
    let config = std::fs::read(folder.join("config.json")).unwrap();
    let mut engine = AdapterEngine::load(&set(&folder), &config, &options).unwrap();
    assert_eq!(engine.info().context, 10);

    let ended = generated(&mut engine, &prompt(&short, 100)).unwrap();
    assert_eq!(ended.finish, Finish::Context);
    assert_eq!(ended.ids, tokens[..4]);
    assert_eq!(ended.token_at.len(), 4);
    assert!(ended.prefill <= ended.token_at[0]);
    assert!(ended.logprobs.unwrap().iter().all(|l| *l < 0.0));

    let mut request = prompt(&short, 100);
    request.eos = vec![tokens[2]];
    let first = tokens.iter().position(|t| *t == tokens[2]).unwrap();
    let ended = generated(&mut engine, &request).unwrap();
    assert_eq!(
        (ended.finish, ended.ids.len()),
        (Finish::Eos(tokens[2]), first + 1)
    );

    request.eos.clear();
    request.stop = vec![format!("{}>", tokens[1]).into_bytes()];
    let ended = generated(&mut engine, &request).unwrap();
    assert!(
        matches!(ended.finish, Finish::Stop(_)),
        "{:?}",
        ended.finish
    );

    request.stop.clear();
    request.timeout = Some(std::time::Duration::ZERO);
    let ended = generated(&mut engine, &request).unwrap();
    assert_eq!((ended.finish, ended.ids.len()), (Finish::Timeout, 1));

    let refused = |engine: &mut AdapterEngine, ids: &[u32]| {
        generated(engine, &prompt(ids, 1)).unwrap_err().to_string()
    };
    let all = [
        refused(&mut engine, &[]),
        refused(&mut engine, &[128]),
        refused(&mut engine, &[1; 11]),
    ];
    let expected = [
        "the prompt is empty",
        "token id 128 is outside the vocabulary of 128",
        "the prompt has 11 tokens but the context holds 10",
    ];
    assert_eq!(all, expected);
}

/// What loading says after the set or the options were changed.
fn refusal(
    model: &str,
    change: impl FnOnce(&mut SafetensorsSet, &mut Value, &mut LoadOptions),
) -> String {
    let folder = folder().join(model);
    let (mut set, mut options) = (set(&folder), options());
    let mut config = config(&folder, "config.json");
    change(&mut set, &mut config, &mut options);
    let config = serde_json::to_vec(&config).unwrap();
    match AdapterEngine::load(&set, &config, &options) {
        Ok(_) => panic!("{model} was loaded"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn what_cannot_be_computed_is_refused_before_it_is() {
    let k_proj = "model.layers.1.self_attn.k_proj.weight";
    let bytes = |set: &mut SafetensorsSet| set.tensors.get_mut(k_proj).unwrap().1.clone();
    let all = [
        refusal("olmo", |_, _, o| o.device = DeviceChoice::Metal),
        refusal("olmo", |_, _, o| o.device = DeviceChoice::Cuda(0)),
        refusal("olmo", |_, _, o| o.dtype = Some(Dtype::Bf16)),
        refusal("olmo", |s, _, _| {
            s.tensors.remove(k_proj);
        }),
        refusal("olmo", |s, _, _| {
            s.tensors.get_mut(k_proj).unwrap().1.shape.reverse();
        }),
        refusal("olmo", |s, _, _| {
            s.tensors.get_mut(k_proj).unwrap().1.dtype = evalh::modelfile::Dtype::F8_E4M3;
        }),
        refusal("olmo", |s, _, _| {
            let other = bytes(s);
            s.tensors
                .insert("model.extra.weight".to_owned(), (0, other));
        }),
        refusal("olmo", |_, c, _| c["num_hidden_layers"] = json!(1)),
        refusal("olmo", |_, c, _| c["hidden_act"] = json!("cosine")),
        refusal("granitemoehybrid", |_, c, _| {
            c["layer_types"] = json!(["mamba", "attention"]);
        }),
        refusal("granitemoehybrid", |_, c, _| {
            c["layer_types"] = json!(["attention"]);
        }),
        refusal("mamba2", |_, c, _| {
            c["time_step_limit"] = json!([0.001, 0.1]);
        }),
        refusal("deepseek_v2", |_, c, _| {
            c["rope_parameters"]["rope_type"] = json!("linear");
        }),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    device `metal` is not available: architecture `olmo` is computed on the CPU only
    device `cuda` is not available: architecture `olmo` is computed on the CPU only
    activations in `bf16` were asked for, but on `cpu` they are computed in `f32`
    tensor `model.layers.1.self_attn.k_proj.weight` is missing
    tensor `model.layers.1.self_attn.k_proj.weight` has the shape [32, 16] where [16, 32] is needed
    tensor `model.layers.1.self_attn.k_proj.weight` has values of type F8_E4M3; F32, F16 and BF16 are read
    tensor `model.extra.weight` has no place in the description of this architecture
    tensor `model.layers.1.mlp.down_proj.weight` has no place in the description of this architecture
    `config.json` does not describe a model of the architecture `olmo`: unknown variant `cosine`, expected one of `gelu`, `gelu_new`, `newgelu`, `relu`, `relu2`, `relu6`, `silu`, `sigmoid`, `hardsigmoid`, `swiglu`, `swish`, `mish`, `hardswish`, `elu`, `leakyrelu`, `gelu_pytorch_tanh`, `gelupytorchtanh`
    `layer_types` in `config.json` is "mamba", and only "full_attention" is computed
    metadata `config.json: layer_types` is ["attention"]: every layer must have a type
    `time_step_limit` in `config.json` is [0.001,0.1], and only [0.0,{"__float__":"Infinity"}] is computed
    `rope_type` in `config.json` is "linear", and only "default" or "yarn" is computed
    "#);
}

#[test]
fn no_configuration_makes_the_library_panic_or_allocate_without_bound() {
    let mut loaded = 0;
    let mut seen = Vec::new();
    for (folder, _) in models() {
        let config = config(&folder, "config.json");
        if seen.contains(&config["model_type"]) {
            continue;
        }
        seen.push(config["model_type"].clone());
        let keys: Vec<String> = config.as_object().unwrap().keys().cloned().collect();
        for key in keys {
            for value in [
                json!(0),
                json!(-1),
                json!(3),
                json!(u64::MAX),
                json!(1e300),
                json!("x"),
                json!([]),
            ] {
                let mut altered = config.clone();
                altered[&key] = value;
                // Either is right; what must not happen is a panic, an abort or minutes of work.
                match load_with(&folder, &altered) {
                    Ok(_) => loaded += 1,
                    Err(e) => assert!(!e.to_string().is_empty()),
                }
            }
        }
    }
    assert!(loaded > 100, "{loaded}");
}

#[test]
fn older_forms_of_a_configuration_are_read() {
    let folder = folder().join("lfm2");
    let mut older = config(&folder, "config_v4.json");
    let layers = older.as_object_mut().unwrap();
    layers.remove("layer_types");
    layers.insert("full_attn_idxs".to_owned(), json!([1]));
    layers.insert("tie_embedding".to_owned(), json!(true));
    layers.insert("tie_word_embeddings".to_owned(), json!(false));
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let mut engine = load_with(&folder, &older).unwrap();
    assert!(worst(&mut engine, &expected) <= TOLERANCE);
}

#[test]
fn weights_take_four_bytes_a_value() {
    let folder = folder().join("gemma-bf16");
    let set = set(&folder);
    // The embedding table is the largest tensor, of 128 rows of 32 values in two bytes.
    assert_eq!(
        weights_in_memory(&set).0,
        set.parameters() * 4 + 128 * 32 * 2
    );
}

#[test]
fn the_documentation_lists_every_architecture() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/models.md");
    let page = std::fs::read_to_string(page).unwrap();
    let begin = page.find("| `model_type` |").unwrap();
    let table = page[begin..].split("\n\n").next().unwrap();
    let rows = table.lines().skip(2);
    let listed: Vec<&str> = rows.map(|row| row.split('`').nth(1).unwrap()).collect();
    assert_eq!(listed, supported());
}
