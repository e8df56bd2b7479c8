//! A gate for a page: as a document, and as the summary of a workflow step, which has a size limit.

use super::GateView;
use super::words::{self, Words};
use crate::analysis::{Change, GateVerdict};
use crate::report::escape;

/// The whole gate as a page.
pub fn markdown(view: GateView<'_>) -> String {
    summary(view, usize::MAX)
}

/// The same in at most `room` bytes: changed prompts are left out from the least on, whole, and a last line says how many. What does not
/// fit without any prompt is empty.
pub fn summary(view: GateView<'_>, room: usize) -> String {
    let words = Words {
        view,
        escape: escape::markdown,
    };
    let report = view.report;
    let mut out = head(&words);
    let mut tail = format!("\n**{}**\n\n", words.verdict());
    let samples = &report.changes.samples;
    if !samples.is_empty() {
        out.push_str("\n| prompt | points before | points now | outcome | what the candidate wrote |\n|---|--:|--:|---|---|\n");
    }
    // Room for the verdict and for the line that says what is left out.
    let reserve = tail.len() + 120;
    if out.len() + reserve > room {
        return String::new();
    }
    let mut shown = 0;
    for change in samples {
        let row = row(change);
        if out.len() + row.len() + reserve > room {
            break;
        }
        out.push_str(&row);
        shown += 1;
    }
    if shown < samples.len() {
        tail = format!(
            "\n{} more changed prompts are left out: the summary of a step has a limited size.\n{tail}",
            samples.len() - shown
        );
    }
    out + &tail
}

fn mark(verdict: GateVerdict) -> &'static str {
    match verdict {
        GateVerdict::Pass => "pass",
        GateVerdict::Fail => "**fail**",
        GateVerdict::Inconclusive => "*inconclusive*",
    }
}

fn head(words: &Words<'_>) -> String {
    let report = words.view.report;
    let mut out = format!(
        "## Gate: {}\n\n{}\n\n{}\n\n| metric | verdict | change | limit | baseline | candidate | prompts | margin from |\n|---|---|--:|--:|--:|--:|--:|---|\n",
        report.verdict.id(),
        words.title(),
        words.conditions()
    );
    for g in &report.gates {
        out.push_str(&format!(
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |\n",
            g.metric.id,
            mark(g.verdict),
            words::change(g),
            words::limit(g),
            words::side_value(g, g.baseline),
            words::side_value(g, g.candidate),
            g.prompts,
            g.origin.words()
        ));
    }
    out.push('\n');
    for remark in report.gates.iter().filter_map(|g| words.remark(g)) {
        out.push_str(&format!("- {remark}\n"));
    }
    for caution in words.cautions() {
        out.push_str(&format!("- Beware: {caution}\n"));
    }
    out.push_str(&format!("- {}\n", words.changes()));
    out
}

fn row(change: &Change) -> String {
    let points =
        |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| crate::report::number::fixed(x, 1));
    let outcome = |o: Option<crate::record::Outcome>| o.map_or("–", crate::record::Outcome::as_str);
    let outcomes = if change.baseline_outcome == change.candidate_outcome {
        outcome(change.candidate_outcome).to_owned()
    } else {
        format!(
            "{} → {}",
            outcome(change.baseline_outcome),
            outcome(change.candidate_outcome)
        )
    };
    let wrote = [change.why.as_deref(), change.completion.as_deref()];
    let wrote: Vec<String> = wrote.into_iter().flatten().map(escape::markdown).collect();
    format!(
        "| {}/{} | {} | {} | {} | {} |\n",
        escape::markdown(&change.task),
        escape::markdown(&change.sample),
        points(change.baseline),
        points(change.candidate),
        escape::markdown(&outcomes),
        wrote.join(" · ")
    )
}
