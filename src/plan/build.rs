//! From the selection to the plan.

use super::{Candidate, Plan, PlanError, PlanInputs, PlannedItem, PlannedModel};
use crate::record::{Digest, MemoryEstimate, SkipReason, TaskKind};
use crate::units::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Makes the plan.
///
/// A model without an estimate counts as fitting: only an engine that needs no weights in memory has none.
///
/// # Errors
/// When nothing is selected, two entries are the same model, or no model can be run under the budget.
pub fn build(inputs: PlanInputs<'_>) -> Result<Plan, PlanError> {
    if inputs.models.is_empty() {
        return Err(PlanError::NoModels);
    }
    if inputs.epochs == Some(0) {
        return Err(PlanError::NoEpochs);
    }
    let items = items(&inputs);
    if items.is_empty() {
        return Err(PlanError::NoSamples {
            suite: inputs.suite.name.clone(),
        });
    }
    let digest = digest(&inputs, &items);
    let models = models(inputs.models, inputs.budget)?;
    Ok(Plan {
        models,
        digest,
        epochs: items.iter().map(|i| i.epoch + 1).max().unwrap_or(0),
        prompts: items
            .iter()
            .map(|i| &i.content)
            .collect::<BTreeSet<_>>()
            .len(),
        rounds: Vec::new(),
        items,
        seed: inputs.seed,
        budget: inputs.budget,
    })
}

/// Epoch after epoch, so that a run that is cut short has whole epochs, and a slow drift of the machine meets every sample alike.
fn items(inputs: &PlanInputs<'_>) -> Vec<PlannedItem> {
    let once: Vec<(u32, PlannedItem)> = inputs
        .suite
        .samples()
        .map(|(task, sample)| {
            // A log-likelihood is the same each time.
            let epochs = match task.kind {
                TaskKind::Generate => inputs.epochs.unwrap_or(task.decoding.epochs),
                TaskKind::Choice | TaskKind::Perplexity => 1,
            };
            let item = PlannedItem {
                task: task.id.clone(),
                sample: sample.id.clone(),
                epoch: 0,
                content: inputs.suite.sample_digest(task, sample),
                seed: 0,
            };
            (epochs, item)
        })
        .collect();
    let most = once.iter().map(|(epochs, _)| *epochs).max().unwrap_or(0);
    let mut all = Vec::new();
    for epoch in 0..most {
        for (_, item) in once.iter().filter(|(epochs, _)| epoch < *epochs) {
            all.push(PlannedItem {
                epoch,
                seed: item_seed(inputs.seed, &item.task, &item.sample, epoch),
                ..item.clone()
            });
        }
    }
    all
}

/// The first eight bytes of SHA-256 over plan seed and item. The model is left out: the same item draws the same random numbers everywhere.
fn item_seed(seed: u64, task: &str, sample: &str, epoch: u32) -> u64 {
    let digest = Digest::of_parts([
        b"evalh item seed 1".as_slice(),
        &seed.to_le_bytes(),
        task.as_bytes(),
        sample.as_bytes(),
        &epoch.to_le_bytes(),
    ]);
    u64::from_str_radix(&digest.as_str()[..16], 16)
        .expect("a digest consists of hexadecimal digits")
}

fn digest(inputs: &PlanInputs<'_>, items: &[PlannedItem]) -> Digest {
    let mut models: Vec<&str> = inputs.models.iter().map(|m| m.record.id.as_str()).collect();
    models.sort_unstable();
    let seed = inputs.seed.to_le_bytes();
    let count = (models.len() as u64).to_le_bytes();
    let mut parts: Vec<&[u8]> = vec![
        b"evalh plan 1",
        inputs.engine.as_bytes(),
        inputs.suite.digest.as_str().as_bytes(),
        &seed,
        &count,
    ];
    parts.extend(models.iter().map(|m| m.as_bytes()));
    let epochs: Vec<[u8; 4]> = items.iter().map(|i| i.epoch.to_le_bytes()).collect();
    for (item, epoch) in items.iter().zip(&epochs) {
        // The item's seed holds task, sample and plan seed; its content holds messages, checks and decoding.
        parts.push(item.task.as_bytes());
        parts.push(item.sample.as_bytes());
        parts.push(epoch);
        parts.push(item.content.as_str().as_bytes());
    }
    Digest::of_parts(parts)
}

fn models(candidates: Vec<Candidate>, budget: Bytes) -> Result<Vec<PlannedModel>, PlanError> {
    let mut names: BTreeMap<&Digest, &str> = BTreeMap::new();
    for candidate in &candidates {
        if let Some(first) = names.insert(&candidate.record.id, &candidate.record.name) {
            return Err(PlanError::SameModel {
                first: first.to_owned(),
                second: candidate.record.name.clone(),
            });
        }
    }
    let mut candidates = candidates;
    // Without an estimate the file's size orders; without both a model comes last.
    candidates.sort_by_cached_key(|c| {
        let estimated = c.record.estimate.as_ref().map(MemoryEstimate::total);
        let size = estimated.or(c.record.file_bytes);
        (
            size.is_none(),
            size,
            c.record.name.clone(),
            c.record.id.clone(),
        )
    });
    let planned: Vec<PlannedModel> = (0..)
        .zip(candidates)
        .map(|(position, candidate)| {
            let mut record = candidate.record;
            record.position = position;
            let over = record.estimate.filter(|e| e.total() > budget);
            let over = over.map(|estimate| SkipReason::OverBudget { estimate, budget });
            PlannedModel {
                skip: candidate.skip.or(over),
                record,
            }
        })
        .collect();
    if planned.iter().any(|m| m.skip.is_none()) {
        return Ok(planned);
    }
    Err(nothing(&planned, budget))
}

fn nothing(planned: &[PlannedModel], budget: Bytes) -> PlanError {
    let name = |m: &PlannedModel| m.record.name.clone();
    let too_big: Vec<_> = planned
        .iter()
        .filter_map(|m| match &m.skip {
            Some(SkipReason::OverBudget { estimate, .. }) => Some((name(m), *estimate)),
            _ => None,
        })
        .collect();
    if too_big.len() == planned.len() {
        return PlanError::NothingFits {
            budget,
            models: too_big,
        };
    }
    let all = planned
        .iter()
        .filter_map(|m| Some((name(m), m.skip.clone()?)));
    PlanError::NothingRuns {
        models: all.collect(),
    }
}
