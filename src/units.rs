//! Newtypes for quantities that travel between rooms.
//!
//! A quantity keeps its base unit (bytes, US dollars) and formats itself; it knows nothing else.

use std::fmt;
use std::str::FromStr;

/// A number of bytes. Printed in decimal units (`5.9 GB`), as Apple and disk makers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

impl Bytes {
    /// The count as a plain integer.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The sum, held at the maximum instead of wrapping.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0 as f64;
        let text = match self.0 {
            0..1_000 => format!("{} B", self.0),
            1_000..1_000_000 => format!("{:.0} kB", n / 1e3),
            1_000_000..100_000_000 => format!("{:.1} MB", n / 1e6),
            100_000_000..1_000_000_000 => format!("{:.0} MB", n / 1e6),
            _ => format!("{:.1} GB", n / 1e9),
        };
        f.pad(&text)
    }
}

/// A size that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size; write for example `36GB`, `512MB` or `8GiB`")]
pub struct ParseBytesError(String);

impl FromStr for Bytes {
    type Err = ParseBytesError;

    /// Reads `36GB`, `8 GiB`, `512m`, `1.5g` or a plain number of bytes. `k`, `m`, `g`, `t` are decimal, `ki`, `mi`, `gi`, `ti` binary.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = || ParseBytesError(s.to_owned());
        let t = s.trim();
        let split = t
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(t.len());
        let number: f64 = t[..split].parse().map_err(|_| bad())?;
        let unit = t[split..].trim().to_ascii_lowercase();
        let factor = match unit.strip_suffix('b').unwrap_or(&unit) {
            "" => 1.0,
            "k" => 1e3,
            "m" => 1e6,
            "g" => 1e9,
            "t" => 1e12,
            "ki" => 1024.0,
            "mi" => 1024.0 * 1024.0,
            "gi" => 1024.0 * 1024.0 * 1024.0,
            "ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
            _ => return Err(bad()),
        };
        let bytes = number * factor;
        if bytes.is_finite() && bytes < 9.0e18 {
            Ok(Self(bytes.round() as u64))
        } else {
            Err(bad())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_printed() {
        for (text, bytes, shown) in [
            ("36GB", 36_000_000_000, "36.0 GB"),
            ("8 GiB", 8_589_934_592, "8.6 GB"),
            ("512m", 512_000_000, "512 MB"),
            ("98362432", 98_362_432, "98.4 MB"),
            ("1.5kb", 1_500, "2 kB"),
            ("12", 12, "12 B"),
        ] {
            let parsed: Bytes = text.parse().unwrap();
            assert_eq!(parsed, Bytes(bytes), "{text}");
            assert_eq!(parsed.to_string(), shown);
        }
        for bad in ["", "GB", "12 parsecs", "-1GB", "1.2.3GB", "99999999TB"] {
            assert_eq!(
                bad.parse::<Bytes>().unwrap_err().to_string(),
                format!("`{bad}` is not a size; write for example `36GB`, `512MB` or `8GiB`")
            );
        }
    }
}
