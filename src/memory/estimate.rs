//! From a shape and a context to bytes.
//!
//! With L layers, H query heads, G(l) key/value heads of layer l, K and V values of a key and a value head, E embedding, F feed-forward,
//! W vocabulary, C context, R rows of a prefill chunk (at most C), B bytes of a cached value, and 4 bytes of an activation:
//!
//! * weights = all tensors as they are in the file; they are mapped and used in that form.
//! * key/value cache = sum over l of G(l) (K + V) C B. Layers with a sliding window are counted in full: the cache is allocated for the
//!   whole context and the window is only a mask.
//! * activations = 4 (2 R E + max(attention, feed-forward)) + 4 H C + 4 C K + 4 W, with attention = R (H K + G (K + V) + H V) and
//!   feed-forward = 2 R F. In order: residual stream and its normalised copy, the wider of the two halves of a layer, one row of attention
//!   scores a head (scores of a whole chunk are never held at once), sines and cosines of the rotary embedding, one row of logits.
//! * overhead = 200 W + 64 MB: vocabulary and merges in the tokenizer's tables, and the program with its stacks and database pages.

use super::ModelShape;
use crate::record::MemoryEstimate;
use crate::units::Bytes;

/// Prompt rows computed at once, when the engine says nothing else.
pub const PREFILL_CHUNK_ROWS: u32 = 256;

/// Activations are 32-bit floats on the CPU; narrower formats elsewhere need less.
const ACTIVATION_BYTES: u64 = 4;

/// Tables of a byte-pair tokenizer for each vocabulary entry: two copies of the piece (about 10 bytes each in an own allocation), two hash
/// table slots, a merge with its rank. Rounded up; the estimate may be high, never low.
const TOKENIZER_BYTES_PER_ENTRY: u64 = 200;

/// The program without a model: code, thread stacks, the page cache of the database. Rounded up.
const PROGRAM_BYTES: u64 = 64_000_000;

/// The bytes a model needs to run with `context_tokens` of context, computing prompts in chunks of `prefill_chunk_rows` and keeping
/// `kv_bytes_per_value` bytes (4 for f32, 2 for f16) for each cached number. Never fails: what would overflow stays at the maximum.
pub fn estimate(
    shape: &ModelShape,
    context_tokens: u32,
    prefill_chunk_rows: u32,
    kv_bytes_per_value: u32,
) -> MemoryEstimate {
    let context = u64::from(context_tokens);
    let rows = u64::from(prefill_chunk_rows.min(context_tokens));
    MemoryEstimate {
        weights: shape.weights_bytes,
        kv_cache: kv_cache(shape, context, u64::from(kv_bytes_per_value)),
        activations: activations(shape, context, rows),
        overhead: Bytes(
            shape
                .vocabulary
                .saturating_mul(TOKENIZER_BYTES_PER_ENTRY)
                .saturating_add(PROGRAM_BYTES),
        ),
        context: context_tokens,
    }
}

fn kv_cache(shape: &ModelShape, context: u64, bytes_per_value: u64) -> Bytes {
    let heads = shape.kv_heads.iter().copied().fold(0, u64::saturating_add);
    let values = heads.saturating_mul(shape.key_values.saturating_add(shape.value_values));
    Bytes(
        values
            .saturating_mul(context)
            .saturating_mul(bytes_per_value),
    )
}

fn activations(shape: &ModelShape, context: u64, rows: u64) -> Bytes {
    let (key, value, heads) = (shape.key_values, shape.value_values, shape.heads);
    let kv_heads = shape.kv_heads.iter().copied().max().unwrap_or(0);
    let queries = heads.saturating_mul(key);
    let cached = kv_heads.saturating_mul(key.saturating_add(value));
    let attended = heads.saturating_mul(value);
    let attention = queries.saturating_add(cached).saturating_add(attended);
    let feed_forward = shape.feed_forward.saturating_mul(2);
    let streams = shape.embedding.saturating_mul(2);
    let per_row = streams.saturating_add(attention.max(feed_forward));
    let scores = heads.saturating_mul(context);
    let rotary = context.saturating_mul(key);
    let values = rows
        .saturating_mul(per_row)
        .saturating_add(scores)
        .saturating_add(rotary)
        .saturating_add(shape.vocabulary);
    Bytes(values.saturating_mul(ACTIVATION_BYTES))
}
