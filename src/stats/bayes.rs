//! Bayesian comparisons by quadrature, so that no sampling noise enters: paired pass rates and clustered pass rates.
//!
//! Sources: Bowyer, Aitchison & Ivanova 2025 (arXiv 2503.01747) for both models; Drezner & Wesolowsky 1990 for the bivariate
//! normal integral.

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, StatWarning};
use super::mean::ADVISED_UNITS;
use super::method::Method;
use super::paired_binary::PairedTable;
use super::{check, desc, dist};
use std::collections::BTreeMap;

/// P(A better than B) from the discordant units under a Dirichlet(1,1,1,1) prior: P(Beta(b+1, c+1) > 1/2).
pub fn dirichlet_paired(only_a: u64, only_b: u64) -> f64 {
    dist::beta_cdf(0.5, only_b as f64 + 1.0, only_a as f64 + 1.0)
}

/// Posterior of the difference of two paired pass rates.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedPosterior {
    /// P(theta_A > theta_B).
    pub prob_a_better: f64,
    /// The same on a coarser grid: a check of the quadrature.
    pub coarse_prob: f64,
    /// Posterior mean and equal-tailed interval of theta_A - theta_B.
    pub difference: Estimate,
}

/// Bivariate probit: theta_A and theta_B uniform, correlation 2 Beta(4, 2) - 1, multinomial counts of the four outcomes.
pub fn bivariate_probit(table: &PairedTable, level: f64) -> Result<PairedPosterior, NotEstimable> {
    check::open_unit("level", level)?;
    check::count(0, table.units())?;
    let fine = grid_posterior(table, 5, 3);
    let coarse = grid_posterior(table, 3, 2);
    let mean = desc::sum(fine.iter().map(|(d, w)| d * w));
    let tail = (1.0 - level) / 2.0;
    let interval = Interval::new(
        level,
        weighted_quantile(&fine, tail),
        weighted_quantile(&fine, 1.0 - tail),
    );
    let units = usize::try_from(table.units()).unwrap_or(usize::MAX);
    let difference =
        Estimate::with_interval(mean, interval, Method::BivariateProbit, units).checked()?;
    Ok(PairedPosterior {
        prob_a_better: above_zero(&fine),
        coarse_prob: above_zero(&coarse),
        difference,
    })
}

fn above_zero(posterior: &[(f64, f64)]) -> f64 {
    let mass =
        |keep: fn(f64) -> bool| desc::sum(posterior.iter().filter(|(d, _)| keep(*d)).map(|p| p.1));
    (mass(|d| d > 0.0) + mass(|d| d == 0.0) / 2.0).clamp(0.0, 1.0)
}

/// Differences with normalised posterior weights, ascending. The nodes of the rates lie where the margins have their mass.
fn grid_posterior(
    table: &PairedTable,
    rate_panels: usize,
    correlation_panels: usize,
) -> Vec<(f64, f64)> {
    let (a, b, c, d) = (
        table.both_pass as f64,
        table.only_a as f64,
        table.only_b as f64,
        table.both_fail as f64,
    );
    let first = rate_nodes(a + b, c + d, rate_panels);
    let second = rate_nodes(a + c, b + d, rate_panels);
    // density of 2 X - 1 with X ~ Beta(4, 2): 20 x^3 (1 - x) / 2
    let correlations: Vec<(f64, f64)> = dist::composite_nodes(0.0, 1.0, correlation_panels)
        .into_iter()
        .map(|(x, w)| (2.0 * x - 1.0, (w * 20.0 * x.powi(3) * (1.0 - x)).ln()))
        .collect();
    let mut out: Vec<(f64, f64)> = Vec::with_capacity(first.len() * second.len());
    for &(p, h, wp) in &first {
        for &(q, k, wq) in &second {
            let logs = correlations.iter().map(|&(rho, lw)| {
                let both = bivariate_normal(h, k, rho).clamp((p + q - 1.0).max(0.0), p.min(q));
                let cells = [
                    (a, both),
                    (b, p - both),
                    (c, q - both),
                    (d, 1.0 - p - q + both),
                ];
                lw + cells
                    .iter()
                    .map(|(n, share)| {
                        if *n == 0.0 {
                            0.0
                        } else {
                            n * share.max(1e-300).ln()
                        }
                    })
                    .sum::<f64>()
            });
            out.push((p - q, log_sum(logs) + wp.ln() + wq.ln()));
        }
    }
    let top = out.iter().map(|o| o.1).fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = out.iter().map(|o| (o.1 - top).exp()).sum();
    for o in &mut out {
        o.1 = (o.1 - top).exp() / total;
    }
    out.sort_by(|x, y| x.0.total_cmp(&y.0));
    out
}

fn log_sum(logs: impl Iterator<Item = f64>) -> f64 {
    let all: Vec<f64> = logs.collect();
    let top = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + all.iter().map(|l| (l - top).exp()).sum::<f64>().ln()
}

/// Nodes (rate, normal quantile of it, weight) over the part of 0 to 1 that holds the mass of Beta(pass + 1, fail + 1).
fn rate_nodes(pass: f64, fail: f64, panels: usize) -> Vec<(f64, f64, f64)> {
    let low = dist::beta_quantile(1e-9, pass + 1.0, fail + 1.0);
    let high = dist::beta_quantile(1.0 - 1e-9, pass + 1.0, fail + 1.0);
    dist::composite_nodes(low, high, panels)
        .into_iter()
        .map(|(p, w)| (p, dist::normal_quantile(p), w))
        .collect()
}

/// P(X <= h, Y <= k) for a standard bivariate normal:
/// Phi(h) Phi(k) + 1/(2 pi) integral_0^{asin rho} exp(-(h^2 + k^2 - 2 h k sin t) / (2 cos^2 t)) dt.
pub fn bivariate_normal(h: f64, k: f64, rho: f64) -> f64 {
    let independent = dist::normal_cdf(h) * dist::normal_cdf(k);
    let end = rho.clamp(-1.0, 1.0).asin();
    let integrand = |t: f64| {
        let (sin, cos) = t.sin_cos();
        (-(h * h + k * k - 2.0 * h * k * sin) / (2.0 * cos * cos)).exp()
    };
    // near |rho| = 1 the integrand falls off a cliff: the second half of the way is refined
    let mid = end * 0.7;
    let area =
        dist::gauss_legendre(0.0, mid, integrand) + dist::gauss_legendre(mid, end, integrand);
    (independent + area / (2.0 * std::f64::consts::PI)).clamp(0.0, 1.0)
}

/// Quantile of weighted values in ascending order, interpolated between the middles of the weights.
fn weighted_quantile(values: &[(f64, f64)], q: f64) -> f64 {
    let mut below = 0.0;
    let mut previous: Option<(f64, f64)> = None;
    for &(x, w) in values {
        let middle = below + w / 2.0;
        if middle >= q {
            return match previous {
                Some((x0, m0)) if middle > m0 => x0 + (x - x0) * (q - m0) / (middle - m0),
                _ => x,
            };
        }
        previous = Some((x, middle));
        below += w;
    }
    values.last().map_or(0.0, |v| v.0)
}

/// Clustered pass rate: concentration d ~ Gamma(1, 1), rate theta ~ Uniform, cluster rates Beta(d theta, d (1 - theta)),
/// binomial counts. Posterior mean and equal-tailed interval of theta. Every observation must be 0 or 1.
pub fn clustered_rate<C: AsRef<[f64]>>(
    clusters: &[C],
    level: f64,
) -> Result<Estimate, NotEstimable> {
    let method = Method::ClusteredBayes;
    check::open_unit("level", level)?;
    if clusters.is_empty() {
        return Err(NotEstimable::NoObservations);
    }
    let mut counts: BTreeMap<(u64, u64), f64> = BTreeMap::new();
    for c in clusters {
        let c = c.as_ref();
        check::within(c, 0.0, 1.0, method)?;
        if let Some(index) = c.iter().position(|x| *x != 0.0 && *x != 1.0) {
            return Err(NotEstimable::OutsideRange {
                index,
                value: c[index],
                low: 0.0,
                high: 1.0,
                method,
            });
        }
        let pass = c.iter().filter(|x| **x == 1.0).count() as u64;
        *counts.entry((pass, c.len() as u64)).or_default() += 1.0;
    }
    let marginal = RateMarginal::new(&counts);
    let (low, high) = (
        marginal.quantile((1.0 - level) / 2.0),
        marginal.quantile(f64::midpoint(1.0, level)),
    );
    let n = clusters.len();
    Estimate::with_interval(marginal.mean(), Interval::new(level, low, high), method, n)
        .warn_if(
            n < ADVISED_UNITS,
            StatWarning::FewUnits {
                has: n,
                advised: ADVISED_UNITS,
            },
        )
        .checked()
}

/// The posterior of the rate with the concentration integrated out.
struct RateMarginal {
    counts: Vec<(f64, f64, f64)>,
    concentrations: Vec<(f64, f64)>,
    nodes: Vec<(f64, f64)>,
    shift: f64,
    total: f64,
}

impl RateMarginal {
    fn new(counts: &BTreeMap<(u64, u64), f64>) -> Self {
        let counts = counts
            .iter()
            .map(|(&(s, n), &times)| (s as f64, n as f64, times))
            .collect();
        // d = u^4 spreads the nodes towards 0, where the likelihood changes fastest; exp(-d) ends it at 40
        let concentrations = dist::composite_nodes(0.0, 40f64.powf(0.25), 6)
            .into_iter()
            .map(|(u, w)| (u.powi(4), (4.0 * u.powi(3) * w).ln() - u.powi(4)))
            .collect();
        let mut out = Self {
            counts,
            concentrations,
            nodes: dist::composite_nodes(0.0, 1.0, 24),
            shift: 0.0,
            total: 1.0,
        };
        out.shift = out
            .nodes
            .iter()
            .map(|n| out.log_density(n.0))
            .fold(f64::NEG_INFINITY, f64::max);
        out.total = desc::sum(out.nodes.iter().map(|(t, w)| w * out.density(*t)));
        out
    }

    /// ln of the integral over d of exp(-d) prod B(s + d t, n - s + d (1 - t)) / B(d t, d (1 - t)).
    fn log_density(&self, theta: f64) -> f64 {
        log_sum(self.concentrations.iter().map(|&(d, lw)| {
            let (a, b) = (d * theta, d * (1.0 - theta));
            let base = dist::ln_beta(a, b);
            lw + self
                .counts
                .iter()
                .map(|(s, n, times)| times * (dist::ln_beta(s + a, n - s + b) - base))
                .sum::<f64>()
        }))
    }

    fn density(&self, theta: f64) -> f64 {
        (self.log_density(theta) - self.shift).exp() / self.total
    }

    fn mean(&self) -> f64 {
        desc::sum(self.nodes.iter().map(|(t, w)| t * w * self.density(*t)))
    }

    fn below(&self, theta: f64) -> f64 {
        desc::sum(
            dist::composite_nodes(0.0, theta, 12)
                .iter()
                .map(|(t, w)| w * self.density(*t)),
        )
    }

    /// Newton inside a bracket: the density is the slope of the distribution function.
    fn quantile(&self, q: f64) -> f64 {
        let (mut low, mut high, mut theta) = (0.0, 1.0, self.mean());
        for _ in 0..60 {
            let error = self.below(theta) - q;
            if error > 0.0 {
                high = theta;
            } else {
                low = theta;
            }
            let newton = theta - error / self.density(theta);
            let next = if newton > low && newton < high {
                newton
            } else {
                f64::midpoint(low, high)
            };
            let step = (next - theta).abs();
            theta = next;
            if step < 1e-11 {
                break;
            }
        }
        theta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bivariate_normal_has_its_closed_forms() {
        for rho in [-0.95_f64, -0.3, 0.0, 0.5, 0.99] {
            let quadrant = 0.25 + rho.asin() / (2.0 * std::f64::consts::PI);
            assert!((bivariate_normal(0.0, 0.0, rho) - quadrant).abs() < 1e-12);
        }
        assert!((bivariate_normal(0.3, 8.0, 0.6) - dist::normal_cdf(0.3)).abs() < 1e-9);
        assert!((bivariate_normal(0.3, 1.2, 1.0) - dist::normal_cdf(0.3)).abs() < 1e-3);
    }

    #[test]
    fn exchanging_a_and_b_mirrors_the_posterior() {
        let t = PairedTable {
            both_pass: 6,
            only_a: 4,
            only_b: 1,
            both_fail: 5,
        };
        let (x, y) = (
            bivariate_probit(&t, 0.9).unwrap(),
            bivariate_probit(&t.swapped(), 0.9).unwrap(),
        );
        assert!((x.prob_a_better + y.prob_a_better - 1.0).abs() < 1e-9);
        assert!((x.difference.point + y.difference.point).abs() < 1e-9);
        assert!((dirichlet_paired(4, 1) + dirichlet_paired(1, 4) - 1.0).abs() < 1e-14);
        assert!(
            bivariate_probit(
                &PairedTable {
                    both_pass: 0,
                    only_a: 0,
                    only_b: 0,
                    both_fail: 0
                },
                0.9
            )
            .is_err()
        );
    }

    #[test]
    fn one_observation_a_cluster_is_the_uniform_beta_posterior() {
        // with one draw a cluster the concentration drops out: theta ~ Beta(s + 1, n - s + 1)
        let clusters: Vec<[f64; 1]> = (0..12).map(|i| [f64::from(i < 9)]).collect();
        let e = clustered_rate(&clusters, 0.95).unwrap();
        let (low, high) = e.interval.unwrap().bounds().unwrap();
        assert!((e.point - 10.0 / 14.0).abs() < 1e-9);
        assert!((low - dist::beta_quantile(0.025, 10.0, 4.0)).abs() < 1e-8);
        assert!((high - dist::beta_quantile(0.975, 10.0, 4.0)).abs() < 1e-8);
    }

    #[test]
    fn anything_but_zero_and_one_is_refused() {
        assert!(
            clustered_rate(&[[0.5]], 0.95).is_err()
                && clustered_rate::<[f64; 1]>(&[], 0.95).is_err()
        );
        assert!(clustered_rate(&[vec![]], 0.95).is_err() && clustered_rate(&[[1.0]], 1.0).is_err());
    }
}
