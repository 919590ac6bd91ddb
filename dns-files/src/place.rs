//! Where in its files a zone has what was found in it.

use std::collections::HashMap;
use std::path::Path;

use dns_core::zone::Place;
use dns_core::zonecheck::Finding;
use dns_core::{Name, rdata, zonefile};

use crate::disk::Disk;
use crate::load::confined_include;

/// Each finding as text, behind the file and the line of the record that shows it; behind the file alone where no record
/// of the file does.
///
/// Zones do not keep the lines of their records, so the file is read once more. `findings` are those of the zone `apex`.
pub fn place_findings(path: &Path, apex: &Name, findings: &[Finding]) -> Vec<String> {
    let label = path.display().to_string();
    let mut by_owner: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        by_owner.entry(finding.owner().as_wire()).or_default().push(at);
    }
    let mut places: Vec<Option<Place>> = vec![None; findings.len()];
    let mut disk = Disk::default();
    let mut files = Vec::new();
    if !findings.is_empty()
        && let Ok(octets) = disk.read(path)
    {
        let options = zonefile::Options { origin: Some(apex.clone()), ..zonefile::Options::default() };
        let mut include = confined_include(Some(path), &mut disk);
        let report = zonefile::read(&label, &octets, &options, &mut include, |record| {
            for &at in by_owner.get(record.owner).into_iter().flatten() {
                if places[at].is_none() && shows(&record, &findings[at]) {
                    places[at] = Some(Place { file: record.file, line: record.position.line });
                }
            }
        });
        files = report.files;
    }
    let placed = findings.iter().zip(places).map(|(finding, place)| match place {
        Some(place) => {
            let file = files.get(usize::from(place.file)).map_or(label.as_str(), |file| file);
            format!("{file}:{}: {finding}", place.line)
        }
        None => format!("{label}: {finding}"),
    });
    placed.collect()
}

/// The record is one that the finding speaks of; its owner is.
fn shows(record: &zonefile::ZoneRecord<'_>, finding: &Finding) -> bool {
    let names_target = |target: &Name| {
        rdata::embedded_names(record.rtype, record.rdata)
            .any(|name| record.rdata[name.range.clone()].eq_ignore_ascii_case(target.as_wire()))
    };
    finding.rtype().is_none_or(|rtype| rtype == record.rtype) && finding.target().is_none_or(names_target)
}

#[cfg(test)]
mod tests {
    use dns_core::zonecheck;

    use super::*;
    use crate::load::load_zone;

    #[test]
    fn findings_stand_where_their_records_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zone");
        let text = "$TTL 300\n@ SOA ns hostmaster 1 2h 1h 2w 300\n@ NS ns.example.net.\n@ NS Gone\n@ MX 1 ns.example.net.\n@ MX 1 gone\n\
                    $INCLUDE more\n";
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("more"), "\nalias CNAME nothing\n").unwrap();
        let apex = "example.org".parse().unwrap();
        let zone = load_zone(&path, &apex).unwrap().built.zone;
        let findings = zonecheck::check(&zone).findings;
        let placed: Vec<String> = place_findings(&path, &apex, &findings)
            .iter()
            .map(|line| line.replace(&format!("{}/", folder.path().display()), ""))
            .collect();
        assert_eq!(
            placed,
            [
                "a.zone:4: example.org. NS names gone.example.org., which does not exist",
                "a.zone:6: example.org. MX names gone.example.org., which does not exist",
                "more:2: alias.example.org. is an alias of nothing.example.org., which has no records",
            ]
        );
        std::fs::remove_file(&path).unwrap();
        let placed = place_findings(&path, &apex, &findings);
        assert!(placed[0].contains("a.zone: example.org. NS names"), "{}", placed[0]);
    }
}
