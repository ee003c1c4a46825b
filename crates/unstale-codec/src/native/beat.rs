//! Beats: 60 to 90 bytes where nothing but the echo changed.

use unstale_core::{Beat, Echo, VectorRow, Vouch};

use super::error::{DecodeError, EncodeError};
use super::limits;
use super::reader::Reader;
use super::writer::Writer;

const ANSWER: u8 = 0x01;
const JOINING: u8 = 0x02;
const HAS_ECHO: u8 = 0x04;

/// Member, have, and heard with silent: one byte each.
const ROW_BYTES_MIN: usize = 3;
/// Stream, last, instant, view.
const VOUCH_BYTES_MIN: usize = 17 + 1 + 8 + 8;

pub(super) fn write(beat: &Beat, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    let Beat { stream, sent, last, flushed, joining, view, answer, echo, vector, vouches } = beat;
    w.stream(*stream);
    let flags = [(*answer, ANSWER), (*joining, JOINING), (echo.is_some(), HAS_ECHO)];
    w.byte(flags.iter().map(|(set, flag)| if *set { *flag } else { 0 }).sum());
    w.instant(*sent);
    w.seq(*last);
    w.seq(*flushed);
    w.word(*view);
    if let Some(Echo { stream, instant, have }) = echo {
        w.stream(*stream);
        w.instant(*instant);
        w.seq(*have);
    }
    w.list("rows of a vector", limits::MEMBERS, vector, |w, row| {
        let VectorRow { member, have, heard_ms, silent } = *row;
        w.number(u64::from(member));
        w.seq(have);
        w.number(u64::from(heard_ms) << 1 | u64::from(silent));
        Ok(())
    })?;
    w.list("vouches", limits::MEMBERS, vouches, |w, vouch| {
        let Vouch { stream, last, instant, view } = *vouch;
        w.stream(stream);
        w.seq(last);
        w.instant(instant);
        w.word(view);
        Ok(())
    })
}

pub(super) fn read(r: &mut Reader) -> Result<Beat, DecodeError> {
    let stream = r.stream()?;
    let flags = r.flags(ANSWER | JOINING | HAS_ECHO)?;
    let sent = r.instant()?;
    let last = r.seq()?;
    let flushed = r.seq()?;
    let view = r.word()?;
    let echo = if flags & HAS_ECHO == 0 { None } else { Some(read_echo(r)?) };
    let vector = r.list("rows of a vector", limits::MEMBERS, ROW_BYTES_MIN, read_row)?;
    let vouches = r.list("vouches", limits::MEMBERS, VOUCH_BYTES_MIN, |r| {
        Ok(Vouch { stream: r.stream()?, last: r.seq()?, instant: r.instant()?, view: r.word()? })
    })?;
    let (answer, joining) = (flags & ANSWER != 0, flags & JOINING != 0);
    Ok(Beat { stream, sent, last, flushed, joining, view, answer, echo, vector, vouches })
}

fn read_echo(r: &mut Reader) -> Result<Echo, DecodeError> {
    Ok(Echo { stream: r.stream()?, instant: r.instant()?, have: r.seq()? })
}

fn read_row(r: &mut Reader) -> Result<VectorRow, DecodeError> {
    let member = r.number_u16("index of a member")?;
    let have = r.seq()?;
    let heard = r.number_up_to("time since heard", u64::from(u32::MAX) << 1 | 1)?;
    Ok(VectorRow { member, have, heard_ms: (heard >> 1) as u32, silent: heard & 1 != 0 })
}
