//! Zones, and the views that they stand in.

use std::net::SocketAddr;

use dns_core::RecordType;

use super::super::reader::{Located, mapping};
use super::super::value::{
    AbsoluteName, FilePath, FolderPath, NetworkWord, OneOrMany, RecordValue, Seconds, Word, ZoneName,
};

mapping! {
    /// A zone that is served.
    ZoneSpec {
        /// The zone's name.
        "name" => name: ZoneName [required],
        /// Its zone file; a relative path begins at the folder of the file in which it stands.
        "file" => file: FilePath [required],
        /// Ask upstream for names that the zone does not have, instead of denying them.
        "fallthrough" => fallthrough: bool [default "false"],
        /// Clients that may ask for its names; all if absent.
        "allow" => allow: OneOrMany<NetworkWord>,
        /// Clients that may not.
        "deny" => deny: OneOrMany<NetworkWord>,
    }
}

mapping! {
    /// Zones that are all served alike.
    ZoneTemplateSpec {
        /// Their names.
        "zones" => zones: OneOrMany<ZoneName>,
        /// A file with further names, one per line; what follows a `#` is a remark.
        "zones_from" => zones_from: FilePath,
        /// The zone file of each: `{zone}` stands for the zone's name without the dot at its end. Without `{zone}`, one file with relative names serves all.
        "file" => file: FilePath [required],
        /// Ask upstream for names that a zone does not have, instead of denying them.
        "fallthrough" => fallthrough: bool [default "false"],
        /// Clients that may ask for their names; all if absent.
        "allow" => allow: OneOrMany<NetworkWord>,
        /// Clients that may not.
        "deny" => deny: OneOrMany<NetworkWord>,
    }
}

mapping! {
    /// Records of one name and type.
    RecordSpec {
        /// The owner, with the dot at its end.
        "name" => name: AbsoluteName [required],
        /// The type, such as `A`, `MX` or `TYPE65280`.
        "type" => rtype: RecordType [required],
        /// How long resolvers may keep it; `backend.default_ttl` if absent.
        "ttl" => ttl: Seconds,
        /// One value per record, as a zone file writes it, names with the dot at their end.
        "value" => value: OneOrMany<RecordValue> [required],
    }
}

mapping! {
    /// What some clients are served.
    ViewSpec {
        /// Its name: a word, but not `default`, which stands for what is served outside views.
        "name" => name: Word [required],
        /// Clients that get it; all if absent. Of several views, the one counts that names the client by the longest prefix.
        "clients" => clients: OneOrMany<NetworkWord>,
        /// Listeners at which it is given, as `listen.dns` names them; all if absent.
        "listeners" => listeners: OneOrMany<SocketAddr>,
        /// Answer names that no zone of the view covers from the zones outside views, instead of refusing them.
        "shared" => shared: bool [default "false"],
        /// Its zones by name.
        "zones" => zones: Vec<Located<ZoneSpec>>,
        /// A folder of which every `*.zone` file is served.
        "zones_dir" => zones_dir: FolderPath,
        /// Its zones that are all served alike.
        "zone_templates" => zone_templates: Vec<Located<ZoneTemplateSpec>>,
        /// Its records that need no zone.
        "records" => records: Vec<Located<RecordSpec>>,
    }
}
