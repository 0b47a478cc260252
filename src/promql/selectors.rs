//! The selectors in a query.

use super::ast::{Expr, VectorSelector};

/// Every selector of an expression, those of ranges and in subqueries included, in the order of
/// the text (`ExtractSelectors` in Prometheus's `promql/parser/ast.go`).
pub fn selectors(expr: &Expr) -> Vec<&VectorSelector> {
    let mut found = Vec::new();
    collect(expr, &mut found);
    found
}

fn collect<'e>(expr: &'e Expr, found: &mut Vec<&'e VectorSelector>) {
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(selector) => found.push(selector),
        Expr::Matrix(matrix) => found.push(&matrix.selector),
        Expr::Subquery(subquery) => collect(&subquery.expr, found),
        Expr::Aggregate(aggregate) => {
            if let Some(param) = &aggregate.param {
                collect(param, found);
            }
            collect(&aggregate.expr, found);
        }
        Expr::Binary(binary) => {
            collect(&binary.lhs, found);
            collect(&binary.rhs, found);
        }
        Expr::Call(call) => call.args.iter().for_each(|arg| collect(arg, found)),
        Expr::Paren(paren) => collect(&paren.expr, found),
        Expr::Unary(unary) => collect(&unary.expr, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parse;

    #[test]
    fn selectors_are_found_wherever_they_stand() {
        for (query, names) in [
            ("1", vec![]),
            ("a", vec!["a"]),
            ("-(a + on (x) rate(b[5m]))", vec!["a", "b"]),
            ("topk(scalar(a), b)", vec!["a", "b"]),
            ("max_over_time(sum(rate(a[1m]))[1h:])", vec!["a"]),
        ] {
            let expr = parse(query).expect("valid");
            let found: Vec<&str> =
                selectors(&expr).iter().filter_map(|selector| selector.metric_name()).collect();
            assert_eq!(found, names, "{query}");
        }
    }
}
