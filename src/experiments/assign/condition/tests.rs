//! Expected values follow from the operators' definitions and from how JavaScript compares, as
//! its specification has it.

use serde_json::{Value, json};

use super::Condition;

fn holds(condition: Value, attributes: Value) -> bool {
    Condition::compile(&condition).expect("compiles").holds(&attributes)
}

fn refused(condition: Value) -> String {
    Condition::compile(&condition).expect_err("is wrong")
}

#[test]
fn no_condition_holds_always() {
    assert!(holds(Value::Null, Value::Null));
    assert!(holds(json!({}), json!({"a": 1})));
}

#[test]
fn plain_values_are_compared_as_javascript_compares() {
    for (condition, attributes, expected) in [
        (json!({"a": "1"}), json!({"a": 1}), true),
        (json!({"a": "1"}), json!({"a": 1.0}), true),
        (json!({"a": "null"}), json!({}), true),
        (json!({"a": 1}), json!({"a": "1"}), true),
        (json!({"a": 0}), json!({}), true),
        (json!({"a": 1}), json!({"a": "x"}), false),
        (json!({"a": true}), json!({"a": "yes"}), true),
        (json!({"a": false}), json!({"a": 0}), true),
        (json!({"a": false}), json!({}), false),
        (json!({"a": null}), json!({}), true),
        (json!({"a": null}), json!({"a": 0}), false),
        (json!({"a": [1, 2]}), json!({"a": [1, 2]}), true),
        (json!({"a": [1, 2]}), json!({"a": [2, 1]}), false),
        (json!({"a": {"b": 1}}), json!({"a": {"b": 1.0}}), true),
        (json!({"a.b": 1}), json!({"a": {"b": 1}}), true),
        (json!({"a.b.c": 1}), json!({"a": {"b": 1}}), false),
        (json!({"a.1": "y"}), json!({"a": ["x", "y"]}), true),
    ] {
        assert_eq!(
            holds(condition.clone(), attributes.clone()),
            expected,
            "{condition} {attributes}"
        );
    }
}

#[test]
fn every_operator_says_what_its_name_says() {
    for (operators, value, expected) in [
        (json!({"$eq": 1}), json!(1), true),
        (json!({"$eq": 1}), json!("1"), false),
        (json!({"$ne": 1}), json!("1"), true),
        (json!({"$lt": 10}), json!(9), true),
        (json!({"$lt": "10"}), json!("9"), false),
        (json!({"$lte": 10}), json!("10"), true),
        (json!({"$gt": 10}), json!("x"), false),
        (json!({"$gt": -1}), json!(null), true),
        (json!({"$gte": 10, "$lt": 20}), json!(10), true),
        (json!({"$gte": 10, "$lt": 20}), json!(20), false),
        (json!({"$in": ["NL", "BE"]}), json!("NL"), true),
        (json!({"$in": ["NL", "BE"]}), json!("nl"), false),
        (json!({"$ini": ["NL", "BE"]}), json!("nl"), true),
        (json!({"$in": ["a", "b"]}), json!(["x", "b"]), true),
        (json!({"$nin": ["a", "b"]}), json!("c"), true),
        (json!({"$nini": ["A"]}), json!("a"), false),
        (json!({"$in": []}), json!(null), false),
        (json!({"$all": ["a", "b"]}), json!(["b", "a", "c"]), true),
        (json!({"$all": ["a", "b"]}), json!(["a"]), false),
        (json!({"$all": [{"$gt": 5}]}), json!([1, 6]), true),
        (json!({"$alli": ["A"]}), json!(["a"]), true),
        (json!({"$all": []}), json!("a"), false),
        (json!({"$not": {"$eq": 1}}), json!(1), false),
        (json!({"$exists": true}), json!(0), true),
        (json!({"$exists": false}), json!(null), true),
        (json!({"$size": 2}), json!([1, 2]), true),
        (json!({"$size": {"$gt": 2}}), json!([1, 2]), false),
        (json!({"$size": 0}), json!("x"), false),
        (json!({"$elemMatch": {"$gt": 5}}), json!([1, 9]), true),
        (json!({"$elemMatch": {"k": "v"}}), json!([{"k": "x"}, {"k": "v"}]), true),
        (json!({"$elemMatch": {"k": "v"}}), json!({"k": "v"}), false),
        (json!({"$regex": "@example\\.org$"}), json!("me@example.org"), true),
        (json!({"$regex": "EXAMPLE"}), json!("me@example.org"), false),
        (json!({"$regexi": "EXAMPLE"}), json!("me@example.org"), true),
        (json!({"$notRegex": "^a"}), json!("b"), true),
        (json!({"$type": "string"}), json!("x"), true),
        (json!({"$type": "null"}), json!(null), true),
        (json!({"$type": "number"}), json!([1]), false),
        (json!({"$vgt": "1.9.0"}), json!("1.10.0"), true),
        (json!({"$vgt": "2.0.0-rc.1"}), json!("2.0.0"), true),
        (json!({"$veq": "v1.2.3+build"}), json!("1.2.3"), true),
        (json!({"$vlt": "1.2.3"}), json!("1.2.3-alpha"), true),
        (json!({"$vgte": "1.2.3"}), json!("1.2.3"), true),
        (json!({"$vlte": "1.2.3"}), json!("1.2.4"), false),
        (json!({"$vne": "1.2.3"}), json!("1.2.3"), false),
    ] {
        let found = holds(json!({"a": operators.clone()}), json!({"a": value.clone()}));
        assert_eq!(found, expected, "{operators} of {value}");
    }
}

#[test]
fn conditions_are_joined_by_words() {
    let nl = json!({"country": "NL"});
    let adult = json!({"age": {"$gte": 18}});
    let both = json!({"country": "NL", "age": 30});
    let one = json!({"country": "NL", "age": 3});
    assert!(holds(json!({"$and": [nl, adult]}), both.clone()));
    assert!(!holds(json!({"$and": [nl, adult]}), one.clone()));
    assert!(holds(json!({"$or": [nl, adult]}), one.clone()));
    assert!(!holds(json!({"$nor": [nl, adult]}), one.clone()));
    assert!(holds(json!({"$not": adult}), one.clone()));
    assert!(holds(json!({"$or": []}), one.clone()));
    // None of none holds: an empty $or counts as held.
    assert!(!holds(json!({"$nor": []}), one));
}

#[test]
fn what_would_never_hold_is_refused_and_the_place_is_named() {
    assert!(refused(json!("NL")).starts_with("a condition is an object"));
    assert!(refused(json!({"a": {"$near": 1}})).starts_with("\"a\": \"$near\" is no operator"));
    assert!(refused(json!({"a": {"$in": "x"}})).contains("$in has a list"));
    assert!(refused(json!({"a": {"$inGroup": "x"}})).contains("no saved groups"));
    assert!(refused(json!({"a": {"$regex": "(?=x)"}})).contains("no regular expression"));
    assert!(refused(json!({"a": {"$type": "int"}})).contains("$type is one of"));
    assert!(refused(json!({"$gt": 1})).contains("cannot begin a condition"));
    assert!(refused(json!({"a": {"$gt": 1, "b": 2}})).contains("mixes operators and names"));
}

#[test]
fn a_condition_is_bounded_in_size_depth_and_expressions() {
    let mut deep = json!({"a": 1});
    for _ in 0..20 {
        deep = json!({ "$not": deep });
    }
    assert!(refused(deep).contains("16 deep"));
    let many: Vec<u32> = (0..10_001).collect();
    assert!(refused(json!({"a": {"$in": many}})).contains("more than 10000 parts"));
    let expressions: Vec<Value> = (0..65).map(|_| json!({"a": {"$regex": "x"}})).collect();
    assert!(refused(json!({ "$or": expressions })).contains("more than 64 regular expressions"));
    assert!(refused(json!({"a": {"$regex": "(a{1000}){1000}"}})).contains("regular expression"));
}
