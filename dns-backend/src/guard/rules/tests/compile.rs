//! What is wrong with rules is said, all of it, with the rule.

use super::*;

#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let errors = RuleSet::compile(&rules(text), &mut no_files).unwrap_err();
    assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{text}");
}

#[test]
fn every_mistake_is_told_with_its_rule() {
    refused(
        "a: /( => refuse
         : => drop
         a: => ttl 20 10
         b: => rewrite x X",
        &[
            "rule 'a': '(' is not a regular expression: unclosed group, at character 1",
            "rule '': the name is empty",
            "rule 'a': rule number 1 has the same name",
            "rule 'a': the smallest TTL, 20, is larger than the largest, 10",
            "rule 'b': the suffix is rewritten to itself",
        ],
    );
    let errors = RuleSet::compile(&rules("a: => drop\nb: => keep"), &mut no_files).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.number).collect::<Vec<_>>(), [1]);
}

#[test]
fn actions_that_do_nothing_are_refused() {
    refused("a: => keep", &["rule 'a': no network is kept or removed"]);
    refused("a: => fixed", &["rule 'a': the order names no network"]);
    refused("a: => ttl 0 2147483648", &["rule 'a': TTL 2147483648 is larger than 2147483647"]);
    let network = || vec!["192.0.2.0/24".parse().unwrap()];
    let mut both = rules("a: => drop");
    both[0].action = Action::FilterAddresses { keep: network(), remove: network() };
    let errors = RuleSet::compile(&both, &mut no_files).unwrap_err();
    assert_eq!(errors[0].to_string(), "rule 'a': the network 192.0.2.0/24 is both kept and removed");
}

#[test]
fn replacements_have_to_be_records() {
    let replace = |replacements: Vec<Replacement>| {
        let mut rules = rules("a: => drop");
        rules[0].action = Action::Replace(replacements);
        match RuleSet::compile(&rules, &mut no_files) {
            Ok(_) => String::new(),
            Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        }
    };
    let of = |rtype, rdatas: &[&[u8]]| Replacement {
        rtype,
        ttl: 60,
        rdatas: rdatas.iter().map(|rdata| rdata.to_vec()).collect(),
    };
    let address = &[192, 0, 2, 1][..];
    assert_eq!(replace(vec![of(RecordType::A, &[address])]), "");
    assert_eq!(
        replace(Vec::new()),
        "rule 'a': there are no records to replace the answer with; to answer without records use nodata"
    );
    assert_eq!(replace(vec![of(RecordType::A, &[])]), "rule 'a': the replacement of type A has no records");
    assert_eq!(
        replace(vec![of(RecordType::A, &[address]), of(RecordType::A, &[address])]),
        "rule 'a': there are two replacements of type A"
    );
    assert!(
        replace(vec![of(RecordType::A, &[address, b"\x01"])])
            .starts_with("rule 'a': record number 2 of type A: ")
    );
    assert_eq!(replace(vec![of(RecordType::ANY, &[address])]), "rule 'a': ANY records cannot be stored");
    assert_eq!(
        replace(vec![of(RecordType::CNAME, &[b"\x01a\0"]), of(RecordType::A, &[address])]),
        "rule 'a': a CNAME record replaces the answer alone, without further records"
    );
    assert_eq!(
        replace(vec![of(RecordType::CNAME, &[b"\x01a\0", b"\x01b\0"])]),
        "rule 'a': a CNAME record replaces the answer alone, without further records"
    );
    let large = vec![[&[255][..], &[b'x'; 255]].concat(); 1];
    let texts: Vec<Vec<u8>> =
        (0..300u16).map(|number| [&large[0][..], &[2], &number.to_be_bytes()].concat()).collect();
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    assert!(replace(vec![of(RecordType::TXT, &texts)]).ends_with("more than fit into a message"));
    let mut late = of(RecordType::A, &[address]);
    late.ttl = 1 << 31;
    assert_eq!(replace(vec![late]), "rule 'a': TTL 2147483648 is larger than 2147483647");
}

#[test]
fn expressions_are_bounded() {
    refused(
        "a: /((x{1,500}){500}){500} => drop",
        &["rule 'a': '((x{1,500}){500}){500}' takes more than 1048576 octets once it is compiled"],
    );
    // Each is small enough, all of them are not.
    let many = lines(0..120, |number| format!("r{number}: /{number}[a-z]{{9000}} => drop"));
    let errors = RuleSet::compile(&rules(&many), &mut no_files).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(matches!(errors[0].fault, RuleFault::ExpressionsTooLarge(_)), "{}", errors[0]);
    assert!(errors[0].number > 10, "{}", errors[0].number);
}

#[test]
fn databases_that_cannot_be_used_are_named() {
    refused("a: => place places.mmdb", &["rule 'a': cannot read places.mmdb: entity not found"]);
    let errors =
        RuleSet::compile(&rules("a: => place x.mmdb"), &mut |_| Ok(b"no database".to_vec())).unwrap_err();
    let text = errors[0].to_string();
    assert!(text.starts_with("rule 'a': x.mmdb is not a database in MaxMind's format: "), "{text}");
}
