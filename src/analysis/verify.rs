//! A report against the raw rows, by other code than the code that made it.
//!
//! Points and counts are computed again in the plainest way: loops over the samples, no shared helpers. A report that disagrees was made
//! from other rows, by another version, or by a bug.

use super::error::AnalysisError;
use super::model::{ModelReport, ReportModel};
use crate::record::{Digest, Generation, RunRecord, SampleRecord, Scoring, TaskKind};
use std::collections::BTreeMap;

/// Sums in another order differ in the last digits only.
const TOLERANCE: f64 = 1e-9;

/// Computes the points and counts of a report again from the raw rows.
///
/// # Errors
/// The first number that differs, with both values.
pub fn verify(run: &RunRecord, report: &ReportModel) -> Result<(), AnalysisError> {
    let recorded: u64 = report.models.iter().map(|m| m.tally.recorded).sum();
    let unknown = run.samples.len() as u64;
    same_count("the run", "recorded samples", recorded, unknown)?;
    for model in &report.models {
        let samples: Vec<&SampleRecord> = run
            .samples
            .iter()
            .filter(|s| s.key.model == model.id)
            .collect();
        counts(model, &samples)?;
        points(model, &samples)?;
    }
    Ok(())
}

fn same_count(
    model: &str,
    metric: &str,
    reported: u64,
    recomputed: u64,
) -> Result<(), AnalysisError> {
    if reported == recomputed {
        return Ok(());
    }
    Err(AnalysisError::Differs {
        model: model.to_owned(),
        metric: metric.to_owned(),
        reported: reported.to_string(),
        recomputed: recomputed.to_string(),
    })
}

fn counts(model: &ModelReport, samples: &[&SampleRecord]) -> Result<(), AnalysisError> {
    let label = &model.label;
    same_count(
        label,
        "recorded samples",
        model.tally.recorded,
        samples.len() as u64,
    )?;
    for (outcome, count) in &model.tally.outcomes {
        let again = samples
            .iter()
            .filter(|s| s.score.outcome == *outcome)
            .count() as u64;
        same_count(label, outcome.as_str(), *count, again)?;
    }
    let failed = samples.iter().filter(|s| s.failure.is_some()).count() as u64;
    same_count(label, "failed samples", model.tally.failed, failed)
}

/// Adds the plain means and ratios, and the median time to first token.
fn points(model: &ModelReport, samples: &[&SampleRecord]) -> Result<(), AnalysisError> {
    let check = |id: &str, again: Option<f64>| same_point(model, id, again);
    check("score", mean_of_means(samples, |s| s.score.score))?;
    check("pass_rate", share(samples, |s| s.score.passed))?;
    check("failed_rate", share(samples, |s| Some(s.failure.is_some())))?;
    check(
        "e2e_ms_mean",
        mean_of_means(samples, |s| {
            Some(s.generation.as_ref()?.timing.total.as_secs_f64() * 1e3)
        }),
    )?;
    let tokens = |g: &Generation| f64::from(g.completion_tokens());
    check(
        "completion_tokens_mean",
        mean_of_means(samples, |s| s.generation.as_ref().map(tokens)),
    )?;
    for (id, per_character) in [("acc", false), ("acc_norm", true)] {
        check(id, accuracy(samples, per_character))?;
    }
    check("bits_per_byte", bits_per_byte(samples))?;
    check("decode_tps", decode_speed(samples))?;
    thoughts(model, samples)?;
    check("ttft_ms_p50", median_first_token(samples))
}

/// What was written before the answers, of a model that has thoughts at all.
fn thoughts(model: &ModelReport, samples: &[&SampleRecord]) -> Result<(), AnalysisError> {
    let before = |g: &Generation| g.reasoning.map_or(0, |r| r.tokens);
    let generations = || samples.iter().filter_map(|s| s.generation.as_ref());
    let any = generations().any(|g| before(g) > 0);
    let mean = mean_of_means(samples, |s| {
        s.generation.as_ref().map(|g| f64::from(before(g)))
    });
    same_point(model, "reasoning_tokens_mean", mean.filter(|_| any))?;
    let tokens: f64 = generations().map(|g| f64::from(before(g))).sum();
    let all: f64 = generations().map(|g| g.token_ids.len() as f64).sum();
    same_point(model, "reasoning_share", any.then(|| tokens / all))?;
    let begin = |g: &Generation| {
        let at = g.timing.token_at.get(before(g) as usize)?;
        let silent = before(g) > 0 && g.reasoning?.answer_at as usize == g.completion.len();
        (!silent).then_some(at.as_secs_f64() * 1e3)
    };
    let times = generations().filter_map(begin).collect();
    same_point(model, "ttfa_ms_p50", median(times).filter(|_| any))
}

fn same_point(model: &ModelReport, id: &str, again: Option<f64>) -> Result<(), AnalysisError> {
    let reported = model.value(id).and_then(super::Value::point);
    let same = match (reported, again) {
        (Some(r), Some(a)) => (r - a).abs() <= TOLERANCE * r.abs().max(a.abs()).max(1e-12),
        (None, None) => true,
        _ => false,
    };
    if same {
        return Ok(());
    }
    let text = |v: Option<f64>| v.map_or_else(|| "absent".to_owned(), |x| x.to_string());
    Err(AnalysisError::Differs {
        model: model.label.clone(),
        metric: id.to_owned(),
        reported: text(reported),
        recomputed: text(again),
    })
}

/// Questions whose right choice has the highest sum, or the highest by character; a failed one is wrong.
fn accuracy(samples: &[&SampleRecord], per_character: bool) -> Option<f64> {
    let questions = samples.iter().filter(|s| s.kind == TaskKind::Choice);
    let (mut right, mut all) = (0.0, 0.0);
    for sample in questions {
        all += 1.0;
        let Some(Scoring::Choice(question)) = &sample.scoring else {
            continue;
        };
        let mut best = (0, f64::NEG_INFINITY);
        for (at, choice) in question.choices.iter().enumerate() {
            let mut value = 0.0;
            for logprob in &choice.token_logprobs {
                value += f64::from(*logprob);
            }
            if per_character {
                value /= choice.text.chars().count() as f64;
            }
            if value > best.1 {
                best = (at, value);
            }
        }
        if best.0 == question.answer as usize {
            right += 1.0;
        }
    }
    (all > 0.0).then(|| right / all)
}

/// Bits of all texts over their bytes; texts of which a part was not scored are left out.
fn bits_per_byte(samples: &[&SampleRecord]) -> Option<f64> {
    let (mut nats, mut bytes) = (0.0, 0.0);
    for sample in samples {
        if let Some(Scoring::Text(text)) = &sample.scoring
            && text.token_logprobs.len() == text.text_tokens as usize
        {
            nats -= text
                .token_logprobs
                .iter()
                .map(|x| f64::from(*x))
                .sum::<f64>();
            bytes += text.bytes as f64;
        }
    }
    (bytes > 0.0).then(|| nats / bytes / 2.0_f64.ln())
}

fn mean_of_means(
    samples: &[&SampleRecord],
    value: impl Fn(&SampleRecord) -> Option<f64>,
) -> Option<f64> {
    let mut prompts: BTreeMap<&Digest, (f64, f64)> = BTreeMap::new();
    for sample in samples {
        if let Some(v) = value(sample) {
            let entry = prompts.entry(&sample.content).or_insert((0.0, 0.0));
            *entry = (entry.0 + v, entry.1 + 1.0);
        }
    }
    let n = prompts.len() as f64;
    (n > 0.0).then(|| {
        prompts
            .values()
            .map(|(sum, count)| sum / count)
            .sum::<f64>()
            / n
    })
}

fn share(samples: &[&SampleRecord], value: impl Fn(&SampleRecord) -> Option<bool>) -> Option<f64> {
    let judged: Vec<bool> = samples.iter().filter_map(|s| value(s)).collect();
    let hits = judged.iter().filter(|hit| **hit).count() as f64;
    (!judged.is_empty()).then(|| hits / judged.len() as f64)
}

fn decode_speed(samples: &[&SampleRecord]) -> Option<f64> {
    let (mut steps, mut seconds) = (0.0, 0.0);
    for generation in samples.iter().filter_map(|s| s.generation.as_ref()) {
        if let [first, .., last] = generation.timing.token_at.as_slice()
            && last >= first
        {
            steps += (generation.timing.token_at.len() - 1) as f64;
            seconds += last.as_secs_f64() - first.as_secs_f64();
        }
    }
    (seconds > 0.0).then(|| steps / seconds)
}

fn median_first_token(samples: &[&SampleRecord]) -> Option<f64> {
    let times: Vec<f64> = samples
        .iter()
        .filter_map(|s| {
            Some(
                s.generation
                    .as_ref()?
                    .timing
                    .token_at
                    .first()?
                    .as_secs_f64()
                    * 1e3,
            )
        })
        .collect();
    median(times)
}

fn median(mut times: Vec<f64>) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    match times.len() {
        0 => None,
        n if n % 2 == 1 => Some(times[middle]),
        _ => Some(f64::midpoint(times[middle - 1], times[middle])),
    }
}
