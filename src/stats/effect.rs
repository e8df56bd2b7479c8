//! Standardised effect sizes.
//!
//! Intervals invert the noncentral t. Sources: Cohen 1988, Hedges 1981, Cumming & Finch 2001.

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval};
use super::method::Method;
use super::paired::differences;
use super::{check, desc, dist};

/// dz = mean(d) / sd(d) of the paired differences x - y, interval from the noncentral t on n - 1.
pub fn cohen_dz(x: &[f64], y: &[f64], level: f64) -> Result<Estimate, NotEstimable> {
    let d = differences(x, y)?;
    let method = Method::CohenDz;
    check::open_unit("level", level)?;
    check::units(method, 2, d.len())?;
    if check::constant(&d, check::scale(x).max(check::scale(y))) {
        return Err(NotEstimable::NoVariation { method });
    }
    let (n, point) = (
        d.len() as f64,
        desc::mean_of(&d) / desc::variance_of(&d).sqrt(),
    );
    noncentral_estimate(point, n.sqrt(), n - 1.0, d.len(), level, method)
}

/// Cohen's d = (mean x - mean y) / pooled sd, interval from the noncentral t on n + m - 2.
pub fn cohen_d(x: &[f64], y: &[f64], level: f64) -> Result<Estimate, NotEstimable> {
    let method = Method::CohenD;
    check::open_unit("level", level)?;
    let point = standardised(x, y, method, |v, w, n, m| {
        ((n - 1.0) * v + (m - 1.0) * w) / (n + m - 2.0)
    })?;
    let (n, m) = (x.len() as f64, y.len() as f64);
    let root = (n * m / (n + m)).sqrt();
    noncentral_estimate(point, root, n + m - 2.0, x.len() + y.len(), level, method)
}

/// (mean x - mean y) / sqrt((s_x^2 + s_y^2) / 2).
pub fn cohen_d_average(x: &[f64], y: &[f64]) -> Result<f64, NotEstimable> {
    standardised(x, y, Method::CohenD, |v, w, _, _| f64::midpoint(v, w))
}

/// Hedges' g: d J with J = Gamma(df/2) / (sqrt(df/2) Gamma((df-1)/2)), df = n + m - 2.
pub fn hedges_g(x: &[f64], y: &[f64], level: f64) -> Result<Estimate, NotEstimable> {
    let d = cohen_d(x, y, level)?;
    let df = (x.len() + y.len()) as f64 - 2.0;
    let j = (dist::ln_gamma(df / 2.0) - dist::ln_gamma((df - 1.0) / 2.0)).exp() / (df / 2.0).sqrt();
    let scaled = |i: Interval| Interval {
        lower: i.lower.map(|b| b * j),
        upper: i.upper.map(|b| b * j),
        ..i
    };
    Ok(Estimate {
        point: d.point * j,
        interval: d.interval.map(scaled),
        method: Method::HedgesG,
        ..d
    })
}

/// Hedges' g with the approximation J = 1 - 3 / (4 df - 1).
pub fn hedges_g_approximate(x: &[f64], y: &[f64]) -> Result<f64, NotEstimable> {
    let df = (x.len() + y.len()) as f64 - 2.0;
    let d = standardised(x, y, Method::HedgesG, |v, w, n, m| {
        ((n - 1.0) * v + (m - 1.0) * w) / (n + m - 2.0)
    })?;
    Ok(d * (1.0 - 3.0 / (4.0 * df - 1.0)))
}

fn standardised(
    x: &[f64],
    y: &[f64],
    method: Method,
    variance: impl FnOnce(f64, f64, f64, f64) -> f64,
) -> Result<f64, NotEstimable> {
    check::finite(x)?;
    check::finite(y)?;
    check::units(method, 2, x.len().min(y.len()))?;
    if check::constant(x, check::scale(x)) && check::constant(y, check::scale(y)) {
        return Err(NotEstimable::NoVariation { method });
    }
    let pooled = variance(
        desc::variance_of(x),
        desc::variance_of(y),
        x.len() as f64,
        y.len() as f64,
    );
    let d = (desc::mean_of(x) - desc::mean_of(y)) / pooled.sqrt();
    if d.is_finite() {
        Ok(d)
    } else {
        Err(NotEstimable::Overflow { method })
    }
}

/// Effects whose noncentrality (effect times `root`) puts the observed t at the tails.
fn noncentral_estimate(
    point: f64,
    root: f64,
    df: f64,
    n: usize,
    level: f64,
    method: Method,
) -> Result<Estimate, NotEstimable> {
    let (t, tail) = (point * root, (1.0 - level) / 2.0);
    // the noncentrality lies within this distance of t even at one degree of freedom and 99.9 %
    let reach = 10.0 + 10.0 * t.abs() * (1.0 + 20.0 / df);
    let solve = |p: f64| {
        dist::bisect(t - reach, t + reach, false, |ncp| {
            dist::noncentral_t_cdf(t, df, ncp) - p
        })
    };
    let bounds = Interval::new(level, solve(1.0 - tail) / root, solve(tail) / root);
    Estimate::with_interval(point, bounds, method, n).checked()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_need_variation_and_two_units() {
        assert!(matches!(
            cohen_dz(&[1.0, 2.0], &[0.0, 1.0], 0.95),
            Err(NotEstimable::NoVariation { .. })
        ));
        assert!(cohen_dz(&[1.0], &[0.0], 0.95).is_err());
        assert!(cohen_d(&[1.0, 1.0], &[2.0, 2.0], 0.95).is_err());
        assert!(hedges_g(&[1.0, f64::NAN], &[2.0, 2.0], 0.95).is_err());
        assert!(cohen_d_average(&[1.0], &[2.0, 3.0]).is_err());
        assert!(hedges_g_approximate(&[], &[]).is_err());
    }

    #[test]
    fn two_pairs_still_have_a_finite_interval() {
        let e = cohen_dz(&[1.0, 2.0], &[0.5, 0.0], 0.95).unwrap();
        let i = e.interval.unwrap();
        assert!(
            i.contains(e.point) && i.half_width().unwrap() > 0.5,
            "{e:?}"
        );
    }

    #[test]
    fn effects_change_sign_with_the_groups() {
        let (x, y) = ([1.0, 2.0, 4.0, 3.0], [2.0, 2.5, 5.0]);
        let (a, b) = (cohen_d(&x, &y, 0.9).unwrap(), cohen_d(&y, &x, 0.9).unwrap());
        let ((l, u), (l2, u2)) = (
            a.interval.unwrap().bounds().unwrap(),
            b.interval.unwrap().bounds().unwrap(),
        );
        assert!(
            (a.point + b.point).abs() < 1e-12 && (l + u2).abs() < 1e-9 && (u + l2).abs() < 1e-9
        );
    }
}
