//! What a query says: `format_query` and `parse_query`. The tree has the shape of
//! `web/api/v1/translate_ast.go`, which Prometheus's query explorer reads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde_json::{Value, json};

use super::ApiError;
use super::json::success;
use super::query::parse_query;
use super::request::read_params;
use super::state::App;
use crate::model::Matcher;
use crate::promql::{At, Expr, ValueType, VectorSelector, prettify};

type Answered = Result<Response<Body>, ApiError>;

/// `/api/v1/format_query`
pub(super) async fn format(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    let expr = parse_query(params.get("query").unwrap_or(""))?;
    Ok(success(&prettify(&expr)))
}

/// `/api/v1/parse_query`
pub(super) async fn tree(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    let expr = parse_query(params.get("query").unwrap_or(""))?;
    Ok(success(&translate(&expr)))
}

/// An expression as a tree of objects. Times are milliseconds; calculated durations, of which
/// Prometheus tells nothing here, are 0.
fn translate(expr: &Expr) -> Value {
    match expr {
        Expr::Number(number) => {
            json!({"type": "numberLiteral", "val": go_number(number.value)})
        }
        Expr::String(string) => json!({"type": "stringLiteral", "val": string.value}),
        Expr::Vector(selector) => selector_fields("vectorSelector", selector),
        Expr::Matrix(matrix) => {
            let mut fields = selector_fields("matrixSelector", &matrix.selector);
            fields["range"] = json!(matrix.range_ms);
            fields
        }
        Expr::Subquery(subquery) => {
            let (timestamp, start_or_end) = time(subquery.at);
            json!({
                "type": "subquery",
                "expr": translate(&subquery.expr),
                "range": subquery.range_ms,
                "offset": subquery.offset_ms,
                "step": subquery.step_ms.unwrap_or(0),
                "timestamp": timestamp,
                "startOrEnd": start_or_end,
            })
        }
        Expr::Aggregate(aggregate) => json!({
            "type": "aggregation",
            "op": aggregate.op.as_str(),
            "expr": translate(&aggregate.expr),
            "param": aggregate.param.as_ref().map(translate),
            "grouping": aggregate.grouping,
            "without": aggregate.without,
        }),
        Expr::Binary(binary) => {
            let matching = binary.matching.as_ref().map(|matching| {
                json!({
                    "card": matching.cardinality.as_str(),
                    "labels": matching.labels,
                    "on": matching.on,
                    "include": matching.include,
                    "fillValues": {"lhs": matching.fill_left, "rhs": matching.fill_right},
                })
            });
            json!({
                "type": "binaryExpr",
                "op": binary.op.as_str(),
                "lhs": translate(&binary.lhs),
                "rhs": translate(&binary.rhs),
                "matching": matching,
                "bool": binary.return_bool,
            })
        }
        Expr::Call(call) => {
            let types: Vec<&str> = call.function.args.iter().map(|kind| kind.as_str()).collect();
            json!({
                "type": "call",
                "func": {
                    "name": call.function.name,
                    "argTypes": types,
                    "variadic": call.function.variadic,
                    "returnType": ValueType::as_str(call.function.returns),
                },
                "args": call.args.iter().map(translate).collect::<Vec<_>>(),
            })
        }
        Expr::Paren(paren) => json!({"type": "parenExpr", "expr": translate(&paren.expr)}),
        Expr::Unary(unary) => json!({
            "type": "unaryExpr",
            "op": if unary.negative { "-" } else { "+" },
            "expr": translate(&unary.expr),
        }),
    }
}

fn selector_fields(kind: &str, selector: &VectorSelector) -> Value {
    let (timestamp, start_or_end) = time(selector.at);
    let matcher = |matcher: &Matcher| json!({"name": matcher.name(), "value": matcher.value(), "type": matcher.op().as_str()});
    json!({
        "type": kind,
        "name": selector.name.as_deref().unwrap_or(""),
        "offset": selector.offset_ms,
        "matchers": selector.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "timestamp": timestamp,
        "startOrEnd": start_or_end,
        "anchored": selector.anchored,
        "smoothed": selector.smoothed,
    })
}

/// `timestamp` and `startOrEnd`, of which at most one is there.
fn time(at: Option<At>) -> (Option<i64>, Option<&'static str>) {
    match at {
        None => (None, None),
        Some(At::Time(millis)) => (Some(millis), None),
        Some(At::Start) => (None, Some("start")),
        Some(At::End) => (None, Some("end")),
    }
}

/// Go's `strconv.FormatFloat(v, 'f', -1, 64)`.
fn go_number(value: f64) -> String {
    match value {
        v if v.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        v => v.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Value {
        translate(&crate::promql::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")))
    }

    // The shapes are read off translate_ast.go.
    #[test]
    fn trees_have_the_shape_that_prometheus_gives() {
        assert_eq!(
            tree("sum by (a) (rate(x{b!=\"1\"}[5m] @ 1.5 offset -1m)) > bool 2"),
            json!({
                "type": "binaryExpr",
                "op": ">",
                "bool": true,
                "matching": null,
                "rhs": {"type": "numberLiteral", "val": "2"},
                "lhs": {
                    "type": "aggregation",
                    "op": "sum",
                    "param": null,
                    "grouping": ["a"],
                    "without": false,
                    "expr": {
                        "type": "call",
                        "func": {
                            "name": "rate",
                            "argTypes": ["matrix"],
                            "variadic": 0,
                            "returnType": "vector",
                        },
                        "args": [{
                            "type": "matrixSelector",
                            "name": "x",
                            "range": 300_000,
                            "offset": -60_000,
                            "matchers": [
                                {"name": "b", "value": "1", "type": "!="},
                                {"name": "__name__", "value": "x", "type": "="},
                            ],
                            "timestamp": 1500,
                            "startOrEnd": null,
                            "anchored": false,
                            "smoothed": false,
                        }],
                    },
                },
            })
        );
        let binary = tree("a / on (x) group_left (y) fill_right (3) -(b)");
        assert_eq!(
            binary["matching"],
            json!({
                "card": "many-to-one",
                "labels": ["x"],
                "on": true,
                "include": ["y"],
                "fillValues": {"lhs": null, "rhs": 3.0},
            })
        );
        assert_eq!(binary["rhs"]["op"], "-");
        assert_eq!(binary["rhs"]["expr"]["type"], "parenExpr");
        let subquery = tree("x[1h:] @ end()");
        assert_eq!(subquery["range"], 3_600_000);
        assert_eq!((&subquery["step"], &subquery["offset"]), (&json!(0), &json!(0)));
        assert_eq!(
            (&subquery["timestamp"], &subquery["startOrEnd"]),
            (&json!(null), &json!("end"))
        );
        assert_eq!(tree("{\"a.b\"}")["name"], "");
        assert_eq!(tree("\"text\""), json!({"type": "stringLiteral", "val": "text"}));
        assert_eq!(tree("-Inf")["val"], "-Inf");
    }
}
