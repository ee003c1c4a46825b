//! Whatever stands in a configuration: names, addresses, lists of peers, secrets.

use bolero::TypeGenerator;
use unstale_port::Backplane;

use super::*;
use crate::fuzz::BUDGET;

/// Words that addresses are made of, and some that they are not made of.
const WORDS: [&str; 32] = [
    "127.0.0.1",
    ":",
    "=",
    "7000",
    "[",
    "]",
    "::1",
    "localhost",
    "a",
    "b",
    "10.0.0.1",
    "0",
    "65535",
    "65536",
    "-1",
    "+1",
    " ",
    "\t",
    "\n",
    "\0",
    "é",
    ".",
    "..",
    "%eth0",
    "[::ffff:127.0.0.1]",
    "1e3",
    "0x10",
    "//",
    "example.invalid",
    "127.1",
    "::",
    "ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ",
];

fn text(words: &[u8]) -> String {
    words.iter().map(|word| WORDS[usize::from(*word) % WORDS.len()]).collect()
}

#[derive(Clone, Debug, TypeGenerator)]
struct Settings {
    cluster: Vec<u8>,
    peers: Vec<Peering>,
    advertise: Option<Peering>,
    discover: Option<Peering>,
    secret: Option<Vec<u8>>,
}

/// A peer as somebody writes it down: sound more often than not.
#[derive(Clone, Debug, TypeGenerator)]
enum Peering {
    Sound { name: Option<u8>, host: u8, port: u16 },
    Words(Vec<u8>),
}

impl Peering {
    fn text(&self) -> String {
        match self {
            Self::Words(words) => text(words),
            Self::Sound { name, host, port } => {
                let hosts = ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "example.invalid"];
                let name = name.map(|name| format!("{}=", WORDS[usize::from(name) % WORDS.len()]));
                let host = hosts[usize::from(*host) % hosts.len()];
                format!("{}{host}:{}", name.unwrap_or_default(), port % 8)
            }
        }
    }
}

impl Settings {
    fn builder(&self) -> Builder {
        let mut builder = Mesh::builder().cluster(text(&self.cluster));
        for peer in &self.peers {
            builder = builder.peer(peer.text());
        }
        if let Some(advertise) = &self.advertise {
            builder = builder.advertise(advertise.text());
        }
        if let Some(discover) = &self.discover {
            builder = builder.discover(discover.text());
        }
        builder.secret(self.secret.as_ref().and_then(|secret| Secret::new(secret).ok()))
    }
}

/// What is wrong with a configuration that was taken, if anything is.
fn judge(properties: &Properties, has_secret: bool) -> Result<(), String> {
    let Peers::Fixed(peers) = &properties.peers else { return Ok(()) };
    let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    for Peer { name, address } in peers {
        let parsed = Address::parse("peer", address).map_err(|error| error.to_string())?;
        if parsed.text() != address || address.contains(char::is_whitespace) {
            return Err(format!("`{address}` is no address"));
        }
        if !has_secret && !parsed.is_loopback() {
            return Err(format!("`{address}` is dialled without a secret"));
        }
        if !addresses.insert(address) {
            return Err(format!("`{address}` is there twice"));
        }
        if name.as_ref().is_some_and(|name| name.is_empty() || !names.insert(name)) {
            return Err(format!("{name:?} is empty or there twice"));
        }
        if properties.advertised.as_ref() == Some(address) {
            return Err(format!("`{address}` is the node itself"));
        }
    }
    Ok(())
}

#[test]
fn fuzz_a_mesh_starts_with_sound_settings_or_says_what_is_wrong() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    bolero::check!().with_test_time(BUDGET).with_type::<Settings>().for_each(|settings| {
        let builder = settings.builder();
        let has_secret = builder.secret.is_some();
        match runtime.block_on(builder.start()) {
            Ok(mesh) => assert_eq!(judge(mesh.properties(), has_secret), Ok(())),
            Err(error) => assert_eq!(error.kind(), Kind::Config, "{error}"),
        }
    });
}

#[test]
fn fuzz_any_text_is_a_peer_that_reads_back_or_an_error_that_quotes_it() {
    bolero::check!().with_test_time(BUDGET).with_type::<(Vec<u8>, Peering)>().for_each(|(bytes, peering)| {
        for text in [String::from_utf8_lossy(bytes).into_owned(), peering.text(), text(bytes)] {
            match address::parse_peer(&text) {
                Ok((peer, address)) => {
                    let again = match &peer.name {
                        Some(name) => format!("{name}={}", peer.address),
                        None => peer.address.clone(),
                    };
                    assert_eq!(again, text);
                    assert_eq!(address.text(), peer.address);
                    assert!(!address::host_of(&peer.address).is_empty(), "{text:?}");
                }
                Err(error) => {
                    let quoted = text.split_once('=').map_or(text.as_str(), |(_, address)| address);
                    assert_eq!(error.kind(), Kind::Config);
                    assert!(error.to_string().contains(quoted), "{error}");
                }
            }
        }
    });
}

#[test]
fn the_judge_catches_settings_that_should_have_been_refused() {
    let peer = |name: Option<&str>, address: &str| Peer {
        name: name.map(str::to_owned),
        address: address.to_owned(),
    };
    let judged = |peers, has_secret| {
        let properties = Properties {
            delivery: Delivery::Fifo,
            frame_bytes_max: FRAME_BYTES_MAX,
            listening: None,
            advertised: Some("127.0.0.1:9".to_owned()),
            peers: Peers::Fixed(peers),
        };
        judge(&properties, has_secret)
    };
    let sound = vec![peer(Some("a"), "127.0.0.1:1"), peer(None, "localhost:1")];
    assert_eq!(judged(sound, false), Ok(()));
    for (peers, has_secret) in [
        (vec![peer(None, "127.0.0.1:1"), peer(None, "127.0.0.1:1")], true),
        (vec![peer(Some("a"), "127.0.0.1:1"), peer(Some("a"), "127.0.0.1:2")], true),
        (vec![peer(Some(""), "127.0.0.1:1")], true),
        (vec![peer(None, "127.0.0.1")], true),
        (vec![peer(None, "10.0.0.1:1")], false),
        (vec![peer(None, "127.0.0.1:9")], true),
    ] {
        assert!(judged(peers.clone(), has_secret).is_err(), "{peers:?}");
    }
}
