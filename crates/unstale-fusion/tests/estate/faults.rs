//! The same estate while Redis, or the way there, goes wrong.

use std::time::Duration;

use unstale_fusion::Format;
use unstale_servers::{Data, Program, Proxy, Redis, Sentinel, Way, needs};

use crate::estate::{Estate, Plan};
use crate::ours::pause;

const FAULT_MS: u64 = 1_500;
const LATENCY: Duration = Duration::from_millis(50);
/// So slow that a flood overflows a subscriber's buffer.
const BYTES_PER_SECOND: u32 = 40_000;
/// What each subscriber's buffer may hold.
const BUFFER: &str = "pubsub 512kb 0 0";
const JUNK_BYTES: usize = 20_000;

/// Redis stands still, throws its clients out, is killed, with its data and without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_ours_is_older_than_promised_over_faults_of_the_redis_of_a_mixed_estate() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let mut redis = Redis::options().append_only().start().await.expect("redis starts");
    let estate = Estate::start(Plan::on(&redis, "faults of Redis", Format::MessagePack)).await;
    estate.go_on().await;

    estate.authority.goes();
    redis.pause();
    pause(FAULT_MS).await;
    redis.resume();
    estate.comes_back(&redis, "stopped").await;

    estate.authority.goes();
    for kind in ["pubsub", "normal"] {
        redis.command(&["CLIENT", "KILL", "TYPE", kind]).await.expect("redis answers");
    }
    estate.comes_back(&redis, "clients killed").await;

    for (data, fault) in [(Data::Kept, "killed, data kept"), (Data::Emptied, "killed, emptied")] {
        estate.authority.goes();
        redis.kill();
        pause(FAULT_MS).await;
        redis.restart(data).await.expect("redis starts again");
        estate.comes_back(&redis, fault).await;
    }
    estate.finish().await;
}

/// Links are slow, half open, cut; a subscriber's buffer overflows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_ours_is_older_than_promised_over_bad_links_of_a_mixed_estate() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let options = Redis::options().config("client-output-buffer-limit", BUFFER);
    let redis = options.start().await.expect("redis starts");
    let link = async || Proxy::to(redis.address()).await.expect("a free port");
    let (ours, theirs) = ([link().await, link().await], [link().await, link().await]);
    let urls = [ours[0].url(), ours[1].url()];
    let addresses = [theirs[0].address().to_owned(), theirs[1].address().to_owned()];
    let plan = Plan { ours: urls, theirs: addresses, ..Plan::on(&redis, "bad links", Format::Newtonsoft) };
    let estate = Estate::start(plan).await;
    estate.go_on().await;

    // Redis answers within 250 ms, so nothing is excused.
    for link in [&ours[1], &theirs[1]] {
        link.delay(LATENCY);
    }
    estate.go_on().await;
    for link in [&ours[1], &theirs[1]] {
        link.heal();
    }

    let ways: [(&[Way], _); 3] = [
        (&[Way::ToServer], "half open, nothing to Redis"),
        (&[Way::ToClient], "half open, nothing from Redis"),
        (&[Way::ToServer, Way::ToClient], "half open, nothing either way"),
    ];
    for (ways, fault) in ways {
        estate.authority.goes();
        for link in [&ours[1], &theirs[1]] {
            for way in ways {
                link.block(*way);
            }
        }
        pause(2 * FAULT_MS).await;
        ours[1].heal();
        // Whoever waits for what is lost is told.
        theirs[1].heal();
        theirs[1].cut();
        estate.comes_back(&redis, fault).await;
    }

    estate.authority.goes();
    ours[1].throttle(Some(BYTES_PER_SECOND));
    flood(&redis).await;
    ours[1].heal();
    estate.comes_back(&redis, "a subscriber's buffer overflowed").await;
    estate.finish().await;
}

/// Values, marks and leases are evicted, and the clocks of our nodes are apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_ours_is_older_than_promised_over_evictions_and_wrong_clocks_of_a_mixed_estate() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let options = Redis::options().config("maxmemory-policy", "allkeys-random");
    let redis = options.start().await.expect("redis starts");
    let apart = Duration::from_secs(10);
    let plan = Plan { apart, ..Plan::on(&redis, "evictions, clocks apart", Format::SystemTextJson) };
    let estate = Estate::start(plan).await;
    estate.go_on().await;
    estate.authority.goes();
    redis.evict(1_000).await.expect("it evicts");
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await.expect("it is set");
    estate.comes_back(&redis, "a thousand keys evicted").await;
    estate.finish().await;
}

/// A replica that lags takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_ours_is_older_than_promised_over_a_failover_of_a_mixed_estate() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let mut master = Redis::start().await.expect("redis starts");
    let replica = Redis::options().replica_of(&master).start().await.expect("redis starts");
    replica.until_info("master_link_status", "up").await.expect("it follows");
    let sentinel = Sentinel::watch("shop", &master, 1).await.expect("a sentinel starts");
    let url = format!("redis+sentinel://{}/shop", sentinel.address());
    let address = format!("{},serviceName=shop", sentinel.address());
    let (ours, theirs) = ([url.clone(), url], [address.clone(), address]);
    let plan = Plan { ours, theirs, ..Plan::on(&master, "failover", Format::SystemTextJson) };
    let estate = Estate::start(plan).await;
    estate.go_on().await;
    // From here on the replica hears nothing.
    let way = Proxy::to(master.address()).await.expect("a free port");
    let (host, port) = way.address().split_once(':').expect("an address");
    replica.command(&["REPLICAOF", host, port]).await.expect("it follows");
    replica.until_info("master_link_status", "up").await.expect("it follows");
    estate.authority.goes();
    way.block(Way::ToClient);
    pause(FAULT_MS).await;
    let port = master.port();
    master.kill();
    sentinel.until_master_is_not(port).await.expect("a failover");
    let promoted = replica.until_info("role", "master").await;
    promoted.unwrap_or_else(|error| panic!("{error}\n{}", sentinel.log().expect("a log")));
    estate.comes_back(&replica, "a replica that lagged took over").await;
    estate.finish().await;
}

/// Publishes what nobody can read, until Redis drops the subscriber that takes it too slowly.
async fn flood(redis: &Redis) {
    let channels = redis.command(&["PUBSUB", "CHANNELS", "*FusionCache*"]).await.expect("redis answers");
    let channel = channels.list()[0].text().expect("a name").to_owned();
    let (log, junk) = (redis.folder().join("log"), "j".repeat(JUNK_BYTES));
    for _ in 0..1_000 {
        redis.command(&["PUBLISH", &channel, &junk]).await.expect("redis answers");
        if std::fs::read_to_string(&log).expect("a log").contains("overcoming of output buffer limits") {
            return;
        }
        pause(1).await;
    }
    panic!("the buffer did not overflow");
}
