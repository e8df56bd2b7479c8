//! What a hub can do wrong during a transfer: stop, stall, drip, go on for ever, change its mind. Each leaves both caches valid, which the place
//! checks after every fetch, and ends in the file or in one message.

use crate::hub::{FILE, OTHER, Place, entry, files_at, weights};
use crate::mock_hub::{COMMIT, Fault, sha256};
use std::time::Duration;

#[test]
fn a_body_that_stalls_is_continued_and_one_that_drips_is_waited_for() {
    let mut place = Place::new();
    place.settings.hf.download_timeout = Duration::from_millis(300);
    place.hub.fault(
        "GET",
        "/files/",
        1,
        Fault::Stall(1000, Duration::from_secs(3)),
    );
    // Slower than the whole would be allowed to take if the limit were on the whole, and never silent for as long as the limit.
    place.hub.fault(
        "GET",
        "/files/",
        1,
        Fault::Drip(30_000, Duration::from_millis(60)),
    );
    let files = place.fetch(&format!("hf:o/r/{FILE}")).unwrap();
    assert_eq!(std::fs::read(&files.path).unwrap(), weights());
    let ranges: Vec<Option<String>> = place
        .hub
        .transfers()
        .iter()
        .map(|s| s.header("range").map(ToOwned::to_owned))
        .collect();
    assert_eq!(ranges, [None, Some("bytes=1000-".to_owned())]);
}

#[test]
fn a_hub_that_only_stalls_is_given_up() {
    let mut place = Place::new();
    place.settings.hf.download_timeout = Duration::from_millis(100);
    place.hub.fault(
        "GET",
        "/files/",
        99,
        Fault::Stall(0, Duration::from_secs(2)),
    );
    let message = place.refusal(&format!("hf:o/r/{FILE}"));
    assert!(
        message.starts_with(&format!(
            "the transfer of `{}/o/r/resolve/{COMMIT}/{FILE}` broke 4 times, the last time after 0 B: ",
            place.hub.endpoint
        )),
        "{message}"
    );
}

#[test]
fn a_body_without_an_end_is_cut_off() {
    for declared in [true, false] {
        let place = Place::new();
        place
            .hub
            .fault("GET", "/files/", 1, Fault::Endless(declared));
        let message = place.refusal(&format!("hf:o/r/{FILE}"));
        if declared {
            // The client reads no more than was declared; the content is wrong.
            assert!(
                message.starts_with(&format!("`hf:o/r@{COMMIT}/{FILE}` has the SHA-256 ")),
                "{message}"
            );
        } else {
            assert!(
                message.starts_with(&format!("`{FILE}` has "))
                    && message.ends_with(" bytes where 300000 were declared"),
                "{message}"
            );
        }
        assert!(files_at(&place.at("shared/models--o--r/blobs"), 0).is_empty());
        assert!(place.fetch(&format!("hf:o/r/{FILE}")).is_ok());
    }
    // Where nobody knows the length, nothing is written at all.
    let place = Place::new();
    let url = place.hub.plain_url(FILE);
    place.hub.fault("GET", "/files/", 1, Fault::Endless(false));
    assert_eq!(
        place.refusal_of(&entry(&url, Some(&sha256(&weights())))),
        format!(
            "the answer of `{FILE}` has no `content-length`, without which its end cannot be told from a cut"
        )
    );
    // A list of files that never ends is not read for ever.
    let place = Place::new();
    place.hub.fault("GET", "/api/", 1, Fault::Endless(false));
    let message = place.refusal("hf:o/r");
    assert!(
        message.starts_with(&format!(
            "the answer of `{}/api/models/o/r/revision/main` has a body that ",
            place.hub.endpoint
        )),
        "{message}"
    );
}

#[test]
fn a_file_that_changes_between_two_tries_is_never_mixed() {
    // Between two fetches: the hub announces another etag, and the old part is not continued.
    let place = Place::new();
    place.hub.fault("GET", "/files/", 1, Fault::Cut(1000));
    place
        .hub
        .fault("GET", "/files/", 9, Fault::Status(403, vec![]));
    place.refusal(&format!("hf:o/r/{FILE}"));
    let other: Vec<u8> = weights().iter().map(|b| b ^ 1).collect();
    let place = rules_spent(place);
    place.hub.replace(FILE, &other);
    place.hub.move_main(OTHER);
    let files = place.fetch(&format!("hf:o/r/{FILE}")).unwrap();
    assert_eq!(std::fs::read(&files.path).unwrap(), other);
    assert_eq!(files.commit.as_deref(), Some(OTHER));
    assert_eq!(place.hub.transfers().last().unwrap().header("range"), None);

    // Within one fetch: the bytes behind the cut are another file's. The digest tells, and the file is fetched anew at once.
    let place = Place::new();
    let part = place.blob(&format!("{}.incomplete", sha256(&weights())));
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, &other[..70_000]).unwrap();
    let files = place.fetch(&format!("hf:o/r/{FILE}")).unwrap();
    assert_eq!(std::fs::read(&files.path).unwrap(), weights());
    let ranges: Vec<bool> = place
        .hub
        .transfers()
        .iter()
        .map(|s| s.header("range").is_some())
        .collect();
    assert_eq!(ranges, [true, false]);
}

/// The same place once every fault was met.
fn rules_spent(place: Place) -> Place {
    place.hub.forget_faults();
    place
}

#[test]
fn a_hub_that_says_500_during_the_transfer_keeps_what_is_there() {
    let place = Place::new();
    place.hub.fault("GET", "/files/", 1, Fault::Cut(1000));
    place
        .hub
        .fault("GET", "/files/", 99, Fault::Status(500, vec![]));
    let message = place.refusal(&format!("hf:o/r/{FILE}"));
    assert!(message.ends_with("answered 500"), "{message}");
    let part = place.blob(&format!("{}.incomplete", sha256(&weights())));
    assert_eq!(std::fs::metadata(part).unwrap().len(), 1000);
    let place = rules_spent(place);
    place.fetch(&format!("hf:o/r/{FILE}")).unwrap();
    assert_eq!(
        place.hub.transfers().last().unwrap().header("range"),
        Some("bytes=1000-")
    );
}
