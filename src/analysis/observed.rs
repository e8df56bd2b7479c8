//! What one model did on each prompt: all that a comparison needs, and nothing of where it came from.
//!
//! In: a stored run and the name of one of its models; or, through serde, a file that was written from one. Out: [`Observed`], which
//! [`compare`](super::compare), the pairs of a report and a gate read. They all go through it, so that they cannot say different things
//! about the same data.
//!
//! What it does not know: prompts and completions (digests stand for them), the database, file formats.
//!
//! Invariants:
//! * A prompt is named by the digest of its content, so that samples renamed since are still joined and changed ones never are.
//! * Missing is `None`: a file that tells no times has no times.
//! * [`Observed::check`] holds for everything a run gives; whoever reads one from a file calls it before anything else.

use super::dataset::ModelData;
use super::error::AnalysisError;
use super::likelihood::{self, ObservedLikelihood};
use super::sequential;
use crate::metric;
use crate::record::{
    Digest, Generation, HostFacts, LoadedModel, ModelRecord, Outcome, RunRecord, SampleRecord,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// More prompts than any suite has.
const MOST_PROMPTS: usize = 10_000_000;
/// More repetitions of a prompt than any run makes.
const MOST_EPOCHS: usize = 100_000;
/// Shortest beginning of a model's name that stands for it.
const SHORTEST_BEGINNING: usize = 4;
/// Longest name, in bytes.
const LONGEST_NAME: usize = 4_096;

/// What one model did on each prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// Name of the model, or of the file.
    pub label: String,
    /// Content id of the model; `None` where the source does not tell it.
    #[serde(with = "optional_digest")]
    pub model: Option<Digest>,
    /// Run id; `None` where it does not come from a run.
    pub run: Option<String>,
    /// Where it comes from, for messages: `run ID`, or a path.
    pub source: String,
    /// The suite; `None` for files of other tools.
    pub suite: Option<ObservedSuite>,
    /// Name of the value that `score` or `passed` holds in another tool's file (`acc`); `None` for runs.
    pub metric: Option<String>,
    /// Whether the number of prompts was decided by looking at the results, so that methods for a fixed number do not hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sequential: bool,
    /// The class of machine it was measured on; `None` where the source does not tell.
    pub host: Option<HostClass>,
    /// Digest of the model's tokenizer, which perplexities of tokens depend on; `None` where the source does not tell.
    #[serde(
        default,
        with = "optional_digest",
        skip_serializing_if = "Option::is_none"
    )]
    pub tokenizer: Option<Digest>,
    /// Peak memory while the model was loaded.
    pub peak_bytes: Option<u64>,
    /// From the start of loading until the first token was possible.
    pub load_ns: Option<u64>,
    /// The prompts by the digest of their content; for files of lm-eval by `doc_hash` and filter.
    pub prompts: BTreeMap<String, ObservedPrompt>,
}

/// The suite whose prompts were answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedSuite {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Digest of the content.
    #[serde(with = "digest")]
    pub digest: Digest,
    /// Id of the metric that decides.
    pub primary: String,
}

/// What decides whether times of two runs may be compared. No name of a machine or of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostClass {
    /// Operating system without its version.
    pub os: Option<String>,
    /// CPU architecture.
    pub arch: String,
    /// CPU or system-on-chip model.
    pub cpu: Option<String>,
    /// Accelerator.
    pub gpu: Option<String>,
    /// Device the model ran on.
    pub device: Option<String>,
    /// Instruction set of the kernels.
    pub simd: Option<String>,
    /// CPU threads used.
    pub threads: Option<u32>,
}

/// One prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedPrompt {
    /// Task id.
    pub task: String,
    /// Sample id.
    pub sample: String,
    /// Digest of what the model was shown and of what was expected, where the key does not cover them; `None` for runs.
    #[serde(with = "optional_digest")]
    pub asked: Option<Digest>,
    /// Its repetitions, at least one.
    pub epochs: Vec<ObservedEpoch>,
}

/// One repetition of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedEpoch {
    /// What became of it; `None` where the source does not tell.
    #[serde(with = "optional_outcome")]
    pub outcome: Option<Outcome>,
    /// Score, 0 to 10 for runs, in the metric's own unit for files; `None` when it could not be scored.
    pub score: Option<f64>,
    /// Whether it passed; `None` when it could not be judged.
    pub passed: Option<bool>,
    /// Time to first token.
    pub ttft_ms: Option<f64>,
    /// Time per output token.
    pub tpot_ms: Option<f64>,
    /// End-to-end time.
    pub e2e_ms: Option<f64>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u32>,
    /// Tokens of the completion.
    pub completion_tokens: Option<u32>,
    /// Digest of the completion, or of the log-probabilities, to see which answers changed.
    #[serde(with = "optional_digest")]
    pub completion: Option<Digest>,
    /// What its log-likelihoods said; `None` for what is generated, and for files that do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likelihood: Option<ObservedLikelihood>,
}

impl Observed {
    /// What one model of a run did. `model` is its name, the beginning of one, or the first digits of its id.
    ///
    /// # Errors
    /// When the run has no such model, or several.
    pub fn of_run(run: &RunRecord, model: &str) -> Result<Self, AnalysisError> {
        let record = find(run, model)?;
        Ok(Self::of_data(run, &ModelData::of(run, record)))
    }

    /// What the only measured model of a run did.
    ///
    /// # Errors
    /// When the run has several measured models, or none.
    pub fn of_only_model(run: &RunRecord) -> Result<Self, AnalysisError> {
        let with_samples: BTreeSet<&Digest> = run.samples.iter().map(|s| &s.key.model).collect();
        let mut measured = run
            .models
            .iter()
            .filter(|m| with_samples.contains(&m.planned.id));
        if let (Some(only), None) = (measured.next(), measured.next()) {
            return Ok(Self::of_data(run, &ModelData::of(run, only)));
        }
        let all = run.models.iter();
        let mut valid: Vec<String> = all
            .filter(|m| with_samples.contains(&m.planned.id))
            .map(|m| m.planned.name.clone())
            .collect();
        valid.sort();
        Err(AnalysisError::ModelNotNamed {
            run: run.header.id.to_string(),
            valid,
        })
    }

    /// The same of samples that are grouped already.
    pub(super) fn of_data(run: &RunRecord, data: &ModelData<'_>) -> Self {
        let suite = &run.header.suite;
        let loaded = data.model.loaded.as_ref();
        let mutual = likelihood::mutual_tasks(run.samples.iter());
        Self {
            label: data.model.planned.name.clone(),
            model: Some(data.model.planned.id.clone()),
            run: Some(run.header.id.to_string()),
            source: format!("run {}", run.header.id),
            suite: Some(ObservedSuite {
                name: suite.name.clone(),
                version: suite.version.clone(),
                digest: suite.digest.clone(),
                primary: suite.primary.clone(),
            }),
            metric: None,
            sequential: sequential::level(run).is_some(),
            host: Some(HostClass::of(&run.header.host, loaded)),
            tokenizer: data.model.planned.tokenizer_digest.clone(),
            peak_bytes: data.model.peak.map(crate::units::Bytes::get),
            load_ns: loaded.map(|l| u64::try_from(l.load.as_nanos()).unwrap_or(u64::MAX)),
            prompts: data
                .prompts
                .by_content()
                .iter()
                .map(|(content, group)| {
                    let prompt = ObservedPrompt::of(group, &mutual);
                    (content.as_str().to_owned(), prompt)
                })
                .collect(),
        }
    }

    /// Number of samples, epochs counted singly.
    pub fn samples(&self) -> usize {
        self.prompts.values().map(|p| p.epochs.len()).sum()
    }

    /// Checks what a file could get wrong: numbers that are none, times below zero, prompts without a repetition, sizes without a bound.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn check(&self) -> Result<(), AnalysisError> {
        let bad = |place: &str, problem: Problem| AnalysisError::BadObservation {
            origin: self.source.clone(),
            place: place.to_owned(),
            problem,
        };
        if self.prompts.is_empty() {
            return Err(bad("prompts", Problem::Empty));
        }
        if self.prompts.len() > MOST_PROMPTS {
            let (has, most) = (self.prompts.len(), MOST_PROMPTS);
            return Err(bad("prompts", Problem::TooMany { has, most }));
        }
        for (place, text) in self.texts() {
            short(text).map_err(|problem| bad(place, problem))?;
        }
        for (key, prompt) in &self.prompts {
            let place = |what: &str| format!("{}/{} {what}", prompt.task, prompt.sample);
            for (what, text) in [
                ("key", key),
                ("task", &prompt.task),
                ("sample", &prompt.sample),
            ] {
                short(text).map_err(|problem| bad(what, problem))?;
            }
            prompt
                .check()
                .map_err(|(what, problem)| bad(&place(what), problem))?;
        }
        Ok(())
    }

    fn texts(&self) -> Vec<(&'static str, &str)> {
        let suite = self.suite.as_ref();
        let all = [
            ("label", Some(self.label.as_str())),
            ("source", Some(self.source.as_str())),
            ("run", self.run.as_deref()),
            ("metric", self.metric.as_deref()),
            ("suite name", suite.map(|s| s.name.as_str())),
            ("suite version", suite.map(|s| s.version.as_str())),
            ("suite primary", suite.map(|s| s.primary.as_str())),
        ];
        all.into_iter()
            .filter_map(|(what, text)| Some((what, text?)))
            .collect()
    }
}

/// What is wrong with an observation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// Nothing where something must be.
    #[error("is empty")]
    Empty,
    /// Too many of them.
    #[error("has {has} entries but at most {most} are read")]
    TooMany {
        /// Entries there are.
        has: usize,
        /// Entries allowed.
        most: usize,
    },
    /// A text that is too long.
    #[error("is {bytes} bytes long but at most {most} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// Length allowed.
        most: usize,
    },
    /// Infinite, or not a number.
    #[error("is `{0}`, which is not a finite number")]
    NotFinite(f64),
    /// A time below zero.
    #[error("is {0} ms but a time is never below zero")]
    Negative(f64),
}

fn short(text: &str) -> Result<(), Problem> {
    let (bytes, most) = (text.len(), LONGEST_NAME);
    match bytes {
        0 => Err(Problem::Empty),
        _ if bytes > most => Err(Problem::TooLong { bytes, most }),
        _ => Ok(()),
    }
}

impl ObservedPrompt {
    fn of(group: &[&SampleRecord], mutual: &BTreeSet<&str>) -> Self {
        let first = group.first();
        Self {
            task: first.map_or_else(String::new, |s| s.key.task.clone()),
            sample: first.map_or_else(String::new, |s| s.key.sample.clone()),
            asked: None,
            epochs: group.iter().map(|s| ObservedEpoch::of(s, mutual)).collect(),
        }
    }

    fn check(&self) -> Result<(), (&'static str, Problem)> {
        let (has, most) = (self.epochs.len(), MOST_EPOCHS);
        if has == 0 {
            return Err(("epochs", Problem::Empty));
        }
        if has > most {
            return Err(("epochs", Problem::TooMany { has, most }));
        }
        for epoch in &self.epochs {
            let times = [
                ("ttft_ms", epoch.ttft_ms),
                ("tpot_ms", epoch.tpot_ms),
                ("e2e_ms", epoch.e2e_ms),
            ];
            let logprob = match epoch.likelihood {
                Some(ObservedLikelihood::Text { logprob, .. }) => Some(logprob),
                _ => None,
            };
            let signed = [("score", epoch.score), ("logprob", logprob)];
            for (what, value) in times.into_iter().chain(signed) {
                let Some(value) = value else { continue };
                if !value.is_finite() {
                    return Err((what, Problem::NotFinite(value)));
                }
                if value < 0.0 && what.ends_with("_ms") {
                    return Err((what, Problem::Negative(value)));
                }
            }
        }
        Ok(())
    }
}

impl ObservedEpoch {
    /// Whether there is an answer that was judged right or wrong; true where the source does not tell outcomes.
    pub(super) fn is_answered(&self) -> bool {
        matches!(
            self.outcome,
            None | Some(Outcome::Correct | Outcome::Incorrect | Outcome::Measured)
        )
    }

    /// Whether it is of a text, about which nothing is right or wrong.
    pub(super) fn is_text(&self) -> bool {
        self.likelihood.is_some_and(|l| l.is_text())
    }

    fn of(sample: &SampleRecord, mutual: &BTreeSet<&str>) -> Self {
        let generation = sample.generation.as_ref();
        Self {
            outcome: Some(sample.score.outcome),
            score: sample.score.score,
            passed: sample.score.passed,
            ttft_ms: generation.and_then(metric::ttft_ms),
            tpot_ms: generation.and_then(metric::tpot_ms),
            e2e_ms: generation.map(metric::e2e_ms),
            prompt_tokens: generation.map(|g| g.prompt_tokens),
            completion_tokens: generation.map(Generation::completion_tokens),
            completion: generation
                .map(|g| Digest::of(g.completion.as_bytes()))
                .or_else(|| sample.scoring.as_ref().map(likelihood::digest)),
            likelihood: ObservedLikelihood::of(sample, mutual),
        }
    }
}

impl HostClass {
    fn of(host: &HostFacts, loaded: Option<&LoadedModel>) -> Self {
        let os = host
            .os
            .as_deref()
            .and_then(|os| os.split_whitespace().next());
        Self {
            os: os.map(str::to_owned),
            arch: host.arch.clone(),
            cpu: host.cpu.clone(),
            gpu: host.gpu.clone(),
            device: loaded.map(|l| l.device.clone()),
            simd: loaded.map(|l| l.simd.clone()),
            threads: loaded.map(|l| l.threads),
        }
    }

    /// What differs, with both sides; a dash for what one does not tell.
    pub fn differences(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let threads = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let rows = [
            ("operating system", text(&self.os), text(&other.os)),
            ("architecture", self.arch.clone(), other.arch.clone()),
            ("CPU", text(&self.cpu), text(&other.cpu)),
            ("GPU", text(&self.gpu), text(&other.gpu)),
            ("device", text(&self.device), text(&other.device)),
            ("kernels", text(&self.simd), text(&other.simd)),
            ("threads", threads(self.threads), threads(other.threads)),
        ];
        rows.into_iter().filter(|(_, a, b)| a != b).collect()
    }
}

/// The model of a run with this name, or whose id or name is the only one to begin so.
fn find<'a>(run: &'a RunRecord, name: &str) -> Result<&'a ModelRecord, AnalysisError> {
    let by_name = run.models.iter().filter(|m| m.planned.name == name);
    let by_id = run
        .models
        .iter()
        .filter(|m| name.len() >= 6 && m.planned.id.as_str().starts_with(name));
    let mut found: Vec<&ModelRecord> = by_name.chain(by_id).collect();
    if found.is_empty() && name.len() >= SHORTEST_BEGINNING {
        let begins = |m: &&ModelRecord| m.planned.name.starts_with(name);
        found = run.models.iter().filter(begins).collect();
    }
    let id = run.header.id.to_string();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let mut valid: Vec<String> =
                run.models.iter().map(|m| m.planned.name.clone()).collect();
            valid.sort();
            valid.dedup();
            let nearest = valid
                .iter()
                .map(|v| (strsim::jaro_winkler(name, v), v))
                .filter(|(similarity, _)| *similarity > 0.7)
                .max_by(|x, y| x.0.total_cmp(&y.0))
                .map(|(_, v)| v.clone());
            Err(AnalysisError::UnknownModel {
                name: name.to_owned(),
                run: id,
                nearest,
                valid,
            })
        }
        many => Err(AnalysisError::AmbiguousModel {
            name: name.to_owned(),
            run: id,
            count: many.len(),
        }),
    }
}

/// A digest as its 64 digits.
mod digest {
    use super::Digest;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(digest.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(from)?;
        Digest::from_hex(&text).ok_or_else(|| D::Error::custom("a digest is 64 hexadecimal digits"))
    }
}

/// A digest or null.
mod optional_digest {
    use super::Digest;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(
        digest: &Option<Digest>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        digest.as_ref().map(Digest::as_str).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Digest>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let digest = Digest::from_hex(&text)
            .ok_or_else(|| D::Error::custom("a digest is 64 hexadecimal digits"))?;
        Ok(Some(digest))
    }
}

/// The name of an outcome or null.
mod optional_outcome {
    use super::Outcome;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[expect(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn serialize<S: Serializer>(
        outcome: &Option<Outcome>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        outcome.map(Outcome::as_str).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Outcome>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let outcome = Outcome::parse(&text).ok_or_else(|| {
            let valid: Vec<&str> = Outcome::ALL.iter().map(|o| o.as_str()).collect();
            D::Error::custom(format!("outcome `{text}` is none of {}", valid.join(", ")))
        })?;
        Ok(Some(outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{self, Spec};
    use super::*;
    use crate::record::FailureKind;

    type Change = fn(&mut Observed);

    fn observed() -> Observed {
        let specs = vec![
            Spec::scored(8.1),
            Spec::failed(FailureKind::Timeout),
            Spec::unscored(),
        ];
        Observed::of_run(&testkit::run(&[("m", specs)], 1), "m").unwrap()
    }

    #[test]
    fn a_model_of_a_run_becomes_its_observations() {
        let o = observed();
        assert_eq!(o.check(), Ok(()));
        assert_eq!(
            (o.label.as_str(), o.prompts.len(), o.samples()),
            ("m", 3, 3)
        );
        assert_eq!(o.peak_bytes, Some(2_700_000_000));
        assert_eq!(o.load_ns, Some(1_500_000_000));
        let key = Digest::of(b"prompt 0");
        let first = &o.prompts[key.as_str()].epochs[0];
        assert_eq!(
            (first.score, first.passed, first.ttft_ms),
            (Some(8.1), Some(true), Some(200.0))
        );
        assert_eq!(
            (first.prompt_tokens, first.completion_tokens),
            (Some(100), Some(11))
        );
        let failed = &o.prompts[Digest::of(b"prompt 1").as_str()].epochs[0];
        assert_eq!(
            (failed.outcome, failed.e2e_ms),
            (Some(Outcome::Timeout), None)
        );
        let unscored = &o.prompts[Digest::of(b"prompt 2").as_str()].epochs[0];
        assert_eq!((unscored.score, unscored.passed), (None, None));
        let host = o.host.unwrap();
        assert_eq!(
            (host.os.as_deref(), host.device.as_deref()),
            (Some("macOS"), Some("metal"))
        );
    }

    #[test]
    fn a_model_is_named_by_the_beginning_that_no_other_has() {
        let one = || vec![Spec::scored(5.0)];
        let names = ["gemma-3-4b-it-q4_k_m", "gemma-3-27b-it-q4_k_m", "gemma"];
        let run = testkit::run(&names.map(|n| (n, one())), 1);
        let label = |name: &str| Observed::of_run(&run, name).map(|o| o.label);
        assert_eq!(label("gemma-3-4b").unwrap(), names[0]);
        // A whole name comes before a beginning.
        assert_eq!(label("gemma").unwrap(), "gemma");
        assert_eq!(
            label("gemma-3").unwrap_err().to_string(),
            "model `gemma-3` stands for 2 models of run `01k3qa7z5m8c2p`"
        );
        assert!(matches!(
            label("gem"),
            Err(AnalysisError::UnknownModel { .. })
        ));
    }

    #[test]
    fn what_is_written_is_read_back_and_the_same_bytes() {
        let mut o = observed();
        for (i, prompt) in o.prompts.values_mut().enumerate() {
            prompt.epochs[0].score = Some((i as f64 + 0.1) / 3.0);
            prompt.epochs[0].e2e_ms = Some(1e3 / 7.0 + i as f64);
        }
        let text = serde_json::to_string(&o).unwrap();
        let again: Observed = serde_json::from_str(&text).unwrap();
        assert_eq!(again, o);
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }

    #[test]
    fn hostile_files_are_refused() {
        let text = serde_json::to_string(&observed()).unwrap();
        let read = |text: &str| serde_json::from_str::<Observed>(text).map_err(|e| e.to_string());
        let unknown = text.replacen("{\"label\"", "{\"colour\":1,\"label\"", 1);
        assert!(
            read(&unknown)
                .unwrap_err()
                .starts_with("unknown field `colour`")
        );
        let outcome = text.replacen("\"timeout\"", "\"late\"", 1);
        assert!(
            read(&outcome)
                .unwrap_err()
                .starts_with("outcome `late` is none of correct, ")
        );
        let digest = text.replacen("\"model\":\"", "\"model\":\"zz", 1);
        assert!(
            read(&digest)
                .unwrap_err()
                .starts_with("a digest is 64 hexadecimal digits")
        );
        assert!(read(&text.replacen("8.1", "1e999", 1)).is_err());
        let changes: [(Change, &str); 6] = [
            (
                |o| o.prompts.clear(),
                "`prompts` of `run 01k3qa7z5m8c2p` is empty",
            ),
            (
                |o| o.label.clear(),
                "`label` of `run 01k3qa7z5m8c2p` is empty",
            ),
            (
                |o| o.label = "x".repeat(5_000),
                "`label` of `run 01k3qa7z5m8c2p` is 5000 bytes long but at most 4096 are read",
            ),
            (
                |o| first(o).epochs.clear(),
                "`task-a/s-000 epochs` of `run 01k3qa7z5m8c2p` is empty",
            ),
            (
                |o| first(o).epochs[0].score = Some(f64::NAN),
                "`task-a/s-000 score` of `run 01k3qa7z5m8c2p` is `NaN`, which is not a finite number",
            ),
            (
                |o| first(o).epochs[0].ttft_ms = Some(-2.0),
                "`task-a/s-000 ttft_ms` of `run 01k3qa7z5m8c2p` is -2 ms but a time is never below zero",
            ),
        ];
        for (change, message) in changes {
            let mut o = observed();
            change(&mut o);
            assert_eq!(o.check().unwrap_err().to_string(), message);
        }
    }

    fn first(o: &mut Observed) -> &mut ObservedPrompt {
        o.prompts.get_mut(Digest::of(b"prompt 0").as_str()).unwrap()
    }

    #[test]
    fn different_machines_are_told() {
        let a = observed().host.unwrap();
        let b = HostClass {
            threads: Some(4),
            gpu: None,
            ..a.clone()
        };
        assert_eq!(
            a.differences(&b),
            [
                ("GPU", "Apple M4 Max".to_owned(), "-".to_owned()),
                ("threads", "8".to_owned(), "4".to_owned())
            ]
        );
        assert!(a.differences(&a).is_empty());
    }
}
