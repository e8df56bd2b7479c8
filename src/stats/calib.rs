//! Calibration of stated probabilities, and unbiased pass@k.
//!
//! Sources: Brier 1950, Naeini et al. 2015 (ECE), Hanley & McNeil 1982 (AUROC), Chen et al. 2021 (pass@k).

use super::error::NotEstimable;
use super::method::Method;
use super::rank::mann_whitney_u;
use super::{check, desc};

fn outcomes(p: &[f64], y: &[bool], method: Method) -> Result<(), NotEstimable> {
    if p.len() != y.len() {
        return Err(NotEstimable::UnequalLengths {
            left: p.len(),
            right: y.len(),
        });
    }
    check::within(p, 0.0, 1.0, method)
}

/// Mean squared difference between probability and outcome.
pub fn brier(p: &[f64], y: &[bool]) -> Result<f64, NotEstimable> {
    outcomes(p, y, Method::Brier)?;
    Ok(desc::mean_of(
        &p.iter()
            .zip(y)
            .map(|(p, y)| (p - f64::from(*y)).powi(2))
            .collect::<Vec<_>>(),
    ))
}

/// Mean of -ln of the probability given to what happened; probabilities are kept 2^-52 away from 0 and 1, so that one certain
/// mistake costs 36 and not infinity.
pub fn log_loss(p: &[f64], y: &[bool]) -> Result<f64, NotEstimable> {
    outcomes(p, y, Method::LogLoss)?;
    let loss = |p: f64, y: bool| {
        let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        if y { -p.ln() } else { -(-p).ln_1p() }
    };
    Ok(desc::mean_of(
        &p.iter()
            .zip(y)
            .map(|(p, y)| loss(*p, *y))
            .collect::<Vec<_>>(),
    ))
}

/// Calibration error over bins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationError {
    /// Mean |accuracy - confidence| of the bins, weighted by their counts. Needs about 300 observations to mean much.
    pub expected: f64,
    /// The largest |accuracy - confidence| of a bin.
    pub maximum: f64,
}

/// Equal-width bins [i/b, (i+1)/b), the last one closed.
pub fn ece_equal_width(
    p: &[f64],
    y: &[bool],
    bins: usize,
) -> Result<CalibrationError, NotEstimable> {
    outcomes(p, y, Method::Ece)?;
    check::argument(
        "bins",
        bins as f64,
        (1..=100_000).contains(&bins),
        "from 1 to 100000",
    )?;
    let mut groups = vec![Vec::new(); bins];
    for (i, &value) in p.iter().enumerate() {
        groups[bin_of(value, bins)].push(i);
    }
    Ok(gaps(p, y, &groups))
}

/// The bin whose edges, written as i/b, contain the value; the product alone can round to the wrong side.
fn bin_of(p: f64, bins: usize) -> usize {
    let guess = ((p * bins as f64) as usize).min(bins - 1);
    if p < guess as f64 / bins as f64 {
        guess - 1
    } else if guess + 1 < bins && p >= (guess + 1) as f64 / bins as f64 {
        guess + 1
    } else {
        guess
    }
}

/// Equal-mass bins: the observations in order of probability, cut into `bins` parts of which the first are one larger.
pub fn ece_equal_mass(
    p: &[f64],
    y: &[bool],
    bins: usize,
) -> Result<CalibrationError, NotEstimable> {
    outcomes(p, y, Method::Ece)?;
    check::argument(
        "bins",
        bins as f64,
        (1..=100_000).contains(&bins),
        "from 1 to 100000",
    )?;
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (size, larger) = (p.len() / bins, p.len() % bins);
    let mut rest = order.as_slice();
    let mut groups = Vec::new();
    for i in 0..bins {
        let (group, after) = rest.split_at(size + usize::from(i < larger));
        groups.push(group.to_vec());
        rest = after;
    }
    Ok(gaps(p, y, &groups))
}

fn gaps(p: &[f64], y: &[bool], groups: &[Vec<usize>]) -> CalibrationError {
    let mut out = CalibrationError {
        expected: 0.0,
        maximum: 0.0,
    };
    for group in groups.iter().filter(|g| !g.is_empty()) {
        let n = group.len() as f64;
        let confidence = desc::sum(group.iter().map(|&i| p[i])) / n;
        let accuracy = group.iter().filter(|&&i| y[i]).count() as f64 / n;
        let gap = (accuracy - confidence).abs();
        out.expected += gap * n / p.len() as f64;
        out.maximum = out.maximum.max(gap);
    }
    out
}

/// Probability that a true case has a higher score than a false one, ties half: U / (n m). Needs both kinds.
pub fn auroc(score: &[f64], y: &[bool]) -> Result<f64, NotEstimable> {
    if score.len() != y.len() {
        return Err(NotEstimable::UnequalLengths {
            left: score.len(),
            right: y.len(),
        });
    }
    check::finite(score)?;
    let of = |kind: bool| -> Vec<f64> {
        score
            .iter()
            .zip(y)
            .filter(|(_, y)| **y == kind)
            .map(|(s, _)| *s)
            .collect()
    };
    let (yes, no) = (of(true), of(false));
    if yes.is_empty() || no.is_empty() {
        return Err(NotEstimable::NoVariation {
            method: Method::Auroc,
        });
    }
    Ok(mann_whitney_u(&yes, &no)?.0 / (yes.len() as f64 * no.len() as f64))
}

/// Unbiased pass@k of `c` successes in `n` tries: 1 - C(n-c, k) / C(n, k), the chance that at least one of k tries succeeds.
pub fn pass_at_k(n: u64, c: u64, k: u64) -> Result<f64, NotEstimable> {
    tries(n, c, k, Method::PassAtK)?;
    Ok(1.0 - falling_ratio(n - c, n, k))
}

/// Unbiased pass^k: C(c, k) / C(n, k), the chance that all of k tries succeed.
pub fn pass_hat_k(n: u64, c: u64, k: u64) -> Result<f64, NotEstimable> {
    tries(n, c, k, Method::PassHatK)?;
    Ok(falling_ratio(c, n, k))
}

fn tries(n: u64, c: u64, k: u64, method: Method) -> Result<(), NotEstimable> {
    check::count(c, n)?;
    check::argument(
        "k",
        k as f64,
        (1..=1_000_000).contains(&k),
        "from 1 to a million",
    )?;
    check::units(
        method,
        usize::try_from(k).unwrap_or(usize::MAX),
        usize::try_from(n).unwrap_or(usize::MAX),
    )
}

/// C(m, k) / C(n, k) = prod (m - i) / (n - i), 0 when m < k. The product stays exact where logarithms would round.
fn falling_ratio(m: u64, n: u64, k: u64) -> f64 {
    if m < k {
        return 0.0;
    }
    if m == n {
        return 1.0;
    }
    // C(m, k) / C(n, k) = C(n-k, n-m) / C(n, n-m): take the shorter product
    let (m, n, k) = if n - m < k {
        (n - k, n, n - m)
    } else {
        (m, n, k)
    };
    let mut out = 1.0;
    for i in 0..k {
        out *= (m - i) as f64 / (n - i) as f64;
        if out == 0.0 {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_belong_to_the_bin_above_and_one_to_the_last() {
        for bins in [7, 10, 15, 100] {
            for i in 0..bins {
                assert_eq!(bin_of(i as f64 / bins as f64, bins), i);
            }
            assert_eq!(bin_of(1.0, bins), bins - 1);
            assert_eq!(bin_of(0.3_f64.next_down(), 10), 2);
        }
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(
            brier(&[1.1], &[true]).is_err()
                && brier(&[], &[]).is_err()
                && brier(&[0.5], &[]).is_err()
        );
        assert!(ece_equal_width(&[0.5], &[true], 0).is_err());
        assert!(matches!(
            auroc(&[0.5, 0.6], &[true, true]),
            Err(NotEstimable::NoVariation { .. })
        ));
        assert!(
            pass_at_k(5, 6, 1).is_err()
                && pass_at_k(5, 2, 6).is_err()
                && pass_at_k(5, 2, 0).is_err()
        );
        assert!(pass_hat_k(0, 0, 1).is_err());
    }

    #[test]
    fn one_certain_mistake_is_finite() {
        let loss = log_loss(&[1.0], &[false]).unwrap();
        assert!((36.0..37.0).contains(&loss), "{loss}");
        assert_eq!(brier(&[0.0, 1.0], &[false, true]), Ok(0.0));
    }

    #[test]
    fn pass_at_k_is_the_enumeration() {
        // of the C(6, 3) = 20 subsets of tries with 2 successes, 4 contain none and 0 contain only successes
        assert!((pass_at_k(6, 2, 3).unwrap() - 0.8).abs() < 1e-15);
        assert_eq!(pass_hat_k(6, 2, 3), Ok(0.0));
        assert!((pass_hat_k(6, 4, 3).unwrap() - 0.2).abs() < 1e-15);
        assert_eq!(pass_at_k(1_000_000_000, 0, 500_000), Ok(0.0));
        assert_eq!(pass_at_k(1_000_000_000, 1_000_000_000, 7), Ok(1.0));
    }

    #[test]
    fn more_bins_than_observations_leave_empty_ones() {
        let e = ece_equal_mass(&[0.2, 0.9], &[false, true], 5).unwrap();
        assert!((e.expected - 0.15).abs() < 1e-15 && (e.maximum - 0.2).abs() < 1e-15);
    }
}
