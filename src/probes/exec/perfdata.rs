//! Performance data of Nagios plugins.
//!
//! The form is that of the Monitoring Plugins development guidelines, "Performance data":
//! `'label'=value[UOM];[warn];[crit];[min];[max]`, separated by spaces, after a `|`.

/// So many values of one plugin are kept.
const VALUES_MAX: usize = 64;

/// One value that a plugin measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    /// The label in capitals, with `_` for what is no letter or digit: its place in conditions.
    pub(super) place: String,
    /// The number as it is written, whatever its unit.
    pub(super) value: f64,
    /// `s`, `ms`, `%`, `B`, `c`… or nothing.
    pub(super) unit: String,
}

/// Reads what stands after the `|` of the first line, and after the next one in the lines that
/// follow. What does not have the form is passed over: a plugin's text is for people.
pub(super) fn perfdata(output: &str) -> Vec<Measured> {
    let (first, rest) = output.split_once('\n').unwrap_or((output, ""));
    let first = first.split_once('|').map_or("", |(_, data)| data);
    let rest = rest.split_once('|').map_or("", |(_, data)| data);
    let mut out: Vec<Measured> = Vec::new();
    for measured in [first, rest].into_iter().flat_map(entries) {
        let known = out.iter().any(|other| other.place == measured.place);
        if !known && out.len() < VALUES_MAX {
            out.push(measured);
        }
    }
    out
}

fn entries(text: &str) -> Vec<Measured> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (label, after) = if let Some(quoted) = rest.strip_prefix('\'') {
            // Two quotes within quotes are one.
            let mut end = quoted.find('\'').unwrap_or(quoted.len());
            while quoted[end..].starts_with("''") {
                end = quoted[end + 2..].find('\'').map_or(quoted.len(), |next| end + 2 + next);
            }
            (&quoted[..end], quoted[end..].strip_prefix('\'').unwrap_or(""))
        } else {
            let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
            rest.split_at(end)
        };
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        if let Some(measured) = after[..end].strip_prefix('=').and_then(|v| measure(label, v)) {
            out.push(measured);
        }
        rest = after[end..].trim_start();
    }
    out
}

fn measure(label: &str, text: &str) -> Option<Measured> {
    let text = text.split(';').next()?;
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+')))
        .unwrap_or(text.len());
    // Some locales write a comma.
    let value: f64 = text[..end].replace(',', ".").parse().ok()?;
    Some(Measured { place: place(label), value, unit: text[end..].chars().take(16).collect() })
}

/// `/var/log` is `VAR_LOG`, and `/` is `ROOT`.
fn place(label: &str) -> String {
    let name: String = label
        .chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    match name.trim_matches('_') {
        "" => "ROOT".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(output: &str) -> Vec<(String, f64, String)> {
        perfdata(output).into_iter().map(|m| (m.place, m.value, m.unit)).collect()
    }

    fn value(place: &str, value: f64, unit: &str) -> (String, f64, String) {
        (place.to_owned(), value, unit.to_owned())
    }

    #[test]
    fn the_examples_of_the_plugins_are_read() {
        assert_eq!(
            found("OK - load average: 0.10, 0.20 |load1=0.100;5.000;10.000;0; load5=0.2;4;6;0;"),
            [value("LOAD1", 0.1, ""), value("LOAD5", 0.2, "")]
        );
        assert_eq!(
            found("PING OK - RTA = 0.80 ms|percent_packet_loss=0% rta=0.80ms;1;2;0"),
            [value("PERCENT_PACKET_LOSS", 0.0, "%"), value("RTA", 0.8, "ms")]
        );
    }

    #[test]
    fn lines_that_follow_add_to_the_first() {
        let output = "DISK OK | /=2643MB;5948;5958;0;5968\n/ 15272 MB (77%);\n/boot 68 MB\n\
                      /home 69357 MB | '/boot'=68MB;88;93;0;98\n'/home dir'=69357MB;253404";
        assert_eq!(
            found(output),
            [
                value("ROOT", 2643.0, "MB"),
                value("BOOT", 68.0, "MB"),
                value("HOME_DIR", 69357.0, "MB")
            ]
        );
    }

    #[test]
    fn quotes_within_labels_and_unknown_values_are_stepped_over() {
        assert_eq!(
            found("OK | 'it''s a=b'=1 unknown=U broken 'open=2 also=3"),
            [value("IT__S_A_B", 1.0, "")]
        );
        assert!(found("OK, nothing measured").is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text: String, likely in "[|'=;a-z0-9\\. \n]{0,80}") {
            let _ = perfdata(&text);
            let _ = perfdata(&likely);
            let measured = perfdata(&["|", &likely].concat());
            prop_assert!(measured.len() <= VALUES_MAX);
        }
    }
}
