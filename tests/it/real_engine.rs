//! The candle engine on the two real models, against float32 transformers (`tests/golden/*.json`).

use crate::real_models::{MODELS, model_file, reference};
use evalh::engine::candle::{CandleEngine, LoadOptions};
use evalh::engine::{
    DecodingParams, Engine, GenerateRequest, RawGeneration, RawScore, ScoreRequest,
};
use evalh::modelfile::ModelFile;
use evalh::record::{DeviceChoice, Finish, TokenTable};
use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::Arc;

fn load(name: &str, device: DeviceChoice) -> Option<CandleEngine> {
    let file = ModelFile::open(&model_file(name)?).unwrap();
    let options = LoadOptions {
        bos: None,
        device,
        dtype: None,
        context: 1024,
        table: Arc::new(TokenTable::default()),
        peak_memory: || None,
    };
    Some(CandleEngine::load(&file, &options).unwrap())
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_u64().unwrap() as u32)
        .collect()
}

fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

fn score(engine: &mut CandleEngine, requests: &[ScoreRequest]) -> Vec<RawScore> {
    let mut out = vec![None; requests.len()];
    let mut sink = |i: usize, r: Result<RawScore, _>| {
        out[i] = Some(r.unwrap());
        ControlFlow::Continue(())
    };
    engine.score(requests, &mut sink).unwrap();
    out.into_iter().map(Option::unwrap).collect()
}

fn generate(engine: &mut CandleEngine, request: GenerateRequest) -> RawGeneration {
    let mut out = None;
    engine
        .generate(&[request], &mut |_, r| {
            out = Some(r.unwrap());
            ControlFlow::Continue(())
        })
        .unwrap();
    out.unwrap()
}

/// Agreement with the reference over all prompts.
#[derive(Debug, Default)]
struct Agreement {
    positions: usize,
    agree: usize,
    /// Positions whose reference arg-max leads by at least 1.0, and disagreements among them.
    clear: (usize, usize),
    differences: Vec<f64>,
}

fn compare(engine: &mut CandleEngine, prompts: &[Value]) -> Agreement {
    let mut total = Agreement::default();
    for prompt in prompts {
        let input = ids(&prompt["input_ids"]);
        let greedy = ids(&prompt["greedy_ids"]);
        let requests = [
            ScoreRequest {
                context: input.clone(),
                continuation: greedy.clone(),
            },
            ScoreRequest {
                context: input[..1].to_vec(),
                continuation: input[1..].to_vec(),
            },
        ];
        let scores = score(engine, &requests);
        for ((top, want), gap) in scores[0]
            .token_top1
            .iter()
            .zip(&greedy)
            .zip(floats(&prompt["greedy_top2_gap"]))
        {
            total.positions += 1;
            total.agree += usize::from(top == want);
            if gap >= 1.0 {
                total.clear.0 += 1;
                total.clear.1 += usize::from(top != want);
            }
        }
        let wanted = floats(&prompt["token_logprobs"]);
        total.differences.extend(
            scores[1]
                .token_logprobs
                .iter()
                .zip(wanted)
                .map(|(g, w)| (f64::from(*g) - w).abs()),
        );
    }
    total
}

#[test]
fn logits_agree_with_float32_transformers() {
    for name in MODELS {
        let Some(mut engine) = load(name, DeviceChoice::Cpu) else {
            return;
        };
        let reference = reference(name);
        let found = compare(&mut engine, reference["prompts"].as_array().unwrap());
        let mean = found.differences.iter().sum::<f64>() / found.differences.len() as f64;
        let max = found.differences.iter().copied().fold(0.0, f64::max);
        println!(
            "{name}: arg-max {}/{}, clear {}-{}, mean |d logprob| {mean:.6}, max {max:.6}",
            found.agree, found.positions, found.clear.0, found.clear.1
        );
        assert_eq!(found.positions, 288);
        assert_eq!(found.clear.1, 0, "a clear arg-max differs");
        assert!(found.agree * 100 >= found.positions * 99);
        assert!(mean < 0.001 && max < 0.01, "mean {mean}, max {max}");
    }
}

#[test]
fn greedy_decoding_repeats_and_equals_one_forward() {
    for name in MODELS {
        let Some(mut engine) = load(name, DeviceChoice::Cpu) else {
            return;
        };
        let reference = reference(name);
        for prompt in &reference["prompts"].as_array().unwrap()[..4] {
            let request = GenerateRequest {
                ids: ids(&prompt["input_ids"]),
                max_tokens: 24,
                logprobs: true,
                ..Default::default()
            };
            let first = generate(&mut engine, request.clone());
            let again = generate(&mut engine, request.clone());
            assert_eq!(
                (&first.ids, &first.logprobs),
                (&again.ids, &again.logprobs),
                "the same prompt twice"
            );
            assert_eq!(first.finish, Finish::Length);
            assert_eq!(first.token_at.len(), first.ids.len());
            assert!(first.token_at.is_sorted() && first.prefill <= first.token_at[0]);
            // Decoding one token at a time gives the same bits as one pass over everything.
            let whole = score(
                &mut engine,
                &[ScoreRequest {
                    context: request.ids,
                    continuation: first.ids.clone(),
                }],
            );
            assert_eq!(whole[0].token_top1, first.ids);
            assert_eq!(Some(&whole[0].token_logprobs), first.logprobs.as_ref());
        }
    }
}

#[test]
fn kernels_agree_with_candle_operations() {
    for name in MODELS {
        let Some(mut kernels) = load(name, DeviceChoice::Cpu) else {
            return;
        };
        let mut plain = load(name, DeviceChoice::CpuPlain).unwrap();
        let reference = reference(name);
        let prompts = &reference["prompts"].as_array().unwrap()[..3];
        let found = compare(&mut kernels, prompts);
        let by_candle = compare(&mut plain, prompts);
        // candle rounds activations to 8 bits on the CPU, so its own differences from the reference are larger.
        let mean = |a: &Agreement| a.differences.iter().sum::<f64>() / a.differences.len() as f64;
        println!(
            "{name}: kernels {:.6}, candle {:.6}",
            mean(&found),
            mean(&by_candle)
        );
        assert!(mean(&by_candle) < 0.15);
        assert_eq!(by_candle.clear.1, 0);
    }
}

#[test]
fn drawing_depends_on_the_seed_only() {
    let Some(mut engine) = load(MODELS[0], DeviceChoice::Cpu) else {
        return;
    };
    let prompt = ids(&reference(MODELS[0])["prompts"][0]["input_ids"]);
    let mut draw = |seed| {
        let decoding = DecodingParams {
            temperature: 1.0,
            top_p: Some(0.95),
            seed,
            ..Default::default()
        };
        generate(
            &mut engine,
            GenerateRequest {
                ids: prompt.clone(),
                max_tokens: 12,
                decoding,
                ..Default::default()
            },
        )
        .ids
    };
    let (a, b, c) = (draw(1), draw(1), draw(2));
    assert_eq!(a, b);
    assert_ne!(a, c);
}

/// Peak resident memory of this process in bytes, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[test]
fn a_loaded_model_agrees_with_the_plain_path() {
    for name in MODELS {
        for device in [DeviceChoice::Cpu, DeviceChoice::CpuPlain] {
            let Some(mut engine) = load(name, device) else {
                return;
            };
            let check = engine.info().check.clone().unwrap();
            let loaded = peak();
            let request = GenerateRequest {
                ids: (0..32).collect(),
                max_tokens: 1,
                ..GenerateRequest::default()
            };
            generate(&mut engine, request);
            println!(
                "{name} on {device}: {check:?}; peak {loaded:?} after the check, {:?} after a prompt",
                peak()
            );
            if device == DeviceChoice::Cpu {
                assert_eq!((check.logit_diff, check.batch_diff), (0.0, 0.0), "{name}");
                assert_eq!(check.same_top1, check.positions, "{name}");
            } else {
                // Activations are rounded to 8 bits there.
                assert!(check.logit_diff < check.limit(), "{name}: {check:?}");
                assert_eq!(check.same_top1, check.positions, "{name}");
            }
        }
    }
}
