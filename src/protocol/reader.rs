//! Programs that read a token from a command's first line, and how long a token they take.
//!
//! They call `cred-helper get` as a script would, so that `--for` says who it is. Some of them cut
//! what is too long, and send the rest; others say no more than that nothing worked.

use crate::credential::Credential;
use crate::error::{Error, ErrorKind};

/// A program with a limit.
struct Reader {
    name: &'static str,
    /// How many bytes can the longest token have that it takes? Measured with the program itself.
    longest: usize,
    /// What else helps, besides a smaller token.
    way_out: &'static str,
}

const READERS: [Reader; 5] = [
    // 1.8.23: 4094 characters of base64 (SMTP_MAXCMDLEN), with the user's name in them, here one letter.
    Reader {
        name: "msmtp",
        longest: 3048,
        way_out: "another program that sends, such as mutt",
    },
    // isync 1.4.4: a buffer of 8192 bytes. What is longer is cut without a word.
    Reader {
        name: "mbsync",
        longest: 8191,
        way_out: "another program that fetches, such as mutt",
    },
    // 20220429, XOAUTH2: 4096 with the line's end and a zero.
    Reader {
        name: "neomutt",
        longest: 4094,
        way_out: "mutt, which takes any",
    },
    // The same, OAUTHBEARER: 512.
    Reader {
        name: "neomutt-oauthbearer",
        longest: 510,
        way_out: "XOAUTH2, of which neomutt takes 4094 bytes, or mutt, which takes any",
    },
    // 7.88: a line of 4095 bytes with its end. What is longer is passed over, and no password is sent.
    Reader {
        name: "curl-netrc",
        longest: 4085,
        way_out: "`-o header`, which curl reads with `-H @-`",
    },
];

/// What `--for` may say.
pub(super) const NAMES: [&str; READERS.len()] = {
    let mut names = [""; READERS.len()];
    let mut index = 0;
    while index < READERS.len() {
        names[index] = READERS[index].name;
        index += 1;
    }
    names
};

/// Whether the program of that name takes a token of that length.
pub(super) fn check(name: &str, credential: &Credential) -> Result<(), Error> {
    let length = credential.access_token.expose().len();
    let too_short = |reader: &&Reader| reader.name == name && reader.longest < length;
    let Some(Reader {
        longest, way_out, ..
    }) = READERS.iter().find(too_short)
    else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Config,
        format!("the token has {length} bytes, and {name} takes {longest} at most"),
    )
    .hint(format!(
        "a token with fewer `scopes`, or with fewer claims if the authority can be told so, is \
         smaller; else use {way_out}"
    )))
}
