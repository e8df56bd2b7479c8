//! A comparison for a page.

use super::super::escape;
use super::super::markdown::{code, head, owned, paragraphs, row};
use super::sentences::Sentences;
use super::{CompareView, cells, full};
use crate::analysis::ContrastReport;
use std::fmt::Write as _;

/// The comparison as GitHub-flavoured Markdown.
pub fn compare_markdown(report: &ContrastReport, view: &CompareView) -> String {
    let s = Sentences {
        report,
        escape: escape::markdown,
    };
    let mut out = format!(
        "# {} against {}\n\n- A: {}\n- B: {}\n- {}\n",
        escape::markdown(&report.sides[0].label),
        escape::markdown(&report.sides[1].label),
        s.side(&report.sides[0]),
        s.side(&report.sides[1]),
        s.joined()
    );
    out.push_str(&table(report));
    let _ = write!(out, "\n{}\n", escape::markdown(&s.legend()));
    let blocks = [
        ("Better?", s.verdict()),
        ("Pairing", s.pairing().into_iter().collect()),
        ("Changed", vec![s.changed()]),
        ("Outcomes", s.outcomes()),
        ("Memory", s.memory().into_iter().collect()),
        ("Beware", s.cautions()),
    ];
    for (title, lines) in blocks.iter().filter(|(_, lines)| !lines.is_empty()) {
        let _ = write!(out, "\n## {title}\n\n{}\n", paragraphs(lines));
    }
    if view.different {
        out.push_str(&changes(report));
    }
    if view.all {
        out.push_str(&everything(report));
    }
    let _ = write!(out, "\nNext: {}\n", code(&view.next(report)));
    out
}

fn table(report: &ContrastReport) -> String {
    let heads = [
        "metric",
        "A",
        "B",
        "A - B, A / B",
        "p corrected",
        "test",
        "effect",
        "better",
    ];
    let mut out = head(1, &owned(&heads));
    for (c, detail) in cells::present(report) {
        let test = c.test.as_ref();
        let name = escape::terminal(&cells::name(report, c));
        let name = code(&name.replace('|', "\\|"));
        out.push_str(&row(&[
            format!("{name}{}", cells::role(c.role).replace('*', "\\*")),
            escape::markdown(&cells::side(c, &detail.sides[0], true)),
            escape::markdown(&cells::side(c, &detail.sides[1], true)),
            escape::markdown(&cells::difference(c)),
            test.map_or_else(String::new, |t| escape::markdown(&cells::p(t.p_adjusted))),
            test.map_or_else(String::new, |t| {
                format!("{}, {} of {}", t.method, t.adjustment, t.family)
            }),
            cells::effect(c),
            escape::markdown(cells::better(c)),
        ]));
    }
    out
}

fn changes(report: &ContrastReport) -> String {
    let list = &report.changes.list;
    if list.is_empty() {
        return "\n## Samples that changed\n\nNone.\n".to_owned();
    }
    let mut out = format!(
        "\n## Samples that changed\n{}",
        head(3, &owned(&["sample", "A", "B", "A - B"]))
    );
    for change in list {
        out.push_str(&row(&[
            escape::markdown(&format!("{}/{}", change.task, change.sample)),
            escape::markdown(&cells::changed(&change.sides[0])),
            escape::markdown(&cells::changed(&change.sides[1])),
            cells::change_difference(change),
        ]));
    }
    out
}

/// Every metric with every method.
fn everything(report: &ContrastReport) -> String {
    let mut out = String::from("\n## Every method\n");
    for (c, detail) in cells::present(report) {
        let name = escape::markdown(&cells::name(report, c));
        let lines: Vec<String> = full::lines(c, detail)
            .into_iter()
            .map(|(label, text)| format!("{label}: {}", escape::markdown(&text)))
            .collect();
        let _ = write!(out, "\n**{name}**\n\n{}\n", paragraphs(&lines));
    }
    out
}
