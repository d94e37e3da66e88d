//! The records of a vault file as the octets that get sealed: counted keys and values, sorted by key.
//! There is one way to write a set of records, and nothing else is read.

use crate::secret::SecretBytes;
use crate::vault::is_key;
use crate::vault::records::Records;
use zeroize::Zeroizing;

/// Writes the records; `None` when they are more than a file may hold. Leaves room for `extra_bytes` at the end.
pub(super) fn encode(records: &Records, extra_bytes: usize) -> Option<Zeroizing<Vec<u8>>> {
    let size_bytes: usize = records
        .iter()
        // Exposed to be counted.
        .map(|(key, value)| KEY_COUNT_BYTES + key.len() + VALUE_COUNT_BYTES + value.expose().len())
        .sum();
    if size_bytes > MAX_BYTES {
        return None;
    }
    // The right capacity from the start: a vector that grows leaves copies of the secrets behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(size_bytes + extra_bytes));
    for (key, value) in records.iter() {
        octets.extend(u16::try_from(key.len()).ok()?.to_be_bytes());
        octets.extend(key.as_bytes());
        // Exposed to be sealed.
        octets.extend(u32::try_from(value.expose().len()).ok()?.to_be_bytes());
        octets.extend(value.expose());
    }
    Some(octets)
}

/// Reads what [`encode`] wrote; `None` for anything else.
pub(super) fn decode(mut octets: &[u8]) -> Option<Records> {
    let mut records = Records::default();
    let mut previous = "";
    while !octets.is_empty() {
        let (key, value) = take_record(&mut octets)?;
        if !is_key(key) || key <= previous {
            return None;
        }
        previous = key;
        records.write(key, SecretBytes::new(value.to_vec()));
    }
    Some(records)
}

fn take_record<'a>(octets: &mut &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let key_size = u16::from_be_bytes(take_count(octets)?);
    let key = octets.split_off(..usize::from(key_size))?;
    let value_size = u32::from_be_bytes(take_count(octets)?);
    let value = octets.split_off(..usize::try_from(value_size).ok()?)?;
    Some((str::from_utf8(key).ok()?, value))
}

fn take_count<const SIZE: usize>(octets: &mut &[u8]) -> Option<[u8; SIZE]> {
    let (count, rest) = octets.split_first_chunk()?;
    *octets = rest;
    Some(*count)
}

/// All records together. The tokens of ten thousand accounts are smaller; what is larger is a mistake, and would make
/// every write slow, since every write rewrites them all.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

const KEY_COUNT_BYTES: usize = 2;
const VALUE_COUNT_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Records {
        let mut records = Records::default();
        for (key, value) in pairs {
            records.write(key, value.to_vec().into());
        }
        records
    }

    fn pairs(records: &Records) -> Vec<(String, Vec<u8>)> {
        records
            .iter()
            .map(|(key, value)| (key.to_owned(), value.expose().clone()))
            .collect()
    }

    #[test]
    fn is_laid_out_as_specified() {
        let records = records([("b", b"xyz".as_slice()), ("a/1", b"")]);
        let octets = encode(&records, 16).unwrap();
        assert_eq!(*octets, b"\0\x03a/1\0\0\0\0\0\x01b\0\0\0\x03xyz");
        assert!(octets.capacity() >= octets.len() + 16);
        assert!(encode(&Records::default(), 0).unwrap().is_empty());
    }

    #[test]
    fn refuses_octets_that_it_would_not_write() {
        fn check(octets: &[u8]) {
            assert!(decode(octets).is_none(), "{octets:?}");
        }
        check(b"\0");
        check(b"\0\x01");
        check(b"\0\x01a\0\0\0");
        check(b"\0\x01a\0\0\0\x01");
        check(b"\0\x01a\xFF\xFF\xFF\xFF");
        check(b"\xFF\xFFa\0\0\0\0");
        check(b"\0\0\0\0\0\0");
        check(b"\0\x01 \0\0\0\0");
        check(b"\0\x01\xFF\0\0\0\0");
        check(b"\0\x01b\0\0\0\0\0\x01a\0\0\0\0");
        check(b"\0\x01a\0\0\0\0\0\x01a\0\0\0\0");
        check(b"\0\x01a\0\0\0\0\0");
    }

    #[test]
    fn refuses_more_than_a_file_may_hold() {
        let value = vec![0; MAX_BYTES];
        assert!(encode(&records([("a", value.as_slice())]), 0).is_none());
        assert!(encode(&records([("a", &value[7..])]), 0).is_some());
    }

    proptest! {
        #[test]
        fn reads_back_whatever_it_writes(
            written in proptest::collection::btree_map("[a-zA-Z0-9._/@+-]{1,200}", any::<Vec<u8>>(), 0..20)
        ) {
            let records = records(written.iter().map(|(key, value)| (key.as_str(), value.as_slice())));
            let read = decode(&encode(&records, 0).unwrap()).unwrap();
            prop_assert_eq!(pairs(&read), written.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn reads_nothing_that_it_would_write_otherwise(octets: Vec<u8>) {
            if let Some(records) = decode(&octets) {
                prop_assert_eq!(&*encode(&records, 0).unwrap(), &octets);
            }
        }
    }
}
