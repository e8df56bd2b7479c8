//! Filters, tests and globals of Jinja that minijinja lacks or gives other arguments.
//!
//! Source: Jinja's documentation, and for `wordwrap` that of Python's `textwrap`.

use minijinja::value::{Kwargs, Object, ObjectRepr, Rest, Tuple, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Adds them.
pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("dictsort", dictsort);
    environment.add_filter("truncate", truncate);
    environment.add_filter("wordwrap", wordwrap);
    environment.add_test("iterable", |value: &Value| {
        !value.is_none() && value.try_iter().is_ok()
    });
    environment.add_test(super::rewrite::HAS_METHOD, has_method);
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
    // Functions, macros and joiners.
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment.add_filter("indent", indent);
    environment.add_function("cycler", |items: Rest<Value>| cycler(items.to_vec()));
    // A macro gets no more arguments than it names, so these are empty in every macro.
    environment.add_global("varargs", Value::from(Vec::<Value>::new()));
    environment.add_global(
        "kwargs",
        Value::from_pairs(std::iter::empty::<(&str, Value)>()),
    );
}

/// `dictsort(case_sensitive=false, by='key', reverse=false)`: pairs in the order of their keys or values.
#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja calls filters with this signature"
)]
fn dictsort(
    value: &Value,
    case_sensitive: Option<bool>,
    by: Option<&str>,
    reverse: Option<bool>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let case_sensitive = case_sensitive
        .or(kwargs.get("case_sensitive")?)
        .unwrap_or(false);
    let by = by.or(kwargs.get("by")?).unwrap_or("key");
    let reverse = reverse.or(kwargs.get("reverse")?).unwrap_or(false);
    kwargs.assert_all_used()?;
    if value.kind() != ValueKind::Map {
        return Err(invalid("only a mapping can be sorted by its keys"));
    }
    let mut pairs = Vec::new();
    for key in value.try_iter()? {
        let item = value.get_item(&key)?;
        let by_this = if by == "value" { &item } else { &key };
        let folded = by_this.as_str().filter(|_| !case_sensitive);
        let rank = folded.map_or_else(|| by_this.clone(), |text| Value::from(text.to_lowercase()));
        pairs.push((rank, key, item));
    }
    // Stable in both directions, as Python's sort is.
    pairs.sort_by(|a, b| match a.0.cmp(&b.0) {
        order @ (Ordering::Less | Ordering::Greater) if reverse => order.reverse(),
        order => order,
    });
    let pairs = pairs
        .into_iter()
        .map(|(_, key, item)| Value::from(Tuple::from([key, item])));
    Ok(pairs.collect())
}

/// Gives its items in turn, again and again: `next()`, `current`, `reset()`.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("current")).then(|| self.items[self.at.load(Relaxed)].clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        _: &[Value],
    ) -> Result<Value, Error> {
        let at = self.at.load(Relaxed);
        match method {
            "next" => {
                self.at.store((at + 1) % self.items.len(), Relaxed);
                Ok(self.items[at].clone())
            }
            "reset" => {
                self.at.store(0, Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

fn cycler(items: Vec<Value>) -> Result<Value, Error> {
    if items.is_empty() {
        return Err(invalid("`cycler` needs an item"));
    }
    let at = AtomicUsize::new(0);
    Ok(Value::from_object(Cycler { items, at }))
}

/// `indent(width=4, first=false, blank=false)`; the width may be a text.
#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja calls filters with this signature"
)]
fn indent(
    text: &str,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let width = width
        .or(kwargs.get("width")?)
        .unwrap_or_else(|| Value::from(4));
    let first = first.or(kwargs.get("first")?).unwrap_or(false);
    let blank = blank.or(kwargs.get("blank")?).unwrap_or(false);
    kwargs.assert_all_used()?;
    let indentation = match width.as_str() {
        Some(text) => text.to_owned(),
        None => " ".repeat(super::python::width_of(&width)?),
    };
    // Jinja adds a line break, so that a text that ends in one has an empty line.
    let ended = format!("{text}\n");
    let mut out = String::new();
    for (place, line) in super::python::lines(&ended).into_iter().enumerate() {
        out.push_str(if place > 0 { "\n" } else { "" });
        let indented = if place == 0 {
            first
        } else {
            blank || !line.is_empty()
        };
        out.push_str(if indented { &indentation } else { "" });
        out.push_str(line);
        if out.len() > super::MAX_OUTPUT_BYTES {
            return Err(invalid("`indent` writes more than any prompt"));
        }
    }
    Ok(out)
}

/// `truncate(length=255, killwords=false, end='...', leeway=5)`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja calls filters with this signature"
)]
fn truncate(
    text: &str,
    length: Option<usize>,
    killwords: Option<bool>,
    end: Option<&str>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let length = length.or(kwargs.get("length")?).unwrap_or(255);
    let killwords = killwords.or(kwargs.get("killwords")?).unwrap_or(false);
    let end = end.or(kwargs.get("end")?).unwrap_or("...");
    let leeway = kwargs.get::<Option<usize>>("leeway")?.unwrap_or(5);
    kwargs.assert_all_used()?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text.to_owned());
    }
    let kept = length
        .checked_sub(end.chars().count())
        .ok_or_else(|| invalid("`truncate` leaves no room for its `end`"))?;
    let cut: String = text.chars().take(kept).collect();
    let whole_words = cut
        .rsplit_once(' ')
        .map_or(cut.as_str(), |(words, _)| words);
    let kept = if killwords { &cut } else { whole_words };
    Ok(format!("{kept}{end}"))
}

/// `wordwrap(width=79, break_long_words=true, wrapstring='\n', break_on_hyphens=true)`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "minijinja calls filters with this signature"
)]
fn wordwrap(
    text: &str,
    width: Option<usize>,
    break_long_words: Option<bool>,
    wrapstring: Option<&str>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let width = width.or(kwargs.get("width")?).unwrap_or(79);
    let break_words = break_long_words
        .or(kwargs.get("break_long_words")?)
        .unwrap_or(true);
    let between = wrapstring.or(kwargs.get("wrapstring")?).unwrap_or("\n");
    let hyphens = kwargs
        .get::<Option<bool>>("break_on_hyphens")?
        .unwrap_or(true);
    kwargs.assert_all_used()?;
    if width == 0 {
        return Err(invalid("`wordwrap` needs a width above 0"));
    }
    let mut out: Vec<String> = Vec::new();
    let mut bytes = 0_usize;
    for line in super::python::lines(text) {
        let chars: Vec<char> = line.chars().collect();
        let wrapped = wrap(chunks(&chars, hyphens), width, break_words);
        let lengths = wrapped.iter().map(|line| line.len() + between.len());
        bytes = bytes.saturating_add(lengths.sum());
        if bytes > super::MAX_OUTPUT_BYTES {
            return Err(invalid("`wordwrap` writes more than any prompt"));
        }
        out.push(wrapped.join(between));
    }
    if out.len().saturating_mul(between.len()) > super::MAX_OUTPUT_BYTES {
        return Err(invalid("`wordwrap` writes more than any prompt"));
    }
    Ok(out.join(between))
}

/// A line as words and the white space between them; words may be cut behind a hyphen between letters.
fn chunks(chars: &[char], hyphens: bool) -> Vec<&[char]> {
    let mut chunks = Vec::new();
    let mut start = 0;
    for at in 1..chars.len() {
        let before = chars[at - 1];
        let begins = before.is_whitespace() != chars[at].is_whitespace()
            || (hyphens && before == '-' && is_between_letters(chars, at - 1));
        if begins {
            chunks.push(&chars[start..at]);
            start = at;
        }
    }
    chunks.extend(Some(&chars[start..]).filter(|chunk| !chunk.is_empty()));
    chunks
}

/// True for a hyphen with a letter and one more character of a word on either side.
fn is_between_letters(chars: &[char], hyphen: usize) -> bool {
    let at = |place: Option<usize>| place.and_then(|p| chars.get(p)).copied();
    let letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    letter(at(hyphen.checked_sub(1)))
        && word(at(hyphen.checked_sub(2)))
        && word(at(hyphen.checked_add(1)))
        && letter(at(hyphen.checked_add(2)))
}

/// Lines of at most `width` characters. A chunk is white space throughout or not at all, and cutting one copies nothing.
fn wrap(chunks: Vec<&[char]>, width: usize, break_words: bool) -> Vec<String> {
    let blank = |chunk: &&[char]| chunk.first().is_none_or(|c| c.is_whitespace());
    let mut left: Vec<&[char]> = chunks.into_iter().rev().collect();
    let mut lines = Vec::new();
    while !left.is_empty() {
        if !lines.is_empty() && left.last().is_some_and(blank) {
            left.pop();
        }
        let mut line: Vec<&[char]> = Vec::new();
        let mut used = 0;
        while let Some(chunk) = left.pop_if(|chunk| used + chunk.len() <= width) {
            used += chunk.len();
            line.push(chunk);
        }
        if let Some(chunk) = left.pop_if(|chunk| chunk.len() > width) {
            let room = if break_words {
                width - used
            } else {
                chunk.len()
            };
            if break_words || line.is_empty() {
                let (now, rest) = chunk.split_at(room);
                line.push(now);
                left.extend(Some(rest).filter(|rest| !rest.is_empty()));
            } else {
                left.push(chunk);
            }
        }
        line.pop_if(|chunk| blank(chunk));
        if !line.is_empty() {
            lines.push(line.concat().into_iter().collect());
        }
    }
    lines
}

/// True when `value` has the method `name` in Python, or an item of that name.
fn has_method(value: &Value, name: &str) -> Result<bool, Error> {
    let by_kind = match name {
        "items" | "keys" | "values" | "get" => value.kind() == ValueKind::Map,
        _ => value.as_str().is_some(),
    };
    Ok(by_kind || !value.get_attr(name)?.is_undefined())
}

/// `[::-1]` of a text, a list or a tuple.
pub(super) fn turned(value: &Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Err(invalid("only a text or a list can be turned round"));
    }
    let mut items: Vec<Value> = value.try_iter()?.collect();
    items.reverse();
    Ok(if value.is_tuple() {
        Value::from(Tuple::from(items))
    } else {
        Value::from(items)
    })
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: usize) -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        wrap(chunks(&chars, true), width, true)
    }

    /// Expectations by Python's `textwrap.wrap(text, width, expand_tabs=False, replace_whitespace=False)`.
    #[test]
    fn lines_break_as_python_breaks_them() {
        assert_eq!(
            wrapped("the quick brown fox", 10),
            ["the quick", "brown fox"]
        );
        assert_eq!(
            wrapped("  indented  words here", 11),
            ["  indented", "words here"]
        );
        assert_eq!(
            wrapped("a well-known high-water mark", 8),
            ["a well-", "known", "high-", "water", "mark"]
        );
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("a-b 1-2 x", 3), ["a-b", "1-2", "x"]);
        assert!(wrapped("", 5).is_empty());
        let chars: Vec<char> = "ab abcdef".chars().collect();
        assert_eq!(wrap(chunks(&chars, true), 3, false), ["ab", "abcdef"]);
    }

    /// A million cuts: copying what is left at each would take minutes.
    #[test]
    fn a_long_word_is_cut_in_linear_time() {
        let lines = wrapped(&"a".repeat(1 << 20), 1);
        assert_eq!(lines.len(), 1 << 20);
        assert!(lines.iter().all(|line| line == "a"));
    }
}
