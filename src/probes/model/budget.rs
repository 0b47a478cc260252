//! How many tokens a check may spend.

/// Tokens spent on one day. Pure: the day comes in.
#[derive(Debug, Default)]
pub(super) struct Budget {
    day: i64,
    spent: u64,
}

impl Budget {
    /// Sets `tokens` aside for a question, before it is asked; false when the day's `limit` does
    /// not leave so many. `day` counts from 1970 in UTC. A clock that goes back gives no new day.
    pub(super) fn reserve(&mut self, day: i64, tokens: u64, limit: u64) -> bool {
        if day > self.day {
            *self = Budget { day, spent: 0 };
        }
        let fits = self.spent.saturating_add(tokens) <= limit;
        if fits {
            self.spent += tokens;
        }
        fits
    }

    /// Corrects a reservation by what was really spent.
    pub(super) fn settle(&mut self, reserved: u64, spent: u64) {
        self.spent = self.spent.saturating_sub(reserved).saturating_add(spent);
    }

    /// Of today.
    pub(super) fn spent(&self) -> u64 {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_tokens_and_the_next_has_new_ones() {
        let mut budget = Budget::default();
        assert!(budget.reserve(20_000, 60, 100));
        assert!(!budget.reserve(20_000, 60, 100));
        budget.settle(60, 10);
        assert_eq!(budget.spent(), 10);
        assert!(budget.reserve(20_000, 90, 100));
        assert!(!budget.reserve(20_000, 1, 100));
        assert!(budget.reserve(20_001, 100, 100));
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_new_tokens() {
        let mut budget = Budget::default();
        assert!(budget.reserve(20_000, 100, 100));
        assert!(!budget.reserve(19_999, 1, 100));
        assert!(!budget.reserve(20_000, 1, 100));
    }
}
