//! The child's side: loads one model and answers until its input ends.
//!
//! A panic of the engine is told to the parent and ends the child, whose state cannot be trusted any more. The end of the input ends the
//! child at once, also in the middle of a computation: then the parent is done with it, or dead.

use super::error::{Violation, WireError};
use super::frame::{FrameError, read_frame, write_frame};
use super::message::{Failed, FromWorker, Hello, LoadSpec, ToWorker, bounded};
use crate::clock;
use crate::engine::mock::{MockDeath, MockEngine, MockScript};
use crate::engine::{Engine, EngineError, GenerateRequest, ScoreRequest};
use crate::record::{DeviceChoice, Dtype, FailureKind, TokenTable};
use crate::units::Bytes;
use std::any::Any;
use std::io::{BufReader, Read, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Messages read ahead, so that the end of the input is seen while the engine computes.
const READ_AHEAD: usize = 64;

/// Most requests of a phase.
const REQUESTS: u32 = 1 << 20;

/// Exit code of a child whose parent is gone, and of one that a script ends.
const EXIT_ORPHANED: i32 = 0;
const EXIT_SCRIPTED: i32 = 7;

/// What the child needs of the system.
#[derive(Debug, Clone, Copy)]
pub struct WorkerHooks {
    /// Peak memory of this process.
    pub peak_memory: fn() -> Option<Bytes>,
    /// Ends this process at once, whatever its threads do.
    pub exit: fn(i32) -> !,
}

/// Answers the parent until it is done.
///
/// # Errors
/// When the parent sends what is no message, or one out of turn.
pub fn serve(
    input: impl Read + Send + 'static,
    output: impl Write,
    hooks: WorkerHooks,
) -> Result<(), Violation> {
    let (to_inbox, inbox) = mpsc::sync_channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut input = BufReader::new(input);
        loop {
            match read_frame(&mut input) {
                Ok(frame) => {
                    if to_inbox.send(ToWorker::decode(&frame)).is_err() {
                        return;
                    }
                }
                Err(FrameError::Ended) => (hooks.exit)(EXIT_ORPHANED),
                Err(FrameError::Violation(Violation::Wire(e))) => {
                    // The other end of this channel ends the child.
                    let _ = to_inbox.send(Err(e));
                    return;
                }
                Err(FrameError::Violation(_)) => return,
            }
        }
    });
    let mut link = Link {
        inbox,
        output,
        hooks,
    };
    let served = catch_unwind(AssertUnwindSafe(|| link.converse()));
    served.unwrap_or_else(|panic| {
        link.say(&FromWorker::Panicked(panic_text(panic.as_ref())));
        Ok(())
    })
}

/// What a panic said.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    bounded(text.unwrap_or("without a message"))
}

struct Link<W> {
    inbox: Receiver<Result<ToWorker, WireError>>,
    output: W,
    hooks: WorkerHooks,
}

impl<W: Write> Link<W> {
    fn converse(&mut self) -> Result<(), Violation> {
        match self.hear()? {
            ToWorker::Hello(hello) => hello.check()?,
            other => return Err(turn(&other, "a greeting")),
        }
        self.say(&FromWorker::Hello(Hello::own()));
        let spec = match self.hear()? {
            ToWorker::Load(spec) => spec,
            other => return Err(turn(&other, "a model to load")),
        };
        let begun = clock::now();
        let (mut engine, own_account) = match self.load(spec) {
            Ok(loaded) => loaded,
            Err(EngineError::SelfCheck { device, check }) => {
                let check = *check;
                self.say(&FromWorker::Unfit { device, check });
                return Ok(());
            }
            Err(error) => {
                self.say(&FromWorker::NotLoaded(Failed::of(&error)));
                return Ok(());
            }
        };
        let info = engine.info().clone();
        let checked = info.check.as_ref().map_or(Duration::ZERO, |c| c.took);
        self.say(&FromWorker::Loaded {
            info,
            load: own_account.unwrap_or_else(|| begun.elapsed().saturating_sub(checked)),
        });
        loop {
            match self.hear()? {
                ToWorker::Generate(count) => self.generate(engine.as_mut(), count)?,
                ToWorker::Score(count) => self.score(engine.as_mut(), count)?,
                ToWorker::Peak => self.say(&FromWorker::Peak(engine.peak_memory())),
                other => return Err(turn(&other, "a phase")),
            }
        }
    }

    fn hear(&self) -> Result<ToWorker, Violation> {
        match self.inbox.recv() {
            Ok(message) => Ok(message?),
            // The reading thread ends only after it sent an error.
            Err(mpsc::RecvError) => (self.hooks.exit)(EXIT_ORPHANED),
        }
    }

    fn say(&mut self, message: &FromWorker) {
        if write_frame(&mut self.output, &message.encode()).is_err() {
            (self.hooks.exit)(EXIT_ORPHANED);
        }
    }

    /// The engine, and the load time by its own account when it has one.
    fn load(&mut self, spec: LoadSpec) -> Result<(Box<dyn Engine>, Option<Duration>), EngineError> {
        match spec {
            LoadSpec::Mock { model, script } => {
                let script = MockScript::parse("mock script", &script);
                let script = script.map_err(|e| EngineError::Reported {
                    kind: FailureKind::Engine,
                    message: e.to_string(),
                })?;
                if let Some(death) = script.load_death(&model) {
                    self.die(death);
                }
                let engine = MockEngine::load(Arc::new(script), &model)?;
                let load = engine.scripted_load();
                Ok((Box::new(engine), load))
            }
            LoadSpec::Candle {
                path,
                device,
                dtype,
                context,
                table,
                bos,
            } => {
                let options = (device, dtype, context, table, bos);
                let engine = candle(&path, options, self.hooks)?;
                Ok((engine, None))
            }
        }
    }

    fn generate(&mut self, engine: &mut dyn Engine, count: u32) -> Result<(), Violation> {
        let requests: Vec<GenerateRequest> = self.collect(count, |message| match message {
            ToWorker::GenerateItem(request) => Ok(request),
            other => Err(turn(&other, "a request to generate")),
        })?;
        let mut broken = None;
        let ran = engine.generate(&requests, &mut |index, result| {
            if let Err(EngineError::Scripted(death)) = &result {
                self.die(*death);
            }
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let result = result.map_err(|e| Failed::of(&e));
            self.say(&FromWorker::Generated { index, result });
            self.go_on(&mut broken)
        });
        self.done(ran, broken)
    }

    fn score(&mut self, engine: &mut dyn Engine, count: u32) -> Result<(), Violation> {
        let requests: Vec<ScoreRequest> = self.collect(count, |message| match message {
            ToWorker::ScoreItem(request) => Ok(request),
            other => Err(turn(&other, "a request to score")),
        })?;
        let mut broken = None;
        let ran = engine.score(&requests, &mut |index, result| {
            if let Err(EngineError::Scripted(death)) = &result {
                self.die(*death);
            }
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let result = result.map_err(|e| Failed::of(&e));
            self.say(&FromWorker::Scored { index, result });
            self.go_on(&mut broken)
        });
        self.done(ran, broken)
    }

    /// So many requests of a phase.
    fn collect<T>(
        &self,
        count: u32,
        take: impl Fn(ToWorker) -> Result<T, Violation>,
    ) -> Result<Vec<T>, Violation> {
        if count > REQUESTS {
            return Err(Violation::Wire(WireError::Length {
                what: "list of requests",
                found: u64::from(count),
                limit: u64::from(REQUESTS),
            }));
        }
        (0..count).map(|_| take(self.hear()?)).collect()
    }

    /// Waits until the parent has kept the result.
    fn go_on(&self, broken: &mut Option<Violation>) -> ControlFlow<()> {
        match self.hear() {
            Ok(ToWorker::Continue) => ControlFlow::Continue(()),
            Ok(ToWorker::Stop) => ControlFlow::Break(()),
            Ok(other) => {
                *broken = Some(turn(&other, "an answer to a result"));
                ControlFlow::Break(())
            }
            Err(violation) => {
                *broken = Some(violation);
                ControlFlow::Break(())
            }
        }
    }

    fn done(
        &mut self,
        ran: Result<(), EngineError>,
        broken: Option<Violation>,
    ) -> Result<(), Violation> {
        if let Some(violation) = broken {
            return Err(violation);
        }
        self.say(&FromWorker::Done(ran.err().map(|e| Failed::of(&e))));
        Ok(())
    }

    /// Dies as a script asks, for trying out what the parent makes of it.
    fn die(&mut self, death: MockDeath) {
        match death {
            MockDeath::Panic => panic!("a panic, as scripted"),
            MockDeath::Abort => std::process::abort(),
            MockDeath::Exit => (self.hooks.exit)(EXIT_SCRIPTED),
            MockDeath::Garbage => {
                // The parent ends this process; should it not, the pause below does not end either.
                let _ = self.output.write_all(b"this is no frame of any protocol\n");
                let _ = self.output.flush();
            }
            MockDeath::Hang => {}
        }
        loop {
            std::thread::sleep(Duration::from_hours(1));
        }
    }
}

fn turn(found: &ToWorker, expected: &'static str) -> Violation {
    Violation::Turn {
        found: found.name(),
        expected,
    }
}

/// How the real engine is loaded, as told by the parent.
type CandleOptions = (
    DeviceChoice,
    Option<Dtype>,
    u32,
    Arc<TokenTable>,
    Option<u32>,
);

/// The real engine over a weight file, opened and validated here.
#[cfg(feature = "candle")]
fn candle(
    path: &Path,
    (device, dtype, context, table, bos): CandleOptions,
    hooks: WorkerHooks,
) -> Result<Box<dyn Engine>, EngineError> {
    use crate::engine::{LoadOptions, open};
    use crate::modelfile::ModelFile;
    let file = ModelFile::open(path)?;
    let options = LoadOptions {
        device,
        dtype,
        context,
        table,
        bos,
        peak_memory: hooks.peak_memory,
    };
    open(&file, &options)
}

/// Without the real engine nothing but the mock can run.
#[cfg(not(feature = "candle"))]
fn candle(_: &Path, _: CandleOptions, _: WorkerHooks) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError::Reported {
        kind: FailureKind::Engine,
        message: "this build of evalh has only the mock engine".to_owned(),
    })
}
