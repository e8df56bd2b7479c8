//! Laws that hold for every input: equivariance, symmetry, order, consistency between methods, and no panic on hostile numbers.

use super::bt::Wins;
use super::desc::QuantileType;
use super::equiv::{gate, gate_lower_is_better, tost_paired};
use super::paired_binary::{self as pb, PairedTable};
use super::power::{Errors, PairedVariance};
use super::prop2::TwoGroups;
use super::rank::{Alternative, Zeros};
use super::*;
use proptest::prelude::prop;
use proptest::prelude::*;

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

fn ends(e: &Estimate) -> (f64, f64) {
    e.interval
        .and_then(|i| i.bounds())
        .expect("an interval with both bounds")
}

/// Scores with a spread far above rounding.
fn scores(size: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-1000i32..1000).prop_map(|i| f64::from(i) / 8.0), size)
        .prop_filter("some variation", |v| v.windows(2).any(|w| w[0] != w[1]))
}

fn hostile() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        3 => -1e3..1e3f64,
        1 => Just(0.0),
        1 => prop::num::f64::ANY,
        1 => prop_oneof![Just(f64::MAX), Just(-f64::MAX), Just(f64::MIN_POSITIVE), Just(5e-324), Just(1e154)],
    ];
    prop::collection::vec(value, 0..9)
}

/// Paired scores, moved and stretched: what must happen to a mean, a difference, a ratio and a standardised effect.
type Paired = fn(&[f64], &[f64]) -> Result<Estimate, NotEstimable>;

/// Differences x - y, which no common shift moves.
const DIFFERENCES: [Paired; 5] = [
    |x, y| paired::paired_t(x, y, 0.9).map(|c| c.estimate),
    |x, y| paired::welch_t(x, y, 0.9).map(|c| c.estimate),
    |x, y| paired::student_t(x, y, 0.9).map(|c| c.estimate),
    |x, y| rank::hodges_lehmann(x, y, 0.9).map(|h| h.estimate),
    rank::hodges_lehmann_shift,
];

/// Effects in standard deviations or probabilities, which neither shift nor stretch changes.
const EFFECTS: [Paired; 3] = [
    |x, y| effect::cohen_dz(x, y, 0.9),
    |x, y| effect::cohen_d(x, y, 0.9),
    |x, y| effect::hedges_g(x, y, 0.9),
];

/// The same estimate up to rounding, with bounds mapped by `f`.
fn same(
    a: &Result<Estimate, NotEstimable>,
    b: &Result<Estimate, NotEstimable>,
    f: impl Fn(f64) -> f64,
) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => {
            let bound = |x: Option<f64>, y: Option<f64>| match (x, y) {
                (Some(x), Some(y)) => near(f(x), y),
                (x, y) => x == y,
            };
            let intervals = match (a.interval, b.interval) {
                (Some(i), Some(j)) => bound(i.lower, j.lower) && bound(i.upper, j.upper),
                (i, j) => i == j,
            };
            near(f(a.point), b.point) && intervals && a.n_units == b.n_units
        }
        (Err(a), Err(b)) => a == b,
        _ => false,
    }
}

/// Close enough for methods that search their bounds by bisection.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-7 * a.abs().max(b.abs()).max(1.0)
}

/// An estimate from prompts with their epochs.
type OfClusters = fn(&[Vec<f64>]) -> Result<Estimate, NotEstimable>;

/// 1 above the middle, 0 below.
fn shares(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    rows.iter()
        .map(|c| c.iter().map(|x| f64::from(u8::from(*x > 60.0))).collect())
        .collect()
}

/// A permutation of 0..n from a seed.
fn permutation(n: usize, seed: u64) -> Vec<usize> {
    let mut stream = Seed::from_parts(&["order", &seed.to_string()]).stream(0);
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, stream.below(i + 1));
    }
    order
}

/// Rows of clusters with one size.
fn clusters(
    prompts: std::ops::Range<usize>,
    epochs: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Vec<f64>>> {
    epochs.prop_flat_map(move |k| {
        prop::collection::vec(
            prop::collection::vec((0i32..1000).prop_map(|i| f64::from(i) / 8.0), k),
            prompts.clone(),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn differences_ignore_a_common_shift_and_stretch_with_the_data(xs in scores(6..14), ys in scores(6..14), shift in -50.0..50.0f64, scale in 0.1..9.0f64) {
        let n = xs.len().min(ys.len());
        let moved = |v: &[f64]| v[..n].iter().map(|x| x * scale + shift).collect::<Vec<f64>>();
        let (x, y, x2, y2) = (&xs[..n], &ys[..n], moved(&xs), moved(&ys));
        // a constant difference is told by its rounding, which moving changes
        let d: Vec<f64> = x.iter().zip(y).map(|(a, b)| a - b).collect();
        prop_assume!(d.windows(2).any(|w| (w[0] - w[1]).abs() > 1e-3) && desc::variance_of(x) > 0.0 && desc::variance_of(y) > 0.0);
        for f in DIFFERENCES {
            prop_assert!(same(&f(x, y), &f(&x2, &y2), |v| v * scale), "{:?} {:?}", f(x, y), f(&x2, &y2));
        }
        for f in EFFECTS {
            prop_assert!(same(&f(x, y), &f(&x2, &y2), |v| v), "{:?} {:?}", f(x, y), f(&x2, &y2));
        }
        let p = |x: &[f64], y: &[f64]| paired::paired_t(x, y, 0.9).unwrap().test.unwrap().p_value;
        prop_assert!(near(p(x, y), p(&x2, &y2)));
    }

    #[test]
    fn exchanging_the_sides_turns_every_difference_and_effect(xs in scores(6..14), ys in scores(6..14)) {
        let n = xs.len().min(ys.len());
        let (x, y) = (&xs[..n], &ys[..n]);
        for f in DIFFERENCES.into_iter().chain(EFFECTS) {
            match (f(x, y), f(y, x)) {
                (Ok(a), Ok(b)) => {
                    prop_assert!(near(a.point, -b.point));
                    prop_assert_eq!(a.interval.is_some(), b.interval.is_some());
                    if let (Some((l, u)), Some((l2, u2))) = (a.interval.and_then(|i| i.bounds()), b.interval.and_then(|i| i.bounds())) {
                        prop_assert!(near(l, -u2) && near(u, -l2), "{a:?} {b:?}");
                    }
                }
                (a, b) => prop_assert_eq!(a.is_err(), b.is_err()),
            }
        }
        let t = |x: &[f64], y: &[f64]| equiv::tost_paired(x, y, -1.0, 1.0, 0.05).ok().map(|t| t.test.p_value);
        match (t(x, y), t(y, x)) {
            (Some(p), Some(q)) => prop_assert!(near(p, q)),
            (p, q) => prop_assert_eq!(p, q),
        }
    }

    #[test]
    fn the_order_of_prompts_and_of_their_epochs_changes_nothing(rows in clusters(3..12, 1..6), other in clusters(12..13, 1..2), seed in any::<u64>()) {
        let n = rows.len();
        let order = permutation(n, seed);
        let turned: Vec<Vec<f64>> = order.iter().map(|&i| rows[i].iter().rev().copied().collect()).collect();
        let by = |f: OfClusters| (f(&rows), f(&turned));
        for (a, b) in [
            by(|r| cluster::mean_of_clusters_t(r, 0.9)), by(|r| cluster::mean_clustered_t(r, 0.9)), by(|r| cluster::naive_z(r, 0.9)),
            by(|r| cluster::wilson_neff_t(&shares(r), 0.9)), by(|r| cluster::korn_graubard(&shares(r), 0.9)),
            by(|r| order::quantile_interval(&r.concat(), 0.5, 0.9)),
        ] {
            prop_assert!(same(&a, &b, |v| v), "{a:?} {b:?}");
        }
        let mean = |r: &[Vec<f64>]| r.iter().map(|c| desc::mean_of(c)).collect::<Vec<f64>>();
        let (x, y) = (mean(&rows), mean(&other[..n]));
        let pick = |v: &[f64]| order.iter().map(|&i| v[i]).collect::<Vec<f64>>();
        for f in DIFFERENCES.into_iter().chain(EFFECTS) {
            let (a, b) = (f(&x, &y), f(&pick(&x), &pick(&y)));
            prop_assert!(same(&a, &b, |v| v) || (a.is_err() && b.is_err()), "{a:?} {b:?}");
        }
        let d: Vec<f64> = x.iter().zip(&y).map(|(x, y)| ((x - y) / 125.0).clamp(-1.0, 1.0)).collect();
        let (a, b) = (betting::paired_differences(&d, 1.0, 0.9).unwrap(), betting::paired_differences(&pick(&d), 1.0, 0.9).unwrap());
        prop_assert!(near(a.ln_e_value, b.ln_e_value) && same(&Ok(a.estimate), &Ok(b.estimate), |v| v));
        let p = |d: &[f64]| perm::sign_flip_exact(d).unwrap().p_value;
        prop_assert!(near(p(&d), p(&pick(&d))));
    }

    #[test]
    fn adjusted_p_values_rise_with_every_p_and_with_the_family(p in prop::collection::vec(0.0..=1.0f64, 1..20), at in any::<prop::sample::Index>(), more in 0.0..=1.0f64, seed in any::<u64>()) {
        let order = permutation(p.len(), seed);
        let turned: Vec<f64> = order.iter().map(|&i| p[i]).collect();
        for m in [Method::Bonferroni, Method::Holm, Method::Hochberg, Method::Hommel, Method::BenjaminiHochberg, Method::BenjaminiYekutieli] {
            let adjusted = multi::adjust(&p, m).unwrap();
            // the p-values belong to their tests, wherever these stand
            let of_turned = multi::adjust(&turned, m).unwrap();
            prop_assert!(order.iter().zip(&of_turned).all(|(&i, q)| near(adjusted[i], *q)));
            // smaller p, smaller adjusted p
            for (x, q) in p.iter().zip(&adjusted) {
                prop_assert!(p.iter().zip(&adjusted).all(|(y, r)| x > y || q <= r));
            }
            // no p-value falls when one of them rises
            let mut raised = p.clone();
            let i = at.index(p.len());
            raised[i] = raised[i].max(more);
            prop_assert!(multi::adjust(&raised, m).unwrap().iter().zip(&adjusted).all(|(new, old)| *new >= *old - 1e-12), "{m}");
        }
        // Holm and Bonferroni never get easier when a test is added
        let mut larger = p.clone();
        larger.push(more);
        for m in [Method::Bonferroni, Method::Holm] {
            let (old, new) = (multi::adjust(&p, m).unwrap(), multi::adjust(&larger, m).unwrap());
            prop_assert!(old.iter().zip(&new).all(|(o, n)| *n >= *o - 1e-12));
        }
    }

    #[test]
    fn the_p_value_of_tost_is_the_level_at_which_its_interval_touches_a_limit(xs in scores(6..14), ys in scores(6..14), limit in 0.1..200.0f64) {
        let n = xs.len().min(ys.len());
        let (x, y) = (&xs[..n], &ys[..n]);
        if let Ok(t) = tost_paired(x, y, -limit, limit, 0.05) {
            let p = t.test.p_value;
            // the interval at level 1 - 2 p is defined for p below one half
            if (1e-6..0.499).contains(&p) {
                let (low, high) = tost_paired(x, y, -limit, limit, p).unwrap().interval.bounds().unwrap();
                let touch = (low + limit).abs().min((high - limit).abs());
                prop_assert!(touch <= 1e-6 * limit.max(1.0), "{p} {low} {high} {limit}");
                prop_assert!(low >= -limit - 1e-6 * limit && high <= limit + 1e-6 * limit);
            }
            let one_sided = equiv::non_inferiority_paired(x, y, limit).unwrap().p_value;
            prop_assert!(near(one_sided, t.p_lower));
        }
    }

    #[test]
    fn means_and_quantiles_move_and_stretch_with_the_data(xs in scores(6..30), shift in -50.0..50.0f64, scale in 0.1..9.0f64) {
        let moved: Vec<f64> = xs.iter().map(|x| x * scale + shift).collect();
        for f in [mean::mean_t as fn(&[f64], f64) -> _, |x: &[f64], l| order::quantile_interval(x, 0.5, l)] {
            let (a, b) = (f(&xs, 0.9).unwrap(), f(&moved, 0.9).unwrap());
            prop_assert!(close(a.point * scale + shift, b.point));
            let ((l, u), (l2, u2)) = (ends(&a), ends(&b));
            prop_assert!(close(l * scale + shift, l2) && close(u * scale + shift, u2));
        }
    }

    #[test]
    fn a_difference_changes_sign_when_the_sides_do(xs in scores(6..14), ys in scores(6..14)) {
        let n = xs.len().min(ys.len());
        let (x, y) = (&xs[..n], &ys[..n]);
        let (a, b) = (paired::paired_t(x, y, 0.95).unwrap(), paired::paired_t(y, x, 0.95).unwrap());
        prop_assert!(close(a.estimate.point, -b.estimate.point));
        if let (Some(p), Some(q)) = (a.test, b.test) {
            prop_assert!(close(p.p_value, q.p_value));
        }
        let d: Vec<f64> = x.iter().zip(y).map(|(a, b)| a - b).collect();
        let minus: Vec<f64> = d.iter().map(|v| -v).collect();
        prop_assert_eq!(perm::sign_flip_exact(&d).unwrap().p_value, perm::sign_flip_exact(&minus).unwrap().p_value);
        let w = |p, q| rank::wilcoxon_exact(p, q, Alternative::TwoSided).unwrap().p_value;
        prop_assert!(close(w(x, y), w(y, x)));
        let u = |p, q| rank::mann_whitney_exact(p, q, Alternative::TwoSided).unwrap().p_value;
        prop_assert!(close(u(&xs, &ys), u(&ys, &xs)));
    }

    #[test]
    fn the_order_of_units_does_not_matter(xs in scores(6..14), ys in scores(6..14), turn in 1usize..13) {
        let n = xs.len().min(ys.len());
        let rotate = |v: &[f64]| { let mut v = v[..n].to_vec(); v.rotate_left(turn % n); v };
        let (a, b) = (paired::paired_t(&xs[..n], &ys[..n], 0.9).unwrap(), paired::paired_t(&rotate(&xs), &rotate(&ys), 0.9).unwrap());
        prop_assert!(close(a.estimate.point, b.estimate.point));
        prop_assert_eq!(a.estimate.interval.is_some(), b.estimate.interval.is_some());
        let w = |x: &[f64], y: &[f64]| rank::wilcoxon_exact(x, y, Alternative::TwoSided).unwrap().p_value;
        prop_assert!(close(w(&xs[..n], &ys[..n]), w(&rotate(&xs), &rotate(&ys))));
    }

    #[test]
    fn equal_clusters_give_the_t_interval_of_their_means(rows in prop::collection::vec(scores(4..5), 3..12)) {
        let means = cluster::cluster_means(&rows).unwrap();
        prop_assume!(means.windows(2).any(|w| w[0] != w[1]));
        let (micro, makro) = (cluster::mean_clustered_t(&rows, 0.95).unwrap(), mean::mean_t(&means, 0.95).unwrap());
        let ((l, u), (l2, u2)) = (ends(&micro), ends(&makro));
        prop_assert!(close(l, l2) && close(u, u2) && close(micro.point, makro.point));
    }

    #[test]
    fn tost_rejects_exactly_when_its_interval_is_inside(xs in scores(6..14), ys in scores(6..14), limit in 0.1..200.0f64) {
        let n = xs.len().min(ys.len());
        if let Ok(t) = tost_paired(&xs[..n], &ys[..n], -limit, limit, 0.05) {
            let (l, u) = t.interval.bounds().unwrap();
            prop_assume!((l + limit).abs() > 1e-6 && (u - limit).abs() > 1e-6);
            prop_assert_eq!(t.equivalent(0.05), l > -limit && u < limit);
            prop_assert_eq!(t.non_inferior(0.05), l > -limit);
        }
    }

    #[test]
    fn holm_keeps_the_order_and_lies_between(mut p in prop::collection::vec(0.0..=1.0f64, 1..20)) {
        p.sort_by(f64::total_cmp);
        let all: Vec<Vec<f64>> = [Method::BenjaminiHochberg, Method::Hommel, Method::Hochberg, Method::Holm, Method::Bonferroni]
            .iter().map(|m| multi::adjust(&p, *m).unwrap()).collect();
        for q in &all {
            prop_assert!(q.windows(2).all(|w| w[0] <= w[1]));
            prop_assert!(q.iter().zip(&p).all(|(q, p)| *q >= *p - 1e-15 && *q <= 1.0));
        }
        for pair in all.windows(2) {
            prop_assert!(pair[0].iter().zip(&pair[1]).all(|(small, large)| *small <= *large + 1e-12));
        }
    }

    #[test]
    fn exact_mcnemar_is_the_binomial_test(b in 0u64..60, c in 0u64..60, a in 0u64..50, d in 1u64..50) {
        let table = PairedTable { both_pass: a, only_a: b, only_b: c, both_fail: d };
        let observed = dist::binomial_pmf(b, b + c, 0.5);
        let binomial: f64 = (0..=b + c).map(|k| dist::binomial_pmf(k, b + c, 0.5)).filter(|m| *m <= observed * (1.0 + 1e-9)).sum();
        let exact = pb::mcnemar_exact(&table).unwrap().p_value;
        prop_assert!(close(exact, binomial.min(1.0)), "{exact} {binomial}");
        prop_assert!(pb::mcnemar_mid_p(&table).unwrap().p_value <= exact);
        for f in [pb::tango, pb::newcombe_paired, pb::newcombe_paired_plain] {
            let (x, y) = (f(&table, 0.95).unwrap(), f(&table.swapped(), 0.95).unwrap());
            let ((l, u), (l2, u2)) = (ends(&x), ends(&y));
            prop_assert!(close(l, -u2) && close(u, -l2) && l <= x.point && x.point <= u);
        }
    }

    #[test]
    fn intervals_of_a_share_nest_and_contain_it(n in 1u64..400, part in 0.0..=1.0f64) {
        let x = (part * n as f64).round() as u64;
        for f in [super::prop::wilson, super::prop::clopper_pearson, super::prop::agresti_coull] {
            let (narrow, wide) = (f(x, n, 0.8).unwrap(), f(x, n, 0.99).unwrap());
            let ((l, u), (l2, u2)) = (ends(&narrow), ends(&wide));
            prop_assert!(l2 <= l + 1e-12 && u <= u2 + 1e-12 && l <= narrow.point + 1e-12 && narrow.point <= u + 1e-12);
        }
    }

    #[test]
    fn gates_mirror_and_a_larger_margin_never_hurts(lo in -2.0..2.0f64, width in 0.0..2.0f64, margin in 0.0..1.0f64, more in 0.0..1.0f64) {
        let (i, mirrored) = (Interval::new(0.9, lo, lo + width), Interval::new(0.9, -lo - width, -lo));
        prop_assert_eq!(gate(&i, margin), gate_lower_is_better(&mirrored, margin));
        if gate(&i, margin) == Ok(equiv::Verdict::Pass) {
            prop_assert_eq!(gate(&i, margin + more), Ok(equiv::Verdict::Pass));
        }
    }

    #[test]
    fn no_number_panics_and_every_point_is_finite(x in hostile(), y in hostile(), level in prop_oneof![Just(0.95), prop::num::f64::ANY]) {
        let seed = Seed::from_parts(&["hostile"]);
        let mean_of = |d: &[&f64]| d.iter().copied().sum::<f64>() / d.len() as f64;
        let rows = [x.clone(), y.clone()];
        let estimates = [
            mean::mean_t(&x, level), cluster::mean_of_clusters_t(&rows, level), cluster::mean_clustered_t(&rows, level),
            cluster::wilson_neff_t(&rows, level), cluster::korn_graubard(&rows, level), cluster::naive_z(&rows, level),
            order::quantile_interval(&x, 0.9, level), order::quantile_interval(&x, level, 0.9),
            paired::paired_t(&x, &y, level).map(|c| c.estimate), paired::welch_t(&x, &y, level).map(|c| c.estimate),
            paired::student_t(&x, &y, level).map(|c| c.estimate), ratio::ratio_of_sums(&x, &y, level).map(|r| r.estimate),
            ratio::log_ratio_t(&x, &y, level), ratio::fieller_paired(&x, &y, level).map(|r| r.estimate),
            ratio::fieller_independent(&x, &y, level).map(|r| r.estimate), ratio::delta_log_ratio(&x, &y, level),
            effect::cohen_dz(&x, &y, level), effect::cohen_d(&x, &y, level), effect::hedges_g(&x, &y, level),
            rank::hodges_lehmann(&x, &y, level).map(|h| h.estimate), rank::hodges_lehmann_shift(&x, &y),
            boot::bootstrap(&x, mean_of, boot::Kind::Bca, level, 30, seed), drift::theil_sen(&x, level),
            drift::ols_slope(&x, level).map(|o| o.0), bayes::clustered_rate(&rows, level),
            ppi::prediction_powered_mean(&x, &y, &x, ppi::Lambda::Tuned, level).map(|p| p.estimate),
        ];
        for e in estimates.into_iter().flatten() {
            prop_assert!(e.point.is_finite(), "{e:?}");
            prop_assert!(e.interval.is_none_or(|i| i.lower.is_none_or(f64::is_finite) && i.upper.is_none_or(f64::is_finite)), "{e:?}");
        }
    }

    #[test]
    fn every_p_value_is_between_zero_and_one(x in hostile(), y in hostile(), parameter in prop::num::f64::ANY) {
        let seed = Seed::from_parts(&["hostile"]);
        let tests = [
            paired::paired_t(&x, &y, 0.9).ok().and_then(|c| c.test), paired::welch_t(&x, &y, 0.9).ok().and_then(|c| c.test),
            perm::sign_flip_exact(&x).ok(), perm::sign_flip_random(&x, seed, 20).ok(),
            perm::sign_flip_max_t(&[x.clone(), y.clone()], seed, 20).ok().map(|t| t[0].clone()),
            rank::mann_whitney(&x, &y, Alternative::Less).ok(), rank::mann_whitney_normal(&x, &y, Alternative::TwoSided, true).ok(),
            rank::wilcoxon(&x, &y, Alternative::Greater).ok(), rank::wilcoxon_normal(&x, &y, Zeros::Pratt, Alternative::Less, false).ok(),
            rank::wilcoxon_normal(&x, &y, Zeros::Split, Alternative::TwoSided, true).ok(), rank::brunner_munzel(&x, &y).ok(),
            rank::friedman(&[x.clone(), y.clone()]).ok(), equiv::tost_paired(&x, &y, -1.0, parameter, 0.05).ok().map(|t| t.test),
            equiv::tost_welch(&x, &y, parameter, 1.0, 0.05).ok().map(|t| t.test), equiv::non_inferiority_paired(&x, &y, parameter).ok(),
            drift::mann_kendall(&x).ok().map(|m| m.test), drift::pettitt(&x).ok().map(|p| p.test), drift::spearman_with_order(&x).ok(),
            drift::ols_slope(&x, 0.9).ok().map(|o| o.1),
        ];
        for t in tests.into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&t.p_value), "{t:?}");
            prop_assert!(t.statistic.is_none_or(|s| !s.is_nan()), "{t:?}");
        }
    }

    #[test]
    fn scalar_arguments_of_any_value_never_panic(a in prop::num::f64::ANY, b in prop::num::f64::ANY, c in prop::num::f64::ANY, n in 0usize..60) {
        let errors = Errors { alpha: a, power: b };
        let variance = PairedVariance { omega2: a, within_a: b, within_b: c, replicates_a: b, replicates_b: a };
        let _ = (power::paired_t_units(c, errors), power::paired_t_units(c, Errors::CUSTOMARY), power::paired_t_effect(n, errors));
        let _ = (power::two_sample_t_power(a, n, b), power::replicated_units(c, variance, errors), power::mcnemar_pairs(a, b, errors));
        let _ = (power::two_proportions_units(a, b, Errors::CUSTOMARY), power::non_inferiority_units(a, b, c, Errors::CUSTOMARY));
        let _ = (seq::msprt(n, a, b, c), seq::asymptotic_cs(&[a, b], 0.05, c), seq::empirical_bernstein(&[a, b, c], 0.05));
        let _ = (order::early_stopping_under(a, n as u64, b, c), order::min_observations(a, b), order::order_ranks(n, a, b));
        let _ = (dist::t_quantile(a, b), dist::beta_quantile(a, b, c), dist::noncentral_t_cdf(a, b, c), dist::chi2_sf(a, b));
        let _ = (dist::beta_cdf(a, b, c), dist::t_two_sided(a, b), dist::binomial_cdf(30, 40, a), dist::normal_cdf(a));
        let _ = (desc::trimmed_mean(&[a, b, c], a), desc::quantile(&[a, b], c, QuantileType::Type8), desc::lag1_autocorrelation(&[a, b, c]));
        let _ = (bt::bradley_terry(3, &[Wins { winner: 0, loser: 1, count: a }, Wins { winner: 1, loser: 2, count: b }]), boot::bca(a, &[b, c], c, a));
        let _ = (calib::brier(&[a], &[true]), calib::ece_equal_width(&[a, b], &[true, false], n), calib::auroc(&[a, b], &[true, false]));
        let _ = (agree::krippendorff_alpha(&[vec![Some(a), None], vec![Some(b), Some(c)]], agree::Scale::Ordinal), agree::weighted_score(&[(a, b)], c));
        let _ = (text::perplexity(a, n as u64), equiv::gate_ratio(&Interval::new(a, b, c), a), mean::composite(&[vec![Some(a), Some(b)]], &[b, c], a));
    }

    #[test]
    fn counts_of_any_size_never_panic(x1 in any::<u64>(), n1 in any::<u64>(), x2 in 0u64..2000, n2 in 0u64..2000) {
        let g = TwoGroups { x1, n1, x2, n2 };
        let _ = (super::prop::wilson(x1, n1, 0.95), super::prop::clopper_pearson(x1, n1, 0.95), super::prop::jeffreys(x2, n2, 0.9));
        let _ = (prop2::newcombe_hybrid(&g, 0.9), prop2::miettinen_nurminen(&g, 0.9), prop2::fisher_exact(&g));
        let _ = (calib::pass_at_k(n1, x1, x2), calib::pass_hat_k(n2, x2, x2.min(7)), seq::e_value(x1, x2), bayes::dirichlet_paired(x1, x2));
        let table = PairedTable { both_pass: x1, only_a: x2, only_b: n2, both_fail: n1 };
        let _ = (pb::mcnemar_mid_p(&table), pb::tango(&table, 0.9), pb::bonett_price(&table, 0.9), pb::mcnemar_chi2_cc(&table));
    }
}
