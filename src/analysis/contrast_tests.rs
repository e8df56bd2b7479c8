use super::super::testkit::{self, Spec};
use super::super::{analyse, lm_eval};
use super::*;
use crate::record::{FailureKind, Finish, RunRecord};

fn scores(values: &[f64]) -> Vec<Spec> {
    values.iter().map(|&v| Spec::scored(v)).collect()
}

fn observed(run: &RunRecord, model: &str) -> Observed {
    Observed::of_run(run, model).unwrap()
}

fn full(a: &Observed, b: &Observed) -> ContrastReport {
    contrast(a, b, &testkit::prices(), &AnalysisOptions::default()).unwrap()
}

/// Two models on the same prompts.
fn two(a: Vec<Spec>, b: Vec<Spec>, epochs: u32) -> ContrastReport {
    let run = testkit::run(&[("a", a), ("b", b)], epochs);
    full(&observed(&run, "a"), &observed(&run, "b"))
}

fn row<'r>(report: &'r ContrastReport, id: &str) -> (&'r ComparisonReport, &'r Detail) {
    report.rows().find(|(c, _)| c.metric.id == id).unwrap()
}

#[track_caller]
fn near(got: f64, expected: f64) {
    let tolerance = 1e-9 * expected.abs().max(1.0);
    assert!(
        (got - expected).abs() < tolerance,
        "{got} is not {expected}"
    );
}

fn also(detail: &Detail, method: &str) -> Also {
    let found = detail.also.iter().find(|a| a.method == method);
    found
        .unwrap_or_else(|| panic!("no {method} in {:?}", detail.also))
        .clone()
}

const A: [f64; 8] = [4.0, 6.0, 8.0, 9.0, 2.0, 7.0, 5.0, 6.5];
const B: [f64; 8] = [3.0, 6.5, 6.0, 8.0, 2.0, 5.0, 4.5, 6.0];

#[test]
fn a_comparison_says_what_a_report_of_the_same_run_says() {
    let run = testkit::three_models();
    let report = analyse(&run, &testkit::prices(), &AnalysisOptions::default());
    for pair in &report.pairs {
        let names = [pair.a, pair.b].map(|i| report.models[i].label.as_str());
        let [a, b] = names.map(|n| observed(&run, n));
        let contrast = full(&a, &b);
        assert_eq!(contrast.prompts, pair.prompts);
        for (here, there) in contrast.pair.comparisons.iter().zip(&pair.comparisons) {
            assert_eq!(
                (here.metric.id, &here.value),
                (there.metric.id, &there.value)
            );
            let p = |c: &ComparisonReport| c.test.as_ref().map(|t| (t.method, t.p.to_bits()));
            assert_eq!(p(here), p(there));
            assert_eq!((here.effect, here.better), (there.effect, there.better));
        }
        assert_eq!(contrast.pair.described, pair.described);
    }
}

#[test]
fn pairing_is_worth_the_square_of_the_ratio_of_errors() {
    let report = two(scores(&A), scores(&B), 1);
    let (c, detail) = row(&report, "score");
    // d = 1, -0.5, 2, 1, 0, 2, 0.5, 0.5: mean 0.8125, sum of squares about it 5.46875.
    near(c.value.point().unwrap(), 0.8125);
    let pairing = detail.pairing.unwrap();
    near(pairing.se_paired, (5.468_75_f64 / 7.0 / 8.0).sqrt());
    let variance = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / 8.0;
        x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 7.0
    };
    near(
        pairing.se_unpaired,
        ((variance(&A) + variance(&B)) / 8.0).sqrt(),
    );
    near(
        pairing.saved,
        (pairing.se_unpaired / pairing.se_paired).powi(2),
    );
    assert!(pairing.correlation.unwrap() > 0.9);
    near(detail.effect.point().unwrap(), c.effect.unwrap());
    assert_eq!(detail.effect.measured().unwrap().method, "cohen-dz");
    let [a, b] = &detail.sides;
    near(a.point().unwrap() - b.point().unwrap(), 0.8125);
    assert_eq!((a.measured().unwrap().method, detail.table), ("t", None));
    // 10 of the 256 patterns of signs reach a sum of 6.5: both without a mixed sign count with each sign of the zero.
    near(also(detail, "sign-flip-exact").p.unwrap(), brute(&A, &B));
    assert!(also(detail, "wilcoxon-exact").p.is_some());
    assert!(
        also(detail, "hodges-lehmann")
            .value
            .unwrap()
            .point()
            .is_some()
    );
}

/// The exact sign-flip p-value, counted.
fn brute(a: &[f64], b: &[f64]) -> f64 {
    let d: Vec<f64> = a.iter().zip(b).map(|(x, y)| x - y).collect();
    let seen = d.iter().sum::<f64>().abs() - 1e-9;
    let all = 1_u32 << d.len();
    let reach = |pattern: &u32| {
        let signed = d
            .iter()
            .enumerate()
            .map(|(i, x)| if pattern >> i & 1 == 1 { -x } else { *x });
        signed.sum::<f64>().abs() >= seen
    };
    (0..all).filter(reach).count() as f64 / f64::from(all)
}

#[test]
fn exchanging_the_sides_exchanges_the_result() {
    let (there, back) = (
        two(scores(&A), scores(&B), 1),
        two(scores(&B), scores(&A), 1),
    );
    for ((x, dx), (y, dy)) in there.rows().zip(back.rows()) {
        let (Some(p), Some(q)) = (x.value.measured(), y.value.measured()) else {
            panic!("{}", x.metric.id);
        };
        match x.scale {
            crate::analysis::Scale::Difference => near(p.point, -q.point),
            crate::analysis::Scale::Ratio => near(p.point, 1.0 / q.point),
        }
        let p = |c: &ComparisonReport| c.test.as_ref().map_or(1.0, |t| t.p);
        near(p(x), p(y));
        for (m, n) in dx.also.iter().zip(&dy.also) {
            assert_eq!(m.method, n.method);
            near(m.p.unwrap_or(1.0), n.p.unwrap_or(1.0));
        }
        assert_eq!(x.better, [y.better[1], y.better[0], y.better[2]]);
    }
    assert_eq!(
        there.changes.passed_more,
        [back.changes.passed_more[1], back.changes.passed_more[0]]
    );
}

#[test]
fn results_of_one_epoch_have_a_table_and_those_of_two_have_not() {
    let pass = |n: usize| -> Vec<f64> { (0..20).map(|i| if i < n { 8.0 } else { 2.0 }).collect() };
    let mut b = pass(8);
    b[19] = 8.0;
    let report = two(scores(&pass(15)), scores(&b), 1);
    let (c, detail) = row(&report, "pass_rate");
    assert_eq!(detail.table, Some([8, 7, 1, 4]));
    assert_eq!(c.value.measured().unwrap().method, "tango");
    near(also(detail, "mcnemar-exact").p.unwrap(), 18.0 / 256.0);
    let t = also(detail, "paired-t");
    near(t.value.unwrap().point().unwrap(), 0.3);
    assert!(t.p.is_some() && also(detail, "newcombe-paired").value.is_some());
    assert_eq!(detail.sides[0].measured().unwrap().method, "wilson");
    let twice = |v: &[f64]| -> Vec<Spec> {
        v.iter()
            .flat_map(|&s| [Spec::scored(s), Spec::scored(s)])
            .collect()
    };
    let report = two(twice(&pass(15)), twice(&b), 2);
    let (c, detail) = row(&report, "pass_rate");
    assert_eq!(detail.table, None);
    assert_eq!(c.test.as_ref().unwrap().method, "paired-t");
    assert!(also(detail, "sign-flip-exact").p.is_some());
    assert_eq!(detail.sides[0].measured().unwrap().method, "wilson-neff-t");
    assert_eq!((report.sides[0].samples, report.sides[0].prompts), (40, 20));
}

#[test]
fn times_and_costs_are_ratios_of_one_another() {
    let slow: Vec<Spec> = (0..12)
        .map(|i| Spec::scored(5.0).timed(400, 20, 11 + i))
        .collect();
    let fast: Vec<Spec> = (0..12)
        .map(|i| Spec::scored(5.0).timed(100, 10, 11 + i))
        .collect();
    let report = two(slow, fast, 1);
    let point = |id| row(&report, id).0.value.point().unwrap();
    near(point("ttft_ms_mean"), 4.0);
    near(point("tpot_ms_mean"), 2.0);
    near(point("decode_tps"), 0.5);
    near(point("completion_tokens_mean"), 1.0);
    assert_eq!(point("local_usd_per_1k"), point("e2e_ms_mean"));
    let (c, detail) = row(&report, "local_usd_per_1k");
    assert_eq!((&c.verdict, &c.test), (&Verdict::Described, &None));
    // A second of the machine: 60 W at 0.17 USD a kWh and 800 USD a year over 438 h.
    let second = 60.0 / 3.6e6 * 0.17 + 800.0 / 438.0 / 3_600.0;
    let (_, times) = row(&report, "e2e_ms_mean");
    near(
        detail.sides[0].point().unwrap(),
        times.sides[0].point().unwrap() * second,
    );
    let mut prices = testkit::prices();
    prices.years = 0.0;
    let run = testkit::run(&[("a", scores(&A)), ("b", scores(&B))], 1);
    let report = contrast(
        &observed(&run, "a"),
        &observed(&run, "b"),
        &prices,
        &AnalysisOptions::default(),
    )
    .unwrap();
    let (c, detail) = row(&report, "local_usd_per_1k");
    assert!(c.value.point().is_some());
    assert_eq!(detail.sides[0].absence().unwrap().code(), "price_card");
    assert_eq!(report.cautions.last().unwrap().code(), "bad_prices");
}

#[test]
fn changes_stand_where_a_lost_most_first() {
    let report = two(scores(&A), scores(&B), 1);
    let changes = &report.changes;
    let differences: Vec<f64> = changes.list.iter().map(|c| c.difference.unwrap()).collect();
    assert_eq!(differences, [-0.5, 0.5, 0.5, 1.0, 1.0, 2.0, 2.0]);
    // Passed from 6 points on: prompt 5 (7.0 against 5.0) by A alone.
    assert_eq!((changes.passed_more, changes.unchanged), ([1, 0], 1));
    assert_eq!(changes.other_answer, Some(0));
    let worst = &changes.list[0];
    assert_eq!(
        (worst.task.as_str(), worst.sample.as_str()),
        ("task-b", "s-001")
    );
    assert_eq!(
        (worst.sides[0].score, worst.sides[1].passed),
        (Some(6.0), Some(1.0))
    );
    let mut b = scores(&A);
    b[3].completion = "Another answer.".to_owned();
    let report = two(scores(&A), b, 1);
    assert_eq!(
        (report.changes.unchanged, report.changes.other_answer),
        (8, Some(1))
    );
    assert!(report.changes.list.is_empty());
}

#[test]
fn a_ranking_that_depends_on_unanswered_samples_is_said() {
    // A answers only what it knows, B answers everything.
    let a: Vec<Spec> = (0..24)
        .map(|i| match i {
            0..14 => Spec::scored(0.0).outcome(Outcome::Unparsed, Finish::Eos(2)),
            _ => Spec::scored(8.0),
        })
        .collect();
    let b: Vec<Spec> = (0..24)
        .map(|i| Spec::scored(if i % 2 == 0 { 7.0 } else { 5.0 }))
        .collect();
    let report = two(a, b, 1);
    let answered = report.answered.as_ref().unwrap();
    assert_eq!((answered.unanswered, answered.prompts), ([14, 0], 10));
    near(answered.as_wrong, 80.0 / 24.0 - 6.0);
    near(answered.left_out.unwrap(), 2.0);
    let caution = report
        .cautions
        .iter()
        .find(|c| c.code() == "ranking_depends_on_unanswered");
    assert!(caution.is_some(), "{:?}", report.cautions);
    assert_eq!(two(scores(&A), scores(&B), 1).answered, None);
}

#[test]
fn what_does_not_match_is_left_out_and_said() {
    let a = testkit::run(&[("m", scores(&A))], 1);
    let mut b = testkit::run(&[("m", scores(&B))], 1);
    for sample in &mut b.samples[6..] {
        sample.content = Digest::of(sample.key.sample.as_bytes());
    }
    b.header.suite.version = "2.0.0".to_owned();
    b.header.suite.primary = "pass_rate".to_owned();
    b.header.id = crate::record::RunId::new("01k3qb00000000");
    b.models[0].loaded.as_mut().unwrap().threads = 2;
    let report = full(&observed(&a, "m"), &observed(&b, "m"));
    assert_eq!(
        (report.prompts, report.sides[0].only, report.sides[1].only),
        (6, 2, 2)
    );
    assert_eq!(report.sides[0].label, "m (run 01k3qa7z5m8c2p)");
    let told: Vec<(&str, String)> = report
        .cautions
        .iter()
        .map(|c| (c.code(), c.to_string()))
        .collect();
    assert_eq!(
        told,
        [
            ("unmatched", "40 % of the prompts are left out: 2 prompts only in A, 2 only in B, 6 compared".to_owned()),
            (
                "different_suites",
                "the suites differ (`business 1.0.0` and `business 2.0.0`): only prompts with the same content are compared".to_owned()
            ),
            ("different_primary", "the suites decide by `score` and by `pass_rate`; here `score` decides".to_owned()),
            ("too_few_prompts", "6 prompts: below 20 intervals lean on the assumed distribution".to_owned()),
            ("different_hosts", "times and costs come from different machines: threads `8` and `2`".to_owned()),
        ]
    );
    for sample in &mut b.samples {
        sample.content = Digest::of(format!("other {}", sample.key.sample).as_bytes());
    }
    let refusal = contrast(
        &observed(&a, "m"),
        &observed(&b, "m"),
        &testkit::prices(),
        &AnalysisOptions::default(),
    );
    assert_eq!(
        refusal.unwrap_err().to_string(),
        "`m` and `m` have no prompt in common: 8 and 8 prompts, none with the same content"
    );
}

#[test]
fn failures_unscored_samples_and_the_mock_engine_are_said() {
    let mut a = scores(&A);
    a[0] = Spec::failed(FailureKind::Crash);
    a[1] = Spec::unscored();
    let mut run = testkit::run(&[("a", a), ("b", scores(&B))], 1);
    run.models[0].loaded.as_mut().unwrap().device = "mock".to_owned();
    let report = full(&observed(&run, "a"), &observed(&run, "b"));
    let told: Vec<String> = report.cautions.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "numbers of the scripted `mock` engine, which say nothing about a model",
            "8 prompts: below 20 intervals lean on the assumed distribution",
            "samples without a generation, counted as failed and scored 0: 1 of A, 0 of B",
            "samples that could not be judged, left out: 1 of A, 0 of B; the difference of the pass rates lies between +0.0 and +12.5 pp",
            "times and costs come from different machines: device `mock` and `metal`",
        ]
    );
    assert_eq!(report.sides[0].unscored, 1);
    let setting = crate::record::SettingRecord {
        name: crate::analysis::UNTIL_RESOLVED.to_owned(),
        value: "0.95".to_owned(),
        origin: "flag".to_owned(),
    };
    let mut stopped = run.clone();
    stopped.header.settings.push(setting);
    let report = full(&observed(&stopped, "b"), &observed(&run, "b"));
    assert_eq!(report.cautions[0].code(), "stopped_when_resolved");
    let same = observed(&run, "b");
    let report = full(&same, &same);
    assert_eq!(
        report.cautions[0].to_string(),
        "A and B are the same observations"
    );
    assert_eq!(row(&report, "score").0.value.point(), Some(0.0));
}

#[test]
fn methods_that_disagree_are_named() {
    // One huge loss hides eleven small gains from the t, not from the ranks.
    let mut a = vec![5.5; 12];
    let b: Vec<f64> = (0..12).map(|i| 5.0 - 0.01 * f64::from(i)).collect();
    a[0] = 0.0;
    let report = two(scores(&a), scores(&b), 1);
    let caution = report
        .cautions
        .iter()
        .find(|c| c.code() == "methods_disagree");
    let told = caution
        .unwrap_or_else(|| panic!("{:?}", report.cautions))
        .to_string();
    assert!(
        told.starts_with("`score`: `paired-t` gives p ")
            && told.contains("`wilcoxon-exact` gives p "),
        "{told}"
    );
}

#[test]
fn prompts_that_were_asked_otherwise_are_counted() {
    let lines = |prompt: &str| {
        let mut file = lm_eval::SampleFile::new("x.jsonl", lm_eval::SampleFileOptions::default());
        for i in 0..3 {
            let line = format!(r#"{{"doc_hash":"h{i}","prompt_hash":"{prompt}{i}","acc":1}}"#);
            file.line(i + 1, &line).unwrap();
        }
        file
    };
    let [a, b] = lm_eval::finish_samples(lines("p"), lines("q")).unwrap();
    let report = full(&a, &b);
    assert_eq!(
        report.cautions[0].to_string(),
        "3 of 3 documents were shown in another prompt or had another target: differences may come from the prompts"
    );
    assert_eq!(
        (report.primary.id, report.metric.as_deref()),
        ("pass_rate", Some("acc"))
    );
    assert!(row(&report, "e2e_ms_mean").0.value.absence().is_some());
    // Without completions nobody can say whether the answers changed.
    assert_eq!(report.changes.other_answer, None);
}
