//! What a model was asked and what it produced.

use super::Reasoning;
use std::time::Duration;

/// Who speaks in a chat message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name used by chat templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One chat message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Why a generation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The model produced this end-of-sequence id.
    Eos(u32),
    /// This stop string appeared (and was cut off, with all that follows it).
    Stop(String),
    /// The token limit was reached.
    Length,
    /// The context window was full.
    Context,
    /// The time limit of the sample ran out; what was produced until then is kept.
    Timeout,
}

/// Raw times of one generation. All are measured from submission of the prompt text, on the monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timing {
    /// Rendering and tokenisation of the prompt.
    pub tokenize: Duration,
    /// From the start of the forward pass until the logits of the last prompt token were ready; `None` when the engine cannot tell.
    pub prefill: Option<Duration>,
    /// When each token id was readable on the host. The first is the TTFT.
    pub token_at: Vec<Duration>,
    /// When the generation was complete.
    pub total: Duration,
}

/// The record of producing one completion.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The generated text without end-of-sequence and stop strings.
    pub completion: String,
    /// The generated ids, including the one that ended the generation.
    pub token_ids: Vec<u32>,
    /// Tokens of the prompt, BOS included.
    pub prompt_tokens: u32,
    /// Digest of the prompt's token ids (little-endian u32).
    pub prompt_digest: super::Digest,
    /// Why it ended.
    pub finish: Finish,
    /// Raw times.
    pub timing: Timing,
    /// Log-probability of each generated token under the unmodified distribution, when asked for.
    pub logprobs: Option<Vec<f32>>,
    /// Thoughts in front of the answer; `None` when the vocabulary has no tokens for them and the completion has none, and in older records.
    pub reasoning: Option<Reasoning>,
}

impl Generation {
    /// The part of the completion that is scored: all of it, or what follows the thoughts.
    pub fn answer(&self) -> &str {
        let at = self.reasoning.map_or(0, |r| r.answer_at as usize);
        self.completion.get(at..).unwrap_or_default()
    }

    /// Index of the first token of the answer; `None` when there is no answer.
    pub fn first_answer_token(&self) -> Option<usize> {
        let first = self.reasoning.map_or(0, |r| r.tokens as usize);
        let thought = self.reasoning.is_some_and(|r| r.tokens > 0);
        let blank = thought && self.answer().is_empty();
        (!blank && first < self.token_ids.len()).then_some(first)
    }

    /// Number of generated tokens, the ending one included.
    pub fn completion_tokens(&self) -> u32 {
        u32::try_from(self.token_ids.len()).unwrap_or(u32::MAX)
    }
}

/// The bytes every token id stands for in running text, packed. Control tokens stand for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenTable {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl TokenTable {
    /// Packs the pieces of ids 0, 1, 2, ...
    pub fn from_pieces<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = P>) -> Self {
        let mut table = Self::default();
        for piece in pieces {
            table.bytes.extend_from_slice(piece.as_ref());
            table
                .ends
                .push(u32::try_from(table.bytes.len()).unwrap_or(u32::MAX));
        }
        table
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there are no ids.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of `id`; empty for control tokens and for ids outside the vocabulary.
    pub fn piece(&self, id: u32) -> &[u8] {
        let at = id as usize;
        let Some(&end) = self.ends.get(at) else {
            return &[];
        };
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start as usize..end as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back() {
        let table = TokenTable::from_pieces(["a", "", "xyz"]);
        assert_eq!(
            (table.piece(0), table.piece(1), table.piece(2)),
            (&b"a"[..], &b""[..], &b"xyz"[..])
        );
        assert_eq!(table.piece(99), b"");
    }
}
