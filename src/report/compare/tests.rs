use super::*;
use crate::analysis::testkit::{self, Spec};
use crate::analysis::{
    AnalysisOptions, ContrastReport, Observed, SampleFile, SampleFileOptions, contrast,
    finish_samples,
};
use crate::record::RunRecord;
use crate::report::table;
use insta::assert_snapshot;

const STRONG: &str = "qwen2.5-7b-instruct-q4_k_m";
const CLOSE: &str = "gemma-3-4b-it-q4_k_m";
const WEAK: &str = "smollm2-135m-instruct-q4_1";

fn of(run: &RunRecord, a: &str, b: &str) -> ContrastReport {
    let [a, b] = [a, b].map(|m| Observed::of_run(run, m).unwrap());
    full(&a, &b)
}

fn full(a: &Observed, b: &Observed) -> ContrastReport {
    contrast(a, b, &testkit::prices(), &AnalysisOptions::default()).unwrap()
}

fn view(width: usize, all: bool, different: bool) -> CompareView {
    CompareView {
        all,
        different,
        width,
        palette: Palette::PLAIN,
        command: ["evalh", "compare", "latest:a", ":b c"]
            .map(str::to_owned)
            .to_vec(),
    }
}

fn files(metric: &str, a: &[&str], b: &[&str]) -> ContrastReport {
    let file = |name: &str, values: &[&str]| {
        let mut file = SampleFile::new(name, SampleFileOptions::default());
        for (i, value) in values.iter().enumerate() {
            let line =
                format!(r#"{{"doc_id":"d\u001b[2J|{i}","doc_hash":"h{i}","{metric}":{value}}}"#);
            file.line(i + 1, &line).unwrap();
        }
        file
    };
    let [a, b] = finish_samples(file("logs/a.jsonl", a), file("logs/b.jsonl", b)).unwrap();
    full(&a, &b)
}

#[test]
fn close_models_at_100_columns() {
    let report = of(&testkit::three_models(), STRONG, CLOSE);
    assert_snapshot!(compare_terminal(&report, &view(100, false, false)), @r#"
    A  qwen2.5-7b-instruct-q4_k_m · run 01k3qa7z5m8c2p · business 1.0.0 · 30 prompts
    B  gemma-3-4b-it-q4_k_m · run 01k3qa7z5m8c2p · business 1.0.0 · 30 prompts
    30 prompts joined by content, none left out; intervals 95 %

    metric                            A            B        A - B, A / B        p  effect  better
    score *                         7.0          6.9    +0.1 [-0.3, 0.4]     0.72   +0.07  ~
    pass_rate +                    83 %         70 %      +13 pp [0, 30]    0.062   +0.39  ~
    ttft_ms_mean                 350 ms       223 ms  ×1.57 [1.52, 1.63]  < 0.001   +5.11  B
    e2e_ms_mean                1,247 ms       979 ms  ×1.27 [1.23, 1.32]  < 0.001   +2.83  B
    decode_tps +             47.7 tok/s     61 tok/s  ×0.78 [0.76, 0.80]  < 0.001   -3.10  B
    tpot_ms_mean                  21 ms        16 ms  ×1.28 [1.24, 1.32]            +3.10
    completion_tokens_mean  43.7 tokens  47.0 tokens  ×0.93 [0.90, 0.95]            -1.05
    local_usd_per_1k              $0.64        $0.50  ×1.27 [1.23, 1.32]            +2.83
    * primary, + secondary (Holm), others exploratory (Benjamini-Hochberg) or described without a test.
    × is A / B. ~ not told apart. Costs at $4,000 less $800 in 4 years, 5 % use, 60 W, $0.17/kWh: on one
    machine they follow the times.

    Better?   A and B are not told apart: score +0.1 [-0.3, 0.4], p 0.72 (paired-t, 30 prompts). These
              prompts show differences from 0.5 on (80 % power). Telling the one seen apart needs about
              1,800 prompts.
              B is better in ttft_ms_mean ×1.57 [1.52, 1.63], e2e_ms_mean ×1.27 [1.23, 1.32], decode_tps
              ×0.78 [0.76, 0.80].
    Pairing   worth 2.1 times the prompts: unpaired, about 64 would be needed for this interval
              (standard error 0.182, unpaired 0.266).
    Changed   4 prompts passed by A alone, 0 by B alone; 30 changed in all, 0 did not.
    Memory    peak A 5.9 GB, B 3.9 GB; loading A 1,500 ms, B 1,500 ms (measured once).

    Next: evalh compare latest:a ':b c' --different
    "#);
}

#[test]
fn close_models_at_80_columns_with_what_changed() {
    let report = of(&testkit::three_models(), STRONG, CLOSE);
    assert_snapshot!(compare_terminal(&report, &view(80, false, true)), @r#"
    A  qwen2.5-7b-instruct-q4_k_m · run 01k3qa7z5m8c2p · business 1.0.0 · 30 prompts
    B  gemma-3-4b-it-q4_k_m · run 01k3qa7z5m8c2p · business 1.0.0 · 30 prompts
    30 prompts joined by content, none left out; intervals 95 %

    metric                        A - B, A / B        p  effect  better
    score *                   +0.1 [-0.3, 0.4]     0.72   +0.07  ~
    pass_rate +                 +13 pp [0, 30]    0.062   +0.39  ~
    ttft_ms_mean            ×1.57 [1.52, 1.63]  < 0.001   +5.11  B
    e2e_ms_mean             ×1.27 [1.23, 1.32]  < 0.001   +2.83  B
    decode_tps +            ×0.78 [0.76, 0.80]  < 0.001   -3.10  B
    tpot_ms_mean            ×1.28 [1.24, 1.32]            +3.10
    completion_tokens_mean  ×0.93 [0.90, 0.95]            -1.05
    local_usd_per_1k        ×1.27 [1.23, 1.32]            +2.83
    * primary, + secondary (Holm), others exploratory (Benjamini-Hochberg) or
    described without a test. × is A / B. ~ not told apart. Costs at $4,000 less
    $800 in 4 years, 5 % use, 60 W, $0.17/kWh: on one machine they follow the times.

    Samples that changed, where A lost most first
    sample        A               B               A - B
    task-a/s-012  correct 6.00    correct 7.40    -1.40
    task-b/s-019  correct 6.00    correct 7.40    -1.40
    task-c/s-005  correct 6.00    correct 7.40    -1.40
    task-c/s-026  correct 6.00    correct 7.40    -1.40
    task-a/s-015  correct 7.00    correct 7.90    -0.90
    task-b/s-001  correct 7.00    correct 7.90    -0.90
    task-b/s-022  correct 7.00    correct 7.90    -0.90
    task-c/s-008  correct 7.00    correct 7.90    -0.90
    task-c/s-029  correct 7.00    correct 7.90    -0.90
    task-a/s-018  correct 8.00    correct 8.40    -0.40
    task-b/s-004  correct 8.00    correct 8.40    -0.40
    task-b/s-025  correct 8.00    correct 8.40    -0.40
    task-c/s-011  correct 8.00    correct 8.40    -0.40
    task-a/s-000  incorrect 5.50  incorrect 5.40  +0.10
    task-a/s-021  incorrect 5.50  incorrect 5.40  +0.10
    task-b/s-007  incorrect 5.50  incorrect 5.40  +0.10
    task-b/s-028  incorrect 5.50  incorrect 5.40  +0.10
    task-c/s-014  incorrect 5.50  incorrect 5.40  +0.10
    task-a/s-003  correct 6.50    incorrect 5.90  +0.60
    task-a/s-024  correct 6.50    incorrect 5.90  +0.60
    task-b/s-010  correct 6.50    incorrect 5.90  +0.60
    task-c/s-017  correct 6.50    incorrect 5.90  +0.60
    task-a/s-006  correct 7.50    correct 6.40    +1.10
    task-a/s-027  correct 7.50    correct 6.40    +1.10
    task-b/s-013  correct 7.50    correct 6.40    +1.10
    task-c/s-020  correct 7.50    correct 6.40    +1.10
    task-a/s-009  correct 8.50    correct 6.90    +1.60
    task-b/s-016  correct 8.50    correct 6.90    +1.60
    task-c/s-002  correct 8.50    correct 6.90    +1.60
    task-c/s-023  correct 8.50    correct 6.90    +1.60

    Better?   A and B are not told apart: score +0.1 [-0.3, 0.4], p 0.72 (paired-t,
              30 prompts). These prompts show differences from 0.5 on (80 % power).
              Telling the one seen apart needs about 1,800 prompts.
              B is better in ttft_ms_mean ×1.57 [1.52, 1.63], e2e_ms_mean ×1.27
              [1.23, 1.32], decode_tps ×0.78 [0.76, 0.80].
    Pairing   worth 2.1 times the prompts: unpaired, about 64 would be needed for
              this interval (standard error 0.182, unpaired 0.266).
    Changed   4 prompts passed by A alone, 0 by B alone; 30 changed in all, 0 did
              not.
    Memory    peak A 5.9 GB, B 3.9 GB; loading A 1,500 ms, B 1,500 ms (measured
              once).

    Next: evalh compare latest:a ':b c' --kpi all
    "#);
}

#[test]
fn a_weak_model_in_full() {
    let report = of(&testkit::three_models(), STRONG, WEAK);
    assert_snapshot!(compare_terminal(&report, &view(100, true, false)), @r#"
    A  qwen2.5-7b-instruct-q4_k_m · run 01k3qa7z5m8c2p · business 1.0.0 · 30 prompts
    B  smollm2-135m-instruct-q4_1 · run 01k3qa7z5m8c2p · business 1.0.0 · 30 prompts
    30 prompts joined by content, none left out; intervals 95 %

    score * (primary, difference)
      A - B     +5.7 [5.2, 6.1] (paired-t, 30 prompts)
      A         7.0 [6.6, 7.3] (t, 30 prompts)
      B         1.3 [0.9, 1.7] (t, 30 prompts)
      prompts   A better 30, B better 0, equal 0
      test      paired-t 27.746, df 29, p < 0.001; holm of 1: p < 0.001; told apart
      effect    +5.07 [+3.72, +6.41] (cohen-dz)
      power     80 % for +0.590
      pairing   standard error 0.2036 paired, 0.2647 unpaired, correlation 0.41: 1.7 times the prompts
      also      sign-flip-random p < 0.001; wilcoxon-exact p < 0.001; hodges-lehmann +5.8 [5.2, 6.0]

    pass_rate + (secondary, difference)
      A - B     +83 pp [63, 93] (tango, 30 prompts)
      A         83 % [66, 93] (wilson, 30 prompts)
      B         0 % [0, 11] (wilson, 30 prompts)
      passed    both 0, A alone 25, B alone 0, neither 5
      test      mcnemar-mid-p, p < 0.001; holm of 2: p < 0.001; told apart
      effect    +2.20 [+1.53, +2.86] (cohen-dz)
      power     80 % for +20.1 pp
      pairing   standard error 0.0692 paired, 0.0692 unpaired: 1.0 times the prompts
      also      mcnemar-exact p < 0.001; paired-t +83 pp [69, 97] p < 0.001; newcombe-paired +83 pp
                [63, 93]

    ttft_ms_mean (exploratory, ratio)
      A / B     ×9.53 [9.33, 9.73] (log-ratio-t, 29 prompts)
      A         350 ms [344, 355] (t, 29 prompts)
      B         37 ms [36, 37] (t, 29 prompts)
      prompts   A better 0, B better 29, equal 0
      test      paired-t 216.363, df 28, p < 0.001; bh of 2: p < 0.001; told apart
      effect    +40.18 [+29.70, +50.63] (cohen-dz)
      power     80 % for ×1.03
      pairing   standard error 0.0104 paired, 0.0105 unpaired, correlation 0.01: 1.0 times the prompts
      also      sign-flip-random p < 0.001; fieller-paired ×9.53 [9.33, 9.74]

    e2e_ms_mean (exploratory, ratio)
      A / B     ×6.87 [6.01, 7.85] (log-ratio-t, 29 prompts)
      A         1,249 ms [1,220, 1,278] (t, 29 prompts)
      B         194 ms [160, 227] (t, 29 prompts)
      prompts   A better 0, B better 29, equal 0
      test      paired-t 29.588, df 28, p < 0.001; bh of 2: p < 0.001; told apart
      effect    +5.49 [+4.01, +6.97] (cohen-dz)
      power     80 % for ×1.21
      pairing   standard error 0.0651 paired, 0.0647 unpaired, correlation -0.04: 1.0 times the prompts
      also      sign-flip-random p < 0.001; fieller-paired ×6.45 [5.49, 7.82]

    decode_tps + (secondary, ratio)
      A / B     ×0.117 [0.108, 0.127] (log-ratio-t, 29 prompts)
      A         47.6 tok/s [46.9, 48.3] (t, 29 prompts)
      B         414 tok/s [382, 446] (t, 29 prompts)
      prompts   A better 0, B better 29, equal 0
      test      paired-t -55.409, df 28, p < 0.001; holm of 2: p < 0.001; told apart
      effect    -10.29 [-12.99, -7.58] (cohen-dz)
      power     80 % for ×1.12
      pairing   standard error 0.0387 paired, 0.0390 unpaired, correlation 0.04: 1.0 times the prompts
      also      sign-flip-random p < 0.001; fieller-paired ×0.115 [0.107, 0.125]

    tpot_ms_mean (described, ratio)
      A / B     ×8.52 [7.87, 9.22] (log-ratio-t, 29 prompts)
      A         21 ms [21, 21] (t, 29 prompts)
      B         2.5 ms [2.3, 2.7] (t, 29 prompts)
      prompts   A better 0, B better 29, equal 0
      effect    +10.29 [+7.58, +12.99] (cohen-dz)
      pairing   standard error 0.0387 paired, 0.0390 unpaired, correlation 0.04: 1.0 times the prompts
      also      fieller-paired ×8.36 [7.75, 9.06]

    completion_tokens_mean (described, ratio)
      A / B     ×0.75 [0.63, 0.88] (log-ratio-t, 29 prompts)
      A         44 tokens [43, 45] (t, 29 prompts)
      B         63 tokens [53, 73] (t, 29 prompts)
      prompts   A better 1, B better 28, equal 0
      effect    -0.68 [-1.08, -0.27] (cohen-dz)
      pairing   standard error 0.0795 paired, 0.0788 unpaired, correlation -0.07: 1.0 times the prompts
      also      fieller-paired ×0.70 [0.60, 0.83]

    local_usd_per_1k (described, ratio)
      A / B     ×6.87 [6.01, 7.85] (log-ratio-t, 29 prompts)
      A         $0.64 [0.62, 0.65] (t, 29 prompts)
      B         $0.10 [0.08, 0.12] (t, 29 prompts)
      prompts   A better 0, B better 29, equal 0
      effect    +5.49 [+4.01, +6.97] (cohen-dz)
      pairing   standard error 0.0651 paired, 0.0647 unpaired, correlation -0.04: 1.0 times the prompts
      also      fieller-paired ×6.45 [5.49, 7.82]

    * primary, + secondary (Holm), others exploratory (Benjamini-Hochberg) or described without a test.
    × is A / B. ~ not told apart. Costs at $4,000 less $800 in 4 years, 5 % use, 60 W, $0.17/kWh: on one
    machine they follow the times.

    Better?   A is better: score +5.7 [5.2, 6.1], p < 0.001 (paired-t, 30 prompts).
              A is better in pass_rate +83 pp [63, 93].
              B is better in ttft_ms_mean ×9.53 [9.33, 9.73], e2e_ms_mean ×6.87 [6.01, 7.85], decode_tps
              ×0.117 [0.108, 0.127].
    Pairing   worth 1.7 times the prompts: unpaired, about 51 would be needed for this interval
              (standard error 0.204, unpaired 0.265).
    Changed   25 prompts passed by A alone, 0 by B alone; 30 changed in all, 0 did not.
    Outcomes  A: 25 correct, 5 incorrect.
              B: 27 incorrect, 1 unparsed, 1 truncated, 1 timeout.
              score, A - B: +5.683 with what was not answered as wrong, +5.556 with them left out
              (27 prompts).
    Memory    peak A 5.9 GB, B 200 MB; loading A 1,500 ms, B 1,500 ms (measured once).

    Beware    samples without a generation, counted as failed and scored 0: 0 of A, 1 of B.

    Next: evalh compare latest:a ':b c' --different
    "#);
}

#[test]
fn repetitions_in_full() {
    let spec = |i: u32, by: f64| {
        Spec::scored(f64::from(i * 5 % 11) * 0.7 + by).timed(40 + u64::from(i), 5, 20)
    };
    let a = (0..24).map(|i| spec(i, 1.0)).collect();
    let b = (0..24).map(|i| spec(i * 3, 0.0)).collect();
    let run = testkit::run(&[("a", a), ("b", b)], 3);
    assert_snapshot!(compare_terminal(&of(&run, "a", "b"), &view(100, true, true)), @r#"
    A  a · run 01k3qa7z5m8c2p · business 1.0.0 · 8 prompts, 24 samples
    B  b · run 01k3qa7z5m8c2p · business 1.0.0 · 8 prompts, 24 samples
    8 prompts joined by content, none left out; intervals 95 %

    score * (primary, difference)
      A - B     +1.0 [0.1, 1.9] (paired-t, 8 prompts)
      A         4.4 [3.5, 5.3] (cluster-means-t, 8 prompts x 3)
      B         3.3 [2.7, 4.0] (cluster-means-t, 8 prompts x 3)
      prompts   A better 7, B better 1, equal 0
      test      paired-t 2.670, df 7, p 0.032; holm of 1: p 0.032; told apart
      effect    +0.94 [+0.08, +1.77] (cohen-dz)
      power     80 % for +1.26
      pairing   standard error 0.3855 paired, 0.4660 unpaired, correlation 0.33: 1.5 times the prompts
      also      sign-flip-exact p 0.047; wilcoxon-exact p 0.055; hodges-lehmann +1.1 [-0.1, 1.9]

    pass_rate + (secondary, difference)
      A - B     +8 pp [-11, 28] (paired-t, 8 prompts)
      A         25 % [10, 49] (wilson-neff-t, 8 prompts x 3)
      B         17 % [6, 40] (wilson-neff-t, 8 prompts x 3)
      prompts   A better 3, B better 1, equal 4
      test      paired-t 1.000, df 7, p 0.35; holm of 2: p 0.70; not told apart
      effect    +0.35 [-0.37, +1.06] (cohen-dz)
      power     80 % for +27.2 pp; the one seen needs about 65 prompts
      pairing   standard error 0.0833 paired, 0.1045 unpaired, correlation 0.38: 1.6 times the prompts
      also      sign-flip-exact p 0.62; wilcoxon-exact p 0.62; hodges-lehmann +8 pp [-17, 33]

    ttft_ms_mean (exploratory, ratio)
      A / B     ×0.71 [0.62, 0.82] (log-ratio-t, 8 prompts)
      A         52 ms [45, 58] (cluster-means-t, 8 prompts x 3)
      B         74 ms [56, 93] (cluster-means-t, 8 prompts x 3)
      prompts   A better 8, B better 0, equal 0
      test      paired-t -5.628, df 7, p < 0.001; bh of 2: p 0.0016; told apart
      effect    -1.99 [-3.20, -0.74] (cohen-dz)
      power     80 % for ×1.22
      pairing   standard error 0.0599 paired, 0.1220 unpaired, correlation 1.00: 4.1 times the prompts
      also      sign-flip-exact p 0.0078; fieller-paired ×0.69 [0.62, 0.81]

    e2e_ms_mean (exploratory, ratio)
      A / B     ×0.87 [0.81, 0.93] (log-ratio-t, 8 prompts)
      A         146 ms [140, 153] (cluster-means-t, 8 prompts x 3)
      B         170 ms [151, 188] (cluster-means-t, 8 prompts x 3)
      prompts   A better 8, B better 0, equal 0
      test      paired-t -4.856, df 7, p 0.0018; bh of 2: p 0.0018; told apart
      effect    -1.72 [-2.82, -0.58] (cohen-dz)
      power     80 % for ×1.10
      pairing   standard error 0.0287 paired, 0.0497 unpaired, correlation 1.00: 3.0 times the prompts
      also      sign-flip-exact p 0.0078; fieller-paired ×0.86 [0.81, 0.93]

    decode_tps + (secondary, ratio)
      A / B     ×1.00 [1.00, 1.00] (log-ratio-t, 8 prompts)
      A         200 tok/s [200, 200] (cluster-means-t, 8 prompts x 3)
      B         200 tok/s [200, 200] (cluster-means-t, 8 prompts x 3)
      prompts   A better 0, B better 0, equal 8
      test      paired-t, df 7, p 1; holm of 2: p 1; not told apart
      also      sign-flip-exact p 1; fieller-paired ×1.00 [1.00, 1.00]

    tpot_ms_mean (described, ratio)
      A / B     ×1.00 [1.00, 1.00] (log-ratio-t, 8 prompts)
      A         5.00 ms [5.00, 5.00] (cluster-means-t, 8 prompts x 3)
      B         5.00 ms [5.00, 5.00] (cluster-means-t, 8 prompts x 3)
      prompts   A better 0, B better 0, equal 8
      also      fieller-paired ×1.00 [1.00, 1.00]

    completion_tokens_mean (described, ratio)
      A / B     ×1.00 [1.00, 1.00] (log-ratio-t, 8 prompts)
      A         20.0 tokens [20.0, 20.0] (cluster-means-t, 8 prompts x 3)
      B         20.0 tokens [20.0, 20.0] (cluster-means-t, 8 prompts x 3)
      prompts   A better 0, B better 0, equal 8
      also      fieller-paired ×1.00 [1.00, 1.00]

    local_usd_per_1k (described, ratio)
      A / B     ×0.87 [0.81, 0.93] (log-ratio-t, 8 prompts)
      A         $0.075 [0.072, 0.078] (cluster-means-t, 8 prompts x 3)
      B         $0.086 [0.077, 0.096] (cluster-means-t, 8 prompts x 3)
      prompts   A better 8, B better 0, equal 0
      effect    -1.72 [-2.82, -0.58] (cohen-dz)
      pairing   standard error 0.0287 paired, 0.0497 unpaired, correlation 1.00: 3.0 times the prompts
      also      fieller-paired ×0.86 [0.81, 0.93]

    * primary, + secondary (Holm), others exploratory (Benjamini-Hochberg) or described without a test.
    × is A / B. ~ not told apart. Costs at $4,000 less $800 in 4 years, 5 % use, 60 W, $0.17/kWh: on one
    machine they follow the times.

    Samples that changed, where A lost most first
    sample        A                            B                            A - B
    task-a/s-006  3 incorrect 3.33             1 correct, 2 incorrect 4.43  -1.10
    task-a/s-003  3 incorrect 2.63             3 incorrect 2.33             +0.30
    task-c/s-002  1 correct, 2 incorrect 4.97  1 correct, 2 incorrect 4.20  +0.77
    task-b/s-007  3 incorrect 3.57             3 incorrect 2.57             +1.00
    task-b/s-001  1 correct, 2 incorrect 4.73  1 correct, 2 incorrect 3.50  +1.23
    task-a/s-000  1 correct, 2 incorrect 4.50  3 incorrect 2.80             +1.70
    task-c/s-005  2 correct, 1 incorrect 5.67  1 correct, 2 incorrect 3.73  +1.93
    task-b/s-004  1 correct, 2 incorrect 5.43  3 incorrect 3.03             +2.40

    Better?   A is better: score +1.0 [0.1, 1.9], p 0.032 (paired-t, 8 prompts).
              A is better in ttft_ms_mean ×0.71 [0.62, 0.82], e2e_ms_mean ×0.87 [0.81, 0.93].
    Pairing   worth 1.5 times the prompts: unpaired, about 12 would be needed for this interval
              (standard error 0.386, unpaired 0.466).
    Changed   3 prompts passed more often by A, 1 by B; 8 changed in all, 0 did not.
    Memory    peak A 2.7 GB, B 2.7 GB; loading A 1,500 ms, B 1,500 ms (measured once).

    Beware    8 prompts: below 20 intervals lean on the assumed distribution.
              `score`: `paired-t` gives p 0.032, `wilcoxon-exact` gives p 0.055; they disagree on the
              verdict.

    Next: evalh compare latest:a ':b c' --json
    "#);
}

#[test]
fn files_of_zeros_and_ones() {
    let report = files(
        "acc",
        &["1", "1", "1", "0", "1", "1", "1"],
        &["1", "0", "0", "1", "0", "0", "null"],
    );
    assert_snapshot!(compare_terminal(&report, &view(80, false, true)), @r#"
    A  a.jsonl · logs/a.jsonl · 7 prompts
    B  b.jsonl · logs/b.jsonl · 7 prompts
    7 prompts joined by doc_hash and filter, none left out; intervals 95 %

    metric              A              B      A - B, A / B     p  effect  better
    acc *   83 % [44, 97]  33 % [10, 70]  +50 pp [-22, 86]  0.22   +0.60  ~
    * primary, + secondary (Holm), others exploratory (Benjamini-Hochberg) or
    described without a test. × is A / B. ~ not told apart.

    Samples that changed, where A lost most first
    sample          A          B           A - B
    a/d\u{1b}[2J|3  incorrect  correct     -1.00
    a/d\u{1b}[2J|1  correct    incorrect   +1.00
    a/d\u{1b}[2J|2  correct    incorrect   +1.00
    a/d\u{1b}[2J|4  correct    incorrect   +1.00
    a/d\u{1b}[2J|5  correct    incorrect   +1.00
    a/d\u{1b}[2J|6  correct    not scored      –

    Better?   A and B are not told apart: acc +50 pp [-22, 86], p 0.22
              (mcnemar-mid-p, 6 prompts). Telling the one seen apart needs about
              24 prompts.
    Pairing   worth nothing here: the two do not find the same prompts hard
              (standard error 0.342, unpaired 0.269).
    Changed   4 prompts passed by A alone, 1 by B alone; 6 changed in all, 1 did
              not.

    Beware    7 prompts: below 20 intervals lean on the assumed distribution.
              samples that could not be judged, left out: 0 of A, 1 of B; the
              difference of the pass rates lies between +42.9 and +57.1 pp.

    Next: evalh compare latest:a ':b c' --kpi all
    "#);
}

#[test]
fn a_page_with_hostile_names() {
    let report = files("f1|`x", &["0.5", "0.25", "0.75"], &["0.5", "0.5", "0.25"]);
    let text = compare_markdown(&report, &view(80, true, true));
    assert!(!text.contains('\u{1b}'));
    assert_snapshot!(text, @r#"
    # a.jsonl against b.jsonl

    - A: a.jsonl · logs/a.jsonl · 3 prompts
    - B: b.jsonl · logs/b.jsonl · 3 prompts
    - 3 prompts joined by doc_hash and filter, none left out; intervals 95 %

    | metric | A | B | A - B, A / B | p corrected | test | effect | better |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | `` f1\|`x `` \* | 0.5 \[-0.1, 1.1\] | 0.4 \[0.1, 0.8\] | +0.1 \[-0.9, 1.0\] | 0.74 | paired-t, holm of 1 | +0.22 | – |

    \* primary, + secondary (Holm), others exploratory (Benjamini-Hochberg) or described without a test. × is A / B. \~ not told apart.

    ## Better?

    - No verdict: f1\|\`x +0.1 \[-0.9, 1.0\], p 0.74 (paired-t, 3 prompts); \`paired-t\` needs at least 6 units but has 3.

    ## Pairing

    - worth nothing here: the two do not find the same prompts hard (standard error 0.220, unpaired 0.167).

    ## Changed

    - 2 changed, 1 did not.

    ## Beware

    - 3 prompts: below 20 intervals lean on the assumed distribution, below 6 there is no verdict.

    ## Samples that changed

    | sample | A | B | A - B |
    | --- | --- | --- | ---: |
    | a/d\\u{1b}\[2J\|1 | 0.25 | 0.50 | -0.25 |
    | a/d\\u{1b}\[2J\|2 | 0.75 | 0.25 | +0.50 |

    ## Every method

    **f1\|\`x**

    - A - B: +0.1 \[-0.9, 1.0\] (paired-t, 3 prompts)
    - A: 0.5 \[-0.1, 1.1\] (t, 3 prompts)
    - B: 0.4 \[0.1, 0.8\] (t, 3 prompts)
    - prompts: A better 1, B better 1, equal 1
    - test: paired-t 0.378, df 2, p 0.74; holm of 1: p 0.74; untestable
    - effect: +0.22 \[-0.95, +1.34\] (cohen-dz)
    - power: 80 % for +1.25; the one seen needs about 170 prompts
    - pairing: standard error 0.2205 paired, 0.1667 unpaired, correlation -0.87: 0.6 times the prompts
    - also: sign-flip-exact p 1; wilcoxon-exact p 1; hodges-lehmann +0.062

    Next: `evalh compare latest:a ':b c' --json`
    "#);
}

#[test]
fn a_script_learns_the_same() {
    let report = of(&testkit::three_models(), STRONG, WEAK);
    let json: serde_json::Value = serde_json::from_str(&compare_json(&report)).unwrap();
    assert_eq!(
        (&json["schema_version"], &json["kind"]),
        (&1.into(), &"compare".into())
    );
    let rows = json["comparisons"].as_array().unwrap();
    assert_eq!(
        (rows.len(), json["described"].as_array().unwrap().len()),
        (5, 3)
    );
    for (row, (c, detail)) in rows
        .iter()
        .chain(json["described"].as_array().unwrap())
        .zip(report.rows())
    {
        assert_eq!(row["metric"], c.metric.id);
        assert_eq!(row["value"].as_f64(), c.value.point());
        assert_eq!(row["a"]["value"].as_f64(), detail.sides[0].point());
        assert_eq!(row["test"]["p"].as_f64(), c.test.as_ref().map(|t| t.p));
        assert_eq!(row["effect_size"]["value"].as_f64(), detail.effect.point());
        assert_eq!(
            row["pairing"]["saved"].as_f64(),
            detail.pairing.map(|p| p.saved)
        );
        assert_eq!(row["also"].as_array().unwrap().len(), detail.also.len());
    }
    assert_eq!(rows[0]["better"], "a");
    assert_eq!(json["a"]["label"], STRONG);
    let list = json["changes"]["list"].as_array().unwrap();
    assert_eq!(list.len(), report.changes.list.len());
    let codes: Vec<&str> = json["cautions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        report
            .cautions
            .iter()
            .map(crate::analysis::ContrastCaution::code)
            .collect::<Vec<_>>()
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let reports = [
        of(&testkit::three_models(), STRONG, CLOSE),
        of(&testkit::three_models(), WEAK, STRONG),
        files("acc", &["1", "1", "0"], &["1", "0", "0"]),
    ];
    for report in &reports {
        for width in [60, 72, 80, 100, 140] {
            for (all, different) in [(false, false), (true, false), (false, true)] {
                let text = compare_terminal(report, &view(width, all, different));
                for line in text.lines().filter(|l| !l.starts_with("Next: ")) {
                    assert!(table::columns(line) <= width.min(100), "{width}: {line}");
                }
            }
        }
    }
}

#[test]
fn colours_add_and_never_carry() {
    let report = of(&testkit::three_models(), STRONG, WEAK);
    let plain = compare_terminal(&report, &view(100, false, true));
    let coloured = compare_terminal(
        &report,
        &CompareView {
            palette: Palette::ANSI,
            ..view(100, false, true)
        },
    );
    let bare = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    assert_ne!(plain, coloured);
    assert_eq!(bare.replace_all(&coloured, ""), plain);
}
