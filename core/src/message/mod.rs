//! Mail from plain data: RFC 5322 and MIME.
