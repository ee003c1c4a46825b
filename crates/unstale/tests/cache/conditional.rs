//! Conditional refresh: etag, date, not modified.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use unstale::{Cache, ErrorKind, FailSafe, Load, Loaded, Lookup, Node, Value};

use crate::world::{Database, HOUR, alone, pass, seconds};

fn cache(node: &Node, name: &str) -> Cache<u64, String> {
    let fail_safe = FailSafe::for_at_most(HOUR);
    node.cache(name).time_to_live(seconds(10)).fail_safe(fail_safe).build().unwrap()
}

async fn validated(load: Load<String>) -> Result<String, Infallible> {
    load.tag("t");
    load.etag("\"v1\"");
    load.last_modified(date());
    Ok("body".to_owned())
}

async fn not_modified(load: Load<String>) -> Result<Loaded<String>, Infallible> {
    assert_eq!(load.previous_etag(), Some("\"v1\""));
    assert_eq!(load.previous_last_modified(), Some(date()));
    Ok(Loaded::not_modified())
}

fn date() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

#[tokio::test(start_paused = true)]
async fn a_value_that_was_not_modified_is_fresh_again_with_its_validators_and_tags() {
    // F10
    let node = alone().await;
    let users = cache(&node, "users");
    let first = users.get_or_load(&7, validated).await.unwrap();
    for _ in 0..3 {
        pass(seconds(11)).await;
        assert!(users.get(&7).is_none());
        let again = users.get_or_load(&7, not_modified).await.unwrap();
        assert!(Value::ptr_eq(&first, &again), "not copied");
        assert_eq!(Value::etag(&again), Some("\"v1\""));
        assert!(users.get(&7).is_some());
    }
    let _receipt = users.remove_tag("t").await.unwrap();
    assert!(users.get(&7).is_none(), "the tags were kept");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_was_modified_replaces_the_previous_one() {
    // F10
    let node = alone().await;
    let users = cache(&node, "users");
    users.get_or_load(&7, validated).await.unwrap();
    let _receipt = users.expire(&7).await.unwrap();
    let modified = async |load: Load<String>| {
        assert_eq!(load.previous().map(|value| value.as_str()), Some("body"));
        load.etag("\"v2\"");
        Ok::<_, Infallible>("other body".to_owned())
    };
    let value = users.get_or_load(&7, modified).await.unwrap();
    assert_eq!((value.as_str(), Value::etag(&value)), ("other body", Some("\"v2\"")));
}

#[tokio::test(start_paused = true)]
async fn a_loader_is_told_of_no_previous_value_that_was_removed() {
    // F-4
    let node = alone().await;
    let users = cache(&node, "users");
    users.get_or_load(&7, validated).await.unwrap();
    let _receipt = users.remove_tag("t").await.unwrap();
    let load = async |load: Load<String>| {
        assert!(load.previous().is_none());
        Ok::<_, Infallible>(Loaded::<String>::not_modified())
    };
    let error = users.get_or_load(&7, load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(matches!(users.lookup(&7), Lookup::Miss));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_modified_itself_is_loaded_again_if_what_it_was_made_from_changed() {
    // F-4: only if no dependency moved since the old token
    let node = alone().await;
    let (users, pages) = (cache(&node, "users"), cache(&node, "pages"));
    let users_in_load = users.clone();
    let page = async move |load: Load<String>| {
        let user = users_in_load.get_or_load(&7, Database::default().gives("Ada".to_owned())).await?;
        load.etag("\"v1\"");
        Ok::<_, unstale::Error>(user.to_uppercase())
    };
    pages.get_or_load(&7, page.clone()).await.unwrap();
    let _receipt = pages.expire(&7).await.unwrap();
    let _receipt = users.expire(&7).await.unwrap();
    let asked = async |load: Load<String>| {
        assert!(load.previous_etag().is_none(), "it cannot be confirmed, so it is not offered");
        Ok::<_, Infallible>("anew".to_owned())
    };
    assert_eq!(*pages.get_or_load(&7, asked).await.unwrap(), "anew");
}

#[tokio::test(start_paused = true)]
async fn what_was_confirmed_still_falls_with_what_it_was_made_from() {
    // F-4: dependencies are kept
    let node = alone().await;
    let (users, pages) = (cache(&node, "users"), cache(&node, "pages"));
    let users_in_load = users.clone();
    let page = async move |load: Load<String>| {
        load.depends_on(&users_in_load, &7);
        load.etag("\"v1\"");
        load.last_modified(date());
        Ok::<_, Infallible>("made from 7".to_owned())
    };
    pages.get_or_load(&7, page).await.unwrap();
    let _receipt = pages.expire(&7).await.unwrap();
    pages.get_or_load(&7, not_modified).await.unwrap();
    assert!(pages.get(&7).is_some());
    let _receipt = users.remove(&7).await.unwrap();
    assert!(pages.get(&7).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lent_loader_loads_anew_what_could_not_be_confirmed() {
    let node = alone().await;
    let users = cache(&node, "users");
    users.get_or_load(&7, validated).await.unwrap();
    let _receipt = users.expire(&7).await.unwrap();
    let users_in_load = users.clone();
    let load = async move |load: Load<String>| {
        if load.previous().is_none() {
            return Ok(Loaded::value("anew".to_owned()));
        }
        // Somebody removes it while it is confirmed.
        let _receipt = users_in_load.remove(&7).await?;
        Ok::<_, unstale::Error>(Loaded::not_modified())
    };
    let value = users.get_or_load(&7, load.clone()).repeat_if_refused().await.unwrap();
    assert_eq!(*value, "anew");
    // Without one, the caller is told.
    let _receipt = users.clear().await.unwrap();
    users.get_or_load(&7, validated).await.unwrap();
    let _receipt = users.expire(&7).await.unwrap();
    assert_eq!(users.get_or_load(&7, load).await.unwrap_err().kind(), ErrorKind::Refused);
}
