//! `evalh tokenize | render | generate | score`: one model, looked at closely. Lines in, lines out, all handed to the engine at once.

use super::Session;
use super::candidate::{OpenModel, planned_context};
use super::load::{self, EngineSetup};
use crate::cli::{
    EngineChoice, Files, GenerateRequest as GenerateCommand, ModelText, ModelUse, RenderRequest,
    ScoreRequest as ScoreCommand, TokenizeRequest,
};
use crate::clock;
use crate::config::Sampling;
use crate::console::escape_terminal;
use crate::engine::mock::MockScript;
use crate::engine::{
    DecodingParams, EngineError, GenerateRequest, RawGeneration, RawScore, ScoreRequest, Thoughts,
};
use crate::error::{EvalhError, ExitCode};
use crate::record::{Finish, Message, Role, ThoughtMarkers};
use crate::runner::LoadedHost;
use crate::tokenizer::{self, ByteCodec, Codec};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::BufRead as _;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// Longest line of standard input.
const MAX_LINE_BYTES: usize = 64 << 20;

/// Tokens produced when a line does not say.
const DEFAULT_MAX_TOKENS: u32 = 256;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextLine {
    text: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageLine {
    role: String,
    content: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessagesLine {
    messages: Vec<MessageLine>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GenerateLine {
    ids: Option<Vec<u32>>,
    prompt: Option<String>,
    messages: Option<Vec<MessageLine>>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u32>,
    min_p: Option<f64>,
    seed: Option<u64>,
    stop: Vec<String>,
    ignore_eos: bool,
    logprobs: bool,
}

/// A line of a data set may carry more than the pair; what is not used here is ignored on purpose.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ScoreLine {
    context: Option<String>,
    continuation: Option<String>,
    context_ids: Option<Vec<u32>>,
    continuation_ids: Option<Vec<u32>>,
}

/// A line of standard input that cannot be used.
fn bad_line(number: usize, why: impl Into<String>) -> EvalhError {
    EvalhError::Line {
        number,
        why: why.into(),
    }
}

/// The lines of standard input that are not blank, each with its number.
fn lines() -> Result<Vec<(usize, String)>, EvalhError> {
    let mut out = Vec::new();
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.map_err(|e| bad_line(index + 1, e.to_string()))?;
        if line.len() > MAX_LINE_BYTES {
            return Err(bad_line(
                index + 1,
                format!("it has {} bytes; {MAX_LINE_BYTES} are allowed", line.len()),
            ));
        }
        if !line.trim().is_empty() {
            out.push((index + 1, line));
        }
    }
    Ok(out)
}

fn parse<T: for<'de> Deserialize<'de>>(number: usize, line: &str) -> Result<T, EvalhError> {
    serde_json::from_str(line).map_err(|e| bad_line(number, json_fault(&e)))
}

/// What is wrong, with the column: the parser's own line is always 1 here, and the number of the line is told already.
fn json_fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(what) => format!("{what}, at column {}", error.column()),
        None => text,
    }
}

/// A fault of a prompt belongs to its line; one of the engine does not.
fn in_line(number: usize, error: EngineError) -> EvalhError {
    match error {
        EngineError::TokenId { .. }
        | EngineError::Empty { .. }
        | EngineError::PromptTooLong { .. } => bad_line(number, error.to_string()),
        other => other.into(),
    }
}

fn messages(number: usize, lines: &[MessageLine]) -> Result<Vec<Message>, EvalhError> {
    if lines.is_empty() {
        return Err(bad_line(number, "`messages` is empty"));
    }
    let role = |name: &str| {
        [Role::System, Role::User, Role::Assistant]
            .into_iter()
            .find(|r| r.as_str() == name)
            .ok_or_else(|| {
                bad_line(
                    number,
                    format!("role `{name}` is not one of `system`, `user`, `assistant`"),
                )
            })
    };
    lines
        .iter()
        .map(|m| {
            Ok(Message {
                role: role(&m.role)?,
                content: m.content.clone(),
            })
        })
        .collect()
}

fn user(text: &str) -> Vec<Message> {
    vec![Message {
        role: Role::User,
        content: text.to_owned(),
    }]
}

/// Finds, fetches and opens the model a user named.
fn open(session: &Session, name: &str, files: &Files) -> Result<(OpenModel, u32), EvalhError> {
    let catalog = session.catalog(&files.catalog)?;
    let entry = catalog.find(name)?;
    let progress = session.download_progress();
    let found = session
        .hub(files.offline.value, files.locked.value, &progress)?
        .fetch(entry)?;
    let model = OpenModel::open(session, entry, found)?;
    let context = planned_context(entry, &model.shape, None);
    Ok((model, context))
}

fn codec(session: &Session, model: &ModelText) -> Result<Arc<dyn Codec>, EvalhError> {
    if model.engine.value == EngineChoice::Mock {
        session
            .catalog(&model.files.catalog)?
            .find(&model.model.value)?;
        return Ok(Arc::new(ByteCodec::new()));
    }
    Ok(open(session, &model.model.value, &model.files)?.0.tokenizer)
}

pub(super) fn tokenize(
    session: &Session,
    request: &TokenizeRequest,
) -> Result<ExitCode, EvalhError> {
    let codec = codec(session, &request.model)?;
    for (number, line) in lines()? {
        let text = if request.model.json {
            parse::<TextLine>(number, &line)?.text
        } else {
            line
        };
        let mut ids = codec.encode(&text, request.special)?;
        if request.bos {
            ids.splice(0..0, codec.bos_id());
        }
        if request.model.json {
            session.print_json(&json!({ "ids": ids }))?;
        } else {
            let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
            session.print(&format!("{}\n", ids.join(" ")))?;
        }
    }
    Ok(ExitCode::Done)
}

pub(super) fn render(session: &Session, request: &RenderRequest) -> Result<ExitCode, EvalhError> {
    let codec = codec(session, &request.model)?;
    for (number, line) in lines()? {
        let messages = if request.model.json {
            messages(number, &parse::<MessagesLine>(number, &line)?.messages)?
        } else {
            user(&line)
        };
        let prompt = codec.prompt(&messages)?;
        if request.model.json {
            session.print_json(&json!({ "prompt": prompt.text, "ids": prompt.ids }))?;
        } else {
            // A template comes with a model file, and what it writes is no more trusted than what the model writes.
            session.print(&format!("{}\n", escape_terminal(&prompt.text)))?;
        }
    }
    Ok(ExitCode::Done)
}

/// The engine of one model; its context grows to what the lines need, up to the trained one.
fn engine(
    session: &Session,
    model: &ModelUse,
    needed: impl Fn(&dyn Codec) -> Result<u32, EvalhError>,
) -> Result<LoadedHost, EvalhError> {
    let script = match &model.mock_script.value {
        Some(path) if model.engine.value == EngineChoice::Mock => {
            MockScript::parse(&path.display().to_string(), &session.read(path)?)?
        }
        _ => MockScript::default(),
    };
    let setup = EngineSetup {
        engine: model.engine.value,
        device: model.device.value,
        script: Arc::new(script),
    };
    if setup.engine == EngineChoice::Mock {
        session
            .catalog(&model.files.catalog)?
            .find(&model.model.value)?;
        return load::mock(&setup, &model.model.value);
    }
    let (open, context) = open(session, &model.model.value, &model.files)?;
    let trained = u32::try_from(open.shape.context).unwrap_or(u32::MAX);
    let context = context.max(needed(open.tokenizer.as_ref())?).min(trained);
    load::real(&setup, &open, context)
}

pub(super) fn generate(
    session: &Session,
    request: &GenerateCommand,
) -> Result<ExitCode, EvalhError> {
    let catalog = session.catalog(&request.model.files.catalog)?;
    let sampling = catalog.find(&request.model.model.value)?.sampling;
    let mut parsed: Vec<(usize, GenerateLine)> = Vec::new();
    for (number, line) in lines()? {
        let mut line = if request.model.json {
            parse(number, &line)?
        } else {
            let message = MessageLine {
                role: "user".to_owned(),
                content: line,
            };
            GenerateLine {
                messages: Some(vec![message]),
                ..GenerateLine::default()
            }
        };
        check_generate(number, &line)?;
        line.complete(sampling);
        parsed.push((number, line));
    }
    let needed = |codec: &dyn Codec| {
        let markers = Arc::default();
        let lengths = parsed.iter().map(|(n, line)| {
            let request = generate_request(codec, &markers, *n, line)?.0;
            Ok((request.ids.len() as u32).saturating_add(request.max_tokens))
        });
        Ok(lengths
            .collect::<Result<Vec<u32>, EvalhError>>()?
            .into_iter()
            .max()
            .unwrap_or(0))
    };
    let LoadedHost {
        mut engine, codec, ..
    } = engine(session, &request.model, needed)?;
    let markers = Arc::new(tokenizer::thought_markers(codec.as_ref()));
    let prepared = parsed
        .iter()
        .map(|(n, line)| generate_request(codec.as_ref(), &markers, *n, line));
    let prepared = prepared.collect::<Result<Vec<_>, EvalhError>>()?;
    let requests: Vec<GenerateRequest> = prepared.iter().map(|p| p.0.clone()).collect();
    let begun = clock::now();
    let mut results: Vec<Option<Result<RawGeneration, EngineError>>> =
        requests.iter().map(|_| None).collect();
    engine.generate(&requests, &mut |index, result| {
        results[index] = Some(result);
        ControlFlow::Continue(())
    })?;
    let wall = begun.elapsed();
    let mut totals = Totals::default();
    for (((number, _), (asked, tokenize)), result) in parsed.iter().zip(&prepared).zip(results) {
        let raw = result
            .ok_or_else(|| bad_line(*number, "the engine gave no result"))?
            .map_err(|e| in_line(*number, e))?;
        totals.add(
            asked.ids.len() + raw.ids.len(),
            raw.computed_tokens as usize + raw.ids.len(),
        );
        let thoughts = asked.thoughts.clone().unwrap_or_default();
        let as_json = request.model.json;
        print_generation(session, as_json, codec.as_ref(), &thoughts, &raw, *tokenize)?;
    }
    totals.print(session, request.model.stats, wall);
    Ok(ExitCode::Done)
}

impl GenerateLine {
    /// Takes what the line leaves open from the catalogue.
    fn complete(&mut self, sampling: Sampling) {
        self.temperature = self.temperature.or(sampling.temperature);
        self.top_k = self.top_k.or(sampling.top_k);
        self.top_p = self.top_p.or(sampling.top_p);
        self.min_p = self.min_p.or(sampling.min_p);
    }
}

fn check_generate(number: usize, line: &GenerateLine) -> Result<(), EvalhError> {
    let given = usize::from(line.ids.is_some())
        + usize::from(line.prompt.is_some())
        + usize::from(line.messages.is_some());
    if given != 1 {
        return Err(bad_line(
            number,
            "exactly one of `ids`, `prompt` and `messages` is needed",
        ));
    }
    let share = |name: &str, value: Option<f64>| match value {
        Some(v) if !(0.0..=1.0).contains(&v) => Err(bad_line(
            number,
            format!("`{name}` is {v}; it must be 0 to 1"),
        )),
        _ => Ok(()),
    };
    share("top_p", line.top_p)?;
    share("min_p", line.min_p)?;
    match line.temperature {
        Some(t) if !(t.is_finite() && t >= 0.0) => Err(bad_line(
            number,
            format!("`temperature` is {t}; it must be 0 or more"),
        )),
        _ => Ok(()),
    }
}

/// The engine's request for a line, and how long its text took to become ids.
fn generate_request(
    codec: &dyn Codec,
    markers: &Arc<ThoughtMarkers>,
    number: usize,
    line: &GenerateLine,
) -> Result<(GenerateRequest, Duration), EvalhError> {
    let begun = clock::now();
    let ids = match (&line.ids, &line.prompt, &line.messages) {
        (Some(ids), _, _) => ids.clone(),
        (_, Some(text), _) => codec.raw_prompt(text)?,
        (_, _, Some(lines)) => codec.prompt(&messages(number, lines)?)?.ids,
        (None, None, None) => return Err(bad_line(number, "no prompt")),
    };
    let tokenize = begun.elapsed();
    let open = tokenizer::open_thought(codec, markers, &ids);
    let request = GenerateRequest {
        ids,
        max_tokens: line.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        decoding: DecodingParams {
            temperature: line.temperature.unwrap_or(0.0),
            top_k: line.top_k,
            top_p: line.top_p,
            min_p: line.min_p,
            seed: line.seed.unwrap_or(0),
        },
        eos: if line.ignore_eos {
            Vec::new()
        } else {
            codec.eos_ids().to_vec()
        },
        stop: line.stop.iter().map(|s| s.clone().into_bytes()).collect(),
        thoughts: Some(Thoughts {
            markers: Arc::clone(markers),
            open,
        }),
        logprobs: line.logprobs,
        timeout: None,
    };
    Ok((request, tokenize))
}

fn print_generation(
    session: &Session,
    as_json: bool,
    codec: &dyn Codec,
    thoughts: &Thoughts,
    raw: &RawGeneration,
    tokenize: Duration,
) -> Result<(), EvalhError> {
    let (markers, open) = (&thoughts.markers, thoughts.open);
    let done = tokenizer::completion(codec, markers, open, &raw.ids, &raw.finish);
    let (completion, reasoning) = (done.text, done.reasoning);
    if !as_json {
        return session.print(&format!("{}\n", escape_terminal(&completion)));
    }
    let ns = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let mut value = json!({
        "completion": completion,
        "ids": raw.ids,
        "finish": finish(&raw.finish),
        "timing": {
            "tokenize_ns": ns(tokenize),
            "prefill_ns": ns(raw.prefill),
            "token_at_ns": raw.token_at.iter().map(|t| ns(*t + tokenize)).collect::<Vec<u64>>(),
        },
    });
    if let Some(reasoning) = reasoning {
        value["reasoning_tokens"] = json!(reasoning.tokens);
        value["answer"] = json!(completion.get(reasoning.answer_at as usize..));
    }
    if let Some(logprobs) = &raw.logprobs {
        value["logprobs"] = json!(logprobs);
    }
    session.print_json(&value)
}

/// `eos:2`, `stop`, `length`, `context`, `timeout`.
fn finish(finish: &Finish) -> String {
    match finish {
        Finish::Eos(id) => format!("eos:{id}"),
        Finish::Stop(_) => "stop".to_owned(),
        Finish::Length => "length".to_owned(),
        Finish::Context => "context".to_owned(),
        Finish::Timeout => "timeout".to_owned(),
    }
}

pub(super) fn score(session: &Session, request: &ScoreCommand) -> Result<ExitCode, EvalhError> {
    let mut parsed: Vec<(usize, ScoreLine)> = Vec::new();
    for (number, line) in lines()? {
        parsed.push((number, parse(number, &line)?));
    }
    let requests = |codec: &dyn Codec| -> Result<Vec<ScoreRequest>, EvalhError> {
        parsed
            .iter()
            .map(|(n, line)| score_request(codec, *n, line))
            .collect()
    };
    let needed = |codec: &dyn Codec| {
        let lengths = requests(codec)?
            .iter()
            .map(|r| r.context.len() + r.continuation.len())
            .max();
        Ok(lengths.unwrap_or(0) as u32)
    };
    let LoadedHost {
        mut engine, codec, ..
    } = engine(session, &request.model, needed)?;
    let requests = requests(codec.as_ref())?;
    let begun = clock::now();
    let mut results: Vec<Option<Result<RawScore, EngineError>>> =
        requests.iter().map(|_| None).collect();
    engine.score(&requests, &mut |index, result| {
        results[index] = Some(result);
        ControlFlow::Continue(())
    })?;
    let wall = begun.elapsed();
    let mut totals = Totals::default();
    for (((number, _), asked), result) in parsed.iter().zip(&requests).zip(results) {
        let raw = result
            .ok_or_else(|| bad_line(*number, "the engine gave no result"))?
            .map_err(|e| in_line(*number, e))?;
        totals.add(
            asked.context.len() + asked.continuation.len(),
            raw.computed_tokens as usize,
        );
        print_score(session, request.model.json, asked, &raw)?;
    }
    totals.print(session, request.model.stats, wall);
    Ok(ExitCode::Done)
}

fn score_request(
    codec: &dyn Codec,
    number: usize,
    line: &ScoreLine,
) -> Result<ScoreRequest, EvalhError> {
    match line {
        ScoreLine {
            context: Some(context),
            continuation: Some(continuation),
            context_ids: None,
            continuation_ids: None,
        } => {
            let (context, continuation) = codec.context_and_continuation(context, continuation)?;
            Ok(ScoreRequest {
                context,
                continuation,
            })
        }
        ScoreLine {
            context: None,
            continuation: None,
            context_ids: Some(context),
            continuation_ids: Some(continuation),
        } => Ok(ScoreRequest {
            context: context.clone(),
            continuation: continuation.clone(),
        }),
        _ => Err(bad_line(
            number,
            "`context` and `continuation`, or `context_ids` and `continuation_ids`, are needed",
        )),
    }
}

fn print_score(
    session: &Session,
    as_json: bool,
    asked: &ScoreRequest,
    raw: &RawScore,
) -> Result<(), EvalhError> {
    // Sums in f64: a long continuation must not lose digits.
    let logprob: f64 = raw.token_logprobs.iter().map(|&v| f64::from(v)).sum();
    let is_greedy = raw.token_top1 == asked.continuation;
    if !as_json {
        return session.print(&format!("{logprob:.5} {is_greedy}\n"));
    }
    let value: Value = json!({
        "logprob": logprob,
        "is_greedy": is_greedy,
        "tokens": asked.continuation.len(),
        "token_logprobs": raw.token_logprobs,
        "token_top1": raw.token_top1,
    });
    session.print_json(&value)
}

/// Tokens asked for and tokens computed.
#[derive(Debug, Default)]
struct Totals {
    asked: usize,
    computed: usize,
}

impl Totals {
    fn add(&mut self, asked: usize, computed: usize) {
        self.asked += asked;
        self.computed += computed;
    }

    fn print(&self, session: &Session, wanted: bool, wall: Duration) {
        if wanted {
            let (asked, computed) = (self.asked, self.computed);
            session.console.note(&format!(
                "{asked} tokens asked for, {computed} computed, {:.2} s",
                wall.as_secs_f64()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_completes_a_line_and_never_overrides_it() {
        let sampling = Sampling {
            temperature: Some(0.7),
            top_p: Some(0.9),
            ..Sampling::default()
        };
        let mut line = GenerateLine {
            temperature: Some(0.0),
            ..GenerateLine::default()
        };
        line.complete(sampling);
        assert_eq!(line.temperature, Some(0.0));
        assert_eq!(line.top_p, Some(0.9));
        assert_eq!((line.top_k, line.min_p), (None, None));
    }
}
