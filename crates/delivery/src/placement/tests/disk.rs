//! The folder on disk.

use std::{fs, path::Path};

use sha2::{Digest, Sha256};

use super::{
    Value,
    story::{Story, debtor, id},
};
use crate::placement::{folder::files, *};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_placement_becomes_a_folder_whose_manifest_has_the_checksums() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().join("handoff/nordinkasso");
    let folder = write_folder(&root, &Story::full().build().unwrap()).unwrap();
    assert_eq!(folder, root.join("lindenmoor/P-1"));
    assert_eq!(names(&folder), ["claims.csv", "claims.json", "documents", "manifest.json"]);
    assert!(names(&folder.join("documents")).is_empty());
    let manifest = fs::read(folder.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    for file in manifest["files"].as_array().unwrap() {
        let bytes = fs::read(folder.join(file["name"].as_str().unwrap())).unwrap();
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(file["sha256"], digest);
        assert_eq!(file["bytes"], bytes.len());
    }
    assert_eq!(manifest["files"].as_array().unwrap().len(), 2);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let story = Story::full();
    let folder = write_folder(root.path(), &story.build().unwrap()).unwrap();
    let recall = write_recall(root.path(), &story.recall()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for closed in [root.path().join("lindenmoor"), folder.clone(), folder.join("documents")] {
        assert_eq!(mode(&closed), 0o700, "{}", closed.display());
    }
    for file in ["manifest.json", "claims.json", "claims.csv"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&recall), 0o600);
}

#[test]
fn writing_it_again_finds_it_done_and_another_content_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let mut story = Story::full();
    let first = write_folder(root.path(), &story.build().unwrap()).unwrap();
    let before = fs::metadata(first.join("claims.json")).unwrap().modified().unwrap();
    assert_eq!(write_folder(root.path(), &story.build().unwrap()).unwrap(), first);
    assert_eq!(fs::metadata(first.join("claims.json")).unwrap().modified().unwrap(), before);

    story.card.legal_name = "Lindenmoor AG".to_owned();
    let other = write_folder(root.path(), &story.build().unwrap());
    assert!(matches!(other, Err(WriteError::Differs { path }) if path == first));
    let kept = fs::read_to_string(first.join("claims.json")).unwrap();
    assert!(kept.contains("Lindenmoor Versand GmbH"));
    assert_eq!(names(&root.path().join("lindenmoor")), [".lock", "P-1"]);
}

#[test]
fn what_an_attempt_that_was_killed_left_behind_is_cleared() {
    let root = tempfile::tempdir().unwrap();
    let left = root.path().join("lindenmoor/.P-1.partial");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("claims.json"), "half").unwrap();
    fs::write(left.join("stray"), "").unwrap();
    let folder = write_folder(root.path(), &Story::full().build().unwrap()).unwrap();
    assert_eq!(names(&folder), ["claims.csv", "claims.json", "documents", "manifest.json"]);
    assert_eq!(names(&root.path().join("lindenmoor")), [".lock", "P-1"]);
}

#[test]
fn eight_writers_at_once_leave_one_whole_folder() {
    let root = tempfile::tempdir().unwrap();
    let data = Story::full().build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| write_folder(root.path(), &data).unwrap());
        }
    });
    assert_eq!(names(&root.path().join("lindenmoor")), [".lock", "P-1"]);
    let expected = files(&data).unwrap();
    for (name, bytes) in expected {
        assert_eq!(fs::read(root.path().join("lindenmoor/P-1").join(name)).unwrap(), bytes);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("lindenmoor"), "a file in the way").unwrap();
    let failed = write_folder(root.path(), &Story::full().build().unwrap()).unwrap_err();
    assert!(failed.to_string().ends_with("lindenmoor cannot be written"), "{failed}");
}

#[test]
fn a_recall_is_a_file_of_its_own_and_stands() {
    let root = tempfile::tempdir().unwrap();
    let story = Story::full();
    let recall = story.recall();
    let file = write_recall(root.path(), &recall).unwrap();
    assert_eq!(file, root.path().join("lindenmoor/recalls/P-1.json"));
    let read: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(read["reason"], "paid");
    assert_eq!(read["claims"], serde_json::json!(["R-1"]));
    assert_eq!(write_recall(root.path(), &recall).unwrap(), file);
    let other = Recall { reason: words::RecallReason::Disputed, ..recall };
    assert!(matches!(write_recall(root.path(), &other), Err(WriteError::Differs { .. })));
}

#[test]
fn what_is_open_by_now_is_told_in_files_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let mut story = Story::full();
    let update = |story: &Story| {
        let placed = &story.account.placements[&story.placement];
        Update::new(&story.id, &story.placement, placed, &story.account, story.moment())
    };
    let out = story.build().unwrap();
    let (principal, fees) = (out.claims[0].open_principal, out.claims[0].open_fees);
    let same = update(&story);
    assert_eq!((same.claims[0].open_principal, same.claims[0].open_fees), (principal, fees));
    story.payment("Z-3", "2026-04-01", "10.00");
    let file = write_update(root.path(), &update(&story), 41).unwrap();
    assert_eq!(file, root.path().join("lindenmoor/updates/P-1-41.json"));
    let read: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(read["claims"][0]["invoice"], "R-1");
    let open = |word: &str| read["claims"][0][word].as_str().unwrap().parse::<Decimal>().unwrap();
    assert_eq!(open("open_principal") + open("open_fees"), "62.40".parse().unwrap());
    assert_eq!(write_update(root.path(), &update(&story), 41).unwrap(), file);
    story.payment("Z-4", "2026-04-02", "1.00");
    let other = write_update(root.path(), &update(&story), 41);
    assert!(matches!(other, Err(WriteError::Differs { .. })));
    write_update(root.path(), &update(&story), 42).unwrap();
    assert_eq!(names(&root.path().join("lindenmoor/updates")), ["P-1-41.json", "P-1-42.json"]);
}

/// All that lies below a folder, names and contents.
fn all_below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        text.push_str(&format!("{}\n", path.display()));
        match path.is_dir() {
            true => text.push_str(&all_below(&path)),
            false => text.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap())),
        }
    }
    text
}

#[test]
fn of_an_erased_placement_a_note_is_left_and_of_another_debtors_everything() {
    let root = tempfile::tempdir().unwrap();
    let mut story = Story::full();
    let mut other = story.build().unwrap();
    other.placement = id("P-2");
    other.debtor.name = "Bo Beispiel".to_owned();
    let kept = write_folder(root.path(), &other).unwrap();
    story.secrets.insert("debtor".to_owned(), debtor("Quirina Zwiebelfisch"));
    let folder = write_folder(root.path(), &story.build().unwrap()).unwrap();
    // An invoice that somebody put there, and what a write that was killed left behind.
    fs::write(folder.join("documents/R-1.pdf"), "Quirina Zwiebelfisch").unwrap();
    let partial = root.path().join("lindenmoor/.P-1.partial");
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("claims.json"), "Quirina Zwiebelfisch").unwrap();
    let untouched = all_below(&kept);
    assert!(all_below(root.path()).contains("Quirina"));

    let erased = story.erased();
    assert_eq!(folder_of(root.path(), &erased.creditor, &erased.placement), folder);
    assert!(erase_folder(root.path(), &erased).unwrap());
    assert_eq!(names(&folder), ["erased.json"]);
    let note = fs::read_to_string(folder.join("erased.json")).unwrap();
    let read: Value = serde_json::from_str(&note).unwrap();
    assert_eq!(read["erased_at"], story.at.to_string());
    assert!(!note.contains(story.id.debtor.as_str()), "{note}");
    for personal in ["Quirina", "+491701234567", "Am Wall 3"] {
        assert!(!all_below(&folder).contains(personal), "{personal}");
    }
    assert!(!all_below(root.path()).contains("Quirina"));
    assert_eq!(all_below(&kept), untouched);
    assert_eq!(names(&root.path().join("lindenmoor")), [".lock", "P-1", "P-2"]);

    // Done again later, its work is done; and nobody writes the placement anew.
    let later = Erased { erased_at: "2027-01-01T00:00:00Z".parse().unwrap(), ..erased };
    assert!(erase_folder(root.path(), &later).unwrap());
    assert_eq!(fs::read_to_string(folder.join("erased.json")).unwrap(), note);
    let anew = write_folder(root.path(), &story.build().unwrap());
    assert!(matches!(anew, Err(WriteError::Differs { path }) if path == folder));
}

#[test]
fn an_erasure_that_was_interrupted_anywhere_is_done_by_doing_it_again() {
    // What may be gone, and half there, when it is interrupted.
    let stages: [&[&str]; 4] = [
        &[],
        &["manifest.json"],
        &["manifest.json", "claims.csv"],
        &["manifest.json", "claims.csv", "claims.json", "documents"],
    ];
    for gone in stages {
        let root = tempfile::tempdir().unwrap();
        let story = Story::full();
        let folder = write_folder(root.path(), &story.build().unwrap()).unwrap();
        for name in gone {
            let path = folder.join(name);
            if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }.unwrap();
        }
        fs::write(folder.join(".erased.partial"), "{ \"form").unwrap();
        assert!(erase_folder(root.path(), &story.erased()).unwrap());
        assert_eq!(names(&folder), ["erased.json"], "{gone:?}");
        let note = fs::read(folder.join("erased.json")).unwrap();
        assert!(serde_json::from_slice::<Value>(&note).is_ok());
    }
}

#[test]
fn a_folder_that_is_not_there_is_told_and_one_that_cannot_be_erased_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let story = Story::full();
    assert!(!erase_folder(&root.path().join("none"), &story.erased()).unwrap());
    assert!(names(root.path()).is_empty(), "nothing is made for it");

    let folder = write_folder(root.path(), &story.build().unwrap()).unwrap();
    let lock = root.path().join("lindenmoor/.lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let failed = erase_folder(root.path(), &story.erased()).unwrap_err();
    assert!(failed.to_string().ends_with(".lock cannot be written"), "{failed}");
    assert!(folder.join("claims.json").exists());
}
