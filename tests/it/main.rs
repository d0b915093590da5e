//! Every test of the whole program, in one binary: the real `cred-helper`, real authorization
//! servers, real tools.
//!
//! `support` has what they share; `authority` and `oidc_provider` are the servers.
#![allow(
    clippy::disallowed_methods,
    reason = "a test is the world around the program: its environment and its clock are real"
)]

#[path = "../../examples/demo/authority/mod.rs"]
mod authority;
#[path = "../chaos/chance.rs"]
#[allow(dead_code, reason = "some of it is for tests/chaos")]
mod chance;
#[path = "../authority/oidc_provider.rs"]
mod oidc_provider;

mod account_name;
mod acquire;
mod audit;
mod authorization_request;
mod aws_exchange;
mod aws_ground;
mod aws_job;
mod az_call;
mod az_job;
mod azure_ground;
mod background;
mod bazel_job;
mod browser_ground;
mod cached_path;
mod canary;
mod cargo_ground;
mod cargo_job;
mod client_assertion;
mod client_credentials;
mod client_key;
mod completion;
mod core_dump;
mod curl_job;
mod decoder;
mod device_code;
mod docker_ground;
mod docker_job;
mod docker_target;
mod error_format;
mod fake;
mod form;
mod git_ask;
mod git_askpass;
mod git_ground;
mod git_job;
mod git_lfs;
mod git_mail;
mod git_setup;
mod git_target;
mod glewlwyd_browser;
mod glewlwyd_client;
mod glewlwyd_device;
mod glewlwyd_job;
mod glewlwyd_logout;
mod glewlwyd_refresh;
mod glewlwyd_refusal;
mod go_job;
mod google_job;
mod hang_up;
mod help;
mod http_server;
mod keyring_ground;
mod keyring_job;
mod killed_at_each_call;
mod kubectl_ground;
mod kubectl_job;
mod layer;
mod loopback;
mod machine_ground;
mod mail_job;
mod mail_server;
mod main_job;
mod managed_identity;
mod managed_identity_trouble;
mod mcp_job;
mod microsoft;
mod msal;
mod nuget_ground;
mod nuget_job;
mod oidc_account;
mod oidc_browser;
mod oidc_client;
mod oidc_dpop;
mod oidc_ground;
mod oidc_killed;
mod oidc_logout;
mod oidc_many;
mod oidc_mutual_tls;
mod oidc_refresh;
mod oidc_serve;
mod oidc_sign_in;
mod oidc_trouble;
mod on_behalf_of;
mod openssl;
mod output;
mod output_file;
mod password;
mod platform_network;
mod plugin;
mod plugin_ground;
mod plugin_hostile;
mod plugin_ssh;
mod pnpm_job;
mod policy;
mod preset;
mod preset_browser;
mod profile_file;
mod rclone_job;
mod readme;
mod real_browser;
mod refresh_import;
mod refresh_trouble;
mod route;
mod scene;
mod seal_command;
mod seal_environment;
mod sealed_file;
mod sealed_store;
mod secret_service;
mod secret_source;
mod setup_cargo;
mod setup_docker;
mod setup_file;
mod setup_git;
mod setup_ground;
mod setup_kubectl;
mod setup_list;
mod setup_nuget;
mod setup_stand_in;
mod several_tools;
mod sign_in_trouble;
mod signing_key;
mod store_fault;
mod support;
mod terraform_job;
mod tls;
mod token_exchange;
mod tool;
mod transcript;
mod wrong_clock;
