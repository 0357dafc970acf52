//! Time, randomness and noise as tests want them.

use std::sync::Mutex;

use domain::port::{Clock, Entropy};
use domain::{Fault, Timestamp};
use dp::{BitSource, Noise, NoiseError, Variance, sample_discrete_gaussian};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock at `at`, in RFC 3339.
    ///
    /// # Panics
    /// When the text is no instant.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test that names no instant cannot go on")]
    pub fn at(at: &str) -> Self {
        Self(Mutex::new(at.parse().expect("an instant")))
    }

    /// Moves the clock forward.
    pub fn forward(&self, by: chrono::TimeDelta) {
        if let Ok(mut now) = self.0.lock() {
            *now += by;
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.lock().map_or(Timestamp::UNIX_EPOCH, |now| *now)
    }
}

/// Randomness that a seed repeats.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    /// The randomness of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        self.0.lock().map_err(|_| Fault::broken("a poisoned generator"))?.fill_bytes(bytes);
        Ok(())
    }
}

/// No noise at all. Exists in tests only: no crate of the product depends on this one.
#[derive(Debug, Clone, Copy, Default)]
pub struct ZeroNoise;

impl Noise for ZeroNoise {
    fn discrete_gaussian(&self, _: &Variance) -> Result<i128, NoiseError> {
        Ok(0)
    }
}

/// Noise that a seed repeats, of the same sampler as the product's.
#[derive(Debug)]
pub struct SeededNoise(Mutex<ChaCha20Rng>);

impl SeededNoise {
    /// The noise of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

struct Bits<'a>(&'a mut ChaCha20Rng);

impl BitSource for Bits<'_> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoiseError> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl Noise for SeededNoise {
    fn discrete_gaussian(&self, variance: &Variance) -> Result<i128, NoiseError> {
        sample_discrete_gaussian(&mut Bits(&mut *self.0.lock().map_err(|_| NoiseError)?), variance)
    }
}
