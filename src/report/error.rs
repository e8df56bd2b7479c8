//! Errors of the report room.

use super::Format;

/// Why a report could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// There is no such format.
    #[error("format `{name}` is unknown{}", nearest.map_or_else(String::new, |n| format!("; did you mean `{n}`?")))]
    UnknownFormat {
        /// What was asked for.
        name: String,
        /// The most similar name, when one is similar.
        nearest: Option<&'static str>,
    },
}

impl ReportError {
    pub(super) fn unknown_format(name: &str) -> Self {
        let nearest = Format::ALL
            .map(|f| (strsim::jaro_winkler(name, f.as_str()), f.as_str()))
            .into_iter()
            .filter(|(similarity, _)| *similarity > 0.7)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, n)| n);
        Self::UnknownFormat {
            name: name.to_owned(),
            nearest,
        }
    }

    /// One thing the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownFormat { .. } => Some(format!(
                "the formats are {}",
                Format::ALL.map(Format::as_str).join(", ")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_format_names_the_nearest() {
        let error = Format::parse("jsn").unwrap_err();
        assert_eq!(
            error.to_string(),
            "format `jsn` is unknown; did you mean `json`?"
        );
        assert_eq!(
            error.hint().as_deref(),
            Some("the formats are terminal, markdown, json, csv, junit")
        );
        assert_eq!(
            Format::parse("xyz").unwrap_err().to_string(),
            "format `xyz` is unknown"
        );
        for format in Format::ALL {
            assert_eq!(Format::parse(format.as_str()), Ok(format));
        }
    }
}
