//! Taking the thoughts of a generation off its answer.
//!
//! In: a codec, the ids of a prompt, the ids that were generated. Out: the text, where its answer begins, how many tokens came before it. What
//! counts as a thought is defined in `record::ThoughtScan`; here its markers are found in a vocabulary and its bytes become text.

use super::Codec;
use crate::record::{Finish, Reasoning, ThoughtMarkers, ThoughtScan};

/// The markers of thoughts in this vocabulary.
pub fn thought_markers(codec: &dyn Codec) -> ThoughtMarkers {
    let table = codec.table();
    let encode = |text: &str| codec.encode(text, true).unwrap_or_default();
    ThoughtMarkers::find(|text| {
        let ids = encode(text);
        let [id] = ids[..] else { return None };
        // An id that stands for whatever is not known would stand for both at once.
        (encode(&text.repeat(2)) == [id, id]).then(|| (id, table.piece(id).is_empty()))
    })
}

/// Which block of thoughts a prompt leaves open, for [`ThoughtScan::new`].
pub fn open_thought(codec: &dyn Codec, markers: &ThoughtMarkers, prompt: &[u32]) -> Option<u8> {
    let table = codec.table();
    let mut tail: Vec<&[u8]> = Vec::new();
    let mut bytes = 0;
    for &id in prompt.iter().rev() {
        let piece = markers.spelled(id, table.piece(id));
        bytes += piece.trim_ascii().len();
        tail.push(piece);
        if bytes >= ThoughtMarkers::TAIL_BYTES {
            break;
        }
    }
    tail.reverse();
    markers.left_open(&tail.concat())
}

/// A completion and what it has of thoughts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The text, thoughts included.
    pub text: String,
    /// `None` when the vocabulary has no tokens for thoughts and the text has none.
    pub reasoning: Option<Reasoning>,
}

/// The text of a generation without the id that ended it and without the stop string and what came with it in the same token. Stop strings are not
/// looked for in thoughts, as the engine does not. `open` is the block that the prompt left open.
pub fn completion(
    codec: &dyn Codec,
    markers: &ThoughtMarkers,
    open: Option<u8>,
    ids: &[u32],
    finish: &Finish,
) -> Completion {
    let ids = match (finish, ids) {
        (Finish::Eos(eos), [rest @ .., last]) if last == eos => rest,
        _ => ids,
    };
    let mut text = codec.decode(ids);
    let reasoning = reasoning(codec, markers, open, ids, &text);
    let from = reasoning.map_or(0, |r| r.answer_at as usize);
    if let Finish::Stop(stop) = finish
        && let Some(at) = text.get(from..).and_then(|answer| answer.find(stop))
    {
        text.truncate(from + at);
    }
    Completion { text, reasoning }
}

fn reasoning(
    codec: &dyn Codec,
    markers: &ThoughtMarkers,
    open: Option<u8>,
    ids: &[u32],
    text: &str,
) -> Option<Reasoning> {
    let table = codec.table();
    let mut scan = ThoughtScan::new(markers.channels, open);
    let mut ends = Vec::with_capacity(ids.len());
    for &id in ids {
        let piece = table.piece(id);
        let spelled = markers.spelled(id, piece);
        ends.push(ends.last().copied().unwrap_or(0) + spelled.len());
        scan.push(spelled, piece.is_empty(), |_| {});
    }
    if !scan.has_thought() {
        return markers.has_tokens.then_some(Reasoning {
            tokens: 0,
            answer_at: 0,
        });
    }
    let Some(at) = scan.answer() else {
        return Some(Reasoning {
            tokens: count(ids.len()),
            answer_at: count(text.len()),
        });
    };
    let first = ends.partition_point(|&end| end <= at);
    let mut answer = Vec::new();
    for (n, &id) in ids.iter().enumerate().skip(first) {
        let piece = table.piece(id);
        let begin = if n == 0 { 0 } else { ends[n - 1] };
        answer.extend_from_slice(&piece[at.saturating_sub(begin).min(piece.len())..]);
    }
    let answer = String::from_utf8_lossy(&answer);
    Some(Reasoning {
        tokens: count(first),
        answer_at: count(text.len() - common_end(text, &answer)),
    })
}

/// Bytes of the longest common end of two texts.
fn common_end(a: &str, b: &str) -> usize {
    let same = a.chars().rev().zip(b.chars().rev());
    same.take_while(|(x, y)| x == y)
        .map(|(x, _)| x.len_utf8())
        .sum()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::{Prompt, TokenizerError};
    use super::*;
    use crate::record::{Digest, Message, TokenTable};
    use std::sync::Arc;

    /// Pieces by id; the control tokens among them stand for nothing in running text.
    struct Words {
        pieces: Vec<&'static str>,
        control: Vec<&'static str>,
        /// Whether id 0 stands for any run of what is no piece.
        unknown: bool,
        digest: Digest,
    }

    impl Words {
        fn new(control: &[&'static str], text: &[&'static str]) -> Self {
            Self {
                pieces: [control, text].concat(),
                control: control.to_vec(),
                unknown: false,
                digest: Digest::of(b"words"),
            }
        }

        fn ids(&self, pieces: &[&str]) -> Vec<u32> {
            let id = |piece: &&str| self.pieces.iter().position(|p| p == piece).unwrap() as u32;
            pieces.iter().map(id).collect()
        }

        fn done(&self, prompt: &[&str], pieces: &[&str], finish: &Finish) -> Completion {
            let markers = thought_markers(self);
            let open = open_thought(self, &markers, &self.ids(prompt));
            completion(self, &markers, open, &self.ids(pieces), finish)
        }
    }

    impl Codec for Words {
        fn encode(&self, text: &str, _: bool) -> Result<Vec<u32>, TokenizerError> {
            let mut left = text;
            let mut ids = Vec::new();
            while !left.is_empty() {
                let at = self.pieces.iter().position(|p| left.starts_with(p));
                let Some(at) = at else {
                    if !self.unknown {
                        return Err(TokenizerError::EmptyContext);
                    }
                    if ids.last() != Some(&0) {
                        ids.push(0);
                    }
                    left = &left[1..];
                    continue;
                };
                ids.push(at as u32);
                left = &left[self.pieces[at].len()..];
            }
            Ok(ids)
        }

        fn decode(&self, ids: &[u32]) -> String {
            let table = self.table();
            let bytes: Vec<u8> = ids
                .iter()
                .flat_map(|&id| table.piece(id).to_vec())
                .collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }

        fn table(&self) -> Arc<TokenTable> {
            let shown = |p: &&'static str| if self.control.contains(p) { "" } else { *p };
            Arc::new(TokenTable::from_pieces(self.pieces.iter().map(shown)))
        }

        fn prompt(&self, _: &[Message]) -> Result<Prompt, TokenizerError> {
            Err(TokenizerError::NoMessages)
        }

        fn raw_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
            self.encode(text, true)
        }

        fn context_and_continuation(
            &self,
            _: &str,
            _: &str,
        ) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
            Err(TokenizerError::EmptyContext)
        }

        fn bos_id(&self) -> Option<u32> {
            None
        }

        fn eos_ids(&self) -> &[u32] {
            &[0]
        }

        fn digest(&self) -> &Digest {
            &self.digest
        }

        fn template_digest(&self) -> Option<&Digest> {
            None
        }
    }

    const EOS: Finish = Finish::Eos(0);

    fn of(tokens: u32, answer_at: usize) -> Reasoning {
        Reasoning {
            tokens,
            answer_at: answer_at as u32,
        }
    }

    #[test]
    fn markers_that_decoding_drops_are_found_on_ids() {
        let words = Words::new(
            &["<eos>", "<think>", "</think>"],
            &["\n", "two", " four", "é"],
        );
        let done = words.done(
            &["\n"],
            &[
                "<think>", "\n", "two", "</think>", "\n", " four", "é", "<eos>",
            ],
            &EOS,
        );
        assert_eq!(done.text, "\ntwo\n fouré");
        // The token ` four` holds the first letter of the answer.
        assert_eq!(done.reasoning, Some(of(5, 6)));
        assert_eq!(&done.text[6..], "fouré");
        let none = words.done(&["\n"], &["two", "<eos>"], &EOS);
        assert_eq!(
            (none.text.as_str(), none.reasoning),
            ("two", Some(of(0, 0)))
        );
        let silent = words.done(
            &["\n"],
            &["<think>", "two", "</think>", "\n", "<eos>"],
            &EOS,
        );
        assert_eq!(silent.reasoning, Some(of(4, silent.text.len())));
    }

    #[test]
    fn a_prompt_may_begin_the_thought() {
        let words = Words::new(&["<eos>", "<think>", "</think>"], &["\n", "two", "four"]);
        let done = words.done(
            &["two", "<think>", "\n"],
            &["two", "</think>", "\n", "\n", "four", "<eos>"],
            &EOS,
        );
        assert_eq!(
            (done.text.as_str(), done.reasoning),
            ("two\n\nfour", Some(of(4, 5)))
        );
        let cut = words.done(&["<think>", "\n"], &["two", "four"], &Finish::Length);
        assert_eq!(
            (cut.text.as_str(), cut.reasoning),
            ("twofour", Some(of(2, 7)))
        );
        let closed = words.done(&["<think>", "\n", "</think>", "\n"], &["four"], &EOS);
        assert_eq!(closed.reasoning, Some(of(0, 0)));
    }

    #[test]
    fn markers_written_as_text_count_too() {
        let words = Words::new(&["<eos>"], &["<", "think", ">", "/", ">four", "two"]);
        let markers = thought_markers(&words);
        assert_eq!(markers, ThoughtMarkers::default());
        let pieces = ["<", "think", ">", "two", "<", "/", "think", ">four"];
        let done = words.done(&["two"], &pieces, &EOS);
        assert_eq!(done.reasoning, Some(of(7, "<think>two</think>".len())));
        let plain = words.done(&["two"], &["two", "<eos>"], &EOS);
        assert_eq!(plain.reasoning, None);
    }

    #[test]
    fn channels_leave_no_header_in_the_answer() {
        let words = Words::new(
            &[
                "<|return|>",
                "<|channel|>",
                "<|message|>",
                "<|start|>",
                "<|end|>",
            ],
            &["analysis", "final", "assistant", "two", "four"],
        );
        let thought = ["<|channel|>", "analysis", "<|message|>", "two", "<|end|>"];
        let answer = [
            "<|start|>",
            "assistant",
            "<|channel|>",
            "final",
            "<|message|>",
            "four",
            "<|return|>",
        ];
        let prompt = ["two", "<|start|>", "assistant"];
        let done = words.done(&prompt, &[&thought[..], &answer[..]].concat(), &EOS);
        assert_eq!(done.text, "analysistwoassistantfinalfour");
        assert_eq!(done.reasoning, Some(of(10, 25)));
        let cut = words.done(&prompt, &["<|channel|>", "final"], &Finish::Length);
        assert_eq!(cut.reasoning, Some(of(2, 5)));
    }

    #[test]
    fn stop_strings_are_not_looked_for_in_thoughts() {
        let words = Words::new(&["<eos>", "<think>", "</think>"], &["two", " four"]);
        let stop = Finish::Stop("two".to_owned());
        let pieces = ["<think>", "two", "</think>", " four", "two"];
        let done = words.done(&[" four"], &pieces, &stop);
        assert_eq!(
            (done.text.as_str(), done.reasoning),
            ("two four", Some(of(3, 4)))
        );
        let plain = words.done(&[" four"], &[" four", "two"], &stop);
        assert_eq!(
            (plain.text.as_str(), plain.reasoning),
            (" four", Some(of(0, 0)))
        );
    }

    #[test]
    fn an_id_for_what_is_not_known_is_no_marker() {
        let mut words = Words::new(&["?"], &["a"]);
        words.unknown = true;
        assert_eq!(words.encode("<think>", true).unwrap(), [0]);
        assert_eq!(thought_markers(&words), ThoughtMarkers::default());
    }

    #[test]
    fn broken_characters_do_not_move_the_answer() {
        assert_eq!(common_end("a\u{fffd}b", "b"), 1);
        assert_eq!(common_end("b", "ab"), 1);
        assert_eq!(common_end("é", "é"), 2);
    }
}
