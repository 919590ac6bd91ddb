//! Random batches, with the folder closed, opened and tidied in between.

use dns_store::{Batch, Journal, Marks};
use proptest::prelude::*;
use tempfile::tempdir;

use super::{Model, batches, entry, name, rrset, state_of};
use crate::tests::model::any_entry;
use crate::{Folder, codec};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_entry_is_read_as_it_was_written(entry in any_entry()) {
        let octets = codec::encode(&entry).unwrap();
        prop_assert_eq!(codec::decode(&octets), Ok(entry.clone()));
        // Cut short anywhere, it is none; nor is it with anything behind it.
        for end in 0..octets.len() {
            prop_assert!(codec::decode(&octets[..end]).is_err(), "{} of {}", end, octets.len());
        }
        prop_assert!(codec::decode(&[&octets[..], &[0]].concat()).is_err());
    }

    #[test]
    fn changed_octets_are_another_entry_or_none(entry in any_entry(), at: proptest::sample::Index, bits in 1..=255u8) {
        let mut octets = codec::encode(&entry).unwrap();
        let at = at.index(octets.len());
        octets[at] ^= bits;
        if let Ok(other) = codec::decode(&octets) {
            prop_assert_eq!(codec::encode(&other).unwrap(), octets);
        }
    }
}

/// What happens between two batches.
#[derive(Clone, Copy, Debug)]
enum Step {
    Nothing,
    Checkpoint,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => Just(Step::Nothing), 1 => Just(Step::Checkpoint), 1 => Just(Step::Reopen)];
    prop::collection::vec(step, 12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_folder_holds_what_it_was_given(batches in batches(12), steps in steps()) {
        let folder = tempdir().unwrap();
        let mut journal = Folder::open(folder.path()).unwrap();
        let mut model = Model::default();
        for (batch, step) in batches.iter().zip(steps) {
            journal.append(batch).unwrap();
            model.apply(batch);
            match step {
                Step::Nothing => {}
                Step::Checkpoint => journal.log().checkpoint().unwrap(),
                Step::Reopen => {
                    drop(journal);
                    journal = Folder::open(folder.path()).unwrap();
                }
            }
            prop_assert_eq!(state_of(&journal), model.state.clone());
        }
        model.check(&journal);
    }
}

#[test]
fn marks_without_entries_are_newer_than_those_in_the_log() {
    let folder = tempdir().unwrap();
    let journal = Folder::open(folder.path()).unwrap();
    let marks = |serial: u32| Marks {
        version: Some(serial.into()),
        derived_serial: Some(serial),
        serials: vec![("default".into(), name("example.org"), serial)],
    };
    journal
        .append(&Batch { entries: vec![entry(1, &[rrset("a.example.org", 1)])], marks: marks(1) })
        .unwrap();
    journal.append(&Batch { entries: Vec::new(), marks: marks(2) }).unwrap();
    journal.log().checkpoint().unwrap();
    assert_eq!(journal.restore(None, &mut |_| {}).unwrap(), marks(2));
    journal.append(&Batch { entries: vec![entry(2, &[])], marks: marks(3) }).unwrap();
    assert_eq!(journal.restore(None, &mut |_| {}).unwrap(), marks(3));
}

#[test]
fn one_view_is_handed_over_alone() {
    let folder = tempdir().unwrap();
    let journal = Folder::open(folder.path()).unwrap();
    let mut inside = (*entry(2, &[rrset("b.example.org", 2)])).clone();
    inside.view = "inside".into();
    let entries = vec![entry(1, &[rrset("a.example.org", 1)]), inside.into()];
    journal.append(&Batch { entries, marks: Marks::default() }).unwrap();
    for _ in 0..2 {
        let mut count = 0;
        journal.restore(Some("inside"), &mut |_| count += 1).unwrap();
        assert_eq!(count, 1);
        journal.log().checkpoint().unwrap();
    }
}

#[test]
fn versions_only_rise() {
    let folder = tempdir().unwrap();
    let journal = Folder::open(folder.path()).unwrap();
    let batch = |versions: &[u64]| Batch {
        entries: versions.iter().map(|&version| entry(version, &[])).collect(),
        marks: Marks::default(),
    };
    journal.append(&batch(&[4, 7])).unwrap();
    for wrong in [&[7][..], &[3], &[9, 8], &[0]] {
        let error = journal.append(&batch(wrong)).unwrap_err().to_string();
        assert!(error.contains("does not come after"), "{error}");
    }
    journal.append(&batch(&[8])).unwrap();
    let versions: Vec<_> = journal.history(None, 9).unwrap().iter().map(|entry| entry.version).collect();
    assert_eq!(versions, [8, 7, 4]);
}
