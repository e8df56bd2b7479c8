//! `language`: the language of the answer, from its letters. A text too short to tell is unscored, not wrong.

use crate::scorer::answer::Answer;
use crate::scorer::finding::Finding;

/// Characters that are looked at; more do not make the guess better.
const ENOUGH: usize = 20_000;

pub(crate) fn check(answer: &Answer<'_>, code: &str, lang: whatlang::Lang) -> Finding {
    let end = answer
        .raw
        .char_indices()
        .nth(ENOUGH)
        .map_or(answer.raw.len(), |(at, _)| at);
    let Some(info) = whatlang::detect(&answer.raw[..end]) else {
        return Finding::Unscored("there are no letters to tell the language by".to_owned());
    };
    if info.lang() == lang {
        return Finding::of(true, String::new).answered(code);
    }
    if !info.is_reliable() {
        return Finding::Unscored("the answer is too short to tell its language".to_owned());
    }
    let found = info.lang().eng_name();
    Finding::of(false, || format!("the answer is {found}, not `{code}`")).answered(found)
}

#[cfg(test)]
mod tests {
    use crate::scorer::checks::testing::{find, table};
    use crate::scorer::finding::Finding;

    #[test]
    fn languages_are_told_apart() {
        table(
            "{ type = \"language\", is = \"en\" }",
            &[
                (
                    "Thank you for your order. We are sorry that the parcel has not arrived, and we will send another one today.",
                    true,
                ),
                (
                    "Vielen Dank für Ihre Bestellung. Es tut uns leid, dass das Paket noch nicht angekommen ist; wir senden heute ein neues.",
                    false,
                ),
                (
                    "Merci pour votre commande. Nous sommes désolés que le colis ne soit pas encore arrivé et nous en enverrons un autre aujourd'hui.",
                    false,
                ),
            ],
        );
        assert!(matches!(
            find("{ type = \"language\", is = \"en\" }", "1234 %"),
            Finding::Unscored(_)
        ));
    }
}
