//! Several tools at once, with one sign-in.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cargo_ground::{CargoGround, FETCH};
use crate::docker_ground::{DockerGround, Guard};
use crate::git_ground::{BOTH, GitGround, new_git};
use crate::http_server::HttpServer;
use crate::kubectl_ground::{Kubectl, KubectlGround, new_kubectl};
use crate::oidc_ground::{Ground, large_tokens};
use crate::support::Ran;
use crate::tool::{DOCKER_REGISTRY, SKOPEO, is_missing};

/// A clone, a fetch, a get and a pull, all for one session.
struct Tools {
    ground: Arc<Ground>,
    forge: GitGround,
    crates: CargoGround,
    cluster: KubectlGround,
    kubectl: Kubectl,
    images: DockerGround,
}

impl Tools {
    /// Somebody is signed in, at an authority of these options. `None` where a tool is missing, which is
    /// noted.
    fn signed_in(options: Value) -> Option<Self> {
        if is_missing(&DOCKER_REGISTRY) || is_missing(&SKOPEO) {
            return None;
        }
        let (git, kubectl) = (new_git()?, new_kubectl()?);
        let ground = Arc::new(Ground::new(options));
        let tools = Self {
            forge: GitGround::on(Arc::clone(&ground), &git, BOTH),
            crates: CargoGround::on(Arc::clone(&ground)),
            cluster: KubectlGround::on(Arc::clone(&ground)),
            kubectl,
            images: DockerGround::on(Arc::clone(&ground), Guard::Service),
            ground,
        };
        let urls = json!([
            tools.forge.forge.url("/"),
            tools.crates.registry.url("/index/"),
            tools.cluster.url(),
            format!("http://{}/", tools.images.address()),
        ]);
        tools.ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = {urls}\n"
        ));
        tools.ground.sign_in("ada");
        tools.crates.publish();
        tools.images.run(&tools.images.push()).ok();
        for (server, _) in tools.servers() {
            server.reset();
        }
        tools.ground.authority.reset_requests();
        Some(tools)
    }

    /// The servers, and how each is told the token.
    fn servers(&self) -> [(&HttpServer, &str); 4] {
        [
            (&self.forge.forge, "Bearer"),
            (&self.crates.registry, "Bearer"),
            (&self.cluster.server, "Bearer"),
            (&self.images.gate, "Basic"),
        ]
    }

    const COUNT: usize = 4;

    /// Runs one of them.
    fn run(&self, number: usize) -> Ran {
        match number {
            0 => {
                let project = self.forge.url("project");
                self.forge.run(&["clone", "-q", &project, "one"])
            }
            1 => self.crates.run(FETCH),
            2 => {
                let get = format!("{} get namespaces -o name", self.kubectl.word());
                self.cluster.run(&get)
            }
            _ => self.images.run(&self.images.pull()),
        }
    }

    /// All came to their servers with a token.
    fn assert_done(&self, ran: impl IntoIterator<Item = Ran>) {
        for ran in ran {
            drop(ran.ok());
        }
        for (server, scheme) in self.servers() {
            assert!(server.schemes().contains_key(scheme));
        }
    }
}

#[test]
fn a_clone_a_fetch_a_get_and_a_pull_from_one_expired_session_make_one_token_request() {
    let Some(tools) = Tools::signed_in(json!({ "rotate": true })) else {
        return;
    };
    tools.ground.expire();
    let ran = tools
        .ground
        .at_once(Tools::COUNT, |number| tools.run(number));
    tools.assert_done(ran);
    tools.ground.assert_refreshed_once();
}

#[test]
fn git_cargo_kubectl_and_docker_take_a_token_of_16_kb() {
    let Some(tools) = Tools::signed_in(large_tokens()) else {
        return;
    };
    let token = tools.ground.get(&[]);
    assert!(token.len() > 16 * 1024, "{}", token.len());
    tools.assert_done((0..Tools::COUNT).map(|number| tools.run(number)));
}
