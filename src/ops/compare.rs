//! `evalh compare`: two sides, prompt by prompt, from the database or from files alone.

use super::Session;
use crate::analysis::{
    self, AnalysisError, AnalysisOptions, Observed, SampleFile, SampleFileOptions, finish_samples,
};
use crate::cli::{CompareFormat, CompareRequest, Kpi};
use crate::error::{EvalhError, ExitCode};
use crate::record::{RunId, RunRecord};
use crate::report::{self, CompareView, Palette};
use crate::store::Store;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

/// Longest line of a sample file, in bytes.
const LONGEST_LINE: u64 = 64 << 20;

pub(super) fn run(session: &Session, request: &CompareRequest) -> Result<ExitCode, EvalhError> {
    let [a, b] = sides(session, request)?;
    let prices = session.prices(&request.prices)?;
    let report = analysis::contrast(&a, &b, &prices, &AnalysisOptions::default())?;
    let colors = session.console.colors_output() && request.output.is_none();
    let view = CompareView {
        all: request.kpi == Kpi::All,
        different: request.different,
        width: usize::from(session.console.columns()),
        palette: if colors {
            Palette::ANSI
        } else {
            Palette::PLAIN
        },
        command: command(request),
    };
    let text = match request.format {
        CompareFormat::Terminal => report::compare_terminal(&report, &view),
        CompareFormat::Markdown => report::compare_markdown(&report, &view),
        CompareFormat::Json => report::compare_json(&report),
    };
    match &request.output {
        Some(path) => session.write(path, text.as_bytes())?,
        None => session.print(&text)?,
    }
    Ok(ExitCode::Done)
}

/// The same command without what changes its form.
fn command(request: &CompareRequest) -> Vec<String> {
    let mut words = vec!["evalh".to_owned(), "compare".to_owned()];
    words.extend(request.sides.iter().cloned());
    let named = [("--metric", &request.metric), ("--filter", &request.filter)];
    for (flag, value) in named {
        if let Some(value) = value {
            words.extend([flag.to_owned(), value.clone()]);
        }
    }
    if request.replicates {
        words.push("--replicates".to_owned());
    }
    if let Some(path) = super::report::named_database(&request.db) {
        words.extend(["--db".to_owned(), path]);
    }
    words
}

/// What both sides did.
fn sides(session: &Session, request: &CompareRequest) -> Result<[Observed; 2], EvalhError> {
    let [a, b] = &request.sides;
    match [a, b].map(|side| is_file(session, side)) {
        [true, true] => files(session, request),
        [false, false] => runs(&session.open_store(&request.db)?, [a, b]),
        _ => Err(AnalysisError::DifferentKinds {
            a: a.clone(),
            b: b.clone(),
        }
        .into()),
    }
}

/// Whether a side names a file: one that is there, or what can only be a path.
fn is_file(session: &Session, side: &str) -> bool {
    let path = Path::new(side);
    let named = path
        .extension()
        .is_some_and(|e| e == "jsonl" || e == "json");
    named || side.contains('/') || session.folder.join(path).is_file()
}

fn files(session: &Session, request: &CompareRequest) -> Result<[Observed; 2], EvalhError> {
    let mut options = SampleFileOptions {
        metric: request.metric.clone(),
        filter: request.filter.clone(),
        replicates: request.replicates,
    };
    let [a, b] = &request.sides;
    let first = sample_file(session, a, options.clone())?;
    // The second file is read for what the first one holds.
    options.metric = first.metric().map(str::to_owned).or(options.metric);
    options.filter = first.filter().map(str::to_owned).or(options.filter);
    let second = sample_file(session, b, options)?;
    Ok(finish_samples(first, second)?)
}

/// Reads a file line by line; only what a comparison needs is kept.
fn sample_file(
    session: &Session,
    path: &str,
    options: SampleFileOptions,
) -> Result<SampleFile, EvalhError> {
    let fail = |source| EvalhError::Input {
        path: path.into(),
        source,
    };
    let file = std::fs::File::open(session.folder.join(path)).map_err(fail)?;
    let mut reader = BufReader::new(file);
    let mut samples = SampleFile::new(path, options);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line);
        if read.map_err(fail)? == 0 {
            break;
        }
        let cut = line.len() as u64 == LONGEST_LINE && line.last() != Some(&b'\n');
        let text = std::str::from_utf8(&line).ok().filter(|_| !cut);
        let text = text.ok_or_else(|| {
            let what = if cut { "too long" } else { "not UTF-8" };
            fail(std::io::Error::other(format!("line {number} is {what}")))
        })?;
        samples.line(number, text)?;
    }
    Ok(samples)
}

/// Two sides from the database. A run that both name is read once.
fn runs(store: &Store, sides: [&str; 2]) -> Result<[Observed; 2], EvalhError> {
    let [a, b] = sides.map(|side| {
        side.split_once(':')
            .map_or((side, None), |(r, m)| (r, Some(m)))
    });
    let find = |name: &str| store.find_run(if name.is_empty() { "latest" } else { name });
    let first: RunId = find(a.0)?;
    let second: RunId = if b.0.is_empty() {
        first.clone()
    } else {
        find(b.0)?
    };
    let run = store.load_run(&first)?;
    let left = observed(&run, a.1)?;
    let right = if first == second {
        observed(&run, b.1)?
    } else {
        drop(run);
        observed(&store.load_run(&second)?, b.1)?
    };
    Ok([left, right])
}

fn observed(run: &RunRecord, model: Option<&str>) -> Result<Observed, AnalysisError> {
    match model {
        Some(model) => Observed::of_run(run, model),
        None => Observed::of_only_model(run),
    }
}
