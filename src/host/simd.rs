//! Features of the processor that matter to arithmetic on weights.

/// Features looked for, as Linux names them, with the tier each one makes possible. Later ones are better.
const FEATURES: [(&str, Option<&str>); 18] = [
    ("sse4_2", None),
    ("avx", None),
    ("f16c", None),
    ("fma", None),
    ("avx2", Some("avx2")),
    ("avx_vnni", None),
    ("avx512f", None),
    ("avx512bw", Some("avx512")),
    ("avx512_vnni", None),
    ("avx512_bf16", None),
    ("amx_tile", None),
    ("amx_int8", None),
    ("amx_bf16", None),
    ("asimd", Some("neon")),
    ("asimdhp", None),
    ("asimddp", None),
    ("i8mm", None),
    ("bf16", None),
];

/// Of all flags, those that matter, in a fixed order.
pub(super) fn interesting(flags: &[String]) -> Vec<String> {
    FEATURES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .filter(|name| flags.contains(name))
        .collect()
}

/// The best instruction set that these features make possible: `avx512`, `avx2`, `neon` or `plain`. What an engine really uses is in its own
/// record.
pub fn simd_tier(features: &[String]) -> &'static str {
    let best = FEATURES
        .iter()
        .rev()
        .find_map(|(name, tier)| tier.filter(|_| features.iter().any(|f| f == name)));
    best.unwrap_or("plain")
}
