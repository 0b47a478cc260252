//! Comparison and logic as in `text/template/funcs.go`: values of different kinds do not compare.

use std::cmp::Ordering;

use super::value::Value;

const INCOMPATIBLE: &str = "incompatible types for comparison";

fn equal(left: &Value, right: &Value) -> Result<bool, String> {
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Int(a), Value::Int(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Labels(_) | Value::Map(_) | Value::List(_), _) => {
            Err(format!("non-comparable type {}", left.type_name()))
        }
        _ => Err(INCOMPATIBLE.to_owned()),
    }
}

fn order(left: &Value, right: &Value) -> Result<Option<Ordering>, String> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
        (Value::Int(_) | Value::Float(_) | Value::Text(_), _) => Err(INCOMPATIBLE.to_owned()),
        _ => Err("invalid type for comparison".to_owned()),
    }
}

/// `eq`, `ne`, `lt`, `le`, `gt`, `ge`.
pub(super) fn compare(name: &str, args: &[Value]) -> Result<Value, String> {
    let [left, others @ ..] = args else {
        return Err("missing argument for comparison".to_owned());
    };
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    if name == "eq" {
        for other in others {
            if equal(left, other)? {
                return Ok(Value::Bool(true));
            }
        }
        return Ok(Value::Bool(false));
    }
    let [right] = others else {
        return Err(format!("wrong number of args for {name}: want 2 got {}", args.len()));
    };
    if name == "ne" {
        return Ok(Value::Bool(!equal(left, right)?));
    }
    let found = order(left, right)?;
    Ok(Value::Bool(match name {
        "lt" => found == Some(Ordering::Less),
        "le" => matches!(found, Some(Ordering::Less | Ordering::Equal)),
        "gt" => found == Some(Ordering::Greater),
        _ => matches!(found, Some(Ordering::Greater | Ordering::Equal)),
    }))
}
