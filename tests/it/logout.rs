//! A sign-out, whatever stands in its way: what it leaves here.

use std::fs::{self, File};

use crate::authority::{Endpoint, Fault};
use crate::scene::{Scene, profile};
use crate::store_ground::Ground;
use crate::support::{Ran, detached, interrupt, set_mode};

#[test]
fn whoever_signs_out_is_forgotten_before_an_authority_that_is_silent_is_asked_to_revoke() {
    let scene = Scene::signed_in();
    scene.authority.script(Endpoint::Revocation, Fault::Hang);
    let command = scene.sandbox.command(&["logout"]);
    let child = detached(command).spawn().expect("setsid starts");
    scene
        .authority
        .wait_until(|state| state.count("/revoke", None) == 1);
    scene.run(&["get"]).failed(4);
    // Nor is the lock held meanwhile.
    scene.run(&["login"]).ok();
    interrupt(&child);
    let output = child.wait_with_output().expect("it can be waited for");
    assert_eq!(scene.sandbox.checked(output).code, None, "it ends at once");
    scene.run(&["get"]).ok();
}

#[test]
fn whoever_signs_out_of_a_damaged_sign_in_leaves_no_token_behind() {
    let removed = "a damaged sign-in for profile `api` was removed";
    let unrevoked = format!("warning: {removed}; it could not be revoked\n");
    let local = format!("{removed}\n");
    let somebody = "signed out for profile `api`\n";
    let ada = "signed out ada@example.test for profile `api`\n";
    for (arguments, removed) in [
        (&["logout"][..], unrevoked),
        (&["logout", "--local"], local),
    ] {
        let scene = Scene::signed_in();
        let (path, whole) = (scene.sandbox.session(), scene.session());
        let others = format!("{}.json.damaged-1", "0".repeat(64));
        fs::write(path.with_file_name(&others), "{").expect("it can be written");
        for (before, who) in [(&[][..], somebody), (&["get"], somebody), (&["login"], ada)] {
            fs::write(&path, &whole[..whole.len() - 9]).expect("it can be written");
            set_mode(&path, 0o600);
            // Each sets it aside.
            scene.run(before);
            let ran = scene.run(arguments);
            assert_eq!(ran.stderr, format!("{removed}{who}"), "{before:?}");
            assert_eq!(ran.ok(), "", "{before:?}");
            let left = sessions(&scene);
            assert_eq!(left, [others.as_str()], "what is another one's stays");
        }
        let again = scene.run(arguments);
        assert_eq!(again.stderr, "nobody was signed in for profile `api`\n");
        again.ok();
    }
}

#[test]
fn whoever_signs_out_of_all_leaves_no_token_behind_whatever_it_is_of() {
    for arguments in [&["--all"][..], &["--all", "--local"]] {
        let scene = Scene::signed_in();
        let issuer = scene.authority.issuer();
        let of = |client: &str| profile("api", &issuer).replace("\"cli\"", client);
        let first = scene.sandbox.session();
        scene.sandbox.write_profiles(&of("\"was-removed\""));
        scene.run(&["login"]).ok();
        fs::write(&first, "{").expect("it can be written");
        let aside = first.with_file_name(format!("{}.json.damaged-1", "0".repeat(64)));
        fs::write(aside, "{").expect("it can be written");
        scene.sandbox.write_profiles(&of("\"is-there\""));
        scene.run(&["login"]).ok();

        let line = [&["logout"], arguments].concat();
        let ran = scene.run(&line);
        let told = "3 sign-ins of no profile were removed";
        let (told, revoked) = match arguments.len() {
            1 => (format!("warning: {told}; they could not be revoked"), 2),
            _ => (told.to_owned(), 0),
        };
        let ada = "signed out ada@example.test for profile `api`";
        assert_eq!(ran.stderr, format!("{told}\n{ada}\n"));
        assert_eq!(ran.ok(), "");
        assert_eq!(scene.authority.count("/revoke", None), revoked);
        assert_eq!(sessions(&scene), Vec::<String>::new());
        let again = scene.run(&line);
        assert_eq!(again.stderr, "nobody was signed in for profile `api`\n");
        again.ok();
    }
}

#[test]
fn a_sign_out_of_all_in_another_configuration_tells_what_it_could_not_end() {
    let ground = Ground::new(4);
    ground.store(&["migrate", "--to", "command"]);
    // It goes whether or not it can be opened.
    fs::remove_file(ground.key_file(0)).expect("it is there");
    let paths = ground.paths();
    let [newer, readable, busy, _] = &paths[..] else {
        panic!("there are four: {paths:?}");
    };
    let text = "{\"version\":2,\"seal\":{\"name\":\"none\"},\"content\":{}}\n";
    fs::write(newer, text).expect("it can be written");
    set_mode(readable.as_ref(), 0o644);
    let lock = File::options()
        .write(true)
        .open(busy.replace(".json", ".lock"))
        .expect("it was locked before");
    lock.lock().expect("it is free");

    let other = ground.scene.file("other.toml");
    fs::write(&other, "[lock]\ntimeout = \"300ms\"\n").expect("it can be written");
    let log_out = || -> Ran {
        let other = other.display().to_string();
        ground.run(&["logout", "--all", "--config", &other])
    };
    let error = log_out().failed(7);
    for told in [
        "warning: 1 sign-in of no profile was removed; it could not be revoked",
        &format!("`{newer}` is of version 2"),
        &format!("others can read `{readable}`"),
        &format!("another process that uses `{busy}` took longer than 300ms"),
    ] {
        assert!(error.contains(told), "{told}: {error}");
    }
    assert_eq!(ground.paths(), paths[..3]);

    drop(lock);
    set_mode(readable.as_ref(), 0o600);
    fs::remove_file(newer).expect("it is there");
    let told = "warning: 2 sign-ins of no profile were removed; they could not be revoked\n";
    let ran = log_out();
    assert_eq!(ran.stderr, told);
    ran.ok();
    assert_eq!(sessions(&ground.scene), Vec::<String>::new());
}

#[test]
fn a_sign_in_that_may_be_of_a_profile_with_a_mistake_is_kept_for_its_revocation() {
    let scene = Scene::signed_in();
    let issuer = scene.authority.issuer();
    let mistaken = profile("api", &issuer).replace("client_id", "client");
    scene.sandbox.write_profiles(&mistaken);
    let error = scene.run(&["logout", "--all"]).failed(3);
    let told = "warning: sign-ins of no profile stay: they cannot be told from that of a profile";
    assert!(error.starts_with(told), "{error}");
    assert_eq!(sessions(&scene).len(), 1);

    let error = scene.run(&["logout", "--all", "--local"]).failed(3);
    assert!(error.starts_with("1 sign-in of no profile was removed\n"));
    assert_eq!(sessions(&scene), Vec::<String>::new());
    let error = scene.run(&["logout", "--all"]).failed(3);
    assert!(error.starts_with("error: "), "there is none: {error}");
}

/// What lies there of sign-ins, also of those that were set aside.
fn sessions(scene: &Scene) -> Vec<String> {
    let names = scene.beside_session().into_iter();
    names
        .filter(|name| name.contains(".json") && name != "store.json")
        .collect()
}
