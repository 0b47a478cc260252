//! Expected values follow the format documents (`exposition_formats.md` of Prometheus, the
//! OpenMetrics 1.0 specification) and the lexers named in `parser.rs`.

use proptest::prelude::*;

use super::*;
use crate::model::MetricType;

type Line = (Vec<(String, String)>, f64, Option<i64>, bool);

fn items(text: &str, format: Format) -> Result<Vec<Item<'_>>, ExpositionError> {
    Parser::new(text.as_bytes(), format)?.collect()
}

fn lines(text: &str, format: Format) -> Result<Vec<Line>, ExpositionError> {
    let mut out = Vec::new();
    for item in Parser::new(text.as_bytes(), format)? {
        if let Item::Sample(line) = item? {
            let mut pairs = Vec::new();
            line.labels(&mut pairs)?;
            let pairs = pairs.into_iter().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
            out.push((pairs, line.value, line.at_ms, line.exemplar.is_some()));
        }
    }
    Ok(out)
}

fn line(text: &str) -> Line {
    lines(text, Format::Text).expect("valid").pop().expect("one sample")
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

fn error(text: &str, format: Format) -> String {
    lines(text, format).expect_err("must be refused").to_string()
}

#[test]
fn a_sample_has_labels_a_value_and_perhaps_a_time() {
    assert_eq!(line("up 1\n"), (pairs(&[("__name__", "up")]), 1.0, None, false));
    assert_eq!(
        line("http:requests{method=\"post\",code=\"200\",} 1027 1395066363000"),
        (
            pairs(&[("__name__", "http:requests"), ("method", "post"), ("code", "200")]),
            1027.0,
            Some(1_395_066_363_000),
            false
        )
    );
    assert_eq!(line("a{} -5e3 -1").2, Some(-1));
}

#[test]
fn spaces_tabs_and_empty_lines_do_not_matter_in_text() {
    let spaced = "\n\t  \n  a  { b = \"1\" ,\tc=\"2\" }\t 3 \t4  \n\n# a remark\n#and another";
    assert_eq!(
        line(spaced),
        (pairs(&[("__name__", "a"), ("b", "1"), ("c", "2")]), 3.0, Some(4), false)
    );
}

#[test]
fn label_values_are_unescaped() {
    let (labels, ..) = line(r#"a{path="C:\\DIR\\",text="say \"hi\"\nbye",odd="\x}"} 1"#);
    assert_eq!(labels[1].1, r"C:\DIR\");
    assert_eq!(labels[2].1, "say \"hi\"\nbye");
    assert_eq!(labels[3].1, r"\x}");
}

#[test]
fn names_may_be_any_utf8_in_quotes() {
    assert_eq!(
        line(r#"{"a.b",x="y","c d"="é"} 1"#).0,
        pairs(&[("__name__", "a.b"), ("x", "y"), ("c d", "é")])
    );
    assert_eq!(line(r#"{x="y","a.b"} 1"#).0, pairs(&[("__name__", "a.b"), ("x", "y")]));
    assert!(error(r#"{x="y"} 1"#, Format::Text).contains("has no name"));
    assert!(error(r#"a{"b"} 1"#, Format::Text).contains("two names"));
}

#[test]
fn infinities_and_nan_are_values_but_nonsense_is_not() {
    assert_eq!(line("a +Inf").1, f64::INFINITY);
    assert_eq!(line("a -Inf").1, f64::NEG_INFINITY);
    assert_eq!(line("a NaN").1.to_bits(), 0x7ff8_0000_0000_0001);
    for text in ["a 1_000", "a 0x1p3", "a 1e999", "a -NaN", "a one", "a", "a{} ", "a 1 2 3"] {
        assert!(lines(text, Format::Text).is_err(), "{text:?} was accepted");
    }
}

#[test]
fn an_error_names_line_and_column() {
    assert_eq!(
        error("a 1\nb{c=\"d\" e=\"f\"} 2\n", Format::Text),
        "line 2, column 9: expected a comma or a closing brace"
    );
    assert_eq!(error("a 1\nbc x\n", Format::Text), "line 2, column 4: \"x\" is not a number");
    assert_eq!(error("a{b=\"c} 1\n", Format::Text), "line 1, column 5: a quote is not closed");
    assert!(error("a 1\r\n", Format::Text).contains("carriage return"));
    assert!(error("a 1 5\r\n", Format::Text).starts_with("line 1"));
    let broken = Parser::new(b"a 1\nb{c=\"\xff\"} 1", Format::Text).expect_err("not UTF-8");
    assert_eq!((broken.line, broken.column), (2, 6));
}

#[test]
fn families_are_described() {
    let text = "# HELP a Two\\nlines, one \\\\ and \\\"\n# TYPE a counter\na 1\n# HELP b\n\
                # TYPE \"c.d\" gauge\n";
    let found = items(text, Format::Text).expect("valid");
    assert_eq!(
        found[0],
        Item::Help { family: "a".into(), text: "Two\nlines, one \\ and \\\"".into() }
    );
    assert_eq!(found[1], Item::Type { family: "a".into(), kind: MetricType::Counter });
    assert_eq!(found[3], Item::Help { family: "b".into(), text: "".into() });
    assert_eq!(found[4], Item::Type { family: "c.d".into(), kind: MetricType::Gauge });
    assert!(error("# TYPE a counters\n", Format::Text).contains("not a metric type"));
}

#[test]
fn openmetrics_has_units_seconds_exemplars_and_an_end() {
    let text = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds Say \\\"it\\\"\n\
        a_seconds_total{x=\"1\"} 17.0 1520879607.789 # {trace_id=\"KOO5S4vxi0o\"} 0.67 1.5\n\
        a_seconds_total 3 # {} 0.67\n# EOF\n";
    let found = lines(text, Format::OpenMetrics).expect("valid");
    assert_eq!(found[0].2, Some(1_520_879_607_789));
    assert!(found[0].3 && found[1].3);
    assert_eq!(found[1].2, None);
    let described = items(text, Format::OpenMetrics).expect("valid");
    assert_eq!(described[1], Item::Unit { family: "a_seconds".into(), unit: "seconds" });
    assert_eq!(described[2], Item::Help { family: "a_seconds".into(), text: "Say \"it\"".into() });
}

#[test]
fn openmetrics_is_strict_where_prometheus_is() {
    for (text, what) in [
        ("a 1\n", "does not end with # EOF"),
        ("a 1", "does not end with # EOF"),
        ("", "does not end with # EOF"),
        ("# EOF\na 1\n", "after # EOF"),
        ("\n# EOF\n", "no empty lines"),
        ("# a remark\n# EOF\n", "no comments"),
        ("# UNIT a seconds\n# EOF\n", "not a suffix"),
        ("a 1 # {\"b\"} 1\n# EOF\n", "expected a label and its value"),
        ("a 1 # {b=\"c\"}\n# EOF\n", "expected a value"),
    ] {
        let found = error(text, Format::OpenMetrics);
        assert!(found.contains(what), "{text:?}: {found}");
    }
    assert_eq!(lines("# EOF", Format::OpenMetrics), Ok(vec![]));
}

#[test]
fn bounds_are_brought_to_one_form() {
    let text = "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"2.50\"} 1\n\
                a_bucket{le=\"+Inf\"} 1\n# TYPE b gauge\nb{le=\"1\"} 1\n";
    let bounds: Vec<String> =
        lines(text, Format::Text).expect("valid").into_iter().map(|l| l.0[1].1.clone()).collect();
    assert_eq!(bounds, ["1.0", "2.5", "+Inf", "1"]);
    // What Go's strconv.FormatFloat(f, 'g', -1, 64) writes, with .0 added to integers.
    for (value, text) in [
        (0.005, "0.005"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (123_456.0, "123456.0"),
        (1e6, "1e+06"),
        (1.5e7, "1.5e+07"),
        (1e100, "1e+100"),
        (-1.0, "-1.0"),
        (0.0, "0.0"),
    ] {
        assert_eq!(format_bound(value), text);
    }
}

#[test]
fn a_series_text_is_exactly_what_stands_before_the_value() {
    let found = items("a{b=\"}\\\"\"}  1\nc 2\n", Format::Text).expect("valid");
    let series: Vec<&str> = found
        .iter()
        .filter_map(|item| if let Item::Sample(line) = item { Some(line.series) } else { None })
        .collect();
    assert_eq!(series, ["a{b=\"}\\\"\"}", "c"]);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        text in r#"([ab_:."{}=,#\\\n\r\t 01e+-]|HELP|TYPE|# EOF|é|NaN){0,40}"#,
        bytes in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        for format in [Format::Text, Format::OpenMetrics] {
            drop(lines(&text, format));
            if let Ok(parser) = Parser::new(&bytes, format) {
                // An item takes a byte at least, and an error may follow the last.
                prop_assert!(parser.count() <= bytes.len() + 1);
            }
        }
    }

    #[test]
    fn what_is_written_with_escapes_is_read_back(
        name in "[a-z]{1,5}(\\.[a-z]{1,3})?",
        label in "\\PC{1,6}",
        value in "[\\PC\n\"\\\\]{0,10}",
        number in any::<f64>().prop_filter("finite", |n| n.is_finite()),
        millis in any::<i64>(),
    ) {
        let escape = |text: &str| {
            text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
        };
        let text = format!(
            "{{\"{name}\",\"{}\"=\"{}\"}} {number:e} {millis}\n", escape(&label), escape(&value)
        );
        let (labels, found, at, _) = line(&text);
        prop_assert_eq!(labels, pairs(&[("__name__", &name), (&label, &value)]));
        prop_assert_eq!(found, number);
        prop_assert_eq!(at, Some(millis));
    }
}
