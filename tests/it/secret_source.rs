//! Secrets that come from files.

use std::process::Command;
use std::time::Duration;

use cred_helper::error::ErrorKind;
use cred_helper::secret_source::SecretSource;

use crate::fake::World;

#[test]
fn a_file_that_gives_nothing_or_never_ends_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let pipe = directory.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo starts").success());
    let world = World::default();
    let mut context = world.context();
    context.deadline = Some(Duration::from_millis(300));
    for (path, reason) in [
        (pipe.as_path(), "gave nothing in time"),
        ("/dev/zero".as_ref(), "it is too large"),
    ] {
        let source = SecretSource::File(path.to_owned());
        let error = source
            .resolve("client_secret", &context)
            .expect_err("there is no secret");
        assert_eq!(error.kind(), ErrorKind::Config);
        let message = error.message();
        assert!(
            message.contains(reason) && message.contains(&path.display().to_string()),
            "{error}"
        );
    }
}
