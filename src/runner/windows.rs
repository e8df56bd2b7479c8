//! A text as windows that a model with a limited context can read.
//!
//! In: token ids of a text and a plan. Out: one request a window, in the order of the text. The plans are those of
//! `tests/golden/perplexity/make.py`; rolling is `loglikelihood_rolling` of lm-evaluation-harness with one token of context.
//!
//! Invariant: no token is scored twice, and the model reads at most `window` tokens at once.

use crate::engine::ScoreRequest;
use crate::suite::WindowPlan;

/// A text as token ids.
#[derive(Debug, Clone, Copy)]
pub struct Text<'t> {
    /// Its ids, without BOS.
    pub ids: &'t [u32],
    /// The id that begins a text: BOS, or EOS where there is none.
    pub begin: u32,
    /// Whether the model's rule puts it before every text.
    pub begins: bool,
}

/// The windows of a text. `window` is the number of tokens the model reads at once, `stride` that from one window to the next, where they
/// overlap; both at least 1. A text without a token that can be scored has no window.
pub fn windows(
    plan: WindowPlan,
    text: &Text<'_>,
    window: usize,
    stride: usize,
) -> Vec<ScoreRequest> {
    let window = window.max(1);
    match plan {
        WindowPlan::Rolling => rolling(text, window),
        WindowPlan::Begin => begin(text, window),
        WindowPlan::Disjoint => overlapping(text, window, window),
        WindowPlan::Strided => overlapping(text, window, stride.clamp(1, window)),
    }
}

/// The begin token and the text.
fn begun(text: &Text<'_>) -> Vec<u32> {
    std::iter::once(text.begin)
        .chain(text.ids.iter().copied())
        .collect()
}

fn rolling(text: &Text<'_>, window: usize) -> Vec<ScoreRequest> {
    let sequence = begun(text);
    let (mut out, mut done) = (Vec::new(), 0);
    while done < text.ids.len() {
        let end = done + window.min(text.ids.len() - done);
        // The last token is predicted and not read.
        let start = end.saturating_sub(window);
        out.push(ScoreRequest {
            context: sequence[start..=done].to_vec(),
            continuation: text.ids[done..end].to_vec(),
        });
        done = end;
    }
    out
}

fn begin(text: &Text<'_>, window: usize) -> Vec<ScoreRequest> {
    let one = |part: &[u32]| ScoreRequest {
        context: vec![text.begin],
        continuation: part.to_vec(),
    };
    text.ids.chunks((window - 1).max(1)).map(one).collect()
}

fn overlapping(text: &Text<'_>, window: usize, stride: usize) -> Vec<ScoreRequest> {
    let sequence = if text.begins {
        begun(text)
    } else {
        text.ids.to_vec()
    };
    let (mut out, mut done) = (Vec::new(), 1);
    for at in (0..sequence.len()).step_by(stride) {
        let end = (at + window).min(sequence.len());
        let from = done.max(at + 1);
        if from < end {
            out.push(ScoreRequest {
                context: sequence[at..from].to_vec(),
                continuation: sequence[from..end].to_vec(),
            });
        }
        done = end;
        if end == sequence.len() {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOS: u32 = 9_999;

    /// Windows as (context, continuation) of a text 0, 1, 2, ...
    fn cut(
        plan: WindowPlan,
        n: u32,
        begins: bool,
        window: usize,
        stride: usize,
    ) -> Vec<[Vec<u32>; 2]> {
        let ids: Vec<u32> = (0..n).collect();
        let text = Text {
            ids: &ids,
            begin: BOS,
            begins,
        };
        let all = windows(plan, &text, window, stride);
        all.into_iter()
            .map(|r| [r.context, r.continuation])
            .collect()
    }

    #[test]
    fn rolling_windows_are_the_harness_s() {
        // `get_rolling_token_windows([0..10], prefix, 4, 1)` made disjoint: the last window has as much context as fits.
        assert_eq!(
            cut(WindowPlan::Rolling, 10, false, 4, 1),
            [
                [vec![BOS], vec![0, 1, 2, 3]],
                [vec![3], vec![4, 5, 6, 7]],
                [vec![5, 6, 7], vec![8, 9]],
            ]
        );
        assert_eq!(
            cut(WindowPlan::Rolling, 3, true, 4, 1),
            [[vec![BOS], vec![0, 1, 2]]]
        );
    }

    #[test]
    fn the_other_plans() {
        assert_eq!(
            cut(WindowPlan::Begin, 5, false, 4, 1),
            [[vec![BOS], vec![0, 1, 2]], [vec![BOS], vec![3, 4]]]
        );
        assert_eq!(
            cut(WindowPlan::Disjoint, 9, false, 4, 1),
            [[vec![0], vec![1, 2, 3]], [vec![4], vec![5, 6, 7]]]
        );
        assert_eq!(
            cut(WindowPlan::Strided, 7, false, 4, 2),
            [
                [vec![0], vec![1, 2, 3]],
                [vec![2, 3], vec![4, 5]],
                [vec![4, 5], vec![6]],
            ]
        );
        assert_eq!(
            cut(WindowPlan::Strided, 3, true, 4, 2),
            [[vec![BOS], vec![0, 1, 2]]]
        );
        assert!(cut(WindowPlan::Disjoint, 1, false, 4, 1).is_empty());
    }

    proptest! {
        #[test]
        fn no_token_is_scored_twice_and_no_window_is_too_long(n in 1_u32..200, begins: bool, window in 2_usize..40, stride in 1_usize..40) {
            for plan in WindowPlan::ALL {
                let all = cut(plan, n, begins, window, stride);
                let scored: Vec<u32> = all.iter().flat_map(|w| w[1].iter().copied()).collect();
                prop_assert!(scored.is_sorted_by(|a, b| a < b));
                for [context, continuation] in &all {
                    prop_assert!(!context.is_empty() && !continuation.is_empty());
                    prop_assert!(context.len() + continuation.len() - 1 <= window);
                    // What stands before a token in the text stands before it in its window.
                    let whole: Vec<u32> = context.iter().chain(continuation).copied().filter(|id| *id != BOS).collect();
                    prop_assert!(whole.windows(2).all(|w| w[1] == w[0] + 1));
                }
                let whole = matches!(plan, WindowPlan::Rolling | WindowPlan::Begin);
                if whole {
                    prop_assert_eq!(scored.len(), n as usize);
                }
            }
        }
    }
}
