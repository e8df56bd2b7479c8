//! `facts` and `claims_absent`: statements, each with the ways it may be put.
//!
//! Texts are matched on whole words with numbers in one spelling. Expressions (`re:`) see the answer folded, with numbers as written
//! and with numbers in one spelling; either may match.

use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;
use crate::scorer::text::{Text, shorten};
use crate::suite::Alternative;

pub(crate) fn check(answer: &Answer<'_>, facts: &[Vec<Alternative>], min: usize) -> Finding {
    let absent: Vec<&str> = facts
        .iter()
        .filter(|fact| stated(answer, fact).is_none())
        .map(|fact| name(&fact[0]))
        .collect();
    let found = facts.len() - absent.len();
    let passed = found >= min;
    Finding::Judged {
        value: found as f64 / facts.len() as f64,
        passed,
        parsed: true,
        answer: None,
        why: (!passed).then(|| {
            let absent = shorten(&absent.join("`, `"), 240);
            format!(
                "{found} of {} facts are stated, {min} are needed; absent: `{absent}`",
                facts.len()
            )
        }),
    }
}

pub(crate) fn absent(answer: &Answer<'_>, claims: &[Vec<Alternative>]) -> Finding {
    let found = claims.iter().find_map(|claim| stated(answer, claim));
    Finding::of(found.is_none(), || {
        let claim = shorten(found.map_or("", name), 120);
        format!("`{claim}` is claimed")
    })
}

/// The alternative the answer states.
fn stated<'f>(answer: &Answer<'_>, fact: &'f [Alternative]) -> Option<&'f Alternative> {
    fact.iter().find(|alternative| match alternative {
        Alternative::Text(text) => answer.numeric().contains(&Text::numeric(text).text),
        Alternative::Pattern(pattern) => {
            pattern.regex.is_match(&answer.text(false).text)
                || pattern.regex.is_match(&answer.numeric().text)
        }
    })
}

fn name(alternative: &Alternative) -> &str {
    match alternative {
        Alternative::Text(text) => text,
        Alternative::Pattern(pattern) => &pattern.source,
    }
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::{find, table};
    use crate::scorer::finding::Finding;

    #[test]
    fn facts_have_alternatives() {
        table(
            "{ type = \"facts\", facts = [[\"12 %\", \"twelve percent\"], [\"1,249.50\"], [\"Friday\", \"re:\\\\bfri\\\\b\"]] }",
            &[
                ("12% of 1249.5, on Friday", true),
                ("**12** percent of $1,249.50 on FRI", true),
                ("Twelve percent of 1\u{a0}249.50 by friday", true),
                ("12% of 1249.55 on Friday", false),
                ("112 % of 1249.5 on Friday", false),
                ("12 of 1249.5 on Friday", false),
                ("", false),
            ],
        );
        table(
            "{ type = \"facts\", facts = [[\"a\"], [\"b\"], [\"c\"]], min = 2 }",
            &[("a, b", true), ("c", false), ("a b c", true)],
        );
    }

    #[test]
    fn the_share_counts() {
        let toml = "{ type = \"facts\", facts = [[\"one\"], [\"two\"], [\"three\"], [\"four\"]], min = 3 }";
        let Finding::Judged {
            value, passed, why, ..
        } = find(toml, "one and four")
        else {
            panic!("it is judged")
        };
        assert_eq!((value, passed), (0.5, false));
        assert_eq!(
            why.unwrap(),
            "2 of 4 facts are stated, 3 are needed; absent: `two`, `three`"
        );
        assert!(
            matches!(find(toml, "one two four"), Finding::Judged { value, passed: true, .. } if value == 0.75)
        );
    }

    #[test]
    fn claims_must_be_absent() {
        table(
            "{ type = \"claims_absent\", claims = [[\"190\", \"280\"], [\"re:^\\\\W*yes\\\\b\"]] }",
            &[
                ("Up to 140 EUR.", true),
                ("Up to 190 EUR.", false),
                ("190.00", false),
                ("1,190", true),
                ("\"Yes\", it is", false),
                ("", true),
            ],
        );
    }
}
