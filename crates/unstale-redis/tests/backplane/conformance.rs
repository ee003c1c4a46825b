//! The backplane passes the suites of backplanes and of registers, over pub/sub and over a stream.

use redis::Cmd;
use unstale_conformance::{BackplaneFixture, RegisterFixture};
use unstale_port::Properties;
use unstale_redis::{Connection, RedisBackplane, Settings};
use unstale_servers::{Program, Redis};

use crate::member::Member;

/// Backplanes of one group on a server that is there for one test.
#[derive(Default)]
struct OnRedis {
    redis: Option<Redis>,
    stream_entries_max: Option<u64>,
}

impl OnRedis {
    async fn backplanes(&mut self, count: usize) -> Vec<RedisBackplane> {
        let redis = Redis::start().await.expect("it starts");
        let settings = Settings::parse(&redis.url()).expect("a URL");
        self.redis = Some(redis);
        let backplane = |_| {
            let builder = RedisBackplane::builder(settings.clone()).group("shop");
            let builder = match self.stream_entries_max {
                Some(entries_max) => builder.stream(entries_max),
                None => builder,
            };
            builder.start().expect("sound settings")
        };
        (0..count).map(backplane).collect()
    }
}

impl BackplaneFixture for OnRedis {
    type Backplane = Member;

    async fn start(&mut self, count: usize) -> Vec<Member> {
        let backplanes = self.backplanes(count).await.into_iter().enumerate();
        backplanes.map(|(index, backplane)| Member::new(backplane, format!("node-{index}"))).collect()
    }

    /// Whoever may publish can put anything into every channel, and into the stream.
    async fn throw_garbage(&mut self, _: &Properties, bytes: &[u8]) {
        let redis = self.redis.as_ref().expect("it was started");
        let connection = Connection::open(Settings::parse(&redis.url()).expect("a URL"));
        connection.until_up().await;
        let channels = redis.command(&["PUBSUB", "CHANNELS", "{unstale:shop}:*"]).await.expect("an answer");
        let channels: Vec<_> = channels.list().iter().filter_map(|channel| channel.text()).collect();
        assert!(channels.len() >= 2, "{channels:?}");
        for channel in channels {
            connection.run("throw", Cmd::new().arg("PUBLISH").arg(channel).arg(bytes)).await.expect("it may");
        }
        if self.stream_entries_max.is_some() {
            let mut command = Cmd::new();
            command.arg("XADD").arg("{unstale:shop}:stream").arg("*").arg("m").arg(bytes);
            connection.run("throw", &command).await.expect("it may");
        }
    }
}

/// The same without owners: what is entered and read is the suite's own affair.
#[derive(Default)]
struct Bare(OnRedis);

impl BackplaneFixture for Bare {
    type Backplane = RedisBackplane;

    async fn start(&mut self, count: usize) -> Vec<RedisBackplane> {
        self.0.backplanes(count).await
    }
}

impl RegisterFixture for Bare {
    async fn lose_register(&mut self) {
        let redis = self.0.redis.as_ref().expect("it was started");
        redis.command(&["FLUSHALL"]).await.expect("flushed");
    }
}

mod pubsub {
    unstale_conformance::register_suite!(super::Bare::default(), if super::is_here);
    unstale_conformance::backplane_suite!(super::OnRedis::default(), if super::is_here);
}

mod stream {
    unstale_conformance::backplane_suite!(
        super::OnRedis { redis: None, stream_entries_max: Some(10_000) }, if super::is_here
    );
}

fn is_here(test: &str) -> bool {
    Program::RedisServer.is_here_for(test)
}
