//! `words`, `sentences`, `lines`, `bullets`: counts in a range.
//!
//! * A word is a run without white space that holds a letter or digit: `well-known` and `12%` are one each.
//! * A sentence ends at `.`, `!`, `?` or the ellipsis before white space, at the end of a list item or heading, and at a blank line,
//!   unless that follows a comma or colon (a salutation or a lead-in). Abbreviations, initials and list numbers do not end one.
//! * A line is one that is not blank. A bullet is a line that begins with `-`, `*`, `+`, a bullet sign, or a number with `.` or `)`.

use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;
use crate::suite::Unit;

/// Words that end in a point without ending a sentence.
const ABBREVIATIONS: [&str; 20] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "no", "nos", "vs", "approx", "e.g", "i.e", "cf", "inc",
    "ltd", "co", "dept", "fig", "p", "pp",
];

pub(crate) fn check(answer: &Answer<'_>, unit: Unit, min: usize, max: Option<usize>) -> Finding {
    let found = match unit {
        Unit::Words => words(answer.raw),
        Unit::Sentences => sentences(answer.raw),
        Unit::Lines => answer.raw.lines().filter(|l| !l.trim().is_empty()).count(),
        Unit::Bullets => answer.raw.lines().filter(|l| item(l).is_some()).count(),
    };
    let passed = found >= min && max.is_none_or(|max| found <= max);
    let name = unit.as_str();
    let why = || match max {
        Some(max) => format!("it has {found} {name}, not {min} to {max}"),
        None => format!("it has {found} {name}, not at least {min}"),
    };
    Finding::of(passed, why).answered(found.to_string())
}

fn words(text: &str) -> usize {
    text.split_whitespace()
        .filter(|word| word.contains(char::is_alphanumeric))
        .count()
}

/// The text of a list item.
fn item(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = if digits > 0 && digits < 4 {
        line[digits..].strip_prefix(['.', ')'])
    } else {
        line.strip_prefix(['-', '*', '+', '\u{2022}', '\u{2013}', '\u{25e6}'])
    }?;
    let text = rest.trim_start();
    (text.len() < rest.len() && !text.is_empty()).then_some(text)
}

fn sentences(text: &str) -> usize {
    let (mut count, mut open, mut last) = (0, false, "");
    for line in text.lines() {
        let blank = line.trim().is_empty();
        let (own, line) = match item(line) {
            Some(text) => (true, text),
            None => (line.trim_start().starts_with('#'), line),
        };
        if open && (own || (blank && !last.ends_with([',', ':']))) {
            (count, open) = (count + 1, false);
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        for (at, word) in words.iter().enumerate() {
            open |= word.contains(char::is_alphanumeric);
            if open && ends(word, words.get(at + 1).copied()) {
                (count, open) = (count + 1, false);
            }
        }
        if own && open {
            (count, open) = (count + 1, false);
        }
        last = words.last().copied().unwrap_or("");
    }
    count + usize::from(open)
}

/// Whether a sentence ends with `word`.
fn ends(word: &str, next: Option<&str>) -> bool {
    let bare = word.trim_end_matches([
        '"', '\'', ')', ']', '*', '_', '`', '\u{201d}', '\u{2019}', '\u{bb}',
    ]);
    if bare.ends_with(['!', '?', '\u{2026}']) {
        return true;
    }
    let Some(stem) = bare.strip_suffix('.') else {
        return false;
    };
    let Some(next) = next else { return true };
    let stem = stem.trim_start_matches(|c: char| !c.is_alphanumeric());
    let initial = stem.chars().count() == 1 && stem.chars().all(char::is_uppercase);
    let known = ABBREVIATIONS.contains(&stem.to_lowercase().as_str());
    // `No. 5` is an abbreviation, `No. It is not.` is a sentence.
    let number = next.starts_with(|c: char| c.is_ascii_digit());
    match stem.to_lowercase().as_str() {
        "no" | "nos" | "p" | "pp" | "fig" => !number,
        _ => !(initial || known || next.starts_with(char::is_lowercase)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorer::checks::testing::table;

    #[test]
    fn sentences_are_counted() {
        for (text, count) in [
            ("", 0),
            ("...", 0),
            ("One", 1),
            ("One. Two! Three?", 3),
            ("It costs 3.50 EUR. Pay by 3 May.", 2),
            ("Dr. Smith met Mr. J. Doe. They spoke.", 2),
            ("No. The battery is not covered.", 2),
            ("See No. 5 of the list.", 1),
            ("e.g. this one, i.e. that.", 1),
            ("He said \"Go.\" Then he left.", 2),
            (
                "Dear Ms Varga,\n\nthank you. We are sorry.\n\nKind regards\nAnn",
                3,
            ),
            ("The points:\n- one\n- two. And more.\n1. three", 5),
            ("# Title\nText here.", 2),
            ("A line\nthat goes on.", 1),
            ("**Done.** Next.", 2),
            ("Wait... what? Yes.", 2),
        ] {
            assert_eq!(sentences(text), count, "{text:?}");
        }
    }

    #[test]
    fn counts_lie_in_ranges() {
        table(
            "{ type = \"words\", min = 2, max = 3 }",
            &[
                ("one", false),
                ("one two", true),
                ("a b - c", true),
                ("a b c d", false),
            ],
        );
        table(
            "{ type = \"words\", max = 2 }",
            &[("", true), ("well-known 12%", true), ("12 % x y", false)],
        );
        table(
            "{ type = \"sentences\", max = 1 }",
            &[("One.", true), ("One. Two.", false)],
        );
        table(
            "{ type = \"lines\", min = 2 }",
            &[("a\n\nb", true), ("a\n\n", false)],
        );
        table(
            "{ type = \"bullets\", min = 2, max = 4 }",
            &[
                ("- a\n* b", true),
                ("1. a\n2) b\n  \u{2022} c", true),
                ("-a\n- b", false),
                ("**bold**\n- a", false),
                ("- \n- a", false),
                ("2026. x\n- a", false),
            ],
        );
    }
}
