use super::*;

fn secret() -> Secret {
    Secret::new("a secret of more than 16 bytes").expect("not empty")
}

/// Why a mesh does not start.
async fn refusal(builder: Builder) -> String {
    let error = builder.start().await.err().expect("it is refused");
    assert_eq!(error.kind(), Kind::Config, "{error}");
    error.to_string()
}

#[tokio::test]
async fn without_a_secret_only_loopback_is_allowed_anywhere() {
    let plain = Mesh::builder;
    assert!(plain().peer("127.0.0.1:7000").advertise("localhost:7000").start().await.is_ok());
    for builder in [
        plain().listen("0.0.0.0:0"),
        plain().listen("0.0.0.0:0").beyond_loopback_without_tls(),
        plain().advertise("10.0.0.1:7000"),
        plain().peer("b=10.0.0.1:7000"),
        plain().peer("example.invalid:7000"),
        plain().discover("example.invalid:7000"),
    ] {
        let refusal = refusal(builder).await;
        assert!(
            refusal.contains("beyond loopback") && refusal.contains("needs a shared secret"),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn a_listener_beyond_loopback_needs_the_flag_and_a_strong_secret() {
    let open = || Mesh::builder().listen("0.0.0.0:0");
    let refused = refusal(open().secret(secret())).await;
    assert!(refused.contains("beyond_loopback_without_tls"), "{refused}");
    let weak = Secret::new("short").expect("not empty");
    let refused = refusal(open().secret(weak).beyond_loopback_without_tls()).await;
    assert!(refused.contains("at least 16 bytes"), "{refused}");
    assert!(open().secret(secret()).beyond_loopback_without_tls().start().await.is_ok());

    let bound = std::net::TcpListener::bind("0.0.0.0:0").expect("a free port");
    let refused = refusal(Mesh::builder().listener(bound)).await;
    assert!(refused.contains("needs a shared secret"), "{refused}");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_named() {
    for (builder, says) in [
        (Mesh::builder().cluster(""), "cluster name of 0 bytes"),
        (Mesh::builder().cluster("x".repeat(256)), "cluster name of 256 bytes"),
        (Mesh::builder().listen("nowhere"), "listen `nowhere`"),
        (Mesh::builder().advertise("127.0.0.1"), "advertise `127.0.0.1`"),
        (Mesh::builder().discover("localhost"), "name `localhost`"),
        (Mesh::builder().peer("127.0.0.1:1").peer("b=127.0.0.1:1"), "`127.0.0.1:1` is given twice"),
        (Mesh::builder().peer("b=127.0.0.1:1").peer("b=127.0.0.1:2"), "`b` is given twice"),
        (Mesh::builder().peer("127.0.0.1:1").discover("localhost:1"), "exclude each other"),
    ] {
        let refusal = refusal(builder).await;
        assert!(refusal.contains(says), "{refusal}");
    }
}

#[tokio::test]
async fn ones_own_address_in_the_list_is_left_out() {
    let bound = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let own = bound.local_addr().expect("bound").to_string();
    let mesh = Mesh::builder()
        .listener(bound)
        .advertise("localhost:9")
        .peer(format!("a={own}"))
        .peer("localhost:9")
        .peer("b=127.0.0.1:8")
        .start()
        .await
        .expect("it starts");
    let properties = unstale_port::Backplane::properties(&mesh);
    let other = Peer { name: Some("b".to_owned()), address: "127.0.0.1:8".to_owned() };
    assert_eq!(properties.peers, Peers::Fixed(vec![other]));
    assert_eq!(properties.listening, Some(own));
    assert_eq!(properties.advertised.as_deref(), Some("localhost:9"));
}

#[tokio::test]
async fn a_wildcard_is_not_advertised() {
    let builder = Mesh::builder().listen("0.0.0.0:0").secret(secret()).beyond_loopback_without_tls();
    let mesh = builder.start().await.expect("it starts");
    assert_eq!(unstale_port::Backplane::properties(&mesh).advertised, None);
}

#[tokio::test]
async fn a_taken_address_is_unavailable_and_not_a_wrong_setting() {
    let bound = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = bound.local_addr().expect("bound").to_string();
    let error = Mesh::builder().listen(&taken).start().await.err().expect("taken");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains(&taken), "{error}");
}
