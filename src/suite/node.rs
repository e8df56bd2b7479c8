//! A tree of values that knows where each value and each key stands. TOML and JSON become the same tree, so that one reader
//! validates both with places in the errors.

use super::source::Source;
use super::{Problem, SuiteError};
use std::ops::Range;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Date(String),
    Array(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
    pub(crate) node: Node,
}

impl Node {
    /// Parses a TOML document.
    pub(crate) fn from_toml(source: &Source<'_>, text: &str) -> Result<Self, SuiteError> {
        let table = toml::de::DeTable::parse(text).map_err(|e| {
            let problem = Problem::Syntax {
                what: "TOML",
                message: e.message().trim().replace('\n', ", "),
            };
            source.fail(&e.span().unwrap_or(0..0), problem)
        })?;
        let span = table.span();
        Ok(Self {
            span,
            value: toml_table(source, table.into_inner())?,
        })
    }

    /// Takes a JSON value that stands at `span`.
    pub(crate) fn from_json(span: &Range<usize>, json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Boolean(b),
            Json::Number(n) => n.as_i64().map_or_else(
                || Value::Float(n.as_f64().unwrap_or(f64::NAN)),
                Value::Integer,
            ),
            Json::String(s) => Value::Text(s),
            Json::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| Self::from_json(span, item))
                    .collect(),
            ),
            Json::Object(map) => Value::Table(
                map.into_iter()
                    .map(|(key, item)| Entry {
                        key,
                        span: span.clone(),
                        node: Self::from_json(span, item),
                    })
                    .collect(),
            ),
        };
        Self {
            span: span.clone(),
            value,
        }
    }

    /// The same value as JSON; dates become strings.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Boolean(b) => Json::Bool(*b),
            Value::Integer(n) => Json::from(*n),
            Value::Float(x) => Json::from(*x),
            Value::Text(s) | Value::Date(s) => Json::String(s.clone()),
            Value::Array(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Table(entries) => Json::Object(
                entries
                    .iter()
                    .map(|e| (e.key.clone(), e.node.to_json()))
                    .collect(),
            ),
        }
    }

    /// What it is, for people.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Boolean(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Text(_) => "a string",
            Value::Date(_) => "a date",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }
}

fn toml_table(source: &Source<'_>, table: toml::de::DeTable<'_>) -> Result<Value, SuiteError> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let (span, value_span) = (key.span(), value.span());
        entries.push(Entry {
            key: key.into_inner().into_owned(),
            span,
            node: toml_value(source, value_span, value.into_inner())?,
        });
    }
    // The map is sorted by key; the file's order is the author's.
    entries.sort_by_key(|e| e.span.start);
    Ok(Value::Table(entries))
}

fn toml_value(
    source: &Source<'_>,
    span: Range<usize>,
    value: toml::de::DeValue<'_>,
) -> Result<Node, SuiteError> {
    use toml::de::DeValue;
    let value = match value {
        DeValue::String(s) => Value::Text(s.into_owned()),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Value::Integer(n),
            Err(_) => return Err(source.fail(&span, out_of_range(n.as_str()))),
        },
        DeValue::Float(x) => match x.as_str().parse() {
            Ok(x) => Value::Float(x),
            Err(_) => return Err(source.fail(&span, out_of_range(x.as_str()))),
        },
        DeValue::Boolean(b) => Value::Boolean(b),
        DeValue::Datetime(d) => Value::Date(d.to_string()),
        DeValue::Array(items) => {
            let mut nodes = Vec::with_capacity(items.len());
            for item in items {
                let span = item.span();
                nodes.push(toml_value(source, span, item.into_inner())?);
            }
            Value::Array(nodes)
        }
        DeValue::Table(table) => toml_table(source, table)?,
    };
    Ok(Node { span, value })
}

fn out_of_range(found: &str) -> Problem {
    Problem::OutOfRange {
        key: "number".to_owned(),
        found: found.to_owned(),
        allowed: "a 64-bit number".to_owned(),
    }
}
