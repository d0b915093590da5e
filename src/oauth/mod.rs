//! The OAuth wire: what is sent to an authority and what it answers. Pure but for
//! [`request::post`], which sends through [`crate::context::Context`].
//!
//! To add an endpoint: [`client::EndpointName`], which its key in a profile follows, and where
//! [`metadata`] finds it. To add a request: a file that builds a [`request::Form`] and reads the answer,
//! for others to send. What is Entra's alone is in [`entra`].

pub mod assertion;
pub mod challenge;
pub mod client;
pub mod client_authentication;
pub mod dpop;
pub mod entra;
pub mod federation;
pub mod id_token;
pub mod json_web_key;
pub mod metadata;
pub mod request;
pub mod response;
pub mod userinfo;
pub mod verification;
