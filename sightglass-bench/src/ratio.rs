//! A table of ratios: one line for each figure, Skerry over Wasmtime, with the spread of both.

use crate::measure::median;
use serde::Serialize;
use std::fmt::Write;

/// One figure, with its value in every run. Smaller is better.
#[derive(Clone, Serialize, Debug)]
pub struct Row {
    /// The name of the figure.
    pub name: String,
    /// The unit of the values.
    pub unit: &'static str,
    /// Skerry's values, one for each run.
    pub skerry: Vec<f64>,
    /// Wasmtime's values, one for each run; empty if Wasmtime was left out.
    pub wasmtime: Vec<f64>,
}

impl Row {
    /// The ratio of the medians, Skerry over Wasmtime; `None` if one of them is missing.
    pub fn ratio(&self) -> Option<f64> {
        let both = !self.skerry.is_empty() && !self.wasmtime.is_empty();
        both.then(|| middle(&self.skerry) / middle(&self.wasmtime))
    }

    /// The least and the greatest ratio of two runs that followed each other.
    pub fn ratio_spread(&self) -> Option<(f64, f64)> {
        let pairs = self.skerry.iter().zip(&self.wasmtime);
        spread(pairs.map(|(ours, theirs)| ours / theirs))
    }
}

/// The rows as a table: medians, with the least and the greatest value in brackets.
pub fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut text = format!(
        "{:width$}  {:4}  {:^28}  {:^28}  {:^20}\n",
        "", "", "Skerry", "Wasmtime", "ratio"
    );
    for row in rows {
        let ratio = match (row.ratio(), row.ratio_spread()) {
            (Some(ratio), Some((low, high))) => format!("{ratio:5.2} [{low:.2} .. {high:.2}]"),
            _ => "-".into(),
        };
        let (ours, theirs) = (figure(&row.skerry), figure(&row.wasmtime));
        let line = format!(
            "{:width$}  {:4}  {ours:28}  {theirs:28}  {ratio}",
            row.name, row.unit
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The rows as JSON, with every sample.
pub fn json(rows: &[Row]) -> Vec<serde_json::Value> {
    rows.iter()
        .map(|row| {
            serde_json::json!({
                "name": row.name,
                "unit": row.unit,
                "skerry_to_wasmtime": row.ratio(),
                "skerry": row.skerry,
                "wasmtime": row.wasmtime,
            })
        })
        .collect()
}

/// The median and, in brackets, the least and the greatest value.
fn figure(values: &[f64]) -> String {
    match spread(values.iter().copied()) {
        None => "-".into(),
        Some((low, high)) if low == high => short(low),
        Some((low, high)) => {
            let median = short(middle(values));
            format!("{median} [{} .. {}]", short(low).trim(), short(high).trim())
        }
    }
}

/// The value with three or four significant digits, aligned to the right.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:>7.decimals$}")
}

fn middle(values: &[f64]) -> f64 {
    median(values.iter().copied())
}

fn spread(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |spread, value| match spread {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            name: "compile".into(),
            unit: "s",
            skerry: vec![1.0, 4.0, 2.0],
            wasmtime: vec![2.0, 2.0, 4.0],
        }
    }

    #[test]
    fn a_ratio_is_of_medians_and_its_spread_of_pairs() {
        assert_eq!(row().ratio(), Some(1.0));
        assert_eq!(row().ratio_spread(), Some((0.5, 2.0)));
        let text = table(&[row()]);
        let expected = "compile  s        2.00 [1.00 .. 4.00]           2.00 [2.00 .. 4.00]";
        assert!(text.contains(expected), "{text}");
        assert!(text.ends_with(" 1.00 [0.50 .. 2.00]\n"), "{text}");
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let alone = Row {
            wasmtime: Vec::new(),
            skerry: vec![1234.5],
            ..row()
        };
        assert_eq!(alone.ratio(), None);
        let text = table(&[alone]);
        let words: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(words, ["compile", "s", "1234", "-", "-"]);
    }
}
