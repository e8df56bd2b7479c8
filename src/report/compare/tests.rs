use super::*;
use crate::analysis::testkit::{self, Spec};
use crate::analysis::{
    AnalysisOptions, ContrastReport, Observed, SampleFile, SampleFileOptions, contrast,
    finish_samples,
};
use crate::record::RunRecord;
use crate::report::table;
use insta::assert_snapshot;

const STRONG: &str = "qwen2.5-7b-instruct-q4_k_m";
const CLOSE: &str = "gemma-3-4b-it-q4_k_m";
const WEAK: &str = "smollm2-135m-instruct-q4_1";

fn of(run: &RunRecord, a: &str, b: &str) -> ContrastReport {
    let [a, b] = [a, b].map(|m| Observed::of_run(run, m).unwrap());
    full(&a, &b)
}

fn full(a: &Observed, b: &Observed) -> ContrastReport {
    contrast(a, b, &testkit::prices(), &AnalysisOptions::default()).unwrap()
}

fn view(width: usize, all: bool, different: bool) -> CompareView {
    CompareView {
        all,
        different,
        width,
        palette: Palette::PLAIN,
        command: ["evalh", "compare", "latest:a", ":b c"]
            .map(str::to_owned)
            .to_vec(),
    }
}

fn files(metric: &str, a: &[&str], b: &[&str]) -> ContrastReport {
    let file = |name: &str, values: &[&str]| {
        let mut file = SampleFile::new(name, SampleFileOptions::default());
        for (i, value) in values.iter().enumerate() {
            let line =
                format!(r#"{{"doc_id":"d\u001b[2J|{i}","doc_hash":"h{i}","{metric}":{value}}}"#);
            file.line(i + 1, &line).unwrap();
        }
        file
    };
    let [a, b] = finish_samples(file("logs/a.jsonl", a), file("logs/b.jsonl", b)).unwrap();
    full(&a, &b)
}

#[test]
fn close_models_at_100_columns() {
    let report = of(&testkit::three_models(), STRONG, CLOSE);
    assert_snapshot!(compare_terminal(&report, &view(100, false, false)), @"");
}

#[test]
fn close_models_at_80_columns_with_what_changed() {
    let report = of(&testkit::three_models(), STRONG, CLOSE);
    assert_snapshot!(compare_terminal(&report, &view(80, false, true)), @"");
}

#[test]
fn a_weak_model_in_full() {
    let report = of(&testkit::three_models(), STRONG, WEAK);
    assert_snapshot!(compare_terminal(&report, &view(100, true, false)), @"");
}

#[test]
fn repetitions_in_full() {
    let spec = |i: u32, by: f64| {
        Spec::scored(f64::from(i * 5 % 11) * 0.7 + by).timed(40 + u64::from(i), 5, 20)
    };
    let a = (0..24).map(|i| spec(i, 1.0)).collect();
    let b = (0..24).map(|i| spec(i * 3, 0.0)).collect();
    let run = testkit::run(&[("a", a), ("b", b)], 3);
    assert_snapshot!(compare_terminal(&of(&run, "a", "b"), &view(100, true, true)), @"");
}

#[test]
fn files_of_zeros_and_ones() {
    let report = files(
        "acc",
        &["1", "1", "1", "0", "1", "1", "1"],
        &["1", "0", "0", "1", "0", "0", "null"],
    );
    assert_snapshot!(compare_terminal(&report, &view(80, false, true)), @"");
}

#[test]
fn a_page_with_hostile_names() {
    let report = files("f1|`x", &["0.5", "0.25", "0.75"], &["0.5", "0.5", "0.25"]);
    let text = compare_markdown(&report, &view(80, true, true));
    assert!(!text.contains('\u{1b}'));
    assert_snapshot!(text, @"");
}

#[test]
fn a_script_learns_the_same() {
    let report = of(&testkit::three_models(), STRONG, WEAK);
    let json: serde_json::Value = serde_json::from_str(&compare_json(&report)).unwrap();
    assert_eq!(
        (&json["schema_version"], &json["kind"]),
        (&1.into(), &"compare".into())
    );
    let rows = json["comparisons"].as_array().unwrap();
    assert_eq!(
        (rows.len(), json["described"].as_array().unwrap().len()),
        (5, 3)
    );
    for (row, (c, detail)) in rows
        .iter()
        .chain(json["described"].as_array().unwrap())
        .zip(report.rows())
    {
        assert_eq!(row["metric"], c.metric.id);
        assert_eq!(row["value"].as_f64(), c.value.point());
        assert_eq!(row["a"]["value"].as_f64(), detail.sides[0].point());
        assert_eq!(row["test"]["p"].as_f64(), c.test.as_ref().map(|t| t.p));
        assert_eq!(row["effect_size"]["value"].as_f64(), detail.effect.point());
        assert_eq!(
            row["pairing"]["saved"].as_f64(),
            detail.pairing.map(|p| p.saved)
        );
        assert_eq!(row["also"].as_array().unwrap().len(), detail.also.len());
    }
    assert_eq!(rows[0]["better"], "a");
    assert_eq!(json["a"]["label"], STRONG);
    let list = json["changes"]["list"].as_array().unwrap();
    assert_eq!(list.len(), report.changes.list.len());
    let codes: Vec<&str> = json["cautions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        report
            .cautions
            .iter()
            .map(crate::analysis::Caution::code)
            .collect::<Vec<_>>()
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let reports = [
        of(&testkit::three_models(), STRONG, CLOSE),
        of(&testkit::three_models(), WEAK, STRONG),
        files("acc", &["1", "1", "0"], &["1", "0", "0"]),
    ];
    for report in &reports {
        for width in [60, 72, 80, 100, 140] {
            for (all, different) in [(false, false), (true, false), (false, true)] {
                let text = compare_terminal(report, &view(width, all, different));
                for line in text.lines().filter(|l| !l.starts_with("Next: ")) {
                    assert!(table::columns(line) <= width.min(100), "{width}: {line}");
                }
            }
        }
    }
}

#[test]
fn colours_add_and_never_carry() {
    let report = of(&testkit::three_models(), STRONG, WEAK);
    let plain = compare_terminal(&report, &view(100, false, true));
    let coloured = compare_terminal(
        &report,
        &CompareView {
            palette: Palette::ANSI,
            ..view(100, false, true)
        },
    );
    let bare = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    assert_ne!(plain, coloured);
    assert_eq!(bare.replace_all(&coloured, ""), plain);
}
