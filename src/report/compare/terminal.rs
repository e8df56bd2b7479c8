//! A comparison for a person at a terminal.

use super::super::escape;
use super::super::table::{self, Align, Column};
use super::CompareView;
use super::cells;
use super::full;
use super::sentences::Sentences;
use crate::analysis::{ComparisonReport, ContrastReport, PromptChange};

/// Narrowest layout.
const LEAST_WIDTH: usize = 60;
/// Widest layout.
const MOST_WIDTH: usize = 100;
/// Columns before the text of an answer.
const INDENT: usize = 10;

/// The comparison as lines of at most `view.width` columns, clamped to 60 to 100.
pub fn compare_terminal(report: &ContrastReport, view: &CompareView) -> String {
    let page = Page {
        report,
        view,
        sentences: Sentences {
            report,
            escape: escape::terminal,
        },
        width: view.width.clamp(LEAST_WIDTH, MOST_WIDTH),
    };
    page.lines().join("\n")
}

struct Page<'a> {
    report: &'a ContrastReport,
    view: &'a CompareView,
    sentences: Sentences<'a>,
    width: usize,
}

impl Page<'_> {
    fn lines(&self) -> Vec<String> {
        let s = &self.sentences;
        let palette = self.view.palette;
        let mut out = Vec::new();
        for (letter, side) in ["A", "B"].into_iter().zip(&self.report.sides) {
            out.extend(self.hanging(letter, 3, palette.strong, &s.side(side)));
        }
        out.extend(table::wrap(&s.joined(), self.width));
        out.push(String::new());
        if self.view.all {
            out.extend(full::blocks(self.report, self.width, palette));
        } else {
            out.extend(self.table());
        }
        let legend = table::wrap(&s.legend(), self.width);
        out.extend(legend.iter().map(|l| palette.paint(palette.dim, l)));
        out.push(String::new());
        if self.view.different {
            out.extend(self.changes());
        }
        let strong = palette.strong;
        for (question, lines) in [
            ("Better?", s.verdict()),
            ("Pairing", s.pairing().into_iter().collect()),
            ("Changed", vec![s.changed()]),
            ("Outcomes", s.outcomes()),
            ("Memory", s.memory().into_iter().collect()),
        ] {
            out.extend(self.block(question, strong, &lines));
        }
        let cautions = s.cautions();
        if !cautions.is_empty() {
            out.push(String::new());
            out.extend(self.block("Beware", palette.bad, &cautions));
        }
        out.push(String::new());
        out.push(format!(
            "Next: {}",
            palette.paint(strong, &self.view.next(self.report))
        ));
        out.push(String::new());
        out
    }

    /// The metrics: with intervals of both sides where they fit, then without, then without the sides.
    fn table(&self) -> Vec<String> {
        for sides in [Some(true), Some(false)] {
            let columns = self.columns(sides);
            if table::total(&columns) <= self.width {
                return self.head_and_rows(&columns);
            }
        }
        self.head_and_rows(&table::fit(self.columns(None), self.width))
    }

    fn head_and_rows(&self, columns: &[Column]) -> Vec<String> {
        let mut lines = table::lines(columns);
        // The units stand in the rows.
        lines.remove(1);
        let palette = self.view.palette;
        lines[0] = palette.paint(palette.dim, &lines[0]);
        lines
    }

    /// The columns; those of the sides with their interval, without, or not at all.
    fn columns(&self, sides: Option<bool>) -> Vec<Column> {
        let rows: Vec<_> = cells::present(self.report).collect();
        let cells = |f: &dyn Fn(&ComparisonReport) -> String| -> Vec<String> {
            rows.iter().map(|(c, _)| f(c)).collect()
        };
        let name = |c: &ComparisonReport| {
            let name = escape::terminal(&cells::name(self.report, c));
            format!("{name}{}", cells::role(c.role))
        };
        let p = |c: &ComparisonReport| {
            c.test
                .as_ref()
                .map_or_else(String::new, |t| cells::p(t.p_adjusted))
        };
        let mut out = vec![column("metric", Align::Left, 0, cells(&name))];
        if let Some(interval) = sides {
            for (at, letter) in ["A", "B"].into_iter().enumerate() {
                let of = rows
                    .iter()
                    .map(|(c, d)| cells::side(c, &d.sides[at], interval));
                out.push(column(letter, Align::Right, 0, of.collect()));
            }
        }
        out.extend([
            column("A - B, A / B", Align::Right, 0, cells(&cells::difference)),
            column("p", Align::Right, 0, cells(&p)),
            column("effect", Align::Right, 1, cells(&cells::effect)),
            column(
                "better",
                Align::Left,
                0,
                cells(&|c| cells::better(c).to_owned()),
            ),
        ]);
        out
    }

    /// The samples that changed.
    fn changes(&self) -> Vec<String> {
        let list = &self.report.changes.list;
        let palette = self.view.palette;
        if list.is_empty() {
            return vec!["No sample changed.".to_owned(), String::new()];
        }
        let cells_of = |f: &dyn Fn(&PromptChange) -> String| list.iter().map(f).collect();
        let columns = vec![
            column(
                "sample",
                Align::Left,
                0,
                cells_of(&|c| escape::terminal(&format!("{}/{}", c.task, c.sample))),
            ),
            column(
                "A",
                Align::Left,
                0,
                cells_of(&|c| cells::changed(&c.sides[0])),
            ),
            column(
                "B",
                Align::Left,
                0,
                cells_of(&|c| cells::changed(&c.sides[1])),
            ),
            column(
                "A - B",
                Align::Right,
                0,
                cells_of(&cells::change_difference),
            ),
        ];
        let title = "Samples that changed, where A lost most first";
        let mut out = vec![palette.paint(palette.strong, title)];
        out.extend(self.head_and_rows(&table::fit(columns, self.width)));
        out.push(String::new());
        out
    }

    /// A question with its answer, indented.
    fn block(&self, question: &str, style: &str, paragraphs: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        for paragraph in paragraphs {
            let label = if out.is_empty() { question } else { "" };
            out.extend(self.hanging(label, INDENT, style, paragraph));
        }
        out
    }

    /// A text behind a label, its further lines indented as far.
    fn hanging(&self, label: &str, indent: usize, style: &str, text: &str) -> Vec<String> {
        let lines = table::wrap(text, self.width - indent);
        let of = |(i, line): (usize, &String)| {
            let label = if i == 0 { label } else { "" };
            let gap = " ".repeat(indent.saturating_sub(table::columns(label)));
            format!("{}{gap}{line}", self.view.palette.paint(style, label))
        };
        lines.iter().enumerate().map(of).collect()
    }
}

fn column(head: &str, align: Align, lesser: u8, cells: Vec<String>) -> Column {
    Column {
        head: head.to_owned(),
        unit: String::new(),
        align,
        lesser,
        cells,
    }
}
