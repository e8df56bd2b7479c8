//! Questions with choices and texts: what is asked of the engine, and the record that its log-probabilities make.
//!
//! All choices of a batch of questions go to the engine at once, which orders them as it likes; the records are made in the order of the plan.
//! Nothing is timed here: an engine may share the beginnings of prompts, so no time belongs to a sample.
//!
//! A choice is asked for as lm-evaluation-harness does (`TemplateLM._encode_pair`, `loglikelihood`, `loglikelihood_rolling`).

use super::execute::Question;
use super::phase::{Ended, Phase, Work};
use super::sample;
use super::windows::{Text, windows};
use crate::engine::{EngineError, RawScore, ScoreRequest};
use crate::record::{
    ChoiceScore, ChoiceScoring, Digest, Failure, FailureKind, SampleRecord, Scoring, SinkError,
    TaskKind, TextScoring,
};
use crate::suite::{self, PromptStyle, Sample, SuiteError, Task};
use crate::tokenizer::{Codec, TokenizerError, behind_prompt};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Questions handed to the engine at once. Their records are made in the order of the plan, so this bounds what a killed run loses.
const QUESTIONS_AT_ONCE: usize = 32;

/// How many questions of the same kind are asked together. Texts share nothing, so they are asked one by one; so are questions after an engine died,
/// to find the one that kills it.
pub(super) fn at_once(kind: TaskKind, singly: bool) -> usize {
    if singly || kind == TaskKind::Perplexity {
        1
    } else {
        QUESTIONS_AT_ONCE
    }
}

/// What is asked about one sample.
struct Inquiry {
    requests: Vec<ScoreRequest>,
    /// Of a text: its ids, and the window it was read in ([`TextScoring::window`]).
    text: Option<(Vec<u32>, usize)>,
}

/// A sample as requests. `context` is the most tokens the engine reads at once.
fn inquire(
    codec: &dyn Codec,
    task: &Task,
    sample: &Sample,
    messages: &[crate::record::Message],
    context: usize,
) -> Result<Inquiry, Failure> {
    let failed = |e: TokenizerError| sample::text_failure(&e);
    let prompt = messages.first().map_or("", |m| m.content.as_str());
    if task.kind == TaskKind::Perplexity {
        return text(codec, task, prompt, context);
    }
    let style = task.likelihood.prompt;
    let delimiter = style.delimiter();
    let mut requests = Vec::new();
    for choice in &sample.choices {
        let continuation = format!("{delimiter}{choice}");
        let pair = match style {
            PromptStyle::Raw => codec.context_and_continuation(prompt, &continuation),
            PromptStyle::Chat => behind_prompt(codec, messages, &continuation),
        };
        requests.push(request(pair.map_err(failed)?));
    }
    if task.likelihood.mutual_info {
        for choice in &sample.choices {
            let alone = codec.context_and_continuation("", &format!("{delimiter}{choice}"));
            requests.push(request(alone.map_err(failed)?));
        }
    }
    Ok(Inquiry {
        requests,
        text: None,
    })
}

fn request((context, continuation): (Vec<u32>, Vec<u32>)) -> ScoreRequest {
    ScoreRequest {
        context,
        continuation,
    }
}

fn text(codec: &dyn Codec, task: &Task, text: &str, context: usize) -> Result<Inquiry, Failure> {
    let failed = |e: TokenizerError| sample::text_failure(&e);
    let ids = codec.encode(text, false).map_err(failed)?;
    let begin = codec.begin_id();
    let begin = begin.ok_or_else(|| failed(TokenizerError::EmptyContext))?;
    let begins = codec.raw_prompt("").map_err(failed)?.first() == Some(&begin);
    let l = &task.likelihood;
    let window = context.min(l.window as usize);
    let seen = Text {
        ids: &ids,
        begin,
        begins,
    };
    let cut = |window| windows(l.windows, &seen, window, l.stride as usize);
    let requests = cut(window);
    if requests.is_empty() {
        let n = ids.len();
        return Err(Failure {
            kind: FailureKind::Engine,
            message: format!("the text has {n} tokens, of which none can be scored"),
        });
    }
    // A context that cuts nothing is no property of the measurement: two models that read the whole text at once have read it in the same way.
    let whole = requests.len() == 1 && requests == cut(l.window as usize);
    let window = if whole { l.window as usize } else { window };
    Ok(Inquiry {
        requests,
        text: Some((ids, window)),
    })
}

/// Tokens of the longest sequence that is read for a sample scored by log-likelihood, to plan the context with; 0 for one that cannot be asked,
/// which is a record of the run.
///
/// # Errors
/// When the template cannot be rendered over the sample.
pub fn longest_sequence(
    codec: &dyn Codec,
    task: &Task,
    sample: &Sample,
) -> Result<u32, SuiteError> {
    let messages = suite::messages(task, sample)?;
    let longest = inquire(codec, task, sample, &messages, usize::MAX).map_or(0, |inquiry| {
        let lengths = inquiry.requests.iter();
        let lengths = lengths.map(|r| r.context.len() + r.continuation.len());
        lengths.max().unwrap_or(0)
    });
    Ok(u32::try_from(longest).unwrap_or(u32::MAX))
}

/// A question with the answers it has so far.
struct Asked {
    inquiry: Inquiry,
    scores: Vec<Option<Result<RawScore, Failure>>>,
    missing: usize,
}

impl Asked {
    fn new(inquiry: Inquiry) -> Self {
        Self {
            scores: inquiry.requests.iter().map(|_| None).collect(),
            missing: inquiry.requests.len(),
            inquiry,
        }
    }

    fn take(&mut self, at: usize, result: Result<RawScore, EngineError>) {
        let result = result
            .map_err(|e| sample::engine_failure(&e))
            .and_then(finite);
        if self.scores[at].replace(result).is_none() {
            self.missing -= 1;
        }
    }

    /// The record, once every request has its result.
    fn record(&mut self, question: &Question<'_>, model: &Digest) -> SampleRecord {
        match self.scoring(question) {
            Ok(scoring) => sample::scored(question, model, scoring),
            Err(failure) => sample::failed(question, model, failure),
        }
    }

    fn scoring(&mut self, question: &Question<'_>) -> Result<Scoring, Failure> {
        let silent = || Failure {
            kind: FailureKind::Engine,
            message: "the engine reported no result".to_owned(),
        };
        let all = std::mem::take(&mut self.scores).into_iter();
        let scores: Vec<RawScore> = all
            .map(|s| s.unwrap_or_else(|| Err(silent())))
            .collect::<Result<_, _>>()?;
        Ok(match &self.inquiry.text {
            Some((ids, window)) => {
                Scoring::Text(text_scoring(question, ids, *window, &self.inquiry, scores))
            }
            None => Scoring::Choice(choice_scoring(question, &self.inquiry, scores)),
        })
    }
}

/// A log-probability that is no number, or of an impossible token, can be summed to nothing.
fn finite(raw: RawScore) -> Result<RawScore, Failure> {
    let bad = raw.token_logprobs.iter().position(|x| !x.is_finite());
    let Some(at) = bad else { return Ok(raw) };
    Err(Failure {
        kind: FailureKind::NotANumber,
        message: format!(
            "the log-probability of token {at} of the continuation is {}",
            raw.token_logprobs[at]
        ),
    })
}

fn digest(ids: &[u32]) -> Digest {
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    Digest::of(&bytes)
}

fn choice_scoring(
    question: &Question<'_>,
    inquiry: &Inquiry,
    scores: Vec<RawScore>,
) -> ChoiceScoring {
    let (task, sample) = (question.task, question.sample);
    let first = &inquiry.requests[0].context;
    let n = sample.choices.len();
    let mut scores = scores.into_iter();
    let conditional: Vec<RawScore> = scores.by_ref().take(n).collect();
    let mut alone = scores.map(|s| s.token_logprobs);
    let choices = sample.choices.iter().zip(conditional).enumerate();
    ChoiceScoring {
        answer: sample.answer.unwrap_or(u32::MAX),
        metric: task.likelihood.metric,
        prompt_tokens: u32::try_from(first.len()).unwrap_or(u32::MAX),
        prompt_digest: digest(first),
        choices: choices
            .map(|(at, (text, score))| ChoiceScore {
                text: text.clone(),
                greedy: score.token_top1 == inquiry.requests[at].continuation,
                token_logprobs: score.token_logprobs,
                unconditional: alone.next(),
            })
            .collect(),
    }
}

fn text_scoring(
    question: &Question<'_>,
    ids: &[u32],
    window: usize,
    inquiry: &Inquiry,
    scores: Vec<RawScore>,
) -> TextScoring {
    let text = &question.sample.input;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    TextScoring {
        window: count(window),
        windows: inquiry
            .requests
            .iter()
            .map(|r| count(r.continuation.len()))
            .collect(),
        text_tokens: count(ids.len()),
        bytes: text.len() as u64,
        words: text.split_whitespace().count() as u64,
        text_digest: digest(ids),
        token_logprobs: scores.into_iter().flat_map(|s| s.token_logprobs).collect(),
    }
}

/// Questions handed to the engine.
struct Batch {
    asked: Vec<Asked>,
    /// For each, the index of its question.
    of_asked: Vec<usize>,
    /// For each request, which of `asked` it belongs to and its place there.
    owners: Vec<(usize, usize)>,
    requests: Vec<ScoreRequest>,
}

impl Phase<'_, '_> {
    /// Asks questions that are scored by log-likelihood. As `ask` of what is generated.
    pub(super) fn ask_likelihoods(
        &mut self,
        questions: &[&Question<'_>],
    ) -> Result<(Option<Ended>, BTreeSet<usize>), SinkError> {
        let (mut batch, refused) = self.prepare_likelihoods(questions);
        let model = self.model;
        let host = &mut *self.host;
        let mut work = Work::new(
            model,
            self.recorder,
            self.quality,
            self.control,
            self.in_a_row,
            questions,
            refused,
            batch.asked.len(),
        );
        if work.begin(&batch.of_asked).is_break() {
            return work.outcome();
        }
        let requests = std::mem::take(&mut batch.requests);
        let ran = host.engine.score(&requests, &mut |n, result| {
            let Some(&(at, place)) = batch.owners.get(n) else {
                return ControlFlow::Continue(());
            };
            if work.reported[at] {
                return ControlFlow::Continue(());
            }
            batch.asked[at].take(place, result);
            batch.settle(&mut work, questions, model, false)
        });
        let open = work.ended.is_none() && work.broken.is_none();
        match ran {
            Err(error) if open && error.is_death() && batch.asked.len() > 1 => {
                // Which of them killed it is not known: each is asked on its own from here on.
                *self.singly = true;
                work.ended = Some(Ended::Died(sample::with_causes(&error)));
            }
            Err(error) if open => work.interrupted(&error, &batch.of_asked),
            _ => {}
        }
        if work.ended.is_none() && work.broken.is_none() {
            // How it ended is kept in the work.
            let _ = batch.settle(&mut work, questions, model, true);
        }
        work.outcome()
    }

    fn prepare_likelihoods(
        &self,
        questions: &[&Question<'_>],
    ) -> (Batch, BTreeMap<usize, Failure>) {
        let mut batch = Batch {
            asked: Vec::new(),
            of_asked: Vec::new(),
            owners: Vec::new(),
            requests: Vec::new(),
        };
        let mut refused = BTreeMap::new();
        let context = self.host.engine.info().context as usize;
        let codec = self.host.codec.as_ref();
        for (index, q) in questions.iter().enumerate() {
            match inquire(codec, q.task, q.sample, &q.messages, context) {
                Ok(inquiry) => {
                    let at = batch.asked.len();
                    batch
                        .owners
                        .extend((0..inquiry.requests.len()).map(|place| (at, place)));
                    batch.requests.extend(inquiry.requests.iter().cloned());
                    batch.of_asked.push(index);
                    batch.asked.push(Asked::new(inquiry));
                }
                Err(failure) => {
                    refused.insert(index, failure);
                }
            }
        }
        (batch, refused)
    }
}

impl Batch {
    /// Records what is complete, in the order of the plan up to the first that is not; at the `last` call that one is a failure.
    fn settle(
        &mut self,
        work: &mut Work<'_, '_, '_>,
        questions: &[&Question<'_>],
        model: &Digest,
        last: bool,
    ) -> ControlFlow<()> {
        while let Some(at) = work.reported.iter().position(|done| !done) {
            if self.asked[at].missing > 0 && !last {
                break;
            }
            work.reported[at] = true;
            let index = self.of_asked[at];
            let record = self.asked[at].record(questions[index], model);
            work.finish(index, record, &self.of_asked)?;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::ByteCodec;

    /// The window recorded for a text of so many bytes, and the number of windows, in a context.
    fn recorded(plan: &str, bytes: usize, context: usize) -> (usize, usize) {
        let text = "x".repeat(bytes);
        let toml = format!(
            "format = 1\nname = \"t\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\nlanguage = \"en\"\nprimary = \"bits_per_byte\"\n\
             [[task]]\nid = \"read\"\ntype = \"perplexity\"\nwindows = \"{plan}\"\nwindow = 512\n\
             [[task.sample]]\nid = \"one\"\ntext = \"{text}\"\n"
        );
        let suite = suite::parse("t.toml", &toml, None).unwrap();
        let (task, sample) = suite.samples().next().unwrap();
        let messages = suite::messages(task, sample).unwrap();
        let Ok(inquiry) = inquire(&ByteCodec::new(), task, sample, &messages, context) else {
            panic!("the text cannot be asked");
        };
        (inquiry.text.unwrap().1, inquiry.requests.len())
    }

    #[test]
    fn a_context_that_cuts_nothing_is_not_recorded() {
        for plan in ["rolling", "begin", "disjoint", "strided"] {
            for context in [64, 128, 512, 8_192] {
                assert_eq!(recorded(plan, 40, context), (512, 1), "{plan} {context}");
            }
            // One that does is.
            let (window, windows) = recorded(plan, 200, 64);
            assert!(window == 64 && windows > 1, "{plan}: {window} {windows}");
            assert_eq!(recorded(plan, 600, 8_192).0, 512, "{plan}");
        }
    }

    #[test]
    fn a_single_window_that_loses_a_token_is_recorded() {
        // BOS and 64 bytes: the last byte is alone in its window and cannot be scored.
        assert_eq!(recorded("disjoint", 64, 64), (64, 1));
        assert_eq!(recorded("disjoint", 64, 128), (512, 1));
    }
}
