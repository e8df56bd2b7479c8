//! One sequence in work: a model of candle-transformers together with what it remembers of the ids it has seen.

use candle_core::{Device, Tensor};
use candle_transformers::models::{mamba, mamba2};
use std::sync::Arc;

/// A model with the state of one sequence.
pub(super) trait Sequence: Send {
    /// Takes the next ids, the first of which is at `position`; the logits (any shape, vocabulary values, f32) after the last of them.
    fn take(&mut self, ids: &[u32], position: usize) -> candle_core::Result<Tensor>;

    /// The same sequence once more, independent of this one; `None` when the library cannot copy the model's state.
    fn copy(&self) -> Option<Box<dyn Sequence>>;
}

/// How a model takes ids (1, L) at a position.
pub(super) type Forward<M> = fn(&mut M, &Tensor, usize) -> candle_core::Result<Tensor>;

/// A model that keeps its keys and values in itself, in tensors that are replaced and never written: a clone of it is independent.
pub(super) struct Cached<M> {
    pub(super) model: M,
    pub(super) forward: Forward<M>,
}

impl<M: Clone + Send + 'static> Sequence for Cached<M> {
    fn take(&mut self, ids: &[u32], position: usize) -> candle_core::Result<Tensor> {
        (self.forward)(&mut self.model, &row(ids)?, position)
    }

    fn copy(&self) -> Option<Box<dyn Sequence>> {
        Some(Box::new(Self {
            model: self.model.clone(),
            forward: self.forward,
        }))
    }
}

/// A model that cannot be cloned, or whose clones would write to the same cache.
pub(super) struct Single<M> {
    pub(super) model: M,
    pub(super) forward: Forward<M>,
}

impl<M: Send + 'static> Sequence for Single<M> {
    fn take(&mut self, ids: &[u32], position: usize) -> candle_core::Result<Tensor> {
        (self.forward)(&mut self.model, &row(ids)?, position)
    }

    fn copy(&self) -> Option<Box<dyn Sequence>> {
        None
    }
}

/// A model whose state is a value of its own.
pub(super) struct Beside<M, S> {
    pub(super) model: Arc<M>,
    pub(super) state: S,
    pub(super) forward: fn(&M, &[u32], usize, &mut S) -> candle_core::Result<Tensor>,
    pub(super) copied: fn(&S) -> S,
}

impl<M: Send + Sync + 'static, S: Send + 'static> Sequence for Beside<M, S> {
    fn take(&mut self, ids: &[u32], position: usize) -> candle_core::Result<Tensor> {
        (self.forward)(&self.model, ids, position, &mut self.state)
    }

    fn copy(&self) -> Option<Box<dyn Sequence>> {
        Some(Box::new(Self {
            model: Arc::clone(&self.model),
            state: (self.copied)(&self.state),
            forward: self.forward,
            copied: self.copied,
        }))
    }
}

/// Ids as a batch of one: (1, L).
pub(super) fn row(ids: &[u32]) -> candle_core::Result<Tensor> {
    Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)
}

pub(super) fn copied_mamba(state: &mamba::State) -> mamba::State {
    mamba::State {
        hs: state.hs.clone(),
        prev_xs: state.prev_xs.clone(),
        pos: state.pos,
    }
}

pub(super) fn copied_mamba2(state: &mamba2::State) -> mamba2::State {
    mamba2::State {
        hs: state.hs.clone(),
        conv_states: state.conv_states.clone(),
        pos: state.pos,
    }
}
