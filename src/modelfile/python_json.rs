//! JSON as Python writes it: `Infinity` and `NaN` stand where a number does.
//!
//! In: the bytes of a file. Out: its value, with those as texts of the same name, so that whoever needs a number refuses them.

use serde_json::Value;

/// Reads JSON that may hold `Infinity`, `-Infinity` and `NaN`.
///
/// # Errors
/// When it is no JSON otherwise.
pub fn json_with_infinity(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(text).or_else(|error| match std::str::from_utf8(text) {
        Ok(text) => serde_json::from_str(&without_infinity(text)),
        Err(_) => Err(error),
    })
}

/// `Infinity` and `NaN` outside strings as the strings of the same name.
fn without_infinity(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    // Between quotes that are not escaped, every second piece is a string.
    let mut inside = false;
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\\']) {
        let (piece, tail) = rest.split_at(at);
        push(&mut out, piece, inside);
        let escaped = if tail.starts_with('\\') { 2 } else { 1 };
        let end = tail
            .char_indices()
            .nth(escaped)
            .map_or(tail.len(), |(i, _)| i);
        out.push_str(&tail[..end]);
        inside ^= escaped == 1;
        rest = &tail[end..];
    }
    push(&mut out, rest, inside);
    out
}

fn push(out: &mut String, piece: &str, inside: bool) {
    if inside {
        out.push_str(piece);
        return;
    }
    let quoted = piece.replace("Infinity", "\"Infinity\"");
    let quoted = quoted.replace("-\"Infinity\"", "\"-Infinity\"");
    out.push_str(&quoted.replace("NaN", "\"NaN\""));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_python_writes_is_read() {
        let text = br#"{"a": [0.0, Infinity, -Infinity], "b": NaN, "c": "Infinity \" NaN"}"#;
        assert_eq!(
            json_with_infinity(text).unwrap(),
            json!({"a": [0.0, "Infinity", "-Infinity"], "b": "NaN", "c": "Infinity \" NaN"})
        );
        assert_eq!(json_with_infinity(b"[1]").unwrap(), json!([1]));
        for broken in [&b"{"[..], b"Infinit", b"\xff"] {
            assert!(json_with_infinity(broken).is_err());
        }
    }
}
