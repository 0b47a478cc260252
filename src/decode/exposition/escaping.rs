//! Names for readers that do not know UTF-8 names (`common/model/metric.go`, `EscapeName`).

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::model::is_classic_metric_name;

/// What is done to names that are not classic: the parameter `escaping` of `Accept`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escaping {
    /// Nothing; they are quoted.
    AllowUtf8,
    /// Every character that is not classic becomes an underscore.
    #[default]
    Underscores,
    /// `.` becomes `_dot_`, an underscore two, everything else two as well.
    Dots,
    /// `U__`, and the code point in hexadecimal between underscores.
    Values,
}

impl Escaping {
    /// The escaping of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];
        all.into_iter().find(|escaping| escaping.as_str() == name)
    }

    /// Its name in `Accept` and `Content-Type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Escaping::AllowUtf8 => "allow-utf-8",
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
        }
    }

    /// The name as it is written, of a metric or a label.
    pub fn apply(self, name: &str) -> Cow<'_, str> {
        // Dots double underscores even where all of the name is classic, so that it can be undone.
        let is_kept = match self {
            Escaping::AllowUtf8 => true,
            Escaping::Underscores | Escaping::Values => is_classic_metric_name(name),
            Escaping::Dots => name.is_empty(),
        };
        if is_kept {
            return Cow::Borrowed(name);
        }
        let mut out = String::with_capacity(name.len() + 8);
        if self == Escaping::Values {
            out.push_str("U__");
        }
        for (place, c) in name.chars().enumerate() {
            let is_classic = c.is_ascii_alphabetic()
                || matches!(c, '_' | ':')
                || (c.is_ascii_digit() && place > 0);
            match (self, c) {
                (Escaping::Dots | Escaping::Values, '_') => out.push_str("__"),
                (Escaping::Dots, '.') => out.push_str("_dot_"),
                (_, c) if is_classic => out.push(c),
                (Escaping::Dots, _) => out.push_str("__"),
                // Writing to a String cannot fail.
                (Escaping::Values, c) => drop(write!(out, "_{:x}_", u32::from(c))),
                _ => out.push('_'),
            }
        }
        Cow::Owned(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected forms follow the documentation of Prometheus on content negotiation ("Escaping
    /// schemes").
    #[test]
    fn names_are_escaped_as_the_reader_asks() {
        for (name, underscores, dots, values) in [
            ("up", "up", "up", "up"),
            ("a_b", "a_b", "a__b", "a_b"),
            ("http.status", "http_status", "http_dot_status", "U__http_2e_status"),
            ("a_b.c", "a_b_c", "a__b_dot_c", "U__a__b_2e_c"),
            ("1a", "_a", "__a", "U___31_a"),
            ("é:x", "_:x", "__:x", "U___e9_:x"),
        ] {
            assert_eq!(Escaping::Underscores.apply(name), underscores);
            assert_eq!(Escaping::Dots.apply(name), dots);
            assert_eq!(Escaping::Values.apply(name), values);
            assert_eq!(Escaping::AllowUtf8.apply(name), name);
        }
    }
}
