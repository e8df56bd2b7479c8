//! The parent's side: an [`Engine`] whose work happens in a child.

use super::check::{self, Answered};
use super::error::{Violation, WorkerDeath};
use super::message::{FromWorker, Hello, LoadSpec, ToWorker, bounded};
use super::process::{Process, WorkerCommand, WorkerLimits, WorkerProbes};
use crate::engine::{
    Engine, EngineError, EngineInfo, GenerateRequest, GenerateSink, ScoreRequest, ScoreSink,
};
use crate::units::Bytes;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::Duration;

/// Time to tell the peak memory.
const PEAK_WITHIN: Duration = Duration::from_secs(10);

/// A time limit is checked by the engine after each token, so a healthy child may be late by a prefill or a token. This many times the limit,
/// within the bounds below, is what it may be late.
const GRACE_FACTOR: u32 = 10;
const GRACE_LEAST: Duration = Duration::from_secs(1);
const GRACE_MOST: Duration = Duration::from_mins(1);

/// A model loaded in a child process.
pub struct WorkerEngine {
    /// In a cell, because the peak is asked of the child through a shared reference.
    process: RefCell<Process>,
    info: EngineInfo,
    load: Duration,
    answer_within: Duration,
}

impl WorkerEngine {
    /// Starts a child and has it load a model.
    ///
    /// # Errors
    /// [`EngineError::Worker`] when the child dies, hangs or cannot be trusted; what the engine said when it could not load the model.
    pub fn start(
        command: &WorkerCommand,
        limits: &WorkerLimits,
        probes: WorkerProbes,
        spec: LoadSpec,
    ) -> Result<Self, EngineError> {
        let mut process = Process::start(command, limits.memory, probes)?;
        process.send(&ToWorker::Hello(Hello::own()));
        match process.receive("start", limits.start)? {
            FromWorker::Hello(hello) => hello.check().map_err(|v| process.violation(v))?,
            other => return Err(out_of_turn(&mut process, other, "a greeting")),
        }
        process.send(&ToWorker::Load(spec));
        match process.receive("load the model", limits.load)? {
            FromWorker::Loaded { info, load } => {
                check::info(&info).map_err(|v| process.violation(v))?;
                Ok(Self {
                    process: RefCell::new(process),
                    info,
                    load,
                    answer_within: limits.answer,
                })
            }
            FromWorker::NotLoaded(failed) => Err(failed.into()),
            FromWorker::Unfit { device, check } => Err(EngineError::SelfCheck {
                device,
                check: Box::new(check),
            }),
            other => Err(out_of_turn(&mut process, other, "a loaded model")),
        }
    }

    /// How long loading took in the child, its start left out.
    pub fn load(&self) -> Duration {
        self.load
    }

    /// Id of the child.
    pub fn process_id(&self) -> u32 {
        self.process.borrow().id()
    }

    /// Sends the requests of a phase and hands each result to `each`, which checks it and keeps it. The child waits for an answer after each,
    /// so nothing is computed while a result is stored.
    fn phase(
        &self,
        begin: ToWorker,
        requests: impl Iterator<Item = ToWorker>,
        within: Duration,
        mut each: impl FnMut(FromWorker) -> Result<ControlFlow<()>, Violation>,
    ) -> Result<(), EngineError> {
        {
            let process = self.process.borrow();
            process.send(&begin);
            requests.for_each(|request| process.send(&request));
        }
        let mut stopped = false;
        loop {
            let message = self.process.borrow_mut().receive("answer", within)?;
            let result = match message {
                FromWorker::Done(None) => return Ok(()),
                FromWorker::Done(Some(failed)) => return Err(failed.into()),
                other if stopped || matches!(other, FromWorker::Panicked(_)) => {
                    let mut process = self.process.borrow_mut();
                    return Err(out_of_turn(&mut process, other, "the end of the phase"));
                }
                result => result,
            };
            // No borrow is held here: `each` may ask the engine for its peak.
            let flow = each(result).map_err(|v| self.process.borrow_mut().violation(v))?;
            stopped = flow.is_break();
            let answer = if stopped {
                ToWorker::Stop
            } else {
                ToWorker::Continue
            };
            self.process.borrow().send(&answer);
        }
    }
}

/// The end of a child that said what it must not say now. A panic is said at any time.
fn out_of_turn(process: &mut Process, found: FromWorker, expected: &'static str) -> EngineError {
    let death = match found {
        FromWorker::Panicked(message) => WorkerDeath::Panicked {
            message: bounded(&message),
        },
        other => WorkerDeath::Protocol(Violation::Turn {
            found: other.name(),
            expected,
        }),
    };
    process.end(death).into()
}

/// How long one result may take: the longest limit of the requests with what the child may be late, or `otherwise` when one has none.
fn answer_within(limits: impl Iterator<Item = Option<Duration>>, otherwise: Duration) -> Duration {
    let limits: Option<Vec<Duration>> = limits.collect();
    let longest = limits.and_then(|all| all.into_iter().max());
    longest.map_or(otherwise, |limit| {
        let late = limit
            .saturating_mul(GRACE_FACTOR)
            .clamp(GRACE_LEAST, GRACE_MOST);
        limit.saturating_add(late)
    })
}

fn count<T>(requests: &[T]) -> u32 {
    u32::try_from(requests.len()).unwrap_or(u32::MAX)
}

impl Engine for WorkerEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        sink: &mut GenerateSink<'_>,
    ) -> Result<(), EngineError> {
        let mut answered = Answered::new(requests.len());
        let items = requests.iter().cloned().map(ToWorker::GenerateItem);
        let within = answer_within(requests.iter().map(|r| r.timeout), self.answer_within);
        let begin = ToWorker::Generate(count(requests));
        self.phase(begin, items, within, |message| {
            let FromWorker::Generated { index, result } = message else {
                return Err(Violation::Turn {
                    found: message.name(),
                    expected: "a generation",
                });
            };
            let at = answered.take(index)?;
            if let Ok(raw) = &result {
                check::generation(&requests[at], &self.info, raw)?;
            }
            Ok(sink(at, result.map_err(EngineError::from)))
        })
    }

    fn score(
        &mut self,
        requests: &[ScoreRequest],
        sink: &mut ScoreSink<'_>,
    ) -> Result<(), EngineError> {
        let mut answered = Answered::new(requests.len());
        let items = requests.iter().cloned().map(ToWorker::ScoreItem);
        let begin = ToWorker::Score(count(requests));
        self.phase(begin, items, self.answer_within, |message| {
            let FromWorker::Scored { index, result } = message else {
                return Err(Violation::Turn {
                    found: message.name(),
                    expected: "a score",
                });
            };
            let at = answered.take(index)?;
            if let Ok(raw) = &result {
                check::score(&requests[at], &self.info, raw)?;
            }
            Ok(sink(at, result.map_err(EngineError::from)))
        })
    }

    /// The child's own account; of a dead one, the last that the system reported.
    fn peak_memory(&self) -> Option<Bytes> {
        let mut process = self.process.borrow_mut();
        if process.is_alive() {
            process.send(&ToWorker::Peak);
            match process.receive("tell its peak memory", PEAK_WITHIN) {
                Ok(FromWorker::Peak(peak)) => return peak,
                Ok(other) => {
                    out_of_turn(&mut process, other, "a peak");
                }
                Err(_) => {}
            }
        }
        process.peak()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_may_be_late_by_a_token_or_a_prefill() {
        let hour = Duration::from_hours(1);
        let within = |limits: &[Option<u64>]| {
            let limits = limits.iter().map(|l| l.map(Duration::from_millis));
            answer_within(limits, hour).as_millis()
        };
        assert_eq!(within(&[Some(20)]), 1_020);
        assert_eq!(within(&[Some(20), Some(500)]), 5_500);
        assert_eq!(within(&[Some(90_000)]), 150_000);
        assert_eq!(within(&[Some(20), None]), 3_600_000);
        assert_eq!(within(&[]), 3_600_000);
    }
}
