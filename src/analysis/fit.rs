//! Memory against the budget, and who fits beside whom.

use super::model::{FitReport, ModelFit, ModelReport, Together};
use crate::units::Bytes;

/// The memory of every measured model.
pub(super) fn report(models: &[ModelReport], peaks: &[Option<Bytes>], budget: Bytes) -> FitReport {
    let fits: Vec<ModelFit> = models
        .iter()
        .zip(peaks)
        .enumerate()
        .map(|(position, (model, peak))| {
            let bytes = peak.or_else(|| model.planned.estimate.map(|e| e.total()));
            ModelFit {
                model: position,
                bytes,
                measured: peak.is_some(),
                fits: bytes.map(|b| b <= budget),
            }
        })
        .collect();
    let together = together(&fits, budget);
    FitReport {
        budget,
        models: fits,
        together,
    }
}

/// The longest run of models from the best on whose sum is within the budget.
fn together(fits: &[ModelFit], budget: Bytes) -> Option<Together> {
    let mut sum = Bytes(0);
    let mut models = Vec::new();
    for fit in fits {
        let next = sum.plus(fit.bytes?);
        if next > budget {
            break;
        }
        sum = next;
        models.push(fit.model);
    }
    (models.len() > 1).then_some(Together { models, bytes: sum })
}
