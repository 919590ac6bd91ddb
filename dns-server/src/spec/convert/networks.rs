//! Networks by name.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dns_core::Network;

use super::super::fault::Place;
use super::super::keys::NetworksSpec;
use super::super::reader::{Located, Reader};
use super::super::suggest;
use super::super::value::{NetworkWord, OneOrMany};

/// Most networks that all lists come to together, so that groups of groups cannot fill the memory.
const NETWORKS_MAX: usize = 1_000_000;

/// Groups that are there without being declared.
const BUILT_IN: [&str; 3] = ["any", "loopback", "private"];

/// Groups of networks, and how many networks may still be listed.
pub(super) struct Networks {
    groups: HashMap<String, Group>,
    left: usize,
}

struct Group {
    members: Vec<Network>,
    /// `None` for those that are there without being declared.
    place: Option<Place>,
}

/// A list as it may be written.
type List = Located<OneOrMany<NetworkWord>>;

impl Networks {
    /// Reads the declared groups.
    pub fn new(specs: Option<Located<Vec<Located<NetworksSpec>>>>, reader: &mut Reader) -> Self {
        let built_in = BUILT_IN.map(|name| (name.to_owned(), Group { members: built_in(name), place: None }));
        let mut networks = Self { groups: HashMap::from(built_in), left: NETWORKS_MAX };
        for spec in specs.map(|specs| specs.value).unwrap_or_default() {
            let NetworksSpec { name, members } = spec.value;
            let members = networks.some(members.as_ref(), reader);
            let Some(name) = name else { continue };
            match networks.groups.get(&name.value.0).map(|known| &known.place) {
                Some(Some(place)) => reader.object(&name, format!("is already given at {place}")),
                Some(None) => reader.object(&name, "is the name of a group that is always there"),
                None => {
                    let place = Some(name.place);
                    networks.groups.insert(name.value.0, Group { members, place });
                }
            }
        }
        networks
    }

    /// The networks of a list, each once. An empty list is a mistake: read as no list at all, it would mean everybody.
    pub fn some(&mut self, list: Option<&List>, reader: &mut Reader) -> Vec<Network> {
        let Some(list) = list else { return Vec::new() };
        if list.value.0.is_empty() && !reader.has_faults_below(&list.key) {
            reader.object(list, "the list is empty; leave the key out, or name somebody");
        }
        self.all(Some(list), reader)
    }

    /// The networks of a list, each once.
    pub fn all(&mut self, list: Option<&List>, reader: &mut Reader) -> Vec<Network> {
        let Some(list) = list else { return Vec::new() };
        let mut networks = Vec::new();
        let mut known = HashSet::new();
        for word in &list.value.0 {
            let members = match self.members(&word.value) {
                Ok(members) => members,
                Err(problem) => {
                    reader.object(word, problem);
                    continue;
                }
            };
            networks.extend(members.iter().copied().filter(|network| known.insert(*network)));
            if networks.len() > self.left {
                reader.object(word, format!("all lists together name more than {NETWORKS_MAX} networks"));
                return Vec::new();
            }
        }
        self.left -= networks.len();
        networks
    }

    fn members<'w>(&'w self, word: &'w NetworkWord) -> Result<&'w [Network], String> {
        let name = match word {
            NetworkWord::Literal(network) => return Ok(std::slice::from_ref(network)),
            NetworkWord::Group(name) => name,
        };
        if let Some(group) = self.groups.get(name) {
            return Ok(&group.members);
        }
        let mut names: Vec<&str> = self.groups.keys().map(String::as_str).collect();
        names.sort_unstable();
        let hint = match suggest::nearest(name, names) {
            Some(near) => format!(", did you mean '{near}'?"),
            None => ", groups are declared in 'networks', each after those that it names".to_owned(),
        };
        Err(format!("there is no group of networks '{name}'{hint}"))
    }
}

/// All addresses.
pub(super) fn any() -> Vec<Network> {
    vec![Network::new(Ipv4Addr::UNSPECIFIED.into(), 0), Network::new(Ipv6Addr::UNSPECIFIED.into(), 0)]
}

fn built_in(name: &str) -> Vec<Network> {
    let v4 = |a, b, length| Network::new(IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), length);
    let v6 = |first, length| Network::new(IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0)), length);
    match name {
        "any" => any(),
        "loopback" => Network::loopback().to_vec(),
        // RFC 1918, RFC 4193, and the addresses of a link, RFC 3927 and RFC 4291, section 2.5.6.
        _ => vec![
            v4(10, 0, 8),
            v4(172, 16, 12),
            v4(192, 168, 16),
            v4(169, 254, 16),
            v6(0xfc00, 7),
            v6(0xfe80, 10),
        ],
    }
}
