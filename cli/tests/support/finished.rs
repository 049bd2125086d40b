use std::process::ExitStatus;

use serde_json::Value;

use super::Sandbox;

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("killed: {self:?}"))
    }

    /// It must have ended well.
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code(), 0, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Standard output, which must be JSON and all there is to say.
    pub(crate) fn json(self) -> Value {
        let finished = self.good();
        serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {finished:?}"))
    }
}

/// What must be said about something that is wrong.
pub(crate) struct Expected<'a> {
    /// The exit code, and with it the kind.
    pub(crate) code: i32,
    pub(crate) kind: &'a str,
    /// What the message must name: file, line, profile, host …
    pub(crate) says: &'a [&'a str],
    /// What the help must name.
    pub(crate) help: &'a str,
}

impl Expected<'_> {
    /// Runs `args` in both forms of errors, and checks both.
    #[track_caller]
    pub(crate) fn from(&self, sandbox: &Sandbox, args: &[&str]) {
        let text = sandbox.run(args);
        assert_eq!(text.code(), self.code, "{text:?}");
        assert!(text.stdout.is_empty(), "{text:?}");
        let message = last_error(&text.stderr);
        for part in self.says {
            assert!(message.contains(part), "{part:?} is not in:\n{message}");
        }
        let help = message.split("  help: ").nth(1).unwrap_or_default();
        assert!(help.contains(self.help), "the help is not {:?}:\n{message}", self.help);

        let json = sandbox.run(&[args, &["--error-format", "json"]].concat());
        assert_eq!(json.code(), self.code, "{json:?}");
        let line = json.stderr.lines().last().unwrap_or_default();
        let error: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {json:?}"));
        let error = &error["error"];
        assert_eq!(error["kind"], self.kind, "{error}");
        let field = |name: &str| error[name].as_str().unwrap_or_default();
        let all = format!("{} {} {}", field("provider"), field("place"), field("message"));
        for part in self.says {
            assert!(all.contains(part), "{part:?} is not in:\n{all}");
        }
        assert!(field("help").contains(self.help), "{error}");
        assert!(error["causes"].is_array(), "{error}");
    }

    /// The same of `export --profile NAME`; nothing may have been cached.
    #[track_caller]
    pub(crate) fn of_profile(&self, sandbox: &Sandbox, profile: &str) {
        self.from(sandbox, &["export", "--profile", profile]);
        assert!(sandbox.cache_entries().is_empty());
    }

    /// `explain --profile NAME` must find the same, offline, with the same exit code.
    #[track_caller]
    pub(crate) fn explained(&self, sandbox: &Sandbox, profile: &str) {
        let before = sandbox.kit.counts();
        let text = sandbox.run(&["explain", "--profile", profile]);
        assert_eq!(text.code(), self.code, "{text:?}");
        let said = format!("{}{}", text.stdout, text.stderr);
        for part in self.says {
            assert!(said.contains(part), "{part:?} is not in:\n{said}");
        }
        assert!(said.contains(self.help), "{said}");
        assert_eq!(sandbox.kit.counts(), before, "explain asked AWS");
    }
}

/// The last error in `stderr`, which may hold what other programs said before it.
fn last_error(stderr: &str) -> &str {
    let start = stderr.rfind("rolecall: ").unwrap_or_default();
    &stderr[start..]
}
