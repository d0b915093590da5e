//! Several tools at once, with one sign-in.

use std::sync::Arc;

use serde_json::json;

use crate::cargo_ground::{CargoGround, FETCH};
use crate::git_ground::{BOTH, GitGround, new_git};
use crate::http_server::HttpServer;
use crate::kubectl_ground::{KubectlGround, new_kubectl};
use crate::oidc_ground::Ground;
use crate::support::Ran;

#[test]
fn several_tools_at_once_from_one_expired_session_make_one_token_request() {
    let (Some(git), Some(kubectl)) = (new_git(), new_kubectl()) else {
        return;
    };
    let ground = Arc::new(Ground::new(json!({ "rotate": true })));
    let forge = GitGround::on(Arc::clone(&ground), &git, BOTH);
    let registry = CargoGround::on(Arc::clone(&ground));
    let cluster = KubectlGround::on(Arc::clone(&ground));
    let urls = [
        forge.forge.url("/"),
        registry.registry.url("/index/"),
        cluster.url(),
    ];
    let profile = json!(urls).to_string();
    ground.set_profile(&format!(
        "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = {profile}\n"
    ));
    ground.sign_in("ada");
    registry.publish();
    let servers = [&forge.forge, &registry.registry, &cluster.server];
    servers.into_iter().for_each(HttpServer::reset);
    ground.authority.reset_requests();
    ground.expire();

    let project = forge.url("project");
    let get = format!("{} get namespaces -o name", kubectl.word());
    let tools: [&(dyn Fn() -> Ran + Sync); 3] = [
        &|| forge.run(&["clone", "-q", &project, "one"]),
        &|| registry.run(FETCH),
        &|| cluster.run(&get),
    ];
    let ran = ground.at_once(tools.len(), |number| tools[number]());
    for ran in ran {
        drop(ran.ok());
    }
    for server in servers {
        assert!(server.schemes().contains_key("Bearer"));
    }
    ground.assert_refreshed_once();
}
