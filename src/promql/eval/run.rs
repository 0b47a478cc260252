//! What all parts of one evaluation share: the source, the limits, the notes.

use std::cell::{Cell, RefCell};

use super::super::annotations::{Annotation, Annotations};
use super::super::answer::{Blame, Options, QueryError};
use super::super::ast::{Expr, VectorSelector};
use super::super::source::{Samples, Selection, SeriesCursor, Source, SourceError};
use super::super::span::Span;
use super::grid::{Grid, StepSeries};
use super::tally::Tally;
use crate::model::{Labels, STALE_NAN, is_stale_nan};

pub(in crate::promql) type Result<T, E = QueryError> = std::result::Result<T, E>;

/// Series of one evaluation, pulled one after the other. Label sets may come more than once as
/// long as their steps do not overlap (see `merge`).
pub(in crate::promql) trait SeriesStream {
    /// Replaces the contents of `out` by the next series, or says that there is none. The buffer
    /// is reused; whoever keeps a series takes it out.
    fn next(&mut self, out: &mut StepSeries) -> Result<bool>;
}

pub(in crate::promql) type Stream<'r> = Box<dyn SeriesStream + 'r>;

/// One evaluation.
pub(in crate::promql) struct Run<'r> {
    pub source: &'r dyn Source,
    pub options: &'r Options,
    /// The first and the last step of the whole query, for `@ start()` and `@ end()`.
    pub bounds: (i64, i64),
    /// The step of the whole query in milliseconds, 0 for an instant.
    pub step_ms: i64,
    pub(super) tally: Tally,
    held: Cell<u64>,
    peak: Cell<u64>,
    read: Cell<u64>,
    /// How many samples each selector read, in the order in which they were opened.
    selectors: RefCell<Vec<(&'r VectorSelector, u64)>>,
    annotations: RefCell<Annotations>,
}

impl<'r> Run<'r> {
    pub(super) fn new(
        source: &'r dyn Source,
        options: &'r Options,
        bounds: (i64, i64),
        step_ms: i64,
    ) -> Self {
        Run {
            source,
            options,
            bounds,
            step_ms,
            tally: Tally::off(),
            held: Cell::new(0),
            peak: Cell::new(0),
            read: Cell::new(0),
            selectors: RefCell::default(),
            annotations: RefCell::default(),
        }
    }

    /// Ends the evaluation if that is wanted.
    pub(in crate::promql) fn check(&self) -> Result<()> {
        self.options.stop.check()
    }

    /// Accounts for samples that are about to be held, until the guard goes.
    pub(in crate::promql) fn hold(&'r self, count: usize) -> Result<Held<'r>> {
        let mut held = Held { run: self, count: 0 };
        held.grow(count)?;
        Ok(held)
    }

    /// Admits the steps of the whole query, and counts samples for them if asked to.
    pub(super) fn begin(&self, grid: Grid) -> Result<Grid> {
        self.admit(grid)?;
        if self.options.count_samples {
            self.tally.begin(grid);
        }
        Ok(grid)
    }

    /// Refuses steps that alone would take more than is allowed, before anything is allocated.
    pub(in crate::promql) fn admit(&self, grid: Grid) -> Result<Grid> {
        self.admit_count(grid.len as u64).map(|()| grid)
    }

    fn admit_count(&self, count: u64) -> Result<()> {
        let total = self.held.get().saturating_add(count);
        self.peak.set(self.peak.get().max(total));
        if total > self.options.max_samples {
            return Err(QueryError::TooManySamples(self.blame()));
        }
        Ok(())
    }

    /// The selector that read most so far; of equals the first.
    fn blame(&self) -> Blame {
        let selectors = self.selectors.borrow();
        let most = selectors.iter().rev().max_by_key(|(_, samples)| *samples);
        let most = most.filter(|(_, samples)| *samples > 0);
        Blame {
            selector: most.map(|(selector, samples)| {
                (Expr::Vector((*selector).clone()).to_string(), *samples)
            }),
            span: most.map_or_else(Span::default, |(selector, _)| selector.span),
            place: None,
            allowed: self.options.max_samples,
        }
    }

    /// Notes something about the result; `span` is where its cause stands.
    pub(in crate::promql) fn note(&self, annotation: Annotation, span: Span) {
        self.annotations.borrow_mut().add(annotation, span);
    }

    pub(super) fn samples(&self) -> (u64, u64) {
        (self.read.get(), self.peak.get())
    }

    /// Warnings and infos so far.
    pub(super) fn annotations(&self) -> Annotations {
        self.annotations.borrow().clone()
    }

    /// Opens a selection for a selector; `info` reads more than what is written in the query.
    pub(super) fn select(
        &'r self,
        selector: Option<&'r VectorSelector>,
        selection: &Selection,
    ) -> Result<Cursor<'r>> {
        let inner = self
            .source
            .select_until(selection, &self.options.stop)
            .map_err(|e| self.source_error(e))?;
        let mut selectors = self.selectors.borrow_mut();
        let number = selector.map(|selector| {
            selectors.push((selector, 0));
            selectors.len() - 1
        });
        Ok(Cursor { run: self, inner, selector: number })
    }

    fn source_error(&self, error: SourceError) -> QueryError {
        match error {
            SourceError::Stopped => self.check().err().unwrap_or(QueryError::Cancelled),
            SourceError::Limit(text) => QueryError::Execution(text),
            SourceError::Storage(text) => QueryError::Storage(text),
        }
    }
}

/// Samples accounted for; gives them back when it goes.
pub(in crate::promql) struct Held<'r> {
    run: &'r Run<'r>,
    count: u64,
}

impl Held<'_> {
    /// Accounts for more.
    pub(in crate::promql) fn grow(&mut self, count: usize) -> Result<()> {
        self.run.admit_count(count as u64)?;
        self.run.held.set(self.run.held.get() + count as u64);
        self.count += count as u64;
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.run.held.set(self.run.held.get().saturating_sub(self.count));
    }
}

/// Reads the series of a selection, and counts.
pub(super) struct Cursor<'r> {
    run: &'r Run<'r>,
    inner: Box<dyn SeriesCursor + 'r>,
    /// Its place among the selectors of the run.
    selector: Option<usize>,
}

impl Cursor<'_> {
    pub(super) fn next(&mut self, samples: &mut Samples) -> Result<Option<Labels>> {
        self.run.check()?;
        let labels = self.inner.next(samples).map_err(|e| self.run.source_error(e))?;
        if labels.is_some() {
            end_stale_histograms(samples);
            let histograms = samples.histograms.iter().flatten().map(|h| h.samples() as u64);
            let count = samples.len() as u64 + histograms.sum::<u64>();
            self.run.read.set(self.run.read.get() + count);
            let mut selectors = self.run.selectors.borrow_mut();
            if let Some((_, read)) = self.selector.and_then(|number| selectors.get_mut(number)) {
                *read += count;
            }
            drop(selectors);
            self.run.admit_count(count)?;
        }
        Ok(labels)
    }
}

/// A histogram whose sum is the staleness marker ends its series like a number that is.
fn end_stale_histograms(samples: &mut Samples) {
    for (value, histogram) in samples.values.iter_mut().zip(&mut samples.histograms) {
        if histogram.as_ref().is_some_and(|histogram| is_stale_nan(histogram.sum)) {
            *value = f64::from_bits(STALE_NAN);
            *histogram = None;
        }
    }
}
