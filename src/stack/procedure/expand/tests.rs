//! What becomes of a procedure: which steps, called what, told what.

use super::*;
use crate::domain::procedure::action::Action;
use crate::stack::diag::Source;
use crate::stack::load::load_texts;
use std::sync::Arc;

const HEAD: &str = "[stack]\nname = 's'\n[[hosts]]\nid = 'h1'\n[[hosts]]\nid = 'h2'\n[[layers]]\nid = 'l'\n\
    [[probes]]\nid = 'p'\nlayer = 'l'\nkind = 'memory'\nconditions = ['[LATENCY] < 1s']\n";

fn stack(text: &str) -> Stack {
    let source = Arc::new(Source { name: "t.toml".into(), text: format!("{HEAD}{text}") });
    load_texts(&source, None, &|_| None).unwrap_or_else(|p| panic!("{p}")).stack
}

fn given(params: &[(&str, &str)]) -> BTreeMap<String, String> {
    params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn plan(text: &str, params: &[(&str, &str)]) -> Result<Expanded, Vec<String>> {
    expand(&stack(text), &ProcedureId::new("a"), &given(params))
}

fn ids(plan: &Expanded) -> Vec<&str> {
    plan.steps.iter().map(|s| s.id.as_str()).collect()
}

#[test]
fn parameters_fill_actions_checks_names_and_durations() {
    let text = "[[procedures]]\nid = 'a'\nname = 'Block ${param.ip}'\n\
        [[procedures.params]]\nid = 'ip'\ntype = 'cidr'\n\
        [[procedures.params]]\nid = 'span'\ntype = 'duration'\ndefault = '1h'\n\
        [[procedures.params]]\nid = 'n'\ntype = 'int'\nmin = 0\nmax = 9\ndefault = 3\n\
        [[procedures.blast_radius]]\nvalue = 'sum(x{ip=\"${param.ip}\"})'\nsays = '{} of ${param.ip}'\n\
        [[procedures.steps]]\nid = 's'\nuses = 'firewall'\n\
        with = { verb = 'block', address = '${param.ip}', expires = '${param.span}' }\n\
        verify = { exprs = ['x{a=\"${param.ip}\"} <= ${param.n}'], within = '${param.span}' }\n";
    let plan = plan(text, &[("ip", "10.0.0.0/8"), ("n", "5")]).unwrap();
    assert_eq!(plan.name, "Block 10.0.0.0/8");
    assert_eq!(plan.params, given(&[("ip", "10.0.0.0/8"), ("span", "1h"), ("n", "5")]));
    assert_eq!(plan.blast[0].value.as_deref(), Some("sum(x{ip=\"10.0.0.0/8\"})"));
    let step = &plan.steps[0];
    let Action::Firewall(f) = &step.action else { panic!("{:?}", step.action) };
    assert_eq!((f.address.as_deref(), f.expires), (Some("10.0.0.0/8"), Some(Duration::from_secs(3600))));
    let verify = step.verify.as_ref().unwrap();
    assert_eq!(verify.what.exprs, ["x{a=\"10.0.0.0/8\"} <= 5"]);
    assert_eq!(verify.within, Duration::from_secs(3600));
    assert_eq!(step.host.as_str(), "h1");
}

#[test]
fn what_is_wrong_with_parameters_is_told_together() {
    let text = "[[procedures]]\nid = 'a'\n[[procedures.params]]\nid = 'ip'\ntype = 'ip'\n\
        [[procedures.params]]\nid = 'unit'\ntype = 'unit'\nabout = 'which'\n\
        [[procedures.steps]]\nid = 's'\nuses = 'manual'\nwith = { instruction = '${param.ip} ${param.unit}' }\n";
    let wrong = plan(text, &[("ip", "10.0.0.1; rm -rf /"), ("units", "x")]).unwrap_err();
    let want = [
        "no parameter is called `units`: did you mean `unit`?",
        "`ip` expects an IP address",
        "`unit` needs a value",
    ];
    for want in want {
        assert!(wrong.iter().any(|w| w.contains(want)), "{want}: {wrong:?}");
    }
    assert!(expand(&stack(text), &ProcedureId::new("b"), &BTreeMap::new()).is_err());
}

/// Only what a parameter gives is refused here, and by the deadline of the whole run.
#[test]
fn no_parameter_gives_a_step_more_time_than_the_run_has() {
    let text = "[[procedures]]\nid = 'a'\ndeadline = '1h'\n\
        [[procedures.params]]\nid = 'span'\ntype = 'duration'\n\
        [[procedures.steps]]\nid = 'inner'\nuses = 'procedure'\nwith = { id = 'b', params = { span = '${param.span}' } }\n\
        [[procedures]]\nid = 'b'\ndeadline = '9h'\n\
        [[procedures.params]]\nid = 'span'\ntype = 'duration'\n\
        [[procedures.steps]]\nid = 'w'\nuses = 'wait'\nwith = { probes = ['p'], within = '${param.span}' }\n\
        [[procedures.steps]]\nid = 'block'\nuses = 'firewall'\ntimeout = '2h'\n\
        with = { verb = 'block', address = '10.0.0.0/8', expires = '${param.span}' }\n";
    assert_eq!(
        plan(text, &[("span", "3h")]).unwrap_err(),
        ["step `inner/w`: it may take 3h, and the run ends after 1h: its deadline"]
    );
    assert!(plan(text, &[("span", "1h")]).is_ok());
}

#[test]
fn rounds_stand_inside_each_other_and_take_their_hosts() {
    let text = "[[procedures]]\nid = 'a'\n[[procedures.params]]\nid = 'x'\ntype = 'service'\ndefault = 'two'\n\
        [[procedures.steps]]\nid = 'hosts'\nuses = 'for_each'\nhold = 'look'\nwith = { hosts = ['h1', 'h2'] }\n\
        [[procedures.steps.steps]]\nid = 'units'\nuses = 'for_each'\nwith = { items = ['one', '${param.x}'], max_failures = 1 }\n\
        [[procedures.steps.steps.steps]]\nid = 'start'\nuses = 'systemd'\nwith = { verb = 'start', unit = '${each}.service' }\n\
        [[procedures.steps.steps.steps]]\nid = 'see'\nuses = 'wait'\nwith = { probes = ['p'] }\n\
        unless = { probes = ['p'] }\nafter = ['start']\n\
        [[procedures.steps]]\nid = 'end'\nuses = 'wait'\nwith = { probes = ['p'] }\n\
        unless = { probes = ['p'] }\nafter = ['start']\n";
    let plan = plan(text, &[]).unwrap();
    assert_eq!(plan.steps.len(), 9);
    let first = &plan.steps[0];
    assert_eq!(first.id.as_str(), "hosts[h1]/units[one]/start");
    assert_eq!(first.origin, "a.start");
    assert_eq!(first.hold.as_deref(), Some("look"));
    assert!(plan.steps.iter().skip(1).all(|s| s.hold.is_none()));
    let round = first.round.as_ref().unwrap();
    assert_eq!((round.of.as_str(), &*round.item, round.max_failures), ("hosts[h1]/units", "one", 1));
    let seventh = &plan.steps[6];
    assert_eq!(seventh.id.as_str(), "hosts[h2]/units[two]/start");
    assert_eq!(seventh.host.as_str(), "h2");
    let Action::Systemd(s) = &seventh.action else { panic!("{:?}", seventh.action) };
    assert_eq!(s.unit, "two.service");
    // In a round, `after` means that round; outside, all of them.
    assert_eq!(plan.steps[7].after, std::slice::from_ref(&seventh.id));
    assert_eq!(plan.steps[8].after.len(), 4);
}

#[test]
fn a_hold_before_several_steps_is_kept_when_proof_passes_the_first_over() {
    let text = "[[procedures]]\nid = 'a'\n\
        [[procedures.steps]]\nid = 'all'\nname = 'All of it'\nuses = 'procedure'\nhold = 'look'\nwith = { id = 'b' }\n\
        [[procedures.steps]]\nid = 'end'\nuses = 'wait'\nwith = { probes = ['p'] }\n\
        unless = { probes = ['p'] }\nafter = ['all']\n\
        [[procedures]]\nid = 'b'\n\
        [[procedures.steps]]\nid = 'see'\nuses = 'wait'\nwith = { probes = ['p'] }\nunless = { probes = ['p'] }\n\
        [[procedures.steps]]\nid = 'start'\nuses = 'systemd'\nwith = { verb = 'start', unit = 'u.service' }\n";
    let plan = plan(text, &[]).unwrap();
    let ids: Vec<&str> = plan.steps.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["all", "all/see", "all/start", "end"]);
    let asked = &plan.steps[0];
    let Action::Manual(manual) = &asked.action else { panic!("{:?}", asked.action) };
    assert_eq!((&*manual.instruction, &*asked.origin, &*asked.name), ("look", "a.all", "All of it"));
    assert!(asked.unless.is_none() && plan.steps.iter().all(|s| s.hold.is_none()));
    // That somebody was asked is nothing that was carried out.
    let after: Vec<&str> = plan.steps[3].after.iter().map(crate::domain::id::StepId::as_str).collect();
    assert_eq!(after, ["all/see", "all/start"]);
}

#[test]
fn an_inlined_procedure_keeps_its_origin_and_brings_its_blast_radius_and_level() {
    let text = "[[procedures]]\nid = 'a'\n[[procedures.params]]\nid = 'who'\ntype = 'service'\n\
        [[procedures.steps]]\nid = 'first'\nuses = 'manual'\nwith = { instruction = 'look' }\n\
        [[procedures.steps]]\nid = 'rotate'\nuses = 'procedure'\nwith = { id = 'b', params = { unit = '${param.who}.service' } }\n\
        [[procedures]]\nid = 'b'\nlevel = 'L3'\n[[procedures.params]]\nid = 'unit'\ntype = 'unit'\n\
        [[procedures.blast_radius]]\nsays = 'everybody logs in again'\n\
        [[procedures.steps]]\nid = 'stop'\nuses = 'systemd'\nhost = 'h2'\nwith = { verb = 'stop', unit = '${param.unit}' }\n\
        [[procedures.steps]]\nid = 'prove'\nuses = 'wait'\nwith = { probes = ['p'] }\n\
        unless = { probes = ['p'] }\nafter = ['stop']\n\
        [[interlocks]]\nid = 'i'\nsays = 'closed'\nraised_by = ['a.first']\nblocks = ['a']\n\
        until = { says = 'rotated', verified = ['b.prove'] }\n";
    let made = plan(text, &[("who", "auth")]).unwrap();
    assert_eq!(ids(&made), ["first", "rotate/stop", "rotate/prove"]);
    assert_eq!(made.steps[2].origin, "b.prove");
    assert_eq!(made.steps[2].after[0].as_str(), "rotate/stop");
    assert_eq!(made.steps[1].host.as_str(), "h2");
    assert_eq!(made.level, Some(Level::L3));
    assert_eq!(made.blast[0].says, "everybody logs in again");
    let wrong = plan(text, &[("who", "x@y.z")]).map(|p| p.params);
    assert!(wrong.is_ok());
    // The value is valid for this procedure, and what is made of it must be so for the other.
    let text = text.replace("${param.who}.service", "${param.who}");
    assert!(plan(&text, &[("who", "auth")]).unwrap_err()[0].contains("`unit` expects a systemd unit"));
}

#[test]
fn what_runs_fill_stays_for_the_runner() {
    let text = "[[procedures]]\nid = 'a'\n[[procedures.steps]]\nid = 's'\nuses = 'exec'\n\
        with = { argv = ['tool', '--tag', '${run.id}'], env = { PASSWORD = '${secret.db}' } }\n";
    let plan = plan(text, &[]).unwrap();
    let Action::Exec(e) = &plan.steps[0].action else { panic!() };
    assert_eq!(e.argv[2], "${run.id}");
    assert_eq!(e.env["PASSWORD"], "${secret.db}");
}

#[test]
fn values_are_checked_where_they_stand() {
    let text = "[[procedures]]\nid = 'a'\n[[procedures.params]]\nid = 'x'\ntype = 'regex'\npattern = '.*'\n\
        [[procedures.steps]]\nid = 's'\nuses = 'exec'\nwith = { argv = ['tool', '${param.x}'] }\n\
        [[procedures.steps]]\nid = 'f'\nuses = 'file'\nwith = { path = '/run/${param.x}', content = '' }\n";
    let wrong = plan(text, &[("x", "--force")]).unwrap_err();
    assert!(
        wrong[0].contains("step `s`: `argv` cannot be filled in") && wrong[0].contains("option"),
        "{wrong:?}"
    );
    let wrong = plan(text, &[("x", "../etc/passwd")]).unwrap_err();
    assert!(wrong[0].contains("step `f`") && wrong[0].contains("no / in it"), "{wrong:?}");
    let wrong = plan(text, &[("x", "${secret.db}")]).unwrap_err();
    assert!(wrong[0].contains("without ${"), "{wrong:?}");
}

#[test]
fn the_least_level_is_that_of_the_worst_step_wherever_it_stands() {
    let one = |steps: &str| {
        let stack = stack(&format!(
            "[[procedures]]\nid = 'a'\n{steps}\n[[procedures]]\nid = 'inner'\nlevel = 'L2'\n\
             [[procedures.steps]]\nid = 'deep'\nuses = 'exec'\neffect = 'read'\nwith = {{ argv = ['true'] }}\n"
        ));
        stack.procedures.least(&stack.procedures.all[0], true)
    };
    let step = |rest: &str| format!("[[procedures.steps]]\nid = 's'\n{rest}");
    for (steps, level) in [
        (step("uses = 'exec'\neffect = 'read'\nwith = { argv = ['true'] }"), Level::L0),
        (step("uses = 'exec'\neffect = 'interrupt'\nwith = { argv = ['true'] }"), Level::L2),
        (step("uses = 'exec'\nwith = { argv = ['true'] }"), Level::L3),
        (step("uses = 'shell'\neffect = 'read'\nwith = { script = 'true' }"), Level::L2),
        (step("uses = 'procedure'\nwith = { id = 'inner' }"), Level::L2),
        (
            step(
                "uses = 'for_each'\nwith = { items = ['x'] }\n[[procedures.steps.steps]]\nid = 't'\n\
                 uses = 'exec'\neffect = 'change'\nwith = { argv = ['true'] }",
            ),
            Level::L1,
        ),
    ] {
        assert_eq!(one(&steps), level, "{steps}");
    }
}
