//! Errors of the cost model.

/// Why nothing can be computed from a price card.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CostError {
    /// A number of the card is outside its range.
    #[error("`{field}` is `{value}` in the price card but must be {rule}")]
    BadAssumption {
        /// Field of the card.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it must be, in words.
        rule: &'static str,
    },
    /// A price of a cloud model is outside its range.
    #[error("`{field}` of `{name}` is `{value}` in the price card but must be at least 0")]
    BadPrice {
        /// The cloud model.
        name: String,
        /// Field of the entry.
        field: &'static str,
        /// Its value.
        value: f64,
    },
}

impl CostError {
    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        Some("correct the value in prices.toml, or name another file with `--prices`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_its_text() {
        let assumption = CostError::BadAssumption {
            field: "utilisation",
            value: 0.0,
            rule: "above 0 and at most 1",
        };
        assert_eq!(
            assumption.to_string(),
            "`utilisation` is `0` in the price card but must be above 0 and at most 1"
        );
        let price = CostError::BadPrice {
            name: "gpt-4o-mini".to_owned(),
            field: "input_usd_per_mtok",
            value: -1.0,
        };
        assert_eq!(
            price.to_string(),
            "`input_usd_per_mtok` of `gpt-4o-mini` is `-1` in the price card but must be at least 0"
        );
        assert!(price.hint().unwrap().contains("`--prices`"));
    }
}
