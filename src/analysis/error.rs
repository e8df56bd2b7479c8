//! Errors of the analysis.

use super::gate::GateError;
use super::observed::Problem;

/// Why an analysis could not be made, or does not agree with the raw rows.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AnalysisError {
    /// A gate.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The confidence level is not a share.
    #[error("confidence level is `{level}` but must be above 0 and below 1")]
    BadLevel {
        /// What was given.
        level: f64,
    },
    /// A run until it is resolved, with a metric that has no bounds or that no task measures.
    #[error(
        "a run until it is resolved needs a metric with bounds that its tasks measure, which `{metric}` is not"
    )]
    UnboundedPrimary {
        /// The metric that decides.
        metric: &'static str,
    },
    /// The run has no measured model with this name or id.
    #[error("model `{name}` is not in run `{run}`{}", did_you_mean(nearest.as_deref()))]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// The run.
        run: String,
        /// The most similar name, when one is similar.
        nearest: Option<String>,
        /// Every name there is, sorted.
        valid: Vec<String>,
    },
    /// A name stands for several models of the run.
    #[error("model `{name}` stands for {count} models of run `{run}`")]
    AmbiguousModel {
        /// What was asked for.
        name: String,
        /// The run.
        run: String,
        /// Models with that name.
        count: usize,
    },
    /// A run has several models and none was named, or no measured one.
    #[error("run `{run}` has {} measured models and none was named", valid.len())]
    ModelNotNamed {
        /// The run.
        run: String,
        /// Names of its measured models, sorted.
        valid: Vec<String>,
    },
    /// A run and a file of another tool.
    #[error("`{a}` and `{b}` cannot be compared: one is a file of samples, the other is not")]
    DifferentKinds {
        /// One side.
        a: String,
        /// The other.
        b: String,
    },
    /// Two models have no prompt in common.
    #[error(
        "`{a}` and `{b}` have no prompt in common: {prompts_a} and {prompts_b} prompts, none with the same content"
    )]
    NothingInCommon {
        /// One model.
        a: String,
        /// The other.
        b: String,
        /// Prompts of the one.
        prompts_a: usize,
        /// Prompts of the other.
        prompts_b: usize,
    },
    /// An observation that is read from a file cannot be used.
    #[error("`{place}` of `{origin}` {problem}")]
    BadObservation {
        /// Where it comes from.
        origin: String,
        /// Which value.
        place: String,
        /// What is wrong.
        problem: Problem,
    },
    /// A line of a sample file cannot be used.
    #[error("{path}:{line}: {problem}")]
    BadLine {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: LineProblem,
    },
    /// A document stands twice in a sample file.
    #[error(
        "`{path}` has document `{doc_hash}` with filter `{filter}` on line {} and on line {}", lines[0], lines[1]
    )]
    RepeatedDocument {
        /// The file.
        path: String,
        /// The lines, from 1.
        lines: [usize; 2],
        /// The document.
        doc_hash: String,
        /// The filter.
        filter: String,
    },
    /// A sample file has no metric or filter of this name.
    #[error("{what} `{name}` is not in `{path}`{}", did_you_mean(nearest.as_deref()))]
    UnknownInFile {
        /// `metric` or `filter`.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// The file.
        path: String,
        /// The most similar name, when one is similar.
        nearest: Option<String>,
        /// Every name there is.
        valid: Vec<String>,
    },
    /// Two sample files hold different metrics.
    #[error("`{}` holds metric `{}` but `{}` holds `{}`", paths[0], metrics[0], paths[1], metrics[1])]
    DifferentMetrics {
        /// Of both.
        metrics: [String; 2],
        /// The files.
        paths: [String; 2],
    },
    /// A sample file without a record.
    #[error("`{path}` holds no record")]
    EmptyFile {
        /// The file.
        path: String,
    },
    /// A reported number is not what the raw rows give.
    #[error("`{metric}` of `{model}` is reported as {reported} but the raw rows give {recomputed}")]
    Differs {
        /// Model.
        model: String,
        /// Metric, or count.
        metric: String,
        /// In the report.
        reported: String,
        /// From the raw rows.
        recomputed: String,
    },
}

/// What is wrong with a line of a sample file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LineProblem {
    /// No JSON object.
    #[error("not JSON, column {column}: {why}{}", not_a_number(why))]
    NotJson {
        /// The column, from 1; 0 where the line as a whole is wrong.
        column: usize,
        /// What the parser says.
        why: String,
    },
    /// A field is missing.
    #[error("`{field}` is missing")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// A name that is empty or too long.
    #[error("a name is {bytes} bytes long but must have 1 to {most}")]
    BadName {
        /// Its length.
        bytes: usize,
        /// Longest length.
        most: usize,
    },
    /// Nothing that could be a metric.
    #[error("there is no metric: neither a list `metrics` nor a number")]
    NoMetric,
    /// The metric is missing.
    #[error("there is no value of metric `{metric}`")]
    NoValue {
        /// Which.
        metric: String,
    },
    /// The metric is no number.
    #[error("metric `{metric}` is not a finite number")]
    NotANumber {
        /// Which.
        metric: String,
    },
    /// A repetition that is none.
    #[error(
        "the document stands on line {first} with another prompt or target, so that it is no repetition"
    )]
    AskedOtherwise {
        /// The first line with the document.
        first: usize,
    },
    /// More documents than are read.
    #[error("there are more than {most} documents")]
    TooManyDocuments {
        /// Most that are read.
        most: usize,
    },
}

/// Python writes numbers that JSON does not have.
fn not_a_number(why: &str) -> &'static str {
    if why == "expected value" {
        " (`NaN` and `Infinity` are no JSON numbers)"
    } else {
        ""
    }
}

impl AnalysisError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Gate(e) => e.hint(),
            Self::UnknownModel { valid, .. } if !valid.is_empty() => {
                Some(format!("the models of the run are {}", valid.join(", ")))
            }
            Self::AmbiguousModel { .. } => {
                Some("use the first digits of the model's id, which `--json` shows".to_owned())
            }
            Self::NothingInCommon { .. } => {
                Some("compare runs of the same suite with the same decoding settings".to_owned())
            }
            Self::Differs { .. } => Some(
                "the report was made by another version of evalh, or the database was changed"
                    .to_owned(),
            ),
            Self::ModelNotNamed { run, valid } => {
                let first = valid.first()?;
                let all = valid.join(", ");
                Some(format!("name one, as in `{run}:{first}`; there are {all}"))
            }
            Self::DifferentKinds { .. } => {
                Some("give two runs, or two files of samples".to_owned())
            }
            Self::BadObservation { .. } => {
                Some("write the file again from the run it came from".to_owned())
            }
            Self::BadLine {
                problem: LineProblem::Missing { .. },
                ..
            } => Some("write the samples with `lm_eval --log_samples`".to_owned()),
            Self::BadLine {
                problem: LineProblem::NotANumber { .. },
                ..
            } => Some("choose another metric with `--metric`".to_owned()),
            Self::RepeatedDocument { .. } => Some(
                "if these are repetitions of one prompt, say so with `--replicates`".to_owned(),
            ),
            Self::UnknownInFile { valid, .. } if !valid.is_empty() => {
                Some(format!("the file has {}", valid.join(", ")))
            }
            Self::DifferentMetrics { .. } => {
                Some("choose a metric that both have with `--metric`".to_owned())
            }
            Self::UnboundedPrimary { .. } => {
                Some("leave out `--until-resolved` and compare the models of the run".to_owned())
            }
            Self::UnknownModel { .. }
            | Self::BadLevel { .. }
            | Self::BadLine { .. }
            | Self::UnknownInFile { .. }
            | Self::EmptyFile { .. } => None,
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_its_text_and_hint() {
        let cases = [
            (
                AnalysisError::BadLevel { level: 95.0 },
                "confidence level is `95` but must be above 0 and below 1",
                None,
            ),
            (
                AnalysisError::UnboundedPrimary {
                    metric: "bits_per_byte",
                },
                "a run until it is resolved needs a metric with bounds that its tasks measure, which `bits_per_byte` is not",
                Some("leave out `--until-resolved` and compare the models of the run"),
            ),
            (
                AnalysisError::UnknownModel {
                    name: "gema".to_owned(),
                    run: "r1".to_owned(),
                    nearest: Some("gemma".to_owned()),
                    valid: vec!["gemma".to_owned(), "qwen".to_owned()],
                },
                "model `gema` is not in run `r1`; did you mean `gemma`?",
                Some("the models of the run are gemma, qwen"),
            ),
            (
                AnalysisError::AmbiguousModel {
                    name: "m".to_owned(),
                    run: "r1".to_owned(),
                    count: 2,
                },
                "model `m` stands for 2 models of run `r1`",
                Some("use the first digits of the model's id, which `--json` shows"),
            ),
            (
                AnalysisError::NothingInCommon {
                    a: "a".to_owned(),
                    b: "b".to_owned(),
                    prompts_a: 3,
                    prompts_b: 4,
                },
                "`a` and `b` have no prompt in common: 3 and 4 prompts, none with the same content",
                Some("compare runs of the same suite with the same decoding settings"),
            ),
            (
                AnalysisError::ModelNotNamed {
                    run: "r1".to_owned(),
                    valid: vec!["gemma".to_owned(), "qwen".to_owned()],
                },
                "run `r1` has 2 measured models and none was named",
                Some("name one, as in `r1:gemma`; there are gemma, qwen"),
            ),
            (
                AnalysisError::DifferentKinds {
                    a: "r1".to_owned(),
                    b: "s.jsonl".to_owned(),
                },
                "`r1` and `s.jsonl` cannot be compared: one is a file of samples, the other is not",
                Some("give two runs, or two files of samples"),
            ),
            (
                AnalysisError::DifferentMetrics {
                    metrics: ["acc".to_owned(), "f1".to_owned()],
                    paths: ["a.jsonl".to_owned(), "b.jsonl".to_owned()],
                },
                "`a.jsonl` holds metric `acc` but `b.jsonl` holds `f1`",
                Some("choose a metric that both have with `--metric`"),
            ),
            (
                AnalysisError::BadLine {
                    path: "a.jsonl".to_owned(),
                    line: 7,
                    problem: LineProblem::TooManyDocuments { most: 9 },
                },
                "a.jsonl:7: there are more than 9 documents",
                None,
            ),
            (
                AnalysisError::BadObservation {
                    origin: "b.json".to_owned(),
                    place: "prompts".to_owned(),
                    problem: Problem::TooMany { has: 9, most: 8 },
                },
                "`prompts` of `b.json` has 9 entries but at most 8 are read",
                Some("write the file again from the run it came from"),
            ),
            (
                AnalysisError::Differs {
                    model: "m".to_owned(),
                    metric: "score".to_owned(),
                    reported: "7".to_owned(),
                    recomputed: "6".to_owned(),
                },
                "`score` of `m` is reported as 7 but the raw rows give 6",
                Some(
                    "the report was made by another version of evalh, or the database was changed",
                ),
            ),
        ];
        for (error, text, hint) in cases {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.hint().as_deref(), hint);
        }
    }
}
