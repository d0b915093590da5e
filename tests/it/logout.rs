//! A sign-out, whatever stands in its way: what it leaves here.

use crate::authority::{Endpoint, Fault};
use crate::scene::Scene;
use crate::support::{detached, interrupt};

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
