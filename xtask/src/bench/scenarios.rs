//! All scenarios, in one table: adding one is adding an entry, and a place for its table in `benches/RESULTS.md`.

use super::BOTH_CORES;
use super::entrant::{Asking, Entrant, Kind, Limits, Setup};
use super::manage::Deed;
use super::scenario::{Budget, Metric, Scenario, Work};
use super::zones::Shape;

/// What `--quick` measures, with this peer.
pub const QUICK: (&str, Kind) = ("hits-10k", Kind::Knot);

const NO_TCP_ECHO: (Kind, &str) = (Kind::Echo, "it speaks UDP only");

/// All of them, in the order in which they are measured.
pub const ALL: &[Scenario] = &[
    Scenario::load("hits-10k", "10k names, hits", Shape::Plain(10_000), Asking::udp("hits"))
        .budget(Budget::ToEcho(1.03)),
    Scenario::load("nxdomain-10k", "10k names, NXDOMAIN", Shape::Plain(10_000), Asking::udp("nxdomain"))
        .budget(Budget::ToEcho(1.05)),
    Scenario::load("mixed-10k", "10k names, mixed", Shape::Plain(10_000), Asking::udp("mixed"))
        .budget(Budget::ToEcho(1.04))
        .remark("70 % hits, 10 % NXDOMAIN, 10 % NODATA, 5 % CNAME, 3 % wildcard, 2 % referral."),
    Scenario::load("hits-1m", "1M names, hits", Shape::Plain(1_000_000), Asking::udp("hits"))
        .budget(Budget::ToEcho(1.08)),
    Scenario::load("nxdomain-1m", "1M names, NXDOMAIN", Shape::Plain(1_000_000), Asking::udp("nxdomain")),
    Scenario::load("mixed-1m", "1M names, mixed", Shape::Plain(1_000_000), Asking::udp("mixed")),
    Scenario::load(
        "signed-10k",
        "10k names, signed, DO, mixed",
        Shape::Signed(10_000),
        Asking::udp("mixed").edns("dnssec"),
    )
    .absent(&[(Kind::Gdnsd, "it has no DNSSEC")])
    .budget(Budget::ToEcho(1.12))
    .remark("Signed with NSEC before it is loaded; every answer must have its signatures and proofs."),
    Scenario::load("tcp-10k", "10k names, hits, TCP", Shape::Plain(10_000), Asking::tcp("hits"))
        .absent(&[NO_TCP_ECHO])
        .budget(Budget::To(Kind::Gdnsd, 0.95))
        .remark("Ten connections, 200 questions outstanding in all, pipelined."),
    Scenario::load("edns-10k", "10k names, hits, EDNS", Shape::Plain(10_000), Asking::udp("hits").edns("plain")),
    Scenario::these("prices", "What options cost, 10k names, hits", Shape::Plain(10_000), Metric::Cpu, PRICES)
        .remark(
            "The limits are in force for the client and never reached. The client's cookie is one that the server has \
             given it.",
        ),
    Scenario::these("flood", "One client floods, 10k names, hits", Shape::Plain(10_000), Metric::Rate, FLOODED)
        .remark(
            "Queries/s are those of the clients with a valid cookie. Another one sends 50,000 questions per second \
             from another network without one and is limited to 500 answers per second; it shares the load's core \
             and the server's socket. Its questions are among those that CPU time is divided by.",
        ),
    Scenario::load("deep", "NXDOMAIN as deep as names go", EXTREMES, Asking::udp("deep")).remark(
        "Names of 255 octets, up to 116 labels below the apex, with the closest encloser at any depth; a name that \
         deep exists.",
    ),
    Scenario::load("big-udp", "1,000 A records, truncated", EXTREMES, Asking::udp("big")),
    Scenario::load("big-tcp", "1,000 A records, TCP", EXTREMES, Asking::tcp("big-tcp")).absent(&[NO_TCP_ECHO]),
    Scenario::load("any", "ANY, 10k names", EXTREMES, Asking::udp("any"))
        .ours(Setup { backend: "any: full", ..Setup::ONE })
        .remark("Ours is told to answer with all records, which it does over TCP only by default."),
    Scenario::load("referral", "Referral to 13 servers with glue", EXTREMES, Asking::udp("referral")),
    Scenario::load("chain", "Chain of 10 aliases", EXTREMES, Asking::udp("chain"))
        .absent(&[(Kind::Knot, "it follows five aliases at most")]),
    Scenario::load(
        "delegations-1m",
        "1M delegations, referrals",
        Shape::Delegations(1_000_000),
        Asking::udp("delegations"),
    ),
    Scenario::load("zones-100k", "100,000 zones, hits", Shape::Small(100_000), Asking::udp("small")).slow(),
    Scenario::these(
        "changes-10k",
        "Answering while records change, 10k names",
        Shape::Plain(10_000),
        Metric::Rate,
        CHANGING,
    )
    .budget(CHANGING_BUDGET)
    .remark(CHANGING_REMARK),
    Scenario::these(
        "changes-1m",
        "Answering while records change, 1M names",
        Shape::Plain(1_000_000),
        Metric::Rate,
        CHANGING,
    )
    .budget(CHANGING_BUDGET)
    .remark(CHANGING_REMARK),
    Scenario::new(
        "latency-10k",
        "A change of one record until it is seen, 10k names",
        Shape::Plain(10_000),
        Work::Latency { absent: NO_UPDATES },
    )
    .budget(Budget::Latency(30.0))
    .remark(LATENCY_REMARK),
    Scenario::new(
        "latency-1m",
        "A change of one record until it is seen, 1M names",
        Shape::Plain(1_000_000),
        Work::Latency { absent: NO_UPDATES },
    )
    .budget(Budget::Latency(30.0))
    .remark(LATENCY_REMARK),
    durable("durable-1", "Durable changes in process, 1 writer", 1),
    durable("durable-4", "Durable changes in process, 4 writers", 4),
    durable("durable-16", "Durable changes in process, 16 writers", 16).budget(Budget::ToDatabase(0.8)),
    durable("durable-64", "Durable changes in process, 64 writers", 64),
    http("http-16", "Changes over HTTP, 16 clients", Deed::Load { clients: 16 })
        .budget(Budget::ToBestManager(5.0))
        .remark(HTTP_REMARK),
    http("http-256", "Changes over HTTP, 256 clients", Deed::Load { clients: 256 })
        .budget(Budget::ToBestManager(5.0))
        .remark(HTTP_REMARK),
    http("http-1000", "Reading and changing over HTTP, 1,000 clients", Deed::Mixed { clients: 1000 })
        .budget(Budget::NoErrors)
        .remark(
            "Each client has a connection of its own, reads a name, changes it, and so on. The server \
             has one core, the clients the other.",
        ),
    http("http-seen", "From a change over HTTP until DNS answers it", Deed::Seen)
        .budget(Budget::Seen { durable_micros: 5000.0, memory_micros: 1000.0 })
        .remark(
            "From sending the change to the first answer that shows it. The client that sends it asks \
             one question after another over UDP meanwhile, 50 us after each answer, which is about \
             how exact the times are. PowerDNS is without its caches: a question that comes while it \
             changes something may put the answer of before into them, for 20 s. The server may use both \
             cores, the client one of them.",
        ),
    Scenario::new("http-1m", "1M records over HTTP", Shape::Plain(1_000_000), Work::Manage(Deed::Fill))
        .slow()
        .remark("One A record for each name, all in one zone of the API; the server may use both cores."),
    Scenario::these(
        "workers",
        "Workers on two cores, 10k names, hits",
        Shape::Plain(10_000),
        Metric::Rate,
        WORKERS,
    )
    .remark("The load is one thread and shares the two cores with the server, so nothing can double."),
    Scenario::new("start-1m", "Loading 1M names", Shape::Plain(1_000_000), Work::Start {
        absent: &[(Kind::Echo, "it loads nothing")],
    })
    .budget(Budget::Start { seconds: 0.5, octets: 110_000_000 }),
    Scenario::new("rest", "At rest with the sample zone", Shape::Plain(1), Work::Rest)
        .budget(Budget::Rest { seconds: 0.05, octets: 20_000_000, cpu: 0.001 }),
];

/// Changes in process to a zone of 10,000 names.
const fn durable(id: &'static str, title: &'static str, writers: u16) -> Scenario {
    let work = Work::Manage(Deed::Durable { writers });
    Scenario::new(id, title, Shape::Plain(10_000), work).remark(DURABLE_REMARK)
}

/// Something over HTTP with a zone of 10,000 names.
const fn http(id: &'static str, title: &'static str, deed: Deed) -> Scenario {
    Scenario::new(id, title, Shape::Plain(10_000), Work::Manage(deed))
}

const DURABLE_REMARK: &str = "One record each, of another name each time, and each writer waits until its change is safe. Ours \
     works each out, checks and publishes it as a server does, over a journal in a folder; the bare \
     ones are handed a value by each writer, and one thread keeps all that have come at once. \
     Everything is made anew for each round, with 10,000 names in ours. Closing brings the tables of \
     the journal up to date. Syncs of ours are batches handed to the journal, and the time in them is \
     that of encoding, writing and syncing.";
const HTTP_REMARK: &str = "A name that is there gets another address, then one that is not there gets one, and so on; each \
     client waits for the answer before its next request. Ours takes PUT and POST /records, PowerDNS \
     PATCH with one RRset. Connections are kept where the server keeps them: PowerDNS closes each \
     after one request. PowerDNS answers changes that meet in its SQLite 3 backend with errors, so its \
     clients let one of them ask at a time. Its database is analyzed after the zone was loaded, as its \
     documentation advises, and zones are not rectified. It has a write-ahead log by default, which is \
     synced with every change; not synced is what its documentation offers for speed (gsqlite3-pragma- \
     synchronous=0), where a power cut may lose what was acknowledged. The server has one core, the \
     clients the other. All changed names are asked for by DNS after each round; the CPU time has that \
     in it.";

const EXTREMES: Shape = Shape::Extremes(10_000);

const OURS: Entrant = Entrant { kind: Kind::Ours, label: "jw238dns", setup: Setup::ONE, asking: HITS };
const HITS: Asking = Asking::udp("hits");

const PRICES: &[Entrant] = &[
    OURS,
    Entrant { label: "EDNS", asking: HITS.edns("plain"), ..OURS },
    Entrant { label: "a valid cookie", asking: HITS.edns("cookie"), ..OURS },
    Entrant { label: "limits", setup: Setup { limits: Limits::Unreached, ..Setup::ONE }, ..OURS },
    Entrant {
        label: "limits and a valid cookie",
        setup: Setup { limits: Limits::Unreached, ..Setup::ONE },
        asking: HITS.edns("cookie"),
        ..OURS
    },
    Entrant {
        label: "minimal responses",
        setup: Setup { backend: "minimal_responses: true", ..Setup::ONE },
        ..OURS
    },
];

/// Few enough outstanding that they and a batch of the flood fit into the server's socket together.
const PROVEN: Asking = Asking { outstanding: 64, ..HITS.edns("cookie") };
const FLOODED: &[Entrant] = &[
    Entrant {
        label: "no flood",
        setup: Setup { limits: Limits::Default, ..Setup::ONE },
        asking: PROVEN,
        ..OURS
    },
    Entrant {
        label: "flooded",
        setup: Setup { limits: Limits::Default, ..Setup::ONE },
        asking: Asking { flood: 50_000, ..PROVEN },
        ..OURS
    },
];

const CHANGING: &[Entrant] = &[
    Entrant { kind: Kind::Changes, label: "no changes", ..OURS },
    Entrant {
        kind: Kind::Changes,
        label: "1,000 changes/s",
        setup: Setup { changes_per_second: 1000, ..Setup::ONE },
        ..OURS
    },
    Entrant {
        kind: Kind::Changes,
        label: "10,000 changes/s",
        setup: Setup { changes_per_second: 10_000, ..Setup::ONE },
        ..OURS
    },
];
const CHANGING_BUDGET: Budget = Budget::ToFirst("1,000 changes/s", 0.90);
const CHANGING_REMARK: &str = "One record of another name each time, from a thread on the worker's own core, in \
                               process. The overlay is folded into the base in the background when it holds 4,096 \
                               changed names or a sixteenth of the zone, whichever is more.";

const NO_UPDATES: &[(Kind, &str)] = &[
    (Kind::Echo, "it has no records"),
    (Kind::Gdnsd, "it takes no updates"),
    (Kind::Nsd, "it takes no updates"),
    (Kind::Pdns, "its bind backend takes no updates"),
];
const LATENCY_REMARK: &str = "Ours is changed in process, and has no journal; its times are until readers see the \
                              change. The others are sent dynamic updates, one at a time from one client; their times \
                              are from sending one to the first right answer, and changes/s are those acknowledged \
                              without questions in between. Their journals are on disk and as they come by default: \
                              all three sync theirs with every change (BIND with fsync, Knot and YADIFA with \
                              fdatasync). Knot's other default, to write the whole zone file after every change, is \
                              switched off.";

const TWO: Setup = Setup { workers: 2, ..SHARED };
const SHARED: Setup = Setup { cores: BOTH_CORES, ..Setup::ONE };
/// More sockets, so that the kernel can spread them over the workers.
const SHARING: Asking = Asking { cores: BOTH_CORES, sockets: 16, ..HITS };
const WORKERS: &[Entrant] = &[
    Entrant { kind: Kind::Echo, label: "echo, 1 worker", setup: SHARED, asking: SHARING },
    Entrant { kind: Kind::Echo, label: "echo, 2 workers", setup: TWO, asking: SHARING },
    Entrant { kind: Kind::Ours, label: "jw238dns, 1 worker", setup: SHARED, asking: SHARING },
    Entrant { kind: Kind::Ours, label: "jw238dns, 2 workers", setup: TWO, asking: SHARING },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_words_of_their_own() {
        let ids: HashSet<_> = ALL.iter().map(|scenario| scenario.id).collect();
        assert_eq!(ids.len(), ALL.len());
        assert!(
            ids.iter().all(|id| id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
        );
        assert!(ids.contains(QUICK.0));
    }

    #[test]
    fn words_choose_and_slow_ones_are_asked_for() {
        let chosen = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
            ALL.iter()
                .filter(|scenario| scenario.is_meant(&words))
                .map(|scenario| scenario.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(chosen(&["latency", "rest"]), ["latency-10k", "latency-1m", "rest"]);
        assert!(chosen(&["nothing-like-it"]).is_empty());
        assert!(!chosen(&[]).contains(&"zones-100k") && chosen(&["zones"]).contains(&"zones-100k"));
    }

    #[test]
    fn who_is_absent_has_a_reason_and_is_not_started() {
        for scenario in ALL {
            let entrants = scenario.entrants(&Kind::ALL);
            for (kind, why) in scenario.absentees(&Kind::ALL) {
                assert!(
                    !why.is_empty() && entrants.iter().all(|entrant| entrant.kind != kind),
                    "{}",
                    scenario.id
                );
            }
        }
        let tcp = ALL.iter().find(|scenario| scenario.id == "tcp-10k").unwrap();
        assert_eq!(tcp.entrants(&Kind::ALL).len(), Kind::ALL.len() - 1);
        assert_eq!(tcp.entrants(&[Kind::Ours, Kind::Echo]).len(), 1);
        assert_eq!(tcp.absentees(&[Kind::Ours]), []);
        let latency = ALL.iter().find(|scenario| scenario.id == "latency-10k").unwrap();
        let kinds: Vec<_> = latency.entrants(&Kind::ALL).iter().map(|entrant| entrant.kind).collect();
        assert_eq!(kinds, [Kind::Changes, Kind::Yadifa, Kind::Knot, Kind::Bind]);
        assert!(latency.entrants(&[Kind::Knot]).iter().all(|entrant| entrant.setup.updates));
    }

    #[test]
    fn one_server_is_set_up_for_what_is_asked_of_it() {
        let of = |id: &str| {
            let scenario = ALL.iter().find(|scenario| scenario.id == id).unwrap();
            scenario.entrants(&Kind::ALL)
        };
        let any = of("any");
        let ours = any.iter().find(|entrant| entrant.kind == Kind::Ours).unwrap();
        assert_eq!(ours.setup.backend, "any: full");
        assert!(of("prices").iter().any(|entrant| entrant.setup.limits == Limits::Unreached));
        assert!(of("flood").iter().any(|entrant| entrant.asking.flood > 0));
        assert_eq!(of("changes-10k").len(), 3);
        assert!(of("start-1m").iter().all(|entrant| entrant.setup.cores == BOTH_CORES));
    }
}
