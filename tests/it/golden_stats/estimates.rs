//! Distributions, proportions, means, clusters, quantiles, ratios.

use super::case::{Case, Computed, bounds, items, num, nums};
use evalh::stats::desc::{self, QuantileType};
use evalh::stats::prop2::TwoGroups;
use evalh::stats::{Comparison, NotEstimable, Seed};
use evalh::stats::{
    bayes, cluster, dist, effect, mean, order, paired, perm, prop, prop2, rank, ratio,
};
use serde_json::{Value, json};

pub(super) fn compute(case: &Case) -> Option<Computed> {
    Some(match case.method() {
        "standard normal quantile" => Ok(map1(case, "p", dist::normal_quantile)),
        "Student t quantile p=0.975" => Ok(map1(case, "df", |df| dist::t_quantile(0.975, df))),
        "Student t quantile p=0.95" => Ok(map1(case, "df", |df| dist::t_quantile(0.95, df))),
        "Student t two-sided p, non-integer df" => Ok(map2(case, "t", "df", dist::t_two_sided)),
        "Beta quantile" => Ok(beta_quantiles(case)),
        "chi-square survival" => Ok(map2(case, "x", "df", dist::chi2_sf)),
        "binomial cdf" => Ok(binomial_cdfs(case)),
        "95% CI for one proportion, seven methods" => one_proportion(case),
        "exact one-sided 95% upper bound when 0 failures in n (1-0.05^(1/n)); rule of three approximates 3/n" => {
            rule_of_three(case)
        }
        "difference of two independent proportions" => two_proportions(case),
        "Welch t, Student t, paired t, Cohen d family, Cliff delta" => two_samples(case),
        "K samples per prompt: naive vs cluster-robust SE, t CI df=prompts-1, ANOVA variance decomposition, ICC, design effect"
        | "K samples per prompt: naive vs cluster-robust SE, t CI df=prompts-1, ANOVA variance decomposition, ICC, design effect; clustered Wilson/Korn-Graubard/Bayes" => {
            clusters(case)
        }
        "cluster-robust SE of a mean with unequal cluster sizes (micro-average over samples)" => {
            unbalanced(case)
        }
        "paired model difference on prompt means: SE_d^2 = SE_A^2+SE_B^2-2cov/N; t(N-1)" => {
            paired_means(case)
        }
        "distribution-free two-sided 95% CI for a quantile: 1-based ranks [x_(l), x_(u)]; l=max{r: F(r-1)<=.025}, u=min{r: F(r-1)>=.975}, F=Binom(n,q) cdf; null rank = unbounded side" => {
            order_table(case)
        }
        "smallest n with a finite CI for quantile q: two-sided equal-tail and one-sided upper bound" => {
            smallest_n(case)
        }
        "percentiles with order-statistic CI on 200 latencies" => percentiles(case),
        "quantile definitions differ: R/numpy type 7, R type 8 (statrs OrderStatistics::quantile), type 6, nearest rank (type 1)" => {
            Ok(quantile_types(case))
        }
        "MLPerf early-stopping: smallest underlatency count h with I(p-d; h, t+1) <= 1-c (regularised incomplete beta), c=.99, d=0" => {
            early_stopping(case)
        }
        "ratio of mean latencies A/B: Fieller paired, Fieller independent (Welch df at rho-hat), log-ratio t (geometric mean of paired ratios), delta method on log ratio, hyperfine propagation" => {
            ratios(case)
        }
        "modified z = (x-med)/MAD; Iglewicz-Hoaglin .6745*|x-med|/MAD>3.5; hyperfine |x-med|/MAD > 14.826; Tukey fences 1.5/3 IQR (type 7 quartiles), as in criterion" => {
            Ok(outliers(case))
        }
        "0-10 composite: per prompt weighted mean of 4 components in [0,1] times 10, then mean over prompts with t(N-1) CI" => {
            composite(case)
        }
        "share of requests within the limit (e.g. <= 2 s): Wilson, one-sided 95% Clopper-Pearson lower bound" => {
            share_within(case)
        }
        "throughput = sum(tokens)/sum(seconds) with prompt-clustered linearised SE: e_c = T_c - r D_c; SE = sqrt(G/(G-1) sum e_c^2)/sum D; t(G-1)" => {
            throughput(case)
        }
        _ => return None,
    })
}

fn map1(case: &Case, key: &str, f: impl Fn(f64) -> f64) -> Value {
    case.list(key).into_iter().map(|x| num(f(x))).collect()
}

fn map2(case: &Case, a: &str, b: &str, f: impl Fn(f64, f64) -> f64) -> Value {
    case.list(a)
        .into_iter()
        .zip(case.list(b))
        .map(|(x, y)| num(f(x, y)))
        .collect()
}

fn beta_quantiles(case: &Case) -> Value {
    let (p, a, b) = (case.list("p"), case.list("a"), case.list("b"));
    (0..p.len())
        .map(|i| num(dist::beta_quantile(p[i], a[i], b[i])))
        .collect()
}

fn binomial_cdfs(case: &Case) -> Value {
    let (k, n, p) = (case.list("k"), case.counts("n"), case.list("p"));
    (0..k.len())
        .map(|i| num(dist::binomial_cdf(k[i] as i64, n[i], p[i])))
        .collect()
}

fn one_proportion(case: &Case) -> Computed {
    let (x, n, conf) = (case.u("x"), case.u("n"), case.conf());
    Ok(json!({
        "wilson": bounds(&prop::wilson(x, n, conf)?),
        "clopper_pearson": bounds(&prop::clopper_pearson(x, n, conf)?),
        "jeffreys": bounds(&prop::jeffreys(x, n, conf)?),
        "agresti_coull": bounds(&prop::agresti_coull(x, n, conf)?),
        "wald": bounds(&prop::wald(x, n, conf)?),
        "wilson_cc": bounds(&prop::wilson_cc(x, n, conf)?),
        "bayes_uniform": bounds(&prop::beta_uniform(x, n, conf)?),
    }))
}

fn rule_of_three(case: &Case) -> Computed {
    let (mut exact, mut rule) = (Vec::new(), Vec::new());
    for n in case.counts("n") {
        exact.push(
            prop::zero_failure_upper(n, 0.95)?
                .interval
                .and_then(|i| i.upper),
        );
        rule.push(prop::rule_of_three(n)?);
    }
    Ok(json!({"exact": exact, "rule": rule}))
}

fn two_proportions(case: &Case) -> Computed {
    let g = TwoGroups {
        x1: case.u("x1"),
        n1: case.u("n1"),
        x2: case.u("x2"),
        n2: case.u("n2"),
    };
    let newcombe = prop2::newcombe_hybrid(&g, case.conf())?;
    Ok(json!({
        "diff": newcombe.point,
        "newcombe_hybrid_score": bounds(&newcombe),
        "miettinen_nurminen_score": bounds(&prop2::miettinen_nurminen(&g, case.conf())?),
        "fisher_exact_p": prop2::fisher_exact(&g)?.p_value,
        "bayes_prob_p1_gt_p2": prop2::probability_first_larger(&g)?,
    }))
}

fn comparison(c: &Comparison) -> Value {
    let test = c.test.as_ref();
    json!({
        "t": test.and_then(|t| t.statistic),
        "df": c.df,
        "p": test.map(|t| t.p_value),
        "ci": bounds(&c.estimate),
    })
}

fn two_samples(case: &Case) -> Computed {
    let (x, y, conf) = (case.list("x"), case.list("y"), case.conf());
    let (d, dz) = (
        effect::cohen_d(&x, &y, conf)?,
        effect::cohen_dz(&x, &y, conf)?,
    );
    let delta = rank::cliffs_delta(&x, &y)?;
    Ok(json!({
        "mean_x": desc::mean(&x),
        "mean_y": desc::mean(&y),
        "sd_x": desc::sd(&x),
        "sd_y": desc::sd(&y),
        "mean_x_t_ci": bounds(&mean::mean_t(&x, conf)?),
        "welch": comparison(&paired::welch_t(&x, &y, conf)?),
        "student": comparison(&paired::student_t(&x, &y, conf)?),
        "paired": comparison(&paired::paired_t(&x, &y, conf)?),
        "cohen_d_pooled": d.point,
        "hedges_g_exact": effect::hedges_g(&x, &y, conf)?.point,
        "hedges_g_approx": effect::hedges_g_approximate(&x, &y)?,
        "cohen_d_ci_nct": bounds(&d),
        "cohen_dz": dz.point,
        "cohen_dz_ci_nct": bounds(&dz),
        "cohen_d_av": effect::cohen_d_average(&x, &y)?,
        "cliffs_delta": delta,
        "vda_A": f64::midpoint(delta, 1.0),
    }))
}

fn clusters(case: &Case) -> Computed {
    let (values, conf) = (case.matrix("values"), case.conf());
    let (e, v) = (
        cluster::clustered_errors(&values)?,
        cluster::variance_components(&values)?,
    );
    let mut out = json!({
        "mean": e.mean,
        "naive_se": e.naive_se,
        "miller_clustered_se": e.cr0_se,
        "clustered_se_G_over_Gm1": e.cr1_se,
        "sem_of_prompt_means": e.macro_se,
        "t_ci_df_prompts_minus_1": bounds(&cluster::mean_of_clusters_t(&values, conf)?),
        "naive_z_ci": bounds(&cluster::naive_z(&values, conf)?),
        "msb": v.ms_between,
        "msw": v.ms_within,
        "var_between_prompt": v.var_between,
        "var_within": v.var_within,
        "icc1": v.icc,
        "design_effect": e.design_effect,
        "n_eff": e.n_eff,
    });
    if values.iter().flatten().all(|x| *x == 0.0 || *x == 1.0) {
        let bayes = bayes::clustered_rate(&values, conf)?;
        out["n_eff_binary"] = num(cluster::effective_observations(&values)?);
        out["wilson_n_eff_z"] = bounds(&cluster::wilson_neff_z(&values, conf)?);
        out["wilson_n_eff_t"] = bounds(&cluster::wilson_neff_t(&values, conf)?);
        out["korn_graubard_clopper_pearson"] = bounds(&cluster::korn_graubard(&values, conf)?);
        out["bayes_clustered_mean"] = num(bayes.point);
        out["bayes_clustered_ci95"] = bounds(&bayes);
    }
    Ok(out)
}

fn unbalanced(case: &Case) -> Computed {
    let e = cluster::clustered_errors(&case.matrix("clusters"))?;
    Ok(json!({
        "mean": e.mean,
        "macro_mean_of_cluster_means": e.macro_mean,
        "cr0": e.cr0_se,
        "cr1": e.cr1_se,
        "naive": e.naive_se,
    }))
}

fn paired_means(case: &Case) -> Computed {
    let (a, b) = case.referenced_pair();
    let (a, b) = (cluster::cluster_means(&a)?, cluster::cluster_means(&b)?);
    let (c, w) = (
        paired::paired_t(&a, &b, 0.95)?,
        paired::welch_t(&a, &b, 0.95)?,
    );
    let (se, unpaired) = (
        c.se.ok_or("no paired error")?,
        w.se.ok_or("no unpaired error")?,
    );
    let corr = desc::correlation(&a, &b).ok_or("no correlation")?;
    let n = a.len() as f64;
    let (va, vb) = (
        desc::variance(&a).ok_or("no variance")? / n,
        desc::variance(&b).ok_or("no variance")? / n,
    );
    let test = c.test.as_ref().ok_or("no test")?;
    Ok(json!({
        "diff": c.estimate.point,
        "se_paired": se,
        "se_unpaired": unpaired,
        "corr": corr,
        "check_se": (va + vb - 2.0 * corr * (va * vb).sqrt()).sqrt(),
        "t": test.statistic,
        "p": test.p_value,
        "ci": bounds(&c.estimate),
        "unpaired_welch_p": w.test.map(|t| t.p_value),
        "wilcoxon_exact_p": rank::wilcoxon_exact(&a, &b, rank::Alternative::TwoSided)?.p_value,
        "relative_efficiency": (unpaired / se).powi(2),
    }))
}

/// The expected rows say for which n and q they stand.
fn order_table(case: &Case) -> Computed {
    let row = |want: &Value| -> Result<Value, NotEstimable> {
        let (n, q) = (
            want["n"].as_u64().unwrap_or(0) as usize,
            want["q"].as_f64().unwrap_or(f64::NAN),
        );
        let r = order::order_ranks(n, q, case.conf())?;
        Ok(
            json!({"n": n, "q": q, "lower_rank": r.lower, "upper_rank": r.upper, "coverage": r.coverage}),
        )
    };
    Ok(items(case.expected())
        .iter()
        .map(row)
        .collect::<Result<Vec<_>, _>>()?
        .into())
}

fn smallest_n(case: &Case) -> Computed {
    let (mut two, mut one) = (Vec::new(), Vec::new());
    for q in case.list("q") {
        two.push(order::min_observations(q, case.conf())?);
        one.push(order::min_observations_upper(q, case.conf())?);
    }
    Ok(json!({"two_sided": two, "one_sided_upper": one}))
}

fn percentiles(case: &Case) -> Computed {
    let xs = case.list("values");
    let mut out = json!({});
    for (name, q) in [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)] {
        let e = order::quantile_interval(&xs, q, case.conf())?;
        out[name] = json!({
            "type7": e.point,
            "nearest_rank": desc::quantile(&xs, q, QuantileType::NearestRank),
            "ci": bounds(&e),
            "coverage": order::order_ranks(xs.len(), q, case.conf())?.coverage,
        });
    }
    Ok(out)
}

fn quantile_types(case: &Case) -> Value {
    let xs = case.list("x");
    let all = |t: QuantileType| -> Value {
        case.list("q")
            .into_iter()
            .map(|q| json!(desc::quantile(&xs, q, t)))
            .collect()
    };
    json!({
        "type7": all(QuantileType::Type7),
        "type8": all(QuantileType::Type8),
        "type6": all(QuantileType::Type6),
        "type1_nearest_rank": all(QuantileType::NearestRank),
    })
}

fn early_stopping(case: &Case) -> Computed {
    let (p, t) = (case.list("p"), case.counts("t"));
    let h = |(p, t)| order::early_stopping_under(p, t, case.f("c"), case.f("d"));
    Ok(p.into_iter()
        .zip(t)
        .map(h)
        .collect::<Result<Vec<_>, _>>()?
        .into())
}

fn ratios(case: &Case) -> Computed {
    let (x, y, conf) = (case.list("x"), case.list("y"), case.conf());
    let (p, i) = (
        ratio::fieller_paired(&x, &y, conf)?,
        ratio::fieller_independent(&x, &y, conf)?,
    );
    let geo = ratio::log_ratio_t(&x, &y, conf)?;
    Ok(json!({
        "ratio_of_means": p.estimate.point,
        "paired": {"g": p.g, "ci": bounds(&p.estimate)},
        "independent": {"df": i.df, "g": i.g, "ci": bounds(&i.estimate)},
        "geo_mean_of_paired_ratios": geo.point,
        "geo_ci": bounds(&geo),
        "delta_log_indep_z_ci": bounds(&ratio::delta_log_ratio(&x, &y, conf)?),
        "hyperfine_ratio_stddev": ratio::propagated_ratio_sd(&x, &y),
    }))
}

fn outliers(case: &Case) -> Value {
    let xs = case.list("x");
    json!({
        "median": desc::median(&xs),
        "mad": desc::mad(&xs),
        "ih_outliers": desc::modified_z_outliers(&xs, 3.5),
        "hyperfine_outliers": desc::mad_outliers(&xs, 14.826),
        "fences": desc::tukey_fences(&xs),
        "trimmed_mean_10pct": desc::trimmed_mean(&xs, 0.1),
        "cv": desc::coefficient_of_variation(&xs),
        "rcv": desc::robust_coefficient_of_variation(&xs),
    })
}

fn composite(case: &Case) -> Computed {
    let units: Vec<Vec<Option<f64>>> = case
        .matrix("components")
        .into_iter()
        .map(|r| r.into_iter().map(Some).collect())
        .collect();
    let scores = mean::composite(&units, &case.list("weights"), 10.0)?;
    let e = mean::mean_t(&scores, case.conf())?;
    Ok(json!({"per_prompt": nums(&scores), "mean": e.point, "ci": bounds(&e)}))
}

fn share_within(case: &Case) -> Computed {
    let (mut wilson, mut lower) = (Vec::new(), Vec::new());
    for (k, n) in case.counts("k").into_iter().zip(case.counts("n")) {
        wilson.push(bounds(&prop::wilson(k, n, case.conf())?));
        lower.push(
            prop::clopper_pearson_lower(k, n, 0.95)?
                .interval
                .and_then(|i| i.lower),
        );
    }
    Ok(json!({"wilson": wilson, "cp_lower_one_sided": lower}))
}

fn throughput(case: &Case) -> Computed {
    let total =
        |key: &str| -> Vec<f64> { case.matrix(key).iter().map(|r| r.iter().sum()).collect() };
    let (tokens, seconds) = (total("tokens"), total("seconds"));
    let r = ratio::ratio_of_sums(&tokens, &seconds, case.conf())?;
    let (t, s) = (case.matrix("tokens"), case.matrix("seconds"));
    let each: Vec<f64> = t
        .iter()
        .flatten()
        .zip(s.iter().flatten())
        .map(|(a, b)| a / b)
        .collect();
    Ok(json!({
        "ratio_of_sums": r.estimate.point,
        "se": r.se,
        "ci": bounds(&r.estimate),
        "mean_of_ratios_biased_alternative": desc::mean(&each),
    }))
}

/// Used by the other families: the sign-flip test on given differences.
pub(super) fn sign_flip(differences: &[f64]) -> Computed {
    let test = perm::sign_flip(
        differences,
        Seed::from_parts(&["golden"]),
        perm::DEFAULT_FLIPS,
    )?;
    Ok(json!({"mean": test.statistic, "p_two_sided": test.p_value}))
}
