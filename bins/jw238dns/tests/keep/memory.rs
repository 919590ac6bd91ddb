//! Without a data folder: changes are made, and everybody is told that they will not last.

use std::fs;

use dns_api::client::{HistoryFilter, RecordFilter, Revision};
use dns_api::model::{Change, ChangeRequest, ZoneSpec};

use crate::site::{client, record, runtime};
use crate::support::{Process, command, folder};

#[test]
fn without_a_folder_changes_end_with_the_process() {
    let folder = folder(&[(
        "config.yaml",
        "listen: {dns: '127.0.0.1:0', http: '127.0.0.1:0'}\napi: {admin_token_file: token}\n",
    )]);
    let start = || {
        let server = Process::spawn(command(folder.path(), &["--config", "config.yaml"]));
        server.wait_for("answering HTTP");
        server
    };
    let admin = |server: &Process| {
        let token = fs::read_to_string(folder.path().join("token")).unwrap();
        client(server, token.trim())
    };
    let server = start();
    server.wait_for("changes are kept in memory alone, as store.data_dir is not set");
    runtime().block_on(async {
        let admin = admin(&server);
        let www = record("www.example.org. A 192.0.2.1");
        let more = record("more.example.org. A 192.0.2.2");
        let zone = ZoneSpec { name: "example.net.".to_owned(), soa: None, ns: Vec::new(), ttl: None };
        let set = ChangeRequest {
            changes: vec![Change::Put { record: more.clone() }],
            preconditions: Vec::new(),
            dry_run: false,
            comment: None,
        };
        let durable = [
            ("status", admin.status().await.unwrap().durable),
            ("zone", admin.create_zone(&zone).await.unwrap().durable),
            ("create", admin.create_record(&www).await.unwrap().durable),
            ("update", admin.put_record(&www, Revision::Any).await.unwrap().durable),
            ("set of changes", admin.change(&set).await.unwrap().durable),
            ("delete", admin.delete_records(&more.name, None, Revision::Any).await.unwrap().durable),
            ("list", admin.records(&RecordFilter::default(), None).await.unwrap().durable),
            ("zones", admin.zones().await.unwrap().durable),
        ];
        assert_eq!(durable.map(|(what, _)| (what, false)), durable);
        // There is history all the same.
        assert_eq!(admin.history(&HistoryFilter::default(), None).await.unwrap().changes.len(), 4);
        server.expect("www.example.org. A", "NOERROR 192.0.2.1");
        let contents = admin.status().await.unwrap().contents.unwrap();
        assert_eq!(contents.journal, None);
    });
    server.stop();

    let server = start();
    server.expect("www.example.org. A", "REFUSED");
    server.expect("example.net. SOA", "REFUSED");
    runtime().block_on(async {
        // With its tokens gone, there is a new one in the file.
        let admin = admin(&server);
        assert_eq!(admin.history(&HistoryFilter::default(), None).await.unwrap().changes, []);
        assert_eq!(admin.tokens().await.unwrap().tokens.len(), 1);
    });
    server.stop();
}
