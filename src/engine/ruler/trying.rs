//! Trying a definition: one evaluation now, and nothing is remembered, written or told.

use std::sync::Arc;

use tokio::sync::watch;

use crate::model::{Origin, RuleDefinition, RuleMode, Timestamp};
use crate::rules::{Alert, AlertRule, AlertStates, Evaluation, compile};

use super::Ruler;
use super::asking::{NoResult, ask};
use super::judging::Question;

/// Alerts that a trial shows.
const SHOWN_MAX: usize = 1000;

/// What a definition comes to now.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The rule.
    pub rule: Arc<AlertRule>,
    /// When it was evaluated.
    pub at: Timestamp,
    /// What was found.
    pub evaluation: Evaluation,
    /// The alerts that hold; they would fire once they hold for `for`.
    pub alerts: Vec<Alert>,
}

impl Ruler {
    /// Evaluates a definition once, now, as if it counted.
    ///
    /// # Errors
    ///
    /// It does not compile, or cannot be evaluated; says why.
    pub async fn try_out(&self, definition: &RuleDefinition) -> Result<Trial, String> {
        let mut rule = compile(definition, Origin::Api)?.rule;
        rule.mode = RuleMode::Active;
        let rule = Arc::new(rule);
        let settings = Arc::clone(&self.shared.settings.borrow());
        let at = self.shared.clock.now();
        let question = Question {
            rule: Arc::clone(&rule),
            states: Arc::new(AlertStates::default()),
            at,
            query_offset_ms: settings.rules.query_offset.millis(),
            interval_ms: settings.rules.evaluation_interval.millis(),
            settle_since: None,
            external_url: self.shared.watch.view().external_url().to_owned(),
        };
        // Nobody stops it but the time that queries have.
        let (_running, mut stopped) = watch::channel(false);
        let answer = ask(&self.shared, &mut stopped, move |reader, options| {
            question.answer(reader, options)
        });
        match answer.await {
            Ok(answer) => Ok(Trial {
                rule,
                at,
                alerts: answer.states.active().take(SHOWN_MAX).cloned().collect(),
                evaluation: answer.evaluation,
            }),
            Err(NoResult::Failed(error)) => Err(error),
            Err(NoResult::Stopped) => Err("stopping; try again after the restart".to_owned()),
        }
    }
}
