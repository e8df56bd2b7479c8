//! TOML tables with positions, read key by key so that what nobody asked for is an error.

use super::{ConfigError, Place};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Largest catalogue, price card or settings file that is read.
pub(crate) const MOST_BYTES: u64 = 4 << 20;

/// A text with the name under which its places are printed.
#[derive(Clone, Copy)]
pub(crate) struct Document<'t> {
    pub(crate) path: &'t str,
    pub(crate) text: &'t str,
}

impl<'t> Document<'t> {
    /// Parses the text; the top level becomes a table that is called `name` in messages.
    pub(crate) fn parse(self, name: &str) -> Result<Table<'t>, ConfigError> {
        let parsed = DeTable::parse(self.text).map_err(|e| {
            let span = e.span().unwrap_or(0..0);
            ConfigError::Syntax {
                place: Box::new(self.place(&span)),
                message: e.message().trim().replace('\n', ", "),
            }
        })?;
        let span = 0..0;
        Ok(Table {
            document: self,
            name: name.to_owned(),
            entries: parsed.into_inner(),
            span,
            asked: Vec::new(),
        })
    }

    pub(crate) fn place(self, span: &Range<usize>) -> Place {
        Place::at(self.path, self.text, span.start, span.end)
    }
}

/// A table of which keys are taken one by one.
pub(crate) struct Table<'t> {
    document: Document<'t>,
    name: String,
    entries: DeTable<'t>,
    span: Range<usize>,
    asked: Vec<&'static str>,
}

impl<'t> Table<'t> {
    /// Names the table for messages, once its own name is known.
    pub(crate) fn rename(&mut self, name: String) {
        self.name = name;
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn place(&self) -> Place {
        self.document.place(&self.span)
    }

    /// The value of a key, if it is there.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.asked.push(key);
        let value = self.entries.remove(key)?;
        Some(Value::new(self.document, key.to_owned(), value))
    }

    /// The value of a key that has to be there.
    pub(crate) fn need(&mut self, key: &'static str) -> Result<Value<'t>, ConfigError> {
        self.take(key).ok_or_else(|| ConfigError::MissingKey {
            place: Box::new(self.place()),
            key,
            table: self.name.clone(),
        })
    }

    /// Refuses a key that is not one of these. A misspelt key is told as such, and not as the absence of the key it was meant to be.
    pub(crate) fn allow(&self, keys: &[&'static str]) -> Result<(), ConfigError> {
        self.unknown(|key| !keys.contains(&key), keys)
    }

    /// The error that names the first key in the file that is `wrong`, if there is one.
    fn unknown(
        &self,
        wrong: impl Fn(&str) -> bool,
        valid: &[&'static str],
    ) -> Result<(), ConfigError> {
        let mut keys: Vec<_> = self
            .entries
            .iter()
            .map(|(key, _)| key)
            .filter(|key| wrong(key.get_ref()))
            .collect();
        keys.sort_by_key(|key| key.span().start);
        match keys.first() {
            None => Ok(()),
            Some(key) => Err(ConfigError::UnknownKey {
                place: Box::new(self.document.place(&key.span())),
                key: key.get_ref().to_string(),
                table: self.name.clone(),
                valid: valid.iter().map(|k| (*k).to_owned()).collect(),
            }),
        }
    }

    /// Ends the reading: a key that was not asked for is an error, the first one in the file.
    pub(crate) fn finish(self) -> Result<(), ConfigError> {
        self.unknown(|_| true, &self.asked)
    }
}

/// A value with its key and its place.
pub(crate) struct Value<'t> {
    document: Document<'t>,
    key: String,
    inner: DeValue<'t>,
    span: Range<usize>,
}

impl<'t> Value<'t> {
    fn new(document: Document<'t>, key: String, value: Spanned<DeValue<'t>>) -> Self {
        Self {
            document,
            key,
            span: value.span(),
            inner: value.into_inner(),
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.document.place(&self.span)
    }

    /// The error that this value is not `needed`.
    pub(crate) fn refuse(&self, found: impl Into<String>, needed: &'static str) -> ConfigError {
        ConfigError::Value {
            place: Box::new(self.place()),
            key: self.key.clone(),
            found: found.into(),
            needed,
        }
    }

    fn wrong_type(&self, needed: &'static str) -> ConfigError {
        ConfigError::WrongType {
            place: Box::new(self.place()),
            key: self.key.clone(),
            found: type_name(&self.inner),
            needed,
        }
    }

    pub(crate) fn string(&self) -> Result<String, ConfigError> {
        self.inner
            .as_str()
            .map(ToOwned::to_owned)
            .ok_or_else(|| self.wrong_type("a string"))
    }

    /// A string with at least one visible character and no control characters.
    pub(crate) fn line(&self) -> Result<String, ConfigError> {
        let text = self.string()?;
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err(self.refuse(text.escape_debug().to_string(), "one line of text"));
        }
        Ok(text)
    }

    pub(crate) fn boolean(&self) -> Result<bool, ConfigError> {
        self.inner
            .as_bool()
            .ok_or_else(|| self.wrong_type("`true` or `false`"))
    }

    pub(crate) fn integer(&self) -> Result<i64, ConfigError> {
        let int = self
            .inner
            .as_integer()
            .ok_or_else(|| self.wrong_type("an integer"))?;
        i64::from_str_radix(int.as_str(), int.radix())
            .map_err(|_| self.refuse(int.to_string(), "an integer of 64 bits"))
    }

    /// A finite number, written as an integer or as a float.
    pub(crate) fn number(&self) -> Result<f64, ConfigError> {
        let number = match &self.inner {
            DeValue::Integer(_) => self.integer()? as f64,
            DeValue::Float(f) => f
                .as_str()
                .parse()
                .map_err(|_| self.refuse(f.to_string(), "a number"))?,
            _ => return Err(self.wrong_type("a number")),
        };
        if number.is_finite() {
            Ok(number)
        } else {
            Err(self.refuse(number.to_string(), "a finite number"))
        }
    }

    /// A string, number or truth value as text.
    pub(crate) fn scalar_text(&self) -> Result<String, ConfigError> {
        match &self.inner {
            DeValue::String(s) => Ok(s.to_string()),
            DeValue::Integer(_) => Ok(self.integer()?.to_string()),
            DeValue::Float(_) => Ok(self.number()?.to_string()),
            DeValue::Boolean(b) => Ok(b.to_string()),
            _ => Err(self.wrong_type("a string, a number, `true` or `false`")),
        }
    }

    pub(crate) fn is_string(&self) -> bool {
        self.inner.is_str()
    }

    pub(crate) fn array(self) -> Result<Vec<Value<'t>>, ConfigError> {
        let wrong = self.wrong_type("an array");
        match self.inner {
            DeValue::Array(items) => Ok(items
                .into_iter()
                .map(|item| Value::new(self.document, self.key.clone(), item))
                .collect()),
            _ => Err(wrong),
        }
    }

    pub(crate) fn table(self, name: String) -> Result<Table<'t>, ConfigError> {
        let wrong = self.wrong_type("a table");
        match self.inner {
            DeValue::Table(entries) => Ok(Table {
                document: self.document,
                name,
                entries,
                span: self.span,
                asked: Vec::new(),
            }),
            _ => Err(wrong),
        }
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Reads a file of bounded size.
pub(crate) fn read_bounded(path: &std::path::Path) -> Result<String, ConfigError> {
    use std::io::Read as _;
    let read = || -> std::io::Result<String> {
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MOST_BYTES {
            return Err(std::io::Error::new(
                std::io::ErrorKind::FileTooLarge,
                format!("larger than {}", crate::units::Bytes(MOST_BYTES)),
            ));
        }
        Ok(text)
    };
    read().map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}
