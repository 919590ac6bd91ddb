//! What rules cost a question that none of them is for: nanoseconds per search, by number and kind of rules.
//!
//! `cargo run --release -p jw238dns-backend --example thousand_rules`; an argument sets the searches per row, 2,000,000
//! unless told. Times are the best of five rounds on one thread; the first row is the price of the loop itself.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::io;
use std::net::IpAddr;
use std::time::Instant;

use dns_backend::guard::rules::{RuleSet, Turn};
use dns_backend::guard::{Action, Condition, NamePattern, Rule};
use dns_core::name::HashedName;
use dns_core::{Name, Network, RecordType};

const ROUNDS: usize = 5;
/// Names that are asked for, one after the other.
const QUESTIONS: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let searches = env::args().nth(1).map_or(Ok(2_000_000), |text| text.parse())?;
    let questions = questions()?;
    println!("| rules | ns per question |");
    println!("|---|---:|");
    let rows: [(&str, Vec<Rule>); 7] = [
        ("none", Vec::new()),
        ("10 of all kinds", mixed(10)?),
        ("1000 of all kinds", mixed(1000)?),
        ("1000 names", names(1000)?),
        ("1000 client networks", clients(1000)),
        ("10 expressions", expressions(10)),
        ("1000 expressions", expressions(1000)),
    ];
    for (label, rules) in rows {
        let set = compile(&rules)?;
        println!("| {label} | {:.1} |", nanoseconds(&set, &questions, searches)?);
    }
    Ok(())
}

/// The best time of a search over all rounds.
pub fn nanoseconds(
    set: &RuleSet,
    questions: &[(HashedName, IpAddr)],
    searches: usize,
) -> Result<f64, Box<dyn Error>> {
    let mut turn = Turn::new(1);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut met = 0;
        let begin = Instant::now();
        for (name, client) in questions.iter().cycle().take(searches) {
            let matched = set.find(black_box(name), RecordType::A, *client, "default", &mut turn);
            met += usize::from(!black_box(&matched).is_empty());
        }
        best = best.min(begin.elapsed().as_nanos() as f64 / searches as f64);
        if met > 0 {
            return Err(format!("{met} questions met a rule").into());
        }
    }
    Ok(best)
}

/// Questions that no rule is for.
pub fn questions() -> Result<Vec<(HashedName, IpAddr)>, Box<dyn Error>> {
    let question = |number: usize| {
        let name: Name = format!("host{number}.department{}.example.org", number % 7).parse()?;
        let mut hashed = HashedName::default();
        hashed.read(name.as_wire())?;
        Ok((hashed, IpAddr::from([192, 0, 2, number as u8])))
    };
    (0..QUESTIONS).map(question).collect()
}

/// A quarter each of names, suffixes, names below others, and client networks.
pub fn mixed(count: usize) -> Result<Vec<Rule>, Box<dyn Error>> {
    let mut rules = names(count)?;
    for (number, rule) in rules.iter_mut().enumerate().filter(|(number, _)| number % 4 == 3) {
        rule.when = Condition { clients: vec![network(number)], ..Condition::default() };
    }
    Ok(rules)
}

/// Names as deep as those that are asked for, suffixes, and names below others.
pub fn names(count: usize) -> Result<Vec<Rule>, Box<dyn Error>> {
    let rule = |number: usize| {
        let pattern = match number % 3 {
            0 => NamePattern::Exact(format!("host{number}.blocked.example.org").parse()?),
            1 => NamePattern::Suffix(format!("blocked{number}.example.org").parse()?),
            _ => NamePattern::Below(format!("blocked{number}.org").parse()?),
        };
        Ok(rule(number, Condition { names: vec![pattern], ..Condition::default() }))
    };
    (0..count).map(rule).collect()
}

/// Networks of several sizes, some of them within others.
pub fn clients(count: usize) -> Vec<Rule> {
    let condition = |number| Condition { clients: vec![network(number)], ..Condition::default() };
    (0..count).map(|number| rule(number, condition(number))).collect()
}

/// Expressions as block lists have them.
pub fn expressions(count: usize) -> Vec<Rule> {
    let condition = |number| {
        let expression = format!(r"(^|\.)(ads|track|metrics)[0-9]*-{number}\.");
        Condition { names: vec![NamePattern::Regex(expression)], ..Condition::default() }
    };
    (0..count).map(|number| rule(number, condition(number))).collect()
}

fn network(number: usize) -> Network {
    let address = IpAddr::from([10, (number >> 8) as u8, number as u8, 0]);
    Network::new(address, [16, 20, 24, 32][number % 4])
}

fn rule(number: usize, when: Condition) -> Rule {
    Rule { name: format!("rule {number}"), when, action: Action::Refuse }
}

/// The rules, ready to be asked.
pub fn compile(rules: &[Rule]) -> Result<RuleSet, Box<dyn Error>> {
    RuleSet::compile(rules, &mut |_| Err(io::Error::from(io::ErrorKind::NotFound)))
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ").into())
}
