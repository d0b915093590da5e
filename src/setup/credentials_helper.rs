//! What the setups of Terraform and OpenTofu share: the one helper for all hosts, in a file of one form.

use std::path::{Path, PathBuf};

use super::machine::Machine;
use super::{
    Answering, Document, InFront, Plan, Setting, Wired, Wiring, Wish, file, line, meets_nothing,
    ours, view,
};
use crate::error::{Error, ErrorKind};
use crate::profile::route::Target;
use crate::text::printable;

/// The protocol by which both ask.
pub(super) const PROTOCOL: &str = "terraform";

/// The block that names a helper, and ours.
const BLOCK: &str = "credentials_helper";
const OURS: &str = "cred-helper";

/// The CLI configuration file, where it is named.
pub(super) fn named_file(machine: &Machine<'_>) -> Option<PathBuf> {
    machine.variable("TF_CLI_CONFIG_FILE").map(PathBuf::from)
}

/// A place of the user's. `APPDATA` is a variable of Windows.
pub(super) fn place(machine: &Machine<'_>, name: &str, on_windows: &str) -> PathBuf {
    match machine.variable("APPDATA") {
        Some(folder) => PathBuf::from(folder).join(on_windows),
        None => machine.home.join(name),
    }
}

/// Terraform's file.
pub(super) fn terraforms_file(machine: &Machine<'_>) -> PathBuf {
    place(machine, ".terraformrc", "terraform.rc")
}

/// Terraform's folder, in which both look.
pub(super) fn terraforms_folder(machine: &Machine<'_>) -> PathBuf {
    place(machine, ".terraform.d", "terraform.d")
}

/// They look for helpers in a folder, and not on PATH.
pub(super) fn link_in(folder: PathBuf) -> PathBuf {
    let name = format!(
        "terraform-credentials-{OURS}{}",
        std::env::consts::EXE_SUFFIX
    );
    folder.join("plugins").join(name)
}

/// Words, strings with their quotes, and signs of the configuration language, without comments.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |one: char| one.is_alphanumeric() || "_-.".contains(one);
        let end_of = |mark: &str| {
            rest.find(mark)
                .map_or(rest.len(), |start| start + mark.len())
        };
        let (end, is_comment) = match first {
            '#' => (end_of("\n"), true),
            '/' if rest.starts_with("//") => (end_of("\n"), true),
            '/' if rest.starts_with("/*") => (end_of("*/"), true),
            '"' => (view::end_of_string(rest), false),
            _ if is_word(first) => (rest.find(|one| !is_word(one)).unwrap_or(rest.len()), false),
            _ => (first.len_utf8(), false),
        };
        if !is_comment {
            tokens.push(&rest[..end]);
        }
        rest = rest[end..].trim_start();
    }
    tokens
}

/// A block of the outermost level: its kind, its label, and what is in it.
struct Block<'t> {
    kind: &'t str,
    label: &'t str,
    body: Vec<&'t str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let (mut depth, mut before) = (0_usize, Vec::new());
    for token in tokens(text) {
        match token {
            "{" if depth == 0 => {
                let label = before.pop().filter(|label: &&str| label.starts_with('"'));
                let kind = before.pop().unwrap_or_default();
                let label = label.unwrap_or_default().trim_matches('"');
                blocks.push(Block {
                    kind,
                    label,
                    body: Vec::new(),
                });
                before.clear();
                depth = 1;
                continue;
            }
            "{" | "[" => depth += 1,
            "}" | "]" => depth = depth.saturating_sub(1),
            _ if depth == 0 => before.push(token),
            _ => {}
        }
        if depth > 0
            && let Some(block) = blocks.last_mut()
        {
            block.body.push(token);
        }
    }
    blocks
}

/// Has it ask us for every host.
pub(super) fn add(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    wish: &Wish,
    plan: &mut Plan,
) -> Result<String, Error> {
    wish.require_urls()?;
    let is_host = |target: &Target| target.scheme() == "https" && target.path().is_empty();
    if !wish.targets(plan).iter().any(|(target, _)| is_host(target)) {
        return Err(
            meets_nothing(format!("{} name no host of Terraform's", wish.in_words())).hint(
                "add the host's `https://HOST/`, without a path, to the `urls` of its profile",
            ),
        );
    }
    let mut value = format!("{BLOCK} \"{OURS}\" {{}}");
    let mut profile = String::new();
    if let [only] = &wish.profiles[..]
        && wish.is_named
    {
        profile.clone_from(&only.name);
        value = format!("{BLOCK} \"{OURS}\" {{ args = [\"--profile\", \"{profile}\"] }}");
    }
    if document.text.trim_start().starts_with('{') {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "`{}` is written in JSON, which setup cannot change",
                document.path.display()
            ),
        )
        .hint(format!("add `\"{BLOCK}\": {{\"{OURS}\": {{}}}}` to it")));
    }
    let wanted = blocks(&value).pop().map(|block| block.body);
    let is_ours = |block: &Block<'_>| {
        let is_helper = block.kind == BLOCK && block.label == OURS;
        is_helper && Some(&block.body) == wanted.as_ref()
    };
    let setting = Setting {
        profile,
        url: wish.own_url(),
        key: BLOCK.to_owned(),
        value: value.clone(),
        replaced: None,
    };
    let blocks = blocks(document.text);
    let there = blocks.iter().find(|block| block.kind == BLOCK);
    let earlier = plan.settings.iter().map(|setting| setting.value.as_str());
    let mut replaced = earlier.filter_map(|earlier| line::replace(document.text, earlier, &value));
    let text = match (there, replaced.next_back()) {
        (None, _) => line::add(document.text, &value),
        (Some(block), _) if is_ours(block) => {
            plan.find(setting);
            return Ok(document.text.to_owned());
        }
        (Some(_), Some(text)) => text,
        (Some(block), None) => {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "`{}` names the helper `{}` already, and Terraform knows one alone",
                    document.path.display(),
                    printable(block.label)
                ),
            )
            .hint(format!("write `{value}` in its place")));
        }
    };
    // Behind a string or a block that does not end, it would be a part of that.
    if !self::blocks(&text).iter().any(is_ours) {
        let reason = "a string, a comment or a block does not end";
        return Err(file::damaged(
            PROTOCOL,
            document.path,
            document.text,
            reason,
        ));
    }
    plan.note(setting);
    Ok(text)
}

/// Whether a line of the file holds nothing secret.
pub(super) fn is_shown(line: &str) -> bool {
    let is_ours = line.starts_with(&format!("{BLOCK} \"{OURS}\""));
    is_ours || ["{", "}", "[", "]"].contains(&line)
}

/// Whether it asks us, who has to be at `link`.
pub(super) fn look(link: &Path, document: &Document<'_>, profiles: &[Answering]) -> Wiring {
    let mut wiring = Wiring::default();
    let blocks = blocks(document.text);
    let helper = blocks.iter().find(|block| block.kind == BLOCK);
    let is_ours = helper.is_some_and(|block| block.label == OURS);
    if let Some(block) = helper.filter(|_| is_ours) {
        let words = block.body.iter().map(|token| token.trim_matches('"'));
        let words = words.filter(|word| *word != ",");
        wiring.wired.push(Wired {
            target: "every host".to_owned(),
            profile: ours::profile(block.label, "", words).flatten(),
            program: Some(link.display().to_string()),
        });
    }
    let patterns = profiles.iter().flat_map(|profile| &profile.urls);
    for target in patterns.filter_map(|pattern| pattern.target()) {
        let host = target.authority();
        let own = |block: &&Block<'_>| block.kind == "credentials" && block.label == host;
        let in_front = match blocks.iter().find(own) {
            Some(_) => Some("credentials"),
            None => helper.filter(|_| !is_ours).map(|block| block.label),
        };
        let is_new = wiring.in_front.iter().all(|known| known.target != host);
        if let Some(helper) = in_front
            && is_new
        {
            wiring.in_front.push(InFront {
                target: host,
                helper: helper.to_owned(),
            });
        }
    }
    wiring
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn blocks_are_found_between_comments_and_strings() {
        let text = "# credentials_helper \"no\" {}\nplugin_cache_dir = \"{ \\\" #\"\n\
                    credentials \"h.example\" {\n  token = \"credentials_helper\" // }\n}\n\
                    /* { */ credentials_helper \"x\" { args = [\"-p\", \"{\"] }\nhost \"h\" {}";
        let found: Vec<_> = blocks(text)
            .iter()
            .map(|block| (block.kind, block.label, block.body.len()))
            .collect();
        assert_eq!(
            found,
            [
                ("credentials", "h.example", 3),
                ("credentials_helper", "x", 7),
                ("host", "h", 0)
            ]
        );
    }
}
