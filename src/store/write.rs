//! Events into rows. One event is one transaction.

use super::columns::GenerationRow;
use super::value::{bytes, finite, integer, messages_to_json, nanos};
use super::{Store, StoreError};
use crate::clock;
use crate::record::{
    CheckRecord, Component, Digest, EventSink, LoadedModel, Look, MemoryEstimate,
    PlannedModelRecord, RunEvent, RunEventKind, RunHeader, RunStatus, SampleRecord, SampleScore,
    ScoreValue, SelfCheck, SinkError, SkipReason,
};
use crate::units::Bytes;
use rusqlite::{Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The process that works on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptFacts {
    /// Process id.
    pub pid: u32,
    /// Name of the machine.
    pub host: String,
}

/// Writes a run as it happens.
#[derive(Debug)]
pub struct StoreSink<'s> {
    store: &'s mut Store,
    facts: AttemptFacts,
    begun: Option<Begun>,
}

/// What is known once a run began.
#[derive(Debug)]
struct Begun {
    run_pk: i64,
    attempt: i64,
    models: BTreeMap<Digest, i64>,
}

impl Begun {
    fn model(&self, id: &Digest) -> Result<i64, StoreError> {
        self.models
            .get(id)
            .copied()
            .ok_or_else(|| StoreError::UnknownModel {
                model: id.short().to_owned(),
            })
    }
}

impl<'s> StoreSink<'s> {
    /// A sink that writes one run to `store`.
    pub fn new(store: &'s mut Store, facts: AttemptFacts) -> Self {
        Self {
            store,
            facts,
            begun: None,
        }
    }

    fn write(&mut self, event: &RunEvent) -> Result<(), StoreError> {
        use RunEventKind as Kind;
        if matches!(event.kind, Kind::SampleStarted { .. }) {
            return Ok(());
        }
        let path = self.store.path.clone();
        let transaction = self
            .store
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|e| StoreError::from_sqlite(&path, "begin a transaction", e))?;
        let tx = Tx {
            tx: &transaction,
            path: &path,
        };
        let begun =
            |event: &'static str| self.begun.as_ref().ok_or(StoreError::NoRunBegun { event });
        let mut opened = None;
        match &event.kind {
            Kind::RunStarted {
                header,
                models,
                samples_per_model,
            } => opened = Some(tx.start(header, models, *samples_per_model, &self.facts)?),
            Kind::RunResumed { header, models, .. } => {
                opened = Some(tx.resume(header, models, &self.facts)?);
            }
            Kind::ModelSkipped { model, reason } => {
                tx.skip(begun("ModelSkipped")?.model(model)?, reason)?;
            }
            Kind::ModelLoadStarted { model } => {
                tx.load_started(begun("ModelLoadStarted")?.model(model)?)?;
            }
            Kind::ModelLoaded { model, loaded } => {
                tx.loaded(begun("ModelLoaded")?.model(model)?, loaded)?;
            }
            Kind::WarmupFinished { model, took } => {
                tx.warmed_up(begun("WarmupFinished")?.model(model)?, *took)?;
            }
            Kind::SampleStarted { .. } => {}
            Kind::SampleFinished { record } => {
                let begun = begun("SampleFinished")?;
                let model = begun.model(&record.key.model)?;
                tx.sample(model, begun.attempt, event.elapsed, record)?;
            }
            Kind::BreakerOpened { model, reason } => {
                let reason = SkipReason::Breaker(reason.clone());
                tx.skip(begun("BreakerOpened")?.model(model)?, &reason)?;
            }
            Kind::ModelUnloaded {
                model,
                complete,
                peak,
            } => tx.unloaded(begun("ModelUnloaded")?.model(model)?, *complete, *peak)?,
            Kind::LookTaken { look } => tx.look(begun("LookTaken")?.run_pk, look)?,
            Kind::RunFinished { status, .. } => tx.finish(begun("RunFinished")?, *status)?,
        }
        transaction
            .commit()
            .map_err(|e| StoreError::from_sqlite(&path, "commit", e))?;
        if opened.is_some() {
            self.begun = opened;
        }
        Ok(())
    }
}

impl EventSink for StoreSink<'_> {
    fn take(&mut self, event: &RunEvent) -> Result<(), SinkError> {
        self.write(event).map_err(|e| SinkError(Box::new(e)))
    }
}

/// A transaction that knows the path of its file, for errors.
pub(super) struct Tx<'t> {
    tx: &'t Transaction<'t>,
    path: &'t Path,
}

impl Tx<'_> {
    pub(super) fn run(
        &self,
        action: &'static str,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<usize, StoreError> {
        self.tx
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(|e| StoreError::from_sqlite(self.path, action, e))
    }

    fn start(
        &self,
        header: &RunHeader,
        models: &[PlannedModelRecord],
        samples_per_model: u64,
        facts: &AttemptFacts,
    ) -> Result<Begun, StoreError> {
        let run_pk = self.header(header, samples_per_model)?;
        for (position, setting) in header.settings.iter().enumerate() {
            self.run(
                "store a setting",
                "INSERT INTO setting (run_pk, position, name, value, origin) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![run_pk, integer("position", position as u64)?, setting.name, setting.value, setting.origin],
            )?;
        }
        let mut known = BTreeMap::new();
        for model in models {
            known.insert(model.id.clone(), self.model(run_pk, model)?);
        }
        let attempt = self.attempt(run_pk, facts)?;
        Ok(Begun {
            run_pk,
            attempt,
            models: known,
        })
    }

    fn header(&self, h: &RunHeader, samples_per_model: u64) -> Result<i64, StoreError> {
        let argv = serde_json::Value::from(h.argv.clone()).to_string();
        let result = self.tx.execute(
            "INSERT INTO run (run_id, plan_digest, status, started_at, evalh_version, evalh_commit, argv, seed, epochs, \
             samples_per_model, budget_bytes, budget_origin, engine, suite_name, suite_version, suite_digest, suite_primary, \
             suite_tasks, suite_samples, catalog_digest, host_os, host_arch, host_cpu, host_cores, host_memory_bytes, \
             host_memory_limit_bytes, host_gpu, host_power_source, host_thermal, host_load_average) \
             VALUES (?1, ?2, 'started', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, \
             ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)",
            params![
                h.id.as_str(),
                h.plan_digest.as_str(),
                h.started_at,
                h.evalh_version,
                h.evalh_commit,
                argv,
                h.seed.to_string(),
                h.epochs,
                integer("samples_per_model", samples_per_model)?,
                integer("budget_bytes", h.budget.get())?,
                h.budget_origin,
                h.engine,
                h.suite.name,
                h.suite.version,
                h.suite.digest.as_str(),
                h.suite.primary,
                h.suite.tasks,
                h.suite.samples,
                h.catalog_digest.as_str(),
                h.host.os,
                h.host.arch,
                h.host.cpu,
                h.host.cores,
                bytes("host_memory_bytes", h.host.memory_total)?,
                bytes("host_memory_limit_bytes", h.host.memory_limit)?,
                h.host.gpu,
                h.host.power_source,
                h.host.thermal,
                h.host
                    .load_average
                    .map(|v| finite("host_load_average", v))
                    .transpose()?,
            ],
        );
        match result {
            Ok(_) => Ok(self.tx.last_insert_rowid()),
            Err(e) if is_conflict(&e) => Err(StoreError::DuplicateRun {
                path: self.path.to_owned(),
                run: h.id.to_string(),
            }),
            Err(e) => Err(StoreError::from_sqlite(self.path, "store the run", e)),
        }
    }

    fn model(&self, run_pk: i64, m: &PlannedModelRecord) -> Result<i64, StoreError> {
        let eos = serde_json::Value::from(m.eos_ids.clone()).to_string();
        let part =
            |pick: fn(&MemoryEstimate) -> Bytes| bytes("estimate", m.estimate.as_ref().map(pick));
        self.run(
            "store a model",
            "INSERT INTO model (run_pk, model_id, name, position, source, weights_sha256, file_bytes, architecture, \
             quantization, parameters, context_tokens, tokenizer_digest, template_digest, eos_ids, license, \
             estimate_weights_bytes, estimate_kv_cache_bytes, estimate_activations_bytes, estimate_overhead_bytes, \
             estimate_context_tokens, status) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, \
             ?16, ?17, ?18, ?19, ?20, 'waiting')",
            params![
                run_pk,
                m.id.as_str(),
                m.name,
                m.position,
                m.source,
                m.weights_sha256.as_ref().map(Digest::as_str),
                bytes("file_bytes", m.file_bytes)?,
                m.architecture,
                m.quantization,
                m.parameters
                    .map(|n| integer("parameters", n))
                    .transpose()?,
                m.context,
                m.tokenizer_digest.as_ref().map(Digest::as_str),
                m.template_digest.as_ref().map(Digest::as_str),
                eos,
                m.license,
                part(|e| e.weights)?,
                part(|e| e.kv_cache)?,
                part(|e| e.activations)?,
                part(|e| e.overhead)?,
                m.estimate.as_ref().map(|e| e.context),
            ],
        )?;
        Ok(self.tx.last_insert_rowid())
    }

    /// Inserts the attempt and returns its number in the run, from 1.
    fn attempt(&self, run_pk: i64, facts: &AttemptFacts) -> Result<i64, StoreError> {
        // An attempt that is open when the next one begins was killed; when is not known.
        self.run(
            "close the last attempt",
            "UPDATE attempt SET ended_how = 'killed' WHERE run_pk = ?1 AND ended_how IS NULL",
            params![run_pk],
        )?;
        self.run(
            "store the attempt",
            "INSERT INTO attempt (run_pk, number, pid, host, started_at) \
             SELECT ?1, 1 + coalesce(max(number), 0), ?2, ?3, ?4 FROM attempt WHERE run_pk = ?1",
            params![run_pk, facts.pid, facts.host, now()],
        )?;
        self.tx
            .query_row(
                "SELECT max(number) FROM attempt WHERE run_pk = ?1",
                params![run_pk],
                |row| row.get(0),
            )
            .map_err(|e| StoreError::from_sqlite(self.path, "store the attempt", e))
    }

    fn resume(
        &self,
        header: &RunHeader,
        models: &[PlannedModelRecord],
        facts: &AttemptFacts,
    ) -> Result<Begun, StoreError> {
        let fail = |e| StoreError::from_sqlite(self.path, "continue the run", e);
        let run_pk: i64 = self
            .tx
            .query_row(
                "SELECT run_pk FROM run WHERE run_id = ?1",
                params![header.id.as_str()],
                |row| row.get(0),
            )
            .map_err(|e| match e {
                rusqlite::Error::QueryReturnedNoRows => StoreError::NoSuchRun {
                    path: self.path.to_owned(),
                    prefix: header.id.to_string(),
                    nearest: None,
                },
                other => fail(other),
            })?;
        let mut known = BTreeMap::new();
        for model in models {
            let found = self.tx.query_row(
                "SELECT model_pk FROM model WHERE run_pk = ?1 AND model_id = ?2",
                params![run_pk, model.id.as_str()],
                |row| row.get::<_, i64>(0),
            );
            match found {
                Ok(pk) => known.insert(model.id.clone(), pk),
                Err(rusqlite::Error::QueryReturnedNoRows) => {
                    return Err(StoreError::UnknownModel {
                        model: model.id.short().to_owned(),
                    });
                }
                Err(other) => return Err(fail(other)),
            };
        }
        self.run(
            "continue the run",
            "UPDATE run SET status = 'started', finished_at = NULL WHERE run_pk = ?1",
            params![run_pk],
        )?;
        let attempt = self.attempt(run_pk, facts)?;
        Ok(Begun {
            run_pk,
            attempt,
            models: known,
        })
    }

    fn skip(&self, model_pk: i64, reason: &SkipReason) -> Result<(), StoreError> {
        self.run(
            "store a skipped model",
            "UPDATE model SET status = 'skipped' WHERE model_pk = ?1",
            params![model_pk],
        )?;
        let (kind, message, over) = match reason {
            SkipReason::OverBudget { estimate, budget } => {
                ("over_budget", None, Some((estimate, *budget)))
            }
            SkipReason::Files(text) => ("files", Some(text), None),
            SkipReason::Load(text) => ("load", Some(text), None),
            SkipReason::Breaker(text) => ("breaker", Some(text), None),
        };
        let part =
            |pick: fn(&MemoryEstimate) -> Bytes| bytes("estimate", over.map(|(e, _)| pick(e)));
        self.run(
            "store a skipped model",
            "INSERT OR REPLACE INTO model_skip (model_pk, kind, message, budget_bytes, weights_bytes, kv_cache_bytes, \
             activations_bytes, overhead_bytes, context_tokens) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                model_pk,
                kind,
                message,
                bytes("budget_bytes", over.map(|(_, b)| b))?,
                part(|e| e.weights)?,
                part(|e| e.kv_cache)?,
                part(|e| e.activations)?,
                part(|e| e.overhead)?,
                over.map(|(e, _)| e.context),
            ],
        )?;
        Ok(())
    }

    /// A model that an earlier attempt skipped is tried again, so its old reason goes.
    fn load_started(&self, model_pk: i64) -> Result<(), StoreError> {
        self.run(
            "store the start of a model",
            "UPDATE model SET status = 'started' WHERE model_pk = ?1",
            params![model_pk],
        )?;
        self.run(
            "store the start of a model",
            "DELETE FROM model_skip WHERE model_pk = ?1",
            params![model_pk],
        )?;
        Ok(())
    }

    fn loaded(&self, model_pk: i64, l: &LoadedModel) -> Result<(), StoreError> {
        let check = l.check.as_ref();
        let number =
            |name, pick: fn(&SelfCheck) -> f64| check.map(|c| finite(name, pick(c))).transpose();
        self.run(
            "store a loaded model",
            "UPDATE model SET load_ns = ?2, device = ?3, dtype = ?4, simd = ?5, threads = ?6, engine = ?7, \
             check_tokens = ?8, check_positions = ?9, check_same_top1 = ?10, check_logit_diff = ?11, check_logit_spread = ?12, \
             check_batch_diff = ?13, check_tolerance = ?14, check_ns = ?15 WHERE model_pk = ?1",
            params![
                model_pk,
                nanos("load_ns", l.load)?,
                l.device,
                l.dtype,
                l.simd,
                l.threads,
                l.engine,
                check.map(|c| c.tokens),
                check.map(|c| c.positions),
                check.map(|c| c.same_top1),
                number("check_logit_diff", |c| c.logit_diff)?,
                number("check_logit_spread", |c| c.logit_spread)?,
                number("check_batch_diff", |c| c.batch_diff)?,
                number("check_tolerance", |c| c.tolerance)?,
                check.map(|c| nanos("check_ns", c.took)).transpose()?,
            ],
        )?;
        Ok(())
    }

    fn warmed_up(&self, model_pk: i64, took: Duration) -> Result<(), StoreError> {
        self.run(
            "store the warm-up",
            "UPDATE model SET warmup_ns = ?2 WHERE model_pk = ?1",
            params![model_pk, nanos("warmup_ns", took)?],
        )?;
        Ok(())
    }

    /// The peak of a resumed run is the highest of its attempts.
    fn unloaded(
        &self,
        model_pk: i64,
        complete: bool,
        peak: Option<Bytes>,
    ) -> Result<(), StoreError> {
        self.run(
            "store the end of a model",
            "UPDATE model SET \
             status = CASE WHEN status = 'skipped' THEN status WHEN ?2 THEN 'finished' ELSE 'started' END, \
             peak_bytes = coalesce(max(peak_bytes, ?3), peak_bytes, ?3) WHERE model_pk = ?1",
            params![model_pk, complete, bytes("peak_bytes", peak)?],
        )?;
        Ok(())
    }

    /// A look that a continued run takes again keeps the loads of both attempts.
    fn look(&self, run_pk: i64, look: &Look) -> Result<(), StoreError> {
        let e = &look.evidence;
        let number = |name, value: Option<f64>| value.map(|v| finite(name, v)).transpose();
        self.run(
            "store a look",
            "INSERT INTO look (run_pk, number, prompts, planned_prompts, difference, ln_e_value, verdict, loads, load_ns) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (run_pk, number) DO UPDATE SET \
             prompts = excluded.prompts, planned_prompts = excluded.planned_prompts, difference = excluded.difference, \
             ln_e_value = excluded.ln_e_value, verdict = excluded.verdict, loads = loads + excluded.loads, \
             load_ns = load_ns + excluded.load_ns",
            params![
                run_pk,
                look.number,
                e.prompts,
                look.planned_prompts,
                number("difference", e.difference)?,
                number("ln_e_value", e.ln_e_value)?,
                look.verdict.as_str(),
                look.loads,
                nanos("load_ns", look.load)?,
            ],
        )?;
        Ok(())
    }

    fn finish(&self, begun: &Begun, status: RunStatus) -> Result<(), StoreError> {
        let at = (status != RunStatus::Started).then(now);
        let how = (status != RunStatus::Started).then(|| status.as_str());
        self.run(
            "store the end of the run",
            "UPDATE run SET status = ?2, finished_at = ?3 WHERE run_pk = ?1",
            params![begun.run_pk, status.as_str(), at],
        )?;
        self.run(
            "store the end of the attempt",
            "UPDATE attempt SET ended_at = ?3, ended_how = ?4 WHERE run_pk = ?1 AND number = ?2",
            params![begun.run_pk, begun.attempt, at, how],
        )?;
        Ok(())
    }

    fn sample(
        &self,
        model_pk: i64,
        attempt: i64,
        elapsed: Duration,
        r: &SampleRecord,
    ) -> Result<(), StoreError> {
        let g = r.generation.as_ref().map(GenerationRow::of).transpose()?;
        let g = g.as_ref();
        let share = |component| share_of(&r.score, component);
        let result = self.tx.prepare_cached(
            "INSERT INTO sample (model_pk, kind, task, sample, epoch, attempt, elapsed_ns, sequence, content, difficulty, messages, \
             completion, token_ids, prompt_tokens, completion_tokens, prompt_digest, finish, finish_eos_id, finish_stop, \
             tokenize_ns, prefill_ns, ttft_ns, tpot_ns, total_ns, token_at_ns, logprobs, failure_kind, failure_message, \
             outcome, passed, score, share_checks, share_facts, share_form, reasoning_tokens, answer_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
             ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                model_pk,
                r.kind.as_str(),
                r.key.task,
                r.key.sample,
                r.key.epoch,
                attempt,
                nanos("elapsed_ns", elapsed).map_err(boxed)?,
                integer("sequence", r.sequence).map_err(boxed)?,
                r.content.as_str(),
                r.difficulty,
                messages_to_json(&r.messages),
                g.map(|g| g.completion),
                g.map(|g| &g.token_ids),
                g.map(|g| g.prompt_tokens),
                g.map(|g| g.completion_tokens),
                g.map(|g| g.prompt_digest),
                g.map(|g| g.finish),
                g.and_then(|g| g.finish_eos_id),
                g.and_then(|g| g.finish_stop),
                g.map(|g| g.tokenize_ns),
                g.and_then(|g| g.prefill_ns),
                g.and_then(|g| g.ttft_ns),
                g.and_then(|g| g.tpot_ns),
                g.map(|g| g.total_ns),
                g.map(|g| &g.token_at_ns),
                g.and_then(|g| g.logprobs.as_ref()),
                r.failure.as_ref().map(|f| f.kind.as_str()),
                r.failure.as_ref().map(|f| &f.message),
                r.score.outcome.as_str(),
                r.score.passed,
                r.score.score.map(|v| finite("score", v)).transpose().map_err(boxed)?,
                share(Component::Checks).map_err(boxed)?,
                share(Component::Facts).map_err(boxed)?,
                share(Component::Form).map_err(boxed)?,
                g.and_then(|g| g.reasoning_tokens),
                g.and_then(|g| g.answer_at),
            ])
        });
        match result {
            Ok(_) => {}
            Err(rusqlite::Error::ToSqlConversionFailure(e)) => {
                return Err(match e.downcast::<StoreError>() {
                    Ok(own) => *own,
                    Err(other) => StoreError::from_sqlite(
                        self.path,
                        "store a sample",
                        rusqlite::Error::ToSqlConversionFailure(other),
                    ),
                });
            }
            Err(e) if is_conflict(&e) => {
                return Err(StoreError::DuplicateSample {
                    task: r.key.task.clone(),
                    sample: r.key.sample.clone(),
                    epoch: r.key.epoch,
                });
            }
            Err(e) => return Err(StoreError::from_sqlite(self.path, "store a sample", e)),
        }
        let sample_pk = self.tx.last_insert_rowid();
        for check in &r.score.checks {
            self.check(sample_pk, check)?;
        }
        match &r.scoring {
            Some(scoring) => self.scoring(sample_pk, scoring),
            None => Ok(()),
        }
    }

    fn check(&self, sample_pk: i64, c: &CheckRecord) -> Result<(), StoreError> {
        let (value, share, reason) = match &c.value {
            ScoreValue::Correct => ("correct", Some(1.0), None),
            ScoreValue::Incorrect => ("incorrect", Some(0.0), None),
            ScoreValue::Partial(share) => ("partial", Some(finite("share", *share)?), None),
            ScoreValue::Unscored(reason) => ("unscored", None, Some(reason)),
        };
        self.run(
            "store a check",
            "INSERT INTO check_result (sample_pk, check_index, kind, component, required, weight, value, share, \
             unscored_reason, answer, explanation) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                sample_pk,
                c.index,
                c.kind,
                c.component.as_str(),
                c.required,
                finite("weight", c.weight)?,
                value,
                share,
                reason,
                c.answer,
                c.explanation,
            ],
        )?;
        Ok(())
    }
}

fn share_of(score: &SampleScore, component: Component) -> Result<Option<f64>, StoreError> {
    score
        .components
        .iter()
        .find(|(c, _)| *c == component)
        .map(|(_, share)| finite("share", *share))
        .transpose()
}

fn boxed(error: StoreError) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

fn is_conflict(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE)
}

/// The time now, RFC 3339 in UTC with milliseconds.
fn now() -> String {
    format!("{:.3}", clock::wall())
}
