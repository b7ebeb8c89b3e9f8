//! The socket's file: made, replaced, refused, removed.

use std::{
    fs,
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _, symlink},
        net::{UnixListener, UnixStream},
    },
    path::Path,
};

use crate::{BindError, socket::bind};

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[tokio::test]
async fn it_is_made_with_its_folder_and_removed_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/xelb/xelb.sock");
    let (listener, file) = bind(&path, None).unwrap();
    assert!(is_socket(&path));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o660);
    UnixStream::connect(&path).unwrap();
    drop(listener);
    assert!(path.exists());
    drop(file);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_dead_one_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xelb.sock");
    drop(UnixListener::bind(&path).unwrap());
    let (_listener, _file) = bind(&path, None).unwrap();
    let error = bind(&path, None).unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("another agent answers at {}", path.display())));
    assert!(is_socket(&path), "the refused one has removed nothing");
}

#[tokio::test]
async fn one_with_a_full_queue_is_alive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xelb.sock");
    let busy = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    busy.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    busy.listen(0).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    let error = bind(&path, None).unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_not_a_socket_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    let link = folder.path().join("link");
    symlink(&file, &link).unwrap();
    for path in [&file, &link, folder.path()] {
        let error = bind(path, None).unwrap_err();
        assert!(matches!(error, BindError::NotASocket { .. }), "{error:?}");
        assert!(error.to_string().contains("exists and is not a socket"), "{error}");
    }
    assert_eq!(fs::read(&link).unwrap(), b"precious");
}

#[tokio::test]
async fn file_system_errors_name_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for (path, says) in [
        (file.join("xelb.sock"), "cannot create the folder of"),
        (folder.path().join("x".repeat(200)), "cannot listen at"),
    ] {
        let error = bind(&path, None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{says} {}", path.display())), "{error}");
    }
}

#[tokio::test]
async fn the_socket_of_a_successor_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xelb.sock");
    let (_first, file) = bind(&path, None).unwrap();
    fs::rename(&path, folder.path().join("old.sock")).unwrap();
    let (_second, _file) = bind(&path, None).unwrap();
    drop(file);
    assert!(is_socket(&path));
}
