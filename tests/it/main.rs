//! Every test of the whole program, in one binary: the real `cred-helper`, real authorization
//! servers, real tools.
//!
//! `support` has what they share; `authority` and `oidc_provider` are the servers, `fake` the effects for
//! tests of the library, and each `*_ground` what the tests of one kind share.
//!
//! To add one: a file whose first line says what it tries, and a line here; in the group `unix`, unless it
//! is tried on Windows too. A tool that not every machine has is an entry in `tool`.
#![cfg(not(packaged))]
#![allow(
    clippy::disallowed_methods,
    reason = "a test is the world around the program: its environment and its clock are real"
)]
#![cfg_attr(
    not(unix),
    allow(
        dead_code,
        reason = "what tests share is for all of them, and some are for Unix"
    )
)]

#[path = "../../examples/demo/authority/mod.rs"]
mod authority;

mod acquire;
mod audit;
mod aws_exchange;
mod device_code;
mod everywhere;
mod fake;
mod loopback;
mod policy;
mod scene;
mod support;
mod transcript;

#[cfg(unix)]
use unix::*;

/// What wants a shell, a terminal, signals, modes of files, or real servers and tools; and what is the
/// same on every system: the documents, the sources, and what is decided.
#[cfg(unix)]
#[path = "."]
mod unix {
    #[path = "../chaos/chance.rs"]
    #[allow(dead_code, reason = "some of it is for tests/chaos")]
    pub(crate) mod chance;
    #[path = "../authority/oidc_provider.rs"]
    pub(crate) mod oidc_provider;

    pub(crate) mod account_name;
    pub(crate) mod architecture;
    pub(crate) mod authorization_request;
    pub(crate) mod aws_ground;
    pub(crate) mod aws_job;
    pub(crate) mod az_call;
    pub(crate) mod az_job;
    pub(crate) mod azure_ground;
    pub(crate) mod background;
    pub(crate) mod bazel_job;
    pub(crate) mod book;
    pub(crate) mod browser_ground;
    pub(crate) mod cached_path;
    pub(crate) mod canary;
    pub(crate) mod cargo_ground;
    pub(crate) mod cargo_job;
    pub(crate) mod client_assertion;
    pub(crate) mod client_credentials;
    pub(crate) mod client_key;
    mod comparison;
    pub(crate) mod completion;
    pub(crate) mod core_dump;
    pub(crate) mod curl_job;
    pub(crate) mod decision_property;
    pub(crate) mod decoder;
    pub(crate) mod dependency;
    pub(crate) mod display_property;
    pub(crate) mod docker_ground;
    pub(crate) mod docker_job;
    pub(crate) mod docker_target;
    pub(crate) mod doctor;
    pub(crate) mod doctor_bundle;
    pub(crate) mod doctor_fault;
    pub(crate) mod doctor_ground;
    pub(crate) mod doctor_keyring;
    pub(crate) mod doctor_msal;
    pub(crate) mod doctor_way;
    pub(crate) mod error_format;
    pub(crate) mod examination;
    mod exec;
    pub(crate) mod form;
    pub(crate) mod git_ask;
    pub(crate) mod git_askpass;
    pub(crate) mod git_ground;
    pub(crate) mod git_job;
    pub(crate) mod git_lfs;
    pub(crate) mod git_mail;
    pub(crate) mod git_setup;
    pub(crate) mod git_target;
    pub(crate) mod glewlwyd_browser;
    pub(crate) mod glewlwyd_client;
    pub(crate) mod glewlwyd_device;
    pub(crate) mod glewlwyd_job;
    pub(crate) mod glewlwyd_logout;
    pub(crate) mod glewlwyd_refresh;
    pub(crate) mod glewlwyd_refusal;
    pub(crate) mod go_job;
    pub(crate) mod google_job;
    pub(crate) mod hang_up;
    pub(crate) mod help;
    pub(crate) mod http_server;
    mod inspect;
    pub(crate) mod keyring_ground;
    pub(crate) mod keyring_job;
    pub(crate) mod killed_at_each_call;
    pub(crate) mod kubectl_ground;
    pub(crate) mod kubectl_job;
    pub(crate) mod layer;
    pub(crate) mod life_property;
    pub(crate) mod logout;
    pub(crate) mod machine_ground;
    pub(crate) mod mail_job;
    pub(crate) mod mail_server;
    pub(crate) mod main_job;
    pub(crate) mod managed_identity;
    pub(crate) mod managed_identity_trouble;
    pub(crate) mod mcp_job;
    pub(crate) mod microsoft;
    pub(crate) mod msal;
    pub(crate) mod msal_cache;
    pub(crate) mod msal_change;
    mod msal_copy;
    pub(crate) mod msal_crowd;
    mod msal_keyring;
    pub(crate) mod msal_killed;
    pub(crate) mod msal_lock;
    mod mutant;
    pub(crate) mod nuget_ground;
    pub(crate) mod nuget_job;
    pub(crate) mod oidc_account;
    pub(crate) mod oidc_browser;
    pub(crate) mod oidc_client;
    pub(crate) mod oidc_dpop;
    pub(crate) mod oidc_ground;
    pub(crate) mod oidc_killed;
    pub(crate) mod oidc_logout;
    pub(crate) mod oidc_many;
    pub(crate) mod oidc_mutual_tls;
    pub(crate) mod oidc_refresh;
    pub(crate) mod oidc_serve;
    pub(crate) mod oidc_sign_in;
    pub(crate) mod oidc_trouble;
    pub(crate) mod on_behalf_of;
    pub(crate) mod openssl;
    pub(crate) mod output;
    pub(crate) mod output_file;
    pub(crate) mod password;
    mod picture;
    pub(crate) mod platform_network;
    pub(crate) mod plugin;
    pub(crate) mod plugin_ground;
    pub(crate) mod plugin_hostile;
    pub(crate) mod plugin_ssh;
    pub(crate) mod pnpm_job;
    pub(crate) mod preset;
    pub(crate) mod preset_browser;
    mod profile_add;
    pub(crate) mod profile_file;
    mod profile_import;
    pub(crate) mod profile_place;
    mod profile_schema;
    pub(crate) mod promise;
    pub(crate) mod property;
    pub(crate) mod rclone_job;
    pub(crate) mod readme;
    pub(crate) mod real_browser;
    pub(crate) mod refresh_import;
    pub(crate) mod refresh_trouble;
    mod release;
    mod request;
    pub(crate) mod route;
    pub(crate) mod route_property;
    pub(crate) mod seal_command;
    pub(crate) mod seal_environment;
    pub(crate) mod seal_key;
    pub(crate) mod sealed_file;
    pub(crate) mod sealed_store;
    pub(crate) mod secret_service;
    pub(crate) mod secret_source;
    pub(crate) mod setup_cargo;
    pub(crate) mod setup_docker;
    pub(crate) mod setup_file;
    pub(crate) mod setup_git;
    pub(crate) mod setup_ground;
    pub(crate) mod setup_kubectl;
    mod setup_link;
    pub(crate) mod setup_list;
    pub(crate) mod setup_nuget;
    pub(crate) mod setup_stand_in;
    pub(crate) mod several_tools;
    pub(crate) mod sign_in_terminal;
    pub(crate) mod sign_in_trouble;
    pub(crate) mod signing_key;
    pub(crate) mod status;
    pub(crate) mod store_command;
    pub(crate) mod store_fault;
    pub(crate) mod store_ground;
    pub(crate) mod store_migration;
    pub(crate) mod store_property;
    pub(crate) mod terraform_job;
    pub(crate) mod tls;
    pub(crate) mod token_exchange;
    pub(crate) mod tool;
    pub(crate) mod wrong_clock;
}
