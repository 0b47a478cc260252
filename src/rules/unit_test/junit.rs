//! Results for machines: JUnit's XML, as promtool writes it.

use super::run::TestResult;

/// One document for the results of several test files: a suite per file, a case per test.
pub fn junit(files: &[(String, Result<Vec<TestResult>, String>)]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (name, results) in files {
        let (tests, failures, errors) = match results {
            Ok(results) => {
                (results.len(), results.iter().filter(|r| !r.failures.is_empty()).count(), 0)
            }
            Err(_) => (0, 0, 1),
        };
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n",
            escape(name)
        ));
        match results {
            Err(error) => {
                out.push_str(&format!("    <system-err>{}</system-err>\n", escape(error)));
            }
            Ok(results) => results.iter().for_each(|result| case(&mut out, result)),
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(out: &mut String, result: &TestResult) {
    let name = escape(&result.name);
    if result.failures.is_empty() {
        out.push_str(&format!("    <testcase name=\"{name}\"/>\n"));
        return;
    }
    out.push_str(&format!("    <testcase name=\"{name}\">\n"));
    for failure in &result.failures {
        out.push_str(&format!("      <failure>{}</failure>\n", escape(failure)));
    }
    out.push_str("    </testcase>\n");
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            // XML 1.0 has no place for other control characters.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
