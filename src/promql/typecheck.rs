//! Checks that the parts of an expression fit together. Order and wording are those of
//! `checkAST` in `promql/parser/parse.go`: the first mistake is the one that is told.

use crate::model::METRIC_NAME;

use super::ast::{
    Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, ValueType, VectorSelector,
};
use super::quote::quote;
use super::span::{ParseError, Span};

/// Checks an expression and everything inside. Forgets the matching of operators that do not
/// stand between vectors, and marks that of set operators as many-to-many.
pub(super) fn check(text: &str, expr: &mut Expr) -> Result<(), ParseError> {
    Checker { text }.expr(expr).map(|_| ())
}

/// Checks a selector that stands alone.
pub(super) fn check_selector(text: &str, selector: &VectorSelector) -> Result<(), ParseError> {
    Checker { text }.selector(selector)
}

struct Checker<'t> {
    text: &'t str,
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

impl Checker<'_> {
    fn fail<T>(&self, span: Span, message: impl Into<String>) -> Result<T> {
        Err(ParseError::new(self.text, span, message))
    }

    fn expect(&self, expr: &mut Expr, want: ValueType, context: &str) -> Result<()> {
        let found = self.expr(expr)?;
        if found == want {
            return Ok(());
        }
        let (want, found) = (want.documented(), found.documented());
        self.fail(expr.span(), format!("expected type {want} in {context}, got {found}"))
    }

    fn expr(&self, expr: &mut Expr) -> Result<ValueType> {
        match expr {
            Expr::Number(_) | Expr::String(_) => {}
            Expr::Vector(selector) => self.selector(selector)?,
            Expr::Matrix(matrix) => self.selector(&matrix.selector)?,
            Expr::Subquery(subquery) => {
                let found = self.expr(&mut subquery.expr)?;
                if found != ValueType::Vector {
                    let found = found.as_str();
                    let message =
                        format!("subquery is only allowed on instant vector, got {found} instead");
                    return self.fail(subquery.span, message);
                }
            }
            Expr::Aggregate(aggregate) => self.aggregate(aggregate)?,
            Expr::Binary(binary) => self.binary(binary)?,
            Expr::Call(call) => self.call(call)?,
            Expr::Paren(paren) => {
                self.expr(&mut paren.expr)?;
            }
            Expr::Unary(unary) => {
                let found = self.expr(&mut unary.expr)?;
                if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                    let found = quote(found.documented());
                    let message = format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got {found}"
                    );
                    return self.fail(unary.span, message);
                }
            }
        }
        Ok(expr.value_type())
    }

    fn selector(&self, selector: &VectorSelector) -> Result<()> {
        let Some(name) = &selector.name else {
            if !selector.may_match_anything && selector.matchers.iter().all(|m| m.matches("")) {
                let message = "vector selector must contain at least one non-empty matcher";
                return self.fail(selector.span, message);
            }
            return Ok(());
        };
        let others = selector.matchers.len().saturating_sub(1);
        match selector.matchers.iter().take(others).find(|m| m.name() == METRIC_NAME) {
            Some(second) => {
                let (name, second) = (quote(name), quote(second.value()));
                let message = format!("metric name must not be set twice: {name} or {second}");
                self.fail(selector.span, message)
            }
            None => Ok(()),
        }
    }

    fn aggregate(&self, aggregate: &mut Aggregate) -> Result<()> {
        self.expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression")?;
        let wanted = match aggregate.op {
            AggregateOp::CountValues => ValueType::String,
            _ => ValueType::Scalar,
        };
        match &mut aggregate.param {
            Some(param) => self.expect(param, wanted, "aggregation parameter"),
            None => Ok(()),
        }
    }

    fn binary(&self, binary: &mut Binary) -> Result<()> {
        let left = self.expr(&mut binary.lhs)?;
        let right = self.expr(&mut binary.rhs)?;
        let op = binary.op;
        let whole = binary.lhs.span().to(binary.rhs.span());
        let operator = self.operator_span(binary);
        if binary.return_bool && !op.is_comparison() {
            let message = "bool modifier can only be used on comparison operators";
            return self.fail(operator, message);
        }
        let scalars = left == ValueType::Scalar && right == ValueType::Scalar;
        if op.is_comparison() && !binary.return_bool && scalars {
            return self.fail(operator, "comparisons between scalars must use BOOL modifier");
        }
        if let Some(matching) = &mut binary.matching {
            if op.is_set() && matching.cardinality == Cardinality::OneToOne {
                matching.cardinality = Cardinality::ManyToMany;
            }
            let twice = matching.labels.iter().find(|label| matching.include.contains(label));
            if let (true, Some(label)) = (matching.on, twice) {
                let label = quote(label);
                let message =
                    format!("label {label} must not occur in ON and GROUP clause at once");
                return self.fail(operator, message);
            }
        }
        for (operand, found) in [(&binary.lhs, left), (&binary.rhs, right)] {
            if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                let message = "binary expression must contain only scalar and instant vector types";
                return self.fail(operand.span(), message);
            }
        }
        let fills = binary
            .matching
            .as_ref()
            .is_some_and(|m| m.fill_left.is_some() || m.fill_right.is_some());
        let vectors = left == ValueType::Vector && right == ValueType::Vector;
        let name = quote(op.as_str());
        if !vectors {
            if binary.matching.as_ref().is_some_and(|m| !m.labels.is_empty()) {
                let message = "vector matching only allowed between instant vectors";
                return self.fail(whole, message);
            }
            if fills {
                let message = "filling in missing series only allowed between instant vectors";
                return self.fail(whole, message);
            }
            binary.matching = None;
            if op.is_set() {
                let message =
                    format!("set operator {name} not allowed in binary scalar expression");
                return self.fail(whole, message);
            }
        } else if op.is_set() {
            let matching = binary.matching.as_ref();
            if matching.is_some_and(|m| m.cardinality != Cardinality::ManyToMany) {
                return self.fail(whole, format!("no grouping allowed for {name} operation"));
            }
            if fills {
                let message = "filling in missing series not allowed for set operators";
                return self.fail(whole, message);
            }
        }
        Ok(())
    }

    /// The bytes between the operands, blanks at both ends left out.
    fn operator_span(&self, binary: &Binary) -> Span {
        let (start, end) = (binary.lhs.span().end, binary.rhs.span().start);
        let between = self.text.get(start..end).unwrap_or("");
        let skipped = between.len() - between.trim_start().len();
        Span::new(start + skipped, start + between.trim_end().len().max(skipped))
    }

    fn call(&self, call: &mut Call) -> Result<()> {
        let function = call.function;
        let (wanted, found) = (function.args.len(), call.args.len());
        let name = quote(function.name);
        if function.variadic == 0 {
            if wanted != found {
                let message =
                    format!("expected {wanted} argument(s) in call to {name}, got {found}");
                return self.fail(call.span, message);
            }
        } else {
            let least = wanted - 1;
            if found < least {
                let message =
                    format!("expected at least {least} argument(s) in call to {name}, got {found}");
                return self.fail(call.span, message);
            }
            let most = usize::try_from(function.variadic).map(|more| least + more);
            if let Some(most) = most.ok().filter(|most| found > *most) {
                let message =
                    format!("expected at most {most} argument(s) in call to {name}, got {found}");
                return self.fail(call.span, message);
            }
        }
        if function.name == "info" {
            self.data_selector(call)?;
        }
        for (place, arg) in call.args.iter_mut().enumerate() {
            let last = function.args.last().copied();
            let Some(want) = function.args.get(place).copied().or(last) else { break };
            let found = self.expr(arg)?;
            if found != want {
                let (want, found) = (want.documented(), found.documented());
                let message =
                    format!("expected type {want} in call to function {name}, got {found}");
                return self.fail(arg.span(), message);
            }
        }
        Ok(())
    }

    /// The second argument of `info` is a selector of labels alone, which may match anything.
    fn data_selector(&self, call: &mut Call) -> Result<()> {
        let span = call.span;
        let Some(arg) = call.args.get_mut(1) else { return Ok(()) };
        let found = arg.value_type();
        if found != ValueType::Vector {
            let (want, found) = (ValueType::Vector.documented(), found.documented());
            let message = format!("expected type {want} in call to function \"info\", got {found}");
            return self.fail(span, message);
        }
        match arg {
            Expr::Vector(selector) if selector.name.is_none() => {
                selector.may_match_anything = true;
                Ok(())
            }
            Expr::Vector(selector) => {
                let message = "expected label selectors only, got vector selector instead";
                self.fail(selector.span, message)
            }
            other => self.fail(other.span(), "expected label selectors only"),
        }
    }
}
