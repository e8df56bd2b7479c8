//! Questions and texts through the analysis: numbers worked out by hand, and what must not be mixed.

use super::gate::{
    Amount, Gate, GateInput, GateOptions, GateReason, GateVerdict, MarginOrigin, gate,
};
use super::testkit::{self, quiz};
use super::*;
use crate::record::{ChoiceMetric, Digest, Outcome, RunRecord, Scoring, TaskKind};
use std::collections::BTreeMap;

fn report(run: &RunRecord) -> ReportModel {
    analyse(run, &testkit::prices(), &AnalysisOptions::default())
}

fn model<'r>(report: &'r ReportModel, name: &str) -> &'r ModelReport {
    report.models.iter().find(|m| m.label == name).unwrap()
}

fn point(report: &ReportModel, name: &str, id: &str) -> f64 {
    model(report, name).value(id).unwrap().point().unwrap()
}

fn near(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 1e-5 * expected.abs(),
        "{found} {expected}"
    );
}

#[test]
fn accuracies_and_perplexities_are_those_worked_out_by_hand() {
    let r = report(&quiz());
    for (id, strong, weak) in [
        ("acc", 7.0 / 8.0, 4.0 / 8.0),
        ("acc_norm", 6.0 / 8.0, 3.0 / 8.0),
        ("acc_bytes", 6.0 / 8.0, 3.0 / 8.0),
        // 584 nats over 8 texts of 100 bytes; 565.96 over 7.
        (
            "bits_per_byte",
            584.0 / 800.0 / std::f64::consts::LN_2,
            565.96 / 700.0 / std::f64::consts::LN_2,
        ),
        (
            "token_perplexity",
            (584.0_f64 / 200.0).exp(),
            (565.96_f64 / 175.0).exp(),
        ),
        (
            "word_perplexity",
            (584.0_f64 / 160.0).exp(),
            (565.96_f64 / 140.0).exp(),
        ),
        (
            "byte_perplexity",
            (584.0_f64 / 800.0).exp(),
            (565.96_f64 / 700.0).exp(),
        ),
    ] {
        near(point(&r, "strong", id), strong);
        near(point(&r, "weak", id), weak);
    }
    let measured = |id: &str| model(&r, "strong").measured(id).unwrap().clone();
    // Wilson for 7 of 8.
    let acc = measured("acc");
    let (low, high) = acc.interval.unwrap().bounds().unwrap();
    assert_eq!((acc.method, acc.n), ("wilson", 8));
    assert!(
        (low - 0.5291).abs() < 1e-4 && (high - 0.9776).abs() < 1e-4,
        "{low} {high}"
    );
    let bits = measured("bits_per_byte");
    assert_eq!((bits.method, bits.n), ("ratio-of-sums", 8));
    let token = measured("token_perplexity");
    assert_eq!(token.method, "exp-ratio-of-sums");
    let (low, high) = token.interval.unwrap().bounds().unwrap();
    // t(7) 2.3646 times sd(d) / sqrt(8) over 25 tokens: 66, 68, ... 80 have sd 4.8990.
    let half = 2.364_624 * 4.898_979 / 8.0_f64.sqrt() / 25.0;
    near(low, (584.0 / 200.0 - half).exp());
    near(high, (584.0 / 200.0 + half).exp());
    assert_eq!(
        model(&r, "strong")
            .value("acc_mutual_info")
            .unwrap()
            .absence(),
        Some(&Absence::NotMeasured("no task asks for mutual information"))
    );
}

#[test]
fn questions_count_in_score_and_pass_rate_and_texts_in_neither() {
    let r = report(&quiz());
    // 8 questions with 10 or 0 points and one answer with 10.
    near(point(&r, "strong", "score"), 80.0 / 9.0);
    near(point(&r, "strong", "pass_rate"), 8.0 / 9.0);
    near(point(&r, "weak", "pass_rate"), 5.0 / 9.0);
    let tally = &model(&r, "weak").tally;
    assert_eq!((tally.recorded, tally.failed, tally.unscored), (17, 1, 0));
    assert_eq!(
        (tally.count(Outcome::Measured), tally.count(Outcome::Error)),
        (7, 1)
    );
    near(point(&r, "weak", "failed_rate"), 1.0 / 17.0);
    near(point(&r, "weak", "measured_rate"), 7.0 / 17.0);
    // Times come from the one generation alone.
    assert_eq!(model(&r, "strong").measured("e2e_ms_mean").unwrap().n, 1);
    let slo = &model(&r, "strong").slos[0];
    assert_eq!((slo.within, slo.of), (1, 1));
    assert!(
        model(&r, "strong")
            .measured("local_usd_per_1k_passed")
            .is_some()
    );
    assert_eq!(
        (r.primary.id, r.models[0].label.as_str()),
        ("acc", "strong")
    );
    let told: Vec<String> = r.warnings.iter().map(ToString::to_string).collect();
    assert!(
        told.contains(
            &"weak: 1 of 8 texts failed; its perplexities are those of the others".to_owned()
        ),
        "{told:#?}"
    );
    assert_eq!(model(&r, "strong").bounds, None);
    let question = &model(&r, "strong")
        .samples
        .iter()
        .find(|s| s.passed == Some(false))
        .unwrap();
    assert_eq!(
        question.why.as_deref(),
        Some("`acc` takes choice 1, `a wrong one`, but 0, `right`, is right")
    );
}

#[test]
fn a_failed_question_is_wrong_and_bounds_the_accuracy() {
    let mut run = quiz();
    for sample in &mut run.samples {
        if sample.key.sample == "s-003" {
            sample.scoring = None;
            sample.failure = Some(crate::record::Failure {
                kind: crate::record::FailureKind::Crash,
                message: "it died".to_owned(),
            });
            sample.score.outcome = Outcome::Error;
            (sample.score.passed, sample.score.score) = (Some(false), Some(0.0));
        }
    }
    let r = report(&run);
    for id in ["acc", "acc_norm"] {
        let lost = if id == "acc" { 6.0 } else { 5.0 };
        near(point(&r, "strong", id), lost / 8.0);
    }
    let bounds = model(&r, "strong").bounds.as_ref().unwrap();
    assert_eq!((bounds.unanswered, bounds.of), (1, 8));
    near(bounds.as_wrong.point().unwrap(), 6.0 / 8.0);
    near(bounds.left_out.point().unwrap(), 6.0 / 7.0);
    verify(&run, &r).unwrap();
    verify_rows(&run).unwrap();
}

#[test]
fn tasks_have_the_numbers_of_their_kind() {
    let r = report(&quiz());
    let strong = model(&r, "strong");
    let task = |name: &str| strong.tasks.iter().find(|t| t.name == name).unwrap();
    assert_eq!(task("sums").value("acc").unwrap().point(), Some(0.75));
    assert_eq!(task("sums").deciding.map(|m| m.id), Some("acc"));
    assert!(task("sums").figure("bits_per_byte").is_none());
    assert!(
        task("texts")
            .value("bits_per_byte")
            .unwrap()
            .point()
            .is_some()
    );
    assert!(task("texts").figure("acc").is_none());
    assert_eq!(task("texts").deciding, None);
}

#[test]
fn models_are_compared_on_the_questions_and_texts_that_both_have() {
    let run = quiz();
    let r = report(&run);
    let pair = &r.pairs[0];
    let acc = pair.comparison("acc").unwrap();
    assert_eq!((acc.role, acc.better), (Role::Primary, [3, 0, 5]));
    near(acc.value.point().unwrap(), 3.0 / 8.0);
    assert_eq!(acc.test.as_ref().unwrap().method, "mcnemar-mid-p");
    let bits = pair.comparison("bits_per_byte").unwrap();
    assert_eq!(bits.better.iter().sum::<u64>(), 7);
    // The geometric mean of 1 / 1.14, 1 / 1.10, 1 / 1.12, ...
    let mean = (3.0 * 1.14_f64.ln() + 2.0 * 1.1_f64.ln() + 2.0 * 1.12_f64.ln()) / 7.0;
    near(bits.value.point().unwrap(), (-mean).exp());
    assert!(matches!(bits.verdict, Verdict::ToldApart { better: 0 }));
    assert!(pair.comparison("acc_mutual_info").is_none());
    assert_eq!(
        pair.comparison("byte_perplexity").unwrap().verdict,
        Verdict::Described
    );
    // Without questions and texts there are no rows of them.
    let plain = report(&testkit::three_models());
    assert!(
        plain
            .pairs
            .iter()
            .all(|p| p.comparison("acc").is_none() && p.comparison("bits_per_byte").is_none())
    );
}

fn set_tokenizers(run: &mut RunRecord, name: fn(usize) -> &'static [u8]) {
    for (at, model) in run.models.iter_mut().enumerate() {
        model.planned.tokenizer_digest = Some(Digest::of(name(at)));
    }
}

#[test]
fn perplexities_of_tokens_are_compared_within_one_tokenizer() {
    let mut run = quiz();
    set_tokenizers(&mut run, |_| b"same");
    assert!(
        report(&run).pairs[0]
            .comparison("token_perplexity")
            .is_some()
    );
    set_tokenizers(&mut run, |at| if at == 0 { b"one" } else { b"other" });
    assert!(
        report(&run).pairs[0]
            .comparison("token_perplexity")
            .is_none()
    );
    assert!(report(&run).pairs[0].comparison("bits_per_byte").is_some());
}

#[test]
fn reports_are_verified_against_the_log_probabilities() {
    let run = quiz();
    let r = report(&run);
    verify(&run, &r).unwrap();
    verify_rows(&run).unwrap();
    let refused = |change: fn(&mut Scoring)| {
        let mut other = run.clone();
        let found = other.samples.iter_mut().filter_map(|s| s.scoring.as_mut());
        found.for_each(change);
        (
            verify(&other, &r).map_err(|e| e.to_string()),
            verify_rows(&other).map_err(|e| e.to_string()),
        )
    };
    let (numbers, rows) = refused(|s| {
        if let Scoring::Choice(q) = s {
            q.answer = 1;
        }
    });
    assert_eq!(
        numbers.unwrap_err(),
        "`acc` of `strong` is reported as 0.875 but the raw rows give 0.125"
    );
    assert!(rows.unwrap_err().starts_with("`passed` of `sums/s-000`"));
    let (numbers, rows) = refused(|s| {
        if let Scoring::Text(t) = s {
            t.bytes += 1;
        }
    });
    assert!(
        numbers
            .unwrap_err()
            .starts_with("`bits_per_byte` of `strong` is reported as 1.05")
    );
    assert_eq!(rows, Ok(()));
    let mut judged = run.clone();
    let text = judged
        .samples
        .iter_mut()
        .find(|s| s.kind == TaskKind::Perplexity);
    text.unwrap().score.score = Some(5.0);
    assert_eq!(
        verify_rows(&judged).unwrap_err().to_string(),
        "`score` of `texts/s-008` is reported as 5 but the raw rows give absent"
    );
}

#[test]
fn mutual_information_is_reported_where_a_task_asks_for_it() {
    let mut run = quiz();
    for sample in &mut run.samples {
        if let Some(Scoring::Choice(q)) = &mut sample.scoring {
            // The wrong choice is likelier by itself by more than the questions make it.
            q.choices[0].unconditional = Some(vec![-20.0]);
            q.choices[1].unconditional = Some(vec![-4.0]);
        }
    }
    let r = report(&run);
    assert_eq!(point(&r, "weak", "acc_mutual_info"), 1.0);
    assert!(r.pairs[0].comparison("acc_mutual_info").is_some());
    for sample in &mut run.samples {
        if let Some(Scoring::Choice(q)) = &mut sample.scoring {
            q.metric = ChoiceMetric::AccMutualInfo;
            let right = q.is_right(ChoiceMetric::AccMutualInfo);
            sample.score.passed = right;
            sample.score.score = right.map(|r| if r { 10.0 } else { 0.0 });
            sample.score.outcome = Outcome::Correct;
        }
    }
    verify_rows(&run).unwrap();
}

#[test]
fn one_text_has_no_interval_and_says_why() {
    let mut run = quiz();
    run.samples
        .retain(|s| s.kind != TaskKind::Perplexity || s.key.sample == "s-008");
    let r = report(&run);
    let bits = model(&r, "strong").measured("bits_per_byte").unwrap();
    assert_eq!((bits.interval, bits.n), (None, 1));
    assert_eq!(
        bits.missing.as_ref().unwrap().to_string(),
        "`ratio-of-sums` needs at least 2 units but has 1"
    );
    // A part of a text that was not scored leaves no bytes to divide by.
    for sample in &mut run.samples {
        if let Some(Scoring::Text(t)) = &mut sample.scoring {
            t.text_tokens += 1;
        }
    }
    let r = report(&run);
    assert_eq!(
        model(&r, "strong")
            .value("bits_per_byte")
            .unwrap()
            .absence(),
        Some(&Absence::NotMeasured(
            "not every token of the texts was scored"
        ))
    );
    assert!(model(&r, "strong").measured("token_perplexity").is_some());
}

#[test]
fn windows_of_different_lengths_are_said() {
    let mut run = quiz();
    for sample in &mut run.samples {
        if let Some(Scoring::Text(t)) = &mut sample.scoring
            && sample.key.model == testkit::id("weak")
        {
            t.window = 512;
        }
    }
    let told: Vec<String> = report(&run)
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    let said = "weak read texts 512 tokens at a time, because its context ends there, and another model 2048: their perplexities cannot be compared";
    assert!(told.contains(&said.to_owned()), "{told:#?}");
    let sides = ["strong", "weak"].map(|m| Observed::of_run(&run, m).unwrap());
    let c = contrast(
        &sides[0],
        &sides[1],
        &testkit::prices(),
        &AnalysisOptions::default(),
    )
    .unwrap();
    assert!(
        c.cautions
            .contains(&ContrastCaution::WindowsDiffer { texts: 7 })
    );
    let gates = judge(&sides, &[("bits_per_byte", Amount::Ratio(1.5))]);
    assert!(matches!(
        gates.gates[0].reason,
        Some(GateReason::NotComparable { .. })
    ));
}

/// Sets the window of the texts whose place in the run is tested for.
fn set_windows(run: &mut RunRecord, model: &str, test: fn(u32) -> bool, window: u32) {
    for sample in &mut run.samples {
        if let Some(Scoring::Text(t)) = &mut sample.scoring
            && sample.key.model == testkit::id(model)
            && test(sample.sequence as u32)
        {
            t.window = window;
        }
    }
}

#[test]
fn windows_of_different_lengths_leave_no_verdict() {
    let mut run = quiz();
    set_windows(&mut run, "weak", |_| true, 512);
    let r = report(&run);
    let why = Absence::NotComparable("texts were read in windows of different lengths");
    for id in ["bits_per_byte", "token_perplexity", "word_perplexity"] {
        let c = r.pairs[0].comparison(id).unwrap();
        assert_eq!(c.value.absence(), Some(&why), "{id}");
        assert_eq!((&c.test, c.effect, c.better), (&None, None, [0; 3]), "{id}");
    }
    let bits = r.pairs[0].comparison("bits_per_byte").unwrap();
    assert_eq!(bits.verdict, Verdict::Untestable(why.clone()));
    // The questions are compared as ever.
    assert!(r.pairs[0].comparison("acc").unwrap().test.is_some());
    let sides = ["strong", "weak"].map(|m| Observed::of_run(&run, m).unwrap());
    let options = AnalysisOptions::default();
    let c = contrast(&sides[0], &sides[1], &testkit::prices(), &options).unwrap();
    let all = c.pair.comparisons.iter().chain(&c.pair.described);
    let (_, detail) = all
        .zip(&c.details)
        .find(|(c, _)| c.metric.id == "bits_per_byte")
        .unwrap();
    assert_eq!(detail.effect.absence(), Some(&why));
    assert!(detail.also.is_empty() && detail.sides[0].measured().is_some());
    // Nor are both equally good when bits decide.
    "bits_per_byte".clone_into(&mut run.header.suite.primary);
    assert_eq!(report(&run).leaders, [0, 1]);
}

#[test]
fn windows_are_compared_text_by_text() {
    let warned = |run: &RunRecord| {
        report(run).warnings.into_iter().find_map(|w| match w {
            Warning::WindowsDiffer {
                model,
                window,
                most,
            } => Some((model, window, most)),
            _ => None,
        })
    };
    let mut run = quiz();
    // Tasks with windows of their own, and one whose shortest text only one model could read.
    for model in ["strong", "weak"] {
        set_windows(&mut run, model, |at| at < 12, 256);
    }
    set_windows(&mut run, "strong", |at| at == 15, 64);
    assert_eq!(warned(&run), None);
    set_windows(&mut run, "weak", |at| at == 14, 1_024);
    assert_eq!(warned(&run), Some(("weak".to_owned(), 1_024, 2_048)));
}

/// Every question of both models is also scored without its question.
fn with_mutual_information(run: &mut RunRecord) {
    for sample in &mut run.samples {
        if let Some(Scoring::Choice(q)) = &mut sample.scoring {
            q.choices[0].unconditional = Some(vec![-20.0]);
            q.choices[1].unconditional = Some(vec![-4.0]);
        }
    }
}

#[test]
fn a_model_that_failed_every_question_of_a_task_is_wrong_in_all_of_them() {
    let mut run = quiz();
    with_mutual_information(&mut run);
    let weak = testkit::id("weak");
    for sample in &mut run.samples {
        if sample.key.task == "sums" && sample.key.model == weak {
            sample.scoring = None;
            (sample.score.outcome, sample.score.passed) = (Outcome::Error, Some(false));
        }
    }
    let id = "acc_mutual_info";
    let r = report(&run);
    let m = model(&r, "weak").measured(id).unwrap();
    assert_eq!((m.point, m.n), (0.5, 8));
    let sums = &model(&r, "weak").tasks;
    let sums = sums.iter().find(|t| t.name == "sums").unwrap();
    assert_eq!(sums.value(id).unwrap().point(), Some(0.0));
    let c = r.pairs[0].comparison(id).unwrap();
    assert_eq!((c.better, c.value.point()), ([4, 0, 4], Some(0.5)));
    // The same in any order in a run until it is resolved.
    let models = [testkit::id("strong"), weak];
    let mut forth = Sequential::new(id, 0.95, models);
    let mut back = forth.clone();
    run.samples.iter().for_each(|s| forth.observe(s));
    run.samples.iter().rev().for_each(|s| back.observe(s));
    let evidence = forth.evidence(None);
    assert_eq!((evidence.prompts, evidence.difference), (8, Some(0.5)));
    assert_eq!(back.evidence(None), evidence);
    // Where no question was scored without its question, a failure is nothing.
    for sample in &mut run.samples {
        if let Some(Scoring::Choice(q)) = &mut sample.scoring
            && sample.key.task == "sums"
        {
            q.choices.iter_mut().for_each(|c| c.unconditional = None);
        }
    }
    let mut none = Sequential::new(id, 0.95, [testkit::id("strong"), testkit::id("weak")]);
    run.samples.iter().for_each(|s| none.observe(s));
    assert_eq!(none.evidence(None).prompts, 4);
}

#[test]
fn a_perplexity_that_is_too_large_for_a_number_is_absent_and_still_compared() {
    let mut run = quiz();
    for sample in &mut run.samples {
        if let Some(Scoring::Text(t)) = &mut sample.scoring {
            // A language without blanks: 1,000 nats and more a word.
            t.words = 1;
            for x in &mut t.token_logprobs {
                *x *= 16.0;
            }
        }
    }
    let r = report(&run);
    for name in ["strong", "weak"] {
        let words = model(&r, name).value("word_perplexity").unwrap();
        assert_eq!(words.absence(), Some(&Absence::TooLarge), "{name}");
        let token = model(&r, name).measured("token_perplexity").unwrap();
        assert!(token.point.is_finite());
    }
    let c = r.pairs[0].comparison("word_perplexity").unwrap();
    let m = c.value.measured().unwrap();
    // Strong minus weak in nats is -16 * (0.10 to 0.14) * (66 to 78): about -136 a word.
    assert!(
        m.point.is_finite() && (m.point.ln() + 136.0).abs() < 10.0,
        "{}",
        m.point.ln()
    );
    assert_eq!(m.n, 7);
    let sides = ["strong", "weak"].map(|m| Observed::of_run(&run, m).unwrap());
    let options = AnalysisOptions::default();
    let c = contrast(&sides[0], &sides[1], &testkit::prices(), &options).unwrap();
    let all = c.pair.comparisons.iter().chain(&c.pair.described);
    let (_, detail) = all
        .zip(&c.details)
        .find(|(c, _)| c.metric.id == "word_perplexity")
        .unwrap();
    assert_eq!(detail.sides[0].absence(), Some(&Absence::TooLarge));
    let gates = judge(&sides, &[("word_perplexity", Amount::Ratio(1.02))]);
    assert_eq!(gates.gates[0].verdict, GateVerdict::Fail);
}

fn judge(sides: &[Observed; 2], gates: &[(&str, Amount)]) -> GateReport {
    let gates: Vec<Gate> = gates
        .iter()
        .map(|(id, amount)| Gate::new(id, *amount, MarginOrigin::Flag).unwrap())
        .collect();
    let input = GateInput {
        baseline: &sides[0],
        candidate: &sides[1],
        gates: &gates,
        unrecorded: 0,
        texts: &BTreeMap::new(),
    };
    let options = GateOptions {
        rule: GateRule::AllPass,
        allow_different_suite: false,
        allow_different_host: false,
    };
    gate(&input, options).unwrap()
}

#[test]
fn accuracies_and_perplexities_are_gated_on_their_own_prompts() {
    let run = quiz();
    let [strong, weak] = ["strong", "weak"].map(|m| Observed::of_run(&run, m).unwrap());
    let verdict = |sides: &[Observed; 2], id: &str, amount| {
        let report = judge(sides, &[(id, amount)]);
        let g = &report.gates[0];
        (g.verdict, g.prompts)
    };
    let same = [strong.clone(), strong.clone()];
    assert_eq!(
        verdict(&same, "acc", Amount::Number(0.05)),
        (GateVerdict::Pass, 8)
    );
    assert_eq!(
        verdict(&same, "bits_per_byte", Amount::Ratio(1.02)),
        (GateVerdict::Pass, 8)
    );
    let back = [weak.clone(), strong.clone()];
    assert_eq!(
        verdict(&back, "bits_per_byte", Amount::Ratio(1.02)),
        (GateVerdict::Pass, 7)
    );
    let mut whole = weak;
    whole.prompts.retain(|_, p| {
        p.epochs
            .iter()
            .all(|e| e.likelihood != Some(ObservedLikelihood::LostText))
    });
    let mut fewer = strong;
    fewer
        .prompts
        .retain(|key, _| whole.prompts.contains_key(key));
    let sides = [fewer, whole];
    assert_eq!(
        verdict(&sides, "bits_per_byte", Amount::Ratio(1.02)),
        (GateVerdict::Fail, 7)
    );
    assert_eq!(verdict(&sides, "acc", Amount::Number(0.01)).1, 8);
    // Score and pass rate leave the texts out, times the questions too.
    assert_eq!(verdict(&sides, "pass_rate", Amount::Number(0.9)).1, 9);
    assert_eq!(verdict(&sides, "ttft_ms_p50", Amount::Ratio(1.5)).1, 1);
}

#[test]
fn what_was_observed_survives_a_file_and_older_files_are_read() {
    let o = Observed::of_run(&quiz(), "weak").unwrap();
    assert_eq!(o.check(), Ok(()));
    let text = serde_json::to_string(&o).unwrap();
    assert_eq!(serde_json::from_str::<Observed>(&text).unwrap(), o);
    assert!(text.contains("\"lost_text\"") && text.contains("\"choice\""));
    let plain = Observed::of_run(&testkit::three_models(), "gemma-3-4b-it-q4_k_m").unwrap();
    let text = serde_json::to_string(&plain).unwrap();
    // A file of generations is what it was before there were questions.
    assert!(!text.contains("likelihood"));
}

#[test]
fn a_metric_without_bounds_cannot_be_looked_at_any_time() {
    let task = |kind, mutual_info| TaskFacts { kind, mutual_info };
    let questions = task(TaskKind::Choice, false);
    let texts = task(TaskKind::Perplexity, false);
    let all = [task(TaskKind::Generate, false), questions, texts];
    let refused = |metric| Err(AnalysisError::UnboundedPrimary { metric });
    for id in ["score", "pass_rate", "acc", "acc_norm"] {
        assert_eq!(Sequential::check(id, &all), Ok(()), "{id}");
        // Nothing is right or wrong about a text.
        assert_eq!(Sequential::check(id, &[texts]), refused(id));
    }
    for id in ["bits_per_byte", "token_perplexity", "word_perplexity"] {
        assert_eq!(Sequential::check(id, &all), refused(id));
    }
    let generated = [task(TaskKind::Generate, false), texts];
    assert_eq!(Sequential::check("score", &generated), Ok(()));
    assert_eq!(Sequential::check("score", &[questions]), Ok(()));
    assert_eq!(Sequential::check("acc", &generated), refused("acc"));
    let id = "acc_mutual_info";
    assert_eq!(Sequential::check(id, &all), refused(id));
    let asked = [texts, task(TaskKind::Choice, true)];
    assert_eq!(Sequential::check(id, &asked), Ok(()));
    let run = quiz();
    let models = [testkit::id("strong"), testkit::id("weak")];
    let mut rule = Sequential::new("acc", 0.95, models);
    run.samples.iter().for_each(|s| rule.observe(s));
    let evidence = rule.evidence(None);
    assert_eq!((evidence.prompts, evidence.difference), (8, Some(0.375)));
}
