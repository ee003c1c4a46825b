//! From publishing to receiving.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::time::timeout;
use unstale_redis::{Notice, Subscription, Topic};

use super::keys::Own;
use super::report::Check;
use crate::server::{Server, command};

/// How long one message may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// A backplane that is slower than this at the median makes caches visibly late.
const SLOW: Duration = Duration::from_millis(50);

pub(super) async fn check(server: &Server, own: &Own, tries: u32) -> Check {
    match measure(server, own, tries).await {
        Ok(times) => describe(&times),
        Err(why) => Check::fail("round-trip", why),
    }
}

/// Microseconds from the call of PUBLISH to the message.
async fn measure(server: &Server, own: &Own, tries: u32) -> Result<Histogram<u64>, String> {
    let channel = own.channel();
    let mut subscription =
        Subscription::open(server.settings().clone(), [Topic::Channel(channel.clone().into())]);
    let mut times = Histogram::new(3).map_err(|error| error.to_string())?;
    match timeout(PATIENCE, subscription.next()).await {
        Ok(Notice::Began) => {}
        Ok(Notice::Lost(error)) => return Err(format!("it cannot be measured: {error}")),
        Ok(Notice::Message { .. }) | Err(_) => return Err("no subscription within 5 s".to_owned()),
    }
    for number in 0..tries {
        let number = number.to_string();
        let publish = command(["PUBLISH", &channel, &number]);
        let began = Instant::now();
        let (published, heard) = tokio::join!(
            server.ask(&publish),
            timeout(PATIENCE, heard(&mut subscription, number.as_bytes(), began))
        );
        published.map_err(|error| format!("it cannot be measured: {error}"))?;
        match heard {
            Ok(Ok(time)) => times.saturating_record(time.as_micros() as u64),
            Ok(Err(why)) => return Err(format!("the subscription was lost meanwhile: {why}")),
            Err(_) => {
                return Err("a message was published and not received within 5 s: look for a proxy between, or for nodes \
                            of a cluster that do not reach each other"
                    .to_owned());
            }
        }
    }
    Ok(times)
}

async fn heard(subscription: &mut Subscription, number: &[u8], began: Instant) -> Result<Duration, String> {
    loop {
        match subscription.next().await {
            Notice::Message { payload, .. } if payload == number => return Ok(began.elapsed()),
            Notice::Message { .. } | Notice::Began => {}
            Notice::Lost(error) => return Err(error.to_string()),
        }
    }
}

fn describe(times: &Histogram<u64>) -> Check {
    let (p50, p99) = (times.value_at_quantile(0.5), times.value_at_quantile(0.99));
    let says =
        format!("published and received within {p50} us at the median, {p99} us at the 99th percentile");
    let check = if Duration::from_micros(p50) > SLOW {
        Check::warn(
            "round-trip",
            format!("{says}: each invalidation is that late; look at the network, and at SLOWLOG"),
        )
    } else {
        Check::ok("round-trip", says)
    };
    check.fact("tries", times.len()).fact("p50_us", p50).fact("p99_us", p99).fact("max_us", times.max())
}
