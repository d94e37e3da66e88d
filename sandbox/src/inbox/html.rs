//! Makes the HTML of a hostile mail safe to look at: it runs no script, sends nothing and loads nothing.
//! It does not sanitise; the HTML stays as its author wrote it, so that a developer sees what was sent.
//!
//! Three things together do it, and each is tested against a real browser:
//! - the page shows it in a frame with `sandbox=""` (no scripts, forms, popups, top navigation, automatic refresh);
//! - [`POLICY`] says the same again for the document itself, for whoever opens it in a tab of its own, and allows nothing
//!   to be loaded: inline images are part of the document, as `data:` URLs;
//! - elements for which browsers open connections in spite of any policy are renamed; see [`RENAMED`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::mime::Entity;

/// The Content-Security-Policy of a mail's HTML.
///
/// `form-action`, `base-uri` and `frame-ancestors` do not fall back to `default-src`.
pub(super) const POLICY: &str = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'self'";

/// The mail's HTML as a document that needs nothing from outside; `None` if it has no HTML.
pub(super) fn inert_document(mail: &Entity<'_>) -> Option<String> {
    let html = mail.html()?;
    Some(with_inline_images(
        &without_connecting_elements(&html),
        mail,
    ))
}

/// The type of an image browsers show, told by its first bytes and not by what the mail claims.
///
/// SVG is none: it is a document, and mail programs do not show it either.
pub(super) fn raster_type(content: &[u8]) -> Option<&'static str> {
    let signatures: [(&[u8], &str); 5] = [
        (b"\x89PNG", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"BM", "image/bmp"),
        (b"RIFF", "image/webp"), // Other RIFF files are no images, and shown as such they are nothing.
    ];
    let known = signatures
        .iter()
        .find(|(signature, _)| content.starts_with(signature));
    known.map(|(_, kind)| *kind)
}

/// Renames every element of [`RENAMED`].
///
/// Such an element can only come from its name behind `<`, whatever stands around it, so no parser is needed to find
/// them all.
fn without_connecting_elements(html: &str) -> String {
    RENAMED
        .iter()
        .fold(html.to_owned(), |html, (tag, new_tag)| {
            rewrite(&html, tag, |_, after| {
                let ends_name = after.starts_with(|next: char| {
                    next.is_ascii_whitespace() || matches!(next, '/' | '>')
                });
                ends_name.then(|| ((*new_tag).to_owned(), 0))
            })
        })
}

/// Puts images of the same mail (`cid:`, RFC 2392) into the document.
fn with_inline_images(html: &str, mail: &Entity<'_>) -> String {
    let mut room = MAX_INLINED_BYTES;
    rewrite(html, "cid:", |before, after| {
        if room == 0 || !before.ends_with(STARTS_URL) {
            return None;
        }
        let url = after.split(ENDS_URL).next()?;
        let content_id = percent_decode_str(url).decode_utf8_lossy();
        let image = mail.by_content_id(&content_id)?.content();
        // Once there is too little, no more is decoded: a hostile mail may ask a million times.
        room = room.saturating_sub(image.len());
        let kind = raster_type(&image).filter(|_| room > 0)?;
        let data = format!("data:{kind};base64,{}", STANDARD.encode(&image));
        Some((data, url.len()))
    })
}

/// Replaces where `needle` (lower case ASCII) occurs in any case and `replacement`, given what stands before and after,
/// answers a text and how many bytes behind the needle it replaces too.
fn rewrite(
    html: &str,
    needle: &str,
    mut replacement: impl FnMut(&str, &str) -> Option<(String, usize)>,
) -> String {
    let lower_case = html.to_ascii_lowercase();
    let mut rewritten = String::with_capacity(html.len());
    let mut copied_to = 0;
    for (start, _) in lower_case.match_indices(needle) {
        let end = start + needle.len();
        let (Some(before), Some(after)) = (html.get(copied_to..start), html.get(end..)) else {
            continue; // Inside what was just replaced.
        };
        if let Some((text, extra_bytes)) = replacement(before, after) {
            rewritten.push_str(before);
            rewritten.push_str(&text);
            copied_to = end + extra_bytes;
        }
    }
    rewritten.push_str(html.get(copied_to..).unwrap_or_default());
    rewritten
}

/// Elements for which Chromium opens connections whatever the policy, and what the HTML standard parses alike but gives
/// no meaning.
///
/// `<link rel=preconnect>` is not covered by policies. A frame's connection is begun before the policy forbids its
/// address, and `srcdoc`, which needs none, can hold a link in disguise (`&lt;link`).
const RENAMED: [(&str, &str); 4] = [
    ("<link", "<basefont"),
    ("<frame", "<basefont"),
    ("<iframe", "<noembed"),
    ("</iframe", "</noembed"),
];

const STARTS_URL: [char; 9] = ['"', '\'', '(', '=', ',', ' ', '\t', '\r', '\n'];
const ENDS_URL: [char; 10] = ['"', '\'', '(', ')', '<', '>', ' ', '\t', '\r', '\n'];

/// Twice the 35 MB a mail has at most where Exchange Online is left as it is, so only images used over and over again are
/// left out.
const MAX_INLINED_BYTES: usize = 70 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    #[test]
    fn puts_images_of_the_mail_into_the_document() {
        let data = format!("data:image/png;base64,{}", STANDARD.encode(PNG));
        check("<img src=\"cid:logo@x\">", &format!("<img src=\"{data}\">"));
        check("<img src='CID:logo@x'>", &format!("<img src='{data}'>"));
        check("<img src=cid:logo%40x>", &format!("<img src={data}>"));
        check(
            "<p style='background: url(cid:logo@x)'>",
            &format!("<p style='background: url({data})'>"),
        );
        check(
            "<img srcset='cid:logo@x 2x'>",
            &format!("<img srcset='{data} 2x'>"),
        );
        check(
            "<a title=\"cid:logo@x\"><img src=\"cid:logo@x\">",
            &format!("<a title=\"{data}\"><img src=\"{data}\">"),
        );
    }

    #[test]
    fn leaves_other_references_alone() {
        for html in [
            "<img src=\"cid:unknown@x\">",
            "<img src=\"cid:drawing@x\">", // SVG
            "placid:logo@x",
            "acid:",
            "\"cid:",
            "<img src='http://127.0.0.1/cid:logo@x'>",
        ] {
            check(html, html);
        }
    }

    #[test]
    fn renames_elements_that_connect_and_no_others() {
        check(
            "<head><link rel=preconnect href=//x></head>",
            "<head><basefont rel=preconnect href=//x></head>",
        );
        check(
            "<LINK\nrel=icon><lInK/rel=icon><link>",
            "<basefont\nrel=icon><basefont/rel=icon><basefont>",
        );
        check("<svg><link rel=x /></svg>", "<svg><basefont rel=x /></svg>");
        check(
            "<frameset><frame src=//x></frameset>",
            "<frameset><basefont src=//x></frameset>",
        );
        check(
            "<iframe src=//x></iframe><IFRAME/srcdoc='&lt;link><link>'></IFRAME >",
            "<noembed src=//x></noembed><noembed/srcdoc='&lt;link><basefont>'></noembed >",
        );
        check("<linkage> a < link <lin", "<linkage> a < link <lin");
        check("<iframes><framed><frames/>", "<iframes><framed><frames/>");
    }

    #[test]
    fn takes_an_image_used_over_and_over_again_only_so_often() {
        let image = format!("GIF8{}", "x".repeat(MAX_INLINED_BYTES / 2));
        let mime = format!(
            "{}\r\nContent-ID: <logo@x>\r\n\r\n{image}\r\n--b--\r\n",
            RELATED.replace("HTML", &"<img src=cid:logo@x>".repeat(3))
        );
        let document = inert_document(&Entity::parse(mime.as_bytes())).unwrap();
        assert_eq!(document.matches("src=data:").count(), 1);
        assert_eq!(document.matches("src=cid:").count(), 2);
    }

    const RELATED: &str = "Content-Type: multipart/related; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/html\r\n\r\nHTML\r\n\
         --b\r\nContent-Type: image/svg+xml\r\nContent-ID: <drawing@x>\r\n\r\n<svg/>\r\n\
         --b\r\nContent-Type: image/png";

    fn check(html: &str, expected: &str) {
        let mime = format!(
            "{}\r\nContent-ID: <logo@x>\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
            RELATED.replace("HTML", html),
            STANDARD.encode(PNG)
        );
        assert_eq!(
            inert_document(&Entity::parse(mime.as_bytes())).unwrap(),
            expected
        );
    }
}
