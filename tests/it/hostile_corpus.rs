//! The corpus of hostile files (`tests/corpus`, written by its `make.py`): what each leads to is held, in this process and in a program whose
//! address space is bounded.

#[cfg(target_os = "linux")]
use crate::tiny_safetensors::{sharded, varied};
#[cfg(target_os = "linux")]
use crate::{context::TestContext, mutation::damaged, tiny_gguf::tiny_gguf};
use evalh::clock::Timestamp;
use evalh::error::EvalhError;
use evalh::memory;
use evalh::modelfile::{GgufHeader, SafetensorsHeader, SafetensorsIndex};
use evalh::record::{Message, Role};
use evalh::tokenizer::{ChatTemplate, Codec as _, ModelTokenizer, TokenizerFile, Variables};
use std::path::{Path, PathBuf};

fn corpus(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(kind);
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10, "{} is nearly empty", folder.display());
    files
}

fn open_gguf(bytes: &[u8]) -> Result<String, EvalhError> {
    let header = GgufHeader::parse(bytes)?;
    let shape = memory::shape(&header, bytes)?;
    let tokenizer = ModelTokenizer::from_gguf(&header, bytes, None, Timestamp::UNIX_EPOCH)?;
    let ids = tokenizer.encode("ab", false)?;
    Ok(format!("{} layers, ids {ids:?}", shape.layers))
}

fn open_safetensors(bytes: &[u8]) -> Result<String, EvalhError> {
    let header = SafetensorsHeader::parse(bytes, bytes.len() as u64)?;
    Ok(format!("{} tensors", header.tensors.len()))
}

fn open_index(bytes: &[u8]) -> Result<String, EvalhError> {
    Ok(SafetensorsIndex::parse(bytes)?.files().join(", "))
}

fn open_tokenizer(bytes: &[u8]) -> Result<String, EvalhError> {
    let tokenizer = TokenizerFile::parse(bytes)?;
    let ids = tokenizer.encode("a b aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")?;
    let text = tokenizer.decode(&ids)?;
    Ok(format!("ids {ids:?}, text {text:?}"))
}

fn render(bytes: &[u8]) -> Result<String, EvalhError> {
    let source = String::from_utf8_lossy(bytes);
    let message = Message {
        role: Role::User,
        content: "hello".to_owned(),
    };
    let template = ChatTemplate::new(&source, Variables::default(), Timestamp::UNIX_EPOCH)?;
    let text = template.render(&[message])?;
    let begin: String = text.chars().take(60).collect();
    Ok(format!("{} bytes, {begin:?}", text.len()))
}

/// One line a file: what it leads to.
fn outcomes(kind: &str, open: impl Fn(&[u8]) -> Result<String, EvalhError>) -> String {
    let mut out = String::new();
    for path in corpus(kind) {
        let name = path.file_name().unwrap().to_string_lossy();
        let told = match open(&std::fs::read(&path).unwrap()) {
            Ok(told) => format!("ok: {told}"),
            Err(error) => error.to_string(),
        };
        // What a library says in a panic depends on how it was compiled.
        let told = match told.split_once("it panicked: ") {
            Some((begin, _)) => format!("{begin}it panicked: [...]"),
            None => told,
        };
        let line: String = told.escape_debug().to_string().chars().take(220).collect();
        out.push_str(&format!("{name}: {line}\n"));
    }
    out
}

#[test]
fn every_file_of_the_corpus_leads_to_what_it_should() {
    insta::assert_snapshot!("gguf", outcomes("gguf", open_gguf));
    insta::assert_snapshot!("safetensors", outcomes("safetensors", open_safetensors));
    insta::assert_snapshot!("index", outcomes("index", open_index));
    insta::assert_snapshot!("tokenizer", outcomes("tokenizer", open_tokenizer));
    insta::assert_snapshot!("template", outcomes("template", render));
}

/// Address space a program gets, in kB: its code, its threads, the 256 MB that a template's stack may grow into, and little else.
#[cfg(target_os = "linux")]
const ADDRESS_SPACE_KB: u64 = 1_000_000;

/// A folder whose catalogue has one model for each of these files.
#[cfg(target_os = "linux")]
fn with_models(files: &[(String, Vec<u8>)]) -> TestContext {
    let context = TestContext::new();
    let mut catalogue = String::new();
    for (i, (name, bytes)) in files.iter().enumerate() {
        context.write(&format!("m{i}/{name}"), bytes);
        for (beside, content) in sharded().iter().filter(|(n, _)| n.contains(".json")) {
            if name.ends_with(".safetensors") && !beside.contains("index") {
                context.write(&format!("m{i}/{beside}"), content);
            }
        }
        catalogue.push_str(&format!(
            "[[model]]\nname = \"m{i}\"\nsources = [\"path:m{i}/{name}\"]\n"
        ));
    }
    context.write("models.toml", catalogue);
    context
}

/// The program reads hostile files in a bounded address space: every one ends in an exit code of its own, none in a signal.
#[cfg(target_os = "linux")]
#[test]
fn the_program_needs_little_memory_for_any_of_them() {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for kind in ["gguf", "safetensors"] {
        files.extend(corpus(kind).into_iter().map(|p| {
            let name = p.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(p).unwrap())
        }));
    }
    let tiny = tiny_gguf("{{ messages[0].content }}");
    for seed in 0..60 {
        files.push(("t.gguf".to_owned(), damaged(&tiny, 1_000_000 + seed)));
        files.push(("t.safetensors".to_owned(), damaged(&varied(), seed)));
    }
    let good = files.len();
    files.push(("good.gguf".to_owned(), tiny));
    let context = with_models(&files);
    let (mut refused, mut accepted) = (0, 0);
    for (i, (name, _)) in files.iter().enumerate() {
        let ran = context.evalh_within(ADDRESS_SPACE_KB, &["models", "verify", &format!("m{i}")]);
        match ran.code {
            Some(0) => accepted += 1,
            Some(3) => {
                refused += 1;
                assert!(
                    ran.err.contains("error: ") && ran.out.is_empty(),
                    "{name}: {ran:?}"
                );
            }
            other => panic!("{name} (m{i}) ended with {other:?}: {ran:?}"),
        }
        assert!(i != good || ran.code == Some(0), "{ran:?}");
    }
    println!("{refused} refused, {accepted} accepted");
    assert!(refused > 80 && accepted > 0);
    // And one that reads them all.
    let ran = context.evalh_within(ADDRESS_SPACE_KB, &["models", "list", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.lines().len(), files.len());
}

/// Hostile companions of weights that are sound.
#[cfg(target_os = "linux")]
#[test]
fn the_program_refuses_hostile_tokenizers_beside_sound_weights() {
    let context = TestContext::new();
    let mut catalogue = String::new();
    let files: Vec<PathBuf> = corpus("tokenizer");
    for (i, path) in files.iter().enumerate() {
        for (name, bytes) in sharded() {
            context.write(&format!("m{i}/{name}"), bytes);
        }
        context.write(
            &format!("m{i}/tokenizer.json"),
            std::fs::read(path).unwrap(),
        );
        catalogue.push_str(&format!(
            "[[model]]\nname = \"m{i}\"\nsources = [\"path:m{i}\"]\n"
        ));
    }
    context.write("models.toml", catalogue);
    for (i, path) in files.iter().enumerate() {
        let ran = context.evalh_within(ADDRESS_SPACE_KB, &["models", "verify", &format!("m{i}")]);
        let name = path.file_name().unwrap().to_string_lossy();
        let expected = if name == "good.json" {
            [Some(0); 2]
        } else {
            [Some(0), Some(3)]
        };
        assert!(expected.contains(&ran.code), "{name}: {ran:?}");
    }
}
