//! Serves a zone from memory: no files, no configuration.
//!
//! `cargo run -p jw238dns-server --example serve_zone`, then `dig @127.0.0.1 -p 5300 www.example.org`.

use std::error::Error;
use std::net::SocketAddr;

use dns_server::{Running, Server};

/// The text of a zone file; `zone_file` in place of `zone_text` would read one from disk.
const ZONE: &str = "
$TTL 300
@       SOA  ns hostmaster 1 1h 10m 1w 5m
@       NS   ns
ns      A    192.0.2.53
www     A    192.0.2.1
*.apps  A    192.0.2.80
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let running = serve("127.0.0.1:5300".parse()?).await?;
    println!("answering on {}", running.dns_addresses()[0]);
    tokio::signal::ctrl_c().await?;
    // What has arrived is answered first.
    running.shutdown().await;
    Ok(())
}

/// Answers on an address, over UDP and TCP; port 0 lets the system choose.
pub async fn serve(address: SocketAddr) -> Result<Running, Box<dyn Error>> {
    let server = Server::builder()
        .listen(address)
        .zone_text("example.org".parse()?, ZONE)
        .strict() // a mistake in the zone is an error here, instead of SERVFAIL for its names
        .build()
        .await?;
    Ok(server.start()?)
}
