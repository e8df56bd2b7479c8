//! A completion in the forms checks look at, each made once and only when asked for.

use super::text::Text;
use serde_json::Value;
use std::cell::OnceCell;

/// Longest JSON text that is parsed, in bytes. Its nesting is bounded by the parser (128).
const MAX_JSON: usize = 256 << 10;

/// A completion that is being scored.
pub(crate) struct Answer<'c> {
    /// Without white space at the ends.
    pub(crate) raw: &'c str,
    folded: OnceCell<Text>,
    lower: OnceCell<Text>,
    numeric: OnceCell<Text>,
    json: OnceCell<Result<Json, NoJson>>,
}

/// A JSON answer.
#[derive(Debug)]
pub(crate) struct Json {
    pub(crate) value: Value,
    /// Whether it stood in a code fence.
    pub(crate) fenced: bool,
}

/// Why there is no JSON answer.
#[derive(Debug, Clone)]
pub(crate) enum NoJson {
    /// It is not JSON, or more than JSON.
    Invalid(String),
    /// It is too long to be parsed.
    TooLong(String),
}

impl<'c> Answer<'c> {
    pub(crate) fn new(completion: &'c str) -> Self {
        Self {
            raw: completion.trim(),
            folded: OnceCell::new(),
            lower: OnceCell::new(),
            numeric: OnceCell::new(),
            json: OnceCell::new(),
        }
    }

    /// Folded, as written or in lower case.
    pub(crate) fn text(&self, ignore_case: bool) -> &Text {
        if ignore_case {
            self.lower.get_or_init(|| Text::lower(self.raw))
        } else {
            self.folded.get_or_init(|| Text::folded(self.raw))
        }
    }

    /// In lower case with numbers in one spelling.
    pub(crate) fn numeric(&self) -> &Text {
        self.numeric.get_or_init(|| Text::numeric(self.raw))
    }

    /// The one JSON value the answer consists of, optionally in one code fence.
    pub(crate) fn json(&self) -> Result<&Json, NoJson> {
        self.json
            .get_or_init(|| parse(self.raw))
            .as_ref()
            .map_err(Clone::clone)
    }
}

fn parse(raw: &str) -> Result<Json, NoJson> {
    let (text, fenced) = match unfence(raw) {
        Some(inside) => (inside, true),
        None => (raw, false),
    };
    if text.len() > MAX_JSON {
        let length = text.len();
        return Err(NoJson::TooLong(format!(
            "the JSON has {length} bytes but at most {MAX_JSON} are read"
        )));
    }
    let value = serde_json::from_str(text).map_err(|e| NoJson::Invalid(e.to_string()))?;
    Ok(Json { value, fenced })
}

/// The inside of the one code fence a text consists of.
fn unfence(raw: &str) -> Option<&str> {
    let (info, rest) = raw.strip_prefix("```")?.split_once('\n')?;
    let plain = info.trim().chars().all(|c| c.is_ascii_alphanumeric());
    plain.then(|| rest.strip_suffix("```")).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stands_alone_or_in_one_fence() {
        for (raw, fenced) in [
            ("{\"a\": 1}", Some(false)),
            (" [1, 2]\n", Some(false)),
            ("```json\n{\"a\": 1}\n```", Some(true)),
            ("```\n{\"a\": \"```\"}```\n", Some(true)),
            ("Here it is: {\"a\": 1}", None),
            ("{\"a\": 1} Done.", None),
            ("```json\n{}\n```\nDone.", None),
            ("```json\n{}\n```\n```json\n{}\n```", None),
            ("```json {}\n```", None),
            ("", None),
            ("{\"a\": 1,}", None),
            ("\u{0}", None),
        ] {
            let answer = Answer::new(raw);
            assert_eq!(answer.json().ok().map(|j| j.fenced), fenced, "{raw:?}");
        }
    }

    #[test]
    fn hostile_json_is_refused() {
        let deep = "[".repeat(100_000);
        assert!(
            matches!(Answer::new(&deep).json(), Err(NoJson::Invalid(why)) if why.contains("recursion limit"))
        );
        let long = format!("\"{}\"", "x".repeat(MAX_JSON));
        assert!(matches!(Answer::new(&long).json(), Err(NoJson::TooLong(_))));
    }
}
