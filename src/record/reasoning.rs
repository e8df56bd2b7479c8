//! Thoughts in front of an answer: how they are marked, and where the answer begins.
//!
//! Models that reason write their thoughts between markers before they answer. What the markers are is a habit of the family:
//!
//! | begins | ends | families |
//! |---|---|---|
//! | `<think>` | `</think>` | DeepSeek-R1, Qwen 3, `SmolLM` 3, Granite 3, and most others |
//! | `[THINK]` | `[/THINK]` | Magistral |
//! | `<seed:think>` | `</seed:think>` | Seed-OSS |
//! | `<thought>` | `</thought>` | EXAONE Deep |
//! | `<\|START_THINKING\|>` | `<\|END_THINKING\|>` | Command A Reasoning |
//! | `<\|channel\|>analysis<\|message\|>`, also `commentary` | `<\|end\|>` | gpt-oss |
//!
//! Only blocks in front of the answer count, white space apart; several in a row do. A marker further on is a part of the answer. A block may
//! have been begun by the prompt. A block that is not closed leaves no answer.
//!
//! [`ThoughtScan`] reads the bytes of a generation as they come, so that the engine, which must not obey stop strings inside thoughts, and the
//! record agree by construction. Where the marker is a control token, which stands for nothing in running text, its text is put in its place
//! ([`ThoughtMarkers::spelled`]).

/// Markers that are written as text or as one token each: begins, ends.
const PAIRS: [(&str, &str); 5] = [
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<thought>", "</thought>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
];

/// Channels that hold no answer: begins, ends.
const CHANNELS: [(&str, &str); 2] = [
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("<|channel|>commentary<|message|>", "<|end|>"),
];

/// Stands between two channels.
const NEXT_MESSAGE: &str = "<|start|>assistant";

/// The channel of the answer.
const FINAL_CHANNEL: &str = "<|channel|>final<|message|>";

/// Tokens whose text is a marker or a part of one.
const CHANNEL_TOKENS: [&str; 4] = ["<|channel|>", "<|message|>", "<|start|>", "<|end|>"];

/// How one vocabulary marks thoughts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ThoughtMarkers {
    /// Ids of tokens that stand for nothing in running text, and the marker or the part of one that they are, in ascending order.
    pub hidden: Vec<(u32, Vec<u8>)>,
    /// Whether the vocabulary has a token for the beginning of a thought, so that a model without thoughts is known to have made none.
    pub has_tokens: bool,
    /// Whether answers are written in channels.
    pub channels: bool,
}

impl ThoughtMarkers {
    /// The markers of a vocabulary. `token` gives the id of a token with exactly this text and whether it stands for nothing in running text.
    pub fn find(token: impl Fn(&str) -> Option<(u32, bool)>) -> Self {
        let texts = PAIRS
            .iter()
            .flat_map(|&(begins, ends)| [begins, ends])
            .chain(CHANNEL_TOKENS);
        let mut hidden: Vec<(u32, Vec<u8>)> = texts
            .filter_map(|text| {
                let (id, _) = token(text).filter(|(_, hidden)| *hidden)?;
                Some((id, text.as_bytes().to_vec()))
            })
            .collect();
        hidden.sort();
        let channels = CHANNEL_TOKENS.iter().all(|text| token(text).is_some());
        Self {
            hidden,
            has_tokens: channels || PAIRS.iter().any(|(begins, _)| token(begins).is_some()),
            channels,
        }
    }

    /// The bytes of `id` with markers spelled out. `piece` is what it stands for in running text.
    pub fn spelled<'a>(&'a self, id: u32, piece: &'a [u8]) -> &'a [u8] {
        match self.hidden.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(at) => &self.hidden[at].1,
            Err(_) => piece,
        }
    }

    /// Which block a prompt leaves open, as [`ThoughtScan::new`] takes it. `tail` is the end of the prompt with markers spelled out.
    pub fn left_open(&self, tail: &[u8]) -> Option<u8> {
        let tail = tail.trim_ascii_end();
        let at = blocks(self.channels).position(|(begins, _)| tail.ends_with(begins.as_bytes()))?;
        u8::try_from(at).ok()
    }

    /// Bytes at the end of a prompt in which an open block can be seen, white space apart.
    pub const TAIL_BYTES: usize = 96;
}

/// The blocks in the order of their numbers.
fn blocks(channels: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let channels = if channels { &CHANNELS[..] } else { &[] };
    PAIRS.iter().chain(channels).copied()
}

/// What a generation has of thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reasoning {
    /// Generated tokens before the first of the answer: thoughts, their markers, and the white space between; without the token that ended the
    /// generation. 0 when the model could have thought and did not.
    pub tokens: u32,
    /// Byte of the completion at which the answer begins; its length when there is no answer.
    pub answer_at: u32,
}

/// Where a scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// Before the first word; a block may follow.
    Before,
    /// In the block with this end.
    Inside(&'static str),
    /// In the answer, which began at this byte.
    Answer(usize),
}

/// Reads a generation and tells where its answer begins.
#[derive(Debug, Clone)]
pub struct ThoughtScan {
    channels: bool,
    stand: Stand,
    /// Bytes read.
    read: usize,
    /// Bytes read that are not decided on: the last `pending.len()`.
    pending: Vec<u8>,
    /// Whether a block was begun.
    thought: bool,
    /// Whether a token without text is among what is pending: then it is no beginning of an answer.
    hidden: bool,
}

/// What a scan hands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched<'a> {
    /// The next bytes that stop strings are looked for in.
    Text(&'a [u8]),
    /// A block begins, or the channel of the answer: no stop string reaches from what came before it to what comes behind it.
    Interrupted,
}

/// What the pending bytes are.
enum Next {
    /// This many bytes that are no part of an answer; then the scan stands there.
    Take(usize, Stand),
    /// Not known before more is read.
    Wait,
    /// The answer.
    Answer,
}

impl ThoughtScan {
    /// A scan of what follows a prompt that left block `open` open ([`ThoughtMarkers::left_open`]).
    pub fn new(channels: bool, open: Option<u8>) -> Self {
        let block = open.and_then(|n| blocks(true).nth(usize::from(n)));
        Self {
            channels,
            stand: block.map_or(Stand::Before, |(_, ends)| Stand::Inside(ends)),
            read: 0,
            pending: Vec::new(),
            thought: block.is_some(),
            hidden: false,
        }
    }

    /// Reads the bytes of a token, markers spelled out (`hidden`: it has no text of its own), and hands what stop strings are looked for in to
    /// `watched`: the answer, and before any block also white space; and where it is interrupted.
    pub fn push(&mut self, bytes: &[u8], hidden: bool, mut watched: impl FnMut(Watched<'_>)) {
        self.read += bytes.len();
        if matches!(self.stand, Stand::Answer(_)) {
            return watched(Watched::Text(bytes));
        }
        self.pending.extend_from_slice(bytes);
        self.hidden |= hidden && !bytes.is_empty();
        loop {
            let (count, stand) = match self.next() {
                Next::Wait => return,
                Next::Take(count, stand) => (count, stand),
                Next::Answer => {
                    // Without a block in front of it the answer is the whole text.
                    let from = if self.thought {
                        self.read - self.pending.len()
                    } else {
                        0
                    };
                    self.stand = Stand::Answer(from);
                    return watched(Watched::Text(&std::mem::take(&mut self.pending)));
                }
            };
            let taken: Vec<u8> = self.pending.drain(..count).collect();
            if !self.thought && stand == Stand::Before {
                watched(Watched::Text(&taken));
            }
            if !self.thought && stand != Stand::Before {
                self.thought = true;
                watched(Watched::Interrupted);
            }
            self.hidden &= !self.pending.is_empty();
            self.stand = stand;
            if let Stand::Answer(_) = stand {
                return watched(Watched::Text(&std::mem::take(&mut self.pending)));
            }
        }
    }

    /// Where the answer begins, in the bytes read, at the end of the generation; `None` when it has none. A block that is open, and the
    /// beginning of a marker that has no text, are no answer.
    pub fn answer(&self) -> Option<usize> {
        match self.stand {
            Stand::Answer(at) => Some(at),
            Stand::Inside(_) => None,
            Stand::Before if self.hidden || (self.thought && self.pending.is_empty()) => None,
            Stand::Before if self.thought => Some(self.read - self.pending.len()),
            Stand::Before => Some(0),
        }
    }

    /// Whether a block was begun, here or in the prompt.
    pub fn has_thought(&self) -> bool {
        self.thought || self.hidden
    }

    fn next(&self) -> Next {
        if let Stand::Inside(ends) = self.stand {
            return self.inside(ends);
        }
        let space = self
            .pending
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count();
        if space > 0 {
            return Next::Take(space, Stand::Before);
        }
        if self.pending.is_empty() {
            return Next::Wait;
        }
        let opening = blocks(self.channels).map(|(begins, ends)| (begins, Stand::Inside(ends)));
        // The answer's own channel has its beginning behind this marker.
        let answer = self.read - self.pending.len() + FINAL_CHANNEL.len();
        let between = [
            (NEXT_MESSAGE, Stand::Before),
            (FINAL_CHANNEL, Stand::Answer(answer)),
        ];
        let between = between.into_iter().take(if self.channels { 2 } else { 0 });
        let mut begun = false;
        for (text, stand) in opening.chain(between) {
            if self.pending.starts_with(text.as_bytes()) {
                return Next::Take(text.len(), stand);
            }
            begun |= text.as_bytes().starts_with(&self.pending);
        }
        if begun { Next::Wait } else { Next::Answer }
    }

    /// Looks for the end of a block; what cannot become a part of it is let go of.
    fn inside(&self, ends: &'static str) -> Next {
        let found = self
            .pending
            .windows(ends.len())
            .position(|w| w == ends.as_bytes());
        match found {
            Some(at) => Next::Take(at + ends.len(), Stand::Before),
            None if self.pending.len() >= ends.len() => {
                let count = self.pending.len() + 1 - ends.len();
                Next::Take(count, Stand::Inside(ends))
            }
            None => Next::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes read one at a time: where the answer begins, whether there was a thought, and what stop strings are looked for in.
    fn scan(channels: bool, open: Option<u8>, text: &str) -> (Option<usize>, bool, String) {
        let mut whole = None;
        for step in [1, 3, text.len().max(1)] {
            let mut scan = ThoughtScan::new(channels, open);
            let mut watched = Vec::new();
            for bytes in text.as_bytes().chunks(step) {
                scan.push(bytes, false, |w| match w {
                    Watched::Text(b) => watched.extend_from_slice(b),
                    Watched::Interrupted => {}
                });
            }
            let watched = String::from_utf8(watched).unwrap();
            let found = (scan.answer(), scan.has_thought(), watched);
            // However the text is cut into tokens.
            assert_eq!(
                *whole.get_or_insert_with(|| found.clone()),
                found,
                "{text:?}"
            );
        }
        whole.unwrap()
    }

    fn answer(text: &str) -> Option<&str> {
        scan(false, None, text).0.map(|at| &text[at..])
    }

    #[test]
    fn every_pair_is_taken_off() {
        for (begins, ends) in PAIRS {
            let text = format!("\n{begins}2 < 3, <b> and {begins} again{ends}\n\nParis");
            assert_eq!(answer(&text), Some("Paris"), "{text}");
            // An empty block, and several in a row.
            let text = format!("{begins}\n\n{ends} {begins}b{ends}x");
            assert_eq!(answer(&text), Some("x"), "{text}");
        }
    }

    #[test]
    fn only_blocks_in_front_count() {
        for text in [
            "",
            " \n",
            "Paris",
            " The tag <think>x</think> marks thoughts.",
            "\"<think>x</think>\"",
            "`<think>`",
            "</think> Paris",
            "<thin>k",
            "<b>x</b>",
            "[1, 2]",
            "<|channel|>analysis<|message|>x<|end|>y",
        ] {
            assert_eq!(
                scan(false, None, text),
                (Some(0), false, text.to_owned()),
                "{text:?}"
            );
        }
        let text = "<think>a</think> He wrote <think>b</think>.";
        assert_eq!(answer(text), Some("He wrote <think>b</think>."));
    }

    #[test]
    fn a_text_that_ends_within_a_marker_is_an_answer() {
        // What is held back is not lost, only not looked through for stop strings.
        assert_eq!(scan(false, None, " <thi"), (Some(0), false, " ".to_owned()));
        assert_eq!(scan(false, None, "<think>a</think> <thi").0, Some(17));
    }

    #[test]
    fn an_open_block_leaves_no_answer() {
        for text in ["<think>", "<think>Paris</think", "<think>Paris. </thought>"] {
            assert_eq!(scan(false, None, text), (None, true, String::new()));
        }
        assert_eq!(
            scan(false, None, "<think>a</think> \n"),
            (None, true, String::new())
        );
    }

    #[test]
    fn a_block_may_be_begun_by_the_prompt() {
        let markers = ThoughtMarkers::default();
        let open = markers.left_open(b"<|im_start|>assistant\n<think>\n");
        assert_eq!(open, Some(0));
        let text = "I add.</think>\n\n4";
        let (at, thought, watched) = scan(false, open, text);
        assert_eq!((&text[at.unwrap()..], thought), ("4", true));
        assert_eq!(watched, "4");
        assert_eq!(scan(false, open, "I add."), (None, true, String::new()));
        assert_eq!(scan(false, open, ""), (None, true, String::new()));
        for closed in ["assistant\n<think>\n\n</think>\n\n", "a <think> b", ""] {
            assert_eq!(markers.left_open(closed.as_bytes()), None);
        }
        assert_eq!(
            markers.left_open(b"<|channel|>analysis<|message|>"),
            None,
            "only where there are channels"
        );
    }

    #[test]
    fn channels_are_told_apart() {
        let text = "<|channel|>analysis<|message|>Two and two.<|end|><|start|>assistant<|channel|>commentary<|message|>Now.<|end|>\
                    <|start|>assistant<|channel|>final<|message|> 4";
        let (at, thought, watched) = scan(true, None, text);
        assert_eq!((&text[at.unwrap()..], thought), (" 4", true));
        assert_eq!(watched, " 4");
        let only = "<|channel|>final<|message|>4";
        assert_eq!(scan(true, None, only).0, Some(only.len() - 1));
        let cut = "<|channel|>analysis<|message|>Two<|end|><|start|>assistant";
        assert_eq!(scan(true, None, cut).0, None);
        let markers = ThoughtMarkers {
            channels: true,
            ..ThoughtMarkers::default()
        };
        let open = markers.left_open(b"<|start|>assistant<|channel|>analysis<|message|>");
        assert_eq!(scan(true, open, "x<|end|>").0, None);
    }

    #[test]
    fn a_header_that_is_cut_off_is_no_answer() {
        let mut scan = ThoughtScan::new(true, None);
        scan.push(b"<|channel|>", true, |_| unreachable!());
        scan.push(b"ana", false, |_| unreachable!());
        assert_eq!((scan.answer(), scan.has_thought()), (None, true));
    }

    #[test]
    fn markers_are_found_in_a_vocabulary() {
        let token = |text: &str| match text {
            "<think>" => Some((7, true)),
            "</think>" => Some((8, false)),
            "<|end|>" => Some((3, true)),
            _ => None,
        };
        let markers = ThoughtMarkers::find(token);
        assert_eq!(
            markers.hidden,
            [(3, b"<|end|>".to_vec()), (7, b"<think>".to_vec())]
        );
        assert!(markers.has_tokens && !markers.channels);
        assert_eq!(markers.spelled(7, b""), b"<think>");
        assert_eq!(markers.spelled(8, b"</think>"), b"</think>");
        assert_eq!(ThoughtMarkers::find(|_| None), ThoughtMarkers::default());
        assert!(ThoughtMarkers::find(|_| Some((1, true))).channels);
    }
}
