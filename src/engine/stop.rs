//! Recognising stop strings in the bytes of produced tokens.

/// Watches the produced bytes for any of several stop strings.
#[derive(Debug)]
pub(crate) struct StopMatcher<'a> {
    stops: &'a [Vec<u8>],
    longest: usize,
    tail: Vec<u8>,
}

impl<'a> StopMatcher<'a> {
    /// Watches for `stops`; empty strings never match.
    pub(crate) fn new(stops: &'a [Vec<u8>]) -> Self {
        Self {
            stops,
            longest: stops.iter().map(Vec::len).max().unwrap_or(0),
            tail: Vec::new(),
        }
    }

    /// Takes the bytes of the next token; the stop string that now appears, if any. The one that begins first wins.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Option<&'a [u8]> {
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
}
