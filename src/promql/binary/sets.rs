//! `and`, `or`, `unless`: by which steps the other side has a match.

use hashbrown::HashMap;

use super::super::ast::{Binary, BinaryOp};
use super::super::eval::{
    ABSENT, Grid, Held, Result, Run, SeriesStream, StepSeries, Stream, is_absent,
};
use super::super::signature::{Signature, Steps};
use super::join::signature_of;

pub(super) fn open<'r>(
    run: &'r Run<'r>,
    binary: &Binary,
    lhs: Stream<'r>,
    mut rhs: Stream<'r>,
    grid: Grid,
) -> Result<Stream<'r>> {
    let mut present = Presence {
        signature: signature_of(binary),
        steps: HashMap::new(),
        key: Vec::new(),
        held: run.hold(0)?,
        len: grid.len,
    };
    let keep_present = match binary.op {
        BinaryOp::Or => {
            return Ok(Box::new(Either { lhs: Some(lhs), rhs, present }));
        }
        BinaryOp::And => true,
        _ => false,
    };
    let mut series = StepSeries::default();
    while rhs.next(&mut series)? {
        present.add(&series)?;
    }
    Ok(Box::new(Masked { inner: lhs, present, keep_present }))
}

/// At which steps each signature was seen.
struct Presence<'r> {
    signature: Signature,
    steps: HashMap<Vec<u8>, Steps>,
    key: Vec<u8>,
    held: Held<'r>,
    len: usize,
}

impl Presence<'_> {
    fn add(&mut self, series: &StepSeries) -> Result<()> {
        self.signature.write(&series.labels, &mut self.key);
        if !self.steps.contains_key(self.key.as_slice()) {
            self.held.grow(self.len.div_ceil(64))?;
        }
        let steps =
            self.steps.entry_ref(self.key.as_slice()).or_insert_with(|| Steps::none(self.len));
        for (step, value) in series.values.iter().enumerate() {
            if !is_absent(*value) {
                steps.add(step);
            }
        }
        Ok(())
    }

    /// Takes away the values at steps where the signature was seen, or those where it was not.
    fn mask(&mut self, series: &mut StepSeries, keep_present: bool) {
        self.signature.write(&series.labels, &mut self.key);
        let steps = self.steps.get(self.key.as_slice());
        for (step, value) in series.values.iter_mut().enumerate() {
            if steps.is_some_and(|s| s.has(step)) != keep_present {
                *value = ABSENT;
            }
        }
    }
}

struct Masked<'r> {
    inner: Stream<'r>,
    present: Presence<'r>,
    keep_present: bool,
}

impl SeriesStream for Masked<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        if !self.inner.next(out)? {
            return Ok(false);
        }
        self.present.mask(out, self.keep_present);
        Ok(true)
    }
}

/// Everything from the left, then from the right what had no match.
struct Either<'r> {
    lhs: Option<Stream<'r>>,
    rhs: Stream<'r>,
    present: Presence<'r>,
}

impl SeriesStream for Either<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        if let Some(lhs) = &mut self.lhs {
            if lhs.next(out)? {
                self.present.add(out)?;
                return Ok(true);
            }
            self.lhs = None;
        }
        if !self.rhs.next(out)? {
            return Ok(false);
        }
        self.present.mask(out, false);
        Ok(true)
    }
}
