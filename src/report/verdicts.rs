//! Good enough? What follows from the comparisons, in few sentences: models with the same verdict share one.

use super::number::{self, Shown};
use super::words::{SPOKEN, Words, listed, prompts, some_of, text_of, text_or_all};
use crate::analysis::{ComparisonReport, ModelReport, PairReport, Role, Value, Verdict};
use crate::metric::Group;

type Compared<'a> = (&'a PairReport, &'a ComparisonReport);

/// Prompts behind a comparison: in a suite of several kinds not all of the pair's.
fn compared_on(pair: &PairReport, comparison: &ComparisonReport) -> usize {
    comparison.value.measured().map_or(pair.prompts, |m| m.n)
}

impl Words<'_> {
    pub(super) fn good_enough(&self) -> Vec<String> {
        let mut out = match self.report.models.as_slice() {
            [only] => vec![self.alone(only)],
            _ => self
                .together_first()
                .into_iter()
                .chain(self.verdicts())
                .collect(),
        };
        out.extend(self.other_difference());
        out.extend(self.weakest());
        out
    }

    fn alone(&self, model: &ModelReport) -> String {
        let primary = self.report.primary;
        if !matches!(primary.id, "score" | "pass_rate") {
            return format!(
                "{} reaches {} {} by `{}` ({}).",
                self.short(model),
                primary.title.to_lowercase(),
                text_of(model.figure(primary.id)),
                primary.id,
                prompts(
                    model
                        .measured(primary.id)
                        .map_or(model.tally.prompts, |m| m.n as u64)
                )
            );
        }
        format!(
            "{} scores {} of 10 and passes {} of its samples ({}).",
            self.short(model),
            text_of(model.figure("score")),
            text_of(model.figure("pass_rate")),
            prompts(model.tally.prompts)
        )
    }

    /// Whether three models and more differ at all.
    pub(super) fn together_first(&self) -> Option<String> {
        let omnibus = self.report.omnibus.as_ref()?;
        let (_, _, p) = omnibus.test.as_ref().ok()?;
        let differ = if *p < 1.0 - self.report.level {
            "differ"
        } else {
            "are not told apart as a group"
        };
        Some(format!(
            "The {} models {differ}: {} (Friedman, {}).",
            omnibus.models,
            number::p_value(*p),
            prompts(omnibus.prompts as u64)
        ))
    }

    /// The best model against every other one.
    fn verdicts(&self) -> Vec<String> {
        let all: Vec<Compared<'_>> = self
            .report
            .pairs
            .iter()
            .filter(|p| p.a == 0)
            .filter_map(|p| Some((p, p.comparison(self.report.primary.id)?)))
            .collect();
        let with = |test: &dyn Fn(&Compared<'_>) -> bool| {
            all.iter().copied().filter(|c| test(c)).collect::<Vec<_>>()
        };
        let open = with(&|(_, c)| matches!(c.verdict, Verdict::NotToldApart));
        let behind =
            with(&|(p, c)| matches!(c.verdict, Verdict::ToldApart { better } if better == p.a));
        let ahead =
            with(&|(p, c)| matches!(c.verdict, Verdict::ToldApart { better } if better != p.a));
        let mute = with(&|(_, c)| matches!(c.verdict, Verdict::Untestable(_)));
        [
            self.together(&open, "is not told apart from"),
            self.together(&behind, "is better than"),
            self.together(&ahead, "is worse than"),
            self.untestable(&mute),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// One sentence on all pairs with one verdict.
    fn together(&self, pairs: &[Compared<'_>], verb: &str) -> Option<String> {
        let (first, c) = pairs.first()?;
        if let [(pair, c)] = pairs {
            return Some(self.compared(pair, c));
        }
        let mut others: Vec<String> = pairs
            .iter()
            .take(SPOKEN)
            .map(|(p, c)| format!("{} ({})", self.name(p.b), self.seen(c)))
            .collect();
        if pairs.len() > SPOKEN {
            others.push(format!("{} more", pairs.len() - SPOKEN));
        }
        let counts: Vec<usize> = pairs.iter().map(|(p, c)| compared_on(p, c)).collect();
        Some(format!(
            "{} {verb} {}{}.",
            self.name(first.a),
            listed(&others),
            conditions(c, &spread(&counts))
        ))
    }

    fn untestable(&self, pairs: &[Compared<'_>]) -> Option<String> {
        let (first, c) = pairs.first()?;
        if let [(pair, c)] = pairs {
            return Some(self.compared(pair, c));
        }
        let Verdict::Untestable(why) = &c.verdict else {
            return None;
        };
        let names: Vec<String> = pairs.iter().map(|(p, _)| self.name(p.b)).collect();
        Some(format!(
            "No verdict on {} against {}: {}.",
            self.name(first.a),
            some_of(&names),
            self.reason(why)
        ))
    }

    /// One sentence on two models.
    fn compared(&self, pair: &PairReport, c: &ComparisonReport) -> String {
        let (a, b) = (self.name(pair.a), self.name(pair.b));
        let seen = self.seen(c);
        let conditions = conditions(c, &spread(&[compared_on(pair, c)]));
        match &c.verdict {
            Verdict::ToldApart { better } => {
                let worse = if *better == pair.a { &b } else { &a };
                format!(
                    "{} is better than {worse}: {seen}{conditions}.",
                    self.name(*better)
                )
            }
            Verdict::NotToldApart => format!(
                "{a} and {b} are not told apart: {seen}{conditions}.{}",
                needed(c)
            ),
            Verdict::Untestable(why) => {
                format!("{a} and {b}: no verdict, {}.", self.reason(why))
            }
            Verdict::Described => format!("{a} and {b}: {seen}{conditions}."),
        }
    }

    /// The difference with its interval and corrected p-value.
    fn seen(&self, c: &ComparisonReport) -> String {
        let difference = match &c.value {
            Value::Measured(m) => number::compared(c.scale, c.metric.unit, m).text(),
            Value::Absent(why) => return self.reason(why),
        };
        let what = if c.metric.id == self.report.primary.id {
            String::new()
        } else {
            format!("{} ", c.metric.title.to_lowercase())
        };
        c.test.as_ref().map_or_else(
            || format!("{what}{difference}"),
            |test| format!("{what}{difference}, {}", number::p_value(test.p_adjusted)),
        )
    }

    /// The clearest secondary quality difference between the leaders, which the primary metric does not tell apart.
    fn other_difference(&self) -> Option<String> {
        let leaders = &self.report.leaders;
        let told = |c: &&ComparisonReport| {
            c.role == Role::Secondary
                && c.metric.group == Group::Quality
                && matches!(c.verdict, Verdict::ToldApart { .. })
        };
        let pairs = self
            .report
            .pairs
            .iter()
            .filter(|p| p.a == 0 && leaders.contains(&p.b));
        let all = pairs.flat_map(|p| p.comparisons.iter().filter(told).map(move |c| (p, c)));
        let p = |c: &ComparisonReport| c.test.as_ref().map_or(1.0, |t| t.p_adjusted);
        let clearest = all.min_by(|x, y| p(x.1).total_cmp(&p(y.1)));
        clearest.map(|(pair, c)| self.compared(pair, c))
    }

    /// The weakest task of the models spoken of, once where it is the same.
    fn weakest(&self) -> Option<String> {
        let tasks: Vec<(&ModelReport, &str, String)> = self
            .spoken()
            .filter_map(|m| {
                let task = &m.tasks[m.weakest_task?];
                Some((m, task.name.as_str(), text_or_all(task.figure("score"))))
            })
            .collect();
        let (_, name, _) = tasks.first()?;
        if tasks.iter().all(|(_, other, _)| other == name) {
            let mut scores: Vec<String> = tasks.iter().map(|(_, _, score)| score.clone()).collect();
            if scores.iter().all(|s| *s == scores[0]) {
                scores.truncate(1);
            }
            let of = match tasks.len() {
                1 => "",
                2 => " of both",
                _ => " of all of them",
            };
            return Some(format!(
                "Weakest task{of}: {}, {}.",
                (self.escape)(name),
                listed(&scores)
            ));
        }
        let parts: Vec<String> = tasks
            .iter()
            .map(|(m, name, score)| format!("{} {} {score}", self.short(m), (self.escape)(name)))
            .collect();
        Some(format!("Weakest tasks: {}.", parts.join("; ")))
    }
}

/// The test, the prompts and the correction, in brackets.
fn conditions(c: &ComparisonReport, prompts: &str) -> String {
    let Some(test) = &c.test else {
        return format!(" ({prompts})");
    };
    let family = if test.family > 1 {
        format!(", {} over {}", correction(test.adjustment), test.family)
    } else {
        String::new()
    };
    format!(" ({}, {prompts}{family})", test_name(test.method))
}

/// `30 prompts`, or `24 to 30 prompts` where the pairs have different ones in common.
fn spread(counts: &[usize]) -> String {
    let (least, most) = (
        counts.iter().min().copied().unwrap_or(0),
        counts.iter().max().copied().unwrap_or(0),
    );
    if least == most {
        prompts(most as u64)
    } else {
        format!("{least} to {}", prompts(most as u64))
    }
}

/// How many prompts would tell the difference seen; nothing for a difference that is printed as none.
fn needed(c: &ComparisonReport) -> String {
    let (Some(n), Some(m)) = (c.prompts_needed, c.value.measured()) else {
        return String::new();
    };
    let size = Shown {
        interval: None,
        ..number::compared(c.scale, c.metric.unit, m)
    };
    if !size.point.contains(|d: char| ('1'..='9').contains(&d)) {
        return String::new();
    }
    format!(
        " Telling {} apart needs about {} prompts.",
        size.text().trim_start_matches(['-', '+']),
        number::at_least(n)
    )
}

fn correction(id: &str) -> &str {
    match id {
        "holm" => "Holm",
        "bh" => "Benjamini-Hochberg",
        other => other,
    }
}

fn test_name(id: &str) -> &str {
    match id {
        "paired-t" => "paired t",
        "mcnemar-mid-p" => "McNemar mid-p",
        "sign-flip-exact" => "sign flip",
        "betting-mixture-e" => "e-value, valid at any stopping time",
        other => other,
    }
}
