//! Porter's stemmer (Porter 1980, "An algorithm for suffix stripping") with the extensions of the NLTK default mode, which the
//! reference implementation of ROUGE uses: a table of irregular forms, "ies" and "ied" after one letter, "y" after a consonant
//! only, and the endings "alli", "fulli" and "logi".

/// Stem of a lower-case word of ASCII letters and digits; other words are returned as they are.
pub(crate) fn stem(word: &str) -> String {
    if let Some(irregular) = irregular(word) {
        return irregular.to_owned();
    }
    if word.len() <= 2
        || !word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    {
        return word.to_owned();
    }
    let steps: [fn(Vec<u8>) -> Vec<u8>; 8] = [
        step_1a, step_1b, step_1c, step_2, step_3, step_4, step_5a, step_5b,
    ];
    let stemmed = steps
        .iter()
        .fold(word.as_bytes().to_vec(), |w, step| step(w));
    String::from_utf8_lossy(&stemmed).into_owned()
}

fn irregular(word: &str) -> Option<&'static str> {
    Some(match word {
        "sky" | "skies" => "sky",
        "dying" => "die",
        "lying" => "lie",
        "tying" => "tie",
        "news" => "news",
        "innings" | "inning" => "inning",
        "outings" | "outing" => "outing",
        "cannings" | "canning" => "canning",
        "howe" => "howe",
        "proceed" => "proceed",
        "exceed" => "exceed",
        "succeed" => "succeed",
        _ => return None,
    })
}

fn consonant(w: &[u8], i: usize) -> bool {
    match w[i] {
        b'a' | b'e' | b'i' | b'o' | b'u' => false,
        b'y' => i == 0 || !consonant(w, i - 1),
        _ => true,
    }
}

/// Number of vowel-to-consonant changes, Porter's m.
fn measure(w: &[u8]) -> usize {
    (1..w.len())
        .filter(|&i| consonant(w, i) && !consonant(w, i - 1))
        .count()
}

fn has_vowel(w: &[u8]) -> bool {
    (0..w.len()).any(|i| !consonant(w, i))
}

fn double_consonant(w: &[u8]) -> bool {
    let n = w.len();
    n >= 2 && w[n - 1] == w[n - 2] && consonant(w, n - 1)
}

/// Ends consonant, vowel, consonant other than w, x, y; or is a vowel and a consonant.
fn short_end(w: &[u8]) -> bool {
    let n = w.len();
    if n == 2 {
        return !consonant(w, 0) && consonant(w, 1);
    }
    n >= 3
        && consonant(w, n - 3)
        && !consonant(w, n - 2)
        && consonant(w, n - 1)
        && !matches!(w[n - 1], b'w' | b'x' | b'y')
}

fn without<'w>(w: &'w [u8], suffix: &str) -> Option<&'w [u8]> {
    w.strip_suffix(suffix.as_bytes())
}

fn join(stem: &[u8], ending: &str) -> Vec<u8> {
    [stem, ending.as_bytes()].concat()
}

/// A suffix, its replacement and the condition on the stem.
type Rule = (&'static str, &'static str, fn(&[u8]) -> bool);

/// The first rule whose suffix fits decides, whether its condition holds or not.
fn apply(w: Vec<u8>, rules: &[Rule]) -> Vec<u8> {
    for (suffix, ending, condition) in rules {
        if let Some(stem) = without(&w, suffix) {
            return if condition(stem) {
                join(stem, ending)
            } else {
                w
            };
        }
    }
    w
}

fn positive(stem: &[u8]) -> bool {
    measure(stem) > 0
}

fn above_one(stem: &[u8]) -> bool {
    measure(stem) > 1
}

fn always(_: &[u8]) -> bool {
    true
}

fn step_1a(w: Vec<u8>) -> Vec<u8> {
    if w.len() == 4 && w.ends_with(b"ies") {
        return join(&w[..1], "ie");
    }
    apply(
        w,
        &[
            ("sses", "ss", always),
            ("ies", "i", always),
            ("ss", "ss", always),
            ("s", "", always),
        ],
    )
}

fn step_1b(w: Vec<u8>) -> Vec<u8> {
    if let Some(stem) = without(&w, "ied") {
        return join(stem, if w.len() == 4 { "ie" } else { "i" });
    }
    if let Some(stem) = without(&w, "eed") {
        return if positive(stem) { join(stem, "ee") } else { w };
    }
    let stem = ["ed", "ing"]
        .iter()
        .find_map(|s| without(&w, s).filter(|stem| has_vowel(stem)));
    let Some(stem) = stem else { return w };
    let stem = stem.to_vec();
    if stem.ends_with(b"at") || stem.ends_with(b"bl") || stem.ends_with(b"iz") {
        return join(&stem, "e");
    }
    if double_consonant(&stem) {
        let keep = matches!(stem[stem.len() - 1], b'l' | b's' | b'z');
        return if keep {
            stem
        } else {
            stem[..stem.len() - 1].to_vec()
        };
    }
    if measure(&stem) == 1 && short_end(&stem) {
        join(&stem, "e")
    } else {
        stem
    }
}

fn step_1c(w: Vec<u8>) -> Vec<u8> {
    match without(&w, "y") {
        Some(stem) if stem.len() > 1 && consonant(stem, stem.len() - 1) => join(stem, "i"),
        _ => w,
    }
}

fn step_2(w: Vec<u8>) -> Vec<u8> {
    if let Some(stem) = without(&w, "alli") {
        return if positive(stem) {
            step_2(join(stem, "al"))
        } else {
            w
        };
    }
    if let Some(stem) = without(&w, "logi") {
        // the condition looks at the stem with its "log"
        return if positive(&w[..w.len() - 3]) {
            join(stem, "log")
        } else {
            w
        };
    }
    apply(
        w,
        &[
            ("ational", "ate", positive),
            ("tional", "tion", positive),
            ("enci", "ence", positive),
            ("anci", "ance", positive),
            ("izer", "ize", positive),
            ("bli", "ble", positive),
            ("entli", "ent", positive),
            ("eli", "e", positive),
            ("ousli", "ous", positive),
            ("ization", "ize", positive),
            ("ation", "ate", positive),
            ("ator", "ate", positive),
            ("alism", "al", positive),
            ("iveness", "ive", positive),
            ("fulness", "ful", positive),
            ("ousness", "ous", positive),
            ("aliti", "al", positive),
            ("iviti", "ive", positive),
            ("biliti", "ble", positive),
            ("fulli", "ful", positive),
        ],
    )
}

fn step_3(w: Vec<u8>) -> Vec<u8> {
    apply(
        w,
        &[
            ("icate", "ic", positive),
            ("ative", "", positive),
            ("alize", "al", positive),
            ("iciti", "ic", positive),
            ("ical", "ic", positive),
            ("ful", "", positive),
            ("ness", "", positive),
        ],
    )
}

fn step_4(w: Vec<u8>) -> Vec<u8> {
    fn after_s_or_t(stem: &[u8]) -> bool {
        above_one(stem) && matches!(stem.last(), Some(b's' | b't'))
    }
    apply(
        w,
        &[
            ("al", "", above_one),
            ("ance", "", above_one),
            ("ence", "", above_one),
            ("er", "", above_one),
            ("ic", "", above_one),
            ("able", "", above_one),
            ("ible", "", above_one),
            ("ant", "", above_one),
            ("ement", "", above_one),
            ("ment", "", above_one),
            ("ent", "", above_one),
            ("ion", "", after_s_or_t),
            ("ou", "", above_one),
            ("ism", "", above_one),
            ("ate", "", above_one),
            ("iti", "", above_one),
            ("ous", "", above_one),
            ("ive", "", above_one),
            ("ize", "", above_one),
        ],
    )
}

fn step_5a(w: Vec<u8>) -> Vec<u8> {
    match without(&w, "e") {
        Some(stem) if measure(stem) > 1 || (measure(stem) == 1 && !short_end(stem)) => {
            stem.to_vec()
        }
        _ => w,
    }
}

fn step_5b(w: Vec<u8>) -> Vec<u8> {
    match without(&w, "l") {
        Some(stem) if stem.ends_with(b"l") && measure(stem) > 1 => stem.to_vec(),
        _ => w,
    }
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn examples_of_the_paper() {
        let cases = [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("cats", "cat"),
            ("feed", "feed"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("motoring", "motor"),
            ("sing", "sing"),
            ("conflated", "conflat"),
            ("troubling", "troubl"),
            ("sized", "size"),
            ("hopping", "hop"),
            ("falling", "fall"),
            ("hissing", "hiss"),
            ("filing", "file"),
            ("happy", "happi"),
            ("relational", "relat"),
            ("conditional", "condit"),
            ("digitizer", "digit"),
            ("vietnamization", "vietnam"),
            ("operator", "oper"),
            ("hopefulness", "hope"),
            ("triplicate", "triplic"),
            ("formative", "form"),
            ("electrical", "electr"),
            ("goodness", "good"),
            ("revival", "reviv"),
            ("allowance", "allow"),
            ("replacement", "replac"),
            ("adoption", "adopt"),
            ("effective", "effect"),
            ("probate", "probat"),
            ("rate", "rate"),
            ("controlling", "control"),
            ("roll", "roll"),
        ];
        for (word, want) in cases {
            assert_eq!(stem(word), want, "{word}");
        }
    }

    #[test]
    fn irregular_and_short_words() {
        let cases = [
            ("dying", "die"),
            ("skies", "sky"),
            ("ties", "tie"),
            ("died", "die"),
            ("is", "is"),
            ("enjoy", "enjoy"),
            ("né", "né"),
        ];
        for (word, want) in cases {
            assert_eq!(stem(word), want, "{word}");
        }
    }
}
