//! `uses = "nginx"`: a site that answers "maintenance", and back. nginx itself tests the result
//! before it is told to read it; what it does not like is undone.

mod undo;

use super::mark::Mark;
use super::program::runnable;
use super::tool::{self, argv};
use super::{Answer, Left, Setting, Stop, Target};
use crate::act::place;
use crate::domain::procedure::action::kinds::{Nginx, Switch};
use crate::domain::procedure::action::maintenance::{MARK, Places};
use crate::domain::text;
use undo::{Todo, Was};

/// Read of a site to see whether it is a page of ours, in bytes.
const HEAD: &str = "512";

/// What the files say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Files {
    site: What,
    /// The real file is where it is kept.
    kept: bool,
    /// The site is what is kept.
    same: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Absent,
    Real,
    /// A page of ours, as its first line has it.
    Page(String),
}

impl Files {
    async fn look(places: &Places, s: &Setting<'_>, stop: &Stop) -> Result<Files, String> {
        let kept = is_there(&places.kept, s, stop).await?;
        if !is_there(&places.site, s, stop).await? {
            return Ok(Files { site: What::Absent, kept, same: false });
        }
        let head = tool::run(s, &argv(&["head", "-c", HEAD, "--", &places.site]), None, stop).await?;
        if !head.well() {
            return Err(format!("cannot read {}: {}", places.site, head.complaint()));
        }
        let first = head.text().lines().next().unwrap_or("").to_owned();
        let site = if first.starts_with(MARK) { What::Page(text::one_line(&first, 160)) } else { What::Real };
        let same = kept && {
            let compare = argv(&["cmp", "-s", "--", &places.site, &places.kept]);
            tool::run(s, &compare, None, stop).await?.well()
        };
        Ok(Files { site, kept, same })
    }

    fn state(&self, places: &Places) -> String {
        match (&self.site, self.kept) {
            (What::Absent, _) => format!("{} is not there", places.site),
            (What::Real, false) => format!("{} is served", places.site),
            (What::Real, true) => format!("{} is served, and {} is there as well", places.site, places.kept),
            (What::Page(_), true) => format!("{} is in maintenance, its real file kept", places.site),
            (What::Page(_), false) => {
                format!("{} is in maintenance, and its real file is not kept", places.site)
            }
        }
    }

    /// Why the switch cannot be thrown without losing a file that somebody wants.
    fn refuse(&self, a: &Nginx, places: &Places) -> Option<String> {
        let Places { site, kept, .. } = places;
        match (a.maintenance, &self.site, self.kept) {
            (_, What::Absent, _) => Some(format!("{site} is not there")),
            (_, What::Page(_), false) => Some(format!(
                "{site} is a maintenance page, and the real file is not in {kept}: it must be put there first"
            )),
            (_, What::Real, true) if !self.same => {
                Some(format!("{site} and {kept} are both real files and differ: one of them must go first"))
            }
            _ => None,
        }
    }
}

/// Whether a path names anything, a dangling link included.
async fn is_there(path: &str, s: &Setting<'_>, stop: &Stop) -> Result<bool, String> {
    let told = tool::run(s, &argv(&["stat", "-c", "%F", "--", path]), None, stop).await?;
    match told.status {
        0 => Ok(true),
        _ if told.complaint().contains("No such file") => Ok(false),
        _ => Err(told.complaint()),
    }
}

/// The files as they are, and what nginx says of its configuration now.
pub async fn target(a: &Nginx, s: &Setting<'_>) -> Target {
    let never = Stop::new();
    let looked = async {
        let places = Places::of(a)?;
        let files = Files::look(&places, s, &never).await?;
        Ok::<_, String>((places, files))
    };
    let (places, files) = match looked.await {
        Ok(looked) => looked,
        Err(why) => return Target::unpinned().but_impossible(why),
    };
    let mut target =
        Target::probed(format!("nginx site {} on {}", places.site, s.host), files.state(&places));
    if let Some(why) = files.refuse(a, &places) {
        return target.but_impossible(why);
    }
    if a.maintenance == Switch::On && a.page.is_none() {
        return target.but_impossible("it has no page to put in the site's place");
    }
    match (a.maintenance, &files.site) {
        (Switch::On, What::Page(by)) => target.warnings.push(format!("in maintenance already: {by}")),
        (Switch::Off, What::Real) => target.warnings.push("not in maintenance".to_owned()),
        (Switch::On, _) => target
            .blast
            .push(format!("whoever asks the site {} gets the maintenance page", name_of(&places.site))),
        (Switch::Off, _) => {}
    }
    let mut target = runnable(&a.test, s, target).await;
    if target.impossible.is_none() {
        match tool::run(s, &a.test, None, &never).await {
            Ok(told) if told.well() => {}
            Ok(told) => target.warnings.push(format!("nginx refuses its configuration now: {}", last(&told))),
            Err(why) => target.warnings.push(why),
        }
    }
    target
}

/// A site by the name of its file.
fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// What a page says after its first line, in which it names who put it there.
fn body(page: &str) -> &str {
    page.split_once('\n').map_or("", |(_, body)| body)
}

/// The last words of nginx are "test failed"; the ones before say why.
fn last(told: &tool::Told) -> String {
    let said = String::from_utf8_lossy(&told.err).into_owned();
    let why: Vec<&str> = said.lines().filter(|l| l.contains("[emerg]") || l.contains("[error]")).collect();
    if why.is_empty() { told.complaint() } else { text::one_line(&why.join("; "), 300) }
}

/// Moves the files, has nginx test them, and only then has it read them. Whatever goes wrong, the
/// files are put back as they were.
pub async fn perform(a: &Nginx, s: &Setting<'_>, stop: &Stop) -> Left {
    let work = async {
        let places = Places::of(a)?;
        let files = Files::look(&places, s, stop).await?;
        let work = Switching { a, s, stop, places: &places };
        let undoing = undo::todo(&work, &files).await?;
        if let Some(Todo::Spare(why)) = undoing {
            return Ok((format!("left as it is: {why}"), true));
        }
        let mark = Mark::of_step(s, "reloaded");
        mark.clear()?;
        if let Some(why) = files.refuse(a, &places) {
            return Err(why);
        }
        // Another's page comes back, or has.
        let spared = a.maintenance == Switch::Off
            && match &undoing {
                Some(Todo::On(_)) => true,
                Some(Todo::Reload(_)) => matches!(files.site, What::Page(_)),
                _ => false,
            };
        let todo = match undoing {
            Some(todo) => todo,
            None => work.todo(&files).await?,
        };
        let (undo, says) = match todo {
            Todo::On(text) => (work.on(&files, &text).await?, format!("{} is in maintenance", places.site)),
            Todo::Off => (work.off(&files).await?, format!("{} is served", places.site)),
            Todo::Reload(says) | Todo::Spare(says) => (Undo::Nothing, says),
        };
        if let Err(why) = work.test_and_reload().await {
            return Err(format!("{why}; {}", work.undo(undo).await));
        }
        if matches!(undo, Undo::PageBack) {
            let _ = tool::run(s, &argv(&["rm", "-f", "--", &places.page]), None, &Stop::new()).await;
        }
        mark.leave("yes")?;
        Ok((format!("{says}; nginx was reloaded"), spared))
    };
    match work.await {
        Ok((says, spared)) => Left::done(says).sparing(spared),
        Err(why) if stop.is_stopped() => Left::killed(why),
        Err(why) => Left::failed(why),
    }
}

/// What puts the files back.
#[derive(Clone, Debug)]
enum Undo {
    Nothing,
    /// The kept file into the site's place.
    SiteBack,
    /// The page into the site's place, and the site to where it is kept.
    PageBack,
    /// This text, the page that was there, into the site's place.
    TextBack(String),
}

struct Switching<'a> {
    a: &'a Nginx,
    s: &'a Setting<'a>,
    stop: &'a Stop,
    places: &'a Places,
}

impl Switching<'_> {
    async fn must(&self, argv: &[String], stdin: Option<&str>) -> Result<(), String> {
        let told = tool::run(self.s, argv, stdin, self.stop).await?;
        if told.well() {
            return Ok(());
        }
        Err(format!("{}: {}", argv.first().map_or("", String::as_str), told.complaint()))
    }

    /// What a step is to do; it notes what there is before that is changed.
    async fn todo(&self, files: &Files) -> Result<Todo, String> {
        let page = match &files.site {
            What::Page(by) => Some((by, self.page().await?)),
            What::Real | What::Absent => None,
        };
        if self.a.maintenance == Switch::Off {
            if let Some((_, there)) = page {
                self.note(&Was::Page(there))?;
            }
            return Ok(Todo::Off);
        }
        let text = self.a.page.as_deref().ok_or("it has no page to put in the site's place")?;
        let text = self.places.text(&place::plain(text, self.s)?, self.s.run.as_str());
        let Some((by, there)) = page else {
            self.note(&Was::Real)?;
            return Ok(Todo::On(text));
        };
        let own = undo::names(by, self.s.run.as_str());
        if body(&there) == body(&text) {
            // It stays whose it is.
            if !own && self.s.undoes.is_none() {
                Was::mark(self.s).clear()?;
            }
            return Ok(Todo::Reload(format!("{} is in maintenance already: {by}", self.places.site)));
        }
        // What an earlier attempt has put there is not what was there before.
        if !own || Was::of_step(self.s)?.is_none() {
            self.note(&Was::Page(there))?;
        }
        Ok(Todo::On(text))
    }

    /// What undoes another step differently must not be taken for the step itself.
    fn note(&self, was: &Was) -> Result<(), String> {
        if self.s.undoes.is_some() { Ok(()) } else { Was::mark(self.s).note(was) }
    }

    /// The page that is in the site's place, as it is.
    async fn page(&self) -> Result<String, String> {
        let site = &self.places.site;
        let told = tool::run(self.s, &argv(&["cat", "--", site]), None, self.stop).await?;
        if !told.well() {
            return Err(format!("cannot read {site}: {}", told.complaint()));
        }
        String::from_utf8(told.out)
            .map_err(|_| format!("the page in {site} is no text, and could not be put back"))
    }

    async fn on(&self, files: &Files, text: &str) -> Result<Undo, String> {
        let Places { site, kept, fresh, .. } = self.places;
        let back = match files.site {
            What::Page(_) => Undo::TextBack(self.page().await?),
            What::Real | What::Absent => Undo::SiteBack,
        };
        if !files.kept {
            self.must(&argv(&["mkdir", "-p", "--", &self.a.keep_in]), None).await?;
            self.must(&Places::copy(site, fresh), None).await?;
            self.must(&Places::put(fresh, kept), None).await?;
        }
        match self.place(text, self.stop).await {
            Ok(()) => Ok(back),
            Err(why) => Err(format!("{why}; {}", self.undo(back).await)),
        }
    }

    /// Puts a page into the site's place.
    async fn place(&self, text: &str, stop: &Stop) -> Result<(), String> {
        let Places { site, page, .. } = self.places;
        let work = Switching { stop, ..*self };
        work.must(&Places::write(page), Some(text)).await?;
        work.must(&argv(&["chmod", "0644", "--", page]), None).await?;
        work.must(&Places::put(page, site), None).await
    }

    async fn off(&self, files: &Files) -> Result<Undo, String> {
        let Places { site, kept, page, .. } = self.places;
        if !files.kept {
            return Ok(Undo::Nothing);
        }
        if files.site == What::Real {
            // The same twice: a switch that was cut short.
            self.must(&argv(&["rm", "-f", "--", kept]), None).await?;
            return Ok(Undo::Nothing);
        }
        self.must(&Places::copy(site, page), None).await?;
        self.must(&Places::put(kept, site), None).await?;
        Ok(Undo::PageBack)
    }

    async fn test_and_reload(&self) -> Result<(), String> {
        let told = tool::run(self.s, &self.a.test, None, self.stop).await?;
        if !told.well() {
            return Err(format!(
                "nginx refuses the configuration, and was not told to read it: {}",
                last(&told)
            ));
        }
        let told = tool::run(self.s, &self.a.reload, None, self.stop).await?;
        if told.well() { Ok(()) } else { Err(format!("the reload failed: {}", told.complaint())) }
    }

    /// Puts the files back also when the step was told to stop; says what came of it.
    async fn undo(&self, undo: Undo) -> String {
        let Places { site, kept, page, .. } = self.places;
        let commands = match undo {
            Undo::Nothing => return "no file was changed that could be put back".to_owned(),
            Undo::TextBack(text) => {
                return match self.place(&text, &Stop::new()).await {
                    Ok(()) => "every file is as it was".to_owned(),
                    Err(why) => format!("and the page that was there could not be put back: {why}"),
                };
            }
            Undo::SiteBack => vec![Places::put(kept, site), argv(&["rm", "-f", "--", page])],
            Undo::PageBack => vec![Places::copy(site, kept), Places::put(page, site)],
        };
        for command in &commands {
            let told = tool::run(self.s, command, None, &Stop::new()).await;
            let why = match told {
                Ok(told) if told.well() => continue,
                Ok(told) => told.complaint(),
                Err(why) => why,
            };
            return format!("and the files could not be put back: {why}; the real file is {kept} or {site}");
        }
        "every file is as it was".to_owned()
    }
}

/// The files show whether they were switched; that nginx has read them is known only of a reload
/// that came back.
pub async fn ask(a: &Nginx, _: &str, s: &Setting<'_>) -> Answer {
    let never = Stop::new();
    let look = async {
        let places = Places::of(a)?;
        let files = Files::look(&places, s, &never).await?;
        let read = Mark::of_step(s, "reloaded").read()?.is_some();
        let todo = undo::todo(&Switching { a, s, stop: &never, places: &places }, &files).await?;
        Ok::<_, String>((places, files, read, todo))
    };
    let (places, files, read, todo) = match look.await {
        Ok(found) => found,
        Err(why) => return Answer::unknown(why),
    };
    let state = files.state(&places);
    let switched = match (todo, a.maintenance) {
        (Some(Todo::Spare(why)), _) => return Answer::happened(format!("left as it is: {why}")),
        (Some(todo), _) => matches!(todo, Todo::Reload(_)),
        (None, Switch::On) => matches!(files.site, What::Page(_)) && files.kept,
        (None, Switch::Off) => files.site == What::Real && !files.kept,
    };
    match (switched, read) {
        (true, true) => Answer::happened(format!("{state}, and nginx was reloaded")),
        (true, false) => Answer::unknown(format!("{state}; whether nginx has read it is not known")),
        (false, _) => Answer::did_not(state),
    }
}
