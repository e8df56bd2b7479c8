//! A plan that is run in rounds, so that a comparison can stop when it is resolved.
//!
//! The prompts are drawn in an order that depends on the seed and their content alone, because the evidence only holds for prompts in random order.
//! Each round holds whole prompts with all their epochs. The first has 16 prompts: an e-value needs at least 8 prompts that all point one way to reach
//! 20. Every further round adds half of what was asked so far: a run goes on for at most half as many prompts again as it needs, and the number of
//! rounds, each of which loads one model, grows with the logarithm of the prompts only (docs/decisions/0005-rounds.md).

use super::{Plan, PlanError, PlannedItem};
use crate::record::Digest;
use std::collections::BTreeMap;

/// Prompts of the first round.
const FIRST: usize = 16;

impl Plan {
    /// The same plan in random order and in rounds, for a comparison of two models that stops at this confidence level.
    ///
    /// # Errors
    /// When the plan does not have exactly two models that can be run.
    pub fn until_resolved(mut self, level: f64) -> Result<Self, PlanError> {
        let names = || self.models.iter().map(|m| m.record.name.clone()).collect();
        if self.models.len() != 2 {
            return Err(PlanError::NotTwoModels { models: names() });
        }
        let lost = self.models.iter().find_map(|m| Some((m, m.skip.clone()?)));
        if let Some((model, reason)) = lost {
            return Err(PlanError::NothingToCompare {
                model: model.record.name.clone(),
                reason,
            });
        }
        let mut prompts: BTreeMap<Digest, Vec<PlannedItem>> = BTreeMap::new();
        for item in std::mem::take(&mut self.items) {
            prompts
                .entry(place(self.seed, &item.content))
                .or_default()
                .push(item);
        }
        let sizes: Vec<usize> = prompts.values().map(Vec::len).collect();
        self.items = prompts.into_values().flatten().collect();
        self.rounds = ends(sizes.len())
            .into_iter()
            .map(|end| sizes[..end].iter().sum())
            .collect();
        self.prompts = sizes.len();
        let (own, level) = (
            self.digest.as_str().to_owned(),
            level.to_bits().to_le_bytes(),
        );
        self.digest = Digest::of_parts([
            b"evalh plan until resolved 1".as_slice(),
            own.as_bytes(),
            &level,
        ]);
        Ok(self)
    }
}

/// Where a prompt stands in the random order.
fn place(seed: u64, content: &Digest) -> Digest {
    Digest::of_parts([
        b"evalh order of prompts 1".as_slice(),
        &seed.to_le_bytes(),
        content.as_str().as_bytes(),
    ])
}

/// Prompts at the end of each round.
fn ends(prompts: usize) -> Vec<usize> {
    let mut out = Vec::new();
    let mut next = FIRST;
    // A small rest is not worth a load of its own.
    while next + next.div_ceil(8) < prompts {
        out.push(next);
        next += next.div_ceil(2);
    }
    out.push(prompts);
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::{plan_of, skipped_plan};
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rounds_grow_by_half_and_end_with_the_last_prompt() {
        assert_eq!(ends(1), [1]);
        assert_eq!(ends(16), [16]);
        assert_eq!(ends(18), [18]);
        assert_eq!(ends(19), [16, 19]);
        assert_eq!(ends(73), [16, 24, 36, 54, 73]);
        assert_eq!(ends(120), [16, 24, 36, 54, 81, 120]);
        for n in 1..2_000 {
            let all = ends(n);
            assert_eq!(all.last(), Some(&n));
            assert!(
                all.windows(2).all(|w| w[0] < w[1] && w[1] < w[0] * 2),
                "{n}"
            );
        }
    }

    #[test]
    fn the_order_is_random_and_keeps_prompts_whole() {
        let fixed = plan_of(7, &["a", "b"], Some(3));
        let plan = fixed.clone().until_resolved(0.95).unwrap();
        let key = |p: &Plan| {
            p.items
                .iter()
                .map(|i| (i.task.clone(), i.sample.clone(), i.epoch))
                .collect::<Vec<_>>()
        };
        let set = |p: &Plan| key(p).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(set(&plan), set(&fixed));
        assert_eq!((plan.prompts, plan.rounds.as_slice()), (3, &[9][..]));
        for prompt in plan.items.chunks(3) {
            assert!(prompt.iter().all(|i| i.content == prompt[0].content));
            assert_eq!(
                prompt.iter().map(|i| i.epoch).collect::<Vec<_>>(),
                [0, 1, 2]
            );
        }
        let orders: BTreeSet<_> = (0..40)
            .map(|seed| {
                key(&plan_of(seed, &["a", "b"], Some(3))
                    .until_resolved(0.95)
                    .unwrap())
            })
            .collect();
        assert_eq!(orders.len(), 6, "all orders of three prompts occur");
    }

    #[test]
    fn it_is_another_plan_than_the_fixed_one_and_depends_on_the_level() {
        let plan = || plan_of(7, &["a", "b"], None);
        let at = |level| plan().until_resolved(level).unwrap().digest;
        assert_eq!(at(0.95), at(0.95));
        assert_ne!(at(0.95), plan().digest);
        assert_ne!(at(0.95), at(0.99));
        assert!(plan().rounds.is_empty());
    }

    #[test]
    fn anything_but_two_models_is_refused() {
        let error = plan_of(7, &["a"], None).until_resolved(0.95).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`--until-resolved` compares exactly two models but 1 is planned: `a`"
        );
        assert_eq!(
            error.hint().unwrap(),
            "name two models with `--models a,b`, or leave out `--until-resolved`"
        );
        assert!(error.is_usage());
        let error = plan_of(7, &["a", "b", "c"], None)
            .until_resolved(0.95)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`--until-resolved` compares exactly two models but 3 are planned: `a`, `b`, `c`"
        );
        let error = skipped_plan().until_resolved(0.95).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`--until-resolved` compares two models but `b` cannot be run: the file is gone"
        );
        assert!(error.hint().is_none() && !error.is_usage());
    }
}
