//! `evalh suites list | show | lint`, and finding a suite by name or path.

use super::Session;
use super::table::{Align, Table};
use crate::cli::{LintRequest, SuiteShowRequest, SuitesListRequest, SuitesRequest};
use crate::console::escape_terminal;
use crate::error::{Coded as _, EvalhError, ExitCode};
use crate::record::TaskKind;
use crate::scorer::lint::{LintFinding, Severity, lint as lint_suite};
use crate::suite::{self, Sample, Suite, Task};
use serde_json::{Value, json};
use std::path::Path;

/// Suites this program was built with.
const BUILT_IN: [(&str, &str); 3] = [
    ("basics", include_str!("../../prompts/basics.toml")),
    ("business", include_str!("../../prompts/business.toml")),
    ("smoke", include_str!("../../prompts/smoke.toml")),
];

/// Folder of suites below the current one.
const FOLDER: &str = "prompts";

/// The suite a user named: a path, a file of `prompts/`, or a built-in one, in this order.
pub(super) fn find(session: &Session, asked: &str) -> Result<Suite, EvalhError> {
    let is_path =
        Path::new(asked).extension().is_some_and(|e| e == "toml") || asked.contains(['/', '\\']);
    if is_path {
        return Ok(suite::load(&session.folder.join(asked))?);
    }
    let local = Path::new(FOLDER).join(format!("{asked}.toml"));
    if session.folder.join(&local).is_file() {
        return Ok(suite::load(&session.folder.join(local))?);
    }
    match BUILT_IN.iter().find(|b| b.0 == asked) {
        Some((_, text)) => Ok(suite::parse("built-in", text, None)?),
        None => Err(EvalhError::UnknownSuite {
            name: asked.to_owned(),
            valid: names(session),
        }),
    }
}

/// Every name that can be asked for.
fn names(session: &Session) -> Vec<String> {
    let mut names: Vec<String> = BUILT_IN.iter().map(|b| b.0.to_owned()).collect();
    let entries = std::fs::read_dir(session.folder.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten();
    for path in entries
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
    {
        names.extend(path.file_stem().and_then(|s| s.to_str()).map(str::to_owned));
    }
    names.sort();
    names.dedup();
    names
}

pub(super) fn run(session: &Session, request: &SuitesRequest) -> Result<ExitCode, EvalhError> {
    match request {
        SuitesRequest::List(request) => list(session, request),
        SuitesRequest::Show(request) => show(session, request),
        SuitesRequest::Lint(request) => lint(session, request),
    }
}

fn list(session: &Session, request: &SuitesListRequest) -> Result<ExitCode, EvalhError> {
    let columns = [
        ("suite", Align::Left),
        ("version", Align::Left),
        ("tasks", Align::Right),
        ("samples", Align::Right),
        ("from", Align::Left),
        ("description", Align::Left),
    ];
    let mut table = Table::new(&columns);
    let mut code = ExitCode::Done;
    for name in names(session) {
        let suite = match find(session, &name) {
            Ok(suite) => suite,
            Err(error) => {
                code = told(session, &error);
                continue;
            }
        };
        let samples = suite.samples().count();
        if request.json {
            session.print_json(&json!({
                "schema_version": super::SCHEMA_VERSION, "name": suite.name, "version": suite.version,
                "description": suite.description, "tasks": suite.tasks.len(), "samples": samples,
                "language": suite.language, "license": suite.license, "primary": suite.primary,
                "origin": suite.origin, "digest": suite.digest.as_str(),
            }))?;
        }
        let counts = [suite.tasks.len().to_string(), samples.to_string()];
        let [tasks, samples] = counts;
        table.row(vec![
            name,
            suite.version,
            tasks,
            samples,
            suite.origin,
            suite.description,
        ]);
    }
    if !request.json {
        session.print(&table.render())?;
    }
    Ok(code)
}

/// Tells an error of one suite and gives its exit code; the other suites are still shown.
fn told(session: &Session, error: &EvalhError) -> ExitCode {
    session.console.error(error, error.hint().as_deref());
    error.exit_code()
}

fn show(session: &Session, request: &SuiteShowRequest) -> Result<ExitCode, EvalhError> {
    let suite = find(session, &request.suite)?;
    if let Some(task) = request
        .task
        .as_ref()
        .filter(|t| suite.tasks.iter().all(|x| x.id != **t))
    {
        let valid = suite.tasks.iter().map(|t| t.id.clone()).collect();
        return Err(EvalhError::UnknownTask {
            task: task.clone(),
            suite: suite.name,
            valid,
        });
    }
    let wanted = suite
        .samples()
        .filter(|(t, _)| request.task.as_ref().is_none_or(|id| *id == t.id));
    if !request.json {
        let head = format!(
            "{} {} · {} · {}\n",
            suite.name, suite.version, suite.license, suite.description
        );
        session.print(&escape_terminal(&head))?;
    }
    for (task, sample) in wanted {
        let messages = suite::messages(task, sample)?;
        if request.json {
            let messages: Vec<Value> = messages
                .iter()
                .map(|m| json!({"role": m.role.as_str(), "content": m.content}))
                .collect();
            let checks: Vec<&str> = sample.checks.iter().map(suite::Check::kind).collect();
            let mut line = json!({
                "schema_version": super::SCHEMA_VERSION, "task": task.id, "sample": sample.id, "type": task.kind.as_str(),
                "difficulty": sample.difficulty.as_str(), "tags": sample.tags, "messages": messages, "checks": checks,
                "digest": suite.sample_digest(task, sample).as_str(), "good": sample.good, "bad": sample.bad,
            });
            if let Some(answer) = sample.answer {
                line["choices"] = json!(sample.choices);
                line["answer"] = json!(answer);
            }
            session.print_json(&line)?;
            continue;
        }
        let mut text = format!(
            "\n── {}/{}  {}\n",
            task.id,
            sample.id,
            sample.difficulty.as_str()
        );
        for message in messages {
            text.push_str(&format!(
                "[{}] {}\n",
                message.role.as_str(),
                message.content.trim_end()
            ));
        }
        text.push_str(&expected(task, sample));
        session.print(&escape_terminal(&text))?;
    }
    Ok(ExitCode::Done)
}

/// What is expected of a sample, in lines.
fn expected(task: &Task, sample: &Sample) -> String {
    match task.kind {
        TaskKind::Generate => {
            let checks: Vec<&str> = sample.checks.iter().map(suite::Check::kind).collect();
            format!("[checks] {}\n", checks.join(", "))
        }
        TaskKind::Choice => {
            let choice = |(at, text): (usize, &String)| {
                let right = sample.answer.is_some_and(|a| a as usize == at);
                let mark = if right { "*" } else { " " };
                format!("[choice {at}]{mark}{text}\n")
            };
            sample.choices.iter().enumerate().map(choice).collect()
        }
        TaskKind::Perplexity => {
            let l = &task.likelihood;
            format!("[windows] {} of {} tokens\n", l.windows.as_str(), l.window)
        }
    }
}

fn lint(session: &Session, request: &LintRequest) -> Result<ExitCode, EvalhError> {
    let asked = if request.suites.is_empty() {
        names(session)
    } else {
        request.suites.clone()
    };
    let mut errors = 0;
    for name in asked {
        let suite = match find(session, &name) {
            Ok(suite) => suite,
            Err(error) => {
                told(session, &error);
                errors += 1;
                continue;
            }
        };
        let report = lint_suite(&suite);
        let (bad, doubtful) = (
            report.count(Severity::Error),
            report.count(Severity::Warning),
        );
        errors += bad;
        for finding in &report.findings {
            print_finding(session, &suite, finding, request.json)?;
        }
        if !request.json {
            let samples = suite.samples().count();
            session.print(&format!(
                "{name}: {samples} samples, {bad} errors, {doubtful} warnings\n"
            ))?;
        }
    }
    Ok(if errors == 0 {
        ExitCode::Done
    } else {
        ExitCode::Usage
    })
}

fn print_finding(
    session: &Session,
    suite: &Suite,
    finding: &LintFinding,
    json: bool,
) -> Result<(), EvalhError> {
    if json {
        return session.print_json(&json!({
            "schema_version": super::SCHEMA_VERSION, "suite": suite.name, "severity": finding.problem.severity().as_str(),
            "line": finding.line, "column": finding.column, "task": finding.task, "sample": finding.sample,
            "message": finding.problem.to_string(),
        }));
    }
    session.print(&escape_terminal(&format!("{finding}\n")))
}
