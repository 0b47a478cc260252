//! What all definitions have in common.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::Name;

/// Where an object comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The settings file: it cannot be changed over the API.
    File,
    /// The API.
    #[default]
    Api,
    /// Built in: may be replaced by an object of the same name from the file or the API.
    Default,
}

/// An object that people define, in the settings file or over the API, known by a unique name.
pub trait Definition:
    Clone + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What it is called in errors and paths (`check`, `rule`, `channel`, …).
    const NOUN: &'static str;

    /// Its name.
    fn name(&self) -> &Name;

    /// What is wrong with it as a whole: says which field, why, and what to write instead.
    ///
    /// # Errors
    ///
    /// A text for the person who wrote it.
    fn check(&self) -> Result<(), String>;
}
