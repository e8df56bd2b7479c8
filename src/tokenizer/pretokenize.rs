//! How a byte-level vocabulary splits text into words before merging.
//!
//! The splitting rules are those of the models' own `tokenizer.json` files, found by the name GGUF files give them in
//! `tokenizer.ggml.pre`. A name that is not in [`PROFILES`] is refused: a wrong rule yields plausible ids and wrong numbers.
//!
//! Every rule is a list of stages. A stage cuts each chunk of the stage before it into matches and the text between them. The only look-ahead
//! in any of the rules is `\s+(?!\S)`, which takes all but the last character of a white-space run that text follows. It is
//! replaced by `\s+` and a cut by hand ([`Tail`]), so that the linear-time `regex` crate can run the rules on hostile text.
//!
//! Sources: the published tokenizer files of the model families; names, `ignore_merges` and BOS defaults as llama.cpp documents them.
//! Unicode normalisation (NFC) that some of those files ask for is not applied, as llama.cpp does not.

use super::TokenizerError;
use regex::Regex;

/// What follows the alternatives of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// Nothing.
    None,
    /// `\s+(?!\S)|\s+`.
    Spaces,
    /// `\s*[\r\n]+|\s+(?!\S)|\s+`: a run up to its last line break, then the rest.
    LinesThenSpaces,
}

type StageSource = (&'static str, Tail);

/// One family's rules.
pub(super) struct Profile {
    /// Names in `tokenizer.ggml.pre`.
    names: &'static [&'static str],
    stages: &'static [StageSource],
    /// A word that is a token as a whole is taken without merging.
    pub(super) ignore_merges: bool,
    /// Whether prompts begin with BOS when the file does not say.
    pub(super) add_bos: bool,
}

const GPT2: StageSource = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+",
    Tail::Spaces,
);
const ONE_DIGIT: StageSource = (r"\p{N}", Tail::None);
const LLAMA3: StageSource = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*",
    Tail::LinesThenSpaces,
);
const QWEN2: StageSource = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*",
    Tail::LinesThenSpaces,
);
const QWEN35: StageSource = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",
    Tail::LinesThenSpaces,
);
const TEKKEN: StageSource = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    Tail::LinesThenSpaces,
);
const GPT4O: StageSource = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    Tail::LinesThenSpaces,
);
const DEEPSEEK_V3: StageSource = (
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"##,
    Tail::LinesThenSpaces,
);
/// Cased letters as the family's file lists them, which is not all that Unicode has.
#[rustfmt::skip]
const DEEPSEEK_LETTERS: StageSource = (concat!(
    r"\s?[",
    r"\x{41}-\x{5A}\x{61}-\x{7A}\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}\x{370}-\x{373}",
    r"\x{376}-\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}",
    r"\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}",
    r"\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}",
    r"\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}",
    r"\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}",
    r"\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}-\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}",
    r"\x{2CEB}-\x{2CEE}\x{2CF2}-\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}",
    r"\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}",
    r"\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}",
    r"]+",
), Tail::None);
const DEEPSEEK_SIGNS: StageSource = (
    r"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+",
    Tail::None,
);
const CLAUSE: StageSource = (r" ?[^(\s|.,!?…。，、।۔،)]+", Tail::None);
const BAILING: StageSource = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*",
    Tail::LinesThenSpaces,
);
const SEED_CODER: StageSource = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+",
    Tail::LinesThenSpaces,
);
const EXAONE_MOE: StageSource = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?",
    Tail::LinesThenSpaces,
);
const MINICPM5: StageSource = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*",
    Tail::LinesThenSpaces,
);
const DEFAULT_PUNCTUATION: StageSource = (r"[\p{P}\$\+<=>\^~\|]+", Tail::None);
const FALCON_PUNCTUATION: StageSource = (r"[\p{P}\$\+<=>\^~\|`]+", Tail::None);
const THREE_DIGITS: StageSource = ("[0-9][0-9][0-9]", Tail::None);
const LINE_BREAK: StageSource = (r"[\r\n]", Tail::None);
const CJK: StageSource = ("[一-龥ࠀ-一가-퟿]+", Tail::None);
const KANA_OR_HAN: StageSource = ("[一-龥぀-ゟ゠-ヿ]+", Tail::None);

/// Every splitting rule, by name.
const PROFILES: &[Profile] = &[
    Profile {
        names: &[
            "gpt-2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "exaone4",
            "mellum",
            "gigachat",
            "trillion",
            "granite-docling",
            "a.x-4.0",
        ],
        stages: &[GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &[
            "smollm",
            "starcoder",
            "refact",
            "command-r",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        stages: &[ONE_DIGIT, GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "lfm2",
            "midm-2.0",
        ],
        stages: &[LLAMA3],
        ignore_merges: true,
        add_bos: true,
    },
    Profile {
        names: &["smaug-bpe", "dbrx", "glm4", "chatglm-bpe"],
        stages: &[LLAMA3],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &[
            "qwen2",
            "deepseek-r1-qwen",
            "megrez",
            "stablelm2",
            "hunyuan",
            "kormo",
            "f2llmv2",
            "solar-open",
            "grok-2",
        ],
        stages: &[QWEN2],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["qwen35"],
        stages: &[QWEN35],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["tekken"],
        stages: &[TEKKEN],
        ignore_merges: true,
        add_bos: true,
    },
    Profile {
        names: &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        stages: &[GPT4O],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["deepseek-coder"],
        stages: &[
            LINE_BREAK,
            (r"\s?\p{L}+", Tail::None),
            (r"\s?\p{P}+", Tail::None),
            CJK,
            ONE_DIGIT,
        ],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        stages: &[(r"\p{N}{1,3}", Tail::None), KANA_OR_HAN, DEEPSEEK_V3],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["deepseek-llm"],
        stages: &[
            LINE_BREAK,
            DEEPSEEK_LETTERS,
            DEEPSEEK_SIGNS,
            (r"\s+$", Tail::None),
            CJK,
            (r"\p{N}+", Tail::None),
        ],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["falcon"],
        stages: &[FALCON_PUNCTUATION, GPT2, THREE_DIGITS],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["default"],
        stages: &[
            DEFAULT_PUNCTUATION,
            GPT2,
            (r"\p{N}+", Tail::None),
            THREE_DIGITS,
        ],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["poro-chat", "bloom", "gpt3-finnish"],
        stages: &[CLAUSE],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["viking"],
        stages: &[CLAUSE, ONE_DIGIT],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["bailingmoe", "bailingmoe2", "llada-moe"],
        stages: &[BAILING],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["seed-coder"],
        stages: &[SEED_CODER],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["exaone-moe"],
        stages: &[EXAONE_MOE],
        ignore_merges: false,
        add_bos: false,
    },
    Profile {
        names: &["minicpm5"],
        stages: &[(r"\p{N}{1,3}", Tail::None), MINICPM5],
        ignore_merges: true,
        add_bos: false,
    },
];

/// The rules named `pre`; a missing or unknown name is refused.
pub(super) fn profile(pre: Option<&str>) -> Result<&'static Profile, TokenizerError> {
    let known = || PROFILES.iter().flat_map(|p| p.names).copied().collect();
    let Some(pre) = pre else {
        return Err(TokenizerError::PreMissing { known: known() });
    };
    let found = PROFILES.iter().find(|p| p.names.contains(&pre));
    found.ok_or_else(|| TokenizerError::PreUnknown {
        found: pre.to_owned(),
        known: known(),
    })
}

struct Stage {
    regex: Regex,
    tail: Tail,
}

/// Compiled rules.
pub(super) struct Splitter {
    stages: Vec<Stage>,
}

impl Splitter {
    pub(super) fn new(profile: &Profile) -> Self {
        let stages = profile.stages.iter().map(|&(source, tail)| {
            let end = match tail {
                Tail::None => "",
                Tail::Spaces => r"|\s+",
                Tail::LinesThenSpaces => r"|\s*[\r\n]+|\s+",
            };
            let regex = Regex::new(&format!("{source}{end}"));
            Stage {
                regex: regex.expect("the rules are constants and every one is compiled by a test"),
                tail,
            }
        });
        Self {
            stages: stages.collect(),
        }
    }

    /// The words of `text`, in order and without gaps.
    pub(super) fn split<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut chunks = vec![text];
        for stage in &self.stages {
            let mut next = Vec::with_capacity(chunks.len() * 2);
            for chunk in chunks {
                stage.split(chunk, &mut next);
            }
            chunks = next;
        }
        chunks
    }
}

impl Stage {
    fn split<'t>(&self, chunk: &'t str, out: &mut Vec<&'t str>) {
        let mut at = 0;
        while at < chunk.len() {
            let Some(found) = self.regex.find_at(chunk, at) else {
                break;
            };
            let end = self.end(chunk, found.start(), found.end());
            if found.start() > at {
                out.push(&chunk[at..found.start()]);
            }
            out.push(&chunk[found.start()..end]);
            at = end;
        }
        if at < chunk.len() {
            out.push(&chunk[at..]);
        }
    }

    /// Leaves the last character of a white-space run to the text that follows it, which is what `\s+(?!\S)` does.
    fn end(&self, chunk: &str, start: usize, end: usize) -> usize {
        let word = &chunk[start..end];
        if self.tail == Tail::None || end == chunk.len() || !word.chars().all(char::is_whitespace) {
            return end;
        }
        let ends_in_line_break = word.ends_with(['\r', '\n']);
        if ends_in_line_break && self.tail == Tail::LinesThenSpaces {
            return end;
        }
        match word.char_indices().last() {
            Some((last, _)) if last > 0 => start + last,
            _ => end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pre: &str, text: &'static str) -> Vec<&'static str> {
        Splitter::new(profile(Some(pre)).unwrap()).split(text)
    }

    #[test]
    fn every_rule_compiles_and_loses_nothing() {
        let text = "It's 12345 naïve\u{2003} \t\r\n\n  código—漢字かな (x+=1) THE'LL 🙂\u{fe0f}  end \u{85} ";
        for profile in PROFILES {
            let splitter = Splitter::new(profile);
            assert_eq!(splitter.split(text).concat(), text, "{:?}", profile.names);
            assert!(splitter.split("").concat().is_empty());
        }
    }

    #[test]
    fn white_space_runs_leave_one_space_to_the_word() {
        assert_eq!(split("gpt-2", "a   b"), ["a", "  ", " b"]);
        assert_eq!(split("gpt-2", "a\n\nb  "), ["a", "\n", "\n", "b", "  "]);
        assert_eq!(split("llama-bpe", "a  \n\n  b"), ["a", "  \n\n", " ", " b"]);
        assert_eq!(split("llama-bpe", "a \t1"), ["a", " ", "\t", "1"]);
        assert_eq!(split("qwen2", "x  \n"), ["x", "  \n"]);
    }

    #[test]
    fn digits_and_contractions_follow_the_family() {
        assert_eq!(split("smollm", "in 1234"), ["in", " ", "1", "2", "3", "4"]);
        assert_eq!(split("llama-bpe", "1234567"), ["123", "456", "7"]);
        assert_eq!(split("qwen2", "a12"), ["a", "1", "2"]);
        assert_eq!(
            split("gpt-2", "we'LL we'll"),
            ["we", "'", "LL", " we", "'ll"]
        );
        assert_eq!(split("llama-bpe", "we'LL"), ["we", "'LL"]);
        assert_eq!(
            split("gpt-4o", "we'LL HelloWorld"),
            ["we'LL", " Hello", "World"]
        );
        assert_eq!(split("tekken", "HELLOworld/\n"), ["HELLOworld", "/\n"]);
        assert_eq!(
            split("deepseek-v3", "a,bc 1234"),
            ["a", ",bc", " ", "123", "4"]
        );
        assert_eq!(split("falcon", "ab,12345"), ["ab", ",", "123", "45"]);
    }

    #[test]
    fn words_equal_those_of_a_backtracking_engine() {
        let golden = include_str!("../../tests/golden/pretokenize.json");
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        let texts = golden["texts"].as_array().unwrap();
        assert!(texts.len() > 150);
        for (pre, expected) in golden["words"].as_object().unwrap() {
            let splitter = Splitter::new(profile(Some(pre)).unwrap());
            for (text, expected) in texts.iter().zip(expected.as_array().unwrap()) {
                let text = text.as_str().unwrap();
                let words = splitter.split(text);
                let lengths: Vec<usize> = words
                    .iter()
                    .map(|w| w.chars().count())
                    .filter(|&n| n > 0)
                    .collect();
                assert_eq!(
                    serde_json::json!(lengths),
                    *expected,
                    "{pre}: {text:?} as {words:?}"
                );
            }
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        let e = profile(Some("llama-bp")).err().unwrap().to_string();
        assert!(e.starts_with("`tokenizer.ggml.pre` is `llama-bp`, which is not known (nearest: `llama-bpe`); known are `gpt-2`, "), "{e}");
        let e = profile(None).err().unwrap().to_string();
        assert!(e.starts_with("`tokenizer.ggml.pre` is missing, so the splitting rule of this vocabulary is not known; known are `gpt-2`, "), "{e}");
    }
}
