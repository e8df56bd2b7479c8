//! Safetensors weights: several files that are one model.
//!
//! The weights are the main file (`NAME.safetensors`, or `NAME.safetensors.index.json` with every file it names) and `config.json` beside it.
//! Tokenizer and chat template have identities of their own; they are fetched with the weights and are no part of their digest.
//!
//! Digest of a set: the SHA-256 of the lines that `sha256sum` prints for its files, in the order of their names.

use super::stamp::Hashed;
use super::{Hub, HubError};
use crate::modelfile::SafetensorsIndex;
use crate::record::Digest;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";

/// Small files that are fetched with the weights where they exist.
const COMPANIONS: [&str; 7] = [
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
];

/// Largest index that is read.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// True when a name is that of the main file of a set.
pub(crate) fn is_main(name: &str) -> bool {
    name.ends_with(".safetensors") || SafetensorsIndex::is_name(name)
}

/// The names of the files that make up the weights, sorted. `read` gives the content of the index.
pub(crate) fn weights(
    main: &str,
    read: impl FnOnce() -> Result<Vec<u8>, HubError>,
) -> Result<Vec<String>, HubError> {
    let mut names = vec![CONFIG.to_owned(), main.to_owned()];
    if SafetensorsIndex::is_name(main) {
        let index = SafetensorsIndex::parse(&read()?).map_err(|source| HubError::Index {
            file: main.to_owned(),
            source,
        })?;
        names.extend(index.files());
    }
    names.sort();
    Ok(names)
}

/// The names of the companions among the files of a folder.
#[cfg(feature = "hub")]
pub(crate) fn companions(has: impl Fn(&str) -> bool) -> impl Iterator<Item = &'static str> {
    COMPANIONS.into_iter().filter(move |name| has(name))
}

/// The files of a set on this machine.
pub(crate) struct Members {
    pub(crate) weights: Vec<PathBuf>,
    pub(crate) companions: Vec<PathBuf>,
}

/// Finds the files that belong to a main file, in its folder.
pub(crate) fn members(main: &Path) -> Result<Members, HubError> {
    let folder = main.parent().unwrap_or(Path::new(""));
    let name = main.file_name().unwrap_or_default().to_string_lossy();
    let weights: Vec<PathBuf> = weights(&name, || read_index(main))?
        .iter()
        .map(|n| folder.join(n))
        .collect();
    if let Some(absent) = weights.iter().find(|p| !p.is_file()) {
        return Err(HubError::Incomplete {
            main: main.to_owned(),
            missing: absent
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        });
    }
    let companions = COMPANIONS.iter().map(|n| folder.join(n));
    Ok(Members {
        companions: companions.filter(|p| p.is_file()).collect(),
        weights,
    })
}

fn read_index(path: &Path) -> Result<Vec<u8>, HubError> {
    use std::io::Read as _;
    let mut text = Vec::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(MAX_INDEX_BYTES).read_to_end(&mut text))
        .map_err(HubError::io("read", path))?;
    Ok(text)
}

/// The digest and size of a set from those of its files.
pub(crate) fn combined<'a>(files: impl Iterator<Item = (&'a str, &'a Hashed)>) -> Hashed {
    let (mut lines, mut bytes) = (String::new(), 0_u64);
    for (name, hashed) in files {
        // Writing to a `String` cannot fail.
        let _ = writeln!(lines, "{}  {name}", hashed.sha256);
        bytes = bytes.saturating_add(hashed.bytes);
    }
    Hashed {
        sha256: Digest::of(lines.as_bytes()),
        bytes,
    }
}

/// Whether digests that were computed before may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As long as size and time of the file are the same.
    Stamped,
    /// Every byte is read.
    Every,
}

impl Hub<'_> {
    /// The digest of a model whose main file this is: of the file, or of the set it belongs to.
    pub(super) fn digest_of(&self, main: &Path, reading: Reading) -> Result<Hashed, HubError> {
        let one = |path: &Path| match reading {
            Reading::Stamped => self.stamps.digest(path, self.progress),
            Reading::Every => self.stamps.compute(path, self.progress),
        };
        if !is_main(&main.to_string_lossy()) {
            return one(main);
        }
        let mut hashed = Vec::new();
        for path in members(main)?.weights {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            hashed.push((name.into_owned(), one(&path)?));
        }
        Ok(combined(hashed.iter().map(|(n, h)| (n.as_str(), h))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_set_is_that_of_sha256sum() {
        let hashed = |bytes: &[u8]| Hashed {
            sha256: Digest::of(bytes),
            bytes: bytes.len() as u64,
        };
        let (a, b) = (hashed(b"a"), hashed(b"bc"));
        let whole = combined([("config.json", &a), ("model.safetensors", &b)].into_iter());
        // printf a > config.json; printf bc > model.safetensors; sha256sum * | sha256sum
        assert_eq!(
            whole.sha256.as_str(),
            "9c5ec4d446be3e1575c597836f22ccee91947cbc8d72f2b90f30261f304a6fa1"
        );
        assert_eq!(whole.bytes, 3);
    }

    #[test]
    fn the_members_of_a_set_are_found_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let main = folder.path().join("model.safetensors.index.json");
        write(
            "model.safetensors.index.json",
            "{\"weight_map\":{\"a\":\"x.safetensors\"}}",
        );
        write("config.json", "{}");
        write("tokenizer.json", "{}");
        write("other.txt", "");
        let error = members(&main).map(|_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` is not whole: `x.safetensors` is missing",
                main.display()
            )
        );
        write("x.safetensors", "");
        let found = members(&main).unwrap();
        let names = |paths: &[PathBuf]| -> Vec<String> {
            let name = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().into_owned();
            paths.iter().map(name).collect()
        };
        assert_eq!(
            names(&found.weights),
            [
                "config.json",
                "model.safetensors.index.json",
                "x.safetensors"
            ]
        );
        assert_eq!(names(&found.companions), ["tokenizer.json"]);
        write(
            "model.safetensors.index.json",
            "{\"weight_map\":{\"a\":\"../x.safetensors\"}}",
        );
        assert_eq!(
            members(&main).map(|_| ()).unwrap_err().to_string(),
            "`model.safetensors.index.json` cannot be used: the index at byte 0 is invalid: `../x.safetensors` is no plain name of a safetensors file in the index's folder"
        );
    }
}
