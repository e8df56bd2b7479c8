//! Log-likelihoods into rows and back. Sums and lengths repeat what the blobs and the text hold, so that the views can be queried;
//! [`Store::verify_likelihoods`] computes them again.

use super::value::{Columns, finite, floats_to_blob, integer};
use super::write::Tx;
use super::{Store, StoreError};
use crate::record::{ChoiceMetric, ChoiceScore, ChoiceScoring, RunId, Scoring, TextScoring};
use rusqlite::params;
use std::collections::BTreeMap;

/// Sums of the same numbers in the same order differ by nothing; a database written elsewhere by a last digit at most.
const TOLERANCE: f64 = 1e-9;

impl Tx<'_> {
    /// Stores what was measured of a sample.
    pub(super) fn scoring(&self, sample_pk: i64, scoring: &Scoring) -> Result<(), StoreError> {
        match scoring {
            Scoring::Choice(question) => self.question(sample_pk, question),
            Scoring::Text(text) => self.text(sample_pk, text),
        }
    }

    fn question(&self, sample_pk: i64, q: &ChoiceScoring) -> Result<(), StoreError> {
        self.run(
            "store a question",
            "INSERT INTO question (sample_pk, answer, metric, prompt_tokens, prompt_digest) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                sample_pk,
                q.answer,
                q.metric.as_str(),
                q.prompt_tokens,
                q.prompt_digest.as_str(),
            ],
        )?;
        for (index, choice) in q.choices.iter().enumerate() {
            self.choice(sample_pk, integer("choice_index", index as u64)?, choice)?;
        }
        Ok(())
    }

    fn choice(&self, sample_pk: i64, index: i64, c: &ChoiceScore) -> Result<(), StoreError> {
        let unconditional = c.unconditional_logprob();
        self.run(
            "store a choice",
            "INSERT INTO choice (sample_pk, choice_index, text, logprob, tokens, characters, bytes, greedy, \
             unconditional_logprob, token_logprobs, unconditional_token_logprobs) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                sample_pk,
                index,
                c.text,
                finite("logprob", c.logprob())?,
                integer("tokens", c.token_logprobs.len() as u64)?,
                integer("characters", c.characters() as u64)?,
                integer("bytes", c.bytes() as u64)?,
                c.greedy,
                unconditional
                    .map(|sum| finite("unconditional_logprob", sum))
                    .transpose()?,
                floats_to_blob(&c.token_logprobs),
                c.unconditional.as_deref().map(floats_to_blob),
            ],
        )?;
        Ok(())
    }

    fn text(&self, sample_pk: i64, t: &TextScoring) -> Result<(), StoreError> {
        self.run(
            "store a text",
            "INSERT INTO text_score (sample_pk, logprob, tokens, text_tokens, bytes, words, window_tokens, windows, \
             text_digest, token_logprobs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                sample_pk,
                finite("logprob", t.logprob())?,
                integer("tokens", t.tokens() as u64)?,
                t.text_tokens,
                integer("bytes", t.bytes)?,
                integer("words", t.words)?,
                t.window,
                serde_json::Value::from(t.windows.clone()).to_string(),
                t.text_digest.as_str(),
                floats_to_blob(&t.token_logprobs),
            ],
        )?;
        Ok(())
    }
}

/// The sums and lengths of one row, as stored and computed again.
struct Sums {
    task: String,
    sample: String,
    pairs: Vec<(&'static str, Option<f64>, Option<f64>)>,
}

impl Store {
    /// What was measured of each sample of a run.
    pub(super) fn scorings(&self, run_pk: i64) -> Result<BTreeMap<i64, Scoring>, StoreError> {
        let mut choices: BTreeMap<i64, Vec<ChoiceScore>> = BTreeMap::new();
        let rows = self.rows(
            "read the choices",
            "SELECT sample_pk, choice.text, greedy, token_logprobs, unconditional_token_logprobs FROM choice \
             JOIN sample USING (sample_pk) JOIN model USING (model_pk) WHERE run_pk = ?1 ORDER BY sample_pk, choice_index",
            params![run_pk],
            |c| Ok((c.get::<i64>()?, choice(c)?)),
        )?;
        for (sample_pk, choice) in rows {
            choices.entry(sample_pk).or_default().push(choice);
        }
        let questions = self.rows(
            "read the questions",
            "SELECT sample_pk, answer, metric, question.prompt_tokens, question.prompt_digest FROM question \
             JOIN sample USING (sample_pk) JOIN model USING (model_pk) WHERE run_pk = ?1",
            params![run_pk],
            |c| {
                let sample_pk: i64 = c.get()?;
                let own = choices.remove(&sample_pk).unwrap_or_default();
                Ok((sample_pk, Scoring::Choice(question(c, own)?)))
            },
        )?;
        let texts = self.rows(
            "read the texts",
            "SELECT sample_pk, text_tokens, bytes, words, window_tokens, windows, text_digest, token_logprobs FROM text_score \
             JOIN sample USING (sample_pk) JOIN model USING (model_pk) WHERE run_pk = ?1",
            params![run_pk],
            |c| Ok((c.get::<i64>()?, Scoring::Text(text(c)?))),
        )?;
        Ok(questions.into_iter().chain(texts).collect())
    }

    /// Computes the stored sums and lengths of every question and text of a run again.
    ///
    /// # Errors
    /// The first one that does not follow from its observation, with both values.
    pub fn verify_likelihoods(&self, id: &RunId) -> Result<(), StoreError> {
        let choices = self.rows(
            "read the choices",
            "SELECT task, sample, choice.text, greedy, token_logprobs, unconditional_token_logprobs, logprob, tokens, characters, bytes, \
             unconditional_logprob FROM choice JOIN sample USING (sample_pk) JOIN model USING (model_pk) JOIN run USING (run_pk) \
             WHERE run_id = ?1 ORDER BY sample_pk, choice_index",
            params![id.as_str()],
            choice_sums,
        )?;
        let texts = self.rows(
            "read the texts",
            "SELECT task, sample, text_tokens, bytes, words, window_tokens, windows, text_digest, token_logprobs, logprob, tokens \
             FROM text_score JOIN sample USING (sample_pk) JOIN model USING (model_pk) JOIN run USING (run_pk) \
             WHERE run_id = ?1 ORDER BY sample_pk",
            params![id.as_str()],
            text_sums,
        )?;
        choices
            .iter()
            .chain(&texts)
            .try_for_each(|sums| self.verify_sums(sums))
    }

    fn verify_sums(&self, sums: &Sums) -> Result<(), StoreError> {
        let shown = |v: Option<f64>| v.map_or_else(|| "NULL".to_owned(), |v| v.to_string());
        for (column, stored, again) in &sums.pairs {
            let same = match (stored, again) {
                (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0),
                (a, b) => a == b,
            };
            if !same {
                return Err(StoreError::Summary {
                    path: self.path.clone(),
                    column,
                    task: sums.task.clone(),
                    sample: sums.sample.clone(),
                    stored: shown(*stored),
                    recomputed: shown(*again),
                });
            }
        }
        Ok(())
    }
}

fn question(c: &mut Columns<'_>, choices: Vec<ChoiceScore>) -> Result<ChoiceScoring, StoreError> {
    let question = ChoiceScoring {
        answer: c.u32("answer")?,
        metric: c.name("metric", "a metric of choices", ChoiceMetric::parse)?,
        prompt_tokens: c.u32("prompt_tokens")?,
        prompt_digest: c.digest("prompt_digest")?,
        choices,
    };
    if question.answer as usize >= question.choices.len() {
        let (answer, n) = (question.answer, question.choices.len());
        return Err(c.wrong("answer", "one of the choices", format!("{answer} of {n}")));
    }
    Ok(question)
}

fn choice(c: &mut Columns<'_>) -> Result<ChoiceScore, StoreError> {
    let text = c.text()?;
    let greedy = c.flag("greedy")?;
    let token_logprobs = logprobs(c)?;
    let unconditional = c.opt_floats("unconditional_token_logprobs")?;
    Ok(ChoiceScore {
        text,
        token_logprobs,
        greedy,
        unconditional,
    })
}

fn text(c: &mut Columns<'_>) -> Result<TextScoring, StoreError> {
    let text_tokens = c.u32("text_tokens")?;
    let bytes = c.u64("bytes")?;
    let words = c.u64("words")?;
    let window = c.u32("window_tokens")?;
    let windows = c.json_list("windows")?;
    let text_digest = c.digest("text_digest")?;
    let token_logprobs = logprobs(c)?;
    Ok(TextScoring {
        window,
        windows,
        text_tokens,
        bytes,
        words,
        text_digest,
        token_logprobs,
    })
}

fn logprobs(c: &mut Columns<'_>) -> Result<Vec<f32>, StoreError> {
    let found = c.opt_floats("token_logprobs")?;
    found.ok_or_else(|| c.wrong("token_logprobs", "log-probabilities", "NULL"))
}

fn choice_sums(c: &mut Columns<'_>) -> Result<Sums, StoreError> {
    let (task, sample) = (c.text()?, c.text()?);
    let own = choice(c)?;
    let count = |n: usize| Some(n as f64);
    let pairs = vec![
        ("logprob", c.get()?, Some(own.logprob())),
        ("tokens", c.get()?, count(own.token_logprobs.len())),
        ("characters", c.get()?, count(own.characters())),
        ("bytes", c.get()?, count(own.bytes())),
        (
            "unconditional_logprob",
            c.get()?,
            own.unconditional_logprob(),
        ),
    ];
    Ok(Sums {
        task,
        sample,
        pairs,
    })
}

fn text_sums(c: &mut Columns<'_>) -> Result<Sums, StoreError> {
    let (task, sample) = (c.text()?, c.text()?);
    let own = text(c)?;
    let scored: u64 = own.windows.iter().map(|&n| u64::from(n)).sum();
    let tokens: f64 = own.tokens() as f64;
    let pairs = vec![
        ("logprob", c.get()?, Some(own.logprob())),
        ("tokens", c.get()?, Some(tokens)),
        ("windows", Some(scored as f64), Some(tokens)),
    ];
    Ok(Sums {
        task,
        sample,
        pairs,
    })
}
