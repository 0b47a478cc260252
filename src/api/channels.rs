//! Channels over HTTP.

use crate::engine::watch::{Catalog, Definitions};
use crate::model::ChannelDefinition;

use super::objects::Object;

impl Object for ChannelDefinition {
    const DURATIONS: &'static [&'static str] = &[];

    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.channels
    }
}
