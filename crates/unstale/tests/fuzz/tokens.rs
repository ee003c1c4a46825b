//! Session tokens, as they come in headers.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use unstale::{Cache, Node, SessionToken, SessionTokenError, TokioClock};
use unstale_port::memory::Hub;

use crate::{BUDGET, runtime, words};

/// What is wrong with what a parser made of a text, if anything is.
fn judge(
    text: &str,
    parse: impl Fn(&str) -> Result<SessionToken, SessionTokenError>,
) -> Result<Option<SessionToken>, String> {
    match parse(text) {
        Ok(token) if token.to_string() == text && text.len() <= SessionToken::TEXT_BYTES_MAX => {
            Ok(Some(token))
        }
        Ok(token) => Err(format!("{text:?} was taken for {token}")),
        Err(error) if error.to_string().len() > 200 => Err(format!("an error repeats what came: {error}")),
        Err(_) => Ok(None),
    }
}

/// A sound token with a few bytes of it changed.
fn spoilt(process: u128, incarnation: u32, seq: u64, changes: &[(u8, u8)]) -> String {
    let mut bytes = format!("{process:032x}.{incarnation:x}.{seq:x}").into_bytes();
    for (at, byte) in changes {
        let at = usize::from(*at) % bytes.len();
        bytes[at] = *byte;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn fuzz_any_text_is_a_token_in_its_one_form_or_an_error() {
    type Input = (Vec<u8>, (u128, u32, u64), Vec<(u8, u8)>);
    bolero::check!().with_test_time(BUDGET).with_type::<Input>().for_each(|(bytes, numbers, changes)| {
        let (process, incarnation, seq) = *numbers;
        let sound = spoilt(process, incarnation, seq, &[]);
        assert!(matches!(judge(&sound, str::parse), Ok(Some(_))), "{sound}");
        let others = [
            String::from_utf8_lossy(bytes).into_owned(),
            words(bytes),
            spoilt(process, incarnation, seq, changes),
        ];
        for text in others {
            assert_eq!(judge(&text, str::parse).map(|_| ()), Ok(()));
        }
    });
}

#[test]
fn fuzz_an_invented_token_costs_a_reader_a_short_wait_and_a_load() {
    let runtime = runtime();
    let (_other, cache) = runtime.block_on(async {
        let hub = Hub::new();
        let node =
            |name: &str| Node::builder("shop").name(name).clock(TokioClock::new()).backplane(hub.join(name));
        let a = node("a").start().await.expect("it starts");
        let b = node("b").start().await.expect("it starts");
        a.joined().await.expect("it joins");
        b.joined().await.expect("it joins");
        let cache: Cache<u64, u64> = a.cache("rows").build().expect("it is built");
        let written = b.cache::<u64, u64>("rows").build().expect("it is built");
        let receipt = written.remove(&1).await.expect("it is written");
        assert!(receipt.announced());
        ((b, written), cache)
    });
    let live = cache_stream(&runtime, &cache);
    let stage = AssertUnwindSafe((runtime, cache));
    bolero::check!().with_test_time(BUDGET).with_type::<(bool, u128, u8, u64)>().for_each(
        |(is_of_live_stream, process, incarnation, seq)| {
            let (runtime, cache) = &*stage;
            let stream =
                if *is_of_live_stream { live.clone() } else { format!("{process:032x}.{incarnation:x}") };
            let token: SessionToken = format!("{stream}.{seq:x}").parse().expect("a sound token");
            runtime.block_on(async {
                let began = tokio::time::Instant::now();
                let read = cache.get_or_load(&1, async |_| Ok::<_, Infallible>(7)).session(token).await;
                assert_eq!(*read.expect("a load").into_value(), 7);
                assert!(began.elapsed() < Duration::from_secs(2), "{:?} for {token}", began.elapsed());
            });
        },
    );
}

/// The stream of the cache's node, as a token names it.
fn cache_stream(runtime: &tokio::runtime::Runtime, cache: &Cache<u64, u64>) -> String {
    let receipt = runtime.block_on(async { cache.remove(&2).await }).expect("it is written");
    let token = receipt.session().to_string();
    token.rsplit_once('.').expect("three groups").0.to_owned()
}

#[test]
fn the_judge_catches_parsers_that_are_lenient() {
    let text = spoilt(1, 2, 3, &[]);
    assert!(matches!(judge(&text, str::parse), Ok(Some(_))));
    let trims = |text: &str| text.trim().parse();
    assert!(judge(&format!(" {text}"), trims).is_err());
    let lowers = |text: &str| text.to_lowercase().parse();
    assert!(judge(&spoilt(0xabc, 2, 3, &[]).to_uppercase(), lowers).is_err());
}
