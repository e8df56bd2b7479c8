//! Puts a report together.

use super::dataset::ModelData;
use super::model::{
    Figure, ModelReport, NextStep, PairReport, ReportModel, Role, SkippedModel, SloReport, Verdict,
};
use super::observed::Observed;
use super::options::AnalysisOptions;
use super::value::{Absence, Value};
use super::warning::Warning;
use super::{
    costs, fit, likelihood, pairs, quality, reliability, resources, sequential, shape, slices,
    speed,
};
use crate::cost::{self, CostError, Machine, PriceCard, Work};
use crate::metric::{self, Direction, Level, Metric};
use crate::record::{
    Digest, HostFacts, LookVerdict, ModelRecord, ModelStatus, RunRecord, RunStatus, Scoring,
};
use crate::stats::{desc, paired};
use crate::units::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Declared beforehand beside the suite's primary metric.
const SECONDARY: [&str; 5] = [
    "score",
    "pass_rate",
    "ttft_ms_p50",
    "decode_tps",
    "peak_bytes",
];
/// Metrics that can order models and be compared by prompt.
const PRIMARIES: [&str; 7] = [
    "score",
    "pass_rate",
    "acc",
    "acc_norm",
    "acc_bytes",
    "acc_mutual_info",
    "bits_per_byte",
];
/// Prices older than this are said to be old.
const PRICE_DAYS: i64 = 90;
/// Prompts from which on intervals no longer lean on the assumed distribution.
const ADVISED_PROMPTS: u64 = 20;
/// A peak above the estimate by more than this factor is said.
const ESTIMATE_TOLERANCE: f64 = 1.1;
/// Speed lost, and the p-value it must have, before drift is said.
const DRIFT: (f64, f64) = (0.97, 0.01);
/// A first request this many times slower than the median, and slowest of all, is said.
const SLOW_FIRST: f64 = 3.0;
/// Median absolute deviations off the median: 10 robust standard deviations.
const OUTLIER_MADS: f64 = 14.826;
/// Share of the cores that may be busy at the start.
pub(super) const BUSY: f64 = 0.5;

/// Analyses a run. Everything in the result follows from the arguments; the order of the samples does not matter.
pub fn analyse(run: &RunRecord, prices: &PriceCard, options: &AnalysisOptions) -> ReportModel {
    let (primary, usable) = primary_of(&run.header.suite.primary);
    let machine = Machine::new(prices);
    let (measured, skipped) = split(run);
    let mutual = likelihood::mutual_tasks(run.samples.iter());
    let mut models: Vec<(ModelData<'_>, ModelReport)> = measured
        .into_iter()
        .map(|model| {
            let data = ModelData::of(run, model);
            let report = model_report(run, &data, &mutual, &machine, prices, primary, options);
            (data, report)
        })
        .collect();
    models.sort_by(|a, b| order(&a.1, &b.1, primary));
    let (data, mut reports): (Vec<ModelData<'_>>, Vec<ModelReport>) = models.into_iter().unzip();
    label(&mut reports, run);
    let observed: Vec<Observed> = data.iter().map(|d| Observed::of_data(run, d)).collect();
    for ((report, data), observed) in reports.iter_mut().zip(&data).zip(&observed) {
        report.bounds = shape::bounds(observed, primary, options.level);
        report.replication = shape::replication(data);
    }
    let mut pairs = pairs::all(&observed, primary, options.level);
    let refs: Vec<&ModelData<'_>> = data.iter().collect();
    sequential::replace(&mut pairs, run, &refs, primary);
    let leaders = leaders(&reports, &pairs, primary);
    let peaks: Vec<Option<Bytes>> = data.iter().map(|d| d.model.peak).collect();
    let complete = run.status == RunStatus::Success
        && reports.iter().all(|m| m.tally.not_run == 0)
        && skipped.iter().all(|s| s.reason.is_some());
    let mut report = ReportModel {
        header: run.header.clone(),
        status: run.status,
        finished_at: run.finished_at.clone(),
        complete,
        level: options.level,
        primary,
        fit: fit::report(&reports, &peaks, run.header.budget),
        models: reports,
        skipped,
        pairs,
        stopping: sequential::stopping(run),
        omnibus: shape::omnibus(&observed, primary),
        leaders,
        prices: prices.clone(),
        warnings: Vec::new(),
        next: NextStep::Doctor,
    };
    report.next = next_step(&report, options);
    report.warnings = warnings(&report, &data, usable, &machine, options);
    report
}

/// The primary metric, and whether the suite's own choice could be used.
pub(super) fn primary_of(name: &str) -> (&'static Metric, bool) {
    let wanted = PRIMARIES
        .contains(&name)
        .then(|| metric::find(name).ok())
        .flatten();
    let score = || {
        metric::find(PRIMARIES[0]).expect("`score` is in the catalogue because a test looks for it")
    };
    wanted.map_or_else(|| (score(), false), |m| (m, true))
}

/// The role of a metric in a run with this primary one.
pub(super) fn role_of(id: &str, primary: &'static Metric) -> Role {
    if id == primary.id {
        Role::Primary
    } else if SECONDARY.contains(&id) {
        Role::Secondary
    } else {
        Role::Exploratory
    }
}

/// Models with samples, and the others.
fn split(run: &RunRecord) -> (Vec<&ModelRecord>, Vec<SkippedModel>) {
    let with_samples: BTreeSet<_> = run.samples.iter().map(|s| &s.key.model).collect();
    let mut seen = BTreeSet::new();
    let (mut measured, mut skipped) = (Vec::new(), Vec::new());
    let mut models: Vec<&ModelRecord> = run.models.iter().collect();
    models.sort_by_key(|m| m.planned.position);
    for model in models.into_iter().filter(|m| seen.insert(&m.planned.id)) {
        if with_samples.contains(&model.planned.id) {
            measured.push(model);
        } else {
            let reason = match &model.status {
                ModelStatus::Skipped(reason) => Some(reason.clone()),
                ModelStatus::Waiting | ModelStatus::Started | ModelStatus::Finished => None,
            };
            let label = model.planned.name.clone();
            skipped.push(SkippedModel {
                id: model.planned.id.clone(),
                label,
                reason,
            });
        }
    }
    (measured, skipped)
}

fn model_report(
    run: &RunRecord,
    data: &ModelData<'_>,
    mutual: &BTreeSet<&str>,
    machine: &Result<Machine, CostError>,
    prices: &PriceCard,
    primary: &'static Metric,
    options: &AnalysisOptions,
) -> ModelReport {
    let model = data.model;
    let level = options.level;
    let figure = |id: &'static str, value: Value| {
        let metric = metric::find(id).ok()?;
        Some(Figure {
            metric,
            role: role_of(id, primary),
            value,
        })
    };
    let slos = speed::slos(data, options, figure);
    let tasks = slices::tasks(data, mutual, level, |id| role_of(id, primary));
    let planned = if matches!(model.status, ModelStatus::Finished) {
        data.samples.len() as u64
    } else {
        u64::from(run.header.suite.samples) * u64::from(run.header.epochs.max(1))
    };
    ModelReport {
        id: model.planned.id.clone(),
        label: model.planned.name.clone(),
        short: String::new(),
        planned: model.planned.clone(),
        loaded: model.loaded.clone(),
        stopped: match &model.status {
            ModelStatus::Skipped(reason) => Some(reason.clone()),
            ModelStatus::Waiting | ModelStatus::Started | ModelStatus::Finished => None,
        },
        tally: reliability::tally(data, planned),
        figures: figures(&values(data, mutual, machine, options), &slos, primary),
        slos,
        weakest_task: slices::weakest(&tasks),
        tasks,
        difficulties: slices::difficulties(data, mutual, level, |id| role_of(id, primary)),
        cost: costs::report(data, machine, prices, level),
        samples: slices::samples(data),
        bounds: None,
        replication: None,
    }
}

/// Every metric of a model but the limits, by id.
fn values(
    data: &ModelData<'_>,
    mutual: &BTreeSet<&str>,
    machine: &Result<Machine, CostError>,
    options: &AnalysisOptions,
) -> BTreeMap<&'static str, Value> {
    let level = options.level;
    quality::values(data, level)
        .into_iter()
        .chain(likelihood::values(data, mutual, level))
        .chain(speed::values(data, options))
        .chain(resources::values(data.model))
        .chain(reliability::values(data, level))
        .chain(costs::values(data, machine, level))
        .collect()
}

/// The metrics in the order of the catalogue.
fn figures(
    values: &BTreeMap<&'static str, Value>,
    slos: &[SloReport],
    primary: &'static Metric,
) -> Vec<Figure> {
    let slo = |id: &str| {
        let kept = slos.iter().find(|s| s.figure.metric.id == id);
        kept.map_or_else(|| Absence::NoLimit.into(), |s| s.figure.value.clone())
    };
    metric::all()
        .filter(|m| m.level != Level::Price)
        .map(|m| {
            let value = values.get(m.id).cloned().unwrap_or_else(|| slo(m.id));
            Figure {
                metric: m,
                role: role_of(m.id, primary),
                value,
            }
        })
        .collect()
}

/// Best first; models without a value last; equal ones by name, then id.
fn order(a: &ModelReport, b: &ModelReport, primary: &Metric) -> std::cmp::Ordering {
    let key = |m: &ModelReport| m.value(primary.id).and_then(Value::point);
    let by_value = match (key(a), key(b)) {
        (Some(x), Some(y)) if primary.direction == Direction::Lower => x.total_cmp(&y),
        (Some(x), Some(y)) => y.total_cmp(&x),
        (x, y) => y.is_some().cmp(&x.is_some()),
    };
    by_value.then_with(|| (&a.planned.name, &a.id).cmp(&(&b.planned.name, &b.id)))
}

/// Labels are unique in the run; short names stop after the size where that is unique.
fn label(models: &mut [ModelReport], run: &RunRecord) {
    let names: Vec<&str> = run.models.iter().map(|m| m.planned.name.as_str()).collect();
    let count = |name: &str| names.iter().filter(|n| **n == name).count();
    let same_short = |short: &str| names.iter().filter(|n| short_name(n) == short).count();
    for model in models {
        let name = model.planned.name.clone();
        if count(&name) > 1 {
            model.label = format!("{name} ({})", model.id.short());
        }
        let short = short_name(&name);
        let unique = same_short(short) == 1;
        model.short = if unique {
            short.to_owned()
        } else {
            model.label.clone()
        };
    }
}

/// The name up to and with the piece that gives the size (`qwen2.5-7b-instruct` becomes `qwen2.5-7b`).
fn short_name(name: &str) -> &str {
    let mut end = 0;
    for piece in name.split('-') {
        end += piece.len();
        let number = piece.strip_suffix(['b', 'B', 'm', 'M']);
        if end > piece.len() && number.is_some_and(|n| n.parse::<f64>().is_ok_and(f64::is_finite)) {
            return &name[..end];
        }
        end += 1;
    }
    name
}

fn leaders(models: &[ModelReport], pairs: &[PairReport], primary: &Metric) -> Vec<usize> {
    let apart = |b: usize| {
        let pair = pairs.iter().find(|p| p.a == 0 && p.b == b);
        pair.and_then(|p| p.comparison(primary.id))
            .is_some_and(|c| matches!(c.verdict, Verdict::ToldApart { .. }))
    };
    (0..models.len()).filter(|&i| i == 0 || !apart(i)).collect()
}

fn next_step(report: &ReportModel, options: &AnalysisOptions) -> NextStep {
    let unfinished = !report.complete && report.status != RunStatus::Success;
    if unfinished && !report.header.argv.is_empty() {
        return NextStep::Resume {
            argv: report.header.argv.clone(),
        };
    }
    if report.models.is_empty() {
        return NextStep::Doctor;
    }
    NextStep::Everything {
        run: report.header.id.to_string(),
        database: options.database.clone(),
    }
}

fn warnings(
    report: &ReportModel,
    data: &[ModelData<'_>],
    primary_usable: bool,
    machine: &Result<Machine, CostError>,
    options: &AnalysisOptions,
) -> Vec<Warning> {
    let mut out = Vec::new();
    if report.header.engine == "mock" {
        out.push(Warning::MockEngine);
    }
    if !report.complete {
        out.push(incomplete(report));
    }
    let ended = report.stopping.as_ref().and_then(|s| s.looks.last());
    if let Some(look) = ended.filter(|look| look.verdict != LookVerdict::Open) {
        out.push(Warning::UntilResolved {
            metric: report.primary.id,
            resolved: look.verdict == LookVerdict::Resolved,
            prompts: look.evidence.prompts,
            of: look.planned_prompts,
        });
    }
    if !primary_usable {
        out.push(Warning::PrimaryNotUsable {
            name: report.header.suite.primary.clone(),
        });
    }
    let fewest = report.models.iter().map(|m| m.tally.prompts).min();
    if let Some(has) = fewest.filter(|n| *n < ADVISED_PROMPTS) {
        out.push(Warning::TooFewPrompts {
            has,
            advised: ADVISED_PROMPTS,
        });
    }
    for model in &report.models {
        out.extend(sample_warnings(model));
    }
    out.extend(ranking_warning(&report.models, report.primary));
    for (model, data) in report.models.iter().zip(data) {
        out.extend(memory_warnings(
            model,
            data.model.peak,
            report.header.budget,
        ));
    }
    out.extend(host_warnings(&report.header.host));
    for (model, data) in report.models.iter().zip(data) {
        out.extend(speed_warnings(model, data));
    }
    out.extend(window_warning(&report.models, data));
    let tokenizers: BTreeSet<_> = report
        .models
        .iter()
        .map(|m| &m.planned.tokenizer_digest)
        .collect();
    if tokenizers.len() > 1 {
        out.push(Warning::DifferentTokenizers);
    }
    out.extend(price_warnings(report, machine, options));
    out.sort_by_key(Warning::rank);
    out
}

fn incomplete(report: &ReportModel) -> Warning {
    let per_model = u64::from(report.header.suite.samples) * u64::from(report.header.epochs.max(1));
    let waiting = report.skipped.iter().filter(|s| s.reason.is_none()).count() as u64;
    Warning::Incomplete {
        status: report.status,
        recorded: report.models.iter().map(|m| m.tally.recorded).sum(),
        planned: report.models.iter().map(|m| m.tally.planned).sum::<u64>() + waiting * per_model,
    }
}

fn sample_warnings(report: &ModelReport) -> Vec<Warning> {
    let (tally, model) = (&report.tally, || report.short.clone());
    let of = tally.recorded;
    let mut out = Vec::new();
    if tally.failed > 0 {
        out.push(Warning::Failed {
            model: model(),
            count: tally.failed,
            of,
        });
    }
    let texts = (
        report.samples.iter().filter(|s| s.text).count() as u64,
        report.samples.iter().filter(|s| s.text && !s.generated),
    );
    let lost = texts.1.count() as u64;
    if lost > 0 {
        out.push(Warning::TextsNotMeasured {
            model: model(),
            count: lost,
            of: texts.0,
        });
    }
    if tally.unscored > 0 {
        let passed = report.value("pass_rate").and_then(Value::measured);
        let (hits, judged) = passed.map_or((0.0, 0.0), |m| {
            (m.point * m.observations as f64, m.observations as f64)
        });
        let unjudged = of as f64 - judged;
        out.push(Warning::Unscored {
            model: model(),
            count: tally.unscored,
            of,
            pass_low: hits / of as f64,
            pass_high: (hits + unjudged) / of as f64,
        });
    }
    if tally.cut_off_wrong > 0 {
        out.push(Warning::Truncated {
            model: model(),
            count: tally.cut_off_wrong,
            of,
        });
    }
    out
}

/// The first two models whose order depends on what is done with unanswered samples.
fn ranking_warning(models: &[ModelReport], primary: &Metric) -> Option<Warning> {
    // Without unanswered samples both ways give the metric itself.
    let both = |m: &ModelReport| -> Option<[f64; 2]> {
        match &m.bounds {
            Some(b) => Some([b.as_wrong.point()?, b.left_out.point()?]),
            None => m.measured(primary.id).map(|v| [v.point; 2]),
        }
    };
    let known: Vec<(&ModelReport, [f64; 2])> =
        models.iter().filter_map(|m| Some((m, both(m)?))).collect();
    for (at, (a, x)) in known.iter().enumerate() {
        for (b, y) in &known[at + 1..] {
            if (x[0] - y[0]) * (x[1] - y[1]) < 0.0 {
                let ((first, p), (second, q)) = if x[0] > y[0] {
                    ((a, x), (b, y))
                } else {
                    ((b, y), (a, x))
                };
                return Some(Warning::RankingDependsOnUnanswered {
                    first: first.short.clone(),
                    second: second.short.clone(),
                    as_wrong: [p[0], q[0]],
                    left_out: [p[1], q[1]],
                });
            }
        }
    }
    None
}

/// Texts that models read in windows of different lengths, because the context of one ends before the task's window does.
fn window_warning(models: &[ModelReport], data: &[ModelData<'_>]) -> Option<Warning> {
    // Tasks have windows of their own: only what was read of one text can differ.
    let mut texts: BTreeMap<&Digest, Vec<(u32, &ModelReport)>> = BTreeMap::new();
    for (data, model) in data.iter().zip(models) {
        for sample in &data.samples {
            if let Some(Scoring::Text(t)) = &sample.scoring {
                let windows = texts.entry(&sample.content).or_default();
                windows.push((t.window, model));
            }
        }
    }
    texts.retain(|_, windows| windows.iter().any(|w| w.0 != windows[0].0));
    let differing = || texts.values().flatten();
    let (window, model) = differing().min_by_key(|w| w.0)?;
    Some(Warning::WindowsDiffer {
        model: model.short.clone(),
        window: *window,
        most: differing().map(|w| w.0).max()?,
    })
}

fn memory_warnings(report: &ModelReport, peak: Option<Bytes>, budget: Bytes) -> Vec<Warning> {
    let Some(peak) = peak else { return Vec::new() };
    let model = || report.short.clone();
    let mut out = Vec::new();
    if peak > budget {
        out.push(Warning::OverBudget {
            model: model(),
            peak,
            budget,
        });
    }
    if let Some(estimate) = report.planned.estimate.map(|e| e.total())
        && peak.get() as f64 > ESTIMATE_TOLERANCE * estimate.get() as f64
    {
        out.push(Warning::EstimateTooLow {
            model: model(),
            peak,
            estimate,
        });
    }
    out
}

fn host_warnings(host: &HostFacts) -> Vec<Warning> {
    let mut out = Vec::new();
    if let Some(level) = host
        .thermal
        .as_ref()
        .filter(|l| !l.eq_ignore_ascii_case("nominal"))
    {
        out.push(Warning::Thermal {
            level: level.clone(),
        });
    }
    if host.power_source.as_deref() == Some("battery") {
        out.push(Warning::OnBattery);
    }
    if let (Some(load), Some(cores)) = (host.load_average, host.cores)
        && load > BUSY * f64::from(cores)
    {
        out.push(Warning::BusyMachine { load, cores });
    }
    out
}

fn speed_warnings(report: &ModelReport, data: &ModelData<'_>) -> Vec<Warning> {
    let model = || report.short.clone();
    let point = |id: &str| report.value(id).and_then(Value::point);
    let mut out = Vec::new();
    let speeds = speed::decode_speeds(data);
    if let Some(sustained) = point("sustained_ratio").filter(|r| *r < DRIFT.0)
        && slower(&speeds)
    {
        out.push(Warning::Drift {
            model: model(),
            sustained,
        });
    }
    let ttft: Vec<f64> = data.generations().filter_map(metric::ttft_ms).collect();
    let first_is_slowest = ttft
        .split_first()
        .is_some_and(|(f, rest)| rest.iter().all(|t| t < f));
    if let Some(ratio) =
        point("first_request_ratio").filter(|r| *r >= SLOW_FIRST && first_is_slowest)
    {
        out.push(Warning::SlowFirst {
            model: model(),
            ratio,
        });
    }
    let outliers = desc::mad_outliers(&speeds, OUTLIER_MADS).map_or(0, |o| o.len());
    if outliers > 0 {
        let of = speeds.len() as u64;
        out.push(Warning::LatencyOutliers {
            model: model(),
            count: outliers as u64,
            of,
        });
    }
    out
}

/// Whether the last third of the requests is slower than the first beyond chance.
fn slower(speeds: &[f64]) -> bool {
    let third = speeds.len() / 3;
    let welch = paired::welch_t(&speeds[speeds.len() - third..], &speeds[..third], 0.95);
    let test = welch
        .ok()
        .and_then(|c| Some((c.estimate.point, c.test?.p_value)));
    test.is_some_and(|(difference, p)| difference < 0.0 && p < DRIFT.1)
}

fn price_warnings(
    report: &ReportModel,
    machine: &Result<Machine, CostError>,
    options: &AnalysisOptions,
) -> Vec<Warning> {
    let mut out = Vec::new();
    if let Err(error) = machine {
        out.push(Warning::BadPrices {
            why: error.to_string(),
        });
        return out;
    }
    let any_default = report.prices.cloud.iter().any(|p| p.default);
    let shown = report
        .prices
        .cloud
        .iter()
        .filter(|p| p.default || !any_default);
    let mut compared = false;
    for price in shown {
        if let Err(error) = cost::cloud_usd(&Work::default(), price) {
            out.push(Warning::BadPrices {
                why: error.to_string(),
            });
            continue;
        }
        compared = true;
        let (name, as_of) = (price.name.clone(), price.as_of.clone());
        match options
            .today
            .as_deref()
            .map(|today| age_days(today, &price.as_of))
        {
            Some(Some(days)) if days > PRICE_DAYS => {
                out.push(Warning::OldPrice { name, as_of, days });
            }
            Some(Some(0..)) | None => {}
            Some(_) => out.push(Warning::UndatedPrice { name, as_of }),
        }
    }
    if compared && report.models.iter().any(|m| m.cost.is_some()) {
        out.push(Warning::LocalTokenCounts);
    }
    out
}

/// Days from `as_of` to `today`, both `YYYY-MM-DD`; `None` when one is not a date.
fn age_days(today: &str, as_of: &str) -> Option<i64> {
    let (today, as_of): (jiff::civil::Date, jiff::civil::Date) =
        (today.parse().ok()?, as_of.parse().ok()?);
    Some(i64::from((today - as_of).get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_stop_after_the_size() {
        for (name, short) in [
            ("qwen2.5-7b-instruct-q4_k_m", "qwen2.5-7b"),
            ("gemma-3-4b-it-q4_k_m", "gemma-3-4b"),
            ("smollm2-135m-instruct-q4_1", "smollm2-135m"),
            ("gpt2", "gpt2"),
            ("7b", "7b"),
            ("Llama-3.2-1B", "Llama-3.2-1B"),
            ("modell-ü-1.5b-x", "modell-ü-1.5b"),
        ] {
            assert_eq!(short_name(name), short);
        }
    }

    #[test]
    fn ages_are_counted_in_days() {
        assert_eq!(age_days("2026-11-22", "2026-08-24"), Some(90));
        assert_eq!(age_days("2026-11-22", "2026-11-23"), Some(-1));
        assert_eq!(age_days("2026-11-22", "last week"), None);
    }

    #[test]
    fn only_metrics_of_prompts_can_decide() {
        assert_eq!(primary_of("pass_rate").0.id, "pass_rate");
        let (fallback, usable) = primary_of("ttft_ms_p50");
        assert_eq!((fallback.id, usable), ("score", false));
        assert_eq!(role_of("score", fallback), Role::Primary);
        assert_eq!(role_of("pass_rate", fallback), Role::Secondary);
        assert_eq!(role_of("ttft_ms_p95", fallback), Role::Exploratory);
    }
}
