//! A full disk: a small file system of its own where one can be mounted, which takes root; elsewhere
//! a folder whose files a shim below the C library keeps from growing.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    events::invoice,
    processes::shim,
    world::{Installation, eventually, lines},
};

pub struct SmallDisk {
    folder: TempDir,
    mounted: bool,
}

impl SmallDisk {
    pub fn new(megabytes: u32) -> Self {
        let folder = TempDir::new().unwrap();
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .output();
        let mounted = match mount {
            Ok(output) if output.status.success() => return Self { folder, mounted: true },
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        println!("no disk can be mounted ({}): a shim stands in for it", mounted.trim());
        // A database's server may run as somebody else.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        fs::copy(shim("full_disk"), folder.path().join("full_disk.so")).unwrap();
        Self { folder, mounted: false }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What a program needs that is to find this disk full.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        if self.mounted {
            return Vec::new();
        }
        let folder = self.path().canonicalize().unwrap().display().to_string();
        vec![("LD_PRELOAD", format!("{folder}/full_disk.so")), ("FULL_DISK", folder)]
    }

    /// A file that leaves so many kilobytes.
    pub fn fill(&self, left: u64) -> PathBuf {
        let path = self.path().join("ballast");
        if !self.mounted {
            // Whoever sees it reads all of it.
            fs::write(self.path().join("ballast.new"), (1024 * left).to_string()).unwrap();
            fs::rename(self.path().join("ballast.new"), &path).unwrap();
            return path;
        }
        let table =
            Command::new("df").args(["--output=avail", "-k"]).arg(self.path()).output().unwrap();
        let table = String::from_utf8_lossy(&table.stdout).into_owned();
        let free: u64 = table.lines().last().unwrap().trim().parse().unwrap();
        let ballast = vec![0; usize::try_from(1024 * free.saturating_sub(left)).unwrap()];
        match fs::write(&path, ballast) {
            // Somebody else wrote meanwhile.
            Err(error) if error.kind() == ErrorKind::StorageFull => {}
            other => other.unwrap(),
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg(self.path()).status();
        }
    }
}

fn many() -> Vec<Value> {
    (0..12_000)
        .map(|n| {
            invoice(&format!("atelier/K-{}", n % 4_000), &format!("R-{n}"), "1.25", "2026-03-15")
        })
        .collect()
}

#[test]
fn an_import_onto_a_full_disk_says_so_loses_nothing_and_can_be_repeated() {
    let disk = SmallDisk::new(80);
    let house = Installation::on(&disk);
    let events = many();
    house.import(&house.events("first.ndjson", &events[..100])).well();
    let file = house.events("all.ndjson", &events);
    let ballast = disk.fill(3_000);
    let said = house.import(&file).refused(&["no space left"]);
    assert!(said.out.is_empty() || said.json()["accepted"].as_u64().is_some(), "{said:?}");
    // What had been accepted is there, and can be read on a full disk.
    let before = house.json(&["book"])["events"].as_u64().unwrap();
    assert!((100..12_000).contains(&before), "{before}");
    fs::remove_file(ballast).unwrap();
    let counts = house.import(&file).well().json();
    assert_eq!(counts["duplicates"], before);
    let book = house.json(&["book"]);
    assert_eq!((&book["events"], &book["claims"]), (&json!(12_000), &json!(12_000)));
    assert_eq!(book["currencies"]["EUR"]["principal"], "15000.00");
    let checks = house.json(&["doctor"]);
    assert!(checks.as_array().unwrap().iter().all(|check| check["well"] == true), "{checks}");
}

#[test]
fn a_server_on_a_full_disk_confirms_nothing_that_is_not_recorded_and_goes_on_later() {
    let disk = SmallDisk::new(80);
    let house = Installation::on(&disk);
    let server = house.serve();
    server.accept(&many()[..10]);
    let ballast = disk.fill(400);
    let events = many();
    let answer = eventually("the disk is full", || {
        events.chunks(1000).find_map(|chunk| {
            let body = lines(chunk);
            let answer = server.post("/v1/events", &[super::http::NDJSON], body.as_bytes());
            (answer.status != 202).then_some(answer)
        })
    });
    let problem = answer.problem(503);
    assert!(problem["detail"].as_str().unwrap().contains("send it again"), "{problem}");
    let ready = server.get("/readyz");
    assert!(ready.status == 503 && ready.body.contains("no space left"), "{ready:?}");
    fs::remove_file(ballast).unwrap();
    let mut statuses = std::collections::BTreeMap::<String, u64>::new();
    for chunk in events.chunks(1000) {
        let answer = server.post("/v1/events", &[super::http::NDJSON], lines(chunk).as_bytes());
        assert_eq!(answer.status, 202, "the same server goes on: {answer:?}");
        assert_eq!(server.get("/readyz").status, 200);
        for receipt in answer.json()["receipts"].as_array().unwrap() {
            *statuses.entry(receipt["status"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert_eq!(statuses.values().sum::<u64>(), 12_000);
    assert!(!statuses.contains_key("rejected"), "{statuses:?}");
    let book = house.json(&["book"]);
    assert_eq!((&book["events"], &book["claims"]), (&json!(12_000), &json!(12_000)));
}
