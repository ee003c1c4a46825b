//! What a cache has to be told so that it and the .NET nodes mean the same one.

use std::time::Duration;

use bytes::Bytes;
use unstale_codec::fusion::{Format, InternalStrings, KeyModifier, MARK_KEPT, Names};
use unstale_port::{Error, Kind, Retry};

use crate::identity;

/// How long a .NET node is supposed to load at the longest, if nothing else was said.
pub const HOLD_OFF_DEFAULT: Duration = Duration::from_secs(30);

/// How far ahead of Redis' clock a .NET node's timestamps are followed; what is further ahead is counted and not followed.
pub const SKEW_MAX: Duration = Duration::from_secs(60);

/// How long what is noted beside a key is kept at least: leases and stamps of our acts outlive the longest load.
const NOTES_KEPT_MIN: Duration = Duration::from_secs(600);

/// What the .NET nodes of a cache were configured with, and how unstale deals with them. Nothing of it can be found out from
/// Redis: each has to be the same as there.
///
/// ```
/// use std::time::Duration;
/// use unstale_fusion::{Format, FusionSettings};
///
/// let settings = FusionSettings::new("Products", Format::SystemTextJson)
///     .key_prefix("shop:")
///     .instance_name("app1:")
///     .hold_off(Duration::from_secs(10));
/// assert_eq!(settings.channel(), "Products.Backplane:v2");
/// assert_eq!(settings.store_key("user:42"), "app1:v2:shop:user:42");
/// ```
#[derive(Clone, Debug)]
pub struct FusionSettings {
    pub(crate) names: Names,
    pub(crate) format: Format,
    pub(crate) instance_id: String,
    pub(crate) default_value: Option<Bytes>,
    pub(crate) has_second_level: bool,
    pub(crate) hold_off: Duration,
    pub(crate) marks_kept: Duration,
}

impl FusionSettings {
    /// A cache called `cache_name` (`CacheName`), with entries in the bytes of one serializer, and .NET's defaults.
    pub fn new(cache_name: &str, format: Format) -> Self {
        Self {
            names: Names::new(cache_name),
            format,
            instance_id: identity::draw(),
            default_value: None,
            has_second_level: true,
            hold_off: HOLD_OFF_DEFAULT,
            marks_kept: MARK_KEPT,
        }
    }

    /// `CacheKeyPrefix`. Default: none.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.names.key_prefix = prefix.into();
        self
    }

    /// `BackplaneChannelPrefix`. Default: the cache's name.
    #[must_use]
    pub fn channel_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.names.channel_prefix = prefix.into();
        self
    }

    /// `InstanceName` of the Redis cache of .NET. Default: none.
    #[must_use]
    pub fn instance_name(mut self, name: impl Into<String>) -> Self {
        self.names.instance_name = name.into();
        self
    }

    /// `DistributedCacheKeyModifierMode`. Default: [`KeyModifier::Prefix`].
    #[must_use]
    pub fn key_modifier(mut self, modifier: KeyModifier) -> Self {
        self.names.modifier = modifier;
        self
    }

    /// `InternalStrings`; [`InternalStrings::safe`] is what `SetToSafeStrings` makes of them.
    #[must_use]
    pub fn internal_strings(mut self, strings: InternalStrings) -> Self {
        self.names.strings = strings;
        self
    }

    /// The id under which this process publishes, which no other may have: .NET nodes ignore their own. Default: 128 random
    /// bits in the alphabet of .NET's ids.
    #[must_use]
    pub fn instance_id(mut self, id: impl Into<String>) -> Self {
        self.instance_id = id.into();
        self
    }

    /// The bytes of `default(T)` for a serializer that leaves it out, such as `0` for numbers in Newtonsoft's JSON. Default:
    /// an entry without its value is the news that there is none.
    #[must_use]
    pub fn default_value(mut self, bytes: impl Into<Bytes>) -> Self {
        self.default_value = Some(bytes.into());
        self
    }

    /// Whether the .NET nodes have a second level on this Redis, or the backplane alone. Default: they have.
    #[must_use]
    pub const fn second_level(mut self, has_one: bool) -> Self {
        self.has_second_level = has_one;
        self
    }

    /// The longest that a factory of a .NET node runs. For so long after an invalidation, what .NET nodes write under that key
    /// may be a fill that began before it: nodes of ours do not use it, and it is undone for .NET nodes. Default: 30 s.
    #[must_use]
    pub const fn hold_off(mut self, longest_factory: Duration) -> Self {
        self.hold_off = longest_factory;
        self
    }

    /// How long marks of tags and clears are kept, and entries of ours at the longest: a mark outlives what it hides. Default,
    /// and at least: 10 days, as .NET. .NET nodes have to keep no entry longer.
    #[must_use]
    pub const fn marks_kept(mut self, duration: Duration) -> Self {
        self.marks_kept = duration;
        self
    }

    /// The channel of the backplane.
    pub fn channel(&self) -> String {
        self.names.channel()
    }

    /// The key in Redis of a key of the cache.
    pub fn store_key(&self, key: &str) -> String {
        self.names.store_key(&self.names.cache_key(key))
    }

    /// How long what is noted beside a key is kept.
    pub(crate) fn notes_kept(&self) -> Duration {
        NOTES_KEPT_MIN.max(self.hold_off)
    }

    pub(crate) fn checked(self) -> Result<Self, Error> {
        let mut faults = Vec::new();
        if self.names.channel_prefix.is_empty() {
            faults.push("no cache name and no channel prefix: nobody would hear of anything".to_owned());
        }
        if self.instance_id.is_empty() {
            faults.push("instance id is empty: .NET nodes would ignore all messages".to_owned());
        }
        if self.marks_kept < MARK_KEPT {
            let (kept, least) = (self.marks_kept, MARK_KEPT);
            faults.push(format!("marks kept for {kept:?}, less than the {least:?} of .NET nodes"));
        }
        if self.names.strings.tag_prefix.is_empty() {
            faults.push("prefix of tags is empty: every key would be a mark".to_owned());
        }
        if faults.is_empty() {
            return Ok(self);
        }
        Err(Error::new(Kind::Config, Retry::Never, "open", faults.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_named_at_once() {
        let strings = InternalStrings { tag_prefix: String::new(), ..InternalStrings::default() };
        let settings = FusionSettings::new("", Format::Newtonsoft)
            .instance_id("")
            .internal_strings(strings)
            .marks_kept(Duration::from_secs(1));
        let error = settings.checked().expect_err("four faults").to_string();
        for fault in ["no cache name", "instance id is empty", "marks kept for 1s", "prefix of tags"] {
            assert!(error.contains(fault), "{error}");
        }
    }

    #[test]
    fn two_processes_never_have_one_id() {
        let ids = [0; 2].map(|_| FusionSettings::new("c", Format::MessagePack).instance_id);
        assert_ne!(ids[0], ids[1]);
    }
}
