//! Whether the server is new enough.

use super::info::Info;
use super::report::{Check, Status};

pub(super) fn check(info: &Info) -> Check {
    // Valkey says which Redis it is compatible with, and its own version beside it.
    let own = info.text("valkey_version").map(|version| format!("Valkey {version}"));
    let version = info.text("redis_version").unwrap_or("unknown");
    let name = own.unwrap_or_else(|| format!("Redis {version}"));
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or_default();
    let (status, says) = match major {
        7.. => (Status::Ok, format!("{name}, which has all that is needed; RESP3 is spoken")),
        6 => (
            Status::Warn,
            format!(
                "{name} has no functions, which unstale's second level needs: upgrade to 7.0; the rest works"
            ),
        ),
        _ => (
            Status::Fail,
            format!("{name} is older than 6.0 and has neither RESP3 nor access lists: upgrade to 7.0"),
        ),
    };
    Check::new("version", status, says).fact("version", version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_told_what_they_lack() {
        for (version, status) in
            [("7.0.15", Status::Ok), ("8.2.1", Status::Ok), ("6.2.7", Status::Warn), ("5.0", Status::Fail)]
        {
            let check = check(&Info::of(&[("redis_version", version)], &[]));
            assert_eq!(check.status, status, "{version}: {}", check.says);
        }
    }
}
