-- Schema version 1. Described for readers in docs/schema.md. Never edited after a release: changes are new migrations.

CREATE TABLE run (
  run_pk INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL UNIQUE,
  plan_digest TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('started', 'success', 'cancelled', 'failed')),
  started_at TEXT NOT NULL,
  finished_at TEXT,
  evalh_version TEXT NOT NULL,
  evalh_commit TEXT,
  argv TEXT NOT NULL,
  seed TEXT NOT NULL,
  epochs INTEGER NOT NULL,
  samples_per_model INTEGER NOT NULL,
  budget_bytes INTEGER NOT NULL,
  budget_origin TEXT NOT NULL,
  engine TEXT NOT NULL,
  suite_name TEXT NOT NULL,
  suite_version TEXT NOT NULL,
  suite_digest TEXT NOT NULL,
  suite_primary TEXT NOT NULL,
  suite_tasks INTEGER NOT NULL,
  suite_samples INTEGER NOT NULL,
  catalog_digest TEXT NOT NULL,
  host_os TEXT,
  host_arch TEXT NOT NULL,
  host_cpu TEXT,
  host_cores INTEGER,
  host_memory_bytes INTEGER,
  host_memory_limit_bytes INTEGER,
  host_gpu TEXT,
  host_power_source TEXT,
  host_thermal TEXT,
  host_load_average REAL
) STRICT;

CREATE INDEX run_by_plan ON run (plan_digest);

CREATE TABLE setting (
  run_pk INTEGER NOT NULL REFERENCES run (run_pk) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  origin TEXT NOT NULL,
  PRIMARY KEY (run_pk, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
  attempt_pk INTEGER PRIMARY KEY,
  run_pk INTEGER NOT NULL REFERENCES run (run_pk) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  started_at TEXT NOT NULL,
  ended_at TEXT,
  ended_how TEXT CHECK (ended_how IN ('success', 'cancelled', 'failed', 'killed')),
  UNIQUE (run_pk, number)
) STRICT;

CREATE TABLE model (
  model_pk INTEGER PRIMARY KEY,
  run_pk INTEGER NOT NULL REFERENCES run (run_pk) ON DELETE CASCADE,
  model_id TEXT NOT NULL,
  name TEXT NOT NULL,
  position INTEGER NOT NULL,
  source TEXT,
  weights_sha256 TEXT,
  file_bytes INTEGER,
  architecture TEXT,
  quantization TEXT,
  parameters INTEGER,
  context_tokens INTEGER,
  tokenizer_digest TEXT,
  template_digest TEXT,
  eos_ids TEXT NOT NULL,
  license TEXT,
  estimate_weights_bytes INTEGER,
  estimate_kv_cache_bytes INTEGER,
  estimate_activations_bytes INTEGER,
  estimate_overhead_bytes INTEGER,
  estimate_context_tokens INTEGER,
  status TEXT NOT NULL CHECK (status IN ('waiting', 'started', 'finished', 'skipped')),
  load_ns INTEGER,
  device TEXT,
  dtype TEXT,
  simd TEXT,
  threads INTEGER,
  engine TEXT,
  warmup_ns INTEGER,
  peak_bytes INTEGER,
  UNIQUE (run_pk, model_id),
  UNIQUE (run_pk, position)
) STRICT;

CREATE TABLE model_skip (
  model_pk INTEGER PRIMARY KEY REFERENCES model (model_pk) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('over_budget', 'files', 'load', 'breaker')),
  message TEXT,
  budget_bytes INTEGER,
  weights_bytes INTEGER,
  kv_cache_bytes INTEGER,
  activations_bytes INTEGER,
  overhead_bytes INTEGER,
  context_tokens INTEGER,
  CHECK ((kind = 'over_budget') = (message IS NULL)),
  CHECK ((kind = 'over_budget') = (budget_bytes IS NOT NULL))
) STRICT;

CREATE TABLE sample (
  sample_pk INTEGER PRIMARY KEY,
  model_pk INTEGER NOT NULL REFERENCES model (model_pk) ON DELETE CASCADE,
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
  CHECK ((completion IS NULL) <> (failure_kind IS NULL)),
  CHECK ((completion IS NULL) = (token_ids IS NULL) AND (completion IS NULL) = (finish IS NULL)
    AND (completion IS NULL) = (total_ns IS NULL) AND (completion IS NULL) = (token_at_ns IS NULL)
    AND (completion IS NULL) = (prompt_tokens IS NULL) AND (completion IS NULL) = (completion_tokens IS NULL)),
  CHECK ((failure_kind IS NULL) = (failure_message IS NULL))
) STRICT;

CREATE TABLE check_result (
  sample_pk INTEGER NOT NULL REFERENCES sample (sample_pk) ON DELETE CASCADE,
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

CREATE VIEW v_sample AS
SELECT
  run.run_id AS run_id,
  model.name AS model,
  model.model_id AS model_id,
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
      sum(passed IS NULL) AS n_unscored,
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
