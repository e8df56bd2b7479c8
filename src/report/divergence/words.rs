//! The numbers of a changed model as cells and sentences.

use super::super::escape;
use super::super::number::{self, compared, fixed, p_value};
use crate::analysis::{
    DivergenceReport, DivergenceRow, Measured, QuestionFigures, Scale, SideFigures, Value,
};
use crate::metric::Unit;

/// What stands where a number is missing.
pub(super) const DASH: &str = "–";

/// A number of nats with three significant digits, however small: quantisation of 8 bits costs about 0.0001.
pub(super) fn nats(m: &Measured) -> String {
    let places = if m.point > 0.0 {
        (2.0 - m.point.log10().floor()).clamp(2.0, 9.0) as usize
    } else {
        0
    };
    let side = |x: Option<f64>| x.map_or_else(|| DASH.to_owned(), |x| fixed(x, places));
    let point = fixed(m.point, places);
    match m.interval {
        Some(i) => format!("{point} [{}, {}]", side(i.lower), side(i.upper)),
        None => point,
    }
}

/// A ratio that may be very near 1, with two digits of its interval or, without one, of its distance from 1: `×1.0003 [1.0002, 1.0004]`.
fn ratio(m: &Measured) -> String {
    let half = m.interval.and_then(|i| i.half_width());
    let scale = half.unwrap_or(0.0).max((m.point - 1.0).abs() / 10.0);
    let places = if scale > 0.0 {
        (1.0 - scale.log10().floor()).clamp(2.0, 6.0) as usize
    } else {
        2
    };
    let side = |x: Option<f64>| x.map_or_else(|| DASH.to_owned(), |x| fixed(x, places));
    let point = fixed(m.point, places);
    match m.interval {
        Some(i) => format!("×{point} [{}, {}]", side(i.lower), side(i.upper)),
        None => format!("×{point}"),
    }
}

/// A number with its interval, or a dash.
pub(super) fn cell(unit: Unit, value: &Value) -> String {
    value
        .measured()
        .map_or_else(|| DASH.to_owned(), |m| number::shown(unit, m).cell())
}

/// The name, with what the weights are made of.
pub(super) fn title(side: &SideFigures) -> String {
    let file = &side.file;
    let mut facts: Vec<String> = file
        .quantization
        .iter()
        .map(|q| escape::terminal(q))
        .collect();
    facts.push(file.bytes.to_string());
    facts.extend(
        side.bits_per_weight
            .map(|b| format!("{b:.2} bits a weight")),
    );
    format!("{} ({})", escape::terminal(&file.name), facts.join(", "))
}

fn with(value: &Value, text: impl Fn(&Measured) -> String) -> Option<String> {
    value.measured().map(text)
}

/// What its paragraphs are about, and the paragraphs.
pub(super) fn paragraphs(
    report: &DivergenceReport,
    row: &DivergenceRow,
) -> Vec<(&'static str, String)> {
    let mut out = vec![("Texts", texts(report, row))];
    if let Some(questions) = &row.questions {
        out.push(("Questions", answered(report, row, questions)));
    }
    out.push(("Cost", cost(&report.base, row)));
    out
}

fn texts(report: &DivergenceReport, row: &DivergenceRow) -> String {
    let t = &row.texts;
    let positions = fixed(report.positions as f64, 0);
    let mut out = Vec::new();
    out.extend(with(&t.changed_top1, |m| {
        let share = number::shown(Unit::Share, m).text();
        format!("changes the most probable token at {share} of {positions} positions")
    }));
    out.extend(with(&t.kl, |m| {
        format!("KL divergence from the base {} nats a token", nats(m))
    }));
    let parts = [
        ("median", &t.kl_median),
        ("99 %", &t.kl_p99),
        ("maximum", &t.kl_max),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter_map(|(name, v)| with(v, |m| format!("{name} {}", nats(m))))
        .collect();
    out.push(format!("single positions: {}", parts.join(", ")));
    out.extend(with(&t.perplexity_ratio, |m| {
        let ratio = ratio(m);
        let verdict = side_of(
            m,
            1.0,
            "it predicts these texts better",
            "it predicts these texts worse",
            "these texts show no difference",
        );
        format!("perplexity {ratio} that of the base: {verdict}")
    }));
    out.extend(with(&t.rms_probability, |m| {
        let change = compared(Scale::Difference, Unit::Share, m).text();
        let change = change.trim_start_matches('+');
        format!("the true token's probability changes by {change} (root mean square)")
    }));
    sentence(&out)
}

/// What an interval says of a number against a mark; below is `below`, above is `above`.
fn side_of(m: &Measured, mark: f64, below: &str, above: &str, neither: &str) -> String {
    let Some(interval) = m.interval else {
        return "without an interval there is no verdict".to_owned();
    };
    let said = if interval.upper.is_some_and(|u| u < mark) {
        below
    } else if interval.lower.is_some_and(|l| l > mark) {
        above
    } else {
        neither
    };
    said.to_owned()
}

/// Parts joined by semicolons, with a capital and a full stop.
fn sentence(parts: &[String]) -> String {
    let text = parts.join("; ");
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}

fn answered(report: &DivergenceReport, row: &DivergenceRow, q: &QuestionFigures) -> String {
    let t = &q.table;
    let share = |s: &SideFigures| cell(Unit::Share, &s.accuracy);
    let mut parts = vec![format!(
        "{} of {} questions right ({} %), the base {} ({} %)",
        t.both_pass + t.only_a,
        t.units(),
        share(&row.side),
        t.both_pass + t.only_b,
        share(&report.base),
    )];
    parts.push(format!(
        "{} only by this model, {} only by the base",
        t.only_a, t.only_b
    ));
    parts.extend(with(&q.difference, |m| {
        let difference = compared(Scale::Difference, Unit::Share, m).text();
        let p = q
            .p_value
            .map(|p| format!(" (exact McNemar {})", p_value(p)));
        let verdict = side_of(
            m,
            0.0,
            "it answers worse",
            "it answers better",
            "the questions show no difference",
        );
        format!(
            "difference {difference}{}: {verdict}",
            p.unwrap_or_default()
        )
    }));
    sentence(&parts)
}

fn cost(base: &SideFigures, row: &DivergenceRow) -> String {
    let mut parts = Vec::new();
    let speeds = [
        ("prompt tokens", &row.prefill_ratio),
        ("new tokens", &row.decode_ratio),
    ];
    for (name, value) in speeds {
        parts.extend(with(value, |m| {
            let ratio = compared(Scale::Ratio, Unit::Ratio, m).text();
            let verdict = side_of(m, 1.0, "slower", "faster", "no difference shown");
            format!("{name} at {ratio} the speed of the base: {verdict}")
        }));
    }
    if parts.is_empty() {
        parts.push("no speed was measured".to_owned());
    }
    if let (Some(model), Some(base)) = (row.side.peak, base.peak) {
        parts.push(format!("peak memory {model} against {base}"));
    }
    if let Some(ratio) = row.bytes_ratio {
        parts.push(format!("file ×{}", fixed(ratio, 2)));
    }
    sentence(&parts)
}
