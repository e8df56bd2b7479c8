//! `json`: the answer is one JSON value and nothing else, optionally in one code fence, and follows the schema.

use crate::scorer::answer::{Answer, Json, NoJson};
use crate::scorer::finding::Finding;
use crate::scorer::text::shorten;
use crate::suite::{JsonPath, Schema};
use serde_json::Value;

pub(crate) fn check(answer: &Answer<'_>, schema: Option<&Schema>, fenced: bool) -> Finding {
    let json = match answer.json() {
        Ok(json) => json,
        Err(why) => return no_json(why),
    };
    if json.fenced && !fenced {
        return Finding::of(false, || "the JSON stands in a code fence".to_owned());
    }
    let Some(schema) = schema else {
        return Finding::of(true, String::new);
    };
    match schema.validator.validate(&json.value) {
        Ok(()) => Finding::of(true, String::new),
        Err(e) => {
            let at = e.instance_path().to_string();
            let at = if at.is_empty() {
                "the JSON".to_owned()
            } else {
                format!("`{at}`")
            };
            Finding::of(false, || shorten(&format!("{at}: {e}"), 300))
        }
    }
}

/// The finding for an answer that is not JSON.
pub(super) fn no_json(why: NoJson) -> Finding {
    match why {
        NoJson::Invalid(why) => {
            Finding::unparsed(format!("the answer is not one JSON value: {why}"))
        }
        NoJson::TooLong(why) => Finding::Unscored(why),
    }
}

/// The value at a path, or the finding that there is none.
pub(super) fn at_path<'j>(json: &'j Json, path: &JsonPath) -> Result<&'j Value, Finding> {
    path.get(&json.value)
        .ok_or_else(|| Finding::of(false, || format!("there is nothing at `{path}`")))
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::{find, table};
    use crate::scorer::finding::Finding;

    #[test]
    fn schemas_are_followed() {
        table(
            "{ type = \"json\", schema = { type = \"object\", required = [\"total\"], properties = { total = { type = \"number\" } } } }",
            &[
                ("{\"total\": 3}", true),
                ("```json\n{\"total\": 3.5}\n```", true),
                ("{\"total\": \"3\"}", false),
                ("{}", false),
                ("[]", false),
                ("Total: 3", false),
                ("Sure: {\"total\": 3}", false),
                ("", false),
            ],
        );
        table(
            "{ type = \"json\", fenced = false }",
            &[("[1]", true), ("```\n[1]\n```", false)],
        );
        table(
            "{ type = \"json\", schema = { type = \"array\", uniqueItems = true, items = { pattern = \"^(a+)+$\" } } }",
            &[
                ("[\"a\", \"aa\"]", true),
                ("[\"a\", \"a\"]", false),
                (&format!("[\"{}b\"]", "a".repeat(50_000)), false),
            ],
        );
    }

    #[test]
    fn reasons_name_the_place() {
        let toml = "{ type = \"json\", schema = { properties = { a = { type = \"string\" } } } }";
        let Finding::Judged { why: Some(why), .. } = find(toml, "{\"a\": 1}") else {
            panic!("it fails")
        };
        assert_eq!(why, "`/a`: 1 is not of type \"string\"");
        let deep = "[".repeat(1 << 20);
        assert!(matches!(find(toml, &deep), Finding::Unscored(_)));
    }
}
