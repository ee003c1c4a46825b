use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::{prop_assert, prop_assert_eq, proptest};
use unstale_core::{DigestRow, KeyHasher, Name, Subject, SuspectFilter, key_hash, subject_hash, tag_hash};

use crate::history::{act, cache};

/// Whether a node that distrusts what is in the filter distrusts all that the subject may have touched.
pub(crate) fn is_suspect(filter: &SuspectFilter, subject: &Subject) -> bool {
    match subject {
        Subject::Key { cache, key } => filter.holds_cache(cache) || filter.holds_key(cache, key),
        Subject::Tag { cache: Some(cache), tag } => filter.holds_cache(cache) || filter.holds_tag(cache, tag),
        // It touches entries of any cache, also of one that is not known here.
        Subject::Tag { cache: None, tag } => filter.holds_tag(&Name::new("another").expect("a name"), tag),
        Subject::Cache { cache } => filter.holds_cache(cache),
        Subject::All => filter.holds_everything(),
    }
}

proptest! {
    /// P-19.
    #[test]
    fn a_filter_holds_whatever_was_added_in_however_many_parts(parts in vec(vec(act(), 0..20), 0..5)) {
        let mut filter = SuspectFilter::default();
        for part in &parts {
            let mut digest = SuspectFilter::default();
            digest.add(&part.iter().map(|act| DigestRow::of(&act.subject)).collect::<Vec<_>>());
            filter.merge(&digest);
        }
        for act in parts.iter().flatten() {
            prop_assert!(is_suspect(&filter, &act.subject), "{act:?}");
        }
    }

    #[test]
    fn a_filter_holds_no_key_that_nothing_in_it_names(touched in vec(0..200_u32, 0..40), cache in cache()) {
        let key = |n: &u32| Subject::Key { cache: cache.clone(), key: n.to_string().into() };
        let mut filter = SuspectFilter::default();
        filter.add(&touched.iter().map(|n| DigestRow::of(&key(n))).collect::<Vec<_>>());
        let touched: BTreeSet<_> = touched.into_iter().collect();
        for n in 0..200 {
            prop_assert_eq!(filter.holds_key(&cache, n.to_string().as_bytes()), touched.contains(&n));
        }
        prop_assert_eq!(filter.hashes(), touched.len());
    }

    #[test]
    fn subjects_that_differ_hash_differently(acts in vec(act(), 0..60)) {
        let subjects: BTreeSet<_> = acts.into_iter().map(|act| act.subject).collect();
        let hashes: BTreeSet<_> = subjects.iter().map(subject_hash).collect();
        prop_assert_eq!(subjects.len(), hashes.len());
    }

    #[test]
    fn a_key_or_tag_hashes_alike_with_and_without_its_subject(cache in cache(), bytes in vec(0..=255_u8, 0..600)) {
        let key = Subject::Key { cache: cache.clone(), key: bytes.clone().into() };
        prop_assert_eq!(key_hash(&cache, &bytes), subject_hash(&key));
        prop_assert_eq!(KeyHasher::new(&cache).hash(&bytes), subject_hash(&key));
        for of in [None, Some(cache)] {
            let tag = Subject::Tag { cache: of.clone(), tag: bytes.clone().into() };
            prop_assert_eq!(tag_hash(of.as_ref(), &bytes), subject_hash(&tag));
        }
    }
}
