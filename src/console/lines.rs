//! Lines of progress, from what is known about a run.

use super::escape::escape_line;
use super::view::{ModelView, RunView, Stage};
use crate::record::{Look, LookVerdict, RunStatus};
use std::fmt::Write as _;
use std::time::Duration;

/// Columns of the bar of the running model.
const BAR_COLUMNS: u64 = 16;

/// Longest name shown in full.
const NAME_COLUMNS: usize = 40;

/// Minutes and seconds, or hours, minutes and seconds.
pub(super) fn clock(time: Duration) -> String {
    // Rounded, so that what took 0.9 s does not read as nothing.
    let s = (time.as_secs_f64()).round() as u64;
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    if h > 0 {
        format!("{h}:{m:02}:{s:02}")
    } else {
        format!("{m}:{s:02}")
    }
}

/// `n thing` or `n things`.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A speed with about three digits.
pub(super) fn speed(tps: f64) -> String {
    if tps < 10.0 {
        format!("{tps:.1} tok/s")
    } else {
        format!("{tps:.0} tok/s")
    }
}

/// `score 2.1 [1.6, 2.7]`, without the interval while one prompt is known.
pub(super) fn score(model: &ModelView) -> Option<String> {
    let (mean, interval) = model.mean_score()?;
    let interval = interval.map(|(low, high)| format!(" [{low:.1}, {high:.1}]"));
    Some(format!("score {mean:.1}{}", interval.unwrap_or_default()))
}

/// Cut to `columns`, with a mark where it was cut.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// What is being run, and under which conditions.
pub(super) fn headline(view: &RunView) -> Vec<String> {
    let Some(header) = &view.header else {
        return Vec::new();
    };
    let suite = &header.suite;
    let mut facts = format!(
        "suite {} {} · {} in {} · ",
        escape_line(&suite.name),
        escape_line(&suite.version),
        count(u64::from(suite.samples), "sample", "samples"),
        count(u64::from(suite.tasks), "task", "tasks"),
    );
    if header.epochs > 1 {
        let _ = write!(facts, "{} epochs · ", header.epochs);
    }
    let origin = escape_line(&header.budget_origin);
    let (seed, budget) = (header.seed, header.budget);
    let _ = write!(facts, "seed {seed} · budget {budget} ({origin})");
    let models = count(view.models.len() as u64, "model", "models");
    let second = if view.resumed {
        let recorded: u64 = view.models.iter().map(|m| m.recorded).sum();
        format!(
            "run {} continued · {models} · {} recorded before",
            header.id,
            count(recorded, "sample", "samples")
        )
    } else {
        format!("run {} · {models}", header.id)
    };
    vec![facts, second]
}

/// What a look at the evidence showed and what follows.
pub(super) fn looked(look: &Look) -> String {
    let (number, of, seen) = (look.number, look.planned_prompts, &look.evidence);
    let evidence = match (seen.difference, seen.ln_e_value) {
        (Some(difference), Some(ln)) => {
            format!("difference {difference:+.2}, e-value {}", e_value(ln))
        }
        _ => "nothing to compare yet".to_owned(),
    };
    let follows = match look.verdict {
        LookVerdict::Open => "goes on",
        LookVerdict::Resolved => "resolved, stops",
        LookVerdict::Exhausted => "not resolved, no prompts are left",
    };
    format!(
        "look {number}: {} of {of} prompts, {evidence}: {follows}",
        seen.prompts
    )
}

/// An e-value from its logarithm, with two digits that matter.
fn e_value(ln: f64) -> String {
    match ln.exp() {
        e if e < 10.0 => format!("{e:.2}"),
        e if e < 1e4 => format!("{e:.0}"),
        _ => format!("1e{:.0}", (ln / std::f64::consts::LN_10).floor()),
    }
}

/// How the run ended.
pub(super) fn ending(view: &RunView) -> Option<String> {
    let (status, counts) = view.end?;
    let mut text = format!("{} of {} samples recorded", counts.recorded, counts.planned);
    if counts.failed > 0 {
        let _ = write!(text, ", {} failed", counts.failed);
    }
    if counts.skipped_models > 0 {
        let skipped = count(u64::from(counts.skipped_models), "model", "models");
        let _ = write!(text, ", {skipped} skipped");
    }
    Some(match status {
        RunStatus::Success => text,
        RunStatus::Cancelled => {
            format!("interrupted: {text}; the same command continues the run")
        }
        RunStatus::Failed => {
            format!("ended early: {text}; the same command continues the run")
        }
        RunStatus::Started => format!("not ended: {text}"),
    })
}

/// One line for each model of the live block, each at most `columns` long.
pub(super) fn block(view: &RunView, columns: usize) -> Vec<String> {
    let names: Vec<_> = view
        .models
        .iter()
        .map(|m| fit(&m.name, NAME_COLUMNS))
        .collect();
    let width = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
    let with_names = view.models.iter().zip(names);
    with_names
        .map(|(model, name)| {
            let (mark, rest) = state(model, view.now, view.in_rounds);
            fit(format!("{mark} {name:width$} {rest}").trim_end(), columns)
        })
        .collect()
}

fn state(model: &ModelView, now: Duration, in_rounds: bool) -> (char, String) {
    let done = format!("{:>9}", format!("{}/{}", model.recorded, model.planned));
    match &model.stage {
        Stage::Waiting if model.recorded_now > 0 => (' ', joined(done, finished(model, now))),
        Stage::Waiting => {
            let need = model.need.map(|need| format!(" (needs {})", need.total()));
            (' ', format!("  waiting{}", need.unwrap_or_default()))
        }
        Stage::Loading => ('▸', "  loading".to_owned()),
        Stage::Running => ('▸', joined(done, running(model, now, in_rounds))),
        Stage::Done => ('✓', joined(done, finished(model, now))),
        Stage::Stopped => {
            let why = model.breaker.clone();
            let why = why.map_or_else(|| "stopped".to_owned(), |w| format!("stopped: {w}"));
            let mut parts = finished(model, now);
            parts.push(why);
            ('✗', joined(done, parts))
        }
        Stage::Skipped(reason) => ('-', format!("  skipped: {reason}")),
    }
}

fn joined(first: String, rest: Vec<String>) -> String {
    let all: Vec<_> = std::iter::once(first).chain(rest).collect();
    all.join("   ")
}

fn running(model: &ModelView, now: Duration, in_rounds: bool) -> Vec<String> {
    let mut parts = vec![bar(model.recorded, model.planned, BAR_COLUMNS)];
    let left = model.left(now).filter(|_| !in_rounds);
    parts.extend(left.map(|left| format!("{} left", clock(left))));
    parts.extend(score(model));
    parts.extend(model.decode_tps().map(speed));
    parts.extend(failures(model));
    parts.extend(model.sample.clone());
    parts
}

fn finished(model: &ModelView, now: Duration) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(score(model));
    parts.extend(model.decode_tps().map(speed));
    parts.extend(model.peak.map(|peak| format!("peak {peak}")));
    parts.extend(failures(model));
    parts.extend(model.elapsed(now).map(clock));
    parts
}

fn failures(model: &ModelView) -> Option<String> {
    (model.failed > 0).then(|| format!("{} failed", model.failed))
}

/// A bar; the part that is done is heavy, with a half step at its end.
pub(super) fn bar(done: u64, total: u64, columns: u64) -> String {
    let halves = if total == 0 {
        0
    } else {
        let share = done.min(total) as f64 / total as f64;
        (share * 2.0 * columns as f64).floor() as u64
    };
    let (full, half) = (halves / 2, halves % 2);
    let mut text = "━".repeat(full as usize);
    text.push_str(if half == 1 { "╸" } else { "" });
    text.push_str(&"─".repeat((columns - full - half) as usize));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Evidence;

    #[test]
    fn a_look_says_what_was_seen_and_what_follows() {
        let look = |known: Option<(f64, f64)>, verdict| {
            looked(&Look {
                number: 2,
                planned_prompts: 60,
                evidence: Evidence {
                    prompts: 24,
                    difference: known.map(|k| k.0),
                    ln_e_value: known.map(|k| k.1),
                    resolved: verdict == LookVerdict::Resolved,
                },
                verdict,
                loads: 1,
                load: Duration::ZERO,
            })
        };
        assert_eq!(
            look(Some((0.814, 1.0)), LookVerdict::Open),
            "look 2: 24 of 60 prompts, difference +0.81, e-value 2.72: goes on"
        );
        assert_eq!(
            look(Some((-3.0, 4.0)), LookVerdict::Resolved),
            "look 2: 24 of 60 prompts, difference -3.00, e-value 55: resolved, stops"
        );
        assert_eq!(
            look(Some((0.0, -2.0)), LookVerdict::Exhausted),
            "look 2: 24 of 60 prompts, difference +0.00, e-value 0.14: not resolved, no prompts are left"
        );
        assert_eq!(
            look(None, LookVerdict::Open),
            "look 2: 24 of 60 prompts, nothing to compare yet: goes on"
        );
        // far beyond what a number can hold
        assert_eq!(e_value(3_000.0), "1e1302");
        assert_eq!(e_value(10.0), "1e4");
    }
}
