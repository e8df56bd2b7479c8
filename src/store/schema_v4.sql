-- Schema version 4: thoughts in front of an answer, and the check of a model after it was loaded. NULL in rows of older versions. Described in
-- docs/schema.md.

ALTER TABLE sample ADD COLUMN reasoning_tokens INTEGER;
ALTER TABLE sample ADD COLUMN answer_at INTEGER CHECK ((answer_at IS NULL) = (reasoning_tokens IS NULL));

ALTER TABLE model ADD COLUMN check_tokens INTEGER;
ALTER TABLE model ADD COLUMN check_positions INTEGER CHECK ((check_positions IS NULL) = (check_tokens IS NULL));
ALTER TABLE model ADD COLUMN check_same_top1 INTEGER CHECK ((check_same_top1 IS NULL) = (check_tokens IS NULL));
ALTER TABLE model ADD COLUMN check_logit_diff REAL CHECK ((check_logit_diff IS NULL) = (check_tokens IS NULL));
ALTER TABLE model ADD COLUMN check_logit_spread REAL CHECK ((check_logit_spread IS NULL) = (check_tokens IS NULL));
ALTER TABLE model ADD COLUMN check_batch_diff REAL CHECK ((check_batch_diff IS NULL) = (check_tokens IS NULL));
ALTER TABLE model ADD COLUMN check_tolerance REAL CHECK ((check_tolerance IS NULL) = (check_tokens IS NULL));
ALTER TABLE model ADD COLUMN check_ns INTEGER CHECK ((check_ns IS NULL) = (check_tokens IS NULL));
