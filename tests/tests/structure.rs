//! The shape of the project: which crate knows which, under which licences, and what lies in its
//! tree.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;

/// Which of our crates each may depend on, as ARCHITECTURE.md says. `pages` names rows of links
/// and checkouts, which are `store`'s; accounts it reaches through `engine` alone.
const ARROWS: &[(&str, &[&str])] = &[
    ("kulanz-domain", &[]),
    ("kulanz-policies", &["kulanz-domain"]),
    ("kulanz-wire", &["kulanz-domain"]),
    ("kulanz-store", &["kulanz-domain"]),
    ("kulanz-engine", &["kulanz-domain", "kulanz-store"]),
    ("kulanz-delivery", &["kulanz-domain", "kulanz-engine"]),
    ("kulanz-pages", &["kulanz-domain", "kulanz-engine", "kulanz-store"]),
    ("kulanz-demo-data", &[]),
    ("kulanz", EVERYTHING),
    ("kulanz-bench", EVERYTHING),
    ("kulanz-tests", EVERYTHING),
];

const EVERYTHING: &[&str] = &[
    "kulanz",
    "kulanz-domain",
    "kulanz-policies",
    "kulanz-wire",
    "kulanz-store",
    "kulanz-engine",
    "kulanz-delivery",
    "kulanz-pages",
    "kulanz-demo-data",
];

/// Crates of others that a layer must do without, since its promise would be gone.
const WITHOUT: &[(&str, &[&str])] = &[
    (
        "kulanz-domain",
        &[
            "tokio",
            "rusqlite",
            "tokio-postgres",
            "reqwest",
            "axum",
            "lettre",
            "getrandom",
            "tracing",
        ],
    ),
    ("kulanz-policies", &["tokio", "rusqlite", "reqwest", "axum", "lettre"]),
    ("kulanz-wire", &["tokio", "rusqlite", "reqwest", "axum", "lettre"]),
    ("kulanz-store", &["reqwest", "axum", "lettre", "cqrs-es"]),
    ("kulanz-engine", &["reqwest", "axum", "lettre"]),
    ("kulanz-pages", &["rusqlite", "tokio-postgres", "lettre"]),
    ("kulanz-demo-data", &["tokio", "rusqlite", "reqwest", "axum", "lettre"]),
];

/// Folders that hold no source.
const BUILT: &[&str] = &[".git", "target", "node_modules", ".cache", "kulanz-data"];

/// Lines of a source file at most.
const LINES: usize = 700;

static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let host = run("rustc", &["-vV"]);
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned();
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let options = ["metadata", "--format-version", "1", "--locked", "--filter-platform", &host];
    serde_json::from_str(&run(cargo, &options)).unwrap()
});

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Our crates with the names of what they depend on outside of their tests.
fn ours() -> BTreeMap<String, BTreeSet<String>> {
    let members: BTreeSet<&str> = list(&METADATA["workspace_members"])
        .iter()
        .map(|member| member.as_str().unwrap())
        .collect();
    let packages = list(&METADATA["packages"]).iter();
    packages
        .filter(|package| members.contains(package["id"].as_str().unwrap()))
        .map(|package| {
            let depends = list(&package["dependencies"]).iter();
            let kept = depends.filter(|one| one["kind"] != "dev");
            (text(&package["name"]), kept.map(|one| text(&one["name"])).collect())
        })
        .collect()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Files of the tree by their paths from its root.
fn files() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !BUILT.contains(&&*entry.file_name().to_string_lossy()) {
                folders.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path();
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                found.push((name, path));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn no_crate_knows_another_that_the_architecture_keeps_from_it() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let ours = ours();
    let mut wrong = Vec::new();
    for (name, depends) in &ours {
        let Some(allowed) = allowed.get(&**name) else {
            wrong.push(format!("{name} has no line in ARROWS yet"));
            continue;
        };
        let arrows = depends.iter().filter(|depend| ours.contains_key(*depend));
        let bad = arrows.filter(|depend| !allowed.contains(&&***depend));
        wrong.extend(bad.map(|depend| format!("{name} must not depend on {depend}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_layer_does_without_the_tools_of_the_others() {
    let ours = ours();
    let mut wrong = Vec::new();
    for (name, without) in WITHOUT {
        let found = without.iter().filter(|tool| ours[*name].contains(**tool));
        wrong.extend(found.map(|tool| format!("{name} must do without {tool}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_has_a_licence_of_the_allowed_ones() {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let (_, rest) = deny.split_once("allow = [").unwrap();
    let (allowed, _) = rest.split_once(']').unwrap();
    let allowed: Vec<spdx::Licensee> = allowed
        .split(',')
        .map(|line| line.trim().trim_matches('"'))
        .filter(|name| !name.is_empty())
        .map(|name| spdx::Licensee::parse(name).unwrap())
        .collect();
    let mut wrong = Vec::new();
    for package in list(&METADATA["packages"]) {
        let name = text(&package["name"]);
        let Some(licence) = package["license"].as_str() else {
            wrong.push(format!("{name} states no licence"));
            continue;
        };
        let stated = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX).unwrap();
        if !stated.evaluate(|asked| allowed.iter().any(|licensee| licensee.satisfies(asked))) {
            wrong.push(format!("{name} is under {licence}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(fs::read_to_string(root().join("LICENSE")).unwrap().contains("Apache License"));
}

#[test]
fn no_file_is_larger_than_a_mebibyte_or_longer_than_a_person_reads() {
    let source = ["rs", "mjs", "js", "py", "sh", "css", "sql", "md"];
    let mut wrong = Vec::new();
    for (name, path) in files() {
        let bytes = fs::metadata(&path).unwrap().len();
        if bytes > 1024 * 1024 {
            wrong.push(format!("{name} has {bytes} bytes"));
        }
        let is_source = path.extension().is_some_and(|end| source.iter().any(|one| end == *one));
        if is_source {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            if lines > LINES {
                wrong.push(format!("{name} has {lines} lines, {LINES} are the limit"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() {
    // Written in two parts, so that this file does not name them.
    let places = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
        concat!("/wo", "rk/"),
        concat!("C:\\Us", "ers\\"),
        concat!("registry.np", "mjs"),
    ];
    let mut wrong = Vec::new();
    for (name, path) in files() {
        let Ok(content) = fs::read_to_string(&path) else { continue };
        let lines = content.lines().enumerate();
        let named = lines.filter(|(_, line)| places.iter().any(|place| line.contains(place)));
        wrong.extend(named.map(|(at, _)| format!("{name}:{}", at + 1)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
