//! What can go wrong in an engine.

use super::mock::MockDeath;
use super::worker::WorkerDeath;
use crate::modelfile::ModelFileError;
use crate::record::{FailureKind, SelfCheck};

/// A failure of an engine or of one of its requests.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The architecture has no description.
    #[error("architecture `{found}` is not supported")]
    UnsupportedArchitecture {
        /// As named by the file.
        found: String,
        /// What is supported.
        supported: Vec<&'static str>,
    },
    /// A tensor the architecture needs is absent.
    #[error("tensor `{name}` is missing")]
    MissingTensor {
        /// Its name.
        name: String,
    },
    /// A tensor that the description of the architecture has no place for.
    #[error("tensor `{name}` has no place in the description of this architecture")]
    UnusedTensor {
        /// Its name.
        name: String,
    },
    /// A tensor whose values no operation reads.
    #[error("tensor `{name}` has values of type {found}; F32, F16 and BF16 are read")]
    TensorType {
        /// Its name.
        name: String,
        /// In the file.
        found: &'static str,
    },
    /// A tensor has the wrong shape.
    #[error("tensor `{name}` has the shape {found:?} where {expected:?} is needed")]
    Shape {
        /// Its name.
        name: String,
        /// In the file.
        found: Vec<u64>,
        /// By the metadata.
        expected: Vec<u64>,
    },
    /// The metadata contradicts itself or is out of range.
    #[error("metadata `{key}` is {found}: {why}")]
    Metadata {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What is wrong.
        why: String,
    },
    /// A configuration that does not describe a model of its architecture.
    #[error("`config.json` does not describe a model of the architecture `{architecture}`: {why}")]
    Config {
        /// As named by the file.
        architecture: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A value of the configuration that changes the numbers and that is not computed.
    #[error("`{key}` in `config.json` is {found}, and only {computed} is computed")]
    ConfigValue {
        /// The key.
        key: String,
        /// Its value, as JSON.
        found: String,
        /// What is computed, as JSON.
        computed: String,
    },
    /// The file is not valid.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The prompt does not fit the context.
    #[error("the prompt has {tokens} tokens but the context holds {context}")]
    PromptTooLong {
        /// Of the prompt.
        tokens: usize,
        /// Of the model.
        context: usize,
    },
    /// A request without ids.
    #[error("the {what} is empty")]
    Empty {
        /// Which part.
        what: &'static str,
    },
    /// An id outside the vocabulary.
    #[error("token id {id} is outside the vocabulary of {vocabulary}")]
    TokenId {
        /// The id.
        id: u32,
        /// Ids in the vocabulary.
        vocabulary: u32,
    },
    /// The logits held a value that is not a number.
    #[error("the logits at position {position} are not numbers")]
    NotANumber {
        /// Position in the sequence.
        position: usize,
    },
    /// The device asked for is not there.
    #[error("device `{device}` is not available: {why}")]
    Device {
        /// As asked for.
        device: String,
        /// Why not.
        why: String,
    },
    /// A number format the device cannot compute in.
    #[error(
        "activations in `{asked}` were asked for, but on `{device}` they are computed in `{computed}`"
    )]
    Dtype {
        /// As asked for.
        asked: &'static str,
        /// Where.
        device: &'static str,
        /// What there is.
        computed: &'static str,
    },
    /// The device or a tensor operation failed.
    #[error("the {what} failed: {why}")]
    Backend {
        /// What was being done.
        what: &'static str,
        /// What the backend said.
        why: String,
    },
    /// The device computes something else than the plain CPU path.
    #[error("the self-check failed on `{device}`: {}", differs(.check))]
    SelfCheck {
        /// Where the model was loaded.
        device: String,
        /// What was found.
        check: Box<SelfCheck>,
    },
    /// An engine that gives log-probabilities and no logits.
    #[error("the logits of single positions are not available for the engine `{engine}`")]
    NoLogits {
        /// Its name and version.
        engine: String,
    },
    /// A failure that a mock script asked for, or one reported by a worker.
    #[error("{message}")]
    Reported {
        /// Kind.
        kind: FailureKind,
        /// Message.
        message: String,
    },
    /// The process that hosts the model is gone.
    #[error(transparent)]
    Worker(#[from] WorkerDeath),
    /// A mock script asks for a death that only a worker can die; without one it is told instead.
    #[error("the worker died, as scripted")]
    Scripted(MockDeath),
}

impl EngineError {
    /// The kind under which a failed sample is recorded.
    pub fn failure_kind(&self) -> FailureKind {
        match self {
            Self::PromptTooLong { .. } => FailureKind::PromptTooLong,
            Self::NotANumber { .. } => FailureKind::NotANumber,
            Self::Reported { kind, .. } => *kind,
            Self::Worker(death) => death.failure_kind(),
            Self::Scripted(_) => FailureKind::Crash,
            _ => FailureKind::Engine,
        }
    }

    /// Whether the process that hosted the model is gone, so that a new one can take up the rest.
    pub fn is_death(&self) -> bool {
        matches!(self, Self::Worker(_))
    }

    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnsupportedArchitecture { supported, .. } => {
                Some(format!("supported are {}", supported.join(", ")))
            }
            Self::SelfCheck { device, .. } if device == "cpu" => {
                Some("use `--device cpu-plain`, and check this machine's memory".to_owned())
            }
            Self::SelfCheck { .. } | Self::Device { .. } => Some("use `--device cpu`".to_owned()),
            Self::Dtype { computed, .. } => Some(format!(
                "write `dtype = \"{computed}\"` in the model's entry of `models.toml`, or leave it out"
            )),
            Self::File(e) => e.hint(),
            Self::Worker(death) => death.hint(),
            Self::NotANumber { .. } => {
                Some("try `--device cpu`; if it persists the file is damaged".to_owned())
            }
            _ => None,
        }
    }
}

/// What is wrong, with both sides.
fn differs(check: &SelfCheck) -> String {
    let (found, what) = if check.logit_diff <= check.limit() {
        (
            check.batch_diff,
            "a log-probability of requests scored together differs from that of each by itself",
        )
    } else {
        (
            check.logit_diff,
            "a logit differs from that of the plain CPU path",
        )
    };
    format!(
        "{what} by {found:.3e} nats where {:.3e} are allowed; the most probable token is the same at {} of {} positions",
        check.limit(),
        check.same_top1,
        check.positions
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn self_check(device: &str, logit_diff: f64, batch_diff: f64) -> EngineError {
        EngineError::SelfCheck {
            device: device.to_owned(),
            check: Box::new(SelfCheck {
                tokens: 12,
                positions: 2,
                same_top1: 1,
                logit_diff,
                logit_spread: 20.0,
                batch_diff,
                tolerance: 1e-3,
                took: std::time::Duration::ZERO,
            }),
        }
    }

    #[test]
    fn every_error_says_what_and_what_to_do() {
        let text = |e: &EngineError| match e.hint() {
            Some(hint) => format!("{e} / {hint}"),
            None => e.to_string(),
        };
        let name = || "blk.0.attn_q.weight".to_owned();
        let all = [
            EngineError::UnsupportedArchitecture {
                found: "rwkv9".to_owned(),
                supported: vec!["gemma3", "llama"],
            },
            EngineError::MissingTensor { name: name() },
            EngineError::UnusedTensor { name: name() },
            EngineError::TensorType {
                name: name(),
                found: "F8_E4M3",
            },
            EngineError::Shape {
                name: name(),
                found: vec![8, 9],
                expected: vec![8, 8],
            },
            EngineError::Metadata {
                key: "llama.rope.freq_base".to_owned(),
                found: "0".to_owned(),
                why: "it must be above 0".to_owned(),
            },
            EngineError::Config {
                architecture: "falcon",
                why: "missing field `bias`".to_owned(),
            },
            EngineError::ConfigValue {
                key: "alibi".to_owned(),
                found: "true".to_owned(),
                computed: "false".to_owned(),
            },
            EngineError::File(ModelFileError::Version { found: 9 }),
            EngineError::PromptTooLong {
                tokens: 5000,
                context: 4096,
            },
            EngineError::Empty { what: "prompt" },
            EngineError::TokenId {
                id: 9,
                vocabulary: 8,
            },
            EngineError::NotANumber { position: 3 },
            EngineError::Device {
                device: "metal".to_owned(),
                why: "this is no Mac".to_owned(),
            },
            EngineError::Dtype {
                asked: "bf16",
                device: "cpu",
                computed: "f32",
            },
            EngineError::Backend {
                what: "matrix product",
                why: "out of memory".to_owned(),
            },
            self_check("metal", 0.5, 0.0),
            self_check("metal", 0.01, 0.25),
            self_check("cpu", f64::NAN, 0.0),
            EngineError::NoLogits {
                engine: "mock 1".to_owned(),
            },
            EngineError::Reported {
                kind: FailureKind::Engine,
                message: "scripted".to_owned(),
            },
            EngineError::Worker(WorkerDeath::Closed),
            EngineError::Scripted(MockDeath::Abort),
        ];
        let texts: Vec<String> = all.iter().map(text).collect();
        insta::assert_snapshot!(texts.join("\n"), @r#"
        architecture `rwkv9` is not supported / supported are gemma3, llama
        tensor `blk.0.attn_q.weight` is missing
        tensor `blk.0.attn_q.weight` has no place in the description of this architecture
        tensor `blk.0.attn_q.weight` has values of type F8_E4M3; F32, F16 and BF16 are read
        tensor `blk.0.attn_q.weight` has the shape [8, 9] where [8, 8] is needed
        metadata `llama.rope.freq_base` is 0: it must be above 0
        `config.json` does not describe a model of the architecture `falcon`: missing field `bias`
        `alibi` in `config.json` is true, and only false is computed
        GGUF version 9 is not supported; versions 2 and 3 are
        the prompt has 5000 tokens but the context holds 4096
        the prompt is empty
        token id 9 is outside the vocabulary of 8
        the logits at position 3 are not numbers / try `--device cpu`; if it persists the file is damaged
        device `metal` is not available: this is no Mac / use `--device cpu`
        activations in `bf16` were asked for, but on `cpu` they are computed in `f32` / write `dtype = "f32"` in the model's entry of `models.toml`, or leave it out
        the matrix product failed: out of memory
        the self-check failed on `metal`: a logit differs from that of the plain CPU path by 5.000e-1 nats where 2.000e-2 are allowed; the most probable token is the same at 1 of 2 positions / use `--device cpu`
        the self-check failed on `metal`: a log-probability of requests scored together differs from that of each by itself by 2.500e-1 nats where 2.000e-2 are allowed; the most probable token is the same at 1 of 2 positions / use `--device cpu`
        the self-check failed on `cpu`: a logit differs from that of the plain CPU path by NaN nats where 2.000e-2 are allowed; the most probable token is the same at 1 of 2 positions / use `--device cpu-plain`, and check this machine's memory
        the logits of single positions are not available for the engine `mock 1`
        scripted
        the worker closed its pipe
        the worker died, as scripted
        "#);
    }
}
