use super::*;

/// All splits of the pooled values, counted one by one.
fn brute_mann_whitney(x: &[f64], y: &[f64]) -> f64 {
    let all: Vec<f64> = x.iter().chain(y).copied().collect();
    let (n, observed) = (x.len(), mann_whitney_u(x, y).unwrap().0);
    let (mut below, mut above, mut total) = (0.0, 0.0, 0.0);
    for mask in 0u32..(1 << all.len()) {
        if mask.count_ones() as usize != n {
            continue;
        }
        let pick = |keep: bool| -> Vec<f64> {
            all.iter()
                .enumerate()
                .filter(|(i, _)| (mask >> i & 1 == 1) == keep)
                .map(|(_, v)| *v)
                .collect()
        };
        let u = mann_whitney_u(&pick(true), &pick(false)).unwrap().0;
        total += 1.0;
        below += f64::from(u <= observed);
        above += f64::from(u >= observed);
    }
    (2.0 * f64::min(below, above) / total).min(1.0)
}

#[test]
fn exact_mann_whitney_with_ties_is_the_full_enumeration() {
    let cases: [(&[f64], &[f64]); 3] = [
        (&[1.0, 2.0, 2.0, 3.0], &[2.0, 3.0, 3.0, 4.0, 5.0]),
        (&[1.0, 1.0, 1.0], &[1.0, 1.0, 2.0]),
        (&[5.0, 6.0, 7.0, 8.0], &[1.0, 2.0, 3.0, 4.0]),
    ];
    for (x, y) in cases {
        let p = mann_whitney_exact(x, y, Alternative::TwoSided)
            .unwrap()
            .p_value;
        assert!((p - brute_mann_whitney(x, y)).abs() < 1e-12, "{x:?} {y:?}");
    }
}

#[test]
fn exact_wilcoxon_with_ties_is_the_full_enumeration() {
    let d = [1.0_f64, -1.0, 2.0, 2.0, -3.0, 4.0, 4.0, 4.0];
    let zero = [0.0; 8];
    let plus = |signs: u32| -> f64 {
        let flipped: Vec<f64> = d
            .iter()
            .enumerate()
            .map(|(i, v)| {
                if signs >> i & 1 == 1 {
                    v.abs()
                } else {
                    -v.abs()
                }
            })
            .collect();
        signed_ranks(&flipped, &zero, Zeros::Drop).unwrap().plus
    };
    let observed = signed_ranks(&d, &zero, Zeros::Drop).unwrap().plus;
    let above = (0..256).filter(|s| plus(*s) >= observed).count() as f64 / 256.0;
    let p = wilcoxon_exact(&d, &zero, Alternative::Greater)
        .unwrap()
        .p_value;
    assert!((p - above).abs() < 1e-12);
}

#[test]
fn few_differences_have_no_interval_and_say_how_many_would() {
    let h = hodges_lehmann(&[1.0, 2.0, 3.0, 4.0, 5.0], &[0.0; 5], 0.95).unwrap();
    assert_eq!((h.estimate.point, h.estimate.interval), (3.0, None));
    let needs = NotEstimable::TooFewUnits {
        method: Method::HodgesLehmann,
        needs: 6,
        has: 5,
    };
    assert_eq!(h.estimate.reason, Some(needs));
    let six = hodges_lehmann(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[0.0; 6], 0.95).unwrap();
    assert_eq!(six.estimate.interval.unwrap().bounds(), Some((1.0, 6.0)));
}

#[test]
fn nothing_to_rank_is_an_error_or_p_one() {
    let same = [1.0, 2.0, 3.0];
    assert_eq!(
        wilcoxon_exact(&same, &same, Alternative::TwoSided)
            .unwrap()
            .p_value,
        1.0
    );
    assert!(wilcoxon_normal(&same, &same, Zeros::Drop, Alternative::TwoSided, true).is_err());
    assert!(mann_whitney_normal(&[1.0; 3], &[1.0; 3], Alternative::TwoSided, true).is_err());
    assert!(brunner_munzel(&[1.0, 2.0], &[3.0, 4.0]).is_err());
    assert!(friedman(&[[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]).is_err());
    assert!(friedman(&[vec![1.0, 2.0, 3.0], vec![1.0, 2.0]]).is_err());
    assert!(mann_whitney(&[], &[1.0], Alternative::Less).is_err());
    assert!(wilcoxon(&[f64::NAN], &[1.0], Alternative::Less).is_err());
}

#[test]
fn one_sided_tails_add_up_to_one_and_the_point() {
    let (x, y) = ([1.0, 4.0, 2.5, 7.0], [3.0, 5.0, 6.0]);
    let p = |a| mann_whitney_exact(&x, &y, a).unwrap().p_value;
    let point = p(Alternative::Greater) + p(Alternative::Less) - 1.0;
    assert!(point > 0.0 && point < 0.3);
    let large: Vec<f64> = (0..90).map(f64::from).collect();
    assert_eq!(
        mann_whitney(&large, &large, Alternative::TwoSided)
            .unwrap()
            .method,
        Method::MannWhitneyNormal
    );
}

#[test]
fn a_thousand_sign_patterns_do_not_overflow() {
    assert!(
        signed_rank_counts(1000)
            .unwrap()
            .iter()
            .all(|c| c.is_finite())
    );
    assert_eq!(signed_rank_counts(1001), None);
    assert_eq!(
        signed_rank_counts(3),
        Some(vec![1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0])
    );
}
