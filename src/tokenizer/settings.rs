//! The files beside a `tokenizer.json`, read and checked.
//!
//! In: their bytes. Out: the names of the special tokens, the ids that end a generation as each file declares them, the BOS setting, the chat
//! templates. Knows nothing of the vocabulary. The files are hostile: their size is bounded, and a value of another type than transformers
//! takes is refused with its file and key.
//!
//! Source: the fields as transformers reads them. Of two files that name one token, `tokenizer_config.json` wins over
//! `special_tokens_map.json`; of templates, `chat_template.jinja` over `chat_template.json` over `tokenizer_config.json`, each whole.

use super::TokenizerError;
use super::from_files::TokenizerFiles;
use crate::modelfile::json_with_infinity;
use serde_json::Value;

/// Ten times the largest file known, a `tokenizer_config.json` that repeats all added tokens.
const MAX_BYTES: usize = 16 << 20;

pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(super) const GENERATION_CONFIG: &str = "generation_config.json";
pub(super) const CONFIG: &str = "config.json";
pub(super) const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
pub(super) const TEMPLATE_JSON: &str = "chat_template.json";

/// Keys that name one token.
const NAMED: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "pad_token",
    "sep_token",
    "cls_token",
    "mask_token",
];
/// Keys that name several.
const LISTS: [&str; 2] = ["additional_special_tokens", "extra_special_tokens"];

/// An id as a file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeclaredId {
    pub(super) file: &'static str,
    pub(super) key: &'static str,
    pub(super) id: u64,
}

/// What the files say.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Texts of special tokens by key, in the order of [`NAMED`].
    named: Vec<(&'static str, String)>,
    /// Further special tokens.
    pub(super) further: Vec<String>,
    /// `add_bos_token`, where it is set.
    pub(super) add_bos: Option<bool>,
    /// Ids that end a generation.
    pub(super) eos_ids: Vec<DeclaredId>,
    /// `bos_token_id` of `config.json`; counts only where no file names tokens.
    pub(super) bos_id: Option<DeclaredId>,
    /// True when a file names tokens.
    pub(super) names_tokens: bool,
    pub(super) templates: Vec<NamedTemplate>,
}

/// A chat template and its name, `default` where the file gives none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedTemplate {
    pub(super) name: String,
    pub(super) source: String,
}

impl Settings {
    /// Reads all files.
    pub(super) fn read(files: &TokenizerFiles) -> Result<Self, TokenizerError> {
        let mut settings = Self::default();
        let tokenizer = object(TOKENIZER_CONFIG, files.tokenizer_config.as_deref())?;
        let map = object(SPECIAL_TOKENS_MAP, files.special_tokens_map.as_deref())?;
        for (file, value) in [(TOKENIZER_CONFIG, &tokenizer), (SPECIAL_TOKENS_MAP, &map)] {
            if let Some(value) = value {
                settings.names(file, value)?;
            }
        }
        if let Some(value) = &tokenizer {
            settings.add_bos = flag(TOKENIZER_CONFIG, "add_bos_token", value)?;
        }
        settings.ids(files)?;
        settings.templates = templates(files, tokenizer.as_ref())?;
        Ok(settings)
    }

    /// The text of the token under `key`.
    pub(super) fn token(&self, key: &str) -> Option<&str> {
        let found = self.named.iter().find(|(name, _)| *name == key);
        found.map(|(_, text)| text.as_str())
    }

    /// Every text that a file calls special.
    pub(super) fn special_texts(&self) -> impl Iterator<Item = &str> {
        let named = self.named.iter().map(|(_, text)| text.as_str());
        named.chain(self.further.iter().map(String::as_str))
    }

    fn names(&mut self, file: &'static str, value: &Value) -> Result<(), TokenizerError> {
        self.names_tokens = true;
        for key in NAMED {
            let text = token_text(file, key, &value[key])?;
            // What the first file leaves open or calls null the second may name.
            if let Some(text) = text.filter(|_| self.token(key).is_none()) {
                self.named.push((key, text));
            }
        }
        for key in LISTS {
            let list = match &value[key] {
                Value::Null => continue,
                Value::Array(items) => items.iter().collect::<Vec<_>>(),
                Value::Object(by_name) => by_name.values().collect(),
                other => return Err(wrong(file, key, "a list of tokens", other)),
            };
            for item in list {
                self.further.extend(token_text(file, key, item)?);
            }
        }
        Ok(())
    }

    fn ids(&mut self, files: &TokenizerFiles) -> Result<(), TokenizerError> {
        let generation = object(GENERATION_CONFIG, files.generation_config.as_deref())?;
        let config = object(CONFIG, files.config.as_deref())?;
        let mut places = vec![(
            GENERATION_CONFIG,
            "eos_token_id",
            "bos_token_id",
            generation.as_ref(),
        )];
        places.push((CONFIG, "eos_token_id", "bos_token_id", config.as_ref()));
        let text = config.as_ref().map(|c| &c["text_config"]);
        let text = text.filter(|t| !t.is_null());
        if let Some(other) = text.filter(|t| !t.is_object()) {
            return Err(wrong(CONFIG, "text_config", "an object", other));
        }
        places.push((
            CONFIG,
            "text_config.eos_token_id",
            "text_config.bos_token_id",
            text,
        ));
        for (file, eos, bos, value) in places {
            let Some(value) = value else { continue };
            self.eos_ids
                .extend(declared(file, eos, &value["eos_token_id"])?);
            let first = declared(file, bos, &value["bos_token_id"])?
                .into_iter()
                .next();
            self.bos_id = self.bos_id.take().or(first);
        }
        Ok(())
    }
}

/// A file as a JSON object.
fn object(file: &'static str, bytes: Option<&[u8]>) -> Result<Option<Value>, TokenizerError> {
    let Some(bytes) = bytes else { return Ok(None) };
    if bytes.len() > MAX_BYTES {
        return Err(TokenizerError::SettingsTooLong {
            file,
            bytes: bytes.len(),
            limit: MAX_BYTES,
        });
    }
    let unreadable = |message: String| TokenizerError::SettingsUnreadable { file, message };
    // Python writes numbers of these two that JSON does not have. Read as texts they would be tokens in the others.
    let value: Result<Value, _> = match file {
        CONFIG | GENERATION_CONFIG => json_with_infinity(bytes),
        _ => serde_json::from_slice(bytes),
    };
    let value = value.map_err(|e| unreadable(e.to_string()))?;
    if !value.is_object() {
        return Err(unreadable("it is no JSON object".to_owned()));
    }
    Ok(Some(value))
}

fn wrong(file: &'static str, key: &str, expected: &'static str, found: &Value) -> TokenizerError {
    let kind = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let found = match found {
        Value::Array(_) | Value::Object(_) => kind.to_owned(),
        scalar => format!(
            "`{}`",
            scalar.to_string().chars().take(60).collect::<String>()
        ),
    };
    TokenizerError::Setting {
        file,
        key: key.to_owned(),
        expected,
        found,
    }
}

fn flag(
    file: &'static str,
    key: &'static str,
    value: &Value,
) -> Result<Option<bool>, TokenizerError> {
    match &value[key] {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        other => Err(wrong(file, key, "`true` or `false`", other)),
    }
}

/// The text of a token: a string, or an object with `content`. Empty texts name nothing.
fn token_text(
    file: &'static str,
    key: &str,
    value: &Value,
) -> Result<Option<String>, TokenizerError> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::Object(token) => token.get("content").and_then(Value::as_str),
        other => other.as_str(),
    };
    let text = text.ok_or_else(|| wrong(file, key, "a text or an object with `content`", value))?;
    Ok(Some(text.to_owned()).filter(|t| !t.is_empty()))
}

/// Ids under a key: one, a list, or none.
fn declared(
    file: &'static str,
    key: &'static str,
    value: &Value,
) -> Result<Vec<DeclaredId>, TokenizerError> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let read = |item: &Value| {
        let id = item.as_u64();
        let id = id.ok_or_else(|| wrong(file, key, "a token id or a list of them", item))?;
        Ok(DeclaredId { file, key, id })
    };
    items.iter().map(read).collect()
}

/// The templates of the first place that has any.
fn templates(
    files: &TokenizerFiles,
    tokenizer: Option<&Value>,
) -> Result<Vec<NamedTemplate>, TokenizerError> {
    let default = |source: &str| {
        vec![NamedTemplate {
            name: "default".to_owned(),
            source: source.to_owned(),
        }]
    };
    if let Some(source) = &files.chat_template {
        return Ok(default(source));
    }
    let beside = object(TEMPLATE_JSON, files.chat_template_json.as_deref())?;
    let places = [
        (TEMPLATE_JSON, beside.as_ref()),
        (TOKENIZER_CONFIG, tokenizer),
    ];
    for (file, value) in places {
        match value.map(|v| &v["chat_template"]) {
            None | Some(Value::Null) => {}
            Some(Value::String(source)) => return Ok(default(source)),
            Some(Value::Array(items)) => {
                return items
                    .iter()
                    .map(|item| named_template(file, item))
                    .collect();
            }
            Some(other) => {
                let expected = "a text or a list of named templates";
                return Err(wrong(file, "chat_template", expected, other));
            }
        }
    }
    Ok(Vec::new())
}

fn named_template(file: &'static str, item: &Value) -> Result<NamedTemplate, TokenizerError> {
    let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    let parts = text("name").zip(text("template"));
    let named = parts.map(|(name, source)| NamedTemplate { name, source });
    named.ok_or_else(|| {
        let expected = "a list of objects with `name` and `template`";
        wrong(file, "chat_template", expected, item)
    })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
