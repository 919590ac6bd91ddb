//! A method for each route.

use std::net::{IpAddr, SocketAddr};

use hyper::Method;
use hyper::header::{IF_MATCH, IF_NONE_MATCH};

use super::call::Call;
use super::{Client, ClientError, Events};
use crate::model::{
    ChangeRequest, ChangeSetAnswer, Checked, Deleted, DnsTest, History, HistoryEntry, Imported, Record,
    RecordPut, RecordSpec, Records, Reloaded, Resolution, Status, Written, Zone, ZoneSpec, ZoneWritten,
    Zones,
};
use crate::v1::cursor::PAGE_MAX;

/// What a zone file is sent as.
const ZONE_FILE: &str = "text/dns";

/// Which records to list; everything by default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RecordFilter {
    /// Only those in the zone with this apex.
    pub zone: Option<String>,
    /// Only those of this type.
    pub rtype: Option<String>,
    /// Only those of this kind of source.
    pub source: Option<String>,
    /// Only those whose names begin with this text.
    pub prefix: Option<String>,
    /// Only those at or below this name.
    pub name: Option<String>,
    /// Only those that are not served, or only those that are.
    pub shadowed: Option<bool>,
    /// How many names and types a page has at most.
    pub limit: Option<usize>,
}

/// Which changes to list; all that are remembered by default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HistoryFilter {
    /// Only those that concern names at or below this apex, or the zone itself.
    pub zone: Option<String>,
    /// Only those that concern this name or names below it.
    pub name: Option<String>,
    /// Only those of this kind of source.
    pub source: Option<String>,
    /// Only those whose author has this text in it.
    pub author: Option<String>,
    /// How many changes a page has at most.
    pub limit: Option<usize>,
}

/// What must hold of a name for it to be changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Revision {
    /// Whatever is there.
    #[default]
    Any,
    /// Nothing has changed at the name since this version, as its tag tells it.
    At(u64),
    /// There are no such records yet.
    Absent,
}

/// Server and process.
impl Client {
    /// Whether everything is served that should be; else what is missing, one sentence each.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn ready(&self) -> Result<Result<(), Vec<String>>, ClientError> {
        match Call::of_server(self, "/ready").read_text().await {
            Ok(_) => Ok(Ok(())),
            Err(ClientError::Status { status, text }) if status.as_u16() == 503 => {
                Ok(Err(text.lines().map(str::to_owned).collect()))
            }
            Err(error) => Err(error),
        }
    }

    /// What the server counts, as OpenMetrics text.
    pub async fn metrics(&self) -> Result<String, ClientError> {
        Call::of_server(self, "/metrics").read_text().await
    }

    /// The description of the API.
    pub async fn openapi(&self) -> Result<serde_json::Value, ClientError> {
        self.call(Method::GET, &["openapi.json"]).read().await
    }

    /// How the server is doing.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.call(Method::GET, &["status"]).read().await
    }

    /// Lets the server read its configuration and files anew.
    pub async fn reload(&self) -> Result<Reloaded, ClientError> {
        self.call(Method::POST, &["reload"]).read().await
    }
}

/// Records.
impl Client {
    /// A page of records; `cursor` is `next` of the page before.
    pub async fn records(&self, filter: &RecordFilter, cursor: Option<&str>) -> Result<Records, ClientError> {
        let RecordFilter { zone, rtype, source, prefix, name, shadowed, limit } = filter;
        let call = self.call(Method::GET, &["records"]);
        let call = call.with("zone", zone.as_ref()).with("type", rtype.as_ref());
        let call = call.with("source", source.as_ref()).with("prefix", prefix.as_ref());
        let call = call.with("name", name.as_ref()).with("shadowed", *shadowed);
        call.with("limit", *limit).with("cursor", cursor).read().await
    }

    /// What there is at a name, of one type or of all.
    ///
    /// # Errors
    /// There is nothing.
    pub async fn records_at(&self, name: &str, rtype: Option<&str>) -> Result<Vec<Record>, ClientError> {
        self.call(Method::GET, &["records", name]).with("type", rtype).read().await
    }

    /// Makes records of a new name and type.
    pub async fn create_record(&self, record: &RecordSpec) -> Result<Written, ClientError> {
        self.call(Method::POST, &["records"]).json(record).read().await
    }

    /// Replaces the records of a name and type, or makes them with [`Revision::Absent`].
    pub async fn put_record(&self, record: &RecordSpec, revision: Revision) -> Result<Written, ClientError> {
        let RecordSpec { name, rtype, ttl, value } = record.clone();
        let body = RecordPut { name: None, rtype: None, ttl, value };
        let call = self.call(Method::PUT, &["records", &name]).with("type", Some(rtype));
        conditional(call, revision).json(&body).read().await
    }

    /// Deletes the records of a name, of one type or of all.
    pub async fn delete_records(
        &self,
        name: &str,
        rtype: Option<&str>,
        revision: Revision,
    ) -> Result<Deleted, ClientError> {
        let call = self.call(Method::DELETE, &["records", name]).with("type", rtype);
        conditional(call, revision).read().await
    }
}

/// Changes.
impl Client {
    /// Makes several changes all together or not at all, or says what they would come to.
    pub async fn change(&self, request: &ChangeRequest) -> Result<ChangeSetAnswer, ClientError> {
        self.call(Method::POST, &["changes"]).json(request).read().await
    }

    /// A page of the history, the newest first; `before` is `next` of the page before.
    pub async fn history(&self, filter: &HistoryFilter, before: Option<u64>) -> Result<History, ClientError> {
        let HistoryFilter { zone, name, source, author, limit } = filter;
        let call = self.call(Method::GET, &["changes"]).with("before", before).with("limit", *limit);
        let call = call.with("zone", zone.as_ref()).with("name", name.as_ref());
        call.with("source", source.as_ref()).with("author", author.as_ref()).read().await
    }

    /// One change of the history.
    pub async fn change_at(&self, version: u64) -> Result<HistoryEntry, ClientError> {
        self.call(Method::GET, &["changes", &version.to_string()]).read().await
    }

    /// Undoes a change of the history, or says what that would come to.
    pub async fn revert(&self, version: u64, dry_run: bool) -> Result<ChangeSetAnswer, ClientError> {
        let call = self.call(Method::POST, &["changes", &version.to_string(), "revert"]);
        call.with("dry_run", dry_run.then_some(true)).read().await
    }

    /// Follows what changes: from a version on, or behind the event with an id, or from now on. See [`Events`].
    pub async fn events(&self, since: Option<impl ToString>) -> Result<Events, ClientError> {
        Events::open(self.clone(), since.map(|since| since.to_string())).await
    }
}

/// Zones.
impl Client {
    /// All zones, page after page; the version is that of the first one.
    pub async fn zones(&self) -> Result<Zones, ClientError> {
        let mut all = self.zones_page(Some(PAGE_MAX), None).await?;
        while let Some(cursor) = all.next.take() {
            let page = self.zones_page(Some(PAGE_MAX), Some(&cursor)).await?;
            all.zones.extend(page.zones);
            all.next = page.next;
        }
        Ok(all)
    }

    /// A page of zones, at most `limit`; `cursor` is `next` of the page before.
    pub async fn zones_page(&self, limit: Option<usize>, cursor: Option<&str>) -> Result<Zones, ClientError> {
        self.call(Method::GET, &["zones"]).with("limit", limit).with("cursor", cursor).read().await
    }

    /// One zone.
    pub async fn zone(&self, name: &str) -> Result<Zone, ClientError> {
        self.call(Method::GET, &["zones", name]).read().await
    }

    /// Makes a zone.
    pub async fn create_zone(&self, zone: &ZoneSpec) -> Result<ZoneWritten, ClientError> {
        self.call(Method::POST, &["zones"]).json(zone).read().await
    }

    /// Deletes a zone, and what the API has in it.
    pub async fn delete_zone(&self, name: &str) -> Result<ChangeSetAnswer, ClientError> {
        self.call(Method::DELETE, &["zones", name]).read().await
    }

    /// A zone as a zone file.
    pub async fn export_zone(&self, name: &str) -> Result<String, ClientError> {
        self.call(Method::GET, &["zones", name, "export"]).read_text().await
    }

    /// Makes a zone what a zone file says, or says what that would come to.
    pub async fn import_zone(
        &self,
        name: &str,
        zone_file: impl Into<String>,
        dry_run: bool,
    ) -> Result<Imported, ClientError> {
        let call = self.call(Method::PUT, &["zones", name, "import"]);
        call.with("dry_run", dry_run.then_some(true)).text(ZONE_FILE, zone_file.into()).read().await
    }

    /// What somebody should look at in a zone.
    pub async fn check_zone(&self, name: &str) -> Result<Checked, ClientError> {
        self.call(Method::GET, &["zones", name, "check"]).read().await
    }
}

/// Answers.
impl Client {
    /// What would be answered, and why.
    pub async fn resolve(
        &self,
        name: &str,
        rtype: Option<&str>,
        client: Option<IpAddr>,
        listener: Option<SocketAddr>,
    ) -> Result<Resolution, ClientError> {
        let call = self.call(Method::GET, &["resolve"]).with("name", Some(name)).with("type", rtype);
        call.with("client", client).with("listener", listener).read().await
    }

    /// What the running listener answers.
    pub async fn test_dns(&self, hostname: &str, rtype: Option<&str>) -> Result<DnsTest, ClientError> {
        self.call(Method::GET, &["test-dns"])
            .with("hostname", Some(hostname))
            .with("type", rtype)
            .read()
            .await
    }
}

fn conditional(call: Call<'_>, revision: Revision) -> Call<'_> {
    match revision {
        Revision::Any => call,
        Revision::At(version) => call.header(IF_MATCH, Some(format!("\"{version}\""))),
        Revision::Absent => call.header(IF_NONE_MATCH, Some("*")),
    }
}
