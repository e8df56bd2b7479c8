//! `equals`: the whole answer is one text. Quotes around it, a closing point and emphasis do not count.

use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;
use crate::scorer::text::{Text, shorten};

pub(crate) fn check(answer: &Answer<'_>, value: &str, ignore_case: bool) -> Finding {
    let found = strip(&answer.text(ignore_case).text);
    let wanted = if ignore_case {
        Text::lower(value)
    } else {
        Text::folded(value)
    };
    let why = || format!("the answer is not `{value}` but `{}`", shorten(found, 80));
    Finding::of(found == strip(&wanted.text), why).answered(found)
}

fn strip(text: &str) -> &str {
    let outer = |text| str::trim_matches(text, ['"', '\'', '*', '_', '`', ' ']);
    let inner = outer(text);
    outer(inner.strip_suffix('.').unwrap_or(inner))
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::table;

    #[test]
    fn whole_answers_are_compared() {
        table(
            "{ type = \"equals\", value = \"Not in the policy\" }",
            &[
                ("Not in the policy", true),
                ("not in the\npolicy.", true),
                ("\u{201c}Not in the policy.\u{201d}", true),
                ("**Not in the policy**.", true),
                ("Not in the policy!", false),
                ("It is not in the policy.", false),
                ("", false),
            ],
        );
        table(
            "{ type = \"equals\", value = \"OK.\", ignore_case = false }",
            &[("OK", true), ("OK.", true), ("ok", false)],
        );
    }
}
