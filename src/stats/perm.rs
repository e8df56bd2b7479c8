//! Sign-flip permutation tests on paired differences: under no difference every sign pattern is equally likely.
//!
//! All 2^n patterns up to [`EXACT_UNITS`] units, seeded random patterns above, with p = (1 + #) / (1 + B).
//! Sources: Fisher 1935, Phipson & Smyth 2010 (the +1), Westfall & Young 1993 (largest statistic).

use super::error::NotEstimable;
use super::estimate::{StatWarning, Test};
use super::method::Method;
use super::rank::smallest_wilcoxon_p;
use super::rng::Seed;
use super::{check, desc};
use rayon::prelude::*;

/// Up to this number of units all sign patterns are visited.
pub const EXACT_UNITS: usize = 20;
/// Random patterns that reports use above [`EXACT_UNITS`].
pub const DEFAULT_FLIPS: usize = 10_000;

/// Two-sided sign-flip test of the mean difference: exact up to [`EXACT_UNITS`] units, seeded above.
pub fn sign_flip(d: &[f64], seed: Seed, flips: usize) -> Result<Test, NotEstimable> {
    if d.len() <= EXACT_UNITS {
        sign_flip_exact(d)
    } else {
        sign_flip_random(d, seed, flips)
    }
}

/// Share of all 2^n sign patterns whose |mean| reaches the observed one.
pub fn sign_flip_exact(d: &[f64]) -> Result<Test, NotEstimable> {
    check::finite(d)?;
    let n = d.len();
    check::argument("units", n as f64, n <= 30, "at most 30 for the exact test")?;
    let bound = reach(d);
    let (left, right) = d.split_at(n / 2);
    let (left, right) = (signed_sums(left), signed_sums(right));
    let hits: usize = left
        .iter()
        .map(|a| right.iter().filter(|b| (a + *b).abs() >= bound).count())
        .sum();
    let p = hits as f64 / (left.len() * right.len()) as f64;
    Ok(finish(Method::SignFlipExact, d, p))
}

/// The observed |sum| less what rounding can take, so that the observed pattern always counts itself.
fn reach(d: &[f64]) -> f64 {
    let total: f64 = d.iter().map(|x| x.abs()).sum();
    desc::sum(d.iter().copied()).abs() - 1e-12 * total
}

/// The sums of all sign patterns of a short slice.
fn signed_sums(d: &[f64]) -> Vec<f64> {
    d.iter().fold(vec![0.0], |sums, &x| {
        sums.iter().flat_map(|s| [s + x, s - x]).collect()
    })
}

/// The same test over `flips` seeded random patterns, p = (1 + #) / (1 + B).
pub fn sign_flip_random(d: &[f64], seed: Seed, flips: usize) -> Result<Test, NotEstimable> {
    check::finite(d)?;
    check::positive("flips", flips as f64)?;
    let bound = reach(d);
    let hits: usize = (0..flips as u64)
        .into_par_iter()
        .filter(|&i| {
            let signs = pattern(seed, i, d.len());
            let sum: f64 = d.iter().zip(&signs).map(|(x, s)| x * s).sum();
            sum.abs() >= bound
        })
        .count();
    Ok(finish(
        Method::SignFlipRandom,
        d,
        (1.0 + hits as f64) / (1.0 + flips as f64),
    ))
}

/// One random sign a unit.
fn pattern(seed: Seed, index: u64, n: usize) -> Vec<f64> {
    let mut stream = seed.stream(index);
    let mut bits = 0u64;
    (0..n)
        .map(|i| {
            if i % 64 == 0 {
                bits = stream.bits();
            }
            let sign = if bits & 1 == 1 { -1.0 } else { 1.0 };
            bits >>= 1;
            sign
        })
        .collect()
}

fn finish(method: Method, d: &[f64], p: f64) -> Test {
    let informative = d.iter().filter(|x| **x != 0.0).count();
    let smallest_p = smallest_wilcoxon_p(informative);
    Test::new(method, Some(desc::mean_of(d)), p, d.len()).warn_if(
        smallest_p >= 0.05,
        StatWarning::CannotReachSignificance { smallest_p },
    )
}

/// Adjusted p-values of several differences measured on the same units: whole units are flipped and each observed |t| is
/// compared with the largest |t| of the flipped family, which uses their correlation and controls the family-wise error.
///
/// `families[j][i]` is difference j on unit i. Needs two units and variation in every difference.
pub fn sign_flip_max_t(
    families: &[Vec<f64>],
    seed: Seed,
    flips: usize,
) -> Result<Vec<Test>, NotEstimable> {
    let n = families.first().ok_or(NotEstimable::NoObservations)?.len();
    let method = Method::SignFlipMaxT;
    check::positive("flips", flips as f64)?;
    check::units(method, 2, n)?;
    for d in families {
        check::paired(&families[0], d)?;
        if d.iter().all(|&x| x == 0.0) || check::constant(d, check::scale(d)) {
            return Err(NotEstimable::NoVariation { method });
        }
    }
    let ones = vec![1.0; n];
    let observed: Vec<f64> = families.iter().map(|d| flipped_t(d, &ones)).collect();
    let largest: Vec<f64> = (0..flips as u64)
        .into_par_iter()
        .map(|i| {
            let signs = pattern(seed, i, n);
            families
                .iter()
                .map(|d| flipped_t(d, &signs))
                .fold(0.0, f64::max)
        })
        .collect();
    let p = |t: f64| {
        (1 + largest.iter().filter(|m| **m >= t - 1e-9 * t).count()) as f64 / (1.0 + flips as f64)
    };
    Ok(observed
        .iter()
        .map(|&t| Test::new(method, Some(t), p(t), n))
        .collect())
}

/// |t| after flipping; the sum of squares does not change with the signs, so that a pattern without variance is infinite.
fn flipped_t(d: &[f64], signs: &[f64]) -> f64 {
    let n = d.len() as f64;
    let sum: f64 = d.iter().zip(signs).map(|(x, s)| x * s).sum();
    let squares: f64 = d.iter().map(|x| x * x).sum();
    let variance = ((squares - sum * sum / n) / (n - 1.0)).max(0.0);
    if variance == 0.0 {
        f64::INFINITY
    } else {
        (sum / n).abs() / (variance / n).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> Seed {
        Seed::from_parts(&["perm tests"])
    }

    #[test]
    fn all_one_way_gives_two_patterns() {
        let t = sign_flip_exact(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(t.p_value, 2.0 / 64.0);
        let five = sign_flip_exact(&[1.0; 5]).unwrap();
        assert_eq!(
            five.warnings,
            vec![StatWarning::CannotReachSignificance { smallest_p: 0.0625 }]
        );
    }

    #[test]
    fn no_difference_has_p_one() {
        assert_eq!(sign_flip_exact(&[0.0; 4]).unwrap().p_value, 1.0);
        assert_eq!(
            sign_flip_random(&[0.0; 40], seed(), 99).unwrap().p_value,
            1.0
        );
        assert!(sign_flip_exact(&[]).is_err() && sign_flip_exact(&[0.0; 31]).is_err());
        assert!(sign_flip_random(&[1.0], seed(), 0).is_err());
    }

    #[test]
    fn random_patterns_approach_the_exact_p() {
        let d = [
            0.3, -0.1, 0.4, 0.2, -0.3, 0.5, 0.1, 0.6, -0.2, 0.25, 0.05, 0.15,
        ];
        let (exact, random) = (
            sign_flip_exact(&d).unwrap(),
            sign_flip_random(&d, seed(), 20_000).unwrap(),
        );
        assert!(
            (exact.p_value - random.p_value).abs() < 0.01,
            "{} {}",
            exact.p_value,
            random.p_value
        );
    }

    #[test]
    fn a_family_of_one_is_the_single_test_and_more_members_never_help() {
        let d = vec![0.3, -0.1, 0.4, 0.2, -0.3, 0.5, 0.1, 0.6, -0.2, 0.25];
        let noise = vec![1.0, -1.2, 0.4, -0.5, 0.7, -0.9, 0.2, 0.3, -0.6, 0.1];
        let one = sign_flip_max_t(std::slice::from_ref(&d), seed(), 5000).unwrap();
        let exact = sign_flip_exact(&d).unwrap().p_value;
        assert!((one[0].p_value - exact).abs() < 0.02);
        let two = sign_flip_max_t(&[d, noise], seed(), 5000).unwrap();
        assert!(two[0].p_value >= one[0].p_value);
        assert!(sign_flip_max_t(&[vec![1.0; 4]], seed(), 9).is_err());
    }
}
