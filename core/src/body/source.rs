//! Where octets are: in memory, or in a file as it was when the mail was laid out.

use super::look::{Findings, Look};
use crate::error::Result;
use crate::host::{AttachedFile, OpenFile};

/// Octets that stay where they are until they are sent. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Source(Place);

#[derive(Clone, Debug)]
enum Place {
    Memory(bytes::Bytes),
    File(AttachedFile, Findings),
}

/// A source being read.
#[derive(Debug)]
pub(super) enum SourceReader {
    Memory(bytes::Bytes),
    File(OpenFile),
}

impl Source {
    /// Octets in memory, shared.
    pub(crate) fn memory(octets: bytes::Bytes) -> Self {
        Self(Place::Memory(octets))
    }

    /// The octets of a file. A small one is read now, and so is what has no size of its own, such as a pipe; of another
    /// one the size is noted, and that it does not change is watched. `is_text` asks for what kind of text it is, which
    /// costs reading it once. Errors: `Rejected`.
    pub(crate) async fn file(path: &str, is_text: bool) -> Result<Self> {
        let file = match AttachedFile::find(path).await? {
            Ok(file) => file,
            Err(octets) => return Ok(Self::memory(octets.into())),
        };
        let findings = match is_text {
            true => look_at(&file).await?,
            false => UNSEEN,
        };
        Ok(Self(Place::File(file, findings)))
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        match &self.0 {
            Place::Memory(octets) => super::size(octets),
            Place::File(file, _) => file.size_bytes(),
        }
    }

    /// What kind of text it is; of a file, as far as that was asked for.
    pub(crate) fn findings(&self) -> Findings {
        match &self.0 {
            Place::Memory(octets) => {
                let mut look = Look::new();
                look.at(octets);
                look.end()
            }
            Place::File(_, findings) => *findings,
        }
    }

    /// The octets, if they are in memory.
    pub(crate) fn octets(&self) -> Option<&[u8]> {
        match &self.0 {
            Place::Memory(octets) => Some(octets),
            Place::File(..) => None,
        }
    }

    pub(super) async fn open(&self) -> Result<SourceReader> {
        Ok(match &self.0 {
            Place::Memory(octets) => SourceReader::Memory(octets.clone()),
            Place::File(file, _) => SourceReader::File(file.open().await?),
        })
    }
}

impl SourceReader {
    /// So many octets, or what is left: none at the end.
    pub(super) async fn next(&mut self, size_bytes: usize) -> Result<bytes::Bytes> {
        match self {
            Self::Memory(octets) => Ok(octets.split_to(size_bytes.min(octets.len()))),
            Self::File(file) => Ok(file.next(size_bytes).await?.into()),
        }
    }
}

async fn look_at(file: &AttachedFile) -> Result<Findings> {
    let mut open = file.open().await?;
    let mut look = Look::new();
    loop {
        match open.next(LOOK_BYTES).await? {
            octets if octets.is_empty() => return Ok(look.end()),
            octets => look.at(&octets),
        }
    }
}

/// Of what nobody looked at.
const UNSEEN: Findings = Findings {
    is_utf8: false,
    is_seven_bit: false,
};
const LOOK_BYTES: usize = 256 * 1024;
