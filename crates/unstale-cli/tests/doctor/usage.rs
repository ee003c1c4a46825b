//! What may be asked, and how it ends.

use unstale_servers::{Program, Redis, needs};

use crate::{examine, says, unstale};

#[tokio::test]
async fn a_password_on_the_command_line_is_refused_and_not_repeated() {
    let output = unstale(&["doctor", "redis://app:sesame@127.0.0.1", "http://elsewhere"], &[]).await;
    assert_eq!(output.status.code(), Some(64));
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(
        error.contains("?password_env=") && error.contains("URL 2: ") && !error.contains("sesame"),
        "{error}"
    );
}

#[tokio::test]
async fn passwords_come_by_environment_or_file_and_are_shown_nowhere() {
    needs!(Program::RedisServer);
    let redis = Redis::options().password("open-sesame").start().await.expect("it starts");
    let file = redis.folder().join("password");
    std::fs::write(&file, "open-sesame\n").expect("written");
    let by_env = format!("{}?password_env=DOCTOR_PASSWORD", redis.url());
    let by_file = format!("{}?password_file={}", redis.url(), file.display());
    let examined = examine(&[&by_env, &by_file], &[("DOCTOR_PASSWORD", "open-sesame")]).await;
    assert_eq!(examined.code, Some(0), "{}", examined.text);
    assert_eq!(examined.summary["urls"], 2);
    assert!(!examined.text.contains("sesame"), "{}", examined.text);

    let refused = examine(&[&by_env], &[("DOCTOR_PASSWORD", "swordfish")]).await;
    assert_eq!((refused.code, refused.status("login")), (Some(1), "fail"));
    assert!(says(refused.check("login")).contains("WRONGPASS"), "{}", refused.text);
    assert!(!refused.text.contains("swordfish"), "{}", refused.text);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_69_and_the_others_are_examined() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut gone = Redis::start().await.expect("it starts");
    gone.kill();
    let examined = examine(&[&gone.url(), &redis.url()], &[]).await;
    assert_eq!(examined.code, Some(69), "{}", examined.text);
    assert_eq!((&examined.summary["unreachable"], &examined.summary["verdict"]), (&1.into(), &"fail".into()));
    assert!(examined.named("version").any(|check| check["url"] == redis.url()), "{}", examined.text);
}

#[tokio::test]
async fn for_people_each_finding_is_a_line_and_the_last_counts_them() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let output = unstale(&["doctor", &redis.url()], &[]).await;
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.starts_with(&format!("{}\n  ok    reachable", redis.url())), "{text}");
    assert!(text.lines().last().is_some_and(|line| line.ends_with("0 failed")), "{text}");
}
