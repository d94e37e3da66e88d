//! Any octets as an XOAUTH2 error challenge: nothing panics, and no line break gets through.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| mailbearer::fuzzing::xoauth2_challenge(octets));
