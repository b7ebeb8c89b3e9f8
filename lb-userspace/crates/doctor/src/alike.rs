//! PURE: problems of many targets that differ in the target only: one finding for all of them.

use std::{collections::HashMap, net::IpAddr};

/// Targets that are named one by one.
const NAMED_MAX: usize = 3;

/// Several targets with one problem.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alike {
    /// The first few of them, and the number of the others.
    pub(super) names: String,
    /// How many there are.
    pub(super) count: usize,
    /// The problem of the first one.
    pub(super) problem: String,
    /// The address of the first one.
    pub(super) address: IpAddr,
}

/// Joins targets, by name, address and problem, whose problems are the same but for the address. The
/// order is that of the first one of each.
pub(super) fn alike<'a>(problems: impl Iterator<Item = (&'a str, IpAddr, &'a str)>) -> Vec<Alike> {
    let mut groups: Vec<Vec<(&str, IpAddr, &str)>> = Vec::new();
    let mut places = HashMap::new();
    for one in problems {
        let (_, address, problem) = one;
        let pattern = problem.replace(&address.to_string(), "ADDRESS");
        let place = *places.entry(pattern).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(members) => members.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups.iter().filter_map(|members| joined(members)).collect()
}

fn joined(members: &[(&str, IpAddr, &str)]) -> Option<Alike> {
    let (_, address, problem) = *members.first()?;
    let mut names: Vec<&str> = members.iter().take(NAMED_MAX).map(|(name, ..)| *name).collect();
    let more = format!("and {} more", members.len().saturating_sub(NAMED_MAX));
    if members.len() > NAMED_MAX {
        names.push(&more);
    }
    let (names, count) = (names.join(", "), members.len());
    Some(Alike { names, count, problem: problem.to_owned(), address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_alike_problems_are_one() {
        let all: Vec<(String, IpAddr, String)> = (0..1000_u16)
            .map(|number| {
                let [high, low] = number.to_be_bytes();
                let address = IpAddr::from([10, 0, high, low]);
                (format!("web/{address}:80"), address, format!("no answer of {address} on eth0"))
            })
            .chain([("api/10.9.9.9:80".to_owned(), [10, 9, 9, 9].into(), "no route".to_owned())])
            .collect();
        let found = alike(all.iter().map(|(name, at, why)| (name.as_str(), *at, why.as_str())));
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].names,
            "web/10.0.0.0:80, web/10.0.0.1:80, web/10.0.0.2:80, and 997 more"
        );
        assert_eq!((found[0].count, &*found[0].problem), (1000, "no answer of 10.0.0.0 on eth0"));
        assert_eq!((&*found[1].names, found[1].count), ("api/10.9.9.9:80", 1));
    }
}
