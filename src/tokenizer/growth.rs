//! How many times as long the stages of a `tokenizer.json` can make a text.
//!
//! In: a normalizer, pre-tokenizer or decoder as the `tokenizers` crate writes it. Out: nothing, or an error that names the key. A
//! chain of forty replacements that double a character would take all memory of the process, so it is refused before it runs.
//!
//! The bound is the product over the steps, each at its worst. A step whose growth Unicode fixes (`NFKC`, `Lowercase`, ...) is free the
//! first time, because every real file has some of them and they change nothing in their own output; each further one counts.
//!
//! Source: the normalizers, pre-tokenizers and decoders of the `tokenizers` crate; the factors of Unicode's forms are those of its
//! annex 15.

use super::TokenizerError;
use serde_json::Value;

/// Five times what the files of known models reach.
const MAX_GROWTH: f64 = 64.0;
/// Longest text that compatibility decomposition makes of one character.
const NFKC_BYTES: f64 = 33.0;
/// Keys that hold the steps of a sequence.
const LISTS: [&str; 3] = ["normalizers", "pretokenizers", "decoders"];

/// Refuses `stage`, which stands under `key`, when it can make a text much longer.
pub(super) fn check(key: &'static str, stage: &Value) -> Result<(), TokenizerError> {
    let mut seen = Vec::new();
    let growth = product(stage, &mut seen);
    if growth <= MAX_GROWTH {
        return Ok(());
    }
    Err(TokenizerError::Growth {
        key,
        growth: growth.ceil() as u64,
        limit: MAX_GROWTH as u64,
    })
}

fn product<'v>(step: &'v Value, seen: &mut Vec<&'v str>) -> f64 {
    let inner = LISTS.iter().filter_map(|list| step[list].as_array());
    let inner: Vec<f64> = inner.flatten().map(|inner| product(inner, seen)).collect();
    inner.into_iter().product::<f64>() * factor(step, seen)
}

/// Bytes that one step can make of one byte, at least 1.
fn factor<'v>(step: &'v Value, seen: &mut Vec<&'v str>) -> f64 {
    let bytes = |value: &Value| value.as_str().map_or(0, str::len) as f64;
    match step["type"].as_str().unwrap_or_default() {
        "Replace" => match bytes(&step["pattern"]["String"]) {
            // An expression can match one byte, and between any two.
            0.0 => 1.0 + bytes(&step["content"]),
            from => (bytes(&step["content"]) / from).max(1.0),
        },
        "Prepend" => 1.0 + bytes(&step["prepend"]),
        // A space before the text, and two bytes for every byte.
        "ByteLevel" => 4.0,
        // The replacement before the text, and one for every space.
        "Metaspace" => 1.0 + bytes(&step["replacement"]),
        "Precompiled" => (longest(&step["precompiled_charsmap"]) / NFKC_BYTES).max(1.0),
        name @ ("NFC" | "NFD" | "NFKC" | "NFKD" | "Lowercase" | "BertNormalizer") => {
            if !seen.contains(&name) {
                seen.push(name);
                return 1.0;
            }
            match name {
                "NFKC" | "NFKD" => 11.0,
                "Lowercase" => 1.5,
                _ => 3.0,
            }
        }
        _ => 1.0,
    }
}

/// Bytes of the longest replacement of a character map in base 64; what is no map the crate has refused.
fn longest(map: &Value) -> f64 {
    let map = map.as_str().unwrap_or_default();
    let mut bytes = Vec::with_capacity(map.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in map.bytes().filter_map(digit) {
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return 0.0;
    };
    let texts = rest
        .get(u32::from_le_bytes(*length) as usize..)
        .unwrap_or(rest);
    let longest = texts.split(|&byte| byte == 0).map(<[u8]>::len).max();
    longest.unwrap_or(0) as f64
}

/// The value of a digit in base 64.
fn digit(c: u8) -> Option<u8> {
    match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn growth(stage: &Value) -> f64 {
        product(stage, &mut Vec::new())
    }

    #[test]
    fn the_growth_of_known_files_is_small() {
        let llama = json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]});
        assert_eq!(growth(&llama), 12.0);
        let albert = json!({"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"String": "``"}, "content": "\""}, {"type": "NFKD"}, {"type": "StripAccents"},
            {"type": "Lowercase"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]});
        assert_eq!(growth(&albert), 2.0);
        let meta = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
        assert_eq!(growth(&meta), 4.0);
        assert_eq!(growth(&Value::Null), 1.0);
        // A map of no word whose replacements are `abc` and `d`.
        let map = json!({"type": "Precompiled", "precompiled_charsmap": "AAAAAGFiYwBkAA=="});
        assert_eq!(longest(&map["precompiled_charsmap"]), 3.0);
        assert_eq!(growth(&map), 1.0);
    }

    #[test]
    fn chains_that_grow_without_bound_are_refused() {
        let twice = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
        let chain = |step: &Value, count| json!({"type": "Sequence", "normalizers": vec![step.clone(); count]});
        assert!(check("normalizer", &chain(&twice, 6)).is_ok());
        assert_eq!(
            check("normalizer", &chain(&twice, 7))
                .unwrap_err()
                .to_string(),
            "`normalizer` in `tokenizer.json` can make a text 128 times as long, above the limit of 64 times"
        );
        for (step, count) in [
            (json!({"type": "NFKC"}), 3),
            (json!({"type": "Prepend", "prepend": "▁"}), 4),
            (json!({"type": "Prepend", "prepend": "x".repeat(64)}), 1),
            (
                json!({"type": "Replace", "pattern": {"Regex": ""}, "content": "x".repeat(64)}),
                1,
            ),
            (twice, 5000),
        ] {
            assert!(check("normalizer", &chain(&step, count)).is_err(), "{step}");
        }
        let bytes = json!({"type": "ByteLevel"});
        let nested = json!({"type": "Sequence", "pretokenizers": [{"type": "Sequence", "pretokenizers": vec![bytes; 4]}]});
        assert!(check("pre_tokenizer", &nested).is_err());
    }
}
