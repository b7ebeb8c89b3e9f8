//! `xelb target weight`.

use clap::Args;
use lb_agent::TargetView;
use lb_api::{Client, TargetPatch, Terms};
use lb_config::{Change, PartPath, PartStep, Selector, TargetAddress};

use super::{
    Socket, assignment, complete,
    object::{Kind, KindWord},
    output::{self, Format},
    part_change::{How, wrong},
    place::{Place, parse_place},
    preview::Conditions,
    selection, set,
    weight::{self, Weight},
};

/// Which targets get which weight.
#[derive(Debug, Args)]
pub(super) struct Weigh {
    /// Name of the target group; may be left out with --selector
    #[arg(allow_negative_numbers = true, add = complete::group_of_target())]
    group: String,
    /// Address or DNS name of the target, with its port if it differs from the group's; IPv6 with a
    /// port is `[ADDRESS]:PORT`
    #[arg(value_name = "ADDRESS[:PORT]", value_parser = parse_second, allow_negative_numbers = true,
        add = complete::addresses(), required_unless_present = "selector")]
    place: Option<Second>,
    /// New weight, 0 to 1000, or +N, -N or N% of the present one; a target with 0 takes no flows
    #[arg(value_name = "N", allow_negative_numbers = true, value_parser = weight::parse,
        required_unless_present = "selector", conflicts_with = "selector")]
    weight: Option<Weight>,
    /// All targets whose tags fit, such as rack=12,env in (prod,test),!old, in one revision; N stands
    /// behind GROUP, or alone
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<Selector>,
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    socket: Socket,
}

/// What stands behind the group.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Second {
    Place(Place),
    /// And as it was typed.
    Weight(Weight, String),
}

fn parse_second(text: &str) -> Result<Second, String> {
    match weight::parse(text) {
        Ok(weight) => Ok(Second::Weight(weight, text.to_owned())),
        Err(_) => parse_place(text).map(Second::Place),
    }
}

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'line> {
    One(&'line str, &'line Place, Weight),
    /// Of this group, or of all.
    Selected(Option<&'line str>, &'line Selector, Weight),
}

impl Weigh {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.asked().map_err(wrong)? {
            Asked::One(group, place, weight) if !self.conditions.dry_run => {
                let client = self.socket.client()?;
                let (weight, base) = absolute(&client, group, place, weight).await?;
                let patch = TargetPatch { weight: Some(weight), drain: None };
                let terms = self.conditions.terms();
                let terms = Terms { base: terms.base.or(base), ..terms };
                let Place { address, port } = place;
                let said = client.target_patch(group, address, *port, &patch, &terms).await?;
                output::print(&format!("{said}\n"))
            }
            Asked::One(group, place, weight) => {
                let place = place.to_string();
                let path = PartPath::of(&[("target_groups", group), ("targets", &place)]);
                let present = self.socket.client()?.configuration().await?;
                let changes = changes(vec![path], weight).map_err(wrong)?;
                let changes = set::absolute(changes, &present.document).map_err(wrong)?;
                self.how().make(changes, present.revision).await
            }
            Asked::Selected(group, selector, weight) => {
                let group: Vec<String> = group.map(str::to_owned).into_iter().collect();
                let client = self.socket.client()?;
                let kind = KindWord::of(Kind::Target);
                let found = selection::selected(&client, &kind, &group, selector).await?;
                let changes = changes(found.paths, weight).map_err(wrong)?;
                let changes = set::absolute(changes, &found.present.document).map_err(wrong)?;
                self.how().make(changes, found.present.revision).await
            }
        }
    }

    fn how(self) -> How {
        How { conditions: self.conditions, format: Format::default(), socket: self.socket }
    }

    fn asked(&self) -> Result<Asked<'_>, String> {
        match (&self.selector, &self.place, self.weight) {
            (None, Some(Second::Place(place)), Some(weight)) => {
                Ok(Asked::One(&self.group, place, weight))
            }
            (None, Some(Second::Weight(_, text)), _) => Err(format!(
                "`{text}` is a weight, and not ADDRESS or ADDRESS:PORT; without --selector, name a \
                 target: GROUP ADDRESS N"
            )),
            (Some(selector), None, _) => {
                Ok(Asked::Selected(None, selector, weight::parse(&self.group)?))
            }
            (Some(selector), Some(Second::Weight(weight, _)), _) => {
                Ok(Asked::Selected(Some(&self.group), selector, *weight))
            }
            (Some(_), Some(Second::Place(_)), _) => {
                Err("name a target or give --selector, not both".to_owned())
            }
            (None, ..) => Err("name a target as GROUP/ADDRESS, or give --selector".to_owned()),
        }
    }
}

/// These targets with this weight.
fn changes(paths: Vec<PartPath>, weight: Weight) -> Result<Vec<Change>, String> {
    // YAML reads `+50` as the number 50.
    let quote = if weight.is_relative() { "\"" } else { "" };
    let value = assignment::value(&format!("{quote}{weight}{quote}"))?;
    let weigh = |path: PartPath| {
        let path = path.with(PartStep::Key("weight".to_owned()));
        Change::Set { path, value: value.clone() }
    };
    Ok(paths.into_iter().map(weigh).collect())
}

/// The new weight; if it depends on the present one, also the revision that has that.
async fn absolute(
    client: &Client,
    group: &str,
    place: &Place,
    weight: Weight,
) -> anyhow::Result<(u32, Option<u64>)> {
    if let Weight::To(number) = weight {
        // The agent says which weights there are.
        return Ok((number, None));
    }
    // The revision first: a change in between is an error then.
    let revision = client.configuration().await?.revision;
    let all = client.status().await?.targets;
    let is_it = |one: &&TargetView| one.group == group && place.fits(one) && !one.leaving;
    let mut found = all.iter().filter(is_it);
    let is_name = matches!(place.address, TargetAddress::Name(_));
    // All addresses of a name have its weight.
    let (Some(target), true) = (found.next(), is_name || found.next().is_none()) else {
        return Err(wrong(format!(
            "there is not one target {group}/{place} in {group}; `xelb get targets {group}` lists all"
        )));
    };
    Ok((weight.of(target.weight).map_err(wrong)?, revision))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        weigh: Weigh,
    }

    fn asked(line: &str) -> Result<String, String> {
        let words = std::iter::once("weight").chain(line.split(' '));
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        Ok(match line.weigh.asked()? {
            Asked::One(group, place, weight) => format!("{group} {place} {weight}"),
            Asked::Selected(group, selector, weight) => format!("{group:?} {selector} {weight}"),
        })
    }

    #[test]
    fn one_target_or_those_of_a_selector_are_weighed() {
        for (line, expected) in [
            ("web 10.0.1.13 50", "web 10.0.1.13 50"),
            ("web 10.0.1.13 -20", "web 10.0.1.13 -20"),
            ("--force web order.example.org:80 50%", "web order.example.org:80 50%"),
            ("-l rack=12 50", "None rack=12 50"),
            ("-20 -l rack=12", "None rack=12 -20"),
            ("web -l rack=12 +5", "Some(\"web\") rack=12 +5"),
            ("web -l rack=12 -5 --dry-run", "Some(\"web\") rack=12 -5"),
        ] {
            assert_eq!(asked(line), Ok(expected.to_owned()), "{line}");
        }
        for (line, why) in [
            ("web 10.0.1.13", "<N>"),
            ("web", "<ADDRESS[:PORT]>"),
            ("web 50 5", "not ADDRESS or ADDRESS:PORT"),
            ("web 10.0.1 5", "not ADDRESS or ADDRESS:PORT"),
            ("web 10.0.1.13 -l rack=12", "not both"),
            ("web 10.0.1.13 5 -l rack=12", "cannot be used with"),
            ("web -l rack=12", "use a weight from 0 to 1000"),
        ] {
            let error = asked(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
