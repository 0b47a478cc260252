//! Looks at results: what is certain by now, which metric guardrails are breached or in doubt.

use std::sync::Arc;

use super::timeline::Point;
use crate::experiments::machine::Breach;
use crate::experiments::{
    GuardrailVerdict, InForce, Progress, Sums, Verdict, advance, analyze, may_step,
};
use crate::model::Timestamp;

/// One look at one experiment.
pub(super) struct Look {
    pub(super) number: u32,
    pub(super) experiment: Arc<InForce>,
    pub(super) sums: Arc<Sums>,
    pub(super) progress: Arc<Progress>,
}

/// What a look came to.
pub(super) struct Judgement {
    pub(super) number: u32,
    pub(super) sums: Arc<Sums>,
    /// What is to be remembered, where it is something new.
    pub(super) progress: Option<Arc<Progress>>,
    pub(super) point: Point,
    pub(super) breaches: Vec<Breach>,
    pub(super) doubt: Option<String>,
}

/// Takes a look. Pure but for the time that it takes: milliseconds.
pub(super) fn judge(look: Look, now: Timestamp) -> Judgement {
    let Look { number, experiment, sums, progress } = look;
    let definition = &experiment.definition;
    let analysis = analyze(definition, &experiment.state, &sums, &progress, now);
    let mut after = Progress::clone(&progress);
    let changed = advance(&mut after, &analysis);
    let found = analysis.guardrails.iter();
    let breached = found.filter(|found| found.verdict == Verdict::Breached);
    let breaches = breached.map(breach).collect();
    let doubt = may_step(&analysis.guardrails, analysis.srm.as_ref()).err();
    Judgement {
        number,
        sums,
        progress: changed.then(|| Arc::new(after)),
        point: Point::of(&analysis),
        breaches,
        doubt,
    }
}

fn breach(found: &GuardrailVerdict) -> Breach {
    Breach {
        guardrail: found.guardrail.clone(),
        variant: Some(found.variant.to_string()),
        reason: found.reason.clone(),
        alert: None,
        action: found.action,
    }
}
