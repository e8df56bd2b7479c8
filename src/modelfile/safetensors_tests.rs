//! Made-up headers: valid ones are read, each kind of damage has its message.

use super::*;

/// A file with this header and so many bytes of data.
fn file(json: &str, data: usize) -> Vec<u8> {
    let mut out = (json.len() as u64).to_le_bytes().to_vec();
    out.extend(json.as_bytes());
    out.resize(out.len() + data, 7);
    out
}

fn tensor(name: &str, dtype: &str, shape: &str, begin: u64, end: u64) -> String {
    format!(
        "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{begin},{end}]}}"
    )
}

fn header(tensors: &[String]) -> String {
    format!("{{{}}}", tensors.join(","))
}

fn sample() -> Vec<u8> {
    let tensors = [
        "\"__metadata__\":{\"format\":\"pt\"}".to_owned(),
        tensor("b", "F32", "[2]", 12, 20),
        tensor("a", "BF16", "[2,3]", 0, 12),
        tensor("empty", "I64", "[0]", 20, 20),
        tensor("scalar", "U8", "[]", 20, 21),
    ];
    file(&header(&tensors), 21)
}

fn parse(file: &[u8]) -> Result<SafetensorsHeader, ModelFileError> {
    SafetensorsHeader::parse(file, file.len() as u64)
}

fn message(file: &[u8]) -> String {
    parse(file).unwrap_err().to_string()
}

#[test]
fn a_valid_header_is_read() {
    let file = sample();
    let read = parse(&file).unwrap();
    assert_eq!(read.metadata["format"], "pt");
    assert_eq!(read.tensor_bytes(), 21);
    let a = &read.tensors["a"];
    assert_eq!((a.dtype, a.elements(), a.bytes), (Dtype::BF16, 6, 12));
    let info = a.info("a").unwrap();
    assert_eq!(
        (info.ty, info.columns(), info.rows()),
        (GgmlType::BF16, 3, 2)
    );
    assert_eq!(info.offset, file.len() as u64 - 21);
    assert_eq!(read.tensors["scalar"].info("scalar"), None);
    assert_eq!(read.tensors["empty"].elements(), 0);
    // The header alone is enough when the length of the file is known.
    let head = &file[..file.len() - 21];
    assert_eq!(
        SafetensorsHeader::parse(head, file.len() as u64).unwrap(),
        read
    );
}

#[test]
fn every_type_has_a_row_and_its_name_back() {
    for (dtype, name, bytes) in DTYPES {
        assert_eq!(Dtype::from_name(name), Some(dtype));
        assert_eq!((dtype.name(), dtype.bytes()), (name, bytes));
    }
    let listed = |t: Dtype| match t {
        Dtype::BOOL | Dtype::U8 | Dtype::I8 | Dtype::F8_E5M2 | Dtype::F8_E4M3 => 1,
        Dtype::I16 | Dtype::U16 | Dtype::F16 | Dtype::BF16 => 1,
        Dtype::I32 | Dtype::U32 | Dtype::F32 | Dtype::I64 | Dtype::U64 | Dtype::F64 => 1,
    };
    assert_eq!(DTYPES.iter().map(|row| listed(row.0)).sum::<i32>(), 15);
}

#[test]
fn every_truncation_and_every_byte_more_is_refused() {
    let file = sample();
    for cut in 0..file.len() {
        assert!(
            parse(&file[..cut]).is_err(),
            "accepted the first {cut} bytes"
        );
    }
    let longer = [file, vec![0]].concat();
    assert_eq!(
        message(&longer),
        format!(
            "the end of the data at byte {} is invalid: 1 bytes belong to no tensor",
            longer.len() - 1
        )
    );
}

#[test]
fn damage_has_its_message() {
    let one = |t: String, data| message(&file(&header(&[t]), data));
    for (found, expected) in [
        (
            message(b"abc"),
            "the file ends at byte 3 inside the length of the safetensors header at byte 0",
        ),
        (
            message(&[0xff; 8]),
            "the length of the safetensors header is 18446744073709551615, above the limit of 100000000, at byte 0",
        ),
        (
            message(&[9, 0, 0, 0, 0, 0, 0, 0, b'{']),
            "the file ends at byte 9 inside the safetensors header at byte 8",
        ),
        (
            one(tensor("w", "F32", "[2]", 0, 7), 7),
            "tensor `w` of type F32 with the dimensions [2] needs 8 bytes and has 7",
        ),
        (
            one(tensor("w", "F32", "[4294967296,4294967296]", 0, 0), 0),
            "tensor `w` of type F32 cannot have the dimensions [4294967296, 4294967296]",
        ),
        (
            one(tensor("w", "F32", "[2]", 8, 0), 8),
            "tensor `w` lies at bytes 8 to 0 of the data, which has 8 bytes",
        ),
        (
            one(
                tensor(
                    "w",
                    "F32",
                    "[2]",
                    18_446_744_073_709_551_608,
                    18_446_744_073_709_551_615,
                ),
                8,
            ),
            "tensor `w` lies at bytes 18446744073709551608 to 18446744073709551615 of the data, which has 8 bytes",
        ),
        (
            one(tensor("w", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1), 1),
            "tensor `w` has 9 dimensions; 0 to 8 are possible",
        ),
        (
            one(tensor("w", "F31", "[2]", 0, 8), 8),
            "tensor `w` has the type `F31`, which is not supported; supported are BOOL, U8, I8, F8_E5M2, F8_E4M3, I16, U16, F16, BF16, I32, U32, F32, I64, U64, F64",
        ),
    ] {
        assert_eq!(found, expected);
    }
    let two = |a, b| message(&file(&header(&[a, b]), 16));
    assert_eq!(
        two(
            tensor("a", "F32", "[2]", 0, 8),
            tensor("b", "F32", "[3]", 4, 16)
        ),
        "tensor `b` overlaps tensor `a`"
    );
    assert_eq!(
        two(
            tensor("a", "F32", "[1]", 0, 4),
            tensor("b", "F32", "[2]", 8, 16)
        ),
        "tensor `b` begins 4 bytes after the end of tensor `a`"
    );
    assert_eq!(
        one(tensor("w", "F32", "[2]", 4, 12), 12),
        "tensor `w` begins 4 bytes after the end of the header"
    );
}

#[test]
fn json_that_is_no_header_is_refused() {
    let json = |text: &str| {
        let full = message(&file(text, 8));
        let begin = "the safetensors header at byte 8 is invalid: ";
        full.strip_prefix(begin)
            .unwrap_or_else(|| panic!("{full}"))
            .to_owned()
    };
    let w = tensor("w", "F32", "[2]", 0, 8);
    assert_eq!(
        json(&header(&[w.clone(), w.clone()])),
        "`w` occurs twice at line 1 column 107"
    );
    assert!(json("[]").starts_with("invalid type: sequence, expected an object of tensors"));
    assert!(json("{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}").starts_with("`a` occurs twice"));
    assert!(json("{\"__metadata__\":{},\"__metadata__\":{}}").starts_with("`__metadata__` occurs"));
    assert!(json("{\"__metadata__\":{\"a\":1}}").starts_with("invalid type: integer `1`"));
    assert!(json(&header(&[w.replace("\"shape\"", "\"shepe\"")])).starts_with("unknown field"));
    assert!(
        json(&header(&[tensor("w", "F32", "[-1]", 0, 8)])).starts_with("invalid value: integer")
    );
    assert!(json(&header(&[tensor("w", "F32", "[1.5]", 0, 8)])).starts_with("invalid type: float"));
    // Depth is no matter: there is nowhere a nested value may stand.
    let deep = format!("{{\"w\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(json(&deep).contains("expected struct RawTensor") || json(&deep).contains("invalid"));
}

fn index(map: &[(&str, &str)]) -> String {
    let rows: Vec<String> = map
        .iter()
        .map(|(t, f)| format!("\"{t}\":\"{f}\""))
        .collect();
    format!(
        "{{\"metadata\":{{\"total_size\":1}},\"weight_map\":{{{}}}}}",
        rows.join(",")
    )
}

#[test]
fn a_set_has_every_tensor_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let main = folder.path().join("model.safetensors.index.json");
    let (one, two) = ("model-1.safetensors", "model-2.safetensors");
    write(one, &file(&header(&[tensor("a", "F32", "[2]", 0, 8)]), 8));
    write(two, &file(&header(&[tensor("b", "F16", "[3]", 0, 6)]), 6));
    let open = |map: &[(&str, &str)]| {
        std::fs::write(&main, index(map)).unwrap();
        SafetensorsSet::open(&main)
    };
    let set = open(&[("a", one), ("b", two)]).unwrap();
    assert_eq!((set.parameters(), set.tensor_bytes()), (5, 14));
    assert_eq!(
        set.files,
        [folder.path().join(one), folder.path().join(two)]
    );
    assert_eq!(
        (set.tensors["b"].0, set.main_dtype()),
        (1, Some(Dtype::F32))
    );
    let fail = |map: &[(&str, &str)]| open(map).unwrap_err().to_string();
    assert_eq!(
        fail(&[("a", two), ("b", two), ("c", one)]),
        "tensor `a` is in `model-1.safetensors` and the index says `model-2.safetensors`"
    );
    assert_eq!(
        fail(&[("a", one), ("c", two)]),
        "tensor `b` is in `model-2.safetensors` and not in the index"
    );
    assert_eq!(
        fail(&[("a", one), ("b", two), ("c", two)]),
        "tensor `c` is not in `model-2.safetensors`, where the index says it is"
    );
    for outside in [
        "../x.safetensors",
        "/x.safetensors",
        "s/x.safetensors",
        "..safetensors",
        "x.bin",
    ] {
        assert_eq!(
            fail(&[("a", outside)]),
            format!(
                "`model.safetensors.index.json`: the index at byte 0 is invalid: `{outside}` is no plain name of a safetensors file in the index's folder"
            )
        );
    }
    assert!(fail(&[]).ends_with("`weight_map` names no tensor"));
    assert!(fail(&[("a", one), ("a", one)]).contains("`a` occurs twice"));
    write(two, b"abc");
    let damaged = open(&[("a", one), ("b", two)]).unwrap_err();
    assert_eq!(
        damaged.to_string(),
        "`model-2.safetensors`: the file ends at byte 3 inside the length of the safetensors header at byte 0"
    );
    assert!(damaged.hint().is_some());
    let single = SafetensorsSet::open(&folder.path().join(one)).unwrap();
    assert_eq!(single.parameters(), 2);
}

#[test]
fn weights_are_opened_with_the_configuration_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("model.safetensors");
    std::fs::write(&main, file(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"I64","shape":[1],"data_offsets":[4,12]}}"#, 12)).unwrap();
    let absent = crate::modelfile::ModelFile::open(&main).unwrap_err();
    assert_eq!(
        absent.to_string(),
        format!(
            "failed to read `{}`",
            folder.path().join("config.json").display()
        )
    );
    let config = folder.path().join("config.json");
    std::fs::write(&config, vec![b' '; (4 << 20) + 1]).unwrap();
    assert_eq!(
        crate::modelfile::ModelFile::open(&main)
            .unwrap_err()
            .to_string(),
        "`config.json`: the size of the configuration is 4194305, above the limit of 4194304, at byte 0"
    );
    std::fs::write(&config, "{}").unwrap();
    let crate::modelfile::ModelFile::Safetensors(files) =
        crate::modelfile::ModelFile::open(&main).unwrap()
    else {
        panic!("it is no GGUF file");
    };
    let tensors = files.tensors();
    assert_eq!(tensors.names().collect::<Vec<_>>(), ["a"]);
    let unreadable: Vec<_> = tensors.unreadable().collect();
    assert_eq!(unreadable, [("b", Dtype::I64)]);
    assert_eq!(tensors.bytes(tensors.get("a").unwrap()).len(), 4);
    let renamed = tensors.renamed(|name| (name == "a").then(|| "c".to_owned()));
    let renamed = renamed.unwrap();
    assert_eq!(renamed.names().collect::<Vec<_>>(), ["c"]);
    assert_eq!(renamed.unreadable().count(), 0);
    let both = tensors.renamed(|_| Some("c".to_owned())).unwrap_err();
    assert_eq!(
        both.to_string(),
        "tensor `b` and `a` have one place between them"
    );
    assert!(!crate::modelfile::is_safetensors(Path::new("m.gguf")));
}
