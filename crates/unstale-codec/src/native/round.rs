//! Round and Answer: 28 bytes and 2 to 13 for each member with another number; 38 to 47 bytes.

use unstale_core::{Answer, Round, RoundRow};

use super::error::{DecodeError, EncodeError};
use super::limits;
use super::reader::Reader;
use super::writer::Writer;

const WHOLE: u8 = 0x01;
const HAS_ERA: u8 = 0x02;

const JOINING: u8 = 0x01;
const MISSED: u8 = 0x02;
const HURRY: u8 = 0x04;

/// Member and last: one byte each.
const ROW_BYTES_MIN: usize = 2;

pub(super) fn write_round(round: &Round, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    let Round { pacemaker, number, view, era, whole, rows } = round;
    w.stream(*pacemaker);
    w.byte(flag(*whole, WHOLE) | flag(era.is_some(), HAS_ERA));
    w.number(*number);
    w.word(*view);
    if let Some(era) = era {
        w.word(*era);
    }
    w.list("rows of a round", limits::MEMBERS, rows, |w, row| {
        w.number(u64::from(row.member));
        w.seq(row.last);
        Ok(())
    })
}

pub(super) fn read_round(r: &mut Reader) -> Result<Round, DecodeError> {
    let pacemaker = r.stream()?;
    let flags = r.flags(WHOLE | HAS_ERA)?;
    Ok(Round {
        pacemaker,
        number: r.number()?,
        view: r.word()?,
        era: if flags & HAS_ERA == 0 { None } else { Some(r.word()?) },
        whole: flags & WHOLE != 0,
        rows: r.list("rows of a round", limits::MEMBERS, ROW_BYTES_MIN, |r| {
            Ok(RoundRow { member: r.number_u16("index of a member")?, last: r.seq()? })
        })?,
    })
}

pub(super) fn write_answer(answer: &Answer, w: &mut Writer<'_>) {
    let Answer { stream, pacemaker, number, last, joining, missed, hurry } = *answer;
    w.stream(stream);
    w.byte(flag(joining, JOINING) | flag(missed, MISSED) | flag(hurry, HURRY));
    w.stream(pacemaker);
    w.number(number);
    w.seq(last);
}

pub(super) fn read_answer(r: &mut Reader) -> Result<Answer, DecodeError> {
    let stream = r.stream()?;
    let flags = r.flags(JOINING | MISSED | HURRY)?;
    Ok(Answer {
        stream,
        pacemaker: r.stream()?,
        number: r.number()?,
        last: r.seq()?,
        joining: flags & JOINING != 0,
        missed: flags & MISSED != 0,
        hurry: flags & HURRY != 0,
    })
}

const fn flag(is_set: bool, flag: u8) -> u8 {
    if is_set { flag } else { 0 }
}
