//! How many digits are shown, and in which unit.
//!
//! The last digit shown is the first that the interval leaves in doubt; without an interval three significant digits. JSON and CSV do not
//! come here: they carry full precision.

use crate::analysis::{Interval, Measured, Scale};
use crate::metric::Unit;

/// Perplexities from here on are shown as powers of ten.
const SCIENTIFIC: f64 = 1e6;

/// A number ready to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The point.
    pub(super) point: String,
    /// `[low, high]`; an open side is a dash.
    pub(super) interval: Option<String>,
    /// Unit behind the point in running text; empty for a bare number.
    pub(super) unit: &'static str,
}

impl Shown {
    /// For a column whose head carries the unit: `8.1 [7.5, 8.6]`.
    pub(super) fn cell(&self) -> String {
        match &self.interval {
            Some(interval) => format!("{} {interval}", self.point),
            None => self.point.clone(),
        }
    }

    /// For running text: `341 ms [330, 352]`, `$0.41 [0.40, 0.42]`.
    pub(super) fn text(&self) -> String {
        let head = match self.unit {
            "" => self.point.clone(),
            "$" => format!("${}", self.point),
            unit => format!("{} {unit}", self.point),
        };
        match &self.interval {
            Some(interval) => format!("{head} {interval}"),
            None => head,
        }
    }
}

/// How a unit is printed: factor, fewest and most decimals, text.
struct Style {
    factor: f64,
    fewest: usize,
    most: usize,
    /// Most significant digits.
    digits: f64,
    text: &'static str,
}

fn style(unit: Unit, point: f64) -> Style {
    let (factor, fewest, most, text) = match unit {
        Unit::Points => (1.0, 1, 3, ""),
        Unit::Share => (100.0, 0, 2, "%"),
        Unit::Milliseconds if point >= 10.0 => (1.0, 0, 0, "ms"),
        Unit::Milliseconds => (1.0, 0, 3, "ms"),
        Unit::Tokens => (1.0, 0, 2, "tokens"),
        Unit::Words => (1.0, 0, 2, "words"),
        Unit::TokensPerSecond => (1.0, 0, 2, "tok/s"),
        Unit::CharactersPerSecond => (1.0, 0, 2, "char/s"),
        Unit::RequestsPerMinute => (1.0, 0, 2, "a minute"),
        Unit::Bytes if point >= 1e9 => (1e-9, 1, 1, "GB"),
        Unit::Bytes if point >= 1e6 => (1e-6, 0, 1, "MB"),
        Unit::Bytes => (1.0, 0, 0, "bytes"),
        Unit::BytesPerParameter => (1.0, 2, 3, "bytes a parameter"),
        Unit::Ratio => (1.0, 2, 3, ""),
        Unit::Nats => (1.0, 2, 4, "nats"),
        Unit::BitsPerByte => (1.0, 2, 4, "bits/byte"),
        Unit::Perplexity => (1.0, 1, 3, ""),
        Unit::UsdPerThousandTasks | Unit::UsdPerMillionTokens | Unit::UsdPerHour => {
            (1.0, 2, 5, "$")
        }
        Unit::JoulesPerTask => (1.0, 0, 3, "J"),
        Unit::TasksPerYear => (1.0, 0, 0, "tasks a year"),
    };
    let digits = match unit {
        Unit::UsdPerThousandTasks | Unit::UsdPerMillionTokens | Unit::UsdPerHour => 2.0,
        _ => 3.0,
    };
    Style {
        factor,
        fewest,
        most,
        digits,
        text,
    }
}

/// Half of what the interval leaves open; the open side counts as the closed one.
fn doubt(point: f64, interval: Option<Interval>) -> Option<f64> {
    let interval = interval?;
    let low = interval.lower.map(|x| (point - x).abs());
    let high = interval.upper.map(|x| (x - point).abs());
    match (low, high) {
        (Some(l), Some(h)) => Some(f64::midpoint(l, h)),
        (one, other) => one.or(other),
    }
}

/// Decimals down to the first digit in doubt, or to three significant digits; never more than that.
fn decimals(point: f64, doubt: Option<f64>, digits: f64) -> usize {
    let significant = if point == 0.0 {
        0.0
    } else {
        digits - 1.0 - point.abs().log10().floor()
    };
    let place = match doubt.filter(|d| *d > 0.0) {
        // A point near zero has no significant digits of its own: the doubt decides.
        Some(doubt) if point.abs() <= doubt => -doubt.log10().floor(),
        Some(doubt) => significant.min(-doubt.log10().floor()),
        None => significant,
    };
    place.clamp(0.0, 12.0) as usize
}

/// A measured number in its unit.
pub(super) fn shown(unit: Unit, measured: &Measured) -> Shown {
    number(unit, measured.point, measured.interval)
}

/// A number in its unit.
pub(super) fn number(unit: Unit, point: f64, interval: Option<Interval>) -> Shown {
    // A text that a model finds nearly impossible: the order of magnitude is all that can be read.
    if unit == Unit::Perplexity && point >= SCIENTIFIC {
        let side = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| format!("{x:.1e}"));
        return Shown {
            point: format!("{point:.1e}"),
            interval: interval.map(|i| format!("[{}, {}]", side(i.lower), side(i.upper))),
            unit: "",
        };
    }
    let s = style(unit, point.abs());
    let doubt = doubt(point, interval).map(|d| d * s.factor);
    let places = decimals(point * s.factor, doubt, s.digits).clamp(s.fewest, s.most);
    let side = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| fixed(x * s.factor, places));
    Shown {
        point: fixed(point * s.factor, places),
        interval: interval.map(|i| format!("[{}, {}]", side(i.lower), side(i.upper))),
        unit: s.text,
    }
}

/// A difference with its sign in front, or a ratio: `+0.2 [-0.4, 0.8]`, `+13 pp [0, 30]`, `×1.57 [1.52, 1.63]`.
pub(super) fn compared(scale: Scale, unit: Unit, measured: &Measured) -> Shown {
    match scale {
        Scale::Difference => {
            let mut shown = shown(unit, measured);
            if !shown.point.starts_with('-') {
                shown.point.insert(0, '+');
            }
            // A difference of percentages is not a percentage.
            let unit = if unit == Unit::Share {
                "pp"
            } else {
                shown.unit
            };
            Shown { unit, ..shown }
        }
        Scale::Ratio => {
            let mut shown = shown(Unit::Ratio, measured);
            shown.point.insert(0, '×');
            shown
        }
    }
}

/// A lower bound of a share in percent, rounded down, so that it is not said to be more than it is.
pub(super) fn at_least_percent(share: f64) -> String {
    let places = i32::from(share >= 0.99);
    let scale = 10_f64.powi(places);
    format!(
        "{} %",
        fixed((share * 100.0 * scale).floor() / scale, places as usize)
    )
}

/// `places` decimals, thousands separated, without a negative zero.
pub(super) fn fixed(x: f64, places: usize) -> String {
    let text = format!("{x:.places$}");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) if rest.bytes().any(|b| b.is_ascii_digit() && b != b'0') => ("-", rest),
        Some(rest) => ("", rest),
        None => ("", text.as_str()),
    };
    let (whole, fraction) = digits.split_once('.').map_or((digits, ""), |(w, f)| (w, f));
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{dot}{fraction}", grouped(whole))
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Two significant digits in words people use: `520`, `41,000`, `2.1 million`.
pub(super) fn about(x: f64) -> String {
    if x < 10.0 {
        return fixed(x, usize::from(x < 1.0));
    }
    let scale = 10_f64.powf(x.log10().floor() - 1.0);
    let rounded = (x / scale).round() * scale;
    for (size, word) in [(1e12, "trillion"), (1e9, "billion"), (1e6, "million")] {
        if rounded >= size {
            let n = rounded / size;
            return format!("{} {word}", fixed(n, usize::from(n < 10.0)));
        }
    }
    fixed(rounded, 0)
}

/// Two significant digits without words: `520`, `2.1`, `0.3`.
pub(super) fn two_digits(x: f64) -> String {
    if x < 10.0 {
        return fixed(x, 1);
    }
    let scale = 10_f64.powf(x.log10().floor() - 1.0);
    fixed((x / scale).round() * scale, 0)
}

/// A whole number of prompts that is enough: two significant digits, rounded up.
pub(super) fn at_least(x: f64) -> String {
    let whole = x.ceil();
    if whole < 100.0 {
        return fixed(whole, 0);
    }
    let scale = 10_f64.powf(whole.log10().floor() - 1.0);
    about((whole / scale).ceil() * scale)
}

/// `p 0.47`, `p < 0.001`.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "p < 0.001".to_owned()
    } else if p > 0.999 {
        "p 1".to_owned()
    } else {
        format!("p {}", fixed(p, decimals(p, None, 2.0).max(2)))
    }
}

/// A share in percent without decimals unless it needs them.
pub(super) fn percent(share: f64) -> String {
    let whole = (share * 1_000.0).round() % 10.0 == 0.0;
    let places = usize::from(!whole && !(0.1..0.9).contains(&share));
    format!("{} %", fixed(share * 100.0, places))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unit: Unit, point: f64, bounds: Option<(f64, f64)>, text: &str) {
        let interval = bounds.map(|(low, high)| Interval::new(0.95, low, high));
        assert_eq!(number(unit, point, interval).text(), text);
    }

    #[test]
    fn digits_follow_the_interval() {
        check(Unit::Points, 8.123, Some((7.54, 8.61)), "8.1 [7.5, 8.6]");
        check(
            Unit::Points,
            8.123,
            Some((8.104, 8.142)),
            "8.12 [8.10, 8.14]",
        );
        check(Unit::Points, 5.0, Some((5.0, 5.0)), "5.00 [5.00, 5.00]");
        check(Unit::Share, 0.844, Some((0.739, 0.912)), "84 % [74, 91]");
        check(
            Unit::Share,
            0.9944,
            Some((0.9931, 0.9957)),
            "99.4 % [99.3, 99.6]",
        );
        check(
            Unit::Milliseconds,
            341.27,
            Some((330.1, 352.8)),
            "341 ms [330, 353]",
        );
        check(Unit::Milliseconds, 12_341.0, None, "12,341 ms");
        check(Unit::Milliseconds, 0.0421, None, "0.042 ms");
        check(
            Unit::UsdPerThousandTasks,
            0.413,
            Some((0.402, 0.424)),
            "$0.41 [0.40, 0.42]",
        );
        check(Unit::UsdPerThousandTasks, 0.001_234, None, "$0.0012");
        check(Unit::Bytes, 5.9e9, None, "5.9 GB");
        check(Unit::Bytes, 98.4e6, None, "98.4 MB");
        check(Unit::Ratio, 0.9912, None, "0.991");
        check(
            Unit::BitsPerByte,
            0.9123,
            Some((0.88, 0.95)),
            "0.91 bits/byte [0.88, 0.95]",
        );
        check(Unit::Perplexity, 23.1838, None, "23.2");
        check(
            Unit::Perplexity,
            4.63e13,
            Some((2.04e13, 1.06e14)),
            "4.6e13 [2.0e13, 1.1e14]",
        );
        check(
            Unit::TasksPerYear,
            2_102_400.0,
            None,
            "2,102,400 tasks a year",
        );
    }

    #[test]
    fn open_sides_are_dashes_and_differences_have_signs() {
        let open = Interval {
            level: 0.95,
            lower: Some(355.0),
            upper: None,
        };
        assert_eq!(
            number(Unit::Milliseconds, 390.0, Some(open)).cell(),
            "390 [355, –]"
        );
        let measured = |point: f64| Measured {
            point,
            interval: Some(Interval::new(0.95, point - 0.6, point + 0.6)),
            method: "paired-t",
            n: 64,
            observations: 64,
            missing: None,
            notes: Vec::new(),
        };
        assert_eq!(
            compared(Scale::Difference, Unit::Points, &measured(0.2)).text(),
            "+0.2 [-0.4, 0.8]"
        );
        assert_eq!(
            compared(Scale::Difference, Unit::Points, &measured(-0.01)).text(),
            "+0.0 [-0.6, 0.6]"
        );
        assert_eq!(
            compared(Scale::Difference, Unit::Points, &measured(-0.2)).text(),
            "-0.2 [-0.8, 0.4]"
        );
    }

    #[test]
    fn shares_differ_by_points_and_bounds_round_down() {
        let measured = Measured {
            point: 0.13,
            interval: Some(Interval::new(0.95, 0.004, 0.304)),
            method: "tango",
            n: 30,
            observations: 30,
            missing: None,
            notes: Vec::new(),
        };
        let difference = compared(Scale::Difference, Unit::Share, &measured);
        assert_eq!(difference.text(), "+13 pp [0, 30]");
        let ratio = Measured {
            point: 1.57,
            interval: Some(Interval::new(0.95, 1.52, 1.63)),
            ..measured
        };
        let ratio = compared(Scale::Ratio, Unit::Milliseconds, &ratio);
        assert_eq!(ratio.text(), "×1.57 [1.52, 1.63]");
        let bounds = [0.9047, 0.9513, 0.9999, 1.0].map(at_least_percent);
        assert_eq!(bounds, ["90 %", "95 %", "99.9 %", "100.0 %"]);
    }

    #[test]
    fn round_numbers_are_said_in_words() {
        for (x, text) in [
            (0.0, "0.0"),
            (7.4, "7"),
            (519.0, "520"),
            (41_234.0, "41,000"),
            (2_134_000.0, "2.1 million"),
            (996_000.0, "1.0 million"),
            (31_000_000.0, "31 million"),
            (4.2e9, "4.2 billion"),
            (8.8e15, "8,800 trillion"),
        ] {
            assert_eq!(about(x), text);
        }
        assert_eq!(
            [0.34, 9.96, 14.2, 1_834.0].map(two_digits),
            ["0.3", "10.0", "14", "1,800"]
        );
        assert_eq!(
            (
                at_least(14.3).as_str(),
                at_least(511.0).as_str(),
                at_least(100.0).as_str()
            ),
            ("15", "520", "100")
        );
    }

    #[test]
    fn p_values_have_two_digits() {
        let cases = [
            (0.469, "p 0.47"),
            (0.0321, "p 0.032"),
            (0.00149, "p 0.0015"),
            (0.0004, "p < 0.001"),
            (1.0, "p 1"),
        ];
        for (p, text) in cases {
            assert_eq!(p_value(p), text);
        }
    }

    #[test]
    fn zero_has_no_sign_and_thousands_are_separated() {
        assert_eq!(fixed(-0.04, 1), "0.0");
        assert_eq!(fixed(-1_234_567.891, 2), "-1,234,567.89");
        assert_eq!(fixed(999.5, 0), "1,000");
        assert_eq!(
            (percent(0.95).as_str(), percent(0.999).as_str()),
            ("95 %", "99.9 %")
        );
    }
}
