//! Attributes as labels (`createAttributes` in Prometheus's `helper.go`).

use std::collections::BTreeMap;

use super::message::{KeyValue, Resource, ScopeMetrics};
use super::names::label_name;
use crate::config::{Limits, Otlp};
use crate::decode::admit::{Reason, admit_labels};
use crate::model::{INSTANCE_LABEL, JOB_LABEL, Labels, METRIC_NAME};

const SERVICE_NAME: &str = "service.name";
const SERVICE_NAMESPACE: &str = "service.namespace";
const SERVICE_INSTANCE: &str = "service.instance.id";

/// Labels by name, as the texts that they will be.
pub(super) type Pairs = BTreeMap<String, String>;

/// The labels that every series of one scope of one resource has.
pub(super) struct Shared {
    /// Where the point has no such label itself.
    weak: Pairs,
    /// Whatever the point says.
    strong: Pairs,
}

fn find<'r>(resource: &'r Resource, key: &str) -> Option<&'r KeyValue> {
    resource.attributes.iter().find(|attribute| attribute.key == key)
}

/// `job` and `instance`, as far as the resource says them.
fn identity(resource: &Resource) -> Pairs {
    let text = |key| find(resource, key).map(|attribute| attribute.value.to_text());
    let mut pairs = Pairs::new();
    if let Some(name) = text(SERVICE_NAME) {
        let job = match text(SERVICE_NAMESPACE) {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name,
        };
        pairs.insert(JOB_LABEL.to_owned(), job);
    }
    if let Some(instance) = text(SERVICE_INSTANCE) {
        pairs.insert(INSTANCE_LABEL.to_owned(), instance);
    }
    pairs
}

/// Attributes as labels. Of several that come to the same name the values are joined by
/// semicolons, in the order of the attributes' names.
fn attributes<'a>(
    attributes: impl IntoIterator<Item = &'a KeyValue>,
    settings: &Otlp,
) -> Result<Pairs, Reason> {
    let mut sorted: Vec<&KeyValue> = attributes.into_iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    let mut pairs = Pairs::new();
    for attribute in sorted {
        let name =
            label_name(settings.translation_strategy, &attribute.key).map_err(Reason::Malformed)?;
        let text = attribute.value.to_text();
        match pairs.get_mut(&name) {
            None => drop(pairs.insert(name, text)),
            Some(known) => {
                known.push(';');
                known.push_str(&text);
            }
        }
    }
    Ok(pairs)
}

impl Shared {
    /// Of a resource and a scope. An attribute whose name cannot be translated is left out.
    pub(super) fn new(resource: &Resource, scope: &ScopeMetrics, settings: &Otlp) -> Self {
        let mut promoted: Vec<&KeyValue> =
            resource.attributes.iter().filter(|a| settings.promotes(&a.key)).collect();
        promoted.sort_by(|a, b| a.key.cmp(&b.key));
        let mut weak = Pairs::new();
        for attribute in promoted {
            if let Ok(name) = label_name(settings.translation_strategy, &attribute.key) {
                weak.entry(name).or_insert_with(|| attribute.value.to_text());
            }
        }
        let mut strong = Pairs::new();
        if settings.promote_scope_metadata && !scope.scope.name.is_empty() {
            for attribute in &scope.scope.attributes {
                let name = format!("otel_scope_{}", attribute.key);
                if let Ok(name) = label_name(settings.translation_strategy, &name) {
                    strong.insert(name, attribute.value.to_text());
                }
            }
            for (name, text) in [
                ("otel_scope_name", &scope.scope.name),
                ("otel_scope_version", &scope.scope.version),
                ("otel_scope_schema_url", &scope.schema_url),
            ] {
                strong.insert(name.to_owned(), text.clone());
            }
        }
        strong.extend(identity(resource));
        Shared { weak, strong }
    }

    /// The labels of a point, without a name.
    pub(super) fn of_point(&self, point: &[KeyValue], settings: &Otlp) -> Result<Pairs, Reason> {
        let mut pairs = attributes(point, settings)?;
        for (name, text) in &self.weak {
            pairs.entry(name.clone()).or_insert_with(|| text.clone());
        }
        pairs.extend(self.strong.iter().map(|(name, text)| (name.clone(), text.clone())));
        Ok(pairs)
    }
}

/// The finished labels of one series, with one more label where the series needs it.
pub(super) fn named(
    pairs: &Pairs,
    name: &str,
    extra: Option<(&str, &str)>,
    limits: &Limits,
) -> Result<Labels, Reason> {
    let mut list: Vec<(&str, &str)> = Vec::with_capacity(pairs.len() + 2);
    let is_ours = |key: &str| key == METRIC_NAME || extra.is_some_and(|(extra, _)| extra == key);
    list.extend(pairs.iter().filter(|(n, _)| !is_ours(n)).map(|(n, v)| (n.as_str(), v.as_str())));
    list.push((METRIC_NAME, name));
    list.extend(extra);
    admit_labels(&list, limits)
}

/// The labels of `target_info`; `None` where it would say nothing more than `job` and `instance`
/// do, or belong to nothing (`addResourceTargetInfo`).
pub(super) fn target_info(
    resource: &Resource,
    settings: &Otlp,
    limits: &Limits,
) -> Option<Result<Labels, Reason>> {
    let identifying =
        |key: &str| matches!(key, SERVICE_NAME | SERVICE_NAMESPACE | SERVICE_INSTANCE);
    let identity = identity(resource);
    if identity.is_empty() || resource.attributes.iter().all(|a| identifying(&a.key)) {
        return None;
    }
    let keeps = settings.keep_identifying_resource_attributes;
    let told = resource.attributes.iter().filter(|a| keeps || !identifying(&a.key));
    Some(attributes(told, settings).and_then(|mut pairs| {
        pairs.extend(identity);
        named(&pairs, "target_info", None, limits)
    }))
}
