//! A conversation with all that a template may look at: tools and their calls, documents, reasoning, variables of its own.
//!
//! Test only: it shows the templates what a server shows them, so that the environment is held against transformers with all of it.
//! In: JSON as the chat interfaces of model servers have it. Out: what the template sees, and the cut of an answer to go on with.
//!
//! Source: `render_jinja_template` of transformers 5. Reasoning given under one of its names is seen under the first two; an answer to go on with
//! is marked at its end, and the prompt is cut at the mark.

use super::super::TokenizerError;
use super::ChatTemplate;
use minijinja::Value;
use serde_json::{Map, Value as Json};

/// Names under which templates look for reasoning; the first is the usual one.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];
/// Marks the end of an answer to go on with. The space tells whether the template kept what follows a text.
const MARK: &str = "EVALH_FINAL_MESSAGE_ENDS ";

/// What a chat template renders.
#[derive(Debug, Clone, Default)]
pub(super) struct Conversation {
    /// Objects with `role` and most often `content`.
    pub(super) messages: Vec<Json>,
    /// Definitions of tools.
    pub(super) tools: Option<Json>,
    /// Documents to answer from.
    pub(super) documents: Option<Json>,
    /// Variables beside these, by name.
    pub(super) variables: Map<String, Json>,
    /// Whether the prompt asks for an answer.
    pub(super) add_generation_prompt: bool,
    /// Whether the last message is the beginning of the answer.
    pub(super) continue_final_message: bool,
}

fn failed(message: &str) -> TokenizerError {
    TokenizerError::TemplateFailed {
        line: 0,
        message: message.to_owned(),
    }
}

/// What the template sees by name, and the text of the last message where it is to be continued.
type Seen = (Vec<(String, Value)>, Option<String>);

impl Conversation {
    /// What the template sees of it.
    fn seen(&self) -> Result<Seen, TokenizerError> {
        let mut messages: Vec<Json> = self.messages.iter().map(with_reasoning).collect();
        let last = messages.last_mut().filter(|_| self.continue_final_message);
        let continued = last.map(mark).transpose()?;
        let seen = [
            ("messages", messages.iter().map(seen_as).collect::<Value>()),
            (
                "tools",
                self.tools.as_ref().map_or(Value::from(()), seen_as),
            ),
            (
                "documents",
                self.documents.as_ref().map_or(Value::from(()), seen_as),
            ),
            (
                "add_generation_prompt",
                Value::from(self.add_generation_prompt),
            ),
        ];
        let seen = seen.map(|(name, value)| (name.to_owned(), value));
        let own = self.variables.iter();
        let own = own.map(|(name, value)| (name.clone(), seen_as(value)));
        Ok((seen.into_iter().chain(own).collect(), continued))
    }
}

impl ChatTemplate {
    /// The prompt of a conversation with tools, documents or variables of its own.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`], and when the last message is to be continued but has no text or the template leaves it out.
    pub(super) fn render_conversation(
        &self,
        conversation: &Conversation,
    ) -> Result<String, TokenizerError> {
        let (seen, continued) = conversation.seen()?;
        let tokens = self.tokens().map(|(name, text)| (name.to_owned(), text));
        let context = Value::from_pairs(tokens.chain(seen));
        let rendered = self.render_with(|| Ok(context))?;
        match continued {
            Some(text) => cut(&rendered, &text),
            None => Ok(rendered),
        }
    }
}

/// A value as templates see it.
fn seen_as(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(seen_as).collect(),
        Json::Object(fields) => Value::from_pairs(
            fields
                .iter()
                .map(|(name, value)| (name.as_str(), seen_as(value))),
        ),
    }
}

/// The message with its reasoning under the usual names.
fn with_reasoning(message: &Json) -> Json {
    let Json::Object(fields) = message else {
        return message.clone();
    };
    let given = REASONING
        .iter()
        .find_map(|name| fields.get(*name).filter(|v| !v.is_null()));
    let Some(reasoning) = given else {
        return message.clone();
    };
    let mut out = Map::new();
    out.insert("thinking".to_owned(), reasoning.clone());
    out.extend(
        fields
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    out.insert(REASONING[0].to_owned(), reasoning.clone());
    Json::Object(out)
}

/// Marks the end of a message's text; the text.
fn mark(message: &mut Json) -> Result<String, TokenizerError> {
    let text = match message.get_mut("content") {
        Some(text @ Json::String(_)) => Some(text),
        Some(Json::Array(parts)) => parts.iter_mut().rev().find_map(|part| part.get_mut("text")),
        _ => None,
    };
    match text {
        Some(Json::String(text)) => {
            let whole = text.clone();
            text.push_str(MARK);
            Ok(whole)
        }
        _ => Err(failed("the last message has no text to continue")),
    }
}

/// The prompt up to the end of the last message, whose text is `continued`.
fn cut(rendered: &str, continued: &str) -> Result<String, TokenizerError> {
    let at = rendered.rfind(MARK.trim_end());
    let at = at.filter(|_| rendered.contains(continued.trim()));
    let Some(at) = at else {
        return Err(failed("the text of the last message is not in the prompt"));
    };
    let kept = &rendered[..at];
    // Without the space the template trims its texts, and the white space at the end of this one would have gone too.
    let spaced = rendered[at..].starts_with(MARK);
    Ok(if spaced { kept } else { kept.trim_end() }.to_owned())
}
