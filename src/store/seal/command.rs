//! A key that a command prints: a password manager, `systemd-creds`, a tool for a TPM.
//!
//! The key of 256 bits is derived from what it prints (HKDF with SHA-256, RFC 5869).

use super::{Key, Keys, NotKept, Room, Seal};
use crate::error::{Error, ErrorKind};
use crate::system::process;

/// The line in the table.
pub(super) const SEAL: Seal = Seal {
    name: "command",
    keys: Some(&Command),
};

/// What tells a process that a command was started for the key, and that it must not start it again.
const ASKED: &str = "CRED_HELPER_KEY_ASKED";

/// How short may what it prints be? 128 bits in base64 have 22 characters.
const SHORTEST: usize = 16;

struct Command;

impl Keys for Command {
    fn draw(&self, room: &Room<'_>) -> Result<Key, Error> {
        key(&room.sealing.command, "command", room)
    }

    fn keep(&self, _key: &Key, _room: &Room<'_>) -> Result<(), NotKept> {
        // Whoever made it keeps it.
        Ok(())
    }

    fn find(&self, id: &str, room: &Room<'_>) -> Result<Option<Key>, Error> {
        let sealing = room.sealing;
        let key_of_now = key(&sealing.command, "command", room)?;
        if key_of_now.id() == id {
            return Ok(Some(key_of_now));
        }
        if sealing.previous_command.is_empty() {
            return Ok(None);
        }
        let previous = key(&sealing.previous_command, "previous_command", room)?;
        Ok((previous.id() == id).then_some(previous))
    }

    fn forget(&self, _id: &str, _room: &Room<'_>) -> Result<(), Error> {
        // It is not ours.
        Ok(())
    }

    fn makes_keys(&self) -> bool {
        false
    }
}

fn key(command: &[String], name: &str, room: &Room<'_>) -> Result<Key, Error> {
    let failed = |reason: String| {
        let message = format!("the key of the sessions cannot be had: {reason}");
        let error = Error::new(ErrorKind::Store, message).hint(format!(
            "run the `{name}` of `[store]` by hand: it has to print text of {SHORTEST} bytes or more, \
             and ask nobody; the sign-ins are untouched"
        ));
        room.at_hand.add_failure(command, &error);
        error
    };
    if let Some(error) = room.at_hand.failure(command) {
        return Err(error);
    }
    if command.is_empty() {
        return Err(Error::new(
            ErrorKind::Config,
            "a session is sealed by a command, and none is configured",
        )
        .hint(format!(
            "set `{name}` below `[store]` in a profile file to the command that prints the key"
        )));
    }
    if room.context.environment.variable(ASKED).is_some() {
        return Err(Error::new(
            ErrorKind::Config,
            format!("the `{name}` of `[store]` needs a sign-in that is sealed with its own key"),
        )
        .hint("have it print the key without cred-helper"));
    }
    let (limit, environment) = (room.limit(), room.context.environment);
    let printed = process::output_with(command, &[(ASKED, "1")], limit, environment);
    let printed = printed.map_err(failed)?;
    let text = printed.expose();
    // Whether there is a line end depends on the tool alone.
    let bare = text.strip_suffix('\n').unwrap_or(text);
    if bare.len() < SHORTEST {
        let program = command.first().map_or("", String::as_str);
        return Err(failed(format!(
            "`{program}` printed less than {SHORTEST} bytes, which is no key"
        )));
    }
    Ok(Key::of_material(&crate::secret::Secret::new(bare)))
}
