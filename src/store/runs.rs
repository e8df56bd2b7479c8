//! Finding, listing, checking and deleting runs.

use super::value::Columns;
use super::{Store, StoreError};
use crate::record::{Digest, RunId, RunStatus, SampleKey};
use rusqlite::params;
use std::collections::BTreeSet;

/// One run in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Id.
    pub id: RunId,
    /// Digest of the plan.
    pub plan_digest: Digest,
    /// Start, RFC 3339 UTC.
    pub started_at: String,
    /// End, RFC 3339 UTC; `None` while it runs or when it was killed.
    pub finished_at: Option<String>,
    /// Status.
    pub status: RunStatus,
    /// Name of the suite.
    pub suite: String,
    /// Version of the suite.
    pub suite_version: String,
    /// Names of the models in the order of the plan.
    pub models: Vec<String>,
    /// Models that were not run. One that was stopped because too many samples failed is not among them.
    pub skipped_models: u64,
    /// Samples planned over all models but the skipped ones.
    pub planned: u64,
    /// Samples with a record.
    pub recorded: u64,
    /// Of those, failed ones.
    pub failed: u64,
}

/// One process' part of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Number in the run, from 1.
    pub number: u32,
    /// Process id.
    pub pid: u32,
    /// Name of the machine.
    pub host: String,
    /// Start, RFC 3339 UTC.
    pub started_at: String,
    /// End, RFC 3339 UTC; `None` while it runs or when it was killed.
    pub ended_at: Option<String>,
    /// How it ended: a run status, or `killed` when a later attempt found it open; `None` while it runs or when that is not known yet.
    pub ended_how: Option<String>,
}

impl Store {
    /// The run whose id begins with `text`, or the newest one for `latest`.
    ///
    /// # Errors
    /// When no run or more than one begins with it.
    pub fn find_run(&self, text: &str) -> Result<RunId, StoreError> {
        let ids = self.ids()?;
        let Some(newest) = ids.first() else {
            return Err(StoreError::NoRuns {
                path: self.path.clone(),
            });
        };
        if text == "latest" {
            return Ok(RunId::new(newest));
        }
        let wanted = text.to_ascii_lowercase();
        if ids.contains(&wanted) {
            return Ok(RunId::new(wanted));
        }
        let matches: Vec<String> = ids
            .iter()
            .filter(|id| !wanted.is_empty() && id.starts_with(&wanted))
            .cloned()
            .collect();
        match matches.as_slice() {
            [one] => Ok(RunId::new(one)),
            [] => Err(StoreError::NoSuchRun {
                path: self.path.clone(),
                prefix: text.to_owned(),
                nearest: nearest(&wanted, &ids),
            }),
            _ => Err(StoreError::AmbiguousRun {
                prefix: text.to_owned(),
                matches,
            }),
        }
    }

    /// The shortest beginning of each stored id, at least four characters long, that no other stored id shares, newest run first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn short_ids(&self) -> Result<Vec<(RunId, String)>, StoreError> {
        let ids = self.ids()?;
        let short = |id: &String| {
            let len = (4..id.len())
                .find(|&n| {
                    id.get(..n).is_some_and(|prefix| {
                        ids.iter().filter(|other| other.starts_with(prefix)).count() == 1
                    })
                })
                .unwrap_or(id.len());
            (RunId::new(id), id[..len].to_owned())
        };
        Ok(ids.iter().map(short).collect())
    }

    /// Ids of all runs, newest first.
    fn ids(&self) -> Result<Vec<String>, StoreError> {
        self.rows(
            "list the runs",
            "SELECT run_id FROM run ORDER BY run_id DESC",
            [],
            text,
        )
    }

    /// All runs, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list_runs(&self) -> Result<Vec<RunSummary>, StoreError> {
        let runs = self.rows(
            "list the runs",
            "SELECT run_pk, run_id, plan_digest, started_at, finished_at, status, suite_name, suite_version, \
             (SELECT count(*) FROM model JOIN model_skip USING (model_pk) WHERE model.run_pk = run.run_pk AND kind <> 'breaker'), \
             samples_per_model * (SELECT count(*) FROM model LEFT JOIN model_skip USING (model_pk) \
             WHERE model.run_pk = run.run_pk AND (kind IS NULL OR kind = 'breaker')), \
             (SELECT count(*) FROM sample JOIN model USING (model_pk) WHERE model.run_pk = run.run_pk), \
             (SELECT count(failure_kind) FROM sample JOIN model USING (model_pk) WHERE model.run_pk = run.run_pk) \
             FROM run ORDER BY run_id DESC",
            [],
            |c| Ok((c.get::<i64>()?, summary(c)?)),
        )?;
        let with_models = |(run_pk, mut summary): (i64, RunSummary)| {
            summary.models = self.rows(
                "list the models",
                "SELECT name FROM model WHERE run_pk = ?1 ORDER BY position",
                params![run_pk],
                text,
            )?;
            Ok(summary)
        };
        runs.into_iter().map(with_models).collect()
    }

    /// The run that the same command continues: the newest run of this plan, unless it is complete.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn find_resumable(&self, plan_digest: &Digest) -> Result<Option<RunId>, StoreError> {
        let newest = self.rows(
            "look for an interrupted run",
            "SELECT run_id, status FROM run WHERE plan_digest = ?1 ORDER BY run_id DESC LIMIT 1",
            params![plan_digest.as_str()],
            |c| {
                let id = RunId::new(c.text()?);
                Ok((id, c.name("status", "a run status", RunStatus::parse)?))
            },
        )?;
        Ok(newest
            .into_iter()
            .find(|(_, status)| *status != RunStatus::Success)
            .map(|(id, _)| id))
    }

    /// Keys of the samples of a run that have a record.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn done_keys(&self, id: &RunId) -> Result<BTreeSet<SampleKey>, StoreError> {
        let keys = self.rows(
            "read the finished samples",
            "SELECT model_id, task, sample, epoch FROM sample JOIN model USING (model_pk) JOIN run USING (run_pk) \
             WHERE run_id = ?1",
            params![id.as_str()],
            |c| {
                Ok(SampleKey {
                    model: c.digest("model_id")?,
                    task: c.text()?,
                    sample: c.text()?,
                    epoch: c.u32("epoch")?,
                })
            },
        )?;
        Ok(keys.into_iter().collect())
    }

    /// How many records of a run are failures.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn failed_samples(&self, id: &RunId) -> Result<u64, StoreError> {
        let counts = self.rows(
            "count the failed samples",
            "SELECT count(failure_kind) FROM sample JOIN model USING (model_pk) JOIN run USING (run_pk) WHERE run_id = ?1",
            params![id.as_str()],
            |c| c.u64("failure_kind"),
        )?;
        Ok(counts.into_iter().sum())
    }

    /// The attempts of a run in order. An open last one is a process that still works on it, or a killed one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn attempts(&self, id: &RunId) -> Result<Vec<AttemptRecord>, StoreError> {
        self.rows(
            "read the attempts",
            "SELECT number, pid, host, attempt.started_at, ended_at, ended_how FROM attempt JOIN run USING (run_pk) \
             WHERE run_id = ?1 ORDER BY number",
            params![id.as_str()],
            |c| {
                Ok(AttemptRecord {
                    number: c.u32("number")?,
                    pid: c.u32("pid")?,
                    host: c.text()?,
                    started_at: c.text()?,
                    ended_at: c.get()?,
                    ended_how: c.get()?,
                })
            },
        )
    }

    /// Checks pages, indices, references and constraints of the whole file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with every finding.
    pub fn integrity_check(&self) -> Result<(), StoreError> {
        let mut findings = self.rows(
            "check the database",
            "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
            [],
            text,
        )?;
        findings.extend(self.rows(
            "check the database",
            "SELECT \"table\", rowid, parent FROM pragma_foreign_key_check",
            [],
            |c| {
                let table = c.text()?;
                let row: Option<i64> = c.get()?;
                let row = row.map_or_else(String::new, |r| format!(" {r}"));
                Ok(format!(
                    "row{row} of `{table}` refers to a missing row of `{}`",
                    c.text()?
                ))
            },
        )?);
        if findings.is_empty() {
            return Ok(());
        }
        Err(StoreError::Damaged {
            path: self.path.clone(),
            findings,
        })
    }

    /// Removes a run with all it holds, in one transaction.
    ///
    /// # Errors
    /// When there is no such run or the database cannot be written.
    pub fn delete_run(&mut self, id: &RunId) -> Result<(), StoreError> {
        let gone = self
            .conn
            .execute("DELETE FROM run WHERE run_id = ?1", params![id.as_str()])
            .map_err(|e| StoreError::from_sqlite(&self.path, "delete the run", e))?;
        if gone == 0 {
            return Err(StoreError::NoSuchRun {
                path: self.path.clone(),
                prefix: id.to_string(),
                nearest: None,
            });
        }
        Ok(())
    }
}

fn text(c: &mut Columns<'_>) -> Result<String, StoreError> {
    c.text()
}

fn summary(c: &mut Columns<'_>) -> Result<RunSummary, StoreError> {
    Ok(RunSummary {
        id: RunId::new(c.text()?),
        plan_digest: c.digest("plan_digest")?,
        started_at: c.text()?,
        finished_at: c.get()?,
        status: c.name("status", "a run status", RunStatus::parse)?,
        suite: c.text()?,
        suite_version: c.text()?,
        models: Vec::new(),
        skipped_models: c.u64("skipped_models")?,
        planned: c.u64("planned")?,
        recorded: c.u64("recorded")?,
        failed: c.u64("failed")?,
    })
}

/// The stored id that is most like `wanted`, when any is like it at all.
fn nearest(wanted: &str, ids: &[String]) -> Option<String> {
    let likeness = |id: &String| strsim::jaro_winkler(wanted, id);
    ids.iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|id| likeness(id) > 0.6)
        .cloned()
}
