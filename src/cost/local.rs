//! What work costs on the machine at hand.

use super::{CostError, PriceCard};

/// Hours in a year of 365 days.
pub(super) const HOURS_PER_YEAR: f64 = 8_760.0;
/// Joules in a kWh.
const JOULES_PER_KWH: f64 = 3.6e6;
/// Seconds in an hour.
pub(super) const SECONDS_PER_HOUR: f64 = 3_600.0;

/// What a task takes: of one task, of a mean task, or of many summed up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Work {
    /// Seconds the machine is busy with it.
    pub seconds: f64,
    /// Prompt tokens by the local tokenizer.
    pub input_tokens: f64,
    /// Generated tokens by the local tokenizer.
    pub output_tokens: f64,
}

/// Cost of work on the machine, US dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalCost {
    /// Electricity: the marginal cost.
    pub energy_usd: f64,
    /// The hardware's share at the stated utilisation.
    pub hardware_usd: f64,
}

impl LocalCost {
    /// Electricity and hardware.
    pub fn full_usd(self) -> f64 {
        self.energy_usd + self.hardware_usd
    }
}

/// The local side of a price card, checked: every number finite and in its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    hardware_usd: f64,
    resale_usd: f64,
    years: f64,
    utilisation: f64,
    watts: f64,
    usd_per_kwh: f64,
}

impl Machine {
    /// Takes the local side of a card.
    ///
    /// # Errors
    /// When a number is not finite or outside its range.
    pub fn new(card: &PriceCard) -> Result<Self, CostError> {
        let check = |field, value: f64, ok: bool, rule| {
            if value.is_finite() && ok {
                Ok(())
            } else {
                Err(CostError::BadAssumption { field, value, rule })
            }
        };
        check(
            "hardware_usd",
            card.hardware_usd,
            card.hardware_usd >= 0.0,
            "at least 0",
        )?;
        let sold = (0.0..=card.hardware_usd).contains(&card.resale_usd);
        check(
            "resale_usd",
            card.resale_usd,
            sold,
            "from 0 to `hardware_usd`",
        )?;
        // Below a day the yearly cost has no meaning and small numbers overflow.
        check(
            "years",
            card.years,
            card.years >= 1.0 / 365.0,
            "at least a day (0.00274)",
        )?;
        let used = card.utilisation >= 1e-6 && card.utilisation <= 1.0;
        check(
            "utilisation",
            card.utilisation,
            used,
            "above 0 (at least 0.000001) and at most 1",
        )?;
        check("watts", card.watts, card.watts >= 0.0, "at least 0")?;
        check(
            "usd_per_kwh",
            card.usd_per_kwh,
            card.usd_per_kwh >= 0.0,
            "at least 0",
        )?;
        Ok(Self {
            hardware_usd: card.hardware_usd,
            resale_usd: card.resale_usd,
            years: card.years,
            utilisation: card.utilisation,
            watts: card.watts,
            usd_per_kwh: card.usd_per_kwh,
        })
    }

    /// The same machine at another utilisation; `None` outside (0, 1].
    pub fn at_utilisation(self, utilisation: f64) -> Option<Self> {
        (1e-6..=1.0).contains(&utilisation).then_some(Self {
            utilisation,
            ..self
        })
    }

    /// Share of all hours in which it works.
    pub fn utilisation(&self) -> f64 {
        self.utilisation
    }

    /// Joules drawn in `seconds` of work.
    pub fn energy_j(&self, seconds: f64) -> f64 {
        self.watts * seconds
    }

    /// Electricity for `seconds` of work, US dollars.
    pub fn energy_usd(&self, seconds: f64) -> f64 {
        self.energy_j(seconds) / JOULES_PER_KWH * self.usd_per_kwh
    }

    /// What owning the hardware costs in a year, used or not, US dollars.
    pub fn hardware_usd_per_year(&self) -> f64 {
        (self.hardware_usd - self.resale_usd) / self.years
    }

    /// The hardware's cost for an hour of work at the stated utilisation, US dollars.
    pub fn hardware_usd_per_busy_hour(&self) -> f64 {
        self.hardware_usd_per_year() / (HOURS_PER_YEAR * self.utilisation)
    }

    /// What work costs here.
    pub fn cost(&self, work: &Work) -> LocalCost {
        LocalCost {
            energy_usd: self.energy_usd(work.seconds),
            hardware_usd: self.hardware_usd_per_busy_hour() * work.seconds / SECONDS_PER_HOUR,
        }
    }

    /// What `tasks` a year cost when the whole hardware is bought for them: the yearly hardware cost and their electricity.
    pub fn owned_usd_per_year(&self, task: &Work, tasks: f64) -> f64 {
        self.hardware_usd_per_year() + tasks * self.energy_usd(task.seconds)
    }

    /// Tasks a year when the machine never pauses; `None` when a task takes no time.
    pub fn capacity_per_year(&self, task: &Work) -> Option<f64> {
        let capacity = HOURS_PER_YEAR * SECONDS_PER_HOUR / task.seconds;
        (task.seconds > 0.0 && capacity.is_finite()).then_some(capacity)
    }
}
