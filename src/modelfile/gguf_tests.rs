//! Made-up headers: valid ones are read, each kind of damage has its message.

use super::*;

fn string(out: &mut Vec<u8>, s: &str) {
    out.extend((s.len() as u64).to_le_bytes());
    out.extend(s.as_bytes());
}

/// A file with one string key, one string array and one 2x2 F32 tensor.
fn sample() -> Vec<u8> {
    let mut f = b"GGUF".to_vec();
    f.extend(3_u32.to_le_bytes());
    f.extend(1_u64.to_le_bytes());
    f.extend(2_u64.to_le_bytes());
    string(&mut f, "general.architecture");
    f.extend(8_u32.to_le_bytes());
    string(&mut f, "llama");
    string(&mut f, "tokens");
    f.extend(9_u32.to_le_bytes());
    f.extend(8_u32.to_le_bytes());
    f.extend(2_u64.to_le_bytes());
    string(&mut f, "a");
    string(&mut f, "bc");
    string(&mut f, "w");
    f.extend(2_u32.to_le_bytes());
    f.extend(2_u64.to_le_bytes());
    f.extend(2_u64.to_le_bytes());
    f.extend(0_u32.to_le_bytes());
    f.extend(0_u64.to_le_bytes());
    while !f.len().is_multiple_of(32) {
        f.push(0);
    }
    f.extend([0; 16]);
    f
}

fn message(file: &[u8]) -> String {
    GgufHeader::parse(file).unwrap_err().to_string()
}

#[test]
fn a_valid_header_is_read() {
    let file = sample();
    let header = GgufHeader::parse(&file).unwrap();
    assert_eq!(
        header.string("general.architecture").unwrap(),
        Some("llama")
    );
    assert_eq!(
        header.strings("tokens", &file).unwrap().unwrap(),
        ["a", "bc"]
    );
    assert_eq!(header.tensors["w"].bytes, 16);
    assert_eq!(header.parameters(), 4);
    assert_eq!(header.unsigned("absent").unwrap(), None);
    assert_eq!(
        header.unsigned("tokens").unwrap_err().to_string(),
        "metadata key `tokens` is not an unsigned integer"
    );
}

#[test]
fn every_truncation_is_refused() {
    let file = sample();
    for cut in 0..file.len() {
        assert!(
            GgufHeader::parse(&file[..cut]).is_err(),
            "accepted the first {cut} bytes"
        );
    }
}

#[test]
fn damage_has_its_message() {
    assert_eq!(
        message(b"PK\x03\x04aaaa"),
        "not a GGUF file: it begins with the bytes 50 4b 03 04 instead of `GGUF`"
    );
    assert_eq!(message(b""), "not a GGUF file: it is empty");
    let mut file = sample();
    file[4] = 9;
    assert_eq!(
        message(&file),
        "GGUF version 9 is not supported; versions 2 and 3 are"
    );
    let mut file = sample();
    file[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(
        message(&file),
        "the number of tensors is 18446744073709551615, above the limit of 131072, at byte 8"
    );
    let file = sample();
    assert_eq!(
        message(&file[..file.len() - 1]),
        "tensor `w` needs 16 bytes from byte 160 but the file has 175 bytes"
    );
    assert_eq!(
        message(&file[..30]),
        "the file ends at byte 30 inside a metadata key at byte 24"
    );
}

#[test]
fn every_single_byte_change_is_read_or_refused() {
    let file = sample();
    for at in 0..file.len() {
        for value in [0, 1, 7, 0x7f, 0x80, 0xff] {
            let mut changed = file.clone();
            changed[at] = value;
            if let Ok(header) = GgufHeader::parse(&changed) {
                let _ = header.strings("tokens", &changed);
                assert!(
                    header
                        .tensors
                        .values()
                        .all(|t| t.offset + t.bytes <= changed.len() as u64)
                );
            }
        }
    }
}
