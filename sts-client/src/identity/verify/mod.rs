//! The verifier.

mod answer;
mod authorization;
mod bounds;
mod challenge;
mod decision;
mod headers;
mod lint;
mod pattern;
mod policy;
mod presented;
mod principal;
mod query;
mod replay;
mod sts;
mod url;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rolecall_core::{Context, CredentialsError};

pub use bounds::{Bounds, SubClaim};
pub use challenge::Challenges;
pub use decision::{Decision, Outcome};
pub use lint::{Lint, Severity};
pub use policy::{Binding, Policy};
pub(super) use presented::Presented;
pub use principal::{CallerIdentity, Principal};
pub use replay::{MemoryReplayGuard, ReplayGuard, ReplayKey};

use self::sts::Call;
use super::refusal::{Check, Refusal};
use super::sts_host::StsHost;
use super::token::TokenFormat;

/// How far a token's date may lie in the future.
const SKEW: Duration = Duration::from_secs(60);
/// How long STS itself takes a signature: asking for more helps nobody.
const LONGEST_AGE: Duration = Duration::from_secs(15 * 60);
/// The longest life that a presigned request or a token of rolecall's own may claim, in seconds.
const LONGEST_EXPIRES: u32 = 900;
const LONGEST_LIFETIME: u32 = 300;
/// Identities kept at once.
const MOST_CACHED: usize = 100_000;

/// How often a token may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Once. The token is spent as soon as STS has vouched for it, whatever the bounds say then.
    #[default]
    SingleUse,
    /// As often as wanted while it is fresh: STS is asked once, and who it is is remembered. The
    /// bounds are asked each time.
    Cached,
}

/// Checks tokens. One for all policies: cheap to ask, and safe to share.
#[derive(Debug)]
pub struct Verifier {
    context: Context,
    mode: Mode,
    guard: Arc<dyn ReplayGuard>,
    max_age: Duration,
    time_limit: Duration,
    cache: Mutex<HashMap<[u8; 32], Cached>>,
    flights: Mutex<HashMap<[u8; 32], Arc<Flight>>>,
}

#[derive(Debug)]
struct Cached {
    identity: Arc<CallerIdentity>,
    until: SystemTime,
}

/// One call to STS that several wait for: the first to have the lock makes it.
type Flight = tokio::sync::Mutex<Option<Result<Arc<CallerIdentity>, Refusal>>>;

/// Keeps a flight findable until whoever took part has spent the token: who comes later either
/// finds it, or finds the token spent.
struct Seat<'a> {
    verifier: &'a Verifier,
    fingerprint: [u8; 32],
    flight: Arc<Flight>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut flights = lock(&self.verifier.flights);
        // The map's and this one.
        if Arc::strong_count(&self.flight) <= 2 {
            flights.remove(&self.fingerprint);
        }
    }
}

impl Verifier {
    /// How old a token may be unless somebody says otherwise.
    pub const MAX_AGE: Duration = Duration::from_secs(300);
    /// How long STS may take unless somebody says otherwise.
    pub const TIME_LIMIT: Duration = Duration::from_secs(5);

    /// A verifier that remembers with `guard` what has been used.
    pub fn new(context: Context, mode: Mode, guard: Arc<dyn ReplayGuard>) -> Self {
        Self {
            context,
            mode,
            guard,
            max_age: Self::MAX_AGE,
            time_limit: Self::TIME_LIMIT,
            cache: Mutex::default(),
            flights: Mutex::default(),
        }
    }

    /// With another age at which tokens are too old: at most 15 minutes.
    #[must_use]
    pub fn with_max_age(self, max_age: Duration) -> Self {
        Self { max_age: max_age.min(LONGEST_AGE), ..self }
    }

    /// With another limit on the time that STS may take.
    #[must_use]
    pub fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// Checks `token` against `policy`. What can be refused without STS is.
    pub async fn verify(&self, token: &str, policy: &Policy) -> Decision {
        let mut decision = Decision {
            format: None,
            identity: None,
            subject: None,
            valid_until: None,
            refusal: None,
            trail: decision::Trail::default(),
        };
        let presented = match Presented::parse(token) {
            Ok(presented) => presented,
            Err(unreadable) => {
                let failed = Some(unreadable.refusal.check);
                decision.format = unreadable.format;
                decision.trail.read_until(failed, unreadable.format);
                decision.refusal = Some(unreadable.refusal);
                return decision;
            }
        };
        decision.format = Some(presented.format);
        decision.trail.read_until(None, decision.format);
        decision.refusal = self.judge(&presented, policy, &mut decision).await.err();
        decision
    }

    async fn judge(
        &self,
        presented: &Presented,
        policy: &Policy,
        decision: &mut Decision,
    ) -> Result<(), Refusal> {
        let now = self.context.clock.now();
        let trail = &mut decision.trail;
        policy.check_format(presented)?;
        trail.pass(Check::FormatAllowed);
        let known = StsHost::known(&presented.host);
        let url = policy.endpoint(presented, known.as_ref())?;
        trail.pass(Check::Endpoint);
        policy.check_partition(presented, known.as_ref())?;
        trail.pass(Check::Partition);
        policy.check_binding(presented)?;
        let is_bound = presented.binding.is_some() || presented.format == TokenFormat::Eks;
        trail.note(Check::Binding, is_bound);
        check_expires(presented)?;
        trail.note(Check::Expires, presented.expires.is_some());
        self.check_freshness(presented, now)?;
        trail.pass(Check::Freshness);
        let until = presented.date.time + self.max_age;
        decision.valid_until = Some(until);
        let challenge = self.check_challenge(presented, policy, now)?;
        trail.note(Check::Challenge, challenge.is_some());

        let cluster = match presented.format {
            TokenFormat::Eks => policy.binding.cluster.as_deref().unwrap_or_default(),
            _ => "",
        };
        let call = Call { presented, url, cluster };
        let fingerprint = call.fingerprint();
        let cached = self.cached(&fingerprint, now);
        let seat;
        let identity = match cached {
            Some(identity) => {
                trail.skip(Check::Replay);
                trail.skip(Check::Sts);
                trail.skip(Check::Answer);
                identity
            }
            None => {
                seat = self.seat(fingerprint);
                let identity = self.ask(&seat, &call, now, trail).await?;
                if self.mode == Mode::Cached {
                    self.keep(fingerprint, &identity, until, now);
                }
                identity
            }
        };
        policy.check_partition_of(&identity.partition)?;
        trail.pass(Check::Identity);
        decision.identity = Some(identity.clone());
        let is_spent = self.mode == Mode::SingleUse;
        if is_spent {
            self.spend(presented, until, challenge, now).await?;
        }
        trail.note(Check::Spend, is_spent);
        let note = |check, asked| trail.note(check, asked);
        decision.subject = policy.bounds.check(&identity, note)?;
        Ok(())
    }

    /// Who made this call, by STS: asked by one of those who wait for the same.
    async fn ask(
        &self,
        seat: &Seat<'_>,
        call: &Call<'_>,
        now: SystemTime,
        trail: &mut decision::Trail,
    ) -> Result<Arc<CallerIdentity>, Refusal> {
        let mut flight = seat.flight.lock().await;
        if self.mode == Mode::SingleUse {
            let key = ReplayKey::of_signature(&call.presented.signature);
            let spent = self.guard.is_spent(key, now).await;
            if spent.map_err(|error| guard_failed(Check::Replay, &error))? {
                return Err(replayed(Check::Replay));
            }
            trail.pass(Check::Replay);
        } else {
            trail.skip(Check::Replay);
            // Another may have asked between our look and our turn.
            if let Some(identity) = self.cached(&seat.fingerprint, now) {
                *flight = Some(Ok(identity));
            }
        }
        let outcome = match &*flight {
            Some(outcome) => outcome.clone(),
            None => {
                let outcome = call.make(&self.context, self.time_limit).await.map(Arc::new);
                flight.insert(outcome).clone()
            }
        };
        let reached = outcome.as_ref().err().map(|refusal| refusal.check);
        for check in [Check::Sts, Check::Answer] {
            if reached.is_none_or(|reached| check < reached) {
                trail.pass(check);
            }
        }
        outcome
    }

    fn check_freshness(&self, presented: &Presented, now: SystemTime) -> Result<(), Refusal> {
        let refuse = |code, message: String| Err(Refusal::new(Check::Freshness, code, message));
        let signed_at = presented.date.time;
        if signed_at > now + SKEW {
            let ahead = signed_at.duration_since(now).unwrap_or_default().as_secs();
            return refuse("future", format!("the token is from {ahead} seconds in the future"));
        }
        let age = now.duration_since(signed_at).unwrap_or_default();
        if age > self.max_age {
            let (age, most) = (age.as_secs(), self.max_age.as_secs());
            return refuse(
                "too-old",
                format!("the token is {age} seconds old, and {most} are allowed"),
            );
        }
        let own = presented.expires.filter(|_| presented.format == TokenFormat::Rolecall);
        if let Some(lifetime) = own.filter(|own| age.as_secs() > u64::from(*own)) {
            let age = age.as_secs();
            let message = format!("the token is {age} seconds old, and was made for {lifetime}");
            return refuse("lifetime-over", message);
        }
        Ok(())
    }

    /// The challenge that the token answers, and when it ends.
    fn check_challenge<'p>(
        &self,
        presented: &'p Presented,
        policy: &Policy,
        now: SystemTime,
    ) -> Result<Option<(&'p str, SystemTime)>, Refusal> {
        let refuse = |code, message: &str| Err(Refusal::new(Check::Challenge, code, message));
        if presented.format != TokenFormat::Rolecall {
            return Ok(None);
        }
        match (&policy.binding.challenges, presented.challenge.as_deref()) {
            (None, None) => Ok(None),
            (None, Some(_)) => {
                refuse("challenge-unexpected", "the token answers a challenge, and none was given")
            }
            (Some(_), None) => refuse("challenge-missing", "the token answers no challenge"),
            (Some(challenges), Some(challenge)) => {
                let audience = presented.binding.as_deref().unwrap_or_default();
                Ok(Some((challenge, challenges.check(challenge, audience, now)?)))
            }
        }
    }

    async fn spend(
        &self,
        presented: &Presented,
        until: SystemTime,
        challenge: Option<(&str, SystemTime)>,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let signature = ReplayKey::of_signature(&presented.signature);
        let challenge = challenge.map(|(text, end)| (ReplayKey::of_challenge(text), end));
        for (index, (key, end)) in [(signature, until)].into_iter().chain(challenge).enumerate() {
            let first = self.guard.spend(key, end, now).await;
            if !first.map_err(|error| guard_failed(Check::Spend, &error))? {
                return Err(if index == 0 {
                    replayed(Check::Spend)
                } else {
                    let message = "the challenge has been answered before";
                    Refusal::new(Check::Spend, "challenge-spent", message)
                });
            }
        }
        Ok(())
    }

    fn seat(&self, fingerprint: [u8; 32]) -> Seat<'_> {
        let flight = lock(&self.flights).entry(fingerprint).or_default().clone();
        Seat { verifier: self, fingerprint, flight }
    }

    fn cached(&self, fingerprint: &[u8; 32], now: SystemTime) -> Option<Arc<CallerIdentity>> {
        if self.mode != Mode::Cached {
            return None;
        }
        let cache = lock(&self.cache);
        cache.get(fingerprint).filter(|kept| now <= kept.until).map(|kept| kept.identity.clone())
    }

    fn keep(
        &self,
        fingerprint: [u8; 32],
        identity: &Arc<CallerIdentity>,
        until: SystemTime,
        now: SystemTime,
    ) {
        let mut cache = lock(&self.cache);
        if cache.len() >= MOST_CACHED {
            cache.retain(|_, kept| now <= kept.until);
        }
        // What finds no room is asked for again.
        if cache.len() < MOST_CACHED {
            cache.insert(fingerprint, Cached { identity: identity.clone(), until });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the token says that it is good for.
fn check_expires(presented: &Presented) -> Result<(), Refusal> {
    let refuse = |code, message: String| Err(Refusal::new(Check::Expires, code, message));
    let (name, most) = match presented.format {
        // STS takes a presigned GetCallerIdentity for 15 minutes whatever it says.
        TokenFormat::Eks => ("X-Amz-Expires", LONGEST_EXPIRES),
        TokenFormat::Rolecall => ("the lifetime", LONGEST_LIFETIME),
        _ => return Ok(()),
    };
    match presented.expires {
        None => refuse("expires-missing", format!("{name} is missing")),
        Some(seconds) if (1..=most).contains(&seconds) => Ok(()),
        Some(seconds) => {
            refuse("expires-range", format!("{name} is {seconds}, and must be 1 to {most} seconds"))
        }
    }
}

fn replayed(check: Check) -> Refusal {
    Refusal::new(check, "replayed", "the token has been used before")
}

fn guard_failed(check: Check, error: &CredentialsError) -> Refusal {
    let message = format!("it cannot be told whether the token was used before: {error}");
    Refusal::new(check, "replay-guard", message).with_kind(error.kind())
}
