//! Conditions on an alert's labels, as people write them.
//!
//! The syntax is Alertmanager's. A text that its classic parser takes means what it meant there
//! (`pkg/labels/parse.go`); names beyond the classic alphabet are written plainly or in quotes, as
//! its newer parser has them (`matcher/parse/parse.go`). Where both would take a text and differ,
//! the classic meaning wins there too (`matcher/compat/parse.go`).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{Labels, MatchOp, Matcher, is_classic_label_name, unquote};

/// Matchers of one object: bounds the work per alert.
const MATCHERS_MAX: usize = 100;
/// Bytes of one text with matchers.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// Matchers that must all hold. In JSON and TOML a list of texts (`severity="critical"`,
/// `instance=~"web.*"`; quotes may be left out), or one text (`{severity="critical",job="a"}`), or
/// an object of labels that must be equal, or Alertmanager's list of
/// `{name, value, isRegex, isEqual}`. Written as a list of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers(pub Vec<Matcher>);

impl Matchers {
    /// Whether all hold; true of none.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.matches_labels(labels))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they choose at all, as a silence must (`validateSilence` in Alertmanager's
    /// `silence/silence.go`): one that would hold of every alert was hardly meant.
    ///
    /// # Errors
    ///
    /// Alertmanager's words for what is missing.
    pub fn check_choosy(&self) -> Result<(), String> {
        if self.0.is_empty() {
            return Err("at least one matcher required".to_owned());
        }
        let asks_nothing = |matcher: &Matcher| match matcher.op() {
            MatchOp::Equal | MatchOp::Regex => matcher.matches(""),
            MatchOp::NotEqual | MatchOp::NotRegex => false,
        };
        if self.0.iter().all(asks_nothing) {
            return Err("at least one matcher must not match the empty string".to_owned());
        }
        Ok(())
    }

    /// Reads a whole text: `{a="b", c=~"d"}`. The braces may be left out, and a comma may end it.
    ///
    /// # Errors
    ///
    /// Says which part is no matcher, and how one is written.
    pub fn parse(text: &str) -> Result<Matchers, String> {
        check_length(text)?;
        let inner = text.trim();
        let inner = inner.strip_prefix('{').unwrap_or(inner);
        let inner = inner.strip_suffix('}').unwrap_or(inner);
        let mut parts = split(inner);
        // What follows the last comma may be nothing.
        parts.pop_if(|last| last.trim().is_empty());
        if parts.len() > MATCHERS_MAX {
            return Err(format!(
                "{} matchers are too many; {MATCHERS_MAX} may be given",
                parts.len()
            ));
        }
        parts.into_iter().map(Matchers::parse_one).collect::<Result<_, _>>().map(Matchers)
    }

    /// Reads one: `name op value`.
    ///
    /// # Errors
    ///
    /// Says what was expected where.
    pub fn parse_one(text: &str) -> Result<Matcher, String> {
        check_length(text)?;
        let bad = |what: &str| {
            format!(
                "bad matcher format: {text}: {what}; write name=\"value\", or with !=, =~ or !~"
            )
        };
        let (name, is_quoted, rest) = read_name(text.trim()).ok_or_else(|| bad("no label name"))?;
        if name.is_empty() {
            return Err(bad("no label name"));
        }
        let ops = [
            ("=~", MatchOp::Regex),
            ("!~", MatchOp::NotRegex),
            ("!=", MatchOp::NotEqual),
            ("=", MatchOp::Equal),
        ];
        let (op, value) = ops
            .into_iter()
            .find_map(|(sign, op)| Some((op, rest.strip_prefix(sign)?)))
            .ok_or_else(|| bad("no operator after the name"))?;
        let value = value.trim();
        let value = if is_quoted && value.starts_with('"') {
            quoted(value).ok_or_else(|| bad("the value's quotes or escapes are broken"))?
        } else {
            classic_value(value).map_err(bad)?
        };
        Matcher::new(name, op, value).map_err(|error| format!("bad matcher: {text}: {error}"))
    }
}

fn check_length(text: &str) -> Result<(), String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("matchers of more than {TEXT_BYTES_MAX} bytes; give fewer or shorter"));
    }
    Ok(())
}

/// Splits at commas outside of quotes; `\"` neither begins nor ends a quote.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            ',' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
                escaped = false;
            }
            '"' if !escaped => quoted = !quoted,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
        if c == '"' {
            escaped = false;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A name, whether it stood in quotes, and what follows it without leading space.
fn read_name(text: &str) -> Option<(String, bool, &str)> {
    if text.starts_with('"') {
        let end = closing_quote(text)?;
        let name = quoted(&text[..=end])?;
        return Some((name, true, text[end + 1..].trim_start()));
    }
    // Whatever has a meaning in the notation must stand in quotes (`isReserved` in
    // `matcher/parse/lexer.go`).
    let end = text.find(|c: char| c.is_whitespace() || "{}!=~,\\\"'`".contains(c))?;
    Some((text[..end].to_owned(), false, text[end..].trim_start()))
}

/// The byte at which a quote that begins the text is closed.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return Some(at),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// A value as the classic parser reads it: `\"`, `\\` and `\n` are escapes, any other backslash
/// is itself (so that `\d` needs no second one), and a quote stands at both ends or nowhere.
fn classic_value(text: &str) -> Result<String, &'static str> {
    const QUOTE: &str = "the value contains an unescaped double quote";
    let inner = match text.strip_prefix('"') {
        None => text,
        Some(_) if closing_quote(text) == Some(text.len() - 1) => &text[1..text.len() - 1],
        Some(_) => return Err(QUOTE),
    };
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some(&escaped @ ('"' | '\\'))) => {
                out.push(escaped);
                rest.next();
            }
            ('\\', Some('n')) => {
                out.push('\n');
                rest.next();
            }
            ('"', _) => return Err(QUOTE),
            _ => out.push(c),
        }
    }
    Ok(out)
}

/// A text in double quotes, which end where it does.
fn quoted(text: &str) -> Option<String> {
    if text.len() < 2 || closing_quote(text)? != text.len() - 1 {
        return None;
    }
    unquote(text)
}

/// A matcher as text that [`Matchers::parse_one`] and Alertmanager read back.
struct Written<'m>(&'m Matcher);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |f: &mut fmt::Formatter<'_>, text: &str| {
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            write!(f, "\"{text}\"")
        };
        let name = self.0.name();
        if is_classic_label_name(name) {
            f.write_str(name)?;
        } else {
            quote(f, name)?;
        }
        f.write_str(self.0.op().as_str())?;
        quote(f, self.0.value())
    }
}

impl fmt::Display for Matchers {
    /// `{a="b",c=~"d"}`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, matcher) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            write!(f, "{}", Written(matcher))?;
        }
        f.write_str("}")
    }
}

impl Serialize for Matchers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|matcher| Written(matcher).to_string()))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum One {
    Text(String),
    #[serde(rename_all = "camelCase")]
    Object {
        name: String,
        value: String,
        #[serde(default)]
        is_regex: bool,
        #[serde(default = "yes")]
        is_equal: bool,
    },
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "matchers: a list of texts such as \"job=~\\\"a.*\\\"\", one text \
    with all, an object of labels, or Alertmanager's list of objects"
)]
enum Form {
    Text(String),
    List(Vec<One>),
    Equal(std::collections::BTreeMap<String, String>),
}

impl One {
    fn read(self) -> Result<Vec<Matcher>, String> {
        match self {
            One::Text(text) => Matchers::parse(&text).map(|matchers| matchers.0),
            One::Object { name, .. } if name.is_empty() => {
                Err("invalid label name \"\"; a matcher names a label".to_owned())
            }
            One::Object { name, value, is_regex, is_equal } => {
                let op = match (is_regex, is_equal) {
                    (false, true) => MatchOp::Equal,
                    (false, false) => MatchOp::NotEqual,
                    (true, true) => MatchOp::Regex,
                    (true, false) => MatchOp::NotRegex,
                };
                let made = Matcher::new(name, op, value).map_err(|error| error.to_string())?;
                Ok(vec![made])
            }
        }
    }
}

impl<'de> Deserialize<'de> for Matchers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = match Form::deserialize(deserializer)? {
            Form::Text(text) => Matchers::parse(&text).map(|matchers| matchers.0),
            Form::List(list) => {
                list.into_iter().map(One::read).collect::<Result<Vec<_>, _>>().map(|l| l.concat())
            }
            Form::Equal(map) => Ok(map.into_iter().map(|(n, v)| Matcher::equal(n, v)).collect()),
        };
        let matchers = read.map_err(serde::de::Error::custom)?;
        if matchers.len() > MATCHERS_MAX {
            let error = format!("{} matchers; {MATCHERS_MAX} may be given", matchers.len());
            return Err(serde::de::Error::custom(error));
        }
        Ok(Matchers(matchers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_from_each_form_and_written_as_texts() {
        let forms = [
            r#"["a=\"b\"", "c=~d.*", "e!=\"f g\""]"#,
            r#"["{a=\"b\", c=~\"d.*\"}", "e!=\"f g\""]"#,
            r#""{ a = b , c=~\"d.*\",e!=f g, }""#,
            r#"[{"name":"a","value":"b"},{"name":"c","value":"d.*","isRegex":true},
                {"name":"e","value":"f g","isEqual":false}]"#,
        ];
        for form in forms {
            let matchers: Matchers = serde_json::from_str(form).expect(form);
            assert_eq!(matchers.to_string(), r#"{a="b",c=~"d.*",e!="f g"}"#);
            let written = serde_json::to_string(&matchers).expect("written");
            assert_eq!(serde_json::from_str::<Matchers>(&written).expect("read"), matchers);
        }
        let equal: Matchers = serde_json::from_str(r#"{"a":"b"}"#).expect("read");
        let labels = Labels::from_pairs([("a", "b")]).expect("valid");
        assert!(equal.matches(&labels) && !equal.matches(&Labels::empty()));
    }

    /// Expected values from the comments and tests of Alertmanager's `pkg/labels/parse_test.go`
    /// and `matcher/parse/parse_test.go`.
    #[test]
    fn texts_mean_what_they_mean_to_alertmanager() {
        type Read = (&'static str, &'static str, &'static str);
        let cases: &[(&str, &[Read])] = &[
            ("", &[]),
            ("{}", &[]),
            ("foo=bar,dings!=bums", &[("foo", "=", "bar"), ("dings", "!=", "bums")]),
            (
                r#"{foo = "bar", dings != "bums", }"#,
                &[("foo", "=", "bar"), ("dings", "!=", "bums")],
            ),
            (r#"{foo=""}"#, &[("foo", "=", "")]),
            ("foo=", &[("foo", "=", "")]),
            (r#"statuscode=~"5..""#, &[("statuscode", "=~", "5..")]),
            (r#"trickier==\\=\=\""#, &[("trickier", "=", r#"=\=\=""#)]),
            (r#"contains_quote != "\"foo,bar""#, &[("contains_quote", "!=", "\"foo,bar")]),
            (r#"foo=~"\d+\.x""#, &[("foo", "=~", r"\d+\.x")]),
            (r#"{job="x",value="a\nb\\"}"#, &[("job", "=", "x"), ("value", "=", "a\nb\\")]),
            (r#"{"foo bar"="a\tb","🙂"!="x"}"#, &[("foo bar", "=", "a\tb"), ("🙂", "!=", "x")]),
            ("foo.bar=baz", &[("foo.bar", "=", "baz")]),
            (r#"{a="{b}"}"#, &[("a", "=", "{b}")]),
        ];
        for (text, expected) in cases {
            let read = Matchers::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let read: Vec<_> =
                read.0.iter().map(|m| (m.name(), m.op().as_str(), m.value())).collect();
            assert_eq!(read, *expected, "{text}");
        }
    }

    #[test]
    fn whatever_is_written_is_read_back() {
        let odd =
            ["", "a", "\"", "\\", "\\n", "a\nb", "\t\u{200b}é", "x,y}", "{", "\\\"", "\\d", "'"];
        for name in odd.iter().filter(|name| !name.is_empty()) {
            for value in odd {
                let matchers =
                    Matchers(vec![Matcher::equal(*name, value), Matcher::equal("b", value)]);
                let text = matchers.to_string();
                assert_eq!(Matchers::parse(&text).as_ref(), Ok(&matchers), "{text}");
                let json = serde_json::to_string(&matchers).expect("written");
                assert_eq!(serde_json::from_str::<Matchers>(&json).expect("read"), matchers);
            }
        }
    }

    #[test]
    fn a_text_that_is_no_matcher_is_refused_with_the_form() {
        let broken =
            ["", "a", "=b", "a!b", "a=\"b", "a=b\"", "a=~(", "a=\"b\"c", "\"a=b", "\"\"=b"];
        for text in broken {
            let error = Matchers::parse_one(text).expect_err(text);
            let quoted = format!("{text:?}");
            assert!(error.contains(text) || error.contains(&quoted), "{error}");
        }
        for text in ["{a=b,,c=d}", "{a}", "a=b,c", ","] {
            assert!(Matchers::parse(text).is_err(), "{text:?} was accepted");
        }
        let many = format!("{{{}}}", "a=b,".repeat(MATCHERS_MAX + 1));
        assert!(Matchers::parse(&many).is_err());
    }

    #[test]
    fn matchers_of_a_silence_must_choose() {
        for (text, chooses) in [
            ("{}", false),
            ("a=\"\"", false),
            ("a=~\".*\"", false),
            ("a=\"\",b=~\"x?\"", false),
            ("a=b", true),
            ("a=~\".+\"", true),
            ("a=\"\",b=c", true),
            // As Alertmanager has it, although this holds of alerts without the label.
            ("a!=b", true),
        ] {
            let matchers = Matchers::parse(text).expect(text);
            assert_eq!(matchers.check_choosy().is_ok(), chooses, "{text}");
        }
    }
}
