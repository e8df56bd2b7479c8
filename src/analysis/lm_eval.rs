//! Sample files of lm-evaluation-harness (`samples_<task>_<date>.jsonl`) to observations.
//!
//! In: the lines of two files. Out: two [`Observed`] whose prompts are joined on `doc_hash` and `filter`. Of a line only `doc_hash`,
//! `doc_id`, `filter`, `prompt_hash`, `target_hash`, `metrics` and numbers at the top level are kept; documents and answers are skipped
//! without being stored, so that memory is bounded by what a comparison needs.
//!
//! Where both files hold nothing but 0 and 1 the metric is a pass rate; otherwise it is compared as a mean in its own unit.
//!
//! Format: `docs/formats.md`.

use super::error::{AnalysisError, LineProblem};
use super::observed::{Observed, ObservedEpoch, ObservedPrompt};
use crate::record::{Digest, Outcome};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Longest name of a document, filter or metric.
const LONGEST_NAME: usize = 512;
/// More documents than any task has.
const MOST_DOCUMENTS: usize = 10_000_000;
/// Filter of a line that names none.
const NO_FILTER: &str = "none";

/// What the reader of sample files may choose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SampleFileOptions {
    /// The metric; `None` is the first one of the file.
    pub metric: Option<String>,
    /// The filter; `None` is the first one of the file.
    pub filter: Option<String>,
    /// Whether a document that occurs twice is a repetition of one prompt.
    pub replicates: bool,
}

/// Reads one file, line by line.
#[derive(Debug)]
pub struct SampleFile {
    path: String,
    options: SampleFileOptions,
    /// Filters in the order of their first occurrence.
    filters: Vec<String>,
    /// The metric and the filter in force, known from the first record on.
    chosen: Option<(String, String)>,
    prompts: BTreeMap<String, (ObservedPrompt, usize)>,
}

impl SampleFile {
    /// Begins a file; `path` is for messages.
    pub fn new(path: impl Into<String>, options: SampleFileOptions) -> Self {
        Self {
            path: path.into(),
            options,
            filters: Vec::new(),
            chosen: None,
            prompts: BTreeMap::new(),
        }
    }

    /// The metric in force; `None` before the first record.
    pub fn metric(&self) -> Option<&str> {
        self.chosen.as_ref().map(|(metric, _)| metric.as_str())
    }

    /// The filter in force; `None` before the first record.
    pub fn filter(&self) -> Option<&str> {
        self.chosen.as_ref().map(|(_, filter)| filter.as_str())
    }

    /// Takes one line, numbered from 1. Blank lines are skipped.
    ///
    /// # Errors
    /// When the line is not a record, lacks a field, or repeats a document.
    pub fn line(&mut self, number: usize, text: &str) -> Result<(), AnalysisError> {
        let text = text.trim_end();
        if text.trim().is_empty() {
            return Ok(());
        }
        let path = self.path.clone();
        let bad = move |problem| AnalysisError::BadLine {
            path,
            line: number,
            problem,
        };
        let record: Record = serde_json::from_str(text).map_err(|e| {
            bad.clone()(LineProblem::NotJson {
                column: e.column(),
                why: reason(&e),
            })
        })?;
        self.take(number, record).map_err(|e| match e {
            Fault::Line(problem) => bad(problem),
            Fault::Whole(error) => *error,
        })
    }

    fn take(&mut self, number: usize, record: Record) -> Result<(), Fault> {
        let filter = record
            .filter
            .clone()
            .unwrap_or_else(|| NO_FILTER.to_owned());
        let hash = record.doc_hash.clone();
        let hash = hash.ok_or(LineProblem::Missing { field: "doc_hash" })?;
        for name in [&filter, &hash].into_iter().chain(&record.metrics) {
            let (bytes, most) = (name.len(), LONGEST_NAME);
            if bytes == 0 || bytes > most {
                return Err(LineProblem::BadName { bytes, most }.into());
            }
        }
        if !self.filters.contains(&filter) {
            self.filters.push(filter.clone());
        }
        let (metric, wanted) = self.choose(&record, &filter)?;
        if filter != wanted {
            return Ok(());
        }
        let score = self.value(&record, &metric)?;
        let epoch = ObservedEpoch {
            outcome: None,
            score,
            passed: None,
            ttft_ms: None,
            tpot_ms: None,
            e2e_ms: None,
            prompt_tokens: None,
            completion_tokens: None,
            completion: record.answer.as_ref().map(|a| Digest::of(a.as_bytes())),
            likelihood: None,
        };
        self.store(number, &filter, hash, record, epoch)
    }

    /// The metric and the filter, decided by the first record.
    fn choose(&mut self, record: &Record, filter: &str) -> Result<(String, String), Fault> {
        if let Some(chosen) = &self.chosen {
            return Ok(chosen.clone());
        }
        let valid = record.metrics();
        let metric = match &self.options.metric {
            Some(name) if valid.contains(name) || record.numbers.contains_key(name) => name.clone(),
            Some(name) => return Err(self.unknown("metric", name, valid)),
            None => valid.first().cloned().ok_or(LineProblem::NoMetric)?,
        };
        let wanted = self.options.filter.clone();
        let chosen = (metric, wanted.unwrap_or_else(|| filter.to_owned()));
        self.chosen = Some(chosen.clone());
        Ok(chosen)
    }

    fn unknown(&self, what: &'static str, name: &str, valid: Vec<String>) -> Fault {
        let nearest = valid
            .iter()
            .map(|v| (strsim::jaro_winkler(name, v), v))
            .filter(|(similarity, _)| *similarity > 0.7)
            .max_by(|x, y| x.0.total_cmp(&y.0))
            .map(|(_, v)| v.clone());
        Fault::Whole(Box::new(AnalysisError::UnknownInFile {
            what,
            name: name.to_owned(),
            path: self.path.clone(),
            nearest,
            valid,
        }))
    }

    fn value(&self, record: &Record, metric: &str) -> Result<Option<f64>, Fault> {
        match record.numbers.get(metric) {
            Some(Cell::Number(x)) if x.is_finite() => Ok(Some(*x)),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Number(_) | Cell::Other) => Err(LineProblem::NotANumber {
                metric: metric.to_owned(),
            }
            .into()),
            None => Err(LineProblem::NoValue {
                metric: metric.to_owned(),
            }
            .into()),
        }
    }

    fn store(
        &mut self,
        number: usize,
        filter: &str,
        hash: String,
        record: Record,
        epoch: ObservedEpoch,
    ) -> Result<(), Fault> {
        let key = format!("{hash}/{filter}");
        let asked = [&record.prompt_hash, &record.target_hash];
        let asked = asked.iter().any(|h| h.is_some()).then(|| {
            let parts = asked.map(|h| h.as_deref().unwrap_or("").as_bytes());
            Digest::of_parts(parts)
        });
        if let Some((prompt, first)) = self.prompts.get_mut(&key) {
            if !self.options.replicates {
                return Err(Fault::Whole(Box::new(AnalysisError::RepeatedDocument {
                    path: self.path.clone(),
                    lines: [*first, number],
                    doc_hash: hash,
                    filter: filter.to_owned(),
                })));
            }
            if prompt.asked != asked {
                return Err(LineProblem::AskedOtherwise { first: *first }.into());
            }
            prompt.epochs.push(epoch);
            return Ok(());
        }
        if self.prompts.len() >= MOST_DOCUMENTS {
            return Err(LineProblem::TooManyDocuments {
                most: MOST_DOCUMENTS,
            }
            .into());
        }
        let prompt = ObservedPrompt {
            task: task_of(&self.path),
            sample: record.doc_id.unwrap_or_else(|| number.to_string()),
            asked,
            epochs: vec![epoch],
        };
        self.prompts.insert(key, (prompt, number));
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it holds no record, or none of the filter asked for.
    fn finish(self) -> Result<(Observed, String), AnalysisError> {
        let Some((metric, filter)) = self.chosen.clone() else {
            return Err(AnalysisError::EmptyFile { path: self.path });
        };
        if self.prompts.is_empty() {
            let valid = self.filters.clone();
            return Err(match self.unknown("filter", &filter, valid) {
                Fault::Whole(error) => *error,
                Fault::Line(problem) => AnalysisError::BadLine {
                    path: self.path.clone(),
                    line: 1,
                    problem,
                },
            });
        }
        let label = match self.filters.as_slice() {
            [_] => name_of(&self.path),
            _ => format!("{}, filter {filter}", name_of(&self.path)),
        };
        let observed = Observed {
            label,
            model: None,
            run: None,
            source: self.path,
            suite: None,
            metric: Some(metric.clone()),
            sequential: false,
            host: None,
            tokenizer: None,
            peak_bytes: None,
            load_ns: None,
            prompts: self
                .prompts
                .into_iter()
                .map(|(key, (prompt, _))| (key, prompt))
                .collect(),
        };
        Ok((observed, metric))
    }
}

/// Ends two files and decides together whether their metric is a pass rate.
///
/// # Errors
/// When a file holds no record, or the two hold different metrics.
pub fn finish_samples(a: SampleFile, b: SampleFile) -> Result<[Observed; 2], AnalysisError> {
    let (mut a, left) = a.finish()?;
    let (mut b, right) = b.finish()?;
    if left != right {
        return Err(AnalysisError::DifferentMetrics {
            metrics: [left, right],
            paths: [a.source, b.source],
        });
    }
    let binary = |o: &Observed| {
        let mut epochs = o.prompts.values().flat_map(|p| &p.epochs);
        epochs.all(|e| e.score.is_none_or(|s| s == 0.0 || s == 1.0))
    };
    if binary(&a) && binary(&b) {
        for epoch in [&mut a, &mut b]
            .into_iter()
            .flat_map(|o| o.prompts.values_mut())
            .flat_map(|p| &mut p.epochs)
        {
            let passed = epoch.score.take().map(|s| s == 1.0);
            epoch.passed = passed;
            epoch.outcome = passed.map(|p| {
                if p {
                    Outcome::Correct
                } else {
                    Outcome::Incorrect
                }
            });
        }
    }
    Ok([a, b])
}

/// The file's name.
fn name_of(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let name = if name.is_empty() { path } else { name };
    name.to_owned()
}

/// The task in `samples_<task>_<date>.jsonl`; otherwise the name without its end.
fn task_of(path: &str) -> String {
    let name = name_of(path);
    let stem = name.strip_suffix(".jsonl").unwrap_or(&name);
    let task = stem.strip_prefix("samples_").unwrap_or(stem);
    let dated = |t: &str| {
        let (task, date) = t.rsplit_once('_')?;
        let date = date.as_bytes();
        (date.len() >= 10 && date[..4].iter().all(u8::is_ascii_digit) && date[4] == b'-')
            .then(|| task.to_owned())
    };
    dated(task).unwrap_or_else(|| task.to_owned())
}

/// What serde says, without its own line and column: the line is the file's.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// What is wrong: with a line, or with more than a line.
enum Fault {
    Line(LineProblem),
    Whole(Box<AnalysisError>),
}

impl From<LineProblem> for Fault {
    fn from(problem: LineProblem) -> Self {
        Self::Line(problem)
    }
}

/// What of a line is kept.
#[derive(Debug, Default)]
struct Record {
    doc_hash: Option<String>,
    doc_id: Option<String>,
    filter: Option<String>,
    prompt_hash: Option<String>,
    target_hash: Option<String>,
    metrics: Vec<String>,
    /// The filtered response, as JSON.
    answer: Option<String>,
    /// Values at the top level that could be a metric, in the order of the line.
    order: Vec<String>,
    numbers: BTreeMap<String, Cell>,
}

impl Record {
    /// The metrics of the record: those it names, or else its numbers in their order.
    fn metrics(&self) -> Vec<String> {
        if !self.metrics.is_empty() {
            return self.metrics.clone();
        }
        let numeric = |n: &&String| matches!(self.numbers.get(*n), Some(Cell::Number(_)));
        self.order.iter().filter(numeric).cloned().collect()
    }
}

/// A value that may be a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cell {
    Number(f64),
    Null,
    Other,
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Cell;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Cell, E> {
                Ok(Cell::Number(f64::from(u8::from(v))))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Cell, E> {
                Ok(Cell::Number(v as f64))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Cell, E> {
                Ok(Cell::Number(v as f64))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Cell, E> {
                Ok(Cell::Number(v))
            }
            fn visit_unit<E>(self) -> Result<Cell, E> {
                Ok(Cell::Null)
            }
            fn visit_str<E>(self, _: &str) -> Result<Cell, E> {
                Ok(Cell::Other)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cell, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Cell::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Cell::Other)
            }
        }
        from.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Line;
        impl<'de> Visitor<'de> for Line {
            type Value = Record;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut record = Record::default();
                while let Some(key) = map.next_key::<String>()? {
                    record.field(key, &mut map)?;
                }
                Ok(record)
            }
        }
        from.deserialize_map(Line)
    }
}

impl Record {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: String, map: &mut A) -> Result<(), A::Error> {
        match key.as_str() {
            "doc_hash" => self.doc_hash = map.next_value()?,
            "filter" => self.filter = map.next_value()?,
            "prompt_hash" => self.prompt_hash = map.next_value()?,
            "target_hash" => self.target_hash = map.next_value()?,
            "metrics" => {
                self.metrics = map.next_value::<Option<Vec<String>>>()?.unwrap_or_default();
            }
            "doc_id" => {
                let id: serde_json::Value = map.next_value()?;
                self.doc_id = match id {
                    serde_json::Value::String(text) if !text.is_empty() => Some(text),
                    serde_json::Value::Number(n) => Some(n.to_string()),
                    _ => None,
                };
            }
            "filtered_resps" => {
                // Log-likelihoods of choices are no answer: they differ in the last digit everywhere.
                let answer: serde_json::Value = map.next_value()?;
                let text = match &answer {
                    serde_json::Value::Array(all) => all.iter().all(serde_json::Value::is_string),
                    other => other.is_string(),
                };
                self.answer = text.then(|| answer.to_string());
            }
            "doc" | "arguments" | "resps" | "target" => {
                map.next_value::<IgnoredAny>()?;
            }
            _ => {
                let cell = map.next_value()?;
                self.order.push(key.clone());
                self.numbers.insert(key, cell);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "lm_eval_tests.rs"]
mod tests;
