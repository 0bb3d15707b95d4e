//! Passwords: Argon2id, a few at a time, and the same work whether or not there is a user of that name.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use release_manager::access::AccessError;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

/// NIST SP 800-63B asks for 15 where a password stands alone, and for 8 at least.
const SHORTEST: usize = 12;
const LONGEST: usize = 256;
/// Each takes 19 MiB and a core: more of them at once would only take both from everything else.
const AT_ONCE: usize = 2;
/// Whoever waits longer is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hashes and compares passwords.
#[derive(Debug)]
pub struct Passwords {
    at_once: Arc<Semaphore>,
    /// Compared with where there is no user, so that the answer takes as long.
    nobodys: String,
}

/// A password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many want it at once.
    #[error("too many people log in at this moment: try again in a few seconds")]
    Busy,
    /// Argon2 failed.
    #[error("the password cannot be hashed: {0}")]
    Failed(String),
}

impl Passwords {
    /// Ready to compare.
    pub fn new() -> Result<Self, PasswordError> {
        let nobodys = hash("nobody has this password")?;
        Ok(Self { at_once: Arc::new(Semaphore::new(AT_ONCE)), nobodys })
    }

    /// A password as it is kept: a PHC string.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        self.work(move || hash(password.expose_secret())).await?
    }

    /// Whether the password is that of the PHC string. Without one the answer is no, and takes as long.
    pub async fn matches(&self, password: SecretString, kept: Option<String>) -> Result<bool, PasswordError> {
        let is_somebodys = kept.is_some();
        let kept = kept.unwrap_or_else(|| self.nobodys.clone());
        let right = self.work(move || is_right(password.expose_secret(), &kept)).await??;
        Ok(right && is_somebodys)
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.at_once).acquire_owned()).await;
        let permit = permit.map_err(|_| PasswordError::Busy)?.map_err(|_| PasswordError::Busy)?;
        let worked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        worked.await.map_err(|error| PasswordError::Failed(error.to_string()))
    }
}

/// Whether a password may be chosen.
pub fn check(password: &str) -> Result<(), AccessError> {
    let found = password.chars().count();
    if (SHORTEST..=LONGEST).contains(&found) {
        Ok(())
    } else {
        Err(AccessError::Password { least: SHORTEST, most: LONGEST, found })
    }
}

/// Longer ones are nobody's, and are not worth the work.
pub(super) fn is_too_long(password: &str) -> bool {
    password.len() > LONGEST * 4
}

/// OWASP's parameters for Argon2id: 19 MiB, two passes, one lane.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

fn hash(password: &str) -> Result<String, PasswordError> {
    let hashed = argon2().hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|error| PasswordError::Failed(error.to_string()))
}

fn is_right(password: &str, kept: &str) -> Result<bool, PasswordError> {
    let kept = PasswordHash::new(kept).map_err(|error| PasswordError::Failed(error.to_string()))?;
    Ok(argon2().verify_password(password.as_bytes(), &kept).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_and_found_again() {
        let passwords = Passwords::new().unwrap();
        let kept = passwords.hash("correct horse battery".into()).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(passwords.matches("correct horse battery".into(), Some(kept.clone())).await.unwrap());
        assert!(!passwords.matches("correct horse".into(), Some(kept)).await.unwrap());
        assert!(!passwords.matches("nobody has this password".into(), None).await.unwrap());
    }

    #[test]
    fn a_short_password_is_refused_with_what_is_asked_for() {
        let refused = check("hunter2").unwrap_err().to_string();
        assert_eq!(refused, "a password has 12 to 256 characters: this one has 7");
        assert!(check("twelve chars").is_ok());
    }
}
