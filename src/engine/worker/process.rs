//! The child as a process: started, written to, listened to, watched, ended and waited for.
//!
//! Reading and writing have a thread each, so that a child that neither reads nor writes cannot hold up the parent. Whoever waits for a
//! message looks at the child's memory meanwhile.

use super::error::{Violation, WorkerDeath};
use super::frame::{FrameError, read_frame, write_frame};
use super::message::{FromWorker, ToWorker};
use crate::clock::{self, Instant};
use crate::units::Bytes;
use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::Duration;

/// How often the child's memory is looked at. A runaway that writes 5 GB a second is stopped 0.25 GB above its limit.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a child may take to end after its pipe is closed, before it is ended.
const END_WITHIN: Duration = Duration::from_secs(2);

/// Messages read ahead. The child waits for an answer after each result, so there is never more than one.
const READ_AHEAD: usize = 4;

/// Bytes kept of what the child wrote last to standard error.
const LAST_WORDS: usize = 4_096;

/// Longest line of it in an error.
const LINE: usize = 300;

/// How a worker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program, which calls [`serve`](super::serve()).
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment: nothing is inherited.
    pub environment: BTreeMap<String, String>,
}

/// What a worker may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Memory; a worker that holds more is ended. `None` means no limit.
    pub memory: Option<Bytes>,
    /// Time to greet.
    pub start: Duration,
    /// Time to load the model.
    pub load: Duration,
    /// Time for one result when the request has no limit of its own.
    pub answer: Duration,
}

impl Default for WorkerLimits {
    /// Far above what a healthy worker takes.
    fn default() -> Self {
        Self {
            memory: None,
            start: Duration::from_mins(1),
            load: Duration::from_mins(30),
            answer: Duration::from_hours(1),
        }
    }
}

/// Memory of a process, mapped files included where the system counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// Now.
    pub now: Bytes,
    /// Most since it began.
    pub peak: Bytes,
}

/// What is asked of the system; `None` is an answer it does not give.
#[derive(Debug, Clone, Copy)]
pub struct WorkerProbes {
    /// Memory of the process with this id.
    pub memory: fn(u32) -> Option<MemoryUse>,
    /// How many processes the system has ended for want of memory.
    pub oom_kills: fn() -> Option<u64>,
}

/// A running child, or one that has been waited for.
pub(super) struct Process {
    child: Child,
    inbox: Receiver<Result<Vec<u8>, FrameError>>,
    outbox: Option<Sender<Vec<u8>>>,
    last_words: Receiver<String>,
    memory_limit: Option<Bytes>,
    probes: WorkerProbes,
    oom_kills: Option<u64>,
    looked: Option<Instant>,
    peak: Option<Bytes>,
    alive: bool,
}

impl Process {
    pub(super) fn start(
        command: &WorkerCommand,
        memory_limit: Option<Bytes>,
        probes: WorkerProbes,
    ) -> Result<Self, WorkerDeath> {
        let oom_kills = (probes.oom_kills)();
        let start = |source| WorkerDeath::Start {
            program: command.program.clone(),
            source,
        };
        let mut child = spawn(command).map_err(start)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (to_inbox, inbox) = mpsc::sync_channel(READ_AHEAD);
        let (outbox, to_child) = mpsc::channel();
        let (to_last_words, last_words) = mpsc::channel();
        let process = Self {
            inbox,
            outbox: Some(outbox),
            last_words,
            memory_limit,
            probes,
            oom_kills,
            looked: None,
            peak: None,
            alive: true,
            child,
        };
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(start(std::io::Error::other("a pipe is missing")));
        };
        let pid = process.child.id();
        thread("worker-read", move || listen(output, &to_inbox)).map_err(start)?;
        thread("worker-write", move || speak(input, &to_child)).map_err(start)?;
        thread("worker-log", move || {
            // Nobody may be left to hear it.
            let _ = to_last_words.send(overhear(errors, pid));
        })
        .map_err(start)?;
        Ok(process)
    }

    /// Hands a message to the writing thread. A child that is gone is noticed by whoever waits for its answer.
    pub(super) fn send(&self, message: &ToWorker) {
        if let Some(outbox) = &self.outbox {
            let _ = outbox.send(message.encode());
        }
    }

    /// The next message; `what` the child is to do `within` a time.
    pub(super) fn receive(
        &mut self,
        what: &'static str,
        within: Duration,
    ) -> Result<FromWorker, WorkerDeath> {
        if !self.alive {
            return Err(WorkerDeath::Gone);
        }
        let begun = clock::now();
        loop {
            self.look()?;
            let left = within.saturating_sub(begun.elapsed());
            if left.is_zero() {
                let limit = within;
                return Err(self.end(WorkerDeath::Hung { what, limit }));
            }
            match self.inbox.recv_timeout(left.min(LOOK_EVERY)) {
                Ok(Ok(frame)) => {
                    let message = FromWorker::decode(&frame);
                    return message.map_err(|e| self.end(WorkerDeath::Protocol(e.into())));
                }
                Ok(Err(FrameError::Violation(v))) => return Err(self.violation(v)),
                Ok(Err(FrameError::Ended)) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.cause_of_death());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Ends a child that cannot be trusted.
    pub(super) fn violation(&mut self, violation: Violation) -> WorkerDeath {
        self.end(WorkerDeath::Protocol(violation))
    }

    /// Ends the child for this reason.
    pub(super) fn end(&mut self, death: WorkerDeath) -> WorkerDeath {
        self.kill();
        death
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive
    }

    /// The id the system gave the child.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The highest memory the system reported.
    pub(super) fn peak(&self) -> Option<Bytes> {
        self.peak
    }

    /// Reads the child's memory when the last reading is old, and ends it when it holds too much.
    fn look(&mut self) -> Result<(), WorkerDeath> {
        let fresh = |at: Instant| at.elapsed() < LOOK_EVERY;
        if self.looked.is_some_and(fresh) {
            return Ok(());
        }
        self.looked = Some(clock::now());
        let Some(memory) = (self.probes.memory)(self.child.id()) else {
            return Ok(());
        };
        self.peak = self.peak.max(Some(memory.peak));
        match self.memory_limit {
            Some(limit) if memory.now > limit => Err(self.end(WorkerDeath::MemoryLimit {
                used: memory.now,
                limit,
            })),
            _ => Ok(()),
        }
    }

    /// After the pipe ended: how the child did.
    fn cause_of_death(&mut self) -> WorkerDeath {
        let Some(status) = self.wait(END_WITHIN) else {
            return self.end(WorkerDeath::Closed);
        };
        self.alive = false;
        let text = self.last_words.recv_timeout(END_WITHIN).unwrap_or_default();
        let last_words = last_line(&text, |line| !line.trim().is_empty());
        // What the standard library writes before it aborts.
        let allocation = last_line(&text, |line| line.contains("memory allocation of"));
        match (signal(status), status.code()) {
            _ if allocation.is_some() => WorkerDeath::OutOfMemory {
                last_words: allocation,
            },
            (Some(number), _) if is_kill(number) && self.system_ran_out_of_memory() => {
                WorkerDeath::OutOfMemory {
                    last_words: Some("the system ended it".to_owned()),
                }
            }
            (Some(number), _) => WorkerDeath::Signal { number, last_words },
            (None, code) => WorkerDeath::Exited {
                code: code.unwrap_or(-1),
                last_words,
            },
        }
    }

    /// Whether the system has ended a process for want of memory since this one began. It could have been another one.
    fn system_ran_out_of_memory(&self) -> bool {
        match (self.oom_kills, (self.probes.oom_kills)()) {
            (Some(before), Some(now)) => now > before,
            _ => false,
        }
    }

    /// Waits for the child to end by itself; `None` when it does not.
    fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let begun = clock::now();
        let mut pause = Duration::from_micros(100);
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if begun.elapsed() >= within {
                return None;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    /// Ends the child at once and waits for it, so that none is left behind.
    fn kill(&mut self) {
        self.alive = false;
        self.outbox = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    /// The end of its input is what tells a healthy child to end.
    fn drop(&mut self) {
        if !self.alive {
            return;
        }
        self.outbox = None;
        if self.wait(END_WITHIN).is_none() {
            self.kill();
        }
    }
}

fn spawn(command: &WorkerCommand) -> std::io::Result<Child> {
    #[expect(clippy::disallowed_methods, reason = "a worker is a process")]
    let mut start = Command::new(&command.program);
    start
        .args(&command.arguments)
        .env_clear()
        .envs(&command.environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        // A group of its own: the terminal's Ctrl-C is for the parent, which lets the child finish its sample.
        start.process_group(0);
        // The program may be given as a link of `/proc`, whose name says nothing.
        start.arg0("evalh");
    }
    start.spawn()
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map(drop)
}

/// Reads messages until the stream ends or is no stream of messages.
fn listen(output: ChildStdout, inbox: &SyncSender<Result<Vec<u8>, FrameError>>) {
    let mut output = BufReader::new(output);
    loop {
        let frame = read_frame(&mut output);
        let last = frame.is_err();
        if inbox.send(frame).is_err() || last {
            return;
        }
    }
}

/// Writes messages until there are none or nobody reads them.
fn speak(mut input: ChildStdin, outbox: &Receiver<Vec<u8>>) {
    while let Ok(payload) = outbox.recv() {
        if write_frame(&mut input, &payload).is_err() {
            return;
        }
    }
}

/// Passes on what the child writes to standard error and gives the end of it.
fn overhear(mut errors: ChildStderr, pid: u32) -> String {
    let mut tail: Vec<u8> = Vec::new();
    let mut chunk = [0; 1_024];
    loop {
        match errors.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(n) => {
                let text = String::from_utf8_lossy(&chunk[..n]);
                tracing::debug!(worker = pid, "{}", text.trim_end().escape_debug());
                tail.extend_from_slice(&chunk[..n]);
                let excess = tail.len().saturating_sub(LAST_WORDS);
                tail.drain(..excess);
            }
        }
    }
    String::from_utf8_lossy(&tail).into_owned()
}

/// The last line of a kind, without control characters.
fn last_line(text: &str, kind: impl Fn(&str) -> bool) -> Option<String> {
    let line = text.lines().rfind(|line| kind(line))?;
    let line = line.trim().chars().filter(|c| !c.is_control());
    Some(line.take(LINE).collect())
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(unix)]
fn is_kill(number: i32) -> bool {
    number == libc::SIGKILL
}

#[cfg(not(unix))]
fn is_kill(_: i32) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_why() {
        let any = |line: &str| !line.trim().is_empty();
        assert_eq!(last_line("", any), None);
        assert_eq!(last_line("\n \n", any), None);
        let text = "first\nmemory \u{1b}[31mran out\n\n";
        assert_eq!(last_line(text, any).unwrap(), "memory [31mran out");
        assert_eq!(last_line(text, |l| l.contains("first")).unwrap(), "first");
        let long = last_line(&"é".repeat(1_000), any).unwrap();
        assert_eq!(long.chars().count(), 300);
    }
}
