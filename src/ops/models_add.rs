//! `evalh models add`: a source is resolved and its header checked, then an entry is appended to the catalogue.
//!
//! A source at a hub is looked at through ranges, so that adding a model of many gigabytes costs a few megabytes; its digest is then not
//! known here and is recorded by the first pull. Every other source is fetched whole, and its digest is written down.

use super::Session;
use super::candidate::{estimate_of, planned_context};
use super::facts::ModelFacts;
use crate::cli::AddRequest;
use crate::config::{Addition, Catalog, ConfigError, ModelEntry, Source, suggested_name};
use crate::error::{EvalhError, ExitCode};
use crate::hub::{Hub, ModelFiles};
use crate::record::MemoryEstimate;
#[cfg(feature = "hub")]
use crate::{hub::Peek, modelfile::SafetensorsIndex, modelfile::SafetensorsSet};
use serde_json::json;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

/// A source that was looked at.
struct Seen {
    /// The source with the file it means.
    source: Source,
    facts: ModelFacts,
    /// Set when the files are on this machine.
    files: Option<ModelFiles>,
    commit: Option<String>,
    /// What a name can be made of.
    file: String,
}

pub(super) fn add(session: &Session, request: &AddRequest) -> Result<ExitCode, EvalhError> {
    let place = Place::find(session, request)?;
    let parsed = Source::parse(&request.source).map_err(|error| EvalhError::SourceSyntax {
        found: request.source.clone(),
        error,
    })?;
    if let Some(name) = &request.name {
        // Refused before anything is fetched.
        place.addition(&probe(name, &parsed))?;
    }
    let trial = trial_entry(&parsed, session, &place)?;
    let progress = session.download_progress();
    let mut hub_settings = session.hub_settings(request.offline.value, false)?;
    // What is looked at is not yet a model of the catalogue.
    hub_settings.lock_path = None;
    let hub = Hub::new(hub_settings, &progress);
    let seen = look(session, &hub, &trial, parsed)?;
    let digest_needed = matches!(seen.source, Source::Pypi { .. } | Source::Https(_));
    let addition = Addition {
        name: request
            .name
            .clone()
            .unwrap_or_else(|| suggested_name(&seen.file)),
        source: match &seen.source {
            // A query may be what makes the address work; the canonical text leaves it out.
            Source::Https(url) => url.clone(),
            other => other.to_string(),
        },
        sha256: seen
            .files
            .as_ref()
            .filter(|_| digest_needed)
            .map(|f| f.sha256.clone()),
        description: seen.facts.title.clone(),
        license: seen.facts.license.clone(),
        parameters: Some(seen.facts.parameters),
    };
    let text = place.addition(&addition)?;
    place.append(&text)?;
    let estimate = estimate_of(
        &seen.facts.shape,
        planned_context(&trial, &seen.facts.shape, None),
    );
    print(session, request, &place, &addition, &seen, estimate)
}

/// The least an entry can be, to see whether the catalogue takes the name.
fn probe(name: &str, source: &Source) -> Addition {
    let digest = crate::record::Digest::of(b"");
    Addition {
        name: name.to_owned(),
        source: source.to_string(),
        sha256: Some(digest),
        ..Addition::default()
    }
}

/// An entry that is not in the catalogue, for the rooms that take one.
fn trial_entry(
    source: &Source,
    session: &Session,
    place: &Place,
) -> Result<ModelEntry, EvalhError> {
    let digest = crate::record::Digest::of(b"");
    let text = Addition {
        name: "added".to_owned(),
        source: match source {
            Source::Https(url) => url.clone(),
            other => other.to_string(),
        },
        // Wheels and addresses need one to be read; it is taken away again.
        sha256: Some(digest),
        ..Addition::default()
    }
    .after("", "models.toml", None)?;
    let folder = place.path.parent().unwrap_or(&session.folder);
    let mut entry = Catalog::parse(&text, "models.toml", Some(folder))?
        .entries
        .remove(0);
    entry.sha256 = None;
    Ok(entry)
}

/// Looks at a source: in the caches, through ranges, or by fetching it.
fn look(
    session: &Session,
    hub: &Hub<'_>,
    trial: &ModelEntry,
    source: Source,
) -> Result<Seen, EvalhError> {
    if hub.locate(trial).is_none()
        && let Some(seen) = peeked(session, hub, &source)?
    {
        return Ok(seen);
    }
    let files = hub.fetch(trial)?;
    let facts = ModelFacts::of_files(session, trial, &files)?;
    let file = match (&source, Source::parse(&files.source)) {
        (Source::Hf(_), Ok(Source::Hf(found))) => found.file,
        _ => files
            .path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned()),
    };
    let file = file.unwrap_or_default();
    Ok(Seen {
        commit: files.commit.clone(),
        files: Some(files),
        file: named_after(&source, &file),
        source: with_file(source, &file),
        facts,
    })
}

/// The source with the file it was found to mean.
fn with_file(source: Source, file: &str) -> Source {
    match source {
        Source::Hf(mut hf) => {
            hf.file = Some(file.to_owned());
            Source::Hf(hf)
        }
        other => other,
    }
}

/// A set of safetensors is named after its repository: every one has the same file names.
fn named_after(source: &Source, file: &str) -> String {
    match source {
        Source::Hf(hf) if crate::modelfile::is_safetensors(file.as_ref()) => hf.repo.clone(),
        _ => file.to_owned(),
    }
}

#[cfg(feature = "hub")]
fn peeked(session: &Session, hub: &Hub<'_>, source: &Source) -> Result<Option<Seen>, EvalhError> {
    let Source::Hf(hf) = source else {
        return Ok(None);
    };
    let Some(peek) = hub.peek(hf)? else {
        session
            .console
            .note("the server sends files only whole; the file is fetched");
        return Ok(None);
    };
    let facts = facts_of(session, &peek)?;
    Ok(Some(Seen {
        source: with_file(source.clone(), &peek.file),
        facts,
        files: None,
        commit: Some(peek.commit),
        file: named_after(source, &peek.file),
    }))
}

#[cfg(not(feature = "hub"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the same as with the feature, which can fail"
)]
fn peeked(_: &Session, _: &Hub<'_>, _: &Source) -> Result<Option<Seen>, EvalhError> {
    Ok(None)
}

#[cfg(feature = "hub")]
fn facts_of(session: &Session, peek: &Peek) -> Result<ModelFacts, EvalhError> {
    let Some(config) = &peek.config else {
        let head = peek.heads.first().ok_or_else(|| EvalhError::Bug {
            what: "a look at a file without a file".to_owned(),
        })?;
        return ModelFacts::of_head(session.now, &head.bytes, head.total);
    };
    let headers = peek.heads.iter().map(|head| {
        let header = crate::modelfile::SafetensorsHeader::parse(&head.bytes, head.total)?;
        Ok((head.name.clone(), header))
    });
    let headers = headers.collect::<Result<Vec<_>, EvalhError>>()?;
    let index = match (&peek.index, headers.first()) {
        (Some(index), _) => SafetensorsIndex::parse(index)?,
        (None, Some((name, header))) => SafetensorsIndex {
            weight_map: header
                .tensors
                .keys()
                .map(|t| (t.clone(), name.clone()))
                .collect(),
        },
        (None, None) => SafetensorsIndex {
            weight_map: std::collections::BTreeMap::new(),
        },
    };
    let set = SafetensorsSet::join(&index, headers, "".as_ref())?;
    ModelFacts::of_headers(config, &set)
}

/// The catalogue that is added to.
struct Place {
    path: PathBuf,
    shown: String,
    /// Its text; that of the built-in catalogue when there is no file yet, so that its models do not vanish.
    text: String,
    exists: bool,
}

impl Place {
    fn find(session: &Session, request: &AddRequest) -> Result<Self, EvalhError> {
        let named = request.catalog.catalog.value.as_deref();
        let path = session
            .folder
            .join(named.unwrap_or_else(|| "models.toml".as_ref()));
        let exists = path.is_file();
        let text = if exists || named.is_some() {
            session.read(&path)?
        } else {
            Catalog::built_in_text().to_owned()
        };
        Ok(Self {
            shown: named.map_or_else(
                || "models.toml".to_owned(),
                |p| p.to_string_lossy().into_owned(),
            ),
            path,
            text,
            exists,
        })
    }

    fn addition(&self, addition: &Addition) -> Result<String, ConfigError> {
        addition.after(&self.text, &self.shown, self.path.parent())
    }

    /// Appends to the file; a file that was not there is written whole.
    fn append(&self, addition: &str) -> Result<(), EvalhError> {
        let fail = |source| EvalhError::Output {
            path: self.path.clone(),
            source,
        };
        let text = if self.exists {
            addition.to_owned()
        } else {
            format!("{}{addition}", self.text)
        };
        let mut file = File::options()
            .create(!self.exists)
            .append(true)
            .open(&self.path)
            .map_err(fail)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(fail)
    }
}

fn print(
    session: &Session,
    request: &AddRequest,
    place: &Place,
    addition: &Addition,
    seen: &Seen,
    estimate: MemoryEstimate,
) -> Result<ExitCode, EvalhError> {
    if !place.exists {
        session.console.note(&format!(
            "`{}` was made from the built-in catalogue",
            place.shown
        ));
    }
    let shape = &seen.facts.shape;
    if request.json {
        session.print_json(&json!({
            "schema_version": super::SCHEMA_VERSION,
            "name": addition.name,
            "catalog": place.path.display().to_string(),
            "source": seen.source.to_string(),
            "commit": seen.commit,
            "sha256": addition.sha256.as_ref().map(crate::record::Digest::as_str),
            "fetched": seen.files.is_some(),
            "architecture": shape.architecture,
            "quantization": seen.facts.quantization,
            "parameters": seen.facts.parameters,
            "weights_bytes": shape.weights_bytes.get(),
            "estimate_bytes": estimate.total().get(),
        }))?;
        return Ok(ExitCode::Done);
    }
    session.print(&format!(
        "{}  {} {}, {} of weights, needs {} at {} tokens of context\n    added to {}\n",
        addition.name,
        shape.architecture,
        seen.facts.quantization.as_deref().unwrap_or("-"),
        shape.weights_bytes,
        estimate.total(),
        estimate.context,
        place.shown
    ))?;
    if seen.files.is_none() {
        session.console.note(&format!(
            "only the header was fetched; `evalh models pull {}` fetches the rest",
            addition.name
        ));
    }
    Ok(ExitCode::Done)
}
