//! The register on a real server: entering, renewing, ending, eras.

use bytes::Bytes;
use unstale_port::{Backplane, Entry, Listing, RegisterRequest};
use unstale_servers::{Data, Program, Redis, Sentinel, needs};

use crate::group::Group;

const REGISTER: &str = "{unstale:shop}:register";

fn entry(id: impl Into<Bytes>) -> Entry {
    Entry { id: id.into(), about: Bytes::from_static(b"about") }
}

fn has(listing: &Listing, id: &str) -> bool {
    listing.entries.iter().any(|listed| listed.entry.id == id)
}

fn has_ended(listing: &Listing, id: &str) -> bool {
    listing.ended.iter().any(|ended| ended.entry.id == id)
}

fn renewals(listing: &Listing, id: &str) -> Option<u64> {
    listing.entries.iter().find(|listed| listed.entry.id == id).map(|listed| listed.renewals)
}

/// Whether every member has a listing of which `seen` holds.
fn all(group: &Group, seen: impl Fn(&Listing) -> bool) -> bool {
    group.nodes.iter().all(|node| node.member.listing.as_ref().is_some_and(&seen))
}

#[tokio::test]
async fn entries_are_seen_by_all_and_their_renewals_rise() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    group
        .until("both entries", |group| all(group, |listing| has(listing, "node-0") && has(listing, "node-1")))
        .await;
    let before = renewals(group.nodes[0].listing(), "node-1").expect("listed");
    group
        .until("renewals", |group| {
            renewals(group.nodes[0].listing(), "node-1").is_some_and(|now| now > before + 3)
        })
        .await;
    let listed = &group.nodes[0].listing().entries;
    assert!(listed.iter().all(|listed| listed.entry.about == "about"));
    // A process that does not read renews nothing.
    group.nodes[1].is_paused = true;
    let reading = group.nodes[0].listing().reading;
    group.until("a reading", |group| group.nodes[0].listing().reading > reading + 2).await;
    let still = renewals(group.nodes[0].listing(), "node-1");
    group.until("a reading", |group| group.nodes[0].listing().reading > reading + 5).await;
    assert_eq!(renewals(group.nodes[0].listing(), "node-1"), still);
}

#[tokio::test]
async fn an_entry_that_was_retired_is_listed_as_ended_and_never_entered_again() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    group.until_linked().await;
    let end = Entry { about: Bytes::from_static(b"last words"), ..entry("node-1") };
    group.nodes[1].member.register(RegisterRequest::Retire(end.clone()));
    group.until("the end", |group| all(group, |listing| has_ended(listing, "node-1"))).await;
    let listing = group.nodes[0].listing();
    assert_eq!(listing.ended[0].entry, end);
    assert!(listing.ended[0].ago < std::time::Duration::from_secs(60));
    // Its member goes on entering, in vain; and its link is gone with its last entry.
    let reading = listing.reading;
    group.until("later readings", |group| group.nodes[0].listing().reading > reading + 5).await;
    assert!(!has(group.nodes[0].listing(), "node-1"));
    assert!(group.nodes[0].links.is_empty());
}

#[tokio::test]
async fn the_arbiter_ends_only_who_was_not_renewed_since_in_this_era() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    group.until_linked().await;
    group.nodes[1].is_paused = true;
    let reading = group.nodes[0].listing().reading;
    group.until("a reading", |group| group.nodes[0].listing().reading > reading + 2).await;
    let era = group.nodes[0].listing().era;
    let count = renewals(group.nodes[0].listing(), "node-1");
    let expel = |group: &mut Group, era, id: &'static str, renewals| {
        let entry = entry(id);
        group.nodes[0].member.register(RegisterRequest::Expel { era, entry, renewals });
    };
    expel(&mut group, era.wrapping_add(1), "node-1", count);
    expel(&mut group, era, "node-1", count.map(|count| count + 1));
    expel(&mut group, era, "node-1", None);
    expel(&mut group, era, "nobody", Some(1));
    let reading = group.nodes[0].listing().reading;
    group.until("a reading", |group| group.nodes[0].listing().reading > reading + 2).await;
    assert_eq!(*group.nodes[0].listing().ended, []);
    expel(&mut group, era, "node-1", count);
    expel(&mut group, era, "nobody", None);
    group
        .until("both ends", |group| {
            let listing = group.nodes[0].listing();
            has_ended(listing, "node-1") && has_ended(listing, "nobody") && !has(listing, "node-1")
        })
        .await;
    assert!(group.nodes[0].links.is_empty());
}

#[tokio::test]
async fn a_flushed_register_is_in_another_era_and_costs_no_links() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    group.until_linked().await;
    group.nodes[0].member.register(RegisterRequest::Retire(entry("somebody")));
    group.until("an end", |group| all(group, |listing| has_ended(listing, "somebody"))).await;
    let era = group.nodes[0].listing().era;
    redis.command(&["FLUSHALL"]).await.expect("flushed");
    group
        .until("another era", |group| {
            all(group, |listing| listing.era != era && has(listing, "node-0") && has(listing, "node-1"))
        })
        .await;
    let [first, second] = [0, 1].map(|index| group.nodes[index].listing());
    assert_eq!(first.era, second.era);
    assert_eq!(*first.ended, []);
    assert_eq!(group.downs(), 0);
}

#[tokio::test]
async fn a_register_that_was_read_back_from_disk_is_not_relied_on() {
    needs!(Program::RedisServer);
    let mut redis = Redis::options().append_only().start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    group.until_linked().await;
    group.nodes[0].member.register(RegisterRequest::Retire(entry("somebody")));
    group.until("an end", |group| all(group, |listing| has_ended(listing, "somebody"))).await;
    let era = group.nodes[0].listing().era;
    redis.restart(Data::Kept).await.expect("it starts again");
    assert_eq!(redis.command(&["EXISTS", REGISTER]).await.expect("an answer").number(), Some(1));
    group
        .until("another era", |group| all(group, |listing| listing.era != era && has(listing, "node-1")))
        .await;
    assert_eq!(*group.nodes[0].listing().ended, []);
}

#[tokio::test]
async fn a_replica_that_took_over_has_another_era() {
    needs!(Program::RedisServer);
    let mut master = Redis::start().await.expect("it starts");
    let replica = Redis::options().replica_of(&master).start().await.expect("it starts");
    replica.until_info("master_link_status", "up").await.expect("it follows");
    let sentinel = Sentinel::watch("shop", &master, 1).await.expect("it watches");
    let mut group = Group::of(&format!("redis+sentinel://{}/shop", sentinel.address()), 2);
    group.until_linked().await;
    let era = group.nodes[0].listing().era;
    master.kill();
    group
        .until("another era", |group| all(group, |listing| listing.era != era && has(listing, "node-0")))
        .await;
    assert_eq!(sentinel.master_port().await.expect("it knows"), replica.port());
    group.until_linked().await;
    group.tell_all(0, "over the new master").await;
}

#[tokio::test]
async fn a_master_that_was_a_replica_for_a_while_has_another_era() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let other = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 1);
    group.until("a listing", |group| all(group, |listing| has(listing, "node-0"))).await;
    let era = group.nodes[0].listing().era;
    redis.command(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]).await.expect("demoted");
    redis.command(&["REPLICAOF", "NO", "ONE"]).await.expect("promoted");
    group
        .until("another era", |group| all(group, |listing| listing.era != era && has(listing, "node-0")))
        .await;
}

#[tokio::test]
async fn ends_are_kept_for_ten_minutes_and_no_more_than_4_096() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 1);
    group.until("a listing", |group| all(group, |listing| has(listing, "node-0"))).await;
    for number in 0..Listing::ENDED_MAX + 10 {
        group.nodes[0].member.register(RegisterRequest::Retire(entry(format!("gone-{number}"))));
        if number % 1_000 == 0 {
            let reading = group.nodes[0].listing().reading;
            group.until("a reading", |group| group.nodes[0].listing().reading > reading + 1).await;
        }
    }
    let last = format!("gone-{}", Listing::ENDED_MAX + 9);
    group.until("the last end", |group| all(group, |listing| has_ended(listing, &last))).await;
    let ended = &group.nodes[0].listing().ended;
    assert_eq!(ended.len(), Listing::ENDED_MAX);
    assert_eq!(ended[0].entry.id, "gone-10", "the oldest go first");
    // The two oldest are made older than an end is kept.
    let now = redis.command(&["TIME"]).await.expect("an answer");
    let now: u64 = now.list()[0].text().and_then(|seconds| seconds.parse().ok()).expect("seconds");
    let old = ((now - 661) * 1_000).to_string();
    for field in ["t:11", "t:12", "oldest"] {
        redis.command(&["HSET", REGISTER, field, &old]).await.expect("set");
    }
    group
        .until("two fewer", |group| all(group, |listing| listing.ended.len() == Listing::ENDED_MAX - 2))
        .await;
    assert_eq!(group.nodes[0].listing().ended[0].entry.id, "gone-12");
}

#[tokio::test]
async fn a_full_register_takes_nobody_more_and_says_so() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 1);
    group.until("a listing", |group| all(group, |listing| has(listing, "node-0"))).await;
    for number in 0..1_024 {
        group.nodes[0].member.register(RegisterRequest::Enter(entry(format!("one-of-many-{number}"))));
    }
    group.until("the refusal", |group| group.nodes[0].has_note("redis-refused")).await;
    group.until("all that had room", |group| all(group, |listing| listing.entries.len() == 1_024)).await;
    assert_eq!(group.nodes[0].notes[0].1, "FULL the register has 1024 entries");
}

#[tokio::test]
async fn a_register_that_nobody_wrote_this_way_is_no_listing() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 1);
    group.until("a listing", |group| all(group, |listing| has(listing, "node-0"))).await;
    redis.command(&["HSET", REGISTER, "a:1", "garbage", "version", "77"]).await.expect("set");
    group.until("the note", |group| group.nodes[0].has_note("register-strange")).await;
    redis.command(&["SET", REGISTER, "no hash at all"]).await.expect("set");
    group.until("the refusal", |group| group.nodes[0].has_note("redis-refused")).await;
    redis.command(&["DEL", REGISTER]).await.expect("deleted");
    let reading = group.nodes[0].listing().reading;
    group.until("listings again", |group| group.nodes[0].listing().reading > reading).await;
}
