//! A gate for a person at a terminal: a table, what it cannot say, what changed, the verdict.

use super::words::{self, Words};
use super::{GateView, Undecided};
use crate::analysis::{GateResult, GateVerdict};
use crate::report::escape;
use crate::report::palette::Palette;
use crate::report::table::{self, Align, Column};

/// Changed prompts that are named; the other formats name them all.
const NAMED: usize = 5;

/// A line that a workflow runner would obey gets a mark in front: a line may break before any word of a hostile name.
fn harmless(line: &str) -> String {
    if line.trim_start().starts_with("::") || line.contains("##[") {
        format!("· {}", line.replace("##[", "## ["))
    } else {
        line.to_owned()
    }
}

/// The gate at `width` columns.
pub fn terminal(view: GateView<'_>, width: usize, palette: Palette) -> String {
    let words = Words {
        view,
        escape: escape::terminal,
    };
    let report = view.report;
    let mut out = String::new();
    let mut paragraph = |text: &str, indent: usize, style: &str| {
        for line in table::wrap(text, width.saturating_sub(indent)) {
            let line = palette.paint(style, &harmless(&line));
            out.push_str(&format!("{}{line}\n", " ".repeat(indent)));
        }
    };
    paragraph(&format!("gate: {}", words.title()), 0, palette.strong);
    paragraph(&words.conditions(), 0, palette.dim);
    out.push('\n');
    let lines = table::lines(&table::fit(columns(&report.gates), width));
    // The units stand behind the numbers: the line for them is empty.
    for (i, line) in lines.iter().enumerate().filter(|(i, _)| *i != 1) {
        let verdict = i.checked_sub(2).map(|row| report.gates[row].verdict);
        let style = match verdict {
            None => palette.dim,
            Some(GateVerdict::Fail) => palette.bad,
            Some(_) => "",
        };
        out.push_str(&palette.paint(style, line));
        out.push('\n');
    }
    out.push('\n');
    let mut paragraph = |text: &str, indent: usize| {
        for line in table::wrap(text, width.saturating_sub(indent)) {
            out.push_str(&format!("{}{}\n", " ".repeat(indent), harmless(&line)));
        }
    };
    for remark in report.gates.iter().filter_map(|g| words.remark(g)) {
        paragraph(&remark, 0);
    }
    for caution in words.cautions() {
        paragraph(&format!("Beware: {caution}"), 0);
    }
    paragraph(&words.changes(), 0);
    let worse: Vec<_> = report
        .changes
        .samples
        .iter()
        .take(report.changes.worse)
        .collect();
    for change in worse.iter().take(NAMED) {
        paragraph(&words.sample(change), 2);
    }
    if worse.len() > NAMED {
        paragraph(
            &format!("and {} more, see `--json`", worse.len() - NAMED),
            2,
        );
    }
    out.push('\n');
    let bad = report.verdict == GateVerdict::Fail
        || (report.verdict == GateVerdict::Inconclusive && view.undecided != Undecided::Pass);
    let style = if bad { palette.bad } else { palette.strong };
    for line in table::wrap(&words.verdict(), width) {
        out.push_str(&palette.paint(style, &harmless(&line)));
        out.push('\n');
    }
    out
}

fn columns(gates: &[GateResult]) -> Vec<Column> {
    let column = |head: &str, align, lesser, cell: &dyn Fn(&GateResult) -> String| Column {
        head: head.to_owned(),
        unit: String::new(),
        align,
        lesser,
        cells: gates.iter().map(cell).collect(),
    };
    vec![
        column("metric", Align::Left, 0, &|g| g.metric.id.to_owned()),
        column("verdict", Align::Left, 0, &|g| g.verdict.id().to_owned()),
        column("change", Align::Right, 0, &words::change),
        column("limit", Align::Right, 0, &words::limit),
        column("baseline", Align::Right, 2, &|g| {
            words::side_value(g, g.baseline)
        }),
        column("candidate", Align::Right, 1, &|g| {
            words::side_value(g, g.candidate)
        }),
        column("prompts", Align::Right, 3, &|g| g.prompts.to_string()),
        column("margin from", Align::Left, 4, &|g| {
            g.origin.words().to_owned()
        }),
    ]
}
