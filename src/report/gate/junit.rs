//! A gate for a CI server: one test case a gate.
//!
//! A failed gate is a failure. An inconclusive one is an error, so that no server takes it for a pass; a failure or skipped where it counts as
//! a failure or as a pass.

use super::words::Words;
use super::{GateView, Undecided};
use crate::analysis::{GateResult, GateVerdict};
use crate::report::escape;

/// The gate as JUnit XML.
pub fn junit(view: GateView<'_>) -> String {
    let words = Words {
        view,
        escape: str::to_owned,
    };
    let report = view.report;
    let suite = report
        .candidate
        .suite
        .as_ref()
        .map_or("suite", |(name, _, _)| name);
    let count = |wanted: Case| {
        let all = report.gates.iter();
        all.filter(|g| case(g, view.undecided) == wanted).count()
    };
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        report.gates.len(),
        count(Case::Failure),
        count(Case::Error),
        count(Case::Skipped)
    );
    let name = escape::xml(&format!("evalh gate {suite}"));
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{name}\" {counts}>\n  <testsuite name=\"{name}\" {counts}>\n    <properties>\n"
    );
    for (key, value) in [
        ("verdict", report.verdict.id().to_owned()),
        ("candidate", report.candidate.label.clone()),
        ("candidate_source", report.candidate.source.clone()),
        ("baseline", report.baseline.label.clone()),
        ("baseline_source", report.baseline.source.clone()),
        ("prompts", report.joined.both.to_string()),
    ] {
        out.push_str(&format!(
            "      <property name=\"{key}\" value=\"{}\"/>\n",
            escape::xml(&value)
        ));
    }
    out.push_str("    </properties>\n");
    let class = escape::xml(&format!("gate.{suite}"));
    for gate in &report.gates {
        let message = escape::xml(&words.sentence(gate));
        let body = match case(gate, view.undecided) {
            Case::Passed => "/>".to_owned(),
            Case::Failure => format!(
                "><failure type=\"{}\" message=\"{message}\"/></testcase>",
                gate.verdict.id()
            ),
            Case::Error => format!(
                "><error type=\"{}\" message=\"{message}\"/></testcase>",
                gate.verdict.id()
            ),
            Case::Skipped => format!("><skipped message=\"{message}\"/></testcase>"),
        };
        out.push_str(&format!(
            "    <testcase classname=\"{class}\" name=\"{}\"{body}\n",
            gate.metric.id
        ));
    }
    out.push_str(&format!(
        "    <system-out>{}</system-out>\n  </testsuite>\n</testsuites>\n",
        escape::xml(&words.verdict())
    ));
    out
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Passed,
    Failure,
    Error,
    Skipped,
}

fn case(gate: &GateResult, undecided: Undecided) -> Case {
    match (gate.verdict, undecided) {
        (GateVerdict::Pass, _) => Case::Passed,
        (GateVerdict::Fail, _) | (GateVerdict::Inconclusive, Undecided::Fail) => Case::Failure,
        (GateVerdict::Inconclusive, Undecided::Inconclusive) => Case::Error,
        (GateVerdict::Inconclusive, Undecided::Pass) => Case::Skipped,
    }
}
