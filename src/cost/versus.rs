//! The same work at a cloud price, and the volume at which the two cost the same.

use super::{CloudPrice, CostError, LocalCost, Machine, Work};

/// Utilisations of the scenario table.
const UTILISATIONS: [f64; 4] = [0.01, 0.05, 0.20, 1.00];

/// The yearly volume above which the machine is cheaper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BreakEven {
    /// From this many tasks a year on.
    Tasks(f64),
    /// It would be this many tasks a year, more than the machine can do.
    BeyondCapacity {
        /// Tasks a year.
        tasks: f64,
        /// Tasks a year the machine can do without a pause.
        capacity: f64,
    },
    /// At no volume: a task costs no less electricity than the cloud asks for it.
    Never,
}

impl BreakEven {
    /// The volume, reachable or not; `None` for never.
    pub fn tasks(self) -> Option<f64> {
        match self {
            Self::Tasks(tasks) | Self::BeyondCapacity { tasks, .. } => Some(tasks),
            Self::Never => None,
        }
    }
}

/// The fully loaded cost at one utilisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scenario {
    /// Share of all hours in which the machine works.
    pub utilisation: f64,
    /// Cost of the work.
    pub cost: LocalCost,
}

/// What the work costs at a cloud price, US dollars, with the local tokenizer's counts.
///
/// # Errors
/// When a price is negative or not finite.
pub fn cloud_usd(work: &Work, price: &CloudPrice) -> Result<f64, CostError> {
    let checked = |field, value: f64| {
        if value.is_finite() && value >= 0.0 {
            Ok(value / 1e6)
        } else {
            Err(CostError::BadPrice {
                name: price.name.clone(),
                field,
                value,
            })
        }
    };
    let input = checked("input_usd_per_mtok", price.input_usd_per_mtok)?;
    let output = checked("output_usd_per_mtok", price.output_usd_per_mtok)?;
    Ok(work.input_tokens * input + work.output_tokens * output)
}

/// The volume at which owning the machine costs as much as the cloud, for a task that costs `cloud_usd` there.
pub fn break_even(machine: &Machine, task: &Work, cloud_usd: f64) -> BreakEven {
    let tasks = machine.hardware_usd_per_year() / (cloud_usd - machine.energy_usd(task.seconds));
    if !(tasks.is_finite() && tasks >= 0.0) {
        return BreakEven::Never;
    }
    match machine.capacity_per_year(task) {
        Some(capacity) if tasks > capacity => BreakEven::BeyondCapacity { tasks, capacity },
        _ => BreakEven::Tasks(tasks),
    }
}

/// 1 - local / cloud: the share saved, negative when the cloud is cheaper; `None` when the cloud costs nothing.
pub fn saving(local_usd: f64, cloud_usd: f64) -> Option<f64> {
    let saving = 1.0 - local_usd / cloud_usd;
    (cloud_usd > 0.0 && saving.is_finite()).then_some(saving)
}

/// The work at 1, 5, 20 and 100 % use and at the card's own utilisation, ascending.
pub fn scenarios(machine: &Machine, work: &Work) -> Vec<Scenario> {
    let mut shares = UTILISATIONS.to_vec();
    if !shares.contains(&machine.utilisation()) {
        shares.push(machine.utilisation());
    }
    shares.sort_by(f64::total_cmp);
    shares
        .into_iter()
        .filter_map(|utilisation| {
            let cost = machine.at_utilisation(utilisation)?.cost(work);
            Some(Scenario { utilisation, cost })
        })
        .collect()
}
