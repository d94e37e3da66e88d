//! The parsers of octets that a stranger may have written, for the fuzz targets in `fuzz/`.
//! Not part of the interface: each function takes any octets and panics only when Mailbearer has a fault.

/// Reads the octets as a vault file, and as the records inside one.
pub fn vault_file(octets: &[u8]) {
    crate::vault::survive_any_file(octets);
}
