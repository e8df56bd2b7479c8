//! `regex`: an expression matches somewhere in the answer, as written, white space at its ends aside.

use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;
use crate::suite::Pattern;

pub(crate) fn check(answer: &Answer<'_>, pattern: &Pattern) -> Finding {
    let found = pattern.regex.find(answer.raw);
    let finding = Finding::of(found.is_some(), || {
        format!("`{}` does not match", pattern.source)
    });
    match found {
        Some(found) => finding.answered(found.as_str()),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::table;

    #[test]
    fn expressions_match_anywhere() {
        table(
            "{ type = \"regex\", pattern = '^\\W*no\\b', ignore_case = true }",
            &[
                (" \nNo. It is not.", true),
                ("**No**, sorry", true),
                ("Not in the policy", false),
                ("Yes, no", false),
            ],
        );
        table(
            "{ type = \"regex\", pattern = 'INV-\\d{4}$' }",
            &[
                ("see INV-2041\n", true),
                ("INV-2041\nmore", false),
                ("inv-2041", false),
            ],
        );
    }

    #[test]
    fn catastrophic_inputs_take_linear_time() {
        let text = "a".repeat(1 << 20);
        table("{ type = \"regex\", pattern = '(a+)+$' }", &[(&text, true)]);
        table(
            "{ type = \"regex\", pattern = '(a|aa)+b' }",
            &[(&text, false)],
        );
    }
}
