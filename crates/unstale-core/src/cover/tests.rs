use super::*;
use crate::size::Size;

const ROOM: Size = Size { bytes: 1 << 20, acts: 4_096 };

fn name(name: &str) -> Name {
    Name::new(name.to_owned()).unwrap()
}

fn key(verb: Verb, cache: &str, key: &str) -> Act {
    Act { verb, subject: Subject::Key { cache: name(cache), key: key.to_owned().into() } }
}

fn tag(verb: Verb, cache: Option<&str>, tag: &str) -> Act {
    Act { verb, subject: Subject::Tag { cache: cache.map(name), tag: tag.to_owned().into() } }
}

fn whole(verb: Verb, cache: &str) -> Act {
    Act { verb, subject: Subject::Cache { cache: name(cache) } }
}

fn all(verb: Verb) -> Act {
    Act { verb, subject: Subject::All }
}

fn at_most(acts: usize) -> Size {
    Size { acts, ..ROOM }
}

/// The acts sorted: their order says nothing.
fn cover<'a>(acts: impl IntoIterator<Item = &'a Act>, bound: Size) -> Vec<Act> {
    let mut acts = super::cover(acts, bound);
    acts.sort_by_key(|act| (Reverse(matches!(act.subject, Subject::Cache { .. })), act.subject.clone()));
    acts
}

#[test]
fn each_subject_is_named_once_with_the_verb_that_includes_all() {
    let acts = [
        key(Verb::Set, "a", "1"),
        key(Verb::Remove, "a", "1"),
        key(Verb::Expire, "a", "1"),
        key(Verb::Set, "a", "2"),
        key(Verb::Set, "a", "2"),
    ];
    assert_eq!(cover(&acts, ROOM), [key(Verb::Remove, "a", "1"), key(Verb::Set, "a", "2")]);
}

#[test]
fn what_a_wider_act_includes_is_not_named() {
    let acts = [
        whole(Verb::Expire, "a"),
        key(Verb::Set, "a", "1"),
        tag(Verb::Expire, Some("a"), "t"),
        key(Verb::Remove, "a", "2"),
        key(Verb::Set, "b", "1"),
    ];
    let kept = [whole(Verb::Expire, "a"), key(Verb::Remove, "a", "2"), key(Verb::Set, "b", "1")];
    assert_eq!(cover(&acts, ROOM), kept);
}

#[test]
fn the_cache_that_weighs_most_is_widened_first_and_the_others_stay_exact() {
    let mut acts: Vec<_> = (0..10).map(|n| key(Verb::Set, "big", &n.to_string())).collect();
    acts.push(key(Verb::Set, "small", "1"));
    assert_eq!(cover(&acts, at_most(5)), [whole(Verb::Expire, "big"), key(Verb::Set, "small", "1")]);
}

#[test]
fn a_few_removals_stay_exact_when_the_many_sets_beside_them_become_their_cache() {
    // Else fail-safe would lose a cache for the sake of one key.
    let mut acts: Vec<_> = (0..10).map(|n| key(Verb::Set, "a", &n.to_string())).collect();
    acts.push(key(Verb::Remove, "a", "x"));
    assert_eq!(cover(&acts, at_most(5)), [whole(Verb::Expire, "a"), key(Verb::Remove, "a", "x")]);
}

#[test]
fn many_removals_end_their_cache_and_that_includes_its_sets() {
    let mut acts: Vec<_> = (0..10).map(|n| key(Verb::Remove, "a", &n.to_string())).collect();
    acts.extend((0..3).map(|n| key(Verb::Set, "a", &format!("s{n}"))));
    acts.push(key(Verb::Set, "b", "1"));
    assert_eq!(cover(&acts, at_most(3)), [whole(Verb::Remove, "a"), key(Verb::Set, "b", "1")]);
}

#[test]
fn tags_of_a_cache_become_the_cache_and_tags_of_the_node_everything() {
    let of_cache = [tag(Verb::Expire, Some("a"), "1"), tag(Verb::Expire, Some("a"), "2")];
    assert_eq!(cover(&of_cache, at_most(1)), [whole(Verb::Expire, "a")]);
    let of_node = [tag(Verb::Expire, None, "1"), tag(Verb::Expire, None, "2")];
    assert_eq!(cover(&of_node, at_most(1)), [all(Verb::Expire)]);
}

#[test]
fn too_many_caches_become_everything_with_the_strongest_verb() {
    let acts = [whole(Verb::Expire, "a"), whole(Verb::Remove, "b"), key(Verb::Set, "c", "1")];
    assert_eq!(cover(&acts, at_most(1)), [all(Verb::Remove)]);
}

#[test]
fn the_bound_in_bytes_counts_as_well() {
    let acts = [key(Verb::Set, "a", &"k".repeat(1_000)), key(Verb::Set, "b", "1")];
    let bound = Size { bytes: 100, acts: 10 };
    assert_eq!(cover(&acts, bound), [whole(Verb::Expire, "a"), key(Verb::Set, "b", "1")]);
}

#[test]
fn nothing_is_covered_by_nothing() {
    assert_eq!(cover(&[], at_most(0)), []);
}

#[test]
fn an_act_includes_the_weaker_and_the_narrower_only() {
    let expire = key(Verb::Expire, "a", "1");
    assert!(expire.includes(&key(Verb::Set, "a", "1")));
    assert!(key(Verb::Set, "a", "1").includes(&expire), "elsewhere a set acts as an expire");
    assert!(!expire.includes(&key(Verb::Remove, "a", "1")));
    assert!(!expire.includes(&key(Verb::Expire, "a", "2")));
    assert!(!expire.includes(&key(Verb::Expire, "b", "1")));
    assert!(!whole(Verb::Remove, "a").includes(&key(Verb::Set, "b", "1")));
    assert!(!whole(Verb::Remove, "a").includes(&tag(Verb::Set, None, "t")));
    assert!(tag(Verb::Expire, None, "t").includes(&tag(Verb::Expire, Some("a"), "t")));
    assert!(!tag(Verb::Expire, Some("a"), "t").includes(&tag(Verb::Expire, None, "t")));
    assert!(all(Verb::Remove).includes(&all(Verb::Expire)));
    assert!(!all(Verb::Expire).includes(&whole(Verb::Remove, "a")));
}
