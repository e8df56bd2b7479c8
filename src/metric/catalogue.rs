//! The table of metrics: one line a metric, in the order they are printed.

use super::error::MetricError;
use super::latency::LatencyFamily;
use super::model::Direction::{self, Higher, Lower, Neutral};
use super::model::Group::{self, Cost, Latency, Quality, Reliability, Resources, Throughput};
use super::model::IntervalKind::{
    self, ExpRatioOfSums, LowerBound, PromptMeans, Proportion, Quantile, RatioOfSums,
};
use super::model::Level::{self, Model, Price, Slice};
use super::model::Metric;
use super::model::Unit::{
    self, Bytes, Milliseconds, Points, Ratio, Share, Tokens, TokensPerSecond,
};

/// Every metric, in the order they are printed.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    let families = LatencyFamily::ALL
        .into_iter()
        .flat_map(LatencyFamily::metrics);
    QUALITY
        .iter()
        .chain(families)
        .chain(SPEED)
        .chain(RESOURCES)
        .chain(RELIABILITY)
        .chain(COST)
}

/// The metric with this id.
///
/// # Errors
/// When the catalogue has no such id; the error names the nearest.
pub fn find(id: &str) -> Result<&'static Metric, MetricError> {
    all()
        .find(|m| m.id == id)
        .ok_or_else(|| MetricError::unknown(id))
}

#[expect(
    clippy::too_many_arguments,
    reason = "a row of the table, read as a row"
)]
const fn row(
    id: &'static str,
    title: &'static str,
    group: Group,
    unit: Unit,
    direction: Direction,
    level: Level,
    interval: IntervalKind,
    definition: &'static str,
    source: &'static str,
) -> Metric {
    Metric {
        id,
        title,
        group,
        unit,
        direction,
        level,
        definition,
        source,
        interval,
    }
}

const NONE: IntervalKind = IntervalKind::None;

#[rustfmt::skip] // a row stays a row
static QUALITY: &[Metric] = &[
    row("score", "Quality", Quality, Points, Higher, Slice, PromptMeans, "Mean over prompts of the composite score, 0 to 10; a failed sample counts 0. A question with choices has 10 or 0, a text is left out.", "score.score"),
    row("score_p50", "Quality, median prompt", Quality, Points, Higher, Model, Quantile, "Median over prompts of the prompt's mean score.", "score.score"),
    row("pass_rate", "Pass rate", Quality, Share, Higher, Slice, Proportion, "Share of samples whose required checks all pass; failed, unparsed, empty, truncated and refused samples do not pass. Of questions with choices those answered rightly by their deciding metric; texts are left out.", "score.passed"),
    row("pass_rate_answered", "Pass rate of answered samples", Quality, Share, Higher, Model, Proportion, "Pass rate with unparsed, empty, truncated, refused and failed samples left out; an upper view beside `pass_rate`, never in its place.", "score.outcome"),
    row("acc", "Accuracy", Quality, Share, Higher, Slice, Proportion, "Share of questions whose right choice has the highest sum of log-probabilities; the first of equal ones is taken, a failed question is wrong.", "scoring.choices"),
    row("acc_norm", "Accuracy by character", Quality, Share, Higher, Slice, Proportion, "As `acc`, with each sum over the characters of its choice.", "scoring.choices"),
    row("acc_bytes", "Accuracy by byte", Quality, Share, Higher, Slice, Proportion, "As `acc`, with each sum over the UTF-8 bytes of its choice.", "scoring.choices"),
    row("acc_mutual_info", "Accuracy by mutual information", Quality, Share, Higher, Slice, Proportion, "As `acc`, with each sum less that of the choice without its question; only where a task asks for it.", "scoring.choices"),
    row("bits_per_byte", "Bits for a byte of text", Quality, Unit::BitsPerByte, Lower, Slice, RatioOfSums, "Negative log-probability of the texts in bits over their UTF-8 bytes, summed over texts; comparable across tokenizers.", "scoring.text"),
    row("token_perplexity", "Perplexity of a token", Quality, Unit::Perplexity, Lower, Slice, ExpRatioOfSums, "e to the negative log-probability over the scored tokens, summed over texts; comparable only within one tokenizer.", "scoring.text"),
    row("word_perplexity", "Perplexity of a word", Quality, Unit::Perplexity, Lower, Slice, ExpRatioOfSums, "e to the negative log-probability over the words, summed over texts; a word is a run of characters between white space.", "scoring.text"),
    row("byte_perplexity", "Perplexity of a byte", Quality, Unit::Perplexity, Lower, Slice, ExpRatioOfSums, "e to the negative log-probability over the UTF-8 bytes, summed over texts.", "scoring.text"),
    row("check_pass_rate", "Required checks passed", Quality, Share, Higher, Model, RatioOfSums, "Required checks passed over required checks evaluated, summed over samples.", "score.checks"),
    row("checks_share", "Component: checks", Quality, Share, Higher, Model, PromptMeans, "Mean over prompts of the checks component; samples without a generation are left out.", "score.components"),
    row("facts_share", "Component: facts", Quality, Share, Higher, Model, PromptMeans, "Mean over prompts of the facts component; samples without a generation are left out.", "score.components"),
    row("form_share", "Component: form", Quality, Share, Higher, Model, PromptMeans, "Mean over prompts of the form component; samples without a generation are left out.", "score.components"),
    row("score_sd_epochs", "Spread between epochs", Quality, Points, Lower, Model, NONE, "Pooled standard deviation of the score between epochs of one prompt; needs 2 epochs.", "score.score"),
    row("answer_logprob_mean", "Log-probability of an answer token", Quality, Unit::Nats, Neutral, Model, PromptMeans, "Mean natural log-probability of the tokens of the answer, thoughts left out; comparable only within one tokenizer.", "generation.logprobs"),
];

#[rustfmt::skip] // a row stays a row
static SPEED: &[Metric] = &[
    row("itl_jitter", "Jitter", Latency, Ratio, Lower, Model, NONE, "p99 over p50 of the inter-token gaps.", "timing.token_at"),
    row("first_request_ratio", "First request over median", Latency, Ratio, Lower, Model, NONE, "TTFT of the first measured request over the median TTFT; well above 1 means the warm-up was too short.", "timing.token_at[0]"),
    row("ttft_slo_share", "First tokens in time", Latency, Share, Higher, Model, LowerBound, "Share of samples whose first token came within the limit; a failed sample misses it.", "timing.token_at[0]"),
    row("tpot_slo_share", "Tokens in time", Latency, Share, Higher, Model, LowerBound, "Share of samples whose time per output token is within the limit; a failed sample misses it, one below 2 tokens is left out.", "timing.token_at"),
    row("e2e_slo_share", "Answers in time", Latency, Share, Higher, Model, LowerBound, "Share of samples that were complete within the limit; a failed sample misses it.", "timing.total"),
    row("load_ms", "Load time", Latency, Milliseconds, Lower, Model, NONE, "Start of loading until the first token is possible, warm-up excluded; one load a run.", "loaded.load"),
    row("decode_tps", "Decode speed", Throughput, TokensPerSecond, Higher, Model, RatioOfSums, "Tokens after the first over decode time, summed over requests.", "timing.token_at"),
    row("prefill_tps", "Prefill speed", Throughput, TokensPerSecond, Higher, Model, RatioOfSums, "Prompt tokens over prefill time, summed over requests; higher when prefixes were shared.", "prompt_tokens, timing.prefill"),
    row("e2e_tps", "End-to-end speed", Throughput, TokensPerSecond, Higher, Model, RatioOfSums, "Generated tokens over end-to-end time, summed over requests.", "token_ids, timing.total"),
    row("e2e_cps", "End-to-end speed in characters", Throughput, Unit::CharactersPerSecond, Higher, Model, RatioOfSums, "Characters of the completions over end-to-end time, summed; comparable across tokenizers.", "completion, timing.total"),
    row("requests_per_min", "Requests a minute", Throughput, Unit::RequestsPerMinute, Higher, Model, RatioOfSums, "Generations over end-to-end time, one request at a time.", "timing.total"),
    row("goodput_per_min", "Good requests a minute", Throughput, Unit::RequestsPerMinute, Higher, Model, RatioOfSums, "Generations within every limit asked for, over the end-to-end time of all.", "timing"),
    row("sustained_ratio", "Sustained speed", Throughput, Ratio, Higher, Model, NONE, "Median decode speed of the last third of the requests over that of the first third; needs 9 requests.", "timing.token_at, sequence"),
    row("prompt_tokens_mean", "Prompt length", Throughput, Tokens, Neutral, Model, PromptMeans, "Mean over prompts of the prompt's tokens, BOS included.", "prompt_tokens"),
    row("completion_tokens_mean", "Answer length", Throughput, Tokens, Neutral, Slice, PromptMeans, "Mean over prompts of the generated tokens, the ending one included.", "token_ids"),
    row("completion_words_mean", "Answer length in words", Throughput, Unit::Words, Neutral, Model, PromptMeans, "Mean over prompts of the words of the answer, thoughts in front of it left out.", "completion, reasoning"),
    row("reasoning_tokens_mean", "Tokens before the answer", Throughput, Tokens, Neutral, Model, PromptMeans, "Mean over prompts of the generated tokens before the first of the answer: thoughts and their markers. Absent where no generation has thoughts.", "reasoning"),
    row("reasoning_share", "Tokens before the answer, share", Throughput, Share, Neutral, Model, RatioOfSums, "Generated tokens before the first of the answer over generated tokens, summed over requests. Absent where no generation has thoughts.", "reasoning, token_ids"),
];

#[rustfmt::skip] // a row stays a row
static RESOURCES: &[Metric] = &[
    row("peak_bytes", "Peak memory", Resources, Bytes, Lower, Model, NONE, "Highest memory of the process that hosts the model while it is loaded.", "peak"),
    row("estimate_bytes", "Estimated memory", Resources, Bytes, Lower, Model, NONE, "Weights, key/value cache, activations and overhead as estimated before loading.", "estimate"),
    row("estimate_ratio", "Peak over estimate", Resources, Ratio, Neutral, Model, NONE, "Measured peak over the estimate; above 1 the estimate was too low.", "peak, estimate"),
    row("file_bytes", "Model file", Resources, Bytes, Lower, Model, NONE, "Size of the weight file.", "file_bytes"),
    row("memory_overhead", "Peak over file", Resources, Ratio, Lower, Model, NONE, "Measured peak over the size of the weight file.", "peak, file_bytes"),
    row("file_bytes_per_parameter", "Bytes a parameter", Resources, Unit::BytesPerParameter, Neutral, Model, NONE, "Size of the weight file over its number of parameters.", "file_bytes, parameters"),
];

#[rustfmt::skip] // a row stays a row
static RELIABILITY: &[Metric] = &[
    row("correct_rate", "Correct", Reliability, Share, Higher, Model, Proportion, "Share of samples where all required checks passed.", "score.outcome"),
    row("incorrect_rate", "Incorrect", Reliability, Share, Lower, Model, Proportion, "Share of samples with an answer that failed a required check.", "score.outcome"),
    row("unparsed_rate", "Unparsed", Reliability, Share, Lower, Model, Proportion, "Share of samples without an answer of the form a required check needs.", "score.outcome"),
    row("empty_rate", "Empty", Reliability, Share, Lower, Model, Proportion, "Share of samples with an empty answer that no limit cut off.", "score.outcome"),
    row("truncated_rate", "Truncated", Reliability, Share, Lower, Model, Proportion, "Share of samples cut off at a limit that failed a required check or have no answer, as when the limit came within thoughts.", "score.outcome"),
    row("refused_rate", "Refused", Reliability, Share, Lower, Model, Proportion, "Share of samples the model declined and that failed a required check.", "score.outcome"),
    row("template_refused_rate", "Refused by the template", Reliability, Share, Lower, Model, Proportion, "Share of samples whose conversation the chat template refused.", "score.outcome"),
    row("timeout_rate", "Timed out", Reliability, Share, Lower, Model, Proportion, "Share of samples that ran out of time.", "score.outcome"),
    row("error_rate", "Engine errors", Reliability, Share, Lower, Model, Proportion, "Share of samples the engine failed on.", "score.outcome"),
    row("measured_rate", "Texts measured", Reliability, Share, Higher, Model, Proportion, "Share of samples that are texts whose log-likelihood was measured; nothing about them is right or wrong.", "score.outcome"),
    row("failed_rate", "Failed samples", Reliability, Share, Lower, Model, Proportion, "Share of samples with neither a generation nor log-likelihoods, whatever the reason.", "failure"),
    row("unscored_rate", "Unscored samples", Reliability, Share, Lower, Model, Proportion, "Share of samples that a check could not evaluate, so that they have no score or no verdict.", "score.score, score.passed"),
    row("cut_off_rate", "Answers cut off", Reliability, Share, Lower, Model, Proportion, "Share of generations that ended at the token limit or the context window, passed or not.", "finish"),
    row("loop_rate", "Repetition loops", Reliability, Share, Lower, Model, Proportion, "Share of generations in which more than half of the groups of 4 tokens among the last 200 are repeats; below 16 tokens none is judged.", "token_ids"),
    row("broken_text_rate", "Broken characters", Reliability, Share, Lower, Model, Proportion, "Share of generations with U+FFFD in the completion.", "completion"),
    row("identical_rate", "Prompts answered identically", Reliability, Share, Neutral, Model, Proportion, "Share of prompts whose epochs all gave the same completion; needs 2 epochs.", "completion"),
];

#[rustfmt::skip] // a row stays a row
static COST: &[Metric] = &[
    row("energy_j_per_task", "Energy", Cost, Unit::JoulesPerTask, Lower, Model, PromptMeans, "End-to-end seconds times the power draw of the price card; not measured at the wall.", "timing.total, price card"),
    row("energy_usd_per_1k", "Electricity", Cost, Unit::UsdPerThousandTasks, Lower, Model, PromptMeans, "Marginal cost: electricity alone for 1,000 tasks.", "timing.total, price card"),
    row("local_usd_per_1k", "Fully loaded", Cost, Unit::UsdPerThousandTasks, Lower, Model, PromptMeans, "Electricity and the hardware's price less resale, spread over its hours at the stated utilisation, for 1,000 tasks.", "timing.total, price card"),
    row("local_usd_per_1k_passed", "Fully loaded, passed tasks", Cost, Unit::UsdPerThousandTasks, Lower, Model, RatioOfSums, "Fully loaded cost of all tasks over the passed ones, for 1,000 of them.", "timing.total, score.passed, price card"),
    row("energy_usd_per_mtok", "Electricity, output tokens", Cost, Unit::UsdPerMillionTokens, Lower, Model, RatioOfSums, "Electricity of whole tasks for a million generated tokens.", "timing.total, token_ids, price card"),
    row("local_usd_per_mtok", "Fully loaded, output tokens", Cost, Unit::UsdPerMillionTokens, Lower, Model, RatioOfSums, "Fully loaded cost of whole tasks for a million generated tokens.", "timing.total, token_ids, price card"),
    row("hardware_usd_per_busy_hour", "Hardware an hour of work", Cost, Unit::UsdPerHour, Lower, Model, NONE, "(Price - resale) / (years x 8,760 h x utilisation).", "price card"),
    row("capacity_tasks_per_year", "Capacity", Cost, Unit::TasksPerYear, Higher, Model, NONE, "Tasks this machine could do in a year of work without a pause.", "timing.total"),
    row("cloud_usd_per_1k", "Cloud", Cost, Unit::UsdPerThousandTasks, Lower, Price, PromptMeans, "1,000 tasks at the cloud's price with the local tokenizer's counts of prompt and answer.", "prompt_tokens, token_ids, price card"),
    row("saving_marginal", "Saving, electricity alone", Cost, Share, Higher, Price, NONE, "1 - electricity / cloud; counts the hardware as free.", "price card"),
    row("saving_full", "Saving, fully loaded", Cost, Share, Higher, Price, NONE, "1 - fully loaded / cloud at the stated utilisation; negative when the cloud is cheaper.", "price card"),
    row("break_even_tasks_per_year", "Break-even", Cost, Unit::TasksPerYear, Lower, Price, NONE, "Yearly hardware cost / (cloud - electricity) per task; absent when the cloud costs no more than the electricity.", "price card"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_well_formed() {
        let ids: BTreeSet<&str> = all().map(|m| m.id).collect();
        assert_eq!(ids.len(), all().count());
        for m in all() {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            assert!(m.id.bytes().all(allowed), "{}", m.id);
            assert!(
                m.definition.ends_with('.') && !m.definition.contains('|'),
                "{}",
                m.id
            );
            assert!(!m.title.is_empty() && !m.source.is_empty(), "{}", m.id);
            assert_eq!(find(m.id), Ok(m));
        }
    }

    #[test]
    fn every_outcome_has_a_rate() {
        for outcome in crate::record::Outcome::ALL {
            assert!(
                find(&format!("{}_rate", outcome.as_str())).is_ok(),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn the_table_has_more_than_fifty_metrics() {
        assert!(all().count() >= 90, "{}", all().count());
    }
}
