//! `text`: a string of the JSON answer.

use super::json::{at_path, no_json};
use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;
use crate::scorer::text::{fold, shorten};
use crate::suite::JsonPath;
use serde_json::Value;

pub(crate) fn check(
    answer: &Answer<'_>,
    path: &JsonPath,
    any_of: &[String],
    ignore_case: bool,
) -> Finding {
    let json = match answer.json() {
        Ok(json) => json,
        Err(why) => return no_json(why),
    };
    let value = match at_path(json, path) {
        Ok(value) => value,
        Err(finding) => return finding,
    };
    let Value::String(found) = value else {
        return Finding::of(false, || format!("the value at `{path}` is not a string"))
            .answered(value.to_string());
    };
    let form = |text: &str| {
        if ignore_case {
            fold(&text.to_lowercase())
        } else {
            fold(text)
        }
    };
    let same = any_of.iter().any(|wanted| form(wanted) == form(found));
    let why = || {
        let wanted = shorten(&any_of.join("`, `"), 120);
        format!(
            "`{path}` is `{}` but should be `{wanted}`",
            shorten(found, 80)
        )
    };
    Finding::of(same, why).answered(found.as_str())
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::table;

    #[test]
    fn strings_of_a_json_answer() {
        table(
            "{ type = \"text\", path = \"$.name\", equals = \"Mara Lindqvist\" }",
            &[
                ("{\"name\": \"Mara Lindqvist\"}", true),
                ("{\"name\": \" mara  lindqvist \"}", true),
                ("{\"name\": \"Mara\"}", false),
                ("{\"name\": 3}", false),
                ("{\"name\": null}", false),
                ("{}", false),
                ("Mara Lindqvist", false),
            ],
        );
        table(
            "{ type = \"text\", path = \"$[0]\", any_of = [\"A1\", \"A-1\"], ignore_case = false }",
            &[("[\"A\u{2011}1\"]", true), ("[\"a1\"]", false)],
        );
    }
}
