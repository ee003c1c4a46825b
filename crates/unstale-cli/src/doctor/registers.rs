//! Groups of unstale nodes that meet in a Redis: docs/formats/redis.md.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use redis::pipe;
use serde_json::json;
use tokio::time::sleep;
use unstale_codec::native;
use unstale_port::Error;

use super::estate::words;
use super::report::{Check, Status};
use crate::server::{Server, is_of_another_type, of_key, reply};

/// Members renew their entries more often than this.
const LOOK_AGAIN: Duration = Duration::from_millis(1_500);
/// What a register holds at most.
const MEMBERS_MAX: usize = 1_024;

/// A member as the register lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: String,
    stream: String,
    renewals: i64,
}

/// A register at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Listing {
    era: String,
    members: Vec<Member>,
    /// Entries that are no members of this version.
    strange: usize,
    ended: i64,
}

/// What is found of each, all looked at twice with one wait between; nothing of those that other programs name alike.
pub(super) async fn checks(server: &Server, keys: &[Bytes]) -> Vec<Check> {
    let mut listings = Vec::new();
    for key in keys {
        // What is of another program now is so the second time.
        if let Some(before) = Listing::read(server, key).await.transpose() {
            listings.push((key, before));
        }
    }
    if listings.iter().any(|(_, before)| before.is_ok()) {
        sleep(LOOK_AGAIN).await;
    }
    let mut checks = Vec::new();
    for (key, before) in listings {
        let group = group(key);
        let looked = match before {
            Ok(before) => Listing::read(server, key).await.map(|after| Some((before, after?))),
            Err(error) => Err(error),
        };
        match looked {
            Ok(Some((before, after))) => checks.push(describe(&group, &before, &after)),
            Ok(None) => {}
            Err(error) => {
                let says = format!("unstale: the register of the group {group} cannot be read: {error}");
                checks.push(Check::warn("register", says).fact("group", group));
            }
        }
    }
    checks
}

/// `{PREFIX:GROUP}:register`
fn group(key: &[u8]) -> String {
    let name = String::from_utf8_lossy(key).into_owned();
    let stem = name.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(stem, _)| stem.to_owned());
    stem.unwrap_or(name)
}

fn describe(group: &str, before: &Listing, after: &Listing) -> Check {
    let earlier: HashMap<&str, i64> =
        before.members.iter().map(|member| (member.stream.as_str(), member.renewals)).collect();
    let is_live = |member: &&Member| earlier.get(member.stream.as_str()) != Some(&member.renewals);
    let live: Vec<_> = after.members.iter().filter(is_live).collect();
    let silent: Vec<&str> =
        after.members.iter().filter(|member| !is_live(member)).map(|member| member.name.as_str()).collect();
    let members = after.members.len();
    let says = format!(
        "unstale: the group {group}, {members} members, {} of them renewed within {}",
        live.len(),
        words(LOOK_AGAIN)
    );
    let (status, says) = if after.strange > 0 {
        (
            Status::Warn,
            format!("{says}; {} entries are of a version that this program does not know", after.strange),
        )
    } else if !silent.is_empty() {
        let says = format!(
            "{says}; not {}: paused, cut off or dead, to be ended by the others within seconds",
            silent.join(", ")
        );
        (Status::Warn, says)
    } else {
        (Status::Ok, says)
    };
    let listed: Vec<_> = after
        .members
        .iter()
        .map(|member| {
            json!({
                "name": member.name, "stream": member.stream, "renewals": member.renewals,
                "renewed": is_live(&member),
            })
        })
        .collect();
    Check::new("register", status, says)
        .fact("group", group)
        .fact("era", after.era.clone())
        .fact("members", json!(listed))
        .fact("ended", after.ended)
}

impl Listing {
    /// None where the key is gone, or of another program.
    async fn read(server: &Server, key: &Bytes) -> Result<Option<Self>, Error> {
        let head = match server.ask(&of_key("HMGET", key, &["era", "live", "first", "next"])).await {
            Ok(head) => head,
            Err(error) if is_of_another_type(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let [era, live, first, next] = reply::list(&head) else { return Ok(None) };
        let Some(era) = reply::text(era) else { return Ok(None) };
        let number = |value| reply::number(value).unwrap_or_default();
        let mut listing = Self { era, ended: number(next).saturating_sub(number(first)), ..Self::default() };
        let slots = reply::text(live).unwrap_or_default();
        let mut rows = pipe();
        for slot in slots.split(' ').filter(|slot| !slot.is_empty()).take(MEMBERS_MAX) {
            rows.add_command(of_key("HMGET", key, &[&format!("a:{slot}"), &format!("n:{slot}")]));
        }
        if rows.is_empty() {
            return Ok(Some(listing));
        }
        for row in server.ask_all(&rows).await? {
            let [about, renewals] = reply::list(&row) else { continue };
            // One that left in between is none.
            let Some(about) = reply::bytes(about) else { continue };
            match member(&about, reply::number(renewals).unwrap_or_default()) {
                Some(member) => listing.members.push(member),
                None => listing.strange += 1,
            }
        }
        Ok(Some(listing))
    }
}

/// An entry: the inbox, the length of the id, the id, and what the node says of itself.
fn member(row: &Bytes, renewals: i64) -> Option<Member> {
    let length = usize::from(*row.get(16)?);
    let about = row.get(17 + length..)?;
    let entry = native::decode_entry(row.slice_ref(about)).ok()?;
    Some(Member { name: entry.name.to_string(), stream: entry.stream.to_string(), renewals })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(members: &[(&str, i64)]) -> Listing {
        let member = |(name, renewals): &(&str, i64)| Member {
            name: (*name).to_owned(),
            stream: format!("of {name}"),
            renewals: *renewals,
        };
        Listing { era: "7".to_owned(), members: members.iter().map(member).collect(), strange: 0, ended: 1 }
    }

    #[test]
    fn members_that_renewed_or_came_are_live() {
        let check = describe("g", &listing(&[("a", 3), ("b", 5)]), &listing(&[("a", 4), ("b", 5), ("c", 0)]));
        assert_eq!(check.status, Status::Warn);
        assert!(
            check.says.contains("3 members, 2 of them") && check.says.contains("not b:"),
            "{}",
            check.says
        );
        let all = describe("g", &listing(&[("a", 3)]), &listing(&[("a", 4)]));
        assert_eq!(all.status, Status::Ok, "{}", all.says);
    }

    #[test]
    fn any_row_is_a_member_or_none() {
        assert_eq!(member(&Bytes::new(), 0), None);
        assert_eq!(member(&Bytes::from_static(&[255; 40]), 0), None);
        assert_eq!(group(b"{unstale:shop}:register"), "unstale:shop");
    }

    #[test]
    fn fuzz_rows_of_registers() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let _ = member(&bytes.clone().into(), 0);
        });
    }
}
