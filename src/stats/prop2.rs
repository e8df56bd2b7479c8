//! Two independent proportions.
//!
//! Sources: Newcombe 1998b (method 10), Miettinen & Nurminen 1985, Fisher 1935.

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, Test};
use super::method::Method;
use super::{check, desc, dist, prop};

/// Successes of trials in two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwoGroups {
    /// Successes in the first group.
    pub x1: u64,
    /// Trials in the first group.
    pub n1: u64,
    /// Successes in the second group.
    pub x2: u64,
    /// Trials in the second group.
    pub n2: u64,
}

impl TwoGroups {
    fn shares(&self) -> Result<(f64, f64), NotEstimable> {
        check::count(self.x1, self.n1)?;
        check::count(self.x2, self.n2)?;
        Ok((
            self.x1 as f64 / self.n1 as f64,
            self.x2 as f64 / self.n2 as f64,
        ))
    }

    fn units(&self) -> usize {
        usize::try_from(self.n1.saturating_add(self.n2)).unwrap_or(usize::MAX)
    }
}

/// Newcombe's hybrid score interval of p1 - p2 from the Wilson bounds l, u of each:
/// lower D - sqrt((p1-l1)^2 + (u2-p2)^2), upper D + sqrt((u1-p1)^2 + (p2-l2)^2).
pub fn newcombe_hybrid(groups: &TwoGroups, level: f64) -> Result<Estimate, NotEstimable> {
    let (p1, p2) = groups.shares()?;
    check::open_unit("level", level)?;
    let z = dist::normal_critical(level);
    let (l1, u1) = prop::wilson_bounds(p1, groups.n1 as f64, z);
    let (l2, u2) = prop::wilson_bounds(p2, groups.n2 as f64, z);
    let diff = p1 - p2;
    let low = diff - (p1 - l1).hypot(u2 - p2);
    let high = diff + (u1 - p1).hypot(p2 - l2);
    let bounds = Interval::new(level, low, high).clipped(-1.0, 1.0);
    Estimate::with_interval(diff, bounds, Method::NewcombeHybrid, groups.units()).checked()
}

/// Miettinen-Nurminen score interval of p1 - p2: all differences d with
/// |D - d| <= z sqrt((q1(1-q1)/n1 + q2(1-q2)/n2) N/(N-1)), q the maximum likelihood shares under q1 - q2 = d.
pub fn miettinen_nurminen(groups: &TwoGroups, level: f64) -> Result<Estimate, NotEstimable> {
    let (p1, p2) = groups.shares()?;
    check::open_unit("level", level)?;
    let (z, diff) = (dist::normal_critical(level), p1 - p2);
    let score = |d: f64| score_statistic(groups, diff, d);
    let low = dist::bisect(-1.0, diff, false, |d| score(d) - z);
    let high = dist::bisect(diff, 1.0, false, |d| score(d) + z);
    Estimate::with_interval(
        diff,
        Interval::new(level, low, high),
        Method::MiettinenNurminen,
        groups.units(),
    )
    .checked()
}

fn score_statistic(g: &TwoGroups, diff: f64, d: f64) -> f64 {
    let (n1, n2) = (g.n1 as f64, g.n2 as f64);
    let (q1, q2) = constrained_shares(g, d);
    let total = n1 + n2;
    let variance = (q1 * (1.0 - q1) / n1 + q2 * (1.0 - q2) / n2) * total / (total - 1.0);
    if variance > 0.0 {
        (diff - d) / variance.sqrt()
    } else if diff == d {
        0.0
    } else {
        (diff - d).signum() * f64::INFINITY
    }
}

/// Maximum likelihood shares with q1 - q2 = d: the middle root of a cubic in q2 (Miettinen & Nurminen 1985, appendix I).
fn constrained_shares(g: &TwoGroups, d: f64) -> (f64, f64) {
    let (x1, n1, x2, n2) = (g.x1 as f64, g.n1 as f64, g.x2 as f64, g.n2 as f64);
    let total = n1 + n2;
    let l2 = (n1 + 2.0 * n2) * d - total - (x1 + x2);
    let l1 = (n2 * d - total - 2.0 * x2) * d + x1 + x2;
    let l0 = x2 * d * (1.0 - d);
    let q =
        l2.powi(3) / (3.0 * total).powi(3) - l1 * l2 / (6.0 * total * total) + l0 / (2.0 * total);
    let root = (l2 * l2 / (3.0 * total).powi(2) - l1 / (3.0 * total))
        .max(0.0)
        .sqrt();
    let p = if q < 0.0 { -root } else { root };
    let cosine = if p == 0.0 {
        0.0
    } else {
        (q / p.powi(3)).clamp(-1.0, 1.0)
    };
    let angle = (std::f64::consts::PI + cosine.acos()) / 3.0;
    let q2 = (2.0 * p * angle.cos() - l2 / (3.0 * total)).clamp((-d).max(0.0), (1.0 - d).min(1.0));
    ((q2 + d).clamp(0.0, 1.0), q2)
}

/// Fisher's exact test, two-sided: the total probability of all tables with these margins that are no more likely than the
/// observed one (up to a relative 1e-7 for rounding). At most a million trials a group.
pub fn fisher_exact(groups: &TwoGroups) -> Result<Test, NotEstimable> {
    groups.shares()?;
    let largest = groups.n1.max(groups.n2);
    check::argument(
        "trials",
        largest as f64,
        largest <= 1_000_000,
        "at most a million a group",
    )?;
    let successes = groups.x1 + groups.x2;
    let ln_mass =
        |k: u64| dist::ln_choose(groups.n1, k) + dist::ln_choose(groups.n2, successes - k);
    let (low, high) = (
        successes.saturating_sub(groups.n2),
        successes.min(groups.n1),
    );
    let all = dist::ln_choose(groups.n1 + groups.n2, successes);
    let observed = ln_mass(groups.x1) + 1e-7;
    let p = desc::sum(
        (low..=high)
            .map(ln_mass)
            .filter(|m| *m <= observed)
            .map(|m| (m - all).exp()),
    );
    Ok(Test::new(Method::FisherExact, None, p, groups.units()))
}

/// P(theta1 > theta2) under independent uniform priors: the integral of the Beta(x1+1, n1-x1+1) density against the
/// Beta(x2+1, n2-x2+1) distribution function.
pub fn probability_first_larger(groups: &TwoGroups) -> Result<f64, NotEstimable> {
    groups.shares()?;
    let shape = |x: u64, n: u64| (x as f64 + 1.0, (n - x) as f64 + 1.0);
    let ((a1, b1), (a2, b2)) = (shape(groups.x1, groups.n1), shape(groups.x2, groups.n2));
    let (low, high) = (
        dist::beta_quantile(1e-15, a1, b1),
        dist::beta_quantile(1.0 - 1e-15, a1, b1),
    );
    let norm = dist::ln_beta(a1, b1);
    let density = |p: f64| ((a1 - 1.0) * p.ln() + (b1 - 1.0) * (-p).ln_1p() - norm).exp();
    let nodes = dist::composite_nodes(low, high, 40);
    Ok(desc::sum(
        nodes
            .iter()
            .map(|(p, w)| w * density(*p) * dist::beta_cdf(*p, a2, b2)),
    )
    .clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_counts_are_refused() {
        let bad = TwoGroups {
            x1: 5,
            n1: 4,
            x2: 0,
            n2: 3,
        };
        assert!(newcombe_hybrid(&bad, 0.95).is_err() && miettinen_nurminen(&bad, 0.95).is_err());
        assert!(fisher_exact(&bad).is_err() && probability_first_larger(&bad).is_err());
        assert!(
            newcombe_hybrid(
                &TwoGroups {
                    x1: 0,
                    n1: 0,
                    x2: 0,
                    n2: 3
                },
                0.95
            )
            .is_err()
        );
    }

    #[test]
    fn published_miettinen_nurminen_bounds() {
        // Newcombe 1998b, table II, method 6: 9/10 against 3/10
        let g = TwoGroups {
            x1: 9,
            n1: 10,
            x2: 3,
            n2: 10,
        };
        let (low, high) = miettinen_nurminen(&g, 0.95)
            .unwrap()
            .interval
            .unwrap()
            .bounds()
            .unwrap();
        assert!(
            (low - 0.1700).abs() < 6e-5 && (high - 0.8406).abs() < 6e-5,
            "{low} {high}"
        );
    }

    #[test]
    fn constrained_shares_keep_their_difference_and_maximise() {
        let g = TwoGroups {
            x1: 7,
            n1: 12,
            x2: 3,
            n2: 15,
        };
        let ln = |q1: f64, q2: f64| {
            7.0 * q1.ln() + 5.0 * (1.0 - q1).ln() + 3.0 * q2.ln() + 12.0 * (1.0 - q2).ln()
        };
        for d in [-0.4, -0.1, 0.0, 0.2, 0.5] {
            let (q1, q2) = constrained_shares(&g, d);
            assert!((q1 - q2 - d).abs() < 1e-12);
            for step in [-1e-4, 1e-4] {
                assert!(ln(q1, q2) >= ln(q1 + step, q2 + step) - 1e-12, "{d}");
            }
        }
    }

    #[test]
    fn exchanging_the_groups_mirrors_everything() {
        let (a, b) = (
            TwoGroups {
                x1: 8,
                n1: 11,
                x2: 2,
                n2: 9,
            },
            TwoGroups {
                x1: 2,
                n1: 9,
                x2: 8,
                n2: 11,
            },
        );
        for f in [newcombe_hybrid, miettinen_nurminen] {
            let (l, u) = f(&a, 0.9).unwrap().interval.unwrap().bounds().unwrap();
            let (l2, u2) = f(&b, 0.9).unwrap().interval.unwrap().bounds().unwrap();
            assert!((l + u2).abs() < 1e-9 && (u + l2).abs() < 1e-9);
        }
        let (p, q) = (
            probability_first_larger(&a).unwrap(),
            probability_first_larger(&b).unwrap(),
        );
        assert!((p + q - 1.0).abs() < 1e-10);
        assert!(
            (fisher_exact(&a).unwrap().p_value - fisher_exact(&b).unwrap().p_value).abs() < 1e-12
        );
    }
}
