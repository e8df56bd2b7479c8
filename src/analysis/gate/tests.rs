//! Gates on hand-made runs whose verdicts follow from arithmetic.

use super::*;
use crate::analysis::AnalysisOptions;
use crate::analysis::testkit::{self, Spec};
use crate::record::{Digest, FailureKind, RunRecord};
use crate::stats::{dist, paired};
use std::sync::LazyLock;

static NO_TEXTS: LazyLock<BTreeMap<String, SampleText>> = LazyLock::new(BTreeMap::new);

const STRICT: GateOptions = GateOptions {
    rule: GateRule::AllPass,
    allow_different_suite: false,
    allow_different_host: false,
};

fn observed(specs: Vec<Spec>) -> Observed {
    of(&testkit::run(&[("m", specs)], 1))
}

fn of(run: &RunRecord) -> Observed {
    Observed::of_run(run, "m").unwrap()
}

/// The same model's specs with other completions, so that nothing is identical.
fn rewritten(specs: Vec<Spec>) -> Vec<Spec> {
    let change = |mut s: Spec| {
        s.completion.push_str(" Indeed.");
        s
    };
    specs.into_iter().map(change).collect()
}

fn scores(n: usize, score: impl Fn(usize) -> f64) -> Vec<Spec> {
    (0..n).map(|i| Spec::scored(score(i))).collect()
}

fn set(margins: &[(&str, f64)]) -> Vec<Gate> {
    let gate = |(id, x): &(&str, f64)| Gate::new(id, Amount::Number(*x), MarginOrigin::Flag);
    margins.iter().map(|m| gate(m).unwrap()).collect()
}

fn judge(
    baseline: &Observed,
    candidate: &Observed,
    margins: &[(&str, f64)],
    options: GateOptions,
) -> GateReport {
    let input = GateInput {
        baseline,
        candidate,
        gates: &set(margins),
        unrecorded: 0,
        texts: &NO_TEXTS,
    };
    gate(&input, options).unwrap()
}

/// The only gate's verdict and the code of its reason.
fn short(report: &GateReport) -> (GateVerdict, Option<&'static str>) {
    let [one] = report.gates.as_slice() else {
        panic!("{} gates", report.gates.len());
    };
    (one.verdict, one.reason.as_ref().map(GateReason::code))
}

const PASS: (GateVerdict, Option<&str>) = (GateVerdict::Pass, None);
const FAIL: (GateVerdict, Option<&str>) = (GateVerdict::Fail, None);
const OPEN: (GateVerdict, Option<&str>) = (GateVerdict::Inconclusive, Some("undecided"));

/// A difference that varies by prompt around `shift`.
fn shifted(shift: f64) -> (Observed, Observed) {
    let wave = |i: usize| (i * 5 % 7) as f64 * 0.1 - 0.3;
    let base = |i: usize| 5.0 + (i * 3 % 5) as f64 * 0.5;
    (
        observed(scores(40, base)),
        observed(rewritten(scores(40, |i| base(i) + shift + wave(i)))),
    )
}

#[test]
fn the_interval_decides_in_three_ways() {
    // Differences vary by 0.2 between 40 prompts: half of the 90 % interval is 0.053.
    for (shift, verdict) in [
        (0.5, PASS),
        (-0.2, PASS),
        (-0.3, OPEN),
        (-0.4, FAIL),
        (-2.0, FAIL),
    ] {
        let (b, c) = shifted(shift);
        let report = judge(&b, &c, &[("score", 0.3)], STRICT);
        assert_eq!(short(&report), verdict, "{shift}");
        assert_eq!(report.verdict, verdict.0);
    }
}

#[test]
fn the_interval_and_the_tests_are_those_of_the_paired_t() {
    let (b, c) = shifted(-0.27);
    let report = judge(&b, &c, &[("score", 0.3)], STRICT);
    let gate = &report.gates[0];
    let values = |o: &Observed| -> Vec<f64> {
        o.prompts
            .values()
            .map(|p| p.epochs[0].score.unwrap())
            .collect()
    };
    let t = paired::paired_t(&values(&c), &values(&b), 0.9).unwrap();
    let measured = gate.value.measured().unwrap();
    assert_eq!(measured.interval, t.estimate.interval);
    assert_eq!(measured.method, "paired-t");
    let p = dist::t_sf((t.estimate.point + 0.3) / t.se.unwrap(), 39.0);
    assert!((gate.p_pass.unwrap() - p).abs() < 1e-12);
    assert!((gate.p_pass.unwrap() + gate.p_fail.unwrap() - 1.0).abs() < 1e-12);
    // ((z_95 + z_80) sd / (margin + difference))^2
    let sd = t.se.unwrap() * 40_f64.sqrt();
    let needed = (2.486_474_86 * sd / (t.estimate.point + 0.3)).powi(2);
    assert!((gate.prompts_needed.unwrap() / needed - 1.0).abs() < 1e-6);
    assert_eq!(gate.prompts, 40);
    assert!((gate.candidate.unwrap() - gate.baseline.unwrap() - t.estimate.point).abs() < 1e-12);
}

#[test]
fn a_gate_and_a_comparison_say_the_same_numbers() {
    let base = scores(30, |i| 5.0 + (i % 4) as f64);
    let timed = |specs: Vec<Spec>, plus: u64| {
        let timed = |(i, s): (usize, Spec)| s.timed(200 + plus + (i as u64 * 7 % 11), 20, 11);
        specs.into_iter().enumerate().map(timed).collect::<Vec<_>>()
    };
    let b = observed(timed(base.clone(), 0));
    let other = scores(30, |i| 5.0 + (i * i % 5) as f64);
    let c = observed(rewritten(timed(other, 13)));
    let options = AnalysisOptions {
        level: 0.9,
        ..AnalysisOptions::default()
    };
    let pair = crate::analysis::compare(&c, &b, &options).unwrap();
    let margins = [
        ("score", 0.3),
        ("pass_rate", 0.03),
        ("ttft_ms_mean", 1.15),
        ("e2e_ms_mean", 1.15),
    ];
    let report = judge(&b, &c, &margins, STRICT);
    for gate in &report.gates {
        let compared = pair.comparison(gate.metric.id).unwrap();
        let (x, y) = (
            gate.value.measured().unwrap(),
            compared.value.measured().unwrap(),
        );
        assert!((x.point - y.point).abs() < 1e-12, "{}", gate.metric.id);
        let ends = |m: &crate::analysis::Measured| m.interval.unwrap().bounds().unwrap();
        assert!((ends(x).0 - ends(y).0).abs() < 1e-12, "{}", gate.metric.id);
        assert!((ends(x).1 - ends(y).1).abs() < 1e-12, "{}", gate.metric.id);
        assert_eq!(x.method, y.method);
    }
}

#[test]
fn rates_are_judged_by_tango_in_both_directions() {
    // 100 prompts; the candidate loses 8 and wins 1 of them.
    let base = scores(100, |i| if i < 60 { 9.0 } else { 1.0 });
    let changed = scores(100, |i| match i {
        0..8 => 1.0,
        8..60 => 9.0,
        60 => 9.0,
        _ => 1.0,
    });
    let (b, c) = (observed(base), observed(rewritten(changed)));
    for (margin, verdict) in [(0.01, FAIL), (0.07, OPEN), (0.15, PASS)] {
        let report = judge(&b, &c, &[("pass_rate", margin)], STRICT);
        assert_eq!(short(&report), verdict, "{margin}");
        assert_eq!(report.gates[0].value.measured().unwrap().method, "tango");
        // Less is better: the share of wrong answers grows by as much.
        let report = judge(&b, &c, &[("incorrect_rate", margin)], STRICT);
        assert_eq!(short(&report), verdict, "{margin}");
        let point = report.gates[0].value.point().unwrap();
        assert!((point - 0.07).abs() < 1e-12, "{point}");
    }
    // The other way round it is a gain in both.
    for id in ["pass_rate", "incorrect_rate"] {
        assert_eq!(short(&judge(&c, &b, &[(id, 0.01)], STRICT)), PASS);
    }
}

fn timed(ttft: impl Fn(u64) -> u64, tpot: u64) -> Vec<Spec> {
    let spec = |i: u64| Spec::scored(8.0).timed(ttft(i), tpot, 11);
    (0..60).map(spec).collect()
}

#[test]
fn times_and_speeds_are_judged_as_ratios_in_both_directions() {
    let b = observed(timed(|i| 200 + i % 7, 20));
    let c = observed(timed(|i| 240 + i * 3 % 11, 24));
    for (id, limit, verdict) in [
        ("ttft_ms_p50", 1.30, PASS),
        ("ttft_ms_p50", 1.15, FAIL),
        ("ttft_ms_mean", 1.21, OPEN),
        ("tpot_ms_p50", 1.25, PASS),
        ("tpot_ms_mean", 1.15, FAIL),
        ("e2e_ms_mean", 1.15, FAIL),
        ("decode_tps", 0.80, PASS),
        ("decode_tps", 0.90, FAIL),
        ("e2e_tps", 0.90, FAIL),
        ("local_usd_per_1k", 1.30, PASS),
        ("energy_usd_per_1k", 1.15, FAIL),
    ] {
        let report = judge(&b, &c, &[(id, limit)], STRICT);
        assert_eq!(short(&report), verdict, "{id} {limit}");
    }
    let report = judge(&b, &c, &[("ttft_ms_p50", 1.3), ("decode_tps", 0.8)], STRICT);
    let gate = |id: &str| report.gates.iter().find(|g| g.metric.id == id).unwrap();
    assert_eq!(gate("ttft_ms_p50").baseline, Some(203.0));
    assert_eq!(gate("decode_tps").baseline, None);
    assert!((gate("decode_tps").value.point().unwrap() - 20.0 / 24.0).abs() < 1e-9);
}

#[test]
fn high_percentiles_need_prompts_and_are_resampled_by_prompt() {
    let b = observed(timed(|i| 200 + i, 20));
    let c = observed(timed(|i| (200 + i) * 2, 20));
    let report = judge(&b, &c, &[("ttft_ms_p95", 1.5)], STRICT);
    assert_eq!(short(&report), FAIL);
    let measured = report.gates[0].value.measured().unwrap();
    assert_eq!(measured.method, "bootstrap-percentile");
    // Every prompt takes twice as long, so that every resample's percentile does.
    let (low, high) = measured.interval.unwrap().bounds().unwrap();
    assert!((low - 2.0).abs() < 1e-9 && (high - 2.0).abs() < 1e-9);
    assert_eq!(short(&judge(&b, &c, &[("ttft_ms_p95", 2.1)], STRICT)), PASS);
    assert_eq!(short(&judge(&c, &b, &[("ttft_ms_p95", 1.0)], STRICT)), PASS);
    let report = judge(&b, &c, &[("ttft_ms_p99", 1.5)], STRICT);
    assert_eq!(
        short(&report),
        (GateVerdict::Inconclusive, Some("not_estimable"))
    );
    let why = report.gates[0].reason.as_ref().unwrap().to_string();
    assert!(why.starts_with("needs at least 299 observations"), "{why}");
}

#[test]
fn the_same_completions_pass_by_identity() {
    let same = scores(10, |i| i as f64);
    let (b, c) = (observed(same.clone()), observed(same));
    for id in [("score", 0.0), ("pass_rate", 0.0), ("timeout_rate", 0.0)] {
        let report = judge(&b, &c, &[id], STRICT);
        assert_eq!(short(&report), (GateVerdict::Pass, Some("identical")));
    }
    // Too few prompts stay too few.
    let few = observed(scores(5, |i| i as f64));
    let report = judge(&few, &few, &[("score", 0.3)], STRICT);
    assert_eq!(
        short(&report),
        (GateVerdict::Inconclusive, Some("too_few_prompts"))
    );
}

#[test]
fn equal_scores_of_other_answers_are_bounded_not_certain() {
    let flat = |n: usize| {
        let base = scores(n, |_| 7.0);
        let (b, c) = (observed(base.clone()), observed(rewritten(base)));
        judge(&b, &c, &[("score", 0.3)], STRICT)
    };
    // 1 - 0.05^(1/n) of the prompts could differ, by 10 points each: below 0.3 from 99 prompts on.
    for (n, verdict) in [(10, OPEN), (98, OPEN), (99, PASS)] {
        let report = flat(n);
        assert_eq!(short(&report), verdict, "{n}");
        let measured = report.gates[0].value.measured().unwrap();
        assert_eq!(measured.method, "zero-failures");
        let reach = 10.0 * (1.0 - 0.05_f64.powf(1.0 / n as f64));
        let (low, high) = measured.interval.unwrap().bounds().unwrap();
        assert!(
            (low + reach).abs() < 1e-9 && (high - reach).abs() < 1e-9,
            "{n}"
        );
        let p = report.gates[0].p_pass.unwrap();
        assert_eq!(p < 0.05, verdict == PASS, "{n} {p}");
    }
    // A loss of 2 points on every prompt is one all the same.
    let (b, c) = (
        observed(scores(40, |_| 8.0)),
        observed(rewritten(scores(40, |_| 6.0))),
    );
    assert_eq!(short(&judge(&b, &c, &[("score", 0.3)], STRICT)), FAIL);
}

#[test]
fn a_candidate_does_not_pass_by_leaving_prompts_out() {
    let base: Vec<Spec> = (0..40)
        .map(|i| Spec::scored(if i < 10 { 1.0 } else { 9.0 }))
        .collect();
    let b = observed(base.clone());
    let mut c = observed(rewritten(scores(40, |i| 9.0 + (i % 3) as f64 * 0.1)));
    let hard = Digest::of(b"prompt 3");
    c.prompts.remove(hard.as_str()).unwrap();
    let report = judge(&b, &c, &[("score", 0.3)], STRICT);
    assert_eq!(
        short(&report),
        (GateVerdict::Inconclusive, Some("left_out_prompts"))
    );
    let allowed = GateOptions {
        allow_different_suite: true,
        ..STRICT
    };
    let report = judge(&b, &c, &[("score", 0.3)], allowed);
    assert_eq!(short(&report), PASS);
    assert!(
        report
            .cautions
            .contains(&Caution::LeftOut { prompts: 1, of: 40 })
    );
    // A loss that is seen is a loss.
    let worse = {
        let mut o = observed(rewritten(scores(40, |i| (i % 3) as f64)));
        o.prompts.remove(hard.as_str()).unwrap();
        o
    };
    assert_eq!(short(&judge(&b, &worse, &[("score", 0.3)], STRICT)), FAIL);
}

#[test]
fn an_incomplete_run_does_not_pass() {
    let (b, c) = shifted(0.5);
    let gates = set(&[("score", 0.3)]);
    let input = GateInput {
        baseline: &b,
        candidate: &c,
        gates: &gates,
        unrecorded: 2,
        texts: &NO_TEXTS,
    };
    let report = gate(&input, STRICT).unwrap();
    assert_eq!(
        short(&report),
        (GateVerdict::Inconclusive, Some("unrecorded_samples"))
    );
    let allowed = GateOptions {
        allow_different_suite: true,
        ..STRICT
    };
    assert_eq!(
        gate(&input, allowed).unwrap().verdict,
        GateVerdict::Inconclusive
    );
}

#[test]
fn failed_samples_count_in_quality_and_forbid_a_pass_in_times() {
    let b = observed(timed(|i| 200 + i % 7, 20));
    let mut specs = timed(|i| 150 + i % 7, 20);
    for spec in specs.iter_mut().take(12) {
        *spec = Spec::failed(FailureKind::Timeout);
    }
    let c = observed(rewritten(specs));
    // 12 of 60 prompts lose 8 points.
    let report = judge(&b, &c, &[("score", 0.3)], STRICT);
    assert_eq!(short(&report), FAIL);
    assert!((report.gates[0].value.point().unwrap() + 1.6).abs() < 1e-12);
    for id in ["pass_rate", "failed_rate", "timeout_rate"] {
        assert_eq!(short(&judge(&b, &c, &[(id, 0.02)], STRICT)), FAIL, "{id}");
    }
    let report = judge(&b, &c, &[("ttft_ms_p50", 1.15)], STRICT);
    assert_eq!(
        short(&report),
        (GateVerdict::Inconclusive, Some("lost_prompts"))
    );
    assert_eq!(
        report.gates[0].reason,
        Some(GateReason::Lost { prompts: 12 })
    );
    // The baseline's own failures are only left out, and said.
    let report = judge(&c, &b, &[("ttft_ms_p50", 1.5)], STRICT);
    assert_eq!(short(&report), PASS);
    let left_out = Caution::Uncompared {
        metric: "ttft_ms_p50",
        prompts: 12,
    };
    assert!(report.cautions.contains(&left_out), "{:?}", report.cautions);
}

#[test]
fn samples_that_could_not_be_scored_forbid_a_pass() {
    let (b, _) = shifted(0.0);
    let mut specs = scores(40, |i| 9.0 + (i % 5) as f64 * 0.1);
    specs[7] = Spec::unscored();
    let c = observed(rewritten(specs));
    for id in [("score", 0.3), ("pass_rate", 0.5)] {
        let report = judge(&b, &c, &[id], STRICT);
        assert_eq!(
            short(&report),
            (GateVerdict::Inconclusive, Some("lost_prompts"))
        );
    }
}

#[test]
fn an_answer_too_short_for_a_time_per_token_is_no_failure() {
    let b = observed(timed(|_| 200, 20));
    let mut specs = timed(|_| 200, 21);
    specs[0] = Spec::scored(8.0).timed(200, 0, 1);
    for (i, spec) in specs.iter_mut().enumerate() {
        spec.tpot_ms += i as u64 % 2;
    }
    let c = observed(rewritten(specs));
    let report = judge(&b, &c, &[("tpot_ms_p50", 1.15)], STRICT);
    assert_eq!(short(&report), PASS);
    assert_eq!(report.gates[0].prompts, 59);
}

#[test]
fn times_of_different_machines_are_not_judged() {
    let b = observed(timed(|i| 200 + i % 7, 20));
    let mut c = observed(timed(|i| 500 + i % 7, 20));
    c.host.as_mut().unwrap().threads = Some(2);
    let margins = [("ttft_ms_p50", 1.15), ("score", 0.3), ("peak_bytes", 1.1)];
    let report = judge(&b, &c, &margins, STRICT);
    assert_eq!(report.verdict, GateVerdict::Inconclusive);
    let code = |id: &str| {
        let gate = report.gates.iter().find(|g| g.metric.id == id).unwrap();
        gate.reason.as_ref().map(GateReason::code)
    };
    assert_eq!(code("ttft_ms_p50"), Some("different_hosts"));
    assert_eq!(code("peak_bytes"), Some("different_hosts"));
    assert_eq!(code("score"), Some("identical"));
    let allowed = GateOptions {
        allow_different_host: true,
        ..STRICT
    };
    let report = judge(&b, &c, &margins, allowed);
    assert_eq!(report.verdict, GateVerdict::Fail);
    assert_eq!(report.cautions[0].code(), "different_hosts");
    c.host = None;
    let report = judge(&b, &c, &margins[..1], STRICT);
    assert_eq!(
        report.gates[0].reason,
        Some(GateReason::DifferentHosts {
            differences: Vec::new()
        })
    );
}

#[test]
fn peak_memory_is_compared_as_it_was_measured() {
    let b = observed(scores(9, |_| 5.0));
    let mut c = b.clone();
    c.peak_bytes = Some(2_900_000_000);
    for (limit, verdict) in [(1.05, GateVerdict::Fail), (1.08, GateVerdict::Pass)] {
        let report = judge(&b, &c, &[("peak_bytes", limit)], STRICT);
        assert_eq!(short(&report), (verdict, Some("measured_once")));
    }
    c.peak_bytes = None;
    let report = judge(&b, &c, &[("peak_bytes", 1.5)], STRICT);
    assert_eq!(short(&report), (GateVerdict::Inconclusive, Some("missing")));
}

#[test]
fn suites_that_differ_are_judged_on_common_prompts_down_to_a_share() {
    let b = observed(scores(40, |i| 5.0 + (i % 4) as f64));
    let mut c = observed(rewritten(scores(40, |i| 6.0 + (i % 3) as f64)));
    c.suite.as_mut().unwrap().digest = Digest::of(b"other");
    c.suite.as_mut().unwrap().version = "1.1.0".to_owned();
    let drop = |o: &mut Observed, n: usize| {
        for i in 0..n {
            let key = Digest::of(format!("prompt {i}").as_bytes());
            let gone = o.prompts.remove(key.as_str()).unwrap();
            o.prompts
                .insert(Digest::of(format!("new {i}").as_bytes()).to_string(), gone);
        }
    };
    drop(&mut c, 8);
    let report = judge(&b, &c, &[("score", 0.3)], STRICT);
    assert_eq!(short(&report), PASS);
    assert_eq!(
        report.cautions[0].to_string(),
        "the suites differ (business 1.0.0 and business 1.1.0): 32 common prompts compared, 8 of the baseline and 8 of the candidate left out"
    );
    let key = Digest::of(b"prompt 20");
    c.prompts.remove(key.as_str()).unwrap();
    let gates = set(&[("score", 0.3)]);
    let input = GateInput {
        baseline: &b,
        candidate: &c,
        gates: &gates,
        unrecorded: 0,
        texts: &NO_TEXTS,
    };
    assert_eq!(
        gate(&input, STRICT).unwrap_err().to_string(),
        "the suites differ: 31 of the baseline's 40 prompts are in the candidate, but at least 80 % have to be"
    );
    let allowed = GateOptions {
        allow_different_suite: true,
        ..STRICT
    };
    assert_eq!(gate(&input, allowed).unwrap().verdict, GateVerdict::Pass);
    let mut none = c.clone();
    none.prompts.retain(|key, _| !b.prompts.contains_key(key));
    let input = GateInput {
        candidate: &none,
        ..input
    };
    assert!(
        gate(&input, allowed)
            .unwrap_err()
            .to_string()
            .contains("have no prompt in common")
    );
}

#[test]
fn a_gate_without_margins_or_with_two_of_one_metric_is_an_error() {
    let o = observed(scores(9, |_| 5.0));
    let fail = |gates: &[Gate]| {
        let input = GateInput {
            baseline: &o,
            candidate: &o,
            gates,
            unrecorded: 0,
            texts: &NO_TEXTS,
        };
        gate(&input, STRICT).unwrap_err().to_string()
    };
    assert_eq!(
        fail(&[]),
        "no margin is set for suite `business`: there is nothing to gate on"
    );
    assert_eq!(
        fail(&set(&[("score", 0.3), ("score", 0.5)])),
        "`score` has two margins, 0.3 and 0.5"
    );
}

#[test]
fn the_worst_gate_comes_first() {
    let (b, c) = shifted(-0.4);
    let margins = [("pass_rate", 0.9), ("score", 0.3), ("ttft_ms_p50", 1.2)];
    let report = judge(&b, &c, &margins, STRICT);
    let verdicts: Vec<&str> = report.gates.iter().map(|g| g.verdict.id()).collect();
    assert_eq!(verdicts, ["fail", "pass", "pass"]);
    assert_eq!(report.gates[0].metric.id, "score");
    assert_eq!(report.verdict, GateVerdict::Fail);
}

#[test]
fn an_alarm_corrects_over_gates_and_stays_silent_when_undecided() {
    let alarm = GateOptions {
        rule: GateRule::Alarm,
        ..STRICT
    };
    let (b, c) = shifted(-0.3);
    let report = judge(&b, &c, &[("score", 0.3)], alarm);
    assert_eq!(
        (report.gates[0].verdict, report.verdict),
        (GateVerdict::Inconclusive, GateVerdict::Pass)
    );
    // A loss that alone has p = 0.03 or so does not survive five gates that show nothing.
    let (b, c) = shifted(-0.36);
    let all = [
        ("score", 0.3),
        ("timeout_rate", 0.1),
        ("error_rate", 0.1),
        ("empty_rate", 0.1),
        ("refused_rate", 0.1),
    ];
    let alone = judge(&b, &c, &all[..1], alarm);
    let p = alone.gates[0].p_fail.unwrap();
    assert!((0.01..0.05).contains(&p), "{p}");
    assert_eq!(alone.verdict, GateVerdict::Fail);
    let together = judge(&b, &c, &all, alarm);
    let score = together
        .gates
        .iter()
        .find(|g| g.metric.id == "score")
        .unwrap();
    assert_eq!(score.reason, Some(GateReason::NotAfterCorrection));
    assert!((score.p_fail_adjusted.unwrap() - 5.0 * p).abs() < 1e-12);
    assert_eq!(together.verdict, GateVerdict::Pass);
    // Without any evidence there is no all-clear.
    let few = observed(scores(3, |_| 5.0));
    assert_eq!(
        judge(&few, &few, &all[..1], alarm).verdict,
        GateVerdict::Inconclusive
    );
}

#[test]
fn what_changed_is_listed_from_the_worst_on() {
    let b = observed(scores(8, |i| if i < 4 { 9.0 } else { 3.0 }));
    let mut specs = scores(8, |i| match i {
        0 => 2.0,
        1 => 7.0,
        4 => 8.0,
        i if i < 4 => 9.0,
        _ => 3.0,
    });
    specs[7].completion = "Something else.".to_owned();
    let run = testkit::run(&[("m", specs)], 1);
    let c = of(&run);
    let texts: BTreeMap<String, SampleText> = run
        .samples
        .iter()
        .map(|s| (s.content.to_string(), SampleText::of(s)))
        .collect();
    let gates = set(&[("score", 0.3)]);
    let input = GateInput {
        baseline: &b,
        candidate: &c,
        gates: &gates,
        unrecorded: 0,
        texts: &texts,
    };
    let changes = gate(&input, STRICT).unwrap().changes;
    assert_eq!(
        (
            changes.worse,
            changes.better,
            changes.reworded,
            changes.same
        ),
        (2, 1, 1, 4)
    );
    let losses: Vec<f64> = changes.samples.iter().map(|s| s.loss).collect();
    assert_eq!(losses, [7.0, 2.0, -5.0]);
    let worst = &changes.samples[0];
    assert_eq!(
        (worst.task.as_str(), worst.sample.as_str()),
        ("task-a", "s-000")
    );
    assert_eq!(worst.completion.as_deref(), Some("The total is 12 EUR."));
    assert_eq!(worst.why.as_deref(), Some("`contains` failed"));
}
