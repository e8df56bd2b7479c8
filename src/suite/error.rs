//! What can be wrong with a suite.

use std::fmt;
use std::path::PathBuf;

/// Where in a file something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path of the file, or the name of a built-in suite.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The line itself, shortened around the column.
    pub excerpt: String,
    /// Position of the column inside `excerpt`, in characters from 0.
    pub caret: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)
    }
}

/// The offending line with a mark under the column.
struct Excerpt<'a>(&'a Place);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.line.to_string();
        let pad = " ".repeat(number.len());
        let indent = " ".repeat(self.0.caret);
        write!(f, "{number} | {}\n{pad} | {indent}^", self.0.excerpt)
    }
}

/// A suite that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The file could not be read.
    #[error("failed to read `{path}`")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than any suite needs to be.
    #[error("`{path}` has {found} bytes but a suite file may have at most {limit}")]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Its size.
        found: u64,
        /// Most allowed.
        limit: u64,
    },
    /// The file is not UTF-8.
    #[error("`{path}` is not UTF-8: the byte at offset {offset} is invalid")]
    Encoding {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: usize,
    },
    /// Something in the file is wrong.
    #[error("{place}: {problem}\n{}", Excerpt(.place))]
    Invalid {
        /// Where.
        place: Box<Place>,
        /// What.
        problem: Box<Problem>,
    },
    /// The template of a task could not be rendered over a sample.
    #[error("the template of task `{task}` cannot be rendered for sample `{sample}`: {why}")]
    Render {
        /// The task.
        task: String,
        /// The sample.
        sample: String,
        /// What the template engine said.
        why: String,
    },
}

impl SuiteError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooLarge { .. } => {
                Some("put the samples in a JSONL file and name it in `[task.data]`".to_owned())
            }
            Self::Encoding { .. } => Some("save the file as UTF-8".to_owned()),
            Self::Invalid { problem, .. } => problem.hint(),
            Self::Read { .. } | Self::Render { .. } => None,
        }
    }

    /// Where the error is, when it is at a place in a file.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Invalid { place, .. } => Some(place),
            _ => None,
        }
    }
}

/// What is wrong at a place in a suite.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// Not TOML, or not JSON in a data file.
    #[error("{what} syntax: {message}")]
    Syntax {
        /// `TOML` or `JSON`.
        what: &'static str,
        /// What the parser said.
        message: String,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}` in {holder}; valid keys are {}", List(.valid))]
    UnknownKey {
        /// The key.
        key: String,
        /// What holds it.
        holder: String,
        /// The keys there are.
        valid: Vec<String>,
    },
    /// A name that does not exist.
    #[error("unknown {what} `{found}`; valid are {}", List(.valid))]
    UnknownName {
        /// What is named.
        what: &'static str,
        /// The name.
        found: String,
        /// The names there are.
        valid: Vec<String>,
    },
    /// A key that must be there.
    #[error("{holder} needs the key `{key}`")]
    MissingKey {
        /// The key.
        key: String,
        /// What should hold it.
        holder: String,
    },
    /// A value of another type.
    #[error("`{key}` must be {expected} but is {found}")]
    WrongType {
        /// The key.
        key: String,
        /// What is needed.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A value outside its range.
    #[error("`{key}` is {found} but must be {allowed}")]
    OutOfRange {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// The range.
        allowed: String,
    },
    /// A later format.
    #[error("`format` is {found} but this version reads format 1")]
    Format {
        /// The format.
        found: i64,
    },
    /// A metric that needs what the task does not ask for.
    #[error("`mutual_info` is false but `acc_mutual_info` decides, which needs it")]
    MutualInfoNeeded,
    /// A stride where windows do not overlap.
    #[error("`stride` is set but windows do not overlap with `windows = \"{plan}\"`")]
    StrideWithoutOverlap {
        /// The plan.
        plan: &'static str,
    },
    /// A right choice that does not exist.
    #[error("`answer` is {answer} but the sample has {choices} choices, numbered from 0 to {}", choices - 1)]
    AnswerOutOfRange {
        /// Its position, from 0.
        answer: u32,
        /// Choices of the sample.
        choices: usize,
    },
    /// Too little to choose from.
    #[error("`choices` has {found} items but a question needs at least 2")]
    FewChoices {
        /// How many.
        found: usize,
    },
    /// An id used before.
    #[error("the {what} `{id}` is used before, in line {line}")]
    Duplicate {
        /// What has the id.
        what: &'static str,
        /// The id.
        id: String,
        /// Where it was first.
        line: u32,
    },
    /// Nothing where something is needed.
    #[error("{what} is empty")]
    Empty {
        /// What.
        what: String,
    },
    /// Weights that say nothing.
    #[error("the weights sum to {sum} but at least one must be above 0")]
    Weights {
        /// Their sum.
        sum: f64,
    },
    /// A template that is not one.
    #[error("template: {message}")]
    Template {
        /// What the template engine said.
        message: String,
    },
    /// A part of the template language that templates of suites may not use.
    #[error("the template uses {what}, which templates of suites may not")]
    TemplateFeature {
        /// Which part.
        what: String,
    },
    /// A sample the template cannot be rendered over.
    #[error("the template of task `{task}` cannot be rendered for sample `{sample}`: {message}")]
    TemplateSample {
        /// The task.
        task: String,
        /// The sample.
        sample: String,
        /// What the template engine said.
        message: String,
    },
    /// A regular expression that is not one.
    #[error("regular expression `{pattern}`: {message}")]
    Regex {
        /// The expression.
        pattern: String,
        /// What is wrong.
        message: String,
    },
    /// A JSON Schema that is not one.
    #[error("JSON Schema: {message}")]
    Schema {
        /// What is wrong.
        message: String,
    },
    /// A reference in a JSON Schema.
    #[error(
        "JSON Schema: `{keyword}` is not supported, because a schema of a suite is written out in place"
    )]
    SchemaReference {
        /// The keyword.
        keyword: String,
    },
    /// A JSON path that is not one.
    #[error("JSON path `{path}`: {message}")]
    JsonPath {
        /// The path.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// More than allowed.
    #[error("{what} is {found} but may be at most {limit}")]
    Limit {
        /// What is counted.
        what: String,
        /// How many.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// An id with characters that do not belong in one.
    #[error(
        "the {what} `{found}` must be 1 to 64 letters, digits, `-`, `_` or `.`, and begin with a letter or digit"
    )]
    Id {
        /// What has the id.
        what: &'static str,
        /// The id.
        found: String,
    },
    /// Two keys that exclude each other.
    #[error("{holder} has both `{first}` and `{second}` but takes one of them")]
    Conflict {
        /// What holds them.
        holder: String,
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// None of several keys.
    #[error("{holder} needs one of the keys {}", List(.keys))]
    NeedsOne {
        /// What should hold one.
        holder: String,
        /// Which.
        keys: Vec<String>,
    },
    /// A worked example that is also a question.
    #[error("the few-shot input is also the input of sample `{sample}`")]
    ShotIsSample {
        /// The sample.
        sample: String,
    },
    /// A data path that is not below the suite's folder.
    #[error("`{path}` leaves the suite's folder")]
    LeavesFolder {
        /// The path.
        path: String,
    },
    /// A suite that has no folder.
    #[error("a built-in suite has no folder for `{path}`")]
    NoFolder {
        /// The path.
        path: String,
    },
    /// A data file that could not be read.
    #[error("failed to read `{path}`: {message}")]
    DataRead {
        /// The path.
        path: String,
        /// What the system said.
        message: String,
    },
    /// A data file with other content than declared.
    #[error("`{path}` has the sha256 {found} but the suite declares {expected}")]
    DataDigest {
        /// The path.
        path: String,
        /// Declared.
        expected: String,
        /// Computed.
        found: String,
    },
    /// Not a digest.
    #[error("`{found}` is not a sha256: 64 hexadecimal digits are needed")]
    DigestForm {
        /// What is there.
        found: String,
    },
    /// A data row without a mapped field.
    #[error("the row has no field `{field}`; it has {}", List(.valid))]
    NoField {
        /// The field.
        field: String,
        /// The fields of the row.
        valid: Vec<String>,
    },
}

impl Problem {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { key, valid, .. } => nearest(key, valid),
            Self::UnknownName { found, valid, .. } => nearest(found, valid),
            Self::NoField { field, valid } => nearest(field, valid),
            Self::Format { .. } => Some("write `format = 1`".to_owned()),
            Self::Duplicate { what, .. } => Some(format!("give each {what} its own name")),
            Self::Weights { .. } => {
                Some("leave the key out for the defaults, or write for example `weights = { checks = 0.5, facts = 0.3, form = 0.2 }`".to_owned())
            }
            Self::TemplateFeature { .. } => Some(
                "use `{{ field }}`, `{% if %}`, `{% for %}` and the filters `trim`, `upper`, `lower`, `length`, `default`, `first`, `last`, `tojson`".to_owned(),
            ),
            Self::Regex { .. } => Some(
                "the syntax is that of Rust's `regex`: no look-around, no backreferences; a literal string '...' needs no doubled backslashes".to_owned(),
            ),
            Self::JsonPath { .. } => Some("write for example `$.items[0].total`".to_owned()),
            Self::MutualInfoNeeded => Some("leave out `mutual_info`".to_owned()),
            Self::StrideWithoutOverlap { .. } => Some(
                "leave out `stride`, or write `windows = \"strided\"`".to_owned(),
            ),
            Self::Conflict { second, .. } => Some(format!("remove `{second}`")),
            Self::ShotIsSample { .. } => Some("write a worked example of its own".to_owned()),
            Self::LeavesFolder { .. } => {
                Some("put the file beside the suite and name it by a relative path".to_owned())
            }
            Self::DataDigest { found, .. } => Some(format!(
                "if the change is wanted, write `sha256 = \"{found}\"` and raise the suite's version"
            )),
            _ => None,
        }
    }
}

/// "did you mean" for a wrong name, when one is near.
fn nearest(found: &str, valid: &[String]) -> Option<String> {
    let wanted = found.to_lowercase();
    valid
        .iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&wanted, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

/// Names in backticks, separated by commas.
struct List<'a>(&'a [String]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}`{name}`")?;
        }
        Ok(())
    }
}
