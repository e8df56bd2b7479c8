//! Seeded coverage simulations: what an interval says is compared with how often it is right.
//!
//! 2,000 repetitions have a Monte Carlo standard error of 0.5 points at 95 %, so that 1.5 points either way are three errors.

use super::cluster::{mean_of_clusters_t, naive_z, wilson_neff_t};
use super::estimate::{Estimate, Test};
use super::paired::paired_t;
use super::rng::{Seed, Stream};
use super::{desc, dist, order, prop};
use rayon::prelude::*;

const REPETITIONS: u64 = 2000;
const MONTE_CARLO: f64 = 0.015;

fn uniform(stream: &mut Stream) -> f64 {
    ((stream.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

fn normal(stream: &mut Stream) -> f64 {
    dist::normal_quantile(uniform(stream))
}

/// Clusters of K observations around a normal cluster mean; both variances are 1 and the true mean is 0.
fn clusters(stream: &mut Stream, n: usize, k: usize) -> Vec<Vec<f64>> {
    (0..n)
        .map(|_| {
            let centre = normal(stream);
            (0..k).map(|_| centre + normal(stream)).collect()
        })
        .collect()
}

fn share(name: &str, holds: impl Fn(&mut Stream) -> bool + Sync) -> f64 {
    let seed = Seed::from_parts(&["coverage", name]);
    let hits = (0..REPETITIONS)
        .into_par_iter()
        .filter(|&i| holds(&mut seed.stream(i)))
        .count();
    hits as f64 / REPETITIONS as f64
}

fn covers(estimate: &Estimate, truth: f64) -> bool {
    estimate.interval.is_some_and(|i| i.contains(truth))
}

#[test]
fn t_on_cluster_means_covers_and_the_naive_interval_does_not() {
    for n in [5, 10, 20, 40] {
        let right = share(&format!("t {n}"), |s| {
            covers(&mean_of_clusters_t(&clusters(s, n, 5), 0.95).unwrap(), 0.0)
        });
        assert!(
            (right - 0.95).abs() <= MONTE_CARLO,
            "t on means covers {right} at {n} clusters"
        );
        let naive = share(&format!("z {n}"), |s| {
            covers(&naive_z(&clusters(s, n, 5), 0.95).unwrap(), 0.0)
        });
        assert!(
            naive < 0.80,
            "the naive interval covers {naive} at {n} clusters"
        );
    }
}

#[test]
fn paired_t_on_means_keeps_its_level_and_naive_pairs_do_not() {
    let reject = |test: Option<Test>| test.is_some_and(|t| t.p_value < 0.05);
    // two models without a mean difference that differ on each unit
    let means = |s: &mut Stream| -> (Vec<f64>, Vec<f64>) {
        let (a, b) = (clusters(s, 20, 5), clusters(s, 20, 5));
        (a.concat(), b.concat())
    };
    let shrink = |xs: &[f64]| -> Vec<f64> { xs.chunks(5).map(desc::mean_of).collect() };
    let right = share("paired", |s| {
        let (a, b) = means(s);
        reject(paired_t(&shrink(&a), &shrink(&b), 0.95).unwrap().test)
    });
    let naive = share("naive pairs", |s| {
        let (a, b) = means(s);
        reject(paired_t(&a, &b, 0.95).unwrap().test)
    });
    assert!((right - 0.05).abs() <= MONTE_CARLO, "{right}");
    assert!(naive > 0.12, "{naive}");
}

#[test]
fn wilson_on_the_effective_number_covers_where_naive_wilson_does_not() {
    // cluster rates from a logistic-like spread with mean 0.8: four of five units always pass, or half do
    let draw = |s: &mut Stream| -> Vec<Vec<f64>> {
        (0..20)
            .map(|_| {
                let rate = if uniform(s) < 0.6 { 1.0 } else { 0.5 };
                (0..5).map(|_| f64::from(uniform(s) < rate)).collect()
            })
            .collect()
    };
    let right = share("wilson n_eff", |s| {
        covers(&wilson_neff_t(&draw(s), 0.95).unwrap(), 0.8)
    });
    let naive = share("wilson", |s| {
        let all = draw(s).concat();
        let passed = all.iter().filter(|x| **x == 1.0).count() as u64;
        covers(&prop::wilson(passed, 100, 0.95).unwrap(), 0.8)
    });
    assert!(right >= 0.93, "{right}");
    assert!(naive < right - 0.02, "naive {naive} against {right}");
}

#[test]
fn order_statistics_cover_at_least_their_level_for_any_distribution() {
    let skewed = |s: &mut Stream| -> Vec<f64> { (0..60).map(|_| normal(s).exp()).collect() };
    let truth = dist::normal_quantile(0.9).exp();
    let right = share("order", |s| {
        covers(
            &order::quantile_interval(&skewed(s), 0.9, 0.95).unwrap(),
            truth,
        )
    });
    assert!((0.95 - MONTE_CARLO..=0.995).contains(&right), "{right}");
}
