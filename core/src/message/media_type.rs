//! The media type of an attachment: the one given, or the usual one for its name's extension.
//! Never looks into the content.

use super::one_line::refuse_controls;
use super::refusal::rejected;
use crate::error::{Error, Result};
use lettre::message::header::ContentType;

/// Takes the type given in the named field, or finds it by the file's name.
pub(super) fn media_type(field: &str, given: Option<&str>, file_name: &str) -> Result<String> {
    let Some(given) = given else {
        return Ok(by_extension(file_name).to_owned());
    };
    refuse_controls(field, given)?;
    let lower = given.to_ascii_lowercase();
    let has_subtype = given
        .split_once('/')
        .is_some_and(|(_, rest)| rest.starts_with(is_token));
    if !given.is_ascii()
        || given.len() > MAX_OCTETS
        || !has_subtype
        || ContentType::parse(given).is_err()
    {
        return Err(invalid(
            field,
            "is not a media type such as application/pdf",
        ));
    }
    if lower.starts_with("multipart/") {
        return Err(invalid(
            field,
            "is a multipart type, which no single file has",
        ));
    }
    if lower.contains("name=") || lower.contains("name*") {
        return Err(invalid(field, "has the file's name as a parameter"));
    }
    Ok(given.to_owned())
}

/// lettre's parser takes an empty subtype.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$&-^_.+".contains(character)
}

fn invalid(field: &str, fault: &str) -> Error {
    rejected(
        "invalid-content-type",
        format!("{field} {fault}"),
        format!("give {field} as type/subtype, the file's name as name, or leave {field} out"),
    )
}

/// The registered or customary type (IANA media types) of a file with this name.
fn by_extension(file_name: &str) -> &'static str {
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension);
    let Some(extension) = extension.map(str::to_ascii_lowercase) else {
        return UNKNOWN;
    };
    match extension.as_str() {
        "7z" => "application/x-7z-compressed",
        "aac" => "audio/aac",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "css" => "text/css",
        "csv" => "text/csv",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "eml" => "message/rfc822",
        "epub" => "application/epub+zip",
        "gif" => "image/gif",
        "gz" => "application/gzip",
        "heic" => "image/heic",
        "htm" | "html" => "text/html",
        "ics" => "text/calendar",
        "jpeg" | "jpg" => "image/jpeg",
        "js" => "text/javascript",
        "json" => "application/json",
        "log" | "txt" => "text/plain",
        "m4a" => "audio/mp4",
        "md" => "text/markdown",
        "mov" => "video/quicktime",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "mpeg" => "video/mpeg",
        "msg" => "application/vnd.ms-outlook",
        "odp" => "application/vnd.oasis.opendocument.presentation",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ogg" => "audio/ogg",
        "p7m" => "application/pkcs7-mime",
        "p7s" => "application/pkcs7-signature",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "ppt" => "application/vnd.ms-powerpoint",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "rtf" => "application/rtf",
        "svg" => "image/svg+xml",
        "tar" => "application/x-tar",
        "tif" | "tiff" => "image/tiff",
        "tsv" => "text/tab-separated-values",
        "vcf" => "text/vcard",
        "wav" => "audio/wav",
        "webm" => "video/webm",
        "webp" => "image/webp",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xml" => "application/xml",
        "yaml" | "yml" => "application/yaml",
        "zip" => "application/zip",
        _ => UNKNOWN,
    }
}

/// For what has no better type (RFC 2046 section 4.5.1).
pub(super) const UNKNOWN: &str = "application/octet-stream";

/// No registered type comes near; keeps the field's line below 998 octets.
const MAX_OCTETS: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_type_by_the_last_extension() {
        fn check(file_name: &str, expected: &str) {
            assert_eq!(media_type("x", None, file_name).unwrap(), expected);
        }
        check("invoice.pdf", "application/pdf");
        check("PHOTO.JPG", "image/jpeg");
        check("backup.tar.gz", "application/gzip");
        check("README", UNKNOWN);
        check("strange.", UNKNOWN);
        check("", UNKNOWN);
    }

    #[test]
    fn takes_a_given_type_and_refuses_what_would_break_the_mail() {
        fn check(given: &str, expected: Result<&str, &str>) {
            let found = media_type("attachments[0].contentType", Some(given), "a.pdf");
            assert_eq!(found.as_deref().map_err(Error::code), expected, "{given:?}");
        }
        check("image/png", Ok("image/png"));
        check(
            "text/calendar; method=REQUEST",
            Ok("text/calendar; method=REQUEST"),
        );
        let invalid = Err("invalid-content-type");
        check("", invalid);
        check("pdf", invalid);
        check("application/", invalid);
        check("/pdf", invalid);
        check("text/; charset=utf-8", invalid);
        check("application/pdf; name=\"x.pdf\"", invalid);
        check("multipart/mixed; boundary=x", invalid);
        check(
            "application/pdf\r\nBcc: x@y.example",
            Err("header-injection"),
        );
    }
}
