//! An experiment as it is in force: what people defined, and how it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value;

use super::assign::{Condition, Fnv, Range, bucket_ranges, choose};
use crate::model::{
    ExperimentDefinition, ExperimentKind, ExperimentState, ExperimentStatus, GuardrailAction,
    GuardrailDefinition, MetricRole, Name, VariantDefinition,
};

/// All experiments that are known, by name: whoever assigns, counts or analyses reads it here.
/// What is in it is committed.
pub type Board = ArcSwap<BTreeMap<Name, Arc<InForce>>>;

/// The longest name of a variant that is made from factors.
const NAME_BYTES_MAX: usize = 63;

/// An experiment as it is in force.
#[derive(Clone, Debug)]
pub struct InForce {
    /// What people defined, with the variants that are made from factors and all guardrails.
    pub definition: Arc<ExperimentDefinition>,
    /// How it stands.
    pub state: Arc<ExperimentState>,
    targeting: Arc<Condition>,
    /// The hash of the seed, which every unit's begins with.
    seed: Fnv,
    /// The variants' parts of the line from 0 to 1 in the present epoch.
    ranges: Vec<Range>,
}

impl InForce {
    /// Puts a definition in force, as it stands.
    ///
    /// # Errors
    ///
    /// What is wrong with the targeting or with variants that are made from factors.
    pub fn new(definition: &ExperimentDefinition, state: ExperimentState) -> Result<Self, String> {
        let definition = normalised(definition)?;
        let targeting = Condition::compile(&definition.targeting)
            .map_err(|error| format!("targeting: {error}"))?;
        let mut made = InForce {
            seed: Fnv::new().text(definition.hash_seed()),
            definition: Arc::new(definition),
            state: Arc::new(ExperimentState::default()),
            targeting: Arc::new(targeting),
            ranges: Vec::new(),
        };
        made.stand(state);
        Ok(made)
    }

    /// The same experiment in another state.
    #[must_use]
    pub fn with_state(&self, state: ExperimentState) -> Self {
        let mut other = self.clone();
        other.stand(state);
        other
    }

    fn stand(&mut self, state: ExperimentState) {
        self.ranges = match state.epochs.last() {
            Some(epoch) => {
                let whole: f64 = epoch.weights.iter().sum();
                let weights: Vec<f64> = epoch.weights.iter().map(|w| w / whole).collect();
                bucket_ranges(weights.len(), epoch.traffic_allocation / 100.0, Some(&weights))
            }
            None => Vec::new(),
        };
        self.state = Arc::new(state);
    }

    /// Its number: what units and sums are kept under.
    pub fn number(&self) -> u32 {
        self.state.number
    }

    /// The place of the present epoch; none before the start.
    pub fn epoch(&self) -> Option<u16> {
        self.state.epochs.len().checked_sub(1).and_then(|last| u16::try_from(last).ok())
    }

    /// The variants' weights in the present epoch, in their order; empty before the start.
    pub fn weights(&self) -> &[f64] {
        self.state.epochs.last().map_or(&[], |epoch| &epoch.weights)
    }

    /// How many variants there are.
    pub fn arms(&self) -> usize {
        self.definition.variants.len()
    }

    /// Whether it has started and is not over.
    pub fn is_active(&self) -> bool {
        matches!(self.state.status, ExperimentStatus::Running | ExperimentStatus::Paused)
    }

    /// Whether a unit with these attributes may take part.
    pub(super) fn targets(&self, attributes: &Value) -> bool {
        self.targeting.holds(attributes)
    }

    /// The variant that a unit's hash chooses; none of a unit that does not take part.
    pub(super) fn choose(&self, unit: &str) -> Option<usize> {
        choose(self.seed.text(unit).place_2(), &self.ranges)
    }

    /// What an application gets that asks: the experiment's configuration, the variant's merged
    /// over it as a JSON merge patch (RFC 7396). Without a variant, the control's.
    pub fn configuration(&self, variant: Option<usize>) -> Value {
        let variant = variant.or_else(|| self.definition.control());
        let mut whole = self.definition.configuration.clone();
        let own = variant.and_then(|at| self.definition.variants.get(at));
        if let Some(own) = own.filter(|own| !own.configuration.is_null()) {
            merge(&mut whole, &own.configuration);
        }
        whole
    }
}

/// RFC 7396, section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(object) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// A definition with what it leaves out: the variants of its factors, and a guardrail that pauses
/// for every metric of that role that no guardrail names.
///
/// # Errors
///
/// When factors' levels make names that are too long, or `forced` names none of the variants.
pub fn normalised(definition: &ExperimentDefinition) -> Result<ExperimentDefinition, String> {
    let mut whole = definition.clone();
    if whole.kind == ExperimentKind::Multivariate && whole.variants.is_empty() {
        whole.variants = combinations(&whole)?;
    }
    if let Some(name) = whole.forced.values().find(|name| whole.variant(name.as_str()).is_none()) {
        let all: Vec<&str> = whole.variants.iter().map(|variant| variant.name.as_str()).collect();
        return Err(format!("forced: {name:?} is no variant; there are {}", all.join(", ")));
    }
    for metric in &whole.metrics {
        let named = |guardrail: &GuardrailDefinition| {
            guardrail.metric.as_deref() == Some(metric.name.as_str())
        };
        if metric.role == MetricRole::Guardrail && !whole.guardrails.iter().any(named) {
            whole.guardrails.push(GuardrailDefinition {
                metric: Some(metric.name.clone()),
                rule: None,
                action: GuardrailAction::Pause,
            });
        }
    }
    Ok(whole)
}

/// All combinations of the factors' levels, the last factor changing fastest: the first one, of
/// all first levels, is the control. Equal weights.
fn combinations(definition: &ExperimentDefinition) -> Result<Vec<VariantDefinition>, String> {
    let mut made: Vec<(Vec<&str>, BTreeMap<String, String>)> = vec![Default::default()];
    for factor in &definition.factors {
        let longer = |(words, levels): &(Vec<_>, BTreeMap<_, _>)| {
            let (words, levels) = (words.clone(), levels.clone());
            factor.levels.iter().map(move |level| {
                let (mut words, mut levels) = (words.clone(), levels.clone());
                words.push(level.as_str());
                levels.insert(factor.name.as_str().to_owned(), level.as_str().to_owned());
                (words, levels)
            })
        };
        made = made.iter().flat_map(longer).collect();
    }
    let variant = |(at, (words, levels)): (usize, (Vec<&str>, BTreeMap<String, String>))| {
        let name = words.join("-");
        let name = Name::new(name.as_str()).map_err(|_| {
            format!(
                "factors: {name:?} is the name of a combination, and longer than {NAME_BYTES_MAX} \
                 characters; shorten the levels or give the variants names of their own"
            )
        })?;
        Ok(VariantDefinition {
            name,
            description: String::new(),
            traffic_weight: 1.0,
            is_control: at == 0,
            configuration: Value::Null,
            levels,
        })
    };
    let variants: Vec<VariantDefinition> =
        made.into_iter().enumerate().map(variant).collect::<Result<_, String>>()?;
    let names: std::collections::BTreeSet<_> = variants.iter().map(|v| &v.name).collect();
    if names.len() != variants.len() {
        return Err("factors: two combinations have the same name, as - joins their levels; give \
             the variants names of their own"
            .to_owned());
    }
    Ok(variants)
}
