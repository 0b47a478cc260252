//! What was sent, what waits, and what was given up.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use uuid::Uuid;

use crate::engine::watch::DeliveryFilter;
use crate::model::{Delivery, DeliveryState, Name};

use super::ApiError;
use super::json::success;
use super::objects::paged;
use super::params::Params;
use super::request::blocking;
use super::state::App;

type Answered = Result<Response<Body>, ApiError>;

fn id_of(text: &str) -> Result<Uuid, ApiError> {
    text.parse().map_err(|_| ApiError::bad_data(format!("{text:?} is not the id of a delivery")))
}

/// `POST /api/v1/deliveries/{id}/resend`: a dead one waits again.
pub(super) async fn resend(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    let delivery = app.engine()?.watch.resend(id_of(&id)?).await?;
    Ok(success(&*delivery))
}

/// Deliveries in one page, unless asked for fewer.
const PAGE: usize = 100;
/// Deliveries in one page, at most.
const PAGE_MAX: usize = 1000;

/// `GET /api/v1/deliveries?state=&channel=&limit=&after=`: newest first.
pub(super) async fn list(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = Params::read(request.uri(), request.headers(), &axum::body::Bytes::new())?;
    let state = |text: &str| {
        serde_json::from_value::<DeliveryState>(text.into()).map_err(|_| {
            let expected = "use pending, delivered, dead or superseded";
            ApiError::bad_data(format!("state: {text:?} is no state; {expected}"))
        })
    };
    let channel = params.get("channel").map(Name::new).transpose();
    let filter = DeliveryFilter {
        states: params.all("state").map(state).collect::<Result<_, _>>()?,
        channel: channel.map_err(|error| ApiError::bad_data(format!("channel: {error}")))?,
        before: params.get("after").map(id_of).transpose()?,
        limit: params.limit()?.unwrap_or(PAGE).clamp(1, PAGE_MAX),
    };
    let view = app.engine()?.watch.view();
    let page = blocking(move || view.deliveries(&filter).map_err(ApiError::internal)).await?;
    let shown = |delivery: &Delivery| serde_json::to_value(delivery).map_err(ApiError::internal);
    let items = page.items.iter().map(shown).collect::<Result<Vec<_>, _>>()?;
    Ok(paged(&items, page.next.map(|id| id.to_string().into())))
}
