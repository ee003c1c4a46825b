//! The promises of a backplane with a register and a common link, each as a function over a fixture.

use std::future::Future;

use unstale_port::{Backplane, Entry, Listing, RegisterRequest};

use crate::BackplaneFixture;
use crate::network::Network;

/// Makes backplanes of one broker. What is entered and read is the suite's own affair.
pub trait RegisterFixture: BackplaneFixture {
    /// Makes the broker lose its register: all entries and ends.
    fn lose_register(&mut self) -> impl Future<Output = ()>;
}

fn renewals(listing: &Listing, entry: &Entry) -> Option<u64> {
    listing.entries.iter().find(|listed| listed.entry == *entry).map(|listed| listed.renewals)
}

fn has_ended(listing: &Listing, entry: &Entry) -> bool {
    listing.ended.iter().any(|ended| ended.entry.id == entry.id)
}

async fn two<F: RegisterFixture>(fixture: &mut F) -> (Network<F::Backplane>, Entry, Entry) {
    let mut network = Network::new(fixture.start(2).await);
    network.until_listed().await;
    let (a, b) = (network.nodes[0].entry(), network.nodes[1].entry());
    (network, a, b)
}

/// Every reading lists all entries as they were written, and raises the renewals of its own process's entry by one, no other's.
pub async fn a_reading_lists_all_and_renews_its_own<F: RegisterFixture>(fixture: &mut F) {
    let (mut network, a, b) = two(fixture).await;
    let first = network.listing(0).await;
    let second = network.listing(0).await;
    assert_eq!(first.era, second.era);
    assert_eq!(renewals(&second, &a), renewals(&first, &a).map(|count| count + 1));
    let theirs = renewals(&second, &b);
    assert!(theirs.is_some() && theirs == renewals(&first, &b), "{theirs:?}");
    let third = network.listing(1).await;
    assert_eq!(renewals(&third, &b), theirs.map(|count| count + 1));
}

/// Requests take effect in the order in which they were asked, also when nobody waits in between.
pub async fn requests_are_carried_out_in_order<F: RegisterFixture>(fixture: &mut F) {
    let (mut network, a, _) = two(fixture).await;
    let next = Entry { id: "next".into(), about: "of a".into() };
    let backplane = network.nodes[0].backplane();
    backplane.register(RegisterRequest::Retire(a.clone()));
    backplane.register(RegisterRequest::Enter(next.clone()));
    let listing = network.listing(0).await;
    assert_eq!((renewals(&listing, &a), renewals(&listing, &next)), (None, Some(1)));
    assert!(has_ended(&listing, &a));
}

/// What was retired is listed as ended, with what was said at its end, and is not entered again.
pub async fn an_entry_that_ended_stays_so<F: RegisterFixture>(fixture: &mut F) {
    let (mut network, a, _) = two(fixture).await;
    let last = Entry { about: "its last word".into(), ..a.clone() };
    network.nodes[0].backplane().register(RegisterRequest::Retire(last.clone()));
    network.nodes[0].backplane().register(RegisterRequest::Enter(a.clone()));
    network.nodes[0].backplane().register(RegisterRequest::Retire(a.clone()));
    for at in [0, 1] {
        let listing = network.listing(at).await;
        assert_eq!(renewals(&listing, &a), None);
        let ends: Vec<_> = listing.ended.iter().filter(|ended| ended.entry.id == a.id).collect();
        assert_eq!(ends.len(), 1);
        assert_eq!(ends[0].entry, last, "the first end counts");
    }
}

/// The arbiter ends an entry if the era and the count are those named, and not otherwise.
pub async fn the_arbiter_ends_only_what_has_not_changed<F: RegisterFixture>(fixture: &mut F) {
    let (mut network, a, b) = two(fixture).await;
    let found = network.listing(0).await;
    let count = renewals(&found, &b);
    network.listing(1).await;
    let renewed = count.map(|count| count + 1);
    let wrong = [(found.era, count), (found.era, None), (found.era.wrapping_add(1), renewed)];
    for (era, renewals) in wrong {
        let expel = RegisterRequest::Expel { era, entry: b.clone(), renewals };
        network.nodes[0].backplane().register(expel);
    }
    assert_eq!(renewals(&network.listing(0).await, &b), renewed);
    let expel = RegisterRequest::Expel { era: found.era, entry: b.clone(), renewals: renewed };
    network.nodes[0].backplane().register(expel);
    // The first reading is behind the request; the other node's could be ahead of it.
    for at in [0, 1] {
        let listing = network.listing(at).await;
        assert!(has_ended(&listing, &b) && renewals(&listing, &b).is_none());
        assert!(renewals(&listing, &a).is_some());
    }
}

/// What is not listed can be ended, too, unless it came meanwhile.
pub async fn what_is_not_listed_can_be_ended<F: RegisterFixture>(fixture: &mut F) {
    let (mut network, ..) = two(fixture).await;
    let era = network.listing(0).await.era;
    let absent = Entry { id: "absent".into(), about: "never seen".into() };
    let expel = RegisterRequest::Expel { era, entry: absent.clone(), renewals: None };
    network.nodes[0].backplane().register(expel);
    network.nodes[1].backplane().register(RegisterRequest::Enter(absent.clone()));
    // Each reading is behind its own node's request only: the second is the first that is behind both.
    network.listing(0).await;
    let by_other = network.listing(1).await;
    let by_first = network.listing(0).await;
    // Whichever came first: it ended and was not entered, or it was entered and did not end.
    let outcomes = [by_other, by_first]
        .map(|listing| (has_ended(&listing, &absent), renewals(&listing, &absent).is_some()));
    assert!([[(true, false); 2], [(false, true); 2]].contains(&outcomes), "ended, listed: {outcomes:?}");
    // Of another one nobody says that it came.
    let nobody = Entry { id: "nobody".into(), ..absent };
    let expel = RegisterRequest::Expel { era, entry: nobody.clone(), renewals: None };
    network.nodes[0].backplane().register(expel);
    let listing = network.listing(0).await;
    assert!(has_ended(&listing, &nobody), "what is not listed has not ended: {listing:?}");
    assert_eq!(renewals(&listing, &nobody), None);
}

/// A register that was lost is in an era that never was, lists nobody until somebody enters again, and costs no link. Nobody is
/// ended by what was said of an earlier era, and who had ended in one may enter.
pub async fn a_lost_register_is_in_another_era<F: RegisterFixture>(fixture: &mut F) {
    let (mut network, a, _) = two(fixture).await;
    network.until_connected().await;
    let gone = Entry { id: "gone".into(), about: "ended before".into() };
    network.nodes[1].backplane().register(RegisterRequest::Retire(gone.clone()));
    let before = network.listing(1).await;
    assert!(has_ended(&before, &gone));
    let downs = |network: &Network<F::Backplane>| [0, 1].map(|at| network.nodes[at].downs.len());
    let (downs_before, mut eras) = (downs(&network), vec![before.era]);
    for _ in 0..2 {
        fixture.lose_register().await;
        let after = network.listing(0).await;
        assert!(!eras.contains(&after.era), "era {} after {eras:?}", after.era);
        assert_eq!(
            (after.entries.len(), after.ended.len()),
            (0, 0),
            "entries are not written again by themselves"
        );
        let backplane = network.nodes[0].backplane();
        backplane.register(RegisterRequest::Enter(gone.clone()));
        backplane.register(RegisterRequest::Enter(a.clone()));
        for renewals in [None, Some(0)] {
            let last = eras.last().copied().unwrap_or_default();
            let expel = RegisterRequest::Expel { era: last, entry: a.clone(), renewals };
            network.nodes[0].backplane().register(expel);
        }
        let again = network.listing(0).await;
        assert_eq!((again.era, renewals(&again, &a)), (after.era, Some(1)), "its end was of an earlier era");
        assert!(renewals(&again, &gone).is_some() && again.ended.is_empty(), "{again:?}");
        eras.push(after.era);
    }
    assert_eq!(downs(&network), downs_before, "links are no part of the register");
}
