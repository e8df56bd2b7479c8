//! `sections`: titles begin lines, in the given order.

use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;
use crate::scorer::text::fold;

pub(crate) fn check(answer: &Answer<'_>, titles: &[String]) -> Finding {
    let lines: Vec<String> = answer
        .raw
        .lines()
        .map(|line| fold(&line.to_lowercase()))
        .collect();
    let mut from = 0;
    for title in titles {
        let wanted = fold(&title.to_lowercase());
        let Some(at) = lines[from..].iter().position(|line| titled(line, &wanted)) else {
            let before = lines[..from].iter().any(|line| titled(line, &wanted));
            let why = if before {
                "stands too early"
            } else {
                "is absent"
            };
            return Finding::of(false, || format!("the section `{title}` {why}"));
        };
        from += at + 1;
    }
    Finding::of(true, String::new)
}

/// Whether a line begins with the title, apart from heading and emphasis marks.
fn titled(line: &str, title: &str) -> bool {
    let line = line.trim_start_matches(|c: char| "#*_` ".contains(c));
    line.strip_prefix(title)
        .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::{find, table};
    use crate::scorer::finding::Finding;

    #[test]
    fn titles_stand_in_order() {
        table(
            "{ type = \"sections\", titles = [\"Decisions\", \"Next steps\"] }",
            &[
                ("Decisions: none\nNext steps: all", true),
                ("## Decisions\ntext\n\n**Next steps:**\n- a", true),
                ("*Decisions*\n# next  STEPS", true),
                ("Next steps\nDecisions", false),
                ("Decisions", false),
                ("The Decisions\nNext steps", false),
                ("Decisionsmade\nNext steps", false),
                ("Decisions and Next steps", false),
                ("", false),
            ],
        );
    }

    #[test]
    fn reasons_tell_order_from_absence() {
        let toml = "{ type = \"sections\", titles = [\"A\", \"B\"] }";
        for (answer, reason) in [
            ("B\nA", "the section `B` stands too early"),
            ("A", "the section `B` is absent"),
        ] {
            assert!(
                matches!(find(toml, answer), Finding::Judged { why: Some(why), .. } if why == reason)
            );
        }
    }
}
