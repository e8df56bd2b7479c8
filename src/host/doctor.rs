//! What `evalh doctor` says about the machine itself. Device, hub and cache have lines of their own, made where they are known.

use super::budget::budget_of;
use super::{HostError, Machine, PowerSource, Probe, Thermal, ThermalLevel, simd_tier};
use crate::units::Bytes;
use std::fmt::Write as _;

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DoctorStatus {
    /// As it should be.
    Ok,
    /// Works, with a limit worth knowing, or would spoil timing.
    Note,
    /// Would stop a run.
    Problem,
}

impl DoctorStatus {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorLine {
    /// What it is about.
    pub name: &'static str,
    /// What was found, or why nothing was.
    pub value: String,
    /// How it is meant.
    pub status: DoctorStatus,
    /// What can be done about it.
    pub advice: Option<String>,
}

impl DoctorLine {
    fn new(name: &'static str, status: DoctorStatus, value: impl Into<String>) -> Self {
        Self {
            name,
            value: value.into(),
            status,
            advice: None,
        }
    }

    fn with(self, advice: impl Into<String>) -> Self {
        Self {
            advice: Some(advice.into()),
            ..self
        }
    }

    fn unknown(name: &'static str, status: DoctorStatus, error: &HostError) -> Self {
        Self {
            advice: error.hint(),
            ..Self::new(name, status, error.in_full())
        }
    }
}

/// Less than this holds no model of use beside the program itself.
const LEAST_MEMORY: Bytes = Bytes(512_000_000);

/// A load above this share of the cores disturbs timing.
const BUSY_SHARE: f64 = 0.5;

/// Every line about the machine, in the order of reading.
pub fn doctor_lines(machine: Machine) -> Vec<DoctorLine> {
    use DoctorStatus::{Note, Ok as Good};
    let mut lines = vec![
        plain("system", &machine.os, Note),
        plain("processor", &machine.cpu, Note),
        DoctorLine::new("architecture", Good, machine.arch),
        simd(&machine.cpu_features),
        cores(&machine.cores),
        memory(&machine),
        limit(&machine),
        plain("accelerator", &machine.gpu, Note),
        power(&machine.power),
        thermal(&machine.thermal),
        load(&machine.load_average, &machine.cores),
        energy(&machine.energy),
        peak(&machine.process_peak),
    ];
    lines.insert(7, budget(machine));
    lines
}

fn plain(name: &'static str, probe: &Probe<String>, otherwise: DoctorStatus) -> DoctorLine {
    match probe {
        Ok(value) => DoctorLine::new(name, DoctorStatus::Ok, value.clone()),
        Err(e) => DoctorLine::unknown(name, otherwise, e),
    }
}

fn simd(features: &Probe<Vec<String>>) -> DoctorLine {
    const NAME: &str = "instructions";
    let features = match features {
        Ok(features) => features,
        Err(e) => return DoctorLine::unknown(NAME, DoctorStatus::Note, e),
    };
    let tier = simd_tier(features);
    if tier == "plain" {
        return DoctorLine::new(NAME, DoctorStatus::Note, "plain").with(
            "without AVX2 or NEON models run correctly but slowly; do not compare their speed with other machines",
        );
    }
    DoctorLine::new(
        NAME,
        DoctorStatus::Ok,
        format!("{tier} ({})", features.join(" ")),
    )
}

fn cores(cores: &Probe<u32>) -> DoctorLine {
    match cores {
        Ok(n) => DoctorLine::new("cores", DoctorStatus::Ok, n.to_string()),
        Err(e) => DoctorLine::unknown("cores", DoctorStatus::Note, e),
    }
}

fn memory(machine: &Machine) -> DoctorLine {
    const NAME: &str = "memory";
    let (total, available) = match (&machine.memory_total, &machine.memory_available) {
        (Ok(total), Ok(available)) => (total, available),
        (Err(e), _) | (_, Err(e)) => {
            return DoctorLine::unknown(NAME, DoctorStatus::Problem, e)
                .with("give the budget with `--memory-budget`");
        }
    };
    let value = format!("{available} free of {total}");
    if *available < LEAST_MEMORY {
        return DoctorLine::new(NAME, DoctorStatus::Problem, value).with(format!(
            "close other programs: less than {LEAST_MEMORY} is free"
        ));
    }
    DoctorLine::new(NAME, DoctorStatus::Ok, value)
}

fn limit(machine: &Machine) -> DoctorLine {
    const NAME: &str = "memory limit";
    if let Err(e) = &machine.memory_limits {
        return DoctorLine::unknown(NAME, DoctorStatus::Note, e);
    }
    match machine.effective_limit() {
        None => DoctorLine::new(NAME, DoctorStatus::Ok, "none below the installed memory"),
        Some(limit) => DoctorLine::new(
            NAME,
            DoctorStatus::Note,
            format!("{} by {}", limit.bytes, limit.origin),
        ),
    }
}

fn budget(machine: Machine) -> DoctorLine {
    const NAME: &str = "default budget";
    match budget_of(machine) {
        Ok((bytes, origin)) => {
            DoctorLine::new(NAME, DoctorStatus::Ok, format!("{bytes}: {origin}"))
        }
        Err(e) => DoctorLine::unknown(NAME, DoctorStatus::Problem, &e)
            .with("give the budget with `--memory-budget`"),
    }
}

fn power(power: &Probe<PowerSource>) -> DoctorLine {
    match power {
        Ok(PowerSource::Mains) => DoctorLine::new("power", DoctorStatus::Ok, "mains"),
        Ok(PowerSource::Battery) => DoctorLine::new("power", DoctorStatus::Note, "battery")
            .with("plug in before measuring speed: many machines slow down on battery"),
        Err(e) => DoctorLine::unknown("power", DoctorStatus::Note, e),
    }
}

fn thermal(thermal: &Probe<Thermal>) -> DoctorLine {
    const NAME: &str = "heat";
    let thermal = match thermal {
        Ok(thermal) => thermal,
        Err(e) => return DoctorLine::unknown(NAME, DoctorStatus::Note, e),
    };
    let degrees = thermal
        .hottest_millicelsius
        .map(|t| format!("{:.0} °C", t as f64 / 1000.0));
    let level = thermal.level.map(|l| l.as_str().to_owned());
    let value: Vec<_> = level.into_iter().chain(degrees).collect();
    let line = DoctorLine::new(NAME, DoctorStatus::Ok, value.join(", "));
    match thermal.level {
        Some(ThermalLevel::Nominal) | None => line,
        Some(_) => DoctorLine {
            status: DoctorStatus::Note,
            ..line
        }
        .with("let the machine cool down before measuring speed"),
    }
}

fn load(load: &Probe<f64>, cores: &Probe<u32>) -> DoctorLine {
    const NAME: &str = "load";
    let load = match load {
        Ok(load) => *load,
        Err(e) => return DoctorLine::unknown(NAME, DoctorStatus::Note, e),
    };
    let line = DoctorLine::new(NAME, DoctorStatus::Ok, format!("{load:.2} over one minute"));
    match cores {
        Ok(n) if load > BUSY_SHARE * f64::from(*n) => DoctorLine {
            status: DoctorStatus::Note,
            ..line
        }
        .with("other programs are busy: close them before measuring speed"),
        _ => line,
    }
}

fn energy(energy: &Probe<Vec<String>>) -> DoctorLine {
    const NAME: &str = "energy counters";
    match energy {
        Ok(counters) => DoctorLine::new(NAME, DoctorStatus::Ok, counters.join(", ")),
        Err(e) => DoctorLine {
            advice: Some("costs use the watts of the price card, or those of `--watts`".to_owned()),
            ..DoctorLine::unknown(NAME, DoctorStatus::Note, e)
        },
    }
}

fn peak(peak: &Probe<Bytes>) -> DoctorLine {
    const NAME: &str = "peak memory";
    match peak {
        Ok(bytes) => DoctorLine::new(
            NAME,
            DoctorStatus::Ok,
            format!("can be measured (evalh itself: {bytes})"),
        ),
        Err(e) => DoctorLine::unknown(NAME, DoctorStatus::Note, e)
            .with("peak memory of models will be a dash in reports"),
    }
}

/// The lines as a table for people: what stands as it should has no mark, a note has `-`, a problem has `!`; advice follows on its own line.
pub fn doctor_text(lines: &[DoctorLine]) -> String {
    let width = lines.iter().map(|l| l.name.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        let mark = match line.status {
            DoctorStatus::Ok => ' ',
            DoctorStatus::Note => '-',
            DoctorStatus::Problem => '!',
        };
        let _ = writeln!(text, "{mark} {:width$}  {}", line.name, line.value);
        if let Some(advice) = &line.advice {
            let _ = writeln!(text, "  {:width$}  -> {advice}", "");
        }
    }
    text
}

/// The lines as one JSON object.
pub fn doctor_json(lines: &[DoctorLine]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| {
            serde_json::json!({
                "name": line.name,
                "value": line.value,
                "status": line.status.as_str(),
                "advice": line.advice,
            })
        })
        .collect();
    format!(
        "{}\n",
        serde_json::json!({ "schema_version": 1, "lines": lines })
    )
}
