//! The pages a person sees: sign-in, consent, device code, errors. Plain HTML that works without scripts.
//! Field names are those of Microsoft's pages where scripts are known to fill them in.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;
use super::request::Caller;
use crate::directory::{Application, User};

/// User name and password.
pub(super) fn sign_in(interaction: &str, user_name: &str, refusal: Option<&Refusal>) -> Response {
    let body = format!(
        r#"<form method="post" action="/login">{problem}
<input type="hidden" name="interaction" value="{interaction}">
<label>Account<input name="loginfmt" type="email" value="{user_name}" autocomplete="username" required autofocus></label>
<label>Password<input name="passwd" type="password" autocomplete="current-password" required></label>
<button>Sign in</button></form>"#,
        problem = problem(refusal),
        interaction = escaped(interaction),
        user_name = escaped(user_name),
    );
    page(StatusCode::OK, "Sign in to your account", &body)
}

/// What the application wants to do, accept or decline.
pub(super) fn consent(
    interaction: &str,
    application: &Application,
    user: &User,
    permissions: &[String],
) -> Response {
    let items: String = permissions
        .iter()
        .map(|permission| format!("<li>{}</li>", escaped(permission)))
        .collect();
    let body = format!(
        r#"<form method="post" action="/consent"><p>{user}</p>
<p><strong>{application}</strong> would like to:</p><ul>{items}</ul>
<input type="hidden" name="interaction" value="{interaction}">
<button name="answer" value="decline" class="quiet">Cancel</button> <button name="answer" value="accept">Accept</button></form>"#,
        user = escaped(&user.address),
        application = escaped(&application.display_name),
        interaction = escaped(interaction),
    );
    page(StatusCode::OK, "Permissions requested", &body)
}

/// The code shown by a device.
pub(super) fn enter_code(user_code: &str, refusal: Option<&Refusal>) -> Response {
    let body = format!(
        r#"<form method="post" action="/devicelogin">{problem}
<label>Code<input name="otc" value="{user_code}" autocomplete="off" required autofocus></label>
<p>Do not enter codes from sources you don't trust.</p><button>Next</button></form>"#,
        problem = problem(refusal),
        user_code = escaped(user_code),
    );
    page(StatusCode::OK, "Enter code to allow access", &body)
}

/// The end of a visit that leads back to no application.
pub(super) fn message(title: &str, text: &str) -> Response {
    page(StatusCode::OK, title, &format!("<p>{}</p>", escaped(text)))
}

/// An error that is not sent to the application.
pub(super) fn error(refusal: &Refusal, caller: &Caller) -> Response {
    let body = format!(
        "<p>Sorry, but we’re having trouble signing you in.</p><p role=\"alert\">{}</p>\
         <p class=\"small\">Request Id: {}<br>Correlation Id: {}<br>Timestamp: {}</p>",
        escaped(&refusal.sentence()),
        escaped(&caller.trace_id),
        escaped(&caller.correlation_id),
        escaped(&caller.timestamp),
    );
    page(StatusCode::BAD_REQUEST, "Sign in", &body)
}

/// Sends the fields to the application by POST (`response_mode=form_post`).
pub(super) fn form_post(redirect_uri: &str, fields: &[(&'static str, String)]) -> Response {
    let input = |(name, value): &(&str, String)| {
        format!(
            r#"<input type="hidden" name="{name}" value="{}">"#,
            escaped(value)
        )
    };
    let inputs: String = fields.iter().map(input).collect();
    let body = format!(
        r#"<form method="post" name="hiddenform" action="{}">{inputs}<button>Continue</button></form>
<script>document.forms[0].submit()</script>"#,
        escaped(redirect_uri)
    );
    page(StatusCode::OK, "Working...", &body)
}

fn problem(refusal: Option<&Refusal>) -> String {
    refusal.map_or_else(String::new, |refusal| {
        format!("<p role=\"alert\">{}</p>", escaped(&refusal.sentence()))
    })
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escaped(title);
    let html = format!(
        r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><main><p class="small">Sandbox: nothing here is real</p><h1>{title}</h1>{body}</main></body></html>"#
    );
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;background:#eef1f5;margin:0}\
main{background:#fff;max-width:26rem;margin:10vh auto;padding:2rem;box-shadow:0 2px 8px #0002}\
h1{font-size:1.4rem;margin:.5rem 0 1rem}label{display:block;margin:1rem 0}\
input{display:block;width:100%;box-sizing:border-box;padding:.5rem;font:inherit}\
button{padding:.5rem 1.5rem;font:inherit;background:#0b5cad;color:#fff;border:0;margin-top:1rem}\
button.quiet{background:#ccd2d9;color:#000}[role=alert]{color:#b00020}.small{font-size:.8rem;color:#555}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_client_sends_becomes_markup() {
        let hostile = "\"><script>alert('x')</script>&";
        assert_eq!(
            escaped(hostile),
            "&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"
        );
    }
}
