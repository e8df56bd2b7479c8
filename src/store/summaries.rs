//! Summaries of a generation against the observation they are stored with.
//!
//! `ttft_ns`, `tpot_ns`, `total_ns` and `completion_tokens` repeat what `token_at_ns` and `token_ids` hold, so that the views can be queried.
//! Nothing else in evalh reads the first two; whoever reads the views does.

use super::value::Columns;
use super::{Store, StoreError};
use crate::record::RunId;
use rusqlite::params;
use std::time::Duration;

/// Relative difference that the rounding of one division may leave.
const TOLERANCE: f64 = 1e-12;

/// The summaries of one sample and what they are made of.
struct Row {
    task: String,
    sample: String,
    tokens: Option<usize>,
    token_at: Option<Vec<Duration>>,
    completion_tokens: Option<u64>,
    ttft: Option<Duration>,
    tpot_ns: Option<f64>,
    total: Option<Duration>,
}

impl Store {
    /// Computes the stored summaries of every generation of a run again.
    ///
    /// # Errors
    /// The first one that does not follow from its observation, with both values.
    pub fn verify_summaries(&self, id: &RunId) -> Result<(), StoreError> {
        let rows = self.rows(
            "read the summaries",
            "SELECT task, sample, token_ids, token_at_ns, completion_tokens, ttft_ns, tpot_ns, total_ns \
             FROM sample JOIN model USING (model_pk) JOIN run USING (run_pk) WHERE run_id = ?1 ORDER BY sample_pk",
            params![id.as_str()],
            row,
        )?;
        rows.iter().try_for_each(|row| self.verify_row(row))
    }

    fn verify_row(&self, row: &Row) -> Result<(), StoreError> {
        let Some(token_at) = &row.token_at else {
            return Ok(());
        };
        let differs = |column, stored: String, recomputed: String| StoreError::Summary {
            path: self.path.clone(),
            column,
            task: row.task.clone(),
            sample: row.sample.clone(),
            stored,
            recomputed,
        };
        let (first, last) = (token_at.first().copied(), token_at.last().copied());
        if row.completion_tokens != row.tokens.map(|n| n as u64) {
            let (stored, again) = (shown(row.completion_tokens), shown(row.tokens));
            return Err(differs("completion_tokens", stored, again));
        }
        if row.ttft != first {
            return Err(differs("ttft_ns", nanos(row.ttft), nanos(first)));
        }
        // Without a token the end is when the engine gave up, which nothing else tells.
        if last.is_some() && row.total != last {
            return Err(differs("total_ns", nanos(row.total), nanos(last)));
        }
        let tpot = tpot_ns(token_at);
        let same = match (row.tpot_ns, tpot) {
            (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()),
            (a, b) => a == b,
        };
        if same {
            Ok(())
        } else {
            Err(differs("tpot_ns", shown(row.tpot_ns), shown(tpot)))
        }
    }
}

fn row(c: &mut Columns<'_>) -> Result<Row, StoreError> {
    Ok(Row {
        task: c.text()?,
        sample: c.text()?,
        tokens: c.opt_ids("token_ids")?.map(|ids| ids.len()),
        token_at: c.opt_times("token_at_ns")?,
        completion_tokens: c.opt_u64("completion_tokens")?,
        ttft: c.opt_duration("ttft_ns")?,
        tpot_ns: c.get()?,
        total: c.opt_duration("total_ns")?,
    })
}

/// Mean of the gaps; `None` below two tokens.
fn tpot_ns(token_at: &[Duration]) -> Option<f64> {
    let [first, .., last] = token_at else {
        return None;
    };
    Some(last.saturating_sub(*first).as_nanos() as f64 / (token_at.len() - 1) as f64)
}

fn nanos(time: Option<Duration>) -> String {
    time.map_or_else(|| "NULL".to_owned(), |t| format!("{} ns", t.as_nanos()))
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |v| v.to_string())
}
