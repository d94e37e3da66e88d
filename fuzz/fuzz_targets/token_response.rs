//! Any octets as a token endpoint's answer: nothing panics, and there is always a next step.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| mailbearer::fuzzing::token_response(octets));
