use super::*;
use std::ops::ControlFlow;

fn script(text: &str) -> Arc<MockScript> {
    Arc::new(MockScript::parse("script.toml", text).unwrap())
}

fn ids(text: &str) -> Vec<u32> {
    std::iter::once(257)
        .chain(text.bytes().map(u32::from))
        .collect()
}

fn request(prompt: &str) -> GenerateRequest {
    GenerateRequest {
        ids: ids(prompt),
        max_tokens: 64,
        eos: vec![EOS],
        ..GenerateRequest::default()
    }
}

fn generate(
    engine: &mut MockEngine,
    requests: &[GenerateRequest],
) -> Vec<Result<RawGeneration, String>> {
    let mut out = Vec::new();
    engine
        .generate(requests, &mut |index, result| {
            assert_eq!(index, out.len());
            out.push(result.map_err(|e| e.to_string()));
            ControlFlow::Continue(())
        })
        .unwrap();
    out
}

fn text(raw: &RawGeneration) -> String {
    let bytes = raw.ids.iter().filter_map(|&id| u8::try_from(id).ok());
    String::from_utf8(bytes.collect()).unwrap()
}

const SCRIPT: &str = r#"
[[reply]]
model = "gemma*"
contains = "capital of France"
text = "Paris"
ttft_ms = 40
tpot_ms = 8.5
load_ms = 220

[[reply]]
contains = "twice"
fail = "out_of_memory"
times = 2

[[reply]]
contains = "nan"
fail = "not_a_number"

[[reply]]
contains = "slow"
text = "too late"
ttft_ms = 900
tpot_ms = 100
"#;

#[test]
fn rules_answer_with_their_text_and_times() {
    let mut gemma = MockEngine::new(script(SCRIPT), "gemma-3");
    let out = generate(&mut gemma, &[request("What is the capital of France?")]);
    let raw = out[0].as_ref().unwrap();
    assert_eq!(text(raw), "Paris");
    assert_eq!((raw.ids.len(), &raw.finish), (6, &Finish::Eos(EOS)));
    let micros: Vec<u128> = raw.token_at.iter().map(Duration::as_micros).collect();
    assert_eq!(micros, [40_000, 48_500, 57_000, 65_500, 74_000, 82_500]);
    assert_eq!(raw.prefill, Duration::from_millis(40));
    assert_eq!(gemma.scripted_load(), Some(Duration::from_millis(220)));
    let mut other = MockEngine::new(script(SCRIPT), "smollm2");
    assert_eq!(other.scripted_load(), None);
    let out = generate(&mut other, &[request("What is the capital of France?")]);
    assert!(text(out[0].as_ref().unwrap()).starts_with("mock answer "));
}

#[test]
fn rules_are_used_up_and_fail_as_told() {
    let mut engine = MockEngine::new(script(SCRIPT), "m");
    let out = generate(&mut engine, &vec![request("twice"); 3]);
    assert_eq!(out[0].as_ref().unwrap_err(), "memory ran out, as scripted");
    assert_eq!(out[1], out[0]);
    assert!(out[2].is_ok());
    let out = generate(&mut engine, &[request("nan")]);
    assert_eq!(
        out[0].as_ref().unwrap_err(),
        "the logits at position 4 are not numbers"
    );
    for (fail, kind) in [
        (MockFailure::OutOfMemory, FailureKind::OutOfMemory),
        (MockFailure::Engine, FailureKind::Engine),
        (MockFailure::NotANumber, FailureKind::NotANumber),
        (MockFailure::Crash, FailureKind::Crash),
        (MockFailure::Panic, FailureKind::Crash),
        (MockFailure::Abort, FailureKind::Crash),
        (MockFailure::Exit, FailureKind::Crash),
        (MockFailure::Garbage, FailureKind::Crash),
        (MockFailure::Hang, FailureKind::Crash),
    ] {
        assert_eq!(fail.error(0).failure_kind(), kind);
    }
    // Without a worker a death is told, and it is no death of the engine.
    let told = MockFailure::Abort.error(0);
    assert_eq!(told.to_string(), "the worker died, as scripted");
    assert!(!told.is_death());
}

#[test]
fn limits_end_a_generation() {
    let mut engine = MockEngine::new(script("[[reply]]\ntext = \"one two three\""), "m");
    let short = GenerateRequest {
        max_tokens: 3,
        ..request("x")
    };
    let stop = GenerateRequest {
        stop: vec![b"zz".to_vec(), b" tw".to_vec()],
        ..request("x")
    };
    let endless = GenerateRequest {
        eos: Vec::new(),
        max_tokens: 20,
        ..request("x")
    };
    let nothing = GenerateRequest {
        max_tokens: 0,
        ..request("x")
    };
    let out = generate(&mut engine, &[short, stop, endless, nothing]);
    let shown: Vec<(String, Finish)> = out
        .iter()
        .map(|r| r.as_ref().unwrap())
        .map(|r| (text(r), r.finish.clone()))
        .collect();
    assert_eq!(
        shown,
        [
            ("one".to_owned(), Finish::Length),
            ("one tw".to_owned(), Finish::Stop(" tw".to_owned())),
            ("one two threeone two".to_owned(), Finish::Length),
            (String::new(), Finish::Length),
        ]
    );
    let mut slow = MockEngine::new(script(SCRIPT), "m");
    let limit = |ms| GenerateRequest {
        timeout: Some(Duration::from_millis(ms)),
        ..request("slow")
    };
    let out = generate(&mut slow, &[limit(500), limit(1_100)]);
    let shown: Vec<(String, Finish)> = out
        .iter()
        .map(|r| r.as_ref().unwrap())
        .map(|r| (text(r), r.finish.clone()))
        .collect();
    assert_eq!(
        shown,
        [
            (String::new(), Finish::Timeout),
            ("too".to_owned(), Finish::Timeout)
        ]
    );
}

#[test]
fn a_hanging_rule_really_waits_but_not_beyond_the_time_limit() {
    let mut engine = MockEngine::new(script("[[reply]]\nhang_ms = 60000"), "m");
    let begin = crate::clock::now();
    let limited = GenerateRequest {
        timeout: Some(Duration::from_millis(30)),
        ..request("x")
    };
    let out = generate(&mut engine, &[limited]);
    assert_eq!(out[0].as_ref().unwrap().finish, Finish::Timeout);
    assert!(begin.elapsed() >= Duration::from_millis(30));
}

#[test]
fn bad_requests_are_refused_one_by_one() {
    let mut engine = MockEngine::new(Arc::default(), "m");
    let empty = GenerateRequest {
        ids: Vec::new(),
        ..request("")
    };
    let strange = GenerateRequest {
        ids: vec![258],
        ..request("")
    };
    let long = GenerateRequest {
        ids: vec![0; 32_768],
        ..request("")
    };
    let full = GenerateRequest {
        ids: vec![0; 32_766],
        ..request("")
    };
    let out = generate(&mut engine, &[empty, strange, long, full]);
    assert_eq!(out[0].as_ref().unwrap_err(), "the prompt is empty");
    assert_eq!(
        out[1].as_ref().unwrap_err(),
        "token id 258 is outside the vocabulary of 258"
    );
    assert_eq!(
        out[2].as_ref().unwrap_err(),
        "the prompt has 32768 tokens but the context holds 32768"
    );
    let last = out[3].as_ref().unwrap();
    assert_eq!((last.ids.len(), &last.finish), (2, &Finish::Context));
}

#[test]
fn the_sink_breaks_off() {
    let mut engine = MockEngine::new(Arc::default(), "m");
    let mut seen = 0;
    engine
        .generate(&vec![request("x"); 5], &mut |_, _| {
            seen += 1;
            if seen == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    assert_eq!(seen, 2);
}

fn score(engine: &mut MockEngine, context: &str, continuation: Vec<u32>) -> RawScore {
    let request = ScoreRequest {
        context: ids(context),
        continuation,
    };
    let mut out = None;
    engine
        .score(&[request], &mut |_, result| {
            out = Some(result.unwrap());
            ControlFlow::Continue(())
        })
        .unwrap();
    out.unwrap()
}

#[test]
fn what_is_generated_is_most_probable_and_the_rest_is_not() {
    let mut engine = MockEngine::new(script(SCRIPT), "gemma-3");
    let prompt = "the capital of France";
    let with = GenerateRequest {
        logprobs: true,
        ..request(prompt)
    };
    let raw = generate(&mut engine, &[with]).remove(0).unwrap();
    let scored = score(&mut engine, prompt, raw.ids.clone());
    assert_eq!(scored.token_top1, raw.ids);
    assert_eq!(Some(&scored.token_logprobs), raw.logprobs.as_ref());
    let other = score(&mut engine, prompt, ids("Rome")[1..].to_vec());
    assert_eq!(other.token_top1[0], u32::from(b'P'));
    assert!(
        other.token_logprobs[0] < -2.9
            && other.token_logprobs.iter().all(|p| (-9.0..0.0).contains(p))
    );
    assert_eq!(score(&mut engine, prompt, ids("Rome")[1..].to_vec()), other);
}

#[test]
fn the_default_answer_depends_on_the_prompt_alone() {
    let mut a = MockEngine::new(Arc::default(), "a");
    let mut b = MockEngine::new(Arc::default(), "b");
    let one = generate(&mut a, &[request("x"), request("y")]);
    let two = generate(&mut b, &[request("y"), request("x")]);
    assert_eq!(one[0], two[1]);
    assert_eq!(one[1], two[0]);
    assert_ne!(one[0], one[1]);
}

#[test]
fn scripts_with_mistakes() {
    for (text, message) in [
        (
            "[[reply]]\ntxt = \"a\"",
            "script.toml:2:1: unknown field `txt`, expected one of `model`, `contains`, `text`, `ttft_ms`, `tpot_ms`, `load_ms`, `weights_bytes`, `fail`, `hang_ms`, `times`, `allocate_bytes`, `load_fail`, `self_check`",
        ),
        (
            "[[reply]]\nfail = \"luck\"",
            "script.toml:2:8: unknown variant `luck`, expected one of `out_of_memory`, `engine`, `not_a_number`, `crash`, `panic`, `abort`, `exit`, `garbage`, `hang`",
        ),
        (
            "[[reply]]\nmodel = \"ü\"\nttft_ms = -1",
            "script.toml:3:11: `-1` ms is out of range; 0 to 86400000 (a day) is allowed",
        ),
        (
            "[[reply]]\nhang_ms = nan",
            "script.toml:2:11: `NaN` ms is out of range; 0 to 86400000 (a day) is allowed",
        ),
        (
            "[[reply]]\ntimes = -1",
            "script.toml:2:9: invalid value: integer `-1`, expected u32",
        ),
        (
            "[replies]",
            "script.toml:1:2: unknown field `replies`, expected `reply`",
        ),
    ] {
        assert_eq!(
            MockScript::parse("script.toml", text)
                .unwrap_err()
                .to_string(),
            message
        );
    }
    let long = " ".repeat(8 * 1024 * 1024 + 1);
    assert_eq!(
        MockScript::parse("script.toml", &long)
            .unwrap_err()
            .to_string(),
        "`script.toml` has 8388609 bytes but a mock script may have at most 8388608"
    );
    assert!(MockScript::parse("s", "").unwrap().replies().is_empty());
}
