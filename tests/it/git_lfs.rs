//! git-lfs, which asks git for credentials and speaks to the forge itself.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::git_ground::{BASIC, GitGround, gits, is_taken};
use crate::http_server::{Answer, HttpServer, Request};
use crate::oidc_ground::for_each;
use crate::tool::{GIT_LFS, needs};

/// Keeps objects for whoever brings a good token
/// (<https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md>).
fn storage(judge: impl Fn(&str) -> bool + Send + Sync + 'static) -> HttpServer {
    let objects: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::default();
    HttpServer::start(move |request| {
        if !is_taken(request, &BASIC, &judge) {
            return Answer::challenge(BASIC.challenges);
        }
        let mut objects = objects.lock().expect("nothing panics with it");
        match request.method.as_str() {
            "POST" => batch(request),
            "PUT" => {
                objects.insert(request.path.clone(), request.body.clone());
                Answer::new(200, "")
            }
            _ => match objects.get(&request.path) {
                Some(object) => Answer::new(200, object.clone()),
                None => Answer::new(404, ""),
            },
        }
    })
}

fn batch(request: &Request) -> Answer {
    let asked: Value = serde_json::from_slice(&request.body).expect("it is JSON");
    let operation = asked["operation"].as_str().expect("it wants something");
    let objects = asked["objects"].as_array().expect("it names objects");
    let place = |object: &Value| {
        let name = object["oid"].as_str().expect("an object has an id");
        let href = format!("http://{}/objects/{name}", request.header("host"));
        json!({
            "oid": name, "size": object["size"], "actions": { operation: { "href": href } },
        })
    };
    let objects: Vec<Value> = objects.iter().map(place).collect();
    let answer = json!({ "transfer": "basic", "objects": objects }).to_string();
    Answer::new(200, answer).with("Content-Type", "application/vnd.git-lfs+json")
}

#[test]
fn git_lfs_pushes_and_fetches_objects_with_the_token() {
    needs!(GIT_LFS);
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BASIC);
        let storage = storage(ground.ground.authority.judge());
        let keys = format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"{}\", \"{}\"]\n",
            ground.forge.url("/"),
            storage.url("/")
        );
        ground.ground.set_profile(&keys);
        ground.configure(&format!(
            "[credential]\nhelper = cred-helper\n\
             [filter \"lfs\"]\nprocess = git-lfs filter-process\nrequired = true\n\
             clean = git-lfs clean -- %f\nsmudge = git-lfs smudge -- %f\n\
             [lfs]\nurl = {}\nlocksverify = false\n",
            storage.url("/store")
        ));
        let run = |arguments: &[&str]| ground.run(arguments).ok();
        run(&["clone", "-q", &ground.url("project"), "one"]);
        let one = ground.ground.sandbox.path().join("one");
        fs::write(one.join(".gitattributes"), "large filter=lfs\n").expect("it can be written");
        fs::write(one.join("large"), "a large object").expect("it can be written");
        run(&["-C", "one", "add", "."]);
        run(&["-C", "one", "commit", "-q", "-m", "large"]);
        run(&["-C", "one", "lfs", "push", "origin", "main"]);
        run(&["-C", "one", "push", "-q"]);
        run(&["clone", "-q", &ground.url("project"), "two"]);
        assert_eq!(ground.ground.read("two/large"), "a large object");
        let pointer = run(&["-C", "two", "cat-file", "-p", "HEAD:large"]);
        assert!(pointer.contains("git-lfs"), "{pointer}");
        let methods = storage.requests();
        let methods = methods.iter().map(|request| request.method.as_str());
        let mut methods: Vec<&str> = methods.collect();
        methods.sort_unstable();
        methods.dedup();
        assert_eq!(methods, ["GET", "POST", "PUT"]);
        assert_eq!(ground.ground.authority.requests().total, 0);
        ground.assert_kept_nowhere(&ground.ground.get(&[]));
    });
}
