//! A token is sent to the hub and appears nowhere else: not in what the program prints or logs, not in what it writes, whatever goes wrong.

use crate::context::{ANSWERS, RUN, Ran, SHOP, TestContext};
use crate::hub_programs::{model, with_hub};
use crate::mock_hub::{Fault, MockHub};
use std::path::Path;

const CANARY: &str = "hf_canaryTmV2ZXJTaG93TWU";
const FILE: &str = "m.gguf";

/// How a folder gets its token.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Variable,
    File,
}

/// A folder with a token, a model at the hub and a suite.
fn context(hub: &MockHub, by: By) -> TestContext {
    let mut context = with_hub(hub, &format!("hf:o/r/{FILE}"));
    context.write("prompts/shop.toml", SHOP);
    context.write("mock.toml", ANSWERS);
    match by {
        By::Variable => context.set("HF_TOKEN", CANARY),
        By::File => {
            context.write("../home/.cache/huggingface/token", format!("{CANARY}\n"));
        }
    }
    context
}

fn assert_clean(what: &str, text: &str) {
    for hidden in [CANARY, &CANARY[3..], "TmV2ZXJ"] {
        assert!(!text.contains(hidden), "{what} shows the token:\n{text}");
    }
}

/// Runs a command with everything logged; nothing of it may show the token.
fn run(context: &TestContext, args: &[&str]) -> Ran {
    for format in ["text", "json"] {
        let ran = context.evalh(&[args, &["--log", "trace", "--log-format", format]].concat());
        assert_clean(&format!("{args:?}"), &ran.out);
        assert_clean(&format!("{args:?}"), &ran.err);
    }
    context.evalh(args)
}

/// Every file the program wrote, searched as bytes: databases and caches too.
fn assert_files_clean(folder: &Path) -> usize {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            seen += assert_files_clean(&path);
        } else if path.is_file() && !path.ends_with(".cache/huggingface/token") {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes());
            assert!(!found, "the token is in {}", path.display());
            seen += 1;
        }
    }
    seen
}

#[test]
fn the_token_appears_nowhere() {
    for by in [By::Variable, By::File] {
        let hub = MockHub::new(&[(FILE, &model())]);
        let context = context(&hub, by);
        // What fails, with a server that says in every way what it was sent.
        for (method, path, status) in [
            ("HEAD", "/resolve/", 401),
            ("HEAD", "/resolve/", 403),
            ("HEAD", "/resolve/", 404),
            ("HEAD", "/resolve/", 400),
            ("GET", "/api/", 401),
            ("GET", "/resolve/", 401),
            ("GET", "/resolve/", 418),
        ] {
            hub.forget_faults();
            hub.fault(
                method,
                path,
                99,
                Fault::Says(status, "token {authorization}"),
            );
            let name = if path == "/api/" {
                "hf:o/r"
            } else {
                "hf:o/r/m.gguf"
            };
            assert_ne!(run(&context, &["models", "add", name]).code, Some(0));
            if path != "/api/" {
                let ran = run(&context, &["models", "pull"]);
                assert_eq!(ran.code, Some(3), "{method} {status}: {}", ran.err);
            }
            run(&context, &["models", "lock"]);
        }
        // An answer that is not JSON, and a redirect to the token itself.
        hub.forget_faults();
        hub.fault("GET", "/api/", 99, Fault::Says(200, "{authorization}"));
        assert_ne!(run(&context, &["models", "add", "hf:o/r"]).code, Some(0));
        hub.forget_faults();
        hub.fault(
            "GET",
            "/resolve/",
            99,
            Fault::Headers(vec![(
                "location",
                format!("https://{CANARY}@127.0.0.1:9/x"),
            )]),
        );
        assert_eq!(run(&context, &["models", "pull"]).code, Some(3));
        // What works.
        hub.forget_faults();
        assert_eq!(run(&context, &["models", "pull"]).code, Some(0));
        let sent = hub.seen();
        let bearer = format!("Bearer {CANARY}");
        assert!(
            sent.iter()
                .any(|s| s.header("authorization") == Some(&bearer))
        );
        assert!(
            sent.iter()
                .filter(|s| s.storage)
                .all(|s| s.header("authorization").is_none())
        );
        for args in [
            &["models", "list", "--json"][..],
            &["models", "verify"],
            &["doctor"],
            &["doctor", "--json"],
            &["report"],
            &["report", "--format", "json"],
            &["runs", "list", "--json"],
            &["no-such-command"],
        ] {
            run(&context, args);
        }
        let args = [&RUN[..], &["--models", "tiny", "--fresh"]].concat();
        assert_eq!(run(&context, &args).code, Some(0));
        run(
            &context,
            &["report", "--format", "json", "-o", "report.json"],
        );
        // At least the database, the caches, the lock, the report and the catalogue were searched.
        assert!(assert_files_clean(&context.path("..")) > 8);
    }
}

#[test]
fn a_token_that_cannot_be_one_is_not_repeated() {
    let hub = MockHub::new(&[(FILE, &model())]);
    let mut context = with_hub(&hub, &format!("hf:o/r/{FILE}"));
    context.set("HF_TOKEN", &format!("{CANARY} with spaces"));
    let ran = run(&context, &["models", "pull"]);
    assert_eq!(
        ran.err,
        "error: `HF_TOKEN` is not a token of visible ASCII characters\n"
    );
    assert!(hub.seen().is_empty());
}

#[test]
fn what_is_printed_for_developers_has_names_only() {
    let variables = std::collections::BTreeMap::from([("HF_TOKEN".to_owned(), CANARY.to_owned())]);
    let environment = evalh::cli::Environment {
        variables: variables.clone(),
        ..evalh::cli::Environment::default()
    };
    let shown = format!("{environment:?} {environment:#?}");
    assert!(shown.contains("HF_TOKEN"), "{shown}");
    assert_clean("the environment", &shown);
    let settings = evalh::hub::HfEnv::from_env(&variables).unwrap();
    assert_clean("the settings", &format!("{settings:?} {settings:#?}"));
}
