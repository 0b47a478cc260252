//! Results of experiments over HTTP, the log of exposures, and forgetting a unit.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::experiments::ledger::{EXPOSURES_PAGE_MAX, ExposureFilter};
use crate::experiments::check_unit;
use crate::experiments::machine::Act;
use crate::model::{ResultEntry, Timestamp};

use super::in_force;
use crate::api::ApiError;
use crate::api::auth::Caller;
use crate::api::ingest::inflate;
use crate::api::json::success;
use crate::api::objects::paged;
use crate::api::params::Params;
use crate::api::request::{blocking, idempotency_key, read_large};
use crate::api::state::App;

type Answered = Result<Response<Body>, ApiError>;

/// Results of one request.
const RESULTS_MAX: usize = 50_000;
/// Refused results of which an answer says why.
const REFUSED_SHOWN: usize = 20;
/// Exposures in one page, unless asked for another number.
const PAGE: usize = 100;

/// `POST /api/v1/experiments/{name}/results`: `{"results":[…]}`, one result, an array of results,
/// or one of these per line (NDJSON). Good ones are kept when others are not; what is answered as
/// accepted is durable.
pub(super) async fn results(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let engine = app.engine()?;
    engine.pipeline.check_open()?;
    let experiment = in_force(&app, &name)?;
    let (headers, body) = read_large(&app, request).await?;
    let key = idempotency_key(&headers)?;
    let body = inflate(&app, &headers, body)?;
    let read = read_results(&body)
        .map_err(|error| ApiError::bad_data(format!("nothing was taken: {error}")))?;
    drop(body);
    let count = read.entries.len() + read.refused.len();
    if count > RESULTS_MAX {
        return Err(ApiError::bad_data(format!(
            "there are {count} results, and one request may have {RESULTS_MAX}; send several"
        )));
    }
    let taken = engine.ledger.results(&experiment.definition.name, read.entries, key).await?;
    let mut refused = read.refused;
    let places = &read.places;
    let of_ledger = taken.refused.into_iter();
    refused.extend(of_ledger.map(|(n, reason)| (places.get(n).copied().unwrap_or(n), reason)));
    if refused.is_empty() {
        return Ok(success(&json!({
            "accepted": taken.accepted,
            "repeated": taken.repeated,
            "left_out": taken.left_out,
        })));
    }
    refused.sort_by_key(|(place, _)| *place);
    Err(ApiError::bad_data(refusal([taken.accepted, taken.repeated, taken.left_out], &refused)))
}

/// `2 results accepted, 1 repeated, 0 left out, 1 refused: result 3: value: …`. Places count
/// from 0.
fn refusal([accepted, repeated, left_out]: [u64; 3], refused: &[(usize, String)]) -> String {
    let mut text = format!(
        "{accepted} results accepted, {repeated} repeated, {left_out} left out, {} refused: ",
        refused.len()
    );
    for (n, (place, reason)) in refused.iter().take(REFUSED_SHOWN).enumerate() {
        let between = if n == 0 { "" } else { "; " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{between}result {place}: {reason}");
    }
    if refused.len() > REFUSED_SHOWN {
        let _ = write!(text, "; and {} more", refused.len() - REFUSED_SHOWN);
    }
    text
}

/// What was in a body, in its order.
#[derive(Debug, Default)]
struct Read {
    entries: Vec<ResultEntry>,
    /// Their places among all that the body has, counted from 0.
    places: Vec<usize>,
    /// Those of another form, by their place, and why.
    refused: Vec<(usize, String)>,
}

impl Read {
    fn push(&mut self, value: Value) {
        let place = self.entries.len() + self.refused.len();
        match ResultEntry::deserialize(value) {
            Ok(entry) => {
                self.entries.push(entry);
                self.places.push(place);
            }
            Err(error) => self.refused.push((place, error.to_string())),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    results: Vec<ResultEntry>,
}

fn read_results(body: &[u8]) -> Result<Read, String> {
    // The usual case in one go: a tree of values in between would take half of the time.
    if let Ok(Whole { results }) = serde_json::from_slice(body) {
        let places = (0..results.len()).collect();
        return Ok(Read { entries: results, places, refused: Vec::new() });
    }
    let mut read = Read::default();
    for document in serde_json::Deserializer::from_slice(body).into_iter::<Value>() {
        let document = document.map_err(|error| {
            format!("line {}, column {}: {error}", error.line(), error.column())
        })?;
        match document {
            Value::Array(all) => all.into_iter().for_each(|one| read.push(one)),
            Value::Object(mut object) => match object.remove("results") {
                Some(Value::Array(all)) if object.is_empty() => {
                    all.into_iter().for_each(|one| read.push(one));
                }
                Some(other) => {
                    // Whatever it is, `results` is no field of a result: the error says so.
                    object.insert("results".to_owned(), other);
                    read.push(Value::Object(object));
                }
                None => read.push(Value::Object(object)),
            },
            _ => {
                return Err("expected a result like {\"unit\":\"user-17\",\"variant\":\"new\",\
                     \"metric\":\"converted\",\"value\":1}, an array of such, or \
                     {\"results\":[…]}"
                    .to_owned());
            }
        }
    }
    Ok(read)
}

/// A unit as answers show it.
fn unit_hash(hash: u64) -> String {
    format!("{hash:016x}")
}

/// `GET /api/v1/experiments/{name}/exposures?variant=&unit=&before=&limit=`: first exposures, the
/// newest first. Units are shown by their hash, as their ids are not kept; `unit` looks for one.
pub(super) async fn exposures(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let experiment = in_force(&app, &name)?;
    let params = Params::read(request.uri(), request.headers(), &Bytes::new())?;
    let definition = &experiment.definition;
    let variant = params.get("variant").map(|variant| match definition.variant(variant) {
        Some(place) => Ok(place as u16),
        None => Err(ApiError::parameter("variant", format!("{variant:?} is no variant"))),
    });
    let before = params.get("before").map(|before| {
        let read = serde_json::from_value::<Timestamp>(match before.parse::<i64>() {
            Ok(millis) => millis.into(),
            Err(_) => before.into(),
        });
        read.map_err(|error| ApiError::parameter("before", error))
    });
    let limit = params.limit()?.unwrap_or(PAGE).clamp(1, EXPOSURES_PAGE_MAX);
    let filter = ExposureFilter {
        variant: variant.transpose()?,
        unit: params.get("unit").map(str::to_owned),
        before: before.transpose()?,
        limit,
    };
    let (ledger, number) = (app.engine()?.ledger.clone(), experiment.state.number);
    let found = blocking(move || Ok(ledger.exposures(number, &filter)?)).await?;
    let items: Vec<Value> = found
        .iter()
        .map(|logged| {
            let variant = definition.variants.get(usize::from(logged.exposure.variant));
            json!({
                "unit_hash": unit_hash(logged.unit),
                "variant": variant.map(|variant| variant.name.as_str()),
                "epoch": logged.exposure.epoch,
                "at": logged.exposure.at,
                "excluded": logged.exposure.excluded,
            })
        })
        .collect();
    // Those of the same millisecond as the last may be left out of the next page.
    let next = (items.len() == limit).then(|| found.last().map(|last| json!(last.exposure.at)));
    Ok(paged(&items, next.flatten()))
}

/// `DELETE /api/v1/experiments/{name}/units/{unit}`: takes all that is known of a unit out,
/// exactly.
pub(super) async fn forget(
    State(app): State<Arc<App>>,
    Path((name, unit)): Path<(String, String)>,
    request: Request,
) -> Answered {
    let experiment = in_force(&app, &name)?;
    check_unit(&unit).map_err(ApiError::bad_data)?;
    let (engine, number) = (app.engine()?, experiment.state.number);
    let ledger = engine.ledger.clone();
    let filter = ExposureFilter { unit: Some(unit.clone()), limit: 1, ..ExposureFilter::default() };
    let logged = blocking(move || Ok(ledger.exposures(number, &filter)?)).await?;
    let Some(logged) = logged.first() else {
        return Ok(success(&json!({ "was_known": false })));
    };
    // The audit comes first: no end of the process leaves a deletion without its entry.
    let by = request.extensions().get::<Caller>().map_or("", |caller| &caller.name);
    let forget = Act::Forget { unit: unit_hash(logged.unit) };
    engine.experiments.act(&name, forget, by, "").await?;
    let was_known = engine.ledger.forget(number, &unit).await?;
    Ok(success(&json!({ "was_known": was_known })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(body: &str) -> Vec<String> {
        let read = read_results(body.as_bytes()).expect("readable");
        assert!(read.refused.is_empty(), "{:?}", read.refused);
        read.entries.into_iter().map(|entry| entry.metric).collect()
    }

    #[test]
    fn results_come_in_four_shapes() {
        assert_eq!(metrics(r#"{"metric":"a","value":1}"#), ["a"]);
        assert_eq!(metrics(r#"[{"metric":"a"},{"metric":"b"}]"#), ["a", "b"]);
        assert_eq!(metrics(r#"{"results":[{"metric":"a"},{"metric":"b"}]}"#), ["a", "b"]);
        assert_eq!(
            metrics("{\"metric\":\"a\"}\n{\"metric\":\"b\"}\n{\"results\":[{\"metric\":\"c\"}]}"),
            ["a", "b", "c"]
        );
        assert_eq!(metrics(""), [""; 0]);
    }

    #[test]
    fn a_result_of_another_form_does_not_keep_the_others_out() {
        let body = r#"{"results":[{"metric":"a"},{"metric":"b","vlaue":1},{"metric":"c"}]}"#;
        let read = read_results(body.as_bytes()).expect("readable");
        assert_eq!(read.places, [0, 2]);
        assert_eq!(read.refused[0].0, 1);
        assert!(read.refused[0].1.contains("vlaue"), "{:?}", read.refused);
        assert!(read_results(b"7").is_err());
        assert!(read_results(b"{").is_err());
        let said = refusal([2, 0, 1], &read.refused);
        assert!(
            said.starts_with("2 results accepted, 0 repeated, 1 left out, 1 refused: result 1")
        );
    }
}
