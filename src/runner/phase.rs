//! All outstanding questions of one loaded model.

use super::execute::{Question, Recorder};
use super::sample::{self, Submitted};
use super::{Control, LoadedHost, likelihood};
use crate::clock;
use crate::engine::{DecodingParams, EngineError, GenerateRequest, RawGeneration, Thoughts};
use crate::record::{
    Digest, Failure, FailureKind, RunEventKind, SampleRecord, SinkError, TaskKind, ThoughtMarkers,
};
use crate::suite::Quality;
use crate::tokenizer;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Questions handed to the engine at once. Far above what a scheduler can use; it bounds the prompts held in memory.
const AT_ONCE: usize = 2_048;

/// How the questions of a model ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Every one has a record.
    Complete,
    /// The user stopped the run.
    Cancelled,
    /// The model was given up, and why.
    Stopped(String),
    /// The engine is gone, and how it died. The questions without a record are left.
    Died(String),
}

/// One model at work.
pub(super) struct Phase<'p, 's> {
    pub(super) model: &'p Digest,
    pub(super) host: &'p mut LoadedHost,
    pub(super) recorder: &'p mut Recorder<'s>,
    pub(super) quality: &'p Quality,
    pub(super) control: &'p Control,
    /// Failures of the engine since the last answer.
    pub(super) in_a_row: &'p mut u32,
    /// Whether questions scored by log-likelihood are asked one by one.
    pub(super) singly: &'p mut bool,
}

/// Prompts of a batch of questions: submitted to the engine, or failed before.
struct Batch<'b, 'q> {
    questions: &'b [&'b Question<'q>],
    requests: Vec<GenerateRequest>,
    /// For each request, the index of its question.
    of_request: Vec<usize>,
    submitted: Vec<Submitted>,
    /// Questions that failed before they were submitted and are not recorded yet.
    refused: BTreeMap<usize, Failure>,
}

impl Phase<'_, '_> {
    /// Asks everything outstanding. What has no record at the end stays in `outstanding`.
    pub(super) fn run(&mut self, outstanding: &mut Vec<&Question<'_>>) -> Result<Ended, SinkError> {
        while !outstanding.is_empty() {
            let batch = self.next(outstanding);
            let (ended, saved) = if batch[0].task.kind == TaskKind::Generate {
                let batch = self.prepare(batch);
                self.ask(batch)?
            } else {
                self.ask_likelihoods(batch)?
            };
            let mut index = 0;
            outstanding.retain(|_| {
                index += 1;
                !saved.contains(&(index - 1))
            });
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
        Ok(Ended::Complete)
    }

    /// The questions that are asked together: of one kind, in the order of the plan.
    fn next<'b, 'q>(&self, outstanding: &'b [&'b Question<'q>]) -> &'b [&'b Question<'q>] {
        let kind = outstanding[0].task.kind;
        let most = match kind {
            TaskKind::Generate => AT_ONCE,
            TaskKind::Choice | TaskKind::Perplexity => likelihood::at_once(kind, *self.singly),
        };
        let alike = outstanding.iter().take_while(|q| q.task.kind == kind);
        &outstanding[..alike.count().min(most)]
    }

    /// Renders and tokenises, taking the time of each prompt.
    fn prepare<'b, 'q>(&self, questions: &'b [&'b Question<'q>]) -> Batch<'b, 'q> {
        let codec = &self.host.codec;
        let mut batch = Batch {
            questions,
            requests: Vec::new(),
            of_request: Vec::new(),
            submitted: Vec::new(),
            refused: BTreeMap::new(),
        };
        let markers = Arc::new(tokenizer::thought_markers(codec.as_ref()));
        for (index, question) in questions.iter().enumerate() {
            let begin = clock::now();
            let prompt = codec.prompt(&question.messages);
            let tokenize = begin.elapsed();
            match prompt {
                Ok(prompt) => {
                    batch.submitted.push(Submitted::new(&prompt.ids, tokenize));
                    batch.of_request.push(index);
                    let request = self.request(question, prompt.ids, &markers);
                    batch.requests.push(request);
                }
                Err(error) => {
                    batch.refused.insert(index, sample::prompt_failure(&error));
                }
            }
        }
        batch
    }

    fn request(
        &self,
        question: &Question<'_>,
        ids: Vec<u32>,
        markers: &Arc<ThoughtMarkers>,
    ) -> GenerateRequest {
        let decoding = &question.task.decoding;
        let open = tokenizer::open_thought(self.host.codec.as_ref(), markers, &ids);
        let own = decoding.stop.iter().map(String::as_str);
        let stops = own.chain(self.host.codec.default_stops().iter().copied());
        GenerateRequest {
            ids,
            max_tokens: decoding.max_tokens,
            decoding: DecodingParams {
                temperature: decoding.temperature,
                top_k: decoding.top_k,
                top_p: decoding.top_p,
                min_p: decoding.min_p,
                seed: question.item.seed,
            },
            eos: self.host.codec.eos_ids().to_vec(),
            stop: stops.map(|s| s.as_bytes().to_vec()).collect(),
            thoughts: Some(Thoughts {
                markers: Arc::clone(markers),
                open,
            }),
            logprobs: false,
            timeout: self.control.timeout,
        }
    }

    /// Asks a batch. Gives how it ended, `None` when every question has a record, and the indices of those that have one.
    fn ask(&mut self, batch: Batch<'_, '_>) -> Result<(Option<Ended>, BTreeSet<usize>), SinkError> {
        let codec = self.host.codec.clone();
        let mut work = Work::new(
            self.model,
            self.recorder,
            self.quality,
            self.control,
            self.in_a_row,
            batch.questions,
            batch.refused,
            batch.requests.len(),
        );
        if work.begin(&batch.of_request).is_break() {
            return work.outcome();
        }
        let ran = self
            .host
            .engine
            .generate(&batch.requests, &mut |n, result| {
                let (Some(&index), Some(prompt)) =
                    (batch.of_request.get(n), batch.submitted.get(n))
                else {
                    return ControlFlow::Continue(());
                };
                if std::mem::replace(&mut work.reported[n], true) {
                    return ControlFlow::Continue(());
                }
                let thoughts = batch.requests[n].thoughts.as_ref();
                let record = work.judge(codec.as_ref(), index, (prompt, thoughts), result);
                work.finish(index, record, &batch.of_request)
            });
        if let Err(error) = ran
            && work.ended.is_none()
            && work.broken.is_none()
        {
            work.interrupted(&error, &batch.of_request);
        }
        work.close(&batch.of_request);
        work.outcome()
    }
}

/// A batch while the engine works on it.
pub(super) struct Work<'w, 's, 'q> {
    phase_model: &'w Digest,
    recorder: &'w mut Recorder<'s>,
    quality: &'w Quality,
    control: &'w Control,
    in_a_row: &'w mut u32,
    refused: BTreeMap<usize, Failure>,
    questions: &'w [&'w Question<'q>],
    /// For each question handed over, whether its result is there.
    pub(super) reported: Vec<bool>,
    /// Questions with a record.
    saved: BTreeSet<usize>,
    pub(super) ended: Option<Ended>,
    /// The sink failed: nothing more is emitted.
    pub(super) broken: Option<SinkError>,
}

impl<'w, 's, 'q> Work<'w, 's, 'q> {
    #[expect(clippy::too_many_arguments, reason = "the fields of a phase, apart")]
    pub(super) fn new(
        phase_model: &'w Digest,
        recorder: &'w mut Recorder<'s>,
        quality: &'w Quality,
        control: &'w Control,
        in_a_row: &'w mut u32,
        questions: &'w [&'w Question<'q>],
        refused: BTreeMap<usize, Failure>,
        submitted: usize,
    ) -> Self {
        Self {
            phase_model,
            recorder,
            quality,
            control,
            in_a_row,
            refused,
            questions,
            reported: vec![false; submitted],
            saved: BTreeSet::new(),
            ended: None,
            broken: None,
        }
    }

    pub(super) fn outcome(self) -> Result<(Option<Ended>, BTreeSet<usize>), SinkError> {
        match self.broken {
            Some(error) => Err(error),
            None => Ok((self.ended, self.saved)),
        }
    }

    /// Whether a question of this batch has no record yet.
    fn left(&self) -> bool {
        self.reported.contains(&false) || !self.refused.is_empty()
    }

    fn judge(
        &self,
        codec: &dyn crate::tokenizer::Codec,
        index: usize,
        (prompt, thoughts): (&Submitted, Option<&Thoughts>),
        result: Result<RawGeneration, EngineError>,
    ) -> SampleRecord {
        let question = self.questions[index];
        let generation = result
            .map_err(|e| sample::engine_failure(&e))
            .and_then(|raw| {
                let limit = self.control.timeout;
                sample::generation(codec, (prompt, thoughts), raw, limit)
            });
        match generation {
            Ok(g) => sample::answered(question, self.phase_model, self.quality, g),
            Err(failure) => sample::failed(question, self.phase_model, failure),
        }
    }

    /// Records the questions refused before the first request, and announces that one.
    pub(super) fn begin(&mut self, of_request: &[usize]) -> ControlFlow<()> {
        if self.control.cancel.load(Ordering::Relaxed) {
            self.ended = Some(Ended::Cancelled);
            return ControlFlow::Break(());
        }
        self.announce(of_request)
    }

    /// Announces the next question of the engine, after the refused ones before it have their records: so the order of records is that of the plan.
    fn announce(&mut self, of_request: &[usize]) -> ControlFlow<()> {
        let next = self.reported.iter().position(|done| !done);
        let next = next.and_then(|n| of_request.get(n).copied());
        while let Some((&index, _)) = self.refused.first_key_value() {
            if next.is_some_and(|n| n < index) {
                break;
            }
            let Some(failure) = self.refused.remove(&index) else {
                break;
            };
            let record = sample::failed(self.questions[index], self.phase_model, failure);
            self.started(index)?;
            self.save(index, record)?;
        }
        next.map_or(ControlFlow::Continue(()), |index| self.started(index))
    }

    fn started(&mut self, index: usize) -> ControlFlow<()> {
        let key = self.questions[index].item.key(self.phase_model);
        self.emit(RunEventKind::SampleStarted { key })
    }

    /// Records an answer, then decides whether to go on, and announces the next question.
    pub(super) fn finish(
        &mut self,
        index: usize,
        record: SampleRecord,
        of_request: &[usize],
    ) -> ControlFlow<()> {
        self.settle(index, record)?;
        self.announce(of_request)
    }

    /// Records an answer, then decides whether to go on.
    fn settle(&mut self, index: usize, record: SampleRecord) -> ControlFlow<()> {
        let failure = record.failure.as_ref().map(|f| (f.kind, f.message.clone()));
        self.save(index, record)?;
        let left = self.left();
        match failure {
            Some((kind, message)) if sample::blames_engine(kind) => {
                *self.in_a_row += 1;
                let limit = self.control.max_consecutive_failures;
                if left && limit.is_some_and(|limit| *self.in_a_row >= limit) {
                    let n = *self.in_a_row;
                    self.ended = Some(Ended::Stopped(format!(
                        "{n} samples failed in a row, the last with: {message}"
                    )));
                }
            }
            Some(_) => {}
            None => *self.in_a_row = 0,
        }
        if self.ended.is_none() && left && self.control.cancel.load(Ordering::Relaxed) {
            self.ended = Some(Ended::Cancelled);
        }
        if self.ended.is_some() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// The engine returned early. When it died, the sample it was working on died with it.
    pub(super) fn interrupted(&mut self, error: &EngineError, of_request: &[usize]) {
        if !error.is_death() {
            if self.left() {
                self.ended = Some(Ended::Stopped(sample::with_causes(error)));
            }
            return;
        }
        if let Some(n) = self.reported.iter().position(|done| !done) {
            self.reported[n] = true;
            let index = of_request[n];
            let failure = sample::engine_failure(error);
            let record = sample::failed(self.questions[index], self.phase_model, failure);
            if self.settle(index, record).is_break() {
                return;
            }
        }
        self.ended = Some(Ended::Died(sample::with_causes(error)));
    }

    /// After the engine returned: a request it forgot is a failure of the engine.
    fn close(&mut self, of_request: &[usize]) {
        while self.ended.is_none() && self.broken.is_none() {
            let Some(n) = self.reported.iter().position(|done| !done) else {
                return;
            };
            self.reported[n] = true;
            let failure = Failure {
                kind: FailureKind::Engine,
                message: "the engine reported no result".to_owned(),
            };
            let index = of_request[n];
            let record = sample::failed(self.questions[index], self.phase_model, failure);
            if self.finish(index, record, of_request).is_break() {
                return;
            }
        }
    }

    fn save(&mut self, index: usize, mut record: SampleRecord) -> ControlFlow<()> {
        record.sequence = self.recorder.recorded;
        let failed = record.failure.is_some();
        self.emit(RunEventKind::SampleFinished {
            record: Box::new(record),
        })?;
        self.saved.insert(index);
        self.recorder.recorded += 1;
        self.recorder.failed += u64::from(failed);
        ControlFlow::Continue(())
    }

    fn emit(&mut self, kind: RunEventKind) -> ControlFlow<()> {
        match self.recorder.emit(kind) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.broken = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}
