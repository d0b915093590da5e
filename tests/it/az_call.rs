//! The stand-ins for `az` and `azd`, called as libraries call them: which profile answers, in which form,
//! and what becomes of all other calls.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::authority::{Endpoint, Fault};
use crate::microsoft::TENANT;
use crate::scene::{Scene, at_once};
use crate::support::{Ran, Sandbox};

/// Another tenant than that of `vault`.
pub(crate) const OTHER_TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// The tenant of those who sign in where the authority names none by its id.
const HOME_TENANT: &str = "11111111-1111-1111-1111-111111111111";

/// A command of the words that are added, for which the programs of the sandbox are all there is.
pub(crate) fn alone(sandbox: &Sandbox) -> Command {
    let mut command = Command::new("env");
    sandbox.prepare(&mut command);
    command.arg(format!("PATH={}", sandbox.bin().display()));
    command
}

/// A profile of Entra's for a resource.
fn profile(name: &str, authority: &str, scope: &str) -> String {
    format!(
        "[profiles.{name}]\npreset = \"entra\"\nclient_id = \"cli\"\nauthority = \"{authority}\"\n\
         scopes = [\"{scope}\"]\n"
    )
}

/// Both links, a profile `vault`, and these.
pub(crate) fn scene(profiles: impl FnOnce(&str) -> String) -> Scene {
    let scene = Scene::of(at_once(), |issuer| {
        let vault = format!("{issuer}/{TENANT}");
        profile("vault", &vault, "https://vault.azure.net/.default") + &profiles(issuer)
    });
    scene.sandbox.link("az");
    scene.sandbox.link("azd");
    scene
}

/// Runs a line of the sandbox's programs: variables first, words without blanks.
fn call(scene: &Scene, line: &str) -> Ran {
    let mut command = alone(&scene.sandbox);
    command.args(line.split(' '));
    scene.run_command(command)
}

/// Has somebody sign in for each of these profiles.
fn sign_in(scene: &Scene, profiles: &[&str]) {
    for profile in profiles {
        scene.run(&["login", "-p", profile]).ok();
    }
}

/// The access token of a profile.
fn token_of(scene: &Scene, profile: &str) -> Value {
    scene.run(&["get", "-p", profile, "-o", "json"]).json()["access_token"].take()
}

const GET: &str = "az account get-access-token";

#[test]
fn the_profile_is_that_of_the_resource_and_of_no_other_tenant() {
    const THIRD_TENANT: &str = "11111111-2222-3333-4444-555555555555";
    let scene = scene(|issuer| {
        let entra = |name: &str, tenant: &str, scope: &str| {
            profile(name, &format!("{issuer}/{tenant}"), scope)
        };
        let not_entra = "https://kusto.example/.default";
        entra(
            "arm",
            "organizations",
            "https://management.azure.com/.default",
        ) + &entra(
            "other",
            OTHER_TENANT,
            "https://management.core.windows.net//.default",
        ) + &entra(
            "graph",
            "contoso.example",
            "https://graph.microsoft.com/.default",
        ) + &entra("one", TENANT, "https://storage.azure.com/.default")
            + &entra("two", TENANT, "https://storage.azure.com/.default")
            + &format!(
                "[profiles.oidc]\nclient_id = \"cli\"\nauthority = \"{issuer}\"\n\
                 scopes = [\"{not_entra}\"]\n"
            )
    });
    sign_in(&scene, &["vault", "arm", "other", "graph"]);
    for (arguments, profile, tenant) in [
        (
            "--resource https://vault.azure.net".to_owned(),
            "vault",
            TENANT,
        ),
        (
            "--scope https://vault.azure.net/.default".to_owned(),
            "vault",
            TENANT,
        ),
        (
            format!(
                "--resource https://vault.azure.net/ --tenant {}",
                TENANT.to_uppercase()
            ),
            "vault",
            &TENANT.to_uppercase(),
        ),
        // Its authority names none: the token does.
        (format!("--tenant {HOME_TENANT}"), "arm", HOME_TENANT),
        (format!("--tenant {OTHER_TENANT}"), "other", OTHER_TENANT),
        (
            format!("--resource-type ms-graph -t {HOME_TENANT}"),
            "graph",
            HOME_TENANT,
        ),
        (
            "--resource-type ms-graph -t contoso.example".to_owned(),
            "graph",
            "contoso.example",
        ),
        ("--resource-type ms-graph".to_owned(), "graph", HOME_TENANT),
    ] {
        let answer = call(&scene, &format!("{GET} {arguments}")).json();
        assert_eq!(answer["tenant"], tenant, "{arguments}");
        assert_eq!(
            answer["accessToken"],
            token_of(&scene, profile),
            "{arguments}"
        );
    }
    for (line, parts) in [
        (
            GET.to_owned(),
            &["`arm` and `other`", "CRED_HELPER_PROFILE"][..],
        ),
        (
            format!("{GET} --resource https://storage.azure.com"),
            &["`one` and `two`", "CRED_HELPER_PROFILE"],
        ),
        (
            format!("{GET} --resource https://vault.azure.net --tenant {OTHER_TENANT}"),
            &["no profile is for", "`vault` is for the tenant", "az login"],
        ),
        (
            format!("{GET} --resource-type ms-graph --tenant fabrikam.example"),
            &["`graph` is for the tenant `contoso.example`", "az login"],
        ),
        (
            format!("{GET} --tenant {THIRD_TENANT}"),
            &[
                "the token of profile `arm` is not of the tenant",
                HOME_TENANT,
                "az login",
            ],
        ),
        (
            format!("{GET} --resource https://kusto.example"),
            &["no profile is for `https://kusto.example`", "/.default\"]"],
        ),
        (
            format!("CRED_HELPER_PROFILE=oidc {GET} --resource https://kusto.example"),
            &["`oidc` is none of Microsoft Entra"],
        ),
        (
            format!("CRED_HELPER_PROFILE=vault {GET} --tenant {OTHER_TENANT}"),
            &["the token of profile `vault` is not of the tenant"],
        ),
        (
            format!("CRED_HELPER_PROFILE=valt {GET}"),
            &["did you mean `vault`?"],
        ),
    ] {
        let error = call(&scene, &line).failed(1);
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{line}: {error}"
        );
    }
}

#[test]
fn a_tenant_that_nobody_tells_is_left_out() {
    let scene = scene(|issuer| {
        let any = format!("{issuer}/Organizations");
        profile("any", &any, "https://storage.azure.com/.default")
    });
    let without = Fault::edit(|answer| {
        answer.remove("id_token").expect("it was there");
    });
    scene.authority.script(Endpoint::Token, without);
    sign_in(&scene, &["any"]);
    for arguments in ["", " --tenant organizations"] {
        let line = format!("{GET} --resource https://storage.azure.com{arguments}");
        let answer = call(&scene, &line).json();
        assert_eq!(answer["accessToken"], token_of(&scene, "any"));
        assert_eq!(answer.get("tenant"), None, "{arguments}");
    }
}

#[test]
fn a_profile_that_is_named_gets_a_token_for_what_is_asked() {
    let scene = scene(|_| String::new());
    sign_in(&scene, &["vault"]);
    scene.sandbox.link("az-vault");
    for line in [
        format!("CRED_HELPER_PROFILE=vault {GET} --resource https://a.example/"),
        "az-vault account get-access-token --resource https://b.example/".to_owned(),
        "az-vault account get-access-token --resource https://a.example/".to_owned(),
    ] {
        call(&scene, &line).json();
    }
    let requests = scene.authority.requests();
    let asked: Vec<_> = requests[2..]
        .iter()
        .filter_map(|request| request.parameter("scope"))
        .collect();
    assert_eq!(
        asked,
        [
            "https://a.example//.default openid profile offline_access",
            "https://b.example//.default openid profile offline_access",
        ],
        "the third was there"
    );
}

#[test]
fn a_profile_with_a_mistake_stops_the_calls_that_are_for_it_alone() {
    let scene = scene(|issuer| {
        let graph = profile("graph", issuer, "https://graph.microsoft.com/.default");
        format!("{graph}later = 1\n[profiles.bare]\nscopes = 1\n[profiles]\nnone = 1\n")
    });
    sign_in(&scene, &["vault"]);
    call(&scene, &format!("{GET} --resource https://vault.azure.net")).json();
    let error = call(&scene, &format!("{GET} --resource-type ms-graph")).failed(1);
    assert!(error.contains("names no tenant"), "{error}");
}

#[test]
fn nobody_is_asked_and_stderr_says_what_libraries_look_for() {
    let scene = scene(|_| String::new());
    let line = format!("{GET} --resource https://vault.azure.net");
    let refused = |is_cold: bool| {
        for (line, words) in [
            (
                line.as_str(),
                "az login --scope https://vault.azure.net/.default",
            ),
            (
                "azd auth token -o json --scope https://vault.azure.net/.default",
                "not logged in, run `azd auth login` to login",
            ),
        ] {
            let before = scene.authority.requests().len();
            let error = call(&scene, line).failed(1);
            assert!(
                error.contains("hint: run `cred-helper login -p vault`"),
                "{error}"
            );
            assert!(error.contains(words), "{error}");
            assert_eq!(is_cold, before == scene.authority.requests().len());
        }
    };
    refused(true);
    // At a terminal too: no library would wait.
    let shown = scene
        .sandbox
        .in_terminal(&format!("{line} >answer 2>errors"));
    let (code, shown) = shown.end();
    assert_eq!((code, shown.trim()), (Some(1), ""));
    sign_in(&scene, &["vault"]);
    call(&scene, &line).json();
    // Revoked.
    scene.authority.forget_tokens();
    scene.age(-1);
    let error = call(&scene, &line).failed(1);
    assert!(
        error.contains("hint: run `cred-helper login -p vault`"),
        "{error}"
    );
    refused(true);
}

#[test]
fn a_long_token_passes_and_an_authority_that_hangs_is_given_up() {
    let scene = scene(|_| String::new());
    let long = "a".repeat(16 * 1024);
    let token = long.clone();
    let lengthen = Fault::edit(move |answer| {
        answer.insert("access_token".to_owned(), token.into());
    });
    scene.authority.script(Endpoint::Token, lengthen);
    sign_in(&scene, &["vault"]);
    let line = format!("{GET} --resource https://vault.azure.net");
    assert_eq!(call(&scene, &line).json()["accessToken"], long.as_str());
    let alone = call(&scene, &format!("{line} --query accessToken -o tsv")).ok();
    assert_eq!(alone.trim_end(), long);
    scene.age(-1);
    scene.authority.script(Endpoint::Token, Fault::Hang);
    let started = Instant::now();
    let error = call(&scene, &line).failed(1);
    // Without a limit of its own, a request is given up after thirty seconds.
    assert!(started.elapsed() < Duration::from_secs(20), "{error}");
    assert!(!error.contains("login"), "nobody has to sign in: {error}");
}

#[test]
fn the_end_is_told_in_the_zone_of_this_machine() {
    let scene = scene(|_| String::new());
    sign_in(&scene, &["vault"]);
    // As libraries read it that know no other member.
    const READ: &str = "import datetime, json, sys; answer = json.load(sys.stdin); \
                        end = datetime.datetime.strptime(answer['expiresOn'], '%Y-%m-%d %H:%M:%S.%f'); \
                        print(int(end.timestamp()) - answer['expires_on'])";
    for end in [1_893_456_000, 1_909_000_000] {
        scene.edit_session(|session| {
            for token in crate::scene::access_tokens(session) {
                token["expires_at"] = json!(end);
            }
        });
        for zone in [
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            ":Asia/Kolkata",
            "AAA-3BBB,M3.5.0,M10.5.0/3",
        ] {
            let line = format!(
                "export TZ='{zone}'; az account get-access-token --resource https://vault.azure.net | \
                 python3 -c \"{READ}\""
            );
            let mut command = Command::new("sh");
            scene.sandbox.prepare(&mut command);
            command
                .env("PATH", scene.sandbox.path_with_links())
                .args(["-c", &line]);
            assert_eq!(scene.run_command(command).ok(), "0\n", "{zone} {end}");
        }
        let line = format!("TZ=AAA-3BBB,M3.5.0,M10.5.0/3 {GET} --resource https://vault.azure.net");
        let hour = if end == 1_893_456_000 {
            "2030-01-01 03:00:00.000000"
        } else {
            "2030-06-30 01:46:40.000000"
        };
        assert_eq!(call(&scene, &line).json()["expiresOn"], hour);
    }
}

/// A program in a second directory of PATH, behind the links.
pub(crate) fn install_real(scene: &Scene, name: &str, lines: &str) -> String {
    let script = scene.sandbox.script(&format!("real-{name}"), lines);
    let folder = scene.file("real");
    fs::create_dir_all(&folder).expect("a directory can be made");
    fs::rename(script, folder.join(name)).expect("it can be moved");
    format!(
        "PATH={}:{}",
        scene.sandbox.bin().display(),
        folder.display()
    )
}

#[test]
fn every_other_call_is_the_real_program_s_own() {
    let scene = scene(|_| String::new());
    let path = install_real(
        &scene,
        "az",
        "printf '%s|' \"$$\" \"$@\" \"$(/bin/cat)\"; exit 42\n",
    );
    for (arguments, is_ours) in [
        (&["vm", "list", "--query", "[].{a: 'b'}", ""][..], false),
        (&["-p", "x", "login"], false),
        (&["--version"], false),
        (&["--help"], false),
        (&[], false),
        (&["account", "get-access-token", "-o", "yaml"], false),
        // No profile is for it.
        (
            &[
                "account",
                "get-access-token",
                "--resource",
                "https://other.azure.net",
            ],
            false,
        ),
        (
            &[
                "account",
                "get-access-token",
                "--resource",
                "https://vault.azure.net",
            ],
            true,
        ),
    ] {
        let mut command = Command::new(scene.sandbox.bin().join("az"));
        scene.sandbox.prepare(&mut command);
        let (_, path) = path.split_once('=').expect("it was put together so");
        let child = command
            .env("PATH", path)
            .args(arguments)
            .spawn()
            .expect("it starts");
        let own = child.id();
        let ran = scene
            .sandbox
            .checked(child.wait_with_output().expect("it ends"));
        if is_ours {
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
            continue;
        }
        // It takes our place: the same process, and no other.
        let words: String = arguments.iter().map(|word| format!("{word}|")).collect();
        assert_eq!(ran.stdout, format!("{own}|{words}|"));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(42), ""));
    }
    // One that was named is an error of ours.
    let error = call(&scene, &format!("{path} CRED_HELPER_PROFILE=x {GET}")).failed(1);
    assert!(error.contains("there is no profile `x`"), "{error}");
}

#[test]
fn a_variable_of_ours_with_a_mistake_stops_the_calls_that_are_ours_alone() {
    let scene = scene(|_| String::new());
    sign_in(&scene, &["vault"]);
    scene.sandbox.link("keyring");
    for (variable, part) in [
        ("CRED_HELPER_ERROR_FORMAT=xml", "`xml` is unknown"),
        ("CRED_HELPER_LOG=foo", "does not begin with a level"),
    ] {
        for words in [
            "az version",
            "az account get-access-token --resource https://other.azure.net",
            "azd up",
            "keyring get https://other.example ada",
        ] {
            let (name, _) = words.split_once(' ').expect("it has words");
            let path = install_real(&scene, name, "printf real\n");
            let ran = call(&scene, &format!("{path} {variable} {words}"));
            assert_eq!((ran.stderr.as_str(), ran.stdout.as_str()), ("", "real"));
        }
        let line = format!("{variable} {GET} --resource https://vault.azure.net");
        let error = call(&scene, &line).failed(1);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_word_that_is_not_unicode_is_passed_on_as_it_is() {
    let scene = scene(|_| String::new());
    for tool in ["keyring", "nuget-plugin-cred-helper", "cred-helper"] {
        scene.sandbox.link(tool);
    }
    let odd = OsStr::from_bytes(b"caf\xe9");
    let line = |words: &str, path: &str| {
        let mut command = alone(&scene.sandbox);
        command.arg(path).args(words.split(' ')).arg(odd);
        command
    };
    let run = |words: &str, path: &str| scene.run_command(line(words, path));
    // A word of a call that would be ours: it is none then.
    for (words, code, part) in [
        ("az group list --name", 127, "no other `az` on PATH"),
        (
            "az account get-access-token --resource",
            127,
            "no other `az`",
        ),
        ("azd auth token -o json --scope", 127, "no other `azd`"),
        (
            "keyring set https://h.example",
            2,
            "this is no line of keyring's",
        ),
        ("nuget-plugin-cred-helper", 2, "NuGet starts this"),
        ("cred-helper askpass", 1, "it is none of git's"),
    ] {
        let error = run(words, "IGNORED=").failed(code);
        assert!(error.contains(part), "{words}: {error}");
    }
    for name in ["az", "azd", "keyring"] {
        let path = install_real(&scene, name, "printf '%s|' \"$@\"; exit 42\n");
        for start in ["", "cred-helper ", "cred-helper -q ", "cred-helper -qv "] {
            for words in ["group list --name", "get https://h.example", "account"] {
                let mut command = line(&format!("{start}{name} {words}"), &path);
                let ran = command.output().expect("it starts");
                let expected = [words.replace(' ', "|").as_bytes(), b"|caf\xe9|"].concat();
                assert_eq!(ran.stdout, expected, "{start}{name} {words}: {ran:?}");
                assert_eq!(ran.status.code(), Some(42), "{start}{name} {words}");
            }
        }
    }
}

#[test]
fn the_real_program_is_none_of_our_own_and_a_circle_ends() {
    let scene = scene(|_| String::new());
    let error = call(&scene, "azd up").failed(127);
    assert!(error.contains("there is no other `azd` on PATH"), "{error}");
    assert!(error.contains("`cred-helper login -p NAME`"), "{error}");
    // Another cred-helper of that name, and behind it the real one.
    let copy = scene.file("copy");
    fs::create_dir_all(&copy).expect("a directory can be made");
    let own = scene.sandbox.link("az");
    // As with a script, this process must not write it.
    let copied = Command::new("cp").arg(own).arg(copy.join("az")).status();
    assert!(copied.expect("cp (coreutils) starts").success());
    let path = install_real(&scene, "az", "printf real\n");
    let (bin, real) = path.split_once(':').expect("it has two parts");
    let both = format!("{bin}:{}", copy.display());
    assert_eq!(call(&scene, &format!("{both}:{real} az up")).ok(), "real");
    let error = call(&scene, &format!("{both} az up")).failed(127);
    assert!(error.contains("there is no other `az` on PATH"), "{error}");
    let program = scene.sandbox.link("cred-helper");
    let again = format!("exec '{}' az \"$@\"\n", program.display());
    let path = install_real(&scene, "az", &again);
    let error = call(&scene, &format!("{path} az up")).failed(3);
    assert!(error.contains("is passed on in a circle"), "{error}");
    // The same from a directory whose name is not Unicode.
    let again = format!(
        "folder=$(printf '{}/b\\351')\n/bin/mkdir -p \"$folder\"\n[ -e \"$folder/cred-helper\" ] || \
         /bin/cp '{}' \"$folder/cred-helper\"\nexec \"$folder/cred-helper\" az \"$@\"\n",
        scene.sandbox.path().display(),
        program.display()
    );
    let path = install_real(&scene, "az", &again);
    let error = call(&scene, &format!("{path} az up")).failed(3);
    assert!(error.contains("is passed on in a circle"), "{error}");
}

#[test]
fn a_profile_that_names_another_which_is_not_there_is_a_mistake_and_nobody_else_is_asked() {
    let scene = scene(|issuer| {
        let of = profile(
            "robot",
            &format!("{issuer}/{TENANT}"),
            "https://storage.azure.com/.default",
        );
        format!("{of}grant = \"client_credentials\"\nclient_assertion = {{ profile = \"gone\" }}\n")
    });
    let path = install_real(&scene, "az", "printf somebody-else\n");
    let line = format!("{path} {GET} --resource https://storage.azure.com");
    let error = call(&scene, &line).failed(1);
    assert!(error.contains("there is no profile `gone`"), "{error}");
}
