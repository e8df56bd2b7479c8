//! Replicated observations: clusters of repeated measurements of one unit.
//!
//! The unit of analysis is the cluster. Treating all N x K observations as independent gives 61 to 87 % real coverage for a
//! nominal 95 % interval, so the naive standard error is computed only to be shown beside the right one.
//! Sources: Liang & Zeger 1986 and Cameron & Miller 2015 (CR0, CR1), Miller 2024 (arXiv 2411.00640),
//! Korn & Graubard 1998, Searle, Casella & McCulloch 1992 (variance components).

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, StatWarning};
use super::mean::{ADVISED_UNITS, t_estimate};
use super::method::Method;
use super::{check, desc, dist, prop};

/// Mean of each cluster; an empty cluster or a value that is not finite is an error.
pub fn cluster_means<C: AsRef<[f64]>>(clusters: &[C]) -> Result<Vec<f64>, NotEstimable> {
    if clusters.is_empty() {
        return Err(NotEstimable::NoObservations);
    }
    clusters
        .iter()
        .map(|c| {
            check::finite(c.as_ref())?;
            Ok(desc::mean_of(c.as_ref()))
        })
        .collect()
}

/// Mean of cluster means (every cluster weighs the same) with t on G - 1 degrees of freedom. The default for a mean score.
pub fn mean_of_clusters_t<C: AsRef<[f64]>>(
    clusters: &[C],
    level: f64,
) -> Result<Estimate, NotEstimable> {
    let means = cluster_means(clusters)?;
    let se = if means.len() < 2 {
        0.0
    } else {
        (desc::variance_of(&means) / means.len() as f64).sqrt()
    };
    let constant = check::constant(&means, check::scale(&means));
    t_estimate(
        desc::mean_of(&means),
        se,
        means.len(),
        level,
        Method::ClusterMeansT,
        constant,
    )
}

/// Mean over all observations (a larger cluster weighs more) with the CR1 standard error and t on G - 1.
pub fn mean_clustered_t<C: AsRef<[f64]>>(
    clusters: &[C],
    level: f64,
) -> Result<Estimate, NotEstimable> {
    let e = clustered_errors(clusters)?;
    let constant = e.cr1_se == Some(0.0);
    t_estimate(
        e.mean,
        e.cr1_se.unwrap_or(0.0),
        e.clusters,
        level,
        Method::ClusteredT,
        constant,
    )
}

/// Standard errors of the mean over observations under three assumptions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusteredErrors {
    /// Mean over observations.
    pub mean: f64,
    /// Mean of the cluster means.
    pub macro_mean: f64,
    /// Standard error that takes every observation as independent; `None` with one observation.
    pub naive_se: Option<f64>,
    /// CR0: sqrt(sum_c (sum_i e_ci)^2) / n.
    pub cr0_se: f64,
    /// CR1 = CR0 sqrt(G / (G - 1)); `None` with one cluster.
    pub cr1_se: Option<f64>,
    /// Standard error of the mean of cluster means; `None` with one cluster.
    pub macro_se: Option<f64>,
    /// How much the variance exceeds that of independent observations, (CR1 / naive)^2; `None` without variation or with one cluster.
    pub design_effect: Option<f64>,
    /// n / design effect, at most n: independent observations that would say as much.
    pub n_eff: Option<f64>,
    /// Number of clusters, G.
    pub clusters: usize,
    /// Number of observations, n.
    pub observations: usize,
}

/// Computes [`ClusteredErrors`].
pub fn clustered_errors<C: AsRef<[f64]>>(clusters: &[C]) -> Result<ClusteredErrors, NotEstimable> {
    let means = cluster_means(clusters)?;
    let all: Vec<f64> = clusters
        .iter()
        .flat_map(|c| c.as_ref().iter().copied())
        .collect();
    let (mean, n, g) = (desc::mean_of(&all), all.len() as f64, means.len() as f64);
    let exact_zero = check::constant(&means, check::scale(&all));
    let total = |c: &C| desc::sum(c.as_ref().iter().map(|x| x - mean));
    let cr0_se = if exact_zero {
        0.0
    } else {
        desc::sum(clusters.iter().map(|c| total(c).powi(2))).sqrt() / n
    };
    let many = means.len() > 1;
    let naive_se = (all.len() > 1).then(|| (desc::variance_of(&all) / n).sqrt());
    let cr1_se = many.then(|| cr0_se * (g / (g - 1.0)).sqrt());
    let varies = naive_se.filter(|_| !check::constant(&all, check::scale(&all)));
    let design_effect = cr1_se
        .zip(varies)
        .map(|(robust, naive)| (robust / naive).powi(2));
    let out = ClusteredErrors {
        mean,
        macro_mean: desc::mean_of(&means),
        naive_se,
        cr0_se,
        cr1_se,
        design_effect,
        n_eff: design_effect.map(|d| n / d.max(1.0)),
        macro_se: many.then(|| (desc::variance_of(&means) / g).sqrt()),
        clusters: means.len(),
        observations: all.len(),
    };
    if cr0_se.is_finite() && mean.is_finite() {
        Ok(out)
    } else {
        Err(NotEstimable::Overflow {
            method: Method::ClusteredT,
        })
    }
}

/// The interval nobody should print: normal quantile, independent observations. It warns.
pub fn naive_z<C: AsRef<[f64]>>(clusters: &[C], level: f64) -> Result<Estimate, NotEstimable> {
    check::open_unit("level", level)?;
    let e = clustered_errors(clusters)?;
    let Some(se) = e.naive_se else {
        let reason = NotEstimable::TooFewUnits {
            method: Method::NaiveZ,
            needs: 2,
            has: 1,
        };
        return Ok(Estimate::without_interval(
            e.mean,
            Method::NaiveZ,
            1,
            reason,
        ));
    };
    let half = dist::normal_critical(level) * se;
    Estimate::with_interval(
        e.mean,
        Interval::new(level, e.mean - half, e.mean + half),
        Method::NaiveZ,
        e.observations,
    )
    .warn(StatWarning::Unreliable)
    .checked()
}

/// Between- and within-cluster variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceComponents {
    /// Mean square between clusters.
    pub ms_between: f64,
    /// Mean square within clusters.
    pub ms_within: f64,
    /// (MSB - MSW) / K, not below 0.
    pub var_between: f64,
    /// MSW.
    pub var_within: f64,
    /// (MSB - MSW) / (MSB + (K - 1) MSW); can be negative. `None` when nothing varies.
    pub icc: Option<f64>,
    /// Kish's design effect 1 + (K - 1) ICC, not below 0: what K replicates are expected to cost. The design effect that was
    /// observed is in [`ClusteredErrors`]. `None` when nothing varies.
    pub kish_design_effect: Option<f64>,
    /// Cluster size K; for unequal sizes the analysis-of-variance average (n - sum k^2 / n) / (G - 1).
    pub cluster_size: f64,
}

/// One-way random-effects analysis of variance. Needs two clusters and one cluster with two observations.
pub fn variance_components<C: AsRef<[f64]>>(
    clusters: &[C],
) -> Result<VarianceComponents, NotEstimable> {
    let means = cluster_means(clusters)?;
    let method = Method::VarianceComponents;
    check::units(method, 2, means.len())?;
    let sizes: Vec<f64> = clusters.iter().map(|c| c.as_ref().len() as f64).collect();
    let (n, g) = (desc::sum(sizes.iter().copied()), means.len() as f64);
    if n <= g {
        return Err(NotEstimable::TooFewUnits {
            method,
            needs: means.len() + 1,
            has: means.len(),
        });
    }
    let grand = desc::sum(means.iter().zip(&sizes).map(|(m, k)| m * k)) / n;
    let ms_between = desc::sum(
        means
            .iter()
            .zip(&sizes)
            .map(|(m, k)| k * (m - grand).powi(2)),
    ) / (g - 1.0);
    let ms_within = desc::sum(clusters.iter().map(|c| desc::squares(c.as_ref()))) / (n - g);
    let size = (n - desc::sum(sizes.iter().map(|k| k * k)) / n) / (g - 1.0);
    let below = ms_between + (size - 1.0) * ms_within;
    if !below.is_finite() {
        return Err(NotEstimable::Overflow { method });
    }
    let icc = (below > 0.0).then(|| (ms_between - ms_within) / below);
    Ok(VarianceComponents {
        ms_between,
        ms_within,
        var_between: ((ms_between - ms_within) / size).max(0.0),
        var_within: ms_within,
        icc,
        kish_design_effect: icc.map(|r| (1.0 + (size - 1.0) * r).max(0.0)),
        cluster_size: size,
    })
}

/// Share of successes in clusters with the effective number of observations behind it.
struct EffectiveShare {
    p: f64,
    n_eff: f64,
    clusters: usize,
    observations: usize,
    degenerate: bool,
}

/// n_eff = p (1 - p) / CR1^2 between 1 and n; the number of clusters when they do not vary at all.
fn effective_share<C: AsRef<[f64]>>(
    clusters: &[C],
    method: Method,
) -> Result<EffectiveShare, NotEstimable> {
    for c in clusters {
        check::within(c.as_ref(), 0.0, 1.0, method)?;
    }
    let e = clustered_errors(clusters)?;
    let se = e.cr1_se.unwrap_or(0.0);
    let degenerate = se == 0.0;
    let n = e.observations as f64;
    let n_eff = if degenerate {
        e.clusters as f64
    } else {
        (e.mean * (1.0 - e.mean) / (se * se)).clamp(1.0, n)
    };
    Ok(EffectiveShare {
        p: e.mean,
        n_eff,
        clusters: e.clusters,
        observations: e.observations,
        degenerate,
    })
}

/// Effective number of independent observations behind a share in clusters.
pub fn effective_observations<C: AsRef<[f64]>>(clusters: &[C]) -> Result<f64, NotEstimable> {
    Ok(effective_share(clusters, Method::WilsonNeffT)?.n_eff)
}

fn share_interval<C: AsRef<[f64]>>(
    clusters: &[C],
    level: f64,
    method: Method,
    bounds: impl FnOnce(&EffectiveShare, f64) -> (f64, f64),
) -> Result<Estimate, NotEstimable> {
    check::open_unit("level", level)?;
    let s = effective_share(clusters, method)?;
    if let Err(reason) = check::units(method, 2, s.clusters) {
        return Ok(Estimate::without_interval(s.p, method, s.clusters, reason));
    }
    let (low, high) = bounds(&s, dist::t_critical(level, s.clusters as f64 - 1.0));
    Estimate::with_interval(s.p, Interval::new(level, low, high), method, s.clusters)
        .warn_if(s.degenerate, StatWarning::DegenerateClusters)
        .warn_if(
            s.clusters < ADVISED_UNITS,
            StatWarning::FewUnits {
                has: s.clusters,
                advised: ADVISED_UNITS,
            },
        )
        .checked()
}

/// Wilson interval on n_eff with t_{G-1}: the default for a pass rate with replicates.
pub fn wilson_neff_t<C: AsRef<[f64]>>(
    clusters: &[C],
    level: f64,
) -> Result<Estimate, NotEstimable> {
    share_interval(clusters, level, Method::WilsonNeffT, |s, t| {
        prop::wilson_bounds(s.p, s.n_eff, t)
    })
}

/// Wilson interval on n_eff with the normal quantile; narrower than [`wilson_neff_t`] with few clusters.
pub fn wilson_neff_z<C: AsRef<[f64]>>(
    clusters: &[C],
    level: f64,
) -> Result<Estimate, NotEstimable> {
    share_interval(clusters, level, Method::WilsonNeffZ, |s, _| {
        prop::wilson_bounds(s.p, s.n_eff, dist::normal_critical(level))
    })
}

/// Korn-Graubard: Clopper-Pearson on n* = n_eff (z / t)^2 and x = p n*. The conservative choice. Korn & Graubard 1998.
pub fn korn_graubard<C: AsRef<[f64]>>(
    clusters: &[C],
    level: f64,
) -> Result<Estimate, NotEstimable> {
    share_interval(clusters, level, Method::KornGraubard, |s, t| {
        let shrink = dist::normal_critical(level) / t;
        let n_star = (s.n_eff * shrink * shrink).min(s.observations as f64);
        prop::clopper_pearson_bounds(s.p * n_star, n_star, level)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sizes_make_cr1_the_error_of_cluster_means() {
        let e = clustered_errors(&[
            [1.0, 2.0, 4.0],
            [3.0, 3.5, 9.0],
            [0.0, 0.5, 0.25],
            [7.0, 7.0, 6.0],
        ])
        .unwrap();
        assert!((e.cr1_se.unwrap() - e.macro_se.unwrap()).abs() < 1e-14);
        assert!((e.mean - e.macro_mean).abs() < 1e-14);
    }

    #[test]
    fn one_cluster_has_no_interval_whatever_its_size() {
        let one = [vec![1.0, 0.0, 1.0, 1.0]];
        for f in [
            wilson_neff_t,
            wilson_neff_z,
            korn_graubard,
            mean_of_clusters_t,
            mean_clustered_t,
        ] {
            let e = f(&one, 0.95).unwrap();
            assert_eq!((e.point, e.interval, e.n_units), (0.75, None, 1));
            assert!(matches!(
                e.reason,
                Some(NotEstimable::TooFewUnits {
                    needs: 2,
                    has: 1,
                    ..
                })
            ));
        }
        assert!(variance_components(&one).is_err());
    }

    #[test]
    fn empty_and_bad_input_is_refused() {
        assert!(clustered_errors::<Vec<f64>>(&[]).is_err());
        assert!(clustered_errors(&[vec![1.0], vec![]]).is_err());
        assert!(clustered_errors(&[[1.0, f64::NAN]]).is_err());
        assert!(wilson_neff_t(&[[0.0, 2.0], [1.0, 1.0]], 0.95).is_err());
        assert!(variance_components(&[[1.0], [2.0]]).is_err());
    }

    #[test]
    fn clusters_that_do_not_vary_count_as_one_observation_each() {
        let all = vec![vec![1.0; 5]; 8];
        let e = wilson_neff_t(&all, 0.95).unwrap();
        assert!(e.warnings.contains(&StatWarning::DegenerateClusters));
        let (low, high) = e.interval.unwrap().bounds().unwrap();
        assert!(high == 1.0 && low > 0.5 && low < 0.65, "{low}");
        let same = variance_components(&all).unwrap();
        assert_eq!(
            (same.icc, same.kish_design_effect, same.var_between),
            (None, None, 0.0)
        );
        assert_eq!(clustered_errors(&all).unwrap().design_effect, None);
    }

    #[test]
    fn unequal_sizes_use_the_average_size_of_the_analysis_of_variance() {
        let v = variance_components(&[vec![1.0, 2.0], vec![3.0, 4.0, 5.0], vec![0.0]]).unwrap();
        assert!((v.cluster_size - (6.0 - 14.0 / 6.0) / 2.0).abs() < 1e-14);
    }
}
