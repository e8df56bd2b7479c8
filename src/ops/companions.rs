//! The files beside safetensors weights that a tokenizer is made of, read and bounded.

use crate::error::EvalhError;
use crate::modelfile::{ModelFileError, SafetensorsFiles};
use crate::tokenizer::TokenizerFiles;
use std::io::Read as _;
use std::path::Path;

/// Nothing longer is read; what is made of a file has a limit of its own.
const MOST_BYTES: u64 = 65 << 20;

/// Reads the files that lie beside `weights`.
///
/// # Errors
/// When there is no `tokenizer.json`, or a file cannot be read.
pub(super) fn read(weights: &SafetensorsFiles) -> Result<TokenizerFiles, EvalhError> {
    let beside = |name: &str| {
        let path = weights.path().with_file_name(name);
        path.is_file().then(|| read_file(&path)).transpose()
    };
    let template = beside("chat_template.jinja")?;
    Ok(TokenizerFiles {
        tokenizer: read_file(&weights.path().with_file_name("tokenizer.json"))?,
        tokenizer_config: beside("tokenizer_config.json")?,
        generation_config: beside("generation_config.json")?,
        config: Some(weights.config().to_vec()),
        special_tokens_map: beside("special_tokens_map.json")?,
        chat_template: template.map(|t| String::from_utf8_lossy(&t).into_owned()),
        chat_template_json: beside("chat_template.json")?,
    })
}

/// Reads a file; of one that is too long only the beginning, which is refused further on.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, EvalhError> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(MOST_BYTES).read_to_end(&mut bytes))
        .map_err(|source| ModelFileError::Read {
            path: path.to_owned(),
            source,
        })?;
    Ok(bytes)
}
