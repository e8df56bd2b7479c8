//! Everything a user can get wrong: the exact message and the exit code of each.

use crate::context::{ANSWERS, MODELS, SHOP, TestContext, run_with};
use crate::tiny_gguf::tiny_gguf;
use std::path::Path;

const CATALOGUE: &str = "`smollm2-135m-instruct-q4_1`, `gemma-3-270m-q4_k_m`, `qwen2.5-0.5b-instruct-q4_k_m`, \
`qwen2.5-1.5b-instruct-q4_k_m`, `qwen2.5-3b-instruct-q4_k_m`, `qwen2.5-7b-instruct-q4_k_m`, `qwen3-0.6b-q4_k_m`, `qwen3-4b-q4_k_m`, \
`qwen3-8b-q4_k_m`, `llama-3.2-1b-instruct-q4_k_m`, `llama-3.2-3b-instruct-q4_k_m`, `smollm2-360m-instruct-q4_k_m`, \
`smollm2-1.7b-instruct-q4_k_m`, `phi-3-mini-4k-instruct-q4`, `phi-3.5-mini-instruct-q4_k_m`, `gemma-3-1b-it-q4_k_m`, \
`gemma-3-4b-it-q4_k_m`, `mistral-7b-instruct-v0.3-q4_k_m`";

/// Runs a command that must be refused with this code and this message.
#[track_caller]
fn refused(context: &TestContext, args: &[&str], code: i32, message: &str) {
    let found = context.refusal(args);
    assert_eq!(found, (code, message.to_owned()), "{args:?}");
}

/// A command line that the parser refuses.
#[track_caller]
fn usage(args: &[&str], message: &str) {
    let text = format!("error: {message}\n\nFor more information, try '--help'.\n");
    refused(&TestContext::new(), args, 2, &text);
}

#[test]
fn no_command_shows_what_there_is() {
    let context = TestContext::new();
    for args in [&[][..], &["models"], &["suites"], &["runs"], &["prices"]] {
        let (code, text) = context.refusal(args);
        assert_eq!(code, 2);
        assert!(
            text.starts_with("error: no subcommand is given\n\n") && text.contains("Commands:"),
            "{text}"
        );
    }
}

#[test]
fn commands_and_flags_that_do_not_exist() {
    usage(
        &["rnu"],
        "unrecognized subcommand 'rnu'\n\n  tip: a similar subcommand exists: 'runs'\n\nUsage: evalh [OPTIONS] <COMMAND>",
    );
    usage(
        &["run", "--sute", "x"],
        "unexpected argument '--sute' found\n\n  tip: a similar argument exists: '--suite'\n\nUsage: evalh run --suite <NAME|PATH>",
    );
    usage(
        &["runs", "rm"],
        "the following required arguments were not provided:\n  <RUN>...\n\nUsage: evalh runs rm <RUN>...",
    );
    usage(
        &["report", "--json", "--format", "csv"],
        "the argument '--json' cannot be used with '--format <FORMAT>'\n\nUsage: evalh report --json [RUN]",
    );
}

#[test]
fn values_of_flags() {
    let of = |flag: &str, value: &str, why: &str| {
        format!("invalid value '{value}' for '{flag}': `{value}` {why}")
    };
    let portion =
        "is neither a number of samples nor a share of them; write for example `20` or `10%`";
    let time = "is not a length of time; write for example `90s`, `500ms`, `10m` or `1h`";
    for (flag, shown, value, why) in [
        (
            "--limit",
            "--limit <N|P%>",
            "0",
            "selects nothing; the least is `1`",
        ),
        (
            "--limit",
            "--limit <N|P%>",
            "0%",
            "selects nothing; the least is `1`",
        ),
        ("--limit", "--limit <N|P%>", "101%", "is more than `100%`"),
        ("--limit", "--limit <N|P%>", "-1", portion),
        ("--limit", "--limit <N|P%>", "ten", portion),
        ("--max-failures", "--max-failures <N|P%>", "-1", portion),
        ("--timeout", "--timeout <TIME>", "-5s", time),
        ("--timeout", "--timeout <TIME>", "0s", time),
        ("--timeout", "--timeout <TIME>", "5", time),
        ("--timeout", "--timeout <TIME>", "1e99h", time),
        (
            "--epochs",
            "--epochs <K>",
            "0",
            "is not a whole number from 1 to 10000",
        ),
        (
            "--seed",
            "--seed <S>",
            "-1",
            "is not a whole number from 0 to 9223372036854775807",
        ),
        (
            "--seed",
            "--seed <S>",
            "99999999999999999999",
            "is not a whole number from 0 to 9223372036854775807",
        ),
        ("--watts", "--watts <W>", "0", "is not a number above 0"),
        ("--watts", "--watts <W>", "NaN", "is not a number above 0"),
        (
            "--device",
            "--device <DEVICE>",
            "gpu",
            "is not a device; write `auto`, `cpu`, `cpu-plain`, `metal`, `cuda` or `cuda:N`",
        ),
        (
            "--memory-budget",
            "--memory-budget <SIZE>",
            "lots",
            "is not a size; write for example `36GB`, `512MB` or `8GiB`",
        ),
        (
            "--memory-budget",
            "--memory-budget <SIZE>",
            "-1GB",
            "is not a size; write for example `36GB`, `512MB` or `8GiB`",
        ),
        (
            "--models",
            "--models <LIST>",
            "",
            "selects no model; write a name of the catalogue or `tag:NAME`",
        ),
    ] {
        usage(&["run", &format!("{flag}={value}")], &of(shown, value, why));
    }
    usage(
        &["run", "--memory-budget", "0"],
        "invalid value '0' for '--memory-budget <SIZE>': a budget of 0 B holds no model; write for example `36GB`",
    );
    usage(
        &["run", "--engine", "mok"],
        "invalid value 'mok' for '--engine <ENGINE>'\n  [possible values: candle, mock]\n\n  tip: a similar value exists: 'mock'",
    );
    usage(
        &["report", "--format", "html"],
        "invalid value 'html' for '--format <FORMAT>'\n  [possible values: terminal, markdown, json, csv, junit]",
    );
    usage(
        &["completions", "cmd"],
        "invalid value 'cmd' for '<SHELL>'\n  [possible values: bash, elvish, fish, powershell, zsh]",
    );
    refused(
        &TestContext::new(),
        &["run", "--mock-script", "m.toml"],
        2,
        "error: `--mock-script m.toml` needs `--engine mock`, but the engine is `candle`\n\nhint: add `--engine mock`\n",
    );
}

#[test]
fn values_of_the_environment_and_of_settings_files() {
    let mut context = TestContext::new();
    context.set("EVALH_SEED", "x");
    refused(
        &context,
        &["plan", "--engine", "mock"],
        2,
        "error: the environment variable `EVALH_SEED` has a value that cannot be used\n  caused by: `x` is not a whole number from 0 to \
         9223372036854775807\n\nhint: unset `EVALH_SEED`, or give the flag: a flag comes before the environment\n",
    );
    context.unset("EVALH_SEED");
    for (text, message) in [
        (
            "a = \n",
            "evalh.toml:1:5: string values must be quoted, expected literal string\n  | a = \n  |     ^",
        ),
        (
            "db = \"x\"\nseed = 4\n",
            "evalh.toml:2:1: unknown key `seed` in the settings; valid are `baselines`, `cache_dir`, `catalog`, `color`, `db`, `device`, `locked`, \
             `log`, `memory_budget`, `models`, `offline`, `prices`, `suite`, `watts`\n  | seed = 4\n  | ^^^^",
        ),
        (
            "memory_budget = \"lots\"\n",
            "evalh.toml:1:17: `memory_budget` has a value that cannot be used\n  caused by: `lots` is not a size; write for example \
             `36GB`, `512MB` or `8GiB`",
        ),
        (
            "models = [\"a\"]\n",
            "evalh.toml:1:10: `models` is an array where a string, a number, `true` or `false` is needed\n  | models = [\"a\"]\n  |          ^^^^^",
        ),
    ] {
        context.write("evalh.toml", text);
        refused(
            &context,
            &["plan", "--engine", "mock"],
            2,
            &format!("error: {message}\n"),
        );
    }
}

#[test]
fn names_that_do_not_exist() {
    let context = TestContext::shop(ANSWERS);
    refused(
        &context,
        &["run", "--suite", "shopp", "--engine", "mock"],
        2,
        "error: there is no suite `shopp`; there are `basics`, `business`, `shop`, `smoke`\n\nhint: did you mean `shop`?\n",
    );
    refused(
        &context,
        &["suites", "show", "shop", "--task", "prise"],
        2,
        "error: suite `shop` has no task `prise`; it has `price`, `hours`\n\nhint: did you mean `price`?\n",
    );
    refused(
        &context,
        &run_with(&["--models", "gemma-3-270m"]),
        2,
        &format!(
            "error: model `gemma-3-270m` is not in the catalogue `built-in`; valid are {CATALOGUE}\n\nhint: did you mean `gemma-3-270m-q4_k_m`?\n"
        ),
    );
    refused(
        &context,
        &run_with(&["--models", "tag:mac"]),
        2,
        "error: no model in the catalogue `built-in` has the tag `mac`; valid are `base`, `ci`, `instruct`, `mac-36gb`, `small`, \
         `thinking`\n\nhint: did you mean `mac-36gb`?\n",
    );
    refused(
        &context,
        &["tokenize", "--engine", "mock", "--model", "nothing-like-it"],
        2,
        &format!(
            "error: model `nothing-like-it` is not in the catalogue `built-in`; valid are {CATALOGUE}\n"
        ),
    );
}

#[test]
fn files_that_are_not_there() {
    let context = TestContext::shop(ANSWERS);
    let gone = "No such file or directory (os error 2)";
    refused(
        &context,
        &["run", "--suite", "prompts/none.toml", "--engine", "mock"],
        2,
        &format!("error: failed to read `[DIR]/work/prompts/none.toml`\n  caused by: {gone}\n"),
    );
    refused(
        &context,
        &[
            "run",
            "--suite",
            "shop",
            "--engine",
            "mock",
            "--mock-script",
            "none.toml",
        ],
        2,
        &format!("error: failed to read `none.toml`\n  caused by: {gone}\n"),
    );
    for args in [
        ["models", "list", "--catalog", "none.toml"],
        ["prices", "list", "--prices", "none.toml"],
    ] {
        refused(
            &context,
            &args,
            2,
            &format!("error: failed to read `none.toml`: {gone}\n"),
        );
    }
    refused(
        &context,
        &["report", "--db", "none.sqlite"],
        5,
        "error: there is no database `[DIR]/work/none.sqlite`\n\nhint: `evalh run --suite NAME` makes the first run\n",
    );
}

#[test]
fn catalogues() {
    let context = TestContext::new();
    let head = "[[model]]\nname = \"a\"\n";
    let path = "sources = [\"path:x.gguf\"]\n";
    for (text, message) in [
        (
            format!("{head}sources = [\"path:x.gguf\"\n"),
            "c.toml:3:25: unclosed array, expected `]`\n  | sources = [\"path:x.gguf\"\n  |                         ^",
        ),
        (
            format!("{head}sorces = [\"path:x.gguf\"]\n"),
            "c.toml:3:1: unknown key `sorces` in model `a`; valid are `name`, `sources`, `sha256`, `description`, `default`, `context`, \
             `dtype`, `device`, `license`, `license_url`, `parameters`, `tokenizer`, `chat_template`, `tags`, `sampling`\n  | sorces = \
             [\"path:x.gguf\"]\n  | ^^^^^^\n\nhint: did you mean `sources`?",
        ),
        (
            head.to_owned(),
            "c.toml:1:1: model `a` has no `sources`\n  | [[model]]\n  | ^^^^^^^^^",
        ),
        (
            format!("{head}{path}sha256 = \"zz\"\n"),
            "c.toml:4:10: `sha256` is `zz` where a digest of 64 hexadecimal digits is needed\n  | sha256 = \"zz\"\n  |          ^^^^",
        ),
        (
            format!("{head}{path}context = -1\n"),
            "c.toml:4:11: `context` is `-1` where a number of tokens from 1 to 16777216 is needed\n  | context = -1\n  |           ^^",
        ),
        (
            format!("{head}{path}{head}{path}"),
            "c.toml:5:8: the name `a` is already used in line 2\n  | name = \"a\"\n  |        ^^^",
        ),
    ] {
        context.write("c.toml", text);
        refused(
            &context,
            &["models", "list", "--catalog", "c.toml"],
            2,
            &format!("error: {message}\n"),
        );
    }
    context.write("c.toml", format!("{head}{path}"));
    refused(
        &context,
        &["models", "pull", "--catalog", "c.toml"],
        2,
        "error: the catalogue `c.toml` has no entry with `default = true`\n\nhint: name models with `--models a,b` or `--models tag:NAME`\n",
    );
}

#[test]
fn price_cards() {
    let context = TestContext::new();
    context.write(
        "prices.toml",
        "as_of = \"2026-11-22\"\nsource = \"s\"\n[[cloud]]\nnme = \"x\"\n",
    );
    let (code, text) = context.refusal(&["prices", "list"]);
    assert_eq!(code, 2);
    assert!(text.starts_with("error: prices.toml:"), "{text}");
    context.write("prices.toml", "as_of = \"2026-11-22\n");
    let (code, text) = context.refusal(&["prices", "list"]);
    assert_eq!(
        (code, text.as_str()),
        (
            2,
            "error: prices.toml:1:20: invalid basic string, expected `\"`\n  | as_of = \"2026-11-22\n  |                    ^\n"
        )
    );
}

#[test]
fn mock_scripts() {
    let context = TestContext::shop(ANSWERS);
    for (text, message) in [
        (
            "[[reply]\ntext = \"a\"\n",
            "mock.toml:1:9: unclosed array table, expected `]`",
        ),
        (
            "[[reply]]\ntxt = \"a\"\n",
            "mock.toml:2:1: unknown field `txt`, expected one of `model`, `contains`, `text`, `ttft_ms`, `tpot_ms`, `load_ms`, \
             `weights_bytes`, `fail`, `hang_ms`, `times`, `allocate_bytes`, `load_fail`, `self_check`",
        ),
        (
            "[[reply]]\nttft_ms = -1\n",
            "mock.toml:2:11: `-1` ms is out of range; 0 to 86400000 (a day) is allowed",
        ),
        (
            "[[reply]]\nfail = \"boom\"\n",
            "mock.toml:2:8: unknown variant `boom`, expected one of `out_of_memory`, `engine`, `not_a_number`, `crash`, \
             `panic`, `abort`, `exit`, `garbage`, `hang`",
        ),
    ] {
        context.write("mock.toml", text);
        refused(&context, &run_with(&[]), 2, &format!("error: {message}\n"));
    }
    assert_eq!(context.ok(&["runs", "list", "--json"]).out, "");
}

#[test]
fn suites() {
    let context = TestContext::shop(ANSWERS);
    let wrong = |from: &str, to: &str| {
        assert!(SHOP.contains(from));
        context.write("prompts/shop.toml", SHOP.replacen(from, to, 1));
        let (code, text) = context.refusal(&run_with(&[]));
        assert_eq!(code, 2, "{text}");
        text
    };
    assert_eq!(
        wrong("cap_on_required_failure", "cap_on"),
        "error: [DIR]/work/prompts/shop.toml:14:1: unknown key `cap_on` in `quality`; valid keys are `weights`, `cap_on_required_failure`\n\
         14 | cap_on = 0.3\n   | ^\n"
    );
    assert_eq!(
        wrong("max_tokens = 64", "max_tokens = [64"),
        "error: [DIR]/work/prompts/shop.toml:12:1: TOML syntax: missing comma between array elements, expected `,`\n12 | [quality]\n   | ^\n"
    );
    assert_eq!(
        wrong("max_tokens = 64", "max_tokens = 0"),
        "error: [DIR]/work/prompts/shop.toml:10:14: `max_tokens` is 0 but must be an integer from 1 to 131072\n10 | max_tokens = 0\n   |              ^\n"
    );
    assert_eq!(
        wrong("equals = 30", "equals = \"30\""),
        "error: [DIR]/work/prompts/shop.toml:25:39: `equals` must be a number but is a string\n25 | checks = [{ type = \"number\", equals = \"30\" }]\n   |                                       ^\n"
    );
    assert_eq!(
        wrong("id = \"chair\"", "id = \"lamp\""),
        "error: [DIR]/work/prompts/shop.toml:30:6: the sample `lamp` is used before, in line 21\n30 | id = \"lamp\"\n   |      ^\n\nhint: give each sample its own name\n"
    );
    assert_eq!(
        wrong("type = \"contains\"", "type = \"contians\""),
        "error: [DIR]/work/prompts/shop.toml:58:20: unknown check type `contians`; valid are `equals`, `contains`, `contains_any`, \
         `contains_all`, `not_contains`, `regex`, `starts_with`, `ends_with`, `number`, `text`, `label`, `json`, `facts`, `claims_absent`, \
         `words`, `sentences`, `lines`, `bullets`, `sections`, `language`\n58 | checks = [{ type = \"contians\", value = \"nine\" }]\n   |                    ^\n\nhint: did you mean `contains`?\n"
    );
    // A suite that cannot be run leaves no run behind.
    assert_eq!(context.ok(&["runs", "list", "--json"]).out, "");
}

#[test]
fn data_files_of_suites() {
    let context = TestContext::new();
    let head = SHOP.split("[[task.sample]]").next().unwrap();
    let data = |path: &str, sha256: &str| {
        let checks = "fields = { input = \"q\" }\nchecks = [{ type = \"number\", equals = 1 }]\n";
        context.write(
            "prompts/data.toml",
            format!("{head}[task.data]\npath = \"{path}\"\nsha256 = \"{sha256}\"\n{checks}")
                .replace("\"shop\"", "\"data\""),
        );
        context.refusal(&["suites", "show", "data"])
    };
    let zero = "0".repeat(64);
    context.write("secret.jsonl", "{}\n");
    let outside = "\n\nhint: put the file beside the suite and name it by a relative path";
    let at = |path: &str, why: &str, hint: &str| {
        let message = format!(
            "error: [DIR]/work/prompts/data.toml:22:8: {why}\n22 | path = \"{path}\"\n   |        ^{hint}\n"
        );
        (2, message)
    };
    for path in ["../secret.jsonl", "/etc/passwd", "a/../../secret.jsonl"] {
        let why = format!("`{path}` leaves the suite's folder");
        assert_eq!(data(path, &zero), at(path, &why, outside));
    }
    assert_eq!(
        data("none.jsonl", &zero),
        at(
            "none.jsonl",
            "failed to read `none.jsonl`: No such file or directory (os error 2)",
            ""
        )
    );
    let row = "{\"id\": 1, \"q\": \"one?\"\n";
    let sha256 = evalh::record::Digest::of(row.as_bytes());
    context.write("prompts/x.jsonl", row);
    assert_eq!(
        data("x.jsonl", &zero),
        (
            2,
            format!(
                "error: [DIR]/work/prompts/data.toml:23:10: `x.jsonl` has the sha256 {sha256} but the suite declares {zero}\n23 | sha256 = \
                 \"{zero}\"\n   |          ^\n\nhint: if the change is wanted, write `sha256 = \"{sha256}\"` and raise the suite's version\n"
            )
        )
    );
    assert_eq!(
        data("x.jsonl", sha256.as_str()),
        (2, "error: x.jsonl:1:1: JSON syntax: EOF while parsing an object\n1 | {\"id\": 1, \"q\": \"one?\"\n  | ^\n".to_owned())
    );
}

#[cfg(unix)]
#[test]
fn a_data_file_that_is_a_link_out_of_the_folder() {
    let context = TestContext::new();
    context.write("secret.jsonl", "{}\n");
    let head = SHOP.split("[[task.sample]]").next().unwrap();
    context.write(
        "prompts/shop.toml",
        format!(
            "{head}[task.data]\npath = \"link.jsonl\"\nsha256 = \"{}\"\n",
            "0".repeat(64)
        ),
    );
    std::os::unix::fs::symlink(
        context.path("secret.jsonl"),
        context.path("prompts/link.jsonl"),
    )
    .unwrap();
    refused(
        &context,
        &["suites", "show", "shop"],
        2,
        "error: [DIR]/work/prompts/shop.toml:22:8: `link.jsonl` leaves the suite's folder\n22 | path = \"link.jsonl\"\n   |        ^\n\nhint: put \
         the file beside the suite and name it by a relative path\n",
    );
}

#[test]
fn model_files() {
    let context = TestContext::new();
    let sound = tiny_gguf("{{ messages[0].content }}");
    context.write(
        "models.toml",
        "[[model]]\nname = \"tiny\"\nsources = [\"path:tiny.gguf\"]\ndefault = true\n",
    );
    let not = "error: model `tiny` cannot be used\n  caused by: ";
    let cut = "hint: the download may be incomplete: `evalh models verify` checks it, `evalh models pull` fetches it again\n";
    let cases: [(&[u8], String); 5] = [
        (
            b"PK\x03\x04 and so on",
            format!(
                "{not}not a GGUF file: it begins with the bytes 50 4b 03 04 instead of `GGUF`\n\nhint: evalh reads GGUF and safetensors weight files; name one in the entry's `sources`\n"
            ),
        ),
        (
            b"",
            format!(
                "{not}not a GGUF file: it is empty\n\nhint: evalh reads GGUF and safetensors weight files; name one in the entry's `sources`\n"
            ),
        ),
        (
            &sound[..11],
            format!(
                "{not}the file ends at byte 11 inside the number of tensors at byte 8\n\n{cut}"
            ),
        ),
        (
            b"GGUF\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            format!("{not}GGUF version 9 is not supported; versions 2 and 3 are\n"),
        ),
        (
            &sound[..sound.len() - 4_000],
            format!(
                "{not}tensor `token_embd.weight` needs 8224 bytes from byte 4288 but the file has {} bytes\n\n{cut}",
                sound.len() - 4_000
            ),
        ),
    ];
    for (bytes, message) in cases {
        context.write("tiny.gguf", bytes);
        for args in [
            &["models", "pull", "--quiet"][..],
            &["models", "verify", "--quiet"],
            &["models", "estimate", "--quiet"],
            &["run", "--suite", "smoke", "--quiet"],
            &["tokenize", "--model", "tiny", "--quiet"],
            &["generate", "--model", "tiny", "--quiet"],
        ] {
            refused(&context, args, 3, &message);
        }
    }
    assert_eq!(context.ok(&["runs", "list", "--json"]).out, "");
}

#[test]
fn no_prefix_of_a_model_file_is_taken_or_panics() {
    let context = TestContext::new();
    let sound = tiny_gguf("{{ messages[0].content }}");
    context.write(
        "models.toml",
        "[[model]]\nname = \"tiny\"\nsources = [\"path:tiny.gguf\"]\ndefault = true\n",
    );
    for part in 1..24 {
        context.write("tiny.gguf", &sound[..sound.len() * part / 24]);
        let ran = context.evalh(&["models", "estimate", "--quiet"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(3), ""), "{}", ran.err);
    }
}

#[test]
fn a_file_with_another_digest() {
    let context = TestContext::new();
    let sound = tiny_gguf("{{ messages[0].content }}");
    let sha256 = evalh::record::Digest::of(&sound);
    let zero = "0".repeat(64);
    context.write("tiny.gguf", &sound);
    context.write("models.toml", format!("[[model]]\nname = \"tiny\"\nsources = [\"path:tiny.gguf\"]\nsha256 = \"{zero}\"\ndefault = true\n"));
    let differs = format!(
        "`[DIR]/work/tiny.gguf` has the SHA-256 `{sha256}` where the catalogue says `{zero}`\n"
    );
    for args in [
        &["models", "pull", "--quiet"][..],
        &["run", "--suite", "smoke", "--quiet"],
    ] {
        refused(
            &context,
            args,
            3,
            &format!(
                "error: model `tiny` could not be had from its source\n  `path:[DIR]/work/tiny.gguf`: {differs}\nhint: `evalh models pull` fetches a damaged file again\n"
            ),
        );
    }
    refused(
        &context,
        &["models", "verify", "tiny", "--quiet"],
        3,
        &format!("error: {differs}\nhint: `evalh models pull` fetches a damaged file again\n"),
    );
    // Offline, what is not here stays away, and the flag is not needed to say so.
    let (code, text) = TestContext::new().refusal(&["models", "pull", "--quiet"]);
    assert_eq!(code, 3);
    assert!(
        text.contains("not on this machine, and `--offline` forbids the network"),
        "{text}"
    );
}

#[test]
fn files_that_a_catalogue_puts_in_place_of_parts_of_a_model() {
    let context = TestContext::new();
    context.write("tiny.gguf", tiny_gguf("{{ messages[0].content }}"));
    let entry = |more: &str| {
        let head = "[[model]]\nname = \"tiny\"\nsources = [\"path:tiny.gguf\"]\ndefault = true\n";
        context.write("models.toml", format!("{head}{more}\n"));
    };
    let args = ["run", "--suite", "smoke", "--quiet"];
    entry("tokenizer = \"tokenizer.json\"");
    refused(
        &context,
        &args,
        3,
        "error: model `tiny` cannot be used\n  caused by: failed to read `[DIR]/work/tokenizer.json`\n  caused by: No such file or directory (os error 2)\n",
    );
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokenizers/gpt2.json");
    context.write("folder/tokenizer.json", std::fs::read(other).unwrap());
    entry("tokenizer = \"folder\"");
    let (code, text) = context.refusal(&args);
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("/folder` (643 ids) is not that of the model file (")
            && text.contains("hint: remove `tokenizer` from the model's entry"),
        "{text}"
    );
    entry("chat_template = \"chat.jinja\"");
    refused(
        &context,
        &args,
        2,
        "error: failed to read `[DIR]/work/chat.jinja`\n  caused by: No such file or directory (os error 2)\n",
    );
    context.write("chat.jinja", "{% if %}");
    let (code, text) = context.refusal(&args);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("model `tiny` cannot be used"), "{text}");
}

#[test]
fn a_model_that_the_engine_cannot_run() {
    let context = TestContext::new();
    context.write("tiny.gguf", tiny_gguf("{{ messages[0].content }}"));
    context.write(
        "models.toml",
        "[[model]]\nname = \"tiny\"\nsources = [\"path:tiny.gguf\"]\ndefault = true\n",
    );
    // The file has a tokenizer and no layers: everything but the engine accepts it. What the engine says depends on the build.
    let ran = context.evalh(&["run", "--suite", "smoke", "--quiet", "--json"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let report = ran.json();
    assert_eq!(report["run"]["status"], "failed");
    assert_eq!(report["skipped"][0]["name"], "tiny");
}

#[test]
fn databases() {
    let context = TestContext::shop(ANSWERS);
    let foreign = "\n\nhint: name another file with `--db PATH`; this one is left as it is\n";
    context.write("text.sqlite", "no database, but long enough to be taken for the head of one, if nobody looks at what it says");
    let other = rusqlite::Connection::open(context.path("other.sqlite")).unwrap();
    other
        .execute_batch("PRAGMA application_id = 7; CREATE TABLE t (x)")
        .unwrap();
    drop(other);
    context.ok(&run_with(&["--db", "newer.sqlite"]));
    let newer = rusqlite::Connection::open(context.path("newer.sqlite")).unwrap();
    newer.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(newer);
    for (name, message) in [
        ("text", format!("`[DIR]/work/text.sqlite` is not an SQLite database{foreign}")),
        (
            "other",
            format!("`[DIR]/work/other.sqlite` is a database of another program: its application id is 0x00000007 where evalh writes 0x65766c68{foreign}"),
        ),
        (
            "newer",
            "`[DIR]/work/newer.sqlite` has schema version 99, but this evalh knows versions up to 4\n\nhint: update evalh, or name another file with `--db PATH`\n".to_owned(),
        ),
    ] {
        let path = format!("{name}.sqlite");
        let before = std::fs::read(context.path(&path)).unwrap();
        for args in [
            run_with(&["--db", &path]),
            vec!["report", "--db", &path],
            vec!["runs", "list", "--db", &path],
            vec!["runs", "check", "--db", &path],
            vec!["runs", "rm", "latest", "--db", &path],
        ] {
            refused(&context, &args, 5, &format!("error: {message}"));
        }
        assert_eq!(std::fs::read(context.path(&path)).unwrap(), before, "{name}");
    }
    refused(
        &context,
        &run_with(&["--db", "text.sqlite/below/x.sqlite"]),
        5,
        "error: failed to create the folder `[DIR]/work/text.sqlite/below`\n  caused by: Not a directory (os error 20)\n\nhint: check the \
         permissions, or name another place with `--db PATH`\n",
    );
}

#[test]
fn runs_that_are_not_stored() {
    let context = TestContext::shop(ANSWERS);
    context.ok(&run_with(&[]));
    for args in [
        &["report", "zz"][..],
        &["runs", "show", "zz"],
        &["runs", "rm", "zz"],
    ] {
        refused(
            &context,
            args,
            5,
            "error: no run in `[DIR]/work/results/evalh.sqlite` begins with `zz`\n\nhint: `evalh runs list` shows all\n",
        );
    }
    context.ok(&["runs", "rm", "latest"]);
    refused(
        &context,
        &["report"],
        5,
        "error: no run is stored in `[DIR]/work/results/evalh.sqlite`\n\nhint: `evalh run --suite NAME` makes the first run\n",
    );
}

#[test]
fn outputs_that_cannot_be_written() {
    let context = TestContext::shop(ANSWERS);
    context.ok(&run_with(&[]));
    context.write("file", "");
    let exists = "File exists (os error 17)";
    refused(
        &context,
        &["report", "-o", "file/r.txt"],
        2,
        &format!("error: failed to write `[DIR]/work/file/r.txt`\n  caused by: {exists}\n"),
    );
    refused(
        &context,
        &["man", "file"],
        2,
        &format!("error: failed to write `[DIR]/work/file/evalh.1`\n  caused by: {exists}\n"),
    );
}

#[test]
fn lines_of_standard_input() {
    let context = TestContext::with_script("[[reply]]\nfail = \"engine\"\n");
    let model = ["--engine", "mock", "--model", MODELS[0]];
    let line = |command: &str, input: &[u8], number: usize, why: &str| {
        let args = [&[command, "--json"], &model[..]].concat();
        let ran = context.evalh_reading(&args, input);
        let message = format!("error: line {number} of standard input cannot be used: {why}\n");
        assert_eq!((ran.code, ran.err), (Some(2), message), "{command}");
    };
    line(
        "tokenize",
        b"{\"text\":\"a\"}\nnope\n",
        2,
        "expected ident, at column 2",
    );
    line(
        "tokenize",
        b"\n{\"txt\":1}\n",
        2,
        "unknown field `txt`, expected `text`, at column 6",
    );
    line(
        "tokenize",
        b"{\"text\":\"a\"\n",
        1,
        "EOF while parsing an object, at column 11",
    );
    line(
        "tokenize",
        b"\xff\xfe\n",
        1,
        "stream did not contain valid UTF-8",
    );
    line("render", b"{\"messages\":[]}\n", 1, "`messages` is empty");
    line(
        "render",
        b"{\"messages\":[{\"role\":\"boss\",\"content\":\"x\"}]}\n",
        1,
        "role `boss` is not one of `system`, `user`, `assistant`",
    );
    line(
        "generate",
        b"{\"prompt\":\"a\"}\n{}\n",
        2,
        "exactly one of `ids`, `prompt` and `messages` is needed",
    );
    line(
        "generate",
        b"{\"prompt\":\"a\",\"ids\":[1]}\n",
        1,
        "exactly one of `ids`, `prompt` and `messages` is needed",
    );
    line(
        "generate",
        b"{\"prompt\":\"a\",\"temperature\":-1}\n",
        1,
        "`temperature` is -1; it must be 0 or more",
    );
    line(
        "generate",
        b"{\"prompt\":\"a\",\"top_p\":1.5}\n",
        1,
        "`top_p` is 1.5; it must be 0 to 1",
    );
    line(
        "generate",
        b"{\"ids\":[99999]}\n",
        1,
        "token id 99999 is outside the vocabulary of 258",
    );
    line("generate", b"{\"ids\":[]}\n", 1, "the prompt is empty");
    line(
        "score",
        b"{\"context\":\"a\",\"continuation\":\"b\"}\n{\"context\":\"a\"}\n",
        2,
        "`context` and `continuation`, or `context_ids` and `continuation_ids`, are needed",
    );
    let args = [&["generate", "--mock-script", "mock.toml"], &model[..]].concat();
    let ran = context.evalh_reading(&args, "a\n");
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (Some(3), "error: the engine failed, as scripted\n")
    );
}

#[test]
fn a_tokenizer_that_the_catalogue_names_is_used() {
    let context = TestContext::new();
    let family = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families/llama");
    for (from, to) in [
        ("model-f32.gguf", "m.gguf"),
        ("tokenizer.json", "t/tokenizer.json"),
    ] {
        context.write(to, std::fs::read(family.join(from)).unwrap());
    }
    let ids = |more: &str| {
        let head = "[[model]]\nname = \"m\"\nsources = [\"path:m.gguf\"]\n";
        context.write("models.toml", format!("{head}{more}\n"));
        let input = "{\"text\": \"Hello <s> there\"}\n";
        let ran = context.evalh_reading(&["tokenize", "--model", "m", "--json"], input);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.out
    };
    let own = ids("");
    assert!(own.starts_with("{\"ids\":"), "{own}");
    for named in ["t", "t/tokenizer.json"] {
        assert_eq!(ids(&format!("tokenizer = \"{named}\"")), own);
    }
}
