//! Damage to files: edits as data, so that a seed gives the same files again and a property test can shrink what it found.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Numbers at which arithmetic breaks.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    7,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    (1 << 42) + 1,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// One change of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Which change; every number stands for one.
    pub(crate) kind: u8,
    /// Where, as a share of the length in 65536ths of 65536ths.
    pub(crate) at: u32,
    /// With what.
    pub(crate) value: u64,
}

impl Edit {
    /// The edit a stream of random numbers gives next.
    pub(crate) fn random(rng: &mut impl Rng) -> Self {
        Self {
            kind: rng.next_u32() as u8,
            at: rng.next_u32(),
            value: rng.next_u64(),
        }
    }

    /// Changes a file.
    pub(crate) fn apply(self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            bytes.push(self.value as u8);
            return;
        }
        let at = ((u64::from(self.at) * bytes.len() as u64) >> 32) as usize;
        let edge = EDGES[(self.value % EDGES.len() as u64) as usize];
        let short = ((self.value >> 8) % 64) as usize;
        match self.kind % 10 {
            0 => bytes[at] ^= 1 << (self.value % 8),
            1 => bytes[at] = self.value as u8,
            2 => overwrite(bytes, at, &edge.to_le_bytes()),
            3 => overwrite(bytes, at, &(edge as u32).to_le_bytes()),
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..(at + short).min(bytes.len()))),
            6 => {
                let copy: Vec<u8> = bytes[at..(at + short).min(bytes.len())].to_vec();
                bytes.splice(at..at, copy);
            }
            7 => drop(bytes.splice(at..at, self.value.to_le_bytes())),
            8 => number(bytes, at, edge),
            _ => {
                let other = (self.value >> 16) as usize % bytes.len();
                bytes.swap(at, other);
            }
        }
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    let end = (at + with.len()).min(bytes.len());
    bytes[at..end].copy_from_slice(&with[..end - at]);
}

/// Replaces the decimal number at or after a place by another, as text.
fn number(bytes: &mut Vec<u8>, at: usize, with: u64) {
    let Some(begin) = bytes[at..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let begin = at + begin;
    let length = bytes[begin..]
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .count();
    bytes.splice(begin..begin + length, with.to_string().into_bytes());
}

/// A file damaged in one to four places.
pub(crate) fn damaged(file: &[u8], seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = file.to_vec();
    for _ in 0..=rng.next_u32() % 4 {
        Edit::random(&mut rng).apply(&mut bytes);
    }
    bytes
}

/// A file damaged in one to four places of its first and last `edge` bytes, where the structure of a large header is.
pub(crate) fn damaged_at_the_ends(file: &[u8], edge: usize, seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (head, rest) = file.split_at(edge.min(file.len()));
    let (middle, tail) = rest.split_at(rest.len().saturating_sub(edge));
    let (mut head, mut tail) = (head.to_vec(), tail.to_vec());
    for _ in 0..=rng.next_u32() % 4 {
        let part = if rng.next_u32().is_multiple_of(2) {
            &mut head
        } else {
            &mut tail
        };
        Edit::random(&mut rng).apply(part);
    }
    [head.as_slice(), middle, tail.as_slice()].concat()
}

#[test]
fn a_seed_gives_the_same_damage_again() {
    let file: Vec<u8> = (0..200).collect();
    let mut different = std::collections::BTreeSet::new();
    for seed in 0..100 {
        assert_eq!(damaged(&file, seed), damaged(&file, seed));
        different.insert(damaged(&file, seed));
        different.insert(damaged_at_the_ends(&file, 20, seed));
    }
    assert!(different.len() > 150, "{}", different.len());
    let mut text = b"{\"a\":[12,3]}".to_vec();
    number(&mut text, 2, 0);
    assert_eq!(text, b"{\"a\":[0,3]}");
}
