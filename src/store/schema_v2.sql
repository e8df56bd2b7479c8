-- Schema version 2: the looks at the evidence of a comparison that runs until it is resolved. Described in docs/schema.md.

CREATE TABLE look (
  run_pk INTEGER NOT NULL REFERENCES run (run_pk) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  prompts INTEGER NOT NULL,
  planned_prompts INTEGER NOT NULL,
  difference REAL,
  ln_e_value REAL,
  verdict TEXT NOT NULL CHECK (verdict IN ('open', 'resolved', 'exhausted')),
  loads INTEGER NOT NULL,
  load_ns INTEGER NOT NULL,
  PRIMARY KEY (run_pk, number),
  CHECK ((difference IS NULL) = (ln_e_value IS NULL))
) STRICT, WITHOUT ROWID;
