//! Proves that `config.toml.example` tells the truth.

use toml::Table;

use super::overlay::known_keys;
use super::{Inputs, Settings};

const EXAMPLE: &str = include_str!("../../config.toml.example");

#[test]
fn the_example_file_is_valid_and_equals_the_defaults() {
    let table: Table = EXAMPLE.parse().expect("the example is TOML");
    let settings: Settings = table.try_into().expect("the example is valid");
    assert_eq!(settings, Settings::default());
}

#[test]
fn the_example_file_loads_from_disk() {
    let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml.example"));
    assert_eq!(Inputs::of_file(path).load().expect("valid"), Settings::default());
}

#[test]
fn the_example_file_names_every_key() {
    let table: Table = EXAMPLE.parse().expect("the example is TOML");
    for (path, _) in known_keys() {
        let mut value = Some(&toml::Value::Table(table.clone())).cloned();
        for part in &path {
            value = value.and_then(|value| value.get(part).cloned());
        }
        assert!(
            value.is_some() || EXAMPLE.contains(&format!("[[{}]]", path.join("."))),
            "config.toml.example does not name `{}`",
            path.join(".")
        );
    }
}
