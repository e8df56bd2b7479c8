//! What it costs: a line a model, one line on where the cloud is dearer, one line on what was assumed.

use super::number;
use super::words::{Words, listed, plain, point_of, some_of, text_of};
use crate::analysis::{BreakEven, CostReport, ModelReport, PriceCard, VersusReport};

impl Words<'_> {
    pub(super) fn costs(&self) -> Vec<String> {
        let mut out: Vec<String> = self.spoken().map(|m| self.cost(m)).collect();
        if let Some((model, cost)) = self.basis() {
            out.extend(self.pays_off(model, cost));
            out.push(self.assumptions());
        }
        out
    }

    /// The model that cloud prices are held against: the cheapest of the leaders, or else the first one with a cost.
    pub(super) fn basis(&self) -> Option<(&ModelReport, &CostReport)> {
        let report = self.report;
        let leaders = report.leaders.iter().map(|&i| &report.models[i]);
        let priced = |m| Some((m, ModelReport::cost(m)?));
        leaders
            .filter_map(priced)
            .min_by(|x, y| x.1.local.full_usd().total_cmp(&y.1.local.full_usd()))
            .or_else(|| report.models.iter().find_map(priced))
    }

    /// The prices held against the basis, cheapest first.
    pub(super) fn prices(&self) -> Vec<&VersusReport> {
        let mut prices: Vec<&VersusReport> = self
            .basis()
            .map_or_else(Vec::new, |(_, cost)| cost.versus.iter().collect());
        let usd = |v: &VersusReport| {
            let value = v.value("cloud_usd_per_1k");
            value.and_then(crate::analysis::Value::point)
        };
        prices.sort_by(|a, b| {
            let (x, y) = (usd(a).unwrap_or(f64::MAX), usd(b).unwrap_or(f64::MAX));
            x.total_cmp(&y)
                .then_with(|| a.price.name.cmp(&b.price.name))
        });
        prices
    }

    fn cost(&self, model: &ModelReport) -> String {
        let name = self.short(model);
        if model.cost.is_none() {
            return format!("{name}: no cost, {}.", self.why(model, "local_usd_per_1k"));
        }
        format!(
            "{name}: {} per 1,000 tasks ({} electricity alone).",
            text_of(model.figure("local_usd_per_1k")),
            point_of(model.figure("energy_usd_per_1k"))
        )
    }

    /// From which volume on the model is cheaper than which price: sorted, in one unit.
    fn pays_off(&self, model: &ModelReport, cost: &CostReport) -> Option<String> {
        let mut reachable: Vec<(f64, String)> = Vec::new();
        let (mut beyond, mut never) = (Vec::new(), Vec::new());
        let mut most = None;
        // The dearest prices pay off first.
        for versus in self.prices().into_iter().rev() {
            let name = (self.escape)(&versus.price.name);
            match versus.break_even {
                BreakEven::Tasks(tasks) => reachable.push((tasks, name)),
                BreakEven::BeyondCapacity { capacity, .. } => {
                    most = Some(capacity);
                    beyond.push(name);
                }
                BreakEven::Never => never.push(name),
            }
        }
        if cost.versus.is_empty() {
            return None;
        }
        reachable.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (unit, word) = scale(&reachable);
        let mut parts = Vec::new();
        if !reachable.is_empty() {
            let volumes: Vec<String> = reachable
                .iter()
                .enumerate()
                .map(|(i, (tasks, name))| {
                    let from = if i == 0 { "from " } else { "" };
                    format!("{name} {from}{}", number::two_digits(tasks / unit))
                })
                .collect();
            parts.push(format!("against {} {word} a year", volumes.join(", ")));
        }
        if let Some(capacity) = most {
            parts.push(format!(
                "not within this machine's {} a year: {}",
                number::about(capacity),
                some_of(&beyond)
            ));
        }
        if !never.is_empty() {
            parts.push(format!(
                "never, its electricity costs more: {}",
                listed(&never)
            ));
        }
        let who = if self.report.models.len() > 1 {
            self.short(model)
        } else {
            "It".to_owned()
        };
        Some(format!("{who} pays off {}.", parts.join("; ")))
    }

    /// What the costs assume.
    pub(super) fn assumptions(&self) -> String {
        let card = &self.report.prices;
        let origin = origin(card, self.escape);
        format!("Assumed: {}{}{origin}.", owning(card), self.dates())
    }

    /// The dates of the prices that are compared, once.
    fn dates(&self) -> String {
        let prices = self.prices();
        let dates = prices.iter().map(|v| v.price.as_of.as_str());
        let (Some(first), Some(last)) = (dates.clone().min(), dates.max()) else {
            return String::new();
        };
        if first == last {
            format!("; prices: {}", (self.escape)(first))
        } else {
            format!(
                "; prices: {} to {}",
                (self.escape)(first),
                (self.escape)(last)
            )
        }
    }
}

/// What owning and running the machine costs.
pub(super) fn owning(card: &PriceCard) -> String {
    format!(
        "${} less ${} in {} years, {} use, {} W, ${}/kWh",
        number::fixed(card.hardware_usd, 0),
        number::fixed(card.resale_usd, 0),
        plain(card.years),
        number::percent(card.utilisation),
        plain(card.watts),
        plain(card.usd_per_kwh)
    )
}

/// Where a price card comes from, in brackets; nothing for the one that is compiled in.
pub(super) fn origin(card: &PriceCard, escape: fn(&str) -> String) -> String {
    if card.origin == "built-in" {
        String::new()
    } else {
        format!(" ({})", escape(&card.origin))
    }
}

/// The unit in which the smallest volume is at least one.
fn scale(volumes: &[(f64, String)]) -> (f64, &'static str) {
    match volumes.first().map_or(0.0, |(tasks, _)| *tasks) {
        least if least >= 1e6 => (1e6, "million tasks"),
        least if least >= 1e3 => (1e3, "thousand tasks"),
        _ => (1.0, "tasks"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testkit::{self, Spec};
    use crate::analysis::{AnalysisOptions, NextStep, analyse};
    use crate::report::words::next_command;

    /// A model of 0.4 s a task against prices from dear to cheaper than its electricity.
    #[test]
    fn prices_stand_in_one_sorted_line_by_what_is_reachable() {
        let run = testkit::run(&[("m", vec![Spec::scored(8.0); 8])], 1);
        let mut card = testkit::prices();
        let base = card.cloud[0].clone();
        card.cloud = [
            ("dear", 25.0),
            ("fair", 2.5),
            ("cheap", 0.1),
            ("gift", 1e-6),
        ]
        .map(|(name, usd)| {
            let mut price = base.clone();
            (price.name, price.default) = (name.to_owned(), true);
            (price.input_usd_per_mtok, price.output_usd_per_mtok) = (usd, usd);
            price
        })
        .to_vec();
        card.cloud[1].as_of = "2026-10-01".to_owned();
        let options = AnalysisOptions {
            database: Some("my runs.sqlite".to_owned()),
            ..AnalysisOptions::default()
        };
        let report = analyse(&run, &card, &options);
        let words = Words::new(&report, str::to_owned);
        insta::assert_snapshot!(words.costs().join("\n"), @r#"
        m: $0.20 [0.20, 0.20] per 1,000 tasks ($0.0011 electricity alone).
        It pays off against dear from 290, fair 2,900 thousand tasks a year; not within this machine's 79 million a year: cheap; never, its electricity costs more: gift.
        Assumed: $4,000 less $800 in 4 years, 5 % use, 60 W, $0.17/kWh; prices: 2026-10-01 to 2026-11-01.
        "#);
        assert!(matches!(report.next, NextStep::Everything { .. }));
        insta::assert_snapshot!(next_command(&report.next), @r#"evalh report 01k3qa7z5m8c2p --kpi all --db 'my runs.sqlite'"#);
    }
}
