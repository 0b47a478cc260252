//! Which groups there are: those of rule files, one for each definition of ours, and one for each
//! objective.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::watch::{Catalog, Defined};
use crate::model::RuleDefinition;
use crate::rules::{AlertRule, Group, OBJECTIVES_FILE, RuleFile, compile, objective_group};

/// A group that is to be evaluated.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) file: String,
    pub(super) group: Group,
    /// One per rule: the alerting ones with what makes them the same after a restart.
    pub(super) alerting: Vec<Option<(Arc<AlertRule>, String)>>,
    pub(super) defined: Option<Arc<Defined<RuleDefinition>>>,
}

/// Puts files and definitions together. Definitions that do not compile are reported and left
/// out; those of the settings file and of requests were checked before.
pub(super) fn plan(files: &[RuleFile], catalog: &Catalog) -> Vec<Planned> {
    let mut planned = Vec::new();
    for file in files {
        planned.extend(file.groups.iter().map(|group| of_file(&file.name, group)));
    }
    for (name, defined) in catalog.rules.list().iter() {
        match compile(&defined.definition, defined.origin) {
            Ok(compiled) => {
                let identity = compiled.rule.identity(0);
                planned.push(Planned {
                    file: String::new(),
                    group: compiled.group,
                    alerting: vec![Some((Arc::new(compiled.rule), identity))],
                    defined: Some(Arc::clone(defined)),
                });
            }
            Err(error) => {
                tracing::error!(rule = %name, error, "a rule cannot be evaluated; change it");
            }
        }
    }
    for (name, defined) in catalog.objectives.list().iter() {
        if !defined.definition.enabled {
            continue;
        }
        match objective_group(&defined.definition) {
            Ok(group) => planned.push(of_file(OBJECTIVES_FILE, &group)),
            Err(error) => {
                tracing::error!(objective = %name, error, "an objective has no effect; change it");
            }
        }
    }
    planned
}

fn of_file(file: &str, group: &Group) -> Planned {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let alerting = group.rules.iter().map(|rule| {
        let rule = AlertRule::of_file(file, &group.name, group.limit, rule)?;
        let occurrence = seen.entry(rule.identity(0)).or_default();
        let identity = rule.identity(*occurrence);
        *occurrence += 1;
        Some((Arc::new(rule), identity))
    });
    Planned {
        file: file.to_owned(),
        alerting: alerting.collect(),
        group: group.clone(),
        defined: None,
    }
}
