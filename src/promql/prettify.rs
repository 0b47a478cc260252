//! Writes expressions over several lines where one would be too long. Rules and forms are those
//! of `promql/parser/prettier.go`; comments are not kept.

use super::ast::Expr;

/// A node that takes more bytes than this on one line is split.
const LINE_BYTES_MAX: usize = 100;

/// The expression as `format_query` shows it: one line where it fits, else each part that is too
/// long over several lines, two blanks per level.
pub fn prettify(expr: &Expr) -> String {
    pretty(expr, 0)
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

fn pretty(expr: &Expr, level: usize) -> String {
    let line = expr.to_string();
    let margin = indent(level);
    if let Expr::Unary(unary) = expr {
        // The sign goes before the first character of what it applies to, however long that is.
        let sign = if unary.negative { "-" } else { "+" };
        return format!("{margin}{sign}{}", pretty(&unary.expr, level).trim());
    }
    if line.len() <= LINE_BYTES_MAX {
        // Prometheus forgets the margin of subqueries.
        return if matches!(expr, Expr::Subquery(_)) { line } else { margin + &line };
    }
    match expr {
        Expr::Aggregate(aggregate) => {
            let head = aggregate.head();
            let param = aggregate
                .param
                .as_ref()
                .map(|param| pretty(param, level + 1) + ",\n")
                .unwrap_or_default();
            let inner = pretty(&aggregate.expr, level + 1);
            format!("{margin}{head}(\n{param}{inner}\n{margin})")
        }
        Expr::Binary(binary) => {
            let (lhs, rhs) = (pretty(&binary.lhs, level + 1), pretty(&binary.rhs, level + 1));
            format!("{lhs}\n{margin}{}\n{rhs}", binary.head())
        }
        Expr::Call(call) => {
            let args: Vec<String> = call.args.iter().map(|arg| pretty(arg, level + 1)).collect();
            format!("{margin}{}(\n{}\n{margin})", call.function.name, args.join(",\n"))
        }
        Expr::Paren(paren) => {
            format!("{margin}(\n{}\n{margin})", pretty(&paren.expr, level + 1))
        }
        Expr::Subquery(subquery) => format!("{}{subquery}", pretty(&subquery.expr, level)),
        _ => margin + &line,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::prettify;

    fn pretty(text: &str) -> String {
        prettify(&parse(text).unwrap_or_else(|e| panic!("{text}: {e}")))
    }

    #[test]
    fn what_fits_stays_on_one_line() {
        assert_eq!(pretty("sum( rate(x[5m]) )by(job)"), "sum by (job) (rate(x[5m]))");
    }

    // Reasoned out from the rules in prettier.go: a node of more than 100 bytes opens a level.
    #[test]
    fn what_is_too_long_is_split_level_by_level() {
        let long = "a_metric_with_a_rather_long_name_for_a_line_of_one_hundred_characters";
        assert_eq!(
            pretty(&format!("sum by(job)({long}) / on(job) {long}")),
            format!("  sum by (job) ({long})\n/ on (job)\n  {long}")
        );
        assert_eq!(
            pretty(&format!(
                "topk(3, label_replace({long}, \"destination\", \"$1\", \"source\", \"(.*):.*\"))"
            )),
            format!(
                "topk(\n  3,\n  label_replace(\n    {long},\n    \"destination\",\n    \"$1\",\n    \
                 \"source\",\n    \"(.*):.*\"\n  )\n)"
            )
        );
        assert_eq!(
            pretty(&format!("-({long} + {long})")),
            format!("-(\n    {long}\n  +\n    {long}\n)")
        );
        assert_eq!(
            pretty(&format!("max_over_time(({long} > bool {long})[1h:5m] offset 1m)")),
            format!(
                "max_over_time(\n  (\n      {long}\n    > bool\n      {long}\n  )[1h:5m] offset \
                 1m\n)"
            )
        );
    }
}
