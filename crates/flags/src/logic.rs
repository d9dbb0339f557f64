//! Targeting rules: the part of JsonLogic that flagd's rules are written in, read once and evaluated
//! many times. Reading refuses what it does not know, so that a misspelt rule is never a silent
//! default.

use crate::murmur::murmur3_32;
use crate::table::Context;
use serde_json::Value;

/// Deepest nesting of a rule.
const DEPTH_MAX: usize = 32;

/// A rule, read.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    Value(Value),
    Var(String, Box<Rule>),
    List(Vec<Rule>),
    Op(Op, Vec<Rule>),
    Fractional { by: Option<Box<Rule>>, buckets: Vec<(String, u64)> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    If,
    Equal,
    Different,
    Not,
    Truth,
    And,
    Or,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
    Cat,
    StartsWith,
    EndsWith,
}

impl Op {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "if" => Self::If,
            "==" | "===" => Self::Equal,
            "!=" | "!==" => Self::Different,
            "!" => Self::Not,
            "!!" => Self::Truth,
            "and" => Self::And,
            "or" => Self::Or,
            "<" => Self::Less,
            "<=" => Self::AtMost,
            ">" => Self::More,
            ">=" => Self::AtLeast,
            "in" => Self::In,
            "cat" => Self::Cat,
            "starts_with" => Self::StartsWith,
            "ends_with" => Self::EndsWith,
            _ => return None,
        })
    }

    /// How many operands it takes.
    const fn takes(self, count: usize) -> bool {
        match self {
            Self::If => count >= 1,
            Self::And | Self::Or | Self::Cat => count >= 1,
            Self::Not | Self::Truth => count == 1,
            // `between`: a < b < c.
            Self::Less | Self::AtMost => count == 2 || count == 3,
            _ => count == 2,
        }
    }
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(crate) fn parse(json: &Value) -> Result<Self, String> {
        Self::parse_at(json, 0)
    }

    fn parse_at(json: &Value, depth: usize) -> Result<Self, String> {
        if depth > DEPTH_MAX {
            return Err(format!("is nested deeper than {DEPTH_MAX}"));
        }
        let each = |list: &[Value]| -> Result<Vec<Self>, String> {
            list.iter().map(|item| Self::parse_at(item, depth + 1)).collect()
        };
        let members = match json {
            Value::Array(list) => return Ok(Self::List(each(list)?)),
            Value::Object(members) => members,
            value => return Ok(Self::Value(value.clone())),
        };
        let (Some((name, operands)), 1) = (members.iter().next(), members.len()) else {
            return Err("an operation is an object with one member".to_owned());
        };
        let operands = match operands {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        match name.as_str() {
            "var" => {
                let name = operands.first().and_then(Value::as_str);
                let name = name.ok_or("var names a member of the context")?;
                let default = operands.get(1).map_or(Ok(Self::Value(Value::Null)), |default| {
                    Self::parse_at(default, depth + 1)
                })?;
                Ok(Self::Var(name.to_owned(), Box::new(default)))
            }
            "fractional" => Self::fractional(operands, depth),
            name => {
                let op = Op::parse(name).ok_or_else(|| format!("there is no operation {name}"))?;
                if op.takes(operands.len()) {
                    Ok(Self::Op(op, each(operands)?))
                } else {
                    Err(format!("{name} does not take {} operands", operands.len()))
                }
            }
        }
    }

    fn fractional(operands: &[Value], depth: usize) -> Result<Self, String> {
        let (by, buckets) = match operands.split_first() {
            Some((first, rest)) if !first.is_array() => {
                (Some(Box::new(Self::parse_at(first, depth + 1)?)), rest)
            }
            _ => (None, operands),
        };
        let bucket = |bucket: &Value| {
            let wrong = "a bucket of fractional is [variant, weight], the weight a whole number";
            let pair = bucket.as_array().ok_or(wrong)?;
            let variant = pair.first().and_then(Value::as_str).ok_or(wrong)?;
            let weight = match (pair.get(1), pair.len()) {
                (None, _) => 1,
                (Some(weight), 2) => {
                    weight.as_u64().filter(|weight| *weight <= 1_000_000).ok_or(wrong)?
                }
                _ => return Err(wrong.to_owned()),
            };
            Ok((variant.to_owned(), weight))
        };
        let buckets = buckets.iter().map(bucket).collect::<Result<Vec<_>, String>>()?;
        if buckets.iter().map(|(_, weight)| weight).sum::<u64>() == 0 {
            return Err("fractional needs a bucket whose weight is not 0".to_owned());
        }
        Ok(Self::Fractional { by, buckets })
    }

    /// What the rule gives for `context` of the flag `key`.
    pub(crate) fn evaluate(&self, key: &str, context: &Context<'_>) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Var(name, default) => match context.get(name, key) {
                Value::Null => default.evaluate(key, context),
                value => value,
            },
            Self::List(list) => list.iter().map(|item| item.evaluate(key, context)).collect(),
            Self::Op(op, operands) => operate(*op, operands, key, context),
            Self::Fractional { by, buckets } => {
                let unit = match by {
                    Some(by) => by.evaluate(key, context).as_str().map(str::to_owned),
                    None => context.targeting_key.map(|unit| format!("{key}{unit}")),
                };
                unit.filter(|unit| !unit.is_empty())
                    .map_or(Value::Null, |unit| bucket_of(&unit, buckets).into())
            }
        }
    }

    /// The variants that it may put customers into by percentage.
    pub(crate) fn variants(&self, found: &mut Vec<String>) {
        match self {
            Self::Value(_) => {}
            Self::Var(_, inner) => inner.variants(found),
            Self::List(list) | Self::Op(_, list) => {
                list.iter().for_each(|item| item.variants(found));
            }
            Self::Fractional { buckets, .. } => {
                found.extend(buckets.iter().map(|(variant, _)| variant.clone()));
            }
        }
    }
}

/// The bucket of a unit: always the same, as long as the weights are.
fn bucket_of(unit: &str, buckets: &[(String, u64)]) -> String {
    let total: u64 = buckets.iter().map(|(_, weight)| weight).sum();
    let mut place = (u64::from(murmur3_32(unit.as_bytes())) * total) >> 32;
    for (variant, weight) in buckets {
        if place < *weight {
            return variant.clone();
        }
        place -= weight;
    }
    String::new()
}

fn operate(op: Op, operands: &[Rule], key: &str, context: &Context<'_>) -> Value {
    let at = |index: usize| operands.get(index).map_or(Value::Null, |o| o.evaluate(key, context));
    let text = |index: usize| at(index).as_str().map(str::to_owned).unwrap_or_default();
    let ordered = |fits: fn(f64, f64) -> bool| {
        let numbers: Vec<Option<f64>> = (0..operands.len()).map(|i| number(&at(i))).collect();
        let pairs = numbers.iter().zip(numbers.iter().skip(1));
        pairs.into_iter().all(|(a, b)| a.zip(*b).is_some_and(|(a, b)| fits(a, b))).into()
    };
    match op {
        Op::If => {
            let mut index = 0;
            while index + 1 < operands.len() {
                if truth(&at(index)) {
                    return at(index + 1);
                }
                index += 2;
            }
            at(index)
        }
        Op::Equal => equal(&at(0), &at(1)).into(),
        Op::Different => (!equal(&at(0), &at(1))).into(),
        Op::Not => (!truth(&at(0))).into(),
        Op::Truth => truth(&at(0)).into(),
        Op::And => (0..operands.len()).all(|index| truth(&at(index))).into(),
        Op::Or => (0..operands.len()).any(|index| truth(&at(index))).into(),
        Op::Less => ordered(|a, b| a < b),
        Op::AtMost => ordered(|a, b| a <= b),
        Op::More => ordered(|a, b| a > b),
        Op::AtLeast => ordered(|a, b| a >= b),
        Op::In => match (at(0), at(1)) {
            (needle, Value::Array(list)) => list.iter().any(|item| equal(item, &needle)).into(),
            (Value::String(needle), Value::String(text)) => text.contains(&needle).into(),
            _ => false.into(),
        },
        Op::Cat => {
            let part = |index| match at(index) {
                Value::String(text) => text,
                Value::Null => String::new(),
                other => other.to_string(),
            };
            (0..operands.len()).map(part).collect::<String>().into()
        }
        Op::StartsWith => text(0).starts_with(&text(1)).into(),
        Op::EndsWith => text(0).ends_with(&text(1)).into(),
    }
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(_) => true,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::String(_)) | (Value::String(_), Value::Number(_)) => {
            number(a).zip(number(b)).is_some_and(|(a, b)| a.total_cmp(&b).is_eq())
        }
        (Value::Number(x), Value::Number(y)) => {
            x.as_f64().zip(y.as_f64()).is_some_and(|(x, y)| x.total_cmp(&y).is_eq())
        }
        _ => a == b,
    }
}
