//! Services of a compose project, by the `docker compose` command or over Docker's own socket; its
//! containers and their start times tell whether that came about.

mod api;

use super::{Answer, Left, Setting, Stop, Target, program};
use crate::act::process::{self, Program};
use crate::domain::procedure::action::describe::local::docker_compose;
use crate::domain::procedure::action::kinds::{Compose, ComposeVerb};
use crate::domain::procedure::event::Effected;
use crate::domain::text;
use crate::transport::Command;
use std::collections::BTreeMap;

/// Containers of a project that are looked at.
const MAX_CONTAINERS: usize = 200;
/// Kept of what Docker says of them.
const MAX_SAID: usize = 1 << 20;

/// One container of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Container {
    service: String,
    id: String,
    /// `running`, `exited` …
    state: String,
    /// When it was last started, as Docker writes it.
    started: String,
}

/// One line that changes when a container does.
fn state_of(containers: &[Container]) -> String {
    if containers.is_empty() {
        return "no containers".to_owned();
    }
    let short = |c: &Container| {
        let id = c.id.get(..12).unwrap_or(&c.id);
        text::one_line(&format!("{}={id}/{}/{}", c.service, c.state, c.started), 160).replace(' ', "_")
    };
    containers.iter().map(short).collect::<Vec<_>>().join(" ")
}

/// For people: `auth running, ipam exited`.
fn words(containers: &[Container]) -> String {
    if containers.is_empty() {
        return "no containers".to_owned();
    }
    let of = |c: &Container| text::one_line(&format!("{} {}", c.service, c.state), 60);
    containers.iter().map(of).collect::<Vec<_>>().join(", ")
}

/// The containers of the services that a step names.
async fn look(a: &Compose, s: &Setting<'_>) -> Result<Vec<Container>, String> {
    let mut all = match &a.api {
        Some(socket) => api::list(a, socket, s).await?,
        None => by_command(a, s).await?,
    };
    all.retain(|c| a.services.is_empty() || a.services.contains(&c.service));
    all.sort();
    Ok(all)
}

async fn by_command(a: &Compose, s: &Setting<'_>) -> Result<Vec<Container>, String> {
    let mut argv: Vec<String> = docker_compose(a);
    // The same project and file, with another verb.
    let verb =
        argv.iter().position(|w| matches!(w.as_str(), "up" | "stop" | "restart")).unwrap_or(argv.len());
    argv.truncate(verb);
    argv.extend(["ps", "--all", "--quiet"].map(str::to_owned));
    let ids = ask_docker(argv, s).await?;
    let ids: Vec<&str> = ids.split_whitespace().take(MAX_CONTAINERS).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let format = r#"{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.Status}} {{.State.StartedAt}}"#;
    let inspect = ["docker", "inspect", "--type", "container", "--format", format, "--"];
    let argv = inspect.iter().copied().chain(ids).map(str::to_owned).collect();
    Ok(ask_docker(argv, s).await?.lines().filter_map(parse_line).collect())
}

fn parse_line(line: &str) -> Option<Container> {
    let mut words = line.split(' ').map(str::to_owned);
    Some(Container {
        service: words.next()?,
        id: words.next()?,
        state: words.next()?,
        started: words.next()?,
    })
}

async fn ask_docker(argv: Vec<String>, s: &Setting<'_>) -> Result<String, String> {
    let mut command = Command::new(argv).sudo(s.sudo);
    command.max_stdout = MAX_SAID;
    let output = s.transport.run(&command).await.map_err(|e| text::reason(&e.to_string()))?;
    if output.status == 0 {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(program::last_line(&output).unwrap_or_else(|| "docker failed and said nothing".to_owned()))
}

pub async fn target(a: &Compose, s: &Setting<'_>) -> Target {
    let project = a.project.as_deref().or(a.file.as_deref()).unwrap_or("the project of its directory");
    let what = format!("compose {project} [{}] on {}", a.services.join(" "), s.host);
    if a.api.is_some() && matches!(a.verb, ComposeVerb::Up | ComposeVerb::Recreate) {
        let why = "Docker's socket can stop, start and restart what exists; this needs the command";
        return Target::unpinned().but_impossible(why);
    }
    let containers = match look(a, s).await {
        Ok(containers) => containers,
        Err(why) => return Target::unpinned().but_impossible(format!("cannot ask Docker: {why}")),
    };
    let mut target = Target::probed(what, state_of(&containers));
    if !matches!(a.verb, ComposeVerb::Up | ComposeVerb::Recreate) {
        let missing: Vec<&str> = a
            .services
            .iter()
            .map(String::as_str)
            .filter(|service| !containers.iter().any(|c| c.service == *service))
            .collect();
        if !missing.is_empty() {
            return target.but_impossible(format!("no container of {}", missing.join(", ")));
        }
    }
    let running = containers.iter().filter(|c| c.state == "running").count();
    if running > 0 && a.verb != ComposeVerb::Up {
        let noun = if running == 1 { "container" } else { "containers" };
        target.blast.push(format!("stops {running} running {noun}"));
    }
    target
}

pub async fn perform(a: &Compose, s: &Setting<'_>, stop: &Stop) -> Left {
    let before = look(a, s).await.map_or_else(|why| why, |all| words(&all));
    let mut left = match &a.api {
        Some(socket) => tokio::select! {
            done = api::perform(a, socket, s) => done.map_or_else(Left::failed, Left::done),
            () = stop.stopped() => Left::killed("what Docker was asked last goes on"),
        },
        None => process::as_step(Program::new(docker_compose(a)), s, &[0], stop).await,
    };
    let after = look(a, s).await.map_or_else(|why| why, |all| words(&all));
    let told = format!("{before}; then {after}");
    match &mut left.result {
        Effected::Done { says } => *says = told,
        Effected::Failed { why } | Effected::TimedOut { why } | Effected::Killed { why } => {
            *why = format!("{why}; {told}");
        }
    }
    left
}

pub async fn ask(a: &Compose, before: &str, s: &Setting<'_>) -> Answer {
    match look(a, s).await {
        Ok(now) => judge(a.verb, &a.services, before, &now),
        Err(why) => Answer::unknown(format!("cannot ask Docker: {why}")),
    }
}

/// A container as [`state_of`] wrote it down: its id cut short, its state, when it was started.
struct Then<'b> {
    id: &'b str,
    state: &'b str,
    started: &'b str,
}

fn then_of(before: &str) -> BTreeMap<&str, Vec<Then<'_>>> {
    let mut then: BTreeMap<&str, Vec<Then<'_>>> = BTreeMap::new();
    for word in before.split(' ') {
        if let Some((service, rest)) = word.split_once('=')
            && let Some((id, rest)) = rest.split_once('/')
            && let Some((state, started)) = rest.split_once('/')
        {
            then.entry(service).or_default().push(Then { id, state, started });
        }
    }
    then
}

fn judge(verb: ComposeVerb, services: &[String], before: &str, now: &[Container]) -> Answer {
    let says = words(now);
    let running = |c: &Container| c.state == "running";
    if verb == ComposeVerb::Stop && !now.iter().any(running) {
        return Answer::happened(says);
    }
    if before.is_empty() {
        return Answer::unknown(format!("{says}; how it was before is not known"));
    }
    // Nothing happened to any of them. An `up` may have found nothing to do, or was never told:
    // what ran before would have been made anew had its file or environment changed.
    if state_of(now) == before && !now.is_empty() {
        return Answer::did_not(format!("{says}, as before"));
    }
    let then = then_of(before);
    // Whether a container is not as it was in the respect that counts.
    let anew = |c: &Container| {
        let id = c.id.get(..12).unwrap_or(&c.id);
        match then.get(c.service.as_str()).into_iter().flatten().find(|then| then.id == id) {
            None => true,
            Some(_) if verb == ComposeVerb::Recreate => false,
            // One that ran proves nothing, though it were started since: `up` leaves such a one
            // alone or makes it anew, and Docker itself starts what has died.
            Some(then) if verb == ComposeVerb::Up => then.state != "running",
            Some(then) => then.started != c.started,
        }
    };
    let all_there = services.iter().all(|service| now.iter().any(|c| c.service == *service));
    let happened = verb != ComposeVerb::Stop
        && all_there
        && !now.is_empty()
        && now.iter().all(|c| running(c) && anew(c));
    if happened { Answer::happened(says) } else { Answer::unknown(format!("only in part: {says}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::procedure::event::Truth;

    fn containers(list: &[(&str, &str, &str, &str)]) -> Vec<Container> {
        let of = |(service, id, state, started): &(&str, &str, &str, &str)| Container {
            service: (*service).into(),
            id: (*id).into(),
            state: (*state).into(),
            started: (*started).into(),
        };
        list.iter().map(of).collect()
    }

    #[test]
    fn what_became_of_it_is_read_off_ids_and_start_times() {
        type Listed = (&'static str, &'static str, &'static str, &'static str);
        use ComposeVerb::{Recreate, Restart, Stop, Up};
        use Truth::{DidNot, Happened, Unknown};
        let before = state_of(&containers(&[("a", "1", "running", "t1"), ("b", "2", "running", "t1")]));
        let table: &[(ComposeVerb, &[Listed], Truth)] = &[
            (Restart, &[("a", "1", "running", "t1"), ("b", "2", "running", "t1")], DidNot),
            (Restart, &[("a", "1", "running", "t2"), ("b", "2", "running", "t2")], Happened),
            (Restart, &[("a", "1", "running", "t2"), ("b", "2", "running", "t1")], Unknown),
            (Restart, &[("a", "1", "exited", "t1"), ("b", "2", "running", "t1")], Unknown),
            (Recreate, &[("a", "3", "running", "t2"), ("b", "4", "running", "t2")], Happened),
            (Recreate, &[("a", "1", "running", "t2"), ("b", "4", "running", "t2")], Unknown),
            (Stop, &[("a", "1", "exited", "t1"), ("b", "2", "exited", "t1")], Happened),
            (Stop, &[("a", "1", "running", "t1"), ("b", "2", "running", "t1")], DidNot),
            (Stop, &[], Happened),
            (Stop, &[("a", "1", "exited", "t1"), ("b", "2", "running", "t1")], Unknown),
            // What ran before would have been made anew by an `up` that had anything to change.
            (Up, &[("a", "1", "running", "t1"), ("b", "2", "running", "t1")], DidNot),
            (Up, &[("a", "3", "running", "t2"), ("b", "4", "running", "t2")], Happened),
            (Up, &[("a", "3", "running", "t2"), ("b", "2", "running", "t1")], Unknown),
            // Docker has started what died.
            (Up, &[("a", "1", "running", "t2"), ("b", "2", "running", "t2")], Unknown),
            (Up, &[("a", "3", "created", "t0"), ("b", "2", "running", "t1")], Unknown),
            (Up, &[], Unknown),
        ];
        let named = ["a", "b"].map(str::to_owned);
        for (verb, now, want) in table {
            let answer = judge(*verb, &named, &before, &containers(now));
            assert_eq!(answer.truth, *want, "{verb:?} {now:?}");
        }
    }

    #[test]
    fn an_up_is_proved_by_what_did_not_run_before() {
        use Truth::{DidNot, Happened, Unknown};
        let up = |services: &[&str], before: &str, now: &[(&str, &str, &str, &str)]| {
            let services: Vec<String> = services.iter().map(|s| (*s).to_owned()).collect();
            judge(ComposeVerb::Up, &services, before, &containers(now)).truth
        };
        let (none, down) = (state_of(&[]), state_of(&containers(&[("a", "1", "exited", "t1")])));
        let runs = ("a", "1", "running", "t2");
        assert_eq!(up(&[], &none, &[runs]), Happened);
        assert_eq!(up(&["a"], &down, &[runs]), Happened);
        assert_eq!(up(&["a"], &down, &[("a", "1", "exited", "t1")]), DidNot);
        assert_eq!(up(&["a", "b"], &none, &[runs]), Unknown, "one of them is not there at all");
        // A host that did not answer before the step says nothing of what was.
        assert_eq!(up(&["a"], "", &[runs]), Unknown);
        let restart = judge(ComposeVerb::Restart, &[], "", &containers(&[runs]));
        assert_eq!(restart.truth, Unknown);
    }
}
