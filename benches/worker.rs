//! What the pipe to a worker costs: the same scripted generations in this process and in a worker, per request and per token.
//!
//! The mock engine computes nothing, so the difference is the pipe with its framing, checks and wake-ups. Nothing crosses the pipe between the
//! tokens of a sample: their times come with the result, and what is measured here is spent between samples.
//!
//! `cargo bench --bench worker --no-default-features`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints what it measured, on the clock of the standard library"
)]

use evalh::engine::mock::{MockEngine, MockScript};
use evalh::engine::worker::{LoadSpec, WorkerCommand, WorkerEngine, WorkerLimits, WorkerProbes};
use evalh::engine::{Engine, GenerateRequest};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rounds of each measurement; both sides take turns.
const ROUNDS: usize = 15;

const SCRIPT: &str = "[[reply]]\ntext = \"lorem ipsum dolor sit amet\"\n";

fn worker() -> WorkerEngine {
    let command = WorkerCommand {
        program: PathBuf::from(env!("CARGO_BIN_EXE_evalh")),
        arguments: vec!["worker".to_owned()],
        environment: BTreeMap::new(),
    };
    let probes = WorkerProbes {
        memory: |_| None,
        oom_kills: || None,
    };
    let spec = LoadSpec::Mock {
        model: "m".to_owned(),
        script: SCRIPT.to_owned(),
    };
    WorkerEngine::start(&command, &WorkerLimits::default(), probes, spec).unwrap()
}

/// Time to generate `tokens` tokens for each of `requests` prompts of `prompt` ids.
fn time(engine: &mut dyn Engine, requests: usize, prompt: usize, tokens: u32) -> Duration {
    let request = GenerateRequest {
        ids: vec![97; prompt],
        max_tokens: tokens,
        ..GenerateRequest::default()
    };
    let requests = vec![request; requests];
    let mut answered = 0;
    let begun = Instant::now();
    let ran = engine.generate(&requests, &mut |_, result| {
        assert_eq!(result.unwrap().ids.len(), tokens as usize);
        answered += 1;
        ControlFlow::Continue(())
    });
    let took = begun.elapsed();
    ran.unwrap();
    assert_eq!(answered, requests.len());
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Medians over rounds, divided by the number of requests: in this process, in a worker.
fn compare(worker: &mut WorkerEngine, requests: usize, prompt: usize, tokens: u32) -> [f64; 2] {
    let script = Arc::new(MockScript::parse("script", SCRIPT).unwrap());
    let mut here = MockEngine::new(script, "m");
    let mut times: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        times[0].push(time(&mut here, requests, prompt, tokens));
        times[1].push(time(worker, requests, prompt, tokens));
    }
    times.map(|t| median(t).as_secs_f64() * 1e6 / requests as f64)
}

fn main() {
    let starts = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        drop(worker());
        begun.elapsed()
    });
    let start = median(starts.collect());
    println!(
        "start, load and end of a worker: {:.1} ms (median of {ROUNDS})",
        start.as_secs_f64() * 1e3
    );
    println!("requests  prompt  tokens  here us/request  worker us/request  pipe us/request");
    let mut worker = worker();
    let mut cost = BTreeMap::new();
    for (requests, prompt, tokens) in [
        (200, 64, 1),
        (200, 64, 128),
        (200, 64, 1_024),
        (200, 2_048, 128),
        (200, 16_384, 1),
    ] {
        let [here, there] = compare(&mut worker, requests, prompt, tokens);
        println!(
            "{requests:8}  {prompt:6}  {tokens:6}  {here:15.1}  {there:17.1}  {:15.1}",
            there - here
        );
        cost.insert((prompt, tokens), there - here);
    }
    let per =
        |from: (usize, u32), to: (usize, u32), units: f64| (cost[&to] - cost[&from]) * 1e3 / units;
    println!(
        "pipe: {:.1} us a request, {:.1} ns a generated token, {:.1} ns a prompt token",
        cost[&(64, 1)],
        per((64, 1), (64, 1_024), 1_023.0),
        per((64, 1), (16_384, 1), 16_320.0),
    );
}
