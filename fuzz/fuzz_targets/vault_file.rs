//! Any octets as a vault file: nothing panics, and nothing is read that would not be written.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| mailbearer::fuzzing::vault_file(octets));
