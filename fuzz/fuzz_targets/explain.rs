//! Any octets as evidence of a failure: nothing panics, and the causes are in order.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| mailbearer::fuzzing::explain(octets));
