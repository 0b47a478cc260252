//! The timeline of estimates, for the chart: bounded however long an experiment runs.

use serde::{Deserialize, Serialize};

use crate::experiments::{Analysis, EstimatePoint, points};
use crate::model::Timestamp;

/// Points of one timeline. When there are more, every second one goes and they come half as often.
pub(super) const POINTS_MAX: usize = 512;
/// How far apart points are at first, in milliseconds.
pub(super) const SPACING_MS: i64 = 60_000;

/// What was estimated at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// Exposed units.
    pub total_samples: u64,
    /// By metric and variant.
    pub estimates: Vec<EstimatePoint>,
}

impl Point {
    /// What an analysis says, in short.
    pub(super) fn of(analysis: &Analysis) -> Point {
        Point {
            at: analysis.at,
            total_samples: analysis.total_samples,
            estimates: points(analysis),
        }
    }
}

/// When a timeline has points, and when the next one is due.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Timeline {
    points: Vec<Timestamp>,
    spacing_ms: i64,
}

impl Timeline {
    /// As the file has it.
    pub(super) fn new(points: Vec<Timestamp>, spacing_ms: i64) -> Self {
        Timeline { points, spacing_ms: spacing_ms.max(SPACING_MS) }
    }

    pub(super) fn spacing_ms(&self) -> i64 {
        self.spacing_ms
    }

    /// Whether a point is due.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.points.last().is_none_or(|last| now.since(*last) >= self.spacing_ms)
    }

    /// Takes a point up, and gives those that go for it.
    pub(super) fn add(&mut self, at: Timestamp) -> Vec<Timestamp> {
        self.points.push(at);
        if self.points.len() <= POINTS_MAX {
            return Vec::new();
        }
        self.spacing_ms = self.spacing_ms.saturating_mul(2);
        let odd = |place: &usize| place % 2 == 1;
        let gone = (0..self.points.len()).filter(odd).map(|place| self.points[place]).collect();
        let mut place = 0;
        self.points.retain(|_| {
            place += 1;
            place % 2 == 1
        });
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_bounded_and_its_points_stay_evenly_spread() {
        let mut timeline = Timeline::new(Vec::new(), 0);
        let mut kept = Vec::new();
        let mut now = Timestamp::from_millis(0);
        for _ in 0..100_000 {
            if timeline.is_due(now) {
                kept.push(now);
                let gone = timeline.add(now);
                kept.retain(|at| !gone.contains(at));
                assert!(kept.len() <= POINTS_MAX);
            }
            now = now.plus_millis(30_000);
        }
        assert_eq!(kept, timeline.points);
        assert_eq!(kept[0], Timestamp::from_millis(0), "the beginning stays");
        let gaps: Vec<i64> = kept.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        let (least, most) = (gaps.iter().min(), gaps.iter().max());
        assert!(most.copied().unwrap_or(0) <= 2 * least.copied().unwrap_or(0), "{gaps:?}");
        assert!(kept.len() > POINTS_MAX / 2 - 2, "{}", kept.len());
    }
}
