//! What a model's work costs here and at the card's prices.

use super::dataset::ModelData;
use super::estimate;
use super::model::{CostReport, Figure, Role, VersusReport};
use super::value::{Absence, Value};
use crate::cost::{self, CloudPrice, CostError, Machine, PriceCard, Work};
use crate::metric;
use crate::record::{Generation, SampleRecord, TaskKind};

/// Tasks that costs are given for.
const TASKS: f64 = 1_000.0;

/// The local cost metrics of a model, in no order.
pub(super) fn values(
    data: &ModelData<'_>,
    machine: &Result<Machine, CostError>,
    level: f64,
) -> Vec<(&'static str, Value)> {
    const IDS: [&str; 8] = [
        "energy_j_per_task",
        "energy_usd_per_1k",
        "local_usd_per_1k",
        "local_usd_per_1k_passed",
        "energy_usd_per_mtok",
        "local_usd_per_mtok",
        "hardware_usd_per_busy_hour",
        "capacity_tasks_per_year",
    ];
    let machine = match machine {
        Ok(machine) => machine,
        Err(error) => {
            return IDS
                .map(|id| (id, Absence::PriceCard(error.to_string()).into()))
                .to_vec();
        }
    };
    if data.generations().next().is_none() {
        return IDS.map(|id| (id, Absence::NoGenerations.into())).to_vec();
    }
    let electricity = machine.energy_usd(1.0);
    let loaded = machine
        .cost(&Work {
            seconds: 1.0,
            ..Work::default()
        })
        .full_usd();
    let a_task = |per_second: f64| {
        let clusters = data
            .prompts
            .clusters(|s| s.generation.as_ref().map(|g| seconds(g) * per_second));
        estimate::mean_of_prompts(&clusters, level).clipped(0.0, f64::MAX)
    };
    let a_million = |per_second: f64| {
        let pair = |g: &Generation| {
            (
                seconds(g) * per_second * 1e6,
                f64::from(g.completion_tokens()),
            )
        };
        estimate::ratio_of_sums(
            &data.prompts.sums(|s| s.generation.as_ref().map(pair)),
            level,
        )
    };
    let passed = data.prompts.sums(|s| {
        let spent = seconds(s.generation.as_ref()?);
        Some((spent * loaded * TASKS, passes(s)?))
    });
    let asked = |s: &&&SampleRecord| s.kind == TaskKind::Generate;
    let a_pass = if data.generations().count() < data.samples.iter().filter(asked).count() {
        Absence::NotMeasured("the time spent on a failed sample is not known").into()
    } else {
        estimate::ratio_of_sums(&passed, level)
    };
    let values = [
        a_task(machine.energy_j(1.0)),
        a_task(electricity * TASKS),
        a_task(loaded * TASKS),
        a_pass,
        a_million(electricity),
        a_million(loaded),
        Value::single(machine.hardware_usd_per_busy_hour(), "computed", 1),
        capacity(data, machine),
    ];
    IDS.into_iter().zip(values).collect()
}

fn seconds(generation: &Generation) -> f64 {
    metric::e2e_ms(generation) / 1e3
}

fn passes(sample: &SampleRecord) -> Option<f64> {
    super::quality::passed(sample)
}

fn capacity(data: &ModelData<'_>, machine: &Machine) -> Value {
    let capacity = mean_work(data).and_then(|w| machine.capacity_per_year(&w));
    capacity.map_or_else(
        || Absence::NoObservations.into(),
        |tasks| Value::single(tasks, "computed", data.generations().count()),
    )
}

/// A mean task: the mean over prompts of the prompt's mean.
fn mean_work(data: &ModelData<'_>) -> Option<Work> {
    let mean = |observe: &dyn Fn(&Generation) -> f64| {
        let clusters = data
            .prompts
            .clusters(|s| s.generation.as_ref().map(observe));
        estimate::mean_of_prompts(&clusters, 0.5).point()
    };
    Some(Work {
        seconds: mean(&seconds)?,
        input_tokens: mean(&|g| f64::from(g.prompt_tokens))?,
        output_tokens: mean(&|g| f64::from(g.completion_tokens()))?,
    })
}

/// Everything about a model's costs; `None` without a generation or a usable card.
pub(super) fn report(
    data: &ModelData<'_>,
    machine: &Result<Machine, CostError>,
    card: &PriceCard,
    level: f64,
) -> Option<CostReport> {
    let machine = machine.as_ref().ok()?;
    let work = mean_work(data)?;
    let any_default = card.cloud.iter().any(|p| p.default);
    let shown = card.cloud.iter().filter(|p| p.default || !any_default);
    Some(CostReport {
        work,
        local: machine.cost(&work),
        scenarios: cost::scenarios(machine, &work),
        versus: shown
            .filter_map(|price| versus(data, machine, &work, price, level))
            .collect(),
    })
}

/// `None` when the price is impossible; a warning says so.
fn versus(
    data: &ModelData<'_>,
    machine: &Machine,
    work: &Work,
    price: &CloudPrice,
    level: f64,
) -> Option<VersusReport> {
    let mean_usd = cost::cloud_usd(work, price).ok()?;
    let clusters = data.prompts.clusters(|s| {
        let g = s.generation.as_ref()?;
        let tokens = Work {
            seconds: 0.0,
            input_tokens: f64::from(g.prompt_tokens),
            output_tokens: f64::from(g.completion_tokens()),
        };
        cost::cloud_usd(&tokens, price).ok().map(|usd| usd * TASKS)
    });
    let local = machine.cost(work);
    let break_even = cost::break_even(machine, work, mean_usd);
    let capacity = machine.capacity_per_year(work);
    let break_even_use = break_even.tasks().zip(capacity).map(|(t, c)| t / c);
    let saving = |usd: f64| {
        cost::saving(usd, mean_usd).map_or_else(
            || Absence::NoObservations.into(),
            |s| Value::single(s, "computed", 1),
        )
    };
    let values = [
        (
            "cloud_usd_per_1k",
            estimate::mean_of_prompts(&clusters, level).clipped(0.0, f64::MAX),
        ),
        ("saving_marginal", saving(local.energy_usd)),
        ("saving_full", saving(local.full_usd())),
        (
            "break_even_tasks_per_year",
            break_even.tasks().map_or_else(
                || Absence::NeverBreaksEven.into(),
                |tasks| Value::single(tasks, "computed", 1),
            ),
        ),
    ];
    let figures = values.into_iter().filter_map(|(id, value)| {
        Some(Figure {
            metric: metric::find(id).ok()?,
            role: Role::Exploratory,
            value,
        })
    });
    Some(VersusReport {
        price: price.clone(),
        figures: figures.collect(),
        break_even,
        break_even_use,
    })
}
