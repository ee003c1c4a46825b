use bytes::Bytes;

use super::*;

fn users() -> Name {
    Name::new("users").unwrap()
}

fn key(key: &'static str) -> Subject {
    Subject::Key { cache: users(), key: key.into() }
}

fn tag(cache: Option<Name>, tag: &'static str) -> Subject {
    Subject::Tag { cache, tag: tag.into() }
}

fn filter(subjects: &[Subject]) -> SuspectFilter {
    let mut filter = SuspectFilter::default();
    filter.add(&subjects.iter().map(DigestRow::of).collect::<Vec<_>>());
    filter
}

#[test]
fn subject_hashes_are_the_published_ones() {
    // These values are part of the protocol: they may never change. streams P-19
    assert_eq!(subject_hash(&key("42")), 0xd81a_2184_86e0_b87f);
    assert_eq!(subject_hash(&tag(Some(users()), "vip")), 0xfe4f_9bc8_d704_f215);
    assert_eq!(subject_hash(&tag(None, "vip")), 0xe656_38fe_0acb_6617);
    assert_eq!(subject_hash(&Subject::Cache { cache: users() }), 0x22b6_2dd8_e315_5ed0);
    assert_eq!(subject_hash(&Subject::All), 0x4cf9_0c86_7d98_4a54);
}

#[test]
fn a_key_longer_than_the_buffer_hashes_as_any_other() {
    let long = Subject::Key { cache: users(), key: Bytes::from(vec![b'k'; 300]) };
    assert_eq!(subject_hash(&long), 0x21ef_a1b0_3c66_ff2f);
}

#[test]
fn a_name_and_a_key_do_not_run_into_each_other() {
    let hash = |cache: &'static str, key: &'static str| key_hash(&Name::new(cache).unwrap(), key.as_bytes());
    assert_ne!(hash("ab", "c"), hash("a", "bc"));
}

#[test]
fn a_filter_holds_what_was_added_and_nothing_else_by_kind() {
    let filter = filter(&[key("1"), tag(Some(users()), "vip")]);
    assert!(filter.holds_key(&users(), b"1"));
    assert!(!filter.holds_key(&users(), b"2"));
    assert!(!filter.holds_key(&Name::new("orders").unwrap(), b"1"));
    assert!(filter.holds_tag(&users(), b"vip"));
    assert!(!filter.holds_tag(&users(), b"1"));
    assert!(!filter.holds_key(&users(), b"vip"));
    assert!(!filter.holds_cache(&users()));
}

#[test]
fn a_tag_of_the_node_touches_entries_of_every_cache() {
    let filter = filter(&[tag(None, "vip")]);
    assert!(filter.holds_tag(&users(), b"vip"));
    assert!(filter.holds_tag(&Name::new("orders").unwrap(), b"vip"));
}

#[test]
fn a_tag_of_one_cache_touches_no_other_cache() {
    let filter = filter(&[tag(Some(users()), "vip")]);
    assert!(!filter.holds_tag(&Name::new("orders").unwrap(), b"vip"));
}

#[test]
fn a_row_for_everything_puts_everything_in() {
    let filter = filter(&[Subject::All]);
    assert!(filter.holds_everything());
    assert!(filter.holds_key(&users(), b"any"));
    assert!(filter.holds_tag(&users(), b"any"));
    assert!(filter.holds_cache(&users()));
}

#[test]
fn beyond_its_bound_a_filter_holds_everything_and_no_hashes() {
    // streams section 2, suspect filter
    let row = |hash| DigestRow { kind: SubjectKind::Key, hash };
    let rows: Vec<_> = (0..SuspectFilter::HASHES_MAX as u64).map(row).collect();
    let mut filter = SuspectFilter::default();
    filter.add(&rows);
    filter.add(&rows[..1]);
    assert!(!filter.holds_everything());
    assert_eq!(filter.hashes(), SuspectFilter::HASHES_MAX);
    filter.add(&[row(u64::MAX)]);
    assert!(filter.holds_everything());
    assert_eq!(filter.hashes(), 0);
}

#[test]
fn merged_filters_hold_what_either_held() {
    let mut both = filter(&[key("1")]);
    both.merge(&filter(&[key("2"), Subject::Cache { cache: users() }]));
    assert!(both.holds_key(&users(), b"1") && both.holds_key(&users(), b"2") && both.holds_cache(&users()));
    both.merge(&filter(&[Subject::All]));
    assert!(both.holds_everything());
}

#[test]
fn the_hashes_of_a_filter_are_listed_sorted_and_each_once() {
    let filter = filter(&[key("1"), key("2"), key("1"), tag(None, "vip")]);
    let mut keys = [subject_hash(&key("1")), subject_hash(&key("2"))];
    keys.sort_unstable();
    assert_eq!((filter.keys(), filter.tags()), (&keys[..], &[subject_hash(&tag(None, "vip"))][..]));
}

#[test]
fn an_empty_filter_holds_nothing() {
    let filter = SuspectFilter::default();
    assert!(filter.is_empty());
    assert!(!filter.holds_key(&users(), b"1"));
}

#[test]
fn the_hasher_of_a_caches_keys_agrees_with_the_hash_of_any_key() {
    let bytes: Vec<u8> = (0..100_u8).map(|byte| byte.wrapping_mul(151)).collect();
    for name in (1..=70).chain([255]) {
        let cache = Name::new("n".repeat(name)).unwrap();
        let hasher = KeyHasher::new(&cache);
        for len in 0..=bytes.len() {
            let subject = Subject::Key { cache: cache.clone(), key: Bytes::copy_from_slice(&bytes[..len]) };
            assert_eq!(hasher.hash(&bytes[..len]), subject_hash(&subject), "{name} and {len} bytes");
        }
    }
}
