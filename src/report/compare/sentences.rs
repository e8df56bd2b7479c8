//! What follows from a comparison, in sentences.

use super::super::words::prompts;
use super::super::{escape, money, number};
use super::cells;
use crate::analysis::{ComparisonReport, ContrastReport, Detail, SideReport, Value, Verdict};
use crate::metric::Unit;

/// Says things about a comparison, with text of others escaped for the format.
pub(super) struct Sentences<'a> {
    pub(super) report: &'a ContrastReport,
    pub(super) escape: fn(&str) -> String,
}

impl Sentences<'_> {
    /// What each side is.
    pub(super) fn side(&self, side: &SideReport) -> String {
        let mut parts = vec![(self.escape)(&side.label)];
        if side.source != side.label && !side.label.contains(&side.source) {
            parts.push((self.escape)(&side.source));
        }
        if let Some(suite) = &side.suite {
            parts.push((self.escape)(&format!("{} {}", suite.name, suite.version)));
        }
        let epochs = if side.samples > side.prompts {
            format!(", {} samples", side.samples)
        } else {
            String::new()
        };
        parts.push(format!("{}{epochs}", prompts(side.prompts as u64)));
        parts.join(" · ")
    }

    /// How the two were joined.
    pub(super) fn joined(&self) -> String {
        let r = self.report;
        let by = if r.metric.is_some() {
            "doc_hash and filter"
        } else {
            "content"
        };
        let only = [r.sides[0].only, r.sides[1].only];
        let left = if only == [0, 0] {
            "none left out".to_owned()
        } else {
            format!("{} only in A, {} only in B", only[0], only[1])
        };
        format!(
            "{} joined by {by}, {left}; intervals {}",
            prompts(r.prompts as u64),
            number::percent(r.level)
        )
    }

    fn primary(&self) -> Option<(&ComparisonReport, &Detail)> {
        let id = self.report.primary.id;
        self.report.rows().find(|(c, _)| c.metric.id == id)
    }

    /// Which side is better by the metric that decides.
    pub(super) fn verdict(&self) -> Vec<String> {
        let Some((c, _)) = self.primary() else {
            return Vec::new();
        };
        let mut out = vec![self.one(c)];
        for letter in ["A", "B"] {
            let others = self.report.pair.comparisons.iter();
            let told: Vec<String> = others
                .filter(|o| o.metric.id != c.metric.id && o.verdict.is_resolved())
                .filter(|o| cells::better(o) == letter)
                .map(|o| {
                    let name = (self.escape)(&cells::name(self.report, o));
                    format!("{name} {}", (self.escape)(&cells::difference(o)))
                })
                .collect();
            if !told.is_empty() {
                out.push(format!("{letter} is better in {}.", told.join(", ")));
            }
        }
        out
    }

    /// Prompts behind a comparison.
    fn compared_on(&self, c: &ComparisonReport) -> usize {
        let measured = c.value.measured();
        measured.map_or(self.report.prompts, |m| m.n)
    }

    fn one(&self, c: &ComparisonReport) -> String {
        let name = (self.escape)(&cells::name(self.report, c));
        let seen = format!("{name} {}", (self.escape)(&cells::difference(c)));
        let test = c.test.as_ref().map_or_else(String::new, |t| {
            let family = if t.family > 1 {
                format!(", {} over {}", t.adjustment, t.family)
            } else {
                String::new()
            };
            format!(
                ", {} ({}, {}{family})",
                number::p_value(t.p_adjusted),
                t.method,
                // In a suite of several kinds not all of the joined prompts have the metric.
                prompts(self.compared_on(c) as u64)
            )
        });
        match &c.verdict {
            Verdict::ToldApart { .. } => {
                format!("{} is better: {seen}{test}.", cells::better(c))
            }
            Verdict::NotToldApart | Verdict::Described => {
                format!(
                    "A and B are not told apart: {seen}{test}.{}",
                    self.needed(c)
                )
            }
            Verdict::Untestable(why) => match &c.value {
                Value::Measured(_) => {
                    format!(
                        "No verdict: {seen}{test}; {}.",
                        (self.escape)(&why.to_string())
                    )
                }
                Value::Absent(_) => {
                    format!("No verdict: {name}: {}.", (self.escape)(&why.to_string()))
                }
            },
        }
    }

    /// What these prompts can show and what the difference seen would need.
    fn needed(&self, c: &ComparisonReport) -> String {
        let size = |point: f64| {
            let m = c.value.measured()?;
            let interval = m.interval;
            let shown = number::number(c.metric.unit, point.abs(), interval);
            let unit = match shown.unit {
                "%" => " pp",
                _ => "",
            };
            Some(format!("{}{unit}", shown.point))
        };
        let mut out = String::new();
        // A share cannot differ by more than everything.
        let possible = |d: &f64| c.metric.unit != Unit::Share || *d < 1.0;
        if let Some(text) = c.detectable.filter(possible).and_then(size) {
            out.push_str(&format!(
                " These prompts show differences from {text} on (80 % power)."
            ));
        }
        if let Some(n) = c.prompts_needed {
            out.push_str(&format!(
                " Telling the one seen apart needs about {} prompts.",
                number::at_least(n)
            ));
        }
        out
    }

    /// What comparing prompt by prompt was worth.
    pub(super) fn pairing(&self) -> Option<String> {
        let (c, detail) = self.primary()?;
        let p = detail.pairing?;
        let n = self.compared_on(c) as f64;
        let error = |se: f64| number::fixed(se, 3);
        let worth = if p.saved >= 1.05 {
            format!(
                "worth {} times the prompts: unpaired, about {} would be needed for this interval",
                number::two_digits(p.saved),
                number::at_least(p.saved * n)
            )
        } else {
            "worth nothing here: the two do not find the same prompts hard".to_owned()
        };
        Some(format!(
            "{worth} (standard error {}, unpaired {}).",
            error(p.se_paired),
            error(p.se_unpaired)
        ))
    }

    /// How many samples changed.
    pub(super) fn changed(&self) -> String {
        let c = &self.report.changes;
        let more = if self
            .report
            .sides
            .iter()
            .all(|s| s.joined_samples == self.report.prompts)
        {
            ["passed by A alone", "by B alone"]
        } else {
            ["passed more often by A", "by B"]
        };
        let other = match c.other_answer {
            Some(n) if c.unchanged > 0 => format!(", {n} of them with another answer"),
            _ => String::new(),
        };
        let judged = self.report.pair.comparison("pass_rate");
        let passed = judged.filter(|c| c.value.measured().is_some()).map(|_| {
            let [a, b] = c.passed_more;
            format!("{} {}, {b} {}; ", prompts(a), more[0], more[1])
        });
        format!(
            "{}{} changed{}, {} did not{other}.",
            passed.as_deref().unwrap_or(""),
            c.list.len(),
            if passed.is_some() { " in all" } else { "" },
            c.unchanged
        )
    }

    /// What became of the samples, where there is more to say than right and wrong.
    pub(super) fn outcomes(&self) -> Vec<String> {
        let r = self.report;
        let mut out = Vec::new();
        if let Some(answered) = &r.answered {
            for (side, letter) in r.sides.iter().zip(["A", "B"]) {
                let counts: Vec<String> = side
                    .outcomes
                    .iter()
                    .filter(|(_, n)| *n > 0)
                    .map(|(o, n)| format!("{n} {}", o.as_str().replace('_', " ")))
                    .collect();
                out.push(format!("{letter}: {}.", counts.join(", ")));
            }
            let name = self.primary().map_or(r.primary.id.to_owned(), |(c, _)| {
                (self.escape)(&cells::name(r, c))
            });
            let left = answered.left_out.map_or_else(
                || "no prompt was answered by both".to_owned(),
                |d| {
                    format!(
                        "{} with them left out ({})",
                        cells::signed(d, 3),
                        prompts(answered.prompts as u64)
                    )
                },
            );
            out.push(format!(
                "{name}, A - B: {} with what was not answered as wrong, {left}.",
                cells::signed(answered.as_wrong, 3)
            ));
        }
        out
    }

    /// Memory and loading, measured once each.
    pub(super) fn memory(&self) -> Option<String> {
        let [a, b] = &self.report.sides;
        let known = |s: &SideReport| s.peak_bytes.is_some() || s.load_ns.is_some();
        (known(a) || known(b)).then(|| {
            format!(
                "peak A {}, B {}; loading A {}, B {} (measured once).",
                cells::bytes(a.peak_bytes),
                cells::bytes(b.peak_bytes),
                cells::load(a.load_ns),
                cells::load(b.load_ns)
            )
        })
    }

    /// What to beware of.
    pub(super) fn cautions(&self) -> Vec<String> {
        let all = self.report.cautions.iter();
        all.map(|c| format!("{}.", (self.escape)(&c.to_string())))
            .collect()
    }

    /// The legend of the tables.
    pub(super) fn legend(&self) -> String {
        let timed = self
            .report
            .pair
            .described
            .iter()
            .any(|c| c.value.measured().is_some());
        let card = &self.report.prices;
        let costs = if timed {
            format!(
                " Costs at {}{}: on one machine they follow the times.",
                money::owning(card),
                money::origin(card, escape::terminal)
            )
        } else {
            String::new()
        };
        format!(
            "* primary, + secondary (Holm), others exploratory (Benjamini-Hochberg) or described without a test. × is A / B. ~ not told \
             apart.{costs}"
        )
    }
}
