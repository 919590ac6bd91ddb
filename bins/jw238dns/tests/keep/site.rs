//! A folder in which a server keeps its data, and servers that are started on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dns_api::client::Client;
use dns_api::model::{Record, RecordSpec};
use dns_server::dns_core::wire::op::Message;
use dns_server::dns_core::wire::rr::RData;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::support::{Process, command};

/// A configuration file and a data folder.
pub struct Site {
    pub folder: TempDir,
    data: PathBuf,
}

impl Site {
    /// A new one; `store` and `rest` are added to the configuration: to its `store`, and behind it.
    pub fn new(store: &str, rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self::with_data(folder, data, store, rest)
    }

    /// The same with data elsewhere than beside the configuration.
    pub fn with_data(folder: TempDir, data: PathBuf, store: &str, rest: &str) -> Self {
        let config = format!(
            "listen: {{dns: '127.0.0.1:0', http: '127.0.0.1:0'}}\nstore: {{data_dir: '{}'{store}}}\n{rest}",
            data.display()
        );
        fs::write(folder.path().join("config.yaml"), config).unwrap();
        Self { folder, data }
    }

    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// The command that serves it.
    pub fn command(&self) -> std::process::Command {
        command(self.folder.path(), &["--config", "config.yaml"])
    }

    /// Starts a server, and waits for nothing.
    pub fn spawn(&self) -> Process {
        Process::spawn(self.command())
    }

    /// Starts a server, and waits until it answers.
    pub fn start(&self) -> Process {
        let process = self.spawn();
        process.wait_for("answering HTTP");
        process
    }

    /// What the first token of the folder opens.
    pub fn admin(&self, server: &Process) -> Client {
        admin_of(&self.data(), server)
    }
}

/// The same for a data folder, wherever we see it.
pub fn admin_of(data: &Path, server: &Process) -> Client {
    server.wait_for("answering HTTP");
    let token = fs::read_to_string(data.join("admin-token")).unwrap();
    client(server, token.trim())
}

/// A client of a server, by a token.
pub fn client(server: &Process, token: &str) -> Client {
    let patience = Duration::from_mins(1);
    Client::new(&format!("http://{}", server.http()), token).unwrap().patience(patience)
}

/// What clients run on.
pub fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A record, from `"www.example.org. A 192.0.2.1"`.
pub fn record(text: &str) -> RecordSpec {
    let [name, rtype, value] = text.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
    RecordSpec {
        name: name.to_owned(),
        rtype: rtype.to_owned(),
        ttl: Some(300),
        value: vec![value.to_owned()].into(),
    }
}

/// All records of the API.
pub async fn records(client: &Client) -> Vec<Record> {
    let filter = dns_api::client::RecordFilter {
        source: Some("api".to_owned()),
        limit: Some(1000),
        ..Default::default()
    };
    let (mut records, mut cursor) = (Vec::new(), None);
    loop {
        let page = client.records(&filter, cursor.as_deref()).await.unwrap();
        records.extend(page.records);
        cursor = page.next;
        if cursor.is_none() {
            return records;
        }
    }
}

/// The serial of the first SOA record in the answer, if there is one.
pub fn serial(reply: &[u8]) -> Option<u32> {
    let message = Message::from_vec(reply).unwrap();
    message.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    })
}
