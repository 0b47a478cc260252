//! What Debian's Prometheus 2.42 does otherwise than Prometheus 3: the one list of what this
//! comparison forgives, or keeps away from, and why.
//!
//! Kept away from, by the data and the queries:
//! - Windows and lookback are open at the left in 3 and closed in 2.42: no sample and no step of
//!   a subquery stands on an edge (`data::PHASE_MS`, `offset 500ms` inside of subqueries).
//! - `rate`, `increase` and `delta` in 2.42 limit the extrapolation of a counter towards zero
//!   before they look at the distance of the samples, 3 afterwards: a counter with gaps is never
//!   near zero, and none is taken of a subquery.
//! - `sum`, `avg` and `avg_over_time` compensate rounding in 3 and not, or otherwise, in 2.42:
//!   they are compared to 1e-9, and only by what does not make small differences greater. All
//!   else is compared to the last bit.
//! - Regular expressions match newlines with `.` in 3: no label has one.
//! - Label names may be any UTF-8 in 3: all are plain here.
//! - Which of equal values `topk` lets through is nowhere said: there are none.
//! - Warnings and infos are new in 3 and not compared.

use super::compare::Difference;
use super::differential::Case;

/// One difference that 3 made on purpose.
pub(crate) struct Known {
    pub(crate) reason: &'static str,
    pub(crate) holds: fn(&Case, &Difference) -> bool,
}

pub(crate) const KNOWN: &[Known] = &[
    Known {
        reason: "the deviation of a single infinity or NaN is NaN in 3 and 0 in 2.42",
        holds: |case, difference| {
            let query = case.ours();
            (query.contains("stddev") || query.contains("stdvar"))
                && matches!(difference, Difference::Value { ours, theirs, .. }
                    if ours.is_nan() && *theirs == 0.0)
        },
    },
    Known {
        reason: "since 2.50 a range fixed by `@` stays where it is under `predict_linear` \
                 (prometheus/prometheus#11708); before, it moved with the steps of a range query",
        holds: |case, difference| {
            let query = case.ours();
            let fixed = query.contains("predict_linear(") && query.contains(" @ ");
            // The steps of a subquery move it as well.
            let moves = case.is_range() || query.contains("[") && query.contains(":");
            moves && fixed && !matches!(difference, Difference::Failed { .. })
        },
    },
    Known {
        reason: "a duration is a number in 3, and may be computed, in brackets and offsets too",
        holds: |case, difference| {
            let Difference::Failed { ours, theirs: Some(theirs) } = difference else {
                return false;
            };
            let ours = ours.as_deref().unwrap_or("");
            // An argument may be a duration: then no comma before it is a trailing one.
            let after_comma = case.ours().split(',').skip(1).any(|rest| {
                let rest = rest.trim_start();
                let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                digits.len() < rest.len() && digits.starts_with(['s', 'm', 'h', 'd', 'w', 'y'])
            });
            (after_comma && theirs.contains("trailing commas"))
                || ours.replace("number, duration, step(), or range()", "duration") == *theirs
                || theirs.contains("in offset, expected duration")
                || theirs.contains("in subquery selector, expected")
                || theirs.contains("in subquery or range, expected \":\" or \"]\"")
                || ["unexpected duration", "unit character in duration", "bad duration syntax"]
                    .iter()
                    .any(|words| theirs.contains(words))
                || ours.contains("duration expression")
                || (case.ours().contains('[') && theirs.contains("unexpected colon"))
        },
    },
    Known {
        reason: "labels may be called anything in 3, `a:b` too",
        holds: |_, difference| {
            matches!(difference, Difference::Failed { theirs: Some(theirs), .. }
                if theirs.contains("unexpected metric identifier")
                    && theirs.contains("in grouping opts, expected label"))
        },
    },
    Known {
        reason: "a pair that a comparison filters out counts as a match in 3 (registered before \
                 the filter since `VectorBinop` knows `fill`), so that two of them are a mistake",
        holds: |case, difference| {
            let query = case.ours();
            matches!(difference, Difference::Failed { ours: Some(ours), .. }
                if ours.contains("multiple matches for labels"))
                && ["==", "!=", "<", ">"].iter().any(|op| query.contains(op))
        },
    },
    Known {
        reason: "3 finds no place in an empty query (`posrange.StartPosInput`), 2.42 the first",
        holds: |case, difference| {
            case.ours().is_empty()
                && matches!(difference, Difference::Failed { ours: Some(ours), theirs: Some(theirs) }
                    if theirs.replace(" 1:1:", " unknown position:") == *ours)
        },
    },
    Known {
        reason: "start() and end() are functions in the newest 3",
        holds: |case, difference| {
            let query = case.ours();
            (query.contains("start(") || query.contains("end("))
                && matches!(difference, Difference::Failed { theirs: Some(theirs), .. }
                    if theirs.contains("unexpected \"(\""))
        },
    },
    Known {
        reason: "3 knows `1_000`, and takes an exponent or a second dot for part of a number",
        holds: |_, difference| {
            matches!(difference, Difference::Failed { ours: Some(ours), theirs: Some(theirs) }
            if [ours, theirs].iter().any(|error| {
                ["bad number or duration syntax", "error parsing number"]
                    .iter()
                    .any(|words| error.contains(words))
            }))
        },
    },
    Known {
        reason: "3 knows the name of the token `@`",
        holds: |_, difference| {
            matches!(difference, Difference::Failed { ours: Some(ours), theirs: Some(theirs) }
                if theirs.replace("\"<Item 57385>\" ", "") == *ours)
        },
    },
    Known {
        reason: "names may be quoted within braces in 3",
        holds: |_, difference| {
            matches!(difference, Difference::Failed { theirs: Some(theirs), .. }
                if theirs.contains("unexpected string")
                    && (theirs.contains("expected identifier") || theirs.contains("expected label")))
        },
    },
    Known {
        reason: "where several parts of a query fail, or several steps do, it is nowhere said which \
                 is told: ours reads one side of an operator after the other and step by step \
                 only within series",
        holds: |case, difference| {
            let Difference::Failed { ours: Some(ours), theirs: Some(theirs) } = difference else {
                return false;
            };
            let both_failed = [ours, theirs].iter().all(|error| error.starts_with("execution: "));
            both_failed && (case.mistakes() > 1 || case.is_range())
        },
    },
    Known {
        reason: "a sum that is infinite has no compensation in 3; in 2.42 the compensation was NaN \
                 and so was the line through the samples",
        holds: |case, difference| {
            let query = case.ours();
            (query.contains("predict_linear(") || query.contains("deriv("))
                && matches!(difference, Difference::Value { ours, theirs, .. }
                    if theirs.is_nan() && !ours.is_finite())
        },
    },
    Known {
        reason: "3 names the parameter in front of what is wrong with the query of a range query \
                 too, as both do for instant queries",
        holds: |case, difference| {
            let Difference::Failed { ours: Some(ours), theirs: Some(theirs) } = difference else {
                return false;
            };
            case.is_range()
                && ours.replace("bad_data: invalid parameter \"query\": ", "bad_data: ") == *theirs
        },
    },
];

/// The name that 2.42 has for a function of 3, made as long, so that errors have the same places.
pub(crate) const RENAMED: &[(&str, &str)] =
    &[("double_exponential_smoothing", "                holt_winters")];

/// Why a difference is fine, if it is.
pub(crate) fn reason(case: &Case, difference: &Difference) -> Option<&'static str> {
    KNOWN.iter().find(|known| (known.holds)(case, difference)).map(|known| known.reason)
}
