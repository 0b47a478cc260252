use std::time::Duration;

use super::*;
use crate::model::{Labels, Timestamp};

#[test]
fn ways_stand_in_the_order_of_their_numbers() {
    for (place, way) in Way::ALL.into_iter().enumerate() {
        assert_eq!(way as usize, place);
    }
}

#[test]
fn everything_counted_is_rendered_as_text() {
    let telemetry = Telemetry::new();
    telemetry.ingested(Way::Json).add(3);
    telemetry.refused.add(["too \"old\"\\"], 2);
    telemetry.http_requests.add(["query", "200"], 1);
    telemetry.queue_samples.set(-4);
    telemetry.commit_duration.observe(Duration::from_micros(700));
    telemetry.commit_duration.observe(Duration::from_secs(9));
    let mut sink = TextSink::default();
    telemetry.render(&mut sink);
    let text = sink.into_text();
    for line in [
        "# TYPE vedette_samples_ingested_total counter\n",
        "vedette_samples_ingested_total{way=\"json\"} 3\n",
        "vedette_samples_refused_total{reason=\"too \\\"old\\\"\\\\\"} 2\n",
        "vedette_http_requests_total{handler=\"query\",code=\"200\"} 1\n",
        "vedette_queue_samples -4\n",
        "vedette_commit_duration_seconds_bucket{le=\"0.0005\"} 0\n",
        "vedette_commit_duration_seconds_bucket{le=\"0.001\"} 1\n",
        "vedette_commit_duration_seconds_bucket{le=\"5.0\"} 1\n",
        "vedette_commit_duration_seconds_bucket{le=\"+Inf\"} 2\n",
        "vedette_commit_duration_seconds_sum 9.0007\n",
        "vedette_commit_duration_seconds_count 2\n",
    ] {
        assert!(text.contains(line), "{line:?} is missing in\n{text}");
    }
}

#[test]
fn rows_are_the_same_numbers_with_the_labels_of_the_collector() {
    let telemetry = Telemetry::new();
    telemetry.ingested(Way::Host).add(7);
    let at = Timestamp::from_millis(5);
    let mut sink = RowSink::new(&[("job", "vedette"), ("instance", "here")]);
    sink.begin(at);
    telemetry.render(&mut sink);
    let Collected { rows, metadata } = sink.finish();
    let expected = Labels::from_pairs([
        ("__name__", "vedette_samples_ingested_total"),
        ("instance", "here"),
        ("job", "vedette"),
        ("way", "host"),
    ])
    .expect("valid");
    let row = rows.iter().find(|row| row.labels == expected).expect("one of them");
    assert_eq!((row.value.as_float(), row.at), (Some(7.0), at));
    assert!(
        metadata
            .iter()
            .any(|(name, facts)| { name == "vedette_series" && facts.kind == MetricType::Gauge })
    );
}

#[test]
fn a_point_that_is_missing_in_a_round_is_ended_once() {
    let mut sink = RowSink::new(&[]);
    let mut round = |millis, points: &[&str]| {
        sink.begin(Timestamp::from_millis(millis));
        sink.family("disk", MetricType::Gauge, "Disks.");
        for device in points {
            sink.point("", &[("device", device)], 1.0);
        }
        let collected = sink.finish();
        let rows: Vec<(String, bool)> = collected
            .rows
            .iter()
            .map(|row| {
                assert_eq!(row.at.millis(), millis);
                (
                    row.labels.to_string(),
                    row.value.as_float().is_some_and(crate::model::is_stale_nan),
                )
            })
            .collect();
        (rows, collected.metadata.len())
    };
    let (a, b) = ("disk{device=\"a\"}".to_owned(), "disk{device=\"b\"}".to_owned());
    assert_eq!(round(1, &["a", "b"]), (vec![(a.clone(), false), (b.clone(), false)], 1));
    assert_eq!(round(2, &["b", "b"]), (vec![(b.clone(), false), (a.clone(), true)], 0));
    assert_eq!(round(3, &["b"]), (vec![(b.clone(), false)], 0));
    assert_eq!(round(4, &[]), (vec![(b, true)], 0));
}

#[test]
fn a_labeled_counter_keeps_a_bounded_number_of_children() {
    let counter = LabeledCounter::new(["code"]);
    for n in 0..2000 {
        counter.add([&n.to_string()], 1);
    }
    assert_eq!(counter.children(), 513);
    assert_eq!(counter.get(["other"]), 2000 - 512);
}

#[test]
fn a_counter_that_shows_up_later_is_said_to_have_begun_at_nothing() {
    let mut sink = RowSink::new(&[]);
    let mut round = |millis, points: &[(&str, f64)]| -> Vec<(i64, String, f64)> {
        sink.begin(Timestamp::from_millis(millis));
        sink.family("lines_total", MetricType::Counter, "Lines.");
        for (level, count) in points {
            sink.point("", &[("level", level)], *count);
        }
        let rows = if points.is_empty() {
            sink.end(Timestamp::from_millis(millis))
        } else {
            sink.finish()
        }
        .rows;
        rows.iter()
            .map(|row| {
                let level = row.labels.get("level").unwrap_or_default().to_owned();
                (row.at.millis(), level, row.value.as_float().unwrap_or(f64::NAN))
            })
            .collect()
    };
    let (a, b) = ("a".to_owned(), "b".to_owned());
    // What is there at first may have been there for long.
    assert_eq!(round(10, &[("a", 7.0)]), [(10, a.clone(), 7.0)]);
    assert_eq!(
        round(20, &[("a", 8.0), ("b", 3.0)]),
        [(20, a.clone(), 8.0), (19, b.clone(), 0.0), (20, b.clone(), 3.0)]
    );
    assert_eq!(round(30, &[("a", 8.0), ("b", 4.0)]), [(30, a.clone(), 8.0), (30, b, 4.0)]);
    // Switched off and on again.
    assert_eq!(round(40, &[]).len(), 2);
    assert_eq!(round(50, &[("a", 9.0)]), [(50, a, 9.0)]);
}
