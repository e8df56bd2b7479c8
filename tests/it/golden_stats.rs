//! Runs the golden numbers in `tests/golden/stats_vectors.json` (or the file named by `EVALH_STATS_VECTORS`).
//!
//! Each vector names a method; the runner computes every field it knows for that method from the inputs and compares all expected
//! fields. It fails on a vector whose method it does not know and on an expected field it did not compute.

mod case;
mod decisions;
mod estimates;
mod resampling;

use case::{Case, Computed};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The file with the vectors.
#[expect(
    clippy::disallowed_methods,
    reason = "a test may be pointed at another file of vectors"
)]
fn vectors_path() -> PathBuf {
    std::env::var_os("EVALH_STATS_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/stats_vectors.json"),
        PathBuf::from,
    )
}

fn load() -> Value {
    let path = vectors_path();
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("cannot read `{}`: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("`{}` is not JSON: {e}", path.display()))
}

/// Everything the runner can compute for a vector; an unknown method is an error.
fn compute(case: &Case) -> Computed {
    for family in [estimates::compute, decisions::compute, resampling::compute] {
        if let Some(result) = family(case) {
            return result;
        }
    }
    Err(format!("unknown method `{}`", case.method()).into())
}

/// The tolerance of a vector.
#[derive(Clone, Copy)]
struct Tolerance {
    rel: f64,
    abs: f64,
}

/// Compares recursively and lists every difference.
fn compare(path: &str, got: &Value, expected: &Value, tol: Tolerance, out: &mut Vec<String>) {
    match (got, expected) {
        (Value::Object(g), Value::Object(e)) => {
            for (key, want) in e {
                match g.get(key) {
                    Some(have) => compare(
                        &format!("{path}.{key}"),
                        have,
                        want,
                        tightened(key, tol),
                        out,
                    ),
                    None => out.push(format!("{path}.{key}: expected field is not computed")),
                }
            }
        }
        (Value::Array(g), Value::Array(e)) if g.len() == e.len() => {
            for (i, (have, want)) in g.iter().zip(e).enumerate() {
                compare(&format!("{path}[{i}]"), have, want, tol, out);
            }
        }
        (Value::Number(g), Value::Number(e)) => {
            let (g, e) = (
                g.as_f64().unwrap_or(f64::NAN),
                e.as_f64().unwrap_or(f64::NAN),
            );
            let allowed = tol.abs + tol.rel * e.abs();
            if g.is_nan() || (g - e).abs() > allowed {
                out.push(format!(
                    "{path}: got {g} but expected {e} (off by {:e}, allowed {allowed:e})",
                    (g - e).abs()
                ));
            }
        }
        _ if got == expected => {}
        _ => out.push(format!("{path}: got {got} but expected {expected}")),
    }
}

/// Fields that are exact although their vector carries a tolerance for Monte Carlo intervals (see the vector's note).
fn tightened(key: &str, tol: Tolerance) -> Tolerance {
    let abs = match key {
        "theta" | "accel" => 1e-3,
        "z0" => 0.05,
        _ => f64::INFINITY,
    };
    if tol.rel == 0.0 {
        Tolerance {
            abs: tol.abs.min(abs),
            ..tol
        }
    } else {
        tol
    }
}

fn check_vector(vector: &Value, datasets: &Value) -> Vec<String> {
    let case = Case::new(vector, datasets);
    let got = match compute(&case) {
        Ok(got) => got,
        Err(error) => return vec![error.to_string()],
    };
    compare_with(&case, &got, case.expected())
}

fn compare_with(case: &Case, got: &Value, expected: &Value) -> Vec<String> {
    let tol = |key: &str| case.tolerance(key);
    let mut out = Vec::new();
    compare(
        "expected",
        got,
        expected,
        Tolerance {
            rel: tol("rel"),
            abs: tol("abs"),
        },
        &mut out,
    );
    out
}

/// (vector, beginning of the field) where the file is held to be wrong; docs/decisions/0004-disputed-vectors.md says why for each.
const DISPUTED: [(&str, &str); 2] = [
    ("prop2.indep.", "expected.miettinen_nurminen_score"),
    ("cluster.pass_A", "expected.bayes_clustered_ci95"),
];

fn is_disputed(entry: (&str, &str), id: &str, line: &str) -> bool {
    id.starts_with(entry.0) && line.starts_with(entry.1)
}

#[test]
fn all_vectors_agree() {
    let file = load();
    let vectors = file["vectors"]
        .as_array()
        .expect("the file has a list of vectors");
    assert!(!vectors.is_empty());
    let (mut report, mut disputed) = (Vec::new(), 0);
    for vector in vectors {
        let id = vector["id"].as_str().expect("a vector has an id");
        for line in check_vector(vector, &file["datasets"]) {
            if DISPUTED
                .into_iter()
                .any(|entry| is_disputed(entry, id, &line))
            {
                disputed += 1;
                println!("disputed: {id}: {line}");
            } else {
                report.push(format!("{id}: {line}"));
            }
        }
    }
    println!("{} vectors, {disputed} disputed numbers", vectors.len());
    assert!(
        report.is_empty(),
        "{} differences:\n{}",
        report.len(),
        report.join("\n")
    );
}

#[test]
fn a_changed_number_is_noticed_wherever_it_stands() {
    let file = load();
    let mut leaves = 0;
    for vector in file["vectors"]
        .as_array()
        .expect("the file has a list of vectors")
    {
        let case = Case::new(vector, &file["datasets"]);
        let Ok(got) = compute(&case) else { continue };
        let already = compare_with(&case, &got, case.expected()).len();
        for pointer in leaf_pointers(case.expected(), "") {
            let mut changed = case.expected().clone();
            let slot = changed
                .pointer_mut(&pointer)
                .expect("the pointer was made from this value");
            *slot = match slot.as_f64() {
                Some(x) => json!(x + 10.0 + x.abs()),
                None => json!("something else"),
            };
            let found = compare_with(&case, &got, &changed).len();
            assert!(
                found >= already.max(1),
                "{} {pointer} is not compared",
                vector["id"]
            );
            leaves += 1;
        }
    }
    assert!(leaves > 0);
}

fn leaf_pointers(value: &Value, at: &str) -> Vec<String> {
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(k, v)| leaf_pointers(v, &format!("{at}/{}", escape(k))))
            .collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .flat_map(|(i, v)| leaf_pointers(v, &format!("{at}/{i}")))
            .collect(),
        _ => vec![at.to_owned()],
    }
}

/// Runs `all_vectors_agree` on a file of its own, in a process of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "the variable is read by a process that this test starts"
)]
fn judged(file: &Value) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["golden_stats::all_vectors_agree", "--exact", "--nocapture"])
        .env("EVALH_STATS_VECTORS", &path)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn the_file_of_the_variable_is_judged_and_an_invented_method_in_it_fails() {
    let file = load();
    let vectors = file["vectors"].as_array().unwrap();
    let with = |vectors: Vec<Value>| json!({"datasets": file["datasets"], "vectors": vectors});
    let (passed, text) = judged(&with(vectors[..3].to_vec()));
    assert!(passed && text.contains("3 vectors, "), "{text}");

    let mut invented = vectors[0].clone();
    invented["id"] = json!("invented");
    invented["method"] = json!("a method that nobody published");
    let (passed, text) = judged(&with(vec![vectors[1].clone(), invented]));
    assert!(!passed);
    assert!(
        text.contains("invented: unknown method `a method that nobody published`"),
        "{text}"
    );

    let known = vectors.iter().find(|v| v["expected"].is_object()).unwrap();
    let mut wrong = known.clone();
    wrong["expected"]["a field that no method has"] = json!(1);
    let (passed, text) = judged(&with(vec![wrong]));
    assert!(
        !passed && text.contains("a field that no method has"),
        "{text}"
    );

    let (passed, text) = judged(&with(Vec::new()));
    assert!(!passed, "{text}");
}

#[test]
fn an_unknown_method_and_an_unknown_field_fail() {
    let unknown = json!({"id": "x", "method": "no such method", "inputs": {}, "expected": 1, "tol": {"rel": 0, "abs": 0}});
    assert_eq!(
        check_vector(&unknown, &json!({})),
        ["unknown method `no such method`"]
    );
    let field = json!({"id": "x", "method": "readability from counts", "expected": {"lix": 1},
        "inputs": {"words": 1, "sentences": 1, "syllables": 1, "letters": 1, "polysyllables": 0}, "tol": {"rel": 0, "abs": 0}});
    assert_eq!(
        check_vector(&field, &json!({})),
        ["expected.lix: expected field is not computed"]
    );
}
