//! Data files, and files that cannot be read.

use super::*;
use crate::record::Digest;
use std::path::Path;

/// A folder with a suite and files beside it.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

const ROWS: &str = "{\"id\": 1, \"question\": \"What is 1 + 2?\", \"answer\": \"3\", \"value\": 3}\n\n{\"id\": \"q2\", \"question\": \"And 2 + 2?\", \"answer\": \"four\", \"value\": 4}\n";

fn data(path: &str, sha256: &str, rest: &str) -> String {
    format!("{HEAD}{TASK}[task.data]\npath = \"{path}\"\nsha256 = \"{sha256}\"\n{rest}\n")
}

const MAPPED: &str = "fields = { input = \"question\", wanted = \"answer\" }\nchecks = [{ type = \"number\", equals = { field = \"value\" } }, { type = \"contains\", value = { field = \"answer\" }, required = false }]";

#[test]
fn data_files_are_read() {
    let sha = Digest::of(ROWS.as_bytes());
    let dir = folder(&[
        ("data/x.jsonl", ROWS),
        ("s.toml", &data("data/x.jsonl", sha.as_str(), MAPPED)),
    ]);
    let suite = load(&dir.path().join("s.toml")).unwrap_or_else(|e| panic!("{e}"));
    let samples = &suite.tasks[0].samples;
    assert_eq!(
        samples.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(),
        ["1", "q2"]
    );
    assert_eq!(
        (samples[1].line, samples[1].data_file.as_deref()),
        (3, Some("data/x.jsonl"))
    );
    assert_eq!(
        samples[1].fields,
        [("wanted".to_owned(), FieldValue::Text("four".to_owned()))]
    );
    assert!(matches!(*samples[1].checks[0].rule, Rule::Number { equals, .. } if equals == 4.0));
}

#[test]
fn data_errors() {
    let sha = Digest::of(ROWS.as_bytes());
    let error = |text: &str, rows: &str| {
        let dir = folder(&[("x.jsonl", rows)]);
        parse("t.toml", text, Some(dir.path())).unwrap_err()
    };
    let wrong = "0".repeat(64);
    same(
        &error(&data("x.jsonl", &wrong, MAPPED), ROWS),
        &format!(
            "t.toml:11:10: `x.jsonl` has the sha256 {sha} but the suite declares {wrong}\n11 | sha256 = \"{wrong}\"\n   |          ^\nhint: if the change is wanted, write `sha256 = \"{sha}\"` and raise the suite's version"
        ),
    );
    same(
        &error(&data("x.jsonl", "abc", MAPPED), ROWS),
        "t.toml:11:10: `abc` is not a sha256: 64 hexadecimal digits are needed\n11 | sha256 = \"abc\"\n   |          ^",
    );
    same(
        &error(&data("y.jsonl", &wrong, MAPPED), ROWS),
        "t.toml:10:8: failed to read `y.jsonl`: No such file or directory (os error 2)\n10 | path = \"y.jsonl\"\n   |        ^",
    );
    same(
        &parse("t.toml", &data("x.jsonl", &wrong, MAPPED), None).unwrap_err(),
        "t.toml:10:8: a built-in suite has no folder for `x.jsonl`\n10 | path = \"x.jsonl\"\n   |        ^",
    );
    same(
        &error(
            &data(
                "x.jsonl",
                sha.as_str(),
                &MAPPED.replace("\"question\"", "\"questions\""),
            ),
            ROWS,
        ),
        "x.jsonl:1:1: the row has no field `questions`; it has `id`, `question`, `answer`, `value`\n1 | {\"id\": 1, \"question\": \"What is 1 + 2?\", \"answer\": \"3\", \"value\": 3}\n  | ^\nhint: did you mean `question`?",
    );
    let broken = "{\"id\": 1, \"question\" \"x\"}\n";
    same(
        &error(
            &data("x.jsonl", Digest::of(broken.as_bytes()).as_str(), MAPPED),
            broken,
        ),
        "x.jsonl:1:22: JSON syntax: expected `:`\n1 | {\"id\": 1, \"question\" \"x\"}\n  |                      ^",
    );
    let latin = parse_bytes(&[0x7b, 0xff]);
    assert_eq!(
        latin,
        "t.toml:10:8: failed to read `x.jsonl`: it is not UTF-8"
    );
}

fn parse_bytes(bytes: &[u8]) -> String {
    let dir = folder(&[]);
    std::fs::write(dir.path().join("x.jsonl"), bytes).unwrap();
    let text = data("x.jsonl", Digest::of(bytes).as_str(), MAPPED);
    let error = parse("t.toml", &text, Some(dir.path())).unwrap_err();
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn data_stays_inside_the_folder() {
    let outside = folder(&[("secret.jsonl", ROWS)]);
    let inside = folder(&[("x.jsonl", ROWS)]);
    #[cfg(unix)]
    std::os::unix::fs::symlink(
        outside.path().join("secret.jsonl"),
        inside.path().join("link.jsonl"),
    )
    .unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(outside.path(), inside.path().join("dir")).unwrap();
    let sha = Digest::of(ROWS.as_bytes());
    let absolute = outside.path().join("secret.jsonl");
    let paths = [
        "../x.jsonl",
        "a/../../x.jsonl",
        absolute.to_str().unwrap(),
        "link.jsonl",
        "dir/secret.jsonl",
    ];
    for path in paths {
        let error = parse(
            "t.toml",
            &data(path, sha.as_str(), MAPPED),
            Some(inside.path()),
        )
        .unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(&format!(
                "t.toml:10:8: `{path}` leaves the suite's folder\n"
            )),
            "{text}"
        );
        assert_eq!(
            error.hint().as_deref(),
            Some("put the file beside the suite and name it by a relative path")
        );
    }
}

#[test]
fn file_errors() {
    let dir = folder(&[]);
    let path = dir.path().join("none.toml");
    let error = load(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("failed to read `{}`", path.display())
    );
    std::fs::write(&path, [b'a', 0xff]).unwrap();
    same(
        &load(&path).unwrap_err(),
        &format!(
            "`{}` is not UTF-8: the byte at offset 1 is invalid\nhint: save the file as UTF-8",
            path.display()
        ),
    );
    let suite = good(&format!("{HEAD}{TASK}{SAMPLE}"));
    let mut task = suite.tasks[0].clone();
    task.template = Some("{{ topic }}".to_owned());
    let error = messages(&task, &task.samples[0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template of task `one` cannot be rendered for sample `a`: undefined value: `topic` is undefined (line 1 of the template)"
    );
    assert!(load(Path::new("/")).is_err());
}
