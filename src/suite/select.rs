//! A smaller suite with the same samples: seeded, stratified by task.

use super::{Sample, Suite, Task};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::fmt;
use std::str::FromStr;

/// How many samples of a suite are run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// This many.
    Samples(u32),
    /// This share of the suite, in percent, above 0 and at most 100.
    Percent(f64),
}

/// A limit that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a limit; write for example `20` or `10%`")]
pub struct ParseLimitError(String);

impl FromStr for Limit {
    type Err = ParseLimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseLimitError(text.to_owned());
        if let Some(share) = text.trim().strip_suffix('%') {
            let share: f64 = share.trim().parse().map_err(|_| bad())?;
            return (share > 0.0 && share <= 100.0)
                .then_some(Self::Percent(share))
                .ok_or_else(bad);
        }
        match text.trim().parse() {
            Ok(n) if n > 0 => Ok(Self::Samples(n)),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Samples(n) => write!(f, "{n}"),
            Self::Percent(p) => write!(f, "{p}%"),
        }
    }
}

impl Limit {
    /// Samples taken out of `total`: at least one, at most all.
    fn count(self, total: usize) -> usize {
        let wanted = match self {
            Self::Samples(n) => n as usize,
            Self::Percent(p) => (total as f64 * p / 100.0).round() as usize,
        };
        wanted.clamp(1.min(total), total)
    }
}

impl Suite {
    /// The suite with fewer samples, the same for the same seed; without a limit all of it.
    ///
    /// Every task keeps its share of the samples (largest remainders first), and at least one while there are enough. Samples keep their
    /// order and their digests; `digest` stays that of the whole suite, which is what the samples were taken from. A smaller limit
    /// of the same seed and task share takes a subset: each sample has one place in a seeded order of its task.
    #[must_use]
    pub fn select(&self, limit: Option<Limit>, seed: u64) -> Self {
        let total: usize = self.tasks.iter().map(|t| t.samples.len()).sum();
        let Some(limit) = limit else {
            return self.clone();
        };
        let sizes: Vec<usize> = self.tasks.iter().map(|t| t.samples.len()).collect();
        let shares = allocate(&sizes, limit.count(total), seed);
        let tasks = self
            .tasks
            .iter()
            .zip(shares)
            .filter(|(_, share)| *share > 0)
            .map(|(task, share)| Task {
                samples: draw(task, share, seed),
                ..task.clone()
            })
            .collect();
        Self {
            tasks,
            ..self.clone()
        }
    }
}

/// How many samples each task gives.
fn allocate(sizes: &[usize], wanted: usize, seed: u64) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    let filled = sizes.iter().filter(|&&n| n > 0).count();
    let mut shares = vec![0; sizes.len()];
    let mut order: Vec<usize> = (0..sizes.len()).filter(|&i| sizes[i] > 0).collect();
    // Equal remainders are broken by the seed, so that early tasks have no advantage.
    shuffle(&mut order, &mut stream(seed, "tasks"));
    if wanted <= filled {
        order.iter().take(wanted).for_each(|&i| shares[i] = 1);
        return shares;
    }
    let exact = |i: usize| wanted as f64 * sizes[i] as f64 / total as f64;
    for &i in &order {
        shares[i] = (exact(i).floor() as usize).clamp(1, sizes[i]);
    }
    order.sort_by(|&a, &b| exact(b).fract().total_cmp(&exact(a).fract()));
    let mut given: usize = shares.iter().sum();
    while given < wanted {
        for &i in &order {
            if given < wanted && shares[i] < sizes[i] {
                (shares[i], given) = (shares[i] + 1, given + 1);
            }
        }
    }
    while given > wanted {
        let largest = order.iter().copied().max_by_key(|&i| shares[i]);
        let Some(i) = largest.filter(|&i| shares[i] > 1) else {
            break;
        };
        (shares[i], given) = (shares[i] - 1, given - 1);
    }
    shares
}

/// The first `share` samples of the task's seeded order, in file order.
fn draw(task: &Task, share: usize, seed: u64) -> Vec<Sample> {
    let mut order: Vec<usize> = (0..task.samples.len()).collect();
    shuffle(&mut order, &mut stream(seed, &task.id));
    order.truncate(share);
    order.sort_unstable();
    order.into_iter().map(|i| task.samples[i].clone()).collect()
}

/// A random stream of its own for each purpose.
fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    hasher.update(b"suite select");
    hasher.update(seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(hasher.finalize().into())
}

/// Fisher and Yates, from the back; multiply-shift keeps the bias below 2^-32 for the sizes there are.
fn shuffle(items: &mut [usize], rng: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        let wide = u128::from(rng.next_u64()) * (last as u128 + 1);
        items.swap(last, (wide >> 64) as usize);
    }
}
