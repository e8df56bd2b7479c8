//! The report for a spreadsheet: one number a row, at full precision.
//!
//! RFC 4180 with a head line and LF. Cells with text are guarded against formulas; cells with numbers hold nothing but the number. An
//! absent number is an empty cell with its reason in the last column.

use super::escape;
use crate::analysis::{Figure, ReportModel};

const HEAD: &str = "run,scope,model,model_id,other,slice,metric,unit,role,value,lower,upper,level,method,n,observations,p,p_adjusted,verdict,absent";

/// Where a figure stands.
#[derive(Default)]
struct Place<'a> {
    scope: &'static str,
    model: &'a str,
    model_id: &'a str,
    /// The cloud price, or the other model of a pair.
    other: &'a str,
    slice: &'a str,
}

/// The report as CSV.
pub fn csv(report: &ReportModel) -> String {
    let run = report.header.id.as_str();
    let mut out = String::from(HEAD);
    out.push('\n');
    let mut push = |place: &Place<'_>, figure: &Figure, test: [String; 3]| {
        out.push_str(&row(run, place, figure, test));
        out.push('\n');
    };
    let none = || [String::new(), String::new(), String::new()];
    for m in &report.models {
        let place = Place {
            scope: "model",
            model: &m.label,
            model_id: m.id.as_str(),
            ..Place::default()
        };
        m.figures.iter().for_each(|f| push(&place, f, none()));
        for (scope, slices) in [("task", &m.tasks), ("difficulty", &m.difficulties)] {
            for slice in slices {
                let place = Place {
                    scope,
                    slice: &slice.name,
                    ..place
                };
                slice.figures.iter().for_each(|f| push(&place, f, none()));
            }
        }
        for versus in m.cost.iter().flat_map(|c| &c.versus) {
            let place = Place {
                scope: "price",
                other: &versus.price.name,
                ..place
            };
            versus.figures.iter().for_each(|f| push(&place, f, none()));
        }
    }
    for pair in &report.pairs {
        let (a, b) = (&report.models[pair.a], &report.models[pair.b]);
        for c in &pair.comparisons {
            let place = Place {
                scope: c.scale.as_str(),
                model: &a.label,
                model_id: a.id.as_str(),
                other: &b.label,
                ..Place::default()
            };
            let figure = Figure {
                metric: c.metric,
                role: c.role,
                value: c.value.clone(),
            };
            let p = |f: fn(&crate::analysis::TestReport) -> f64| {
                c.test
                    .as_ref()
                    .map_or_else(String::new, |t| f(t).to_string())
            };
            push(
                &place,
                &figure,
                [
                    p(|t| t.p),
                    p(|t| t.p_adjusted),
                    c.verdict.as_str().to_owned(),
                ],
            );
        }
    }
    out
}

fn row(run: &str, place: &Place<'_>, figure: &Figure, test: [String; 3]) -> String {
    let number = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    let m = figure.value.measured();
    let interval = m.and_then(|m| m.interval);
    let absent = figure
        .value
        .absence()
        .map_or_else(String::new, ToString::to_string);
    let [p, p_adjusted, verdict] = test;
    let cells = [
        escape::csv(run),
        place.scope.to_owned(),
        escape::csv(place.model),
        place.model_id.to_owned(),
        escape::csv(place.other),
        escape::csv(place.slice),
        figure.metric.id.to_owned(),
        unit(figure),
        figure.role.as_str().to_owned(),
        number(m.map(|m| m.point)),
        number(interval.and_then(|i| i.lower)),
        number(interval.and_then(|i| i.upper)),
        number(interval.map(|i| i.level)),
        m.map_or_else(String::new, |m| m.method.to_owned()),
        m.map_or_else(String::new, |m| m.n.to_string()),
        m.map_or_else(String::new, |m| m.observations.to_string()),
        p,
        p_adjusted,
        verdict,
        escape::csv(&absent),
    ];
    cells.join(",")
}

/// Shares are 0 to 1 here, so that `%` would be wrong.
fn unit(figure: &Figure) -> String {
    match figure.metric.unit {
        crate::metric::Unit::Share => "share".to_owned(),
        unit => escape::csv(unit.symbol()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testkit;
    use crate::analysis::{AnalysisOptions, analyse};

    /// Splits a line of RFC 4180.
    fn cells(line: &str) -> Vec<String> {
        let (mut out, mut cell, mut quoted) = (Vec::new(), String::new(), false);
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
                '"' => quoted = !quoted,
                ',' if !quoted => out.push(std::mem::take(&mut cell)),
                _ => cell.push(c),
            }
        }
        out.push(cell);
        out
    }

    #[test]
    fn every_row_has_every_cell_and_numbers_come_back() {
        let report = analyse(
            &testkit::three_models(),
            &testkit::prices(),
            &AnalysisOptions::default(),
        );
        let text = csv(&report);
        let rows: Vec<Vec<String>> = text.lines().map(cells).collect();
        assert!(rows.iter().all(|r| r.len() == 20));
        let score = rows
            .iter()
            .find(|r| r[1] == "model" && r[6] == "score")
            .unwrap();
        assert_eq!(
            score[9].parse::<f64>().unwrap(),
            report.models[0].measured("score").unwrap().point
        );
        let absent = report.models[0]
            .figures
            .iter()
            .filter(|f| f.value.absence().is_some())
            .count();
        let empty = rows
            .iter()
            .filter(|r| r[1] == "model" && r[2] == report.models[0].label && r[9].is_empty())
            .count();
        assert_eq!(empty, absent);
        assert!(
            rows.iter()
                .filter(|r| r[9].is_empty())
                .all(|r| !r[19].is_empty())
        );
    }

    #[test]
    fn the_first_rows() {
        let report = analyse(
            &testkit::three_models(),
            &testkit::prices(),
            &AnalysisOptions::default(),
        );
        let text = csv(&report);
        let head: Vec<&str> = text.lines().take(4).collect();
        insta::assert_snapshot!(head.join("\n"), @r#"
        run,scope,model,model_id,other,slice,metric,unit,role,value,lower,upper,level,method,n,observations,p,p_adjusted,verdict,absent
        01k3qa7z5m8c2p,model,qwen2.5-7b-instruct-q4_k_m,ada8c5aaa4540ca5a9e6725a87779d0939095f9fcce04382e1f20a3676c45844,,,score,0-10,primary,6.95,6.56910428098848,7.3308957190115205,0.95,t,30,30,,,,
        01k3qa7z5m8c2p,model,qwen2.5-7b-instruct-q4_k_m,ada8c5aaa4540ca5a9e6725a87779d0939095f9fcce04382e1f20a3676c45844,,,score_p50,0-10,exploratory,7,6.5,7.5,0.95,order-statistic,30,30,,,,
        01k3qa7z5m8c2p,model,qwen2.5-7b-instruct-q4_k_m,ada8c5aaa4540ca5a9e6725a87779d0939095f9fcce04382e1f20a3676c45844,,,pass_rate,share,secondary,0.8333333333333334,0.6643564949358396,0.9266345762815145,0.95,wilson,30,30,,,,
        "#);
        let last = text.lines().last().unwrap();
        insta::assert_snapshot!(last, @r#"01k3qa7z5m8c2p,ratio,gemma-3-4b-it-q4_k_m,ff33560b9b0839c2f78f9c097af3c5a1a87396106d2069876479cffcb3a51b30,smollm2-135m-instruct-q4_1,,decode_tps,tok/s,secondary,0.15093335257697743,0.14018146743976825,0.16250990474125576,0.95,log-ratio-t,29,29,0.000000000000000000000000000017011803202553008,0.00000000000000000000000000008505901601276505,told_apart,"#);
    }

    #[test]
    fn a_model_named_like_a_formula_is_text() {
        let mut run = testkit::three_models();
        run.models[0].planned.name = "=cmd|'/c calc'!A1".to_owned();
        run.samples
            .iter_mut()
            .for_each(|s| s.key.task = "+1,2".to_owned());
        let text = csv(&analyse(
            &run,
            &testkit::prices(),
            &AnalysisOptions::default(),
        ));
        assert!(text.contains(",\"'=cmd|'/c calc'!A1\","));
        assert!(text.contains(",\"'+1,2\","));
        assert!(
            !text.lines().any(|l| l.starts_with(['=', '+', '-', '@'])
                || l.contains(",=")
                || l.contains(",+"))
        );
    }
}
