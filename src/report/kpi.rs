//! Every metric with its value, interval, method and number of units: `--kpi all`.

use super::escape;
use super::number;
use super::palette::Palette;
use super::table::{self, Align, Column};
use super::words::Words;
use crate::analysis::{Figure, ModelReport, ReportModel, Role, Value};
use crate::metric::Group;
use crate::record::SelfCheck;

/// Narrowest layout; below it lines are longer than the terminal.
const LEAST_WIDTH: usize = 60;
/// Widest layout.
const MOST_WIDTH: usize = 140;

/// Every metric of every model, as lines of at most `width` columns where the names allow it.
pub fn kpi_all(report: &ReportModel, width: usize, palette: Palette) -> String {
    let width = width.clamp(LEAST_WIDTH, MOST_WIDTH);
    let words = Words::new(report, escape::terminal);
    let mut lines = Vec::new();
    for model in &report.models {
        lines.push(palette.paint(palette.strong, &escape::terminal(&model.label)));
        let t = &model.tally;
        lines.push(format!(
            "{} of {} samples, {} prompts, intervals {}",
            t.recorded,
            t.planned,
            t.prompts,
            number::percent(report.level)
        ));
        for line in shape(model) {
            lines.extend(table::wrap(&line, width));
        }
        for group in Group::ALL {
            let figures: Vec<&Figure> = model
                .figures
                .iter()
                .filter(|f| f.metric.group == group)
                .collect();
            lines.push(String::new());
            lines.extend(section(group, &figures, width, palette));
        }
        lines.extend(prices(model, width, palette));
        lines.extend(scenarios(model));
        lines.push(String::new());
    }
    if let Some(line) = words.together_first() {
        lines.extend(table::wrap(&line, width));
        lines.push(String::new());
    }
    lines.extend(comparisons(report, width, palette));
    let mut list = |title: &str, style: &str, items: Vec<String>| {
        if items.is_empty() {
            return;
        }
        lines.push(palette.paint(style, title));
        for item in items {
            lines.extend(table::wrap(&item, width));
        }
        lines.push(String::new());
    };
    list("Not run", palette.strong, words.every_not_run());
    if words.basis().is_some() {
        list("Costs", palette.strong, vec![words.assumptions()]);
    }
    list("Beware", palette.bad, words.every_warning());
    lines.push("* primary, + secondary, others exploratory. Methods: docs/statistics.md; definitions: docs/metrics.md.".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

/// What loading told, what unanswered samples can change, and what repetitions are worth.
fn shape(model: &ModelReport) -> Vec<String> {
    let check = model.loaded.as_ref().and_then(|l| l.check.as_ref());
    let mut out: Vec<String> = check.map(self_check).into_iter().collect();
    if let Some(b) = &model.bounds {
        let text = |value: &Value| {
            value.measured().map_or_else(
                || "–".to_owned(),
                |m| number::shown(b.metric.unit, m).text(),
            )
        };
        out.push(format!(
            "{} of {} samples without an answer to judge: {} {} with these as wrong, {} with these left out",
            b.unanswered,
            b.of,
            b.metric.id,
            text(&b.as_wrong),
            text(&b.left_out)
        ));
    }
    if let Some(r) = model.replication {
        out.push(format!(
            "design effect of score {}: {} samples of {} prompts say as much as {} independent ones",
            number::fixed(r.design_effect, 2),
            r.samples,
            r.prompts,
            number::fixed(r.effective, 0)
        ));
    }
    out
}

/// The check of a model after it was loaded.
fn self_check(check: &SelfCheck) -> String {
    format!(
        "self-check against the plain CPU path: logits differ by at most {:.1e} nats, scores together and alone by {:.1e}, where {:.1e} are \
         allowed; same arg-max at {} of {} positions",
        check.logit_diff,
        check.batch_diff,
        check.limit(),
        check.same_top1,
        check.positions
    )
}

/// A heading with its table, and what is absent below it, by reason.
fn section(group: Group, figures: &[&Figure], width: usize, palette: Palette) -> Vec<String> {
    let present: Vec<&Figure> = figures
        .iter()
        .copied()
        .filter(|f| f.value.measured().is_some())
        .collect();
    let mut out = Vec::new();
    if !present.is_empty() {
        let rows = figure_table(group.title(), &present);
        let mut lines = table::lines(&table::fit(rows, width));
        // The units stand in the rows here, so that the second line of the head is empty.
        lines.remove(1);
        lines[0] = palette.paint(palette.strong, &lines[0]);
        out.extend(lines);
    }
    for (reason, ids) in absent(figures) {
        let text = format!("– {}: {reason}", ids.join(", "));
        out.extend(
            table::wrap(&text, width)
                .iter()
                .map(|l| palette.paint(palette.dim, l)),
        );
    }
    out
}

/// Absent metrics by reason, in the order of the catalogue.
fn absent(figures: &[&Figure]) -> Vec<(String, Vec<&'static str>)> {
    let mut out: Vec<(String, Vec<&'static str>)> = Vec::new();
    for figure in figures {
        let Value::Absent(why) = &figure.value else {
            continue;
        };
        let reason = escape::terminal(&why.to_string());
        match out.iter_mut().find(|(r, _)| *r == reason) {
            Some((_, ids)) => ids.push(figure.metric.id),
            None => out.push((reason, vec![figure.metric.id])),
        }
    }
    out
}

fn column(head: &str, align: Align, lesser: u8, cells: Vec<String>) -> Column {
    Column {
        head: head.to_owned(),
        unit: String::new(),
        align,
        lesser,
        cells,
    }
}

fn figure_table(title: &str, figures: &[&Figure]) -> Vec<Column> {
    let cells = |f: &dyn Fn(&Figure) -> String| figures.iter().map(|x| f(x)).collect::<Vec<_>>();
    let measured = |f: &dyn Fn(&crate::analysis::Measured) -> String| {
        cells(&|x: &Figure| x.value.measured().map_or_else(String::new, f))
    };
    vec![
        column(
            title,
            Align::Left,
            0,
            cells(&|f| format!("{}{}", f.metric.id, role(f.role))),
        ),
        column(
            "value",
            Align::Right,
            0,
            cells(&|f| {
                f.value
                    .measured()
                    .map_or_else(String::new, |m| value(f, m).0)
            }),
        ),
        column(
            "interval",
            Align::Right,
            0,
            cells(&|f| {
                f.value
                    .measured()
                    .map_or_else(String::new, |m| value(f, m).1)
            }),
        ),
        column(
            "unit",
            Align::Left,
            1,
            cells(&|f| {
                f.value
                    .measured()
                    .map_or_else(String::new, |m| value(f, m).2)
            }),
        ),
        column("method", Align::Left, 2, measured(&|m| m.method.to_owned())),
        column("n", Align::Right, 3, measured(&|m| m.n.to_string())),
        column(
            "observations",
            Align::Right,
            4,
            measured(&|m| m.observations.to_string()),
        ),
    ]
}

fn value(figure: &Figure, measured: &crate::analysis::Measured) -> (String, String, String) {
    let shown = number::shown(figure.metric.unit, measured);
    let unit = if shown.unit == "$" {
        figure.metric.unit.symbol()
    } else {
        shown.unit
    };
    (
        shown.point,
        shown.interval.unwrap_or_default(),
        unit.to_owned(),
    )
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Primary => " *",
        Role::Secondary => " +",
        Role::Exploratory => "",
    }
}

fn prices(model: &ModelReport, width: usize, palette: Palette) -> Vec<String> {
    let versus = model.cost.iter().flat_map(|c| &c.versus);
    versus
        .flat_map(|v| {
            let title = format!(
                "Against {} ({})",
                escape::terminal(&v.price.name),
                escape::terminal(&v.price.as_of)
            );
            let figures: Vec<&Figure> = v.figures.iter().collect();
            let mut lines = vec![String::new(), palette.paint(palette.strong, &title)];
            lines.extend(section(Group::Cost, &figures, width, palette));
            lines
        })
        .collect()
}

fn scenarios(model: &ModelReport) -> Vec<String> {
    let Some(cost) = &model.cost else {
        return Vec::new();
    };
    let one = |s: &crate::analysis::Scenario| {
        let usd = number::number(
            crate::metric::Unit::UsdPerThousandTasks,
            s.cost.full_usd() * 1_000.0,
            None,
        );
        format!("{} {}", number::percent(s.utilisation), usd.text())
    };
    let all: Vec<String> = cost.scenarios.iter().map(one).collect();
    vec![
        String::new(),
        format!("1,000 tasks fully loaded, by use: {}", all.join(" · ")),
    ]
}

fn comparisons(report: &ReportModel, width: usize, palette: Palette) -> Vec<String> {
    let mut out = Vec::new();
    for pair in &report.pairs {
        let names = [pair.a, pair.b].map(|i| escape::terminal(&report.models[i].short));
        out.push(palette.paint(
            palette.strong,
            &format!(
                "{} against {}, {} prompts",
                names[0], names[1], pair.prompts
            ),
        ));
        let rows = &pair.comparisons;
        let cells = |f: &dyn Fn(&crate::analysis::ComparisonReport) -> String| {
            rows.iter().map(f).collect::<Vec<_>>()
        };
        let table = vec![
            column(
                "metric",
                Align::Left,
                0,
                cells(&|c| format!("{}{}", c.metric.id, role(c.role))),
            ),
            column("", Align::Left, 5, cells(&|c| c.scale.as_str().to_owned())),
            column(
                "value",
                Align::Right,
                0,
                cells(&|c| {
                    c.value.measured().map_or_else(
                        || "–".to_owned(),
                        |m| number::compared(c.scale, c.metric.unit, m).text(),
                    )
                }),
            ),
            column(
                "p corrected",
                Align::Right,
                1,
                cells(&|c| {
                    c.test
                        .as_ref()
                        .map_or_else(|| "–".to_owned(), |t| number::p_value(t.p_adjusted))
                }),
            ),
            column(
                "p",
                Align::Right,
                4,
                cells(&|c| {
                    c.test
                        .as_ref()
                        .map_or_else(|| "–".to_owned(), |t| number::p_value(t.p))
                }),
            ),
            column(
                "test",
                Align::Left,
                3,
                cells(&|c| {
                    c.test.as_ref().map_or_else(String::new, |t| {
                        format!("{}, {} of {}", t.method, t.adjustment, t.family)
                    })
                }),
            ),
            column(
                "verdict",
                Align::Left,
                2,
                cells(&|c| c.verdict.as_str().replace('_', " ")),
            ),
        ];
        let mut lines = table::lines(&table::fit(table, width));
        lines.remove(1);
        out.extend(lines);
        out.push(String::new());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testkit::{self, Spec};
    use crate::analysis::{AnalysisOptions, analyse};
    use crate::metric;

    #[test]
    fn every_metric_appears_with_its_value_or_its_reason() {
        let report = analyse(
            &testkit::three_models(),
            &testkit::prices(),
            &AnalysisOptions::default(),
        );
        let text = kpi_all(&report, 120, Palette::PLAIN);
        for m in metric::all() {
            let times = text
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .filter(|w| *w == m.id)
                .count();
            assert!(times >= 3, "{} appears {times} times", m.id);
        }
    }

    #[test]
    fn a_small_run() {
        let specs = |by: f64| {
            (0..8)
                .map(|i| Spec::scored(f64::from(i) + by))
                .collect::<Vec<_>>()
        };
        let run = testkit::run(&[("a", specs(1.5)), ("b", specs(0.0))], 1);
        let report = analyse(&run, &testkit::prices(), &AnalysisOptions::default());
        let text = kpi_all(&report, 110, Palette::PLAIN);
        // The second model has the same lines as the first.
        let (first, rest) = text.split_once("\nb\n").unwrap();
        let (_, pair) = rest.split_once("\na against b").unwrap();
        insta::assert_snapshot!(format!("{first}\na against b{pair}"), @r#"
        a
        8 of 8 samples, 8 prompts, intervals 95 %

        Quality             value    interval  unit  method           n  observations
        score *               5.0  [3.0, 7.0]        t                8             8
        score_p50             5.0  [1.5, 8.5]        order-statistic  8             8
        pass_rate +            38    [14, 69]  %     wilson           8             8
        pass_rate_answered     38    [14, 69]  %     wilson           8             8
        check_pass_rate        38     [0, 81]  %     ratio-of-sums    8             8
        checks_share           50    [30, 70]  %     t                8             8
        – acc, acc_norm, acc_bytes: no question with choices
        – acc_mutual_info: no task asks for mutual information
        – bits_per_byte, token_perplexity, word_perplexity, byte_perplexity: no text was measured
        – facts_share, form_share: no sample declares this component
        – score_sd_epochs: needs at least 2 epochs
        – answer_logprob_mean: log-probabilities were not recorded

        Latency              value      interval  unit  method            n  observations
        ttft_ms_p50 +          200    [200, 200]  ms    order-statistic   8             8
        ttft_ms_p90            200      [200, –]  ms    order-statistic   8             8
        ttft_ms_p95            200      [200, –]  ms    order-statistic   8             8
        ttft_ms_p99            200      [200, –]  ms    order-statistic   8             8
        ttft_ms_mean           200    [200, 200]  ms    t                 8             8
        tpot_ms_p50             20      [20, 20]  ms    order-statistic   8             8
        tpot_ms_p90             20       [20, –]  ms    order-statistic   8             8
        tpot_ms_p95             20       [20, –]  ms    order-statistic   8             8
        tpot_ms_p99             20       [20, –]  ms    order-statistic   8             8
        tpot_ms_mean            20      [20, 20]  ms    t                 8             8
        itl_ms_p50              20      [20, 20]  ms    woodruff-neff-t   8            80
        itl_ms_p90              20       [20, –]  ms    woodruff-neff-t   8            80
        itl_ms_p95              20       [20, –]  ms    woodruff-neff-t   8            80
        itl_ms_p99              20       [20, –]  ms    woodruff-neff-t   8            80
        itl_ms_mean             20      [20, 20]  ms    cluster-means-t   8            80
        ttst_ms_p50             20      [20, 20]  ms    order-statistic   8             8
        ttst_ms_p90             20       [20, –]  ms    order-statistic   8             8
        ttst_ms_p95             20       [20, –]  ms    order-statistic   8             8
        ttst_ms_p99             20       [20, –]  ms    order-statistic   8             8
        ttst_ms_mean            20      [20, 20]  ms    t                 8             8
        e2e_ms_p50             400    [400, 400]  ms    order-statistic   8             8
        e2e_ms_p90             400      [400, –]  ms    order-statistic   8             8
        e2e_ms_p95             400      [400, –]  ms    order-statistic   8             8
        e2e_ms_p99             400      [400, –]  ms    order-statistic   8             8
        e2e_ms_mean            400    [400, 400]  ms    t                 8             8
        prefill_ms_p50         100    [100, 100]  ms    order-statistic   8             8
        prefill_ms_p90         100      [100, –]  ms    order-statistic   8             8
        prefill_ms_p95         100      [100, –]  ms    order-statistic   8             8
        prefill_ms_p99         100      [100, –]  ms    order-statistic   8             8
        prefill_ms_mean        100    [100, 100]  ms    t                 8             8
        decode_ms_p50          200    [200, 200]  ms    order-statistic   8             8
        decode_ms_p90          200      [200, –]  ms    order-statistic   8             8
        decode_ms_p95          200      [200, –]  ms    order-statistic   8             8
        decode_ms_p99          200      [200, –]  ms    order-statistic   8             8
        decode_ms_mean         200    [200, 200]  ms    t                 8             8
        tokenize_ms_p50       1.00  [1.00, 1.00]  ms    order-statistic   8             8
        tokenize_ms_p90       1.00     [1.00, –]  ms    order-statistic   8             8
        tokenize_ms_p95       1.00     [1.00, –]  ms    order-statistic   8             8
        tokenize_ms_p99       1.00     [1.00, –]  ms    order-statistic   8             8
        tokenize_ms_mean      1.00  [1.00, 1.00]  ms    t                 8             8
        itl_jitter            1.00                      description      80            80
        first_request_ratio   1.00                      description       8             8
        ttft_slo_share         100       [69, –]  %     clopper-pearson   8             8
        load_ms              1,500                ms    measured-once     1             1
        – ttfa_ms_p50, ttfa_ms_p90, ttfa_ms_p95, ttfa_ms_p99, ttfa_ms_mean: no generation has thoughts
        – tpot_slo_share, e2e_slo_share: no limit was set

        Throughput              value        interval  unit      method         n  observations
        decode_tps +             50.0    [50.0, 50.0]  tok/s     ratio-of-sums  8             8
        prefill_tps             1,000  [1,000, 1,000]  tok/s     ratio-of-sums  8             8
        e2e_tps                  27.5    [27.5, 27.5]  tok/s     ratio-of-sums  8             8
        e2e_cps                  50.0    [50.0, 50.0]  char/s    ratio-of-sums  8             8
        requests_per_min          150      [150, 150]  a minute  ratio-of-sums  8             8
        goodput_per_min           150      [150, 150]  a minute  ratio-of-sums  8             8
        prompt_tokens_mean        100      [100, 100]  tokens    t              8             8
        completion_tokens_mean   11.0    [11.0, 11.0]  tokens    t              8             8
        completion_words_mean    5.00    [5.00, 5.00]  words     t              8             8
        – sustained_ratio: needs 9 requests but has 8
        – reasoning_tokens_mean, reasoning_share: no generation has thoughts

        Resources                 value  interval  unit               method         n  observations
        peak_bytes +                2.7            GB                 measured-once  1             1
        estimate_bytes              2.8            GB                 computed       1             1
        estimate_ratio            0.964                               computed       1             1
        file_bytes                  2.0            GB                 measured-once  1             1
        memory_overhead            1.35                               computed       1             1
        file_bytes_per_parameter  0.500            bytes a parameter  computed       1             1

        Reliability            value  interval  unit  method  n  observations
        correct_rate              38  [14, 69]  %     wilson  8             8
        incorrect_rate            62  [31, 86]  %     wilson  8             8
        unparsed_rate              0   [0, 32]  %     wilson  8             8
        empty_rate                 0   [0, 32]  %     wilson  8             8
        truncated_rate             0   [0, 32]  %     wilson  8             8
        refused_rate               0   [0, 32]  %     wilson  8             8
        template_refused_rate      0   [0, 32]  %     wilson  8             8
        timeout_rate               0   [0, 32]  %     wilson  8             8
        error_rate                 0   [0, 32]  %     wilson  8             8
        measured_rate              0   [0, 32]  %     wilson  8             8
        failed_rate                0   [0, 32]  %     wilson  8             8
        unscored_rate              0   [0, 32]  %     wilson  8             8
        cut_off_rate               0   [0, 32]  %     wilson  8             8
        loop_rate                  0   [0, 32]  %     wilson  8             8
        broken_text_rate           0   [0, 32]  %     wilson  8             8
        – identical_rate: needs at least 2 epochs

        Cost                             value          interval  unit           method         n  observations
        energy_j_per_task                 24.0      [24.0, 24.0]  J              t              8             8
        energy_usd_per_1k               0.0011  [0.0011, 0.0011]  $/1,000 tasks  t              8             8
        local_usd_per_1k                  0.20      [0.20, 0.20]  $/1,000 tasks  t              8             8
        local_usd_per_1k_passed           0.54      [0.00, 1.17]  $/1,000 tasks  ratio-of-sums  8             8
        energy_usd_per_mtok               0.10      [0.10, 0.10]  $/M tokens     ratio-of-sums  8             8
        local_usd_per_mtok               18.55    [18.55, 18.55]  $/M tokens     ratio-of-sums  8             8
        hardware_usd_per_busy_hour        1.83                    $/h            computed       1             1
        capacity_tasks_per_year     78,840,000                    tasks a year   computed       8             8

        Against gpt-4o-mini (2026-11-01)
        Cost                            value        interval  unit           method    n  observations
        cloud_usd_per_1k                0.022  [0.022, 0.022]  $/1,000 tasks  t         8             8
        saving_marginal                  94.8                  %              computed  1             1
        saving_full                      -845                  %              computed  1             1
        break_even_tasks_per_year  39,087,948                  tasks a year   computed  1             1

        1,000 tasks fully loaded, by use: 1 % $1.02 · 5 % $0.20 · 20 % $0.052 · 100 % $0.011

        a against b, 8 prompts
        metric                     value  p corrected         p  test                        verdict
        score *       +1.50 [1.50, 1.50]     p 0.0078  p 0.0078  sign-flip-exact, holm of 1  told apart
        pass_rate +     +12 pp [-24, 47]          p 1    p 0.50  mcnemar-mid-p, holm of 2    not told apart
        ttft_ms_mean  ×1.00 [1.00, 1.00]          p 1       p 1  paired-t, bh of 2           not told apart
        e2e_ms_mean   ×1.00 [1.00, 1.00]          p 1       p 1  paired-t, bh of 2           not told apart
        decode_tps +  ×1.00 [1.00, 1.00]          p 1       p 1  paired-t, holm of 2         not told apart

        Costs
        Assumed: $4,000 less $800 in 4 years, 5 % use, 60 W, $0.17/kWh; prices: 2026-11-01.

        Beware
        8 prompts: below 20 intervals lean on the assumed distribution
        cloud costs use the local token counts and answer lengths; the cloud bills its own

        * primary, + secondary, others exploratory. Methods: docs/statistics.md; definitions: docs/metrics.md.
        "#);
    }
}
