//! Cuts, lost registers and dropped subscribers of a broker.

use std::task::Waker;

use super::*;
use crate::{Entry, ManualTimer};

fn entry(id: &'static str) -> Entry {
    Entry { id: id.into(), about: id.into() }
}

/// All events that are there now, in words.
fn events(node: &mut BrokerBackplane) -> Vec<String> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut words = Vec::new();
    while let Poll::Ready(event) = node.poll_event(&mut cx) {
        words.push(match event {
            Event::Up { link, remote } => format!("up {} {}", link.0, remote.label),
            Event::UpCommon { link } => format!("common {}", link.0),
            Event::Writable { link } => format!("writable {}", link.0),
            Event::Received { link, frame } => format!("received {} {frame:?}", link.0),
            Event::Down { link, reason } => format!("down {} {reason}", link.0),
            Event::Listed(listing) => {
                let rows: Vec<_> = listing
                    .entries
                    .iter()
                    .map(|row| format!("{:?}x{}", row.entry.about, row.renewals))
                    .collect();
                let ended: Vec<_> =
                    listing.ended.iter().map(|row| format!("{:?}", row.entry.about)).collect();
                format!(
                    "listed {} era {} {} ended {}",
                    listing.reading,
                    listing.era,
                    rows.join(" "),
                    ended.join(" ")
                )
            }
            Event::Recognised { .. } | Event::Note { .. } => panic!("a broker says nothing of the kind"),
        });
    }
    words.sort_unstable();
    words
}

fn two() -> (Broker, BrokerBackplane, BrokerBackplane) {
    let timer: Arc<dyn Timer> = Arc::new(ManualTimer::new());
    let broker = Broker::with(BrokerOptions { timer, queue_frames: 2, ..BrokerOptions::default() });
    let (mut a, mut b) = (broker.join("a"), broker.join("b"));
    assert_eq!(events(&mut a), ["common 1", "writable 1"]);
    assert_eq!(events(&mut b), ["common 2", "writable 2"]);
    a.register(RegisterRequest::Enter(entry("a")));
    assert_eq!(events(&mut a), [""; 0], "nobody else is listed");
    b.register(RegisterRequest::Enter(entry("b")));
    assert_eq!(events(&mut a), ["up 4 b", "writable 4"]);
    assert_eq!(events(&mut b), ["up 3 a", "writable 3"]);
    (broker, a, b)
}

#[test]
fn a_lost_register_is_in_another_era_and_empty_and_costs_no_link() {
    let (broker, mut a, mut b) = two();
    broker.lose_register();
    a.register(RegisterRequest::Read { reading: 1 });
    assert_eq!(events(&mut a), ["listed 1 era 2  ended "]);
    a.register(RegisterRequest::Enter(entry("a")));
    a.register(RegisterRequest::Read { reading: 2 });
    assert_eq!(events(&mut a), ["listed 2 era 2 b\"a\"x1 ended "]);
    assert_eq!(events(&mut b), [""; 0]);
}

#[test]
fn an_entry_that_ended_takes_its_links_and_a_new_one_brings_them_back() {
    let (_broker, mut a, mut b) = two();
    b.register(RegisterRequest::Expel { era: 1, entry: entry("a"), renewals: Some(0) });
    assert_eq!(events(&mut a), ["down 4 ended"]);
    assert_eq!(events(&mut b), ["down 3 ended"]);
    a.register(RegisterRequest::Enter(entry("a")));
    assert_eq!(events(&mut a), [""; 0], "it has ended");
    a.register(RegisterRequest::Enter(entry("a2")));
    assert_eq!(events(&mut b).len(), 2, "a link that is up and writable");
}

#[test]
fn a_process_that_is_cut_off_reaches_neither_peers_nor_the_register() {
    let (broker, mut a, mut b) = two();
    broker.cut("a");
    assert_eq!(events(&mut a), ["down 1 cut", "down 4 cut"]);
    a.register(RegisterRequest::Read { reading: 1 });
    assert_eq!(events(&mut a), [""; 0]);
    b.send(LinkId(2), "lost".into()).expect("it is writable");
    broker.heal("a");
    assert_eq!(events(&mut a).len(), 4, "the common link and the one to the other are up and writable");
    b.register(RegisterRequest::Read { reading: 1 });
    assert!(events(&mut b).contains(&"listed 1 era 1 b\"a\"x0 b\"b\"x1 ended ".to_owned()));
}

#[test]
fn a_subscriber_that_does_not_read_loses_frames_and_holds_up_nobody() {
    let (broker, mut a, mut b) = two();
    for _ in 0..5 {
        a.send(LinkId(1), "many".into()).expect("it is writable");
        assert_eq!(events(&mut a), ["writable 1"]);
    }
    assert_eq!(events(&mut b), ["received 2 b\"many\"", "received 2 b\"many\""]);
    broker.drop_subscriber("b");
    assert_eq!(events(&mut b), ["common 5", "down 2 dropped by the broker", "writable 5"]);
}
