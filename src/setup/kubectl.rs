//! kubectl, and every program that reads a kubeconfig: a user for each profile, whose credentials
//! come from us.
//!
//! A kubeconfig is kubectl's to read and write: it works on a copy.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::machine::{Copy, FILE, Machine};
use super::{
    Answering, Document, Entry, InFront, Plan, Setting, Wired, Wiring, Wish, meets_nothing,
    needs_no_link, ours, view,
};
use crate::error::{Error, ErrorKind};
use crate::profile::route::Target;
use crate::text::shell_word;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "kubectl",
    protocol: "kubectl",
    aliases: &[],
    version: &["version", "--client"],
    file,
    add,
    remove,
    view: |text| view::hide_lines(text, is_shown),
    link: needs_no_link,
    look,
};

/// The version of the exec protocol that is written, where kubectl can.
const V1: &str = "client.authentication.k8s.io/v1";
/// The version that an older kubectl can write all of.
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// What our users' names begin with.
const USER: &str = "cred-helper-";

/// The file that `kubectl config` adds users to: of several in `KUBECONFIG` the first that is
/// there, else the last.
fn file(machine: &Machine<'_>) -> PathBuf {
    let usual = || machine.home.join(".kube").join("config");
    let Some(list) = machine.variable("KUBECONFIG") else {
        return usual();
    };
    let paths = std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty());
    let paths: Vec<PathBuf> = paths.collect();
    let first = paths.iter().find(|path| path.exists());
    first.or(paths.last()).cloned().unwrap_or_else(usual)
}

/// What matters to us of a kubeconfig. It has the names alone of what may be secret.
#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    clusters: Option<Vec<Cluster>>,
    #[serde(default)]
    contexts: Option<Vec<Context>>,
    #[serde(default)]
    users: Option<Vec<User>>,
}

#[derive(Deserialize)]
struct Cluster {
    name: String,
    cluster: ClusterKeys,
}

#[derive(Deserialize)]
struct ClusterKeys {
    #[serde(default)]
    server: String,
}

#[derive(Deserialize)]
struct Context {
    name: String,
    context: ContextKeys,
}

#[derive(Deserialize)]
struct ContextKeys {
    #[serde(default)]
    cluster: String,
    #[serde(default)]
    user: String,
}

#[derive(Deserialize)]
struct User {
    name: String,
    user: UserKeys,
}

#[derive(Deserialize)]
struct UserKeys {
    exec: Option<Exec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exec {
    #[serde(default)]
    command: String,
    args: Option<Vec<String>>,
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    provide_cluster_info: bool,
}

impl Exec {
    /// Whether it is what is wanted, as far as the kubectl that wrote it can write that.
    fn says(&self, wanted: &Self) -> bool {
        let is_told = self.provide_cluster_info == wanted.provide_cluster_info;
        self.command == wanted.command
            && self.args == wanted.args
            && (is_told || self.api_version == V1BETA1)
    }
}

impl Config {
    fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.iter().flatten()
    }

    fn contexts(&self) -> impl Iterator<Item = &Context> {
        self.contexts.iter().flatten()
    }

    fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().flatten().find(|user| user.name == name)
    }

    /// The servers of clusters, and the contexts that lead there.
    fn servers(&self) -> Vec<(Target, Vec<&Context>)> {
        let target = |cluster: &Cluster| Target::parse(&cluster.cluster.server);
        self.clusters()
            .filter_map(|cluster| {
                let leads = |context: &&Context| context.context.cluster == cluster.name;
                Some((target(cluster)?, self.contexts().filter(leads).collect()))
            })
            .collect()
    }
}

fn read(machine: &Machine<'_>, copy: &Copy) -> Result<Config, Error> {
    let line = [
        "config",
        "view",
        "--raw",
        "-o",
        "json",
        "--kubeconfig",
        FILE,
    ];
    let said = machine.run("kubectl", copy, &line)?;
    serde_json::from_str(said.expose()).map_err(|error| {
        let message = "what `kubectl config view` says cannot be understood";
        Error::new(ErrorKind::Config, message).because(error)
    })
}

fn change(machine: &Machine<'_>, copy: &Copy, arguments: &[&str]) -> Result<(), Error> {
    let line = [&["config", "--kubeconfig", FILE], arguments].concat();
    machine.run("kubectl", copy, &line).map(drop)
}

fn exec(machine: &Machine<'_>, profile: &Answering) -> Exec {
    Exec {
        command: machine.command.clone(),
        args: Some(vec![
            "kubectl".to_owned(),
            format!("--profile={}", profile.name),
        ]),
        api_version: V1.to_owned(),
        // Whoever is told the cluster refuses those that the profile does not name.
        provide_cluster_info: !profile.urls.is_empty(),
    }
}

fn add(
    machine: &Machine<'_>,
    document: &Document<'_>,
    wish: &Wish,
    plan: &mut Plan,
) -> Result<String, Error> {
    machine.require("kubectl")?;
    let copy = machine.copy(document, true)?;
    let config = read(machine, &copy)?;
    let servers = config.servers();
    let mut profiles: BTreeMap<&str, &Answering> = BTreeMap::new();
    if wish.is_named {
        let named = wish.profiles.iter();
        profiles.extend(named.map(|profile| (profile.name.as_str(), profile)));
    }
    let mut met: Vec<Met<'_>> = Vec::new();
    for (target, contexts) in &servers {
        if let Some(profile) = wish.profile_for(target) {
            profiles.insert(&profile.name, profile);
            met.push((target, contexts, profile));
        }
    }
    if profiles.is_empty() || (wish.url.is_some() && met.is_empty()) {
        return Err(meets_nothing(format!(
            "no cluster in `{}` has a server for {}",
            document.path.display(),
            wish.in_words()
        ))
        .hint(
            "`kubectl config get-clusters` shows the clusters; `cred-helper setup kubectl -p NAME` \
             adds a user all the same",
        ));
    }
    let has_users = write_users(machine, &copy, &config, &profiles, wish, plan)?;
    let has_contexts = lead_contexts(machine, &copy, &met, wish, plan)?;
    if met.is_empty()
        && let Some(profile) = wish.profiles.first()
    {
        note_no_cluster(document, profile, plan);
    }
    // kubectl writes its own form of what it reads.
    if has_users || has_contexts {
        copy.text()
    } else {
        Ok(document.text.to_owned())
    }
}

/// A cluster's server, the contexts that lead there, and the profile that answers for it.
type Met<'a> = (&'a Target, &'a Vec<&'a Context>, &'a Answering);

/// Makes a user for each profile, where there is none that says the same. Whether one was made.
fn write_users(
    machine: &Machine<'_>,
    copy: &Copy,
    config: &Config,
    profiles: &BTreeMap<&str, &Answering>,
    wish: &Wish,
    plan: &mut Plan,
) -> Result<bool, Error> {
    let mut is_changed = false;
    for (name, profile) in profiles {
        let user = format!("{USER}{name}");
        let wanted = exec(machine, profile);
        let there = config.user(&user);
        let exec = there.and_then(|there| there.user.exec.as_ref());
        if exec.is_some_and(|exec| exec.says(&wanted)) {
            continue;
        }
        if there.is_some() {
            change(machine, copy, &["delete-user", &user])?;
        }
        set_user(machine, copy, &user, &wanted)?;
        is_changed = true;
        plan.note(Setting {
            profile: (*name).to_owned(),
            url: wish.own_url(),
            key: format!("user {user}"),
            value: user,
            replaced: None,
        });
    }
    Ok(is_changed)
}

/// Has the contexts of a server use our user, where that server was named; else says how. Whether one
/// does now that did not.
fn lead_contexts(
    machine: &Machine<'_>,
    copy: &Copy,
    met: &[Met<'_>],
    wish: &Wish,
    plan: &mut Plan,
) -> Result<bool, Error> {
    let mut is_changed = false;
    for (target, contexts, profile) in met {
        let user = format!("{USER}{}", profile.name);
        let others = contexts.iter();
        for context in others.filter(|context| context.context.user != user) {
            let name = &context.name;
            if wish.url.is_none() {
                plan.notes.push(format!(
                    "to use it: kubectl config set-context {} --user={user}",
                    shell_word(name)
                ));
                continue;
            }
            point(machine, copy, name, &user)?;
            is_changed = true;
            plan.note(Setting {
                profile: profile.name.clone(),
                url: target.to_string(),
                key: format!("context {name}"),
                value: user.clone(),
                replaced: Some(context.context.user.clone()),
            });
        }
    }
    Ok(is_changed)
}

/// What a person should know whose profile names no cluster of the file.
fn note_no_cluster(document: &Document<'_>, profile: &Answering, plan: &mut Plan) {
    let user = format!("{USER}{}", profile.name);
    if !profile.urls.is_empty() {
        plan.notes.push(format!(
            "no cluster in `{}` has a server in the `urls` of profile `{}`: it gets no token \
             for these",
            document.path.display(),
            profile.name
        ));
    }
    plan.notes.push(format!(
        "to use it: kubectl config set-context --current --user={user}"
    ));
}

fn set_user(machine: &Machine<'_>, copy: &Copy, user: &str, exec: &Exec) -> Result<(), Error> {
    let mut line = vec![
        "set-credentials".to_owned(),
        user.to_owned(),
        format!("--exec-command={}", exec.command),
    ];
    let arguments = exec.args.iter().flatten();
    line.extend(arguments.map(|argument| format!("--exec-arg={argument}")));
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let cluster = format!("--exec-provide-cluster-info={}", exec.provide_cluster_info);
    let version = |version: &str| format!("--exec-api-version={version}");
    let v1 = [
        &version(&exec.api_version),
        "--exec-interactive-mode=IfAvailable",
        &cluster,
    ];
    // kubectl before 1.30 has no flags for these, and this version demands none of them.
    match change(machine, copy, &[&line[..], &v1].concat()) {
        Err(error) if error.to_string().contains("unknown flag") => {
            change(machine, copy, &[&line[..], &[&version(V1BETA1)]].concat())
        }
        other => other,
    }
}

fn point(machine: &Machine<'_>, copy: &Copy, context: &str, user: &str) -> Result<(), Error> {
    let user = format!("--user={user}");
    change(machine, copy, &["set-context", context, &user])
}

fn remove(
    machine: &Machine<'_>,
    document: &Document<'_>,
    settings: &[Setting],
) -> Result<String, Error> {
    machine.require("kubectl")?;
    let copy = machine.copy(document, true)?;
    let config = read(machine, &copy)?;
    let mut is_changed = false;
    for setting in settings {
        let user = &setting.value;
        match setting.key.strip_prefix("context ") {
            Some(name) => {
                let is_ours =
                    |context: &Context| context.name == name && context.context.user == *user;
                if config.contexts().any(is_ours) {
                    let before = setting.replaced.as_deref().unwrap_or_default();
                    point(machine, &copy, name, before)?;
                    is_changed = true;
                }
            }
            None => {
                if config.user(user).is_some() {
                    change(machine, &copy, &["delete-user", user])?;
                    is_changed = true;
                }
            }
        }
    }
    if is_changed {
        copy.text()
    } else {
        Ok(document.text.to_owned())
    }
}

/// Whether a line of a kubeconfig holds nothing secret.
fn is_shown(line: &str) -> bool {
    /// Keys whose values name things.
    const NAMES: &[&str] = &[
        "apiVersion",
        "kind",
        "name",
        "cluster",
        "context",
        "server",
        "user",
        "namespace",
        "current-context",
        "certificate-authority",
        "command",
        "interactiveMode",
        "provideClusterInfo",
        "preferences",
        "args",
        "env",
        "installHint",
    ];
    let line = line.trim_start_matches("- ");
    let is_ours = line == "kubectl" || line.starts_with("--profile=");
    match line.split_once(':') {
        Some((key, value)) => {
            // Whole tables may stand behind a key too.
            let is_word = value == " {}" || !value.contains(['@', '{', '[', '"', '\'', '|', '>']);
            let is_name = NAMES.contains(&key) && is_word;
            let is_plain = key
                .chars()
                .all(|one| one.is_ascii_alphanumeric() || one == '-');
            is_name || (is_plain && value.is_empty())
        }
        None => is_ours,
    }
}

fn look(
    machine: &Machine<'_>,
    document: &Document<'_>,
    profiles: &[Answering],
) -> Result<Wiring, Error> {
    let mut wiring = Wiring::default();
    if machine.find("kubectl").is_none() {
        return Ok(wiring);
    }
    let config = read(machine, &machine.copy(document, true)?)?;
    for user in config.users.iter().flatten() {
        let exec = user.user.exec.as_ref();
        if let Some((exec, profile)) = exec.and_then(|exec| Some((exec, our_profile(exec)?))) {
            wiring.wired.push(Wired {
                target: format!("user {}", user.name),
                profile,
                program: Some(exec.command.clone()),
            });
        }
    }
    for (target, contexts) in config.servers() {
        if !profiles.iter().any(|profile| profile.answers(&target)) {
            continue;
        }
        for context in contexts {
            let user = &context.context.user;
            let is_ours = wiring
                .wired
                .iter()
                .any(|wired| wired.target == format!("user {user}"));
            if !is_ours && !user.is_empty() {
                wiring.in_front.push(InFront {
                    target: format!("context {}", context.name),
                    helper: format!("user {user}"),
                });
            }
        }
    }
    Ok(wiring)
}

/// The profile that a user's command names, if the command is ours.
fn our_profile(exec: &Exec) -> Option<Option<String>> {
    let arguments = exec.args.iter().flatten().map(String::as_str);
    ours::profile(&exec.command, "", arguments)
}
