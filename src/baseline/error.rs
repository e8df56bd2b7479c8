//! Errors of baselines and champions.

use crate::analysis::AnalysisError;

/// Why a baseline or a history of champions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// A name that is none for a file.
    #[error(
        "`{name}` is not a name for a baseline: use letters, digits, `.`, `_` and `-`, at most {most} of them, a letter or digit first"
    )]
    Name {
        /// As given.
        name: String,
        /// Longest name in bytes.
        most: usize,
    },
    /// A file that is too large.
    #[error("`{path}` is {bytes} bytes long but at most {most} are read")]
    TooLarge {
        /// The file.
        path: String,
        /// Its length.
        bytes: usize,
        /// Length allowed.
        most: usize,
    },
    /// Not JSON, or not of this form.
    #[error("{path}:{line}:{column}: {what}")]
    Json {
        /// The file.
        path: String,
        /// Line from 1.
        line: usize,
        /// Column from 1.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// JSON of something else.
    #[error("`{path}` is not a baseline of evalh: its `kind` is `{found}`, not `{wanted}`")]
    Kind {
        /// The file.
        path: String,
        /// As found.
        found: String,
        /// As it should be.
        wanted: &'static str,
    },
    /// Written by a newer version.
    #[error("`{path}` has schema version {found} but this evalh reads up to {known}")]
    Newer {
        /// The file.
        path: String,
        /// As found.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// The content is not what was written.
    #[error(
        "`{path}` was changed after it was written: its digest is `{stated}` but its content gives `{computed}`"
    )]
    Edited {
        /// The file.
        path: String,
        /// First digits of the digest in it; a dash when there is none.
        stated: String,
        /// First digits of the right one.
        computed: String,
    },
    /// The observations.
    #[error("`{path}` holds observations that cannot be used")]
    Observations {
        /// The file.
        path: String,
        /// What is wrong with them.
        source: AnalysisError,
    },
    /// An entry of the history contradicts the ones before it.
    #[error(
        "{path}:{line}: the entry makes `{stated}` the champion of `{suite}`, but after the entries before it that is `{expected}`"
    )]
    History {
        /// The file.
        path: String,
        /// Line from 1.
        line: usize,
        /// The suite.
        suite: String,
        /// As the entry says.
        stated: String,
        /// As follows from the entries before.
        expected: String,
    },
    /// No champion.
    #[error("suite `{suite}` has no champion{}", if valid.is_empty() { String::new() } else { format!("; there is one of {}", quoted(valid)) })]
    NoChampion {
        /// The suite.
        suite: String,
        /// Suites that have one.
        valid: Vec<String>,
    },
    /// Nothing to go back to.
    #[error("`{model}` is the first champion of suite `{suite}`: there is none before it")]
    NothingBefore {
        /// The suite.
        suite: String,
        /// The champion.
        model: String,
    },
    /// The champion already.
    #[error("`{model}` of run `{run}` is the champion of suite `{suite}` already")]
    AlreadyChampion {
        /// The suite.
        suite: String,
        /// The model.
        model: String,
        /// The run.
        run: String,
    },
    /// No run of a suite.
    #[error("no run of suite `{suite}` is stored{}", if valid.is_empty() { String::new() } else { format!("; there are runs of {}", quoted(valid)) })]
    NoRunOf {
        /// The suite.
        suite: String,
        /// Suites there are runs of.
        valid: Vec<String>,
    },
    /// A run of another suite.
    #[error("run `{run}` is of suite `{found}`, not of `{wanted}`")]
    OtherSuite {
        /// The run.
        run: String,
        /// Its suite.
        found: String,
        /// The suite asked for.
        wanted: String,
    },
    /// A file that is there and differs.
    #[error("`{path}` exists and holds another baseline")]
    Exists {
        /// The file.
        path: String,
    },
    /// Neither a file, nor a saved name, nor a run.
    #[error("`{asked}` is neither a file, nor a baseline in `{folder}`, nor a run{}", if valid.is_empty() { String::new() } else { format!("; the baselines are {}", quoted(valid)) })]
    NotFound {
        /// As asked for.
        asked: String,
        /// Where names were looked for.
        folder: String,
        /// Names there are.
        valid: Vec<String>,
        /// The most similar one, when one is similar.
        nearest: Option<String>,
    },
    /// A run with several models of which none is named.
    #[error("run `{run}` has {} models: {}", models.len(), quoted(models))]
    WhichModel {
        /// The run.
        run: String,
        /// Its models.
        models: Vec<String>,
    },
    /// A model without a single sample.
    #[error("model `{model}` of run `{run}` has no samples")]
    NoSamples {
        /// The run.
        run: String,
        /// The model.
        model: String,
    },
}

fn quoted(names: &[String]) -> String {
    let all: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    all.join(", ")
}

impl BaselineError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Edited { .. } => Some(
                "take it back from version control, or write it again with `evalh baseline save`; keep formatters away from it"
                    .to_owned(),
            ),
            Self::Newer { .. } => Some("update evalh".to_owned()),
            Self::Observations { source, .. } => source.hint(),
            Self::NoChampion { suite, .. } => Some(format!(
                "make one with `evalh baseline promote MODEL --suite {suite}`"
            )),
            Self::NoRunOf { suite, .. } => Some(format!("run `evalh run --suite {suite}` first")),
            Self::OtherSuite { wanted, .. } => {
                Some(format!("run `evalh run --suite {wanted}` first, or name another run with `--run`"))
            }
            Self::Exists { .. } => Some("add `--replace`, or choose another name".to_owned()),
            Self::NotFound {
                nearest: Some(name),
                ..
            } => Some(format!("did you mean `{name}`?")),
            Self::NotFound { .. } => Some("save one with `evalh baseline save NAME`".to_owned()),
            Self::WhichModel { run, models } => Some(format!(
                "name one: `{run}:{}`",
                models.first().map_or("MODEL", String::as_str)
            )),
            Self::Name { .. }
            | Self::TooLarge { .. }
            | Self::Json { .. }
            | Self::Kind { .. }
            | Self::History { .. }
            | Self::NothingBefore { .. }
            | Self::AlreadyChampion { .. }
            | Self::NoSamples { .. } => None,
        }
    }

    /// An error of the JSON reader at its place.
    pub(super) fn json(path: &str, first_line: usize, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        Self::Json {
            path: path.to_owned(),
            line: first_line + error.line().saturating_sub(1),
            column: error.column().max(1),
            what: text.strip_suffix(&place).unwrap_or(&text).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Problem;

    fn text(name: &str) -> String {
        name.to_owned()
    }

    #[test]
    fn files_that_cannot_be_read_have_their_text_and_hint() {
        let path = text("b.json");
        let cases = [
            (
                BaselineError::Name {
                    name: text("../x"),
                    most: 100,
                },
                "`../x` is not a name for a baseline: use letters, digits, `.`, `_` and `-`, at most 100 of them, a letter or digit first",
                None,
            ),
            (
                BaselineError::TooLarge {
                    path: path.clone(),
                    bytes: 9,
                    most: 8,
                },
                "`b.json` is 9 bytes long but at most 8 are read",
                None,
            ),
            (
                BaselineError::Json {
                    path: path.clone(),
                    line: 3,
                    column: 7,
                    what: text("unknown field `colour`"),
                },
                "b.json:3:7: unknown field `colour`",
                None,
            ),
            (
                BaselineError::Kind {
                    path: path.clone(),
                    found: text("report"),
                    wanted: "evalh-baseline",
                },
                "`b.json` is not a baseline of evalh: its `kind` is `report`, not `evalh-baseline`",
                None,
            ),
            (
                BaselineError::Newer {
                    path: path.clone(),
                    found: 2,
                    known: 1,
                },
                "`b.json` has schema version 2 but this evalh reads up to 1",
                Some("update evalh"),
            ),
            (
                BaselineError::Edited {
                    path: path.clone(),
                    stated: text("aa"),
                    computed: text("bb"),
                },
                "`b.json` was changed after it was written: its digest is `aa` but its content gives `bb`",
                Some(
                    "take it back from version control, or write it again with `evalh baseline save`; keep formatters away from it",
                ),
            ),
            (
                BaselineError::Observations {
                    path: path.clone(),
                    source: AnalysisError::BadObservation {
                        origin: path.clone(),
                        place: text("prompts"),
                        problem: Problem::Empty,
                    },
                },
                "`b.json` holds observations that cannot be used",
                Some("write the file again from the run it came from"),
            ),
            (
                BaselineError::Exists { path },
                "`b.json` exists and holds another baseline",
                Some("add `--replace`, or choose another name"),
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), hint);
        }
    }

    #[test]
    fn champions_and_names_have_their_text_and_hint() {
        let (suite, model, run) = (text("shop"), text("gemma"), text("r1"));
        let not_found = |valid: &[&str], nearest: Option<&str>| BaselineError::NotFound {
            asked: text("mian"),
            folder: text("baselines"),
            valid: valid.iter().map(|v| text(v)).collect(),
            nearest: nearest.map(text),
        };
        let cases = [
            (
                BaselineError::History {
                    path: text("c.jsonl"),
                    line: 3,
                    suite: suite.clone(),
                    stated: text("a"),
                    expected: text("b"),
                },
                "c.jsonl:3: the entry makes `a` the champion of `shop`, but after the entries before it that is `b`",
                None,
            ),
            (
                BaselineError::NoChampion {
                    suite: suite.clone(),
                    valid: vec![text("business")],
                },
                "suite `shop` has no champion; there is one of `business`",
                Some("make one with `evalh baseline promote MODEL --suite shop`"),
            ),
            (
                BaselineError::NothingBefore {
                    suite: suite.clone(),
                    model: model.clone(),
                },
                "`gemma` is the first champion of suite `shop`: there is none before it",
                None,
            ),
            (
                BaselineError::AlreadyChampion {
                    suite: suite.clone(),
                    model: model.clone(),
                    run: run.clone(),
                },
                "`gemma` of run `r1` is the champion of suite `shop` already",
                None,
            ),
            (
                BaselineError::NoRunOf {
                    suite: suite.clone(),
                    valid: vec![text("smoke")],
                },
                "no run of suite `shop` is stored; there are runs of `smoke`",
                Some("run `evalh run --suite shop` first"),
            ),
            (
                BaselineError::OtherSuite {
                    run: run.clone(),
                    found: text("smoke"),
                    wanted: suite,
                },
                "run `r1` is of suite `smoke`, not of `shop`",
                Some("run `evalh run --suite shop` first, or name another run with `--run`"),
            ),
            (
                not_found(&["main"], Some("main")),
                "`mian` is neither a file, nor a baseline in `baselines`, nor a run; the baselines are `main`",
                Some("did you mean `main`?"),
            ),
            (
                not_found(&[], None),
                "`mian` is neither a file, nor a baseline in `baselines`, nor a run",
                Some("save one with `evalh baseline save NAME`"),
            ),
            (
                BaselineError::WhichModel {
                    run: run.clone(),
                    models: vec![model.clone(), text("qwen")],
                },
                "run `r1` has 2 models: `gemma`, `qwen`",
                Some("name one: `r1:gemma`"),
            ),
            (
                BaselineError::NoSamples { run, model },
                "model `gemma` of run `r1` has no samples",
                None,
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), hint);
        }
    }
}
