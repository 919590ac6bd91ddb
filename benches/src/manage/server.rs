//! How a change is said to a server.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};

use dns_core::Name;

use crate::zone::APEX;

/// Lifetime of all records, in seconds.
const TTL: u32 = 300;

/// Whose API it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Dialect {
    /// `PUT` and `POST /api/v1/records`.
    Ours,
    /// `PATCH /api/v1/servers/localhost/zones/{zone}` with one RRset.
    Powerdns,
}

/// A server with an API.
#[derive(Clone, Debug)]
pub struct Server {
    /// A loopback address.
    pub http: SocketAddr,
    /// Whose API it is.
    pub dialect: Dialect,
    /// Lets us change everything.
    pub secret: String,
}

impl Server {
    /// Gives a name that is there another address.
    pub fn put(&self, owner: &Name, address: [u8; 4]) -> Vec<u8> {
        let address = Ipv4Addr::from(address);
        match self.dialect {
            Dialect::Ours => {
                let body = format!(r#"{{"ttl":{TTL},"value":["{address}"]}}"#);
                self.request("PUT", &format!("/api/v1/records/{owner}?type=A"), &body)
            }
            Dialect::Powerdns => self.patch(owner, address),
        }
    }

    /// Gives a name that is not there an address.
    pub fn create(&self, owner: &Name, address: [u8; 4]) -> Vec<u8> {
        let address = Ipv4Addr::from(address);
        match self.dialect {
            Dialect::Ours => {
                let body = format!(r#"{{"name":"{owner}","type":"A","ttl":{TTL},"value":["{address}"]}}"#);
                self.request("POST", "/api/v1/records", &body)
            }
            Dialect::Powerdns => self.patch(owner, address),
        }
    }

    /// Reads what a name has.
    pub fn get(&self, owner: &Name) -> Vec<u8> {
        let path = match self.dialect {
            Dialect::Ours => format!("/api/v1/records/{owner}"),
            Dialect::Powerdns => {
                format!("/api/v1/servers/localhost/zones/{APEX}?rrset_name={owner}&rrset_type=A")
            }
        };
        self.request("GET", &path, "")
    }

    fn patch(&self, owner: &Name, address: Ipv4Addr) -> Vec<u8> {
        let body = format!(
            r#"{{"rrsets":[{{"name":"{owner}","type":"A","ttl":{TTL},"changetype":"REPLACE","records":[{{"content":"{address}","disabled":false}}]}}]}}"#
        );
        self.request("PATCH", &format!("/api/v1/servers/localhost/zones/{APEX}"), &body)
    }

    /// A request with a body of JSON.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let mut request = self.head(method, path, "application/json", body.len());
        request.push_str(body);
        request.into_bytes()
    }

    /// The head of a request with a body of so many octets.
    pub fn head(&self, method: &str, path: &str, content_type: &str, octets: usize) -> String {
        let Self { http, secret, .. } = self;
        let credentials = match self.dialect {
            Dialect::Ours => "Authorization: Bearer ",
            Dialect::Powerdns => "X-API-Key: ",
        };
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {http}\r\n{credentials}{secret}\r\n");
        if octets > 0 {
            // Writing to a string does not fail.
            let _ = write!(head, "Content-Type: {content_type}\r\nContent-Length: {octets}\r\n");
        }
        head.push_str("\r\n");
        head
    }
}
