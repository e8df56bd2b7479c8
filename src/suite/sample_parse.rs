//! From tables to samples and worked examples.

use super::check_parse::CheckParser;
use super::node::{Node, Value};
use super::parse::{MAX_SAMPLES, id};
use super::reader::{Reader, array_of, text_of, texts_of, wrong_type};
use super::source::Source;
use super::template::OWN_FIELDS;
use super::{Check, Difficulty, FieldValue, Problem, Sample, Shot, SuiteError};
use crate::record::TaskKind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Largest input, with all further fields, in bytes.
const MAX_INPUT: usize = 1 << 20;
/// Most checks of a sample.
const MAX_CHECKS: usize = 64;
/// Most further fields of a sample.
const MAX_FIELDS: usize = 64;
/// Most good and bad answers of a sample, and most worked examples of a task.
const MAX_ANSWERS: usize = 64;

/// Most choices of a question.
const MAX_CHOICES: usize = 64;
/// Fewest choices of a question.
const FEW_CHOICES: usize = 2;

/// The keys of a sample.
pub(crate) fn keys(kind: TaskKind) -> &'static [&'static str] {
    match kind {
        TaskKind::Generate => &[
            "id",
            "difficulty",
            "tags",
            "input",
            "fields",
            "checks",
            "good",
            "bad",
        ],
        TaskKind::Choice => &[
            "id",
            "difficulty",
            "tags",
            "input",
            "fields",
            "choices",
            "answer",
        ],
        TaskKind::Perplexity => &["id", "difficulty", "tags", "text"],
    }
}

/// Collects the samples of one task.
pub(crate) struct SampleParser<'c> {
    pub(crate) kind: TaskKind,
    checks: &'c mut CheckParser,
    seen: BTreeMap<String, u32>,
    pub(crate) samples: Vec<Sample>,
}

impl<'c> SampleParser<'c> {
    pub(crate) fn new(kind: TaskKind, checks: &'c mut CheckParser) -> Self {
        Self {
            kind,
            checks,
            seen: BTreeMap::new(),
            samples: Vec::new(),
        }
    }

    /// Parses one sample; `data_file` names the file when it is not the suite's own.
    pub(crate) fn take(
        &mut self,
        source: &Source<'_>,
        node: &Node,
        data_file: Option<Arc<str>>,
    ) -> Result<(), SuiteError> {
        let r = Reader::open(source, node, "a sample", keys(self.kind))?;
        let id = id(r, "id", "sample id")?;
        let (line, column) = source.position(node.span.start);
        if let Some(first) = self.seen.insert(id.clone(), line) {
            let problem = Problem::Duplicate {
                what: "sample",
                id,
                line: first,
            };
            return Err(r.fail("id", problem));
        }
        if self.samples.len() >= MAX_SAMPLES {
            let problem = limit("the number of samples", self.samples.len() + 1, MAX_SAMPLES);
            return Err(source.fail(&node.span, problem));
        }
        let names = Difficulty::ALL.map(|d| (d.as_str(), d));
        let mut sample = Sample {
            id,
            difficulty: r
                .name("difficulty", "difficulty", &names)?
                .unwrap_or(Difficulty::Medium),
            tags: r.texts("tags")?,
            input: String::new(),
            fields: Vec::new(),
            choices: Vec::new(),
            answer: None,
            checks: Vec::new(),
            good: Vec::new(),
            bad: Vec::new(),
            data_file,
            line,
            column,
        };
        self.content(r, &mut sample)?;
        check_size(r, &sample)?;
        self.samples.push(sample);
        Ok(())
    }

    /// What is asked, and what is expected.
    fn content(&mut self, r: Reader<'_>, sample: &mut Sample) -> Result<(), SuiteError> {
        if self.kind == TaskKind::Perplexity {
            r.need_filled("text")?.clone_into(&mut sample.input);
            return Ok(());
        }
        r.need_filled("input")?.clone_into(&mut sample.input);
        sample.fields = fields(r)?;
        if self.kind == TaskKind::Choice {
            sample.choices = choices(r)?;
            sample.answer = Some(answer(r, sample.choices.len())?);
        } else {
            sample.checks = self.checks(r)?;
            sample.good = answers(r, "good")?;
            sample.bad = answers(r, "bad")?;
        }
        Ok(())
    }

    fn checks(&mut self, r: Reader<'_>) -> Result<Vec<Check>, SuiteError> {
        let nodes = array_of(r.source, "checks", r.need("checks")?)?;
        if nodes.is_empty() {
            return Err(r.empty("checks"));
        }
        if nodes.len() > MAX_CHECKS {
            let what = "the number of checks of a sample";
            return Err(r.fail("checks", limit(what, nodes.len(), MAX_CHECKS)));
        }
        nodes
            .iter()
            .map(|node| self.checks.parse(r.source, node))
            .collect()
    }
}

/// What the model chooses from: at least two texts, none of them blank.
fn choices(r: Reader<'_>) -> Result<Vec<String>, SuiteError> {
    r.need("choices")?;
    let all = r.texts("choices")?;
    if all.len() < FEW_CHOICES {
        return Err(r.fail("choices", Problem::FewChoices { found: all.len() }));
    }
    if all.len() > MAX_CHOICES {
        let what = "the number of items in `choices`";
        return Err(r.fail("choices", limit(what, all.len(), MAX_CHOICES)));
    }
    if all.iter().any(|choice| choice.trim().is_empty()) {
        let what = "a text in `choices`".to_owned();
        return Err(r.fail("choices", Problem::Empty { what }));
    }
    Ok(all)
}

/// Position of the right choice.
fn answer(r: Reader<'_>, choices: usize) -> Result<u32, SuiteError> {
    r.need("answer")?;
    let answer = r
        .integer_in("answer", 0, u32::MAX)?
        .ok_or_else(|| r.missing("answer"))?;
    if (answer as usize) < choices {
        return Ok(answer);
    }
    Err(r.fail("answer", Problem::AnswerOutOfRange { answer, choices }))
}

fn limit(what: &str, found: usize, limit: usize) -> Problem {
    Problem::Limit {
        what: what.to_owned(),
        found,
        limit,
    }
}

fn check_size(r: Reader<'_>, sample: &Sample) -> Result<(), SuiteError> {
    let further: usize = sample.fields.iter().map(|(_, value)| size(value)).sum();
    let choices: usize = sample.choices.iter().map(String::len).sum();
    let found = sample.input.len() + further + choices;
    if found <= MAX_INPUT {
        return Ok(());
    }
    let what = "the length in bytes of the input with its fields";
    let key = if r.node("text").is_some() {
        "text"
    } else {
        "input"
    };
    Err(r.fail(key, limit(what, found, MAX_INPUT)))
}

fn size(value: &FieldValue) -> usize {
    match value {
        FieldValue::Text(text) => text.len(),
        FieldValue::List(items) => items.iter().map(|i| i.len() + 1).sum(),
        FieldValue::Integer(_) | FieldValue::Number(_) | FieldValue::Boolean(_) => 8,
    }
}

fn answers(r: Reader<'_>, key: &str) -> Result<Vec<String>, SuiteError> {
    let all = r.texts(key)?;
    if all.len() > MAX_ANSWERS {
        let what = format!("the number of items in `{key}`");
        return Err(r.fail(key, limit(&what, all.len(), MAX_ANSWERS)));
    }
    Ok(all)
}

/// Further template fields.
fn fields(r: Reader<'_>) -> Result<Vec<(String, FieldValue)>, SuiteError> {
    let Some(node) = r.node("fields") else {
        return Ok(Vec::new());
    };
    let table = Reader::any(r.source, node, "`fields`")?;
    if table.entries().len() > MAX_FIELDS {
        let what = "the number of items in `fields`";
        return Err(r.fail("fields", limit(what, table.entries().len(), MAX_FIELDS)));
    }
    let mut all = Vec::new();
    for entry in table.entries() {
        let valid = entry
            .key
            .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && entry
                .key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid || OWN_FIELDS.contains(&entry.key.as_str()) {
            let problem = Problem::OutOfRange {
                key: "field name".to_owned(),
                found: format!("`{}`", entry.key),
                allowed: "letters, digits and `_`, and none of `input`, `id`, `difficulty`, `tags`"
                    .to_owned(),
            };
            return Err(r.source.fail(&entry.span, problem));
        }
        all.push((entry.key.clone(), field(r.source, &entry.key, &entry.node)?));
    }
    Ok(all)
}

fn field(source: &Source<'_>, key: &str, node: &Node) -> Result<FieldValue, SuiteError> {
    Ok(match &node.value {
        Value::Text(text) | Value::Date(text) => FieldValue::Text(text.clone()),
        Value::Integer(n) => FieldValue::Integer(*n),
        Value::Float(x) => FieldValue::Number(*x),
        Value::Boolean(b) => FieldValue::Boolean(*b),
        Value::Array(items) => FieldValue::List(texts_of(source, key, items)?),
        Value::Null | Value::Table(_) => {
            let expected = "a string, a number, a boolean or an array of strings";
            return Err(wrong_type(source, key, expected, node));
        }
    })
}

/// The worked examples of a task.
pub(crate) fn shots(t: Reader<'_>) -> Result<Vec<Shot>, SuiteError> {
    let nodes = t.array("few_shot")?.unwrap_or_default();
    if nodes.len() > MAX_ANSWERS {
        let what = "the number of items in `few_shot`";
        return Err(t.fail("few_shot", limit(what, nodes.len(), MAX_ANSWERS)));
    }
    nodes
        .iter()
        .map(|node| {
            let keys = ["input", "output", "fields"];
            let r = Reader::open(t.source, node, "a few-shot example", &keys)?;
            Ok(Shot {
                input: r.need_filled("input")?.to_owned(),
                output: text_of(t.source, "output", r.need("output")?)?.to_owned(),
                fields: fields(r)?,
            })
        })
        .collect()
}
