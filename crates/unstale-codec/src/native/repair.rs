//! Want, DigestWant, Digest and Gone: how holes are closed.

use unstale_core::{Digest, DigestRow, DigestWant, Gone, SubjectKind, Want};

use super::FRAME_BYTES_MAX;
use super::error::{DecodeError, EncodeError};
use super::limits;
use super::reader::Reader;
use super::writer::Writer;

const RANGE_BYTES_MIN: usize = 2;
const HASH_BYTES: usize = 8;

/// The order in which a digest lists the kinds of subject: that of sorted rows.
const KINDS: [SubjectKind; 4] = [SubjectKind::Key, SubjectKind::Tag, SubjectKind::Cache, SubjectKind::All];

pub(super) fn write_want(want: &Want, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    w.stream(want.stream);
    w.list("ranges", limits::RANGES, &want.ranges, |w, range| w.range(*range))
}

pub(super) fn read_want(r: &mut Reader) -> Result<Want, DecodeError> {
    let stream = r.stream()?;
    let ranges = r.list("ranges", limits::RANGES, RANGE_BYTES_MIN, Reader::range)?;
    Ok(Want { stream, ranges })
}

pub(super) fn write_digest_want(want: &DigestWant, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    w.stream(want.stream);
    w.range(want.range)
}

pub(super) fn read_digest_want(r: &mut Reader) -> Result<DigestWant, DecodeError> {
    Ok(DigestWant { stream: r.stream()?, range: r.range()? })
}

pub(super) fn write_digest(digest: &Digest, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    let Digest { stream, range, rows } = digest;
    w.stream(*stream);
    w.range(*range)?;
    for kind in KINDS {
        let of_kind = || rows.iter().filter(|row| row.kind == kind);
        w.number(of_kind().count() as u64);
        for row in of_kind() {
            w.word(row.hash);
        }
    }
    Ok(())
}

pub(super) fn read_digest(r: &mut Reader) -> Result<Digest, DecodeError> {
    let stream = r.stream()?;
    let range = r.range()?;
    let mut rows = Vec::new();
    for kind in KINDS {
        let count = r.count("hashes", FRAME_BYTES_MAX / HASH_BYTES, HASH_BYTES)?;
        rows.reserve_exact(count);
        for _ in 0..count {
            rows.push(DigestRow { kind, hash: r.word()? });
        }
    }
    Ok(Digest { stream, range, rows })
}

pub(super) fn write_gone(gone: &Gone, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    let Gone { stream, range, oldest } = gone;
    w.stream(*stream);
    w.range(*range)?;
    w.seq(*oldest);
    Ok(())
}

pub(super) fn read_gone(r: &mut Reader) -> Result<Gone, DecodeError> {
    Ok(Gone { stream: r.stream()?, range: r.range()?, oldest: r.seq()? })
}
