//! Where changes are kept, and how they are made over HTTP.

use std::time::Duration;

use super::super::reader::mapping;
use super::super::value::{FilePath, FolderPath, Number, OneOrMany, ShortText};

mapping! {
    /// Where changes are kept that come from elsewhere than files.
    StoreSpec {
        /// The folder for changes that come over HTTP; made if it is not there. If absent, they end with the process.
        "data_dir" => data_dir: FolderPath,
        /// How much of the past is remembered.
        "history" => history: HistorySpec,
    }
}

mapping! {
    /// How much of the past is remembered.
    HistorySpec {
        /// How long a change is remembered.
        "max_age" => max_age: Duration [default "90d"],
        /// How many octets all of them take; 1073741824 (1 GiB) on disk if absent, 16777216 (16 MiB) in memory.
        "max_octets" => max_octets: Number<1_048_576, 1_099_511_627_776>,
    }
}

mapping! {
    /// How records are managed over HTTP.
    ApiSpec {
        /// Answer `/api/v1` at the listeners for HTTP. Metrics and probes are answered anyway.
        "enabled" => enabled: bool [default "true"],
        /// Speak TLS at them; plain HTTP if absent.
        "tls" => tls: TlsSpec,
        /// The file with the first token, which is written at the first start; `admin-token` in `store.data_dir` if absent.
        "admin_token_file" => admin_token_file: FilePath,
        /// Names by which clients may reach listeners on loopback, besides `localhost`.
        "hosts" => hosts: OneOrMany<ShortText>,
        /// Requests with one token per second.
        "requests_per_second" => requests_per_second: Number<1, 1_000_000_000> [default "5000"],
    }
}

mapping! {
    /// What TLS needs.
    TlsSpec {
        /// PEM file with the certificate chain, the server's own first; it is read again at each reload.
        "certificate" => certificate: FilePath [required],
        /// PEM file with its key.
        "private_key" => private_key: FilePath [required],
    }
}
