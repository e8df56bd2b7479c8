//! Chat templates: Jinja2 as transformers runs it, on minijinja.
//!
//! In: a template's source, the texts of BOS and its kin, a point in time, messages. Out: the rendered prompt. Knows nothing of token ids.
//!
//! The settings are transformers': `trim_blocks`, `lstrip_blocks`, loop controls, no escaping, lenient undefined values, `tojson` as
//! `json.dumps`, `raise_exception`, `strftime_now`, `{% generation %}` without effect. `strftime_now` tells the injected time in
//! UTC, so that a run can be repeated. Values print as Python prints them.
//!
//! A template comes out of a model file and is hostile: its source, steps, recursion and output are bounded, and it runs on a thread of its own with
//! a stack large enough for values nested as deep as the steps allow; a panic there becomes an error. What is not
//! bounded is the size of a string a template builds by doubling: that ends the process that renders, which is why models run in worker processes.
//!
//! Sources: `chat_template_utils.py` of transformers for the environment; expectations in the tests are rendered by Jinja2 itself
//! (`tests/golden/templates.py`).

#[cfg(test)]
mod conversation;
mod jinja;
mod json;
mod python;
mod rewrite;

use super::TokenizerError;
use crate::clock::Timestamp;
use crate::guard::caught;
use crate::record::{Digest, Message};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use std::io;

const MAX_SOURCE_BYTES: usize = 1 << 20;
const MAX_OUTPUT_BYTES: usize = 64 << 20;
/// A long conversation through the largest template known takes a hundredth of this.
const MAX_STEPS: u64 = 1_000_000;
const MAX_RECURSION: usize = 200;
/// Address space, not memory: pages are only taken when a template goes deep.
const STACK_BYTES: usize = 256 << 20;
const NAME: &str = "chat_template";

/// Texts of the tokens templates may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// Beginning of a sequence.
    pub bos_token: Option<String>,
    /// End of a sequence.
    pub eos_token: Option<String>,
    /// Unknown.
    pub unk_token: Option<String>,
    /// Padding.
    pub pad_token: Option<String>,
}

/// A compiled chat template.
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    digest: Digest,
    variables: Variables,
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatTemplate")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Marks an error as the template's own refusal.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

impl ChatTemplate {
    /// Compiles `source`. `now` is the time that `strftime_now` tells.
    ///
    /// # Errors
    /// When the source is too long or no template.
    pub fn new(source: &str, variables: Variables, now: Timestamp) -> Result<Self, TokenizerError> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(TokenizerError::TemplateTooLong {
                bytes: source.len(),
                limit: MAX_SOURCE_BYTES,
            });
        }
        let rewritten = rewrite::rewrite(source);
        let environment = apart(|| {
            let mut environment = environment(now);
            match environment.add_template_owned(NAME, rewritten) {
                Ok(()) => Ok(environment),
                Err(error) => Err(TokenizerError::TemplateSyntax {
                    line: error.line().unwrap_or(0),
                    message: message_of(&error),
                }),
            }
        })?;
        Ok(Self {
            environment,
            digest: Digest::of(source.as_bytes()),
            source: source.to_owned(),
            variables,
        })
    }

    /// The source as the model file has it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Digest of the source.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The prompt that asks for the next assistant message.
    ///
    /// # Errors
    /// [`TokenizerError::TemplateRefused`] when the template raises an exception, other variants when it fails or exceeds a limit.
    pub fn render(&self, messages: &[Message]) -> Result<String, TokenizerError> {
        self.render_with(|| Ok(self.context(messages)))
    }

    fn render_with(
        &self,
        context: impl FnOnce() -> Result<Value, TokenizerError> + Send,
    ) -> Result<String, TokenizerError> {
        apart(|| {
            let mut output = Bounded(Vec::new());
            let context = context()?;
            let template = self.environment.get_template(NAME);
            let rendered = template.and_then(|t| t.render_captured_to(context, &mut output));
            match rendered {
                Ok(_) => Ok(String::from_utf8_lossy(&output.0).into_owned()),
                Err(error) => Err(failure(&error)),
            }
        })
    }

    fn context(&self, messages: &[Message]) -> Value {
        let messages: Vec<Value> = messages
            .iter()
            .map(|m| {
                Value::from_pairs([
                    ("role", Value::from(m.role.as_str())),
                    ("content", Value::from(m.content.as_str())),
                ])
            })
            .collect();
        let fixed = [
            ("messages", Value::from(messages)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
            ("add_generation_prompt", Value::from(true)),
        ];
        Value::from_pairs(fixed.into_iter().chain(self.tokens()))
    }

    /// Texts of tokens by name.
    fn tokens(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let names = [
            ("bos_token", &self.variables.bos_token),
            ("eos_token", &self.variables.eos_token),
            ("unk_token", &self.variables.unk_token),
            ("pad_token", &self.variables.pad_token),
        ];
        // A token the model does not have is undefined, not none.
        names
            .into_iter()
            .filter_map(|(name, text)| Some((name, Value::from(text.as_deref()?))))
    }
}

/// Runs `work` on a thread with a large stack; its panic becomes an error.
fn apart<T: Send>(
    work: impl FnOnce() -> Result<T, TokenizerError> + Send,
) -> Result<T, TokenizerError> {
    let failed = |message: String| TokenizerError::TemplateFailed { line: 0, message };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("chat-template".to_owned())
            .stack_size(STACK_BYTES);
        match thread.spawn_scoped(scope, || caught(work)) {
            Ok(handle) => match handle.join() {
                Ok(Ok(done)) => done,
                Ok(Err(_)) | Err(_) => Err(failed("the template engine panicked".to_owned())),
            },
            Err(error) => Err(failed(format!("no thread to run it on: {error}"))),
        }
    })
}

fn environment(now: Timestamp) -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.expect("the delimiters are Jinja's own"));
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_recursion_limit(MAX_RECURSION);
    environment.set_fuel(Some(MAX_STEPS));
    environment.set_unknown_method_callback(python::method);
    environment.set_formatter(|out, _, value| Ok(out.write_str(&python::text(value)?)?));
    jinja::add(&mut environment);
    environment.add_filter("tojson", json::tojson);
    environment.add_filter("string", |value: &Value| {
        python::text(value).map(Value::from)
    });
    environment.add_filter("join", python::join);
    environment.add_function("raise_exception", |message: &Value| {
        let message = python::text(message)?;
        let error = minijinja::Error::new(ErrorKind::InvalidOperation, message.clone());
        Err::<Value, _>(error.with_source(Refusal(message)))
    });
    environment.add_function("strftime_now", move |format: &str| {
        let time = now.to_zoned(jiff::tz::TimeZone::UTC);
        jiff::fmt::strtime::format(format, &time)
            .map_err(|e| minijinja::Error::new(ErrorKind::InvalidOperation, e.to_string()))
    });
    environment
}

fn failure(error: &minijinja::Error) -> TokenizerError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(e) = cause {
        if let Some(refusal) = e.downcast_ref::<Refusal>() {
            return TokenizerError::TemplateRefused {
                message: refusal.0.clone(),
            };
        }
        cause = e.source();
    }
    match error.kind() {
        ErrorKind::OutOfFuel => TokenizerError::TemplateSteps { limit: MAX_STEPS },
        ErrorKind::WriteFailure => TokenizerError::TemplateOutput {
            limit: MAX_OUTPUT_BYTES,
        },
        _ => TokenizerError::TemplateFailed {
            line: error.line().unwrap_or(0),
            message: message_of(error),
        },
    }
}

fn message_of(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// A buffer that refuses to grow past the limit.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
