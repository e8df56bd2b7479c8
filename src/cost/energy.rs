//! Energy from power readings and from wrapping counters.

/// Why no energy can be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EnergyError {
    /// An input is not finite or below zero.
    #[error("`{name}` is `{value}` but must be a finite number of at least 0")]
    BadInput {
        /// Name of the input.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// Two series that belong together differ in length.
    #[error("{times} times but {readings} power readings")]
    UnequalLengths {
        /// Number of times.
        times: usize,
        /// Number of readings.
        readings: usize,
    },
    /// An integral needs two readings.
    #[error("energy needs at least 2 power readings but has {has}")]
    TooFewReadings {
        /// Readings given.
        has: usize,
    },
    /// A counter reading above the range of the counter.
    #[error("counter reading {value_uj} uJ is above its range of {range_uj} uJ")]
    CounterOutOfRange {
        /// The reading.
        value_uj: u64,
        /// The range.
        range_uj: u64,
    },
}

fn not_negative(name: &'static str, value: f64) -> Result<f64, EnergyError> {
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(EnergyError::BadInput { name, value })
    }
}

/// Energy over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Energy {
    /// Gross energy.
    pub joules: f64,
    /// Length of the window.
    pub seconds: f64,
}

impl Energy {
    /// Energy above what the idle machine would have used, not below 0.
    ///
    /// # Errors
    /// When the idle power is not a finite number of at least 0.
    pub fn net_joules(&self, idle_watts: f64) -> Result<f64, EnergyError> {
        Ok((self.joules - not_negative("idle_watts", idle_watts)? * self.seconds).max(0.0))
    }

    /// Mean power; `None` for a window without length.
    pub fn average_watts(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.joules / self.seconds)
    }

    /// Watt-hours.
    pub fn watt_hours(&self) -> f64 {
        self.joules / 3600.0
    }

    /// Joules for each of `units` (tokens, requests); `None` without units.
    pub fn per_unit(&self, units: u64) -> Option<f64> {
        (units > 0).then(|| self.joules / units as f64)
    }
}

/// Trapezoid rule over power readings at increasing times.
///
/// # Errors
/// When there are fewer than two readings, the series differ in length, or a reading is negative.
pub fn trapezoid(times_s: &[f64], power_w: &[f64]) -> Result<Energy, EnergyError> {
    if times_s.len() != power_w.len() {
        return Err(EnergyError::UnequalLengths {
            times: times_s.len(),
            readings: power_w.len(),
        });
    }
    let (Some(first), Some(last)) = (times_s.first(), times_s.last()) else {
        return Err(EnergyError::TooFewReadings { has: 0 });
    };
    if times_s.len() < 2 {
        return Err(EnergyError::TooFewReadings { has: 1 });
    }
    for &w in power_w {
        not_negative("power", w)?;
    }
    for step in times_s.windows(2) {
        not_negative("time step", step[1] - step[0])?;
    }
    let area = |t: &[f64], w: &[f64]| (t[1] - t[0]) * f64::midpoint(w[0], w[1]);
    let joules = times_s
        .windows(2)
        .zip(power_w.windows(2))
        .map(|(t, w)| area(t, w))
        .sum();
    Ok(Energy {
        joules,
        seconds: last - first,
    })
}

/// Joules between two readings of a microjoule counter that may have wrapped once at `range_uj` (`max_energy_range_uj`).
///
/// # Errors
/// When a reading is above the range.
pub fn counter_joules(before_uj: u64, after_uj: u64, range_uj: u64) -> Result<f64, EnergyError> {
    for value_uj in [before_uj, after_uj] {
        if value_uj > range_uj {
            return Err(EnergyError::CounterOutOfRange { value_uj, range_uj });
        }
    }
    let delta = if after_uj >= before_uj {
        after_uj - before_uj
    } else {
        range_uj - before_uj + after_uj
    };
    Ok(delta as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_readings_are_refused() {
        assert_eq!(
            trapezoid(&[], &[]),
            Err(EnergyError::TooFewReadings { has: 0 })
        );
        assert_eq!(
            trapezoid(&[1.0], &[5.0]),
            Err(EnergyError::TooFewReadings { has: 1 })
        );
        assert!(trapezoid(&[1.0, 0.5], &[5.0, 5.0]).is_err());
        assert!(trapezoid(&[0.0, 1.0], &[5.0, f64::NAN]).is_err());
        assert!(counter_joules(9, 1, 8).is_err());
    }

    #[test]
    fn a_window_without_length_has_no_power() {
        let e = trapezoid(&[1.0, 1.0], &[5.0, 7.0]).unwrap();
        assert_eq!(
            (e.joules, e.average_watts(), e.per_unit(0)),
            (0.0, None, None)
        );
        assert_eq!(e.net_joules(3.0), Ok(0.0));
    }

    #[test]
    fn a_counter_counts_up_or_wraps_once() {
        assert_eq!(counter_joules(1_000_000, 3_500_000, 10_000_000), Ok(2.5));
        assert_eq!(counter_joules(9_000_000, 500_000, 10_000_000), Ok(1.5));
    }
}
