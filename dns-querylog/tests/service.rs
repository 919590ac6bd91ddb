//! The log's thread, with files and standard output.

mod support;

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, thread};

use dns_backend::log::LogHub;
use dns_querylog::{Format, QueryLog, QueryLogConfig, Target};
use serde_json::Value;

use support::{WWW, exchange, query, reply, wait_until};

fn file_config(path: &Path) -> QueryLogConfig {
    QueryLogConfig { target: Target::File(path.to_owned()), ..QueryLogConfig::default() }
}

fn ids(text: &str) -> Vec<u64> {
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_u64().unwrap();
    text.lines().map(line).collect()
}

#[test]
fn stopping_loses_nothing_and_keeps_the_order() {
    const WORKERS: u16 = 3;
    const QUERIES: u16 = 2000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let config = file_config(&path);
    let hub = config.hub();
    let log = QueryLog::start(config, hub.clone()).unwrap();
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let mut writer = hub.writer();
            thread::spawn(move || {
                for number in 0..QUERIES {
                    let request = query(worker * QUERIES + number, WWW);
                    writer.record(&exchange(&request, Some(&reply(&request))));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    log.stop().unwrap();
    let ids = ids(&fs::read_to_string(&path).unwrap());
    assert_eq!((log.written(), log.dropped()), (ids.len() as u64, 0));
    for worker in 0..u64::from(WORKERS) {
        let queries = u64::from(QUERIES);
        let own: Vec<_> = ids.iter().copied().filter(|id| id / queries == worker).collect();
        assert_eq!(own, (worker * queries..(worker + 1) * queries).collect::<Vec<_>>());
    }
    // Nobody reads any more.
    hub.writer().record(&exchange(b"late", None));
    assert_eq!(log.dropped(), 1);
    log.stop().unwrap();
}

#[test]
fn entries_are_written_while_the_log_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let config = QueryLogConfig { format: Format::Text, ..file_config(&path) };
    let hub = config.hub();
    let log = QueryLog::start(config, hub.clone()).unwrap();
    hub.writer().record(&exchange(&query(1, WWW), None));
    wait_until("the first entry is written", || log.written() == 1);
    hub.writer().record(&exchange(&query(2, WWW), None));
    wait_until("an entry of another worker is written", || log.written() == 2);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.lines().filter(|line| line.contains(" www.example.org. IN A rd -> no reply")).count(),
        2,
        "{text}"
    );
}

#[test]
fn a_file_that_was_moved_away_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
    fs::write(&path, "from before\n").unwrap();
    let config = file_config(&path);
    let hub = config.hub();
    let log = QueryLog::start(config, hub.clone()).unwrap();
    let mut writer = hub.writer();
    let mut record = |id: u16| {
        let before = log.written();
        writer.record(&exchange(&query(id, WWW), None));
        wait_until("the entry is written", || log.written() > before);
    };
    record(1);
    fs::rename(&path, &old).unwrap();
    record(2);
    log.reopen();
    wait_until("there is a new file", || path.exists());
    record(3);
    let old = fs::read_to_string(old).unwrap();
    let old = old.strip_prefix("from before\n").expect("files are appended to");
    assert_eq!(ids(old), [1, 2]);
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()), [3]);

    // Where the folder is gone the old file stays in use.
    let moved = folder.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    log.reopen();
    record(4);
    assert_eq!(ids(&fs::read_to_string(moved).unwrap()), [3, 4]);
}

#[test]
fn a_line_that_a_killed_process_has_left_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "{\"time\":").unwrap();
    let config = file_config(&path);
    let hub = config.hub();
    hub.writer().record(&exchange(&query(1, WWW), None));
    QueryLog::start(config, hub).unwrap().stop().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(ids(text.strip_prefix("{\"time\":\n").expect(&text)), [1]);
}

#[test]
fn a_new_file_is_not_for_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let config = file_config(&path);
    let hub = config.hub();
    let _log = QueryLog::start(config, hub).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o137, 0);
}

#[test]
fn a_pipe_that_nobody_reads_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let config = file_config(&path);
    let hub = config.hub();
    let error = QueryLog::start(config.clone(), hub.clone()).unwrap_err().to_string();
    assert!(error.starts_with(path.to_str().unwrap()), "{error}");

    // One that is not read while it is open takes what it has room for.
    let reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let log = QueryLog::start(config, hub.clone()).unwrap();
    let mut writer = hub.writer();
    wait_until("entries are dropped", || {
        writer.record(&exchange(&query(1, WWW), None));
        log.dropped() > 0
    });
    log.stop().unwrap();
    assert!(log.written() > 0);
    drop(reader);
}

#[test]
fn one_in_n_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let config = QueryLogConfig { sample: NonZeroU32::new(10).unwrap(), ..file_config(&path) };
    let hub = config.hub();
    let log = QueryLog::start(config, hub.clone()).unwrap();
    let mut writer = hub.writer();
    for id in 0..95 {
        writer.record(&exchange(&query(id, WWW), None));
    }
    log.stop().unwrap();
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    assert_eq!((log.written(), log.dropped()), (10, 0));
}

#[test]
fn entries_that_find_no_room_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let config = QueryLogConfig { ring_octets: 1000, ..file_config(&path) };
    let hub = config.hub();
    // Nobody reads yet, so it is known what finds room.
    let mut writer = hub.writer();
    for id in 0..20 {
        writer.record(&exchange(&query(id, WWW), None));
    }
    let log = QueryLog::start(config, hub).unwrap();
    log.stop().unwrap();
    let ids = ids(&fs::read_to_string(&path).unwrap());
    assert!((5..20).contains(&ids.len()), "{ids:?}");
    assert_eq!(ids, (0..ids.len() as u64).collect::<Vec<_>>());
    assert_eq!((log.written(), log.dropped()), (ids.len() as u64, 20 - ids.len() as u64));
}

/// `/dev/full` fails every write as a full disk does.
#[test]
fn what_a_full_disk_does_not_take_is_counted() {
    let config = file_config(Path::new("/dev/full"));
    let hub = config.hub();
    let log = QueryLog::start(config, hub.clone()).unwrap();
    hub.writer().record(&exchange(&query(1, WWW), None));
    log.stop().unwrap();
    assert_eq!((log.written(), log.dropped()), (0, 1));
}

#[test]
fn what_cannot_work_is_refused_at_the_start() {
    let refusal = |config: QueryLogConfig| {
        let hub = config.hub();
        QueryLog::start(config, hub).unwrap_err().to_string()
    };
    let socket = Target::Socket("s".into());
    let dnstap = QueryLogConfig { format: Format::Dnstap, ..QueryLogConfig::default() };
    assert_eq!(refusal(dnstap.clone()), "dnstap is written to a socket only");
    assert_eq!(
        refusal(QueryLogConfig { target: socket.clone(), ..QueryLogConfig::default() }),
        "only dnstap is written to a socket"
    );
    let missing = refusal(file_config(Path::new("no/such/folder/log")));
    assert!(missing.starts_with("no/such/folder/log: "), "{missing}");
    let without_replies = LogHub::new(QueryLogConfig::default().settings());
    let error = QueryLog::start(QueryLogConfig { target: socket, ..dnstap }, without_replies).unwrap_err();
    assert_eq!(error.to_string(), "dnstap needs whole replies");
}

const CHILD: &str = "QUERY_LOG_TEST_CHILD";

/// What the child process of the next test does.
#[test]
fn child_that_logs_to_standard_output() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let config = QueryLogConfig::default();
    let hub = config.hub();
    let log = QueryLog::start(config, hub.clone()).unwrap();
    hub.writer().record(&exchange(&query(4711, WWW), None));
    log.stop().unwrap();
}

#[test]
fn standard_output_takes_lines() {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "child_that_logs_to_standard_output", "--nocapture"]).env(CHILD, "1");
    let output = child.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    // The harness writes its own lines around ours, and may not end one before it.
    let line =
        text.lines().find_map(|line| line.find('{').map(|begin| &line[begin..])).expect("a line of JSON");
    assert_eq!(ids(line), [4711]);
}
