//! Who comes to a server: a user and a password that nobody sees.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use unstale_port::Error;

use crate::error::config;

/// A user, `default` unless named, and a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Password>,
}

/// Where the password comes from. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Password {
    Text(String),
    /// Read anew for each connection, so that a changed one counts from the next on.
    File(PathBuf),
}

impl Password {
    /// The password in an environment variable.
    pub(crate) fn of_variable(name: &str) -> Result<Self, Error> {
        Self::of_value(std::env::var_os(name))
            .map_err(|cause| config(format!("the password is not in the variable `{name}`: {cause}")))
    }

    fn of_value(value: Option<OsString>) -> Result<Self, &'static str> {
        let text = value.ok_or("it is not set")?.into_string();
        // What it is instead may be a password all the same.
        text.map(Self::Text).map_err(|_| "it is not UTF-8")
    }

    /// The password as it is now; of a file its first line.
    pub(crate) fn read(&self) -> Result<String, Error> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => {
                let read = std::fs::read_to_string(path);
                let text = read.map_err(|cause| {
                    config(format!("the password file {} cannot be read: {cause}", path.display()))
                })?;
                Ok(text.lines().next().unwrap_or_default().to_owned())
            }
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("***"),
            Self::File(path) => write!(f, "*** of {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf_8_is_not_told() {
        use std::os::unix::ffi::OsStringExt;

        let error = Password::of_value(Some(OsString::from_vec(b"s3cr\xffet".to_vec())));
        assert_eq!(error, Err("it is not UTF-8"));
        assert_eq!(Password::of_value(None), Err("it is not set"));
    }
}
