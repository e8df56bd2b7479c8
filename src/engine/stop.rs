//! Recognising stop strings in the bytes of produced tokens.

use super::{GenerateRequest, Thoughts};
use crate::record::{ThoughtScan, Watched};

/// Watches the answer of a generation for its stop strings. They are not obeyed inside thoughts in front of the answer: a suite's stop string is
/// about the form of an answer, and thoughts have another.
#[derive(Debug)]
pub(crate) struct StopWatch<'a> {
    matcher: StopMatcher<'a>,
    thoughts: Option<(&'a Thoughts, ThoughtScan)>,
}

impl<'a> StopWatch<'a> {
    /// Watches for the stop strings of `request`.
    pub(crate) fn new(request: &'a GenerateRequest) -> Self {
        let scan = |t: &'a Thoughts| (t, ThoughtScan::new(t.markers.channels, t.open));
        Self {
            matcher: StopMatcher::new(&request.stop),
            thoughts: request.thoughts.as_ref().map(scan),
        }
    }

    /// Takes the next token, which stands for `piece` in running text; the stop string that now appears, if any.
    pub(crate) fn push(&mut self, id: u32, piece: &[u8]) -> Option<&'a [u8]> {
        let Some((thoughts, scan)) = &mut self.thoughts else {
            return self.matcher.push(piece);
        };
        if self.matcher.longest == 0 {
            return None;
        }
        let mut found = None;
        let bytes = thoughts.markers.spelled(id, piece);
        scan.push(bytes, piece.is_empty(), |watched| match watched {
            Watched::Interrupted => self.matcher.tail.clear(),
            Watched::Text(answer) => {
                // A marker in the answer stands for nothing, as ever.
                let text = if piece.is_empty() { piece } else { answer };
                found = found.or_else(|| self.matcher.push(text));
            }
        });
        found
    }
}

/// Watches the produced bytes for any of several stop strings.
#[derive(Debug)]
struct StopMatcher<'a> {
    stops: &'a [Vec<u8>],
    longest: usize,
    tail: Vec<u8>,
}

impl<'a> StopMatcher<'a> {
    /// Watches for `stops`; empty strings never match.
    fn new(stops: &'a [Vec<u8>]) -> Self {
        Self {
            stops,
            longest: stops.iter().map(Vec::len).max().unwrap_or(0),
            tail: Vec::new(),
        }
    }

    /// Takes the next bytes; the stop string that now appears, if any. The one that begins first wins.
    fn push(&mut self, piece: &[u8]) -> Option<&'a [u8]> {
        if self.longest == 0 {
            return None;
        }
        self.tail.extend_from_slice(piece);
        let found = self
            .stops
            .iter()
            .filter(|s| !s.is_empty())
            .filter_map(|s| find(&self.tail, s).map(|at| (at, s)))
            .min_by_key(|(at, s)| (*at, s.len()));
        if let Some((_, stop)) = found {
            return Some(stop);
        }
        // Only the last `longest - 1` bytes can still become part of a match.
        let keep = self.tail.len().min(self.longest - 1);
        self.tail.drain(..self.tail.len() - keep);
        None
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ThoughtMarkers;
    use std::sync::Arc;

    #[test]
    fn a_stop_string_is_found_across_tokens() {
        let stops = vec![b"\n\nQ:".to_vec(), Vec::new(), b"END".to_vec()];
        let mut matcher = StopMatcher::new(&stops);
        assert_eq!(matcher.push(b"text\n"), None);
        assert_eq!(matcher.push(b"\nQ"), None);
        assert_eq!(matcher.push(b": more END"), Some(&b"\n\nQ:"[..]));
        assert_eq!(StopMatcher::new(&[]).push(b"anything"), None);
        let mut long = StopMatcher::new(&stops);
        for _ in 0..1000 {
            assert_eq!(long.push(b"EN-"), None);
        }
        assert!(long.tail.len() < 8);
    }

    /// Index of the token at which a stop string is obeyed. Id 7 is `<think>`, id 8 `</think>`, both without text.
    fn stops_at(stop: &str, open: Option<u8>, tokens: &[(u32, &str)]) -> Option<usize> {
        let request = GenerateRequest {
            stop: vec![stop.as_bytes().to_vec()],
            thoughts: Some(Thoughts {
                markers: Arc::new(ThoughtMarkers {
                    hidden: vec![(7, b"<think>".to_vec()), (8, b"</think>".to_vec())],
                    has_tokens: true,
                    channels: false,
                }),
                open,
            }),
            ..GenerateRequest::default()
        };
        let mut watch = StopWatch::new(&request);
        tokens
            .iter()
            .position(|&(id, text)| watch.push(id, text.as_bytes()).is_some())
    }

    #[test]
    fn stop_strings_are_not_obeyed_in_thoughts() {
        let thought = [
            (7, ""),
            (1, "a\n\n"),
            (8, ""),
            (1, "\n\n"),
            (1, "b"),
            (1, "\n\n"),
        ];
        assert_eq!(stops_at("\n\n", None, &thought), Some(5));
        assert_eq!(stops_at("\n\n", Some(0), &thought[1..]), Some(4));
        assert_eq!(stops_at("\n\n", Some(0), &thought[1..2]), None);
        // Without thoughts everything is as ever, also in front of the first word and around a marker further on.
        assert_eq!(stops_at("\n\n", None, &thought[3..]), Some(0));
        assert_eq!(
            stops_at("ab", None, &[(1, "xa"), (7, ""), (1, "b")]),
            Some(2)
        );
        assert_eq!(stops_at("<think>", None, &[(1, "x"), (7, "")]), None);
        assert_eq!(stops_at("<x", None, &[(1, "<"), (1, "x")]), Some(1));
    }

    #[test]
    fn no_stop_string_reaches_across_thoughts() {
        let tokens = [(1, "\n"), (7, ""), (1, "a"), (8, ""), (1, "Q"), (1, "\nQ")];
        assert_eq!(stops_at("\nQ", None, &tokens), Some(5));
        // The markers as text, all of it in one token.
        let whole = [(1, "\n<think>a</think>Q: 4"), (1, "\n"), (1, "Q")];
        assert_eq!(stops_at("\nQ", None, &whole), Some(2));
        // Without thoughts the same two tokens are a match.
        assert_eq!(stops_at("\nQ", None, &[(1, "\n"), (1, "Q")]), Some(1));
    }
}
