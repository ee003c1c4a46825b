//! Where a Redis is and how to come to it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use unstale_port::Error;

use crate::address::Address;
use crate::error::config;
use crate::login::{Login, Password};
#[cfg(not(feature = "tls"))]
use crate::plain::Tls;
#[cfg(feature = "tls")]
use crate::tls::Tls;

const CLIENT_NAME_BYTES_MAX: usize = 128;

/// Where a Redis is and how to come to it. Its text and `Debug` show no password.
///
/// | URL | what it means |
/// |---|---|
/// | `redis://HOST[:PORT][/DB]` | one server; port 6379 and database 0 unless said |
/// | `redis+sentinel://HOST[:PORT][,HOST[:PORT]…]/SERVICE[/DB]` | the present master of SERVICE, as sentinels say; port 26379 |
/// | `redis+cluster://HOST[:PORT][,HOST[:PORT]…]` | a cluster, found by any of these nodes; port 6379 |
/// | `rediss://`, `rediss+sentinel://`, `rediss+cluster://` | the same inside TLS, sentinels too (feature `tls`) |
///
/// Before the hosts `USER:PASSWORD@` or `:PASSWORD@`, percent-encoded. After all of it, as `?name=value&…`:
/// `password_env` and `password_file` say where the password is instead, `client_name` is [`Self::client_name`], and for TLS
/// `authority`, `certificate` and `key` name PEM files.
///
/// ```
/// use unstale_redis::Settings;
///
/// let settings = Settings::parse("redis://app:s3cret@cache.internal:6380/2")?;
/// assert_eq!(settings.to_string(), "redis://app@cache.internal:6380/2");
/// assert!(!format!("{settings:?}").contains("s3cret"));
/// # Ok::<(), unstale_port::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) deployment: Deployment,
    pub(crate) login: Login,
    pub(crate) sentinel_login: Login,
    pub(crate) database: u32,
    pub(crate) role: Role,
    pub(crate) tls: Option<Tls>,
    pub(crate) client_name: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

/// Whom a connection is content with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// One that takes writes. A server that is none is as good as unreachable: another one may be by the next try.
    Master,
    /// Also a replica: enough to look at it.
    Any,
}

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deployment {
    /// One server.
    Single(Address),
    /// The present master of a service.
    Sentinel { sentinels: Vec<Address>, service: String },
    /// A cluster, by nodes to begin with.
    Cluster(Vec<Address>),
}

impl Settings {
    /// Parses a URL, as the table above says.
    ///
    /// # Errors
    /// `Config` for what is no such URL; the password is not in the error.
    pub fn parse(url: &str) -> Result<Self, Error> {
        crate::url::parse(url)
    }

    pub(crate) fn new(deployment: Deployment) -> Self {
        Self {
            deployment,
            login: Login::default(),
            sentinel_login: Login::default(),
            database: 0,
            role: Role::Master,
            tls: None,
            client_name: "unstale".to_owned(),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
        }
    }

    /// The user of the server's access list. Default: the URL's, else `default`.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.login.user = Some(user.into());
        self
    }

    /// The password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.login.password = Some(Password::Text(password.into()));
        self
    }

    /// Takes the password from an environment variable, now.
    ///
    /// # Errors
    /// `Config` if it is not set.
    pub fn password_from_env(mut self, variable: &str) -> Result<Self, Error> {
        self.login.password = Some(Password::of_variable(variable)?);
        Ok(self)
    }

    /// Takes the password from the first line of a file, read anew for each connection.
    #[must_use]
    pub fn password_from_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.login.password = Some(Password::File(path.into()));
        self
    }

    /// User and password for the sentinels, if they ask for any; by default none is given to them.
    #[must_use]
    pub fn sentinel_login(mut self, user: Option<String>, password: impl Into<String>) -> Self {
        self.sentinel_login = Login { user, password: Some(Password::Text(password.into())) };
        self
    }

    /// Certificates for `rediss` URLs. Default: the system's authorities, no certificate of one's own.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// What `CLIENT LIST` calls the connections. Default: `unstale`.
    ///
    /// # Errors
    /// `Config` if it is empty, longer than 128 bytes, or has blanks or anything but printable ASCII in it, which Redis
    /// does not take.
    pub fn client_name(mut self, name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        let is_fit = name.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || name.len() > CLIENT_NAME_BYTES_MAX || !is_fit {
            return Err(config(format!(
                "client name `{name}` is not 1 to {CLIENT_NAME_BYTES_MAX} printable bytes"
            )));
        }
        self.client_name = name;
        Ok(self)
    }

    /// How long a connection may take to come up, TLS and login included. Default: 1 s.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long a command may wait for its answer; one that waited longer has failed, and its connection is asked whether it is
    /// there. Default: 1 s.
    #[must_use]
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.response_timeout = limit;
        self
    }

    /// Whom a connection to one server is content with. Default: [`Role::Master`].
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// The same login and terms for one server, such as a single node of a cluster.
    ///
    /// # Errors
    /// `Config` if `address` is not `HOST` or `HOST:PORT`.
    pub fn at(mut self, address: &str) -> Result<Self, Error> {
        self.deployment = Deployment::Single(Address::parse(address, crate::url::REDIS_PORT)?);
        Ok(self)
    }

    /// Connects and logs in once, and leaves again: whether that can be done, and if not, why. Takes no longer than
    /// [`Self::connect_timeout`] for each address of the list.
    ///
    /// # Errors
    /// `Unavailable` or `Timeout` where nobody answers or not as whom [`Self::role`] asks for, `Unauthenticated` where the
    /// login is refused, else as the server says.
    pub async fn probe(&self) -> Result<(), Error> {
        crate::dial::open(self).await.map(drop)
    }

    /// Whether it is a cluster.
    pub fn is_cluster(&self) -> bool {
        matches!(self.deployment, Deployment::Cluster(_))
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl fmt::Display for Settings {
    /// The URL without password and options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_tls() { "rediss" } else { "redis" })?;
        let list =
            |addresses: &[Address]| addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(",");
        let (kind, hosts, service) = match &self.deployment {
            Deployment::Single(address) => ("", address.to_string(), None),
            Deployment::Sentinel { sentinels, service } => ("+sentinel", list(sentinels), Some(service)),
            Deployment::Cluster(nodes) => ("+cluster", list(nodes), None),
        };
        write!(f, "{kind}://")?;
        if let Some(user) = &self.login.user {
            write!(f, "{}@", crate::url::encode(user))?;
        }
        f.write_str(&hosts)?;
        if let Some(service) = service {
            write!(f, "/{}", crate::url::encode(service))?;
        }
        if self.database != 0 {
            write!(f, "/{}", self.database)?;
        }
        Ok(())
    }
}
