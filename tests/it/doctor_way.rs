//! `doctor` on the way to an authority, its clock, the tools and the browser: each leg is told apart.

use serde_json::Value;

use crate::authority::{Discovery, Endpoint, Fault, Response};
use crate::doctor_ground::{OPEN, Said, assert_says, complaints, doctor, path, signed_in, well};
use crate::refresh_trouble::{Certificates, FAST, Presented};
use crate::scene::{Scene, at_once, discoveries, profile};
use crate::tls::Front;
use crate::tool::{GIT, needs};

/// What is said of the way to the profile's authority.
fn told(scene: &Scene, wrapper: &[&str]) -> Vec<[String; 4]> {
    let ran = scene.run_command(doctor(scene, wrapper, &["-o", "json"]));
    let mut found = complaints(&ran);
    found.retain(|found| found[1].starts_with("authority."));
    found
}

fn assert_told(fault: &str, found: &[[String; 4]], (status, id, message, hint): Said) {
    assert_eq!(found.len(), 1, "{fault}: {found:#?}");
    let [found] = found else { return };
    assert_eq!(
        [found[0].as_str(), found[1].as_str()],
        [status, id],
        "{fault}"
    );
    assert!(found[2].contains(message), "{fault}: {found:#?}");
    assert!(found[3].contains(hint), "{fault}: {found:#?}");
}

#[test]
fn a_way_that_is_broken_is_told_by_its_leg() {
    let alone = ["unshare", "-n"];
    for (fault, authority, wrapper, message, hint) in [
        (
            "no name",
            "https://login.invalid",
            &alone[..],
            "its name is not found",
            "VPN",
        ),
        (
            "no way",
            "https://192.0.2.1",
            &alone,
            "no way leads there",
            "VPN",
        ),
        (
            "nobody",
            "http://127.0.0.1:1",
            &[],
            "nothing listens there",
            "port",
        ),
    ] {
        let scene = Scene::of(at_once(), |_| {
            format!("{OPEN}{}", profile("api", authority))
        });
        let found = told(&scene, wrapper);
        let message: &'static str = message;
        assert_told(fault, &found, ("error", "authority.api", message, hint));
        assert!(found[0][2].contains(authority), "{found:?}");
    }
    let certificates = Certificates::new();
    for (presented, message, hint) in [
        (
            Presented::OfNobodyKnown,
            "its certificate is not trusted",
            "ca_file",
        ),
        (
            Presented::Expired,
            "its certificate is not valid at this time",
            "check the clock",
        ),
        (
            Presented::OfAnotherHost,
            "its certificate is that of another name",
            "check the name",
        ),
    ] {
        let scene = well();
        let front = Front::start(certificates.get(presented), scene.authority.address());
        let tls = format!(
            "tls = {{ ca_file = \"{}\" }}\n",
            certificates.ca_file().display()
        );
        let own = profile("api", &front.origin());
        scene.sandbox.write_profiles(&format!("{OPEN}{own}{tls}"));
        assert_told(
            message,
            &told(&scene, &[]),
            ("error", "authority.api", message, hint),
        );
    }
}

#[test]
fn a_proxy_that_is_dead_is_told_of_and_not_the_authority() {
    let authority = "https://login.example.test";
    for (exempt, message, is_proxy) in [
        (
            "",
            "the proxy http://127.0.0.1:1 of HTTPS_PROXY cannot",
            true,
        ),
        (
            "example.com",
            "the proxy http://127.0.0.1:1 of HTTPS_PROXY cannot",
            true,
        ),
        ("example.com, .example.test", "its name is not found", false),
    ] {
        let scene = Scene::of(at_once(), |_| {
            format!("{OPEN}{}", profile("api", authority))
        });
        let mut command = doctor(&scene, &["unshare", "-n"], &["-o", "json"]);
        command.env("HTTPS_PROXY", "http://127.0.0.1:1");
        command.env("NO_PROXY", exempt);
        let mut found = complaints(&scene.run_command(command));
        found.retain(|found| found[1].starts_with("authority."));
        let hint = if is_proxy {
            "check HTTPS_PROXY, and NO_PROXY"
        } else {
            "VPN"
        };
        assert_told(exempt, &found, ("error", "authority.api", message, hint));
        assert!(
            !found[0][3].contains("the way is by"),
            "{exempt}: {found:?}"
        );
        assert!(!found[0][3].contains("port"), "{exempt}: {found:?}");
    }
}

#[test]
fn an_answer_that_is_none_is_told_by_what_it_is() {
    let html = || {
        Response::new(
            200,
            "text/html",
            "<html>\u{1b}[2Jsign in to this network</html>",
        )
    };
    let rows: Vec<(&str, Fault, &str, &str)> = vec![
        (
            "a page",
            Fault::Answer(html()),
            "it is no metadata",
            "wants a sign-in of its own",
        ),
        (
            "a redirect",
            Fault::Answer(
                Response::new(302, "text/plain", "").with("Location", "https://x.example"),
            ),
            "leads elsewhere (HTTP status 302)",
            "wants a sign-in of its own",
        ),
        (
            "trouble",
            Fault::error(503, "overloaded"),
            "in trouble (HTTP status 503)",
            "try again later",
        ),
        (
            "silence",
            Fault::Hang,
            "it does not answer in time",
            "check the network",
        ),
        (
            "a connection that breaks",
            Fault::Reset,
            "no answer that can be read",
            "what listens there",
        ),
        (
            "another issuer",
            Fault::edit(|members| {
                members.insert("issuer".into(), "https://evil.example/\u{9b}2J".into());
            }),
            "it is of the issuer `https://evil.example/2J`",
            "check `authority`",
        ),
    ];
    for (fault, planted, message, hint) in rows {
        let scene = well();
        // There is one place more where metadata may lie.
        scene
            .authority
            .set(|settings| settings.discovery = Discovery::Oidc);
        scene.authority.script(Endpoint::Discovery, planted);
        let wrapper: &[&str] = if fault == "silence" { &FAST } else { &[] };
        let mut found = told(&scene, wrapper);
        found.retain(|found| found[1] != "authority.clock");
        let message: &'static str = message.to_owned().leak();
        assert_told(fault, &found, ("error", "authority.api", message, hint));
    }
    let scene = well();
    scene
        .authority
        .set(|settings| settings.discovery = Discovery::None);
    let said = (
        "error",
        "authority.api",
        "there are no metadata at",
        "`endpoints`",
    );
    assert_told("no metadata", &told(&scene, &[]), said);
    let before = discoveries(&scene.authority);
    assert_says(&scene, "offline", &[], &["--offline"], &[]);
    assert_eq!(discoveries(&scene.authority), before, "nothing was asked");
}

#[test]
fn each_authority_is_asked_once_for_what_anybody_may_know() {
    let scene = well();
    let text = ["api", "second"].map(|name| profile(name, &scene.authority.issuer()));
    scene
        .sandbox
        .write_profiles(&format!("{OPEN}{}{}", text[0], text[1]));
    let before = scene.authority.requests().len();
    scene.run_command(doctor(&scene, &[], &[])).ok();
    let requests = scene.authority.requests();
    assert_eq!(requests.len(), before + 1);
    let request = requests.last().expect("there is one");
    assert_eq!(request.method, "GET");
    assert!(request.header("authorization").is_none() && request.body.is_empty());
}

#[test]
fn a_clock_that_is_wrong_is_told_by_how_much() {
    // Some second of November 1994, and the same with the machine ahead of it or behind.
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (clock, is_of_a_cache, message) in [
        ("@784111777", false, None),
        ("@784111747", false, None),
        ("@784112377", false, Some("10m")),
        ("@784112377", true, None),
        ("@784108177", false, Some("behind that of")),
    ] {
        let scene = Scene::of(at_once(), |issuer| {
            format!("{OPEN}{}", profile("api", issuer))
        });
        let dated = move |response: &mut Response| {
            response.headers.push(("Date".to_owned(), DATE.to_owned()));
            let age = is_of_a_cache.then(|| ("Age".to_owned(), "600".to_owned()));
            response.headers.extend(age);
        };
        scene
            .authority
            .script(Endpoint::Discovery, Fault::Edit(Box::new(dated)));
        let mut command = doctor(&scene, &["faketime", "-f", clock], &["-o", "json"]);
        command.env("FAKETIME_FMT", "%s");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let mut found = complaints(&scene.run_command(command));
        found.retain(|found| found[1].starts_with("authority."));
        match message {
            None => assert_eq!(found, Vec::<[String; 4]>::new(), "{clock}"),
            Some(message) => {
                let said = ("warning", "authority.clock", message, "set it");
                assert_told(clock, &found, said);
            }
        }
    }
}

#[test]
fn what_the_environment_says_of_the_network_and_of_people_is_checked() {
    let scene = well();
    let with = |name: &str, value: &str| -> Value {
        let mut command = doctor(&scene, &[], &["-o", "json"]);
        command.env(name, value);
        serde_json::from_str(&scene.run_command(command).stdout).expect("it is JSON")
    };
    let empty = scene.file("empty.pem").display().to_string();
    std::fs::write(&empty, "").expect("it can be written");
    for (name, value, id, status, message) in [
        (
            "HTTPS_PROXY",
            "http://me:canary@proxy.example:3128",
            "authority.proxy",
            "ok",
            "http://…@proxy.example:3128",
        ),
        (
            "HTTPS_PROXY",
            "http://",
            "authority.proxy",
            "error",
            "is no URL",
        ),
        (
            "SSL_CERT_FILE",
            "/nowhere.pem",
            "authority.certificates",
            "error",
            "cannot be read",
        ),
        (
            "SSL_CERT_FILE",
            &empty,
            "authority.certificates",
            "error",
            "holds no certificate",
        ),
        (
            "CRED_HELPER_INTERACTIVE",
            "perhaps",
            "sign_in.terminal",
            "error",
            "`perhaps` is unknown",
        ),
        (
            "CRED_HELPER_INTERACTIVE",
            "never",
            "sign_in.terminal",
            "ok",
            "nobody is asked",
        ),
        ("CI", "true", "sign_in.terminal", "ok", "`CI` says"),
        (
            "CRED_HELPER_BROWSER",
            "echo",
            "sign_in.browser",
            "ok",
            "opens a browser: `echo`",
        ),
    ] {
        let report = with(name, value);
        let checks = report["checks"].as_array().expect("there are checks");
        let mut found = checks.iter().filter(|check| check["id"] == id);
        let check = found.next().unwrap_or_else(|| panic!("{name}: {report}"));
        assert_eq!(check["status"], status, "{name}={value}: {check}");
        let told = check["message"].as_str().expect("it is text");
        assert!(told.contains(message) && !told.contains("canary"), "{told}");
    }
    let browser_alone = "grant = \"authorization_code\"\n";
    let own = profile("api", &scene.authority.issuer());
    scene
        .sandbox
        .write_profiles(&format!("{OPEN}{own}{browser_alone}"));
    let mut found = complaints(&scene.run_command(doctor(&scene, &[], &["-o", "json"])));
    found.retain(|found| found[1] == "sign_in.browser");
    let said = ("warning", "sign_in.browser", "by a browser alone", "paste");
    assert_told("no browser", &found, said);
}

#[test]
fn a_tool_is_told_with_who_is_asked_before_us() {
    needs!(GIT);
    let scene = signed_in(OPEN);
    let urls = "urls = [\"https://code.example.test/\"]\n";
    let own = profile("api", &scene.authority.issuer());
    scene.sandbox.write_profiles(&format!("{OPEN}{own}{urls}"));
    let run = |arguments: &[&str]| {
        let mut command = scene.sandbox.command(arguments);
        let bin = path(&scene);
        let git = std::process::Command::new("sh")
            .args(["-c", "command -v git"])
            .output();
        let git = String::from_utf8(git.expect("sh starts").stdout).expect("it is UTF-8");
        let link = scene.sandbox.bin().join("git");
        if !link.exists() {
            std::os::unix::fs::symlink(git.trim(), link).expect("a link can be made");
        }
        command.env("PATH", bin).env("GIT_CONFIG_NOSYSTEM", "1");
        scene.run_command(command)
    };
    let text = run(&["doctor"]).ok();
    assert!(text.contains("ok       tool.git: git 2."), "{text}");
    assert!(text.contains(" does not ask us\n"), "{text}");
    let mut homeless = scene.sandbox.command(&["doctor"]);
    homeless
        .env("PATH", path(&scene))
        .env("HOME", "/nowhere/at/all");
    let text = scene.run_command(homeless).ok();
    assert!(text.contains("ok       tool.git: git 2."), "{text}");
    run(&["setup", "git"]).ok();
    let text = run(&["doctor"]).ok();
    assert!(
        text.contains(" asks us for https://code.example.test\n"),
        "{text}"
    );
    let folder = scene.file(".gitconfig");
    std::fs::write(folder, "[credential]\nhelper = store\n").expect("it can be written");
    let found = complaints(&run(&["doctor", "-o", "json"]));
    let said = (
        "warning",
        "tool.git",
        "asks `store` before us for https://code.example.test",
        "run `cred-helper setup git`",
    );
    assert_told("another helper", &found, said);
}
