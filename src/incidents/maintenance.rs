//! Maintenance windows: when one holds, and what it is about.

use std::sync::Arc;

use super::recurrence::{HoldState, Occurrences, Span};
use crate::model::{Labels, MaintenanceWindow, Timestamp};

/// A window whose times can be asked. One without matchers is about everything.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedWindow {
    window: Arc<MaintenanceWindow>,
    times: Occurrences,
}

impl TimedWindow {
    /// Reads its recurrence. Without a start it has always begun, without an end it never ends.
    ///
    /// # Errors
    ///
    /// What is wrong with the recurrence.
    pub fn new(window: impl Into<Arc<MaintenanceWindow>>) -> Result<Self, String> {
        let window = window.into();
        let from = window.starts_at.unwrap_or(Timestamp::MIN);
        let until = window.ends_at.unwrap_or(Timestamp::MAX);
        let times = Occurrences::new(from, until, window.recurrence.as_ref())?;
        Ok(TimedWindow { window, times })
    }

    /// The window.
    pub fn window(&self) -> &MaintenanceWindow {
        &self.window
    }

    /// How it stands.
    pub fn state(&self, now: Timestamp) -> HoldState {
        self.times.state(now)
    }

    /// The occurrence in which it holds now.
    pub fn current(&self, now: Timestamp) -> Option<Span> {
        self.times.at(now)
    }

    /// The occurrence after now.
    pub fn next(&self, now: Timestamp) -> Option<Span> {
        self.times.next(now)
    }

    /// Whether it is about an alert or check with these labels.
    pub fn is_about(&self, labels: &Labels) -> bool {
        self.window.matchers.matches(labels)
    }

    /// All the time within `from` (inclusive) and `until` in which it holds, in order and without
    /// overlaps: what uptime leaves out.
    pub fn intervals(&self, from: Timestamp, until: Timestamp) -> Vec<Span> {
        self.times.within(from, until)
    }
}

/// The time within `from` and `until` in which any of the windows that are about these labels
/// holds, in order and without overlaps.
pub fn intervals_about<'w>(
    windows: impl IntoIterator<Item = &'w TimedWindow>,
    labels: &Labels,
    from: Timestamp,
    until: Timestamp,
) -> Vec<Span> {
    let mut all: Vec<Span> = windows
        .into_iter()
        .filter(|window| window.is_about(labels))
        .flat_map(|window| window.intervals(from, until))
        .collect();
    all.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(all.len());
    for span in all {
        match joined.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn window(json: &str) -> TimedWindow {
        let window: MaintenanceWindow = serde_json::from_str(json).expect(json);
        TimedWindow::new(window).expect("valid")
    }

    #[test]
    fn windows_about_the_same_thing_are_joined() {
        let windows = [
            window(r#"{"name":"a","matchers":["job=x"],"starts_at":100000,"ends_at":200000}"#),
            window(r#"{"name":"b","matchers":[],"starts_at":150000,"ends_at":300000}"#),
            window(r#"{"name":"c","matchers":["job=y"],"starts_at":0,"ends_at":900000}"#),
            window(r#"{"name":"d","matchers":["job=x"],"starts_at":400000,"ends_at":500000}"#),
        ];
        let labels = Labels::from_pairs([("job", "x")]).expect("valid");
        let spans = |from, until| intervals_about(&windows, &labels, at(from), at(until));
        assert_eq!(spans(0, 1000), [(at(100), at(300)), (at(400), at(500))]);
        assert_eq!(spans(250, 420), [(at(250), at(300)), (at(400), at(420))]);
        assert_eq!(spans(300, 400), []);
    }

    #[test]
    fn a_window_that_recurs_needs_no_bounds() {
        // 02:00 UTC each day, one hour.
        let daily = window(
            r#"{"name":"a","matchers":[],"recurrence":{"cron":"0 2 * * *","duration":"1h"}}"#,
        );
        assert_eq!(daily.state(at(7_200)), HoldState::Active);
        assert_eq!(daily.state(at(10_800)), HoldState::Pending);
        assert_eq!(daily.next(at(10_800)), Some((at(93_600), at(97_200))));
        assert_eq!(
            daily.intervals(at(0), at(172_800)),
            [(at(7_200), at(10_800)), (at(93_600), at(97_200)),]
        );
    }
}
