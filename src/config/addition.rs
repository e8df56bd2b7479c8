//! A new entry of the catalogue, as text that is appended to it. What the file holds already, comments and order, is never rewritten.

use super::{Catalog, ConfigError};
use crate::record::Digest;
use std::path::Path;

/// What is known of a model that is to be added.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Addition {
    /// Its name; unique in the catalogue.
    pub name: String,
    /// Its source.
    pub source: String,
    /// Digest of its weights, when it was computed on this machine.
    pub sha256: Option<Digest>,
    /// What the file calls itself.
    pub description: Option<String>,
    /// Licence the file names.
    pub license: Option<String>,
    /// Number of parameters.
    pub parameters: Option<u64>,
}

impl Addition {
    /// The text to append to a catalogue with this text. The whole is read as a catalogue before it is returned.
    ///
    /// # Errors
    /// When the catalogue would not be valid with it, for example because it has the name already.
    pub fn after(
        &self,
        text: &str,
        origin: &str,
        folder: Option<&Path>,
    ) -> Result<String, ConfigError> {
        let gap = match text {
            "" => "",
            text if text.ends_with('\n') => "\n",
            _ => "\n\n",
        };
        let addition = format!("{gap}{}", self.entry());
        Catalog::parse(&format!("{text}{addition}"), origin, folder)?;
        Ok(addition)
    }

    fn entry(&self) -> String {
        let mut out = String::from("[[model]]\n");
        let mut line = |key: &str, value: String| out.push_str(&format!("{key} = {value}\n"));
        line("name", quoted(&self.name));
        if let Some(text) = self.description.as_deref().and_then(one_line) {
            line("description", quoted(&text));
        }
        line("sources", format!("[{}]", quoted(&self.source)));
        if let Some(digest) = &self.sha256 {
            line("sha256", quoted(digest.as_str()));
        }
        if let Some(count) = self
            .parameters
            .filter(|c| (1..1_000_000_000_000_000).contains(c))
        {
            line("parameters", count.to_string());
        }
        if let Some(text) = self.license.as_deref().and_then(one_line) {
            line("license", quoted(&text));
        }
        out
    }
}

/// Text of a file or a network as one short line; `None` when nothing is left of it.
fn one_line(text: &str) -> Option<String> {
    const MOST: usize = 200;
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = words.chars().take(MOST).collect();
    (!short.is_empty()).then_some(short)
}

/// A TOML string.
fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A name for the model of a source: the file's or repository's name in lower case, with what may not stand in a name left out.
pub fn suggested_name(text: &str) -> String {
    let last = text.rsplit(['/', '\\']).next().unwrap_or(text);
    let lower = last.to_ascii_lowercase();
    let stem = [".gguf", ".safetensors.index.json", ".safetensors"]
        .iter()
        .find_map(|end| lower.strip_suffix(end))
        .unwrap_or(&lower);
    let plain: String = stem
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') => c,
            _ => '-',
        })
        .take(100)
        .collect();
    match plain.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()) {
        "" => "model".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addition() -> Addition {
        Addition {
            name: "new".to_owned(),
            source: "hf:o/r/m.gguf".to_owned(),
            description: Some("a \"quoted\"\nname \u{7f}\\".to_owned()),
            license: Some("MIT".to_owned()),
            parameters: Some(135),
            sha256: None,
        }
    }

    #[test]
    fn an_entry_is_appended_and_read_back() {
        let text = "# mine\n[[model]]\nname = \"old\"\nsources = [\"path:x\"] # here";
        let added = addition().after(text, "models.toml", None).unwrap();
        assert_eq!(
            added,
            "\n\n[[model]]\nname = \"new\"\ndescription = \"a \\\"quoted\\\" name \\\\\"\nsources = [\"hf:o/r/m.gguf\"]\nparameters = 135\nlicense = \"MIT\"\n"
        );
        let whole = Catalog::parse(&format!("{text}{added}"), "models.toml", None).unwrap();
        let entry = whole.find("new").unwrap();
        assert_eq!(entry.description.as_deref(), Some("a \"quoted\" name \\"));
        assert_eq!(entry.parameters, Some(135));
        assert!(
            addition()
                .after("", "models.toml", None)
                .unwrap()
                .starts_with("[[model]]")
        );
    }

    #[test]
    fn what_would_not_be_valid_is_refused_before_anything_is_written() {
        let text = "[[model]]\nname = \"new\"\nsources = [\"path:x\"]\n";
        let error = addition()
            .after(text, "models.toml", None)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("models.toml:6:8: "), "{error}");
        let unpinned = Addition {
            source: "https://example.org/m.gguf".to_owned(),
            ..addition()
        };
        assert!(unpinned.after("", "models.toml", None).is_err());
    }

    #[test]
    fn names_are_made_of_what_a_name_may_have() {
        for (text, name) in [
            ("SmolLM2-135M-Q4_K_M.GGUF", "smollm2-135m-q4_k_m"),
            ("Qwen/Qwen3-0.6B", "qwen3-0.6b"),
            ("x/model.safetensors.index.json", "model"),
            ("a b/ü c.gguf", "c"),
            ("...", "model"),
        ] {
            assert_eq!(suggested_name(text), name);
        }
    }
}
