//! One name, lived under again and again.

use std::time::Duration;

use unstale_core::{Admit, Config, Input, Membership, Message, Order, ProcessId, Slot, Stream};

use crate::protocol::node::name;
use crate::protocol::puppet::Puppet;
use crate::protocol::world::{MS, address};
use crate::violation::{Promise, Violation};

/// As many lives as a scenario has time for.
const LIVES: u64 = 5_000;

/// One name is lived under again and again (S5).
pub(crate) fn many_lives(_: Option<&str>) -> Result<(), Violation> {
    lives(LIVES)
}

/// The same, as often as is wanted: a life in 31 s, every third one of which ends without a goodbye.
pub(crate) fn lives(count: u64) -> Result<(), Violation> {
    let peer = Slot { name: Some(name("b")), address: address(1) };
    let mut config = Config::new(name("shop"), name("a"), Membership::Fixed(vec![peer]));
    config.address = Some(address(0));
    // So that idle time costs nothing.
    config.timing.beat = Duration::from_secs(20);
    config.timing.unheard = Duration::from_secs(50);
    let mut puppet = Puppet::with(config);
    for life in 0..count {
        live(&mut puppet, life);
        let status = puppet.node.machine.status(puppet.node.local(puppet.now));
        let bound = status.limits.journal;
        let bounded = status.ended <= 25 && status.members.len() <= 2 && status.links == 0;
        let bounded = bounded && status.journal.peer_frames_bytes <= bound.peer_frames_bytes;
        if !bounded {
            let text = format!("life {life}: {} ended, {} members", status.ended, status.members.len());
            return Err(Violation::new(Promise::S5, text));
        }
    }
    Ok(())
}

fn live(puppet: &mut Puppet, life: u64) {
    let stream = Stream::first(ProcessId(1_000 + u128::from(life)));
    let link = puppet.link_up(Order::Fifo);
    let hello = puppet.hello_of(stream, 1, true);
    puppet.say(link, Message::Hello(hello));
    let admit = Admit { stream, ..puppet.admit_of(1, 0) };
    puppet.say(link, Message::Admit(admit));
    puppet.sent(link);
    puppet.say(link, Message::Frame(Puppet::frame(stream, 1, 2)));
    puppet.pass(31_000);
    if life.is_multiple_of(3) {
        let operator = Input::EndByOperator { name: name("b") };
        puppet.now += 60_000 * MS;
        puppet.input(Input::LinkDown { link });
        puppet.input(Input::Tick);
        puppet.input(operator);
    } else {
        puppet.say(link, Message::Bye(unstale_core::Bye { stream, last: unstale_core::Seq(2) }));
        puppet.input(Input::LinkDown { link });
    }
    puppet.node.links.clear();
    // What the checks keep, and the node does not.
    puppet.node.events.clear();
    puppet.node.ended.clear();
    puppet.node.distrusts.clear();
    puppet.node.counted.clear();
    puppet.node.lifts.clear();
}
