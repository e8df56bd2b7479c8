//! One generation to its raw observations.
//!
//! Times are milliseconds as `f64`, exact for every duration below 104 days at nanosecond resolution. Times that run backwards (a clock
//! or a file that lies) give `None`, not a negative number.

use crate::record::{Finish, Generation};
use std::time::Duration;

/// A repetition loop is judged on this many last tokens.
const LOOP_WINDOW: usize = 200;
/// Below this many tokens no loop is judged: short answers repeat by chance.
const LOOP_LEAST: usize = 16;
/// Length of the token groups that are compared.
const LOOP_GROUP: usize = 4;

fn ms(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

fn span_ms(later: Duration, earlier: Duration) -> Option<f64> {
    later.checked_sub(earlier).map(ms)
}

/// Time to first token.
pub fn ttft_ms(generation: &Generation) -> Option<f64> {
    generation.timing.token_at.first().copied().map(ms)
}

/// Time to the first token of the answer; `None` without an answer.
pub fn first_answer_ms(generation: &Generation) -> Option<f64> {
    let first = generation.first_answer_token()?;
    generation.timing.token_at.get(first).copied().map(ms)
}

/// Last token minus first token; `None` below 2 tokens.
pub fn decode_ms(generation: &Generation) -> Option<f64> {
    match generation.timing.token_at.as_slice() {
        [first, .., last] => span_ms(*last, *first),
        _ => None,
    }
}

/// Decode time over tokens - 1; `None` below 2 tokens.
pub fn tpot_ms(generation: &Generation) -> Option<f64> {
    let steps = generation.timing.token_at.len().checked_sub(1)?;
    Some(decode_ms(generation)? / steps as f64)
}

/// Each gap between consecutive tokens; empty below 2 tokens or when times run backwards.
pub fn gaps_ms(generation: &Generation) -> Vec<f64> {
    let gaps: Option<Vec<f64>> = generation
        .timing
        .token_at
        .windows(2)
        .map(|pair| span_ms(pair[1], pair[0]))
        .collect();
    gaps.unwrap_or_default()
}

/// Second token minus first token; `None` below 2 tokens.
pub fn second_token_ms(generation: &Generation) -> Option<f64> {
    match generation.timing.token_at.as_slice() {
        [first, second, ..] => span_ms(*second, *first),
        _ => None,
    }
}

/// Submission until the generation is complete.
pub fn e2e_ms(generation: &Generation) -> f64 {
    ms(generation.timing.total)
}

/// Prefill; `None` when the engine cannot tell.
pub fn prefill_ms(generation: &Generation) -> Option<f64> {
    generation.timing.prefill.map(ms)
}

/// Rendering and tokenisation.
pub fn tokenize_ms(generation: &Generation) -> f64 {
    ms(generation.timing.tokenize)
}

/// Characters (Unicode scalar values) of the completion.
pub fn characters(generation: &Generation) -> usize {
    generation.completion.chars().count()
}

/// Words of the answer, thoughts left out: runs of characters between white space.
pub fn words(generation: &Generation) -> usize {
    generation.answer().split_whitespace().count()
}

/// Mean natural log-probability of the tokens of the answer, of what there is of one that was cut off; thoughts are left out. `None` when not
/// recorded, not finite, or when there is no answer.
pub fn mean_logprob(generation: &Generation) -> Option<f64> {
    let first = generation.first_answer_token()?;
    let logprobs = generation.logprobs.as_ref()?.get(first..)?;
    if logprobs.is_empty() {
        return None;
    }
    let mean = logprobs.iter().map(|&x| f64::from(x)).sum::<f64>() / logprobs.len() as f64;
    mean.is_finite().then_some(mean)
}

/// Whether the answer ended at the token limit or at the context window.
pub fn cut_off(generation: &Generation) -> bool {
    matches!(generation.finish, Finish::Length | Finish::Context)
}

/// Whether the completion holds U+FFFD, the sign of bytes that are not UTF-8.
pub fn has_replacement_character(generation: &Generation) -> bool {
    generation.completion.contains('\u{fffd}')
}

/// Whether the answer ran into a loop: more than half of the groups of 4 tokens among the last 200 tokens occurred before in them.
/// `None` below 16 tokens.
pub fn repeats(generation: &Generation) -> Option<bool> {
    let ids = &generation.token_ids;
    if ids.len() < LOOP_LEAST {
        return None;
    }
    let tail = &ids[ids.len().saturating_sub(LOOP_WINDOW)..];
    let groups = tail.windows(LOOP_GROUP);
    let total = groups.len();
    let distinct = groups.collect::<std::collections::BTreeSet<_>>().len();
    Some((total - distinct) * 2 > total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Digest, Reasoning, Timing};

    fn generation(token_at_ms: &[u64]) -> Generation {
        Generation {
            completion: "drei Wörter hier".to_owned(),
            token_ids: (0..token_at_ms.len() as u32).collect(),
            prompt_tokens: 7,
            prompt_digest: Digest::of(b"prompt"),
            finish: Finish::Length,
            timing: Timing {
                tokenize: Duration::from_micros(1_500),
                prefill: Some(Duration::from_millis(80)),
                token_at: token_at_ms
                    .iter()
                    .map(|&t| Duration::from_millis(t))
                    .collect(),
                total: Duration::from_millis(400),
            },
            logprobs: None,
            reasoning: None,
        }
    }

    #[test]
    fn times_of_a_known_generation() {
        let g = generation(&[100, 120, 150, 190]);
        assert_eq!(ttft_ms(&g), Some(100.0));
        assert_eq!(decode_ms(&g), Some(90.0));
        assert_eq!(tpot_ms(&g), Some(30.0));
        assert_eq!(gaps_ms(&g), [20.0, 30.0, 40.0]);
        assert_eq!(second_token_ms(&g), Some(20.0));
        assert_eq!(
            (e2e_ms(&g), prefill_ms(&g), tokenize_ms(&g)),
            (400.0, Some(80.0), 1.5)
        );
        assert_eq!((characters(&g), words(&g), cut_off(&g)), (16, 3, true));
    }

    #[test]
    fn thoughts_are_no_part_of_the_answer() {
        let mut g = generation(&[100, 120, 150, 190]);
        assert_eq!(first_answer_ms(&g), Some(100.0));
        g.reasoning = Some(Reasoning {
            tokens: 2,
            answer_at: 5,
        });
        g.logprobs = Some(vec![-9.0, -9.0, -1.0, -3.0]);
        assert_eq!((first_answer_ms(&g), words(&g)), (Some(150.0), 2));
        assert_eq!(mean_logprob(&g), Some(-2.0));
        g.reasoning = Some(Reasoning {
            tokens: 4,
            answer_at: g.completion.len() as u32,
        });
        assert_eq!((first_answer_ms(&g), words(&g)), (None, 0));
        assert_eq!(mean_logprob(&g), None);
        g.reasoning = Some(Reasoning {
            tokens: 0,
            answer_at: 0,
        });
        assert_eq!((first_answer_ms(&g), words(&g)), (Some(100.0), 3));
    }

    #[test]
    fn below_two_tokens_there_is_no_tpot() {
        let one = generation(&[100]);
        assert_eq!(ttft_ms(&one), Some(100.0));
        assert_eq!(
            (tpot_ms(&one), decode_ms(&one), second_token_ms(&one)),
            (None, None, None)
        );
        assert!(gaps_ms(&one).is_empty());
        let none = generation(&[]);
        assert_eq!(
            (ttft_ms(&none), tpot_ms(&none), decode_ms(&none)),
            (None, None, None)
        );
    }

    #[test]
    fn times_that_run_backwards_are_absent() {
        let g = generation(&[100, 90]);
        assert_eq!(
            (tpot_ms(&g), decode_ms(&g), second_token_ms(&g)),
            (None, None, None)
        );
        assert!(gaps_ms(&g).is_empty());
    }

    #[test]
    fn loops_and_broken_text_are_seen() {
        let mut g = generation(&[1]);
        assert_eq!(repeats(&g), None);
        g.token_ids = (0..40).collect();
        assert_eq!(repeats(&g), Some(false));
        g.token_ids = [5, 6, 7].repeat(20);
        assert_eq!(repeats(&g), Some(true));
        // A loop that ended long ago is outside the window.
        g.token_ids.extend(1_000..1_200);
        assert_eq!(repeats(&g), Some(false));
        assert!(!has_replacement_character(&g));
        g.completion.push('\u{fffd}');
        assert!(has_replacement_character(&g));
    }

    #[test]
    fn the_mean_log_probability_needs_finite_values() {
        let mut g = generation(&[1, 2]);
        assert_eq!(mean_logprob(&g), None);
        g.logprobs = Some(vec![-1.0, -2.0]);
        assert_eq!(mean_logprob(&g), Some(-1.5));
        g.logprobs = Some(vec![-1.0, f32::NEG_INFINITY]);
        assert_eq!(mean_logprob(&g), None);
        g.logprobs = Some(Vec::new());
        assert_eq!(mean_logprob(&g), None);
    }
}
