//! Bye, Reset and Vote: how streams end.

use unstale_core::{Bye, Reset, Vote, VoteOn};

use super::error::{DecodeError, DecodeErrorKind, EncodeError, decode_error};
use super::greeting::NAME_BYTES_MIN;
use super::limits;
use super::reader::Reader;
use super::writer::Writer;

const ON_STREAM: u8 = 0;
const ON_SLOT: u8 = 1;
const ON_ALL_BUT: u8 = 2;

pub(super) fn write_bye(bye: &Bye, w: &mut Writer<'_>) {
    w.stream(bye.stream);
    w.seq(bye.last);
}

pub(super) fn read_bye(r: &mut Reader) -> Result<Bye, DecodeError> {
    Ok(Bye { stream: r.stream()?, last: r.seq()? })
}

pub(super) fn write_reset(reset: &Reset, w: &mut Writer<'_>) {
    w.stream(reset.stream);
    w.seq(reset.last);
    w.stream(reset.next);
}

pub(super) fn read_reset(r: &mut Reader) -> Result<Reset, DecodeError> {
    Ok(Reset { stream: r.stream()?, last: r.seq()?, next: r.stream()? })
}

pub(super) fn write_vote(vote: &Vote, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    w.stream(vote.voter);
    w.name(&vote.slot)?;
    match &vote.on {
        VoteOn::Stream(stream) => {
            w.byte(ON_STREAM);
            w.stream(*stream);
        }
        VoteOn::Slot(name) => {
            w.byte(ON_SLOT);
            w.name(name)?;
        }
        VoteOn::AllBut(names) => {
            w.byte(ON_ALL_BUT);
            w.list("names", limits::MEMBERS, names, Writer::name)?;
        }
    }
    w.seq(vote.have);
    Ok(())
}

pub(super) fn read_vote(r: &mut Reader) -> Result<Vote, DecodeError> {
    Ok(Vote { voter: r.stream()?, slot: r.name()?, on: read_vote_on(r)?, have: r.seq()? })
}

fn read_vote_on(r: &mut Reader) -> Result<VoteOn, DecodeError> {
    let start = r.at();
    match r.byte()? {
        ON_STREAM => r.stream().map(VoteOn::Stream),
        ON_SLOT => r.name().map(VoteOn::Slot),
        ON_ALL_BUT => r.list("names", limits::MEMBERS, NAME_BYTES_MIN, Reader::name).map(VoteOn::AllBut),
        other => {
            let value = u64::from(other);
            Err(decode_error(start, DecodeErrorKind::Unknown { what: "subject of a vote", value }))
        }
    }
}
