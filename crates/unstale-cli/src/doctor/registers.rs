//! Groups of unstale nodes that meet in a Redis: docs/formats/redis.md.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use redis::pipe;
use serde_json::json;
use tokio::time::sleep;
use unstale_codec::native;

use super::estate::words;
use super::report::{Check, Status};
use crate::server::{Server, command, reply};

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

pub(super) async fn check(server: &Server, key: &Bytes) -> Check {
    let group = group(key);
    let looked = async {
        let before = Listing::read(server, key).await?;
        sleep(LOOK_AGAIN).await;
        Ok::<_, String>((before, Listing::read(server, key).await?))
    };
    match looked.await {
        Ok((before, after)) => describe(&group, &before, &after),
        Err(error) => Check::warn(
            "register",
            format!("unstale: the register of the group {group} cannot be read: {error}"),
        )
        .fact("group", group),
    }
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
    async fn read(server: &Server, key: &Bytes) -> Result<Self, String> {
        let words = ["HMGET", "era", "live", "first", "next"].map(|word| Bytes::from_static(word.as_bytes()));
        let mut head = words.to_vec();
        head.insert(1, key.clone());
        let head = server.ask(&command(head)).await.map_err(|error| error.to_string())?;
        let [era, live, first, next] = reply::list(&head) else { return Err("it is no hash".to_owned()) };
        let number = |value| reply::number(value).unwrap_or_default();
        let mut listing = Self {
            era: reply::text(era).unwrap_or_default(),
            ended: number(next).saturating_sub(number(first)),
            ..Self::default()
        };
        let slots = reply::text(live).unwrap_or_default();
        let mut rows = pipe();
        for slot in slots.split(' ').filter(|slot| !slot.is_empty()).take(MEMBERS_MAX) {
            rows.cmd("HMGET").arg(&key[..]).arg(format!("a:{slot}")).arg(format!("n:{slot}"));
        }
        if rows.is_empty() {
            return Ok(listing);
        }
        for row in server.ask_all(&rows).await.map_err(|error| error.to_string())? {
            let [about, renewals] = reply::list(&row) else { return Err("it is no register".to_owned()) };
            // One that left in between is none.
            let Some(about) = reply::bytes(about) else { continue };
            match member(&about, reply::number(renewals).unwrap_or_default()) {
                Some(member) => listing.members.push(member),
                None => listing.strange += 1,
            }
        }
        Ok(listing)
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
