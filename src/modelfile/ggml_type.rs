//! Tensor types of the ggml family: ids, names, block sizes.
//!
//! Source of ids and sizes: ggml's `ggml.h` (`enum ggml_type`) and `ggml-common.h`.

/// A tensor type a GGUF file can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the format's own")]
#[expect(non_camel_case_types, reason = "the names are the format's own")]
pub enum GgmlType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    IQ4_NL,
    IQ4_XS,
    MXFP4,
}

/// (type, id in the file, name, values in a block, bytes of a block)
const TABLE: [(GgmlType, u32, &str, u64, u64); 16] = [
    (GgmlType::F32, 0, "F32", 1, 4),
    (GgmlType::F16, 1, "F16", 1, 2),
    (GgmlType::BF16, 30, "BF16", 1, 2),
    (GgmlType::Q4_0, 2, "Q4_0", 32, 18),
    (GgmlType::Q4_1, 3, "Q4_1", 32, 20),
    (GgmlType::Q5_0, 6, "Q5_0", 32, 22),
    (GgmlType::Q5_1, 7, "Q5_1", 32, 24),
    (GgmlType::Q8_0, 8, "Q8_0", 32, 34),
    (GgmlType::Q2_K, 10, "Q2_K", 256, 84),
    (GgmlType::Q3_K, 11, "Q3_K", 256, 110),
    (GgmlType::Q4_K, 12, "Q4_K", 256, 144),
    (GgmlType::Q5_K, 13, "Q5_K", 256, 176),
    (GgmlType::Q6_K, 14, "Q6_K", 256, 210),
    (GgmlType::IQ4_NL, 20, "IQ4_NL", 32, 18),
    (GgmlType::IQ4_XS, 23, "IQ4_XS", 256, 136),
    (GgmlType::MXFP4, 39, "MXFP4", 32, 17),
];

impl GgmlType {
    /// Every type that can be read.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The type with this id in a GGUF file.
    pub fn from_id(id: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == id).map(|row| row.0)
    }

    fn row(self) -> &'static (Self, u32, &'static str, u64, u64) {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .expect("the table has a row for every variant, which a test checks")
    }

    /// Name as printed by other tools.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Id in a GGUF file.
    pub fn id(self) -> u32 {
        self.row().1
    }

    /// Values in a block.
    pub fn block_len(self) -> usize {
        self.row().3 as usize
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        self.row().4 as usize
    }

    /// Bytes of `rows` rows of `columns` values; `None` when a row is no whole number of blocks or the product overflows.
    pub fn bytes(self, columns: u64, rows: u64) -> Option<u64> {
        let (_, _, _, len, bytes) = *self.row();
        if !columns.is_multiple_of(len) {
            return None;
        }
        (columns / len).checked_mul(bytes)?.checked_mul(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_a_row() {
        for t in GgmlType::all() {
            assert_eq!(GgmlType::from_id(t.id()), Some(t));
            assert!(t.block_bytes() > 0 && !t.name().is_empty());
        }
        // An exhaustive match: a new variant does not compile until it is listed here and counted.
        let listed = |t: GgmlType| match t {
            GgmlType::F32
            | GgmlType::F16
            | GgmlType::BF16
            | GgmlType::Q4_0
            | GgmlType::Q4_1
            | GgmlType::Q5_0
            | GgmlType::Q5_1
            | GgmlType::Q8_0
            | GgmlType::Q2_K
            | GgmlType::Q3_K
            | GgmlType::Q4_K
            | GgmlType::Q5_K
            | GgmlType::Q6_K
            | GgmlType::IQ4_NL
            | GgmlType::IQ4_XS
            | GgmlType::MXFP4 => 1,
        };
        assert_eq!(GgmlType::all().map(listed).sum::<i32>(), 16);
        assert_eq!(GgmlType::Q4_K.bytes(512, 3), Some(864));
        assert_eq!(GgmlType::Q4_K.bytes(500, 3), None);
        assert_eq!(GgmlType::F32.bytes(u64::MAX, 2), None);
    }
}
