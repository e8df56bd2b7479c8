//! The latency metrics: every family of times with the same five statistics.

use super::model::{Direction, Group, IntervalKind, Level, Metric, Unit};
use super::observe;
use crate::record::Generation;

/// What of a family of times is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// Mean of prompt means.
    Mean,
    /// Quantile, type 7, in percent.
    Percentile(u8),
}

/// A family of times, each with its five metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LatencyFamily {
    /// Time to first token.
    Ttft,
    /// Time to the first token of the answer.
    FirstAnswer,
    /// Time per output token.
    Tpot,
    /// Inter-token gaps, pooled over requests.
    Itl,
    /// Time to second token.
    SecondToken,
    /// End to end.
    E2e,
    /// Prefill.
    Prefill,
    /// Decode.
    Decode,
    /// Rendering and tokenisation.
    Tokenize,
}

impl LatencyFamily {
    /// Every family, in the order they are printed.
    pub const ALL: [Self; 9] = [
        Self::Ttft,
        Self::FirstAnswer,
        Self::Tpot,
        Self::Itl,
        Self::SecondToken,
        Self::E2e,
        Self::Prefill,
        Self::Decode,
        Self::Tokenize,
    ];

    /// The statistics in the order of [`LatencyFamily::metrics`].
    pub const STATISTICS: [Statistic; 5] = [
        Statistic::Percentile(50),
        Statistic::Percentile(90),
        Statistic::Percentile(95),
        Statistic::Percentile(99),
        Statistic::Mean,
    ];

    /// The family's metrics, in the order of [`LatencyFamily::STATISTICS`].
    pub fn metrics(self) -> &'static [Metric; 5] {
        match self {
            Self::Ttft => &TTFT,
            Self::FirstAnswer => &FIRST_ANSWER,
            Self::Tpot => &TPOT,
            Self::Itl => &ITL,
            Self::SecondToken => &SECOND_TOKEN,
            Self::E2e => &E2E,
            Self::Prefill => &PREFILL,
            Self::Decode => &DECODE,
            Self::Tokenize => &TOKENIZE,
        }
    }

    /// What one generation says, in milliseconds: one value, or for [`LatencyFamily::Itl`] one a gap. Empty when undefined.
    pub fn observe(self, generation: &Generation) -> Vec<f64> {
        match self {
            Self::Ttft => observe::ttft_ms(generation).into_iter().collect(),
            Self::FirstAnswer => observe::first_answer_ms(generation).into_iter().collect(),
            Self::Tpot => observe::tpot_ms(generation).into_iter().collect(),
            Self::Itl => observe::gaps_ms(generation),
            Self::SecondToken => observe::second_token_ms(generation).into_iter().collect(),
            Self::E2e => vec![observe::e2e_ms(generation)],
            Self::Prefill => observe::prefill_ms(generation).into_iter().collect(),
            Self::Decode => observe::decode_ms(generation).into_iter().collect(),
            Self::Tokenize => vec![observe::tokenize_ms(generation)],
        }
    }

    /// The family whose `_p50` metric has this short name (`ttft`), as `--slo` takes it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// Short name (`ttft`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::FirstAnswer => "ttfa",
            Self::Tpot => "tpot",
            Self::Itl => "itl",
            Self::SecondToken => "ttst",
            Self::E2e => "e2e",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Tokenize => "tokenize",
        }
    }
}

macro_rules! family {
    ($name:ident, $base:literal, $title:literal, $definition:literal, $source:literal) => {
        static $name: [Metric; 5] = [
            entry(
                concat!($base, "_ms_p50"),
                concat!($title, ", median"),
                $definition,
                $source,
                IntervalKind::Quantile,
            ),
            entry(
                concat!($base, "_ms_p90"),
                concat!($title, ", p90"),
                $definition,
                $source,
                IntervalKind::Quantile,
            ),
            entry(
                concat!($base, "_ms_p95"),
                concat!($title, ", p95"),
                $definition,
                $source,
                IntervalKind::Quantile,
            ),
            entry(
                concat!($base, "_ms_p99"),
                concat!($title, ", p99"),
                $definition,
                $source,
                IntervalKind::Quantile,
            ),
            entry(
                concat!($base, "_ms_mean"),
                concat!($title, ", mean"),
                $definition,
                $source,
                IntervalKind::PromptMeans,
            ),
        ];
    };
}

const fn entry(
    id: &'static str,
    title: &'static str,
    definition: &'static str,
    source: &'static str,
    interval: IntervalKind,
) -> Metric {
    Metric {
        id,
        title,
        group: Group::Latency,
        unit: Unit::Milliseconds,
        direction: Direction::Lower,
        level: Level::Model,
        definition,
        source,
        interval,
    }
}

family!(
    TTFT,
    "ttft",
    "Time to first token",
    "Prompt text submitted until the first token id is readable on the host; includes tokenisation and prefill, excludes load.",
    "timing.token_at[0]"
);
family!(
    FIRST_ANSWER,
    "ttfa",
    "Time to first answer token",
    "Prompt text submitted until the first token of the answer, behind the thoughts in front of it, is readable on the host; undefined without an answer. Absent where no generation has thoughts: it is then the time to first token.",
    "timing.token_at, reasoning"
);
family!(
    TPOT,
    "tpot",
    "Time per output token",
    "(last token - first token) / (tokens - 1) of a request; undefined below 2 tokens.",
    "timing.token_at"
);
family!(
    ITL,
    "itl",
    "Inter-token gap",
    "Each gap between consecutive tokens, pooled over all requests.",
    "timing.token_at"
);
family!(
    SECOND_TOKEN,
    "ttst",
    "Time to second token",
    "Second token minus first token; undefined below 2 tokens.",
    "timing.token_at[0..2]"
);
family!(
    E2E,
    "e2e",
    "End-to-end time",
    "Prompt text submitted until the generation is complete; grows with the length of the answer.",
    "timing.total"
);
family!(
    PREFILL,
    "prefill",
    "Prefill time",
    "Start of the forward pass until the logits of the last prompt token are ready; shorter when a prefix was shared.",
    "timing.prefill"
);
family!(
    DECODE,
    "decode",
    "Decode time",
    "Last token minus first token; undefined below 2 tokens.",
    "timing.token_at"
);
family!(
    TOKENIZE,
    "tokenize",
    "Tokenisation time",
    "Rendering of the chat template and tokenisation of the prompt.",
    "timing.tokenize"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_family_and_statistic() {
        for family in LatencyFamily::ALL {
            for (metric, statistic) in family.metrics().iter().zip(LatencyFamily::STATISTICS) {
                let tail = match statistic {
                    Statistic::Mean => "mean".to_owned(),
                    Statistic::Percentile(p) => format!("p{p}"),
                };
                assert_eq!(metric.id, format!("{}_ms_{tail}", family.name()));
            }
            assert_eq!(LatencyFamily::from_name(family.name()), Some(family));
        }
        assert_eq!(LatencyFamily::from_name("speed"), None);
    }
}
