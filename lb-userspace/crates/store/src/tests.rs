//! The store as the agent uses it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::{embedded::DATABASE_FILE, record::EDITS_MAX, *};

/// A configuration of one group whose targets have these last octets.
pub(super) fn document(targets: &[u8]) -> Document {
    let targets: Vec<_> =
        targets.iter().map(|octet| serde_json::json!({ "address": address(*octet) })).collect();
    let groups = serde_json::json!([{ "name": "web", "port": 80, "targets": targets }]);
    serde_json::from_value(serde_json::json!({ "target_groups": groups })).unwrap()
}

fn address(octet: u8) -> String {
    format!("10.0.1.{octet}")
}

fn commit(base: u64, document: Document, what: &str) -> Commit {
    let message = format!("why {what}");
    Commit { base, who: "ann".to_owned(), what: what.to_owned(), message, document, edit: None }
}

/// The commit that adds a target.
pub(super) fn addition(current: &Revision, octet: u8) -> Commit {
    let address = address(octet).parse().unwrap();
    let edit = Edit::AddTarget { group: "web".to_owned(), address, port: None, weight: None };
    let mut document = current.document.clone();
    edit.apply(&mut document).unwrap();
    Commit { edit: Some(edit), ..commit(current.head.number, document, "add") }
}

fn add(store: &mut Embedded, octet: u8) {
    let commit = addition(store.current().unwrap(), octet);
    store.commit(commit).unwrap();
}

#[test]
fn revisions_survive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/state");
    let mut store = Embedded::open(&path).unwrap();
    assert_eq!(store.current(), None);
    assert_eq!(store.revision(1).unwrap(), None);
    let first = store.commit(commit(0, document(&[1]), "first")).unwrap().clone();
    assert_eq!((first.head.number, first.head.who.as_str()), (1, "ann"));
    add(&mut store, 2);
    add(&mut store, 3);
    store.commit(commit(3, document(&[9]), "other")).unwrap();
    let runtime = {
        let target = TargetKey { group: "web".into(), address: [10, 0, 1, 1].into(), port: 80 };
        let (who, reason) = ("ann".to_owned(), "disk".to_owned());
        let drains = vec![Drain { target: target.clone(), who, reason, at: 7 }];
        let names = [("a.example.org".into(), vec![[10, 0, 0, 1].into()])].into();
        Runtime { hash_seed: Some([1, 2]), drained: vec![target], drains, names }
    };
    store.keep_runtime(runtime.clone()).unwrap();
    drop(store);

    let mut store = Embedded::open(&path).unwrap();
    let current = store.current().unwrap();
    assert_eq!((current.head.number, current.head.what.as_str()), (4, "other"));
    assert_eq!(current.head.message, "why other");
    assert_eq!(current.document, document(&[9]));
    assert_eq!(store.revision(1).unwrap().unwrap(), first);
    assert_eq!(store.revision(3).unwrap().unwrap().document, document(&[1, 2, 3]));
    assert_eq!(store.runtime(), &runtime);
    let numbers = |heads: Vec<RevisionHead>| -> Vec<u64> {
        heads.into_iter().map(|head| head.number).collect()
    };
    assert_eq!(numbers(store.revisions(u64::MAX, 3).unwrap()), [4, 3, 2]);
    assert_eq!(numbers(store.revisions(2, 3).unwrap()), [1]);
    assert_eq!(numbers(store.revisions(1, 3).unwrap()), Vec::<u64>::new());
}

#[test]
fn states_of_scaled_groups_survive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Embedded::open(dir.path()).unwrap();
    let parts = ["", "memory"];
    assert_eq!(store.scaled_groups().unwrap(), Vec::<String>::new());
    assert_eq!(store.scaled_group("web", &parts).unwrap(), [None, None]);
    let change = |group, part, state| GroupChange { group, part, state };
    let keep = |group, part, state: &'static str| change(group, part, Some(state.as_bytes()));
    let changes = [
        keep("web", "", "one"),
        keep("api", "", "two"),
        keep("web", "memory", "four"),
        keep("web", "", "three"),
    ];
    store.keep_scaled_groups(&changes).unwrap();
    drop(store);
    let mut store = Embedded::open(dir.path()).unwrap();
    assert_eq!(store.scaled_groups().unwrap(), ["api", "web"]);
    let state = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(store.scaled_group("web", &parts).unwrap(), [state("three"), state("four")]);
    assert_eq!(store.scaled_group("api", &parts).unwrap(), [state("two"), None]);
    let forget = [change("web", "", None), change("web", "memory", None)];
    store.keep_scaled_groups(&forget).unwrap();
    store.keep_scaled_groups(&forget).unwrap();
    assert_eq!(store.scaled_groups().unwrap(), ["api"]);
    assert_eq!(store.scaled_group("web", &parts).unwrap(), [None, None]);
}

#[test]
fn a_second_writer_gets_the_conflicting_revision() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Embedded::open(dir.path()).unwrap();
    store.commit(commit(0, document(&[1]), "first")).unwrap();
    let theirs = Commit { who: "bob".to_owned(), ..commit(1, document(&[2]), "theirs") };
    store.commit(theirs).unwrap();
    let error = store.commit(commit(1, document(&[3]), "mine")).unwrap_err().to_string();
    let expected = "the configuration is at revision 2 by now (bob: theirs), not at 1; look at it \
                    and try again";
    assert_eq!(error, expected);
    assert_eq!(store.current().unwrap().document, document(&[2]));
    assert_eq!(store.revisions(u64::MAX, 9).unwrap().len(), 2);
}

/// Every revision can be read, whether it is an edit or a document; the oldest are forgotten.
#[test]
fn a_long_history() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Embedded::open(dir.path()).unwrap();
    store.commit(commit(0, document(&[1]), "first")).unwrap();
    let weigh = |store: &mut Embedded, weight: u32| {
        let current = store.current().unwrap();
        let address = address(1).parse().unwrap();
        let edit = Edit::WeighTarget { group: "web".to_owned(), address, port: None, weight };
        let mut document = current.document.clone();
        edit.apply(&mut document).unwrap();
        let commit = Commit { edit: Some(edit), ..commit(current.head.number, document, "weight") };
        store.commit(commit).unwrap().clone()
    };
    let all = REVISIONS_KEPT + 3 * EDITS_MAX;
    let mut kept = Vec::new();
    for number in 2..=all {
        kept.push(weigh(&mut store, u32::try_from(number % 1000).unwrap()));
    }
    drop(store);
    let mut store = Embedded::open(dir.path()).unwrap();
    assert_eq!(store.current(), kept.last());
    let there = store.revisions(u64::MAX, usize::MAX).unwrap();
    let oldest = there.last().unwrap().number;
    assert!((all - REVISIONS_KEPT - EDITS_MAX..=all - REVISIONS_KEPT).contains(&oldest));
    assert_eq!(store.revision(oldest - 1).unwrap(), None);
    for revision in kept.iter().filter(|kept| kept.head.number >= oldest).step_by(7) {
        assert_eq!(store.revision(revision.head.number).unwrap().as_ref(), Some(revision));
    }
}

/// A leftover of a crash before the rename of the file is ignored.
#[test]
fn an_unfinished_first_start() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("xelb.redb.new"), "redb, but no fur").unwrap();
    let mut store = Embedded::open(dir.path()).unwrap();
    store.commit(commit(0, document(&[1]), "first")).unwrap();
    drop(store);
    fs::write(dir.path().join("xelb.redb.new"), "").unwrap();
    assert_eq!(Embedded::open(dir.path()).unwrap().current().unwrap().head.number, 1);
}

#[test]
fn two_agents_do_not_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let error = Embedded::open(dir.path()).unwrap_err().to_string();
    assert!(error.starts_with("another xelb agent uses the state directory"), "{error}");
    drop(store);
    Embedded::open(dir.path()).unwrap();
}

/// Names of targets and the seed of the hash are confidential.
#[test]
fn only_the_owner_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let mut store = Embedded::open(&path).unwrap();
    store.commit(commit(0, document(&[1]), "first")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(format!("{:o}", mode(&path)), "700");
    assert_eq!(format!("{:o}", mode(&path.join(DATABASE_FILE))), "600");
}

#[test]
fn a_directory_that_cannot_be() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    let error = Embedded::open(&path).unwrap_err().to_string();
    let expected =
        format!("cannot create the state directory {}: File exists (os error 17)", path.display());
    assert_eq!(error, expected);
}

/// Whatever becomes of the file, it is refused by name, or what is in it is right.
#[test]
fn damaged_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(DATABASE_FILE);
    let mut store = Embedded::open(dir.path()).unwrap();
    store.commit(commit(0, document(&[1, 2, 3]), "first")).unwrap();
    add(&mut store, 4);
    let current = store.current().unwrap().clone();
    drop(store);
    let good = fs::read(&path).unwrap();
    let mut refused = 0;
    let spots = (0..good.len()).step_by(good.len() / 97);
    let cut = spots.clone().map(|length| good[..length].to_vec());
    let flipped = spots.map(|spot| {
        let mut bytes = good.clone();
        bytes[spot] ^= 0x5a;
        bytes
    });
    let text = std::iter::once(b"{\"number\": 1,".to_vec());
    for bytes in cut.chain(flipped).chain(text) {
        fs::write(&path, &bytes).unwrap();
        match Embedded::open(dir.path()) {
            // An empty file is a new one.
            Ok(store) if bytes.is_empty() => assert_eq!(store.current(), None),
            Ok(store) => assert_eq!(store.current(), Some(&current)),
            Err(error) => {
                refused += 1;
                let error = error.to_string();
                assert!(error.contains(&path.display().to_string()), "{error}");
                assert!(error.contains("is damaged ("), "{error}");
            }
        }
    }
    assert!(refused > 97, "only {refused} were refused");
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Embedded::open(dir.path()).unwrap());
    let database = redb::Database::open(dir.path().join(DATABASE_FILE)).unwrap();
    let write = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    write.open_table(meta).unwrap().insert("format", 7).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = Embedded::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("has format 7, and this xelb knows format 1; run the newer"), "{error}");
}
