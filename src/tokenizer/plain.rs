//! The prompt format of models without a chat template. Its definition for users is in `docs/formats.md`.

use crate::record::{Message, Role};

const QUESTION: &str = "Question:";
const ANSWER: &str = "Answer:";

/// What begins a new question in this format: a base model that goes on writing questions has finished its answer.
pub(super) const STOPS: &[&str] = &["\nQuestion:"];

/// The conversation as text that ends where the answer begins.
pub(super) fn render(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        let content = message.content.trim();
        match message.role {
            Role::System if content.is_empty() => {}
            Role::System => text.extend([content, "\n\n"]),
            Role::User => text.extend([QUESTION, " ", content, "\n"]),
            Role::Assistant => text.extend([ANSWER, " ", content, "\n\n"]),
        }
    }
    text.push_str(ANSWER);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, content: &str) -> Message {
        Message {
            role,
            content: content.to_owned(),
        }
    }

    #[test]
    fn pairs_and_the_open_question_have_one_form() {
        let messages = [
            message(Role::System, "Answer briefly.\n"),
            message(Role::User, "2 + 2?"),
            message(Role::Assistant, " 4"),
            message(Role::User, "A table:\na | b\n"),
        ];
        let expected =
            "Answer briefly.\n\nQuestion: 2 + 2?\nAnswer: 4\n\nQuestion: A table:\na | b\nAnswer:";
        assert_eq!(render(&messages), expected);
        assert_eq!(
            render(&[message(Role::System, " "), message(Role::User, "Hi")]),
            "Question: Hi\nAnswer:"
        );
    }
}
