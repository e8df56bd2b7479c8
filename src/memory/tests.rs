//! Made-up headers with known numbers, each refusal, and the laws of an estimate.

use super::*;
use crate::modelfile::GgufHeader;
use crate::units::Bytes;
use proptest::prelude::*;

/// A metadata value as it is written.
enum Written<'a> {
    Text(&'a str),
    Number(u32),
    Numbers(&'a [i32]),
}

fn text(out: &mut Vec<u8>, s: &str) {
    out.extend((s.len() as u64).to_le_bytes());
    out.extend(s.as_bytes());
}

/// A GGUF file with these keys and an F32 embedding table of `rows` x 4.
fn file(keys: &[(&str, Written<'_>)], rows: u64) -> Vec<u8> {
    let mut f = b"GGUF".to_vec();
    f.extend(3_u32.to_le_bytes());
    f.extend(u64::from(rows > 0).to_le_bytes());
    f.extend((keys.len() as u64).to_le_bytes());
    for (key, value) in keys {
        text(&mut f, key);
        match value {
            Written::Text(s) => {
                f.extend(8_u32.to_le_bytes());
                text(&mut f, s);
            }
            Written::Number(n) => {
                f.extend(4_u32.to_le_bytes());
                f.extend(n.to_le_bytes());
            }
            Written::Numbers(all) => {
                f.extend(9_u32.to_le_bytes());
                f.extend(5_u32.to_le_bytes());
                f.extend((all.len() as u64).to_le_bytes());
                for n in *all {
                    f.extend(n.to_le_bytes());
                }
            }
        }
    }
    if rows > 0 {
        text(&mut f, "token_embd.weight");
        f.extend(2_u32.to_le_bytes());
        f.extend(4_u64.to_le_bytes());
        f.extend(rows.to_le_bytes());
        f.extend(0_u32.to_le_bytes());
        f.extend(0_u64.to_le_bytes());
        f.resize(f.len().next_multiple_of(32), 0);
        f.resize(f.len() + (rows * 16) as usize, 0);
    }
    f
}

fn keys() -> Vec<(&'static str, Written<'static>)> {
    use Written::{Number, Text};
    vec![
        ("general.architecture", Text("llama")),
        ("llama.block_count", Number(3)),
        ("llama.embedding_length", Number(96)),
        ("llama.attention.head_count", Number(6)),
        ("llama.attention.head_count_kv", Number(2)),
        ("llama.feed_forward_length", Number(256)),
        ("llama.context_length", Number(2048)),
    ]
}

/// The keys with some replaced or added.
fn with(changes: Vec<(&'static str, Written<'static>)>) -> Vec<(&'static str, Written<'static>)> {
    let mut all = keys();
    for (key, value) in changes {
        all.retain(|(k, _)| *k != key);
        all.push((key, value));
    }
    all
}

fn read(keys: &[(&str, Written<'_>)], rows: u64) -> Result<ModelShape, MemoryError> {
    let bytes = file(keys, rows);
    let header = GgufHeader::parse(&bytes).expect("the made-up header is valid");
    shape(&header, &bytes)
}

fn refusal(changes: Vec<(&'static str, Written<'static>)>) -> String {
    read(&with(changes), 10).unwrap_err().to_string()
}

#[test]
fn a_plain_header_is_read() {
    let shape = read(&keys(), 10).unwrap();
    assert_eq!(
        shape,
        ModelShape {
            architecture: "llama".to_owned(),
            layers: 3,
            heads: 6,
            kv_heads: vec![2, 2, 2],
            key_values: 16,
            value_values: 16,
            embedding: 96,
            feed_forward: 256,
            vocabulary: 10,
            context: 2048,
            sliding_window: None,
            weights_bytes: Bytes(160),
        }
    );
}

#[test]
fn lists_and_given_head_sizes_are_read() {
    use Written::{Number, Numbers};
    let shape = read(
        &with(vec![
            ("llama.attention.head_count_kv", Numbers(&[2, 0, 3])),
            ("llama.feed_forward_length", Numbers(&[100, 300, 200])),
            ("llama.attention.key_length", Number(32)),
            ("llama.attention.value_length", Number(24)),
            ("llama.attention.sliding_window", Number(512)),
        ]),
        10,
    )
    .unwrap();
    assert_eq!(shape.kv_heads, [2, 0, 3]);
    assert_eq!((shape.key_values, shape.value_values), (32, 24));
    assert_eq!((shape.feed_forward, shape.sliding_window), (300, Some(512)));
    let estimate = estimate(&shape, 100, 64, 2);
    assert_eq!(estimate.kv_cache, Bytes(5 * (32 + 24) * 100 * 2));
}

#[test]
fn without_kv_heads_every_head_has_its_own() {
    let mut all = keys();
    all.retain(|(k, _)| *k != "llama.attention.head_count_kv");
    assert_eq!(read(&all, 10).unwrap().kv_heads, [6, 6, 6]);
}

#[test]
fn an_estimate_by_hand() {
    let shape = read(&keys(), 10).unwrap();
    let found = estimate(&shape, 2048, 512, 4);
    assert_eq!(found.weights, Bytes(160));
    assert_eq!(found.kv_cache, Bytes(3 * 2 * 32 * 2048 * 4));
    // Feed-forward (2 x 256) is wider than attention (96 + 64 + 96).
    let rows = 512 * (2 * 96 + 512);
    assert_eq!(
        found.activations,
        Bytes(4 * (rows + 6 * 2048 + 2048 * 16 + 10))
    );
    assert_eq!(found.overhead, Bytes(64_000_000 + 2000));
    assert_eq!(found.context, 2048);
    // A context shorter than a chunk needs no whole chunk.
    assert_eq!(
        estimate(&shape, 100, 512, 4).activations,
        estimate(&shape, 100, 100, 4).activations
    );
}

/// SmolLM2 135M: 30 layers with 3 key/value heads of 64 values.
#[test]
fn cache_of_a_known_model() {
    let mut shape = read(&keys(), 10).unwrap();
    shape.kv_heads = vec![3; 30];
    (shape.key_values, shape.value_values) = (64, 64);
    assert_eq!(estimate(&shape, 1, 1, 2).kv_cache, Bytes(23_040));
}

#[test]
fn headers_without_a_shape() {
    use Written::{Number, Numbers, Text};
    assert_eq!(
        refusal(vec![("general.architecture", Number(1))]),
        "metadata key `general.architecture` is not a string"
    );
    assert_eq!(
        read(&[], 10).unwrap_err().to_string(),
        "the memory a model needs cannot be estimated: `general.architecture` is missing"
    );
    assert_eq!(
        read(&with(vec![("general.architecture", Text("qwen2"))]), 10)
            .unwrap_err()
            .to_string(),
        "the memory a model needs cannot be estimated: `qwen2.block_count` is missing"
    );
    assert_eq!(
        refusal(vec![("llama.block_count", Number(0))]),
        "metadata `llama.block_count` is 0; 1 to 1024 is possible"
    );
    assert_eq!(
        refusal(vec![("llama.block_count", Number(u32::MAX))]),
        "metadata `llama.block_count` is 4294967295; 1 to 1024 is possible"
    );
    assert_eq!(
        refusal(vec![("llama.attention.head_count", Number(0))]),
        "metadata `llama.attention.head_count` is 0; 1 to 1024 is possible"
    );
    assert_eq!(
        refusal(vec![("llama.attention.head_count_kv", Numbers(&[2, 2]))]),
        "metadata `llama.attention.head_count_kv` has 2 values for 3 layers"
    );
    assert_eq!(
        refusal(vec![(
            "llama.attention.head_count_kv",
            Numbers(&[2, -1, 2])
        )]),
        "metadata `llama.attention.head_count_kv` is -1; 0 to 1024 is possible"
    );
    assert_eq!(
        refusal(vec![("llama.attention.head_count", Number(7))]),
        "the size of an attention head is not given, and 96 values do not divide by 7 heads"
    );
    assert_eq!(
        read(&keys(), 0).unwrap_err().to_string(),
        "the memory a model needs cannot be estimated: `token_embd.weight` is missing"
    );
    assert_eq!(
        read(&keys(), 0).unwrap_err().hint().as_deref(),
        Some("the file may be damaged: `evalh models verify` checks it against its digest")
    );
}

prop_compose! {
    fn shapes()(
        kv_heads in prop::collection::vec(0_u64..=1024, 1..20),
        heads in 1_u64..=1024,
        key_values in 1_u64..=4096,
        value_values in 1_u64..=4096,
        embedding in 1_u64..=1 << 17,
        feed_forward in 0_u64..=1 << 20,
        vocabulary in 1_u64..=1 << 22,
        weights in any::<u64>(),
    ) -> ModelShape {
        ModelShape {
            architecture: "any".to_owned(),
            layers: kv_heads.len() as u64,
            heads,
            kv_heads,
            key_values,
            value_values,
            embedding,
            feed_forward,
            vocabulary,
            context: 1,
            sliding_window: None,
            weights_bytes: Bytes(weights),
        }
    }
}

proptest! {
    #[test]
    fn an_estimate_never_falls_when_something_grows(
        shape in shapes(),
        context in 0_u32..=1 << 24,
        more in 0_u32..=1 << 20,
        chunk in 0_u32..=4096,
        bytes in 1_u32..=4,
    ) {
        let base = estimate(&shape, context, chunk, bytes);
        for grown in [
            estimate(&shape, context + more, chunk, bytes),
            estimate(&shape, context, chunk + more, bytes),
            estimate(&shape, context, chunk, bytes + 1),
        ] {
            prop_assert!(grown.kv_cache >= base.kv_cache);
            prop_assert!(grown.activations >= base.activations);
            prop_assert!(grown.total() >= base.total());
        }
        prop_assert!(base.total() >= base.weights);
    }

    #[test]
    fn no_number_in_a_header_makes_the_reader_panic(value in any::<u32>(), which in 0_usize..6) {
        let mut all = keys();
        all[which + 1].1 = Written::Number(value);
        if let Ok(shape) = read(&all, 10) {
            let _ = estimate(&shape, u32::MAX, u32::MAX, u32::MAX).total();
        }
    }
}
