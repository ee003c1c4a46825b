//! What keys belong to, by their names.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Where the version stands in keys of a FusionCache estate, and what comes before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Estate {
    /// The instance name of the Redis cache: what every key begins with.
    pub(super) instance: String,
    /// The character before or after the version: `:`, or `-` for safe strings.
    pub(super) separator: char,
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Prefix,
    Suffix,
}

/// The keys of one estate that were seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pub(super) count: u64,
    /// Some of the entries.
    pub(super) entries: Vec<Bytes>,
    /// Some of the marks: of tags and of clears.
    pub(super) marks: Vec<Bytes>,
}

/// What was found by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) estates: BTreeMap<Estate, Keys>,
    /// Marks of shards of unstale's store, by namespace.
    pub(super) stores: BTreeMap<String, Vec<Bytes>>,
    /// Registers of unstale's backplane.
    pub(super) registers: Vec<Bytes>,
    limit: usize,
}

/// More estates, stores or registers than this are taken for keys of something else.
const ESTATES_MAX: usize = 64;

impl Found {
    /// Keeps so many keys of each kind.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(super) fn see(&mut self, key: Bytes) {
        let Ok(name) = std::str::from_utf8(&key) else { return };
        match braced(name) {
            Some((namespace, shard, "m")) if is_number(shard) => {
                if self.stores.len() < ESTATES_MAX || self.stores.contains_key(namespace) {
                    let shards = self.stores.entry(namespace.to_owned()).or_default();
                    if shards.len() < self.limit {
                        shards.push(key);
                    }
                }
                return;
            }
            Some((_, _, "register")) => {
                if self.registers.len() < ESTATES_MAX {
                    self.registers.push(key);
                }
                return;
            }
            _ => {}
        }
        let Some((estate, cache_key)) = Estate::of(name) else { return };
        let is_mark = cache_key.contains(estate.tag_prefix());
        if self.estates.len() == ESTATES_MAX && !self.estates.contains_key(&estate) {
            return;
        }
        let keys = self.estates.entry(estate).or_default();
        keys.count += 1;
        let kept = if is_mark { &mut keys.marks } else { &mut keys.entries };
        if kept.len() < self.limit {
            kept.push(key);
        }
    }
}

impl Estate {
    /// The estate that a key may belong to, and the key as its cache has it.
    pub(super) fn of(name: &str) -> Option<(Self, &str)> {
        for separator in [':', '-'] {
            let version = format!("v2{separator}");
            if let Some((instance, cache_key)) = name.split_once(&version)
                && !instance.ends_with(char::is_alphanumeric)
                && !cache_key.is_empty()
            {
                return Some((
                    Self { instance: instance.to_owned(), separator, place: Place::Prefix },
                    cache_key,
                ));
            }
        }
        for separator in [':', '-'] {
            // An instance name cannot be told from the key here.
            if let Some(cache_key) = name.strip_suffix(&format!("{separator}v2")) {
                return Some((Self { instance: String::new(), separator, place: Place::Suffix }, cache_key));
            }
        }
        None
    }

    /// What the key of a mark has before its tag.
    pub(super) fn tag_prefix(&self) -> &'static str {
        if self.separator == ':' { "__fc:t:" } else { "__fc-t-" }
    }

    /// How its keys look.
    pub(super) fn pattern(&self) -> String {
        let Self { instance, separator, place } = self;
        match place {
            Place::Prefix => format!("{instance}v2{separator}*"),
            Place::Suffix => format!("*{separator}v2"),
        }
    }
}

/// `{NAMESPACE:SHARD}:rest`, `{PREFIX:GROUP}:rest`
fn braced(name: &str) -> Option<(&str, &str, &str)> {
    let (stem, rest) = name.strip_prefix('{')?.split_once("}:")?;
    let (before, after) = stem.rsplit_once(':')?;
    Some((before, after, rest))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_by_their_names() {
        let mut found = Found::new(10);
        for key in [
            "v2:user:1",
            "v2:__fc:t:vip",
            "app:v2:shop:user:1",
            "app:v2:shop:__fc:t:*",
            "user:9:v2",
            "v2-user-1",
            "{unstale:0}:m",
            "{unstale:3}:m",
            "{unstale:0}:r005users:7",
            "{unstale:shop}:register",
            "{u1}:m",
            "{user:x}:m",
            "{u1}:register",
            "mov2:x",
            "plain",
        ] {
            found.see(key.into());
        }
        let seen: Vec<_> = found
            .estates
            .iter()
            .map(|(estate, keys)| (estate.pattern(), keys.entries.len(), keys.marks.len()))
            .collect();
        let expected = [("*:v2", 1, 0), ("v2-*", 1, 0), ("v2:*", 1, 1), ("app:v2:*", 1, 1)];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(pattern, entries, marks)| (pattern.to_owned(), entries, marks))
            .collect();
        let sorted = |mut list: Vec<(String, usize, usize)>| {
            list.sort();
            list
        };
        assert_eq!(sorted(seen), sorted(expected));
        let stores: Vec<_> =
            found.stores.iter().map(|(name, shards)| (name.as_str(), shards.len())).collect();
        assert_eq!(stores, [("unstale", 2)]);
        assert_eq!(found.registers, ["{unstale:shop}:register"]);
    }

    #[test]
    fn what_is_kept_of_many_keys_is_bounded() {
        let mut found = Found::new(10);
        for number in 0..1_000 {
            found.see(format!("v2:user:{number}").into());
            found.see(format!("app{number}:v2:x").into());
            found.see(format!("{{user{number}:1}}:m").into());
            found.see(format!("{{user0:{number}}}:m").into());
            found.see(format!("{{user:{number}}}:register").into());
        }
        assert_eq!((found.stores.len(), found.registers.len()), (ESTATES_MAX, ESTATES_MAX));
        assert_eq!(found.stores["user0"].len(), 10);
        assert_eq!(found.estates.len(), ESTATES_MAX);
        let keys = found.estates.values().max_by_key(|keys| keys.count).expect("some");
        assert_eq!((keys.count, keys.entries.len()), (1_000, 10));
    }
}
