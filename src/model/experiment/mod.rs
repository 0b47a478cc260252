//! What experiments speak of: their definitions, how they stand, results and outcomes; features
//! and providers.

mod check;
mod definition;
mod feature;
mod guardrail;
mod metric;
mod outcome;
mod result;
mod state;

pub use definition::{
    AnalysisDefinition, AnalysisMethod, CanaryStep, Correction, ExperimentDefinition,
    ExperimentKind, Factor, HoldOut, Namespace, VariantDefinition,
};
pub use feature::{FeatureDefinition, FeatureQueries, FeatureStatus, ProviderDefinition};
pub use guardrail::{GuardrailAction, GuardrailDefinition};
pub use metric::{Better, Estimator, MetricDefinition, MetricKind, MetricRole, UnitAggregate};
pub use outcome::Outcome;
pub use result::{ResultEntry, UnitValue, VALUE_ABS_MAX};
pub use state::{AuditEntry, AuditKind, Epoch, ExperimentState, ExperimentStatus, GuardrailState};
