//! From the text of a suite to a [`Suite`].

use super::check_parse::{CheckParser, language};
use super::node::{Node, Value};
use super::reader::{Reader, array_of};
use super::sample_parse::{SampleParser, shots};
use super::source::Source;
use super::template::{self, Compiled};
use super::{
    Decoding, GateMargin, MarginKind, Problem, Quality, Sample, Suite, SuiteError, Task, data,
    digest, likelihood,
};
use crate::record::{Component, TaskKind};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// Largest suite file in bytes.
const MAX_FILE: u64 = 8 << 20;
/// Most samples of a suite.
pub(crate) const MAX_SAMPLES: usize = 100_000;
/// Most tasks of a suite.
const MAX_TASKS: usize = 1_000;
/// Most tokens of a completion.
const MAX_TOKENS: u32 = 131_072;

const SUITE_KEYS: [&str; 11] = [
    "format",
    "name",
    "version",
    "description",
    "license",
    "language",
    "primary",
    "decoding",
    "quality",
    "gate",
    "task",
];
const TASK_KEYS: [&str; 9] = [
    "id", "title", "type", "system", "template", "few_shot", "decoding", "data", "sample",
];
const CHOICE_TASK_KEYS: [&str; 11] = [
    "id",
    "title",
    "type",
    "system",
    "template",
    "few_shot",
    "prompt",
    "primary",
    "mutual_info",
    "data",
    "sample",
];
const TEXT_TASK_KEYS: [&str; 8] = [
    "id", "title", "type", "windows", "window", "stride", "data", "sample",
];
const DECODING_KEYS: [&str; 7] = [
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "max_tokens",
    "stop",
    "epochs",
];

/// Loads the suite in the file at `path`, with the data files it names.
///
/// # Errors
/// When a file cannot be read or something in it is wrong; the error names the place.
pub fn load(path: &Path) -> Result<Suite, SuiteError> {
    let failed = |source| SuiteError::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    // A special file has no true size, so that reading stops at the limit too.
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(SuiteError::TooLarge {
            path: path.to_owned(),
            found: found.max(bytes.len() as u64),
            limit: MAX_FILE,
        });
    }
    let text = String::from_utf8(bytes).map_err(|e| SuiteError::Encoding {
        path: path.to_owned(),
        offset: e.utf8_error().valid_up_to(),
    })?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    parse(
        &path.display().to_string(),
        &text,
        Some(folder.unwrap_or(Path::new("."))),
    )
}

/// Parses the text of a suite. `origin` names it in errors; `folder` is where its data files are, `None` for a built-in suite.
///
/// # Errors
/// When something in the text or in a data file is wrong; the error names the place.
pub fn parse(origin: &str, text: &str, folder: Option<&Path>) -> Result<Suite, SuiteError> {
    if text.len() as u64 > MAX_FILE {
        return Err(SuiteError::TooLarge {
            path: origin.into(),
            found: text.len() as u64,
            limit: MAX_FILE,
        });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(origin, text);
    let root = Node::from_toml(&source, text)?;
    let r = Reader::any(&source, &root, "the suite")?;
    check_format(r)?;
    r.only(&SUITE_KEYS)?;
    let (code, _) = language(r, "language")?;
    let decoding = decoding(r, &Decoding::default())?;
    let primary = id(r, "primary", "metric")?;
    let mut suite = Suite {
        name: id(r, "name", "suite name")?,
        version: r.need_filled("version")?.to_owned(),
        description: r.text("description")?.unwrap_or_default().to_owned(),
        license: r.need_filled("license")?.to_owned(),
        language: code.to_owned(),
        quality: quality(r)?,
        gates: gates(r)?,
        tasks: tasks(r, folder, &decoding, &primary)?,
        primary,
        decoding,
        digest: digest::placeholder(),
        origin: origin.to_owned(),
    };
    suite.digest = digest::of_suite(&suite);
    Ok(suite)
}

/// Looks at `format` before anything else: a later format may have other keys.
fn check_format(r: Reader<'_>) -> Result<(), SuiteError> {
    match &r.need("format")?.value {
        Value::Integer(1) => Ok(()),
        Value::Integer(found) => Err(r.fail("format", Problem::Format { found: *found })),
        _ => Err(super::reader::wrong_type(
            r.source,
            "format",
            "an integer",
            r.need("format")?,
        )),
    }
}

/// A name that can stand in file names, URLs and on command lines.
pub(crate) fn id(r: Reader<'_>, key: &str, what: &'static str) -> Result<String, SuiteError> {
    let found = r.need_text(key)?;
    let valid = found.len() <= 64
        && found.starts_with(|c: char| c.is_ascii_alphanumeric())
        && found
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if valid {
        return Ok(found.to_owned());
    }
    let found = found.to_owned();
    Err(r.fail(key, Problem::Id { what, found }))
}

/// The `decoding` table of a suite or task over the settings it inherits.
fn decoding(r: Reader<'_>, inherited: &Decoding) -> Result<Decoding, SuiteError> {
    let Some(node) = r.node("decoding") else {
        return Ok(inherited.clone());
    };
    let d = Reader::open(r.source, node, "`decoding`", &DECODING_KEYS)?;
    let share = |x: f64| x > 0.0 && x <= 1.0;
    let stop = d.texts("stop")?;
    if stop.iter().any(String::is_empty) {
        return Err(d.fail(
            "stop",
            Problem::Empty {
                what: "a text in `stop`".to_owned(),
            },
        ));
    }
    if stop.len() > 16 {
        let what = "the number of items in `stop`".to_owned();
        let found = stop.len();
        return Err(d.fail(
            "stop",
            Problem::Limit {
                what,
                found,
                limit: 16,
            },
        ));
    }
    Ok(Decoding {
        temperature: d
            .number_in("temperature", |t| (0.0..=10.0).contains(&t), "from 0 to 10")?
            .unwrap_or(inherited.temperature),
        top_k: d.integer_in("top_k", 1, 1_000_000)?.or(inherited.top_k),
        top_p: d
            .number_in("top_p", share, "above 0 and at most 1")?
            .or(inherited.top_p),
        min_p: d
            .number_in("min_p", |x| (0.0..=1.0).contains(&x), "from 0 to 1")?
            .or(inherited.min_p),
        max_tokens: d
            .integer_in("max_tokens", 1, MAX_TOKENS)?
            .unwrap_or(inherited.max_tokens),
        stop: if d.node("stop").is_some() {
            stop
        } else {
            inherited.stop.clone()
        },
        epochs: d
            .integer_in("epochs", 1, 1_000)?
            .unwrap_or(inherited.epochs),
    })
}

/// Weights and cap of the composite score; the defaults of the format when absent.
fn quality(r: Reader<'_>) -> Result<Quality, SuiteError> {
    let mut quality = Quality {
        weights: vec![
            (Component::Checks, 0.5),
            (Component::Facts, 0.3),
            (Component::Form, 0.2),
        ],
        cap_on_required_failure: 0.3,
    };
    let Some(node) = r.node("quality") else {
        return Ok(quality);
    };
    let q = Reader::open(
        r.source,
        node,
        "`quality`",
        &["weights", "cap_on_required_failure"],
    )?;
    if let Some(cap) = q.number_in(
        "cap_on_required_failure",
        |c| (0.0..=1.0).contains(&c),
        "from 0 to 1",
    )? {
        quality.cap_on_required_failure = cap;
    }
    if let Some(node) = q.node("weights") {
        let names = Component::ALL.map(Component::as_str);
        let w = Reader::open(r.source, node, "`weights`", &names)?;
        quality.weights.clear();
        for component in Component::ALL {
            let weight = w
                .number_in(
                    component.as_str(),
                    |x| (0.0..=1e6).contains(&x),
                    "from 0 to 1000000",
                )?
                .unwrap_or(0.0);
            quality.weights.push((component, weight));
        }
        let sum: f64 = quality.weights.iter().map(|(_, weight)| weight).sum();
        if sum <= 0.0 {
            return Err(q.fail("weights", Problem::Weights { sum }));
        }
    }
    Ok(quality)
}

/// Margins in file order.
fn gates(r: Reader<'_>) -> Result<Vec<GateMargin>, SuiteError> {
    let Some(node) = r.node("gate") else {
        return Ok(Vec::new());
    };
    let table = Reader::any(r.source, node, "`gate`")?;
    let mut gates = Vec::new();
    for entry in table.entries() {
        let holder = format!("gate `{}`", entry.key);
        let g = Reader::open(r.source, &entry.node, &holder, &["margin", "ratio"])?;
        g.exclusive("margin", "ratio")?;
        g.needs_one(&["margin", "ratio"])?;
        let margin = g.number_in("margin", |x| x >= 0.0, "0 or above")?;
        let ratio = g.number_in("ratio", |x| x > 0.0, "above 0")?;
        let kind = match (margin, ratio) {
            (Some(margin), _) => MarginKind::Absolute(margin),
            (None, ratio) => MarginKind::Ratio(ratio.unwrap_or(1.0)),
        };
        gates.push(GateMargin {
            metric: entry.key.clone(),
            kind,
        });
    }
    Ok(gates)
}

fn tasks(
    r: Reader<'_>,
    folder: Option<&Path>,
    inherited: &Decoding,
    primary: &str,
) -> Result<Vec<Task>, SuiteError> {
    let nodes = array_of(r.source, "task", r.need("task")?)?;
    if nodes.is_empty() {
        return Err(r.empty("task"));
    }
    if nodes.len() > MAX_TASKS {
        let what = "the number of tasks".to_owned();
        let found = nodes.len();
        return Err(r.fail(
            "task",
            Problem::Limit {
                what,
                found,
                limit: MAX_TASKS,
            },
        ));
    }
    let mut checks = CheckParser::default();
    let mut seen = BTreeMap::new();
    let mut tasks = Vec::with_capacity(nodes.len());
    let mut total = 0;
    for node in nodes {
        let t = Reader::any(r.source, node, "a task")?;
        let task = task(t, folder, inherited, primary, &mut checks)?;
        let line = r.source.line(node.span.start);
        if let Some(first) = seen.insert(task.id.clone(), line) {
            let problem = Problem::Duplicate {
                what: "task",
                id: task.id,
                line: first,
            };
            return Err(t.fail("id", problem));
        }
        total += task.samples.len();
        if total > MAX_SAMPLES {
            let what = "the number of samples".to_owned();
            return Err(t.fail(
                "id",
                Problem::Limit {
                    what,
                    found: total,
                    limit: MAX_SAMPLES,
                },
            ));
        }
        tasks.push(task);
    }
    Ok(tasks)
}

fn task(
    t: Reader<'_>,
    folder: Option<&Path>,
    inherited: &Decoding,
    primary: &str,
    checks: &mut CheckParser,
) -> Result<Task, SuiteError> {
    let kinds = TaskKind::ALL.map(|k| (k.as_str(), k));
    let kind = t
        .name("type", "task type", &kinds)?
        .unwrap_or(TaskKind::Generate);
    t.only(match kind {
        TaskKind::Generate => &TASK_KEYS,
        TaskKind::Choice => &CHOICE_TASK_KEYS,
        TaskKind::Perplexity => &TEXT_TASK_KEYS,
    })?;
    let id = id(t, "id", "task id")?;
    let mut task = Task {
        title: t.text("title")?.unwrap_or(&id).to_owned(),
        kind,
        system: t
            .text("system")?
            .filter(|s| !s.trim().is_empty())
            .map(str::to_owned),
        template: t.text("template")?.map(str::to_owned),
        few_shot: shots(t)?,
        decoding: match kind {
            TaskKind::Generate => decoding(t, inherited)?,
            TaskKind::Choice | TaskKind::Perplexity => Decoding::default(),
        },
        likelihood: likelihood::read(t, kind, primary)?,
        samples: Vec::new(),
        id,
    };
    task.samples = samples(t, folder, &task, checks)?;
    check_shots(t, &task)?;
    check_template(t, &task)?;
    Ok(task)
}

/// The samples of a task: those of the file, then those of its data file.
fn samples(
    t: Reader<'_>,
    folder: Option<&Path>,
    task: &Task,
    checks: &mut CheckParser,
) -> Result<Vec<Sample>, SuiteError> {
    t.needs_one(&["sample", "data"])?;
    let mut parser = SampleParser::new(task.kind, checks);
    for node in t.array("sample")?.unwrap_or_default() {
        parser.take(t.source, node, None)?;
    }
    if let Some(node) = t.node("data") {
        data::read(t.source, node, folder, &mut parser)?;
    }
    let samples = parser.samples;
    if samples.is_empty() {
        let what = format!("task `{}`", task.id);
        return Err(t.source.fail(t.span, Problem::Empty { what }));
    }
    Ok(samples)
}

/// A worked example must not be a question at the same time.
fn check_shots(t: Reader<'_>, task: &Task) -> Result<(), SuiteError> {
    let words = |text: &str| {
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    if task.few_shot.is_empty() {
        return Ok(());
    }
    let inputs: BTreeMap<String, &str> = task
        .samples
        .iter()
        .map(|s| (words(&s.input), s.id.as_str()))
        .collect();
    let nodes = t.array("few_shot")?.unwrap_or_default();
    for (shot, node) in task.few_shot.iter().zip(nodes) {
        // The same input with other fields is another question.
        let same = inputs.get(&words(&shot.input));
        if let Some(sample) = same.filter(|_| shot.fields.is_empty()) {
            let sample = (*sample).to_owned();
            return Err(t.source.fail(&node.span, Problem::ShotIsSample { sample }));
        }
    }
    Ok(())
}

/// Compiles the template and renders it over every sample once, so that what loads can be run.
fn check_template(t: Reader<'_>, task: &Task) -> Result<(), SuiteError> {
    let Some(text) = &task.template else {
        return Ok(());
    };
    let compiled = Compiled::new(text).map_err(|problem| t.fail("template", problem))?;
    let known: Vec<String> = template::OWN_FIELDS
        .iter()
        .map(|&name| name.to_owned())
        .chain(field_names(task))
        .collect();
    if let Some(found) = compiled
        .names()
        .into_iter()
        .find(|name| !known.contains(name))
    {
        let what = "template field";
        let problem = Problem::UnknownName {
            what,
            found,
            valid: known,
        };
        return Err(t.fail("template", problem));
    }
    for sample in &task.samples {
        if let Err(message) = template::build(task, sample, Some(&compiled)) {
            let (task, sample) = (task.id.clone(), sample.id.clone());
            let problem = Problem::TemplateSample {
                task,
                sample,
                message,
            };
            return Err(t.fail("template", problem));
        }
    }
    Ok(())
}

/// Names of the further fields of any sample, each once.
fn field_names(task: &Task) -> impl Iterator<Item = String> {
    let all = task.samples.iter().flat_map(|s| &s.fields);
    all.map(|(name, _)| name.clone())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
}
