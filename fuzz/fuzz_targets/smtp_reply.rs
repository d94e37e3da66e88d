//! Any octets as replies of an SMTP server: nothing panics, and pieces make no difference.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| mailbearer::fuzzing::smtp_reply(octets));
