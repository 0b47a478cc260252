//! Which series have a label, as sets of series ids.

use roaring::RoaringBitmap;

/// A set of series ids. Most labels have few series, and a bitmap for each would cost more than
/// the series themselves.
#[derive(Clone, Debug)]
pub(super) enum Postings {
    /// One.
    One(u32),
    /// Up to [`FEW_MAX`], rising.
    Few(Vec<u32>),
    /// More.
    Many(Box<RoaringBitmap>),
}

const FEW_MAX: usize = 32;

impl Postings {
    /// Adds an id.
    pub(super) fn insert(&mut self, id: u32) {
        match self {
            Postings::One(only) if *only == id => {}
            Postings::One(only) => *self = Postings::Few(vec![id.min(*only), id.max(*only)]),
            Postings::Few(ids) => {
                if let Err(place) = ids.binary_search(&id) {
                    if ids.len() < FEW_MAX {
                        ids.insert(place, id);
                    } else {
                        let mut many: RoaringBitmap = ids.iter().copied().collect();
                        many.insert(id);
                        *self = Postings::Many(Box::new(many));
                    }
                }
            }
            Postings::Many(ids) => {
                ids.insert(id);
            }
        }
    }

    /// Removes ids; whether any is left.
    pub(super) fn remove_all(&mut self, gone: &RoaringBitmap) -> bool {
        match self {
            Postings::One(id) => !gone.contains(*id),
            Postings::Few(ids) => {
                ids.retain(|id| !gone.contains(*id));
                !ids.is_empty()
            }
            Postings::Many(ids) => {
                **ids -= gone;
                !ids.is_empty()
            }
        }
    }

    /// How many ids there are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Postings::One(_) => 1,
            Postings::Few(ids) => ids.len() as u64,
            Postings::Many(ids) => ids.len(),
        }
    }

    /// Adds them to a bitmap.
    pub(super) fn union_into(&self, out: &mut RoaringBitmap) {
        match self {
            Postings::One(id) => {
                out.insert(*id);
            }
            Postings::Few(ids) => out.extend(ids.iter().copied()),
            Postings::Many(ids) => *out |= ids.as_ref(),
        }
    }

    /// Those that are also in `other`.
    pub(super) fn intersection(&self, other: &RoaringBitmap) -> RoaringBitmap {
        match self {
            Postings::One(id) => [*id].into_iter().filter(|id| other.contains(*id)).collect(),
            Postings::Few(ids) => ids.iter().copied().filter(|id| other.contains(*id)).collect(),
            Postings::Many(ids) => ids.as_ref() & other,
        }
    }

    /// As a bitmap.
    pub(super) fn to_bitmap(&self) -> RoaringBitmap {
        let mut out = RoaringBitmap::new();
        self.union_into(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_grows_through_all_its_forms() {
        let mut set = Postings::One(50);
        for id in (0..100).rev().chain([50, 3]) {
            set.insert(id);
        }
        assert!(matches!(set, Postings::Many(_)));
        assert_eq!(set.to_bitmap(), (0..100).collect());
        assert!(set.remove_all(&(0..99).collect()));
        assert_eq!(set.to_bitmap(), [99].into_iter().collect());
        assert!(!set.remove_all(&(0..100).collect()));
    }

    #[test]
    fn few_stay_sorted_and_unique() {
        let mut set = Postings::One(5);
        [9, 1, 5, 9].into_iter().for_each(|id| set.insert(id));
        assert!(matches!(&set, Postings::Few(ids) if *ids == [1, 5, 9]));
        assert_eq!(set.intersection(&[5, 7].into_iter().collect()), [5].into_iter().collect());
    }
}
