//! What Prometheus 3 added. Forms and wordings are read off its sources (generated_parser.y,
//! lex.go, parse.go, printer.go); Prometheus 2.42 knows none of this.

use super::{printed, refused};

#[test]
fn durations_may_be_calculated() {
    for (text, form) in [
        ("x[5m+1m]", "x[5m + 1m]"),
        ("x[range():step()]", "x[range():step()]"),
        ("x[ RANGE() : Step() ]", "x[range():step()]"),
        ("x[5m:step()*2]", "x[5m:step() * 2]"),
        ("x[(5m)]", "x[(5m)]"),
        ("x[((5m))]", "x[(5m)]"),
        ("x[--5m]", "x[5m]"),
        ("x[-(-5m)]", "x[-(-5m)]"),
        ("x[+step()]", "x[step()]"),
        ("x[2^3^2]", "x[2 ^ 3 ^ 2]"),
        ("x[1h-10m*2%7/3]", "x[1h - 10m * 2 % 7 / 3]"),
        ("x[-2^2+10]", "x[-2 ^ 2 + 10]"),
        ("x[max_of(step(), 5s)]", "x[max_of(step(), 5s)]"),
        ("x[MIN_OF(1m,range())]", "x[min_of(1m, range())]"),
        ("x offset (5m*2)", "x offset (5m * 2)"),
        ("x offset -(5m*2)", "x offset -(5m * 2)"),
        ("x offset +(5m)", "x offset (5m)"),
        ("x offset -(step())", "x offset -(step())"),
        ("x offset -step()", "x offset -step()"),
        ("x offset -min_of(step(),1s)", "x offset -min_of(step(), 1s)"),
        ("x[5m] offset step() @ 10", "x[5m] @ 10.000 offset step()"),
        ("x[5m:] offset (range()/2)", "x[5m:] offset (range() / 2)"),
        // A literal or a call ends the offset: what follows is a sum of vectors.
        ("x offset 1m+1m", "x offset 1m + 1m"),
        ("x offset -2^2", "x offset -2s ^ 2"),
        ("x offset step()*2", "x offset step() * 2"),
        ("x @ 5m", "x @ 300.000"),
    ] {
        assert_eq!(printed(text), form, "{text}");
        assert_eq!(printed(form), form, "the form of {text} must be stable");
    }
    for (text, message) in [
        ("x[", "1:3: parse error: unexpected end of input in duration expression"),
        ("x[5m", "1:5: parse error: unclosed left bracket"),
        ("x[5m+", "1:6: parse error: unclosed left bracket"),
        (
            "x[5m+]",
            "1:6: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
        ),
        (
            "x[5m:+]",
            "1:7: parse error: unexpected \"]\" in subquery selector, expected number, duration, step(), range(), or \"]\"",
        ),
        (
            "x[5m:1m 1m]",
            "1:9: parse error: unexpected duration \"1m\" in subquery selector, expected \"]\"",
        ),
        ("x[:1m]", "1:4: parse error: unexpected colon before duration in duration expression"),
        ("x[5m::1m]", "1:6: parse error: unexpected colon ':'"),
        ("x[foo]", "1:3: parse error: unexpected character in duration expression: 'f'"),
        ("x[min(1m)]", "1:3: parse error: unexpected character in duration expression: 'm'"),
        ("x[5m foo]", "1:6: parse error: unexpected character: 'f', expected ':'"),
        ("x[#]", "1:3: parse error: unexpected character in duration expression: '#'"),
        (
            "x[step]",
            "1:7: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
        ),
        ("x[1m/0]", "1:5: parse error: division by zero"),
        ("x[1m%0]", "1:5: parse error: modulo by zero"),
        ("x[-5m]", "1:3: parse error: duration must be greater than 0"),
        ("x[5m:0]", "1:6: parse error: duration must be greater than 0"),
        ("x[1e11]", "1:3: parse error: duration out of range"),
        ("x offset -1e11", "1:10: parse error: duration out of range"),
        (
            "x offset -x",
            "1:11: parse error: unexpected identifier \"x\" in offset, expected number, duration, step(), or range()",
        ),
        ("x offset step() offset 1m", "1:1: parse error: offset may not be set multiple times"),
        ("x offset step()[5m]", "1:16: parse error: no offset modifiers allowed before range"),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
}

#[test]
fn ranges_may_be_anchored_or_smoothed() {
    for (text, form) in [
        ("x[5m] anchored", "x[5m] anchored"),
        ("rate(x[5m] SMOOTHED offset 1m)", "rate(x[5m] smoothed offset 1m)"),
        ("x[5m] @ 5 anchored", "x[5m] anchored @ 5.000"),
        ("x smoothed offset 1m", "x smoothed offset 1m"),
        ("x smoothed[5m]", "x[5m] smoothed"),
        ("anchored anchored", "anchored anchored"),
        ("smoothed{a=\"b\"}", "smoothed{a=\"b\"}"),
    ] {
        assert_eq!(printed(text), form, "{text}");
        assert_eq!(printed(form), form, "the form of {text} must be stable");
    }
    for (text, message) in [
        (
            "x[5m] anchored smoothed",
            "1:1: parse error: anchored and smoothed modifiers cannot be used together",
        ),
        ("x[5m:] anchored", "1:1: parse error: anchored modifier is not supported for subqueries"),
        ("sum(x) smoothed", "1:1: parse error: smoothed modifier not implemented"),
        ("1 + 2 anchored", "1:5: parse error: anchored modifier not implemented"),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
}

#[test]
fn missing_series_may_be_filled() {
    for (text, form) in [
        ("a+fill(0)b", "a + fill (0) b"),
        ("a + fill (-5m) b", "a + fill (-300) b"),
        ("a + fill(1e6) b", "a + fill (1e+06) b"),
        ("a + fill_left(1) fill_right(2) b", "a + fill_left (1) fill_right (2) b"),
        ("a + fill_right(2) fill_left(1) b", "a + fill_left (1) fill_right (2) b"),
        (
            "a > bool on(x) group_left(y) fill_right(Inf) b",
            "a > bool on (x) group_left (y) fill_right (+Inf) b",
        ),
        ("a + on(x) group_left fill(1) b", "a + on (x) group_left () fill (1) b"),
        ("fill + fill_left", "fill + fill_left"),
        ("sum by (fill, fill_right) (fill)", "sum by (fill, fill_right) (fill)"),
    ] {
        assert_eq!(printed(text), form, "{text}");
        assert_eq!(printed(form), form, "the form of {text} must be stable");
    }
    for (text, message) in [
        (
            "1 + fill(0) a",
            "1:1: parse error: filling in missing series only allowed between instant vectors",
        ),
        (
            "a and fill(0) b",
            "1:1: parse error: filling in missing series not allowed for set operators",
        ),
        ("a + fill(x) b", "1:10: parse error: unexpected identifier \"x\""),
        ("a + fill_left(1) fill(0) b", "1:18: parse error: unexpected <fill>"),
        ("a + fill(1) bool b", "1:13: parse error: unexpected <bool>"),
        ("fill(1)", "1:1: parse error: unexpected <fill>"),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
}

#[test]
fn the_query_itself_can_be_asked_for_its_times() {
    for text in [
        "start()",
        "end() - start()",
        "range() / step()",
        "max_of(1, min_of(2, 3))",
        "step + range",
    ] {
        assert_eq!(printed(text), text);
    }
    assert_eq!(refused("START()"), "1:1: parse error: unknown function with name \"START\"");
    assert_eq!(
        refused("max_of(1)"),
        "1:1: parse error: expected 2 argument(s) in call to \"max_of\", got 1"
    );
}

#[test]
fn histograms_may_be_trimmed() {
    assert_eq!(printed("a </ 1 + 2"), "a </ 1 + 2");
    assert_eq!(printed("a>/on(x)b"), "a >/ on (x) b");
    assert_eq!(refused("a </ / b"), "1:6: parse error: unexpected <op:/>");
}

#[test]
fn info_wants_a_selector_of_labels() {
    for (text, form) in [
        ("info(x)", "info(x)"),
        ("info(x, {a=\"b\"})", "info(x, {a=\"b\"})"),
        ("info(x, {a=~\".*\"})", "info(x, {a=~\".*\"})"),
        ("info(x, {__name__=\"y\"})", "info(x, {__name__=\"y\"})"),
        ("info(x, {})", "info(x, {})"),
    ] {
        assert_eq!(printed(text), form, "{text}");
    }
    for (text, message) in [
        (
            "info(x, y)",
            "1:9: parse error: expected label selectors only, got vector selector instead",
        ),
        ("info(x, rate(y[1m]))", "1:9: parse error: expected label selectors only"),
        (
            "info(x, 1)",
            "1:1: parse error: expected type instant vector in call to function \"info\", got scalar",
        ),
        (
            "{a=~\".*\"}",
            "1:1: parse error: vector selector must contain at least one non-empty matcher",
        ),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
}

#[test]
fn labels_may_be_any_text_and_most_keywords() {
    for (text, form) in [
        (
            "sum by (step, range, min_of, anchored, group_left, atan2) (x)",
            "sum by (step, range, min_of, anchored, group_left, atan2) (x)",
        ),
        ("sum by (a:b) (x)", "sum by (\"a:b\") (x)"),
        ("a + on('b c', `d`) b", "a + on (\"b c\", d) b"),
        ("{'a.b', \"c d\"=~`e\\d`}", "{\"c d\"=~\"e\\\\d\",__name__=\"a.b\"}"),
    ] {
        assert_eq!(printed(text), form, "{text}");
        assert_eq!(printed(form), form, "the form of {text} must be stable");
    }
    assert_eq!(
        refused("sum by (without) (x)"),
        "1:9: parse error: unexpected <without> in grouping opts, expected label"
    );
    assert_eq!(
        refused("sum by (\"\") (x)"),
        "1:9: parse error: invalid label name for grouping: \"\""
    );
}

// These were compared with the answers of Prometheus 2.42, unless numbers stand for durations.
#[test]
fn mistakes_of_the_lexer_are_told_in_prometheus_words() {
    for (text, message) in [
        ("a !", "1:3: parse error: unexpected character after '!': '\u{fffd}'"),
        ("x{a!}", "1:4: parse error: unexpected character after '!' inside braces: '}'"),
        ("a \u{0}", "1:3: parse error: unexpected character: '\\x00'"),
        ("a\u{a0}b", "1:2: parse error: unexpected character: '\\u00a0'"),
        ("'abc", "1:1: parse error: unterminated quoted string"),
        ("x + `abc", "1:5: parse error: unterminated raw string"),
        ("\"a\\q\"", "1:1: parse error: unknown escape sequence U+0071 'q'"),
        ("\"\\x1g\"", "1:1: parse error: illegal character U+0067 'g' in escape sequence"),
        ("\"\\777\"", "1:1: parse error: escape sequence is an invalid Unicode code point"),
        ("\"\\ud800\"", "1:1: parse error: escape sequence is an invalid Unicode code point"),
        ("5mm", "1:1: parse error: bad number or duration syntax: \"5mm\""),
        ("x[5m]]", "1:6: parse error: unexpected right bracket ']'"),
        ("x{{}}", "1:3: parse error: unexpected left brace '{'"),
        (
            "\n x {a=\"b\",,}",
            "2:11: parse error: unexpected \",\" in label matching, expected identifier or \"}\"",
        ),
        (
            "a + on (x) group_left",
            "1:22: parse error: unexpected end of input in grouping opts, expected \"(\"",
        ),
        (
            "1e400",
            "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"1e400\": value out of range",
        ),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
}

#[test]
fn nesting_of_durations_is_bounded() {
    for text in [
        format!("x[{}5m{}]", "(".repeat(100_000), ")".repeat(100_000)),
        format!("x[{}5m]", "-".repeat(100_000)),
        format!("x[{}5m]", "1+".repeat(100_000)),
        format!("x[{}5m]", "1^".repeat(100_000)),
        format!("x offset {}", "max_of(1,".repeat(100_000)),
    ] {
        assert!(refused(&text).ends_with("expression is nested too deeply"), "{}", &text[..20]);
    }
}
