//! Perplexity of `tests/golden/perplexity/text.txt` under the two real models, against float32 transformers on the same windows.
//!
//! The windows are made by the code that the runner uses; `golden_likelihood` holds them against the script's. To be run optimised: `just test-models FOLDER`.

use crate::golden_likelihood::{LENGTH, own_windows, perplexities};
use crate::real_models::{MODELS, model_file};
use evalh::engine::Engine;
use evalh::engine::candle::{CandleEngine, LoadOptions};
use evalh::modelfile::ModelFile;
use evalh::record::{DeviceChoice, TokenTable};
use evalh::suite::WindowPlan;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Share by which a perplexity may differ.
const ALLOWED: f64 = 0.005;

fn load(name: &str) -> Option<CandleEngine> {
    let file = ModelFile::open(&model_file(name)?).unwrap();
    let options = LoadOptions {
        bos: None,
        device: DeviceChoice::Cpu,
        dtype: None,
        context: LENGTH as u32 + 1,
        table: Arc::new(TokenTable::default()),
        peak_memory: || None,
    };
    Some(CandleEngine::load(&file, &options).unwrap())
}

#[test]
fn perplexities_are_within_half_a_percent_of_float32() {
    // Without optimisation the whole text takes longer than all other tests: the first windows are enough to see that it runs.
    let most = if cfg!(debug_assertions) {
        1
    } else {
        usize::MAX
    };
    for model in MODELS {
        let Some(mut engine) = load(model) else {
            return;
        };
        let golden = perplexities(model);
        for plan in WindowPlan::ALL {
            let reference = &golden["plans"][plan.as_str()];
            let mut requests = own_windows(&golden, model, plan);
            requests.truncate(most);
            let wanted: f64 = reference["windows"].as_array().unwrap()[..requests.len()]
                .iter()
                .map(|w| w[4].as_f64().unwrap())
                .sum();
            let (mut sum, mut tokens) = (0.0, 0_usize);
            let mut sink = |_: usize, raw: Result<evalh::engine::RawScore, _>| {
                let raw = raw.unwrap();
                sum += raw
                    .token_logprobs
                    .iter()
                    .map(|x| f64::from(*x))
                    .sum::<f64>();
                tokens += raw.token_logprobs.len();
                ControlFlow::Continue(())
            };
            engine.score(&requests, &mut sink).unwrap();
            let perplexity = |sum: f64| (-sum / tokens as f64).exp();
            let (found, expected) = (perplexity(sum), perplexity(wanted));
            let off = found / expected - 1.0;
            println!(
                "{model} {}: {} windows, {tokens} tokens, perplexity {found:.5}, reference {expected:.5}, off by {:.4} %",
                plan.as_str(),
                requests.len(),
                100.0 * off
            );
            assert!(off.abs() <= ALLOWED, "{model} {}: {off}", plan.as_str());
            if most == usize::MAX {
                assert_eq!(tokens as u64, reference["scored_tokens"].as_u64().unwrap());
            }
        }
    }
}
