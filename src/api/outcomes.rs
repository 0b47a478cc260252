//! What happened: outcomes in.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde_json::json;

use crate::decode::outcomes::read_outcomes;
use crate::engine::experiments::ledger::LedgerError;
use crate::features::{OutcomeBounds, check_outcome};

use super::ingest::inflate;
use super::json::success;
use super::request::{idempotency_key, read_large};
use super::state::App;
use super::{ApiError, ErrorKind};

/// Outcomes of one request.
const OUTCOMES_MAX: usize = 50_000;
/// Refused outcomes of which an answer says why.
const REFUSED_SHOWN: usize = 20;
/// How far clocks may differ: outcomes later than this are refused, in milliseconds.
const FUTURE_MS_MAX: i64 = 600_000;

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        let message = error.to_string();
        match error {
            LedgerError::UnknownExperiment(_) => ApiError::new(ErrorKind::NotFound, message),
            LedgerError::Busy { .. } => ApiError::new(ErrorKind::TooMany, message).retry_after(1),
            LedgerError::Stopping => ApiError::new(ErrorKind::Unavailable, message).retry_after(5),
            // The cause was logged where it happened.
            LedgerError::Store(_) => ApiError::new(
                ErrorKind::Internal,
                "the write failed and nothing of it is visible; send it again",
            ),
        }
    }
}

/// `POST /api/v1/outcomes`: one, many, or NDJSON. Good ones are kept when others are not; what is
/// answered as accepted is durable.
pub(super) async fn outcomes(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let engine = app.engine()?;
    engine.pipeline.check_open()?;
    let (headers, body) = read_large(&app, request).await?;
    let key = idempotency_key(&headers)?;
    let body = inflate(&app, &headers, body)?;
    let batch = read_outcomes(&body)
        .map_err(|error| ApiError::bad_data(format!("nothing was taken: {error}")))?;
    drop(body);
    if batch.len() > OUTCOMES_MAX {
        return Err(ApiError::bad_data(format!(
            "there are {} outcomes, and one request may have {OUTCOMES_MAX}; send several",
            batch.len()
        )));
    }
    let limits = engine.pipeline.policy();
    let now = app.clock.now();
    let bounds = OutcomeBounds {
        oldest: now.plus_millis(limits.retention.raw_ms.saturating_neg()),
        newest: now.plus_millis(FUTURE_MS_MAX),
    };
    let mut refused = batch.refused;
    let (mut good, mut places) = (Vec::with_capacity(batch.outcomes.len()), Vec::new());
    for (outcome, place) in batch.outcomes.into_iter().zip(batch.places) {
        match check_outcome(&outcome, bounds) {
            Ok(()) => {
                good.push(outcome);
                places.push(place);
            }
            Err(reason) => refused.push((place, reason)),
        }
    }
    let taken = engine.ledger.outcomes(good, key).await?;
    let of_ledger = taken.refused.into_iter();
    refused.extend(of_ledger.map(|(n, reason)| (places.get(n).copied().unwrap_or(n), reason)));
    if refused.is_empty() {
        return Ok(success(&json!({"accepted": taken.accepted, "repeated": taken.repeated})));
    }
    refused.sort_by_key(|(place, _)| *place);
    Err(ApiError::bad_data(refusal(taken.accepted, taken.repeated, &refused)))
}

/// `2 outcomes accepted, 1 repeated, 1 refused: outcome 3: cost: …`. Places count from 0.
fn refusal(accepted: u64, repeated: u64, refused: &[(usize, String)]) -> String {
    let mut text =
        format!("{accepted} outcomes accepted, {repeated} repeated, {} refused: ", refused.len());
    for (n, (place, reason)) in refused.iter().take(REFUSED_SHOWN).enumerate() {
        let between = if n == 0 { "" } else { "; " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{between}outcome {place}: {reason}");
    }
    if refused.len() > REFUSED_SHOWN {
        let _ = write!(text, "; and {} more", refused.len() - REFUSED_SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_was_taken_and_the_first_reasons() {
        let refused = [(3, "cost: is -1".to_owned()), (7, "id: 1 to 256 bytes".to_owned())];
        let expected = "2 outcomes accepted, 1 repeated, 2 refused: outcome 3: cost: is -1; \
                        outcome 7: id: 1 to 256 bytes";
        assert_eq!(refusal(2, 1, &refused), expected);
        let many: Vec<(usize, String)> = (0..30).map(|place| (place, "no".to_owned())).collect();
        assert!(refusal(0, 0, &many).ends_with("outcome 19: no; and 10 more"));
    }
}
