//! Adjustment of p-values for multiplicity; the order of the input is kept.
//!
//! Holm for a declared family, Benjamini-Hochberg for exploration.
//! Sources: Holm 1979, Hochberg 1988, Hommel 1988, Benjamini & Hochberg 1995, Benjamini & Yekutieli 2001.

use super::check;
use super::error::NotEstimable;
use super::method::Method;

/// Adjusts by the given method; `Err` for a method that is no adjustment, or a p-value outside 0 to 1.
pub fn adjust(p: &[f64], method: Method) -> Result<Vec<f64>, NotEstimable> {
    match method {
        Method::Bonferroni => bonferroni(p),
        Method::Holm => holm(p),
        Method::Hochberg => hochberg(p),
        Method::Hommel => hommel(p),
        Method::BenjaminiHochberg => benjamini_hochberg(p),
        Method::BenjaminiYekutieli => benjamini_yekutieli(p),
        _ => Err(NotEstimable::BadArgument {
            name: "method",
            value: f64::NAN,
            rule: "an adjustment of p-values",
        }),
    }
}

/// min(1, m p).
pub fn bonferroni(p: &[f64]) -> Result<Vec<f64>, NotEstimable> {
    check::within(p, 0.0, 1.0, Method::Bonferroni)?;
    let m = p.len() as f64;
    Ok(p.iter().map(|x| (x * m).min(1.0)).collect())
}

/// Step-down: adj_(i) = max_{j <= i} min(1, (m - j + 1) p_(j)).
pub fn holm(p: &[f64]) -> Result<Vec<f64>, NotEstimable> {
    step_down(p, Method::Holm, |rank, m| m - rank + 1.0)
}

/// Step-up with Holm's factors: adj_(i) = min_{j >= i} min(1, (m - j + 1) p_(j)).
pub fn hochberg(p: &[f64]) -> Result<Vec<f64>, NotEstimable> {
    step_up(p, Method::Hochberg, |rank, m| m - rank + 1.0)
}

/// Step-up: adj_(i) = min_{j >= i} min(1, m p_(j) / j). Controls the false discovery rate.
pub fn benjamini_hochberg(p: &[f64]) -> Result<Vec<f64>, NotEstimable> {
    step_up(p, Method::BenjaminiHochberg, |rank, m| m / rank)
}

/// Benjamini-Hochberg times sum 1/k, valid under any dependence.
pub fn benjamini_yekutieli(p: &[f64]) -> Result<Vec<f64>, NotEstimable> {
    let harmonic: f64 = (1..=p.len()).map(|k| 1.0 / k as f64).sum();
    step_up(p, Method::BenjaminiYekutieli, |rank, m| m * harmonic / rank)
}

/// Hommel 1988, the closed Simes procedure, by Wright's algorithm (1992).
pub fn hommel(p: &[f64]) -> Result<Vec<f64>, NotEstimable> {
    check::within(p, 0.0, 1.0, Method::Hommel)?;
    let (order, m) = (ascending(p), p.len());
    let sorted: Vec<f64> = order.iter().map(|&i| p[i]).collect();
    let mut adjusted = sorted.clone();
    for size in (2..=m).rev() {
        let smallest = (1..=size)
            .map(|i| size as f64 * sorted[m - size + i - 1] / i as f64)
            .fold(f64::INFINITY, f64::min);
        for (i, a) in adjusted.iter_mut().enumerate() {
            let bound = if i < m - size {
                smallest.min(size as f64 * sorted[i])
            } else {
                smallest
            };
            *a = a.max(bound);
        }
    }
    Ok(restore(
        &order,
        adjusted.into_iter().map(|a| a.min(1.0)).collect(),
    ))
}

/// Positions in ascending order of p; equal values keep their order.
fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}

fn restore(order: &[usize], sorted: Vec<f64>) -> Vec<f64> {
    let mut out = vec![0.0; order.len()];
    for (&i, value) in order.iter().zip(sorted) {
        out[i] = value;
    }
    out
}

fn step_down(
    p: &[f64],
    method: Method,
    factor: impl Fn(f64, f64) -> f64,
) -> Result<Vec<f64>, NotEstimable> {
    check::within(p, 0.0, 1.0, method)?;
    let (order, m) = (ascending(p), p.len() as f64);
    let mut running = 0.0_f64;
    let sorted = order.iter().enumerate().map(|(i, &at)| {
        running = running.max((factor(i as f64 + 1.0, m) * p[at]).min(1.0));
        running
    });
    let sorted = sorted.collect();
    Ok(restore(&order, sorted))
}

fn step_up(
    p: &[f64],
    method: Method,
    factor: impl Fn(f64, f64) -> f64,
) -> Result<Vec<f64>, NotEstimable> {
    check::within(p, 0.0, 1.0, method)?;
    let (order, m) = (ascending(p), p.len() as f64);
    let mut running = 1.0_f64;
    let mut sorted: Vec<f64> = order
        .iter()
        .enumerate()
        .rev()
        .map(|(i, &at)| {
            running = running.min(factor(i as f64 + 1.0, m) * p[at]);
            running
        })
        .collect();
    sorted.reverse();
    Ok(restore(&order, sorted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_p_values_are_refused_and_one_is_kept() {
        for f in [
            bonferroni,
            holm,
            hochberg,
            hommel,
            benjamini_hochberg,
            benjamini_yekutieli,
        ] {
            assert_eq!(f(&[]), Err(NotEstimable::NoObservations));
            assert!(f(&[0.2, 1.2]).is_err() && f(&[f64::NAN]).is_err());
            assert_eq!(f(&[0.04]), Ok(vec![0.04]));
        }
        assert!(adjust(&[0.1], Method::T).is_err());
        assert_eq!(adjust(&[0.1, 0.2], Method::Holm), Ok(vec![0.2, 0.2]));
    }

    #[test]
    fn hommel_lies_between_bh_and_hochberg() {
        let p = [0.01, 0.02, 0.022, 0.09, 0.4];
        let (lo, mid, hi) = (
            benjamini_hochberg(&p).unwrap(),
            hommel(&p).unwrap(),
            hochberg(&p).unwrap(),
        );
        for i in 0..p.len() {
            assert!(lo[i] <= mid[i] + 1e-12 && mid[i] <= hi[i] + 1e-12, "{i}");
        }
    }
}
