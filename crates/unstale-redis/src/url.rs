//! URLs of a Redis. Nothing of a URL is in an error but what cannot be a password.

use unstale_port::Error;

use crate::address::Address;
use crate::error::config;
use crate::login::Password;
use crate::settings::{Deployment, Settings};

pub(crate) const REDIS_PORT: u16 = 6_379;
const SENTINEL_PORT: u16 = 26_379;
const URL_BYTES_MAX: usize = 8_192;
const NODES_MAX: usize = 64;

/// Parses as [`Settings`] says.
pub(crate) fn parse(url: &str) -> Result<Settings, Error> {
    if url.len() > URL_BYTES_MAX {
        return Err(config(format!("URL of {} bytes exceeds limit of {URL_BYTES_MAX}", url.len())));
    }
    let (scheme, rest) =
        url.split_once("://").ok_or_else(|| config("a URL begins with redis:// or alike"))?;
    let behind = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
    parse_parts(scheme, rest).map_err(|error| if behind.contains('@') { torn() } else { error })
}

/// Where a `/` or a `?` tears a password in two, its halves are taken for other parts of the URL: no part is told then.
fn torn() -> Error {
    config("the URL is wrong, or a `/`, a `?` or an `@` of its login or path is not percent-encoded")
}

fn parse_parts(scheme: &str, rest: &str) -> Result<Settings, Error> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if path.contains('@') {
        return Err(torn());
    }
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    let kind = scheme.strip_prefix("rediss").or_else(|| scheme.strip_prefix("redis"));
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let deployment = match kind {
        Some("") => Deployment::Single(Address::parse(hosts, REDIS_PORT)?),
        Some("+sentinel") => {
            let service =
                parts.next().ok_or_else(|| config("a sentinel URL names its service: …/SERVICE"))?;
            Deployment::Sentinel { sentinels: addresses(hosts, SENTINEL_PORT)?, service: decode(service)? }
        }
        Some("+cluster") => Deployment::Cluster(addresses(hosts, REDIS_PORT)?),
        _ => return Err(config(format!("`{}` is no scheme of a Redis", scheme.escape_debug()))),
    };
    let mut settings = Settings::new(deployment);
    if let Some(database) = parts.next() {
        settings.database =
            database.parse().map_err(|_| config("what stands for a database is not its number"))?;
    }
    if parts.next().is_some() {
        return Err(config("the path has one part too many"));
    }
    if settings.is_cluster() && settings.database != 0 {
        return Err(config("a cluster has no databases but 0"));
    }
    if let Some(login) = login {
        take_login(&mut settings, login)?;
    }
    take_options(settings, query, scheme.starts_with("rediss"))
}

/// `%XX` for whatever is not plain in a URL.
pub(crate) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let mut encoded = String::new();
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(["%", &format!("{byte:02X}")]);
        }
    }
    encoded
}

fn addresses(hosts: &str, default_port: u16) -> Result<Vec<Address>, Error> {
    let parsed: Vec<_> = hosts
        .split(',')
        .take(NODES_MAX + 1)
        .map(|host| Address::parse(host, default_port))
        .collect::<Result<_, _>>()?;
    if parsed.len() > NODES_MAX {
        return Err(config(format!("more than {NODES_MAX} hosts")));
    }
    Ok(parsed)
}

fn take_login(settings: &mut Settings, login: &str) -> Result<(), Error> {
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    if !user.is_empty() {
        settings.login.user = Some(decode(user)?);
    }
    settings.login.password = password.map(decode).transpose()?.map(Password::Text);
    Ok(())
}

fn take_options(mut settings: Settings, query: &str, is_tls: bool) -> Result<Settings, Error> {
    let mut files = Files::default();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = decode(value)?;
        match name {
            "password_env" => settings.login.password = Some(Password::of_variable(&value)?),
            "password_file" => settings.login.password = Some(Password::File(value.into())),
            "client_name" => settings = settings.client_name(value)?,
            "authority" if is_tls => files.authority = Some(value),
            "certificate" if is_tls => files.certificate = Some(value),
            "key" if is_tls => files.key = Some(value),
            _ => return Err(config(format!("`{}` is no option of this URL", name.escape_debug()))),
        }
    }
    if is_tls { files.into_tls(settings) } else { Ok(settings) }
}

/// PEM files.
#[derive(Default)]
struct Files {
    authority: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Files {
    #[cfg(feature = "tls")]
    fn into_tls(self, settings: Settings) -> Result<Settings, Error> {
        let own = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((certificate.as_ref(), key.as_ref())),
            (None, None) => None,
            _ => return Err(config("`certificate` and `key` come together")),
        };
        let tls = crate::tls::Tls::from_files(self.authority.as_ref().map(AsRef::as_ref), own)?;
        Ok(settings.tls(tls))
    }

    #[cfg(not(feature = "tls"))]
    fn into_tls(self, _: Settings) -> Result<Settings, Error> {
        let Self { authority: _, certificate: _, key: _ } = self;
        Err(config("TLS needs the feature `tls` of unstale-redis"))
    }
}

fn decode(text: &str) -> Result<String, Error> {
    let wrong = || config("a `%` is not followed by two hexadecimal digits, or what they say is not UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or_else(wrong)?;
        let value =
            digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?));
        bytes.push(value.ok_or_else(wrong)? as u8);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
