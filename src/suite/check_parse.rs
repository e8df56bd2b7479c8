//! From a table of a suite to a [`Check`]: keys by type, ranges, compiled expressions and schemas.

use super::check::{Alternative, Check, NumberAt, Pattern, Rule, Schema, Tolerance, Unit};
use super::node::{Node, Value};
use super::reader::{Reader, array_of, text_of};
use super::source::Source;
use super::{JsonPath, Problem, SuiteError};
use crate::record::Component;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Keys of every check.
const COMMON: [&str; 5] = ["type", "required", "component", "weight", "not"];

/// Every check type with its own keys.
const KINDS: [(&str, &[&str]); 20] = [
    ("equals", &["value", "ignore_case"]),
    ("contains", &["value", "ignore_case"]),
    ("contains_any", &["values", "ignore_case"]),
    ("contains_all", &["values", "ignore_case"]),
    ("not_contains", &["values", "ignore_case"]),
    ("regex", &["pattern", "ignore_case"]),
    ("starts_with", &["value"]),
    ("ends_with", &["value"]),
    (
        "number",
        &["equals", "tolerance", "rel_tolerance", "which", "path"],
    ),
    ("text", &["path", "equals", "any_of", "ignore_case"]),
    ("label", &["choices", "equals"]),
    ("json", &["schema", "fenced"]),
    ("facts", &["facts", "min"]),
    ("claims_absent", &["claims"]),
    ("words", &["min", "max"]),
    ("sentences", &["min", "max"]),
    ("lines", &["min", "max"]),
    ("bullets", &["min", "max"]),
    ("sections", &["titles"]),
    ("language", &["is"]),
];

/// Languages by ISO 639-1 code. Sorted by code.
const LANGUAGES: [(&str, whatlang::Lang); 22] = {
    use whatlang::Lang;
    [
        ("ar", Lang::Ara),
        ("cs", Lang::Ces),
        ("da", Lang::Dan),
        ("de", Lang::Deu),
        ("el", Lang::Ell),
        ("en", Lang::Eng),
        ("es", Lang::Spa),
        ("fi", Lang::Fin),
        ("fr", Lang::Fra),
        ("hu", Lang::Hun),
        ("it", Lang::Ita),
        ("ja", Lang::Jpn),
        ("ko", Lang::Kor),
        ("nl", Lang::Nld),
        ("no", Lang::Nob),
        ("pl", Lang::Pol),
        ("pt", Lang::Por),
        ("ru", Lang::Rus),
        ("sv", Lang::Swe),
        ("tr", Lang::Tur),
        ("uk", Lang::Ukr),
        ("zh", Lang::Cmn),
    ]
};

/// Most alternatives, values, choices, titles of one check.
const MAX_ITEMS: usize = 256;
/// Longest text a check looks for, in bytes.
const MAX_TEXT: usize = 16 * 1024;
/// Compiled size of one expression; bounds the time of a match too.
const MAX_REGEX: usize = 1 << 20;

/// Parses checks and shares what several of them compile to.
#[derive(Debug, Default)]
pub(crate) struct CheckParser {
    patterns: BTreeMap<(String, bool), Pattern>,
    schemas: BTreeMap<String, Schema>,
}

impl CheckParser {
    /// Parses one table.
    pub(crate) fn parse(&mut self, source: &Source<'_>, node: &Node) -> Result<Check, SuiteError> {
        let reader = Reader::any(source, node, "a check")?;
        let kinds: Vec<_> = KINDS.iter().map(|kind| (kind.0, *kind)).collect();
        let (kind, keys) = reader
            .name("type", "check type", &kinds)?
            .ok_or_else(|| reader.missing("type"))?;
        let holder = format!("a `{kind}` check");
        let reader = Reader::any(source, node, &holder)?;
        let valid: Vec<&str> = COMMON.iter().chain(keys.iter()).copied().collect();
        reader.only(&valid)?;
        let rule = Arc::new(self.rule(kind, reader)?);
        let components = Component::ALL.map(|c| (c.as_str(), c));
        let form = matches!(
            kind,
            "words" | "sentences" | "lines" | "bullets" | "sections"
        );
        let default = match kind {
            "facts" | "claims_absent" => Component::Facts,
            _ if form => Component::Form,
            _ => Component::Checks,
        };
        Ok(Check::new(
            rule,
            reader.boolean("required")?.unwrap_or(!form),
            reader
                .name("component", "component", &components)?
                .unwrap_or(default),
            reader
                .number_in(
                    "weight",
                    |w| w > 0.0 && w <= 1e6,
                    "above 0 and at most 1000000",
                )?
                .unwrap_or(1.0),
            reader.boolean("not")?.unwrap_or(false),
        ))
    }

    fn rule(&mut self, kind: &str, r: Reader<'_>) -> Result<Rule, SuiteError> {
        let ignore_case = r.boolean("ignore_case")?.unwrap_or(kind != "regex");
        Ok(match kind {
            "equals" => Rule::Equals {
                value: value(r)?,
                ignore_case,
            },
            "contains" => Rule::Contains {
                value: value(r)?,
                ignore_case,
            },
            "contains_any" => Rule::ContainsAny {
                values: filled(r, "values")?,
                ignore_case,
            },
            "contains_all" => Rule::ContainsAll {
                values: filled(r, "values")?,
                ignore_case,
            },
            "not_contains" => Rule::NotContains {
                values: filled(r, "values")?,
                ignore_case,
            },
            "regex" => {
                let pattern = r.need_filled("pattern")?;
                Rule::Regex(self.pattern(r.source, r.span_of("pattern"), pattern, ignore_case)?)
            }
            "starts_with" => Rule::StartsWith { value: value(r)? },
            "ends_with" => Rule::EndsWith { value: value(r)? },
            "number" => number(r)?,
            "text" => text(r, ignore_case)?,
            "label" => label(r)?,
            "json" => self.json(r)?,
            "facts" => self.facts(r)?,
            "claims_absent" => Rule::ClaimsAbsent {
                claims: self.groups(r, "claims")?,
            },
            "words" => count(r, Unit::Words)?,
            "sentences" => count(r, Unit::Sentences)?,
            "lines" => count(r, Unit::Lines)?,
            "bullets" => count(r, Unit::Bullets)?,
            "sections" => Rule::Sections {
                titles: filled(r, "titles")?,
            },
            _ => {
                let (code, lang) = language(r, "is")?;
                Rule::Language { code, lang }
            }
        })
    }

    fn pattern(
        &mut self,
        source: &Source<'_>,
        span: &Range<usize>,
        pattern: &str,
        ignore_case: bool,
    ) -> Result<Pattern, SuiteError> {
        let key = (pattern.to_owned(), ignore_case);
        if let Some(known) = self.patterns.get(&key) {
            return Ok(known.clone());
        }
        let regex = regex::RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .size_limit(MAX_REGEX)
            .build()
            .map_err(|e| {
                let problem = Problem::Regex {
                    pattern: pattern.to_owned(),
                    message: regex_message(&e),
                };
                source.fail(span, problem)
            })?;
        let compiled = Pattern {
            source: pattern.to_owned(),
            ignore_case,
            regex,
        };
        self.patterns.insert(key, compiled.clone());
        Ok(compiled)
    }

    fn json(&mut self, r: Reader<'_>) -> Result<Rule, SuiteError> {
        let fenced = r.boolean("fenced")?.unwrap_or(true);
        let schema = r
            .node("schema")
            .map(|node| self.schema(r.source, node))
            .transpose()?;
        Ok(Rule::Json { schema, fenced })
    }

    fn schema(&mut self, source: &Source<'_>, node: &Node) -> Result<Schema, SuiteError> {
        refuse_references(source, node)?;
        let schema = node.to_json();
        let key = schema.to_string();
        if let Some(known) = self.schemas.get(&key) {
            return Ok(known.clone());
        }
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(jsonschema::PatternOptions::regex().size_limit(MAX_REGEX))
            .offline()
            .build(&schema)
            .map_err(|e| {
                let at = e.instance_path().as_str();
                let at = if at.is_empty() {
                    ""
                } else {
                    &format!(" at `{at}`")
                };
                let message = format!("{e}{at}");
                source.fail(&node.span, Problem::Schema { message })
            })?;
        let compiled = Schema {
            source: schema,
            validator: Arc::new(validator),
        };
        self.schemas.insert(key, compiled.clone());
        Ok(compiled)
    }

    fn facts(&mut self, r: Reader<'_>) -> Result<Rule, SuiteError> {
        let facts = self.groups(r, "facts")?;
        let all = facts.len();
        let min = r.integer_in("min", 1, u32::try_from(all).unwrap_or(u32::MAX))?;
        Ok(Rule::Facts {
            facts,
            min: min.map_or(all, |min| min as usize),
        })
    }

    /// A list of lists of alternatives.
    fn groups(&mut self, r: Reader<'_>, key: &str) -> Result<Vec<Vec<Alternative>>, SuiteError> {
        let groups = r.array(key)?.ok_or_else(|| r.missing(key))?;
        bounded(r, key, groups.len())?;
        groups
            .iter()
            .map(|group| {
                let alternatives = array_of(r.source, key, group)?;
                if alternatives.is_empty() {
                    let what = format!("a list of alternatives in `{key}`");
                    return Err(r.source.fail(&group.span, Problem::Empty { what }));
                }
                bounded(r, key, alternatives.len())?;
                alternatives
                    .iter()
                    .map(|node| self.alternative(r.source, key, node))
                    .collect()
            })
            .collect()
    }

    fn alternative(
        &mut self,
        source: &Source<'_>,
        key: &str,
        node: &Node,
    ) -> Result<Alternative, SuiteError> {
        let text = text_of(source, key, node)?;
        check_text(source, key, node, text)?;
        match text.strip_prefix("re:") {
            None => Ok(Alternative::Text(text.to_owned())),
            Some(pattern) => self
                .pattern(source, &node.span, pattern, true)
                .map(Alternative::Pattern),
        }
    }
}

fn value(r: Reader<'_>) -> Result<String, SuiteError> {
    let text = r.need_filled("value")?;
    check_text(r.source, "value", r.need("value")?, text)?;
    Ok(text.to_owned())
}

/// A list of at least one text, none of them blank.
fn filled(r: Reader<'_>, key: &str) -> Result<Vec<String>, SuiteError> {
    let items = r.array(key)?.ok_or_else(|| r.missing(key))?;
    bounded(r, key, items.len())?;
    items
        .iter()
        .map(|node| {
            let text = text_of(r.source, key, node)?;
            check_text(r.source, key, node, text)?;
            Ok(text.to_owned())
        })
        .collect()
}

fn bounded(r: Reader<'_>, key: &str, found: usize) -> Result<(), SuiteError> {
    match found {
        0 => Err(r.empty(key)),
        1..=MAX_ITEMS => Ok(()),
        _ => Err(r.fail(
            key,
            Problem::Limit {
                what: format!("the number of items in `{key}`"),
                found,
                limit: MAX_ITEMS,
            },
        )),
    }
}

fn check_text(source: &Source<'_>, key: &str, node: &Node, text: &str) -> Result<(), SuiteError> {
    if text.trim().is_empty() || text == "re:" {
        let what = format!("a text in `{key}`");
        return Err(source.fail(&node.span, Problem::Empty { what }));
    }
    if text.len() > MAX_TEXT {
        return Err(source.fail(
            &node.span,
            Problem::Limit {
                what: format!("the length in bytes of a text in `{key}`"),
                found: text.len(),
                limit: MAX_TEXT,
            },
        ));
    }
    Ok(())
}

fn number(r: Reader<'_>) -> Result<Rule, SuiteError> {
    r.exclusive("tolerance", "rel_tolerance")?;
    r.exclusive("path", "which")?;
    let equals = r.number("equals")?.ok_or_else(|| r.missing("equals"))?;
    let absolute = r.number_in("tolerance", |t| t >= 0.0, "0 or above")?;
    let relative = r.number_in("rel_tolerance", |t| (0.0..=1.0).contains(&t), "from 0 to 1")?;
    let at = match r.text("path")? {
        Some(path) => NumberAt::Path(json_path(r, path)?),
        None => match r.name("which", "number", &[("first", 0), ("last", 1), ("any", 2)])? {
            Some(0) => NumberAt::First,
            Some(2) => NumberAt::Any,
            _ => NumberAt::Last,
        },
    };
    Ok(Rule::Number {
        equals,
        tolerance: relative.map_or_else(
            || Tolerance::Absolute(absolute.unwrap_or(0.0)),
            Tolerance::Relative,
        ),
        at,
    })
}

fn json_path(r: Reader<'_>, path: &str) -> Result<JsonPath, SuiteError> {
    JsonPath::parse(path).map_err(|message| {
        let path = path.to_owned();
        r.fail("path", Problem::JsonPath { path, message })
    })
}

fn text(r: Reader<'_>, ignore_case: bool) -> Result<Rule, SuiteError> {
    let path = json_path(r, r.need_text("path")?)?;
    r.exclusive("equals", "any_of")?;
    r.needs_one(&["equals", "any_of"])?;
    let any_of = match r.text("equals")? {
        Some(only) => vec![only.to_owned()],
        None => filled(r, "any_of")?,
    };
    Ok(Rule::Text {
        path,
        any_of,
        ignore_case,
    })
}

fn label(r: Reader<'_>) -> Result<Rule, SuiteError> {
    let choices = filled(r, "choices")?;
    let equals = r.need_text("equals")?.to_owned();
    for (at, choice) in choices.iter().enumerate() {
        if choices[..at]
            .iter()
            .any(|c| c.to_lowercase() == choice.to_lowercase())
        {
            let node = &array_of(r.source, "choices", r.need("choices")?)?[at];
            let line = r.source.line(r.span_of("choices").start);
            return Err(r.source.fail(
                &node.span,
                Problem::Duplicate {
                    what: "choice",
                    id: choice.clone(),
                    line,
                },
            ));
        }
    }
    if choices.contains(&equals) {
        return Ok(Rule::Label { choices, equals });
    }
    Err(r.fail(
        "equals",
        Problem::UnknownName {
            what: "choice",
            found: equals,
            valid: choices,
        },
    ))
}

fn count(r: Reader<'_>, unit: Unit) -> Result<Rule, SuiteError> {
    const MOST: u32 = 1_000_000;
    r.needs_one(&["min", "max"])?;
    let min = r.integer_in("min", 0, MOST)?.unwrap_or(0);
    let max = r.integer_in("max", min, MOST)?;
    Ok(Rule::Count {
        unit,
        min: min as usize,
        max: max.map(|max| max as usize),
    })
}

/// A language by its ISO 639-1 code.
pub(crate) fn language(
    r: Reader<'_>,
    key: &str,
) -> Result<(&'static str, whatlang::Lang), SuiteError> {
    let all: Vec<_> = LANGUAGES.iter().map(|known| (known.0, *known)).collect();
    r.name(key, "language", &all)?.ok_or_else(|| r.missing(key))
}

/// References could loop or grow without bound, so that a schema is written out in place.
fn refuse_references(source: &Source<'_>, node: &Node) -> Result<(), SuiteError> {
    const REFERENCES: [&str; 4] = ["$ref", "$dynamicRef", "$recursiveRef", "$schema"];
    match &node.value {
        Value::Array(items) => items.iter().try_for_each(|i| refuse_references(source, i)),
        Value::Table(entries) => entries.iter().try_for_each(|e| {
            if REFERENCES.contains(&e.key.as_str()) && matches!(e.node.value, Value::Text(_)) {
                let keyword = e.key.clone();
                return Err(source.fail(&e.span, Problem::SchemaReference { keyword }));
            }
            refuse_references(source, &e.node)
        }),
        _ => Ok(()),
    }
}

/// The last line of a message of the regex parser says what is wrong; the lines before draw it.
fn regex_message(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("it compiles to more than {limit} bytes")
        }
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    }
}
