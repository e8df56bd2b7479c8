//! Tasks that are scored by log-likelihood.

use super::*;
use crate::record::ChoiceMetric;

const CHOICE: &str = "[[task]]
id = \"q\"
type = \"choice\"
";
const QUESTION: &str = "[[task.sample]]
id = \"a\"
input = \"Q: 1 + 2?\\nA:\"
choices = [\"four\", \"three\"]
answer = 1
";
const READ: &str = "[[task]]
id = \"r\"
type = \"perplexity\"
";
const TEXT: &str = "[[task.sample]]
id = \"t\"
text = \"Some words.\"
";

#[test]
fn a_task_of_choices_is_read() {
    let settings = "system = \" Sums. \"\ntemplate = \"{{ topic }}: {{ input }}\"\nfew_shot = [{ input = \"x\", output = \"y\", fields = { topic = \"T\" } }]\nprompt = \"raw\"\nprimary = \"acc_norm\"\n";
    let sample = QUESTION.replace("answer", "fields = { topic = \"S\" }\nanswer");
    let suite = good(&format!("{HEAD}{CHOICE}{settings}{sample}"));
    let task = &suite.tasks[0];
    assert_eq!(task.kind, TaskKind::Choice);
    let l = &task.likelihood;
    assert_eq!(
        (l.prompt, l.metric, l.mutual_info),
        (PromptStyle::Raw, ChoiceMetric::AccNorm, false)
    );
    let sample = &task.samples[0];
    assert_eq!(
        (sample.choices.as_slice(), sample.answer),
        (&["four".to_owned(), "three".to_owned()][..], Some(1))
    );
    let said = messages(task, sample).unwrap();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].role, Role::User);
    assert_eq!(said[0].content, "Sums.\n\nT: x y\n\nS: Q: 1 + 2?\nA:");
    let chat = good(&format!(
        "{HEAD}{CHOICE}{}{QUESTION}",
        "prompt = \"chat\"\nsystem = \"Sums.\"\nfew_shot = [{ input = \"x\", output = \"y\" }]\n"
    ));
    let said = messages(&chat.tasks[0], &chat.tasks[0].samples[0]).unwrap();
    let roles: Vec<_> = said.iter().map(|m| m.role).collect();
    assert_eq!(
        roles,
        [Role::System, Role::User, Role::Assistant, Role::User]
    );
}

#[test]
fn the_suite_s_metric_holds_for_tasks_that_name_none() {
    let metric = |text: &str| good(text).tasks[0].likelihood;
    let plain = format!("{HEAD}{CHOICE}{QUESTION}");
    assert_eq!(metric(&plain).metric, ChoiceMetric::Acc);
    let norm = plain.replace("\"score\"", "\"acc_norm\"");
    assert_eq!(metric(&norm).metric, ChoiceMetric::AccNorm);
    let own = norm.replace("\"choice\"", "\"choice\"\nprimary = \"acc_bytes\"");
    assert_eq!(metric(&own).metric, ChoiceMetric::AccBytes);
    // What decides is measured.
    let mutual = plain.replace("\"choice\"", "\"choice\"\nprimary = \"acc_mutual_info\"");
    assert!(metric(&mutual).mutual_info);
}

#[test]
fn a_task_of_texts_is_read() {
    let suite = good(&format!("{HEAD}{READ}{TEXT}"));
    let task = &suite.tasks[0];
    let l = &task.likelihood;
    assert_eq!(
        (task.kind, l.windows, l.window),
        (TaskKind::Perplexity, WindowPlan::Rolling, DEFAULT_WINDOW)
    );
    assert_eq!(task.samples[0].input, "Some words.");
    assert_eq!(
        messages(task, &task.samples[0]).unwrap()[0].content,
        "Some words."
    );
    let strided = format!("{HEAD}{READ}windows = \"strided\"\nwindow = 512\n{TEXT}");
    assert_eq!(good(&strided).tasks[0].likelihood.stride, 256);
    let own = strided.replace("512", "512\nstride = 100");
    assert_eq!(good(&own).tasks[0].likelihood.stride, 100);
}

#[test]
fn digests_follow_what_is_asked() {
    let digest = |text: &str| {
        let s = good(text);
        s.sample_digest(&s.tasks[0], &s.tasks[0].samples[0])
    };
    let plain = format!("{HEAD}{CHOICE}{QUESTION}");
    for (from, to, changes) in [
        ("answer = 1", "answer = 0", true),
        ("\"four\"", "\"five\"", true),
        ("1 + 2", "2 + 1", true),
        ("\"choice\"", "\"choice\"\nprimary = \"acc_norm\"", true),
        ("\"choice\"", "\"choice\"\nprompt = \"chat\"", true),
        ("\"choice\"", "\"choice\"\nmutual_info = true", false),
        ("\"choice\"", "\"choice\"\ntitle = \"T\"", false),
        ("[[task]]", "[decoding]\nmax_tokens = 3\n[[task]]", false),
        ("id = \"a\"", "id = \"b\"", false),
    ] {
        let other = plain.replacen(from, to, 1);
        assert_ne!(plain, other);
        assert_eq!(digest(&plain) != digest(&other), changes, "{to}");
        let whole = good(&plain).digest != good(&other).digest;
        assert_eq!(whole, !to.contains("decoding"), "{to}");
    }
    let read = format!("{HEAD}{READ}{TEXT}");
    for (to, changes) in [
        ("window = 64", true),
        ("windows = \"begin\"", true),
        ("windows = \"rolling\"", false),
        ("title = \"T\"", false),
    ] {
        let other = read.replace("\"perplexity\"", &format!("\"perplexity\"\n{to}"));
        assert_eq!(digest(&read) != digest(&other), changes, "{to}");
    }
}

#[test]
fn errors_of_questions_and_texts() {
    let with = |rest: &str| format!("{HEAD}{CHOICE}{rest}{QUESTION}");
    let question = |from: &str, to: &str| with("").replace(from, to);
    fails(
        &question("answer = 1", "answer = 2"),
        "t.toml:14:10: `answer` is 2 but the sample has 2 choices, numbered from 0 to 1\n14 | answer = 2\n   |          ^",
    );
    fails(
        &question("answer = 1\n", ""),
        "t.toml:10:1: a sample needs the key `answer`\n10 | [[task.sample]]\n   | ^",
    );
    fails(
        &question("[\"four\", \"three\"]", "[\"four\"]"),
        "t.toml:13:11: `choices` has 1 items but a question needs at least 2\n13 | choices = [\"four\"]\n   |           ^",
    );
    fails(
        &question("\"four\"", "\" \""),
        "t.toml:13:11: a text in `choices` is empty\n13 | choices = [\" \", \"three\"]\n   |           ^",
    );
    fails(
        &question("answer = 1", "answer = 1\nchecks = []"),
        "t.toml:15:1: unknown key `checks` in a sample; valid keys are `id`, `difficulty`, `tags`, `input`, `fields`, `choices`, `answer`\n15 | checks = []\n   | ^",
    );
    fails(
        &with("primary = \"accuracy\"\n"),
        "t.toml:10:11: unknown metric of choices `accuracy`; valid are `acc`, `acc_norm`, `acc_bytes`, `acc_mutual_info`\n10 | primary = \"accuracy\"\n   |           ^",
    );
    fails(
        &with("primary = \"acc_mutual_info\"\nmutual_info = false\n"),
        "t.toml:11:15: `mutual_info` is false but `acc_mutual_info` decides, which needs it\n11 | mutual_info = false\n   |               ^\nhint: leave out `mutual_info`",
    );
    fails(
        &with("decoding = { epochs = 2 }\n"),
        "t.toml:10:1: unknown key `decoding` in a task; valid keys are `id`, `title`, `type`, `system`, `template`, `few_shot`, `prompt`, `primary`, `mutual_info`, `data`, `sample`\n10 | decoding = { epochs = 2 }\n   | ^",
    );
    let read = |rest: &str| format!("{HEAD}{READ}{rest}{TEXT}");
    fails(
        &read("").replace("Some words.", " "),
        "t.toml:12:8: `text` is empty\n12 | text = \" \"\n   |        ^",
    );
    fails(
        &read("stride = 4\n"),
        "t.toml:10:10: `stride` is set but windows do not overlap with `windows = \"rolling\"`\n10 | stride = 4\n   |          ^\nhint: leave out `stride`, or write `windows = \"strided\"`",
    );
    fails(
        &read("window = 1\n"),
        "t.toml:10:10: `window` is 1 but must be an integer from 2 to 131072\n10 | window = 1\n   |          ^",
    );
    fails(
        &read("system = \"s\"\n"),
        "t.toml:10:1: unknown key `system` in a task; valid keys are `id`, `title`, `type`, `windows`, `window`, `stride`, `data`, `sample`\n10 | system = \"s\"\n   | ^",
    );
}

#[test]
fn questions_and_texts_come_from_data_files() {
    use crate::record::Digest;
    let dir = tempfile::tempdir().unwrap();
    let rows = "{\"id\": 1, \"question\": \"2 + 2?\", \"options\": [\"4\", \"5\"], \"answer\": 0, \"label\": 9}\n";
    std::fs::write(dir.path().join("q.jsonl"), rows).unwrap();
    let sha = Digest::of(rows.as_bytes());
    let text = format!(
        "{HEAD}{CHOICE}[task.data]\npath = \"q.jsonl\"\nsha256 = \"{sha}\"\nfields = {{ input = \"question\", choices = \"options\" }}\n"
    );
    let suite = parse("t.toml", &text, Some(dir.path())).unwrap_or_else(|e| panic!("{e}"));
    let sample = &suite.tasks[0].samples[0];
    assert_eq!(
        (sample.input.as_str(), sample.choices.len(), sample.answer),
        ("2 + 2?", 2, Some(0))
    );
    let checked = format!("{text}checks = []\n");
    let error = parse("t.toml", &checked, Some(dir.path())).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("unknown key `checks` in `data`; valid keys are `path`, `sha256`, `fields`"),
        "{error}"
    );
}
