//! Changed models against their base for a person at a terminal.

use super::super::escape;
use super::super::number::fixed;
use super::super::table::{self, Align, Column};
use super::DivergenceView;
use super::words::{self, DASH, cell, nats};
use crate::analysis::{DivergenceReport, DivergenceRow, SideFigures, Value};
use crate::metric::Unit;
use crate::record::DivergenceRecord;

/// Narrowest layout.
const LEAST_WIDTH: usize = 60;
/// Widest layout of running text.
const MOST_TEXT: usize = 100;
/// Columns before a paragraph.
const INDENT: usize = 12;

/// The comparison as lines; the table is as wide as `view.width`, running text at most 100 columns.
pub fn divergence_terminal(
    record: &DivergenceRecord,
    report: &DivergenceReport,
    view: DivergenceView,
) -> String {
    let width = view.width.max(LEAST_WIDTH);
    let page = Page {
        record,
        report,
        view,
        table: width,
        text: width.min(MOST_TEXT),
    };
    page.lines().join("\n")
}

struct Page<'a> {
    record: &'a DivergenceRecord,
    report: &'a DivergenceReport,
    view: DivergenceView,
    table: usize,
    text: usize,
}

impl Page<'_> {
    fn lines(&self) -> Vec<String> {
        let palette = self.view.palette;
        let mut out = table::wrap(&self.head(), self.text);
        out.push(String::new());
        let mut lines = table::lines(&self.columns());
        for head in &mut lines[..2] {
            *head = palette.paint(palette.dim, head);
        }
        out.extend(lines);
        let legend = table::wrap(&self.legend(), self.text);
        out.extend(legend.iter().map(|l| palette.paint(palette.dim, l)));
        for row in &self.report.models {
            out.push(String::new());
            out.push(palette.paint(palette.strong, &words::title(&row.side)));
            for (label, text) in words::paragraphs(self.report, row) {
                out.extend(self.hanging(label, "", &text));
            }
        }
        let cautions = &self.report.cautions;
        if !cautions.is_empty() {
            out.push(String::new());
        }
        for (i, caution) in cautions.iter().enumerate() {
            let label = if i == 0 { "Beware" } else { "" };
            let text = escape::terminal(&caution.to_string());
            out.extend(self.hanging(label, palette.bad, &text));
        }
        out.push(String::new());
        out
    }

    /// What was read, asked and timed.
    fn head(&self) -> String {
        let r = self.record;
        let read: u64 = r.texts.iter().map(|t| t.read_tokens).sum();
        let plural = |n: usize, one: &str| {
            let s = if n == 1 { "" } else { "s" };
            format!("{} {one}{s}", fixed(n as f64, 0))
        };
        let mut parts = vec![format!(
            "{} tokens of {} in {} of at most {} tokens, {} scored",
            fixed(read as f64, 0),
            plural(r.texts.len(), "text"),
            plural(self.report.windows, "window"),
            r.window,
            plural(self.report.positions, "position"),
        )];
        if let Some(suite) = &r.suite {
            let questions = plural(r.base_questions.len(), "question");
            parts.push(format!("{questions} of `{}`", escape::terminal(suite)));
        }
        if let Some(n) = r
            .models
            .iter()
            .map(|m| m.speed.len())
            .max()
            .filter(|n| *n > 0)
        {
            parts.push(format!("{} timed", plural(n, "prompt")));
        }
        format!(
            "{} against {}: {}.",
            plural(self.report.models.len(), "model"),
            words::title(&self.report.base),
            parts.join("; ")
        )
    }

    fn legend(&self) -> String {
        let percent = self.report.level * 100.0;
        format!(
            "KL: mean divergence of the next token's distribution from the base's. top-1: positions where the most probable token is the same. \
             prompt, new: tokens a second, single-stream. [ ]: {percent} % intervals."
        )
    }

    /// With the intervals where they fit, else without; then lesser columns go.
    fn columns(&self) -> Vec<Column> {
        let wide = self.all_columns(true);
        if table::total(&wide) <= self.table {
            return wide;
        }
        table::fit(self.all_columns(false), self.table)
    }

    fn all_columns(&self, intervals: bool) -> Vec<Column> {
        let sides = |f: &dyn Fn(&SideFigures) -> String| -> Vec<String> {
            let all = std::iter::once(&self.report.base);
            let all = all.chain(self.report.models.iter().map(|m| &m.side));
            all.map(f).collect()
        };
        let rows = |f: &dyn Fn(&DivergenceRow) -> String| -> Vec<String> {
            let base = std::iter::once("base".to_owned());
            base.chain(self.report.models.iter().map(f)).collect()
        };
        let point = |text: String| {
            if intervals {
                text
            } else {
                text.split(" [").next().unwrap_or_default().to_owned()
            }
        };
        let of = |unit: Unit, value: &Value| point(cell(unit, value));
        let megabytes = |bytes: u64| cut_megabytes(bytes as f64 / 1e6);
        let kl = |row: &DivergenceRow| {
            let kl = row.texts.kl.measured();
            kl.map_or_else(|| DASH.to_owned(), |m| point(nats(m)))
        };
        let kind = |s: &SideFigures| {
            let kind = s.file.quantization.as_deref();
            kind.map_or_else(|| DASH.to_owned(), escape::terminal)
        };
        let bits = |s: &SideFigures| {
            s.bits_per_weight
                .map_or_else(|| DASH.to_owned(), |b| format!("{b:.2}"))
        };
        let peak = |s: &SideFigures| {
            s.peak
                .map_or_else(|| DASH.to_owned(), |p| megabytes(p.get()))
        };
        let mut first = column("model", "", 0, sides(&|s| escape::terminal(&s.file.name)));
        first.align = Align::Left;
        vec![
            first,
            column("type", "", 2, sides(&kind)),
            column("file", "MB", 0, sides(&|s| megabytes(s.file.bytes.get()))),
            column("bits a", "weight", 3, sides(&bits)),
            column("KL", "nats", 0, rows(&kl)),
            column(
                "top-1",
                "%",
                0,
                rows(&|r| of(Unit::Share, &r.texts.same_top1)),
            ),
            column(
                "perplexity",
                "",
                1,
                sides(&|s| of(Unit::Ratio, &s.perplexity)),
            ),
            column("right", "%", 0, sides(&|s| of(Unit::Share, &s.accuracy))),
            column(
                "prompt",
                "tok/s",
                0,
                sides(&|s| of(Unit::TokensPerSecond, &s.prefill_tps)),
            ),
            column(
                "new",
                "tok/s",
                0,
                sides(&|s| of(Unit::TokensPerSecond, &s.decode_tps)),
            ),
            column("memory", "MB", 0, sides(&peak)),
        ]
    }

    /// A text behind a label, its further lines indented as far.
    fn hanging(&self, label: &str, style: &str, text: &str) -> Vec<String> {
        let lines = table::wrap(text, self.text - INDENT);
        let of = |(i, line): (usize, &String)| {
            let label = if i == 0 { label } else { "" };
            let gap = " ".repeat(INDENT.saturating_sub(2 + table::columns(label)));
            format!("  {}{gap}{line}", self.view.palette.paint(style, label))
        };
        lines.iter().enumerate().map(of).collect()
    }
}

/// Megabytes with a decimal where there are few.
fn cut_megabytes(megabytes: f64) -> String {
    fixed(megabytes, usize::from(megabytes < 100.0))
}

fn column(head: &str, unit: &str, lesser: u8, cells: Vec<String>) -> Column {
    Column {
        head: head.to_owned(),
        unit: unit.to_owned(),
        align: Align::Right,
        lesser,
        cells,
    }
}
