//! The hub room against a hub on this machine: what works, and what every fault leads to.
//!
//! Every failure is one clear message without the token, and leaves both caches valid.

use crate::mock_hub::{COMMIT, Fault, MockHub, sha256};
use evalh::config::{Catalog, ModelEntry};
use evalh::hub::{HfEnv, Hub, HubError, HubSettings, LockFile, ModelFiles, Secret, Silent};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const OTHER: &str = "cd810cf68114990406fdf996510dd3d3c6adbdf5";
pub(crate) const FILE: &str = "m-Q4_K_M.gguf";
const CANARY: &str = "hf_canary";

/// A weight file of some size.
pub(crate) fn weights() -> Vec<u8> {
    (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

pub(crate) struct Place {
    folder: tempfile::TempDir,
    pub(crate) hub: MockHub,
    pub(crate) settings: HubSettings,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(&[("README.md", b"hello"), (FILE, &weights())])
    }

    pub(crate) fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hub = MockHub::new(files);
        let hf = HfEnv {
            hub_cache: Some(folder.path().join("shared")),
            token: Secret::new(CANARY),
            endpoint: hub.endpoint.clone(),
            ..HfEnv::from_env(&BTreeMap::new()).unwrap()
        };
        let mut settings = HubSettings::new(folder.path().join("cache"), hf);
        settings.retry_pause = Duration::from_millis(5);
        settings.lock_path = Some(folder.path().join("models.lock"));
        settings.pip = Vec::new();
        Self {
            folder,
            hub,
            settings,
        }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn fetch(&self, source: &str) -> Result<ModelFiles, HubError> {
        self.fetch_entry(&entry(source, None))
    }

    pub(crate) fn fetch_entry(&self, entry: &ModelEntry) -> Result<ModelFiles, HubError> {
        let result = Hub::new(self.settings.clone(), &Silent).fetch(entry);
        self.check_caches();
        result
    }

    /// The message of a failure, which never has the token or a signature in it.
    pub(crate) fn refusal(&self, source: &str) -> String {
        self.refusal_of(&entry(source, None))
    }

    pub(crate) fn refusal_of(&self, entry: &ModelEntry) -> String {
        let error = match self.fetch_entry(entry) {
            Ok(files) => panic!("it worked: {files:?}"),
            Err(error) => error,
        };
        for shown in [
            error.to_string(),
            format!("{error:?}"),
            format!("{:?}", error.hint()),
        ] {
            assert!(
                !shown.contains(CANARY) && !shown.contains("signed"),
                "{shown}"
            );
        }
        let HubError::NoSource { failures, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(failures.len(), 1);
        failures[0].error.to_string()
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.at("shared/models--o--r/blobs").join(etag)
    }

    /// Every finished file has the content its name says.
    fn check_caches(&self) {
        for (folder, depth) in [("cache/blobs", 1), ("shared/models--o--r/blobs", 0)] {
            for path in files_at(&self.at(folder), depth) {
                let part = if depth == 1 {
                    path.parent().unwrap()
                } else {
                    &path
                };
                let name = part.file_name().unwrap().to_string_lossy().into_owned();
                if depth == 1 && part.join("config.json").exists() {
                    assert_eq!(set_digest(part), name);
                } else if name.len() == 64 {
                    assert_eq!(sha256(&std::fs::read(&path).unwrap()), name);
                }
            }
        }
    }
}

/// The digest of a folder of safetensors, as `sha256sum` of its weights would give it.
fn set_digest(folder: &Path) -> String {
    let mut paths = files_at(folder, 0);
    paths.sort();
    let name = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().into_owned();
    let mut lines = String::new();
    for path in paths.iter().filter(|p| name(p) != "tokenizer.json") {
        let digest = sha256(&std::fs::read(path).unwrap());
        lines.push_str(&format!("{digest}  {}\n", name(path)));
    }
    sha256(lines.as_bytes())
}

pub(crate) fn files_at(folder: &Path, depth: u32) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|e| e.unwrap().path());
    let shown = |p: &PathBuf| !p.file_name().unwrap().to_string_lossy().starts_with('.');
    if depth == 0 {
        return paths.filter(shown).filter(|p| p.is_file()).collect();
    }
    paths.flat_map(|p| files_at(&p, depth - 1)).collect()
}

pub(crate) fn entry(source: &str, digest: Option<&str>) -> ModelEntry {
    let digest = digest.map_or(String::new(), |d| format!("sha256 = \"{d}\"\n"));
    let text = format!("[[model]]\nname = \"m\"\nsources = [\"{source}\"]\n{digest}");
    Catalog::parse(&text, "m.toml", None)
        .unwrap()
        .entries
        .remove(0)
}

#[test]
fn a_moving_revision_is_listed_resolved_fetched_verified_and_recorded() {
    let place = Place::new();
    let files = place.fetch("hf:o/r").unwrap();
    let sha = sha256(&weights());
    assert_eq!(files.sha256.as_str(), sha);
    assert_eq!(files.source, format!("hf:o/r@{COMMIT}/{FILE}"));
    assert_eq!(files.commit.as_deref(), Some(COMMIT));
    assert_eq!(files.path, place.at("cache/blobs").join(&sha).join(FILE));
    assert_eq!(std::fs::read(&files.path).unwrap(), weights());
    // Other tools find it where they look for it.
    let repo = place.at("shared/models--o--r");
    assert_eq!(
        std::fs::read_to_string(repo.join("refs/main")).unwrap(),
        COMMIT
    );
    let pointer = repo.join("snapshots").join(COMMIT).join(FILE);
    assert_eq!(
        std::fs::read_link(&pointer).unwrap(),
        Path::new("../../blobs").join(&sha)
    );
    assert_eq!(std::fs::read(&pointer).unwrap(), weights());
    let lock = LockFile::read(&place.at("models.lock")).unwrap();
    let locked = lock.find("m", "hf:o/r").unwrap();
    assert_eq!(locked.commit.as_deref(), Some(COMMIT));
    assert_eq!(locked.etag.as_deref(), Some(sha.as_str()));
    assert_eq!(
        (locked.bytes, locked.file.as_deref()),
        (300_000, Some(FILE))
    );
    // The token went to the hub and not to the storage host.
    let bearer = format!("Bearer {CANARY}");
    for request in place.hub.seen() {
        let expected = (!request.storage).then_some(bearer.as_str());
        assert_eq!(request.header("authorization"), expected, "{request:?}");
    }
    assert_eq!(place.hub.transfers().len(), 1);
    let before = place.hub.seen().len();
    assert_eq!(place.fetch("hf:o/r").unwrap(), files);
    assert_eq!(place.hub.seen().len(), before);
}

#[test]
fn a_named_file_in_a_folder_with_a_space_is_fetched() {
    let place = Place::with(&[("sub dir/m.gguf", b"GGUF x")]);
    let files = place.fetch("hf:o/r@main/sub dir/m.gguf").unwrap();
    assert_eq!(std::fs::read(&files.path).unwrap(), b"GGUF x");
    let pointer = place
        .at("shared/models--o--r/snapshots")
        .join(COMMIT)
        .join("sub dir/m.gguf");
    assert_eq!(std::fs::read(pointer).unwrap(), b"GGUF x");
}

#[test]
fn a_small_file_without_a_redirect_is_fetched() {
    // Files in git itself have a SHA-1 etag, no linked size, and come from the hub.
    let place = Place::with(&[("m.gguf", b"GGUF small")]);
    let etag = "0123456789abcdef0123456789abcdef01234567";
    let location = format!("{}/o/r/other", place.hub.endpoint);
    place.hub.fault(
        "HEAD",
        "m.gguf",
        1,
        Fault::Headers(vec![
            ("x-linked-etag", format!("W/\"{etag}\"")),
            ("location", location),
        ]),
    );
    place.hub.fault(
        "HEAD",
        "/o/r/other",
        1,
        Fault::Status(
            200,
            vec![
                ("x-repo-commit", COMMIT.to_owned()),
                ("etag", format!("\"{etag}\"")),
                ("content-length", "10".to_owned()),
            ],
        ),
    );
    let files = place.fetch("hf:o/r/m.gguf").unwrap();
    assert_eq!(files.sha256.as_str(), sha256(b"GGUF small"));
    assert!(place.blob(etag).is_file());
}

#[test]
fn a_cut_transfer_is_continued() {
    let place = Place::new();
    place.hub.fault("GET", "/files/", 1, Fault::Cut(1000));
    place.hub.fault("GET", "/files/", 1, Fault::Cut(50_000));
    place.fetch(&format!("hf:o/r/{FILE}")).unwrap();
    let ranges: Vec<Option<String>> = place
        .hub
        .transfers()
        .iter()
        .map(|s| s.header("range").map(ToOwned::to_owned))
        .collect();
    assert_eq!(
        ranges,
        [
            None,
            Some("bytes=1000-".to_owned()),
            Some("bytes=51000-".to_owned())
        ]
    );
}

#[test]
fn a_transfer_of_an_earlier_process_is_continued() {
    let place = Place::new();
    let part = place.blob(&format!("{}.incomplete", sha256(&weights())));
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, &weights()[..70_000]).unwrap();
    place.fetch(&format!("hf:o/r/{FILE}")).unwrap();
    assert_eq!(
        place.hub.transfers()[0].header("range"),
        Some("bytes=70000-")
    );
    assert!(!part.exists());
}

#[test]
fn a_part_that_is_complete_or_too_long_is_handled() {
    let place = Place::new();
    let part = place.blob(&format!("{}.incomplete", sha256(&weights())));
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, weights()).unwrap();
    place.fetch(&format!("hf:o/r/{FILE}")).unwrap();
    assert_eq!(place.hub.transfers().len(), 0);

    let place = Place::new();
    let part = place.blob(&format!("{}.incomplete", sha256(&weights())));
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, [weights(), vec![0; 9]].concat()).unwrap();
    place.fetch(&format!("hf:o/r/{FILE}")).unwrap();
    assert_eq!(place.hub.transfers()[0].header("range"), None);
}

#[test]
fn a_server_that_ignores_or_refuses_ranges_is_handled() {
    for fault in [Fault::WholeFile, Fault::Status(416, vec![])] {
        let place = Place::new();
        place.hub.fault("GET", "/files/", 1, Fault::Cut(1000));
        place.hub.fault("GET", "/files/", 1, fault);
        let files = place.fetch(&format!("hf:o/r/{FILE}")).unwrap();
        assert_eq!(std::fs::read(&files.path).unwrap(), weights());
    }
}

#[test]
fn a_transfer_that_never_moves_ends_and_keeps_what_it_has() {
    let place = Place::new();
    place.hub.fault("GET", "/files/", 1, Fault::Cut(1000));
    place.hub.fault("GET", "/files/", 9, Fault::Cut(0));
    let message = place.refusal(&format!("hf:o/r/{FILE}"));
    let begin = format!(
        "the transfer of `{}/o/r/resolve/{COMMIT}/{FILE}` broke 5 times, the last time after 1 kB: ",
        place.hub.endpoint
    );
    assert!(message.starts_with(&begin), "{message}");
    let part = place.blob(&format!("{}.incomplete", sha256(&weights())));
    assert_eq!(std::fs::metadata(part).unwrap().len(), 1000);
}

#[test]
fn closed_repositories_are_explained() {
    for (status, token, who) in [
        (401, None, "requests without a token"),
        (403, Secret::new(CANARY), "the token that is set"),
    ] {
        let mut place = Place::new();
        place.settings.hf.token = token;
        place
            .hub
            .fault("HEAD", "/resolve/", 1, Fault::Status(status, vec![]));
        assert_eq!(
            place.refusal(&format!("hf:o/r/{FILE}")),
            format!("`o/r` is not open to {who}: the hub answered {status}")
        );
        place
            .hub
            .fault("GET", "/api/", 1, Fault::Status(status, vec![]));
        assert_eq!(
            place.refusal("hf:o/r"),
            format!("`o/r` is not open to {who}: the hub answered {status}")
        );
    }
}

#[test]
fn what_is_not_there_is_named() {
    let place = Place::new();
    for (source, message) in [
        (
            "hf:o/none/m.gguf",
            "`o/none` does not exist: the server answered 404",
        ),
        (
            "hf:o/r@v9/m.gguf",
            "`o/r` has no revision `v9`: the hub answered 404",
        ),
        (
            "hf:o/r@v9",
            "`o/r` has no revision `v9`: the hub answered 404",
        ),
        (
            "hf:o/r/none.gguf",
            "`o/r` has no file `none.gguf`: the hub answered 404",
        ),
        (
            "hf:o/r/*Q8*",
            "`o/r` has no file that fits `*Q8*`; it has `m-Q4_K_M.gguf`",
        ),
    ] {
        assert_eq!(place.refusal(source), message);
    }
    let place = Place::with(&[("a.gguf", b"a"), ("b.gguf", b"b")]);
    assert_eq!(
        place.refusal("hf:o/r"),
        "`o/r` has 2 files that fit `*.gguf` or `*.safetensors`: `a.gguf`, `b.gguf`"
    );
}

#[test]
fn a_server_that_says_later_is_asked_later() {
    let place = Place::new();
    let later = vec![("retry-after", "1".to_owned())];
    place
        .hub
        .fault("HEAD", "/resolve/", 1, Fault::Status(429, later));
    place
        .hub
        .fault("GET", "/files/", 2, Fault::Status(503, vec![]));
    let begun = evalh::clock::now();
    place.fetch(&format!("hf:o/r/{FILE}")).unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));

    let place = Place::new();
    let much_later = vec![("retry-after", "3600".to_owned())];
    place
        .hub
        .fault("HEAD", "/resolve/", 1, Fault::Status(429, much_later));
    let host = place.hub.endpoint.trim_start_matches("http://").to_owned();
    assert_eq!(
        place.refusal(&format!("hf:o/r/{FILE}")),
        format!("`{host}` limits requests (429) and asks to wait 3600 s")
    );
}

#[test]
fn a_server_that_is_broken_is_asked_four_times() {
    let place = Place::new();
    place
        .hub
        .fault("HEAD", "/resolve/", 99, Fault::Status(500, vec![]));
    assert_eq!(
        place.refusal(&format!("hf:o/r/{FILE}")),
        format!(
            "`{}/o/r/resolve/main/{FILE}` answered 500",
            place.hub.endpoint
        )
    );
    assert_eq!(place.hub.seen().len(), 4);
}

#[test]
fn a_wrong_length_is_refused() {
    for (declared, got) in [(200_000, 300_000), (400_000, 300_000)] {
        let place = Place::new();
        let size = vec![("x-linked-size", format!("{declared}"))];
        place
            .hub
            .fault("HEAD", "/resolve/", 1, Fault::Headers(size));
        assert_eq!(
            place.refusal(&format!("hf:o/r/{FILE}")),
            format!("`{FILE}` has {got} bytes where {declared} were declared")
        );
        assert!(files_at(&place.at("shared/models--o--r/blobs"), 0).is_empty());
    }
}

#[test]
fn a_wrong_content_is_refused_and_fetched_anew() {
    let place = Place::new();
    place.hub.fault("GET", "/files/", 1, Fault::WrongBytes);
    let wrong: Vec<u8> = weights().iter().map(|b| b ^ 0x55).collect();
    let source = format!("hf:o/r/{FILE}");
    assert_eq!(
        place.refusal(&source),
        format!(
            "`hf:o/r@{COMMIT}/{FILE}` has the SHA-256 `{}` where the hub says `{}`",
            sha256(&wrong),
            sha256(&weights())
        )
    );
    assert!(files_at(&place.at("shared/models--o--r/blobs"), 0).is_empty());
    assert!(place.fetch(&source).is_ok());
    // A digest in the catalogue that the hub contradicts stops it before the transfer.
    let place = Place::new();
    let expected = sha256(b"another");
    assert_eq!(
        place.refusal_of(&entry(&source, Some(&expected))),
        format!(
            "`hf:o/r@{COMMIT}/{FILE}` has the SHA-256 `{}` where the catalogue says `{expected}`",
            sha256(&weights())
        )
    );
    assert!(place.hub.transfers().is_empty());
}

#[test]
fn a_damaged_blob_of_the_shared_cache_is_replaced() {
    let place = Place::new();
    let source = format!("hf:o/r/{FILE}");
    place.fetch(&source).unwrap();
    std::fs::remove_dir_all(place.at("cache")).unwrap();
    let blob = place.blob(&sha256(&weights()));
    std::fs::write(&blob, vec![0; 300_000]).unwrap();
    let files = place.fetch(&source).unwrap();
    assert_eq!(std::fs::read(&files.path).unwrap(), weights());
    assert_eq!(std::fs::read(&blob).unwrap(), weights());
}

#[test]
fn offline_asks_nobody() {
    for variable in [false, true] {
        let mut place = Place::new();
        let source = format!("hf:o/r/{FILE}");
        (place.settings.offline, place.settings.hf.offline) = (!variable, variable);
        let because = if variable {
            "`HF_HUB_OFFLINE`"
        } else {
            "`--offline`"
        };
        let message = format!("not on this machine, and {because} forbids the network");
        assert_eq!(place.refusal(&source), message);
        let plain = place.hub.plain_url(FILE);
        assert_eq!(
            place.refusal_of(&entry(&plain, Some(&sha256(b"x")))),
            message
        );
        assert!(place.hub.seen().is_empty());
        (place.settings.offline, place.settings.hf.offline) = (false, false);
        let files = place.fetch(&source).unwrap();
        (place.settings.offline, place.settings.hf.offline) = (!variable, variable);
        let before = place.hub.seen().len();
        assert_eq!(place.fetch(&source).unwrap(), files);
        std::fs::remove_dir_all(place.at("cache")).unwrap();
        assert_eq!(place.fetch(&source).unwrap().sha256, files.sha256);
        assert_eq!(place.hub.seen().len(), before);
    }
}

#[test]
fn a_hub_that_cannot_be_reached_costs_less_than_five_seconds_in_all() {
    let place = Place::new();
    place
        .hub
        .fault("HEAD", "", 99, Fault::Silent(Duration::from_secs(15)));
    place
        .hub
        .fault("GET", "", 99, Fault::Silent(Duration::from_secs(15)));
    let hub = Hub::new(place.settings.clone(), &Silent);
    let begun = evalh::clock::now();
    for source in [&format!("hf:o/r/{FILE}"), "hf:o/r", "hf:o/s/m.gguf"] {
        let error = hub.fetch(&entry(source, None)).unwrap_err().to_string();
        let host = place.hub.endpoint.trim_start_matches("http://");
        assert!(
            error.contains(&format!("`{host}` cannot be reached: ")),
            "{error}"
        );
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(place.hub.seen().len(), 1);

    let mut place = Place::new();
    // A port that was just given back: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    place.settings.hf.endpoint = format!("http://{free}");
    let begun = evalh::clock::now();
    let message = place.refusal("hf:o/r");
    assert!(
        message.starts_with(&format!("`{free}` cannot be reached: ")),
        "{message}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn threads_at_once_transfer_once() {
    let place = Place::new();
    let entry = entry(&format!("hf:o/r/{FILE}"), None);
    let paths: Vec<PathBuf> = std::thread::scope(|scope| {
        let fetch = || place.fetch_entry(&entry).unwrap().path;
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(fetch)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(paths.iter().all(|p| p == &paths[0]));
    assert_eq!(place.hub.transfers().len(), 1);
}

#[test]
fn a_renamed_repository_is_followed_and_another_host_is_not_trusted() {
    let place = Place::new();
    for (method, revision) in [("HEAD", "main"), ("GET", COMMIT)] {
        let to = vec![("location", format!("/o/r/resolve/{revision}/{FILE}"))];
        place
            .hub
            .fault(method, "/old/name/", 1, Fault::Status(307, to));
    }
    let files = place.fetch(&format!("hf:old/name/{FILE}")).unwrap();
    assert_eq!(files.source, format!("hf:old/name@{COMMIT}/{FILE}"));
    let place = Place::new();
    let to = vec![("location", "http://example.org/m.gguf".to_owned())];
    place.hub.fault("GET", "/resolve/", 1, Fault::Headers(to));
    assert_eq!(
        place.refusal(&format!("hf:o/r/{FILE}")),
        format!(
            "the answer of `{}/o/r/resolve/{COMMIT}/{FILE}` has a redirect to an address that is not encrypted",
            place.hub.endpoint
        )
    );
}

#[test]
fn answers_that_would_lead_outside_are_refused() {
    let place = Place::with(&[("../../evil.gguf", b"x")]);
    assert_eq!(
        place.refusal("hf:o/r"),
        "`o/r` names the file `../../evil.gguf`, which is not a plain path inside it"
    );
    for (name, value, problem) in [
        ("x-linked-etag", "\"../../../evil\"", "no usable `etag`"),
        ("x-linked-etag", "\"\"", "no usable `etag`"),
        (
            "x-repo-commit",
            "../../../evil",
            "no commit in `x-repo-commit`",
        ),
        ("x-linked-size", "many", "no size"),
    ] {
        let place = Place::new();
        place.hub.fault(
            "HEAD",
            "/resolve/",
            1,
            Fault::Headers(vec![(name, value.to_owned())]),
        );
        assert_eq!(
            place.refusal(&format!("hf:o/r/{FILE}")),
            format!(
                "the answer of `{}/o/r/resolve/main/{FILE}` has {problem}",
                place.hub.endpoint
            )
        );
    }
}

#[test]
fn a_lock_holds_until_it_is_renewed() {
    let mut place = Place::new();
    let entry = entry(&format!("hf:o/r/{FILE}"), None);
    place.settings.locked = true;
    let message = format!(
        "`--locked` is set and `{}` has no entry for `hf:o/r/{FILE}` of model `m`",
        place.at("models.lock").display()
    );
    assert_eq!(place.refusal_of(&entry), message);
    place.settings.locked = false;
    place.fetch_entry(&entry).unwrap();
    place.hub.move_main(OTHER);
    // A machine with empty caches gets the locked commit, not what the branch means now.
    for folder in ["cache", "shared"] {
        std::fs::remove_dir_all(place.at(folder)).unwrap();
    }
    place.settings.locked = true;
    assert_eq!(
        place.fetch_entry(&entry).unwrap().commit.as_deref(),
        Some(COMMIT)
    );
    place.settings.locked = false;
    let hub = Hub::new(place.settings.clone(), &Silent);
    assert_eq!(hub.update(&entry).unwrap().commit.as_deref(), Some(OTHER));
    let lock = LockFile::read(&place.at("models.lock")).unwrap();
    assert_eq!(lock.entries.len(), 1);
    assert_eq!(lock.entries[0].commit.as_deref(), Some(OTHER));
}

#[test]
fn a_lock_that_the_hub_contradicts_is_an_error() {
    let mut place = Place::new();
    let entry = entry(&format!("hf:o/r/{FILE}"), None);
    place.fetch_entry(&entry).unwrap();
    let lock = place.at("models.lock");
    let text = std::fs::read_to_string(&lock).unwrap();
    let other = sha256(b"another");
    let sha = sha256(&weights());
    std::fs::write(
        &lock,
        text.replace(
            &format!("sha256 = \"{sha}\""),
            &format!("sha256 = \"{other}\""),
        ),
    )
    .unwrap();
    std::fs::remove_dir_all(place.at("cache")).unwrap();
    place.settings.locked = true;
    assert_eq!(
        place.refusal_of(&entry),
        format!(
            "model `m` has the sha256 `{sha}` where `{}` says `{other}`",
            lock.display()
        )
    );
}

#[test]
fn a_plain_url_is_fetched_continued_and_verified() {
    let place = Place::new();
    let sha = sha256(&weights());
    let url = format!("{}?key=signed", place.hub.plain_url(FILE));
    place.hub.fault("GET", "/files/", 1, Fault::Cut(1000));
    let files = place.fetch_entry(&entry(&url, Some(&sha))).unwrap();
    assert_eq!(std::fs::read(&files.path).unwrap(), weights());
    assert_eq!(files.source, place.hub.plain_url(FILE));
    assert_eq!(
        place.hub.transfers()[1].header("range"),
        Some("bytes=1000-")
    );
    assert!(
        place
            .hub
            .seen()
            .iter()
            .all(|s| s.header("authorization").is_none())
    );

    // The part is complete: the server says 416 with the same size.
    let place = Place::new();
    let url = place.hub.plain_url(FILE);
    let part = place.at("cache/partial").join(format!("{sha}.part"));
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, weights()).unwrap();
    place.fetch_entry(&entry(&url, Some(&sha))).unwrap();
    assert_eq!(place.hub.transfers().len(), 1);
    assert!(!part.exists());

    let place = Place::new();
    let url = place.hub.plain_url(FILE);
    let other = sha256(b"another");
    assert_eq!(
        place.refusal_of(&entry(&url, Some(&other))),
        format!("`{url}` has the SHA-256 `{sha}` where the catalogue says `{other}`")
    );
    assert!(files_at(&place.at("cache/partial"), 0).is_empty());
    let gone = place.hub.plain_url("none.gguf");
    assert_eq!(
        place.refusal_of(&entry(&gone, Some(&other))),
        format!("`{gone}` does not exist: the server answered 404")
    );
}
