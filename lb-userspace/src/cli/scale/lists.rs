//! PURE: how members and activities of scaled groups are listed.

use lb_scaling::{ActivityView, MemberView};

use super::super::{
    get::tables::tags,
    list::{Column, Listing, state_style},
    table::or_dash,
};

pub(crate) static MEMBERS: Listing<MemberView> = Listing {
    columns: &[
        Column::new("GROUP", "group", |one, _| one.group.clone()),
        Column::new("MEMBER", "name", |one, _| one.name.clone()),
        Column::new("STATE", "state", |one: &MemberView, _| one.state.clone())
            .painted(|one| state_style(&one.state)),
        Column::new("HEALTHY", "healthy", |one, _| {
            if one.healthy { "yes" } else { "no" }.to_owned()
        }),
        Column::new("TARGET", "address", |one, _| {
            or_dash(one.address.as_deref().unwrap_or_default())
        }),
        Column::new("TEMPLATE", "template", |one: &MemberView, _| or_dash(&one.template)).wide(),
        Column::new("TAGS", "tags", |one: &MemberView, _| tags(&one.tags)).wide(),
        Column::new("SINCE", "since", |one, times| times.written(&one.since)),
        Column::new("NOTE", "reason", |one, _| note(one)),
    ],
    fields: &[
        "group",
        "name",
        "state",
        "since",
        "address",
        "healthy",
        "protected",
        "template",
        "reason",
        "tags",
    ],
    name: |one| Some(format!("{}/{}", one.group, one.name)),
    nothing: "no members: no target group is scaled, or none has members",
};

fn note(member: &MemberView) -> String {
    let protected = member.protected.then_some("protected");
    let reason = Some(member.reason.as_str()).filter(|reason| !reason.is_empty());
    protected.into_iter().chain(reason).collect::<Vec<_>>().join(", ")
}

pub(crate) static ACTIVITIES: Listing<ActivityView> = Listing {
    columns: &[
        Column::new("START", "start", |one, times| times.written(&one.start)),
        Column::new("END", "end", |one: &ActivityView, times| {
            one.end.as_deref().map_or_else(|| "-".to_owned(), |end| times.written(end))
        })
        .wide(),
        Column::new("GROUP", "group", |one, _| one.group.clone()),
        Column::new("WHAT", "kind", |one, _| match (one.from, one.to) {
            (Some(from), Some(to)) => format!("{} {from} -> {to}", one.kind),
            _ => format!("{} {}", one.kind, one.member),
        }),
        Column::new("OUTCOME", "outcome", |one, _| match one.outcome.as_str() {
            "in progress" => format!("{} %", one.progress),
            outcome => outcome.to_owned(),
        }),
        Column::new("CAUSE", "cause", |one, _| one.cause.clone()),
    ],
    fields: &[
        "group", "kind", "member", "from", "to", "cause", "start", "end", "progress", "outcome",
    ],
    name: |_| None,
    nothing: "no activities",
};

#[cfg(test)]
mod tests {
    use super::{super::super::list::tests::table, *};

    #[test]
    fn members_and_activities_are_shown() {
        let member = MemberView {
            group: "web".to_owned(),
            name: "web-3f2a-7".to_owned(),
            state: "in-service".to_owned(),
            since: "2026-11-29T12:00:00Z".to_owned(),
            address: Some("10.0.1.11:9000".to_owned()),
            healthy: true,
            protected: true,
            ..MemberView::default()
        };
        assert_eq!(
            table(&MEMBERS, vec![member]),
            "GROUP  MEMBER      STATE       HEALTHY  TARGET          SINCE   NOTE\n\
             web    web-3f2a-7  in-service  yes      10.0.1.11:9000  5m ago  protected\n"
        );
        let capacity = ActivityView {
            group: "web".to_owned(),
            kind: "capacity".to_owned(),
            from: Some(2),
            to: Some(4),
            cause: "policy load asks for the largest capacity".to_owned(),
            start: "2026-11-29T12:00:00Z".to_owned(),
            progress: 50,
            outcome: "in progress".to_owned(),
            ..ActivityView::default()
        };
        assert_eq!(
            table(&ACTIVITIES, vec![capacity]),
            "START   GROUP  WHAT             OUTCOME  CAUSE\n\
             5m ago  web    capacity 2 -> 4     50 %  policy load asks for the largest \
             capacity\n"
        );
    }
}
