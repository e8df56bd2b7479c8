//! The regularised incomplete beta function and its inverse.
//!
//! `statrs` 0.19 stops its continued fraction after 140 terms, which loses digits when a parameter exceeds about 10^4, and its
//! inverse does not end for some large parameters; both occur here (thousands of observations, degrees of freedom in a search
//! for a sample size). The complement 1 - x is carried along, so that neither end of the interval loses digits.
//! Beyond 10^8 the fraction would take too long: the gamma limit or a normal approximation takes over, both exact to more
//! digits than a count of that size carries.
//! Sources: the continued fraction DLMF 8.17.22, modified Lentz evaluation (Thompson & Barnett 1986), Stirling's series DLMF 5.11.1,
//! Wise 1950 (gamma limit), Peizer & Pratt 1968 (normal approximation).

use super::dist::{gamma_upper, normal_cdf};
use statrs::function::gamma::ln_gamma;

/// Above this parameter the continued fraction is not used.
const HUGE: f64 = 1e8;

/// ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi) / 2), for x of at least 10.
pub(crate) fn stirling_rest(x: f64) -> f64 {
    let square = 1.0 / (x * x);
    let series = 1.0 / 12.0
        - square
            * (1.0 / 360.0
                - square
                    * (1.0 / 1260.0
                        - square
                            * (1.0 / 1680.0
                                - square * (1.0 / 1188.0 - square * 691.0 / 360_360.0))));
    series / x
}

/// ln B(a, b) without the cancellation of large logarithms.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if a == 1.0 || b == 1.0 {
        return -(if a == 1.0 { b } else { a }).ln();
    }
    if large < 10.0 {
        return ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    }
    let rest = stirling_rest(large) - stirling_rest(small + large);
    let shrink = -(small / large).ln_1p();
    if small < 10.0 {
        return ln_gamma(small) + rest + small + (large - 0.5) * shrink
            - small * (small + large).ln();
    }
    let half_ln_2pi = 0.918_938_533_204_672_8;
    half_ln_2pi
        + stirling_rest(small)
        + rest
        + (small - 0.5) * (small / (small + large)).ln()
        + large * shrink
        - 0.5 * large.ln()
}

/// I_x(a, b) with y = 1 - x given separately; both parameters above 0.
pub(crate) fn regularised(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || y <= 0.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    if !(a.is_finite() && b.is_finite()) {
        return f64::NAN;
    }
    if a.max(b) > HUGE {
        return huge(x, y, a, b).clamp(0.0, 1.0);
    }
    // the fraction converges fast below the mean, the symmetry I_x(a, b) = 1 - I_y(b, a) serves the rest
    if x * (a + b + 2.0) < a + 1.0 {
        lower(x, y, a, b).clamp(0.0, 1.0)
    } else {
        (1.0 - lower(y, x, b, a)).clamp(0.0, 1.0)
    }
}

fn huge(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if b < 1e4 {
        gamma_upper(b, -(a + (b - 1.0) / 2.0) * ln_of(x, y))
    } else if a < 1e4 {
        1.0 - gamma_upper(a, -(b + (a - 1.0) / 2.0) * ln_of(y, x))
    } else {
        normal_cdf(peizer_pratt(x, y, a, b))
    }
}

/// The normal deviate of I_x(a, b) = P(X <= b - 1), X ~ Binomial(a + b - 1, y).
fn peizer_pratt(x: f64, y: f64, a: f64, b: f64) -> f64 {
    let n = a + b - 1.0;
    let (below, above) = (b - 0.5, a - 0.5);
    let distance =
        below + 1.0 / 6.0 - (n + 1.0 / 3.0) * y + 0.02 * (x / b - y / a + (x - 0.5) / (n + 1.0));
    let shape = |r: f64| {
        let e = r - 1.0;
        if e.abs() < 1e-3 {
            e * (-1.0 / 3.0 + e * (1.0 / 6.0 - e / 10.0))
        } else {
            (1.0 - r * r + 2.0 * r * r.ln()) / (e * e)
        }
    };
    let skew = 1.0 + x * shape(below / (n * y)) + y * shape(above / (n * x));
    distance * (skew / ((n + 1.0 / 6.0) * x * y)).sqrt()
}

/// ln x, taken from 1 - x where x is near 1.
fn ln_of(x: f64, y: f64) -> f64 {
    if y < 0.5 { (-y).ln_1p() } else { x.ln() }
}

fn lower(x: f64, y: f64, a: f64, b: f64) -> f64 {
    (ln_front(x, y, a, b) - a.ln()).exp() * fraction(x, a, b)
}

/// ln(x^a y^b / B(a, b)).
fn ln_front(x: f64, y: f64, a: f64, b: f64) -> f64 {
    a * ln_of(x, y) + b * ln_of(y, x) - ln_beta(a, b)
}

/// The continued fraction of DLMF 8.17.22; the number of terms grows with the root of the larger parameter.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let terms = 500 + 10 * (a.max(b).sqrt() as u64);
    let keep = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / keep(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..terms {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / keep(1.0 + even * d);
        c = keep(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / keep(1.0 + odd * d);
        c = keep(1.0 + odd / c);
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

/// The pair (x, 1 - x) with I_x(a, b) = p, for p in 0 to 1.
pub(crate) fn quantile(p: f64, a: f64, b: f64) -> (f64, f64) {
    if p <= 0.0 || p >= 1.0 {
        return if p <= 0.0 { (0.0, 1.0) } else { (1.0, 0.0) };
    }
    if p <= 0.5 {
        return lower_quantile(p, a, b);
    }
    let (y, x) = lower_quantile(1.0 - p, b, a);
    (x, y)
}

/// Newton on u = ln x inside a shrinking bracket; u keeps the digits of x near 0 and of 1 - x near 1.
fn lower_quantile(p: f64, a: f64, b: f64) -> (f64, f64) {
    let (mut low, mut high) = (-745.0_f64, -f64::MIN_POSITIVE);
    let mut u = (a / (a + b)).ln().clamp(-700.0, -1e-300);
    for _ in 0..300 {
        let (x, y) = (u.exp(), -u.exp_m1());
        let error = regularised(x, y, a, b) - p;
        if error > 0.0 {
            high = u;
        } else {
            low = u;
        }
        let slope = (ln_front(x, y, a, b) - y.ln()).exp();
        let newton = u - error / slope;
        let inside = newton.is_finite() && newton > low && newton < high;
        let next = if inside {
            newton
        } else {
            bracket_middle(low, high)
        };
        if (next - u).abs() <= 1e-16 * u.abs() || error == 0.0 {
            u = if error == 0.0 { u } else { next };
            break;
        }
        u = next;
    }
    (u.exp(), -u.exp_m1())
}

/// Halves the bracket by magnitude when it spans several, so that a root next to 0 is reached.
fn bracket_middle(low: f64, high: f64) -> f64 {
    if low / high > 4.0 {
        -(low * high).sqrt()
    } else {
        f64::midpoint(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_beta_agrees_with_closed_forms() {
        // B(a, 1) = 1 / a and B(a, 2) = 1 / (a (a + 1))
        for a in [0.3, 5.0, 9.9, 10.1, 400.0, 1e6, 1e12] {
            assert!(
                (ln_beta(a, 1.0) + a.ln()).abs() < 1e-13 * a.ln().abs().max(1.0),
                "{a}"
            );
            assert!(
                (ln_beta(2.0, a) + a.ln() + (a + 1.0).ln()).abs() < 1e-12 * a.ln().abs().max(1.0),
                "{a}"
            );
        }
        // B(20, 30) = 19! 29! / 49!
        let exact: f64 = (1..=19)
            .map(|k| f64::from(k).ln() - f64::from(k + 30).ln())
            .sum::<f64>()
            - 30f64.ln();
        assert!((ln_beta(20.0, 30.0) - exact).abs() < 1e-12);
    }

    #[test]
    fn closed_forms_hold_for_small_and_large_parameters() {
        for a in [0.01, 0.5, 3.0, 500.0, 1e6] {
            for x in [1e-12_f64, 0.02, 0.5, 0.93, 0.999_999] {
                assert!(
                    (regularised(x, 1.0 - x, a, 1.0) - x.powf(a)).abs() < 1e-12,
                    "{a} {x}"
                );
            }
            assert!((regularised(0.5, 0.5, a, a) - 0.5).abs() < 1e-10, "{a}");
        }
    }

    #[test]
    fn the_approximations_for_huge_parameters_join_the_fraction() {
        // the same function by both ways just below the limit, where the approximations are at their worst
        let a = 9e7;
        for (b, spread) in [
            (0.5, 3.0),
            (40.0, 1.0),
            (3e3, 0.03),
            (2e4, 0.01),
            (8e7, 1e-4),
        ] {
            for side in [-0.7, 0.0, 0.4] {
                let y = b / (a + b) * (1.0 + side * spread);
                let (fraction, limit) = (regularised(1.0 - y, y, a, b), huge(1.0 - y, y, a, b));
                assert!(
                    (fraction - limit).abs() < 5e-8,
                    "{b} {side}: {fraction} {limit}"
                );
            }
        }
    }

    #[test]
    fn the_quantile_inverts_over_fifteen_orders_of_magnitude() {
        for a in [0.01, 0.5, 1.0, 7.0, 3e3, 1e6] {
            for b in [0.5, 2.0, 80.0, 1e5, 1e7] {
                for p in [1e-12, 0.025, 0.4, 0.6, 0.975, 1.0 - 1e-9] {
                    let (x, y) = quantile(p, a, b);
                    let back = regularised(x, y, a, b);
                    assert!(
                        (back - p).abs() <= 1e-8 * p.min(1.0 - p) + 1e-14 || x < 1e-300,
                        "{a} {b} {p}: {x} {back}"
                    );
                }
            }
        }
    }
}
