//! Finds the numbers of a text and reads them as written in English.
//!
//! * A point is a decimal point, a comma followed by exactly three digits separates thousands: `1,249.50`, `1,249`; `1.249` is a little
//!   more than one. A comma that cannot separate thousands is a decimal comma (`29,90`, `0,125`), and where both appear the last one is
//!   the decimal sign, so that `1.249,50` is read as its writer meant it. Apostrophes and narrow, thin or no-break spaces separate
//!   thousands; ordinary spaces do not, because `2 500 g bags` are two numbers.
//! * Digits joined in a way no number is (dates, versions, lists such as `1,2,3`) are separate integers.
//! * A currency sign or code, a percent sign and a unit do not change the value (`12 %` is 12). Parentheses are not a sign.
//! * A number does not begin inside a word (`Q3`, `A4` have none), a trailing point ends the sentence, and a minus is a sign only when
//!   nothing that could be subtracted from stands right before it.

use std::ops::Range;

/// Currency codes that may stand right before a number.
const CODES: [&str; 10] = [
    "eur", "usd", "gbp", "chf", "cad", "aud", "jpy", "sek", "pln", "rs",
];
/// Most digits that are read; longer runs are not amounts.
const MAX_DIGITS: usize = 400;

/// A number in a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    /// Its value, sign included.
    pub(crate) value: f64,
    /// From its first to behind its last digit, exponent included.
    pub(crate) digits: Range<usize>,
    /// The same digits without separators, with a decimal point; `None` when it has an exponent.
    plain: Option<String>,
}

/// The numbers of `text` from left to right.
pub(crate) fn scan(text: &str) -> impl Iterator<Item = Number> {
    let mut scanner = Scanner {
        text,
        at: 0,
        queue: Vec::new(),
    };
    std::iter::from_fn(move || scanner.next())
}

/// The only number of a text that is nothing but a number with its sign, currency and percent sign.
pub(crate) fn only(text: &str) -> Option<f64> {
    let folded = super::text::fold_marks(text);
    let mut all = scan(&folded);
    let number = all.next()?;
    if all.next().is_some() {
        return None;
    }
    let rest = format!(
        "{} {}",
        &folded[..number.digits.start],
        &folded[number.digits.end..]
    );
    rest.split(|c: char| c.is_whitespace() || "+-%$€£¥".contains(c))
        .all(|word| word.is_empty() || CODES.contains(&word.to_lowercase().as_str()))
        .then_some(number.value)
}

/// `text` with every number in one spelling: no separators of thousands, no trailing zeros of a fraction, `%` right behind it.
pub(crate) fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for number in scan(text) {
        let Some(plain) = number.plain else { continue };
        out.push_str(&text[done..number.digits.start]);
        out.push_str(&plain);
        done = number.digits.end;
        if let Some(length) = percent(&text[done..]) {
            out.push('%');
            done += length;
        }
    }
    out.push_str(&text[done..]);
    out
}

/// Length of a percent sign or word at the start, blanks before it included.
fn percent(text: &str) -> Option<usize> {
    let rest = text.trim_start_matches(|c: char| c.is_whitespace() || c == '-');
    let skipped = text.len() - rest.len();
    for name in ["%", "percent", "per cent"] {
        // A hyphen joins only the word: `12-percent` but not `12-%`.
        let joined = !text[..skipped].contains('-') || (name != "%" && skipped == 1);
        if let Some(after) = rest.strip_prefix(name)
            && joined
            && (name == "%" || !after.starts_with(char::is_alphanumeric))
        {
            return Some(skipped + name.len());
        }
    }
    None
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// Numbers found but not given out, the next one last.
    queue: Vec<Number>,
}

/// A run of digits with the separator before it.
type Group<'t> = (Option<char>, &'t str, usize);

impl<'t> Scanner<'t> {
    fn next(&mut self) -> Option<Number> {
        loop {
            if let Some(number) = self.queue.pop() {
                return Some(number);
            }
            let start = self.start()?;
            let groups = self.groups(start);
            self.take(start, &groups);
        }
    }

    /// Where the next number begins; moves behind words on the way.
    fn start(&mut self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() {
            let here = self.at;
            if bytes[here].is_ascii_digit() {
                return Some(here);
            }
            let c = self.text[here..].chars().next()?;
            if c.is_alphabetic() || c == '_' {
                self.skip_word();
                continue;
            }
            self.at += c.len_utf8();
        }
        None
    }

    /// Moves behind a word and the digits that belong to it. A currency code is not such a word.
    fn skip_word(&mut self) {
        let rest = &self.text[self.at..];
        let letters = rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len());
        let word = rest[..letters].to_lowercase();
        if CODES.contains(&word.as_str()) {
            self.at += letters;
            return;
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        self.at += end.unwrap_or(rest.len());
        // `A4.5` and `v1.2.3` are one name.
        while let Some(tail) = self.text[self.at..].strip_prefix('.') {
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            let digit_before = self.text.as_bytes()[self.at - 1].is_ascii_digit();
            if digits == 0 || !digit_before {
                return;
            }
            self.at += 1 + digits;
        }
    }

    /// Runs of digits joined by what may separate thousands or decimals.
    fn groups(&self, start: usize) -> Vec<Group<'t>> {
        let digits = |at: usize| {
            let tail = &self.text[at..];
            &tail[..tail.bytes().take_while(u8::is_ascii_digit).count()]
        };
        let first = digits(start);
        let mut groups = vec![(None, first, start)];
        let mut end = start + first.len();
        while let Some(separator) = self.text[end..].chars().next() {
            let spaced = matches!(
                separator,
                '\u{a0}' | '\u{202f}' | '\u{2009}' | '\'' | '\u{2019}'
            );
            let next = end + separator.len_utf8();
            let group = if spaced || matches!(separator, '.' | ',') {
                digits(next)
            } else {
                ""
            };
            if group.is_empty() || (spaced && (group.len() != 3 || first.len() > 3)) {
                break;
            }
            groups.push((Some(separator), group, next));
            end = next + group.len();
        }
        groups
    }

    /// Queues the number the groups form, or each group as an integer.
    fn take(&mut self, start: usize, groups: &[Group<'t>]) {
        let (_, last, at) = groups[groups.len() - 1];
        let mut end = at + last.len();
        self.at = end;
        let sign = self.sign(start);
        let Some((whole, fraction)) = interpret(groups) else {
            let integers = groups.iter().rev();
            self.queue = integers
                .filter_map(|&(_, digits, at)| {
                    let first = at == start;
                    number(
                        digits,
                        "",
                        at..at + digits.len(),
                        if first { sign } else { 1.0 },
                        0,
                    )
                })
                .collect();
            return;
        };
        // `.5`, but not the `.5` of a name or of a longer chain.
        let bare = self.text[..start].strip_suffix('.').is_some_and(|head| {
            head.is_empty() || head.ends_with(|c: char| c.is_whitespace() || "+-$€£(=".contains(c))
        });
        let (whole, fraction) = match (bare, fraction.is_empty()) {
            (true, true) => (String::new(), whole),
            _ => (whole, fraction),
        };
        let mut exponent = 0;
        if let Some((power, length)) = power(&self.text[end..]) {
            (exponent, end) = (power, end + length);
            self.at = end;
        }
        let from = if bare { start - 1 } else { start };
        self.queue
            .extend(number(&whole, &fraction, from..end, sign, exponent));
    }

    /// -1 when a minus stands before the number, its currency sign, or both.
    fn sign(&self, start: usize) -> f64 {
        let head = self.text[..start].trim_end_matches(['$', '€', '£', '¥', '.']);
        let minus = head.strip_suffix(['-', '\u{2212}', '\u{2013}']);
        match minus {
            Some(before) => {
                let before = before.trim_end_matches(['$', '€', '£', '¥']);
                let joined = before.ends_with(|c: char| c.is_alphanumeric() || ").%".contains(c));
                if joined { 1.0 } else { -1.0 }
            }
            None => 1.0,
        }
    }
}

/// `e3`, `E-05`: the power and its length.
fn power(text: &str) -> Option<(i32, usize)> {
    let rest = text.strip_prefix(['e', 'E'])?;
    let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let length = rest.len() - unsigned.len() + digits;
    let joined = unsigned[digits..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    if digits == 0 || digits > 3 || joined {
        return None;
    }
    let value = rest[..length].trim_start_matches('+').parse().ok()?;
    Some((value, length + 1))
}

/// Digits before and after the decimal sign, or nothing when the groups do not form one number.
fn interpret(groups: &[Group<'_>]) -> Option<(String, String)> {
    let join = |groups: &[Group<'_>]| groups.iter().map(|g| g.1).collect::<String>();
    let thousands = |groups: &[Group<'_>]| {
        let same = groups[1..]
            .iter()
            .all(|g| g.0 == groups[1].0 && g.1.len() == 3);
        same && groups[0].1.len() <= 3 && groups[0].1 != "0"
    };
    let [.., last] = groups else { return None };
    let decimal = matches!(last.0, Some('.' | ','));
    match groups.len() {
        1 => Some((join(groups), String::new())),
        2 if last.0 == Some('.') => Some((groups[0].1.to_owned(), last.1.to_owned())),
        2 if thousands(groups) => Some((join(groups), String::new())),
        2 if decimal => Some((groups[0].1.to_owned(), last.1.to_owned())),
        2 => None,
        count => {
            let head = &groups[..count - 1];
            if thousands(groups) {
                Some((join(groups), String::new()))
            } else if decimal && last.0 != groups[1].0 && thousands(head) {
                Some((join(head), last.1.to_owned()))
            } else {
                None
            }
        }
    }
}

fn number(
    whole: &str,
    fraction: &str,
    digits: Range<usize>,
    sign: f64,
    exponent: i32,
) -> Option<Number> {
    if whole.len() + fraction.len() > MAX_DIGITS {
        return None;
    }
    let text = format!(
        "{}.{}e{exponent}",
        if whole.is_empty() { "0" } else { whole },
        if fraction.is_empty() { "0" } else { fraction }
    );
    let value: f64 = text.parse().ok()?;
    let kept = fraction.trim_end_matches('0');
    let plain = if kept.is_empty() {
        if whole.is_empty() { "0" } else { whole }.to_owned()
    } else {
        format!("{}.{kept}", if whole.is_empty() { "0" } else { whole })
    };
    Some(Number {
        value: sign * value,
        digits,
        plain: (exponent == 0).then_some(plain),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        scan(text).map(|n| n.value).collect()
    }

    #[test]
    fn amounts_are_read() {
        for (text, value) in [
            ("1,249.50", 1249.5),
            ("1.249,50", 1249.5),
            ("$1,249.5", 1249.5),
            ("-$1,249.5", -1249.5),
            ("$-3", -3.0),
            ("12 %", 12.0),
            ("12%", 12.0),
            ("-3", -3.0),
            ("\u{2212}3", -3.0),
            ("(45.00)", 45.0),
            ("1\u{a0}249.50", 1249.5),
            ("1\u{202f}249,50", 1249.5),
            ("1\u{2009}249\u{2009}000", 1_249_000.0),
            ("5'000", 5000.0),
            ("The total is 60.", 60.0),
            ("1,249", 1249.0),
            ("1.249", 1.249),
            ("29,90", 29.9),
            ("0,125", 0.125),
            ("12345,678", 12345.678),
            ("1,234,567", 1_234_567.0),
            ("1.234.567", 1_234_567.0),
            ("EUR60", 60.0),
            ("USD1,249.50", 1249.5),
            ("60EUR", 60.0),
            (".5", 0.5),
            ("-.5", -0.5),
            ("1.5e3", 1500.0),
            ("2E-2", 0.02),
            ("3rd", 3.0),
            ("**60**", 60.0),
            ("Answer:60", 60.0),
            ("x = -2", -2.0),
        ] {
            assert_eq!(values(text), [value], "{text}");
        }
    }

    #[test]
    fn several_numbers_are_separate() {
        for (text, want) in [
            ("3 x 20 = 60", &[3.0, 20.0, 60.0][..]),
            ("3x20=60", &[3.0, 60.0]),
            ("5-3", &[5.0, 3.0]),
            ("5 - 3", &[5.0, 3.0]),
            ("2026-05-14", &[2026.0, 5.0, 14.0]),
            ("14.05.2026", &[14.0, 5.0, 2026.0]),
            ("1, 2, 3", &[1.0, 2.0, 3.0]),
            ("1,2,3", &[1.0, 2.0, 3.0]),
            ("2 500 g", &[2.0, 500.0]),
            ("10\u{2013}12", &[10.0, 12.0]),
            ("1,249,50", &[1.0, 249.0, 50.0]),
            (
                "-1,600, +2,350 and +1,550, together 2,300.",
                &[-1600.0, 2350.0, 1550.0, 2300.0],
            ),
            ("Q3, A4, v1.2.3, x_1 and 7", &[7.0]),
            ("FS-2026-0318", &[2026.0, 318.0]),
            ("no number", &[]),
            ("1e5000 2", &[1.0, 2.0]),
        ] {
            assert_eq!(values(text), want, "{text}");
        }
    }

    #[test]
    fn numeric_strings_are_nothing_else() {
        for (text, want) in [
            ("29.90", Some(29.9)),
            (" 29.90 EUR ", Some(29.9)),
            ("$1,249.50", Some(1249.5)),
            ("12 %", Some(12.0)),
            ("-3", Some(-3.0)),
            ("30 days", None),
            ("FS-10772", None),
            ("1 2", None),
            ("", None),
            ("twelve", None),
        ] {
            assert_eq!(only(text), want, "{text}");
        }
    }

    #[test]
    fn long_inputs_are_quick_and_safe() {
        for text in [
            "1".repeat(1 << 20),
            "1,".repeat(1 << 19),
            "1.1".repeat(1 << 18),
            "-$".repeat(1 << 19),
            "é1".repeat(1 << 18),
        ] {
            let _ = scan(&text).count();
            let _ = canonical(&text);
        }
        assert_eq!(values(&format!("{} 5", "9".repeat(1000))), [5.0]);
    }
}
