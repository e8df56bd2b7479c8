//! The texts of single values, read the same way from a flag and from the environment.

use crate::record::DeviceChoice;
use crate::units::{Bytes, ParseBytesError};
use clap::ValueEnum;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A text that is not a value of its kind. The flag or the variable it belongs to is named by whoever reports it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not one of a closed set.
    #[error("`{found}` is not one of {}{}", listed(valid), nearest(found, valid))]
    Choice {
        /// As given.
        found: String,
        /// What is possible.
        valid: Vec<String>,
    },
    /// Not a count or a share.
    #[error(
        "`{found}` is neither a number of samples nor a share of them; write for example `20` or `10%`"
    )]
    Portion {
        /// As given.
        found: String,
    },
    /// Nothing would be selected.
    #[error("`{found}` selects nothing; the least is `1`")]
    Nothing {
        /// As given.
        found: String,
    },
    /// A share above the whole.
    #[error("`{found}` is more than `100%`")]
    AboveWhole {
        /// As given.
        found: String,
    },
    /// Not a length of time.
    #[error("`{found}` is not a length of time; write for example `90s`, `500ms`, `10m` or `1h`")]
    Duration {
        /// As given.
        found: String,
    },
    /// Not a size.
    #[error(transparent)]
    Bytes(#[from] ParseBytesError),
    /// A size without room for anything.
    #[error("a budget of 0 B holds no model; write for example `36GB`")]
    NoBudget,
    /// Not a whole number in a range.
    #[error("`{found}` is not a whole number from {least} to {most}")]
    Integer {
        /// As given.
        found: String,
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
    },
    /// Not a positive number.
    #[error("`{found}` is not a number above 0")]
    Positive {
        /// As given.
        found: String,
    },
    /// Not a confidence level.
    #[error(
        "`{found}` is not a confidence level above 50 % and below 100 %; write for example `95%`"
    )]
    Level {
        /// As given.
        found: String,
    },
    /// Not a selector of models.
    #[error("`{found}` selects no model; write a name of the catalogue or `tag:NAME`")]
    Selector {
        /// As given.
        found: String,
    },
    /// Not a truth value.
    #[error("`{found}` is neither true nor false; write `1` or `0`")]
    Truth {
        /// As given.
        found: String,
    },
    /// Not a margin of a gate.
    #[error(
        "`{found}` is not a margin; write for example `score=0.3`, `pass_rate=2%`, `ttft_ms_p50=15%` or `ttft_ms_p50=off`"
    )]
    Margin {
        /// As given.
        found: String,
    },
    /// Not a model of a run.
    #[error(
        "`{found}` names no run; write for example `0197k3`, `0197k3:MODEL` or `:MODEL` for the newest run"
    )]
    Side {
        /// As given.
        found: String,
    },
    /// Not a device.
    #[error(
        "`{found}` is not a device; write `auto`, `cpu`, `cpu-plain`, `metal`, `cuda` or `cuda:N`"
    )]
    Device {
        /// As given.
        found: String,
    },
}

fn listed(valid: &[String]) -> String {
    let quoted: Vec<_> = valid.iter().map(|v| format!("`{v}`")).collect();
    quoted.join(", ")
}

fn nearest(found: &str, valid: &[String]) -> String {
    valid
        .iter()
        .map(|v| (strsim::damerau_levenshtein(found, v), v))
        .min()
        .filter(|(distance, _)| *distance <= 2)
        .map(|(_, v)| format!("; did you mean `{v}`?"))
        .unwrap_or_default()
}

/// A number of samples or a share of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Portion {
    /// This many.
    Count(u64),
    /// This share, in percent, 0 to 100.
    Percent(f64),
}

impl Portion {
    /// Whether `part` of `whole` is more than this portion. A share of nothing is never exceeded.
    pub fn is_exceeded(self, part: u64, whole: u64) -> bool {
        match self {
            Self::Count(most) => part > most,
            Self::Percent(most) => whole > 0 && part as f64 * 100.0 > most * whole as f64,
        }
    }

    /// How many of `whole` this portion is: a share is rounded to the nearest and is at least one.
    pub fn of(self, whole: u64) -> u64 {
        match self {
            Self::Count(count) => count.min(whole),
            Self::Percent(share) => {
                let exact = whole as f64 * share / 100.0;
                (exact.round() as u64).max(1).min(whole)
            }
        }
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Percent(p) => write!(f, "{p}%"),
        }
    }
}

/// Which models are meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// The entry with this name.
    Name(String),
    /// Every entry with this tag.
    Tag(String),
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
        }
    }
}

/// How much worse a gated metric may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MarginAmount {
    /// A bare number; the metric says what it stands for.
    Number(f64),
    /// In percent.
    Percent(f64),
    /// No gate on this metric.
    Off,
}

/// A margin of a gate: `score=0.3`, `ttft_ms_p50=15%`, `ttft_ms_p50=off`.
#[derive(Debug, Clone, PartialEq)]
pub struct MarginArg {
    /// Id of the metric; not looked up here.
    pub metric: String,
    /// By how much.
    pub amount: MarginAmount,
}

/// A model of a run: `RUN`, `RUN:MODEL`, `:MODEL`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SideArg {
    /// Id or unique beginning of one; `None` means the newest run.
    pub run: Option<String>,
    /// Name of the model, or the first digits of its id; `None` when the run has to say.
    pub model: Option<String>,
}

/// `metric=number`, `metric=percent%`, `metric=off`.
pub(super) fn margin(text: &str) -> Result<MarginArg, ValueError> {
    let bad = || ValueError::Margin {
        found: text.to_owned(),
    };
    let (metric, amount) = text.split_once('=').ok_or_else(bad)?;
    let (metric, amount) = (metric.trim(), amount.trim());
    let number = |digits: &str| {
        let digits = digits.trim();
        let first = digits.bytes().next().filter(u8::is_ascii_digit);
        let x: Option<f64> = first.and_then(|_| digits.parse().ok());
        x.filter(|x| x.is_finite()).ok_or_else(bad)
    };
    let amount = match (amount, amount.strip_suffix('%')) {
        ("off", _) => MarginAmount::Off,
        (_, Some(share)) => MarginAmount::Percent(number(share)?),
        (digits, None) => MarginAmount::Number(number(digits)?),
    };
    if metric.is_empty() {
        return Err(bad());
    }
    Ok(MarginArg {
        metric: metric.to_owned(),
        amount,
    })
}

/// `RUN`, `RUN:MODEL`, `:MODEL`.
pub(super) fn side(text: &str) -> Result<SideArg, ValueError> {
    let bad = || ValueError::Side {
        found: text.to_owned(),
    };
    let (run, model) = match text.split_once(':') {
        Some((_, "")) => return Err(bad()),
        Some((run, model)) => (run, Some(model.to_owned())),
        None if text.is_empty() => return Err(bad()),
        None => (text, None),
    };
    Ok(SideArg {
        run: (!run.is_empty()).then(|| run.to_owned()),
        model,
    })
}

/// `auto`, `cpu`, `metal`, `cuda`, `cuda:1`.
pub(super) fn device(text: &str) -> Result<DeviceChoice, ValueError> {
    DeviceChoice::parse(text).ok_or_else(|| ValueError::Device {
        found: text.to_owned(),
    })
}

fn portion(text: &str) -> Result<Portion, ValueError> {
    let bad = || ValueError::Portion {
        found: text.to_owned(),
    };
    let Some(share) = text.strip_suffix('%') else {
        return digits(text).map(Portion::Count).ok_or_else(bad);
    };
    let share: f64 = share.trim().parse().map_err(|_| bad())?;
    if !share.is_finite() || share.is_sign_negative() {
        return Err(bad());
    }
    if share > 100.0 {
        return Err(ValueError::AboveWhole {
            found: text.to_owned(),
        });
    }
    Ok(Portion::Percent(share))
}

/// A portion that selects something: `20`, `10%`.
pub(super) fn limit(text: &str) -> Result<Portion, ValueError> {
    match portion(text)? {
        Portion::Count(0) | Portion::Percent(0.0) => Err(ValueError::Nothing {
            found: text.to_owned(),
        }),
        some => Ok(some),
    }
}

/// A portion that may be nothing: `0`, `3`, `5%`.
pub(super) fn allowance(text: &str) -> Result<Portion, ValueError> {
    portion(text)
}

/// Digits only, so that `+5`, ` 5` and `5.0` are not taken.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn integer(text: &str, least: u64, most: u64) -> Result<u64, ValueError> {
    digits(text)
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| ValueError::Integer {
            found: text.to_owned(),
            least,
            most,
        })
}

/// A seed: any number that fits into the database's signed integers.
pub(super) fn seed(text: &str) -> Result<u64, ValueError> {
    integer(text, 0, i64::MAX as u64)
}

/// Repetitions of every sample.
pub(super) fn epochs(text: &str) -> Result<u32, ValueError> {
    integer(text, 1, 10_000).map(|n| n as u32)
}

/// A context length in tokens.
pub(super) fn context(text: &str) -> Result<u32, ValueError> {
    integer(text, 1, 1 << 24).map(|n| n as u32)
}

/// A number of tokens to read: fewer than 16 say nothing.
pub(super) fn tokens(text: &str) -> Result<u32, ValueError> {
    integer(text, 16, 1 << 24).map(|n| n as u32)
}

/// A memory budget.
pub(super) fn budget(text: &str) -> Result<Bytes, ValueError> {
    let bytes: Bytes = text.parse()?;
    if bytes == Bytes(0) {
        return Err(ValueError::NoBudget);
    }
    Ok(bytes)
}

/// A number above zero.
pub(super) fn positive(text: &str) -> Result<f64, ValueError> {
    text.parse()
        .ok()
        .filter(|x: &f64| x.is_finite() && *x > 0.0)
        .ok_or_else(|| ValueError::Positive {
            found: text.to_owned(),
        })
}

/// A confidence level above one half: `95%`, `0.95`.
pub(super) fn level(text: &str) -> Result<f64, ValueError> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim(), 100.0),
        None => (text, 1.0),
    };
    number
        .parse()
        .ok()
        .map(|level: f64| level / unit)
        .filter(|level| *level > 0.5 && *level < 1.0)
        .ok_or_else(|| ValueError::Level {
            found: text.to_owned(),
        })
}

/// A length of time above zero, at most a week: `500ms`, `90s`, `10m`, `1.5h`. The unit is needed, so that nobody guesses it.
pub(super) fn duration(text: &str) -> Result<Duration, ValueError> {
    const WEEK_S: f64 = 7.0 * 24.0 * 3600.0;
    let bad = || ValueError::Duration {
        found: text.to_owned(),
    };
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(bad)?;
    let number: f64 = text[..split].parse().map_err(|_| bad())?;
    let unit_s = match text[split..].trim() {
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(bad()),
    };
    let seconds = number * unit_s;
    if seconds.is_finite() && seconds > 0.0 && seconds <= WEEK_S {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(bad())
    }
}

/// `name` or `tag:name`.
pub(super) fn selector(text: &str) -> Result<Selector, ValueError> {
    let text = text.trim();
    let bad = || ValueError::Selector {
        found: text.to_owned(),
    };
    match text.strip_prefix("tag:") {
        Some("") => Err(bad()),
        Some(tag) => Ok(Selector::Tag(tag.to_owned())),
        None if text.is_empty() => Err(bad()),
        None => Ok(Selector::Name(text.to_owned())),
    }
}

/// Selectors separated by commas; each once, in the order given.
pub(super) fn selectors(text: &str) -> Result<Vec<Selector>, ValueError> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let one = selector(part)?;
        if !all.contains(&one) {
            all.push(one);
        }
    }
    Ok(all)
}

/// `1`, `true`, `yes`, `on` and their opposites.
pub(super) fn truth(text: &str) -> Result<bool, ValueError> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(ValueError::Truth {
            found: text.to_owned(),
        }),
    }
}

/// Any path.
#[expect(
    clippy::unnecessary_wraps,
    reason = "every reader of a value has the same signature"
)]
pub(super) fn path(text: &str) -> Result<PathBuf, ValueError> {
    Ok(PathBuf::from(text))
}

/// Any text.
#[expect(
    clippy::unnecessary_wraps,
    reason = "every reader of a value has the same signature"
)]
pub(super) fn text(text: &str) -> Result<String, ValueError> {
    Ok(text.to_owned())
}

/// One of a closed set.
pub(super) fn choice<T: ValueEnum>(text: &str) -> Result<T, ValueError> {
    T::from_str(text, true).map_err(|_| ValueError::Choice {
        found: text.to_owned(),
        valid: T::value_variants()
            .iter()
            .filter_map(ValueEnum::to_possible_value)
            .map(|v| v.get_name().to_owned())
            .collect(),
    })
}

/// The name a value of a closed set is written with.
pub(super) fn choice_name<T: ValueEnum>(value: &T) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |v| v.get_name().to_owned())
}
