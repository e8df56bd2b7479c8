//! Paths into a JSON value: `$`, then `.name`, `['name']` or `[0]` steps. No wildcards: a path names one value.

use std::fmt;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl JsonPath {
    /// Parses a path.
    ///
    /// # Errors
    /// What is wrong, as a fragment.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.strip_prefix('$').ok_or("it must begin with `$`")?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, tail) = next_step(rest)?;
            steps.push(step);
            rest = tail;
        }
        Ok(Self { steps })
    }

    /// The value at the path.
    pub fn get<'v>(&self, value: &'v serde_json::Value) -> Option<&'v serde_json::Value> {
        self.steps.iter().try_fold(value, |at, step| match step {
            Step::Key(key) => at.as_object()?.get(key),
            Step::Index(index) => at.as_array()?.get(*index),
        })
    }
}

fn next_step(rest: &str) -> Result<(Step, &str), String> {
    if let Some(tail) = rest.strip_prefix('.') {
        let end = tail.find(['.', '[']).unwrap_or(tail.len());
        let (key, tail) = tail.split_at(end);
        return if key.is_empty() || key.contains([']', '*', ' ']) {
            Err(format!("`.` must be followed by a key, not by `{key}`"))
        } else {
            Ok((Step::Key(key.to_owned()), tail))
        };
    }
    let Some(tail) = rest.strip_prefix('[') else {
        return Err(format!("`.` or `[` is expected before `{rest}`"));
    };
    for quote in ['\'', '"'] {
        if let Some(quoted) = tail.strip_prefix(quote) {
            let close = format!("{quote}]");
            let (key, tail) = quoted
                .split_once(&close)
                .ok_or_else(|| format!("`[{quote}` is not closed"))?;
            return Ok((Step::Key(key.to_owned()), tail));
        }
    }
    let (index, tail) = tail.split_once(']').ok_or("`[` is not closed")?;
    index
        .parse()
        .map(|index| (Step::Index(index), tail))
        .map_err(|_| format!("`{index}` is not an index from 0"))
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for step in &self.steps {
            match step {
                Step::Key(key) if key.contains(['.', '[', ' ']) => write!(f, "['{key}']")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_to_values() {
        let value = json!({"a": {"b": [10, {"c d": true}]}, "": 1});
        for (path, want) in [
            ("$.a.b[0]", Some(json!(10))),
            ("$.a.b[1]['c d']", Some(json!(true))),
            ("$[\"a\"].b[1]", Some(json!({"c d": true}))),
            ("$", Some(value.clone())),
            ("$.a.b[2]", None),
            ("$.a.b.c", None),
            ("$.a[0]", None),
        ] {
            let parsed = JsonPath::parse(path).unwrap();
            assert_eq!(parsed.get(&value), want.as_ref(), "{path}");
            assert_eq!(JsonPath::parse(&parsed.to_string()).unwrap(), parsed);
        }
    }

    #[test]
    fn wrong_paths_are_refused() {
        for (path, why) in [
            ("a.b", "it must begin with `$`"),
            ("$a", "`.` or `[` is expected before `a`"),
            ("$..a", "`.` must be followed by a key, not by ``"),
            ("$.*", "`.` must be followed by a key, not by `*`"),
            ("$[a]", "`a` is not an index from 0"),
            ("$[-1]", "`-1` is not an index from 0"),
            ("$[0", "`[` is not closed"),
            ("$['a", "`['` is not closed"),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap_err(), why, "{path}");
        }
    }
}
