//! Power, sample size and smallest detectable effect.
//!
//! A number of units is returned as the real solution; round it up. Sources: Cohen 1988, Miller 2024 (arXiv 2411.00640),
//! Connor 1987, Chow, Shao & Wang 2008.

use super::check;
use super::dist::{bisect, noncentral_t_cdf, normal_quantile, t_quantile};
use super::error::NotEstimable;
use super::method::Method;

/// Above this number of units a search gives up: the effect asked for is too small to plan for.
const MOST_UNITS: f64 = 1e9;

/// The error rates of a two-sided test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// Type I error, 0.05 by custom.
    pub alpha: f64,
    /// Power, 0.8 by custom.
    pub power: f64,
}

impl Errors {
    /// 5 % and 80 %.
    pub const CUSTOMARY: Self = Self {
        alpha: 0.05,
        power: 0.8,
    };

    fn check(self) -> Result<Self, NotEstimable> {
        check::open_unit("alpha", self.alpha)?;
        check::open_unit("power", self.power)?;
        check::argument("power", self.power, self.power > self.alpha, "above alpha")?;
        Ok(self)
    }

    /// z_{alpha/2} + z_beta.
    fn two_sided(self) -> f64 {
        normal_quantile(1.0 - self.alpha / 2.0) + normal_quantile(self.power)
    }

    /// z_alpha + z_beta.
    fn one_sided(self) -> f64 {
        normal_quantile(1.0 - self.alpha) + normal_quantile(self.power)
    }
}

/// Power of a two-sided t test with noncentrality `ncp`: P(|T'| > t_crit).
fn t_power(ncp: f64, df: f64, alpha: f64) -> f64 {
    let crit = t_quantile(1.0 - alpha / 2.0, df);
    1.0 - noncentral_t_cdf(crit, df, ncp) + noncentral_t_cdf(-crit, df, ncp)
}

/// How noncentrality and degrees of freedom follow from the number of units.
#[derive(Clone, Copy)]
enum Design {
    Paired,
    TwoSample,
}

impl Design {
    fn power(self, effect: f64, n: f64, alpha: f64) -> f64 {
        let (ncp, df) = match self {
            Self::Paired => (effect * n.sqrt(), n - 1.0),
            Self::TwoSample => (effect * (n / 2.0).sqrt(), 2.0 * n - 2.0),
        };
        t_power(ncp, df, alpha)
    }

    fn method(self) -> Method {
        match self {
            Self::Paired => Method::PowerPairedT,
            Self::TwoSample => Method::PowerTwoSampleT,
        }
    }

    fn checked_power(self, effect: f64, n: usize, alpha: f64) -> Result<f64, NotEstimable> {
        check::argument("effect", effect, effect.is_finite(), "a finite number")?;
        check::open_unit("alpha", alpha)?;
        check::units(self.method(), 2, n)?;
        Ok(self.power(effect.abs(), n as f64, alpha))
    }

    fn units(self, effect: f64, errors: Errors) -> Result<f64, NotEstimable> {
        let e = errors.check()?;
        check::positive("effect", effect)?;
        let enough = |n: f64| self.power(effect, n, e.alpha) - e.power;
        let low = 1.0 + 1e-3;
        if enough(2.0) >= 0.0 {
            return Ok(if enough(low) >= 0.0 {
                2.0
            } else {
                bisect(low, 2.0, true, enough)
            });
        }
        let mut high = 4.0;
        while enough(high) < 0.0 {
            high *= 2.0;
            if high > MOST_UNITS {
                return Err(NotEstimable::NoConvergence {
                    method: self.method(),
                    iterations: 30,
                });
            }
        }
        Ok(bisect(high / 2.0, high, true, enough))
    }

    fn effect(self, n: usize, errors: Errors) -> Result<f64, NotEstimable> {
        let e = errors.check()?;
        check::units(self.method(), 2, n)?;
        let enough = |effect: f64| self.power(effect, n as f64, e.alpha) - e.power;
        let mut high = 1.0;
        while enough(high) < 0.0 {
            high *= 2.0;
            if high > MOST_UNITS {
                return Err(NotEstimable::NoConvergence {
                    method: self.method(),
                    iterations: 30,
                });
            }
        }
        Ok(bisect(0.0, high, true, enough))
    }
}

/// Power of the two-sided paired t test for a standardised difference dz with `n` pairs.
pub fn paired_t_power(dz: f64, n: usize, alpha: f64) -> Result<f64, NotEstimable> {
    Design::Paired.checked_power(dz, n, alpha)
}

/// Pairs for dz > 0 (not rounded).
pub fn paired_t_units(dz: f64, errors: Errors) -> Result<f64, NotEstimable> {
    Design::Paired.units(dz, errors)
}

/// Smallest dz that `n` pairs detect.
pub fn paired_t_effect(n: usize, errors: Errors) -> Result<f64, NotEstimable> {
    Design::Paired.effect(n, errors)
}

/// Power of the two-sided two-group t test for Cohen's d with `n` units a group.
pub fn two_sample_t_power(d: f64, n: usize, alpha: f64) -> Result<f64, NotEstimable> {
    Design::TwoSample.checked_power(d, n, alpha)
}

/// Units a group for d > 0 (not rounded).
pub fn two_sample_t_units(d: f64, errors: Errors) -> Result<f64, NotEstimable> {
    Design::TwoSample.units(d, errors)
}

/// Smallest d that `n` units a group detect.
pub fn two_sample_t_effect(n: usize, errors: Errors) -> Result<f64, NotEstimable> {
    Design::TwoSample.effect(n, errors)
}

/// Where the variance of a paired comparison with replicates comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedVariance {
    /// Variance of the true unit-level difference.
    pub omega2: f64,
    /// Within-unit variance of A.
    pub within_a: f64,
    /// Within-unit variance of B.
    pub within_b: f64,
    /// Replicates a unit under A.
    pub replicates_a: f64,
    /// Replicates a unit under B.
    pub replicates_b: f64,
}

impl PairedVariance {
    /// omega^2 + s_A^2 / K_A + s_B^2 / K_B.
    fn total(self) -> Result<f64, NotEstimable> {
        check::not_negative("omega2", self.omega2)?;
        check::not_negative("within_a", self.within_a)?;
        check::not_negative("within_b", self.within_b)?;
        check::argument(
            "replicates_a",
            self.replicates_a,
            self.replicates_a >= 1.0,
            "at least 1",
        )?;
        check::argument(
            "replicates_b",
            self.replicates_b,
            self.replicates_b >= 1.0,
            "at least 1",
        )?;
        Ok(self.omega2 + self.within_a / self.replicates_a + self.within_b / self.replicates_b)
    }
}

/// Units to detect a difference: (z_{alpha/2} + z_beta)^2 (omega^2 + s_A^2/K_A + s_B^2/K_B) / delta^2. Miller 2024.
pub fn replicated_units(
    delta: f64,
    variance: PairedVariance,
    errors: Errors,
) -> Result<f64, NotEstimable> {
    check::positive("delta", delta.abs())?;
    Ok(errors.check()?.two_sided().powi(2) * variance.total()? / (delta * delta))
}

/// Smallest difference that `n` units detect, the inverse of [`replicated_units`].
pub fn replicated_effect(
    n: usize,
    variance: PairedVariance,
    errors: Errors,
) -> Result<f64, NotEstimable> {
    check::units(Method::PowerReplicates, 1, n)?;
    Ok(errors.check()?.two_sided() * (variance.total()? / n as f64).sqrt())
}

/// Replicates a unit that minimise the error at a given cost: sqrt((var_within / var_between) (cost_unit / cost_replicate)).
pub fn optimal_replicates(
    var_between: f64,
    var_within: f64,
    cost_unit: f64,
    cost_replicate: f64,
) -> Result<f64, NotEstimable> {
    check::positive("var_between", var_between)?;
    check::not_negative("var_within", var_within)?;
    check::positive("cost_unit", cost_unit)?;
    check::positive("cost_replicate", cost_replicate)?;
    Ok((var_within / var_between * (cost_unit / cost_replicate)).sqrt())
}

/// Standard error of the mean with N units and K replicates: sqrt((vb + vw / K) / N).
pub fn replicated_se(
    var_between: f64,
    var_within: f64,
    units: usize,
    replicates: usize,
) -> Result<f64, NotEstimable> {
    check::not_negative("var_between", var_between)?;
    check::not_negative("var_within", var_within)?;
    check::units(Method::PowerReplicates, 1, units)?;
    check::units(Method::PowerReplicates, 1, replicates)?;
    Ok(((var_between + var_within / replicates as f64) / units as f64).sqrt())
}

/// Pairs for McNemar's test: (z_{alpha/2} sqrt(psi) + z_beta sqrt(psi - d^2))^2 / d^2, psi = p10 + p01, d = p10 - p01. Connor 1987.
pub fn mcnemar_pairs(p10: f64, p01: f64, errors: Errors) -> Result<f64, NotEstimable> {
    let e = errors.check()?;
    check::not_negative("p10", p10)?;
    check::not_negative("p01", p01)?;
    let (psi, d) = (p10 + p01, p10 - p01);
    check::argument("p10 + p01", psi, psi <= 1.0, "at most 1")?;
    check::argument("p10 - p01", d, d != 0.0, "different from 0")?;
    let (za, zb) = (
        normal_quantile(1.0 - e.alpha / 2.0),
        normal_quantile(e.power),
    );
    Ok((za * psi.sqrt() + zb * (psi - d * d).max(0.0).sqrt()).powi(2) / (d * d))
}

/// Smallest difference of paired pass rates that `n` pairs detect when the share `psi` of them passes under one side only, the inverse of
/// [`mcnemar_pairs`]. With too few pairs even discordant pairs that all point one way are not enough.
pub fn mcnemar_effect(n: usize, psi: f64, errors: Errors) -> Result<f64, NotEstimable> {
    let method = Method::PowerMcNemar;
    check::units(method, 1, n)?;
    check::argument("psi", psi, psi > 0.0 && psi <= 1.0, "above 0 and at most 1")?;
    let pairs = |d: f64| mcnemar_pairs(f64::midpoint(psi, d), (psi - d) / 2.0, errors);
    let fewest = pairs(psi)?;
    if fewest > n as f64 {
        return Err(NotEstimable::TooFewUnits {
            method,
            needs: fewest.ceil() as usize,
            has: n,
        });
    }
    let spare = |d: f64| pairs(d).map_or(f64::INFINITY, |needed| needed - n as f64);
    Ok(bisect(psi * 1e-9, psi, false, spare))
}

/// Units a group for two independent proportions:
/// (z_{alpha/2} sqrt(2 p (1-p)) + z_beta sqrt(p1 (1-p1) + p2 (1-p2)))^2 / (p1 - p2)^2, p their mean. Fleiss 1981.
pub fn two_proportions_units(p1: f64, p2: f64, errors: Errors) -> Result<f64, NotEstimable> {
    let e = errors.check()?;
    check::within(&[p1, p2], 0.0, 1.0, Method::PowerTwoProportions)?;
    check::argument("p1 - p2", p1 - p2, p1 != p2, "different from 0")?;
    let mid = f64::midpoint(p1, p2);
    let null = (2.0 * mid * (1.0 - mid)).sqrt() * normal_quantile(1.0 - e.alpha / 2.0);
    let alternative = (p1 * (1.0 - p1) + p2 * (1.0 - p2)).sqrt() * normal_quantile(e.power);
    Ok(((null + alternative) / (p1 - p2)).powi(2))
}

/// Pairs that resolve a one-sided non-inferiority gate: ((z_{1-alpha} + z_beta) sd_d / (margin + difference))^2.
pub fn non_inferiority_units(
    sd: f64,
    margin: f64,
    difference: f64,
    errors: Errors,
) -> Result<f64, NotEstimable> {
    check::not_negative("sd", sd)?;
    check::not_negative("margin", margin)?;
    check::positive("margin + difference", margin + difference)?;
    Ok((errors.check()?.one_sided() * sd / (margin + difference)).powi(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_size_and_effect_invert_each_other() {
        let e = Errors {
            alpha: 0.05,
            power: 0.9,
        };
        for n in [2, 3, 7, 25, 160] {
            let dz = paired_t_effect(n, e).unwrap();
            assert!((paired_t_power(dz, n, 0.05).unwrap() - 0.9).abs() < 1e-9);
            assert!(
                (paired_t_units(dz, e).unwrap() / n as f64 - 1.0).abs() < 1e-6,
                "{n}"
            );
            let d = two_sample_t_effect(n, e).unwrap();
            assert!((two_sample_t_power(d, n, 0.05).unwrap() - 0.9).abs() < 1e-9);
            assert!(
                (two_sample_t_units(d, e).unwrap() / n as f64 - 1.0).abs() < 1e-6,
                "{n}"
            );
        }
    }

    #[test]
    fn paired_passes_invert_and_have_a_least_number() {
        let e = Errors::CUSTOMARY;
        // Connor's example: 155 pairs for 10 points where 20 % are discordant
        let d = mcnemar_effect(155, 0.2, e).unwrap();
        assert!((d - 0.1).abs() < 5e-4, "{d}");
        for n in [40, 73, 1_000, 100_000] {
            let d = mcnemar_effect(n, 0.3, e).unwrap();
            let pairs = mcnemar_pairs(f64::midpoint(0.3, d), (0.3 - d) / 2.0, e).unwrap();
            assert!((pairs / n as f64 - 1.0).abs() < 1e-6, "{n} {pairs}");
        }
        assert_eq!(
            mcnemar_effect(20, 0.2, e),
            Err(NotEstimable::TooFewUnits {
                method: Method::PowerMcNemar,
                needs: 37,
                has: 20
            })
        );
        assert!(mcnemar_effect(20, 0.0, e).is_err() && mcnemar_effect(20, 1.5, e).is_err());
        assert!(mcnemar_effect(20, f64::NAN, e).is_err() && mcnemar_effect(0, 0.2, e).is_err());
    }

    #[test]
    fn no_effect_has_power_alpha() {
        assert!((paired_t_power(0.0, 12, 0.05).unwrap() - 0.05).abs() < 1e-9);
    }

    #[test]
    fn impossible_plans_are_refused() {
        let e = Errors::CUSTOMARY;
        assert!(paired_t_units(0.0, e).is_err() && paired_t_units(f64::NAN, e).is_err());
        assert!(paired_t_units(1e-9, e).is_err());
        assert!(paired_t_effect(1, e).is_err());
        assert!(
            paired_t_effect(
                9,
                Errors {
                    alpha: 0.5,
                    power: 0.4
                }
            )
            .is_err()
        );
        assert!(mcnemar_pairs(0.1, 0.1, e).is_err() && mcnemar_pairs(0.9, 0.3, e).is_err());
        assert!(non_inferiority_units(1.0, 0.1, -0.2, e).is_err());
        assert!(two_proportions_units(0.5, 0.5, e).is_err());
        assert!(optimal_replicates(0.0, 1.0, 1.0, 1.0).is_err());
        assert!(replicated_se(1.0, 1.0, 0, 1).is_err());
    }
}
