//! Every metric of a comparison with every method: `--kpi all`.

use super::super::palette::Palette;
use super::super::{escape, number, table};
use super::cells;
use crate::analysis::{Also, ComparisonReport, ContrastReport, Detail, Measured, Value, Verdict};
use crate::metric::Unit;

/// Columns before the text of a line.
const INDENT: usize = 12;

/// A block a metric, as lines of at most `width` columns.
pub(super) fn blocks(report: &ContrastReport, width: usize, palette: Palette) -> Vec<String> {
    let mut out = Vec::new();
    for (c, detail) in cells::present(report) {
        let name = escape::terminal(&cells::name(report, c));
        let role = match c.verdict {
            Verdict::Described => "described",
            _ => c.role.as_str(),
        };
        let mark = cells::role(c.role);
        let title = format!("{name}{mark} ({role}, {})", c.scale.as_str());
        out.push(palette.paint(palette.strong, &title));
        for (label, text) in lines(c, detail) {
            let gap = " ".repeat(INDENT.saturating_sub(2 + label.len()));
            let wrapped = table::wrap(&text, width.saturating_sub(INDENT));
            for (i, line) in wrapped.iter().enumerate() {
                if i == 0 {
                    out.push(format!("  {label}{gap}{line}"));
                } else {
                    out.push(format!("{}{line}", " ".repeat(INDENT)));
                }
            }
        }
        out.push(String::new());
    }
    let absent = absent(report);
    if !absent.is_empty() {
        for text in absent {
            out.extend(
                table::wrap(&text, width)
                    .iter()
                    .map(|l| palette.paint(palette.dim, l)),
            );
        }
        out.push(String::new());
    }
    out
}

/// Label and text of each line on a metric, in order.
pub(super) fn lines(c: &ComparisonReport, detail: &Detail) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    let scale = if c.scale.as_str() == "ratio" {
        "A / B"
    } else {
        "A - B"
    };
    if let Some(m) = c.value.measured() {
        let missing = missing(m);
        let shown = number::compared(c.scale, c.metric.unit, m).text();
        out.push((scale, format!("{shown} ({}){missing}", cells::method(m))));
    }
    for (label, value) in ["A", "B"].into_iter().zip(&detail.sides) {
        let text = match value {
            Value::Measured(m) => format!(
                "{} ({}){}",
                number::shown(c.metric.unit, m).text(),
                cells::method(m),
                missing(m)
            ),
            Value::Absent(why) => format!("– ({})", escape::terminal(&why.to_string())),
        };
        out.push((label, text));
    }
    if let Some([both, a, b, neither]) = detail.table {
        out.push((
            "passed",
            format!("both {both}, A alone {a}, B alone {b}, neither {neither}"),
        ));
    } else {
        let [a, b, equal] = c.better;
        out.push((
            "prompts",
            format!("A better {a}, B better {b}, equal {equal}"),
        ));
    }
    if let Some(t) = &c.test {
        let numbers = numbers(t.statistic, t.df);
        out.push((
            "test",
            format!(
                "{}{numbers}, {}; {} of {}: {}; {}",
                t.method,
                number::p_value(t.p),
                t.adjustment,
                t.family,
                number::p_value(t.p_adjusted),
                c.verdict.as_str().replace('_', " ")
            ),
        ));
    }
    if let Value::Measured(m) = &detail.effect {
        let side = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| cells::signed(x, 2));
        let interval = m.interval.map_or_else(String::new, |i| {
            format!(" [{}, {}]", side(i.lower), side(i.upper))
        });
        out.push((
            "effect",
            format!("{}{interval} ({})", cells::signed(m.point, 2), m.method),
        ));
    }
    out.extend(power(c));
    if let Some(p) = detail.pairing {
        let r = p.correlation.map_or_else(String::new, |r| {
            format!(", correlation {}", number::fixed(r, 2))
        });
        out.push((
            "pairing",
            format!(
                "standard error {} paired, {} unpaired{r}: {} times the prompts",
                number::fixed(p.se_paired, 4),
                number::fixed(p.se_unpaired, 4),
                number::two_digits(p.saved)
            ),
        ));
    }
    if !detail.also.is_empty() {
        let all: Vec<String> = detail.also.iter().map(|a| also(c, a)).collect();
        out.push(("also", all.join("; ")));
    }
    out
}

fn missing(m: &Measured) -> String {
    m.missing.as_ref().map_or_else(String::new, |why| {
        format!("; {}", escape::terminal(&why.to_string()))
    })
}

fn numbers(statistic: Option<f64>, df: Option<f64>) -> String {
    let statistic = statistic.map_or_else(String::new, |s| format!(" {}", number::fixed(s, 3)));
    let df = df.map_or_else(String::new, |d| format!(", df {}", number::fixed(d, 0)));
    format!("{statistic}{df}")
}

/// What these prompts can show, and what the difference seen would need.
fn power(c: &ComparisonReport) -> Option<(&'static str, String)> {
    let m = c.value.measured()?;
    let detectable = c.detectable?;
    let shown = Measured {
        point: detectable,
        interval: None,
        ..m.clone()
    };
    if c.metric.unit == Unit::Share && detectable >= 1.0 {
        return None;
    }
    let smallest = number::compared(c.scale, c.metric.unit, &shown).text();
    let needed = c.prompts_needed.map_or_else(String::new, |n| {
        format!("; the one seen needs about {} prompts", number::at_least(n))
    });
    Some(("power", format!("80 % for {smallest}{needed}")))
}

fn also(c: &ComparisonReport, also: &Also) -> String {
    let value = also.value.as_ref().and_then(Value::measured);
    let value = value.map_or_else(String::new, |m| {
        format!(" {}", number::compared(c.scale, c.metric.unit, m).text())
    });
    let p = also
        .p
        .map_or_else(String::new, |p| format!(" {}", number::p_value(p)));
    format!("{}{value}{p}", also.method)
}

/// Metrics of which nothing is known, by reason.
fn absent(report: &ContrastReport) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<&'static str>)> = Vec::new();
    for (c, detail) in report.rows() {
        let known =
            c.value.measured().is_some() || detail.sides.iter().any(|v| v.point().is_some());
        let Value::Absent(why) = &c.value else {
            continue;
        };
        if known {
            continue;
        }
        let why = escape::terminal(&why.to_string());
        match reasons.iter_mut().find(|(r, _)| *r == why) {
            Some((_, ids)) => ids.push(c.metric.id),
            None => reasons.push((why, vec![c.metric.id])),
        }
    }
    let text = |(why, ids): (String, Vec<&str>)| format!("– {}: {why}", ids.join(", "));
    reasons.into_iter().map(text).collect()
}
