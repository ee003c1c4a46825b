//! How fresh a client wants its answer.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::Query;
use axum::http::request::Parts;
use unstale::{Freshness, SessionToken};

use crate::answer::Refusal;

/// What a read demands: by `?within=MS&or=bypass|error|flag`, and by the header `unstale-session`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) freshness: Option<Freshness>,
    pub(crate) session: Option<SessionToken>,
}

impl<S: Sync> FromRequestParts<S> for Demand {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| Refusal::bad(error.to_string()))?;
        let session = parts.headers.get("unstale-session").map(|header| header.to_str().unwrap_or_default());
        Self::parse(&pairs, session)
    }
}

impl Demand {
    fn parse(pairs: &[(String, String)], session: Option<&str>) -> Result<Self, Refusal> {
        let last =
            |name: &str| pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let freshness = match last("within") {
            None => None,
            Some(text) => {
                let within: u64 = text
                    .parse()
                    .map_err(|_| Refusal::bad(format!("within={text}: not a number of milliseconds")))?;
                Some(Freshness::within(Duration::from_millis(within)))
            }
        };
        let freshness = match (freshness, last("or")) {
            (freshness, None | Some("bypass")) => freshness.map(Freshness::or_bypass),
            (freshness, Some("error")) => freshness.map(Freshness::or_error),
            (freshness, Some("flag")) => freshness.map(Freshness::or_flag),
            (_, Some(other)) => {
                return Err(Refusal::bad(format!("or={other}: neither bypass, error nor flag")));
            }
        };
        let session = session
            .map(|text| text.parse().map_err(|error| Refusal::bad(format!("unstale-session: {error}"))))
            .transpose()?;
        Ok(Self { freshness, session })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str, session: Option<&str>) -> Option<Demand> {
        let pairs: Vec<_> = query
            .split_terminator('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Demand::parse(&pairs, session).ok()
    }

    #[test]
    fn within_is_a_bypass_unless_it_says_otherwise() {
        let within = Freshness::within(Duration::from_millis(250));
        let freshness = |query| parse(query, None).map(|demand| demand.freshness);
        assert_eq!(freshness(""), Some(None));
        assert_eq!(freshness("within=250"), Some(Some(within.or_bypass())));
        assert_eq!(freshness("within=250&or=error"), Some(Some(within.or_error())));
        assert_eq!(freshness("or=flag&within=250"), Some(Some(within.or_flag())));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for query in ["within=soon", "within=-1", "within=1&or=else", "or=else"] {
            assert_eq!(parse(query, None), None, "{query}");
        }
        assert_eq!(parse("", Some("no token")), None);
    }
}
