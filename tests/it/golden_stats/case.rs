//! One vector: typed access to its inputs, and numbers to JSON.

use evalh::stats::{Estimate, Interval};
use serde_json::{Value, json};

/// What a family of methods returns: the computed fields or why they could not be computed.
pub(super) type Computed = Result<Value, Box<dyn std::error::Error>>;

pub(super) struct Case<'a> {
    vector: &'a Value,
    datasets: &'a Value,
}

impl<'a> Case<'a> {
    pub(super) fn new(vector: &'a Value, datasets: &'a Value) -> Self {
        Self { vector, datasets }
    }

    pub(super) fn method(&self) -> &'a str {
        self.vector["method"].as_str().unwrap_or_default()
    }

    pub(super) fn expected(&self) -> &'a Value {
        &self.vector["expected"]
    }

    pub(super) fn tolerance(&self, key: &str) -> f64 {
        self.vector["tol"][key].as_f64().unwrap_or(0.0)
    }

    /// An input; a missing one is a broken vector, which must fail loudly.
    pub(super) fn input(&self, key: &str) -> &'a Value {
        let value = &self.vector["inputs"][key];
        assert!(
            !value.is_null(),
            "{}: input `{key}` is missing",
            self.vector["id"]
        );
        value
    }

    pub(super) fn f(&self, key: &str) -> f64 {
        number(self.input(key))
    }

    pub(super) fn u(&self, key: &str) -> u64 {
        self.input(key)
            .as_u64()
            .unwrap_or_else(|| panic!("input `{key}` is not a count"))
    }

    pub(super) fn n(&self, key: &str) -> usize {
        usize::try_from(self.u(key)).expect("a count of a vector fits")
    }

    pub(super) fn text(&self, key: &str) -> &'a str {
        self.input(key)
            .as_str()
            .unwrap_or_else(|| panic!("input `{key}` is not a text"))
    }

    /// Confidence level of the vector, 95 % unless said.
    pub(super) fn conf(&self) -> f64 {
        self.vector["inputs"]["conf"].as_f64().unwrap_or(0.95)
    }

    pub(super) fn list(&self, key: &str) -> Vec<f64> {
        numbers(self.input(key))
    }

    pub(super) fn counts(&self, key: &str) -> Vec<u64> {
        self.list(key).into_iter().map(|x| x as u64).collect()
    }

    pub(super) fn matrix(&self, key: &str) -> Vec<Vec<f64>> {
        rows(self.input(key))
    }

    pub(super) fn indices(&self, key: &str) -> Vec<Vec<usize>> {
        self.matrix(key)
            .into_iter()
            .map(|r| r.into_iter().map(|x| x as usize).collect())
            .collect()
    }

    pub(super) fn labels(&self, key: &str) -> Vec<&'a str> {
        items(self.input(key))
            .iter()
            .map(|v| v.as_str().expect("a list of texts"))
            .collect()
    }

    /// The two datasets that `ref` names.
    pub(super) fn referenced_pair(&self) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let names = self.labels("ref");
        let get = |name: &str| rows(&self.datasets[name]["values"]);
        (get(names[0]), get(names[1]))
    }
}

pub(super) fn items(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or_else(|| panic!("`{value}` is not a list"), Vec::as_slice)
}

pub(super) fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        Some("nan") => f64::NAN,
        _ => value
            .as_f64()
            .unwrap_or_else(|| panic!("`{value}` is not a number")),
    }
}

pub(super) fn numbers(value: &Value) -> Vec<f64> {
    items(value).iter().map(number).collect()
}

pub(super) fn rows(value: &Value) -> Vec<Vec<f64>> {
    items(value).iter().map(numbers).collect()
}

/// A number as the vectors write it.
pub(super) fn num(x: f64) -> Value {
    if x.is_finite() {
        json!(x)
    } else if x.is_nan() {
        json!("nan")
    } else {
        json!(if x > 0.0 { "inf" } else { "-inf" })
    }
}

pub(super) fn nums(xs: &[f64]) -> Value {
    xs.iter().map(|x| num(*x)).collect()
}

/// An interval as a pair, `null` where a side is unbounded.
pub(super) fn pair(interval: &Interval) -> Value {
    json!([interval.lower.map(num), interval.upper.map(num)])
}

/// The interval of an estimate as a pair, `null` when there is none.
pub(super) fn bounds(estimate: &Estimate) -> Value {
    estimate.interval.as_ref().map_or(Value::Null, pair)
}
