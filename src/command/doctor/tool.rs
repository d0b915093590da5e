//! The tools: which are here, whether they ask us, and who is asked before.

use super::{Case, Check, Finding};
use crate::command::setup::answering;
use crate::setup::{self, Listed, Machine, SETUPS, Wiring, stand_ins};

/// The line in the table.
pub(super) const CHECK: Check = Check { name: "tool", look };

fn look(case: &Case<'_>) -> Vec<Finding> {
    let machine = match Machine::new(case.context) {
        Ok(machine) => machine,
        Err(error) => return vec![Finding::error("setup", &error)],
    };
    let mut findings = Vec::new();
    for entry in SETUPS {
        let profiles = answering(case.configuration, entry.protocol, case.profiles);
        let listed = setup::list(entry, &machine, &profiles);
        findings.extend(one(&listed));
        match setup::link_problems(entry, &machine) {
            Ok(problems) => findings.extend(unfound(&listed, &problems, &machine)),
            Err(error) => findings.push(Finding::error(entry.name, &error)),
        }
    }
    findings.extend(stand_ins().filter_map(|tool| {
        let listed = setup::list_stand_in(tool, &machine);
        let is_linked = listed.wiring.as_ref().map_or(true, |wiring| {
            !wiring.wired.is_empty() || !wiring.in_front.is_empty()
        });
        one(&listed).filter(|_| is_linked)
    }));
    findings
}

/// Why a tool that asks us does not find us.
fn unfound(listed: &Listed, problems: &[(String, String)], machine: &Machine<'_>) -> Vec<Finding> {
    let tool = listed.tool;
    let Some(wiring) = listed
        .wiring
        .as_ref()
        .ok()
        .filter(|wiring| !wiring.wired.is_empty())
    else {
        return Vec::new();
    };
    if let ([], Some(program)) = (problems, setup::missing(machine, wiring)) {
        let message = format!("{tool} does not find us: there is no program `{program}`");
        let hint =
            format!("run `cred-helper setup {tool}`, or correct what `{tool}` is told by hand");
        return vec![Finding::warning(tool, &message).hint(&hint)];
    }
    let told = |(problem, advice): &(String, String)| {
        let message = format!("{tool} does not find us: {problem}");
        Finding::warning(tool, &message).hint(advice)
    };
    problems.iter().map(told).collect()
}

/// What there is to say of a tool: nothing, if it is not here and does not ask us.
fn one(listed: &Listed) -> Option<Finding> {
    let tool = listed.tool;
    let wiring = match &listed.wiring {
        Ok(wiring) => wiring,
        Err(error) => return Some(Finding::warning_of(tool, error)),
    };
    let version = listed.version.as_deref();
    let named = version.map_or_else(|| tool.to_owned(), |version| format!("{tool} {version}"));
    if let Some(first) = wiring.in_front.first() {
        let others = match wiring.in_front.len() {
            1 => String::new(),
            count => format!(", and others for {} more", count - 1),
        };
        let message = format!(
            "{named} asks `{}` before us for {}{others}",
            first.helper, first.target
        );
        let hint = format!(
            "run `cred-helper setup {tool}`, which has it ask us; `cred-helper setup --list` shows all"
        );
        return Some(Finding::warning(tool, &message).hint(&hint));
    }
    match (&listed.program, wiring.wired.is_empty()) {
        (None, true) => None,
        (Some(_), true) => Some(Finding::ok(tool, &format!("{named} does not ask us"))),
        (Some(_), false) => Some(Finding::ok(
            tool,
            &format!("{named} asks us for {}", targets(wiring)),
        )),
        (None, false) => {
            let message = format!("{tool} asks us for {}, and is not on PATH", targets(wiring));
            let hint = "install it, or set PATH; where other programs read its configuration, nothing is \
                        to be done";
            // Our own link is all that there is of some.
            let is_ours = listed.file.is_symlink();
            Some(match is_ours {
                true => Finding::ok(tool, &format!("{tool} is a link to us")),
                false => Finding::warning(tool, &message).hint(hint),
            })
        }
    }
}

fn targets(wiring: &Wiring) -> String {
    let targets: Vec<&str> = wiring
        .wired
        .iter()
        .map(|wired| wired.target.as_str())
        .collect();
    targets.join(", ")
}
