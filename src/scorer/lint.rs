//! Looks for samples that cannot do their work: good and bad answers not told apart, checks that never fail, near-duplicates.
//!
//! In: a suite. Out: findings with places. Pure; knows nothing of models. The near-duplicate search is exact (prefix filtering over
//! word 5-grams ordered by rarity), so that it stays quick for large suites.

use super::{lint_likelihood, passes, score};
use crate::record::{Finish, Outcome, SampleScore, ScoreValue, TaskKind};
use crate::suite::{Check, Rule, Sample, Suite, Task, messages};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Words of a shingle.
const SHINGLE: usize = 5;
/// Similarity above which two inputs are near-duplicates.
const SIMILAR: f64 = 0.8;
/// Fewest samples of a task.
const FEW_SAMPLES: usize = 5;
/// Fewest texts of a task: one has no interval.
const FEW_TEXTS: usize = 2;
/// Most samples of a task whose right choice stands at one place, in percent.
pub(super) const MOST_AT_ONE_PLACE: u32 = 60;
/// Fewest good and bad answers of a sample.
const FEW_ANSWERS: usize = 2;
/// Characters no tokenizer in use puts into one token on average; a good answer longer than this many a token cannot fit.
const CHARS_PER_TOKEN: usize = 6;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The suite measures something else than it says.
    Error,
    /// Worth a look.
    Warning,
}

impl Severity {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LintProblem {
    /// The template fails.
    #[error("{why}")]
    Render {
        /// What the template engine said.
        why: String,
    },
    /// A good answer does not pass.
    #[error("`good` answer {answer} fails check {check} (`{kind}`): {why}")]
    GoodFails {
        /// Position in `good`, from 1.
        answer: usize,
        /// Position in `checks`, from 1.
        check: usize,
        /// The check's type.
        kind: String,
        /// Why.
        why: String,
    },
    /// A bad answer passes.
    #[error("`bad` answer {answer} passes every required check: `{text}`")]
    BadPasses {
        /// Position in `bad`, from 1.
        answer: usize,
        /// Its beginning.
        text: String,
    },
    /// No check is required.
    #[error("no check is required, so that every answer passes")]
    NothingRequired,
    /// A check that nothing in the suite makes fail.
    #[error("check {check} (`{kind}`) fails on no bad answer and not on an empty one")]
    NeverFails {
        /// Position in `checks`, from 1.
        check: usize,
        /// The check's type.
        kind: String,
    },
    /// Two samples ask the same.
    #[error("the input is {percent} % the same as that of `{other}` in line {line}")]
    NearDuplicate {
        /// Task and id of the other.
        other: String,
        /// Its line.
        line: u32,
        /// Similarity.
        percent: u32,
    },
    /// A task too small to say anything.
    #[error("the task has {found} samples; below {least} its results say little")]
    FewSamples {
        /// How many.
        found: usize,
        /// How many there should be.
        least: usize,
    },
    /// The same choice twice.
    #[error("the choice `{text}` stands in `choices` more than once")]
    DuplicateChoice {
        /// Its beginning.
        text: String,
    },
    /// A choice with a blank of its own behind the delimiter.
    #[error("choice {choice} begins with white space, but the prompt puts a blank before it")]
    BlankChoice {
        /// Its position, from 0.
        choice: usize,
    },
    /// A place that is right too often.
    #[error(
        "choice {position} is the right one in {percent} % of the samples; above {MOST_AT_ONE_PLACE} % a model that prefers this place does well without reading"
    )]
    PositionBias {
        /// The place, from 0.
        position: u32,
        /// Its share of the samples.
        percent: u32,
    },
    /// A control token written out.
    #[error(
        "the {what} begins with `{token}`, which is read as text: the model's own begin token is put before it"
    )]
    WrittenToken {
        /// `text` or `prompt`.
        what: &'static str,
        /// The token.
        token: &'static str,
    },
    /// Not enough answers to test the checks with.
    #[error("`{key}` has {found} answers but at least {FEW_ANSWERS} test the checks")]
    FewAnswers {
        /// `good` or `bad`.
        key: &'static str,
        /// How many.
        found: usize,
    },
    /// A good answer that would be cut off.
    #[error(
        "`good` answer {answer} has {chars} characters and cannot fit into `max_tokens = {max_tokens}`"
    )]
    TooLong {
        /// Position in `good`, from 1.
        answer: usize,
        /// Its length.
        chars: usize,
        /// The limit.
        max_tokens: u32,
    },
}

impl LintProblem {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Render { .. }
            | Self::GoodFails { .. }
            | Self::BadPasses { .. }
            | Self::NothingRequired
            | Self::DuplicateChoice { .. }
            | Self::TooLong { .. } => Severity::Error,
            Self::NeverFails { .. }
            | Self::NearDuplicate { .. }
            | Self::FewSamples { .. }
            | Self::BlankChoice { .. }
            | Self::PositionBias { .. }
            | Self::WrittenToken { .. }
            | Self::FewAnswers { .. } => Severity::Warning,
        }
    }
}

/// One finding and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct LintFinding {
    /// The file.
    pub path: String,
    /// Line of the sample, from 1.
    pub line: u32,
    /// Column of the sample, from 1.
    pub column: u32,
    /// Task id.
    pub task: String,
    /// Sample id; `None` when it is about the task.
    pub sample: Option<String>,
    /// What was found.
    pub problem: LintProblem,
}

impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.problem.severity().as_str();
        write!(
            f,
            "{}:{}:{}: {severity}: {}",
            self.path, self.line, self.column, self.task
        )?;
        if let Some(sample) = &self.sample {
            write!(f, "/{sample}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// All findings of a suite, in file order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LintReport {
    /// The findings.
    pub findings: Vec<LintFinding>,
    /// Samples looked at.
    pub samples: usize,
}

impl LintReport {
    /// Number of findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        let of = |f: &&LintFinding| f.problem.severity() == severity;
        self.findings.iter().filter(of).count()
    }
}

/// Looks at every sample of a suite.
pub fn lint(suite: &Suite) -> LintReport {
    let mut report = LintReport::default();
    for task in &suite.tasks {
        let of_task = few(task).into_iter().chain(lint_likelihood::position(task));
        for problem in of_task {
            let Some(first) = task.samples.first() else {
                continue;
            };
            let mut finding = at(suite, task, first, problem);
            finding.sample = None;
            report.findings.push(finding);
        }
        for sample in &task.samples {
            report.samples += 1;
            let problems = problems(suite, task, sample);
            let found = problems.into_iter().map(|p| at(suite, task, sample, p));
            report.findings.extend(found);
        }
    }
    near_duplicates(suite, &mut report.findings);
    report
}

/// A task too small to say anything.
fn few(task: &Task) -> Option<LintProblem> {
    let least = match task.kind {
        TaskKind::Generate | TaskKind::Choice => FEW_SAMPLES,
        TaskKind::Perplexity => FEW_TEXTS,
    };
    let found = task.samples.len();
    (found < least).then_some(LintProblem::FewSamples { found, least })
}

fn at(suite: &Suite, task: &Task, sample: &Sample, problem: LintProblem) -> LintFinding {
    LintFinding {
        path: sample
            .data_file
            .as_deref()
            .unwrap_or(&suite.origin)
            .to_owned(),
        line: sample.line,
        column: sample.column,
        task: task.id.clone(),
        sample: Some(sample.id.clone()),
        problem,
    }
}

fn problems(suite: &Suite, task: &Task, sample: &Sample) -> Vec<LintProblem> {
    let mut all = Vec::new();
    let shown = match messages(task, sample) {
        Ok(shown) => shown,
        Err(e) => {
            all.push(LintProblem::Render { why: e.to_string() });
            Vec::new()
        }
    };
    if task.kind != TaskKind::Generate {
        all.extend(lint_likelihood::problems(task, sample, &shown));
        return all;
    }
    for (key, found) in [("good", sample.good.len()), ("bad", sample.bad.len())] {
        if found < FEW_ANSWERS {
            all.push(LintProblem::FewAnswers { key, found });
        }
    }
    if !sample.checks.iter().any(|check| check.required) {
        all.push(LintProblem::NothingRequired);
        return all;
    }
    answers(suite, task, sample, &mut all);
    for (index, check) in sample.checks.iter().enumerate() {
        if !can_fail(check, &sample.bad) {
            let kind = check.kind().to_owned();
            all.push(LintProblem::NeverFails {
                check: index + 1,
                kind,
            });
        }
    }
    all
}

/// Runs good and bad answers through the checks.
fn answers(suite: &Suite, task: &Task, sample: &Sample, all: &mut Vec<LintProblem>) {
    let ended = Finish::Stop(String::new());
    let scored = |text: &str| score(&suite.quality, sample, text, &ended);
    for (index, good) in sample.good.iter().enumerate() {
        let answer = index + 1;
        all.extend(failures(answer, &scored(good)));
        let (chars, max_tokens) = (good.chars().count(), task.decoding.max_tokens);
        if chars / CHARS_PER_TOKEN > max_tokens as usize {
            all.push(LintProblem::TooLong {
                answer,
                chars,
                max_tokens,
            });
        }
    }
    for (index, bad) in sample.bad.iter().enumerate() {
        if scored(bad).outcome == Outcome::Correct {
            let text = super::text::shorten(bad, 60);
            all.push(LintProblem::BadPasses {
                answer: index + 1,
                text,
            });
        }
    }
}

/// The required checks a good answer does not pass.
fn failures(answer: usize, score: &SampleScore) -> Vec<LintProblem> {
    let wrong = score.checks.iter().filter(|c| c.required).filter_map(|c| {
        let why = match (&c.explanation, &c.value) {
            (Some(why), _) | (None, ScoreValue::Unscored(why)) => why.clone(),
            _ => return None,
        };
        Some(LintProblem::GoodFails {
            answer,
            check: c.index as usize + 1,
            kind: c.kind.clone(),
            why,
        })
    });
    wrong.collect()
}

/// Whether something makes a check fail: a bad answer, an empty one, or for counts a very long one.
fn can_fail(check: &Check, bad: &[String]) -> bool {
    let long = || "- one two three.\n\n".repeat(1_000);
    bad.iter().any(|text| passes(check, text) == Some(false))
        || passes(check, "") == Some(false)
        || (matches!(*check.rule, Rule::Count { .. }) && passes(check, &long()) == Some(false))
}

/// A sample's shingles as hashes.
struct Shingles<'s> {
    task: &'s Task,
    sample: &'s Sample,
    hashes: BTreeSet<u64>,
}

fn near_duplicates(suite: &Suite, findings: &mut Vec<LintFinding>) {
    let all: Vec<Shingles<'_>> = suite
        .samples()
        .map(|(task, sample)| Shingles {
            task,
            sample,
            hashes: shingles(sample),
        })
        .collect();
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for hash in all.iter().flat_map(|s| &s.hashes) {
        *counts.entry(*hash).or_default() += 1;
    }
    // Two sets of similarity t share one of the rarest n - ceil(t n) + 1 shingles of each.
    let mut index: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (this, shingled) in all.iter().enumerate() {
        let mut rare: Vec<u64> = shingled.hashes.iter().copied().collect();
        rare.sort_by_key(|hash| (counts.get(hash).copied(), *hash));
        let size = rare.len();
        rare.truncate(size + 1 - (SIMILAR * size as f64).ceil() as usize);
        let mut candidates = BTreeSet::new();
        for hash in rare {
            let known = index.entry(hash).or_default();
            candidates.extend(known.iter().copied());
            known.push(this);
        }
        let best = candidates
            .into_iter()
            .map(|other| (similarity(&all[other].hashes, &shingled.hashes), other))
            .filter(|(similar, _)| *similar > SIMILAR)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        if let Some((similar, other)) = best {
            let other = &all[other];
            let problem = LintProblem::NearDuplicate {
                other: format!("{}/{}", other.task.id, other.sample.id),
                line: other.sample.line,
                percent: (similar * 100.0).round() as u32,
            };
            findings.push(at(suite, shingled.task, shingled.sample, problem));
        }
    }
}

/// Hashes of the word 5-grams of the input with its further texts; of the whole when it is shorter.
fn shingles(sample: &Sample) -> BTreeSet<u64> {
    use crate::suite::FieldValue;
    let mut text = sample.input.to_lowercase();
    for (name, value) in &sample.fields {
        let value = match value {
            FieldValue::Text(text) => text.to_lowercase(),
            other => format!("{other:?}"),
        };
        text = [text.as_str(), name, &value].join(" ");
    }
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let size = SHINGLE.min(words.len()).max(1);
    words.windows(size).map(hash).collect()
}

/// FNV-1a over the words, with a byte between them.
fn hash(words: &[&str]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn similarity(a: &BTreeSet<u64>, b: &BTreeSet<u64>) -> f64 {
    let shared = a.intersection(b).count();
    let all = a.len() + b.len() - shared;
    if all == 0 {
        0.0
    } else {
        shared as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::parse;

    const HEAD: &str = "format = 1\nname = \"t\"\nversion = \"1\"\nlicense = \"MIT\"\nlanguage = \"en\"\nprimary = \"score\"\n[[task]]\nid = \"t\"\ndecoding = { max_tokens = 8 }\n";

    fn findings(samples: &str) -> Vec<String> {
        let suite =
            parse("t.toml", &format!("{HEAD}{samples}"), None).unwrap_or_else(|e| panic!("{e}"));
        lint(&suite)
            .findings
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn sample(id: &str, input: &str, rest: &str) -> String {
        format!("[[task.sample]]\nid = \"{id}\"\ninput = \"{input}\"\n{rest}\n")
    }

    #[test]
    fn what_is_not_told_apart_is_found() {
        let checks = "checks = [{ type = \"number\", equals = 3 }, { type = \"not_contains\", values = [\"sorry\"] }, { type = \"words\", max = 4 }]";
        let body = format!(
            "{checks}\ngood = [\"3\", \"it is 4, {}\"]\nbad = [\"about 3\", \"5\"]",
            "x".repeat(60)
        );
        assert_eq!(
            findings(&sample("a", "How many?", &body)),
            [
                "t.toml:10:1: warning: t: the task has 1 samples; below 5 its results say little",
                "t.toml:10:1: error: t/a: `good` answer 2 fails check 1 (`number`): the number is 4 but should be 3",
                "t.toml:10:1: error: t/a: `good` answer 2 has 69 characters and cannot fit into `max_tokens = 8`",
                "t.toml:10:1: error: t/a: `bad` answer 1 passes every required check: `about 3`",
                "t.toml:10:1: warning: t/a: check 2 (`not_contains`) fails on no bad answer and not on an empty one",
            ]
        );
    }

    #[test]
    fn too_little_is_found() {
        let body = "checks = [{ type = \"words\", max = 4 }]\ngood = [\"3\"]";
        assert_eq!(
            findings(&sample("a", "How many?", body))[1..],
            [
                "t.toml:10:1: warning: t/a: `good` has 1 answers but at least 2 test the checks",
                "t.toml:10:1: warning: t/a: `bad` has 0 answers but at least 2 test the checks",
                "t.toml:10:1: error: t/a: no check is required, so that every answer passes",
            ]
        );
    }

    #[test]
    fn near_duplicates_are_found() {
        let body = "checks = [{ type = \"number\", equals = 3 }]\ngood = [\"3\", \"three: 3\"]\nbad = [\"4\", \"5\"]";
        let long = (0..60)
            .map(|n| format!("word{n}"))
            .collect::<Vec<_>>()
            .join(" ");
        let inputs = [
            long.clone(),
            format!("{long} more"),
            "Short one".to_owned(),
            "short, one!".to_owned(),
            "Other".to_owned(),
        ];
        let samples: String = inputs
            .iter()
            .enumerate()
            .map(|(n, input)| sample(&format!("s{n}"), input, body))
            .collect();
        assert_eq!(
            findings(&samples),
            [
                "t.toml:16:1: warning: t/s1: the input is 98 % the same as that of `t/s0` in line 10",
                "t.toml:28:1: warning: t/s3: the input is 100 % the same as that of `t/s2` in line 22",
            ]
        );
    }
}
