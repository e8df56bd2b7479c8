//! The cost model against its worked vectors, and its edges.

use super::*;
use serde_json::Value;

fn vector(id: &str) -> Value {
    let text = include_str!("../../tests/golden/stats_vectors.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let found = all["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .find(|v| v["id"] == id);
    found.unwrap_or_else(|| panic!("no vector {id}")).clone()
}

#[track_caller]
fn close(got: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (got - expected).abs() <= 1e-12 + 1e-9 * expected.abs(),
        "{got} is not {expected}"
    );
}

fn card() -> PriceCard {
    PriceCard {
        cloud: Vec::new(),
        hardware_usd: 4_000.0,
        resale_usd: 800.0,
        years: 4.0,
        utilisation: 0.1,
        watts: 60.0,
        usd_per_kwh: 0.17,
        origin: "test".to_owned(),
    }
}

fn price(input: f64, output: f64) -> CloudPrice {
    CloudPrice {
        name: "cloud".to_owned(),
        provider: "someone".to_owned(),
        input_usd_per_mtok: input,
        output_usd_per_mtok: output,
        as_of: "2026-11-01".to_owned(),
        source: "https://example.org".to_owned(),
        default: true,
    }
}

fn machine() -> Machine {
    Machine::new(&card()).unwrap()
}

#[test]
fn the_worked_vector_comes_out() {
    let v = vector("cost.model");
    let (i, e) = (&v["inputs"], &v["expected"]);
    let number = |key: &str| i[key].as_f64().unwrap();
    let card = PriceCard {
        hardware_usd: number("hw_usd"),
        resale_usd: number("resale_usd"),
        years: number("years"),
        utilisation: number("util"),
        watts: number("watts"),
        usd_per_kwh: number("usd_per_kwh"),
        ..card()
    };
    let machine = Machine::new(&card).unwrap();
    let (calls, out) = (number("calls_per_year"), number("tokens_out"));
    let task = Work {
        seconds: out / number("decode_tps"),
        input_tokens: number("tokens_in"),
        output_tokens: out,
    };
    let price = price(
        number("price_in_per_token") * 1e6,
        number("price_out_per_token") * 1e6,
    );
    let cloud = cloud_usd(&task, &price).unwrap();
    let marginal = machine.energy_usd(task.seconds);
    let full = machine.owned_usd_per_year(&task, calls);
    close(cloud * calls, &e["cloud_usd_per_year"]);
    close(marginal * calls, &e["local_marginal_usd_per_year"]);
    close(saving(marginal, cloud).unwrap(), &e["marginal_reduction"]);
    close(full, &e["local_full_usd_per_year"]);
    close(saving(full, cloud * calls).unwrap(), &e["full_reduction"]);
    close(
        break_even(&machine, &task, cloud).tasks().unwrap(),
        &e["breakeven_calls_per_year"],
    );
    let million = Work {
        seconds: 1e6 / number("decode_tps"),
        ..Work::default()
    };
    let cost = machine.cost(&million);
    close(cost.energy_usd, &e["per_mtok"]["energy_usd_per_mtok"]);
    close(
        cost.hardware_usd,
        &e["per_mtok"]["amort_usd_per_mtok_at_util"],
    );
    close(million.seconds / 3_600.0, &e["per_mtok"]["hours_per_mtok"]);
}

#[test]
fn a_saving_that_counts_hardware_as_free_turns_negative() {
    let v = vector("cost.seed_claim");
    let (i, e) = (&v["inputs"], &v["expected"]);
    let cloud = i["savings"].as_f64().unwrap() / i["reduction"].as_f64().unwrap();
    let local = cloud - i["savings"].as_f64().unwrap();
    close(cloud, &e["cloud"]);
    close(local, &e["local"]);
    close(saving(local, cloud).unwrap(), &i["reduction"]);
    let with_hardware = local + i["hw_per_year"].as_f64().unwrap();
    close(saving(with_hardware, cloud).unwrap(), &e["full_reduction"]);
}

#[test]
fn break_even_has_three_outcomes() {
    let task = Work {
        seconds: 10.0,
        input_tokens: 1_000.0,
        output_tokens: 100.0,
    };
    let usd_at = |tasks: f64| 800.0 / tasks + machine().energy_usd(10.0);
    let BreakEven::Tasks(tasks) = break_even(&machine(), &task, usd_at(5_000.0)) else {
        panic!("reachable")
    };
    assert!((tasks - 5_000.0).abs() < 1e-6);
    // A year has 31,536,000 s: 3,153,600 tasks of 10 s.
    match break_even(&machine(), &task, usd_at(4e6)) {
        BreakEven::BeyondCapacity { tasks, capacity } => {
            assert!((tasks - 4e6).abs() < 1.0 && capacity == 3_153_600.0);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        break_even(&machine(), &task, machine().energy_usd(10.0)),
        BreakEven::Never
    );
    assert_eq!(break_even(&machine(), &task, 0.0), BreakEven::Never);
    assert_eq!(BreakEven::Never.tasks(), None);
    // Hardware that is already paid for breaks even at once.
    let owned = Machine::new(&PriceCard {
        hardware_usd: 0.0,
        resale_usd: 0.0,
        ..card()
    })
    .unwrap();
    assert_eq!(break_even(&owned, &task, 1.0), BreakEven::Tasks(0.0));
}

#[test]
fn scenarios_spread_the_hardware_over_more_work() {
    let work = Work {
        seconds: 3_600.0,
        ..Work::default()
    };
    let table = scenarios(&machine(), &work);
    let shares: Vec<f64> = table.iter().map(|s| s.utilisation).collect();
    assert_eq!(shares, [0.01, 0.05, 0.1, 0.2, 1.0]);
    assert!(
        table
            .windows(2)
            .all(|w| w[0].cost.hardware_usd > w[1].cost.hardware_usd)
    );
    assert!(
        table
            .iter()
            .all(|s| s.cost.energy_usd == 60.0 / 1_000.0 * 0.17)
    );
    assert!((table[4].cost.hardware_usd - 800.0 / 8_760.0).abs() < 1e-15);
    assert!((table[4].cost.full_usd() - 800.0 / 8_760.0 - 0.0102).abs() < 1e-15);
}

#[test]
fn impossible_cards_are_refused() {
    type Spoil = fn(&mut PriceCard);
    let cases: [(Spoil, &str); 8] = [
        (|c| c.hardware_usd = -1.0, "hardware_usd"),
        (|c| c.resale_usd = 5_000.0, "resale_usd"),
        (|c| c.years = 0.0, "years"),
        (|c| c.utilisation = 0.0, "utilisation"),
        (|c| c.utilisation = 1.5, "utilisation"),
        (|c| c.watts = f64::NAN, "watts"),
        (|c| c.usd_per_kwh = f64::INFINITY, "usd_per_kwh"),
        (|c| c.hardware_usd = f64::INFINITY, "hardware_usd"),
    ];
    for (spoil, field) in cases {
        let mut bad = card();
        spoil(&mut bad);
        let error = Machine::new(&bad).unwrap_err();
        assert!(
            matches!(error, CostError::BadAssumption { field: f, .. } if f == field),
            "{error}"
        );
    }
    let work = Work {
        seconds: 1.0,
        input_tokens: 1.0,
        output_tokens: 1.0,
    };
    assert!(
        cloud_usd(&work, &price(-1.0, 1.0)).is_err()
            && cloud_usd(&work, &price(1.0, f64::NAN)).is_err()
    );
    assert_eq!(cloud_usd(&work, &price(1.0, 2.0)).unwrap(), 3e-6);
}

#[test]
fn free_things_have_no_saving_and_no_capacity() {
    assert_eq!(saving(1.0, 0.0), None);
    assert_eq!(saving(1.0, 4.0), Some(0.75));
    assert_eq!(machine().capacity_per_year(&Work::default()), None);
    assert_eq!(machine().at_utilisation(0.0), None);
}
