//! The house rules of `docs/architecture.md` and `docs/contributing.md`, as tests: direction of imports, one owner an effect, headers,
//! lengths, names. Only the standard library is used, so that this test never depends on what it checks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may import. A room that is absent here may import nothing; `ops` and the crate root may import everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("record", &["units"]),
    ("modelfile", &[]),
    ("stats", &[]),
    ("cost", &["stats"]),
    ("memory", &["modelfile", "record", "units"]),
    ("config", &["cost", "record", "units"]),
    ("suite", &["record"]),
    ("scorer", &["record", "suite"]),
    ("tokenizer", &["clock", "guard", "modelfile", "record"]),
    (
        "engine",
        &["clock", "guard", "modelfile", "record", "units"],
    ),
    ("host", &["clock", "record", "units"]),
    ("hub", &["clock", "config", "modelfile", "record", "units"]),
    ("plan", &["memory", "record", "suite", "units"]),
    (
        "runner",
        &[
            "clock",
            "engine",
            "plan",
            "record",
            "scorer",
            "suite",
            "tokenizer",
            "units",
        ],
    ),
    ("store", &["clock", "record", "units"]),
    ("metric", &["record", "units"]),
    (
        "analysis",
        &["clock", "cost", "metric", "record", "stats", "units"],
    ),
    ("baseline", &["analysis", "record"]),
    ("report", &["analysis", "cost", "metric", "record", "units"]),
    ("console", &["clock", "record", "stats", "units"]),
    ("cli", &["record", "units"]),
];

/// Who owns an effect: text that may occur only below these paths.
const OWNERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["src/store/"]),
    ("ureq::", &["src/hub/"]),
    ("hf_hub::", &["src/hub/"]),
    ("TcpStream", &["src/hub/"]),
    (
        "candle_core",
        &["src/engine/candle/", "src/engine/adapter/"],
    ),
    ("candle_nn", &["src/engine/candle/", "src/engine/adapter/"]),
    ("candle_transformers", &["src/engine/adapter/"]),
    ("tokenizers::", &["src/tokenizer/"]),
    ("minijinja::", &["src/tokenizer/", "src/suite/"]),
    ("clap::", &["src/cli/"]),
    ("indicatif::", &["src/console/"]),
    ("stdout()", &["src/console/", "src/main.rs"]),
    ("stderr()", &["src/console/", "src/main.rs"]),
    ("println!", &["src/console/"]),
    ("env::var", &["src/main.rs"]),
    ("env::vars", &["src/main.rs"]),
    ("env::args", &["src/main.rs"]),
    ("Instant::now", &["src/clock.rs"]),
    ("Timestamp::now", &["src/clock.rs"]),
    ("SystemTime::now", &["src/clock.rs"]),
    ("process::exit", &["src/host/"]),
    ("Command::new", &["src/hub/", "src/engine/worker"]),
    (
        "unsafe ",
        &[
            "src/engine/kernels/",
            "src/modelfile/mapped.rs",
            "src/host/",
        ],
    ),
];

/// Never in shipped code.
const BANNED: &[&str] = &[
    "todo!(",
    "unimplemented!(",
    "dbg!(",
    "#[ignore",
    "#[should_panic",
];

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The room: the first folder or file below `src`.
    fn room(&self) -> &str {
        let below = self
            .path
            .strip_prefix("src/")
            .expect("every source lies below src");
        below
            .split(['/', '.'])
            .next()
            .expect("split yields at least one part")
    }

    /// Lines with their numbers, without comments and without the tests at the end of a file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]").unwrap_or(self.text.len());
        let is_test = self.path.ends_with("tests.rs") || self.path.contains("/tests/");
        let end = if is_test { 0 } else { end };
        self.text[..end]
            .lines()
            .enumerate()
            .map(|(i, line)| (i + 1, line))
            .filter(|(_, l)| !l.trim_start().starts_with("//"))
    }
}

fn sources() -> Vec<Source> {
    let mut out = Vec::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                let relative = path
                    .strip_prefix(env!("CARGO_MANIFEST_DIR"))
                    .expect("below the manifest");
                out.push(Source {
                    path: relative.to_string_lossy().replace('\\', "/"),
                    text,
                });
            }
        }
    }
    assert!(
        out.len() > 50,
        "only {} sources found: the test looks in the wrong place",
        out.len()
    );
    out.sort_by(|a, b| a.path.cmp(&b.path));
    out
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn imports_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut found = Vec::new();
    for source in sources() {
        let room = source.room();
        if ["ops", "lib", "main", "error"].contains(&room) {
            continue;
        }
        for (number, line) in source.code() {
            for (at, _) in line.match_indices("crate::") {
                let target: String = line[at + 7..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let may = allowed.get(room).copied().unwrap_or(&[]);
                if !target.is_empty() && target != room && !may.contains(&target.as_str()) {
                    found.push(format!(
                        "{}:{number}: `{room}` imports `{target}`",
                        source.path
                    ));
                }
            }
        }
    }
    assert_none(
        "imports against the direction in docs/architecture.md",
        &found,
    );
}

#[test]
fn effects_have_one_owner() {
    let mut found = Vec::new();
    for source in sources() {
        for (number, line) in source.code() {
            for (effect, owners) in OWNERS {
                if line.contains(effect) && !owners.iter().any(|o| source.path.starts_with(o)) {
                    found.push(format!(
                        "{}:{number}: `{effect}` belongs to {}",
                        source.path,
                        owners.join(", ")
                    ));
                }
            }
        }
    }
    assert_none("effects outside their room", &found);
}

#[test]
fn every_file_says_what_it_is_for() {
    let headless = |s: &Source| !s.text.starts_with("//!") && !s.path.contains("tests");
    let found: Vec<_> = sources()
        .into_iter()
        .filter(headless)
        .map(|s| s.path)
        .collect();
    assert_none("files without a module header", &found);
}

#[test]
fn names_and_leftovers() {
    let mut found = Vec::new();
    for source in sources() {
        let file = Path::new(&source.path)
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or("");
        if ["utils", "util", "common", "helpers", "misc", "prelude"].contains(&file) {
            found.push(format!("{}: a name that says nothing", source.path));
        }
        for (number, line) in source.text.lines().enumerate() {
            for banned in BANNED.iter().filter(|b| line.contains(*b)) {
                found.push(format!("{}:{}: {banned}", source.path, number + 1));
            }
        }
    }
    assert_none("names and leftovers", &found);
}

/// (path:line, lines) of every function outside tests, by indentation of the closing brace.
fn functions() -> Vec<(String, usize)> {
    let mut out = Vec::new();
    for source in sources() {
        let mut open: Option<(usize, usize)> = None;
        for (number, line) in source.code() {
            let indent = line.len() - line.trim_start().len();
            let words: Vec<&str> = line.split_whitespace().take(5).collect();
            if open.is_none() && words.contains(&"fn") && !line.trim_end().ends_with([';', '}']) {
                open = Some((number, indent));
            } else if let Some((start, at)) = open
                && indent == at
                && line.trim_start().starts_with('}')
            {
                out.push((format!("{}:{start}", source.path), number - start + 1));
                open = None;
            }
        }
    }
    out
}

#[test]
fn functions_and_files_are_short() {
    let all = functions();
    let long: Vec<_> = all
        .iter()
        .filter(|f| f.1 > 70)
        .map(|f| format!("{} has {} lines", f.0, f.1))
        .collect();
    assert!(all.len() > 200, "only {} functions found", all.len());
    assert!(
        long.len() * 25 < all.len(),
        "4 % or more of {} functions are above 70 lines: {long:#?}",
        all.len()
    );
    let long: Vec<_> = all
        .iter()
        .filter(|f| f.1 > 120)
        .map(|f| format!("{} has {} lines", f.0, f.1))
        .collect();
    assert_none("functions above 120 lines", &long);
    let files: Vec<_> = sources()
        .iter()
        .map(|s| (s.path.clone(), s.text.lines().count()))
        .filter(|f| f.1 > 900)
        .collect();
    assert!(files.is_empty(), "files above 900 lines: {files:?}");
}

#[test]
fn documents_link_to_files_that_exist() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut pages = vec![
        root.join("README.md"),
        root.join("CHANGELOG.md"),
        root.join("prompts/README.md"),
    ];
    for folder in ["docs", "docs/decisions"] {
        let entries = fs::read_dir(root.join(folder)).expect("docs can be listed");
        pages.extend(
            entries
                .map(|e| e.expect("docs can be listed").path())
                .filter(|p| p.extension().is_some_and(|e| e == "md")),
        );
    }
    for page in pages {
        let text = fs::read_to_string(&page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap_or("");
            let outside =
                target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !outside
                && !page
                    .parent()
                    .expect("a page lies in a folder")
                    .join(target)
                    .exists()
            {
                found.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert_none("dead links", &found);
}

/// The tokenizers crate can use Oniguruma, a C library that backtracks; the pure Rust engine is chosen instead, and no other crate may bring it back.
#[test]
fn oniguruma_is_not_a_dependency() {
    let lock =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let names = || lock.lines().filter_map(|l| l.strip_prefix("name = \""));
    assert!(
        names().any(|n| n == "tokenizers\""),
        "Cargo.lock is not read"
    );
    let found: Vec<_> = names().filter(|n| n.starts_with("onig")).collect();
    assert!(
        found.is_empty(),
        "Cargo.lock has {found:?}; find out why with `cargo tree -i onig`"
    );
}
