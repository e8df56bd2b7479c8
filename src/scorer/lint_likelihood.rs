//! What can be wrong with questions and texts that are scored by log-likelihood.

use super::lint::{LintProblem, MOST_AT_ONE_PLACE};
use super::text::shorten;
use crate::record::{Message, TaskKind};
use crate::suite::{PromptStyle, Sample, Task};
use std::collections::{BTreeMap, BTreeSet};

/// Below this many samples a share of places says nothing.
const LEAST_FOR_PLACES: usize = 5;
/// Control tokens that begin texts of known families. A text of a suite never becomes one.
const WRITTEN: [&str; 7] = [
    "<s>",
    "<bos>",
    "[BOS]",
    "<|begin_of_text|>",
    "<|endoftext|>",
    "<|startoftext|>",
    "<|im_start|>",
];
/// Characters of a choice that are shown.
const SHOWN: usize = 60;

/// What is wrong with one sample.
pub(super) fn problems(task: &Task, sample: &Sample, shown: &[Message]) -> Vec<LintProblem> {
    let mut all = Vec::new();
    let raw = task.kind == TaskKind::Perplexity || task.likelihood.prompt == PromptStyle::Raw;
    let what = match task.kind {
        TaskKind::Perplexity => "text",
        TaskKind::Generate | TaskKind::Choice => "prompt",
    };
    if let Some(first) = shown.first().filter(|_| raw)
        && let Some(token) = WRITTEN.into_iter().find(|t| first.content.starts_with(t))
    {
        all.push(LintProblem::WrittenToken { what, token });
    }
    let mut seen = BTreeSet::new();
    for (choice, text) in sample.choices.iter().enumerate() {
        if !seen.insert(text.trim()) {
            let text = shorten(text, SHOWN);
            all.push(LintProblem::DuplicateChoice { text });
        }
        if raw && text.starts_with(char::is_whitespace) {
            all.push(LintProblem::BlankChoice { choice });
        }
    }
    all
}

/// A place where the right choice stands too often.
pub(super) fn position(task: &Task) -> Option<LintProblem> {
    let mut places: BTreeMap<u32, usize> = BTreeMap::new();
    for answer in task.samples.iter().filter_map(|s| s.answer) {
        *places.entry(answer).or_default() += 1;
    }
    let all: usize = places.values().sum();
    if all < LEAST_FOR_PLACES {
        return None;
    }
    // The lowest of equal ones.
    let (position, most) = places.into_iter().rev().max_by_key(|(_, n)| *n)?;
    let above = most * 100 > all * MOST_AT_ONE_PLACE as usize;
    let percent = (most as f64 / all as f64 * 100.0).round() as u32;
    above.then_some(LintProblem::PositionBias { position, percent })
}

#[cfg(test)]
mod tests {
    use super::super::lint::lint;
    use crate::suite::parse;

    const HEAD: &str = "format = 1\nname = \"t\"\nversion = \"1\"\nlicense = \"MIT\"\nlanguage = \"en\"\nprimary = \"acc\"\n";

    fn findings(tasks: &str) -> Vec<String> {
        let suite =
            parse("t.toml", &format!("{HEAD}{tasks}"), None).unwrap_or_else(|e| panic!("{e}"));
        let report = lint(&suite);
        report.findings.iter().map(ToString::to_string).collect()
    }

    fn question(id: &str, input: &str, choices: &str, answer: u32) -> String {
        format!(
            "[[task.sample]]\nid = \"{id}\"\ninput = \"{input}\"\nchoices = {choices}\nanswer = {answer}\n"
        )
    }

    #[test]
    fn questions_that_cannot_do_their_work_are_found() {
        let two = "[\"yes\", \"no\"]";
        let mut text = "[[task]]\nid = \"q\"\ntype = \"choice\"\n".to_owned();
        let inputs = ["<s>One?", "Two?", "Three?", "Four?", "Five?"];
        for (n, input) in inputs.into_iter().enumerate() {
            let choices = match n {
                1 => "[\"yes\", \" no\", \"yes\"]",
                _ => two,
            };
            text += &question(&format!("s{n}"), input, choices, u32::from(n == 4));
        }
        assert_eq!(
            findings(&text),
            [
                "t.toml:10:1: warning: q: choice 0 is the right one in 80 % of the samples; above 60 % a model that prefers this place does well without reading",
                "t.toml:10:1: warning: q/s0: the prompt begins with `<s>`, which is read as text: the model's own begin token is put before it",
                "t.toml:15:1: warning: q/s1: choice 1 begins with white space, but the prompt puts a blank before it",
                "t.toml:15:1: error: q/s1: the choice `yes` stands in `choices` more than once",
            ]
        );
        // Behind a chat template a choice may begin as it likes, and three of five is not above 60 %.
        let chat = text
            .replace("type = \"choice\"", "type = \"choice\"\nprompt = \"chat\"")
            .replace(
                "Three?\"\nchoices = [\"yes\", \"no\"]\nanswer = 0",
                "Three?\"\nchoices = [\"yes\", \"no\"]\nanswer = 1",
            );
        assert_eq!(
            findings(&chat),
            ["t.toml:16:1: error: q/s1: the choice `yes` stands in `choices` more than once"]
        );
    }

    #[test]
    fn texts_are_looked_at() {
        let text =
            |id: &str, text: &str| format!("[[task.sample]]\nid = \"{id}\"\ntext = \"{text}\"\n");
        let long = (0..40)
            .map(|n| format!("word{n}"))
            .collect::<Vec<_>>()
            .join(" ");
        let task = format!(
            "[[task]]\nid = \"r\"\ntype = \"perplexity\"\n{}{}",
            text("a", &format!("<bos>{long}")),
            text("b", &format!("{long} more")),
        );
        assert_eq!(
            findings(&task),
            [
                "t.toml:10:1: warning: r/a: the text begins with `<bos>`, which is read as text: the model's own begin token is put before it",
                "t.toml:13:1: warning: r/b: the input is 95 % the same as that of `r/a` in line 10",
            ]
        );
        let one = format!(
            "[[task]]\nid = \"r\"\ntype = \"perplexity\"\n{}",
            text("a", "Only this.")
        );
        assert_eq!(
            findings(&one),
            ["t.toml:10:1: warning: r: the task has 1 samples; below 2 its results say little"]
        );
    }
}
