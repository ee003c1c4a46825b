//! Every race by name.

use crate::race::Act::{
    AllowFills, Batch, Clear, Doubt, DoubtOther, Expire, ExpireAll, ExpireTag, OwnExpire, OwnRemove, Remote,
    Remove, RemoveTag, Repair, Set, SetSince, Touch,
};
use crate::race::Beside::{Bulk, Deserter, Evictor, Quitter, Refresher, Sweeper, Writer};
use crate::race::Loads::{Conditional, Failing};
use crate::race::Values::{Growing, Versioned};
use crate::race::{Act, Beside, Race, cold, warm};

/// Acts of one writer; each list is run at every depth, cold and warm, with and without an evictor, with fences of its own
/// and with one fence for everything.
pub(crate) const ACTS: [&[Act]; 9] = [
    &[Remove, Remove],
    &[Expire, Expire],
    &[Set, Remove],
    &[Remove, Set],
    &[RemoveTag, ExpireTag],
    &[Clear, ExpireAll],
    &[SetSince, Expire],
    &[Batch],
    &[Remote, RemoveTag],
];

/// A race and what it is about.
pub(crate) type Named = (&'static str, Race);

pub(crate) const PLAIN: &[Named] = &[
    ("a removal", cold(&[Remove])),
    ("two removals", cold(&[Remove, Remove])),
    ("an expiry", cold(&[Expire])),
    ("two expiries", cold(&[Expire, Expire])),
    ("a removal of a tag", cold(&[RemoveTag])),
    ("a clear", cold(&[Clear])),
    ("a set beside an evictor", cold(&[Set]).beside(&[Evictor])),
    ("a set of a part", warm(&[Set]).depth(1)),
    ("a removal of a part, cold", cold(&[Remove]).depth(1)),
    ("a removal of a part, warm", warm(&[Remove]).depth(1)),
    ("an expiry of a part", warm(&[Expire]).depth(1)),
    ("a removal two steps away", warm(&[Remove]).depth(2)),
];

pub(crate) const LOADS: &[Named] = &[
    ("a leader gives up", cold(&[Remove]).beside(&[Quitter])),
    ("all give up", cold(&[Remove]).beside(&[Quitter, Quitter, Quitter])),
    ("a leader of a composite gives up", cold(&[ExpireTag]).depth(1).beside(&[Quitter])),
    ("an eager refresh", warm(&[Remove, Expire]).beside(&[Refresher])),
    ("an eager refresh of a composite", warm(&[Remove]).depth(1).beside(&[Refresher])),
    ("a load ends in the background", cold(&[Remove, Expire]).beside(&[Deserter])),
    ("a load of a composite ends in the background", warm(&[ExpireTag]).depth(1).beside(&[Deserter])),
    ("a load of several keys", cold(&[Remove, Set]).beside(&[Bulk])),
    ("a load of several keys beside a composite", warm(&[RemoveTag]).depth(1).beside(&[Bulk])),
];

pub(crate) const LISTS: &[Named] = &[
    ("many parts, cold", cold(&[Remove, RemoveTag]).depth(1).wide()),
    ("many parts, warm", warm(&[Remove, RemoveTag]).depth(1).wide()),
    ("many parts, two steps away", warm(&[Expire]).depth(2).wide()),
    ("many parts beside another act", warm(&[Remove]).depth(1).wide().beside(&[Writer])),
];

pub(crate) const SWEEPS: &[Named] = &[
    ("a sweep after a clear", warm(&[Clear, Set]).beside(&[Sweeper])),
    ("a sweep beside a set", cold(&[Set]).beside(&[Sweeper])),
    ("a sweep of composites", warm(&[RemoveTag, Clear]).depth(1).beside(&[Sweeper])),
];

pub(crate) const DOUBTS: &[Named] = &[
    ("a doubt", warm(&[Doubt])),
    ("doubts, cold", cold(&[Doubt, Doubt])),
    ("doubts, warm", warm(&[Doubt, Doubt])),
    ("a doubt after one about something else", warm(&[DoubtOther, Doubt])),
    ("a doubt about a part", warm(&[DoubtOther, Doubt]).depth(1)),
    ("a doubt and its repair", warm(&[Doubt, Repair])),
    ("a doubt about a part and its repair", warm(&[Doubt, Repair]).depth(1)),
    ("a suspect is refreshed eagerly", warm(&[Doubt, Repair]).beside(&[Refresher])),
    ("a suspect is confirmed", warm(&[DoubtOther, Doubt]).loads(Conditional)),
    ("an act during doubt", warm(&[DoubtOther, Remove])),
    ("fills are allowed", cold(&[AllowFills])),
    ("fills are allowed, two steps away", cold(&[AllowFills]).depth(2)),
];

pub(crate) const WRITERS: &[Named] = &[
    ("acts on two keys in one line", cold(&[Remove]).beside(&[Writer]).bits(0)),
    ("acts on two keys, one of them a part", warm(&[Remove]).depth(1).beside(&[Writer])),
    ("acts on two keys in one line, one of them a part", warm(&[Remove]).depth(1).beside(&[Writer]).bits(0)),
    ("a batch displaces the removal of a tag", warm(&[RemoveTag, Batch]).bits(0)),
    ("two writers remove", cold(&[Remove, Remove]).rival(&[Expire])),
    ("two writers set since", cold(&[SetSince]).rival(&[SetSince])),
    ("one sets since and one removes", warm(&[SetSince]).rival(&[Remove]).depth(1)),
    ("two writers set versions", cold(&[Set]).rival(&[Set]).values(Versioned)),
    ("versions and loads", warm(&[Set, Expire]).values(Versioned).beside(&[Refresher])),
    ("rows of two steps", warm(&[Remove]).rival(&[OwnRemove]).depth(1)),
    ("rows of two steps, two steps away", warm(&[Expire]).rival(&[OwnExpire]).depth(2)),
    ("heavier values", warm(&[Set, Remove]).values(Growing).beside(&[Refresher])),
    ("heavier composites", warm(&[Set, Set]).values(Growing).depth(1)),
];

pub(crate) const STALE: &[Named] = &[
    ("a failing load after an expiry", warm(&[Expire, Remove]).loads(Failing)),
    ("a failing load after the expiry of a tag", warm(&[ExpireTag, RemoveTag]).loads(Failing)),
    ("a failing load after an expiry of all", warm(&[ExpireAll, Clear]).loads(Failing)),
    ("a failing load after a doubt", warm(&[Doubt, Repair]).loads(Failing)),
    ("failing loads beside removals", cold(&[Remove, Remove]).loads(Failing)),
    ("a failing load of a part", warm(&[Expire]).depth(1).loads(Failing)),
    ("a failing load two steps away", warm(&[ExpireTag]).depth(2).loads(Failing)),
    ("a confirmation", warm(&[Touch, Remove]).loads(Conditional)),
    ("a confirmation beside the expiry of a tag", warm(&[Touch, ExpireTag]).loads(Conditional)),
    ("a confirmation of a composite", warm(&[Touch, Expire]).depth(1).loads(Conditional)),
    ("a confirmation of a composite beside a removal", warm(&[Touch, Remove]).depth(1).loads(Conditional)),
    ("a confirmation of a composite and its own row", warm(&[Touch, OwnRemove]).depth(1).loads(Conditional)),
];

pub(crate) const NAMED: [&[Named]; 7] = [PLAIN, LOADS, LISTS, SWEEPS, DOUBTS, WRITERS, STALE];

const EVICTED: &[Beside] = &[Evictor];

/// Every combination of acts and circumstances.
pub(crate) fn combinations() -> impl Iterator<Item = Race> {
    ACTS.into_iter().flat_map(|acts| {
        (0..16).flat_map(move |bits| {
            let race = if bits & 1 == 0 { cold(acts) } else { warm(acts) };
            let race = if bits & 2 == 0 { race } else { race.beside(EVICTED) };
            let race = if bits & 4 == 0 { race } else { race.bits(0) };
            // Two steps are many, so they go with half of the rest.
            let depths = if bits & 8 == 0 { 0..2 } else { 2..3 };
            depths.map(move |depth| race.depth(depth))
        })
    })
}
