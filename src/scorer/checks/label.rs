//! `label`: exactly one of the choices appears, and it is the right one. Where a choice contains another the longest wins.

use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;
use crate::scorer::text::Text;
use std::ops::Range;

pub(crate) fn check(answer: &Answer<'_>, choices: &[String], equals: &str) -> Finding {
    let text = answer.text(true);
    let mut order: Vec<(usize, String)> = choices
        .iter()
        .map(|choice| Text::lower(choice).text)
        .enumerate()
        .collect();
    order.sort_by_key(|(_, choice)| std::cmp::Reverse(choice.len()));
    // Places of longer choices, sorted and apart from each other.
    let mut taken: Vec<Range<usize>> = Vec::new();
    let mut found = Vec::new();
    for (at, choice) in order {
        let mut places = Vec::new();
        let mut from = 0;
        while let Some(place) = text.find(&choice, from) {
            from = place.end;
            if !overlaps(&taken, &place) {
                places.push(place);
            }
        }
        if !places.is_empty() {
            found.push(at);
            taken.extend(places);
            taken.sort_by_key(|place| place.start);
        }
    }
    found.sort_unstable();
    let names = found
        .iter()
        .map(|&at| choices[at].as_str())
        .collect::<Vec<_>>();
    match names[..] {
        [] => Finding::unparsed(format!("none of `{}` appears", choices.join("`, `"))),
        [only] => {
            let why = || format!("the label is `{only}` but should be `{equals}`");
            Finding::of(only == equals, why).answered(only)
        }
        _ => {
            let all = names.join("`, `");
            Finding::of(false, || format!("more than one label appears: `{all}`"))
                .answered(names.join(", "))
        }
    }
}

fn overlaps(taken: &[Range<usize>], place: &Range<usize>) -> bool {
    let next = taken.partition_point(|t| t.end <= place.start);
    taken.get(next).is_some_and(|t| t.start < place.end)
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::{find, table};
    use crate::scorer::finding::Finding;

    #[test]
    fn one_label_is_taken() {
        table(
            "{ type = \"label\", choices = [\"billing\", \"returns\", \"sales\"], equals = \"billing\" }",
            &[
                ("billing", true),
                ("Category: **Billing**.", true),
                ("billing billing", true),
                ("returns", false),
                ("billing or returns", false),
                ("billings", false),
                ("", false),
            ],
        );
        table(
            "{ type = \"label\", choices = [\"compliant\", \"not compliant\"], equals = \"not compliant\" }",
            &[
                ("Not compliant: the notice is missing.", true),
                ("compliant", false),
                ("not compliant, compliant", false),
            ],
        );
        table(
            "{ type = \"label\", choices = [\"compliant\", \"not compliant\"], equals = \"compliant\" }",
            &[("Compliant", true), ("not  compliant", false)],
        );
    }

    #[test]
    fn no_label_is_unparsed() {
        let toml = "{ type = \"label\", choices = [\"yes\", \"no\"], equals = \"no\" }";
        assert!(matches!(
            find(toml, "perhaps"),
            Finding::Judged { parsed: false, .. }
        ));
        assert!(
            matches!(find(toml, "yes"), Finding::Judged { parsed: true, answer: Some(a), .. } if a == "yes")
        );
    }
}
