use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Chance, for jitter and names that must not collide. Never for keys.
#[derive(Clone, Debug)]
pub struct Random(Option<Arc<Mutex<fastrand::Rng>>>);

impl Random {
    /// Seeded by the machine.
    pub fn real() -> Self {
        Self(None)
    }

    /// The same sequence every time.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)))))
    }

    /// A number from 0 up to, not including, 1.
    pub fn fraction(&self) -> f64 {
        match self.0.as_ref().map(|rng| rng.lock()) {
            Some(Ok(mut rng)) => rng.f64(),
            _ => fastrand::f64(),
        }
    }

    /// Any 64 bits.
    pub fn bits(&self) -> u64 {
        match self.0.as_ref().map(|rng| rng.lock()) {
            Some(Ok(mut rng)) => rng.u64(..),
            _ => fastrand::u64(..),
        }
    }

    /// A duration from zero up to `limit`: full jitter.
    pub fn up_to(&self, limit: Duration) -> Duration {
        limit.mul_f64(self.fraction())
    }
}
