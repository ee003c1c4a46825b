//! Role, replicas, and what is left after a restart.

use super::info::Info;
use super::report::Check;

pub(super) fn checks(info: &Info) -> Vec<Check> {
    vec![role(info), persistence(info)]
}

fn role(info: &Info) -> Check {
    if info.is_replica() {
        let host = info.text("master_host").unwrap_or("?");
        let port = info.text("master_port").unwrap_or("?");
        let link = info.text("master_link_status").unwrap_or("unknown");
        let says = format!(
            "it is a replica of {host}:{port} (link {link}) and takes no writes: use the master, or \
             redis+sentinel://…/SERVICE, which finds it"
        );
        return Check::fail("role", says).fact("role", "replica").fact("master_link", link);
    }
    let replicas = info.number("connected_slaves");
    let behind = (0..replicas).filter_map(|index| lag(info, index)).max().unwrap_or_default();
    let check = |says: String, is_fine: bool| {
        let check = if is_fine { Check::ok("role", says) } else { Check::warn("role", says) };
        check.fact("role", "master").fact("replicas", replicas).fact("replica_bytes_behind", behind)
    };
    if replicas == 0 {
        return check(
            "a master without replicas: while it is down there is no backplane and no second level"
                .to_owned(),
            true,
        );
    }
    match info.config_as::<u64>("min-replicas-to-write") {
        Some(0) => check(
            format!(
                "a master with {replicas} replicas, {behind} bytes behind at most. After a failover what they lacked is \
                 gone, removals and marks too: min-replicas-to-write 1 bounds it"
            ),
            false,
        )
        .fact("min_replicas_to_write", 0),
        Some(needed) => check(
            format!("a master with {replicas} replicas, {behind} bytes behind at most; writes stop with fewer than {needed}"),
            true,
        )
        .fact("min_replicas_to_write", needed),
        None => check(
            format!("a master with {replicas} replicas, {behind} bytes behind at most; whether writes wait for them is not shown"),
            false,
        ),
    }
}

/// How many bytes a replica is behind: `slave0:ip=…,port=…,state=online,offset=…,lag=…`.
fn lag(info: &Info, index: u64) -> Option<u64> {
    let line = info.text(&format!("slave{index}"))?;
    let offset = line.split(',').find_map(|part| part.strip_prefix("offset="))?;
    Some(info.number("master_repl_offset").saturating_sub(offset.parse().ok()?))
}

fn persistence(info: &Info) -> Check {
    let has_log = info.number("aof_enabled") == 1;
    let has_snapshots = info.config("save").is_some_and(|save| !save.is_empty());
    let log_error = has_log && info.text("aof_last_write_status").is_some_and(|status| status != "ok");
    let snapshot_error = info.text("rdb_last_bgsave_status").is_some_and(|status| status != "ok");
    let check = if log_error {
        Check::fail(
            "persistence",
            "the append-only file cannot be written: look at the server's log and its disk",
        )
    } else if snapshot_error && info.config("stop-writes-on-bgsave-error") == Some("yes") {
        let says = "the last snapshot failed, so it refuses writes: look at the server's log and its disk, or set \
                    stop-writes-on-bgsave-error no";
        Check::fail("persistence", says)
    } else if has_log {
        Check::ok("persistence", "an append-only file: after a kill it comes back as it was")
    } else if has_snapshots {
        let says = "snapshots alone: after a crash it comes back as it was minutes before, with values that were removed \
                    since. unstale's store notices that and .NET nodes do not: for these set appendonly yes, or save \"\"";
        Check::warn("persistence", says)
    } else if info.config_refused().is_some() {
        Check::warn(
            "persistence",
            "no append-only file; whether there are snapshots is not shown (CONFIG GET is refused)",
        )
    } else {
        Check::ok("persistence", "it keeps nothing over a restart: caches begin anew, nothing old comes back")
    };
    check.fact("append_only", has_log).fact("snapshots", has_snapshots)
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    #[test]
    fn replicas_without_a_minimum_are_a_warning_with_their_lag() {
        let fields = [
            ("role", "master"),
            ("connected_slaves", "2"),
            ("master_repl_offset", "1000"),
            ("slave0", "ip=10.0.0.1,port=6379,state=online,offset=990,lag=0"),
            ("slave1", "ip=10.0.0.2,port=6379,state=online,offset=700,lag=1"),
        ];
        let unbound = role(&Info::of(&fields, &[("min-replicas-to-write", "0")]));
        assert_eq!(unbound.status, Status::Warn);
        assert!(unbound.says.contains("300 bytes behind"), "{}", unbound.says);
        assert_eq!(role(&Info::of(&fields, &[("min-replicas-to-write", "1")])).status, Status::Ok);
    }

    #[test]
    fn what_a_crash_brings_back_is_said() {
        for (fields, config, status) in [
            (vec![("aof_enabled", "1")], vec![("save", "3600 1")], Status::Ok),
            (vec![("aof_enabled", "0")], vec![("save", "3600 1")], Status::Warn),
            (vec![("aof_enabled", "0")], vec![("save", "")], Status::Ok),
            (vec![("aof_enabled", "1"), ("aof_last_write_status", "err")], vec![], Status::Fail),
            (
                vec![("rdb_last_bgsave_status", "err")],
                vec![("stop-writes-on-bgsave-error", "yes")],
                Status::Fail,
            ),
        ] {
            let check = persistence(&Info::of(&fields, &config));
            assert_eq!(check.status, status, "{}", check.says);
        }
    }
}
