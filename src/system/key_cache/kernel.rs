//! The kernel's keyring of this user (`user-keyring(7)`). What lies there is in no file and no swap
//! space, and gone after its time, or when the machine is started anew.
//!
//! Where a sandbox forbids these system calls, nothing is kept.

use std::time::Duration;

use linux_keyutils::{
    Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission,
};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// How long may a secret be? A key of 256 bits in base64url has 43 characters.
const LONGEST: usize = 64;

/// Whether there is one.
pub(super) const IS_KNOWN: bool = true;

fn find(name: &str) -> Result<(KeyRing, Key), KeyError> {
    let ring = KeyRing::from_special_id(KeyRingIdentifier::User, false)?;
    let key = ring.search(&described(name))?;
    Ok((ring, key))
}

fn described(name: &str) -> String {
    format!("cred-helper:{name}")
}

pub(super) fn read(name: &str) -> Option<Secret> {
    let (_, key) = find(name).ok()?;
    let mut bytes = Zeroizing::new([0; LONGEST]);
    let length = key.read(&mut &mut bytes[..]).ok()?;
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    Some(Secret::new(text))
}

pub(super) fn keep(name: &str, secret: &Secret, lifetime: Duration) {
    // What cannot be kept is asked for again.
    let _kept = try_keep(name, secret, lifetime);
}

fn try_keep(name: &str, secret: &Secret, lifetime: Duration) -> Result<(), KeyError> {
    let ring = KeyRing::from_special_id(KeyRingIdentifier::User, false)?;
    // Not each session has the user's keyring in its own: without that, the new key could not be given
    // a time.
    let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
    process.link_keyring_id(KeyRingIdentifier::User)?;
    let key = ring.add_key(&described(name), secret.expose().as_bytes())?;
    // The kernel takes 32 bits of it, and 0 for ever.
    let seconds = usize::try_from(lifetime.as_secs().min(u32::MAX.into())).unwrap_or(usize::MAX);
    // Other sessions of the same user, as those of `cron`, may not have the user's keyring either.
    let permissions = KeyPermissionsBuilder::builder()
        .posessor(Permission::ALL)
        .user(Permission::VIEW | Permission::READ | Permission::SEARCH)
        .build();
    key.set_timeout(seconds.max(1))
        .and_then(|()| key.set_perms(permissions))
        .inspect_err(|_| {
            // Without an end it must not stay.
            let _unlinked = ring.unlink_key(key);
        })
}

pub(super) fn forget(name: &str) -> bool {
    find(name).is_ok_and(|(ring, key)| key.invalidate().or_else(|_| ring.unlink_key(key)).is_ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{forget, keep, read};
    use crate::context::Clock;
    use crate::secret::Secret;
    use crate::system::clock::SystemClock;

    #[test]
    fn a_key_is_kept_until_its_time_is_over_or_it_is_forgotten() {
        let name = format!("test-{}", std::process::id());
        assert_eq!(read(&name), None);
        assert!(!forget(&name));
        let [first, second] = ["first", "second"].map(Secret::new);
        keep(&name, &first, Duration::from_secs(60));
        assert_eq!(read(&name), Some(first));
        keep(&name, &second, Duration::from_secs(60));
        assert_eq!(read(&name), Some(second.clone()));
        assert!(forget(&name));
        assert_eq!(read(&name), None);
        keep(&name, &second, Duration::from_secs(1));
        assert_eq!(read(&name), Some(second));
        let slept = SystemClock::new().sleep(Duration::from_millis(1500));
        slept.expect("nobody ends the test");
        assert_eq!(read(&name), None, "its time is over");
    }
}
