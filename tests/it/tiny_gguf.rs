//! A GGUF file of a few kilobytes with a tokenizer, a chat template and one tensor: enough for everything but computing.

/// Writes metadata.
#[derive(Default)]
struct Writer {
    keys: u64,
    bytes: Vec<u8>,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl Writer {
    fn value(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.keys += 1;
        text(&mut self.bytes, key);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(value);
    }

    fn string(&mut self, key: &str, value: &str) {
        let mut bytes = Vec::new();
        text(&mut bytes, value);
        self.value(key, 8, &bytes);
    }

    fn number(&mut self, key: &str, value: u32) {
        self.value(key, 4, &value.to_le_bytes());
    }

    fn array(&mut self, key: &str, kind: u32, items: &[Vec<u8>]) {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend((items.len() as u64).to_le_bytes());
        bytes.extend(items.concat());
        self.value(key, 9, &bytes);
    }
}

/// The character that stands for a byte in byte-level vocabularies: itself when it is printable, else one above U+0100.
fn stand_in(byte: u8) -> char {
    let printable = |b: u8| matches!(b, 33..=126 | 161..=172 | 174..=255);
    if printable(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|b| !printable(*b)).count() as u32;
    char::from_u32(256 + before).unwrap()
}

/// The id of the token that ends a generation.
pub(crate) const END: u32 = 256;

/// The file. `template` is the chat template.
pub(crate) fn tiny_gguf(template: &str) -> Vec<u8> {
    let mut w = Writer::default();
    w.string("general.architecture", "llama");
    w.number("general.file_type", 0);
    w.number("llama.block_count", 2);
    w.number("llama.embedding_length", 8);
    w.number("llama.feed_forward_length", 16);
    w.number("llama.context_length", 512);
    w.number("llama.attention.head_count", 2);
    w.number("llama.attention.head_count_kv", 1);
    let mut pieces: Vec<String> = (0..=255).map(|b| stand_in(b).to_string()).collect();
    pieces.push("<end>".to_owned());
    let strings = |items: &[String]| {
        let item = |piece: &String| {
            let mut bytes = Vec::new();
            text(&mut bytes, piece);
            bytes
        };
        items.iter().map(item).collect::<Vec<_>>()
    };
    let kinds: Vec<Vec<u8>> = (0..pieces.len())
        .map(|i| {
            (if i == END as usize { 3_i32 } else { 1 })
                .to_le_bytes()
                .to_vec()
        })
        .collect();
    w.string("tokenizer.ggml.model", "gpt2");
    w.string("tokenizer.ggml.pre", "llama-bpe");
    w.array("tokenizer.ggml.tokens", 8, &strings(&pieces));
    w.array("tokenizer.ggml.token_type", 5, &kinds);
    w.array(
        "tokenizer.ggml.merges",
        8,
        &strings(&["h i".to_owned()][..0]),
    );
    w.number("tokenizer.ggml.eos_token_id", END);
    w.value("tokenizer.ggml.add_bos_token", 7, &[0]);
    w.string("tokenizer.chat_template", template);
    let mut tensor = Vec::new();
    text(&mut tensor, "token_embd.weight");
    tensor.extend(2_u32.to_le_bytes());
    tensor.extend(8_u64.to_le_bytes());
    tensor.extend((pieces.len() as u64).to_le_bytes());
    tensor.extend(0_u32.to_le_bytes());
    tensor.extend(0_u64.to_le_bytes());
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend(1_u64.to_le_bytes());
    file.extend(w.keys.to_le_bytes());
    file.extend(w.bytes);
    file.extend(tensor);
    file.resize(file.len().next_multiple_of(32), 0);
    let data = file.len() + 8 * pieces.len() * 4;
    file.resize(data.next_multiple_of(32), 0);
    file
}
