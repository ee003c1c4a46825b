//! What commands of this program know of FusionCache, .NET's cache, in a Redis.

mod serializer;

pub(crate) use serializer::{Recognised, Serializer, recognise};
