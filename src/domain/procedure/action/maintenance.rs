//! The files and commands of an nginx site's maintenance, the same for the preview and for the
//! step.

use super::kinds::{Nginx, Switch};

/// How a page of ours begins, so that it is never taken for a real site.
pub const MARK: &str = "# quarterdeck maintenance";

/// Where things are while a site is in maintenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub site: String,
    /// The real file.
    pub kept: String,
    /// A copy that is not complete yet. Everything is prepared outside of every include.
    pub fresh: String,
    /// The page, on its way in or out.
    pub page: String,
}

impl Places {
    /// # Errors
    /// The paths cannot be those of a site and of a directory beside it.
    pub fn of(a: &Nginx) -> Result<Places, String> {
        let plain = |p: &str| p.starts_with('/') && !p.contains(char::is_control) && !p.contains("/../");
        let name = a.site.rsplit('/').next().filter(|n| !n.is_empty() && *n != "." && *n != "..");
        let keep_in = a.keep_in.trim_end_matches('/');
        match name {
            Some(name) if plain(&a.site) && plain(keep_in) => {
                let kept = format!("{keep_in}/{name}");
                if kept == a.site {
                    return Err(format!("{keep_in} is the directory of {} itself", a.site));
                }
                Ok(Places {
                    site: a.site.clone(),
                    fresh: format!("{kept}.new"),
                    page: format!("{kept}.page"),
                    kept,
                })
            }
            _ => Err("site and keep_in must be absolute paths of a file and of a directory".to_owned()),
        }
    }

    /// The page as it is written: it says of itself what it is.
    pub fn text(&self, page: &str, run: &str) -> String {
        let end = if page.ends_with('\n') { "" } else { "\n" };
        format!("{MARK} by {run}: the real file is {}\n{page}{end}", self.kept)
    }

    /// Copies with everything that belongs to a file, a link as a link.
    pub fn copy(from: &str, to: &str) -> Vec<String> {
        words(&["cp", "-a", "--", from, to])
    }

    /// Puts one file in another's place, at once.
    pub fn put(from: &str, to: &str) -> Vec<String> {
        words(&["mv", "-f", "-T", "--", from, to])
    }

    /// Writes what it reads.
    pub fn write(to: &str) -> Vec<String> {
        words(&["tee", "--", to])
    }
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|w| (*w).to_owned()).collect()
}

/// The commands of a switch in their order, up to the test.
pub fn commands(a: &Nginx, places: &Places) -> Vec<Vec<String>> {
    let Places { site, kept, fresh, page } = places;
    match a.maintenance {
        Switch::On => vec![
            words(&["mkdir", "-p", "--", a.keep_in.as_str()]),
            Places::copy(site, fresh),
            Places::put(fresh, kept),
            Places::write(page),
            words(&["chmod", "0644", "--", page]),
            Places::put(page, site),
        ],
        Switch::Off => vec![Places::copy(site, page), Places::put(kept, site)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nginx(site: &str, keep_in: &str) -> Nginx {
        Nginx {
            maintenance: Switch::On,
            site: site.into(),
            keep_in: keep_in.into(),
            page: Some(String::new()),
            test: vec!["nginx".into(), "-t".into()],
            reload: vec!["true".into()],
        }
    }

    #[test]
    fn the_real_file_is_kept_outside() {
        let places = Places::of(&nginx("/etc/nginx/sites-enabled/vpn", "/var/lib/kept/")).unwrap();
        assert_eq!(places.kept, "/var/lib/kept/vpn");
        assert!(places.text("server {}", "r").starts_with(MARK));
        for (site, keep_in) in [("/etc/a", "/etc"), ("a", "/b"), ("/a/..", "/b"), ("/a/", "/b"), ("/a", "b")]
        {
            assert!(Places::of(&nginx(site, keep_in)).is_err(), "{site} {keep_in}");
        }
    }
}
