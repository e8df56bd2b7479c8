//! The report for a person at a terminal: one table, five answers, what to beware of, what to do next.
//!
//! The answer comes last, where the eye is. Names are shortened before columns are dropped; columns are dropped before anything is cut.

use super::escape;
use super::likelihood::{self, Grid};
use super::number;
use super::palette::Palette;
use super::table::{self, Align, Column};
use super::words::Words;
use crate::analysis::{Figure, ModelReport, ReportModel, Value};
use crate::metric::Unit;

/// Narrowest layout.
const LEAST_WIDTH: usize = 60;
/// Widest layout: longer lines are hard to read.
const MOST_WIDTH: usize = 100;
/// Importance of the cost column.
const COST: u8 = 1;
/// Importance of the column of first tokens.
const FIRST_TOKEN: u8 = 2;
/// Importance of the column that is dropped first.
const LESSER: u8 = 4;
/// Metric, head, unit, whether with its interval, importance: columns with a higher number are dropped first, 0 stays.
const COLUMNS: [(&str, &str, &str, bool, u8); 6] = [
    ("score", "quality", "0-10", true, 0),
    ("pass_rate", "pass", "%", true, 0),
    ("ttft_ms_p50", "first token", "p50 ms", true, FIRST_TOKEN),
    ("decode_tps", "decode", "tok/s", true, 4),
    ("peak_bytes", "peak", "GB", false, 3),
    ("local_usd_per_1k", "1,000", "tasks $", false, COST),
];
/// Footnote of an interval without width.
const FLAT: &str = "all equal: the interval has no width, which is not certainty";
/// Columns before the text of an answer.
const INDENT: usize = 15;
/// Lines of warnings; `--kpi all` has the others.
const WARNING_LINES: usize = 5;
/// Ways to show the speeds: both with their interval, the first token alone, none.
const DETAILS: [&[&str]; 3] = [&[], &["decode_tps"], &["decode_tps", "ttft_ms_p50"]];

/// The report as lines of at most `width` columns, clamped to 60 to 100.
pub fn terminal(report: &ReportModel, width: usize, palette: Palette) -> String {
    let page = Page {
        report,
        words: Words::new(report, escape::terminal),
        width: width.clamp(LEAST_WIDTH, MOST_WIDTH),
        palette,
    };
    let mut lines = page.head();
    lines.push(String::new());
    lines.extend(page.table());
    for grid in likelihood::grids(report) {
        lines.extend(page.grid(&grid));
    }
    for answer in page.words.answers() {
        lines.extend(page.block(answer.question, palette.strong, &answer.lines));
    }
    lines.extend(page.beware());
    lines.push(String::new());
    lines.push(format!(
        "Next: {}",
        palette.paint(palette.strong, &page.words.next())
    ));
    lines.push(String::new());
    lines.join("\n")
}

struct Page<'a> {
    report: &'a ReportModel,
    words: Words<'a>,
    width: usize,
    palette: Palette,
}

/// Footnotes in the order of their first use.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    /// The mark of a note; the same text has the same mark.
    fn mark(&mut self, text: &str) -> String {
        let at = self.0.iter().position(|n| n == text).unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        superscript(at + 1)
    }
}

fn superscript(n: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    n.to_string()
        .bytes()
        .map(|b| DIGITS[usize::from(b - b'0')])
        .collect()
}

impl Page<'_> {
    fn head(&self) -> Vec<String> {
        let parts = self.words.head();
        let mut lines: Vec<String> = Vec::new();
        for part in parts {
            match lines.last_mut() {
                Some(last) if table::columns(last) + 3 + table::columns(&part) <= self.width => {
                    last.push_str(" · ");
                    last.push_str(&part);
                }
                _ => lines.extend(table::wrap(&part, self.width)),
            }
        }
        if !self.report.complete {
            let text = "INCOMPLETE: the numbers below cover only the samples that were run.";
            lines.push(self.palette.paint(self.palette.bad, text));
        }
        lines
    }

    /// The table with its footnotes; nothing when no model was measured.
    fn table(&self) -> Vec<String> {
        if self.report.models.is_empty() {
            return Vec::new();
        }
        let (columns, notes) = self.fitted();
        let mut lines = table::lines(&columns);
        let notes = notes.0.iter().enumerate();
        let notes = notes.map(|(i, note)| format!("{} {note}", superscript(i + 1)));
        self.finish(&mut lines, 2, notes);
        lines
    }

    /// The widest table that fits: intervals of speeds go first, then the ends of names, then columns.
    fn fitted(&self) -> (Vec<Column>, Notes) {
        for name in [full_name, short_name] {
            for bare in DETAILS {
                let table = self.columns(name, LESSER, bare, true);
                if table::total(&table.0) <= self.width {
                    return table;
                }
            }
        }
        // Rows of prices are wider than short names: they go before the columns that matter more.
        let with_prices = (FIRST_TOKEN..LESSER).rev().map(|kept| (kept, true));
        let without = (COST..=LESSER).rev().map(|kept| (kept, false));
        for (kept, prices) in with_prices.chain(without) {
            let table = self.columns(short_name, kept, DETAILS[2], prices);
            if table::total(&table.0) <= self.width {
                return table;
            }
        }
        let (columns, notes) = self.columns(short_name, 0, DETAILS[2], false);
        (table::fit(columns, self.width), notes)
    }

    /// The columns up to the importance `kept`, with their footnotes; `bare` ones without their interval.
    fn columns(
        &self,
        name: fn(&ModelReport) -> &String,
        kept: u8,
        bare: &[&str],
        prices: bool,
    ) -> (Vec<Column>, Notes) {
        let mut notes = Notes::default();
        let report = self.report;
        let prices = if prices {
            self.words.prices()
        } else {
            Vec::new()
        };
        let whole = bare.len() < DETAILS[2].len();
        let suffix = if whole { "price only" } else { "cloud" };
        let names = report.models.iter().map(|m| escape::terminal(name(m)));
        let clouds = prices
            .iter()
            .map(|v| format!("{} ({suffix})", escape::terminal(&v.price.name)));
        let mut columns = vec![Column {
            head: "model".to_owned(),
            unit: String::new(),
            align: Align::Left,
            lesser: 0,
            cells: names.chain(clouds).collect(),
        }];
        for &(id, head, unit, interval, lesser) in COLUMNS.iter().filter(|c| c.4 <= kept) {
            let interval = interval && !bare.contains(&id);
            let models = report.models.iter().map(|m| m.figure(id));
            let mut cells: Vec<String> = models.map(|f| cell(f, interval, &mut notes)).collect();
            let cost = lesser == COST;
            cells.extend(prices.iter().map(|v| {
                let figure = v.figure("cloud_usd_per_1k").filter(|_| cost);
                cell(figure, interval, &mut notes)
            }));
            let priced = cost && report.models.iter().any(|m| m.cost.is_some());
            let mark = if priced {
                notes.mark(&self.cost_note(!prices.is_empty()))
            } else {
                String::new()
            };
            columns.push(Column {
                head: format!("{head}{mark}"),
                unit: unit.to_owned(),
                align: Align::Right,
                lesser,
                cells,
            });
        }
        (columns, notes)
    }

    /// A table of questions or texts, narrowed like the first one.
    fn grid(&self, grid: &Grid) -> Vec<String> {
        let column = |head: &str, unit: &str, align, cells: Vec<String>| Column {
            head: head.to_owned(),
            unit: unit.to_owned(),
            align,
            lesser: 0,
            cells,
        };
        let names = grid.rows.iter().map(|r| escape::terminal(&r.name));
        let counts = grid.rows.iter().map(|r| r.n.clone());
        let mut columns = vec![
            column(grid.title, "", Align::Left, names.collect()),
            column("n", "", Align::Right, counts.collect()),
        ];
        for (at, model) in self.report.models.iter().enumerate() {
            let cells = grid.rows.iter().map(|r| r.cells[at].clone());
            let head = escape::terminal(&model.short);
            columns.push(column(&head, grid.unit, Align::Right, cells.collect()));
        }
        let mut lines = table::lines(&table::fit(columns, self.width));
        let mut heads = 2;
        if grid.unit.is_empty() {
            lines.remove(1);
            heads = 1;
        }
        let notes = grid.notes.iter().map(|note| escape::terminal(note));
        self.finish(&mut lines, heads, notes);
        lines
    }

    /// Dims the heads of a table and puts its notes and an empty line below it.
    fn finish(&self, lines: &mut Vec<String>, heads: usize, notes: impl Iterator<Item = String>) {
        let dim = |line: &String| self.palette.paint(self.palette.dim, line);
        for head in lines.iter_mut().take(heads) {
            *head = dim(head);
        }
        for note in notes {
            lines.extend(table::wrap(&note, self.width).iter().map(dim));
        }
        lines.push(String::new());
    }

    fn cost_note(&self, with_prices: bool) -> String {
        let basis = self.words.basis().map(|(m, _)| escape::terminal(&m.short));
        let tokens = basis
            .filter(|_| with_prices)
            .map_or_else(String::new, |name| {
                format!("; cloud prices for the token counts of {name}")
            });
        format!("fully loaded{tokens}; shown in full by `--kpi all`")
    }

    /// As many warnings as there are lines for, and how many there are besides.
    fn beware(&self) -> Vec<String> {
        let all = self.words.warnings();
        let height = |text: &String| table::wrap(text, self.width - INDENT).len();
        let heights: Vec<usize> = all.iter().map(height).collect();
        let fits = |n: usize| {
            let more = usize::from(n < all.len());
            heights[..n].iter().sum::<usize>() + more <= WARNING_LINES
        };
        let kept = (1..=all.len()).rev().find(|n| fits(*n)).unwrap_or(1);
        let Some(first) = all.get(..kept) else {
            return Vec::new();
        };
        let mut told = first.to_vec();
        if all.len() > kept {
            told.push(format!("{} more: `--kpi all`", all.len() - kept));
        }
        let mut lines = vec![String::new()];
        lines.extend(self.block("Beware", self.palette.bad, &told));
        lines
    }

    /// A question with its answer, indented.
    fn block(&self, question: &str, style: &str, paragraphs: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        for paragraph in paragraphs {
            for line in table::wrap(paragraph, self.width - INDENT) {
                let label = if out.is_empty() { question } else { "" };
                let gap = " ".repeat(INDENT - table::columns(label).min(INDENT));
                out.push(format!("{}{gap}{line}", self.palette.paint(style, label)));
            }
        }
        out
    }
}

fn full_name(model: &ModelReport) -> &String {
    &model.label
}

fn short_name(model: &ModelReport) -> &String {
    &model.short
}

/// A cell of the table: the number, or a dash with the mark of its reason.
fn cell(figure: Option<&Figure>, interval: bool, notes: &mut Notes) -> String {
    let Some(figure) = figure else {
        return String::new();
    };
    match &figure.value {
        Value::Measured(m) => {
            let shown = if figure.metric.unit == Unit::Bytes {
                return number::fixed(m.point / 1e9, if m.point < 1e8 { 2 } else { 1 });
            } else {
                number::shown(figure.metric.unit, m)
            };
            let flat = interval && m.is_flat();
            let mark = if flat {
                notes.mark(FLAT)
            } else {
                String::new()
            };
            if interval {
                format!("{}{mark}", shown.cell())
            } else {
                shown.point
            }
        }
        Value::Absent(why) => {
            format!(
                "–{}",
                notes.mark(&format!(
                    "{}: {}",
                    figure.metric.title.to_lowercase(),
                    escape::terminal(&why.to_string())
                ))
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testkit::{self, Spec};
    use crate::analysis::{AnalysisOptions, analyse};
    use crate::record::{FailureKind, ModelStatus, RunRecord, RunStatus, SkipReason};
    use crate::units::Bytes;

    fn report(run: &RunRecord) -> ReportModel {
        let options = AnalysisOptions {
            today: Some("2026-11-22".to_owned()),
            ..AnalysisOptions::default()
        };
        analyse(run, &testkit::prices(), &options)
    }

    fn plain(run: &RunRecord, width: usize) -> String {
        terminal(&report(run), width, Palette::PLAIN)
    }

    #[test]
    fn three_models_at_100_columns() {
        insta::assert_snapshot!(plain(&testkit::three_models(), 100), @r#"
        run 01k3qa7z5m8c2p · business 1.0.0 · 30 prompts in 3 tasks · intervals 95 %
        Apple M4 Max 36 GB, macOS 15.6, plugged in, thermal nominal at the start

        model                              quality         pass     first token  decode  peak   1,000¹
                                              0-10            %          p50 ms   tok/s    GB  tasks $
        qwen2.5-7b-instruct-q4_k_m  7.0 [6.6, 7.3]  83 [66, 93]  350 [340, 360]    47.6   5.9     0.64
        gemma-3-4b-it-q4_k_m        6.9 [6.5, 7.3]  70 [52, 83]  224 [208, 232]      61   3.9     0.50
        smollm2-135m-instruct-q4_1  1.3 [0.9, 1.7]    0 [0, 11]     37 [36, 37]     394   0.2     0.10
        gpt-4o-mini (price only)                                                                 0.043
        ¹ fully loaded; cloud prices for the token counts of gemma-3-4b; shown in full by `--kpi all`

        Good enough?   The 3 models differ: p < 0.001 (Friedman, 30 prompts).
                       qwen2.5-7b and gemma-3-4b are not told apart: +0.1 [-0.3, 0.4], p 0.72 (paired t,
                       30 prompts, Holm over 3). Telling 0.1 apart needs about 1,800 prompts.
                       qwen2.5-7b is better than smollm2-135m: +5.7 [5.2, 6.1], p < 0.001 (paired t,
                       30 prompts, Holm over 3).
                       Weakest task of both: task-a, 6.8 [6.1, 7.6] and 6.6 [5.9, 7.3].
        Fast enough?   qwen2.5-7b: 95 % of first tokens in 370 ms [370, –], decode 47.6 tok/s [46.9, 48.3].
                       gemma-3-4b: 95 % of first tokens in 248 ms [240, –], decode 61 tok/s [59, 62].
                       First token within 2 s: at least 90 % (30 of 30 requests each). – needs 72 requests.
        Does it fit?   Every model alone, within 27.0 GB; qwen2.5-7b, gemma-3-4b and smollm2-135m together
                       (10.0 GB).
        Reliable?      qwen2.5-7b: 30 of 30 samples: 25 correct, 5 incorrect, 0 errors.
                       gemma-3-4b: 30 of 30 samples: 21 correct, 9 incorrect, 0 errors.
                       Others: smollm2-135m 1 of 30 failed.
                       No drift: qwen2.5-7b 1.00, gemma-3-4b 1.00 (last third over first).
        What it costs  qwen2.5-7b: $0.64 [0.62, 0.65] per 1,000 tasks ($0.0035 electricity alone).
                       gemma-3-4b: $0.50 [0.49, 0.51] per 1,000 tasks ($0.0028 electricity alone).
                       gemma-3-4b pays off against gpt-4o-mini from 20 million tasks a year.
                       Assumed: $4,000 less $800 in 4 years, 5 % use, 60 W, $0.17/kWh; prices: 2026-11-01.

        Beware         without a generation, counted as failed: smollm2-135m 1 of 30
                       cut off at a token limit, counted as wrong: smollm2-135m 1 of 30
                       cloud costs use the local token counts and answer lengths; the cloud bills its own

        Next: evalh report 01k3qa7z5m8c2p --kpi all
        "#);
    }

    #[test]
    fn three_models_at_80_columns() {
        insta::assert_snapshot!(plain(&testkit::three_models(), 80), @r#"
        run 01k3qa7z5m8c2p · business 1.0.0 · 30 prompts in 3 tasks · intervals 95 %
        Apple M4 Max 36 GB, macOS 15.6, plugged in, thermal nominal at the start

        model                       quality         pass  first token  peak   1,000¹
                                       0-10            %       p50 ms    GB  tasks $
        qwen2.5-7b           7.0 [6.6, 7.3]  83 [66, 93]          350   5.9     0.64
        gemma-3-4b           6.9 [6.5, 7.3]  70 [52, 83]          224   3.9     0.50
        smollm2-135m         1.3 [0.9, 1.7]    0 [0, 11]           37   0.2     0.10
        gpt-4o-mini (cloud)                                                    0.043
        ¹ fully loaded; cloud prices for the token counts of gemma-3-4b; shown in full
        by `--kpi all`

        Good enough?   The 3 models differ: p < 0.001 (Friedman, 30 prompts).
                       qwen2.5-7b and gemma-3-4b are not told apart: +0.1 [-0.3, 0.4],
                       p 0.72 (paired t, 30 prompts, Holm over 3). Telling 0.1 apart
                       needs about 1,800 prompts.
                       qwen2.5-7b is better than smollm2-135m: +5.7 [5.2, 6.1],
                       p < 0.001 (paired t, 30 prompts, Holm over 3).
                       Weakest task of both: task-a, 6.8 [6.1, 7.6] and 6.6 [5.9, 7.3].
        Fast enough?   qwen2.5-7b: 95 % of first tokens in 370 ms [370, –], decode
                       47.6 tok/s [46.9, 48.3].
                       gemma-3-4b: 95 % of first tokens in 248 ms [240, –], decode
                       61 tok/s [59, 62].
                       First token within 2 s: at least 90 % (30 of 30 requests each). –
                       needs 72 requests.
        Does it fit?   Every model alone, within 27.0 GB; qwen2.5-7b, gemma-3-4b and
                       smollm2-135m together (10.0 GB).
        Reliable?      qwen2.5-7b: 30 of 30 samples: 25 correct, 5 incorrect, 0 errors.
                       gemma-3-4b: 30 of 30 samples: 21 correct, 9 incorrect, 0 errors.
                       Others: smollm2-135m 1 of 30 failed.
                       No drift: qwen2.5-7b 1.00, gemma-3-4b 1.00 (last third over
                       first).
        What it costs  qwen2.5-7b: $0.64 [0.62, 0.65] per 1,000 tasks ($0.0035
                       electricity alone).
                       gemma-3-4b: $0.50 [0.49, 0.51] per 1,000 tasks ($0.0028
                       electricity alone).
                       gemma-3-4b pays off against gpt-4o-mini from 20 million tasks a
                       year.
                       Assumed: $4,000 less $800 in 4 years, 5 % use, 60 W, $0.17/kWh;
                       prices: 2026-11-01.

        Beware         without a generation, counted as failed: smollm2-135m 1 of 30
                       cut off at a token limit, counted as wrong: smollm2-135m 1 of 30
                       cloud costs use the local token counts and answer lengths; the
                       cloud bills its own

        Next: evalh report 01k3qa7z5m8c2p --kpi all
        "#);
    }

    #[test]
    fn one_model_without_generations_and_others_not_run() {
        let mut run = testkit::run(
            &[
                ("m-1b-it", vec![Spec::failed(FailureKind::Crash); 4]),
                ("big", Vec::new()),
                ("gone", Vec::new()),
                ("late", Vec::new()),
            ],
            1,
        );
        run.models[0].peak = None;
        run.models[0].planned.estimate = None;
        let estimate = run.models[1].planned.estimate.unwrap();
        run.models[1].status = ModelStatus::Skipped(SkipReason::OverBudget {
            estimate,
            budget: Bytes(2_000_000_000),
        });
        run.models[2].status =
            ModelStatus::Skipped(SkipReason::Files("`gone.gguf` is not there".to_owned()));
        run.models[3].status = ModelStatus::Waiting;
        run.status = RunStatus::Cancelled;
        insta::assert_snapshot!(plain(&run, 100), @r#"
        run 01k3qa7z5m8c2p · business 1.0.0 · 4 prompts in 3 tasks · intervals 95 %
        Apple M4 Max 36 GB, macOS 15.6, plugged in, thermal nominal at the start
        INCOMPLETE: the numbers below cover only the samples that were run.

        model            quality       pass  first token  decode  peak    1,000
                            0-10          %       p50 ms   tok/s    GB  tasks $
        m-1b-it  0.0 [0.0, 0.0]¹  0 [0, 49]           –²      –³    –⁴       –⁵
        ¹ all equal: the interval has no width, which is not certainty
        ² time to first token, median: no sample has a generation
        ³ decode speed: no sample has a generation
        ⁴ peak memory: peak memory could not be measured
        ⁵ fully loaded: no sample has a generation

        Good enough?   m-1b scores 0.0 [0.0, 0.0] of 10 and passes 0 % [0, 49] of its samples (4 prompts).
                       Weakest task: task-a, 0.0 on all 2 prompts.
        Fast enough?   m-1b: no times, no sample has a generation.
                       First token within 2 s: at least 0 % (0 of 4 requests).
        Does it fit?   Not known: no memory was measured and there was no estimate.
                       big (2.8 GB) was not run: over the budget of 2.0 GB.
                       gone was not run: `gone.gguf` is not there.
                       late was not run: the run ended before its turn.
        Reliable?      m-1b: 4 of 4 samples: 4 errors.
        What it costs  m-1b: no cost, no sample has a generation.

        Beware         incomplete: 4 of 8 planned samples have a record (run `cancelled`)
                       without a generation, counted as failed: m-1b 4 of 4
                       4 prompts: below 20 intervals lean on the assumed distribution, below 6 there is no
                       verdict

        Next: evalh run --suite business
        "#);
    }

    #[test]
    fn lines_are_never_longer_than_asked_for() {
        for width in [60, 72, 80, 99, 100, 140] {
            for line in plain(&testkit::three_models(), width).lines() {
                let command = line.starts_with("Next: ");
                assert!(
                    command || table::columns(line) <= width.min(100),
                    "{width}: {line}"
                );
            }
        }
    }

    /// Runs of 1, 2, 4 and 8 models, all wrong, all right, mixed, and with names that differ at their ends only.
    fn situations() -> Vec<RunRecord> {
        let long = "a-model-with-a-long-name-that-goes-on";
        let names: Vec<String> = (0..8).map(|i| format!("{long}-{i}")).collect();
        let mut out = Vec::new();
        for count in [1, 2, 4, 8] {
            for scores in [[0.0, 0.0], [10.0, 10.0], [2.0, 9.0]] {
                let specs = |m: usize| {
                    (0..24)
                        .map(|i| Spec::scored(scores[(i + m) % 2]))
                        .collect::<Vec<_>>()
                };
                let models: Vec<(&str, Vec<Spec>)> =
                    (0..count).map(|m| (names[m].as_str(), specs(m))).collect();
                out.push(testkit::run(&models, 1));
            }
        }
        out
    }

    #[test]
    fn every_situation_fits_stays_short_and_names_no_two_models_alike() {
        for run in situations() {
            for width in [60, 80, 100] {
                let text = plain(&run, width);
                for line in text.lines().filter(|l| !l.starts_with("Next: ")) {
                    assert!(table::columns(line) <= width, "{width}: {line}");
                }
                let rows: Vec<&str> = text
                    .lines()
                    .skip_while(|l| !l.starts_with("model "))
                    .skip(2)
                    .take(run.models.len())
                    .filter_map(|l| l.split("  ").next())
                    .collect();
                let distinct: std::collections::BTreeSet<&&str> = rows.iter().collect();
                assert_eq!(distinct.len(), run.models.len(), "{text}");
                let warned = text.lines().skip_while(|l| !l.starts_with("Beware"));
                let lines = warned.take_while(|l| !l.is_empty()).count();
                assert!(lines <= WARNING_LINES, "{text}");
            }
        }
    }

    #[test]
    fn all_right_against_all_wrong_is_told_apart() {
        let run = testkit::run(
            &[
                ("right", vec![Spec::scored(10.0); 12]),
                ("wrong", vec![Spec::scored(0.0); 12]),
            ],
            1,
        );
        let text = plain(&run, 100);
        assert!(
            text.contains("right is better than wrong: +10.0 [10.0, 10.0], p < 0.001 (sign flip,"),
            "{text}"
        );
    }

    #[test]
    fn colours_add_and_do_not_carry() {
        let r = report(&testkit::three_models());
        let coloured = terminal(&r, 100, Palette::ANSI);
        assert!(coloured.contains("\x1b[1mGood enough?\x1b[0m"));
        let mut stripped = coloured;
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m"] {
            stripped = stripped.replace(code, "");
        }
        assert_eq!(stripped, terminal(&r, 100, Palette::PLAIN));
    }

    #[test]
    fn hostile_names_stay_text() {
        let mut run = testkit::three_models();
        run.models[1].planned.name = "evil\x1b]0;owned\x07\u{202e}\nmodel".to_owned();
        run.samples
            .iter_mut()
            .for_each(|s| s.key.task = format!("{}\x1b[2J", s.key.task));
        run.header.host.cpu = Some("cpu\x1b[1A".to_owned());
        let text = plain(&run, 100);
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "{text:?}"
        );
        assert!(!text.contains('\u{202e}'));
    }
}
