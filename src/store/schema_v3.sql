-- Schema version 3: samples scored by log-likelihood. Described in docs/schema.md.
-- A check of `sample` changes, so the table is made anew with what refers to it.

CREATE TABLE sample_new (
  sample_pk INTEGER PRIMARY KEY,
  model_pk INTEGER NOT NULL REFERENCES model (model_pk) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('generate', 'choice', 'perplexity')),
  task TEXT NOT NULL,
  sample TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  elapsed_ns INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  content TEXT NOT NULL,
  difficulty TEXT NOT NULL,
  messages TEXT NOT NULL,
  completion TEXT,
  token_ids BLOB,
  prompt_tokens INTEGER,
  completion_tokens INTEGER,
  prompt_digest TEXT,
  finish TEXT CHECK (finish IN ('eos', 'stop', 'length', 'context', 'timeout')),
  finish_eos_id INTEGER,
  finish_stop TEXT,
  tokenize_ns INTEGER,
  prefill_ns INTEGER,
  ttft_ns INTEGER,
  tpot_ns REAL,
  total_ns INTEGER,
  token_at_ns BLOB,
  logprobs BLOB,
  failure_kind TEXT,
  failure_message TEXT,
  outcome TEXT NOT NULL,
  passed INTEGER CHECK (passed IN (0, 1)),
  score REAL,
  share_checks REAL,
  share_facts REAL,
  share_form REAL,
  UNIQUE (model_pk, task, sample, epoch),
  CHECK (CASE kind WHEN 'generate' THEN (completion IS NULL) <> (failure_kind IS NULL) ELSE completion IS NULL END),
  CHECK ((completion IS NULL) = (token_ids IS NULL) AND (completion IS NULL) = (finish IS NULL)
    AND (completion IS NULL) = (total_ns IS NULL) AND (completion IS NULL) = (token_at_ns IS NULL)
    AND (completion IS NULL) = (prompt_tokens IS NULL) AND (completion IS NULL) = (completion_tokens IS NULL)),
  CHECK ((failure_kind IS NULL) = (failure_message IS NULL))
) STRICT;

INSERT INTO sample_new (sample_pk, model_pk, kind, task, sample, epoch, attempt, elapsed_ns, sequence, content, difficulty, messages,
  completion, token_ids, prompt_tokens, completion_tokens, prompt_digest, finish, finish_eos_id, finish_stop, tokenize_ns, prefill_ns,
  ttft_ns, tpot_ns, total_ns, token_at_ns, logprobs, failure_kind, failure_message, outcome, passed, score, share_checks, share_facts,
  share_form)
SELECT sample_pk, model_pk, 'generate', task, sample, epoch, attempt, elapsed_ns, sequence, content, difficulty, messages,
  completion, token_ids, prompt_tokens, completion_tokens, prompt_digest, finish, finish_eos_id, finish_stop, tokenize_ns, prefill_ns,
  ttft_ns, tpot_ns, total_ns, token_at_ns, logprobs, failure_kind, failure_message, outcome, passed, score, share_checks, share_facts,
  share_form
FROM sample;

CREATE TABLE check_result_new (
  sample_pk INTEGER NOT NULL REFERENCES sample_new (sample_pk) ON DELETE CASCADE,
  check_index INTEGER NOT NULL,
  kind TEXT NOT NULL,
  component TEXT NOT NULL,
  required INTEGER NOT NULL CHECK (required IN (0, 1)),
  weight REAL NOT NULL,
  value TEXT NOT NULL CHECK (value IN ('correct', 'incorrect', 'partial', 'unscored')),
  share REAL,
  unscored_reason TEXT,
  answer TEXT,
  explanation TEXT,
  PRIMARY KEY (sample_pk, check_index),
  CHECK ((value = 'unscored') = (share IS NULL)),
  CHECK ((value = 'unscored') = (unscored_reason IS NOT NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO check_result_new SELECT * FROM check_result;

DROP VIEW v_run_summary;
DROP VIEW v_sample;
DROP TABLE check_result;
DROP TABLE sample;
ALTER TABLE sample_new RENAME TO sample;
ALTER TABLE check_result_new RENAME TO check_result;

CREATE TABLE question (
  sample_pk INTEGER PRIMARY KEY REFERENCES sample (sample_pk) ON DELETE CASCADE,
  answer INTEGER NOT NULL,
  metric TEXT NOT NULL CHECK (metric IN ('acc', 'acc_norm', 'acc_bytes', 'acc_mutual_info')),
  prompt_tokens INTEGER NOT NULL,
  prompt_digest TEXT NOT NULL
) STRICT;

CREATE TABLE choice (
  sample_pk INTEGER NOT NULL REFERENCES question (sample_pk) ON DELETE CASCADE,
  choice_index INTEGER NOT NULL,
  text TEXT NOT NULL,
  logprob REAL NOT NULL,
  tokens INTEGER NOT NULL,
  characters INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  greedy INTEGER NOT NULL CHECK (greedy IN (0, 1)),
  unconditional_logprob REAL,
  token_logprobs BLOB NOT NULL,
  unconditional_token_logprobs BLOB,
  PRIMARY KEY (sample_pk, choice_index),
  CHECK ((unconditional_logprob IS NULL) = (unconditional_token_logprobs IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE text_score (
  sample_pk INTEGER PRIMARY KEY REFERENCES sample (sample_pk) ON DELETE CASCADE,
  logprob REAL NOT NULL,
  tokens INTEGER NOT NULL,
  text_tokens INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  words INTEGER NOT NULL,
  window_tokens INTEGER NOT NULL,
  windows TEXT NOT NULL,
  text_digest TEXT NOT NULL,
  token_logprobs BLOB NOT NULL
) STRICT;

CREATE VIEW v_sample AS
SELECT
  run.run_id AS run_id,
  model.name AS model,
  model.model_id AS model_id,
  sample.kind AS kind,
  sample.task AS task,
  sample.sample AS sample,
  sample.epoch AS epoch,
  sample.sequence AS sequence,
  sample.content AS content,
  sample.difficulty AS difficulty,
  sample.outcome AS outcome,
  sample.passed AS passed,
  sample.score AS score,
  sample.share_checks AS share_checks,
  sample.share_facts AS share_facts,
  sample.share_form AS share_form,
  sample.tokenize_ns / 1e6 AS tokenize_ms,
  sample.prefill_ns / 1e6 AS prefill_ms,
  sample.ttft_ns / 1e6 AS ttft_ms,
  sample.tpot_ns / 1e6 AS tpot_ms,
  sample.total_ns / 1e6 AS e2e_ms,
  sample.prompt_tokens AS prompt_tokens,
  sample.completion_tokens AS completion_tokens,
  sample.finish AS finish,
  sample.completion AS completion,
  sample.failure_kind AS failure_kind,
  sample.failure_message AS failure_message,
  sample.messages AS messages
FROM sample
JOIN model USING (model_pk)
JOIN run USING (run_pk);

CREATE VIEW v_run_summary AS
WITH
  ttft_ranked AS (
    SELECT model_pk, ttft_ns,
      row_number() OVER (PARTITION BY model_pk ORDER BY ttft_ns) AS place,
      count(*) OVER (PARTITION BY model_pk) AS n
    FROM sample WHERE ttft_ns IS NOT NULL
  ),
  ttft AS (
    SELECT model_pk, avg(ttft_ns) / 1e6 AS p50
    FROM ttft_ranked WHERE place IN ((n + 1) / 2, (n + 2) / 2) GROUP BY model_pk
  ),
  tpot_ranked AS (
    SELECT model_pk, tpot_ns,
      row_number() OVER (PARTITION BY model_pk ORDER BY tpot_ns) AS place,
      count(*) OVER (PARTITION BY model_pk) AS n
    FROM sample WHERE tpot_ns IS NOT NULL
  ),
  tpot AS (
    SELECT model_pk, avg(tpot_ns) / 1e6 AS p50
    FROM tpot_ranked WHERE place IN ((n + 1) / 2, (n + 2) / 2) GROUP BY model_pk
  ),
  totals AS (
    SELECT model_pk,
      count(*) AS n_samples,
      sum(passed = 1) AS n_passed,
      sum(passed IS NULL AND kind <> 'perplexity') AS n_unscored,
      sum(failure_kind IS NOT NULL) AS n_failed,
      avg(passed) AS pass_rate,
      avg(score) AS score_mean,
      sum(prompt_tokens) AS prompt_tokens,
      sum(completion_tokens) AS completion_tokens
    FROM sample GROUP BY model_pk
  )
SELECT
  run.run_id AS run_id,
  run.started_at AS started_at,
  run.finished_at AS finished_at,
  run.status AS status,
  run.suite_name AS suite,
  run.suite_version AS suite_version,
  model.name AS model,
  model.model_id AS model_id,
  model.position AS position,
  model.architecture AS architecture,
  model.quantization AS quantization,
  model.parameters AS parameters,
  model.device AS device,
  model.status AS status_model,
  model_skip.kind AS skip_reason,
  model_skip.message AS skip_message,
  run.samples_per_model AS n_planned,
  coalesce(totals.n_samples, 0) AS n_samples,
  coalesce(totals.n_failed, 0) AS n_failed,
  totals.n_unscored AS n_unscored,
  totals.n_passed AS n_passed,
  totals.pass_rate AS pass_rate,
  totals.score_mean AS score_mean,
  ttft.p50 AS ttft_ms_p50,
  tpot.p50 AS tpot_ms_p50,
  totals.prompt_tokens AS prompt_tokens,
  totals.completion_tokens AS completion_tokens,
  model.load_ns / 1e6 AS load_ms,
  model.estimate_weights_bytes + model.estimate_kv_cache_bytes + model.estimate_activations_bytes
    + model.estimate_overhead_bytes AS estimate_bytes,
  model.peak_bytes AS peak_bytes,
  model.file_bytes AS file_bytes
FROM model
JOIN run USING (run_pk)
LEFT JOIN model_skip USING (model_pk)
LEFT JOIN totals USING (model_pk)
LEFT JOIN ttft USING (model_pk)
LEFT JOIN tpot USING (model_pk);

CREATE VIEW v_choice AS
SELECT
  run.run_id AS run_id,
  model.name AS model,
  sample.task AS task,
  sample.sample AS sample,
  choice.choice_index AS choice,
  choice.text AS text,
  choice.choice_index = question.answer AS is_answer,
  choice.logprob AS logprob,
  choice.logprob / choice.characters AS logprob_per_character,
  choice.logprob / choice.bytes AS logprob_per_byte,
  choice.logprob - choice.unconditional_logprob AS mutual_information,
  choice.tokens AS tokens,
  choice.characters AS characters,
  choice.bytes AS bytes,
  choice.greedy AS greedy
FROM choice
JOIN question USING (sample_pk)
JOIN sample USING (sample_pk)
JOIN model USING (model_pk)
JOIN run USING (run_pk);

CREATE VIEW v_text AS
SELECT
  run.run_id AS run_id,
  model.name AS model,
  sample.task AS task,
  sample.sample AS sample,
  text_score.logprob AS logprob,
  text_score.tokens AS tokens,
  text_score.text_tokens AS text_tokens,
  text_score.bytes AS bytes,
  text_score.words AS words,
  text_score.window_tokens AS window_tokens,
  -text_score.logprob / text_score.tokens AS nats_per_token,
  CASE WHEN text_score.tokens = text_score.text_tokens
    THEN -text_score.logprob / text_score.bytes / 0.6931471805599453 END AS bits_per_byte
FROM text_score
JOIN sample USING (sample_pk)
JOIN model USING (model_pk)
JOIN run USING (run_pk);
