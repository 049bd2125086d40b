//! Everything the server knows, behind one lock.

use std::collections::{HashMap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::calls::Calls;
use crate::chaos::Chaos;
use crate::clock::Clock;
use crate::doors;
use crate::eks::Addresses;
use crate::iam;
use crate::jwt::OutboundKey;
use crate::metadata;
use crate::principal::{Principal, Session};
use crate::secret::Secret;
use crate::sigv4::Key;
use crate::sso::Directory;
use crate::world::World;

/// The state and what waits for it.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Told whenever a call arrives, for tests that wait for one.
    arrived: Condvar,
    /// Told whenever a gate opens; holds those that are open.
    gates: watch::Sender<HashSet<String>>,
}

pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) clock: Clock,
    pub(crate) chaos: Chaos,
    pub(crate) calls: Calls,
    pub(crate) sessions: HashMap<String, Session>,
    /// Serial and code of every MFA code used up.
    pub(crate) used_codes: HashSet<(String, String)>,
    /// Tokens of IAM Identity Center.
    pub(crate) sso: Directory,
    /// Web identity tokens, assertions and SSO's tokens minted, for `/_kit/secrets`.
    pub(crate) minted: Vec<Secret>,
    /// Key of the messages that DecodeAuthorizationMessage opens.
    pub(crate) message_key: [u8; 32],
    /// Key of the tokens that GetWebIdentityToken answers with.
    pub(crate) outbound: Option<OutboundKey>,
    pub(crate) metadata: metadata::Memory,
    pub(crate) iam: iam::Memory,
    /// Where the kit itself is.
    pub(crate) addresses: Addresses,
    /// The world as it was at the start.
    pub(crate) first_world: World,
}

impl Shared {
    pub(crate) fn new(world: World) -> Shared {
        Shared {
            state: Mutex::new(State {
                first_world: world.clone(),
                world,
                clock: Clock::default(),
                chaos: Chaos::default(),
                calls: Calls::default(),
                sessions: HashMap::new(),
                used_codes: HashSet::new(),
                sso: Directory::default(),
                minted: Vec::new(),
                message_key: doors::random(),
                outbound: None,
                metadata: metadata::Memory::default(),
                iam: iam::Memory::default(),
                addresses: Addresses::default(),
            }),
            arrived: Condvar::new(),
            gates: watch::Sender::new(HashSet::new()),
        }
    }

    /// The state. A panic of a test while it held the lock must not fail every later test.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notify_arrival(&self) {
        self.arrived.notify_all();
    }

    /// Waits until `ready` says so, or the time is over; says which.
    pub(crate) fn wait_until(
        &self,
        at_most: std::time::Duration,
        mut ready: impl FnMut(&State) -> bool,
    ) -> bool {
        let guard = self.lock();
        let (_guard, outcome) = self
            .arrived
            .wait_timeout_while(guard, at_most, |state| !ready(state))
            .unwrap_or_else(PoisonError::into_inner);
        !outcome.timed_out()
    }

    pub(crate) fn open_gate(&self, gate: &str) {
        self.gates.send_modify(|open| {
            open.insert(gate.to_owned());
        });
    }

    pub(crate) fn close_gates(&self) {
        self.gates.send_modify(HashSet::clear);
    }

    pub(crate) async fn pass_gate(&self, gate: &str) {
        let mut gates = self.gates.subscribe();
        // The sender lives as long as `self`, so this ends only when the gate opens.
        let _open = gates.wait_for(|open| open.contains(gate)).await;
    }
}

impl State {
    /// The key behind an access key id, for the signature's verifier.
    pub(crate) fn key(&mut self, access_key_id: &str) -> Option<Key> {
        if self.iam.is_unseen(iam::New::Key, access_key_id, self.clock.now()) {
            return None;
        }
        if let Some(session) = self.sessions.get(access_key_id) {
            // What a user's session may do ends with the user.
            if let Principal::User { arn, id } = &session.principal {
                let at = self.world.user_index_of_arn(arn)?;
                if self.world.users[at].unique_id() != *id {
                    return None;
                }
            }
            return Some(Key {
                secret: session.secret.clone(),
                token: Some(session.token.clone()),
                expires: Some(session.expires),
            });
        }
        let (_, key) = self.world.user_of_key(access_key_id)?;
        Some(Key { secret: key.secret.clone(), token: None, expires: None })
    }

    /// Who an access key belongs to.
    pub(crate) fn principal(&self, access_key_id: &str) -> Option<Principal> {
        if let Some(session) = self.sessions.get(access_key_id) {
            return Some(session.principal.clone());
        }
        let (user, _) = self.world.user_of_key(access_key_id)?;
        let arn = self.world.user_arn(user);
        Some(if user.root {
            Principal::Root { arn, account: user.account.clone() }
        } else {
            Principal::User { arn, id: user.unique_id() }
        })
    }

    /// Every secret, code and token that the kit knows or has handed out.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let mut all = self.world.secrets();
        for session in self.sessions.values() {
            all.push(session.secret.clone());
            all.push(session.token.clone());
        }
        all.extend(self.minted.iter().cloned());
        all.extend(self.metadata.secrets());
        all
    }

    /// Forgets what happened: calls, faults, used MFA codes, the clock's shift, IAM's settings. Sessions stay good.
    pub(crate) fn reset(&mut self) {
        self.calls = Calls::default();
        self.chaos = Chaos::default();
        self.clock = Clock::default();
        self.iam = iam::Memory::default();
        self.used_codes.clear();
    }
}
