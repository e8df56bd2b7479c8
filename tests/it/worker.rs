//! The worker process: every way it can die costs one sample and not the run, and what it computes is what the engine computes.

use crate::context::{ANSWERS, MODELS, Ran, TestContext, end, run_with, signal, until};
use evalh::engine::mock::{MockEngine, MockScript};
use evalh::engine::worker::{LoadSpec, WorkerCommand, WorkerEngine, WorkerLimits, WorkerProbes};
use evalh::engine::{
    DecodingParams, Engine, GenerateRequest, RawGeneration, RawScore, ScoreRequest,
};
use evalh::record::FailureKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A script in which the first model fails at the chair as told, before the answers.
fn failing(rule: &str) -> TestContext {
    TestContext::shop(&format!(
        "[[reply]]\nmodel = \"gemma*\"\ncontains = \"the chair cost\"\n{rule}\n{ANSWERS}"
    ))
}

/// Ids of the workers a run started, from its log.
fn workers(ran: &Ran) -> Vec<u32> {
    let line = regex::Regex::new(r"a worker has loaded its model worker=(\d+)").unwrap();
    let found = line.captures_iter(&ran.err);
    found.map(|c| c[1].parse().unwrap()).collect()
}

/// Neither running nor waiting to be waited for.
#[cfg(target_os = "linux")]
fn gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

/// Children of a process.
#[cfg(target_os = "linux")]
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let ids = processes.filter_map(|e| e.file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name, which may hold anything but is followed by the last bracket: state, parent.
        let rest = stat.rsplit_once(") ").map_or("", |r| r.1);
        rest.split(' ').nth(1) == Some(parent.to_string().as_str())
    };
    ids.filter(is_child).collect()
}

/// Records of the first model, with their failures.
fn failures(context: &TestContext) -> Vec<(String, String)> {
    let db = context.db();
    let mut rows = db
        .prepare("SELECT failure_kind, failure_message FROM v_sample WHERE failure_kind IS NOT NULL ORDER BY sequence")
        .unwrap();
    let rows = rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Samples recorded so far.
fn recorded(context: &TestContext) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(context.path("results/evalh.sqlite"), flags);
    let count = db.and_then(|db| db.query_row("SELECT count(*) FROM sample", [], |r| r.get(0)));
    count.unwrap_or(0)
}

/// What the engine gave for every answered sample, times as the engine reported them.
fn answers(context: &TestContext) -> Vec<Value> {
    let db = context.db();
    let mut rows = db
        .prepare(
            "SELECT name, task, sample, epoch, completion, token_ids, finish, prefill_ns, token_at_ns, tokenize_ns \
             FROM sample JOIN model USING (model_pk) WHERE completion IS NOT NULL ORDER BY position, task, sample, epoch",
        )
        .unwrap();
    let rows = rows.query_map([], |r| {
        let times: Vec<u8> = r.get(8)?;
        let tokenize: i64 = r.get(9)?;
        let times = times
            .chunks_exact(8)
            .map(|c| i64::from_le_bytes(c.try_into().unwrap()) - tokenize);
        Ok(json!([
            r.get::<_, String>(0)?,
            r.get::<_, String>(1)?,
            r.get::<_, String>(2)?,
            r.get::<_, i64>(3)?,
            r.get::<_, String>(4)?,
            r.get::<_, Vec<u8>>(5)?,
            r.get::<_, String>(6)?,
            r.get::<_, i64>(7)?,
            times.collect::<Vec<i64>>(),
        ]))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// One sample of the first model failed so, all others of both models have their answers, report and exit code say so.
fn costs_one_sample(context: &TestContext, more: &[&str], kind: &str, said: &str) -> Ran {
    let args = run_with(&[&["--json", "--log", "info"], more].concat());
    let ran = context.evalh(&args);
    assert_eq!(ran.code, Some(1), "{kind}: {}", ran.err);
    let report = ran.json();
    assert_eq!(report["run"]["status"], "success", "{kind}");
    let [first, second] = [0, 1].map(|i| &report["models"][i]["tally"]);
    for (tally, failed) in [(first, 1), (second, 0)] {
        assert_eq!(
            (&tally["recorded"], &tally["failed"], &tally["not_run"]),
            (&json!(6), &json!(failed), &json!(0)),
            "{kind}: {tally}"
        );
    }
    assert_eq!(first["failures"][kind], 1, "{first}");
    let outcome = if kind == "timeout" {
        "timeout"
    } else {
        "error"
    };
    assert_eq!(first["outcomes"][outcome], 1, "{first}");
    let stored = failures(context);
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].0, kind);
    assert!(stored[0].1.contains(said), "{}", stored[0].1);
    let healthy = TestContext::shop(ANSWERS);
    healthy.ok(&run_with(&["--in-process"]));
    let mut expected = answers(&healthy);
    expected.retain(|a| !(a[0] == MODELS[0] && a[2] == "chair"));
    assert_eq!(answers(context), expected, "{kind}");
    let text = context.ok(&["report"]).out;
    assert!(text.contains("failed"), "{text}");
    context.ok(&["report", "--verify"]);
    context.ok(&["runs", "check"]);
    // The first model's worker was started again.
    let workers = workers(&ran);
    assert_eq!(workers.len(), 3, "{}", ran.err);
    #[cfg(target_os = "linux")]
    assert!(workers.iter().all(|pid| gone(*pid)), "{workers:?}");
    ran
}

#[test]
fn a_worker_that_dies_costs_the_sample_in_work() {
    for (fail, said) in [
        ("panic", "the worker panicked: a panic, as scripted"),
        ("abort", "the worker was ended by SIGABRT"),
        ("exit", "the worker ended with exit code 7"),
        (
            "garbage",
            "the worker broke its protocol: the frame has a length of 1936287860, above the limit of 67108864",
        ),
    ] {
        let context = failing(&format!("fail = \"{fail}\""));
        costs_one_sample(&context, &[], "crash", said);
    }
}

#[test]
fn a_worker_that_hangs_is_ended_after_the_time_limit() {
    let context = failing("fail = \"hang\"");
    let begun = evalh::clock::now();
    let said = "the worker did not answer within 2.2 s";
    costs_one_sample(&context, &["--timeout", "200ms"], "timeout", said);
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_worker_that_takes_too_much_memory_is_ended() {
    let context = failing("allocate_bytes = 3_000_000_000");
    let said = "of memory where 300 MB are allowed";
    costs_one_sample(
        &context,
        &["--memory-budget", "300MB"],
        "out_of_memory",
        said,
    );
    let peak: i64 = context
        .db()
        .query_row(
            "SELECT peak_bytes FROM v_run_summary WHERE position = 0",
            [],
            |r| r.get(0),
        )
        .unwrap();
    // It was seen above the limit, and far below what it wanted.
    assert!((300_000_000..1_500_000_000).contains(&peak), "{peak}");
}

/// Every sample takes at least this long.
fn slow() -> String {
    let rest = "\n[[reply]]\ncontains = \"Question: W\"\nhang_ms = 50\n";
    ANSWERS.replace("contains =", "hang_ms = 50\ncontains =") + rest
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_killed_from_outside_costs_the_sample_in_work() {
    let context = TestContext::shop(&slow());
    let args = run_with(&["--json", "--log", "info"]);
    let child = context.start(&args);
    until("a sample is recorded", || recorded(&context) >= 1);
    let workers_now = children(child.id());
    assert_eq!(workers_now.len(), 1, "{workers_now:?}");
    signal(workers_now[0], libc::SIGKILL);
    let ran = end(child, &args);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let report = ran.json();
    assert_eq!(report["run"]["status"], "success");
    let kinds = failures(&context);
    assert_eq!(
        kinds,
        [(
            "crash".to_owned(),
            "the worker was ended by SIGKILL".to_owned()
        )]
    );
    assert_eq!(recorded(&context), 12);
    let all = workers(&ran);
    assert_eq!(all.len(), 3);
    assert_eq!(all[0], workers_now[0]);
    assert!(all.iter().all(|pid| gone(*pid)));
}

#[test]
fn a_worker_that_dies_while_loading_costs_its_model() {
    for (fail, said) in [
        ("abort", "the worker was ended by SIGABRT"),
        ("exit", "the worker ended with exit code 7"),
        ("panic", "the worker panicked: a panic, as scripted"),
        ("garbage", "the worker broke its protocol"),
    ] {
        let context = TestContext::shop(&format!(
            "[[reply]]\nmodel = \"gemma*\"\nload_fail = \"{fail}\"\n{ANSWERS}"
        ));
        let ran = context.evalh(&run_with(&["--json"]));
        assert_eq!(ran.code, Some(3), "{fail}: {}", ran.err);
        let report = ran.json();
        assert_eq!(report["skipped"][0]["name"], MODELS[0]);
        assert!(report["skipped"][0].to_string().contains(said), "{report}");
        assert_eq!(report["models"][0]["name"], MODELS[1]);
        assert_eq!(report["models"][0]["tally"]["recorded"], 6);
        assert_eq!(report["models"][0]["tally"]["failed"], 0);
    }
}

#[test]
fn a_worker_that_dies_again_and_again_is_given_up() {
    // In every sample: four workers, four samples. In the warm-up: four workers, no sample.
    for (contains, samples) in [("Question: W", 4), ("days of the week", 0)] {
        let context = TestContext::shop(&format!(
            "[[reply]]\nmodel = \"gemma*\"\ncontains = \"{contains}\"\nfail = \"abort\"\n{ANSWERS}"
        ));
        let args = run_with(&["--json", "--log", "info"]);
        let ran = context.evalh(&args);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert_eq!(workers(&ran).len(), 5, "{}", ran.err);
        let report = ran.json();
        assert_eq!(report["run"]["status"], "failed");
        assert!(
            ran.out.contains(
                "the engine died 4 times, the last time: the worker was ended by SIGABRT"
            ),
            "{}",
            ran.out
        );
        assert_eq!(failures(&context).len(), samples);
        assert_eq!(recorded(&context) as usize, samples + 6);
        // The same command goes on with what is left.
        context.write("mock.toml", ANSWERS);
        let again = context.evalh(&args);
        let code = i32::from(samples != 0);
        assert_eq!(again.code, Some(code), "{}", again.err);
        assert_eq!(recorded(&context), 12);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_whose_parent_is_killed_ends_by_itself() {
    // It computes (a hang that no time limit ends) when its parent dies.
    let context = failing("fail = \"hang\"");
    let mut child = context.start(&run_with(&[]));
    until("the hanging sample is asked", || recorded(&context) >= 1);
    let workers = children(child.id());
    assert_eq!(workers.len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    until("the worker is gone", || gone(workers[0]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_is_kept_apart() {
    let mut context = TestContext::shop(&slow());
    let canary = "canary-4f1c9be2";
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY"] {
        context.set(name, canary);
    }
    let args = run_with(&["--json", "--log", "debug"]);
    let child = context.start(&args);
    until("a sample is recorded", || recorded(&context) >= 1);
    let worker = children(child.id())[0];
    let read = |name: &str| std::fs::read(format!("/proc/{worker}/{name}"));
    let text = |name: &str| String::from_utf8_lossy(&read(name).unwrap()).into_owned();
    // A group of its own, so that the terminal's Ctrl-C is not for it: pgrp is the third field after the name.
    let stat = text("stat");
    let group = stat.rsplit_once(") ").unwrap().1.split(' ').nth(2);
    assert_eq!(group, Some(worker.to_string().as_str()));
    // No core file.
    let limits = text("limits");
    let core = limits.lines().find(|l| l.starts_with("Max core")).unwrap();
    let numbers: Vec<&str> = core.split_whitespace().filter(|w| *w == "0").collect();
    assert_eq!(numbers.len(), 2, "{core}");
    // Only a privileged user may look at the environment of a process that cannot be dumped.
    if let Ok(environment) = read("environ") {
        let shown = String::from_utf8_lossy(&environment).into_owned();
        assert!(
            !shown.contains("TOKEN") && !shown.contains(canary),
            "{shown}"
        );
    }
    let ran = end(child, &args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(!ran.out.contains(canary) && !ran.err.contains(canary));
    let folder = context.path("results");
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(canary.len()).any(|w| w == canary.as_bytes()));
    }
}

#[test]
fn a_run_in_workers_gives_what_a_run_in_this_process_gives() {
    let script = format!("{ANSWERS}\n[[reply]]\ncontains = \"Question:\"\nttft_ms = 33.000001\n");
    let [workers, here] = [&[][..], &["--in-process"][..]].map(|more| {
        let context = TestContext::shop(&script);
        context.ok(&run_with(&[more, &["--epochs", "2"]].concat()));
        context
    });
    let expected = answers(&here);
    assert_eq!(expected.len(), 24);
    assert_eq!(answers(&workers), expected);
    let setting = |context: &TestContext| -> (String, String) {
        let sql = "SELECT value, origin FROM setting WHERE name = 'in-process'";
        let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?));
        context.db().query_row(sql, [], row).unwrap()
    };
    assert_eq!(setting(&here), ("true".to_owned(), "flag".to_owned()));
    assert_eq!(
        setting(&workers),
        ("false".to_owned(), "default".to_owned())
    );
}

#[test]
fn the_subcommand_is_hidden_and_ends_with_its_input() {
    let context = TestContext::new();
    let help = context.ok(&["--help"]).out;
    assert!(!help.contains("worker"), "{help}");
    assert_eq!(context.ok(&["worker"]).out, "");
}

/// The program under test as a worker.
fn start(script: &str) -> WorkerEngine {
    let command = WorkerCommand {
        program: PathBuf::from(env!("CARGO_BIN_EXE_evalh")),
        arguments: vec!["worker".to_owned()],
        environment: BTreeMap::new(),
    };
    let probes = WorkerProbes {
        memory: |_| None,
        oom_kills: || None,
    };
    let spec = LoadSpec::Mock {
        model: "m".to_owned(),
        script: script.to_owned(),
    };
    WorkerEngine::start(&command, &WorkerLimits::default(), probes, spec).unwrap()
}

fn prompts() -> Vec<GenerateRequest> {
    let request = |n: u32| GenerateRequest {
        ids: vec![257, 65 + n % 20, 66, 67],
        max_tokens: 1 + n,
        decoding: DecodingParams {
            temperature: 0.8,
            top_p: Some(0.9),
            seed: u64::from(n) << 40,
            ..DecodingParams::default()
        },
        eos: vec![256],
        stop: vec![b"er".to_vec()],
        thoughts: None,
        logprobs: n.is_multiple_of(2),
        timeout: Some(Duration::from_millis(60)),
    };
    let mut all: Vec<_> = (0..40).map(request).collect();
    // Two that the engine refuses.
    all[7].ids.clear();
    all[9].ids[1] = 99_999;
    all
}

fn generate(
    engine: &mut dyn Engine,
    requests: &[GenerateRequest],
) -> Vec<Result<RawGeneration, (FailureKind, String)>> {
    let mut out = Vec::new();
    let ran = engine.generate(requests, &mut |index, result| {
        assert_eq!(index, out.len());
        out.push(result.map_err(|e| (e.failure_kind(), e.to_string())));
        ControlFlow::Continue(())
    });
    ran.unwrap();
    out
}

fn score(engine: &mut dyn Engine, requests: &[ScoreRequest]) -> Vec<RawScore> {
    let mut out = Vec::new();
    let ran = engine.score(requests, &mut |_, result| {
        out.push(result.unwrap());
        ControlFlow::Continue(())
    });
    ran.unwrap();
    out
}

#[test]
fn the_engine_in_the_worker_is_the_engine() {
    let script = "[[reply]]\ncontains = \"D\"\ntext = \"lorem ipsum\"\nttft_ms = 1.234567\ntpot_ms = 7.000003\nload_ms = 12.5\n\
                  [[reply]]\ncontains = \"E\"\nfail = \"not_a_number\"\n";
    let mut worker = start(script);
    let mut here = MockEngine::new(Arc::new(MockScript::parse("s", script).unwrap()), "m");
    assert_eq!(worker.info(), here.info());
    assert_eq!(worker.load(), Duration::from_micros(12_500));
    let requests = prompts();
    for _ in 0..2 {
        assert_eq!(
            generate(&mut worker, &requests),
            generate(&mut here, &requests)
        );
    }
    let continuation = |n: u32| ScoreRequest {
        context: vec![257, 65 + n, 3],
        continuation: vec![108, 111, n],
    };
    let scores: Vec<_> = (0..20).filter(|n| *n != 4).map(continuation).collect();
    let (there, here) = (score(&mut worker, &scores), score(&mut here, &scores));
    let bits = |all: &[RawScore]| -> Vec<Vec<u32>> {
        let bits = all
            .iter()
            .map(|s| s.token_logprobs.iter().map(|p| p.to_bits()).collect());
        bits.collect()
    };
    assert_eq!((bits(&there), &there), (bits(&here), &here));
    assert_eq!(worker.peak_memory(), None, "as the mock says");
    assert!(generate(&mut worker, &[]).is_empty());
}

#[test]
fn a_phase_is_broken_off_and_the_next_one_works() {
    let mut worker = start("");
    let requests = vec![
        GenerateRequest {
            ids: vec![1],
            max_tokens: 2,
            ..GenerateRequest::default()
        };
        5
    ];
    let mut seen = 0;
    let ran = worker.generate(&requests, &mut |_, _| {
        seen += 1;
        if seen == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    ran.unwrap();
    assert_eq!(seen, 2);
    assert_eq!(generate(&mut worker, &requests).len(), 5);
}

#[test]
fn a_dead_worker_says_so_and_its_last_memory_stays_known() {
    let mut worker = start("[[reply]]\ncontains = \"B\"\nfail = \"exit\"");
    let request = |id| GenerateRequest {
        ids: vec![id],
        max_tokens: 2,
        ..GenerateRequest::default()
    };
    let mut seen = 0;
    let error = worker
        .generate(&[request(65), request(66), request(67)], &mut |_, _| {
            seen += 1;
            ControlFlow::Continue(())
        })
        .unwrap_err();
    assert_eq!(seen, 1);
    assert!(error.is_death());
    assert_eq!(error.to_string(), "the worker ended with exit code 7");
    let error = worker
        .generate(&[request(65)], &mut |_, _| ControlFlow::Continue(()))
        .unwrap_err();
    assert_eq!(error.to_string(), "the worker is not running");
    assert_eq!(worker.peak_memory(), None, "nobody looked");
}
