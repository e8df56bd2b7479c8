//! Safetensors weights of a few kilobytes, with what lies beside them in a repository.

/// One tensor: name, type, shape, bytes of a value.
type Tensor<'a> = (&'a str, &'a str, &'a [u64], u64);

const CONFIG: &str = r#"{"model_type":"llama","num_hidden_layers":2,"num_attention_heads":2,
"num_key_value_heads":1,"hidden_size":8,"intermediate_size":16,"vocab_size":5,"max_position_embeddings":512}"#;

pub(crate) const TOKENIZER: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
"normalizer":null,"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
"model":{"type":"WordLevel","vocab":{"a":0,"b":1,"c":2,"d":3,"?":4},"unk_token":"?"}}"#;

/// A file with these tensors, one behind the other.
pub(crate) fn file(tensors: &[Tensor<'_>]) -> Vec<u8> {
    let mut offset = 0;
    let rows = tensors.iter().map(|(name, dtype, shape, size)| {
        let begin = offset;
        offset += shape.iter().product::<u64>() * size;
        format!("\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{begin},{offset}]}}")
    });
    let rows: Vec<String> = rows.collect();
    let mut json = format!(
        "{{\"__metadata__\":{{\"format\":\"pt\"}},{}}}",
        rows.join(",")
    );
    while !json.len().is_multiple_of(8) {
        json.push(' ');
    }
    let mut out = (json.len() as u64).to_le_bytes().to_vec();
    out.extend(json.bytes());
    out.extend((0..offset).map(|i| i as u8));
    out
}

/// A file with one tensor of each kind, for mutation.
pub(crate) fn varied() -> Vec<u8> {
    file(&[
        ("model.embed_tokens.weight", "BF16", &[5, 8], 2),
        ("model.layers.0.mlp.up_proj.weight", "F16", &[16, 8], 2),
        ("model.norm.weight", "F32", &[8], 4),
        ("scale", "F64", &[], 8),
        ("ids", "I64", &[3, 1], 8),
        ("mask", "BOOL", &[0, 4], 1),
        ("quantised", "F8_E4M3", &[2, 2, 2], 1),
    ])
}

/// A repository whose weights are in two files that an index joins.
pub(crate) fn sharded() -> Vec<(&'static str, Vec<u8>)> {
    let index = r#"{"metadata":{"total_size":112},"weight_map":{
"model.embed_tokens.weight":"model-00001-of-00002.safetensors","model.norm.weight":"model-00002-of-00002.safetensors"}}"#;
    vec![
        ("README.md", b"hello".to_vec()),
        ("config.json", CONFIG.as_bytes().to_vec()),
        (
            "model-00001-of-00002.safetensors",
            file(&[("model.embed_tokens.weight", "BF16", &[5, 8], 2)]),
        ),
        (
            "model-00002-of-00002.safetensors",
            file(&[("model.norm.weight", "F32", &[8], 4)]),
        ),
        ("model.safetensors.index.json", index.as_bytes().to_vec()),
        ("tokenizer.json", TOKENIZER.as_bytes().to_vec()),
    ]
}

/// A repository whose weights are in one file.
#[cfg(feature = "hub")]
pub(crate) fn single() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("config.json", CONFIG.as_bytes().to_vec()),
        (
            "model.safetensors",
            file(&[
                ("model.embed_tokens.weight", "BF16", &[5, 8], 2),
                ("model.norm.weight", "F32", &[8], 4),
            ]),
        ),
        ("tokenizer.json", TOKENIZER.as_bytes().to_vec()),
    ]
}

/// Files as a mock hub takes them.
#[cfg(feature = "hub")]
pub(crate) fn borrowed<'f>(files: &'f [(&'static str, Vec<u8>)]) -> Vec<(&'f str, &'f [u8])> {
    files.iter().map(|(n, b)| (*n, b.as_slice())).collect()
}
