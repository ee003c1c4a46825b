//! Cuts, holds and labels of a hub.

use std::task::Waker;

use super::*;
use crate::ManualTimer;

/// All events that are there now, in words; frames that come in are noted, writable links are noted and used by nobody.
fn events(node: &mut MemoryBackplane) -> Vec<String> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut words = Vec::new();
    while let Poll::Ready(event) = node.poll_event(&mut cx) {
        words.push(match event {
            Event::Up { link, remote } => {
                format!("up {} {} {}", link.0, remote.label, remote.dialled.map_or("heard", |_| "dialled"))
            }
            Event::Writable { link } => format!("writable {}", link.0),
            Event::Received { link, frame } => format!("received {} {frame:?}", link.0),
            Event::Down { link, reason } => format!("down {} {reason}", link.0),
            Event::Recognised { link, dialled } => format!("recognised {} {dialled}", link.0),
            Event::Note { what, .. } => format!("note {what}"),
            Event::UpCommon { .. } | Event::Listed(_) => {
                panic!("a hub has neither a common link nor a register")
            }
        });
    }
    words
}

fn two(options: HubOptions) -> (Hub, MemoryBackplane, MemoryBackplane) {
    let hub = Hub::with(options);
    let (mut a, mut b) = (hub.join("a"), hub.join("b"));
    assert_eq!(events(&mut a), ["up 2 b heard", "writable 2"]);
    assert_eq!(events(&mut b), ["up 1 a dialled", "writable 1"]);
    (hub, a, b)
}

#[test]
fn a_cut_loses_what_is_under_way_and_lasts_until_it_is_healed() {
    let (hub, mut a, mut b) = two(HubOptions::default());
    a.send(LinkId(2), "lost".into()).expect("it is writable");
    hub.cut("b", "a");
    assert_eq!(events(&mut a), ["down 2 cut"]);
    assert_eq!(events(&mut b), ["down 1 cut"]);
    hub.heal("a", "b");
    assert_eq!(events(&mut a), ["up 4 b heard", "writable 4"]);
    assert_eq!(events(&mut b), ["up 3 a dialled", "writable 3"]);
}

#[test]
fn a_held_direction_fills_up_and_the_other_one_goes_on() {
    let (hub, mut a, mut b) = two(HubOptions { queue_frames: 2, ..HubOptions::default() });
    hub.hold("a", "b");
    a.send(LinkId(2), "one".into()).expect("it is writable");
    assert_eq!(events(&mut a), ["writable 2"]);
    a.send(LinkId(2), "two".into()).expect("it is writable");
    b.send(LinkId(1), "back".into()).expect("it is writable");
    assert_eq!(events(&mut b), ["writable 1"], "what is held does not arrive");
    assert_eq!(events(&mut a), ["received 2 b\"back\""], "a full link is not writable");
    hub.release("a", "b");
    assert_eq!(events(&mut b), ["received 1 b\"one\"", "received 1 b\"two\""]);
    assert_eq!(events(&mut a), ["writable 2"]);
}

#[test]
fn a_closed_link_is_dialled_again_by_the_later_joiner_after_its_time() {
    let timer = ManualTimer::new();
    let redial_after = Duration::from_millis(50);
    let (_hub, mut a, mut b) =
        two(HubOptions { redial_after, timer: Arc::new(timer.clone()), ..HubOptions::default() });
    a.close(LinkId(2));
    assert_eq!(events(&mut a), ["down 2 closed here"]);
    assert_eq!(events(&mut b), ["down 1 closed by the peer"]);
    timer.advance(Duration::from_millis(49));
    assert_eq!(events(&mut b), [""; 0]);
    timer.advance(Duration::from_millis(1));
    assert_eq!(events(&mut b), ["up 3 a dialled", "writable 3"]);
}

#[test]
fn two_lives_of_one_label_are_two_nodes() {
    let (hub, mut a, b) = two(HubOptions::default());
    let mut again = hub.join("b");
    assert_eq!(events(&mut a), ["up 4 b heard", "writable 4"]);
    assert_eq!(events(&mut again).len(), 4, "linked with both");
    drop(b);
    assert_eq!(events(&mut a), ["down 2 closed by the peer"]);
    hub.cut("a", "b");
    assert_eq!(events(&mut a), ["down 4 cut"]);
}

#[test]
fn a_node_that_does_not_look_keeps_no_trace_of_links_that_came_and_went() {
    let (hub, mut a, _b) = two(HubOptions::default());
    for _ in 0..1_000 {
        drop(hub.join("passing"));
    }
    assert_eq!(events(&mut a), [""; 0]);
}

#[test]
fn the_fixed_list_names_everyone_but_the_node_itself() {
    let hub = Hub::fixed(["a", "b", "c"]);
    let peer = |label: &str| Peer { name: Some(label.to_owned()), address: label.to_owned() };
    assert_eq!(hub.join("b").properties().peers, Peers::Fixed(vec![peer("a"), peer("c")]));
    assert_eq!(Hub::new().join("b").properties().peers, Peers::Elastic);
}
