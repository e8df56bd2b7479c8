//! The whole text of every error about a suite's own file, and the limits.

use super::*;

#[test]
fn head_errors() {
    let rest = format!("{TASK}{SAMPLE}");
    fails(
        "format = 1\nname",
        "t.toml:2:5: TOML syntax: key with no value, expected `=`\n2 | name\n  |     ^",
    );
    fails(
        "format = 2\nfuture = 1",
        "t.toml:1:10: `format` is 2 but this version reads format 1\n1 | format = 2\n  |          ^\nhint: write `format = 1`",
    );
    fails(
        "name = \"t\"",
        "t.toml:1:1: the suite needs the key `format`\n1 | name = \"t\"\n  | ^",
    );
    fails(
        &format!("licence = \"MIT\"\n{HEAD}{rest}"),
        "t.toml:1:1: unknown key `licence` in the suite; valid keys are `format`, `name`, `version`, `description`, `license`, `language`, `primary`, `decoding`, `quality`, `gate`, `task`\n1 | licence = \"MIT\"\n  | ^\nhint: did you mean `license`?",
    );
    fails(
        &format!("{HEAD}{rest}").replace("\"t\"", "\"my suite\""),
        "t.toml:2:8: the suite name `my suite` must be 1 to 64 letters, digits, `-`, `_` or `.`, and begin with a letter or digit\n2 | name = \"my suite\"\n  |        ^",
    );
    fails(
        &format!("{HEAD}{rest}").replace("\"MIT\"", "3"),
        "t.toml:4:11: `license` must be a string but is an integer\n4 | license = 3\n  |           ^",
    );
    fails(
        &format!("{HEAD}{rest}").replace("\"MIT\"", "\" \""),
        "t.toml:4:11: `license` is empty\n4 | license = \" \"\n  |           ^",
    );
    let error = parse(
        "t.toml",
        &format!("{HEAD}{rest}").replace("\"en\"", "\"english\""),
        None,
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("t.toml:5:12: unknown language `english`; valid are `ar`, `cs`, ")
    );
    assert_eq!(error.place().map(|p| (p.line, p.column)), Some((5, 12)));
}

#[test]
fn setting_errors() {
    let with = |settings: &str| format!("{HEAD}{settings}\n{TASK}{SAMPLE}");
    fails(
        &with("[decoding]\nmax_tokens = -1"),
        "t.toml:8:14: `max_tokens` is -1 but must be an integer from 1 to 131072\n8 | max_tokens = -1\n  |              ^",
    );
    fails(
        &with("[decoding]\nmaxtokens = 1"),
        "t.toml:8:1: unknown key `maxtokens` in `decoding`; valid keys are `temperature`, `top_k`, `top_p`, `min_p`, `max_tokens`, `stop`, `epochs`\n8 | maxtokens = 1\n  | ^\nhint: did you mean `max_tokens`?",
    );
    fails(
        &with("[decoding]\ntemperature = nan"),
        "t.toml:8:15: `temperature` is NaN but must be a finite number\n8 | temperature = nan\n  |               ^",
    );
    fails(
        &with("[decoding]\nstop = [\"\"]"),
        "t.toml:8:8: a text in `stop` is empty\n8 | stop = [\"\"]\n  |        ^",
    );
    fails(
        &with("[quality]\nweights = { checks = 0, facts = 0.0 }"),
        "t.toml:8:11: the weights sum to 0 but at least one must be above 0\n8 | weights = { checks = 0, facts = 0.0 }\n  |           ^\nhint: leave the key out for the defaults, or write for example `weights = { checks = 0.5, facts = 0.3, form = 0.2 }`",
    );
    fails(
        &with("[gate]\nscore = { margin = 0.1, ratio = 2 }"),
        "t.toml:8:33: gate `score` has both `margin` and `ratio` but takes one of them\n8 | score = { margin = 0.1, ratio = 2 }\n  |                                 ^\nhint: remove `ratio`",
    );
    fails(
        &with("[gate]\nscore = {}"),
        "t.toml:8:9: gate `score` needs one of the keys `margin`, `ratio`\n8 | score = {}\n  |         ^",
    );
}

#[test]
fn task_errors() {
    fails(
        &format!("{HEAD}task = []"),
        "t.toml:7:8: `task` is empty\n7 | task = []\n  |        ^",
    );
    fails(
        &format!("{HEAD}{TASK}"),
        "t.toml:7:1: a task needs one of the keys `sample`, `data`\n7 | [[task]]\n  | ^",
    );
    fails(
        &format!("{HEAD}{TASK}sample = []"),
        "t.toml:7:1: task `one` is empty\n7 | [[task]]\n  | ^",
    );
    fails(
        &format!("{HEAD}{TASK}type = \"generation\"\n{SAMPLE}"),
        "t.toml:9:8: unknown task type `generation`; valid are `generate`, `choice`, `perplexity`\n9 | type = \"generation\"\n  |        ^\nhint: did you mean `generate`?",
    );
    fails(
        &format!("{HEAD}{TASK}{SAMPLE}{TASK}{SAMPLE}"),
        "t.toml:14:6: the task `one` is used before, in line 7\n14 | id = \"one\"\n   |      ^\nhint: give each task its own name",
    );
    fails(
        &format!("{HEAD}{TASK}{SAMPLE}{SAMPLE}"),
        "t.toml:14:6: the sample `a` is used before, in line 9\n14 | id = \"a\"\n   |      ^\nhint: give each sample its own name",
    );
    fails(
        &format!(
            "{HEAD}{TASK}few_shot = [{{ input = \"what is 1 +  2?\", output = \"3\" }}]\n{SAMPLE}"
        ),
        "t.toml:9:13: the few-shot input is also the input of sample `a`\n9 | few_shot = [{ input = \"what is 1 +  2?\", output = \"3\" }]\n  |             ^\nhint: write a worked example of its own",
    );
}

#[test]
fn template_errors() {
    let with = |template: &str| format!("{HEAD}{TASK}template = '{template}'\n{SAMPLE}");
    fails(
        &with("{{ input"),
        "t.toml:9:12: template: syntax error: unexpected end of input, expected end of variable block (line 1 of the template)\n9 | template = '{{ input'\n  |            ^",
    );
    fails(
        &with("{{ question }}"),
        "t.toml:9:12: unknown template field `question`; valid are `input`, `id`, `difficulty`, `tags`\n9 | template = '{{ question }}'\n  |            ^",
    );
    fails(
        &with("{{ input | replace(1, 2) }}"),
        "t.toml:9:12: the template of task `one` cannot be rendered for sample `a`: unknown filter: filter replace is unknown (line 1 of the template)\n9 | template = '{{ input | replace(1, 2) }}'\n  |            ^",
    );
    let hint = "\nhint: use `{{ field }}`, `{% if %}`, `{% for %}` and the filters `trim`, `upper`, `lower`, `length`, `default`, `first`, `last`, `tojson`";
    fails(
        &with("{% set x = input ~ input %}{{ x }}"),
        &format!(
            "t.toml:9:12: the template uses `{{% set %}}`, which templates of suites may not\n9 | template = '{{% set x = input ~ input %}}{{{{ x }}}}'\n  |            ^{hint}"
        ),
    );
    let joined = vec!["input"; 18].join("~");
    let error = parse(
        "t.toml",
        &with(&format!("{{{{ \"}}}}\" ~ {joined} }}}}")),
        None,
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the template uses 18 times the operators `~`, `+`, `*` (at most 16)"),
        "{error}"
    );
    good(&with(
        "**{{ input }}** + * ~ {# {{ ~~~~~~~~~~~~~~~~~~~~~~ #}",
    ));
}

#[test]
fn templates_are_bounded() {
    let run = |template: &str, input: &str| {
        let text = format!("{HEAD}{TASK}template = '{template}'\n{SAMPLE}")
            .replace("What is 1 + 2?", input);
        parse("t.toml", &text, None)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    };
    let letters = "x".repeat(1000);
    let loops = "{% for a in input %}{% for b in input %}{% for c in input %}{{ a }}{% endfor %}{% endfor %}{% endfor %}";
    assert!(run(loops, &letters).contains("it takes more than 200000 steps"));
    let wide = "{% for a in input %}{{ input }}{{ input }}{{ input }}{{ input }}{% endfor %}";
    assert!(run(wide, &letters).contains("the text is longer than 2097152 bytes"));
    assert!(run("{{ input * 1000000000 }}", &letters).contains("repeated string is too large"));
    assert!(
        run(&"{{ input }}".repeat(8_000), "i")
            .contains("the length in bytes of a template is 88000 but may be at most 65536")
    );
    let nested = format!("{{{{ {}input{} }}}}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(!run(&nested, "i").is_empty());
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of every check error")]
fn check_errors() {
    let line = |checks: &str, column: usize| {
        format!(
            "\n12 | checks = [{checks}]\n   | {}^",
            " ".repeat(column - 1)
        )
    };
    let case = |checks: &str, column: usize, message: &str, hint: &str| {
        let hint = if hint.is_empty() {
            String::new()
        } else {
            format!("\nhint: {hint}")
        };
        check_fails(
            checks,
            &format!(
                "t.toml:12:{column}: {message}{}{hint}",
                line(checks, column)
            ),
        );
    };
    check_fails(
        "",
        "t.toml:12:10: `checks` is empty\n12 | checks = []\n   |          ^",
    );
    case(
        "{ type = \"contain\", value = \"x\" }",
        20,
        "unknown check type `contain`; valid are `equals`, `contains`, `contains_any`, `contains_all`, `not_contains`, `regex`, `starts_with`, `ends_with`, `number`, `text`, `label`, `json`, `facts`, `claims_absent`, `words`, `sentences`, `lines`, `bullets`, `sections`, `language`",
        "did you mean `contains`?",
    );
    case("{ value = \"x\" }", 11, "a check needs the key `type`", "");
    case(
        "{ type = \"number\", equal = 3 }",
        30,
        "unknown key `equal` in a `number` check; valid keys are `type`, `required`, `component`, `weight`, `not`, `equals`, `tolerance`, `rel_tolerance`, `which`, `path`",
        "did you mean `equals`?",
    );
    case(
        "{ type = \"number\" }",
        11,
        "a `number` check needs the key `equals`",
        "",
    );
    case(
        "{ type = \"number\", equals = \"3\" }",
        39,
        "`equals` must be a number but is a string",
        "",
    );
    case(
        "{ type = \"number\", equals = 3, tolerance = -1 }",
        54,
        "`tolerance` is -1 but must be 0 or above",
        "",
    );
    case(
        "{ type = \"number\", equals = 3, tolerance = 1, rel_tolerance = 0.1 }",
        73,
        "a `number` check has both `tolerance` and `rel_tolerance` but takes one of them",
        "remove `rel_tolerance`",
    );
    case(
        "{ type = \"number\", equals = 3, path = \"a.b\" }",
        49,
        "JSON path `a.b`: it must begin with `$`",
        "write for example `$.items[0].total`",
    );
    case(
        "{ type = \"number\", equals = 3, which = \"lst\" }",
        50,
        "unknown number `lst`; valid are `first`, `last`, `any`",
        "did you mean `last`?",
    );
    case(
        "{ type = \"words\", max = 3, weight = 0 }",
        47,
        "`weight` is 0 but must be above 0 and at most 1000000",
        "",
    );
    case(
        "{ type = \"words\", min = 5, max = 3 }",
        44,
        "`max` is 3 but must be an integer from 5 to 1000000",
        "",
    );
    case(
        "{ type = \"words\" }",
        11,
        "a `words` check needs one of the keys `min`, `max`",
        "",
    );
    case(
        "{ type = \"words\", max = 3, component = \"style\" }",
        50,
        "unknown component `style`; valid are `checks`, `facts`, `form`",
        "",
    );
    case(
        "{ type = \"regex\", pattern = '(a' }",
        39,
        "regular expression `(a`: unclosed group",
        "the syntax is that of Rust's `regex`: no look-around, no backreferences; a literal string '...' needs no doubled backslashes",
    );
    check_regex(
        "(?<=a)b",
        "look-around, including look-ahead and look-behind, is not supported",
    );
    check_regex("(\\w{500}){500}", "it compiles to more than 1048576 bytes");
    case(
        "{ type = \"facts\", facts = [[]] }",
        38,
        "a list of alternatives in `facts` is empty",
        "",
    );
    case(
        "{ type = \"facts\", facts = [[\"a\"]], min = 2 }",
        52,
        "`min` is 2 but must be an integer from 1 to 1",
        "",
    );
    case(
        "{ type = \"contains_any\", values = [\"\"] }",
        46,
        "a text in `values` is empty",
        "",
    );
    case(
        "{ type = \"label\", choices = [\"a\", \"b\"], equals = \"c\" }",
        60,
        "unknown choice `c`; valid are `a`, `b`",
        "did you mean `a`?",
    );
    case(
        "{ type = \"label\", choices = [\"a\", \"A\"], equals = \"a\" }",
        45,
        "the choice `A` is used before, in line 12",
        "give each choice its own name",
    );
    case(
        "{ type = \"json\", schema = { type = \"objekt\" } }",
        37,
        "JSON Schema: \"objekt\" is not valid under any of the schemas listed in the 'anyOf' keyword at `/type`",
        "",
    );
    case(
        "{ type = \"json\", schema = { items = { \"$ref\" = \"#\" } } }",
        49,
        "JSON Schema: `$ref` is not supported, because a schema of a suite is written out in place",
        "",
    );
    case(
        "{ type = \"text\", path = \"$.a\" }",
        11,
        "a `text` check needs one of the keys `equals`, `any_of`",
        "",
    );
}

#[track_caller]
fn check_regex(pattern: &str, message: &str) {
    let sample = SAMPLE.replace(
        "{ type = \"number\", equals = 3 }",
        &format!("{{ type = \"regex\", pattern = '{pattern}' }}"),
    );
    let error = parse("t.toml", &format!("{HEAD}{TASK}{sample}"), None).unwrap_err();
    let want = format!("t.toml:12:39: regular expression `{pattern}`: {message}\n");
    assert!(error.to_string().starts_with(&want), "{error}");
}

/// The error of a suite with these checks.
#[track_caller]
fn check_fails(checks: &str, want: &str) {
    let sample = SAMPLE.replace("{ type = \"number\", equals = 3 }", checks);
    fails(&format!("{HEAD}{TASK}{sample}"), want);
}

#[test]
fn limits_are_kept() {
    let big = SAMPLE.replace("What", &"x".repeat(1 << 20));
    let error = parse("t.toml", &format!("{HEAD}{TASK}{big}"), None).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("t.toml:11:9: the length in bytes of the input with its fields is 1048586 but may be at most 1048576\n11 | input = \"xxx"), "{text}");
    assert!(text.len() < 400);
    let many = format!(
        "{HEAD}{TASK}{}",
        SAMPLE.replace(
            "checks = [",
            &format!("checks = [{}", "{ type = \"lines\", max = 1 },".repeat(64))
        )
    );
    assert!(
        parse("t.toml", &many, None)
            .unwrap_err()
            .to_string()
            .contains("the number of checks of a sample is 65 but may be at most 64")
    );
    let huge = " ".repeat((8 << 20) + 1);
    same(
        &parse("t.toml", &huge, None).unwrap_err(),
        "`t.toml` has 8388609 bytes but a suite file may have at most 8388608\nhint: put the samples in a JSONL file and name it in `[task.data]`",
    );
    let deep = format!("{HEAD}x = {}", "[".repeat(100_000));
    assert!(
        parse("t.toml", &deep, None)
            .unwrap_err()
            .to_string()
            .contains("TOML syntax")
    );
}
