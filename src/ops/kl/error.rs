//! Why models cannot be set against a base.

use crate::error::ExitCode;
use crate::record::MemoryEstimate;
use crate::units::Bytes;
use std::path::PathBuf;

/// Models that cannot be set against their base.
#[derive(Debug, thiserror::Error)]
pub enum KlError {
    /// The vocabularies hold different tokens. Exit code 2.
    #[error(
        "`{model}` and its base `{base}` have different vocabularies: token {id} is `{}` in `{model}` and `{}` in `{base}`",
        pieces[1].escape_debug(),
        pieces[0].escape_debug()
    )]
    Vocabulary {
        /// The base.
        base: String,
        /// The model.
        model: String,
        /// The first id that differs.
        id: u32,
        /// What it stands for in the base and in the model.
        pieces: [String; 2],
    },
    /// The models predict different numbers of tokens. Exit code 2.
    #[error("`{model}` predicts {} tokens and its base `{base}` {}", sizes[1], sizes[0])]
    VocabularySize {
        /// The base.
        base: String,
        /// The model.
        model: String,
        /// Tokens of the base and of the model.
        sizes: [u64; 2],
    },
    /// The same text becomes different tokens. Exit code 2.
    #[error(
        "`{model}` and its base `{base}` turn the text `{}` into different tokens, from token {position} on",
        text.escape_debug()
    )]
    Tokens {
        /// The base.
        base: String,
        /// The model.
        model: String,
        /// Name of the text.
        text: String,
        /// The first token that differs, from 0.
        position: usize,
    },
    /// A text in which there is next to nothing to predict. Exit code 2.
    #[error(
        "the text `{}` has {tokens} tokens where at least {least} are needed",
        text.escape_debug()
    )]
    TextTooShort {
        /// Name of the text.
        text: String,
        /// Its tokens.
        tokens: usize,
        /// Tokens needed.
        least: usize,
    },
    /// A text file beyond what is read. Exit code 2.
    #[error("the text `{}` has more than {most}", path.display())]
    TextTooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes read.
        most: Bytes,
    },
    /// A suite without texts. Exit code 2.
    #[error("suite `{suite}` has no task of type `perplexity`")]
    NoTexts {
        /// Its name.
        suite: String,
    },
    /// A window beyond the trained context. Exit code 2.
    #[error(
        "a window of {window} tokens is longer than the context of `{model}`: {context} tokens"
    )]
    Window {
        /// The model.
        model: String,
        /// As asked for.
        window: u32,
        /// Of the model.
        context: u64,
    },
    /// Two models and the rows to compare do not fit. Exit code 3.
    #[error(
        "`{model}` and its base `{base}` need {} together but the budget is {budget}: {}; {}; rows of logits {rows}",
        total(estimates, *rows),
        parts(base, &estimates[0]),
        parts(model, &estimates[1])
    )]
    OverBudget {
        /// The base.
        base: String,
        /// The model.
        model: String,
        /// What they need.
        estimates: Box<[MemoryEstimate; 2]>,
        /// Rows of logits held of both.
        rows: Bytes,
        /// Bytes that may be used.
        budget: Bytes,
    },
    /// Logits without a divergence. Exit code 3.
    #[error(
        "the distributions of `{model}` and its base `{base}` at token {position} of `{}` cannot be compared: a logit is not a number, or `{model}` \
         excludes what `{base}` allows",
        text.escape_debug()
    )]
    NotComparable {
        /// The base.
        base: String,
        /// The model.
        model: String,
        /// Name of the text.
        text: String,
        /// Token of the text whose distribution it is.
        position: usize,
    },
    /// A model that could not be loaded in its worker. Exit code 3.
    #[error("`{model}` could not be loaded: {why}")]
    NotLoaded {
        /// The model.
        model: String,
        /// Why.
        why: String,
    },
    /// The questions could not be asked to the end. Exit code 3.
    #[error("`{model}` was given up after {recorded} of {planned} questions: {why}")]
    GivenUp {
        /// The model.
        model: String,
        /// Questions with a record.
        recorded: u64,
        /// Questions there are.
        planned: u64,
        /// Why.
        why: String,
    },
    /// The user interrupted. Exit code 130.
    #[error("interrupted before the comparison was complete; nothing is kept")]
    Interrupted,
}

impl KlError {
    /// How the program ends.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Vocabulary { .. }
            | Self::VocabularySize { .. }
            | Self::Tokens { .. }
            | Self::TextTooShort { .. }
            | Self::TextTooLong { .. }
            | Self::NoTexts { .. }
            | Self::Window { .. } => ExitCode::Usage,
            Self::OverBudget { .. }
            | Self::NotComparable { .. }
            | Self::NotLoaded { .. }
            | Self::GivenUp { .. } => ExitCode::Machine,
            Self::Interrupted => ExitCode::Interrupted,
        }
    }

    /// One thing the user can do.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Vocabulary { .. } | Self::VocabularySize { .. } | Self::Tokens { .. } => Some(
                "name one model in several files, such as an F16 file and quantised ones"
                    .to_owned(),
            ),
            Self::TextTooShort { .. } | Self::NoTexts { .. } => {
                Some("give a text with `--text FILE`".to_owned())
            }
            Self::TextTooLong { .. } => {
                Some("cut the file; `--tokens` says how much of it is read".to_owned())
            }
            Self::Window { context, .. } => Some(format!("use `--window {context}`")),
            Self::OverBudget {
                estimates, rows, ..
            } => {
                let total = total(estimates, *rows);
                let megabytes = total.get().div_ceil(1_000_000);
                Some(format!(
                    "use `--memory-budget {megabytes}MB` where the machine has it, or a smaller `--window`"
                ))
            }
            Self::NotComparable { .. } => {
                Some("try `--device cpu`; if it persists a file is damaged".to_owned())
            }
            Self::NotLoaded { .. } | Self::GivenUp { .. } | Self::Interrupted => None,
        }
    }
}

/// Bytes of two models and the rows held of them.
pub(super) fn total(estimates: &[MemoryEstimate; 2], rows: Bytes) -> Bytes {
    estimates[0].total().plus(estimates[1].total()).plus(rows)
}

fn parts(name: &str, e: &MemoryEstimate) -> String {
    format!(
        "`{name}` {} (weights {}, key/value cache {} for {} tokens, activations {}, program {})",
        e.total(),
        e.weights,
        e.kv_cache,
        e.context,
        e.activations,
        e.overhead
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(megabytes: u64) -> MemoryEstimate {
        MemoryEstimate {
            weights: Bytes(megabytes * 1_000_000),
            kv_cache: Bytes(2_000_000),
            activations: Bytes(3_000_000),
            overhead: Bytes(64_000_000),
            context: 256,
        }
    }

    fn every() -> Vec<KlError> {
        let (base, model) = (|| "f16".to_owned(), || "q4".to_owned());
        let text = || "letters.txt".to_owned();
        vec![
            KlError::Vocabulary {
                base: base(),
                model: model(),
                id: 17,
                pieces: [" a".to_owned(), "\u{1b}".to_owned()],
            },
            KlError::VocabularySize {
                base: base(),
                model: model(),
                sizes: [128, 256],
            },
            KlError::Tokens {
                base: base(),
                model: model(),
                text: text(),
                position: 3,
            },
            KlError::TextTooShort {
                text: text(),
                tokens: 4,
                least: 16,
            },
            KlError::TextTooLong {
                path: "letters.txt".into(),
                most: Bytes(64_000_000),
            },
            KlError::NoTexts {
                suite: "business".to_owned(),
            },
            KlError::Window {
                model: model(),
                window: 4096,
                context: 2048,
            },
            KlError::OverBudget {
                base: base(),
                model: model(),
                estimates: Box::new([estimate(270), estimate(90)]),
                rows: Bytes(12_600_000),
                budget: Bytes(400_000_000),
            },
            KlError::NotComparable {
                base: base(),
                model: model(),
                text: text(),
                position: 64,
            },
            KlError::NotLoaded {
                model: model(),
                why: "the worker closed its pipe".to_owned(),
            },
            KlError::GivenUp {
                model: model(),
                recorded: 5,
                planned: 24,
                why: "5 samples failed in a row".to_owned(),
            },
            KlError::Interrupted,
        ]
    }

    #[test]
    fn every_error_says_what_how_the_program_ends_and_what_to_do() {
        let text = |e: &KlError| {
            let hint = e.hint().map(|h| format!(" / {h}")).unwrap_or_default();
            format!("{} {e}{hint}", e.exit_code().number())
        };
        let texts: Vec<String> = every().iter().map(text).collect();
        insta::assert_snapshot!(texts.join("\n"));
    }
}
