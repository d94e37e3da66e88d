//! The layout against what is read of it.

use super::*;
use proptest::prelude::*;

/// Segments of every kind with octets in memory and in files of the folder.
fn segments(folder: &std::path::Path, kinds: &[(u8, Vec<u8>, usize)]) -> Vec<Segment> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut segments = Vec::new();
    for (number, (kind, octets, repeated)) in kinds.iter().enumerate() {
        let octets = octets.repeat(*repeated);
        let path = folder.join(number.to_string());
        std::fs::write(&path, &octets).unwrap();
        let file = Source::file(path.to_str().unwrap(), false);
        segments.push(match kind {
            0 => Segment::Octets(octets.into()),
            1 => Segment::BinaryOnly("Content-Transfer-Encoding: binary\r\n"),
            2 => Segment::AsIs(Source::memory(octets.into())),
            3 => Segment::AsIs(runtime.block_on(file).unwrap()),
            4 => Segment::Encoded(Source::memory(octets.into())),
            _ => Segment::Encoded(runtime.block_on(file).unwrap()),
        });
    }
    segments
}

fn read_in(body: &Body, form: Form, limit_bytes: usize) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut reader, mut all) = (body.reader(form), Vec::new());
        loop {
            let octets = reader.next(limit_bytes).await.unwrap();
            if octets.is_empty() {
                return all;
            }
            assert!(octets.len() <= limit_bytes);
            all.extend_from_slice(&octets);
        }
    })
}

#[test]
fn encodes_in_lines_as_a_whole_would_be() {
    fn check(size_bytes: usize) {
        let octets: Vec<u8> = (0..size_bytes).map(|number| (number * 7) as u8).collect();
        let mut expected = String::from("base64\r\n\r\n");
        email_encoding::body::base64::encode(&octets, &mut expected).unwrap();
        let body = Body::new(vec![Segment::Encoded(Source::memory(
            octets.clone().into(),
        ))]);
        assert!(
            body.whole(Form::Base64).unwrap() == expected.as_bytes(),
            "{size_bytes}"
        );
        assert_eq!(
            body.size_bytes(Form::Base64),
            size(expected.as_bytes()),
            "{size_bytes}"
        );
        let binary = [&b"binary\r\n\r\n"[..], &octets].concat();
        assert!(body.whole(Form::Binary).unwrap() == binary, "{size_bytes}");
    }
    let piece = reader::PIECE_BYTES;
    for size_bytes in [
        0,
        1,
        2,
        3,
        56,
        57,
        58,
        114,
        piece - 1,
        piece,
        piece + 1,
        3 * piece + 100,
    ] {
        check(size_bytes);
    }
}

#[test]
fn ends_with_one_line_end() {
    fn check(octets: &'static str, expected: &str) {
        let body = Body::from(octets).with_last_line_end();
        assert_eq!(body.whole(Form::Base64).unwrap(), expected);
        assert_eq!(body.size_bytes(Form::Base64), size(expected.as_bytes()));
    }
    check("a", "a\r\n");
    check("a\r\n", "a\r\n");
    check("a\r\n\r\n", "a\r\n\r\n");
    check("", "\r\n");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn the_size_that_is_declared_is_the_size_that_is_read_whatever_the_pieces(
        kinds in prop::collection::vec(
            (0u8..6, prop::collection::vec(any::<u8>(), 0..100), prop::sample::select(&[1usize, 700, 6000][..])), 0..5,
        ),
        limit_bytes in prop::sample::select(&[1usize, 7, 1000, 65_536, usize::MAX][..]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let body = Body::new(segments(folder.path(), &kinds));
        for form in [Form::Base64, Form::Binary] {
            let whole = body.whole(form).unwrap();
            prop_assert_eq!(size(&whole), body.size_bytes(form));
            // Octet by octet, a megabyte would take long.
            let limit_bytes = if whole.len() > 100_000 { limit_bytes.max(1000) } else { limit_bytes };
            prop_assert!(read_in(&body, form, limit_bytes) == whole);
        }
    }
}
