//! Requests from arguments and environment, every message, and the help of every subcommand.

use super::*;
use crate::units::Bytes;
use insta::assert_snapshot;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect::<std::collections::BTreeMap<_, _>>()
        .into()
}

fn request_with(line: &str, env: &[(&str, &str)]) -> Request {
    let args = std::iter::once("evalh").chain(line.split_whitespace());
    match parse(args, &environment(env)) {
        Ok(Parsed::Request(request)) => *request,
        other => panic!("`{line}` gives {other:?}"),
    }
}

fn command(line: &str) -> Command {
    request_with(line, &[]).command
}

fn run_with(line: &str, env: &[(&str, &str)]) -> RunRequest {
    match request_with(line, env).command {
        Command::Run(run) => *run,
        other => panic!("`{line}` gives {other:?}"),
    }
}

/// The message, its causes and its hint, as the console prints them.
fn refusal_with(line: &str, env: &[(&str, &str)]) -> String {
    use std::error::Error as _;
    let args = std::iter::once("evalh").chain(line.split_whitespace());
    let error = match parse(args, &environment(env)) {
        Err(error) => error,
        Ok(other) => panic!("`{line}` gives {other:?}"),
    };
    let mut text = error.to_string();
    if let Some(cause) = error.source() {
        let _ = write!(text, "\ncaused by: {cause}");
    }
    if let Some(hint) = error.hint() {
        let _ = write!(text, "\nhint: {hint}");
    }
    text
}

fn refusal(line: &str) -> String {
    refusal_with(line, &[])
}

#[test]
fn the_definition_is_consistent() {
    command::definition().debug_assert();
}

#[test]
fn help_of_every_subcommand() {
    fn collect(command: &mut clap::Command, name: &str, out: &mut String) {
        let _ = writeln!(out, "==== {name}");
        out.push_str(&command.render_long_help().to_string());
        out.push('\n');
        for sub in command.get_subcommands_mut() {
            let name = format!("{name} {}", sub.get_name());
            collect(sub, &name, out);
        }
    }
    let mut top = command::definition()
        .term_width(100)
        .disable_help_subcommand(true);
    top.build();
    let mut all = String::new();
    collect(&mut top, "evalh", &mut all);
    for line in all.lines() {
        assert!(line.chars().count() <= 120, "too long: {line}");
    }
    let trimmed: Vec<_> = all.lines().map(str::trim_end).collect();
    assert_snapshot!("help", trimmed.join("\n"));
}

#[test]
fn a_run_without_arguments_has_the_defaults() {
    let run = run_with("run", &[]);
    assert_eq!(run.selection.suite.value, "business");
    assert_eq!(run.selection.suite.origin, Origin::Default);
    assert!(run.selection.models.value.is_empty());
    assert_eq!(run.selection.epochs.value, None);
    assert_eq!(run.selection.seed.value, 0);
    assert_eq!(run.selection.memory_budget.value, None);
    assert_eq!(run.selection.engine.value, EngineChoice::Candle);
    assert_eq!(run.selection.db.value, None);
    assert!(!run.selection.files.offline.value);
    assert_eq!(run.timeout.value, None);
    assert_eq!(run.max_failures.value, Portion::Count(0));
    assert_eq!(run.watts.value, None);
    assert!(!run.fresh && !run.json && !run.in_process.value);
}

#[test]
fn every_flag_of_run_is_read() {
    let run = run_with(
        "run --suite s.toml --models a,tag:small,a --epochs 3 --limit 10% --seed 7 --memory-budget 8GiB --db d.sqlite \
         --engine mock --mock-script m.toml --device cuda:1 --fresh --timeout 90s --max-failures 5% --in-process --watts 45.5 --prices p.toml \
         --catalog c.toml --offline --locked --json",
        &[],
    );
    let selection = &run.selection;
    assert_eq!(selection.suite.value, "s.toml");
    assert_eq!(
        selection.models.value,
        [
            Selector::Name("a".to_owned()),
            Selector::Tag("small".to_owned())
        ]
    );
    assert_eq!(selection.epochs.value, Some(3));
    assert_eq!(selection.limit.value, Some(Portion::Percent(10.0)));
    assert_eq!(selection.seed.value, 7);
    assert_eq!(selection.memory_budget.value, Some(Bytes(8 << 30)));
    assert_eq!(selection.db.value, Some(PathBuf::from("d.sqlite")));
    assert_eq!(selection.engine.value, EngineChoice::Mock);
    assert_eq!(selection.mock_script.value, Some(PathBuf::from("m.toml")));
    assert_eq!(
        selection.device.value,
        Some(crate::record::DeviceChoice::Cuda(1))
    );
    assert_eq!(
        selection.files.catalog.catalog.value,
        Some(PathBuf::from("c.toml"))
    );
    assert!(selection.files.offline.value && selection.files.locked.value);
    assert_eq!(run.timeout.value, Some(Duration::from_secs(90)));
    assert_eq!(run.max_failures.value, Portion::Percent(5.0));
    assert_eq!(run.watts.value, Some(45.5));
    assert_eq!(run.prices.value, Some(PathBuf::from("p.toml")));
    assert!(run.fresh && run.json && run.in_process.value);
    for setting in run.settings() {
        assert_eq!(setting.origin, "flag", "{setting:?}");
    }
    let names: Vec<_> = run.settings().into_iter().map(|s| s.name).collect();
    assert_eq!(
        names.join(" "),
        "suite models epochs limit seed memory-budget engine mock-script device db catalog offline locked timeout max-failures in-process watts"
    );
}

#[test]
fn the_environment_stands_in_for_flags_and_flags_come_first() {
    let env = [
        ("EVALH_SUITE", "mine"),
        ("EVALH_MODELS", "b, tag:x"),
        ("EVALH_EPOCHS", "2"),
        ("EVALH_LIMIT", "20"),
        ("EVALH_SEED", "9"),
        ("EVALH_MEMORY_BUDGET", "6GB"),
        ("EVALH_DB", "/tmp/e.sqlite"),
        ("EVALH_ENGINE", "mock"),
        ("EVALH_MOCK_SCRIPT", "m.toml"),
        ("EVALH_DEVICE", "cpu"),
        ("EVALH_TIMEOUT", "500ms"),
        ("EVALH_MAX_FAILURES", "3"),
        ("EVALH_IN_PROCESS", "0"),
        ("EVALH_WATTS", "30"),
        ("EVALH_PRICES", "p.toml"),
        ("EVALH_CATALOG", "c.toml"),
        ("EVALH_OFFLINE", "yes"),
        ("EVALH_LOCKED", "0"),
        ("UNRELATED", "x"),
    ];
    let run = run_with("run", &env);
    assert_eq!(
        run.selection.suite.origin,
        Origin::Environment("EVALH_SUITE")
    );
    assert_eq!(run.selection.models.value.len(), 2);
    assert_eq!(
        run.selection.memory_budget.value,
        Some(Bytes(6_000_000_000))
    );
    assert_eq!(run.timeout.value, Some(Duration::from_millis(500)));
    assert!(run.selection.files.offline.value);
    assert!(!run.selection.files.locked.value);
    assert!(
        run.settings().iter().all(|s| s.origin == "environment"),
        "{:?}",
        run.settings()
    );
    let flags = run_with("run -s other -m c --seed 1 --offline", &env);
    assert_eq!(flags.selection.suite.value, "other");
    assert_eq!(flags.selection.suite.origin, Origin::Flag);
    assert_eq!(
        flags.selection.models.value,
        [Selector::Name("c".to_owned())]
    );
    assert_eq!(flags.selection.seed.value, 1);
    assert_eq!(flags.selection.files.offline.origin, Origin::Flag);
    let empty = run_with("run", &[("EVALH_SUITE", ""), ("EVALH_SEED", " ")]);
    assert_eq!(empty.selection.suite.origin, Origin::Default);
    assert_eq!(empty.selection.seed.origin, Origin::Default);
}

#[test]
fn global_options_stand_before_or_after_the_subcommand() {
    for line in [
        "--log debug --log-format json --color never -q doctor",
        "doctor --log debug --log-format json --color never --quiet",
    ] {
        let global = request_with(line, &[("EVALH_LOG", "error")]).global;
        assert_eq!(global.log.value, LogLevel::Debug);
        assert_eq!(global.log_format.value, LogFormat::Json);
        assert_eq!(global.color.value, ColorChoice::Never);
        assert!(global.quiet);
    }
    let global = request_with(
        "doctor",
        &[("EVALH_LOG", "Info"), ("EVALH_COLOR", "always")],
    )
    .global;
    assert_eq!(global.log.value, LogLevel::Info);
    assert_eq!(global.color.value, ColorChoice::Always);
    assert_eq!(global.log_format.origin, Origin::Default);
}

#[test]
fn every_other_subcommand_is_read() {
    let Command::Plan(plan) = command("plan --detect 0.5 -o plan.json --json --limit 5") else {
        panic!()
    };
    assert_eq!(plan.detect, Some(0.5));
    assert_eq!(plan.output, Some(PathBuf::from("plan.json")));
    assert!(plan.json);
    assert_eq!(plan.selection.limit.value, Some(Portion::Count(5)));
    let Command::Report(report) = command("report 0197 --format csv --kpi all -o r.csv --verify")
    else {
        panic!()
    };
    assert_eq!(report.run.as_deref(), Some("0197"));
    assert_eq!((report.format, report.kpi), (ReportFormat::Csv, Kpi::All));
    assert!(report.verify);
    let Command::Report(report) = command("report --json") else {
        panic!()
    };
    assert_eq!(
        (report.run, report.format, report.kpi),
        (None, ReportFormat::Json, Kpi::Main)
    );
    let Command::Models(ModelsRequest::Pull(pull)) = command("models pull a tag:b --offline")
    else {
        panic!()
    };
    assert_eq!(pull.models.len(), 2);
    assert!(pull.files.offline.value);
    let Command::Models(ModelsRequest::Estimate(estimate)) =
        command("models estimate a --context 4096 --memory-budget 1GB")
    else {
        panic!()
    };
    assert_eq!(estimate.context, Some(4096));
    assert_eq!(estimate.memory_budget.value, Some(Bytes(1_000_000_000)));
    let Command::Models(ModelsRequest::List(list)) = command("models list --json") else {
        panic!()
    };
    assert!(list.json && list.models.is_empty());
    assert!(matches!(
        command("models verify a"),
        Command::Models(ModelsRequest::Verify(v)) if v.models == [Selector::Name("a".to_owned())]
    ));
    assert_eq!(
        command("suites list --json"),
        Command::Suites(SuitesRequest::List(SuitesListRequest { json: true }))
    );
    assert!(matches!(
        command("suites show business --task t"),
        Command::Suites(SuitesRequest::Show(s)) if s.suite == "business" && s.task.as_deref() == Some("t")
    ));
    assert!(matches!(
        command("suites lint a.toml b.toml"),
        Command::Suites(SuitesRequest::Lint(l)) if l.suites.len() == 2
    ));
}

#[test]
fn stored_runs_and_single_models_are_read() {
    let Command::Runs(runs) = command("runs show 0197 --json --db d") else {
        panic!()
    };
    assert_eq!(runs.db.value, Some(PathBuf::from("d")));
    assert_eq!(
        runs.action,
        StoredRuns::Show {
            run: Some("0197".to_owned()),
            json: true
        }
    );
    for (line, expected) in [
        ("runs list", StoredRuns::List { json: false }),
        ("runs check --json", StoredRuns::Check { json: true }),
        (
            "runs rm a b",
            StoredRuns::Remove {
                runs: vec!["a".to_owned(), "b".to_owned()],
            },
        ),
    ] {
        assert!(matches!(command(line), Command::Runs(r) if r.action == expected));
    }
    assert!(matches!(
        command("tokenize -m x --special --bos --json"),
        Command::Tokenize(t) if t.special && t.bos && t.model.json && t.model.model.value == "x"
    ));
    assert!(matches!(
        command("render --model x --engine mock"),
        Command::Render(r) if r.model.engine.value == EngineChoice::Mock && !r.model.json
    ));
    assert!(matches!(
        command("generate -m x --stats --device metal"),
        Command::Generate(g) if g.model.stats && g.model.device.value == Some(crate::record::DeviceChoice::Metal)
    ));
    assert!(matches!(
        command("score -m x --engine mock --mock-script s.toml"),
        Command::Score(s) if s.model.mock_script.value == Some(PathBuf::from("s.toml"))
    ));
    assert!(matches!(
        command("kl a b c -t x.txt --text y.txt --tokens 500 --window 64 --memory-budget 1GB --device cpu --texts-only --offline --json"),
        Command::Kl(k) if k.base == "a" && k.models == ["b", "c"] && k.texts == [PathBuf::from("x.txt"), PathBuf::from("y.txt")]
            && (k.tokens, k.window, k.json, k.texts_only) == (500, 64, true, true) && k.suite == "basics" && k.files.offline.value
            && k.memory_budget.value == Some(Bytes(1_000_000_000))
    ));
    assert!(matches!(
        command("prices list --prices p.toml"),
        Command::Prices(PricesRequest::List(l)) if l.prices.value == Some(PathBuf::from("p.toml"))
    ));
    assert!(matches!(command("doctor --json"), Command::Doctor(d) if d.json));
    assert!(matches!(command("man out"), Command::Man(m) if m.dir.as_os_str() == "out"));
}

#[test]
fn help_and_version_are_shown_instead() {
    for (line, needle) in [
        ("--version", concat!("evalh ", env!("CARGO_PKG_VERSION"))),
        ("--help", "Usage: evalh"),
        ("run -h", "--memory-budget"),
        ("models pull --help", "tag:mac-36gb"),
    ] {
        let args = std::iter::once("evalh").chain(line.split_whitespace());
        match parse(args, &Environment::default()).unwrap() {
            Parsed::Show(shown) => {
                assert!(shown.plain.contains(needle), "{}", shown.plain);
                assert!(!shown.plain.contains('\x1b'));
            }
            Parsed::Request(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn completions_and_manual_pages_name_every_subcommand() {
    use clap::ValueEnum as _;
    for shell in clap_complete::Shell::value_variants() {
        let script = completions(*shell);
        for name in ["run", "doctor", "tokenize", "memory-budget"] {
            assert!(script.contains(name), "{shell} lacks {name}");
        }
    }
    let pages = man_pages();
    let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"evalh.1") && names.contains(&"evalh-models-pull.1"));
    assert!(!names.iter().any(|n| n.contains("help")), "{names:?}");
    for (name, page) in &pages {
        let text = String::from_utf8(page.clone()).unwrap();
        assert!(text.contains(".TH"), "{name}");
    }
}

#[test]
fn a_run_until_resolved_has_a_level() {
    let level = |line: &str| run_with(line, &[]).until_resolved.value;
    assert_eq!(level("run"), None);
    assert_eq!(level("run --until-resolved"), Some(0.95));
    assert_eq!(level("run --until-resolved -m a,b"), Some(0.95));
    assert_eq!(level("run --until-resolved=99%"), Some(0.99));
    assert_eq!(level("run --until-resolved=0.8"), Some(0.8));
    let setting = run_with("run --until-resolved=99%", &[])
        .settings()
        .into_iter()
        .find(|s| s.name == "until-resolved")
        .unwrap();
    assert_eq!(
        (
            setting.name.as_str(),
            setting.value.as_str(),
            setting.origin.as_str()
        ),
        ("until-resolved", "0.99", "flag")
    );
    for bad in ["50%", "95", "100%", "1", "0", "-0.9", "NaN", "x%", ""] {
        let text = refusal(&format!("run --until-resolved={bad}"));
        assert!(
            text.starts_with(&format!(
                "invalid value '{bad}' for '--until-resolved[=<LEVEL>]': `{bad}` is not a confidence level above 50 % and below 100 %; write for example `95%`"
            )) || bad.is_empty() && text.contains("--until-resolved"),
            "{text}"
        );
    }
}

#[test]
fn arguments_that_make_no_request() {
    assert_snapshot!(refusal("rnu"), @r#"
unrecognized subcommand 'rnu'

  tip: a similar subcommand exists: 'runs'

Usage: evalh [OPTIONS] <COMMAND>

For more information, try '--help'.
"#);
    assert_snapshot!(refusal("run --sede 4"), @r#"
unexpected argument '--sede' found

  tip: a similar argument exists: '--seed'

Usage: evalh run --seed <S>

For more information, try '--help'.
"#);
    assert_snapshot!(refusal("report --format yaml"), @r#"
invalid value 'yaml' for '--format <FORMAT>'
  [possible values: terminal, markdown, json, csv, junit]

For more information, try '--help'.
"#);
    assert_snapshot!(refusal("generate --json"), @r#"
the following required arguments were not provided:
  --model <NAME>

Usage: evalh generate --model <NAME> --json

For more information, try '--help'.
"#);
    assert_snapshot!(refusal("runs rm"), @r#"
the following required arguments were not provided:
  <RUN>...

Usage: evalh runs rm <RUN>...

For more information, try '--help'.
"#);
    assert_snapshot!(refusal("report --json --format csv"), @r#"
the argument '--json' cannot be used with '--format <FORMAT>'

Usage: evalh report --json [RUN]

For more information, try '--help'.
"#);
    assert_snapshot!(refusal("run --limit 0"), @r#"
invalid value '0' for '--limit <N|P%>': `0` selects nothing; the least is `1`

For more information, try '--help'.
"#);
    assert_snapshot!(
        refusal("run --mock-script m.toml"), @r#"
`--mock-script m.toml` needs `--engine mock`, but the engine is `candle`
hint: add `--engine mock`
"#
    );
}

#[test]
fn values_that_cannot_be_used() {
    for (read, text, message) in [
        (
            "limit",
            "ten",
            "`ten` is neither a number of samples nor a share of them; write for example `20` or `10%`",
        ),
        (
            "limit",
            "-1%",
            "`-1%` is neither a number of samples nor a share of them; write for example `20` or `10%`",
        ),
        ("limit", "0", "`0` selects nothing; the least is `1`"),
        ("limit", "0%", "`0%` selects nothing; the least is `1`"),
        ("limit", "101%", "`101%` is more than `100%`"),
        (
            "duration",
            "90",
            "`90` is not a length of time; write for example `90s`, `500ms`, `10m` or `1h`",
        ),
        (
            "duration",
            "0s",
            "`0s` is not a length of time; write for example `90s`, `500ms`, `10m` or `1h`",
        ),
        (
            "budget",
            "lots",
            "`lots` is not a size; write for example `36GB`, `512MB` or `8GiB`",
        ),
        (
            "budget",
            "0",
            "a budget of 0 B holds no model; write for example `36GB`",
        ),
        ("epochs", "0", "`0` is not a whole number from 1 to 10000"),
        (
            "seed",
            "-1",
            "`-1` is not a whole number from 0 to 9223372036854775807",
        ),
        (
            "context",
            "1.5",
            "`1.5` is not a whole number from 1 to 16777216",
        ),
        ("positive", "nan", "`nan` is not a number above 0"),
        (
            "selectors",
            "a,,b",
            "`` selects no model; write a name of the catalogue or `tag:NAME`",
        ),
        (
            "selectors",
            "tag:",
            "`tag:` selects no model; write a name of the catalogue or `tag:NAME`",
        ),
        (
            "truth",
            "perhaps",
            "`perhaps` is neither true nor false; write `1` or `0`",
        ),
        (
            "device",
            "gpu",
            "`gpu` is not a device; write `auto`, `cpu`, `cpu-plain`, `metal`, `cuda` or `cuda:N`",
        ),
        (
            "device",
            "cuda:x",
            "`cuda:x` is not a device; write `auto`, `cpu`, `cpu-plain`, `metal`, `cuda` or `cuda:N`",
        ),
        (
            "engine",
            "moc",
            "`moc` is not one of `candle`, `mock`; did you mean `mock`?",
        ),
        ("engine", "vllm", "`vllm` is not one of `candle`, `mock`"),
    ] {
        let error = match read {
            "limit" => value::limit(text).map(|_| ()),
            "duration" => value::duration(text).map(|_| ()),
            "budget" => value::budget(text).map(|_| ()),
            "epochs" => value::epochs(text).map(|_| ()),
            "seed" => value::seed(text).map(|_| ()),
            "context" => value::context(text).map(|_| ()),
            "positive" => value::positive(text).map(|_| ()),
            "selectors" => value::selectors(text).map(|_| ()),
            "truth" => value::truth(text).map(|_| ()),
            "device" => value::device(text).map(|_| ()),
            _ => value::choice::<EngineChoice>(text).map(|_| ()),
        };
        assert_eq!(error.unwrap_err().to_string(), message, "{read} {text}");
    }
}

#[test]
fn a_variable_that_cannot_be_used_is_named() {
    assert_snapshot!(refusal_with("run", &[("EVALH_SEED", "abc")]), @r#"
the environment variable `EVALH_SEED` has a value that cannot be used
caused by: `abc` is not a whole number from 0 to 9223372036854775807
hint: unset `EVALH_SEED`, or give the flag: a flag comes before the environment
"#);
    assert_snapshot!(refusal_with("doctor", &[("EVALH_LOG", "debgu")]), @r#"
the environment variable `EVALH_LOG` has a value that cannot be used
caused by: `debgu` is not one of `off`, `error`, `warn`, `info`, `debug`, `trace`; did you mean `debug`?
hint: unset `EVALH_LOG`, or give the flag: a flag comes before the environment
"#);
    // The flag comes first, so the variable is not even read.
    run_with("run --seed 3", &[("EVALH_SEED", "abc")]);
}

#[test]
fn portions_of_a_whole() {
    assert_eq!(Portion::Percent(10.0).of(64), 6);
    assert_eq!(Portion::Percent(0.1).of(64), 1);
    assert_eq!(Portion::Percent(100.0).of(64), 64);
    assert_eq!(Portion::Count(99).of(64), 64);
    assert!(!Portion::Count(0).is_exceeded(0, 64));
    assert!(Portion::Count(0).is_exceeded(1, 64));
    assert!(!Portion::Percent(5.0).is_exceeded(5, 100));
    assert!(Portion::Percent(5.0).is_exceeded(6, 100));
    assert!(!Portion::Percent(0.0).is_exceeded(0, 0));
}

proptest::proptest! {
    #[test]
    fn no_value_makes_a_reader_panic(text in "\\PC{0,12}") {
        let _ = (value::limit(&text), value::duration(&text), value::budget(&text), value::seed(&text));
        let _ = (value::positive(&text), value::selectors(&text), value::device(&text), value::truth(&text));
    }

    #[test]
    fn what_is_printed_is_read_back(n in 1_u64..1_000_000, share in 1_u32..=100, gpu in 0_u32..64) {
        for portion in [Portion::Count(n), Portion::Percent(f64::from(share))] {
            proptest::prop_assert_eq!(value::limit(&portion.to_string()), Ok(portion));
        }
        let device = crate::record::DeviceChoice::Cuda(gpu);
        proptest::prop_assert_eq!(value::device(&device.to_string()), Ok(device));
    }
}

#[test]
fn a_settings_file_is_named_with_its_key() {
    let mut env = Environment::default();
    env.files.insert(
        "EVALH_MEMORY_BUDGET".to_owned(),
        FileValue {
            text: "lots".to_owned(),
            place: "evalh.toml:1:17".to_owned(),
            layer: "project file",
        },
    );
    let error = parse(["evalh", "plan"], &env).unwrap_err();
    assert_eq!(
        error.to_string(),
        "evalh.toml:1:17: `memory_budget` has a value that cannot be used"
    );
    assert_eq!(error.hint(), None);
}

#[test]
fn no_subcommand_shows_the_help() {
    for args in [&["evalh"][..], &["evalh", "models"]] {
        let error = parse(args.iter().copied(), &Environment::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("no subcommand is given\n\n"), "{text}");
        assert!(
            text.contains("Usage: evalh") && !text.ends_with('\n'),
            "{text}"
        );
        assert_eq!(error.hint(), None);
    }
}

#[test]
fn a_gate_has_a_baseline_margins_and_a_candidate() {
    let gate = |line: &str, env: &[(&str, &str)]| match request_with(line, env).command {
        Command::Gate(gate) => *gate,
        other => panic!("`{line}` gives {other:?}"),
    };
    let full = gate(
        "gate -b main 0197:m:x --margin score=0.3 --margin ttft_ms_p50=15% --margin pass_rate=off --alarm --inconclusive pass",
        &[("EVALH_BASELINES", "ci")],
    );
    assert_eq!(full.baseline, "main");
    let side = SideArg {
        run: Some("0197".to_owned()),
        model: Some("m:x".to_owned()),
    };
    assert_eq!(full.candidate, side);
    let margins: Vec<(&str, MarginAmount)> = full
        .margins
        .iter()
        .map(|m| (m.metric.as_str(), m.amount))
        .collect();
    assert_eq!(
        margins,
        [
            ("score", MarginAmount::Number(0.3)),
            ("ttft_ms_p50", MarginAmount::Percent(15.0)),
            ("pass_rate", MarginAmount::Off)
        ]
    );
    assert!(full.alarm && full.inconclusive == Some(InconclusiveAs::Pass));
    assert_eq!(full.folder, PathBuf::from("ci"));
    let least = gate("gate --baseline 0197:a", &[]);
    assert_eq!(
        (least.candidate, least.format),
        (SideArg::default(), GateFormat::Terminal)
    );
    assert_eq!(least.folder, PathBuf::from("baselines"));
    for bad in [
        "score",
        "=1",
        "score=",
        "score=-1",
        "score=nan",
        "score=1e999",
        "score=inf",
        "score=x%",
        "score=+1",
    ] {
        let text = refusal(&format!("gate -b x --margin {bad}"));
        assert!(
            text.contains("is not a margin; write for example"),
            "{bad}: {text}"
        );
    }
    for bad in ["0197:", ":"] {
        let text = refusal(&format!("gate -b x {bad}"));
        assert!(
            text.contains("names no run; write for example"),
            "{bad}: {text}"
        );
    }
}

#[test]
fn baselines_are_saved_listed_promoted_and_rolled_back() {
    let action = |line: &str| match command(line) {
        Command::Baseline(request) => (request.folder, request.action),
        other => panic!("`{line}` gives {other:?}"),
    };
    let (folder, save) = action("baseline save main :m --to x/b.json --replace --dir d");
    assert_eq!(folder, PathBuf::from("d"));
    let BaselineAction::Save(save) = save else {
        panic!("{save:?}");
    };
    assert_eq!(
        (save.name.as_str(), save.side.model.as_deref()),
        ("main", Some("m"))
    );
    assert_eq!(
        (save.to, save.replace),
        (Some(PathBuf::from("x/b.json")), true)
    );
    let (_, list) = action("baseline list --history");
    assert_eq!(
        list,
        BaselineAction::List {
            json: false,
            history: true
        }
    );
    let (_, promote) = action("baseline promote m -s shop --run 0197 --reason why");
    let BaselineAction::Promote(promote) = promote else {
        panic!("{promote:?}");
    };
    assert_eq!(
        (promote.model.as_str(), promote.suite.as_str()),
        ("m", "shop")
    );
    assert_eq!(
        (promote.run.as_deref(), promote.reason.as_deref()),
        (Some("0197"), Some("why"))
    );
    let (_, back) = action("baseline rollback -s shop");
    assert!(matches!(back, BaselineAction::Rollback(r) if r.suite == "shop" && r.reason.is_none()));
}
