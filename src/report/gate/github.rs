//! Workflow commands of a GitHub Actions runner.
//!
//! A runner obeys any line of output that begins with `::`. A command is `::name key=value,key=value::message`; in the message `%`, carriage return
//! and line feed are written `%25`, `%0D`, `%0A`, in a property also `:` as `%3A` and `,` as `%2C`. It shows 10 annotations of each kind for a step
//! and drops the rest, so that more are not sent.

use super::words::Words;
use super::{GateView, Undecided};
use crate::analysis::{GateResult, GateVerdict};
use crate::report::escape;

/// Annotations of one kind that a runner shows for a step.
const MOST: usize = 10;

/// The annotations, worst first, each on a line: failed gates are errors, undecided ones warnings, the prompts that got worse notices.
pub fn annotations(view: GateView<'_>) -> String {
    let words = Words {
        view,
        escape: str::to_owned,
    };
    let report = view.report;
    let mut out = String::new();
    let mut left = [MOST; 3];
    for gate in &report.gates {
        let kind = match (gate.verdict, view.undecided) {
            (GateVerdict::Pass, _) => continue,
            (GateVerdict::Fail, _) | (GateVerdict::Inconclusive, Undecided::Fail) => 0,
            (GateVerdict::Inconclusive, Undecided::Inconclusive) => 1,
            (GateVerdict::Inconclusive, Undecided::Pass) => 2,
        };
        push(
            &mut out,
            &mut left,
            kind,
            &title(gate),
            &message(&words, gate),
        );
    }
    let worse = report.changes.samples.iter().take(report.changes.worse);
    for change in worse.filter(|_| report.verdict != GateVerdict::Pass) {
        let title = format!("{}/{}", change.task, change.sample);
        let mut text = words.sample(change);
        if let Some(completion) = &change.completion {
            text.push_str(&format!("; it wrote: {completion}"));
        }
        push(&mut out, &mut left, 2, &title, &text);
    }
    out
}

fn title(gate: &GateResult) -> String {
    format!("gate {}: {}", gate.metric.id, gate.verdict.id())
}

fn message(words: &Words<'_>, gate: &GateResult) -> String {
    let mut text = words.sentence(gate);
    if let Some(needed) = gate.prompts_needed {
        text.push_str(&format!(
            "; about {} prompts would decide it",
            crate::report::number::at_least(needed)
        ));
    }
    text
}

fn push(out: &mut String, left: &mut [usize; 3], kind: usize, title: &str, message: &str) {
    const KINDS: [&str; 3] = ["error", "warning", "notice"];
    if left[kind] == 0 {
        return;
    }
    left[kind] -= 1;
    out.push_str(&format!(
        "::{} title={}::{}\n",
        KINDS[kind],
        escape::workflow_property(title),
        escape::workflow_data(message)
    ));
}

/// Text that the runner is told not to obey, whatever its lines begin with. The token must not be known to whoever wrote the text.
pub fn fence(text: &str, token: &str) -> String {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("::stop-commands::{token}\n{text}{end}::{token}::\n")
}
