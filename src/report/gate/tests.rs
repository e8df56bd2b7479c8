//! Every format of one gate, and hostile text in all of them.

use super::*;
use crate::analysis::testkit::{self, Spec};
use crate::analysis::{
    Amount, Gate, GateInput, GateOptions, GateReport, GateRule, MarginOrigin, Observed, SampleText,
};
use crate::record::{FailureKind, RunRecord};
use crate::report::Palette;
use crate::report::table;
use insta::assert_snapshot;
use std::collections::BTreeMap;

fn of(run: &RunRecord) -> Observed {
    Observed::of_run(run, "m").unwrap()
}

fn baseline() -> RunRecord {
    let spec = |i: u64| Spec::scored(7.0 + (i % 3) as f64).timed(200 + i % 7, 20, 11);
    testkit::run(&[("m", (0..40).map(spec).collect())], 1)
}

/// Worse in quality, slower, and twice out of time.
fn candidate() -> RunRecord {
    let spec = |i: u64| match i {
        3 | 8 => Spec::failed(FailureKind::Timeout),
        _ if i.is_multiple_of(4) => Spec::scored(4.0).timed(215 + i % 5, 20, 11),
        _ => Spec::scored(7.0 + (i % 3) as f64).timed(215 + i % 5, 20, 11),
    };
    let mut run = testkit::run(&[("m", (0..40).map(spec).collect())], 1);
    run.header.id = crate::record::RunId::new("01k4bbbbbbbbbb");
    for s in &mut run.samples {
        if let Some(g) = &mut s.generation {
            g.completion = format!("About {} EUR.", s.sequence);
        }
    }
    run
}

fn report(candidate: &RunRecord, margins: &[(&str, f64)]) -> GateReport {
    let (b, c) = (of(&baseline()), of(candidate));
    let gate = |(id, x): &(&str, f64)| Gate::new(id, Amount::Number(*x), MarginOrigin::Run);
    let gates: Vec<Gate> = margins.iter().map(|m| gate(m).unwrap()).collect();
    let texts: BTreeMap<String, SampleText> = candidate
        .samples
        .iter()
        .filter(|s| s.score.passed != Some(true))
        .map(|s| (s.content.to_string(), SampleText::of(s)))
        .collect();
    let input = GateInput {
        baseline: &b,
        candidate: &c,
        gates: &gates,
        unrecorded: 0,
        texts: &texts,
    };
    let options = GateOptions {
        rule: GateRule::AllPass,
        allow_different_suite: false,
        allow_different_host: false,
    };
    crate::analysis::gate(&input, options).unwrap()
}

const MARGINS: [(&str, f64); 4] = [
    ("score", 0.3),
    ("pass_rate", 0.2),
    ("ttft_ms_p50", 1.15),
    ("error_rate", 0.1),
];

fn view(report: &GateReport) -> GateView<'_> {
    GateView {
        report,
        undecided: Undecided::Inconclusive,
        exit_code: 1,
    }
}

#[test]
fn a_failed_gate_at_a_terminal() {
    let report = report(&candidate(), &MARGINS);
    assert_snapshot!(terminal(view(&report), 100, Palette::PLAIN), @r#"
    gate: m (run 01k4bbbbbbbbbb) against m (run 01k3qa7z5m8c2p)
    suite business 1.0.0 · 40 of 40 prompts · two-sided 90 % intervals · every gate must pass

    metric       verdict                   change   limit  baseline  candidate  prompts
    score        fail           -1.2 [-1.9, -0.6]    -0.3      7.97       6.72       40
    pass_rate    inconclusive   -28 pp [-40, -18]  -20 pp     100 %     72.5 %       40
    ttft_ms_p50  inconclusive  ×1.07 [1.07, 1.07]   ×1.15    203 ms     217 ms       38
    error_rate   pass               +0 pp [-6, 6]  +10 pp       0 %        0 %       40

    pass_rate: the interval contains the margin; about 220 prompts would decide it.
    ttft_ms_p50: the candidate has no value for 2 prompts of the baseline.
    11 prompts worse, 0 better, 29 answered differently with equal score, 0 unchanged.
      task-c/s-008: 9.0 to 0.0 points, correct to timeout; timeout: it failed
      task-a/s-003: 7.0 to 0.0 points, correct to timeout; timeout: it failed
      task-c/s-020: 9.0 to 4.0 points, correct to incorrect; `contains` failed
      task-c/s-032: 9.0 to 4.0 points, correct to incorrect; `contains` failed
      task-b/s-004: 8.0 to 4.0 points, correct to incorrect; `contains` failed
      and 6 more, see `--json`

    fail: 1 of 4 gates failed: score changed by -1.2 [-1.9, -0.6], the limit is -0.3
    "#);
}

#[test]
fn narrow_terminals_keep_the_verdict() {
    let report = report(&candidate(), &MARGINS);
    for width in [60, 80, 100] {
        let text = terminal(view(&report), width, Palette::PLAIN);
        assert!(
            text.lines().all(|l| table::columns(l) <= width),
            "{width}\n{text}"
        );
        for word in ["score", "fail", "pass"] {
            assert!(text.contains(word), "{text}");
        }
        assert_eq!(text, text.trim_start());
    }
    let coloured = terminal(view(&report), 100, Palette::ANSI);
    assert_eq!(
        coloured
            .replace(Palette::ANSI.strong, "")
            .replace(Palette::ANSI.dim, "")
            .replace(Palette::ANSI.bad, "")
            .replace(Palette::ANSI.reset, ""),
        terminal(view(&report), 100, Palette::PLAIN)
    );
}

#[test]
fn a_gate_as_junit() {
    let report = report(&candidate(), &MARGINS);
    assert_snapshot!(junit(view(&report)), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="evalh gate business" tests="4" failures="1" errors="2" skipped="0">
      <testsuite name="evalh gate business" tests="4" failures="1" errors="2" skipped="0">
        <properties>
          <property name="verdict" value="fail"/>
          <property name="candidate" value="m"/>
          <property name="candidate_source" value="run 01k4bbbbbbbbbb"/>
          <property name="baseline" value="m"/>
          <property name="baseline_source" value="run 01k3qa7z5m8c2p"/>
          <property name="prompts" value="40"/>
        </properties>
        <testcase classname="gate.business" name="score"><failure type="fail" message="score changed by -1.2 [-1.9, -0.6], the limit is -0.3"/></testcase>
        <testcase classname="gate.business" name="pass_rate"><error type="inconclusive" message="pass_rate changed by -28 pp [-40, -18], the limit is -20 pp: the interval contains the margin"/></testcase>
        <testcase classname="gate.business" name="ttft_ms_p50"><error type="inconclusive" message="ttft_ms_p50 changed by ×1.07 [1.07, 1.07], the limit is ×1.15: the candidate has no value for 2 prompts of the baseline"/></testcase>
        <testcase classname="gate.business" name="error_rate"/>
        <system-out>fail: 1 of 4 gates failed: score changed by -1.2 [-1.9, -0.6], the limit is -0.3</system-out>
      </testsuite>
    </testsuites>
    "#);
    let as_pass = GateView {
        undecided: Undecided::Pass,
        ..view(&report)
    };
    assert!(junit(as_pass).contains("errors=\"0\" skipped=\"2\""));
    let as_fail = GateView {
        undecided: Undecided::Fail,
        ..view(&report)
    };
    assert!(junit(as_fail).contains("failures=\"3\" errors=\"0\" skipped=\"0\""));
}

#[test]
fn a_gate_as_annotations() {
    let report = report(&candidate(), &MARGINS);
    assert_snapshot!(annotations(view(&report)), @r#"
    ::error title=gate score%3A fail::score changed by -1.2 [-1.9, -0.6], the limit is -0.3
    ::warning title=gate pass_rate%3A inconclusive::pass_rate changed by -28 pp [-40, -18], the limit is -20 pp: the interval contains the margin; about 220 prompts would decide it
    ::warning title=gate ttft_ms_p50%3A inconclusive::ttft_ms_p50 changed by ×1.07 [1.07, 1.07], the limit is ×1.15: the candidate has no value for 2 prompts of the baseline
    ::notice title=task-c/s-008::task-c/s-008: 9.0 to 0.0 points, correct to timeout; timeout: it failed
    ::notice title=task-a/s-003::task-a/s-003: 7.0 to 0.0 points, correct to timeout; timeout: it failed
    ::notice title=task-c/s-020::task-c/s-020: 9.0 to 4.0 points, correct to incorrect; `contains` failed; it wrote: About 20 EUR.
    ::notice title=task-c/s-032::task-c/s-032: 9.0 to 4.0 points, correct to incorrect; `contains` failed; it wrote: About 32 EUR.
    ::notice title=task-b/s-004::task-b/s-004: 8.0 to 4.0 points, correct to incorrect; `contains` failed; it wrote: About 4 EUR.
    ::notice title=task-b/s-016::task-b/s-016: 8.0 to 4.0 points, correct to incorrect; `contains` failed; it wrote: About 16 EUR.
    ::notice title=task-b/s-028::task-b/s-028: 8.0 to 4.0 points, correct to incorrect; `contains` failed; it wrote: About 28 EUR.
    ::notice title=task-a/s-000::task-a/s-000: 7.0 to 4.0 points, correct to incorrect; `contains` failed; it wrote: About 0 EUR.
    ::notice title=task-a/s-012::task-a/s-012: 7.0 to 4.0 points, correct to incorrect; `contains` failed; it wrote: About 12 EUR.
    ::notice title=task-a/s-024::task-a/s-024: 7.0 to 4.0 points, correct to incorrect; `contains` failed; it wrote: About 24 EUR.
    "#);
}

#[test]
fn a_passed_gate_annotates_nothing_and_says_so_last() {
    let report = report(&baseline(), &MARGINS);
    assert_eq!(annotations(view(&report)), "");
    let text = terminal(view(&report), 100, Palette::PLAIN);
    assert!(text.ends_with("\n\npass: 4 of 4 gates passed\n"), "{text}");
    assert!(text.contains(
        "0 prompts worse, 0 better, 0 answered differently with equal score, 40 unchanged."
    ));
}

#[test]
fn a_gate_as_markdown() {
    let report = report(&candidate(), &MARGINS[..2]);
    let text = markdown(view(&report));
    let short: Vec<&str> = text.lines().filter(|l| !l.contains("task-c/")).collect();
    assert_snapshot!(short.join("\n"), @r#"
    ## Gate: fail

    m (run 01k4bbbbbbbbbb) against m (run 01k3qa7z5m8c2p)

    suite business 1.0.0 · 40 of 40 prompts · two-sided 90 % intervals · every gate must pass

    | metric | verdict | change | limit | baseline | candidate | prompts | margin from |
    |---|---|--:|--:|--:|--:|--:|---|
    | `score` | **fail** | -1.2 [-1.9, -0.6] | -0.3 | 7.97 | 6.72 | 40 | the suite of the run |
    | `pass_rate` | *inconclusive* | -28 pp [-40, -18] | -20 pp | 100 % | 72.5 % | 40 | the suite of the run |

    - pass_rate: the interval contains the margin; about 220 prompts would decide it.
    - 11 prompts worse, 0 better, 29 answered differently with equal score, 0 unchanged.

    | prompt | points before | points now | outcome | what the candidate wrote |
    |---|--:|--:|---|---|
    | task-a/s-003 | 7.0 | 0.0 | correct → timeout | timeout: it failed |
    | task-b/s-004 | 8.0 | 4.0 | correct → incorrect | \`contains\` failed · About 4 EUR. |
    | task-b/s-016 | 8.0 | 4.0 | correct → incorrect | \`contains\` failed · About 16 EUR. |
    | task-b/s-028 | 8.0 | 4.0 | correct → incorrect | \`contains\` failed · About 28 EUR. |
    | task-a/s-000 | 7.0 | 4.0 | correct → incorrect | \`contains\` failed · About 0 EUR. |
    | task-a/s-012 | 7.0 | 4.0 | correct → incorrect | \`contains\` failed · About 12 EUR. |
    | task-a/s-024 | 7.0 | 4.0 | correct → incorrect | \`contains\` failed · About 24 EUR. |
    | task-a/s-036 | 7.0 | 4.0 | correct → incorrect | \`contains\` failed · About 36 EUR. |

    **fail: 1 of 2 gates failed: score changed by -1.2 [-1.9, -0.6], the limit is -0.3**
    "#);
}

#[test]
fn a_gate_as_json() {
    let report = report(&candidate(), &MARGINS);
    let value: serde_json::Value = serde_json::from_str(&json(view(&report))).unwrap();
    assert_eq!(
        (&value["kind"], &value["verdict"]),
        (&"gate".into(), &"fail".into())
    );
    assert_eq!(value["schema_version"], 1);
    assert_eq!(value["prompts"]["joined"], 40);
    let gates = value["gates"].as_array().unwrap();
    assert_eq!(gates.len(), 4);
    assert_eq!(gates[0]["metric"], "score");
    assert_eq!(gates[0]["margin"], 0.3);
    assert_eq!(gates[0]["margin_from"], "run");
    let point = report.gates[0].value.point().unwrap();
    assert_eq!(gates[0]["change"]["value"], point);
    assert_eq!(gates[0]["change"]["method"], "paired-t");
    let ttft = gates.iter().find(|g| g["metric"] == "ttft_ms_p50").unwrap();
    assert_eq!(ttft["reason"]["code"], "lost_prompts");
    assert_eq!(ttft["ratio"], 1.15);
    assert_eq!(ttft["margin"], serde_json::Value::Null);
}

#[test]
fn the_summary_is_cut_between_prompts_and_says_so() {
    let report = report(&candidate(), &MARGINS);
    let whole = markdown(view(&report));
    for room in [whole.len() - 1, whole.len() - 200, whole.len() * 3 / 4] {
        let text = summary(view(&report), room);
        assert!(text.len() <= room, "{room}: {}", text.len());
        assert!(
            text.contains(" more changed prompts are left out"),
            "{text}"
        );
        assert!(text.trim_end().ends_with("**"), "{text}");
        let rows: Vec<&str> = text.lines().filter(|l| l.starts_with("| task-")).collect();
        assert!(rows.iter().all(|r| whole.contains(*r) && r.ends_with('|')));
        assert!(rows.len() < report.changes.samples.len());
    }
    assert_eq!(summary(view(&report), 100), "");
    assert_eq!(summary(view(&report), usize::MAX), whole);
}

/// Text that would do harm in one format or another.
const HOSTILE: &str = "x ::error::first ##[error]z\n::error::pwned\r\n##[error]y\x1b[31m|`<script>%0A</testcase>\u{202e}:,";

#[test]
fn hostile_text_stays_inside_every_format() {
    let mut run = candidate();
    run.models[0].planned.name = "m".to_owned();
    for s in &mut run.samples {
        s.key.task = HOSTILE.to_owned();
        s.key.sample = HOSTILE.to_owned();
        if let Some(g) = &mut s.generation {
            g.completion = HOSTILE.to_owned();
        }
        if let Some(f) = &mut s.failure {
            f.message = HOSTILE.to_owned();
        }
    }
    let mut report = report(&run, &MARGINS);
    report.candidate.label = HOSTILE.to_owned();
    report.baseline.source = HOSTILE.to_owned();
    let all = annotations(view(&report));
    assert!(all.lines().count() > 3);
    for line in all.lines() {
        let known = ["::error title=", "::warning title=", "::notice title="];
        assert!(known.iter().any(|k| line.starts_with(k)), "{line}");
        let properties = line.split("::").nth(1).unwrap();
        assert!(
            !properties.contains(',') && !properties.contains(": "),
            "{line}"
        );
        assert!(!line.contains("%0A") || line.contains("%250A"), "{line}");
    }
    let xml = junit(view(&report));
    assert_eq!(xml.matches("<testcase").count(), 4);
    assert!(!xml.contains("<script"));
    let md = markdown(view(&report));
    assert!(!md.contains("<script") && !md.lines().any(|l| l.starts_with("::")));
    let screen = terminal(view(&report), 100, Palette::PLAIN);
    assert!(
        !screen.lines().any(|l| l.trim_start().starts_with("::")),
        "{screen}"
    );
    for text in [&all, &xml, &md, &screen] {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
        assert!(!text.contains('\u{202e}'));
    }
}

#[test]
fn a_runner_is_told_not_to_obey_what_is_fenced() {
    assert_eq!(
        fence("a\n::error::b", "t-1"),
        "::stop-commands::t-1\na\n::error::b\n::t-1::\n"
    );
}
