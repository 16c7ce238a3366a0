//! JUnit's XML, as build servers read it.

use std::{fmt::Write as _, path::Path};

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Not as it should be: how it differs.
    Failed(String),
    /// It could not be run: why.
    Broken(String),
}

/// One test.
pub struct Case<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it is written.
    pub file: &'a Path,
    /// What became of it.
    pub outcome: &'a Outcome,
}

/// Tests that belong together.
pub struct Suite<'a> {
    /// Their name.
    pub name: &'a str,
    /// In order.
    pub cases: Vec<Case<'a>>,
}

impl Suite<'_> {
    fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.cases.iter().filter(|case| is(case.outcome)).count()
    }
}

/// The document. Times are 0: stories take none that would mean anything.
pub fn document(suites: &[Suite<'_>]) -> String {
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
    let broken = |outcome: &Outcome| matches!(outcome, Outcome::Broken(_));
    let sum = |count: &dyn Fn(&Suite<'_>) -> usize| suites.iter().map(count).sum::<usize>();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"kulanz policy test\" tests=\"{}\" failures=\"{}\" errors=\"{}\" \
         time=\"0\">",
        sum(&|suite| suite.cases.len()),
        sum(&|suite| suite.count(failed)),
        sum(&|suite| suite.count(broken))
    );
    for suite in suites {
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" \
             time=\"0\">",
            escaped(suite.name),
            suite.cases.len(),
            suite.count(failed),
            suite.count(broken)
        );
        for Case { name, file, outcome } in &suite.cases {
            let (name, class) = (escaped(name), escaped(suite.name));
            let file = escaped(&file.display().to_string());
            let open = format!(
                "    <testcase name=\"{name}\" classname=\"{class}\" file=\"{file}\" time=\"0\""
            );
            let (element, text) = match outcome {
                Outcome::Passed => {
                    let _ = writeln!(xml, "{open}/>");
                    continue;
                }
                Outcome::Failed(text) => ("failure", text),
                Outcome::Broken(text) => ("error", text),
            };
            let first = text.lines().find(|line| !line.starts_with(' ')).unwrap_or_default();
            let _ = writeln!(
                xml,
                "{open}>\n      <{element} message=\"{}\">{}</{element}>\n    </testcase>",
                escaped(first),
                escaped(text)
            );
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Text as it may stand in an element or an attribute; what XML 1.0 has no place for is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' => out.push(c),
            '\r' => out.push_str("&#13;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_gives_a_meaning_to_is_escaped_and_what_it_cannot_hold_is_replaced() {
        let failed = Outcome::Failed("  told\n- a < b & \"c\" \u{1b}[31m ]]>\n".to_owned());
        let cases = vec![
            Case { name: "x & <y>", file: Path::new("p/tests/x.yaml"), outcome: &failed },
            Case { name: "z", file: Path::new("p/tests/z.yaml"), outcome: &Outcome::Passed },
        ];
        let xml = document(&[Suite { name: "p'q", cases }]);
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuites name=\"kulanz policy test\" tests=\"2\" failures=\"1\" errors=\"0\" \
            time=\"0\">\n  <testsuite name=\"p&apos;q\" tests=\"2\" failures=\"1\" errors=\"0\" \
            skipped=\"0\" time=\"0\">\n    <testcase name=\"x &amp; &lt;y&gt;\" \
            classname=\"p&apos;q\" file=\"p/tests/x.yaml\" time=\"0\">\n      <failure \
            message=\"- a &lt; b &amp; &quot;c&quot; \u{fffd}[31m ]]&gt;\">  told\n- a &lt; b \
            &amp; &quot;c&quot; \u{fffd}[31m ]]&gt;\n</failure>\n    </testcase>\n    <testcase \
            name=\"z\" classname=\"p&apos;q\" file=\"p/tests/z.yaml\" time=\"0\"/>\n  \
            </testsuite>\n</testsuites>\n";
        assert_eq!(xml, expected);
    }
}
