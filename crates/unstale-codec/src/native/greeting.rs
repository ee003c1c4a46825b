//! Hello, Admit and View: who is there, who is known, who was ended.

use bytes::Bytes;
use unstale_core::{Admit, EndCause, Ended, Hello, HostProof, MemberInfo, View};

use super::error::{DecodeError, DecodeErrorKind, EncodeError, decode_error};
use super::limits;
use super::reader::Reader;
use super::writer::Writer;

const JOINING: u8 = 0x01;
const KNOWN: u8 = 0x01;

pub(super) const NAME_BYTES_MIN: usize = 2;
/// Stream, name, presence of an address, have.
const MEMBER_BYTES_MIN: usize = 17 + NAME_BYTES_MIN + 1 + 1;
/// Stream, name, last, cause, ago.
const ENDED_BYTES_MIN: usize = 17 + NAME_BYTES_MIN + 1 + 1 + 1;

const END_BYE: u8 = 0;
const END_RESET: u8 = 1;
const END_MAJORITY: u8 = 2;
const END_SUCCESSOR_HOLDS: u8 = 3;
const END_OPERATOR: u8 = 4;
const END_ARBITER: u8 = 5;

pub(super) fn write_hello(hello: &Hello, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    let Hello { stream, cluster, name, address, protocol, joining, scopes, stamp, last, .. } = hello;
    let Hello { proof, members, ended, unknown, .. } = hello;
    w.stream(*stream);
    w.byte(if *joining { JOINING } else { 0 });
    w.number(u64::from(protocol.0));
    w.number(u64::from(protocol.1));
    w.name(cluster)?;
    w.name(name)?;
    write_address(address.as_ref(), w)?;
    w.list("scopes", limits::SCOPES, scopes, Writer::name)?;
    w.stamp(*stamp);
    w.seq(*last);
    w.optional(proof.as_ref(), write_host_proof)?;
    write_members(members, w)?;
    write_ended(ended, w)?;
    w.unknown_fields(0, unknown)
}

pub(super) fn read_hello(r: &mut Reader) -> Result<Hello, DecodeError> {
    Ok(Hello {
        stream: r.stream()?,
        joining: r.flags(JOINING)? != 0,
        protocol: (r.number_u16("first version")?, r.number_u16("last version")?),
        cluster: r.name()?,
        name: r.name()?,
        address: r.optional(Reader::label)?,
        scopes: r.list("scopes", limits::SCOPES, NAME_BYTES_MIN, Reader::name)?,
        stamp: r.stamp()?,
        last: r.seq()?,
        proof: r.optional(read_host_proof)?,
        members: read_members(r)?,
        ended: read_ended(r)?,
        unknown: r.unknown_fields(0)?,
    })
}

pub(super) fn write_admit(admit: &Admit, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    let Admit { stream, name, address, scopes, protocol, to, last, stamp, known, .. } = admit;
    let Admit { view, proof, members, ended, .. } = admit;
    w.stream(*stream);
    w.byte(if *known { KNOWN } else { 0 });
    w.stream(*to);
    w.number(u64::from(*protocol));
    w.name(name)?;
    write_address(address.as_ref(), w)?;
    w.list("scopes", limits::SCOPES, scopes, Writer::name)?;
    w.stamp(*stamp);
    w.seq(*last);
    w.word(*view);
    w.optional(proof.as_ref(), write_host_proof)?;
    write_members(members, w)?;
    write_ended(ended, w)
}

pub(super) fn read_admit(r: &mut Reader) -> Result<Admit, DecodeError> {
    Ok(Admit {
        stream: r.stream()?,
        known: r.flags(KNOWN)? != 0,
        to: r.stream()?,
        protocol: r.number_u16("version")?,
        name: r.name()?,
        address: r.optional(Reader::label)?,
        scopes: r.list("scopes", limits::SCOPES, NAME_BYTES_MIN, Reader::name)?,
        stamp: r.stamp()?,
        last: r.seq()?,
        view: r.word()?,
        proof: r.optional(read_host_proof)?,
        members: read_members(r)?,
        ended: read_ended(r)?,
    })
}

pub(super) fn write_view(view: &View, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    let View { stream, view, members, ended } = view;
    w.stream(*stream);
    w.word(*view);
    write_members(members, w)?;
    write_ended(ended, w)
}

pub(super) fn read_view(r: &mut Reader) -> Result<View, DecodeError> {
    Ok(View { stream: r.stream()?, view: r.word()?, members: read_members(r)?, ended: read_ended(r)? })
}

fn write_address(address: Option<&Bytes>, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    w.optional(address, |w, address| w.label("address", address))
}

fn write_host_proof(w: &mut Writer<'_>, proof: &HostProof) -> Result<(), EncodeError> {
    let HostProof { boot, namespace, address } = proof;
    w.label("boot id", boot)?;
    w.label("network namespace", namespace)?;
    w.label("address", address)
}

fn read_host_proof(r: &mut Reader) -> Result<HostProof, DecodeError> {
    Ok(HostProof { boot: r.label()?, namespace: r.label()?, address: r.label()? })
}

fn write_members(members: &[MemberInfo], w: &mut Writer<'_>) -> Result<(), EncodeError> {
    w.list("members", limits::MEMBERS, members, |w, member| {
        let MemberInfo { stream, name, address, have } = member;
        w.stream(*stream);
        w.name(name)?;
        write_address(address.as_ref(), w)?;
        w.seq(*have);
        Ok(())
    })
}

fn read_members(r: &mut Reader) -> Result<Vec<MemberInfo>, DecodeError> {
    r.list("members", limits::MEMBERS, MEMBER_BYTES_MIN, |r| {
        Ok(MemberInfo {
            stream: r.stream()?,
            name: r.name()?,
            address: r.optional(Reader::label)?,
            have: r.seq()?,
        })
    })
}

fn write_ended(ended: &[Ended], w: &mut Writer<'_>) -> Result<(), EncodeError> {
    w.list("ended streams", limits::ENDED, ended, |w, ended| {
        let Ended { stream, name, last, cause, ago_ms } = ended;
        w.stream(*stream);
        w.name(name)?;
        w.seq(*last);
        write_cause(*cause, w);
        w.number(u64::from(*ago_ms));
        Ok(())
    })
}

fn read_ended(r: &mut Reader) -> Result<Vec<Ended>, DecodeError> {
    r.list("ended streams", limits::ENDED, ENDED_BYTES_MIN, |r| {
        Ok(Ended {
            stream: r.stream()?,
            name: r.name()?,
            last: r.seq()?,
            cause: read_cause(r)?,
            ago_ms: r.number_u32("time since the end")?,
        })
    })
}

pub(super) fn write_cause(cause: EndCause, w: &mut Writer<'_>) {
    w.byte(match cause {
        EndCause::Bye => END_BYE,
        EndCause::Reset => END_RESET,
        EndCause::Majority => END_MAJORITY,
        EndCause::SuccessorHolds => END_SUCCESSOR_HOLDS,
        EndCause::Operator => END_OPERATOR,
        EndCause::Arbiter => END_ARBITER,
    });
}

pub(super) fn read_cause(r: &mut Reader) -> Result<EndCause, DecodeError> {
    let start = r.at();
    match r.byte()? {
        END_BYE => Ok(EndCause::Bye),
        END_RESET => Ok(EndCause::Reset),
        END_MAJORITY => Ok(EndCause::Majority),
        END_SUCCESSOR_HOLDS => Ok(EndCause::SuccessorHolds),
        END_OPERATOR => Ok(EndCause::Operator),
        END_ARBITER => Ok(EndCause::Arbiter),
        other => {
            let value = u64::from(other);
            Err(decode_error(start, DecodeErrorKind::Unknown { what: "cause of an end", value }))
        }
    }
}
