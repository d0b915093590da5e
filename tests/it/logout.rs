//! A sign-out, whatever stands in its way: what it leaves here.

use std::fs;

use crate::authority::{Endpoint, Fault};
use crate::scene::Scene;
use crate::support::{detached, interrupt, set_mode};

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
            let left = scene.beside_session().into_iter();
            let left: Vec<String> = left.filter(|name| name.contains(".json.")).collect();
            assert_eq!(left, [others.as_str()], "what is another one's stays");
            assert!(!path.exists(), "{before:?}");
        }
        let again = scene.run(arguments);
        assert_eq!(again.stderr, "nobody was signed in for profile `api`\n");
        again.ok();
    }
}
