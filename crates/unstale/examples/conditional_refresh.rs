//! How do I avoid loading what did not change? Validators: an etag, a date, and the answer "not modified".

use std::error::Error;
use std::io;

use unstale::{Cache, FailSafe, Loaded, Node, Value};

/// An origin server: the body if the validator does not match.
fn fetch(if_none_match: Option<&str>, current: &str) -> Option<(String, String)> {
    let etag = format!("\"{current}\"");
    (if_none_match != Some(etag.as_str())).then(|| (format!("body {current}"), etag))
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder("shop").start().await?;
    let fail_safe = FailSafe::for_at_most(std::time::Duration::from_secs(60));
    let documents: Cache<String, String> = node.cache("documents").fail_safe(fail_safe).build()?;
    let load = |current: &'static str| {
        async move |load: unstale::Load<String>| {
            Ok::<_, io::Error>(match fetch(load.previous_etag(), current) {
                Some((body, etag)) => {
                    load.etag(etag);
                    Loaded::value(body)
                }
                None => Loaded::not_modified(),
            })
        }
    };

    let first = documents.get_or_load("terms", load("v1")).await?;
    assert_eq!(Value::etag(&first), Some("\"v1\""));

    // Something says that it may have changed; it did not: the same value is fresh again, its bytes are not sent twice.
    let _receipt = documents.expire("terms").await?;
    let second = documents.get_or_load("terms", load("v1")).await?;
    assert!(Value::ptr_eq(&first, &second));
    assert!(documents.get("terms").is_some());

    // It did.
    let _receipt = documents.expire("terms").await?;
    assert_eq!(*documents.get_or_load("terms", load("v2")).await?, "body v2");

    // After a removal the loader is told of no previous value, so it cannot confirm one.
    let _receipt = documents.remove("terms").await?;
    assert_eq!(*documents.get_or_load("terms", load("v2")).await?, "body v2");
    Ok(())
}
