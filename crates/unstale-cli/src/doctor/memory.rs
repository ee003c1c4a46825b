//! Room for entries, and for subscribers that are slow.

use super::info::Info;
use super::report::Check;
use crate::server::{Server, command, reply};

pub(super) async fn checks(server: &Server, info: &Info) -> Vec<Check> {
    let clients = server.ask(&command(["CLIENT", "LIST", "TYPE", "pubsub"])).await.ok();
    vec![memory(info), buffers(info, clients.as_ref().and_then(reply::text).as_deref())]
}

fn memory(info: &Info) -> Check {
    let (used, limit) = (info.number("used_memory"), info.number("maxmemory"));
    let policy =
        info.text("maxmemory_policy").or(info.config("maxmemory-policy")).unwrap_or("unknown").to_owned();
    let evicted = info.number("evicted_keys");
    let share = used.saturating_mul(100).checked_div(limit).unwrap_or_default();
    let check = if limit == 0 {
        let machine = info.number("total_system_memory");
        if machine > 0 && used > machine / 2 {
            Check::warn(
                "memory",
                "no maxmemory, and more than half of the machine's memory in use: set one, so that it is not killed",
            )
        } else {
            Check::ok("memory", format!("no maxmemory, so nothing is evicted; {} in use", size(used)))
        }
    } else if policy == "noeviction" {
        let says =
            format!("{share} % of {} in use; at the limit writes are refused (noeviction)", size(limit));
        match share {
            95.. => Check::fail(
                "memory",
                format!("{says}: values, tag and clear marks are not stored any more. Raise maxmemory"),
            ),
            80.. => Check::warn("memory", format!("{says}, tag and clear marks too: raise maxmemory")),
            _ => Check::ok("memory", says),
        }
    } else {
        let lost = if evicted > 0 {
            format!("{evicted} keys were evicted since its start")
        } else {
            "nothing was evicted yet".to_owned()
        };
        let which = if policy.starts_with("volatile") {
            "keys with an end, which tag and clear marks, leases and values all have"
        } else {
            "any key, tag and clear marks and leases among them"
        };
        let says = format!(
            "{share} % of {} in use, {lost}. At the limit {policy} evicts {which}: unstale's store then forgets values, \
             never a removal, but to a .NET node that loses a mark what was removed by it is valid again. Give marks room: \
             raise maxmemory, or use noeviction and short lives",
            size(limit)
        );
        Check::warn("memory", says)
    };
    check
        .fact("used_bytes", used)
        .fact("limit_bytes", limit)
        .fact("policy", policy)
        .fact("evicted_keys", evicted)
}

/// Below this a short burst already costs a subscriber its connection.
const BUFFER_BYTES_MIN: u64 = 1 << 20;

fn buffers(info: &Info, clients: Option<&str>) -> Check {
    let waiting: Vec<u64> = clients.unwrap_or_default().lines().filter_map(waiting_bytes).collect();
    let most = waiting.iter().copied().max().unwrap_or_default();
    let dropped = info.number("client_output_buffer_limit_disconnections");
    let facts = |check: Check| {
        check.fact("subscribers", waiting.len()).fact("waiting_bytes_max", most).fact("dropped", dropped)
    };
    let Some(limit) = info.config("client-output-buffer-limit").and_then(Limit::parse) else {
        let why = info.config_refused().unwrap_or("it has none");
        return facts(Check::warn(
            "buffers",
            format!("the limit of subscribers' output buffers is not shown: {why}"),
        ));
    };
    let words = match limit {
        Limit { hard: 0, soft: 0, .. } => {
            "subscribers may be behind without a limit, which can fill the memory".to_owned()
        }
        Limit { hard, soft, seconds } => format!(
            "a subscriber that is {} behind, or {} for {seconds} s, is dropped and misses messages",
            size(hard),
            size(soft)
        ),
    };
    let check = if dropped > 0 {
        Check::warn(
            "buffers",
            format!("{words}; {dropped} clients were dropped since its start: find the slow ones in the log"),
        )
    } else if limit.hard != 0 && limit.hard < BUFFER_BYTES_MIN {
        Check::warn(
            "buffers",
            format!("{words}: raise client-output-buffer-limit pubsub, 32mb 8mb 60 is usual"),
        )
    } else if limit.hard != 0 && most > limit.hard / 2 {
        Check::warn("buffers", format!("{words}; one is {} behind now", size(most)))
    } else {
        Check::ok("buffers", words)
    };
    facts(
        check
            .fact("hard_bytes", limit.hard)
            .fact("soft_bytes", limit.soft)
            .fact("soft_seconds", limit.seconds),
    )
}

/// How far a subscriber may be behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    hard: u64,
    soft: u64,
    seconds: u64,
}

impl Limit {
    /// Out of `normal 0 0 0 slave … pubsub 33554432 8388608 60`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().skip_while(|word| *word != "pubsub").skip(1);
        let mut next = || words.next()?.parse().ok();
        Some(Self { hard: next()?, soft: next()?, seconds: next()? })
    }
}

/// What waits for a client, in a line of `CLIENT LIST`.
fn waiting_bytes(line: &str) -> Option<u64> {
    line.split(' ').find_map(|field| field.strip_prefix("omem="))?.parse().ok()
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (bytes.checked_ilog2().unwrap_or_default() / 10).min(4);
    let amount = bytes as f64 / (1_u64 << (10 * unit)) as f64;
    let digits = usize::from(unit > 0 && amount < 10.0);
    format!("{amount:.digits$} {}", units[unit as usize])
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    #[test]
    fn what_happens_at_the_limit_is_said() {
        for (used, limit, policy, status, part) in [
            ("1", "0", "noeviction", Status::Ok, "nothing is evicted"),
            ("50", "100", "noeviction", Status::Ok, "50 %"),
            ("85", "100", "noeviction", Status::Warn, "marks too"),
            ("99", "100", "noeviction", Status::Fail, "not stored any more"),
            ("1", "100", "allkeys-lru", Status::Warn, "valid again"),
            ("1", "100", "volatile-ttl", Status::Warn, "keys with an end"),
        ] {
            let fields = [("used_memory", used), ("maxmemory", limit), ("maxmemory_policy", policy)];
            let check = memory(&Info::of(&fields, &[]));
            assert_eq!(check.status, status, "{policy} {used}");
            assert!(check.says.contains(part), "{part} in {}", check.says);
        }
    }

    #[test]
    fn subscribers_that_are_dropped_or_nearly_are_a_warning() {
        let config = |limit: &'static str| [("client-output-buffer-limit", limit)];
        let usual = config("normal 0 0 0 slave 1 1 1 pubsub 33554432 8388608 60");
        let clients = "id=3 name=a omem=20501 tot-mem=1\nid=4 name=b omem=0 tot-mem=1\n";
        let check = buffers(&Info::of(&[], &usual), Some(clients));
        assert_eq!(check.status, Status::Ok);
        assert!(check.says.contains("32 MiB behind, or 8.0 MiB for 60 s"), "{}", check.says);
        let near = "id=3 omem=20000000\n";
        assert_eq!(buffers(&Info::of(&[], &usual), Some(near)).status, Status::Warn);
        let small = config("pubsub 1000 100 1");
        assert_eq!(buffers(&Info::of(&[], &small), None).status, Status::Warn);
        let dropped = [("client_output_buffer_limit_disconnections", "2")];
        assert_eq!(buffers(&Info::of(&dropped, &usual), None).status, Status::Warn);
    }

    #[test]
    fn sizes_have_a_unit_that_fits() {
        let sizes = [0, 1_023, 1_024, 1_536, 33_554_432, 10 << 30].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "32 MiB", "10 GiB"]);
    }
}
