//! `path:` sources: a weight file, or a folder with one in it.

use super::HubError;
use super::env::expand_home;
use super::set::is_main;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The weight file a `path:` source means.
pub(crate) fn resolve(path: &Path, home: Option<&Path>) -> Result<PathBuf, HubError> {
    if path.starts_with("~") && home.is_none() {
        return Err(HubError::NoHome {
            path: path.to_owned(),
        });
    }
    let path = expand_home(path, home);
    let metadata = match std::fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(HubError::NoPath { path });
        }
        Err(e) => return Err(HubError::io("read", path)(e)),
    };
    if metadata.is_file() {
        return Ok(path);
    }
    let entries = std::fs::read_dir(&path).map_err(HubError::io("list", &path))?;
    let names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|e| e.path().is_file())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    let chosen = choose(&path.to_string_lossy(), None, &names)?;
    Ok(path.join(chosen))
}

/// The one file of a list that a source means: the file named, the one that fits the pattern, or the weights there are: one GGUF file, else
/// one set of safetensors, which its index stands for when it has several files.
///
/// Vision projectors (`mmproj*`) lie beside the weights of some models and are not meant when nothing is named.
pub(crate) fn choose(
    place: &str,
    wanted: Option<&str>,
    files: &[String],
) -> Result<String, HubError> {
    let mut fitting = match wanted {
        Some(pattern) => one_set(files.iter().filter(|f| matches(pattern, f)), files),
        None => weights_among(files),
    };
    fitting.sort();
    let (place, wanted) = (
        place.to_owned(),
        wanted.unwrap_or("*.gguf` or `*.safetensors").to_owned(),
    );
    let weights = |f: &&String| is_gguf(f) || is_main(f);
    match fitting.len() {
        1 => Ok(fitting.remove(0)),
        0 => {
            let mut files: Vec<String> = files.iter().filter(weights).cloned().collect();
            files.sort();
            Err(HubError::NoFile {
                place,
                wanted,
                files,
            })
        }
        _ => Err(HubError::ManyFiles {
            place,
            wanted,
            files: fitting,
        }),
    }
}

fn is_gguf(file: &str) -> bool {
    file.to_ascii_lowercase().ends_with(".gguf")
}

/// The GGUF files of a list, else the safetensors at its top: folders below hold other forms of the same weights.
fn weights_among(files: &[String]) -> Vec<String> {
    let projector = |f: &str| last_part(f).to_ascii_lowercase().starts_with("mmproj");
    let found: Vec<String> = files
        .iter()
        .filter(|f| is_gguf(f) && !projector(f))
        .cloned()
        .collect();
    if !found.is_empty() {
        return found;
    }
    let top = files.iter().filter(|f| !f.contains('/') && is_main(f));
    one_set(top, files)
}

/// Leaves out the files that an index among all files stands for, and puts the index there.
fn one_set<'f>(fitting: impl Iterator<Item = &'f String>, all: &[String]) -> Vec<String> {
    let mut kept = BTreeSet::new();
    for file in fitting {
        kept.insert(match index_of(file) {
            Some(index) if all.contains(&index) => index,
            _ => file.clone(),
        });
    }
    kept.into_iter().collect()
}

/// The name of the index a file would belong to: `model-00001-of-00003.safetensors` to `model.safetensors.index.json`.
fn index_of(file: &str) -> Option<String> {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (rest, count) = file.strip_suffix(".safetensors")?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    (digits(count) && digits(number)).then(|| format!("{stem}.safetensors.index.json"))
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(feature = "hub")]
/// True when a name has characters that stand for others.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether `text` fits `pattern`, where `*` stands for any characters but `/`, and `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Positions to go back to: after the last `*`, and in the text from which it swallows one more character.
    let (mut i, mut j, mut back) = (0, 0, None);
    while j < t.len() {
        match p.get(i) {
            Some('*') => {
                back = Some((i + 1, j));
                i += 1;
            }
            Some(c) if *c == t[j] || (*c == '?' && t[j] != '/') => {
                i += 1;
                j += 1;
            }
            _ => match back {
                Some((after, from)) if t[from] != '/' => {
                    back = Some((after, from + 1));
                    (i, j) = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_within_one_folder() {
        for (pattern, text, fits) in [
            ("m.gguf", "m.gguf", true),
            ("m.gguf", "x/m.gguf", false),
            ("*.gguf", "a.gguf", true),
            ("*.gguf", "x/a.gguf", false),
            ("*/*.gguf", "x/a.gguf", true),
            ("*Q4_K_M*", "m-Q4_K_M.gguf", true),
            ("*Q4_K_M*", "m-Q4_K_S.gguf", false),
            ("?.gguf", "a.gguf", true),
            ("?.gguf", "ab.gguf", false),
            ("a*b*c", "axxbyybzzc", true),
            ("a*b*c", "axxbyybzz", false),
            ("***", "", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn the_one_weight_file_is_chosen_and_doubt_is_an_error() {
        let files = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let three = files(&["README.md", "b-Q4.gguf", "a-Q8.gguf", "mmproj-x.gguf"]);
        assert_eq!(
            choose(
                "o/r",
                None,
                &files(&["README.md", "m.GGUF", "mmproj-m.gguf"])
            )
            .unwrap(),
            "m.GGUF"
        );
        assert_eq!(choose("o/r", Some("*Q8*"), &three).unwrap(), "a-Q8.gguf");
        let many = choose("o/r", None, &three).unwrap_err();
        assert_eq!(
            many.to_string(),
            "`o/r` has 2 files that fit `*.gguf` or `*.safetensors`: `a-Q8.gguf`, `b-Q4.gguf`"
        );
        assert_eq!(
            many.hint().as_deref(),
            Some("name one of them at the end of the source")
        );
        assert_eq!(
            choose("o/r", Some("c.gguf"), &three)
                .unwrap_err()
                .to_string(),
            "`o/r` has no file that fits `c.gguf`; it has `a-Q8.gguf`, `b-Q4.gguf`, `mmproj-x.gguf`"
        );
        assert_eq!(
            choose("o/r", None, &files(&["README.md"]))
                .unwrap_err()
                .to_string(),
            "`o/r` has no file that fits `*.gguf` or `*.safetensors`; it has none"
        );
    }

    #[test]
    fn safetensors_are_one_choice_however_many_files_they_are() {
        let files = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let sharded = files(&[
            "config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "onnx/model.safetensors",
        ]);
        let index = "model.safetensors.index.json";
        for wanted in [
            None,
            Some("*.safetensors"),
            Some("model-00001*"),
            Some(index),
        ] {
            assert_eq!(
                choose("o/r", wanted, &sharded).unwrap(),
                index,
                "{wanted:?}"
            );
        }
        let one = files(&["config.json", "model.safetensors"]);
        assert_eq!(choose("o/r", None, &one).unwrap(), "model.safetensors");
        let both = files(&["model.safetensors", "m.gguf"]);
        assert_eq!(choose("o/r", None, &both).unwrap(), "m.gguf");
        let two = files(&["a.safetensors", "b.safetensors", "c-1-of-2.safetensors"]);
        assert_eq!(
            choose("o/r", None, &two).unwrap_err().to_string(),
            "`o/r` has 3 files that fit `*.gguf` or `*.safetensors`: `a.safetensors`, `b.safetensors`, `c-1-of-2.safetensors`"
        );
    }

    #[test]
    fn files_folders_and_the_home_folder_are_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.gguf");
        std::fs::write(&file, b"x").unwrap();
        assert_eq!(resolve(&file, None).unwrap(), file);
        assert_eq!(resolve(folder.path(), None).unwrap(), file);
        assert_eq!(
            resolve(Path::new("~/m.gguf"), Some(folder.path())).unwrap(),
            file
        );
        assert_eq!(
            resolve(Path::new("~/m.gguf"), None)
                .unwrap_err()
                .to_string(),
            "`~/m.gguf` begins with `~` and no home folder is known"
        );
        assert_eq!(
            resolve(Path::new("/nonexistent/m"), None)
                .unwrap_err()
                .to_string(),
            "`/nonexistent/m` does not exist"
        );
    }
}
