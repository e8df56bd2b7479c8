use super::check;
use super::error::{Violation, WireError, WorkerDeath};
use super::frame::{FRAME_LIMIT, FrameError, read_frame, write_frame};
use super::message::{Failed, FromWorker, Hello, LoadSpec, ToWorker};
use super::*;
use crate::engine::{
    DecodingParams, EngineError, EngineInfo, GenerateRequest, RawGeneration, RawScore,
    ScoreRequest, Thoughts,
};
use crate::record::{
    DeviceChoice, Dtype, FailureKind, Finish, SelfCheck, ThoughtMarkers, TokenTable,
};
use crate::units::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::{Cursor, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn duration() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_nanos)
}

/// Every bit pattern, those that are no numbers included.
fn f32s() -> impl Strategy<Value = Vec<f32>> {
    vec(any::<u32>().prop_map(f32::from_bits), 0..20)
}

fn finish() -> impl Strategy<Value = Finish> {
    prop_oneof![
        any::<u32>().prop_map(Finish::Eos),
        ".{0,12}".prop_map(Finish::Stop),
        Just(Finish::Length),
        Just(Finish::Context),
        Just(Finish::Timeout),
    ]
}

fn failed() -> impl Strategy<Value = Failed> {
    let kinds = proptest::sample::select(FailureKind::ALL.to_vec());
    let text = "[a-zA-Z0-9 äß\n]{0,40}";
    (kinds, text).prop_map(|(kind, message)| Failed { kind, message })
}

fn spec() -> impl Strategy<Value = LoadSpec> {
    let mock = (".{0,20}", ".{0,60}").prop_map(|(model, script)| LoadSpec::Mock { model, script });
    let devices = proptest::sample::select(vec![
        DeviceChoice::Auto,
        DeviceChoice::CpuPlain,
        DeviceChoice::Metal,
        DeviceChoice::Cuda(3),
    ]);
    let pieces = vec(vec(any::<u8>(), 0..5), 0..30);
    let dtype = proptest::option::of(Just(Dtype::F32));
    let rest = (pieces, any::<Option<u32>>());
    let candle = (".{0,30}", devices, dtype, any::<u32>(), rest).prop_map(
        |(path, device, dtype, context, (pieces, bos))| LoadSpec::Candle {
            path: PathBuf::from(path),
            device,
            dtype,
            context,
            table: Arc::new(TokenTable::from_pieces(pieces)),
            bos,
        },
    );
    prop_oneof![mock, candle]
}

fn thoughts() -> impl Strategy<Value = Thoughts> {
    let hidden = vec((any::<u32>(), vec(any::<u8>(), 0..6)), 0..4);
    (hidden, any::<[bool; 2]>(), any::<Option<u8>>()).prop_map(
        |(hidden, [has_tokens, channels], open)| Thoughts {
            markers: Arc::new(ThoughtMarkers {
                hidden,
                has_tokens,
                channels,
            }),
            open,
        },
    )
}

fn self_check() -> impl Strategy<Value = SelfCheck> {
    (any::<[u32; 3]>(), any::<[f64; 4]>(), duration()).prop_map(|(counts, values, took)| {
        SelfCheck {
            tokens: counts[0],
            positions: counts[1],
            same_top1: counts[2],
            logit_diff: values[0],
            logit_spread: values[1],
            batch_diff: values[2],
            tolerance: values[3],
            took,
        }
    })
}

fn generate_request() -> impl Strategy<Value = GenerateRequest> {
    let decoding = (
        any::<f64>(),
        any::<Option<u32>>(),
        any::<Option<f64>>(),
        any::<Option<f64>>(),
        any::<u64>(),
    );
    let rest = (
        vec(any::<u32>(), 0..6),
        vec(vec(any::<u8>(), 0..6), 0..4),
        proptest::option::of(thoughts()),
        any::<bool>(),
        proptest::option::of(duration()),
    );
    (vec(any::<u32>(), 0..40), any::<u32>(), decoding, rest).prop_map(
        |(ids, max_tokens, decoding, (eos, stop, thoughts, logprobs, timeout))| GenerateRequest {
            ids,
            max_tokens,
            decoding: DecodingParams {
                temperature: decoding.0,
                top_k: decoding.1,
                top_p: decoding.2,
                min_p: decoding.3,
                seed: decoding.4,
            },
            eos,
            stop,
            thoughts,
            logprobs,
            timeout,
        },
    )
}

fn to_worker() -> impl Strategy<Value = ToWorker> {
    let score = (vec(any::<u32>(), 0..20), vec(any::<u32>(), 0..20));
    prop_oneof![
        Just(ToWorker::Hello(Hello::own())),
        spec().prop_map(ToWorker::Load),
        any::<u32>().prop_map(ToWorker::Generate),
        generate_request().prop_map(ToWorker::GenerateItem),
        any::<u32>().prop_map(ToWorker::Score),
        score.prop_map(|(context, continuation)| ToWorker::ScoreItem(ScoreRequest {
            context,
            continuation
        })),
        Just(ToWorker::Continue),
        Just(ToWorker::Stop),
        Just(ToWorker::Peak),
    ]
}

fn raw_generation() -> impl Strategy<Value = RawGeneration> {
    (
        vec(any::<u32>(), 0..20),
        finish(),
        duration(),
        vec(duration(), 0..20),
        proptest::option::of(f32s()),
        any::<u32>(),
    )
        .prop_map(
            |(ids, finish, prefill, token_at, logprobs, computed_tokens)| RawGeneration {
                ids,
                finish,
                prefill,
                token_at,
                logprobs,
                computed_tokens,
            },
        )
}

fn raw_score() -> impl Strategy<Value = RawScore> {
    (f32s(), vec(any::<u32>(), 0..20), any::<u32>()).prop_map(
        |(token_logprobs, token_top1, computed_tokens)| RawScore {
            token_logprobs,
            token_top1,
            computed_tokens,
        },
    )
}

fn from_worker() -> impl Strategy<Value = FromWorker> {
    let check = proptest::option::of(self_check());
    let loaded = (".{0,20}", any::<u32>(), duration(), check).prop_map(|(text, n, load, check)| {
        let info = EngineInfo {
            threads: n,
            dtype: text,
            check,
            ..info()
        };
        FromWorker::Loaded { info, load }
    });
    prop_oneof![
        Just(FromWorker::Hello(Hello::own())),
        loaded,
        failed().prop_map(FromWorker::NotLoaded),
        ("[a-z]{0,20}", self_check())
            .prop_map(|(device, check)| FromWorker::Unfit { device, check }),
        (any::<u32>(), raw_generation()).prop_map(|(index, raw)| FromWorker::Generated {
            index,
            result: Ok(raw)
        }),
        (any::<u32>(), failed()).prop_map(|(index, failed)| FromWorker::Generated {
            index,
            result: Err(failed)
        }),
        (any::<u32>(), raw_score()).prop_map(|(index, raw)| FromWorker::Scored {
            index,
            result: Ok(raw)
        }),
        proptest::option::of(failed()).prop_map(FromWorker::Done),
        any::<Option<u64>>().prop_map(|peak| FromWorker::Peak(peak.map(Bytes))),
        "[a-z ]{0,40}".prop_map(FromWorker::Panicked),
    ]
}

/// A change to a message: a byte set, bytes cut off, bytes added, a length field blown up.
fn mutate(bytes: &mut Vec<u8>, at: usize, value: u8, kind: u8) {
    let place = at % (bytes.len() + 1);
    match kind % 4 {
        0 if place < bytes.len() => bytes[place] = value,
        1 => bytes.truncate(place),
        2 => bytes.insert(place, value),
        _ => {
            let end = (place + 4).min(bytes.len());
            bytes[place..end].fill(0xff);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn messages_come_back_bit_for_bit(to in to_worker(), from in from_worker()) {
        let bytes = to.encode();
        prop_assert_eq!(ToWorker::decode(&bytes).unwrap().encode(), bytes);
        // Bytes are compared, because a number that is none is not equal to itself.
        let bytes = from.encode();
        prop_assert_eq!(FromWorker::decode(&bytes).unwrap().encode(), bytes);
    }

    #[test]
    fn a_damaged_message_is_refused_or_read_but_never_a_panic(
        to in to_worker(),
        from in from_worker(),
        changes in vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..6),
    ) {
        for mut bytes in [to.encode(), from.encode()] {
            for (at, value, kind) in &changes {
                mutate(&mut bytes, *at, *value, *kind);
            }
            let _ = ToWorker::decode(&bytes);
            let _ = FromWorker::decode(&bytes);
        }
    }

    #[test]
    fn any_bytes_are_a_stream_that_ends(bytes in vec(any::<u8>(), 0..400)) {
        let mut input = Cursor::new(bytes);
        while let Ok(frame) = read_frame(&mut input) {
            prop_assert!(frame.len() <= 400);
            let _ = FromWorker::decode(&frame);
        }
    }

    #[test]
    fn frames_come_back_in_order(payloads in vec(vec(any::<u8>(), 0..300), 0..8)) {
        let mut stream = Vec::new();
        for payload in &payloads {
            write_frame(&mut stream, payload).unwrap();
        }
        let mut input = Cursor::new(stream);
        for payload in &payloads {
            prop_assert_eq!(&read_frame(&mut input).unwrap(), payload);
        }
        prop_assert!(matches!(read_frame(&mut input), Err(FrameError::Ended)));
    }
}

#[test]
fn a_stated_length_allocates_nothing() {
    // A frame that says it is 64 MiB long and has three bytes.
    let mut bytes = u32::try_from(FRAME_LIMIT).unwrap().to_le_bytes().to_vec();
    bytes.extend(b"abc");
    assert!(matches!(
        read_frame(&mut Cursor::new(&bytes)),
        Err(FrameError::Ended)
    ));
    bytes[..4].fill(0xff);
    let refused = read_frame(&mut Cursor::new(&bytes));
    let Err(FrameError::Violation(violation)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        violation.to_string(),
        "the frame has a length of 4294967295, above the limit of 67108864"
    );
    // Lists that say they have more items than bytes follow: ids, stop strings, pieces of the token table.
    for bytes in [
        &b"\x03\xff\xff\xff\xff"[..],
        b"\x05\x00\x00\x00\x40abcd",
        b"\x01\x01\x00\x00\x00\x00\x03\x00\x00\x00cpu\x00\x00\x00\x00\x00\x00\xff\xff\xff\x7f",
    ] {
        let error = ToWorker::decode(bytes).unwrap_err();
        assert!(matches!(error, WireError::Truncated { .. }), "{error}");
    }
    let long = vec![0; FRAME_LIMIT + 1];
    let error = write_frame(&mut Vec::new(), &long).unwrap_err();
    assert!(error.to_string().contains("above the limit"), "{error}");
}

fn info() -> EngineInfo {
    EngineInfo {
        engine: "mock 1".to_owned(),
        device: "mock".to_owned(),
        dtype: "bytes".to_owned(),
        simd: "plain".to_owned(),
        threads: 1,
        context: 100,
        vocabulary: 258,
        check: None,
    }
}

#[test]
fn an_answer_must_be_one_to_its_request() {
    let request = GenerateRequest {
        ids: vec![1, 2, 3],
        max_tokens: 4,
        eos: vec![256],
        stop: vec![b"ab".to_vec()],
        logprobs: true,
        ..GenerateRequest::default()
    };
    let at = |ms: &[u64]| ms.iter().map(|m| Duration::from_millis(*m)).collect();
    let good = RawGeneration {
        ids: vec![97, 98, 256],
        finish: Finish::Eos(256),
        prefill: Duration::from_millis(1),
        token_at: at(&[1, 2, 2]),
        logprobs: Some(vec![-0.5, f32::NEG_INFINITY, 1e-7]),
        computed_tokens: 3,
    };
    check::generation(&request, &info(), &good).unwrap();
    let stopped = RawGeneration {
        finish: Finish::Stop("ab".to_owned()),
        ..good.clone()
    };
    check::generation(&request, &info(), &stopped).unwrap();
    let year = Duration::from_hours(367 * 24);
    let bad: Vec<(&str, RawGeneration)> = vec![
        (
            "5 ids came where 4 are possible",
            RawGeneration {
                ids: vec![97; 5],
                ..good.clone()
            },
        ),
        (
            "2 token times came where 3 are possible",
            RawGeneration {
                token_at: at(&[1, 2]),
                ..good.clone()
            },
        ),
        (
            "token id 258 is outside the vocabulary of 258",
            RawGeneration {
                ids: vec![97, 258, 256],
                ..good.clone()
            },
        ),
        (
            "the time of token 2 is not possible",
            RawGeneration {
                token_at: at(&[1, 2, 1]),
                ..good.clone()
            },
        ),
        (
            "the time of token 0 is not possible",
            RawGeneration {
                prefill: year,
                ..good.clone()
            },
        ),
        (
            "the time of token 1 is not possible",
            RawGeneration {
                token_at: vec![Duration::ZERO, year, year],
                ..good.clone()
            },
        ),
        (
            "0 log-probabilities came where 3 are possible",
            RawGeneration {
                logprobs: None,
                ..good.clone()
            },
        ),
        (
            "the log-probability of token 1 is not a number",
            RawGeneration {
                logprobs: Some(vec![0.0, f32::NAN, 0.0]),
                ..good.clone()
            },
        ),
        (
            "4 computed tokens came where 3 are possible",
            RawGeneration {
                computed_tokens: 4,
                ..good.clone()
            },
        ),
    ];
    for (text, raw) in bad {
        let violation = check::generation(&request, &info(), &raw).unwrap_err();
        assert_eq!(violation.to_string(), text);
    }
    for finish in [
        Finish::Eos(98),
        Finish::Stop("x".to_owned()),
        Finish::Timeout,
    ] {
        let raw = RawGeneration {
            finish,
            ..good.clone()
        };
        assert_eq!(
            check::generation(&request, &info(), &raw),
            Err(Violation::Finish)
        );
    }
    let unasked = GenerateRequest {
        logprobs: false,
        ..request
    };
    let empty = RawGeneration {
        ids: Vec::new(),
        token_at: Vec::new(),
        logprobs: Some(Vec::new()),
        finish: Finish::Length,
        ..good
    };
    assert_eq!(
        check::generation(&unasked, &info(), &empty)
            .unwrap_err()
            .to_string(),
        "1 lists of log-probabilities came where 0 are possible"
    );
}

#[test]
fn a_score_must_be_one_of_its_continuation() {
    let request = ScoreRequest {
        context: vec![1, 2],
        continuation: vec![3, 4],
    };
    let good = RawScore {
        token_logprobs: vec![-1.0, -2.0],
        token_top1: vec![3, 257],
        computed_tokens: 4,
    };
    check::score(&request, &info(), &good).unwrap();
    let short = RawScore {
        token_top1: vec![3],
        ..good.clone()
    };
    let outside = RawScore {
        token_top1: vec![3, 258],
        ..good.clone()
    };
    let no_number = RawScore {
        token_logprobs: vec![f32::NAN, 0.0],
        ..good.clone()
    };
    let many = RawScore {
        computed_tokens: 5,
        ..good
    };
    for raw in [short, outside, no_number, many] {
        check::score(&request, &info(), &raw).unwrap_err();
    }
    let mut answered = check::Answered::new(2);
    assert_eq!(answered.take(1), Ok(1));
    assert_eq!(answered.take(1), Err(Violation::Twice { index: 1 }));
    assert_eq!(
        answered.take(2),
        Err(Violation::Index { index: 2, count: 2 })
    );
    let hidden = EngineInfo {
        device: "cpu\u{1b}[31m".to_owned(),
        ..info()
    };
    assert_eq!(
        check::info(&hidden),
        Err(Violation::Info { what: "device" })
    );
}

#[test]
fn an_error_travels_with_its_kind_and_its_causes() {
    let error = EngineError::NotANumber { position: 3 };
    let failed = Failed::of(&error);
    let back = EngineError::from(failed);
    assert_eq!(back.failure_kind(), FailureKind::NotANumber);
    assert_eq!(back.to_string(), "the logits at position 3 are not numbers");
    let started = EngineError::Worker(WorkerDeath::Start {
        program: PathBuf::from("/x"),
        source: std::io::Error::other("no such thing\u{7}"),
    });
    assert_eq!(
        Failed::of(&started).message,
        "failed to start the worker `/x`: no such thing"
    );
    let long = EngineError::Reported {
        kind: FailureKind::Engine,
        message: "ä".repeat(5_000),
    };
    assert_eq!(Failed::of(&long).message.len(), 4_096);
}

/// The child's side in a thread, between two pipes.
struct Served {
    to: std::io::PipeWriter,
    from: std::io::PipeReader,
    thread: std::thread::JoinHandle<Result<(), Violation>>,
}

fn park(_: i32) -> ! {
    loop {
        std::thread::park();
    }
}

impl Served {
    fn start() -> Self {
        let (input, to) = std::io::pipe().unwrap();
        let (from, output) = std::io::pipe().unwrap();
        let hooks = WorkerHooks {
            peak_memory: || Some(Bytes(5)),
            exit: park,
        };
        let thread = std::thread::spawn(move || serve(input, output, hooks));
        Self { to, from, thread }
    }

    fn say(&mut self, message: &ToWorker) {
        write_frame(&mut self.to, &message.encode()).unwrap();
    }

    fn hear(&mut self) -> FromWorker {
        FromWorker::decode(&read_frame(&mut self.from).unwrap()).unwrap()
    }

    fn loaded(script: &str) -> Self {
        let mut served = Self::start();
        served.say(&ToWorker::Hello(Hello::own()));
        assert_eq!(served.hear(), FromWorker::Hello(Hello::own()));
        served.say(&ToWorker::Load(LoadSpec::Mock {
            model: "m".to_owned(),
            script: script.to_owned(),
        }));
        served
    }

    fn ended(self) -> Result<(), Violation> {
        self.thread.join().unwrap()
    }
}

fn request() -> GenerateRequest {
    GenerateRequest {
        ids: vec![120],
        max_tokens: 3,
        eos: vec![256],
        ..GenerateRequest::default()
    }
}

#[test]
fn the_child_answers_one_request_after_another() {
    let mut served = Served::loaded("[[reply]]\ntext = \"abcd\"\nload_ms = 12");
    let FromWorker::Loaded { info, load } = served.hear() else {
        panic!();
    };
    assert_eq!((info.vocabulary, load), (258, Duration::from_millis(12)));
    served.say(&ToWorker::Generate(2));
    served.say(&ToWorker::GenerateItem(request()));
    served.say(&ToWorker::GenerateItem(request()));
    for expected in 0..2 {
        let FromWorker::Generated { index, result } = served.hear() else {
            panic!();
        };
        assert_eq!(
            (index, result.unwrap().ids),
            (expected, vec![97, 98, 99]),
            "one at a time"
        );
        served.say(&ToWorker::Continue);
    }
    assert_eq!(served.hear(), FromWorker::Done(None));
    served.say(&ToWorker::Score(1));
    served.say(&ToWorker::ScoreItem(ScoreRequest {
        context: vec![120],
        continuation: vec![97, 98],
    }));
    let FromWorker::Scored { index: 0, result } = served.hear() else {
        panic!();
    };
    assert_eq!(result.unwrap().token_top1, [97, 98]);
    served.say(&ToWorker::Stop);
    assert_eq!(served.hear(), FromWorker::Done(None));
    // The mock needs no memory worth a number.
    served.say(&ToWorker::Peak);
    assert_eq!(served.hear(), FromWorker::Peak(None));
    served.say(&ToWorker::Stop);
    assert_eq!(
        served.ended().unwrap_err().to_string(),
        "`stop` came where a phase was due"
    );
}

#[test]
fn the_child_says_that_it_panicked_and_what_it_could_not_load() {
    let mut served = Served::loaded("[[reply]]\nfail = \"panic\"");
    served.hear();
    served.say(&ToWorker::Generate(1));
    served.say(&ToWorker::GenerateItem(request()));
    assert_eq!(
        served.hear(),
        FromWorker::Panicked("a panic, as scripted".to_owned())
    );
    assert_eq!(served.ended(), Ok(()));
    let mut served = Served::loaded("[[");
    let FromWorker::NotLoaded(failed) = served.hear() else {
        panic!();
    };
    assert!(
        failed.message.starts_with("mock script:1:3: "),
        "{}",
        failed.message
    );
    assert_eq!(served.ended(), Ok(()));
}

#[test]
fn the_child_refuses_what_is_out_of_turn() {
    let mut served = Served::start();
    served.say(&ToWorker::Peak);
    assert_eq!(
        served.ended().unwrap_err().to_string(),
        "`peak` came where a greeting was due"
    );
    let mut served = Served::loaded("");
    served.hear();
    served.say(&ToWorker::Generate(u32::MAX));
    assert_eq!(
        served.ended().unwrap_err().to_string(),
        "the list of requests has a length of 4294967295, above the limit of 1048576"
    );
    let mut served = Served::loaded("");
    served.hear();
    served.to.write_all(&[3, 0, 0, 0, 99, 1, 2]).unwrap();
    assert_eq!(
        served.ended().unwrap_err().to_string(),
        "the message has the unknown tag 99"
    );
    let mut served = Served::start();
    served.to.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    assert_eq!(
        served.ended().unwrap_err().to_string(),
        "the frame has a length of 542393671, above the limit of 67108864"
    );
    // Nothing was said to a stranger.
    let mut served = Served::start();
    served.say(&ToWorker::Load(LoadSpec::Mock {
        model: String::new(),
        script: String::new(),
    }));
    let Served { mut from, .. } = served;
    let mut said = Vec::new();
    from.read_to_end(&mut said).unwrap();
    assert_eq!(said, b"");
}

/// What becomes of a child that does as `sh` is told.
#[cfg(unix)]
fn fate(script: &str) -> WorkerDeath {
    let command = WorkerCommand {
        program: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".to_owned(), format!("ulimit -c 0; {script}")],
        environment: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
    };
    fate_of(&command)
}

#[cfg(unix)]
fn fate_of(command: &WorkerCommand) -> WorkerDeath {
    let limits = WorkerLimits {
        start: Duration::from_millis(1_500),
        load: Duration::from_millis(1_500),
        ..WorkerLimits::default()
    };
    let probes = WorkerProbes {
        memory: |_| None,
        oom_kills: || None,
    };
    let spec = LoadSpec::Mock {
        model: "m".to_owned(),
        script: String::new(),
    };
    match WorkerEngine::start(command, &limits, probes, spec) {
        Err(EngineError::Worker(death)) => death,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was believed"),
    }
}

/// Bytes as `printf` takes them.
#[cfg(unix)]
fn printf(messages: &[FromWorker]) -> String {
    let mut stream = Vec::new();
    for message in messages {
        write_frame(&mut stream, &message.encode()).unwrap();
    }
    let octal: Vec<String> = stream.iter().map(|b| format!("\\{b:03o}")).collect();
    format!("printf '{}'", octal.concat())
}

#[cfg(unix)]
#[test]
fn a_stranger_is_found_out_and_ended() {
    let hello = printf(&[FromWorker::Hello(Hello::own())]);
    let twice = printf(&[
        FromWorker::Hello(Hello::own()),
        FromWorker::Hello(Hello::own()),
    ]);
    let panicked = printf(&[
        FromWorker::Hello(Hello::own()),
        FromWorker::Panicked("a\u{1b}b".to_owned()),
    ]);
    let other = printf(&[FromWorker::Hello(Hello::own())])
        // The first byte of the protocol version.
        .replacen("\\002", "\\003", 1);
    for (script, text) in [
        ("exit 3".to_owned(), "the worker ended with exit code 3"),
        (
            "echo 'no such model' >&2; exit 4".to_owned(),
            "the worker ended with exit code 4: no such model",
        ),
        (
            "kill -KILL $$".to_owned(),
            "the worker was ended by SIGKILL",
        ),
        (
            "echo 'memory allocation of 99 bytes failed' >&2; kill -ABRT $$".to_owned(),
            "memory ran out in the worker: memory allocation of 99 bytes failed",
        ),
        (
            "printf 'this is no frame'; exec sleep 60".to_owned(),
            "the worker broke its protocol: the frame has a length of 1936287860, above the limit of 67108864",
        ),
        (
            "while :; do printf '\\377\\377\\377\\377 and on and on'; done".to_owned(),
            "the worker broke its protocol: the frame has a length of 4294967295, above the limit of 67108864",
        ),
        (
            "exec sleep 60".to_owned(),
            "the worker did not start within 1.5 s",
        ),
        (
            "exec >&-; exec sleep 60".to_owned(),
            "the worker closed its pipe",
        ),
        (
            format!("{hello}; exec sleep 60"),
            "the worker did not load the model within 1.5 s",
        ),
        (
            format!("{hello}; exit 0"),
            "the worker ended with exit code 0",
        ),
        (
            format!("{twice}; exec sleep 60"),
            "the worker broke its protocol: `hello` came where a loaded model was due",
        ),
        (
            format!("{panicked}; exec sleep 60"),
            "the worker panicked: ab",
        ),
    ] {
        assert_eq!(fate(&script).to_string(), text, "{script}");
    }
    let death = fate(&format!("{other}; exec sleep 60"));
    assert!(
        matches!(
            death,
            WorkerDeath::Protocol(Violation::Version { .. } | Violation::Wire(_))
        ),
        "{death}"
    );
    let missing = WorkerCommand {
        program: PathBuf::from("/nowhere/evalh"),
        arguments: Vec::new(),
        environment: std::collections::BTreeMap::new(),
    };
    assert_eq!(
        fate_of(&missing).to_string(),
        "failed to start the worker `/nowhere/evalh`"
    );
}
