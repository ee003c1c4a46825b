//! Bytes of version 1 as they were when it was released. The files are never edited; a new sample gets a new file.

use std::fs;
use std::path::PathBuf;

use unstale_codec::native::{decode_entry, encode_entry};

use crate::{decode, encode, hex, samples, unhex};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/native/1/{name}.hex"))
}

#[test]
fn messages_have_the_bytes_that_they_always_had() {
    for (name, message) in samples::small().into_iter().chain(samples::full()) {
        let bytes = encode(&message);
        let text = fs::read_to_string(golden(name));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}; its bytes are\n{}", hex(&bytes)));
        assert_eq!(hex(&bytes), hex(&unhex(&text)), "{name}");
        assert_eq!(decode(unhex(&text)), message, "{name}");
    }
}

#[test]
fn entries_have_the_bytes_that_they_always_had() {
    for (name, entry) in samples::entries() {
        let bytes = encode_entry(&entry).expect("it can be written");
        let text = fs::read_to_string(golden(name));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}; its bytes are\n{}", hex(&bytes)));
        assert_eq!(hex(&bytes), hex(&unhex(&text)), "{name}");
        assert_eq!(decode_entry(unhex(&text)), Ok(entry), "{name}");
    }
}
