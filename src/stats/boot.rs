//! Bootstrap over independent units: percentile, basic, BCa and studentised intervals.
//!
//! A unit is whatever is resampled: a value, a pair, or a cluster with all its observations. Resampling inside clusters as a
//! second stage would add the within variance twice. Resample i draws from ChaCha stream i of the seed, so that the result does
//! not depend on the number of threads. Quantiles are type 7.
//! Sources: Efron & Tibshirani 1993 (chapters 12 to 14), Efron 1987 (BCa), Davison & Hinkley 1997 (the +1 in p-values).

use super::desc::QuantileType;
use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, StatWarning};
use super::mean::ADVISED_UNITS;
use super::method::Method;
use super::rng::Seed;
use super::{check, desc, dist};
use rayon::prelude::*;

/// Resamples that a 95 % BCa interval needs to depend little on the seed.
pub const ADVISED_RESAMPLES: usize = 10_000;

/// Which interval is read off the replicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Quantiles of the replicates.
    Percentile,
    /// Quantiles mirrored at the estimate: [2 theta - q_hi, 2 theta - q_lo].
    Basic,
    /// Quantiles at levels corrected for bias and skewness.
    Bca,
}

impl Kind {
    fn method(self) -> Method {
        match self {
            Self::Percentile => Method::BootstrapPercentile,
            Self::Basic => Method::BootstrapBasic,
            Self::Bca => Method::BootstrapBca,
        }
    }
}

/// Estimates `statistic` on `units` with a bootstrap interval. The statistic gets references to the drawn units; a value that
/// is not finite, on the units or on a resample, is an error.
pub fn bootstrap<T, F>(
    units: &[T],
    statistic: F,
    kind: Kind,
    level: f64,
    resamples: usize,
    seed: Seed,
) -> Result<Estimate, NotEstimable>
where
    T: Sync,
    F: Fn(&[&T]) -> f64 + Sync,
{
    let method = kind.method();
    check::open_unit("level", level)?;
    check::positive("resamples", resamples as f64)?;
    let n = units.len();
    if n == 0 {
        return Err(NotEstimable::NoObservations);
    }
    let all: Vec<&T> = units.iter().collect();
    let theta = statistic(&all);
    check::finite(&[theta])?;
    if let Err(reason) = check::units(method, 2, n) {
        return Ok(Estimate::without_interval(theta, method, n, reason));
    }
    let replicates = replicates(units, &statistic, resamples, seed)?;
    let interval = match kind {
        Kind::Percentile => percentile(&replicates, level)?,
        Kind::Basic => basic(theta, &replicates, level)?,
        Kind::Bca => {
            bca(
                theta,
                &replicates,
                acceleration(&jackknife(units, &statistic)?)?,
                level,
            )?
            .interval
        }
    };
    let flat = check::constant(&replicates, check::scale(&replicates));
    Estimate::with_interval(theta, interval, method, n)
        .warn_if(flat, StatWarning::ZeroVariance)
        .warn_if(
            n < ADVISED_UNITS,
            StatWarning::FewUnits {
                has: n,
                advised: ADVISED_UNITS,
            },
        )
        .warn_if(
            resamples < ADVISED_RESAMPLES,
            StatWarning::FewResamples {
                has: resamples,
                advised: ADVISED_RESAMPLES,
            },
        )
        .checked()
}

/// The statistic on `resamples` draws with replacement, in the order of their streams.
pub fn replicates<T, F>(
    units: &[T],
    statistic: &F,
    resamples: usize,
    seed: Seed,
) -> Result<Vec<f64>, NotEstimable>
where
    T: Sync,
    F: Fn(&[&T]) -> f64 + Sync,
{
    let out: Vec<f64> = (0..resamples as u64)
        .into_par_iter()
        .map(|i| {
            let mut stream = seed.stream(i);
            let drawn: Vec<&T> = (0..units.len())
                .map(|_| &units[stream.below(units.len())])
                .collect();
            statistic(&drawn)
        })
        .collect();
    check::finite(&out)?;
    Ok(out)
}

/// The statistic on resamples given as positions; a position outside the units is an error.
pub fn replicates_at<T, F, I>(
    units: &[T],
    statistic: &F,
    indices: &[I],
) -> Result<Vec<f64>, NotEstimable>
where
    F: Fn(&[&T]) -> f64,
    I: AsRef<[usize]>,
{
    let draw = |rows: &I| -> Option<f64> {
        let drawn: Option<Vec<&T>> = rows.as_ref().iter().map(|&i| units.get(i)).collect();
        drawn.map(|d| statistic(&d))
    };
    let out: Option<Vec<f64>> = indices.iter().map(draw).collect();
    let out = out.ok_or(NotEstimable::BadArgument {
        name: "indices",
        value: units.len() as f64,
        rule: "below the number of units",
    })?;
    check::finite(&out)?;
    Ok(out)
}

/// The statistic without each unit in turn.
pub fn jackknife<T, F: Fn(&[&T]) -> f64>(
    units: &[T],
    statistic: &F,
) -> Result<Vec<f64>, NotEstimable> {
    check::units(Method::BootstrapBca, 2, units.len())?;
    let out: Vec<f64> = (0..units.len())
        .map(|skip| {
            let kept: Vec<&T> = units
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != skip)
                .map(|(_, u)| u)
                .collect();
            statistic(&kept)
        })
        .collect();
    check::finite(&out)?;
    Ok(out)
}

/// a = sum (m - j_i)^3 / (6 (sum (m - j_i)^2)^1.5) over jackknife values; 0 when they do not vary.
pub fn acceleration(jackknife: &[f64]) -> Result<f64, NotEstimable> {
    check::finite(jackknife)?;
    if check::constant(jackknife, check::scale(jackknife)) {
        return Ok(0.0);
    }
    let mean = desc::mean_of(jackknife);
    let cubes = desc::sum(jackknife.iter().map(|j| (mean - j).powi(3)));
    Ok(cubes / (6.0 * desc::squares(jackknife).powf(1.5)))
}

/// Quantiles alpha/2 and 1 - alpha/2 of the replicates.
pub fn percentile(replicates: &[f64], level: f64) -> Result<Interval, NotEstimable> {
    let tail = tail(replicates, level)?;
    let sorted = desc::sorted(replicates);
    let at = |q: f64| desc::quantile_sorted(&sorted, q, QuantileType::Type7);
    Ok(Interval::new(level, at(tail), at(1.0 - tail)))
}

/// [2 theta - q_hi, 2 theta - q_lo].
pub fn basic(theta: f64, replicates: &[f64], level: f64) -> Result<Interval, NotEstimable> {
    check::finite(&[theta])?;
    let i = percentile(replicates, level)?;
    let mirror = |x: Option<f64>| x.map(|x| 2.0 * theta - x);
    Ok(Interval {
        level,
        lower: mirror(i.upper),
        upper: mirror(i.lower),
    })
}

fn tail(replicates: &[f64], level: f64) -> Result<f64, NotEstimable> {
    check::finite(replicates)?;
    check::open_unit("level", level)?;
    Ok((1.0 - level) / 2.0)
}

/// A BCa interval with its corrections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bca {
    /// Bias correction.
    pub z0: f64,
    /// Acceleration.
    pub acceleration: f64,
    /// Corrected quantile levels.
    pub levels: (f64, f64),
    /// The interval.
    pub interval: Interval,
}

/// BCa: z0 = Phi^-1((#{< theta} + #{= theta}/2) / B), levels Phi(z0 + (z0 + z) / (1 - a (z0 + z))). A replicate equals theta up
/// to 1e-9 of the larger of 1 and |theta|. When all replicates lie on one side, z0 is infinite and there is no interval.
pub fn bca(
    theta: f64,
    replicates: &[f64],
    acceleration: f64,
    level: f64,
) -> Result<Bca, NotEstimable> {
    check::finite(&[theta, acceleration])?;
    let tail = tail(replicates, level)?;
    let equal = 1e-9 * theta.abs().max(1.0);
    let below = replicates.iter().filter(|r| **r < theta - equal).count() as f64;
    let same = replicates
        .iter()
        .filter(|r| (**r - theta).abs() <= equal)
        .count() as f64;
    let z0 = dist::normal_quantile((below + same / 2.0) / replicates.len() as f64);
    if !z0.is_finite() {
        return Err(NotEstimable::NoVariation {
            method: Method::BootstrapBca,
        });
    }
    let corrected = |z: f64| {
        let shift = z0 + z;
        dist::normal_cdf(z0 + shift / (1.0 - acceleration * shift))
    };
    let z = dist::normal_quantile(1.0 - tail);
    let levels = (corrected(-z), corrected(z));
    let sorted = desc::sorted(replicates);
    let at = |q: f64| desc::quantile_sorted(&sorted, q.clamp(0.0, 1.0), QuantileType::Type7);
    Ok(Bca {
        z0,
        acceleration,
        levels,
        interval: Interval::new(level, at(levels.0), at(levels.1)),
    })
}

/// Studentised bootstrap of the mean from resamples given as positions:
/// [m - t*_hi se, m - t*_lo se] with t* = (m* - m) / se*. Resamples without variation carry no t and are left out.
pub fn bootstrap_t<I: AsRef<[usize]>>(
    xs: &[f64],
    indices: &[I],
    level: f64,
) -> Result<Estimate, NotEstimable> {
    let method = Method::BootstrapT;
    check::finite(xs)?;
    check::open_unit("level", level)?;
    check::units(method, 2, xs.len())?;
    let se_of = |v: &[f64]| (desc::variance_of(v) / v.len() as f64).sqrt();
    let (mean, se) = (desc::mean_of(xs), se_of(xs));
    let statistic = |drawn: &[&f64]| {
        let v: Vec<f64> = drawn.iter().map(|x| **x).collect();
        if v.len() < 2 || check::constant(&v, check::scale(&v)) {
            f64::MAX
        } else {
            (desc::mean_of(&v) - mean) / se_of(&v)
        }
    };
    let mut t = replicates_at(xs, &statistic, indices)?;
    t.retain(|v| *v < f64::MAX);
    let (low, high) = percentile(&t, level)?
        .bounds()
        .ok_or(NotEstimable::NoVariation { method })?;
    Estimate::with_interval(
        mean,
        Interval::new(level, mean - high * se, mean - low * se),
        method,
        xs.len(),
    )
    .checked()
}

/// Two-sided p-value of a zero value: 2 (1 + #{replicates on the smaller side of 0}) / (1 + B), at most 1.
pub fn p_value_of_zero(replicates: &[f64]) -> Result<f64, NotEstimable> {
    check::finite(replicates)?;
    let low = replicates.iter().filter(|r| **r <= 0.0).count();
    let high = replicates.iter().filter(|r| **r >= 0.0).count();
    Ok((2.0 * (1.0 + low.min(high) as f64) / (1.0 + replicates.len() as f64)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(drawn: &[&f64]) -> f64 {
        drawn.iter().copied().sum::<f64>() / drawn.len() as f64
    }

    fn seed() -> Seed {
        Seed::from_parts(&["boot tests"])
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let xs: Vec<f64> = (0..25).map(|i| f64::from(i * i % 17)).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| bootstrap(&xs, mean, Kind::Bca, 0.95, 500, seed()).unwrap())
        };
        assert_eq!(run(1), run(7));
    }

    #[test]
    fn one_unit_has_no_interval_and_none_is_an_error() {
        let one = bootstrap(&[2.0], mean, Kind::Percentile, 0.95, 99, seed()).unwrap();
        assert_eq!((one.point, one.interval), (2.0, None));
        assert!(bootstrap(&[] as &[f64], mean, Kind::Basic, 0.95, 99, seed()).is_err());
        assert!(bootstrap(&[1.0, f64::NAN], mean, Kind::Basic, 0.95, 99, seed()).is_err());
        assert!(bootstrap(&[1.0, 2.0], mean, Kind::Basic, 0.95, 0, seed()).is_err());
        assert!(replicates_at(&[1.0], &mean, &[[1usize]]).is_err());
    }

    #[test]
    fn equal_units_warn() {
        let e = bootstrap(&[1.5; 6], mean, Kind::Bca, 0.95, 200, seed()).unwrap();
        assert!(e.warnings.contains(&StatWarning::ZeroVariance));
        assert_eq!(e.interval.unwrap().bounds(), Some((1.5, 1.5)));
    }

    #[test]
    fn an_estimate_outside_all_replicates_has_no_bca() {
        assert!(bca(10.0, &[1.0, 2.0, 3.0], 0.0, 0.95).is_err());
        assert!(bootstrap_t(&[1.0, 1.0], &[[0usize, 1], [1, 1]], 0.95).is_err());
    }

    #[test]
    fn zero_in_the_middle_has_p_one() {
        assert_eq!(p_value_of_zero(&[-1.0, 1.0]), Ok(1.0));
        assert!((p_value_of_zero(&[1.0; 199]).unwrap() - 0.01).abs() < 1e-12);
    }
}
