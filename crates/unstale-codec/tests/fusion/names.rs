//! Names of channels, keys, marks and locks.

use unstale_codec::fusion::{InternalStrings, KeyModifier, Names, Subject};

/// How the nodes of a captured case were configured.
pub(crate) fn names_of_case(case: &str) -> Names {
    let names = Names::new("FusionCache");
    match case {
        "key prefix" => Names { key_prefix: "shop:".into(), ..names },
        "cache name" => Names::new("Products"),
        "channel prefix" => Names { channel_prefix: "prod-eu".into(), ..names },
        "safe strings" => Names { strings: InternalStrings::safe('-', '_'), ..names },
        "key prefix and instance name" => {
            Names { key_prefix: "shop:".into(), instance_name: "app1:".into(), ..names }
        }
        "key modifier suffix" => Names { modifier: KeyModifier::Suffix, ..names },
        "key modifier none" => Names { modifier: KeyModifier::None, ..names },
        _ => names,
    }
}

#[test]
fn names_are_those_of_dotnet() {
    let safe = Names { strings: InternalStrings::safe('-', '_'), ..Names::new("c") };
    assert_eq!(Names::new("c").channel(), "c.Backplane:v2");
    assert_eq!(safe.channel(), "c-Backplane-v2");
    assert_eq!(safe.lock_key("k"), "k-lock");
    assert_eq!(safe.clone().with_name_as_key_prefix("c").cache_key("k"), "c-k");
    assert_eq!(
        (safe.clear_expire_mark(), safe.clear_remove_mark()),
        ("__fc-t--exp".into(), "__fc-t--rem".into())
    );
    let names = Names::new("c").with_name_as_key_prefix("c");
    assert_eq!(names.lock_key(&names.cache_key("k")), "c:k:lock");
    assert_eq!(names.tag_mark("t"), "c:__fc:t:t");
    let other = InternalStrings::safe('~', '~');
    assert_eq!((other.tag_prefix.as_str(), other.clear_expire.as_str()), ("~~fc~t~", "~exp"));
}

#[test]
fn keys_of_the_store_lead_back_to_keys_of_the_cache() {
    for modifier in [KeyModifier::Prefix, KeyModifier::Suffix, KeyModifier::None] {
        let names =
            Names { instance_name: "i:".into(), key_prefix: "p:".into(), modifier, ..Names::new("c") };
        for key in ["k", "v2:k", "k:v2", "é", ""] {
            let cache_key = names.cache_key(key);
            assert_eq!(names.cache_key_of(&names.store_key(&cache_key)), Some(cache_key.as_str()));
            assert_eq!(names.subject(&cache_key), Some(Subject::Key(key)));
        }
    }
}

#[test]
fn what_is_not_of_this_cache_is_nobodys() {
    let names = Names { instance_name: "i:".into(), key_prefix: "p:".into(), ..Names::new("c") };
    for key in ["i:v2:q:k", "i:v1:p:k", "i:p:k", "v2:p:k", "i:v2", "", "i:v2p:k"] {
        assert_eq!(names.cache_key_of(key), None, "{key}");
    }
    assert_eq!(names.subject("q:k"), None);
    assert_eq!(names.subject("__fc:t:vip"), None);
}

#[test]
fn tags_of_clears_stand_for_clears_whoever_makes_them() {
    let names = Names::new("c");
    assert_eq!(names.tag_mark("*"), names.clear_expire_mark());
    assert_eq!(names.subject("__fc:t:*"), Some(Subject::ClearExpire));
    assert_eq!(names.subject("__fc:t:!"), Some(Subject::ClearRemove));
    assert_eq!(names.subject("__fc:t:**"), Some(Subject::Tag("**")));
    assert_eq!(names.subject("__fc:t:"), Some(Subject::Tag("")));
}
