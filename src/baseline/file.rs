//! One baseline as one JSON file.
//!
//! The text is laid out by hand where it matters: one prompt a line, so that a changed prompt is a changed line. The digest is that of the text
//! with an empty digest in it and without carriage returns.

use super::error::BaselineError;
use crate::analysis::Observed;
use crate::record::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the file says it is.
const KIND: &str = "evalh-baseline";
/// Raised when a field changes its meaning or goes away.
const SCHEMA_VERSION: u64 = 1;
/// Largest file that is read: about 400 bytes a prompt.
const MOST_BYTES: usize = 512 * 1024 * 1024;
/// Longest name.
const LONGEST_NAME: usize = 100;
/// Most margins; the catalogue has fewer metrics.
const MOST_MARGINS: usize = 1_000;

/// A baseline: what one model did, and what a gate needs beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Its name.
    pub name: String,
    /// Version of evalh that wrote it.
    pub evalh_version: String,
    /// Engine that ran the model, with its version; `None` where the model was never loaded.
    pub engine: Option<String>,
    /// When it was saved, RFC 3339 UTC.
    pub created_at: String,
    /// When the run began, RFC 3339 UTC.
    pub measured_at: String,
    /// Margins of the suite by metric.
    pub margins: BTreeMap<String, SavedMargin>,
    /// What the model did.
    pub observed: Observed,
}

/// A margin as the suite wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SavedMargin {
    /// Largest loss in the metric's own unit.
    Margin(f64),
    /// Largest ratio candidate / baseline.
    Ratio(f64),
}

/// The file, field by field.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema_version: u64,
    kind: String,
    digest: String,
    name: String,
    evalh_version: String,
    engine: Option<String>,
    created_at: String,
    measured_at: String,
    margins: BTreeMap<String, SavedMargin>,
    /// Last, with `prompts` last in it: the layout depends on it.
    observed: Observed,
}

/// What tells whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    kind: String,
}

/// Checks that a name can be the name of a file in every folder.
///
/// # Errors
/// When it cannot.
pub fn check_name(name: &str) -> Result<(), BaselineError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let first = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    if first && name.len() <= LONGEST_NAME && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(BaselineError::Name {
            name: name.to_owned(),
            most: LONGEST_NAME,
        })
    }
}

impl Baseline {
    /// The file's text.
    pub fn to_text(&self) -> String {
        let bare = self.layout("");
        let digest = Digest::of(bare.as_bytes());
        self.layout(digest.as_str())
    }

    /// The digest of its content, as the file states it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.layout("").as_bytes())
    }

    fn layout(&self, digest: &str) -> String {
        let file = File {
            schema_version: SCHEMA_VERSION,
            kind: KIND.to_owned(),
            digest: digest.to_owned(),
            name: self.name.clone(),
            evalh_version: self.evalh_version.clone(),
            engine: self.engine.clone(),
            created_at: self.created_at.clone(),
            measured_at: self.measured_at.clone(),
            margins: self.margins.clone(),
            observed: Observed {
                prompts: BTreeMap::new(),
                ..self.observed.clone()
            },
        };
        let head = serde_json::to_string_pretty(&file)
            .expect("the fields are texts, numbers and maps with text keys, which JSON can write");
        let head = head.strip_suffix("{}\n  }\n}").unwrap_or(&head);
        let mut out = format!("{head}{{\n");
        let prompts = &self.observed.prompts;
        for (i, (key, prompt)) in prompts.iter().enumerate() {
            let json = |value: serde_json::Result<String>| {
                value.expect("a prompt has texts and finite numbers, which JSON can write")
            };
            let comma = if i + 1 < prompts.len() { "," } else { "" };
            out.push_str(&format!(
                "      {}: {}{comma}\n",
                json(serde_json::to_string(key)),
                json(serde_json::to_string(prompt))
            ));
        }
        out.push_str("    }\n  }\n}\n");
        out
    }

    /// Checks the length of the file at `path` before it is read.
    ///
    /// # Errors
    /// When it is too long.
    pub fn check_length(path: &str, bytes: usize) -> Result<(), BaselineError> {
        if bytes <= MOST_BYTES {
            return Ok(());
        }
        Err(BaselineError::TooLarge {
            path: path.to_owned(),
            bytes,
            most: MOST_BYTES,
        })
    }

    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// When it is too large, not a baseline, of a newer version, changed since it was written, or holds numbers that cannot be.
    pub fn parse(path: &str, text: &str) -> Result<Self, BaselineError> {
        Self::check_length(path, text.len())?;
        let head: Head =
            serde_json::from_str(text).map_err(|e| BaselineError::json(path, 1, &e))?;
        if head.kind != KIND {
            return Err(BaselineError::Kind {
                path: path.to_owned(),
                found: head.kind.chars().take(60).collect(),
                wanted: KIND,
            });
        }
        if head.schema_version > SCHEMA_VERSION {
            return Err(BaselineError::Newer {
                path: path.to_owned(),
                found: head.schema_version,
                known: SCHEMA_VERSION,
            });
        }
        check_digest(path, text)?;
        let file: File =
            serde_json::from_str(text).map_err(|e| BaselineError::json(path, 1, &e))?;
        check_name(&file.name)?;
        if file.margins.len() > MOST_MARGINS {
            return Err(BaselineError::TooLarge {
                path: path.to_owned(),
                bytes: file.margins.len(),
                most: MOST_MARGINS,
            });
        }
        file.observed
            .check()
            .map_err(|source| BaselineError::Observations {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            name: file.name,
            evalh_version: file.evalh_version,
            engine: file.engine,
            created_at: file.created_at,
            measured_at: file.measured_at,
            margins: file.margins,
            observed: file.observed,
        })
    }
}

/// Holds the digest in the text against the text.
fn check_digest(path: &str, text: &str) -> Result<(), BaselineError> {
    const FIELD: &str = "\n  \"digest\": \"";
    let clean = text.replace('\r', "");
    let stated = clean.split_once(FIELD).and_then(|(before, rest)| {
        let (digest, after) = rest.split_once('"')?;
        let bare = format!("{before}{FIELD}\"{after}");
        Some((digest.to_owned(), Digest::of(bare.as_bytes())))
    });
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    match stated {
        Some((stated, computed)) if stated == computed.as_str() => Ok(()),
        Some((stated, computed)) => Err(BaselineError::Edited {
            path: path.to_owned(),
            stated: short(&stated),
            computed: computed.short().to_owned(),
        }),
        None => Err(BaselineError::Edited {
            path: path.to_owned(),
            stated: "-".to_owned(),
            computed: Digest::of(clean.as_bytes()).short().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testkit::{self, Spec};

    /// A baseline with this many prompts.
    fn baseline(prompts: usize) -> Baseline {
        let name = "gemma-3-270m-q4_k_m";
        let run = testkit::run(&[(name, vec![Spec::scored(8.0); prompts])], 1);
        let mut observed = Observed::of_run(&run, name).unwrap();
        for (i, prompt) in observed.prompts.values_mut().enumerate() {
            prompt.task = "summarise-meeting".to_owned();
            let epoch = &mut prompt.epochs[0];
            epoch.score = Some((i as f64 + 0.1) / 3.0);
            epoch.ttft_ms = Some(1e3 / 7.0 + i as f64);
            epoch.tpot_ms = Some(20.123_456);
        }
        Baseline {
            name: "main".to_owned(),
            evalh_version: "0.1.0".to_owned(),
            engine: Some("candle 0.11.1".to_owned()),
            created_at: "2026-11-22T12:00:00Z".to_owned(),
            measured_at: "2026-11-22T10:00:00Z".to_owned(),
            margins: BTreeMap::from([
                ("score".to_owned(), SavedMargin::Margin(0.3)),
                ("ttft_ms_p50".to_owned(), SavedMargin::Ratio(1.15)),
            ]),
            observed,
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_the_same_bytes() {
        for prompts in [1, 2, 73] {
            let b = baseline(prompts);
            let text = b.to_text();
            let again = Baseline::parse("b.json", &text).unwrap();
            assert_eq!(again, b);
            assert_eq!(again.to_text(), text);
            assert!(text.contains(&format!("\"digest\": \"{}\"", b.digest())));
            assert_eq!(
                text.lines().filter(|l| l.contains("\"epochs\":")).count(),
                prompts
            );
        }
    }

    #[test]
    fn a_suite_of_73_prompts_is_small_enough_to_commit() {
        let bytes = baseline(73).to_text().len();
        assert!((20_000..40_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn line_ends_may_change_and_nothing_else() {
        let text = baseline(3).to_text();
        assert!(Baseline::parse("b.json", &text.replace('\n', "\r\n")).is_ok());
        let short = |text: &str| Baseline::parse("b.json", text).unwrap_err().to_string();
        for (from, to) in [
            ("\"passed\":true", "\"passed\":false"),
            ("\"margin\": 0.3", "\"margin\": 3.0"),
            ("gemma", "gamma"),
            ("  \"name\"", "   \"name\""),
        ] {
            assert!(text.contains(from), "{from}");
            let message = short(&text.replacen(from, to, 1));
            assert!(
                message.starts_with("`b.json` was changed after it was written: its digest is `"),
                "{message}"
            );
        }
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(short(&value.to_string()).contains("its digest is `-`"));
    }

    /// The text with a right digest, whatever is in it.
    fn sealed(text: &str) -> String {
        let (before, rest) = text.split_once("\n  \"digest\": \"").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        let with = |digest: &str| format!("{before}\n  \"digest\": \"{digest}\"{after}");
        with(Digest::of(with("").as_bytes()).as_str())
    }

    #[test]
    fn hostile_files_are_refused_even_with_a_right_digest() {
        let text = baseline(2).to_text();
        let refuse = |text: String| Baseline::parse("b.json", &text).unwrap_err().to_string();
        assert!(refuse("{".to_owned()).starts_with("b.json:1:1: EOF while parsing"));
        assert_eq!(
            refuse("{\"kind\": \"report\"}".to_owned()),
            "`b.json` is not a baseline of evalh: its `kind` is `report`, not `evalh-baseline`"
        );
        assert_eq!(
            refuse(text.replacen("\"schema_version\": 1", "\"schema_version\": 2", 1)),
            "`b.json` has schema version 2 but this evalh reads up to 1"
        );
        let change = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            refuse(sealed(&text.replacen(from, to, 1)))
        };
        assert_eq!(
            change("  \"name\"", "  \"colour\": 1,\n  \"name\""),
            "b.json:5:10: unknown field `colour`, expected one of `schema_version`, `kind`, `digest`, `name`, `evalh_version`, `engine`, `created_at`, `measured_at`, `margins`, `observed`"
        );
        assert!(
            change("\"name\": \"main\"", "\"name\": \"../main\"")
                .starts_with("`../main` is not a name")
        );
        assert!(change("20.123456", "1e999").contains("number out of range"));
        assert!(change("20.123456", "-1").ends_with("holds observations that cannot be used"));
        assert!(
            change("\"margin\": 0.3", "\"maargin\": 0.3").contains("unknown variant `maargin`")
        );
        assert!(change("\"correct\"", "\"late\"").contains("outcome `late` is none of"));
    }

    #[test]
    fn names_are_names_of_files() {
        for name in ["main", "a", "gemma-3-270m_q4.v2", "0"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "x".repeat(101);
        for name in ["", ".", "..", "-x", "a/b", "a\\b", "a b", "ä", "a\0", &long] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
