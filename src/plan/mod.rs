//! What will be run, decided before anything is loaded.
//!
//! In: a suite (already limited to the samples wanted), candidate models with their memory estimates, a budget, a seed. Out: a [`Plan`]: models
//! in the order they run, the items every model is asked, and a digest by which the same command finds its interrupted run. Pure: it
//! knows no engine, store, clock or file.
//!
//! Invariants: every (model, sample, epoch) of a runnable model is planned exactly once; no runnable model's estimate is above the budget; the digest
//! depends on content alone (weights, prompts, checks, decoding, seed, epochs, engine) and not on names, budget, machine or the order of arguments.

mod build;
mod error;
mod rounds;

#[cfg(test)]
mod tests;

pub use build::build;
pub use error::PlanError;

use crate::record::{Digest, PlannedModelRecord, SampleKey, SkipReason};
use crate::suite::Suite;
use crate::units::Bytes;

/// A model that could be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What is known of it. Its position is set by the plan.
    pub record: PlannedModelRecord,
    /// Why it cannot be run, when that is known already (its files could not be had).
    pub skip: Option<SkipReason>,
}

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct PlanInputs<'i> {
    /// The suite with the samples wanted.
    pub suite: &'i Suite,
    /// The models wanted, in any order.
    pub models: Vec<Candidate>,
    /// Bytes that may be used.
    pub budget: Bytes,
    /// Seed of every random stream.
    pub seed: u64,
    /// Repetitions of every generated sample; `None` means what the suite says, task by task. Log-likelihoods are measured once.
    pub epochs: Option<u32>,
    /// Kind of engine (`candle`, `mock`).
    pub engine: &'i str,
}

/// A model of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedModel {
    /// What is known of it.
    pub record: PlannedModelRecord,
    /// Why it is not run; `None` when it is.
    pub skip: Option<SkipReason>,
}

/// One question of a plan: a sample in one epoch. Every model gets the same ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedItem {
    /// Task id.
    pub task: String,
    /// Sample id.
    pub sample: String,
    /// Repetition, from 0.
    pub epoch: u32,
    /// Digest of messages, checks and decoding; of choices or windows where log-likelihoods are measured.
    pub content: Digest,
    /// Seed of its random stream: the same for every model.
    pub seed: u64,
}

impl PlannedItem {
    /// The key of this item's record for a model.
    pub fn key(&self, model: &Digest) -> SampleKey {
        SampleKey {
            model: model.clone(),
            task: self.task.clone(),
            sample: self.sample.clone(),
            epoch: self.epoch,
        }
    }
}

/// What will be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Models in the order they run, the smallest first; skipped ones have a position too.
    pub models: Vec<PlannedModel>,
    /// Items in the order they run: all samples in suite order, epoch after epoch; in rounds, prompt after prompt in random order.
    pub items: Vec<PlannedItem>,
    /// Items at the end of each round; empty when the models are run one after the other.
    pub rounds: Vec<usize>,
    /// Different prompts among the items.
    pub prompts: usize,
    /// Identity of the plan.
    pub digest: Digest,
    /// Highest number of repetitions of a sample.
    pub epochs: u32,
    /// Seed.
    pub seed: u64,
    /// Bytes that may be used.
    pub budget: Bytes,
}

impl Plan {
    /// Models that run, in order.
    pub fn runnable(&self) -> impl Iterator<Item = &PlannedModel> {
        self.models.iter().filter(|m| m.skip.is_none())
    }

    /// Records of all models, in order.
    pub fn model_records(&self) -> Vec<PlannedModelRecord> {
        self.models.iter().map(|m| m.record.clone()).collect()
    }

    /// Items of each model.
    pub fn samples_per_model(&self) -> u64 {
        self.items.len() as u64
    }

    /// Every key that will have a record, in the order of the run.
    pub fn keys(&self) -> impl Iterator<Item = SampleKey> {
        self.runnable()
            .flat_map(|m| self.items.iter().map(|item| item.key(&m.record.id)))
    }
}
