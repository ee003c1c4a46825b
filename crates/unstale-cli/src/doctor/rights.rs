//! What the user may do, tried one by one.

use redis::Cmd;
use tokio::time::timeout;
use unstale_port::{Error, Kind};
use unstale_redis::{Notice, Subscription, Topic};

use super::keys::{LIFE_SECONDS, Own};
use super::report::{Check, Status};
use crate::server::{Server, command};

/// What EVALSHA, FUNCTION LOAD and FCALL say where nothing is found, nothing loaded.
const ANSWERS: [&str; 3] = ["NOSCRIPT", "No functions registered", "Function not found"];

/// A right, and who needs it.
struct Right {
    name: &'static str,
    /// Without it nothing works at all, or something else does.
    without: Status,
    needed_for: &'static str,
    commands: Vec<Cmd>,
}

pub(super) async fn checks(server: &Server, own: &Own) -> Vec<Check> {
    let mut checks = vec![subscribe(server, own).await];
    for right in rights(own) {
        checks.push(right.check(server, own).await);
    }
    // What lives for a minute anyway.
    for key in ["hash", "string", "stream"] {
        let _ = server.ask(&command(["DEL", &own.key(key)])).await;
    }
    checks
}

fn rights(own: &Own) -> [Right; 7] {
    let (hash, string, stream) = (own.key("hash"), own.key("string"), own.key("stream"));
    let keyed = "return redis.call('PEXPIRE', KEYS[1], 60000)";
    [
        Right {
            name: "publish",
            without: Status::Fail,
            needed_for: "telling others of invalidations, unstale and .NET",
            commands: vec![command(["PUBLISH", &own.channel(), "right"])],
        },
        Right {
            name: "hash",
            without: Status::Fail,
            needed_for: "the second level of .NET nodes, and the register of unstale nodes",
            commands: vec![
                command(["HSET", &hash, "absexp", "-1", "sldexp", "-1", "data", "right"]),
                command(["EXPIRE", &hash, LIFE_SECONDS]),
                command(["HMGET", &hash, "absexp", "sldexp", "data"]),
                command(["DEL", &hash]),
            ],
        },
        Right {
            name: "string",
            without: Status::Warn,
            needed_for: "unstale's second level, and locks of .NET nodes",
            commands: vec![
                command(["SET", &string, "right", "NX", "PX", "60000"]),
                command(["GET", &string]),
                command(["UNLINK", &string]),
            ],
        },
        Right {
            name: "script",
            without: Status::Fail,
            needed_for: "unstale's register and its share of .NET caches, and locks of .NET nodes",
            // The second is unknown to the server, which is an answer: only a right that is missing is none.
            commands: vec![
                command(["EVAL", keyed, "1", &string]),
                command(["EVALSHA", "0000000000000000000000000000000000000000", "1", &string]),
            ],
        },
        Right {
            name: "function",
            without: Status::Warn,
            needed_for: "unstale's second level",
            // Nothing is loaded, nothing is found: only a right that is missing is another error.
            commands: vec![
                command(["FUNCTION", "LOAD", "#!lua name=unstale_doctor\n"]),
                command(["FCALL", "unstale_doctor", "1", &string]),
            ],
        },
        Right {
            name: "stream",
            without: Status::Warn,
            needed_for: "the backplane over Streams",
            commands: vec![
                command(["XADD", &stream, "MAXLEN", "1", "*", "f", "right"]),
                command(["EXPIRE", &stream, LIFE_SECONDS]),
                command(["XRANGE", &stream, "-", "+", "COUNT", "1"]),
                command(["XREAD", "COUNT", "1", "STREAMS", &stream, "0"]),
                command(["DEL", &stream]),
            ],
        },
        Right {
            name: "time",
            without: Status::Warn,
            needed_for: "unstale's second level and register, which go by the server's clock and life",
            commands: vec![command(["TIME"]), command(["INFO", "replication"])],
        },
    ]
}

impl Right {
    async fn check(self, server: &Server, own: &Own) -> Check {
        for command in &self.commands {
            match server.ask(command).await {
                Ok(_) => {}
                Err(error) if is_allowed(&error) => {}
                Err(error) => return self.refused(&error, own),
            }
        }
        Check::ok("right", format!("{}: allowed", self.name)).fact("right", self.name)
    }

    fn refused(&self, error: &Error, own: &Own) -> Check {
        let Self { name, without, needed_for, .. } = self;
        Check::new(
            "right",
            *without,
            format!("{name}: {}. It is needed for {needed_for}", advice(error, own)),
        )
        .fact("right", *name)
    }
}

/// An error that only somebody gets who may ask, of a server that has the command and would do it.
fn is_allowed(error: &Error) -> bool {
    let text = error.to_string();
    error.kind() == Kind::Rejected && ANSWERS.iter().any(|answer| text.contains(answer))
}

fn advice(error: &Error, own: &Own) -> String {
    let text = error.to_string();
    if text.contains("access a key") || text.contains("access one of the keys") {
        return format!(
            "the user may not touch {}: allow it (~PATTERN), or name keys that are allowed with --own PREFIX",
            own.key("…")
        );
    }
    if text.contains("access a channel") || text.contains("access one of the channels") {
        return format!(
            "the user may not use the channel {}: allow it (&PATTERN), or name channels that are allowed with --own PREFIX",
            own.channel()
        );
    }
    if error.kind() == Kind::Unauthenticated {
        return format!("{text}: allow it with ACL SETUSER");
    }
    text
}

async fn subscribe(server: &Server, own: &Own) -> Check {
    let settings = server.settings().clone();
    let topics = [Topic::Channel(own.channel().into())];
    let mut subscription = Subscription::open(settings, topics);
    let right = Right {
        name: "subscribe",
        without: Status::Fail,
        needed_for: "hearing of invalidations, unstale and .NET",
        commands: Vec::new(),
    };
    match timeout(super::round_trip::PATIENCE, subscription.next()).await {
        Ok(Notice::Lost(error)) => right.refused(&error, own),
        Ok(Notice::Began | Notice::Message { .. }) => {
            Check::ok("right", "subscribe: allowed").fact("right", "subscribe")
        }
        Err(_) => Check::fail("right", "subscribe: no answer").fact("right", "subscribe"),
    }
}

#[cfg(test)]
mod tests {
    use unstale_port::Retry;

    use super::*;

    #[test]
    fn only_what_a_command_itself_answers_shows_that_it_is_allowed() {
        let refused = |kind, line: &str| Error::new(kind, Retry::Never, "command", line);
        for line in [
            "NOSCRIPT No matching script. Please use EVAL.",
            "ERR No functions registered",
            "ERR Function not found",
        ] {
            assert!(is_allowed(&refused(Kind::Rejected, line)), "{line}");
        }
        for line in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "ERR unknown command 'FCALL', with args beginning with: 'unstale_doctor'",
            "ERR unknown subcommand 'LOAD'. Try FUNCTION HELP.",
        ] {
            assert!(!is_allowed(&refused(Kind::Rejected, line)), "{line}");
        }
        assert!(!is_allowed(&refused(Kind::Unauthenticated, "NOPERM this user has no permissions")));
    }
}
