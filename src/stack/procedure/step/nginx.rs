//! `uses = "nginx"`: a site that answers "maintenance" instead of serving, and back.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{Nginx, Switch};
use crate::stack::decode::Table;

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let maintenance = super::need_choice(t, "maintenance", &["on", "off"]);
    let site = t.need_str("site");
    let keep_in = t.need_str("keep_in");
    let page = t.str("page").map(|p| p.value);
    let argv = |key: &'static str, default: &[&str]| {
        if t.has(key) {
            t.argv(key)
        } else {
            t.ask(key);
            Some(default.iter().map(|a| (*a).to_owned()).collect())
        }
    };
    let test = argv("test", &["nginx", "-t"]);
    let reload = argv("reload", &["systemctl", "reload", "nginx"]);
    let maintenance = match maintenance? {
        "on" => Switch::On,
        _ => Switch::Off,
    };
    match maintenance {
        Switch::On if !t.has("page") => {
            let help = Some("the text of the configuration that stands in for the site meanwhile".to_owned());
            t.reader.error(t.span.clone(), "maintenance = \"on\" needs a `page`", help);
        }
        Switch::Off if t.has("page") => {
            t.reader.error(t.span_of("page"), "`page` belongs to maintenance = \"on\"", None);
        }
        _ => {}
    }
    let (site, keep_in) = (site?.value, keep_in?.value);
    let beside = site.rsplit_once('/').is_some_and(|(dir, _)| dir == keep_in.trim_end_matches('/'));
    if beside {
        let help = Some("a directory that no include of nginx reaches".to_owned());
        let message = "`keep_in` is the site's own directory, where nginx would read both";
        t.reader.error(t.span_of("keep_in"), message, help);
    }
    Some(Action::Nginx(Nginx { maintenance, site, keep_in, page, test: test?, reload: reload? }))
}
