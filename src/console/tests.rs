//! Escaping, streams, and progress from scripted events.

use super::download::Transfer;
use super::lines::{bar, block, clock, fit};
use super::view::RunView;
use super::*;
use crate::record::*;
use crate::units::Bytes;
use insta::assert_snapshot;
use proptest::prelude::*;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn what_a_terminal_obeys_is_shown() {
    for (text, shown) in [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
        ("a\rb\u{8}c\0", "a\\u{d}b\\u{8}c\\u{0}"),
        ("\u{7f}\u{9b}31m", "\\u{7f}\\u{9b}31m"),
        ("abc\u{202e}def\u{2066}", "abc\\u{202e}def\\u{2066}"),
        ("naïve 日本 🙂", "naïve 日本 🙂"),
    ] {
        assert_eq!(escape_terminal(text), shown);
    }
}

fn obeyed(c: char) -> bool {
    let n = u32::from(c);
    (n < 0x20 && c != '\n' && c != '\t')
        || (0x7f..=0x9f).contains(&n)
        || (0x202a..=0x202e).contains(&n)
        || (0x2066..=0x2069).contains(&n)
}

proptest! {
    #[test]
    fn nothing_a_terminal_obeys_is_left(text in any::<String>()) {
        let shown = escape_terminal(&text).into_owned();
        prop_assert!(!shown.chars().any(obeyed));
        prop_assert_eq!(escape_terminal(&shown).into_owned(), shown.clone());
        if !text.chars().any(obeyed) {
            prop_assert_eq!(shown, text);
        }
    }

    #[test]
    fn every_active_character_is_caught(c in prop_oneof![0_u32..0xa0, 0x2020_u32..0x2070]) {
        let text: String = char::from_u32(c).into_iter().collect();
        prop_assert_eq!(escape_terminal(&text) != text, text.chars().any(obeyed));
    }

    #[test]
    fn a_bar_has_its_width_and_never_shrinks(total in 0_u64..500, done in 0_u64..500) {
        prop_assert_eq!(bar(done, total, 16).chars().count(), 16);
        let heavy = |done| bar(done, total, 16).chars().filter(|c| *c == '━').count();
        prop_assert!(heavy(done) <= heavy(done + 1));
    }
}

/// A stream whose text can be looked at, or that fails.
#[derive(Clone, Default)]
struct Paper {
    text: Arc<Mutex<Vec<u8>>>,
    failure: Option<io::ErrorKind>,
}

impl Paper {
    fn failing(kind: io::ErrorKind) -> Self {
        Self {
            failure: Some(kind),
            ..Self::default()
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.failure {
            Some(kind) => Err(kind.into()),
            None => self.text.lock().unwrap().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn console(color: ColorRule, quiet: bool) -> (Console, Paper, Paper) {
    let (out, err) = (Paper::default(), Paper::default());
    let console = Console::on(
        Box::new(out.clone()),
        Box::new(err.clone()),
        TerminalFacts::default(),
        color,
        quiet,
    );
    (console, out, err)
}

#[test]
fn results_and_messages_go_to_their_streams() {
    let (console, out, err) = console(ColorRule::Auto, false);
    console.print_data("a\x1b[1mb\n").unwrap();
    console.note("a \x1b note");
    console.warning("mind the \u{202e} gap");
    assert_eq!(out.text(), "a\x1b[1mb\n");
    assert_eq!(
        err.text(),
        "a \\u{1b} note\nwarning: mind the \\u{202e} gap\n"
    );
}

#[test]
fn quiet_leaves_warnings_and_errors() {
    let (console, out, err) = console(ColorRule::Always, true);
    console.note("progress");
    console.warning("careful");
    console.error(&io::Error::other("no"), None);
    console.print_data("1").unwrap();
    let mut progress = console.run_progress();
    for event in script() {
        progress.take(&event).unwrap();
    }
    console.download_progress(None).begin("x", Some(1));
    assert_eq!(out.text(), "1");
    assert_eq!(
        err.text(),
        "\x1b[1;33mwarning:\x1b[0m careful\n\x1b[1;31merror:\x1b[0m no\n"
    );
}

#[test]
fn a_reader_that_went_away_is_success_and_a_full_disk_is_not() {
    let on = |kind| {
        let facts = TerminalFacts::default();
        let (out, err) = (Paper::failing(kind), Paper::default());
        Console::on(Box::new(out), Box::new(err), facts, ColorRule::Never, false)
    };
    let gone = on(io::ErrorKind::BrokenPipe);
    gone.print_data("x").unwrap();
    assert!(gone.output_is_closed());
    gone.print_data("y").unwrap();
    let full = on(io::ErrorKind::StorageFull).print_data("x").unwrap_err();
    assert_eq!(full.to_string(), "failed to write to standard output");
    assert_eq!(
        full.hint().as_deref(),
        Some("make room on the disk that the output is redirected to")
    );
}

#[derive(Debug, thiserror::Error)]
#[error("failed to load model `{name}`")]
struct Outer {
    name: &'static str,
    source: Wrapper,
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Wrapper(#[from] Inner);

#[derive(Debug, thiserror::Error)]
#[error("needs 9.1 GB\x07 but 6.0 GB is left")]
struct Inner;

#[test]
fn a_chain_of_causes_and_a_hint() {
    let error = Outer {
        name: "qwen3-8b",
        source: Wrapper(Inner),
    };
    assert_eq!(
        error_text(&error, Some("raise `--memory-budget`"), false),
        "error: failed to load model `qwen3-8b`\n  caused by: needs 9.1 GB\\u{7} but 6.0 GB is left\n\nhint: raise `--memory-budget`\n"
    );
    assert_eq!(
        error_text(&Inner, None, true),
        "\x1b[1;31merror:\x1b[0m needs 9.1 GB\\u{7} but 6.0 GB is left\n"
    );
}

#[test]
fn colour_follows_the_rule_and_the_terminal() {
    let terminal = TerminalFacts {
        output_is_terminal: true,
        ..TerminalFacts::default()
    };
    let no_color = TerminalFacts {
        no_color: true,
        ..terminal
    };
    let dumb = TerminalFacts {
        dumb: true,
        ..terminal
    };
    for (facts, rule, expected) in [
        (terminal, ColorRule::Auto, true),
        (TerminalFacts::default(), ColorRule::Auto, false),
        (no_color, ColorRule::Auto, false),
        (dumb, ColorRule::Auto, false),
        (no_color, ColorRule::Always, true),
        (terminal, ColorRule::Never, false),
    ] {
        assert_eq!(facts.colors_output(rule), expected, "{facts:?} {rule:?}");
    }
    let env = [("COLUMNS", "72"), ("NO_COLOR", "1"), ("TERM", "dumb")];
    let env = env.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let facts = TerminalFacts::detect(&env, None);
    assert_eq!(
        (facts.columns(), facts.no_color, facts.dumb),
        (72, true, true)
    );
    assert_eq!(TerminalFacts::detect(&env, Some(120)).columns(), 120);
    assert_eq!(TerminalFacts::default().columns(), 100);
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn planned(name: &str, position: u32, weights: u64) -> PlannedModelRecord {
    PlannedModelRecord {
        position,
        estimate: Some(estimate(weights)),
        ..PlannedModelRecord::new(digest(name), name)
    }
}

fn estimate(weights: u64) -> MemoryEstimate {
    MemoryEstimate {
        weights: Bytes(weights),
        kv_cache: Bytes(50_000_000),
        activations: Bytes(10_000_000),
        overhead: Bytes(70_000_000),
        context: 2048,
    }
}

fn header() -> RunHeader {
    RunHeader {
        id: RunId::new("0197k3abcdefgh"),
        plan_digest: digest("plan"),
        evalh_version: "0.1.0".to_owned(),
        evalh_commit: None,
        argv: Vec::new(),
        settings: Vec::new(),
        seed: 7,
        epochs: 1,
        budget: Bytes(27_000_000_000),
        budget_origin: "flag".to_owned(),
        engine: "mock".to_owned(),
        suite: SuiteFacts {
            name: "business".to_owned(),
            version: "1.0.0".to_owned(),
            digest: digest("suite"),
            primary: "score".to_owned(),
            tasks: 9,
            samples: 20,
        },
        catalog_digest: digest("catalog"),
        host: HostFacts::default(),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
    }
}

/// A record with a score, or a failure when there is none; four tokens, 10 ms apart.
fn sample(model: &str, n: u64, score: Option<f64>) -> Box<SampleRecord> {
    let generation = score.map(|_| Generation {
        completion: "x".to_owned(),
        token_ids: vec![1, 2, 3, 4],
        prompt_tokens: 3,
        prompt_digest: digest("prompt"),
        finish: Finish::Eos(4),
        timing: Timing {
            token_at: (4..8).map(|i| Duration::from_millis(10 * i)).collect(),
            ..Timing::default()
        },
        logprobs: None,
        reasoning: None,
    });
    Box::new(SampleRecord {
        key: key(model, n),
        kind: TaskKind::Generate,
        scoring: None,
        content: digest("content"),
        difficulty: "easy".to_owned(),
        sequence: n,
        messages: Vec::new(),
        failure: score.is_none().then(|| Failure {
            kind: FailureKind::Engine,
            message: "no".to_owned(),
        }),
        generation,
        score: SampleScore {
            outcome: if score.is_some() {
                Outcome::Correct
            } else {
                Outcome::Error
            },
            passed: Some(score.is_some()),
            score: score.or(Some(0.0)),
            components: Vec::new(),
            checks: Vec::new(),
        },
    })
}

fn key(model: &str, n: u64) -> SampleKey {
    SampleKey {
        model: digest(model),
        task: "invoice-json".to_owned(),
        sample: format!("inv-{n:03}"),
        epoch: 0,
    }
}

fn at(ms: u64, kind: RunEventKind) -> RunEvent {
    RunEvent {
        elapsed: Duration::from_millis(ms),
        kind,
    }
}

#[expect(clippy::too_many_lines, reason = "a script is read from top to bottom")]
/// A run of three models: one finishes, one is too large, one breaks off.
fn script() -> Vec<RunEvent> {
    let (small, large, broken) = ("small-1b", "large-70b", "broken\x1b-2b");
    let mut events = vec![
        at(
            0,
            RunEventKind::RunStarted {
                header: Box::new(header()),
                models: vec![
                    planned(small, 0, 900_000_000),
                    planned(large, 1, 40_000_000_000),
                    planned(broken, 2, 2_000_000_000),
                ],
                samples_per_model: 20,
            },
        ),
        at(
            1,
            RunEventKind::ModelSkipped {
                model: digest(large),
                reason: SkipReason::OverBudget {
                    estimate: estimate(40_000_000_000),
                    budget: Bytes(27_000_000_000),
                },
            },
        ),
        at(
            10,
            RunEventKind::ModelLoadStarted {
                model: digest(small),
            },
        ),
        at(
            1_510,
            RunEventKind::ModelLoaded {
                model: digest(small),
                loaded: LoadedModel {
                    load: Duration::from_millis(1500),
                    device: "cpu".to_owned(),
                    dtype: "f32".to_owned(),
                    simd: "avx512".to_owned(),
                    threads: 2,
                    engine: "mock 1".to_owned(),
                    check: None,
                },
            },
        ),
        at(
            2_000,
            RunEventKind::WarmupFinished {
                model: digest(small),
                took: Duration::from_millis(490),
            },
        ),
    ];
    for n in 0..20 {
        let began = 2_000 + 1_000 * n;
        events.push(at(
            began,
            RunEventKind::SampleStarted { key: key(small, n) },
        ));
        let score = (n != 4).then_some(if n % 2 == 0 { 10.0 } else { 5.0 });
        let record = sample(small, n, score);
        events.push(at(began + 1_000, RunEventKind::SampleFinished { record }));
    }
    events.extend([
        at(
            22_100,
            RunEventKind::ModelUnloaded {
                model: digest(small),
                complete: true,
                peak: Some(Bytes(1_100_000_000)),
            },
        ),
        at(
            22_200,
            RunEventKind::ModelLoadStarted {
                model: digest(broken),
            },
        ),
        at(
            23_000,
            RunEventKind::BreakerOpened {
                model: digest(broken),
                reason: "5 samples failed in a row".to_owned(),
            },
        ),
        at(
            23_100,
            RunEventKind::ModelUnloaded {
                model: digest(broken),
                complete: false,
                peak: None,
            },
        ),
        at(
            23_200,
            RunEventKind::RunFinished {
                status: RunStatus::Success,
                counts: RunCounts {
                    planned: 40,
                    recorded: 25,
                    failed: 6,
                    skipped_models: 1,
                },
            },
        ),
    ]);
    events
}

fn plain(events: &[RunEvent]) -> String {
    let mut progress = PlainProgress::default();
    let lines: Vec<_> = events.iter().filter_map(|e| progress.render(e)).collect();
    lines.join("\n")
}

#[test]
fn plain_lines_of_a_run() {
    assert_snapshot!(plain(&script()), @r"
suite business 1.0.0 · 20 samples in 9 tasks · seed 7 · budget 27.0 GB (flag)
run 0197k3abcdefgh · 3 models
[2/3] large-70b: skipped: needs 40.1 GB but the budget is 27.0 GB (weights 40.0 GB, cache 50.0 MB, activations 10.0 MB, program 70.0 MB)
[1/3] small-1b: loading, needs about 1.0 GB
[1/3] small-1b: loaded in 1.5 s on cpu (avx512, f32, 2 threads)
[1/3] small-1b: 2/20 samples, score 7.5, 100 tok/s, 0:04, about 0:18 left
[1/3] small-1b: 4/20 samples, score 7.5, 100 tok/s, 0:06, about 0:16 left
[1/3] small-1b: 6/20 samples, 1 failed, score 5.8, 100 tok/s, 0:08, about 0:14 left
[1/3] small-1b: 8/20 samples, 1 failed, score 6.2, 100 tok/s, 0:10, about 0:12 left
[1/3] small-1b: 10/20 samples, 1 failed, score 6.5, 100 tok/s, 0:12, about 0:10 left
[1/3] small-1b: 12/20 samples, 1 failed, score 6.7, 100 tok/s, 0:14, about 0:08 left
[1/3] small-1b: 14/20 samples, 1 failed, score 6.8, 100 tok/s, 0:16, about 0:06 left
[1/3] small-1b: 16/20 samples, 1 failed, score 6.9, 100 tok/s, 0:18, about 0:04 left
[1/3] small-1b: 18/20 samples, 1 failed, score 6.9, 100 tok/s, 0:20, about 0:02 left
[1/3] small-1b: done: 20/20 samples, 1 failed, score 7.0, 100 tok/s, peak 1.1 GB, 0:22
[3/3] broken\u{1b}-2b: loading, needs about 2.1 GB
[3/3] broken\u{1b}-2b: stopped: 5 samples failed in a row
[3/3] broken\u{1b}-2b: not complete: 0/20 samples, 0:01
25 of 40 samples recorded, 6 failed, 1 model skipped
");
}

#[test]
fn a_slow_model_is_heard_of_every_quarter_of_a_minute() {
    let mut events = script()[..5].to_vec();
    for n in 0..3 {
        let record = sample("small-1b", n, Some(1.0));
        events.push(at(
            2_000 + 20_000 * (n + 1),
            RunEventKind::SampleFinished { record },
        ));
    }
    let text = plain(&events);
    let (_, after) = text.split_once("2 threads)\n").unwrap();
    assert_snapshot!(after, @r"
[1/3] small-1b: 1/20 samples, score 1.0, 100 tok/s, 0:22, about 6:20 left
[1/3] small-1b: 2/20 samples, score 1.0, 100 tok/s, 0:42, about 6:00 left
[1/3] small-1b: 3/20 samples, score 1.0, 100 tok/s, 1:02, about 5:40 left
");
}

#[test]
fn a_continued_and_interrupted_run() {
    let models = vec![planned("a", 0, 1), planned("b", 1, 1)];
    let done = vec![(digest("a"), 20), (digest("b"), 12)];
    let events = [
        at(
            0,
            RunEventKind::RunResumed {
                header: Box::new(header()),
                models,
                samples_per_model: 20,
                done,
            },
        ),
        at(5, RunEventKind::ModelLoadStarted { model: digest("b") }),
        at(
            6,
            RunEventKind::SampleFinished {
                record: sample("b", 12, Some(5.0)),
            },
        ),
        at(
            7,
            RunEventKind::RunFinished {
                status: RunStatus::Cancelled,
                counts: RunCounts {
                    planned: 40,
                    recorded: 33,
                    failed: 0,
                    skipped_models: 0,
                },
            },
        ),
    ];
    assert_snapshot!(plain(&events), @r"
suite business 1.0.0 · 20 samples in 9 tasks · seed 7 · budget 27.0 GB (flag)
run 0197k3abcdefgh continued · 2 models · 32 samples recorded before
[2/2] b: loading, needs about 130 MB
interrupted: 33 of 40 samples recorded; the same command continues the run
");
    let mut view = RunView::default();
    for event in &events[..3] {
        view.apply(event);
    }
    assert_snapshot!(block(&view, 80).join("\n"), @r"
✓ a     20/20
▸ b   loading
");
}

#[test]
fn the_live_block_while_it_runs_and_at_its_end() {
    let mut view = RunView::default();
    let events = script();
    for event in &events[..18] {
        view.apply(event);
    }
    assert_snapshot!(block(&view, 120).join("\n"), @r"
▸ small-1b             6/20   ━━━━╸───────────   0:14 left   score 5.8   100 tok/s   1 failed   invoice-json/inv-006
- large-70b         skipped: needs 40.1 GB but the budget is 27.0 GB (weights 40.0 GB, cache 50.0 MB, activations 10.0…
  broken\u{1b}-2b   waiting (needs 2.1 GB)
");
    assert_snapshot!(block(&view, 60).join("\n"), @r"
▸ small-1b             6/20   ━━━━╸───────────   0:14 left…
- large-70b         skipped: needs 40.1 GB but the budget i…
  broken\u{1b}-2b   waiting (needs 2.1 GB)
");
    for event in &events[18..] {
        view.apply(event);
    }
    assert_snapshot!(block(&view, 120).join("\n"), @r"
✓ small-1b            20/20   score 7.0   100 tok/s   peak 1.1 GB   1 failed   0:22
- large-70b         skipped: needs 40.1 GB but the budget is 27.0 GB (weights 40.0 GB, cache 50.0 MB, activations 10.0…
✗ broken\u{1b}-2b      0/20   0:01   stopped: 5 samples failed in a row
");
}

#[test]
fn an_event_of_an_unknown_model_changes_nothing() {
    let mut progress = PlainProgress::default();
    progress.render(&script()[0]);
    let stray = at(
        5,
        RunEventKind::SampleFinished {
            record: sample("other", 0, None),
        },
    );
    assert_eq!(progress.render(&stray), None);
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(columns in 1_usize..200, upto in 0_usize..50) {
        let mut view = RunView::default();
        for event in script().iter().take(upto) {
            view.apply(event);
        }
        for line in block(&view, columns) {
            prop_assert!(line.chars().count() <= columns, "{line}");
        }
    }
}

#[test]
fn times_and_cuts() {
    assert_eq!(clock(Duration::from_millis(900)), "0:01");
    assert_eq!(clock(Duration::from_secs(151)), "2:31");
    assert_eq!(clock(Duration::from_secs(3_725)), "1:02:05");
    assert_eq!(fit("abc def", 5), "abc…");
    assert_eq!(fit("abc", 3), "abc");
}

#[test]
fn figures_of_a_download() {
    let mut transfer = Transfer {
        name: "weights".to_owned(),
        total: Some(98_000_000),
        done: 24_500_000,
        phase: None,
    };
    assert_eq!(
        transfer.figures(Duration::from_secs(2)),
        "24.5 MB of 98.0 MB   12.2 MB/s   0:06 left"
    );
    assert_eq!(
        transfer.figures(Duration::from_millis(10)),
        "24.5 MB of 98.0 MB"
    );
    assert_eq!(transfer.percent(), Some(25));
    transfer.total = None;
    assert_eq!(
        transfer.figures(Duration::from_secs(2)),
        "24.5 MB   12.2 MB/s"
    );
    assert_eq!(transfer.percent(), None);
}

#[test]
fn a_download_in_plain_lines() {
    let (console, _, err) = console(ColorRule::Never, false);
    let flag = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let progress = console.download_progress(Some(Arc::clone(&flag)));
    progress.begin("weights\x1b.gguf", Some(1_000));
    for _ in 0..100 {
        progress.advance(10);
    }
    progress.phase("verifying");
    progress.finish();
    progress.advance(10);
    let lines = err.text();
    assert_eq!(lines.lines().count(), 12, "{lines}");
    assert!(lines.starts_with("weights\\u{1b}.gguf, 1 kB\n"), "{lines}");
    assert!(
        lines.ends_with("weights\\u{1b}.gguf: verifying\n"),
        "{lines}"
    );
    assert!(!progress.cancelled());
    flag.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(progress.cancelled());
}
