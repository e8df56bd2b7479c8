//! Checks as a suite declares them, compiled once. What they find in a completion is the scorer's business.

use super::JsonPath;
use crate::record::Component;
use regex::Regex;
use serde_json::{Value, json};
use std::sync::Arc;

/// One check of a sample. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Check {
    /// What is looked for.
    pub rule: Arc<Rule>,
    /// Whether the sample can pass without it.
    pub required: bool,
    /// Part of the composite score it counts towards.
    pub component: Component,
    /// Weight inside its component, above 0.
    pub weight: f64,
    /// Inverts what the rule finds.
    pub not: bool,
    pub(super) canonical: Arc<str>,
}

impl Check {
    pub(super) fn new(
        rule: Arc<Rule>,
        required: bool,
        component: Component,
        weight: f64,
        not: bool,
    ) -> Self {
        let mut all = rule.canonical();
        all["type"] = json!(rule.kind());
        all["required"] = json!(required);
        all["component"] = json!(component.as_str());
        all["weight"] = json!(weight);
        all["not"] = json!(not);
        let canonical = Arc::from(sorted(&all).to_string());
        Self {
            rule,
            required,
            component,
            weight,
            not,
            canonical,
        }
    }

    /// The check's `type`.
    pub fn kind(&self) -> &'static str {
        self.rule.kind()
    }

    /// The check as JSON with all defaults written out and sorted keys: two checks are equal when this is.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

/// What a check looks for.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "fields are the keys of the format, described in `prompts/README.md`"
)]
pub enum Rule {
    /// The trimmed answer is this text.
    Equals { value: String, ignore_case: bool },
    /// The text appears on whole words.
    Contains { value: String, ignore_case: bool },
    /// At least one appears.
    ContainsAny {
        values: Vec<String>,
        ignore_case: bool,
    },
    /// All appear.
    ContainsAll {
        values: Vec<String>,
        ignore_case: bool,
    },
    /// None appears.
    NotContains {
        values: Vec<String>,
        ignore_case: bool,
    },
    /// The expression matches somewhere.
    Regex(Pattern),
    /// The answer begins with this text.
    StartsWith { value: String },
    /// The answer ends with this text.
    EndsWith { value: String },
    /// A number of the answer is this one.
    Number {
        equals: f64,
        tolerance: Tolerance,
        at: NumberAt,
    },
    /// A string of the JSON answer is one of these.
    Text {
        path: JsonPath,
        any_of: Vec<String>,
        ignore_case: bool,
    },
    /// Exactly one choice appears, and it is this one.
    Label {
        choices: Vec<String>,
        equals: String,
    },
    /// The answer is one JSON value that follows the schema.
    Json {
        schema: Option<Schema>,
        fenced: bool,
    },
    /// At least `min` of the facts are stated.
    Facts {
        facts: Vec<Vec<Alternative>>,
        min: usize,
    },
    /// None of the claims is stated.
    ClaimsAbsent { claims: Vec<Vec<Alternative>> },
    /// A count lies in a range.
    Count {
        unit: Unit,
        min: usize,
        max: Option<usize>,
    },
    /// These titles begin lines, in this order.
    Sections { titles: Vec<String> },
    /// The answer is in this language.
    Language {
        code: &'static str,
        lang: whatlang::Lang,
    },
}

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As written.
    pub source: String,
    /// Whether case is ignored.
    pub ignore_case: bool,
    /// Compiled.
    pub regex: Regex,
}

/// A compiled JSON Schema.
#[derive(Debug, Clone)]
pub struct Schema {
    /// As written.
    pub source: Value,
    /// Compiled.
    pub validator: Arc<jsonschema::Validator>,
}

/// How far a number may be off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// In the number's own unit.
    Absolute(f64),
    /// As a share of the wanted number.
    Relative(f64),
}

/// Which number of an answer is meant.
#[derive(Debug, Clone, PartialEq)]
pub enum NumberAt {
    /// The first in the text.
    First,
    /// The last in the text.
    Last,
    /// Any in the text.
    Any,
    /// The one at a path of the JSON answer.
    Path(JsonPath),
}

/// One way to state a fact.
#[derive(Debug, Clone)]
pub enum Alternative {
    /// A text, on whole words.
    Text(String),
    /// A regular expression (`re:` in the suite).
    Pattern(Pattern),
}

impl Alternative {
    /// As written in the suite.
    pub fn source(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Pattern(pattern) => format!("re:{}", pattern.source),
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Runs of characters without white space that hold a letter or digit.
    Words,
    /// Sentences.
    Sentences,
    /// Lines that are not blank.
    Lines,
    /// Items of bulleted and numbered lists.
    Bullets,
}

impl Unit {
    /// The check's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Sentences => "sentences",
            Self::Lines => "lines",
            Self::Bullets => "bullets",
        }
    }
}

impl Rule {
    /// The check's `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Equals { .. } => "equals",
            Self::Contains { .. } => "contains",
            Self::ContainsAny { .. } => "contains_any",
            Self::ContainsAll { .. } => "contains_all",
            Self::NotContains { .. } => "not_contains",
            Self::Regex(_) => "regex",
            Self::StartsWith { .. } => "starts_with",
            Self::EndsWith { .. } => "ends_with",
            Self::Number { .. } => "number",
            Self::Text { .. } => "text",
            Self::Label { .. } => "label",
            Self::Json { .. } => "json",
            Self::Facts { .. } => "facts",
            Self::ClaimsAbsent { .. } => "claims_absent",
            Self::Count { unit, .. } => unit.as_str(),
            Self::Sections { .. } => "sections",
            Self::Language { .. } => "language",
        }
    }

    /// The rule's own keys as JSON.
    fn canonical(&self) -> Value {
        match self {
            Self::Equals { value, ignore_case } | Self::Contains { value, ignore_case } => {
                json!({"value": value, "ignore_case": ignore_case})
            }
            Self::ContainsAny {
                values,
                ignore_case,
            }
            | Self::ContainsAll {
                values,
                ignore_case,
            }
            | Self::NotContains {
                values,
                ignore_case,
            } => {
                json!({"values": values, "ignore_case": ignore_case})
            }
            Self::Regex(p) => json!({"pattern": p.source, "ignore_case": p.ignore_case}),
            Self::StartsWith { value } | Self::EndsWith { value } => json!({"value": value}),
            Self::Number {
                equals,
                tolerance,
                at,
            } => canonical_number(*equals, *tolerance, at),
            Self::Text {
                path,
                any_of,
                ignore_case,
            } => {
                json!({"path": path.to_string(), "any_of": any_of, "ignore_case": ignore_case})
            }
            Self::Label { choices, equals } => json!({"choices": choices, "equals": equals}),
            Self::Json { schema, fenced } => {
                json!({"schema": schema.as_ref().map(|s| &s.source), "fenced": fenced})
            }
            Self::Facts { facts, min } => json!({"facts": sources(facts), "min": min}),
            Self::ClaimsAbsent { claims } => json!({"claims": sources(claims)}),
            Self::Count { min, max, .. } => json!({"min": min, "max": max}),
            Self::Sections { titles } => json!({"titles": titles}),
            Self::Language { code, .. } => json!({"is": code}),
        }
    }
}

fn canonical_number(equals: f64, tolerance: Tolerance, at: &NumberAt) -> Value {
    let (key, allowed) = match tolerance {
        Tolerance::Absolute(x) => ("tolerance", x),
        Tolerance::Relative(x) => ("rel_tolerance", x),
    };
    let mut all = json!({"equals": equals, key: allowed});
    match at {
        NumberAt::First => all["which"] = json!("first"),
        NumberAt::Last => all["which"] = json!("last"),
        NumberAt::Any => all["which"] = json!("any"),
        NumberAt::Path(path) => all["path"] = json!(path.to_string()),
    }
    all
}

fn sources(facts: &[Vec<Alternative>]) -> Vec<Vec<String>> {
    facts
        .iter()
        .map(|fact| fact.iter().map(Alternative::source).collect())
        .collect()
}

/// The value with the keys of every object sorted.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| key.as_str());
            Value::Object(
                keys.into_iter()
                    .map(|(key, item)| (key.clone(), sorted(item)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
