//! What templates expect of Python: how values print, and methods of strings.

use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use std::fmt::Write as _;

/// Python's own recursion limit is 1,000.
const MAX_DEPTH: usize = 900;

/// `str(value)`; nothing for an undefined value.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    match value.kind() {
        ValueKind::Undefined => {}
        ValueKind::String => out.push_str(value.as_str().unwrap_or_default()),
        _ => repr(value, 0, &mut out)?,
    }
    Ok(out)
}

/// `repr(value)`.
fn repr(value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "a value is nested too deep to print",
        ));
    }
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number if !value.is_integer() => {
            out.push_str(&float(f64::try_from(value.clone())?));
        }
        ValueKind::String => quote(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq => {
            let (open, close) = if value.is_tuple() {
                ('(', ')')
            } else {
                ('[', ']')
            };
            out.push(open);
            let items: Vec<Value> = value.try_iter()?.collect();
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place > 0 { ", " } else { "" });
                repr(item, depth + 1, out)?;
            }
            out.push_str(if value.is_tuple() && items.len() == 1 {
                ","
            } else {
                ""
            });
            out.push(close);
        }
        // Other objects (macros, namespaces, iterators) have no useful text in Python either.
        ValueKind::Map
            if value
                .as_object()
                .is_some_and(|o| o.repr() == minijinja::value::ObjectRepr::Map) =>
        {
            out.push('{');
            for (place, key) in value.try_iter()?.enumerate() {
                out.push_str(if place > 0 { ", " } else { "" });
                repr(&key, depth + 1, out)?;
                out.push_str(": ");
                repr(&value.get_item(&key)?, depth + 1, out)?;
            }
            out.push('}');
        }
        _ => {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "{value}");
        }
    }
    Ok(())
}

fn quote(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if c < ' ' || ('\u{7f}'..='\u{a0}').contains(&c) || c == '\u{ad}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// `repr` of a float: the shortest digits, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, places) = exponent
                .strip_prefix('-')
                .map_or(('+', exponent), |places| ('-', places));
            format!("{digits}e{sign}{places:0>2}")
        }
        None => scientific,
    }
}

/// Jinja's `join`, with items printed as Python prints them.
#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja calls filters with this signature"
)]
pub(super) fn join(value: &Value, joiner: Option<&str>, kwargs: Kwargs) -> Result<String, Error> {
    let attribute: Option<&str> = kwargs.get("attribute")?;
    let named: Option<&str> = kwargs.get("d")?;
    kwargs.assert_all_used()?;
    let joiner = joiner.or(named).unwrap_or_default();
    let mut out = String::new();
    for (place, item) in value.try_iter()?.enumerate() {
        let item = match attribute {
            Some(name) => item.get_attr(name)?,
            None => item,
        };
        out.push_str(if place > 0 { joiner } else { "" });
        out.push_str(&text(&item)?);
    }
    Ok(out)
}

/// Methods minijinja does not have: those of `pycompat` and a few more.
pub(super) fn method(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match (value.as_str(), name, args) {
        (_, super::rewrite::TURNED, []) => super::jinja::turned(value),
        (Some(text), "removeprefix" | "removesuffix", [affix]) => {
            let affix = affix.as_str().unwrap_or_default();
            let rest = if name == "removeprefix" {
                text.strip_prefix(affix)
            } else {
                text.strip_suffix(affix)
            };
            Ok(Value::from(rest.unwrap_or(text)))
        }
        (Some(text), "zfill", [width]) => Ok(Value::from(zfill(text, width_of(width)?))),
        (Some(text), "ljust" | "rjust" | "center", [width, fill @ ..]) => {
            let fill = fill.first().and_then(Value::as_str);
            let fill = fill.and_then(|f| f.chars().next()).unwrap_or(' ');
            Ok(Value::from(justified(text, width_of(width)?, fill, name)))
        }
        (Some(text), "splitlines", []) => Ok(Value::from_iter(lines(text))),
        (Some(text), "title", []) => Ok(Value::from(titled(text))),
        (Some(text), "swapcase", []) => Ok(Value::from(swapped(text))),
        (Some(text), "isidentifier", []) => {
            let mut chars = text.chars();
            let first = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
            Ok(Value::from(
                first && chars.all(|c| c.is_alphanumeric() || c == '_'),
            ))
        }
        (Some(text), "index" | "rindex", [part]) => {
            let part = part.as_str().unwrap_or_default();
            let found = if name == "index" {
                text.find(part)
            } else {
                text.rfind(part)
            };
            let found = found
                .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "substring not found"))?;
            Ok(Value::from(text[..found].chars().count()))
        }
        (Some(text), "rsplit", [separator, limit]) => {
            let separator = separator.as_str().unwrap_or_default();
            rsplit(text, separator, i64::try_from(limit.clone())?)
        }
        (Some(text), "partition" | "rpartition", [separator]) => {
            let separator = separator.as_str().unwrap_or_default();
            Ok(partition(text, separator, name == "rpartition"))
        }
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args),
    }
}

fn rsplit(text: &str, separator: &str, limit: i64) -> Result<Value, Error> {
    if separator.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "empty separator"));
    }
    let parts = usize::try_from(limit).map_or(usize::MAX, |l| l.saturating_add(1));
    let mut parts: Vec<&str> = text.rsplitn(parts, separator).collect();
    parts.reverse();
    Ok(Value::from_iter(parts))
}

fn partition(text: &str, separator: &str, last: bool) -> Value {
    let found = if last {
        text.rsplit_once(separator)
    } else {
        text.split_once(separator)
    };
    let parts = match found {
        Some((before, after)) => [before, separator, after],
        None if last => ["", "", text],
        None => [text, "", ""],
    };
    Value::from(Tuple::from(parts.map(Value::from)))
}

/// A width that a template asks for, bounded by what a prompt can hold.
pub(super) fn width_of(width: &Value) -> Result<usize, Error> {
    let width = i64::try_from(width.clone())?.max(0) as usize;
    if width > super::MAX_OUTPUT_BYTES {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "the width is larger than any prompt",
        ));
    }
    Ok(width)
}

fn zfill(text: &str, width: usize) -> String {
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => text.split_at(text.len() - digits.len()),
        None => ("", text),
    };
    let missing = width.saturating_sub(text.chars().count());
    format!("{sign}{}{digits}", "0".repeat(missing))
}

fn justified(text: &str, width: usize, fill: char, method: &str) -> String {
    let length = text.chars().count();
    let missing = width.saturating_sub(length);
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        // Python puts the odd one left of a text only where the width is odd too.
        _ => missing / 2 + (missing & width & 1),
    };
    let fill = |count| std::iter::repeat_n(fill, count);
    fill(left)
        .chain(text.chars())
        .chain(fill(missing - left))
        .collect()
}

/// `str.title()`: a letter that follows none is upper case, the others lower case.
fn titled(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_lowercase() || c.is_uppercase();
    }
    out
}

fn swapped(text: &str) -> String {
    let swap = |c: char| {
        if c.is_uppercase() {
            c.to_lowercase().collect()
        } else {
            c.to_uppercase().collect::<String>()
        }
    };
    text.chars().map(swap).collect()
}

/// `str.splitlines()`.
pub(super) fn lines(text: &str) -> Vec<&str> {
    const BREAKS: [char; 10] = [
        '\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}',
    ];
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(BREAKS) {
        lines.push(&rest[..end]);
        let behind = &rest[end..];
        let one = behind.chars().next().map_or(1, char::len_utf8);
        rest = behind.strip_prefix("\r\n").unwrap_or(&behind[one..]);
    }
    lines.extend(Some(rest).filter(|rest| !rest.is_empty()));
    lines
}
