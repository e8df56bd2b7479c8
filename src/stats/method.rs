//! The closed list of methods, each with a stable text id.
//!
//! The id is stored beside every number and printed in reports, so an id never changes its meaning; a changed formula gets
//! a new id. `docs/statistics.md` describes every id, and a test holds the two lists together.

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident => $id:literal,)*) => {
        /// How a number was computed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Method { $($(#[$doc])* $variant,)* }

        impl Method {
            /// Every method, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text id.
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// The method with this id.
            pub fn from_id(id: &str) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

methods! {
    /// Mean with Student's t, one observation a unit.
    T => "t",
    /// Mean of cluster means with Student's t on G - 1 degrees of freedom.
    ClusterMeansT => "cluster-means-t",
    /// Mean over observations with the CR1 cluster-robust standard error and t on G - 1 degrees of freedom.
    ClusteredT => "cr1-t",
    /// Mean with the normal quantile and the standard error of independent observations.
    NaiveZ => "naive-z",
    /// Wilson score interval of a proportion.
    Wilson => "wilson",
    /// Wilson score interval with continuity correction.
    WilsonCc => "wilson-cc",
    /// Wilson interval on the effective number of observations with the t quantile.
    WilsonNeffT => "wilson-neff-t",
    /// Wilson interval on the effective number of observations with the normal quantile.
    WilsonNeffZ => "wilson-neff-z",
    /// Clopper-Pearson exact interval of a proportion.
    ClopperPearson => "clopper-pearson",
    /// Korn-Graubard: Clopper-Pearson on the effective number of observations.
    KornGraubard => "korn-graubard",
    /// Jeffreys interval, Beta(1/2, 1/2) prior.
    Jeffreys => "jeffreys",
    /// Beta posterior under a uniform prior.
    BetaUniform => "beta-uniform",
    /// Agresti-Coull interval.
    AgrestiCoull => "agresti-coull",
    /// Wald interval, kept to show why it is not used.
    Wald => "wald",
    /// Exact one-sided bound when no failure was seen.
    ZeroFailures => "zero-failures",
    /// Clustered Bayesian pass rate: Gamma(1,1) concentration, uniform rate, beta-binomial clusters.
    ClusteredBayes => "clustered-bayes",
    /// Newcombe hybrid score interval of the difference of two independent proportions.
    NewcombeHybrid => "newcombe-hybrid",
    /// Miettinen-Nurminen score interval of the difference of two independent proportions.
    MiettinenNurminen => "miettinen-nurminen",
    /// Fisher's exact test.
    FisherExact => "fisher-exact",
    /// Probability that one of two rates is larger, independent uniform priors.
    BetaSuperiority => "beta-superiority",
    /// Sample quantile, type 7, without an interval.
    Quantile7 => "quantile-7",
    /// Distribution-free interval of a quantile from order statistics.
    OrderStatistic => "order-statistic",
    /// Early-stopping bound of a percentile from the incomplete beta function.
    EarlyStopping => "early-stopping",
    /// Student's t on paired differences.
    PairedT => "paired-t",
    /// Welch's t for independent groups.
    WelchT => "welch-t",
    /// Student's t for independent groups with one variance.
    StudentT => "student-t",
    /// Sign-flip permutation test over all sign patterns.
    SignFlipExact => "sign-flip-exact",
    /// Sign-flip permutation test over seeded random sign patterns.
    SignFlipRandom => "sign-flip-random",
    /// Sign-flip test of many statistics at once by the largest t.
    SignFlipMaxT => "sign-flip-max-t",
    /// McNemar, exact binomial.
    McNemarExact => "mcnemar-exact",
    /// McNemar, mid-p.
    McNemarMidP => "mcnemar-mid-p",
    /// McNemar, chi-square.
    McNemarChi2 => "mcnemar-chi2",
    /// McNemar, chi-square with continuity correction.
    McNemarChi2Cc => "mcnemar-chi2-cc",
    /// Tango score interval of the difference of paired proportions.
    Tango => "tango",
    /// Newcombe interval of the difference of paired proportions, method 10.
    NewcombePaired => "newcombe-paired",
    /// Newcombe interval of the difference of paired proportions with the uncorrected phi.
    NewcombePairedPlain => "newcombe-paired-plain",
    /// Bonett-Price interval of the difference of paired proportions.
    BonettPrice => "bonett-price",
    /// Wald interval of the difference of paired proportions, kept to show why it is not used.
    WaldPaired => "wald-paired",
    /// Tango score test of non-inferiority.
    TangoNonInferiority => "tango-non-inferiority",
    /// Probability of superiority from the discordant pairs, Dirichlet(1,1,1,1) prior.
    DirichletPaired => "dirichlet-paired",
    /// Bayesian comparison of paired proportions with a bivariate probit.
    BivariateProbit => "bivariate-probit",
    /// Mann-Whitney U, exact, ties included.
    MannWhitneyExact => "mann-whitney-exact",
    /// Mann-Whitney U, normal approximation.
    MannWhitneyNormal => "mann-whitney-normal",
    /// Wilcoxon signed-rank, exact, ties included.
    WilcoxonExact => "wilcoxon-exact",
    /// Wilcoxon signed-rank, normal approximation.
    WilcoxonNormal => "wilcoxon-normal",
    /// Hodges-Lehmann estimate with the exact signed-rank interval.
    HodgesLehmann => "hodges-lehmann",
    /// Hodges-Lehmann shift between two independent groups.
    HodgesLehmannShift => "hodges-lehmann-shift",
    /// Brunner-Munzel test.
    BrunnerMunzel => "brunner-munzel",
    /// Friedman test.
    Friedman => "friedman",
    /// Standardised mean difference of pairs, interval from the noncentral t.
    CohenDz => "cohen-dz",
    /// Standardised mean difference of two groups, interval from the noncentral t.
    CohenD => "cohen-d",
    /// Hedges' g.
    HedgesG => "hedges-g",
    /// Cliff's delta.
    CliffsDelta => "cliffs-delta",
    /// Ratio of sums with the linearised standard error.
    RatioOfSums => "ratio-of-sums",
    /// Geometric mean of paired ratios, t on their logarithms.
    LogRatioT => "log-ratio-t",
    /// Fieller interval of a ratio of paired means.
    FiellerPaired => "fieller-paired",
    /// Fieller interval of a ratio of independent means.
    FiellerIndependent => "fieller-independent",
    /// Ratio of independent means, delta method on the logarithm.
    DeltaLogRatio => "delta-log-ratio",
    /// Percentile bootstrap over units.
    BootstrapPercentile => "bootstrap-percentile",
    /// Basic bootstrap over units.
    BootstrapBasic => "bootstrap-basic",
    /// Bias-corrected and accelerated bootstrap over units.
    BootstrapBca => "bootstrap-bca",
    /// Studentised bootstrap of the mean.
    BootstrapT => "bootstrap-t",
    /// Two one-sided t tests on paired differences.
    TostPaired => "tost-paired",
    /// Two one-sided t tests for independent groups.
    TostWelch => "tost-welch",
    /// Non-inferiority by a one-sided t test on paired differences.
    NonInferiorityT => "non-inferiority-t",
    /// Three-way verdict of an interval against a margin.
    ThreeWayGate => "three-way-gate",
    /// Bonferroni adjustment.
    Bonferroni => "bonferroni",
    /// Holm adjustment.
    Holm => "holm",
    /// Hochberg adjustment.
    Hochberg => "hochberg",
    /// Hommel adjustment.
    Hommel => "hommel",
    /// Benjamini-Hochberg adjustment.
    BenjaminiHochberg => "bh",
    /// Benjamini-Yekutieli adjustment.
    BenjaminiYekutieli => "by",
    /// Power, sample size and detectable effect of a paired t test from the noncentral t.
    PowerPairedT => "power-paired-t",
    /// Power, sample size and detectable effect of a two-group t test from the noncentral t.
    PowerTwoSampleT => "power-two-sample-t",
    /// Sample size and detectable effect of a paired comparison with replicates, normal approximation.
    PowerReplicates => "power-replicates",
    /// Pairs for McNemar's test.
    PowerMcNemar => "power-mcnemar",
    /// Units per group for two independent proportions.
    PowerTwoProportions => "power-two-proportions",
    /// Pairs for a non-inferiority gate.
    PowerNonInferiority => "power-non-inferiority",
    /// Variance components, intraclass correlation and design effect.
    VarianceComponents => "variance-components",
    /// E-value of the discordant pairs against a fair coin.
    EValueDiscordant => "e-value-discordant",
    /// Empirical-Bernstein confidence sequence of a mean on 0 to 1.
    EmpiricalBernsteinCs => "empirical-bernstein-cs",
    /// Confidence sequence of a bounded mean: the means that a uniform mixture of bets does not reject.
    BettingMixture => "betting-mixture-cs",
    /// E-value of a uniform mixture of bets against one mean.
    BettingEValue => "betting-mixture-e",
    /// Asymptotic confidence sequence of a mean.
    AsymptoticCs => "asymptotic-cs",
    /// Mixture sequential probability ratio test.
    MSprt => "msprt",
    /// Type I error of repeated looks at a fixed critical value.
    RepeatedLooks => "repeated-looks",
    /// Cohen's kappa.
    CohenKappa => "cohen-kappa",
    /// Fleiss' kappa.
    FleissKappa => "fleiss-kappa",
    /// Krippendorff's alpha.
    KrippendorffAlpha => "krippendorff-alpha",
    /// Brier score.
    Brier => "brier",
    /// Logarithmic loss.
    LogLoss => "log-loss",
    /// Expected calibration error.
    Ece => "ece",
    /// Area under the ROC curve.
    Auroc => "auroc",
    /// Unbiased pass@k.
    PassAtK => "pass-at-k",
    /// Unbiased pass^k.
    PassHatK => "pass-hat-k",
    /// Bradley-Terry maximum likelihood.
    BradleyTerry => "bradley-terry",
    /// Prediction-powered mean.
    PredictionPowered => "prediction-powered",
    /// Mann-Kendall trend test.
    MannKendall => "mann-kendall",
    /// Theil-Sen slope with Sen's interval.
    TheilSen => "theil-sen",
    /// Pettitt change point.
    Pettitt => "pettitt",
    /// Least-squares slope against position.
    OlsSlope => "ols-slope",
    /// Spearman rank correlation with position.
    Spearman => "spearman",
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::Method;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_read_back() {
        let ids: BTreeSet<&str> = Method::ALL.iter().map(|m| m.id()).collect();
        assert_eq!(ids.len(), Method::ALL.len());
        for &m in Method::ALL {
            assert_eq!(Method::from_id(m.id()), Some(m));
        }
        assert_eq!(Method::from_id("no-such-method"), None);
    }

    #[test]
    fn the_documentation_describes_every_method_and_no_other() {
        let page = include_str!("../../docs/statistics.md");
        let rows = page
            .lines()
            .filter_map(|l| l.strip_prefix("| `")?.split_once('`'));
        let documented: Vec<&str> = rows.map(|(id, _)| id).collect();
        let ids: BTreeSet<&str> = Method::ALL.iter().map(|m| m.id()).collect();
        assert_eq!(documented.iter().copied().collect::<BTreeSet<_>>(), ids);
        assert_eq!(documented.len(), ids.len(), "a method is described twice");
    }
}
