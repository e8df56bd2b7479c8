//! Rows back into a record.

use super::value::Columns;
use super::{Store, StoreError};
use crate::record::{
    CheckRecord, Component, Digest, Evidence, Failure, FailureKind, Finish, Generation, HostFacts,
    LoadedModel, Look, LookVerdict, MemoryEstimate, ModelRecord, ModelStatus, Outcome,
    PlannedModelRecord, Reasoning, RunHeader, RunId, RunRecord, RunStatus, SampleKey, SampleRecord,
    SampleScore, ScoreValue, Scoring, SelfCheck, SettingRecord, SkipReason, SuiteFacts, TaskKind,
    Timing,
};
use crate::units::Bytes;
use rusqlite::{Params, params};
use std::collections::BTreeMap;

impl Store {
    /// Everything that is stored of a run. The id is a full one; [`Store::find_run`] completes prefixes.
    ///
    /// # Errors
    /// When there is no such run, or a stored value is none that evalh writes.
    pub fn load_run(&self, id: &RunId) -> Result<RunRecord, StoreError> {
        // One read transaction, so that a run that is being written is seen at one moment.
        let snapshot = self
            .conn
            .unchecked_transaction()
            .map_err(|e| StoreError::from_sqlite(&self.path, "begin a transaction", e))?;
        let (run_pk, mut record) = self.header(id)?;
        record.header.settings = self.settings(run_pk)?;
        let models = self.models(run_pk)?;
        let mut checks = self.checks(run_pk)?;
        let mut scorings = self.scorings(run_pk)?;
        for (model_pk, model) in models {
            record.samples.extend(self.samples(
                model_pk,
                &model.planned.id,
                &mut checks,
                &mut scorings,
            )?);
            record.models.push(model);
        }
        record.looks = self.looks(run_pk)?;
        drop(snapshot);
        Ok(record)
    }

    /// Runs a query and turns each row into a value.
    pub(super) fn rows<T>(
        &self,
        action: &'static str,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&mut Columns<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let fail = |e| StoreError::from_sqlite(&self.path, action, e);
        let mut statement = self.conn.prepare_cached(sql).map_err(fail)?;
        let mut rows = statement.query(params).map_err(fail)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(fail)? {
            out.push(read(&mut Columns::new(row, &self.path))?);
        }
        Ok(out)
    }

    fn header(&self, id: &RunId) -> Result<(i64, RunRecord), StoreError> {
        let found = self.rows(
            "read the run",
            "SELECT run_pk, run_id, plan_digest, status, started_at, finished_at, evalh_version, evalh_commit, argv, seed, \
             epochs, budget_bytes, budget_origin, engine, suite_name, suite_version, suite_digest, suite_primary, suite_tasks, \
             suite_samples, catalog_digest, host_os, host_arch, host_cpu, host_cores, host_memory_bytes, \
             host_memory_limit_bytes, host_gpu, host_power_source, host_thermal, host_load_average FROM run WHERE run_id = ?1",
            params![id.as_str()],
            header,
        )?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| StoreError::NoSuchRun {
                path: self.path.clone(),
                prefix: id.to_string(),
                nearest: None,
            })
    }

    fn settings(&self, run_pk: i64) -> Result<Vec<SettingRecord>, StoreError> {
        self.rows(
            "read the settings",
            "SELECT name, value, origin FROM setting WHERE run_pk = ?1 ORDER BY position",
            params![run_pk],
            |c| {
                Ok(SettingRecord {
                    name: c.text()?,
                    value: c.text()?,
                    origin: c.text()?,
                })
            },
        )
    }

    fn looks(&self, run_pk: i64) -> Result<Vec<Look>, StoreError> {
        self.rows(
            "read the looks",
            "SELECT number, planned_prompts, prompts, difference, ln_e_value, verdict, loads, load_ns FROM look \
             WHERE run_pk = ?1 ORDER BY number",
            params![run_pk],
            look,
        )
    }

    fn models(&self, run_pk: i64) -> Result<Vec<(i64, ModelRecord)>, StoreError> {
        self.rows(
            "read the models",
            "SELECT model_pk, model_id, name, position, source, weights_sha256, file_bytes, architecture, quantization, \
             parameters, model.context_tokens, tokenizer_digest, template_digest, eos_ids, license, estimate_weights_bytes, \
             estimate_kv_cache_bytes, estimate_activations_bytes, estimate_overhead_bytes, estimate_context_tokens, \
             load_ns, device, dtype, simd, threads, engine, check_tokens, check_positions, check_same_top1, check_logit_diff, \
             check_logit_spread, check_batch_diff, check_tolerance, check_ns, peak_bytes, status, kind, message, budget_bytes, weights_bytes, \
             kv_cache_bytes, activations_bytes, overhead_bytes, model_skip.context_tokens \
             FROM model LEFT JOIN model_skip USING (model_pk) WHERE run_pk = ?1 ORDER BY position",
            params![run_pk],
            |c| Ok((c.get()?, model(c)?)),
        )
    }

    fn samples(
        &self,
        model_pk: i64,
        model: &Digest,
        checks: &mut BTreeMap<i64, Vec<CheckRecord>>,
        scorings: &mut BTreeMap<i64, Scoring>,
    ) -> Result<Vec<SampleRecord>, StoreError> {
        self.rows(
            "read the samples",
            "SELECT sample_pk, kind, task, sample, epoch, sequence, content, difficulty, messages, completion, token_ids, \
             prompt_tokens, prompt_digest, finish, finish_eos_id, finish_stop, tokenize_ns, prefill_ns, total_ns, token_at_ns, \
             logprobs, reasoning_tokens, answer_at, failure_kind, failure_message, outcome, passed, score, share_checks, share_facts, share_form \
             FROM sample WHERE model_pk = ?1 ORDER BY sequence, sample_pk",
            params![model_pk],
            |c| {
                let sample_pk: i64 = c.get()?;
                let checks = checks.remove(&sample_pk).unwrap_or_default();
                sample(c, model, checks, scorings.remove(&sample_pk))
            },
        )
    }

    fn checks(&self, run_pk: i64) -> Result<BTreeMap<i64, Vec<CheckRecord>>, StoreError> {
        let list = self.rows(
            "read the checks",
            "SELECT check_result.sample_pk, check_index, check_result.kind, component, required, weight, value, share, \
             unscored_reason, answer, explanation FROM check_result JOIN sample USING (sample_pk) JOIN model USING (model_pk) \
             WHERE run_pk = ?1 ORDER BY check_result.sample_pk, check_index",
            params![run_pk],
            |c| Ok((c.get::<i64>()?, check(c)?)),
        )?;
        let mut by_sample: BTreeMap<i64, Vec<CheckRecord>> = BTreeMap::new();
        for (sample_pk, record) in list {
            by_sample.entry(sample_pk).or_default().push(record);
        }
        Ok(by_sample)
    }
}

fn header(c: &mut Columns<'_>) -> Result<(i64, RunRecord), StoreError> {
    let run_pk = c.get()?;
    let id = RunId::new(c.text()?);
    let plan_digest = c.digest("plan_digest")?;
    let status = c.name("status", "a run status", RunStatus::parse)?;
    let started_at = c.text()?;
    let finished_at = c.get()?;
    let evalh_version = c.text()?;
    let evalh_commit = c.get()?;
    let argv = c.json_list("argv")?;
    let seed = c.name("seed", "an unsigned number", |t| t.parse().ok())?;
    let epochs = c.u32("epochs")?;
    let budget = Bytes(c.u64("budget_bytes")?);
    let budget_origin = c.text()?;
    let engine = c.text()?;
    let suite = SuiteFacts {
        name: c.text()?,
        version: c.text()?,
        digest: c.digest("suite_digest")?,
        primary: c.text()?,
        tasks: c.u32("suite_tasks")?,
        samples: c.u32("suite_samples")?,
    };
    let catalog_digest = c.digest("catalog_digest")?;
    let host = HostFacts {
        os: c.get()?,
        arch: c.text()?,
        cpu: c.get()?,
        cores: c.opt_u32("host_cores")?,
        memory_total: c.opt_bytes("host_memory_bytes")?,
        memory_limit: c.opt_bytes("host_memory_limit_bytes")?,
        gpu: c.get()?,
        power_source: c.get()?,
        thermal: c.get()?,
        load_average: c.get()?,
    };
    let header = RunHeader {
        id,
        plan_digest,
        evalh_version,
        evalh_commit,
        argv,
        settings: Vec::new(),
        seed,
        epochs,
        budget,
        budget_origin,
        engine,
        suite,
        catalog_digest,
        host,
        started_at,
    };
    let record = RunRecord {
        header,
        status,
        finished_at,
        models: Vec::new(),
        samples: Vec::new(),
        looks: Vec::new(),
    };
    Ok((run_pk, record))
}

fn look(c: &mut Columns<'_>) -> Result<Look, StoreError> {
    let number = c.u32("number")?;
    let planned_prompts = c.u32("planned_prompts")?;
    let (prompts, difference, ln_e_value) = (c.u32("prompts")?, c.get()?, c.get()?);
    let verdict = c.name("verdict", "a verdict of a look", LookVerdict::parse)?;
    let loads = c.u32("loads")?;
    let load = c.opt_duration("load_ns")?;
    let load = load.ok_or_else(|| c.wrong("load_ns", "set in a look", "NULL"))?;
    Ok(Look {
        number,
        planned_prompts,
        evidence: Evidence {
            prompts,
            difference,
            ln_e_value,
            resolved: verdict == LookVerdict::Resolved,
        },
        verdict,
        loads,
        load,
    })
}

fn model(c: &mut Columns<'_>) -> Result<ModelRecord, StoreError> {
    let planned = PlannedModelRecord {
        id: c.digest("model_id")?,
        name: c.text()?,
        position: c.u32("position")?,
        source: c.get()?,
        weights_sha256: c.opt_digest("weights_sha256")?,
        file_bytes: c.opt_bytes("file_bytes")?,
        architecture: c.get()?,
        quantization: c.get()?,
        parameters: c.opt_u64("parameters")?,
        context: c.opt_u32("context_tokens")?,
        tokenizer_digest: c.opt_digest("tokenizer_digest")?,
        template_digest: c.opt_digest("template_digest")?,
        eos_ids: c.json_list("eos_ids")?,
        license: c.get()?,
        estimate: estimate(c)?,
    };
    let loaded = loaded(c)?;
    let peak = c.opt_bytes("peak_bytes")?;
    let status = c.text()?;
    let skip = skip(c)?;
    let status = match (status.as_str(), skip) {
        ("waiting", None) => ModelStatus::Waiting,
        ("started", None) => ModelStatus::Started,
        ("finished", None) => ModelStatus::Finished,
        ("skipped", Some(reason)) => ModelStatus::Skipped(reason),
        (other, _) => {
            return Err(c.wrong(
                "status",
                "a model status that agrees with `model_skip`",
                other,
            ));
        }
    };
    Ok(ModelRecord {
        planned,
        status,
        loaded,
        peak,
    })
}

/// Five columns that are all set or all NULL.
fn estimate(c: &mut Columns<'_>) -> Result<Option<MemoryEstimate>, StoreError> {
    let parts = (
        c.opt_bytes("estimate_weights_bytes")?,
        c.opt_bytes("estimate_kv_cache_bytes")?,
        c.opt_bytes("estimate_activations_bytes")?,
        c.opt_bytes("estimate_overhead_bytes")?,
        c.opt_u32("estimate_context_tokens")?,
    );
    match parts {
        (None, None, None, None, None) => Ok(None),
        (Some(weights), Some(kv_cache), Some(activations), Some(overhead), Some(context)) => {
            Ok(Some(MemoryEstimate {
                weights,
                kv_cache,
                activations,
                overhead,
                context,
            }))
        }
        _ => Err(c.wrong(
            "estimate_weights_bytes",
            "set together with the other parts",
            "NULL",
        )),
    }
}

fn loaded(c: &mut Columns<'_>) -> Result<Option<LoadedModel>, StoreError> {
    let load = c.opt_duration("load_ns")?;
    let (device, dtype, simd): (Option<String>, Option<String>, Option<String>) =
        (c.get()?, c.get()?, c.get()?);
    let threads = c.opt_u32("threads")?;
    let engine: Option<String> = c.get()?;
    let check = self_check(c)?;
    match (load, device, dtype, simd, threads, engine) {
        (None, None, None, None, None, None) => Ok(None),
        (Some(load), Some(device), Some(dtype), Some(simd), Some(threads), Some(engine)) => {
            Ok(Some(LoadedModel {
                load,
                device,
                dtype,
                simd,
                threads,
                engine,
                check,
            }))
        }
        _ => Err(c.wrong("load_ns", "set together with device and engine", "NULL")),
    }
}

/// Eight columns that are all set or all NULL.
fn self_check(c: &mut Columns<'_>) -> Result<Option<SelfCheck>, StoreError> {
    let tokens = c.opt_u32("check_tokens")?;
    let positions = c.opt_u32("check_positions")?;
    let same_top1 = c.opt_u32("check_same_top1")?;
    let values: [Option<f64>; 4] = [c.get()?, c.get()?, c.get()?, c.get()?];
    let took = c.opt_duration("check_ns")?;
    match (tokens, positions, same_top1, values, took) {
        (None, None, None, [None, None, None, None], None) => Ok(None),
        (
            Some(tokens),
            Some(positions),
            Some(same_top1),
            [
                Some(logit_diff),
                Some(logit_spread),
                Some(batch_diff),
                Some(tolerance),
            ],
            Some(took),
        ) => Ok(Some(SelfCheck {
            tokens,
            positions,
            same_top1,
            logit_diff,
            logit_spread,
            batch_diff,
            tolerance,
            took,
        })),
        _ => Err(c.wrong("check_tokens", "set together with the other parts", "NULL")),
    }
}

fn skip(c: &mut Columns<'_>) -> Result<Option<SkipReason>, StoreError> {
    let kind: Option<String> = c.get()?;
    let message: Option<String> = c.get()?;
    let budget = c.opt_bytes("budget_bytes")?;
    let estimate = estimate(c)?;
    let reason = match (kind.as_deref(), message, budget, estimate) {
        (None, ..) => return Ok(None),
        (Some("over_budget"), None, Some(budget), Some(estimate)) => {
            SkipReason::OverBudget { estimate, budget }
        }
        (Some("files"), Some(text), ..) => SkipReason::Files(text),
        (Some("load"), Some(text), ..) => SkipReason::Load(text),
        (Some("breaker"), Some(text), ..) => SkipReason::Breaker(text),
        (Some(other), ..) => return Err(c.wrong("kind", "a skip reason with its data", other)),
    };
    Ok(Some(reason))
}

fn sample(
    c: &mut Columns<'_>,
    model: &Digest,
    checks: Vec<CheckRecord>,
    scoring: Option<Scoring>,
) -> Result<SampleRecord, StoreError> {
    let kind = c.name("kind", "a kind of task", TaskKind::parse)?;
    let key = SampleKey {
        model: model.clone(),
        task: c.text()?,
        sample: c.text()?,
        epoch: c.u32("epoch")?,
    };
    let sequence = c.u64("sequence")?;
    let content = c.digest("content")?;
    let difficulty = c.text()?;
    let messages = c.messages("messages")?;
    let generation = generation(c)?;
    let failure = failure(c)?;
    let outcome = c.name("outcome", "an outcome", Outcome::parse)?;
    let passed = c.opt_flag("passed")?;
    let score = c.get()?;
    let mut components = Vec::new();
    for component in [Component::Checks, Component::Facts, Component::Form] {
        if let Some(share) = c.get::<Option<f64>>()? {
            components.push((component, share));
        }
    }
    let expected = match &scoring {
        Some(Scoring::Choice(_)) => kind == TaskKind::Choice && failure.is_none(),
        Some(Scoring::Text(_)) => kind == TaskKind::Perplexity && failure.is_none(),
        None => kind == TaskKind::Generate || failure.is_some(),
    };
    if !expected {
        let found = kind.as_str();
        return Err(c.wrong("kind", "a kind that agrees with what is stored", found));
    }
    Ok(SampleRecord {
        key,
        kind,
        scoring,
        content,
        difficulty,
        sequence,
        messages,
        generation,
        failure,
        score: SampleScore {
            outcome,
            passed,
            score,
            components,
            checks,
        },
    })
}

fn generation(c: &mut Columns<'_>) -> Result<Option<Generation>, StoreError> {
    let completion: Option<String> = c.get()?;
    let token_ids = c.opt_ids("token_ids")?;
    let prompt_tokens = c.opt_u32("prompt_tokens")?;
    let prompt_digest = c.opt_digest("prompt_digest")?;
    let finish = finish(c)?;
    let tokenize = c.opt_duration("tokenize_ns")?;
    let prefill = c.opt_duration("prefill_ns")?;
    let total = c.opt_duration("total_ns")?;
    let token_at = c.opt_times("token_at_ns")?;
    let logprobs = c.opt_floats("logprobs")?;
    let tokens = c.opt_u32("reasoning_tokens")?;
    let answer_at = c.opt_u32("answer_at")?;
    let Some(completion) = completion else {
        return Ok(None);
    };
    let reasoning = match (tokens, answer_at) {
        (None, None) => None,
        (Some(tokens), Some(answer_at)) if completion.get(answer_at as usize..).is_some() => {
            Some(Reasoning { tokens, answer_at })
        }
        (_, at) => {
            let found = at.map_or_else(|| "NULL".to_owned(), |at| at.to_string());
            return Err(c.wrong("answer_at", "the place of a character", found));
        }
    };
    let missing = |c: &Columns<'_>, column| c.wrong(column, "set in a generation", "NULL");
    Ok(Some(Generation {
        completion,
        token_ids: token_ids.ok_or_else(|| missing(c, "token_ids"))?,
        prompt_tokens: prompt_tokens.ok_or_else(|| missing(c, "prompt_tokens"))?,
        prompt_digest: prompt_digest.ok_or_else(|| missing(c, "prompt_digest"))?,
        finish: finish.ok_or_else(|| missing(c, "finish"))?,
        timing: Timing {
            tokenize: tokenize.ok_or_else(|| missing(c, "tokenize_ns"))?,
            prefill,
            token_at: token_at.ok_or_else(|| missing(c, "token_at_ns"))?,
            total: total.ok_or_else(|| missing(c, "total_ns"))?,
        },
        logprobs,
        reasoning,
    }))
}

fn finish(c: &mut Columns<'_>) -> Result<Option<Finish>, StoreError> {
    let kind: Option<String> = c.get()?;
    let eos = c.opt_u32("finish_eos_id")?;
    let stop: Option<String> = c.get()?;
    let finish = match (kind.as_deref(), eos, stop) {
        (None, None, None) => return Ok(None),
        (Some("eos"), Some(id), None) => Finish::Eos(id),
        (Some("stop"), None, Some(text)) => Finish::Stop(text),
        (Some("length"), None, None) => Finish::Length,
        (Some("context"), None, None) => Finish::Context,
        (Some("timeout"), None, None) => Finish::Timeout,
        (other, ..) => {
            let found = other.unwrap_or("NULL").to_owned();
            return Err(c.wrong("finish", "a way to finish with its data", found));
        }
    };
    Ok(Some(finish))
}

fn failure(c: &mut Columns<'_>) -> Result<Option<Failure>, StoreError> {
    let kind: Option<String> = c.get()?;
    let message: Option<String> = c.get()?;
    match (kind, message) {
        (None, None) => Ok(None),
        (Some(kind), Some(message)) => match FailureKind::parse(&kind) {
            Some(kind) => Ok(Some(Failure { kind, message })),
            None => Err(c.wrong("failure_kind", "a kind of failure", kind)),
        },
        _ => Err(c.wrong(
            "failure_message",
            "set together with `failure_kind`",
            "NULL",
        )),
    }
}

fn check(c: &mut Columns<'_>) -> Result<CheckRecord, StoreError> {
    let index = c.u32("check_index")?;
    let kind = c.text()?;
    let component = c.name("component", "a component", |name| {
        Component::ALL.into_iter().find(|x| x.as_str() == name)
    })?;
    let required = c.flag("required")?;
    let weight = c.get()?;
    let value = c.text()?;
    let share: Option<f64> = c.get()?;
    let reason: Option<String> = c.get()?;
    let value = match (value.as_str(), share, reason) {
        ("correct", ..) => ScoreValue::Correct,
        ("incorrect", ..) => ScoreValue::Incorrect,
        ("partial", Some(share), _) => ScoreValue::Partial(share),
        ("unscored", _, Some(reason)) => ScoreValue::Unscored(reason),
        (other, ..) => return Err(c.wrong("value", "a check's value with its data", other)),
    };
    Ok(CheckRecord {
        index,
        kind,
        component,
        required,
        weight,
        value,
        answer: c.get()?,
        explanation: c.get()?,
    })
}
