//! What the watch speaks of: definitions that people make, alerts, incidents and notifications.

mod alert;
mod channel;
mod check;
mod check_result;
mod definition;
mod incident;
mod matchers;
mod notification;
mod objective;
mod observation;
mod route;
mod rule;
mod silence;

pub use alert::{Alert, AlertKey, AlertSource, Severity};
pub use channel::{ChannelDefinition, ChannelKind};
pub use check::{CheckDefinition, CheckKind, ConditionDefinition, Threshold};
pub use check_result::{CheckResult, CheckStatus, ConditionOutcome, Phases};
pub use definition::{Definition, Origin};
pub use incident::{
    Evidence, Incident, IncidentId, IncidentStatus, Note, TimelineEntry, TimelineKind,
};
pub use matchers::Matchers;
pub use notification::{Delivery, DeliveryState, Notification, NotificationReason, NotifiedAlert};
pub use objective::ObjectiveDefinition;
pub use observation::Observation;
pub use route::{Escalation, Route};
pub use rule::{Aggregate, OnFailure, Operator, RuleDefinition, RuleMode};
pub use silence::{Inhibition, MaintenanceWindow, Recurrence, Silence};
