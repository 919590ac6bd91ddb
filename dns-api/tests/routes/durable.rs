//! Disks that are slow, and disks that fail.

use std::sync::Arc;

use crate::server::Server;

#[tokio::test]
async fn what_cannot_be_kept_is_not_made_until_it_can() {
    let server = Server::start();
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    let status = async || {
        let status = server.get("/status").await.json();
        (status["writable"].as_bool(), status["contents"]["journal_failures"].as_u64())
    };
    assert_eq!(status().await, (Some(true), Some(0)));
    server.journal.fail(Some("no space left on device"));
    for (method, path, body) in [
        ("POST", "/records", r#"{"name":"new.example.org","type":"A","value":"192.0.2.1"}"#),
        ("PUT", "/records/www.example.org?type=A", r#"{"value":"192.0.2.2"}"#),
        ("DELETE", "/records/www.example.org", ""),
        ("POST", "/changes", r#"{"changes":[{"op":"delete","name":"www.example.org"}]}"#),
        ("POST", "/zones", r#"{"name":"example.org"}"#),
    ] {
        let answer = server.send(method, path, &[], body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (503, "not-durable"), "{method} {path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("no space left on device"), "{answer:?}");
        assert_eq!(answer.header("retry-after"), "5");
    }
    assert_eq!(server.served().await, ["www.example.org. A 192.0.2.1"]);
    assert_eq!(status().await, (Some(false), Some(5)));
    server.journal.fail(None);
    // Nothing is kept where nothing is changed.
    server.send("POST", "/changes", &[], r#"{"changes":[]}"#).await;
    assert_eq!(status().await, (Some(false), Some(5)));
    server.create("new.example.org", "A", &["192.0.2.1"]).await;
    assert_eq!(status().await, (Some(true), Some(5)));
    assert_eq!(server.served().await.len(), 2);
}

#[tokio::test]
async fn clients_that_wait_for_the_disk_hold_no_threads() {
    // More than the runtime has threads for work that blocks.
    const CLIENTS: usize = 600;
    let server = Arc::new(Server::start());
    server.create("seen.example.org", "A", &["192.0.2.1"]).await;
    server.journal.shut();
    let writers: Vec<_> = (0..CLIENTS)
        .map(|at| {
            let server = server.clone();
            tokio::spawn(async move {
                server.create(&format!("n{at}.example.org"), "A", &["192.0.2.1"]).await.status
            })
        })
        .collect();
    let journal = server.journal.clone();
    tokio::task::spawn_blocking(move || journal.wait_for_batch()).await.unwrap();
    // Nobody sees what is not safe, and whoever reads is answered.
    assert_eq!(server.served().await, ["seen.example.org. A 192.0.2.1"]);
    assert_eq!(server.get("/records/seen.example.org").await.status, 200);
    server.journal.open();
    for writer in writers {
        assert_eq!(writer.await.unwrap(), 201);
    }
    assert_eq!(server.served().await.len(), CLIENTS + 1);
    assert!(server.journal.disk().batches.len() < CLIENTS, "writers share the syncs of the disk");
}

#[tokio::test]
async fn with_a_journal_everything_is_durable() {
    let server = Server::start();
    let answers = [
        server.create("www.example.org", "A", &["192.0.2.1"]).await,
        server.get("/records").await,
        server.get("/zones").await,
        server.send("POST", "/changes", &[], r#"{"changes":[]}"#).await,
        server.send("POST", "/zones", &[], r#"{"name":"example.org"}"#).await,
        server.send("DELETE", "/records/www.example.org", &[], "").await,
    ];
    assert!(answers.iter().all(|answer| answer.json()["durable"] == true), "{answers:?}");
}
