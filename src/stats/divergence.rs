//! How far one categorical distribution is from another, from two rows of logits over the same categories.
//!
//! In: unnormalised log-probabilities as 32-bit floats. Out: the Kullback-Leibler divergence KL(P || Q) = sum_i p_i (ln p_i - ln q_i) in nats
//! (Kullback & Leibler 1951), whether the most probable category is the same, and the log-probability of one category under both. All sums
//! are in f64.
//!
//! Invariants: the divergence is at least 0, exactly 0 for equal rows, and does not change when a constant is added to a row, up to rounding;
//! a category with probability 0 under P adds nothing; a row with a value that is not a number has no divergence.

/// Two distributions over the same categories.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divergence {
    /// KL(P || Q) in nats. A sum that rounding leaves below 0 is 0.
    pub kl: f64,
    /// Whether the most probable category is the same; the lowest index wins a tie.
    pub same_top1: bool,
    /// Natural logarithm of the target's probability under P.
    pub target_p: f64,
    /// Natural logarithm of the target's probability under Q.
    pub target_q: f64,
}

/// The divergence of the softmax of `q` from that of `p`, and what both say of the category `target`. `None` when the rows differ in length, have
/// no such category, hold a value that is not a number, or when the divergence is infinite (Q excludes what P allows).
pub fn divergence(p: &[f32], q: &[f32], target: usize) -> Option<Divergence> {
    if p.len() != q.len() || target >= p.len() {
        return None;
    }
    let (top_p, norm_p) = log_sum_exp(p)?;
    let (top_q, norm_q) = log_sum_exp(q)?;
    let mut kl = 0.0;
    for (&a, &b) in p.iter().zip(q) {
        let ln_p = f64::from(a) - norm_p;
        let share = ln_p.exp();
        // 0 ln 0 is 0, whatever Q says.
        if share > 0.0 {
            kl += share * (ln_p - (f64::from(b) - norm_q));
        }
    }
    let target_p = f64::from(p[target]) - norm_p;
    let target_q = f64::from(q[target]) - norm_q;
    let finite = kl.is_finite() && target_p.is_finite() && target_q.is_finite();
    finite.then_some(Divergence {
        kl: kl.max(0.0),
        same_top1: top_p == top_q,
        target_p,
        target_q,
    })
}

/// The index of the largest value, the lowest of equal ones, and ln sum_i exp x_i. `None` without a finite value or with one that is not a number.
fn log_sum_exp(row: &[f32]) -> Option<(usize, f64)> {
    let mut top = (0, f32::NEG_INFINITY);
    for (index, &x) in row.iter().enumerate() {
        if x.is_nan() {
            return None;
        }
        if x > top.1 {
            top = (index, x);
        }
    }
    let most = f64::from(top.1);
    if !most.is_finite() {
        return None;
    }
    let sum: f64 = row.iter().map(|&x| (f64::from(x) - most).exp()).sum();
    Some((top.0, most + sum.ln()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn logits(shares: &[f64]) -> Vec<f32> {
        shares.iter().map(|s| s.ln() as f32).collect()
    }

    #[test]
    fn halves_and_quarters_by_hand() {
        // P = (1/2, 1/4, 1/4), Q = (1/4, 1/4, 1/2): 1/2 ln 2 + 0 - 1/4 ln 2 = ln 2 / 4.
        let (p, q) = (logits(&[0.5, 0.25, 0.25]), logits(&[0.25, 0.25, 0.5]));
        let d = divergence(&p, &q, 2).unwrap();
        assert!((d.kl - 2.0_f64.ln() / 4.0).abs() < 1e-7, "{d:?}");
        assert!(!d.same_top1);
        assert!((d.target_p - 0.25_f64.ln()).abs() < 1e-7);
        assert!((d.target_q - 0.5_f64.ln()).abs() < 1e-7);
    }

    #[test]
    fn it_is_not_symmetric() {
        // P = (0.9, 0.1), Q = (0.5, 0.5).
        let (p, q) = (logits(&[0.9, 0.1]), logits(&[0.5, 0.5]));
        let forward = divergence(&p, &q, 0).unwrap().kl;
        let backward = divergence(&q, &p, 0).unwrap().kl;
        assert!((forward - 0.368_064_207_2).abs() < 1e-7, "{forward}");
        assert!((backward - 0.510_825_623_8).abs() < 1e-7, "{backward}");
    }

    #[test]
    fn impossible_categories_count_only_where_the_base_allows_them() {
        let never = f32::NEG_INFINITY;
        let d = divergence(&[0.0, 0.0, never], &[0.0, 0.0, 5.0], 0).unwrap();
        assert!((d.kl - (2.0 + 5.0_f64.exp()).ln() + 2.0_f64.ln()).abs() < 1e-12);
        assert_eq!(divergence(&[0.0, 0.0], &[0.0, never], 0), None);
        // A target that cannot be has no log-probability.
        assert_eq!(divergence(&[0.0, never], &[0.0, never], 1), None);
    }

    #[test]
    fn rows_that_cannot_be_compared_have_no_divergence() {
        for (p, q, target) in [
            (&[0.0_f32][..], &[0.0_f32, 1.0][..], 0),
            (&[0.0, 1.0], &[0.0, 1.0], 2),
            (&[], &[], 0),
            (&[f32::NAN, 1.0], &[0.0, 1.0], 1),
            (&[0.0, 1.0], &[0.0, f32::NAN], 0),
            (&[f32::INFINITY, 1.0], &[0.0, 1.0], 0),
            (&[f32::NEG_INFINITY; 2], &[0.0, 1.0], 0),
        ] {
            assert_eq!(divergence(p, q, target), None, "{p:?} {q:?}");
        }
    }

    #[test]
    fn the_lowest_index_wins_a_tie() {
        assert!(divergence(&[1.0, 1.0], &[2.0, 1.0], 0).unwrap().same_top1);
        assert!(!divergence(&[1.0, 1.0], &[1.0, 2.0], 0).unwrap().same_top1);
    }

    fn row() -> impl Strategy<Value = Vec<f32>> {
        proptest::collection::vec(-30.0_f32..30.0, 1..40)
    }

    proptest! {
        #[test]
        fn a_row_is_nowhere_from_itself(row in row()) {
            let d = divergence(&row, &row, 0).unwrap();
            prop_assert_eq!(d.kl, 0.0);
            prop_assert!(d.same_top1 && d.target_p == d.target_q);
        }

        #[test]
        fn it_is_never_negative_and_ignores_constants(pairs in proptest::collection::vec((-30.0_f32..30.0, -30.0_f32..30.0), 1..40), shift in -8_i8..8) {
            let (p, q): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let plain = divergence(&p, &q, 0).unwrap();
            prop_assert!(plain.kl >= 0.0 && plain.target_p <= 0.0 && plain.target_q <= 0.0);
            // Added in f32, so rounded to its 24 bits.
            let moved: Vec<f32> = q.iter().map(|x| x + f32::from(shift)).collect();
            let other = divergence(&p, &moved, 0).unwrap();
            prop_assert!((plain.kl - other.kl).abs() <= 1e-4, "{} {}", plain.kl, other.kl);
        }
    }
}
