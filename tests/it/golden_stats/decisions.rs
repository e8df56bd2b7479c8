//! Tests, adjustment, gates, power, sequences, paired binary, ranks.

use super::case::{Case, Computed, bounds, items, num, nums, pair};
use super::estimates::sign_flip;
use evalh::stats::equiv::{self, Tost, Verdict};
use evalh::stats::paired_binary::{self as pb, PairedTable};
use evalh::stats::power::{self, Errors, PairedVariance};
use evalh::stats::rank::{self, Alternative, Zeros};
use evalh::stats::{Interval, Method, bayes, multi, seq};
use serde_json::{Value, json};

pub(super) fn compute(case: &Case) -> Option<Computed> {
    Some(match case.method() {
        "paired binary: McNemar family, Newcombe paired difference, Tango score CI, Bonett-Price, non-inferiority, anytime e-value" => {
            paired_binary(case)
        }
        "Wilcoxon signed-rank, Hodges-Lehmann estimate + exact CI" => wilcoxon(case),
        "Wilcoxon signed-rank with zeros and ties: zero_method variants (asymptotic, no continuity correction)" => {
            zero_methods(case)
        }
        "exact signed-rank null: number of subsets with rank sum s (n=5), and minimum two-sided p by n = 2/2^n" => {
            Ok(signed_rank_null(case))
        }
        "Mann-Whitney U exact and asymptotic, Cliff delta, HL shift"
        | "Mann-Whitney U on latency sets (no ties)" => mann_whitney(case),
        "Brunner-Munzel (scipy sign convention), t distribution" => brunner_munzel(case),
        "smallest attainable two-sided exact p for equal groups n: 2/C(2n,n)" => {
            Ok(smallest_p(case))
        }
        "exact sign-flip (paired randomisation) test on 12 prompt-mean differences, statistic |mean|, all 2^12" => {
            sign_flip(&case.list("diff_of_prompt_means"))
        }
        "adjusted p-values (input order kept)" => adjusted(case),
        "TOST on paired prompt-mean differences; p = max of the two one-sided p; equivalent iff 90% CI inside (low,high)" => {
            tost(case, equiv::tost_paired)
        }
        "TOST Welch two-sample, seconds" => tost(case, equiv::tost_welch),
        "regression gate on a CI for candidate-baseline (higher is better): pass if lo>-margin, fail if hi<-margin, else inconclusive" => {
            gate(case)
        }
        "three models on the same prompts: Friedman omnibus, then exact Wilcoxon pairs with Holm" => {
            friedman_holm(case)
        }
        "questions needed for a paired comparison: n=(z_{a/2}+z_b)^2 (omega^2+sA^2/KA+sB^2/KB)/delta^2" => {
            replicated_units(case)
        }
        "minimum detectable effect for n prompts, K samples" => replicated_effect(case),
        "paired/one-sample t: n for effect size dz, and MDE dz for n" => power_paired(case),
        "independent two-sample t (equal n): n per arm, MDE d" => power_two_sample(case),
        "pairs for McNemar (Connor 1987): n=(z_{a/2} sqrt(psi)+z_b sqrt(psi-d^2))^2/d^2, psi=p10+p01, d=p10-p01; and unpaired two-proportion n per arm" => {
            power_mcnemar(case)
        }
        "pairs for a one-sided non-inferiority gate: n=((z_{1-a}+z_b) sd_d/(margin+true_diff))^2" => {
            power_non_inferiority(case)
        }
        "optimal samples per prompt K*=sqrt((var_within/var_between)*(cost_per_prompt/cost_per_sample)); SE^2=(vb+vw/K)/N" => {
            optimal_k(case)
        }
        "paired Bayesian comparison (bivariate-probit, theta~U(0,1), rho=2*Beta(4,2)-1; bayes_evals paired_comparisons): P(A>B), posterior mean and 95% CrI of theta_A-theta_B" => {
            bivariate_probit(case)
        }
        "Dirichlet(1,1,1,1) paired model: P(A>B)=P(Beta(only_A+1,only_B+1)>1/2)" => {
            Ok(dirichlet(case))
        }
        "predictable plug-in empirical-Bernstein confidence sequence on [0,1] (Waudby-Smith & Ramdas; confseq predmix_empbern_twosided_cs, truncation .5, no running intersection)" => {
            empirical_bernstein(case)
        }
        "asymptotic confidence sequence: mean +- s*sqrt(2(t rho^2+1)/(t^2 rho^2) * log(sqrt(t rho^2+1)/alpha)), s=population SD so far" => {
            asymptotic(case)
        }
        "mSPRT with N(0,tau^2) mixture, known variance s2: Lambda_n; always-valid p = min(1, 1/max Lambda)" => {
            msprt(case)
        }
        "anytime-valid McNemar e-value 2^(b+c) B(b+1,c+1), after each discordant pair of the stream (1 = A only, 0 = B only)" => {
            Ok(e_values(case))
        }
        "type-I error of testing at z=1.96 after every 10 of 200 observations under H0 (Monte Carlo, 4000 reps)" => {
            Ok(json!({"type1": seq::repeated_looks_error(case.n("looks"), 1.96).ok()}))
        }
        _ => return None,
    })
}

fn paired_binary(case: &Case) -> Computed {
    let table = PairedTable {
        both_pass: case.u("both_pass"),
        only_a: case.u("only_A"),
        only_b: case.u("only_B"),
        both_fail: case.u("both_fail"),
    };
    let conf = case.conf();
    // the margin is a parameter that the vectors keep among the expected fields
    let margin = case.expected()["noninf_margin"].as_f64().unwrap_or(0.05);
    let noninf = pb::tango_non_inferiority(&table, margin)?;
    let mut out = json!({
        "diff": pb::difference(&table)?,
        "exact_p": pb::mcnemar_exact(&table)?.p_value,
        "midp_p": pb::mcnemar_mid_p(&table)?.p_value,
        "newcombe_paired_plain_phi": bounds(&pb::newcombe_paired_plain(&table, conf)?),
        "newcombe_paired_method10": bounds(&pb::newcombe_paired(&table, conf)?),
        "bonett_price": bounds(&pb::bonett_price(&table, conf)?),
        "tango": bounds(&pb::tango(&table, conf)?),
        "wald": bounds(&pb::wald_paired(&table, conf)?),
        "noninf_margin": margin,
        "noninf_tango_z": noninf.statistic,
        "noninf_tango_p": noninf.p_value,
        "evalue_betabinom": num(seq::e_value(table.only_a, table.only_b)),
    });
    if table.only_a + table.only_b > 0 {
        let (plain, corrected) = (pb::mcnemar_chi2(&table)?, pb::mcnemar_chi2_cc(&table)?);
        out["chi2_nocc"] = json!(plain.statistic);
        out["chi2_nocc_p"] = json!(plain.p_value);
        out["chi2_cc"] = json!(corrected.statistic);
        out["chi2_cc_p"] = json!(corrected.p_value);
    }
    Ok(out)
}

fn wilcoxon(case: &Case) -> Computed {
    let (x, y) = (case.list("x"), case.list("y"));
    let sums = rank::signed_ranks(&x, &y, Zeros::Drop)?;
    let normal = |cc| {
        rank::wilcoxon_normal(&x, &y, Zeros::Drop, Alternative::TwoSided, cc).map(|t| t.p_value)
    };
    let h = rank::hodges_lehmann(&x, &y, case.conf())?;
    Ok(json!({
        "W_plus": sums.plus,
        "W_min": sums.plus.min(sums.minus),
        "p_exact_two_sided": rank::wilcoxon_exact(&x, &y, Alternative::TwoSided)?.p_value,
        "p_exact_greater": rank::wilcoxon_exact(&x, &y, Alternative::Greater)?.p_value,
        "p_asym": normal(false)?,
        "p_asym_cc": normal(true)?,
        "hl": h.estimate.point,
        "hl_ci": bounds(&h.estimate),
        "hl_ci_achieved": h.coverage,
        "qsignrank": h.rank,
    }))
}

fn zero_methods(case: &Case) -> Computed {
    let (x, y) = (case.list("x"), case.list("y"));
    let one = |zeros| {
        rank::wilcoxon_normal(&x, &y, zeros, Alternative::TwoSided, false)
            .map(|t| json!({"stat": t.statistic, "p": t.p_value}))
    };
    Ok(
        json!({"wilcox": one(Zeros::Drop)?, "pratt": one(Zeros::Pratt)?, "zsplit": one(Zeros::Split)?}),
    )
}

fn signed_rank_null(case: &Case) -> Value {
    let smallest: Vec<f64> = case
        .counts("ns")
        .into_iter()
        .map(|n| rank::smallest_wilcoxon_p(n as usize))
        .collect();
    json!({"counts": rank::signed_rank_counts(case.n("n")), "min_two_sided_p": smallest})
}

fn mann_whitney(case: &Case) -> Computed {
    let (x, y) = (case.list("x"), case.list("y"));
    let (u1, u2) = rank::mann_whitney_u(&x, &y)?;
    let normal =
        |cc| rank::mann_whitney_normal(&x, &y, Alternative::TwoSided, cc).map(|t| t.p_value);
    Ok(json!({
        "U1": u1,
        "U2": u2,
        "p_exact": rank::mann_whitney_exact(&x, &y, Alternative::TwoSided)?.p_value,
        "p_exact_greater": rank::mann_whitney_exact(&x, &y, Alternative::Greater)?.p_value,
        "p_asym_cc": normal(true)?,
        "p_asym": normal(false)?,
        "cliffs_delta": rank::cliffs_delta(&x, &y)?,
        "hl_shift": rank::hodges_lehmann_shift(&x, &y)?.point,
    }))
}

fn brunner_munzel(case: &Case) -> Computed {
    let t = rank::brunner_munzel(&case.list("x"), &case.list("y"))?;
    Ok(json!({"stat": t.statistic, "p": t.p_value}))
}

fn smallest_p(case: &Case) -> Value {
    case.counts("n")
        .into_iter()
        .map(|n| num(rank::smallest_mann_whitney_p(n as usize, n as usize)))
        .collect()
}

fn adjusted(case: &Case) -> Computed {
    let (p, alpha) = (case.list("p"), case.f("alpha"));
    let methods = [
        ("bonferroni", Method::Bonferroni),
        ("holm", Method::Holm),
        ("hochberg", Method::Hochberg),
        ("hommel", Method::Hommel),
        ("bh", Method::BenjaminiHochberg),
        ("by", Method::BenjaminiYekutieli),
    ];
    let mut out = json!({"reject": {}});
    for (name, method) in methods {
        let q = multi::adjust(&p, method)?;
        // the reference rejects on unrounded comparisons: 0.05 computed as 0.049999999999999996 counts as reached
        out["reject"][name] = json!(q.iter().filter(|v| **v <= alpha + 1e-12).count());
        out[name] = nums(&q);
    }
    Ok(out)
}

type TostFn = fn(&[f64], &[f64], f64, f64, f64) -> Result<Tost, evalh::stats::NotEstimable>;

fn tost(case: &Case, method: TostFn) -> Computed {
    let t = method(
        &case.list("x"),
        &case.list("y"),
        case.f("low"),
        case.f("high"),
        0.05,
    )?;
    Ok(json!({
        "p": t.test.p_value,
        "t_lower": t.t_lower,
        "p_lower": t.p_lower,
        "t_upper": t.t_upper,
        "p_upper": t.p_upper,
        "df": t.df,
        "ci90": pair(&t.interval),
        "noninferior_at_low": t.non_inferior(0.05),
    }))
}

fn gate(case: &Case) -> Computed {
    let decide = |c: &Value| -> Result<Value, evalh::stats::NotEstimable> {
        let get = |key: &str| super::case::number(&c[key]);
        let verdict = equiv::gate(&Interval::new(0.9, get("lo"), get("hi")), get("margin"))?;
        Ok(json!(match verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail_regression",
            Verdict::Inconclusive => "inconclusive",
        }))
    };
    Ok(items(case.input("cases"))
        .iter()
        .map(decide)
        .collect::<Result<Vec<_>, _>>()?
        .into())
}

fn friedman_holm(case: &Case) -> Computed {
    let rows = case.matrix("prompt_means");
    let test = rank::friedman(&rows)?;
    let column = |j: usize| -> Vec<f64> { rows.iter().map(|r| r[j]).collect() };
    let p = [(0, 1), (0, 2), (1, 2)]
        .into_iter()
        .map(|(i, j)| {
            rank::wilcoxon_exact(&column(i), &column(j), Alternative::TwoSided).map(|t| t.p_value)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "friedman_chi2": test.statistic,
        "friedman_p": test.p_value,
        "pair_p": nums(&p),
        "pair_holm": nums(&multi::holm(&p)?),
    }))
}

fn errors(case: &Case) -> Errors {
    Errors {
        alpha: case.f("alpha"),
        power: case.f("power"),
    }
}

fn replicated_units(case: &Case) -> Computed {
    let [delta, omega2, within_a, within_b, k_a, k_b] =
        ["delta", "omega2", "sA2", "sB2", "KA", "KB"].map(|k| case.list(k));
    let one = |i: usize| {
        let variance = PairedVariance {
            omega2: omega2[i],
            within_a: within_a[i],
            within_b: within_b[i],
            replicates_a: k_a[i],
            replicates_b: k_b[i],
        };
        power::replicated_units(delta[i], variance, errors(case))
    };
    Ok((0..delta.len())
        .map(one)
        .collect::<Result<Vec<_>, _>>()?
        .into())
}

fn replicated_effect(case: &Case) -> Computed {
    let variance = PairedVariance {
        omega2: case.f("omega2"),
        within_a: case.f("sA2"),
        within_b: case.f("sB2"),
        replicates_a: case.f("K"),
        replicates_b: case.f("K"),
    };
    let one = |n: u64| power::replicated_effect(n as usize, variance, errors(case));
    Ok(case
        .counts("n")
        .into_iter()
        .map(one)
        .collect::<Result<Vec<_>, _>>()?
        .into())
}

fn power_paired(case: &Case) -> Computed {
    let e = errors(case);
    let units = case
        .list("dz")
        .into_iter()
        .map(|d| power::paired_t_units(d, e))
        .collect::<Result<Vec<_>, _>>()?;
    let effects = case
        .counts("n")
        .into_iter()
        .map(|n| power::paired_t_effect(n as usize, e))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "n_for_dz": units,
        "mde_dz": effects,
        "power_at_n15_d05": power::paired_t_power(0.5, 15, e.alpha)?,
    }))
}

fn power_two_sample(case: &Case) -> Computed {
    let e = errors(case);
    let units = case
        .list("d")
        .into_iter()
        .map(|d| power::two_sample_t_units(d, e))
        .collect::<Result<Vec<_>, _>>()?;
    let effects = case
        .counts("n")
        .into_iter()
        .map(|n| power::two_sample_t_effect(n as usize, e))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"n_per_arm": units, "mde_d": effects}))
}

fn power_mcnemar(case: &Case) -> Computed {
    let e = errors(case);
    let zip = |a: &str, b: &str| {
        case.list(a)
            .into_iter()
            .zip(case.list(b))
            .collect::<Vec<_>>()
    };
    let pairs = zip("p10", "p01")
        .into_iter()
        .map(|(a, b)| power::mcnemar_pairs(a, b, e))
        .collect::<Result<Vec<_>, _>>()?;
    let arms = zip("p1", "p2")
        .into_iter()
        .map(|(a, b)| power::two_proportions_units(a, b, e))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"mcnemar_pairs": pairs, "two_prop_per_arm": arms}))
}

fn power_non_inferiority(case: &Case) -> Computed {
    let (sd, margin, diff) = (
        case.list("sd_d"),
        case.list("margin"),
        case.list("true_diff"),
    );
    let one = |i: usize| power::non_inferiority_units(sd[i], margin[i], diff[i], errors(case));
    Ok((0..sd.len())
        .map(one)
        .collect::<Result<Vec<_>, _>>()?
        .into())
}

fn optimal_k(case: &Case) -> Computed {
    let [vb, vw, unit, sample] = [
        "var_between",
        "var_within",
        "cost_per_prompt",
        "cost_per_sample",
    ]
    .map(|k| case.list(k));
    let star = (0..vb.len())
        .map(|i| power::optimal_replicates(vb[i], vw[i], unit[i], sample[i]))
        .collect::<Result<Vec<_>, _>>()?;
    let se = case
        .counts("K")
        .into_iter()
        .map(|k| power::replicated_se(vb[0], vw[0], case.n("N"), k as usize))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"k_star": star, "se_by_K": se}))
}

fn bivariate_probit(case: &Case) -> Computed {
    let table = PairedTable {
        both_pass: case.u("both"),
        only_a: case.u("only_A"),
        only_b: case.u("only_B"),
        both_fail: case.u("neither"),
    };
    let p = bayes::bivariate_probit(&table, 0.95)?;
    Ok(json!({
        "prob_A_gt_B": p.prob_a_better,
        "mean_diff": p.difference.point,
        "ci95": bounds(&p.difference),
        "quadrature_check_prob": p.coarse_prob,
    }))
}

fn dirichlet(case: &Case) -> Value {
    case.counts("only_A")
        .into_iter()
        .zip(case.counts("only_B"))
        .map(|(a, b)| num(bayes::dirichlet_paired(a, b)))
        .collect()
}

fn empirical_bernstein(case: &Case) -> Computed {
    let sequence = seq::empirical_bernstein(&case.list("x"), case.f("alpha"))?;
    let met = seq::running_intersection(&sequence);
    let at = |s: &[Interval], side: fn(&Interval) -> Option<f64>| -> Value {
        case.counts("report_at")
            .into_iter()
            .map(|t| json!(side(&s[t as usize - 1])))
            .collect()
    };
    Ok(json!({
        "lower": at(&sequence, |i| i.lower),
        "upper": at(&sequence, |i| i.upper),
        "lower_running": at(&met, |i| i.lower),
        "upper_running": at(&met, |i| i.upper),
    }))
}

fn asymptotic(case: &Case) -> Computed {
    let sequence = seq::asymptotic_cs(&case.list("x"), case.f("alpha"), case.f("rho"))?;
    let picked: Vec<(f64, f64)> = case
        .counts("report_at")
        .into_iter()
        .map(|t| sequence[t as usize - 1])
        .collect();
    let (mean, radius): (Vec<f64>, Vec<f64>) = picked.into_iter().unzip();
    Ok(json!({"mean": mean, "radius": radius}))
}

fn msprt(case: &Case) -> Computed {
    let one = |(n, x)| seq::msprt(n as usize, x, case.f("s2"), case.f("tau2"));
    Ok(case
        .counts("n")
        .into_iter()
        .zip(case.list("xbar"))
        .map(one)
        .collect::<Result<Vec<_>, _>>()?
        .into())
}

fn e_values(case: &Case) -> Value {
    let stream: Vec<bool> = case.list("stream").into_iter().map(|x| x == 1.0).collect();
    nums(&seq::e_value_stream(&stream))
}
