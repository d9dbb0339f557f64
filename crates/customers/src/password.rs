//! Passwords: hashed with Argon2id, which is slow and large on purpose. So it is done by threads
//! that do nothing else, a few at a time, and what would wait for too long is refused.

use crate::CustomersError;
use crate::account::Password;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// 19 MiB, two passes, one lane: the OWASP password storage cheat sheet.
const PARAMS: (u32, u32, u32) = (19_456, 2, 1);

/// Bytes of salt (RFC 9106, section 3.1).
const SALT: usize = 16;

/// What is checked where there is no account, so that it takes as long as where there is one.
/// Nothing hashes to it but by chance.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8tYWNjb3VudC1oZXJlIQ$\
                     AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA";

/// Passwords that may wait for a thread. At some 30 ms each, the last one waits for a second.
const WAITING_MAX: usize = 32;

/// The threads that hash.
#[derive(Clone)]
pub(crate) struct Passwords {
    random: fn() -> [u8; 32],
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Passwords {
    /// Hashes on half of the cores at most: the others are for orders.
    pub(crate) fn new(random: fn() -> [u8; 32]) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (cores / 2).max(1);
        Self {
            random,
            turns: Arc::new(Semaphore::new(threads)),
            places: Arc::new(Semaphore::new(threads + WAITING_MAX)),
        }
    }

    /// The hash of a new password, as text.
    ///
    /// # Errors
    /// [`CustomersError::Busy`], [`CustomersError::Hashing`].
    pub(crate) async fn hash(&self, password: Password) -> Result<String, CustomersError> {
        let random = (self.random)();
        self.run(move || {
            let salt = random.get(..SALT).unwrap_or(&random);
            let hash = hasher()?.hash_password_with_salt(password.bytes(), salt);
            hash.map(|hash: PasswordHash| hash.to_string())
        })
        .await
    }

    /// Whether the password is the one of this hash. Without a hash it is not, and finding that
    /// out takes as long.
    ///
    /// # Errors
    /// [`CustomersError::Busy`], [`CustomersError::Hashing`].
    pub(crate) async fn fits(
        &self,
        password: Password,
        hash: Option<String>,
    ) -> Result<bool, CustomersError> {
        self.run(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| DECOY.to_owned());
            let hash = PasswordHash::new(&hash)?;
            let fits = hasher()?.verify_password(password.bytes(), &hash).is_ok();
            Ok(fits && known)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, argon2::password_hash::Error> + Send + 'static,
    ) -> Result<T, CustomersError> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| CustomersError::Busy)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| CustomersError::Busy)?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            // Only now, also when nobody waits any more: this is what bounds the threads.
            drop((turn, place));
            done
        });
        match task.await {
            Ok(done) => done.map_err(|error| CustomersError::Hashing(error.to_string())),
            Err(error) => Err(CustomersError::Hashing(error.to_string())),
        }
    }
}

fn hasher() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let (memory, passes, lanes) = PARAMS;
    let params = Params::new(memory, passes, lanes, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(text: &str) -> Password {
        Password::tried(text.to_owned())
    }

    #[actix::test]
    async fn a_password_fits_its_own_hash_alone() {
        let passwords = Passwords::new(|| [7; 32]);
        let hash = passwords.hash(tried("correct horse battery")).await.expect("is hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        for (text, fits) in [("correct horse battery", true), ("correct horse batterY", false)] {
            let found = passwords.fits(tried(text), Some(hash.clone())).await;
            assert_eq!(found.expect("is checked"), fits, "{text}");
        }
        assert!(!passwords.fits(tried("correct horse battery"), None).await.expect("is checked"));
        let broken = passwords.fits(tried("x"), Some("no hash".to_owned())).await;
        assert!(matches!(broken, Err(CustomersError::Hashing(_))));
    }

    #[test]
    fn the_decoy_costs_what_a_real_hash_costs() {
        let hash = PasswordHash::new(DECOY).expect("a hash");
        let (memory, passes, lanes) = PARAMS;
        let params = Params::try_from(&hash).expect("parameters");
        let cost = (params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(cost, (memory, passes, lanes));
        let lengths = (hash.salt.map(|salt| salt.len()), hash.hash.map(|hash| hash.len()));
        assert_eq!(lengths, (Some(SALT), Some(32)));
    }

    #[actix::test]
    async fn more_than_can_wait_are_refused() {
        let passwords = Passwords::new(|| [7; 32]);
        let _all = passwords.places.clone().try_acquire_many_owned(
            u32::try_from(passwords.places.available_permits()).expect("few"),
        );
        let refused = passwords.hash(tried("correct horse battery")).await;
        assert!(matches!(refused, Err(CustomersError::Busy)));
    }
}
