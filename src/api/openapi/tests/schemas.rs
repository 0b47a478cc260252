//! The document against the types: examples can be read, and no field is missing or invented.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::model::{
    ChannelDefinition, CheckDefinition, Definition, Evidence, ExperimentDefinition,
    FeatureDefinition, MaintenanceWindow, MetricDefinition, Note, ObjectiveDefinition, Outcome,
    ProviderDefinition, Recurrence, ResultEntry, RuleDefinition, Silence, TimelineEntry,
    VariantDefinition,
};

use super::super::document;

fn schema(name: &str) -> Value {
    let schema = document()["components"]["schemas"][name].clone();
    assert!(schema.is_object(), "there is no schema {name}");
    schema
}

fn examples<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let schema = schema(name);
    let examples = schema["examples"].as_array().cloned().unwrap_or_default();
    assert!(!examples.is_empty(), "{name} has no example");
    let read = |example: Value| {
        serde_json::from_value(example.clone())
            .unwrap_or_else(|error| panic!("the example of {name}: {error}: {example}"))
    };
    examples.into_iter().map(read).collect()
}

fn checked<T: Definition + DeserializeOwned>(name: &str) {
    for example in examples::<T>(name) {
        example.check().unwrap_or_else(|error| panic!("the example of {name}: {error}"));
    }
}

/// The fields that a type knows, from what serde says to one that it does not.
fn known_fields<T: DeserializeOwned>() -> BTreeSet<String> {
    let Err(error) = serde_json::from_value::<T>(json!({"no such field": 1})) else {
        panic!("the type takes any field");
    };
    let said = error.to_string();
    let (_, expected) = said.split_once("expected ").unwrap_or_else(|| panic!("{said}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn same_fields<T: DeserializeOwned>(name: &str) {
    let schema = schema(name);
    let properties = schema["properties"].as_object().expect("an object");
    let described: BTreeSet<String> = properties.keys().cloned().collect();
    assert_eq!(described, known_fields::<T>(), "{name}");
}

#[test]
fn examples_of_definitions_are_valid() {
    checked::<CheckDefinition>("CheckDefinition");
    checked::<RuleDefinition>("RuleDefinition");
    checked::<ObjectiveDefinition>("ObjectiveDefinition");
    checked::<ChannelDefinition>("ChannelDefinition");
    checked::<MaintenanceWindow>("MaintenanceWindow");
    checked::<ExperimentDefinition>("ExperimentDefinition");
    checked::<FeatureDefinition>("FeatureDefinition");
    checked::<ProviderDefinition>("ProviderDefinition");
}

#[test]
fn examples_of_other_objects_can_be_read() {
    assert_eq!(examples::<Outcome>("Outcome").len(), 1);
    examples::<ResultEntry>("ExperimentResult");
    examples::<Recurrence>("Recurrence");
    examples::<Silence>("Silence");
    examples::<Evidence>("Evidence");
    examples::<TimelineEntry>("TimelineEntry");
    examples::<Note>("Note");
}

#[test]
fn schemas_have_the_fields_of_their_types_and_no_other() {
    same_fields::<CheckDefinition>("CheckDefinition");
    same_fields::<RuleDefinition>("RuleDefinition");
    same_fields::<ObjectiveDefinition>("ObjectiveDefinition");
    same_fields::<ChannelDefinition>("ChannelDefinition");
    same_fields::<MaintenanceWindow>("MaintenanceWindow");
    same_fields::<Recurrence>("Recurrence");
    same_fields::<ExperimentDefinition>("ExperimentDefinition");
    same_fields::<VariantDefinition>("Variant");
    same_fields::<MetricDefinition>("ExperimentMetric");
    same_fields::<ResultEntry>("ExperimentResult");
    same_fields::<FeatureDefinition>("FeatureDefinition");
    same_fields::<ProviderDefinition>("ProviderDefinition");
    same_fields::<Outcome>("Outcome");
}

/// An example with a field that the schema does not have, or without one that it asks for, would
/// teach something wrong.
#[test]
fn examples_fit_their_schemas() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().expect("an object");
    for (name, schema) in schemas {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            continue;
        };
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for example in schema["examples"].as_array().into_iter().flatten() {
            let example = example.as_object().expect("an object");
            for field in example.keys() {
                assert!(properties.contains_key(field), "the example of {name} has {field}");
            }
            for field in &required {
                assert!(example.contains_key(*field), "the example of {name} lacks {field}");
            }
        }
    }
}

/// Every kind of failure that the API knows is in the document.
#[test]
fn all_kinds_of_failure_are_listed() {
    let schema = schema("Error");
    let listed = schema["properties"]["errorType"]["enum"].as_array().expect("a list");
    let source = include_str!("../../error.rs");
    let (_, body) = source.split_once("fn as_str(self)").expect("the function");
    let (body, _) = body.split_once("fn status").expect("the next function");
    let words: Vec<&str> = body.split('"').skip(1).step_by(2).collect();
    assert_eq!(listed, &words.iter().map(|word| json!(word)).collect::<Vec<_>>());
}
