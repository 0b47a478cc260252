//! What the parser makes of texts.
//!
//! Owns: forms, trees, wordings and bounds. Never: evaluation. Start reading at
//! `expressions_are_printed_in_canonical_form`.

mod newer;

use super::super::ast::*;
use super::*;

fn printed(text: &str) -> String {
    match parse(text) {
        Ok(expr) => expr.to_string(),
        Err(error) => panic!("{text:?} was refused: {error}"),
    }
}

fn refused(text: &str) -> String {
    match parse(text) {
        Ok(expr) => panic!("{text:?} was accepted: {expr}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn expressions_are_printed_in_canonical_form() {
    for (text, form) in [
        ("1+2*3", "1 + 2 * 3"),
        ("up", "up"),
        ("up{}", "up"),
        ("{__name__=\"up\",}", "{__name__=\"up\"}"),
        ("up{job='x', instance=~\"a.*\"}", "up{instance=~\"a.*\",job=\"x\"}"),
        ("{\"my.metric\", \"a.b\"=\"c\"}", "{\"a.b\"=\"c\",__name__=\"my.metric\"}"),
        ("rate(x[5m])", "rate(x[5m])"),
        ("rate(x[300])", "rate(x[5m])"),
        ("x offset 60", "x offset 1m"),
        ("x offset -1h30m", "x offset -1h30m"),
        ("x[5m] offset 1w @ 10", "x[5m] @ 10.000 offset 1w"),
        ("x @ start()", "x @ start()"),
        ("x @ -1.5", "x @ -1.500"),
        (
            "max_over_time(rate(x[1m])[1h:30s] @ end())",
            "max_over_time(rate(x[1m])[1h:30s] @ end())",
        ),
        ("x[1h:]", "x[1h:]"),
        ("sum(x) by (a, b)", "sum by (a, b) (x)"),
        ("sum without (a,) (x)", "sum without (a) (x)"),
        ("sum by () (x)", "sum(x)"),
        ("SUM(x)", "sum(x)"),
        ("topk(3, x)", "topk(3, x)"),
        ("count_values(\"v\", x)", "count_values(\"v\", x)"),
        ("a / on(x) group_left(y) b", "a / on (x) group_left (y) b"),
        ("a == bool ignoring(x) b", "a == bool ignoring (x) b"),
        ("a and b or c unless d", "a and b or c unless d"),
        ("-x", "-x"),
        ("+-1", "-1"),
        ("-1^2", "-1 ^ 2"),
        ("5m", "5m"),
        ("0x10 + 1e3", "16 + 1000"),
        ("sum", "sum"),
        ("by{on=\"1\"}", "by{on=\"1\"}"),
        ("sum by (on, bool, offset) (offset)", "sum by (on, bool, offset) (offset)"),
        ("sum by (\"a.b\") (x)", "sum by (\"a.b\") (x)"),
        ("\"a\\tb\"", "\"a\\tb\""),
        ("x # comment\n + 1", "x + 1"),
        ("start + end", "start + end"),
        ("job:x:rate5m", "job:x:rate5m"),
        ("Inf + NaN", "+Inf + NaN"),
    ] {
        assert_eq!(printed(text), form, "{text}");
        assert_eq!(printed(form), form, "the form of {text} must be stable");
    }
}

/// The shape of a tree, with every operator in parentheses.
fn shape(expr: &Expr) -> String {
    match expr {
        Expr::Binary(b) => format!("({} {} {})", shape(&b.lhs), b.op.as_str(), shape(&b.rhs)),
        Expr::Unary(u) => format!("(-{})", shape(&u.expr)),
        other => other.to_string(),
    }
}

#[test]
fn operators_bind_as_in_prometheus() {
    for (text, tree) in [
        ("a + b * c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a ^ b ^ c", "(a ^ (b ^ c))"),
        ("-a ^ b", "(-(a ^ b))"),
        ("-a * b", "((-a) * b)"),
        ("a ^ -b * c", "((a ^ (-b)) * c)"),
        ("a or b and c", "(a or (b and c))"),
        ("a and b unless c", "((a and b) unless c)"),
        ("a > b + c", "(a > (b + c))"),
        ("a > b == c", "((a > b) == c)"),
        ("a * b atan2 c % d", "(((a * b) atan2 c) % d)"),
        ("a + b offset 5m", "(a + b offset 5m)"),
    ] {
        assert_eq!(shape(&parse(text).expect(text)), tree, "{text}");
    }
}

#[test]
fn mistakes_are_told_in_prometheus_words() {
    // Wordings from generated_parser.y, lex.go and parse.go of Prometheus 3; all but those about
    // numbers as durations were compared with the answers of Prometheus 2.42.
    for (text, message) in [
        ("", "unknown position: parse error: no expression found in input"),
        ("# only", "1:1: parse error: no expression found in input"),
        ("1 +", "1:4: parse error: unexpected end of input"),
        ("(1", "1:3: parse error: unclosed left parenthesis"),
        ("1)", "1:3: parse error: unexpected right parenthesis ')'"),
        ("x[5m", "1:5: parse error: unclosed left bracket"),
        ("x{", "1:3: parse error: unexpected end of input inside braces"),
        ("foo bar", "1:5: parse error: unexpected identifier \"bar\""),
        ("foo\n  bar", "2:3: parse error: unexpected identifier \"bar\""),
        ("1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
        (
            "1 and 1",
            "1:1: parse error: set operator \"and\" not allowed in binary scalar expression",
        ),
        ("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"),
        ("1 + on(x) a", "1:1: parse error: vector matching only allowed between instant vectors"),
        ("a and on(x) group_left b", "1:1: parse error: no grouping allowed for \"and\" operation"),
        (
            "a + on(x) group_left(x) b",
            "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once",
        ),
        (
            "rate(x)",
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
        ),
        (
            "sum(x[5m])",
            "1:5: parse error: expected type instant vector in aggregation expression, got range vector",
        ),
        (
            "topk(x, y)",
            "1:6: parse error: expected type scalar in aggregation parameter, got instant vector",
        ),
        (
            "x[5m] + 1",
            "1:1: parse error: binary expression must contain only scalar and instant vector types",
        ),
        (
            "-x[5m]",
            "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"range vector\"",
        ),
        ("rate()", "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 0"),
        (
            "round(x, 1, 2)",
            "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3",
        ),
        (
            "label_join(x)",
            "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 1",
        ),
        ("sum()", "1:1: parse error: no arguments for aggregate expression provided"),
        (
            "topk(x)",
            "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
        ),
        ("unknown(x)", "1:1: parse error: unknown function with name \"unknown\""),
        ("rate(x[5m],)", "1:11: parse error: trailing commas not allowed in function call args"),
        ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
        (
            "{x=~\".*\"}",
            "1:1: parse error: vector selector must contain at least one non-empty matcher",
        ),
        (
            "foo{__name__=\"bar\"}",
            "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\"",
        ),
        ("x{a=1}", "1:5: parse error: unexpected character inside braces: '1'"),
        (
            "x{a b}",
            "1:5: parse error: unexpected identifier \"b\" in label matching, expected label matching operator",
        ),
        (
            "x{a=b}",
            "1:5: parse error: unexpected identifier \"b\" in label matching, expected string",
        ),
        (
            "x{a=\"b\" c=\"d\"}",
            "1:9: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"",
        ),
        (
            "x{,}",
            "1:3: parse error: unexpected \",\" in label matching, expected identifier or \"}\"",
        ),
        (
            "sum by x (y)",
            "1:8: parse error: unexpected identifier \"x\" in grouping opts, expected \"(\"",
        ),
        (
            "sum by (1) (y)",
            "1:9: parse error: unexpected number \"1\" in grouping opts, expected label",
        ),
        (
            "sum by (a b) (y)",
            "1:11: parse error: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\"",
        ),
        ("sum (a b)", "1:8: parse error: unexpected identifier \"b\" in aggregation"),
        (
            "x offset",
            "1:9: parse error: unexpected end of input in offset, expected number, duration, step(), or range()",
        ),
        ("x offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"),
        (
            "1 offset 1m",
            "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
        ),
        ("x @ y", "1:5: parse error: unexpected identifier \"y\" in @, expected timestamp"),
        ("x @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"),
        ("x @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf"),
        ("x offset 1m[5m]", "1:12: parse error: no offset modifiers allowed before range"),
        ("(x)[5m]", "1:4: parse error: ranges only allowed for vector selectors"),
        (
            "x[]",
            "1:3: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
        ),
        ("x[0]", "1:3: parse error: duration must be greater than 0"),
        // Found by the fuzzer: it would be printed as `[0s]`.
        ("x[7e-76]", "1:3: parse error: duration must be greater than 0"),
        (
            "x[5m 5m]",
            "1:6: parse error: unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\"",
        ),
        (
            "x[5m][5m:]",
            "1:1: parse error: subquery is only allowed on instant vector, got matrix instead",
        ),
        ("x[1000y]", "1:3: parse error: duration out of range"),
        ("x[5m1h]", "1:3: parse error: not a valid duration string: \"5m1h\""),
        ("\"abc", "1:1: parse error: unterminated quoted string"),
        ("1.2.3", "1:1: parse error: bad number or duration syntax: \"1.2.\""),
        ("a =~ b", "1:3: parse error: unexpected character after '=': '~'"),
        ("a = b", "1:3: parse error: unexpected \"=\""),
        ("a ! b", "1:3: parse error: unexpected character after '!': ' '"),
        ("a & b", "1:3: parse error: unexpected character: '&'"),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
}

#[test]
fn a_broken_regular_expression_is_refused_with_its_place() {
    let error = parse("x{a=~\"(\"}").expect_err("unclosed group");
    assert_eq!((error.span.start, error.span.end), (2, 8));
    assert!(error.message.contains("missing closing ): `(`"), "{error}");
}

#[test]
fn spans_cover_what_was_written() {
    let text = "sum by (a) (rate(x{a=\"1\"}[5m] offset 1m)) ";
    let expr = parse(text).expect("valid");
    assert_eq!(&text[expr.span().start..expr.span().end], text.trim_end());
    let Expr::Aggregate(sum) = &expr else { panic!("{expr:?}") };
    let span = sum.expr.span();
    assert_eq!(&text[span.start..span.end], "rate(x{a=\"1\"}[5m] offset 1m)");
    let Expr::Call(rate) = &sum.expr else { panic!("{expr:?}") };
    let span = rate.args[0].span();
    assert_eq!(&text[span.start..span.end], "x{a=\"1\"}[5m] offset 1m");
}

#[test]
fn nesting_and_size_are_bounded() {
    let deep = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&deep(90)).is_ok());
    for text in [
        deep(100_000),
        "-".repeat(100_000) + "1",
        "1+".repeat(100_000) + "1",
        "1^".repeat(100_000) + "1",
        "x".to_owned() + &"[1m:]".repeat(100_000),
        "abs(".repeat(100_000) + "x" + &")".repeat(100_000),
    ] {
        assert!(refused(&text).ends_with("expression is nested too deeply"));
    }
    assert!(refused(&"a".repeat(QUERY_BYTES_MAX + 1)).contains("at most"));
}

#[test]
fn a_selector_parameter_is_only_a_selector() {
    let matchers = parse_selector("up{job=\"x\"}").expect("valid");
    assert_eq!(matchers.len(), 2);
    for text in ["", "up[5m]", "up + 1", "1", "{}", "up offset 5m", "rate(x[5m])"] {
        assert!(parse_selector(text).is_err(), "{text:?} was accepted");
    }
}
