//! `starts_with`, `ends_with`: as written apart from white space, quotes, dashes and emphasis.

use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;
use crate::scorer::text::fold;

pub(crate) fn starts_with(answer: &Answer<'_>, value: &str) -> Finding {
    let passed = answer.text(false).text.starts_with(&fold(value));
    Finding::of(passed, || format!("it does not begin with `{value}`"))
}

pub(crate) fn ends_with(answer: &Answer<'_>, value: &str) -> Finding {
    let passed = answer.text(false).text.ends_with(&fold(value));
    Finding::of(passed, || format!("it does not end with `{value}`"))
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::table;

    #[test]
    fn beginnings_and_ends() {
        table(
            "{ type = \"starts_with\", value = \"Dear Ms Varga\" }",
            &[
                ("  Dear  Ms Varga,\nthank you", true),
                ("**Dear Ms Varga**", true),
                ("dear ms varga", false),
                ("Hello, Dear Ms Varga", false),
            ],
        );
        table(
            "{ type = \"ends_with\", value = \"Kind regards\" }",
            &[
                ("Thanks.\n\nKind regards\n", true),
                ("Kind regards, Ann", false),
                ("", false),
            ],
        );
    }
}
