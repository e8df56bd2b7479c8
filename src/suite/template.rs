//! Renders the template of a task over the fields of a sample, and builds the chat messages a model is shown.
//!
//! A suite is hostile input, so that templates are a small part of minijinja: `{{ }}`, `{% if %}`, `{% for %}`, eight filters
//! that do not grow what they take, and the tests `defined` and `undefined`. Without assignments, macros, growing filters and with few operators no
//! intermediate value can grow beyond a small multiple of the sample; fuel bounds the steps and a limited writer the output.

use super::model::{FieldValue, Sample, Task};
use super::{Problem, PromptStyle, SuiteError};
use crate::record::{Message, Role, TaskKind};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, filters, tests};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// Fields every sample has.
pub(crate) const OWN_FIELDS: [&str; 4] = ["input", "id", "difficulty", "tags"];
/// Steps of one rendering.
const FUEL: u64 = 200_000;
/// Bytes of one rendered template.
const MAX_OUTPUT: usize = 2 << 20;
/// Bytes of a template's source.
const MAX_SOURCE: usize = 64 << 10;
/// Operators that build longer texts.
const MAX_OPERATORS: usize = 16;
/// Name of the one template in its environment.
const NAME: &str = "template";

/// A compiled template.
pub(crate) struct Compiled<'s> {
    environment: Environment<'s>,
}

impl<'s> Compiled<'s> {
    pub(crate) fn new(source: &'s str) -> Result<Self, Problem> {
        check_source(source)?;
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(32);
        environment.add_filter("trim", filters::trim);
        environment.add_filter("upper", filters::upper);
        environment.add_filter("lower", filters::lower);
        environment.add_filter("length", filters::length);
        environment.add_filter("default", filters::default);
        environment.add_filter("first", filters::first);
        environment.add_filter("last", filters::last);
        environment.add_filter("tojson", filters::tojson);
        environment.add_test("defined", tests::is_defined);
        environment.add_test("undefined", tests::is_undefined);
        environment
            .add_template(NAME, source)
            .map_err(|e| Problem::Template {
                message: message(&e),
            })?;
        Ok(Self { environment })
    }

    /// Names the template reads.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.environment
            .get_template(NAME)
            .map(|t| t.undeclared_variables(false).into_iter().collect())
            .unwrap_or_default()
    }

    /// Renders over the fields of `sample`.
    ///
    /// # Errors
    /// What the template engine said.
    pub(crate) fn render(&self, sample: &Sample) -> Result<String, String> {
        let template = self
            .environment
            .get_template(NAME)
            .map_err(|e| message(&e))?;
        let mut out = Limited::default();
        match template.render_captured_to(fields(sample), &mut out) {
            Ok(_) => String::from_utf8(out.bytes).map_err(|e| e.to_string()),
            Err(_) if out.full => Err(format!("the text is longer than {MAX_OUTPUT} bytes")),
            Err(e) if e.kind() == ErrorKind::OutOfFuel => {
                Err(format!("it takes more than {FUEL} steps"))
            }
            Err(e) => Err(message(&e)),
        }
    }
}

fn fields(sample: &Sample) -> Value {
    let mut all: BTreeMap<&str, Value> = sample
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), field(value)))
        .collect();
    all.insert("input", Value::from(sample.input.as_str()));
    all.insert("id", Value::from(sample.id.as_str()));
    all.insert("difficulty", Value::from(sample.difficulty.as_str()));
    all.insert("tags", Value::from(sample.tags.clone()));
    Value::from(all)
}

fn field(value: &FieldValue) -> Value {
    match value {
        FieldValue::Text(text) => Value::from(text.as_str()),
        FieldValue::Integer(n) => Value::from(*n),
        FieldValue::Number(x) => Value::from(*x),
        FieldValue::Boolean(b) => Value::from(*b),
        FieldValue::List(items) => Value::from(items.clone()),
    }
}

/// Detail and line of an error of the template engine.
fn message(error: &minijinja::Error) -> String {
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("{what} (line {line} of the template)"),
        None => what,
    }
}

/// Refuses what could make values grow without bound.
fn check_source(source: &str) -> Result<(), Problem> {
    const TAGS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];
    if source.len() > MAX_SOURCE {
        return Err(Problem::Limit {
            what: "the length in bytes of a template".to_owned(),
            found: source.len(),
            limit: MAX_SOURCE,
        });
    }
    for (at, _) in source.match_indices("{%") {
        let inside = source[at + 2..].trim_start_matches(['-', '+']).trim_start();
        let end = inside.find(|c: char| !c.is_alphanumeric() && c != '_');
        let tag = &inside[..end.unwrap_or(inside.len())];
        if !TAGS.contains(&tag) {
            let what = format!("`{{% {tag} %}}`");
            return Err(Problem::TemplateFeature { what });
        }
    }
    let operators = count_operators(source);
    if operators > MAX_OPERATORS {
        let what =
            format!("{operators} times the operators `~`, `+`, `*` (at most {MAX_OPERATORS})");
        return Err(Problem::TemplateFeature { what });
    }
    Ok(())
}

/// Operators that build longer values, counted in the code of a template (in its strings too, which errs on the safe side).
fn count_operators(source: &str) -> usize {
    let bytes = source.as_bytes();
    let (mut at, mut count) = (0, 0);
    while at + 1 < bytes.len() {
        let close = match &bytes[at..at + 2] {
            b"{{" => b"}}",
            b"{%" => b"%}",
            b"{#" => {
                at = source[at..]
                    .find("#}")
                    .map_or(bytes.len(), |end| at + end + 2);
                continue;
            }
            _ => {
                at += 1;
                continue;
            }
        };
        let (end, found) = scan_code(bytes, at + 2, close);
        (at, count) = (end, count + found);
    }
    count
}

/// From the start of code to behind its closing delimiter, with the number of operators on the way.
fn scan_code(bytes: &[u8], start: usize, close: &[u8]) -> (usize, usize) {
    let (mut at, mut count, mut quote) = (start, 0, None);
    while at < bytes.len() {
        match (bytes[at], quote) {
            (b'~' | b'+' | b'*', _) => count += 1,
            (b'\\', Some(_)) => at += 1,
            (q, Some(open)) if q == open => quote = None,
            (q @ (b'\'' | b'"'), None) => quote = Some(q),
            (_, None) if bytes[at..].starts_with(close) => return (at + 2, count),
            _ => {}
        }
        at += 1;
    }
    (bytes.len(), count)
}

/// A writer that stops at the limit.
#[derive(Default)]
struct Limited {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            self.full = true;
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a model is shown for a sample: the system instruction, worked examples as turns, the rendered input.
///
/// Few-shot inputs go through the same template with the example's own `fields`. A raw prompt and a text are one message of the user, which is
/// not put into a chat template.
///
/// # Errors
/// When the template cannot be rendered over the sample.
pub fn messages(task: &Task, sample: &Sample) -> Result<Vec<Message>, SuiteError> {
    let failed = |why: String| SuiteError::Render {
        task: task.id.clone(),
        sample: sample.id.clone(),
        why,
    };
    let compiled = match &task.template {
        None => None,
        Some(source) => Some(Compiled::new(source).map_err(|p| failed(p.to_string()))?),
    };
    build(task, sample, compiled.as_ref()).map_err(failed)
}

/// [`messages`] with a template that is compiled already.
pub(crate) fn build(
    task: &Task,
    sample: &Sample,
    template: Option<&Compiled<'_>>,
) -> Result<Vec<Message>, String> {
    let render =
        |sample: &Sample| template.map_or_else(|| Ok(sample.input.clone()), |t| t.render(sample));
    let mut all = Vec::with_capacity(2 + 2 * task.few_shot.len());
    let mut say = |role, content: String| all.push(Message { role, content });
    if let Some(system) = &task.system {
        say(Role::System, system.trim().to_owned());
    }
    for shot in &task.few_shot {
        let asked = Sample {
            input: shot.input.clone(),
            fields: shot.fields.clone(),
            ..sample.clone()
        };
        say(Role::User, render(&asked)?);
        say(Role::Assistant, shot.output.clone());
    }
    say(Role::User, render(sample)?);
    let raw = match task.kind {
        TaskKind::Generate => false,
        TaskKind::Choice => task.likelihood.prompt == PromptStyle::Raw,
        TaskKind::Perplexity => true,
    };
    Ok(if raw { vec![as_text(&all)] } else { all })
}

/// A conversation as the text that lm-evaluation-harness makes of it: each answer behind its question and the delimiter, a blank line between
/// the parts.
fn as_text(messages: &[Message]) -> Message {
    let mut content = String::new();
    for message in messages {
        let before = match message.role {
            _ if content.is_empty() => "",
            Role::Assistant => PromptStyle::Raw.delimiter(),
            Role::System | Role::User => "\n\n",
        };
        content.push_str(before);
        content.push_str(&message.content);
    }
    Message {
        role: Role::User,
        content,
    }
}
