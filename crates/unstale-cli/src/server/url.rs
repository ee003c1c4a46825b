//! A URL on a command line.
//!
//! It is not parsed along with the other arguments: what is wrong with one of those is told together with its text, and the
//! text of a URL may have a password in it.

use std::str::FromStr;

use unstale_redis::Settings;

/// A Redis, as somebody wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Url {
    /// How to come to it.
    pub(crate) settings: Settings,
}

/// What is no URL here, in words without a secret in them.
#[derive(Clone, Debug)]
pub(crate) struct BadUrl(String);

impl FromStr for Url {
    type Err = BadUrl;

    /// Parses as [`Settings::parse`], but takes no password: whoever lists processes would see it.
    fn from_str(text: &str) -> Result<Self, BadUrl> {
        if has_password(text) {
            return Err(BadUrl(
                "a password on a command line is seen by everybody on this machine: put it into an environment variable \
                 or a file, and end the URL with ?password_env=VARIABLE or ?password_file=PATH"
                    .to_owned(),
            ));
        }
        let parsed = Settings::parse(text).and_then(|settings| settings.client_name("unstale-cli"));
        match parsed {
            Ok(settings) => Ok(Self { settings }),
            Err(error) => Err(BadUrl(tls_hint(error.to_string()))),
        }
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.settings.fmt(f)
    }
}

impl std::fmt::Display for BadUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadUrl {}

fn has_password(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    // A password with a `/` in it ends the authority early; its user and `:` are still before it.
    let login = match authority.rsplit_once('@') {
        Some((login, _)) => login,
        None if rest.contains('@') => authority,
        None => return false,
    };
    login.split_once(':').is_some_and(|(_, password)| !password.is_empty())
}

/// This program names its own features.
fn tls_hint(error: String) -> String {
    if cfg!(not(feature = "tls")) && error.contains("TLS needs the feature") {
        return "this build has no TLS: cargo build --release -p unstale-cli --features tls".to_owned();
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_refused_and_never_repeated() {
        for url in
            ["redis://:sesame@h", "redis://u:sesame@h:1/2", "rediss://u:se/sesame@h", "redis://u:sesame?@h"]
        {
            let error = url.parse::<Url>().expect_err(url).to_string();
            assert!(error.contains("password_env") && !error.contains("sesame"), "{url}: {error}");
        }
        for url in
            ["redis://h", "redis://u@h:7000/1", "redis+sentinel://a,b/shop", "redis+cluster://a,[::1]:7"]
        {
            url.parse::<Url>().expect(url);
        }
        for url in ["h:6379", "http://h", "redis://", "redis://h?pass=1"] {
            url.parse::<Url>().expect_err(url);
        }
    }
}
