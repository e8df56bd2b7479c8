//! Questions with choices and texts: a table each, tasks in rows and models in columns, the same in every format for people.

use super::number;
use crate::analysis::{Figure, ModelReport, NO_TEXT, PARTS, ReportModel, SliceReport, Value};
use crate::metric::Unit;

/// Metrics of texts behind the table of tasks.
const PERPLEXITIES: [(&str, &str); 3] = [
    ("token_perplexity", "perplexity of a token"),
    ("word_perplexity", "perplexity of a word"),
    ("byte_perplexity", "perplexity of a byte"),
];
/// What perplexities across tokenizers are.
const ONE_TOKENIZER: &str =
    "perplexities of tokens are compared within one tokenizer only, bits per byte across";

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grid {
    /// What the rows are.
    pub(super) title: &'static str,
    /// Unit of every cell; empty where it stands in the names of the rows.
    pub(super) unit: &'static str,
    /// Rows.
    pub(super) rows: Vec<Row>,
    /// Sentences below it: why a dash is a dash, how it may be read.
    pub(super) notes: Vec<String>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Task, not escaped, with the metric behind it; or the name of a metric.
    pub(super) name: String,
    /// Questions or texts; empty where it says nothing new.
    pub(super) n: String,
    /// One cell a model.
    pub(super) cells: Vec<String>,
}

/// The tables of a report: questions, texts; none of a run that only generates.
pub(super) fn grids(report: &ReportModel) -> Vec<Grid> {
    [questions(report), texts(report)]
        .into_iter()
        .flatten()
        .collect()
}

/// Tasks that a test holds for in any model, in the order of their first appearance.
fn tasks(report: &ReportModel, test: impl Fn(&SliceReport) -> bool) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for task in report.models.iter().flat_map(|m| &m.tasks) {
        if test(task) && !names.contains(&task.name.as_str()) {
            names.push(&task.name);
        }
    }
    names
}

fn task<'r>(model: &'r ModelReport, name: &str) -> Option<&'r SliceReport> {
    model.tasks.iter().find(|t| t.name == name)
}

/// Cells of a row; the reasons of dashes go to `notes`.
fn cells<'r>(
    report: &'r ReportModel,
    notes: &mut Vec<String>,
    pick: impl Fn(&'r ModelReport) -> Option<&'r Figure>,
) -> Vec<String> {
    let models = report.models.iter();
    models
        .map(|m| match pick(m) {
            None => "–".to_owned(),
            Some(figure) => match &figure.value {
                Value::Measured(measured) => {
                    if let Some(missing) = &measured.missing {
                        let note = format!("no interval: {missing}");
                        if !notes.contains(&note) {
                            notes.push(note);
                        }
                    }
                    number::shown(figure.metric.unit, measured).cell()
                }
                Value::Absent(why) => {
                    let note = format!("–: {why}");
                    if !notes.contains(&note) {
                        notes.push(note);
                    }
                    "–".to_owned()
                }
            },
        })
        .collect()
}

/// Prompts behind the first model's number.
fn count<'r>(
    report: &'r ReportModel,
    pick: impl Fn(&'r ModelReport) -> Option<&'r Figure>,
) -> String {
    let counts = report.models.iter();
    counts
        .filter_map(|m| pick(m)?.value.measured().map(|v| v.n))
        .max()
        .map_or_else(String::new, |n| n.to_string())
}

fn row<'r>(
    report: &'r ReportModel,
    notes: &mut Vec<String>,
    name: String,
    pick: impl Fn(&'r ModelReport) -> Option<&'r Figure>,
) -> Row {
    Row {
        name,
        n: count(report, &pick),
        cells: cells(report, notes, pick),
    }
}

/// Accuracy of each task by the metric that decides it, and of all questions.
fn questions(report: &ReportModel) -> Option<Grid> {
    let names = tasks(report, |t| t.figure("acc").is_some());
    if names.is_empty() {
        return None;
    }
    let (mut rows, mut notes, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for name in &names {
        let mut all = report.models.iter().filter_map(|m| task(m, name));
        let deciding = all.find_map(|t| t.deciding);
        let id = deciding.map_or("acc", |m| m.id);
        ids.push(id);
        let label = format!("{name} ({id})");
        rows.push(row(report, &mut notes, label, |m| {
            task(m, name)?.figure(id)
        }));
    }
    ids.dedup();
    let common = if let [one] = ids.as_slice() {
        one
    } else {
        "acc"
    };
    if names.len() > 1 {
        let label = format!("all questions ({common})");
        rows.push(row(report, &mut notes, label, |m| m.figure(common)));
    }
    Some(Grid {
        title: "questions",
        unit: Unit::Share.symbol(),
        rows,
        notes,
    })
}

/// Why models have no figure of a task of texts, of which only the figures that could be measured are kept, as far as `notes` do not say it.
fn missing(report: &ReportModel, name: &str, id: &str, notes: &[String]) -> Vec<String> {
    let without = report.models.iter().filter_map(|m| task(m, name));
    let without: Vec<&SliceReport> = without.filter(|t| t.figure(id).is_none()).collect();
    let why = |parts: bool, why: &str| {
        let some = |t: &&SliceReport| t.figure("token_perplexity").is_some() == parts;
        let note = format!("–: {why}");
        (without.iter().copied().any(|t| some(&t)) && !notes.contains(&note)).then_some(note)
    };
    [why(true, PARTS), why(false, NO_TEXT)]
        .into_iter()
        .flatten()
        .collect()
}

/// Bits per byte of each task, then what the texts of all tasks give.
fn texts(report: &ReportModel) -> Option<Grid> {
    let names = tasks(report, |t| t.figure("token_perplexity").is_some());
    if names.is_empty() {
        return None;
    }
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    let id = "bits_per_byte";
    for name in &names {
        let label = format!("{name} (bits/byte)");
        notes.extend(missing(report, name, id, &notes));
        rows.push(row(report, &mut notes, label, |m| {
            task(m, name)?.figure(id)
        }));
    }
    if names.len() > 1 {
        let label = "all texts (bits/byte)".to_owned();
        rows.push(row(report, &mut notes, label, |m| m.figure(id)));
    }
    for (id, label) in PERPLEXITIES {
        rows.push(row(report, &mut notes, label.to_owned(), |m| m.figure(id)));
    }
    let tokenizers = |m: &ModelReport| m.planned.tokenizer_digest.clone();
    let first = report.models.first().and_then(tokenizers);
    if report.models.iter().any(|m| tokenizers(m) != first) {
        notes.push(ONE_TOKENIZER.to_owned());
    }
    Some(Grid {
        title: "texts",
        unit: "",
        rows,
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::super::palette::Palette;
    use super::super::{junit, markdown, terminal};
    use crate::analysis::testkit;
    use crate::analysis::{AnalysisOptions, ReportModel, analyse};
    use crate::record::{Digest, RunRecord, Scoring, TaskKind};

    fn report(run: &RunRecord) -> ReportModel {
        analyse(run, &testkit::prices(), &AnalysisOptions::default())
    }

    /// The lines of the tables alone.
    fn tables(text: &str) -> String {
        let from = text.find("questions").unwrap();
        let to = text.find("Good enough?").unwrap();
        text[from..to].trim_end().to_owned()
    }

    #[test]
    fn questions_and_texts_have_a_table_each() {
        let mut run = testkit::quiz();
        let text = terminal(&report(&run), 100, Palette::PLAIN);
        insta::assert_snapshot!(tables(&text), @r"
        questions            n         strong         weak
                                            %            %
        sums (acc)           4    75 [30, 95]  50 [15, 85]
        words (acc)          4  100 [51, 100]  50 [15, 85]
        all questions (acc)  8    88 [53, 98]  50 [22, 78]

        texts                  n             strong               weak
        texts (bits/byte)      8  1.05 [0.99, 1.11]  1.17 [1.10, 1.24]
        perplexity of a token  8  18.5 [15.7, 21.8]  25.4 [21.0, 30.7]
        perplexity of a word   8  38.5 [31.4, 47.2]  57.0 [44.9, 72.3]
        perplexity of a byte   8  2.08 [1.99, 2.16]     2.2 [2.1, 2.4]
        ");
        // Another tokenizer is said, one text has no interval.
        run.models[1].planned.tokenizer_digest = Some(Digest::of(b"another"));
        run.samples
            .retain(|s| s.kind != TaskKind::Perplexity || s.key.sample == "s-009");
        let text = terminal(&report(&run), 60, Palette::PLAIN);
        insta::assert_snapshot!(tables(&text), @r"
        questions            n         strong         weak
                                            %            %
        sums (acc)           4    75 [30, 95]  50 [15, 85]
        words (acc)          4  100 [51, 100]  50 [15, 85]
        all questions (acc)  8    88 [53, 98]  50 [22, 78]

        texts                  n  strong  weak
        texts (bits/byte)      1   0.981  1.08
        perplexity of a token  1    15.2  19.9
        perplexity of a word   1    30.0  42.1
        perplexity of a byte   1    1.97  2.11
        no interval: `ratio-of-sums` needs at least 2 units but has
        1
        perplexities of tokens are compared within one tokenizer
        only, bits per byte across
        ");
    }

    #[test]
    fn a_page_has_the_same_tables() {
        let text = markdown(&report(&testkit::quiz()));
        let from = text.find("## Questions with choices").unwrap();
        let to = text.find("## Tasks").unwrap();
        insta::assert_snapshot!(text[from..to].trim_end(), @r"
        ## Questions with choices

        | questions % | n | strong | weak |
        | --- | ---: | ---: | ---: |
        | sums (acc) | 4 | 75 \[30, 95\] | 50 \[15, 85\] |
        | words (acc) | 4 | 100 \[51, 100\] | 50 \[15, 85\] |
        | all questions (acc) | 8 | 88 \[53, 98\] | 50 \[22, 78\] |

        ## Texts

        | texts | n | strong | weak |
        | --- | ---: | ---: | ---: |
        | texts (bits/byte) | 8 | 1.05 \[0.99, 1.11\] | 1.17 \[1.10, 1.24\] |
        | perplexity of a token | 8 | 18.5 \[15.7, 21.8\] | 25.4 \[21.0, 30.7\] |
        | perplexity of a word | 8 | 38.5 \[31.4, 47.2\] | 57.0 \[44.9, 72.3\] |
        | perplexity of a byte | 8 | 2.08 \[1.99, 2.16\] | 2.2 \[2.1, 2.4\] |
        ");
    }

    #[test]
    fn a_text_is_a_case_that_passes_and_a_wrong_choice_says_which() {
        let text = junit(&report(&testkit::quiz()));
        let cases: Vec<&str> = text
            .lines()
            .filter(|l| l.contains("s-000") || l.contains("s-015"))
            .collect();
        let cases: Vec<&str> = cases.iter().map(|c| c.trim()).collect();
        insta::assert_snapshot!(cases.join("\n"), @r#"
        <testcase classname="sums" name="s-000"><failure type="incorrect" message="`acc` takes choice 1, `a wrong one`, but 0, `right`, is right"/></testcase>
        <testcase classname="texts" name="s-015"/>
        <testcase classname="sums" name="s-000"><failure type="incorrect" message="`acc` takes choice 1, `a wrong one`, but 0, `right`, is right"/></testcase>
        <testcase classname="texts" name="s-015"><error type="error" message="out_of_memory: it failed"/></testcase>
        "#);
        assert!(text.contains("takes choice 1, `a wrong one`, but 0, `right`, is right"));
        assert!(text.contains(" time=\"0.400\""), "{text}");
        let mut untimed = testkit::quiz();
        untimed.samples.retain(|s| s.kind != TaskKind::Generate);
        assert!(!junit(&report(&untimed)).contains(" time="));
    }

    #[test]
    fn a_figure_of_texts_that_is_missing_has_its_reason() {
        // A second task of texts, so that the figures of all texts are there.
        let mut run = testkit::quiz();
        let weak = testkit::id("weak");
        let texts = run.samples.iter_mut();
        for sample in texts.filter(|s| s.kind == TaskKind::Perplexity && s.sequence >= 12) {
            "more".clone_into(&mut sample.key.task);
            if let Some(Scoring::Text(t)) = &mut sample.scoring
                && sample.key.model == weak
            {
                t.text_tokens += 1;
            }
        }
        let texts = |run: &RunRecord| super::texts(&report(run)).unwrap();
        let grid = texts(&run);
        assert_eq!((grid.rows.len(), grid.rows[0].cells[1].as_str()), (6, "–"));
        assert_eq!(grid.notes, ["–: not every token of the texts was scored"]);
        let counts: Vec<&str> = grid.rows.iter().map(|r| r.n.as_str()).collect();
        assert_eq!(counts, ["4", "4", "8", "8", "8", "8"]);
        for sample in &mut run.samples {
            if sample.key.task == "more" && sample.key.model == weak {
                sample.scoring = None;
            }
        }
        assert_eq!(texts(&run).notes, ["–: no text was measured"]);
    }

    #[test]
    fn a_run_that_only_generates_has_none() {
        assert!(super::grids(&report(&testkit::three_models())).is_empty());
    }
}
