//! The cells of the tables of a comparison.

use super::super::number::{self, Shown};
use crate::analysis::{
    ComparisonReport, ContrastReport, Measured, PromptChange, PromptSide, Role, Scale, Value,
    Verdict,
};
use crate::metric::Unit;

/// Id of the metric; in files of other tools the name of the value.
pub(super) fn name(report: &ContrastReport, c: &ComparisonReport) -> String {
    let id = c.metric.id;
    match &report.metric {
        Some(name) if matches!(id, "score" | "pass_rate") => name.clone(),
        _ => id.to_owned(),
    }
}

/// `*` primary, `+` secondary.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Primary => " *",
        Role::Secondary => " +",
        Role::Exploratory => "",
    }
}

/// The metrics of which anything is known.
pub(super) fn present(
    report: &ContrastReport,
) -> impl Iterator<Item = (&ComparisonReport, &crate::analysis::Detail)> {
    report.rows().filter(|(c, d)| {
        c.value.measured().is_some() || d.sides.iter().any(|v| v.point().is_some())
    })
}

/// A side's value with its unit.
pub(super) fn side(c: &ComparisonReport, value: &Value, interval: bool) -> String {
    let Value::Measured(m) = value else {
        return "–".to_owned();
    };
    let shown = number::shown(c.metric.unit, m);
    if interval {
        return shown.text();
    }
    Shown {
        interval: None,
        ..shown
    }
    .text()
}

/// The difference or ratio with its interval.
pub(super) fn difference(c: &ComparisonReport) -> String {
    c.value.measured().map_or_else(
        || "–".to_owned(),
        |m| number::compared(c.scale, c.metric.unit, m).text(),
    )
}

/// The p-value without its letter.
pub(super) fn p(p: f64) -> String {
    let text = number::p_value(p);
    text.trim_start_matches('p').trim_start().to_owned()
}

/// `A` or `B` where one is better, `~` where nothing is resolved, a dash where there is no verdict. Of a metric that is described the
/// interval decides on the `~`.
pub(super) fn better(c: &ComparisonReport) -> &'static str {
    match &c.verdict {
        Verdict::ToldApart { better: 0 } => "A",
        Verdict::ToldApart { .. } => "B",
        Verdict::NotToldApart => "~",
        Verdict::Untestable(_) => "–",
        Verdict::Described => {
            let neutral = match c.scale {
                Scale::Difference => 0.0,
                Scale::Ratio => 1.0,
            };
            let interval = c.value.measured().and_then(|m| m.interval);
            match interval {
                Some(interval) if interval.contains(neutral) => "~",
                _ => "",
            }
        }
    }
}

/// The standardised difference.
pub(super) fn effect(c: &ComparisonReport) -> String {
    c.effect.map_or_else(|| "–".to_owned(), |e| signed(e, 2))
}

/// A number with its sign.
pub(super) fn signed(x: f64, places: usize) -> String {
    let text = number::fixed(x, places);
    if text.starts_with('-') {
        text
    } else {
        format!("+{text}")
    }
}

/// The method and the units behind a number: `t, 12 prompts x 5`.
pub(super) fn method(m: &Measured) -> String {
    let epochs = if m.n > 0 && m.observations > m.n && m.observations.is_multiple_of(m.n) {
        format!(" x {}", m.observations / m.n)
    } else if m.observations > m.n {
        format!(", {} samples", m.observations)
    } else {
        String::new()
    };
    let word = if m.n == 1 { "prompt" } else { "prompts" };
    format!("{}, {} {word}{epochs}", m.method, m.n)
}

/// One side of a prompt that changed: what became of it, and its score.
pub(super) fn changed(side: &PromptSide) -> String {
    let single = side.epochs == 1;
    let outcomes: Vec<String> = side
        .outcomes
        .iter()
        .map(|(o, n)| {
            let word = o.as_str().replace('_', " ");
            if single { word } else { format!("{n} {word}") }
        })
        .collect();
    let score = side.score.map(|s| number::fixed(s, 2));
    let mut parts = outcomes.join(", ");
    match (parts.is_empty(), score) {
        (true, Some(score)) => score,
        (true, None) => "not scored".to_owned(),
        (false, Some(score)) => {
            parts.push(' ');
            parts.push_str(&score);
            parts
        }
        (false, None) => parts,
    }
}

/// The difference of a prompt that changed.
pub(super) fn change_difference(change: &PromptChange) -> String {
    change
        .difference
        .map_or_else(|| "–".to_owned(), |d| signed(d, 2))
}

/// Bytes with their unit.
pub(super) fn bytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "–".to_owned(),
        |b| number::number(Unit::Bytes, b as f64, None).text(),
    )
}

/// Nanoseconds as milliseconds.
pub(super) fn load(ns: Option<u64>) -> String {
    ns.map_or_else(
        || "–".to_owned(),
        |ns| number::number(Unit::Milliseconds, ns as f64 / 1e6, None).text(),
    )
}
