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
    assert_eq!(answer.json()["detail"], "there is no backup: nothing is kept");
}
