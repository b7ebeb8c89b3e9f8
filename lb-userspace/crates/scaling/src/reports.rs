//! PURE: what the members of a group report of themselves, as a reading of its metrics. A report that is
//! too old is missing.

use std::{collections::BTreeMap, net::SocketAddr};

use lb_config::{Metric, MetricSource};
use lb_scale::{Reading, Sample, Samples};

use crate::{
    number,
    observed::{GroupSeen, TargetReports},
};

/// Readings of the metrics that members report; `members` are the names and addresses of them.
pub(crate) fn readings(
    metrics: &[Metric],
    seen: &GroupSeen,
    members: &[(&str, SocketAddr)],
) -> Samples {
    let reported = |metric: &&Metric| matches!(metric.source, MetricSource::Report(_));
    if !metrics.iter().any(|metric| reported(&metric)) {
        return Samples::new();
    }
    let members: Vec<(&str, &TargetReports)> = members
        .iter()
        .filter_map(|(name, address)| Some((*name, seen.reports.get(address)?)))
        .collect();
    let of = |metric: &Metric| {
        let samples: BTreeMap<String, Sample> = members
            .iter()
            .filter_map(|(name, reports)| Some(((*name).to_owned(), sample(metric, reports)?)))
            .collect();
        (metric.name.clone(), Reading::Reports(samples))
    };
    metrics.iter().filter(reported).map(of).collect()
}

fn sample(metric: &Metric, reports: &TargetReports) -> Option<Sample> {
    if reports.age > metric.max_age {
        return None;
    }
    let (_, text) = reports.texts.iter().find(|(name, _)| *name == metric.name)?;
    match text {
        Ok(text) => text.as_deref().map(number::reported),
        Err(error) => Some(Sample::Error(error.clone())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lb_config::ReportPlace;

    use super::*;

    #[test]
    fn only_fresh_reports_of_members_count() {
        let metric = |name: &str, source| Metric {
            name: name.to_owned(),
            source,
            max_age: Duration::from_secs(10),
        };
        let place = MetricSource::Report(ReportPlace::Header("x-load".to_owned()));
        let metrics = [metric("cpu", place), metric("jobs", MetricSource::Post)];
        let reports = |seconds, text: Result<Option<&str>, &str>| TargetReports {
            age: Duration::from_secs(seconds),
            texts: vec![(
                "cpu".to_owned(),
                text.map(|text| text.map(str::to_owned)).map_err(str::to_owned),
            )],
        };
        let at = |last: u8| SocketAddr::from(([10, 0, 0, last], 80));
        let said = [
            (1, reports(10, Ok(Some("0.5")))),
            (2, reports(11, Ok(Some("0.5")))),
            (3, reports(0, Ok(None))),
            (4, reports(0, Ok(Some("many")))),
            (5, reports(0, Err("no JSON"))),
            // A declared target is no member.
            (9, reports(0, Ok(Some("1")))),
        ];
        let seen = GroupSeen {
            reports: said.into_iter().map(|(last, reports)| (at(last), reports)).collect(),
            ..GroupSeen::default()
        };
        let names = ["a", "b", "c", "d", "e", "f"];
        let members: Vec<(&str, SocketAddr)> = names.into_iter().zip((1..).map(at)).collect();
        let mut readings_of = readings(&metrics, &seen, &members);
        let Some(Reading::Reports(samples)) = readings_of.remove("cpu") else { panic!() };
        let shown: Vec<String> =
            samples.iter().map(|(name, sample)| format!("{name} {sample}")).collect();
        let expected =
            ["a 0.5", "d error: reports `many`, and no number from 0 to 1", "e error: no JSON"];
        assert_eq!(shown, expected);
        assert!(readings_of.is_empty(), "others are not reported");
        assert!(readings(&metrics[1..], &seen, &members).is_empty());
    }
}
