//! From JSON to a condition, bounded.

use regex::RegexBuilder;
use serde_json::{Map, Value};

use super::javascript::truth_of;
use super::operator::{Operator, Which};
use super::version::padded;
use super::{Clause, Condition, Test};

/// Conditions within conditions.
const DEPTH_MAX: usize = 16;
/// Questions of one condition, each value of a list counted.
const SIZE_MAX: usize = 10_000;
/// Bytes of one compiled expression.
const REGEX_BYTES_MAX: usize = 1 << 18;
/// Expressions of one condition.
const REGEXES_MAX: usize = 64;

/// What is left of the bounds.
struct Budget {
    size: usize,
    regexes: usize,
}

impl Budget {
    fn take(&mut self, count: usize) -> Result<(), String> {
        self.size = self.size.checked_sub(count).ok_or_else(|| {
            format!("has more than {SIZE_MAX} parts; put a flag on the unit instead of long lists")
        })?;
        Ok(())
    }
}

pub(super) fn compile(written: &Value) -> Result<Condition, String> {
    let mut budget = Budget { size: SIZE_MAX, regexes: REGEXES_MAX };
    match written {
        Value::Null => Ok(Condition(Vec::new())),
        other => condition(other, 0, &mut budget),
    }
}

fn object<'v>(written: &'v Value, what: &str) -> Result<&'v Map<String, Value>, String> {
    written.as_object().ok_or_else(|| {
        format!("{what} is an object, like {{\"country\": {{\"$in\": [\"NL\", \"BE\"]}}}}; it is {written}")
    })
}

fn array<'v>(written: &'v Value, word: &str) -> Result<&'v [Value], String> {
    let list = written.as_array().map(Vec::as_slice);
    list.ok_or_else(|| format!("{word} has a list; it has {written}"))
}

fn condition(written: &Value, depth: usize, budget: &mut Budget) -> Result<Condition, String> {
    if depth > DEPTH_MAX {
        return Err(format!("is nested more than {DEPTH_MAX} deep"));
    }
    let mut clauses = Vec::new();
    for (key, value) in object(written, "a condition")? {
        budget.take(1)?;
        let mut list = || -> Result<Vec<Condition>, String> {
            array(value, key)?.iter().map(|part| condition(part, depth + 1, budget)).collect()
        };
        clauses.push(match key.as_str() {
            "$or" => Clause::Or(list()?),
            "$nor" => Clause::Nor(list()?),
            "$and" => Clause::And(list()?),
            "$not" => Clause::Not(condition(value, depth + 1, budget)?),
            word if word.starts_with('$') => {
                return Err(format!(
                    "{word:?} cannot begin a condition; $or, $nor, $and, $not or an attribute's \
                     name can"
                ));
            }
            path => {
                let test =
                    test(value, depth + 1, budget).map_err(|error| format!("{path:?}: {error}"))?;
                Clause::At(path.split('.').map(str::to_owned).collect(), test)
            }
        });
    }
    Ok(Condition(clauses))
}

fn is_of_operators(written: &Map<String, Value>) -> bool {
    !written.is_empty() && written.keys().all(|key| key.starts_with('$'))
}

fn test(written: &Value, depth: usize, budget: &mut Budget) -> Result<Test, String> {
    if depth > DEPTH_MAX {
        return Err(format!("is nested more than {DEPTH_MAX} deep"));
    }
    budget.take(1)?;
    Ok(match written {
        Value::Null => Test::Null,
        Value::Bool(flag) => Test::Flag(*flag),
        Value::String(text) => Test::Text(text.clone()),
        // Adding 0 makes -0 a 0: they are the same number.
        Value::Number(number) => Test::Number(number.as_f64().unwrap_or(f64::NAN) + 0.0),
        Value::Object(object) if is_of_operators(object) => {
            let one = |(word, value): (&String, &Value)| operator(word, value, depth, budget);
            Test::Operators(object.iter().map(one).collect::<Result<_, String>>()?)
        }
        Value::Object(object) if object.keys().any(|key| key.starts_with('$')) => {
            return Err("mixes operators and names; use one kind".to_owned());
        }
        other => Test::Same(other.clone()),
    })
}

fn operator(
    word: &str,
    value: &Value,
    depth: usize,
    budget: &mut Budget,
) -> Result<Operator, String> {
    let version = |which| Operator::Version(which, padded(value));
    Ok(match word {
        "$eq" => Operator::Equal(value.clone()),
        "$ne" => Operator::NotEqual(value.clone()),
        "$lt" => Operator::Less(value.clone()),
        "$lte" => Operator::AtMost(value.clone()),
        "$gt" => Operator::Greater(value.clone()),
        "$gte" => Operator::AtLeast(value.clone()),
        "$veq" => version(Which::Equal),
        "$vne" => version(Which::NotEqual),
        "$vlt" => version(Which::Less),
        "$vlte" => version(Which::AtMost),
        "$vgt" => version(Which::Greater),
        "$vgte" => version(Which::AtLeast),
        "$exists" => Operator::Exists(truth_of(value)),
        "$in" | "$nin" | "$ini" | "$nini" => {
            let list = array(value, word)?.to_vec();
            budget.take(list.len())?;
            let (any_case, not) = (word.ends_with("ini"), word.starts_with("$n"));
            Operator::In { list, any_case, not }
        }
        "$all" | "$alli" => {
            let list = array(value, word)?;
            let list = list.iter().map(|one| test(one, depth + 1, budget));
            Operator::All { list: list.collect::<Result<_, _>>()?, any_case: word == "$alli" }
        }
        "$not" => Operator::Not(Box::new(test(value, depth + 1, budget)?)),
        "$size" => Operator::Size(Box::new(test(value, depth + 1, budget)?)),
        "$elemMatch" => match value {
            Value::Object(object) if !is_of_operators(object) => {
                Operator::ElementCondition(Box::new(condition(value, depth + 1, budget)?))
            }
            _ => Operator::ElementTest(Box::new(test(value, depth + 1, budget)?)),
        },
        "$regex" | "$regexi" | "$notRegex" | "$notRegexi" => expression(word, value, budget)?,
        "$type" => {
            let names = ["null", "boolean", "number", "string", "array", "object"];
            let name = value.as_str().filter(|name| names.contains(name));
            let name = name.ok_or_else(|| format!("$type is one of {}", names.join(", ")))?;
            Operator::Type(name.to_owned())
        }
        "$inGroup" | "$notInGroup" => {
            return Err(format!("{word}: there are no saved groups here; use $in or $nin"));
        }
        _ => {
            return Err(format!(
                "{word:?} is no operator; there are $eq, $ne, $lt, $lte, $gt, $gte, $in, $nin, \
                 $ini, $nini, $all, $alli, $not, $exists, $size, $elemMatch, $regex, $regexi, \
                 $notRegex, $notRegexi, $type, $veq, $vne, $vlt, $vlte, $vgt, $vgte"
            ));
        }
    })
}

fn expression(word: &str, value: &Value, budget: &mut Budget) -> Result<Operator, String> {
    let pattern = value.as_str().ok_or_else(|| format!("{word} has a text; it has {value}"))?;
    budget.regexes = budget
        .regexes
        .checked_sub(1)
        .ok_or_else(|| format!("has more than {REGEXES_MAX} regular expressions"))?;
    let regex = RegexBuilder::new(pattern)
        .case_insensitive(word.ends_with('i'))
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| {
            format!(
                "{word}: {pattern:?} is no regular expression that is understood here (no \
                 look-around, no references back): {error}"
            )
        })?;
    Ok(Operator::Matches { pattern: Box::new(regex), not: word.starts_with("$not") })
}
