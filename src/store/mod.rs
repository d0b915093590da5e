//! Where sign-ins are kept: one file a session, a lock beside it, one for signing in, and one for
//! exchanging its tokens.
//!
//! What changes a session demands its guard as an argument: proof that its lock is held.
//!
//! To add something that is kept: a field in [`session`] with a default for files that lack it, and a seed
//! in `fuzz/seeds/session`. To add a way of sealing: see [`seal`].

pub mod audit;
mod choice;
pub mod examination;
mod file;
mod json_string;
mod lock;
pub mod maintenance;
pub mod msal;
mod replacement;
pub mod seal;
pub mod session;

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use self::choice::Choice;
pub use self::file::Loaded;
use self::file::{Lying, SealWith, SecretBytes, SessionFile};
use self::lock::Patience;
use self::msal::{MsalCache, Sharing};
use self::replacement::Reservation;
use self::seal::{Key, KeysAtHand, Seal, Sealing};
use self::session::Session;
use crate::context::Context;
use crate::digest::{digest, sha256};
use crate::encoding::to_base64url;
use crate::error::Error;
use crate::secret::Secret;
use crate::token::Timestamp;

/// Where a session lives: in our own state directory, and where it is shared, in a cache that programs
/// with MSAL use.
#[derive(Debug)]
pub struct SessionStore {
    own: OwnStore,
    msal: Option<Box<MsalCache>>,
}

/// A session of our own.
pub struct OwnStore {
    file: SessionFile,
    identity: Vec<(String, String)>,
    sealing: Sealing,
    at_hand: Hand,
    /// Why a new file is not sealed, where `auto` found no keyring.
    unsealed: Mutex<Option<String>>,
    lock_timeout: Duration,
    part: Option<Part>,
}

/// Whose keys are at hand.
enum Hand {
    /// This session's.
    Own(KeysAtHand),
    /// Those of all that are looked at together.
    Shared(Arc<KeysAtHand>),
}

/// What of a session belongs to one assertion.
struct Part {
    /// SHA-256 of it in base64url.
    assertion: String,
    /// When the call began: what was over by then of others is not kept.
    now: Timestamp,
}

impl std::fmt::Debug for OwnStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("OwnStore")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// The session's lock is held.
#[derive(Debug)]
pub struct SessionGuard {
    /// Released first: whoever of ours comes next need not wait for it.
    msal: Option<msal::Guard>,
    #[expect(dead_code, reason = "held, not read")]
    own: lock::Guard,
}

/// The session's sign-in lock is held: nobody else asks a person for it.
#[derive(Debug)]
pub struct SignInGuard(#[expect(dead_code, reason = "held, not read")] lock::Guard);

/// The session's lock for exchanges is held: nobody else exchanges a token of it.
#[derive(Debug)]
pub struct ExchangeGuard(#[expect(dead_code, reason = "held, not read")] lock::Guard);

/// The session was proved to be writable, and the key is at hand that it is sealed with.
pub struct Proof {
    reservation: Reservation,
    with: SealWith,
    msal: Option<msal::Proof>,
}

impl OwnStore {
    fn room<'a>(&'a self, context: &'a Context<'a>) -> seal::Room<'a> {
        seal::Room {
            at_hand: match &self.at_hand {
                Hand::Own(keys) => keys,
                Hand::Shared(keys) => keys,
            },
            sealing: &self.sealing,
            context,
            directory: self.file.directory(),
        }
    }

    /// What the next content is sealed with: what is configured, else as the last migration said, else
    /// as the file before, else as other new files, else the best there is. Decided under the session's
    /// lock, so that a key that is replaced meanwhile is not used for a file that was looked at already.
    fn seal_with(&self, context: &Context<'_>) -> Result<SealWith, Error> {
        let room = self.room(context);
        let choice = choice::read(room.directory)?;
        let before = self.file.lying()?;
        let (seal, reason) = next_seal(choice.as_ref(), before.as_ref(), &room)?;
        if reason.is_some() {
            *self.unsealed.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        }
        let key = choice::key(seal, choice.as_ref(), before.as_ref(), &room)?;
        Ok(SealWith { seal, key })
    }

    /// What of the session's file is to be seen.
    fn load(&self, context: &Context<'_>) -> Result<Loaded, Error> {
        let mut loaded = self.load_whole(context)?;
        if let (Loaded::Session(session, _), Some(part)) = (&mut loaded, &self.part) {
            session.retain_of(&part.assertion);
        }
        Ok(loaded)
    }

    fn load_whole(&self, context: &Context<'_>) -> Result<Loaded, Error> {
        let room = self.room(context);
        patiently(&self.file, &room, &mut |find| self.file.load(find))
    }

    /// Reads the session under its lock. A damaged file is set aside, and said so.
    fn load_locked(&self, context: &Context<'_>) -> Result<Session, Error> {
        match self.load(context)? {
            Loaded::Session(session, _) => Ok(*session),
            Loaded::Absent => Ok(Session::default()),
            Loaded::Damaged(reason) => {
                let path = self.file.path();
                let aside = self.file.set_aside(context.clock.now())?;
                context.warn(&format!(
                    "`{}` is damaged ({reason}) and was set aside as `{}`; a new sign-in is needed",
                    path.display(),
                    aside.display()
                ));
                Ok(Session::default())
            }
        }
    }

    /// Replaces the session, durably.
    fn write(
        &self,
        session: &mut Session,
        with: &SealWith,
        reservation: Option<Reservation>,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        session.identity.clone_from(&self.identity);
        let content = match &self.part {
            None => file::content(session)?,
            Some(part) => {
                let mut whole = session.clone();
                let before = match self.load_whole(context)? {
                    Loaded::Session(before, _) => *before,
                    Loaded::Absent | Loaded::Damaged(_) => Session::default(),
                };
                whole.beside(&part.assertion, before, part.now);
                file::content(&whole)?
            }
        };
        self.file.save(&content, with, context.random, reservation)
    }
}

impl SessionStore {
    /// The session of `identity` in the state directory. Nothing is touched.
    pub fn own(
        state: &Path,
        identity: Vec<(&'static str, String)>,
        sealing: Sealing,
        lock_timeout: Option<Duration>,
    ) -> Self {
        /// How long is a lock waited for, if `[lock] timeout` does not say?
        const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
        let identity: Vec<(String, String)> = identity
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let own = OwnStore {
            file: SessionFile::new(sessions(state), name(&identity)),
            identity,
            sealing,
            at_hand: Hand::Own(KeysAtHand::default()),
            unsealed: Mutex::default(),
            lock_timeout: lock_timeout.unwrap_or(LOCK_TIMEOUT),
            part: None,
        };
        Self { own, msal: None }
    }

    /// The same session, where its tokens lie in a cache of MSAL.
    #[must_use]
    pub fn shared(self, sharing: Sharing) -> Self {
        Self {
            msal: Some(Box::new(MsalCache::new(sharing))),
            ..self
        }
    }

    /// The same for whoever is acted for alone: what belongs to others is neither seen nor changed, but
    /// for what is over at `now`, which is forgotten.
    #[must_use]
    pub fn of_assertion(self, assertion: &Secret, now: Timestamp) -> Self {
        let digest = sha256(assertion.expose().as_bytes());
        let assertion = to_base64url(&digest);
        Self {
            own: OwnStore {
                part: Some(Part { assertion, now }),
                ..self.own
            },
            ..self
        }
    }

    /// The same with keys that others have at hand as well: a keyring or a command is asked once for all.
    #[must_use]
    pub fn with_keys(self, keys: &Arc<KeysAtHand>) -> Self {
        Self {
            own: OwnStore {
                at_hand: Hand::Shared(Arc::clone(keys)),
                ..self.own
            },
            ..self
        }
    }

    /// The cache of MSAL that the tokens lie in.
    pub fn shared_cache(&self) -> Option<&MsalCache> {
        self.msal.as_deref()
    }

    /// How long a lock is waited for.
    pub fn lock_timeout(&self) -> Duration {
        self.own.lock_timeout
    }

    /// The session's own file.
    pub fn path(&self) -> PathBuf {
        self.own.file.path()
    }

    /// How the session lies, or would, and where that is not sealed for want of a keyring, why.
    ///
    /// # Errors
    /// `store`.
    pub fn seal(&self, context: &Context<'_>) -> Result<(&'static Seal, Option<String>), Error> {
        let own = &self.own;
        let room = own.room(context);
        let choice = choice::read(room.directory)?;
        let Some(lying) = own.file.lying()? else {
            return next_seal(choice.as_ref(), None, &room);
        };
        let is_chosen = own.sealing.configured().is_some() || choice.is_some();
        let reason = match is_chosen || lying.seal.has_keys() {
            true => None,
            // What is wrong with a keyring is told where it is needed.
            false => seal::best(&room).ok().and_then(|(_, reason)| reason),
        };
        Ok((lying.seal, reason))
    }

    /// Why what this call wrote first is not sealed, where nothing was configured. It is told once.
    pub fn unsealed(&self) -> Option<String> {
        let own = &self.own;
        let mut unsealed = own.unsealed.lock().unwrap_or_else(PoisonError::into_inner);
        unsealed.take()
    }

    /// Reads the session, without a lock.
    ///
    /// # Errors
    /// `store`, if it cannot be read or opened, is of a newer version, or can be read by others.
    pub fn load(&self, context: &Context<'_>) -> Result<Loaded, Error> {
        let own = self.own.load(context)?;
        let Some(msal) = &self.msal else {
            return Ok(own);
        };
        let beside = match own {
            Loaded::Session(session, _) => *session,
            // Under the lock it is set aside.
            Loaded::Absent | Loaded::Damaged(_) => Session::default(),
        };
        msal.mend_lock(context);
        Ok(match msal.compose(&beside, context)? {
            Ok(session) if session == Session::default() => Loaded::Absent,
            Ok(session) => Loaded::Session(Box::new(session), seal::plain()),
            Err(reason) => Loaded::Damaged(reason),
        })
    }

    /// What was not taken apart, told as an error where nobody sets it aside.
    ///
    /// # Errors
    /// `store`, for a cache of MSAL that is none.
    pub fn refuse_damaged(&self, reason: &str) -> Result<(), Error> {
        match &self.msal {
            None => Ok(()),
            Some(msal) => Err(msal.unusable(reason)),
        }
    }

    /// Has `is_settled` asked about what lies there, whenever that has changed.
    fn is_settled_by(
        &self,
        is_settled: &mut dyn FnMut(&Session) -> bool,
        seen: &mut Option<Stamp>,
        context: &Context<'_>,
    ) -> bool {
        let now = match &self.msal {
            None => Stamp::at(&self.own.file.path()),
            Some(msal) => Stamp::at(msal.path()),
        };
        if now.is_none() || now == *seen {
            return false;
        }
        *seen = now;
        matches!(self.load(context), Ok(Loaded::Session(session, _)) if is_settled(&session))
    }

    /// Takes the session's lock. Between here and the guard's end nobody else refreshes.
    ///
    /// # Errors
    /// `busy`, `interrupted` or `store`.
    pub fn lock(&self, context: &Context<'_>) -> Result<SessionGuard, Error> {
        let guard = self.lock_unless(context, &mut |_| false)?;
        Ok(guard.expect("nothing settles it but the lock"))
    }

    /// The same, unless `is_settled` by what another process keeps meanwhile. Many that wait for one
    /// refresh need not take the lock one after the other to see what it brought.
    ///
    /// # Errors
    /// `busy`, `interrupted` or `store`.
    pub fn lock_unless(
        &self,
        context: &Context<'_>,
        is_settled: &mut dyn FnMut(&Session) -> bool,
    ) -> Result<Option<SessionGuard>, Error> {
        let limit = self.own.lock_timeout;
        let limit = context.time_left().map_or(limit, |left| left.min(limit));
        self.lock_within(limit, context, is_settled)
    }

    /// Takes the session's lock for what a person has done, which would be lost: whoever holds it may be
    /// stopped, and somebody is there who is told so. Under a shield only the second Ctrl-C is heard.
    ///
    /// # Errors
    /// `busy`, `interrupted` or `store`.
    pub fn lock_to_keep(&self, context: &Context<'_>) -> Result<SessionGuard, Error> {
        /// How long is it waited for, whatever `[lock] timeout` says?
        const AT_LEAST: Duration = Duration::from_secs(600);
        let limit = self.own.lock_timeout.max(AT_LEAST);
        let guard = self.lock_within(limit, context, &mut |_| false)?;
        Ok(guard.expect("nothing settles it but the lock"))
    }

    fn lock_within(
        &self,
        limit: Duration,
        context: &Context<'_>,
        is_settled: &mut dyn FnMut(&Session) -> bool,
    ) -> Result<Option<SessionGuard>, Error> {
        let own = &self.own;
        let patience = Patience {
            limit,
            waiting_for: "another process that refreshes this session",
            hint: "try again, or give it longer with `[lock] timeout`",
        };
        let path = own.file.lock_path();
        own.file.create_directory()?;
        let mut seen = None;
        let guard = lock::acquire(&path, &patience, context, &mut || {
            self.is_settled_by(is_settled, &mut seen, context)
        })?;
        let Some(guard) = guard else {
            return Ok(None);
        };
        own.file.remove_temporaries();
        let msal = self.msal.as_ref();
        let msal = msal.map(|msal| msal.lock(limit, context)).transpose()?;
        Ok(Some(SessionGuard { msal, own: guard }))
    }

    /// Takes the lock for signing in. Whoever waits for it waits for a person, as long as their
    /// code can live: the holder may be stopped, and nobody at it.
    ///
    /// # Errors
    /// `busy`, `interrupted` or `store`.
    pub fn lock_sign_in(&self, profile: &str, context: &Context<'_>) -> Result<SignInGuard, Error> {
        /// How long can a sign-in take?
        const LONGEST: Duration = Duration::from_secs(3600);
        let own = &self.own;
        own.file.create_directory()?;
        let patience = Patience {
            limit: context.time_left().unwrap_or(LONGEST),
            waiting_for: &format!(
                "the sign-in that another process has begun for profile `{profile}`"
            ),
            hint: "finish that sign-in, then try again",
        };
        let path = own.file.sign_in_lock_path();
        let guard = lock::acquire(&path, &patience, context, &mut || false)?;
        Ok(SignInGuard(guard.expect("nothing settles it but the lock")))
    }

    /// Takes the lock for exchanges, unless `is_settled` by what another process keeps meanwhile.
    /// Whoever waits for it waits for a service that may be silent, as long as the call can.
    ///
    /// # Errors
    /// `busy`, `interrupted` or `store`.
    pub fn lock_exchange_unless(
        &self,
        context: &Context<'_>,
        is_settled: &mut dyn FnMut(&Session) -> bool,
    ) -> Result<Option<ExchangeGuard>, Error> {
        let own = &self.own;
        let patience = Patience {
            limit: context.time_left().unwrap_or(own.lock_timeout),
            waiting_for: "another process that exchanges a token of this session",
            hint: "nothing was lost; try again later",
        };
        let path = own.file.exchange_lock_path();
        own.file.create_directory()?;
        let mut seen = None;
        let guard = lock::acquire(&path, &patience, context, &mut || {
            self.is_settled_by(is_settled, &mut seen, context)
        })?;
        Ok(guard.map(ExchangeGuard))
    }

    /// Whether some process is signing in now.
    pub fn is_signing_in(&self) -> bool {
        let path = self.own.file.sign_in_lock_path();
        path.exists() && matches!(lock::try_acquire(&path), Ok(None))
    }

    /// The lock of the process that refreshes a token while others go on with it; `None` if there is
    /// one.
    ///
    /// # Errors
    /// `store`, if that cannot be told.
    pub fn lock_for_background(&self) -> Result<Option<File>, Error> {
        lock::try_acquire_for_another(&self.own.file.refresh_lock_path())
    }

    /// Reads the session under its lock. A damaged file is set aside, and said so.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_locked(
        &self,
        _guard: &SessionGuard,
        context: &Context<'_>,
    ) -> Result<Session, Error> {
        let own = self.own.load_locked(context)?;
        match &self.msal {
            None => Ok(own),
            Some(msal) => msal.compose_locked(&own, context),
        }
    }

    /// Proves that the session can be sealed and written, before a refresh token is spent.
    ///
    /// # Errors
    /// `store`.
    pub fn prove_writable(
        &self,
        _guard: &SessionGuard,
        context: &Context<'_>,
    ) -> Result<Proof, Error> {
        let own = &self.own;
        let with = own.seal_with(context)?;
        let reservation = own.file.prove_writable()?;
        let msal = self.msal.as_ref();
        let msal = msal.map(|msal| msal.prove_writable(context)).transpose()?;
        Ok(Proof {
            reservation,
            with,
            msal,
        })
    }

    /// Replaces the session, durably, into the proved room if there is some.
    ///
    /// # Errors
    /// `store`.
    pub fn save(
        &self,
        session: &mut Session,
        proof: Option<Proof>,
        guard: &SessionGuard,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let (with, room) = self.room(proof, context)?;
        self.write(session, &with, room, guard, context)
    }

    /// What the next content is sealed with, and the room that was proved for it.
    fn room(&self, proof: Option<Proof>, context: &Context<'_>) -> Result<(SealWith, Room), Error> {
        Ok(match proof {
            Some(proof) => (proof.with, (Some(proof.reservation), proof.msal)),
            None => (self.own.seal_with(context)?, (None, None)),
        })
    }

    fn write(
        &self,
        session: &mut Session,
        with: &SealWith,
        (reservation, proof): Room,
        guard: &SessionGuard,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let (Some(msal), Some(guard)) = (&self.msal, &guard.msal) else {
            return self.own.write(session, with, reservation, context);
        };
        // What is shared first: it is what would be lost.
        let mut beside = msal.write(session, proof, guard, context)?;
        self.own.write(&mut beside, with, reservation, context)?;
        // Where a refresh token was refused, there may be another one.
        *session = msal.compose_locked(&beside, context)?;
        Ok(())
    }

    /// The same, tried again where it fails: what would be lost is somebody's sign-in.
    ///
    /// # Errors
    /// `store`.
    pub fn save_or_retry(
        &self,
        session: &mut Session,
        proof: Option<Proof>,
        guard: &SessionGuard,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        /// How long may a disk need to come to itself?
        const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(200)];
        // The key is asked for once: it was there before the token was spent.
        let (with, room) = self.room(proof, context)?;
        let mut result = self.write(session, &with, room, guard, context);
        for pause in PAUSES {
            if result.is_ok() {
                break;
            }
            // Ctrl-C only shortens the pause.
            drop(context.clock.sleep(pause));
            result = self.write(session, &with, (None, None), guard, context);
        }
        result
    }

    /// Whether nobody can open the session any more, and no key that comes back later would: the place of
    /// its key was asked, whatever the operating system's memory holds.
    ///
    /// # Errors
    /// `store` or `config`, where that cannot be told now.
    pub fn is_lost(&self, _guard: &SessionGuard, context: &Context<'_>) -> Result<bool, Error> {
        let room = self.own.room(context);
        let find = &mut |seal: &'static Seal, id: &str| seal.find_anew(id, &room);
        self.own.file.is_lost(find)
    }

    /// Whether something of the session is damaged, as it lies there or where it was set aside.
    ///
    /// # Errors
    /// `store`, if that cannot be told.
    pub fn is_damaged(&self, context: &Context<'_>) -> Result<bool, Error> {
        Ok(!self.damaged(context)?.is_empty())
    }

    /// What cannot be opened now is not damaged.
    fn damaged(&self, context: &Context<'_>) -> Result<Vec<PathBuf>, Error> {
        let mut damaged = self.own.file.set_aside_before()?;
        if let Ok(Loaded::Damaged(_)) = self.own.load_whole(context) {
            damaged.push(self.own.file.path());
        }
        Ok(damaged)
    }

    /// Removes what is damaged of the session, also what was set aside before. Whether there was some.
    ///
    /// # Errors
    /// `store`.
    pub fn remove_damaged(
        &self,
        _guard: &SessionGuard,
        context: &Context<'_>,
    ) -> Result<bool, Error> {
        let damaged = self.damaged(context)?;
        for path in &damaged {
            self.own.file.remove_file(path)?;
        }
        Ok(!damaged.is_empty())
    }

    /// Removes the session.
    ///
    /// # Errors
    /// `store`.
    pub fn remove(&self, guard: &SessionGuard, context: &Context<'_>) -> Result<(), Error> {
        if let (Some(msal), Some(guard)) = (&self.msal, &guard.msal) {
            // All who are there are meant.
            msal.compose_locked(&Session::default(), context)?;
            msal.write(&Session::default(), None, guard, context)?;
        }
        self.own.file.remove()
    }
}

/// What was proved for a session: its own room, and the cache's.
type Room = (Option<Reservation>, Option<msal::Proof>);

/// What is different after each save, as far as a file system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp(SystemTime, u64);

impl Stamp {
    fn of(metadata: &Metadata) -> Option<Self> {
        Some(Self(metadata.modified().ok()?, metadata.len()))
    }

    /// `None` if there is no file.
    fn at(path: &Path) -> Option<Self> {
        Self::of(&fs::metadata(path).ok()?)
    }
}

/// The seal of the next content, and where nothing was chosen and there is no keyring, why.
fn next_seal(
    choice: Option<&Choice>,
    before: Option<&Lying>,
    room: &seal::Room<'_>,
) -> Result<(&'static Seal, Option<String>), Error> {
    let migrated = choice.filter(|choice| choice.is_migrated);
    let known = room
        .sealing
        .configured()
        .or_else(|| migrated.and_then(Choice::seal))
        .or(before.map(|before| before.seal))
        .or_else(|| choice.and_then(Choice::seal));
    let known = match known {
        // What was chosen may have been damaged since: nothing becomes plain for that.
        None => maintenance::sealed(room.directory)?,
        some => some,
    };
    if let Some(seal) = known {
        return Ok((seal, None));
    }
    choice.map_or(Ok(()), |choice| choice.check(room.directory))?;
    seal::best(room)
}

/// Does what needs a file's key. Where that fails, and the file was sealed anew meanwhile, it is looked
/// at again: the key of before may have been forgotten, or be forgotten while it is asked for.
fn patiently<T>(
    file: &SessionFile,
    room: &seal::Room<'_>,
    work: &mut dyn FnMut(&mut file::FindKey<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    loop {
        let mut asked = None;
        let result = work(&mut |seal, id| {
            asked = Some(id.to_owned());
            seal.find(id, room)
        });
        if result.is_ok() || asked.is_none() {
            return result;
        }
        match file.lying() {
            Ok(lying) if lying.as_ref().and_then(|lying| lying.key.as_ref()) != asked.as_ref() => {}
            _ => return result,
        }
    }
}

/// The directory of sessions.
pub fn sessions(state: &Path) -> PathBuf {
    state.join("sessions")
}

/// The digest of an identity. Each part is written with its length, so that no two identities
/// have the same text.
fn name(identity: &[(String, String)]) -> String {
    let mut text = String::new();
    for part in identity.iter().flat_map(|(name, value)| [name, value]) {
        text.push_str(&part.len().to_string());
        text.push(':');
        text.push_str(part);
    }
    digest(text.as_bytes())
}

/// What bytes are as a session's file: what a fuzzer calls.
///
/// # Errors
/// `store`, for a file that is not ours to touch.
pub fn decodes(bytes: &[u8]) -> Result<Loaded, Error> {
    file::decode(&mut bytes.to_vec(), Path::new("fuzz"), &mut |_, _| Ok(None))
}

/// The same where the key is at hand: what a fuzzer calls.
///
/// # Errors
/// As [`decodes`].
pub fn opens(bytes: &[u8]) -> Result<Loaded, Error> {
    let key = Key::of_material(&Secret::new("fuzz"));
    file::decode(&mut bytes.to_vec(), Path::new("fuzz"), &mut |_, id| {
        Ok((id == key.id()).then(|| key.clone()))
    })
}

/// Whether bytes say what new sessions are sealed with: what a fuzzer calls.
///
/// # Errors
/// `store`, if they do not.
pub fn chooses(bytes: &[u8]) -> Result<(), Error> {
    let path = Path::new("store.json");
    choice::decode(bytes, path)?.check(path)
}

#[cfg(test)]
mod tests {
    use super::file::{self, SealWith};
    use super::seal::{self, Key};
    use super::{Loaded, chooses, name, opens};
    use crate::secret::Secret;
    use crate::system::random::SystemRandomness;

    #[test]
    fn what_a_fuzzer_calls_opens_a_session_of_its_key_and_tells_a_choice_from_none() {
        let sealed = |material: &str| {
            let with = SealWith {
                seal: seal::find("command").expect("it is in the table"),
                key: Some(Key::of_material(&Secret::new(material))),
            };
            file::encode("{}", &with, "fuzz", &SystemRandomness).expect("it can be sealed")
        };
        let is_opened = |bytes: &[u8]| matches!(opens(bytes), Ok(Loaded::Session(..)));
        assert!(is_opened(&sealed("fuzz")));
        assert!(!is_opened(&sealed("another key")));
        assert!(chooses(b"{\"version\": 1}").is_ok());
        assert!(chooses(b"[").is_err());
    }

    #[test]
    fn different_identities_have_different_names() {
        let identity = |parts: &[(&str, &str)]| {
            let parts: Vec<_> = parts
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            name(&parts)
        };
        let names = [
            identity(&[("client_id", "ab"), ("scope", "c")]),
            identity(&[("client_id", "a"), ("scope", "bc")]),
            identity(&[("client_id", "abscopec")]),
            identity(&[("client_id", "ab"), ("scope", "c"), ("scope", "d")]),
            identity(&[("client_id", "ab"), ("scope", "c1:d")]),
        ];
        for (index, left) in names.iter().enumerate() {
            assert!(!names[index + 1..].contains(left));
        }
    }
}
