//! The program in a folder of its own: nothing of the user's home, environment or caches reaches it.
//!
//! Every command that is run here is held against what must be true of all of them: it does not panic, it ends by itself, and nothing a
//! terminal would obey is in what it prints.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longest time a command may take; one that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder with the program's current folder (`work`), home and cache in it.
pub(crate) struct TestContext {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as JSON lines.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// Standard output as one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

impl TestContext {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "home"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let text = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let variables = BTreeMap::from([
            ("HOME".to_owned(), text("home")),
            ("EVALH_CACHE".to_owned(), text("cache")),
            // No test of the program reaches out: a source that would is refused.
            ("EVALH_OFFLINE".to_owned(), "1".to_owned()),
        ]);
        Self { folder, variables }
    }

    /// With a mock script in `mock.toml`.
    pub(crate) fn with_script(script: &str) -> Self {
        let context = Self::new();
        context.write("mock.toml", script);
        context
    }

    /// With a variable of the environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Without a variable of the environment.
    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// A path below the current folder of the program.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// A file below the current folder of the program, made with its folders.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The database of runs.
    pub(crate) fn db(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path("results/evalh.sqlite")).unwrap()
    }

    /// A text without what differs from run to run: the folder and the ids of runs.
    pub(crate) fn redact(&self, text: &str) -> String {
        let folder = self.folder.path().to_string_lossy();
        let text = text.replace(folder.as_ref(), "[DIR]");
        let id = regex::Regex::new(r"\b1[0-9a-hjkmnp-tv-z]{13}\b").unwrap();
        let time = regex::Regex::new(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?").unwrap();
        let text = id.replace_all(&text, "[RUN]");
        time.replace_all(&text, "[TIME]").into_owned()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test is a process"
    )]
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evalh"));
        command
            .args(args)
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a command and leaves it running.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let mut child = self.command(args).spawn().unwrap();
        drop(child.stdin.take());
        child
    }

    /// Runs a command to its end.
    pub(crate) fn evalh(&self, args: &[&str]) -> Ran {
        self.evalh_reading(args, "")
    }

    /// Runs a command in an address space of so many kB.
    #[cfg(target_os = "linux")]
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test is a process"
    )]
    pub(crate) fn evalh_within(&self, kilobytes: u64, args: &[&str]) -> Ran {
        let script = format!("ulimit -v {kilobytes}; exec \"$0\" \"$@\"");
        let child = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_evalh")])
            .args(args)
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        end(child, args)
    }

    /// Runs a command that reads `input`.
    pub(crate) fn evalh_reading(&self, args: &[&str], input: impl AsRef<[u8]>) -> Ran {
        let mut child = self.command(args).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.as_ref().to_vec();
        // A command that does not read its input closes the pipe, which is no fault of the test.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let ran = end(child, args);
        writer.join().unwrap();
        ran
    }

    /// Runs a command that must succeed and gives what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> Ran {
        let ran = self.evalh(args);
        assert_eq!(ran.code, Some(0), "{args:?}\n{}\n{}", ran.out, ran.err);
        ran
    }

    /// The exit code and the redacted message of a command that must fail and must print no data.
    pub(crate) fn refusal(&self, args: &[&str]) -> (i32, String) {
        let ran = self.evalh(args);
        assert_eq!(ran.out, "", "{args:?}\n{}", ran.err);
        let code = ran.code.unwrap_or_else(|| panic!("{args:?}: {ran:?}"));
        (code, self.redact(&ran.err))
    }
}

/// Waits for a command and holds it against what is true of every command.
pub(crate) fn end(child: Child, args: &[&str]) -> Ran {
    let pid = child.id();
    let (done, watch) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if watch.recv_timeout(LIMIT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            signal(pid, libc::SIGKILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    guard.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran = Ran {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(
        !ran.err.contains("\nthread '")
            && !ran.err.contains("RUST_BACKTRACE")
            && ran.code != Some(70),
        "{args:?}\n{}",
        ran.err
    );
    for stream in [&ran.out, &ran.err] {
        let active = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!stream.contains(active), "{args:?}\n{stream:?}");
    }
    ran
}

/// Sends a signal to a process that this test started.
#[expect(
    unsafe_code,
    reason = "the standard library sends no signal but SIGKILL"
)]
pub(crate) fn signal(pid: u32, number: i32) {
    // SAFETY: `kill` takes two integers and touches no memory; the process is a child that has not been waited for.
    let sent = unsafe { libc::kill(pid.cast_signed(), number) };
    assert_eq!(sent, 0, "signal {number} to {pid}");
}

/// Waits until something is true; a test that waits in vain fails with what it waited for.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain until {what}");
}

/// The catalogue's two default models, in the order they run.
pub(crate) const MODELS: [&str; 2] = ["gemma-3-270m-q4_k_m", "smollm2-135m-instruct-q4_1"];

/// A suite of six samples whose answers a mock script can give in a few bytes.
pub(crate) const SHOP: &str = r#"format = 1
name = "shop"
version = "2.1.0"
description = "Questions of a shop."
license = "MIT"
language = "en"
primary = "score"

[decoding]
max_tokens = 64

[quality]
weights = { checks = 0.5, facts = 0.3, form = 0.2 }
cap_on_required_failure = 0.3

[[task]]
id = "price"
title = "Tell a price"
type = "generate"

[[task.sample]]
id = "lamp"
difficulty = "easy"
input = "What does the lamp cost?"
checks = [{ type = "number", equals = 30 }]
good = ["30", "30 EUR"]
bad = ["3", "none"]

[[task.sample]]
id = "chair"
difficulty = "easy"
input = "What does the chair cost?"
checks = [{ type = "number", equals = 80 }]
good = ["80", "80 EUR"]
bad = ["8", "none"]

[[task.sample]]
id = "table"
difficulty = "hard"
input = "What does the table cost?"
checks = [
  { type = "number", equals = 250 },
  { type = "words", max = 3, required = false },
]
good = ["250", "250 EUR"]
bad = ["25", "none"]

[[task]]
id = "hours"
title = "Tell the opening hours"
type = "generate"
system = "Answer shortly."

[[task.sample]]
id = "monday"
difficulty = "easy"
input = "When does the shop open on Monday?"
checks = [{ type = "contains", value = "nine" }]
good = ["At nine.", "nine"]
bad = ["At ten.", "ten"]

[[task.sample]]
id = "weekend"
difficulty = "medium"
input = "When is the shop open on Saturday and Sunday?"
checks = [{ type = "facts", facts = [["ten"], ["closed"]] }]
good = ["On Saturday from ten, on Sunday it is closed.", "ten; closed"]
bad = ["From ten.", "closed"]

[[task.sample]]
id = "holiday"
difficulty = "hard"
input = "When does the shop open on a holiday?"
checks = [{ type = "contains", value = "closed" }]
good = ["It is closed.", "closed"]
bad = ["At nine.", "nine"]
"#;

/// The first model answers all but one sample rightly (a table with too many words, half of the weekend), the second only the prices.
pub(crate) const ANSWERS: &str = r#"
[[reply]]
contains = "the lamp cost"
text = "30"
ttft_ms = 40
tpot_ms = 10

[[reply]]
contains = "the chair cost"
text = "80"

[[reply]]
contains = "the table cost"
text = "It is 250 EUR in all"

[[reply]]
model = "gemma*"
contains = "on Monday"
text = "At nine."

[[reply]]
model = "gemma*"
contains = "Saturday and Sunday"
text = "From ten."

[[reply]]
model = "gemma*"
contains = "on a holiday"
text = "closed"
"#;

/// The command that runs [`SHOP`] with the script `mock.toml`.
pub(crate) const RUN: [&str; 8] = [
    "run",
    "--quiet",
    "--suite",
    "shop",
    "--engine",
    "mock",
    "--mock-script",
    "mock.toml",
];

/// [`RUN`] with more arguments.
pub(crate) fn run_with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&RUN[..], more].concat()
}

impl TestContext {
    /// With the suite [`SHOP`] and a mock script.
    pub(crate) fn shop(script: &str) -> Self {
        let context = Self::with_script(script);
        context.write("prompts/shop.toml", SHOP);
        context
    }
}
