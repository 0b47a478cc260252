//! How the traffic is shared out, as the definition and the state have it together.

use crate::model::{Epoch, ExperimentDefinition, ExperimentKind, ExperimentState, Timestamp};

/// How the traffic is shared out.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// The variants' weights, in their order; not normalised.
    pub weights: Vec<f64>,
    /// How many of all units take part, in percent.
    pub traffic_allocation: f64,
}

impl Shares {
    /// An epoch with these shares.
    pub fn epoch(self, from: Timestamp) -> Epoch {
        Epoch { from, weights: self.weights, traffic_allocation: self.traffic_allocation }
    }

    /// Whether an epoch has these shares. Weights that differ by a factor are the same.
    pub fn fit(&self, epoch: &Epoch) -> bool {
        let whole = |weights: &[f64]| weights.iter().sum::<f64>();
        let (ours, theirs) = (whole(&self.weights), whole(&epoch.weights));
        let same = |(a, b): (&f64, &f64)| (a * theirs - b * ours).abs() <= 1e-12 * ours * theirs;
        self.weights.len() == epoch.weights.len()
            && self.weights.iter().zip(&epoch.weights).all(same)
            && self.traffic_allocation.total_cmp(&epoch.traffic_allocation).is_eq()
    }
}

/// The shares that are due: of a canary by its step, of a blue-green experiment by what is live,
/// else by the weights of the variants. The definition has its variants already.
pub fn shares(definition: &ExperimentDefinition, state: &ExperimentState) -> Shares {
    let control = definition.control().unwrap_or(0);
    let arms = definition.variants.len();
    let weights = match definition.kind {
        ExperimentKind::AbTest | ExperimentKind::Multivariate => {
            definition.variants.iter().map(|variant| variant.traffic_weight).collect()
        }
        ExperimentKind::Canary => {
            let share = definition.steps.get(state.step).map_or(0.0, |step| step.traffic);
            let others = arms.saturating_sub(1).max(1) as f64;
            (0..arms).map(|at| if at == control { 100.0 - share } else { share / others }).collect()
        }
        ExperimentKind::BlueGreen => {
            let live = state.live.unwrap_or(control);
            (0..arms).map(|at| if at == live { 1.0 } else { 0.0 }).collect()
        }
    };
    Shares { weights, traffic_allocation: definition.traffic_allocation }
}
