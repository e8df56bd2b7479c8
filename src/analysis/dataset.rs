//! One model's samples, grouped by prompt in an order that does not depend on how they arrive.

use crate::record::{Digest, Generation, ModelRecord, RunRecord, SampleRecord};
use std::collections::BTreeMap;

/// A model with its samples.
pub(super) struct ModelData<'a> {
    /// The model.
    pub(super) model: &'a ModelRecord,
    /// Its samples in the order of completion.
    pub(super) samples: Vec<&'a SampleRecord>,
    /// The same by prompt.
    pub(super) prompts: Prompts<'a>,
}

impl<'a> ModelData<'a> {
    /// The samples of one model of a run.
    pub(super) fn of(run: &'a RunRecord, model: &'a ModelRecord) -> Self {
        let mut samples: Vec<&SampleRecord> = run
            .samples
            .iter()
            .filter(|s| s.key.model == model.planned.id)
            .collect();
        samples.sort_by(|a, b| (a.sequence, &a.key).cmp(&(b.sequence, &b.key)));
        let prompts = Prompts::of(samples.iter().copied());
        Self {
            model,
            samples,
            prompts,
        }
    }

    /// The generations in the order of completion.
    pub(super) fn generations(&self) -> impl Iterator<Item = &'a Generation> {
        self.samples.iter().filter_map(|s| s.generation.as_ref())
    }
}

/// Samples by prompt: samples with the same content are replicates.
pub(super) struct Prompts<'a>(BTreeMap<&'a Digest, Vec<&'a SampleRecord>>);

impl<'a> Prompts<'a> {
    /// Groups samples; inside a prompt they stand in the order of their keys.
    pub(super) fn of(samples: impl Iterator<Item = &'a SampleRecord>) -> Self {
        let mut map: BTreeMap<&Digest, Vec<&SampleRecord>> = BTreeMap::new();
        for sample in samples {
            map.entry(&sample.content).or_default().push(sample);
        }
        for group in map.values_mut() {
            group.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Self(map)
    }

    /// Number of prompts.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Number of samples.
    pub(super) fn samples(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// The prompts' samples.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[&'a SampleRecord]> {
        self.0.values().map(Vec::as_slice)
    }

    /// The prompts with their digest.
    pub(super) fn by_content(&self) -> &BTreeMap<&'a Digest, Vec<&'a SampleRecord>> {
        &self.0
    }

    /// Observations by prompt; prompts without any are left out.
    pub(super) fn clusters<T>(&self, observe: impl Fn(&SampleRecord) -> T) -> Vec<Vec<f64>>
    where
        T: IntoIterator<Item = f64>,
    {
        self.groups()
            .map(|group| group.iter().flat_map(|s| observe(s)).collect::<Vec<f64>>())
            .filter(|cluster| !cluster.is_empty())
            .collect()
    }

    /// Sums by prompt of a numerator and a denominator; prompts without any are left out.
    pub(super) fn sums(&self, observe: impl Fn(&SampleRecord) -> Option<(f64, f64)>) -> Sums {
        let mut sums = Sums::default();
        for group in self.groups() {
            let pairs: Vec<(f64, f64)> = group.iter().filter_map(|s| observe(s)).collect();
            if !pairs.is_empty() {
                sums.numerators.push(pairs.iter().map(|p| p.0).sum());
                sums.denominators.push(pairs.iter().map(|p| p.1).sum());
                sums.observations += pairs.len();
            }
        }
        sums
    }
}

/// Numerators and denominators, one a prompt.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Sums of the numerator.
    pub(super) numerators: Vec<f64>,
    /// Sums of the denominator.
    pub(super) denominators: Vec<f64>,
    /// Samples behind them.
    pub(super) observations: usize,
}
