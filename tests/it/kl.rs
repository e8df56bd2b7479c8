//! `evalh kl`: what SciPy makes of the same logits, the same weights in several formats, and what is refused.

use crate::context::TestContext;
use crate::families::load;
use evalh::record::DeviceChoice;
use evalh::stats::divergence::divergence;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/divergence.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let all = value.as_array().unwrap().iter();
    all.map(|x| x.as_f64().unwrap()).collect()
}

fn row(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|x| x as f32).collect()
}

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/families/{name}"))
}

#[test]
fn rows_of_logits_diverge_as_scipy_says() {
    let golden = golden();
    let rows = golden["rows"].as_array().unwrap();
    assert!(rows.len() >= 8);
    for r in rows {
        let target = r["target"].as_u64().unwrap() as usize;
        let d = divergence(&row(&r["p"]), &row(&r["q"]), target).unwrap();
        for (found, wanted) in [
            (d.kl, &r["kl"]),
            (d.target_p, &r["target_p"]),
            (d.target_q, &r["target_q"]),
        ] {
            let wanted = wanted.as_f64().unwrap();
            // SciPy sums in another order; the smallest divergence here is 2e-7.
            let tolerance = 1e-14 + 1e-9 * wanted.abs();
            assert!((found - wanted).abs() <= tolerance, "{found} {wanted}");
        }
        assert_eq!(json!(d.same_top1), r["same_top1"]);
    }
}

#[test]
fn formats_diverge_from_the_weights_as_transformers_logits_do() {
    let golden = golden();
    let ids: Vec<u32> = row(&golden["models"]["ids"])
        .iter()
        .map(|x| *x as u32)
        .collect();
    let files = golden["models"]["files"].as_object().unwrap();
    assert!(files.len() >= 7);
    let mut base = load(&model("llama/model-f32.gguf"), DeviceChoice::Cpu);
    let mut rows = Vec::new();
    base.logits(&ids, 0, &mut |_, row| rows.push(row.to_vec()))
        .unwrap();
    for (name, wanted) in files {
        let mut other = load(&model(&format!("llama/{name}")), DeviceChoice::Cpu);
        let mut at = 0;
        let kl = numbers(&wanted["kl"]);
        let each = &mut |position: usize, q: &[f32]| {
            let d = divergence(&rows[position], q, 0).unwrap();
            // The expected logits have six digits, and evalh's differ from them by up to 1e-3 of logits around 10.
            let tolerance = 2e-6 + 2e-3 * kl[position].sqrt();
            assert!(
                (d.kl - kl[position]).abs() <= tolerance,
                "{name} {position}: {} {}",
                d.kl,
                kl[position]
            );
            assert_eq!(
                json!(d.same_top1),
                wanted["same_top1"][position],
                "{name} {position}"
            );
            at += 1;
        };
        other.logits(&ids, 0, each).unwrap();
        assert_eq!(at, ids.len());
    }
}

const TEXT: &str = "The ferry leaves at nine and the last one back is at six, so there is time for the market and the old lighthouse. \
    Bring a coat: the wind on deck is colder than the sun on the quay suggests. Tickets are sold on board, 12 euros a head, and dogs travel free.";

const SUITE: &str = r#"
format = 1
name = "pick"
version = "1.0.0"
description = "Two questions and a text."
license = "MIT"
language = "en"
primary = "acc"

[[task]]
id = "facts"
type = "choice"
template = "Q: {{ input }}\nA:"
[[task.sample]]
id = "ice"
input = "What does water become when it freezes?"
choices = ["steam", "ice"]
answer = 1
[[task.sample]]
id = "rain"
input = "What keeps a person dry?"
choices = ["an umbrella", "a candle"]
answer = 0
"#;

/// A folder whose catalogue has these models.
fn context(models: &[(&str, &str)]) -> TestContext {
    let context = TestContext::new();
    let entries: Vec<String> = models
        .iter()
        .map(|(name, file)| {
            let path = model(file);
            format!(
                "[[model]]\nname = \"{name}\"\nsources = [\"path:{}\"]\n",
                path.display()
            )
        })
        .collect();
    context.write("models.toml", entries.join("\n"));
    context.write("pick.toml", SUITE);
    context.write("text.txt", TEXT);
    context
}

const LLAMAS: &[(&str, &str)] = &[
    ("f32", "llama/model-f32.gguf"),
    ("again", "llama/model-f32.gguf"),
    ("folder", "llama/model.safetensors"),
    ("q8", "llama/model-q8_0.gguf"),
    ("q4", "llama/model-q4_0.gguf"),
];

/// The divergence of every position of a window, computed at once in this process.
fn directly(context: &TestContext, window: &Value, files: [&str; 2]) -> Vec<f64> {
    let line = format!("{}\n", json!({ "text": TEXT }));
    let ran = context.evalh_reading(&["tokenize", "-m", "f32", "--json"], line);
    let ids: Vec<u32> = row(&ran.json()["ids"]).iter().map(|x| *x as u32).collect();
    let first = window["first_token"].as_u64().unwrap() as usize;
    let tokens = window["tokens"].as_u64().unwrap() as usize;
    // The model begins a text with token 1.
    let ids = [&[1], &ids[first..first + tokens - 1]].concat();
    let rows = files.map(|file| {
        let mut rows = Vec::new();
        let mut engine = load(&model(file), DeviceChoice::Cpu);
        engine
            .logits(&ids, 0, &mut |_, row| rows.push(row.to_vec()))
            .unwrap();
        rows
    });
    let scored = tokens.div_ceil(4)..tokens;
    scored
        .map(|t| {
            divergence(&rows[0][t - 1], &rows[1][t - 1], ids[t] as usize)
                .unwrap()
                .kl
        })
        .collect()
}

#[test]
fn formats_of_one_model_are_set_against_its_weights() {
    let context = context(LLAMAS);
    let args = [
        "kl",
        "f32",
        "again",
        "folder",
        "q8",
        "q4",
        "--texts-only",
        "--json",
    ];
    let reading = ["--text", "text.txt", "--window", "64"];
    let json = context.ok(&[&args[..], &reading].concat()).json();
    let models = json["models"].as_array().unwrap();
    let value = |m: &Value, field: &str| m[field]["value"].as_f64().unwrap();
    // The same file: no position differs in any bit.
    let same = &models[0];
    for w in same["window_values"].as_array().unwrap() {
        assert!(numbers(&w["kl_nats"]).iter().all(|x| *x == 0.0));
        assert_eq!(w["base_logprob"], w["model_logprob"]);
    }
    assert_eq!(
        (value(same, "kl_nats"), value(same, "same_top1")),
        (0.0, 1.0)
    );
    assert_eq!(value(same, "perplexity_ratio"), 1.0);
    // The same weights in another container, with the halves of each head in another order: what differs is the rounding of sums.
    let folder = &models[1];
    assert!(value(folder, "kl_nats") < 1e-9, "{}", folder["kl_nats"]);
    assert_eq!(value(folder, "same_top1"), 1.0);
    assert_eq!(json["cautions"][1]["code"], "same_file");
    let [q8, q4] = [&models[2], &models[3]];
    assert!(0.0 < value(q8, "kl_nats") && value(q8, "kl_nats") < value(q4, "kl_nats"));
    assert!(value(q4, "same_top1") <= value(q8, "same_top1"));
    assert!(q4["file_bytes"].as_u64() < q8["file_bytes"].as_u64());
    assert_eq!(
        (&q4["speed"], &q4["questions"], &q4["peak_bytes"]),
        (&json!([]), &json!([]), &Value::Null)
    );
    let windows = q4["window_values"].as_array().unwrap();
    assert!(windows.len() >= 3, "{}", windows.len());
    for window in windows {
        let found = numbers(&window["kl_nats"]);
        let wanted = directly(
            &context,
            window,
            ["llama/model-f32.gguf", "llama/model-q4_0.gguf"],
        );
        assert_eq!(found, wanted);
    }
}

#[test]
fn questions_speed_and_memory_stand_beside_it() {
    let context = context(LLAMAS);
    let args = [
        "kl",
        "f32",
        "q4",
        "--suite",
        "pick.toml",
        "--text",
        "text.txt",
        "--quiet",
        "--json",
    ];
    let ran = context.ok(&args);
    assert_eq!(ran.err, "");
    let json = ran.json();
    let model = &json["models"][0];
    for (side, file) in [(&json["base"], "f32"), (model, "q4")] {
        let asked = side["questions"].as_array().unwrap();
        let right = asked.iter().filter(|q| q["passed"] == true).count();
        assert_eq!(asked.len(), 2);
        assert_eq!(side["accuracy"]["value"], json!(right as f64 / 2.0));
        assert!(
            side["peak_bytes"].as_u64() > Some(1_000_000),
            "{}",
            side["peak_bytes"]
        );
        // The same question is answered as `evalh score` scores its choices.
        let line = |choice: &str| {
            let pair = json!({"context": "Q: What does water become when it freezes?\nA:", "continuation": format!(" {choice}")});
            format!("{pair}\n")
        };
        let input = line("steam") + &line("ice");
        let scored = context
            .evalh_reading(&["score", "-m", file, "--json"], input)
            .lines();
        let [steam, ice] = [0, 1].map(|i| scored[i]["logprob"].as_f64().unwrap());
        assert_eq!(
            asked[0]["passed"],
            json!(ice > steam),
            "{file} {steam} {ice}"
        );
    }
    let pairs = model["speed"].as_array().unwrap();
    assert_eq!(pairs.len(), 5);
    for timing in pairs.iter().flat_map(|p| [&p["base"], &p["model"]]) {
        assert_eq!(
            (&timing["prompt_tokens"], &timing["decode_gaps"]),
            (&json!(64), &json!(63))
        );
        assert!(timing["prefill_ns"].as_u64() > Some(0) && timing["decode_ns"].as_u64() > Some(0));
    }
    for ratio in ["prefill_ratio", "decode_ratio"] {
        let [low, point, high] =
            ["lower", "value", "upper"].map(|f| model[ratio][f].as_f64().unwrap());
        assert!(0.0 < low && low <= point && point <= high);
        let field = if ratio == "decode_ratio" {
            "decode_ns"
        } else {
            "prefill_ns"
        };
        let ln = |side: &Value| side[field].as_f64().unwrap().ln();
        let mean = pairs
            .iter()
            .map(|p| ln(&p["base"]) - ln(&p["model"]))
            .sum::<f64>()
            / 5.0;
        assert!((mean.exp() / point - 1.0).abs() < 1e-9);
    }
    assert_eq!(model["accuracy_against_base"]["mcnemar_exact_p"], 1.0);
}

#[test]
fn a_person_reads_a_table_and_sentences() {
    let context = context(LLAMAS);
    let args = [
        "kl",
        "f32",
        "q4",
        "--texts-only",
        "--text",
        "text.txt",
        "--window",
        "64",
    ];
    let table = context.ok(&args);
    let parts = [
        "1 model against f32 (F32, ",
        "top-1",
        "Changes the most probable token at ",
        "Beware",
    ];
    for part in parts {
        assert!(table.out.contains(part), "{part}\n{}", table.out);
    }
    assert!(
        table.err.contains("windows with `f32` and `q4`"),
        "{}",
        table.err
    );
}

#[test]
fn texts_of_the_built_in_suite_are_read_when_none_is_named() {
    let context = context(LLAMAS);
    let ran = context.ok(&[
        "kl", "f32", "q4", "--tokens", "200", "--window", "100", "--json",
    ]);
    let json = ran.json();
    let texts = json["texts"].as_array().unwrap();
    assert!(texts.len() >= 3, "{}", texts.len());
    assert_eq!(json["suite"], "basics");
    let asked = json["models"][0]["questions"].as_array().unwrap();
    assert!(asked.len() >= 24, "{}", asked.len());
    let read: u64 = texts
        .iter()
        .map(|t| t["read_tokens"].as_u64().unwrap())
        .sum();
    assert_eq!(read, 200);
    let codes: Vec<&str> = json["cautions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes[..2], ["few_windows", "cut"]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let mut models = LLAMAS.to_vec();
    models.push(("other", "qwen2/model-f32.gguf"));
    let context = context(&models);
    context.write("short.txt", "Too short.");
    // Two tokens of one vocabulary change places.
    let bytes = std::fs::read(model("llama/model-q4_0.gguf")).unwrap();
    let entry = |text: &str| [&3_u64.to_le_bytes(), text.as_bytes()].concat();
    let (b, c) = (entry("\u{120}b"), entry("\u{120}c"));
    let place = |entry: &[u8]| bytes.windows(11).position(|w| w == entry).unwrap();
    let mut changed = bytes.clone();
    changed[place(&b)..][..11].copy_from_slice(&c);
    changed[place(&c)..][..11].copy_from_slice(&b);
    let path = context.write("changed.gguf", &changed);
    let catalogue = std::fs::read_to_string(context.path("models.toml")).unwrap();
    let entry = format!(
        "\n[[model]]\nname = \"changed\"\nsources = [\"path:{}\"]\n",
        path.display()
    );
    context.write("models.toml", catalogue + &entry);
    let refused = |args: &[&str]| {
        let (code, text) = context.refusal(&[&["kl", "--quiet"], args].concat());
        format!("{code} {}", text.trim_end())
    };
    let all = [
        refused(&["f32", "changed", "--text", "text.txt"]),
        refused(&["f32", "other", "--text", "text.txt"]),
        refused(&["f32", "q5", "--text", "text.txt"]),
        refused(&["f32", "q4", "--text", "short.txt"]),
        refused(&["f32", "q4", "--text", "absent.txt"]),
        refused(&["f32", "q4", "--suite", "pick.toml"]),
        refused(&["f32", "q4", "--suite", "nothing"]),
        refused(&["f32", "q4", "--window", "1024"]),
        refused(&["f32", "q4", "--memory-budget", "50MB"]),
        refused(&["f32", "q4", "--window", "8"]),
        refused(&["f32"]),
    ];
    insta::assert_snapshot!(all.join("\n\n"));
}
