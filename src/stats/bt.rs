//! Bradley-Terry ranking from pairwise wins.
//!
//! P(i beats j) = 1 / (1 + exp(theta_j - theta_i)); item 0 is the reference with theta 0. A tie counts half a win each way.
//! Sources: Bradley & Terry 1952, Hunter 2004 (existence of the estimate: the wins must connect every item with every other).

use super::check;
use super::error::NotEstimable;
use super::estimate::StatWarning;
use super::method::Method;

/// Newton steps before giving up.
const STEPS: usize = 200;

/// `count` wins of `winner` over `loser`, by position; fractions (ties) are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wins {
    /// Position of the winner.
    pub winner: usize,
    /// Position of the loser.
    pub loser: usize,
    /// Number of wins.
    pub count: f64,
}

/// Fitted strengths.
#[derive(Debug, Clone, PartialEq)]
pub struct BradleyTerry {
    /// Strength of each item on the natural log scale; 0 for item 0.
    pub theta: Vec<f64>,
    /// Standard error of each strength against item 0 from the inverse information; `None` for item 0.
    pub se: Vec<Option<f64>>,
    /// `PseudoWinsAdded` when an item never lost or never won.
    pub warnings: Vec<StatWarning>,
}

impl BradleyTerry {
    /// Probability that item `i` beats item `j`; `None` when one does not exist.
    pub fn win_probability(&self, i: usize, j: usize) -> Option<f64> {
        Some(logistic(self.theta.get(i)? - self.theta.get(j)?))
    }

    /// Strength against item 0 on the Elo scale, 400 / ln 10 per natural unit.
    pub fn elo(&self, i: usize) -> Option<f64> {
        self.theta
            .get(i)
            .map(|t| t * 400.0 / std::f64::consts::LN_10)
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Maximum likelihood by Newton's method. When the wins do not connect every item with every other in both directions the
/// estimate would be infinite: half a win each way is then added to every pair that met, and a warning says so.
pub fn bradley_terry(items: usize, wins: &[Wins]) -> Result<BradleyTerry, NotEstimable> {
    let mut table = win_table(items, wins)?;
    if let Some(item) = unreached(&table, |a, b, t| t[a][b] + t[b][a] > 0.0) {
        return Err(NotEstimable::Disconnected { item });
    }
    let forward = unreached(&table, |a, b, t| t[a][b] > 0.0);
    let backward = unreached(&table, |a, b, t| t[b][a] > 0.0);
    let separated = forward.is_some() || backward.is_some();
    if separated {
        let met: Vec<(usize, usize)> = (0..items)
            .flat_map(|a| (0..items).map(move |b| (a, b)))
            .filter(|&(a, b)| table[a][b] + table[b][a] > 0.0)
            .collect();
        for (a, b) in met {
            table[a][b] += 0.5;
        }
    }
    let (theta, information) = fit(&table)?;
    let covariance = inverse(information).ok_or(NotEstimable::NoConvergence {
        method: Method::BradleyTerry,
        iterations: STEPS,
    })?;
    let se = std::iter::once(None)
        .chain((0..items - 1).map(|i| Some(covariance[i][i].sqrt())))
        .collect();
    let warnings = if separated {
        vec![StatWarning::PseudoWinsAdded]
    } else {
        Vec::new()
    };
    Ok(BradleyTerry {
        theta,
        se,
        warnings,
    })
}

fn win_table(items: usize, wins: &[Wins]) -> Result<Vec<Vec<f64>>, NotEstimable> {
    check::units(Method::BradleyTerry, 2, items)?;
    check::argument("items", items as f64, items <= 1000, "at most 1000")?;
    let mut table = vec![vec![0.0; items]; items];
    for w in wins {
        check::not_negative("count", w.count)?;
        let ok = w.winner < items && w.loser < items && w.winner != w.loser;
        check::argument(
            "item",
            w.winner.max(w.loser) as f64,
            ok,
            "below the number of items and different from its opponent",
        )?;
        table[w.winner][w.loser] += w.count;
    }
    Ok(table)
}

/// The first item that item 0 does not reach over edges.
fn unreached(
    table: &[Vec<f64>],
    edge: impl Fn(usize, usize, &[Vec<f64>]) -> bool,
) -> Option<usize> {
    let mut seen = vec![false; table.len()];
    let mut open = vec![0];
    seen[0] = true;
    while let Some(a) = open.pop() {
        for (b, reached) in seen.iter_mut().enumerate() {
            if !*reached && edge(a, b, table) {
                *reached = true;
                open.push(b);
            }
        }
    }
    seen.iter().position(|s| !s)
}

/// Newton on the log-likelihood with step halving; returns strengths and the information of all but item 0.
fn fit(table: &[Vec<f64>]) -> Result<(Vec<f64>, Vec<Vec<f64>>), NotEstimable> {
    let mut theta = vec![0.0; table.len()];
    let stuck = NotEstimable::NoConvergence {
        method: Method::BradleyTerry,
        iterations: STEPS,
    };
    for _ in 0..STEPS {
        let (gradient, information) = derivatives(table, &theta);
        let step = solve(information.clone(), gradient).ok_or(stuck.clone())?;
        let before = likelihood(table, &theta);
        let mut scale = 1.0;
        let moved = loop {
            let mut next = theta.clone();
            for (t, s) in next[1..].iter_mut().zip(&step) {
                *t += scale * s;
            }
            if likelihood(table, &next) >= before - 1e-12 * before.abs() || scale < 1e-10 {
                break next;
            }
            scale /= 2.0;
        };
        theta = moved;
        if step.iter().all(|s| s.abs() < 1e-12) {
            return Ok((theta.clone(), derivatives(table, &theta).1));
        }
    }
    Err(stuck)
}

fn likelihood(table: &[Vec<f64>], theta: &[f64]) -> f64 {
    let n = table.len();
    (0..n)
        .flat_map(|a| (0..n).map(move |b| (a, b)))
        .filter(|&(a, b)| table[a][b] > 0.0)
        .map(|(a, b)| {
            let x = theta[b] - theta[a];
            -table[a][b]
                * if x > 0.0 {
                    x + (-x).exp().ln_1p()
                } else {
                    x.exp().ln_1p()
                }
        })
        .sum()
}

fn derivatives(table: &[Vec<f64>], theta: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = table.len();
    let (mut gradient, mut information) = (vec![0.0; n], vec![vec![0.0; n]; n]);
    for a in 0..n {
        for b in 0..n {
            let games = table[a][b] + table[b][a];
            if a == b || games == 0.0 {
                continue;
            }
            let p = logistic(theta[a] - theta[b]);
            gradient[a] += table[a][b] - games * p;
            information[a][a] += games * p * (1.0 - p);
            information[a][b] -= games * p * (1.0 - p);
        }
    }
    let rest = information[1..].iter().map(|r| r[1..].to_vec()).collect();
    (gradient[1..].to_vec(), rest)
}

/// Gaussian elimination with partial pivoting; `None` for a singular matrix.
fn solve(matrix: Vec<Vec<f64>>, right: Vec<f64>) -> Option<Vec<f64>> {
    let columns = right.into_iter().map(|r| vec![r]).collect();
    eliminate(matrix, columns).map(|x| x.into_iter().map(|r| r[0]).collect())
}

fn inverse(matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let n = matrix.len();
    let identity = (0..n)
        .map(|i| (0..n).map(|j| f64::from(i == j)).collect())
        .collect();
    eliminate(matrix, identity)
}

fn eliminate(mut a: Vec<Vec<f64>>, mut b: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let n = a.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs()))?;
        if a[pivot][k].is_nan() || a[pivot][k].abs() < 1e-300 {
            return None;
        }
        a.swap(k, pivot);
        b.swap(k, pivot);
        let (pivot_row, pivot_right) = (a[k].clone(), b[k].clone());
        for i in 0..n {
            let factor = a[i][k] / pivot_row[k];
            if i == k || factor == 0.0 {
                continue;
            }
            a[i].iter_mut()
                .zip(&pivot_row)
                .for_each(|(x, p)| *x -= factor * p);
            b[i].iter_mut()
                .zip(&pivot_right)
                .for_each(|(x, p)| *x -= factor * p);
        }
    }
    for (row, right) in a.iter().enumerate().map(|(i, r)| r[i]).zip(b.iter_mut()) {
        for x in right {
            *x /= row;
        }
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn w(winner: usize, loser: usize, count: f64) -> Wins {
        Wins {
            winner,
            loser,
            count,
        }
    }

    #[test]
    fn two_items_have_the_log_odds() {
        let fit = bradley_terry(2, &[w(0, 1, 30.0), w(1, 0, 10.0)]).unwrap();
        assert!((fit.theta[1] + 3f64.ln()).abs() < 1e-12);
        assert!((fit.se[1].unwrap() - (1.0 / 30.0f64 + 0.1).sqrt()).abs() < 1e-12);
        assert!((fit.win_probability(0, 1).unwrap() - 0.75).abs() < 1e-12);
        assert_eq!(
            (fit.elo(0), fit.elo(9), fit.win_probability(0, 9)),
            (Some(0.0), None, None)
        );
    }

    #[test]
    fn an_unbeaten_item_gets_pseudo_wins_and_a_warning() {
        let fit = bradley_terry(2, &[w(0, 1, 5.0)]).unwrap();
        assert_eq!(fit.warnings, vec![StatWarning::PseudoWinsAdded]);
        assert!((fit.theta[1] + 11f64.ln()).abs() < 1e-10);
    }

    #[test]
    fn items_that_never_meet_are_refused() {
        assert_eq!(
            bradley_terry(3, &[w(0, 1, 1.0), w(1, 0, 1.0)]),
            Err(NotEstimable::Disconnected { item: 2 })
        );
        assert!(bradley_terry(1, &[]).is_err());
        assert!(
            bradley_terry(2, &[w(0, 0, 1.0)]).is_err()
                && bradley_terry(2, &[w(0, 7, 1.0)]).is_err()
        );
        assert!(bradley_terry(2, &[w(0, 1, f64::NAN)]).is_err());
    }

    #[test]
    fn a_chain_of_items_is_ranked() {
        let wins: Vec<Wins> = (0..9)
            .flat_map(|i| [w(i, i + 1, 7.0), w(i + 1, i, 3.0)])
            .collect();
        let fit = bradley_terry(10, &wins).unwrap();
        for i in 0..9 {
            assert!((fit.theta[i] - fit.theta[i + 1] - (7.0f64 / 3.0).ln()).abs() < 1e-9);
        }
    }
}
