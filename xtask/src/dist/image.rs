//! An OCI image of one layer, made without a daemon: the program, its licences, and the folders that it
//! uses (OCI image layout 1.0.0, in one archive as `podman load` takes it).

use std::env::consts::ARCH;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Release, archive, checksums};
use crate::package;

/// Files of the tarball that the image has, too.
const FILES: &[&str] = &[
    "usr/bin/xelb",
    "usr/share/doc/xelb/copyright",
    "usr/share/doc/xelb/third-party-licences.gz",
    "usr/share/xelb/xelb.schema.json",
];

/// Folders that are empty: for the configuration, state, the socket, and temporary files.
const FOLDERS: &[&str] = &["etc/xelb", "run/xelb", "tmp", "var/lib/xelb", "var/lib/xelb-proxy"];

/// Users that xelb looks for by name: programs of checks and drivers run as `nobody`.
const USERS: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0:root:/root:/none\nnobody:x:65534:65534:nobody:/:/none\n"),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
];

/// The root of the image, of the tree of the tarball.
pub(super) fn put_files(tree: &Path, root: &Path) -> Result<()> {
    for name in FILES {
        let to = root.join(name);
        fs::create_dir_all(to.parent().context("a path without a folder")?)?;
        fs::copy(tree.join(name), &to).with_context(|| format!("copying {name}"))?;
    }
    for name in FOLDERS {
        fs::create_dir_all(root.join(name)).with_context(|| format!("making {name}"))?;
    }
    for (name, text) in USERS {
        fs::write(root.join(name), text).with_context(|| format!("writing {name}"))?;
        fs::set_permissions(root.join(name), Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// Packs a root folder into an image, with a folder to work in.
pub(super) fn pack(root: &Path, work: &Path, to: &Path, release: &Release) -> Result<()> {
    let layout = work.join("layout");
    package::remake(&layout)?;
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).context("making the folder of blobs")?;
    let layer = archive::tar(root, ".", &work.join("layer.tar"), &release.epoch)?;
    // A layer has two digests: of what is unpacked, and of the file.
    let unpacked = checksums::sha256_of(&layer)?;
    let layer = fs::read(archive::gzip(&layer)?).context("reading the layer")?;
    let layer = blob(&blobs, "application/vnd.oci.image.layer.v1.tar+gzip", &layer)?;
    let config = json_blob(
        &blobs,
        "application/vnd.oci.image.config.v1+json",
        &configuration(release, &unpacked),
    )?;
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": [layer],
        "annotations": annotations(release),
    });
    let mut manifest = json_blob(&blobs, manifest_type, &manifest)?;
    manifest["annotations"] =
        json!({ "org.opencontainers.image.ref.name": format!("xelb:{}", release.version) });
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [manifest],
    });
    fs::write(layout.join("index.json"), index.to_string())?;
    fs::write(layout.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
    archive::tar(&layout, ".", to, &release.epoch)?;
    Ok(())
}

/// How a container of the image is started.
fn configuration(release: &Release, layer: &str) -> Value {
    json!({
        "architecture": if ARCH == "x86_64" { "amd64" } else { "arm64" },
        "os": "linux",
        "created": release.created,
        "config": {
            "Entrypoint": ["/usr/bin/xelb"],
            "Cmd": ["agent", "--config", "/etc/xelb/xelb.yaml"],
            "Env": ["PATH=/usr/bin"],
            "Labels": annotations(release),
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created": release.created, "created_by": "cargo xtask dist" }],
    })
}

fn annotations(release: &Release) -> Value {
    json!({
        "org.opencontainers.image.title": "xelb",
        "org.opencontainers.image.description": "elastic load balancer on XDP",
        "org.opencontainers.image.version": release.version,
        "org.opencontainers.image.revision": release.revision,
        "org.opencontainers.image.created": release.created,
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
    })
}

fn json_blob(blobs: &Path, media_type: &str, value: &Value) -> Result<Value> {
    blob(blobs, media_type, value.to_string().as_bytes())
}

/// Stores a blob, and gives its descriptor.
fn blob(blobs: &Path, media_type: &str, bytes: &[u8]) -> Result<Value> {
    let digest = checksums::sha256(bytes);
    fs::write(blobs.join(&digest), bytes).context("writing a blob")?;
    let digest = format!("sha256:{digest}");
    Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;
    use crate::workspace::run;

    /// A tree as that of the tarball, and its image.
    fn made(folder: &Path) -> PathBuf {
        for name in FILES {
            let path = folder.join("tree").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let root = folder.join("root");
        put_files(&folder.join("tree"), &root).unwrap();
        let file = folder.join("image.tar");
        pack(&root, folder, &file, &super::super::example()).unwrap();
        file
    }

    fn read(path: &Path) -> Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn an_image_is_packed_twice_in_the_same_way() {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let images = folders.each_ref().map(|folder| fs::read(made(folder.path())).unwrap());
        assert_eq!(images[0], images[1]);
    }

    #[test]
    fn every_descriptor_names_a_blob_of_that_digest_and_size() {
        let folder = tempfile::tempdir().unwrap();
        let file = made(folder.path());
        let unpacked = folder.path().join("unpacked");
        fs::create_dir(&unpacked).unwrap();
        run(Command::new("tar").arg("-xf").arg(file).arg("-C").arg(&unpacked)).unwrap();
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
            let path = unpacked.join("blobs/sha256").join(digest);
            let bytes = fs::read(&path).unwrap();
            assert_eq!(checksums::sha256(&bytes), digest);
            assert_eq!(Some(bytes.len() as u64), descriptor["size"].as_u64());
            path
        };
        assert_eq!(read(&unpacked.join("oci-layout"))["imageLayoutVersion"], "1.0.0");
        let index = read(&unpacked.join("index.json"));
        let named = &index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"];
        assert_eq!(named, "xelb:1.2.3");
        let manifest = read(&blob(&index["manifests"][0]));
        let config = read(&blob(&manifest["config"]));
        let layer = blob(&manifest["layers"][0]);
        let plain = Command::new("gzip").args(["-dc"]).arg(layer).output().unwrap().stdout;
        let digest = format!("sha256:{}", checksums::sha256(&plain));
        assert_eq!(config["rootfs"]["diff_ids"][0], digest);
        assert_eq!(config["created"], "2023-11-14T22:13:20Z");
        assert_eq!(config["config"]["Entrypoint"][0], "/usr/bin/xelb");
    }
}
