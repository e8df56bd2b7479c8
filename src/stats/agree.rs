//! Agreement between raters, and bias of a judge that compares pairs.
//!
//! Sources: Cohen 1960 and 1968, Fleiss 1971, Krippendorff 2011 (computing alpha), Zheng et al. 2023 (position swap).

use super::error::NotEstimable;
use super::method::Method;
use super::{check, desc};
use std::collections::BTreeMap;

/// How much a disagreement between categories i and j costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// 0 on the diagonal, 1 elsewhere.
    Unweighted,
    /// |i - j|.
    Linear,
    /// (i - j)^2.
    Quadratic,
}

impl Weights {
    fn cost(self, i: usize, j: usize) -> f64 {
        let distance = i.abs_diff(j) as f64;
        match self {
            Self::Unweighted => f64::from(i != j),
            Self::Linear => distance,
            Self::Quadratic => distance * distance,
        }
    }
}

/// Cohen's kappa with what it is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kappa {
    /// 1 - observed cost / expected cost.
    pub kappa: f64,
    /// Share of exact agreement.
    pub observed: f64,
    /// Share of exact agreement expected from the margins.
    pub expected: f64,
    /// sqrt(po (1 - po) / (n (1 - pe)^2)), for unweighted kappa only.
    pub se: Option<f64>,
}

/// Cohen's kappa of two raters' categories; the categories are the distinct values in ascending order.
pub fn cohen_kappa(first: &[i64], second: &[i64], weights: Weights) -> Result<Kappa, NotEstimable> {
    if first.len() != second.len() {
        return Err(NotEstimable::UnequalLengths {
            left: first.len(),
            right: second.len(),
        });
    }
    let mut index: BTreeMap<i64, usize> = first.iter().chain(second).map(|&v| (v, 0)).collect();
    for (position, slot) in index.values_mut().enumerate() {
        *slot = position;
    }
    let mut table = vec![vec![0u64; index.len()]; index.len()];
    for (a, b) in first.iter().zip(second) {
        table[index[a]][index[b]] += 1;
    }
    kappa_of_table(&table, weights)
}

/// Cohen's kappa of a square table of counts (rows: first rater).
pub fn kappa_of_table(table: &[Vec<u64>], weights: Weights) -> Result<Kappa, NotEstimable> {
    let k = table.len();
    if let Some(row) = table.iter().find(|r| r.len() != k) {
        return Err(NotEstimable::UnequalLengths {
            left: k,
            right: row.len(),
        });
    }
    let n: f64 = table.iter().flatten().map(|c| *c as f64).sum();
    if n == 0.0 {
        return Err(NotEstimable::NoObservations);
    }
    let row: Vec<f64> = table
        .iter()
        .map(|r| r.iter().map(|c| *c as f64).sum::<f64>() / n)
        .collect();
    let column: Vec<f64> = (0..k)
        .map(|j| table.iter().map(|r| r[j] as f64).sum::<f64>() / n)
        .collect();
    let total = |value: &dyn Fn(usize, usize) -> f64| -> f64 {
        (0..k)
            .flat_map(|i| (0..k).map(move |j| (i, j)))
            .map(|(i, j)| value(i, j))
            .sum()
    };
    let seen = total(&|i, j| weights.cost(i, j) * table[i][j] as f64 / n);
    let chance = total(&|i, j| weights.cost(i, j) * row[i] * column[j]);
    if chance <= 0.0 {
        return Err(NotEstimable::NoVariation {
            method: Method::CohenKappa,
        });
    }
    let observed = (0..k).map(|i| table[i][i] as f64).sum::<f64>() / n;
    let expected: f64 = row.iter().zip(&column).map(|(a, b)| a * b).sum();
    let se = (weights == Weights::Unweighted)
        .then(|| (observed * (1.0 - observed) / n).sqrt() / (1.0 - expected));
    Ok(Kappa {
        kappa: 1.0 - seen / chance,
        observed,
        expected,
        se,
    })
}

/// Fleiss' kappa; `counts[i][j]` raters put item i into category j, the same number of raters (at least 2) for every item.
pub fn fleiss_kappa(counts: &[Vec<u64>]) -> Result<f64, NotEstimable> {
    let method = Method::FleissKappa;
    let first = counts.first().ok_or(NotEstimable::NoObservations)?;
    let raters: u64 = first.iter().sum();
    check::units(method, 2, usize::try_from(raters).unwrap_or(usize::MAX))?;
    let (n, m) = (counts.len() as f64, raters as f64);
    let (mut agreement, mut shares) = (0.0, vec![0.0; first.len()]);
    for row in counts {
        if row.len() != first.len() || row.iter().sum::<u64>() != raters {
            return Err(NotEstimable::UnequalLengths {
                left: first.len(),
                right: row.len(),
            });
        }
        let squares: f64 = row.iter().map(|c| (*c as f64).powi(2)).sum();
        agreement += (squares - m) / (m * (m - 1.0)) / n;
        for (share, c) in shares.iter_mut().zip(row) {
            *share += *c as f64 / (n * m);
        }
    }
    let chance: f64 = shares.iter().map(|s| s * s).sum();
    if chance >= 1.0 - 1e-15 {
        return Err(NotEstimable::NoVariation { method });
    }
    Ok((agreement - chance) / (1.0 - chance))
}

/// The distance between two values in Krippendorff's alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Names: equal or not.
    Nominal,
    /// Ranks: how many ratings lie between.
    Ordinal,
    /// Numbers: the squared difference.
    Interval,
}

/// Krippendorff's alpha; `ratings[r][u]` is rater r's value of unit u, `None` where missing. Units with fewer than two values
/// carry nothing. alpha = 1 - D_o / D_e over the coincidence matrix.
pub fn krippendorff_alpha(ratings: &[Vec<Option<f64>>], scale: Scale) -> Result<f64, NotEstimable> {
    let method = Method::KrippendorffAlpha;
    let units = ratings.first().ok_or(NotEstimable::NoObservations)?.len();
    if let Some(row) = ratings.iter().find(|r| r.len() != units) {
        return Err(NotEstimable::UnequalLengths {
            left: units,
            right: row.len(),
        });
    }
    let columns: Vec<Vec<f64>> = (0..units)
        .map(|u| ratings.iter().filter_map(|r| r[u]).collect::<Vec<f64>>())
        .filter(|c| c.len() > 1)
        .collect();
    let mut values: Vec<f64> = columns.iter().flatten().copied().collect();
    check::finite(&values)?;
    values.sort_by(f64::total_cmp);
    values.dedup();
    let index = |v: f64| values.partition_point(|x| *x < v);
    let k = values.len();
    let mut coincidence = vec![vec![0.0; k]; k];
    for column in &columns {
        let share = 1.0 / (column.len() as f64 - 1.0);
        for (i, a) in column.iter().enumerate() {
            for (j, b) in column.iter().enumerate() {
                if i != j {
                    coincidence[index(*a)][index(*b)] += share;
                }
            }
        }
    }
    let margin: Vec<f64> = coincidence.iter().map(|r| r.iter().sum()).collect();
    let n: f64 = margin.iter().sum();
    let distance = |a: usize, b: usize| scale_distance(scale, &values, &margin, a.min(b), a.max(b));
    let (mut observed, mut expected) = (0.0, 0.0);
    for a in 0..k {
        for b in 0..k {
            observed += coincidence[a][b] * distance(a, b);
            expected += margin[a] * margin[b] * distance(a, b) / (n - 1.0);
        }
    }
    if expected <= 0.0 {
        return Err(NotEstimable::NoVariation { method });
    }
    Ok(1.0 - observed / expected)
}

fn scale_distance(scale: Scale, values: &[f64], margin: &[f64], a: usize, b: usize) -> f64 {
    match scale {
        Scale::Nominal => f64::from(a != b),
        Scale::Ordinal => {
            let between: f64 =
                margin[a..=b].iter().sum::<f64>() - f64::midpoint(margin[a], margin[b]);
            if a == b { 0.0 } else { between * between }
        }
        Scale::Interval => (values[a] - values[b]).powi(2),
    }
}

/// A judge's verdict on a pair, in the names of the contestants (not of the positions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preference {
    /// A is better.
    A,
    /// B is better.
    B,
    /// Neither is.
    Tie,
}

/// What verdicts in both orders say about a judge.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionSwap {
    /// Share of pairs with the same verdict in both orders.
    pub consistency: f64,
    /// Winner of each pair: the verdict when consistent, otherwise a tie.
    pub winners: Vec<Preference>,
    /// Wins of A plus half of the ties, over all pairs.
    pub win_rate_a: f64,
    /// Share of the verdicts other than ties that went to the contestant shown first; `None` when all were ties.
    pub first_position_rate: Option<f64>,
}

/// Combines verdicts with A shown first and with B shown first: an inconsistent pair is a tie.
pub fn position_swap(
    a_first: &[Preference],
    b_first: &[Preference],
) -> Result<PositionSwap, NotEstimable> {
    if a_first.len() != b_first.len() {
        return Err(NotEstimable::UnequalLengths {
            left: a_first.len(),
            right: b_first.len(),
        });
    }
    if a_first.is_empty() {
        return Err(NotEstimable::NoObservations);
    }
    let n = a_first.len() as f64;
    let pairs = || a_first.iter().zip(b_first);
    let winners: Vec<Preference> = pairs()
        .map(|(x, y)| if x == y { *x } else { Preference::Tie })
        .collect();
    let count = |p: Preference| winners.iter().filter(|w| **w == p).count() as f64;
    let decided = a_first
        .iter()
        .chain(b_first)
        .filter(|v| **v != Preference::Tie)
        .count();
    let first = a_first.iter().filter(|v| **v == Preference::A).count()
        + b_first.iter().filter(|v| **v == Preference::B).count();
    Ok(PositionSwap {
        consistency: pairs().filter(|(x, y)| x == y).count() as f64 / n,
        win_rate_a: (count(Preference::A) + count(Preference::Tie) / 2.0) / n,
        first_position_rate: (decided > 0).then(|| first as f64 / decided as f64),
        winners,
    })
}

/// A score expected under a distribution over scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedScore {
    /// sum(s p) / sum(p).
    pub mean: f64,
    /// sum(p (s - mean)^2) / sum(p).
    pub variance: f64,
    /// sum(p): how much of the distribution lay on scores at all.
    pub mass: f64,
}

/// Expected score from log-probabilities of the scores; entries below `smallest` probability are left out (0 keeps all).
pub fn weighted_score(scores: &[(f64, f64)], smallest: f64) -> Result<WeightedScore, NotEstimable> {
    check::not_negative("smallest", smallest)?;
    let kept: Vec<(f64, f64)> = scores
        .iter()
        .map(|(s, lp)| (*s, lp.exp()))
        .filter(|(_, p)| *p >= smallest)
        .collect();
    check::finite(&kept.iter().flat_map(|(s, p)| [*s, *p]).collect::<Vec<_>>())?;
    let mass = desc::sum(kept.iter().map(|k| k.1));
    if mass <= 0.0 {
        return Err(NotEstimable::NoObservations);
    }
    let mean = desc::sum(kept.iter().map(|(s, p)| s * p)) / mass;
    let variance = desc::sum(kept.iter().map(|(s, p)| p * (s - mean).powi(2))) / mass;
    Ok(WeightedScore {
        mean,
        variance,
        mass,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_without_variation_is_undefined() {
        assert!(matches!(
            cohen_kappa(&[1, 1], &[1, 1], Weights::Linear),
            Err(NotEstimable::NoVariation { .. })
        ));
        assert!(matches!(
            fleiss_kappa(&[vec![3, 0], vec![3, 0]]),
            Err(NotEstimable::NoVariation { .. })
        ));
        let same = vec![vec![Some(2.0), Some(2.0)]; 2];
        assert!(matches!(
            krippendorff_alpha(&same, Scale::Ordinal),
            Err(NotEstimable::NoVariation { .. })
        ));
    }

    #[test]
    fn ragged_or_empty_tables_are_refused() {
        assert!(cohen_kappa(&[1], &[], Weights::Unweighted).is_err());
        assert!(cohen_kappa(&[], &[], Weights::Unweighted).is_err());
        assert!(kappa_of_table(&[vec![1, 2], vec![3]], Weights::Unweighted).is_err());
        assert!(
            fleiss_kappa(&[vec![1, 1], vec![2, 1]]).is_err()
                && fleiss_kappa(&[vec![1, 0]]).is_err()
        );
        assert!(krippendorff_alpha(&[], Scale::Nominal).is_err());
        assert!(krippendorff_alpha(&[vec![None, None]], Scale::Nominal).is_err());
        assert!(position_swap(&[], &[]).is_err() && weighted_score(&[], 0.0).is_err());
        assert!(weighted_score(&[(1.0, f64::NAN)], 0.0).is_err());
    }

    #[test]
    fn perfect_agreement_is_one() {
        let r = vec![vec![Some(1.0), Some(2.0), Some(4.0)]; 3];
        for scale in [Scale::Nominal, Scale::Ordinal, Scale::Interval] {
            assert_eq!(krippendorff_alpha(&r, scale), Ok(1.0));
        }
        assert_eq!(
            cohen_kappa(&[1, 2, 3], &[1, 2, 3], Weights::Quadratic)
                .unwrap()
                .kappa,
            1.0
        );
    }

    #[test]
    fn a_judge_that_prefers_the_first_position_is_seen() {
        let s = position_swap(&[Preference::A; 4], &[Preference::B; 4]).unwrap();
        assert_eq!(
            (s.consistency, s.win_rate_a, s.first_position_rate),
            (0.0, 0.5, Some(1.0))
        );
        let t = position_swap(&[Preference::Tie], &[Preference::Tie]).unwrap();
        assert_eq!(t.first_position_rate, None);
    }
}
