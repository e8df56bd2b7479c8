//! The champion of each suite, as a history that only grows: one JSON object a line.
//!
//! A promotion puts a model on the stack of its suite, a rollback takes the top one off. Every line also names the champion that follows
//! from it, so that a person can read it and a wrong line is found.

use super::error::BaselineError;
use crate::record::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Raised when a field changes its meaning or goes away.
const SCHEMA_VERSION: u64 = 1;
/// Largest file that is read.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A new champion.
    Promote,
    /// Back to the one before.
    Rollback,
}

impl Action {
    /// The name in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    schema_version: u64,
    /// The suite.
    pub suite: String,
    /// What was done.
    pub action: Action,
    /// The champion that follows.
    pub model: String,
    /// Its content id.
    pub model_id: String,
    /// The run it was measured in.
    pub run: String,
    /// Name of the baseline that holds what it did, a file beside the history.
    pub baseline: String,
    /// Digest of that baseline.
    pub baseline_digest: String,
    /// When, RFC 3339 UTC.
    pub at: String,
    /// Why, in the words of who did it.
    pub reason: Option<String>,
}

impl Entry {
    /// A promotion.
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of a line, read as a line"
    )]
    pub fn promote(
        suite: &str,
        model: &str,
        model_id: &Digest,
        run: &str,
        baseline: &str,
        baseline_digest: &Digest,
        at: &str,
        reason: Option<String>,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            suite: suite.to_owned(),
            action: Action::Promote,
            model: model.to_owned(),
            model_id: model_id.to_string(),
            run: run.to_owned(),
            baseline: baseline.to_owned(),
            baseline_digest: baseline_digest.to_string(),
            at: at.to_owned(),
            reason,
        }
    }

    fn same_champion(&self, other: &Self) -> bool {
        (&self.model_id, &self.run, &self.baseline_digest)
            == (&other.model_id, &other.run, &other.baseline_digest)
    }
}

/// The whole history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Champions {
    entries: Vec<Entry>,
    /// Positions of the promotions in force by suite, the champion last.
    stacks: BTreeMap<String, Vec<usize>>,
}

impl Champions {
    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// When it is too large, a line is not an entry, or an entry does not follow from those before it.
    pub fn parse(path: &str, text: &str) -> Result<Self, BaselineError> {
        if text.len() > MOST_BYTES {
            return Err(BaselineError::TooLarge {
                path: path.to_owned(),
                bytes: text.len(),
                most: MOST_BYTES,
            });
        }
        let mut all = Self::default();
        for (i, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let entry: Entry =
                serde_json::from_str(line).map_err(|e| BaselineError::json(path, i + 1, &e))?;
            if entry.schema_version > SCHEMA_VERSION {
                return Err(BaselineError::Newer {
                    path: path.to_owned(),
                    found: entry.schema_version,
                    known: SCHEMA_VERSION,
                });
            }
            super::check_name(&entry.baseline)?;
            all.follow(path, i + 1, entry)?;
        }
        Ok(all)
    }

    fn follow(&mut self, path: &str, line: usize, entry: Entry) -> Result<(), BaselineError> {
        if entry.action == Action::Rollback {
            let stack = self.stacks.entry(entry.suite.clone()).or_default();
            stack.pop();
            let expected = stack.last().map(|&at| &self.entries[at]);
            if expected.is_none_or(|e| !e.same_champion(&entry)) {
                return Err(BaselineError::History {
                    path: path.to_owned(),
                    line,
                    suite: entry.suite,
                    stated: entry.model,
                    expected: expected.map_or_else(|| "nobody".to_owned(), |e| e.model.clone()),
                });
            }
        } else {
            let stack = self.stacks.entry(entry.suite.clone()).or_default();
            stack.push(self.entries.len());
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Every entry, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Suites with their champions.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.stacks
            .iter()
            .filter_map(|(suite, stack)| Some((suite.as_str(), &self.entries[*stack.last()?])))
    }

    /// The champion of a suite.
    ///
    /// # Errors
    /// When it has none.
    pub fn champion(&self, suite: &str) -> Result<&Entry, BaselineError> {
        self.all()
            .find(|(name, _)| *name == suite)
            .map(|(_, entry)| entry)
            .ok_or_else(|| BaselineError::NoChampion {
                suite: suite.to_owned(),
                valid: self.all().map(|(name, _)| name.to_owned()).collect(),
            })
    }

    /// Adds a promotion.
    ///
    /// # Errors
    /// When this very result is the champion already.
    pub fn promote(&mut self, entry: Entry) -> Result<(), BaselineError> {
        if let Ok(now) = self.champion(&entry.suite)
            && (&now.model_id, &now.run) == (&entry.model_id, &entry.run)
        {
            return Err(BaselineError::AlreadyChampion {
                suite: entry.suite,
                model: entry.model,
                run: entry.run,
            });
        }
        self.follow("", self.entries.len() + 1, entry)
    }

    /// Adds a rollback and gives the champion that follows.
    ///
    /// # Errors
    /// When the suite has no champion, or none before it.
    pub fn rollback(
        &mut self,
        suite: &str,
        at: &str,
        reason: Option<String>,
    ) -> Result<Entry, BaselineError> {
        let now = self.champion(suite)?;
        let stack = &self.stacks[suite];
        let before = stack.len().checked_sub(2).map(|i| stack[i]);
        let Some(before) = before.map(|i| self.entries[i].clone()) else {
            return Err(BaselineError::NothingBefore {
                suite: suite.to_owned(),
                model: now.model.clone(),
            });
        };
        let entry = Entry {
            action: Action::Rollback,
            at: at.to_owned(),
            reason,
            ..before
        };
        self.follow("", self.entries.len() + 1, entry.clone())?;
        Ok(entry)
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        // An entry has texts and numbers, which JSON can always write.
        let line = |entry: &Entry| serde_json::to_string(entry).unwrap_or_default() + "\n";
        self.entries.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(suite: &str, model: &str, run: &str) -> Entry {
        let id = Digest::of(model.as_bytes());
        let digest = Digest::of(run.as_bytes());
        let baseline = format!("{suite}-{model}-{run}");
        let reason = Some(format!("why {model}"));
        Entry::promote(
            suite,
            model,
            &id,
            run,
            &baseline,
            &digest,
            "2026-11-22T12:00:00Z",
            reason,
        )
    }

    fn history() -> Champions {
        let mut all = Champions::default();
        for (suite, model, run) in [
            ("shop", "a", "r1"),
            ("smoke", "x", "r2"),
            ("shop", "b", "r3"),
            ("shop", "c", "r4"),
        ] {
            all.promote(entry(suite, model, run)).unwrap();
        }
        all
    }

    fn champion(all: &Champions, suite: &str) -> String {
        all.champion(suite).unwrap().model.clone()
    }

    #[test]
    fn promotions_pile_up_and_rollbacks_go_down_one_by_one() {
        let mut all = history();
        assert_eq!(champion(&all, "shop"), "c");
        assert_eq!(champion(&all, "smoke"), "x");
        let back = all
            .rollback("shop", "later", Some("slow".to_owned()))
            .unwrap();
        assert_eq!((back.model.as_str(), back.run.as_str()), ("b", "r3"));
        assert_eq!(
            (back.at.as_str(), back.reason.as_deref()),
            ("later", Some("slow"))
        );
        all.rollback("shop", "later", None).unwrap();
        assert_eq!(champion(&all, "shop"), "a");
        assert_eq!(
            all.rollback("shop", "later", None).unwrap_err().to_string(),
            "`a` is the first champion of suite `shop`: there is none before it"
        );
        all.promote(entry("shop", "d", "r5")).unwrap();
        all.rollback("shop", "later", None).unwrap();
        assert_eq!(champion(&all, "shop"), "a");
        assert_eq!(all.entries().len(), 8);
        assert_eq!(champion(&all, "smoke"), "x");
    }

    #[test]
    fn what_is_written_is_read_back_and_only_grows() {
        let mut all = history();
        let before = all.to_text();
        all.rollback("shop", "later", None).unwrap();
        let text = all.to_text();
        assert!(text.starts_with(&before) && text.lines().count() == 5);
        assert_eq!(Champions::parse("c.jsonl", &text).unwrap(), all);
        let spaced = text.replace('\n', "\r\n\r\n");
        assert_eq!(Champions::parse("c.jsonl", &spaced).unwrap(), all);
        assert_eq!(
            Champions::parse("c.jsonl", "").unwrap(),
            Champions::default()
        );
    }

    #[test]
    fn histories_that_cannot_be_are_refused() {
        let mut all = history();
        all.rollback("shop", "later", None).unwrap();
        let text = all.to_text();
        let refuse = |text: &str| Champions::parse("c.jsonl", text).unwrap_err().to_string();
        let kept = |l: &&str| !(l.contains("\"b\"") && l.contains("promote"));
        let without_b: Vec<&str> = text.lines().filter(kept).collect();
        let without_b = without_b.join("\n");
        assert_eq!(
            refuse(&without_b),
            "c.jsonl:4: the entry makes `b` the champion of `shop`, but after the entries before it that is `a`"
        );
        let last = text.lines().last().unwrap();
        assert!(refuse(last).ends_with("that is `nobody`"));
        assert!(refuse(&text.replacen("\"at\"", "\"when\"", 1)).starts_with("c.jsonl:1:"));
        assert!(refuse("\n[1]").starts_with("c.jsonl:2:"));
        assert!(
            refuse(&text.replacen("\"schema_version\":1", "\"schema_version\":7", 1))
                .contains("schema version 7")
        );
        assert!(refuse(&text.replacen("shop-a-r1", "../x", 1)).contains("is not a name"));
    }

    #[test]
    fn the_same_result_is_not_promoted_twice_and_names_are_told() {
        let mut all = history();
        assert_eq!(
            all.promote(entry("shop", "c", "r4"))
                .unwrap_err()
                .to_string(),
            "`c` of run `r4` is the champion of suite `shop` already"
        );
        all.promote(entry("shop", "c", "r6")).unwrap();
        assert_eq!(
            all.champion("none").unwrap_err().to_string(),
            "suite `none` has no champion; there is one of `shop`, `smoke`"
        );
    }
}
