//! Listening in on a group, without being a member.

use bytes::Bytes;

use crate::backplane::Head;
use crate::subscription::Topic;

/// A message of a group, as anybody hears it who listens on its channels: for tools that look on. They are not members:
/// nobody waits for them, and what they miss nobody repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overheard {
    /// The process that sent it: 16 random bytes, drawn at its start.
    pub process: [u8; 16],
    /// The frame that it carries; messages that only keep a link going carry none.
    pub frame: Option<Bytes>,
}

impl Overheard {
    /// What to subscribe to: the channels of one group, or (`None`) of all with this prefix. What members put into a
    /// stream is not on any channel.
    pub fn topics(prefix: &str, group: Option<&str>) -> [Topic; 2] {
        let group = group.map_or_else(|| "*".to_owned(), escape);
        let stem = format!("{{{}:{group}}}:", escape(prefix));
        [Topic::Pattern(format!("{stem}all").into()), Topic::Pattern(format!("{stem}to:*").into())]
    }

    /// The key of the stream of a group, if it has one, each entry of which has a message in its field `m`.
    pub fn stream(prefix: &str, group: &str) -> String {
        format!("{{{prefix}:{group}}}:stream")
    }

    /// The message that `bytes` are, as docs/formats/redis.md has it; nothing for what this version does not know. Does not
    /// copy.
    ///
    /// ```
    /// use unstale_redis::Overheard;
    ///
    /// let mut bytes = vec![1, 5];                 // version 1, for all
    /// bytes.extend([7; 16]);                      // the process
    /// bytes.extend([0; 8]);                       // it sent nothing before
    /// bytes.extend(b"frame");
    /// let heard = Overheard::decode(&bytes.into()).expect("a message");
    /// assert_eq!((heard.process, heard.frame), ([7; 16], Some("frame".into())));
    /// ```
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let (head, frame) = Head::decode(bytes)?;
        Some(Self { process: head.from.0, frame: head.carries_frame().then_some(frame) })
    }
}

/// A name in a pattern, literally.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for letter in name.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '^' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_literal_in_patterns() {
        let pattern = |name: &str| Topic::Pattern(name.to_owned().into());
        let [all, inboxes] = Overheard::topics("unstale", Some("a[b]"));
        assert_eq!(all, pattern("{unstale:a\\[b\\]}:all"));
        assert_eq!(inboxes, pattern("{unstale:a\\[b\\]}:to:*"));
        assert_eq!(Overheard::topics("unstale", None)[0], pattern("{unstale:*}:all"));
    }
}
