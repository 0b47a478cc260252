//! `/federate`: the latest samples as text, for another Prometheus to scrape (`web/federate.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, header};

use crate::decode::exposition::{Escaping, Writer, text_for};
use crate::model::{
    INSTANCE_LABEL, Labels, Matcher, MetricType, Sample, Timestamp, is_histogram_mark, is_stale_nan,
};
use crate::promql::{Hints, Samples, Selection, Source, SourceError, parse_selector};

use super::request::{blocking, header_text, read_params};
use super::state::App;
use super::{ApiError, ErrorKind};

/// `GET /federate?match[]=…`: the latest sample of each series that any of the selectors matches,
/// not older than the lookback. Series that have ended and native histograms, which text cannot
/// say, are left out. Without a selector the text is empty.
pub(super) async fn federate(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let accept = header_text(request.headers(), &header::ACCEPT).to_owned();
    let (version, escaping) = text_for(Some(&accept));
    let params = read_params(&app, request).await?;
    let lists = params
        .all("match[]")
        .map(|text| parse_selector(text).map_err(|error| ApiError::parameter("match[]", error)))
        .collect::<Result<Vec<Vec<Matcher>>, ApiError>>()?;
    let (now, settings) = (app.clock.now(), app.settings.load());
    let start = now.plus_millis(settings.query.lookback_delta.millis().saturating_neg());
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    // It reads like a query, so it waits for a place like one.
    let waiting = app.queries().acquire_owned();
    let Ok(Ok(place)) = tokio::time::timeout(settings.query.timeout.duration(), waiting).await
    else {
        return Err(ApiError::new(
            ErrorKind::Timeout,
            "timed out in the query queue; ask less often or raise query.concurrency",
        ));
    };
    let text = blocking(move || {
        let _place = place;
        let reader = tsdb.reader().map_err(ApiError::internal)?;
        let latest = latest(&reader, lists, start, now).map_err(ApiError::internal)?;
        Ok(write(&latest, escaping))
    })
    .await?;
    let content_type =
        format!("text/plain; version={version}; charset=utf-8; escaping={}", escaping.as_str());
    let mut response = Response::new(Body::from(text));
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    Ok(response)
}

/// The latest samples, by metric name and then by labels.
fn latest(
    source: &dyn Source,
    lists: Vec<Vec<Matcher>>,
    start: Timestamp,
    end: Timestamp,
) -> Result<BTreeMap<(String, Labels), Sample>, SourceError> {
    let mut found = BTreeMap::new();
    let mut samples = Samples::default();
    for matchers in lists {
        let selection = Selection { matchers, start, end, hints: Hints::default() };
        let mut cursor = source.select(&selection)?;
        while let Some(labels) = cursor.next(&mut samples)? {
            let (Some(at), Some(value)) = (samples.times.last(), samples.values.last()) else {
                continue;
            };
            let Some(name) = labels.metric_name() else { continue };
            if !is_stale_nan(*value) && !is_histogram_mark(*value) {
                found.insert((name.to_owned(), labels), Sample::new(*at, *value));
            }
        }
    }
    Ok(found)
}

fn write(latest: &BTreeMap<(String, Labels), Sample>, escaping: Escaping) -> String {
    let mut writer = Writer::new(escaping);
    let mut family = None;
    for ((name, labels), sample) in latest {
        if family != Some(name) {
            family = Some(name);
            // The latest samples of a histogram's series do not belong to one time: Prometheus
            // calls everything untyped here, and so do we.
            writer.family(name, MetricType::Unknown);
        }
        // Said to be empty, so that the scraper does not put our address in its place.
        let without_instance = [(INSTANCE_LABEL, "")];
        let has_instance = labels.get(INSTANCE_LABEL).is_some();
        let extra = if has_instance { &[][..] } else { &without_instance[..] };
        writer.sample(labels, extra, sample.value, sample.at.millis());
    }
    writer.into_text()
}
