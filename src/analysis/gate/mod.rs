//! The gate: a candidate against a baseline, metric by metric, with three answers.
//!
//! In: two [`Observed`], the gates with their margins, [`GateOptions`]. Out: a [`GateReport`], worst gate first.
//!
//! What it does not know: files, names of baselines, the database, output formats.
//!
//! Invariants:
//! * A gate passes only on evidence. A missing metric, too few prompts, lost or left-out prompts, an incomplete run and times of different
//!   machines are inconclusive with the reason, never a pass.
//! * A failed sample stays in: it scored 0 and did not pass. It has no time, so a gate on times cannot pass where the candidate failed on
//!   a prompt the baseline answered.
//! * Prompts are joined by content; which were not is always in the report.
//! * A failure is never taken back by what forbids a pass.
//!
//! Methods: `docs/statistics.md`, "Gates".

mod changes;
mod error;
mod judge;
mod margin;
mod measure;
mod model;
#[cfg(test)]
mod tests;

pub use changes::SampleText;
pub use error::GateError;
pub use margin::{Allowance, Amount, Gate, MarginOrigin, gateable};
pub use model::{
    Caution, Change, Changes, GateReason, GateReport, GateResult, GateRule, GateSide, GateVerdict,
    Joined,
};

use super::error::AnalysisError;
use super::likelihood::{self, Per};
use super::observed::{Observed, ObservedPrompt};
use super::pairs::LEAST_PROMPTS;
use crate::stats::multi;
use judge::{Judged, LEVEL};
use margin::Basis;
use measure::Pairs;
use std::collections::BTreeMap;

/// Smallest share of the baseline's prompts that a candidate of another suite has to have.
const LEAST_SHARE: f64 = 0.8;
/// Prompts from which on intervals no longer lean on the assumed distribution.
const ADVISED_PROMPTS: usize = 20;
/// Error of each one-sided test.
const ALPHA: f64 = 0.05;

/// What is to be judged.
#[derive(Debug, Clone, Copy)]
pub struct GateInput<'a> {
    /// What is held against.
    pub baseline: &'a Observed,
    /// What is held against it.
    pub candidate: &'a Observed,
    /// The metrics with their margins.
    pub gates: &'a [Gate],
    /// Planned samples of the candidate without a record.
    pub unrecorded: u64,
    /// What the candidate wrote, by prompt, as far as it is to be shown.
    pub texts: &'a BTreeMap<String, SampleText>,
}

/// Choices of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateOptions {
    /// How the verdicts become one.
    pub rule: GateRule,
    /// Judge the common prompts, however few of the baseline's they are.
    pub allow_different_suite: bool,
    /// Judge times of different machines.
    pub allow_different_host: bool,
}

/// Judges a candidate.
///
/// # Errors
/// When there is no gate, a metric has two, the two sides have no prompt in common, or the suites differ too much.
pub fn gate(input: &GateInput<'_>, options: GateOptions) -> Result<GateReport, AnalysisError> {
    let (baseline, candidate) = (input.baseline, input.candidate);
    let joined = joined(baseline, candidate);
    check(input, options, joined)?;
    let prompts = measure::join(baseline, candidate);
    let identical = prompts.iter().all(|(b, c)| measure::same_completions(b, c));
    let mut cautions = cautions(input, options, joined);
    let mut gates = Vec::new();
    for gate in input.gates {
        let (result, uncompared) = result(input, options, joined, gate, &prompts, identical)?;
        if uncompared > 0 {
            cautions.push(Caution::Uncompared {
                metric: gate.metric.id,
                prompts: uncompared,
            });
        }
        gates.push(result);
    }
    if options.rule == GateRule::Alarm {
        correct(&mut gates);
    }
    gates.sort_by(worst_first);
    Ok(GateReport {
        verdict: verdict(&gates, options.rule),
        rule: options.rule,
        level: LEVEL,
        baseline: side(baseline, 0),
        candidate: side(candidate, input.unrecorded),
        joined,
        gates,
        cautions,
        changes: changes::changes(baseline, candidate, input.texts),
    })
}

fn joined(baseline: &Observed, candidate: &Observed) -> Joined {
    let both = baseline
        .prompts
        .keys()
        .filter(|key| candidate.prompts.contains_key(*key))
        .count();
    Joined {
        both,
        only_baseline: baseline.prompts.len() - both,
        only_candidate: candidate.prompts.len() - both,
    }
}

fn side(observed: &Observed, unrecorded: u64) -> GateSide {
    GateSide {
        label: observed.label.clone(),
        model: observed.model.clone(),
        run: observed.run.clone(),
        source: observed.source.clone(),
        suite: observed
            .suite
            .as_ref()
            .map(|s| (s.name.clone(), s.version.clone(), s.digest.clone())),
        prompts: observed.prompts.len(),
        unrecorded,
    }
}

/// Whether both answered the same suite; not known is no.
fn same_suite(baseline: &Observed, candidate: &Observed) -> bool {
    match (&baseline.suite, &candidate.suite) {
        (Some(b), Some(c)) => b.digest == c.digest,
        _ => false,
    }
}

fn check(input: &GateInput<'_>, options: GateOptions, joined: Joined) -> Result<(), AnalysisError> {
    let (baseline, candidate) = (input.baseline, input.candidate);
    if input.gates.is_empty() {
        let suite = candidate.suite.as_ref().or(baseline.suite.as_ref());
        let suite = suite.map_or_else(|| "unknown".to_owned(), |s| s.name.clone());
        return Err(GateError::NoMargins { suite }.into());
    }
    for (i, gate) in input.gates.iter().enumerate() {
        if let Some(first) = input.gates[..i].iter().find(|g| g.metric == gate.metric) {
            return Err(GateError::Twice {
                metric: gate.metric.id,
                first: first.allowance.to_string(),
                second: gate.allowance.to_string(),
            }
            .into());
        }
    }
    if joined.both == 0 {
        return Err(AnalysisError::NothingInCommon {
            a: baseline.label.clone(),
            b: candidate.label.clone(),
            prompts_a: baseline.prompts.len(),
            prompts_b: candidate.prompts.len(),
        });
    }
    let share = joined.both as f64 / baseline.prompts.len() as f64;
    let different = !same_suite(baseline, candidate) && !options.allow_different_suite;
    if different && share < LEAST_SHARE {
        return Err(GateError::TooDifferent {
            joined: joined.both,
            of: baseline.prompts.len(),
            least: LEAST_SHARE,
        }
        .into());
    }
    Ok(())
}

fn suite_name(observed: &Observed) -> String {
    let name = |s: &super::ObservedSuite| format!("{} {}", s.name, s.version);
    observed
        .suite
        .as_ref()
        .map_or_else(|| "a suite that is not told".to_owned(), name)
}

fn cautions(input: &GateInput<'_>, options: GateOptions, joined: Joined) -> Vec<Caution> {
    let (baseline, candidate) = (input.baseline, input.candidate);
    let mut out = Vec::new();
    let unjoined = joined.only_baseline + joined.only_candidate;
    if !same_suite(baseline, candidate) && unjoined > 0 {
        out.push(Caution::DifferentSuites {
            baseline: suite_name(baseline),
            candidate: suite_name(candidate),
            joined,
        });
    } else if options.allow_different_suite && joined.only_baseline > 0 {
        out.push(Caution::LeftOut {
            prompts: joined.only_baseline,
            of: baseline.prompts.len(),
        });
    }
    if let Some(differences) = host_differences(baseline, candidate)
        && options.allow_different_host
        && input.gates.iter().any(needs_one_host)
    {
        out.push(Caution::DifferentHosts { differences });
    }
    if joined.both < ADVISED_PROMPTS {
        out.push(Caution::FewPrompts {
            has: joined.both,
            advised: ADVISED_PROMPTS,
        });
    }
    if baseline.run.is_some() && baseline.run == candidate.run && baseline.model == candidate.model
    {
        out.push(Caution::SameRun);
    }
    if baseline.sequential || candidate.sequential {
        out.push(Caution::StoppedWhenResolved);
    }
    out
}

/// What differs between the machines; `None` when nothing does.
fn host_differences(
    baseline: &Observed,
    candidate: &Observed,
) -> Option<Vec<(&'static str, String, String)>> {
    match (&baseline.host, &candidate.host) {
        (Some(b), Some(c)) => Some(b.differences(c)).filter(|d| !d.is_empty()),
        _ => Some(Vec::new()),
    }
}

/// Times, costs and memory; a perplexity is the same everywhere.
fn needs_one_host(gate: &Gate) -> bool {
    matches!(gate.allowance, Allowance::Ratio(_))
        && !matches!(Basis::of(gate.metric), Ok(Basis::Text(_)))
}

/// Why the perplexities of two sides do not measure the same thing.
fn not_comparable(
    basis: Basis,
    input: &GateInput<'_>,
    prompts: &[(&ObservedPrompt, &ObservedPrompt)],
) -> Option<GateReason> {
    let Basis::Text(per) = basis else {
        return None;
    };
    let groups = prompts
        .iter()
        .map(|(b, c)| (b.epochs.as_slice(), c.epochs.as_slice()));
    if likelihood::windows_differ(groups) > 0 {
        return Some(GateReason::NotComparable {
            why: likelihood::WINDOWS,
        });
    }
    let (b, c) = (&input.baseline.tokenizer, &input.candidate.tokenizer);
    let same = b.is_some() && b == c;
    (per == Per::Token && !same).then_some(GateReason::NotComparable {
        why: "perplexities of tokens are compared within one tokenizer only",
    })
}

/// One gate, and the prompts it could not compare for reasons that are not the candidate's.
fn result(
    input: &GateInput<'_>,
    options: GateOptions,
    joined: Joined,
    gate: &Gate,
    prompts: &[(&ObservedPrompt, &ObservedPrompt)],
    identical: bool,
) -> Result<(GateResult, usize), AnalysisError> {
    let basis = Basis::of(gate.metric)?;
    let pairs = Pairs::of(basis, prompts);
    let (mut judged, counted) = if basis == Basis::Peak {
        let (b, c) = (input.baseline.peak_bytes, input.candidate.peak_bytes);
        (judge::peak(gate, b, c), joined.both)
    } else {
        let judged = judge::judge(gate, basis, &pairs, identical);
        (judged, pairs.units.len())
    };
    let hosts = host_differences(input.baseline, input.candidate)
        .filter(|_| needs_one_host(gate) && !options.allow_different_host);
    if let Some(differences) = hosts {
        // Neither better nor worse can be told from times of two machines.
        judged.verdict = GateVerdict::Inconclusive;
        judged.reason = Some(GateReason::DifferentHosts { differences });
        (judged.p, judged.prompts_needed) = (None, None);
    } else if let Some(reason) = not_comparable(basis, input, prompts) {
        judged.verdict = GateVerdict::Inconclusive;
        judged.reason = Some(reason);
        (judged.p, judged.prompts_needed) = (None, None);
    } else if basis != Basis::Peak
        && let Some(reason) = too_little(&pairs)
    {
        judged.verdict = GateVerdict::Inconclusive;
        judged.reason = Some(reason);
        (judged.p, judged.prompts_needed) = (None, None);
    } else if let Some(reason) = forbidden(input, options, joined, &pairs)
        && judged.verdict != GateVerdict::Fail
    {
        judged.verdict = GateVerdict::Inconclusive;
        judged.reason = Some(reason);
        judged.prompts_needed = None;
    }
    if !basis.has_sides() {
        judged.sides = None;
    }
    let uncompared = if basis == Basis::Peak || counted == 0 {
        0
    } else {
        pairs.uncompared
    };
    Ok((assembled(gate, judged, counted), uncompared))
}

fn assembled(gate: &Gate, judged: Judged, prompts: usize) -> GateResult {
    GateResult {
        metric: gate.metric,
        allowance: gate.allowance,
        origin: gate.origin,
        verdict: judged.verdict,
        reason: judged.reason,
        value: judged.value,
        baseline: judged.sides.map(|s| s.0),
        candidate: judged.sides.map(|s| s.1),
        prompts,
        p_pass: judged.p.map(|p| p.0),
        p_fail: judged.p.map(|p| p.1),
        p_fail_adjusted: None,
        prompts_needed: judged.prompts_needed,
    }
}

/// Why no verdict at all is possible on these prompts.
fn too_little(pairs: &Pairs) -> Option<GateReason> {
    let has = pairs.units.len();
    if has == 0 {
        return Some(GateReason::Missing {
            baseline: pairs.any[0],
            candidate: pairs.any[1],
        });
    }
    (has < LEAST_PROMPTS).then_some(GateReason::TooFewPrompts {
        needs: LEAST_PROMPTS,
        has,
    })
}

/// Why the candidate may not pass although its numbers would.
fn forbidden(
    input: &GateInput<'_>,
    options: GateOptions,
    joined: Joined,
    pairs: &Pairs,
) -> Option<GateReason> {
    if pairs.lost > 0 {
        return Some(GateReason::Lost {
            prompts: pairs.lost,
        });
    }
    if input.unrecorded > 0 {
        return Some(GateReason::Unrecorded {
            samples: input.unrecorded,
        });
    }
    let left_out = joined.only_baseline > 0
        && same_suite(input.baseline, input.candidate)
        && !options.allow_different_suite;
    left_out.then_some(GateReason::LeftOut {
        prompts: joined.only_baseline,
        of: input.baseline.prompts.len(),
    })
}

/// Holm's correction of the failures over all gates.
fn correct(gates: &mut [GateResult]) {
    let p: Vec<f64> = gates.iter().filter_map(|g| g.p_fail).collect();
    let adjusted = multi::holm(&p).unwrap_or_default();
    let tested = gates.iter_mut().filter(|g| g.p_fail.is_some());
    for (gate, p) in tested.zip(adjusted) {
        gate.p_fail_adjusted = Some(p);
        if gate.verdict == GateVerdict::Fail && p >= ALPHA {
            gate.verdict = GateVerdict::Inconclusive;
            gate.reason = Some(GateReason::NotAfterCorrection);
        }
    }
}

fn verdict(gates: &[GateResult], rule: GateRule) -> GateVerdict {
    let any = |v: GateVerdict| gates.iter().any(|g| g.verdict == v);
    let blind = |g: &GateResult| g.reason.as_ref().is_some_and(GateReason::is_blind);
    let open = match rule {
        GateRule::AllPass => any(GateVerdict::Inconclusive),
        GateRule::Alarm => gates.iter().any(blind),
    };
    if any(GateVerdict::Fail) {
        GateVerdict::Fail
    } else if open {
        GateVerdict::Inconclusive
    } else {
        GateVerdict::Pass
    }
}

/// Failures, then open gates, then passes; inside each the least sure of passing first; then by name.
fn worst_first(a: &GateResult, b: &GateResult) -> std::cmp::Ordering {
    let rank = |g: &GateResult| match g.verdict {
        GateVerdict::Fail => 0,
        GateVerdict::Inconclusive => 1,
        GateVerdict::Pass => 2,
    };
    let doubt = |g: &GateResult| g.p_pass.unwrap_or(1.0);
    rank(a)
        .cmp(&rank(b))
        .then_with(|| doubt(b).total_cmp(&doubt(a)))
        .then_with(|| a.metric.cmp(b.metric))
}
