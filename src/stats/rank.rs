//! Rank methods: Mann-Whitney, Wilcoxon signed-rank, Hodges-Lehmann, Brunner-Munzel, Friedman.
//!
//! Exact null distributions are computed by dynamic programming on doubled mid-ranks, so that ties are exact as well.
//! Two values tie when they are the same number; no tolerance is applied, so that rounding in the input decides.
//! Sources: Mann & Whitney 1947, Wilcoxon 1945, Pratt 1959, Hodges & Lehmann 1963, Brunner & Munzel 2000, Friedman 1937.

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, StatWarning, Test};
use super::method::Method;
use super::paired::differences;
use super::{check, desc, dist};

/// Most observations (both groups) for the exact Mann-Whitney distribution.
pub const EXACT_MANN_WHITNEY: usize = 100;
/// Most non-zero differences for the exact signed-rank distribution.
pub const EXACT_WILCOXON: usize = 300;

/// Which one-sided question a test answers; `TwoSided` is the default of every report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// x differs from y.
    TwoSided,
    /// x is larger than y.
    Greater,
    /// x is smaller than y.
    Less,
}

/// Doubled mid-ranks (so that they are integers) and the sizes of the tie groups.
pub(crate) fn doubled_ranks(xs: &[f64]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..xs.len()).collect();
    order.sort_by(|&a, &b| xs[a].total_cmp(&xs[b]));
    let (mut ranks, mut ties) = (vec![0; xs.len()], Vec::new());
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && xs[order[end]] == xs[order[start]] {
            end += 1;
        }
        for &i in &order[start..end] {
            ranks[i] = start + end + 1;
        }
        ties.push(end - start);
        start = end;
    }
    (ranks, ties)
}

/// sum (t^3 - t) over tie groups.
fn tie_term(ties: &[usize]) -> f64 {
    ties.iter().map(|&t| (t as f64).powi(3) - t as f64).sum()
}

/// Mann-Whitney statistics: pairs in which x is larger than y (ties half), and in which y is larger.
pub fn mann_whitney_u(x: &[f64], y: &[f64]) -> Result<(f64, f64), NotEstimable> {
    check::finite(x)?;
    check::finite(y)?;
    let all: Vec<f64> = x.iter().chain(y).copied().collect();
    let rank_sum: usize = doubled_ranks(&all).0[..x.len()].iter().sum();
    let (n, m) = (x.len() as f64, y.len() as f64);
    let u = rank_sum as f64 / 2.0 - n * (n + 1.0) / 2.0;
    Ok((u, n * m - u))
}

/// Mann-Whitney test: exact up to [`EXACT_MANN_WHITNEY`] observations, above it the normal approximation with continuity
/// correction.
pub fn mann_whitney(x: &[f64], y: &[f64], alternative: Alternative) -> Result<Test, NotEstimable> {
    if x.len() + y.len() <= EXACT_MANN_WHITNEY {
        mann_whitney_exact(x, y, alternative)
    } else {
        mann_whitney_normal(x, y, alternative, true)
    }
}

/// Exact Mann-Whitney test given the ties: all splits of the pooled mid-ranks are equally likely.
/// Two-sided: twice the smaller tail, at most 1.
pub fn mann_whitney_exact(
    x: &[f64],
    y: &[f64],
    alternative: Alternative,
) -> Result<Test, NotEstimable> {
    let (u, _) = mann_whitney_u(x, y)?;
    let total = x.len() + y.len();
    check::argument(
        "observations",
        total as f64,
        total <= 400,
        "at most 400 for the exact test",
    )?;
    let all: Vec<f64> = x.iter().chain(y).copied().collect();
    let (ranks, ties) = doubled_ranks(&all);
    let observed: usize = ranks[..x.len()].iter().sum();
    let null = subset_sums(&ranks, x.len());
    let below: f64 = null[..=observed].iter().sum();
    let above: f64 = null[observed..].iter().sum();
    let tied = ties.iter().any(|&t| t > 1);
    let smallest_p = smallest_mann_whitney_p(x.len(), y.len());
    Ok(Test::new(
        Method::MannWhitneyExact,
        Some(u),
        tail(alternative, below, above),
        total,
    )
    .warn_if(tied, StatWarning::Ties)
    .warn_if(
        smallest_p >= 0.05,
        StatWarning::CannotReachSignificance { smallest_p },
    ))
}

fn tail(alternative: Alternative, below: f64, above: f64) -> f64 {
    match alternative {
        Alternative::TwoSided => 2.0 * below.min(above),
        Alternative::Greater => above,
        Alternative::Less => below,
    }
}

/// Distribution of the sum of `size` ranks drawn without replacement. Each rank is in or out with the probability that keeps
/// the running table a conditional distribution, so that nothing overflows.
fn subset_sums(ranks: &[usize], size: usize) -> Vec<f64> {
    let most: usize = ranks.iter().sum();
    let mut table = vec![vec![0.0; most + 1]; size + 1];
    table[0][0] = 1.0;
    let mut reach = 0;
    for (seen, &rank) in ranks.iter().enumerate() {
        reach += rank;
        for k in (0..size.min(seen + 1)).rev() {
            let (low, high) = table.split_at_mut(k + 1);
            for s in rank..=reach {
                high[0][s] += low[k][s - rank];
            }
        }
    }
    let total: f64 = table[size].iter().sum();
    table[size].iter().map(|c| c / total).collect()
}

/// The smallest two-sided exact p-value of two groups: 2 / C(n + m, n).
pub fn smallest_mann_whitney_p(n: usize, m: usize) -> f64 {
    (2.0 / dist::ln_choose((n + m) as u64, n as u64).exp()).min(1.0)
}

/// Mann-Whitney test by the normal approximation with tie-corrected variance.
pub fn mann_whitney_normal(
    x: &[f64],
    y: &[f64],
    alternative: Alternative,
    continuity: bool,
) -> Result<Test, NotEstimable> {
    let (u, _) = mann_whitney_u(x, y)?;
    let all: Vec<f64> = x.iter().chain(y).copied().collect();
    let (n, m) = (x.len() as f64, y.len() as f64);
    let (total, ties) = (n + m, tie_term(&doubled_ranks(&all).1));
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance.is_nan() || variance <= 0.0 {
        return Err(NotEstimable::NoVariation {
            method: Method::MannWhitneyNormal,
        });
    }
    let p = normal_tail(alternative, u - n * m / 2.0, variance.sqrt(), continuity);
    Ok(Test::new(Method::MannWhitneyNormal, Some(u), p, all.len())
        .warn_if(ties > 0.0, StatWarning::Ties))
}

fn normal_tail(alternative: Alternative, shift: f64, sd: f64, continuity: bool) -> f64 {
    let half = if continuity { 0.5 } else { 0.0 };
    match alternative {
        Alternative::TwoSided => (2.0 * dist::normal_sf((shift.abs() - half) / sd)).min(1.0),
        Alternative::Greater => dist::normal_sf((shift - half) / sd),
        Alternative::Less => dist::normal_cdf((shift + half) / sd),
    }
}

/// What the signed-rank test does with pairs that do not differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zeros {
    /// Drop them (Wilcoxon).
    Drop,
    /// Rank them, then drop their ranks (Pratt).
    Pratt,
    /// Rank them and give half of their ranks to each side.
    Split,
}

/// Signed-rank sums of differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRanks {
    /// Sum of the ranks of positive differences.
    pub plus: f64,
    /// Sum of the ranks of negative differences.
    pub minus: f64,
    /// Pairs without a difference.
    pub zeros: usize,
}

/// Signed-rank sums of x - y.
pub fn signed_ranks(x: &[f64], y: &[f64], zeros: Zeros) -> Result<SignedRanks, NotEstimable> {
    Ok(signed(&differences(x, y)?, zeros).0)
}

fn signed(d: &[f64], zeros: Zeros) -> (SignedRanks, Vec<usize>) {
    let kept: Vec<f64> = d
        .iter()
        .copied()
        .filter(|&v| zeros != Zeros::Drop || v != 0.0)
        .collect();
    let sizes: Vec<f64> = kept.iter().map(|v| v.abs()).collect();
    let (ranks, mut ties) = doubled_ranks(&sizes);
    let sum = |keep: fn(f64) -> bool| -> f64 {
        kept.iter()
            .zip(&ranks)
            .filter(|(v, _)| keep(**v))
            .map(|(_, r)| *r as f64 / 2.0)
            .sum()
    };
    let zero = d.iter().filter(|v| **v == 0.0).count();
    let shared = if zeros == Zeros::Split {
        sum(|v| v == 0.0) / 2.0
    } else {
        0.0
    };
    if zeros == Zeros::Pratt && zero > 0 {
        ties.remove(0);
    }
    (
        SignedRanks {
            plus: sum(|v| v > 0.0) + shared,
            minus: sum(|v| v < 0.0) + shared,
            zeros: zero,
        },
        ties,
    )
}

/// Wilcoxon signed-rank test: exact up to [`EXACT_WILCOXON`] differences, above it the normal approximation with continuity
/// correction. Pairs without a difference are dropped, with a warning.
pub fn wilcoxon(x: &[f64], y: &[f64], alternative: Alternative) -> Result<Test, NotEstimable> {
    if x.len() <= EXACT_WILCOXON {
        wilcoxon_exact(x, y, alternative)
    } else {
        wilcoxon_normal(x, y, Zeros::Drop, alternative, true)
    }
}

/// Exact signed-rank test given the ties; zeros dropped. The statistic is the sum of positive ranks.
pub fn wilcoxon_exact(
    x: &[f64],
    y: &[f64],
    alternative: Alternative,
) -> Result<Test, NotEstimable> {
    let d: Vec<f64> = differences(x, y)?
        .into_iter()
        .filter(|v| *v != 0.0)
        .collect();
    let n = d.len();
    check::argument(
        "pairs",
        n as f64,
        n <= 1000,
        "at most 1000 for the exact test",
    )?;
    let (ranks, ties) = doubled_ranks(&d.iter().map(|v| v.abs()).collect::<Vec<_>>());
    let observed: usize = d
        .iter()
        .zip(&ranks)
        .filter(|(v, _)| **v > 0.0)
        .map(|(_, r)| *r)
        .sum();
    let null = sign_sums(&ranks);
    let below: f64 = null[..=observed].iter().sum();
    let above: f64 = null[observed..].iter().sum();
    let smallest_p = smallest_wilcoxon_p(n);
    let zeros = x.len() - n;
    Ok(Test::new(
        Method::WilcoxonExact,
        Some(observed as f64 / 2.0),
        tail(alternative, below, above),
        x.len(),
    )
    .warn_if(zeros > 0, StatWarning::ZerosDropped { count: zeros })
    .warn_if(ties.iter().any(|&t| t > 1), StatWarning::Ties)
    .warn_if(
        smallest_p >= 0.05,
        StatWarning::CannotReachSignificance { smallest_p },
    ))
}

/// Distribution of the sum of ranks with a fair coin for each.
fn sign_sums(ranks: &[usize]) -> Vec<f64> {
    let mut null = vec![0.0; ranks.iter().sum::<usize>() + 1];
    null[0] = 1.0;
    let mut reach = 0;
    for &rank in ranks {
        reach += rank;
        for s in (0..=reach).rev() {
            let with = if s >= rank { null[s - rank] } else { 0.0 };
            null[s] = f64::midpoint(null[s], with);
        }
    }
    null
}

/// Number of sign patterns with each rank sum 0..=n(n+1)/2, without ties; `None` above 1000, where counts overflow.
pub fn signed_rank_counts(n: usize) -> Option<Vec<f64>> {
    if n > 1000 {
        return None;
    }
    let ranks: Vec<usize> = (1..=n).collect();
    let scale = (n as f64).exp2();
    Some(sign_sums(&ranks).iter().map(|p| p * scale).collect())
}

/// The smallest two-sided exact p-value of n differences: 2 / 2^n.
pub fn smallest_wilcoxon_p(n: usize) -> f64 {
    (1.0 - n as f64).exp2().min(1.0)
}

/// Signed-rank test by the normal approximation with tie-corrected variance. The statistic is the smaller rank sum for a
/// two-sided test, the sum of positive ranks otherwise.
pub fn wilcoxon_normal(
    x: &[f64],
    y: &[f64],
    zeros: Zeros,
    alternative: Alternative,
    continuity: bool,
) -> Result<Test, NotEstimable> {
    let d = differences(x, y)?;
    let (sums, ties) = signed(&d, zeros);
    let zero = sums.zeros as f64;
    let n = if zeros == Zeros::Drop {
        d.len() as f64 - zero
    } else {
        d.len() as f64
    };
    let lost = if zeros == Zeros::Pratt { zero } else { 0.0 };
    let mean = (n * (n + 1.0) - lost * (lost + 1.0)) / 4.0;
    let cube = |k: f64| k * (k + 1.0) * (2.0 * k + 1.0);
    let variance = (cube(n) - cube(lost) - tie_term(&ties) / 2.0) / 24.0;
    if variance.is_nan() || variance <= 0.0 {
        return Err(NotEstimable::NoVariation {
            method: Method::WilcoxonNormal,
        });
    }
    let p = normal_tail(alternative, sums.plus - mean, variance.sqrt(), continuity);
    let statistic = if alternative == Alternative::TwoSided {
        sums.plus.min(sums.minus)
    } else {
        sums.plus
    };
    Ok(
        Test::new(Method::WilcoxonNormal, Some(statistic), p, d.len()).warn_if(
            zeros == Zeros::Drop && sums.zeros > 0,
            StatWarning::ZerosDropped { count: sums.zeros },
        ),
    )
}

/// Hodges-Lehmann estimate of the centre of x - y with its exact interval.
#[derive(Debug, Clone, PartialEq)]
pub struct HodgesLehmann {
    /// Median of the Walsh averages with the interval [W_(k), W_(M+1-k)].
    pub estimate: Estimate,
    /// Exact coverage of the interval; `None` without one.
    pub coverage: Option<f64>,
    /// The rank k, the alpha/2 quantile of the signed-rank distribution; `None` without an interval.
    pub rank: Option<usize>,
}

/// Hodges-Lehmann estimate with the exact signed-rank interval. Quadratic in the number of pairs: at most 5000.
pub fn hodges_lehmann(x: &[f64], y: &[f64], level: f64) -> Result<HodgesLehmann, NotEstimable> {
    let d = differences(x, y)?;
    check::open_unit("level", level)?;
    let (n, method) = (d.len(), Method::HodgesLehmann);
    check::argument("pairs", n as f64, n <= 5000, "at most 5000")?;
    let mut walsh: Vec<f64> = (0..n)
        .flat_map(|i| (i..n).map(move |j| (i, j)))
        .map(|(i, j)| f64::midpoint(d[i], d[j]))
        .collect();
    walsh.sort_by(f64::total_cmp);
    let point = desc::quantile_sorted(&walsh, 0.5, desc::QuantileType::Type7);
    let (rank, below) = signed_rank_quantile(n, (1.0 - level) / 2.0);
    if rank == 0 {
        // q = P(no rank) = 2^-n reaches the tail: even all Walsh averages cover less than the level
        let needs = 1 + ((2.0 / (1.0 - level)).log2().floor() as usize);
        let estimate = Estimate::without_interval(
            point,
            method,
            n,
            NotEstimable::TooFewUnits {
                method,
                needs,
                has: n,
            },
        );
        return Ok(HodgesLehmann {
            estimate: estimate.checked()?,
            coverage: None,
            rank: None,
        });
    }
    let interval = Interval::new(level, walsh[rank - 1], walsh[walsh.len() - rank]);
    let estimate = Estimate::with_interval(point, interval, method, n).checked()?;
    Ok(HodgesLehmann {
        estimate,
        coverage: Some(1.0 - 2.0 * below),
        rank: Some(rank),
    })
}

/// Smallest k with P(V <= k) >= p, and P(V < k). Above 1000 pairs by the normal approximation.
fn signed_rank_quantile(n: usize, p: f64) -> (usize, f64) {
    if n > 1000 {
        let m = n as f64;
        let (mean, sd) = (
            m * (m + 1.0) / 4.0,
            (m * (m + 1.0) * (2.0 * m + 1.0) / 24.0).sqrt(),
        );
        return (
            (mean + sd * dist::normal_quantile(p)).floor().max(0.0) as usize,
            p,
        );
    }
    let null = sign_sums(&(1..=n).collect::<Vec<_>>());
    let mut below = 0.0;
    for (k, mass) in null.iter().enumerate() {
        if below + mass >= p {
            return (k, below);
        }
        below += mass;
    }
    (null.len() - 1, below)
}

/// Hodges-Lehmann shift of independent groups: the median of all x_i - y_j. At most 25 million pairs.
pub fn hodges_lehmann_shift(x: &[f64], y: &[f64]) -> Result<Estimate, NotEstimable> {
    check::finite(x)?;
    check::finite(y)?;
    let pairs = x.len().saturating_mul(y.len());
    check::argument(
        "pairs",
        pairs as f64,
        pairs <= 25_000_000,
        "at most 25 million",
    )?;
    let mut all: Vec<f64> = x
        .iter()
        .flat_map(|a| y.iter().map(move |b| a - b))
        .collect();
    all.sort_by(f64::total_cmp);
    let point = desc::quantile_sorted(&all, 0.5, desc::QuantileType::Type7);
    Estimate {
        point,
        interval: None,
        method: Method::HodgesLehmannShift,
        n_units: x.len() + y.len(),
        reason: None,
        warnings: Vec::new(),
    }
    .checked()
}

/// Brunner-Munzel test that P(x < y) + P(x = y)/2 = 1/2, without assuming equal shapes; t approximation.
/// The statistic is positive when y tends to be larger.
pub fn brunner_munzel(x: &[f64], y: &[f64]) -> Result<Test, NotEstimable> {
    check::finite(x)?;
    check::finite(y)?;
    let method = Method::BrunnerMunzel;
    check::units(method, 2, x.len().min(y.len()))?;
    let all: Vec<f64> = x.iter().chain(y).copied().collect();
    let pooled = mid_ranks(&all);
    let (px, py) = pooled.split_at(x.len());
    let (n, m) = (x.len() as f64, y.len() as f64);
    let (sx, sy) = (
        placement_variance(px, &mid_ranks(x)),
        placement_variance(py, &mid_ranks(y)),
    );
    let below = n * sx + m * sy;
    if below <= 0.0 {
        return Err(NotEstimable::NoVariation { method });
    }
    let w = n * m * (desc::mean_of(py) - desc::mean_of(px)) / ((n + m) * below.sqrt());
    let df = below * below / ((n * sx).powi(2) / (n - 1.0) + (m * sy).powi(2) / (m - 1.0));
    Ok(Test::new(method, Some(w), dist::t_two_sided(w, df), all.len()).with_df(df))
}

pub(crate) fn mid_ranks(xs: &[f64]) -> Vec<f64> {
    doubled_ranks(xs)
        .0
        .iter()
        .map(|&r| r as f64 / 2.0)
        .collect()
}

fn placement_variance(pooled: &[f64], own: &[f64]) -> f64 {
    desc::variance_of(
        &pooled
            .iter()
            .zip(own)
            .map(|(a, b)| a - b)
            .collect::<Vec<_>>(),
    )
}

/// Friedman test of k treatments on the same units (`rows[i][j]`: unit i, treatment j), with tie correction.
pub fn friedman<R: AsRef<[f64]>>(rows: &[R]) -> Result<Test, NotEstimable> {
    let method = Method::Friedman;
    let k = rows
        .first()
        .ok_or(NotEstimable::NoObservations)?
        .as_ref()
        .len();
    check::units(method, 2, rows.len())?;
    check::argument("treatments", k as f64, k >= 3, "at least 3")?;
    let (mut sums, mut ties) = (vec![0.0; k], 0.0);
    for row in rows {
        let row = row.as_ref();
        check::finite(row)?;
        if row.len() != k {
            return Err(NotEstimable::UnequalLengths {
                left: k,
                right: row.len(),
            });
        }
        let (ranks, groups) = doubled_ranks(row);
        ties += tie_term(&groups);
        for (sum, rank) in sums.iter_mut().zip(ranks) {
            *sum += rank as f64 / 2.0;
        }
    }
    let (n, k) = (rows.len() as f64, k as f64);
    let correction = 1.0 - ties / (k * (k * k - 1.0) * n);
    if correction <= 0.0 {
        return Err(NotEstimable::NoVariation { method });
    }
    let squares: f64 = sums.iter().map(|s| s * s).sum();
    let chi2 = ((12.0 / (k * n * (k + 1.0)) * squares - 3.0 * n * (k + 1.0)) / correction).max(0.0);
    Ok(Test::new(method, Some(chi2), dist::chi2_sf(chi2, k - 1.0), rows.len()).with_df(k - 1.0))
}

/// Cliff's delta: the mean of sign(x_i - y_j) = 2 U / (n m) - 1. The probability of superiority (VDA) is (delta + 1) / 2.
pub fn cliffs_delta(x: &[f64], y: &[f64]) -> Result<f64, NotEstimable> {
    let (u, _) = mann_whitney_u(x, y)?;
    Ok(2.0 * u / (x.len() as f64 * y.len() as f64) - 1.0)
}

#[cfg(test)]
#[path = "rank_tests.rs"]
mod tests;
