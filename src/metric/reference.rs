//! The catalogue as a page for people.

use super::catalogue;
use super::model::Group;
use std::fmt::Write as _;

const HEAD: &str = "# Metrics

Every number evalh reports. The page is the table in `src/metric/catalogue.rs` printed; a test holds the two equal.

* The unit of analysis is the **prompt** (a sample's content); epochs of one prompt are replicates and are averaged first.
* A failed sample counts: it scores 0 and does not pass. A sample that evalh could not score has no score; its share is `unscored_rate`.
* A question with choices and a text are scored by log-likelihood (`prompts/README.md`). They have no times: an engine may share the beginnings of
  prompts among them. A text that failed has no log-likelihood; the perplexities are those of the others, which is said.
* Percentiles are quantiles of type 7 over requests. A bound that needs more observations than there are is absent, with the number needed.
* What cannot be measured on a machine is absent with its reason, never zero.
* Latency is single-stream and after warm-up. Token counts are those of the model's own tokenizer.
* Costs are scenarios: the price card's assumptions are inputs. Their intervals cover the variation between prompts, nothing else.
* The suite names one primary metric. `score`, `pass_rate`, `ttft_ms_p50`, `decode_tps` and `peak_bytes` are secondary, all others exploratory.

The method that made an interval stands beside it in `--kpi all` and in JSON (`docs/statistics.md`).
";

/// The text of `docs/metrics.md`.
pub fn reference_markdown() -> String {
    let mut out = HEAD.to_owned();
    for group in Group::ALL {
        // Writing to a `String` cannot fail.
        let _ = write!(
            out,
            "\n## {}\n\n| id | title | unit | better | of | definition | from | interval |\n|---|---|---|---|---|---|---|---|\n",
            group.title()
        );
        for m in catalogue::all().filter(|m| m.group == group) {
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {} | {} | {} | `{}` | {} |",
                m.id,
                m.title,
                m.unit.symbol(),
                m.direction.as_str(),
                m.level.as_str(),
                m.definition,
                m.source,
                m.interval.as_str()
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test may be asked to rewrite the page"
    )]
    fn the_page_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        if std::env::var_os("EVALH_BLESS").is_some() {
            std::fs::write(path, reference_markdown()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        assert!(
            page == reference_markdown(),
            "docs/metrics.md is not the table; run this test once with EVALH_BLESS=1"
        );
    }
}
