//! Reads the keys of one table: types checked, unknown keys refused, every error with its place.

use super::node::{Entry, Node, Value};
use super::source::Source;
use super::{Problem, SuiteError};
use std::ops::Range;

/// A table whose keys are known to be valid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a Source<'a>,
    pub(crate) span: &'a Range<usize>,
    pub(crate) holder: &'a str,
    entries: &'a [Entry],
}

impl<'a> Reader<'a> {
    /// Opens `node`, which must be a table with keys out of `valid` only.
    pub(crate) fn open(
        source: &'a Source<'a>,
        node: &'a Node,
        holder: &'a str,
        valid: &[&str],
    ) -> Result<Self, SuiteError> {
        let reader = Self::any(source, node, holder)?;
        reader.only(valid)?;
        Ok(reader)
    }

    /// Opens `node`, which must be a table; its keys are checked later.
    pub(crate) fn any(
        source: &'a Source<'a>,
        node: &'a Node,
        holder: &'a str,
    ) -> Result<Self, SuiteError> {
        match &node.value {
            Value::Table(entries) => Ok(Self {
                source,
                span: &node.span,
                holder,
                entries,
            }),
            _ => Err(wrong_type(source, holder, "a table", node)),
        }
    }

    /// Refuses keys that are not in `valid`.
    pub(crate) fn only(&self, valid: &[&str]) -> Result<(), SuiteError> {
        match self
            .entries
            .iter()
            .find(|e| !valid.contains(&e.key.as_str()))
        {
            None => Ok(()),
            Some(entry) => Err(self.source.fail(
                &entry.span,
                Problem::UnknownKey {
                    key: entry.key.clone(),
                    holder: self.holder.to_owned(),
                    valid: valid.iter().map(|&v| v.to_owned()).collect(),
                },
            )),
        }
    }

    pub(crate) fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    pub(crate) fn node(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|e| e.key == key).map(|e| &e.node)
    }

    /// Where the value of `key` stands, or the table when there is none.
    pub(crate) fn span_of(&self, key: &str) -> &'a Range<usize> {
        self.node(key).map_or(self.span, |n| &n.span)
    }

    pub(crate) fn fail(&self, key: &str, problem: Problem) -> SuiteError {
        self.source.fail(self.span_of(key), problem)
    }

    pub(crate) fn missing(&self, key: &str) -> SuiteError {
        self.source.fail(
            self.span,
            Problem::MissingKey {
                key: key.to_owned(),
                holder: self.holder.to_owned(),
            },
        )
    }

    pub(crate) fn need(&self, key: &str) -> Result<&'a Node, SuiteError> {
        self.node(key).ok_or_else(|| self.missing(key))
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, SuiteError> {
        self.node(key)
            .map(|node| text_of(self.source, key, node))
            .transpose()
    }

    pub(crate) fn need_text(&self, key: &str) -> Result<&'a str, SuiteError> {
        text_of(self.source, key, self.need(key)?)
    }

    /// A text that is more than white space.
    pub(crate) fn need_filled(&self, key: &str) -> Result<&'a str, SuiteError> {
        let text = self.need_text(key)?;
        if text.trim().is_empty() {
            return Err(self.empty(key));
        }
        Ok(text)
    }

    pub(crate) fn empty(&self, key: &str) -> SuiteError {
        self.fail(
            key,
            Problem::Empty {
                what: format!("`{key}`"),
            },
        )
    }

    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, SuiteError> {
        match self.node(key) {
            None => Ok(None),
            Some(Node {
                value: Value::Boolean(b),
                ..
            }) => Ok(Some(*b)),
            Some(node) => Err(wrong_type(self.source, key, "a boolean", node)),
        }
    }

    /// A finite number; integers are numbers too.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, SuiteError> {
        let Some(node) = self.node(key) else {
            return Ok(None);
        };
        let number = match node.value {
            Value::Integer(n) => n as f64,
            Value::Float(x) => x,
            _ => return Err(wrong_type(self.source, key, "a number", node)),
        };
        if number.is_finite() {
            Ok(Some(number))
        } else {
            Err(self.range(key, &number.to_string(), "a finite number"))
        }
    }

    /// A number in a range.
    pub(crate) fn number_in(
        &self,
        key: &str,
        allowed: impl Fn(f64) -> bool,
        words: &str,
    ) -> Result<Option<f64>, SuiteError> {
        let number = self.number(key)?;
        match number {
            Some(x) if !allowed(x) => Err(self.range(key, &x.to_string(), words)),
            _ => Ok(number),
        }
    }

    /// An integer in a range.
    pub(crate) fn integer_in(
        &self,
        key: &str,
        low: u32,
        high: u32,
    ) -> Result<Option<u32>, SuiteError> {
        match self.node(key) {
            None => Ok(None),
            Some(Node {
                value: Value::Integer(n),
                ..
            }) => u32::try_from(*n)
                .ok()
                .filter(|n| (low..=high).contains(n))
                .map(Some)
                .ok_or_else(|| {
                    self.range(
                        key,
                        &n.to_string(),
                        &format!("an integer from {low} to {high}"),
                    )
                }),
            Some(node) => Err(wrong_type(self.source, key, "an integer", node)),
        }
    }

    fn range(&self, key: &str, found: &str, allowed: &str) -> SuiteError {
        self.fail(
            key,
            Problem::OutOfRange {
                key: key.to_owned(),
                found: found.to_owned(),
                allowed: allowed.to_owned(),
            },
        )
    }

    /// The items of an array.
    pub(crate) fn array(&self, key: &str) -> Result<Option<&'a [Node]>, SuiteError> {
        self.node(key)
            .map(|node| array_of(self.source, key, node))
            .transpose()
    }

    /// An array of strings; empty when the key is absent.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, SuiteError> {
        self.array(key)?
            .map_or_else(|| Ok(Vec::new()), |items| texts_of(self.source, key, items))
    }

    /// A name out of a list.
    pub(crate) fn name<T: Copy>(
        &self,
        key: &str,
        what: &'static str,
        names: &[(&str, T)],
    ) -> Result<Option<T>, SuiteError> {
        let Some(found) = self.text(key)? else {
            return Ok(None);
        };
        names
            .iter()
            .find(|(name, _)| *name == found)
            .map(|(_, value)| Some(*value))
            .ok_or_else(|| {
                self.fail(
                    key,
                    Problem::UnknownName {
                        what,
                        found: found.to_owned(),
                        valid: names.iter().map(|(name, _)| (*name).to_owned()).collect(),
                    },
                )
            })
    }

    /// Refuses two keys that exclude each other.
    pub(crate) fn exclusive(
        &self,
        first: &'static str,
        second: &'static str,
    ) -> Result<(), SuiteError> {
        if self.node(first).is_some() && self.node(second).is_some() {
            return Err(self.fail(
                second,
                Problem::Conflict {
                    holder: self.holder.to_owned(),
                    first,
                    second,
                },
            ));
        }
        Ok(())
    }

    /// Refuses a table with none of several keys.
    pub(crate) fn needs_one(&self, keys: &[&str]) -> Result<(), SuiteError> {
        if keys.iter().any(|key| self.node(key).is_some()) {
            return Ok(());
        }
        Err(self.source.fail(
            self.span,
            Problem::NeedsOne {
                holder: self.holder.to_owned(),
                keys: keys.iter().map(|&k| k.to_owned()).collect(),
            },
        ))
    }
}

pub(crate) fn wrong_type(
    source: &Source<'_>,
    key: &str,
    expected: &'static str,
    node: &Node,
) -> SuiteError {
    source.fail(
        &node.span,
        Problem::WrongType {
            key: key.to_owned(),
            expected,
            found: node.type_name(),
        },
    )
}

pub(crate) fn text_of<'a>(
    source: &Source<'_>,
    key: &str,
    node: &'a Node,
) -> Result<&'a str, SuiteError> {
    match &node.value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong_type(source, key, "a string", node)),
    }
}

pub(crate) fn array_of<'a>(
    source: &Source<'_>,
    key: &str,
    node: &'a Node,
) -> Result<&'a [Node], SuiteError> {
    match &node.value {
        Value::Array(items) => Ok(items),
        _ => Err(wrong_type(source, key, "an array", node)),
    }
}

pub(crate) fn texts_of(
    source: &Source<'_>,
    key: &str,
    items: &[Node],
) -> Result<Vec<String>, SuiteError> {
    items
        .iter()
        .map(|item| text_of(source, key, item).map(str::to_owned))
        .collect()
}
