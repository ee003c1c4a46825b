//! A schedule from a seed.

use std::time::Duration;

use unstale_port::Delivery;

use super::{Action, Schedule, Shape, WorldKind, Write};
use crate::caches::Terms;
use crate::database::Manner;
use crate::dice::Dice;
use crate::layout::Layout;
use crate::network::{Quality, Storm};

const MS: u64 = 1_000_000;

/// The schedule of a seed.
pub fn draw(seed: u64, kind: WorldKind) -> Schedule {
    let mut dice = Dice::of(seed, 0x7363_6865);
    let shape = draw_shape(&mut dice, kind);
    let busy = match kind {
        WorldKind::Small => dice.between(4_000, 7_000),
        WorldKind::Mesh | WorldKind::Hub => dice.between(6_000, 9_000),
        WorldKind::Cluster => dice.between(4_000, 6_000),
    };
    let mut events = Vec::new();
    users(&mut dice, &shape, busy, &mut events);
    let healed = faults(&mut dice, &shape, busy, &mut events);
    events.sort_by_key(|(at, _)| *at);
    Schedule { seed, shape, events, healed }
}

fn draw_shape(dice: &mut Dice, kind: WorldKind) -> Shape {
    let nodes = match kind {
        WorldKind::Small => dice.pick(&[2, 3, 3, 3, 3, 4]),
        WorldKind::Cluster => dice.pick(&[5, 7, 9, 12, 16, 24, 50]),
        WorldKind::Mesh => dice.pick(&[3, 4, 5, 6, 8]),
        WorldKind::Hub => dice.pick(&[2, 3, 3, 4, 5, 8]),
    };
    let first = if matches!(kind, WorldKind::Mesh | WorldKind::Hub) {
        nodes - dice.below(nodes as u64 / 2) as usize
    } else {
        nodes
    };
    let rows = dice.between(6, 24) as u16;
    let layout = Layout { rows, pages: rows / 2, books: rows / 4, tags: dice.between(1, 4) as u16 };
    let (store, fail_safe) = (dice.hits(150), dice.hits(500));
    let fails = dice.hits(300);
    let lagging = dice.hits(80) && !store;
    let manner = Manner {
        slow: dice.pick(&[0, 200, 600]),
        slow_ms: dice.pick(&[5, 40, 150]),
        fails: if fails { 50 } else { 0 },
        hangs: if fails { 5 } else { 0 },
        lag_ms: if lagging { 300 } else { 0 },
        conditional: if dice.hits(400) && !lagging { 500 } else { 0 },
    };
    let terms = Terms {
        time_to_live: Duration::from_millis(dice.pick(&[300, 2_000, 60_000, 60_000])),
        fail_safe,
        soft_timeout: (fail_safe && dice.hits(500)).then(|| Duration::from_millis(30)),
        hard_timeout: dice.hits(300).then(|| Duration::from_millis(400)),
        eager: dice.hits(250).then_some(0.5),
        capacity: if dice.hits(300) { dice.between(3, 8) } else { 60 },
        store,
    };
    let unordered = dice.hits(350) || kind == WorldKind::Hub;
    let quality = Quality {
        delivery: if unordered { Delivery::Unordered } else { Delivery::Fifo },
        latency: dice.pick(&[4, 5, 8]) * MS,
        jitter: dice.pick(&[0, 3, 10]) * MS,
        tail: dice.pick(&[0, 0, 5, 30]),
        loss: if unordered { dice.pick(&[0, 10, 50]) } else { 0 },
        twice: if unordered { dice.pick(&[0, 10, 50]) } else { 0 },
        room: dice.pick(&[2, 8, 64]),
    };
    Shape {
        kind,
        nodes,
        first,
        layout,
        terms,
        manner,
        quality,
        // Where no majority can end a dead process, its successor has to.
        listening: kind != WorldKind::Hub && (kind == WorldKind::Mesh || nodes == 2 || dice.hits(500)),
        skew_ms: if dice.hits(300) { 60_000 } else { 0 },
        drift: if dice.hits(500) { 500 } else { 0 },
        to_the_letter: !store && manner.conditional == 0,
    }
}

/// What users do: bursts of reads on every node, and writes anywhere.
fn users(dice: &mut Dice, shape: &Shape, busy: u64, events: &mut Vec<(u64, Action)>) {
    let nodes = shape.nodes as u64;
    let count = if nodes > 4 { 20 } else { 36 };
    for node in 0..shape.nodes {
        let mut at = 40 + dice.below(20);
        // Beyond the busy time, too: what everyone sees while things settle is checked.
        while at < busy + 4_500 {
            let node_count = if at < busy { count } else { count / 2 };
            events.push((at, Action::Reads { node, count: node_count, salt: dice.next() }));
            at += if nodes > 4 { dice.between(20, 60) } else { dice.between(6, 18) };
        }
    }
    let every = dice.pick(&[15, 40, 120]);
    let mut at = 60;
    while at < busy {
        let node = dice.below(nodes) as usize;
        events.push((at, Action::Write { node, write: draw_write(dice), salt: dice.next() }));
        at += dice.between(1, 2 * every);
    }
}

fn draw_write(dice: &mut Dice) -> Write {
    match dice.below(100) {
        0..40 => Write::Remove,
        40..52 => Write::Expire,
        52..70 => Write::Set,
        70..78 => Write::RemoveMany,
        78..84 => Write::RemoveTag,
        84..89 => Write::ExpireTag,
        89..91 => Write::RemoveTagEverywhere,
        91..93 => Write::Clear,
        93..95 => Write::ExpireAll,
        95 => Write::ClearEverything,
        _ => Write::RemovePage,
    }
}

/// Faults until `busy`; returns when the last one has healed.
fn faults(dice: &mut Dice, shape: &Shape, busy: u64, events: &mut Vec<(u64, Action)>) -> u64 {
    let mut healed = busy;
    for node in shape.first..shape.nodes {
        events.push((dice.between(500, busy - 1_000), Action::Join { node }));
    }
    let mut at = dice.between(600, 1_800);
    let pace = dice.pick(&[300, 700, 1_500]);
    // Per seed a few kinds only, so that each comes alone often enough.
    let kinds: Vec<u64> = (0..dice.between(1, 4)).map(|_| dice.below(fault_kinds(shape.kind))).collect();
    let mut down_for_good = false;
    while at < busy {
        let rest = busy - at;
        let time = Duration::from_millis(draw_time(dice).min(rest));
        let kind = dice.pick(&kinds);
        let action = draw_fault(dice, shape, kind, time);
        if let Some(mut action) = action {
            // One node at most stays dead, where the others can end it.
            if let Action::Crash { back, .. } | Action::Leave { back, .. } = &mut action {
                let may_stay = !down_for_good
                    && !matches!(shape.kind, WorldKind::Mesh | WorldKind::Hub)
                    && shape.nodes >= 3;
                if may_stay && dice.hits(120) {
                    *back = None;
                    down_for_good = true;
                }
                // A process joins within two windows and what it needs for its links.
                healed = healed.max(at + back.map_or(0, |back| back.as_millis() as u64) + 1_000);
            }
            events.push((at, action));
        }
        at += dice.between(1, 2 * pace);
    }
    // Whoever died last is ended after L, and only then is a newcomer of a register that was lost let in.
    if shape.kind == WorldKind::Hub { healed + 3_500 } else { healed }
}

/// How many kinds of faults there are: of a broker a few more.
const fn fault_kinds(kind: WorldKind) -> u64 {
    match kind {
        WorldKind::Small | WorldKind::Cluster | WorldKind::Mesh => 13,
        WorldKind::Hub => 16,
    }
}

fn draw_fault(dice: &mut Dice, shape: &Shape, kind: u64, time: Duration) -> Option<Action> {
    let node = dice.below(shape.nodes as u64) as usize;
    let other = (node + 1 + dice.below(shape.nodes as u64 - 1) as usize) % shape.nodes;
    let noticed = Duration::from_millis(dice.pick(&[0, 0, 400, 2_000]));
    let back = Some(Duration::from_millis(dice.between(20, 2_500)));
    Some(match kind {
        0 | 1 => Action::Crash { node, loses: dice.hits(500), back },
        2 => Action::Pause { node, time, counted: true },
        3 => Action::Pause { node, time, counted: dice.hits(500) },
        4 => Action::Partition { node, time, noticed },
        5 => Action::CutPair { a: node, b: other, time, noticed },
        6 => Action::Stall { from: node, to: other, time },
        7 => {
            let storm = match dice.below(3) {
                0 => Storm::Loss(dice.between(50, 400)),
                1 => Storm::Twice(300),
                _ => Storm::Delay(dice.between(50, 800) * MS),
            };
            Action::Storm { storm, time }
        }
        8 => Action::WallClock { node, skew_ms: dice.between(0, 7_200_000).cast_signed() - 3_600_000 },
        9 => {
            let manner = Manner {
                slow: 800,
                slow_ms: dice.pick(&[50, 300]),
                fails: if shape.manner.fails > 0 { 500 } else { 0 },
                ..shape.manner
            };
            Action::Weather { manner, time }
        }
        10 => Action::Haunt { node },
        11 => Action::Cancel { node },
        13 => Action::LoseRegister,
        14 => Action::RestartBroker { time, empty: dice.hits(500) },
        15 => Action::DropSubscriber { node, time },
        _ if matches!(shape.kind, WorldKind::Mesh | WorldKind::Hub) => Action::Leave { node, back },
        _ if dice.hits(300) => Action::Leave { node, back },
        _ if dice.hits(150) => Action::Flood { node, acts: dice.pick(&[6_000, 6_000, 6_000, 70_000]) },
        _ => return None,
    })
}

/// Mostly below the time after which a silent node is ended (3 s), sometimes above.
fn draw_time(dice: &mut Dice) -> u64 {
    match dice.below(4) {
        0 => dice.between(20, 200),
        1 | 2 => dice.between(200, 1_500),
        _ => dice.between(1_500, 5_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_schedule_in_the_order_of_time() {
        for kind in WorldKind::ALL {
            let (one, other) = (draw(7, kind), draw(7, kind));
            assert_eq!(one.events, other.events);
            assert!(one.events.is_sorted_by_key(|(at, _)| *at));
            assert_ne!(one.events, draw(8, kind).events);
            assert!(one.events.iter().all(|(_, action)| action.node_max() < one.shape.nodes));
        }
    }

    #[test]
    fn some_seeds_have_cuts_and_nothing_that_may_cost_trust() {
        let is_cut = |action: &Action| matches!(action, Action::Partition { .. } | Action::CutPair { .. });
        let gentle = (1..=1_000).map(|seed| draw(seed, WorldKind::Small)).filter(Schedule::is_gentle);
        let with_cuts = gentle.filter(|schedule| schedule.events.iter().any(|(_, action)| is_cut(action)));
        assert!(with_cuts.count() >= 5);
    }
}
