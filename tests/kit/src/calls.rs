//! What the kit was asked, for tests to look at.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

/// Calls kept; older ones are dropped, their counts are not.
const KEPT: usize = 20_000;

/// One call as it was answered.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Which call it was by the order of arrival, from 1; the list is by the order of answers.
    pub number: u64,
    /// Service, e.g. `sts`.
    pub service: &'static str,
    /// Operation, e.g. `AssumeRole`; empty if the request named none.
    pub operation: String,
    /// ARN of the verified caller.
    pub principal: Option<String>,
    /// Access key id that the request carried, verified or not.
    pub access_key_id: Option<String>,
    /// Region that the request was signed for.
    pub region: Option<String>,
    /// The `Host` header.
    pub host: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// Parameters; secrets are `[redacted]`.
    pub params: BTreeMap<String, String>,
    /// Status answered; 0 if the connection was closed or held without an answer.
    pub status: u16,
    /// Error code answered.
    pub error: Option<String>,
    /// The kit's time when the call came, in seconds since 1970.
    pub at: i64,
}

impl Call {
    /// A call of which no more is known yet.
    pub(crate) fn new(number: u64, service: &'static str, operation: String, at: i64) -> Self {
        Self {
            number,
            service,
            operation,
            principal: None,
            access_key_id: None,
            region: None,
            host: None,
            user_agent: None,
            params: BTreeMap::new(),
            status: 0,
            error: None,
            at,
        }
    }
}

/// The calls, and how many there were.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    list: VecDeque<Call>,
    arrived: BTreeMap<String, u64>,
    all: u64,
}

impl Calls {
    /// Counts a call when it arrives, before anything is done about it; which one it is, from 1.
    pub(crate) fn arrive(&mut self, operation: &str) -> u64 {
        self.all += 1;
        match self.arrived.get_mut(operation) {
            Some(count) => *count += 1,
            None => {
                // A client may send any text as its operation: the map must not grow without end.
                let name = if self.arrived.len() < 200 { operation } else { "" };
                *self.arrived.entry(name.to_owned()).or_default() += 1;
            }
        }
        self.all
    }

    /// Keeps a call once its answer is known.
    pub(crate) fn finish(&mut self, call: Call) {
        if self.list.len() == KEPT {
            self.list.pop_front();
        }
        self.list.push_back(call);
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = &Call> {
        self.list.iter()
    }

    /// The operations of a service in the order of their arrival, of the calls still kept.
    pub(crate) fn operations(&self, service: &str) -> Vec<String> {
        let mut calls: Vec<_> = self.list.iter().filter(|call| call.service == service).collect();
        calls.sort_by_key(|call| call.number);
        calls.into_iter().map(|call| call.operation.clone()).collect()
    }

    pub(crate) fn counts(&self) -> &BTreeMap<String, u64> {
        &self.arrived
    }

    pub(crate) fn count(&self, operation: &str) -> u64 {
        self.arrived.get(operation).copied().unwrap_or(0)
    }
}
