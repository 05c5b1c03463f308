//! The demo's NGINX configuration: one site's file, read as NGINX would at a start or reload.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Largest site file read.
const LARGEST: u64 = 64 * 1024;

/// What the dashboard's site does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// Hands it on to the admin API.
    Proxy,
    /// Answers by itself: `return STATUS "text"`.
    Answer { status: u16, text: String },
    /// No file: the server has no site for it.
    None,
}

/// Where the enabled sites are; each is a link into `sites-available`, as on Debian.
pub fn sites_enabled(root: &Path) -> PathBuf {
    root.join("etc/nginx/sites-enabled")
}

/// Where a site's file is kept while a maintenance page stands in for it: no include reads it.
pub fn kept(root: &Path) -> PathBuf {
    root.join("var/lib/quarterdeck/nginx")
}

/// The site as setup leaves it.
pub const DASHBOARD: &str = "server {
    listen 80;
    location / {
        proxy_pass http://127.0.0.1:8000;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection \"upgrade\";
        proxy_buffering off;
        proxy_read_timeout 3600s;
    }
    access_log /var/log/nginx/admin-dashboard.access.log;
}
";

/// Reads the enabled site.
///
/// # Errors
/// What `nginx -t` says of a file that it cannot take.
pub fn load(root: &Path) -> Result<Site, String> {
    let path = sites_enabled(root).join("admin-dashboard");
    let mut text = String::new();
    match fs::File::open(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && fs::symlink_metadata(&path).is_err() => {
            return Ok(Site::None);
        }
        Err(e) => return Err(format!("[emerg] open() \"{}\" failed: {e}", path.display())),
        Ok(file) => {
            let read = file.take(LARGEST).read_to_string(&mut text);
            read.map_err(|e| format!("[emerg] read() \"{}\" failed: {e}", path.display()))?;
        }
    }
    parse(&text).map_err(|(what, line)| format!("[emerg] {what} in {}:{line}", path.display()))
}

/// The words of a file up to each `;`, `{` or `}`, as far as what it does is concerned.
fn parse(text: &str) -> Result<Site, (String, usize)> {
    let (mut depth, mut line, mut words) = (0usize, 1, Vec::<String>::new());
    let (mut site, mut servers) = (Site::None, 0);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            c if c.is_whitespace() => {}
            ';' => {
                directive(&mut words, &mut site, depth).map_err(|what| (what, line))?;
            }
            '{' => {
                servers += usize::from(depth == 0 && words.first().is_some_and(|w| w == "server"));
                words.clear();
                depth += 1;
            }
            '}' if !words.is_empty() => return Err(("unexpected \"}\"".into(), line)),
            '}' => depth = depth.checked_sub(1).ok_or(("unexpected \"}\"".to_owned(), line))?,
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                loop {
                    match chars.next() {
                        Some('\\') => word.extend(chars.next().map(|c| if c == 'n' { '\n' } else { c })),
                        Some(c) if c == quote => break,
                        Some(c) => {
                            line += usize::from(c == '\n');
                            word.push(c);
                        }
                        None => return Err(("unexpected end of file, expecting a quote".into(), line)),
                    }
                }
                words.push(word);
            }
            c => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, ';' | '{' | '}')) {
                    word.push(c);
                }
                words.push(word);
            }
        }
    }
    if depth > 0 || !words.is_empty() {
        return Err(("unexpected end of file, expecting \";\" or \"}\"".into(), line));
    }
    if servers == 0 && !text.trim().is_empty() {
        return Err(("no server in this file".into(), line));
    }
    Ok(site)
}

/// Takes one directive, which ends at its semicolon.
fn directive(words: &mut Vec<String>, site: &mut Site, depth: usize) -> Result<(), String> {
    let taken = std::mem::take(words);
    let Some((name, rest)) = taken.split_first() else { return Err("unexpected \";\"".into()) };
    if depth == 0 {
        return Err(format!("\"{}\" directive is not allowed here", name.escape_debug()));
    }
    match (name.as_str(), rest) {
        ("proxy_pass", [_]) if *site == Site::None => *site = Site::Proxy,
        ("return", [status, text @ ..]) if text.len() <= 1 => {
            let status = status.parse().ok().filter(|s| (100..600).contains(s));
            let status = status.ok_or("invalid return code")?;
            *site = Site::Answer { status, text: text.first().cloned().unwrap_or_default() };
        }
        ("proxy_pass" | "return", _) => {
            return Err(format!("invalid number of arguments in \"{name}\" directive"));
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_hands_on_or_answers_or_is_refused() {
        let page = "server { listen 80; location / { return 503 \"closed; \\\"soon\\\" back\\n\"; } }";
        for (text, want) in [
            (DASHBOARD, Ok(Site::Proxy)),
            (page, Ok(Site::Answer { status: 503, text: "closed; \"soon\" back\n".into() })),
            ("", Ok(Site::None)),
            ("# nothing; here {\n", Err("no server in this file")),
            ("server { listen 80; location / { return 503; }", Err("end of file")),
            ("server { return 503; } }", Err("unexpected \"}\"")),
            ("server {\n listen 80\n}", Err("unexpected \"}\"")),
            ("server { return \"never ends; }", Err("expecting a quote")),
            ("server { return soon; }", Err("invalid return code")),
            ("server { return; }", Err("invalid number of arguments")),
            ("return 503;", Err("not allowed here")),
            ("server { ; }", Err("unexpected \";\"")),
        ] {
            match (parse(text), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{text}"),
                (Err((got, _)), Err(want)) => assert!(got.contains(want), "{text}: {got}"),
                (got, want) => panic!("{text}: {got:?}, expected {want:?}"),
            }
        }
    }
}
