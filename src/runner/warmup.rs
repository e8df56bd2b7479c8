//! Warm-up: short generations whose results are thrown away.

use super::{Control, LoadedHost};
use crate::engine::{EngineError, GenerateRequest};
use crate::record::{Message, Role};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Fewest and most generations.
const ROUNDS: std::ops::RangeInclusive<usize> = 2..=5;

/// Tokens of each.
const TOKENS: u32 = 16;

/// The times per token of two rounds that differ by less than this share count as settled.
const SETTLED: f64 = 0.05;

/// Of no suite, so that no suite's prompt shares more than the template with it.
const TEXT: &str = "Name the seven days of the week and the twelve months of the year in their usual order, and say in one sentence how many days a year has.";

/// Runs until two rounds in a row take about the same time per token, at least two and at most five. Failures are ignored here: the samples will
/// report them.
///
/// # Errors
/// When the engine is gone; no sample was in work.
pub(super) fn warm_up(host: &mut LoadedHost, control: &Control) -> Result<(), EngineError> {
    let message = Message {
        role: Role::User,
        content: TEXT.to_owned(),
    };
    let prompt = host.codec.prompt(std::slice::from_ref(&message));
    let Ok(ids) = prompt
        .map(|p| p.ids)
        .or_else(|_| host.codec.raw_prompt(TEXT))
    else {
        return Ok(());
    };
    let request = GenerateRequest {
        ids,
        max_tokens: TOKENS,
        timeout: control.timeout,
        ..GenerateRequest::default()
    };
    let mut last = None;
    for round in 1..=*ROUNDS.end() {
        if control.cancel.load(Ordering::Relaxed) {
            break;
        }
        let mut pace = None;
        let ran = host
            .engine
            .generate(std::slice::from_ref(&request), &mut |_, result| {
                pace = result.ok().and_then(|raw| time_per_token(&raw.token_at));
                ControlFlow::Continue(())
            });
        match ran {
            Err(error) if error.is_death() => return Err(error),
            Err(_) => break,
            Ok(()) => {}
        }
        if pace.is_none() || round >= *ROUNDS.start() && settled(last, pace) {
            break;
        }
        last = pace;
    }
    Ok(())
}

fn time_per_token(token_at: &[Duration]) -> Option<f64> {
    let (first, last) = (token_at.first()?, token_at.last()?);
    let gaps = token_at.len() - 1;
    (gaps > 0).then(|| last.saturating_sub(*first).as_secs_f64() / gaps as f64)
}

fn settled(last: Option<f64>, now: Option<f64>) -> bool {
    match (last, now) {
        (Some(last), Some(now)) => (now - last).abs() <= SETTLED * last,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_equal_rounds_are_settled() {
        assert!(settled(Some(1.0), Some(1.04)));
        assert!(!settled(Some(1.0), Some(1.06)));
        assert!(!settled(None, Some(1.0)));
        let at = |ms: &[u64]| {
            ms.iter()
                .map(|&m| Duration::from_millis(m))
                .collect::<Vec<_>>()
        };
        assert_eq!(time_per_token(&at(&[10, 20, 40])), Some(0.015));
        assert_eq!(time_per_token(&at(&[10])), None);
        assert_eq!(time_per_token(&[]), None);
    }
}
