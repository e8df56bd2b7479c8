//! `tojson` as transformers defines it: Python's `json.dumps` with `ensure_ascii` off.

use super::python::float;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};
use std::fmt::Write as _;

/// `json.dumps` has no limit of its own; Python's recursion limit is 1,000.
const MAX_DEPTH: usize = 900;

struct Style {
    ensure_ascii: bool,
    /// Text of one level of indentation.
    indent: Option<String>,
    item: String,
    key: String,
    sort_keys: bool,
}

/// The filter: `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja calls filters with this signature"
)]
pub(super) fn tojson(
    value: &Value,
    ensure_ascii: Option<bool>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let named: Option<bool> = kwargs.get("ensure_ascii")?;
    let indent: Option<Value> = kwargs.get("indent")?;
    let separators: Option<Value> = kwargs.get("separators")?;
    let sort_keys: Option<bool> = kwargs.get("sort_keys")?;
    kwargs.assert_all_used()?;
    let indent = indent
        .filter(|v| !v.is_none())
        .map(indentation)
        .transpose()?;
    let (item, key) = match separators.filter(|v| !v.is_none()) {
        Some(pair) => (separator(&pair, 0)?, separator(&pair, 1)?),
        None if indent.is_some() => (",".to_owned(), ": ".to_owned()),
        None => (", ".to_owned(), ": ".to_owned()),
    };
    let style = Style {
        ensure_ascii: named.or(ensure_ascii).unwrap_or(false),
        indent,
        item,
        key,
        sort_keys: sort_keys.unwrap_or(false),
    };
    let mut out = String::new();
    style.value(value, 0, &mut out)?;
    Ok(Value::from(out))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn indentation(value: Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let width = i64::try_from(value)?.clamp(0, 1000);
    Ok(" ".repeat(width as usize))
}

fn separator(pair: &Value, place: usize) -> Result<String, Error> {
    let item = pair.get_item(&Value::from(place))?;
    item.as_str()
        .map(str::to_owned)
        .ok_or_else(|| invalid("separators must be two strings"))
}

impl Style {
    fn value(&self, value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(invalid("a value is nested too deep for JSON"));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&number(value)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default(), out),
            ValueKind::Seq => {
                let items = value.try_iter()?.collect::<Vec<_>>();
                self.list('[', ']', depth, out, &items, |item, out| {
                    self.value(item, depth + 1, out)
                })?;
            }
            ValueKind::Map => {
                let entries = self.entries(value)?;
                self.list('{', '}', depth, out, &entries, |(key, item), out| {
                    self.string(key, out);
                    out.push_str(&self.key);
                    self.value(item, depth + 1, out)
                })?;
            }
            kind => {
                return Err(invalid(format!(
                    "a value of type {kind} is not JSON serializable"
                )));
            }
        }
        Ok(())
    }

    fn entries(&self, map: &Value) -> Result<Vec<(String, Value)>, Error> {
        let mut entries = Vec::new();
        for key in map.try_iter()? {
            let name = match key.kind() {
                ValueKind::String => key.as_str().unwrap_or_default().to_owned(),
                ValueKind::None => "null".to_owned(),
                ValueKind::Bool => key.is_true().to_string(),
                ValueKind::Number => number(&key),
                kind => {
                    return Err(invalid(format!(
                        "a key of type {kind} is not JSON serializable"
                    )));
                }
            };
            entries.push((name, map.get_item(&key)?));
        }
        if self.sort_keys {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
        }
        Ok(entries)
    }

    fn list<T>(
        &self,
        open: char,
        close: char,
        depth: usize,
        out: &mut String,
        items: &[T],
        mut each: impl FnMut(&T, &mut String) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.push(open);
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                out.push_str(&self.item);
            }
            self.line(depth + 1, out);
            each(item, out)?;
        }
        if !items.is_empty() {
            self.line(depth, out);
        }
        out.push(close);
        Ok(())
    }

    fn line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    }

    fn string(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if c < ' ' || (self.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a `String` cannot fail.
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

fn number(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(f) if !value.is_integer() && f.is_nan() => "NaN".to_owned(),
        Ok(f) if !value.is_integer() && f.is_infinite() => {
            if f > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
        }
        Ok(f) if !value.is_integer() => float(f),
        _ => value.to_string(),
    }
}
