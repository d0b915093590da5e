//! `setup` for NuGet: a link, and nothing else.

use serde_json::json;

use crate::setup_ground::Home;

#[test]
fn a_link_is_made_where_nuget_looks_shown_first_and_taken_away_again() {
    let home = Home::new();
    let before = home.files();
    let bin = home.0.state().join("bin");
    let (all, one) = (
        bin.join("nuget-plugin-cred-helper"),
        bin.join("nuget-plugin-cred-helper-other"),
    );
    let dry = home.setup("nuget --dry-run").ok();
    assert_eq!(
        dry,
        format!("+ {}\nnothing was written\n", all.display()),
        "{dry}"
    );
    assert_eq!(home.files(), before);

    let said = home.setup("nuget").ok();
    assert!(
        said.contains(&format!("linked `{}`", all.display())),
        "{said}"
    );
    // Nothing leads there yet.
    assert!(said.contains("is not on PATH"), "{said}");
    assert!(all.exists() && !one.exists());
    let again = home.setup("nuget").ok();
    assert!(again.starts_with("nothing to change"), "{again}");
    // Only the profile that is named has to be one that NuGet may use.
    let error = home.setup("nuget -p other").failed(8);
    assert!(error.contains("nuget"), "{error}");
    home.setup("nuget -p work").ok();

    let listed = |line: &str| {
        let path = format!("PATH=\"$HOME/state/bin:$PATH\"; {line}");
        home.shell(&path).ok()
    };
    let list: serde_json::Value =
        serde_json::from_str(&listed("cred-helper setup --list -o json")).expect("it is JSON");
    let rows = list["tools"].as_array().expect("there are tools");
    let row = rows.iter().find(|row| row["tool"] == "nuget");
    assert_eq!(
        row.expect("it is listed")["wired"],
        json!([
            { "for": "every feed", "profile": null },
            { "for": "every feed", "profile": "work" },
        ])
    );
    // Where PATH leads to it, whoever made that, none is needed; also where it is called by its program.
    for name in ["nuget", "dotnet"] {
        let said = listed(&format!("cred-helper setup {name}"));
        assert_eq!(said, "nothing to change: the link is there\n");
    }
    let list = listed(
        "mkdir \"$HOME/sdk\" && printf '#!/bin/sh\n' > \"$HOME/sdk/dotnet\" && chmod +x \
         \"$HOME/sdk/dotnet\" && PATH=\"$HOME/sdk:$PATH\" cred-helper setup --list",
    );
    assert!(list.contains("nuget (dotnet)  unknown"), "{list}");
    listed("rm -r \"$HOME/sdk\"");

    let dry = home.setup("nuget --undo --dry-run").ok();
    assert_eq!(dry.lines().count(), 3, "{dry}");
    assert!(all.exists());
    let said = home
        .setup("nuget --undo --url https://work.example.test/")
        .ok();
    assert!(said.contains("nothing to undo"), "{said}");
    let said = home.setup("nuget --undo -p work").ok();
    assert_eq!(said, format!("removed `{}-work`\n", all.display()));
    let said = home.setup("nuget --undo").ok();
    assert_eq!(said, format!("removed `{}`\n", all.display()));
    let said = home.setup("nuget --undo").ok();
    assert!(said.contains("nothing to undo"), "{said}");
    assert_eq!(home.files(), before);
}

#[test]
fn without_a_profile_that_names_a_feed_nothing_is_linked() {
    let home = Home::new();
    home.setup("nuget -p bare").failed(8);
    assert!(!home.0.state().join("bin").exists());
}
