//! Accuracies against lm-evaluation-harness, its own log-probabilities in and its own verdicts out; windows of a text against the script
//! whose sums `real_perplexity` is held against.

use crate::real_models::MODELS;
use evalh::engine::ScoreRequest;
use evalh::record::{ChoiceMetric, ChoiceScore, ChoiceScoring, Digest, Outcome, Scoring};
use evalh::runner::{Text, windows};
use evalh::scorer::score_likelihood;
use evalh::suite::WindowPlan;
use serde_json::Value;
use std::collections::BTreeMap;

/// Tokens the model reads at once, and from one window to the next where they overlap, in `make.py`.
pub(crate) const LENGTH: usize = 512;
const STRIDE: usize = 256;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn golden(name: &str) -> String {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The questions with the log-probabilities that the harness computed in float32, by `doc_id`.
fn questions(model: &str, metric: ChoiceMetric) -> BTreeMap<u64, ChoiceScoring> {
    let scores: Vec<Value> =
        serde_json::from_str(&golden(&format!("{model}_arc_easy_f32.json"))).unwrap();
    let mut out = BTreeMap::new();
    let rows = lines(&golden("arc_easy_5shot_100.jsonl"));
    assert_eq!((rows.len(), scores.len()), (399, 399));
    for (row, score) in rows.iter().zip(&scores) {
        let doc = row["doc_id"].as_u64().unwrap();
        assert_eq!((&row["doc_id"], &row["idx"]), (&score[0], &score[1]));
        let question = out.entry(doc).or_insert_with(|| ChoiceScoring {
            answer: row["label"].as_u64().unwrap() as u32,
            metric,
            prompt_tokens: 1,
            prompt_digest: Digest::of(b""),
            choices: Vec::new(),
        });
        let continuation = row["continuation"].as_str().unwrap();
        question.choices.push(ChoiceScore {
            text: continuation.strip_prefix(' ').unwrap().to_owned(),
            token_logprobs: vec![score[3].as_f64().unwrap() as f32],
            greedy: score[4].as_bool().unwrap(),
            unconditional: None,
        });
    }
    out
}

/// The deciding metric of a question, as the scorer applies it.
fn passes(question: &ChoiceScoring) -> bool {
    let score = score_likelihood(&Scoring::Choice(question.clone()));
    assert_eq!(
        score.passed == Some(true),
        score.outcome == Outcome::Correct
    );
    score.passed.unwrap()
}

#[test]
fn accuracies_are_those_of_the_harness_question_by_question() {
    for (model, acc, acc_norm) in [
        ("smollm2-135m-instruct-q4_1", 60, 63),
        ("gemma-3-270m-q4_k_m", 54, 65),
    ] {
        let told = lines(&golden(&format!("samples_arc_easy_{model}.jsonl")));
        assert_eq!(told.len(), 100);
        for (name, metric, expected) in [
            ("acc", ChoiceMetric::Acc, acc),
            ("acc_norm", ChoiceMetric::AccNorm, acc_norm),
        ] {
            let questions = questions(model, metric);
            let right = questions.values().filter(|q| passes(q)).count();
            assert_eq!(right, expected, "{model} {name}");
            for sample in &told {
                let question = &questions[&sample["doc_id"].as_u64().unwrap()];
                let theirs = sample[name].as_f64().unwrap() == 1.0;
                assert_eq!(passes(question), theirs, "{model} {name} {sample}");
            }
        }
    }
}

#[test]
fn bytes_decide_like_characters_where_every_character_is_a_byte() {
    for model in ["smollm2-135m-instruct-q4_1", "gemma-3-270m-q4_k_m"] {
        let questions = questions(model, ChoiceMetric::AccBytes);
        let ascii = |q: &&ChoiceScoring| q.choices.iter().all(|c| c.text.is_ascii());
        let plain: Vec<&ChoiceScoring> = questions.values().filter(ascii).collect();
        assert!(plain.len() > 90, "{}", plain.len());
        for q in plain {
            assert_eq!(
                q.picked(ChoiceMetric::AccBytes),
                q.picked(ChoiceMetric::AccNorm)
            );
        }
    }
}

/// What `perplexity/make.py` stored of a model.
pub(crate) fn perplexities(model: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/perplexity");
    let text = std::fs::read_to_string(format!("{folder}/{model}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    let all = value.as_array().unwrap().iter();
    all.map(|id| id.as_u64().unwrap() as u32).collect()
}

/// The windows that `make.py` stored: what is read before the scored tokens, and these.
fn stored(golden: &Value, plan: WindowPlan) -> Vec<ScoreRequest> {
    let all = ids(&golden["ids"]);
    let windows = golden["plans"][plan.as_str()]["windows"].as_array();
    let window = |w: &Value| {
        let [from, to, scored] = [1, 2, 3].map(|i| w[i].as_u64().unwrap() as usize);
        ScoreRequest {
            context: [ids(&w[0]).as_slice(), &all[from..scored]].concat(),
            continuation: all[scored..to].to_vec(),
        }
    };
    windows.unwrap().iter().map(window).collect()
}

/// The begin token of each model, and whether it stands in front of every text.
fn begin(model: &str) -> (u32, bool) {
    match model {
        "smollm2-135m-instruct-q4_1" => (1, false),
        "gemma-3-270m-q4_k_m" => (2, true),
        other => panic!("no begin token is known of {other}"),
    }
}

/// The same windows by the code that the runner uses.
pub(crate) fn own_windows(golden: &Value, model: &str, plan: WindowPlan) -> Vec<ScoreRequest> {
    let all = ids(&golden["ids"]);
    let (begin, begins) = begin(model);
    let text = Text {
        ids: &all[usize::from(begins)..],
        begin,
        begins,
    };
    windows(plan, &text, LENGTH, STRIDE)
}

#[test]
fn windows_are_those_of_the_reference() {
    for model in MODELS {
        let golden = perplexities(model);
        for plan in WindowPlan::ALL {
            assert_eq!(
                own_windows(&golden, model, plan),
                stored(&golden, plan),
                "{model} {}",
                plan.as_str()
            );
        }
    }
}
