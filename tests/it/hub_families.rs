//! A model of every family by its `hf:` name: configuration, tokenizer and weights come from a hub on this machine, and the program computes
//! with them what transformers computes (`tests/golden/families`).

use crate::hub_programs::with_hub;
use crate::mock_hub::MockHub;
use crate::tiny_models::models;
use serde_json::json;
use std::path::Path;

/// Names and contents.
type Files = Vec<(String, Vec<u8>)>;

/// The files of a folder as a repository has them, and what else is given.
fn repository(folder: &Path, more: &[(&str, &[u8])]) -> Files {
    let given = more.iter().map(|(n, b)| ((*n).to_owned(), b.to_vec()));
    let mut files: Files = given.collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let left_out = ["expected.json", "config_v4.json"].contains(&name.as_str());
        let gguf = Path::new(&name).extension().is_some_and(|e| e == "gguf");
        if !left_out && !gguf {
            files.push((name.clone(), std::fs::read(folder.join(name)).unwrap()));
        }
    }
    files
}

/// A hub that has these files.
fn hub(files: &Files) -> MockHub {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), &b[..])).collect();
    MockHub::new(&files)
}

#[test]
fn every_family_is_fetched_by_its_name_and_runs() {
    let mut checked = 0;
    for (folder, expected) in models("families") {
        if expected["files"].get("safetensors").is_none() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap();
        let hub = hub(&repository(&folder, &[]));
        let context = with_hub(&hub, "hf:o/r");
        context.ok(&["models", "pull"]);
        let ids =
            json!({"ids": expected["sequences"]["short"], "max_tokens": 16, "ignore_eos": true});
        let chat = json!({"messages": [{"role": "user", "content": "name the </s> 12 cats"}], "max_tokens": 4, "ignore_eos": true});
        let input = format!("{ids}\n{chat}\n");
        let ran = context.evalh_reading(&["generate", "-m", "tiny", "--json"], &input);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.err);
        let lines = ran.lines();
        let wanted = &expected["files"]["safetensors"]["greedy"];
        assert_eq!(&lines[0]["ids"], wanted, "{name}");
        // The same weights in a GGUF file, with the tokenizer inside, answer the same.
        let gguf = folder.join("model-f32.gguf");
        // llama.cpp lets the control tokens of Phi 3 take the white space behind them, whatever the file's tokenizer says; so do its GGUF files here.
        if gguf.is_file() && !name.starts_with("phi3") {
            let source = format!("path:{}", gguf.display());
            context.write("models.toml", catalogue(&source));
            let other = context.evalh_reading(&["generate", "-m", "tiny", "--json"], &input);
            for field in ["ids", "completion", "finish"] {
                assert_eq!(lines[1][field], other.lines()[1][field], "{name}");
            }
        }
        checked += 1;
    }
    assert!(checked >= 18, "{checked}");
}

#[test]
fn other_architectures_are_fetched_by_name_and_run_through_the_adapter() {
    // The tiny models of the adapter have the vocabulary of those of the families.
    let tokenizer = models("families")[0].0.join("tokenizer.json");
    let tokenizer = std::fs::read(tokenizer).unwrap();
    let mut checked = 0;
    for (folder, expected) in models("adapters") {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let hub = hub(&repository(&folder, &[("tokenizer.json", &tokenizer)]));
        let context = with_hub(&hub, "hf:o/r");
        context.ok(&["models", "pull"]);
        let estimate = context.ok(&["models", "estimate", "tiny", "--json"]).json();
        assert!(
            estimate["weights_bytes"].as_u64() > Some(0),
            "{name}: {estimate}"
        );
        let input =
            json!({"ids": expected["sequences"]["short"], "max_tokens": 16, "ignore_eos": true});
        let ran =
            context.evalh_reading(&["generate", "-m", "tiny", "--json"], format!("{input}\n"));
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.err);
        assert_eq!(ran.lines()[0]["ids"], expected["greedy"], "{name}");
        checked += 1;
    }
    assert!(checked >= 20, "{checked}");
}

fn catalogue(source: &str) -> String {
    format!("[[model]]\nname = \"tiny\"\nsources = [\"{source}\"]\ndefault = true\n")
}

#[test]
fn a_whole_run_on_safetensors_is_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families/llama-sharded");
    let hub = hub(&repository(&folder, &[]));
    let context = with_hub(&hub, "hf:o/r");
    let report = context
        .evalh(&["run", "--suite", "smoke", "--limit", "2", "--json"])
        .out;
    let db = context.db();
    let row: (String, String, String, i64) = db
        .query_row(
            "SELECT architecture, quantization, device, (SELECT count(*) FROM v_sample WHERE failure_kind IS NULL) FROM model",
            [],
            |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)),
        )
        .unwrap();
    assert_eq!(
        (row.0.as_str(), row.1.as_str(), row.2.as_str(), row.3),
        ("llama", "F32", "cpu", 2),
        "{report}"
    );
}
