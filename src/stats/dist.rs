//! Distribution functions that never panic: the normal, chi-square and gamma from `statrs`, the beta family (t, binomial) from
//! `incbeta`, and the noncentral t, which `statrs` lacks.
//!
//! An argument outside the domain gives NaN, as in C; the methods of this room validate before they call.

use super::incbeta;
use statrs::function::{erf, gamma};
use std::f64::consts::{PI, SQRT_2};

/// Standard normal density.
pub fn normal_pdf(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// Standard normal distribution function.
pub fn normal_cdf(z: f64) -> f64 {
    normal_sf(-z)
}

/// Upper tail of the standard normal, Q(1/2, z^2/2) / 2; the `erfc` of `statrs` is good to 10 digits only.
pub fn normal_sf(z: f64) -> f64 {
    if z.is_nan() {
        return f64::NAN;
    }
    // beyond 39 the tail is below the smallest number; at 0 the incomplete gamma function has no argument
    let tail = match z.abs() {
        a if a > 39.0 => 0.0,
        a if a < 1e-150 => 0.5,
        a => 0.5 * gamma_upper(0.5, a * a / 2.0),
    };
    if z >= 0.0 { tail } else { 1.0 - tail }
}

/// Quantile of the standard normal.
pub fn normal_quantile(p: f64) -> f64 {
    if (0.0..=1.0).contains(&p) {
        -SQRT_2 * erf::erfc_inv(2.0 * p)
    } else {
        f64::NAN
    }
}

/// The two-sided critical value z with P(|Z| <= z) = level.
pub fn normal_critical(level: f64) -> f64 {
    normal_quantile(0.5 + level / 2.0)
}

/// P(|Z| >= |z|).
pub fn normal_two_sided(z: f64) -> f64 {
    (2.0 * normal_sf(z.abs())).min(1.0)
}

/// P(|T| >= |t|) for Student's t: I_{df/(df+t^2)}(df/2, 1/2).
pub fn t_two_sided(t: f64, df: f64) -> f64 {
    if t.is_nan() || !positive(df) {
        return f64::NAN;
    }
    if df.is_infinite() {
        return normal_two_sided(t);
    }
    let square = t * t;
    if square.is_infinite() {
        return 0.0;
    }
    if df > MANY {
        return normal_two_sided(t_to_normal(t, df));
    }
    incbeta::regularised(df / (df + square), square / (df + square), df / 2.0, 0.5)
}

/// Degrees of freedom above which Hill's expansion is exact to rounding and the continued fraction no longer is.
const MANY: f64 = 1e5;

/// The normal deviate with the same tail as t (Hill 1970, algorithm 395), error of order df^-3.
fn t_to_normal(t: f64, df: f64) -> f64 {
    let a = df - 0.5;
    let b = 48.0 * a * a;
    let z = (a * (t * t / df).ln_1p()).sqrt() * t.signum();
    z + (z.powi(3) + 3.0 * z) / b
}

/// Upper tail of Student's t.
pub fn t_sf(t: f64, df: f64) -> f64 {
    let half = t_two_sided(t, df) / 2.0;
    if t >= 0.0 { half } else { 1.0 - half }
}

/// Distribution function of Student's t.
pub fn t_cdf(t: f64, df: f64) -> f64 {
    t_sf(-t, df)
}

/// Quantile of Student's t.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || !positive(df) {
        return f64::NAN;
    }
    if p == 0.5 {
        return 0.0;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    if df > MANY {
        let z = normal_quantile(p);
        // the map to the normal has slope 1 up to 1/df: each step gains five digits
        return if df.is_infinite() {
            z
        } else {
            (0..4).fold(z, |t, _| t - (t_to_normal(t, df) - z))
        };
    }
    let tail = p.min(1.0 - p);
    let (x, rest) = incbeta::quantile(2.0 * tail, df / 2.0, 0.5);
    let t = (df * rest / x).sqrt();
    if p > 0.5 { t } else { -t }
}

/// The two-sided critical value t with P(|T| <= t) = level.
pub fn t_critical(level: f64, df: f64) -> f64 {
    t_quantile(0.5 + level / 2.0, df)
}

/// Beta distribution function, the regularised incomplete beta function I_x(a, b).
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x.is_nan() || !positive(a) || !positive(b) {
        return f64::NAN;
    }
    incbeta::regularised(x, 1.0 - x, a, b)
}

/// Beta quantile.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || !positive(a) || !positive(b) {
        return f64::NAN;
    }
    incbeta::quantile(p, a, b).0
}

/// Logarithm of the beta function.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    if positive(a) && positive(b) {
        incbeta::ln_beta(a, b)
    } else {
        f64::NAN
    }
}

/// Logarithm of the gamma function.
pub fn ln_gamma(x: f64) -> f64 {
    gamma::ln_gamma(x)
}

/// Upper tail of the chi-square: Q(df/2, x/2).
pub fn chi2_sf(x: f64, df: f64) -> f64 {
    gamma_upper(df / 2.0, x / 2.0)
}

/// The regularised upper incomplete gamma function Q(a, x).
pub(crate) fn gamma_upper(a: f64, x: f64) -> f64 {
    if x.is_nan() || !positive(a) || a.is_infinite() {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    // far above the mean nothing is left, and the series of the library would overflow
    if x > a + 800.0 + 60.0 * a.sqrt() {
        return 0.0;
    }
    gamma::checked_gamma_ur(a, x).unwrap_or(f64::NAN)
}

/// P(X <= k) for X ~ Binomial(n, p): I_{1-p}(n-k, k+1).
pub fn binomial_cdf(k: i64, n: u64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let Ok(k) = u64::try_from(k) else { return 0.0 };
    if k >= n {
        return 1.0;
    }
    beta_cdf(1.0 - p, (n - k) as f64, k as f64 + 1.0)
}

/// P(X = k) for X ~ Binomial(n, p).
pub fn binomial_pmf(k: u64, n: u64, p: f64) -> f64 {
    if k > n || !(0.0..=1.0).contains(&p) {
        return if k > n { 0.0 } else { f64::NAN };
    }
    let log_of = |count: u64, share: f64| {
        if count == 0 {
            0.0
        } else {
            count as f64 * share.ln()
        }
    };
    (ln_choose(n, k) + log_of(k, p) + log_of(n - k, 1.0 - p)).exp()
}

/// Logarithm of the binomial coefficient; minus infinity when k > n.
pub fn ln_choose(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    if k == 0 || k == n {
        return 0.0;
    }
    let (n, k) = (n as f64, k as f64);
    -(n + 1.0).ln() - incbeta::ln_beta(k + 1.0, n - k + 1.0)
}

/// Distribution function of the noncentral t: P((Z + ncp) / S <= t), S = sqrt(chi2_df / df).
///
/// Integrates Phi(t s - ncp) against the density of S, f(s) = 2 (df/2)^(df/2) / Gamma(df/2) s^(df-1) exp(-df s^2 / 2), with
/// Gauss-Legendre panels over the part that holds all but 1e-17 of the mass, refined around s = ncp / t, where Phi changes.
pub fn noncentral_t_cdf(t: f64, df: f64, ncp: f64) -> f64 {
    if t.is_nan() || !ncp.is_finite() || !positive(df) || df.is_infinite() {
        return f64::NAN;
    }
    if t.is_infinite() {
        return if t > 0.0 { 1.0 } else { 0.0 };
    }
    let ln_norm = ln_root_chi2_norm(df / 2.0);
    let density = |s: f64| {
        // h (1 - s^2 + 2 ln s) by the distance from s = 1, so that a large h keeps its digits
        let e = s - 1.0;
        let ln_s = if e > -0.5 { e.ln_1p() } else { s.ln() };
        if s > 0.0 {
            (ln_norm + df / 2.0 * (2.0 * (ln_s - e) - e * e) - ln_s).exp()
        } else {
            0.0
        }
    };
    let mode = ((df - 1.0).max(0.0) / df).sqrt();
    let spread = (1.0 / (2.0 * df)).sqrt();
    let (low, high) = ((mode - 9.0 * spread).max(0.0), mode + 12.0 * spread);
    let mut cuts: Vec<f64> = (0..=48)
        .map(|i| low + (high - low) * f64::from(i) / 48.0)
        .collect();
    if t != 0.0 {
        let (centre, width) = (ncp / t, 1.0 / t.abs());
        cuts.extend(
            (-12..=12)
                .map(|i| centre + f64::from(i) * width)
                .filter(|s| *s > low && *s < high),
        );
        cuts.sort_by(f64::total_cmp);
    }
    let sum: f64 = cuts
        .windows(2)
        .map(|w| gauss_legendre(w[0], w[1], |s| density(s) * normal_cdf(t * s - ncp)))
        .sum();
    sum.clamp(0.0, 1.0)
}

/// ln(2 h^h e^-h / Gamma(h)), the constant of the density of sqrt(chi2_df / df) with h = df / 2.
fn ln_root_chi2_norm(h: f64) -> f64 {
    if h < 10.0 {
        return 2f64.ln() + h * h.ln() - h - gamma::ln_gamma(h);
    }
    2f64.ln() + 0.5 * (h / (2.0 * PI)).ln() - incbeta::stirling_rest(h)
}

/// Nodes and weights of the 16-point Gauss-Legendre rule on (0, 1); the other half is its mirror image.
const GAUSS_16: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_87),
    (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_894),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_095),
];

/// Integral of `f` over one panel with the 16-point Gauss-Legendre rule.
pub(crate) fn gauss_legendre(low: f64, high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mid, half) = (f64::midpoint(low, high), (high - low) / 2.0);
    GAUSS_16
        .iter()
        .map(|&(x, w)| w * (f(mid - half * x) + f(mid + half * x)))
        .sum::<f64>()
        * half
}

/// Nodes and weights of a composite rule of `panels` 16-point panels.
pub(crate) fn composite_nodes(low: f64, high: f64, panels: usize) -> Vec<(f64, f64)> {
    let step = (high - low) / panels as f64;
    (0..panels)
        .flat_map(|i| {
            let (mid, half) = (low + (i as f64 + 0.5) * step, step / 2.0);
            GAUSS_16
                .iter()
                .flat_map(move |&(x, w)| [(mid - half * x, w * half), (mid + half * x, w * half)])
        })
        .collect()
}

/// The root of a monotone function between two points by bisection, to the last bit that can matter.
pub(crate) fn bisect(mut low: f64, mut high: f64, rising: bool, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let mid = f64::midpoint(low, high);
        if mid <= low || mid >= high {
            break;
        }
        if (f(mid) < 0.0) == rising {
            low = mid;
        } else {
            high = mid;
        }
    }
    f64::midpoint(low, high)
}

fn positive(x: f64) -> bool {
    x > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, want: f64, tol: f64) {
        assert!(
            (got - want).abs() <= tol * want.abs().max(1.0),
            "{got} is not {want}"
        );
    }

    #[test]
    fn noncentral_t_is_the_central_t_without_noncentrality() {
        for df in [1.0, 2.0, 7.5, 30.0, 400.0] {
            for t in [-3.0, -0.5, 0.0, 1.2, 40.0] {
                close(noncentral_t_cdf(t, df, 0.0), t_cdf(t, df), 1e-12);
            }
        }
    }

    #[test]
    fn noncentral_t_is_symmetric_under_a_change_of_sign() {
        for (t, df, d) in [(1.3, 4.0, 0.7), (2.5, 19.0, -3.0), (100.0, 9.0, 95.0)] {
            close(
                noncentral_t_cdf(t, df, d),
                1.0 - noncentral_t_cdf(-t, df, -d),
                1e-12,
            );
        }
    }

    #[test]
    fn tails_and_quantiles_agree_to_the_last_digits() {
        for df in [1.0, 3.3, 11.0, 250.0, 1e6, 1e9] {
            for p in [1e-6, 0.01, 0.3, 0.9, 0.975] {
                close(t_cdf(t_quantile(p, df), df), p, 1e-9);
            }
        }
        close(binomial_pmf(3, 10, 0.2), 0.201_326_592, 1e-12);
        assert_eq!(
            (binomial_cdf(-1, 5, 0.5), binomial_cdf(5, 5, 0.5)),
            (0.0, 1.0)
        );
    }

    #[test]
    fn outside_the_domain_is_nan_and_never_a_panic() {
        for bad in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
            assert!(normal_quantile(bad).is_nan());
            assert!(t_quantile(bad, 3.0).is_nan());
            assert!(beta_quantile(bad, 1.0, 1.0).is_nan());
        }
        assert!(t_two_sided(1.0, 0.0).is_nan() && beta_cdf(0.5, -1.0, 1.0).is_nan());
        assert!(noncentral_t_cdf(1.0, f64::NAN, 0.0).is_nan());
        assert_eq!(t_two_sided(f64::INFINITY, 4.0), 0.0);
    }
}
