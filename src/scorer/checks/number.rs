//! `number`: a number of the answer, the first, the last, any, or the one at a path of the JSON answer.

use super::json::{at_path, no_json};
use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;
use crate::scorer::numbers;
use crate::suite::{JsonPath, NumberAt, Tolerance};
use serde_json::Value;

pub(crate) fn check(
    answer: &Answer<'_>,
    equals: f64,
    tolerance: Tolerance,
    at: &NumberAt,
) -> Finding {
    let mut all = numbers::scan(answer.raw).map(|n| n.value);
    let found = match at {
        NumberAt::Path(path) => return check_path(answer, equals, tolerance, path),
        NumberAt::First => all.next(),
        NumberAt::Last => all.last(),
        NumberAt::Any => {
            let mut first = None;
            let hit = all.find(|&x| {
                first.get_or_insert(x);
                close(x, equals, tolerance)
            });
            hit.or(first)
        }
    };
    match found {
        Some(found) => judge(found, equals, tolerance),
        None => Finding::unparsed("there is no number in the answer"),
    }
}

fn check_path(answer: &Answer<'_>, equals: f64, tolerance: Tolerance, path: &JsonPath) -> Finding {
    let json = match answer.json() {
        Ok(json) => json,
        Err(why) => return no_json(why),
    };
    let value = match at_path(json, path) {
        Ok(value) => value,
        Err(finding) => return finding,
    };
    let found = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => numbers::only(text),
        _ => None,
    };
    match found {
        Some(found) => judge(found, equals, tolerance),
        None => Finding::of(false, || format!("the value at `{path}` is not a number"))
            .answered(value.to_string()),
    }
}

fn judge(found: f64, equals: f64, tolerance: Tolerance) -> Finding {
    let why = || {
        format!(
            "the number is {found} but should be {equals}{}",
            range(tolerance)
        )
    };
    Finding::of(close(found, equals, tolerance), why).answered(found.to_string())
}

fn range(tolerance: Tolerance) -> String {
    match tolerance {
        Tolerance::Absolute(x) | Tolerance::Relative(x) if x == 0.0 => String::new(),
        Tolerance::Absolute(x) => format!(" to within {x}"),
        Tolerance::Relative(x) => format!(" to within {} %", x * 100.0),
    }
}

/// Decimal fractions have no exact binary form: one part in 10^9 is always allowed.
fn close(found: f64, equals: f64, tolerance: Tolerance) -> bool {
    let allowed = match tolerance {
        Tolerance::Absolute(x) => x,
        Tolerance::Relative(x) => x * equals.abs(),
    };
    (found - equals).abs() <= allowed + 1e-9 * equals.abs().max(1e-3)
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::{find, table};
    use crate::scorer::finding::Finding;

    #[test]
    fn numbers_of_a_text() {
        table(
            "{ type = \"number\", equals = 1249.5 }",
            &[
                ("Answer: 1,249.50", true),
                ("Answer: $1,249.5.", true),
                ("3 items make **1249.50** EUR", true),
                ("1,249.50 for 3 items", false),
                ("1,249.51", false),
                ("none", false),
            ],
        );
        table(
            "{ type = \"number\", equals = 3, which = \"first\" }",
            &[("3 of 4", true), ("4 of 3", false)],
        );
        table(
            "{ type = \"number\", equals = 3, which = \"any\" }",
            &[("4, 3, 2", true), ("4 and 2", false)],
        );
        table(
            "{ type = \"number\", equals = 60, tolerance = 0.5 }",
            &[("60.5", true), ("59.5", true), ("60.51", false)],
        );
        table(
            "{ type = \"number\", equals = 200, rel_tolerance = 0.01 }",
            &[("202", true), ("197.9", false)],
        );
        table(
            "{ type = \"number\", equals = 0.3 }",
            &[("0.3", true), (".30", true), ("0.30001", false)],
        );
        table(
            "{ type = \"number\", equals = -12 }",
            &[
                ("-12", true),
                ("12", false),
                ("a loss of \u{2212}12 %", true),
            ],
        );
    }

    #[test]
    fn numbers_of_a_json_answer() {
        table(
            "{ type = \"number\", path = \"$.items[0].total\", equals = 29.9, tolerance = 0.001 }",
            &[
                ("{\"items\": [{\"total\": 29.90}]}", true),
                (
                    "```json\n{\"items\": [{\"total\": \"29.90 EUR\"}]}\n```",
                    true,
                ),
                ("{\"items\": [{\"total\": \"29,90\"}]}", true),
                ("{\"items\": [{\"total\": \"about 29.90\"}]}", false),
                ("{\"items\": [{\"total\": null}]}", false),
                ("{\"items\": [{\"total\": true}]}", false),
                ("{\"items\": []}", false),
                ("The total is 29.90", false),
            ],
        );
    }

    #[test]
    fn no_number_is_unparsed() {
        for (toml, answer) in [
            ("{ type = \"number\", equals = 3 }", "three"),
            (
                "{ type = \"number\", equals = 3, path = \"$.a\" }",
                "a is 3",
            ),
        ] {
            assert!(matches!(
                find(toml, answer),
                Finding::Judged { parsed: false, .. }
            ));
        }
        let wrong = find("{ type = \"number\", equals = 3 }", "4");
        assert_eq!(
            wrong,
            Finding::Judged {
                value: 0.0,
                passed: false,
                parsed: true,
                answer: Some("4".into()),
                why: Some("the number is 4 but should be 3".into()),
            }
        );
    }
}
