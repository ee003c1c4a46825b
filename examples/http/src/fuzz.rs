//! Whatever comes in a query, in the session header, or on the command line: `./fuzz` runs these for as long as wanted.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::{HeaderValue, Request};
use clap::Parser;

use crate::demand::Demand;
use crate::flags::Flags;

const BUDGET: Duration = Duration::from_secs(1);

fn pick<const N: usize>(words: [&str; N], picks: &[u8]) -> String {
    picks.iter().map(|pick| words[usize::from(*pick) % N]).collect()
}

#[test]
fn fuzz_any_query_and_any_session_header_are_a_demand_or_a_refusal() {
    let words = [
        "within=",
        "or=",
        "bypass",
        "error",
        "flag",
        "&",
        "250",
        "18446744073709551615",
        "-1",
        "%20",
        "%00",
        "%zz",
        "%ff",
        "=",
        "+",
        "&&",
        "within",
        "0",
        "or",
        ";",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    bolero::check!().with_test_time(BUDGET).with_type::<(Vec<u8>, Vec<u8>, bool)>().for_each(
        |(picks, header, is_sound)| {
            let request = Request::builder().uri(format!("/products/1?{}", pick(words, picks)));
            let sound = &b"000102030405060708090a0b0c0d0e0f.1.2a"[..];
            let session = if *is_sound { sound } else { header };
            let (Ok(request), Ok(value)) = (request.body(()), HeaderValue::from_bytes(session)) else {
                return;
            };
            let (mut parts, ()) = request.into_parts();
            parts.headers.insert("unstale-session", value);
            let demand = runtime.block_on(Demand::from_request_parts(&mut parts, &()));
            // A demand is either said as it was meant, or refused: a token is never lost.
            if let Ok(demand) = demand {
                let token = demand.session.expect("a header is a token or an error");
                assert_eq!(token.to_string().as_bytes(), session);
                let asked = parts.uri.query().is_some_and(|query| query.contains("within"));
                assert!(demand.freshness.is_none() || asked);
            }
        },
    );
}

#[test]
fn fuzz_any_command_line_is_flags_or_an_error() {
    let words = [
        "--listen",
        "--mesh",
        "--peer",
        "--db",
        "--name",
        "--advertise",
        "127.0.0.1:1",
        "a=b:2",
        "",
        "-",
        "--",
        "=",
        "--listen=x",
        "--mesh=y",
        "--db=z",
        "é",
    ];
    bolero::check!().with_test_time(BUDGET).with_type::<Vec<u8>>().for_each(|picks| {
        let arguments = picks.iter().map(|pick| words[usize::from(*pick) % words.len()]);
        if let Ok(flags) = Flags::try_parse_from(["example"].into_iter().chain(arguments)) {
            let said = |flag: &str| {
                picks.iter().any(|pick| words[usize::from(*pick) % words.len()].starts_with(flag))
            };
            assert!(said("--listen") && said("--mesh") && said("--db"), "{flags:?}");
            assert!(flags.peers.is_empty() || said("--peer"), "{flags:?}");
        }
    });
}
