//! Managed identities where something is wrong: refused, absent, in trouble, or hostile.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use cred_helper::acquire::{Call, acquire};
use cred_helper::context::HttpFailure;
use cred_helper::credential::{Action, Credential, Interactive, Request};
use cred_helper::error::{Error, ErrorKind};
use cred_helper::profile::file::Source;
use cred_helper::profile::{Configuration, Profile};
use cred_helper::store::SessionStore;
use cred_helper::store::seal::Sealing;
use cred_helper::system::arc::read_key;
use serde_json::json;
use tempfile::TempDir;

use crate::azure_ground::{Azure, KEY, Place, SYSTEM, robot, token_number};
use crate::fake::World;
use crate::http_server::Answer;

#[test]
fn a_refusal_is_denied_and_says_what_to_do() {
    let assigned = "{ type = \"managed_identity\", client_id = \"a\" }";
    let wrong_id = "check the id in the profile's `grant`";
    let no_identity = "assign an identity to what runs here";
    for (place, grant, status, body, words, hint) in [
        (
            Place::VirtualMachine,
            SYSTEM,
            400,
            json!({"error": "invalid_request", "error_description": "Identity not found"}),
            "invalid_request: Identity not found",
            no_identity,
        ),
        (
            Place::VirtualMachine,
            assigned,
            400,
            json!({"error": "invalid_request", "error_description": "Identity not found"}),
            "the managed identity of this virtual machine refused",
            wrong_id,
        ),
        (
            Place::VirtualMachine,
            SYSTEM,
            400,
            json!({"error": "invalid_resource",
                   "error_description": "AADSTS500011: The resource principal was not found."}),
            "AADSTS500011",
            "check the profile's `scopes`",
        ),
        (
            Place::AppService,
            assigned,
            400,
            json!({"StatusCode": 400, "ActivityId": "6a40",
                   "Message": "No User Assigned or Delegated Managed Identity found"}),
            "correlation id 6a40",
            wrong_id,
        ),
        (
            Place::ServiceFabric,
            SYSTEM,
            404,
            json!({"error": {"correlationId": "7f30", "code": "ManagedIdentityNotFound",
                             "message": "Managed identity not found for the application host"}}),
            "ManagedIdentityNotFound: Managed identity not found",
            no_identity,
        ),
        (
            Place::Arc,
            SYSTEM,
            400,
            json!({"error": "invalid_request", "error_description": "no resource"}),
            "no resource",
            no_identity,
        ),
        (
            Place::CloudShell,
            SYSTEM,
            400,
            json!({"error": {"code": "invalid_audience", "message": "Audience is not supported"}}),
            "invalid_audience: Audience is not supported",
            no_identity,
        ),
    ] {
        let azure = Azure::of(place, &robot(grant, ""));
        azure.say(status, &body);
        let said = azure.run(&["get"]).failed(5);
        assert!(said.contains(words), "{place:?}: {said}");
        assert!(said.contains(hint), "{place:?}: {said}");
        assert_eq!(azure.server.requests().len(), 1, "{place:?}: it is final");
        assert_eq!(azure.get()["access_token"], token_number(1), "{place:?}");
    }
}

#[test]
fn what_is_no_answer_of_azure_is_unavailable_and_shown_harmlessly() {
    let token = |edit: &str| format!("{{\"access_token\": \"token-number-9\"{edit}}}");
    let long = "x".repeat(2 << 20);
    for (answer, code, words) in [
        (
            Answer::new(200, "<html>sign in to the hotel</html>"),
            6,
            "no token response",
        ),
        (Answer::new(200, "{}"), 6, "no token response"),
        (
            Answer::new(403, "<html>forbidden</html>"),
            6,
            "is this a machine in Azure",
        ),
        (
            Answer::new(200, token(", \"token_type\": \"pop\"")),
            5,
            "only bearer tokens",
        ),
        (
            Answer::new(200, "{\"access_token\": \"token-number-9\\nX: y\"}"),
            5,
            "characters that no header can carry",
        ),
        (
            Answer::new(
                400,
                "{\"error\": \"a\\u001b[31m\", \"error_description\": \"b\\u202ec\"}",
            ),
            5,
            "a[31m: bc",
        ),
    ] {
        let azure = Azure::new(Place::VirtualMachine);
        let shown = format!("{answer:?}");
        azure.answer(answer);
        let said = azure.run(&["get"]).failed(code);
        assert!(said.contains(words), "{shown}: {said}");
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
        assert_eq!(azure.server.requests().len(), 1, "{shown}");
    }
    // Nothing is followed to where somebody else says.
    let azure = Azure::new(Place::AppService);
    let elsewhere = azure.server.url("/elsewhere");
    azure.answer(Answer::new(302, "").with("Location", &elsewhere));
    let said = azure.run(&["get"]).failed(6);
    assert!(said.contains("HTTP status 302"), "{said}");
    assert_eq!(azure.server.requests().len(), 1);
    // Nor is anybody kept waiting for as long as somebody says, though `login` has no limit.
    let azure = Azure::new(Place::AppService);
    azure.answer(Answer::new(429, "").with("Retry-After", "86400"));
    azure.run(&["login", "-p", "robot"]).failed(6);
    assert_eq!(azure.server.requests().len(), 1);
    // What is too long is read no further, and asked for again like all that was not read.
    let azure = Azure::new(Place::VirtualMachine);
    azure.answer(Answer::new(200, long));
    assert_eq!(azure.get()["access_token"], token_number(1));
    assert!(
        azure
            .log()
            .contains("the answer is longer than 1048576 bytes")
    );
}

#[test]
fn where_there_is_no_managed_identity_the_error_says_so_soon() {
    let silence = "ip link set lo up; ip route add 169.254.0.0/16 dev lo; exec \"$@\"";
    for wrapper in [
        vec!["unshare", "-n"],
        vec!["unshare", "-n", "sh", "-c", silence, "sh"],
    ] {
        let azure = Azure::new(Place::VirtualMachine);
        let own = azure.sandbox.command(&["get"]);
        let mut command = Command::new(wrapper[0]);
        azure.sandbox.prepare(&mut command);
        command
            .args(&wrapper[1..])
            .arg(own.get_program())
            .args(own.get_args());
        let begun = Instant::now();
        let said = azure.sandbox.run_command(command).failed(6);
        // Whoever waited as long as for others would take ten seconds.
        assert!(
            begun.elapsed() < Duration::from_secs(8),
            "{:?}",
            begun.elapsed()
        );
        assert!(
            said.contains("profile `robot`: no managed identity was found here"),
            "{said}"
        );
        assert!(
            said.contains("neither `IDENTITY_ENDPOINT` nor `MSI_ENDPOINT`"),
            "{said}"
        );
        assert!(
            said.contains("http://169.254.169.254/metadata/identity/oauth2/token: "),
            "{said}"
        );
        assert!(said.contains("elsewhere use another `grant`"), "{said}");
    }
}

#[test]
fn a_variable_that_leads_elsewhere_is_refused_before_anything_is_sent() {
    for (name, value, place) in [
        (
            "IDENTITY_ENDPOINT",
            "http://metadata.example/token",
            Place::AppService,
        ),
        (
            "MSI_ENDPOINT",
            "http://10.1.2.3/token",
            Place::MachineLearning,
        ),
        (
            "AZURE_POD_IDENTITY_AUTHORITY_HOST",
            "http://192.168.0.1",
            Place::VirtualMachine,
        ),
        (
            "IDENTITY_ENDPOINT",
            "http://127.0.0.1:9/token",
            Place::ServiceFabric,
        ),
        (
            "IDENTITY_SERVER_THUMBPRINT",
            "not a thumbprint",
            Place::ServiceFabric,
        ),
    ] {
        let azure = Azure::new(place);
        let mut command = azure.command(&["get"]);
        command.env(name, value);
        let said = azure.sandbox.run_command(command).failed(3);
        assert!(
            said.contains(&format!("the environment variable `{name}` is")),
            "{said}"
        );
        assert_eq!(azure.server.requests().len(), 0);
    }
    // Another certificate than the one that is named.
    let azure = Azure::new(Place::ServiceFabric);
    let thumbprint = azure.variable("IDENTITY_SERVER_THUMBPRINT");
    let other: String = thumbprint.chars().rev().collect();
    let mut command = azure.command(&["get"]);
    command.env("IDENTITY_SERVER_THUMBPRINT", other);
    let said = azure.sandbox.run_command(command).failed(6);
    assert!(said.contains("invalid peer certificate"), "{said}");
    assert_eq!(azure.server.requests().len(), 0);
}

#[test]
fn the_agent_of_azure_arc_has_only_its_own_keys_shown_to_it() {
    let other = "echo $SECRET >$TOKENS/../other.key; echo $SECRET >$TOKENS/a.txt; \
                 ln -s $TOKENS/../other.key $TOKENS/link.key; head -c 4097 /dev/zero | \
                 tr '\\0' x >$TOKENS/long.key; mkfifo $TOKENS/pipe.key; \
                 printf %s $SECRET >/var/opt/azcmagent/tokensx.key";
    for (challenge, words) in [
        (
            "Basic realm=/var/opt/azcmagent/other.key",
            "is no key in `/var/opt/azcmagent/tokens`",
        ),
        (
            "Basic realm=/var/opt/azcmagent/tokens/../other.key",
            "is no key in",
        ),
        (
            "Basic realm=/var/opt/azcmagent/tokens/a.txt",
            "is no key in",
        ),
        ("Basic realm=/var/opt/azcmagent/tokensx.key", "is no key in"),
        ("Basic realm=a.key", "is no key in"),
        ("Basic realm=/etc/passwd", "is no key in"),
        (
            "Basic realm=/var/opt/azcmagent/tokens/link.key",
            "is no file",
        ),
        (
            "Basic realm=/var/opt/azcmagent/tokens/pipe.key",
            "is no file",
        ),
        (
            "Basic realm=/var/opt/azcmagent/tokens/long.key",
            "longer than 4096 bytes",
        ),
        (
            "Basic realm=/var/opt/azcmagent/tokens/none.key",
            "cannot be read",
        ),
    ] {
        let azure = Azure::new(Place::Arc);
        azure.answer(Answer::challenge(&[challenge]));
        let mut command = azure.with_agent(&azure.sandbox.command(&["get"]), other);
        command.env("SECRET", KEY);
        let said = azure.sandbox.run_command(command).failed(5);
        assert!(said.contains(words), "{challenge}: {said}");
        assert_eq!(
            azure.server.requests().len(),
            1,
            "{challenge}: nothing was shown"
        );
    }
    for (answer, words) in [
        (
            Answer::challenge(&["Bearer realm=x"]),
            "does not say where its key is",
        ),
        (
            Answer::challenge(&["Basic"]),
            "does not say where its key is",
        ),
        (Answer::new(401, "no"), "does not say where its key is"),
        // Whoever gives a token to everybody is not the agent.
        (
            Answer::new(200, "{\"access_token\": \"token-number-9\"}"),
            "gave an answer that is none of its own",
        ),
    ] {
        let azure = Azure::new(Place::Arc);
        azure.answer(answer);
        let said = azure.run(&["get"]).failed(6);
        assert!(said.contains(words), "{said}");
        assert_eq!(azure.server.requests().len(), 1);
    }
    let quoted = "Basic realm=\"/var/opt/azcmagent/tokens/a.key\"";
    let azure = Azure::new(Place::Arc);
    azure.answer(Answer::challenge(&[quoted]));
    assert_eq!(azure.get()["access_token"], token_number(1));
}

#[test]
fn a_key_lies_in_its_directory_itself() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let root = directory.path().canonicalize().expect("it is there");
    let tokens = root.join("tokens");
    fs::create_dir(&tokens).expect("it can be made");
    fs::write(tokens.join("a.key"), format!("{KEY}\r\n")).expect("it can be written");
    fs::write(root.join("b.key"), "outside").expect("it can be written");
    symlink(&tokens, root.join("way")).expect("a link can be made");
    symlink(root.join("b.key"), tokens.join("b.key")).expect("a link can be made");
    let read = |name: &str| {
        let named = root.join(name).display().to_string();
        read_key(&tokens, &named).map(|key| key.expose().to_owned())
    };
    assert_eq!(read("tokens/a.key").as_deref(), Ok(KEY));
    assert_eq!(read("way/a.key").as_deref(), Ok(KEY), "the same directory");
    for bad in [
        "tokens/b.key",
        "b.key",
        "tokens/../b.key",
        "way/b.key",
        "tokens",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_old_agent_that_ignores_the_id_gives_no_token() {
    let grant = "{ type = \"managed_identity\", client_id = \"ABCD\" }";
    for (told, words) in [
        (json!({}), "its answer names no identity"),
        (
            json!({"client_id": "other"}),
            "its answer names another identity",
        ),
    ] {
        let azure = Azure::of(Place::Arc, &robot(grant, ""));
        azure.answer(Answer::challenge(&[
            "Basic realm=/var/opt/azcmagent/tokens/a.key",
        ]));
        let mut answer = json!({"access_token": "token-number-9", "expires_in": "3600"});
        if let Some(id) = told.get("client_id") {
            answer["client_id"] = id.clone();
        }
        azure.say(200, &answer);
        let said = azure.run(&["get"]).failed(5);
        assert!(said.contains(words), "{said}");
    }
}

/// A profile of a virtual machine, and where its session lies.
struct Desk {
    profile: Profile,
    store: SessionStore,
    _directory: TempDir,
}

impl Desk {
    fn new() -> Self {
        let text = robot(SYSTEM, "");
        let mut source = Source::built_in("profiles.toml", &text);
        source.profiles_count = true;
        let sources = [source];
        let configuration = Configuration::new(&sources).expect("the file is good");
        let profile = configuration.profile("robot").expect("the profile is good");
        let directory = tempfile::tempdir().expect("a directory can be made");
        let store = SessionStore::own(
            directory.path(),
            profile.identity(),
            Sealing::named("none"),
            None,
        );
        Self {
            profile,
            store,
            _directory: directory,
        }
    }

    /// A call that may take so many seconds.
    fn get(&self, world: &World, limit: Option<u64>) -> Result<Credential, Error> {
        let mut context = world.context();
        let now = context.clock.monotonic();
        context.deadline = limit.map(|limit| now + Duration::from_secs(limit));
        let call = Call {
            profile: &self.profile,
            store: &self.store,
            grant: self.profile.grant.as_ref(),
            request: &Request::new(Action::Get),
            assertion: None,
            interactive: Interactive::Never,
            background: Some(false),
            clipboard: false,
            context,
        };
        acquire(&call, None)
    }
}

/// When the requests were sent, in milliseconds.
fn times(world: &World) -> Vec<u128> {
    let sent = world.sent.borrow();
    sent.iter().map(|sent| sent.at.as_millis()).collect()
}

fn good(life: i64) -> serde_json::Value {
    json!({ "access_token": "a", "expires_in": life.to_string(), "token_type": "Bearer" })
}

#[test]
fn trouble_is_waited_out_five_times_and_an_update_for_seventy_seconds() {
    let doubling: &[u128] = &[0, 800, 2400, 5600, 12000];
    let patient: &[u128] = &[0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 70_000];
    for (status, limit, expected) in [
        (404, Some(60), doubling),
        (408, Some(60), doubling),
        (429, Some(60), doubling),
        (500, Some(60), doubling),
        (503, Some(60), doubling),
        (503, None, doubling),
        // A call ends when it has to, not in the middle of a wait.
        (503, Some(5), &doubling[..3]),
        (410, None, patient),
        (410, Some(60), &patient[..6]),
        (410, Some(9), &patient[..1]),
        (400, Some(60), &doubling[..1]),
        (401, Some(60), &doubling[..1]),
        (403, Some(60), &doubling[..1]),
    ] {
        let (world, desk) = (World::default(), Desk::new());
        for _ in expected {
            world.answer(status, "");
        }
        let error = desk.get(&world, limit).expect_err("there is no token");
        assert_eq!(times(&world), expected, "{status} within {limit:?}");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{status}");
        world.assert_all_asked();
    }
    // The last try counts.
    let (world, desk) = (World::default(), Desk::new());
    for status in [404, 429, 500, 503] {
        world.answer(status, "");
    }
    world.answer(200, good(3600));
    let credential = desk.get(&world, Some(60)).expect("there is one at last");
    assert_eq!(credential.access_token.expose(), "a");
    assert_eq!(times(&world), doubling);
}

#[test]
fn an_answer_that_broke_off_is_asked_for_again_and_an_absent_service_is_not() {
    let (world, desk) = (World::default(), Desk::new());
    world.fail(HttpFailure::NotAnswered("reset".to_owned()));
    world.answer(200, good(3600));
    desk.get(&world, Some(60)).expect("the second is whole");
    assert_eq!(times(&world).len(), 2);

    let (world, desk) = (World::default(), Desk::new());
    world.fail(HttpFailure::NotSent("refused".to_owned()));
    let error = desk.get(&world, Some(60)).expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(times(&world).len(), 1);
}

#[test]
fn a_long_life_is_renewed_after_half_of_it_and_the_old_token_serves_where_that_fails() {
    let (world, desk) = (World::default(), Desk::new());
    let sources = RefCell::new(Vec::new());
    let get = || {
        let credential = desk.get(&world, Some(60)).expect("there is a token");
        sources
            .borrow_mut()
            .push((credential.source, credential.stale));
    };
    world.answer(200, good(86_400));
    get();
    world.pass(43_000);
    get();
    world.pass(300);
    world.answer(400, json!({"error": "invalid_request"}));
    get();
    world.answer(200, good(7199));
    get();
    world.pass(6000);
    get();
    let expected = [
        ("managed_identity", false),
        ("cache", false),
        ("cache", true),
        ("managed_identity", false),
        ("cache", false),
    ];
    assert_eq!(*sources.borrow(), expected);
    world.assert_all_asked();
}
