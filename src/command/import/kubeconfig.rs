//! Users of a kubeconfig whose credentials come from kubelogin: int128's for OpenID Connect
//! (<https://github.com/int128/kubelogin/blob/master/docs/usage.md>), and Azure's
//! (<https://azure.github.io/kubelogin/>).
//!
//! A kubeconfig is kubectl's to read, unless it is JSON: kubectl prints it so, without what is secret in
//! it but for arguments of programs.

use serde_json::Value as Json;

use super::file::{Found, Input, member};
use crate::error::{Error, ErrorKind};
use crate::profile::route::Pattern;
use crate::text::printable_url;

/// Flags of either program that stand alone; all others have a value.
const SWITCHES: [&str; 14] = [
    "force-refresh",
    "insecure-skip-tls-verify",
    "oidc-use-access-token",
    "oidc-use-pkce",
    "skip-open-browser",
    "tls-renegotiation-freely",
    "tls-renegotiation-once",
    "disable-environment-override",
    "disable-instance-discovery",
    "legacy",
    "pop-enabled",
    "use-azurerm-env-vars",
    "add_dir_header",
    "alsologtostderr",
];

/// Flags about what their programs do for themselves.
const NEEDLESS: [&str; 20] = [
    "authentication-timeout-sec",
    "browser-command",
    "cache-dir",
    "disable-environment-override",
    "disable-instance-discovery",
    "force-refresh",
    "local-server-cert",
    "local-server-key",
    "oidc-pkce-method",
    "oidc-redirect-url-authcode-keyboard",
    "oidc-use-pkce",
    "open-url-after-authentication",
    "skip-open-browser",
    "timeout",
    "tls-renegotiation-freely",
    "tls-renegotiation-once",
    "token-cache-dir",
    "token-cache-storage",
    "use-azurerm-env-vars",
    "v",
];

/// Microsoft's clouds as Azure's kubelogin names them.
const CLOUDS: [(&str, &str); 3] = [
    ("azurepubliccloud", "https://login.microsoftonline.com"),
    ("azureusgovernmentcloud", "https://login.microsoftonline.us"),
    (
        "azurechinacloud",
        "https://login.partner.microsoftonline.cn",
    ),
];

pub(super) fn is(input: &Input<'_>) -> bool {
    if let Some(json) = &input.json {
        return json["kind"] == "Config" && json["users"].is_array();
    }
    let has = |wanted: &str| input.text.lines().any(|line| line.trim_end() == wanted);
    let mut lines = input.text.lines();
    has("users:") && lines.any(|line| line.starts_with("kind:") || line.starts_with("apiVersion:"))
}

pub(super) fn read(input: &Input<'_>) -> Result<Vec<Found>, Error> {
    let config = match &input.json {
        Some(json) => json.clone(),
        None => {
            let path = input.path.display().to_string();
            let arguments = ["config", "view", "-o", "json", "--kubeconfig", &path];
            let shown = input.ask("kubectl", &arguments)?;
            serde_json::from_str(shown.expose()).map_err(|error| {
                let message = format!("kubectl cannot read `{path}`");
                Error::new(ErrorKind::Config, message)
                    .because(format!("what it prints is no JSON: {error}"))
            })?
        }
    };
    let rows = |key: &str| config[key].as_array().cloned().unwrap_or_default();
    let mut all = Vec::new();
    for user in rows("users") {
        let name = member(&user, "name").unwrap_or_default();
        let exec = &user["user"]["exec"];
        let Some(line) = Line::read(exec) else {
            continue;
        };
        let mut found = Found::new(name);
        let urls = servers(&rows("contexts"), &rows("clusters"), name, &mut found);
        if !urls.is_empty() {
            found.put("urls", urls);
        }
        if line.has("oidc-issuer-url") {
            read_oidc(&line, input, &mut found);
        } else {
            read_azure(&line, exec, input, &mut found);
        }
        all.push(found);
    }
    Ok(all)
}

/// The clusters that a user is for.
fn servers(contexts: &[Json], clusters: &[Json], user: &str, found: &mut Found) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    let of_user = contexts.iter().map(|row| &row["context"]);
    for context in of_user.filter(|context| context["user"] == user) {
        let mut of_context = clusters
            .iter()
            .filter(|row| row["name"] == context["cluster"]);
        let server = of_context.find_map(|row| member(&row["cluster"], "server"));
        let Some(server) = server else {
            continue;
        };
        let url = format!("{}/", server.trim_end_matches('/'));
        match Pattern::parse(&url) {
            Ok(_) if !urls.contains(&url) => urls.push(url),
            Ok(_) => {}
            Err(problem) => {
                found.leave(
                    &format!("server {}", printable_url(server)),
                    format!("no token goes there: {problem}"),
                );
            }
        }
    }
    urls
}

/// The flags behind `get-token`.
struct Line(Vec<(String, String)>);

impl Line {
    /// `None`, if the program is neither kubelogin.
    fn read(exec: &Json) -> Option<Self> {
        let words = exec["args"].as_array()?;
        let words: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
        let start = words.iter().position(|word| *word == "get-token")?;
        let mut flags = Vec::new();
        let mut rest = words[start + 1..].iter().peekable();
        while let Some(word) = rest.next() {
            let Some(flag) = word.strip_prefix('-') else {
                continue;
            };
            let (name, value) = match flag.strip_prefix('-') {
                Some(flag) => match flag.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (flag, SWITCHES.contains(&flag).then_some("true")),
                },
                // A letter, and perhaps its value at once.
                None => {
                    let (letter, value) =
                        flag.split_at(flag.chars().next().map_or(0, char::len_utf8));
                    let value = value.strip_prefix('=').unwrap_or(value);
                    (full(letter), (!value.is_empty()).then_some(value))
                }
            };
            let value = value.or_else(|| rest.next().copied()).unwrap_or_default();
            flags.push((name.to_owned(), value.to_owned()));
        }
        let line = Self(flags);
        (line.has("oidc-issuer-url") || line.has("server-id")).then_some(line)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut flags = self.0.iter().filter(|(own, _)| own == name);
        flags.next_back().map(|(_, value)| value.as_str())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let flags = self.0.iter().filter(move |(own, _)| own == name);
        flags.flat_map(|(_, value)| value.split(','))
    }
}

/// The short flags of Azure's.
fn full(flag: &str) -> &str {
    match flag {
        "l" => "login",
        "t" => "tenant-id",
        "e" => "environment",
        other => other,
    }
}

fn read_oidc(line: &Line, input: &Input<'_>, found: &mut Found) {
    let is_access = line.get("oidc-use-access-token") == Some("true");
    if !is_access {
        found.put("token", "id");
    }
    let extra = line
        .all("oidc-extra-scope")
        .filter(|scope| *scope != "openid");
    let scopes: Vec<&str> = std::iter::once("openid").chain(extra).collect();
    found.put("scopes", scopes);
    let grant = line.get("grant-type").unwrap_or("auto");
    let grant = match grant {
        "auto" | "password" if line.has("username") || grant == "password" => {
            found.leave(
                "--grant-type",
                "passwords are not carried over; the profile signs in with a browser or a device code. \
                 Where a password has to do, see docs/machine.md",
            );
            "auto"
        }
        "auto" => "auto",
        "device-code" => "device_code",
        _ => "authorization_code",
    };
    found.put_grant(grant);
    if grant != "device_code" {
        found.put_in("grant", "redirect_uri", redirect(line));
    }
    for (name, value) in &line.0 {
        let key = format!("--{name}");
        match name.as_str() {
            "oidc-issuer-url" => found.put("authority", value.as_str()),
            "oidc-client-id" => found.put("client_id", value.as_str()),
            "oidc-client-secret" => found.leave_secret(&key, "client_secret", None),
            "username" => found.put("account", value.as_str()),
            "password" => found.leave(&key, "secrets are not copied"),
            "certificate-authority" => found.put_in("tls", "ca_file", input.beside(value)),
            "certificate-authority-data" => {
                found.leave(&key, "write it into a file, and name that as `tls.ca_file`");
            }
            "insecure-skip-tls-verify" => {
                found.leave(
                    &key,
                    "certificates are always checked; name its authority as `tls.ca_file`",
                );
            }
            "oidc-auth-request-extra-params" => {
                for pair in value.split(',') {
                    match pair.split_once('=') {
                        Some((name @ ("prompt" | "domain_hint"), value)) => found.put(name, value),
                        Some((name, value)) => found.put_in("extra", name, value),
                        None => found.leave(&format!("{key}={pair}"), "it has no value"),
                    }
                }
            }
            "oidc-extra-scope"
            | "oidc-use-access-token"
            | "grant-type"
            | "listen-address"
            | "oidc-redirect-url"
            | "oidc-redirect-url-hostname" => {}
            name if NEEDLESS.contains(&name) => found.leave(&key, "it is of no use here"),
            _ => found.leave(&key, "a profile has nothing like it"),
        }
    }
}

/// The redirect URI that kubelogin uses, which is registered.
fn redirect(line: &Line) -> String {
    if let Some(uri) = line.get("oidc-redirect-url") {
        return uri.to_owned();
    }
    let host = line
        .get("oidc-redirect-url-hostname")
        .unwrap_or("localhost");
    let address = line
        .all("listen-address")
        .next()
        .unwrap_or("127.0.0.1:8000");
    match address.rsplit_once(':') {
        Some((_, port)) if port != "0" => format!("http://{host}:{port}"),
        _ => format!("http://{host}"),
    }
}

fn read_azure(line: &Line, exec: &Json, input: &Input<'_>, found: &mut Found) {
    /// The client that Microsoft has for it.
    const CLIENT: &str = "80faf920-1908-4b52-b5ef-a8e7bedfc67a";
    let variables = exec["env"].as_array().cloned().unwrap_or_default();
    let variable = |names: &[&str]| {
        let mut of_name = variables
            .iter()
            .filter(|row| names.iter().any(|name| row["name"] == *name));
        of_name.find_map(|row| member(row, "value").map(String::from))
    };
    let flag = |name: &str, names: &[&str]| {
        let given = line.get(name).filter(|value| !value.is_empty());
        given.map(String::from).or_else(|| variable(names))
    };
    let cloud = flag("environment", &["AZURE_ENVIRONMENT"]).unwrap_or_default();
    let cloud = CLOUDS
        .iter()
        .find(|(name, _)| cloud.is_empty() || cloud.eq_ignore_ascii_case(name));
    let host = flag("authority-host", &["AZURE_AUTHORITY_HOST"]);
    let host = host.or_else(|| cloud.map(|(_, host)| (*host).to_owned()));
    match host {
        Some(host) => {
            let tenant = flag("tenant-id", &["AZURE_TENANT_ID"]);
            let tenant = tenant.unwrap_or_else(|| "organizations".to_owned());
            found.put(
                "authority",
                format!("{}/{tenant}", host.trim_end_matches('/')),
            );
        }
        None => found.leave(
            "--environment",
            "that cloud is not known here; set `authority`",
        ),
    }
    if let Some(server) = line.get("server-id") {
        found.put("scopes", vec![format!("{server}/.default")]);
    }
    let login = flag("login", &["AAD_LOGIN_METHOD"]).unwrap_or_else(|| "devicecode".to_owned());
    let client = flag(
        "client-id",
        &["AZURE_CLIENT_ID", "AAD_SERVICE_PRINCIPAL_CLIENT_ID"],
    );
    let is_identity = login == "msi";
    match (&client, is_identity) {
        (Some(client), true) => found.put_in("grant", "client_id", client.as_str()),
        (Some(client), false) => found.put("client_id", client.as_str()),
        (None, false) => found.put("client_id", CLIENT),
        (None, true) => {}
    }
    read_login(&login, line, input, found);
    for (name, value) in &line.0 {
        let key = format!("--{name}");
        match name.as_str() {
            "login-hint" => found.put("account", value.as_str()),
            "redirect-url" => found.put_in("grant", "redirect_uri", value.as_str()),
            "username" => found.put("account", value.as_str()),
            "password" | "client-secret" | "client-certificate-password" => {
                found.leave(&key, "secrets are not copied");
            }
            "pop-enabled" | "pop-claims" => found.leave(&key, "tokens are not bound to a key here"),
            "legacy" => found.leave(&key, "there is no `spn:` before the audience"),
            "environment"
            | "tenant-id"
            | "server-id"
            | "client-id"
            | "login"
            | "authority-host"
            | "identity-resource-id"
            | "client-certificate"
            | "federated-token-file" => {}
            name if NEEDLESS.contains(&name) => found.leave(&key, "it is of no use here"),
            _ => found.leave(&key, "a profile has nothing like it"),
        }
    }
}

/// How Azure's kubelogin signs in.
fn read_login(login: &str, line: &Line, input: &Input<'_>, found: &mut Found) {
    match login {
        "devicecode" => found.put_grant("device_code"),
        "interactive" => found.put_grant("authorization_code"),
        "msi" => {
            found.put_grant("managed_identity");
            found.keys.remove("authority");
            if let Some(id) = line.get("identity-resource-id") {
                found.put_in("grant", "resource_id", id);
            }
        }
        "spn" => {
            found.put_grant("client_credentials");
            match line.get("client-certificate") {
                Some(path) => {
                    found.put("client_certificate", input.beside(path));
                    if line.has("client-certificate-password") {
                        let variable = Some("AZURE_CLIENT_CERTIFICATE_PASSWORD");
                        let key = "--client-certificate-password";
                        found.leave_secret(key, "client_passphrase", variable);
                    }
                }
                // The same variable as kubelogin has.
                None => found.leave_secret("--client-secret", "client_secret", Some("AZURE_CLIENT_SECRET")),
            }
        }
        "workloadidentity" => {
            found.put_grant("client_credentials");
            match line.get("federated-token-file") {
                Some(path) => {
                    let path = input.beside(path);
                    let source = toml::Table::from_iter([("file".to_owned(), path.into())]);
                    found.put("client_assertion", source);
                }
                None => found.leave(
                    "--login workloadidentity",
                    "name the file of `AZURE_FEDERATED_TOKEN_FILE`: `client_assertion = { file = \"…\" }`",
                ),
            }
        }
        "ropc" => found.leave(
            "--login ropc",
            "passwords are not carried over; the profile signs in with a browser or a device code. Where \
             a password has to do, see docs/machine.md",
        ),
        other => found.leave(
            &format!("--login {other}"),
            "the profile has a sign-in of its own, with a browser or a device code",
        ),
    }
}
