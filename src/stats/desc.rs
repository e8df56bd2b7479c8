//! Descriptive statistics: mean, variance, quantiles by four definitions, median absolute deviation, outlier fences.
//!
//! Every function returns `None` on an empty slice or one with a value that is not finite. Outliers are flagged, never dropped.
//! Sources: Hyndman & Fan 1996 (quantile types), Tukey 1977 (fences), Iglewicz & Hoaglin 1993 (modified z).

use super::check;

/// Sum with Neumaier's compensation, so that the order of the values hardly matters.
pub(crate) fn sum(xs: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for x in xs {
        let next = total + x;
        lost += if total.abs() >= x.abs() {
            (total - next) + x
        } else {
            (x - next) + total
        };
        total = next;
    }
    if lost.is_finite() {
        total + lost
    } else {
        total
    }
}

/// Mean of a slice known to hold values.
pub(crate) fn mean_of(xs: &[f64]) -> f64 {
    sum(xs.iter().copied()) / xs.len() as f64
}

/// Sum of squared deviations from the mean.
pub(crate) fn squares(xs: &[f64]) -> f64 {
    let centre = mean_of(xs);
    sum(xs.iter().map(|x| (x - centre) * (x - centre)))
}

/// Sample variance (denominator n - 1) of a slice known to hold at least two values.
pub(crate) fn variance_of(xs: &[f64]) -> f64 {
    squares(xs) / (xs.len() as f64 - 1.0)
}

/// Sum of products of deviations over n - 1.
pub(crate) fn covariance_of(x: &[f64], y: &[f64]) -> f64 {
    let (mx, my) = (mean_of(x), mean_of(y));
    sum(x.iter().zip(y).map(|(a, b)| (a - mx) * (b - my))) / (x.len() as f64 - 1.0)
}

/// A sorted copy.
pub(crate) fn sorted(xs: &[f64]) -> Vec<f64> {
    let mut out = xs.to_vec();
    out.sort_by(f64::total_cmp);
    out
}

/// Arithmetic mean.
pub fn mean(xs: &[f64]) -> Option<f64> {
    check::finite(xs).ok()?;
    Some(mean_of(xs)).filter(|m| m.is_finite())
}

/// Sample variance, denominator n - 1; `None` below two values.
pub fn variance(xs: &[f64]) -> Option<f64> {
    check::finite(xs).ok()?;
    if xs.len() < 2 {
        return None;
    }
    Some(variance_of(xs)).filter(|v| v.is_finite())
}

/// Sample standard deviation, denominator n - 1; `None` below two values.
pub fn sd(xs: &[f64]) -> Option<f64> {
    variance(xs).map(f64::sqrt)
}

/// How a quantile is read off the order statistics (the numbers of Hyndman & Fan 1996).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuantileType {
    /// Type 1, nearest rank: the smallest value whose share reaches q.
    NearestRank,
    /// Type 6, h = (n + 1) q.
    Type6,
    /// Type 7, h = (n - 1) q + 1: the definition of every point estimate here.
    Type7,
    /// Type 8, h = (n + 1/3) q + 1/3, median-unbiased.
    Type8,
}

/// Quantile `q` by the given definition; `None` outside 0 to 1.
pub fn quantile(xs: &[f64], q: f64, definition: QuantileType) -> Option<f64> {
    check::finite(xs).ok()?;
    (0.0..=1.0)
        .contains(&q)
        .then(|| quantile_sorted(&sorted(xs), q, definition))
}

/// Quantile of values already sorted and known to be finite.
pub(crate) fn quantile_sorted(xs: &[f64], q: f64, definition: QuantileType) -> f64 {
    let n = xs.len() as f64;
    let h = match definition {
        // 1e-12 keeps n q = 190.00000000000003 from moving to the next rank
        QuantileType::NearestRank => (n * q - 1e-12 * n).ceil(),
        QuantileType::Type6 => (n + 1.0) * q,
        QuantileType::Type7 => (n - 1.0) * q + 1.0,
        QuantileType::Type8 => (n + 1.0 / 3.0) * q + 1.0 / 3.0,
    };
    let h = h.clamp(1.0, n);
    let below = h.floor();
    let at = |rank: f64| xs[(rank as usize - 1).min(xs.len() - 1)];
    at(below) + (h - below) * (at(below + 1.0) - at(below))
}

/// Median.
pub fn median(xs: &[f64]) -> Option<f64> {
    quantile(xs, 0.5, QuantileType::Type7)
}

/// Median absolute deviation from the median, unscaled.
pub fn mad(xs: &[f64]) -> Option<f64> {
    let centre = median(xs)?;
    median(&xs.iter().map(|x| (x - centre).abs()).collect::<Vec<_>>())
}

/// Mean without the `share` smallest and the `share` largest values (counts rounded down).
pub fn trimmed_mean(xs: &[f64], share: f64) -> Option<f64> {
    check::finite(xs).ok()?;
    if !(0.0..0.5).contains(&share) {
        return None;
    }
    let cut = (share * xs.len() as f64).floor() as usize;
    mean(&sorted(xs)[cut..xs.len() - cut])
}

/// Coefficient of variation, sd / mean; `None` when the mean is 0.
pub fn coefficient_of_variation(xs: &[f64]) -> Option<f64> {
    let centre = mean(xs)?;
    (centre != 0.0).then_some(sd(xs)? / centre)
}

/// Robust coefficient of variation, 1.4826 MAD / median; `None` when the median is 0.
pub fn robust_coefficient_of_variation(xs: &[f64]) -> Option<f64> {
    let centre = median(xs)?;
    (centre != 0.0).then_some(1.4826 * mad(xs)? / centre)
}

/// Positions with 0.6745 |x - median| / MAD above `limit` (3.5 by Iglewicz & Hoaglin); none when the MAD is 0.
pub fn modified_z_outliers(xs: &[f64], limit: f64) -> Option<Vec<usize>> {
    mad_outliers(xs, limit / 0.6745)
}

/// Positions with |x - median| / MAD above `limit` (14.826 means ten robust standard deviations); none when the MAD is 0.
pub fn mad_outliers(xs: &[f64], limit: f64) -> Option<Vec<usize>> {
    let (centre, spread) = (median(xs)?, mad(xs)?);
    let far = |x: f64| spread > 0.0 && (x - centre).abs() / spread > limit;
    Some(
        xs.iter()
            .enumerate()
            .filter(|&(_, &x)| far(x))
            .map(|(i, _)| i)
            .collect(),
    )
}

/// Tukey's fences from type 7 quartiles: severe low, mild low, mild high, severe high (3 and 1.5 interquartile ranges).
pub fn tukey_fences(xs: &[f64]) -> Option<[f64; 4]> {
    let (q1, q3) = (
        quantile(xs, 0.25, QuantileType::Type7)?,
        quantile(xs, 0.75, QuantileType::Type7)?,
    );
    let range = q3 - q1;
    Some([
        q1 - 3.0 * range,
        q1 - 1.5 * range,
        q3 + 1.5 * range,
        q3 + 3.0 * range,
    ])
}

/// Pearson correlation; `None` below two pairs or without variation.
pub fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    check::paired(x, y).ok()?;
    let (vx, vy) = (variance(x)?, variance(y)?);
    if check::constant(x, check::scale(x)) || check::constant(y, check::scale(y)) {
        return None;
    }
    Some((covariance_of(x, y) / (vx.sqrt() * vy.sqrt())).clamp(-1.0, 1.0))
}

/// Lag-1 autocorrelation as the Pearson correlation of each value with the next; `None` below three values or without variation.
pub fn lag1_autocorrelation(xs: &[f64]) -> Option<f64> {
    check::finite(xs).ok()?;
    correlation(&xs[..xs.len() - 1], &xs[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_not_a_number_have_no_summary() {
        for xs in [&[][..], &[1.0, f64::NAN][..], &[f64::INFINITY][..]] {
            assert_eq!(mean(xs), None);
            assert_eq!(sd(xs), None);
            assert_eq!(quantile(xs, 0.5, QuantileType::Type7), None);
            assert_eq!(mad(xs), None);
            assert_eq!(tukey_fences(xs), None);
        }
        assert_eq!((sd(&[1.0]), median(&[1.0])), (None, Some(1.0)));
        assert_eq!(quantile(&[1.0], 1.5, QuantileType::Type7), None);
        assert_eq!(correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn compensated_sum_keeps_small_terms() {
        assert_eq!(sum([1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum([f64::MAX, f64::MAX]), f64::INFINITY);
    }

    #[test]
    fn nearest_rank_does_not_jump_by_rounding() {
        let xs: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(quantile(&xs, 0.95, QuantileType::NearestRank), Some(19.0));
        assert_eq!(quantile(&xs, 0.0, QuantileType::NearestRank), Some(1.0));
        assert_eq!(quantile(&xs, 1.0, QuantileType::NearestRank), Some(20.0));
    }

    #[test]
    fn equal_values_have_no_outliers() {
        assert_eq!(mad_outliers(&[2.0; 9], 3.0), Some(vec![]));
    }
}
