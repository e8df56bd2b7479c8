//! Safetensors weights from a hub on this machine: one file or several, found by listing, held together by a digest.

use crate::hub::{OTHER, Place, entry};
use crate::mock_hub::{COMMIT, Fault, git_etag, sha256};
use crate::tiny_safetensors::{borrowed, sharded, single};
use evalh::hub::{Hub, LockFile, LockOutcome, Silent};

/// What `sha256sum` of the weights prints, hashed.
fn set_digest(files: &[(&str, Vec<u8>)], names: &[&str]) -> String {
    let mut lines = String::new();
    for name in names {
        let (_, bytes) = files.iter().find(|(n, _)| n == name).unwrap();
        lines.push_str(&format!("{}  {name}\n", sha256(bytes)));
    }
    sha256(lines.as_bytes())
}

const INDEX: &str = "model.safetensors.index.json";
const WEIGHTS: [&str; 4] = [
    "config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    INDEX,
];

#[test]
fn a_set_is_found_fetched_whole_and_recorded() {
    let files = sharded();
    let place = Place::with(&borrowed(&files));
    let digest = set_digest(&files, &WEIGHTS);
    let first = place.fetch("hf:o/r").unwrap();
    assert_eq!(first.sha256.as_str(), digest);
    assert_eq!(first.source, format!("hf:o/r@{COMMIT}/{INDEX}"));
    assert_eq!(
        first.path,
        place.at("cache/blobs").join(&digest).join(INDEX)
    );
    // Everything but the README lies beside the index, and in the cache that other tools read.
    let snapshot = place.at("shared/models--o--r/snapshots").join(COMMIT);
    for (name, bytes) in &files {
        let here = first.path.with_file_name(name);
        if *name == "README.md" {
            assert!(!here.exists() && !snapshot.join(name).exists());
            continue;
        }
        assert_eq!(&std::fs::read(here).unwrap(), bytes, "{name}");
        assert_eq!(
            &std::fs::read(snapshot.join(name)).unwrap(),
            bytes,
            "{name}"
        );
    }
    let config = place.blob(&git_etag(&files[1].1));
    assert!(config.is_file());
    let lock = LockFile::read(&place.at("models.lock")).unwrap();
    let locked = lock.find("m", "hf:o/r").unwrap();
    assert_eq!(
        (locked.sha256.as_str(), locked.file.as_deref(), &locked.etag),
        (digest.as_str(), Some(INDEX), &None)
    );
    let total: usize = files
        .iter()
        .filter(|(n, _)| WEIGHTS.contains(n))
        .map(|(_, b)| b.len())
        .sum();
    assert_eq!(locked.bytes, total as u64);
    // Nothing is asked again, also not when only one of the caches is left.
    let before = place.hub.seen().len();
    for source in [
        "hf:o/r",
        "hf:o/r/*.safetensors",
        "hf:o/r/model-00001*",
        &format!("hf:o/r/{INDEX}"),
    ] {
        assert_eq!(
            place.fetch(source).unwrap().sha256,
            first.sha256,
            "{source}"
        );
        assert_eq!(place.hub.seen().len(), before, "{source}");
    }
    std::fs::remove_dir_all(place.at("shared")).unwrap();
    assert_eq!(place.fetch("hf:o/r").unwrap(), first);
    assert_eq!(place.hub.seen().len(), before);
}

#[test]
fn one_file_is_a_set_with_its_configuration() {
    let files = single();
    let place = Place::with(&borrowed(&files));
    let digest = set_digest(&files, &["config.json", "model.safetensors"]);
    let fetched = place.fetch_entry(&entry("hf:o/r", Some(&digest))).unwrap();
    assert!(fetched.path.ends_with("model.safetensors"));
    let other = sha256(b"another");
    assert_eq!(
        place.refusal_of(&entry("hf:o/r/model.safetensors", Some(&other))),
        format!(
            "`hf:o/r@{COMMIT}/model.safetensors` has the SHA-256 `{digest}` where the catalogue says `{other}`"
        )
    );
}

#[test]
fn a_set_with_a_damaged_or_missing_file_is_made_whole() {
    let files = sharded();
    let place = Place::with(&borrowed(&files));
    let first = place.fetch("hf:o/r").unwrap();
    let shard = "model-00002-of-00002.safetensors";
    let hub = Hub::new(place.settings.clone(), &Silent);
    for remove in [true, false] {
        // The caches are linked hard, so that damage is in both.
        let blob = place.blob(&sha256(&files[3].1));
        if remove {
            std::fs::remove_file(&blob).unwrap();
            std::fs::remove_file(first.path.with_file_name(shard)).unwrap();
        } else {
            let mut bytes = files[3].1.clone();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&blob, bytes).unwrap();
            assert!(hub.verify(&entry("hf:o/r", None)).is_err());
        }
        assert_eq!(hub.locate(&entry("hf:o/r", None)), None, "{remove}");
        assert_eq!(
            hub.fetch(&entry("hf:o/r", None)).unwrap(),
            first,
            "{remove}"
        );
        assert_eq!(place.fetch("hf:o/r").unwrap(), first, "{remove}");
    }
}

#[test]
fn an_index_that_leads_outside_is_refused() {
    let mut files = sharded();
    let evil = br#"{"weight_map":{"a":"../../../evil.safetensors"}}"#;
    files[4].1 = evil.to_vec();
    let place = Place::with(&borrowed(&files));
    assert_eq!(
        place.refusal("hf:o/r"),
        "`model.safetensors.index.json` cannot be used: the index at byte 0 is invalid: `../../../evil.safetensors` is no plain name of a safetensors file in the index's folder"
    );
    let mut files = sharded();
    files.remove(1);
    let place = Place::with(&borrowed(&files));
    assert_eq!(
        place.refusal("hf:o/r"),
        "`o/r` has no file `config.json`: the hub answered 404"
    );
}

#[test]
fn choices_are_listed_when_there_are_several() {
    let place = Place::with(&[
        ("a-Q4_K_M.gguf", b"a"),
        ("a-Q8_0.gguf", b"b"),
        ("c.safetensors", b"c"),
    ]);
    assert_eq!(
        place.refusal("hf:o/r"),
        "`o/r` has 2 files that fit `*.gguf` or `*.safetensors`: `a-Q4_K_M.gguf`, `a-Q8_0.gguf`"
    );
    assert_eq!(
        place.fetch("hf:o/r/*Q4_K_M*.gguf").unwrap().sha256.as_str(),
        sha256(b"a")
    );
    assert_eq!(
        place.refusal("hf:o/r/*Q5*"),
        "`o/r` has no file that fits `*Q5*`; it has `a-Q4_K_M.gguf`, `a-Q8_0.gguf`, `c.safetensors`"
    );
}

#[test]
fn locking_resolves_without_fetching_and_tells_what_moved() {
    let files = sharded();
    let mut place = Place::with(&borrowed(&files));
    let entry = entry("hf:o/r", None);
    let digest = set_digest(&files, &WEIGHTS);
    let locked = Hub::new(place.settings.clone(), &Silent)
        .lock(&entry)
        .unwrap();
    let [line] = locked.as_slice() else {
        panic!("{locked:?}")
    };
    let LockOutcome::New(now) = &line.outcome else {
        panic!("{line:?}")
    };
    assert_eq!(now.sha256, digest);
    // The shards were not transferred.
    assert!(place.hub.transfers().is_empty());
    let again = Hub::new(place.settings.clone(), &Silent)
        .lock(&entry)
        .unwrap();
    assert!(
        matches!(again[0].outcome, LockOutcome::Same(_)),
        "{again:?}"
    );
    // What was announced is what a fetch that only accepts the locked finds.
    place.settings.locked = true;
    assert_eq!(place.fetch_entry(&entry).unwrap().sha256.as_str(), digest);
    place.settings.locked = false;
    place.hub.move_main(OTHER);
    let moved = Hub::new(place.settings.clone(), &Silent)
        .lock(&entry)
        .unwrap();
    let LockOutcome::Moved { before, now } = &moved[0].outcome else {
        panic!("{moved:?}")
    };
    assert_eq!(before.commit.as_deref(), Some(COMMIT));
    assert_eq!(now.commit.as_deref(), Some(OTHER));
    let lock = LockFile::read(&place.at("models.lock")).unwrap();
    assert_eq!((lock.entries.len(), &lock.entries[0]), (1, now));
    place
        .hub
        .fault("GET", "/api/", 1, Fault::Status(404, vec![]));
    let gone = Hub::new(place.settings.clone(), &Silent)
        .lock(&entry)
        .unwrap_err();
    assert_eq!(
        gone.to_string(),
        "model `m` could not be had from its source\n  `hf:o/r`: `o/r` does not exist: the server answered 404"
    );
    assert_eq!(LockFile::read(&place.at("models.lock")).unwrap(), lock);
}

#[test]
fn headers_are_read_without_the_weights_where_ranges_are_served() {
    let files = sharded();
    let place = Place::with(&borrowed(&files));
    let hub = Hub::new(place.settings.clone(), &Silent);
    let evalh::config::Source::Hf(source) = evalh::config::Source::parse("hf:o/r").unwrap() else {
        panic!("no source of a hub");
    };
    let peek = hub.peek(&source).unwrap().unwrap();
    assert_eq!((peek.commit.as_str(), peek.file.as_str()), (COMMIT, INDEX));
    assert_eq!(peek.config.as_deref(), Some(files[1].1.as_slice()));
    let totals: Vec<u64> = peek.heads.iter().map(|h| h.total).collect();
    assert_eq!(totals, [files[2].1.len() as u64, files[3].1.len() as u64]);
    assert!(!place.at("shared").exists() && !place.at("cache").exists());
    // A file longer than what is asked for first, from a server that ignores ranges.
    let long = crate::tiny_safetensors::file(&[("w", "U8", &[2_000_000], 1)]);
    let files = [
        ("config.json", files[1].1.clone()),
        ("model.safetensors", long),
    ];
    let place = Place::with(&borrowed(&files));
    let hub = Hub::new(place.settings.clone(), &Silent);
    let peek = hub.peek(&source).unwrap().unwrap();
    assert_eq!(
        (peek.heads[0].bytes.len(), peek.heads[0].total),
        (1 << 20, files[1].1.len() as u64)
    );
    assert_eq!(
        place.hub.transfers()[0].header("range"),
        Some("bytes=0-1048575")
    );
    place.hub.fault("GET", "/files/", 1, Fault::WholeFile);
    assert_eq!(hub.peek(&source).unwrap(), None);
}
