//! The price card: `prices.toml`, dated figures of cloud providers and the assumptions for the local side.

use super::reader::{Document, Table, Value, read_bounded};
use super::{BUILT_IN, ConfigError};
use crate::cost::{CloudPrice, PriceCard};
use std::path::Path;

/// The price card this program was built with.
const BUILT_IN_TEXT: &str = include_str!("../../prices.toml");

/// File name looked for in the current folder.
const FILE_NAME: &str = "prices.toml";

/// The price card to use: the file that was named, else `prices.toml` of the folder, else the one compiled in.
///
/// # Errors
/// When the file cannot be read or is not valid.
pub fn load_prices(named: Option<&Path>, folder: &Path) -> Result<PriceCard, ConfigError> {
    let found = folder.join(FILE_NAME);
    match named {
        Some(path) => parse_prices(&read_bounded(path)?, &path.to_string_lossy()),
        None if found.is_file() => parse_prices(&read_bounded(&found)?, FILE_NAME),
        None => parse_prices(BUILT_IN_TEXT, BUILT_IN),
    }
}

/// Reads a price card. `origin` is printed in messages.
///
/// # Errors
/// When the text is not a valid price card.
pub fn parse_prices(text: &str, origin: &str) -> Result<PriceCard, ConfigError> {
    let mut top = Document { path: origin, text }.parse("the price card")?;
    let as_of = top.take("as_of").map(|v| date(&v)).transpose()?;
    let source = top.take("source").map(|v| v.line()).transpose()?;
    let mut cloud: Vec<CloudPrice> = Vec::new();
    let mut lines: Vec<usize> = Vec::new();
    for (i, item) in top.need("cloud")?.array()?.into_iter().enumerate() {
        let mut table = item.table(format!("cloud model {}", i + 1))?;
        let name_value = table.need("name")?;
        let name = name_value.line()?;
        table.rename(format!("cloud model `{name}`"));
        if let Some(first) = cloud.iter().position(|c| c.name == name) {
            return Err(ConfigError::DuplicateName {
                place: Box::new(name_value.place()),
                name,
                first_line: lines[first],
            });
        }
        cloud.push(read_cloud(
            &mut table,
            name,
            as_of.as_deref(),
            source.as_deref(),
        )?);
        lines.push(name_value.place().line);
        table.finish()?;
    }
    let card = read_local(&mut top, cloud, origin)?;
    top.finish()?;
    Ok(card)
}

fn read_cloud(
    table: &mut Table<'_>,
    name: String,
    as_of: Option<&str>,
    source: Option<&str>,
) -> Result<CloudPrice, ConfigError> {
    // The card's own date and source count for every entry that has none of its own.
    let as_of = match (table.take("as_of"), as_of) {
        (Some(value), _) => date(&value)?,
        (None, Some(card)) => card.to_owned(),
        (None, None) => date(&table.need("as_of")?)?,
    };
    let source = match (table.take("source"), source) {
        (Some(value), _) => value.line()?,
        (None, Some(card)) => card.to_owned(),
        (None, None) => table.need("source")?.line()?,
    };
    let default = table.take("default").map(|v| v.boolean()).transpose()?;
    Ok(CloudPrice {
        name,
        provider: table.need("provider")?.line()?,
        input_usd_per_mtok: amount(&table.need("input_usd_per_mtok")?)?,
        output_usd_per_mtok: amount(&table.need("output_usd_per_mtok")?)?,
        as_of,
        source,
        default: default.unwrap_or(false),
    })
}

fn read_local(
    top: &mut Table<'_>,
    cloud: Vec<CloudPrice>,
    origin: &str,
) -> Result<PriceCard, ConfigError> {
    let mut local = top.need("local")?.table("`local`".to_owned())?;
    let hardware_usd = amount(&local.need("hardware_usd")?)?;
    let resale = local.need("resale_usd")?;
    let resale_usd = amount(&resale)?;
    if resale_usd > hardware_usd {
        return Err(resale.refuse(
            resale_usd.to_string(),
            "an amount that is not above `hardware_usd`",
        ));
    }
    let years = local.need("years")?;
    let years = in_range(
        &years,
        |n| n > 0.0 && n <= 100.0,
        "a number above 0, at most 100",
    )?;
    let utilisation = local.need("utilisation")?;
    let utilisation = in_range(
        &utilisation,
        |n| n > 0.0 && n <= 1.0,
        "a share above 0, at most 1",
    )?;
    let watts = amount(&local.need("watts")?)?;
    let usd_per_kwh = amount(&local.need("usd_per_kwh")?)?;
    local.finish()?;
    Ok(PriceCard {
        cloud,
        hardware_usd,
        resale_usd,
        years,
        utilisation,
        watts,
        usd_per_kwh,
        origin: origin.to_owned(),
    })
}

fn amount(value: &Value<'_>) -> Result<f64, ConfigError> {
    in_range(
        value,
        |n| (0.0..=1e9).contains(&n),
        "a number from 0 to 1000000000",
    )
}

fn in_range(
    value: &Value<'_>,
    allowed: impl Fn(f64) -> bool,
    needed: &'static str,
) -> Result<f64, ConfigError> {
    let number = value.number()?;
    if allowed(number) {
        Ok(number)
    } else {
        Err(value.refuse(number.to_string(), needed))
    }
}

fn date(value: &Value<'_>) -> Result<String, ConfigError> {
    let text = value.string()?;
    match text.parse::<jiff::civil::Date>() {
        Ok(date) if date.to_string() == text => Ok(text),
        _ => Err(value.refuse(
            text.escape_debug().to_string(),
            "a date such as `2026-11-22`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = r#"
as_of = "2026-11-01"
source = "a list"

[[cloud]]
name = "one"
provider = "P"
input_usd_per_mtok = 2.5
output_usd_per_mtok = 10
default = true

[[cloud]]
name = "two"
provider = "P"
input_usd_per_mtok = 0.15
output_usd_per_mtok = 0.6
as_of = "2026-10-01"
source = "another list"

[local]
hardware_usd = 4000
resale_usd = 800
years = 4
utilisation = 0.2
watts = 60
usd_per_kwh = 0.17
"#;

    #[test]
    fn a_card_is_read() {
        let card = parse_prices(CARD, "p.toml").unwrap();
        assert_eq!(card.origin, "p.toml");
        assert_eq!(
            (card.hardware_usd, card.years, card.utilisation),
            (4000.0, 4.0, 0.2)
        );
        let one = &card.cloud[0];
        assert_eq!((one.output_usd_per_mtok, one.default), (10.0, true));
        assert_eq!(
            (one.as_of.as_str(), one.source.as_str()),
            ("2026-11-01", "a list")
        );
        let two = &card.cloud[1];
        assert_eq!((two.as_of.as_str(), two.default), ("2026-10-01", false));
    }

    #[test]
    fn the_built_in_card_is_valid_and_dated() {
        let card = load_prices(None, Path::new("/nonexistent")).unwrap();
        assert_eq!(card.origin, "built-in");
        assert!(card.cloud.len() >= 6);
        assert!(card.cloud.iter().any(|c| c.default));
        let sonnet = card
            .cloud
            .iter()
            .find(|c| c.name == "claude-sonnet-4-5")
            .unwrap();
        assert_eq!(
            (sonnet.input_usd_per_mtok, sonnet.output_usd_per_mtok),
            (3.0, 15.0)
        );
    }

    #[test]
    fn errors_name_the_place() {
        for (from, to, message) in [
            (
                "years = 4",
                "years = 0",
                "p.toml:23:9: `years` is `0` where a number above 0, at most 100 is needed\n  | years = 0\n  |         ^",
            ),
            (
                "resale_usd = 800",
                "resale_usd = 8000",
                "p.toml:22:14: `resale_usd` is `8000` where an amount that is not above `hardware_usd` is needed\n  | resale_usd = 8000\n  |              ^^^^",
            ),
            (
                "watts = 60",
                "watt = 60",
                "p.toml:20:1: `local` has no `watts`\n  | [local]\n  | ^^^^^^^",
            ),
            (
                "2026-11-01",
                "2026-13-01",
                "p.toml:2:9: `as_of` is `2026-13-01` where a date such as `2026-11-22` is needed\n  | as_of = \"2026-13-01\"\n  |         ^^^^^^^^^^^^",
            ),
            (
                "\"two\"",
                "\"one\"",
                "p.toml:13:8: the name `one` is already used in line 6\n  | name = \"one\"\n  |        ^^^^^",
            ),
            (
                "= 2.5",
                "= \"2.5\"",
                "p.toml:8:22: `input_usd_per_mtok` is a string where a number is needed\n  | input_usd_per_mtok = \"2.5\"\n  |                      ^^^^^",
            ),
            (
                "= 2.5",
                "= -2.5",
                "p.toml:8:22: `input_usd_per_mtok` is `-2.5` where a number from 0 to 1000000000 is needed\n  | input_usd_per_mtok = -2.5\n  |                      ^^^^",
            ),
            (
                "= 2.5",
                "= inf",
                "p.toml:8:22: `input_usd_per_mtok` is `inf` where a finite number is needed\n  | input_usd_per_mtok = inf\n  |                      ^^^",
            ),
        ] {
            let text = CARD.replacen(from, to, 1);
            assert_eq!(
                parse_prices(&text, "p.toml").unwrap_err().to_string(),
                message,
                "{to}"
            );
        }
    }
}
