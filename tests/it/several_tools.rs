//! Several tools at once, with one sign-in.

use std::sync::Arc;

use serde_json::json;

use crate::cargo_ground::{CargoGround, FETCH};
use crate::docker_ground::{DockerGround, Guard};
use crate::git_ground::{BOTH, GitGround, new_git};
use crate::kubectl_ground::{KubectlGround, new_kubectl};
use crate::oidc_ground::Ground;
use crate::support::Ran;
use crate::tool::{DOCKER_REGISTRY, SKOPEO, needs};

#[test]
fn a_clone_a_fetch_a_get_and_a_pull_from_one_expired_session_make_one_token_request() {
    needs!(DOCKER_REGISTRY);
    needs!(SKOPEO);
    let (Some(git), Some(kubectl)) = (new_git(), new_kubectl()) else {
        return;
    };
    let ground = Arc::new(Ground::new(json!({ "rotate": true })));
    let forge = GitGround::on(Arc::clone(&ground), &git, BOTH);
    let crates = CargoGround::on(Arc::clone(&ground));
    let cluster = KubectlGround::on(Arc::clone(&ground));
    let images = DockerGround::on(Arc::clone(&ground), Guard::Service);
    let urls = json!([
        forge.forge.url("/"),
        crates.registry.url("/index/"),
        cluster.url(),
        format!("http://{}/", images.address()),
    ]);
    ground.set_profile(&format!(
        "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = {urls}\n"
    ));
    ground.sign_in("ada");
    crates.publish();
    images.run(&images.push()).ok();
    let servers = [
        (&forge.forge, "Bearer"),
        (&crates.registry, "Bearer"),
        (&cluster.server, "Bearer"),
        (&images.gate, "Basic"),
    ];
    for (server, _) in servers {
        server.reset();
    }
    ground.authority.reset_requests();
    ground.expire();

    let project = forge.url("project");
    let get = format!("{} get namespaces -o name", kubectl.word());
    let tools: [&(dyn Fn() -> Ran + Sync); 4] = [
        &|| forge.run(&["clone", "-q", &project, "one"]),
        &|| crates.run(FETCH),
        &|| cluster.run(&get),
        &|| images.run(&images.pull()),
    ];
    let ran = ground.at_once(tools.len(), |number| tools[number]());
    for ran in ran {
        drop(ran.ok());
    }
    for (server, scheme) in servers {
        assert!(server.schemes().contains_key(scheme));
    }
    ground.assert_refreshed_once();
}
