//! Seeded simulations of coverage and error rates: what an interval, a test or a gate says against how often it is right.
//!
//! Quick form, in every test run: 2,000 repetitions of the first seed. Long form: 10,000 repetitions of three seeds, and the table of
//! docs/statistics.md on standard output:
//!
//!     EVALH_COVERAGE=long cargo test --release --test it coverage -- --nocapture
//!
//! The Monte Carlo error of a share near 95 % is 0.5 points in the quick form and 0.2 in the long one; the bounds are three of them, and never
//! narrower than what is claimed (94 to 96 %, 4 to 6 %). The naive methods are held below what is right, so that nobody goes back to them.

use evalh::stats::seq::{e_value, empirical_bernstein};
use evalh::stats::{
    Estimate, Interval, Method, Test, betting, boot, cluster, desc, dist, equiv, multi, order,
    paired, paired_binary, prop,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

/// Fixed once and for all.
const SEEDS: [u64; 3] = [20_261_122, 4_041, 97];

struct Form {
    repetitions: u64,
    seeds: &'static [u64],
    long: bool,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test whose long form is asked for by a variable"
)]
fn form() -> Form {
    match std::env::var("EVALH_COVERAGE").as_deref() {
        Ok("long") => Form {
            repetitions: 10_000,
            seeds: &SEEDS,
            long: true,
        },
        Ok(other) => panic!("`EVALH_COVERAGE` is `{other}` but only `long` is known"),
        Err(_) => Form {
            repetitions: 2_000,
            seeds: &SEEDS[..1],
            long: false,
        },
    }
}

/// Random numbers of one repetition.
struct Draw {
    rng: ChaCha8Rng,
    spare: Option<f64>,
}

impl Draw {
    fn uniform(&mut self) -> f64 {
        ((self.rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal (Box & Muller 1958).
    fn normal(&mut self) -> f64 {
        if let Some(z) = self.spare.take() {
            return z;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }

    fn passes(&mut self, rate: f64) -> bool {
        self.uniform() < rate
    }

    /// Prompts with K observations around a normal mean; both standard deviations are 1 and the true mean is 0.
    fn clusters(&mut self, n: usize, k: usize) -> Vec<Vec<f64>> {
        (0..n)
            .map(|_| {
                let centre = self.normal();
                (0..k).map(|_| centre + self.normal()).collect()
            })
            .collect()
    }
}

/// How often something holds, for each seed, in percent. Repetitions run in parallel on streams of their own.
fn shares(name: &str, holds: impl Fn(&mut Draw) -> bool + Sync) -> Vec<f64> {
    let form = form();
    let salt = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let share = |seed: &u64| {
        let hits = (0..form.repetitions)
            .into_par_iter()
            .filter(|&i| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed ^ salt);
                rng.set_stream(i);
                holds(&mut Draw { rng, spare: None })
            })
            .count();
        100.0 * hits as f64 / form.repetitions as f64
    };
    form.seeds.iter().map(share).collect()
}

/// Prints a row of the table of docs/statistics.md and holds every seed to its bounds, in percent.
fn row(what: &str, nominal: &str, low: f64, high: f64, shares: &[f64]) {
    let form = form();
    if form.long {
        let all: Vec<String> = shares.iter().map(|s| format!("{s:.1}")).collect();
        println!("| {what} | {nominal} | {} |", all.join(" / "));
    }
    // Three Monte Carlo errors around the quick form's 2,000 repetitions.
    let slack = if form.long { 0.0 } else { 0.5 };
    for share in shares {
        assert!(
            (low - slack..=high + slack).contains(share),
            "{what}: {share:.2} % is not within {low} to {high} %"
        );
    }
}

fn covers(estimate: &Estimate, truth: f64) -> bool {
    estimate.interval.is_some_and(|i| i.contains(truth))
}

fn rejects(test: Option<Test>) -> bool {
    test.is_some_and(|t| t.p_value < 0.05)
}

/// The means of consecutive groups of K.
fn means(clusters: &[Vec<f64>]) -> Vec<f64> {
    clusters.iter().filter_map(|c| desc::mean(c)).collect()
}

#[test]
fn t_on_prompt_means_covers_and_the_naive_interval_does_not() {
    for n in [5, 10, 20, 40] {
        let right = shares(&format!("t {n}"), |d| {
            let estimate = cluster::mean_of_clusters_t(&d.clusters(n, 5), 0.95);
            covers(&estimate.unwrap(), 0.0)
        });
        row(
            &format!("`cluster-means-t`, {n} prompts x 5"),
            "95 %",
            94.0,
            96.0,
            &right,
        );
        let naive = shares(&format!("z {n}"), |d| {
            covers(&cluster::naive_z(&d.clusters(n, 5), 0.95).unwrap(), 0.0)
        });
        row(
            &format!("`naive-z`, {n} prompts x 5"),
            "95 %, fails",
            55.0,
            80.0,
            &naive,
        );
    }
}

#[test]
fn one_observation_a_prompt_covers_for_normal_and_for_skewed_scores() {
    for n in [5, 10, 20, 40] {
        let right = shares(&format!("paired {n}"), |d| {
            let (a, b): (Vec<f64>, Vec<f64>) = (0..n).map(|_| (d.normal(), d.normal())).unzip();
            covers(&paired::paired_t(&a, &b, 0.95).unwrap().estimate, 0.0)
        });
        row(
            &format!("`paired-t`, {n} prompts"),
            "95 %",
            94.0,
            96.0,
            &right,
        );
    }
    // A mean of 10 log-normal values: nothing for so few prompts reaches 95 %, the bootstrap least of all.
    let truth = 0.5_f64.exp();
    let skewed = |d: &mut Draw| -> Vec<f64> { (0..10).map(|_| d.normal().exp()).collect() };
    let t = shares("skewed t", |d| {
        covers(
            &evalh::stats::mean::mean_t(&skewed(d), 0.95).unwrap(),
            truth,
        )
    });
    row("`t`, 10 log-normal values", "95 %, too few", 80.0, 90.0, &t);
    let percentile = shares("skewed bootstrap", |d| {
        let seed = evalh::stats::Seed::from_bytes([7; 32]);
        let mean = |x: &[&f64]| x.iter().copied().sum::<f64>() / x.len() as f64;
        let kind = boot::Kind::Percentile;
        covers(
            &boot::bootstrap(&skewed(d), mean, kind, 0.95, 200, seed).unwrap(),
            truth,
        )
    });
    row(
        "`bootstrap-percentile`, 10 log-normal values",
        "95 %, fails",
        70.0,
        86.0,
        &percentile,
    );
    assert!(percentile.iter().zip(&t).all(|(b, t)| b < t));
}

#[test]
fn the_paired_test_keeps_its_level_and_naive_pairs_do_not() {
    // two models without a mean difference that differ on each prompt
    for n in [5, 10, 20, 40] {
        let right = shares(&format!("level {n}"), |d| {
            let (a, b) = (d.clusters(n, 5), d.clusters(n, 5));
            rejects(paired::paired_t(&means(&a), &means(&b), 0.95).unwrap().test)
        });
        row(
            &format!("`paired-t` on prompt means, {n} prompts x 5, no difference"),
            "5 %",
            4.0,
            6.0,
            &right,
        );
    }
    let naive = shares("naive pairs", |d| {
        let (a, b) = (d.clusters(20, 5).concat(), d.clusters(20, 5).concat());
        rejects(paired::paired_t(&a, &b, 0.95).unwrap().test)
    });
    row(
        "`paired-t` on all 100 answers, 20 prompts x 5, no difference",
        "5 %, fails",
        12.0,
        45.0,
        &naive,
    );
}

#[test]
fn pass_rates_cover_and_wald_does_not() {
    let hits = |d: &mut Draw, n: u64, rate| (0..n).filter(|_| d.passes(rate)).count() as u64;
    let wilson = shares("wilson 15", |d| {
        covers(&prop::wilson(hits(d, 15, 0.95), 15, 0.95).unwrap(), 0.95)
    });
    row(
        "`wilson`, 15 prompts, rate 95 %",
        "95 %",
        93.5,
        98.5,
        &wilson,
    );
    let wald = shares("wald 15", |d| {
        covers(&prop::wald(hits(d, 15, 0.95), 15, 0.95).unwrap(), 0.95)
    });
    row(
        "`wald`, 15 prompts, rate 95 %",
        "95 %, fails",
        50.0,
        58.0,
        &wald,
    );
    // prompts that always pass, or half of the time: 80 % on average
    let draw = |d: &mut Draw| -> Vec<Vec<f64>> {
        (0..20)
            .map(|_| {
                let rate = if d.passes(0.6) { 1.0 } else { 0.5 };
                (0..5)
                    .map(|_| f64::from(u8::from(d.passes(rate))))
                    .collect()
            })
            .collect()
    };
    let right = shares("wilson n_eff", |d| {
        covers(&cluster::wilson_neff_t(&draw(d), 0.95).unwrap(), 0.8)
    });
    row(
        "`wilson-neff-t`, 20 prompts x 5, rate 80 %",
        "95 %",
        93.5,
        97.0,
        &right,
    );
    let naive = shares("wilson naive", |d| {
        let passed = draw(d).concat().iter().filter(|x| **x == 1.0).count() as u64;
        covers(&prop::wilson(passed, 100, 0.95).unwrap(), 0.8)
    });
    row(
        "`wilson` on all 100 answers, 20 prompts x 5, rate 80 %",
        "95 %, fails",
        70.0,
        82.0,
        &naive,
    );
}

#[test]
fn paired_pass_rates_keep_their_level() {
    // 40 prompts: 15 % only A, 15 % only B
    let table = |d: &mut Draw| {
        let outcomes: Vec<f64> = (0..40).map(|_| d.uniform()).collect();
        let count = |low: f64, high: f64| {
            outcomes.iter().filter(|u| (low..high).contains(*u)).count() as u64
        };
        paired_binary::PairedTable {
            both_pass: count(0.0, 0.5),
            only_a: count(0.5, 0.65),
            only_b: count(0.65, 0.8),
            both_fail: count(0.8, 1.0),
        }
    };
    let mid_p = shares("mid-p", |d| {
        rejects(paired_binary::mcnemar_mid_p(&table(d)).ok())
    });
    row(
        "`mcnemar-mid-p`, 40 prompts, 30 % discordant, no difference",
        "5 %",
        3.0,
        6.0,
        &mid_p,
    );
    let tango = shares("tango", |d| {
        covers(&paired_binary::tango(&table(d), 0.95).unwrap(), 0.0)
    });
    row(
        "`tango`, 40 prompts, 30 % discordant",
        "95 %",
        94.0,
        97.0,
        &tango,
    );
}

#[test]
fn a_gate_passes_a_regression_at_its_margin_at_most_one_time_in_twenty() {
    let margin = 0.3;
    let candidate = |d: &mut Draw, n: usize, shift: f64| -> Vec<f64> {
        (0..n).map(|_| shift + d.normal()).collect()
    };
    let verdict = |differences: &[f64]| {
        let c = paired::paired_t_differences(differences, 0.9).unwrap();
        equiv::gate(&c.estimate.interval.unwrap(), margin).unwrap()
    };
    for n in [10, 40, 160] {
        let name = |what: &str| format!("gate {what} {n}");
        let passed = shares(&name("pass at margin"), |d| {
            verdict(&candidate(d, n, -margin)) == equiv::Verdict::Pass
        });
        row(
            &format!("`three-way-gate` passes a regression of exactly its margin, {n} prompts"),
            "at most 5 %",
            4.0,
            6.0,
            &passed,
        );
        let failed = shares(&name("fail at margin"), |d| {
            verdict(&candidate(d, n, -margin)) == equiv::Verdict::Fail
        });
        row(
            &format!("`three-way-gate` fails a difference of exactly its margin, {n} prompts"),
            "at most 5 %",
            4.0,
            6.0,
            &failed,
        );
        let worse = shares(&name("pass beyond"), |d| {
            verdict(&candidate(d, n, -1.5 * margin)) == equiv::Verdict::Pass
        });
        row(
            &format!("`three-way-gate` passes 1.5 times its margin, {n} prompts"),
            "at most 5 %",
            0.0,
            5.0,
            &worse,
        );
        let naive = shares(&name("naive"), |d| {
            let c = paired::paired_t_differences(&candidate(d, n, -margin), 0.95).unwrap();
            !rejects(c.test) || c.estimate.point > 0.0
        });
        let bounds = match n {
            10 => (84.0, 92.0),
            40 => (48.0, 60.0),
            _ => (2.0, 8.0),
        };
        row(
            &format!("\"p > 0.05, so no regression\" passes the same, {n} prompts"),
            "5 %, fails",
            bounds.0,
            bounds.1,
            &naive,
        );
    }
    let ratio = shares("ratio gate", |d| {
        let logs: Vec<f64> = (0..40).map(|_| 1.15_f64.ln() + 0.2 * d.normal()).collect();
        let c = paired::paired_t_differences(&logs, 0.9).unwrap();
        let (low, high) = c.estimate.interval.unwrap().bounds().unwrap();
        let interval = Interval::new(0.9, low.exp(), high.exp());
        equiv::gate_ratio(&interval, 0.15).unwrap() == equiv::Verdict::Pass
    });
    row(
        "latency gate passes a ratio of exactly 1.15, 40 prompts",
        "at most 5 %",
        4.0,
        6.0,
        &ratio,
    );
    let any = shares("any of ten", |d| {
        let ps: Vec<f64> = (0..10)
            .map(|_| {
                paired::paired_t_differences(&candidate(d, 20, 0.0), 0.95)
                    .unwrap()
                    .test
                    .unwrap()
                    .p_value
            })
            .collect();
        multi::adjust(&ps, Method::Holm)
            .unwrap()
            .iter()
            .any(|p| *p < 0.05)
    });
    row(
        "`holm`, any of 10 metrics without a difference",
        "at most 5 %",
        4.0,
        6.0,
        &any,
    );
}

#[test]
fn order_statistics_cover_at_least_their_level_for_any_distribution() {
    let skewed =
        |d: &mut Draw, n: usize| -> Vec<f64> { (0..n).map(|_| d.normal().exp()).collect() };
    for (n, q) in [(15, 0.5), (60, 0.9), (100, 0.95)] {
        let truth = dist::normal_quantile(q).exp();
        let right = shares(&format!("order {n}"), |d| {
            covers(
                &order::quantile_interval(&skewed(d, n), q, 0.95).unwrap(),
                truth,
            )
        });
        row(
            &format!("`order-statistic`, p{} of {n} log-normal times", q * 100.0),
            "at least 95 %",
            94.5,
            99.0,
            &right,
        );
    }
    let truth = dist::normal_quantile(0.95).exp();
    let percentile = shares("bootstrap p95", |d| {
        let seed = evalh::stats::Seed::from_bytes([7; 32]);
        let p95 = |x: &[&f64]| {
            let values: Vec<f64> = x.iter().map(|v| **v).collect();
            desc::quantile(&values, 0.95, desc::QuantileType::Type7).unwrap()
        };
        let kind = boot::Kind::Percentile;
        covers(
            &boot::bootstrap(&skewed(d, 15), p95, kind, 0.95, 100, seed).unwrap(),
            truth,
        )
    });
    row(
        "`bootstrap-percentile`, p95 of 15 log-normal times",
        "95 %, fails",
        45.0,
        60.0,
        &percentile,
    );
}

/// A stream of paired passes, and after each prompt the differences so far.
fn passes(d: &mut Draw, n: usize, only_a: f64, only_b: f64) -> Vec<f64> {
    (0..n)
        .map(|_| match d.uniform() {
            u if u < only_a => 1.0,
            u if u < only_a + only_b => -1.0,
            _ => 0.0,
        })
        .collect()
}

#[test]
fn stopping_when_resolved_keeps_its_level_and_peeking_at_p_does_not() {
    let every_tenth: Vec<usize> = (1..=24).map(|i| i * 10).collect();
    let wrong = shares("mixture", |d| {
        let all = passes(d, 240, 0.2, 0.2);
        (1..=240).any(|n| {
            let (b, c) = (count(&all[..n], 1.0), count(&all[..n], -1.0));
            e_value(b, c) >= 20.0
        })
    });
    row(
        "`betting-mixture-e` on passes, a look after each of 240 prompts, no difference",
        "at most 5 %",
        0.0,
        5.0,
        &wrong,
    );
    // Score differences on a scale of 20 steps to either side, at the ends of a plan's rounds.
    let rounds = [16, 24, 36, 54, 81, 122, 183, 240];
    let step = |d: &mut Draw| (6.0 * d.normal()).round().clamp(-20.0, 20.0) / 20.0;
    let wrong = shares("mixture scores", |d| {
        let all: Vec<f64> = (0..240).map(|_| step(d)).collect();
        rounds.iter().any(|&n| {
            let x: Vec<f64> = all[..n].iter().map(|x| f64::midpoint(*x, 1.0)).collect();
            betting::ln_e_value(&x, 0.5).unwrap() >= 20.0_f64.ln()
        })
    });
    row(
        "`betting-mixture-e` on scores, the 8 looks of 240 prompts, no difference",
        "at most 5 %",
        0.0,
        5.0,
        &wrong,
    );
    let wrong = shares("bernstein", |d| {
        let x: Vec<f64> = (0..240)
            .map(|_| f64::midpoint((0.3 * d.normal()).clamp(-1.0, 1.0), 1.0))
            .collect();
        let all = empirical_bernstein(&x, 0.05).unwrap();
        all.iter().any(|i| !i.contains(0.5))
    });
    row(
        "`empirical-bernstein-cs` on scores, a look after each of 240 prompts, no difference",
        "at most 5 %",
        0.0,
        5.0,
        &wrong,
    );
    let peeking = shares("peeking", |d| {
        let all: Vec<f64> = (0..240).map(|_| 0.3 * d.normal()).collect();
        every_tenth
            .iter()
            .any(|&n| rejects(paired::paired_t_differences(&all[..n], 0.95).unwrap().test))
    });
    row(
        "`paired-t` p-values, 24 looks, no difference",
        "5 %, fails",
        22.0,
        32.0,
        &peeking,
    );
}

fn count(differences: &[f64], value: f64) -> u64 {
    differences.iter().filter(|x| **x == value).count() as u64
}

/// Prompts until the rule resolves, at most `most`; the median of 200 streams, or of 1,000 in the long form.
fn median_prompts(
    name: &str,
    most: usize,
    stream: impl Fn(&mut Draw) -> f64 + Sync,
    resolved: impl Fn(&[f64]) -> bool + Sync,
) -> f64 {
    let form = form();
    let streams = if form.long { 1_000 } else { 200 };
    let mut all: Vec<f64> = (0..streams)
        .into_par_iter()
        .map(|i| {
            let mut rng = ChaCha8Rng::seed_from_u64(SEEDS[0] ^ name.len() as u64);
            rng.set_stream(i);
            let mut draw = Draw { rng, spare: None };
            let d: Vec<f64> = (0..most).map(|_| stream(&mut draw)).collect();
            let looks = (8..=most).step_by(4);
            looks
                .into_iter()
                .find(|&n| resolved(&d[..n]))
                .unwrap_or(most) as f64
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[test]
fn the_mixture_resolves_with_fewer_prompts_than_empirical_bernstein() {
    for (shift, sd) in [(0.1, 0.3), (0.2, 0.3), (0.1, 0.15)] {
        let stream = |d: &mut Draw| (shift + sd * d.normal()).clamp(-1.0, 1.0);
        let scaled = |d: &[f64]| -> Vec<f64> { d.iter().map(|x| f64::midpoint(*x, 1.0)).collect() };
        let mixture = median_prompts("mixture", 600, stream, |d| {
            betting::ln_e_value(&scaled(d), 0.5).unwrap() >= 20.0_f64.ln()
        });
        let bernstein = median_prompts("bernstein", 600, stream, |d| {
            let last = empirical_bernstein(&scaled(d), 0.05)
                .unwrap()
                .pop()
                .unwrap();
            !last.contains(0.5)
        });
        let fixed =
            evalh::stats::power::paired_t_units(shift / sd, evalh::stats::power::Errors::CUSTOMARY)
                .unwrap();
        if form().long {
            println!(
                "prompts until resolved, difference {shift} of the scale, sd {sd}: betting mixture {mixture}, empirical Bernstein {bernstein}, fixed N for 80 % power {fixed:.0}"
            );
        }
        assert!(mixture < bernstein, "{mixture} {bernstein}");
    }
}
