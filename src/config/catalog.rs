//! The catalogue of models: `models.toml`.

use super::reader::{Document, Table, Value, read_bounded};
use super::{BUILT_IN, ConfigError, Source};
use crate::record::{DeviceChoice, Digest, Dtype};
use std::path::{Path, PathBuf};

/// The catalogue this program was built with.
const BUILT_IN_TEXT: &str = include_str!("../../models.toml");

/// File name looked for in the current folder.
const FILE_NAME: &str = "models.toml";

/// Every model that can be named.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// In file order.
    pub entries: Vec<ModelEntry>,
    /// SHA-256 of the file's bytes.
    pub digest: Digest,
    /// Path of the file, or `built-in`.
    pub origin: String,
}

/// One model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEntry {
    /// Unique name.
    pub name: String,
    /// One line for people.
    pub description: Option<String>,
    /// Where its weights come from, tried in order. At least one.
    pub sources: Vec<Source>,
    /// Digest of the weight file.
    pub sha256: Option<Digest>,
    /// Run when no model is named.
    pub default: bool,
    /// Context to plan for, in tokens; `None` means what the file says.
    pub context: Option<u32>,
    /// Number format of activations; `None` lets the engine choose. A model is refused where its engine cannot compute in it.
    pub dtype: Option<Dtype>,
    /// Device this model has to run on; `None` means the one of the run.
    pub device: Option<DeviceChoice>,
    /// Licence of the weights.
    pub license: Option<String>,
    /// Where the licence can be read.
    pub license_url: Option<String>,
    /// Nominal number of parameters, for people; the count of a run comes from the file.
    pub parameters: Option<u64>,
    /// `tokenizer.json` to use instead of the vocabulary in the weights.
    pub tokenizer: Option<PathBuf>,
    /// Chat template file to use instead of the one in the weights.
    pub chat_template: Option<PathBuf>,
    /// Labels, for `tag:NAME`.
    pub tags: Vec<String>,
    /// Decoding that `evalh generate` uses where a line does not say. Suites say for themselves, so that every model is asked alike.
    pub sampling: Sampling,
}

/// Decoding defaults of a model.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: Option<f64>,
    /// Nucleus.
    pub top_p: Option<f64>,
    /// Keep the k most probable tokens.
    pub top_k: Option<u32>,
    /// Share of the top probability.
    pub min_p: Option<f64>,
}

impl Catalog {
    /// The catalogue to use: the file that was named, else `models.toml` of the folder, else the one compiled in.
    ///
    /// # Errors
    /// When the file cannot be read or is not valid.
    pub fn load(named: Option<&Path>, folder: &Path) -> Result<Self, ConfigError> {
        let found = folder.join(FILE_NAME);
        match named {
            Some(path) => Self::read(path, &path.to_string_lossy()),
            None if found.is_file() => Self::read(&found, FILE_NAME),
            None => Self::built_in(),
        }
    }

    /// The catalogue compiled in.
    ///
    /// # Errors
    /// Never for a program that passed its tests.
    pub fn built_in() -> Result<Self, ConfigError> {
        Self::parse(BUILT_IN_TEXT, BUILT_IN, None)
    }

    /// The text of the catalogue compiled in.
    pub fn built_in_text() -> &'static str {
        BUILT_IN_TEXT
    }

    fn read(path: &Path, shown: &str) -> Result<Self, ConfigError> {
        Self::parse(&read_bounded(path)?, shown, path.parent())
    }

    /// Reads a catalogue. `origin` is printed in messages; relative paths are taken from `folder`.
    ///
    /// # Errors
    /// When the text is not a valid catalogue.
    pub fn parse(text: &str, origin: &str, folder: Option<&Path>) -> Result<Self, ConfigError> {
        let mut top = Document { path: origin, text }.parse("the catalogue")?;
        let models = top.need("model")?.array()?;
        let mut entries: Vec<ModelEntry> = Vec::new();
        let mut lines: Vec<usize> = Vec::new();
        for (i, model) in models.into_iter().enumerate() {
            let mut table = model.table(format!("model {}", i + 1))?;
            let (entry, place) = read_entry(&mut table, folder)?;
            if let Some(first) = entries.iter().position(|e| e.name == entry.name) {
                return Err(ConfigError::DuplicateName {
                    place: Box::new(place),
                    name: entry.name,
                    first_line: lines[first],
                });
            }
            table.finish()?;
            lines.push(place.line);
            entries.push(entry);
        }
        top.finish()?;
        Ok(Self {
            entries,
            digest: Digest::of(text.as_bytes()),
            origin: origin.to_owned(),
        })
    }

    /// The entry with this name.
    ///
    /// # Errors
    /// When there is none; the error lists those there are.
    pub fn find(&self, name: &str) -> Result<&ModelEntry, ConfigError> {
        self.entries
            .iter()
            .find(|e| e.name == name)
            .ok_or_else(|| ConfigError::UnknownModel {
                name: name.to_owned(),
                origin: self.origin.clone(),
                valid: self.entries.iter().map(|e| e.name.clone()).collect(),
            })
    }

    /// The entries that `--models` asks for: names and `tag:NAME`, each entry once, in the order asked; without any, the default ones.
    ///
    /// # Errors
    /// For a name or tag that no entry has, and when nothing was asked for and nothing is a default.
    pub fn select(&self, asked: &[String]) -> Result<Vec<&ModelEntry>, ConfigError> {
        let mut chosen: Vec<&ModelEntry> = Vec::new();
        for item in asked.iter().map(|a| a.trim()).filter(|a| !a.is_empty()) {
            let found = match item.strip_prefix("tag:") {
                Some(tag) => self.tagged(tag)?,
                None => vec![self.find(item)?],
            };
            for entry in found {
                if !chosen.iter().any(|e| e.name == entry.name) {
                    chosen.push(entry);
                }
            }
        }
        if asked.iter().all(|a| a.trim().is_empty()) {
            chosen = self.entries.iter().filter(|e| e.default).collect();
        }
        if chosen.is_empty() {
            return Err(ConfigError::NoDefault {
                origin: self.origin.clone(),
            });
        }
        Ok(chosen)
    }

    fn tagged(&self, tag: &str) -> Result<Vec<&ModelEntry>, ConfigError> {
        let has = |e: &&ModelEntry| e.tags.iter().any(|t| t == tag);
        let found: Vec<&ModelEntry> = self.entries.iter().filter(has).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let mut valid: Vec<String> = self.entries.iter().flat_map(|e| e.tags.clone()).collect();
        valid.sort();
        valid.dedup();
        Err(ConfigError::UnknownTag {
            tag: tag.to_owned(),
            origin: self.origin.clone(),
            valid,
        })
    }
}

/// Keys of an entry, in the order they are listed in messages.
const ENTRY_KEYS: [&str; 15] = [
    "name",
    "sources",
    "sha256",
    "description",
    "default",
    "context",
    "dtype",
    "device",
    "license",
    "license_url",
    "parameters",
    "tokenizer",
    "chat_template",
    "tags",
    "sampling",
];

fn read_entry(
    table: &mut Table<'_>,
    folder: Option<&Path>,
) -> Result<(ModelEntry, super::Place), ConfigError> {
    let name_value = table.need("name")?;
    let name = read_name(&name_value)?;
    table.rename(format!("model `{name}`"));
    // `name` is taken already and stays in the list of what is valid.
    table.allow(&ENTRY_KEYS)?;
    let sources = read_sources(table, folder)?;
    let sha256 = table.take("sha256").map(|v| read_digest(&v)).transpose()?;
    if sha256.is_none()
        && let Some((scheme, place)) = sources
            .iter()
            .find(|(s, _)| matches!(s, Source::Pypi { .. } | Source::Https(_)))
            .map(|(s, place)| (s.scheme(), place.clone()))
    {
        let table = table.name().to_owned();
        return Err(ConfigError::DigestNeeded {
            place: Box::new(place),
            table,
            scheme,
        });
    }
    let entry = ModelEntry {
        name,
        description: optional(table, "description", Value::line)?,
        sources: sources.into_iter().map(|(s, _)| s).collect(),
        sha256,
        default: optional(table, "default", Value::boolean)?.unwrap_or(false),
        context: optional(table, "context", read_context)?,
        dtype: optional(table, "dtype", read_dtype)?,
        device: optional(table, "device", read_device)?,
        license: optional(table, "license", Value::line)?,
        license_url: optional(table, "license_url", Value::line)?,
        parameters: optional(table, "parameters", read_parameters)?,
        tokenizer: optional(table, "tokenizer", |v| read_path(v, folder))?,
        chat_template: optional(table, "chat_template", |v| read_path(v, folder))?,
        tags: read_tags(table)?,
        sampling: read_sampling(table)?,
    };
    Ok((entry, name_value.place()))
}

fn optional<'t, T>(
    table: &mut Table<'t>,
    key: &'static str,
    read: impl FnOnce(&Value<'t>) -> Result<T, ConfigError>,
) -> Result<Option<T>, ConfigError> {
    table.take(key).map(|v| read(&v)).transpose()
}

/// A name that is safe in file names, in `a,b` lists and on a terminal.
fn read_name(value: &Value<'_>) -> Result<String, ConfigError> {
    let name = value.string()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    if name.len() <= 100 && starts_well && name.bytes().all(plain) {
        Ok(name)
    } else {
        Err(value.refuse(
            name.escape_debug().to_string(),
            "a name of at most 100 letters, digits, `-`, `_`, `.` that begins with a letter or digit",
        ))
    }
}

fn read_sources(
    table: &mut Table<'_>,
    folder: Option<&Path>,
) -> Result<Vec<(Source, super::Place)>, ConfigError> {
    let sources = table.need("sources")?;
    let place = sources.place();
    let items = sources.array()?;
    if items.is_empty() {
        return Err(ConfigError::Value {
            place: Box::new(place),
            key: "sources".to_owned(),
            found: "[]".to_owned(),
            needed: "at least one source",
        });
    }
    items
        .into_iter()
        .map(|item| {
            let text = item.string()?;
            let source = Source::parse(&text).map_err(|error| ConfigError::Source {
                place: Box::new(item.place()),
                found: text.escape_debug().to_string(),
                error,
            })?;
            let source = match source {
                Source::Path(path) => Source::Path(from_folder(path, folder)),
                other => other,
            };
            Ok((source, item.place()))
        })
        .collect()
}

fn read_digest(value: &Value<'_>) -> Result<Digest, ConfigError> {
    let text = value.string()?;
    Digest::from_hex(&text).ok_or_else(|| value.refuse(text, "a digest of 64 hexadecimal digits"))
}

fn read_context(value: &Value<'_>) -> Result<u32, ConfigError> {
    const MOST: u32 = 16_777_216;
    let tokens = value.integer()?;
    u32::try_from(tokens)
        .ok()
        .filter(|t| (1..=MOST).contains(t))
        .ok_or_else(|| value.refuse(tokens.to_string(), "a number of tokens from 1 to 16777216"))
}

fn read_dtype(value: &Value<'_>) -> Result<Dtype, ConfigError> {
    let text = value.string()?;
    Dtype::parse(&text).ok_or_else(|| value.refuse(text, "one of `f32`, `f16`, `bf16`"))
}

fn read_device(value: &Value<'_>) -> Result<DeviceChoice, ConfigError> {
    let text = value.string()?;
    DeviceChoice::parse(&text).ok_or_else(|| value.refuse(text, DeviceChoice::NEEDED))
}

/// `135000000` or `"135M"`.
fn read_parameters(value: &Value<'_>) -> Result<u64, ConfigError> {
    const NEEDED: &str = "a number of parameters such as `135000000`, `\"135M\"` or `\"1.5B\"`";
    if !value.is_string() {
        let count = value.integer()?;
        return u64::try_from(count)
            .ok()
            .filter(|c| *c > 0)
            .ok_or_else(|| value.refuse(count.to_string(), NEEDED));
    }
    let text = value.string()?;
    let bad = || value.refuse(text.clone(), NEEDED);
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'M') => (&text[..text.len() - 1], 1e6),
        Some(b'B') => (&text[..text.len() - 1], 1e9),
        _ => return Err(bad()),
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number: f64 = digits.parse().map_err(|_| bad())?;
    let count = (number * factor).round();
    if plain && (1.0..1e15).contains(&count) {
        Ok(count as u64)
    } else {
        Err(bad())
    }
}

fn read_path(value: &Value<'_>, folder: Option<&Path>) -> Result<PathBuf, ConfigError> {
    Ok(from_folder(PathBuf::from(value.line()?), folder))
}

/// A relative path is meant from the folder of the file it is written in; `~` is left for the room that knows the home folder.
fn from_folder(path: PathBuf, folder: Option<&Path>) -> PathBuf {
    match folder {
        Some(folder) if path.is_relative() && !path.starts_with("~") => folder.join(path),
        _ => path,
    }
}

fn read_tags(table: &mut Table<'_>) -> Result<Vec<String>, ConfigError> {
    let Some(value) = table.take("tags") else {
        return Ok(Vec::new());
    };
    value.array()?.iter().map(read_name).collect()
}

fn read_sampling(table: &mut Table<'_>) -> Result<Sampling, ConfigError> {
    let Some(value) = table.take("sampling") else {
        return Ok(Sampling::default());
    };
    let mut inner = value.table(format!("`sampling` of {}", table.name()))?;
    let share = |v: &Value<'_>| match v.number()? {
        n if (0.0..=1.0).contains(&n) => Ok(n),
        n => Err(v.refuse(n.to_string(), "a number from 0 to 1")),
    };
    let sampling = Sampling {
        temperature: optional(&mut inner, "temperature", |v| match v.number()? {
            n if (0.0..=10.0).contains(&n) => Ok(n),
            n => Err(v.refuse(n.to_string(), "a number from 0 to 10")),
        })?,
        top_p: optional(&mut inner, "top_p", share)?,
        top_k: optional(&mut inner, "top_k", |v| {
            let k = v.integer()?;
            u32::try_from(k)
                .ok()
                .filter(|k| *k > 0)
                .ok_or_else(|| v.refuse(k.to_string(), "a number of tokens from 1"))
        })?,
        min_p: optional(&mut inner, "min_p", share)?,
    };
    inner.finish()?;
    Ok(sampling)
}

#[cfg(test)]
mod tests;
