//! Any octets as the file of another mail tool: nothing panics, and every refusal says what to do next.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| mailbearer::fuzzing::import_file(octets));
