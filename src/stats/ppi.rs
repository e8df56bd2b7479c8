//! Prediction-powered mean: a few gold labels correct the bias of many judged ones.
//!
//! theta = lambda mean(f_unlabelled) + mean(Y - lambda f), se^2 = lambda^2 Var(f_unlabelled)/N + Var(Y - lambda f)/n with
//! population variances, normal quantile. With few gold labels the normal quantile understates: prefer a bootstrap over units.
//! Sources: Angelopoulos et al. 2023 (PPI) and 2024 (PPI++, the tuned lambda).

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, StatWarning};
use super::mean::ADVISED_UNITS;
use super::method::Method;
use super::{check, desc, dist};

/// How much the judged values count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lambda {
    /// A given weight: 1 is PPI, 0 ignores the judge.
    Fixed(f64),
    /// lambda = Cov_n(Y, f) / ((1 + n/N) Var_{n+N}(f)), cut to 0 to 1 (PPI++).
    Tuned,
}

/// A prediction-powered mean.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionPowered {
    /// The mean with its interval; `n_units` counts gold labels.
    pub estimate: Estimate,
    /// Its standard error.
    pub se: f64,
    /// The weight of the judged values.
    pub lambda: f64,
    /// mean(f - Y) on the gold units: how far the judge is off.
    pub judge_bias: f64,
    /// Mean of the judge on the unlabelled units.
    pub judge_mean: f64,
}

/// Computes a prediction-powered mean from gold labels, the judge on the same units, and the judge elsewhere.
pub fn prediction_powered_mean(
    gold: &[f64],
    judge_on_gold: &[f64],
    judge_unlabelled: &[f64],
    lambda: Lambda,
    level: f64,
) -> Result<PredictionPowered, NotEstimable> {
    let method = Method::PredictionPowered;
    check::paired(gold, judge_on_gold)?;
    check::finite(judge_unlabelled)?;
    check::open_unit("level", level)?;
    check::units(method, 2, gold.len())?;
    let lambda = match lambda {
        Lambda::Fixed(l) => {
            check::within(&[l], 0.0, 1.0, method)?;
            l
        }
        Lambda::Tuned => tuned(gold, judge_on_gold, judge_unlabelled),
    };
    let rectified: Vec<f64> = gold
        .iter()
        .zip(judge_on_gold)
        .map(|(y, f)| y - lambda * f)
        .collect();
    let (n, m) = (gold.len() as f64, judge_unlabelled.len() as f64);
    let population = |xs: &[f64]| desc::squares(xs) / xs.len() as f64;
    let se =
        (lambda * lambda * population(judge_unlabelled) / m + population(&rectified) / n).sqrt();
    let judge_mean = desc::mean_of(judge_unlabelled);
    let point = lambda * judge_mean + desc::mean_of(&rectified);
    let half = dist::normal_critical(level) * se;
    let estimate = Estimate::with_interval(
        point,
        Interval::new(level, point - half, point + half),
        method,
        gold.len(),
    )
    .warn_if(
        gold.len() < ADVISED_UNITS,
        StatWarning::FewUnits {
            has: gold.len(),
            advised: ADVISED_UNITS,
        },
    )
    .checked()?;
    let judge_bias = desc::mean_of(judge_on_gold) - desc::mean_of(gold);
    Ok(PredictionPowered {
        estimate,
        se,
        lambda,
        judge_bias,
        judge_mean,
    })
}

/// The weight that minimises the variance; 0 when the judge does not vary.
fn tuned(gold: &[f64], judge_on_gold: &[f64], judge_unlabelled: &[f64]) -> f64 {
    let pooled: Vec<f64> = judge_on_gold
        .iter()
        .chain(judge_unlabelled)
        .copied()
        .collect();
    if check::constant(&pooled, check::scale(&pooled)) {
        return 0.0;
    }
    let n = gold.len() as f64;
    let covariance = desc::covariance_of(gold, judge_on_gold) * (n - 1.0) / n;
    let below = (1.0 + n / judge_unlabelled.len() as f64) * desc::variance_of(&pooled);
    (covariance / below).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_that_never_varies_is_ignored() {
        let p =
            prediction_powered_mean(&[1.0, 2.0, 3.0], &[5.0; 3], &[5.0; 9], Lambda::Tuned, 0.95)
                .unwrap();
        assert_eq!((p.lambda, p.estimate.point, p.judge_bias), (0.0, 2.0, 3.0));
    }

    #[test]
    fn bad_input_is_refused() {
        let f = |g: &[f64], j: &[f64], u: &[f64], l| prediction_powered_mean(g, j, u, l, 0.95);
        assert!(f(&[1.0], &[1.0], &[1.0], Lambda::Tuned).is_err());
        assert!(f(&[1.0, 2.0], &[1.0], &[1.0], Lambda::Tuned).is_err());
        assert!(f(&[1.0, 2.0], &[1.0, 2.0], &[], Lambda::Tuned).is_err());
        assert!(f(&[1.0, 2.0], &[1.0, 2.0], &[1.0], Lambda::Fixed(1.5)).is_err());
    }

    #[test]
    fn without_the_judge_it_is_the_mean_of_the_gold() {
        let p = prediction_powered_mean(
            &[1.0, 2.0, 6.0],
            &[9.0, 1.0, 4.0],
            &[0.0, 7.0],
            Lambda::Fixed(0.0),
            0.9,
        )
        .unwrap();
        assert_eq!(p.estimate.point, 3.0);
    }
}
