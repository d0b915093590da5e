//! AWS' `credential_process`
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>): temporary
//! credentials of the role that the profile names.
//!
//! botocore shows stderr only where the exit code is not 0; others show it at once. stdin is
//! whatever the tool's was, and nobody reads it.

use std::time::Duration;

use zeroize::Zeroizing;

use super::argument::{Arguments, PROFILE};
use super::{Answer, Entry};
use crate::credential::{Action, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::token::NOT_APPLICABLE;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "aws",
    summary: "Answer the AWS CLI and SDKs as a credential_process",
    help: "Set it up in ~/.aws/config:\n  [profile work]\n  credential_process = cred-helper aws -p work\n\nThe role stands in [profiles.work.aws] of the profile file, as role_arn and region.",
    link_names: &[],
    time_limit: LIMIT,
    flags: &[PROFILE],
    verbs: &[],
    operands: &[],
    is_raw: false,
    is_mute: false,
    serve,
};

/// How long may a call take? The SDK for Go waits for a minute.
const LIMIT: Duration = Duration::from_secs(58);

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let request = Request {
        profile: arguments.get(PROFILE.long).map(String::from),
        ..Request::new(Action::Get)
    };
    let credential = match answer(&request, None)? {
        // A token itself is nothing that whoever reads this may see.
        Response::Token(credential) if credential.token_type == NOT_APPLICABLE => credential,
        Response::Token(_)
        | Response::Done { .. }
        | Response::Begun { .. }
        | Response::Status(_) => {
            return Err(Error::new(
                ErrorKind::Internal,
                "BUG: credentials were asked for, and something else came",
            ));
        }
    };
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    io.signals.check()?;
    // What came of the exchange is the document itself.
    let document = credential.access_token.expose();
    io.answer(&Zeroizing::new(format!("{document}\n")))
        .map(|()| 0)
}
