//! Memory and sizes.

use super::value::{Absence, Value};
use crate::record::ModelRecord;
use crate::units::Bytes;

/// The resource metrics of a model.
pub(super) fn values(model: &ModelRecord) -> Vec<(&'static str, Value)> {
    let planned = &model.planned;
    let peak = model
        .peak
        .map(number)
        .ok_or("peak memory could not be measured");
    let file = planned
        .file_bytes
        .map(number)
        .ok_or("the size of the weight file is not known");
    let estimate = planned
        .estimate
        .map(|e| number(e.total()))
        .ok_or("there was no estimate");
    let parameters = planned
        .parameters
        .map(|n| n as f64)
        .ok_or("the number of parameters is not known");
    vec![
        ("peak_bytes", once(peak)),
        ("estimate_bytes", computed(estimate)),
        ("estimate_ratio", over(peak, estimate)),
        ("file_bytes", once(file)),
        ("memory_overhead", over(peak, file)),
        ("file_bytes_per_parameter", over(file, parameters)),
    ]
}

type Known = Result<f64, &'static str>;

fn number(bytes: Bytes) -> f64 {
    bytes.get() as f64
}

fn once(value: Known) -> Value {
    value.map_or_else(
        |why| Absence::NotMeasured(why).into(),
        |v| Value::single(v, "measured-once", 1),
    )
}

fn computed(value: Known) -> Value {
    value.map_or_else(
        |why| Absence::NotMeasured(why).into(),
        |v| Value::single(v, "computed", 1),
    )
}

fn over(top: Known, bottom: Known) -> Value {
    let ratio = top.and_then(|t| {
        let b = bottom?;
        if b > 0.0 {
            Ok(t / b)
        } else {
            Err("the size it is divided by is 0")
        }
    });
    computed(ratio)
}
