//! The strings that FusionCache puts into names, all of which may be configured.

/// `FusionCacheInternalStrings` of .NET. Every node of a cache has to have the same ones; nothing in Redis tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalStrings {
    /// Between a cache's name and its keys, where the name is the key prefix (`CacheKeyPrefixSeparator`, `:`).
    pub key_prefix_separator: String,
    /// Before the tag in the key of its mark (`TagCacheKeyPrefix`, `__fc:t:`).
    pub tag_prefix: String,
    /// The tag whose mark removes everything (`ClearRemoveTag`, `!`).
    pub clear_remove: String,
    /// The tag whose mark expires everything (`ClearExpireTag`, `*`).
    pub clear_expire: String,
    /// Beside the version in keys of the second level (`DistributedCacheWireFormatSeparator`, `:`).
    pub store_separator: String,
    /// Before the version in the channel's name (`BackplaneWireFormatSeparator`, `:`).
    pub channel_version_separator: String,
    /// Before `Backplane` in the channel's name (`BackplaneChannelNameSeparator`, `.`).
    pub channel_separator: String,
    /// After a key in the name of its lock (`DistributedLockerLockNameSuffix`, `:lock`).
    pub lock_suffix: String,
}

impl Default for InternalStrings {
    fn default() -> Self {
        Self {
            key_prefix_separator: ":".to_owned(),
            tag_prefix: "__fc:t:".to_owned(),
            clear_remove: "!".to_owned(),
            clear_expire: "*".to_owned(),
            store_separator: ":".to_owned(),
            channel_version_separator: ":".to_owned(),
            channel_separator: ".".to_owned(),
            lock_suffix: ":lock".to_owned(),
        }
    }
}

impl InternalStrings {
    /// What `SetToSafeStrings` makes of them, for stores that take few characters. .NET's own defaults are `-` and `_`.
    pub fn safe(separator: char, special: char) -> Self {
        let separated = separator.to_string();
        Self {
            key_prefix_separator: separated.clone(),
            tag_prefix: format!("{special}{special}fc{separator}t{separator}"),
            clear_remove: format!("{separator}rem"),
            clear_expire: format!("{separator}exp"),
            store_separator: separated.clone(),
            channel_version_separator: separated.clone(),
            channel_separator: separated,
            lock_suffix: format!("{separator}lock"),
        }
    }
}
