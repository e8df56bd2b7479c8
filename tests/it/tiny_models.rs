//! The tiny models in `tests/golden/families` and `tests/golden/adapters`, and what transformers computes with them.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// Every model of a kind with its expectations, by name.
pub(crate) fn models(kind: &str) -> Vec<(PathBuf, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(kind);
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.join("expected.json").is_file())
        .collect();
    folders.sort();
    assert!(folders.len() >= 15, "{}", folders.len());
    let read = |f: PathBuf| {
        let text = std::fs::read_to_string(f.join("expected.json")).unwrap();
        (f, serde_json::from_str(&text).unwrap())
    };
    folders.into_iter().map(read).collect()
}
