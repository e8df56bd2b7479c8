//! `contains`, `contains_any`, `contains_all`, `not_contains`: texts on whole words.

use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;
use crate::scorer::text::Text;

pub(crate) fn all(answer: &Answer<'_>, values: &[String], ignore_case: bool) -> Finding {
    let absent = values.iter().find(|value| !has(answer, value, ignore_case));
    Finding::of(absent.is_none(), || {
        format!("`{}` is absent", absent.map_or("", |v| v))
    })
}

pub(crate) fn any(answer: &Answer<'_>, values: &[String], ignore_case: bool) -> Finding {
    let found = values.iter().any(|value| has(answer, value, ignore_case));
    Finding::of(found, || {
        format!("none of `{}` appears", values.join("`, `"))
    })
}

pub(crate) fn none(answer: &Answer<'_>, values: &[String], ignore_case: bool) -> Finding {
    let found = values.iter().find(|value| has(answer, value, ignore_case));
    Finding::of(found.is_none(), || {
        format!("`{}` appears", found.map_or("", |v| v))
    })
}

fn has(answer: &Answer<'_>, value: &str, ignore_case: bool) -> bool {
    let wanted = if ignore_case {
        Text::lower(value)
    } else {
        Text::folded(value)
    };
    answer.text(ignore_case).contains(&wanted.text)
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::table;

    #[test]
    fn texts_are_found_on_whole_words() {
        table(
            "{ type = \"contains\", value = \"not in the policy\" }",
            &[
                ("That is **Not** in the\n policy.", true),
                ("not in the policyholder's file", false),
                ("in the policy", false),
            ],
        );
        table(
            "{ type = \"contains\", value = \"OK\", ignore_case = false }",
            &[("It is OK.", true), ("It is ok.", false), ("BOOK", false)],
        );
        table(
            "{ type = \"contains\", value = \"30 days'\" }",
            &[
                ("30 days\u{2019} notice", true),
                ("130 days' notice", false),
                ("1,30 days'", false),
            ],
        );
    }

    #[test]
    fn lists_of_texts() {
        let values = "values = [\"refund\", \"credit note\"]";
        table(
            &format!("{{ type = \"contains_any\", {values} }}"),
            &[
                ("A refund.", true),
                ("A credit  note.", true),
                ("Refunds, credits.", false),
            ],
        );
        table(
            &format!("{{ type = \"contains_all\", {values} }}"),
            &[
                ("Refund and credit note", true),
                ("A refund.", false),
                ("", false),
            ],
        );
        table(
            &format!("{{ type = \"not_contains\", {values} }}"),
            &[
                ("We refunded it.", true),
                ("REFUND", false),
                ("credit\u{a0}note", false),
                ("", true),
            ],
        );
    }
}
