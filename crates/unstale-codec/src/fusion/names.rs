//! Names: the channel, keys, marks, locks.

use super::strings::InternalStrings;

/// The version of the wire format, in the channel's name and in keys of the second level.
const WIRE_VERSION: &str = "v2";

/// Where keys of the second level have the version (`DistributedCacheKeyModifierMode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyModifier {
    /// Before the key.
    #[default]
    Prefix,
    /// After the key.
    Suffix,
    /// Nowhere.
    None,
}

/// How a cache names its channel and its keys: what its nodes agree upon beforehand.
///
/// ```
/// use unstale_codec::fusion::{Names, Subject};
///
/// let names = Names { key_prefix: "shop:".into(), instance_name: "app1:".into(), ..Names::new("Products") };
/// assert_eq!(names.channel(), "Products.Backplane:v2");
/// let key = names.cache_key("user:42");
/// assert_eq!(key, "shop:user:42");
/// assert_eq!(names.store_key(&key), "app1:v2:shop:user:42");
/// assert_eq!(names.subject(&key), Some(Subject::Key("user:42")));
/// assert_eq!(names.subject(&names.tag_mark("vip")), Some(Subject::Tag("vip")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The first part of the channel's name: `BackplaneChannelPrefix`, or else the cache's name.
    pub channel_prefix: String,
    /// What every key of the cache begins with (`CacheKeyPrefix`); may be empty.
    pub key_prefix: String,
    /// What every key of the second level begins with: `InstanceName` of the Redis cache; may be empty.
    pub instance_name: String,
    /// Where keys of the second level have the version.
    pub modifier: KeyModifier,
    /// Separators and marks.
    pub strings: InternalStrings,
}

/// What a key of the cache stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject<'a> {
    /// An entry, by the key that users know.
    Key(&'a str),
    /// The mark of a tag: entries with that tag written up to it are expired.
    Tag(&'a str),
    /// The mark of `Clear(true)`: entries written up to it are expired.
    ClearExpire,
    /// The mark of `Clear(false)`: entries written up to it are removed.
    ClearRemove,
}

impl Names {
    /// The names of a cache with .NET's defaults: no prefixes, version before the key.
    pub fn new(cache_name: &str) -> Self {
        Self {
            channel_prefix: cache_name.to_owned(),
            key_prefix: String::new(),
            instance_name: String::new(),
            modifier: KeyModifier::Prefix,
            strings: InternalStrings::default(),
        }
    }

    /// The same with the cache's name as the prefix of its keys, as the builder's `WithCacheKeyPrefix()` sets it.
    #[must_use]
    pub fn with_name_as_key_prefix(mut self, cache_name: &str) -> Self {
        self.key_prefix = format!("{cache_name}{}", self.strings.key_prefix_separator);
        self
    }

    /// The channel of the backplane, subscribed to and published on literally.
    pub fn channel(&self) -> String {
        let strings = &self.strings;
        let (separator, version) = (&strings.channel_separator, &strings.channel_version_separator);
        format!("{}{separator}Backplane{version}{WIRE_VERSION}", self.channel_prefix)
    }

    /// The key of an entry, as messages and first levels have it.
    pub fn cache_key(&self, key: &str) -> String {
        format!("{}{key}", self.key_prefix)
    }

    /// The key of a tag's mark. The tags that stand for clears make the marks of clears.
    pub fn tag_mark(&self, tag: &str) -> String {
        format!("{}{}{tag}", self.key_prefix, self.strings.tag_prefix)
    }

    /// The key of the mark that `Clear(true)` sets.
    pub fn clear_expire_mark(&self) -> String {
        self.tag_mark(&self.strings.clear_expire)
    }

    /// The key of the mark that `Clear(false)` sets.
    pub fn clear_remove_mark(&self) -> String {
        self.tag_mark(&self.strings.clear_remove)
    }

    /// The key in the second level of a key of the cache.
    pub fn store_key(&self, cache_key: &str) -> String {
        let (instance, separator) = (&self.instance_name, &self.strings.store_separator);
        match self.modifier {
            KeyModifier::Prefix => format!("{instance}{WIRE_VERSION}{separator}{cache_key}"),
            KeyModifier::Suffix => format!("{instance}{cache_key}{separator}{WIRE_VERSION}"),
            KeyModifier::None => format!("{instance}{cache_key}"),
        }
    }

    /// The name in Redis of the lock that .NET nodes take to load a key of the cache: neither instance name nor version.
    pub fn lock_key(&self, cache_key: &str) -> String {
        format!("{cache_key}{}", self.strings.lock_suffix)
    }

    /// What a key of the cache stands for; nothing if it is not of this cache, whose keys have another prefix.
    pub fn subject<'a>(&self, cache_key: &'a str) -> Option<Subject<'a>> {
        let key = cache_key.strip_prefix(&self.key_prefix)?;
        Some(match key.strip_prefix(&self.strings.tag_prefix) {
            None => Subject::Key(key),
            Some(tag) if tag == self.strings.clear_expire => Subject::ClearExpire,
            Some(tag) if tag == self.strings.clear_remove => Subject::ClearRemove,
            Some(tag) => Subject::Tag(tag),
        })
    }

    /// The key of the cache that a key of the second level belongs to; nothing if it is none of this cache's.
    pub fn cache_key_of<'a>(&self, store_key: &'a str) -> Option<&'a str> {
        let key = store_key.strip_prefix(&self.instance_name)?;
        let separator = self.strings.store_separator.as_str();
        let cache_key = match self.modifier {
            KeyModifier::Prefix => key.strip_prefix(WIRE_VERSION)?.strip_prefix(separator)?,
            KeyModifier::Suffix => key.strip_suffix(WIRE_VERSION)?.strip_suffix(separator)?,
            KeyModifier::None => key,
        };
        cache_key.starts_with(&self.key_prefix).then_some(cache_key)
    }
}
