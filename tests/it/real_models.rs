//! Where the two real models are. Weights are never committed: tests that need them look into the folder `EVALH_TEST_MODELS`.

use std::path::PathBuf;

/// The two test models.
pub(crate) const MODELS: [&str; 2] = ["smollm2-135m-instruct-q4_1", "gemma-3-270m-q4_k_m"];

/// The model's file, or `None` with a printed line when the folder is not named.
///
/// # Panics
/// When `EVALH_REQUIRE_MODELS` is set and the folder or the file is missing, so that CI cannot skip.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where the models are"
)]
pub(crate) fn model_file(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("EVALH_TEST_MODELS")
        .map(|dir| PathBuf::from(dir).join(format!("{name}.gguf")));
    match path {
        Some(path) if path.is_file() => Some(path),
        other => {
            assert!(
                std::env::var_os("EVALH_REQUIRE_MODELS").is_none(),
                "EVALH_REQUIRE_MODELS is set but {other:?} is not a file; set EVALH_TEST_MODELS to a folder with {name}.gguf"
            );
            eprintln!("skipped: EVALH_TEST_MODELS names no folder with {name}.gguf");
            None
        }
    }
}

/// The reference of this model in `tests/golden`.
pub(crate) fn reference(name: &str) -> serde_json::Value {
    let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}
