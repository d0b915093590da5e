//! The pages a person sees: plain HTML, no script, nothing loaded from elsewhere.

use super::wire::Response;

const STYLE: &str = "\
:root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}\
body{max-width:32rem;margin:12vh auto;padding:0 1.25rem}\
h1{font-size:1.5rem;line-height:1.25}\
.code{font:700 1.75rem ui-monospace,monospace;letter-spacing:.1em}\
label{display:block;font-weight:600}\
input,button{font:inherit;padding:.5rem .875rem;border:1px solid;border-radius:.375rem}\
input{width:100%;box-sizing:border-box;margin:.25rem 0 1rem;letter-spacing:.1em}\
button{margin-right:.75rem;min-width:7rem;cursor:pointer}\
.main{background:#1d4f91;border-color:#1d4f91;color:#fff}\
:focus-visible{outline:3px solid #c60;outline-offset:2px}\
.problem{border-left:.25rem solid #c22;padding-left:.75rem}\
.note{font-size:.9rem}";

/// What a page asks a person to allow.
pub(super) struct Question<'issued> {
    pub(super) user_code: &'issued str,
    pub(super) client_id: &'issued str,
    pub(super) scope: &'issued str,
    pub(super) account: &'issued str,
}

/// Asks for the code, after `problem` if there was one.
pub(super) fn ask_code(typed: &str, problem: Option<&str>) -> Response {
    let (status, notice, described) = match problem {
        None => (200, String::new(), ""),
        Some(problem) => (
            400,
            format!(
                "<p class=problem id=problem role=alert>{}</p>",
                escape(problem)
            ),
            "aria-invalid=true aria-describedby=problem",
        ),
    };
    let typed = escape(typed);
    page(
        status,
        "Sign in on a device",
        &format!(
            "{notice}<form action=/device method=get>\
             <label for=user_code>Code shown in your terminal</label>\
             <input id=user_code name=user_code value=\"{typed}\" placeholder=WDJB-MJHT required \
             maxlength=32 autocomplete=off autocapitalize=characters spellcheck=false {described}>\
             <button class=main>Continue</button></form>"
        ),
    )
}

/// Asks whether to approve.
pub(super) fn ask_decision(question: &Question<'_>) -> Response {
    let Question {
        user_code,
        client_id,
        scope,
        account,
    } = question;
    let (user_code, client_id) = (escape(user_code), escape(client_id));
    let (scope, account) = (escape(scope), escape(account));
    page(
        200,
        "Allow this sign-in?",
        &format!(
            "<p>The application <strong>{client_id}</strong> asks to act as \
             <strong>{account}</strong> with the scope <strong>{scope}</strong>.</p>\
             <p>Approve only if your terminal shows this code:</p><p class=code>{user_code}</p>\
             <form action=/device method=post>\
             <input type=hidden name=user_code value=\"{user_code}\">\
             <button class=main name=decision value=approve>Approve</button>\
             <button name=decision value=deny>Deny</button></form>"
        ),
    )
}

/// Says what was decided.
pub(super) fn tell_decision(approved: bool) -> Response {
    let title = if approved { "Approved" } else { "Denied" };
    page(
        200,
        title,
        "<p role=status>You can close this page and return to your terminal.</p>",
    )
}

fn page(status: u16, title: &str, content: &str) -> Response {
    let html = format!(
        "<!DOCTYPE html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <title>{title} – demo authority</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{content}\
         <p class=note>This is a demo authority on your own machine. No real account is involved.</p>\
         </main></body></html>\n"
    );
    // Nothing may run, load, or put the page into a frame to catch a click.
    Response::new(status, "text/html; charset=utf-8", html)
        .with(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        )
        .with("Referrer-Policy", "no-referrer")
        .with("X-Content-Type-Options", "nosniff")
        .with("Cache-Control", "no-store")
}

/// Makes text safe as content and as a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            other => escaped.push(other),
        }
    }
    escaped
}
