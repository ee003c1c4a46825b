//! Several members driven as one, and what they saw.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};
use unstale_port::{Backplane, Event, LinkId, Listing};
use unstale_redis::{Builder, RedisBackplane, Settings};

use crate::member::Member;

/// Far beyond anything that passes.
const PATIENCE: Duration = Duration::from_secs(90);

/// Members of one group, each with what it saw.
pub(crate) struct Group {
    pub(crate) nodes: Vec<Node>,
}

/// One member.
pub(crate) struct Node {
    pub(crate) member: Member,
    /// Whether its owner leaves it alone.
    pub(crate) is_paused: bool,
    pub(crate) links: Vec<LinkId>,
    pub(crate) common: Option<LinkId>,
    pub(crate) is_common_free: bool,
    /// Frames that came over the common link.
    pub(crate) heard: Vec<Bytes>,
    /// Frames that came over other links.
    pub(crate) received: Vec<Bytes>,
    pub(crate) writable: Vec<LinkId>,
    pub(crate) downs: usize,
    pub(crate) notes: Vec<(&'static str, String)>,
}

impl Group {
    /// So many members by one URL.
    pub(crate) fn of(url: &str, count: usize) -> Self {
        Self::with(url, count, |builder| builder)
    }

    pub(crate) fn with(url: &str, count: usize, adapt: impl Fn(Builder) -> Builder) -> Self {
        let settings = Settings::parse(url).expect("a URL");
        let node = |index: usize| {
            let builder = adapt(RedisBackplane::builder(settings.clone()).group("shop"));
            Node::new(Member::new(builder.start().expect("sound settings"), format!("node-{index}")))
        };
        Self { nodes: (0..count).map(node).collect() }
    }

    /// Drives all until `done`.
    pub(crate) async fn until(&mut self, awaited: &str, mut done: impl FnMut(&mut Self) -> bool) -> Duration {
        let began = Instant::now();
        let driven = poll_fn(|cx| {
            loop {
                let mut is_busy = false;
                for node in self.nodes.iter_mut().filter(|node| !node.is_paused) {
                    if let Poll::Ready(event) = node.member.poll_event(cx) {
                        node.see(event);
                        is_busy = true;
                    }
                }
                if done(self) {
                    return Poll::Ready(());
                }
                if !is_busy {
                    return Poll::Pending;
                }
            }
        });
        let is_in_time = timeout(PATIENCE, driven).await.is_ok();
        let notes: Vec<_> = self.nodes.iter().map(|node| &node.notes).collect();
        assert!(is_in_time, "not within {PATIENCE:?}: {awaited}; {notes:?}");
        began.elapsed()
    }

    /// Drives all until every one has a link to each other and one to all.
    pub(crate) async fn until_linked(&mut self) {
        let others = self.nodes.len() - 1;
        self.until("all links", |group| {
            group.nodes.iter().all(|node| {
                node.writable.len() == others && node.links.len() == others && node.is_common_free
            })
        })
        .await;
    }

    /// Sends a frame for all from one member, once it can, and drives all until each other one has it.
    pub(crate) async fn tell_all(&mut self, from: usize, text: &'static str) {
        self.until("room for a frame", |group| group.nodes[from].is_common_free).await;
        self.nodes[from].send_common(Bytes::from_static(text.as_bytes()));
        self.until("the frame", |group| {
            let mut others = group.nodes.iter().enumerate().filter(|(index, _)| *index != from);
            others.all(|(_, node)| node.heard.iter().any(|frame| frame == text))
        })
        .await;
    }

    pub(crate) fn downs(&self) -> usize {
        self.nodes.iter().map(|node| node.downs).sum()
    }
}

impl Node {
    pub(crate) fn new(member: Member) -> Self {
        Self {
            member,
            is_paused: false,
            links: Vec::new(),
            common: None,
            is_common_free: false,
            heard: Vec::new(),
            received: Vec::new(),
            writable: Vec::new(),
            downs: 0,
            notes: Vec::new(),
        }
    }

    pub(crate) fn send_common(&mut self, frame: Bytes) {
        self.is_common_free = false;
        let link = self.common.expect("it is up");
        self.member.send(link, frame).expect("it is writable");
    }

    pub(crate) fn has_note(&self, what: &str) -> bool {
        self.notes.iter().any(|(noted, _)| *noted == what)
    }

    pub(crate) fn listing(&self) -> &Listing {
        self.member.listing.as_ref().expect("a listing came")
    }

    fn see(&mut self, event: Event) {
        match event {
            Event::Up { link, .. } => self.links.push(link),
            Event::UpCommon { link } => self.common = Some(link),
            Event::Writable { link } if self.common == Some(link) => self.is_common_free = true,
            Event::Writable { link } => self.writable.push(link),
            Event::Received { link, frame } if self.common == Some(link) => self.heard.push(frame),
            Event::Received { frame, .. } => self.received.push(frame),
            Event::Down { link, .. } if self.common == Some(link) => {
                (self.common, self.is_common_free) = (None, false);
                self.downs += 1;
            }
            Event::Down { link, .. } => {
                self.links.retain(|up| *up != link);
                self.writable.retain(|up| *up != link);
                self.downs += 1;
            }
            Event::Note { what, detail } => self.notes.push((what, detail)),
            Event::Listed(_) | Event::Recognised { .. } | _ => panic!("unexpected {event:?}"),
        }
    }
}
