//! The self-check: a loaded model against the plain CPU path, before its first request.
//!
//! In: a loaded engine and a way to build a second decoder over the same mapped file. Out: a [`SelfCheck`], or an error when the two do not
//! agree. Knows nothing of what is done with the model afterwards.
//!
//! A short prompt, the same for every run of a model, is computed as the run will compute it and by the plain kernels on the CPU
//! ([`PlainPool`]), whose weights are those of the mapped file and whose cache has the length of the prompt; it is dropped before anything else is
//! loaded. Then a few requests of unequal lengths are scored together, where they share prefixes, and each by itself.
//!
//! # What may differ
//! Nothing, between the kernels of two instruction sets: they give the same bits (decision 0002). candle's own operations on quantised
//! weights round the activations, on the CPU and with CUDA to 8 bits, on Metal to 16, and the cache of a GPU is in 16 bits. The limits are shares of the
//! spread of the logits (highest minus lowest), because what rounding does grows with them (docs/limits.md has what was measured).
//!
//! # What it costs
//! The tokens of the prompt are fewer the larger the model is ([`MULTIPLY_ADDS`]), and only the last positions have logits.

use super::decoder::Decoder;
use super::ops::Mode;
use super::run::CandleEngine;
use crate::clock;
use crate::engine::decoding::argmax;
use crate::engine::kernels::PlainPool;
use crate::engine::{Engine, EngineError, EngineInfo, LoadOptions, ScoreRequest};
use crate::modelfile::ModelFile;
use crate::record::SelfCheck;
use std::ops::ControlFlow;

/// Most and fewest tokens of the prompt.
const TOKENS: (usize, usize) = (12, 3);

/// Multiplications the plain path may take for the prompt, while it has more than the fewest tokens: about a second on two cores.
const MULTIPLY_ADDS: u64 = 2_000_000_000;

/// Positions whose logits are compared.
const POSITIONS: usize = 2;

/// What own kernels may differ from the plain ones, as a share of the spread of the logits. They do not, so this is what 32-bit floats in another
/// order could explain.
const KERNELS: f64 = 1e-3;

/// What operations may differ that round to 16 bits: forty times the rounding of one value, for it adds up over layers. Not measured here.
const SIXTEEN_BITS: f64 = 2e-2;

/// What operations may differ that round activations to 8 bits: twice the most that was measured on real models.
const EIGHT_BITS: f64 = 2e-1;

/// What is computed, and what may differ.
pub(super) struct Plan {
    ids: Vec<u32>,
    tolerance: f64,
}

impl Plan {
    /// The plan for a loaded model.
    pub(super) fn new(
        file: &ModelFile,
        info: &EngineInfo,
        options: &LoadOptions,
        mode: Mode,
    ) -> Self {
        let length = length(file.parameters(), info.context);
        Self {
            ids: prompt(length, info.vocabulary, options),
            tolerance: match (mode, info.device.as_str()) {
                (Mode::Kernels, _) => KERNELS,
                (Mode::Tensors, "metal") => SIXTEEN_BITS,
                (Mode::Tensors, _) => EIGHT_BITS,
            },
        }
    }
}

/// Tokens of the prompt for a model with so many weights.
fn length(weights: u64, context: u32) -> usize {
    let affordable = MULTIPLY_ADDS / weights.max(1);
    let (most, fewest) = TOKENS;
    (affordable as usize)
        .clamp(fewest, most)
        .min(context as usize)
}

/// BOS and then ids that stand for text, spread over the vocabulary.
fn prompt(length: usize, vocabulary: u32, options: &LoadOptions) -> Vec<u32> {
    // Steps of the golden ratio visit every part of the vocabulary, in no order that a kernel could favour.
    let at = |n: u32| {
        let spread = u64::from(n.wrapping_mul(0x9E37_79B9)) * u64::from(vocabulary);
        (spread >> 32) as u32
    };
    let written = |id: &u32| !options.table.piece(*id).is_empty();
    let bos = options.bos.filter(|&id| id < vocabulary);
    let words = (1..=vocabulary.min(1 << 16)).map(at).filter(written);
    let any = (1..).map(at);
    bos.into_iter()
        .chain(words.chain(any))
        .take(length)
        .collect()
}

/// Compares a loaded engine with the decoder that `reference` builds for so many positions.
///
/// # Errors
/// [`EngineError::SelfCheck`] when they differ by more than the plan allows; an error of either.
pub(super) fn check(
    engine: &mut CandleEngine,
    plan: &Plan,
    reference: impl FnOnce(usize) -> Result<Decoder, EngineError> + Send,
) -> Result<SelfCheck, EngineError> {
    let begun = clock::now();
    let ids = &plan.ids;
    let wanted = ids.len().saturating_sub(POSITIONS);
    let pool = PlainPool::new().map_err(|error| EngineError::Backend {
        what: "start of threads for the self-check",
        why: error.to_string(),
    })?;
    let expected = pool.install(|| {
        let reference = reference(ids.len())?;
        let long = reference.is_long(ids.len());
        rows(|each| reference.forward(ids, (0, long), wanted, each))
    })?;
    drop(pool);
    let found = rows(|each| engine.logits(ids, wanted, each))?;
    let batch_diff = batch_difference(engine, ids)?;
    engine.forget();
    let check = SelfCheck {
        tokens: ids.len() as u32,
        positions: expected.len() as u32,
        same_top1: same_top1(&found, &expected),
        logit_diff: largest_difference(found.iter().flatten(), expected.iter().flatten()),
        logit_spread: spread(&expected),
        batch_diff,
        tolerance: plan.tolerance,
        took: begun.elapsed(),
    };
    let device = engine.info().device.clone();
    tracing::info!(%device, ?check, "a model was checked");
    if check.passed() {
        return Ok(check);
    }
    Err(EngineError::SelfCheck {
        device,
        check: Box::new(check),
    })
}

/// The rows of logits that a pass hands over.
fn rows(
    pass: impl FnOnce(&mut dyn FnMut(usize, &[f32])) -> Result<(), EngineError>,
) -> Result<Vec<Vec<f32>>, EngineError> {
    let mut rows = Vec::new();
    pass(&mut |_, logits| rows.push(logits.to_vec()))?;
    Ok(rows)
}

/// The largest difference, or NaN where one of the values is no number.
fn largest_difference<'v>(
    a: impl Iterator<Item = &'v f32>,
    b: impl Iterator<Item = &'v f32>,
) -> f64 {
    let differences = a.zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).abs());
    differences.fold(0.0, |worst: f64, d| {
        if worst.is_nan() || d.is_nan() {
            f64::NAN
        } else {
            worst.max(d)
        }
    })
}

fn spread(rows: &[Vec<f32>]) -> f64 {
    let all = || rows.iter().flatten().copied();
    let highest = all().fold(f32::NEG_INFINITY, f32::max);
    f64::from(highest) - f64::from(all().fold(f32::INFINITY, f32::min))
}

fn same_top1(found: &[Vec<f32>], expected: &[Vec<f32>]) -> u32 {
    let same = |(a, b): &(&Vec<f32>, &Vec<f32>)| argmax(a).is_some() && argmax(a) == argmax(b);
    found.iter().zip(expected).filter(same).count() as u32
}

/// Requests of unequal lengths, of which two share a prefix and one, where the prompt is not of the shortest, shares nothing.
fn requests(ids: &[u32]) -> Vec<ScoreRequest> {
    let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else {
        return Vec::new();
    };
    let (most, half) = (ids.len() - 1, ids.len() / 2);
    let request = |context: &[u32], next| ScoreRequest {
        context: context.to_vec(),
        continuation: vec![next],
    };
    let mut requests = vec![
        request(&ids[..most.max(1)], last),
        request(&ids[..half.max(1)], last),
    ];
    // A pass over a large model costs the same however few its tokens are.
    if ids.len() > TOKENS.1 {
        requests.push(request(&ids[half + 1..], first));
    }
    requests
}

/// A score and how many tokens were computed for it.
#[derive(Debug, Clone, Copy)]
struct Scored {
    logprob: f32,
    computed: usize,
}

/// The largest difference between log-probabilities scored together and each by itself; NaN when one is no number.
fn batch_difference(engine: &mut CandleEngine, ids: &[u32]) -> Result<f64, EngineError> {
    let requests = requests(ids);
    engine.forget();
    let together = score(engine, &requests)?;
    let mut alone = Vec::new();
    for (request, scored) in requests.iter().zip(&together) {
        // This engine makes one pass a request: what shared nothing was computed by itself already.
        if scored.computed == request.context.len() {
            alone.push(*scored);
            continue;
        }
        engine.forget();
        alone.extend(score(engine, std::slice::from_ref(request))?);
    }
    let values = |scores: &[Scored]| scores.iter().map(|s| s.logprob).collect::<Vec<f32>>();
    Ok(largest_difference(
        values(&together).iter(),
        values(&alone).iter(),
    ))
}

/// The log-probability of every request's continuation, in their order.
fn score(engine: &mut CandleEngine, requests: &[ScoreRequest]) -> Result<Vec<Scored>, EngineError> {
    let nothing = Scored {
        logprob: f32::NAN,
        computed: 0,
    };
    let mut scores = vec![nothing; requests.len()];
    let mut failed = None;
    engine.score(requests, &mut |index, result| match result {
        Ok(score) => {
            scores[index] = Scored {
                logprob: score.token_logprobs.first().copied().unwrap_or(f32::NAN),
                computed: score.computed_tokens as usize,
            };
            ControlFlow::Continue(())
        }
        Err(EngineError::NotANumber { .. }) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(scores), Err)
}

#[cfg(test)]
mod tests {
    use super::super::describe::describe;
    use super::super::family::Blueprint;
    use super::super::weights::Weights;
    use super::*;
    use crate::record::{DeviceChoice, TokenTable};
    use candle_core::Device;
    use std::path::Path;
    use std::sync::Arc;

    fn file(family: &str) -> ModelFile {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families");
        let mut files: Vec<_> = std::fs::read_dir(folder.join(family))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|e| e == "gguf" || e == "safetensors")
            })
            .collect();
        files.sort();
        ModelFile::open(&files[0]).unwrap()
    }

    fn options(device: DeviceChoice) -> LoadOptions {
        LoadOptions {
            device,
            dtype: None,
            context: 64,
            table: Arc::new(TokenTable::default()),
            bos: Some(1),
            peak_memory: || None,
        }
    }

    type Change = fn(&mut Blueprint);

    /// A check against a decoder whose description `change` made another.
    fn check_against(device: DeviceChoice, change: Change) -> Result<SelfCheck, EngineError> {
        let file = file("llama");
        let options = options(device);
        let mut engine = CandleEngine::load(&file, &options).unwrap();
        let mode = if device == DeviceChoice::Cpu {
            Mode::Kernels
        } else {
            Mode::Tensors
        };
        let plan = Plan::new(&file, engine.info(), &options, mode);
        check(&mut engine, &plan, |capacity| {
            let mut described = describe(&file)?;
            change(&mut described.blueprint);
            let weights = Weights::new(described.tensors, Device::Cpu, Mode::Kernels);
            let (blueprint, kernels) = (described.blueprint, Mode::Kernels);
            Decoder::new(blueprint, &weights, &Device::Cpu, kernels, capacity)
        })
    }

    #[test]
    fn every_family_passes_on_both_paths() {
        for family in [
            "llama",
            "gemma2",
            "gemma3",
            "mixtral",
            "phi3",
            "qwen3",
            "mistral-window",
        ] {
            for device in [DeviceChoice::Cpu, DeviceChoice::CpuPlain] {
                let engine = CandleEngine::load(&file(family), &options(device)).unwrap();
                let check = engine.info().check.clone().unwrap();
                assert_eq!((check.tokens, check.positions), (12, 2), "{family}");
                assert!(check.logit_spread > 0.0, "{family}: {check:?}");
                if device == DeviceChoice::Cpu {
                    // The kernels of every instruction set give the same bits, and so do batches.
                    assert_eq!((check.logit_diff, check.batch_diff), (0.0, 0.0), "{family}");
                    assert_eq!(check.same_top1, 2, "{family}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_kernel_is_caught() {
        assert!(check_against(DeviceChoice::Cpu, |_| {}).is_ok());
        // Each is what a kernel would compute that is wrong in one place.
        let wrong: [(&str, Change); 4] = [
            ("scores of attention", |b| b.attention_scale *= 1.5),
            ("epsilon of the norm", |b| b.eps *= 1e4),
            ("activation", |b| {
                b.activation = crate::engine::kernels::elementwise::Activation::GeluTanh;
            }),
            ("rotation", |b| {
                b.rope_style = crate::engine::kernels::elementwise::RopeStyle::Halves;
            }),
        ];
        for (what, change) in wrong {
            let error = check_against(DeviceChoice::Cpu, change).unwrap_err();
            let EngineError::SelfCheck { device, check } = &error else {
                panic!("{what}: {error}");
            };
            assert_eq!(device, "cpu", "{what}");
            assert!(check.logit_diff > check.limit(), "{what}: {check:?}");
            assert!(
                error
                    .to_string()
                    .starts_with("the self-check failed on `cpu`: a logit differs")
            );
        }
    }

    #[test]
    fn a_prefix_that_is_shared_is_part_of_the_check() {
        let mut engine = CandleEngine::load(&file("llama"), &options(DeviceChoice::Cpu)).unwrap();
        let requests = requests(&[1, 2, 3, 4, 5, 6]);
        let scored = score(&mut engine, &requests).unwrap();
        let computed: Vec<usize> = scored.iter().map(|s| s.computed).collect();
        assert_eq!(
            computed.iter().filter(|&&n| n < 3).count(),
            2,
            "{computed:?}"
        );
        assert!(
            requests
                .iter()
                .zip(&computed)
                .any(|(r, &n)| n < r.context.len())
        );
    }

    #[test]
    fn the_engine_forgets_the_check() {
        let mut engine = CandleEngine::load(&file("llama"), &options(DeviceChoice::Cpu)).unwrap();
        let request = requests(&[1, 2, 3, 4, 5, 6]);
        let mut computed = Vec::new();
        engine
            .score(&request[..1], &mut |_, result| {
                computed.push(result.unwrap().computed_tokens);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(computed, [5]);
    }

    #[test]
    fn the_prompt_is_short_for_large_models_and_the_same_every_time() {
        assert_eq!(length(135_000_000, 2_048), 12);
        assert_eq!(length(268_000_000, 2_048), 7);
        assert_eq!(length(7_000_000_000, 2_048), 3);
        assert_eq!((length(1, 2), length(0, 1)), (2, 1));
        let mut options = options(DeviceChoice::Cpu);
        options.table = Arc::new(TokenTable::from_pieces(
            (0..1000).map(|id| if id % 2 == 0 { "" } else { "x" }),
        ));
        let ids = prompt(12, 1_000, &options);
        assert_eq!(ids, prompt(12, 1_000, &options));
        assert_eq!((ids.len(), ids[0]), (12, 1));
        assert!(
            ids[1..].iter().all(|id| id % 2 == 1 && *id < 1_000),
            "{ids:?}"
        );
        options.bos = Some(5_000);
        options.table = Arc::new(TokenTable::default());
        assert!(prompt(3, 2, &options).iter().all(|id| *id < 2));
    }

    #[test]
    fn a_value_that_is_no_number_is_the_largest_difference() {
        let difference = |a: &[f32], b: &[f32]| largest_difference(a.iter(), b.iter());
        assert_eq!(difference(&[1.0, 2.0], &[1.0, 2.5]), 0.5);
        assert!(difference(&[f32::NAN, 2.0], &[1.0, 9.0]).is_nan());
        assert!(difference(&[f32::INFINITY], &[f32::INFINITY]).is_nan());
        assert_eq!(same_top1(&[vec![f32::NAN]], &[vec![f32::NAN]]), 0);
    }

    #[test]
    fn requests_have_unequal_lengths_and_fit_short_contexts() {
        let lengths = |n: u32| {
            let ids: Vec<u32> = (0..n).collect();
            let lengths = requests(&ids).into_iter().map(|r| r.context.len());
            lengths.collect::<Vec<_>>()
        };
        assert_eq!(lengths(12), [11, 6, 5]);
        assert_eq!((lengths(4), lengths(3)), (vec![3, 2, 1], vec![2, 1]));
        assert_eq!((lengths(1), lengths(0)), (vec![1, 1], vec![]));
    }
}
