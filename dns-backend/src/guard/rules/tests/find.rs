//! Patterns, conditions, and which rules count.

use super::*;

#[test]
fn without_rules_nothing_is_met() {
    let set = compile("");
    assert!(set.is_empty() && set.name(0).is_none());
    check(&set, "www.example.org A 192.0.2.1 default", "");
    assert!(RuleSet::default().is_empty());
}

#[test]
fn patterns_match_what_they_say() {
    let set = compile(
        "exact: +www.example.org => ttl 0 1
         suffix: .example.org => ttl 0 2
         below: *.example.org => ttl 0 3
         all: . => ttl 0 4
         not-the-root: *.. => ttl 0 5
         root: +. => ttl 0 6",
    );
    check(&set, "www.example.org A 192.0.2.1 x", "exact suffix below all not-the-root");
    check(&set, "WWW.Example.ORG A 192.0.2.1 x", "exact suffix below all not-the-root");
    check(&set, "example.org A 192.0.2.1 x", "suffix all not-the-root");
    check(&set, "a.b.example.org A 192.0.2.1 x", "suffix below all not-the-root");
    check(&set, "anexample.org A 192.0.2.1 x", "all not-the-root");
    check(&set, "a.www.example.org A 192.0.2.1 x", "suffix below all not-the-root");
    check(&set, ". A 192.0.2.1 x", "all root");
}

#[test]
fn names_of_every_depth_are_found() {
    let longest = "a.".repeat(127);
    let set = compile(&format!("whole: +{longest} => refuse\nabove: *.{} => ttl 0 1", "a.".repeat(126)));
    check(&set, &format!("{longest} A 192.0.2.1 x"), "[whole refuse]");
    check(&set, &format!("{} A 192.0.2.1 x", "a.".repeat(126)), "");
    check(&set, &format!("b.{} A 192.0.2.1 x", "a.".repeat(126)), "above");
}

#[test]
fn expressions_see_lower_case_text_without_the_last_dot() {
    let set = compile(
        r"ads: /^ads[0-9]*\. => refuse
          tracker: /track(er|ing) /^t\d+$ => nodata
          dots: /^a\\\.b\.example$ => drop
          octets: /\\000 => nxdomain
          root: /^$ => ttl 0 1",
    );
    check(&set, "ADS17.example.org A 192.0.2.1 x", "[ads refuse]");
    check(&set, "myads.example.org A 192.0.2.1 x", "");
    check(&set, "www.tracking.example A 192.0.2.1 x", "[tracker nodata]");
    check(&set, "t42 A 192.0.2.1 x", "[tracker nodata]");
    check(&set, r"a\.b.example A 192.0.2.1 x", "[dots drop]");
    check(&set, "a.b.example A 192.0.2.1 x", "");
    check(&set, r"\000.example A 192.0.2.1 x", "[octets nxdomain]");
    check(&set, ". A 192.0.2.1 x", "root");
    // As long as the text of a name can get
    let long = format!("{0}.{0}.{0}.{1}", r"\001".repeat(63), r"\001".repeat(61));
    check(&set, &format!("{long} A 192.0.2.1 x"), "");
    check(&compile(r"end: /\\001$ => drop"), &format!("{long} A 192.0.2.1 x"), "[end drop]");
}

#[test]
fn expressions_serve_one_rule_set_after_the_other() {
    let (first, second) = (compile("a: /^a => drop"), compile("c: /^c => drop\nb: /b$ => refuse"));
    let mut turn = Turn::new(1);
    for _ in 0..2 {
        for (set, expected) in [(&first, Some(0)), (&second, Some(1))] {
            let matched = set.find(&hashed("ab"), RecordType::A, client(), "x", &mut turn);
            assert_eq!(matched.terminal.map(|(number, _)| number), expected);
        }
    }
}

#[test]
fn all_conditions_have_to_be_met() {
    let set = compile("r: .example.org A AAAA @192.0.2.0/24 @2001:db8::/32 %inside %home => refuse");
    check(&set, "example.org A 192.0.2.1 inside", "[r refuse]");
    check(&set, "example.org AAAA 2001:db8::1 home", "[r refuse]");
    check(&set, "example.org A ::ffff:192.0.2.1 home", "[r refuse]");
    for question in [
        "example.net A 192.0.2.1 inside",
        "example.org TXT 192.0.2.1 inside",
        "example.org ANY 192.0.2.1 inside",
        "example.org A 192.0.3.1 inside",
        "example.org A 192.0.2.1 outside",
    ] {
        check(&set, question, "");
    }
}

#[test]
fn expressions_wait_for_the_other_conditions() {
    let set = compile("a: /x A @192.0.2.0/24 => refuse\nb: /x TXT @10.0.0.0/8 => drop");
    check(&set, "x A 192.0.2.1 v", "[a refuse]");
    check(&set, "x TXT 10.1.1.1 v", "[b drop]");
    check(&set, "x A 10.1.1.1 v", "");
    check(&set, "x TXT 192.0.2.1 v", "");
    // More kinds of conditions than are worth asking
    let many = lines(0..20, |number| format!("r{number}: /x TYPE{} => drop", 300 + number));
    let set = compile(&many);
    check(&set, "x TYPE319 192.0.2.1 v", "[r19 drop]");
    check(&set, "x TYPE320 192.0.2.1 v", "");
}

#[test]
fn rules_without_names_are_found_by_what_they_have() {
    let set = compile(
        "net: @192.0.2.0/24 => ttl 0 1
         around: @192.0.0.0/16 => ttl 0 2
         everywhere: @0.0.0.0/0 => ttl 0 3
         host: @192.0.2.1 MX => ttl 0 4
         type: ANY => ttl 0 5
         view: %inside => ttl 0 6
         typed-view: TXT %inside => ttl 0 7
         any: => ttl 0 8",
    );
    check(&set, "a A 192.0.2.1 x", "net around everywhere any");
    check(&set, "a MX 192.0.2.1 x", "net around everywhere host any");
    check(&set, "a A 192.0.9.1 x", "around everywhere any");
    check(&set, "a ANY 2001:db8::1 x", "type any");
    check(&set, "a TXT 2001:db8::1 inside", "view typed-view any");
    check(&set, "a TXT 2001:db8::1 outside", "any");
}

#[test]
fn the_first_rule_that_decides_ends_the_search() {
    let set = compile(
        "first: /www => ttl 0 1
         second: .org => ttl 0 2
         stop: .example.org A => nxdomain
         third: .org => ttl 0 3
         later: /www => refuse",
    );
    check(&set, "www.example.org A 192.0.2.1 x", "first second [stop nxdomain]");
    check(&set, "www.example.org TXT 192.0.2.1 x", "first second third [later refuse]");
    check(&set, "example.org TXT 192.0.2.1 x", "second third");
    check(&compile("a: . => drop\nb: +x => refuse"), "x A 192.0.2.1 v", "[a drop]");
}

#[test]
fn a_rewrite_does_not_end_the_collecting() {
    let set = compile(
        "first: . => ttl 0 1
         move: .example.org => rewrite old.example.org new.example.org
         second: . => ttl 0 2
         refuse: . => refuse
         third: . => ttl 0 3",
    );
    check(&set, "www.old.example.org A 192.0.2.1 x", "first second third [move rewrite]");
    // Without the suffix the rule is passed by.
    check(&set, "www.example.org A 192.0.2.1 x", "first second [refuse refuse]");
}

#[test]
fn a_rewrite_without_patterns_is_for_its_suffix() {
    let set = compile("move: TXT => rewrite old.example new.example");
    check(&set, "a.old.example TXT 192.0.2.1 x", "[move rewrite]");
    check(&set, "old.example TXT 192.0.2.1 x", "[move rewrite]");
    check(&set, "old.example A 192.0.2.1 x", "");
    check(&set, "older.example TXT 192.0.2.1 x", "");
    check(&compile("x: /a => rewrite b c"), "a.d A 192.0.2.1 x", "");
}

#[test]
fn names_are_rewritten_and_bounded() {
    let set = compile("r: => rewrite old.example a-much-longer-suffix.example");
    let rewritten = |text: &str| {
        let name = hashed(text);
        let matched = set.find(&name, RecordType::A, client(), "x", &mut Turn::new(1));
        let Some((0, Terminal::Rewrite(rewrite))) = matched.terminal else { panic!("{text}") };
        let mut out = HashedName::default();
        rewrite.apply(&name, &mut out).then(|| Name::from_wire(out.wire()).unwrap())
    };
    assert_eq!(rewritten("WWW.Old.Example"), Some(name("www.a-much-longer-suffix.example")));
    assert_eq!(rewritten("old.example"), Some(name("a-much-longer-suffix.example")));
    let label = "x".repeat(63);
    assert_eq!(rewritten(&format!("{label}.{label}.{label}.{}.old.example", "x".repeat(40))), None);
    let rewrite = Rewrite { from: name("b"), to: name("c") };
    assert!(!rewrite.apply(&hashed("a"), &mut HashedName::default()));
    let everything = Rewrite { from: Name::root(), to: name("inside") };
    let mut out = HashedName::default();
    assert!(everything.apply(&hashed("www.example"), &mut out));
    assert_eq!(out.wire(), name("www.example.inside").as_wire());
}

#[test]
fn more_changes_than_there_is_room_for_keep_the_first() {
    let text = lines(0..20, |number| format!("r{number}: => ttl 0 {number}"));
    let set = compile(&text);
    let matched = set.find(&hashed("a"), RecordType::A, client(), "x", &mut Turn::new(1));
    assert!(matched.transforms.iter().eq(0..Transforms::MAX));
    // Those found last may be the first ones.
    let named = lines((0..20).rev(), |number| format!("n{number}: . => ttl 0 {number}"));
    let set = compile(&format!("{named}\n{text}"));
    let matched = set.find(&hashed("a"), RecordType::A, client(), "x", &mut Turn::new(1));
    assert!(matched.rules().eq(0..Transforms::MAX));
    assert!(!matched.is_empty());
}

#[test]
fn replacements_are_ready_to_be_copied() {
    let set = compile("r: => replace A 60 192.0.2.7, 192.0.2.8; MX 30 10 mail.example.org.\nc: => drop");
    let matched = set.find(&hashed("a"), RecordType::TXT, client(), "x", &mut Turn::new(1));
    let Some((0, Terminal::Replace(replaced))) = matched.terminal else { panic!("{matched:?}") };
    let addresses = replaced.rrset(RecordType::A).unwrap();
    assert_eq!((addresses.rtype, addresses.count), (RecordType::A, 2));
    let [first, second] = [7, 8].map(|last| [192, 0, 2, last]);
    let header = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04";
    assert_eq!(*addresses.records, [&header[..], &first, header, &second].concat());
    assert!(replaced.rrset(RecordType::TXT).is_none());
    assert_eq!(replaced.rrsets().len(), 2);
    let set = compile("r: => replace CNAME 60 www.example.org.");
    let matched = set.find(&hashed("a"), RecordType::TXT, client(), "x", &mut Turn::new(1));
    let Some((0, Terminal::Replace(replaced))) = matched.terminal else { panic!("{matched:?}") };
    assert_eq!(
        replaced.rrset(RecordType::TXT).unwrap().rtype,
        RecordType::CNAME,
        "an alias answers every type"
    );
}
