//! Misbehaviour on demand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One way to misbehave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// 400 `Throttling`, `Rate exceeded`.
    Throttle,
    /// An error in the service's own form.
    Fail {
        /// HTTP status.
        status: u16,
        /// Error code.
        code: String,
        /// Message.
        #[serde(default)]
        message: String,
    },
    /// Waits in real time, then goes on (to further rules, then to the work).
    Delay {
        /// How long.
        milliseconds: u64,
    },
    /// Waits until the gate of that name is opened, then goes on.
    Hold {
        /// Name for [`crate::Kit::open`].
        gate: String,
    },
    /// Does the work, then waits until the gate of that name is opened before it answers: time to
    /// kill the caller when it cannot know.
    HoldReply {
        /// Name for [`crate::Kit::open`].
        gate: String,
    },
    /// Takes the request and never answers.
    Stall,
    /// Closes the connection without doing anything.
    Close,
    /// Does the work, then closes the connection instead of answering.
    LoseReply,
    /// Answers this instead, as a proxy in between would.
    Raw {
        /// HTTP status.
        status: u16,
        /// `Content-Type`.
        #[serde(default = "html")]
        content_type: String,
        /// Body.
        body: String,
        /// Further headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// A 200 with this many bytes of XML-looking text.
    Large {
        /// Size of the body; 10 MB if left out.
        #[serde(default = "ten_megabytes")]
        bytes: usize,
    },
    /// A redirect.
    Redirect {
        /// 301, 302, 307 or 308.
        #[serde(default = "temporary")]
        status: u16,
        /// Where to.
        location: String,
    },
    /// Announces the whole answer, sends the first half of it, and closes.
    Truncate,
    /// Shifts the `Date` header of the answer by so many seconds; the work is done.
    SkewDate {
        /// Seconds ahead of the kit's clock.
        seconds: i64,
    },
}

/// A fault, for which calls, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Operation, e.g. `AssumeRole`, `imds:token`, `imds:roles`, `imds:credentials`,
    /// `container:ecs`, `container:eks`; `iam:*` for all of a service, `*` for all.
    #[serde(default = "any")]
    pub operation: String,
    /// How many calls it strikes; `null` for all until cleared.
    #[serde(default = "once")]
    pub count: Option<u32>,
    /// Lets this many calls through first.
    #[serde(default)]
    pub after: u32,
    /// What happens.
    pub fault: Fault,
}

impl FaultRule {
    /// Strikes the next `count` calls of an operation.
    pub fn next(operation: &str, count: u32, fault: Fault) -> FaultRule {
        FaultRule { operation: operation.to_owned(), count: Some(count), after: 0, fault }
    }

    /// Strikes every call of an operation until cleared.
    pub fn always(operation: &str, fault: Fault) -> FaultRule {
        FaultRule { operation: operation.to_owned(), count: None, after: 0, fault }
    }
}

/// The rules in force, in the order they were made.
#[derive(Debug, Default)]
pub(crate) struct Chaos {
    rules: Vec<FaultRule>,
}

impl Chaos {
    pub(crate) fn add(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// Takes the faults that strike this call: delays and holds first come together with at most
    /// one final fault.
    pub(crate) fn strike(&mut self, service: &str, operation: &str) -> Vec<Fault> {
        let mut struck = Vec::new();
        for rule in &mut self.rules {
            let of_service = rule.operation.strip_suffix(":*") == Some(service);
            if rule.operation != "*" && rule.operation != operation && !of_service {
                continue;
            }
            if rule.after > 0 {
                rule.after -= 1;
                continue;
            }
            if let Some(left) = &mut rule.count {
                if *left == 0 {
                    continue;
                }
                *left -= 1;
            }
            let goes_on = matches!(rule.fault, Fault::Delay { .. } | Fault::Hold { .. });
            struck.push(rule.fault.clone());
            if !goes_on {
                break;
            }
        }
        self.rules.retain(|rule| rule.count != Some(0));
        struck
    }
}

fn html() -> String {
    "text/html".to_owned()
}

fn ten_megabytes() -> usize {
    10_000_000
}

fn temporary() -> u16 {
    307
}

fn any() -> String {
    "*".to_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn once() -> Option<u32> {
    Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_strikes_its_operation_as_often_as_it_says() {
        let mut chaos = Chaos::default();
        chaos.add(FaultRule { after: 1, ..FaultRule::next("AssumeRole", 2, Fault::Throttle) });
        assert!(chaos.strike("sts", "GetCallerIdentity").is_empty());
        assert!(chaos.strike("sts", "AssumeRole").is_empty());
        assert_eq!(chaos.strike("sts", "AssumeRole"), [Fault::Throttle]);
        assert_eq!(chaos.strike("sts", "AssumeRole"), [Fault::Throttle]);
        assert!(chaos.strike("sts", "AssumeRole").is_empty());
    }

    #[test]
    fn a_rule_may_strike_a_whole_service() {
        let mut chaos = Chaos::default();
        chaos.add(FaultRule { after: 1, ..FaultRule::next("iam:*", 1, Fault::LoseReply) });
        assert!(chaos.strike("iam", "CreateUser").is_empty());
        assert!(chaos.strike("sts", "AssumeRole").is_empty());
        assert_eq!(chaos.strike("iam", "CreateAccessKey"), [Fault::LoseReply]);
        assert!(chaos.strike("iam", "GetUser").is_empty());
    }

    #[test]
    fn a_delay_goes_on_to_the_next_rule() {
        let mut chaos = Chaos::default();
        chaos.add(FaultRule::always("*", Fault::Delay { milliseconds: 1 }));
        chaos.add(FaultRule::next("X", 1, Fault::Close));
        assert_eq!(chaos.strike("sts", "X"), [Fault::Delay { milliseconds: 1 }, Fault::Close]);
        assert_eq!(chaos.strike("sts", "X"), [Fault::Delay { milliseconds: 1 }]);
    }
}
