//! Any octets as a finished message: nothing panics, and what comes out is not changed again.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| mailbearer::fuzzing::raw_message(octets));
