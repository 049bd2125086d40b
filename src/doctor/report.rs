use std::fmt;

use rolecall_core::{ErrorKind, printable};
use serde_json::{Value, json};

use super::{Finding, Severity};

/// What [`super::diagnose`] has found, the worst first.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    findings: Vec<Finding>,
}

impl Diagnosis {
    pub(super) fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| match finding.severity {
            Severity::Error(_) => 0,
            Severity::Warning => 1,
            Severity::Info => 2,
        });
        Self { findings }
    }

    /// All findings: errors, then warnings, then what is well.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The kind of the first error, which decides the exit code; `None` if there is none.
    pub fn first_error(&self) -> Option<ErrorKind> {
        self.findings.iter().find_map(|finding| match finding.severity {
            Severity::Error(kind) => Some(kind),
            _ => None,
        })
    }

    /// `{"errors": number, "warnings": number, "findings": [{"severity", "kind", "check", "what",
    /// "evidence", "fix"}]}`.
    pub fn to_json(&self) -> Value {
        let findings = self.findings.iter().map(|finding| {
            let kind = match finding.severity {
                Severity::Error(kind) => Some(kind.name()),
                _ => None,
            };
            json!({
                "severity": finding.severity.name(),
                "kind": kind,
                "check": finding.check,
                "what": finding.what,
                "evidence": finding.evidence,
                "fix": finding.fix,
            })
        });
        json!({
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "findings": findings.collect::<Vec<_>>(),
        })
    }

    fn count(&self, severity: &str) -> usize {
        self.findings.iter().filter(|finding| finding.severity.name() == severity).count()
    }
}

/// A line for each finding and one for its fix, aligned.
impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.iter().all(|finding| finding.severity == Severity::Info) {
            writeln!(f, "Nothing is wrong.")?;
        }
        let width = self.findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
        for finding in &self.findings {
            let name = match finding.severity {
                Severity::Info if finding.fix.is_none() => "ok",
                severity => severity.name(),
            };
            write!(f, "{name:7}  {:width$}  {}", finding.check, shown(&finding.what))?;
            match &finding.evidence {
                Some(evidence) => writeln!(f, " ({})", shown(evidence))?,
                None => writeln!(f)?,
            }
            if let Some(fix) = &finding.fix {
                writeln!(f, "{:7}  {:width$}  fix: {}", "", "", shown(fix))?;
            }
        }
        Ok(())
    }
}

/// What files and peers say, fit for a terminal.
fn shown(text: &str) -> String {
    printable(text, 4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_first_and_the_first_decides() {
        let found = Diagnosis::new(vec![
            Finding::info("region", "us-east-1"),
            Finding::info("proxy", "hint").fix("set it"),
            Finding::warning("files", "open").evidence("/a\u{1b}[0m").fix("chmod 600 /a"),
            Finding::error(ErrorKind::Denied, "tokens", "ended"),
            Finding::error(ErrorKind::Unavailable, "sts", "gone"),
        ]);
        assert_eq!(found.first_error(), Some(ErrorKind::Denied));
        let text = found.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "error    tokens  ended");
        assert_eq!(lines[1], "error    sts     gone");
        assert!(lines[2].starts_with("warning  files   open (/a") && !text.contains('\u{1b}'));
        assert_eq!(lines[3], "                 fix: chmod 600 /a");
        assert_eq!(lines[4], "ok       region  us-east-1");
        assert_eq!(lines[5..], ["info     proxy   hint", "                 fix: set it"]);
        let json = found.to_json();
        assert_eq!((&json["errors"], &json["warnings"]), (&json!(2), &json!(1)));
        assert_eq!(json["findings"][0]["kind"], "Denied");
        assert_eq!(json["findings"][2]["kind"], Value::Null);
    }

    #[test]
    fn nothing_wrong_is_said_in_one_line() {
        let found = Diagnosis::new(vec![Finding::info("region", "us-east-1")]);
        assert!(found.to_string().starts_with("Nothing is wrong.\n"));
        assert_eq!(found.first_error(), None);
        assert_eq!(Diagnosis::new(Vec::new()).to_string(), "Nothing is wrong.\n");
    }
}
