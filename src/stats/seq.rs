//! Evidence that may be looked at again and again: e-values, confidence sequences, mSPRT, and what repeated looks at a fixed
//! critical value cost.
//!
//! Sources: Ville 1939, Waudby-Smith & Ramdas 2024 (empirical Bernstein), Waudby-Smith et al. 2024 (asymptotic),
//! Johari et al. 2022 (mSPRT), Armitage, McPherson & Rowe 1969 (repeated looks).

use super::error::NotEstimable;
use super::estimate::Interval;
use super::method::Method;
use super::{check, desc, dist};

/// E-value of b units only A passed and c only B passed against a fair coin, uniform mixture: 2^(b+c) B(b+1, c+1).
/// Reject at any time when it reaches 1 / alpha. Infinite only when it exceeds the largest number.
pub fn e_value(only_a: u64, only_b: u64) -> f64 {
    let (b, c) = (only_a as f64, only_b as f64);
    ((b + c) * std::f64::consts::LN_2 + dist::ln_beta(b + 1.0, c + 1.0)).exp()
}

/// The e-value after each discordant unit (true: only A passed).
pub fn e_value_stream(only_a_passed: &[bool]) -> Vec<f64> {
    let (mut b, mut c) = (0, 0);
    only_a_passed
        .iter()
        .map(|&a| {
            if a {
                b += 1;
            } else {
                c += 1;
            }
            e_value(b, c)
        })
        .collect()
}

/// Empirical-Bernstein confidence sequence of the mean of values in 0 to 1, one interval after each value.
///
/// Each side uses alpha/2: lambda_t = min(sqrt(2 ln(2/alpha) / (s_{t-1} t ln(1 + t))), 1/2), with s the running variance that
/// starts from one pseudo-value 1/2 of variance 1/4; centre sum(lambda x)/sum(lambda), margin
/// (ln(2/alpha) + sum v psi(lambda)) / sum(lambda), v = (x - mean_{t-1})^2, psi(l) = -ln(1 - l) - l; the upper bound mirrors x.
pub fn empirical_bernstein(xs: &[f64], alpha: f64) -> Result<Vec<Interval>, NotEstimable> {
    check::within(xs, 0.0, 1.0, Method::EmpiricalBernsteinCs)?;
    check::open_unit("alpha", alpha)?;
    let mirrored: Vec<f64> = xs.iter().map(|x| 1.0 - x).collect();
    let (low, high) = (
        bernstein_lower(xs, alpha / 2.0),
        bernstein_lower(&mirrored, alpha / 2.0),
    );
    Ok(low
        .iter()
        .zip(high)
        .map(|(&l, h)| Interval::new(1.0 - alpha, l, 1.0 - h))
        .collect())
}

fn bernstein_lower(xs: &[f64], alpha: f64) -> Vec<f64> {
    let budget = (1.0 / alpha).ln();
    // `spread` is t s_{t-1}: the pseudo-value counts as one observation
    let (mut spread, mut sum, mut previous_mean) = (0.25, 0.0, 0.0);
    let (mut weight, mut centre, mut cost) = (0.0, 0.0, 0.0);
    let mut out = Vec::with_capacity(xs.len());
    for (i, &x) in xs.iter().enumerate() {
        let t = i as f64 + 1.0;
        let lambda: f64 = (2.0 * budget / (spread * (1.0 + t).ln())).sqrt().min(0.5);
        let psi = -(-lambda).ln_1p() - lambda;
        weight += lambda;
        centre += lambda * x;
        cost += (x - previous_mean) * (x - previous_mean) * psi;
        out.push(((centre - budget - cost) / weight).max(0.0));
        sum += x;
        let shrunk = (0.5 + sum) / (t + 1.0);
        spread += (x - shrunk) * (x - shrunk);
        previous_mean = sum / t;
    }
    out
}

/// The running intersection of a sequence: bounds that never widen. Crossing bounds (possible with probability alpha) meet.
pub fn running_intersection(sequence: &[Interval]) -> Vec<Interval> {
    let (mut low, mut high) = (None::<f64>, None::<f64>);
    sequence
        .iter()
        .map(|i| {
            low = [low, i.lower].into_iter().flatten().reduce(f64::max);
            high = [high, i.upper].into_iter().flatten().reduce(f64::min);
            Interval {
                level: i.level,
                lower: low,
                upper: high,
            }
        })
        .collect()
}

/// Asymptotic confidence sequence, mean and radius after each value:
/// s sqrt(2 (t rho^2 + 1) / (t^2 rho^2) ln(sqrt(t rho^2 + 1) / alpha)), s the population standard deviation so far.
pub fn asymptotic_cs(xs: &[f64], alpha: f64, rho: f64) -> Result<Vec<(f64, f64)>, NotEstimable> {
    check::finite(xs)?;
    check::open_unit("alpha", alpha)?;
    check::positive("rho", rho)?;
    let (mut mean, mut squares) = (0.0, 0.0);
    let out: Vec<(f64, f64)> = xs
        .iter()
        .enumerate()
        .map(|(i, x)| {
            let t = i as f64 + 1.0;
            let delta = x - mean;
            mean += delta / t;
            squares += delta * (x - mean);
            let grown = t * rho * rho + 1.0;
            let radius = (squares / t).sqrt()
                * (2.0 * grown / (t * t * rho * rho) * (grown.sqrt() / alpha).ln()).sqrt();
            (mean, radius)
        })
        .collect();
    check::finite(&out.iter().map(|o| o.1).collect::<Vec<_>>()).map_err(|_| {
        NotEstimable::Overflow {
            method: Method::AsymptoticCs,
        }
    })?;
    Ok(out)
}

/// mSPRT with a N(0, tau^2) mixture and known variance:
/// Lambda = sqrt(s2 / (s2 + n tau2)) exp(n^2 tau2 m^2 / (2 s2 (s2 + n tau2))). Reject at any time when it reaches 1 / alpha;
/// the always-valid p is min(1, 1 / max Lambda).
pub fn msprt(n: usize, mean: f64, variance: f64, tau2: f64) -> Result<f64, NotEstimable> {
    check::argument("mean", mean, mean.is_finite(), "a finite number")?;
    check::positive("variance", variance)?;
    check::positive("tau2", tau2)?;
    let n = n as f64;
    let grown = variance + n * tau2;
    Ok((variance / grown).sqrt() * (n * n * tau2 * mean * mean / (2.0 * variance * grown)).exp())
}

/// Type I error of looking `looks` times, equally spaced, and stopping at the first |z| >= critical.
///
/// The density of the sum that survives each look is carried forward by numerical convolution (Armitage et al. 1969).
pub fn repeated_looks_error(looks: usize, critical: f64) -> Result<f64, NotEstimable> {
    check::units(Method::RepeatedLooks, 1, looks)?;
    check::argument("looks", looks as f64, looks <= 500, "at most 500")?;
    check::positive("critical", critical)?;
    let mut stopped = 2.0 * dist::normal_sf(critical);
    let mut nodes = survivors(critical, 1);
    let mut density: Vec<f64> = nodes.iter().map(|n| dist::normal_pdf(n.0)).collect();
    for look in 2..=looks {
        let bound = critical * (look as f64).sqrt();
        let leave = |s: f64| dist::normal_sf(bound - s) + dist::normal_sf(bound + s);
        stopped += desc::sum(
            nodes
                .iter()
                .zip(&density)
                .map(|((s, w), d)| w * d * leave(*s)),
        );
        let next = survivors(critical, look);
        density = next
            .iter()
            .map(|(s, _)| {
                desc::sum(
                    nodes
                        .iter()
                        .zip(&density)
                        .map(|((r, w), d)| w * d * dist::normal_pdf(s - r)),
                )
            })
            .collect();
        nodes = next;
    }
    Ok(stopped.min(1.0))
}

/// Integration nodes over the sums that did not stop at a look; panels of at most one standard deviation.
fn survivors(critical: f64, look: usize) -> Vec<(f64, f64)> {
    let bound = critical * (look as f64).sqrt();
    let panels = ((2.0 * bound / 2.0).ceil() as usize).clamp(4, 200);
    dist::composite_nodes(-bound, bound, panels)
}

/// Whether and after how many values a sequence of e-values first reaches 1 / alpha.
pub fn first_crossing(e_values: &[f64], alpha: f64) -> Option<usize> {
    e_values
        .iter()
        .position(|e| *e >= 1.0 / alpha)
        .map(|i| i + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_values_average_to_one_under_a_fair_coin() {
        // all 2^10 streams of ten units are equally likely
        let mean: f64 = (0..=10u64)
            .map(|b| dist::binomial_pmf(b, 10, 0.5) * e_value(b, 10 - b))
            .sum();
        assert!((mean - 1.0).abs() < 1e-12);
        assert_eq!(e_value(0, 0), 1.0);
        assert_eq!(first_crossing(&e_value_stream(&[true; 12]), 0.05), Some(8));
        assert_eq!(first_crossing(&[], 0.05), None);
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(
            empirical_bernstein(&[1.2], 0.05).is_err() && empirical_bernstein(&[], 0.05).is_err()
        );
        assert!(asymptotic_cs(&[1.0], 0.05, 0.0).is_err());
        assert!(msprt(3, f64::NAN, 1.0, 1.0).is_err() && msprt(3, 0.0, 0.0, 1.0).is_err());
        assert!(repeated_looks_error(0, 1.96).is_err());
        assert!(asymptotic_cs(&[f64::MAX, -f64::MAX], 0.05, 1.0).is_err());
    }

    #[test]
    fn published_errors_of_repeated_looks() {
        // Armitage, McPherson & Rowe 1969, table 2: 5, 8.3, 10.7, 14.2, 19.3 percent at 1, 2, 3, 5, 10 looks
        let z = dist::normal_critical(0.95);
        for (looks, error) in [(1, 0.05), (2, 0.083), (3, 0.107), (5, 0.142), (10, 0.193)] {
            assert!(
                (repeated_looks_error(looks, z).unwrap() - error).abs() < 6e-4,
                "{looks}"
            );
        }
    }

    #[test]
    fn the_intersection_never_widens() {
        let xs: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 101) / 100.0).collect();
        let raw = empirical_bernstein(&xs, 0.05).unwrap();
        let met = running_intersection(&raw);
        assert!(
            met.windows(2)
                .all(|w| w[0].lower <= w[1].lower && w[0].upper >= w[1].upper)
        );
        assert!(raw.last().unwrap().contains(desc::mean_of(&xs)));
    }
}
