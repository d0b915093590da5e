//! Secrets that come from elsewhere.

use std::process::Command;
use std::time::Duration;

use cred_helper::error::ErrorKind;
use cred_helper::secret_source::SecretSource;

use crate::fake::World;

#[test]
fn a_source_that_gives_nothing_or_never_ends_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let pipe = directory.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo starts").success());
    let world = World::default();
    let mut context = world.context();
    context.deadline = Some(Duration::from_millis(300));
    let file = |path: &str| (SecretSource::File(path.into()), path.to_owned());
    let command = |line: &str| {
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        (SecretSource::Command(words.clone()), words[0].clone())
    };
    for ((source, name), reason) in [
        (file(&pipe.display().to_string()), "gave nothing in time"),
        (file("/dev/zero"), "it is too large"),
        (command("sleep 1000"), "gave no answer within"),
        (command("cat /dev/zero"), "printed more than"),
        (
            (SecretSource::Keyring("deploy".to_owned()), String::new()),
            "there is no keyring here",
        ),
    ] {
        let error = source
            .resolve("client_secret", &context)
            .expect_err("there is no secret");
        // A keyring can be unlocked, or be there later: nothing is wrong with the profile.
        let is_of_keyring = matches!(source, SecretSource::Keyring(_));
        let kind = if is_of_keyring {
            ErrorKind::Store
        } else {
            ErrorKind::Config
        };
        assert_eq!(error.kind(), kind);
        let message = error.message();
        assert!(
            message.contains(reason) && message.contains(&name),
            "{error}"
        );
    }
}
