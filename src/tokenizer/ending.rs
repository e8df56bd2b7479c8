//! Which ids end a generation.
//!
//! The union of the ids a file declares (`eos`, `eot`, `eom`) and of the tokens whose text is known to end a turn. The text list is
//! needed because many GGUF files declare one ending token where the model uses two. Fill-in-the-middle tokens, which llama.cpp adds, are
//! left out: they occur in no prompt of this program.

use super::TokenizerError;
use super::vocabulary::Vocabulary;
use crate::modelfile::GgufHeader;
use std::collections::BTreeSet;

const DECLARED: [&str; 3] = [
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
];

/// Texts that end a turn or a document in every vocabulary that has them.
const ENDINGS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Ends a document in many vocabularies and is an HTML tag in others (Gemma): it ends a generation only as a control token. llama.cpp calls it
/// a control token in both, so that in plain text it is not matched in either.
pub(super) const ENDING_IF_CONTROL: &str = "</s>";

/// A token that does not end a generation when all of the others exist.
const EXCEPTIONS: &[(&str, &[&str])] = &[
    ("<|end|>", &["<|return|>", "<|call|>"]),
    ("<|end|>", &["<|call|>", "<|flush|>"]),
    ("<|end|>", &["<|calls|>", "<|flush|>"]),
    ("</s>", &["<|tool_response>"]),
];

/// The ids that a GGUF file declares, in the order of the keys.
pub(super) fn declared_ids(
    header: &GgufHeader,
    vocabulary: &Vocabulary<'_>,
) -> Result<Vec<u32>, TokenizerError> {
    let ids = DECLARED
        .iter()
        .map(|key| vocabulary.declared_id(header, key));
    ids.filter_map(Result::transpose).collect()
}

/// The ids in ascending order: `declared` and those of known texts. `id` finds a text, `is_control` knows the kind of an id.
pub(super) fn ending_ids(
    declared: Vec<u32>,
    id: impl Fn(&str) -> Option<u32>,
    is_control: impl Fn(u32) -> bool,
) -> Vec<u32> {
    let mut ids: BTreeSet<u32> = ENDINGS.iter().filter_map(|text| id(text)).collect();
    ids.extend(id(ENDING_IF_CONTROL).filter(|&id| is_control(id)));
    ids.extend(declared);
    let ends = |text: &&str| id(text).is_some_and(|id| ids.contains(&id));
    let excepted: Vec<u32> = EXCEPTIONS
        .iter()
        .filter(|(_, others)| others.iter().all(&ends))
        .filter_map(|(text, _)| id(text))
        .collect();
    ids.retain(|id| !excepted.contains(id));
    ids.into_iter().collect()
}

/// True for texts that end a generation whatever type a converter gave them; such a token is control.
pub(super) fn is_ending_text(text: &str) -> bool {
    ENDINGS.contains(&text)
}
