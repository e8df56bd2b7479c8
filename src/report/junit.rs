//! The report for a CI server: a suite a model, a case a sample.
//!
//! A sample that did not pass is a failure with its outcome as type; one without a generation is an error; one that could not be scored
//! is skipped. Models that were not run are suites with one skipped case.

use super::escape;
use super::words::Words;
use crate::analysis::{ModelReport, ReportModel, SampleReport};
use std::fmt::Write as _;

/// The report as JUnit XML.
pub fn junit(report: &ReportModel) -> String {
    let words = Words::new(report, escape::xml);
    let mut suites = String::new();
    for model in &report.models {
        suite(&mut suites, report, model, &words);
    }
    for skipped in &report.skipped {
        let why = skipped.reason.as_ref().map_or_else(
            || "the run ended before its turn".to_owned(),
            |reason| words.skip_reason(reason),
        );
        let name = escape::xml(&skipped.label);
        // Writing to a `String` cannot fail.
        let _ = write!(
            suites,
            "  <testsuite name=\"{name}\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"1\">\n    <testcase name=\"{name}\" classname=\"model\"><skipped message=\"{why}\"/></testcase>\n  </testsuite>\n"
        );
    }
    let count = Count::of(report.models.iter().flat_map(|m| &m.samples));
    let (tests, skipped) = (
        count.tests + report.skipped.len(),
        count.skipped + report.skipped.len(),
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" tests=\"{tests}\" failures=\"{}\" errors=\"{}\" skipped=\"{skipped}\">\n{suites}</testsuites>\n",
        escape::xml(&format!(
            "evalh {} {}",
            report.header.suite.name, report.header.suite.version
        )),
        count.failures,
        count.errors,
    )
}

#[derive(Default)]
struct Count {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Count {
    fn of<'a>(samples: impl Iterator<Item = &'a SampleReport>) -> Self {
        let mut count = Self::default();
        for sample in samples {
            count.tests += 1;
            match Case::of(sample) {
                Case::Passed => {}
                Case::Failure => count.failures += 1,
                Case::Error => count.errors += 1,
                Case::Skipped => count.skipped += 1,
            }
        }
        count
    }
}

enum Case {
    Passed,
    Failure,
    Error,
    Skipped,
}

impl Case {
    fn of(sample: &SampleReport) -> Self {
        match sample.passed {
            Some(true) => Self::Passed,
            Some(false) if sample.generated => Self::Failure,
            // A text cannot fail but by an error.
            None if sample.generated && sample.text => Self::Passed,
            None if sample.generated => Self::Skipped,
            Some(false) | None => Self::Error,
        }
    }
}

fn suite(out: &mut String, report: &ReportModel, model: &ModelReport, words: &Words<'_>) {
    let count = Count::of(model.samples.iter());
    let times: Vec<f64> = model.samples.iter().filter_map(|s| s.e2e_ms).collect();
    // Without a timed sample there is no time, not none at all.
    let time = if times.is_empty() {
        String::new()
    } else {
        format!(" time=\"{:.3}\"", times.iter().sum::<f64>() / 1e3)
    };
    let name = escape::xml(&model.label);
    let _ = writeln!(
        out,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"{time} timestamp=\"{}\">",
        count.tests,
        count.failures,
        count.errors,
        count.skipped,
        escape::xml(&report.header.started_at)
    );
    let properties = [
        ("run", report.header.id.as_str().to_owned()),
        ("model_id", model.id.to_string()),
    ];
    out.push_str("    <properties>\n");
    for (key, value) in properties {
        let _ = writeln!(
            out,
            "      <property name=\"{key}\" value=\"{}\"/>",
            escape::xml(&value)
        );
    }
    for f in model
        .figures
        .iter()
        .filter(|f| f.role != crate::analysis::Role::Exploratory)
    {
        let value = f
            .value
            .point()
            .map_or_else(|| "absent".to_owned(), |p| p.to_string());
        let _ = writeln!(
            out,
            "      <property name=\"{}\" value=\"{value}\"/>",
            f.metric.id
        );
    }
    out.push_str("    </properties>\n");
    for sample in &model.samples {
        case(out, sample, report.header.epochs > 1);
    }
    let _ = writeln!(
        out,
        "    <system-out>{}</system-out>\n  </testsuite>",
        words.outcomes(model)
    );
}

fn case(out: &mut String, sample: &SampleReport, epochs: bool) {
    let epoch = if epochs {
        format!(" epoch {}", sample.epoch)
    } else {
        String::new()
    };
    let time = sample
        .e2e_ms
        .map_or_else(String::new, |ms| format!(" time=\"{:.3}\"", ms / 1e3));
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}{epoch}\"{time}",
        escape::xml(&sample.task),
        escape::xml(&sample.sample)
    );
    let why = escape::xml(sample.why.as_deref().unwrap_or(sample.outcome.as_str()));
    let outcome = sample.outcome.as_str();
    let _ = match Case::of(sample) {
        Case::Passed => writeln!(out, "/>"),
        Case::Failure => writeln!(
            out,
            "><failure type=\"{outcome}\" message=\"{why}\"/></testcase>"
        ),
        Case::Error => writeln!(
            out,
            "><error type=\"{outcome}\" message=\"{why}\"/></testcase>"
        ),
        Case::Skipped => writeln!(out, "><skipped message=\"{why}\"/></testcase>"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testkit::{self, Spec};
    use crate::analysis::{AnalysisOptions, analyse};
    use crate::record::{FailureKind, ModelStatus, SkipReason};

    fn small() -> crate::record::RunRecord {
        let specs = vec![
            Spec::scored(9.0),
            Spec::scored(2.0),
            Spec::failed(FailureKind::Crash),
            Spec::unscored(),
        ];
        let mut run = testkit::run(&[("m", specs), ("gone", Vec::new())], 1);
        run.models[1].status =
            ModelStatus::Skipped(SkipReason::Files("no <file> \"here\"".to_owned()));
        run
    }

    #[test]
    fn pass_failure_error_and_skip() {
        let report = analyse(&small(), &testkit::prices(), &AnalysisOptions::default());
        insta::assert_snapshot!(junit(&report), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="evalh business 1.0.0" tests="5" failures="1" errors="1" skipped="2">
          <testsuite name="m" tests="4" failures="1" errors="1" skipped="1" time="1.200" timestamp="2026-11-22T10:00:00Z">
            <properties>
              <property name="run" value="01k3qa7z5m8c2p"/>
              <property name="model_id" value="62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a"/>
              <property name="score" value="3.6666666666666665"/>
              <property name="pass_rate" value="0.3333333333333333"/>
              <property name="ttft_ms_p50" value="200"/>
              <property name="decode_tps" value="49.99999999999999"/>
              <property name="peak_bytes" value="2700000000"/>
            </properties>
            <testcase classname="task-a" name="s-000" time="0.400"/>
            <testcase classname="task-a" name="s-003" time="0.400"><skipped message="`contains` could not be evaluated: the pattern is too large"/></testcase>
            <testcase classname="task-b" name="s-001" time="0.400"><failure type="incorrect" message="`contains` failed"/></testcase>
            <testcase classname="task-c" name="s-002"><error type="error" message="crash: it failed"/></testcase>
            <system-out>m: 4 of 4 samples: 1 correct, 2 incorrect, 1 error; 1 could not be scored.</system-out>
          </testsuite>
          <testsuite name="gone" tests="1" failures="0" errors="0" skipped="1">
            <testcase name="gone" classname="model"><skipped message="no &lt;file&gt; &quot;here&quot;"/></testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn hostile_text_stays_inside_its_attribute() {
        let mut run = small();
        run.models[0].planned.name = "\"><script>\u{0}".to_owned();
        run.samples[2].failure.as_mut().unwrap().message = "]]> & \x1b[31m'x'".to_owned();
        let text = junit(&analyse(
            &run,
            &testkit::prices(),
            &AnalysisOptions::default(),
        ));
        assert!(text.contains("name=\"&quot;&gt;&lt;script&gt;\\u{0}\""));
        assert!(text.contains("message=\"crash: ]]&gt; &amp; \\u{1b}[31m&apos;x&apos;\""));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        assert_eq!(text.matches("<testcase").count(), 5);
    }
}
