//! Two models side by side in this process: the divergence of every scored position.
//!
//! Rows of logits are large (a megabyte for 262,144 tokens), so few of them are held at a time: the base computes some, the model the same ones, and
//! both are given back. A window is computed once all the same, because an engine keeps what it has of it.

use super::KlError;
use super::texts::{Text, Window};
use crate::engine::{Engine, EngineError};
use crate::error::EvalhError;
use crate::ops::candidate::{OpenModel, in_model};
use crate::ops::load::{self, EngineSetup};
use crate::record::WindowPair;
use crate::stats::divergence::{Divergence, divergence};
use crate::units::Bytes;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows of logits held of each of the two models.
const ROWS: usize = 32;

/// Bytes of the rows held for a vocabulary of this size.
pub(super) fn row_bytes(vocabulary: u64) -> Bytes {
    Bytes(vocabulary.saturating_mul(4 * 2 * ROWS as u64))
}

/// What the pass is about.
pub(super) struct Pass<'p> {
    pub(super) setup: &'p EngineSetup,
    pub(super) texts: &'p [Text],
    pub(super) windows: &'p [Window],
    /// Positions of the key/value caches.
    pub(super) context: u32,
    /// Set by Ctrl-C.
    pub(super) cancel: &'p AtomicBool,
}

/// A model ready to run.
pub(super) struct Loaded<'m> {
    name: &'m str,
    engine: Box<dyn Engine>,
}

impl Pass<'_> {
    /// Loads a model in this process.
    pub(super) fn load<'m>(&self, model: &'m OpenModel) -> Result<Loaded<'m>, EvalhError> {
        let host = load::real(self.setup, model, self.context);
        let host = host.map_err(|e| in_model(&model.name, e))?;
        Ok(Loaded {
            name: &model.name,
            engine: host.engine,
        })
    }

    /// Every window under both models.
    pub(super) fn windows(
        &self,
        base: &mut Loaded<'_>,
        model: &mut Loaded<'_>,
    ) -> Result<Vec<WindowPair>, EvalhError> {
        let pair = |window: &Window| {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(KlError::Interrupted.into());
            }
            self.window(base, model, window)
        };
        self.windows.iter().map(pair).collect()
    }

    fn window(
        &self,
        base: &mut Loaded<'_>,
        model: &mut Loaded<'_>,
        window: &Window,
    ) -> Result<WindowPair, EvalhError> {
        let mut pair = WindowPair {
            text: window.text,
            first_token: window.first_token as u64,
            tokens: u32::try_from(window.ids.len()).unwrap_or(u32::MAX),
            ..WindowPair::default()
        };
        let all = window.rows();
        let mut next = all.start;
        while next < all.end {
            let rows = next..(next + ROWS).min(all.end);
            next = rows.end;
            let p = base.rows(&window.ids, rows.clone())?;
            let q = model.rows(&window.ids, rows.clone())?;
            for (row, compared) in rows.clone().zip(compare(&p, &q, &window.ids, rows)) {
                let d = compared.ok_or_else(|| KlError::NotComparable {
                    base: base.name.to_owned(),
                    model: model.name.to_owned(),
                    text: self.texts[window.text].name.clone(),
                    position: window.token_after(row),
                })?;
                pair.kl.push(d.kl);
                pair.same_top1.push(d.same_top1);
                pair.base_logprob.push(d.target_p);
                pair.model_logprob.push(d.target_q);
            }
        }
        Ok(pair)
    }
}

impl Loaded<'_> {
    /// The logits of some rows of a sequence, one after another.
    fn rows(&mut self, ids: &[u32], rows: Range<usize>) -> Result<Vec<Vec<f32>>, EvalhError> {
        let mut out: Vec<Vec<f32>> = Vec::with_capacity(rows.len());
        let each = &mut |_: usize, row: &[f32]| out.push(row.to_vec());
        let computed = self.engine.logits(ids, rows, each);
        computed.map_err(|e: EngineError| in_model(self.name, e.into()))?;
        Ok(out)
    }
}

/// The divergence of each row, in order; `None` where there is none.
fn compare(
    p: &[Vec<f32>],
    q: &[Vec<f32>],
    ids: &[u32],
    rows: Range<usize>,
) -> Vec<Option<Divergence>> {
    rows.into_par_iter()
        .enumerate()
        .map(|(at, row)| divergence(p.get(at)?, q.get(at)?, ids[row + 1] as usize))
        .collect()
}
