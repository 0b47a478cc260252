//! Expected texts are those of promtool 2.42 for the same templates, except where a comment says
//! otherwise.

use proptest::prelude::*;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).expect("valid")
}

/// What the templates below are expanded with: as in the promtool run that gave the texts.
fn expand(text: &str) -> Result<String, String> {
    let template = Template::parse("t", text).map_err(|error| error.to_string())?;
    let y = |b: &str, value: f64| TemplateSample {
        labels: labels(&[("__name__", "y"), ("b", b)]),
        value: Value::Float(value),
    };
    let query = |asked: &str| match asked {
        "sort(y)" | "y" => Ok(vec![y("q", 2.0), y("p", 7.0)]),
        "nothing" => Ok(Vec::new()),
        other => Err(format!("unexpected query {other}")),
    };
    let context = Context {
        labels: &labels(&[("__name__", "x"), ("a", "1")]),
        external_labels: &labels(&[("cluster", "c1")]),
        external_url: "http://example.org/base",
        value: Value::Float(3.25),
        at: Timestamp::from_millis(300_500),
        query: &query,
    };
    template.expand(&context).map_err(|error| error.to_string())
}

#[test]
fn templates_expand_as_in_promtool() {
    for (template, expected) in [
        ("{{ $labels.a }}/{{ $labels.missing }}/{{ .Labels.a }}", "1//1"),
        ("{{ if gt $value 5.0 }}big{{ else if gt $value 2.0 }}mid{{ else }}small{{ end }}", "mid"),
        ("{{ with $labels.nope }}x{{ else }}none{{ end }}", "none"),
        (
            "{{ range $i, $e := query \"sort(y)\" }}{{ $i }}={{ $e.Labels.b }}:{{ .Value }};{{ end }}",
            "0=q:2;1=p:7;",
        ),
        ("{{ range query \"nothing\" }}x{{ else }}empty{{ end }}", "empty"),
        ("{{- /* comment */ -}} a {{- \" b \" -}} c ", "a b c "),
        ("{{ define \"t\" }}[{{ . }}]{{ end }}{{ template \"t\" $labels.a }}", "[1]"),
        ("{{ query \"y\" | sortByLabel \"b\" | first | label \"b\" }}", "p"),
        (
            "{{ print 1 2 \"x\" 3 4 }} {{ println \"a\" 1 }}|{{ len $labels.a }} {{ index $labels \"a\" }}",
            "1 2x3 4 a 1\n|1 1",
        ),
        (
            "{{ title \"hello wORLD foo-bar\" }} {{ toUpper \"abc\" }} {{ toLower \"ABC\" }}",
            "Hello WORLD Foo-Bar ABC abc",
        ),
        (
            "{{ stripPort \"[::1]:80\" }} {{ stripPort \"a:80\" }} {{ stripPort \"::1\" }} {{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"10.0.0.1:80\" }}",
            "::1 a ::1 a:80 10.0.0.1:80",
        ),
        (
            "{{ match \"a.*\" \"xabc\" }} {{ reReplaceAll \"(a)(b)\" \"${2}$1\" \"abab\" }}",
            "true baba",
        ),
        ("{{ graphLink \"up == 1\" }}", "/graph?g0.expr=up+%3D%3D+1&g0.tab=0"),
        ("{{ tableLink \"sum(x)\" }}", "/graph?g0.expr=sum%28x%29&g0.tab=1"),
        (
            "{{ parseDuration \"1h30m\" }} {{ $value | toTime }} {{ ($value | toTime).Year }}",
            "5400 1970-01-01 00:00:03.25 +0000 UTC 1970",
        ),
        (
            "{{ and 1 0 }} {{ or 0 \"x\" }} {{ not true }} {{ eq \"a\" \"b\" \"a\" }} {{ ne 1 2 }}",
            "0 x false true true",
        ),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        (
            "{{ printf \"%s has %v (%5.1f%%) %q %t %08.3f %+v %-5d| %d\" $labels.a $value $value \"q\" true 3.14159 \"s\" 42 \"no\" }}",
            "1 has 3.25 (  3.2%) \"q\" true 0003.142 s 42   | %!d(string=no)",
        ),
        ("{{ args 1 \"b\" }} {{ (args 1 \"b\").arg1 }}", "map[arg0:1 arg1:b] b"),
        (
            "{{ humanize 0.0 }} {{ humanize 999.99 }} {{ humanize 1e30 }} {{ humanize -1234.0 }} {{ humanizeDuration 59.999 }} {{ humanizeDuration -90061.0 }} {{ humanizeDuration 0.0005 }}",
            "0 1000 1e+06Y -1.234k 60s -1d 1h 1m 1s 500us",
        ),
        (
            "{{ humanize1024 1048576.0 }} {{ humanizePercentage 0.12345 }} {{ humanizeTimestamp 1435065584.128 }}",
            "1Mi 12.35% 2015-06-23 13:19:44.128 +0000 UTC",
        ),
        ("{{ humanize \"12345\" }} {{ humanize1024 2048 }}", "12.35k 2ki"),
        ("{{ range $k, $v := $labels }}{{ $k }}={{ $v }},{{ end }}", "__name__=x,a=1,"),
        (
            "{{ printf \"%d\" $value }} {{ printf \"%s\" $value }} {{ printf \"%v\" $labels }}",
            "%!d(float64=3.25) %!s(float64=3.25) map[__name__:x a:1]",
        ),
        (
            "{{ html \"<a>\" }} {{ urlquery \"a b&c\" }} {{ js \"it's\" }} {{ slice \"abcdef\" 1 3 }}",
            "&lt;a&gt; a+b%26c it\\'s bc",
        ),
        (
            "{{ \"quoted\" | printf \"%q\" }} {{ true }} {{ 1.50 }} {{ 'a' }}",
            "\"quoted\" true 1.5 97",
        ),
        ("{{ block \"bb\" \"dot\" }}<{{ . }}>{{ end }}", "<dot>"),
        (
            "{{ range $i, $e := query \"sort(y)\" }}{{ if eq $i 1 }}{{ break }}{{ end }}{{ $i }}{{ end }}",
            "0",
        ),
        ("{{ with query \"y\" }}{{ . | first | value | humanize }}{{ end }}", "2"),
        // From here on not from promtool 2.42, which has no `now` and no external URL in tests:
        // by the documentation of template functions and of Go's packages.
        (
            "{{ now }} {{ externalURL }} {{ pathPrefix }} {{ $externalURL }}",
            "300.5 http://example.org/base /base http://example.org/base",
        ),
        ("{{ $externalLabels.cluster }}", "c1"),
        (
            "{{ toDuration 90.5 }} {{ toDuration 0.25 }} {{ urlQueryEscape \"a b\" }}",
            "1m30.5s 250ms a+b",
        ),
        (
            "{{ (toTime 1435065584.0).Format \"2006-01-02T15:04:05Z07:00\" }}",
            "2015-06-23T13:19:44Z",
        ),
        (
            "{{ with $x := 5 }}{{ $x }}{{ end }}{{ range $i := query \"y\" }}{{ $i.Value }}{{ continue }}no{{ end }}",
            "527",
        ),
    ] {
        assert_eq!(expand(template).as_deref(), Ok(expected), "{template}");
    }
}

/// The numbers and texts are those of promtool 2.42.
#[test]
fn numbers_are_written_as_go_writes_them() {
    for (value, expected) in [
        (1_234_567.5, "1.2345675e+06|1.23e+06|1.234568e+06|1234567.50|1234567.5"),
        (0.000_012_34, "1.234e-05|1.23e-05|1.234000e-05|0.00|  0.0"),
        (1_000_000.0, "1e+06|1e+06|1.000000e+06|1000000.00|1000000.0"),
    ] {
        use printf::sprintf;
        let args = vec![Value::Float(value); 5];
        assert_eq!(sprintf("%v|%.3g|%e|%.2f|%5.1f", &args).as_deref(), Ok(expected));
    }
}

#[test]
fn faults_are_found_when_a_template_is_read() {
    for (template, expected) in [
        ("{{ foo 1 }}", "template: t:1: function \"foo\" not defined"),
        ("a\n{{ $nope }}", "template: t:2: undefined variable \"$nope\""),
        ("{{ if true }}x", "template: t:1: unexpected EOF"),
        ("{{ end }}", "template: t:1: unexpected {{end}}"),
        ("{{ $labels.a ", "template: t:1: unclosed action"),
        ("{{ \"x }}", "template: t:1: unterminated quoted string"),
        ("{{ /* x }}", "template: t:1: unclosed comment"),
        ("{{ }}", "template: t:1: missing value for command"),
        ("{{ break }}", "template: t:1: {{break}} outside {{range}}"),
    ] {
        assert_eq!(expand(template).expect_err(template), expected);
    }
}

#[test]
fn faults_while_a_template_runs_are_told() {
    for (template, expected) in [
        ("{{ gt $value 5 }}", "error calling gt: incompatible types for comparison"),
        ("{{ first (query \"nothing\") }}", "first() called on vector with no elements"),
        ("{{ reReplaceAll \"(\" \"\" \"a\" }}", "error parsing regexp"),
        ("{{ template \"nope\" }}", "template \"nope\" not defined"),
        ("{{ $value.Foo }}", "can't evaluate field Foo in type float64"),
        ("{{ humanize $labels }}", "can't convert map[string]string to float"),
    ] {
        let error = expand(template).expect_err(template);
        assert!(error.contains(expected), "{template}: {error}");
    }
}

#[test]
fn a_template_cannot_run_away() {
    for template in [
        "{{ range 1000000 }}{{ range 1000000 }}x{{ end }}{{ end }}",
        "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
        "{{ printf \"%1000000d\" 1 }}",
        "{{ range 1000 }}{{ printf \"%9000d\" 1 }}{{ end }}",
    ] {
        assert!(expand(template).is_err(), "{template}");
    }
    let nested = format!("{}x{}", "{{ if true }}".repeat(500), "{{ end }}".repeat(500));
    assert!(expand(&nested).is_err());
    assert!(expand(&format!("{{{{ {}1{} }}}}", "(".repeat(500), ")".repeat(500))).is_err());
}

const PIECES: [&str; 40] = [
    "{{", "}}", "{{-", "-}}", " ", "if", "else", "end", "range", "with", "define", "template",
    "break", "$value", "$labels", "$x", ":=", "=", "|", "(", ")", ",", ".", ".a", "\"a\"", "`b`",
    "'c'", "1", "-2.5e3", "0x1f", "printf", "humanize", "/*", "*/", "\n", "é", "\"", "'", "index",
    "title",
];

proptest! {
    #[test]
    fn no_text_makes_a_template_panic(
        pieces in proptest::collection::vec(0..PIECES.len(), 0..40),
        spaced in any::<bool>(),
    ) {
        let words: Vec<&str> = pieces.iter().map(|place| PIECES[*place]).collect();
        let text = words.join(if spaced { " " } else { "" });
        let _ = expand(&text);
        let _ = expand(&format!("{{{{ {text} }}}}"));
    }

    #[test]
    fn no_text_makes_a_rule_file_panic(text in "[-a-z0-9:{}\\[\\]&*|>'\"\n #,!%é]{0,60}") {
        let _ = crate::rules::RuleFile::parse("f", &text);
        let _ = crate::rules::unit_test::TestFile::parse("f", &format!("tests:\n- {text}"));
    }
}
