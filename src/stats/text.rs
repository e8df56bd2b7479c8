//! Measures of texts against a reference or alone: ROUGE, BLEU, chrF, readability, diversity, self-consistency, perplexity.
//!
//! Pure functions of strings and counts. Words with case and markup are the caller's business except where a published measure
//! fixes its own tokenisation.
//! Sources: Lin 2004 (ROUGE), Papineni et al. 2002 and Post 2018 (BLEU, the 13a tokens), Popovic 2015 and 2017 (chrF, chrF++),
//! Flesch 1948, Kincaid et al. 1975, Smith & Senter 1967, Coleman & Liau 1975, Gunning 1952, Li et al. 2016 (distinct-n).

use super::porter;
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Precision, recall and their harmonic mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap {
    /// Matches over the hypothesis.
    pub precision: f64,
    /// Matches over the reference.
    pub recall: f64,
    /// 2 P R / (P + R), 0 without a match.
    pub f1: f64,
}

impl Overlap {
    /// An empty side gives 0, as in the reference implementation.
    fn new(matches: usize, hypothesis: usize, reference: usize) -> Self {
        let share = |n: usize| {
            if n == 0 {
                0.0
            } else {
                matches as f64 / n as f64
            }
        };
        let (precision, recall) = (share(hypothesis), share(reference));
        let sum = precision + recall;
        Self {
            precision,
            recall,
            f1: if sum > 0.0 {
                2.0 * precision * recall / sum
            } else {
                0.0
            },
        }
    }
}

/// Words of ROUGE: runs of ASCII letters and digits in lower case; with `stem`, words of more than three letters are stemmed.
pub fn rouge_words(text: &str, stem: bool) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()))
        .filter(|w| !w.is_empty())
        .map(|w| {
            if stem && w.len() > 3 {
                porter::stem(w)
            } else {
                w.to_owned()
            }
        })
        .collect()
}

fn counts<T: Ord, I: IntoIterator<Item = T>>(items: I) -> BTreeMap<T, usize> {
    let mut out = BTreeMap::new();
    for item in items {
        *out.entry(item).or_default() += 1;
    }
    out
}

/// Number of matches, each item as often as in both.
fn clipped<T: Ord>(a: &BTreeMap<T, usize>, b: &BTreeMap<T, usize>) -> usize {
    a.iter()
        .filter_map(|(k, n)| b.get(k).map(|m| (*n).min(*m)))
        .sum()
}

/// ROUGE-n: overlap of word n-grams. `n` of 0 gives 0.
pub fn rouge_n(reference: &str, hypothesis: &str, n: usize, stem: bool) -> Overlap {
    if n == 0 {
        return Overlap::new(0, 0, 0);
    }
    let (r, h) = (rouge_words(reference, stem), rouge_words(hypothesis, stem));
    let (r, h) = (counts(r.windows(n)), counts(h.windows(n)));
    Overlap::new(clipped(&r, &h), h.values().sum(), r.values().sum())
}

/// ROUGE-L: longest common subsequence of words.
pub fn rouge_l(reference: &str, hypothesis: &str, stem: bool) -> Overlap {
    let (r, h) = (rouge_words(reference, stem), rouge_words(hypothesis, stem));
    let mut row = vec![0usize; h.len() + 1];
    for a in &r {
        let mut diagonal = 0;
        for (j, b) in h.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if a == b {
                diagonal + 1
            } else {
                above.max(row[j])
            };
            diagonal = above;
        }
    }
    Overlap::new(row[h.len()], h.len(), r.len())
}

/// The rules of the mteval-v13a tokenisation: the pattern that splits and what it becomes.
static RULES_13A: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"([\{-\~\[-\` -\&\(-\+\:-\@\/])", " $1 "),
        (r"([^0-9])([\.,])", "$1 $2 "),
        (r"([\.,])([^0-9])", " $1 $2"),
        (r"([0-9])(-)", "$1 $2 "),
    ]
    .into_iter()
    .map(|(pattern, to)| {
        (
            Regex::new(pattern).expect("a constant pattern that the tests compile"),
            to,
        )
    })
    .collect()
});

/// Tokens of mteval-v13a.
pub fn tokens_13a(text: &str) -> Vec<String> {
    let mut line = text
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    for (from, to) in [
        ("&quot;", "\""),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ] {
        line = line.replace(from, to);
    }
    line = format!(" {line} ");
    for (pattern, to) in RULES_13A.iter() {
        line = pattern.replace_all(&line, *to).into_owned();
    }
    line.split_whitespace().map(str::to_owned).collect()
}

/// Sentence BLEU in percent: 13a tokens, up to 4-grams (fewer when the hypothesis is shorter), exponential smoothing of orders
/// without a match, brevity penalty. 0 when nothing matches. For a corpus, sum the counts instead of averaging sentences.
pub fn sentence_bleu(reference: &str, hypothesis: &str) -> f64 {
    let (r, h) = (tokens_13a(reference), tokens_13a(hypothesis));
    let (mut smooth, mut log_sum, mut orders, mut any) = (1.0, 0.0, 0.0, false);
    for n in 1..=4 {
        let (a, b) = (counts(r.windows(n)), counts(h.windows(n)));
        let (matches, total) = (clipped(&a, &b), b.values().sum::<usize>());
        if total == 0 {
            break;
        }
        any |= matches > 0;
        let precision = if matches == 0 {
            smooth *= 2.0;
            1.0 / (smooth * total as f64)
        } else {
            matches as f64 / total as f64
        };
        log_sum += precision.ln();
        orders += 1.0;
    }
    if !any {
        return 0.0;
    }
    let brevity = if h.len() < r.len() {
        (1.0 - r.len() as f64 / h.len() as f64).exp()
    } else {
        1.0
    };
    100.0 * brevity * (log_sum / orders).exp()
}

/// chrF2 in percent: character 1- to 6-grams without white space, recall weighted by beta = 2.
pub fn chrf(reference: &str, hypothesis: &str) -> f64 {
    chrf_orders(reference, hypothesis, false)
}

/// chrF2++ in percent: chrF2 with word 1- and 2-grams added.
pub fn chrf_plus_plus(reference: &str, hypothesis: &str) -> f64 {
    chrf_orders(reference, hypothesis, true)
}

fn chrf_orders(reference: &str, hypothesis: &str, words: bool) -> f64 {
    let letters = |t: &str| {
        t.chars()
            .filter(|c| !c.is_whitespace())
            .collect::<Vec<char>>()
    };
    let (r, h) = (letters(reference), letters(hypothesis));
    let mut orders: Vec<(usize, usize, usize)> = (1..=6).map(|n| order_counts(&r, &h, n)).collect();
    if words {
        let (r, h) = (chrf_words(reference), chrf_words(hypothesis));
        orders.extend((1..=2).map(|n| order_counts(&r, &h, n)));
    }
    let usable: Vec<_> = orders
        .into_iter()
        .filter(|(_, h, r)| *h > 0 && *r > 0)
        .collect();
    if usable.is_empty() {
        return 0.0;
    }
    let k = usable.len() as f64;
    let precision: f64 = usable
        .iter()
        .map(|(m, h, _)| *m as f64 / *h as f64)
        .sum::<f64>()
        / k;
    let recall: f64 = usable
        .iter()
        .map(|(m, _, r)| *m as f64 / *r as f64)
        .sum::<f64>()
        / k;
    if precision + recall == 0.0 {
        0.0
    } else {
        100.0 * 5.0 * precision * recall / (4.0 * precision + recall)
    }
}

/// Matches, n-grams of the hypothesis, n-grams of the reference.
fn order_counts<T: Ord>(reference: &[T], hypothesis: &[T], n: usize) -> (usize, usize, usize) {
    let (r, h) = (counts(reference.windows(n)), counts(hypothesis.windows(n)));
    (clipped(&r, &h), h.values().sum(), r.values().sum())
}

/// Words of chrF++: split at white space, one ASCII punctuation mark at the end, else at the start, becomes its own word.
fn chrf_words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let (mut chars, mut back) = (word.chars(), word.chars());
        let (first, last) = (chars.next().unwrap_or(' '), back.next_back().unwrap_or(' '));
        if word.chars().count() == 1 {
            out.push(word.to_owned());
        } else if last.is_ascii_punctuation() {
            out.extend([back.as_str().to_owned(), last.to_string()]);
        } else if first.is_ascii_punctuation() {
            out.extend([first.to_string(), chars.as_str().to_owned()]);
        } else {
            out.push(word.to_owned());
        }
    }
    out
}

/// What readability formulas count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextCounts {
    /// Words.
    pub words: u64,
    /// Sentences.
    pub sentences: u64,
    /// Syllables.
    pub syllables: u64,
    /// Letters (and digits).
    pub letters: u64,
    /// Words of three syllables and more.
    pub polysyllables: u64,
}

/// Readability of English text. All reward choppy text; they describe form, not quality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Readability {
    /// Flesch reading ease: 206.835 - 1.015 words/sentence - 84.6 syllables/word.
    pub flesch: f64,
    /// Flesch-Kincaid grade: 0.39 words/sentence + 11.8 syllables/word - 15.59.
    pub flesch_kincaid_grade: f64,
    /// Automated readability index: 4.71 letters/word + 0.5 words/sentence - 21.43.
    pub ari: f64,
    /// Coleman-Liau: 0.0588 letters per 100 words - 0.296 sentences per 100 words - 15.8.
    pub coleman_liau: f64,
    /// Gunning fog: 0.4 (words/sentence + 100 polysyllables/word).
    pub gunning_fog: f64,
}

/// Readability from counts; `None` without words or sentences.
pub fn readability(c: &TextCounts) -> Option<Readability> {
    if c.words == 0 || c.sentences == 0 {
        return None;
    }
    let words = c.words as f64;
    let length = words / c.sentences as f64;
    let (syllables, letters) = (c.syllables as f64 / words, c.letters as f64 / words);
    Some(Readability {
        flesch: 206.835 - 1.015 * length - 84.6 * syllables,
        flesch_kincaid_grade: 0.39 * length + 11.8 * syllables - 15.59,
        ari: 4.71 * letters + 0.5 * length - 21.43,
        coleman_liau: 5.88 * letters - 29.6 / length - 15.8,
        gunning_fog: 0.4 * (length + 100.0 * c.polysyllables as f64 / words),
    })
}

/// Share of distinct n-grams; `None` when there is none.
pub fn distinct_n<T: Ord>(tokens: &[T], n: usize) -> Option<f64> {
    if n == 0 || tokens.len() < n {
        return None;
    }
    Some(counts(tokens.windows(n)).len() as f64 / (tokens.len() - n + 1) as f64)
}

/// Share of n-grams that occurred before: 1 - distinct-n.
pub fn repetition_rate<T: Ord>(tokens: &[T], n: usize) -> Option<f64> {
    distinct_n(tokens, n).map(|d| 1.0 - d)
}

/// Entropy in bits of the distribution of items; `None` when there is none.
pub fn entropy_bits<T: Ord>(items: &[T]) -> Option<f64> {
    let n = items.len() as f64;
    let bits = |c: usize| -(c as f64 / n) * (c as f64 / n).log2();
    // + 0.0 turns the -0.0 of a single item into 0
    (!items.is_empty()).then(|| counts(items).into_values().map(bits).sum::<f64>() + 0.0)
}

/// How much repeated answers to one question agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelfConsistency {
    /// Share of the most frequent answer.
    pub majority_share: f64,
    /// Share of equal pairs; `None` with one answer.
    pub pairwise_agreement: Option<f64>,
    /// Entropy of the answers in bits.
    pub entropy: f64,
}

/// Consistency of answers that were already normalised; `None` without answers.
pub fn self_consistency<T: Ord>(answers: &[T]) -> Option<SelfConsistency> {
    let entropy = entropy_bits(answers)?;
    let groups = counts(answers);
    let n = answers.len() as f64;
    let equal: f64 = groups.values().map(|&c| c as f64 * (c as f64 - 1.0)).sum();
    let most = groups.values().max().copied()? as f64;
    Some(SelfConsistency {
        majority_share: most / n,
        pairwise_agreement: (answers.len() > 1).then(|| equal / (n * (n - 1.0))),
        entropy,
    })
}

/// exp(-sum of natural-log likelihood / units); the unit decides what it compares: tokens only within one tokenizer, words and
/// bytes across. `None` without units or with a sum that is not finite.
pub fn perplexity(sum_logprob: f64, units: u64) -> Option<f64> {
    (units > 0 && sum_logprob.is_finite()).then(|| (-sum_logprob / units as f64).exp())
}

/// Bits per byte: -sum / (bytes ln 2).
pub fn bits_per_byte(sum_logprob: f64, bytes: u64) -> Option<f64> {
    (bytes > 0 && sum_logprob.is_finite())
        .then(|| -sum_logprob / (bytes as f64 * std::f64::consts::LN_2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_texts_score_zero_and_never_panic() {
        for (r, h) in [("", ""), ("a b", ""), ("", "a b"), ("...", "!!!")] {
            assert_eq!(rouge_n(r, h, 2, true).f1, 0.0);
            assert_eq!(rouge_l(r, h, false).f1, 0.0);
            assert_eq!(sentence_bleu(r, h), 0.0);
            assert!(chrf(r, h) == 0.0 && chrf_plus_plus(r, h) == 0.0);
        }
        assert_eq!(rouge_n("a", "a", 0, false).f1, 0.0);
    }

    #[test]
    fn a_text_against_itself_is_perfect() {
        let t = "The cat sat, on 3.5 mats; \u{e9}t\u{e9} 20-30 \u{1f600}!";
        assert!((sentence_bleu(t, t) - 100.0).abs() < 1e-9);
        assert!((chrf(t, t) - 100.0).abs() < 1e-9 && (chrf_plus_plus(t, t) - 100.0).abs() < 1e-9);
        assert_eq!(rouge_l(t, t, true).f1, 1.0);
    }

    #[test]
    fn thirteen_a_splits_punctuation_but_not_numbers() {
        assert_eq!(
            tokens_13a("It's 3.5, e.g. 20-30 &amp; \"x\"."),
            [
                "It's", "3.5", ",", "e", ".", "g", ".", "20", "-", "30", "&", "\"", "x", "\"", "."
            ]
        );
    }

    #[test]
    fn nothing_to_count_is_none() {
        assert_eq!(
            readability(&TextCounts {
                words: 0,
                sentences: 1,
                syllables: 0,
                letters: 0,
                polysyllables: 0
            }),
            None
        );
        assert_eq!(
            (
                distinct_n::<u8>(&[], 1),
                distinct_n(&[1, 2], 3),
                distinct_n(&[1], 0)
            ),
            (None, None, None)
        );
        assert_eq!(
            (
                perplexity(-1.0, 0),
                perplexity(f64::NAN, 3),
                bits_per_byte(-1.0, 0)
            ),
            (None, None, None)
        );
        assert_eq!(self_consistency::<&str>(&[]), None);
        let one = self_consistency(&["42"]).unwrap();
        assert_eq!(
            (one.majority_share, one.pairwise_agreement, one.entropy),
            (1.0, None, 0.0)
        );
    }
}
