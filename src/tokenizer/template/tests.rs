use super::conversation::Conversation;
use super::*;
use crate::record::Role;
use serde_json::Value as Json;

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn variables() -> Variables {
    Variables {
        bos_token: Some("<s>".to_owned()),
        eos_token: Some("</s>".to_owned()),
        ..Variables::default()
    }
}

fn messages(json: &Json) -> Vec<Message> {
    let message = |m: &Json| Message {
        role: match m["role"].as_str().unwrap() {
            "system" => Role::System,
            "user" => Role::User,
            _ => Role::Assistant,
        },
        content: m["content"].as_str().unwrap().to_owned(),
    };
    json.as_array().unwrap().iter().map(message).collect()
}

fn render(source: &str, messages: &[Message]) -> Result<String, TokenizerError> {
    ChatTemplate::new(source, variables(), now())?.render(messages)
}

fn hello() -> Vec<Message> {
    vec![Message {
        role: Role::User,
        content: "Hello".to_owned(),
    }]
}

#[test]
fn renders_as_jinja2() {
    let golden: Json =
        serde_json::from_str(include_str!("../../../tests/golden/templates.json")).unwrap();
    let conversations = &golden["conversations"];
    let mut wrong = Vec::new();
    let mut cases = 0;
    for template in golden["templates"].as_array().unwrap() {
        let (name, source) = (&template["name"], template["source"].as_str().unwrap());
        for (conversation, expected) in template["results"].as_object().unwrap() {
            let found = render(source, &messages(&conversations[conversation]));
            let same = match &found {
                Ok(text) => expected["text"] == text.as_str(),
                Err(TokenizerError::TemplateRefused { message }) => {
                    expected["refused"] == message.as_str()
                }
                Err(_) => expected["failed"] == true,
            };
            cases += 1;
            if !same {
                wrong.push(format!(
                    "{name} {conversation}:\n  expected {expected}\n  found    {found:?}"
                ));
            }
        }
    }
    assert!(cases >= 80, "{cases}");
    assert!(
        wrong.is_empty(),
        "{} of {cases}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn time_is_injected() {
    assert_eq!(
        render("{{ strftime_now('%Y-%m-%d %H:%M') }}", &hello()).unwrap(),
        "2026-09-21 14:13"
    );
    assert!(matches!(
        render("{{ strftime_now('%!') }}", &hello()),
        Err(TokenizerError::TemplateFailed { .. })
    ));
}

#[test]
fn string_formatting_by_percent_fails_loudly() {
    assert_eq!(render("{{ '%s=%d' % ('x', 3) }}", &hello()).unwrap(), "x=3");
    // Where the format is no literal, minijinja's own operator is met.
    let e = render("{% set f = '%s' %}\n{{ f % 'x' }}", &hello())
        .unwrap_err()
        .to_string();
    assert!(
        e.starts_with("the chat template failed at line 2: invalid operation: "),
        "{e}"
    );
}

#[test]
fn refusals_and_failures_are_told_apart() {
    let refused = render("{{ raise_exception('no ' ~ messages[0].role) }}", &hello()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the chat template refused the conversation: no user"
    );
    assert!(refused.hint().is_some());
    let e = render("{{ nothing.attribute }}", &hello())
        .unwrap_err()
        .to_string();
    assert!(
        e.starts_with("the chat template failed at line 1: undefined value"),
        "{e}"
    );
    let e = render("a\n{% if %}", &hello()).unwrap_err().to_string();
    assert!(
        e.starts_with("the chat template is invalid at line 2: syntax error: "),
        "{e}"
    );
}

#[test]
fn hostile_templates_are_errors() {
    let e = render(&" ".repeat(MAX_SOURCE_BYTES + 1), &hello())
        .unwrap_err()
        .to_string();
    assert_eq!(
        e,
        "the chat template has 1048577 bytes, above the limit of 1048576 bytes"
    );
    let endless =
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}";
    let e = render(endless, &hello()).unwrap_err().to_string();
    assert_eq!(e, "the chat template used more than 1000000 steps");
    let flood = "{% set s = 'x' * 1000000 %}{% for i in range(1000) %}{{ s }}{% endfor %}";
    let e = render(flood, &hello()).unwrap_err().to_string();
    assert_eq!(e, "the chat template wrote more than 67108864 bytes");
    let nested_source = format!(
        "{}{}",
        "{% if true %}".repeat(20_000),
        "{% endif %}".repeat(20_000)
    );
    assert!(matches!(
        render(&nested_source, &hello()),
        Err(TokenizerError::TemplateSyntax { .. })
    ));
    let recursive = "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}";
    assert!(matches!(
        render(recursive, &hello()),
        Err(TokenizerError::TemplateFailed { .. })
    ));
    let nested_value = "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}";
    let printed = format!("{nested_value}{{{{ ns.x }}}}");
    assert!(matches!(
        render(&printed, &hello()),
        Err(TokenizerError::TemplateFailed { .. } | TokenizerError::TemplateSteps { .. })
    ));
    assert!(render(nested_value, &hello()).is_ok_and(|text| text.is_empty()));
}

#[test]
fn a_panic_of_the_engine_is_an_error() {
    let e = apart::<()>(|| panic!("made for this test"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        e,
        "the chat template failed at line 0: the template engine panicked"
    );
}

fn conversation(case: &Json) -> Conversation {
    let given = |key: &str| case.get(key).cloned().filter(|v| !v.is_null());
    Conversation {
        messages: case["messages"].as_array().unwrap().clone(),
        tools: given("tools"),
        documents: given("documents"),
        variables: given("variables")
            .and_then(|v| v.as_object().cloned())
            .unwrap_or_default(),
        add_generation_prompt: case["add_generation_prompt"] != false,
        continue_final_message: case["continue_final_message"] == true,
    }
}

/// One line for a case that differs from what transformers made of it.
fn difference(expected: &Json, found: &Result<String, TokenizerError>) -> Option<String> {
    let same = match found {
        Ok(text) => expected["text"] == text.as_str(),
        Err(TokenizerError::TemplateRefused { message }) => expected["refused"] == message.as_str(),
        Err(TokenizerError::TemplateFailed { .. } | TokenizerError::TemplateSyntax { .. }) => {
            expected.get("failed").is_some()
        }
        Err(_) => false,
    };
    (!same).then(|| format!("  expected {expected}\n  found    {found:?}"))
}

fn golden(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/templates");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn every_construct_renders_as_transformers_renders_it() {
    let golden_file: Json = serde_json::from_str(&golden("expected.json")).unwrap();
    let tokens = &golden_file["tokens"];
    let variables = Variables {
        bos_token: tokens["bos_token"].as_str().map(str::to_owned),
        eos_token: tokens["eos_token"].as_str().map(str::to_owned),
        ..Variables::default()
    };
    let mut wrong = Vec::new();
    let mut cases = 0;
    for (name, results) in golden_file["results"].as_object().unwrap() {
        let template =
            ChatTemplate::new(&golden(&format!("{name}.jinja")), variables.clone(), now());
        for (case, expected) in results.as_object().unwrap() {
            let conversation = conversation(&golden_file["cases"][case]);
            let found = match &template {
                Ok(template) => template.render_conversation(&conversation),
                Err(error) => Err(TokenizerError::TemplateSyntax {
                    line: 0,
                    message: error.to_string(),
                }),
            };
            cases += 1;
            wrong.extend(difference(expected, &found).map(|d| format!("{name} {case}:\n{d}")));
        }
    }
    assert!(cases >= 700, "{cases}");
    assert!(
        wrong.is_empty(),
        "{} of {cases}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn an_expression_of_any_form_is_turned_round_and_asked_for_its_methods() {
    let ask = |source: &str| render(source, &hello()).unwrap();
    for (source, expected) in [
        ("{{ messages[0].content[::-1] }}", "olleH"),
        ("{{ messages[0]['content'][::-1] }}", "olleH"),
        ("{{ messages[0].content.strip()[::-1] }}", "olleH"),
        ("{{ (messages[0].content ~ 'x')[::-1][0] }}", "x"),
        ("{{ ''[::-1] }}{{ [][::-1] }}{{ [1, 2][::-1] }}", "[][2, 1]"),
        (
            "{% for m in messages[::-1] %}{{ m.content }}{% endfor %}",
            "Hello",
        ),
        (
            "{% set c = cycler('a', 'bc') %}{{ c.next()[::-1] }}{{ c.next()[::-1] }}",
            "acb",
        ),
        (
            "{% if messages[0].content.strip is defined %}yes{% endif %}",
            "yes",
        ),
        (
            "{% if messages[0]['content'].strip is not defined %}no{% else %}yes{% endif %}",
            "yes",
        ),
        (
            "{% if not messages[0].items is defined or messages.split is defined %}no{% endif %}",
            "",
        ),
    ] {
        assert_eq!(ask(source), expected, "{source}");
    }
    assert!(matches!(
        render("{{ missing[::-1] }}", &hello()),
        Err(TokenizerError::TemplateFailed { .. })
    ));
}

#[test]
fn wrapping_writes_no_more_than_a_prompt() {
    let source = "{{ ('a' * 100000)|wordwrap(1, true, 'b' * 1000000) }}";
    let source = source.replace("'a' * 100000", &format!("'{}'", "a".repeat(100_000)));
    let source = source.replace("'b' * 1000000", &format!("'{}'", "b".repeat(100_000)));
    let message = render(&source, &hello()).unwrap_err().to_string();
    assert!(
        message.contains("`wordwrap` writes more than any prompt"),
        "{message}"
    );
}
