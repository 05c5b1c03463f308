//! `nginx -t`: whether NGINX would take its configuration as it lies there.

use std::path::Path;

use super::Outcome;
use crate::demo::nginx;

pub fn run(root: &Path, args: &[String]) -> Outcome {
    let words: Vec<&str> = args.iter().map(String::as_str).filter(|a| *a != "-q").collect();
    match words.as_slice() {
        ["-t"] => test(root),
        ["-v"] => Outcome { err: "nginx version: nginx/1.22.1\n".into(), ..Outcome::default() },
        _ => Outcome::fail(1, "nginx: the demo's nginx knows -t and -v only\n"),
    }
}

fn test(root: &Path) -> Outcome {
    let conf = root.join("etc/nginx/nginx.conf");
    match nginx::load(root) {
        Ok(_) => {
            let conf = conf.display();
            let err = format!(
                "nginx: the configuration file {conf} syntax is ok\nnginx: configuration file {conf} test is successful\n"
            );
            Outcome { err, ..Outcome::default() }
        }
        Err(why) => Outcome::fail(
            1,
            format!("nginx: {why}\nnginx: configuration file {} test failed\n", conf.display()),
        ),
    }
}
