//! `evalh prices list`.

use super::Session;
use super::table::{Align, Table};
use crate::cli::PricesRequest;
use crate::error::{EvalhError, ExitCode};
use serde_json::json;

pub(super) fn run(session: &Session, request: &PricesRequest) -> Result<ExitCode, EvalhError> {
    let PricesRequest::List(request) = request;
    let card = session.prices(&request.prices)?;
    let columns = [
        ("model", Align::Left),
        ("provider", Align::Left),
        ("$ per million in", Align::Right),
        ("out", Align::Right),
        ("as of", Align::Left),
        ("source", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for price in &card.cloud {
        if request.json {
            session.print_json(&json!({
                "schema_version": super::SCHEMA_VERSION, "name": price.name, "provider": price.provider,
                "input_usd_per_mtok": price.input_usd_per_mtok, "output_usd_per_mtok": price.output_usd_per_mtok,
                "as_of": price.as_of, "source": price.source, "default": price.default,
            }))?;
        }
        table.row(vec![
            price.name.clone(),
            price.provider.clone(),
            format!("{}", price.input_usd_per_mtok),
            format!("{}", price.output_usd_per_mtok),
            price.as_of.clone(),
            price.source.clone(),
        ]);
    }
    if !request.json {
        session.print(&table.render())?;
        session.print(&format!(
            "\nlocal: ${} over {} years, resale ${}, working {} % of the time, {} W at ${} per kWh ({})\n",
            card.hardware_usd,
            card.years,
            card.resale_usd,
            card.utilisation * 100.0,
            card.watts,
            card.usd_per_kwh,
            card.origin
        ))?;
    }
    Ok(ExitCode::Done)
}
