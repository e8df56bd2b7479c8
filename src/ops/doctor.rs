//! `evalh doctor`: this machine, the caches and the database.

use super::Session;
use crate::cli::DoctorRequest;
use crate::error::{EvalhError, ExitCode};
use crate::host::{self, DoctorLine, DoctorStatus};
use crate::hub::HfEnv;
use crate::store::Store;
use serde_json::{Value, json};

pub(super) fn run(session: &Session, request: &DoctorRequest) -> Result<ExitCode, EvalhError> {
    let mut lines = host::doctor_lines(host::inspect());
    lines.push(device());
    lines.push(cache(session));
    lines.push(hub(session)?);
    lines.push(database(session));
    if request.json {
        let rows: Vec<Value> = lines
            .iter()
            .map(|l| json!({"name": l.name, "status": l.status.as_str(), "value": l.value, "advice": l.advice}))
            .collect();
        session.print_json(&json!({"schema_version": super::SCHEMA_VERSION, "evalh": env!("CARGO_PKG_VERSION"), "lines": rows}))?;
    } else {
        session.print(&render(&lines))?;
    }
    let stops = lines.iter().any(|l| l.status == DoctorStatus::Problem);
    Ok(if stops {
        ExitCode::Machine
    } else {
        ExitCode::Done
    })
}

fn render(lines: &[DoctorLine]) -> String {
    let width = lines
        .iter()
        .map(|l| l.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for line in lines {
        let mark = match line.status {
            DoctorStatus::Ok => " ",
            DoctorStatus::Note => "·",
            DoctorStatus::Problem => "!",
        };
        out.push_str(&format!("{mark} {:<width$}  {}\n", line.name, line.value));
        if let Some(advice) = &line.advice {
            out.push_str(&format!("  {:<width$}  -> {advice}\n", ""));
        }
    }
    out
}

fn line(
    name: &'static str,
    status: DoctorStatus,
    value: String,
    advice: Option<String>,
) -> DoctorLine {
    DoctorLine {
        name,
        value,
        status,
        advice,
    }
}

/// What the candle engine would run on.
fn device() -> DoctorLine {
    #[cfg(feature = "candle")]
    let (status, value) = match crate::engine::candle::automatic_device() {
        "cpu" => (
            DoctorStatus::Ok,
            format!(
                "cpu with {} kernels",
                crate::engine::candle::Tier::in_use().as_str()
            ),
        ),
        other => (DoctorStatus::Ok, other.to_owned()),
    };
    #[cfg(not(feature = "candle"))]
    let (status, value) = (
        DoctorStatus::Note,
        "none: this build has only the mock engine".to_owned(),
    );
    line("engine device", status, value, None)
}

fn cache(session: &Session) -> DoctorLine {
    if let Some(folder) = session.cache() {
        line(
            "cache",
            DoctorStatus::Ok,
            folder.display().to_string(),
            None,
        )
    } else {
        let advice = Some("set `HOME` or `EVALH_CACHE`".to_owned());
        line(
            "cache",
            DoctorStatus::Problem,
            "no folder for model files is known".to_owned(),
            advice,
        )
    }
}

fn hub(session: &Session) -> Result<DoctorLine, EvalhError> {
    let hf = HfEnv::from_env(&session.env.variables)?;
    let token = if hf.token.is_some() {
        "a token is set"
    } else {
        "no token"
    };
    let folder = hf
        .hub_cache
        .map_or_else(|| "no cache folder".to_owned(), |f| f.display().to_string());
    let mode = if hf.offline { ", offline" } else { "" };
    Ok(line(
        "hugging face",
        DoctorStatus::Ok,
        format!("{} · {folder} · {token}{mode}", hf.endpoint),
        None,
    ))
}

fn database(session: &Session) -> DoctorLine {
    let path = session.default_db();
    if !path.exists() {
        return line(
            "database",
            DoctorStatus::Ok,
            format!("{} (made by the first run)", path.display()),
            None,
        );
    }
    let opened = Store::open_read_only(&path).and_then(|s| s.list_runs());
    match opened {
        Ok(runs) => line(
            "database",
            DoctorStatus::Ok,
            format!("{} · {} runs", path.display(), runs.len()),
            None,
        ),
        Err(e) => line(
            "database",
            DoctorStatus::Problem,
            super::load::in_full(&e),
            e.hint(),
        ),
    }
}
