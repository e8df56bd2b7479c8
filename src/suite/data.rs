//! Samples in a data file beside the suite: JSON objects, one a line.
//!
//! The path is relative and stays inside the suite's folder, also through symbolic links; the content is verified before a row is
//! read. `fields` maps the keys of a sample (and further template fields) to fields of a row; `checks` of the table hold for every
//! row, where `{ field = "NAME" }` stands for the row's value.

use super::node::{Entry, Node, Value};
use super::reader::{Reader, text_of};
use super::sample_parse::{self, SampleParser};
use super::source::Source;
use super::{Problem, SuiteError};
use crate::record::{Digest, TaskKind};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Largest data file in bytes.
const MAX_DATA: u64 = 256 << 20;

/// The `[task.data]` table.
struct Table<'a> {
    /// Keys of a sample.
    keys: &'static [&'static str],
    /// Key of a sample or name of a further field, and the field of a row.
    mapping: Vec<(&'a str, &'a str)>,
    checks: Option<&'a Node>,
}

/// Reads the data file named by `node` into `parser`.
pub(crate) fn read(
    source: &Source<'_>,
    node: &Node,
    folder: Option<&Path>,
    parser: &mut SampleParser<'_>,
) -> Result<(), SuiteError> {
    let keys = ["path", "sha256", "fields", "checks"];
    // Only what is generated is checked.
    let valid = match parser.kind {
        TaskKind::Generate => &keys[..],
        TaskKind::Choice | TaskKind::Perplexity => &keys[..3],
    };
    let r = Reader::open(source, node, "`data`", valid)?;
    let path = r.need_filled("path")?;
    let mut mapping = Vec::new();
    if let Some(fields) = r.node("fields") {
        for entry in Reader::any(source, fields, "`fields`")?.entries() {
            mapping.push((
                entry.key.as_str(),
                text_of(source, &entry.key, &entry.node)?,
            ));
        }
    }
    let table = Table {
        keys: sample_parse::keys(parser.kind),
        mapping,
        checks: r.node("checks"),
    };
    let bytes = content(r, path, folder)?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(data_failed(r, path, "it is not UTF-8"));
    };
    // Shown as written: the folder is the suite's own.
    let rows = Source::new(path, &text);
    let name: Arc<str> = rows.path();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let span = offset..offset + line.trim_end().len();
        offset += line.len();
        if !line.trim().is_empty() {
            let row = row(&rows, &span, line)?;
            let sample = table.sample(&rows, &span, &row)?;
            parser.take(&rows, &sample, Some(Arc::clone(&name)))?;
        }
    }
    Ok(())
}

fn row(
    rows: &Source<'_>,
    span: &std::ops::Range<usize>,
    line: &str,
) -> Result<Vec<Entry>, SuiteError> {
    let json: serde_json::Value = serde_json::from_str(line).map_err(|e| {
        let at = span.start + e.column().saturating_sub(1).min(span.len());
        let message = e.to_string();
        let message = message
            .split(" at line ")
            .next()
            .unwrap_or_default()
            .to_owned();
        rows.fail(
            &(at..at),
            Problem::Syntax {
                what: "JSON",
                message,
            },
        )
    })?;
    let node = Node::from_json(span, json);
    match node.value {
        Value::Table(entries) => Ok(entries),
        _ => Err(super::reader::wrong_type(rows, "row", "an object", &node)),
    }
}

impl Table<'_> {
    /// The row as the table of a sample.
    fn sample(
        &self,
        rows: &Source<'_>,
        span: &std::ops::Range<usize>,
        row: &[Entry],
    ) -> Result<Node, SuiteError> {
        let entry = |key: &str, node: Node| Entry {
            key: key.to_owned(),
            span: span.clone(),
            node,
        };
        let (mut own, mut further) = (Vec::new(), Vec::new());
        for &key in self.keys {
            let mapped = self.mapping.iter().find(|(name, _)| *name == key);
            let node = match mapped {
                Some((_, field)) => Some(lookup(rows, span, row, field)?),
                // What is not mapped is taken by its own name.
                None => row.iter().find(|e| e.key == key).map(|e| e.node.clone()),
            };
            if let Some(node) = node {
                own.push(entry(key, named(key, node)));
            }
        }
        for (name, field) in &self.mapping {
            if !self.keys.contains(name) {
                further.push(entry(name, lookup(rows, span, row, field)?));
            }
        }
        if !further.is_empty() {
            let value = Value::Table(further);
            own.retain(|e| e.key != "fields");
            own.push(entry(
                "fields",
                Node {
                    span: span.clone(),
                    value,
                },
            ));
        }
        if let Some(checks) = self.checks {
            own.retain(|e| e.key != "checks");
            own.push(entry("checks", fill(rows, span, row, checks)?));
        }
        Ok(Node {
            span: span.clone(),
            value: Value::Table(own),
        })
    }
}

/// An id that is a number becomes its digits.
fn named(key: &str, node: Node) -> Node {
    match (key, &node.value) {
        ("id", Value::Integer(n)) => Node {
            span: node.span.clone(),
            value: Value::Text(n.to_string()),
        },
        _ => node,
    }
}

fn lookup(
    rows: &Source<'_>,
    span: &std::ops::Range<usize>,
    row: &[Entry],
    field: &str,
) -> Result<Node, SuiteError> {
    row.iter()
        .find(|e| e.key == field)
        .map(|e| e.node.clone())
        .ok_or_else(|| {
            let field = field.to_owned();
            let valid = row.iter().map(|e| e.key.clone()).collect();
            rows.fail(span, Problem::NoField { field, valid })
        })
}

/// The table's checks with `{ field = "NAME" }` replaced by the row's value. Schemas are left alone.
fn fill(
    rows: &Source<'_>,
    span: &std::ops::Range<usize>,
    row: &[Entry],
    node: &Node,
) -> Result<Node, SuiteError> {
    let value = match &node.value {
        Value::Table(entries) => match &entries[..] {
            [
                Entry {
                    key,
                    node:
                        Node {
                            value: Value::Text(field),
                            ..
                        },
                    ..
                },
            ] if key == "field" => {
                return lookup(rows, span, row, field);
            }
            _ => {
                let filled = entries.iter().map(|e| {
                    let node = match e.key.as_str() {
                        "schema" => at(&e.node, span),
                        _ => fill(rows, span, row, &e.node)?,
                    };
                    Ok(Entry {
                        key: e.key.clone(),
                        span: span.clone(),
                        node,
                    })
                });
                Value::Table(filled.collect::<Result<_, SuiteError>>()?)
            }
        },
        Value::Array(items) => {
            let filled = items.iter().map(|item| fill(rows, span, row, item));
            Value::Array(filled.collect::<Result<_, SuiteError>>()?)
        }
        other => other.clone(),
    };
    Ok(Node {
        span: span.clone(),
        value,
    })
}

/// The node with every place set to the row's: places of the suite's file mean nothing in the data file.
fn at(node: &Node, span: &std::ops::Range<usize>) -> Node {
    let value = match &node.value {
        Value::Table(entries) => Value::Table(
            entries
                .iter()
                .map(|e| Entry {
                    key: e.key.clone(),
                    span: span.clone(),
                    node: at(&e.node, span),
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(|i| at(i, span)).collect()),
        other => other.clone(),
    };
    Node {
        span: span.clone(),
        value,
    }
}

fn data_failed(r: Reader<'_>, path: &str, message: &str) -> SuiteError {
    let problem = Problem::DataRead {
        path: path.to_owned(),
        message: message.to_owned(),
    };
    r.fail("path", problem)
}

/// The verified bytes of the file.
fn content(r: Reader<'_>, path: &str, folder: Option<&Path>) -> Result<Vec<u8>, SuiteError> {
    let declared = r.need_text("sha256")?;
    let Some(expected) = Digest::from_hex(declared) else {
        let found = declared.to_owned();
        return Err(r.fail("sha256", Problem::DigestForm { found }));
    };
    let full = inside(r, path, folder)?;
    let failed = |e: std::io::Error| data_failed(r, path, &e.to_string());
    let file = std::fs::File::open(&full).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_DATA + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_DATA {
        let problem = Problem::Limit {
            what: format!("the length in bytes of `{path}`"),
            found: bytes.len(),
            limit: MAX_DATA as usize,
        };
        return Err(r.fail("path", problem));
    }
    let found = Digest::of(&bytes);
    if found == expected {
        return Ok(bytes);
    }
    let problem = Problem::DataDigest {
        path: path.to_owned(),
        expected: expected.to_string(),
        found: found.to_string(),
    };
    Err(r.fail("sha256", problem))
}

/// The canonical path, which must lie below the canonical folder.
fn inside(r: Reader<'_>, path: &str, folder: Option<&Path>) -> Result<PathBuf, SuiteError> {
    let leaves = || {
        let path = path.to_owned();
        r.fail("path", Problem::LeavesFolder { path })
    };
    let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    if !Path::new(path).components().all(plain) {
        return Err(leaves());
    }
    let Some(folder) = folder else {
        let path = path.to_owned();
        return Err(r.fail("path", Problem::NoFolder { path }));
    };
    let failed = |e: std::io::Error| data_failed(r, path, &e.to_string());
    let root = folder.canonicalize().map_err(failed)?;
    let full = folder.join(path).canonicalize().map_err(failed)?;
    if full.starts_with(&root) {
        Ok(full)
    } else {
        Err(leaves())
    }
}
