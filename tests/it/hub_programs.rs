//! The program against a hub on this machine: killed, run twice at once, offline, and the commands that change the catalogue and the lock.

use crate::context::{TestContext, end, signal, until};
use crate::hub::OTHER;
use crate::mock_hub::{COMMIT, Fault, MockHub, sha256};
use crate::tiny_gguf::tiny_gguf;
use crate::tiny_safetensors::{borrowed, sharded};
use std::path::PathBuf;
use std::time::Duration;

const FILE: &str = "Tiny-F32.gguf";

/// A model file of some size: a header that is valid, and zeros behind it.
pub(crate) fn model() -> Vec<u8> {
    let mut bytes = tiny_gguf("{{ messages[0].content }}");
    bytes.resize(400_000, 0);
    bytes
}

/// A folder whose catalogue names one file of the hub.
pub(crate) fn with_hub(hub: &MockHub, source: &str) -> TestContext {
    let mut context = TestContext::new();
    context.unset("EVALH_OFFLINE");
    context.set("HF_ENDPOINT", &hub.endpoint);
    context.write(
        "models.toml",
        format!("# mine\n[[model]]\nname = \"tiny\"\nsources = [\"{source}\"]\ndefault = true\n"),
    );
    context
}

/// The folder other tools would look in.
fn shared(context: &TestContext) -> PathBuf {
    context.path("../home/.cache/huggingface/hub")
}

fn part(context: &TestContext) -> PathBuf {
    let name = format!("models--o--r/blobs/{}.incomplete", sha256(&model()));
    shared(context).join(name)
}

fn part_length(context: &TestContext) -> u64 {
    std::fs::metadata(part(context)).map_or(0, |m| m.len())
}

#[test]
fn a_killed_download_is_continued_by_the_next() {
    let hub = MockHub::new(&[(FILE, &model())]);
    let context = with_hub(&hub, &format!("hf:o/r/{FILE}"));
    for round in 1..=3 {
        hub.fault(
            "GET",
            "/files/",
            1,
            Fault::Drip(20_000, Duration::from_millis(40)),
        );
        let mut child = context.start(&["models", "pull"]);
        let enough = round * 60_000;
        until("some of the file is there", || {
            part_length(&context) >= enough
        });
        signal(child.id(), libc::SIGKILL);
        child.wait().unwrap();
        // Nothing that is not whole has a name of something that is.
        assert!(part_length(&context) < 400_000);
        assert!(!shared(&context).join("models--o--r/snapshots").exists());
        let listed = context.ok(&["models", "list", "--json"]).json();
        assert!(listed["path"].is_null(), "{listed}");
    }
    hub.forget_faults();
    let left = part_length(&context);
    let pulled = context.ok(&["models", "pull", "--json"]).json();
    assert_eq!(pulled["sha256"], sha256(&model()));
    let ranges: Vec<Option<String>> = hub
        .transfers()
        .iter()
        .map(|s| s.header("range").map(ToOwned::to_owned))
        .collect();
    assert_eq!(ranges.len(), 4);
    assert_eq!(ranges[3], Some(format!("bytes={left}-")));
    assert!(!part(&context).exists());
    context.ok(&["models", "verify", "tiny"]);
}

#[test]
fn two_programs_at_once_transfer_once() {
    let hub = MockHub::new(&[(FILE, &model())]);
    let context = with_hub(&hub, &format!("hf:o/r/{FILE}"));
    hub.fault(
        "GET",
        "/files/",
        9,
        Fault::Drip(50_000, Duration::from_millis(50)),
    );
    let args = ["models", "pull", "--json"];
    let children = [context.start(&args), context.start(&args)];
    let ran = children.map(|child| end(child, &args));
    for one in &ran {
        assert_eq!(one.code, Some(0), "{}", one.err);
        assert_eq!(one.json()["sha256"], sha256(&model()));
    }
    assert_eq!(hub.transfers().len(), 1);
    // Two with caches of their own that share only the folder of other tools.
    let hub = MockHub::new(&[(FILE, &model())]);
    let context = with_hub(&hub, &format!("hf:o/r/{FILE}"));
    hub.fault(
        "GET",
        "/files/",
        9,
        Fault::Drip(50_000, Duration::from_millis(50)),
    );
    let mut other = with_hub(&hub, &format!("hf:o/r/{FILE}"));
    other.set("HF_HUB_CACHE", &shared(&context).to_string_lossy());
    let children = [context.start(&args), other.start(&args)];
    for child in children {
        let one = end(child, &args);
        assert_eq!(one.code, Some(0), "{}", one.err);
    }
    assert_eq!(hub.transfers().len(), 1);
}

#[test]
fn what_is_here_needs_no_network_and_what_is_not_says_so() {
    let hub = MockHub::new(&[(FILE, &model())]);
    let mut context = with_hub(&hub, "hf:o/r");
    context.set("HF_HUB_OFFLINE", "1");
    let (code, message) = context.refusal(&["models", "pull"]);
    assert_eq!(code, 3);
    assert_eq!(
        message,
        "error: model `tiny` could not be had from its source\n  `hf:o/r`: not on this machine, and `HF_HUB_OFFLINE` forbids the network\n\nhint: run `evalh models pull` once on a machine with a network\n"
    );
    assert!(hub.seen().is_empty());
    context.unset("HF_HUB_OFFLINE");
    context.ok(&["models", "pull"]);
    let before = hub.seen().len();
    context.set("HF_HUB_OFFLINE", "1");
    for args in [
        &["models", "pull"][..],
        &["models", "verify"],
        &["models", "estimate"],
        &["models", "list"],
    ] {
        context.ok(args);
    }
    // The shared folder alone is enough.
    std::fs::remove_dir_all(context.path("../cache")).unwrap();
    context.ok(&["models", "pull", "--locked"]);
    assert_eq!(hub.seen().len(), before);
}

#[test]
fn a_model_is_added_by_its_header_and_the_catalogue_is_only_appended_to() {
    let mut large = model();
    large.resize(3_000_000, 0);
    let hub = MockHub::new(&[("sub/Tiny-Q8_0.gguf", &large), (FILE, &model())]);
    let context = with_hub(&hub, "path:absent.gguf");
    let before = std::fs::read_to_string(context.path("models.toml")).unwrap();
    let added = context
        .ok(&["models", "add", "hf:o/r/*/*Q8_0*", "--json"])
        .json();
    assert_eq!(added["name"], "tiny-q8_0");
    assert_eq!(added["source"], "hf:o/r/sub/Tiny-Q8_0.gguf");
    assert_eq!(added["commit"], COMMIT);
    assert_eq!(
        (&added["fetched"], &added["sha256"]),
        (&false.into(), &serde_json::Value::Null)
    );
    assert_eq!(
        (&added["architecture"], &added["parameters"]),
        (&"llama".into(), &2056.into())
    );
    let after = std::fs::read_to_string(context.path("models.toml")).unwrap();
    assert_eq!(
        after,
        format!(
            "{before}\n[[model]]\nname = \"tiny-q8_0\"\nsources = [\"hf:o/r/sub/Tiny-Q8_0.gguf\"]\nparameters = 2056\n"
        )
    );
    let sent: Vec<_> = hub.transfers();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].header("range"), Some("bytes=0-1048575"));
    assert!(!shared(&context).exists());
    // The new entry is one like any other.
    let pulled = context
        .ok(&["models", "pull", "tiny-q8_0", "--json"])
        .json();
    assert_eq!(pulled["sha256"], sha256(&large));
    // A second model of the same name, a name that cannot be one, a source that is none: nothing is asked and nothing is written.
    let asked = hub.seen().len();
    for (args, message) in [
        (
            &["models", "add", "hf:o/r", "--name", "tiny"][..],
            "error: models.toml:13:8: the name `tiny` is already used in line 3",
        ),
        (
            &["models", "add", "hf:o/r", "--name", "a b"],
            "error: models.toml:13:8: `name` is `a b`",
        ),
        (
            &["models", "add", "gs://x"],
            "error: the source `gs://x` has no known scheme; it begins with `hf:`, `pypi:`, `path:` or `https://`\n\nhint: write for example `hf:OWNER/REPO/FILE.gguf` or `path:FILE.gguf`\n",
        ),
    ] {
        let (code, said) = context.refusal(args);
        assert_eq!(code, 2, "{said}");
        assert!(said.starts_with(message), "{said}");
    }
    assert_eq!(hub.seen().len(), asked);
    assert_eq!(
        std::fs::read_to_string(context.path("models.toml")).unwrap(),
        after
    );
    // A damaged header is refused and adds nothing.
    let (code, said) = context.refusal(&["models", "add", "hf:o/r/none.gguf"]);
    assert_eq!(code, 3, "{said}");
    hub.replace(FILE, b"GGUF\x09\0\0\0");
    let (code, said) = context.refusal(&["models", "add", &format!("hf:o/r/{FILE}")]);
    assert_eq!(
        (
            code,
            said.lines().find(|l| l.starts_with("error: ")).unwrap()
        ),
        (
            3,
            "error: `Tiny-F32.gguf` cannot be used: GGUF version 9 is not supported; versions 2 and 3 are"
        )
    );
    assert_eq!(
        std::fs::read_to_string(context.path("models.toml")).unwrap(),
        after
    );
}

#[test]
fn every_kind_of_source_can_be_added() {
    let files = sharded();
    let hub = MockHub::new(&borrowed(&files));
    let context = with_hub(&hub, "path:absent.gguf");
    // Safetensors, by their headers.
    let added = context.ok(&["models", "add", "hf:o/r", "--json"]).json();
    assert_eq!(
        (&added["name"], &added["quantization"]),
        (&"r".into(), &"BF16".into())
    );
    assert_eq!(
        (&added["parameters"], &added["weights_bytes"]),
        (&48.into(), &112.into())
    );
    let pulled = context.ok(&["models", "pull", "r", "--json"]).json();
    let estimate = context.ok(&["models", "estimate", "r", "--json"]).json();
    assert_eq!(estimate["weights_bytes"], 112);
    assert_eq!(
        context.ok(&["models", "verify", "r", "--json"]).json()["sha256"],
        pulled["sha256"]
    );
    #[cfg(feature = "candle")]
    {
        let ran = context.evalh(&["run", "--suite", "smoke", "--models", "r"]);
        assert_eq!(ran.code, Some(3));
        assert!(
            ran.err.contains("r: skipped: metadata `config.json: head_dim` is 4: it must be a multiple of 16 and hold the rotated part"),
            "{}",
            ran.err
        );
    }
    // An address: fetched whole, its digest written down.
    let hub = MockHub::new(&[(FILE, &model())]);
    let url = hub.plain_url(FILE);
    let added = context.ok(&["models", "add", &url, "--json"]).json();
    assert_eq!(added["sha256"], sha256(&model()));
    let text = std::fs::read_to_string(context.path("models.toml")).unwrap();
    assert!(
        text.contains(&format!("sha256 = \"{}\"", sha256(&model()))),
        "{text}"
    );
    let before = hub.seen().len();
    context.ok(&["models", "verify", "tiny-f32"]);
    assert_eq!(hub.seen().len(), before);
    // A file of this machine, in a folder without a catalogue: the built-in models stay.
    let context = TestContext::new();
    context.write("mine.gguf", model());
    let ran = context.ok(&["models", "add", "path:mine.gguf", "--name", "mine"]);
    assert!(
        ran.err
            .contains("`models.toml` was made from the built-in catalogue"),
        "{}",
        ran.err
    );
    let listed = context.ok(&["models", "list", "--json"]).lines();
    assert!(
        listed.len() > 10
            && listed
                .iter()
                .any(|m| m["name"] == "mine" && !m["path"].is_null())
    );
    // A server that knows no ranges.
    let mut large = model();
    large.resize(2_000_000, 0);
    let hub = MockHub::new(&[(FILE, &large)]);
    let context = with_hub(&hub, "path:absent.gguf");
    hub.fault("GET", "/files/", 9, Fault::WholeFile);
    let added = context.ok(&["models", "add", "hf:o/r", "--json"]).json();
    assert_eq!(
        (&added["fetched"], &added["name"]),
        (&true.into(), &"tiny-f32".into())
    );
}

#[test]
fn moving_sources_are_locked_and_the_lock_holds() {
    let hub = MockHub::new(&[(FILE, &model())]);
    let context = with_hub(&hub, "hf:o/r");
    let (code, said) = context.refusal(&["models", "pull", "--locked"]);
    assert_eq!(code, 3);
    assert!(said.contains("`--locked` is set and `[DIR]/work/models.lock` has no entry for `hf:o/r` of model `tiny`"), "{said}");
    let locked = context.ok(&["models", "lock", "--json"]).json();
    assert_eq!(
        (&locked["status"], &locked["commit"]),
        (&"new".into(), &COMMIT.into())
    );
    assert_eq!(locked["sha256"], sha256(&model()));
    assert!(hub.transfers().is_empty());
    assert_eq!(
        context.ok(&["models", "lock", "--json"]).json()["status"],
        "same"
    );
    hub.move_main(OTHER);
    let pulled = context.ok(&["models", "pull", "--locked", "--json"]).json();
    assert_eq!(pulled["commit"], COMMIT);
    let moved = context.ok(&["models", "lock"]).out;
    assert_eq!(
        moved,
        format!(
            "tiny  hf:o/r\n    moved: {} {FILE} -> {} {FILE}\n",
            &COMMIT[..12],
            &OTHER[..12]
        )
    );
    // An entry that belongs to nothing any more goes.
    context.write(
        "models.toml",
        format!("[[model]]\nname = \"other\"\nsources = [\"hf:o/r/{FILE}\"]\n"),
    );
    context.ok(&["models", "lock"]);
    let lock = std::fs::read_to_string(context.path("models.lock")).unwrap();
    assert!(
        !lock.contains("\"tiny\"") && lock.contains("\"other\""),
        "{lock}"
    );
    let (code, said) = context.refusal(&["models", "lock", "--offline"]);
    assert_eq!(code, 3);
    assert!(
        said.contains("not on this machine, and `--offline` forbids the network"),
        "{said}"
    );
    assert_eq!(
        std::fs::read_to_string(context.path("models.lock")).unwrap(),
        lock
    );
}
