//! What parent and child say to each other. `docs/formats.md` describes the bytes.

use super::error::{Violation, WireError};
use super::wire::{Reader, Writer};
use crate::engine::{
    DecodingParams, ENGINE_VERSION, EngineError, EngineInfo, GenerateRequest, RawGeneration,
    RawScore, ScoreRequest, Thoughts,
};
use crate::record::{
    DeviceChoice, Dtype, FailureKind, Finish, SelfCheck, ThoughtMarkers, TokenTable,
};
use crate::units::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Version of the messages and of their order. Parent and child are the same program; this is for a program replaced while it runs.
pub const PROTOCOL_VERSION: u32 = 2;

/// First bytes of a greeting.
const MAGIC: &[u8; 8] = b"evalh-wk";

/// Longest text of an error.
const MESSAGE_BYTES: usize = 4_096;

/// Longest name of an engine, device, number format.
const NAME_BYTES: usize = 256;

/// Longest mock script; its reader allows the same.
const SCRIPT_BYTES: usize = 8 << 20;

/// Longest path.
const PATH_BYTES: usize = 64 << 10;

/// Longest stop string.
const STOP_BYTES: usize = 1 << 20;

/// Which engine the child is to load, with all it has to know.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadSpec {
    /// The scripted engine.
    Mock {
        /// Name of the model in the catalogue.
        model: String,
        /// Text of the script.
        script: String,
    },
    /// The real engine.
    Candle {
        /// The weight file.
        path: PathBuf,
        /// Where it runs.
        device: DeviceChoice,
        /// Number format of activations that was asked for.
        dtype: Option<Dtype>,
        /// Positions of the key/value cache.
        context: u32,
        /// The bytes of every token, for stop strings.
        table: Arc<TokenTable>,
        /// The id that begins a text, for the prompt of the self-check.
        bos: Option<u32>,
    },
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    protocol: u32,
    engine: u32,
    evalh: String,
}

impl Hello {
    /// This program.
    pub(super) fn own() -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            engine: ENGINE_VERSION,
            evalh: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The other side must be the same in everything that could change a number.
    pub(super) fn check(&self) -> Result<(), Violation> {
        let own = Self::own();
        if *self == own {
            return Ok(());
        }
        let words = |h: &Self| {
            let version: String = h.evalh.chars().filter(|c| !c.is_control()).collect();
            format!(
                "protocol {} of evalh {version} with engine version {}",
                h.protocol, h.engine
            )
        };
        Err(Violation::Version {
            found: words(self),
            expected: words(&own),
        })
    }
}

/// A failure of the engine as it travels: its kind and its whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

impl Failed {
    /// An error with its causes. Characters a terminal would obey are left out, and it is cut at a length nobody reads to.
    pub(super) fn of(error: &EngineError) -> Self {
        use std::error::Error as _;
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message = format!("{message}: {inner}");
            cause = inner.source();
        }
        Self {
            kind: error.failure_kind(),
            message: bounded(&message),
        }
    }
}

impl From<Failed> for EngineError {
    fn from(failed: Failed) -> Self {
        Self::Reported {
            kind: failed.kind,
            message: failed.message,
        }
    }
}

/// A text without control characters but line breaks and tabs, of bounded length.
pub(super) fn bounded(text: &str) -> String {
    let mut clean: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    clean.truncate(clean.floor_char_boundary(MESSAGE_BYTES));
    clean
}

/// From the parent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ToWorker {
    /// The greeting, first of all.
    Hello(Hello),
    /// Load this.
    Load(LoadSpec),
    /// So many requests to continue follow.
    Generate(u32),
    /// One of them.
    GenerateItem(GenerateRequest),
    /// So many requests to score follow.
    Score(u32),
    /// One of them.
    ScoreItem(ScoreRequest),
    /// The result is kept: go on.
    Continue,
    /// The result is kept: end the phase.
    Stop,
    /// Tell the peak memory.
    Peak,
}

/// From the child.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FromWorker {
    /// The greeting, in answer to the parent's.
    Hello(Hello),
    /// The model is loaded.
    Loaded {
        /// What the engine says of itself.
        info: EngineInfo,
        /// How long it took.
        load: Duration,
    },
    /// The model could not be loaded.
    NotLoaded(Failed),
    /// The model was loaded and computes something else than it should.
    Unfit {
        /// Where it was loaded.
        device: String,
        /// What was found.
        check: SelfCheck,
    },
    /// The result of a request to continue.
    Generated {
        /// Its index.
        index: u32,
        /// The result.
        result: Result<RawGeneration, Failed>,
    },
    /// The result of a request to score.
    Scored {
        /// Its index.
        index: u32,
        /// The result.
        result: Result<RawScore, Failed>,
    },
    /// The phase is over, with the failure that ended it early.
    Done(Option<Failed>),
    /// The peak memory of the child.
    Peak(Option<Bytes>),
    /// The engine panicked; the child ends.
    Panicked(String),
}

impl ToWorker {
    /// Its name in errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Load(_) => "load",
            Self::Generate(_) => "generate",
            Self::GenerateItem(_) => "request to generate",
            Self::Score(_) => "score",
            Self::ScoreItem(_) => "request to score",
            Self::Continue => "continue",
            Self::Stop => "stop",
            Self::Peak => "peak",
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w;
        match self {
            Self::Hello(hello) => {
                w = Writer::tagged(0);
                put_hello(&mut w, hello);
            }
            Self::Load(spec) => {
                w = Writer::tagged(1);
                put_spec(&mut w, spec);
            }
            Self::Generate(count) => {
                w = Writer::tagged(2);
                w.u32(*count);
            }
            Self::GenerateItem(request) => {
                w = Writer::tagged(3);
                put_generate(&mut w, request);
            }
            Self::Score(count) => {
                w = Writer::tagged(4);
                w.u32(*count);
            }
            Self::ScoreItem(request) => {
                w = Writer::tagged(5);
                w.u32s(&request.context);
                w.u32s(&request.continuation);
            }
            Self::Continue => w = Writer::tagged(6),
            Self::Stop => w = Writer::tagged(7),
            Self::Peak => w = Writer::tagged(8),
        }
        w.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let message = match r.u8("message")? {
            0 => Self::Hello(take_hello(&mut r)?),
            1 => Self::Load(take_spec(&mut r)?),
            2 => Self::Generate(r.u32("number of requests")?),
            3 => Self::GenerateItem(take_generate(&mut r)?),
            4 => Self::Score(r.u32("number of requests")?),
            5 => Self::ScoreItem(ScoreRequest {
                context: r.u32s("context")?,
                continuation: r.u32s("continuation")?,
            }),
            6 => Self::Continue,
            7 => Self::Stop,
            8 => Self::Peak,
            found => {
                return Err(WireError::Tag {
                    what: "message",
                    found,
                });
            }
        };
        r.end()?;
        Ok(message)
    }
}

impl FromWorker {
    /// Its name in errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Loaded { .. } => "loaded",
            Self::NotLoaded(_) => "not loaded",
            Self::Unfit { .. } => "failed self-check",
            Self::Generated { .. } => "generated",
            Self::Scored { .. } => "scored",
            Self::Done(_) => "done",
            Self::Peak(_) => "peak",
            Self::Panicked(_) => "panicked",
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w;
        match self {
            Self::Hello(hello) => {
                w = Writer::tagged(0);
                put_hello(&mut w, hello);
            }
            Self::Loaded { info, load } => {
                w = Writer::tagged(1);
                put_info(&mut w, info);
                w.duration(*load);
            }
            Self::NotLoaded(failed) => {
                w = Writer::tagged(2);
                put_failed(&mut w, failed);
            }
            Self::Generated { index, result } => {
                w = Writer::tagged(3);
                w.u32(*index);
                put_result(&mut w, result.as_ref(), put_generation);
            }
            Self::Scored { index, result } => {
                w = Writer::tagged(4);
                w.u32(*index);
                put_result(&mut w, result.as_ref(), put_score);
            }
            Self::Done(failed) => {
                w = Writer::tagged(5);
                w.option(failed.as_ref(), put_failed);
            }
            Self::Peak(peak) => {
                w = Writer::tagged(6);
                w.option(*peak, |w, bytes| w.u64(bytes.get()));
            }
            Self::Panicked(message) => {
                w = Writer::tagged(7);
                w.bytes(message.as_bytes());
            }
            Self::Unfit { device, check } => {
                w = Writer::tagged(8);
                w.bytes(device.as_bytes());
                put_check(&mut w, check);
            }
        }
        w.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let message = match r.u8("message")? {
            0 => Self::Hello(take_hello(&mut r)?),
            1 => Self::Loaded {
                info: take_info(&mut r)?,
                load: r.duration("load time")?,
            },
            2 => Self::NotLoaded(take_failed(&mut r, "failure")?),
            3 => Self::Generated {
                index: r.u32("index")?,
                result: take_result(&mut r, take_generation)?,
            },
            4 => Self::Scored {
                index: r.u32("index")?,
                result: take_result(&mut r, take_score)?,
            },
            5 => Self::Done(r.option("failure", take_failed)?),
            6 => Self::Peak(r.option("peak", Reader::u64)?.map(Bytes)),
            7 => Self::Panicked(bounded(&r.text("panic", MESSAGE_BYTES)?)),
            8 => Self::Unfit {
                device: bounded(&r.text("device", NAME_BYTES)?),
                check: take_check(&mut r, "self-check")?,
            },
            found => {
                return Err(WireError::Tag {
                    what: "message",
                    found,
                });
            }
        };
        r.end()?;
        Ok(message)
    }
}

fn put_hello(w: &mut Writer, hello: &Hello) {
    w.bytes(MAGIC);
    w.u32(hello.protocol);
    w.u32(hello.engine);
    w.bytes(hello.evalh.as_bytes());
}

fn take_hello(r: &mut Reader<'_>) -> Result<Hello, WireError> {
    if r.bytes("greeting")? != MAGIC {
        return Err(WireError::Text { what: "greeting" });
    }
    Ok(Hello {
        protocol: r.u32("protocol version")?,
        engine: r.u32("engine version")?,
        evalh: r.text("evalh version", NAME_BYTES)?,
    })
}

fn put_spec(w: &mut Writer, spec: &LoadSpec) {
    match spec {
        LoadSpec::Mock { model, script } => {
            w.u8(0);
            w.bytes(model.as_bytes());
            w.bytes(script.as_bytes());
        }
        LoadSpec::Candle {
            path,
            device,
            dtype,
            context,
            table,
            bos,
        } => {
            w.u8(1);
            w.bytes(path.as_os_str().as_encoded_bytes());
            w.bytes(device.to_string().as_bytes());
            w.option(*dtype, |w, dtype| w.bytes(dtype.as_str().as_bytes()));
            w.u32(*context);
            w.option(*bos, Writer::u32);
            w.length(table.len());
            for id in 0..table.len() {
                w.bytes(table.piece(u32::try_from(id).unwrap_or(u32::MAX)));
            }
        }
    }
}

fn take_spec(r: &mut Reader<'_>) -> Result<LoadSpec, WireError> {
    match r.u8("kind of engine")? {
        0 => Ok(LoadSpec::Mock {
            model: r.text("name of the model", PATH_BYTES)?,
            script: r.text("script", SCRIPT_BYTES)?,
        }),
        1 => {
            let path = take_path(r)?;
            let device = DeviceChoice::parse(&r.text("device", NAME_BYTES)?);
            let device = device.ok_or(WireError::Text { what: "device" })?;
            let dtype = r.option("number format", |r, what| {
                Dtype::parse(&r.text(what, NAME_BYTES)?).ok_or(WireError::Text { what })
            })?;
            let context = r.u32("context")?;
            let bos = r.option("beginning of a text", Reader::u32)?;
            // An empty piece takes the four bytes of its length.
            let count = r.length("token table", 4)?;
            let pieces = (0..count).map(|_| r.bytes("token"));
            let pieces = pieces.collect::<Result<Vec<&[u8]>, WireError>>()?;
            Ok(LoadSpec::Candle {
                path,
                device,
                dtype,
                context,
                table: Arc::new(TokenTable::from_pieces(pieces)),
                bos,
            })
        }
        found => Err(WireError::Tag {
            what: "kind of engine",
            found,
        }),
    }
}

#[cfg(unix)]
fn take_path(r: &mut Reader<'_>) -> Result<PathBuf, WireError> {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = r.bytes("path")?;
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn take_path(r: &mut Reader<'_>) -> Result<PathBuf, WireError> {
    Ok(PathBuf::from(r.text("path", PATH_BYTES)?))
}

fn put_generate(w: &mut Writer, request: &GenerateRequest) {
    let decoding = &request.decoding;
    w.u32s(&request.ids);
    w.u32(request.max_tokens);
    w.f64(decoding.temperature);
    w.option(decoding.top_k, Writer::u32);
    w.option(decoding.top_p, Writer::f64);
    w.option(decoding.min_p, Writer::f64);
    w.u64(decoding.seed);
    w.u32s(&request.eos);
    w.length(request.stop.len());
    for stop in &request.stop {
        w.bytes(stop);
    }
    w.option(request.thoughts.as_ref(), put_thoughts);
    w.u8(u8::from(request.logprobs));
    w.option(request.timeout, Writer::duration);
}

fn take_generate(r: &mut Reader<'_>) -> Result<GenerateRequest, WireError> {
    let ids = r.u32s("prompt")?;
    let max_tokens = r.u32("token limit")?;
    let decoding = DecodingParams {
        temperature: r.f64("temperature")?,
        top_k: r.option("top-k", Reader::u32)?,
        top_p: r.option("top-p", Reader::f64)?,
        min_p: r.option("min-p", Reader::f64)?,
        seed: r.u64("seed")?,
    };
    let eos = r.u32s("ending ids")?;
    let count = r.length("stop strings", 4)?;
    let stop = (0..count).map(|_| r.bytes("stop string").map(<[u8]>::to_vec));
    Ok(GenerateRequest {
        ids,
        max_tokens,
        decoding,
        eos,
        stop: stop.collect::<Result<_, _>>()?,
        thoughts: r.option("markers of thoughts", take_thoughts)?,
        logprobs: r.flag("switch for log-probabilities")?,
        timeout: r.option("time limit", Reader::duration)?,
    })
}

fn put_thoughts(w: &mut Writer, thoughts: &Thoughts) {
    let markers = &thoughts.markers;
    w.length(markers.hidden.len());
    for (id, text) in &markers.hidden {
        w.u32(*id);
        w.bytes(text);
    }
    w.u8(u8::from(markers.has_tokens));
    w.u8(u8::from(markers.channels));
    w.option(thoughts.open, Writer::u8);
}

fn take_thoughts(r: &mut Reader<'_>, what: &'static str) -> Result<Thoughts, WireError> {
    let count = r.length(what, 8)?;
    let hidden = (0..count).map(|_| Ok((r.u32(what)?, r.bytes(what)?.to_vec())));
    let hidden = hidden.collect::<Result<_, WireError>>()?;
    Ok(Thoughts {
        markers: Arc::new(ThoughtMarkers {
            hidden,
            has_tokens: r.flag(what)?,
            channels: r.flag(what)?,
        }),
        open: r.option(what, Reader::u8)?,
    })
}

fn put_check(w: &mut Writer, check: &SelfCheck) {
    w.u32(check.tokens);
    w.u32(check.positions);
    w.u32(check.same_top1);
    for value in [
        check.logit_diff,
        check.logit_spread,
        check.batch_diff,
        check.tolerance,
    ] {
        w.f64(value);
    }
    w.duration(check.took);
}

fn take_check(r: &mut Reader<'_>, what: &'static str) -> Result<SelfCheck, WireError> {
    Ok(SelfCheck {
        tokens: r.u32(what)?,
        positions: r.u32(what)?,
        same_top1: r.u32(what)?,
        logit_diff: r.f64(what)?,
        logit_spread: r.f64(what)?,
        batch_diff: r.f64(what)?,
        tolerance: r.f64(what)?,
        took: r.duration(what)?,
    })
}

fn put_info(w: &mut Writer, info: &EngineInfo) {
    for text in [&info.engine, &info.device, &info.dtype, &info.simd] {
        w.bytes(text.as_bytes());
    }
    w.u32(info.threads);
    w.u32(info.context);
    w.u32(info.vocabulary);
    w.option(info.check.as_ref(), put_check);
}

fn take_info(r: &mut Reader<'_>) -> Result<EngineInfo, WireError> {
    Ok(EngineInfo {
        engine: r.text("name of the engine", NAME_BYTES)?,
        device: r.text("device", NAME_BYTES)?,
        dtype: r.text("number format", NAME_BYTES)?,
        simd: r.text("instruction set", NAME_BYTES)?,
        threads: r.u32("number of threads")?,
        context: r.u32("context")?,
        vocabulary: r.u32("vocabulary")?,
        check: r.option("self-check", take_check)?,
    })
}

fn put_failed(w: &mut Writer, failed: &Failed) {
    w.bytes(failed.kind.as_str().as_bytes());
    w.bytes(failed.message.as_bytes());
}

fn take_failed(r: &mut Reader<'_>, _: &'static str) -> Result<Failed, WireError> {
    let what = "kind of failure";
    let kind = FailureKind::parse(&r.text(what, NAME_BYTES)?);
    Ok(Failed {
        kind: kind.ok_or(WireError::Text { what })?,
        message: bounded(&r.text("failure", MESSAGE_BYTES)?),
    })
}

fn put_result<T>(w: &mut Writer, result: Result<&T, &Failed>, put: fn(&mut Writer, &T)) {
    match result {
        Ok(value) => {
            w.u8(0);
            put(w, value);
        }
        Err(failed) => {
            w.u8(1);
            put_failed(w, failed);
        }
    }
}

fn take_result<T>(
    r: &mut Reader<'_>,
    take: fn(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<Result<T, Failed>, WireError> {
    if r.flag("result")? {
        take_failed(r, "failure").map(Err)
    } else {
        take(r).map(Ok)
    }
}

fn put_generation(w: &mut Writer, raw: &RawGeneration) {
    w.u32s(&raw.ids);
    put_finish(w, &raw.finish);
    w.duration(raw.prefill);
    w.durations(&raw.token_at);
    w.option(raw.logprobs.as_deref(), Writer::f32s);
    w.u32(raw.computed_tokens);
}

fn take_generation(r: &mut Reader<'_>) -> Result<RawGeneration, WireError> {
    Ok(RawGeneration {
        ids: r.u32s("ids")?,
        finish: take_finish(r)?,
        prefill: r.duration("prefill time")?,
        token_at: r.durations("token times")?,
        logprobs: r.option("log-probabilities", Reader::f32s)?,
        computed_tokens: r.u32("computed tokens")?,
    })
}

fn put_finish(w: &mut Writer, finish: &Finish) {
    match finish {
        Finish::Eos(id) => {
            w.u8(0);
            w.u32(*id);
        }
        Finish::Stop(text) => {
            w.u8(1);
            w.bytes(text.as_bytes());
        }
        Finish::Length => w.u8(2),
        Finish::Context => w.u8(3),
        Finish::Timeout => w.u8(4),
    }
}

fn take_finish(r: &mut Reader<'_>) -> Result<Finish, WireError> {
    let what = "end of a generation";
    match r.u8(what)? {
        0 => Ok(Finish::Eos(r.u32(what)?)),
        1 => Ok(Finish::Stop(r.text(what, STOP_BYTES)?)),
        2 => Ok(Finish::Length),
        3 => Ok(Finish::Context),
        4 => Ok(Finish::Timeout),
        found => Err(WireError::Tag { what, found }),
    }
}

fn put_score(w: &mut Writer, raw: &RawScore) {
    w.f32s(&raw.token_logprobs);
    w.u32s(&raw.token_top1);
    w.u32(raw.computed_tokens);
}

fn take_score(r: &mut Reader<'_>) -> Result<RawScore, WireError> {
    Ok(RawScore {
        token_logprobs: r.f32s("log-probabilities")?,
        token_top1: r.u32s("most probable ids")?,
        computed_tokens: r.u32("computed tokens")?,
    })
}
