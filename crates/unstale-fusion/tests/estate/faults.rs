//! The same estate while Redis stands still, throws its clients out, and is killed.

use std::time::Duration;

use tokio::time::timeout;
use unstale_fusion::Format;
use unstale_servers::{Data, Program, Redis, needs};

use crate::ours::pause;
use crate::run::Estate;

const SECONDS: u64 = 30;
/// Until all nodes of an estate are connected again, .NET nodes among them.
const BACK_WITHIN: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
enum Fault {
    Stop,
    KillClients,
    Kill,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_ours_is_older_than_promised_over_faults_of_the_redis_of_a_mixed_estate() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let mut redis = Redis::options().append_only().start().await.expect("redis starts");
    let estate = Estate::start(&redis, &Format::MessagePack, SECONDS).await;
    for fault in [Fault::Stop, Fault::KillClients, Fault::Kill] {
        pause(2_000).await;
        estate.authority.goes();
        match fault {
            Fault::Stop => {
                redis.pause();
                pause(1_000).await;
                redis.resume();
            }
            Fault::KillClients => {
                for kind in ["pubsub", "normal"] {
                    redis.command(&["CLIENT", "KILL", "TYPE", kind]).await.expect("redis answers");
                }
            }
            Fault::Kill => {
                redis.kill();
                pause(500).await;
                redis.restart(Data::Kept).await.expect("redis starts again");
            }
        }
        let back = async {
            // Each process subscribes: two of ours, two of theirs.
            while subscribers(&redis).await < 4 {
                pause(20).await;
                estate.authority.lose();
            }
        };
        assert!(timeout(BACK_WITHIN, back).await.is_ok(), "{fault:?}: somebody is not back");
        estate.authority.comes();
    }
    estate.finish().await;
}

async fn subscribers(redis: &Redis) -> i64 {
    let channels = redis.command(&["PUBSUB", "CHANNELS"]).await.expect("redis answers");
    let mut most = 0;
    for channel in channels.list() {
        let channel = channel.text().expect("a name");
        let counts = redis.command(&["PUBSUB", "NUMSUB", channel]).await.expect("redis answers");
        most = most.max(counts.list()[1].number().expect("a count"));
    }
    most
}
