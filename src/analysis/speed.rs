//! Latency and throughput.

use super::dataset::{ModelData, Sums};
use super::estimate;
use super::model::{Figure, SloReport};
use super::options::{AnalysisOptions, Slo, SloTarget};
use super::value::{Absence, Value};
use crate::metric::{self, LatencyFamily, Statistic};
use crate::record::{Generation, SampleRecord, TaskKind};
use crate::stats::desc;

/// Requests from which on the first and the last third are compared.
const SUSTAINED_LEAST: usize = 9;

/// The latency and throughput metrics of a model, limits left out.
pub(super) fn values(
    data: &ModelData<'_>,
    options: &AnalysisOptions,
) -> Vec<(&'static str, Value)> {
    let level = options.level;
    let mut out = Vec::new();
    for family in LatencyFamily::ALL {
        out.extend(family_values(data, family, level));
    }
    out.push(("itl_jitter", jitter(data)));
    out.push(("first_request_ratio", first_request(data)));
    out.push(("load_ms", load(data)));
    out.extend(throughput(data, options));
    out.push(("sustained_ratio", sustained(data)));
    let tokens = |count: fn(&Generation) -> f64| {
        let clusters = data.prompts.clusters(|s| s.generation.as_ref().map(count));
        or_absent(&clusters, Absence::NoGenerations, |c| {
            estimate::mean_of_prompts(c, level)
        })
    };
    out.push(("prompt_tokens_mean", tokens(|g| f64::from(g.prompt_tokens))));
    out.push((
        "completion_tokens_mean",
        tokens(|g| f64::from(g.completion_tokens())),
    ));
    out.push(("completion_words_mean", tokens(|g| metric::words(g) as f64)));
    out.extend(reasoning(data, level));
    out
}

/// Whether any generation has thoughts.
fn reasons(data: &ModelData<'_>) -> bool {
    data.generations()
        .any(|g| g.reasoning.is_some_and(|r| r.tokens > 0))
}

const NO_THOUGHTS: Absence = Absence::NotMeasured("no generation has thoughts");

/// How much is written before the answer.
fn reasoning(data: &ModelData<'_>, level: f64) -> [(&'static str, Value); 2] {
    if !reasons(data) {
        let why = if data.generations().next().is_none() {
            Absence::NoGenerations
        } else {
            NO_THOUGHTS
        };
        return [
            ("reasoning_tokens_mean", why.clone().into()),
            ("reasoning_share", why.into()),
        ];
    }
    let before = |g: &Generation| f64::from(g.reasoning.map_or(0, |r| r.tokens));
    let clusters = data.prompts.clusters(|s| s.generation.as_ref().map(before));
    let shares = data.prompts.sums(|s| {
        let g = s.generation.as_ref()?;
        Some((before(g), f64::from(g.completion_tokens())))
    });
    [
        (
            "reasoning_tokens_mean",
            estimate::mean_of_prompts(&clusters, level).clipped(0.0, f64::MAX),
        ),
        (
            "reasoning_share",
            ratio(&shares, Absence::NoGenerations, level).clipped(0.0, 1.0),
        ),
    ]
}

fn or_absent(
    clusters: &[Vec<f64>],
    absence: Absence,
    f: impl FnOnce(&[Vec<f64>]) -> Value,
) -> Value {
    if clusters.is_empty() {
        absence.into()
    } else {
        f(clusters)
    }
}

fn times(data: &ModelData<'_>, family: LatencyFamily) -> Vec<Vec<f64>> {
    data.prompts.clusters(|s| {
        s.generation
            .iter()
            .flat_map(|g| family.observe(g))
            .collect::<Vec<f64>>()
    })
}

fn family_values(
    data: &ModelData<'_>,
    family: LatencyFamily,
    level: f64,
) -> impl Iterator<Item = (&'static str, Value)> {
    let clusters = match family {
        // Without thoughts it would be the time to first token a second time.
        LatencyFamily::FirstAnswer if !reasons(data) => Vec::new(),
        _ => times(data, family),
    };
    let absence = absence(data, family);
    family
        .metrics()
        .iter()
        .zip(LatencyFamily::STATISTICS)
        .map(move |(m, statistic)| {
            let value = or_absent(&clusters, absence.clone(), |c| match statistic {
                Statistic::Mean => estimate::mean_of_prompts(c, level).clipped(0.0, f64::MAX),
                Statistic::Percentile(p) => estimate::quantile(c, f64::from(p) / 100.0, level),
            });
            (m.id, value)
        })
}

/// Why a family has no observation.
fn absence(data: &ModelData<'_>, family: LatencyFamily) -> Absence {
    if data.generations().next().is_none() {
        return Absence::NoGenerations;
    }
    match family {
        LatencyFamily::Prefill => Absence::NotMeasured("the engine does not report prefill time"),
        LatencyFamily::Ttft => Absence::NotMeasured("no generation has a token"),
        LatencyFamily::FirstAnswer if reasons(data) => {
            Absence::NotMeasured("no generation with thoughts has an answer")
        }
        LatencyFamily::FirstAnswer => NO_THOUGHTS,
        _ => Absence::FewerThanTwoTokens,
    }
}

fn jitter(data: &ModelData<'_>) -> Value {
    let gaps: Vec<f64> = times(data, LatencyFamily::Itl).concat();
    let at = |q| desc::quantile(&gaps, q, desc::QuantileType::Type7);
    match (at(0.99), at(0.5)) {
        (Some(p99), Some(p50)) if p50 > 0.0 => Value::single(p99 / p50, "description", gaps.len()),
        _ => absence(data, LatencyFamily::Itl).into(),
    }
}

fn first_request(data: &ModelData<'_>) -> Value {
    let ttft: Vec<f64> = data.generations().filter_map(metric::ttft_ms).collect();
    match (ttft.first(), desc::median(&ttft)) {
        (Some(first), Some(median)) if median > 0.0 => {
            Value::single(first / median, "description", ttft.len())
        }
        _ => absence(data, LatencyFamily::Ttft).into(),
    }
}

fn load(data: &ModelData<'_>) -> Value {
    match &data.model.loaded {
        Some(loaded) => Value::single(loaded.load.as_nanos() as f64 / 1e6, "measured-once", 1),
        None => Absence::NotMeasured("the model was not loaded").into(),
    }
}

/// Decode speed of the requests in the order they were made.
pub(super) fn decode_speeds(data: &ModelData<'_>) -> Vec<f64> {
    data.generations()
        .filter_map(metric::tpot_ms)
        .filter(|t| *t > 0.0)
        .map(|t| 1e3 / t)
        .collect()
}

fn sustained(data: &ModelData<'_>) -> Value {
    let speeds = decode_speeds(data);
    if speeds.len() < SUSTAINED_LEAST {
        return Absence::TooFewRequests {
            needs: SUSTAINED_LEAST,
            has: speeds.len(),
        }
        .into();
    }
    let third = speeds.len() / 3;
    match (
        desc::median(&speeds[speeds.len() - third..]),
        desc::median(&speeds[..third]),
    ) {
        (Some(last), Some(first)) => Value::single(last / first, "description", speeds.len()),
        _ => Absence::NoObservations.into(),
    }
}

fn throughput(data: &ModelData<'_>, options: &AnalysisOptions) -> Vec<(&'static str, Value)> {
    let seconds = |g: &Generation| metric::e2e_ms(g) / 1e3;
    let minutes = |g: &Generation| metric::e2e_ms(g) / 6e4;
    let rate = |observe: &dyn Fn(&Generation) -> Option<(f64, f64)>, absence: Absence| {
        let sums = data
            .prompts
            .sums(|s| s.generation.as_ref().and_then(observe));
        ratio(&sums, absence, options.level)
    };
    let none = || absence(data, LatencyFamily::E2e);
    let decode = |g: &Generation| {
        Some((
            g.timing.token_at.len().checked_sub(1)? as f64,
            metric::decode_ms(g)? / 1e3,
        ))
    };
    let prefill = |g: &Generation| Some((f64::from(g.prompt_tokens), metric::prefill_ms(g)? / 1e3));
    let good =
        |g: &Generation| Some((f64::from(u8::from(within_all(g, &options.slo))), minutes(g)));
    let goodput = if options.slo.is_empty() {
        Absence::NoLimit.into()
    } else {
        rate(&good, none())
    };
    vec![
        (
            "decode_tps",
            rate(&decode, absence(data, LatencyFamily::Tpot)),
        ),
        (
            "prefill_tps",
            rate(&prefill, absence(data, LatencyFamily::Prefill)),
        ),
        (
            "e2e_tps",
            rate(
                &|g| Some((f64::from(g.completion_tokens()), seconds(g))),
                none(),
            ),
        ),
        (
            "e2e_cps",
            rate(
                &|g| Some((metric::characters(g) as f64, seconds(g))),
                none(),
            ),
        ),
        (
            "requests_per_min",
            rate(&|g| Some((1.0, minutes(g))), none()),
        ),
        ("goodput_per_min", goodput),
    ]
}

fn ratio(sums: &Sums, absence: Absence, level: f64) -> Value {
    if sums.denominators.is_empty() {
        return absence.into();
    }
    estimate::ratio_of_sums(sums, level)
}

/// Whether a generation keeps a limit; `None` when it has no such time.
fn within(generation: &Generation, slo: &Slo) -> Option<bool> {
    let time = slo.target.family().observe(generation).first().copied()?;
    Some(time <= slo.limit.as_nanos() as f64 / 1e6)
}

fn within_all(generation: &Generation, limits: &[Slo]) -> bool {
    limits
        .iter()
        .all(|slo| within(generation, slo).unwrap_or(slo.target == SloTarget::Tpot))
}

/// Whether a sample keeps a limit. A failed sample and one cut off by the time limit miss it; what is not generated has no time.
fn sample_within(sample: &SampleRecord, slo: &Slo) -> Option<bool> {
    if sample.kind != TaskKind::Generate {
        return None;
    }
    let Some(generation) = &sample.generation else {
        return Some(false);
    };
    let unfinished = matches!(generation.finish, crate::record::Finish::Timeout);
    match (within(generation, slo), slo.target) {
        (Some(_), SloTarget::E2e) if unfinished => Some(false),
        (Some(kept), _) => Some(kept),
        (None, SloTarget::Tpot) => None,
        (None, _) => Some(false),
    }
}

/// One report a target, in the order of the catalogue.
pub(super) fn slos(
    data: &ModelData<'_>,
    options: &AnalysisOptions,
    figure: impl Fn(&'static str, Value) -> Option<Figure>,
) -> Vec<SloReport> {
    SloTarget::ALL
        .into_iter()
        .filter_map(|target| {
            let slo = *options.slo.iter().find(|s| s.target == target)?;
            let clusters = data
                .prompts
                .clusters(|s| sample_within(s, &slo).map(|kept| f64::from(u8::from(kept))));
            let kept: f64 = clusters.iter().flatten().sum();
            let of = clusters.iter().map(Vec::len).sum::<usize>() as u64;
            let value = estimate::share_at_least(&clusters, options.level);
            Some(SloReport {
                slo,
                within: kept as u64,
                of,
                figure: figure(target.metric_id(), value)?,
            })
        })
        .collect()
}
