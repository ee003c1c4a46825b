//! What URLs mean.

use super::*;
use crate::login::Login;

fn text(url: &str) -> String {
    match parse(url) {
        Ok(settings) => settings.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn hosts_ports_databases_and_services_are_understood() {
    for (url, understood) in [
        ("redis://localhost", "redis://localhost:6379"),
        ("redis://localhost/", "redis://localhost:6379"),
        ("redis://[::1]:7000/3", "redis://[::1]:7000/3"),
        ("redis://app@h", "redis://app@h:6379"),
        ("redis://app:pw@h:1/0", "redis://app@h:1"),
        ("redis+sentinel://a,b:27000/shop/1", "redis+sentinel://a:26379,b:27000/shop/1"),
        ("redis+cluster://a,b:7001", "redis+cluster://a:6379,b:7001"),
        ("redis://a%20b:%3A%40@h", "redis://a%20b@h:6379"),
        ("redis://h?password_file=/run/credentials/shop@1.service/redis", "redis://h:6379"),
    ] {
        assert_eq!(text(url), understood, "{url}");
    }
}

#[test]
fn users_and_passwords_are_decoded_and_shown_nowhere() {
    let settings = parse("redis://app:p%40ss%3Aword@h").expect("a URL");
    let password = Some(Password::Text("p@ss:word".to_owned()));
    assert_eq!(settings.login, Login { user: Some("app".to_owned()), password });
    assert!(!format!("{settings:?} {settings}").contains("ss:word"));
    let settings = parse("redis://:pw@h").expect("a URL");
    assert_eq!(settings.login.user, None);
    assert_eq!(settings.login.password, Some(Password::Text("pw".to_owned())));
}

#[test]
fn options_are_taken() {
    let settings = parse("redis://h?client_name=web-1&password_file=/run/secrets/redis").expect("a URL");
    assert_eq!(settings.client_name, "web-1");
    assert_eq!(settings.login.password, Some(Password::File("/run/secrets/redis".into())));
    let with_path = parse("redis://h?password_env=PATH").expect("the variable is set");
    let path = std::env::var("PATH").expect("it is set");
    assert_eq!(with_path.login.password, Some(Password::Text(path)));
}

#[test]
fn what_is_no_url_is_refused_without_its_password() {
    for url in [
        "",
        "localhost:6379",
        "http://h",
        "redis://",
        "redis://h:0",
        "redis://h:99999",
        "redis://u:secret@h:x",
        "redis://u:secret@h/x",
        "redis://u:secret@h/1/2",
        "redis://u:sec%ret@h",
        "redis://u:secret@h?x=1",
        "redis://u:secret@h?client_name=a%20b",
        "redis://u:secret@h?authority=x",
        "redis+sentinel://u:secret@h",
        "redis+cluster://u:secret@h/1",
        "redis+cluster://u:secret@a,,b",
        "redis://[::1",
        "redis://h?password_env=NO_SUCH_VARIABLE",
        // A `/` or a `?` of the password ends the part where logins are.
        "redis://:s3cr/et@h",
        "redis://u:1234/secret@h",
        "redis://h?cret@h",
        "redis+sentinel://u:1234/secret@h",
        "redis://u:1234?secret@h",
        "redis://u:s3cr?et@h",
        // No host after it.
        "redis://u:secret",
        "redis://:secret",
        "redis+cluster://a,u:secret",
        "redis://u:1234/secret",
        "redis://u:1234/5/secret",
    ] {
        let error = parse(url).expect_err(url).to_string();
        let is_told = ["cret", "sec%ret", "s3cr", "1234"].iter().any(|part| error.contains(part));
        assert!(!is_told, "{error}");
    }
    assert!(parse(&format!("redis://{}", "a".repeat(URL_BYTES_MAX))).is_err());
    assert!(parse(&format!("redis+cluster://{}", vec!["a"; NODES_MAX + 1].join(","))).is_err());
}
