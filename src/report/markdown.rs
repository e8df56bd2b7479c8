//! The report for a page: the same table and answers, then tasks, comparisons and every number.

use super::escape;
use super::likelihood::{self, Grid};
use super::number;
use super::words::Words;
use crate::analysis::{Figure, ModelReport, ReportModel, Role, SliceReport, Value};
use crate::metric::{Group, Unit};
use std::fmt::Write as _;

/// The report as GitHub-flavoured Markdown.
pub fn markdown(report: &ReportModel) -> String {
    let words = Words::new(report, escape::markdown);
    let suite = &report.header.suite;
    let mut out = format!(
        "# {} {}\n\n{}\n",
        escape::markdown(&suite.name),
        escape::markdown(&suite.version),
        words.head().join(" · ")
    );
    if !report.complete {
        out.push_str("\n**Incomplete: the numbers cover only the samples that were run.**\n");
    }
    if !report.models.is_empty() {
        out.push_str(&overview(report, &words));
    }
    for answer in words.answers() {
        let _ = write!(
            out,
            "\n## {}\n\n{}\n",
            answer.question,
            paragraphs(&answer.lines)
        );
    }
    let warnings = words.warnings();
    if !warnings.is_empty() {
        let _ = write!(out, "\n## Beware\n\n{}\n", paragraphs(&warnings));
    }
    for grid in likelihood::grids(report) {
        out.push_str(&measured(report, &grid));
    }
    for (title, slices) in [
        ("Tasks", (|m| &m.tasks) as Slices),
        ("Difficulties", |m| &m.difficulties),
    ] {
        out.push_str(&slice_table(report, title, slices));
    }
    out.push_str(&comparisons(report));
    for model in &report.models {
        out.push_str(&everything(model));
    }
    let _ = write!(out, "\nNext: {}\n", code(&words.next()));
    out
}

type Slices = fn(&ModelReport) -> &Vec<SliceReport>;

pub(super) fn paragraphs(lines: &[String]) -> String {
    lines
        .iter()
        .map(|l| format!("- {l}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Inline code that no backtick inside can end.
pub(super) fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let gap = if text.contains('`') { " " } else { "" };
    format!("{fence}{gap}{text}{gap}{fence}")
}

pub(super) fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// A head with its rule: the first columns left, the others right.
pub(super) fn head(left: usize, cells: &[String]) -> String {
    let rule: Vec<String> = (0..cells.len())
        .map(|i| if i < left { "---" } else { "---:" }.to_owned())
        .collect();
    format!("\n{}{}", row(cells), row(&rule))
}

pub(super) fn owned(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|c| (*c).to_owned()).collect()
}

fn overview(report: &ReportModel, words: &Words<'_>) -> String {
    const COLUMNS: [&str; 6] = [
        "score",
        "pass_rate",
        "ttft_ms_p50",
        "decode_tps",
        "peak_bytes",
        "local_usd_per_1k",
    ];
    let mut out = head(
        1,
        &owned(&[
            "model",
            "quality 0-10",
            "pass %",
            "first token p50 ms",
            "decode tok/s",
            "peak GB",
            "$/1,000 tasks, fully loaded",
        ]),
    );
    for model in &report.models {
        let mut cells = vec![escape::markdown(&model.label)];
        cells.extend(COLUMNS.map(|id| model.figure(id).map_or_else(String::new, cell)));
        out.push_str(&row(&cells));
    }
    for v in words.prices() {
        let mut cells = vec![format!("{} (price only)", escape::markdown(&v.price.name))];
        cells.extend(std::iter::repeat_n(String::new(), COLUMNS.len() - 1));
        cells.push(v.figure("cloud_usd_per_1k").map_or_else(String::new, cell));
        out.push_str(&row(&cells));
    }
    out.push_str(&footnotes(
        report
            .models
            .iter()
            .flat_map(|m| COLUMNS.map(|id| m.figure(id)))
            .flatten(),
    ));
    out
}

fn cell(figure: &Figure) -> String {
    match &figure.value {
        Value::Measured(m) if figure.metric.unit == Unit::Bytes => {
            number::fixed(m.point / 1e9, if m.point < 1e8 { 2 } else { 1 })
        }
        Value::Measured(m) => escape::markdown(&number::shown(figure.metric.unit, m).cell()),
        Value::Absent(_) => "–".to_owned(),
    }
}

/// Why the dashes above are dashes.
fn footnotes<'a>(figures: impl Iterator<Item = &'a Figure>) -> String {
    let mut notes: Vec<String> = Vec::new();
    for figure in figures {
        if let Value::Absent(why) = &figure.value {
            let note = format!(
                "– {}: {}",
                figure.metric.title.to_lowercase(),
                escape::markdown(&why.to_string())
            );
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    if notes.is_empty() {
        String::new()
    } else {
        format!("\n{}\n", notes.join("  \n"))
    }
}

fn slice_table(report: &ReportModel, title: &str, slices: Slices) -> String {
    let mut names: Vec<&str> = Vec::new();
    for slice in report.models.iter().flat_map(slices) {
        if !names.contains(&slice.name.as_str()) {
            names.push(&slice.name);
        }
    }
    if names.len() < 2 {
        return String::new();
    }
    let mut cells = owned(&["quality 0-10"]);
    cells.extend(report.models.iter().map(|m| escape::markdown(&m.short)));
    let mut out = format!("\n## {title}\n{}", head(1, &cells));
    for name in names {
        let mut cells = vec![escape::markdown(name)];
        cells.extend(report.models.iter().map(|m| {
            let slice = slices(m).iter().find(|s| s.name == name);
            slice
                .and_then(|s| s.figure("score"))
                .map_or_else(String::new, cell)
        }));
        out.push_str(&row(&cells));
    }
    out
}

/// A table of questions or texts.
fn measured(report: &ReportModel, grid: &Grid) -> String {
    let title = match grid.title {
        "questions" => "Questions with choices",
        _ => "Texts",
    };
    let title_cell = format!("{} {}", grid.title, grid.unit);
    let mut cells = vec![title_cell.trim_end().to_owned(), "n".to_owned()];
    cells.extend(report.models.iter().map(|m| escape::markdown(&m.short)));
    let mut out = format!("\n## {title}\n{}", head(1, &cells));
    for r in &grid.rows {
        let mut cells = vec![escape::markdown(&r.name), r.n.clone()];
        cells.extend(r.cells.iter().map(|c| escape::markdown(c)));
        out.push_str(&row(&cells));
    }
    let notes: Vec<String> = grid.notes.iter().map(|n| escape::markdown(n)).collect();
    if !notes.is_empty() {
        out.push_str(&format!("\n{}\n", notes.join("  \n")));
    }
    out
}

fn comparisons(report: &ReportModel) -> String {
    if report.pairs.is_empty() {
        return String::new();
    }
    let columns = [
        "a",
        "b",
        "metric",
        "a - b, or a / b",
        "p corrected",
        "test",
        "prompts",
        "verdict",
    ];
    let mut out = format!("\n## Comparisons\n{}", head(3, &owned(&columns)));
    for pair in &report.pairs {
        let name = |i: usize| escape::markdown(&report.models[i].short);
        for c in &pair.comparisons {
            let test = c.test.as_ref();
            out.push_str(&row(&[
                name(pair.a),
                name(pair.b),
                format!("{}{}", code(c.metric.id), mark(c.role)),
                c.value.measured().map_or_else(
                    || "–".to_owned(),
                    |m| escape::markdown(&number::compared(c.scale, c.metric.unit, m).text()),
                ),
                test.map_or_else(
                    || "–".to_owned(),
                    |t| escape::markdown(&number::p_value(t.p_adjusted)),
                ),
                test.map_or_else(String::new, |t| {
                    format!("{}, {} of {}", t.method, t.adjustment, t.family)
                }),
                pair.prompts.to_string(),
                c.verdict.as_str().replace('_', " "),
            ]));
        }
    }
    out.push_str("\n\\* primary, + secondary, others exploratory.\n");
    out
}

fn mark(role: Role) -> &'static str {
    match role {
        Role::Primary => " \\*",
        Role::Secondary => " +",
        Role::Exploratory => "",
    }
}

/// Every metric of a model, folded.
fn everything(model: &ModelReport) -> String {
    let mut out = format!(
        "\n<details><summary>Every number of {}</summary>\n",
        escape::xml(&model.label).replace('@', "&#64;")
    );
    for group in Group::ALL {
        let _ = write!(
            out,
            "\n**{}**\n{}",
            group.title(),
            head(1, &owned(&["metric", "value", "method", "n"]))
        );
        for f in model.figures.iter().filter(|f| f.metric.group == group) {
            let (value, method, n) = match &f.value {
                Value::Measured(m) => (
                    number::shown(f.metric.unit, m).text(),
                    m.method,
                    m.n.to_string(),
                ),
                Value::Absent(why) => (format!("– ({why})"), "", String::new()),
            };
            out.push_str(&row(&[
                format!("{}{}", code(f.metric.id), mark(f.role)),
                escape::markdown(&value),
                method.to_owned(),
                n,
            ]));
        }
    }
    out.push_str("\n</details>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testkit;
    use crate::analysis::{AnalysisOptions, analyse};

    fn options() -> AnalysisOptions {
        AnalysisOptions {
            today: Some("2026-11-22".to_owned()),
            ..AnalysisOptions::default()
        }
    }

    #[test]
    fn three_models() {
        let text = markdown(&analyse(
            &testkit::three_models(),
            &testkit::prices(),
            &options(),
        ));
        let (page, _) = text.split_once("\n<details>").unwrap();
        insta::assert_snapshot!(page, @r#"
        # business 1.0.0

        run 01k3qa7z5m8c2p · business 1.0.0 · 30 prompts in 3 tasks · intervals 95 % · Apple M4 Max 36 GB, macOS 15.6, plugged in, thermal nominal at the start

        | model | quality 0-10 | pass % | first token p50 ms | decode tok/s | peak GB | $/1,000 tasks, fully loaded |
        | --- | ---: | ---: | ---: | ---: | ---: | ---: |
        | qwen2.5-7b-instruct-q4\_k\_m | 7.0 \[6.6, 7.3\] | 83 \[66, 93\] | 350 \[340, 360\] | 47.6 \[46.9, 48.3\] | 5.9 | 0.64 \[0.62, 0.65\] |
        | gemma-3-4b-it-q4\_k\_m | 6.9 \[6.5, 7.3\] | 70 \[52, 83\] | 224 \[208, 232\] | 61 \[59, 62\] | 3.9 | 0.50 \[0.49, 0.51\] |
        | smollm2-135m-instruct-q4\_1 | 1.3 \[0.9, 1.7\] | 0 \[0, 11\] | 37 \[36, 37\] | 394 \[362, 426\] | 0.2 | 0.10 \[0.08, 0.12\] |
        | gpt-4o-mini (price only) |  |  |  |  |  | 0.043 \[0.043, 0.044\] |

        ## Good enough?

        - The 3 models differ: p < 0.001 (Friedman, 30 prompts).
        - qwen2.5-7b and gemma-3-4b are not told apart: +0.1 [-0.3, 0.4], p 0.72 (paired t, 30 prompts, Holm over 3). Telling 0.1 apart needs about 1,800 prompts.
        - qwen2.5-7b is better than smollm2-135m: +5.7 [5.2, 6.1], p < 0.001 (paired t, 30 prompts, Holm over 3).
        - Weakest task of both: task-a, 6.8 [6.1, 7.6] and 6.6 [5.9, 7.3].

        ## Fast enough?

        - qwen2.5-7b: 95 % of first tokens in 370 ms [370, –], decode 47.6 tok/s [46.9, 48.3].
        - gemma-3-4b: 95 % of first tokens in 248 ms [240, –], decode 61 tok/s [59, 62].
        - First token within 2 s: at least 90 % (30 of 30 requests each). – needs 72 requests.

        ## Does it fit?

        - Every model alone, within 27.0 GB; qwen2.5-7b, gemma-3-4b and smollm2-135m together (10.0 GB).

        ## Reliable?

        - qwen2.5-7b: 30 of 30 samples: 25 correct, 5 incorrect, 0 errors.
        - gemma-3-4b: 30 of 30 samples: 21 correct, 9 incorrect, 0 errors.
        - Others: smollm2-135m 1 of 30 failed.
        - No drift: qwen2.5-7b 1.00, gemma-3-4b 1.00 (last third over first).

        ## What it costs

        - qwen2.5-7b: $0.64 [0.62, 0.65] per 1,000 tasks ($0.0035 electricity alone).
        - gemma-3-4b: $0.50 [0.49, 0.51] per 1,000 tasks ($0.0028 electricity alone).
        - gemma-3-4b pays off against gpt-4o-mini from 20 million tasks a year.
        - Assumed: $4,000 less $800 in 4 years, 5 % use, 60 W, $0.17/kWh; prices: 2026-11-01.

        ## Beware

        - without a generation, counted as failed: smollm2-135m 1 of 30
        - cut off at a token limit, counted as wrong: smollm2-135m 1 of 30
        - cloud costs use the local token counts and answer lengths; the cloud bills its own

        ## Tasks

        | quality 0-10 | qwen2.5-7b | gemma-3-4b | smollm2-135m |
        | --- | ---: | ---: | ---: |
        | task-a | 6.8 \[6.1, 7.6\] | 6.6 \[5.9, 7.3\] | 1.3 \[0.5, 2.1\] |
        | task-b | 7.0 \[6.2, 7.7\] | 7.0 \[6.2, 7.8\] | 1.2 \[0.5, 2.0\] |
        | task-c | 7.0 \[6.3, 7.8\] | 7.0 \[6.4, 7.7\] | 1.4 \[0.6, 2.1\] |

        ## Difficulties

        | quality 0-10 | qwen2.5-7b | gemma-3-4b | smollm2-135m |
        | --- | ---: | ---: | ---: |
        | easy | 7.1 \[6.4, 7.8\] | 6.9 \[6.3, 7.6\] | 1.4 \[0.7, 2.0\] |
        | medium | 6.7 \[5.9, 7.6\] | 6.8 \[6.0, 7.6\] | 0.9 \[0.2, 1.6\] |
        | hard | 6.9 \[6.2, 7.7\] | 6.9 \[6.1, 7.7\] | 1.6 \[0.8, 2.4\] |

        ## Comparisons

        | a | b | metric | a - b, or a / b | p corrected | test | prompts | verdict |
        | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |
        | qwen2.5-7b | gemma-3-4b | `score` \* | +0.1 \[-0.3, 0.4\] | p 0.72 | paired-t, holm of 3 | 30 | not told apart |
        | qwen2.5-7b | gemma-3-4b | `pass_rate` + | +13 pp \[0, 30\] | p 0.062 | mcnemar-mid-p, holm of 6 | 30 | not told apart |
        | qwen2.5-7b | gemma-3-4b | `ttft_ms_mean` | ×1.57 \[1.52, 1.63\] | p &lt; 0.001 | paired-t, bh of 6 | 30 | told apart |
        | qwen2.5-7b | gemma-3-4b | `e2e_ms_mean` | ×1.27 \[1.23, 1.32\] | p &lt; 0.001 | paired-t, bh of 6 | 30 | told apart |
        | qwen2.5-7b | gemma-3-4b | `decode_tps` + | ×0.78 \[0.76, 0.80\] | p &lt; 0.001 | paired-t, holm of 6 | 30 | told apart |
        | qwen2.5-7b | smollm2-135m | `score` \* | +5.7 \[5.2, 6.1\] | p &lt; 0.001 | paired-t, holm of 3 | 30 | told apart |
        | qwen2.5-7b | smollm2-135m | `pass_rate` + | +83 pp \[63, 93\] | p &lt; 0.001 | mcnemar-mid-p, holm of 6 | 30 | told apart |
        | qwen2.5-7b | smollm2-135m | `ttft_ms_mean` | ×9.53 \[9.33, 9.73\] | p &lt; 0.001 | paired-t, bh of 6 | 30 | told apart |
        | qwen2.5-7b | smollm2-135m | `e2e_ms_mean` | ×6.87 \[6.01, 7.85\] | p &lt; 0.001 | paired-t, bh of 6 | 30 | told apart |
        | qwen2.5-7b | smollm2-135m | `decode_tps` + | ×0.117 \[0.108, 0.127\] | p &lt; 0.001 | paired-t, holm of 6 | 30 | told apart |
        | gemma-3-4b | smollm2-135m | `score` \* | +5.6 \[5.0, 6.1\] | p &lt; 0.001 | paired-t, holm of 3 | 30 | told apart |
        | gemma-3-4b | smollm2-135m | `pass_rate` + | +70 pp \[51, 83\] | p &lt; 0.001 | mcnemar-mid-p, holm of 6 | 30 | told apart |
        | gemma-3-4b | smollm2-135m | `ttft_ms_mean` | ×6.06 \[5.88, 6.23\] | p &lt; 0.001 | paired-t, bh of 6 | 30 | told apart |
        | gemma-3-4b | smollm2-135m | `e2e_ms_mean` | ×5.36 \[4.72, 6.09\] | p &lt; 0.001 | paired-t, bh of 6 | 30 | told apart |
        | gemma-3-4b | smollm2-135m | `decode_tps` + | ×0.15 \[0.14, 0.16\] | p &lt; 0.001 | paired-t, holm of 6 | 30 | told apart |

        \* primary, + secondary, others exploratory.
        "#);
        let quality: Vec<&str> = text
            .lines()
            .skip_while(|l| !l.starts_with("<details>"))
            .take(8)
            .collect();
        insta::assert_snapshot!(quality.join("\n"), @r#"
        <details><summary>Every number of qwen2.5-7b-instruct-q4_k_m</summary>

        **Quality**

        | metric | value | method | n |
        | --- | ---: | ---: | ---: |
        | `score` \* | 7.0 \[6.6, 7.3\] | t | 30 |
        | `score_p50` | 7.0 \[6.5, 7.5\] | order-statistic | 30 |
        "#);
    }

    #[test]
    fn hostile_names_make_no_cells_links_or_html() {
        let mut run = testkit::three_models();
        run.models[0].planned.name = "a|b<img src=x>`[x](javascript:1) @all".to_owned();
        run.samples
            .iter_mut()
            .for_each(|s| s.key.task = format!("{}|</details>", s.key.task));
        let text = markdown(&analyse(&run, &testkit::prices(), &options()));
        // A code span and the head of an HTML block take Markdown as text.
        let prose = |l: &&str| !l.starts_with("Next: ") && !l.starts_with("<details>");
        let page = text.lines().filter(prose).collect::<Vec<_>>().join("\n");
        assert!(!page.contains("[x](") && !page.contains("@all") && !page.contains("<img"));
        let folded = text.lines().filter(|l| l.starts_with("<details>"));
        assert!(
            folded
                .into_iter()
                .all(|l| l.matches('<').count() == 3 && !l.contains("@all"))
        );
        assert_eq!(text.matches("</details>").count(), 3);
        let rows = text.lines().filter(|l| l.starts_with("| a"));
        for line in rows {
            let bars = line.replace("\\|", "").matches('|').count();
            assert!([8, 5, 9].contains(&bars), "{line}");
        }
    }

    #[test]
    fn code_survives_backticks() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a``b"), "``` a``b ```");
    }
}
