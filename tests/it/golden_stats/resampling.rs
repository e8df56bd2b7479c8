//! Bootstrap, prediction-powered means, agreement, calibration, ranking, drift, energy, cost, text.

use super::case::{Case, Computed, bounds, items, num, number, pair};
use evalh::cost::{self, CloudPrice, PriceCard, energy};
use evalh::stats::agree::{self, Preference, Scale, Weights};
use evalh::stats::boot::{self, Kind};
use evalh::stats::bt::{self, Wins};
use evalh::stats::desc::{self, QuantileType};
use evalh::stats::ppi::{self, Lambda};
use evalh::stats::text::{self, TextCounts};
use evalh::stats::{Seed, calib, drift};
use serde_json::{Value, json};

pub(super) fn compute(case: &Case) -> Option<Computed> {
    Some(match case.method() {
        "complete bootstrap enumeration (6^6=46656 equally likely resamples), mean" => {
            exhaustive_mean(case)
        }
        "complete bootstrap enumeration, median" => exhaustive_median(case),
        "bootstrap with an explicit resample index matrix (B=300, n=10): percentile, basic, BCa, studentised (bootstrap-t)" => {
            fixed_indices(case)
        }
        "scipy bootstrap of the mean, 100k resamples (Monte-Carlo tolerance)" => seeded_mean(case),
        "Efron & Tibshirani spatial test data A: plug-in variance, 90% BCa" => spatial(case),
        "cluster (prompt) bootstrap with explicit prompt index matrix (B=300): CI of mean of A and of paired difference A-B" => {
            cluster_indices(case)
        }
        "prediction-powered mean: judge scores on everything + human gold on n; lam=1 (PPI), lam tuned (PPI++), lam=0 (classical)"
        | "PPI++ with an interior lambda (weaker judge)" => prediction_powered(case),
        "Cohen kappa: unweighted, linear, quadratic" => kappa(case),
        "textbook 2x2 Cohen kappa" => kappa_table(case),
        "Krippendorff alpha, 3 raters x 15 units with missing values" => krippendorff(case),
        "Fleiss kappa, 14 raters, 10 items, 5 categories" => fleiss(case),
        "position-bias statistics from verdict pairs (order AB, order BA); consistent winner else tie (MT-Bench rule)" => {
            position_swap(case)
        }
        "G-Eval probability-weighted score: sum(score*p)/sum(p) over decimal score tokens; variant A all tokens, variant B drop p<.01 (deepeval)" => {
            weighted_score(case)
        }
        "Brier, log loss, ECE (10 equal-width bins [i/10,(i+1)/10), last closed), MCE, ECE equal-mass 5 bins, AUROC" => {
            calibration(case)
        }
        "pass@k = 1-C(n-c,k)/C(n,k); pass^k = C(c,k)/C(n,k)" => pass_k(case),
        "token/word/byte perplexity and bits per byte from summed natural-log likelihood" => {
            Ok(perplexity(case))
        }
        "Bradley-Terry MLE, reference A=0 (natural log scale), SE from the inverse information, Elo scale 400/ln10" => {
            bradley_terry(case)
        }
        "run-order drift: Mann-Kendall (tie-corrected, continuity), Theil-Sen slope + CI, Pettitt change point (approx p), OLS slope, Spearman" => {
            run_drift(case)
        }
        "energy from irregular power samples (trapezoid), idle-subtracted, per output token" => {
            power_samples(case)
        }
        "RAPL counter difference with one wraparound (max_energy_range_uj)" => Ok(json!({
            "delta_j": energy::counter_joules(case.u("before_uj"), case.u("after_uj"), case.u("max_energy_range_uj")).ok()
        })),
        "local vs cloud: marginal (electricity) and fully loaded (amortised hardware) yearly cost, savings, break-even calls/yr" => {
            cost_model(case)
        }
        "what '98.6% reduction, $54+ saved a year' implies if savings=54: cloud=54/.986, local=cloud-54; with (4000-800)/4 USD/yr hardware the full-cost reduction is negative" => {
            Ok(cost_claim(case))
        }
        "ROUGE-1/2/L P,R,F (google rouge-score tokenisation)" => Ok(rouge(case)),
        "sentence BLEU (exp smoothing, 13a), chrF2, chrF2++" => Ok(bleu_chrf(case)),
        "readability from counts" => readability(case),
        "distinct-1/2, repetition rate of bigrams, unigram entropy (bits)" => Ok(diversity(case)),
        "K-sample consistency: majority share, pairwise agreement, answer entropy (bits)" => {
            consistency(case)
        }
        _ => return None,
    })
}

fn mean(drawn: &[&f64]) -> f64 {
    drawn.iter().copied().sum::<f64>() / drawn.len() as f64
}

fn median(drawn: &[&f64]) -> f64 {
    desc::median(&drawn.iter().map(|x| **x).collect::<Vec<_>>()).unwrap_or(f64::NAN)
}

/// Every resample of n units, n^n of them.
fn all_resamples(n: usize) -> Vec<Vec<usize>> {
    let total = n.pow(u32::try_from(n).expect("a small n"));
    (0..total)
        .map(|mut code| {
            (0..n)
                .map(|_| {
                    let digit = code % n;
                    code /= n;
                    digit
                })
                .collect()
        })
        .collect()
}

/// Standard deviation over equally likely resamples (denominator B).
fn population_sd(xs: &[f64]) -> Option<f64> {
    let n = xs.len() as f64;
    desc::variance(xs).map(|v| (v * (n - 1.0) / n).sqrt())
}

fn exhaustive_mean(case: &Case) -> Computed {
    let (xs, conf) = (case.list("x"), case.conf());
    let theta = desc::mean(&xs).ok_or("no mean")?;
    let reps = boot::replicates_at(&xs, &mean, &all_resamples(xs.len()))?;
    let b = boot::bca(
        theta,
        &reps,
        boot::acceleration(&boot::jackknife(&xs, &mean)?)?,
        conf,
    )?;
    Ok(json!({
        "theta": theta,
        "boot_se": population_sd(&reps),
        "percentile": pair(&boot::percentile(&reps, conf)?),
        "basic": pair(&boot::basic(theta, &reps, conf)?),
        "z0": b.z0,
        "accel": b.acceleration,
        "bca_levels": [b.levels.0, b.levels.1],
        "bca": pair(&b.interval),
        "boot_se_formula": population_sd(&xs).map(|s| s / (xs.len() as f64).sqrt()),
    }))
}

fn exhaustive_median(case: &Case) -> Computed {
    let xs = case.list("x");
    let reps = boot::replicates_at(&xs, &median, &all_resamples(xs.len()))?;
    Ok(json!({
        "theta": desc::median(&xs),
        "boot_se": population_sd(&reps),
        "percentile": pair(&boot::percentile(&reps, case.conf())?),
    }))
}

fn fixed_indices(case: &Case) -> Computed {
    let (xs, conf, indices) = (case.list("x"), case.conf(), case.indices("index_matrix"));
    let theta = desc::mean(&xs).ok_or("no mean")?;
    let reps = boot::replicates_at(&xs, &mean, &indices)?;
    let b = boot::bca(
        theta,
        &reps,
        boot::acceleration(&boot::jackknife(&xs, &mean)?)?,
        conf,
    )?;
    Ok(json!({
        "theta": theta,
        "boot_se": desc::sd(&reps),
        "percentile": pair(&boot::percentile(&reps, conf)?),
        "basic": pair(&boot::basic(theta, &reps, conf)?),
        "z0": b.z0,
        "accel": b.acceleration,
        "bca_levels": [b.levels.0, b.levels.1],
        "bca": pair(&b.interval),
        "bootstrap_t": bounds(&boot::bootstrap_t(&xs, &indices, conf)?),
    }))
}

fn seeded_mean(case: &Case) -> Computed {
    let (xs, conf, seed) = (
        case.list("x"),
        case.conf(),
        Seed::from_parts(&["golden", "mean"]),
    );
    let interval = |kind| boot::bootstrap(&xs, mean, kind, conf, 60_000, seed);
    Ok(json!({
        "bca": bounds(&interval(Kind::Bca)?),
        "percentile": bounds(&interval(Kind::Percentile)?),
        "se": desc::sd(&boot::replicates(&xs, &mean, 60_000, seed)?),
    }))
}

fn plug_in_variance(drawn: &[&f64]) -> f64 {
    let m = mean(drawn);
    drawn.iter().map(|x| (**x - m).powi(2)).sum::<f64>() / drawn.len() as f64
}

fn spatial(case: &Case) -> Computed {
    let (xs, conf, seed) = (
        case.list("x"),
        case.conf(),
        Seed::from_parts(&["golden", "spatial"]),
    );
    let theta = plug_in_variance(&xs.iter().collect::<Vec<_>>());
    let reps = boot::replicates(&xs, &plug_in_variance, 100_000, seed)?;
    let b = boot::bca(
        theta,
        &reps,
        boot::acceleration(&boot::jackknife(&xs, &plug_in_variance)?)?,
        conf,
    )?;
    Ok(json!({
        "theta": theta,
        "accel": b.acceleration,
        "z0": b.z0,
        "bca": pair(&b.interval),
        "percentile": pair(&boot::percentile(&reps, conf)?),
    }))
}

fn cluster_indices(case: &Case) -> Computed {
    let (a, b) = case.referenced_pair();
    let (conf, indices) = (case.conf(), case.indices("prompt_index_matrix"));
    let pooled_mean = |drawn: &[&Vec<f64>]| {
        let all: Vec<f64> = drawn.iter().flat_map(|c| c.iter().copied()).collect();
        desc::mean(&all).unwrap_or(f64::NAN)
    };
    let pooled_p90 = |drawn: &[&Vec<f64>]| {
        let all: Vec<f64> = drawn.iter().flat_map(|c| c.iter().copied()).collect();
        desc::quantile(&all, 0.9, QuantileType::Type7).unwrap_or(f64::NAN)
    };
    let differences: Vec<Vec<f64>> = a
        .iter()
        .zip(&b)
        .map(|(x, y)| x.iter().zip(y).map(|(p, q)| p - q).collect())
        .collect();
    let reps_a = boot::replicates_at(&a, &pooled_mean, &indices)?;
    let reps_d = boot::replicates_at(&differences, &pooled_mean, &indices)?;
    let theta = pooled_mean(&differences.iter().collect::<Vec<_>>());
    let accel = boot::acceleration(&boot::jackknife(&differences, &pooled_mean)?)?;
    let bca = boot::bca(theta, &reps_d, accel, conf)?;
    let p90 = boot::replicates_at(&a, &pooled_p90, &indices)?;
    Ok(json!({
        "mean_A_percentile": pair(&boot::percentile(&reps_a, conf)?),
        "mean_A_boot_se": desc::sd(&reps_a),
        "diff_percentile": pair(&boot::percentile(&reps_d, conf)?),
        "diff_bca": pair(&bca.interval),
        "diff_z0": bca.z0,
        "diff_accel": bca.acceleration,
        "p90_of_pooled_A_percentile_ci": pair(&boot::percentile(&p90, conf)?),
    }))
}

fn prediction_powered(case: &Case) -> Computed {
    let (gold, judge, rest) = (
        case.list("gold"),
        case.list("judge_on_gold"),
        case.list("judge_unlabeled"),
    );
    let run = |lambda| ppi::prediction_powered_mean(&gold, &judge, &rest, lambda, case.conf());
    let one = |lambda| {
        run(lambda).map(|p| json!({"lam": p.lambda, "est": p.estimate.point, "se": p.se, "ci": bounds(&p.estimate)}))
    };
    let plain = run(Lambda::Fixed(1.0))?;
    Ok(json!({
        "ppi": one(Lambda::Fixed(1.0))?,
        "ppi_pp": one(Lambda::Tuned)?,
        "classical": one(Lambda::Fixed(0.0))?,
        "judge_bias": plain.judge_bias,
        "naive_judge_mean": plain.judge_mean,
    }))
}

fn kappa(case: &Case) -> Computed {
    let get = |key: &str| -> Vec<i64> { case.list(key).into_iter().map(|x| x as i64).collect() };
    let (a, b) = (get("r1"), get("r2"));
    let plain = agree::cohen_kappa(&a, &b, Weights::Unweighted)?;
    Ok(json!({
        "unweighted": plain.kappa,
        "linear": agree::cohen_kappa(&a, &b, Weights::Linear)?.kappa,
        "quadratic": agree::cohen_kappa(&a, &b, Weights::Quadratic)?.kappa,
        "percent": plain.observed,
    }))
}

fn count_table(case: &Case, key: &str) -> Vec<Vec<u64>> {
    case.matrix(key)
        .into_iter()
        .map(|r| r.into_iter().map(|x| x as u64).collect())
        .collect()
}

fn kappa_table(case: &Case) -> Computed {
    let k = agree::kappa_of_table(&count_table(case, "table"), Weights::Unweighted)?;
    Ok(json!({"kappa": k.kappa, "po": k.observed, "pe": k.expected, "se_simple": k.se}))
}

fn krippendorff(case: &Case) -> Computed {
    let ratings: Vec<Vec<Option<f64>>> = items(case.input("ratings"))
        .iter()
        .map(|r| items(r).iter().map(Value::as_f64).collect())
        .collect();
    Ok(json!({
        "nominal": agree::krippendorff_alpha(&ratings, Scale::Nominal)?,
        "ordinal": agree::krippendorff_alpha(&ratings, Scale::Ordinal)?,
        "interval": agree::krippendorff_alpha(&ratings, Scale::Interval)?,
    }))
}

fn fleiss(case: &Case) -> Computed {
    Ok(json!({"kappa": agree::fleiss_kappa(&count_table(case, "counts"))?}))
}

fn position_swap(case: &Case) -> Computed {
    let verdicts = |key: &str| -> Vec<Preference> {
        case.labels(key)
            .into_iter()
            .map(|v| match v {
                "A" => Preference::A,
                "B" => Preference::B,
                _ => Preference::Tie,
            })
            .collect()
    };
    let s = agree::position_swap(&verdicts("ab"), &verdicts("ba"))?;
    let name = |p: &Preference| match p {
        Preference::A => "A",
        Preference::B => "B",
        Preference::Tie => "tie",
    };
    Ok(json!({
        "consistency": s.consistency,
        "winners": s.winners.iter().map(name).collect::<Vec<_>>(),
        "win_rate_A": s.win_rate_a,
    }))
}

fn weighted_score(case: &Case) -> Computed {
    let scores: Vec<(f64, f64)> = case
        .input("top_logprobs")
        .as_object()
        .ok_or("not a table")?
        .iter()
        .filter_map(|(token, lp)| Some((token.parse().ok()?, number(lp))))
        .collect();
    let (all, large) = (
        agree::weighted_score(&scores, 0.0)?,
        agree::weighted_score(&scores, 0.01)?,
    );
    Ok(json!({"all": all.mean, "min_p_001": large.mean, "variance": all.variance}))
}

fn calibration(case: &Case) -> Computed {
    let p = case.list("p");
    let y: Vec<bool> = case.list("y").into_iter().map(|v| v == 1.0).collect();
    let ten = calib::ece_equal_width(&p, &y, 10)?;
    Ok(json!({
        "brier": calib::brier(&p, &y)?,
        "log_loss": calib::log_loss(&p, &y)?,
        "ece10": ten.expected,
        "mce10": ten.maximum,
        "ece_equal_mass5": calib::ece_equal_mass(&p, &y, 5)?.expected,
        "auroc": calib::auroc(&p, &y)?,
    }))
}

fn pass_k(case: &Case) -> Computed {
    let (n, c, k) = (case.counts("n"), case.counts("c"), case.counts("k"));
    let (mut at, mut hat) = (Vec::new(), Vec::new());
    for i in 0..n.len() {
        at.push(calib::pass_at_k(n[i], c[i], k[i])?);
        hat.push(calib::pass_hat_k(n[i], c[i], k[i])?);
    }
    Ok(json!({"pass_at_k": at, "pass_hat_k": hat}))
}

fn perplexity(case: &Case) -> Value {
    let sum = case.f("sum_logprob_nats");
    json!({
        "token_ppl": text::perplexity(sum, case.u("tokens")),
        "word_ppl": text::perplexity(sum, case.u("words")),
        "byte_ppl": text::perplexity(sum, case.u("bytes")),
        "bits_per_byte": text::bits_per_byte(sum, case.u("bytes")),
    })
}

fn bradley_terry(case: &Case) -> Computed {
    let mut names: Vec<&str> = Vec::new();
    let mut wins = Vec::new();
    for row in items(case.input("wins")) {
        let mut at = |i: usize| {
            let name = row[i].as_str().unwrap_or_default();
            names.iter().position(|n| *n == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            })
        };
        wins.push(Wins {
            winner: at(0),
            loser: at(1),
            count: number(&row[2]),
        });
    }
    let fit = bt::bradley_terry(names.len(), &wins)?;
    let mut out = json!({"theta": {}, "se": {}, "elo_diff": {}});
    for (i, name) in names.iter().enumerate() {
        out["theta"][name] = num(fit.theta[i]);
        out["se"][name] = json!(fit.se[i]);
        out["elo_diff"][name] = json!(fit.elo(i));
    }
    let last = names.iter().position(|n| *n == "D").ok_or("no item D")?;
    out["p_A_beats_D"] = json!(fit.win_probability(0, last));
    Ok(out)
}

fn run_drift(case: &Case) -> Computed {
    let xs = case.list("x");
    let (mk, sen, change) = (
        drift::mann_kendall(&xs)?,
        drift::theil_sen(&xs, 0.95)?,
        drift::pettitt(&xs)?,
    );
    let ((slope, slope_test), order) = (
        drift::ols_slope(&xs, 0.95)?,
        drift::spearman_with_order(&xs)?,
    );
    Ok(json!({
        "mk_S": mk.s,
        "mk_var": mk.variance,
        "mk_z": mk.test.statistic,
        "mk_p": mk.test.p_value,
        "theil_sen": sen.point,
        "theil_ci": bounds(&sen),
        "pettitt_K": change.k,
        "pettitt_t": change.first_segment,
        "pettitt_p": change.test.p_value,
        "ols_slope": slope.point,
        "ols_p": slope_test.p_value,
        "spearman": order.statistic,
        "spearman_p": order.p_value,
        "lag1_autocorr": desc::lag1_autocorrelation(&xs),
    }))
}

fn power_samples(case: &Case) -> Computed {
    let e = energy::trapezoid(&case.list("t_s"), &case.list("power_w"))?;
    Ok(json!({
        "joules": e.joules,
        "net_joules": e.net_joules(case.f("idle_w"))?,
        "j_per_output_token": e.per_unit(case.u("output_tokens")),
        "j_per_total_token": e.per_unit(case.u("total_tokens")),
        "wh": e.watt_hours(),
        "avg_w": e.average_watts(),
    }))
}

fn cost_model(case: &Case) -> Computed {
    let card = PriceCard {
        cloud: Vec::new(),
        hardware_usd: case.f("hw_usd"),
        resale_usd: case.f("resale_usd"),
        years: case.f("years"),
        utilisation: case.f("util"),
        watts: case.f("watts"),
        usd_per_kwh: case.f("usd_per_kwh"),
        origin: "vector".to_owned(),
    };
    let machine = cost::Machine::new(&card)?;
    let task = cost::Work {
        seconds: case.f("tokens_out") / case.f("decode_tps"),
        input_tokens: case.f("tokens_in"),
        output_tokens: case.f("tokens_out"),
    };
    let price = CloudPrice {
        name: "vector".to_owned(),
        provider: "vector".to_owned(),
        input_usd_per_mtok: case.f("price_in_per_token") * 1e6,
        output_usd_per_mtok: case.f("price_out_per_token") * 1e6,
        as_of: "2026-11-22".to_owned(),
        source: "vector".to_owned(),
        default: false,
    };
    let calls = case.f("calls_per_year");
    let cloud = cost::cloud_usd(&task, &price)?;
    let marginal = machine.energy_usd(task.seconds);
    let full = machine.owned_usd_per_year(&task, calls);
    let million = cost::Work {
        seconds: 1e6 / case.f("decode_tps"),
        ..cost::Work::default()
    };
    let per_million = machine.cost(&million);
    Ok(json!({
        "cloud_usd_per_year": cloud * calls,
        "local_marginal_usd_per_year": marginal * calls,
        "marginal_reduction": cost::saving(marginal, cloud),
        "local_full_usd_per_year": full,
        "full_reduction": cost::saving(full, cloud * calls),
        "breakeven_calls_per_year": cost::break_even(&machine, &task, cloud).tasks().map_or(json!("inf"), num),
        "per_mtok": {
            "energy_usd_per_mtok": per_million.energy_usd,
            "amort_usd_per_mtok_at_util": per_million.hardware_usd,
            "hours_per_mtok": million.seconds / 3_600.0,
        },
    }))
}

fn cost_claim(case: &Case) -> Value {
    let cloud = case.f("savings") / case.f("reduction");
    let local = cloud - case.f("savings");
    let full = cost::saving(local + case.f("hw_per_year"), cloud);
    json!({"cloud": cloud, "local": local, "full_reduction": full})
}

fn rouge(case: &Case) -> Value {
    let (r, h) = (case.text("reference"), case.text("hypothesis"));
    let triple = |o: text::Overlap| json!([o.precision, o.recall, o.f1]);
    let all = |stem| {
        json!({
            "rouge1": triple(text::rouge_n(r, h, 1, stem)),
            "rouge2": triple(text::rouge_n(r, h, 2, stem)),
            "rougeL": triple(text::rouge_l(r, h, stem)),
        })
    };
    json!({"no_stem": all(false), "stem": all(true)})
}

fn bleu_chrf(case: &Case) -> Value {
    let (r, h) = (case.text("reference"), case.text("hypothesis"));
    json!({"bleu": text::sentence_bleu(r, h), "chrf": text::chrf(r, h), "chrfpp": text::chrf_plus_plus(r, h)})
}

fn readability(case: &Case) -> Computed {
    let counts = TextCounts {
        words: case.u("words"),
        sentences: case.u("sentences"),
        syllables: case.u("syllables"),
        letters: case.u("letters"),
        polysyllables: case.u("polysyllables"),
    };
    let r = text::readability(&counts).ok_or("nothing to read")?;
    Ok(json!({
        "flesch": r.flesch,
        "fk_grade": r.flesch_kincaid_grade,
        "ari": r.ari,
        "coleman_liau": r.coleman_liau,
        "gunning_fog": r.gunning_fog,
    }))
}

fn diversity(case: &Case) -> Value {
    let tokens = case.labels("tokens");
    json!({
        "distinct1": text::distinct_n(&tokens, 1),
        "distinct2": text::distinct_n(&tokens, 2),
        "rep2": text::repetition_rate(&tokens, 2),
        "entropy": text::entropy_bits(&tokens),
    })
}

fn consistency(case: &Case) -> Computed {
    let c = text::self_consistency(&case.labels("answers")).ok_or("no answers")?;
    Ok(json!({
        "majority_share": c.majority_share,
        "pairwise_agreement": c.pairwise_agreement,
        "entropy": c.entropy,
    }))
}
