//! What a server says of itself: `INFO`.

use std::collections::HashMap;
use std::str::FromStr;

use unstale_port::Error;

use crate::server::{Server, command, reply};

/// The fields of `INFO`, and of its configuration as far as it is shown.
#[derive(Clone, Debug)]
pub(super) struct Info {
    fields: HashMap<String, String>,
    /// The configuration, or why it is not shown.
    config: Result<HashMap<String, String>, String>,
}

/// What of the configuration is asked for. Older servers take one name at a time.
const CONFIG: [&str; 8] = [
    "maxmemory",
    "maxmemory-policy",
    "client-output-buffer-limit",
    "min-replicas-to-write",
    "appendonly",
    "save",
    "stop-writes-on-bgsave-error",
    "timeout",
];

impl Info {
    /// Asks for all of it.
    pub(super) async fn read(server: &Server) -> Result<Self, Error> {
        let info = server.ask(&command(["INFO"])).await?;
        let mut fields = HashMap::new();
        for line in reply::text(&info).unwrap_or_default().lines() {
            if let Some((name, value)) = line.split_once(':') {
                fields.insert(name.to_owned(), value.trim_end().to_owned());
            }
        }
        let mut config = Ok(HashMap::new());
        for name in CONFIG {
            let asked = server.ask(&command(["CONFIG", "GET", name])).await;
            match (asked, &mut config) {
                (Ok(answer), Ok(config)) => {
                    let pairs = reply::pairs(&answer);
                    config.extend(
                        pairs
                            .iter()
                            .filter_map(|(name, value)| Some((reply::text(name)?, reply::text(value)?))),
                    );
                }
                (Err(error), _) => {
                    config = Err(error.to_string());
                    break;
                }
                (Ok(_), Err(_)) => break,
            }
        }
        Ok(Self { fields, config })
    }

    /// A field as it is written.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// A field as a number; 0 where there is none.
    pub(super) fn number(&self, field: &str) -> u64 {
        self.text(field).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// A setting, if settings are shown.
    pub(super) fn config(&self, name: &str) -> Option<&str> {
        self.config.as_ref().ok()?.get(name).map(String::as_str)
    }

    /// A setting in another form.
    pub(super) fn config_as<T: FromStr>(&self, name: &str) -> Option<T> {
        self.config(name)?.parse().ok()
    }

    /// Why settings are not shown.
    pub(super) fn config_refused(&self) -> Option<&str> {
        self.config.as_ref().err().map(String::as_str)
    }

    pub(super) fn is_replica(&self) -> bool {
        self.text("role") == Some("slave")
    }

    #[cfg(test)]
    pub(super) fn of(fields: &[(&str, &str)], config: &[(&str, &str)]) -> Self {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Self { fields: map(fields), config: Ok(map(config)) }
    }
}
