//! The backplane passes the suite of backplanes, over pub/sub and over a stream.

use redis::Cmd;
use unstale_conformance::BackplaneFixture;
use unstale_port::Properties;
use unstale_redis::{Connection, RedisBackplane, Settings};
use unstale_servers::{Program, Redis};

use crate::member::Member;

/// Members of one group on a server that is there for one test.
#[derive(Default)]
struct OnRedis {
    redis: Option<Redis>,
    stream_entries_max: Option<u64>,
}

impl BackplaneFixture for OnRedis {
    type Backplane = Member;

    async fn start(&mut self, count: usize) -> Vec<Member> {
        let redis = Redis::start().await.expect("it starts");
        let settings = Settings::parse(&redis.url()).expect("a URL");
        self.redis = Some(redis);
        let member = |index: usize| {
            let builder = RedisBackplane::builder(settings.clone()).group("shop");
            let builder = match self.stream_entries_max {
                Some(entries_max) => builder.stream(entries_max),
                None => builder,
            };
            Member::new(builder.start().expect("sound settings"), format!("node-{index}"))
        };
        (0..count).map(member).collect()
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

mod pubsub {
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
