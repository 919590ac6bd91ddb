//! Backups, downloaded.

use crate::host::Small;
use crate::server::{ADMIN, Ask, Server, Setup};

#[tokio::test]
async fn the_copy_arrives_whole() {
    // More than one chunk, and not a whole number of them.
    let copy: Vec<u8> = (0..700_001_u32).map(|at| (at * 31 + at / 251) as u8).collect();
    let server =
        Server::start(Setup { host: Small::default().with_backup(copy.clone()), ..Setup::default() });
    let admin = server.token(ADMIN);
    let answer = server.ask(&Ask::get("/api/v1/backup").by(&admin)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.header("content-length"), Some("700001"));
    assert!(answer.body == copy);
}

#[tokio::test]
async fn where_nothing_is_kept_there_is_no_copy() {
    let server = Server::start(Setup::default());
    let admin = server.token(ADMIN);
    let answer = server.ask(&Ask::get("/api/v1/backup").by(&admin)).await;
    assert_eq!(answer.status, 503);
    let problem: dns_api::model::Problem = serde_json::from_value(answer.json()).unwrap();
    assert_eq!(problem.to_string(), "there is no backup: nothing is kept");
    assert_eq!(problem.reasons, Vec::<String>::new(), "the detail says it");
}
