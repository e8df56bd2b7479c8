//! Reports of hand-made runs with known numbers.

use super::testkit::{self, Spec};
use super::*;
use crate::metric::{self, Level};
use crate::record::{FailureKind, Finish, ModelStatus, Outcome, RunRecord, RunStatus, SkipReason};
use crate::units::Bytes;
use proptest::prelude::*;

fn report(run: &RunRecord) -> ReportModel {
    analyse(run, &testkit::prices(), &options())
}

fn options() -> AnalysisOptions {
    AnalysisOptions {
        today: Some("2026-11-22".to_owned()),
        ..AnalysisOptions::default()
    }
}

fn scores(values: &[f64]) -> Vec<Spec> {
    values.iter().map(|&v| Spec::scored(v)).collect()
}

#[track_caller]
fn near(got: f64, expected: f64) {
    assert!(
        (got - expected).abs() < 1e-6 * expected.abs().max(1.0),
        "{got} is not {expected}"
    );
}

#[test]
fn a_mean_with_its_t_interval() {
    let r = report(&testkit::run(&[("m", scores(&[4.0, 6.0, 8.0, 10.0]))], 1));
    let score = r.models[0].measured("score").unwrap();
    assert_eq!((score.point, score.n, score.method), (7.0, 4, "t"));
    // sd 2.581989, se 1.290994, t(3) 3.182446: 4.108521, cut at 10.
    let (low, high) = score.interval.unwrap().bounds().unwrap();
    near(low, 7.0 - 4.108_520_9);
    assert_eq!(high, 10.0);
    let pass = r.models[0].measured("pass_rate").unwrap();
    assert_eq!((pass.point, pass.method), (0.75, "wilson"));
    near(pass.interval.unwrap().lower.unwrap(), 0.300_641_8);
}

#[test]
fn every_metric_of_the_catalogue_is_there_once_in_order() {
    let r = report(&testkit::three_models());
    let expected: Vec<&str> = metric::all()
        .filter(|m| m.level != Level::Price)
        .map(|m| m.id)
        .collect();
    for model in &r.models {
        let ids: Vec<&str> = model.figures.iter().map(|f| f.metric.id).collect();
        assert_eq!(ids, expected);
        // Only limits that were not asked for may fall back to `no_limit`.
        for f in &model.figures {
            if f.value.absence() == Some(&Absence::NoLimit) {
                assert!(
                    f.metric.id.ends_with("_slo_share"),
                    "{} has no code",
                    f.metric.id
                );
            }
        }
        let versus = &model.cost.as_ref().unwrap().versus;
        let prices: Vec<&str> = versus[0].figures.iter().map(|f| f.metric.id).collect();
        let expected: Vec<&str> = metric::all()
            .filter(|m| m.level == Level::Price)
            .map(|m| m.id)
            .collect();
        assert_eq!(prices, expected);
    }
}

#[test]
fn speed_and_sizes_of_a_known_model() {
    let r = report(&testkit::run(&[("m", scores(&[5.0; 40]))], 1));
    let m = &r.models[0];
    let point = |id: &str| m.measured(id).unwrap().point;
    near(point("ttft_ms_p50"), 200.0);
    near(point("tpot_ms_p95"), 20.0);
    near(point("itl_ms_p99"), 20.0);
    near(point("decode_tps"), 50.0);
    near(point("prefill_tps"), 1_000.0);
    // 11 tokens, 20 characters in 0.4 s.
    near(point("e2e_ms_mean"), 400.0);
    near(point("e2e_tps"), 27.5);
    near(point("e2e_cps"), 50.0);
    near(point("requests_per_min"), 150.0);
    near(point("goodput_per_min"), 150.0);
    near(point("load_ms"), 1_500.0);
    near(point("sustained_ratio"), 1.0);
    near(point("peak_bytes"), 2.7e9);
    near(point("estimate_ratio"), 2.7 / 2.8);
    near(point("file_bytes_per_parameter"), 0.5);
    near(point("prompt_tokens_mean"), 100.0);
    near(point("completion_words_mean"), 5.0);
    assert_eq!(
        m.value("answer_logprob_mean")
            .unwrap()
            .absence()
            .unwrap()
            .code(),
        "not_measured"
    );
    assert_eq!(
        m.value("identical_rate").unwrap().absence(),
        Some(&Absence::NeedsEpochs)
    );
    let p99 = m.measured("ttft_ms_p99").unwrap();
    assert!(p99.missing.is_some() && p99.interval.is_none_or(|i| i.upper.is_none()));
}

#[test]
fn costs_of_a_known_model() {
    let r = report(&testkit::run(&[("m", scores(&[10.0, 10.0, 10.0, 0.0]))], 1));
    let m = &r.models[0];
    let point = |id: &str| m.measured(id).unwrap().point;
    // 0.4 s at 60 W and 0.17 USD a kWh; 800 USD a year over 438 h of use.
    let (energy, hardware) = (
        60.0 * 0.4 / 3.6e6 * 0.17 * 1e3,
        800.0 / 438.0 * 0.4 / 3_600.0 * 1e3,
    );
    near(point("energy_j_per_task"), 24.0);
    near(point("energy_usd_per_1k"), energy);
    near(point("local_usd_per_1k"), energy + hardware);
    near(
        point("local_usd_per_1k_passed"),
        (energy + hardware) * 4.0 / 3.0,
    );
    near(
        point("local_usd_per_mtok"),
        (energy + hardware) / 1e3 / 11.0 * 1e6,
    );
    near(point("hardware_usd_per_busy_hour"), 800.0 / 438.0);
    near(point("capacity_tasks_per_year"), 8_760.0 * 3_600.0 / 0.4);
    let cost = m.cost.as_ref().unwrap();
    assert_eq!(cost.versus.len(), 1);
    let cloud = 100.0 * 0.15e-3 + 11.0 * 0.6e-3;
    let versus = |id: &str| cost.versus[0].value(id).unwrap().point().unwrap();
    near(versus("cloud_usd_per_1k"), cloud);
    near(versus("saving_marginal"), 1.0 - energy / cloud);
    near(versus("saving_full"), 1.0 - (energy + hardware) / cloud);
    near(
        versus("break_even_tasks_per_year"),
        800.0 / ((cloud - energy) / 1e3),
    );
    assert!(r.warnings.contains(&Warning::LocalTokenCounts));
}

#[test]
fn failed_samples_count_and_unscored_ones_are_bounded() {
    let mut specs = scores(&[10.0; 6]);
    specs.push(Spec::failed(FailureKind::Crash));
    specs.push(Spec::failed(FailureKind::Timeout));
    specs.push(Spec::unscored());
    specs.push(Spec::scored(2.0).outcome(Outcome::Truncated, Finish::Length));
    let r = report(&testkit::run(&[("m", specs)], 1));
    let m = &r.models[0];
    near(m.measured("score").unwrap().point, 62.0 / 9.0);
    near(m.measured("pass_rate").unwrap().point, 6.0 / 9.0);
    near(m.measured("pass_rate_answered").unwrap().point, 1.0);
    near(m.measured("failed_rate").unwrap().point, 0.2);
    near(m.measured("unscored_rate").unwrap().point, 0.1);
    near(m.measured("ttft_slo_share").unwrap().point, 0.8);
    assert_eq!((m.slos[0].within, m.slos[0].of), (8, 10));
    let t = &m.tally;
    assert_eq!(
        (t.planned, t.recorded, t.failed, t.unscored, t.cut_off_wrong),
        (10, 10, 2, 1, 1)
    );
    assert_eq!(
        t.failures,
        [(FailureKind::Timeout, 1), (FailureKind::Crash, 1)]
    );
    assert_eq!(
        (
            t.count(Outcome::Error),
            t.count(Outcome::Timeout),
            t.count(Outcome::Truncated)
        ),
        (1, 1, 1)
    );
    let texts: Vec<&str> = r.warnings.iter().map(Warning::code).collect();
    assert_eq!(
        texts[..4],
        ["failed", "too_few_prompts", "unscored", "truncated"]
    );
    let Some(Warning::Unscored {
        pass_low,
        pass_high,
        ..
    }) = r.warnings.get(2)
    else {
        panic!("{:?}", r.warnings)
    };
    near(*pass_low, 0.6);
    near(*pass_high, 0.7);
}

#[test]
fn a_model_without_generations_has_reasons_not_zeros() {
    let mut run = testkit::run(&[("m", vec![Spec::failed(FailureKind::Crash); 3])], 1);
    run.models[0].peak = None;
    run.models[0].loaded = None;
    let r = report(&run);
    let m = &r.models[0];
    for id in [
        "ttft_ms_p50",
        "decode_tps",
        "e2e_ms_mean",
        "local_usd_per_1k",
        "prefill_tps",
        "cut_off_rate",
    ] {
        assert_eq!(
            m.value(id).unwrap().absence(),
            Some(&Absence::NoGenerations),
            "{id}"
        );
    }
    for id in ["peak_bytes", "load_ms", "memory_overhead"] {
        assert_eq!(
            m.value(id).unwrap().absence().unwrap().code(),
            "not_measured",
            "{id}"
        );
    }
    assert!(m.cost.is_none());
    near(m.measured("score").unwrap().point, 0.0);
    near(m.measured("ttft_slo_share").unwrap().point, 0.0);
}

#[test]
fn paired_differences_are_joined_and_corrected() {
    let base: Vec<f64> = (0..20).map(|i| f64::from(i % 5)).collect();
    let shifted = |by: f64| {
        base.iter()
            .enumerate()
            .map(|(i, s)| s + by + 0.1 * (i % 3) as f64)
            .collect::<Vec<f64>>()
    };
    let run = testkit::run(
        &[
            ("a", scores(&base)),
            ("b", scores(&shifted(2.0))),
            ("c", scores(&shifted(2.001))),
        ],
        1,
    );
    let r = report(&run);
    let names: Vec<&str> = r.models.iter().map(|m| m.label.as_str()).collect();
    assert_eq!(names, ["c", "b", "a"]);
    let pair = |a, b| r.pairs.iter().find(|p| (p.a, p.b) == (a, b)).unwrap();
    let ca = pair(0, 2).comparison("score").unwrap();
    near(ca.value.point().unwrap(), 2.001 + 0.095);
    assert_eq!(ca.verdict, Verdict::ToldApart { better: 0 });
    assert_eq!(
        (ca.role, ca.prompts_needed, ca.better),
        (Role::Primary, None, [20, 0, 0])
    );
    let test = ca.test.as_ref().unwrap();
    assert_eq!(
        (test.adjustment, test.family, test.method),
        ("holm", 3, "paired-t")
    );
    assert!(test.p_adjusted >= test.p);
    // c - b is 0.001 everywhere: a constant has no t; of the 2^20 patterns of signs two reach it, and Holm leaves the middle p twice.
    let cb = pair(0, 1).comparison("score").unwrap();
    assert_eq!(cb.verdict, Verdict::ToldApart { better: 0 });
    let test = cb.test.as_ref().unwrap();
    assert_eq!(test.method, "sign-flip-exact");
    near(test.p, 2.0_f64.powi(-19));
    assert_eq!(r.leaders, [0]);
    assert_eq!((pair(0, 2).prompts, pair(0, 2).unmatched), (20, 0));
}

#[test]
fn pass_rates_use_mcnemar_with_one_epoch_and_t_with_more() {
    let a: Vec<f64> = (0..20).map(|i| if i < 15 { 8.0 } else { 2.0 }).collect();
    let b: Vec<f64> = (0..20)
        .map(|i| if i < 8 || i == 19 { 8.0 } else { 2.0 })
        .collect();
    let r = report(&testkit::run(&[("a", scores(&a)), ("b", scores(&b))], 1));
    let pass = r.pairs[0].comparison("pass_rate").unwrap();
    let test = pass.test.as_ref().unwrap();
    // 7 against 1 discordant prompts: mid-p 2 (9/256) - 8/256 = 10/256.
    near(test.p, 10.0 / 256.0);
    assert_eq!(
        (test.method, pass.value.measured().unwrap().method),
        ("mcnemar-mid-p", "tango")
    );
    assert_eq!(pass.better, [7, 1, 12]);
    let twice = |v: &[f64]| {
        v.iter()
            .flat_map(|&s| [Spec::scored(s), Spec::scored(s)])
            .collect::<Vec<_>>()
    };
    let r = report(&testkit::run(&[("a", twice(&a)), ("b", twice(&b))], 2));
    let pass = r.pairs[0].comparison("pass_rate").unwrap();
    assert_eq!(pass.test.as_ref().unwrap().method, "paired-t");
    let m = r.models[0].measured("pass_rate").unwrap();
    assert_eq!((m.method, m.n, m.observations), ("wilson-neff-t", 20, 40));
    near(r.models[0].measured("identical_rate").unwrap().point, 1.0);
}

#[test]
fn below_six_prompts_there_is_no_verdict() {
    let r = report(&testkit::run(
        &[
            ("a", scores(&[9.0, 9.1, 9.2, 9.0, 9.3])),
            ("b", scores(&[1.0; 5])),
        ],
        1,
    ));
    let c = r.pairs[0].comparison("score").unwrap();
    assert!(c.test.as_ref().unwrap().p < 0.001);
    let Verdict::Untestable(why) = &c.verdict else {
        panic!("{:?}", c.verdict)
    };
    assert_eq!(
        why.to_string(),
        "`paired-t` needs at least 6 units but has 5"
    );
    assert_eq!(r.leaders, [0, 1]);
}

#[test]
fn times_are_compared_as_ratios() {
    let slow: Vec<Spec> = (0..12)
        .map(|i| Spec::scored(5.0).timed(400, 20, 11 + i))
        .collect();
    let fast: Vec<Spec> = (0..12)
        .map(|i| Spec::scored(4.0).timed(if i % 2 == 0 { 100 } else { 200 }, 10, 11 + i))
        .collect();
    let r = report(&testkit::run(&[("slow", slow), ("fast", fast)], 1));
    let c = r.pairs[0].comparison("ttft_ms_mean").unwrap();
    near(c.value.point().unwrap(), 8_f64.sqrt());
    assert_eq!(
        (c.scale, c.role, c.verdict.clone()),
        (
            Scale::Ratio,
            Role::Exploratory,
            Verdict::ToldApart { better: 1 }
        )
    );
    assert_eq!(c.test.as_ref().unwrap().adjustment, "bh");
    assert_eq!(c.better, [0, 12, 0]);
}

#[test]
fn skipped_models_and_partial_runs_are_said() {
    let mut run = testkit::run(
        &[
            ("a", scores(&[5.0; 8])),
            ("big", scores(&[5.0; 8])),
            ("late", scores(&[5.0; 8])),
        ],
        1,
    );
    let planned = &run.models[1].planned;
    let over = SkipReason::OverBudget {
        estimate: planned.estimate.unwrap(),
        budget: Bytes(1_000),
    };
    run.models[1].status = ModelStatus::Skipped(over.clone());
    run.models[2].status = ModelStatus::Waiting;
    run.models[0].status = ModelStatus::Started;
    run.samples
        .retain(|s| s.key.model == testkit::id("a") && s.sequence < 5);
    run.status = RunStatus::Cancelled;
    let r = report(&run);
    assert!(!r.complete);
    assert_eq!(
        (r.models[0].tally.planned, r.models[0].tally.not_run),
        (8, 3)
    );
    let skipped: Vec<(&str, bool)> = r
        .skipped
        .iter()
        .map(|s| (s.label.as_str(), s.reason.is_some()))
        .collect();
    assert_eq!(skipped, [("big", true), ("late", false)]);
    assert_eq!(r.skipped[0].reason, Some(over));
    assert_eq!(
        r.warnings[0],
        Warning::Incomplete {
            status: RunStatus::Cancelled,
            recorded: 5,
            planned: 16
        }
    );
    assert!(matches!(&r.next, NextStep::Resume { argv } if argv[1] == "run"));
    let none = RunRecord {
        samples: Vec::new(),
        ..run
    };
    assert!(report(&none).models.is_empty());
}

#[test]
fn the_machine_and_old_prices_are_warned_of() {
    let mut run = testkit::run(&[("m", scores(&[5.0; 20]))], 1);
    run.header.engine = "mock".to_owned();
    run.header.host.thermal = Some("heavy".to_owned());
    run.header.host.power_source = Some("battery".to_owned());
    run.header.host.load_average = Some(12.0);
    run.header.suite.primary = "ttft_ms_p50".to_owned();
    run.header.budget = Bytes(1_000_000_000);
    run.models[0].peak = Some(Bytes(4_000_000_000));
    let mut prices = testkit::prices();
    prices.cloud[0].as_of = "2026-08-23".to_owned();
    let codes: Vec<&str> = analyse(&run, &prices, &options())
        .warnings
        .iter()
        .map(Warning::code)
        .collect();
    assert_eq!(
        codes,
        [
            "mock_engine",
            "over_budget",
            "primary_not_usable",
            "thermal",
            "on_battery",
            "busy_machine",
            "estimate_too_low",
            "old_price",
            "local_token_counts"
        ]
    );
    prices.cloud[0].as_of = "2026-08-24".to_owned();
    assert!(
        !analyse(&run, &prices, &options())
            .warnings
            .iter()
            .any(|w| w.code() == "old_price")
    );
    prices.utilisation = 0.0;
    let bad = analyse(&run, &prices, &options());
    assert_eq!(bad.warnings.last().unwrap().code(), "bad_prices");
    assert_eq!(
        bad.models[0]
            .value("local_usd_per_1k")
            .unwrap()
            .absence()
            .unwrap()
            .code(),
        "price_card"
    );
}

#[test]
fn drift_outliers_and_slow_starts_are_seen() {
    let steady = |tpot: u64| Spec::scored(5.0).timed(200, tpot, 11);
    let drifting: Vec<Spec> = (0..30).map(|i| steady(20 + i % 2 + i / 3)).collect();
    let mut spiky: Vec<Spec> = (0..30).map(|i| steady(20 + i % 3)).collect();
    spiky[9] = steady(400);
    spiky[0].ttft_ms = 2_000;
    let r = report(&testkit::run(
        &[("drifting", drifting), ("spiky", spiky)],
        1,
    ));
    let codes: Vec<&str> = r.warnings.iter().map(Warning::code).collect();
    assert_eq!(
        codes,
        [
            "drift",
            "slow_first",
            "latency_outliers",
            "local_token_counts"
        ]
    );
}

#[test]
fn models_with_one_name_stay_apart() {
    let mut run = testkit::run(
        &[("m-1b-x", scores(&[5.0; 8])), ("twin", scores(&[6.0; 8]))],
        1,
    );
    run.models[1].planned.name = "m-1b-x".to_owned();
    let r = report(&run);
    assert_ne!(r.models[0].label, r.models[1].label);
    assert!(
        r.models
            .iter()
            .all(|m| m.label.starts_with("m-1b-x (") && m.short == m.label)
    );
    assert!(matches!(&r.next, NextStep::Everything { .. }));
}

#[test]
fn what_fits_together_is_counted_from_the_best_on() {
    let r = report(&testkit::three_models());
    let together = r.fit.together.as_ref().unwrap();
    assert_eq!(
        (together.models.as_slice(), together.bytes),
        ([0, 1, 2].as_slice(), Bytes(10_000_000_000))
    );
    let mut run = testkit::three_models();
    run.header.budget = Bytes(9_900_000_000);
    assert_eq!(report(&run).fit.together.unwrap().models, [0, 1]);
    run.header.budget = Bytes(5_000_000_000);
    let small = report(&run).fit;
    assert_eq!(
        (small.together, small.models[0].fits, small.models[2].fits),
        (None, Some(false), Some(true))
    );
}

#[test]
fn two_runs_compare_by_content() {
    let a = testkit::run(&[("m", scores(&[5.0, 6.0, 7.0, 8.0, 9.0, 4.0, 3.0]))], 1);
    let mut b = testkit::run(
        &[("m", scores(&[4.0, 6.5, 6.0, 8.0, 8.0, 4.5, 1.0, 9.0]))],
        1,
    );
    b.samples
        .iter_mut()
        .for_each(|s| s.key.sample = format!("renamed-{}", s.key.sample));
    let left = Observed::of_run(&a, "m").unwrap();
    let right = Observed::of_run(&b, "m").unwrap();
    let pair = compare(&left, &right, &options()).unwrap();
    assert_eq!((pair.prompts, pair.unmatched), (7, 1));
    near(
        pair.comparison("score").unwrap().value.point().unwrap(),
        4.0 / 7.0,
    );
    let missing = Observed::of_run(&a, "mm").unwrap_err();
    assert!(matches!(missing, AnalysisError::UnknownModel { .. }));
    b.samples
        .iter_mut()
        .for_each(|s| s.content = crate::record::Digest::of(s.key.sample.as_bytes()));
    let right = Observed::of_run(&b, "m").unwrap();
    assert!(matches!(
        compare(&left, &right, &options()),
        Err(AnalysisError::NothingInCommon { prompts_b: 8, .. })
    ));
    let by_id = Observed::of_run(&a, testkit::id("m").short()).unwrap();
    assert!(compare(&left, &by_id, &options()).is_ok());
    let bad = AnalysisOptions {
        level: 95.0,
        ..options()
    };
    assert_eq!(
        compare(&left, &left, &bad),
        Err(AnalysisError::BadLevel { level: 95.0 })
    );
}

#[test]
fn a_report_agrees_with_its_rows_and_a_changed_one_does_not() {
    let run = testkit::three_models();
    let mut r = report(&run);
    assert_eq!(verify(&run, &r), Ok(()));
    let mut changed = run.clone();
    let last = changed.samples.len() - 1;
    changed.samples[last].score.score = Some(0.25);
    let error = verify(&changed, &r).unwrap_err().to_string();
    assert!(
        error.starts_with("`score` of `gemma-3-4b-it-q4_k_m` is reported as "),
        "{error}"
    );
    changed.samples.pop();
    assert!(
        verify(&changed, &r)
            .unwrap_err()
            .to_string()
            .starts_with("`recorded samples` of `the run`")
    );
    let position = r.models[0]
        .figures
        .iter()
        .position(|f| f.metric.id == "ttft_ms_p50")
        .unwrap();
    r.models[0].figures[position].value = Absence::NoGenerations.into();
    assert!(
        verify(&run, &r)
            .unwrap_err()
            .to_string()
            .contains("reported as absent")
    );
}

/// A run with replicates and failures, its samples in the order of `keys`.
fn shuffled(keys: &[u32]) -> RunRecord {
    let specs = |salt: u32| {
        (0..12)
            .map(|i| match (i + salt) % 11 {
                0 => Spec::failed(FailureKind::Engine),
                1 => Spec::unscored(),
                k => Spec::scored(f64::from(k) * 0.73).timed(
                    u64::from(100 + k * 13),
                    u64::from(7 + k),
                    5 + k,
                ),
            })
            .collect::<Vec<_>>()
    };
    let mut run = testkit::run(&[("a", specs(0)), ("b", specs(4))], 2);
    let mut order: Vec<usize> = (0..run.samples.len()).collect();
    order.sort_by_key(|&i| keys[i]);
    run.samples = order.into_iter().map(|i| run.samples[i].clone()).collect();
    run
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_order_of_samples_does_not_matter(keys in proptest::collection::vec(any::<u32>(), 24)) {
        let straight: Vec<u32> = (0..24).collect();
        prop_assert_eq!(report(&shuffled(&keys)), report(&shuffled(&straight)));
    }

    #[test]
    fn any_scores_give_a_report_that_verifies(
        scores in proptest::collection::vec(proptest::option::of(0.0..=10.0_f64), 1..40),
        level in 0.5..0.999_f64,
    ) {
        let specs: Vec<Spec> = scores.iter().map(|s| s.map_or_else(Spec::unscored, Spec::scored)).collect();
        let run = testkit::run(&[("a", specs.clone()), ("b", specs)], 1);
        let r = analyse(&run, &testkit::prices(), &AnalysisOptions { level, ..options() });
        prop_assert_eq!(verify(&run, &r), Ok(()));
        for m in &r.models {
            for f in &m.figures {
                if let Some(i) = f.value.measured().and_then(|v| v.interval) {
                    prop_assert!(i.lower.is_none_or(f64::is_finite) && i.upper.is_none_or(f64::is_finite));
                }
            }
        }
    }
}
