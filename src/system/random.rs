//! Chance, as the operating system gives it.

use ring::rand::{SecureRandom, SystemRandom};

use crate::context::Random;
use crate::error::{Error, ErrorKind};

/// The operating system's random numbers.
pub struct SystemRandomness;

impl Random for SystemRandomness {
    fn bytes(&self) -> Result<[u8; 32], Error> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| {
            Error::new(
                ErrorKind::Internal,
                "the operating system gives no random numbers",
            )
        })?;
        Ok(bytes)
    }
}
