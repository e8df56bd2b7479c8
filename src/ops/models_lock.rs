//! `evalh models lock`.

use super::Session;
use super::models::chosen;
use crate::cli::LockRequest;
use crate::error::{EvalhError, ExitCode};
use crate::hub::{LockEntry, LockOutcome, Locked};
use serde_json::json;

/// Resolves every moving source of the models asked for. A model that cannot be resolved does not keep the others from it; the first such
/// error is the command's.
pub(super) fn lock(session: &Session, request: &LockRequest) -> Result<ExitCode, EvalhError> {
    let catalog = session.catalog(&request.catalog)?;
    let progress = session.download_progress();
    let hub = session.hub(request.offline.value, false, &progress)?;
    let mut failed = None;
    let mut lines = 0;
    for entry in chosen(&catalog, &request.models)? {
        match hub.lock(entry) {
            Ok(locked) => {
                for line in &locked {
                    lines += 1;
                    print(session, request.json, &entry.name, line)?;
                }
            }
            Err(error) => {
                let error = EvalhError::from(error);
                if error.is_interruption() {
                    return Err(error);
                }
                match &failed {
                    None => failed = Some(error),
                    Some(_) => session.console.warning(&super::load::in_full(&error)),
                }
            }
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    if request.models.is_empty() {
        let names: Vec<&str> = catalog.entries.iter().map(|e| e.name.as_str()).collect();
        hub.forget_others(&names)?;
    }
    if lines == 0 {
        session
            .console
            .note("no source of these models can move; there is nothing to lock");
    }
    Ok(ExitCode::Done)
}

fn print(session: &Session, json: bool, model: &str, line: &Locked) -> Result<(), EvalhError> {
    let (status, before, now) = match &line.outcome {
        LockOutcome::New(now) => ("new", None, Some(now)),
        LockOutcome::Same(now) => ("same", None, Some(now)),
        LockOutcome::Moved { before, now } => ("moved", Some(before), Some(now)),
        LockOutcome::NotResolved(_) => ("not resolved", None, None),
    };
    if let LockOutcome::NotResolved(error) = &line.outcome {
        session.console.warning(&format!(
            "`{}` of model `{model}` was not resolved: {error}",
            line.source
        ));
    }
    if json {
        return session.print_json(&json!({
            "schema_version": super::SCHEMA_VERSION,
            "name": model,
            "source": line.source,
            "status": status,
            "commit": now.and_then(|e| e.commit.clone()),
            "file": now.and_then(|e| e.file.clone()),
            "sha256": now.map(|e| e.sha256.clone()),
            "bytes": now.map(|e| e.bytes),
            "commit_before": before.and_then(|e| e.commit.clone()),
            "sha256_before": before.map(|e| e.sha256.clone()),
        }));
    }
    let meaning = match (before, now) {
        (Some(before), Some(now)) => format!("{} -> {}", short(before), short(now)),
        (None, Some(now)) => short(now),
        _ => "-".to_owned(),
    };
    session.print(&format!(
        "{model}  {}\n    {status}: {meaning}\n",
        line.source
    ))
}

/// Commit and file, or the digest of what has no commit.
fn short(entry: &LockEntry) -> String {
    let commit = entry.commit.as_deref().map(|c| &c[..12.min(c.len())]);
    match (commit, &entry.file) {
        (Some(commit), Some(file)) => format!("{commit} {file}"),
        (Some(commit), None) => commit.to_owned(),
        _ => format!("sha256 {}", &entry.sha256[..12.min(entry.sha256.len())]),
    }
}
