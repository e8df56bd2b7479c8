//! The files that a tokenizer is made of, beside safetensors weights or where the catalogue says, read and bounded.

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
    let folder = weights.path().parent().unwrap_or(Path::new(""));
    let mut files = of_folder(folder)?;
    files.config = Some(weights.config().to_vec());
    Ok(files)
}

/// Reads the tokenizer that `path` names: a folder with the files of a tokenizer, or a `tokenizer.json` alone.
///
/// # Errors
/// As [`read`].
pub(super) fn read_external(path: &Path) -> Result<TokenizerFiles, EvalhError> {
    if path.is_dir() {
        return of_folder(path);
    }
    Ok(TokenizerFiles {
        tokenizer: read_file(path)?,
        ..TokenizerFiles::default()
    })
}

fn of_folder(folder: &Path) -> Result<TokenizerFiles, EvalhError> {
    let beside = |name: &str| {
        let path = folder.join(name);
        path.is_file().then(|| read_file(&path)).transpose()
    };
    let template = beside("chat_template.jinja")?;
    Ok(TokenizerFiles {
        tokenizer: read_file(&folder.join("tokenizer.json"))?,
        tokenizer_config: beside("tokenizer_config.json")?,
        generation_config: beside("generation_config.json")?,
        config: beside("config.json")?,
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
