use super::*;

fn read(lines: &[&str], options: &SampleFileOptions) -> Result<SampleFile, AnalysisError> {
    let mut file = SampleFile::new(
        "logs/samples_arc_easy_2026-11-22T10-00-00.jsonl",
        options.clone(),
    );
    for (i, line) in lines.iter().enumerate() {
        file.line(i + 1, line)?;
    }
    Ok(file)
}

fn plain() -> SampleFileOptions {
    SampleFileOptions::default()
}

fn message(lines: &[&str], options: &SampleFileOptions) -> String {
    let error = read(lines, options)
        .and_then(SampleFile::finish)
        .unwrap_err();
    match error.hint() {
        Some(hint) => format!("{error} | {hint}"),
        None => error.to_string(),
    }
}

const RIGHT: &str = r#"{"doc_id":0,"doc":{"q":[1,{"x":null}]},"target":"A","resps":[["A"]],"filtered_resps":["A"],"filter":"none","metrics":["acc","acc_norm"],"doc_hash":"h0","prompt_hash":"p0","target_hash":"t0","acc":1.0,"acc_norm":0}"#;
const WRONG: &str = r#"{"doc_id":1,"filter":"none","metrics":["acc","acc_norm"],"doc_hash":"h1","acc":0.0,"acc_norm":true}"#;

#[test]
fn a_metric_of_zeros_and_ones_is_a_pass_rate() {
    let [a, b] = finish_samples(
        read(&[RIGHT, "", WRONG], &plain()).unwrap(),
        read(&[WRONG], &plain()).unwrap(),
    )
    .unwrap();
    assert_eq!(a.label, "samples_arc_easy_2026-11-22T10-00-00.jsonl");
    assert_eq!((a.metric.as_deref(), a.check()), (Some("acc"), Ok(())));
    let first = &a.prompts["h0/none"];
    assert_eq!(
        (first.task.as_str(), first.sample.as_str()),
        ("arc_easy", "0")
    );
    let epoch = &first.epochs[0];
    assert_eq!(
        (epoch.passed, epoch.score, epoch.outcome),
        (Some(true), None, Some(Outcome::Correct))
    );
    assert!(first.asked.is_some() && epoch.completion.is_some());
    assert_eq!(b.prompts["h1/none"].epochs[0].passed, Some(false));
}

#[test]
fn another_metric_is_a_mean_in_both_files() {
    let f1 = r#"{"doc_id":"x","doc_hash":"h1","f1":0.5,"n":3}"#;
    let one = r#"{"doc_id":"x","doc_hash":"h1","f1":1}"#;
    let [a, b] = finish_samples(
        read(&[f1], &plain()).unwrap(),
        read(&[one], &plain()).unwrap(),
    )
    .unwrap();
    // Without a list of metrics the first number is the metric; whole numbers stay scores where the other file has parts.
    assert_eq!(a.metric.as_deref(), Some("f1"));
    let epoch = |o: &Observed| o.prompts["h1/none"].epochs[0].clone();
    assert_eq!((epoch(&a).score, epoch(&a).passed), (Some(0.5), None));
    assert_eq!((epoch(&b).score, epoch(&b).passed), (Some(1.0), None));
}

#[test]
fn metric_and_filter_can_be_chosen() {
    let norm = SampleFileOptions {
        metric: Some("acc_norm".to_owned()),
        ..plain()
    };
    let file = read(&[RIGHT, WRONG], &norm).unwrap();
    assert_eq!(file.metric(), Some("acc_norm"));
    let (a, _) = file.finish().unwrap();
    assert_eq!(a.prompts["h1/none"].epochs[0].score, Some(1.0));
    let strict = r#"{"doc_hash":"h","filter":"strict-match","exact_match":0}"#;
    let loose = r#"{"doc_hash":"h","filter":"flexible-extract","exact_match":1}"#;
    // Two filters are two views of one answer, never two prompts.
    let (first, _) = read(&[strict, loose], &plain()).unwrap().finish().unwrap();
    assert_eq!(first.prompts.keys().collect::<Vec<_>>(), ["h/strict-match"]);
    assert!(
        first.label.ends_with(".jsonl, filter strict-match"),
        "{}",
        first.label
    );
    let other = SampleFileOptions {
        filter: Some("flexible-extract".to_owned()),
        ..plain()
    };
    let (second, _) = read(&[strict, loose], &other).unwrap().finish().unwrap();
    assert_eq!(
        second.prompts.keys().collect::<Vec<_>>(),
        ["h/flexible-extract"]
    );
}

#[test]
fn repeated_documents_are_replicates_only_when_that_is_said() {
    assert_eq!(
        message(&[RIGHT, WRONG, RIGHT], &plain()),
        "`logs/samples_arc_easy_2026-11-22T10-00-00.jsonl` has document `h0` with filter `none` on line 1 and on line 3 | \
         if these are repetitions of one prompt, say so with `--replicates`"
    );
    let declared = SampleFileOptions {
        replicates: true,
        ..plain()
    };
    let (o, _) = read(&[RIGHT, WRONG, RIGHT], &declared)
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(o.prompts["h0/none"].epochs.len(), 2);
    let other = RIGHT.replace("\"p0\"", "\"p9\"");
    assert_eq!(
        message(&[RIGHT, &other], &declared),
        "logs/samples_arc_easy_2026-11-22T10-00-00.jsonl:2: the document stands on line 1 with another prompt or target, so that it is no repetition"
    );
}

#[test]
fn lines_that_are_no_records_are_named() {
    let path = "logs/samples_arc_easy_2026-11-22T10-00-00.jsonl";
    let long = format!(r#"{{"doc_hash":"{}","acc":1}}"#, "x".repeat(600));
    for (lines, problem) in [
        (
            vec![WRONG, "{\"doc_hash\": \"h"],
            ":2: not JSON, column 15: EOF while parsing a string",
        ),
        (
            vec!["[1]"],
            ":1: not JSON, column 0: invalid type: sequence, expected an object",
        ),
        (
            vec![r#"{"doc_hash":"h","acc":NaN}"#],
            ":1: not JSON, column 23: expected value (`NaN` and `Infinity` are no JSON numbers)",
        ),
        (
            vec![r#"{"doc_id":1,"acc":1}"#],
            ":1: `doc_hash` is missing | write the samples with `lm_eval --log_samples`",
        ),
        (
            vec![r#"{"doc_hash":"","acc":1}"#],
            ":1: a name is 0 bytes long but must have 1 to 512",
        ),
        (
            vec![long.as_str()],
            ":1: a name is 600 bytes long but must have 1 to 512",
        ),
        (
            vec![r#"{"doc_hash":"h","doc_id":4}"#],
            ":1: there is no metric: neither a list `metrics` nor a number",
        ),
        (
            vec![r#"{"doc_hash":"h","metrics":["ppl"],"ppl":[1,2]}"#],
            ":1: metric `ppl` is not a finite number | choose another metric with `--metric`",
        ),
        (
            vec![WRONG, r#"{"doc_hash":"h2","metrics":["f1"],"f1":1}"#],
            ":2: there is no value of metric `acc`",
        ),
        (
            vec![r#"{"doc_hash":"h","acc":1e999}"#],
            ":1: not JSON, column 27: number out of range",
        ),
    ] {
        let told = message(&lines, &plain());
        let told = told.strip_prefix(path).unwrap_or(&told);
        assert_eq!(told, problem);
    }
    let missing = message(
        &[RIGHT],
        &SampleFileOptions {
            metric: Some("acc_nrm".to_owned()),
            ..plain()
        },
    );
    assert_eq!(
        missing,
        format!(
            "metric `acc_nrm` is not in `{path}`; did you mean `acc_norm`? | the file has acc, acc_norm"
        )
    );
    let missing = message(
        &[RIGHT],
        &SampleFileOptions {
            filter: Some("strict".to_owned()),
            ..plain()
        },
    );
    assert_eq!(
        missing,
        format!("filter `strict` is not in `{path}` | the file has none")
    );
    assert_eq!(
        message(&["", " "], &plain()),
        format!("`{path}` holds no record")
    );
    let f1 = r#"{"doc_hash":"h","f1":1}"#;
    let two = finish_samples(
        read(&[WRONG], &plain()).unwrap(),
        read(&[f1], &plain()).unwrap(),
    )
    .unwrap_err();
    assert_eq!(
        two.to_string(),
        format!("`{path}` holds metric `acc` but `{path}` holds `f1`")
    );
}

#[test]
fn a_null_is_not_scored_and_no_zero() {
    let null = r#"{"doc_hash":"h2","metrics":["acc"],"acc":null}"#;
    let [a, _] = finish_samples(
        read(&[RIGHT, null], &plain()).unwrap(),
        read(&[WRONG], &plain()).unwrap(),
    )
    .unwrap();
    let epoch = &a.prompts["h2/none"].epochs[0];
    assert_eq!(
        (epoch.passed, epoch.score, epoch.outcome),
        (None, None, None)
    );
}

#[test]
fn tasks_are_read_from_names() {
    for (path, task) in [
        (
            "a/samples_arc_easy_2026-11-22T10-00-00.123.jsonl",
            "arc_easy",
        ),
        ("samples_gsm8k.jsonl", "gsm8k"),
        ("mine.jsonl", "mine"),
        ("a_b.json", "a_b.json"),
    ] {
        assert_eq!(task_of(path), task);
    }
}
