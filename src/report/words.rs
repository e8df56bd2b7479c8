//! The five answers in words, the same in every format for people.

use super::escape;
use super::number::{self, Shown};
use crate::analysis::{
    Absence, Figure, ModelReport, NextStep, ReportModel, SloReport, Value, Warning,
};
use crate::metric::Unit;
use crate::record::{Outcome, SkipReason};
use crate::units::Bytes;
use std::fmt::Write as _;

/// Models that are spoken of one by one; the table and `--kpi all` have the others.
pub(super) const SPOKEN: usize = 3;

/// A question with its answer, a paragraph a line.
pub(super) struct Answer {
    /// The question.
    pub(super) question: &'static str,
    /// Paragraphs.
    pub(super) lines: Vec<String>,
}

/// Says things about a report, with the names of others escaped for the format.
pub(super) struct Words<'a> {
    pub(super) report: &'a ReportModel,
    pub(super) escape: fn(&str) -> String,
}

impl<'a> Words<'a> {
    /// Words in a format with this escape.
    pub(super) fn new(report: &'a ReportModel, escape: fn(&str) -> String) -> Self {
        Self { report, escape }
    }

    /// The five answers in their order.
    pub(super) fn answers(&self) -> Vec<Answer> {
        let answer = |question, lines: Vec<String>| Answer { question, lines };
        if self.report.models.is_empty() {
            return vec![
                answer("Good enough?", vec!["No model was measured.".to_owned()]),
                answer("Does it fit?", self.not_run()),
            ]
            .into_iter()
            .filter(|a| !a.lines.is_empty())
            .collect();
        }
        vec![
            answer("Good enough?", self.good_enough()),
            answer("Fast enough?", self.fast_enough()),
            answer("Does it fit?", self.fits()),
            answer("Reliable?", self.reliable()),
            answer("What it costs", self.costs()),
        ]
    }

    pub(super) fn name(&self, position: usize) -> String {
        self.short(&self.report.models[position])
    }

    pub(super) fn short(&self, model: &ModelReport) -> String {
        (self.escape)(&model.short)
    }

    /// The leaders, at most [`SPOKEN`].
    pub(super) fn spoken(&self) -> impl Iterator<Item = &'a ModelReport> {
        self.report
            .leaders
            .iter()
            .take(SPOKEN)
            .map(|&i| &self.report.models[i])
    }

    fn fast_enough(&self) -> Vec<String> {
        let spoken: Vec<&ModelReport> = self.spoken().collect();
        let mut out: Vec<String> = spoken.iter().map(|m| self.speed(m)).collect();
        let targets = spoken.first().map_or(0, |m| m.slos.len());
        let kept = (0..targets).map(|i| self.kept(&spoken, i));
        let mut kept: Vec<String> = kept.filter(|text| !text.is_empty()).collect();
        let needs = spoken
            .iter()
            .filter_map(|m| m.measured("ttft_ms_p95")?.needs());
        if let Some(needs) = needs.max() {
            kept.push(format!("– needs {needs} requests."));
        }
        if !kept.is_empty() {
            out.push(kept.join(" "));
        }
        out
    }

    fn speed(&self, model: &ModelReport) -> String {
        let name = self.short(model);
        let Some(p95) = model.measured("ttft_ms_p95") else {
            return format!("{name}: no times, {}.", self.why(model, "ttft_ms_p95"));
        };
        let decode = measured(model.figure("decode_tps"))
            .map_or_else(String::new, |d| format!(", decode {}", d.text()));
        format!(
            "{name}: 95 % of first tokens in {}{decode}.",
            number::shown(Unit::Milliseconds, p95).text()
        ) + &self.thoughts(model).unwrap_or_default()
    }

    /// What a model that reasons writes before it answers, and when the answer begins.
    fn thoughts(&self, model: &ModelReport) -> Option<String> {
        let share = measured(model.figure("reasoning_share"))?.text();
        let tokens = measured(model.figure("reasoning_tokens_mean"))?.text();
        let begins = measured(model.figure("ttfa_ms_p50")).map_or_else(
            || "it came to no answer".to_owned(),
            |t| format!("half of its answers begin within {}", t.text()),
        );
        let name = self.short(model);
        Some(format!(
            " {name} thinks for {tokens} before it answers ({share} of what it writes); {begins}."
        ))
    }

    /// How the models kept a limit, said once where they kept it alike.
    fn kept(&self, models: &[&ModelReport], target: usize) -> String {
        let all: Vec<(&ModelReport, &SloReport)> = models
            .iter()
            .filter_map(|m| Some((*m, m.slos.get(target)?)))
            .filter(|(_, slo)| slo.of > 0)
            .collect();
        let Some((_, first)) = all.first() else {
            return String::new();
        };
        let what = format!("{} {}", limited(first), limit(first.slo.limit));
        let alike = all
            .iter()
            .all(|(_, s)| (s.within, s.of) == (first.within, first.of) && share(s) == share(first));
        if alike {
            let each = if all.len() > 1 { " each" } else { "" };
            return format!(
                "{what}: {} ({} of {} requests{each}).",
                share(first),
                first.within,
                first.of
            );
        }
        let parts: Vec<String> = all
            .iter()
            .map(|(m, s)| format!("{} {} ({} of {})", self.short(m), share(s), s.within, s.of))
            .collect();
        format!("{what}: {}.", parts.join(", "))
    }

    fn fits(&self) -> Vec<String> {
        let fit = &self.report.fit;
        let over: Vec<String> = fit
            .models
            .iter()
            .filter(|m| m.fits == Some(false))
            .filter_map(|m| Some(format!("{} ({})", self.name(m.model), m.bytes?)))
            .collect();
        let unknown = fit.models.iter().filter(|m| m.bytes.is_none()).count();
        let all = if fit.models.len() == 1 {
            "The model does"
        } else {
            "Every model alone"
        };
        let mut first = match (over.is_empty(), unknown) {
            (true, 0) => format!("{all}, within {}", fit.budget),
            (true, n) if n == fit.models.len() => {
                "Not known: no memory was measured and there was no estimate".to_owned()
            }
            (true, n) => format!(
                "The others do, within {}; {n} could not be measured",
                fit.budget
            ),
            (false, _) => format!("Above the budget of {}: {}", fit.budget, some_of(&over)),
        };
        if let Some(together) = &fit.together {
            let _ = write!(
                first,
                "; {} together ({})",
                self.these(&together.models),
                together.bytes
            );
        }
        if let Some(estimated) = self.estimated() {
            let _ = write!(first, ". {estimated}");
        }
        let mut out = vec![format!("{first}.")];
        out.extend(self.not_run());
        out
    }

    /// Models by name where they are few, else by number.
    fn these(&self, positions: &[usize]) -> String {
        if positions.len() > SPOKEN {
            let all = positions.len() == self.report.models.len();
            let which = if all { "all" } else { "the best" };
            return format!("{which} {}", positions.len());
        }
        let names: Vec<String> = positions.iter().map(|&i| self.name(i)).collect();
        listed(&names)
    }

    fn estimated(&self) -> Option<String> {
        let unmeasured: Vec<usize> = self
            .report
            .fit
            .models
            .iter()
            .filter(|m| !m.measured && m.bytes.is_some())
            .map(|m| m.model)
            .collect();
        match unmeasured.len() {
            0 => None,
            n if n == self.report.models.len() => Some("Estimated, not measured".to_owned()),
            _ => Some(format!(
                "Estimated, not measured: {}",
                self.these(&unmeasured)
            )),
        }
    }

    /// Models without a measurement, and why: those with one reason in one sentence, at most [`SPOKEN`] sentences.
    pub(super) fn not_run(&self) -> Vec<String> {
        let mut out = self.every_not_run();
        if out.len() > SPOKEN {
            let more = out.len() + 1 - SPOKEN;
            out.truncate(SPOKEN - 1);
            out.push(format!("{more} more reasons: `--kpi all`."));
        }
        out
    }

    /// All of them.
    pub(super) fn every_not_run(&self) -> Vec<String> {
        let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
        for skipped in &self.report.skipped {
            let name = (self.escape)(&skipped.label);
            let (why, name) = match &skipped.reason {
                None => ("the run ended before its turn".to_owned(), name),
                Some(SkipReason::OverBudget { estimate, budget }) => (
                    format!("over the budget of {budget}"),
                    format!("{name} ({})", estimate.total()),
                ),
                Some(reason) => (self.skip_reason(reason), name),
            };
            match reasons.iter_mut().find(|(r, _)| *r == why) {
                Some((_, names)) => names.push(name),
                None => reasons.push((why, vec![name])),
            }
        }
        let skipped = reasons.into_iter().map(|(why, names)| {
            let verb = if names.len() == 1 { "was" } else { "were" };
            format!("{} {verb} not run: {why}.", some_of(&names))
        });
        let stopped = self.report.models.iter().filter_map(|m| {
            let why = self.skip_reason(m.stopped.as_ref()?);
            let t = &m.tally;
            Some(format!(
                "{} was stopped after {} of {} samples: {why}.",
                self.short(m),
                t.recorded,
                t.planned
            ))
        });
        skipped.chain(stopped).collect()
    }

    /// Why a model was not run.
    pub(super) fn skip_reason(&self, reason: &SkipReason) -> String {
        match reason {
            SkipReason::OverBudget { estimate, budget } => {
                format!("it needs {} of the {budget} budget", estimate.total())
            }
            SkipReason::Files(why) | SkipReason::Load(why) | SkipReason::Breaker(why) => {
                (self.escape)(why.trim_end_matches('.'))
            }
        }
    }

    fn reliable(&self) -> Vec<String> {
        let mut out: Vec<String> = self.spoken().map(|m| self.outcomes(m)).collect();
        let spoken = |i: &usize| self.report.leaders.iter().take(SPOKEN).any(|l| l == i);
        let others: Vec<String> = self
            .report
            .models
            .iter()
            .enumerate()
            .filter(|(i, m)| !spoken(i) && (m.tally.failed > 0 || m.tally.not_run > 0))
            .map(|(_, m)| self.shortfall(m))
            .collect();
        if !others.is_empty() {
            // The figures have commas of their own.
            let shown = &others[..others.len().min(SPOKEN)];
            let more = match others.len() - shown.len() {
                0 => String::new(),
                n => format!("; {n} more"),
            };
            out.push(format!("Others: {}{more}.", shown.join("; ")));
        }
        out.extend(self.drift());
        out
    }

    fn shortfall(&self, model: &ModelReport) -> String {
        let t = &model.tally;
        let mut parts = Vec::new();
        if t.failed > 0 {
            parts.push(format!("{} of {} failed", t.failed, t.recorded));
        }
        if t.not_run > 0 {
            parts.push(format!("{} of {} not run", t.not_run, t.planned));
        }
        format!("{} {}", self.short(model), parts.join(", "))
    }

    /// The outcomes of a model, the ones that occurred.
    pub(super) fn outcomes(&self, model: &ModelReport) -> String {
        let t = &model.tally;
        let counts: Vec<String> = t
            .outcomes
            .iter()
            .filter(|(o, n)| *n > 0 || *o == Outcome::Error)
            .map(|(o, n)| format!("{n} {}", outcome(*o, *n)))
            .collect();
        let mut out = format!(
            "{}: {} of {} samples: {}",
            self.short(model),
            t.recorded,
            t.planned,
            counts.join(", ")
        );
        if t.unscored > 0 {
            let _ = write!(out, "; {} could not be scored", t.unscored);
        }
        out.push('.');
        if let Some(m) = model.measured("identical_rate") {
            let _ = write!(
                out,
                " Same answer in every epoch: {} of prompts.",
                number::shown(Unit::Share, m).text()
            );
        }
        out
    }

    /// Whether the speed held; nothing when too few requests were made to say so.
    fn drift(&self) -> Option<String> {
        let fell = |model: &ModelReport| {
            self.report
                .warnings
                .iter()
                .any(|w| matches!(w, Warning::Drift { model: name, .. } if *name == model.short))
        };
        let (mut held, mut lost) = (Vec::new(), Vec::new());
        for model in self.spoken() {
            if let Some(m) = model.measured("sustained_ratio") {
                let text = format!("{} {}", self.short(model), number::fixed(m.point, 2));
                if fell(model) { &mut lost } else { &mut held }.push(text);
            }
        }
        let mut parts = Vec::new();
        if !lost.is_empty() {
            parts.push(format!("Speed fell during the run: {}", lost.join(", ")));
        }
        if !held.is_empty() {
            parts.push(format!("No drift: {}", held.join(", ")));
        }
        (!parts.is_empty()).then(|| format!("{} (last third over first).", parts.join("; ")))
    }

    pub(super) fn reason(&self, absence: &Absence) -> String {
        (self.escape)(&absence.to_string()).replace("\\`", "`")
    }

    pub(super) fn why(&self, model: &ModelReport, id: &str) -> String {
        let absence = model.value(id).and_then(Value::absence);
        absence.map_or_else(|| "not measured".to_owned(), |a| self.reason(a))
    }

    /// The head line: run, suite, machine.
    pub(super) fn head(&self) -> Vec<String> {
        let h = &self.report.header;
        let host = &h.host;
        let mut machine: Vec<String> = Vec::new();
        let cpu = host.cpu.clone().unwrap_or_else(|| host.arch.clone());
        let memory = host
            .memory_total
            .map_or_else(String::new, |b| format!(" {}", whole_gb(b)));
        machine.push(format!("{cpu}{memory}"));
        machine.extend(host.os.clone());
        machine.extend(host.power_source.as_ref().map(|p| {
            if p == "mains" {
                "plugged in".to_owned()
            } else {
                format!("on {p}")
            }
        }));
        machine.extend(
            host.thermal
                .as_ref()
                .map(|t| format!("thermal {t} at the start")),
        );
        let epochs = if h.epochs > 1 {
            format!(" × {} epochs", h.epochs)
        } else {
            String::new()
        };
        vec![
            format!("run {}", (self.escape)(h.id.as_str())),
            format!(
                "{} {}",
                (self.escape)(&h.suite.name),
                (self.escape)(&h.suite.version)
            ),
            format!(
                "{} in {} tasks{epochs}",
                prompts(u64::from(h.suite.samples)),
                h.suite.tasks
            ),
            format!("intervals {}", number::percent(self.report.level)),
            (self.escape)(&machine.join(", ")),
        ]
    }

    /// The command to run next.
    pub(super) fn next(&self) -> String {
        next_command(&self.report.next)
    }
}

/// The command of a step, ready to be copied.
pub(super) fn next_command(step: &NextStep) -> String {
    match step {
        NextStep::Resume { argv } => {
            let words: Vec<String> = argv.iter().map(|w| escape::shell(w)).collect();
            words.join(" ")
        }
        NextStep::Everything { run, database } => {
            let database = database
                .as_ref()
                .map_or_else(String::new, |path| format!(" --db {}", escape::shell(path)));
            format!("evalh report {} --kpi all{database}", escape::shell(run))
        }
        NextStep::Doctor => "evalh doctor".to_owned(),
    }
}

/// The share of requests within a limit, by its lower bound where there is one.
fn share(slo: &SloReport) -> String {
    let bound = slo.figure.value.measured().and_then(|m| m.interval?.lower);
    bound.map_or_else(
        || "no bound on the share".to_owned(),
        |b| format!("at least {}", number::at_least_percent(b)),
    )
}

fn limited(slo: &SloReport) -> &'static str {
    match slo.slo.target {
        crate::analysis::SloTarget::Ttft => "First token within",
        crate::analysis::SloTarget::Tpot => "Each token within",
        crate::analysis::SloTarget::E2e => "Answer within",
    }
}

/// The names, the first few of many.
pub(super) fn some_of(names: &[String]) -> String {
    const MOST: usize = 4;
    if names.len() <= MOST {
        return listed(names);
    }
    let kept = MOST - 1;
    format!(
        "{} and {} more",
        names[..kept].join(", "),
        names.len() - kept
    )
}

/// A limit as people write it: `2 s`, `80 ms`.
pub(super) fn limit(limit: std::time::Duration) -> String {
    if limit.as_millis().is_multiple_of(100) && limit.as_secs() > 0 {
        format!("{} s", plain(limit.as_secs_f64()))
    } else {
        format!("{} ms", plain(limit.as_secs_f64() * 1e3))
    }
}

/// A number as it was written: no trailing zeros.
pub(super) fn plain(x: f64) -> String {
    let text = number::fixed(x, 3);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The figure with its unit and interval.
pub(super) fn text_of(figure: Option<&Figure>) -> String {
    measured(figure).map_or_else(|| "–".to_owned(), |shown| shown.text())
}

/// As [`text_of`]; where all units are equal the interval has no width, which would read as certainty, so their number is said instead.
pub(super) fn text_or_all(figure: Option<&Figure>) -> String {
    let flat = figure.and_then(|f| f.value.measured());
    match flat.filter(|m| m.is_flat()) {
        Some(m) => format!("{} on all {}", point_of(figure), prompts(m.n as u64)),
        None => text_of(figure),
    }
}

/// The figure with its unit and without its interval.
pub(super) fn point_of(figure: Option<&Figure>) -> String {
    measured(figure).map_or_else(
        || "–".to_owned(),
        |shown| {
            Shown {
                interval: None,
                ..shown
            }
            .text()
        },
    )
}

fn measured(figure: Option<&Figure>) -> Option<Shown> {
    let figure = figure?;
    Some(number::shown(figure.metric.unit, figure.value.measured()?))
}

pub(super) fn prompts(n: u64) -> String {
    format!("{n} {}", if n == 1 { "prompt" } else { "prompts" })
}

pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn whole_gb(bytes: Bytes) -> String {
    let gb = bytes.get() as f64 / 1e9;
    format!(
        "{} GB",
        number::fixed(gb, usize::from((gb - gb.round()).abs() > 0.05))
    )
}

fn outcome(outcome: Outcome, n: u64) -> &'static str {
    match outcome {
        Outcome::Error if n == 1 => "error",
        Outcome::Error => "errors",
        Outcome::Timeout if n == 1 => "timeout",
        Outcome::Timeout => "timeouts",
        Outcome::TemplateRefused => "refused by the template",
        other => other.as_str(),
    }
}
