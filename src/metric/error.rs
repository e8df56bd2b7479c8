//! Errors of the catalogue.

use super::catalogue;

/// Why a metric could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// The catalogue has no such id.
    #[error("metric `{name}` is not in the catalogue{}", did_you_mean(nearest.as_deref()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The most similar id, when one is similar.
        nearest: Option<&'static str>,
    },
}

impl MetricError {
    /// The error for `name`, with the most similar id.
    pub(crate) fn unknown(name: &str) -> Self {
        // Below 0.75 the suggestions are about another metric.
        let nearest = catalogue::all()
            .map(|m| (strsim::jaro_winkler(name, m.id), m.id))
            .filter(|(similarity, _)| *similarity > 0.75)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1)))
            .map(|(_, id)| id);
        Self::Unknown {
            name: name.to_owned(),
            nearest,
        }
    }

    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } => {
                let ids: Vec<&str> = catalogue::all().map(|m| m.id).collect();
                Some(format!("the metrics are {}", ids.join(", ")))
            }
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |id| format!("; did you mean `{id}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_metric_names_the_nearest_and_lists_all() {
        let error = catalogue::find("ttft_ms_p5").unwrap_err();
        assert_eq!(
            error.to_string(),
            "metric `ttft_ms_p5` is not in the catalogue; did you mean `ttft_ms_p50`?"
        );
        let hint = error.hint().unwrap();
        assert!(
            hint.starts_with("the metrics are score, ") && hint.contains("peak_bytes"),
            "{hint}"
        );
        assert_eq!(
            catalogue::find("zzz").unwrap_err().to_string(),
            "metric `zzz` is not in the catalogue"
        );
    }
}
