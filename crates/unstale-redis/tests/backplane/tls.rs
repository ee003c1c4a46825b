//! The backplane inside TLS.

use unstale_servers::{Program, Redis, needs};

use crate::certificates::Certificates;
use crate::group::Group;

#[tokio::test]
async fn members_hear_each_other_inside_tls_and_survive_the_server() {
    needs!(Program::RedisServer);
    let files = Certificates::new();
    let mut redis =
        Redis::options().tls(files.server("server", "yes")).password("pw").start().await.expect("it starts");
    std::fs::write(redis.folder().join("password"), "pw\n").expect("written");
    let url = format!(
        "rediss://{}?password_file={}&authority={}&certificate={}&key={}",
        redis.address(),
        redis.folder().join("password").display(),
        files.text("authority.pem"),
        files.text("client.pem"),
        files.text("client.key"),
    );
    let mut group = Group::of(&url, 2);
    group.until_linked().await;
    group.tell_all(0, "sealed").await;
    redis.restart(unstale_servers::Data::Emptied).await.expect("it starts again");
    group.until("links down", |group| group.nodes.iter().all(|node| node.downs > 0)).await;
    group.until_linked().await;
    group.tell_all(1, "and again").await;
    // Dropped, it says so inside TLS too.
    drop(group.nodes.pop());
    group.until("the link down", |group| group.nodes[0].links.is_empty()).await;
}
