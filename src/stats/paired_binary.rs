//! Two binary results on the same units: McNemar's tests and intervals of the difference of the two rates.
//!
//! With `b` units only A passed and `c` only B, all tests look at b and c; the intervals also use n. Default: mid-p and Tango.
//! Sources: McNemar 1947, Fagerland, Lydersen & Laake 2013 and 2014, Newcombe 1998c, Tango 1998, Bonett & Price 2012.

use super::error::NotEstimable;
use super::estimate::{Estimate, Interval, StatWarning, Test};
use super::method::Method;
use super::{check, dist, prop};

/// Counts of a 2 x 2 table of paired results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairedTable {
    /// Units that passed under both.
    pub both_pass: u64,
    /// Units that passed under A only.
    pub only_a: u64,
    /// Units that passed under B only.
    pub only_b: u64,
    /// Units that passed under neither.
    pub both_fail: u64,
}

impl PairedTable {
    /// Counts two slices of results on the same units.
    pub fn from_results(a: &[bool], b: &[bool]) -> Result<Self, NotEstimable> {
        if a.len() != b.len() {
            return Err(NotEstimable::UnequalLengths {
                left: a.len(),
                right: b.len(),
            });
        }
        let count = |x: bool, y: bool| a.iter().zip(b).filter(|p| *p == (&x, &y)).count() as u64;
        Ok(Self {
            both_pass: count(true, true),
            only_a: count(true, false),
            only_b: count(false, true),
            both_fail: count(false, false),
        })
    }

    /// The table with A and B exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        Self {
            only_a: self.only_b,
            only_b: self.only_a,
            ..self
        }
    }

    /// Units in the table; saturates instead of overflowing.
    pub fn units(&self) -> u64 {
        self.both_pass
            .saturating_add(self.only_a)
            .saturating_add(self.only_b)
            .saturating_add(self.both_fail)
    }

    fn checked(&self) -> Result<(f64, f64, f64), NotEstimable> {
        check::count(0, self.units())?;
        Ok((self.only_a as f64, self.only_b as f64, self.units() as f64))
    }

    fn test(&self, method: Method, statistic: Option<f64>, p: f64) -> Test {
        let discordant = self.only_a.saturating_add(self.only_b);
        let smallest_p = 2.0_f64.powf(1.0 - discordant as f64).min(1.0);
        let exact = matches!(method, Method::McNemarExact);
        Test::new(
            method,
            statistic,
            p,
            usize::try_from(self.units()).unwrap_or(usize::MAX),
        )
        .warn_if(
            exact && smallest_p >= 0.05,
            StatWarning::CannotReachSignificance { smallest_p },
        )
    }

    fn estimate(
        &self,
        point: f64,
        level: f64,
        bounds: (f64, f64),
        method: Method,
    ) -> Result<Estimate, NotEstimable> {
        check::open_unit("level", level)?;
        let units = usize::try_from(self.units()).unwrap_or(usize::MAX);
        Estimate::with_interval(
            point,
            Interval::new(level, bounds.0, bounds.1),
            method,
            units,
        )
        .checked()
    }
}

/// p_A - p_B = (b - c) / n.
pub fn difference(table: &PairedTable) -> Result<f64, NotEstimable> {
    let (b, c, n) = table.checked()?;
    Ok((b - c) / n)
}

/// Lower tail P(X <= min(b, c)) and P(X = min(b, c)) of Binomial(b + c, 1/2).
fn discordant_tail(table: &PairedTable) -> (f64, f64) {
    let (n, low) = (
        table.only_a.saturating_add(table.only_b),
        table.only_a.min(table.only_b),
    );
    let cdf = dist::binomial_cdf(i64::try_from(low).unwrap_or(i64::MAX), n, 0.5);
    (cdf, dist::binomial_pmf(low, n, 0.5))
}

/// Exact conditional McNemar test: min(1, 2 P(X <= min(b, c))), X ~ Binomial(b + c, 1/2). For guarantees; conservative.
pub fn mcnemar_exact(table: &PairedTable) -> Result<Test, NotEstimable> {
    table.checked()?;
    Ok(table.test(Method::McNemarExact, None, 2.0 * discordant_tail(table).0))
}

/// Mid-p McNemar test: the exact p less P(X = min(b, c)). The default. Fagerland et al. 2013.
pub fn mcnemar_mid_p(table: &PairedTable) -> Result<Test, NotEstimable> {
    table.checked()?;
    let (cdf, pmf) = discordant_tail(table);
    Ok(table.test(Method::McNemarMidP, None, 2.0 * cdf - pmf))
}

/// McNemar's chi-square (b - c)^2 / (b + c); without discordant pairs there is no test.
pub fn mcnemar_chi2(table: &PairedTable) -> Result<Test, NotEstimable> {
    chi2(table, Method::McNemarChi2, 0.0)
}

/// With continuity correction: (|b - c| - 1)^2 / (b + c).
pub fn mcnemar_chi2_cc(table: &PairedTable) -> Result<Test, NotEstimable> {
    chi2(table, Method::McNemarChi2Cc, 1.0)
}

fn chi2(table: &PairedTable, method: Method, correction: f64) -> Result<Test, NotEstimable> {
    let (b, c, _) = table.checked()?;
    if b + c == 0.0 {
        return Err(NotEstimable::NoVariation { method });
    }
    let x = ((b - c).abs() - correction).max(0.0).powi(2) / (b + c);
    Ok(table
        .test(method, Some(x), dist::chi2_sf(x, 1.0))
        .with_df(1.0))
}

/// Tango's score statistic at a difference `delta`: T = (b - c - n delta) / sqrt(n (2 q + delta (1 - delta))) with
/// q = (sqrt(B^2 - 4 A C) - B) / 2A, A = 2n, B = -b - c + (2n - b + c) delta, C = -c delta (1 - delta).
fn tango_statistic(b: f64, c: f64, n: f64, delta: f64) -> f64 {
    let top = b - c - n * delta;
    let (qa, qb, qc) = (
        2.0 * n,
        -b - c + (2.0 * n - b + c) * delta,
        -c * delta * (1.0 - delta),
    );
    let q = ((qb * qb - 4.0 * qa * qc).max(0.0).sqrt() - qb) / (2.0 * qa);
    let variance = n * (2.0 * q + delta * (1.0 - delta));
    if variance > 0.0 {
        top / variance.sqrt()
    } else if top == 0.0 {
        0.0
    } else {
        top.signum() * f64::INFINITY
    }
}

/// Tango score interval: all differences the score test does not reject. The default. Tango 1998.
pub fn tango(table: &PairedTable, level: f64) -> Result<Estimate, NotEstimable> {
    let (b, c, n) = table.checked()?;
    check::open_unit("level", level)?;
    let (z, point) = (dist::normal_critical(level), (b - c) / n);
    // T falls as delta rises: it crosses +z below the point and -z above it
    let low = dist::bisect(-1.0, point, false, |delta| {
        tango_statistic(b, c, n, delta) - z
    });
    let high = dist::bisect(point, 1.0, false, |delta| {
        tango_statistic(b, c, n, delta) + z
    });
    table.estimate(point, level, (low, high), Method::Tango)
}

/// Tango's score test that p_A - p_B > -margin, one-sided.
pub fn tango_non_inferiority(table: &PairedTable, margin: f64) -> Result<Test, NotEstimable> {
    let (b, c, n) = table.checked()?;
    check::argument(
        "margin",
        margin,
        (0.0..1.0).contains(&margin),
        "at least 0 and below 1",
    )?;
    let z = tango_statistic(b, c, n, -margin);
    Ok(table.test(Method::TangoNonInferiority, Some(z), dist::normal_sf(z)))
}

/// Newcombe's interval of a paired difference, method 10: the product ad - bc of the correlation is reduced by n/2 where it
/// exceeds n/2 and is 0 between 0 and n/2.
pub fn newcombe_paired(table: &PairedTable, level: f64) -> Result<Estimate, NotEstimable> {
    newcombe(table, level, Method::NewcombePaired)
}

/// The same with the plain correlation.
pub fn newcombe_paired_plain(table: &PairedTable, level: f64) -> Result<Estimate, NotEstimable> {
    newcombe(table, level, Method::NewcombePairedPlain)
}

fn newcombe(table: &PairedTable, level: f64, method: Method) -> Result<Estimate, NotEstimable> {
    let (b, c, n) = table.checked()?;
    check::open_unit("level", level)?;
    let (a, d) = (table.both_pass as f64, table.both_fail as f64);
    let (p1, p2) = ((a + b) / n, (a + c) / n);
    let z = dist::normal_critical(level);
    let ((l1, u1), (l2, u2)) = (prop::wilson_bounds(p1, n, z), prop::wilson_bounds(p2, n, z));
    let phi = correlation(a, b, c, d, method == Method::NewcombePaired);
    let span = |x: f64, y: f64| (x * x - 2.0 * phi * x * y + y * y).max(0.0).sqrt();
    let diff = (b - c) / n;
    let low = (diff - span(p1 - l1, u2 - p2)).max(-1.0);
    let high = (diff + span(u1 - p1, p2 - l2)).min(1.0);
    table.estimate(diff, level, (low, high), method)
}

fn correlation(a: f64, b: f64, c: f64, d: f64, corrected: bool) -> f64 {
    let margins = ((a + b) * (c + d)).sqrt() * ((a + c) * (b + d)).sqrt();
    if margins == 0.0 {
        return 0.0;
    }
    let (cross, half) = (a * d - b * c, (a + b + c + d) / 2.0);
    let cross = if corrected && cross >= 0.0 {
        (cross - half).max(0.0)
    } else {
        cross
    };
    cross / margins
}

/// Bonett-Price adjusted Wald interval: one added to b and to c, two to n. Bonett & Price 2012.
pub fn bonett_price(table: &PairedTable, level: f64) -> Result<Estimate, NotEstimable> {
    let (b, c, n) = table.checked()?;
    check::open_unit("level", level)?;
    let (p, q) = ((b + 1.0) / (n + 2.0), (c + 1.0) / (n + 2.0));
    let half = dist::normal_critical(level) * ((p + q - (p - q).powi(2)) / (n + 2.0)).sqrt();
    let bounds = ((p - q - half).max(-1.0), (p - q + half).min(1.0));
    table.estimate((b - c) / n, level, bounds, Method::BonettPrice)
}

/// Wald interval, se = sqrt(b + c - (b - c)^2 / n) / n; kept for comparison, and warns.
pub fn wald_paired(table: &PairedTable, level: f64) -> Result<Estimate, NotEstimable> {
    let (b, c, n) = table.checked()?;
    check::open_unit("level", level)?;
    let half = dist::normal_critical(level) * (b + c - (b - c).powi(2) / n).max(0.0).sqrt() / n;
    let diff = (b - c) / n;
    table
        .estimate(diff, level, (diff - half, diff + half), Method::WaldPaired)
        .map(|e| e.warn(StatWarning::Unreliable))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: PairedTable = PairedTable {
        both_pass: 0,
        only_a: 0,
        only_b: 0,
        both_fail: 0,
    };

    #[test]
    fn an_empty_table_has_no_estimate() {
        for f in [
            tango,
            newcombe_paired,
            newcombe_paired_plain,
            bonett_price,
            wald_paired,
        ] {
            assert_eq!(f(&EMPTY, 0.95), Err(NotEstimable::NoObservations));
        }
        assert!(mcnemar_exact(&EMPTY).is_err() && difference(&EMPTY).is_err());
        let huge = PairedTable {
            both_pass: u64::MAX,
            only_a: u64::MAX,
            only_b: 1,
            both_fail: 0,
        };
        assert!(mcnemar_exact(&huge).is_ok_and(|t| t.p_value >= 0.0));
    }

    #[test]
    fn no_discordant_pair_has_p_one_and_no_chi_square() {
        let t = PairedTable {
            both_pass: 3,
            both_fail: 4,
            ..EMPTY
        };
        assert_eq!(mcnemar_exact(&t).unwrap().p_value, 1.0);
        assert_eq!(mcnemar_mid_p(&t).unwrap().p_value, 1.0);
        assert!(matches!(
            mcnemar_chi2(&t),
            Err(NotEstimable::NoVariation { .. })
        ));
    }

    #[test]
    fn five_discordant_pairs_cannot_be_significant_in_the_exact_test() {
        let t = PairedTable {
            only_a: 5,
            both_pass: 10,
            ..EMPTY
        };
        let test = mcnemar_exact(&t).unwrap();
        assert_eq!(
            test.warnings,
            vec![StatWarning::CannotReachSignificance { smallest_p: 0.0625 }]
        );
    }

    #[test]
    fn results_are_counted_by_unit() {
        let t = PairedTable::from_results(&[true, true, false, false], &[true, false, true, false])
            .unwrap();
        assert_eq!(
            t,
            PairedTable {
                both_pass: 1,
                only_a: 1,
                only_b: 1,
                both_fail: 1
            }
        );
        assert!(PairedTable::from_results(&[true], &[]).is_err());
    }

    #[test]
    fn tango_reaches_the_ends_only_when_the_data_do() {
        let all = PairedTable {
            only_a: 10,
            ..EMPTY
        };
        let (low, high) = tango(&all, 0.95)
            .unwrap()
            .interval
            .unwrap()
            .bounds()
            .unwrap();
        // all discordant one way: T(delta) = sqrt(n (1 - delta) / (1 + delta))
        let r = dist::normal_critical(0.95).powi(2) / 10.0;
        assert!(
            high == 1.0 && (low - (1.0 - r) / (1.0 + r)).abs() < 1e-12,
            "{low} {high}"
        );
    }
}
