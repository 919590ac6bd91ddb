use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use dns_core::ResponseCode;
use proptest::prelude::*;

use super::*;
use crate::packets::Transport;

fn settings(sample: u32, ring_octets: usize, whole_replies: bool) -> LogSettings {
    LogSettings { sample: NonZeroU32::new(sample).unwrap(), ring_octets, whole_replies }
}

fn exchange(request: &[u8]) -> Exchange<'_> {
    Exchange {
        now: Duration::new(1_700_000_000, 5_000),
        transport: Transport::Udp,
        client: "192.0.2.1:5353".parse().unwrap(),
        listener: 0,
        view: None,
        rule: None,
        request,
        reply: None,
    }
}

/// The requests of all entries that wait.
fn requests(readers: &mut [LogReader]) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    for reader in readers {
        while reader.read(|entry| requests.push(entry.request.to_vec())) > 0 {}
    }
    requests
}

#[test]
fn an_entry_comes_out_as_it_went_in() {
    let hub = LogHub::new(settings(1, 4096, true));
    let mut writer = hub.writer();
    let mut readers = hub.take_readers();
    assert!(hub.take_readers().is_empty(), "each reader is handed out once");
    let reply = Replied { rcode: ResponseCode::BADVERS, message: b"a whole reply of some octets" };
    let told = Exchange {
        transport: Transport::Tcp,
        client: "[2001:db8::1]:53".parse().unwrap(),
        listener: 70_000,
        view: Some("internal"),
        rule: Some("block-ads"),
        reply: Some(reply),
        ..exchange(b"request")
    };
    writer.record(&told);
    let mut seen = 0;
    readers[0].read(|entry| {
        seen += 1;
        let reply = LoggedReply { rcode: reply.rcode, octets: 28, message: reply.message };
        let expected = Entry {
            time: told.now,
            transport: Transport::Tcp,
            client: told.client,
            listener: u16::MAX,
            view: told.view,
            rule: told.rule,
            request: b"request",
            reply: Some(reply),
        };
        assert_eq!(entry, &expected);
    });
    assert_eq!(seen, 1);
}

#[test]
fn of_replies_that_are_not_wanted_whole_the_header_is_kept() {
    let hub = LogHub::new(settings(1, 4096, false));
    let mut writer = hub.writer();
    let reply = Replied { rcode: ResponseCode::NOERROR, message: &[7; 100] };
    writer.record(&Exchange { reply: Some(reply), ..exchange(b"q") });
    let mut kept = None;
    hub.take_readers()[0]
        .read(|entry| kept = entry.reply.map(|reply| (reply.octets, reply.message.to_vec())));
    assert_eq!(kept, Some((100, vec![7; 12])));
}

#[test]
fn addresses_keep_their_family() {
    let hub = LogHub::new(settings(1, 4096, false));
    let mut writer = hub.writer();
    let addresses: Vec<SocketAddr> = ["192.0.2.1:1", "[::ffff:192.0.2.1]:2", "[2001:db8::]:65535"]
        .map(|text| text.parse().unwrap())
        .into();
    for &client in &addresses {
        writer.record(&Exchange { client, ..exchange(b"q") });
    }
    let mut seen = Vec::new();
    hub.take_readers()[0].read(|entry| seen.push(entry.client));
    assert_eq!(seen, addresses);
}

#[test]
fn long_names_of_views_are_cut_between_characters() {
    let hub = LogHub::new(settings(1, 4096, false));
    let mut writer = hub.writer();
    let name = format!("{}é", "v".repeat(254));
    writer.record(&Exchange { view: Some(&name), rule: Some(""), ..exchange(b"q") });
    let mut view = None;
    hub.take_readers()[0].read(|entry| {
        view = entry.view.map(str::to_owned);
        assert_eq!(entry.rule, Some(""));
    });
    assert_eq!(view, Some("v".repeat(254)));
}

#[test]
fn what_finds_no_room_is_dropped_and_counted() {
    let one = HEAD_OCTETS + 8;
    let hub = LogHub::new(settings(1, 3 * one, false));
    let mut writer = hub.writer();
    let mut readers = hub.take_readers();
    for number in 0..5u64 {
        writer.record(&exchange(&number.to_be_bytes()));
    }
    assert_eq!(hub.dropped(), 2);
    assert_eq!(requests(&mut readers), [0u64, 1, 2].map(|number| number.to_be_bytes().to_vec()));
    // There is room again.
    writer.record(&exchange(&[9; 8]));
    writer.record(&exchange(&[0; 1000]));
    assert_eq!(requests(&mut readers), [vec![9; 8]]);
    // Counts outlive their writer.
    assert_eq!(hub.dropped(), 3);
    drop(writer);
    assert_eq!((hub.dropped(), hub.dropped()), (3, 3));
    let mut writer = hub.writer();
    writer.record(&exchange(&[0; 1000]));
    assert_eq!(hub.dropped(), 4);
}

#[test]
fn one_query_in_n_is_logged() {
    let hub = LogHub::new(settings(3, 4096, false));
    let mut writer = hub.writer();
    for number in 0..8u8 {
        writer.record(&exchange(&[number]));
    }
    assert_eq!(requests(&mut hub.take_readers()), [[0], [3], [6]]);
    assert_eq!(hub.dropped(), 0, "what is not sampled is not dropped");
}

#[test]
fn a_reader_is_finished_when_its_writer_is_gone_and_all_is_read() {
    let hub = LogHub::new(settings(1, 4096, false));
    let mut writer = hub.writer();
    let mut readers = hub.take_readers();
    assert!(!readers[0].is_finished());
    writer.record(&exchange(b"last"));
    drop(writer);
    assert!(!readers[0].is_finished());
    assert_eq!(readers[0].pending_octets(), HEAD_OCTETS + 4);
    assert_eq!(requests(&mut readers), [b"last"]);
    assert!(readers[0].is_finished());
}

#[test]
fn a_closed_hub_makes_writers_that_only_count() {
    let hub = LogHub::new(LogSettings::default());
    let _before = hub.writer();
    hub.close();
    let mut writer = hub.writer();
    writer.record(&exchange(b"q"));
    assert!(hub.take_readers().is_empty());
    assert_eq!(hub.dropped(), 1);
}

/// A writer and a reader at work at once: what is not counted as dropped arrives, whole and in order.
#[test]
fn nothing_is_torn_while_both_ends_are_busy() {
    const EXCHANGES: u32 = 20_000;
    let hub = LogHub::new(settings(1, 1 << 12, false));
    let mut writer = hub.writer();
    let mut readers = hub.take_readers();
    let writing = thread::spawn(move || {
        for number in 0..EXCHANGES {
            let request = number.to_be_bytes().repeat(1 + number as usize % 50);
            writer.record(&exchange(&request));
        }
    });
    let mut seen = Vec::new();
    while !readers[0].is_finished() {
        let read = readers[0].read(|entry| {
            let number = u32::from_be_bytes(entry.request[..4].try_into().unwrap());
            assert_eq!(entry.request, number.to_be_bytes().repeat(1 + number as usize % 50));
            seen.push(number);
        });
        if read == 0 {
            thread::yield_now();
        }
    }
    writing.join().unwrap();
    assert!(seen.is_sorted_by(|a, b| a < b));
    assert_eq!(seen.len() as u64 + hub.dropped(), u64::from(EXCHANGES));
}

proptest! {
    /// Wherever the ring's end falls into an entry, it is put together again.
    #[test]
    fn entries_may_lie_across_the_end(
        octets in prop::collection::vec(0usize..90, 1..60),
        room in HEAD_OCTETS + 90..400,
    ) {
        let hub = LogHub::new(settings(1, room, true));
        let mut writer = hub.writer();
        let mut readers = hub.take_readers();
        for (number, octets) in octets.into_iter().enumerate() {
            let request = vec![number as u8; octets];
            writer.record(&exchange(&request));
            prop_assert_eq!(requests(&mut readers), [request]);
        }
        prop_assert_eq!(hub.dropped(), 0);
    }

    #[test]
    fn no_octets_make_the_reader_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(entry) = Entry::read(&octets) {
            prop_assert!(entry.request.len() < octets.len());
        }
    }
}
