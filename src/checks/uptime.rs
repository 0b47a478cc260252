//! How long a check was how, over any window.

use serde::Serialize;

use crate::model::{CheckStatus, Timestamp};

/// A stretch of time: from its beginning until just before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

/// How a window was spent, in milliseconds. All parts together are the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Uptime {
    /// Healthy. Up.
    pub healthy_ms: i64,
    /// Degraded. Up too: it answered.
    pub degraded_ms: i64,
    /// Unhealthy. Down.
    pub unhealthy_ms: i64,
    /// Nobody can say: not asked yet, our uplink was down, we were. Counts neither way.
    pub unknown_ms: i64,
    /// Left alone. Counts neither way.
    pub paused_ms: i64,
    /// In maintenance, however it was. Counts neither way.
    pub maintenance_ms: i64,
}

impl Uptime {
    /// The share of the known time in which it was up, from 0 to 1: healthy and degraded, of
    /// those and unhealthy. None when nothing is known.
    pub fn ratio(&self) -> Option<f64> {
        let up = self.healthy_ms + self.degraded_ms;
        let known = up + self.unhealthy_ms;
        (known > 0).then(|| up as f64 / known as f64)
    }

    /// The share of the known time in which it was healthy and nothing less.
    pub fn healthy_ratio(&self) -> Option<f64> {
        let known = self.healthy_ms + self.degraded_ms + self.unhealthy_ms;
        (known > 0).then(|| self.healthy_ms as f64 / known as f64)
    }

    fn part(&mut self, status: CheckStatus) -> &mut i64 {
        match status {
            CheckStatus::Healthy => &mut self.healthy_ms,
            CheckStatus::Degraded => &mut self.degraded_ms,
            CheckStatus::Unhealthy => &mut self.unhealthy_ms,
            CheckStatus::Unknown => &mut self.unknown_ms,
            CheckStatus::Paused => &mut self.paused_ms,
        }
    }
}

/// How `window` was spent. `initial` is how the check was when it began (of the last change at or
/// before that; unknown if there is none), `changes` what it became when, in order of time;
/// changes outside of the window are harmless. `maintenance` may overlap and be in any order.
pub fn uptime(
    window: Span,
    initial: CheckStatus,
    changes: impl IntoIterator<Item = (Timestamp, CheckStatus)>,
    maintenance: &[Span],
) -> Uptime {
    let mut out = Uptime::default();
    let maintenance = merged(maintenance, window);
    let mut at = window.from;
    let mut status = initial;
    let end = std::iter::once((window.until, CheckStatus::Unknown));
    for (changed_at, to) in changes.into_iter().chain(end) {
        let until = changed_at.clamp(at, window.until.max(at));
        let left_out: i64 = maintenance
            .iter()
            .map(|span| span.until.min(until).since(span.from.max(at)).max(0))
            .sum();
        out.maintenance_ms += left_out;
        *out.part(status) += until.since(at) - left_out;
        at = until;
        status = to;
    }
    out
}

/// Spans in order, cut to the window, those that touch made one.
fn merged(spans: &[Span], window: Span) -> Vec<Span> {
    let mut sorted: Vec<Span> = spans
        .iter()
        .map(|s| Span { from: s.from.max(window.from), until: s.until.min(window.until) })
        .filter(|span| span.from < span.until)
        .collect();
    sorted.sort_unstable();
    let mut out: Vec<Span> = Vec::with_capacity(sorted.len());
    for span in sorted {
        match out.last_mut() {
            Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
            _ => out.push(span),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use CheckStatus::{Degraded, Healthy, Paused, Unhealthy, Unknown};
    use proptest::prelude::*;

    use super::*;

    fn span(from: i64, until: i64) -> Span {
        Span { from: Timestamp::from_millis(from), until: Timestamp::from_millis(until) }
    }

    fn spent(
        window: (i64, i64),
        initial: CheckStatus,
        changes: &[(i64, CheckStatus)],
        maintenance: &[(i64, i64)],
    ) -> Uptime {
        let maintenance: Vec<Span> = maintenance.iter().map(|(a, b)| span(*a, *b)).collect();
        let changes = changes.iter().map(|(at, status)| (Timestamp::from_millis(*at), *status));
        uptime(span(window.0, window.1), initial, changes, &maintenance)
    }

    #[test]
    fn each_millisecond_is_counted_once() {
        let changes =
            [(200, Degraded), (300, Unhealthy), (350, Unknown), (400, Healthy), (450, Paused)];
        let found = spent((100, 500), Healthy, &changes, &[]);
        let expected = Uptime {
            healthy_ms: 150,
            degraded_ms: 100,
            unhealthy_ms: 50,
            unknown_ms: 50,
            paused_ms: 50,
            maintenance_ms: 0,
        };
        assert_eq!(found, expected);
        // 250 of 300 known; degraded is up.
        assert_eq!(found.ratio(), Some(250.0 / 300.0));
        assert_eq!(found.healthy_ratio(), Some(0.5));
    }

    #[test]
    fn maintenance_is_left_out_of_both_sides() {
        // Down from 100 to 200, of which 150 to 200 is maintenance; two windows overlap.
        let changes = [(100, Unhealthy), (200, Healthy)];
        let found = spent((0, 300), Healthy, &changes, &[(180, 260), (150, 190), (290, 9999)]);
        assert_eq!((found.healthy_ms, found.unhealthy_ms, found.maintenance_ms), (130, 50, 120));
        assert_eq!(found.ratio(), Some(130.0 / 180.0));
    }

    #[test]
    fn nothing_known_is_no_figure() {
        assert_eq!(spent((0, 100), Unknown, &[], &[]).ratio(), None);
        assert_eq!(spent((0, 100), Healthy, &[], &[(0, 100)]).ratio(), None);
        assert_eq!(spent((100, 100), Healthy, &[], &[]).ratio(), None);
        assert_eq!(spent((100, 50), Healthy, &[(70, Unhealthy)], &[]), Uptime::default());
    }

    #[test]
    fn one_second_down_in_a_year_is_seen() {
        let year = 365 * 86_400_000;
        let found = spent((0, year), Healthy, &[(5_000, Unhealthy), (6_000, Healthy)], &[]);
        assert_eq!(found.unhealthy_ms, 1_000);
        assert_eq!(found.ratio(), Some((year - 1_000) as f64 / year as f64));
    }

    fn status() -> impl Strategy<Value = CheckStatus> {
        prop_oneof![Just(Healthy), Just(Degraded), Just(Unhealthy), Just(Unknown), Just(Paused)]
    }

    proptest! {
        /// Against counting every millisecond.
        #[test]
        fn sums_are_those_of_every_millisecond(
            from in 0i64..50, length in 0i64..100, initial in status(),
            mut changes in proptest::collection::vec((-20i64..200, status()), 0..8),
            maintenance in proptest::collection::vec((0i64..150, 0i64..40), 0..4),
        ) {
            changes.sort_by_key(|(at, _)| *at);
            changes.retain(|(at, _)| *at > from);
            let maintenance: Vec<(i64, i64)> =
                maintenance.into_iter().map(|(a, length)| (a, a + length)).collect();
            let found = spent((from, from + length), initial, &changes, &maintenance);
            let mut expected = Uptime::default();
            for ms in from..from + length {
                let last = changes.iter().rfind(|(at, _)| *at <= ms);
                let status = last.map_or(initial, |(_, status)| *status);
                match maintenance.iter().any(|(a, b)| (*a..*b).contains(&ms)) {
                    true => expected.maintenance_ms += 1,
                    false => *expected.part(status) += 1,
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
