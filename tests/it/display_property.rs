//! What others wrote and a person sees moves no cursor, colours nothing, and neither reorders nor hides
//! what is near it. The characters that could are listed here as Unicode names them.

use cred_helper::cli::{self, ErrorFormat};
use cred_helper::error::{Error, ErrorKind};
use cred_helper::text::{printable, printable_url};
use proptest::collection::{btree_map, vec};
use proptest::prelude::any;
use proptest::sample::select;
use proptest::strategy::{Just, Strategy, Union};
use serde_json::Value;

use crate::decoder::fuzz::{DECODERS, assert_harmless};
use crate::property::{hold, text};

/// Members of the answers and requests that are read somewhere.
const MEMBERS: &[&str] = &[
    "access_token",
    "account",
    "aud",
    "authorization_endpoint",
    "claims",
    "correlation_id",
    "device_code",
    "email",
    "Err",
    "error",
    "error_codes",
    "error_description",
    "expires_in",
    "hint",
    "id_token",
    "interval",
    "iss",
    "issuer",
    "kind",
    "message",
    "name",
    "oid",
    "preferred_username",
    "profile",
    "refresh_token",
    "scope",
    "sub",
    "suberror",
    "tid",
    "timestamp",
    "token",
    "token_endpoint",
    "token_type",
    "trace_id",
    "upn",
    "uri",
    "url",
    "user_code",
    "v",
    "verification_uri",
    "verification_uri_complete",
    "version",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = Union::new_weighted(vec![
        (4, text().prop_map(Value::from).boxed()),
        (1, any::<i64>().prop_map(Value::from).boxed()),
        (1, any::<bool>().prop_map(Value::from).boxed()),
        (1, Just(Value::Null).boxed()),
    ]);
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        Union::new(vec![
            vec(inner.clone(), 0..3).prop_map(Value::from).boxed(),
            btree_map(select(MEMBERS).prop_map(String::from), inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect()))
                .boxed(),
        ])
    });
    btree_map(select(MEMBERS).prop_map(String::from), value, 1..12)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// General category Cc, the property Bidi_Control, and line and paragraph separators.
fn moves_or_reorders(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn check(shown: &str) {
    let lines = shown.strip_suffix('\n').unwrap_or(shown);
    let bad = lines
        .chars()
        .find(|character| *character != '\n' && moves_or_reorders(*character));
    assert_eq!(bad, None, "it would be shown: {shown:?}");
}

#[test]
fn whatever_others_wrote_moves_no_cursor_and_hides_nothing() {
    hold(1000, &(text(), text()), |(one, two)| {
        check(&printable(&one));
        assert!(!printable(&one).contains('\n'));
        check(&printable_url(&format!("https://{one}@{two}")));
        let user = format!(
            "https://canary-{}:{}@host/",
            one.replace(['/', '?', '#'], ""),
            "word"
        );
        assert!(!printable_url(&user).contains("canary"), "{user:?}");
        // What comes from elsewhere is a cause, or was made harmless before.
        let error = Error::new(ErrorKind::Denied, format!("`{}` failed", printable(&one)))
            .because(&two)
            .because_of(&Error::new(ErrorKind::Denied, printable(&two)).because(&one))
            .next(["cred-helper", "login", "--account", &two]);
        check(&cli::render(
            &error,
            ErrorFormat::Text {
                style: cred_helper::style::Style::default(),
            },
        ));
        check(&error.to_string());
    });
    hold(300, &json(), |value| {
        let bytes = value.to_string().into_bytes();
        let plain = |name: &str| !matches!(name, "argument" | "nuget" | "narrow" | "profile");
        for (_, decoder) in DECODERS.iter().filter(|(name, _)| plain(name)) {
            let shown = decoder(&bytes);
            assert_harmless(&shown);
            shown.iter().for_each(|text| check(text));
        }
    });
}
