//! The hash in which .NET's Redis cache keeps an envelope.

use std::time::Duration;

use bytes::Bytes;

use super::error::{DecodeError, DecodeErrorKind, error};
use super::ticks::Ticks;

/// The names of the fields, in the order in which .NET writes and reads them.
pub const STORED_FIELDS: [&str; 3] = ["absexp", "sldexp", "data"];

/// What the fields hold where they hold no time.
const NONE: i64 = -1;

/// The fields of one hash of the second level. Other fields are left alone by .NET nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// When it ends, by the clock of whoever wrote it.
    pub absolute: Option<Ticks>,
    /// How long it lives on after each read, in ticks. FusionCache never sets it.
    pub sliding: Option<i64>,
    /// The envelope.
    pub data: Bytes,
}

impl Stored {
    /// An envelope that ends at `absolute`, as FusionCache writes it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use unstale_codec::fusion::{Stored, Ticks, absolute_expiration};
    ///
    /// let now = Ticks(639_028_224_010_000_000);
    /// let until = absolute_expiration(now, Duration::from_secs(30), None);
    /// let stored = Stored::new(until, "envelope".into());
    /// assert_eq!(&stored.fields()[0].1[..], b"639028224310000000");
    /// // A moment later, when the command is built: whole seconds, cut.
    /// assert_eq!(stored.expire_seconds(now.plus(Duration::from_micros(1))), Some(29));
    /// ```
    pub const fn new(absolute: Ticks, data: Bytes) -> Self {
        Self { absolute: Some(absolute), sliding: None, data }
    }

    /// What the fields [`STORED_FIELDS`] hold, as `HMGET` answers; nothing where there is no data, which to .NET is a miss.
    ///
    /// # Errors
    /// A field of times that holds no decimal number of 64 bits, which .NET does not read either; the offset is within that
    /// field.
    pub fn from_fields(fields: [Option<Bytes>; 3]) -> Result<Option<Self>, DecodeError> {
        let [absolute, sliding, data] = fields;
        let Some(data) = data else { return Ok(None) };
        let absolute = time(STORED_FIELDS[0], absolute)?.map(Ticks);
        Ok(Some(Self { absolute, sliding: time(STORED_FIELDS[1], sliding)?, data }))
    }

    /// All three fields with their values, as `HSET` takes them.
    pub fn fields(&self) -> [(&'static str, Bytes); 3] {
        let [absolute, sliding, data] = STORED_FIELDS;
        let time = |ticks: Option<i64>| Bytes::from(ticks.unwrap_or(NONE).to_string());
        [
            (absolute, time(self.absolute.map(|ticks| ticks.0))),
            (sliding, time(self.sliding)),
            (data, self.data.clone()),
        ]
    }

    /// The seconds that .NET gives to `EXPIRE` after it wrote the fields: what is left, cut; nothing where it never ends.
    /// Less than a second becomes 0, which deletes the key.
    pub fn expire_seconds(&self, now: Ticks) -> Option<u64> {
        let absolute = self.absolute.map(|absolute| absolute.since(now));
        let sliding = self.sliding.map(|sliding| Ticks(sliding).since(Ticks(0)));
        // The earlier one counts.
        absolute.into_iter().chain(sliding).min().map(|left| left.as_secs())
    }
}

/// When an entry that is written now ends in the second level: after its duration there, or after the longer duration of
/// fail-safe, if that is on. Without jitter; at most [`Ticks::MAX`].
pub fn absolute_expiration(now: Ticks, duration: Duration, fail_safe: Option<Duration>) -> Ticks {
    now.plus(duration.max(fail_safe.unwrap_or_default()))
}

fn time(name: &'static str, field: Option<Bytes>) -> Result<Option<i64>, DecodeError> {
    let Some(field) = field else { return Ok(None) };
    let ticks = std::str::from_utf8(&field).ok().and_then(|text| text.parse().ok());
    let ticks: i64 = ticks.ok_or(error(0, DecodeErrorKind::Decimal(name)))?;
    Ok((ticks != NONE).then_some(ticks))
}
